#!/usr/bin/env bash
# Changes the car that this board is, and takes the change back if the car does not come up with it.
#
# usage: upgrade.sh start install|uninstall FOLDER   from FOLDER, where the payload is; returns when the work has begun
#        upgrade.sh follow FOLDER                    what it said so far, and "end CODE" when it is over
#        upgrade.sh dry-run install|uninstall        what it would change
#        upgrade.sh resume                           at power-on, after a power cut in between (spidercar-upgrade.service)
#
#   driven? ─ yes ─▶ refused
#     │ no
#   signed by who may sign, where the car wants that? ─ no ─▶ refused
#     │ yes
#   copy of all that will change ─▶ install ─▶ restart ─▶ ready in time, and stays? ─ yes ─▶ copy deleted
#         │                                                      │ no
#         └──────────────── power cut: resume ─▶ again ──▶ all of it back, restart
#
# Runs where: on the board, as root, in a systemd unit of its own, so no connection can end it.
# Needs:      provision.sh, what that needs, and the payload beside it. Changes: what provision.sh changes.
# Secrets:    copies of shadow and of keys lie in folders that only root may enter. Those in FOLDER are deleted when the work
#             begins; what a power cut leaves is deleted at the next start (board/shared/system/tmpfiles.conf).
set -Eeuo pipefail
umask 077
trap 'echo "${0##*/}: ${BASH_SOURCE[0]:-$0}, line $LINENO: \"$BASH_COMMAND\" ended with code $?" >&2' ERR
here=$(cd "$(dirname "$0")" && pwd)
home=/usr/local/lib/spidercar
unfinished=$home/upgrade
boot=/boot/firmware
# Seconds in which a program has to be ready, and must then stay; starts that it may need. choice: as long as its unit
# waits (TimeoutStartSec); a program that dies does so when its first parts are started; one start may meet a device that
# is not there yet.
ready_limit=60 steady=10 restarts=3
# Seconds for which a car is looked at. choice: a driver whom a bad path stopped has it moving again sooner.
look=5

usage() { sed -n '2,22s/^# \{0,1\}//p' "$0"; }
say() { echo "$*"; }
show() { systemctl show --value -p "$1" spidercar.service; }

# Whether somebody drives: the program tells systemd how the car is.
is_driven() {
    local end=$((SECONDS + look))
    while [ "$SECONDS" -lt "$end" ]; do
        case $(show StatusText) in
            live* | coasting*) return 0 ;;
        esac
        sleep 0.2
    done
    return 1
}

# All paths that an installation may change, one a line.
touched() {
    awk '{ print $3 }' "$unfinished/payload/files"
    awk '{ print $1 }' "$unfinished/payload/enable"
    [ ! -e $home/record ] || awk '$1 == "file" { print $3 } $1 == "link" { print $2 }' $home/record
    # provision.sh makes these from what is there.
    printf '%s\n' /etc/hosts /var/lib/systemd/rfkill/*:wlan
    printf '%s\n' /etc/passwd /etc/group /etc/shadow /etc/gshadow $home/record $home/aside
}

# Wi-Fi as the files say, without a restart of the board; where it is not there, nothing.
refresh_network() {
    local device
    hostname -F /etc/hostname || true
    if [ -e "$unfinished/payload/radio-on" ]; then
        rfkill unblock wlan 2>/dev/null || true
        nmcli radio wifi on 2>/dev/null || true
    fi
    nmcli general reload 2>/dev/null || true
    nmcli connection reload 2>/dev/null || true
    for device in /sys/class/net/*/phy80211; do
        [ ! -e "$device" ] || iw dev "$(basename "$(dirname "$device")")" set power_save off 2>/dev/null || true
    done
}

restart() {
    systemctl daemon-reload
    refresh_network
    udevadm control --reload
    udevadm trigger --subsystem-match=gpio --subsystem-match=i2c-dev --subsystem-match=mem --subsystem-match=pwm --settle || true
    modprobe i2c-dev 2>/dev/null || true
    if [ -e /etc/systemd/system/spidercar.service ]; then
        systemctl reset-failed spidercar.service 2>/dev/null || true
        systemctl restart spidercar.path spidercar.service || true # is_healthy tells
    fi
}

