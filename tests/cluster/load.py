"""load.py HOST:PORT COUNT: asks until it gets SIGTERM and has asked COUNT times on kept-alive and on new connections
each; a line with the figures, and exit status 1 when a request failed. For at most five minutes."""
import http.client
import signal
import sys
import threading
import time

PATH = "/.well-known/jwks.json"
KEPT, NEW = 4, 4  # threads
LIMIT_S = 300
PAUSE_S = 0.0005  # the machine has other things to do as well


class Loader:
    def __init__(self, address, count):
        host, port = address.rsplit(":", 1)
        self.host, self.port, self.count = host, int(port), count
        self.told = threading.Event()
        self.lock = threading.Lock()
        self.asked = {True: 0, False: 0}
        self.failures = []
        self.end = time.monotonic() + LIMIT_S

    def is_over(self, is_kept):
        return time.monotonic() > self.end or (self.told.is_set() and self.asked[is_kept] >= self.count)

    def ask(self, connection):
        connection.request("GET", PATH)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.will_close

    def run(self, is_kept):
        connection = None
        while not self.is_over(is_kept):
            connection = connection or http.client.HTTPConnection(self.host, self.port, timeout=10)
            failure, will_close = None, not is_kept
            try:
                status, closes = self.ask(connection)
                failure = None if status == 200 else f"status {status}"
                will_close = will_close or closes
            except (OSError, http.client.HTTPException) as error:
                failure, will_close = repr(error), True
            if will_close:
                connection.close()
                connection = None
            with self.lock:
                self.asked[is_kept] += 1
                if failure:
                    self.failures.append(f"{'kept-alive' if is_kept else 'new'}: {failure}")
            time.sleep(PAUSE_S)


def main():
    loader = Loader(sys.argv[1], int(sys.argv[2]))
    signal.signal(signal.SIGTERM, lambda *_: loader.told.set())
    threads = [threading.Thread(target=loader.run, args=(is_kept,))
               for is_kept in [True] * KEPT + [False] * NEW]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in loader.failures[:10]:
        print(failure)
    print(f"{loader.asked[True]} requests on kept-alive connections, {loader.asked[False]} on new "
          f"ones, {len(loader.failures)} failed", flush=True)
    is_enough = min(loader.asked.values()) >= loader.count
    return 0 if is_enough and not loader.failures else 1


sys.exit(main())
