"""What must be true once everything runs again."""
import collections

import harness
from jetstream import Jetstream
from people import PASSWORD, register

PENDING_LIMIT_S = 3600  # services/users removes what is older


class Verdict:
    """Counts what was checked; keeps the first mistakes of each kind."""

    def __init__(self):
        self.passed = collections.Counter()
        self.failed = collections.defaultdict(list)

    def check(self, what, is_true, detail):
        if is_true:
            self.passed[what] += 1
        else:
            self.failed[what].append(detail)

    def print(self):
        for what, count in sorted(self.passed.items()):
            print(f"  {what}: {count} right, {len(self.failed.get(what, []))} wrong")
        for what, details in self.failed.items():
            for detail in details[:5]:
                print(f"  WRONG {what}: {detail}")


def settle(mesh, query):
    """Waits until no event is on its way: nothing in an outbox, nothing that a consumer has not
    taken."""
    def is_quiet():
        if any(query(database, "SELECT count(*) FROM outbox") != [["0"]]
               for database in ("users", "auth")):
            return False
        with Jetstream(mesh.nats.url) as jetstream:
            for stream in ("USERS", "AUTH"):
                consumers = jetstream.api(f"CONSUMER.LIST.{stream}").get("consumers") or []
                if any(c["num_pending"] or c["num_ack_pending"] for c in consumers):
                    return False
        return True
    harness.wait_until("all events have been handled", is_quiet)


def check_people(mesh, people, verdict):
    """Acknowledged is there; the rest is wholly there or wholly absent, and blocks nobody."""
    for person in people:
        if person.is_gone:
            answer = login(mesh, person)
            verdict.check("who left is gone", answer.status == 401, (person.email, answer))
            continue
        if not person.is_registered:
            if not person.may_be_registered:
                continue
            answer = harness.wait_until("no attempt is at work",
                                        lambda person=person: register(mesh, person))
            verdict.check("a registration of unknown fate is finished by its repetition",
                          answer.status == 201, (person.email, answer))
            person.names.add(person.email)
        answer = login(mesh, person)
        if person.may_be_gone and answer.status == 401:
            answer = mesh.call("POST", "/api/v1/auth/register", {
                "email": person.email, "password": PASSWORD, "name": person.email})
            verdict.check("who left unheard can come again", answer.status == 201,
                          (person.email, answer))
            continue
        verdict.check("who is registered can sign in", answer.status == 200, (person.email, answer))
        if answer.status != 200:
            continue
        answer = mesh.call("GET", "/api/v1/users/me", token=answer.json["access_token"])
        is_right = answer.status == 200 and answer.json["name"] in person.names
        verdict.check("the name is the last acknowledged one, or of unknown fate", is_right,
                      (person.email, person.names, answer))


def login(mesh, person):
    return mesh.call("POST", "/api/v1/auth/login", {"email": person.email, "password": PASSWORD})


def check_events(mesh, query, verdict):
    """Each version of each user was told of by one event, under one id."""
    with Jetstream(mesh.nats.url) as jetstream:
        messages = jetstream.messages("USERS")
    told = collections.defaultdict(lambda: collections.defaultdict(set))
    kinds = collections.defaultdict(list)
    for subject, event in messages:
        user = event["data"]
        told[user["id"]][(subject, user["version"])].add(event["id"])
        kinds[user["id"]].append(subject.rsplit(".", 1)[1])
    versions = {id: int(version) for id, version in query(
        "users", "SELECT id, version FROM users WHERE status <> 'pending'")}
    for id, events in told.items():
        verdict.check("a change has one event", all(len(ids) == 1 for ids in events.values()),
                      (id, dict(events)))
        seen = sorted(version for (subject, version) in events
                      if not subject.endswith(".deleted"))
        verdict.check("no event is missing in a user's row", seen == list(
            range(seen[0], seen[0] + len(seen))) if seen else False, (id, seen))
        if id in versions:
            verdict.check("the last event is that of the user as it is",
                          seen[-1:] == [versions[id]], (id, seen, versions[id]))
        else:
            verdict.check("who is gone has one event that says so, the last one",
                          kinds[id].count("deleted") == 1 and kinds[id][-1] == "deleted",
                          (id, kinds[id]))
    for id in versions:
        verdict.check("every user was told of", id in told, id)


def check_tables(query, verdict):
    """The projection in auth is the directory; nothing half is left."""
    users = {row[0]: row[1:] for row in query(
        "users", "SELECT id, email, role, status FROM users WHERE status <> 'pending'")}
    accounts = {row[0]: row[1:] for row in query(
        "auth", "SELECT user_id, email, role, status FROM accounts WHERE status <> 'pending'")}
    for id, user in users.items():
        verdict.check("auth knows the user as the directory does", accounts.get(id) == user,
                      (id, user, accounts.get(id)))
    for id in accounts:
        verdict.check("auth knows nobody else", id in users, id)
    old = query("users", "SELECT count(*) FROM users WHERE status = 'pending' AND created_at < "
                f"(extract(epoch FROM now()) - {PENDING_LIMIT_S}) * 1000")
    verdict.check("no pending user is older than the limit", old == [["0"]], old)


def everything(mesh, people, query):
    verdict = Verdict()
    check_people(mesh, people, verdict)
    settle(mesh, query)
    check_events(mesh, query, verdict)
    check_tables(query, verdict)
    return verdict
