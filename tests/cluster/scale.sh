# shellcheck shell=bash
# Sourced by run.sh: more pods, none, and nodes that are drained.
# shellcheck disable=SC2317,SC2154  # check() calls the functions; scratch is run.sh's

pods_wanted() { kube get deployment "plankton-$1" -o jsonpath='{.spec.replicas}'; }
has_pods() { test "$(pods_wanted "$1")" "$2" "$3" && echo "$1: $(pods_wanted "$1") pods"; }

# --- the autoscaler ---------------------------------------------------------------------------------

autoscale() {
    release upgrade --reuse-values --set gateway.autoscaling.enabled=true \
        --set gateway.autoscaling.minReplicas=1,gateway.autoscaling.maxReplicas=3 \
        --set gateway.autoscaling.targetCPUUtilizationPercentage=30 --set-json \
        'gateway.autoscaling.behavior={"scaleDown":{"stabilizationWindowSeconds":10}}' &&
        await 120 has_pods gateway -eq 1 # nobody asks for anything
}

scales_out() {
    local began=$SECONDS
    await 150 has_pods gateway -ge 2 && is_ready gateway 60 && has_pods gateway -ge 2 &&
        echo "scaled out after $((SECONDS - began)) s"
}

scales_out_under_load() {
    local seen
    seen=$(under_load "$SOME" scales_out)
    local status=$?
    echo "$seen; $(cat "$scratch/seen")"
    return $status
}

scales_back() { await 180 has_pods gateway -eq 1 && has_pods gateway -eq 1; }

test_autoscale() {
    say "The autoscaler"
    kubectl get --raw /apis/metrics.k8s.io/v1beta1 >/dev/null || {
        echo "skipped: the cluster has no metrics server" && return
    }
    check "one gateway while nobody asks" autoscale
    check "more under load" scales_out_under_load
    check "one again afterwards" scales_back
    check "without it" release upgrade --reset-values
}

# --- nothing, and back ------------------------------------------------------------------------------

replicas() { # number: of each service, without waiting for what is not there
    release upgrade --reuse-values \
        --set "gateway.replicaCount=$1,auth.replicaCount=$1,users.replicaCount=$1"
}

no_pods() {
    local component pods
    for component in "${SERVICES[@]}"; do
        pods=$(pods_of "$component") && [ -z "$pods" ] || return 1
    done
}

to_zero() { replicas 0 && await 90 no_pods; }
back_again() { replicas 2 && works; }

# --- drains -----------------------------------------------------------------------------------------

# Of this release alone: the others on the node may have budgets of their own.
drain() {
    local node
    for node in $(kube get pods -l app.kubernetes.io/instance=plankton \
        -o jsonpath='{range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort -u); do
        echo "$node" >>"$scratch/cordoned"
        kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --timeout=120s \
            --pod-selector=app.kubernetes.io/instance=plankton || return 1
    done
}

uncordon() {
    local node component
    while read -r node; do kubectl uncordon "$node" || return 1; done <"$scratch/cordoned"
    : >"$scratch/cordoned"
    for component in postgresql nats "${SERVICES[@]}"; do
        await 60 is_ready "$component" 60 || return 1
    done
    works
}

test_scale() {
    say "Scaling and draining"
    check "to zero" to_zero
    check "back again" back_again
    check "to one" replicas 1
    check "a drain that nothing blocks" drain
    check "and everything comes back" uncordon
    check "to two" replicas 2
}
