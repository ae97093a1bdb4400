#!/usr/bin/env bash
# shellcheck disable=SC2317  # check() calls the functions
# Tests what runs the tests: names of failures, progress, the sum (scripts/test), what prepare.sh says, and notices.py.
#
# Runs where: where scripts/test.sh runs. Changes: nothing that stays.
# usage: run.sh    prints a line a check; exit code 0, or 1 if one failed
set -euo pipefail
case "${1:-}" in
    -h | --help) sed -n '3,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
code=0
check() {
    local sentence=$1
    shift
    if (set -e; "$@") >"$work/said" 2>&1; then
        echo "ok      $sentence"
    else
        code=1
        echo "FAILED  $sentence: $(tail -n 5 "$work/said" | tr '\n' ' ')"
    fi
}
# Fails unless a file has these lines, and says which one it has not.
has() {
    local file=$1 line
    shift
    for line in "$@"; do
        grep -qF -- "$line" "$file" || { echo "not said: $line; but: $(tail -n 12 "$file")"; return 1; }
    done
}

for log in "$here"/logs/*.log; do
    name=$(basename "$log" .log)
    check "names what failed in a log of the kind $name" \
        diff "$here/logs/$name.expected" <(awk -f "$top/scripts/test/failures.awk" "$log")
done

# Steps of a run that is not the project's own. A step that waits goes on when its progress was told.
fake_run() {
    cat >"$work/fake.sh" <<'FAKE'
set -uo pipefail
. "$top/scripts/test/run.sh"
quiet_s=0.01 again_s=0.01
good() { echo "fine"; }
bad() { cat "$here/logs/cargo.log"; exit 3; }
absent() { echo "no kernel for it"; exit 77; }
slow() { echo "thinking hard"; until grep -q 'slow: .*thinking hard' "$out"; do read -r -t 0.05 <> <(:) || true; done; }
foresee 4 prepare build good bad absent slow
run good good
(exit 0)
run bad eval '(bad)'
run absent eval '(absent)'
run slow slow
sum
FAKE
    cache=$work/cache out=$work/out
    export cache top here out
    mkdir -p "$cache"
    bash "$work/fake.sh" >"$out" 2>&1
}
if fake_run; then echo "FAILED  a run with a failed step fails"; code=1; fi
tail -n 6 "$work/out" >"$work/end"
check "a step's failures are named with their words, although 150 lines follow" has "$work/out" \
    "FAILED   bad" "  test app::lock::tests::a_lock_that_is_held_is_refused:" "the second program has the outputs, too"
check "a step that was skipped says why, loudly" has "$work/out" "SKIPPED  absent: no kernel for it" "steps that did not run here: 1"
check "a step that takes long says what it does, and for how long" has "$work/out" "...      slow: " " s of about "
check "the sum names what failed once more, and the last line counts" has "$work/end" \
    "failed in bad:" "test app::lock::tests::a_lock_that_is_held_is_refused" "2 passed, 1 failed, 1 skipped"
check "what a run says of the time comes from the run before" grep -q '^slow ' "$work/cache/step-seconds"

# Another run of the same checkout goes on, and one is over.
two_at_once() {
    local logs other
    bash -c 'read -r' test.sh <> <(:) &
    other=$!
    logs=$(echo "$work"/cache/logs/*)
    mkdir -p "$logs/$other" "$logs/0"
    fake_run || true
    kill "$other"
    [ -d "$logs/$other" ] && [ ! -d "$logs/0" ]
}
check "two runs of a checkout at once leave each other's logs" two_at_once

# A machine without apt, as prepare.sh sees it: all programs of this one but apt and the assembler.
bare_path() {
    local folder file name
    mkdir "$work/bin"
    for folder in ${PATH//:/ } /usr/sbin /sbin; do
        for file in "$folder"/*; do
            name=${file##*/}
            case $name in apt-get | nasm | sudo) continue ;; esac
            [ -e "$work/bin/$name" ] || ln -s "$file" "$work/bin/$name" 2>/dev/null || true
        done
    done
    # /usr/sbin and /sbin are appended by prepare.sh itself; what is looked for is in neither.
}
without_apt() {
    if PATH=$work/bin SPIDERCAR_CACHE=$work/cache "$top/scripts/prepare.sh" build >"$work/said-2" 2>&1; then return 1; fi
    has "$work/said-2" "this system has no apt" "  nasm (Debian: nasm)"
}
bare_path
check "a machine without apt is told by name what to install" without_apt
as_a_user_without_sudo() {
    ln -s /bin/true "$work/bin/apt-get"
    chmod 755 "$work"
    mkdir -p "$work/home" && chown 1000 "$work/home"
    if setpriv --reuid 1000 --regid 1000 --clear-groups env PATH="$work/bin" HOME="$work/home" bash "$work/scripts/prepare.sh" build \
        >"$work/said-3" 2>&1; then return 1; fi
    has "$work/said-3" "this user is not root and has no sudo. As root:" "apt-get install --no-install-recommends nasm"
}
# Steps that need root: a user types the same command.
steps_of_a_user() {
    setpriv --reuid 1000 --regid 1000 --clear-groups env PATH="$work/bin" HOME="$work/home" RUSTUP_HOME=/toolchains CARGO_HOME=/mine \
        bash "$work/scripts/test.sh" page e2e
}
root_steps_without_sudo() {
    if steps_of_a_user >"$work/said-5" 2>&1; then return 1; fi
    has "$work/said-5" "need root, and here is no sudo" "scripts/test.sh format "
}
root_steps_with_sudo() {
    printf '#!/bin/sh\nprintf "%%s\\n" "$@"\n' >"$work/bin/sudo"
    chmod 755 "$work/bin/sudo"
    local code=0
    steps_of_a_user >"$work/said-6" 2>&1 || code=$?
    rm "$work/bin/sudo"
    # Root finds the user's toolchain and his tools, and writes into a home of its own.
    [ "$code" = 0 ] && has "$work/said-6" "as root, by sudo: e2e" --set-home CARGO_HOME "PATH=$work/bin" RUSTUP_HOME=/toolchains \
        "$work/scripts/test.sh" page e2e
}
# The checkout may lie where only root can read.
cp -r "$top/scripts" "$top/Cargo.toml" "$work/"
if [ "$(id -u)" = 0 ]; then
    check "a user without sudo is told what root has to type" as_a_user_without_sudo
    check "steps that need root, and no sudo: what runs without is named" root_steps_without_sudo
    check "steps that need root run by sudo, with the user's toolchain" root_steps_with_sudo
