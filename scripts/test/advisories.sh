#!/usr/bin/env bash
# Looks for known faults in other projects' crates, in the snapshot of RustSec's database that this project carries.
#
# usage: advisories.sh CARGO-DENY LOCKED-FOLDER...   a folder holds a Cargo.toml with its Cargo.lock
#        advisories.sh --renew CLONE                 makes the snapshot anew from a clone of the advisory database
# Runs where: any Linux, offline. Needs: git, tar, xz.
# Changes:    ${SPIDERCAR_CACHE:-~/.cache/spidercar}/advisories; --renew: .cargo/advisories.tar.xz. What is ignored, and why, is
#             in .cargo/deny.toml.
# Prints the date of the snapshot: what became known later it cannot know. Exit code 0, or 1 if there is a fault.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
top=$(cd "$(dirname "$0")/../.." && pwd)
snapshot=$top/.cargo/advisories.tar.xz
case "${1:-}" in
    "" | -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ] || exit 2; exit 0 ;;
    --renew)
        clone=${2:?--renew wants a clone of the advisory database}
        git -C "$clone" archive --format=tar HEAD crates LICENSE.txt LICENSES | xz -9e >"$snapshot.new"
        mv "$snapshot.new" "$snapshot"
        git -C "$clone" log -1 --format='advisories.sh: the snapshot is of %cs, commit %H' HEAD
        exit
        ;;
esac
deny=$1
shift
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}/advisories
mkdir -p "$cache"
address=https://advisories.invalid/database
work=$(mktemp -d "$cache/work-XXXXXX")
trap 'rm -rf "$work"' EXIT
# cargo-deny reads nothing but a git repository, which it clones from an address with a domain; git is told where that is.
# Files have the time of the commit that they were taken from.
mkdir "$work/database"
tar -xf "$snapshot" -C "$work/database"
taken=$(TZ=UTC tar -tvf "$snapshot" --full-time | awk 'NR == 1 { print $4 }')
git -C "$work/database" init --quiet --initial-branch main
git -C "$work/database" add --all
git -C "$work/database" -c user.name=snapshot -c user.email=snapshot@invalid commit --quiet --message "$taken"
echo "advisories: as known on $taken, $(find "$work/database/crates" -name 'RUSTSEC-*.md' | wc -l) of them"
{
    cat "$top/.cargo/deny.toml"
    # How old it may be is for who reads the line above.
    printf 'db-path = "%s"\ndb-urls = ["%s"]\nmaximum-db-staleness = "P100Y"\n' "$work/clones" "$address"
} >"$work/deny.toml"
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$work/database.insteadOf" GIT_CONFIG_VALUE_0=$address
for folder in "$@"; do
    "$deny" --manifest-path "$folder/Cargo.toml" --locked --all-features --config "$work/deny.toml" check advisories
done
