# shellcheck shell=bash
# Sourced by run.sh: what happens while clients ask.
# shellcheck disable=SC2317,SC2154  # check() calls the functions; scratch is run.sh's

# start_load COUNT [--recovers]: at least COUNT requests on kept-alive and as many on new connections.
start_load() {
    PLANKTON_TOKEN=$(token) || return 1
    export PLANKTON_TOKEN
    /usr/bin/python3 tests/cluster/load.py "$gateway" "$@" >"$scratch/load" &
    load_pid=$!
}

end_load() {
    kill -TERM "$load_pid"
    wait "$load_pid"
    local status=$?
    cat "$scratch/load"
    return $status
}

# under_load COUNT [--recovers] COMMAND...: no request may fail meanwhile; with --recovers some may, as
# long as none does afterwards.
under_load() {
    local status=0 arguments=("$1")
    shift
    [ "$1" != --recovers ] || { arguments+=("$1") && shift; }
    start_load "${arguments[@]}" || return 1
    "$@" >"$scratch/seen" 2>&1 || status=1
    [ $status = 0 ] || cat "$scratch/seen"
    end_load || status=1
    return $status
}
