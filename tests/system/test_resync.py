"""users' database is restored from a backup: auth goes back with it by `auth resync`."""
import os
import sqlite3

import pytest

import harness

PASSWORD = "correct horse battery"


@pytest.fixture
def own_mesh():
    mesh = harness.Mesh()
    yield mesh
    mesh.close()


def login(mesh, email):
    return mesh.call("POST", "/api/v1/auth/login", {"email": email, "password": PASSWORD})


def refresh(mesh, tokens):
    return mesh.call("POST", "/api/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})


def patch(mesh, user, body):
    answer = mesh.call("PATCH", f"/api/v1/users/{user['id']}", body, token=mesh.admin_token())
    assert answer.status == 200, answer


def known(mesh, user):
    """What auth has of the user: (address, role, status, version)."""
    with sqlite3.connect(f"file:{mesh.directory}/auth.db?mode=ro", uri=True) as database:
        return database.execute("SELECT email, role, status, version FROM directory "
                                "WHERE user_id = ?", (user["id"],)).fetchone()


def back_up(mesh, path):
    with sqlite3.connect(mesh.directory / "users.db") as source, sqlite3.connect(path) as target:
        source.backup(target)


def restore(mesh, path):
    mesh.users.process.stop()
    for file in mesh.directory.glob("users.db*"):
        file.unlink()
    os.rename(path, mesh.directory / "users.db")
    mesh.users.start()


def resync(mesh):
    status, output = mesh.auth.run("resync")
    assert status == 0, output
    return output.splitlines()[-1]


def test_users_goes_back(own_mesh, tmp_path):
    mesh = own_mesh
    suspended, bob, moved, gone = (mesh.register() for _ in range(4))
    back_up(mesh, tmp_path / "users.db")
    late = mesh.register()
    sessions = {user["id"]: mesh.login(user["email"]) for user in (bob, moved, late)}
    patch(mesh, suspended, {"status": "suspended"})
    patch(mesh, moved, {"email": "moved@example.com", "role": "admin"})
    for name in ("B", "Bo", "Bob"):
        patch(mesh, bob, {"name": name})
    answer = mesh.call("DELETE", f"/api/v1/users/{gone['id']}", token=mesh.admin_token())
    assert answer.status == 204
    harness.wait_until("auth knows", lambda: known(mesh, gone)[2] == "deleted" and
                       known(mesh, bob)[3] == 5)

    restore(mesh, tmp_path / "users.db")
    mesh.users.wait_ready()
    patch(mesh, bob, {"status": "suspended"})
    # This is what it is for: auth keeps to what is no more true.
    assert login(mesh, suspended["email"]).code == "account_suspended"
    assert refresh(mesh, sessions[bob["id"]]).status == 200

    assert resync(mesh) == "1 added, 3 changed, 1 removed, 1 unchanged"
    assert login(mesh, suspended["email"]).status == 200
    assert login(mesh, moved["email"]).status == 200
    assert login(mesh, "moved@example.com").status == 401
    assert login(mesh, bob["email"]).code == "account_suspended"
    assert login(mesh, late["email"]).status == 401
    assert known(mesh, gone)[:3] == (gone["email"], "user", "active")
    assert {user["name"]: refresh(mesh, sessions[user["id"]]).status
            for user in ({**bob, "name": "bob"}, {**moved, "name": "moved"},
                         {**late, "name": "late"})} == {"bob": 401, "moved": 200, "late": 401}
    assert resync(mesh) == "0 added, 0 changed, 0 removed, 5 unchanged"
    # What happens from now on counts, though auth has known higher versions.
    patch(mesh, bob, {"status": "active"})
    harness.wait_until("auth hears", lambda: known(mesh, bob)[2:] == ("active", 4))
    assert login(mesh, bob["email"]).status == 200


def test_with_auth_stopped(own_mesh, tmp_path):
    """The last events of the old time have not been heard: they must not come after it."""
    mesh = own_mesh
    ann = mesh.register()
    back_up(mesh, tmp_path / "users.db")
    admin = mesh.admin_token()
    mesh.auth.process.stop()
    for _ in range(2):
        for status in ("suspended", "active", "suspended"):
            answer = mesh.call("PATCH", f"/api/v1/users/{ann['id']}", {"status": status},
                               token=admin)
            assert answer.status == 200, answer
    restore(mesh, tmp_path / "users.db")
    # It does not become ready, since it wants auth's keys, but answers after a while.
    done = harness.wait_until("users answers", lambda: (
        lambda status, output: status == 0 and output)(*mesh.auth.run("resync")))
    assert "\n0 added, 1 changed, 0 removed, " in done, done
    mesh.auth.start()
    mesh.auth.wait_ready()
    assert login(mesh, ann["email"]).status == 200
    assert known(mesh, ann)[2:] == ("active", 2)


def has_snapshot(mesh):
    with sqlite3.connect(f"file:{mesh.directory}/auth.db?mode=ro", uri=True) as database:
        return database.execute("SELECT count(*) FROM inbox_places").fetchone()[0] == 1


def test_users_is_away_and_the_progress(own_mesh):
    mesh = own_mesh
    # Without one, it waits for users before it begins.
    harness.wait_until("auth has its snapshot", lambda: has_snapshot(mesh))
    mesh.users.process.stop()
    status, output = mesh.auth.run("resync")
    assert status == 1 and "users.v1.list" in output, output
    mesh.users.start()
    mesh.users.wait_ready()
    assert mesh.auth.run("resync", "--all")[0] == 2
    shown = mesh.auth.run_on_terminal("resync")
    assert "\rcompared 1 users" in shown, shown
