#!/usr/bin/env bash
# Runs the checks on emulated PCs: what emulated machines promise (check_machines.py), lap sensors on a kernel with gpio-sim
# (check_laps.py, which runs tests/lap_gpio_sim.rs), CSI cameras through libcamera (check_libcamera.py, which runs
# tests/csi_virtual.rs, and camera_publish.py) and into an encoder of the kernel (tests/zero_copy.rs), and USB cameras
# (webcam_publish.py). The emulated Pi is pi.sh's.
#
# usage: run.sh PATH-TO-SPIDERCAR
# Runs where: an amd64 Debian, as root. Needs: cargo, what scripts/prepare.sh test installs; Debian's mirror the first time.
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}: 1.4 GB for the machines; what is started is ended.
# Prints a line a check. Exit code 0, 1 if one failed, or 77 with the reason on the last line where it cannot run.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    "" | -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ] || exit 2; exit 0 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1")
export PYTHONDONTWRITEBYTECODE=1
code=0
worst() { [ "$1" = 0 ] || [ "$code" = 1 ] || code=$1; }
python3 "$here/check_machines.py" "$binary" || worst $?
[ "$code" != 77 ] || exit 77
laps=$(cd "$here/../.." && cargo test --locked --quiet --no-run --test lap_gpio_sim --message-format=json |
    sed -n 's/.*"executable":"\([^"]*lap_gpio_sim[^"]*\)".*/\1/p')
python3 "$here/check_laps.py" "$binary" "$laps" || worst $?

# The program with libcamera takes the place of the other one, which is put back.
cameras=$(mktemp -d)
trap 'rm -rf "$cameras"' EXIT
cd "$here/../.."
built=$(scripts/with-libcamera.sh cargo test --locked --quiet --no-run --features libcamera,vicodec --test csi_virtual \
    --test zero_copy --message-format=json | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
cp "$(grep '/spidercar$' <<<"$built")" "$cameras/spidercar"
cargo build --locked --quiet
python3 "$here/check_libcamera.py" "$cameras/spidercar" "$(grep csi_virtual <<<"$built")" "$(grep zero_copy <<<"$built")" || worst $?
python=$(tests/interop/run.sh --python)
unshare --net -- python3 "$here/camera_publish.py" "$binary" "$cameras/spidercar" "$python" || worst $?
unshare --net -- python3 "$here/webcam_publish.py" "$binary" "$python" || worst $?
exit "$code"
