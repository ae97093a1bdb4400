"""What scripts/deploy.sh does to a card image, file by file: installed, again, taken out, killed at random moments.

    check_deploy.py SPIDERCAR-FOR-AARCH64 CARD KILLS        works on copies of CARD; as root

Promises: a difference that is not in DOCUMENTED fails. Knows nothing of: whether it boots (card_drive.py does).
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from checks import Checks, expect, main

TOP = Path(__file__).resolve().parents[2]
BOOT_AT, ROOT_AT = 8192 * 512, (8192 + 512 * 2048) * 512
# A run can be done before its moment: so many times as often as it is killed, at most, or the moments are wrong.
LATE = 2
# All that an installation of this test's car may add or change, by the beginning of its path.
DOCUMENTED = (
    *("./usr/local/bin/spidercar", "./usr/local/lib/spidercar", "./etc/spidercar", "./boot:config.txt", "./boot:cmdline.txt"),
    *("./etc/systemd/system/spidercar", "./etc/systemd/system/multi-user.target.wants/spidercar"),
    *("./etc/sysusers.d", "./etc/udev/rules.d/70-spidercar", "./etc/tmpfiles.d/spidercar", "./etc/modules-load.d/spidercar"),
    *("./etc/systemd/system.conf.d", "./etc/systemd/journald.conf.d"),
    *("./etc/passwd", "./etc/group", "./etc/shadow", "./etc/gshadow"),
)
# Licences and bill of materials of a program, beside it (scripts/notices.py).
NOTICES = ("NOTICES.txt", "sbom.cdx.json")
# What an upgrade of the program alone may change: itself with its notices, and the record of what is installed.
UPGRADED = {
    *("./usr/local/bin/spidercar", "./usr/local/lib/spidercar/spidercar-csi", "./usr/local/lib/spidercar/record"),
    *(f"./usr/local/lib/spidercar/{name}" for name in NOTICES),
}
WITHOUT_LIBRARY = """
mount -t ext4 -o loop,offset=$2 "$1" /mnt && rm /mnt/usr/lib/aarch64-linux-gnu/libcamera.so.0.7*
"""
SNAPSHOT = """
mount -t ext4 -o ro,noload,loop,offset=$2 "$1" /mnt
cd /mnt
find . ! -path './lost+found*' ! -type d -printf '%p %y %m %U %G %s %l\\n' -o -type d -printf '%p %y %m %U %G\\n'
find etc root usr/local var/lib -type f -exec sha256sum {} + | sed 's,^\\(.*\\)  \\(.*\\),./\\2 \\1,'
"""


def snapshot(card: Path, boot_at: int = BOOT_AT, root_at: int = ROOT_AT) -> dict[str, list[str]]:
    """Every path of a card with its rights and size, the content of those that can change, and the boot texts."""
    command = ["unshare", "--mount", "sh", "-euc", SNAPSHOT, "snapshot", str(card), str(root_at)]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        path, _, rest = line.partition(" ")
        found.setdefault(path, []).append(rest)
    for name in ("config.txt", "cmdline.txt"):
        text = subprocess.run(["mtype", "-i", f"{card}@@{boot_at}", f"::{name}"], stdout=subprocess.PIPE, text=True, check=True)
        found[f"./boot:{name}"] = [text.stdout]
    return found


def differences(before: dict, after: dict) -> list[str]:
    """Paths that differ."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def command(card: Path, secret: Path, *options: str) -> list[str]:
    """How deploy.sh is called."""
    return [
        *(str(TOP / "scripts/deploy.sh"), "--image", str(card), "--binary", sys.argv[1], "--board", "zero2w-hbridge"),
        *("--url", "wss://spider.example:8267", "--channel", "0123456789abcdefghvg", "--secret", f"local.driver_key_file={secret}", "--yes", *options),
    ]


def deploy(card: Path, secret: Path, *options: str) -> str:
    """Runs it to its end."""
    return run(*command(card, secret, *options)[1:])


