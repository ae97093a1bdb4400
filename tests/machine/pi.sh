#!/usr/bin/env bash
# Runs the checks on an emulated Raspberry Pi 3B: its programs where there is no camera (check_pi.py), and the car driven
# through a Spider on this machine, its GPIO pins read from outside (pi_drive.py).
#
# usage: pi.sh PATH-TO-SPIDERCAR [PATH-TO-SPIDERCAR-FOR-AARCH64]    without the second: scripts/build-pi.sh --fast
# Runs where: an amd64 Debian, as root. Needs: what scripts/prepare.sh test installs; Debian's mirror the first time.
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}: 1.4 GB for the machines, 4 GB for the build. The network of the driven
#             Pi is a namespace of its own; what is started is ended.
# Prints a line a check. Exit code 0, 1 if one failed, or 77 with the reason on the last line where it cannot run.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    "" | -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ] || exit 2; exit 0 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1")
binary_pi=${2:-$("$here/../../scripts/build-pi.sh" --fast | tail -n 1)}
export PYTHONDONTWRITEBYTECODE=1
code=0
worst() { [ "$1" = 0 ] || [ "$code" = 1 ] || code=$1; }
# First, because it makes the machine's root where there is a network.
python3 "$here/check_pi.py" "$binary_pi" || worst $?
[ "$code" != 77 ] || exit 77
unshare --net -- python3 "$here/pi_drive.py" "$binary" "$binary_pi" || worst $?
exit "$code"
