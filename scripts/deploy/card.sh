#!/usr/bin/env bash
# shellcheck disable=SC2154,SC2034  # variables of deploy.sh and inside.sh
# A card or an image of one: looked at, changed, closed.
#
#   --image   [ copy beside it ] ─ changed ─▶ [ renamed over it ]        all or nothing, whenever it is killed
#   --device  changed in place; each file in one moment, the links that start things last
#
#   /        an ext4 partition, mounted by a loop device (offset, size) in a mount namespace of this process's own:
#            when the process is gone, however it went, the kernel unmounts it and frees the loop device
#   /boot    a FAT partition, read and written by mtools, so no kernel has to know FAT and it is never left mounted
#
# Sourced by deploy.sh inside that namespace. What the card says is read by foreign.sh, its paths are looked up by inside.sh.
set -Eeuo pipefail

# Where partition N lies: sets start and size, in sectors, and type; fails if there is none. 32 bits hold an MBR's numbers.
partition() {
    local LC_ALL=C line
    while IFS= read -r line; do
        if [[ $line =~ [^0-9]"$1 : start="\ *([0-9]{1,10}),\ size=\ *([0-9]{1,10}),\ type=([0-9a-fA-F]{1,2})(,|$) ]]; then
            start=$((10#${BASH_REMATCH[1]})) size=$((10#${BASH_REMATCH[2]})) type=${BASH_REMATCH[3]}
            return
        fi
    done <<<"$table"
    return 1
}

# Mounting needs rights that containers do not have. Arguments: how to become root.
check_rights() {
    local refused
    if ! refused=$("$@" unshare --mount --propagation private --pid --fork true 2>&1); then
        fail "no card can be mounted here (${refused##*: }): this needs root with CAP_SYS_ADMIN, which containers do not have. Run it on the machine itself, or in a container with --privileged -v /dev:/dev; or start the board and use --host"
    fi
}

# Looks at a card and sets root_at, root_size, boot_at (bytes); says why it is none of ours.
inspect_card() {
    local label start size type end name
    table=$(sfdisk --dump "$card" 2>/dev/null | printable) || fail "$card has no partition table: this is no Raspberry Pi OS image"
    label=$(sed -n '/^label: /{s///p;q}' <<<"$table")
    [ "$label" = dos ] || fail "$card has a partition table of the kind \"$label\", and Raspberry Pi OS has an MBR: this is another system's image"
    if ! { partition 1 && [[ $type == [ceb] ]]; }; then
        fail "$card: the first partition is no FAT: this is no Raspberry Pi OS image"
    fi
    boot_at=$((start * 512))
    partition 2 || fail "$card: there is no second partition: this is no Raspberry Pi OS image"
    root_at=$((start * 512)) root_size=$((size * 512))
    size=$(blockdev --getsize64 "$card" 2>/dev/null || stat -L -c %s "$card")
    end=$((root_at + root_size))
    [ "$size" -ge "$end" ] ||
        fail "$card is cut off: its partitions end at $(megabytes $end), and it has $(megabytes "$size"). Download or write it again (is the card too small?)"
    for name in config.txt cmdline.txt; do
        mtype -i "$card@@$boot_at" "::$name" >/dev/null 2>&1 || fail "$card: no $name on the first partition: this is no Raspberry Pi OS image, or it is damaged"
    done
    [ "$(bytes_of "$card" 2 $((root_at + 1080)))" = 53ef ] || fail "$card: the second partition is no ext4: this is no Raspberry Pi OS image, or it is damaged"
}

# Prints a file of the first partition. The name on the card never becomes the name of a file here.
boot_text_of_card() { mtype -i "$card@@$boot_at" "::$1" 2>/dev/null | head -c "$text_limit"; }

# Mounts / at $work/root and copies the boot texts to $work/boot. MODE: ro or rw.
open_card() {
    # The kernel runs no program of the card, opens no device of it, and does not panic where its superblock asks for that.
    local options=loop,offset=$root_at,sizelimit=$root_size,nosuid,nodev,noexec,errors=remount-ro refused name
    [ "$1" = rw ] || options=$options,ro,noload
    mkdir -p "$work/root" "$work/boot"
    # Asked for, not read from the words of mount(8), which differ; in a container one may be named that is not there.
    [ -b "$(losetup --find 2>/dev/null || true)" ] ||
        fail "there is no loop device to mount a card with: modprobe loop; in a container, --privileged -v /dev:/dev; or start the board and use --host"
    # nosymfollow: the kernel itself follows no link of the card, should a path pass by inside.sh (Linux 5.10, util-linux 2.38).
    if ! mount -t ext4 -o "$options,nosymfollow" "$card" "$work/root" 2>/dev/null; then
        refused=$(mount -t ext4 -o "$options" "$card" "$work/root" 2>&1) ||
            fail "$card: the second partition cannot be mounted as ext4 ($refused)"
    fi
    root=$work/root
    # user-data is cloud-init's; not every image has it.
    for name in config.txt cmdline.txt user-data; do
        if ! boot_text_of_card "$name" >"$work/boot/$name"; then
            [ "$name" = user-data ] || fail "$card: $name cannot be read, or has more than $(megabytes "$text_limit")"
            rm "$work/boot/$name"
        fi
    done
    cp -r "$work/boot" "$work/boot.before"
    read_facts < <(facts_of_card "$work/root")
    check_system "$card"
    names_itself
}

# Raspberry Pi Imager leaves a script or a file for the first start, which is not ours to change.
names_itself() {
    local name
    [ -n "$host_name" ] || return 0
    for name in firstrun.sh custom.toml; do
        ! mtype -i "$card@@$boot_at" "::$name" >/dev/null 2>&1 ||
            say_it "$name, from Raspberry Pi Imager, gives the car its own name at the first start: say --hostname again after that (--host), or write the card without it"
    done
}

# Writes the boot texts back, if they changed, and unmounts.
close_card() {
    local name
    for name in config.txt cmdline.txt user-data; do
        [ -e "$work/boot/$name" ] || continue
        cmp -s "$work/boot/$name" "$work/boot.before/$name" || mcopy -o -i "$card@@$boot_at" "$work/boot/$name" ::
    done
    umount "$work/root"
    sync "$card"
}

# Says no to a device that is not clearly a card for this.
check_device() {
    local name mounted
    [ -e "$device" ] || fail "$device: there is no such device (lsblk lists them)"
    [ ! -f "$device" ] || fail "$device is a file; say --image $device"
    [ -b "$device" ] || fail "$device is no block device"
    name=$(basename "$(realpath "$device")")
    [ -e "/sys/block/$name" ] || fail "$device is a partition; name the whole card"
    mounted=$(lsblk --noheadings --raw --output MOUNTPOINTS "$device" | grep . | head -n 1) || true
    [ -z "$mounted" ] || fail "$device is in use (mounted at $mounted): unmount it, and look twice that it is the card"
    [ "$(blockdev --getsize64 "$device" 2>/dev/null || echo 0)" -gt 0 ] || fail "$device: there is no card in the reader"
    [ "$(blockdev --getro "$device")" = 0 ] || [ -n "$dry_run" ] || fail "$device is write-protected: the lock of the card or of its adapter is on"
    lsblk --output NAME,SIZE,MODEL,TRAN,RM "$device" | printable >&2
    [ "$(cat "/sys/block/$name/removable")" = 1 ] || [[ $name == mmcblk* ]] || [[ $name == loop* ]] ||
        echo "deploy: $device does not say that it can be removed. Is it really the card?" >&2
}

# Libraries of a program that the card does not have: "LIBRARY PACKAGE" each. Reads PROGRAM.needs.
missing_of() {
    local library package
    [ -e "$1.needs" ] || return 0
    while read -r library package; do
        is_there "/usr/lib/aarch64-linux-gnu/$library" || is_there "/usr/lib/$library" ||
            echo "$library $package"
    done <"$1.needs"
}

# Missing libraries are told now, not by a car that does not start. One without libcamera has no picture from a CSI camera, and
# is refused only if it is to have one.
check_libraries() {
    local lack library package here of=${image_date:+ (its system is of $image_date)}
    lack=$(missing_of "$binary")
    read -r library package <<<"$lack"
    [ -z "$library" ] ||
        fail "${image:-$device}$of lacks $library, which the program wants: its system has no package $package of the version that the program was built for"
    [ -n "$csi_binary" ] || return 0
    lack=$(missing_of "$csi_binary")
    read -r library package <<<"$lack"
    [ -n "$library" ] || return 0
    inside /usr/lib/aarch64-linux-gnu follow
    here=$(find "$there" -maxdepth 1 -name 'libcamera.so.*.*' ! -name 'libcamera.so.*.*.*' -printf '%f ' 2>/dev/null | little | printable || true)
    here="${image:-$device}$of has ${here:-no libcamera }and the program for CSI cameras wants $library (package $package)"
    if wants_libcamera; then
        fail "$here: take an image whose system has it, or a program that was built for the other, or, for a USB camera, --set camera.source=v4l"
    fi
    say_it "$here: this car has none, so nothing is missing"
}

# A card whose car wants signatures gets no other programs, either. What says so is ours: ROOT is only read.
check_wanted() {
    local why
    why=$("$script" check "$work/root" "$work/boot" "$payload" 2>&1 | printable) || fail "${image:-$device}: $why"
}

# Room for the files and for what the car itself writes. choice: 32 MB beyond them.
check_space() {
    local wanted
    wanted=$(($(du -s --apparent-size -B 1 "$payload/root" | cut -f 1) + 32000000))
    has_room "$work/root" "$wanted" || fail "${image:-$device}: the second partition has no room for $(megabytes "$wanted"); start the board once, which makes it larger, or take a fresh image"
}

# Whether the card gets a secret, so that nobody else on this machine may read its image.
has_secrets() { [ "$what" = install ] && { [ "${#secrets[@]}" -gt 0 ] || [ -n "$wifi_password" ]; }; }

change_card() {
    local script=$top/scripts/deploy/provision.sh mode
    [ -z "$device" ] || check_device
    [ -z "$image" ] || unpack_image
    card=${image:-$device}
    inspect_card
    if [ -n "$dry_run" ]; then
        open_card ro
        [ "$what" = uninstall ] || { compose; check_wanted; check_libraries; }
        "$script" --dry-run "$what" "$work/root" "$work/boot" "$payload" 2>&1 | printable
        umount "$work/root"
        return
    fi
    ask "Change $card?"
    if [ -n "$image" ]; then
        # What a run that was killed left behind; one that is still at it holds the lock.
        exec 8<"$image" || fail "$image cannot be opened"
        flock --nonblock 8 || fail "$image: another run is at it"
        rm -f "$image".spidercar-*
        # On file systems that copy by reference, and for zeros, less is taken.
        has_room "$(dirname "$image")" "$(du -B 1 "$image" | cut -f 1)" ||
            fail "$(dirname "$image") has no room for a copy of $image ($(megabytes "$(du -B 1 "$image" | cut -f 1)")), which is changed and then put in its place"
        card=$(mktemp "$image.spidercar-XXXXXX") || fail "nothing can be written beside $image, where its changed copy is made: put it into a folder of yours"
        cp --reflink=auto --sparse=always "$image" "$card" || fail "$image cannot be copied: is the disk full?"
    fi
    open_card rw
    [ "$what" = uninstall ] || { compose; check_wanted; check_libraries; check_space; }
    "$script" "$what" "$work/root" "$work/boot" "$payload" 2>&1 | printable
    [ "$what" = uninstall ] || "$script" verify "$work/root" "$work/boot" "$payload" 2>&1 | printable || fail "the card does not give back what was written to it"
    close_card
    if [ -n "$image" ]; then
        mode=$(stat -L -c %a "$image")
        ! has_secrets || mode=$(printf '%o' $((8#$mode & 8#700)))
        chmod "$mode" "$card"
        chown --reference="$image" "$card"
        mv "$card" "$image"
        card=$image
    fi
    echo "deploy: $card: ${what}ed"
}
