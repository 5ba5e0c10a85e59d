"""Reads what JetStream keeps, over the NATS client protocol (text, docs.nats.io)."""
import base64
import json
import secrets
import socket


class Jetstream:
    """One connection; requests one after the other."""

    def __init__(self, address):
        host, port = address.removeprefix("nats://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.lines = self.socket.makefile("rb")
        self.inbox = f"_INBOX.{secrets.token_hex(8)}"
        self.lines.readline()  # INFO
        self._send(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"lang":"test"}',
                   f"SUB {self.inbox} 1".encode(), b"PING")

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

    def api(self, subject, request=None):
        """The answer of $JS.API.<subject>."""
        body = json.dumps(request or {}).encode()
        self._send(f"PUB $JS.API.{subject} {self.inbox} {len(body)}".encode(), body)
        return json.loads(self._receive())

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
