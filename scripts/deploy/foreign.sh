#!/usr/bin/env bash
# shellcheck disable=SC2154  # variables of deploy.sh
# What a car or a card says: read by fixed names and patterns, in small amounts, and shown without what moves a terminal.
#
#   stdin, any bytes ─ little ─ a table of names and patterns ─▶ variables of deploy.sh
#                    ─ printable ─────────────────────────────▶ the terminal
#
# A hostile car answers with what it likes, for as long as it likes. Names of variables come from the table only, and a value
# that does not match its whole pattern is dropped.
# Sourced by deploy.sh, which has fail().
set -Eeuo pipefail

# Printable ASCII and line ends stay; every other byte becomes "?": our own words there are ASCII, and escape sequences are
# not told apart from letters in every terminal's encoding.
printable() { LC_ALL=C tr -c '\t\n\040-\176' '?'; }
# The beginning of what is said. choice: ten times what a whole upgrade says.
little() { head -c 200000; }

# A fact of facts.sh, and what its value may be.
fact_table='codename [a-z]{1,30}
image_date [0-9]{4}-[0-9]{2}-[0-9]{2}
is_arm64 yes|no
is_raspberry_pi_os yes|no
has_network_manager yes|no
is_ours yes|no
has_signers yes|no
has_cloud_init yes|no
has_login yes|no
has_csi_camera yes|no'

# Sets a variable for each fact, empty where it was not said well. stdin: lines NAME=VALUE.
read_facts() {
    local LC_ALL=C text name pattern line
    text=$(little | printable)
    while read -r name pattern; do
        printf -v "$name" '%s' ''
        while IFS= read -r line; do
            if [[ $line =~ ^$name=($pattern)$ ]]; then
                printf -v "$name" '%s' "${BASH_REMATCH[1]}"
            fi
        done <<<"$text"
    done <<<"$fact_table"
}

# The facts of a mounted card.
facts_of_card() { cat "$top/scripts/deploy/inside.sh" "$top/scripts/deploy/facts.sh" | bash -s -- "$1"; }

# Says why a system is none for this program. WHERE is what it is called.
check_system() {
    [ "$is_arm64" = yes ] || fail "$1 has a 32-bit system; take the 64-bit Raspberry Pi OS Lite"
    [ "$codename" = trixie ] || fail "$1 has Debian ${codename:-of no name}; this program is built for trixie: take the newest Raspberry Pi OS Lite (64-bit)"
}
