#!/usr/bin/env python3
"""Nothing acknowledged is ever lost: ./dev test chaos

    chaos.py [SEED]

First a storm: 20 people's clients register, sign in, rename themselves and leave, while users, auth,
NATS and PostgreSQL are killed in turn and come back. Then each crash point of the sources is forced
once. After each part everything is checked (verify.py). What people do and when something is killed
(after how many answers) follows from the seed; the operating system's share does not.
"""
import concurrent.futures
import os
import random
import re
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
import harness  # noqa: E402
import verify  # noqa: E402
from people import Client, Crowd  # noqa: E402
from postgres import Postgres, newest_bin  # noqa: E402

CLIENTS = 20
ROUNDS = 3
ANSWERS_BETWEEN = 60  # about, between two kills
STORM_MAX_S = 150
POINT_MAX_S = 30
CHEAP_HASHES = {"ARGON2_MEMORY_KIB": "64", "ARGON2_PASSES": "1"}


def say(text):
    print(text, flush=True)


class World:
    """The mesh on PostgreSQL, and how to kill each part of it."""

    def __init__(self):
        self.postgres = Postgres(["users", "auth"])
        self.mesh = harness.Mesh(
            auth_env={"DATABASE_URL": self.postgres.url("auth"), **CHEAP_HASHES},
            users_env={"DATABASE_URL": self.postgres.url("users")})

    def restart(self, victim):
        if victim in ("users", "auth"):
            service = getattr(self.mesh, victim)
            service.process.kill()
            service.start()
        else:
            part = self.postgres if victim == "postgres" else self.mesh.nats
            part.kill() if victim == "postgres" else part.process.kill()
            part.start()

    def wait_ready(self):
        for service in self.mesh.services:
            service.wait_ready()

    def kill(self):
        """After a failure, whose reason must not be hidden by those of the others."""
        for service in self.mesh.services:
            service.process.kill()
        self.mesh.close(check=False)
        self.postgres.close()

    def close(self):
        self.mesh.close()
        self.postgres.close()


def run_clients(clients, until, max_s):
    """Each client on a thread of its own, step by step, until the event; errors come out here."""
    deadline = time.monotonic() + max_s

    def run(client):
        while not until.is_set():
            if time.monotonic() > deadline:
                raise harness.Failure(f"{client.name} did not get on for {max_s} s")
            client.step()
    pool = concurrent.futures.ThreadPoolExecutor(len(clients))
    return [pool.submit(run, client) for client in clients]


def check(running):
    """Raises what has ended one of the clients."""
    for future in running:
        if future.done():
            future.result()


def storm(world, crowd, seed):
    clients = [Client(world.mesh, crowd, f"storm-{i}", seed + i) for i in range(CLIENTS)]
    rng = random.Random(seed)
    done = threading.Event()
    running = run_clients(clients, done, STORM_MAX_S)
    victims = [victim for _ in range(ROUNDS) for victim in ("users", "auth", "nats", "postgres")]
    try:
        for victim in victims:
            goal = crowd.acknowledged() + rng.randint(ANSWERS_BETWEEN // 2, ANSWERS_BETWEEN * 3 // 2)
            harness.wait_until(f"people get on before {victim} is killed", lambda goal=goal:
                               crowd.acknowledged() >= goal or any(f.done() for f in running))
            check(running)
            world.restart(victim)
            say(f"  killed and started {victim} after {crowd.acknowledged()} answers")
        goal = crowd.acknowledged() + ANSWERS_BETWEEN
        harness.wait_until("people get on after the last kill", lambda:
                           crowd.acknowledged() >= goal or any(f.done() for f in running))
    finally:
        done.set()
    for future in running:
        future.result()
    return [person for client in clients for person in client.people]


def crash_points():
    """(service, point): where the sources say that a process may die."""
    owners = {"services/users": ["users"], "services/auth": ["auth"],
              "libs/event": ["users", "auth"]}
    found = []
    for folder, services in owners.items():
        for path in sorted((ROOT / folder).rglob("*.c")):
            if "test" in path.parts:
                continue
            for point in re.findall(r'CRASH_POINT\("([^"]+)"\)', path.read_text()):
                found += [(service, point) for service in services
                          if not (service == "users" and point.startswith("inbox."))]
    return found


def force(world, crowd, service_name, point, seed):
    """A few people at work until the process has died at the point; then it comes back."""
    service = getattr(world.mesh, service_name)
    service.process.stop()
    if point == "inbox.snapshot":  # what makes a consumer ask for one
        world.postgres.query(service_name, "DELETE FROM inbox_places")
    service.env["CRASH_AT"] = point
    service.start()
    clients = [Client(world.mesh, crowd, f"{service_name}-{point.replace('.', '-')}-{i}", seed + i)
               for i in range(3)]
    done = threading.Event()
    running = run_clients(clients, done, POINT_MAX_S)
    try:
        harness.wait_until(f"{service_name} dies at {point}", lambda:
                           service.process.child.poll() is not None or
                           any(f.done() for f in running), POINT_MAX_S)
        check(running)
        del service.env["CRASH_AT"]
        service.start()
        service.wait_ready()
    finally:
        done.set()
    for future in running:
        future.result()
    return [person for client in clients for person in client.people]


def main():
    if not newest_bin():
        print("PostgreSQL is not installed: skipped")
        return 77
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else int(os.environ.get("CHAOS_SEED", "1"))
    world, crowd, people = World(), Crowd(), []
    try:
        say(f"storm, seed {seed}:")
        people += storm(world, crowd, seed)
        world.wait_ready()
        for service, point in crash_points():
            people += force(world, crowd, service, point, seed)
            say(f"  {service} died at {point}")
        world.wait_ready()
        verdict = verify.everything(world.mesh, people, world.postgres.query)
    except BaseException:
        world.kill()
        raise
    world.close()
    say("what people were told:")
    for what, count in sorted(crowd.counts.items()):
        say(f"  {what}: {count}")
    say("what is true afterwards:")
    verdict.print()
    failed = sum(len(details) for details in verdict.failed.values())
    say(f"{sum(verdict.passed.values())} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
