"""What a person with curl does, through the gateway."""
import re
import secrets

import pytest

import harness

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_register_login_read_change_and_log_out(mesh):
    email = f"Ann.{secrets.token_hex(4)}@Example.com"
    answer = mesh.call("POST", "/api/v1/auth/register",
                       {"email": email, "password": "correct horse battery", "name": "Ann"})
    assert answer.status == 201, answer
    user = answer.json
    assert UUID7.fullmatch(user["id"])
    assert answer.headers["Location"] == f"/api/v1/users/{user['id']}"
    assert TIME.fullmatch(user["created_at"]) and TIME.fullmatch(user["updated_at"])
    assert {**user, "id": "", "created_at": "", "updated_at": ""} == {
        "id": "", "email": email, "name": "Ann", "role": "user", "status": "active",
        "email_verified": False, "created_at": "", "updated_at": ""}

    tokens = mesh.login(email.lower())  # letter case of an address does not matter
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 900
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token",
                           "refresh_expires_in", "session_id"}
    token = tokens["access_token"]

    me = mesh.call("GET", "/api/v1/users/me", token=token)
    assert me.status == 200 and me.json == user
    etag = me.headers["ETag"]
    cached = mesh.call("GET", "/api/v1/users/me", token=token, headers={"If-None-Match": etag})
    assert cached.status == 304 and cached.body == b""

    changed = mesh.call("PATCH", "/api/v1/users/me", {"name": "Änn"}, token=token,
                        headers={"If-Match": etag})
    assert changed.status == 200 and changed.json["name"] == "Änn"
    assert changed.headers["ETag"] != etag
    stale = mesh.call("PATCH", "/api/v1/users/me", {"name": "X"}, token=token,
                      headers={"If-Match": etag})
    assert stale.status == 412 and stale.code == "precondition_failed"

    assert mesh.call("POST", "/api/v1/auth/logout", token=token).status == 204
    refused = mesh.call("POST", "/api/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert refused.status == 401 and refused.code == "invalid_refresh_token"


def test_every_answer_has_a_request_id(mesh):
    for target in ("/api/v1/users/me", "/nowhere", "/.well-known/jwks.json"):
        given = mesh.call("GET", target, headers={"X-Request-Id": "my-id-1"})
        assert given.headers["X-Request-Id"] == "my-id-1"
        made = mesh.call("GET", target, headers={"X-Request-Id": "not sane\x7f"})
        assert UUID7.fullmatch(made.headers["X-Request-Id"])


def test_an_address_is_taken_once(mesh):
    user = mesh.register()
    again = mesh.call("POST", "/api/v1/auth/register", {
        "email": user["email"].upper(), "password": "correct horse battery", "name": "Eve"})
    assert again.status == 409 and again.code == "email_taken"
    assert again.headers["Content-Type"] == "application/problem+json"


def test_all_wrong_fields_are_reported_at_once(mesh):
    answer = mesh.call("POST", "/api/v1/auth/register", {"email": "no", "name": "", "extra": 1})
    assert answer.status == 422 and answer.code == "invalid_request"
    assert {error["field"] for error in answer.json["errors"]} == {
        "email", "name", "password", "extra"}


@pytest.mark.parametrize("password", ["short", "password", "12345678"])
def test_weak_passwords_are_refused(mesh, password):
    answer = mesh.call("POST", "/api/v1/auth/register", {
        "email": f"weak-{secrets.token_hex(4)}@example.com", "password": password, "name": "W"})
    assert answer.status == 422 and answer.code == "weak_password"


def test_unknown_address_and_wrong_password_look_alike(mesh):
    user = mesh.register()
    answers = [
        mesh.call("POST", "/api/v1/auth/login", {"email": email, "password": "not the password"})
        for email in (user["email"], "nobody@example.com")]
    for answer in answers:
        assert answer.status == 401 and answer.code == "invalid_credentials"
    strip = lambda body: {k: v for k, v in body.items() if k != "request_id"}
    assert strip(answers[0].json) == strip(answers[1].json)


def test_refresh_tokens_rotate_and_reuse_ends_the_session(mesh):
    user = mesh.register()
    first = mesh.login(user["email"])["refresh_token"]
    refresh = lambda token: mesh.call("POST", "/api/v1/auth/refresh", {"refresh_token": token})
    second = refresh(first)
    assert second.status == 200
    # A racing client that presents the same token again gets the same successor.
    raced = refresh(first)
    assert raced.status == 200
    assert raced.json["refresh_token"] == second.json["refresh_token"]
    third = refresh(second.json["refresh_token"])
    assert third.status == 200
    reused = refresh(first)
    assert reused.status == 401 and reused.code == "invalid_refresh_token"
    assert refresh(third.json["refresh_token"]).status == 401


def test_admin_lists_invites_suspends_and_deletes(mesh):
    admin = mesh.admin_token()
    prefix = secrets.token_hex(4)
    made = []
    for number in range(5):
        answer = mesh.call("POST", "/api/v1/users", {
            "email": f"{prefix}-{number}@example.com", "name": f"Guest {number}"}, token=admin)
        assert answer.status == 201, answer
        made.append(answer.json["id"])

    seen, cursor = [], None
    while True:
        target = "/api/v1/users?limit=2&sort=-created_at" + (f"&cursor={cursor}" if cursor else "")
        page = mesh.call("GET", target, token=admin)
        assert page.status == 200 and len(page.json["items"]) <= 2
        seen += [item["id"] for item in page.json["items"]]
        cursor = page.json["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert [id for id in seen if id in made] == list(reversed(made))

    found = mesh.call("GET", f"/api/v1/users?email={prefix}-3%40EXAMPLE.com", token=admin)
    assert [item["id"] for item in found.json["items"]] == [made[3]]

    suspended = mesh.call("PATCH", f"/api/v1/users/{made[0]}", {"status": "suspended"}, token=admin)
    assert suspended.status == 200 and suspended.json["status"] == "suspended"
    only = mesh.call("GET", "/api/v1/users?status=suspended&limit=200", token=admin)
    assert made[0] in [item["id"] for item in only.json["items"]]

    assert mesh.call("DELETE", f"/api/v1/users/{made[0]}", token=admin).status == 204
    gone = mesh.call("GET", f"/api/v1/users/{made[0]}", token=admin)
    assert gone.status == 404 and gone.code == "user_not_found"


def test_a_user_may_not_do_what_admins_do(mesh):
    user, other = mesh.register(), mesh.register()
    token = mesh.login(user["email"])["access_token"]
    cases = [
        ("GET", "/api/v1/users", None),
        ("POST", "/api/v1/users", {"email": "x@example.com", "name": "X"}),
        ("GET", f"/api/v1/users/{other['id']}", None),
        ("PATCH", f"/api/v1/users/{other['id']}", {"name": "X"}),
        ("DELETE", f"/api/v1/users/{other['id']}", None),
        ("PATCH", "/api/v1/users/me", {"role": "admin"}),
    ]
    for method, target, body in cases:
        answer = mesh.call(method, target, body, token=token)
        assert answer.status == 403 and answer.code == "forbidden", (method, target, answer)
    assert mesh.call("GET", f"/api/v1/users/{user['id']}", token=token).status == 200


def test_a_suspended_user_cannot_sign_in(mesh):
    user = mesh.register()
    answer = mesh.call("PATCH", f"/api/v1/users/{user['id']}", {"status": "suspended"},
                       token=mesh.admin_token())
    assert answer.status == 200
    refused = mesh.call("POST", "/api/v1/auth/login",
                        {"email": user["email"], "password": "correct horse battery"})
    assert refused.status == 403 and refused.code == "account_suspended"


def test_a_deleted_user_frees_the_address(mesh):
    user = mesh.register()
    token = mesh.login(user["email"])["access_token"]
    assert mesh.call("DELETE", "/api/v1/users/me", token=token).status == 204
    refused = mesh.call("POST", "/api/v1/auth/login",
                        {"email": user["email"], "password": "correct horse battery"})
    assert refused.status == 401 and refused.code == "invalid_credentials"
    again = mesh.register(email=user["email"], password="another good password")
    assert again["id"] != user["id"]
    mesh.login(user["email"], "another good password")


def test_a_changed_address_signs_in(mesh):
    user = mesh.register()
    token = mesh.login(user["email"])["access_token"]
    moved = f"moved-{secrets.token_hex(4)}@example.com"
    assert mesh.call("PATCH", "/api/v1/users/me", {"email": moved}, token=token).status == 200
    mesh.login(moved)
    refused = mesh.call("POST", "/api/v1/auth/login",
                        {"email": user["email"], "password": "correct horse battery"})
    assert refused.status == 401


def test_the_trace_is_passed_on(mesh):
    trace = secrets.token_hex(16)
    mesh.call("GET", "/api/v1/users/me", headers={
        "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01", "X-Request-Id": f"t-{trace}"})
    for service in (mesh.gateway, mesh.users):
        harness.wait_until(f"{service.name} logs the trace", lambda s=service: any(
            event.get("trace_id") == trace and event.get("request_id") == f"t-{trace}"
            for event in s.process.events()))
