import pytest

import harness


@pytest.fixture(scope="session")
def mesh():
    """One running mesh for all tests that leave it as they found it."""
    mesh = harness.Mesh()
    yield mesh
    mesh.close()
