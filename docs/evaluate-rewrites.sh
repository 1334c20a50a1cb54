#!/bin/sh
# Plans for the small projects of corpus/rewrites, built for real: evaluate-rewrites.sh path/to/cacheplan [NAME…]
#
# Needs docker with buildx on PATH, a `debian:bookworm`, and registries that a RUN with --network=host can reach. Each project gets a
# history of edits of its sources and its documents; the original and the plan are built and compared, and then an edit of the
# sources and one of the manifests are built with the plan: what runs again is printed beside what was foreseen.
set -eu
tool=$(realpath "$1")
shift
top=$(cd "$(dirname "$0")/../corpus/rewrites" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
docker image inspect tools:1 >/dev/null 2>&1 ||
    docker buildx build --network=host -q -f "$top/base.Dockerfile" -t tools:1 --load "$work"
[ $# -gt 0 ] || set -- $(cd "$top" && ls -d */ | tr -d /)
commit() {
    git -C "$1" add -A
    git -C "$1" -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m "$2"
}
for name in "$@"; do
    dir=$work/$name
    cp -r "$top/$name" "$dir"
    git -C "$dir" -c init.defaultBranch=main init -q
    commit "$dir" first
    source=$(cd "$dir" && find . -name 'main.*' | head -n 1)
    case $source in *.py | *.rb) comment='#' ;; *) comment='//' ;; esac
    for i in 1 2 3 4; do
        echo "$comment $i" >>"$dir/$source"
        commit "$dir" "source $i"
        echo "$i" >>"$dir/docs/about.md"
        commit "$dir" "document $i"
    done
    echo "=== $name"
    "$tool" optimize "$dir" --dot-git absent --quiet
    "$tool" verify "$dir" --plan --dot-git absent --network host --timeout 900 2>&1 | grep -vE '^(note|  *[0-9]* of)' | head -n 30 || true
    "$tool" optimize "$dir" --dot-git absent --write --quiet
    commit "$dir" plan
    echo "$comment 5" >>"$dir/$source"
    commit "$dir" 'one more edit'
    # A manifest with another byte in it that says the same.
    for manifest in package.json composer.json; do
        [ ! -f "$dir/$manifest" ] || sed -i '1s/{/{ /' "$dir/$manifest"
    done
    for manifest in requirements.txt pyproject.toml Cargo.toml Gemfile; do
        [ ! -f "$dir/$manifest" ] || echo '# changed' >>"$dir/$manifest"
    done
    [ ! -f "$dir/go.mod" ] || echo '// changed' >>"$dir/go.mod"
    commit "$dir" 'a manifest'
    "$tool" verify "$dir" --prediction 3 --dot-git absent --network host --timeout 900 2>&1 | tail -n 8
done
