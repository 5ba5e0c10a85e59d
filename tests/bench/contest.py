"""Servers on core 0 that take turns under wrk on core 1; what counts is CPU time per request."""
import os
import re
import statistics
import subprocess
from pathlib import Path

import harness

CONNECTIONS = 64
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """Of all threads; from the scheduler's nanoseconds where the kernel has them."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    if total:
        return total / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wrk(url, seconds, headers, connections=CONNECTIONS, script=()):
    """Requests that were answered; anything but 2xx is a failure of the benchmark. script: its path
    and arguments."""
    options = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    if script:
        options += ["-s", script[0]]
    done = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout",
         "30s", *options, url, "--", *script[1:]], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in done or "Socket errors" in done:
        raise harness.Failure(f"wrk saw failures:\n{done}")
    return int(re.search(r"(\d+) requests in", done).group(1))


class Contestant:
    """A server that answers GET of the path on this port; it sleeps while others are measured."""

    def __init__(self, name, port, argv, path, env=None, headers=None, core=0):
        self.name = name
        self.address = f"127.0.0.1:{port}"
        self.path = path
        self.headers = headers or {}
        self.figures = []
        self.child = subprocess.Popen(
            ["taskset", "-c", str(core), *map(str, argv)], env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers(self):
        if self.child.poll() is not None:
            raise harness.Failure(f"{self.name} ended with status {self.child.returncode}")
        try:
            return harness.call(self.address, "GET", self.path, headers=self.headers).status == 200
        except OSError:
            return False

    def measure(self, seconds):
        """CPU time of one request in microseconds."""
        before = cpu_seconds(self.child.pid)
        requests = wrk(f"http://{self.address}{self.path}", seconds, self.headers)
        return (cpu_seconds(self.child.pid) - before) / requests * 1e6

    def stop(self):
        self.child.terminate()
        self.child.wait(30)


def compare(contestants, rounds):
    """Rows of a table: the median of each, and of its ratios to the first one, round by round."""
    for contestant in contestants:
        harness.wait_until(f"{contestant.name} answers", contestant.answers)
        contestant.measure(1)  # warm
    for _ in range(rounds):
        for contestant in contestants:
            contestant.figures.append(contestant.measure(1))
        print("  ".join(f"{c.name}: {c.figures[-1]:.1f} us" for c in contestants), flush=True)
    base = contestants[0].figures
    rows = []
    for contestant in contestants:
        ratio = statistics.median(a / b for a, b in zip(contestant.figures, base))
        rows.append(f"| {contestant.name} | {statistics.median(contestant.figures):.1f} µs | "
                    f"{ratio:.2f} |")
    return rows
