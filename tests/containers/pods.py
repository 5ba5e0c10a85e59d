"""A pod, and what the kubelet does for it.

Its network namespace is that of a container that only sleeps, as in Kubernetes: so it keeps its
address when a container of it ends and is started anew.
"""
import http.client
import itertools
import os
import shutil
import socket
import subprocess
import threading
import time
import traceback

import manifests
from docker import docker, inspect, logs

BACKOFF_S = 10  # before the second restart; doubled from then on
# Of an image that is here, and has such a program.
SLEEPER = ("--read-only", "--cap-drop", "ALL", "--user", "65532", "--entrypoint", "sleep",
           "postgres:17", "infinity")

RESOLV_CONF = """\
nameserver 127.0.0.53
search {0}.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
"""


# --- volumes --------------------------------------------------------------------------------------

def write_files(directory, files, group=None):
    """As the kubelet does: the files are links through ..data, which is replaced at once."""
    old = os.path.join(directory, os.readlink(os.path.join(directory, "..data"))) \
        if os.path.lexists(os.path.join(directory, "..data")) else None
    new = f"..{time.time_ns()}"
    for path, text in files.items():
        whole = os.path.join(directory, new, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(whole, 0o644)
        if group is not None:
            os.chown(whole, -1, group)
    link = os.path.join(directory, "..data_tmp")
    os.symlink(new, link)
    os.rename(link, os.path.join(directory, "..data"))
    for path in files:
        top = path.split("/")[0]
        if not os.path.lexists(os.path.join(directory, top)):
            os.symlink(os.path.join("..data", top), os.path.join(directory, top))
    for name in os.listdir(directory):
        if not os.path.exists(os.path.join(directory, name)):  # a link to a file that is no more
            os.remove(os.path.join(directory, name))
    if old:
        shutil.rmtree(old)


def make_directory(path, group=None):
    """For anyone to write to; an existing one stays as it is."""
    if os.path.isdir(path):
        return
    os.makedirs(path)
    if group is not None:
        os.chown(path, -1, group)
    os.chmod(path, 0o777 | (0o2000 if group is not None else 0))


# --- probes ---------------------------------------------------------------------------------------

def ask(probe, pod, name):
    """Whether it succeeds, once."""
    timeout = probe.get("timeoutSeconds", 1)
    try:
        if "exec" in probe:
            command = ["docker", "exec", name, *probe["exec"]["command"]]
            return subprocess.run(command, timeout=timeout, stdin=subprocess.DEVNULL,
                                  capture_output=True).returncode == 0
        if "tcpSocket" in probe:
            port = manifests.port_number(pod.container, probe["tcpSocket"]["port"])
            socket.create_connection((pod.ip, port), timeout=timeout).close()
            return True
        port = manifests.port_number(pod.container, probe["httpGet"]["port"])
        connection = http.client.HTTPConnection(pod.ip, port, timeout=timeout)
        try:
            connection.request("GET", probe["httpGet"]["path"], headers={"Connection": "close"})
            return 200 <= connection.getresponse().status < 400
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, subprocess.TimeoutExpired):
        return False


class Probe:
    """One of a container's, with its count of failures in a row."""

    def __init__(self, settings, began_s):
        self.settings = settings
        self.due_s = began_s + settings.get("initialDelaySeconds", 0)
        self.failures = 0

    def run(self, pod, name):
        """True, False, or None while it has not failed often enough."""
        self.due_s = max(self.due_s + self.settings.get("periodSeconds", 10), time.monotonic())
        if ask(self.settings, pod, name):
            self.failures = 0
            return True
        self.failures += 1
        return False if self.failures >= self.settings.get("failureThreshold", 3) else None


