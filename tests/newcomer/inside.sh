#!/usr/bin/env bash
# What a newcomer does on a machine with nothing but Rust and git: the README's first command, then the second.
#
# usage: inside.sh KIND first|steps|whole [STEP...]     run by run.sh, as root of the newcomer's machine; see there
# Prints a line a check, and at the first one that fails what was said.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
kind=$1 extent=$2
shift 2
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
tree=/home/maker/spidercar
said=/tmp/said
# prepare.sh uses every tool once by trying it; these steps use the parts that come by other ways: Rust's, npm's, scripts.
steps=(format shell runner page)
[ $# = 0 ] || steps=("$@")
# Crates whose build asks the machine: for libclang, for compilers, for an assembler.
asking=(v4l2-sys-mit openh264-sys2 ring spidercar)

fail() {
    echo "FAILED  $kind: $1"
    tail -n 40 "$said" | sed 's/^/        /'
    exit 1
}
# Waits until the car that was started last, with this output, says where its page is; sets `address`.
address_in() {
    local output=$1 car=$!
    until grep -q 'http://' "$output"; do
        kill -0 $car 2>/dev/null || return 1
        read -r -t 0.2 <> <(:) || true
    done
    address=$(sed -n 's#.*\(http://[^ ]*\).*#\1#p' "$output" | head -n 1)
}
ok() { echo "ok      $kind: $1 ($((SECONDS - began)) s)"; began=$SECONDS; }
began=$SECONDS

groupadd -g 1000 maker
useradd -m -u 1000 -g maker -s /bin/bash maker
if [ -d /etc/sudoers.d ]; then echo "maker ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/maker; fi
# As a login shell of a user with rustup has it. What is built and downloaded is kept for the next root of the release.
mine=(PATH=/newcomer/rust/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games CARGO_HOME=/newcomer/cargo
    CARGO_TERM_COLOR=never)
as_maker() {
    setpriv --reuid 1000 --regid 1000 --init-groups env HOME=/home/maker USER=maker "${mine[@]}" \
        CARGO_TARGET_DIR=/newcomer/built/first "$@"
}
as_root() {
    env HOME=/root USER=root "${mine[@]}" PATH="/newcomer/rust/bin:$PATH" "$@"
}

# The machine is what it is said to be; or the rest would prove nothing.
for tool in cc clang nasm npm chromium shellcheck; do
    ! command -v "$tool" >"$said" 2>&1 || fail "this machine has $tool"
done
! compgen -G '/usr/lib/*/libclang-[0-9]*.so*' >"$said" || fail "this machine has libclang"
case $kind in
    *-desktop)
        compgen -G '/usr/lib/*/libclang-cpp*.so*' >"$said" || fail "this machine has no libclang-cpp"
        [ "$(node --version 2>"$said")" = v16.9.1 ] || fail "this machine's node is not an old one"
        python3 -c 'import platform; assert platform.python_implementation() == "PyPy"' >"$said" 2>&1 || fail "this machine's python3 is no PyPy"
        ;;
    *) ! command -v sudo >"$said" || fail "this machine has sudo" ;;
esac

as_maker git clone --quiet /newcomer/repository "$tree" >"$said" 2>&1 || fail "git clone"
cd "$tree"
for crate in "${asking[@]}"; do
    for profile in release dev; do
        as_maker env CARGO_TARGET_DIR=/newcomer/built/first cargo clean --quiet --profile "$profile" -p "$crate" >"$said" 2>&1 || true
    done
done

if [ "${kind%-desktop}" = "$kind" ]; then
    if as_maker scripts/prepare.sh build >"$said" 2>&1; then fail "a user without sudo got what is missing from nowhere"; fi
    line=$(sed -n 's/^ *\(apt-get install .*\)/\1/p' "$said")
    [ -n "$line" ] || fail "a user without sudo is not told what to install"
    ok "a user without sudo is told: $line"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive $line -y -qq; } >"$said" 2>&1 || fail "what the user was told to install cannot be installed"
    ok "root typed that"
fi

# The first command, with free ports, until its page answers; then Ctrl-C.
as_maker scripts/run-sim.sh --set local.port=0 --set local.tls_port=0 >"$said" 2>&1 &
car=$!
address_in "$said" || fail "the first command ended before it printed the page's address"
host=${address#http://} host=${host%%[/?]*}
# Gets the page: nothing that could do this better is on this machine. It comes packed.
exec 3<>"/dev/tcp/${host%:*}/${host##*:}"
printf 'GET / HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n' "$host" >&3
read -r status <&3
while read -r line <&3 && [ "$line" != $'\r' ]; do :; done
page=$(gzip -dc <&3) || fail "the page does not come whole: $status"
exec 3>&-
if [[ "$status" != *" 200 "* || "$page" != *'id="arm"'* ]]; then fail "the page is not the cockpit: $status"; fi
ok "scripts/run-sim.sh: the page answers"
kill -INT -- "$(pgrep -u 1000 -x spidercar 2>/dev/null || grep -l '^Name:	spidercar$' /proc/[0-9]*/status | head -n 1 | cut -d / -f 3)"
wait $car || fail "the first command ended with $?, not with 0 as asked"
ok "it ends when it is asked to"
[ "$extent" != first ] || exit 0

# The second command: what it installs and tries, and the steps that build nothing. Who may use sudo types it himself; on
# the other machines root does, in the maker's checkout.
who=as_root
case $kind in *-desktop) who=as_maker ;; esac
export SPIDERCAR_CACHE=/newcomer/built/cache-$who
mkdir -p "$SPIDERCAR_CACHE"
rm -rf "$SPIDERCAR_CACHE"/{tools,logs}
# What root made in it by sudo stays as it is.
[ $who = as_root ] || chown 1000:1000 "$SPIDERCAR_CACHE"
[ "$extent" != whole ] || steps=()
$who env -u CARGO_TARGET_DIR SPIDERCAR_CACHE=$SPIDERCAR_CACHE scripts/test.sh "${steps[@]}" 2>&1 | tee "$said" | sed -u 's/^/        /' ||
    fail "scripts/test.sh ${steps[*]}"
ok "scripts/test.sh ${steps[*]}"
find "$tree" ! -user 1000 >"$said"
[ ! -s "$said" ] || fail "in the maker's checkout are files that he cannot change"
[ "$extent" != whole ] || exit 0

# The browser that was just installed sees the picture of the car that was just built.
as_maker /newcomer/built/first/release/spidercar run --set local.port=0 --set local.tls_port=0 >/tmp/car 2>/tmp/car-log &
car=$!
address_in /tmp/car || { cp /tmp/car-log "$said"; fail "the car ended"; }
cd tests/browser
as_root PATH="$SPIDERCAR_CACHE/tools:/newcomer/rust/bin:$PATH" node look.mjs "$address" >"$said" 2>&1 || fail "no picture in the browser"
kill "$car"
wait "$car" || true
ok "$(tail -n 1 "$said")"
