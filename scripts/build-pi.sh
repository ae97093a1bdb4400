#!/usr/bin/env bash
# Builds the program for a 64-bit Raspberry Pi OS (trixie), from this machine's work tree, at this machine's speed.
#
# usage: build-pi.sh [--fast] [--sign KEY-FILE] [CARGO-BUILD-ARGUMENT...]
#   --fast    for tests: no link-time optimisation and no debug information, so minutes less; the code is the same
#   --sign    signs both programs and what is sent with them, for deploy.sh --signed-by: an ed25519 key (sign.sh)
#   others    go to `cargo build` as they are: --profile NAME; with --example NAME and its like it is built once, with
#             libcamera
#
#   work tree ──(read only)──┐                                                ┌─▶ spidercar      without libcamera
#   ~/.cargo ────────────────┼──▶ Debian trixie (amd64), aarch64 compilers ───┤                  stripped + .debug + .needs
#   cached target folder ────┘    libcamera, Rust from trixie-backports       └─▶ spidercar-csi  with it
#
# Two programs of one source, because libcamera's SONAME changes with every few upgrades of a board: the one that everything
# starts must not want it (src/app/csi_program.rs).
#
# Runs where: an amd64 Debian (root or sudo). Only 64-bit: the Pi's 32-bit systems are out of scope.
# Needs:      Debian's mirror and the crates' registry, the first time. Installs mmdebstrap (prepare.sh pi).
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}: the build root (2.4 GB, made once), the target folder, and the
#             results, those of each work tree apart; ~/.cargo: crates that were not there. Mounts are in a namespace
#             of their own: they are gone when the build is, however it ends.
# Prints on stdout the path of each program it made, `spidercar` last and spidercar-csi in the same folder, and on stderr
# their sizes and the libraries they want, which also stand in PROGRAM.needs, with their packages, for deploy.sh. Beside them
# are the licences of all crates in them, NOTICES.txt, and their bill of materials, sbom.cdx.json (notices.py); with --sign
# their sums and a signature of these, SHA256SUMS and SHA256SUMS.sig.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
top=$(cd "$(dirname "$0")/.." && pwd)
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}

usage() { sed -n '2,26s/^# \{0,1\}//p' "$0"; }
fail() {
    echo "build-pi: $*" >&2
    exit 1
}
[ "$(uname -m)" = x86_64 ] ||
    fail "this builds on amd64, and here is $(uname -m): on an arm64 Debian trixie, a Pi among them, cargo builds both itself (\`cargo build --release\`, and with --features libcamera what is to be spidercar-csi)"
flavour=release profile=(CARGO_PROFILE_RELEASE_DEBUG=line-tables-only)
arguments=() said=("$@") sign=
while [ $# -gt 0 ]; do
    argument=$1
    shift
    case $argument in
        --fast) flavour=fast profile=(CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16) ;;
        --sign)
            [ $# -gt 0 ] || { echo "build-pi: --sign wants the file of a key" >&2; exit 2; }
            sign=$1
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        --target | --target=*) echo "build-pi: the target is aarch64-unknown-linux-gnu; 32-bit is out of scope" >&2; exit 2 ;;
        *) arguments+=("$argument") ;;
    esac
done
case " ${arguments[*]-} " in
    *" --profile "* | *" --profile="*) ;;
    *) arguments=(--release "${arguments[@]}") ;;
esac
# What is built: features, name of the result.
builds=("--features=libcamera spidercar-csi" "--features=default spidercar")
case " ${arguments[*]} " in
    *" --example"* | *" --bin"* | *" --test"* | *" --bench"* | *" --lib "* | *" --all-targets "*) builds=("--features=libcamera") ;;
esac
if [ -n "$sign" ]; then
    [ "${#builds[@]}" = 2 ] || fail "--sign is for the programs that go to a car; sign another one with scripts/sign.sh"
    # Told now, not after the build.
    "$top/scripts/sign.sh" --try "$sign" || exit 1
fi
if [ "$(id -u)" != 0 ]; then
    exec sudo --preserve-env=CARGO_HOME,SSH_AUTH_SOCK HOME="$HOME" SPIDERCAR_CACHE="$cache" "$0" "${said[@]}"
fi

"$top/scripts/prepare.sh" pi >&2
root=$("$top/scripts/debian-root.sh" pi-build --arch amd64,arm64 --newest --configure \
    build-essential pkg-config ca-certificates rustc cargo libstd-rust-dev:arm64 clang libclang-dev \
    gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev:arm64 libcamera-dev:arm64 python3)
target=$cache/pi-target
results=$cache/pi/$(basename "$top")-$(sha256sum <<<"$top" | cut -c 1-8)/$flavour
registry=${CARGO_HOME:-$HOME/.cargo}
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
mkdir -p "$target" "$results" "$registry" "$root"/{spidercar,target,cargo}

# One build at a time in one target folder, whichever work tree it comes from. Cargo sees that a file changed by its
# time alone, and another tree's files can be older and yet different.
exec 9>"$target/.lock"
flock 9
if [ "$(cat "$target/.tree" 2>/dev/null)" != "$top" ]; then
    find "$target" -depth -path '*/.fingerprint/spidercar-*' -delete
    echo "$top" >"$target/.tree"
fi

