#!/usr/bin/env bash
# Starts a simulated car on free ports and lets a real browser drive it (drive.mjs), and take releases away (held.mjs);
# then the system's Firefox reaches and drives it (firefox.mjs).
#
# usage: drive.sh PATH-TO-SPIDERCAR    Needs: chromium, firefox-esr, Xvfb, openbox, xdotool, node, `npm ci` in this folder. Changes: nothing that stays.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
binary=$1
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
"$binary" run --set "sim.actuator_log=$folder/actuators.jsonl" --set local.port=0 --set local.tls_port=0 \
    --set camera.width=640 --set camera.height=360 >"$folder/out" 2>"$folder/log" &
car=$!
finish() {
    kill "$car" 2>/dev/null || true
    wait "$car" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT
for _ in $(seq 200); do
    grep -q http "$folder/out" && break
    kill -0 "$car" 2>/dev/null || { cat "$folder/log"; exit 1; }
    sleep 0.05
done
url=$(sed -n 's/.*\(http:[^?]*\).*/\1/p' "$folder/out")
export BASE_URL=${url%/} ACTUATOR_LOG=$folder/actuators.jsonl
ADDRESS=$(sed -n 's/.*\(http:.*\)/\1/p' "$folder/out")
export ADDRESS
{ node "$here/drive.mjs" && node "$here/held.mjs" chromium && node "$here/firefox.mjs"; } || { cat "$folder/log"; exit 1; }
