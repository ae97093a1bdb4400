#!/usr/bin/env bash
# shellcheck disable=SC2154  # variables of provision.sh
# Signatures of programs: which files they cover, whose they may be, and whether what is sent is what was signed.
#
#   SHA256SUMS      lines "SUM  NAME", one for each file of signed_names that lies beside the program (sign.sh)
#   SHA256SUMS.sig  the signature of that list by ssh-keygen -Y sign, for the namespace spidercar-program
#   signers         who may sign, as ssh-keygen(1) has it under ALLOWED SIGNERS; on a car it is root's (--signed-by)
#
#   deploy.sh     programs beside the list ─ by the keys of --signed-by? ───────────────▶ all else, or a sentence
#   provision.sh  what was sent ─ by the signers that came with it, or else the car's? ─▶ installed, or a sentence
#
# It protects from programs that were changed or mixed up between their build and the card. It does not protect a car from the
# computer that deploys: it is root there, and sends this very file. An old program with its own signature is a good one.
# Lists and signatures are data of strangers: of bounded length, seen by ssh-keygen before anything here reads them, and their
# names are compared with ours. No path in them is opened.
#
# Sourced by deploy.sh, sign.sh and provision.sh; the end is for the last. Needs: ssh-keygen, once a signature is to be checked.
set -Eeuo pipefail

signature_namespace=spidercar-program
# Names in a list: those on the car, whatever the program's file is called here. The last two are only read, not installed.
signed_names=(spidercar spidercar-csi NOTICES.txt sbom.cdx.json spidercar.needs spidercar-csi.needs)
# choice: twenty times what a list or a signature has; and more keys than a workshop has people.
list_limit=10000 signers_limit=20000 keys_limit=50
# Keys that ssh-keygen -t ed25519 and ed25519-sk make.
key_pattern='(ssh-ed25519|sk-ssh-ed25519@openssh[.]com) [A-Za-z0-9+/]{60,400}={0,2}'

# Where a file of signed_names lies: beside a program on this computer, and in a payload. WHERE, NAME.
beside_program() {
    case $2 in
        spidercar*) echo "$1${2#spidercar}" ;;
        *) echo "$(dirname "$1")/$2" ;;
    esac
}
in_payload() {
    case $2 in
        spidercar) echo "$1/root/usr/local/bin/spidercar" ;;
        spidercar.needs) echo "$1/needs" ;;
        spidercar-csi.needs) echo "$1/needs-csi" ;;
        *) echo "$1/root/usr/local/lib/spidercar/$2" ;;
    esac
}

sum() {
    local text
    text=$(sha256sum <"$1")
    echo "${text%% *}"
}
has_keygen() {
    [ -x "$(type -P ssh-keygen || true)" ] ||
        { echo "there is no ssh-keygen to check signatures with: install it (Debian: the package openssh-client)"; return 1; }
}
is_small() { [ "$(stat -L -c %s "$1")" -le "$2" ]; }

