#!/usr/bin/env python3
"""Holds `cacheplan check` against hadolint, code by code.

Usage: docs/evaluate-hadolint.py HADOLINT CACHEPLAN LIST [CODE...]

LIST is a file with one path of a Dockerfile a line. For every rule that says it means codes of hadolint as well
(`cacheplan check --list-rules`), prints how many instructions both find, hadolint alone and cacheplan alone, and names
the places where they differ. With CODEs, those alone. Files that hadolint can't read (DL1000) are left out.
"""

import json
import os
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


def starts(program, file):
    """The first line of every instruction; both tools may name any line of one."""
    folder, name = os.path.split(file)
    out = subprocess.run([program, "inspect", folder, "-f", name, "--format", "json", "--quiet"], capture_output=True, text=True, check=False)
    try:
        document = json.loads(out.stdout)
    except json.JSONDecodeError:
        return []
    found = list(document["global"])
    for stage in document["stages"]:
        found += stage["instructions"]
    return sorted((row["line"], row["end_line"]) for row in found)


def start_of(lines, line):
    """The first line of the instruction that a line is in; a comment above one belongs to it."""
    for first, last in lines:
        if line <= last:
            return first
    return line


def cacheplan(program, files):
    """Places by rule."""
    places = defaultdict(set)
    for start in range(0, len(files), 50):
        words = [program, "check", "--all", "--quiet", "--format", "json", *files[start : start + 50]]
        for file in json.loads(run(words))["files"]:
            for row in file["findings"]:
                places[row["rule"]].add((row["file"], row["line"]))
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
    first = {file: starts(ours_program, file) for file in files if file not in unread}
    at = lambda places: {(f, start_of(first[f], line)) for f, line in places if f in first}
    groups = defaultdict(list)
    for code in sorted(rules):
        if not only or code in only:
            groups[tuple(sorted(rules[code]))].append(code)
    print("| rule | hadolint's codes | both | hadolint alone | cacheplan alone |\n| --- | --- | ---: | ---: | ---: |")
    differing = []
    for names, codes in sorted(groups.items()):
        here = at(set().union(*(ours[rule] for rule in names)))
        there = at(set().union(*(theirs[code] for code in codes)))
        both, missed, more = here & there, there - here, here - there
        print(f"| {', '.join(names)} | {', '.join(codes)} | {len(both)} | {len(missed)} | {len(more)} |")
        differing += [(names[0], "hadolint", place) for place in sorted(missed)]
        differing += [(names[0], "cacheplan", place) for place in sorted(more)]
    for code, who, (file, line) in differing:
        print(f"{code} {who} alone: {file}:{line}")


if __name__ == "__main__":
    main()
