"""What runs is what the chart says, as the kernel sees it; how soon it is ready; helm test; new
routes."""
import json
import statistics

import pytest

import harness
import kernel
import manifests

SERVICES = ["gateway", "auth", "users"]
STARTS = 5
READY_MS = 50


def pods_of(cluster, service):
    return cluster.controllers[f"plankton-{service}"].pods


@pytest.mark.parametrize("service", SERVICES)
def test_restricted(cluster, service):
    for pod in pods_of(cluster, service):
        status = kernel.status(pod.pid)
        assert status["Uid"] == ["65532"] * 4 and status["Gid"] == ["65532"] * 4
        assert int(status["CapEff"][0], 16) == 0 and int(status["CapBnd"][0], 16) == 0
        assert status["NoNewPrivs"] == ["1"]
        assert status["Seccomp"] == ["2"]  # a filter
        assert kernel.root_is_read_only(pod.pid)
        assert kernel.memory_limit(pod.pid) == 32 * 2**20
        assert kernel.cpu_limit(pod.pid) == 1


@pytest.mark.parametrize("service", ["nats", "postgresql"])
def test_stores_restricted(cluster, service):
    pod, = pods_of(cluster, service)
    status = kernel.status(pod.pid)
    assert "0" not in status["Uid"] + status["Gid"]
    assert int(status["CapEff"][0], 16) == 0
    assert status["NoNewPrivs"] == ["1"] and status["Seccomp"] == ["2"]
    assert kernel.root_is_read_only(pod.pid)


@pytest.mark.parametrize("service", ["auth", "users"])
def test_two_migrate_at_once(cluster, service):
    """One waits for the other, and neither fails."""
    for pod in pods_of(cluster, service):
        assert [name for name, _ in pod.said] == ["migrate"], pod.notes


def start_ms(pod):
    """None: it does not say so yet."""
    events = map(json.loads, pod.log().splitlines())
    return next((event["start_ms"] for event in events if event["msg"] == "ready"), None)


@pytest.mark.parametrize("service", SERVICES)
def test_ready_within_50_ms(cluster, figures, service):
    """From the start of the process to its being ready, as it tells itself, of a pod that comes to
    a mesh that is there. Whatever else the machine does adds to it, and nothing takes away: the
    shortest is what the process needs. The median has room for the machine, but not for a look-up
    or a connection that fails at first and is tried again a second later."""
    seen = []
    for _ in range(STARTS):
        controller = cluster.controllers[f"plankton-{service}"]
        pod = controller.replace(controller.pods[0])
        cluster.wait(f"{pod.name} is ready", lambda: pod.is_ready)
        harness.wait_until("it says when it was ready", lambda: start_ms(pod) is not None)
        seen.append(start_ms(pod))
    figures(f"{min(seen)} ms, median {statistics.median(seen)} ms, of {STARTS} starts")
    assert min(seen) < READY_MS, seen
    assert statistics.median(seen) < 4 * READY_MS, seen


def test_helm_test(cluster):
    names = list(cluster.objects["Pod"])
    assert len(names) == 4
    for name in names:
        status, said = cluster.run_pod(name)
        assert status == 0, said


def test_routes_change_without_a_restart(cluster, client):
    before = manifests.contents(cluster.objects, "ConfigMap", "plankton-gateway-routes")
    routes = json.loads(before["routes.json"])
    routes["routes"] = [route for route in routes["routes"] if route["path"] != "/.well-known"]
    pids = [pod.pid for pod in pods_of(cluster, "gateway")]

    def answers(status):
        # several: they may come from either gateway
        return all(client.call("GET", "/.well-known/jwks.json").status == status for _ in range(8))
    assert answers(200)
    cluster.change("ConfigMap", "plankton-gateway-routes", {"routes.json": json.dumps(routes)})
    harness.wait_until("the route is gone", lambda: answers(404))
    cluster.change("ConfigMap", "plankton-gateway-routes", before)
    harness.wait_until("the route is back", lambda: answers(200))
    assert pids == [pod.pid for pod in pods_of(cluster, "gateway")]
