#!/usr/bin/env bash
# Passes the tests of the project, and installs what they need.
#
# Runs where: a developer's or CI machine (Debian or Ubuntu). Emulated machines and network namespaces need root: a user
#             who may use sudo types the same, and is asked by it. What root makes is root's, outside of the checkout.
# Needs:      a Rust toolchain; reachable package registries the first time.
# Changes:    packages (see prepare.sh), node_modules, ${SPIDERCAR_CACHE:-~/.cache/spidercar} (of who runs it).
# Servers bind loopback; whatever is started is ended. One line a step, and what a step does once it takes longer than
# 10 s; of a step that failed, the names and words of what failed in it. The last line is `N passed, N failed, N skipped`.
# usage: test.sh [--slow | STEP...]
#   without steps: all that are listed first, in this order; an hour and more on 2 slow cores, cold
#   --slow     those that take long: fuzzing, deploy.sh, emulated Pis, cards that are booted, further newcomers. Longer than that
#   --list     names them all
# VERBOSE=1 shows what steps print that pass, too.
set -uo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1
steps=(format clippy no-std docs deny shell runner unit libcamera e2e power-cut terminal page page-ui drive interop machine newcomer)
slow=(fuzz deploy pi card newcomers)
# Those that any user can run.
rootless=(format no-std deny shell runner unit page)
case "${1:-}" in
    -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --list) printf '%s\n' "${steps[@]}"; printf '%s   (slow)\n' "${slow[@]}"; exit 0 ;;
    --slow) steps=("${slow[@]}"); shift ;;
esac

step_format() { cargo fmt --check; }
# Twice: with libcamera and without, for each has lines of its own.
step_clippy() {
    scripts/with-libcamera.sh cargo clippy --locked --all-targets --all-features -- -D warnings &&
        cargo clippy --locked --lib --bins -- -D warnings
}
step_no_std() { cargo check --locked --lib --no-default-features; }
step_docs() { RUSTDOCFLAGS="-D warnings" scripts/with-libcamera.sh cargo doc --locked --no-deps --all-features --document-private-items; }
# No distribution has a package of it. Built without optimisation: it reads a few files, and is there three times sooner.
step_deny() {
    local version=0.20.2
    if [ "$("$cache/bin/cargo-deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
        if [ "$(cargo deny --version 2>/dev/null)" = "cargo-deny $version" ]; then
            mkdir -p "$cache/bin" && ln -sf "$(command -v cargo-deny)" "$cache/bin/cargo-deny"
        else
            echo "building cargo-deny $version, once"
            CARGO_TARGET_DIR=$cache/deny-target cargo install --locked --debug --root "$cache" --version $version cargo-deny || return 1
            rm -rf "$cache/deny-target"
        fi
    fi
    "$cache/bin/cargo-deny" --locked --all-features --config .cargo/deny.toml check bans licenses sources &&
        scripts/test/advisories.sh "$cache/bin/cargo-deny" . tests/fuzz
}
step_shell() { shellcheck -x scripts/*.sh scripts/*/*.sh .ci/run tests/*/*.sh; }
step_runner() { tests/runner/run.sh; }
step_unit() {
    cargo test --locked --no-fail-fast --lib --bins --test architecture --test board_files --test cli --test control_path \
        --test reachable --test stop_schedules --test vehicle_properties --test video_faults --test video_path --test wire_golden
}
step_libcamera() { scripts/with-libcamera.sh cargo test --locked --features libcamera --lib csi; }
step_fuzz() { tests/fuzz/run.sh; }
step_e2e() { cargo test --locked --no-fail-fast --test '*_e2e'; }
step_power_cut() { tests/power_cut/run.sh "$binary"; }
step_page() { (cd tests/browser && npm run --silent unit); }
step_page_ui() { (cd tests/browser && node ui.mjs && node hands.mjs && node held.mjs && node shows.mjs && node link.mjs); }
step_drive() { tests/browser/drive.sh "$binary" && node tests/browser/faults.mjs "$binary" && node tests/browser/rights.mjs "$binary"; }
step_terminal() { tests/terminal/run.sh "$binary"; }
step_interop() { tests/interop/run.sh "$binary"; }

# What deploy.sh does to images and cards, without starting one.
step_deploy() { tests/card/deploy.sh "$binary"; }
# Lap sensors, CSI and USB cameras on the kernels of emulated PCs.
step_machine() { tests/machine/run.sh "$binary"; }
# The README's commands on a machine that has nothing of what this one has.
step_newcomer() { tests/newcomer/run.sh trixie-desktop; }

# The aarch64 programs on an emulated Pi 3B.
step_pi() {
    local program
    program=$(scripts/build-pi.sh --fast | tail -n 1) || return 1
    tests/machine/pi.sh "$binary" "$program"
}
# From packages to a card, and from a card to a driven car, on an emulated Pi 3B.
step_card() {
    local program
    program=$(scripts/build-pi.sh --fast | tail -n 1) || return 1
    tests/card/run.sh "$binary" "$program"
}
# The other three of the four. The second command whole takes an hour: tests/newcomer/run.sh --whole, by hand.
step_newcomers() { tests/newcomer/run.sh bookworm trixie bookworm-desktop; }

[ $# -gt 0 ] && steps=("$@")
for step in "${steps[@]}"; do
    if ! declare -F "step_${step//-/_}" >/dev/null; then
        echo "test.sh: no step $step; --list names them" >&2
        exit 2
    fi
done
for_root=()
for step in "${steps[@]}"; do
    case " ${rootless[*]} " in *" $step "*) ;; *) for_root+=("$step") ;; esac
done
if [ "$(id -u)" != 0 ] && [ "${#for_root[@]}" -gt 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "test.sh: network namespaces and emulated machines need root, and here is no sudo. Run it as root; these steps run" \
            "without: scripts/test.sh ${rootless[*]}" >&2
        exit 1
    fi
    echo "as root, by sudo: ${for_root[*]}"
    # With the user's toolchain and settings, and with root's own home for whatever is made.
    exec sudo --preserve-env --set-home env -u CARGO_HOME -u CARGO_TARGET_DIR PATH="$PATH" \
        RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" "$top/scripts/test.sh" "${steps[@]}"
fi

cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}
mkdir -p "$cache"
export CARGO_TERM_COLOR=never RUST_BACKTRACE=0
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
# Tools that prepare.sh chose come first, then those of an administrator's folders, which a user's PATH may lack.
export PATH=$cache/tools:$PATH:/usr/sbin:/sbin
binary=$CARGO_TARGET_DIR/debug/spidercar
export PYTHONDONTWRITEBYTECODE=1
# shellcheck source=scripts/test/run.sh
. scripts/test/run.sh

# The program is built first where a step runs it: its own seconds are no step's.
first=(prepare)
case " ${steps[*]} " in *" power-cut "* | *" terminal "* | *" drive "* | *" interop "* | *" deploy "* | *" machine "* | *" pi "* | *" card "*) first+=(build) ;; esac
foresee "${#steps[@]}" "${first[@]}" "${steps[@]}"
required prepare scripts/prepare.sh test
case ${first[*]} in *build*) required build cargo build --locked ;; esac
for step in "${steps[@]}"; do
    run "$step" "step_${step//-/_}"
done
sum
