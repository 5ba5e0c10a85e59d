"""A private PostgreSQL that can be killed and comes back with its data."""
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import harness


def newest_bin():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    def __init__(self, databases):
        self.bin = newest_bin()
        self.directory = Path(tempfile.mkdtemp(prefix="plankton-chaos-pg-"))
        self.directory.chmod(0o755)
        self.owner = []
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(self.directory, user.pw_uid, user.pw_gid)
            self.owner = ["setpriv", "--reuid", "postgres", "--regid", "postgres",
                          "--clear-groups", "--"]
        self.port = harness.free_port()
        subprocess.run(
            [*self.owner, self.bin / "initdb", "-D", self.directory / "data", "-U", "plankton",
             "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
            cwd=self.directory, check=True, stdout=subprocess.DEVNULL)
        self.start()
        for database in databases:
            self.query("postgres", f"CREATE DATABASE {database}")

    def start(self):
        # fsync matters to a loss of power alone: what a killed server has written stays.
        self.process = harness.Process("postgres", [
            *self.owner, self.bin / "postgres", "-D", self.directory / "data", "-k", self.directory,
            "-c", f"port={self.port}", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
            "-c", "max_connections=100"], cwd=self.directory)
        self.process.wait_line("readiness", lambda line: "ready to accept connections" in line)

    def kill(self):
        """The postmaster and, as the loss of the machine would, its children."""
        children = Path(f"/proc/{self.process.child.pid}/task/{self.process.child.pid}/children")
        pids = [int(pid) for pid in children.read_text().split()]
        self.process.kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for pid in pids:
            harness.wait_until("the children of PostgreSQL are gone",
                               lambda pid=pid: not Path(f"/proc/{pid}").exists())

    def url(self, database):
        return f"postgres://plankton@127.0.0.1:{self.port}/{database}"

    def query(self, database, statement):
        """The rows, as lists of strings."""
        done = subprocess.run([self.bin / "psql", "-XAtq", "-F", "\t", "-c", statement,
                               self.url(database)], check=True, capture_output=True, text=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def close(self):
        self.process.stop(signal.SIGINT)
        shutil.rmtree(self.directory, ignore_errors=True)
