#!/usr/bin/env python3
"""Makes what `nsc` makes for a nats-server in operator mode, with openssl for the signatures:

    nats_jwt.py DIRECTORY

writes server.conf (operator, one account with JetStream, in a memory resolver), and for the user
`things` of that account things.creds; stranger.creds is of an account that the server does not know.
The formats: docs.nats.io, "JWTs", and the packages nkeys and jwt/v2 of nats-io.
"""
import base64
import binascii
import hashlib
import json
import pathlib
import subprocess
import sys
import time

PREFIXES = {"operator": 14 << 3, "account": 0, "user": 20 << 3}
SEED = 18 << 3
# An Ed25519 private key in PKCS #8 is this and the 32 bytes (RFC 8410).
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


def encode(raw):
    raw += binascii.crc_hqx(raw, 0).to_bytes(2, "little")
    return base64.b32encode(raw).decode().rstrip("=")


def url64(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Key:
    def __init__(self, directory, kind):
        self.kind = kind
        self.path = directory / f"{kind}-{time.monotonic_ns()}.key"
        self.run("genpkey", "-algorithm", "ed25519", "-outform", "DER", "-out", self.path)
        der = self.path.read_bytes()
        assert der.startswith(PKCS8)
        self.raw = der[len(PKCS8):]
        public = self.run("pkey", "-inform", "DER", "-in", self.path, "-pubout", "-outform", "DER")
        self.public = encode(bytes([PREFIXES[kind]]) + public[-32:])

    @staticmethod
    def run(*arguments):
        return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True,
                              timeout=30).stdout

    def seed(self):
        prefix = PREFIXES[self.kind]
        return encode(bytes([SEED | (prefix >> 5), (prefix & 31) << 3]) + self.raw)

    def sign(self, subject, name, nats):
        claims = {"iat": int(time.time()), "iss": self.public, "name": name, "sub": subject.public,
                  "nats": {**nats, "type": subject.kind, "version": 2}}
        claims["jti"] = base64.b32encode(
            hashlib.sha256(json.dumps(claims).encode()).digest()).decode().rstrip("=")
        text = (url64(b'{"typ":"JWT","alg":"ed25519-nkey"}') + "." +
                url64(json.dumps(claims).encode()))
        message = self.path.with_suffix(".message")
        message.write_text(text)
        signature = self.run("pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", self.path,
                             "-in", message)
        return text + "." + url64(signature)


def write_creds(path, token, seed):
    path.write_text(f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
                    f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n")
    path.chmod(0o600)


def main(directory):
    operator = Key(directory, "operator")
    account = Key(directory, "account")
    system = Key(directory, "account")
    stranger = Key(directory, "account")
    limits = {"subs": -1, "conn": -1, "leaf": -1, "imports": -1, "exports": -1, "data": -1,
              "payload": -1, "wildcards": True, "mem_storage": -1, "disk_storage": -1}
    operator_jwt = operator.sign(operator, "test", {})
    account_jwt = operator.sign(account, "plankton", {"limits": limits})
    # JetStream needs one, which has none itself.
    no_storage = {**limits, "mem_storage": 0, "disk_storage": 0}
    system_jwt = operator.sign(system, "system", {"limits": no_storage})
    for signer, name in ((account, "things"), (stranger, "stranger")):
        user = Key(directory, "user")
        token = signer.sign(user, name, {"pub": {}, "sub": {}, "subs": -1, "data": -1,
                                         "payload": -1})
        write_creds(directory / f"{name}.creds", token, user.seed())
    (directory / "server.conf").write_text(
        f"operator: {operator_jwt}\nsystem_account: {system.public}\nresolver: MEMORY\n"
        f"resolver_preload: {{\n  {account.public}: {account_jwt}\n"
        f"  {system.public}: {system_jwt}\n}}\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
