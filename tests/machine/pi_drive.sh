#!/usr/bin/env bash
# Drives an emulated Raspberry Pi 3B through a Spider on this machine and reads its GPIO pins from outside (pi_drive.py).
#
# usage: pi_drive.sh PATH-TO-SPIDERCAR [PATH-TO-SPIDERCAR-FOR-AARCH64]    without the second: scripts/build-pi.sh --fast
# Runs where: an amd64 Debian, as root. Needs: what scripts/prepare.sh test installs; Debian's mirror the first time.
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}. The network is a namespace of its own that ends with it.
# Prints a line a check. Exit code 0, 1, or 77 with the reason where it cannot run.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    "" | -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ] || exit 2; exit 0 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1")
binary_pi=${2:-$("$here/../../scripts/build-pi.sh" --fast)}
export PYTHONDONTWRITEBYTECODE=1
exec unshare --net -- python3 "$here/pi_drive.py" "$binary" "$binary_pi"
