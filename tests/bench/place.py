"""The whole mesh on PostgreSQL with the settings of the chart, its parts, and users in it."""
import json
import re
import secrets
import subprocess
import tempfile
import time
from pathlib import Path

import clients
import harness
import part as parts

SETTLED_S = 120
PASSWORD = "correct horse battery"
# As the defaults of charts/plankton/values.yaml.
SERVICE = {"HTTP_THREADS": "32", "DB_MAX_OPEN": "10"}
AUTH = {**SERVICE, "HASH_WORKERS": "1"}
ARGON2 = {"passes": 2, "bytes": 19456 * 1024}  # the defaults of auth
# Idle ones would be closed while others are opened on a slow machine, half a head is sent for long.
GATEWAY = {"WORKERS": "1", "MAX_CONNECTIONS": str(clients.CLIENTS),
           "CLIENT_IDLE_TIMEOUT_MS": "600000", "CLIENT_HEADER_TIMEOUT_MS": "120000"}


class Piped:
    """In place of a harness.Process: what is logged goes through a pipe, as in a container, and of
    requests those that failed are kept."""

    def __init__(self, service):
        service.process.stop()
        self.kept = tempfile.TemporaryFile()
        self.drain = subprocess.Popen(["grep", "-v", '"status":20'], stdin=subprocess.PIPE,
                                      stdout=self.kept)
        self.child = subprocess.Popen(
            [harness.BIN / service.name], env=service.env, stdin=subprocess.DEVNULL,
            stdout=self.drain.stdin, stderr=subprocess.STDOUT)
        self.drain.stdin.close()
        service.process = self
        self.address = service.admin
        harness.wait_until(f"{service.name} is ready", self.is_ready)

    def is_ready(self):
        if self.child.poll() is not None:
            raise harness.Failure(f"a service ended:\n{self.log()}")
        try:
            return harness.call(self.address, "GET", "/readyz").status == 200
        except OSError:
            return False

    def stop(self):
        self.child.terminate()
        status = self.child.wait(harness.PATIENCE_S)
        self.drain.wait()
        return status

    def log(self):
        """The last lines of it, once it has stopped."""
        self.drain.wait()
        self.kept.seek(0)
        return "\n".join(self.kept.read().decode().splitlines()[-20:])


def metric(service, name):
    """The sum over its labels; 0 when it is not there yet."""
    body = harness.call(service.admin, "GET", "/metrics").body.decode()
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", body, re.M)
    return sum(float(value) for value in found)


class Place:
    """The mesh, its parts, and the users in it."""

    def __init__(self):
        clients.allow_descriptors()
        self.postgres = harness.Postgres()
        self.mesh = None
        try:
            self.mesh = harness.Mesh(
                gateway_env=GATEWAY,
                users_env={**SERVICE, "DATABASE_URL": self.postgres.create("users")},
                auth_env={**AUTH, "DATABASE_URL": self.postgres.create("auth")})
            self.services = (self.mesh.gateway, self.mesh.users, self.mesh.auth)
            for service in reversed(self.services):
                Piped(service)
            for service in self.services:
                harness.wait_until(f"{service.name} is ready", service.process.is_ready)
        except BaseException:
            self.close(check=False)
            raise
        self.parts = [parts.Part(s.name, s.process.child.pid) for s in self.services] + [
            parts.Part("PostgreSQL", self.postgres.process.child.pid, has_children=True),
            parts.Part("NATS", self.mesh.nats.process.child.pid)]

    def close(self, check=True):
        try:
            if self.mesh:
                self.mesh.close(check)
        finally:
            self.postgres.close()

    def log(self):
        """What is worth reading of it, once it is closed."""
        return "\n".join(service.process.log() for service in self.services)

    def psql(self, database, statement):
        return subprocess.run(
            [self.postgres.bin / "psql", "-qtA", "-v", "ON_ERROR_STOP=1", "-h",
             self.postgres.directory, "-U", "plankton", "-c", statement, database],
            check=True, capture_output=True, text=True).stdout.strip()

    def psql_lines(self, database, lines):
        subprocess.run([self.postgres.bin / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h",
                        self.postgres.directory, "-U", "plankton", database],
                       input="\n".join(lines), text=True, check=True)

    def size(self, database):
        return int(self.psql(database, f"SELECT pg_database_size('{database}')"))

    def stored(self):
        return sum(path.stat().st_size for path in Path(self.mesh.nats.directory).rglob("*")
                   if path.is_file())

    def published(self):
        return sum(metric(service, "outbox_published_total") for service in
                   (self.mesh.users, self.mesh.auth))

    def settle(self, pause_s=0.5):
        """Until all events have been published, and auth has taken those of users. Asking costs
        them a little."""
        users, auth = self.mesh.users, self.mesh.auth
        for service in (users, auth):
            harness.wait_until(f"{service.name} has published all events", lambda s=service: metric(
                s, "outbox_pending") == 0)
        published = metric(users, "outbox_published_total")
        deadline = time.monotonic() + SETTLED_S
        while metric(auth, "inbox_events_total") < published:
            if time.monotonic() > deadline:
                raise harness.Failure("auth did not take all events")
            time.sleep(pause_s)

    def lines(self, service):
        path = self.mesh.directory / "one.jsonl"
        path.unlink(missing_ok=True)
        status, output = service.run("export", str(path))
        if status != 0:
            raise harness.Failure(output)
        return [json.loads(line) for line in path.read_text().splitlines()]

    def fill(self, service, people):
        """Imports that many users like the one who registered; bytes of database for each."""
        head, *rows, end = self.lines(service)
        like = next(row for row in rows if row["email"] == "like@example.com")
        key = "id" if "id" in like else "user_id"
        rows = [{**like, key: user_id, "email": email} for user_id, email in people]
        count = next(name for name, value in end.items() if value == len(self.lines(service)) - 2)
        path = self.mesh.directory / "many.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in
                                [head, *rows, {**end, count: len(rows)}]))
        before = self.size(service.name)
        status, output = service.run("import", str(path))
        if status != 0 or f"{len(people)} inserted" not in output:
            raise harness.Failure(output)
        return (self.size(service.name) - before) / len(people)


def people(count):
    """Ids of one minute, addresses in no order."""
    return [(f"0190b5a0-{n // 4096:04x}-7{n % 4096:03x}-8000-{secrets.token_hex(6)}",
             f"user-{secrets.token_hex(6)}@example.com") for n in range(count)]
