#!/usr/bin/env bash
# shellcheck disable=SC2154  # variables of deploy.sh
# A running car, over SSH: the same files as on a card, put there by the car itself.
#
#   this machine ── facts? ──▶ car
#                ── payload, upgrade.sh ──▶ /var/tmp/spidercar-deploy.XXXXXX         cut here: nothing was changed
#                ── start ──▶ systemd unit ─ driving? ─ install ─ restart ─ healthy? ─ result     cut here: it goes on alone
#                ◀── its lines, until there is a result ──
#
# Sourced by deploy.sh.
set -Eeuo pipefail

# Longest silence of the network. choice: a board under load answers within seconds.
ssh_options=(-o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=10 -o ServerAliveCountMax=6)
# Longest wait for a result. choice: an upgrade and its taking back, each with all the time that upgrade.sh gives them.
follow_limit=300
# No agent, X11 or port is forwarded to the car, whatever the user's ssh configuration says.
ssh_options+=(-a -x -o ClearAllForwardings=yes)
# A master connection that outlives the command would hold the pipe of ssh_to_car open.
ssh_options+=(-o ControlPersist=no)
# Options of ssh that a caller wants, too: a port, a key.
[ -z "${SPIDERCAR_SSH_OPTIONS:-}" ] || read -r -a more <<<"$SPIDERCAR_SSH_OPTIONS"
ssh_options+=("${more[@]+"${more[@]}"}")

# The folder on the car that holds what was sent, secrets too. It is deleted when this process ends, unless the upgrade runs in
# it: upgrade.sh then deletes the secrets itself and keeps its output there.
folder='' started=''
clear_car() {
    [ -z "$folder" ] || [ -n "$started" ] || remote rm -rf "$folder" </dev/null >/dev/null 2>&1 || true
}

# How to become root there; filled by find_root.
as_root=()
sudo_password=

# Runs a command line by ssh; its standard error, and ssh's own, is filtered for the terminal.
ssh_to_car() {
    # shellcheck disable=SC2029  # it is quoted for the other side
    { ssh "${ssh_options[@]}" "$host" "$1" 2>&1 1>&3 3>&- | printable >&2; } 3>&1
}
# Runs a command of the shell on the car, as root. Where sudo wants a password, that is the first line of what it reads; -k: it
# asks each time, so that the line is never taken for the command's.
remote() {
    local command
    command=$(printf '%q ' "${as_root[@]+"${as_root[@]}"}" "$@")
    if [ -n "$sudo_password" ]; then
        { printf '%s\n' "$sudo_password"; cat; } | ssh_to_car "$command"
    else
        ssh_to_car "$command"
    fi
}

# Finds the way to root on the car, or says what there is to do. Raspberry Pi OS of April 2026 and later asks for a password.
find_root() {
    local who said code=0
    who=$(ssh_to_car 'id -u' </dev/null | little) || code=$?
    case $code in
        0) ;;
        255) fail "$host: no SSH connection (ssh's words are above). Is the car on and in this network? Is SSH on there (a new card has it with --ssh-key)? Is your key there (ssh-copy-id $host)?" ;;
        *) fail "$host: logging in works, and commands do not (code $code); is the account's shell one that runs them?" ;;
    esac
    [ "$who" != 0 ] || return 0
    as_root=(sudo -n)
    code=0
    said=$(remote true </dev/null 2>&1 | little | printable) || code=$?
    [ $code != 0 ] || return 0
    case $said in
        *'command not found'* | *'not found'*) fail "$host: there is no sudo: log in as root (a card gets your key with --ssh-key)" ;;
        *'not in the sudoers'* | *'may not run'*) fail "$host: this user may not use sudo: take one who may, or root" ;;
        *password* | *terminal*) ;;
        *) fail "$host: sudo does not work: $said" ;;
    esac
    if [ -n "$sudo_password_file" ]; then
        sudo_password=$(first_line "$sudo_password_file") || fail "--sudo-password-file $sudo_password_file: it cannot be read"
    elif { : </dev/tty; } 2>/dev/null; then
        read -r -s -p "Password of ${host%%@*} on ${host#*@}, for sudo: " sudo_password </dev/tty
        echo >/dev/tty
    else
        fail "$host: sudo wants a password there, and here is no terminal to ask for it: use --sudo-password-file FILE, or --host root@${host#*@} with your key, or let this user use sudo without: on the car, echo '${host%%@*} ALL=(ALL) NOPASSWD: ALL' | sudo tee /etc/sudoers.d/010_deploy"
    fi
    [ -n "$sudo_password" ] || fail "$host: no password was given; nothing was changed"
    as_root=(sudo -k -S -p '')
    said=$(remote true </dev/null 2>&1 | little | printable) || fail "$host: sudo does not take this password (${said##*$'\n'}); nothing was changed"
}

