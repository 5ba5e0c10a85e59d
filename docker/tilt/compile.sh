#!/usr/bin/env bash
# docker/tilt/compile.sh SERVICE: compiles that service, and what it needs of libs/, as its image has
# it but for link-time optimisation, and puts it into build/tilt/SERVICE unless the same program is
# there already. Run by the Tiltfile.
#
# Whatever this machine is, it happens in a container of docker/Dockerfile's stage `compiler`
# (toolchain.sh). The build directory is a volume that stays, so only what has changed is compiled.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
# shellcheck source=docker/daemon.sh
. docker/daemon.sh

service=${1:?usage: compile.sh SERVICE}
readonly LABEL=plankton.checkout=$PWD KEPT=/plankton/kept

# A volume for each checkout and compiler, which also holds where it is mounted.
need_volume() {
    local compiler old
    compiler=$(docker image inspect -f '{{.Id}}' plankton/compiler:dev) ||
        die "plankton/compiler:dev is missing: ./dev image toolchain"
    volume=plankton-tilt-$(cksum <<<"$PWD $compiler $KEPT" | cut -d' ' -f1)
    docker volume create --label "$LABEL" "$volume" >/dev/null # or it is there
    for old in $(docker volume ls -q --filter "label=$LABEL"); do
        [ "$old" = "$volume" ] || docker volume rm "$old" >/dev/null 2>&1 || true # or others have
    done
}

# Prints the program. Ninja wants a build directory to itself, hence the lock. A new one begins with
# what the compiler's image has; Docker's own copy to a new volume fails for two who begin at once.
# shellcheck disable=SC2016  # the variables are the container's
compile() {
    docker run --rm --network none -v "$PWD:$PWD:ro" -w "$PWD" -v "$volume:$KEPT" \
        plankton/compiler:dev flock $KEPT/lock sh -euc '
            if [ ! -e "$2" ]; then
                rm -rf "$2.new"
                cp -a /plankton/build/image "$2.new"
                mv "$2.new" "$2"
            fi
            [ "$2/build.ninja" -nt CMakePresets.json ] ||
                cmake --preset image -B "$2" -DPLANKTON_LTO=OFF >&2
            cmake --build "$2" --target "$1" >&2
            cat "$2/bin/$1"' sh "$service" $KEPT/image
}

# update NAME: build/tilt/SERVICE/NAME becomes what was written to $new, unless it is that already.
# Tilt builds the image anew as soon as anything in that folder changes.
update() {
    if cmp -s "$new" "build/tilt/$service/$1"; then
        rm "$new"
        return 1
    fi
    mv "$new" "build/tilt/$service/$1"
}

find_daemon || die "no Docker daemon answers"
need_volume
new=build/tilt/$service.new
mkdir -p "build/tilt/$service"
# Is in no image: it is there to have the image built anew when what it is built on has changed.
docker image inspect -f '{{.Id}}' plankton/base:dev >"$new"
update base || true
compile >"$new"
chmod +x "$new"
update "$service" || echo "$service is the program that it was before"
