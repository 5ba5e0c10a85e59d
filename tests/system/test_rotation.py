"""KEY_ENCRYPTION_KEY is replaced step by step, as docs/operations.md has it, on two replicas."""
import json
import secrets

import pytest

import harness
from test_auth import PASSWORD, at_once, refresh


@pytest.fixture(params=["sqlite", "postgres"])
def own_mesh(request):
    postgres = harness.Postgres() if request.param == "postgres" else None
    try:
        env = {"REFRESH_GRACE_S": "300"}  # sanitizers are slow
        if postgres:
            env["DATABASE_URL"] = postgres.create("auth")
        mesh = harness.Mesh(auth_env=env)
        yield mesh
        mesh.close()
    finally:
        if postgres:
            postgres.close()


class Rotation:
    """What people have at two replicas, which are replaced one after the other."""

    def __init__(self, mesh):
        self.mesh = mesh
        other = harness.Service("auth", {
            **mesh.auth.env, "LISTEN_ADDR": f"127.0.0.1:{harness.free_port()}",
            "ADMIN_ADDR": f"127.0.0.1:{harness.free_port()}"})
        mesh.services.append(other)
        self.replicas = [mesh.auth, other.wait_ready()]
        self.email = mesh.register()["email"]
        self.busy = self.sign_in()
        self.jwks = self.key_set(mesh.auth)

    def sign_in(self, replica=None):
        answer = harness.call((replica or self.mesh.auth).address, "POST", "/api/v1/auth/login",
                              {"email": self.email, "password": PASSWORD})
        assert answer.status == 200, answer
        self.check_access(answer.json["access_token"])
        return answer.json["refresh_token"]

    def key_set(self, replica):
        answer = harness.call(replica.address, "GET", "/.well-known/jwks.json")
        return sorted(answer.json["keys"], key=lambda key: key["kid"])

    def check_access(self, token):
        assert self.mesh.call("GET", "/api/v1/users/me", token=token).status == 200

    def check_good(self, token):
        """On either replica, for racers; whichever successor they got."""
        answers = at_once(8, lambda index: refresh(self.replicas[index % 2].address, token))
        assert {answer.status for answer in answers} == {200}, answers
        self.check_access(answers[0].json["access_token"])
        successors = [answer.json["refresh_token"] for answer in answers]
        assert len({*successors[0::2]}) == len({*successors[1::2]}) == 1
        assert [refresh(replica.address, successor).status for successor in successors[:2]
                for replica in self.replicas] == [200] * 4
        return refresh(self.mesh.auth.address, successors[1]).json["refresh_token"]

    def roll(self, keks, idle=()):
        """How many starts have resealed. At each, one of those who had not come back does."""
        idle = list(idle)
        resealed = 0
        for replica in self.replicas:
            assert replica.process.stop() == 0
            replica.env["KEY_ENCRYPTION_KEY"] = ",".join(keks)
            replica.start()
            replica.wait_ready()
            events = replica.process.events()
            resealed += [event.get("count") for event in events
                         if event["msg"].startswith("signing keys resealed")].count(2)
            assert not any(kek in json.dumps(events) for kek in keks)
            assert all(self.key_set(each) == self.jwks for each in self.replicas)
            self.busy = self.check_good(self.busy)
            for each in self.replicas:
                self.sign_in(each)
            if idle:
                self.check_good(idle.pop())
        return resealed


def test_nobody_is_signed_out(own_mesh):
    rotation = Rotation(own_mesh)
    old, new = own_mesh.auth.env["KEY_ENCRYPTION_KEY"], secrets.token_hex(32)
    idle = [rotation.sign_in() for _ in range(5)]
    assert rotation.roll([old, new], idle[0:2]) == 0
    assert rotation.roll([new, old], idle[2:4]) == 1
    since = [rotation.sign_in() for _ in range(2)]
    # REFRESH_TOKEN_TTL_S passes: whoever has not come back has no session any more.
    assert rotation.roll([new], since) == 0
    for replica in rotation.replicas:
        answer = refresh(replica.address, idle[4])
        assert (answer.status, answer.code) == (401, "invalid_refresh_token")
