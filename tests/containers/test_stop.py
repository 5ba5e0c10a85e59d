"""SIGTERM of each replica while clients ask: no request is lost."""
import pytest

from clients import Load, Writer

COUNT = 10000  # requests on kept-alive, and as many on new connections, for each service


def end_one(cluster, pod):
    """SIGTERM to its container alone, which is started anew in its place."""
    restarts = pod.restarts
    pod.stop_container(pod.running)
    cluster.wait(f"{pod.name} is back", lambda: pod.restarts == restarts + 1 and pod.is_ready)
    assert pod.status == 0, pod.said[-1][1]


@pytest.mark.parametrize("service", ["gateway", "auth", "users"])
def test_nothing_is_lost(cluster, client, figures, service):
    controller = cluster.controllers[f"plankton-{service}"]
    cluster.leaving.clear()
    with Load(client, COUNT) as load:
        writer = Writer(client)
        for pod in controller.pods:
            end_one(cluster, pod)
            cluster.services.wait_applied()
        controller.roll()
        for pod in cluster.leaving:
            cluster.wait(f"{pod.name} is gone", pod.gone.is_set)
            assert pod.status == 0, pod.said[-1][1]
        writer.end()
        is_well, said = load.end()
    figures(f"{said.splitlines()[-1]}; {2 * writer.count} writes, {len(writer.failures)} failed")
    assert is_well, said
    assert writer.failures == []
