"""PLANKTON_GATEWAY (host:port), PLANKTON_ADMIN_EMAIL and PLANKTON_ADMIN_PASSWORD: the suites then meet
a mesh that runs already, in a cluster for example, and what needs its processes is skipped."""
import os
import types

import pytest

import harness
import jetstream

GATEWAY = os.environ.get("PLANKTON_GATEWAY")


class Distant(harness.Front):
    """A mesh that somebody else runs: a gateway's address, and nothing of what is behind it."""

    nats = None

    def __init__(self):
        self.gateway = types.SimpleNamespace(address=GATEWAY)
        self.admin = (os.environ["PLANKTON_ADMIN_EMAIL"], os.environ["PLANKTON_ADMIN_PASSWORD"])

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        pytest.skip(f"out of reach: {name}")

    def close(self):
        pass


@pytest.fixture(scope="session")
def mesh():
    """One running mesh for all tests that leave it as they found it."""
    mesh = Distant() if GATEWAY else harness.Mesh()
    yield mesh
    mesh.close()


def pytest_collection_modifyitems(items):
    for item in items:
        if GATEWAY and ("mesh" not in item.fixturenames or "own_mesh" in item.fixturenames):
            item.add_marker(pytest.mark.skip(reason="starts processes of its own"))


def pytest_runtest_setup():
    harness.Process.ended.clear()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails shows what its processes have said, and what JetStream holds."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    for process in harness.Process.running + harness.Process.ended:
        report.sections.append((process.name, process.log()[-20000:]))
    mesh = next((value for value in item.funcargs.values() if isinstance(value, harness.Mesh)), None)
    if mesh:
        try:
            report.sections.append(("JetStream", jetstream.describe(mesh.nats.url)))
        except (OSError, ValueError) as error:
            report.sections.append(("JetStream", f"does not tell: {error}"))
