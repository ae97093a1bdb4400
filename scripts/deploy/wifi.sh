#!/usr/bin/env bash
# shellcheck disable=SC2154  # variables of deploy.sh
# The car's Wi-Fi: what was said is checked, and written so that the system reads back exactly that.
#
#   NetworkManager (Raspberry Pi OS)   a keyfile; the radio is switched on; power save off
#   wpa_supplicant (our Debian image)  its configuration; power save off by a udev rule (board/shared/system/udev.rules)
#
# Sourced by deploy.sh, which has fail() and misuse().
# Sources: nm-settings-keyfile(5); GLib's Desktop Entry escapes; wpa_supplicant.conf(5); IEEE 802.11 (SSID 0 to 32 bytes;
# passphrase 8 to 63, key 64 hexadecimal digits); ISO 3166-1, as tzdata 2025 lists it.
set -Eeuo pipefail

countries='AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA
CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE
GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC
NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK
SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF
WS YE YT ZA ZM ZW'

# What people write for a country that has other letters.
meant_country() {
    case $1 in
        UK | EN | GBR) echo GB ;;
        USA) echo US ;;
        DEU | GER) echo DE ;;
        JA | JPN) echo JP ;;
        KO | KOR) echo KR ;;
        SP | ESP) echo ES ;;
        SW | SWE) echo SE ;;
        DA | DNK) echo DK ;;
        CS | CZE) echo CZ ;;
        EL | GRC) echo GR ;;
        AUS) echo AU ;;
        AUT) echo AT ;;
        CHE) echo CH ;;
        FRA) echo FR ;;
        NLD) echo NL ;;
        *) return 1 ;;
    esac
}

bytes_in() { printf '%s' "$1" | wc -c; }
has_control() {
    local LC_ALL=C
    [[ $1 == *[[:cntrl:]]* ]]
}
is_utf8() { iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1 <<<"$1"; }

# The first line of a text file as it was meant: editors of Windows put a mark before it, a CR behind it, or write UTF-16.
first_line() {
    local text
    case $(head -c 3 "$1" | od -An -v -tx1 | tr -d ' \n') in
        efbbbf) text=$(tail -c +4 "$1") ;;
        fffe* | feff*) text=$(iconv -f UTF-16 -t UTF-8 "$1") || return 1 ;;
        *)
            [ "$(tr -d '\000' <"$1" | wc -c)" = "$(wc -c <"$1")" ] || return 1
            text=$(cat "$1")
            ;;
    esac
    text=${text%%$'\n'*}
    printf '%s' "${text%$'\r'}"
}

# Checks what was said of Wi-Fi, and sets wifi_password (empty for an open network).
check_wifi() {
    local meant length
    wifi_password=
    [ -n "$wifi_ssid$wifi_password_file$wifi_country$wifi_open$wifi_hidden" ] || return 0
    { [ -n "$wifi_ssid" ] && [ -n "$wifi_country" ]; } ||
        misuse "--wifi SSID and --wifi-country CC belong together, with --wifi-password-file FILE or --wifi-open"
    [ -z "$wifi_password_file" ] || [ -z "$wifi_open" ] || misuse "--wifi-open is a network without a password: no --wifi-password-file, then"
    [ -n "$wifi_password_file$wifi_open" ] || misuse "--wifi: a network with a password wants --wifi-password-file FILE, one without wants --wifi-open"
    length=$(bytes_in "$wifi_ssid")
    [ "$length" -le 32 ] || fail "--wifi: a network's name has at most 32 bytes, and this one has $length (letters beyond ASCII take two or more)"
    ! has_control "$wifi_ssid" || fail "--wifi: there is a control character in the network's name"
    wifi_country=${wifi_country^^}
    if ! [[ " ${countries//$'\n'/ } " == *" $wifi_country "* ]]; then
        if meant=$(meant_country "$wifi_country"); then
            fail "--wifi-country $wifi_country: no country has these letters in ISO 3166; did you mean $meant?"
        fi
        fail "--wifi-country $wifi_country: no country has these letters in ISO 3166; GB, DE, US are right ones, and it must be where the car drives"
    fi
    [ -z "$wifi_open" ] || return 0
    [ -f "$wifi_password_file" ] || fail "--wifi-password-file $wifi_password_file: there is no such file"
    wifi_password=$(first_line "$wifi_password_file") || fail "$wifi_password_file: this is no text (UTF-8 or UTF-16 is wanted)"
    [ -n "$wifi_password" ] || fail "$wifi_password_file: the first line is empty; for a network without a password say --wifi-open"
    is_utf8 "$wifi_password" || fail "$wifi_password_file: the password has bytes that are no UTF-8; save the file as UTF-8"
    ! has_control "$wifi_password" || fail "$wifi_password_file: there is a control character (a tab?) in the password"
    length=$(bytes_in "$wifi_password")
    if [ "$length" = 64 ]; then
        [[ $wifi_password =~ ^[0-9A-Fa-f]{64}$ ]] || fail "$wifi_password_file: 64 characters are a key in hexadecimal digits, and these are none; a password has 8 to 63"
    elif [ "$length" -lt 8 ] || [ "$length" -gt 63 ]; then
        fail "$wifi_password_file: a Wi-Fi password has 8 to 63 bytes, and this one has $length"
    fi
}

