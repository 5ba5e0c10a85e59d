#!/usr/bin/env bash
# docker/tilt/toolchain.sh CONTEXT: makes what compile.sh compiles in, for the architecture of the
# nodes that the cluster of that kubectl context has. Run by the Tiltfile.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
# shellcheck source=docker/daemon.sh
. docker/daemon.sh

find_daemon || die "no Docker daemon answers"
platform=${DOCKER_DEFAULT_PLATFORM:-linux/$(docker version -f '{{.Server.Arch}}')}
nodes=$(kubectl --context "$1" get nodes \
    -o jsonpath='{range .items[*]}{.status.nodeInfo.architecture}{"\n"}{end}' | sort -u)
[[ $'\n'$nodes$'\n' == *$'\n'"$(cut -d/ -f2 <<<"$platform")"$'\n'* ]] ||
    die "Docker here builds for $platform, but the nodes of $1 are ${nodes//$'\n'/, }: use a
Docker of their architecture (DOCKER_HOST), or, where it can emulate that,
DOCKER_DEFAULT_PLATFORM=linux/${nodes%%$'\n'*}"
docker/image.sh toolchain
# Changes when they do, for those who watch it.
mkdir -p build/tilt
docker image inspect -f '{{.Id}}' plankton/compiler:dev plankton/base:dev >build/tilt/toolchain.new
cmp -s build/tilt/toolchain{.new,} || mv build/tilt/toolchain{.new,}
