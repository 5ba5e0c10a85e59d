"""On a schema that the next release has migrated: what a pod of this one does in a rollout and after a rollback."""
import contextlib
import sqlite3

import pytest

import harness

TABLES = {"users": "users", "auth": "accounts"}


@pytest.fixture
def own_mesh():
    mesh = harness.Mesh()
    yield mesh
    mesh.close()


def run_sql(service, *statements):
    """Fetches what the last one gives."""
    path = service.env["DATABASE_URL"].removeprefix("sqlite:")
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            rows = database.execute(statement).fetchall()
    return rows


def migrate_as_the_next_release(service):
    """One column more, which this release can do without; the version of its migration."""
    known = run_sql(service, "SELECT max(version) FROM schema_migrations")[0][0]
    run_sql(service,
            f"ALTER TABLE {TABLES[service.name]} ADD COLUMN shoe_size BIGINT NOT NULL DEFAULT 42",
            "INSERT INTO schema_migrations (version, name, checksum, applied_at, works_with) "
            f"VALUES ({known + 1}, 'shoes', '0123456789abcdef', 1767323045678, {known})")
    return known + 1


def table_of(service):
    return run_sql(service, "SELECT version, name, checksum, works_with FROM schema_migrations")


def test_goes_on_where_the_migrations_say_so(own_mesh):
    mesh = own_mesh
    ann = mesh.register()
    for service in (mesh.users, mesh.auth):
        service.process.stop()
        version = migrate_as_the_next_release(service)
        before = table_of(service)

        status, printed = service.run("migrate")  # the initContainer
        assert (status, "the schema is newer" in printed) == (0, True), printed
        status, printed = service.run("migrate", "--status")
        assert status == 0
        assert "unknown to this program, works with it" in printed.splitlines()[-1]

        service.start()
        service.wait_ready()
        told = [event for event in service.process.events()
                if event["msg"].startswith("the schema is newer")]
        assert [(event["level"], event["schema"], event["known"]) for event in told] == [
            ("warn", version, version - 1)]
        assert table_of(service) == before
    # Both read and write the tables that have a column more.
    mesh.login(ann["email"])
    ben = mesh.register()
    assert mesh.call("GET", "/api/v1/users/me",
                     token=mesh.login(ben["email"])["access_token"]).json["id"] == ben["id"]


def test_refuses_what_does_not_work_with_it(own_mesh):
    mesh = own_mesh
    for service in (mesh.users, mesh.auth):
        service.process.stop()
        version = migrate_as_the_next_release(service)
        run_sql(service, f"UPDATE schema_migrations SET works_with = 0 WHERE version = {version}")
        for command in ("serve", "migrate"):
            status, printed = service.run(command)
            assert status == 1
            assert f"the database is at migration {version} (shoes)" in printed
            assert "run the newer release, or restore the backup from before" in printed
        assert service.run("migrate", "--status")[1].endswith("does not work with it\n")
        run_sql(service, f"UPDATE schema_migrations SET works_with = {version - 1} "
                f"WHERE version = {version}")
        service.start()
        service.wait_ready()
