#!/bin/sh
trap "kill $!" TERM
serve &
wait
