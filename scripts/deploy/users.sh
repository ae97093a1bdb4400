#!/usr/bin/env bash
# shellcheck disable=SC2154  # variables of provision.sh
# The user that the car runs as, and the groups of its devices: added by systemd-sysusers, and exactly those lines taken out.
#
#   a card:     /etc/passwd, group, shadow, gshadow ─ copies ─ systemd-sysusers --root=COPIES ─ those that changed are put back
#   the board:  systemd-sysusers itself, with its lock
#
# systemd-sysusers opens ROOT/etc/passwd as it is, be it a link to this machine's own; so it never sees a card.
# Sourced by provision.sh. Needs: mktemp's folder ($TMPDIR) on this machine, for root alone: shadow is copied there.
set -Eeuo pipefail
user_files=(passwd group shadow gshadow)

# "UID:GID" of a user; names are those of ROOT, not of this machine. Nothing if there is no such user.
owner() {
    local name rest user group
    [ "$1" != root ] || { echo 0:0; return; }
    is_file /etc/passwd || return 0
    while IFS=: read -r name rest user group rest; do
        if [ "$name" = "$1" ] && [[ $user:$group =~ ^[0-9]{1,10}:[0-9]{1,10}$ ]]; then
            echo "$user:$group"
            return
        fi
    done <"$there"
}

# A file of users: no link, no pipe. It is $there.
user_file() { { is_plain "/etc/$1" && is_file "/etc/$1"; } || { say "refused: /etc/$1 is no file of this system"; exit 1; }; }
# Replaces one, with its rights: stdin, FILE.
put_user_file() {
    user_file "$1"
    put "$(stat -c %a "$there")" "$(stat -c %u:%g "$there")" "/etc/$1"
}

sysusers() { systemd-sysusers "$@" - <"$payload/root/etc/sysusers.d/spidercar.conf" 2>/dev/null; }
add_on_board() {
    local file before=$1 locked=1
    [ -e /etc/.pwd.lock ] || locked=
    for file in "${user_files[@]}"; do
        # The copies that tools like this one make of what was before them: not ours to change.
        [ ! -e "/etc/$file-" ] || cp -a "/etc/$file-" "$before"
    done
    sysusers
    for file in "${user_files[@]}"; do
        rm -f "/etc/$file-"
        [ ! -e "$before/$file-" ] || cp -a "$before/$file-" /etc
    done
    [ -n "$locked" ] || rm -f /etc/.pwd.lock
}
add_on_card() {
    local file before=$1
    mkdir -p "$before/root/etc"
    for file in "${user_files[@]}"; do
        cp "$before/$file" "$before/root/etc"
    done
    # It says which numbers are for users of the system.
    ! is_file /etc/login.defs || cp "$there" "$before/root/etc"
    sysusers --root="$before/root"
    for file in "${user_files[@]}"; do
        cmp -s "$before/$file" "$before/root/etc/$file" || put_user_file "$file" <"$before/root/etc/$file"
    done
}
add_users() {
    local before file line
    for file in "${user_files[@]}"; do
        user_file "$file"
    done
    inside /etc/passwd
    if grep -q '^spidercar:' "$there" && ! missing_groups; then
        return
    fi
    say "user     spidercar, and the groups of its devices"
    [ -z "$dry" ] || return 0
    before=$(mktemp -d)
    for file in "${user_files[@]}"; do
        user_file "$file"
        cp "$there" "$before/$file"
    done
    if [ -n "$root" ]; then add_on_card "$before"; else add_on_board "$before"; fi
    for file in "${user_files[@]}"; do
        user_file "$file"
        while read -r line; do
            remember user "$file" "$line"
        done < <(grep -avxF -f "$before/$file" "$there" || true)
    done
    rm -r "$before"
}
missing_groups() {
    local name
    inside /etc/group
    while read -r name; do
        grep -q "^$name:" "$there" || return 0
    done < <(awk '$1 == "g" || $1 == "u" { print $2 }' "$payload/root/etc/sysusers.d/spidercar.conf")
    return 1
}
remove_users() {
    local file line name
    while read -r file line; do
        name=${line%%:*}
        say "user     out of $file: $name"
        user_file "$file"
        [ -n "$dry" ] || awk -F : -v name="$name" '$1 != name' "$there" | put_user_file "$file"
    done < <(recorded user)
}
