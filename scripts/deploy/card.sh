#!/usr/bin/env bash
# shellcheck disable=SC2154  # variables of deploy.sh
# A card or an image of one: looked at, changed, closed.
#
#   --image   [ copy beside it ] ─ changed ─▶ [ renamed over it ]        all or nothing, whenever it is killed
#   --device  changed in place; each file in one moment, the links that start things last
#
#   /        an ext4 partition, mounted by a loop device (offset, size) in a mount namespace of this process's own:
#            when the process is gone, however it went, the kernel unmounts it and frees the loop device
#   /boot    a FAT partition, read and written by mtools, so no kernel has to know FAT and it is never left mounted
#
# Sourced by deploy.sh inside that namespace.
set -euo pipefail

# Where partition N lies: "START SIZE TYPE" in sectors.
partition() { sfdisk --dump "$card" 2>/dev/null | sed -n "s/^.*$1 : start= *\([0-9]*\), size= *\([0-9]*\), type=\([^,]*\).*/\1 \2 \3/p"; }

# Looks at a card and sets root_at, root_size, boot_at (bytes); says why it is none of ours.
inspect_card() {
    local label one two
    label=$(sfdisk --dump "$card" 2>/dev/null | sed -n 's/^label: //p')
    [ "$label" = dos ] || fail "$card has no MBR partition table: this is no Raspberry Pi OS image (is it still packed? xz -d)"
    one=$(partition 1) two=$(partition 2)
    case $one in
        *' c' | *' e' | *' b') ;;
        *) fail "$card: the first partition is no FAT: this is no Raspberry Pi OS image" ;;
    esac
    [ -n "$two" ] || fail "$card: there is no second partition: this is no Raspberry Pi OS image"
    boot_at=$((${one%% *} * 512))
    two=${two% *}
    root_at=$((${two% *} * 512)) root_size=$((${two#* } * 512))
    for name in config.txt cmdline.txt; do
        mtype -i "$card@@$boot_at" "::$name" >/dev/null 2>&1 || fail "$card: no $name on the first partition: this is no Raspberry Pi OS image"
    done
}

# Mounts / at $work/root and copies the boot texts to $work/boot. MODE: ro or rw.
open_card() {
    local options=loop,offset=$root_at,sizelimit=$root_size
    [ "$1" = rw ] || options=$options,ro,noload
    mkdir -p "$work/root" "$work/boot"
    mount -t ext4 -o "$options" "$card" "$work/root" || fail "$card: the second partition cannot be mounted as ext4"
    mcopy -n -i "$card@@$boot_at" ::config.txt ::cmdline.txt "$work/boot"
    cp -r "$work/boot" "$work/boot.before"
    # shellcheck disable=SC2046  # NAME=VALUE lines of ours
    declare -g $("$top/scripts/deploy/provision.sh" facts "$work/root")
    [ "$is_arm64" = yes ] || fail "$card has a 32-bit system; take the 64-bit Raspberry Pi OS Lite"
    [ "$codename" = trixie ] || fail "$card has Debian $codename; this program is built for trixie"
}

# Writes the boot texts back, if they changed, and unmounts.
close_card() {
    local name
    for name in config.txt cmdline.txt; do
        cmp -s "$work/boot/$name" "$work/boot.before/$name" || mcopy -o -i "$card@@$boot_at" "$work/boot/$name" ::
    done
    umount "$work/root"
    sync "$card"
}

# Says no to a device that is not clearly a card for this.
check_device() {
    local name mounted
    [ -b "$device" ] || fail "$device is no block device"
    name=$(basename "$(realpath "$device")")
    [ -e "/sys/block/$name" ] || fail "$device is a partition; name the whole card"
    mounted=$(lsblk --noheadings --raw --output MOUNTPOINTS "$device" | grep . | head -n 1) || true
    [ -z "$mounted" ] || fail "$device is in use (mounted at $mounted): unmount it, and look twice that it is the card"
    lsblk --output NAME,SIZE,MODEL,TRAN,RM "$device" >&2
    [ "$(cat "/sys/block/$name/removable")" = 1 ] || [[ $name == mmcblk* ]] || [[ $name == loop* ]] ||
        echo "deploy: $device does not say that it can be removed. Is it really the card?" >&2
}

# Missing libraries are told now, not by a car that does not start.
check_libraries() {
    local library package
    [ -e "$binary.needs" ] || return 0
    while read -r library package; do
        [ -n "$(find "$work/root/usr/lib/aarch64-linux-gnu" "$work/root/usr/lib" -maxdepth 1 -name "$library" -print -quit)" ] ||
            fail "${image:-$device} lacks $library, which the program wants: its system has no package $package of the version that the program was built for"
    done <"$binary.needs"
}

change_card() {
    local provision=("$top/scripts/deploy/provision.sh")
    card=${image:-$device}
    [ -z "$device" ] || check_device
    inspect_card
    if [ -n "$dry_run" ]; then
        open_card ro
        [ "$what" = uninstall ] || { compose; check_libraries; }
        "${provision[@]}" --dry-run "$what" "$work/root" "$work/boot" "$payload"
        umount "$work/root"
        return
    fi
    ask "Change $card?"
    if [ -n "$image" ]; then
        # What a run that was killed left behind; one that is still at it holds the lock.
        exec 8<"$image"
        flock --nonblock 8 || fail "$image: another run is at it"
        rm -f "$image".spidercar-*
        card=$(mktemp "$image.spidercar-XXXXXX")
        cp --reflink=auto --sparse=always "$image" "$card"
    fi
    open_card rw
    [ "$what" = uninstall ] || { compose; check_libraries; }
    "${provision[@]}" "$what" "$work/root" "$work/boot" "$payload"
    [ "$what" = uninstall ] || "${provision[@]}" verify "$work/root" "$work/boot" "$payload" || fail "the card does not give back what was written to it"
    close_card
    if [ -n "$image" ]; then
        chmod --reference="$image" "$card"
        chown --reference="$image" "$card"
        mv "$card" "$image"
        card=$image
    fi
    echo "deploy: $card: ${what}ed"
}
