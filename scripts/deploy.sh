#!/usr/bin/env bash
# Puts the car's program onto a card, an image of one, or a running board, so that it starts at power-on.
#
# usage: deploy.sh --image FILE | --device /dev/sdX | --host USER@ADDRESS  [OPTION]...
#   --image FILE        an image of Raspberry Pi OS Lite 64-bit (trixie), or of scripts/image.sh: changed as a whole. One that
#                       is packed (.xz, .gz, .zst, .zip) is unpacked to a new file beside it, which is changed instead
#   --device DEVICE     a card with one of them on it
#   --host USER@ADDR    a running car, over SSH as root or with sudo: refused while it is driven, taken back if the program
#                       does not come up. SPIDERCAR_SSH_OPTIONS: more options for ssh. Where sudo wants a password, it is
#                       asked for at the terminal, or read from --sudo-password-file FILE
#   --board NAME        which car: a folder of board/. Needed the first time; without it, configuration, secrets and boot
#                       lines stay. Who may log in, Wi-Fi and name stay unless they are said again
#   --binary FILE       the program; without it scripts/build-pi.sh makes it. FILE-csi is the one for CSI cameras. NOTICES.txt
#                       and sbom.cdx.json go with it if they are beside it (scripts/notices.py)
#   --signed-by FILE    a public key (.pub), or a file of ssh-keygen's allowed signers: the programs are checked before anything
#                       is done with them, and from then on the car takes only programs that one of these keys signed
#                       (build-pi.sh --sign, sign.sh). FILE takes the place of the keys that the car had
#   --unsigned          a car that wants signatures takes this one program without
#   --url URL, --channel ID         the Spider to publish to, and where
#   --set KEY=VALUE     any other key of the configuration; more than once
#   --secret KEY=FILE   a key that names a file: it goes to /etc/spidercar/secrets, readable for the car alone. A KEY without
#                       a dot is just a name there. More than once
#   --ssh-key FILE      public keys that may log in as root; switches SSH on. Without it nobody can log in to a new card
#   --wifi SSID --wifi-country CC --wifi-password-file FILE | --wifi-open   [--wifi-hidden: the network does not tell its name]
#                       CC: the two letters of the country whose radio rules hold (GB, DE, US). FILE: the password in its
#                       first line, or the 64 hexadecimal digits that Raspberry Pi Imager makes of it
#   --hostname NAME     what the car calls itself in the network
#   --led NAME          show on this LED of /sys/class/leds how the car is (ACT is the board's own)
#   --uninstall         take it all out again; what was there before comes back
#   --dry-run           say what would change, and change nothing
#   --yes               do not ask
#
# Safe to run twice. Killed at any moment, nothing stays mounted, an image is whole (old or new), a card has no car that
# starts half installed, and a further run completes it. What it changes, file by file: README, "Put it on a car".
#
# Runs where: Linux, as root or with sudo (--host: as anybody). Needs: what prepare.sh card installs; for --host: ssh.
# Changes:    what was named, and nothing else on this machine.
set -Eeuo pipefail
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
# Before anything that an older shell would not understand.
[ "$(uname -s)" = Linux ] || {
    echo "deploy: this needs Linux, for it mounts a card's ext4; on macOS or Windows run it in a Linux virtual machine (not a container without --privileged), and write the changed image with Raspberry Pi Imager" >&2
    exit 1
}
top=$(cd "$(dirname "$0")/.." && pwd)

usage() { sed -n '2,39s/^# \{0,1\}//p' "$0"; }
# Whatever a car or a card said is in a sentence: it stays one line, and moves no terminal.
say_it() { printf 'deploy: %s\n' "${*//[[:cntrl:]]/ }" >&2; }
fail() {
    say_it "$*"
    exit 1
}
misuse() {
    say_it "$*; --help says more"
    exit 2
}
# Says which package has a tool, where it is missing.
need_tool() { command -v "$1" >/dev/null 2>&1 || fail "there is no $1 here: install it (Debian: the package $2)"; }
ask() {
    local answer
    [ -z "$yes" ] || return 0
    [ -t 0 ] || fail "$1 Nobody is there to ask: say --yes"
    read -r -p "$1 [y/N] " answer
    [ "$answer" = y ] || fail "nothing was changed"
}

