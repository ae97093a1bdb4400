#!/usr/bin/env bash
# shellcheck disable=SC2154,SC2034  # variables of deploy.sh
# What a car gets: puts the files together that provision.sh installs, from the options of deploy.sh and a system's facts.
#
#   board/NAME/spidercar.toml ─ --url, --channel, --set, --secret ─▶ /etc/spidercar/spidercar.toml
#   board/shared/system/*     ─ facts: whose kernel, which network ─▶ unit, rules, user, journal, watchdog
#   board/{shared,NAME}/boot* ─ reasons cut to one line each ──────▶ lines for config.txt
#
# Sourced by deploy.sh; reads its variables (top, options), changes nothing but the folder that it is given.
set -Eeuo pipefail

# The name, version and source that a program carries; see src/cli.rs, VERSION.
source_of() { LC_ALL=C grep -a -o -m 1 'spidercar [0-9.]* (source [0-9a-f]*)' "$1" | head -n 1 || true; }

# ELF, 64-bit, little-endian, for aarch64 (183).
check_program() {
    [ -f "$1" ] || fail "$1: there is no such program; scripts/build-pi.sh makes one"
    [ "$(head -c 20 "$1" | od -An -tx1 | tr -d ' \n' | cut -c 1-10,37-40)" = 7f454c4602b700 ] ||
        fail "$1 is no program for a 64-bit Pi; scripts/build-pi.sh makes one"
}

# Whether the car will film by libcamera: as its new configuration says, or the one that stays.
wants_libcamera() {
    if [ -n "$board" ]; then
        # What board/ and --set write; what stays on a car may be a maker's, see provision.sh.
        grep -q '^source = "libcamera"' "$payload/spidercar.toml"
    else
        [ "$has_csi_camera" = yes ]
    fi
}

# Adds a file to the payload: stdin, MODE OWNER PATH.
payload_file() {
    mkdir -p "$(dirname "$payload/root$3")"
    cat >"$payload/root$3"
    echo "$1 $2 $3" >>"$payload/files"
}

# The value as TOML, by the program's own rule: what is no TOML is a string.
as_toml() {
    case $1 in
        true | false | \"*\" | \[* | \{*) echo "$1" ;;
        *[!0-9.+-]* | '') printf '"%s"\n' "$1" ;;
        *) echo "$1" ;;
    esac
}

