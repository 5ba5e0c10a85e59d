"""Accounts and sessions where it is hard: races, crashes, replicas, other keys."""
import concurrent.futures
import secrets
import threading

import pytest

import harness

PASSWORD = "correct horse battery"


def at_once(count, run):
    """The results of run(0) ... run(count - 1), which begin at the same moment."""
    barrier = threading.Barrier(count)

    def wait_and_run(index):
        barrier.wait()
        return run(index)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_run, range(count)))


def register(mesh, email, password=PASSWORD):
    return mesh.call("POST", "/api/v1/auth/register",
                     {"email": email, "password": password, "name": "R"})


def login(mesh, email, password=PASSWORD):
    return mesh.call("POST", "/api/v1/auth/login", {"email": email, "password": password})


def refresh(address, token):
    return harness.call(address, "POST", "/api/v1/auth/refresh", {"refresh_token": token})


@pytest.fixture
def own_mesh():
    mesh = harness.Mesh()
    yield mesh
    mesh.close()


def test_exactly_one_registration_wins(mesh):
    for _ in range(5):
        email = f"race-{secrets.token_hex(4)}@example.com"
        answers = at_once(8, lambda index, email=email: register(
            mesh, email.upper() if index % 2 else email, f"password of {index}"))
        winners = [index for index, answer in enumerate(answers) if answer.status == 201]
        assert len(winners) == 1, answers
        assert {(answer.status, answer.code) for answer in answers if answer.status != 201} == {
            (409, "email_taken")}
        for index in range(8):
            status = login(mesh, email, f"password of {index}").status
            assert status == (200 if index in winners else 401)


def test_racing_refreshes_get_the_same_successor(mesh):
    """On two replicas of auth, which share the database alone."""
    replica = harness.Service("auth", {**mesh.auth.env, "LISTEN_ADDR": "127.0.0.1:0",
                                       "ADMIN_ADDR": "127.0.0.1:0"}).wait_ready()
    try:
        user = mesh.register()
        token = mesh.login(user["email"])["refresh_token"]
        for _ in range(5):
            answers = at_once(16, lambda index, token=token: refresh(
                (mesh.auth if index % 2 else replica).address, token))
            assert {answer.status for answer in answers} == {200}, answers
            successors = {answer.json["refresh_token"] for answer in answers}
            assert len(successors) == 1 and token not in successors
            token = successors.pop()
        # What one replica has signed, every service takes.
        tokens = refresh(replica.address, token).json
        assert mesh.call("GET", "/api/v1/users/me", token=tokens["access_token"]).status == 200
    finally:
        assert replica.process.stop() == 0


def test_a_suspended_user_is_out_at_once(mesh):
    user = mesh.register()
    tokens = mesh.login(user["email"])
    path = f"/api/v1/users/{user['id']}"
    admin = mesh.admin_token()
    assert mesh.call("PATCH", path, {"status": "suspended"}, token=admin).status == 200
    for target in ("/api/v1/users/me", path):
        answer = mesh.call("GET", target, token=tokens["access_token"])
        assert (answer.status, answer.code) == (403, "account_suspended")
    # auth hears of it a moment later.
    harness.wait_until("the session has ended", lambda: refresh(
        mesh.auth.address, tokens["refresh_token"]).status == 401, timeout_s=10)
    assert mesh.call("PATCH", path, {"status": "active"}, token=admin).status == 200
    # The sessions have ended for good; the person signs in again.
    assert refresh(mesh.auth.address, tokens["refresh_token"]).status == 401
    mesh.login(user["email"])


def test_a_former_admin_is_none(mesh):
    user = mesh.register()
    path = f"/api/v1/users/{user['id']}"
    admin = mesh.admin_token()
    assert mesh.call("PATCH", path, {"role": "admin"}, token=admin).status == 200
    token = mesh.login(user["email"])["access_token"]
    assert mesh.call("GET", "/api/v1/users", token=token).status == 200
    assert mesh.call("PATCH", path, {"role": "user"}, token=admin).status == 200
    answer = mesh.call("GET", "/api/v1/users", token=token)
    assert (answer.status, answer.code) == (403, "forbidden")


