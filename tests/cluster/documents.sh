# shellcheck shell=bash
# Sourced by run.sh: what docs/operations.md tells to do, done as it stands there.
# shellcheck disable=SC2317,SC2154  # check() calls the functions; scratch is run.sh's

# The commands of the page under a name: the indented lines after <!-- NAME -->.
commands() {
    awk -v mark="<!-- $1 -->" '
        $0 == mark {on = 1; next}
        on && /^    / {print substr($0, 5); seen = 1; next}
        on && seen && NF {exit}
        on && seen {print ""}' docs/operations.md | grep .
}

follow() { # name
    commands "$1" >"$scratch/commands" &&
        ln -sfn "$PWD/charts" "$scratch/charts" && (cd "$scratch" && api=http://$gateway/api/v1 bash -euo pipefail ./commands) >/dev/null
}

rotate() { follow "rotate-$1" && works; }

admin_signs_in() {
    post auth/login "{\"email\":\"$(secret email)\",\"password\":\"$(secret password)\"}" |
        grep -o '"token_type":"Bearer"'
}

is_unknown() { # name
    local seen
    seen=$(post auth/login "{\"email\":\"$1@example.com\",\"password\":\"correct horse battery\"}")
    echo "$seen"
    [[ $seen == *invalid_credentials* ]]
}

psql_users() { kube exec plankton-postgresql-0 -- psql -v ON_ERROR_STOP=1 -U postgres -c "$1" users; }
fails() { ! "$@"; }

# A setting more, and back: to the revision that the last rotation has made.
rolls_back_and_forth() {
    release upgrade --reuse-values --set config.LOG_LEVEL=warn && roll_back && same_secrets && works
}

# The namespace with its volumes and secrets, as if the cluster were lost.
destroy() {
    uninstall && kubectl delete namespace "$NS" --timeout=120s &&
        kubectl create namespace "$NS" &&
        kubectl label namespace "$NS" pod-security.kubernetes.io/enforce=restricted
}

install_anew() { kube apply -f "$scratch/secrets.yaml" && release install; }

registers_later() { post auth/register "{${ANN/ann/later},\"name\":\"L\"}"; }

test_documents() {
    say "What docs/operations.md tells to do"
    local what
    check "rotate a database password" under_load "$SOME" --recovers rotate database
    for what in nats key-encryption-key signing-keys; do
        check "rotate the ${what//-/ }" under_load "$SOME" rotate $what
    done
    check "rotate the first admin's password" rotate admin
    check "the admin signs in with it" admin_signs_in
    # shellcheck disable=SC2034  # same_secrets() compares with it
    secrets_before=$(secrets)
    check "roll back, and to what was: rotated secrets stay" rolls_back_and_forth
    check "back up" follow back-up
    check "a newer release brings a table" psql_users 'CREATE TABLE newer (id TEXT REFERENCES users)'
    check "a person registers later" registers_later
    check "restore" follow restore
    check "who was there signs in" works
    check "who was not is unknown" is_unknown later
    check "the table of the newer release is gone" fails psql_users 'TABLE newer'
    check "everything goes" destroy
    check "install with the Secrets of the backup" install_anew
    find_gateway
    check "restore into it" follow restore
    check "who was there signs in" works
}
