# shellcheck shell=bash
# Sourced by run.sh: the images in containers, among PostgreSQL, NATS and an HTTPS server, each
# with a certificate of an authority of our own.
# shellcheck disable=SC2317,SC2154  # check() calls the functions; docker and scratch are run.sh's

readonly WAIT_S=30
KEY=$(printf '%064d' 1)
readonly KEY

# --- running --------------------------------------------------------------------------------------

# as_cluster NAME [OPTION...]: a container in the background, restricted as the chart restricts
# it. Docker answers for the names of the network, and nobody (--dns) for others.
as_cluster() {
    local name=$1
    shift
    docker rm -f "$NET-$name" >/dev/null 2>&1
    docker run -d --name "$NET-$name" --label "$NET" --network "$NET" --network-alias "$name" \
        --dns 127.0.0.1 --read-only --cap-drop ALL --security-opt no-new-privileges \
        --memory 32m --memory-swap 32m --cpus 1 "$@" 2>&1 >/dev/null | grep -v 'Localhost DNS' >&2 || true
}

# helper NAME OPTION... IMAGE...: one of those that they talk to.
helper() {
    local name=$1
    shift
    docker run -d --name "$NET-$name" --label "$NET" --network "$NET" --network-alias "$name" "$@" \
        >/dev/null
}

# await COMMAND...: until it succeeds; shows its last words otherwise.
await() {
    local seen deadline=$((SECONDS + WAIT_S))
    until seen=$("$@" 2>&1); do
        if [ $SECONDS -ge $deadline ]; then
            echo "$seen"
            return 1
        fi
        sleep 0.1
    done
}

logs() { docker logs "$NET-$1" 2>&1; }
logs_say() { grep -q -- "$2" <<<"$(logs "$1")" || { logs "$1" && return 1; }; }
healthcheck() { docker exec "$NET-$1" "/$2" healthcheck; }
is_ready() { await healthcheck "$1" "$2" || { logs "$1" && return 1; }; }
pid() { docker inspect -f '{{.State.Pid}}' "$NET-$1"; }

# fails_with NAME SERVICE TEXT: it says so in its log, and is not ready.
fails_with() { await logs_say "$1" "$3" && ! healthcheck "$1" "$2"; }

ends_well() {
    docker stop -t 10 "$NET-$1" >/dev/null
    local state
    state=$(docker inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' "$NET-$1")
    echo "exit status, killed for memory: $state"
    [ "$state" = "0 false" ] || { logs "$1" && return 1; }
}

# --- those that they talk to ----------------------------------------------------------------------

make_certificates() {
    docker run --rm -i --label "$NET" --network none --user 0 -v "$NET-tls:/tls" \
        --entrypoint bash postgres:17 -eu <<'TEXT'
cd /tls
new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2)
"${new[@]}" -subj /CN=ours -keyout ca.key -out ca.crt
"${new[@]}" -subj /CN=strangers -keyout /tmp/strangers.key -out strangers.crt
"${new[@]}" -subj /CN=server -addext subjectAltName=DNS:db,DNS:nats,DNS:keys \
    -addext basicConstraints=critical,CA:false -CA ca.crt -CAkey ca.key \
    -keyout server.key -out server.crt
rm ca.key
printf 'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{"keys":[]}' >jwks.json
install -o 999 -g 999 -m 600 server.key postgres.key
chmod 644 server.key
cat >databases.sql <<'SQL'
CREATE ROLE users LOGIN PASSWORD 'scram-secret';
CREATE DATABASE users OWNER users;
SQL
TEXT
}

start_helpers() {
    docker network create --internal "$NET" >/dev/null &&
        make_certificates &&
        helper db -v "$NET-tls:/tls:ro" -e POSTGRES_PASSWORD=secret -e PGPASSWORD=secret \
            -v "$NET-tls:/docker-entrypoint-initdb.d:ro" postgres:17 \
            -c ssl=on -c ssl_cert_file=/tls/server.crt -c ssl_key_file=/tls/postgres.key &&
        helper nats -v "$NET-tls:/tls:ro" nats:2.10 -js -sd /tmp --tls --tlscert /tls/server.crt \
            --tlskey /tls/server.key &&
        helper keys -v "$NET-tls:/tls:ro" -w /tls --entrypoint openssl postgres:17 \
            s_server -quiet -accept 8443 -cert server.crt -key server.key -HTTP &&
        await docker exec "$NET-db" psql -h 127.0.0.1 -U postgres -c 'SELECT 1' users
}

# --- cases ----------------------------------------------------------------------------------------

says_version() { [ "$(docker run --rm --read-only "plankton/$1:dev" version)" = "$1 $VERSION" ]; }

# Where it listens is the image's word, and what is needed is asked for in one message.
shows_config() {
    local said
    said=$(docker run --rm --read-only -e KEY_ENCRYPTION_KEY="$KEY" "plankton/$1:dev" config)
    echo "$said"
    grep -q '^LISTEN_ADDR=:8080 ' <<<"$said" && grep -q '^ADMIN_ADDR=:9090 ' <<<"$said"
}

