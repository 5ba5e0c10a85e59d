# shellcheck shell=bash
# Sourced by run.sh: what is in an image, looked at from outside.
# shellcheck disable=SC2317,SC2154  # check() calls the functions; docker and scratch are run.sh's

unpack() {
    local id
    id=$(docker create "plankton/$1:dev") && mkdir -p "$scratch/$1" &&
        docker export "$id" >"$scratch/$1.tar" &&
        docker rm "$id" >/dev/null &&
        tar -C "$scratch/$1" -xf "$scratch/$1.tar" "$1" etc/passwd etc/group
}

# Docker adds places to mount things on to what it exports.
has_no_more_files() {
    local expected
    expected=$(printf '%s\n' etc/group etc/passwd etc/ssl/certs/ca-certificates.crt "$1" \
        usr/lib/ssl/cert.pem | sort)
    diff <(echo "$expected") <(tar -tf "$scratch/$1.tar" | sort |
        grep -vE '/$|^(\.dockerenv|dev/.*|etc/(hosts|hostname|resolv.conf|mtab))$')
}

has_one_user() {
    [ "$(wc -l <"$scratch/$1/etc/passwd")" = 1 ] && [ "$(wc -l <"$scratch/$1/etc/group")" = 1 ] &&
        grep -q ':65532:65532:' "$scratch/$1/etc/passwd"
}

is_static() {
    readelf -lW "$scratch/$1/$1" >"$scratch/segments" || return 1
    cat "$scratch/segments"
    ! grep -qE '^ *(INTERP|DYNAMIC) ' "$scratch/segments" &&
        grep -q 'no dynamic section' <<<"$(readelf -dW "$scratch/$1/$1")"
}

# Full RELRO needs a dynamic section; what there is to protect without one is protected.
is_hardened() {
    readelf -lW "$scratch/$1/$1" >"$scratch/segments" || return 1
    cat "$scratch/segments"
    grep -qE '^ *GNU_RELRO ' "$scratch/segments" &&
        grep -qE '^ *GNU_STACK .* RW ' "$scratch/segments" &&
        ! grep -qE '^ *LOAD .* RWE ' "$scratch/segments"
}

# is_small SERVICE UNCOMPRESSED_MB COMPRESSED_MB
is_small() {
    local size compressed
    size=$(docker image inspect -f '{{.Size}}' "plankton/$1:dev")
    compressed=$(docker save "plankton/$1:dev" | gzip | wc -c)
    echo "$size bytes, compressed $compressed"
    [ "$size" -le $(($2 * 1000000)) ] && [ "$compressed" -le $(($3 * 1000000)) ]
}

label() {
    docker image inspect "plankton/$1:dev" \
        -f "{{index .Config.Labels \"org.opencontainers.image.$2\"}}"
}

has_labels() {
    local name
    for name in version revision source licenses title description; do
        echo "$name: $(label "$1" $name)"
        [ -n "$(label "$1" $name)" ] || return 1
    done
    [ "$(label "$1" version)" = "$VERSION" ] && [ "$(label "$1" licenses)" = MIT ]
}

# is_declared SERVICE: what the image says of how it is run.
is_declared() {
    local said
    said=$(docker image inspect "plankton/$1:dev" -f '{{with .Config}}
        {{- .User}} {{.ExposedPorts}} {{.Entrypoint}} {{.Healthcheck.Test}}{{end}}')
    echo "$said"
    [ "$said" = "65532:65532 map[8080/tcp:{} 9090/tcp:{}] [/$1] [CMD /$1 healthcheck]" ]
}

has_no_shell() { ! docker run --rm --entrypoint /bin/sh "plankton/$1:dev" -c true; }

# test_files SERVICE UNCOMPRESSED_MB COMPRESSED_MB
test_files() {
    check "$1: the image is there" unpack "$1" || return
    check "$1: one program and what it needs, nothing else" has_no_more_files "$1"
    check "$1: one user" has_one_user "$1"
    check "$1: no interpreter, no dynamic section" is_static "$1"
    check "$1: nothing to write and to execute" is_hardened "$1"
    check "$1: at most $2 MB, compressed $3 MB" is_small "$@"
    check "$1: labels" has_labels "$1"
    check "$1: user, ports, program, health check" is_declared "$1"
    check "$1: no shell" has_no_shell "$1"
}
