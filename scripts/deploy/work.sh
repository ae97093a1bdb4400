#!/usr/bin/env bash
# shellcheck disable=SC2154  # variables of deploy.sh
# The folder where deploy.sh puts secrets together: for its user alone, in memory, and gone with the process.
#
#   a card:  a tmpfs in this process's own mount namespace; the kernel frees it however the process ends
#   --host:  no namespace, because any user may run it: /dev/shm where there is one. After a kill the next run deletes it, or
#            the end of the computer's power. A run holds a lock on its folder, so that no other run deletes it
#
# Sourced by deploy.sh, which has fail().
set -Eeuo pipefail

# Deletes what killed runs left in a folder.
sweep() {
    local old
    for old in "$1"/spidercar-work.??????; do
        { [ -d "$old" ] && [ ! -L "$old" ] && [ -O "$old" ]; } || continue
        flock --nonblock "$old" rm -rf --one-file-system "$old" || true # another run is in it
    done
}

# Sets work and payload, and lets temporary files of other tools lie there, too.
make_work() {
    local base=${TMPDIR:-/tmp}
    umask 077
    if [ -n "$host" ] && [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ] && [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
        base=/dev/shm
    fi
    sweep "$base"
    work=$(mktemp -d "$base/spidercar-work.XXXXXX") || fail "no folder for temporary files can be made: is the disk of $base full?"
    { exec 9<"$work" && flock --nonblock 9; } || fail "$work is taken by another run: try again"
    [ -n "$host" ] || mount -t tmpfs -o mode=700 none "$work" || fail "no file system in memory can be mounted at $work"
    payload=$work/payload
    mkdir "$payload"
    export TMPDIR=$work
}

# Unmounts and deletes it.
leave_work() {
    [ -n "${work:-}" ] || return 0
    ! mountpoint -q "$work/root" || umount "$work/root"
    ! mountpoint -q "$work" || umount "$work"
    rm -rf --one-file-system "$work"
}
