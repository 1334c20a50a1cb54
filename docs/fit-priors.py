#!/usr/bin/env python3
"""The priors of docs/costs.md from measured builds.

    fit-priors.py compact runs.tsv >docs/priors.tsv    one row a step from what evaluate-priors.sh writes
    fit-priors.py docs/priors.tsv                      the tables of docs/costs.md

A step's seconds are the median of its runs with no or with empty cache mounts, a project's those of its steps of one class, and a
class has the median of its projects; low and high are the 10th and 90th percentile of them, between two projects in proportion.
The warm share is the median over projects of a step's median with filled mounts by the one without; builds of tools that keep what they
compiled are told apart. Steps that do work of several
classes are left out. Seconds and shares are rounded to two significant digits, bytes to whole MB.
"""
import collections
import math
import statistics
import sys

# Tools that keep what they compiled: their builds have a warm share of their own.
KEEP_OBJECTS = ["cargo", "go"]
CLASSES = ["system-packages", "install", "build", "light-build", "copy", "workdir", "other"]
COLUMNS = ["project", "tool", "class", "keyword", "text", "cold", "warm", "bytes", "load"]


def compact(path):
    steps, builds, seen, last = {}, collections.Counter(), set(), None
    for line in open(path):
        project, tool, case, mounts, what, keyword, seconds, size, load, text = line.rstrip("\n").split("\t")
        step = (project, tool, what, keyword, text)
        # A build holds each step once.
        if last != (project, case) or step in seen:
            builds[case] += 1
            seen, last = set(), (project, case)
        seen.add(step)
        row = steps.setdefault(step, {"cold": [], "warm": [], "bytes": [], "load": []})
        row["warm" if mounts == "filled" else "cold"].append(float(seconds))
        if mounts == "none" and size:
            row["bytes"].append(int(size))
        row["load"].append(float(load))
    print("#", sum(builds.values()), "builds:", ", ".join(f"{n} {case}" for case, n in sorted(builds.items())))
    print(*COLUMNS, sep="\t")
    for (project, tool, what, keyword, text), row in steps.items():
        seconds = [" ".join(f"{s:.3f}" for s in row[k]) for k in ("cold", "warm")]
        size = row["bytes"][0] if row["bytes"] else ""
        print(project, tool, what, keyword, text[:60].strip(), *seconds, size, f"{statistics.median(row['load']):.1f}", sep="\t")


def at(values, q):
    values = sorted(values)
    place = q * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def rounded(x):
    """Two significant digits, ties away from zero."""
    if x == 0:
        return 0
    unit = 10.0 ** (math.floor(math.log10(x)) - 1)
    return float(f"{math.floor(x / unit + 0.5) * unit:.6g}")


def shown(x):
    return f"{x:g}"


def read(path):
    lines = [l.rstrip("\n") for l in open(path)]
    rows = [dict(zip(COLUMNS, l.split("\t"))) for l in lines if not l.startswith("#")][1:]
    for row in rows:
        for k in ("cold", "warm"):
            row[k] = [float(s) for s in row[k].split()]
    return lines[0], rows


def by_project(rows, value):
    """The median of each project's steps."""
    out = collections.defaultdict(list)
    for row in rows:
        v = value(row)
        if v is not None:
            out[row["project"]].append(v)
    return [at(v, 0.5) for v in out.values()]


def cold(row):
    return at(row["cold"], 0.5) if row["cold"] else None


def share(row):
    return at(row["warm"], 0.5) / at(row["cold"], 0.5) if row["warm"] and row["cold"] else None


def size(row):
    return int(row["bytes"]) if row["bytes"] else None


def spread(values, show=lambda x: shown(rounded(x))):
    """`median (low to high)`."""
    if not values:
        return "–"
    middle, low, high = (show(at(values, q)) for q in (0.5, 0.1, 0.9))
    return middle if len(values) == 1 else f"{middle} ({low} to {high})"


def whole_mb(size):
    return shown(math.floor(size / 1e6 + 0.5))


def table(title, rows, key, names):
    print(f"\n| {title} | projects | steps | runs | seconds | warm share | MB |\n|---|---|---|---|---|---|---|")
    for name in names:
        own = [r for r in rows if key(r) == name]
        runs = sum(len(r["cold"]) + len(r["warm"]) for r in own)
        seconds, warm, mb = (by_project(own, of) for of in (cold, share, size))
        print(f"| {name} | {len(seconds)} | {len(own)} | {runs} | {spread(seconds)} | {spread(warm)} | {spread(mb, whole_mb)} |")


def fit(path):
    head, rows = read(path)
    print(head[2:])
    table("class", rows, lambda r: f"`{r['class']}`", [f"`{c}`" for c in CLASSES])
    own = [r for r in rows if r["class"] in ("install", "build", "light-build")]
    order = sorted({(CLASSES.index(r["class"]), r["tool"]) for r in own})
    table("class, tool", own, lambda r: f"`{r['class']}`, {r['tool']}", [f"`{CLASSES[c]}`, {tool}" for c, tool in order])
    builds = [r for r in rows if r["class"] == "build"]
    for title, kept in (("keep what they compiled", True), ("do not", False)):
        some = by_project([r for r in builds if (r["tool"] in KEEP_OBJECTS) == kept], share)
        print(f"\nwarm share of builds by tools that {title}: {spread(some)}, {len(some)} projects")
    # Seconds of a COPY over its bytes, least squares of the steps' medians.
    points = [(size(r) / 1e9, cold(r)) for r in rows if r["class"] == "copy" and r["bytes"] and r["cold"]]
    if len(points) > 2:
        (xs, ys) = zip(*points)
        line = statistics.linear_regression(xs, ys)
        r2 = statistics.correlation(xs, ys) ** 2
        print(f"\ncopy: {line.intercept:.3f} s and {line.slope:.1f} s a GB, R² {r2:.2f}, {len(points)} steps")
    within = [max(r["cold"]) / min(r["cold"]) for r in rows if len(r["cold"]) > 1 and min(r["cold"]) >= 1]
    if within:
        print(f"within a step of a second or more, slowest run by fastest: {at(within, 0.5):.2f} (median), {at(within, 0.9):.2f} (90th percentile)")
    loads = [float(r["load"]) for r in rows]
    print(f"load before a build: {at(loads, 0.5):.1f} (median), {min(loads)} to {max(loads)}")
    mixed = collections.Counter(r["class"] for r in rows if r["class"] not in CLASSES)
    if mixed:
        print("left out:", dict(mixed))


if __name__ == "__main__":
    compact(sys.argv[2]) if sys.argv[1] == "compact" else fit(sys.argv[1])
