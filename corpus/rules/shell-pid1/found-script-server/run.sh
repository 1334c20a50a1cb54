#!/usr/bin/env bash
export MODE=web
gunicorn app:app --bind 0.0.0.0:8000

