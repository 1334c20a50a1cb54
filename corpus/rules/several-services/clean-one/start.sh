#!/bin/sh
# Says when the service is up, while that one starts.
(sleep 5 && echo up) &
wait_for db &
curl -s http://localhost/ready &
migrate up &
wait
exec "$@"
