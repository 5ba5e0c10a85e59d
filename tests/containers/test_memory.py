"""No client can have a service killed for its memory: as many bodies at once as there are threads."""
from concurrent.futures import ThreadPoolExecutor

import pytest

import kernel

CLIENTS, ROUNDS = 24, 10
LARGEST = 16384  # what routes and services take


def body(size):
    """Of values as small as can be, each of which takes many times its size in memory."""
    return f"[{','.join(['1'] * (size // 2 - 1))}]".encode()


@pytest.mark.parametrize("size, status", [(LARGEST, {400, 422}), (100_000, {413})])
@pytest.mark.parametrize("service, method, path", [
    ("auth", "POST", "/api/v1/auth/login"), ("users", "PATCH", "/api/v1/users/me")])
def test_many_large_bodies(cluster, client, service, method, path, size, status):
    pods = [pod for pod in cluster.pods() if pod.owner == f"plankton-{service}"]
    before = [(pod.pid, pod.restarts) for pod in pods]
    token = client.token()

    def ask(_):
        return client.call(method, path, body(size), token=token,
                           headers={"Content-Type": "application/json"}).status
    with ThreadPoolExecutor(CLIENTS) as clients:
        seen = set(clients.map(ask, range(CLIENTS * ROUNDS)))
    assert seen <= status | {503}, seen  # too many at once is an answer, too
    assert seen & status
    assert [(pod.pid, pod.restarts) for pod in pods] == before
    assert [kernel.oom_kills(pod.pid) for pod in pods] == [0] * len(pods)
