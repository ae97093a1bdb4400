#!/usr/bin/env bash
# Signs the programs for a car, so that deploy.sh --signed-by, and a car that got that key, take just these.
#
# usage: sign.sh FOLDER-OR-PROGRAM KEY-FILE
#        sign.sh --try KEY-FILE       says whether that key can sign; signs nothing
#   FOLDER-OR-PROGRAM   the folder that scripts/build-pi.sh named, or the program in it. What lies beside it and is sent with it
#                       is signed, too
#   KEY-FILE            a private key of ssh-keygen -t ed25519, whose passphrase is asked for at the terminal; or the .pub of one
#                       that ssh-agent has
#
#   spidercar, spidercar-csi, NOTICES.txt, ... ─▶ SHA256SUMS ─ ssh-keygen -Y sign ─▶ SHA256SUMS.sig
#
# Which files, and who checks them: deploy/signed.sh. By hand, with the lines of the car's /usr/local/lib/spidercar/signers:
#   ssh-keygen -Y verify -f signers -I spidercar -n spidercar-program -s SHA256SUMS.sig <SHA256SUMS && sha256sum -c SHA256SUMS
#
# Runs where: anywhere with bash, coreutils and OpenSSH. Needs: no network; the key is read by ssh-keygen alone.
# Changes:    SHA256SUMS and SHA256SUMS.sig in that folder. Safe to run twice.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
top=$(cd "$(dirname "$0")/.." && pwd)

usage() { sed -n '2,18s/^# \{0,1\}//p' "$0"; }
fail() {
    echo "sign: $*" >&2
    exit 1
}
case "${1:-}" in
    -h | --help) usage; exit 0 ;;
esac
[ $# = 2 ] || { usage >&2; exit 2; }
# shellcheck source-path=SCRIPTDIR source=deploy/signed.sh
. "$top/scripts/deploy/signed.sh"

# Whether ssh-agent has the private key of a public one.
agent_has() {
    local type text rest
    read -r type text rest <"$1"
    ssh-add -L 2>/dev/null | grep -F "$type $text" >/dev/null
}
# Says why a key cannot sign; sets key to the file that ssh-keygen wants.
try_key() {
    local kind said=$1
    key=$1
    has_keygen >&2 || exit 1
    [ -e "$key" ] || fail "$key: there is no such key; ssh-keygen -t ed25519 -f $key makes one"
    { [ -f "$key" ] && [ -r "$key" ]; } || fail "$key: this file cannot be read"
    if ! grep -q 'PRIVATE KEY' "$key"; then
        ssh-keygen -l -f "$key" >/dev/null 2>&1 || fail "$key: this is no SSH key; ssh-keygen -t ed25519 makes one"
        if ! agent_has "$key"; then
            { [ "${key%.pub}" != "$key" ] && [ -f "${key%.pub}" ]; } ||
                fail "$key: this is a public key, and ssh-agent does not have the private one: ssh-add it, or name the file of the private one"
            key=${key%.pub}
        fi
    fi
    kind=$(ssh-keygen -l -f "$key" 2>/dev/null) || kind=
    if grep -q 'PRIVATE KEY' "$key"; then
        [ $((8#$(stat -L -c %a "$key") & 8#077)) = 0 ] ||
            fail "$key: others may read this key: chmod 600 $key, and take a new one if somebody else uses this computer"
        # One that is protected is asked for by ssh-keygen, which wants somebody there.
        if ! ssh-keygen -y -P '' -f "$key" >/dev/null 2>&1 </dev/null && ! { [ -f "$key.pub" ] && agent_has "$key.pub"; }; then
            [ -n "$kind" ] || fail "$key: this is no key that ssh-keygen understands"
            { : </dev/tty; } 2>/dev/null || [ -n "${SSH_ASKPASS:-}" ] ||
                fail "$key: a passphrase protects this key, and here is no terminal to ask for it: give it to ssh-agent (ssh-add $key), and say $key.pub"
        fi
    fi
    case $kind in
        *"(ED25519)" | *"(ED25519-SK)") ;;
        *) fail "$said: an ed25519 key is wanted (ssh-keygen -t ed25519), and this one is ${kind##* }" ;;
    esac
}
try_key "$2"
[ "$1" != --try ] || exit 0

program=$1
[ ! -d "$program" ] || program=$program/spidercar
[ -f "$program" ] || fail "$program: there is no such program; scripts/build-pi.sh makes one"
list=$(dirname "$program")/SHA256SUMS
new=$(mktemp -d "$list.new-XXXXXX") || fail "nothing can be written beside $program: copy it to a folder of yours"
trap 'rm -rf "$new"' EXIT
signed=()
for name in "${signed_names[@]}"; do
    file=$(beside_program "$program" "$name")
    [ -e "$file" ] || continue
    printf '%s  %s\n' "$(sum "$file")" "$name" >>"$new/list"
    signed+=("$name")
done
ssh-keygen -q -Y sign -f "$key" -n "$signature_namespace" <"$new/list" >"$new/list.sig" ||
    fail "$key: nothing was signed; the lines above say why"
by=$(ssh-keygen -Y check-novalidate -n "$signature_namespace" -s "$new/list.sig" <"$new/list") ||
    fail "$key: ssh-keygen does not take its own signature"
chmod 644 "$new/list" "$new/list.sig"
# Whoever reads them in between gets a list and a signature that do not fit, and is refused.
mv -T "$new/list" "$list"
mv -T "$new/list.sig" "$list.sig"
echo "sign: $list.sig: ${signed[*]}, by ${by##* }" >&2
