#!/usr/bin/env bash
# Makes the README's picture: the viewer page of a simulated car that is being driven.
#
# Runs where: a developer's machine. Needs: what test.sh needs. Changes: the file given (default board/sim/cockpit.png).
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then
    sed -n '2,4s/^# \{0,1\}//p' "$0"
    exit 0
fi
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
out=$(realpath "${1:-board/sim/cockpit.png}")
scripts/prepare.sh test
cargo build --locked --release --config 'profile.release.lto="off"' --config 'profile.release.codegen-units=16'
folder=$(mktemp -d)
"${CARGO_TARGET_DIR:-target}/release/spidercar" run --set local.port=0 --set local.tls_port=0 >"$folder/out" 2>"$folder/log" &
car=$!
finish() {
    kill "$car" 2>/dev/null || true
    wait "$car" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
until grep -q http "$folder/out"; do
    kill -0 "$car" || { cat "$folder/log"; exit 1; }
    sleep 0.05
done
url=$(sed -n 's/.*\(http:[^?]*\).*/\1/p' "$folder/out")
(cd tests/browser && BASE_URL=${url%/} node screenshot.mjs "$out")
