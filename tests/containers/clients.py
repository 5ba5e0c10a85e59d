"""Who comes from outside, through the port on 127.0.0.1: a person, load (tests/cluster/load.py)."""
import os
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import harness
import manifests

LOAD = Path(__file__).parent.parent / "cluster/load.py"


class Client(harness.Front):
    def __init__(self, cluster):
        self.gateway = types.SimpleNamespace(address=cluster.address)
        secret = manifests.contents(cluster.objects, "Secret", "plankton-bootstrap-admin")
        self.admin = secret["email"], secret["password"]

    def token(self):
        return self.login(self.register()["email"])["access_token"]

    def works(self):
        """Whether a person can register, log in and read, which needs every part."""
        try:
            answer = self.call("GET", "/api/v1/users/me", token=self.token())
            return answer.status == 200
        except (OSError, AssertionError, harness.http.client.HTTPException):
            return False

    def environment(self):
        return {**os.environ, "PLANKTON_GATEWAY": self.gateway.address,
                "PLANKTON_ADMIN_EMAIL": self.admin[0], "PLANKTON_ADMIN_PASSWORD": self.admin[1],
                "PYTHONDONTWRITEBYTECODE": "1"}


class Load:
    """In the background until end(); then it goes on until it has asked count times in each way."""

    def __init__(self, client, count, *options):
        self.process = subprocess.Popen(
            [sys.executable, LOAD, client.gateway.address, str(count), *options], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**client.environment(), "PLANKTON_TOKEN": client.token()})
        assert self.process.stdout.readline() == "asking\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def end(self):
        """Whether all is well, and what it tells."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=330)
        return self.process.returncode == 0, said.strip()


class Writer(threading.Thread):
    """Writes until end(): a name in users, and new tokens from auth. No gateway may ask twice."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client = client
        self.tokens = client.login(client.register()["email"])
        self.count, self.failures = 0, []
        self.ended = threading.Event()
        self.start()

    def _write(self):
        name = f"Ann {self.count}"
        answer = self.client.call("PATCH", "/api/v1/users/me", {"name": name},
                                  token=self.tokens["access_token"])
        if answer.status != 200 or answer.json["name"] != name:
            return answer
        answer = self.client.call("POST", "/api/v1/auth/refresh",
                                  {"refresh_token": self.tokens["refresh_token"]})
        if answer.status != 200:
            return answer
        self.tokens = answer.json
        return None

    def run(self):
        while not self.ended.is_set():
            self.count += 1
            try:
                failure = self._write()
            except (OSError, harness.http.client.HTTPException) as error:
                failure = error
            if failure:
                self.failures.append(repr(failure))

    def end(self):
        self.ended.set()
        self.join()
