import pytest

import harness
from jetstream import Jetstream


@pytest.fixture(scope="session")
def mesh():
    """One running mesh for all tests that leave it as they found it."""
    mesh = harness.Mesh()
    yield mesh
    mesh.close()


def describe_streams(url):
    with Jetstream(url) as server:
        for name in server.api("STREAM.NAMES").get("streams") or []:
            yield str(server.api(f"STREAM.INFO.{name}"))
            yield str(server.api(f"CONSUMER.LIST.{name}"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails shows what its processes have said, and what JetStream holds."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    for process in harness.Process.running:
        report.sections.append((process.name, process.log()[-20000:]))
    mesh = item.funcargs.get("own_mesh") or item.funcargs.get("mesh")
    if mesh and mesh.nats:
        try:
            report.sections.append(("JetStream", "\n".join(describe_streams(mesh.nats.url))))
        except (OSError, ValueError) as error:
            report.sections.append(("JetStream", f"does not tell: {error}"))
