"""Docker, by its command."""
import json
import subprocess


class Failed(Exception):
    pass


def docker(*arguments, timeout=120, may_fail=False):
    """What it prints, without the last line's end."""
    done = subprocess.run(["docker", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=timeout)
    if done.returncode != 0 and not may_fail:
        raise Failed(f"docker {' '.join(arguments[:2])}: {done.stderr.strip()}")
    return done.stdout.rstrip("\n")


def inspect(name, *path):
    value = json.loads(docker("inspect", name))[0]
    for key in path:
        value = value[key]
    return value


def logs(name):
    """Both streams, as they came."""
    return subprocess.run(["docker", "logs", name], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace").stdout
