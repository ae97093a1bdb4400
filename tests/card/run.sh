#!/usr/bin/env bash
# From packages to a driven car: makes a card image, deploys into it, again and again (check_deploy.py), boots it on an
# emulated Pi 3B and drives (card_drive.py). What deploy.sh does to other images is deploy.sh's, beside this.
#
# usage: run.sh PATH-TO-SPIDERCAR [PATH-TO-SPIDERCAR-FOR-AARCH64]    without the second: scripts/build-pi.sh --fast
# Runs where: an amd64 Debian, as root. Needs: what scripts/prepare.sh test installs; Debian's mirror the first time.
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}. The network is a namespace of its own that ends with it.
# SPIDERCAR_KILLS says how many times deploy.sh is killed (8; 20 and more by hand), SPIDERCAR_CUTS how many times the power is cut at a
# random moment (0, because each takes a start or two, minutes; 20 by hand), SPIDERCAR_SEED which moments.
# Prints a line a check. Exit code 0, 1, or 77 with the reason where it cannot run.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    "" | -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ] || exit 2; exit 0 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1")
# deploy.sh checks configurations with this one, whatever else was built here.
export SPIDERCAR=$binary
binary_pi=${2:-$("$here/../../scripts/build-pi.sh" --fast | tail -n 1)}
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here/../machine
# The emulator's packages are fetched while there is a network.
"$here/../../scripts/debian-root.sh" machine-qemu --arch amd64 qemu-system-arm qemu-system-x86 >/dev/null
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$here/../../scripts/image.sh" --output "$folder/card.img" >/dev/null
python3 "$here/check_deploy.py" "$binary_pi" "$folder/card.img" "${SPIDERCAR_KILLS:-8}"
cp --reflink=auto --sparse=always "$folder/card.img" "$folder/cuts.img"
unshare --net -- python3 "$here/card_drive.py" "$binary" "$binary_pi" "$folder/card.img"
if [ "${SPIDERCAR_CUTS:-0}" = 0 ]; then
    echo "NOT RUN cuts: power cuts at random moments take minutes each; SPIDERCAR_CUTS=20 runs twenty"
else
    unshare --net -- python3 "$here/cuts.py" "$binary" "$binary_pi" "$folder/cuts.img" "$SPIDERCAR_CUTS" ${SPIDERCAR_SEED:+"$SPIDERCAR_SEED"}
fi
