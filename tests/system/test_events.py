"""What auth knows of users: by events, by a snapshot where events are missing, and with users away."""
import json
import re
import secrets
import shutil
import socket
import sqlite3
import time

import pytest

import harness

PASSWORD = "correct horse battery"


@pytest.fixture
def own_mesh():
    mesh = harness.Mesh(users_env={"PENDING_TTL_S": "1"}, auth_env={"PENDING_TTL_S": "1"})
    yield mesh
    mesh.close()


def login(mesh, email, password=PASSWORD):
    return mesh.call("POST", "/api/v1/auth/login", {"email": email, "password": password})


def refresh(mesh, tokens):
    return mesh.call("POST", "/api/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})


def patch(mesh, user, body, token=None):
    answer = mesh.call("PATCH", f"/api/v1/users/{user['id']}", body,
                       token=token or mesh.admin_token())
    assert answer.status == 200, answer


def delete(mesh, user):
    answer = mesh.call("DELETE", f"/api/v1/users/{user['id']}", token=mesh.admin_token())
    assert answer.status == 204, answer


def claims(tokens):
    import base64
    body = tokens["access_token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def rows(mesh, service, statement):
    with sqlite3.connect(f"file:{mesh.directory}/{service}.db?mode=ro", uri=True) as database:
        return database.execute(statement).fetchall()


def number(mesh, service, statement):
    return rows(mesh, service, statement)[0][0]


def await_ended(mesh, user, tokens):
    """How long it took, from the answer to the change."""
    began = time.monotonic()
    harness.wait_until("the sessions have ended", lambda: number(
        mesh, "auth", f"SELECT count(*) FROM sessions WHERE user_id = '{user['id']}'") == 0)
    took = time.monotonic() - began
    answer = refresh(mesh, tokens)
    assert (answer.status, answer.code) == (401, "invalid_refresh_token")
    return took


def known(mesh, user):
    """What auth has of the user: (address, role, status)."""
    found = rows(mesh, "auth",
                 f"SELECT email, role, status FROM directory WHERE user_id = '{user['id']}'")
    return found[0] if found else None


def test_users_is_away(own_mesh):
    mesh = own_mesh
    ann, sue, bob, gone = (mesh.register() for _ in range(4))
    sessions = {user["id"]: mesh.login(user["email"]) for user in (ann, bob)}
    admin = mesh.admin_token()
    patch(mesh, ann, {"email": "moved@example.com", "role": "admin"}, admin)
    patch(mesh, sue, {"status": "suspended"}, admin)
    delete(mesh, gone)
    # All of it was told of when it was committed; auth has it in a moment.
    harness.wait_until("auth knows", lambda: known(mesh, gone) == ("", "user", "deleted"))
    mesh.users.process.kill()
    try:
        assert login(mesh, "Moved@Example.com").status == 200
        assert login(mesh, ann["email"]).status == 401
        assert login(mesh, sue["email"]).code == "account_suspended"
        assert login(mesh, bob["email"]).status == 200
        assert login(mesh, gone["email"]).status == 401
        assert login(mesh, "nobody@example.com").status == 401
        answer = refresh(mesh, sessions[ann["id"]])
        assert claims(answer.json)["role"] == "admin"
        assert claims(answer.json)["email"] == "moved@example.com"
        assert refresh(mesh, sessions[bob["id"]]).status == 200
        answer = mesh.call("POST", "/api/v1/auth/register",
                           {"email": "new@example.com", "password": PASSWORD, "name": "N"})
        assert answer.status == 503
    finally:
        mesh.users.start()
        mesh.users.wait_ready()
    mesh.register("new@example.com")


def test_suspension_and_deletion_end_sessions(mesh):
    """Within a second; of five, since the machine may be busy with something else."""
    times = []
    for index in range(5):
        user, other = mesh.register(), mesh.register()
        sessions = [mesh.login(user["email"]) for _ in range(3)]
        kept = mesh.login(other["email"])
        if index % 2:
            patch(mesh, user, {"status": "suspended"})
        else:
            delete(mesh, user)
        times.append(await_ended(mesh, user, sessions[0]))
        assert {refresh(mesh, tokens).status for tokens in sessions} == {401}
        assert refresh(mesh, kept).status == 200
    if not any(name in str(harness.BIN) for name in ("asan", "tsan")):
        assert min(times) < 1, times
    # The address of a user who was deleted is free again, for another one with another password.
    again = mesh.register(user["email"], "another good password")
    assert again["id"] != user["id"]
    assert login(mesh, user["email"]).status == 401
    assert login(mesh, user["email"], "another good password").status == 200


def test_a_change_of_address_counts_at_once(mesh):
    user = mesh.register()
    for index in range(10):
        email = f"at-once-{index}-{secrets.token_hex(4)}@example.com"
        patch(mesh, user, {"email": email})
        assert login(mesh, email).status == 200
        assert login(mesh, user["email"]).status == 401
        user["email"] = email


def test_events_are_lost(own_mesh):
    """The stream is made anew with nothing in it: auth asks for what it has missed."""
    mesh = own_mesh
    ann, sue, gone = (mesh.register() for _ in range(3))
    tokens = {user["id"]: mesh.login(user["email"]) for user in (ann, sue, gone)}
    admin = mesh.admin_token()
    harness.wait_until("auth knows", lambda: known(mesh, gone))
    mesh.auth.process.stop()
    patch(mesh, ann, {"email": "moved@example.com", "role": "admin"}, admin)
    patch(mesh, sue, {"status": "suspended"}, admin)
    answer = mesh.call("DELETE", f"/api/v1/users/{gone['id']}", token=admin)
    assert answer.status == 204
    harness.wait_until("all is told", lambda: number(
        mesh, "users", "SELECT count(*) FROM outbox") == 0)
    mesh.nats.process.kill()
    shutil.rmtree(mesh.nats.directory)
    mesh.nats.start()
    mesh.auth.start()
    mesh.auth.wait_ready()
    harness.wait_until("auth knows", lambda: known(mesh, ann) ==
                       ("moved@example.com", "admin", "active") and
                       known(mesh, sue)[2] == "suspended" and not known(mesh, gone))
    await_ended(mesh, sue, tokens[sue["id"]])
    await_ended(mesh, gone, tokens[gone["id"]])
    assert claims(refresh(mesh, tokens[ann["id"]]).json)["role"] == "admin"
    # And events go on.
    patch(mesh, ann, {"name": "Anna", "role": "user"}, mesh.admin_token())
    harness.wait_until("auth hears", lambda: known(mesh, ann)[1] == "user")


def test_nats_loses_its_data_while_all_run(own_mesh):
    mesh = own_mesh
    user = mesh.register()
    tokens = mesh.login(user["email"])
    admin = mesh.admin_token()
    mesh.nats.process.kill()
    shutil.rmtree(mesh.nats.directory)
    patch(mesh, user, {"status": "suspended"}, admin)
    assert refresh(mesh, tokens).status == 200  # nobody could tell
    tokens = None
    mesh.nats.start()
    harness.wait_until("auth hears", lambda: known(mesh, user)[2] == "suspended")
    assert login(mesh, user["email"]).code == "account_suspended"
    assert number(mesh, "auth", "SELECT count(*) FROM sessions WHERE user_id = "
                  f"'{user['id']}'") == 0


def test_auth_has_lost_its_database(own_mesh):
    """Credentials are gone with it; who is there and who is not it learns by a snapshot."""
    mesh = own_mesh
    admin = mesh.admin_token()
    for index in range(450):  # more than two pages
        answer = mesh.call("POST", "/api/v1/users",
                           {"email": f"p{index}@example.com", "name": "P"}, token=admin)
        assert answer.status == 201
    mesh.auth.process.stop()
    for file in mesh.directory.glob("auth.db*"):
        file.unlink()
    mesh.auth.start()
    mesh.auth.wait_ready()
    harness.wait_until("all users are known", lambda: number(
        mesh, "auth", "SELECT count(*) FROM directory WHERE status = 'active'") == 451)
    mesh.admin_token()  # the bootstrap admin has got a password again


def publish(mesh, subject, event_id, payload):
    """One message, by the protocol of NATS."""
    with socket.create_connection(("127.0.0.1", mesh.nats.port)) as peer:
        lines = peer.makefile("rb")
        headers = f"NATS/1.0\r\nNats-Msg-Id: {event_id}\r\n\r\n"
        peer.sendall(b'CONNECT {"verbose":false,"headers":true}\r\n' +
                     f"HPUB {subject} {len(headers)} {len(headers) + len(payload)}\r\n".encode() +
                     headers.encode() + payload.encode() + b"\r\nPING\r\n")
        while lines.readline() != b"PONG\r\n":
            pass


def test_an_event_that_nobody_can_handle(own_mesh):
    mesh = own_mesh
    user = mesh.register()
    event_id = "0190b5a0-0000-7000-8000-000000000000"
    publish(mesh, "users.v1.events.updated", event_id, json.dumps({
        "specversion": "1.0", "id": event_id, "source": "users",
        "type": "users.v1.events.updated", "subject": user["id"], "data": {"id": 7}}))
    patch(mesh, user, {"role": "admin"})  # what comes behind it is not held up
    harness.wait_until("auth hears", lambda: known(mesh, user)[1] == "admin")
    status, output = mesh.auth.run("replay", "--list")
    assert status == 0 and event_id in output and "malformed_event" in output, output
    assert re.match(r"20\d\d-\d\d-\d\dT\S+Z seq:1 ", output.splitlines()[-1]), output
    status, output = mesh.auth.run("replay", event_id)
    assert status == 1 and "1 events failed again" in output, output
    assert mesh.auth.run("replay", "--all")[0] == 2
    # Nothing makes it better: it is removed on purpose, and so is one that has no id at all.
    publish(mesh, "users.v1.events.updated", "not-an-event", "{")
    harness.wait_until("it is set aside", lambda:
                       " seq:2 - users.v1.events.updated " in mesh.auth.run("replay", "--list")[1])
    assert mesh.auth.run("replay", "--discard")[0] == 1
    for discarded in (event_id, "seq:2"):
        status, output = mesh.auth.run("replay", "--discard", discarded)
        assert status == 0 and "dead letter discarded" in output, output
        status, output = mesh.auth.run("replay", "--discard", discarded)
        assert status == 1 and "there is no dead letter" in output, output
    assert "seq:" not in mesh.auth.run("replay", "--list")[1]
    assert "[--list] [--discard] [ID]" in mesh.auth.run("help")[1]


SAGA = [("auth", "register.hashed"), ("users", "users.create.committed"),
        ("auth", "register.created"), ("auth", "register.stored"),
        ("users", "users.activate.told"), ("users", "users.activate.committed"),
        ("auth", "register.activated"), ("auth", "register.done")]


def crash(mesh, name, point, *request, **kwargs):
    """The service dies at the point, at work on the request; then it comes back."""
    service = getattr(mesh, name)
    service.process.stop()
    service.env["CRASH_AT"] = point
    service.start()
    service.wait_ready()
    answer = mesh.call(*request, **kwargs)
    if answer.status == 201:
        pytest.skip("a release build has no crash points")
    assert answer.status >= 500, (point, answer)
    assert service.process.child.wait(harness.PATIENCE_S) == -9, point
    del service.env["CRASH_AT"]
    service.start()
    service.wait_ready()


def await_nothing_half(mesh):
    """Nothing pending is left, and everybody was told of once."""
    harness.wait_until("users has nothing pending", lambda: number(
        mesh, "users", "SELECT count(*) FROM users WHERE status = 'pending'") == 0)
    harness.wait_until("auth has nothing pending", lambda: number(
        mesh, "auth", "SELECT count(*) FROM accounts WHERE status = 'pending'") == 0)
    assert number(mesh, "auth", "SELECT count(*) FROM accounts") == len(SAGA) + 1
    harness.wait_until("auth knows all of them", lambda: number(
        mesh, "auth", "SELECT count(*) FROM directory WHERE version = 2") == len(SAGA) + 1)


def saga_request(index):
    return ("POST", "/api/v1/auth/register",
            {"email": f"saga-{index}@example.com", "password": PASSWORD, "name": "S"})


def test_a_registration_breaks_off_anywhere(own_mesh):
    """A process dies at each point in turn: the person signs in, or registers again, at once."""
    mesh = own_mesh
    for index, (name, point) in enumerate(SAGA):
        crash(mesh, name, point, *saga_request(index))
        is_there = index >= SAGA.index(("users", "users.activate.committed"))
        answer = mesh.call(*saga_request(index))
        assert (answer.status, answer.code) == ((409, "email_taken") if is_there else
                                                (201, None)), (point, answer)
        assert login(mesh, f"saga-{index}@example.com").status == 200, point
    await_nothing_half(mesh)


def repeat(mesh, *request, **kwargs):
    """Until the attempt that died has lost its claim."""
    answers = []

    def is_answered():
        answers.append(mesh.call(*request, **kwargs))
        return answers[-1].status != 409 or answers[-1].code != "idempotency_in_progress"
    harness.wait_until("the request is answered", is_answered)
    return answers[-1]


def check_repeated(mesh, made, point, *request, **kwargs):
    """made: [(id,)] of what the attempt that died has left, or []. The id of what is there now."""
    answer = repeat(mesh, *request, **kwargs)
    assert answer.status == 201 and not answer.headers["Idempotency-Replayed"], (point, answer)
    assert not made or made == [(answer.json["id"],)], (point, made, answer)
    again = mesh.call(*request, **kwargs)
    assert again.headers["Idempotency-Replayed"] == "true", (point, again)
    for header in ("Location", "ETag"):
        assert again.headers[header] == answer.headers[header], (point, header)
    assert again.body == answer.body, point
    return answer.json["id"]


def test_a_registration_goes_on_anywhere(own_mesh):
    """The same with a key, which the answer is asked for until it comes: always that of success."""
    mesh, made = own_mesh, []
    keys = [{"Idempotency-Key": secrets.token_hex(16)} for _ in SAGA]
    for index, (name, point) in enumerate(SAGA):
        crash(mesh, name, point, *saga_request(index), headers=keys[index])
        made.append(rows(mesh, "users", "SELECT id FROM users WHERE email = "
                         f"'saga-{index}@example.com'"))
    assert [len(ids) for ids in made] == [0] + [1] * (len(SAGA) - 1)
    for index, (_, point) in enumerate(SAGA):
        id = check_repeated(mesh, made[index], point, *saga_request(index), headers=keys[index])
        answer = login(mesh, f"saga-{index}@example.com")
        assert answer.status == 200 and claims(answer.json)["sub"] == id, point
    await_nothing_half(mesh)


def test_an_invitation_goes_on(own_mesh):
    mesh, email = own_mesh, "guest@example.com"
    request = ("POST", "/api/v1/users", {"email": email, "name": "Guest"})
    options = {"token": mesh.admin_token(), "headers": {"Idempotency-Key": secrets.token_hex(16)}}
    crash(mesh, "users", "users.create.committed", *request, **options)
    made = rows(mesh, "users", f"SELECT id FROM users WHERE email = '{email}'")
    assert len(made) == 1
    check_repeated(mesh, made, "users.create.committed", *request, **options)
