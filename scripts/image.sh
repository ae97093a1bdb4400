#!/usr/bin/env bash
# Makes a card image of a plain 64-bit Debian for a Raspberry Pi 3 or newer, from packages alone, and prints where it is.
#
# usage: image.sh [--output FILE]
#   --output   copy it there: what scripts/deploy.sh --image is to change. Without it the path of the cached one is
#              printed, which is to be read only
#
#   Debian trixie (arm64), unpacked ──▶ what its packages' scripts would have done, by this machine's tools ──▶ root
#   firmware, kernel, device trees, initrd, config.txt, cmdline.txt ──────────────────────────────────────────▶ boot
#     [ MBR | 1: FAT32 /boot/firmware, 512 MB | 2: ext4 /, the rest of 2 GiB ]     as on Raspberry Pi OS
#
# Cars run Raspberry Pi OS. This image is what flashing, starting and driving are tested with on an emulated Pi 3B, and a
# spare for a bench. No program of arm64 runs while it is made, so dpkg's record says honestly that its packages are
# "unpacked": `dpkg --configure -a` on a board makes them "installed". It has the kernel of Debian, not of Raspberry Pi:
# no hardware H.264 encoder, no overlays. It was never started on a board.
#
# Inside: root without a password (SSH keys only: deploy.sh --ssh-key), DHCP on every wire, Wi-Fi as deploy.sh --wifi says.
#
# Runs where: an amd64 Debian, as root or with sudo.
# Needs:      the Debian mirror that apt is set up with here, the first time; what prepare.sh card installs.
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}: 0.8 GB of packages, 0.7 GB of image. No mounts, no loop devices.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
top=$(cd "$(dirname "$0")/.." && pwd)
here=$top/scripts
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}
# The figure that the image must keep. choice: a quarter of the smallest card that is sold.
root_limit_mb=1200

usage() { sed -n '2,25s/^# \{0,1\}//p' "$0"; }
output=
case "${1:-}" in
    "") ;;
    --output) output=${2:?--output wants a FILE} ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac
if [ "$(id -u)" != 0 ]; then
    exec sudo HOME="$HOME" SPIDERCAR_CACHE="$cache" "$0" "$@"
fi
"$here/prepare.sh" card >&2

base=(base-files base-passwd bash bsdutils coreutils dash debianutils diffutils dpkg findutils grep gzip hostname
    init-system-helpers libc-bin login login.defs mawk mount ncurses-base ncurses-bin passwd perl-base sed
    sysvinit-utils tar tzdata util-linux apt debian-archive-keyring libpam-modules libpam-runtime)
service=(systemd systemd-sysv systemd-resolved systemd-timesyncd udev dbus libpam-systemd kmod procps e2fsprogs
    dosfstools openssh-server)
network=(iproute2 iputils-ping netbase wpasupplicant iw wireless-regdb firmware-brcm80211 ca-certificates)
board=(linux-image-arm64 raspi-firmware busybox-static)
camera=(libcamera0.7 libcamera-ipa libstdc++6)
packages=$("$here/debian-root.sh" card --arch arm64 --newest --firmware --database \
    "${base[@]}" "${service[@]}" "${network[@]}" "${board[@]}" "${camera[@]}")
key=$(cat "$0" "$here"/image/* - <<<"$packages" | sha256sum | cut -c 1-12)
image=$cache/card-image-$key

exec 9>"$image.lock"
flock 9
if [ ! -e "$image" ]; then
    work=$(mktemp -d "$image.making-XXXXXX")
    trap 'rm -rf --one-file-system "$work"' EXIT
    root=$work/root boot=$work/boot
    cp -a --reflink=auto "$packages" "$root"
    rm "$root/.complete"
    "$here/image/configure.sh" "$root" "$key" >&2
    "$here/image/boot.sh" "$root" "$boot" "$key" >&2
    used=$(du -sm --apparent-size "$root" | cut -f 1)
    echo "image: root has $used MB of $root_limit_mb, boot $(du -sm "$boot" | cut -f 1) MB" >&2
    [ "$used" -le "$root_limit_mb" ] || { echo "image: the root is too large" >&2; exit 1; }

    # Sectors of 512 bytes. The size is a power of two, because the emulated card reader wants one.
    boot_at=8192 boot_size=$((512 * 2048)) size=$((2048 * 2048))
    root_at=$((boot_at + boot_size))
    truncate -s $((size * 512)) "$work/image"
    sfdisk --quiet "$work/image" <<EOF
label: dos
label-id: 0x${key:0:8}
start=$boot_at, size=$boot_size, type=c
start=$root_at, type=83
EOF
    truncate -s $((boot_size * 512)) "$work/fat"
    mkfs.vfat -F 32 -n bootfs -i "${key:0:8}" "$work/fat" >/dev/null
    mcopy -i "$work/fat" -sQm "$boot"/* ::
    truncate -s $(((size - root_at) * 512)) "$work/ext4"
    mke2fs -q -t ext4 -L rootfs -d "$root" "$work/ext4"
    dd if="$work/fat" of="$work/image" bs=1M seek=$((boot_at / 2048)) conv=notrunc,sparse status=none
    dd if="$work/ext4" of="$work/image" bs=1M seek=$((root_at / 2048)) conv=notrunc,sparse status=none
    mv "$work/image" "$image"
    echo "image: made in $SECONDS s" >&2
fi
if [ -n "$output" ]; then
    cp --reflink=auto --sparse=always "$image" "$output"
    image=$output
fi
echo "$image"