image='' device='' host='' board='' binary='' led='' ssh_key='' host_name='' dry_run='' yes='' what=install
wifi_ssid='' wifi_password_file='' wifi_country='' wifi_open='' wifi_hidden='' sudo_password_file='' signed_by='' unsigned='' signers=''
sets=() secrets=() said=("$@")
# shellcheck disable=SC2034  # some are read by card.sh and host.sh
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --dry-run) dry_run=1 ;;
        --yes) yes=1 ;;
        --uninstall) what=uninstall ;;
        --wifi-open) wifi_open=1 ;;
        --wifi-hidden) wifi_hidden=1 ;;
        --unsigned) unsigned=1 ;;
        --image | --device | --host | --board | --binary | --url | --channel | --set | --secret | --ssh-key | --wifi | --wifi-password-file | --wifi-country | --hostname | --led | --sudo-password-file | --signed-by)
            [ $# -ge 2 ] || misuse "$1 wants a value"
            case $1 in
                --image) image=$2 ;;
                --device) device=$2 ;;
                --host) host=$2 ;;
                --board) board=$2 ;;
                --binary) binary=$2 ;;
                --url) sets+=("spider.url=$2") ;;
                --channel) sets+=("spider.channel=$2") ;;
                --set) sets+=("$2") ;;
                --secret) secrets+=("$2") ;;
                --ssh-key) ssh_key=$2 ;;
                --wifi) wifi_ssid=$2 ;;
                --wifi-password-file) wifi_password_file=$2 ;;
                --wifi-country) wifi_country=$2 ;;
                --hostname) host_name=$2 ;;
                --led) led=$2 ;;
                --sudo-password-file) sudo_password_file=$2 ;;
                --signed-by) signed_by=$2 ;;
            esac
            shift
            ;;
        *) misuse "$1 is unknown" ;;
    esac
    shift
done

# What was said, before anything is done.
case "${image:+i}${device:+d}${host:+h}" in
    i | d | h) ;;
    *) misuse "name one of --image, --device, --host" ;;
esac
# shellcheck source-path=SCRIPTDIR source=deploy/foreign.sh
. "$top/scripts/deploy/foreign.sh"
# shellcheck source-path=SCRIPTDIR source=deploy/inside.sh
. "$top/scripts/deploy/inside.sh"
# shellcheck source-path=SCRIPTDIR source=deploy/image.sh
. "$top/scripts/deploy/image.sh"
# shellcheck source-path=SCRIPTDIR source=deploy/wifi.sh
. "$top/scripts/deploy/wifi.sh"
# shellcheck source-path=SCRIPTDIR source=deploy/signed.sh
. "$top/scripts/deploy/signed.sh"
[ -z "$image" ] || check_image_file
[ -z "$board" ] || [ -f "$top/board/$board/boot-config.txt" ] ||
    fail "there is no car board/$board; there are: $(cd "$top/board" && echo */boot-config.txt | sed 's,/boot-config.txt,,g')"
[ -n "$board" ] || [ "${#sets[@]}" = 0 ] || misuse "--url, --channel and --set need --board"
for one in "${sets[@]}"; do
    [[ $one =~ ^[a-z0-9_]+(\.[a-z0-9_]+)+=[^[:cntrl:]]*$ ]] || misuse "--set $one: KEY=VALUE is wanted, like camera.fps=20"
done
for one in "${secrets[@]}"; do
    [[ $one =~ ^[a-z0-9_.-]+=.+$ ]] || misuse "--secret $one: KEY=FILE is wanted"
    [ -s "${one#*=}" ] || fail "--secret $one: there is nothing in that file"
done
if [ -n "$ssh_key" ]; then
    [ -f "$ssh_key" ] || fail "--ssh-key $ssh_key: there is no such file; ssh-keygen -t ed25519 makes a key, and the file that ends with .pub is wanted"
    ! grep -q 'PRIVATE KEY' "$ssh_key" || fail "--ssh-key $ssh_key: this is a private key, which stays with you; the public one is $ssh_key.pub"
    need_tool ssh-keygen openssh-client
    ssh-keygen -l -f "$ssh_key" >/dev/null 2>&1 || fail "--ssh-key $ssh_key: this is no public SSH key"
