#!/usr/bin/env bash
# Fills the boot partition of the card image: firmware, kernel, device trees, initial RAM file system, the two text files.
#
# usage: boot.sh ROOT FOLDER KEY     ROOT: as configure.sh left it; FOLDER: made; KEY: as for configure.sh
# Runs where: on the machine that makes the image, called by image.sh. Runs nothing that is inside ROOT.
# Needs:      modprobe, xz, cpio. Changes: FOLDER, and nothing else.
# Sources:    raspberrypi/documentation config_txt (which file is read when), kernel: early-userspace/buffer-format.rst.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    "" | -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ] || exit 2; exit 0 ;;
esac
root=$1 boot=$2 partitions=${3:0:8}
version=$(ls "$root/usr/lib/modules")
modules=$root/usr/lib/modules/$version
mkdir -p "$boot"
cp -r "$root"/usr/lib/raspi-firmware/* "$boot"
cp "$modules"/dtb/broadcom/bcm2*-rpi-*.dtb "$boot"
# A third of the size, and the firmware unpacks it.
gzip -9 <"$modules/vmlinuz" >"$boot/vmlinuz"

# The card readers of the Pi 3 (two of them), 4 and 5, and the file system; each after what it needs.
initrd=$(mktemp -d)
trap 'rm -rf "$initrd"' EXIT
mkdir "$initrd"/{bin,dev,modules}
cp "$root/usr/bin/busybox" "$initrd/bin/busybox"
ln -s busybox "$initrd/bin/sh"
mknod -m 600 "$initrd/dev/console" c 5 1
install -m 755 "$(dirname "$0")/init.sh" "$initrd/init"
for module in bcm2835 sdhci-iproc sdhci-brcmstb ext4; do
    modprobe --dirname "$root" --set-version "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    name=$(basename "$path" .xz)
    xz -dc "$path" >"$initrd/modules/$name"
    echo "$name" >>"$initrd/modules/order"
done
(cd "$initrd" && find . | cpio --quiet -o -H newc -R 0:0) | gzip -9 >"$boot/initrd.img"

cat >"$boot/config.txt" <<'EOF'
# Debian's own kernel and device trees; see scripts/image.sh.
arm_64bit=1
kernel=vmlinuz
initramfs initrd.img followkernel
enable_uart=1
upstream_kernel=1

[all]
EOF
echo "console=tty1 console=ttyS1,115200 root=PARTUUID=$partitions-02 rootfstype=ext4 fsck.repair=yes rootwait panic=10 quiet" \
    >"$boot/cmdline.txt"