class Prober(threading.Thread):
    """Of a container, as long as that one runs."""

    def __init__(self, pod, name):
        super().__init__(daemon=True)
        self.pod, self.name = pod, name
        self.ended = threading.Event()
        self.start()

    def _until(self, due_s):
        return not self.ended.wait(max(0, due_s - time.monotonic()))

    def _has_started(self, now_s):
        if "startupProbe" not in self.pod.container:
            return True
        probe = Probe(self.pod.container["startupProbe"], now_s)
        while self._until(probe.due_s):
            found = probe.run(self.pod, self.name)
            if found is not None:
                return found
        return False

    def run(self):
        if not self._has_started(time.monotonic()):
            self._kill("startup")
            return
        now_s = time.monotonic()
        probes = {kind: Probe(self.pod.container[kind], now_s)
                  for kind in ("readinessProbe", "livenessProbe") if kind in self.pod.container}
        if "readinessProbe" not in probes:
            self._set_ready(True)
        while probes:
            kind = min(probes, key=lambda kind: probes[kind].due_s)
            if not self._until(probes[kind].due_s):
                return
            found = probes[kind].run(self.pod, self.name)
            if kind == "readinessProbe" and found is not None:
                self._set_ready(found)
            if kind == "livenessProbe" and found is False:
                self._kill("liveness")
                return

    def _set_ready(self, is_ready):
        if not self.ended.is_set():
            self.pod.set_ready(is_ready)

    def _kill(self, why):
        if self.ended.is_set() or self.pod.is_deleted:
            return
        self.pod.note(f"the {why} probe failed: stopping it")
        self.pod.stop_container(self.name)


# --- pods -----------------------------------------------------------------------------------------

