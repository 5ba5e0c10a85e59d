#!/usr/bin/env bash
# The chart in a real cluster: any whose kubeconfig is the current one. Prints `N passed, N failed`.
#
#     tests/cluster/run.sh
#
# Installs the release `plankton` into a namespace of that name, which must not be there yet, and
# removes both at the end. The images of this version and of NATS and PostgreSQL must be in Docker
# (./dev image, ./dev image stand-ins) and are loaded by `kind load docker-image`; with
# PLANKTON_IMAGES_LOADED=1 the nodes have them already. Load goes to a NodePort of the first node:
# PLANKTON_NODE (127.0.0.1), its host. Needs kubectl, helm, curl, python3 and pytest.
# shellcheck disable=SC2317  # the cases are called through check()
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/repo/report.sh
. tests/repo/report.sh

VERSION=$(sed -n 's/^project(plankton VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
readonly VERSION NS=plankton NODE=${PLANKTON_NODE:-127.0.0.1} READY_S=30 REQUESTS=20000
scratch=$(mktemp -d)
made=

say() { printf '\n==> %s\n' "$*"; }

kube() { kubectl -n "$NS" "$@"; }

# check NAME COMMAND...: what it prints, and what the pods say, is shown when it fails.
check() {
    local name=$1 seen began=$SECONDS
    shift
    if seen=$("$@" 2>&1); then
        pass
        printf 'ok    %s (%d s)%s\n' "$name" $((SECONDS - began)) "${seen:+: $(tail -n 1 <<<"$seen")}"
    else
        fail "$name" "$seen"
        kube get pods 2>&1
        kube get events --sort-by=.lastTimestamp 2>&1 | tail -n 30
    fi
}

clean_up() {
    [ -z "$made" ] || {
        helm uninstall plankton -n "$NS" --wait --timeout 90s >/dev/null 2>&1
        kubectl delete namespace "$NS" --timeout=120s >/dev/null 2>&1
    }
    rm -rf "$scratch"
}
trap clean_up EXIT

# --- the release ------------------------------------------------------------------------------------

load_images() {
    [ -n "${PLANKTON_IMAGES_LOADED-}" ] || kind load docker-image nats:2.10 postgres:17 \
        plankton/gateway:"$VERSION" plankton/auth:"$VERSION" plankton/users:"$VERSION"
}

release() { # install or upgrade, and further values
    helm "$1" plankton charts/plankton -n "$NS" --set gateway.service.type=NodePort "${@:2}" \
        --wait --timeout 120s
}

make_namespace() {
    kubectl create namespace "$NS" && made=yes &&
        kubectl label namespace "$NS" pod-security.kubernetes.io/enforce=restricted
}

install_within() {
    local began=$SECONDS
    release install || return 1
    echo "ready after $((SECONDS - began)) s"
    [ $((SECONDS - began)) -le $READY_S ]
}

find_gateway() {
    gateway=$NODE:$(kube get service plankton-gateway -o jsonpath='{.spec.ports[0].nodePort}')
}

helm_test() { helm test plankton -n "$NS" --timeout 60s; }

# --- what clients see -------------------------------------------------------------------------------

secret() { kube get secret plankton-bootstrap-admin -o jsonpath="{.data.$1}" | base64 -d; }

system_suites() {
    PLANKTON_GATEWAY=$gateway PLANKTON_ADMIN_EMAIL=$(secret email) \
        PLANKTON_ADMIN_PASSWORD=$(secret password) PYTHONDONTWRITEBYTECODE=1 \
        timeout 300 /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/system
}

post() { # path, body
    curl -fsS "http://$gateway/api/v1/$1" -H 'Content-Type: application/json' -d "$2"
}

readonly ANN='"email":"ann@example.com","password":"correct horse battery"'
registers() { post auth/register "{$ANN,\"name\":\"Ann\"}"; }
logs_in() { post auth/login "{$ANN}" | grep -o '"token_type":"Bearer"'; }

# --- who reaches whom -------------------------------------------------------------------------------

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
}

