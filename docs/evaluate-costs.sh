#!/bin/sh
# How near learned seconds come to real ones, on the small projects of corpus/rewrites:
#
#     evaluate-costs.sh path/to/cacheplan [PROJECT]…
#
# Needs docker with buildx on PATH, a `debian:trixie`, registries that a RUN with --network=host can reach, and jq. Every project gets a history of 15
# commits (edits of sources and documents, two of a manifest), each of which is built. The first 5 builds teach; the seconds of the next 10 are what
# `replay` foresees with that, held against what the builder says of them. One line a project: builds, seconds a build (median), how far off the
# foreseen ones are (median and 90th percentile), and the load of the machine meanwhile.
#
# The builder's cache is emptied before each project.
set -eu
tool=$(realpath "$1")
shift
top=$(cd "$(dirname "$0")/../corpus/rewrites" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- apt pip poetry uv npm-workspaces yarn pnpm cargo
for stage in python node rust; do
    docker image inspect "tools:$stage" >/dev/null 2>&1 ||
        docker buildx build --network=host -q -f "$top/base.Dockerfile" --target "$stage" -t "tools:$stage" --load "$work" >/dev/null
done

commit() {
    git -C "$1" add -A
    git -C "$1" -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m "$2"
}

# A manifest with another byte in it that says the same; apt has none.
edit_manifest() {
    [ ! -f "$1/package.json" ] || sed -i '1s/{/{ /' "$1/package.json"
    for manifest in requirements.txt pyproject.toml Cargo.toml; do
        [ ! -f "$1/$manifest" ] || echo '# changed' >>"$1/$manifest"
    done
}

project() {
    name=$1
    dir=$work/$name
    cp -r "$top/$name" "$dir"
    rm -f "$dir"/Dockerfile.*
    git -C "$dir" -c init.defaultBranch=main init -q
    docker builder prune -af >/dev/null
    source=$(cd "$dir" && find . -name 'main.*' -not -path './vendor/*' | head -n 1)
    case $source in *.py | *.sh) comment='#' ;; *) comment='//' ;; esac
    mkdir "$work/$name-logs"
    for i in $(seq 15); do
        case $i in
        1) ;;
        4 | 11) edit_manifest "$dir" ;;
        3 | 8 | 14) echo "$i" >>"$dir/docs/about.md" ;;
        *) echo "$comment $i" >>"$dir/$source" ;;
        esac
        commit "$dir" "build $i"
        docker buildx build --network=host --progress=rawjson --output=type=cacheonly "$dir" 2>"$work/$name-logs/$i" >/dev/null ||
            { echo "$name | build $i failed" && return; }
    done
    cd "$work/$name-logs"
    "$tool" calibrate 1 2 3 4 5 -o costs.json >/dev/null
    for i in $(seq 6 15); do
        "$tool" calibrate "$i" -o "$i.costs" --format json | jq '.logs[0].seconds'
    done >seen
    "$tool" replay "$dir" --history 15 --dot-git absent --costs "$PWD/costs.json" --format json --quiet |
        jq '.work_s // empty' | tail -n 10 >foreseen
    paste seen foreseen | awk '{ off = ($1 > $2 ? $1 - $2 : $2 - $1) / $1; print off }' | sort -n >off
    at() { sort -n "$1" | awk -v q="$2" '{ v[NR] = $1 } END { i = 1 + q * (NR - 1); a = int(i); b = a < NR ? a + 1 : a; print v[a] + (v[b] - v[a]) * (i - a) }'; }
    printf '%s | %s | %.1f | %.1f | %.1f %% | %.1f %% | %s\n' "$name" "$(wc -l <off)" "$(at seen 0.5)" "$(at foreseen 0.5)" \
        "$(at off 0.5 | awk '{ print 100 * $1 }')" "$(at off 0.9 | awk '{ print 100 * $1 }')" "$(cut -d ' ' -f 1 /proc/loadavg)"
}

for name in "$@"; do
    (project "$name" </dev/null)
done
