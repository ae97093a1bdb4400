#!/usr/bin/env bash
# Cuts the power while the car writes its state file, at every system call, and reads what is left.
#
# Runs where: a developer's or CI machine. Needs: strace, python3. Changes: nothing that stays.
# usage: run.sh PATH-TO-SPIDERCAR    CUTS: how many kills at least (500); SEED: of the order of things (1)
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
binary=$(readlink -f "$1")
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 "$here/cut.py" "$binary" "$folder" "${CUTS:-500}" "${SEED:-1}"
