#!/usr/bin/env bash
set -eu
# Three services that end together.
trap 'kill $(jobs -p)' TERM
nginx -g 'daemon off;' &
php-fpm -F &
wait -n
