#!/usr/bin/env bash
# Changes the code that decides if the car moves, one place at a time, and checks that a test notices each change.
#
# usage: mutants.sh [ARGUMENTS OF cargo-mutants]    what is changed, and what is left out and why: .cargo/mutants.toml
# Runs where: a developer's machine; some ten minutes on two cores.
# Needs:      a Rust toolchain; cargo-mutants (installed, pinned, into the cache).
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}: bin, mutants.out (what was caught, and what not).
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}
version=27.1.0
if [ "$("$cache/bin/cargo-mutants" mutants --version 2>/dev/null)" != "cargo-mutants $version" ]; then
    CARGO_TARGET_DIR=$cache/mutants-tool cargo install --locked --quiet --root "$cache" --version $version cargo-mutants
    rm -rf "$cache/mutants-tool"
fi
exec "$cache/bin/cargo-mutants" mutants --no-shuffle -j 2 --timeout 20 --output "$cache" "$@"
