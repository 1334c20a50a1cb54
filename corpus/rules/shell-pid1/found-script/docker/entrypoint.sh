#!/bin/sh
set -e

if [ -n "$MIGRATE" ]; then
  manage migrate
fi

"$@"
