#!/bin/sh
read -r line
printf "%s %s" "$line" "$1" | tr a-z A-Z
