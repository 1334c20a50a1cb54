#!/bin/sh
service mariadb start
mysql -e "create database a"
service mariadb stop
exec "$@"
