"""Services and names, as pods meet them.

Each pod has a network namespace of its own, in which nftables does what kube-proxy does on a node:
an address for each Service, and each new connection to it goes to one of the pods that are ready;
those that are open stay where they are, whatever becomes of the pod. Docker's own names for
containers know nothing of readiness, and lead every client of a name to wherever it looked last.
Rules in the host's namespace would have to be removed again; these go with the pods.

Names are answered by a socket in the same namespace, which the pod's resolv.conf points to.
"""
import concurrent.futures
import ctypes
import os
import random
import selectors
import socket
import struct
import subprocess
import threading

import manifests

ADDRESSES = "198.18.0"  # of Services: a network for benchmarks, which is nobody's
DOMAIN = "svc.cluster.local"
NAMESERVER = "127.0.0.53"
LAG_S = 1  # between a change of a pod and what Services do: API, endpoints, kube-proxy

BASE = f"""
table ip plankton {{
  chain services {{
  }}
  chain output {{
    type nat hook output priority -100
    jump services
  }}
  chain refused {{
    type filter hook output priority 0
    ip daddr {ADDRESSES}.0/24 reject
  }}
}}
"""
# Where connections from outside come in: they go on from here.
NODE = """
table ip plankton {
  chain prerouting {
    type nat hook prerouting priority -100
    jump services
  }
  chain postrouting {
    type nat hook postrouting priority 100
    masquerade
  }
}
"""


def rule(match, port, addresses):
    """Of a Service's port; nothing for one without endpoints."""
    if not addresses:
        return ""
    ways = ", ".join(f"{i} : {address}" for i, address in enumerate(addresses))
    return (f"add rule ip plankton services {match} dnat to numgen random mod {len(addresses)} "
            f"map {{ {ways} }}:{port}\n")


def enter_network(pid):
    """For the calling thread only."""
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, 0x40000000) != 0:  # CLONE_NEWNET
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(handle)


def socket_in(pid):
    """A UDP socket at the nameserver's address in the network namespace of a process."""
    def make():
        enter_network(pid)
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((NAMESERVER, 53))
        return server
    with concurrent.futures.ThreadPoolExecutor(1) as thread:  # which ends with it
        return thread.submit(make).result()


class Service:
    def __init__(self, item, address):
        self.name = item["metadata"]["name"]
        self.namespace = item["metadata"]["namespace"]
        self.selector = item["spec"]["selector"]
        self.ports = item["spec"]["ports"]
        is_headless = item["spec"].get("clusterIP") == "None"
        self.address = None if is_headless else address


class Services:
    """pods: a function that returns those that are there, with labels, ip, is_ready, container."""

    def __init__(self, objects, pods, node_ports):
        self.services = {name: Service(item, f"{ADDRESSES}.{i + 1}")
                         for i, (name, item) in enumerate(sorted(objects["Service"].items()))}
        self.pods = pods
        self.node_ports = node_ports  # port: name of the Service
        self.namespaces = {}  # pid of whom a network namespace belongs to: whether it is the node's
        self.lock = threading.Lock()
        self.changed = threading.Condition()
        self.wanted = self.applied = 0  # counts changes
        self.closing = threading.Event()
        self.names = Names(self.lookup)
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def endpoints(self, service):
        return [pod for pod in self.pods()
                if pod.is_ready and manifests.matches(service.selector, pod.labels)]

    def rules(self, is_node):
        text = "flush chain ip plankton services\n"
        for service in self.services.values():
            pods = self.endpoints(service)
            addresses = sorted(pod.ip for pod in pods)
            for port in service.ports if pods else ():
                wanted = port.get("targetPort", port["port"])
                target = manifests.port_number(pods[0].container, wanted)
                if service.address:
                    match = f"ip daddr {service.address} tcp dport {port['port']}"
                    text += rule(match, target, addresses)
                for number, name in self.node_ports.items():
                    if is_node and name == service.name:
                        text += rule(f"fib daddr type local tcp dport {number}", target, addresses)
        return text

    def lookup(self, name):
        """Addresses of a name; None when there is no such name."""
        for service in self.services.values():
            if name.lower() == f"{service.name}.{service.namespace}.{DOMAIN}":
                if service.address:
                    return [service.address]
                return [pod.ip for pod in self.endpoints(service)]
        return None

    # --- namespaces ---

    def add(self, pid, is_node=False):
        """From now on rules hold and names are answered in this process's network namespace."""
        self._apply(pid, BASE + (NODE if is_node else "") + self.rules(is_node))
        self.names.serve(pid)
        with self.lock:
            self.namespaces[pid] = is_node
        self.touch()  # what has changed meanwhile

    def remove(self, pid):
        self.names.leave(pid)
        with self.lock:
            self.namespaces.pop(pid, None)

    @staticmethod
    def _apply(pid, rules):
        subprocess.run(["nsenter", "-t", str(pid), "-n", "nft", "-f", "-"], input=rules, text=True,
                       check=True)

    def touch(self):
        """The pods have changed."""
        with self.changed:
            self.wanted += 1
            self.changed.notify_all()

    def wait_applied(self):
        """Until what has changed by now has reached every namespace."""
        with self.changed:
            wanted = self.wanted
            assert self.changed.wait_for(lambda: self.applied >= wanted, 30), "not applied"

    def _follow(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.applied < self.wanted or self.closing.is_set())
            if self.closing.wait(LAG_S):
                return
            with self.changed:
                wanted = self.wanted
            with self.lock:
                for pid, is_node in self.namespaces.items():
                    self._apply(pid, self.rules(is_node))
            with self.changed:
                self.applied = wanted
                self.changed.notify_all()

    def close(self):
        self.closing.set()
        self.touch()
        self.thread.join()
        self.names.close()


# --- names ----------------------------------------------------------------------------------------

def question(query):
    """The name that is asked for, the type, and where the question ends."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind, = struct.unpack("!H", query[at + 1:at + 3])
    return ".".join(labels), kind, at + 5


def answer(query, lookup):
    """Of a query for addresses (A); other types of a name that exists have none."""
    name, kind, end = question(query)
    found = lookup(name)
    addresses = found if found and kind == 1 else []
    addresses = random.sample(addresses, len(addresses))
    status = 0x8180 | (3 if found is None else 0)
    head = query[:2] + struct.pack("!HHHHH", status, 1, len(addresses), 0, 0)
    records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + socket.inet_aton(address)
                       for address in addresses)
    return head + query[12:end] + records


class Names:
    def __init__(self, lookup):
        self.lookup = lookup
        self.sockets = {}
        self.selector = selectors.DefaultSelector()
        self.waker, self.woken = socket.socketpair()
        self.selector.register(self.woken, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def serve(self, pid):
        self.sockets[pid] = socket_in(pid)
        self.selector.register(self.sockets[pid], selectors.EVENT_READ)
        self.waker.send(b"+")

    def leave(self, pid):
        server = self.sockets.pop(pid, None)
        if server:
            self.selector.unregister(server)
            server.close()

    def _serve(self):
        while True:
            for key, _ in self.selector.select():
                try:
                    if key.fileobj is self.woken:
                        if self.woken.recv(64)[-1:] == b"!":
                            return
                        continue
                    query, client = key.fileobj.recvfrom(512)
                    key.fileobj.sendto(answer(query, self.lookup), client)
                except OSError:  # a pod that goes, or has no network
                    continue

    def close(self):
        self.waker.send(b"!")
        self.thread.join()
        for pid in list(self.sockets):
            self.leave(pid)
