#!/usr/bin/env bash
# Makes a repository that holds what is tried of a checkout: a commit, or the newest one and what is changed since.
#
# What is neither committed nor staged under a name of its own is not there. The checkout may be somebody else's
# (`sudo scripts/test.sh`): git is told so, and nothing is written into it, which its owner could not change any more.
# Its files may have been copied or touched since git last looked at them, and its history may be cut (CI).
#
# usage: repository.sh CHECKOUT REPOSITORY [COMMIT]    REPOSITORY: a folder that is not there yet; its branch is main
# Needs: git. Changes: REPOSITORY, and REPOSITORY.index while it runs.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    -h | --help | '') sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
checkout=$1 repository=$2 commit=${3:-}
trap 'rm -f "$repository.index"' EXIT

ours() { git -c safe.directory='*' -C "$checkout" "$@"; }
git init --quiet --bare "$repository"
repository=$(cd "$repository" && pwd)
objects=$(ours rev-parse --path-format=absolute --git-path objects)
cp "$(ours rev-parse --path-format=absolute --git-path index)" "$repository.index"
export GIT_INDEX_FILE=$repository.index GIT_OBJECT_DIRECTORY=$repository/objects GIT_ALTERNATE_OBJECT_DIRECTORIES=$objects
if [ -z "$commit" ]; then
    # `stash create` fails without a word if a file's time says that it changed, and its content does not.
    ours update-index -q --refresh || true # 1: something is changed
    commit=$(ours stash create)
    [ -n "$commit" ] || commit=HEAD
fi
commit=$(ours rev-parse "$commit^{commit}")
git -C "$repository" config receive.shallowUpdate true
ours push --quiet "$repository" "$commit:refs/heads/main"
unset GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
git -C "$repository" symbolic-ref HEAD refs/heads/main