# How the program ended last, in the words of systemd. Its properties are of no use: the next start resets them.
ended() { journalctl --no-pager --quiet --boot --unit=spidercar --output=cat | sed -n 's/.*Main process exited, //p' | tail -n 1; }

# Ready within its time, and the same process for a while after that.
is_healthy() {
    local end=$((SECONDS + ready_limit)) pid
    until [ "$(show ActiveState)" = active ]; do
        if [ "$(show ActiveState)" = failed ] || [ "$(show NRestarts)" -ge $restarts ]; then
            say "does not become ready: $(ended)"
            return 1
        fi
        [ "$SECONDS" -lt "$end" ] || { say "not ready within $ready_limit s"; return 1; }
        sleep 0.5
    done
    pid=$(show MainPID)
    end=$((SECONDS + steady))
    while [ "$SECONDS" -lt "$end" ]; do
        if [ "$(show MainPID) $(show ActiveState)" != "$pid active" ]; then
            say "ready, but did not stay for $steady s: $(ended)"
            return 1
        fi
        sleep 0.5
    done
}

keep_all() {
    local path
    mkdir -p "$unfinished/before"
    touched | sort -u | while read -r path; do
        [ ! -e "$path" ] && [ ! -L "$path" ] || echo ".$path"
    done >"$unfinished/was-there"
    tar -C / -cf "$unfinished/before.tar" -T "$unfinished/was-there"
    touched | sort -u >"$unfinished/touched"
    cp "$boot/config.txt" "$boot/cmdline.txt" "$unfinished/before"
    [ ! -e "$boot/user-data" ] || cp "$boot/user-data" "$unfinished/before"
    sync -f $home
    : >"$unfinished/is-kept"
    sync -f $home
}

take_back() {
    local path name
    say "taken back: what was there before"
    while read -r path; do
        grep -qxF ".$path" "$unfinished/was-there" || rm -rf "$path"
    done <"$unfinished/touched"
    # Each file in one moment: unpacked beside, then renamed.
    rm -rf "$unfinished/unpacked"
    mkdir "$unfinished/unpacked"
    tar -C "$unfinished/unpacked" -xf "$unfinished/before.tar"
    (cd "$unfinished/unpacked" && find . ! -type d -printf '%P\n') | while read -r path; do
        # A folder that the uninstallation removed is readable for all again.
        (umask 022; mkdir -p "/$(dirname "$path")")
        mv -T "$unfinished/unpacked/$path" "/$path"
    done
    for name in config.txt cmdline.txt user-data; do
        [ -e "$unfinished/before/$name" ] || continue
        cmp -s "$unfinished/before/$name" "$boot/$name" || cp "$unfinished/before/$name" "$boot/$name"
    done
    sync -f /
    restart
}

close_upgrade() {
    mv "$unfinished" "$unfinished.over"
    sync -f $home
    rm -rf "$unfinished.over"
}

# The first library of a list in the payload that this system does not have, and its package.
missing_of() {
    local library package
    [ -e "$unfinished/payload/$1" ] || return 0
    while read -r library package; do
        ldconfig -p 2>/dev/null | grep -F "$library" >/dev/null || [ -e "/usr/lib/aarch64-linux-gnu/$library" ] || [ -e "/usr/lib/$library" ] ||
            { echo "$library $package"; return 0; }
    done <"$unfinished/payload/$1"
}
# Whether the car is to have a CSI camera, by its new configuration or the one that stays.
films_with_libcamera() {
    local file=$unfinished/payload/root/etc/spidercar/spidercar.toml
    [ -e "$file" ] || file=/etc/spidercar/spidercar.toml
    # As provision.sh: a maker writes TOML as he likes.
    grep -qsE '^[[:space:]]*(camera[[:space:]]*\.[[:space:]]*)?source[[:space:]]*=[[:space:]]*["'"'"']libcamera["'"'"']' "$file"
}

provision() { TMPDIR=$unfinished bash "$unfinished/provision.sh" "$1" / "$boot" "$unfinished/payload"; }

