"""People who register, sign in, change their name and leave, and remember what they were told.

What a person does next is drawn from a seeded generator. An answer is an acknowledgement (2xx), a
refusal (4xx: nothing has changed), or none that says anything (5xx, a broken connection): then the
change may be there or not, and the person remembers both.
"""
import random
import secrets
import threading
import time

import harness

PASSWORD = "correct horse battery"
STEPS = ["login"] * 2 + ["rename"] * 4 + ["leave"]
CALL_S = 15
LEASE_S = 14  # how long a key may belong to a process that has died
ASIDE_MAX = 3
PAUSE_S = 0.05  # after no answer: those that come back need the processor, too


class Person:
    """One address. What must be true at the end follows from what was acknowledged."""

    def __init__(self, email):
        self.email = email
        self.key = secrets.token_hex(16)  # of the one registration, however often it is sent
        self.is_registered = False  # acknowledged
        self.may_be_registered = False
        self.again_at = 0  # when to send an unclear registration again
        self.is_gone = False  # acknowledged
        self.may_be_gone = False
        self.names = set()  # those that the user may have now
        self.id = None
        self.history = []  # (what, status), for who reads a failure

    def __repr__(self):
        return f"{self.email}: {self.history}"


def register(mesh, person):
    """None: the first attempt has died, and its lease is not over."""
    answer = mesh.call("POST", "/api/v1/auth/register",
                       {"email": person.email, "password": PASSWORD, "name": person.email},
                       headers={"Idempotency-Key": person.key}, timeout=CALL_S)
    is_in_progress = answer.status == 409 and answer.code == "idempotency_in_progress"
    return None if is_in_progress else answer


class Crowd:
    """Counts of all people together; any thread adds to them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {}

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def acknowledged(self):
        with self.lock:
            return sum(n for what, n in self.counts.items() if what.endswith(" acknowledged"))


class Client:
    """One thread's people, one after the other."""

    def __init__(self, mesh, crowd, name, seed):
        self.mesh = mesh
        self.crowd = crowd
        self.name = name
        self.random = random.Random(seed)
        self.people = []
        self.aside = []  # whose registrations are to be sent again
        self.number = 0
        self.person = None
        self.token = None
        self.renames = 0

    def _call(self, what, method, target, body=None, **kwargs):
        """None: nobody knows what became of it."""
        return self._ask(what, lambda: self.mesh.call(method, target, body, timeout=CALL_S,
                                                      **kwargs))

    def _ask(self, what, call):
        try:
            answer = call()
        except (OSError, harness.http.client.HTTPException):
            answer = None
        self.person.history.append((what, answer and answer.status))
        if answer is None or answer.status >= 500:
            self.crowd.count(f"{what} unclear")
            time.sleep(PAUSE_S)
            return None
        self.crowd.count(f"{what} {'acknowledged' if answer.status < 300 else 'refused'}")
        return answer

    def step(self):
        person = self.person
        if not person or not person.is_registered or person.is_gone or person.may_be_gone:
            self._register()
        elif not self.token:
            self._login()
        else:
            getattr(self, f"_{self.random.choice(STEPS)}")()

    def _choose(self):
        """One whose time has come, else somebody new; where too many wait, one of them all the same."""
        is_due = self.aside and self.aside[0].again_at < time.monotonic()
        if is_due or len(self.aside) == ASIDE_MAX:
            return self.aside.pop(0)
        self.people.append(Person(f"{self.name}-{self.number}@example.com"))
        self.number += 1
        return self.people[-1]

    def _register(self):
        person = self.person = self._choose()
        self.token = None
        answer = self._ask("register", lambda: register(self.mesh, person))
        if answer is None:
            person.may_be_registered = True
            person.again_at = time.monotonic() + LEASE_S
            self.aside.append(person)
        elif answer.status == 201:
            person.id = answer.json["id"]
            person.is_registered = True
            person.names = {person.email}
        else:  # nobody else has this address, and the key tells an own attempt
            raise AssertionError((person, answer))

    def _login(self):
        answer = self._call("login", "POST", "/api/v1/auth/login",
                            {"email": self.person.email, "password": PASSWORD})
        if answer is None:
            return
        assert answer.status == 200, (self.person, answer)
        self.token = answer.json["access_token"]

    def _read(self):
        answer = self._call("read", "GET", "/api/v1/users/me", token=self.token)
        if answer is None:
            return None
        assert answer.status == 200, (self.person, answer)
        user = answer.json
        assert user["name"] in self.person.names, (user, self.person.names)
        self.person.id = user["id"]
        return answer

    def _rename(self):
        """On the version that was read, so that an attempt of unknown fate comes now or never."""
        before = self._read()
        if before is None:
            return
        self.person.names = {before.json["name"]}
        self.renames += 1
        name = f"{self.name} {self.renames}"
        answer = self._call("rename", "PATCH", "/api/v1/users/me", {"name": name},
                            token=self.token, headers={"If-Match": before.headers["ETag"]})
        if answer is None:
            self.person.names.add(name)
        elif answer.status == 200:
            assert answer.json["name"] == name
            self.person.names = {name}
        else:  # an earlier attempt of unknown fate came in between
            assert answer.status == 412, answer

    def _leave(self):
        answer = self._call("delete", "DELETE", "/api/v1/users/me", token=self.token)
        if answer is None:
            self.person.may_be_gone = True
        else:
            assert answer.status == 204, answer
            self.person.is_gone = True
        self.token = None