else
    echo "NOT RUN what a user with sudo and one without are told: only root can become that user"
fi
a_newer_rust() {
    sed -i 's/^rust-version = .*/rust-version = "9.99"/' "$work/Cargo.toml"
    if SPIDERCAR_CACHE=$work/cache "$work/scripts/prepare.sh" build >"$work/said-4" 2>&1; then return 1; fi
    has "$work/said-4" "Rust 9.99 or newer is needed, and here is "
}
check "a Rust that is too old is told as that" a_newer_rust

# A checkout as the newcomer's roots get it.
git_there() { git -C "$work/checkout" -c user.name=nobody -c user.email=nobody@example.invalid "$@"; }
# What git has of the checkout's one file, after it was put to a repository.
as_taken() {
    rm -rf "$work/taken"
    "$top/tests/newcomer/repository.sh" "$work/checkout" "$work/taken" "$@" && git -C "$work/taken" show main:file
}
mkdir "$work/checkout"
git_there init --quiet
echo first >"$work/checkout/file"
git_there add file
git_there commit --quiet --message first
unchanged() { [ "$(as_taken)" = first ]; }
touched() {
    touch -d '2001-01-01' "$work/checkout/file"
    [ "$(as_taken)" = first ]
}
copied() {
    cp -r "$work/checkout" "$work/copy" && rm -rf "$work/checkout" && mv "$work/copy" "$work/checkout"
    [ "$(as_taken)" = first ]
}
changed() {
    echo second >"$work/checkout/file"
    [ "$(as_taken)" = second ] && [ "$(as_taken HEAD)" = first ]
}
somebodys() {
    chown -R 1000 "$work/checkout"
    [ "$(as_taken)" = second ] && [ -z "$(find "$work/checkout" ! -user 1000)" ]
}
check "a checkout goes into the newcomer's roots" unchanged
check "a checkout whose file was touched does" touched
check "a checkout that was copied does" copied
check "a checkout with a changed file does, and the commit without it" changed
[ "$(id -u)" != 0 ] || check "somebody else's checkout does, and stays his" somebodys