# The work; its exit code is the result. A board that was cut off in the middle comes here again.
work() {
    local what=$1 lack
    if [ "$what" = install ]; then
        # Before anything of it is run or installed. Once the work has begun it was checked, and the car may have half of it.
        if [ ! -e "$unfinished/is-kept" ] && ! provision check; then
            close_upgrade
            return 1
        fi
        lack=$(missing_of needs)
        [ -z "$lack" ] || { say "refused: this system lacks ${lack% *}, which the program wants: install ${lack#* }"; close_upgrade; return 1; }
        lack=$(missing_of needs-csi)
        if [ -n "$lack" ] && films_with_libcamera; then
            say "refused: this system lacks ${lack% *}, which the program for CSI cameras wants: install ${lack#* } (apt full-upgrade), or set camera.source to \"v4l\""
            close_upgrade
            return 1
        fi
    fi
    [ -e "$unfinished/is-kept" ] || keep_all
    if [ "$what" = uninstall ]; then
        systemctl stop spidercar.path spidercar.service || true
    fi
    if ! provision "$what"; then
        say "the files could not be changed"
        take_back
        close_upgrade
        return 1
    fi
    if [ "$what" = uninstall ]; then
        systemctl daemon-reload
        rm -rf "$unfinished"
        return 0
    fi
    restart
    if is_healthy; then
        say "healthy"
        close_upgrade
        return 0
    fi
    journalctl --no-pager --quiet -u spidercar -n 12 -o cat | sed 's/^/  | /'
    take_back
    if is_healthy; then say "the old program runs again"; else say "the old program is not healthy, either"; fi
    close_upgrade
    return 1
}

# Deletes what was sent, except what "follow" needs.
forget_payload() { find "$1" -mindepth 1 -maxdepth 1 ! -name said ! -name upgrade.sh -exec rm -rf {} +; }

case "${1:-}" in
    -h | --help) usage ;;
    dry-run)
        TMPDIR=$here bash "$here/provision.sh" --dry-run "$2" / "$boot" "$here" || exit 1
        if is_driven; then say "it would be refused just now: the car is driven"; fi
        ;;
    start)
        # Not root's alone, whatever its umask: the car runs a program in it (src/app/csi_program.rs).
        install -d -m 755 $home
        # What it says is for whoever follows, and for the journal.
        # shellcheck disable=SC2016  # expanded there
        systemd-run --quiet --collect --unit=spidercar-deploy \
            bash -c 'bash "$1/upgrade.sh" run "$2" "$1" 2>&1 | tee "$1/said"' bash "$3" "$2"
        ;;
    run)
        code=0 sent=$3
        # However it ends.
        trap 'forget_payload "$sent"' EXIT
        exec 7>/run/spidercar-deploy.lock
        if ! flock --nonblock 7; then
            say "refused: another upgrade is at it"
            code=1
        elif is_driven; then
            say "refused: the car is driven ($(show StatusText))"
            code=1
        else
            # What connections left behind that were cut, long ago.
            find /var/tmp -maxdepth 1 -name 'spidercar-deploy.*' -mmin +60 -exec rm -rf {} +
            # From here on it is the board's own.
            rm -rf "$unfinished" "$unfinished.new" "$unfinished.over"
            # It will have copies of shadow and of secrets.
            mkdir -m 700 "$unfinished.new"
            cp -a "$3" "$unfinished.new/payload"
            cp "$3"/{provision,inside,record,signed,users,upgrade}.sh "$unfinished.new"
            echo "$2" >"$unfinished.new/what"
            sync -f $home
            mv "$unfinished.new" "$unfinished"
            forget_payload "$3"
            work "$2" || code=1
        fi
        echo "end $code"
        ;;
    follow)
        cat "$2/said"
        ;;
    resume)
        what=$(cat "$unfinished/what")
        say "an upgrade was interrupted: $what"
        exec 7>/run/spidercar-deploy.lock
        flock 7
        work "$what" || exit 1
        ;;
    *) usage >&2; exit 2 ;;
esac
