#!/usr/bin/env python3
"""House rules that no compiler knows: sizes, banned functions, words that must not stay."""
import re
import subprocess
import sys

FILE_LINES = 600
FUNCTION_LINES = 70
TEST_FUNCTION_LINES = 120  # a test may carry its table of cases
BANNED = {
    "strcpy": "str_copy",
    "strcat": "struct buf",
    "sprintf": "snprintf or struct buf",
    "vsprintf": "vsnprintf or struct buf",
    "gets": "fgets",
    "strtok": "an explicit scan",
    "atoi": "parse_i64",
    "atol": "parse_i64",
    "atof": "json_f64",
    "rand": "random_bytes",
    "alloca": "the arena",
    "usleep": "an event that can be awaited",
}


def tracked(*patterns):
    out = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", *patterns],
        check=True, capture_output=True, text=True)
    return out.stdout.splitlines()


def functions(lines):
    """(line, length) of each function: a brace alone in column 0 to the next one that closes it."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{" and start is None:
            start = number
        elif line == "}" and start is not None:
            yield start, number - start
            start = None


def without_comments_and_strings(text):
    keep_lines = lambda match: "\n" * match.group().count("\n") or " "
    text = re.sub(r"/\*.*?\*/", keep_lines, text, flags=re.S)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def check(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    lines = text.splitlines()
    if len(lines) > FILE_LINES:
        yield f"{path}: {len(lines)} lines, at most {FILE_LINES}: it is more than one idea"
    limit = TEST_FUNCTION_LINES if "/test/" in path else FUNCTION_LINES
    for line, length in functions(lines):
        if length > limit:
            yield f"{path}:{line}: a function of {length} lines, at most {limit}"
    code = without_comments_and_strings(text).splitlines()
    for number, line in enumerate(code, 1):
        for name in re.findall(r"(?<![\w.>])(\w+)\s*\(", line):
            if name in BANNED:
                yield f"{path}:{number}: {name}() is banned here: use {BANNED[name]}"
    for number, line in enumerate(lines, 1):
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
            yield f"{path}:{number}: unfinished business: {line.strip()}"


def main():
    findings = [finding for path in tracked("*.c", "*.h") for finding in check(path)]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
