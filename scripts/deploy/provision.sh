#!/usr/bin/env bash
# Puts a car's files into a system, or takes them out again: on a mounted card, or on the running board.
#
# usage: provision.sh [--dry-run] install|uninstall|verify ROOT BOOT PAYLOAD
#        provision.sh facts ROOT      what kind of system it is, in lines NAME=VALUE
#   ROOT     the system: a folder where a card is mounted, or / on the board itself
#   BOOT     its boot partition: a folder with config.txt and cmdline.txt
#   PAYLOAD  what scripts/deploy.sh put together:
#              files         lines "MODE OWNER PATH"; what is to be at ROOT/PATH is in root/PATH
#              stays         patterns of paths that an installation without them leaves alone: what was said before
#              boot-stays    if it is there, the lines in config.txt stay, too
#              enable        lines "LINK TARGET": what makes systemd start a unit
#              config-lines  lines for config.txt, each below its reason
#              cmdline-words words for cmdline.txt; KEY=VALUE takes the place of another value of KEY
#              host-name     if it is there, the name for /etc/hosts and for cloud-init's user-data on BOOT
#              radio-on      if it is there, what systemd keeps of Wi-Fi radios says that they are on
#
#   record "begun" ─▶ users ─▶ each file: beside, fsync, rename ─▶ boot texts ─▶ links ─▶ stale files out ─▶ record "complete"
#
# A file that was there and is not ours is kept aside and comes back with uninstall. Interrupted anywhere, what is there
# is whole, a further run completes it, and systemd starts nothing that is not: links come last.
#
# Runs where: anywhere with bash, coreutils and systemd-sysusers, as root; it is all that the board itself needs.
# Changes:    ROOT, BOOT. ROOT/usr/local/lib/spidercar has the record: what was installed, and what was there before.
# Prints a line for each change; with --dry-run it changes nothing.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
umask 022

