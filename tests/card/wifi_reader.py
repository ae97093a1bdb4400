"""Inside a Debian root: starts NetworkManager and wpa_supplicant, and prints what they read out of their files.

    wifi_reader.py        called by check_wifi.py in a network, process and mount namespace; Debian's own Python, with gi

stdout: {"networkmanager": {FILE: {"ssid": HEX, "psk": HEX or null, "hidden": bool, "powersave": n, "mgmt": WORD or null}},
         "supplicant": {FILE: "what it saved"}}
"""

import json
import subprocess
import time
from pathlib import Path

import gi

gi.require_version("NM", "1.0")
from gi.repository import NM  # noqa: E402

PROFILES = Path("/etc/NetworkManager/system-connections")
SUPPLICANT = Path("/run/supplicant")
# Longest wait for a daemon. choice: they take a second.
LIMIT = 60.0


def until(what, condition):
    """Waits for it."""
    deadline = time.monotonic() + LIMIT
    while not (got := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)
    return got


def client():
    """A client of a NetworkManager that runs."""
    try:
        made = NM.Client.new(None)
    except Exception:  # not there yet
        return None
    return made if made.get_nm_running() else None


def profile(connection):
    """What NetworkManager knows of a profile, secrets too."""
    wireless, security = connection.get_setting_wireless(), connection.get_setting_wireless_security()
    psk = None
    if security:
        secrets = connection.get_secrets("802-11-wireless-security", None).unpack()
        psk = secrets["802-11-wireless-security"]["psk"].encode().hex()
    return {
        "ssid": bytes(wireless.get_ssid().get_data()).hex(),
        "psk": psk,
        "hidden": wireless.get_hidden(),
        "powersave": wireless.get_powersave(),
        "mgmt": security and security.get_key_mgmt(),
    }


def networkmanager():
    """All profiles."""
    bus = subprocess.Popen(["dbus-daemon", "--system", "--nofork", "--nopidfile"])
    until("D-Bus", Path("/run/dbus/system_bus_socket").exists)
    with open("/run/networkmanager.log", "w", encoding="utf-8") as log:
        manager = subprocess.Popen(["NetworkManager", "--no-daemon"], stdout=log, stderr=log)
    try:
        known = until("NetworkManager", client)
        wireless = [one for one in known.get_connections() if one.get_filename() and one.get_setting_wireless()]
        return {Path(one.get_filename()).name: profile(one) for one in wireless}
    finally:
        for process in (manager, bus):
            process.terminate()
            process.wait()


def saved(path):
    """What wpa_supplicant writes after it has read a file."""
    path.write_text("ctrl_interface=/run/wpa\nupdate_config=1\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    with subprocess.Popen(["wpa_supplicant", "-Dnone", "-ilo", f"-c{path}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        try:
            ask = ["wpa_cli", "-p/run/wpa", "-ilo", "save_config"]
            until("wpa_supplicant", lambda: b"OK" in subprocess.run(ask, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout)
        finally:
            running.terminate()
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    print(json.dumps({"networkmanager": networkmanager(), "supplicant": {path.name: saved(path) for path in sorted(SUPPLICANT.iterdir())}}))
