#!/usr/bin/env bash
# The Tiltfile, with Tilt itself, in the cluster of the current kubeconfig. Prints `N passed, N
# failed`.
#
#     tests/tilt/run.sh
#
# `tilt ci` from nothing, then `tilt up`, under which files of a copy of this checkout change: what
# is compiled, built and rolled, and how long it takes. The namespace is one of its own, which must
# not be there yet; it and the copy are gone in the end. Needs tilt, helm, kubectl, docker, curl,
# pytest and the local ports of ./dev up. NATS and PostgreSQL are loaded by `kind load docker-image`
# (where no registry can be reached they are made by ./dev image stand-ins); with
# PLANKTON_IMAGES_LOADED=1 they are there.
# shellcheck disable=SC2317  # the cases are called through check()
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1
# shellcheck source=tests/repo/report.sh
. tests/repo/report.sh

export PLANKTON_NAMESPACE=plankton-tilt-test TILT_PORT=10399 DO_NOT_TRACK=1
readonly NS=$PLANKTON_NAMESPACE
scratch=$(mktemp -d)
copy=$scratch/plankton
made=

say() { printf '\n==> %s\n' "$*"; }
kube() { kubectl -n "$NS" "$@"; }

# check NAME COMMAND...: what it prints is shown when it fails, and the last line of it otherwise.
check() {
    local name=$1 seen began=$SECONDS
    shift
    if seen=$("$@" 2>&1); then
        pass
        printf 'ok    %s (%d s)%s\n' "$name" $((SECONDS - began)) \
            "${seen:+: $(tail -n 1 <<<"$seen")}"
    else
        fail "$name" "$seen"
    fi
}

# Not a child of this shell: it was started by a case.
stop_tilt() {
    local pid
    pid=$(cat "$scratch/tilt.pid" 2>/dev/null) || return 0
    kill -INT "$pid" 2>/dev/null && tail -f /dev/null --pid="$pid"
    rm "$scratch/tilt.pid"
}

# What follows would wait for what cannot come.
or_end() { [ $failed -eq 0 ] || { report; exit 1; }; }

clean_up() {
    stop_tilt
    [ -z "$made" ] ||
        kubectl delete namespace "$NS" --ignore-not-found --timeout=120s >/dev/null 2>&1
    docker volume ls -q --filter "label=plankton.checkout=$copy" | while read -r volume; do
        docker volume rm "$volume" >/dev/null
    done
    rm -rf "$scratch"
}
trap clean_up EXIT

# within SECONDS COMMAND...: asks until it is so.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.05
    done
}

need() {
    local command
    for command in tilt helm kubectl docker curl; do
        command -v $command >/dev/null || { echo "$command is not here" && return 1; }
    done
    ! kubectl get namespace "$NS" >/dev/null 2>&1 ||
        { echo "there is a namespace $NS" && return 1; }
}

copy_checkout() {
    mkdir "$copy"
    git ls-files -co --exclude-standard -z | tar -c --null -T - | tar -x -C "$copy"
}

# Neither to compile nor to load what the nodes cannot run.
refuses_another_architecture() {
    local other=arm64 seen
    [ "$(kubectl get nodes -o jsonpath='{.items[0].status.nodeInfo.architecture}')" != arm64 ] ||
        other=amd64
    seen=$(DOCKER_DEFAULT_PLATFORM=linux/$other \
        docker/tilt/toolchain.sh "$(kubectl config current-context)" 2>&1) && return 1
    head -n 1 <<<"$seen"
    [[ $seen == *"builds for linux/$other, but the nodes of "* ]]
}

# --- from nothing -----------------------------------------------------------------------------------

ci() {
    (cd "$copy" && tilt ci --web-mode=prod) >"$scratch/ci.log" 2>&1 || {
        tail -n 60 "$scratch/ci.log"
        return 1
    }
    echo "$(grep -c 'Building C object services' "$scratch/ci.log") files of services compiled"
}

# said RESOURCE PATTERN: a line of the log.
said() { grep -E "^ *$1 .*$2" "$scratch/ci.log"; }

restricted() {
    [ "$(kubectl get namespace "$NS" \
        -o jsonpath='{.metadata.labels.pod-security\.kubernetes\.io/enforce}')" = restricted ]
}

# --- a file is saved --------------------------------------------------------------------------------

start_tilt() {
    (cd "$copy" && exec tilt up --web-mode=prod --stream) >"$scratch/up.log" 2>&1 </dev/null &
    echo $! >"$scratch/tilt.pid"
    within 120 all_up || { tail -n 60 "$scratch/up.log" && return 1; }
}

all_up() {
    local name
    for name in toolchain compile-{users,auth,gateway} chart nats postgres users auth gateway; do
        [ "$(tilt get uiresource "$name" -o jsonpath='{.status.runtimeStatus}/{.status.updateStatus}' |
            sed 's/not_applicable/ok/')" = ok/ok ] || return 1
    done
}

