#!/usr/bin/env bash
# Drives a car while hostile viewers and strangers attack it (storm.py), for as long as it is told to.
#
# usage: run.sh PATH-TO-SPIDERCAR [--seconds N] [--seed N] [--viewers PROCESSES] [--strangers SHARE] [--least PERCENT] [--log FILE]
# Runs where: any Linux with Python 3.11 or newer; loopback only. What is started is ended.
# Needs:      the environment of tests/interop (made the first time).
# Prints a line a minute and a line a check. Exit code 0, or 1 if one failed.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    "" | -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ] || exit 2; exit 0 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/../interop/run.sh" --python)
SPIDERCAR_BIN=$(realpath "$1")
export SPIDERCAR_BIN PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/../interop
exec "$python" "$here/storm.py" "${@:2}"
