"""What an open client connection costs the gateway in memory."""
import os
import resource
import socket
from pathlib import Path

import harness

CLIENTS = 10000
REQUEST = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n"
# Most of the head that is allowed; its rest does not come.
HALF_HEAD = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 15000


def allow_descriptors():
    """As many as the system allows, before the gateway starts, which does so, too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Cgroup:
    """A group of one process; what the kernel holds for it counts, as in a pod's limit."""

    places = ((Path("/sys/fs/cgroup/memory"), "memory.usage_in_bytes"),
              (Path("/sys/fs/cgroup"), "memory.current"))

    def __init__(self, pid):
        for root, usage in self.places:
            self.path = root / f"plankton-bench-{os.getpid()}"
            self.usage = self.path / usage
            try:
                self.path.mkdir()
                if self.usage.exists():
                    (self.path / "cgroup.procs").write_text(str(pid))
                    self.root = root
                    return
                self.path.rmdir()
            except OSError:
                pass
        raise harness.Failure("no cgroup with a count of memory can be made here (as root it can)")

    def bytes(self):
        return int(self.usage.read_text())

    def close(self, pid):
        (self.root / "cgroup.procs").write_text(str(pid))
        self.path.rmdir()


def answer(peer):
    """Of one request; its body's end is known by its length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += peer.recv(65536)
    head, body = received.split(b"\r\n\r\n", 1)
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                  if line.startswith(b"content-length:"))
    while len(body) < length:
        body += peer.recv(65536)
    return head


def open_client(address):
    host, port = address.rsplit(":", 1)
    peer = socket.create_connection((host, int(port)), timeout=30)
    peer.sendall(REQUEST)
    head = answer(peer)
    if not head.startswith(b"HTTP/1.1 200"):
        raise harness.Failure(f"a client was answered {head!r}")
    return peer


def measure(gateway, part, count_open):
    """How many were opened; bytes for each, of the process and with the kernel's part: (state, RSS,
    cgroup)."""
    count = int(count_open("_max"))
    group = Cgroup(part.pid)
    peers = []
    try:
        open_client(gateway.address).close()
        harness.wait_until("the gateway is alone", lambda: count_open("") == 0)
        before = part.rss(), group.bytes()

        def growth():
            return ((part.rss() - before[0]) / count, (group.bytes() - before[1]) / count)

        for _ in range(count):
            peers.append(open_client(gateway.address))
        harness.wait_until("all clients are idle", lambda: count_open("_idle") == count)
        rows = [("idle, after a request", *growth())]
        for peer in peers:
            peer.sendall(HALF_HEAD)
        harness.wait_until("no client is idle", lambda: count_open("_idle") == 0)
        if count_open("") != count:
            raise harness.Failure("clients were dropped before they were counted")
        rows.append((f"{len(HALF_HEAD)} bytes of an unfinished head sent", *growth()))
        return count, rows
    finally:
        for peer in peers:
            peer.close()
        harness.wait_until("the clients are gone", lambda: count_open("") == 0)
        group.close(part.pid)
