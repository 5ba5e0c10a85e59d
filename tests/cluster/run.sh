#!/usr/bin/env bash
# The chart in a real cluster: any whose kubeconfig is the current one. Prints `N passed, N failed`.
#
#     tests/cluster/run.sh [--record | PART...]
#
# Installs the release `plankton` into a namespace of that name, which must not be there yet (nor
# plankton-killer, plankton-stores and plankton-external), and removes them all at the end. The nodes
# that it drains of this release, one pod of each service at a time, are uncordoned again.
#
# The images of this version and of NATS and PostgreSQL must be in Docker (./dev image, ./dev image
# stand-ins) and are loaded by `kind load docker-image` into the kind cluster of the current context;
# with PLANKTON_IMAGES_LOADED=1 the nodes have them already, those of the upgrade too, which have the
# tag VERSION-next. Load goes to a NodePort of PLANKTON_NODE (127.0.0.1): PLANKTON_NODE_PORT, or one
# that Kubernetes chooses. Killing processes wants a privileged pod on each node, the autoscaler a
# metrics server.
#
# PART: suites, reach, faults, autoscale, upgrade, scale, documents, data, external; all of them without one.
# --record writes what was seen to docs/benchmarks.md, if nothing failed. Needs kubectl, helm, curl, openssl, python3
# and pytest.
# shellcheck disable=SC2317  # the cases are called through check()
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/repo/report.sh
. tests/repo/report.sh

VERSION=$(sed -n 's/^project(plankton VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
readonly VERSION NODE=${PLANKTON_NODE:-127.0.0.1} READY_S=30 REQUESTS=20000
readonly PARTS=(suites reach faults autoscale upgrade scale documents data external)
NS=plankton
scratch=$(mktemp -d)
: >"$scratch/namespaces"
: >"$scratch/cordoned"

say() { printf '\n==> %s\n' "$*"; }

kube() { kubectl -n "$NS" "$@"; }

# check NAME COMMAND...: what it prints, and what the pods say, is shown when it fails.
check() {
    local name=$1 seen began=$SECONDS
    shift
    if seen=$("$@" 2>&1); then
        pass
        printf 'ok    %s (%d s)%s\n' "$name" $((SECONDS - began)) "${seen:+: $(tail -n 1 <<<"$seen")}"
        printf '| %s | %d | %s |\n' "$name" $((SECONDS - began)) "$(tail -n 1 <<<"$seen")" \
            >>"$scratch/figures"
    else
        fail "$name" "$seen"
        kube get pods -o wide 2>&1
        kube get events --sort-by=.lastTimestamp 2>&1 | tail -n 30
        local pod
        for pod in $(kube get pods -l app.kubernetes.io/instance=plankton -o name); do
            printf -- '--- %s\n' "$pod"
            kube logs "$pod" --all-containers --tail=15 2>&1 | grep -v '"level":"info"'
        done
    fi
}

# await SECONDS COMMAND...: until it succeeds; shows its last words otherwise.
await() {
    local deadline=$((SECONDS + $1)) seen
    shift
    until seen=$("$@" 2>&1); do
        [ $SECONDS -lt $deadline ] || { echo "$seen" && return 1; }
        sleep 0.5
    done
}

# shellcheck source=tests/cluster/release.sh
. tests/cluster/release.sh
# shellcheck source=tests/cluster/load.sh
. tests/cluster/load.sh
# shellcheck source=tests/cluster/reach.sh
. tests/cluster/reach.sh
# shellcheck source=tests/cluster/faults.sh
. tests/cluster/faults.sh
# shellcheck source=tests/cluster/scale.sh
. tests/cluster/scale.sh
# shellcheck source=tests/cluster/documents.sh
. tests/cluster/documents.sh
# shellcheck source=tests/cluster/external.sh
. tests/cluster/external.sh

clean_up() {
    local node
    while read -r node; do kubectl uncordon "$node"; done <"$scratch/cordoned"
    while read -r NS; do
        helm uninstall plankton -n "$NS" --wait --timeout 90s
        kubectl delete namespace "$NS" --timeout=120s
    done <"$scratch/namespaces" >/dev/null 2>&1
    rm -rf "$scratch"
}
trap clean_up EXIT

record_figures() {
    {
        printf '%s\n' "Kubernetes $(kubectl version -o json | sed -n '/serverVersion/,$s/.*"gitVersion": "v\(.*\)".*/\1/p'), one case a line, with the seconds that it took and what it saw." '' \
            '| case | s | seen |' '|---|---|---|'
        cat "$scratch/figures"
    } | /usr/bin/python3 tests/bench/page.py cluster tests/cluster/run.sh
}

wants() { [ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]]; }

record=
wanted=()
for argument in "$@"; do
    if [ "$argument" = --record ]; then
        record=yes
    elif [[ " ${PARTS[*]} " == *" $argument "* ]]; then
        wanted+=("$argument")
    else
        echo "run.sh: '$argument' is neither --record nor one of: ${PARTS[*]}" >&2
        exit 2
    fi
done

[ -z "$record" ] || [ ${#wanted[@]} -eq 0 ] ||
    { echo "run.sh: --record is for a run of all parts" >&2 && exit 2; }

say "Loading images"
make_next_images && load_images || exit 1
say "Installing"
make_namespace "$NS" restricted || exit 1
check "install with the defaults, ready within $READY_S s" install_within
find_gateway
check "helm test" helm_test
check "a person registers" registers
for part in "${PARTS[@]}"; do
    ! wants "$part" || "test_$part"
done
[ -z "$record" ] || [ $failed -gt 0 ] || record_figures
report
