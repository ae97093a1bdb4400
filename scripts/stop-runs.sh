#!/usr/bin/env bash
# Stops the simulated car in seventeen ways, live, and prints how long each took, with a histogram.
#
# usage: stop-runs.sh [RUNS [WORD]...]    (200 of all ways, or of those whose names have a WORD)
# SPIDERCAR_BIN: the program; without it the debug build is made and used.
# Runs where: a developer's machine; as root also in a network namespace, and in a group without memory.
# Needs:      what prepare.sh installs. Changes: the build folder; temporary folders, which it removes.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
binary=${SPIDERCAR_BIN:-}
if [ -z "$binary" ]; then
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}/target}
    scripts/prepare.sh build
    cargo build --locked --quiet
    binary=$CARGO_TARGET_DIR/debug/spidercar
fi
PYTHONDONTWRITEBYTECODE=1 exec python3 tests/bench/stops.py "$binary" "${@:-200}"
