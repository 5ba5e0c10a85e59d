"""Reads what JetStream keeps, over the NATS client protocol (text, docs.nats.io)."""
import base64
import json
import secrets
import socket


class Jetstream:
    """One connection; requests one after the other."""

    def __init__(self, address, user=None, password=None):
        host, port = address.removeprefix("nats://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.lines = self.socket.makefile("rb")
        self.inbox = f"_INBOX.{user or 'test'}.{secrets.token_hex(8)}"
        self.lines.readline()  # INFO
        options = {"verbose": False, "pedantic": False, "headers": True, "lang": "test",
                   "user": user, "pass": password}
        self._send(f"CONNECT {json.dumps(options)}".encode(), f"SUB {self.inbox} 1".encode(),
                   b"PING")

    def close(self):
        self.lines.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _send(self, *lines):
        self.socket.sendall(b"".join(line + b"\r\n" for line in lines))

    def _receive(self):
        while True:
            words = self.lines.readline().split()
            if not words:
                raise ConnectionError("nats-server closed the connection")
            if words[0] == b"PING":
                self._send(b"PONG")
            elif words[0] in (b"MSG", b"HMSG"):
                size = int(words[-1])
                content = self.lines.read(size + 2)[:size]
                return content[int(words[-2]):] if words[0] == b"HMSG" else content

    def request(self, subject, body):
        self._send(f"PUB {subject} {self.inbox} {len(body)}".encode(), body)
        return json.loads(self._receive())

    def api(self, subject, request=None):
        """The answer of $JS.API.<subject>."""
        return self.request(f"$JS.API.{subject}", json.dumps(request or {}).encode())

    def refusal(self, verb, subject):
        """What the server says to a PUB or SUB; "": it is permitted."""
        what = f"PUB {subject} 0\r\n" if verb == "PUB" else f"SUB {subject} 2"
        self._send(what.encode(), b"PING")
        pongs = 0
        while pongs < 2:  # to the PING of the beginning, and to this one
            line = self.lines.readline()
            if line.startswith(b"-ERR") or not line:
                return line.decode()
            pongs += line.startswith(b"PONG")
        return ""

    def messages(self, stream):
        """All that the stream has, oldest first: (subject, content as JSON)."""
        info = self.api(f"STREAM.INFO.{stream}")
        if "state" not in info:
            return []
        found = []
        for sequence in range(info["state"]["first_seq"], info["state"]["last_seq"] + 1):
            answer = self.api(f"STREAM.MSG.GET.{stream}", {"seq": sequence})
            if "message" in answer:  # else it was deleted
                message = answer["message"]
                found.append((message["subject"], json.loads(base64.b64decode(message["data"]))))
        return found


def describe(url):
    """All streams and their consumers, as the first of its servers has them, for a test that failed."""
    with Jetstream(url.split(",")[0]) as server:
        lines = []
        for name in server.api("STREAM.NAMES").get("streams") or []:
            lines.append(str(server.api(f"STREAM.INFO.{name}")))
            lines.append(str(server.api(f"CONSUMER.LIST.{name}")))
        return "\n".join(lines)
