# shellcheck shell=bash
# Sourced by run.sh: who reaches whom, asked by a pod that is none of the release, while the
# whole-system suites come in from outside.
# shellcheck disable=SC2317,SC2154  # check() calls the functions; scratch is run.sh's

# ask URL: the end of a stray pod that asks, and what it said.
ask() {
    local name
    name=stray-$(printf %s "$1" | tr -c 'a-z0-9' -)
    kube run "${name%-}" --restart=Never --image="plankton/gateway:$VERSION" \
        --image-pull-policy=IfNotPresent --overrides='{"spec":{"automountServiceAccountToken":false,
        "securityContext":{"runAsNonRoot":true,"seccompProfile":{"type":"RuntimeDefault"}},
        "containers":[{"name":"'"${name%-}"'","image":"plankton/gateway:'"$VERSION"'",
        "args":["healthcheck","'"$1"'"],"securityContext":{"allowPrivilegeEscalation":false,
        "capabilities":{"drop":["ALL"]}}}]}}' >/dev/null || return 1
    kube wait --for=jsonpath='{.status.containerStatuses[0].state.terminated}' --timeout=30s \
        "pod/${name%-}" >/dev/null
    kube logs "${name%-}"
    kube get "pod/${name%-}" \
        -o jsonpath='exit status {.status.containerStatuses[0].state.terminated.exitCode}'
    kube delete pod "${name%-}" --wait=false >/dev/null
}

reaches() {
    local seen
    seen=$(ask "$1")
    echo "$seen"
    [[ $seen == *"exit status 0" ]]
}

# Not that it is refused there: nothing comes back at all.
does_not_reach() {
    local seen
    seen=$(ask "$1")
    echo "$seen"
    [[ $seen == *upstream_timeout*"exit status 1" ]]
}

test_reach() {
    say "Who reaches whom"
    local target suites_pid
    system_suites "$gateway" >"$scratch/suites" 2>&1 &
    suites_pid=$!
    check "a stray pod reaches the gateway" reaches http://plankton-gateway/.well-known/jwks.json
    for target in users:8080 auth:8080 users-admin:9090 auth-admin:9090 gateway-admin:9090 \
        nats:4222 nats:8222 postgresql:5432; do
        check "a stray pod does not reach $target" does_not_reach "http://plankton-$target/"
    done
    # In a shell of check() nobody's child can be waited for: it is awaited here.
    wait $suites_pid
    local status=$?
    check "the whole-system suites from outside meanwhile" tell "$status" "$scratch/suites"
}

# tell STATUS FILE: what a command of before printed and returned.
tell() { cat "$2" && return "$1"; }
