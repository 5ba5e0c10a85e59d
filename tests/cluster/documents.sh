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
        ln -sfn "$PWD/charts" "$scratch/charts" && (cd "$scratch" && api=http://$gateway/api/v1 bash -euo pipefail ./commands)
}

# Of the database of users: what an installation of these values signs in as.
first_role() {
    local password
    password=$(kube get secret plankton-database -o 'jsonpath={.data.users-password}' | base64 -d)
    kube exec -i plankton-postgresql-0 -- psql -q -U postgres \
        <<<"ALTER ROLE users LOGIN PASSWORD '$password'" && release upgrade --reset-values && works
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

registers_later() { post auth/register "{${ANN/ann/later},\"name\":\"L\"}"; }

test_documents() {
    say "What docs/operations.md tells to do"
    local what
    check "rotate a database password" under_load "$SOME" --recovers rotate database
    check "rotate it unnoticed" under_load "$SOME" rotate database-unnoticed
    check "back to the role of before" first_role
    for what in nats key-encryption-key signing-keys; do
        check "rotate the ${what//-/ }" under_load "$SOME" rotate $what
    done
    check "rotate the first admin's password" rotate admin
    check "the admin signs in with it" admin_signs_in
    check "back up" follow back-up
    check "a person registers later" registers_later
    check "restore" follow restore
    check "who was there signs in" works
    check "who was not is unknown" is_unknown later
}
