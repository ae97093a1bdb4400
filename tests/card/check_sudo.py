"""deploy.sh --host to a user who needs sudo: without a password, with one, with a wrong one, with nobody to ask.

    check_sudo.py        as root. A real sudo runs in a Debian root of its own; in the place of ssh stands a script that enters it

It is followed to the end of a --dry-run: facts, payload and the board's own words come through the same pipe as the password.
"""

import subprocess
import tempfile
from pathlib import Path

from check_official import Bench, tool
from checks import Checks, expect, main
from packages import unpacked

PASSWORD = "pa ss\\word 1"
# Enters the root as the user, in a mount namespace that ends with it. The last argument is what ssh would run there.
SSH = """for last; do :; done
exec unshare --mount sh -euc '
    mount --rbind /dev "$0/dev"
    mount -t proc proc "$0/proc"
    exec setsid --wait chroot --userspec=driver --groups=driver "$0" env -i PATH=/usr/bin:/bin HOME=/home/driver /bin/bash -c "$1"
' ROOT "$last"
"""
BOARD = f"""
chroot "$1" useradd --create-home --shell /bin/bash driver
echo 'driver:{PASSWORD}' | chroot "$1" chpasswd
mkdir -p "$1/boot/firmware" "$1/usr/local/lib/spidercar"
touch "$1/usr/lib/ld-linux-aarch64.so.1" "$1/boot/firmware/config.txt"
echo console=tty1 >"$1/boot/firmware/cmdline.txt"
echo 'state complete' >"$1/usr/local/lib/spidercar/record"
"""


def checks(report: Checks) -> None:
    """All of it."""
    with tempfile.TemporaryDirectory(prefix="spidercar-sudo-") as name:
        bench = Bench(Path(name))
        root = bench.folder / "root"
        clean = unpacked("sudo", "amd64", "sudo", configure=True)
        subprocess.run(["cp", "-a", "--reflink=auto", clean, root], check=True)
        subprocess.run(["sh", "-euc", BOARD, "board", root], check=True)
        tools = bench.folder / "tools"
        tools.mkdir()
        tool(tools / "ssh", SSH.replace("ROOT", str(root)))
        bench.environment["PATH"] = f"{tools}:{bench.environment['PATH']}"
        rights = root / "etc/sudoers.d/driver"
        options = ("--host", "driver@car", "--binary", bench.binary, "--yes", "--dry-run")
        # Nobody can be asked: there is no terminal in a session of its own.
        alone = ("setsid", "--wait")

        with report.check("a user who may not use sudo is told so"):
            report.say(bench.refused("password", *options, before=alone))
            given = bench.file("sudo-password", f"{PASSWORD}\n".encode())
            bench.refused("sudo does not take this password", *options, "--sudo-password-file", given)
        with report.check("without a password: as ever"):
            rights.write_text("driver ALL=(ALL) NOPASSWD: ALL\n")
            expect("/usr/local/bin/spidercar" in bench.good(*options), "it does not say what would change")
        rights.write_text("driver ALL=(ALL) ALL\n")
        with report.check("a password is wanted and nobody is there: one sentence with three ways on"):
            sentence = bench.refused("sudo wants a password", *options, before=alone)
            expect("--sudo-password-file" in sentence and "root@car" in sentence and "NOPASSWD" in sentence, sentence)
        with report.check("the password of a file, from Windows too, is taken; the payload behind it arrives"):
            for data in (f"{PASSWORD}\n".encode(), f"\ufeff{PASSWORD}\r\n".encode()):
                given = bench.file("sudo-password", data)
                said = bench.good(*options, "--sudo-password-file", given)
                expect("/usr/local/bin/spidercar" in said, said)
            left = sorted(path.name for path in (root / "var/tmp").iterdir())
            expect(not left, f"left on the car: {left}")
        with report.check("a wrong password: one sentence, and nothing was sent"):
            given = bench.file("sudo-password", b"wrong\n")
            report.say(bench.refused("sudo does not take this password", *options, "--sudo-password-file", given))
        with report.check("the password is on no command line"):
            words = bench.folder / "words"
            tool(tools / "ssh", f"printf '%s\\n' \"$@\" >>{words}\n" + SSH.replace("ROOT", str(root)))
            given = bench.file("sudo-password", f"{PASSWORD}\n".encode())
            bench.good(*options, "--sudo-password-file", given)
            expect(PASSWORD not in words.read_text() and "pa ss" not in words.read_text(), "it is")
        with report.check("no sudo, no connection: one sentence each"):
            tool(tools / "ssh", SSH.replace("ROOT", str(root)).replace("PATH=/usr/bin:/bin", "PATH=/nowhere:/opt/tools"))
            (root / "opt/tools").mkdir()
            (root / "opt/tools/id").symlink_to("/usr/bin/id")
            report.say(bench.refused("there is no sudo", *options))
            tool(tools / "ssh", "echo 'ssh: connect to host car port 22: Connection refused' >&2; exit 255")
            bench.refused("no SSH connection", *options)


if __name__ == "__main__":
    main("sudo", checks)