class Pod:
    """node: .network, .label, .objects, .services, .directory, .changed (a Condition). ip: its
    address. owner: whom the node has it from; None: nobody. claims: its volumes that outlive it,
    by their names in the template."""

    def __init__(self, node, name, template, ip, owner=None, claims=None):
        self.node, self.name, self.ip, self.owner = node, name, ip, owner
        self.labels = template["metadata"].get("labels", {})
        self.namespace = template["metadata"].get("namespace", node.namespace)
        self.spec = template["spec"]
        self.container, = self.spec["containers"]  # one; more are not understood
        self.claims = claims or {}
        self.directory = os.path.join(node.directory, "pods", name)
        self.sandbox = f"{node.label}-{name}"
        self.sandbox_pid = None
        self.running = None  # name of the container that runs
        self.is_ready = False
        self.is_deleted = False
        self.status = None  # exit status of the last container that ended
        self.restarts = 0
        self.oom_kills = 0
        self.error = None
        self.notes = []
        self.said = []  # (container, log) of those that have ended
        self.lock = threading.Lock()  # of starting a container, which a deleted pod must not do
        self.told = threading.Event()  # to go
        self.gone = threading.Event()
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()

    def note(self, text):
        self.notes.append(f"{time.strftime('%X')} {text}")

    def set_ready(self, is_ready):
        with self.node.changed:
            if self.is_ready == is_ready:
                return
            self.is_ready = is_ready
            self.note("ready" if is_ready else "not ready")
            self.node.changed.notify_all()
        self.node.services.touch()

    @property
    def pid(self):
        """Of the process that the container runs."""
        return inspect(self.running, "State", "Pid")

    @property
    def grace_s(self):
        return self.spec.get("terminationGracePeriodSeconds", 30)

    def log(self):
        """What the container that runs has said."""
        return logs(self.running) if self.running else ""

    # --- its life ---

    def _live(self):
        try:
            self._make_sandbox()
            self._make_volumes()
            for container in self.spec.get("initContainers", []):
                self._run(container, is_over=lambda: self.status == 0)
            never = self.spec.get("restartPolicy", "Always") == "Never"
            self._run(self.container, is_over=lambda: never, is_probed=True)
        except Exception:  # in whatever thread it is, the tests shall see it
            self.error = traceback.format_exc()
            self.note(self.error)
        finally:
            self._remove()

    def _make_sandbox(self):
        docker("run", "-d", "--name", self.sandbox, "--label", self.node.label,
               "--hostname", self.name, "--network", self.node.network, "--ip", self.ip, *SLEEPER)
        self.sandbox_pid = inspect(self.sandbox, "State", "Pid")
        self.node.services.add(self.sandbox_pid)

    def _make_volumes(self):
        os.makedirs(self.directory)
        with open(os.path.join(self.directory, "resolv.conf"), "w", encoding="ascii") as file:
            file.write(RESOLV_CONF.format(self.namespace))
        group = self.spec.get("securityContext", {}).get("fsGroup")
        self.places = {}
        for volume in self.spec.get("volumes", []):
            name = volume["name"]
            claim = volume.get("persistentVolumeClaim")
            if claim:
                self.places[name] = self._claim(claim["claimName"], group)
                continue
            self.places[name] = os.path.join(self.directory, "volumes", name)
            make_directory(self.places[name], group)
            files = manifests.files_of(volume, self.node.objects)
            if files is not None:
                write_files(self.places[name], files, group)
        for name, claim in self.claims.items():
            self.places[name] = self._claim(claim, group)

    def _claim(self, claim, group):
        place = os.path.join(self.node.directory, "claims", claim)
        make_directory(place, group)
        return place

    def update_files(self, kind, name):
        """Its volumes of a ConfigMap or Secret that has changed."""
        group = self.spec.get("securityContext", {}).get("fsGroup")
        for volume in self.spec.get("volumes", []):
            if manifests.source_of(volume) == (kind, name):
                files = manifests.files_of(volume, self.node.objects)
                write_files(self.places[volume["name"]], files, group)

    def _mounts(self, container):
        options = ["-v", f"{self.directory}/resolv.conf:/etc/resolv.conf:ro"]
        volumes = {volume["name"]: volume for volume in self.spec.get("volumes", [])}
        for mount in container.get("volumeMounts", []):
            name, path = mount["name"], mount["mountPath"]
            is_files = name in volumes and manifests.source_of(volumes[name])
            end = ":ro" if is_files or mount.get("readOnly") else ""
            options += ["-v", f"{self.places[name]}:{path}{end}"]
        return options

    def _run(self, container, is_over, is_probed=False):
        """Again and again, until is_over() or the pod is told to go."""
        options, command = manifests.run_options(self.spec, container, self.node.objects)
        pause_s = 0
        for number in itertools.count():
            if self.told.wait(pause_s):
                return
            pause_s = pause_s * 2 or (BACKOFF_S if number else 0)
            name = f"{self.sandbox}-{container['name']}-{number}"
            with self.lock:
                if self.is_deleted:
                    return
                docker("run", "-d", "--name", name, "--label", self.node.label, "--network",
                       f"container:{self.sandbox}", *self._mounts(container), *options, *command)
                self.running = name
                self.restarts = number if is_probed else self.restarts
            self.note(f"{container['name']} runs")
            prober = Prober(self, name) if is_probed else None
            self.status = int(docker("wait", name, timeout=None))
            if prober:
                prober.ended.set()
                self.set_ready(False)
            self._note_end(container, name)
            if is_over():
                return

    def _note_end(self, container, name):
        was_oom = inspect(name, "State", "OOMKilled")
        self.oom_kills += was_oom
        how = ", out of memory" if was_oom else ""
        self.note(f"{container['name']} ended with {self.status}{how}")
        self.said.append((container["name"], logs(name)))
        self.running = None
        docker("rm", "-fv", name)

    def stop_container(self, name):
        docker("stop", "-t", str(self.grace_s), name, timeout=self.grace_s + 30, may_fail=True)

    def delete(self):
        """Begins its end: it is taken out of Services and told to stop at the same time, as in
        Kubernetes."""
        with self.lock:
            self.is_deleted = True
            running = self.running
            self.note("deleted")
        self.set_ready(False)
        self.told.set()
        if running:
            threading.Thread(target=self.stop_container, args=(running,), daemon=True).start()

    def _remove(self):
        self.set_ready(False)
        self.node.services.remove(self.sandbox_pid)
        docker("rm", "-fv", self.sandbox, may_fail=True)
        with self.node.changed:
            self.gone.set()
            self.node.changed.notify_all()

    # --- what befalls it ---

    def signal(self, number):
        """To its process, not through Docker, which would take it for a wish that it stay away."""
        os.kill(self.pid, number)

    def pause(self):
        docker("pause", self.running)

    def go_on(self):
        docker("unpause", self.running)

    def cut(self):
        docker("network", "disconnect", "-f", self.node.network, self.sandbox)

    def mend(self):
        docker("network", "connect", "--ip", self.ip, self.node.network, self.sandbox)
