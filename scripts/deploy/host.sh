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
set -euo pipefail

# Longest silence of the network. choice: a board under load answers within seconds.
ssh_options=(-o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=10 -o ServerAliveCountMax=6)
# Longest wait for a result. choice: an upgrade and its taking back, each with all the time that upgrade.sh gives them.
follow_limit=300
# Options of ssh that a caller wants, too: a port, a key.
[ -z "${SPIDERCAR_SSH_OPTIONS:-}" ] || read -r -a more <<<"$SPIDERCAR_SSH_OPTIONS"
ssh_options+=("${more[@]+"${more[@]}"}")

# Runs a command of the shell on the car, as root.
remote() {
    local command
    command=$(printf '%q ' "$@")
    if [ "${host%%@*}" = root ]; then
        # shellcheck disable=SC2029  # it is quoted for the other side
        ssh "${ssh_options[@]}" "$host" "$command"
    else
        # shellcheck disable=SC2029  # as above
        ssh "${ssh_options[@]}" "$host" "sudo -n $command"
    fi
}

change_host() {
    local facts folder result end
    facts=$(remote bash -s -- facts / <"$top/scripts/deploy/provision.sh") || fail "$host: no way in, or no root there (ssh keys? sudo without a password?)"
    # shellcheck disable=SC2086  # NAME=VALUE lines of ours
    declare -g $facts
    [ "$is_arm64" = yes ] || fail "$host has a 32-bit system; take the 64-bit Raspberry Pi OS Lite"
    [ "$codename" = trixie ] || fail "$host has Debian $codename; this program is built for trixie"
    [ -n "$board" ] || [ "$is_ours" = yes ] || [ "$what" = uninstall ] || misuse "$host has no car yet: --board says which"
    [ "$what" = uninstall ] || compose
    cp "$top/scripts/deploy/provision.sh" "$top/scripts/deploy/upgrade.sh" "$payload"
    [ ! -e "${binary:+$binary.needs}" ] || cp "$binary.needs" "$payload/needs"

    folder=$(remote mktemp -d /var/tmp/spidercar-deploy.XXXXXX)
    # -m: a board without a clock may live in yesterday, and would complain of files from tomorrow.
    tar -C "$payload" -cz . | remote tar -C "$folder" -xzm || fail "$host: the files did not get there; nothing was changed"
    if [ -n "$dry_run" ]; then
        remote bash "$folder/upgrade.sh" dry-run "$what"
        remote rm -rf "$folder"
        return
    fi
    ask "Change $host?"
    remote bash "$folder/upgrade.sh" start "$what" "$folder" || fail "$host: not started; nothing was changed"
    # It goes on without us; what it says is read from where we are. A connection that is cut is made again.
    end=$((SECONDS + follow_limit))
    until result=$(remote bash "$folder/upgrade.sh" follow "$folder" 2>/dev/null) && [[ $'\n'$result == *$'\n'end\ * ]]; do
        [ $SECONDS -lt $end ] ||
            fail "$host has no result within $follow_limit s; it ends the upgrade by itself, or takes it back. Look there with: journalctl -u spidercar-deploy"
        sleep 3
    done
    sed '/^end /d' <<<"$result"
    remote rm -rf "$folder" || true
    [ "${result##*end }" = 0 ] || fail "$host: not ${what}ed; see above"
    echo "deploy: $host: ${what}ed"
}
