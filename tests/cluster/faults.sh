# shellcheck shell=bash
# Sourced by run.sh: every pod deleted, every process killed, while clients ask.
# shellcheck disable=SC2317,SC2154  # check() calls the functions; scratch is run.sh's

readonly SOME=1000 # requests of each kind at least

pods_of() { kube get pods -l "app.kubernetes.io/component=$1" -o name; }

# Until another one is there and ready. None of the three services may lose a request by that.
delete_pod() { # pod, component
    kube delete "$1" --wait --timeout=90s && await 30 has_as_many_as_wanted "$2" &&
        is_ready "$2" 60 && works
}

has_as_many_as_wanted() { # component: pods, those that are on their way out not counted
    local wanted there
    wanted=$(kube get deployment,statefulset -l "app.kubernetes.io/component=$1" \
        -o jsonpath='{.items[0].spec.replicas}')
    there=$(kube get pods -l "app.kubernetes.io/component=$1" \
        -o jsonpath='{range .items[*]}{.metadata.deletionTimestamp}{"\n"}{end}' | grep -c '^$')
    [ "$there" -eq "$wanted" ]
}

# --- killing ----------------------------------------------------------------------------------------

# From inside its own pod nobody can kill process 1: a pod that sees the processes of its node does.
make_killer() {
    make_namespace plankton-killer privileged &&
        kubectl apply -n plankton-killer -f - <<'YAML' &&
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: killer}
spec:
  selector: {matchLabels: {app: killer}}
  template:
    metadata: {labels: {app: killer}}
    spec:
      hostPID: true
      automountServiceAccountToken: false
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 0
      containers:
        - name: killer
          image: postgres:17
          command: [sleep, infinity]
          securityContext: {runAsUser: 0, privileged: true}
YAML
        kubectl rollout status -n plankton-killer daemonset/killer --timeout=60s
}

container_of() { kube get "$1" -o jsonpath='{.status.containerStatuses[0].containerID}'; }
restarts_of() { kube get "$1" -o jsonpath='{.status.containerStatuses[0].restartCount}'; }

# kill_container POD: SIGKILL to the first process of its container, as an OOM kill would.
kill_container() {
    local id node killer
    id=$(container_of "$1")
    node=$(kube get "$1" -o jsonpath='{.spec.nodeName}')
    killer=$(kubectl get pods -n plankton-killer -o name --field-selector "spec.nodeName=$node")
    [ -n "$id" ] && [ -n "$killer" ] || return 1
    # shellcheck disable=SC2016  # the other shell's
    kubectl exec -n plankton-killer "$killer" -- bash -c '
        first=
        for dir in /proc/[0-9]*; do
            grep -q "$1" "$dir/cgroup" 2>/dev/null || continue
            pid=${dir#/proc/}
            [ -n "$first" ] && [ "$first" -lt "$pid" ] || first=$pid
        done
        [ -n "$first" ] && kill -KILL "$first" && echo "killed $first"' - "${id##*/}"
}

has_restarted() { [ "$(restarts_of "$1")" -gt "$2" ]; }

kill_pod() { # pod, component
    local before
    before=$(restarts_of "$1")
    kill_container "$1" && await 60 has_restarted "$1" "$before" && is_ready "$2" 90 && works
}

# ----------------------------------------------------------------------------------------------------

test_faults() {
    say "Pods deleted under load"
    local component pod way
    for component in gateway auth users nats postgresql; do
        way=()
        # Reads need no NATS; who is signed in is in users' database.
        [ $component != postgresql ] || way=(--recovers)
        for pod in $(pods_of $component); do
            check "$component: ${pod#pod/} deleted" \
                under_load $SOME "${way[@]}" delete_pod "$pod" $component
        done
    done
    say "Processes killed under load"
    check "a pod that may kill" make_killer
    for component in gateway auth users nats postgresql; do
        for pod in $(pods_of $component); do
            check "$component: ${pod#pod/} killed" \
                under_load $SOME --recovers kill_pod "$pod" $component
        done
    done
    kubectl delete namespace plankton-killer --wait=false >/dev/null
}
