#!/usr/bin/env bash
# Fuzzes every decoder for a while, from the seeds in corpus/ and from what earlier runs found.
#
# Runs where: a developer's or CI machine. Any Rust toolchain does: the compiler's coverage flags are unlocked here.
# Needs:      cargo-fuzz (installed, pinned, into the cache), a C++ compiler.
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}: bin, fuzz-target, fuzz-corpus; a finding is left in fuzz-findings. Nothing
#             in the checkout, for root may run this in a maker's.
# usage: run.sh [TARGET...]   seconds for each target: SECONDS_EACH (5; minutes by hand)
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}
version=0.13.2
if [ "$("$cache/bin/cargo-fuzz" --version 2>/dev/null)" != "cargo-fuzz $version" ]; then
    CARGO_TARGET_DIR=$cache/fuzz-tool cargo install --locked --quiet --debug --root "$cache" --version $version cargo-fuzz
    rm -rf "$cache/fuzz-tool"
fi
export PATH=$cache/bin:$PATH
export CARGO_TARGET_DIR=$cache/fuzz-target
# Coverage feedback is an unstable flag of a stable compiler. No sanitizer: what is fuzzed is safe code, so findings are
# panics, overflows and broken promises.
export RUSTC_BOOTSTRAP=1
cd "$here"
cargo fuzz build --fuzz-dir . --sanitizer none >/dev/null
findings=$cache/fuzz-findings
mapfile -t targets < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else ls corpus; fi)
for target in "${targets[@]}"; do
    found=$cache/fuzz-corpus/$target
    mkdir -p "$found"
    seeds=("$here/corpus/$target")
    [ "$target" = wire ] && seeds+=("$top/tests/data/wire")
    [ "$target" = config ] && seeds+=("$top/board/sim")
    length=4096
    [ "$target" = config ] && length=20000
    echo "fuzz: $target"
    mkdir -p "$findings/$target"
    # The last line that libFuzzer prints is `Done N runs in S second(s)`; a finding ends the script.
    "$CARGO_TARGET_DIR/$(rustc --print host-tuple)/release/$target" "$found" "${seeds[@]}" \
        -max_total_time="${SECONDS_EACH:-5}" -max_len=$length -timeout=10 -rss_limit_mb=1024 -dict="$here/words.dict" \
        -artifact_prefix="$findings/$target/" \
        -print_final_stats=1 2>&1 | tee "$cache/fuzz-$target.log" | grep -E '^(stat::number_of_executed|Done|SUMMARY|thread|assertion)|panicked' || true
    if ! grep -q '^Done ' "$cache/fuzz-$target.log"; then
        grep -A 3 panicked "$cache/fuzz-$target.log" || tail -n 20 "$cache/fuzz-$target.log"
        echo "fuzz: $target found something; the input is in $findings/$target"
        exit 1
    fi
done