# What runs inside: mounts, then cargo. $1 is the root; the rest are cargo's arguments.
# shellcheck disable=SC2016  # expanded inside
inside='
    set -eu
    root=$1 tree=$2 target=$3 registry=$4 certificates=$5
    shift 5
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --bind "$tree" "$root/spidercar"
    mount -o remount,bind,ro "$root/spidercar"
    mount --bind "$target" "$root/target"
    mount --bind "$registry" "$root/cargo"
    mount --bind "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"
    touch "$root/etc/resolv.conf"
    mount --bind "$(realpath /etc/resolv.conf)" "$root/etc/resolv.conf"
    cd "$root/spidercar"
    choice="--locked --target aarch64-unknown-linux-gnu"
    chroot "$root" env --chdir=/spidercar cargo fetch $choice
    chroot "$root" env --chdir=/spidercar python3 scripts/notices.py --libcamera /target/notices
    # In a panic, a file of a crate is named from the crate on.
    for folder in "$root"/cargo/registry/src/*/; do
        flags="$flags --remap-path-prefix=/cargo/registry/src/$(basename "$folder")/="
    done
    exec chroot "$root" env --chdir=/spidercar CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="$flags" \
        cargo build $choice "$@"
'
# What makes it small, beside Cargo.toml's [profile.release]:
flags=(
    # Addresses to correct at the start take a bit each, not 24 bytes. glibc 2.36 or newer knows that.
    "-Clink-arg=-Wl,-z,pack-relative-relocs"
    # Only what can unwind says how. A panic unwinds as ever; a debugger has the .debug file.
    -Cforce-unwind-tables=no
    # Where code is made small, what stands in many places is put in one, if that gains more than the unwinder then
    # has to know of it; and again, with what that left.
    -Cllvm-args=-outliner-benefit-threshold=40 -Cllvm-args=-machine-outliner-reruns=2
)
cross=aarch64-linux-gnu
environment=(
    PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 CARGO_HOME=/cargo CARGO_TARGET_DIR=/target
    CARGO_TERM_COLOR=never CARGO_BUILD_RUSTC_WRAPPER=
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER="$cross-gcc" CARGO_PROFILE_RELEASE_STRIP=none
    CC_aarch64_unknown_linux_gnu="$cross-gcc" CXX_aarch64_unknown_linux_gnu="$cross-g++"
    AR_aarch64_unknown_linux_gnu="$cross-ar" PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_PATH="/usr/lib/$cross/pkgconfig"
    # OpenH264 is fast by its NEON code; its C++ is what a processor without falls back to, and what decides.
    CFLAGS_aarch64_unknown_linux_gnu=-fno-asynchronous-unwind-tables
    CXXFLAGS_aarch64_unknown_linux_gnu="-fno-asynchronous-unwind-tables -O2"
    flags="${flags[*]}"
    "${profile[@]}"
)
# Inside is no git: the program's date is the commit's, as in a build outside (pack_viewer.rs).
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -c safe.directory='*' -C "$top" log -1 --format=%ct 2>/dev/null || true)}
for name in http_proxy https_proxy no_proxy CARGO_BUILD_JOBS CARGO_NET_OFFLINE SOURCE_DATE_EPOCH; do
    [ -z "${!name:-}" ] || environment+=("$name=${!name}")
done

# Killing `unshare` kills all that is inside, and with it go the mounts.
messages=$(mktemp)
build=
finish() {
    [ -z "$build" ] || kill -KILL "$build" 2>/dev/null || true
    rm -f "$messages"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
tools=$root/usr/bin/$cross
run() { "$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" "$@"; }
# The package of a library of the Pi's system.
package() { dpkg-query --admindir="$root/var/lib/dpkg" --search "*/$1" | sed -n 's/^\([^: ]*\):arm64: .*/\1/p' | sort -u; }

# Takes a program out of the target folder: stripped, its debug symbols and what it wants beside it. FROM NAME
take() {
    local from=$1 name=$2 library
    run "$tools-objcopy" --only-keep-debug "$from" "$results/$name.debug"
    run "$tools-objcopy" --strip-all "$from" "$results/$name.new"
    (cd "$results" && run "$tools-objcopy" --add-gnu-debuglink="$name.debug" "$name.new")
    mv "$results/$name.new" "$results/$name"
    {
        echo "$name: $(stat -c %s "$results/$name") bytes, debug symbols $(stat -c %s "$results/$name.debug") bytes"
        run "$tools-readelf" -d "$results/$name" | sed -n 's/.*Shared library: \[\(.*\)\]/\1/p' | while read -r library; do
            echo "$library $(package "$library")"
        done >"$results/$name.needs.new"
        mv "$results/$name.needs.new" "$results/$name.needs"
        sed 's/^\(.*\) \(.*\)/  wants \1 (\2)/' "$results/$name.needs"
    } >&2
    echo "$results/$name"
}

for one in "${builds[@]}"; do
    read -r features name <<<"$one"
    env -i "${environment[@]}" unshare --mount --propagation private --pid --fork --kill-child \
        sh -c "$inside" inside "$root" "$top" "$target" "$registry" "$certificates" \
        --message-format=json-render-diagnostics "$features" "${arguments[@]}" >"$messages" 9>&- &
    build=$!
    wait "$build" || fail "cargo ended with code $?; its words are above"
    build=
    made=$(sed -n 's/.*"executable":"\/target\([^"]*\)".*/\1/p' "$messages")
    [ -n "$made" ] || fail "cargo made no program"
    while read -r program; do
        take "$target$program" "${name:-$(basename "$program")}"
    done <<<"$made"
done
mv "$target/notices/NOTICES.txt" "$target/notices/sbom.cdx.json" "$results"
[ -z "$sign" ] || "$top/scripts/sign.sh" "$results" "$sign" || exit 1
echo "build-pi: $flavour build in $SECONDS s" >&2
