#!/usr/bin/env bash
# What scripts/deploy.sh does to images and cards without starting one: the official image's layout and files that are none,
# hostile cards, secrets, signatures, Wi-Fi names and passwords, sudo (check_*.py).
#
# usage: deploy.sh PATH-TO-SPIDERCAR
# Runs where: a Debian machine, as root. Needs: what scripts/prepare.sh test installs; Debian's mirror the first time.
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}; what is started is ended.
# Prints a line a check. Exit code 0, 1 if one failed, or 77 with the reason where it cannot run.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    "" | -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ] || exit 2; exit 0 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
# deploy.sh checks configurations with this one, whatever else was built here.
SPIDERCAR=$(realpath "$1")
export SPIDERCAR PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/../machine
cd "$here"
code=0
worst() { [ "$1" = 0 ] || [ "$code" = 1 ] || code=$1; }
for one in official hostile secrets signed wifi sudo; do
    python3 "check_$one.py" || worst $?
done
exit "$code"