readonly TRUST=(-v "$NET-tls:/tls:ro" -e NATS_CA_FILE=/tls/ca.crt -e NATS_URL=tls://nats:4222)
readonly DB=postgres://users:scram-secret@db/users

# is_restricted NAME: as the kernel sees it.
is_restricted() {
    local status
    status=$(cat "/proc/$(pid "$1")/status")
    echo "$status"
    grep -qP '^Uid:\t65532\t65532\t65532\t65532$' <<<"$status" &&
        grep -qP '^Gid:\t65532\t65532\t65532\t65532$' <<<"$status" &&
        grep -qP '^CapEff:\t0+$' <<<"$status" && grep -qP '^NoNewPrivs:\t1$' <<<"$status"
}

# users_with NAME OPTION...: each case is a start of it with another setting.
users_with() {
    local name=$1
    shift
    as_cluster "$name" -e AUTH_JWKS_URL=http://auth:8080/.well-known/jwks.json "${TRUST[@]}" "$@" \
        plankton/users:dev
}

talks_tls() {
    local count
    count=$(docker exec "$NET-db" psql -h 127.0.0.1 -U postgres -Atc \
        "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE usename = 'users' AND ssl") && [ "$count" -gt 0 ]
}

keeps_sqlite() {
    is_ready sqlite users &&
        docker run --rm -v "$NET-data:/data:ro" --entrypoint stat postgres:17 \
            -c %u:%g /data/users.db | grep -x 65532:65532
}

test_users() {
    users_with scram -e "DATABASE_URL=$DB?sslmode=disable"
    check "users: SCRAM, names by DNS, NATS over TLS" is_ready scram users
    check "users: restricted" is_restricted scram
    check "users: SIGTERM ends it with 0" ends_well scram

    users_with wrong -e "DATABASE_URL=postgres://users:wrong@db/users"
    check "users: a wrong password is refused" \
        fails_with wrong users 'password authentication failed'

    users_with tls -e "DATABASE_URL=$DB?sslmode=verify-full&sslrootcert=/tls/ca.crt"
    check "users: SCRAM over TLS" is_ready tls users
    check "users: TLS it is" talks_tls

    users_with strange -e "DATABASE_URL=$DB?sslmode=verify-full&sslrootcert=/tls/strangers.crt"
    check "users: PostgreSQL with a strange certificate" \
        fails_with strange users 'certificate verify failed'

    users_with stranger -e "DATABASE_URL=$DB" -e NATS_CA_FILE=/tls/strangers.crt
    check "users: NATS with a strange certificate" \
        fails_with stranger users 'message bus is away.*SSL'

    local address
    address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$NET-db")
    users_with hosts --add-host "db.hosts.test:$address" \
        -e "DATABASE_URL=postgres://users:scram-secret@db.hosts.test/users"
    check "users: names of the hosts file" is_ready hosts users

    users_with nowhere -e "DATABASE_URL=postgres://users:scram-secret@no.such.host.invalid/users"
    check "users: a name that is none" fails_with nowhere users 'no.such.host.invalid'

    users_with sqlite -v "$NET-data:/var"
    check "users: SQLite in a volume, owned by 65532" keeps_sqlite
}

test_auth() {
    as_cluster auth -e HASH_WORKERS=1 -e KEY_ENCRYPTION_KEY="$KEY" --tmpfs /var:uid=65532 \
        "${TRUST[@]}" plankton/auth:dev
    check "auth: ready" is_ready auth auth
    check "auth: restricted" is_restricted auth
}

gateway_with() {
    local name=$1
    shift
    as_cluster "$name" -e AUTH_JWKS_URL=https://keys:8443/jwks.json "$@" plankton/gateway:dev
}

answers() {
    local port
    port=$(docker port "$NET-$1" 8080/tcp | sed -n 's/.*://p;q')
    curl -si "http://127.0.0.1:$port/api/v1/users/me" | tee "$scratch/answer"
    grep -q '"code":"upstream_unavailable"' "$scratch/answer"
}

test_gateway() {
    gateway_with trusting -v "$NET-tls:/tls:ro" -e SSL_CERT_FILE=/tls/ca.crt
    check "gateway: keys over https, a CA of our own" await logs_say trusting 'signing keys fetched'

    gateway_with distrusting
    check "gateway: https with a strange certificate" \
        fails_with distrusting gateway 'unable to get local issuer'

    docker run --rm -v "$NET-tls:/tls" --user 0 --entrypoint sh postgres:17 -c \
        'cp /tls/ca.crt /tls/ca-certificates.crt'
    gateway_with replaced -v "$NET-tls:/etc/ssl/certs:ro"
    check "gateway: the place of trusted certificates" await logs_say replaced 'signing keys fetched'
    check "gateway: restricted" is_restricted replaced

    as_cluster published -p 127.0.0.1::8080 plankton/gateway:dev
    docker network connect bridge "$NET-published"
    check "gateway: answers through a published port" await answers published
    check "gateway: SIGTERM ends it with 0" ends_well published
}

test_containers() {
    local service
    for service in users auth gateway; do
        check "$service: version" says_version $service
        check "$service: config" shows_config $service
    done
    check "PostgreSQL, NATS and an HTTPS server" start_helpers
    test_auth
    test_users
    check "auth: SIGTERM ends it with 0" ends_well auth
    test_gateway
}
