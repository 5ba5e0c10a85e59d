"""Requests of each kind through the gateway, for a while or until all are answered."""
import http.client
import itertools
import json
import secrets
import threading
import time
from pathlib import Path

import contest
import harness
from place import PASSWORD

SECONDS = 3
CONNECTIONS = 32
CALLERS = 8  # clients of those requests that are counted out, ...
NEWCOMERS = 2  # ... but for those that register: new rows are neighbours, whose changes collide
PEOPLE = 48  # who log in in a round, and register, ...
RENAMES = 10  # ... and how often each of them changes the name
LUA = Path(__file__).with_name("requests.lua")


class Caller:
    """A kept-alive connection that sends requests, one after the other."""

    def __init__(self, address, method, path, requests, expected):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=harness.PATIENCE_S)
        self.method, self.path, self.expected = method, path, expected
        self.requests = requests  # access token, body
        self.answers, self.failure = [], None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            for token, body in self.requests:
                headers = {"Content-Type": "application/json"}
                if token:
                    headers["Authorization"] = f"Bearer {token}"
                self.connection.request(self.method, self.path, json.dumps(body), headers)
                answer = self.connection.getresponse()
                text = answer.read()
                if answer.status != self.expected:
                    raise harness.Failure(f"{self.path} answered {answer.status}: {text!r}")
                self.answers.append(json.loads(text))
        except (OSError, http.client.HTTPException, harness.Failure) as error:
            self.failure = error
        finally:
            self.connection.close()

    def result(self):
        self.thread.join()
        if self.failure:
            raise harness.Failure(f"a request failed: {self.failure}")
        return self.answers


def call_all(place, method, path, requests, expected, clients=CALLERS):
    """All answers; anything but the expected status is a failure of the benchmark."""
    callers = [Caller(place.mesh.gateway.address, method, path, requests[n::clients], expected)
               for n in range(clients)]
    return [answer for caller in callers for answer in caller.result()]


class Loads:
    """Each runs one kind of request for a while and tells how many were answered."""

    def __init__(self, place, emails):
        self.place = place
        self.file = place.mesh.directory / "requests"
        self.numbers = itertools.count()
        # From all over the table: changes of neighbours in an index collide in PostgreSQL.
        self.logins = [(None, {"email": email, "password": PASSWORD})
                       for email in emails[::len(emails) // PEOPLE][:PEOPLE]]
        self.tokens = self._log_in()

    def _log_in(self):
        return call_all(self.place, "POST", "/api/v1/auth/login", self.logins, 200)

    def _wrk(self, path, kind, lines):
        self.file.write_text("".join(line + "\n" for line in lines))
        return contest.wrk(f"http://{self.place.mesh.gateway.address}{path}", SECONDS, {},
                           CONNECTIONS, script=(LUA, kind, self.file))

    def keys(self):
        return self._wrk("/.well-known/jwks.json", "get", [""])

    def me(self):
        return self._wrk("/api/v1/users/me", "get",
                         [tokens["access_token"] for tokens in self.tokens])

    def rename(self):
        """So few that auth has soon taken the events."""
        return len(call_all(self.place, "PATCH", "/api/v1/users/me", [
            (tokens["access_token"], {"name": secrets.token_hex(8)})
            for _ in range(RENAMES) for tokens in self.tokens], 200))

    def refresh(self):
        """With the sessions of the logins before."""
        return self._wrk("/api/v1/auth/refresh", "refresh",
                         [tokens["refresh_token"] for tokens in self.tokens])

    def login(self):
        self.tokens = self._log_in()
        return len(self.tokens)

    def register(self):
        requests = [(None, {"email": f"new-{next(self.numbers)}@example.com",
                            "password": PASSWORD, "name": "Ann"}) for _ in range(PEOPLE)]
        return len(call_all(self.place, "POST", "/api/v1/auth/register", requests, 201, NEWCOMERS))

    def nothing(self):
        """Each for a second."""
        time.sleep(SECONDS)
        return SECONDS
