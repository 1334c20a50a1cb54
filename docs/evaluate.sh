#!/bin/sh
# Makes the table of docs/evaluation.md from a list of checkouts: lines of "name path dockerfile context".
# usage: docs/evaluate.sh LIST [cacheplan]
set -eu
list=$1
tool=${2:-cacheplan}
echo '| repository | commits | steps | baseline s/build | plan s/build | saving (class) | bound | seconds | MB |'
echo '| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |'
while read -r name path dockerfile context; do
  out=$(mktemp)
  use=$(mktemp)
  if /usr/bin/time -f '%e %M' -o "$use" "$tool" analyze "$path" -f "$dockerfile" --context "$context" --format json --quiet >"$out" 2>"$use.err"; then :; fi
  python3 - "$name" "$out" "$use" <<'P'
import json, sys
name, out, use = sys.argv[1:]
wall, kb = open(use).read().split()[-2:]
try:
    t = json.load(open(out))["targets"][0]
    p = max(t["plans"], key=lambda p: p["saving"])
    b = t["baseline"]["work_s_per_build"]
    s = f'{100 * p["saving"]:.0f} % ({p["safety"]})' if p["edits"] else "-"
    print(f'| {name} | {t["history"]["commits"]} | {len(t["steps"])} | {b:.1f} | {p["work_s_per_build"]:.1f} | {s} | {p["bound_s"]:.1f} | {float(wall):.2f} | {int(kb) // 1024} |')
except (KeyError, IndexError, ValueError):
    d = ""
    try:
        d = json.load(open(out))["targets"][0]["diagnostics"][-1]["message"]
    except Exception:
        pass
    print(f'| {name} | | | | | not analysed: {d} | | {float(wall):.2f} | {int(kb) // 1024} |')
P
  rm -f "$out" "$use" "$use.err"
done <"$list"
