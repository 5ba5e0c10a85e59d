# shellcheck shell=bash
# Sourced by run.sh: docker/compose.yaml, as a person starts it.
# shellcheck disable=SC2317,SC2154  # check() calls the functions; docker and NET are run.sh's

free_port() {
    /usr/bin/python3 -c 'import socket
probe = socket.create_server(("127.0.0.1", 0))
print(probe.getsockname()[1])'
}

# Docker's own, or the program of before. sudo, where Docker wants it, keeps no variables.
compose() {
    local program=(docker-compose)
    ! docker compose version >/dev/null 2>&1 || program=(docker compose)
    "${docker[@]::${#docker[@]}-1}" env "PLANKTON_PORT=$compose_port" "${compose_env[@]}" \
        "${program[@]}" -p "$NET-compose" -f docker/compose.yaml "$@"
}

container_of() { compose ps -q "$1"; }

is_healthy() {
    local state
    state=$(docker inspect -f '{{.State.Health.Status}}' "$(container_of "$1")")
    echo "$1 is $state"
    [ "$state" = healthy ]
}

all_healthy() {
    local service
    for service in postgres users auth gateway; do
        await is_healthy $service || return 1
    done
}

compose_password() { compose run --rm secrets | sed -n 's/^The first admin has the password //p'; }

compose_suites() {
    PLANKTON_GATEWAY=127.0.0.1:$compose_port PLANKTON_ADMIN_EMAIL=admin@example.com \
        PLANKTON_ADMIN_PASSWORD=$(compose_password) PYTHONDONTWRITEBYTECODE=1 \
        timeout 300 /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/system
}

# What was made up, and who is in the databases, outlives the containers.
comes_back() {
    local before
    before=$(compose_password)
    compose down && compose up -d && all_healthy && [ "$before" = "$(compose_password)" ] &&
        curl -fsS "http://127.0.0.1:$compose_port/api/v1/auth/login" \
            -H 'Content-Type: application/json' \
            -d "{\"email\":\"admin@example.com\",\"password\":\"$before\"}"
}

# Nobody outside reaches anything but the gateway.
publishes_one() {
    local published
    published=$(docker ps -q --filter "label=com.docker.compose.project=$NET-compose" |
        xargs -n 1 "${docker[@]}" port)
    echo "$published"
    [ "$published" = "8080/tcp -> 127.0.0.1:$compose_port" ]
}

takes_published_images() {
    local compose_env=(PLANKTON_REGISTRY=registry.example.com/ PLANKTON_TAG=9.9.9) service shown
    shown=$(compose config)
    for service in users auth gateway; do
        grep -q "image: registry.example.com/plankton/$service:9.9.9" <<<"$shown" || return 1
    done
}

test_compose() {
    local compose_port compose_env=()
    compose_port=$(free_port)
    check "compose: up" compose up -d
    check "compose: everything is healthy" all_healthy
    check "compose: the whole-system suites" compose_suites
    check "compose: one port, on 127.0.0.1" publishes_one
    check "compose: down and up again" comes_back
    check "compose: published names" takes_published_images
    compose down -v >/dev/null 2>&1
}
