#!/usr/bin/env bash
# Installs what this project needs on this machine: Debian packages by apt, pinned packages by npm.
#
# Runs where: a developer's or CI machine (Debian or Ubuntu, root or sudo). Called by the other scripts.
# Needs:      a Rust toolchain (cargo); reachable package registries the first time.
# Changes:    apt packages, node_modules under tests/browser, ${SPIDERCAR_CACHE:-~/.cache/spidercar}.
# Safe to run twice: what is there already is left alone.
set -euo pipefail

usage() {
    sed -n '2,8s/^# \{0,1\}//p' "$0"
    echo "usage: prepare.sh build|pi|card|test"
    echo "  build: what compiling needs; pi: what making things for a Pi needs; card: what making and writing cards needs"
    echo "  test:  all of it"
}
case "${1:-}" in
    build | pi | card | test) what=$1 ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac

top=$(cd "$(dirname "$0")/.." && pwd)
missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }

if [ "$what" = build ] || [ "$what" = test ]; then
    need cc gcc
    need c++ g++
    # The bindings to V4L2 are made from the kernel's headers while building.
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || missing+=(libclang-dev)
    need nasm nasm # OpenH264 is built without its assembler, and three times slower, where this is missing
fi
if [ "$what" != build ]; then
    need mmdebstrap mmdebstrap # unpacks Debian packages of any architecture
fi
if [ "$what" = card ] || [ "$what" = test ]; then
    need mcopy mtools # reads and writes the boot partition of a card without mounting it
    need mkfs.vfat dosfstools
    need mke2fs e2fsprogs
    need sfdisk fdisk
    need depmod kmod
    need cpio cpio
    need xz xz-utils
fi
if [ "$what" = test ]; then
    need chromium chromium
    need node nodejs
    need npm npm
    need ffprobe ffmpeg
    need shellcheck shellcheck
    need python3 python3
    need strace strace # kills a save at its n-th system call
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    need ip iproute2
    need turnserver coturn
    need dmsetup dmsetup # a disk of an emulated machine that remembers its writes
    need pkg-config pkg-config # finds the unpacked libcamera (with-libcamera.sh)
    [ -n "$(find /usr/lib -name 'libclang*.so*' -print -quit)" ] || missing+=(libclang-dev) # reads its headers
    need ssh openssh-client
    need openssl openssl # certificates of Spiders
fi
if [ "${#missing[@]}" -gt 0 ]; then
    echo "prepare: installing ${missing[*]}"
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends "${missing[@]}" >/dev/null
fi
if { [ "$what" = build ] || [ "$what" = test ]; } && ! command -v cargo >/dev/null 2>&1; then
    echo "prepare: there is no cargo here. Install Rust 1.90 or newer (rustup, or your system's packages) and run this again." >&2
    exit 1
fi
if [ "$what" = test ]; then
    stamp=$top/tests/browser/node_modules/.from-lock
    if ! cmp -s "$top/tests/browser/package-lock.json" "$stamp" 2>/dev/null; then
        echo "prepare: npm packages of the browser tests"
        (cd "$top/tests/browser" && npm ci --silent --no-audit --no-fund)
        cp "$top/tests/browser/package-lock.json" "$stamp"
    fi
fi
# Cargo knows the same crate of two checkouts by nothing but the times of its files, so that one would run what the other
# built. A build folder that was last used by another checkout builds this crate anew; what it depends on is kept.
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}
if [ "$what" = build ] || [ "$what" = test ]; then
    for folder in ${CARGO_TARGET_DIR:+"$CARGO_TARGET_DIR"} "$cache/fuzz-target"; do
        if [ -d "$folder" ] && [ "$(cat "$folder/checkout" 2>/dev/null)" != "$top" ]; then
            find "$top/src" "$top/tests" "$top/scripts" -name node_modules -prune -o -type f -exec touch -c {} +
            printf '%s\n' "$top" >"$folder/checkout"
        fi
    done
fi
