#!/usr/bin/env bash
# Prints the figures of the simulated car, each with n, p50, p99 and max, beside an aiortc car in the same run.
#
# usage: bench.sh [--quick] [PATH-TO-SPIDERCAR]    without a path: builds the release binary (link-time optimised: minutes)
# Runs where: a developer's machine. It is as noisy as what else runs there: compare only lines of one run.
# Needs:      what prepare.sh installs. Changes: the build folder, ${SPIDERCAR_CACHE:-~/.cache/spidercar}.
# F1, F2, F6 and F7 are not here: they have scripts of their own, or none yet (README, figures).
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target} CARGO_TERM_COLOR=never PYTHONDONTWRITEBYTECODE=1
quick=() binary=
for argument in "$@"; do
    case $argument in
        -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
        --quick) quick=(--quick) ;;
        *) binary=$(realpath "$argument") ;;
    esac
done
scripts/prepare.sh test
if [ -z "$binary" ]; then
    cargo build --release --locked --quiet
    binary=$CARGO_TARGET_DIR/release/spidercar
fi
python=$(tests/interop/run.sh --python)

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), load $(cut -d ' ' -f 1-3 /proc/loadavg)"
echo "binary:  $binary"
SPIDERCAR_BIN=$binary "$python" tests/bench/run.py "${quick[@]}" 2>&1 | grep --line-buffered -v '^\[libx264'
# Control ticks with each kind of outputs, among a Pi's files; needs root for a mount namespace.
if [ "$(id -u)" = 0 ]; then
    "$python" tests/bench/hands.py "$binary" "${quick[@]}"
else
    echo "SKIPPED  tick jitter with real outputs: needs root (mount namespaces)"
fi
# The arithmetic of the control path alone; the figure is an ignored test because only a test can count allocations.
profile=(--release)
[ ${#quick[@]} = 0 ] || profile=()
cargo test --locked --quiet "${profile[@]}" --test control_path -- --ignored --nocapture | grep '^F10' | sed 's/^/car   /'
