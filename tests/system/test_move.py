"""From SQLite to PostgreSQL by export and import: afterwards everybody can sign in."""
import secrets

import harness

PASSWORD = "correct horse battery"


def run(service, *arguments, **env):
    status, output = service.run(*arguments, **env)
    assert status == 0, output
    return output


def login(mesh, email, password=PASSWORD):
    return mesh.call("POST", "/api/v1/auth/login", {"email": email, "password": password})


def people_of(mesh):
    """All kinds of them, as an admin sees them."""
    admin = mesh.admin_token()
    for index in range(250):  # more than a batch of the import
        mesh.call("POST", "/api/v1/users", {"email": f"p{index}@example.com", "name": "P"},
                  token=admin)
    for index in range(10):
        mesh.register(f"Person-{index}@Example.com", name=f"Nü {index}")
    suspended = mesh.register("suspended@example.com")
    path = f"/api/v1/users/{suspended['id']}"
    assert mesh.call("PATCH", path, {"status": "suspended"}, token=admin).status == 200
    moved = mesh.register("before@example.com")
    path = f"/api/v1/users/{moved['id']}"
    assert mesh.call("PATCH", path, {"email": "after@example.com", "role": "admin"},
                     token=admin).status == 200
    gone = mesh.register("gone@example.com")
    assert mesh.call("DELETE", f"/api/v1/users/{gone['id']}", token=admin).status == 204
    return everybody(mesh)


def everybody(mesh):
    token, users, cursor = mesh.admin_token(), [], ""
    while cursor is not None:
        page = mesh.call("GET", f"/api/v1/users?limit=200{cursor and '&cursor='}{cursor}",
                         token=token).json
        users += page["items"]
        cursor = page["next_cursor"]
    return sorted(users, key=lambda user: user["id"])


def test_move_to_postgres(tmp_path):
    files = {name: str(tmp_path / f"{name}.jsonl") for name in ("users", "auth")}
    old = harness.Mesh()
    try:
        before = people_of(old)
        assert len(before) == 263
        for service in (old.users, old.auth):
            assert service.process.stop() == 0
            run(service, "export", files[service.name])
    finally:
        old.close()
    text = (tmp_path / "users.jsonl").read_text() + (tmp_path / "auth.jsonl").read_text()
    assert PASSWORD not in text and harness.ADMIN_PASSWORD not in text

    postgres = harness.Postgres()
    try:
        urls = {name: postgres.create(name) for name in files}
        for service in (old.users, old.auth):
            name, url = service.name, urls[service.name]
            # Broken off after some of it, and run again.
            lines = (tmp_path / f"{name}.jsonl").read_text().splitlines(keepends=True)
            part = tmp_path / "part.jsonl"
            part.write_text("".join(lines[:len(lines) // 2]))
            status, output = service.run("import", str(part), DATABASE_URL=url)
            assert status == 1 and "the file was cut" in output, output
            output = run(service, "import", files[name], DATABASE_URL=url)
            assert f"{len(lines) // 2 - 1} skipped, 0 conflicts" in output
            output = run(service, "import", files[name], DATABASE_URL=url)
            assert f"0 inserted, {len(lines) - 2} skipped, 0 conflicts" in output
        new = harness.Mesh(users_env={"DATABASE_URL": urls["users"]},
                           auth_env={"DATABASE_URL": urls["auth"],
                                     "KEY_ENCRYPTION_KEY": secrets.token_hex(32)})
        try:
            assert everybody(new) == before
            for index in range(10):
                assert login(new, f"person-{index}@example.com").status == 200
            assert login(new, "after@example.com").status == 200
            assert login(new, "before@example.com").status == 401
            assert login(new, "suspended@example.com").code == "account_suspended"
            assert login(new, "gone@example.com").status == 401
            answer = new.call("POST", "/api/v1/auth/register", {
                "email": "PERSON-1@example.com", "password": "another password", "name": "X"})
            assert (answer.status, answer.code) == (409, "email_taken")
            new.register("gone@example.com")
        finally:
            new.close()
    finally:
        postgres.close()


def test_a_line_that_is_wrong(tmp_path, mesh):
    """Told by its number and field; what comes before it is there."""
    file = tmp_path / "users.jsonl"
    user = ('{"id":"0190b5a0-0000-7000-8000-00000000000%d","email":"wrong-%d@%s","name":"W",'
            '"role":"user","status":"active","email_verified":false,'
            '"created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z",'
            '"version":1}\n')
    file.write_text('{"format":"plankton-users","version":1}\n' + user % (1, 1, "example.com") +
                    user % (2, 2, "nowhere"))
    database = f"sqlite:{tmp_path}/other.db"
    status, output = mesh.users.run("import", str(file), DATABASE_URL=database)
    assert status == 1
    assert 'line 3: field "email": ' in output and "1 inserted" in output
    status, output = mesh.users.run("export", DATABASE_URL=database)
    assert status == 0 and "wrong-1@example.com" in output and '"count":1' in output
    assert mesh.users.run("export", "a", "b")[0] == 2
    assert mesh.users.run("import", "--force")[0] == 2


def test_progress_on_a_terminal(mesh):
    """There only: a log has the result alone."""
    shown = mesh.users.run_on_terminal("export")
    assert "\rexported " in shown and shown.rstrip().endswith(" users exported"), shown
    status, output = mesh.users.run("export")
    assert status == 0 and "\r" not in output