def run(*options: object) -> str:
    """Runs deploy.sh with just these options."""
    words = [str(TOP / "scripts/deploy.sh"), *map(str, options)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    expect(done.returncode == 0, f"deploy.sh {options} ended with {done.returncode}: {done.stdout[-800:]}")
    return done.stdout


def public_key(folder: Path) -> str:
    """A key that may log in."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "id"], check=True)
    return str(folder / "id.pub")


def mounts(card: Path) -> str:
    """What of a card is mounted or on a loop device on this machine."""
    loops = subprocess.run(["losetup", "--noheadings", "--output", "BACK-FILE"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return "".join(line for line in loops.splitlines() if line.startswith(str(card)))


def killed_after(seconds: float, words: list[str]) -> bool:
    """Runs a program and kills it after that long; false if it was done before."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            running.wait(seconds)
        except subprocess.TimeoutExpired:
            running.kill()
    return running.returncode == -signal.SIGKILL


def copy(card: Path, to: Path) -> Path:
    """A copy to work on."""
    subprocess.run(["cp", "--reflink=auto", "--sparse=always", card, to], check=True)
    return to


def checks(report: Checks) -> None:
    """All of it."""
    original, kills = Path(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory(prefix="spidercar-deploy-") as name:
        folder = Path(name)
        secret = folder / "key"
        secret.write_text("a-key-for-tests\n")
        card = copy(original, folder / "card.img")
        before = snapshot(card)
        with report.check("--dry-run says what would change, and changes nothing"):
            expect("new      /usr/local/bin/spidercar" in deploy(card, secret, "--dry-run"), "it does not name the program")
            expect(not differences(before, snapshot(card)), "something changed")
        with report.check("install: only what is documented changes; secrets are the car's alone"):
            deploy(card, secret)
            installed = snapshot(card)
            foreign = [path for path in differences(before, installed) if not path.startswith(DOCUMENTED)]
            expect(not foreign, f"also changed: {foreign}")
            rights = installed["./etc/spidercar/secrets/local.driver_key_file"][0].split()
            expect(rights[1] == "600" and rights[2] != "0", f"the secret's rights are {rights}")
            report.say(f"{len(differences(before, installed))} paths")
        with report.check("the old boot lines are all there, each of ours once"):
            old, new = before["./boot:config.txt"][0], installed["./boot:config.txt"][0]
            expect(new.startswith(old), "the old lines are not the beginning")
            values = [line for line in new.removeprefix(old).splitlines() if not line.startswith("#")]
            expect(len(values) == len(set(values)), f"twice: {values}")
        with report.check("install again: nothing changes"):
            deploy(card, secret)
            changed = differences(installed, snapshot(card))
            expect(not changed, f"changed: {changed}")
        with report.check("the program alone, without --board: configuration, secrets, keys and boot lines stay"):
            deploy(card, secret, "--ssh-key", public_key(folder), "--led", "ACT", "--hostname", "car")
            equipped = snapshot(card)
            program = folder / "new"
            for end in ("", "-csi"):
                Path(f"{program}{end}").write_bytes(Path(f"{sys.argv[1]}{end}").read_bytes() + b"new")
            for beside in NOTICES:
                (folder / beside).write_text("new\n")
            run("--image", card, "--binary", program, "--yes")
            changed = differences(equipped, snapshot(card))
            expect(set(changed) == UPGRADED, f"changed: {changed}")
        with report.check("uninstall: as before, file by file"):
            deploy(card, secret, "--uninstall")
            changed = differences(before, snapshot(card))
            expect(not changed, f"not as before: {changed}")
        with report.check("a card without a library of the program for CSI cameras is refused for a car with one, with the name of its package"):
            poor = copy(original, folder / "poor.img")
            subprocess.run(["unshare", "--mount", "sh", "-euc", WITHOUT_LIBRARY, "without", poor, str(ROOT_AT)], check=True)
            before_it = snapshot(poor)
            refused = subprocess.run(command(poor, secret), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            said = refused.stdout.strip().splitlines()[-1]
            expect(refused.returncode == 1 and "libcamera.so.0.7" in said and "package libcamera0.7)" in said, refused.stdout)
            expect(not differences(before_it, snapshot(poor)), "something changed")
            poor.unlink()
            report.say(said)
        with report.check(f"killed at {kills} random moments: nothing stays mounted, the image is whole, a further run completes"):
            begin = time.monotonic()
            deploy(copy(original, card), secret)
            took, killed, late = time.monotonic() - begin, [], 0
            while len(killed) < kills:
                copy(original, card)
                moment = random.uniform(0, took)
                if not killed_after(moment, command(card, secret)):
                    late += 1
                    expect(late <= LATE * kills, f"{late} runs were done before they could be killed, {len(killed)} were not")
                    continue
                deadline = time.monotonic() + 10
                while mounts(folder):
                    expect(time.monotonic() < deadline, f"still on a loop device: {mounts(folder)}")
                    time.sleep(0.05)
                now = snapshot(card)
                old = not differences(before, now)
                expect(old or not differences(installed, now), f"the image is neither old nor new, killed after {moment:.2f} s")
                killed.append(old)
                deploy(card, secret)
                changed = differences(installed, snapshot(card))
                expect(not changed, f"killed after {moment:.2f} s, changed by a further run: {changed}")
            left = [path.name for path in folder.iterdir() if path.name not in ("card.img", "key", "new", "new-csi", "id", "id.pub", *NOTICES)]
            expect(not left, f"left behind: {left}")
            report.say(f"{sum(killed)} left the old image, {kills - sum(killed)} the new; {late} more were done before; a run takes {took:.1f} s")


if __name__ == "__main__":
    main("deploy", checks)
