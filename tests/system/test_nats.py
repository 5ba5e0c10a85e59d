"""NATS as it is run in earnest: least permissions, TLS, a cluster that loses its servers."""
import json
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import harness
import jetstream

ROOT = Path(__file__).resolve().parents[2]
PASSWORDS = {name: "p" + secrets.token_hex(16) for name in ("users", "auth", "operator")}


@pytest.fixture
def directory():
    path = Path(tempfile.mkdtemp(prefix="plankton-nats-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def number(mesh, service, statement):
    with sqlite3.connect(f"file:{mesh.directory}/{service}.db?mode=ro", uri=True) as database:
        return database.execute(statement).fetchone()[0]


def await_known(mesh, user, status):
    """auth has heard of it, and so users was permitted to tell."""
    harness.wait_until("auth hears", lambda: number(
        mesh, "auth", "SELECT count(*) FROM directory WHERE "
        f"user_id = '{user['id']}' AND status = '{status}'") == 1)


def register(mesh):
    """As soon as both services are connected (again)."""
    def is_registered():
        answer = mesh.call("POST", "/api/v1/auth/register", {
            "email": f"user-{secrets.token_hex(6)}@example.com",
            "password": "correct horse battery", "name": "N"})
        return answer.json if answer.status == 201 else None
    return harness.wait_until("registration works", is_registered)


def live(mesh):
    """What needs NATS: registration asks users, the change is told to auth."""
    user = register(mesh)
    mesh.login(user["email"])
    await_known(mesh, user, "active")
    answer = mesh.call("PATCH", f"/api/v1/users/{user['id']}", {"status": "suspended"},
                       token=mesh.admin_token())
    assert answer.status == 200, answer
    await_known(mesh, user, "suspended")
    for service in ("users", "auth"):
        harness.wait_until("all is told", lambda service=service: number(
            mesh, service, "SELECT count(*) FROM outbox") == 0)


# --- permissions ---


@pytest.fixture
def guarded(directory):
    """docs/nats-server.conf, as it is."""
    nats = harness.Nats(directory / "nats", config=ROOT / "docs" / "nats-server.conf", env={
        f"NATS_{name.upper()}_PASSWORD": password for name, password in PASSWORDS.items()})
    yield nats
    nats.process.stop()


def url_for(nats, name):
    return f"nats://{name}:{PASSWORDS[name]}@127.0.0.1:{nats.port}"


@pytest.fixture
def guarded_mesh(guarded):
    mesh = harness.Mesh(nats=guarded, users_env={"NATS_URL": url_for(guarded, "users")},
                        auth_env={"NATS_URL": url_for(guarded, "auth")})
    yield mesh
    mesh.close()


def test_least_permissions_suffice(guarded_mesh, guarded):
    mesh = guarded_mesh
    live(mesh)
    for _ in range(2):  # streams and consumers are there, or everything is new
        guarded.process.kill()
        shutil.rmtree(guarded.directory)
        guarded.start()
        live(mesh)
    with jetstream.Jetstream(guarded.url, "operator", PASSWORDS["operator"]) as operator:
        event = {"specversion": "1.0", "id": "bad", "source": "users",
                 "type": "users.v1.events.updated", "data": {}}
        assert "seq" in operator.request("users.v1.events.updated", json.dumps(event).encode())
    harness.wait_until("the letter is there",
                       lambda: "malformed_event" in mesh.auth.run("replay", "--list")[1])
    assert "failed again" in mesh.auth.run("replay")[1]
    status, output = mesh.auth.run("resync")
    assert status == 0 and "0 added, 0 changed, 0 removed, " in output, output
    for service in (mesh.users, mesh.auth):
        assert "message bus refuses" not in service.process.log()
        assert PASSWORDS[service.name] not in service.process.log()


FORBIDDEN = [
    # as, verb, subject
    ("users", "PUB", "auth.v1.events.session.revoked"),
    ("users", "PUB", "users.v1.create"),
    ("users", "PUB", "$JS.API.STREAM.DELETE.USERS"),
    ("users", "PUB", "$JS.API.STREAM.CREATE.AUTH"),
    ("users", "PUB", "_INBOX.auth.0.reply.1"),
    ("users", "SUB", "_INBOX.auth.>"),
    ("users", "SUB", "auth.v1.events.>"),
    ("users", "SUB", "users.v1.events.>"),
    ("users", "SUB", ">"),
    ("auth", "PUB", "users.v1.events.deleted"),
    ("auth", "PUB", "dead.users.users.v1.events.deleted"),
    ("auth", "PUB", "$JS.API.STREAM.PURGE.USERS"),
    ("auth", "PUB", "$JS.API.STREAM.UPDATE.USERS"),
    ("auth", "PUB", "$JS.API.STREAM.MSG.DELETE.USERS"),
    ("auth", "PUB", "$JS.API.CONSUMER.DELETE.USERS.auth-users"),
    ("auth", "SUB", "users.v1.create"),
    ("auth", "SUB", "_INBOX.users.>"),
    ("auth", "SUB", "users.v1.events.>"),
]


def test_nothing_else_is_permitted(guarded):
    for name, verb, subject in FORBIDDEN:
        with jetstream.Jetstream(guarded.url, name, PASSWORDS[name]) as peer:
            answer = peer.refusal(verb, subject)
            assert "Permissions Violation" in answer, (name, verb, subject, answer)
    for name, verb, subject in [("users", "PUB", "users.v1.events.created"),
                                ("auth", "PUB", "users.v1.create"),
                                ("auth", "SUB", "_INBOX.auth.1.reply.*")]:
        with jetstream.Jetstream(guarded.url, name, PASSWORDS[name]) as peer:
            assert peer.refusal(verb, subject) == "", (name, verb, subject)


def test_a_service_with_a_wrong_password(guarded):
    env = {"NATS_URL": f"nats://users:{PASSWORDS['auth']}@127.0.0.1:{guarded.port}",
           "DATABASE_URL": f"sqlite:{guarded.directory}/users.db"}
    service = harness.Service("users", env)
    service.process.wait_line("the reason", lambda line: "Authorization Violation" in line)
    answer = harness.call(service.admin, "GET", "/readyz")
    assert answer.status == 503
    assert PASSWORDS["auth"] not in service.process.log()
    assert PASSWORDS["auth"] not in service.run("config")[1]
    assert service.process.stop() == 0


# --- TLS ---


def make_certificate(directory, name, *options):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-keyout", f"{name}.key", "-out", f"{name}.crt", *options],
                   cwd=directory, check=True, capture_output=True)


def test_tls(directory):
    by_ca = ("-CA", "ca.crt", "-CAkey", "ca.key")
    make_certificate(directory, "ca")
    make_certificate(directory, "server", *by_ca, "-addext", "subjectAltName=DNS:localhost")
    make_certificate(directory, "service", *by_ca)
    config = directory / "server.conf"
    config.write_text(f'tls {{ cert_file: "{directory}/server.crt", key_file: '
                      f'"{directory}/server.key", ca_file: "{directory}/ca.crt", verify: true }}')
    nats = harness.Nats(directory / "nats", config=config)
    env = {"NATS_URL": f"tls://localhost:{nats.port}", "NATS_CA_FILE": f"{directory}/ca.crt",
           "NATS_CERT_FILE": f"{directory}/service.crt",
           "NATS_KEY_FILE": f"{directory}/service.key"}
    mesh = harness.Mesh(nats=nats, users_env=env, auth_env=env)
    try:
        live(mesh)
    finally:
        mesh.close()
        nats.process.stop()


# --- a cluster ---


class Cluster:
    """Three servers; any of them may be gone."""

    def __init__(self, directory):
        routes = [harness.free_port() for _ in range(3)]
        targets = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        self.servers = []
        for index, port in enumerate(routes):
            config = directory / f"{index}.conf"
            config.write_text(f'server_name: n{index}\ncluster {{ name: test, '
                              f'listen: "127.0.0.1:{port}", routes: [{targets}] }}\n')
            self.servers.append(harness.Nats(directory / f"n{index}", config=config))
        self.url = ",".join(server.url for server in self.servers)

    def make_alone(self, stream, subjects):
        """On one server, as if made without NATS_STREAM_REPLICAS."""
        def is_made():
            with jetstream.Jetstream(self.servers[0].url) as peer:
                peer.socket.settimeout(1)
                try:
                    return "config" in peer.api(f"STREAM.CREATE.{stream}", {
                        "name": stream, "subjects": [subjects], "storage": "file"})
                except TimeoutError:
                    return False
        harness.wait_until(f"stream {stream} is made", is_made)

    def await_replicas(self):
        """Until each server has everything of each stream."""
        def is_current(stream):
            with jetstream.Jetstream(self.servers[0].url) as peer:
                peer.socket.settimeout(1)  # while there is no leader, nobody answers
                try:
                    cluster = peer.api(f"STREAM.INFO.{stream}").get("cluster", {})
                except TimeoutError:
                    return False
            others = cluster.get("replicas", [])
            return (cluster.get("leader") and len(others) == len(self.servers) - 1 and
                    all(other["current"] for other in others))

        for stream in ("USERS", "AUTH", "DEAD"):
            harness.wait_until(f"stream {stream} is on all servers",
                               lambda stream=stream: is_current(stream))

    def stop(self):
        for server in self.servers:
            server.process.stop()


@pytest.fixture
def cluster(directory):
    cluster = Cluster(directory)
    yield cluster
    cluster.stop()


@pytest.fixture
def alone(cluster):
    cluster.make_alone("USERS", "users.v1.events.>")


@pytest.fixture
def clustered_mesh(cluster):
    env = {"NATS_URL": cluster.url, "NATS_STREAM_REPLICAS": "3"}
    mesh = harness.Mesh(nats=cluster, users_env=env, auth_env=env)
    yield mesh
    mesh.close()


def test_a_stream_grows_to_more_servers(alone, cluster, clustered_mesh):
    cluster.await_replicas()
    live(clustered_mesh)


def test_a_cluster_loses_each_of_its_servers(cluster, clustered_mesh):
    mesh = clustered_mesh
    for server in cluster.servers:  # among them the one that a service is connected to
        cluster.await_replicas()
        live(mesh)
        server.process.kill()
        user = register(mesh)
        await_known(mesh, user, "active")
        server.start()
    count = number(mesh, "users", "SELECT count(*) FROM users WHERE status <> 'pending'")
    assert number(mesh, "auth", "SELECT count(*) FROM directory") == count
