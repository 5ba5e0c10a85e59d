"""Garbage, over the gateway and to the services directly: the documented error, and nobody dies."""
import base64
import json
import socket

import pytest

import harness

REGISTER = "/api/v1/auth/register"
VALID = {"email": "bad-input@example.com", "password": "correct horse battery", "name": "B"}


@pytest.fixture(params=["gateway", "direct"])
def auth(request, mesh):
    """The address at which auth's routes answer."""
    return mesh.gateway.address if request.param == "gateway" else mesh.auth.address


@pytest.fixture(params=["gateway", "direct"])
def users(request, mesh):
    return mesh.gateway.address if request.param == "gateway" else mesh.users.address


def nested(depth):
    return b"[" * depth + b"]" * depth


BODIES = {
    "empty": (b"", 400, "malformed_json"),
    "truncated": (b'{"email":"a@example.com"', 400, "malformed_json"),
    "two texts": (b"{}{}", 400, "malformed_json"),
    "trailing comma": (b'{"email":"a@example.com",}', 400, "malformed_json"),
    "invalid UTF-8": (b'{"email":"\xff\xfe"}', 400, "malformed_json"),
    "overlong UTF-8": (b'{"email":"\xc0\xaf"}', 400, "malformed_json"),
    "lone surrogate": (rb'{"email":"\ud800"}', 400, "malformed_json"),
    "NUL in a string": (rb'{"email":"a\u0000b@example.com"}', 400, "malformed_json"),
    "byte order mark": (b"\xef\xbb\xbf{}", 400, "malformed_json"),
    "duplicate key": (b'{"email":"a@example.com","email":"b@example.com"}', 400, "malformed_json"),
    "deep nesting": (b'{"email":' + nested(33) + b"}", 400, "malformed_json"),
    "very deep nesting": (nested(8_000), 400, "malformed_json"),
    "not an object": (b"[]", 422, "invalid_request"),
    "null": (b"null", 422, "invalid_request"),
    "wrong types": (b'{"email":1,"password":true,"name":[]}', 422, "invalid_request"),
    "huge number": (b'{"email":' + b"9" * 400 + b',"password":1e999,"name":"x"}', 422,
                    "invalid_request"),
    "unknown field": (json.dumps({**VALID, "role": "admin"}).encode(), 422, "invalid_request"),
    "long name": (json.dumps({**VALID, "name": "x" * 101}).encode(), 422, "invalid_request"),
    "oversized": (json.dumps({**VALID, "name": "x" * (1 << 20)}).encode(), 413, "body_too_large"),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(auth, name):
    body, status, code = BODIES[name]
    answer = harness.call(auth, "POST", REGISTER, body)
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "json", ""])
def test_content_types(auth, content_type):
    answer = harness.call(auth, "POST", REGISTER, json.dumps(VALID),
                          headers={"Content-Type": content_type})
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


def test_methods(users, auth):
    answer = harness.call(auth, "DELETE", REGISTER)
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]
    assert harness.call(users, "OPTIONS", "/api/v1/users/me").status == 204


# A request target, and the statuses that are right for it.
TARGETS = {
    "NUL": ("/api/v1/users/%00", {400}),
    "dots": ("/api/v1/users/../auth/logout", {400}),
    "encoded dots": ("/api/v1/users/%2e%2e/auth", {400}),
    "double slash": ("//api/v1/users/me", {400}),
    "inner double slash": ("/api/v1//users/me", {400}),
    "bad escape": ("/api/v1/users/%zz", {400}),
    "half an escape": ("/api/v1/users/%4", {400}),
    "invalid UTF-8": ("/api/v1/users/%ff", {400, 401, 404}),
    "16 KB": ("/api/v1/users/" + "a" * 16384, {414, 431}),
    "nowhere": ("/nowhere", {404}),
    "no slash": ("api", {400}),
}


@pytest.mark.parametrize("name", TARGETS)
def test_targets(users, name):
    target, statuses = TARGETS[name]
    received = harness.raw(users, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                           .encode())
    assert harness.status_of(received) in statuses, received[:400]
    assert b"application/problem+json" in received


HEAD = b"POST " + REGISTER.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

