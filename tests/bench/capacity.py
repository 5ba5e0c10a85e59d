"""What a request, a login, a user and an open connection cost, for who plans cores and memory."""
import collections
import ctypes
import os
import signal
import statistics
import time

import clients
import harness
import part as parts
from loads import CALLERS, CONNECTIONS, NEWCOMERS, PEOPLE, RENAMES, SECONDS, Loads
from place import ARGON2, PASSWORD, Place, metric, people

ROUNDS = 5
USERS, SESSIONS = 20000, 20000
MIB = 1024 * 1024

SESSIONS_SQL = """INSERT INTO sessions
SELECT '0190b5a0-0000-7000-8000-' || lpad(n::text, 12, '0'), user_id, seed, generation, created_at,
rotated_at, expires_at + n
FROM (SELECT * FROM sessions LIMIT 1) one, generate_series(1, {count}) n"""

LOADS = {
    "keys": "GET `/.well-known/jwks.json`",
    "me": "GET `/api/v1/users/me`",
    "rename": "PATCH `/api/v1/users/me`",
    "login": "POST `/api/v1/auth/login`",
    "refresh": "POST `/api/v1/auth/refresh`",
    "register": "POST `/api/v1/auth/register`",
    "nothing": "nothing, for a second",
}


class Libsodium:
    """The hash of a login, and nothing else."""

    def __init__(self):
        self.library = ctypes.CDLL("libsodium.so.23")
        self.hash = self.library.crypto_pwhash
        self.hash.argtypes = [
            ctypes.c_char_p, ctypes.c_ulonglong, ctypes.c_char_p, ctypes.c_ulonglong,
            ctypes.c_char_p, ctypes.c_ulonglong, ctypes.c_size_t, ctypes.c_int]
        assert self.library.sodium_init() >= 0
        self.argon2id = self.library.crypto_pwhash_alg_argon2id13()

    def cpu_seconds(self, count=20):
        """Of one hash."""
        out = ctypes.create_string_buffer(32)
        before = time.thread_time()
        for _ in range(count):
            if self.hash(out, 32, PASSWORD.encode(), len(PASSWORD), b"0123456789abcdef",
                         ARGON2["passes"], ARGON2["bytes"], self.argon2id) != 0:
                raise harness.Failure("libsodium did not hash")
        return (time.thread_time() - before) / count


def measure(place, load):
    """CPU seconds per request of each part, the events that follow from it included."""
    before = {part.name: part.cpu_seconds() for part in place.parts}
    count = load()
    place.settle()
    return {part.name: (part.cpu_seconds() - before[part.name]) / count for part in place.parts}


def measure_rounds(place, loads):
    """Medians: of each load and part, of libsodium's hash, of a login's ratio to it."""
    costs = collections.defaultdict(lambda: collections.defaultdict(list))
    hashes, ratios = [], []
    libsodium = Libsodium()
    for name in ("keys", "me"):
        getattr(loads, name)()  # warm
    for number in range(ROUNDS):
        for name in LOADS:
            for part, seconds in measure(place, getattr(loads, name)).items():
                costs[name][part].append(seconds)
        hashes.append(libsodium.cpu_seconds())
        ratios.append(costs["login"]["auth"][-1] / hashes[-1])
        print(f"round {number + 1}: " + "; ".join(
            f"{name} " + " ".join(f"{seconds[-1] * 1e6:.0f}" for seconds in of.values())
            for name, of in costs.items()) + f" us; hash {hashes[-1] * 1e3:.1f} ms", flush=True)
    medians = {name: {part: statistics.median(seconds) for part, seconds in of.items()}
               for name, of in costs.items()}
    return medians, statistics.median(hashes), statistics.median(ratios)


def in_time(seconds):
    return f"{seconds * 1e3:.1f} ms" if seconds >= 0.001 else f"{seconds * 1e6:.0f} µs"


def three_digits(number):
    """Rounded: no figure of these is better than that."""
    return f"{float(f'{number:.3g}'):.0f}"


def cpu_lines(place, medians, of_hash, ratio):
    names = [part.name for part in place.parts]
    rows = []
    for load, title in LOADS.items():
        ours = {service.name: medians[load][service.name] for service in place.services}
        most = max(ours, key=ours.get)
        rate = "" if load == "nothing" else f"{three_digits(1 / ours[most])} ({most})"
        rows.append(f"| {title} | " + " | ".join(in_time(medians[load][name]) for name in names) +
                    f" | {rate} |")
    return [f"CPU time of each part per request, what its events cost afterwards included: "
            f"{CONNECTIONS} kept-alive connections for {SECONDS} s; of changes {PEOPLE * RENAMES} "
            f"on {CALLERS}, of logins {PEOPLE} on {CALLERS}, of registrations {PEOPLE} on "
            f"{NEWCOMERS}. {USERS} users, the settings of the chart, PostgreSQL by a socket; "
            f"median of {ROUNDS} rounds of all kinds in turn. No request failed. \"Per core\" is "
            "how many per second take a whole core of the busiest service.", "",
            "| request | " + " | ".join(names) + " | per core |", "|---|" + "---|" * 6, *rows, "",
            f"A hash by libsodium alone, on the same cores in the same rounds: {in_time(of_hash)}. "
            f"The CPU time of a login in auth is {ratio:.2f} times that (median of the ratios, "
            "round by round)."]