change_host() {
    local result end file
    need_tool ssh openssh-client
    find_root
    read_facts < <(cat "$top/scripts/deploy/inside.sh" "$top/scripts/deploy/facts.sh" | remote bash -s -- /)
    [ -n "$is_ours" ] || fail "$host: it does not say what it is; the lines above say why"
    check_system "$host"
    [ -n "$board" ] || [ "$is_ours" = yes ] || [ "$what" = uninstall ] || misuse "$host has no car yet: --board says which"
    [ "$what" = uninstall ] || compose
    for file in provision inside record signed users upgrade; do
        cp "$top/scripts/deploy/$file.sh" "$payload"
    done
    if [ "$what" = install ]; then
        [ ! -e "$binary.needs" ] || cp "$binary.needs" "$payload/needs"
        [ -z "$csi_binary" ] || [ ! -e "$csi_binary.needs" ] || cp "$csi_binary.needs" "$payload/needs-csi"
    fi

    folder=$(remote mktemp -d /var/tmp/spidercar-deploy.XXXXXX </dev/null | little | printable) || fail "$host: no folder can be made in /var/tmp: is its disk full?"
    if ! [[ $folder =~ ^/var/tmp/spidercar-deploy\.[A-Za-z0-9]{6}$ ]]; then
        folder=
        fail "$host: mktemp there gave no name of a folder"
    fi
    # The files belong to root on the car: the maker's user number may be that of a user there. -m: a board without a clock may
    # live in yesterday, and would complain of files from tomorrow.
    tar -C "$payload" --owner=0 --group=0 --numeric-owner -cz . | remote tar -C "$folder" --no-same-owner -xzm | printable ||
        fail "$host: the files did not get there; nothing was changed"
    if [ -n "$dry_run" ]; then
        remote bash "$folder/upgrade.sh" dry-run "$what" </dev/null | printable || fail "$host: it cannot say what would change; the lines above say why"
        return
    fi
    ask "Change $host?"
    started=1
    remote bash "$folder/upgrade.sh" start "$what" "$folder" </dev/null | printable || {
        # Where the connection ended, it may be at work all the same.
        [ $? = 255 ] || started=
        fail "$host: not started; nothing was changed"
    }
    # It goes on without us; what it says is read from where we are. A connection that is cut is made again.
    end=$((SECONDS + follow_limit))
    until result=$(remote bash "$folder/upgrade.sh" follow "$folder" </dev/null 2>/dev/null | little | printable) && [[ $'\n'$result == *$'\n'end\ * ]]; do
        [ $SECONDS -lt $end ] ||
            fail "$host has no result within $follow_limit s; it ends the upgrade by itself, or takes it back. Look there with: journalctl -u spidercar-deploy"
        sleep 3
    done
    sed '/^end /d' <<<"$result"
    started=
    [ "${result##*end }" = 0 ] || fail "$host: not ${what}ed; see above"
    echo "deploy: $host: ${what}ed"
}
