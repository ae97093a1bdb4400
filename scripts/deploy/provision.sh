#!/usr/bin/env bash
# Puts a car's files into a system, or takes them out again: on a mounted card, or on the running board.
#
# usage: provision.sh [--dry-run] check|install|uninstall|verify ROOT BOOT PAYLOAD
#   check    only says whether ROOT takes these programs: those with a signature that it wants; install does that first
#   ROOT     the system: a folder where a card is mounted, or / on the board itself
#   BOOT     its boot partition: a folder with config.txt and cmdline.txt
#   PAYLOAD  what scripts/deploy.sh put together:
#              files         lines "MODE OWNER PATH"; what is to be at ROOT/PATH is in root/PATH
#              stays         patterns of paths that an installation without them leaves alone: what was said before
#              boot-stays    if it is there, the lines in config.txt stay, too
#              enable        lines "LINK TARGET": what makes systemd start a unit
#              config-lines  lines for config.txt, each below its reason
#              cmdline-words words for cmdline.txt; KEY=VALUE takes the place of another value of KEY
#              SHA256SUMS    if it is there, the sums of the programs, with the signature in SHA256SUMS.sig (signed.sh)
#              unsigned      if it is there, a ROOT that wants signatures takes these programs without
#              host-name     if it is there, the name for /etc/hosts and for cloud-init's user-data on BOOT
#              radio-on      if it is there, what systemd keeps of Wi-Fi radios says that they are on
#
#   record "begun" ─▶ users ─▶ each file: beside, fsync, rename ─▶ boot texts ─▶ links ─▶ stale files out ─▶ record "complete"
#
# A file that was there and is not ours is kept aside and comes back with uninstall. Interrupted anywhere, what is there
# is whole, a further run completes it, and systemd starts nothing that is not: links come last.
# Whoever made the card may have laid links and a record of his own: every path of ROOT goes through inside.sh.
#
# Runs where: anywhere with bash, coreutils and systemd-sysusers, as root. Needs: inside, record, signed, users.sh beside it.
# Changes:    ROOT, BOOT. ROOT/usr/local/lib/spidercar has the record: what was installed, and what was there before.
# Prints a line for each change; with --dry-run it changes nothing.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
umask 022