def register_until_done(mesh, email):
    """As a person does who gets an error page: again, until told that the address is registered."""
    answers = []

    def is_registered():
        try:
            answer = register(mesh, email)
        except OSError as lost:
            answers.append(lost)
            return False
        if answer.status == 201:
            return True
        if answers and (answer.status, answer.code) == (409, "email_taken"):
            return True  # an answer was lost, the registration was not
        assert answer.status in (500, 503, 504), answer
        answers.append(answer)
        return False
    harness.wait_until(f"{email} is registered", is_registered)


@pytest.mark.parametrize("victim", ["users", "auth", "nats"])
def test_a_crash_blocks_nobody_from_registering(own_mesh, victim):
    """People register while a process is killed and comes back: in the end each can sign in."""
    mesh = own_mesh
    people, done = [], threading.Event()

    def come(index):
        number = 0
        while not done.is_set():
            email = f"crash-{index}-{number}@example.com"
            number += 1
            register_until_done(mesh, email)
            people.append(email)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(come, index) for index in range(4)]
        try:
            for _ in range(4):
                harness.wait_until("people register", lambda before=len(people):
                                   len(people) > before + 5 or any(f.done() for f in running))
                if victim == "nats":
                    mesh.nats.process.kill()
                    mesh.nats.start()
                else:
                    service = getattr(mesh, victim)
                    service.process.kill()
                    service.start()
        finally:
            done.set()
        for future in running:
            future.result()
    for email in people:
        answer = login(mesh, email)
        assert answer.status == 200, (email, answer)


def test_tokens_outlive_a_change_of_algorithm(own_mesh):
    mesh = own_mesh
    user = mesh.register()
    before = mesh.login(user["email"])["access_token"]
    mesh.auth.process.stop()
    mesh.auth.env["JWT_ALG"] = "EdDSA"
    mesh.auth.start()
    mesh.auth.wait_ready()
    after = mesh.login(user["email"])["access_token"]
    read = lambda token: mesh.call("GET", "/api/v1/users/me", token=token)
    assert read(before).status == 200
    # An unknown key makes a service fetch the key set anew, though not all the time.
    harness.wait_until("the new key is known", lambda: read(after).status == 200)
    assert read(before).status == 200


def test_another_key_encryption_key_is_told(own_mesh):
    mesh = own_mesh
    mesh.auth.process.stop()
    good = mesh.auth.env["KEY_ENCRYPTION_KEY"]
    mesh.auth.env["KEY_ENCRYPTION_KEY"] = secrets.token_hex(32)
    process = harness.Process("auth", [harness.BIN / "auth"], env=mesh.auth.env)
    assert process.child.wait(harness.PATIENCE_S) == 1
    harness.wait_until("the reason is logged", lambda: "KEY_ENCRYPTION_KEY" in process.log())
    assert mesh.auth.env["KEY_ENCRYPTION_KEY"] not in process.log()
    mesh.auth.env["KEY_ENCRYPTION_KEY"] = good
    mesh.auth.start()
    mesh.auth.wait_ready()
    mesh.admin_token()


def test_overload_is_an_answer():
    """One slow hash at a time: those whose turn does not come are told when to try again."""
    mesh = harness.Mesh(auth_env={"HASH_WORKERS": "1", "ARGON2_MEMORY_KIB": "65536",
                                  "ARGON2_PASSES": "20"})
    try:
        answers = at_once(16, lambda index: harness.call(
            mesh.auth.address, "POST", "/api/v1/auth/login",
            {"email": "nobody@example.com", "password": PASSWORD}))
        statuses = {answer.status for answer in answers}
        assert statuses == {401, 503}, answers
        for answer in answers:
            if answer.status == 503:
                assert answer.code == "overloaded"
                assert int(answer.headers["Retry-After"]) >= 1
        assert harness.call(mesh.auth.admin, "GET", "/readyz").status == 200
        # It never had the memory of two hashes.
        metrics = harness.call(mesh.auth.admin, "GET", "/metrics").body.decode()
        assert 'auth_hash_refused_total' in metrics
        status = (harness.Path("/proc") / str(mesh.auth.process.child.pid) / "status").read_text()
        peak_kib = int(next(line for line in status.splitlines()
                            if line.startswith("VmHWM")).split()[1])
        if not any(name in str(harness.BIN) for name in ("asan", "tsan")):
            assert peak_kib < 2 * 65536
    finally:
        mesh.close()
