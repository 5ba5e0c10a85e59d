"""A PostgreSQL that one of the services has lost, or that has no place for more connections."""
import contextlib
import os
import signal
import subprocess
import threading

import pytest

import harness

CONNECTIONS = 5


@pytest.fixture
def postgres():
    server = harness.Postgres()
    yield server
    server.close()


@contextlib.contextmanager
def mesh_on(url):
    mesh = harness.Mesh(users_env={"DATABASE_URL": url})
    try:
        yield mesh
    finally:
        mesh.close()


def away_count(service):
    return [event["msg"] for event in service.process.events()].count("database is away")


@pytest.mark.parametrize("has_keys", [True, False])
def test_a_replica_without_its_database_is_not_asked(postgres, tmp_path, has_keys):
    """Two users on one PostgreSQL; one loses its way there. Without auth's keys it was never ready."""
    url = postgres.create("users")
    with mesh_on(url) as mesh:
        way = tmp_path / ".s.PGSQL.5432"
        way.symlink_to(postgres.directory / way.name)
        env = {key: value for key, value in mesh.users.env.items() if not key.endswith("_ADDR")}
        if not has_keys:
            env["AUTH_JWKS_URL"] = f"http://127.0.0.1:{harness.free_port()}/"
        cut_off = mesh._add(harness.Service("users", {
            **env, "DATABASE_URL": url.replace(str(postgres.directory), str(tmp_path))
            + "&application_name=cut_off"}))
        harness.wait_until("it waits for nothing but keys", lambda: set(harness.call(
            cut_off.admin, "GET", "/readyz").json["reasons"]) == (set() if has_keys else {"keys"}))
        way.unlink()
        postgres.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                         " WHERE application_name = 'cut_off'")
        harness.wait_until("the loss is told", lambda: "database" in harness.call(
            cut_off.admin, "GET", "/readyz").json["reasons"])
        cut_off.process.wait_line("word of leaving", lambda line: "database is away" in line)
        for i in range(8):  # otherwise half of them would be its own
            mesh.register(email=f"alone-{i}@example.com")
        way.symlink_to(postgres.directory / way.name)
        cut_off.process.wait_line("word of its return", lambda line: "database is back" in line)
        mesh.services.remove(mesh.users)
        assert mesh.users.process.stop() == 0
        mesh.register(email="other@example.com")


@pytest.fixture
def full(postgres):
    """A mesh whose users may have CONNECTIONS, and ask for more."""
    postgres.execute(f"CREATE ROLE few LOGIN CONNECTION LIMIT {CONNECTIONS}")
    url = postgres.create("users").replace("plankton@", "few@")
    postgres.execute("ALTER DATABASE users OWNER TO few")
    with mesh_on(url) as mesh:
        mesh.token = mesh.admin_token()
        yield mesh


def is_known_full(mesh):
    metrics = harness.call(mesh.users.admin, "GET", "/metrics").body.decode().splitlines()
    return "db_pool_away 1" in metrics


@contextlib.contextmanager
def all_busy(mesh, postgres):
    """Every connection waits for a lock, and requests for a connection."""
    answers = []
    callers = [threading.Thread(target=lambda: answers.append(harness.call(
        mesh.users.address, "GET", "/api/v1/users", token=mesh.token).status))
        for _ in range(2 * CONNECTIONS)]
    with subprocess.Popen(postgres.psql("users"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as holder:
        holder.stdin.write("BEGIN; LOCK TABLE users; SELECT 'held';\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        for caller in callers:
            caller.start()
        harness.wait_until("all are busy", lambda: postgres.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'few'"
            " AND wait_event_type = 'Lock'") == [str(CONNECTIONS)])
        harness.wait_until("it is known to be full", lambda: is_known_full(mesh))
        yield
        holder.stdin.close()
    for caller in callers:
        caller.join()
    assert answers.count(200) >= CONNECTIONS
    assert set(answers) <= {200, 503}  # who waited for a connection may have done so in vain


def test_full_and_busy_is_not_away(full, postgres):
    with all_busy(full, postgres):
        ready = harness.call(full.users.admin, "GET", "/readyz")
        assert (ready.status, ready.json["reasons"]) == (200, {})
    for _ in range(8):
        full.register()
    assert is_known_full(full)
    assert away_count(full.users) == 0


def test_it_comes_back_to_a_server_that_is_still_full(full, postgres):
    """Its connections stall, others take their places, and more is asked for than there is."""
    with all_busy(full, postgres):
        pass
    is_back = threading.Event()
    answers = set()

    def ask():
        while not is_back.is_set():
            answers.add(harness.call(full.users.address, "GET", "/api/v1/users",
                                     token=full.token).status)

    stalled = [int(line) for line in postgres.execute(
        "SELECT pid FROM pg_stat_activity WHERE usename = 'few'")]
    assert len(stalled) == CONNECTIONS
    callers = [threading.Thread(target=ask) for _ in range(CONNECTIONS)]
    try:
        for pid in stalled:
            os.kill(pid, signal.SIGSTOP)
        full.users.process.wait_line("word of leaving", lambda line: "database is away" in line)
        postgres.execute("ALTER ROLE few CONNECTION LIMIT 1")
        for caller in callers:
            caller.start()
    finally:
        for pid in stalled:
            os.kill(pid, signal.SIGCONT)
    try:
        full.users.process.wait_line("word of its return", lambda line: "database is back" in line)
        full.register()
    finally:
        is_back.set()
        for caller in callers:
            caller.join()
    assert 200 in answers
