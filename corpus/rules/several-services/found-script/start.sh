#!/bin/bash
redis-server --daemonize no &
worker --queue default &
exec gunicorn app:app