def in_mib(size):
    return f"{size / MIB:.1f} MiB"


def memory_lines(place, idle, peaks):
    rows = []
    for part in place.parts:
        rss = "" if part.has_children else in_mib(part.rss(peak=True))
        rows.append(f"| {part.name} | {in_mib(idle[part.name])} | {in_mib(peaks[part.name])} | "
                    f"{in_mib(part.pss())} | {rss} |")
    return ["Memory before the first request, at most during those above, and after them; of "
            "PostgreSQL all processes together. RSS counts what is shared in full.", "",
            "| process | PSS, idle | PSS, most | PSS, after | RSS, most |", "|---|---|---|---|---|",
            *rows]


def client_lines(place):
    gateway = place.mesh.gateway
    count, rows = clients.measure(gateway, place.parts[0], lambda kind: metric(
        gateway, f"gateway_client_connections{kind}"))
    return [f"Memory of the gateway per open client connection, of {count}: growth of RSS, "
            "and of what its cgroup counts, where the kernel's part is in.", "",
            "| a client's connection | RSS | cgroup |", "|---|---|---|",
            *[f"| {state} | {rss:.0f} B | {group:.0f} B |" for state, rss, group in rows]]


def events_per_second(place, loads):
    """At which auth takes a backlog of events of users, one after the other."""
    auth = place.mesh.auth
    place.settle()
    before = metric(auth, "inbox_events_total")
    os.kill(auth.process.child.pid, signal.SIGSTOP)
    try:
        count = loads.rename()
        harness.wait_until("the events wait for auth", lambda: metric(
            place.mesh.users, "outbox_pending") == 0)
    finally:
        os.kill(auth.process.child.pid, signal.SIGCONT)
    began = time.perf_counter()
    place.settle(pause_s=0.01)
    seconds = time.perf_counter() - began
    assert metric(auth, "inbox_events_total") == before + count
    return count / seconds


def commit_seconds(place, count=300):
    """Of one transaction of one row, on a connection of its own."""
    place.psql("auth", "CREATE TABLE probe (n BIGINT)")
    began = time.perf_counter()
    place.psql_lines("auth", ["INSERT INTO probe VALUES (1);"] * count)
    seconds = (time.perf_counter() - began) / count
    place.psql("auth", "DROP TABLE probe")
    return seconds


def event_lines(place, loads):
    figures = [(events_per_second(place, loads), commit_seconds(place)) for _ in range(ROUNDS)]
    rate, commit = (statistics.median(figure) for figure in zip(*figures))
    return ["auth takes the events of users one after the other, each in a transaction: "
            f"{three_digits(rate)} per second here, where PostgreSQL commits a row in "
            f"{commit * 1e3:.1f} ms. More changes per second than that, for long, are known to "
            f"auth late. Median of {ROUNDS} backlogs of {PEOPLE * RENAMES}."]


def size_lines(users, auth, session, event):
    return [f"On disk, by `import` of {USERS} users, {SESSIONS} sessions put in by SQL, and the "
            "events of the requests above.", "",
            "| what | where | bytes each |", "|---|---|---|",
            f"| a user | PostgreSQL, `users` | {users:.0f} |",
            f"| a user | PostgreSQL, `auth` | {auth:.0f} |",
            f"| a session (a device that is signed in) | PostgreSQL, `auth` | {session:.0f} |",
            f"| an event, for the 7 days that it is kept | NATS | {event:.0f} |"]


def measure_all(place):
    idle = {part.name: part.pss() for part in place.parts}
    place.mesh.register("like@example.com", PASSWORD)
    crowd = people(USERS)
    user_bytes = [place.fill(service, crowd) for service in (place.mesh.users, place.mesh.auth)]
    loads = Loads(place, [email for _, email in crowd])
    place.settle()
    stored, published = place.stored(), place.published()
    with parts.Peaks(place.parts) as peaks:
        figures = measure_rounds(place, loads)
    event_bytes = (place.stored() - stored) / (place.published() - published)
    lines = cpu_lines(place, *figures) + [""] + memory_lines(place, idle, peaks.most) + [""]
    lines += event_lines(place, loads) + [""] + client_lines(place) + [""]
    before = place.size("auth")
    place.psql("auth", SESSIONS_SQL.format(count=SESSIONS))
    session_bytes = (place.size("auth") - before) / SESSIONS
    return lines + size_lines(*user_bytes, session_bytes, event_bytes)


def run():
    place = Place()
    try:
        lines = measure_all(place)
    except BaseException:
        place.close(check=False)
        print(place.log())
        raise
    place.close()
    return lines
