#!/bin/bash
# Stands for a tool that would download or compile, in builds without its registry: link it as apk, npm, yarn, bundle, wget … in /usr/local/bin of a base image.
# What it writes depends on what the real tool would read and on nothing else, so a plan that moves a step past something the step reads makes another image.
# SHIM_OUT in the image's ENV: files, from the current folder on, that a build makes. docs/evaluation.md says which repositories were built with it.
t=$(basename "$0") a="$*"
sum() { sha256sum | cut -c1-64; }
put() { mkdir -p "$(dirname "$1")" && printf '%s\n' "$2" >"$1"; }
flag() { grep -oE -- "($1)[ =][^ ]+" <<<"$a" | sed 's/^[^ =]*[ =]//' | tail -1; }
# what a compile reads: every file below the current folder
all() { find . \( -name node_modules -o -name .git -o -name vendor \) -prune -o -type f -print0 | sort -z | xargs -0r sha256sum | sum; }
# what an install reads: manifests and lock files
manifests() {
  for f in package.json package-lock.json yarn.lock .yarnrc.yml .npmrc pnpm-lock.yaml pnpm-workspace.yaml prisma/schema.prisma */package.json packages/*/package.json \
    Gemfile Gemfile.lock .ruby-version lib/gemfile_helper.rb vendor/gems/*/*.gemspec; do
    [ ! -f "$f" ] || sha256sum "$f"
  done | sum
}
case $t in
  apk)
    for p in "$@"; do
      case $p in
        -* | add | del | update | upgrade) ;;
        *) case " $a " in *" del "*) rm -f "/lib/apk/db/$p" ;; *) put "/lib/apk/db/$p" "$p" ;; esac ;;
      esac
    done
    mkdir -p /etc/apk /lib/apk/db && ls /lib/apk/db >/etc/apk/world
    ;;
  wget | curl)
    url=$(grep -oE 'https?://[^ ]+' <<<"$a" | tail -1) out=$(flag '-O|-o|--output') dir=$(flag -P)
    case $t$out in wget) out=${dir:-.}/$(basename "$url") ;; esac
    case $out in '' | -) echo "# $url" ;; *) put "$out" "$url" ;; esac
    ;;
  unzip) put "$(flag -d)/lib/libpdfium.so" pdfium && put "$(flag -d)/licenses/a.txt" licence ;;
  npm | yarn | pnpm)
    cd "$(flag --prefix || :)" 2>/dev/null || cd .
    case " $a " in
      *" -g "* | *" --global "*) for p in "$@"; do case $p in -* | install | i | add) ;; *) put "/usr/local/lib/node_modules/$p/package.json" "$p" ;; esac; done ;;
      *" run "* | *" build"*) h=$(all) && for f in dist/build.txt $SHIM_OUT; do put "$f" "$t $a $h"; done ;;
      *) put node_modules/.installed "$t $a $(manifests)" ;;
    esac
    ;;
  gem) put "/usr/local/bundle/gems/${a// /-}" "$a" ;;
  bundle)
    case "$a" in
      install*) put /usr/local/bundle/installed "$a $(manifests)" && put vendor/bundle/installed "$(manifests)" ;;
      config*) put .bundle/config "$a" ;;
      *) put "tmp/cache/$(sum <<<"$a" | cut -c1-8)" "$a $(all)" && case "$a" in *assets:precompile*) put public/assets/manifest "$(all)" ;; esac ;;
    esac
    ;;
  ruby)
    case "$a" in *shakapacker*) put public/packs/manifest.json "$(all)" ;; esac
    echo /usr/local/bundle/onnxruntime.so
    ;;
  pip) for f in $(grep -oE -- '-r [^ ]+' <<<"$a" | cut -c4-); do put "/usr/local/lib/python3/${f//\//_}" "$(sum <"$f")"; done ;;
  fc-cache) put /var/cache/fontconfig/list "$(ls /usr/share/fonts/noto 2>/dev/null)" ;;
  addgroup) exec /usr/sbin/groupadd -g "$(flag '-g|--gid')" "${@: -1}" ;;
  adduser) exec /usr/sbin/useradd -m -u "$(flag '-u|--uid')" -g "$(flag '-G|--ingroup')" -d "$(flag '-h|--home')" "${@: -1}" ;;
esac
exit 0
