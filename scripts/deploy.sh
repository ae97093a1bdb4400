#!/usr/bin/env bash
# Puts the car's program onto a card, an image of one, or a running board, so that it starts at power-on.
#
# usage: deploy.sh --image FILE | --device /dev/sdX | --host USER@ADDRESS  [OPTION]...
#   --image FILE        an unpacked image of Raspberry Pi OS Lite 64-bit (trixie), or of scripts/image.sh: changed as a whole
#   --device DEVICE     a card with one of them on it
#   --host USER@ADDR    a running car, over SSH as root or with sudo: refused while it is driven, taken back if the program
#                       does not come up. SPIDERCAR_SSH_OPTIONS: more options for ssh
#   --board NAME        which car: a folder of board/. Needed the first time; without it, configuration, secrets and boot
#                       lines stay. Who may log in, Wi-Fi and name stay unless they are said again
#   --binary FILE       the program; without it scripts/build-pi.sh makes it
#   --url URL, --channel ID         the Spider to publish to, and where
#   --set KEY=VALUE     any other key of the configuration; more than once
#   --secret KEY=FILE   a key that names a file: it goes to /etc/spidercar/secrets, readable for the car alone. A KEY without
#                       a dot is just a name there. More than once
#   --ssh-key FILE      public keys that may log in as root; switches SSH on
#   --wifi SSID --wifi-password-file FILE --wifi-country CC
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
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)

usage() { sed -n '2,28s/^# \{0,1\}//p' "$0"; }
fail() {
    echo "deploy: $*" >&2
    exit 1
}
misuse() {
    echo "deploy: $*; --help says more" >&2
    exit 2
}
ask() {
    local answer
    [ -z "$yes" ] || return 0
    [ -t 0 ] || fail "$1 Nobody is there to ask: say --yes"
    read -r -p "$1 [y/N] " answer
    [ "$answer" = y ] || fail "nothing was changed"
}

image='' device='' host='' board='' binary='' led='' ssh_key='' host_name='' dry_run='' yes='' what=install
wifi_ssid='' wifi_password_file='' wifi_country=''
sets=() secrets=() said=("$@")
# shellcheck disable=SC2034  # some are read by card.sh and host.sh
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --dry-run) dry_run=1 ;;
        --yes) yes=1 ;;
        --uninstall) what=uninstall ;;
        --image | --device | --host | --board | --binary | --url | --channel | --set | --secret | --ssh-key | --wifi | --wifi-password-file | --wifi-country | --hostname | --led)
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
[ -z "$image" ] || [ -f "$image" ] || fail "$image: there is no such file"
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
[ -z "$ssh_key" ] || ssh-keygen -l -f "$ssh_key" >/dev/null 2>&1 || fail "$ssh_key: this is no public SSH key"
[ -z "$host_name" ] || [[ $host_name =~ ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$ ]] || misuse "--hostname $host_name: letters, digits and - only"
[ -z "$led" ] || [[ $led =~ ^[A-Za-z0-9:_-]+$ ]] || misuse "--led $led: this is no LED's name"
if [ -n "$wifi_ssid$wifi_password_file$wifi_country" ]; then
    { [ -n "$wifi_ssid" ] && [ -s "$wifi_password_file" ] && [[ $wifi_country =~ ^[A-Z][A-Z]$ ]]; } ||
        misuse "--wifi SSID, --wifi-password-file FILE and --wifi-country CC belong together"
    [[ $wifi_ssid =~ ^[^[:cntrl:]\"\\]{1,32}$ ]] || misuse "--wifi: 1 to 32 characters, without \" and \\"
fi
if [ -n "$board" ] && ! [[ " ${sets[*]-} " == *" spider.url="* ]]; then
    echo "deploy: without --url the car publishes to the placeholder of its board's file" >&2
fi

# shellcheck source-path=SCRIPTDIR source=deploy/payload.sh
. "$top/scripts/deploy/payload.sh"
# shellcheck source-path=SCRIPTDIR source=deploy/card.sh
. "$top/scripts/deploy/card.sh"
# shellcheck source-path=SCRIPTDIR source=deploy/host.sh
. "$top/scripts/deploy/host.sh"

if [ "$what" = install ]; then
    [ -n "$binary" ] || binary=$("$top/scripts/build-pi.sh" | tail -n 1)
    # ELF, 64-bit, little-endian, for aarch64 (183).
    [ "$(head -c 20 "$binary" | od -An -tx1 | tr -d ' \n' | cut -c 1-10,37-40)" = 7f454c4602b700 ] ||
        fail "$binary is no program for a 64-bit Pi; scripts/build-pi.sh makes one"
fi

if [ -z "$host" ] && [ -z "${SPIDERCAR_DEPLOY_INSIDE:-}" ]; then
    "$top/scripts/prepare.sh" card >&2
    again=("$top/scripts/deploy.sh" "${said[@]}")
    [ "$what" = uninstall ] || again+=(--binary "$binary")
    sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo "--preserve-env=SPIDERCAR,CARGO_TARGET_DIR" "HOME=$HOME")
    exec "${sudo[@]}" env SPIDERCAR_DEPLOY_INSIDE=1 unshare --mount --propagation private --pid --fork --kill-child "${again[@]}"
fi

work=$(mktemp -d)
payload=$work/payload
mkdir "$payload"
leave() {
    mountpoint -q "$work/root" && umount "$work/root"
    [ -z "${card:-}" ] || [ "$card" = "${image:-$device}" ] || rm -f "$card"
    rm -rf --one-file-system "$work"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
if [ -n "$host" ]; then
    change_host
else
    change_card
fi
