"""A container's process, as the kernel sees it."""
from pathlib import Path


def status(pid):
    """Of /proc/PID/status: the fields, in words."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.split() for name, value in (line.split(":", 1) for line in lines)}


def root_is_read_only(pid):
    """Its root file system is."""
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[4] == "/":
            return "ro" in fields[5].split(",")
    raise AssertionError(f"process {pid} has no root")


def _group(pid, controller, name, name_2):
    """A file of its control group: name in version 1, name_2 in version 2."""
    paths = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update((each, path) for each in controllers.split(","))
    if controller in paths:
        return Path(f"/sys/fs/cgroup/{controller}{paths[controller]}/{name}").read_text()
    return Path(f"/sys/fs/cgroup{paths['']}/{name_2}").read_text()


def memory_limit(pid):
    return int(_group(pid, "memory", "memory.limit_in_bytes", "memory.max"))


def cpu_limit(pid):
    """Of a CPU's time, the part that it may have."""
    words = _group(pid, "cpu", "cpu.cfs_quota_us", "cpu.max").split()
    if len(words) == 1:
        words += _group(pid, "cpu", "cpu.cfs_period_us", "cpu.max").split()
    return int(words[0]) / int(words[1])


def oom_kills(pid):
    lines = _group(pid, "memory", "memory.oom_control", "memory.events").splitlines()
    return int(dict(line.split() for line in lines)["oom_kill"])
