#!/bin/sh
# Makes the passwords and the files with them that are not there yet, in the volumes of those who
# read them, and prints the first admin's. Run by the service `secrets` of docker/compose.yaml.
set -eu
umask 022
cd /secrets

random() { od -An -tx1 -N"$1" /dev/urandom | tr -d ' \n'; }

# The last one to be made: without it, all are made anew.
if [ ! -e auth/admin-password ]; then
    users_database=$(random 16)
    auth_database=$(random 16)
    users_nats=u$(random 16) # nats-server wants a letter first
    auth_nats=a$(random 16)

    random 16 >postgres/postgres-password
    echo "$users_database" >postgres/users-password
    echo "$auth_database" >postgres/auth-password

    {
        echo "NATS_USERS_PASSWORD: $users_nats"
        echo "NATS_AUTH_PASSWORD: $auth_nats"
        echo "NATS_OPERATOR_PASSWORD: o$(random 16)"
        sed 's|^jetstream {}|jetstream { store_dir: "/data" }|' /nats-server.conf
    } >nats/nats-server.conf

    echo "postgres://users:$users_database@postgres/users" >users/database-url
    echo "nats://users:$users_nats@nats:4222" >users/nats-url

    echo "postgres://auth:$auth_database@postgres/auth" >auth/database-url
    echo "nats://auth:$auth_nats@nats:4222" >auth/nats-url
    random 32 >auth/key-encryption-key
    random 12 >auth/admin-password
fi
chown 65532:65532 /data/nats
printf 'The first admin has the password %s\n' "$(cat auth/admin-password)"