fi
if [ -n "$signed_by" ] && [ "$what" = install ]; then
    [ -z "$unsigned" ] || misuse "--signed-by wants a signature, and --unsigned wants none: say one of them"
    [ -n "$binary" ] || misuse "--signed-by is for programs that are signed: scripts/build-pi.sh --sign KEY-FILE makes them, --binary names them"
    signers=$(signers_of "$signed_by") || fail "--signed-by $signed_by: $signers"
fi
[ -z "$host_name" ] || [[ $host_name =~ ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$ ]] || misuse "--hostname $host_name: letters, digits and - only"
[ -z "$led" ] || [[ $led =~ ^[A-Za-z0-9:_-]+$ ]] || misuse "--led $led: this is no LED's name"
check_wifi
new_channel() {
    local all=0123456789abcdefghijklmnopqrstuv id=
    while [ ${#id} -lt 19 ]; do id+=${all:SRANDOM % 32:1}; done
    echo "${id}0"
}
case " ${sets[*]-} " in
    *" spider.url="*" spider.channel="* | *" spider.channel="*" spider.url="*) ;;
    *" spider.url=ws"*)
        ! grep -q '^channel = "c9abcdefghijklmnopq0"' "$top/board/$board/spidercar.toml" ||
            misuse "--url wants --channel, by which drivers find this car and no other: with one that is new, --channel $(new_channel)"
        ;;
    *) [ -z "$board" ] || say_it "without --url the car publishes to the placeholder of its board's file" ;;
esac

# shellcheck source-path=SCRIPTDIR source=deploy/payload.sh
. "$top/scripts/deploy/payload.sh"
# shellcheck source-path=SCRIPTDIR source=deploy/card.sh
. "$top/scripts/deploy/card.sh"
# shellcheck source-path=SCRIPTDIR source=deploy/host.sh
. "$top/scripts/deploy/host.sh"

if [ "$what" = install ]; then
    if [ -z "$binary" ]; then
        built=$("$top/scripts/build-pi.sh") || fail "the program was not built; the lines above say why"
        binary=${built##*$'\n'}
    fi
    check_program "$binary"
    # The one for CSI cameras, where there is one.
    csi_binary=$binary-csi
    if [ -e "$csi_binary" ]; then
        check_program "$csi_binary"
        [ "$(source_of "$binary")" = "$(source_of "$csi_binary")" ] ||
            fail "$binary and $csi_binary are of two builds ($(source_of "$binary"), $(source_of "$csi_binary")): the car would not use both; build them together (scripts/build-pi.sh)"
    else
        csi_binary=
    fi
    if [ -n "$signers" ]; then
        why=$(check_signed "$signers" "$(dirname "$binary")/SHA256SUMS" beside_program "$binary") || fail "--signed-by $signed_by: $why"
    fi
fi

if [ -z "$host" ] && [ -z "${SPIDERCAR_DEPLOY_INSIDE:-}" ]; then
    "$top/scripts/prepare.sh" card >&2 || fail "tools are missing; the lines above say which"
    sudo=()
    if [ "$(id -u)" != 0 ]; then
        need_tool sudo sudo
        sudo=(sudo "--preserve-env=SPIDERCAR,CARGO_TARGET_DIR" "HOME=$HOME")
    fi
    check_rights "${sudo[@]}"
    again=("$top/scripts/deploy.sh" "${said[@]}")
    [ "$what" = uninstall ] || again+=(--binary "$binary")
    exec "${sudo[@]}" env SPIDERCAR_DEPLOY_INSIDE=1 unshare --mount --propagation private --pid --fork --kill-child "${again[@]}"
fi

# shellcheck source-path=SCRIPTDIR source=deploy/work.sh
. "$top/scripts/deploy/work.sh"
leave() {
    clear_car
    [ -z "${card:-}" ] || [ "$card" = "${image:-$device}" ] || rm -f "$card"
    [ -z "${unpacked:-}" ] || rm -f "$unpacked"
    leave_work
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
make_work
if [ -n "$host" ]; then
    change_host
else
    change_card
fi