# Prints the lines of signers for a public key's file or an allowed_signers file. Otherwise a sentence, and code 1.
signers_of() {
    local LC_ALL=C line public number=0 lines=()
    [ -f "$1" ] || { echo "there is no such file: the one with a public key (.pub), or with allowed signers, is wanted"; return 1; }
    is_small "$1" $signers_limit || { echo "this is too long for a list of keys"; return 1; }
    ! grep -q 'PRIVATE KEY' "$1" || { echo "this is a private key, which stays with you; the public one is $1.pub"; return 1; }
    has_keygen || return 1
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        line=${line%$'\r'}
        ! [[ $line =~ ^[[:space:]]*(#|$) ]] || continue
        if [[ $line =~ ^($key_pattern)([[:space:]]|$) ]]; then
            public=${BASH_REMATCH[1]}
        elif [[ $line =~ ^[^[:space:]\"]+[[:space:]]+(namespaces=\"([^\"]*)\"[[:space:]]+)?($key_pattern)([[:space:]]|$) ]]; then
            public=${BASH_REMATCH[3]}
            # One that may sign other things only.
            [ -z "${BASH_REMATCH[1]}" ] || [[ ",${BASH_REMATCH[2]}," == *",$signature_namespace,"* ]] || continue
        else
            echo "line $number is no ed25519 key (ssh-keygen -t ed25519 makes one), or has an option other than namespaces"
            return 1
        fi
        ssh-keygen -l -f - <<<"$public" >/dev/null 2>&1 || { echo "line $number is no public SSH key"; return 1; }
        lines+=("spidercar namespaces=\"$signature_namespace\" $public")
    done <"$1"
    [ "${#lines[@]}" -gt 0 ] || { echo "there is no key in it that may sign programs"; return 1; }
    [ "${#lines[@]}" -le $keys_limit ] || { echo "these are more than $keys_limit keys"; return 1; }
    printf '%s\n' "${lines[@]}"
}

# The lines of a signers file that are as signers_of writes them; fails if there is none.
signers_in() { LC_ALL=C grep -aE -m $keys_limit "^spidercar namespaces=\"$signature_namespace\" $key_pattern\$" "$1"; }

# Says in a sentence why a signature is none of theirs. LIST; what ssh-keygen said of it.
whose_signature() {
    local said
    case $2 in
        *namespace*) echo "the signature is for another use than programs of a car: sign them with scripts/sign.sh"; return ;;
    esac
    said=$(ssh-keygen -Y check-novalidate -n $signature_namespace -s "$1.sig" <"$1" 2>/dev/null) || true
    if [[ $said =~ (SHA256:[A-Za-z0-9+/]{43}) ]]; then
        echo "the signature is of a key that may not sign here (${BASH_REMATCH[1]})"
    else
        echo "SHA256SUMS.sig is no signature of SHA256SUMS, for one of them was changed: sign the programs again, with scripts/sign.sh"
    fi
}

# Whether all files that are there are what one of these keys signed; otherwise a sentence, and code 1.
# SIGNERS (lines), LIST, and the function that says where the files are, with its first argument.
check_signed() {
    local LC_ALL=C signers=$1 list=$2 where=$3 of=$4 said name file line number=0
    local -A sums=()
    has_keygen || return 1
    for file in "$list" "$list.sig"; do
        [ -f "$file" ] || { echo "nobody signed them (there is no ${file##*/} beside them): scripts/sign.sh does"; return 1; }
        is_small "$file" $list_limit || { echo "${file##*/} is too long to be of scripts/sign.sh"; return 1; }
    done
    said=$(ssh-keygen -Y verify -f <(printf '%s\n' "$signers") -I spidercar -n $signature_namespace -s "$list.sig" <"$list" 2>&1) ||
        { whose_signature "$list" "$said"; return 1; }
    while IFS= read -r line || [ -n "$line" ]; do
        number=$((number + 1))
        name=${line:66}
        if ! [[ $line =~ ^[0-9a-f]{64}\ \ [A-Za-z.-]+$ && " ${signed_names[*]} " == *" $name "* && -z ${sums[$name]:-} ]]; then
            echo "line $number of SHA256SUMS is none that scripts/sign.sh writes"
            return 1
        fi
        sums[$name]=${line::64}
    done <"$list"
    for name in "${signed_names[@]}"; do
        file=$("$where" "$of" "$name")
        if [ ! -e "$file" ] && [ ! -L "$file" ]; then
            [ "$name" != spidercar ] || { echo "there is no program"; return 1; }
            continue
        fi
        [ -n "${sums[$name]:-}" ] || { echo "SHA256SUMS does not name $name, which is sent: sign it again, with scripts/sign.sh"; return 1; }
        { [ -f "$file" ] && [ "$(sum "$file")" = "${sums[$name]}" ]; } ||
            { echo "$name is not what was signed: it was changed or built since then. If it is yours, sign it again, with scripts/sign.sh"; return 1; }
    done
}

# --- for provision.sh ---
# Says why ROOT does not take what was sent. New signers are judged by nobody: who sends them is root there.
check_programs() {
    local file=/dev/null signers why
    if [ -e "$payload/unsigned" ]; then
        return 0
    elif [ -e "$payload/root$home/signers" ]; then
        file=$payload/root$home/signers
    elif ! is_there "$home/signers"; then
        return 0
    elif is_plain "$home/signers" && is_file "$home/signers"; then
        file=$there
    fi
    signers=$(signers_in "$file") ||
        { say "refused: this car takes signed programs only, and $home/signers has no key: --signed-by PUBLIC-KEY-FILE puts one there"; return 1; }
    why=$(check_signed "$signers" "$payload/SHA256SUMS" in_payload "$payload") ||
        { say "refused: this car takes signed programs only: $why; --unsigned takes them without, this once"; return 1; }
}
note_unsigned() {
    { [ -e "$payload/unsigned" ] && is_there "$home/signers"; } || return 0
    say "unsigned /usr/local/bin/spidercar: this car wants a signature, and --unsigned said to do without this time"
    remember unsigned "$(sum "$payload/root/usr/local/bin/spidercar")"
}
