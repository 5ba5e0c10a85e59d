#!/usr/bin/env bash
# The images, run as a cluster runs them: as 65532, on a read-only root, without any capability,
# in 32 MB. Builds them and prints `N passed, N failed`: ./dev test image.
#
# Everything talks inside a Docker network of its own, and through one port on 127.0.0.1.
# shellcheck disable=SC2317  # the cases are called through check()
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/repo/report.sh
. tests/repo/report.sh
# shellcheck source=docker/daemon.sh
. docker/daemon.sh

VERSION=$(sed -n 's/^project(plankton VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
readonly VERSION
readonly NET=plankton-test-$$
scratch=$(mktemp -d)
# shellcheck source=tests/image/files.sh
. tests/image/files.sh
# shellcheck source=tests/image/containers.sh
. tests/image/containers.sh
# shellcheck source=tests/image/compose.sh
. tests/image/compose.sh

clean_up() {
    local left
    mapfile -t left < <(docker ps -aq --filter "label=$NET")
    [ ${#left[@]} -eq 0 ] || docker rm -f "${left[@]}" >/dev/null
    docker network rm "$NET" >/dev/null 2>&1
    docker volume rm "$NET-tls" "$NET-data" >/dev/null 2>&1
    rm -rf "$scratch"
    stop_daemon
}
trap clean_up EXIT

# check NAME COMMAND...: what it prints is shown when it fails.
check() {
    local name=$1 seen
    shift
    if seen=$("$@" 2>&1); then
        pass
    else
        fail "$name" "$seen"
    fi
}

start_daemon
docker/image.sh || exit 1
for image in nats:2.10 postgres:17; do
    docker image inspect $image >/dev/null 2>&1 ||
        timeout 120 "${docker[@]}" pull -q $image ||
        docker/image.sh stand-ins || exit 1
done
say "Testing the images"

test_files users 9 4
test_files auth 9 4
test_files gateway 7 3
test_containers
test_compose
report
