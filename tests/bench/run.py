#!/usr/bin/env python3
"""./dev bench [NAME]: measures the release build and writes docs/benchmarks.md.

Figures of one run are compared with one another, never with those of another machine: the peer runs
beside ours, in turn. CPU time is the process's own (utime + stime), so a busy machine disturbs it
little.
"""
import os
import re
import shutil
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"
os.environ["PLANKTON_BIN"] = str(BUILD / "bin")
sys.path.insert(0, str(ROOT / "tests/system"))
import capacity  # noqa: E402
import contest  # noqa: E402
import edge  # noqa: E402
import events  # noqa: E402
import harness  # noqa: E402
import page  # noqa: E402

HTTP_ROUNDS = 21


def rss_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024


def pss_mib(pid):
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"Pss:\s+(\d+) kB", rollup).group(1)) / 1024


def ready_after_ms(service):
    """From before fork to the first /readyz 200, asked on the port that it will have."""
    host, port = service.admin.rsplit(":", 1)
    request = f"GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    started = time.perf_counter()
    service.process = harness.Process(service.name, [harness.BIN / service.name], env=service.env)
    while True:
        try:
            if b" 200 " in harness.raw(service.admin, request).split(b"\r\n", 1)[0]:
                return (time.perf_counter() - started) * 1000
        except ConnectionRefusedError:
            pass
        if time.perf_counter() - started > 10:
            raise harness.Failure(f"{service.name} did not get ready:\n{service.process.log()}")


def footprint():
    mesh = harness.Mesh(gateway_env={"WORKERS": str(os.cpu_count())})
    try:
        mesh.login(mesh.register()["email"])
        rows = []
        for service in (mesh.users, mesh.auth, mesh.gateway):
            times, memory = [], []
            for _ in range(7):
                service.process.stop()
                times.append(ready_after_ms(service))
                time.sleep(1)  # what is allocated at start has been given back
                memory.append((rss_mib(service.process.child.pid),
                               pss_mib(service.process.child.pid)))
            binary = (harness.BIN / service.name).stat().st_size / 1024
            rows.append((service.name, statistics.median(times), max(times),
                         statistics.median(m[0] for m in memory),
                         statistics.median(m[1] for m in memory), binary))
            print(f"{service.name}: ready after {rows[-1][1]:.1f} ms, RSS {rows[-1][3]:.1f} MiB",
                  flush=True)
    finally:
        mesh.close()
    lines = ["Start: from before `fork` to the first `/readyz` 200, database and NATS being there; "
             "median and maximum of 7. Memory: 1 s after the start, median of 7; RSS counts the "
             "pages of shared libraries in full, PSS by share. The binary is linked to Debian's "
             "shared libraries.", "",
             "| service | start, median | start, max | RSS | PSS | binary |", "|---|---|---|---|---|---|"]
    lines += [f"| {name} | {median:.1f} ms | {worst:.1f} ms | {rss:.1f} MiB | {pss:.1f} MiB | "
              f"{size:.0f} KiB |" for name, median, worst, rss, pss, size in rows]
    return lines


def hello(name, program, *options):
    port = harness.free_port()
    return contest.Contestant(name, port, [BUILD / "libs/http" / program, port, *options],
                              "/hello/world")


def http():
    contestants = [
        hello("bare civetweb", "bench_civetweb_hello"),
        hello("libs/http, access log off", "bench_http_hello"),
        hello("libs/http, access log on", "bench_http_hello", "log"),
    ]
    try:
        rows = contest.compare(contestants, HTTP_ROUNDS)
    finally:
        for contestant in contestants:
            contestant.stop()
    return [f"A JSON hello handler with a path parameter: CPU time of the server per request, "
            f"{contest.CONNECTIONS} kept-alive connections, server and wrk on a core each. Median "
            f"of {HTTP_ROUNDS} rounds of a second each, in turn; the ratio is the median of the "
            "ratios round by round.", "",
            "| server | CPU per request | ratio to bare civetweb |", "|---|---|---|", *rows]


BENCHES = {"footprint": footprint, "http": http, "gateway": edge.run, "events": events.run,
           "capacity": capacity.run}


def main():
    names = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"bench: there is no '{unknown[0]}'; there are {', '.join(BENCHES)}")
    if not shutil.which("wrk"):
        sys.exit("bench: wrk is not installed (./dev bench installs it)")
    for name in names:
        print(f"== {name}")
        lines = BENCHES[name]()
        page.write_section(name, f"./dev bench {name}", lines)
        print("\n".join(lines))
    print(f"\nwritten to {page.PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
