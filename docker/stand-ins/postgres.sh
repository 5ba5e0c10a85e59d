#!/usr/bin/env bash
# Entry point of the stand-in for postgres:17. Of what the official image does on a first start: a
# cluster in PGDATA with the superuser POSTGRES_USER, its password, the database POSTGRES_DB, the
# scripts of /docker-entrypoint-initdb.d. For each POSTGRES_x there may be POSTGRES_x_FILE.
set -euo pipefail

# setting NAME DEFAULT
setting() {
    local file=$1_FILE
    if [ -n "${!file:-}" ]; then cat "${!file}"; else echo "${!1:-$2}"; fi
}

run_scripts() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        echo "postgres.sh: $file"
        case $file in
        *.sh) bash "$file" ;;
        *.sql) psql -v ON_ERROR_STOP=1 -X -w -q -U "$user" -d "$database" -f "$file" ;;
        *.sql.gz) gunzip -c "$file" | psql -v ON_ERROR_STOP=1 -X -w -q -U "$user" -d "$database" ;;
        esac
    done
}

make_cluster() {
    local user database password arguments=()
    user=$(setting POSTGRES_USER postgres)
    database=$(setting POSTGRES_DB "$user")
    password=$(setting POSTGRES_PASSWORD "")
    if [ -z "$password" ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
    read -ra arguments <<<"$(setting POSTGRES_INITDB_ARGS "")"
    initdb -U "$user" --pwfile=<(printf '%s\n' "$password") --auth-local=trust \
        --auth-host=scram-sha-256 "${arguments[@]}"
    printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    printf "\nlisten_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
    pg_ctl -w start -o "-c listen_addresses=''"
    export PGHOST=/var/run/postgresql
    [ "$database" = postgres ] ||
        psql -v ON_ERROR_STOP=1 -X -w -q -U "$user" -d postgres -v name="$database" \
            <<<'CREATE DATABASE :"name";'
    run_scripts
    pg_ctl -w -m fast stop
}

case ${1:--} in
-*) set -- postgres "$@" ;;
esac
if [ "$1" = postgres ]; then
    mkdir -p "$PGDATA"
    if [ "$(id -u)" -eq 0 ]; then
        chown -R postgres "$PGDATA"
        exec setpriv --reuid postgres --regid postgres --init-groups -- "$0" "$@"
    fi
    chmod 700 "$PGDATA" || true
    [ -s "$PGDATA/PG_VERSION" ] || make_cluster
fi
exec "$@"