usage() { sed -n '2,30s/^# \{0,1\}//p' "$0"; }
dry=
case "${1:-}" in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry=1; shift ;;
esac
[ $# = 4 ] || { usage >&2; exit 2; }
action=$1 root=${2%/} boot=${3%/} payload=$4
home=/usr/local/lib/spidercar
here=$(cd "$(dirname "$0")" && pwd)
begin_mark='# spidercar: begin (scripts/deploy.sh; what is between these lines is replaced)'
end_mark='# spidercar: end'

say() { echo "$*"; }
# Does it, unless nothing is to be changed.
act() { [ -n "$dry" ] || "$@"; }

# shellcheck source-path=SCRIPTDIR source=inside.sh
. "$here/inside.sh"
# shellcheck source-path=SCRIPTDIR source=record.sh
. "$here/record.sh"
# shellcheck source-path=SCRIPTDIR source=signed.sh
. "$here/signed.sh"
# shellcheck source-path=SCRIPTDIR source=users.sh
. "$here/users.sh"

# Notes the folders that will be made for a path, innermost first, so that they can go again.
remember_folders() {
    local folder=${1%/*}
    while [ -n "$folder" ] && ! exists "$folder"; do
        remember folder "$folder"
        folder=${folder%/*}
    done
}

# --- files ---
install_files() {
    local mode who path have ids at
    while read -r mode who path; do
        ids=$(owner "$who")
        [ -n "$ids" ] || [ -n "$dry" ] || { say "refused: there is no user $who"; exit 1; }
        if is_plain "$path" && cmp -s "$payload/root$path" "$there"; then
            if [ "$(stat -c '%a %u:%g' "$there")" = "${mode#0} $ids" ]; then
                remember file "$(sum "$there")" "$path"
                continue
            fi
        fi
        remember_folders "$path"
        if is_there "$path"; then
            at=$there
            [ -f "$at" ] || [ -L "$at" ] || { say "refused: $path is there, and is no file"; exit 1; }
            have=
            [ -L "$at" ] || have=$(sum "$at")
            if is_recorded "file $have $path"; then
                say "replace  $path"
            else
                say "replace  $path (what was there is kept aside)"
                [ -n "$dry" ] || is_there "$home/aside$path" || keep "$path" "$home/aside$path"
                remember aside "$path"
            fi
        else
            say "new      $path"
        fi
        # Both sums, before and after, are ours from here on: whenever this is interrupted, it is not taken for foreign.
        remember file "$(sum "$payload/root$path")" "$path"
        act put "$mode" "$ids" "$path" <"$payload/root$path"
    done <"$payload/files"
}

# What an older installation had and this one has not, and was not told to leave.
stays() {
    local pattern
    while read -r pattern; do
        # shellcheck disable=SC2053  # a pattern
        [[ $1 != $pattern ]] || return 0
    done <"$payload/stays"
    return 1
}
remove_stale() {
    local path
    while read -r path; do
        stays "$path" || remove_file "$path"
    done < <(recorded file | awk 'NR == FNR { wanted[$3] = 1; next } !($2 in wanted) && !seen[$2]++ { print $2 }' "$payload/files" -)
}
remove_file() {
    local path=$1 at
    if is_there "$path"; then
        at=$there
        if [ -L "$at" ] || [ ! -f "$at" ] || ! is_recorded "file $(sum "$at") $path"; then
            say "kept     $path: it was changed since"
            return
        fi
        if is_there "$home/aside$path"; then
            say "restore  $path"
            act mv -T -- "$there" "$at"
        else
            say "remove   $path"
            act rm -- "$at"
        fi
    fi
    forget "$path"
}

# --- boot texts. The lines go to the end of config.txt, in one block that this script alone writes. ---
block() {
    [ -s "$payload/config-lines" ] || return 0
    echo "$begin_mark"
    cat "$payload/config-lines"
    echo "$end_mark"
}
without_block() { awk -v begin="$begin_mark" -v end="$end_mark" '$0 == begin { skip = 1 } !skip { print } $0 == end { skip = 0 }' "$1"; }
boot_text() {
    local name=$1 what=$2 new
    new=$(mktemp)
    cat >"$new"
    if ! cmp -s "$new" "$boot/$name"; then
        say "boot     $name: $what"
        if [ -z "$dry" ]; then
            cat "$new" >"$boot/$name.new"
            sync "$boot/$name.new"
            mv "$boot/$name.new" "$boot/$name"
        fi
    fi
    rm "$new"
}
keep_boot_text() {
    # For root alone: user-data has the hashes of passwords.
    [ -n "$dry" ] || is_there "$home/aside/boot/$1" || put 600 0:0 "$home/aside/boot/$1" <"$boot/$1"
}
# cmdline.txt is one line of words: $words.
read_words() { read -ra words <"$1" || [ "${#words[@]}" -gt 0 ]; }
# Puts a word of ours in: in the place of other values of its key, which are remembered, or at the end.
put_word() {
    local have key=${1%%=*} placed='' out=()
    for have in "${words[@]}"; do
        if [ "$have" = "$1" ] || [[ $1 == *=* && $have == "$key="* ]]; then
            if [ "$have" = "$1" ]; then
                [ -n "$placed" ] || out+=("$have")
            else
                is_recorded "cmdline $have" || remember cmdline-was "$have"
                [ -n "$placed" ] || { out+=("$1"); remember cmdline "$1"; }
            fi
            placed=1
        else
            out+=("$have")
        fi
    done
    [ -n "$placed" ] || { out+=("$1"); remember cmdline "$1"; }
    words=("${out[@]}")
}
# Takes a word of ours out; what it replaced comes back in its place.
take_word() {
    local have was out=()
    for have in "${words[@]}"; do
        if [ "$have" != "$1" ]; then
            out+=("$have")
            continue
        fi
        while read -r was; do
            [[ $1 != *=* || $was != "${1%%=*}="* ]] || out+=("$was")
        done < <(recorded cmdline-was)
    done
    words=("${out[@]}")
}
# cloud-init's own word for the name: it writes /etc/hosts after it, whatever else says so.
name_lines='^(hostname|fqdn):'
install_user_data() {
    [ -s "$payload/host-name" ] && grep -qE "$name_lines" "$boot/user-data" 2>/dev/null || return 0
    keep_boot_text user-data
    sed -E "s/($name_lines).*/\1 $(<"$payload/host-name")/" "$boot/user-data" | boot_text user-data "the name is $(<"$payload/host-name")"
}
uninstall_user_data() {
    is_plain "$home/aside/boot/user-data" && [ -e "$boot/user-data" ] || return 0
    if diff -q <(grep -vE "$name_lines" "$boot/user-data") <(grep -vE "$name_lines" "$there") >/dev/null; then
        boot_text user-data "as it was" <"$there"
    else
        say "kept     user-data: it was changed since"
    fi
}

install_boot() {
    local word words=()
    keep_boot_text config.txt
    keep_boot_text cmdline.txt
    [ -e "$payload/boot-stays" ] || {
        without_block "$boot/config.txt"
        block
    } | boot_text config.txt "$(grep -cvE '^#|^$' "$payload/config-lines" || true) lines at its end"
    read_words "$boot/cmdline.txt"
    local before="${words[*]}"
    while read -r word; do
        put_word "$word"
    done <"$payload/cmdline-words"
    [ "${words[*]}" = "$before" ] || boot_text cmdline.txt "with $(tr '\n' ' ' <"$payload/cmdline-words")" <<<"${words[*]}"
    install_user_data
}
uninstall_boot() {
    local word words=() was=()
    # As it was, byte by byte, if nobody else has changed it since.
    if is_plain "$home/aside/boot/config.txt"; then
        if diff -q <(without_block "$boot/config.txt") <(without_block "$there") >/dev/null; then
            boot_text config.txt "as it was" <"$there"
        else
            without_block "$boot/config.txt" | boot_text config.txt "without our lines"
        fi
    fi
    uninstall_user_data
    is_plain "$home/aside/boot/cmdline.txt" || return 0
    read_words "$there"
    was=("${words[@]}")
    read_words "$boot/cmdline.txt"
    while read -r word; do
        take_word "$word"
    done < <(recorded cmdline)
    if [ "${words[*]}" = "${was[*]}" ]; then
        is_plain "$home/aside/boot/cmdline.txt"
        boot_text cmdline.txt "as it was" <"$there"
    else
        boot_text cmdline.txt "without our words" <<<"${words[*]}"
    fi
}

# --- files that depend on what is there: made here, then installed as the others are ---
made_here() {
    cat >"$payload/made-here"
    mkdir -p "$(dirname "$payload/root$1")"
    mv "$payload/made-here" "$payload/root$1"
    grep -qxF "644 root $1" "$payload/files" || echo "644 root $1" >>"$payload/files"
}
make_files() {
    local file
    if [ -s "$payload/host-name" ]; then
        # The line that Debian has for a machine's own name (hosts(5); Debian reference 5.1.1).
        { { is_file /etc/hosts && cat "$there"; } || echo "127.0.0.1 localhost"; } | awk -v name="$(<"$payload/host-name")" '
            $1 == "127.0.1.1" { if (!done++) print "127.0.1.1\t" name; next }
            { print }
            END { if (!done) print "127.0.1.1\t" name }' | made_here /etc/hosts
    fi
    if [ -e "$payload/radio-on" ]; then
        inside /var/lib/systemd/rfkill follow
        for file in "$there"/*:wlan; do
            file=${file##*/}
            # Named after the radio's place in the machine.
            [[ $file =~ ^[A-Za-z0-9_][A-Za-z0-9_:.-]*:wlan$ ]] || continue
            ! is_plain "/var/lib/systemd/rfkill/$file" || made_here "/var/lib/systemd/rfkill/$file" <<<0
        done
    fi
}

# --- links ---
# What a link would start, and is not there, is told before anything is changed.
check_links() {
    local link target wrong=0
    while read -r link target; do
        case $target in
            /*) is_there "$target" || { say "refused: this system has no $target, which $link is to start: install the package that has it"; wrong=1; } ;;
        esac
    done <"$payload/enable"
    return $wrong
}
install_links() {
    local link target
    while read -r link target; do
        if is_there "$link"; then
            [ "$(readlink "$there")" != "$target" ] || continue
            # Enabled by somebody else, who has his own way to say so: neither changed nor taken out again.
            [ ! -L "$there" ] || is_recorded "link $link" || continue
        fi
        say "enable   $link"
        remember_folders "$link"
        remember link "$link"
        [ -z "$dry" ] || continue
        inside "$link"
        make_folder
        ln -sfT -- "$target" "$there"
    done <"$payload/enable"
}
remove_links() {
    local link
    while read -r link; do
        { is_there "$link" && [ -L "$there" ]; } || continue
        say "disable  $link"
        act rm -- "$there"
    done < <(recorded link)
}

verify() {
    local mode who path target wrong=0
    while read -r mode who path; do
        { is_plain "$path" && cmp -s "$payload/root$path" "$there"; } || { say "differs  $path"; wrong=1; continue; }
        [ "$(stat -c '%a %u:%g' "$there")" = "${mode#0} $(owner "$who")" ] || { say "rights   $path"; wrong=1; }
    done <"$payload/files"
    while read -r path target; do
        inside "$path"
        [ "$(readlink "$there" || true)" = "$target" ] || { [ -L "$there" ] && ! is_recorded "link $path"; } ||
            { say "link     $path"; wrong=1; }
    done <"$payload/enable"
    return $wrong
}

find_record
case $action in
    check) check_programs || exit 1 ;;
    install)
        check_programs || exit 1
        check_links || exit 1
        make_files
        state begun
        note_unsigned
        add_users
        install_files
        install_boot
        install_links
        remove_stale
        state complete
        act sync -f "$root/"
        ;;
    uninstall)
        [ -e "$record" ] || { say "nothing of spidercar is installed"; exit 0; }
        state leaving
        remove_links
        while read -r path; do
            remove_file "$path"
        done < <(recorded file | cut -d ' ' -f 2- | sort -u)
        uninstall_boot
        remove_users
        folders=$(recorded folder | awk '{ print length($0), $0 }' | sort -rn | cut -d ' ' -f 2-)
        inside "$home"
        act rm -rf -- "$there"
        while read -r folder; do
            { [ -n "$folder" ] && is_there "$folder" && [ -d "$there" ] && [ ! -L "$there" ]; } || continue
            act rmdir --ignore-fail-on-non-empty -- "$there"
        done <<<"$folders"
        act sync -f "$root/"
        ;;
    verify) verify ;;
    *) usage >&2; exit 2 ;;
esac
