#!/usr/bin/env bash
# ./dev image [users|auth|gateway|stand-ins|toolchain]...: builds the images, the three services' without
# an argument, as plankton/SERVICE:VERSION and plankton/SERVICE:dev, and prints their sizes.
#
# The base of the build comes from a registry. Where none can be reached it is made here, of
# Debian's packages, from where this machine has its own from. A Docker daemon is started where
# none runs, and stopped again in the end.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

# shellcheck source=docker/daemon.sh
. docker/daemon.sh

readonly BASE=debian:trixie-slim
readonly SERVICES=(users auth gateway)

version() { sed -n 's/^project(plankton VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt; }

# --- the base of the build ------------------------------------------------------------------------

# The sources of apt for trixie, after those of this machine: the same hosts, by whatever way.
trixie_sources() {
    # shellcheck disable=SC2016  # the names are apt's
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(ORIGIN)' 'Created-By: Packages' |
        awk '$3 == "Debian" && !seen[$1]++ {
                 if ($2 ~ /-security/) print "deb", $1, "trixie-security main"
                 else if (!main++) printf "deb %s trixie main\ndeb %s trixie-updates main\n", $1, $1
             }'
}

make_base() {
    local root sources mirror proxy=
    for command in debootstrap apt-get; do
        command -v $command >/dev/null ||
            die "$BASE cannot be pulled, and is not made here without $command (a Debian system)"
    done
    sources=$(trixie_sources)
    mirror=$(awk '$3 == "trixie" {print $2}' <<<"$sources")
    [ -n "$mirror" ] || die "$BASE cannot be pulled, and apt has no Debian archive to make it from"
    say "Making $BASE of Debian's packages, once"
    root=$(mktemp -d)/trixie
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    "${as_root[@]}" env http_proxy="${http_proxy:-$proxy}" debootstrap --variant=minbase \
        --include=ca-certificates trixie "$root" "$mirror" |
        sed -u -n -E '/Validating/!s/^(.{1,96}).*/    \1/p' ||
        die "debootstrap failed; see above"
    "${as_root[@]}" tee "$root/etc/apt/sources.list" <<<"$sources" >/dev/null
    apt-config dump | grep -E '^Acquire::((http|https)::|Check-|Force|Retries)' |
        "${as_root[@]}" tee "$root/etc/apt/apt.conf.d/50machine" >/dev/null
    "${as_root[@]}" rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    "${as_root[@]}" tar -C "$root" -c . | docker import - $BASE >/dev/null
    "${as_root[@]}" rm -rf --one-file-system "${root%/trixie}"
}

need_base() {
    docker image inspect $BASE >/dev/null 2>&1 && return
    say "Pulling $BASE"
    timeout 120 "${docker[@]}" pull -q $BASE || make_base
}

# --- the images -----------------------------------------------------------------------------------

revision() {
    local dirty=
    git rev-parse --verify -q HEAD >/dev/null 2>&1 || { echo unknown && return; }
    git diff --quiet HEAD -- || dirty=-dirty
    echo "$(git rev-parse HEAD)$dirty"
}

# Where the source is, if git knows: without credentials, and no path of this machine.
source_url() {
    local url
    url=$(git remote get-url origin 2>/dev/null || true)
    case $url in
    https://*@*) echo "https://${url#*@}" ;;
    https://*) echo "$url" ;;
    *) echo unknown ;;
    esac
}

# build TARGET DOCKERFILE CONTEXT TAG...: what the build prints is shown a line at a time.
build() {
    local target=$1 file=$2 context=$3 tag arguments=() variable
    shift 3
    for tag in "$@"; do arguments+=(-t "$tag"); done
    for variable in http_proxy https_proxy no_proxy; do
        [ -z "${!variable:-}" ] || arguments+=(--build-arg "$variable=${!variable}")
    done
    mkdir -p var/log
    say "Building $1"
    docker build --network host --target "$target" -f "$file" "${arguments[@]}" \
        --build-arg VERSION="$(version)" --build-arg REVISION="$(revision)" \
        --build-arg SOURCE="$(source_url)" "$context" 2>&1 | tee "var/log/image-$target.log" |
        sed -u -n -E '/^(Step.*(FROM|RUN|COPY) |#[0-9]+ \[)/s/^(.{1,96}).*/    \1/p' || {
        tail -n 30 "var/log/image-$target.log" >&2
        die "the build failed; the whole log is in var/log/image-$target.log"
    }
}

print_size() {
    printf '    %-24s %5.2f MB, compressed %5.2f MB\n' "$1" \
        "$(docker image inspect -f '{{.Size}}' "$1" | awk '{print $1 / 1e6}')" \
        "$(docker save "$1" | gzip | wc -c | awk '{print $1 / 1e6}')"
}

build_stand_ins() {
    build nats docker/stand-ins/Dockerfile docker/stand-ins nats:2.10
    build postgres docker/stand-ins/Dockerfile docker/stand-ins postgres:17
}

# What docker/tilt/compile.sh compiles in, and what the Tiltfile puts its programs on.
build_toolchain() {
    build compiler docker/Dockerfile . plankton/compiler:dev
    build base docker/Dockerfile . plankton/base:dev
}

[ $# -gt 0 ] || set -- "${SERVICES[@]}"
for name in "$@"; do
    [[ " ${SERVICES[*]} stand-ins toolchain " == *" $name "* ]] ||
        die "image: '$name' is none of ${SERVICES[*]} stand-ins toolchain"
done
start_daemon
need_base
for name in "$@"; do
    case $name in
    stand-ins) build_stand_ins ;;
    toolchain) build_toolchain ;;
    *) build "$name" docker/Dockerfile . "plankton/$name:dev" "plankton/$name:$(version)" ;;
    esac
done
say "Built"
for name in "$@"; do
    [[ " ${SERVICES[*]} " != *" $name "* ]] || print_size "plankton/$name:dev"
done
