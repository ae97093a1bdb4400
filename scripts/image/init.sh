#!/bin/sh
# The first program of a card: finds the root partition by its PARTUUID, mounts it read-only and hands over to systemd.
#
#   kernel ──▶ modules of the card readers, ext4 ──▶ wait for root=PARTUUID=... ──▶ mount ──▶ /sbin/init, which checks it
#
# It is here because Debian's kernel has neither the card readers nor ext4 built in, and because the tool that usually
# makes an initial RAM file system runs programs of the board.
#
# Runs where: on the board, as /init, in busybox's shell. Needs: /modules, in the order to load (image.sh writes both).
# Changes:    nothing; whatever fails ends in a panic, which restarts the board (panic=10 in cmdline.txt).
export PATH=/bin
/bin/busybox mkdir -p /dev /proc /sys /root
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
exec >/dev/console 2>&1
value() { tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p" | tail -n 1; }
fail() {
    echo "initrd: $1"
    exit 1
}

while read -r module; do
    insmod "/modules/$module" || echo "initrd: module $module does not load"
done </modules/order

wanted=$(value root)
device() {
    case $wanted in
        PARTUUID=*) sed -n 's/^DEVNAME=//p' "$(grep -lix "PARTUUID=${wanted#PARTUUID=}" /sys/class/block/*/uevent | head -n 1)" ;;
        /dev/*) [ ! -b "$wanted" ] || echo "${wanted#/dev/}" ;;
        *) fail "root=$wanted: only PARTUUID=... and /dev/... are known" ;;
    esac
}
# A card is found some tenths of a second after its reader; there is nothing else to wait for it with.
tries=0
until name=$(device 2>/dev/null) && [ -n "$name" ]; do
    tries=$((tries + 1))
    [ $tries -lt 1200 ] || fail "root=$wanted does not appear"
    usleep 50000
done
mount -t ext4 -o ro "/dev/$name" /root || fail "/dev/$name cannot be mounted"
for folder in dev proc sys; do
    mount --move /$folder /root/$folder
done
exec switch_root /root /sbin/init
