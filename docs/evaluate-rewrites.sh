#!/bin/sh
# Rewrites of the small projects of corpus/rewrites, built for real:
#
#     evaluate-rewrites.sh [--plans] path/to/cacheplan [PROJECT | PROJECT:REWRITE]…
#
# Needs docker with buildx on PATH, a `debian:trixie`, registries that a RUN with --network=host can reach, and jq. Each line of
# corpus/rewrites/cases names a project, one of its Dockerfiles and the rewrites that a plan may use. The project gets a history of
# edits of its sources and its documents; the Dockerfile and its plan are built and the images compared; then, with the plan in
# force, an edit of the sources, one of the manifests and one of a document are built, and what runs again is held against what was
# foreseen. One line a case tells what came of it. --plans only prints the plans.
#
# A step that was to run and had been built before, by an earlier case, counts as wrong: empty the builder's cache first.
set -eu
plans=
[ "$1" != --plans ] || { plans=1 && shift; }
tool=$(realpath "$1")
shift
top=$(cd "$(dirname "$0")/../corpus/rewrites" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -n "$plans" ] || for stage in python node rust ruby golang ruby-node; do
    docker image inspect "tools:$stage" >/dev/null 2>&1 ||
        docker buildx build --network=host -q -f "$top/base.Dockerfile" --target "$stage" -t "tools:$stage" --load "$work" >/dev/null
done

commit() {
    git -C "$1" add -A
    git -C "$1" -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m "$2"
}

wanted() {
    case " $wanted " in '  ' | *" $1 "* | *" $1:$2 "*) return 0 ;; esac
    return 1
}

# A manifest with another byte in it that says the same; for apt, one more package.
edit_manifest() {
    [ ! -f "$1/package.json" ] || sed -i '1s/{/{ /' "$1/package.json"
    for manifest in requirements.txt pyproject.toml Cargo.toml Gemfile; do
        [ ! -f "$1/$manifest" ] || echo '# changed' >>"$1/$manifest"
    done
    [ ! -f "$1/go.mod" ] || echo '// changed' >>"$1/go.mod"
    sed -i 's/install-recommends jq/install-recommends jq less/' "$1/Dockerfile"
}

# Builds the last two commits and says which steps of the newest ran, and whether that was foreseen.
after_edit() {
    foreseen=$("$tool" replay "$dir" --range HEAD~2..HEAD --dockerfile-from each --format json --quiet "$@" | tail -n 1)
    seen=$("$tool" verify "$dir" --prediction 1 --dockerfile-from each --network host --timeout 900 --format json --quiet "$@" || true)
    jq -rn --argjson f "$foreseen" --argjson s "${seen:-null}" '
        ($s.prediction // {}) as $p
        | "\($f.executed | length) of \(($f.executed + $f.cached + $f.maybe) | length) steps run"
        + (if $f.maybe == [] then "" else ", \($f.maybe | length) maybe" end)
        + (if $p.builds != 1 then ": NOT BUILT " + ($p.failed | tostring)
            elif $p.wrong + $p.older_records == [] then ", as foreseen"
            else ": WRONG " + ($p.wrong + $p.older_records | map("\(.name): \(.predicted), seen \(.seen)") | join("; ")) end)'
}

# What the two images have in common, and kinds of noise with how often each was seen.
images() {
    jq -r '.plan? | if . == null then "NOT BUILT" else
        (if .refused then "REFUSED \(.refused)" elif .equal then "equal (\(.paths) paths)"
            else "DIFFER " + (.differences | map("\(.path // .name // "") \(.what)") | .[:5] | join("; ")) end)
        + (.noise | group_by(.kind) | map("\(length) × \(.[0].kind)") | join(", ") | if . == "" then "" else ", noise: \(.)" end) end'
}

case_of() {
    name=$1 file=$2 rewrites=$3
    dir=$work/$name-$file-${rewrites%%,*}
    cp -r "$top/$name" "$dir"
    cp "$top/$name/$file" "$work/Dockerfile"
    rm -f "$dir"/Dockerfile*
    mv "$work/Dockerfile" "$dir/Dockerfile"
    [ ! -f "$dir/generate" ] || (cd "$dir" && sh ./generate && rm generate)
    git -C "$dir" -c init.defaultBranch=main init -q
    commit "$dir" first
    source=$(cd "$dir" && find . -name 'main.*' -not -path './vendor/*' | head -n 1)
    case $source in *.py | *.rb | *.sh) comment='#' ;; *) comment='//' ;; esac
    for i in 1 2 3 4; do
        echo "$comment $i" >>"$dir/$source"
        commit "$dir" "source $i"
        echo "$i" >>"$dir/docs/about.md"
        commit "$dir" "document $i"
    done
    set -- --dot-git absent
    case $file in *.sink) set -- "$@" --volatile-arg COMMIT ;; esac
    flags=$*
    case $rewrites in cache-mount*) cp "$top/costs.json" "$work/costs.json" && set -- "$@" --costs "$work/costs.json" ;; esac
    set -- "$@" --rewrites "$rewrites"
    edits=$("$tool" optimize "$dir" "$@" --format json --quiet | jq -r '.targets[0].plans[0].edits | map(.rewrite) | unique | join(" ")')
    case " $edits " in
    *" ${rewrites%%,*} "*) ;;
    *) echo "$name | $rewrites | no such plan ($edits)" && return ;;
    esac
    if [ -n "$plans" ]; then
        echo "=== $name $file $rewrites"
        "$tool" optimize "$dir" "$@" --quiet
        return
    fi
    compared=$("$tool" verify "$dir" --plan "$@" --network host --timeout 900 --format json --quiet 2>"$work/said" || true)
    [ -n "$compared" ] || tail -n 5 "$work/said" >&2
    compared=$(printf '%s\n' "${compared:-null}" | images)
    "$tool" optimize "$dir" "$@" --write --quiet
    commit "$dir" plan
    echo "$comment 5" >>"$dir/$source"
    commit "$dir" 'one more edit'
    # The flags are words without blanks.
    # shellcheck disable=SC2086
    by_source=$(after_edit $flags)
    edit_manifest "$dir"
    commit "$dir" 'a manifest'
    # shellcheck disable=SC2086
    by_manifest=$(after_edit $flags)
    echo 5 >>"$dir/docs/about.md"
    commit "$dir" 'one more document'
    # shellcheck disable=SC2086
    by_document=$(after_edit $flags)
    echo "$name | $(echo "$edits" | tr ' ' ,) | $compared | $by_source | $by_manifest | $by_document"
}

wanted=$*
grep -v '^#' "$top/cases" | while read -r name file rewrites; do
    if wanted "$name" "${rewrites%%,*}"; then case_of "$name" "$file" "$rewrites" </dev/null; fi
done
