#!/usr/bin/env python3
"""Findings of `cacheplan check --all` over checkouts, and a sample of them to be judged by a reader.

usage: evaluate-rules.py CHECKOUTS TOOL [SEED [COUNT]]

CHECKOUTS is a folder with one checkout per repository, called OWNER+NAME. Prints how often each rule finds something, then COUNT findings (100)
drawn with SEED (printed), every rule at most a tenth of them, as a table with an empty verdict and reason. Test data of parsers and builders (folders called
`testdata`, `testfiles` and the like) is left out of the sample: nobody builds it."""

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter

MOST_OF_ONE = 0.1


def findings(root, tool):
    for name in sorted(os.listdir(root)):
        path = os.path.join(root, name)
        out = subprocess.run([tool, "check", "--all", "--quiet", "--format", "json", "--today", "2026-11-29", path], capture_output=True)
        if out.returncode not in (0, 2) or not out.stdout:
            print(f"{name}: {out.stderr.decode(errors='replace').strip()}", file=sys.stderr)
            continue
        for file in json.loads(out.stdout)["files"]:
            for found in file["findings"]:
                yield name.replace("+", "/", 1), file["file"], found


def main():
    root, tool = sys.argv[1:3]
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 20261129
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 100
    rows = list(findings(root, tool))
    print(f"{len(rows)} findings")
    for rule, n in Counter(f["rule"] for _, _, f in rows).most_common():
        print(f"{n:6} {rule}")
    print(f"\nseed {seed}\n")
    order = [row for row in rows if not re.search(r"(^|/)test-?(data|files?)[-/]", row[1])]
    random.Random(seed).shuffle(order)
    taken, of = [], Counter()
    for row in order:
        rule = row[2]["rule"]
        if of[rule] < count * MOST_OF_ONE and len(taken) < count:
            of[rule] += 1
            taken.append(row)
    taken.sort(key=lambda r: (r[0], r[1], r[2]["line"], r[2]["rule"]))
    print("| repository | file, line | rule | finding | verdict | reason |\n| --- | --- | --- | --- | --- | --- |")
    for repository, file, f in taken:
        message = f["message"].replace("|", "\\|")
        print(f"| {repository} | {file}:{f['line']} | {f['rule']} | {message} |  |  |")


main()
