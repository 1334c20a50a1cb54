#!/usr/bin/env python3
serve
