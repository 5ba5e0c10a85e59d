#!/usr/bin/env bash
# The chart's rendered manifests, run as containers: ./dev test containers [FILTER]. FILTER is one of pytest's -k.
#
# Builds the images, unless PLANKTON_TAG names a tag of plankton/{gateway,auth,users} that is there already. Everything
# talks inside a Docker network of its own, and through one port on 127.0.0.1.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
# shellcheck source=docker/daemon.sh
. docker/daemon.sh
# shellcheck source=tests/chart/modules.sh
. tests/chart/modules.sh

start_daemon
trap stop_daemon EXIT
[ -n "${PLANKTON_TAG:-}" ] || docker/image.sh
for image in nats:2.10 postgres:17; do
    docker image inspect $image >/dev/null 2>&1 ||
        timeout 120 "${docker[@]}" pull -q $image ||
        docker/image.sh stand-ins
done
say "Testing the containers"
# As root: it works in the network namespaces of the containers. The order is from quiet to rough.
"${as_root[@]}" env HELM="$HELM" PLANKTON_TAG="${PLANKTON_TAG:-}" PYTHONDONTWRITEBYTECODE=1 \
    /usr/bin/python3 -m pytest -q -p no:cacheprovider ${1:+-k "$1"} \
    tests/containers/test_{manifests,pods,suites,stop,faults}.py
