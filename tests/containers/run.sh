#!/usr/bin/env bash
# The chart's rendered manifests, run as containers: ./dev test containers [FILTER] (as pytest's -k).
#
# Builds the images, unless PLANKTON_TAG names a tag of plankton/{gateway,auth,users} that is there
# already. Everything talks inside a Docker network of its own, and through one port on 127.0.0.1.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
# shellcheck source=docker/daemon.sh
. docker/daemon.sh
# shellcheck source=tests/chart/modules.sh
. tests/chart/modules.sh

CONTAINERS_LABEL=plankton-containers-$$
CONTAINERS_DIRECTORY=
clean_up() {
    local left
    mapfile -t left < <(docker ps -aq --filter "label=$CONTAINERS_LABEL")
    [ ${#left[@]} -eq 0 ] || docker rm -fv "${left[@]}" >/dev/null || true
    docker network rm "$CONTAINERS_LABEL" >/dev/null 2>&1 || true
    [ -z "$CONTAINERS_DIRECTORY" ] || "${as_root[@]}" rm -rf "$CONTAINERS_DIRECTORY" || true
    stop_daemon
}

start_daemon
trap clean_up EXIT
[ -n "${PLANKTON_TAG:-}" ] || docker/image.sh
for image in nats:2.10 postgres:17; do
    docker image inspect $image >/dev/null 2>&1 ||
        timeout 120 "${docker[@]}" pull -q $image ||
        docker/image.sh stand-ins
done
CONTAINERS_DIRECTORY=$(mktemp -d /tmp/plankton-containers-XXXXXX)
chmod 755 "$CONTAINERS_DIRECTORY"

say "Testing the containers"
# As root: it works in the network namespaces of the containers. The order is from quiet to rough.
"${as_root[@]}" env HELM="$HELM" PLANKTON_TAG="${PLANKTON_TAG:-}" PYTHONDONTWRITEBYTECODE=1 \
    CONTAINERS_LABEL="$CONTAINERS_LABEL" CONTAINERS_DIRECTORY="$CONTAINERS_DIRECTORY" \
    /usr/bin/python3 -m pytest -q -p no:cacheprovider ${1:+-k "$1"} \
    tests/containers/test_{manifests,pods,suites,memory,stop,faults}.py
