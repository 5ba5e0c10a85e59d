"""load.py HOST:PORT COUNT [--recovers]

Asks until it gets SIGTERM and has asked COUNT times on kept-alive and on new connections each, for at
most five minutes. What it asks for comes from auth and, with an access token in PLANKTON_TOKEN, from
users in turn. Prints "asking" as soon as every thread has asked once, and a line with the figures at
the end; exit status 1 when a request failed.

With --recovers requests may fail, as long as every thread gets CALM answers without a failure, one
after the other, within RECOVERY_S of SIGTERM; it then tells for how long each path gave no answer.
"""
import collections
import http.client
import json
import os
import signal
import sys
import threading
import time

KEYS, ME = "/.well-known/jwks.json", "/api/v1/users/me"
KEPT, NEW = 4, 4  # threads
LIMIT_S = 300
RECOVERY_S = 60
CALM = 100
PAUSE_S = 0.0005  # the machine has other things to do as well


def code_of(problem):
    try:
        return json.loads(problem).get("code")
    except ValueError:
        return problem[:80]


class Loader:
    def __init__(self, address, count, may_fail):
        host, port = address.rsplit(":", 1)
        self.host, self.port, self.count, self.may_fail = host, int(port), count, may_fail
        token = os.environ.get("PLANKTON_TOKEN")
        self.requests = [(KEYS, {})]
        if token:
            self.requests.append((ME, {"Authorization": f"Bearer {token}"}))
        self.told = threading.Event()
        self.begun = threading.Semaphore(0)  # threads that have asked
        self.lock = threading.Lock()
        self.asked = {True: 0, False: 0}
        self.failures = collections.Counter()
        self.began = time.monotonic()
        self.end = self.began + LIMIT_S
        self.answered = {path: self.began for path, _ in self.requests}
        self.silence = {path: 0.0 for path, _ in self.requests}
        self.not_calm = 0

    def tell(self):
        self.told.set()
        if self.may_fail:
            self.end = min(self.end, time.monotonic() + RECOVERY_S)

    def is_enough(self, is_kept, calm):
        return self.told.is_set() and self.asked[is_kept] >= self.count and (
            not self.may_fail or calm >= CALM)

    def ask(self, connection, path, headers):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise ValueError(f"status {answer.status} {code_of(body)}")
        return answer.will_close

    def note(self, path, is_kept, failure):
        now = time.monotonic()
        with self.lock:
            self.asked[is_kept] += 1
            if failure:
                self.failures[f"{'kept-alive' if is_kept else 'new'} {path}: {failure}"] += 1
                return
            self.silence[path] = max(self.silence[path], now - self.answered[path])
            self.answered[path] = now

    def run(self, is_kept):
        connection, calm, turn = None, 0, 0
        while not self.is_enough(is_kept, calm):
            if time.monotonic() > self.end:
                with self.lock:
                    self.not_calm += 1
                break
            connection = connection or http.client.HTTPConnection(self.host, self.port, timeout=15)
            path, headers = self.requests[turn % len(self.requests)]
            turn += 1
            if not is_kept:  # the server closes: ports of whoever is in between would run out
                headers = {**headers, "Connection": "close"}
            failure, will_close = None, True
            try:
                will_close = self.ask(connection, path, headers) or not is_kept
                calm += 1
            except ValueError as error:  # an answer, but not the one that is wanted
                failure, calm = str(error), 0
            except (OSError, http.client.HTTPException) as error:
                failure, calm = repr(error), 0
            if will_close:
                connection.close()
                connection = None
            self.note(path, is_kept, failure)
            if turn == 1:
                self.begun.release()
            time.sleep(PAUSE_S)
        self.begun.release()  # who had nothing to ask does not hold up the others

    def report(self):
        for failure, count in self.failures.most_common(10):
            print(f"{count} times {failure}")
        failed = sum(self.failures.values())
        line = (f"{self.asked[True]} requests on kept-alive connections, {self.asked[False]} on new "
                f"ones, {failed} failed")
        if self.may_fail:
            line += "; longest without an answer: " + ", ".join(
                f"{path} {seconds:.1f} s" for path, seconds in self.silence.items())
        print(line, flush=True)
        return self.not_calm == 0 and (self.may_fail or failed == 0)


def main():
    loader = Loader(sys.argv[1], int(sys.argv[2]), "--recovers" in sys.argv[3:])
    signal.signal(signal.SIGTERM, lambda *_: loader.tell())
    threads = [threading.Thread(target=loader.run, args=(is_kept,))
               for is_kept in [True] * KEPT + [False] * NEW]
    for thread in threads:
        thread.start()
    for _ in threads:
        loader.begun.acquire()
    print("asking", flush=True)
    for thread in threads:
        thread.join()
    return 0 if loader.report() else 1


if __name__ == "__main__":
    sys.exit(main())
