#!/usr/bin/env bash
# Runs programs one after the other beside a private PostgreSQL, which TEST_POSTGRES tells them of:
#     with_postgres.sh PROGRAM...
# Its files are in a directory of their own, and it is gone afterwards.
set -euo pipefail

bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
if [ ! -x "$bin/postgres" ]; then
    echo "PostgreSQL is not installed: skipped"
    exit 77
fi
"$bin/postgres" --version
directory=$(mktemp -d /tmp/plankton-postgres-XXXXXX)
chmod 755 "$directory"
as_owner=()
if [ "$(id -u)" -eq 0 ]; then # PostgreSQL refuses to run as root
    chown postgres "$directory"
    as_owner=(setpriv --reuid postgres --regid postgres --clear-groups --)
fi

server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" && wait "$server"; } || true
    rm -rf "$directory"
}
trap finish EXIT

cd "$directory"
# Another order of text than SQLite's, as databases out there have it.
"${as_owner[@]}" "$bin/initdb" -D "$directory/data" -U plankton -A trust -E UTF8 \
    --locale-provider icu --icu-locale en-US --locale C.UTF-8 --no-sync >"$directory/initdb.log" ||
    { cat "$directory/initdb.log"; exit 1; }
"${as_owner[@]}" "$bin/postgres" -D "$directory/data" -k "$directory" -c listen_addresses= \
    -c fsync=off -c max_connections=200 2>"$directory/server.log" &
server=$!
until "$bin/pg_isready" -q -h "$directory" -U plankton; do
    kill -0 "$server" || { cat "$directory/server.log"; exit 1; }
    sleep 0.05
done

export TEST_POSTGRES="postgres://plankton@/postgres?host=$directory"
cd "$OLDPWD"
for program in "$@"; do
    "$program"
done
