#!/usr/bin/env python3
"""Makes the table of savings in docs/evaluation.md.

usage: evaluate-savings.py LIST REPOSITORIES COSTS [cacheplan]

LIST is a TSV with the columns repository, dockerfile, context and commit; REPOSITORIES holds a git directory for each as
OWNER+NAME/repo; COSTS is a costs file. The credited columns use the same file with figures for filled cache mounts: 0.35 of
an install, 0.5 of a build.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile

LEFT = {"install": 0.35, "build": 0.5}


def with_warm(costs):
    """The costs file with seconds for filled cache mounts."""
    with open(costs) as f:
        document = json.load(f)
    for rule in document["steps"]:
        left = LEFT.get(rule["match"].get("class"))
        if left:
            rule["seconds"]["warm"] = [left * s for s in rule["seconds"]["cold"]]
    out = tempfile.NamedTemporaryFile("w", suffix=".json", delete=False)
    json.dump(document, out)
    out.close()
    return out.name


def analysed(tool, repositories, row, costs):
    """The target of a repository, and its best plan at `assumed` or better; a reason where it has none."""
    git = os.path.join(repositories, row["repository"].replace("/", "+"), "repo")
    command = [tool, "analyze", git, "--ref", row["commit"], "-f", row["dockerfile"], "--context", row["context"]]
    command += ["--costs", costs, "--format", "json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        target = json.loads(done.stdout)["targets"][0]
        return target, max(target["plans"], key=lambda p: p["saving"])
    except (ValueError, KeyError, IndexError):
        return None, (done.stderr.splitlines() or ["no output"])[0]


def percent(value):
    return "-" if value is None or abs(value) < 0.0005 else f"{100 * value:.1f} %"


def figures(target, plan):
    """Seconds a build as it is and as planned, the saving, and the saving held out."""
    before = target["baseline"]["work_s_per_build"]
    after = plan["work_s_per_build"] if plan["edits"] else before
    held_out = plan.get("held_out_saving") if plan["edits"] else 0.0
    return before, after, 1 - after / before if before else 0.0, held_out or 0.0


def main():
    listed, repositories, costs = sys.argv[1:4]
    tool = sys.argv[4] if len(sys.argv) > 4 else "cacheplan"
    warm = with_warm(costs)
    print(
        "| repository | baseline s/build | plan s/build | saving | held out | bound | rewrites "
        "| mounts credited: baseline | plan | saving | held out |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |")
    sums = [0.0] * 7
    count = 0
    with open(listed) as f:
        rows = list(csv.DictReader(f, delimiter="\t"))
    for row in rows:
        target, plan = analysed(tool, repositories, row, costs)
        if target is None:
            print(f"{row['repository']}: {plan}", file=sys.stderr)
            continue
        credited_target, credited_plan = analysed(tool, repositories, row, warm)
        a, b, saving, held = figures(target, plan)
        c, d, credited, credited_held = figures(credited_target, credited_plan)
        bound = min(plan["bound_s"], b)
        names = ", ".join(sorted({e["rewrite"] for e in plan["edits"]}))
        print(
            f"| {row['repository']} | {a:.1f} | {b:.1f} | {percent(saving)} | {percent(held)} | {bound:.1f} | {names} "
            f"| {c:.1f} | {d:.1f} | {percent(credited)} | {percent(credited_held)} |",
            flush=True,
        )
        count += 1
        # Held out, pooled: what would be saved of each file's own seconds.
        for n, value in enumerate([a, b, a * held, bound, c, d, c * credited_held]):
            sums[n] += value
    a, b, held, bound, c, d, credited = sums
    print(
        f"| **all {count}** | {a:.1f} | {b:.1f} | {percent(1 - b / a)} | {percent(held / a)} | {bound:.1f} | "
        f"| {c:.1f} | {d:.1f} | {percent(1 - d / c)} | {percent(credited / c)} |"
    )
    os.unlink(warm)


main()
