#!/usr/bin/env bash
# Makes a folder from Debian trixie packages, once, and prints where it is.
#
# usage: debian-root.sh NAME [--arch ARCH[,ARCH]] [--newest] [--configure] PACKAGE...
#   --arch       what the folder is for; the first is its own, the others are added (default: this machine's)
#   --newest     prefer trixie-backports, which has the kernel, Rust and libcamera that we build against
#   --configure  install: a root that can be entered. Without it the packages are only unpacked, which takes seconds and
#                runs nothing of theirs, so it works for any architecture with no emulation
#
# Runs where: Debian (root or sudo).
# Needs:      mmdebstrap, and the Debian mirror that apt is set up with on this machine: its address, proxy and checks
#             are taken from there, and from nowhere else. SPIDERCAR_DEBIAN_MIRROR and SPIDERCAR_DEBIAN_SECURITY
#             name others where apt has none (Ubuntu).
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}/NAME-KEY, where KEY is a hash of all that made it; nothing stays
#             mounted. To get newer packages, delete the folder. Two that want the same at once: the second waits.
set -euo pipefail

usage() { sed -n '2,16s/^# \{0,1\}//p' "$0"; }
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}
said=("$@")
name='' arch=$(dpkg --print-architecture) prefer=trixie variant=extract packages=()
while [ $# -gt 0 ]; do
    case $1 in
        --arch) arch=$2; shift ;;
        --newest) prefer=trixie-backports ;;
        --configure) variant=minbase ;;
        -h | --help) usage; exit 0 ;;
        -*) usage >&2; exit 2 ;;
        *) if [ -z "$name" ]; then name=$1; else packages+=("$1"); fi ;;
    esac
    shift
done
[ "${#packages[@]}" -gt 0 ] || { usage >&2; exit 2; }

include=$(IFS=,; echo "${packages[*]}")
key=$(printf '%s\n' "format 1" "$arch" "$prefer" "$variant" "$include" | sha256sum | cut -c 1-12)
folder=$cache/$name-$key
if [ -e "$folder/.complete" ]; then
    echo "$folder"
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    exec sudo SPIDERCAR_CACHE="$cache" "$0" "${said[@]}"
fi
mkdir -p "$cache"
exec 9>"$cache/$name-$key.lock"
flock 9
if [ -e "$folder/.complete" ]; then
    echo "$folder"
    exit 0
fi

# The mirrors of this machine's apt: one that serves a Debian release, and one that serves its security updates.
# shellcheck disable=SC2016  # $(...) are apt's own fields
mirrors=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages')
mirror_of() { awk -v release="$1" '$1 ~ release && !found++ { print $2 }' <<<"$mirrors"; }
releases='^(bookworm|trixie|forky|stable|testing|oldstable)'
mirror=${SPIDERCAR_DEBIAN_MIRROR:-$(mirror_of "$releases\$")}
security=${SPIDERCAR_DEBIAN_SECURITY:-$(mirror_of "$releases-security\$")}
if [ -z "$mirror" ]; then
    echo "debian-root: apt knows no Debian mirror here; set SPIDERCAR_DEBIAN_MIRROR" >&2
    exit 1
fi
work=$(mktemp -d "$cache/$name-$key.making-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
{
    echo "deb $mirror trixie main"
    [ -z "$security" ] || echo "deb $security trixie-security main"
    echo "deb $mirror trixie-backports main"
} >"$work/trixie.list"
options=(--aptopt="APT::Default-Release \"$prefer\"" --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"')
while read -r option; do
    options+=(--aptopt="${option%;}")
done < <(apt-config dump | grep -E '^Acquire::(http|https|ftp)::.|^Acquire::Check')

echo "debian-root: making $folder (${#packages[@]} packages and what they need)" >&2
mmdebstrap --quiet --mode=root --variant=$variant --architectures="$arch" "${options[@]}" --include="$include" \
    trixie "$work/root" "$work/trixie.list" >&2
chmod 755 "$work/root"
touch "$work/root/.complete"
mv "$work/root" "$folder"
echo "debian-root: $(du -sh "$folder" | cut -f 1) in $SECONDS s" >&2
echo "$folder"