# Puts values into a configuration that says every key, each on a line of its own below its [table]. stdin, KEY=VALUE...
with_values() {
    local text one key value
    text=$(cat)
    for one in "$@"; do
        key=${one%%=*} value=$(as_toml "${one#*=}")
        text=$(KEY=$key VALUE=$value awk '
            BEGIN { key = ENVIRON["KEY"]; table = key; sub(/\.[^.]*$/, "", table); name = substr(key, length(table) + 2) }
            /^\[/ { here = ($0 == "[" table "]") }
            here && index($0, name " = ") == 1 { print name " = " ENVIRON["VALUE"]; found = 1; next }
            { print }
            END { exit !found }' <<<"$text") || fail "there is no key $key in board/$board/spidercar.toml"
    done
    printf '%s\n' "$text"
}

# config.txt lines of a board: each below the first sentence of its reason, cut short. A long config.txt has kept a Pi 5
# from starting (raspberrypi/firmware#1848).
boot_lines() {
    cat "$top/board/shared/boot-common.txt" <(echo) "$top/board/$board/boot-config.txt" | awk '
        /^#/ { reason = reason substr($0, 2); next }
        /^$/ { reason = ""; next }
        {
            sub(/^ /, "", reason)
            sub(/[.;] .*/, "", reason)
            sub(/\.$/, "", reason)
            if (length(reason) > 76) { reason = substr(reason, 1, 76); sub(/ [^ ]*$/, "", reason); reason = reason "..." }
            if (reason != "") print "# " reason
            print
            reason = ""
        }'
}

# Checks a configuration with a program for this machine, where there is one: the card's own would not run here.
check_configuration() {
    local program one overrides=()
    for program in "${SPIDERCAR:-}" "${CARGO_TARGET_DIR:-${SPIDERCAR_CACHE:-$HOME/.cache/spidercar}/target}"/{release,debug}/spidercar "$(command -v spidercar || true)"; do
        if [ -n "$program" ] && [ -x "$program" ]; then
            # On the card the secrets lie elsewhere.
            for one in "${secrets[@]}"; do
                case ${one%%=*} in
                    *.*) overrides+=(--set "${one%%=*}=$(realpath "${one#*=}")") ;;
                    *) return 0 ;; # something inside a list names it; the car will tell
                esac
            done
            "$program" check --config "$1" "${overrides[@]}" >/dev/null || fail "this configuration would be refused; nothing was changed"
            return
        fi
    done
    echo "deploy: no spidercar for this machine to check the configuration with (cargo build); the car itself will"
}

# Fills the folder $payload for a system with these facts.
compose() {
    local system=$top/board/shared/system one key file beside wanted=/etc/systemd/system/multi-user.target.wants
    : >"$payload/files"
    : >"$payload/stays"
    : >"$payload/enable"
    : >"$payload/config-lines"
    : >"$payload/cmdline-words"

    # Of one build, and used together only if they are (src/app/csi_program.rs).
    [ -z "$csi_binary" ] || payload_file 755 root /usr/local/lib/spidercar/spidercar-csi <"$csi_binary"
    payload_file 755 root /usr/local/bin/spidercar <"$binary"
    # Licences and bill of materials of that build, where it has them (scripts/notices.py).
    for file in NOTICES.txt sbom.cdx.json; do
        beside=$(dirname "$binary")/$file
        [ ! -f "$beside" ] || payload_file 644 root /usr/local/lib/spidercar/$file <"$beside"
    done
    # The list of their sums, and its signature: whether they are wanted is decided where they arrive (signed.sh).
    for file in SHA256SUMS SHA256SUMS.sig; do
        beside=$(dirname "$binary")/$file
        [ ! -f "$beside" ] || head -c $((list_limit + 1)) "$beside" >"$payload/$file"
    done
    if [ -n "$signers" ]; then
        payload_file 644 root /usr/local/lib/spidercar/signers <<<"$signers"
    elif [ -n "$unsigned" ]; then
        : >"$payload/unsigned"
    elif [ -e "$payload/SHA256SUMS.sig" ] && [ "$has_signers" != yes ]; then
        say_it "there is a signature beside $binary, and nobody checks it: --signed-by PUBLIC-KEY-FILE does, and lets the car take nothing else"
    fi
    for file in spidercar.service spidercar.path spidercar-upgrade.service; do
        payload_file 644 root /etc/systemd/system/$file <"$system/$file"
        echo "$wanted/$file ../$file" >>"$payload/enable"
    done
    payload_file 644 root /etc/sysusers.d/spidercar.conf <"$system/sysusers.conf"
    payload_file 644 root /etc/udev/rules.d/70-spidercar.rules <"$system/udev.rules"
    payload_file 644 root /etc/tmpfiles.d/spidercar.conf <"$system/tmpfiles.conf"
    payload_file 644 root /etc/modules-load.d/spidercar.conf <"$system/modules-load.conf"
    payload_file 644 root /etc/systemd/system.conf.d/spidercar.conf <"$system/watchdog.conf"
    payload_file 644 root /etc/systemd/journald.conf.d/spidercar.conf <"$system/journald.conf"
    [ "$has_network_manager" != yes ] ||
        payload_file 644 root /etc/NetworkManager/conf.d/spidercar.conf <"$system/networkmanager.conf"
    if [ "$is_raspberry_pi_os" = no ]; then
        payload_file 644 root /etc/systemd/system/spidercar.service.d/devmem.conf <"$system/devmem.conf"
        payload_file 644 root /etc/udev/rules.d/70-spidercar-devmem.rules <"$system/devmem.rules"
        payload_file 644 root /etc/tmpfiles.d/spidercar-devmem.conf <"$system/devmem.tmpfiles.conf"
        echo iomem=relaxed >>"$payload/cmdline-words"
    fi
    if [ -n "$led" ]; then
        sed "/^#/!s/LED/$led/g" "$system/led.conf" | payload_file 644 root /etc/systemd/system/spidercar.service.d/led.conf
    fi

    for one in "${secrets[@]}"; do
        key=${one%%=*}
        payload_file 600 spidercar "/etc/spidercar/secrets/$key" <"${one#*=}"
        case $key in
            *.*) sets+=("$key=/etc/spidercar/secrets/$key") ;;
        esac
    done
    if [ -n "$board" ]; then
        with_values "${sets[@]}" <"$top/board/$board/spidercar.toml" >"$payload/spidercar.toml"
        check_configuration "$payload/spidercar.toml"
        payload_file 644 root /etc/spidercar/spidercar.toml <"$payload/spidercar.toml"
        boot_lines >"$payload/config-lines"
    else
        # An upgrade of the program alone: what the car is stays.
        printf '%s\n' '/etc/spidercar/*' '*/led.conf' >>"$payload/stays"
        : >"$payload/boot-stays"
    fi
    # Nobody is locked out because he did not say again how he gets in, and who may sign stays.
    printf '%s\n' /usr/local/lib/spidercar/signers '/root/.ssh/*' /etc/hostname /etc/hosts '/etc/cloud/cloud.cfg.d/*' '*/spidercar.nmconnection' '/etc/wpa_supplicant/*' \
        '/var/lib/NetworkManager/*' '/var/lib/systemd/rfkill/*' >>"$payload/stays"
    if [ -n "$ssh_key" ]; then
        tr -d '\r' <"$ssh_key" | payload_file 600 root /root/.ssh/authorized_keys
        echo "$wanted/ssh.service /usr/lib/systemd/system/ssh.service" >>"$payload/enable"
    elif [ "$has_login" = no ]; then
        say_it "without --ssh-key nobody can log in over the network: this system has no key and no user of yours (one that Raspberry Pi Imager made would do)"
    fi
    if [ -n "$host_name" ]; then
        payload_file 644 root /etc/hostname <<<"$host_name"
        # provision.sh changes the line of /etc/hosts, and the name in cloud-init's user-data.
        echo "$host_name" >"$payload/host-name"
        [ "$has_cloud_init" != yes ] ||
            payload_file 644 root /etc/cloud/cloud.cfg.d/99-spidercar.cfg <<<$'# The name was given by scripts/deploy.sh; cloud-init would undo it at each start.\npreserve_hostname: true'
    fi
    [ -z "$wifi_ssid" ] || compose_wifi
    [ -n "$csi_binary" ] || ! wants_libcamera ||
        fail "the car has a CSI camera, and there is no $binary-csi, which films with it: scripts/build-pi.sh makes both, or say --set camera.source=v4l for a USB camera"
}
