#!/usr/bin/env bash
# shellcheck disable=SC2154  # variables of deploy.sh
# Whatever was named as --image: a sentence for each file that is no image, and packed images unpacked.
#
#   FILE.img.xz, .gz, .zst, .zip ─▶ FILE.img.unpacking-XXXXXX ─▶ FILE.img          renamed when it is whole
#
# Sourced by deploy.sh, which has fail().
set -Eeuo pipefail

# The first bytes of a file, hexadecimal. FILE, COUNT, and how many to skip.
bytes_of() { od -An -v -tx1 -j "${3:-0}" -N "$2" "$1" | tr -d ' \n'; }

# What a file is, by its first bytes; "image" is anything with the end mark of an MBR (0x55 0xaa at 510).
kind_of() {
    local head
    head=$(bytes_of "$1" 8)
    case $head in
        fd377a585a00*) echo xz ;;
        1f8b*) echo gz ;;
        28b52ffd*) echo zst ;;
        504b0304* | 504b0506*) echo zip ;;
        425a68*) echo bz2 ;;
        377abcaf271c*) echo 7z ;;
        52617221*) echo rar ;;
        514649fb*) echo qcow2 ;;
        4b444d56* | 2320446973*) echo vmdk ;;
        7f454c46*) echo program ;;
        3c*) echo page ;;
        *)
            if [ "$(bytes_of "$1" 5 32769)" = 4344303031 ]; then
                echo iso
            elif [ "$(bytes_of "$1" 2 510)" = 55aa ]; then
                echo image
            elif [ "$(bytes_of "$1" 512 | tr -d 0)" = '' ]; then
                echo zeros
            elif LC_ALL=C grep -qm 1 '[^[:print:][:space:]]' < <(head -c 512 "$1"); then
                echo unknown
            else
                echo text
            fi
            ;;
    esac
}

# Says why a file is no image of Raspberry Pi OS; returns for an image and for one that unpack_image can unpack.
check_image_file() {
    local kind
    [ -e "$image" ] || [ -L "$image" ] || fail "$image: there is no such file"
    [ -e "$image" ] || fail "$image: this link leads nowhere"
    [ ! -d "$image" ] || fail "$image: this is a folder; name the image that is in it"
    [ ! -b "$image" ] || fail "$image: this is a device; for a card say --device $image"
    [ -f "$image" ] || fail "$image: this is no file"
    [ -r "$image" ] || fail "$image: it may not be read by $(id -un)"
    [ -s "$image" ] || fail "$image: the file is empty; was the download cut off?"
    kind=$(kind_of "$image")
    case $kind in
        xz | gz | zst | zip | image) ;;
        bz2 | 7z | rar) fail "$image: it is packed ($kind), and deploy.sh unpacks xz, gz, zst and zip only: unpack it first" ;;
        qcow2 | vmdk) fail "$image: this is a disk of a virtual machine ($kind): qemu-img convert -O raw \"$image\" NEW.img makes an image of it" ;;
        iso) fail "$image: this is a CD image (ISO 9660), as PCs start from; a Raspberry Pi OS image is a .img.xz from raspberrypi.com" ;;
        page) fail "$image: this is a web page, not an image; was a page saved instead of the download?" ;;
        program) fail "$image: this is a program, not an image" ;;
        text) fail "$image: this is a text, not an image" ;;
        zeros) fail "$image: it begins with zeros: no partition table, no image; was the copy cut off?" ;;
        unknown) fail "$image: it has no partition table: this is no Raspberry Pi OS image" ;;
    esac
    # Root may write anywhere but on a medium that is read-only; whoever took the rights away meant it.
    [ "$kind" != image ] || [ -n "$dry_run" ] || [ -n "$(find "$image" -maxdepth 0 -perm /222)" ] ||
        fail "$image: the file is read-only (chmod u+w \"$image\" if it may be changed)"
}

# Whether a folder has room for so many bytes.
has_room() {
    local free
    free=$(df --output=avail -B 1 "$1" | tail -n 1)
    [ "$free" -ge "$2" ]
}
megabytes() { echo "$((($1 + 999999) / 1000000)) MB"; }

# What it will be, unpacked, in bytes; 0 where the file does not say.
unpacked_size() {
    local size=
    case $2 in
        xz) size=$(xz --robot --list "$1" 2>/dev/null | awk '$1 == "totals" { print $5 }') || true ;;
        zip) size=$(unzip -Zt "$1" 2>/dev/null | awk '{ print $3 }') || true ;;
        zst) size=$(zstd --list -v "$1" 2>/dev/null | sed -n 's/^Decompressed Size:.*(\([0-9]*\) B).*/\1/p') || true ;;
    esac
    [[ $size =~ ^[1-9][0-9]{0,14}$ ]] && echo "$size" || echo 0
}

# Unpacks $image, if it is packed, and lets $image be what came out of it. With --dry-run that goes again afterwards.
unpack_image() {
    local kind tool to size packed=$image names
    kind=$(kind_of "$image")
    [ "$kind" != image ] || return 0
    case $kind in
        xz) tool=(xz -dc --) && need_tool xz xz-utils ;;
        gz) tool=(gzip -dc --) && need_tool gzip gzip ;;
        zst) tool=(zstd -dc --) && need_tool zstd zstd ;;
        zip) tool=(unzip -p) && need_tool unzip unzip ;;
    esac
    to=$image
    case $to in
        *.img.*) to=${to%.*} ;;
        *."$kind") to=${to%.*}.img ;;
        *) to=$to.img ;;
    esac
    [ ! -e "$to" ] || [ -n "$dry_run" ] ||
        fail "$packed is packed, and there is $to already: name that one (--image \"$to\"), or delete it"
    if [ "$kind" = zip ]; then
        names=$(unzip -Z1 "$packed" 2>/dev/null | little | printable | grep -i '\.img$' || true)
        [[ -n $names && $names != *$'\n'* ]] || fail "$packed: the archive should have one .img in it, and has: ${names:-none}"
        # By a pattern of ours: a name from the archive might be an option of unzip.
        tool=(unzip -C -p "$packed" '*.img')
    else
        tool+=("$packed")
    fi
    size=$(unpacked_size "$packed" "$kind")
    has_room "$(dirname "$to")" "$size" || fail "$(dirname "$to") has no room for $to, which takes $(megabytes "$size"): make room, or put the image elsewhere"
    rm -f "$to".unpacking-*
    unpacked=$(mktemp "$to.unpacking-XXXXXX") || fail "nothing can be written beside $packed: put it into a folder of yours"
    say_it "unpacking $packed"
    "${tool[@]}" >"$unpacked" || fail "$packed cannot be unpacked: it is cut off or damaged (compare its SHA-256 with that of the download page), or the disk is full"
    image=$unpacked
    check_image_file
    chown --reference="$packed" "$unpacked"
    chmod --reference="$packed" "$unpacked"
    chmod u+w "$unpacked"
    sync "$unpacked"
    [ -n "$dry_run" ] || {
        mv -T "$unpacked" "$to"
        unpacked='' image=$to
        say_it "unpacked to $to, which is changed from here on"
    }
}