# A string as GKeyFile reads it back: a backslash is doubled, blanks at the ends are \s.
keyfile_string() {
    local text=${1//\\/\\\\} before='' after=''
    while [[ $text == ' '* ]]; do text=${text# } before+='\s'; done
    while [[ $text == *' ' ]]; do text=${text% } after+='\s'; done
    printf '%s' "$before$text$after"
}
# A name of a network as a keyfile has it: its bytes, which nothing can take for something else; letters, where they are plain.
keyfile_ssid() {
    if [[ $1 =~ ^[A-Za-z][A-Za-z0-9_-]*$ ]]; then
        printf '%s' "$1"
    else
        printf '%s' "$1" | od -An -v -tu1 | tr -s ' \n' ';' | sed 's/^;//'
    fi
}

keyfile() {
    cat <<EOF
[connection]
id=spidercar
type=wifi

[wifi]
mode=infrastructure
ssid=$(keyfile_ssid "$wifi_ssid")
powersave=2
EOF
    [ -z "$wifi_hidden" ] || echo hidden=true
    [ -n "$wifi_open" ] || printf '\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=%s\n' "$(keyfile_string "$wifi_password")"
    printf '\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n'
}

supplicant() {
    printf 'country=%s\nnetwork={\n' "$wifi_country"
    printf '    ssid=%s\n' "$(printf '%s' "$wifi_ssid" | od -An -v -tx1 | tr -d ' \n')"
    [ -z "$wifi_hidden" ] || echo '    scan_ssid=1'
    if [ -n "$wifi_open" ]; then
        echo '    key_mgmt=NONE'
    else
        if [ "$(bytes_in "$wifi_password")" = 64 ]; then
            printf '    psk=%s\n    key_mgmt=WPA-PSK\n' "$wifi_password"
        else
            # Between quotes it takes everything as it is, up to the last quote of the line.
            printf '    psk="%s"\n    key_mgmt=WPA-PSK SAE\n' "$wifi_password"
        fi
        echo '    ieee80211w=1'
    fi
    echo '}'
}

# Puts it into the payload.
compose_wifi() {
    if [ "$has_network_manager" = yes ]; then
        keyfile | payload_file 600 root /etc/NetworkManager/system-connections/spidercar.nmconnection
        # The official image has the radio off until somebody says in which country it is. These are NetworkManager's own
        # words (nm-config.c): it writes the same, and the file stays as it was installed.
        payload_file 644 root /var/lib/NetworkManager/NetworkManager.state <<<$'[main]\nNetworkingEnabled=true\nWirelessEnabled=true\nWWANEnabled=true'
        # provision.sh does the same for what systemd keeps of the radio (/var/lib/systemd/rfkill).
        : >"$payload/radio-on"
        # The radio stays off until it knows whose rules hold.
        echo "cfg80211.ieee80211_regdom=$wifi_country" >>"$payload/cmdline-words"
    else
        supplicant | payload_file 600 root /etc/wpa_supplicant/wpa_supplicant-wlan0.conf
        echo "/etc/systemd/system/multi-user.target.wants/wpa_supplicant@wlan0.service" \
            "/usr/lib/systemd/system/wpa_supplicant@.service" >>"$payload/enable"
    fi
}
