#!/usr/bin/env bash
# shellcheck disable=SC2154,SC2034  # variables of inside.sh
# What kind of system a root has, in lines NAME=VALUE, which foreign.sh reads. What a card says is read, not run.
#
#   { inside.sh, facts.sh } ─▶ bash -s -- ROOT      ROOT: a folder where a card is mounted, or / on the board itself
#
# Runs where: anywhere with bash and coreutils; on a car before anything of ours is there, hence by its standard input.
# Changes nothing.
set -Eeuo pipefail
root=${1%/}

yes_if() { if "$@"; then echo yes; else echo no; fi; }
# The first match of a pattern in a file.
found() {
    is_file "$1" || return 0
    LC_ALL=C sed -n "$2" "$there" | awk 'NR == 1'
}
has_line() { is_file "$1" && LC_ALL=C grep -qE "$2" "$there"; }
is_folder() { inside "$1" follow && [ -d "$there" ]; }
# A key of root, or a user with a password: field 2 of shadow is neither empty, nor * nor locked.
has_login() { { is_file /root/.ssh/authorized_keys && [ -s "$there" ]; } || has_line /etc/shadow '^[^:]+:\$'; }
# A maker writes TOML as he likes.
csi_line='^[[:space:]]*(camera[[:space:]]*\.[[:space:]]*)?source[[:space:]]*=[[:space:]]*["'"'"']libcamera["'"'"']'

echo "codename=$(found /etc/os-release 's/^VERSION_CODENAME="\{0,1\}\([a-z]*\).*/\1/p')"
echo "is_arm64=$(yes_if exists /lib/ld-linux-aarch64.so.1)"
echo "is_raspberry_pi_os=$(yes_if exists /etc/rpi-issue)"
echo "has_network_manager=$(yes_if exists /usr/sbin/NetworkManager)"
echo "is_ours=$(yes_if exists /usr/local/lib/spidercar/record)"
echo "has_signers=$(yes_if is_there /usr/local/lib/spidercar/signers)"
echo "image_date=$(found /etc/rpi-issue '1s/.*\([0-9]\{4\}-[0-9][0-9]-[0-9][0-9]\).*/\1/p')"
echo "has_cloud_init=$(yes_if is_folder /etc/cloud)"
echo "has_login=$(yes_if has_login)"
echo "has_csi_camera=$(yes_if has_line /etc/spidercar/spidercar.toml "$csi_line")"
