"""A chart's rendered manifests, run as containers: what the controllers, the kubelet and kube-proxy
do, on one node that is a Docker network. One port of it is published on 127.0.0.1: that of the
gateway's Service."""
import itertools
import os
import random
import shutil
import subprocess
import threading
import time

import manifests
from docker import Failed, docker, inspect
from pods import SLEEPER, Pod
from services import Services

NODE_PORT = 30080
PATIENCE_S = 90


class Controller:
    """Of a Deployment or StatefulSet: keeps as many pods as it says."""

    def __init__(self, cluster, item):
        self.cluster, self.item = cluster, item
        self.name = item["metadata"]["name"]
        self.is_stateful = item["kind"] == "StatefulSet"
        self.template = item["spec"]["template"]
        self.template["metadata"]["namespace"] = item["metadata"]["namespace"]
        selector = item["spec"]["selector"]["matchLabels"]
        if not manifests.matches(selector, self.template["metadata"]["labels"]):
            raise manifests.Refused(f"{self.name}: its selector is not for its own pods")
        self.count = item["spec"]["replicas"]
        self.numbers = itertools.count()
        self.pods = [self._make(number) for number in range(self.count)]

    def _make(self, ordinal):
        claims = {}
        if self.is_stateful:
            name = f"{self.name}-{ordinal}"
            claims = {claim["metadata"]["name"]: f"{claim['metadata']['name']}-{name}"
                      for claim in self.item["spec"].get("volumeClaimTemplates", [])}
        else:
            name = f"{self.name}-{next(self.numbers)}"
        return Pod(self.cluster, name, self.template, self.cluster.take_address(), self.name,
                   claims)

    def replace(self, pod):
        """Deletes it; another one takes its place, at once, or after it where its data are."""
        at = self.pods.index(pod)
        self.cluster.leaving.append(pod)
        pod.delete()
        if self.is_stateful:
            pod.gone.wait()
            shutil.rmtree(pod.directory)
        self.pods[at] = self._make(at)
        return self.pods[at]

    def roll(self):
        """A rolling update that leaves nothing out: maxUnavailable 0, one pod more."""
        for at, old in enumerate(list(self.pods)):
            new = self._make(at)
            self.pods.append(new)
            self.cluster.wait(f"{new.name} is ready", lambda new=new: new.is_ready)
            self.pods.remove(old)
            self.cluster.leaving.append(old)
            old.delete()


class Cluster:
    def __init__(self, text, port_of, label, directory):
        """port_of: name of the Service whose connections come in at .address. label: of all that
        Docker is given. directory: for volumes."""
        self.objects = manifests.read(text)
        self.label = label
        self.network = self.label
        self.namespace = "default"
        self.changed = threading.Condition(threading.RLock())
        self.controllers, self.leaving = {}, []
        self.directory = directory
        self.services = None
        try:
            self._make_network()
            self.services = Services(self.objects, self.pods, {NODE_PORT: port_of})
            self._make_node()
            for kind in ("StatefulSet", "Deployment"):
                for name, item in self.objects[kind].items():
                    with self.changed:
                        self.controllers[name] = Controller(self, item)
        except BaseException:
            self.close()
            raise

    def _make_network(self):
        for _ in range(20):
            prefix = f"10.{random.randint(64, 250)}.{random.randint(0, 250)}"
            try:
                docker("network", "create", "--label", self.label, "--subnet", f"{prefix}.0/24",
                       self.network)
                break
            except Failed as error:
                if "overlap" not in str(error):
                    raise
        self.addresses = (f"{prefix}.{number}" for number in range(10, 250))

    def take_address(self):
        """Never one that a pod before has had."""
        return next(self.addresses)

    def _make_node(self):
        name = f"{self.label}-node"
        docker("run", "-d", "--name", name, "--label", self.label, "--network", self.network,
               "--ip", self.take_address(), "--sysctl", "net.ipv4.ip_forward=1",
               "-p", f"127.0.0.1::{NODE_PORT}", *SLEEPER)
        self.services.add(inspect(name, "State", "Pid"), is_node=True)
        self.address = docker("port", name, f"{NODE_PORT}/tcp").splitlines()[0]

    def pods(self):
        with self.changed:
            return [pod for controller in self.controllers.values() for pod in controller.pods]

    def wait(self, what, condition, timeout_s=PATIENCE_S):
        deadline = time.monotonic() + timeout_s
        with self.changed:
            while not condition():
                for pod in self.pods():
                    if pod.error:
                        raise AssertionError(f"{pod.name}: {pod.error}")
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise AssertionError(f"waited {timeout_s} s until {what}\n{self.describe()}")
                self.changed.wait(min(left_s, 1))

    def are_all_ready(self):
        return all(pod.is_ready for pod in self.pods())

    def wait_ready(self):
        """All of them, and Services know it."""
        self.wait("all pods are ready", self.are_all_ready)
        self.services.wait_applied()

    def run_pod(self, name, timeout_s=30):
        """A Pod of the manifests, to its end: exit status, and what it said."""
        item = self.objects["Pod"][name]
        pod = Pod(self, name, item, self.take_address())
        self.wait(f"{name} ends", pod.gone.is_set, timeout_s)
        if pod.error:
            raise AssertionError(pod.error)
        return pod.status, pod.said[-1][1]

    def change(self, kind, name, data):
        """A ConfigMap or Secret, and the files that are made of it."""
        self.objects[kind][name]["data"] = data
        for pod in self.pods():
            pod.update_files(kind, name)

    def describe(self):
        lines = []
        for pod in self.pods():
            state = "ready" if pod.is_ready else "not ready"
            lines.append(f"{pod.name}: {state}, {pod.restarts} restarts")
            lines += [f"    {note}" for note in pod.notes[-12:]]
            said = pod.log() or (pod.said[-1][1] if pod.said else "")
            lines += [f"    | {line}" for line in said.splitlines()[-12:]]
        return "\n".join(lines)

    def close(self):
        pods = self.pods()
        with self.changed:
            for pod in pods:
                pod.is_deleted = True
                pod.told.set()
        if self.services:
            self.services.close()
        left = docker("ps", "-aq", "--filter", f"label={self.label}").split()
        if left:
            docker("rm", "-fv", *left, may_fail=True)
        for pod in pods + self.leaving:
            pod.thread.join(30)
        docker("network", "rm", self.network, may_fail=True)


def render(chart, values, tag=None):
    """tag: of the images, instead of the chart's."""
    command = [os.environ["HELM"], "template", "plankton", chart, "--namespace", "plankton", "-f",
               values]
    for name in ("gateway", "auth", "users") if tag else ():
        command += ["--set", f"{name}.image.tag={tag}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
