#!/usr/bin/env python3
"""How fast `cacheplan check` is beside hadolint, on the same files in the same run.

usage: evaluate-check-speed.py LIST TOOL HADOLINT [ROUNDS]

LIST names one Dockerfile a line. Both tools get all of them in one process, in turn, ROUNDS times (11); then one file of one line, which is start-up and
little else. Prints medians in milliseconds, and the median of the ratios round by round."""

import statistics
import subprocess
import sys
import tempfile
import time


def timed(command):
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def compare(name, files, tool, hadolint, rounds):
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(timed([tool, "check", "--format", "json", *files]))
        theirs.append(timed([hadolint, "--no-fail", "-f", "json", *files]))
    ratios = sorted(b / a for a, b in zip(ours, theirs))
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    print(f"| {name} | {1000 * statistics.median(ours):.1f} | {1000 * statistics.median(theirs):.1f} | {statistics.median(ratios):.1f} ({low:.1f} .. {high:.1f}) |")
    return statistics.median(ours), statistics.median(theirs)


def main():
    files = open(sys.argv[1]).read().split()
    tool, hadolint = sys.argv[2:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 11
    print("| files | cacheplan, ms | hadolint, ms | times as fast |\n| --- | ---: | ---: | ---: |")
    all_ours, all_theirs = compare(f"{len(files)} Dockerfiles", files, tool, hadolint, rounds)
    with tempfile.NamedTemporaryFile("w", suffix=".Dockerfile") as one:
        one.write("FROM scratch\n")
        one.flush()
        ours, theirs = compare("one of one line", [one.name], tool, hadolint, rounds)
    print(f"| without start-up | {1000 * (all_ours - ours):.1f} | {1000 * (all_theirs - theirs):.1f} | {(all_theirs - theirs) / (all_ours - ours):.1f} |")


main()
