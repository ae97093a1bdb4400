#!/usr/bin/env bash
# Puts a Pi's files where rppal looks for them and runs a program there, in a mount namespace of its own.
#
# Runs where: any Linux, as root. Called by tests/pi_files_e2e.rs.
# Needs:      unshare, setpriv (util-linux); ROOT with firmware/, class/, dev/ and etc/ as the test made them.
# Changes:    nothing outside the namespace; what the program writes can be read below ROOT meanwhile.
# usage: enter.sh ROOT PROGRAM [ARGUMENT...]     SHIM=FILE: LD_PRELOAD for the program alone
#        AS="UID GID GROUP,GROUP UMASK": the program is this user's; root's otherwise
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    -h | --help | "") sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
if [ "${ENTERED:-}" != 1 ]; then
    ENTERED=1 exec unshare --mount --propagation private "$0" "$@"
fi
root=$1
shift
cp -a /dev/null /dev/zero /dev/full /dev/urandom /dev/random "$root/dev/"
mount --bind "$root/firmware" /sys/firmware
mount --bind "$root/class" /sys/class
mount --bind "$root/dev" /dev
for file in passwd group; do mount --bind "$root/etc/$file" "/etc/$file"; done
# The build's folder may be closed to other users.
mkdir -p "$root/bin" && touch "$root/bin/spidercar"
mount --bind "$1" "$root/bin/spidercar"
shift
unset ENTERED
if [ -z "${AS:-}" ]; then
    LD_PRELOAD=${SHIM:-} exec "$root/bin/spidercar" "$@"
fi
read -r uid gid groups mask <<<"$AS"
umask "$mask"
exec setpriv --reuid "$uid" --regid "$gid" --groups "$groups" --no-new-privs \
    env -u AS LD_PRELOAD="${SHIM:-}" "$root/bin/spidercar" "$@"