reaches() { ask "$1" | tee /dev/stderr | grep -qx 'exit status 0'; }

# Not that it is refused there: nothing comes back at all.
does_not_reach() {
    local seen
    seen=$(ask "$1")
    echo "$seen"
    [[ $seen == *upstream_timeout*"exit status 1" ]]
}

# --- changes under load -----------------------------------------------------------------------------

# under_load COMMAND...: no request may fail meanwhile, of at least REQUESTS on kept-alive and as many on new
# connections.
under_load() {
    local loader status=0
    /usr/bin/python3 tests/cluster/load.py "$gateway" $REQUESTS >"$scratch/load" &
    loader=$!
    "$@" >"$scratch/seen" 2>&1 || { status=1 && cat "$scratch/seen"; }
    kill -TERM $loader
    wait $loader || status=1
    cat "$scratch/load"
    return $status
}

secrets() {
    kube get secrets -l app.kubernetes.io/instance=plankton \
        -o jsonpath='{range .items[*]}{.metadata.name}{.data}{"\n"}{end}' | sort
}

# Without the route to the keys. The kubelet brings files up to date within a minute or so.
change_routes() {
    local routes
    routes=$(helm get values plankton -n "$NS" --all -o json | /usr/bin/python3 -c 'import json, sys
routes = json.load(sys.stdin)["gateway"]["routes"]
print(json.dumps([route for route in routes if route["path"] != "/.well-known"]))') || return 1
    release upgrade --reuse-values --set-json "gateway.routes=$routes" || return 1
    for _ in $(seq 120); do
        [ "$(curl -so /dev/null -w '%{http_code}' "http://$gateway/.well-known/jwks.json")" != 404 ] ||
            return 0
        sleep 1
    done
    echo "the route is still there"
    return 1
}

# Goes up with whatever replaces pods; those of a revision before may still be draining.
revision() {
    kube get deployment plankton-gateway \
        -o jsonpath='{.metadata.annotations.deployment\.kubernetes\.io/revision}'
}

reinstall() {
    helm uninstall plankton -n "$NS" --wait --timeout 90s && release install
}

leftovers() {
    helm uninstall plankton -n "$NS" --wait --timeout 90s >/dev/null || return 1
    # Their lame duck and drain take their time.
    kube wait --for=delete pod -l app.kubernetes.io/instance=plankton --timeout=90s >/dev/null
    local left
    left=$(kube get all,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets \
        -l app.kubernetes.io/instance=plankton -o name)
    echo "$left"
    [ -z "$left" ]
}

# --- the run ----------------------------------------------------------------------------------------

say "Loading images"
load_images || exit 1
say "Installing"
make_namespace || exit 1
check "install with the defaults, ready within $READY_S s" install_within
find_gateway
check "helm test" helm_test
check "the whole-system suites through the gateway" system_suites
check "a person registers" registers

say "Who reaches whom"
check "a stray pod reaches the gateway" reaches http://plankton-gateway/.well-known/jwks.json
for target in users:8080 auth:8080 users-admin:9090 gateway-admin:9090 nats:4222 postgresql:5432; do
    check "a stray pod does not reach $target" does_not_reach "http://plankton-$target/"
done

say "Changes under load"
before=$(secrets)
check "new settings, by a rolling update" under_load release upgrade --reuse-values \
    --set config.LOG_LEVEL=warn
check "back again" under_load helm rollback plankton -n "$NS" --wait --timeout 120s
same_secrets() { [ -n "$before" ] && [ "$before" = "$(secrets)" ]; }
check "made-up secrets are the same" same_secrets
revision_before=$(revision)
check "a route less" change_routes
same_pods() { [ "$revision_before" = "$(revision)" ]; }
check "no pod was replaced for it" same_pods

say "Uninstalling"
check "uninstall and install" reinstall
find_gateway
check "secrets are the same" same_secrets
check "the person signs in" logs_in
check "nothing stays but volumes and secrets" leftovers
report
