"""Wi-Fi names and passwords arrive as they were meant: a real NetworkManager and a real wpa_supplicant read them back.

    check_wifi.py        as root. Debian's network-manager and wpasupplicant run in a root of their own (debian-root.sh)

    --wifi, --wifi-password-file ─ deploy.sh ─▶ a file on a card ─▶ the daemon ─▶ what it holds == what was given
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import official
from check_official import Bench
from checks import Checks, expect, main
from packages import unpacked

HERE = Path(__file__).resolve().parent
ENTER = """
root=$1 files=$2
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs none "$root/run"
mount -t tmpfs none "$root/etc/NetworkManager/system-connections"
mount -t tmpfs none "$root/var/lib/NetworkManager"
mkdir "$root/run/dbus" "$root/run/supplicant"
install -m 600 "$files"/*.nmconnection "$root/etc/NetworkManager/system-connections"
cp "$files"/*.conf "$root/run/supplicant"
cp "$3" "$root/run/reader.py"
ip link set lo up
exec chroot "$root" /usr/bin/python3 /run/reader.py
"""
KEY = "0123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789"
# Name: the network's name, the bytes of the password file (None: open), what the password is, further options.
CASES: dict[str, tuple[str, bytes | None, str | None, tuple[str, ...]]] = {
    "plain": ("home", b"correct horse\n", "correct horse", ()),
    "backslash": ("net", b"back\\slash\\s\\t\\\\\n", "back\\slash\\s\\t\\\\", ()),
    "leading-blanks": ("net", b"   three blanks\n", "   three blanks", ()),
    "trailing-blanks": ("net", b"two blanks  \n", "two blanks  ", ()),
    "only-blanks": ("net", b"        \n", "        ", ()),
    "punctuation": ("net", b"#a;b=c[d]\"e'f`g$h%i,\n", "#a;b=c[d]\"e'f`g$h%i,", ()),
    "quotes": ("net", b'"quoted"\n', '"quoted"', ()),
    "not-ascii": ("net", "gr\u00fc\u00dfe-\u2603\n".encode(), "gr\u00fc\u00dfe-\u2603", ()),
    "windows": ("net", b"\xef\xbb\xbffrom windows\r\n", "from windows", ()),
    "utf-16": ("net", "\ufefffrom notepad\r\n".encode("utf-16-le"), "from notepad", ()),
    "no-newline": ("net", b"no newline", "no newline", ()),
    "longest": ("n" * 32, b"x" * 63 + b"\n", "x" * 63, ()),
    "key": ("net", KEY.encode() + b"\n", KEY, ()),
    "open": ("cafe", None, None, ("--wifi-open",)),
    "hidden": ("unseen", b"a password\n", "a password", ("--wifi-hidden",)),
    "hidden-open": ("unseen", None, None, ("--wifi-open", "--wifi-hidden")),
    "ssid-semicolon": ("a;b;", b"a password\n", "a password", ()),
    "ssid-digits": ("12;34;", b"a password\n", "a password", ()),
    "ssid-number": ("1234", b"a password\n", "a password", ()),
    "ssid-blanks": ("  my net  ", b"a password\n", "a password", ()),
    "ssid-escapes": ('q"uote\\n', b"a password\n", "a password", ()),
    "ssid-comment": ("#1 = best", b"a password\n", "a password", ()),
    "ssid-not-ascii": ("caf\u00e9 \U0001f697", b"a password\n", "a password", ()),
}
REFUSED: dict[str, tuple[str, bytes | None, tuple[str, ...]]] = {
    "a Wi-Fi password has 8 to 63 bytes, and this one has 7": ("net", b"seven77\n", ()),
    "64 characters are a key in hexadecimal digits": ("net", b"x" * 64 + b"\n", ()),
    "and this one has 65": ("net", b"x" * 65 + b"\n", ()),
    "the first line is empty": ("net", b"\npassword\n", ()),
    "control character (a tab?)": ("net", b"with\ttab inside\n", ()),
    "bytes that are no UTF-8": ("net", b"gr\xfc\xdfe aus\n", ()),
    "this is no text": ("net", b"bin\x00ary password\n", ()),
    "at most 32 bytes": ("\u00e9" * 17, b"a password\n", ()),
    "no --wifi-password-file, then": ("net", b"a password\n", ("--wifi-open",)),
    "wants --wifi-open": ("net", None, ()),
}


def install(bench: Bench, card: Path, case: tuple[str, bytes | None, tuple[str, ...]]) -> list[object]:
    """The options for a case."""
    ssid, password, more = case
    secret = ["--wifi-password-file", bench.file("password", password)] if password is not None else []
    return bench.options(card, "--wifi", ssid, "--wifi-country", "GB", *secret, *more)


def read_back(files: Path) -> dict:
    """What the daemons hold."""
    root = unpacked("wifi", "amd64", "network-manager", "python3-gi", "gir1.2-nm-1.0", "wpasupplicant", configure=True)
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", ENTER, "enter"]
    done = subprocess.run([*command, root, files, HERE / "wifi_reader.py"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def supplicant_holds(saved: str) -> tuple[bytes, str | None]:
    """Name and password of what wpa_supplicant saved: a value is quoted, or in hexadecimal digits."""
    values = dict(line.strip().partition("=")[::2] for line in saved.splitlines() if line.startswith("\t") and "=" in line)
    ssid, psk = values["ssid"], values.get("psk")
    name = ssid[1:-1].encode() if ssid.startswith('"') else bytes.fromhex(ssid)
    return name, psk[1:-1] if psk and psk.startswith('"') else psk


def checks(report: Checks) -> None:
    """All of it."""
    with tempfile.TemporaryDirectory(prefix="spidercar-wifi-") as name:
        bench = Bench(Path(name))
        files = bench.folder / "files"
        files.mkdir()
        with_manager = official.make(bench.folder / "manager.img")
        unit = {"usr/lib/systemd/system/wpa_supplicant@.service": "[Unit]\n", "usr/sbin/NetworkManager": None}
        with_supplicant = official.make(bench.folder / "supplicant.img", files=unit)
        with report.check(f"{len(CASES)} networks are put onto a card, for NetworkManager and for wpa_supplicant"):
            for case, (ssid, password, _, more) in CASES.items():
                bench.good(*install(bench, with_manager, (ssid, password, more)))
                profile = official.read(with_manager, "etc/NetworkManager/system-connections/spidercar.nmconnection")
                (files / f"{case}.nmconnection").write_text(profile, encoding="utf-8")
                bench.good(*install(bench, with_supplicant, (ssid, password, more)))
                configuration = official.read(with_supplicant, "etc/wpa_supplicant/wpa_supplicant-wlan0.conf")
                (files / f"{case}.conf").write_text(configuration, encoding="utf-8")
        with report.check("NetworkManager and wpa_supplicant read these files"):
            held = read_back(files)
        for case, (ssid, _, password, more) in CASES.items():
            with report.check(f"{case}: both hold what was given"):
                manager = held["networkmanager"].get(f"{case}.nmconnection")
                expect(manager, "NetworkManager did not take the file")
                expect(bytes.fromhex(manager["ssid"]) == ssid.encode(), f"NetworkManager's name is {bytes.fromhex(manager['ssid'])!r}")
                psk = None if manager["psk"] is None else bytes.fromhex(manager["psk"]).decode()
                expect(psk == password, f"NetworkManager's password is {psk!r}")
                expect(manager["hidden"] == ("--wifi-hidden" in more), "hidden is not as asked")
                expect(manager["powersave"] == 2, f"power save is {manager['powersave']}, not off (2)")
                name_held, psk = supplicant_holds(held["supplicant"][f"{case}.conf"])
                expect(name_held == ssid.encode(), f"wpa_supplicant's name is {name_held!r}")
                expect(psk == password or (case == "key" and psk and psk.lower() == password.lower()), f"wpa_supplicant's password is {psk!r}")
        for words, case in REFUSED.items():
            with report.check(f"refused: {words}"):
                code, said = bench.run(*install(bench, with_manager, case))
                last = said.strip().splitlines()[-1] if said.strip() else "not a word"
                expect(code in (1, 2) and last.startswith("deploy: ") and words in last, f"{code}: {last}")


if __name__ == "__main__":
    main("wifi", checks)
