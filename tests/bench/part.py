"""What a part of the mesh, a process with its children, has used of the processor and of memory."""
import contextlib
import re
import threading
from pathlib import Path

import contest

SAMPLE_S = 0.25


def stat(pid):
    """The fields after the name: index 1 is the parent, 13 and 14 are ticks of ended children."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


class Part:
    def __init__(self, name, pid, has_children=False):
        self.name = name
        self.pid = pid
        self.has_children = has_children

    def pids(self):
        found = [self.pid]
        for path in Path("/proc").glob("[0-9]*") if self.has_children else ():
            with contextlib.suppress(OSError):
                if int(stat(path.name)[1]) == self.pid:
                    found.append(int(path.name))
        return found

    def cpu_seconds(self):
        """Of children that have ended, too."""
        seconds = sum(int(field) for field in stat(self.pid)[13:15]) / contest.TICKS
        for pid in self.pids():
            with contextlib.suppress(OSError):
                seconds += contest.cpu_seconds(pid)
        return seconds

    def pss(self):
        """Bytes: what processes share is counted by share, so that the sum is what they take."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M).group(1)) * 1024
        return total

    def rss(self, peak=False):
        """Bytes of the one process: now, or at most until now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"Vm{'HWM' if peak else 'RSS'}:\s+(\d+) kB", status)
        return int(found.group(1)) * 1024


class Peaks:
    """The most PSS that each part was seen with, while the block runs."""

    def __init__(self, parts):
        self.parts = parts
        self.most = {part.name: 0 for part in parts}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self.over.wait(SAMPLE_S):
            for part in self.parts:
                self.most[part.name] = max(self.most[part.name], part.pss())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
