#!/usr/bin/env bash
# Makes a folder from Debian packages (trixie, unless told otherwise), once, and prints where it is.
#
# usage: debian-root.sh NAME [--arch ARCH[,ARCH]] [--release NAME] [--newest] [--firmware] [--configure | --database] PACKAGE...
#   --release    bookworm: the release before, for the machines of people who have that
#   --arch       what the folder is for; the first is its own, the others are added (default: this machine's)
#   --newest     prefer trixie-backports, which has the kernel, Rust and libcamera that we build against
#   --configure  install: a root that can be entered. Without it the packages are only unpacked, which takes seconds and
#                runs nothing of theirs, so it works for any architecture with no emulation
#   --firmware   take packages from non-free-firmware, too
#   --database   unpack, and leave dpkg's own record of it in the root: every package is "unpacked", none "installed", so
#                `dpkg --configure -a` inside, some day, does the rest
#
# Runs where: Debian (root or sudo).
# Needs:      mmdebstrap, and the Debian mirror that apt is set up with on this machine: its address, proxy and checks
#             are taken from there, and from nowhere else. SPIDERCAR_DEBIAN_MIRROR and SPIDERCAR_DEBIAN_SECURITY
#             name others where apt has none (Ubuntu).
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}/NAME-KEY, where KEY is a hash of all that made it; nothing stays
#             mounted. To get newer packages, delete the folder. Two that want the same at once: the second waits.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR

usage() { sed -n '2,20s/^# \{0,1\}//p' "$0"; }
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}
for tool in dpkg dpkg-deb apt-get apt-config; do
    command -v $tool >/dev/null 2>&1 || {
        echo "debian-root: there is no $tool here: this unpacks Debian's packages, and needs Debian or Ubuntu (a virtual machine or a container of it will do)" >&2
        exit 1
    }
done
said=("$@")
name='' arch=$(dpkg --print-architecture) release=trixie newest='' variant=extract components=main database='' packages=()
while [ $# -gt 0 ]; do
    case $1 in
        --arch) arch=$2; shift ;;
        --release) release=$2; shift ;;
        --newest) newest=-backports ;;
        --configure) variant=minbase ;;
        --firmware) components='main non-free-firmware' ;;
        --database) database=1 ;;
        -h | --help) usage; exit 0 ;;
        -*) usage >&2; exit 2 ;;
        *) if [ -z "$name" ]; then name=$1; else packages+=("$1"); fi ;;
    esac
    shift
done
[ "${#packages[@]}" -gt 0 ] || { usage >&2; exit 2; }

prefer=$release$newest
include=$(IFS=,; echo "${packages[*]}")
# Words that most roots do not have are left out of their keys: a new option makes no old root anew.
key=$({
    printf '%s\n' "format 1" "$arch" "$prefer" "$variant" "$include"
    [ "$components" = main ] || echo "$components"
    [ -z "$database" ] || echo "database 1"
} | sha256sum | cut -c 1-12)
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
    echo "deb $mirror $release $components"
    [ -z "$security" ] || echo "deb $security $release-security $components"
    echo "deb $mirror $release-backports $components"
} >"$work/$release.list"
options=(--aptopt="APT::Default-Release \"$prefer\"" --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"')
while read -r option; do
    options+=(--aptopt="${option%;}")
done < <(apt-config dump | grep -E '^Acquire::(http|https|ftp)::.|^Acquire::Check' || true)

if [ -n "$database" ]; then
    # The packages are still there when this hook runs; what dpkg keeps of a package is its control files and its list.
    cat >"$work/record.sh" <<'EOF'
set -eu
state=$1/var/lib/dpkg
mkdir -p "$state/info" "$state/updates" "$state/triggers"
echo 1 >"$state/info/format"
for package in "$1"/var/cache/apt/archives/*.deb; do
    control=$(mktemp -d)
    dpkg-deb --control "$package" "$control"
    dpkg-deb --fsys-tarfile "$package" | tar -t | sed 's/^\.//; s,/$,,; s,^$,/.,' >"$control/list"
    name=$(dpkg-deb --field "$package" Package)
    [ "$(dpkg-deb --field "$package" Multi-Arch)" != same ] || name=$name:$(dpkg-deb --field "$package" Architecture)
    {
        dpkg-deb --field "$package" | sed '1a Status: install ok unpacked'
        if [ -s "$control/conffiles" ]; then
            echo Conffiles:
            sed 's/.*/ & newconffile/' "$control/conffiles"
        fi
        echo
    } >>"$state/status"
    rm "$control/control"
    for file in "$control"/*; do
        mv "$file" "$state/info/$name.${file##*/}"
    done
    rmdir "$control"
done
EOF
    options+=(--extract-hook="sh $work/record.sh \"\$1\"")
fi

echo "debian-root: making $folder (${#packages[@]} packages and what they need)" >&2
mmdebstrap --quiet --mode=root --variant=$variant --architectures="$arch" "${options[@]}" --include="$include" \
    "$release" "$work/root" "$work/$release.list" >&2
chmod 755 "$work/root"
touch "$work/root/.complete"
mv "$work/root" "$folder"
echo "debian-root: $(du -sh "$folder" | cut -f 1) in $SECONDS s" >&2
echo "$folder"
