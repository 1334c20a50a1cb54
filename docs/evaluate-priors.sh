#!/bin/sh
# What the steps of real projects cost on this machine: the figures behind the priors of docs/costs.md.
#
#     evaluate-priors.sh path/to/cacheplan FOLDER [PROJECT]… >runs.tsv
#
# Needs docker with buildx on PATH, a `debian:trixie`, registries that a RUN with --network=host can reach, git and jq. FOLDER holds bare mirrors of
# the repositories that docs/priors/PROJECT.Dockerfile names in its first lines, as OWNER+NAME or OWNER+NAME/repo. The newest commit is built:
#
# - cold, as often as the file says (twice): no step is taken from the cache, which is empty before the first. All but the last without the cache
#   mounts, the last with them, which are empty then;
# - warm, twice: a byte of the manifest changes, so that the install and all behind it run again with filled mounts;
# - change, twice: a comment is added to one source file.
#
# One line a step that ran: project, tool, case, cache mounts (none, empty, filled), classes, keyword, seconds, bytes of the layer, load of the
# machine, text. Seconds are the builder's own; classes are those of `inspect`; bytes are of the first cold run of each kind, what the layer holds on
# disk. Ignore files are left out.
set -eu
tool=$(realpath "$1")
mirrors=$(realpath "$2")
shift 2
top=$(cd "$(dirname "$0")/priors" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- $(cd "$top" && ls ./*.Dockerfile | sed 's|^./||; s|.Dockerfile$||' | grep -v '^base$')
mkdir "$work/empty"
for stage in tools python node rust go; do
    docker image inspect "tools:$stage" >/dev/null 2>&1 ||
        docker buildx build --network=host -q -f "$top/base.Dockerfile" --target "$stage" -t "tools:$stage" --load "$work/empty" >/dev/null
done

# A manifest with other bytes that say the same.
edit_manifest() {
    case $1 in
    *.json) sed -i '1s/{/{ /' "$1" ;;
    *) echo '# changed' >>"$1" ;;
    esac
}

edit_source() {
    case $1 in
    *.py) echo "# $2" >>"$1" ;;
    *) echo "// $2" >>"$1" ;;
    esac
}

# build CASE MOUNTS DOCKERFILE [FLAG]: builds, and writes a line a step.
build() {
    case=$1 mounts=$2 from=$3
    shift 3
    sync
    load=$(cut -d ' ' -f 1 /proc/loadavg)
    timeout 400 docker buildx build --network=host --progress=rawjson --provenance=false --output=type=cacheonly "$@" -f "$from" "$dir" 2>"$work/log" >/dev/null ||
        { echo "$name | $case: the build failed: $(jq -r '.vertexes[]?.error // empty' "$work/log" 2>/dev/null | head -n 1)" >&2 && return 1; }
    [ -s "$work/bytes" ] || docker buildx du --format json | jq -s 'map({d: .Description, at: .CreatedAt, s: (.Size |
        capture("(?<n>[0-9.e+]+)(?<u>[kMG]?)B") | (.n | tonumber) * {"": 1, k: 1e3, M: 1e6, G: 1e9}[.u] | round)})' >"$work/bytes"
    rm -f "$work/costs"
    "$tool" calibrate "$work/log" -o "$work/costs" --format json >/dev/null
    jq -r --slurpfile steps "$work/steps" --slurpfile bytes "$work/bytes" --arg name "$name" --arg kind "$kind" --arg case "$case" --arg mounts "$mounts" --arg load "$load" '
        def plain: gsub("\\s+"; " ");
        .steps[] | select(.match.text) | .match as $m | ($m.text | plain) as $text
        | ($steps[0][] | select(.keyword == $m.keyword and (.text | plain) == $text)) as $step
        | (if $m.keyword == "RUN" and $step.mounted then $mounts else "none" end) as $with
        | ([$bytes[0][] | select((.d | plain) | endswith($text) and ($m.keyword == "RUN" or contains(" \($m.keyword) ")))] | max_by(.at).s) as $b
        | [$name, $kind, $case, $with, ($step.classes | join("+")), $m.keyword, .seconds.cold[0], ($b // ""), $load, $text] | @tsv' "$work/costs"
}

project() {
    name=$1
    file=$top/$name.Dockerfile
    says() { sed -n "s/^# $1 //p" "$file"; }
    kind=$(says tool)
    repository=$mirrors/$(says repository)
    [ -f "$repository/HEAD" ] || repository=$repository/repo
    [ ! -d "$repository/.git" ] || repository=$repository/.git
    mkdir "$work/$name"
    # A mirror may lack its largest files.
    GIT_INDEX_FILE=$work/index git --git-dir "$repository" read-tree HEAD
    GIT_INDEX_FILE=$work/index git --git-dir "$repository" --work-tree "$work/$name" checkout-index -a -q 2>/dev/null || true
    dir=$(realpath "$work/$name/$(says folder)")
    rm -f "$dir/.dockerignore" "$dir/Dockerfile"
    grep -v '^# [a-z]* ' "$file" >"$work/mounts"
    sed 's/ --mount=type=cache[^ ]*//g' "$work/mounts" >"$work/plain"
    # What `inspect` says of the steps, in a repository of the Dockerfile alone.
    rm -rf "$work/inspected" "$work/bytes"
    mkdir "$work/inspected"
    cp "$work/mounts" "$work/inspected/Dockerfile"
    (cd "$work/inspected" && git -c init.defaultBranch=main init -q && git add -A && git -c user.name=a -c user.email=a@example.org commit -qm a)
    "$tool" inspect "$work/inspected" --footprints --format json | jq '[.. | objects | select(.step == true) |
        {keyword, classes, text: (.arguments | join(" ")), mounted: (.flags | any(contains("type=cache")))}]' >"$work/steps"
    docker builder prune -af >/dev/null
    colds=$(says cold)
    colds=${colds:-2}
    i=1
    while [ "$i" -lt "$colds" ]; do
        build cold none "$work/plain" --no-cache || return 0
        i=$((i + 1))
    done
    rm -f "$work/bytes"
    build cold empty "$work/mounts" --no-cache || return 0
    for i in 1 2; do
        [ -n "$(says manifest)" ] || break
        edit_manifest "$dir/$(says manifest)"
        build warm filled "$work/mounts" || return 0
    done
    for i in 1 2; do
        [ -n "$(says source)" ] || break
        edit_source "$dir/$(says source)" "$i"
        build change filled "$work/mounts" || return 0
    done
    rm -rf "${work:?}/$name"
}

for name in "$@"; do
    (project "$name" </dev/null)
done
docker builder prune -af >/dev/null
