"""How fast a service's events leave: a full outbox, until JetStream has acknowledged the last row."""
import contextlib
import re
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import harness

ROUNDS = 5
EVENTS = 20000
ONE, MANY = "one thing", "different things"

# Both dialects: :about is the number of the row, or 1; about 400 bytes, as an event of a user has.
ROWS = """INSERT INTO outbox (id, type, about, body, created_at)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {events})
SELECT '0190b5a0-{round}-7000-8000-' || substr(CAST(100000000000 + n AS TEXT), 1, 12),
'users.v1.events.updated', CAST({about} AS TEXT),
'{{"specversion":"1.0","padding":"{padding}"}}', 1 FROM numbers"""


class Sqlite:
    name = "SQLite"

    def __init__(self, directory):
        self.path = directory / "users.db"
        self.url = f"sqlite:{self.path}"

    def run(self, statement):
        with contextlib.closing(sqlite3.connect(self.path)) as database, database:
            database.execute(statement)

    def close(self):
        pass


class Postgres:
    name = "PostgreSQL"

    def __init__(self, _):
        self.server = harness.Postgres()
        self.url = self.server.create("users")

    def run(self, statement):
        subprocess.run([self.server.bin / "psql", "-q", "-h", self.server.directory, "-U",
                        "plankton", "-c", statement, "users"], check=True)

    def close(self):
        self.server.close()


def published(service):
    body = harness.call(service.admin, "GET", "/metrics").body.decode()
    found = re.search(r"^outbox_published_total (\d+)", body, re.M)
    return int(found.group(1)) if found else 0  # not begun yet


def rate(service, database, about, number):
    """Events per second, from the first ones that are seen to have gone to the last."""
    database.run(ROWS.format(events=EVENTS, about="n" if about == MANY else "1",
                             round=f"{number:04x}", padding="x" * 360))
    service.start()
    begun, first = None, 0
    while (count := published(service)) < EVENTS:
        if count and begun is None:
            begun, first = time.perf_counter(), count
        time.sleep(0.01)
    took = time.perf_counter() - begun
    service.process.stop()
    return (EVENTS - first) / took


def measure(nats, directory, kind):
    database = kind(directory)
    try:
        service = harness.Service("users", {
            "NATS_URL": nats.url, "DATABASE_URL": database.url,
            "AUTH_JWKS_URL": "http://127.0.0.1:1/"})
        service.process.stop()
        assert service.run("migrate")[0] == 0
        rates = {ONE: [], MANY: []}
        for number in range(ROUNDS):
            for about, found in rates.items():
                found.append(rate(service, database, about, 2 * number + (about == MANY)))
    finally:
        database.close()
    return [(database.name, about, statistics.median(found)) for about, found in rates.items()]


def run():
    directory = Path(tempfile.mkdtemp(prefix="plankton-events-"))
    nats = harness.Nats(directory / "nats")
    try:
        rows = [row for kind in (Sqlite, Postgres) for row in measure(nats, directory, kind)]
    finally:
        nats.process.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return [f"How fast one line of events leaves: {EVENTS} events of 400 bytes in the outbox of "
            "`users`, until JetStream (one server, files) has acknowledged the last and its row is "
            f"gone. Everything on one machine; median of {ROUNDS} rounds. Events about different "
            "things are sent ahead of each other's acknowledgements, those about one thing are not: "
            "there each takes a round trip to NATS.", "",
            "| database | events about | per second |", "|---|---|---|",
            *[f"| {name} | {about} | {round(found, -2):.0f} |" for name, about, found in rows]]
