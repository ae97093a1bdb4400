#!/usr/bin/env bash
# shellcheck disable=SC2154  # variables of provision.sh
# The record of what was installed: a line for each thing, read by its pattern, for uninstall deletes what it says.
#
#   file SHA256 PATH     a file that is ours with that content     aside PATH       what was there before is in aside/PATH
#   folder PATH          a folder that was made for a file         link PATH        a link that was made
#   user FILE LINE       a line that was added to /etc/FILE        state WORD       begun, complete, leaving
#   cmdline WORD         a word that was put into cmdline.txt      cmdline-was WORD what it took the place of
#   unsigned SHA256         a program that the car took without the signature that it wants (deploy.sh --unsigned)
#
# It lies on the card, so anybody may have written it. A line that does not match its whole pattern is ignored, and inside.sh
# resolves the paths of the others.
# Sourced by provision.sh.
set -Eeuo pipefail

# Parts of letters that our files and those of systemd have; never "." or "..".
path_pattern='(/[A-Za-z0-9@_:+-][A-Za-z0-9@_:+.-]*|/\.[A-Za-z0-9@_:+-][A-Za-z0-9@_:+.-]*)+'
declare -A record_pattern=(
    [file]="[0-9a-f]{64} $path_pattern"
    [folder]=$path_pattern
    [aside]=$path_pattern
    [link]=$path_pattern
    [user]='(passwd|group|shadow|gshadow) [a-z_][a-z0-9_-]{0,31}:[ -~]*'
    [cmdline]='[!-~]+'
    [cmdline-was]='[!-~]+'
    [unsigned]='[0-9a-f]{64}'
    [state]='[a-z]+'
)

# Where it lies. A link there is not ours.
find_record() {
    inside "$home/record"
    record=$there
    if [ -L "$record" ] || { [ -e "$record" ] && ! is_file "$home/record"; }; then
        say "refused: $home/record is no file: somebody else made it; delete it"
        exit 1
    fi
}
# The rest of each line of a kind.
recorded() {
    local LC_ALL=C line
    [ -e "$record" ] || return 0
    while IFS= read -r line || [ -n "$line" ]; do
        if [[ $line =~ ^"$1 "(${record_pattern[$1]})$ ]]; then
            printf '%s\n' "${BASH_REMATCH[1]}"
        fi
    done <"$record"
}
# Programs that are started take the time of an upgrade; the shell looks by itself where it can.
is_recorded() { [ -e "$record" ] && [[ $'\n'$(<"$record")$'\n' == *$'\n'"$1"$'\n'* ]]; }
remember() {
    [ -z "$dry" ] || return 0
    is_recorded "$*" || printf '%s\n' "$*" >>"$record"
}
# Forgets a file, and what was there before it.
forget() {
    [ -z "$dry" ] || return 0
    LC_ALL=C awk -v path="$1" '!($1 == "file" && $3 == path || $1 == "aside" && $2 == path)' "$record" | put 644 0:0 "$home/record"
}
state() {
    [ -z "$dry" ] || return 0
    { grep -av '^state ' "$record" 2>/dev/null || true; echo "state $1"; } | put 644 0:0 "$home/record"
}
