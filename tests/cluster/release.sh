# shellcheck shell=bash
# Sourced by run.sh: the release, what clients see of it, and how it is changed.
# shellcheck disable=SC2317,SC2154  # check() calls the functions; scratch is run.sh's

readonly SERVICES=(gateway auth users)

# Of another content, so that their ids differ: an upgrade to them replaces what runs.
make_next_images() {
    [ -z "${PLANKTON_IMAGES_LOADED-}" ] || return 0
    local service
    for service in "${SERVICES[@]}"; do
        printf 'FROM plankton/%s:%s\nLABEL next=yes\n' "$service" "$VERSION" |
            docker build -q -t "plankton/$service:$VERSION-next" - >/dev/null || return 1
    done
}

load_images() {
    [ -z "${PLANKTON_IMAGES_LOADED-}" ] || return 0
    local images=(nats:2.10 postgres:17) service cluster
    for service in "${SERVICES[@]}"; do
        images+=("plankton/$service:$VERSION" "plankton/$service:$VERSION-next")
    done
    cluster=$(kubectl config current-context)
    kind load docker-image --name "${cluster#kind-}" "${images[@]}"
}

make_namespace() { # name, Pod Security Standard
    kubectl create namespace "$1" && echo "$1" >>"$scratch/namespaces" &&
        kubectl label namespace "$1" "pod-security.kubernetes.io/enforce=$2"
}

release() { # install or upgrade, and further values
    helm "$1" plankton charts/plankton -n "$NS" --set gateway.service.type=NodePort \
        ${PLANKTON_NODE_PORT:+--set "gateway.service.nodePort=$PLANKTON_NODE_PORT"} "${@:2}" \
        --wait --timeout 120s >/dev/null
}

install_within() {
    local began=$SECONDS
    release install || return 1
    echo "ready after $((SECONDS - began)) s"
    [ $((SECONDS - began)) -le "$READY_S" ]
}

# Of the pods as well: their volumes and names are free again when it returns.
uninstall() { helm uninstall plankton -n "$NS" --cascade foreground --wait --timeout 120s; }

find_gateway() {
    gateway=$NODE:$(kube get service plankton-gateway -o jsonpath='{.spec.ports[0].nodePort}')
}

helm_test() { helm test plankton -n "$NS" --timeout 60s | grep -c '^Phase: *Succeeded'; }

is_ready() { # component, seconds
    kube wait --for=condition=Ready pod -l "app.kubernetes.io/component=$1" --timeout="$2s"
}

# --- what clients see -------------------------------------------------------------------------------

secret() { kube get secret plankton-bootstrap-admin -o jsonpath="{.data.$1}" | base64 -d; }

system_suites() { # host:port
    PLANKTON_GATEWAY=$1 PLANKTON_ADMIN_EMAIL=$(secret email) \
        PLANKTON_ADMIN_PASSWORD=$(secret password) PYTHONDONTWRITEBYTECODE=1 \
        timeout 300 /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/system
}

post() { # path, body
    curl -sS --fail-with-body -m 20 "http://$gateway/api/v1/$1" \
        -H 'Content-Type: application/json' -d "$2"
}

