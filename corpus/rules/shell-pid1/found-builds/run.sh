#!/bin/sh
httpd -f -p 8080