REQUESTS = {
    "both lengths": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "signed length": HEAD + b"Content-Length: +2\r\n\r\n{}",
    "hex length": HEAD + b"Content-Length: 0x2\r\n\r\n{}",
    "huge length": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "space before colon": HEAD + b"Content-Length : 2\r\n\r\n{}",
    "folded header": HEAD + b"X-A: 1\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "NUL in header": HEAD + b"X-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "no host": b"GET /api/v1/users/me HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /api/v1/users/me HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "no method": b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "newlines only": b"\n" * 64 + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", REQUESTS)
def test_malformed_requests(auth, name):
    received = harness.raw(auth, REQUESTS[name], shutdown=True)
    assert harness.status_of(received) in {None, 400, 413, 501}, received[:400]
    if received:
        assert b"application/problem+json" in received, received[:400]


def test_big_headers(auth):
    received = harness.raw(auth, b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nX-Big: "
                           + b"a" * 40_000 + b"\r\n\r\n")
    assert harness.status_of(received) == 431, received[:400]
    assert b"headers_too_large" in received


def test_truncated_body(auth):
    received = harness.raw(auth, HEAD + b"Content-Length: 100\r\n\r\n{", shutdown=True)
    assert harness.status_of(received) in {None, 400, 408}, received[:400]


def test_half_open_connections_hurt_nobody(mesh, auth):
    host, port = auth.rsplit(":", 1)
    held = [socket.create_connection((host, int(port))) for _ in range(8)]
    try:
        for number, peer in enumerate(held):
            peer.sendall(HEAD[: number * 7])
        assert harness.call(auth, "GET", "/.well-known/jwks.json").status == 200
    finally:
        for peer in held:
            peer.close()


def flip(text, index):
    """The token with one character changed to another of the same alphabet."""
    other = "A" if text[index] != "A" else "B"
    return text[:index] + other + text[index + 1:]


def test_tokens_tampered_with(mesh, users):
    token = mesh.login(mesh.register()["email"])["access_token"]
    assert harness.call(users, "GET", "/api/v1/users/me", token=token).status == 200
    header, payload, signature = token.split(".")
    encode = lambda value: base64.urlsafe_b64encode(
        json.dumps(value).encode()).rstrip(b"=").decode()
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = {
        "header": ".".join([flip(header, 5), payload, signature]),
        "payload": ".".join([header, flip(payload, 12), signature]),
        "signature": ".".join([header, payload, flip(signature, 10)]),
        "role": ".".join([header, encode({**claims, "role": "admin"}), signature]),
        "alg none": ".".join([encode({"alg": "none", "typ": "at+jwt"}), payload, ""]),
        "alg HS256": ".".join([encode({"alg": "HS256", "typ": "at+jwt"}), payload, signature]),
        "two parts": ".".join([header, payload]),
        "four parts": token + ".x",
        "no signature": ".".join([header, payload, ""]),
        "empty": "",
        "long": "a" * 8000,
        "not ASCII": "\xff\xfe",
    }
    for name, bad in forged.items():
        answer = harness.call(users, "GET", "/api/v1/users/me",
                              headers={"Authorization": f"Bearer {bad}"})
        assert (answer.status, answer.code) == (401, "unauthenticated"), (name, answer)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer"), name
    basic = harness.call(users, "GET", "/api/v1/users/me", headers={"Authorization": "Basic YTpi"})
    assert basic.status == 401


def test_forged_identity_headers_do_nothing(mesh):
    answer = mesh.call("GET", "/api/v1/users/me", headers={
        "X-User-Id": "0190b5a0-0000-7000-8000-000000000000", "X-User-Role": "admin"})
    assert (answer.status, answer.code) == (401, "unauthenticated")


def test_nobody_died_and_no_secret_was_logged(mesh):
    """Runs after the rest of this file: every process still answers, no log has a secret."""
    user = mesh.register(password="a secret that nobody logs")
    tokens = mesh.login(user["email"], "a secret that nobody logs")
    mesh.call("GET", f"/api/v1/users/me?access_token={tokens['access_token']}",
              token=tokens["access_token"])
    for service in mesh.services:
        assert service.process.child.poll() is None
        assert harness.call(service.admin, "GET", "/livez").status == 200
        log = service.process.log()
        for secret in ("a secret that nobody logs", tokens["refresh_token"],
                       tokens["access_token"], harness.ADMIN_PASSWORD):
            assert secret not in log, f"{service.name} logged a secret"
