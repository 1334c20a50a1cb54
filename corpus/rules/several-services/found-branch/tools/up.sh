#!/bin/bash
if [ $# -eq 0 ]; then
  /etc/init.d/cron start
  scheduler --verbose &
  apache2ctl -D FOREGROUND
else
  exec "$@"
fi
