"""Starts the real binaries and a real nats-server on free ports, and talks to them.

Only the standard library is used, so that the suite runs wherever python3-pytest does.
"""
import http.client
import json
import os
import pty
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

BIN = Path(os.environ.get("PLANKTON_BIN", "build/debug/bin")).resolve()
ADMIN_EMAIL = "admin@example.com"
ADMIN_PASSWORD = "a-long-admin-password"
# Sanitizer builds on a busy machine are slow; a step that hangs still ends.
PATIENCE_S = 60


class Failure(Exception):
    pass


def wait_until(what, condition, timeout_s=PATIENCE_S):
    """Asks until the condition holds; the pause between two questions grows from 5 to 100 ms."""
    deadline = time.monotonic() + timeout_s
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"timed out waiting until {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class Process:
    """A child whose standard error is collected line by line."""

    # A test that fails shows the logs of both.
    running = []
    ended = []  # in this test

    def __init__(self, name, argv, env=None, cwd=None):
        self.name = name
        Process.running.append(self)
        self.lines = []
        self.changed = threading.Condition()
        self.child = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for raw in self.child.stdout:
            with self.changed:
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)  # the end
            self.changed.notify_all()

    def log(self):
        with self.changed:
            return "\n".join(line for line in self.lines if line is not None)

    def wait_line(self, what, match, timeout_s=PATIENCE_S):
        """The first result of match(line) that is true."""
        deadline = time.monotonic() + timeout_s
        seen = 0
        with self.changed:
            while True:
                for line in self.lines[seen:]:
                    seen += 1
                    if line is None:
                        raise Failure(f"{self.name} ended before {what}:\n{self._tail()}")
                    found = match(line)
                    if found:
                        return found
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise Failure(f"{self.name}: no {what} in its log:\n{self._tail()}")

    def _tail(self):
        return "\n".join(line for line in self.lines[-30:] if line is not None)

    def events(self):
        """The log lines that are JSON objects."""
        found = []
        for line in self.log().splitlines():
            if line.startswith("{"):
                found.append(json.loads(line))
        return found

    def stop(self, signum=signal.SIGTERM, timeout_s=PATIENCE_S):
        if self.child.poll() is None:
            self.child.send_signal(signum)
        try:
            status = self.child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise Failure(f"{self.name} did not stop:\n{self._tail()}") from None
        finally:
            if self in Process.running:
                Process.running.remove(self)
                Process.ended.append(self)
        self.reader.join(5)
        return status

    def kill(self):
        self.stop(signal.SIGKILL)


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # an email.message.Message: case-insensitive
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json.get("code")

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


