#!/bin/sh
echo "Tags: 1.0"
