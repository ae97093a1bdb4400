#!/usr/bin/env bash
# Lets a WebRTC stack that shares no code with ours (aiortc) play the old car, the driver and the Spider.
#
# usage: run.sh PATH-TO-SPIDERCAR [FILE [SCENARIO...]]    without FILE: every test_*.py, with all its scenarios
#        run.sh --python    only makes the environment of the newest stack and prints its Python
# Runs where: any Linux with Python 3.11 or newer. Servers bind loopback; what is started is ended.
# Needs:      the pinned packages of requirements*.txt from the Python package index, the first time.
# Changes:    environments under ${SPIDERCAR_CACHE:-~/.cache/spidercar}, named by what made them.
# Prints a line a check. Ends with 1 if one failed or a file did not come to its end.
set -Eeuo pipefail
shopt -s inherit_errexit # an environment that was made by half is none
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
case "${1:-}" in
    "" | -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; [ $# -gt 0 ] || exit 2; exit 0 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
cache=${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}

# Prints the Python of the environment that a requirements file describes, and makes it if it is not there.
environment() {
    local requirements=$1 key folder
    key=$({ python3 -VV; cat "$requirements"; } | sha256sum | cut -c 1-12)
    folder=$cache/python-$key
    if [ ! -e "$folder/complete" ]; then
        rm -rf "$folder"
        python3 -m venv "$folder" >&2
        # Each file names all that it needs. The old stack asks for a PyAV that a newer Python has no build of.
        "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements" >&2
        touch "$folder/complete"
    fi
    echo "$folder/bin/python"
}

new=$(environment "$here/requirements.txt")
if [ "$1" = --python ]; then
    echo "$new"
    exit
fi
SPIDERCAR_BIN=$(realpath "$1")
export SPIDERCAR_BIN PYTHONDONTWRITEBYTECODE=1
old=$(environment "$here/requirements-legacy.txt")

# One log for all files, so that the lines can be counted.
report=$(mktemp)
trap 'rm -f "$report"' EXIT
broken=0
run() {
    local python=$1 file=$2
    shift 2
    echo "-- $(basename "$file")"
    "$python" "$file" "$@" | tee -a "$report" || broken=$((broken + 1))
    [ "$(tail -n 1 "$report")" = "end of file" ] || { echo "FAILED  $(basename "$file") did not come to its end"; broken=$((broken + 1)); }
}

python_of() { case $1 in *legacy*) echo "$old" ;; *) echo "$new" ;; esac; }
if [ $# -ge 2 ]; then
    file=$here/$(basename "$2")
    run "$(python_of "$file")" "$file" "${@:3}"
else
    for file in "$here"/test_*.py; do run "$(python_of "$file")" "$file"; done
fi
ok=$(grep -c '^ok ' "$report" || true)
failed=$(grep -c '^FAILED ' "$report" || true)
echo "$ok checks ok, $failed failed"
[ "$broken" = 0 ] && [ "$failed" = 0 ] && [ "$ok" -gt 0 ]