readonly ANN='"email":"ann@example.com","password":"correct horse battery"'
registers() { post auth/register "{$ANN,\"name\":\"Ann\"}" | grep -o '"status":"active"'; }
token() { post auth/login "{$ANN}" | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p' | grep .; }
logs_in() { token >/dev/null && echo "signed in"; }

# Whom nobody was before: the whole way through users, auth, NATS and PostgreSQL.
registers_anew() {
    post auth/register "{\"email\":\"p$RANDOM$RANDOM@example.com\",\"name\":\"P\",
        \"password\":\"correct horse battery\"}"
}

works() { await 30 logs_in && await 30 registers_anew; }

# --- suites -----------------------------------------------------------------------------------------

forward() { # prints the address once it listens; ends with the shell
    kubectl -n "$NS" port-forward service/plankton-gateway :80 >"$scratch/forward" 2>&1 &
    forward_pid=$!
    await 10 grep -q 'Forwarding from 127' "$scratch/forward" || return 1
    forwarded=$(sed -n 's/^Forwarding from \(127.0.0.1:[0-9]*\).*/\1/p' "$scratch/forward")
}

suites_inside() {
    forward && system_suites "$forwarded"
    local status=$?
    kill "$forward_pid"
    return $status
}

test_suites() {
    say "The whole-system suites"
    check "through kubectl port-forward" suites_inside
}

# --- upgrades ---------------------------------------------------------------------------------------

secrets() {
    kube get secrets -l app.kubernetes.io/instance=plankton \
        -o jsonpath='{range .items[*]}{.metadata.name}{.data}{"\n"}{end}' | sort
}

same_secrets() { [ -n "$secrets_before" ] && [ "$secrets_before" = "$(secrets)" ]; }

routes() { # a Python expression of `routes`
    helm get values plankton -n "$NS" --all -o json | /usr/bin/python3 -c 'import json, sys
routes = json.load(sys.stdin)["gateway"]["routes"]
print(json.dumps('"$1"'))'
}

# Another image, another route, another setting, all at once.
upgrade() {
    local changed
    changed=$(routes 'routes + [{"path": "/directory", "upstream": "users", "methods": ["GET"]}]') || return 1
    release upgrade --reuse-values --set-json "gateway.routes=$changed" \
        --set "config.LOG_LEVEL=warn,gateway.image.tag=$VERSION-next" \
        --set "auth.image.tag=$VERSION-next,users.image.tag=$VERSION-next"
}

roll_back() { helm rollback plankton -n "$NS" --wait --timeout 120s; }

image_of() { kube get deployment "plankton-$1" -o jsonpath='{..containers[0].image}'; }

is_next() { # the suffix of the tag
    local service
    for service in "${SERVICES[@]}"; do
        [ "$(image_of "$service")" = "plankton/$service:$VERSION$1" ] || return 1
    done
}

status_of() { # path, further arguments of curl
    curl -so /dev/null -m 10 -w '%{http_code}' "http://$gateway$1" "${@:2}"
}

# By a method that the further route does not take: there is no such route, or there is.
is_routed() { [ "$(status_of /directory -d '')" = 405 ]; }
is_not_routed() { ! is_routed; }

# Without the route to the keys. The kubelet brings files up to date within a minute or so.
change_routes() {
    local changed began=$SECONDS
    changed=$(routes '[route for route in routes if route["path"] != "/.well-known"]') || return 1
    release upgrade --reuse-values --set-json "gateway.routes=$changed" >/dev/null || return 1
    await 120 keys_answer 404 || return 1
    echo "in force after $((SECONDS - began)) s"
}

# At each gateway: connections are spread over them at random.
keys_answer() {
    local status i
    for i in $(seq 20); do
        status=$(status_of /.well-known/jwks.json)
        [ "$status" = "$1" ] || { echo "$status at the ${i}th time" && return 1; }
    done
}

# Goes up with whatever replaces pods; those of a revision before may still be draining.
revision() {
    kube get deployment plankton-gateway \
        -o jsonpath='{.metadata.annotations.deployment\.kubernetes\.io/revision}'
}

same_pods() { [ "$revision_before" = "$(revision)" ]; }

test_upgrade() {
    say "Changes under load"
    secrets_before=$(secrets)
    check "helm upgrade: new images, a route more, new settings" under_load "$REQUESTS" upgrade
    check "the new images run" is_next -next
    check "the route is there" await 120 is_routed
    check "helm rollback" under_load "$REQUESTS" roll_back
    check "the old images run" is_next ''
    check "the route is gone" await 120 is_not_routed
    check "made-up secrets are the same" same_secrets
    revision_before=$(revision)
    check "a route less" change_routes
    check "no pod was replaced for it" same_pods
    check "back again" roll_back
    check "the route is back" await 120 keys_answer 200
}

# --- data -------------------------------------------------------------------------------------------

reinstall() { uninstall && release install; }

# Nothing but the volumes and the secrets, and these all.
leftovers() {
    uninstall >/dev/null || return 1
    local left
    left=$(kube get all,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets,secrets,pvc \
        -l app.kubernetes.io/instance=plankton -o name | sort)
    diff <(printf '%s\n' persistentvolumeclaim/data-plankton-{nats,postgresql}-0 \
        secret/plankton-{auth,bootstrap-admin,database,nats}) <(echo "$left") &&
        echo "2 volumes, 4 secrets"
}

test_data() {
    say "Uninstalling"
    secrets_before=$(secrets)
    check "uninstall and install" reinstall
    find_gateway
    check "secrets are the same" same_secrets
    check "the person signs in" logs_in
    check "nothing stays but volumes and secrets" leftovers
}
