"""docs/benchmarks.md: each section is written by the command that it names, between two markers; the
rest of the page is written by hand.

    page.py NAME COMMAND <LINES
"""
import os
import re
import sys
from datetime import date
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/benchmarks.md"


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} cores of {model.group(1) if model else 'an unknown processor'}"


def write_section(name, command, lines):
    begin, end = f"<!-- {name}: {command} -->", f"<!-- end of {name} -->"
    text = PAGE.read_text()
    before, rest = text.split(begin)
    _, after = rest.split(end)
    body = "\n".join([f"{date.today()}, {machine()}.", "", *lines])
    PAGE.write_text(f"{before}{begin}\n{body}\n{end}{after}")


if __name__ == "__main__":
    write_section(sys.argv[1], sys.argv[2], sys.stdin.read().splitlines())
