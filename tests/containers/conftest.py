"""One cluster for all tests, and what they have measured, at the end."""
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests/system"))

from clients import Client  # noqa: E402
from cluster import Cluster, render  # noqa: E402

measured = []


@pytest.fixture(scope="session")
def cluster():
    text = render(ROOT / "charts/plankton", HERE / "values.yaml", os.environ.get("PLANKTON_TAG"))
    running = Cluster(text, "plankton-gateway", os.environ["CONTAINERS_LABEL"],
                      os.environ["CONTAINERS_DIRECTORY"])
    try:
        running.wait_ready()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="session")
def client(cluster):
    return Client(cluster)


@pytest.fixture
def figures(request):
    """figures(text): a line in the summary."""
    return lambda text: measured.append(f"{request.node.name}: {text}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that fails shows what the pods went through and said last."""
    outcome = yield
    report = outcome.get_result()
    running = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and running:
        report.sections.append(("pods", running.describe()))


def pytest_terminal_summary(terminalreporter):
    if measured:
        terminalreporter.section("measured")
        for line in measured:
            terminalreporter.write_line(line)
