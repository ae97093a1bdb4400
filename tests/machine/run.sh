#!/usr/bin/env bash
# Runs all checks on emulated machines: what they promise (check_machines.py), lap sensors on a kernel with gpio-sim
# (check_laps.py, which runs tests/lap_gpio_sim.rs), and the driven Pi (pi_drive.sh).
#
# usage: run.sh PATH-TO-SPIDERCAR [PATH-TO-SPIDERCAR-FOR-AARCH64]    without the second: scripts/build-pi.sh --fast
# Runs where: an amd64 Debian, as root. Needs: cargo, what scripts/prepare.sh test installs; Debian's mirror the first time.
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}: 800 MB for the machines, 4 GB for the build; what is started is ended.
# Prints a line a check. Exit code 0, 1 if one failed, or 77 with the reason on the last line where it cannot run.
set -euo pipefail
case "${1:-}" in
    "" | -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ]; exit ;;
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
"$here/pi_drive.sh" "$binary" "${@:2}" || worst $?
exit "$code"
