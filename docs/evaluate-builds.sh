#!/bin/sh
# Makes the table of "Real builds" in docs/evaluation.md: lines of "name path dockerfile context [flags]", on the builder that DOCKER_HOST names.
# The prediction comes first, since its first build fills the cache from which the plan's original is then taken.
# usage: docs/evaluate-builds.sh LIST [cacheplan]
set -eu
list=$1
tool=${2:-cacheplan}
echo '| repository | plan: safety, moves, saving | images: paths, noise, builds, seconds | predictions: builds, steps, agree, maybe, older, wrong, seconds |'
echo '| --- | --- | --- | --- |'
while read -r name path dockerfile context flags; do
  out=$(mktemp -d)
  for part in prediction plan; do
    what=--plan
    [ "$part" = plan ] || what='--prediction 10'
    start=$(date +%s)
    # shellcheck disable=SC2086
    "$tool" verify $what "$path" -f "$dockerfile" --context "$context" $flags --format json --quiet -o "$out/$part" -- --network=host </dev/null || echo "$name: $part: exit $?" >&2
    echo $(($(date +%s) - start)) >"$out/$part.s"
  done
  python3 - "$name" "$out" <<'P'
import collections, json, sys
name, out = sys.argv[1:]
read = lambda part: (json.load(open(f"{out}/{part}"))[part], open(f"{out}/{part}.s").read().strip())
try:
    (p, a), (q, b) = read("plan"), read("prediction")
    noise = ", ".join(f"{n} × {k}" for k, n in collections.Counter(x["kind"] for x in p["noise"]).items()) or "none"
    equal = "nothing to verify" if p["nothing_to_verify"] else f'{p["paths"]:,} {"equal" if p["equal"] else "DIFFERENT"}'
    rows = [len(q[k]) for k in ("older_records", "wrong")]
    print(f'| {name} | {p["safety"]}, {len(p["edits"])}, {100 * p["saving"]:.1f} % | {equal}; {noise}; {p["builds"]}; {a} | '
          f'{q["builds"]}, {q["steps"]}, {q["agree"]}, {q["maybe"]}, {rows[0]}, {rows[1]}; {b} |')
except (OSError, KeyError, ValueError) as e:
    print(f"| {name} | not verified: {e!r} | | |")
P
  rm -rf "$out"
done <"$list"
