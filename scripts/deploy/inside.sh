#!/usr/bin/env bash
# shellcheck disable=SC2154  # variables of who sources it
# Paths of a system that somebody else wrote: looked up inside its root, read and written there, never outside.
#
#   PATH of the system ─ inside ─▶ $there: where it lies on this machine
#                        each link of a folder is followed from $root, ".." ends at $root: what the system itself would open
#
# A card's /etc may be a link to this machine's /etc, and its os-release a pipe. Every path of a card is resolved here before a
# tool gets it; no folder in $there is a link. chroot(8) would resolve the same way, but would run programs of the card.
# open_card also mounts with nosymfollow, where the kernel has it.
# On the board itself $root is empty, and all of it is as the kernel does it.
#
# Sourced by provision.sh and deploy.sh; facts.sh is read behind it. Needs: $root, without a slash at its end.
set -Eeuo pipefail
# The kernel's own limit (namei(7): ELOOP).
links_limit=40

# Sets $there for a path. Its last part is followed, too, with "follow" as the second argument.
inside() {
    local rest=$1 part at='' target links=0
    while rest=${rest#"${rest%%[!/]*}"} && [ -n "$rest" ]; do
        part=${rest%%/*}
        rest=${rest#"$part"}
        case $part in
            .) continue ;;
            ..) at=${at%/*}; continue ;;
        esac
        if [ -L "$root$at/$part" ] && { [ -n "$rest" ] || [ "${2:-}" = follow ]; }; then
            links=$((links + 1))
            [ "$links" -le "$links_limit" ] || { printf 'refused: %q: its links go round in circles\n' "$1" >&2; return 1; }
            # The letter keeps newlines at the end of a name.
            target=$(readlink -n "$root$at/$part" && echo .)
            target=${target%.}
            [ "${target#/}" = "$target" ] || at=
            rest=$target$rest
        else
            at+=/$part
        fi
    done
    there=$root$at
}

# Whether there is a text to read at a path, links followed; it is $there. A pipe, a device or a file that would fill the memory
# is none. choice: a hundred times the largest text of a real system.
text_limit=1000000
is_file() { inside "$1" follow && [ -f "$there" ] && [ "$(stat -c %s "$there")" -le $text_limit ]; }
# Whether there is anything, links followed.
exists() { inside "$1" follow && [ -e "$there" ]; }
# Whether the last part itself is there, be it a link that leads nowhere; it is $there.
is_there() { inside "$1" && { [ -e "$there" ] || [ -L "$there" ]; }; }
# Whether there is a file that is no link; it is $there.
is_plain() { inside "$1" && [ -f "$there" ] && [ ! -L "$there" ]; }

# Makes the folder of $there.
make_folder() { mkdir -p -- "${there%/*}/"; }

# A file gets its content in one moment: it is written beside, with its rights, and renamed. What is there under the name
# beside, a link or a folder, goes. stdin, MODE UID:GID PATH.
put() {
    local new
    inside "$3"
    new=$there.spidercar-new
    make_folder
    rm -rf -- "$new"
    install -T -m 600 /dev/stdin "$new"
    chown "$2" "$new"
    chmod "$1" "$new"
    sync "$new"
    mv -T -- "$new" "$there"
}

# Copies a file, or a link as a link, to another path.
keep() {
    local from
    inside "$1"
    from=$there
    inside "$2"
    make_folder
    rm -rf -- "$there.spidercar-new"
    cp -a -T -- "$from" "$there.spidercar-new"
    mv -T -- "$there.spidercar-new" "$there"
}
