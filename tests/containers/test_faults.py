"""Each container is killed, paused, cut off and restarted while clients ask: all recovers by
itself, and nobody but the victim ends."""
import signal
import time

import pytest

import harness
import kernel
from clients import Load

SOME = 300  # requests in each way at least, after which as many without a failure must come
RECOVERY_S = 60


def kill(cluster, client, pod):
    pod.signal(signal.SIGKILL)


def wait_noticed(cluster, client, pod):
    """Where there is another replica, until this one is out of its Service, else until somebody
    has missed it."""
    if len(cluster.controllers[pod.owner].pods) > 1:
        cluster.wait(f"{pod.name} is not ready", lambda: not pod.is_ready)
        cluster.services.wait_applied()
    else:
        harness.wait_until(f"{pod.name} is missed", lambda: not client.works())


def pause(cluster, client, pod):
    pod.pause()
    wait_noticed(cluster, client, pod)
    pod.go_on()


def cut(cluster, client, pod):
    pod.cut()
    wait_noticed(cluster, client, pod)
    pod.mend()


def restart(cluster, client, pod):
    pod.stop_container(pod.running)


FAULTS = {"killed": (kill, 1), "paused": (pause, 0), "cut off": (cut, 0), "restarted": (restart, 1)}


def everyone(cluster):
    return {pod: pod.restarts for pod in cluster.pods()}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("victim", ["gateway", "auth", "users", "nats", "postgresql"])
def test_recovers(cluster, client, figures, victim, fault):
    befall, restarts = FAULTS[fault]
    # The two replicas in turn: who ends for the second time is left for 10 s, as the kubelet does.
    pods = cluster.controllers[f"plankton-{victim}"].pods
    pod = pods[-1] if fault == "restarted" else pods[0]
    expected = everyone(cluster)
    expected[pod] += restarts
    with Load(client, SOME, "--recovers") as load:
        befall(cluster, client, pod)
        began = time.monotonic()
        cluster.wait("all are ready", lambda: everyone(cluster) == expected and
                     cluster.are_all_ready(), RECOVERY_S)
        harness.wait_until("a person can register, log in and read", client.works, RECOVERY_S)
        recovered_s = time.monotonic() - began
        is_well, said = load.end()
    figures(f"recovered after {recovered_s:.1f} s; {said.splitlines()[-1]}")
    assert is_well, said
    assert everyone(cluster) == expected, "somebody else ended, too"
    assert [pod.name for pod in cluster.pods() if pod.oom_kills or kernel.oom_kills(pod.pid)] == []
