#!/usr/bin/env bash
# Calibrates and examines a simulated car in a terminal, by keys; the actuator log is the judge.
#
# Runs where: a developer's or CI machine. Needs: python3 (its pty module). Changes: nothing that stays.
# usage: run.sh PATH-TO-SPIDERCAR
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
binary=$(readlink -f "$1")
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 "$here/calibrate.py" "$binary" "$folder"
python3 "$here/doctor.py" "$binary" "$folder"