# Licences of the crates that are linked, and the bill of materials. Both runs at once, which halves the time.
notices() { "$top/scripts/notices.py" "$@"; }
written_twice() {
    local first
    notices "$work/notices" &
    first=$!
    notices "$work/notices-2" && wait "$first" && diff -r "$work/notices" "$work/notices-2"
}
names_no_machine() {
    has "$work/notices/NOTICES.txt" "upstream/LICENSE: text " "Copyright (c) 2013, Cisco Systems" &&
        [ -z "$(grep -rF -e "$top" -e "${CARGO_HOME:-$HOME/.cargo}" "$work/notices" | tee /dev/stderr)" ]
}
# The file must agree with Cargo.lock and NOTICES.txt, which are read here in another way.
bill_of_materials() {
    python3 - "$work/notices" "$top/Cargo.lock" <<'PYTHON'
import json, pathlib, sys
folder, lock = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_text(encoding="utf-8")
bill = json.loads((folder / "sbom.cdx.json").read_text(encoding="utf-8"))
assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
parts = {part["bom-ref"]: part for part in bill["components"]}
names = {part["name"] for part in parts.values()}
assert len(parts) == len(bill["components"]) > 100, len(parts)
assert names >= {"webrtc", "rustls", "tokio", "rppal", "openh264-sys2"}, "a crate is missing"
built_or_tested_with = names & {"serde_derive", "thiserror-impl", "flate2", "proptest", "bindgen", "cc"}
assert not built_or_tested_with, built_or_tested_with
notices = (folder / "NOTICES.txt").read_text(encoding="utf-8").splitlines()
locked = [set(block.split("\n")) for block in lock.split("\n\n")]
for part in parts.values():
    crate = f'{part["name"]} {part["version"]}'
    assert [one["expression"] for one in part["licenses"] if one["expression"]], f"{crate} has no licence"
    fields = {f'{key} = "{value}"' for key, value in (
        ("name", part["name"]), ("version", part["version"]), ("checksum", part["hashes"][0]["content"]))}
    assert any(fields <= block for block in locked), f"Cargo.lock does not say the same of {crate}"
    assert crate in notices, f"{crate} is not in NOTICES.txt"
root = bill["metadata"]["component"]["bom-ref"]
uses = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
assert uses.keys() == parts.keys() | {root}, "not all have their dependencies"
reached, ahead = set(), [root]
while ahead:
    one = ahead.pop()
    if one not in reached:
        reached.add(one)
        ahead += uses[one]
assert reached == uses.keys(), f"nothing uses {uses.keys() - reached}"
PYTHON
}
without_crates() {
    local code=0
    CARGO_HOME=$work/no-crates CARGO_NET_OFFLINE=true notices "$work/notices-3" >"$work/said-7" 2>&1 || code=$?
    [ "$code" = 1 ] && [ "$(wc -l <"$work/said-7")" = 1 ] && [ ! -e "$work/notices-3" ] &&
        has "$work/said-7" "notices: cargo metadata does not tell which crates the program has (" "cargo fetch --locked"
}
check "notices and bill of materials are the same bytes each time" written_twice
check "the notices have OpenH264's own text, and no path of this machine" names_no_machine
check "the bill of materials has every crate that is linked, with licence and checksum" bill_of_materials
check "without crates and network, notices.py says so in a sentence" without_crates
exit $code