def call(address, method, target, body=None, token=None, headers=None, timeout=PATIENCE_S):
    """One request on a connection of its own."""
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, target, body=body, headers=sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def raw(address, data, timeout=PATIENCE_S, shutdown=False):
    """Sends bytes as they are; everything that comes back until the peer closes."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=timeout) as peer:
        try:
            peer.sendall(data)
            if shutdown:
                peer.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = b""
        try:
            while chunk := peer.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return received


def status_of(received):
    """The status code of a raw answer; None for a connection that was closed without one."""
    match = re.match(rb"HTTP/1\.[01] (\d{3})", received)
    return int(match.group(1)) if match else None


def free_port():
    """Below the range from which connections get theirs: it stays free while a service restarts."""
    while True:
        port = random.SystemRandom().randint(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Nats:
    """config: the path of a configuration file; env: further variables, which it may name."""

    def __init__(self, directory, port=None, config=None, env=None):
        self.directory = directory
        self.port = port or free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.options = ["-c", str(config)] if config else []
        self.env = {**os.environ, **(env or {})}
        self.start()

    def start(self):
        binary = shutil.which("nats-server") or "/usr/sbin/nats-server"
        self.process = Process("nats-server", [
            binary, "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.directory),
            *self.options], env=self.env)
        self.process.wait_line("readiness", lambda line: "Server is ready" in line)


class Postgres:
    """A PostgreSQL server with a socket in its directory, and no other way in."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="plankton-postgres-"))
        self.directory.chmod(0o755)
        binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"),
                          key=lambda path: int(path.parent.name))
        self.bin = binaries[-1]
        self.as_owner = []
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.directory, "postgres")
            self.as_owner = ["setpriv", "--reuid", "postgres", "--regid", "postgres",
                             "--clear-groups", "--"]
        subprocess.run([*self.as_owner, self.bin / "initdb", "-D", self.directory / "data", "-U",
                        "plankton", "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8",
                        "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd=self.directory)
        self.start()

    def start(self):
        self.process = Process("postgres", [
            *self.as_owner, self.bin / "postgres", "-D", self.directory / "data", "-k",
            self.directory, "-c", "listen_addresses=", "-c", "max_connections=100"],
            cwd=self.directory)
        self.process.wait_line("readiness", lambda line: "ready to accept connections" in line)

    def create(self, database):
        """Its URL."""
        subprocess.run([self.bin / "createdb", "-h", self.directory, "-U", "plankton", database],
                       check=True)
        return f"postgres://plankton@/{database}?host={self.directory}"

    def psql(self, database):
        """The command line of a session of the administrator's."""
        return [self.bin / "psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", self.directory, "-U",
                "plankton", "-d", database]

    def execute(self, statement, database="postgres"):
        """The lines that it answers."""
        return subprocess.run([*self.psql(database), "-c", statement], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.splitlines()

    def close(self):
        self.process.stop(signal.SIGINT)
        shutil.rmtree(self.directory, ignore_errors=True)


class Service:
    """One of users, auth, gateway, with the addresses that its log tells."""

    def __init__(self, name, env):
        self.name = name
        self.env = {
            "PATH": os.environ["PATH"],
            "LISTEN_ADDR": f"127.0.0.1:{free_port()}",
            "ADMIN_ADDR": f"127.0.0.1:{free_port()}",
            "LOG_FORMAT": "json",
            **{key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")},
            **env,
        }
        self.start()

    def start(self):
        self.process = Process(self.name, [BIN / self.name], env=self.env)
        self.admin = self._address("admin listening")

    def run(self, *arguments, **env):
        """A subcommand of it, with its settings; its exit status, and what it printed."""
        done = subprocess.run([BIN / self.name, *arguments], env={**self.env, **env},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
        return done.returncode, done.stdout

    def run_on_terminal(self, *arguments):
        """What a subcommand shows on the terminal that is its standard error."""
        try:
            terminal, end = pty.openpty()
        except OSError:
            raise unittest.SkipTest("no terminal can be had (/dev/pts is not mounted)") from None
        try:
            subprocess.run([BIN / self.name, *arguments], env=self.env, check=True, stderr=end,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           timeout=PATIENCE_S)
            return os.read(terminal, 65536).decode()
        finally:
            os.close(terminal)
            os.close(end)

    def _address(self, message):
        def match(line):
            if not line.startswith("{"):
                return None
            event = json.loads(line)
            return event.get("address") if event["msg"] == message else None
        return self.process.wait_line(f'"{message}"', match)

    def wait_ready(self):
        def is_ready():
            if self.process.child.poll() is not None:
                raise Failure(f"{self.name} ended:\n{self.process.log()}")
            return call(self.admin, "GET", "/readyz").status == 200
        wait_until(f"{self.name} is ready", is_ready)
        self.address = self._address("listening")
        # From here on the ports stay as they are, so that a restart is found by its clients.
        self.env["LISTEN_ADDR"] = self.address
        self.env["ADMIN_ADDR"] = self.admin
        return self


class Front:
    """What clients see of a mesh: the gateway (with an address), and the admin's (email, password)."""

    gateway = None
    admin = (ADMIN_EMAIL, ADMIN_PASSWORD)

    def call(self, method, target, body=None, **kwargs):
        return call(self.gateway.address, method, target, body, **kwargs)

    def register(self, email=None, password="correct horse battery", name="Ann"):
        email = email or f"user-{secrets.token_hex(6)}@example.com"
        answer = self.call("POST", "/api/v1/auth/register",
                           {"email": email, "password": password, "name": name})
        assert answer.status == 201, answer
        return answer.json

    def login(self, email, password="correct horse battery"):
        answer = self.call("POST", "/api/v1/auth/login", {"email": email, "password": password})
        assert answer.status == 200, answer
        return answer.json

    def admin_token(self):
        return self.login(*self.admin)["access_token"]


class Mesh(Front):
    """nats-server, users, auth and the gateway. nats: one that runs already, and stays the caller's."""

    def __init__(self, gateway_env=None, auth_env=None, users_env=None, nats=None):
        self.directory = Path(tempfile.mkdtemp(prefix="plankton-"))
        self.services = []
        self.nats, self.owns_nats = nats, nats is None
        try:
            if self.owns_nats:
                self.nats = Nats(self.directory / "nats")
            self._start(gateway_env or {}, auth_env or {}, users_env or {})
        except BaseException:
            self.close(check=False)
            raise

    def _start(self, gateway_env, auth_env, users_env):
        jwks_port = free_port()
        common = {
            "NATS_URL": self.nats.url,
            "AUTH_JWKS_URL": f"http://127.0.0.1:{jwks_port}/.well-known/jwks.json",
        }
        self.auth = self._add(Service("auth", {
            **common,
            "LISTEN_ADDR": f"127.0.0.1:{jwks_port}",
            "DATABASE_URL": f"sqlite:{self.directory}/auth.db",
            "KEY_ENCRYPTION_KEY": secrets.token_hex(32),
            "BOOTSTRAP_ADMIN_EMAIL": ADMIN_EMAIL,
            "BOOTSTRAP_ADMIN_PASSWORD": ADMIN_PASSWORD,
            **auth_env,
        }))
        self.users = self._add(Service("users", {
            **common, "DATABASE_URL": f"sqlite:{self.directory}/users.db", **users_env}))
        self.users.wait_ready()
        self.auth.wait_ready()
        routes = self.directory / "routes.json"
        routes.write_text(json.dumps({
            "upstreams": {
                "users": {"servers": [self.users.address]},
                "auth": {"servers": [self.auth.address]},
            },
            "routes": [
                {"path": "/api/v1/users", "upstream": "users"},
                {"path": "/api/v1/auth", "upstream": "auth"},
                {"path": "/.well-known", "upstream": "auth"},
            ],
        }))
        self.gateway = self._add(Service("gateway", {
            **common, "ROUTES_FILE": str(routes), "WORKERS": "2", **gateway_env}))
        self.gateway.wait_ready()

    def _add(self, service):
        self.services.append(service)
        return service

    def close(self, check=True):
        """Stops everything; each service must end with status 0 and without a sanitizer's report."""
        wrong = []
        for service in reversed(self.services):
            status = service.process.stop()
            if status != 0:
                wrong.append(f"{service.name} ended with status {status}:\n{service.process.log()}")
        if self.owns_nats and self.nats:
            self.nats.process.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        if check and wrong:
            raise Failure("\n".join(wrong))
