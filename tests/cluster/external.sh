# shellcheck shell=bash
# Sourced by run.sh: a PostgreSQL and a NATS of somebody else, over TLS, in a namespace of their own.
# shellcheck disable=SC2317,SC2154  # check() calls the functions; scratch is run.sh's

readonly STORES=plankton-stores

make_certificates() {
    local new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2)
    "${new[@]}" -subj /CN=stores -keyout "$scratch/ca.key" -out "$scratch/ca.crt" &&
        "${new[@]}" -subj /CN=server -addext basicConstraints=critical,CA:false \
            -addext "subjectAltName=DNS:postgres.$STORES,DNS:nats.$STORES" \
            -CA "$scratch/ca.crt" -CAkey "$scratch/ca.key" \
            -keyout "$scratch/tls.key" -out "$scratch/tls.crt"
}

# given NAMESPACE NAME ARGUMENT...: a Secret.
given() { kubectl -n "$1" create secret generic "${@:2}"; }

run_stores() {
    local name
    make_certificates && make_namespace $STORES restricted || return 1
    given $STORES stores --from-file="$scratch/tls.crt" --from-file="$scratch/tls.key" \
        --from-literal=postgres=superuser --from-literal=users=users-s3cret \
        --from-literal=auth=auth-s3cret &&
        kubectl -n $STORES create configmap nats --from-file=docs/nats-server.conf &&
        kubectl -n $STORES apply -f tests/cluster/stores.yaml || return 1
    for name in postgres nats; do
        kubectl -n $STORES rollout status deployment/$name --timeout=60s || return 1
    done
    for name in users auth; do
        psql -c "CREATE ROLE $name LOGIN PASSWORD '$name-s3cret'" &&
            psql -c "CREATE DATABASE $name OWNER $name" || return 1
    done
}

# As its superuser, over its socket.
psql() { kubectl -n $STORES exec deployment/postgres -- psql -U postgres -Atq "$@"; }

install_external() {
    make_namespace "$NS" restricted &&
        given "$NS" database --from-literal=users-password=users-s3cret \
            --from-literal=auth-password=auth-s3cret &&
        given "$NS" nats --from-literal=users-password=users-s3cret \
            --from-literal=auth-password=auth-s3cret &&
        given "$NS" stores-ca --from-file="$scratch/ca.crt" &&
        release install --set "database.host=postgres.$STORES,database.existingSecret=database" \
            --set "database.tls.existingSecret=stores-ca,nats.url=tls://nats.$STORES:4222" \
            --set nats.existingSecret=nats,nats.tls.existingSecret=stores-ca
}

brings_none() {
    local own
    own=$(kube get statefulset,pvc -o name)
    echo "$own"
    [ -z "$own" ]
}

# Connections of users and auth, each with TLS.
talks_tls() {
    local seen
    seen=$(psql -c \
        "SELECT usename || ' ' || bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE usename IN ('users', 'auth') GROUP BY usename ORDER BY usename")
    echo "$seen" | tr '\n' ' '
    [ "$seen" = $'auth true\nusers true' ]
}

test_external() {
    say "An external PostgreSQL and NATS"
    # It may have the one port of the nodes.
    ! helm status plankton -n "$NS" >/dev/null 2>&1 || uninstall >/dev/null
    check "PostgreSQL and NATS with certificates of their own" run_stores
    NS=plankton-external
    check "install with them" install_external
    find_gateway
    check "none of the chart's own" brings_none
    check "a person registers there" registers
    check "and signs in" logs_in
    check "PostgreSQL over TLS" talks_tls
    check "helm test there" helm_test
    NS=plankton
}
