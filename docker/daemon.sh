# shellcheck shell=bash
# Sourced: start_daemon sees to it that `docker` has a daemon behind it, for as long as the script
# runs where none was there before.

docker=(docker)
dockerd_pid=

docker() { command "${docker[@]}" "$@"; }

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
die() {
    printf 'dev: %s\n' "$*" >&2
    exit 1
}

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)

# The caller may be in no group that may talk to it.
find_daemon() {
    local command
    for command in docker "sudo -n docker"; do
        read -ra docker <<<"$command"
        ! docker version >/dev/null 2>&1 || return 0
    done
    return 1
}

start_daemon() {
    local waited
    ! find_daemon || return 0
    docker=("${as_root[@]}" docker)
    command -v dockerd >/dev/null ||
        die "no Docker daemon answers, and there is no dockerd to start: start the one of your Docker"
    say "Starting a Docker daemon for the time being (its log: var/log/dockerd.log)"
    mkdir -p var/log
    "${as_root[@]}" dockerd >var/log/dockerd.log 2>&1 &
    dockerd_pid=$!
    trap stop_daemon EXIT
    for ((waited = 0; waited < 300; waited++)); do
        docker version >/dev/null 2>&1 && return
        kill -0 $dockerd_pid 2>/dev/null || break
        sleep 0.1
    done
    grep -v level=info var/log/dockerd.log | tail -n 5 >&2
    die "dockerd does not run here (the lines above are the end of var/log/dockerd.log)"
}

stop_daemon() {
    [ -n "$dockerd_pid" ] || return 0
    say "Stopping the Docker daemon"
    "${as_root[@]}" kill "$dockerd_pid" 2>/dev/null || true
    wait "$dockerd_pid" || true
}