usage() { sed -n '2,27s/^# \{0,1\}//p' "$0"; }
dry=
case "${1:-}" in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry=1; shift ;;
esac
if [ "${1:-}" = facts ] && [ $# = 2 ]; then
    root=${2%/}
    # What a card says is read, not run.
    echo "codename=$(sed -n 's/^VERSION_CODENAME="\{0,1\}\([a-z]*\).*/\1/p' "$root/etc/os-release" 2>/dev/null || true)"
    echo "is_arm64=$([ -e "$root/lib/ld-linux-aarch64.so.1" ] && echo yes || echo no)"
    echo "is_raspberry_pi_os=$([ -e "$root/etc/rpi-issue" ] && echo yes || echo no)"
    echo "has_network_manager=$([ -e "$root/usr/sbin/NetworkManager" ] && echo yes || echo no)"
    echo "is_ours=$([ -e "$root/usr/local/lib/spidercar/record" ] && echo yes || echo no)"
    echo "image_date=$(sed -n '1s/.*\([0-9]\{4\}-[0-9][0-9]-[0-9][0-9]\).*/\1/p' "$root/etc/rpi-issue" 2>/dev/null || true)"
    echo "has_cloud_init=$([ -d "$root/etc/cloud" ] && echo yes || echo no)"
    # A key of root, or a user with a password: field 2 of shadow is neither empty, nor * nor locked.
    echo "has_login=$([ -s "$root/root/.ssh/authorized_keys" ] || grep -qE '^[^:]+:\$' "$root/etc/shadow" 2>/dev/null && echo yes || echo no)"
    echo "has_csi_camera=$(grep -qsE '^[[:space:]]*(camera[[:space:]]*\.[[:space:]]*)?source[[:space:]]*=[[:space:]]*["'"'"']libcamera["'"'"']' "$root/etc/spidercar/spidercar.toml" && echo yes || echo no)"
    exit 0
fi
[ $# = 4 ] || { usage >&2; exit 2; }
action=$1 root=${2%/} boot=${3%/} payload=$4
home=/usr/local/lib/spidercar
record=$root$home/record
aside=$root$home/aside
begin_mark='# spidercar: begin (scripts/deploy.sh; what is between these lines is replaced)'
end_mark='# spidercar: end'

say() { echo "$*"; }
# Does it, unless nothing is to be changed.
act() { [ -n "$dry" ] || "$@"; }
sum() {
    local text
    text=$(sha256sum <"$1")
    echo "${text%% *}"
}

# A file gets its content in one moment: it is written beside, with its rights, and renamed. stdin, MODE OWNER PATH.
put() {
    local new=$3.spidercar-new
    mkdir -p "$(dirname "$3")"
    install -m 600 /dev/stdin "$new"
    chown "$(owner "$2")" "$new"
    chmod "$1" "$new"
    sync "$new"
    mv "$new" "$3"
}

# Names are those of ROOT, not of this machine.
owner() {
    local name user group rest
    [ "$1" != root ] || { echo 0:0; return; }
    while IFS=: read -r name rest user group rest; do
        [ "$name" != "$1" ] || echo "$user:$group"
    done <"$root/etc/passwd"
}

# --- the record: lines "file SHA256 PATH", "folder PATH", "aside PATH", "link PATH", "user FILE LINE", "state WORD" ---
recorded() { [ ! -e "$record" ] || sed -n "s/^$1 //p" "$record"; }
# Programs that are started take the time of an upgrade; the shell looks by itself where it can.
is_recorded() { [ -e "$record" ] && [[ $'\n'$(<"$record")$'\n' == *$'\n'"$1"$'\n'* ]]; }
remember() {
    [ -z "$dry" ] || return 0
    is_recorded "$*" || echo "$*" >>"$record"
}
state() {
    [ -z "$dry" ] || return 0
    { grep -v '^state ' "$record" 2>/dev/null || true; echo "state $1"; } | put 644 root "$record"
}

# Notes the folders that will be made for a path, innermost first, so that they can go again.
remember_folders() {
    local folder
    folder=$(dirname "$1")
    while [ "$folder" != / ] && [ ! -e "$root$folder" ]; do
        remember folder "$folder"
        folder=$(dirname "$folder")
    done
}

# --- users: systemd-sysusers adds lines to these files; exactly those are taken out again ---
user_files=(passwd group shadow gshadow)
add_users() {
    local before file line locked=1
    if grep -q '^spidercar:' "$root/etc/passwd" && ! missing_groups; then
        return
    fi
    say "user     spidercar, and the groups of its devices"
    [ -z "$dry" ] || return 0
    [ -e "$root/etc/.pwd.lock" ] || locked=
    before=$(mktemp -d)
    for file in "${user_files[@]}"; do
        cp "$root/etc/$file" "$before/$file"
        # The copies that tools like this one make of what was before them: not ours to change.
        [ ! -e "$root/etc/$file-" ] || cp -a "$root/etc/$file-" "$before"
    done
    systemd-sysusers ${root:+--root="$root"} - <"$payload/root/etc/sysusers.d/spidercar.conf" 2>/dev/null
    for file in "${user_files[@]}"; do
        rm -f "$root/etc/$file-"
        [ ! -e "$before/$file-" ] || cp -a "$before/$file-" "$root/etc"
        while read -r line; do
            remember user "$file" "$line"
        done < <(grep -vxF -f "$before/$file" "$root/etc/$file" || true)
    done
    rm -r "$before"
    [ -n "$locked" ] || rm -f "$root/etc/.pwd.lock"
}
missing_groups() {
    local name
    while read -r name; do
        grep -q "^$name:" "$root/etc/group" || return 0
    done < <(awk '$1 == "g" || $1 == "u" { print $2 }' "$payload/root/etc/sysusers.d/spidercar.conf")
    return 1
}
remove_users() {
    local file line
    while read -r file line; do
        say "user     out of $file: ${line%%:*}"
        act sed -i "\,^${line%%:*}:,d" "$root/etc/$file"
    done < <(recorded user)
}

# --- files ---
install_files() {
    local mode who path have
    while read -r mode who path; do
        if [ -e "$root$path" ] && cmp -s "$payload/root$path" "$root$path"; then
            if [ "$(stat -c '%a %u:%g' "$root$path")" = "${mode#0} $(owner "$who")" ]; then
                remember file "$(sum "$root$path")" "$path"
                continue
            fi
        fi
        remember_folders "$path"
        if [ -e "$root$path" ]; then
            have=$(sum "$root$path")
            if is_recorded "file $have $path"; then
                say "replace  $path"
            else
                say "replace  $path (what was there is kept aside)"
                if [ -z "$dry" ] && [ ! -e "$aside$path" ]; then
                    mkdir -p "$(dirname "$aside$path")"
                    cp -a "$root$path" "$aside$path.spidercar-new"
                    mv "$aside$path.spidercar-new" "$aside$path"
                fi
                remember aside "$path"
            fi
        else
            say "new      $path"
        fi
        # Both sums, before and after, are ours from here on: whenever this is interrupted, it is not taken for foreign.
        remember file "$(sum "$payload/root$path")" "$path"
        act put "$mode" "$who" "$root$path" <"$payload/root$path"
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
    local path=$1
    if [ -e "$root$path" ]; then
        if ! is_recorded "file $(sum "$root$path") $path"; then
            say "kept     $path: it was changed since"
            return
        fi
        if [ -e "$aside$path" ]; then
            say "restore  $path"
            act mv "$aside$path" "$root$path"
        else
            say "remove   $path"
            act rm "$root$path"
        fi
    fi
    if [ -z "$dry" ]; then
        awk -v path="$path" '!($1 == "file" && $3 == path || $1 == "aside" && $2 == path)' "$record" >"$record.new"
        mv "$record.new" "$record"
    fi
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
    [ -n "$dry" ] || [ -e "$aside/boot/$1" ] || put 644 root "$aside/boot/$1" <"$boot/$1"
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
    [ -e "$aside/boot/user-data" ] && [ -e "$boot/user-data" ] || return 0
    if diff -q <(grep -vE "$name_lines" "$boot/user-data") <(grep -vE "$name_lines" "$aside/boot/user-data") >/dev/null; then
        boot_text user-data "as it was" <"$aside/boot/user-data"
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
    if [ -e "$aside/boot/config.txt" ]; then
        if diff -q <(without_block "$boot/config.txt") <(without_block "$aside/boot/config.txt") >/dev/null; then
            boot_text config.txt "as it was" <"$aside/boot/config.txt"
        else
            without_block "$boot/config.txt" | boot_text config.txt "without our lines"
        fi
    fi
    uninstall_user_data
    [ -e "$aside/boot/cmdline.txt" ] || return 0
    read_words "$aside/boot/cmdline.txt"
    was=("${words[@]}")
    read_words "$boot/cmdline.txt"
    while read -r word; do
        take_word "$word"
    done < <(recorded cmdline)
    if [ "${words[*]}" = "${was[*]}" ]; then
        boot_text cmdline.txt "as it was" <"$aside/boot/cmdline.txt"
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
        { cat "$root/etc/hosts" 2>/dev/null || echo "127.0.0.1 localhost"; } | awk -v name="$(<"$payload/host-name")" '
            $1 == "127.0.1.1" { if (!done++) print "127.0.1.1\t" name; next }
            { print }
            END { if (!done) print "127.0.1.1\t" name }' | made_here /etc/hosts
    fi
    if [ -e "$payload/radio-on" ]; then
        for file in "$root"/var/lib/systemd/rfkill/*:wlan; do
            [ ! -f "$file" ] || made_here "${file#"$root"}" <<<0
        done
    fi
}

# --- links ---
# What a link would start, and is not there, is told before anything is changed.
check_links() {
    local link target wrong=0
    while read -r link target; do
        case $target in
            /*) [ -e "$root$target" ] || [ -L "$root$target" ] || { say "refused: this system has no $target, which $link is to start: install the package that has it"; wrong=1; } ;;
        esac
    done <"$payload/enable"
    return $wrong
}
install_links() {
    local link target
    while read -r link target; do
        if [ "$(readlink "$root$link" 2>/dev/null)" = "$target" ]; then
            continue
        fi
        # Enabled by somebody else, who has his own way to say so: neither changed nor taken out again.
        if [ -L "$root$link" ] && ! is_recorded "link $link"; then
            continue
        fi
        say "enable   $link"
        remember_folders "$link"
        remember link "$link"
        [ -n "$dry" ] || mkdir -p "$(dirname "$root$link")"
        act ln -sfn "$target" "$root$link"
    done <"$payload/enable"
}
remove_links() {
    local link
    while read -r link; do
        [ -L "$root$link" ] || continue
        say "disable  $link"
        act rm "$root$link"
    done < <(recorded link)
}

verify() {
    local mode who path wrong=0
    while read -r mode who path; do
        cmp -s "$payload/root$path" "$root$path" || { say "differs  $path"; wrong=1; continue; }
        [ "$(stat -c '%a %u:%g' "$root$path")" = "${mode#0} $(owner "$who")" ] || { say "rights   $path"; wrong=1; }
    done <"$payload/files"
    while read -r path mode; do
        [ "$(readlink "$root$path" || true)" = "$mode" ] || { [ -L "$root$path" ] && ! is_recorded "link $path"; } ||
            { say "link     $path"; wrong=1; }
    done <"$payload/enable"
    return $wrong
}

case $action in
    install)
        check_links || exit 1
        make_files
        state begun
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
        act rm -rf "$root$home"
        while read -r folder; do
            [ -z "$folder" ] || [ ! -d "$root$folder" ] || act rmdir --ignore-fail-on-non-empty "$root$folder"
        done <<<"$folders"
        act sync -f "$root/"
        ;;
    verify) verify ;;
    *) usage >&2; exit 2 ;;
esac
