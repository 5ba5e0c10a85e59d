"""The whole-system suites, through the gateway."""
import subprocess
import sys
from pathlib import Path

SUITES = Path(__file__).parent.parent / "system"


def test_whole_system(client, figures):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=SUITES, env=client.environment(), capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-20000:]
    figures(done.stdout.strip().splitlines()[-1].strip("= "))
