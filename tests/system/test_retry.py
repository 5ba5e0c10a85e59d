"""Requests that are sent again, or only if: Idempotency-Key and conditions, through the gateway."""
import json
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

import harness

PASSWORD = "correct horse battery"


def registration():
    return {"email": f"again-{secrets.token_hex(6)}@example.com", "password": PASSWORD, "name": "A"}


def register(mesh, body, key):
    return mesh.call("POST", "/api/v1/auth/register", body, headers={"Idempotency-Key": key})


def users_with(mesh, email):
    answer = mesh.call("GET", f"/api/v1/users?email={email}", token=mesh.admin_token())
    assert answer.status == 200, answer
    return answer.json["items"]


# --- Idempotency-Key ---

def test_a_registration_is_made_once(mesh):
    key, body = secrets.token_hex(16), registration()
    first = register(mesh, body, key)
    again = register(mesh, body, key)
    assert first.status == 201 and again.status == 201
    assert first.headers["Idempotency-Replayed"] is None
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.body == first.body
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    other = register(mesh, {**body, "password": "another password"}, key)
    assert other.status == 422 and other.code == "idempotency_key_reused"
    assert first.json["id"] not in other.body.decode()
    taken = register(mesh, body, secrets.token_hex(16))
    assert taken.status == 409 and taken.code == "email_taken"
    assert len(users_with(mesh, body["email"])) == 1
    assert mesh.login(body["email"])["access_token"]


def test_an_invitation_is_made_once_for_each_caller(mesh):
    key = secrets.token_hex(16)
    body = {"email": f"guest-{key}@example.com", "name": "Guest"}
    token = mesh.admin_token()

    def invite(sent, sent_token):
        return mesh.call("POST", "/api/v1/users", sent, token=sent_token,
                         headers={"Idempotency-Key": f'"{key}"'})
    first, again = invite(body, token), invite(body, mesh.admin_token())
    assert first.status == 201 and again.status == 201 and again.body == first.body
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert invite({**body, "name": "Other"}, token).code == "idempotency_key_reused"
    stranger = mesh.login(mesh.register()["email"])["access_token"]
    assert invite(body, stranger).code == "forbidden"


@pytest.mark.parametrize("key", ["", "a b", '"open', "x" * 256])
def test_a_wrong_key_is_told(mesh, key):
    answer = register(mesh, registration(), key)
    assert answer.status == 400 and "Idempotency-Key" in answer.json["detail"]


def test_a_lost_answer_is_asked_for_again(mesh):
    """The client goes away with the request on its way, and tries again until it is told."""
    key, body = secrets.token_hex(16), registration()
    text = json.dumps(body)
    host, port = mesh.gateway.address.rsplit(":", 1)
    for _ in range(3):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"POST /api/v1/auth/register HTTP/1.1\r\nHost: x\r\n"
                           f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\n"
                           f"Content-Length: {len(text)}\r\n\r\n{text}".encode())
    answers = []

    def is_answered():
        answers.append(register(mesh, text, key))
        return answers[-1].status != 409
    harness.wait_until("the registration is answered", is_answered)
    assert answers[-1].status == 201
    assert all(answer.code == "idempotency_in_progress" for answer in answers[:-1])
    assert [user["id"] for user in users_with(mesh, body["email"])] == [answers[-1].json["id"]]


def test_many_at_once_make_one(mesh):
    key, body = secrets.token_hex(16), registration()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: register(mesh, body, key), range(8)))
    made = [answer for answer in answers if answer.status == 201]
    waiting = [answer for answer in answers if answer.status == 409]
    assert len(made) + len(waiting) == 8 and made
    assert all(answer.code == "idempotency_in_progress" and answer.headers["Retry-After"]
               for answer in waiting)
    assert len({answer.body for answer in made}) == 1
    assert sum(not answer.headers["Idempotency-Replayed"] for answer in made) == 1
    assert len(users_with(mesh, body["email"])) == 1


def test_an_answer_outlives_the_process():
    mesh = harness.Mesh()
    try:
        key, body = secrets.token_hex(16), registration()
        first = register(mesh, body, key)
        mesh.auth.process.kill()
        mesh.auth.start()
        mesh.auth.wait_ready()
        again = []

        def is_back():
            again.append(register(mesh, body, key))
            return again[-1].status == 201
        harness.wait_until("auth is back behind the gateway", is_back)
        assert again[-1].headers["Idempotency-Replayed"] == "true"
        assert again[-1].body == first.body
    finally:
        mesh.close()


# --- conditions ---

@pytest.fixture(scope="module")
def ann(mesh):
    """Token, path and present tag of somebody."""
    user = mesh.register()
    token = mesh.login(user["email"])["access_token"]
    path = f"/api/v1/users/{user['id']}"
    return token, path, mesh.call("GET", path, token=token).headers["ETag"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("header,value,status", [
    ("If-None-Match", 'TAG', 304),
    ("If-None-Match", 'W/TAG', 304),
    ("If-None-Match", '"a", TAG', 304),
    ("If-None-Match", "*", 304),
    ("If-None-Match", '"a"', 200),
    ("If-Match", 'TAG', 200),
    ("If-Match", '"a"', 412),
])
def test_a_read_may_be_conditional(mesh, ann, method, header, value, status):
    token, path, tag = ann
    for target in (path, "/api/v1/users/me"):
        answer = mesh.call(method, target, token=token,
                           headers={header: value.replace("TAG", tag)})
        assert answer.status == status, answer
        assert answer.headers["ETag"] == (None if status == 412 else tag)
        if status == 304:
            assert answer.body == b"" and answer.headers["Content-Length"] is None


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("headers", [
    {"If-Match": '"a"'},
    {"If-Match": "W/TAG"},
    {"If-None-Match": "*"},
    {"If-Match": "TAG", "If-None-Match": "TAG"},
])
def test_a_change_may_be_conditional(mesh, ann, method, headers):
    token, path, tag = ann
    answer = mesh.call(method, path, {"name": "Changed"} if method == "PATCH" else None,
                       token=token,
                       headers={name: value.replace("TAG", tag) for name, value in headers.items()})
    assert answer.status == 412 and answer.code == "precondition_failed"
    assert mesh.call("GET", path, token=token).headers["ETag"] == tag


def test_conditions_do_not_count_where_nothing_is(mesh):
    path = "/api/v1/users/0190b5a0-0000-7000-8000-000000000000"
    token = mesh.admin_token()
    for method, header in (("GET", "If-None-Match"), ("DELETE", "If-Match"), ("GET", "If-Match")):
        answer = mesh.call(method, path, token=token, headers={header: "*"})
        assert answer.status == 404 and answer.code == "user_not_found"


def test_of_many_who_saw_the_same_one_changes_it(mesh):
    token = mesh.login(mesh.register()["email"])["access_token"]
    tag = mesh.call("GET", "/api/v1/users/me", token=token).headers["ETag"]

    def change(name):
        return mesh.call("PATCH", "/api/v1/users/me", {"name": name}, token=token,
                         headers={"If-Match": tag}).status
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(change, "abcd")) == [200, 412, 412, 412]
