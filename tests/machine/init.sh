#!/bin/sh
# The first and only program of an emulated machine: makes it usable, then does what the console says.
#
#   kernel ──▶ mounts ──▶ modules ──▶ network ──▶ "machine: ready" ──▶ ┌▶ "N COMMAND" ──▶ "machine: N ended CODE" ─┐
#                                                                      └─────────────────────────────────────────┘
# Runs where: inside, as /init, in busybox's shell. Knows nothing of: what it is told to run.
# Needs:      /machine/modules (with settings, in the order to load), /machine/network (an address, or nothing), and on the kernel's
#             command line machine.tty= (the console) and machine.epoch= (seconds since 1970: there is no clock inside).
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/tmp
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
mkdir -p /proc /sys /tmp /run /dev/pts /dev/shm
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t tmpfs shm /dev/shm
mount -t devpts pts /dev/pts
value() { tr ' ' '\n' </proc/cmdline | sed -n "s/^machine\.$1=//p"; }
date -s "@$(value epoch)" >/dev/null
tty=/dev/$(value tty)

while read -r module settings; do
    # shellcheck disable=SC2086  # several settings are several words
    insmod "/modules/$module" $settings || echo "machine: module $module does not load"
done </machine/modules
mount -t configfs config /sys/kernel/config 2>/dev/null || echo "machine: no configfs"

ip link set lo up
if [ -s /machine/network ]; then
    # The adapter may sit on a bus that is still being looked at.
    until interface=$(find /sys/class/net -mindepth 1 ! -name lo ! -name 'bond*' | head -n 1) && [ -n "$interface" ]; do
        usleep 20000
    done
    interface=${interface##*/}
    ip addr add "$(cat /machine/network)" dev "$interface"
    ip link set "$interface" up
    ip route add default via 10.0.2.2
fi

dmesg -n 1
exec <>"$tty" >&0 2>&1
stty -echo -onlcr
echo "machine: ready"
while read -r number command; do
    echo "machine: $number begins"
    sh -c "$command" </dev/null
    echo "machine: $number ended $?"
done
