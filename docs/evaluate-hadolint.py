#!/usr/bin/env python3
"""Holds `cacheplan check` against hadolint, code by code.

Usage: docs/evaluate-hadolint.py HADOLINT CACHEPLAN LIST [CODE...]

LIST is a file with one path of a Dockerfile a line. For every code of hadolint that a rule says it means as well
(`cacheplan check --list-rules`), prints how many places, file and line, both find, hadolint alone and cacheplan alone, and names
the places where they differ. With CODEs, those alone. Files that hadolint can't read (DL1000) are left out.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict


def run(words):
    out = subprocess.run(words, capture_output=True, text=True, check=False)
    if not out.stdout.strip():
        sys.exit(f"{' '.join(words[:4])}: {out.stderr.strip()[-500:]}")
    return out.stdout


def hadolint(program, files):
    """Places by code, and the files that can't be read."""
    places, unread = defaultdict(set), set()
    for file in files:
        words = [program, "--no-fail", "-f", "json", file]
        out = subprocess.run(words, capture_output=True, text=True, check=False)
        try:
            rows = json.loads(out.stdout)
        except json.JSONDecodeError:
            unread.add(file)
            continue
        for row in rows:
            if row["code"] == "DL1000":
                unread.add(file)
            places[row["code"]].add((file, row["line"]))
    return places, unread


def cacheplan(program, files):
    """Places by rule."""
    places = defaultdict(set)
    for start in range(0, len(files), 50):
        words = [program, "check", "--all", "--quiet", "--format", "json", *files[start : start + 50]]
        for file in json.loads(run(words))["files"]:
            for row in file["findings"]:
                name = row.get("file") or file["path"]
                places[row["rule"]].add((name, row["line"]))
    return places


def mapping(program):
    """Rules by code of hadolint."""
    rules = defaultdict(set)
    name = re.compile(r"^\s*([A-Za-z][A-Za-z0-9-]*)\b")
    for line in run([program, "check", "--list-rules"]).splitlines():
        rule = name.match(line)
        for code in re.findall(r"\b(?:DL|SC)\d{4}\b", line):
            if rule:
                rules[code].add(rule.group(1))
    return rules


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    theirs_program, ours_program, listing, *only = sys.argv[1:]
    with open(listing, encoding="utf-8") as lines:
        files = [line.strip() for line in lines if line.strip()]
    rules = mapping(ours_program)
    theirs, unread = hadolint(theirs_program, files)
    ours = cacheplan(ours_program, [f for f in files if f not in unread])
    print(f"{len(files)} files, {len(unread)} of them can't be read by hadolint and are left out")
    print(f"{'code':8} {'both':>5} {'hadolint':>9} {'cacheplan':>10}  rules")
    differing = []
    for code in sorted(rules):
        if only and code not in only:
            continue
        here = set().union(*(ours[rule] for rule in rules[code]))
        there = {place for place in theirs[code] if place[0] not in unread}
        both, missed, more = here & there, there - here, here - there
        names = ", ".join(sorted(rules[code]))
        print(f"{code:8} {len(both):5} {len(missed):9} {len(more):10}  {names}")
        differing += [(code, "hadolint", place) for place in sorted(missed)]
        differing += [(code, "cacheplan", place) for place in sorted(more)]
    for code, who, (file, line) in differing:
        print(f"{code} {who} alone: {file}:{line}")


if __name__ == "__main__":
    main()
