#!/usr/bin/env bash
# Does in an unpacked Debian root what its packages' own scripts would have done on the board.
#
# usage: configure.sh ROOT KEY     KEY: hexadecimal digits; the first eight name the card's partitions
# Runs where: on the machine that makes the image, called by image.sh, as root. Runs nothing that is inside ROOT.
# Needs:      systemd's tools, pam-auth-update, depmod. Changes: ROOT, and nothing else.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    "" | -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ] || exit 2; exit 0 ;;
esac
root=$1 partitions=${2:0:8}
text() { install -D -m "${3:-644}" /dev/stdin "$root$1" <<<"$2"; }

# base-passwd, and the users of the others. "u!" (a locked account) is newer than some systemds that make images.
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
{ cat "$root"/usr/lib/sysusers.d/*.conf; echo g netdev -; } | sed 's/^u!/u/' | systemd-sysusers --root="$root" -
for name in passwd group; do
    awk -F: -v OFS=: -v mark="$([ $name = passwd ] && echo '*:19000:0:99999:7:::' || echo '*::')" \
        '{ print $1, mark }' "$root/etc/$name" >"$root/etc/$([ $name = passwd ] && echo shadow || echo gshadow)"
done
sed -i 's,^\([^:]*\):\*:,\1:x:,' "$root/etc/passwd"
chgrp "$(awk -F: '$1 == "shadow" { print $3 }' "$root/etc/group")" "$root"/etc/{shadow,gshadow}
chmod 640 "$root"/etc/{shadow,gshadow}
group() { awk -F: -v name="$1" '$1 == name { print $3 }' "$root/etc/group"; }
chown 0:"$(group messagebus)" "$root/usr/lib/dbus-1.0/dbus-daemon-launch-helper"
chmod 4754 "$root/usr/lib/dbus-1.0/dbus-daemon-launch-helper"
chown 0:"$(group shadow)" "$root"/usr/{sbin/unix_chkpwd,bin/chage,bin/expiry}
chmod 2755 "$root"/usr/{sbin/unix_chkpwd,bin/chage,bin/expiry}

# base-files, libpam-runtime, mawk, debianutils, ca-certificates, openssh-server, tzdata
for name in profile motd; do
    cp "$root/usr/share/base-files/$name" "$root/etc/$name"
done
cp "$root/usr/share/base-files/dot.profile" "$root/root/.profile"
cp "$root/usr/share/base-files/dot.bashrc" "$root/root/.bashrc"
rmdir "$root/var/run" "$root/var/lock" 2>/dev/null || true
ln -sfn /run "$root/var/run"
ln -sfn /run/lock "$root/var/lock"
mkdir -p "$root"/{mnt,srv,opt,media,boot/firmware,usr/local/{bin,lib,sbin},var/log/journal}
DEBIAN_FRONTEND=noninteractive pam-auth-update --root "$root" --package --force
ln -sf mawk "$root/usr/bin/awk"
ln -sf which.debianutils "$root/usr/bin/which"
(cd "$root/usr/share/ca-certificates" && find . -name '*.crt' -printf '%P\n' | sort) >"$root/etc/ca-certificates.conf"
while read -r name; do
    cat "$root/usr/share/ca-certificates/$name"
done <"$root/etc/ca-certificates.conf" >"$root/etc/ssl/certs/ca-certificates.crt"
install -m 644 "$root/usr/share/openssh/sshd_config" "$root/etc/ssh/sshd_config"
ln -sf /usr/share/zoneinfo/Etc/UTC "$root/etc/localtime"
echo Etc/UTC >"$root/etc/timezone"

# kernel, systemd: their caches, which would otherwise be made at the first start, on the board. udev's hardware database
# knows keyboards and mice; a car has none.
depmod -b "$root" "$(ls "$root/usr/lib/modules")"
journalctl --root="$root" --update-catalog >/dev/null

# What an installer asks: names, the network, what starts. No machine-id: it is made at the first start.
text /etc/hostname spidercar
text /etc/hosts $'127.0.0.1 localhost\n127.0.1.1 spidercar\n::1 localhost'
text /etc/locale.conf LANG=C.UTF-8
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
# The boot partition is mounted when somebody looks, so a power cut never finds it open.
text /etc/fstab "PARTUUID=$partitions-02 / ext4 defaults,noatime 0 1
PARTUUID=$partitions-01 /boot/firmware vfat noauto,nofail,x-systemd.automount,x-systemd.idle-timeout=10,umask=0077 0 0"
text /etc/systemd/network/20-wire.network $'[Match]\nType=ether\n\n[Network]\nDHCP=yes\nMulticastDNS=yes'
text /etc/systemd/network/30-wifi.network $'[Match]\nType=wlan\n\n[Network]\nDHCP=yes\nMulticastDNS=yes\n\n[DHCPv4]\nRouteMetric=2000'
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
text /etc/ssh/sshd_config.d/card.conf $'HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no'
# A key of its own, made at the first start, in one moment.
# shellcheck disable=SC2016  # expanded on the board
text /usr/local/lib/card/host-key 'key=/etc/ssh/ssh_host_ed25519_key
if [ ! -s $key ]; then
    rm -f $key.new*
    ssh-keygen -q -t ed25519 -N "" -f $key.new
    sync $key.new $key.new.pub
    mv $key.new.pub $key.pub
    mv $key.new $key
fi'
text /etc/systemd/system/ssh.service.d/card.conf "[Service]
ExecStartPre=
ExecStartPre=/bin/sh /usr/local/lib/card/host-key
ExecStartPre=/usr/sbin/sshd -t"
# Where there is an old init script of that name, systemctl would have a program of the board look at it.
mv "$root/etc/init.d" "$root/etc/init.d.aside"
systemctl --root="$root" --quiet enable systemd-networkd systemd-resolved systemd-timesyncd ssh getty@tty1
systemctl --root="$root" --quiet disable systemd-networkd-wait-online
# The loader finds all libraries in its own folders; looking at them at the first start takes a minute.
systemctl --root="$root" --quiet mask sshd-keygen ldconfig
mv "$root/etc/init.d.aside" "$root/etc/init.d"
# There is no clock on a Pi up to the 4: time begins when this image was made, not in 1970, and goes on from the last stop.
touch "$root/usr/lib/clock-epoch"
# Nothing in /etc is older than /usr: the first start need not look for what to bring up to date.
touch "$root/etc/.updated" "$root/var/.updated"

# What a car does not read, but licences stay; and no mirror of the machine that made this.
rm -f "$root"/etc/apt/sources.list.d/*
text /etc/dpkg/dpkg.cfg.d/card $'path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/info/*\npath-exclude=/usr/share/locale/*'
find "$root/usr/share/doc" ! -type d ! -name copyright -delete
find "$root/usr/share/doc" -type d -empty -delete
rm -rf "$root"/usr/share/{man,info,locale}