# updates NAME: when it was updated last.
updates() { tilt get uiresource "$1" -o jsonpath='{.status.buildHistory[0].startTime}'; }

objects() { # kinds, what of each
    kube get "$1" -o jsonpath="{range .items[*]}{.metadata.name} $2{'\n'}{end}"
}

# Everything that an unrelated change must leave alone.
others() {
    local name
    for name in compile-auth compile-gateway auth gateway nats postgres chart; do
        echo "$name updated $(updates $name)"
    done
    objects pods '{.metadata.uid} {.spec.containers[0].image}' | grep -v ^plankton-users
    objects deployments,statefulsets '{.metadata.generation}' | grep -v ^plankton-users
}

readonly GATEWAY=http://127.0.0.1:8080/api/v1
readonly ADMIN='"email":"admin@example.com"'

sign_in() {
    token=$(curl -fsS $GATEWAY/auth/login -H 'Content-Type: application/json' \
        -d "{$ADMIN,\"password\":\"plankton-dev\"}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
    [ -n "$token" ]
}

# Through the gateway, what users has to say to an address that is taken.
answer() {
    curl -sS --max-time 5 $GATEWAY/users -H "Authorization: Bearer $token" \
        -H 'Content-Type: application/json' -d "{$ADMIN,\"name\":\"Another\"}"
}
answers() { grep -qF "$1" <<<"$(answer)"; }

readonly BEFORE='another user has this email address' AFTER='somebody else has this email address'

# save OLD NEW: one line of users, and the time until it is served.
save() {
    local began
    answers "$1" || { echo "before: $(answer)" && return 1; }
    sed -i "/return found/s/$1/$2/" "$copy/services/users/store.c"
    began=$(date +%s%N)
    within 120 answers "$2" || {
        echo "still: $(answer)"
        tail -n 60 "$scratch/up.log"
        return 1
    }
    echo "$((($(date +%s%N) - began) / 1000000)) ms from save to serving"
}

one_line_differs() { [ "$(diff {.,"$copy"}/services/users/store.c | grep -c '^>')" = 1 ]; }

others_are_the_same() { diff <(echo "$others") <(others); }

# since LINE PATTERN: lines of the log of `tilt up` after that one.
since() { tail -n +$(($1 + 1)) "$scratch/up.log" | grep -E "$2"; }

compiled_one_file() {
    since "$mark" 'Building C object'
    [ "$(since "$mark" 'Building C object' | grep -c .)" = 1 ] &&
        [ "$(since "$mark" 'Linking C executable' | grep -c .)" = 1 ]
}

readonly COMPILED=(compile-users compile-auth compile-gateway)

compiles() { for name in "${COMPILED[@]}"; do echo "$name $(updates "$name")"; done; }
all_compiled() {
    [ "$(compiles | sort | comm -13 <(echo "$1" | sort) - | grep -c .)" = ${#COMPILED[@]} ]
}

# A change of libs/ that changes no program.
comment() {
    local before
    before=$(compiles)
    echo '/* Nothing. */' >>"$copy/libs/err/src/err.c"
    within 120 all_compiled "$before" && within 30 all_up
}

pods() { objects pods '{.metadata.uid}' | sort; }
no_pod_was_replaced() { diff <(echo "$pods") <(pods); }

pods_but_one_are_of_before() { [ "$(comm -12 <(echo "$pods") <(pods) | grep -c .)" = 4 ]; }

# --- the run ----------------------------------------------------------------------------------------

need || exit 1
copy_checkout || exit 1
[ -n "${PLANKTON_IMAGES_LOADED-}" ] || kind load docker-image nats:2.10 postgres:17 || exit 1
made=yes

say "From nothing"
check "programs for another architecture are refused" refuses_another_architecture
check "tilt ci" ci
or_end
check "whole-system tests" said system '│ [0-9]+ passed'
for name in libs users auth gateway; do
    check "unit tests: $name" said "unit-$name" '100% tests passed'
done
check "the namespace enforces Pod Security restricted" restricted

say "A file is saved"
check "tilt up" start_tilt
or_end
check "an admin signs in" within 30 sign_in
sign_in
others=$(others)
mark=$(wc -l <"$scratch/up.log")
pods=$(pods)
check "one line of users" save "$BEFORE" "$AFTER"
check "it is one line" one_line_differs
check "one file was compiled, one program linked" compiled_one_file
within 60 pods_but_one_are_of_before
check "users was rolled, and nothing else" pods_but_one_are_of_before
check "nothing else was compiled, built or deployed" others_are_the_same
pods=$(pods)
check "a comment in libs/: all three are compiled" comment
check "but no pod is replaced" no_pod_was_replaced
check "users as it was" save "$AFTER" "$BEFORE"

say "tilt down"
stop_tilt
down() { (cd "$copy" && tilt down --delete-namespaces) && within 90 gone; }
gone() { ! kubectl get namespace "$NS"; }
check "nothing is left" down
report
