#!/usr/bin/env bash
# Builds and starts the simulated car with its own Spider, and prints the page to open.
#
# Runs where: any Linux machine with a browser; no hardware needed.
# Needs:      a Rust toolchain and a C++ compiler (installed by apt if missing).
# Changes:    nothing but the build folder. Ends with Ctrl-C, at neutral.
# Arguments go to `spidercar run`, for example: --set camera.fps=60 --set local.port=9000
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    exit 0
fi
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
scripts/prepare.sh build
# A first build takes minutes: it shows what it does. Later ones are quiet.
quiet=--quiet
[ -x "${CARGO_TARGET_DIR:-target}/release/spidercar" ] || quiet=
exec cargo run --locked $quiet --release --config 'profile.release.lto="off"' --config 'profile.release.codegen-units=16' -- run "$@"
