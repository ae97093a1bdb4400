"""Secrets are root's alone, on the maker's computer and on the car, at every moment, and gone when the work is over or cut.

    driver's key, Wi-Fi password, shadow ─ deploy.sh ─▶ an image, or a car: here a root of this machine's own programs, in which
    systemctl says that the car is well. While it works, strangers of both machines look for the secrets' words.

    check_secrets.py        as root; needs no emulator and no program for the Pi

Promises: a stranger is a user without rights (nobody), and on the car also one with the number of the maker's own account.
Knows nothing of: systemd on a real car (card_drive.py, cuts.py).
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import official
from check_official import DEPLOY, Bench, tool
from checks import Checks, expect, main

# What a stranger looks for: each secret has it.
MARK = "word-of-a-secret"
# choice: a deployment takes 2 s here, and an upgrade 16 s, most of which it watches the car; five times that.
LIMIT_S = 80
NOBODY, MAKER = 65534, 1000
# Where the car's own secrets belong.
HOMES = ("/etc/shadow", "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf", "/etc/spidercar/secrets/local.driver_key_file")
# Ends everything at once, in a namespace of processes of its own, and nothing anywhere else.
KILL = f'[ "$(readlink /proc/self/ns/pid)" != "{os.readlink("/proc/self/ns/pid")}" ] && kill -9 -1'
# Looks as both strangers; what they could read goes to a file of root's.
PEEK = f"""for id in {NOBODY} {MAKER}; do
    setpriv --reuid=$id --regid=$id --clear-groups grep -rls {MARK} /etc /var /usr/local /boot /root /run /tmp >>/peeked || true
done"""
# Programs that a board has and this root has not, or that would ask this machine.
BOARD = {
    "peek": PEEK,
    "systemctl": """case "$*" in
    *StatusText*) echo stopped ;;
    *ActiveState*) echo active ;;
    *MainPID*) echo 1 ;;
    *NRestarts*) echo 0 ;;
    restart*) peek; grep -rls MARK /var/tmp >>/sent || true; [ ! -e /cut ] || { touch /dark; KILL; } ;;
esac""".replace("KILL", KILL).replace("MARK", MARK),
    "systemd-run": 'peek; while [ "$1" != bash ]; do shift; done; "$@"',
    **dict.fromkeys(("journalctl", "udevadm", "modprobe", "hostname", "rfkill", "nmcli", "iw"), ":"),
    "ldconfig": "echo libc.so.6 libcamera.so.0.7",
}
# Enters the car: its own /etc, /var, /boot and /usr/local, and this machine's programs. The last argument is what ssh would run
# there; a car without power answers nobody.
ENTER = """for last; do :; done
[ ! -e CAR/dark ] || exit 255
umask 022
exec setpriv --reuid=0 --regid=0 --clear-groups unshare --mount --pid --fork --kill-child sh -euc '
    mount --make-rprivate /
    mount --rbind /usr "$0/usr"
    mount --bind "$0/usr-local" "$0/usr/local"
    mount --bind "$0/usr-units" "$0/usr/lib/systemd/system"
    mount --rbind /dev "$0/dev"
    mount -t proc proc "$0/proc"
    mkdir -p "$0/lib"
    exec chroot "$0" env -i PATH=/opt/board:/usr/bin:/usr/sbin HOME=/root /bin/sh -c "$1; exit \\$?"
' CAR "$last"
"""
# deploy.sh as a maker without rights, who can enter the car all the same.
AS_MAKER = ("setpriv", f"--reuid={MAKER}", f"--regid={MAKER}", "--clear-groups", "--inh-caps=+setuid,+setgid", "--ambient-caps=+setuid,+setgid")


class Car:
    """A car that is a folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        files = {**official.FILES, "etc/os-release": official.FILES["usr/lib/os-release"]}
        del files["usr/sbin/NetworkManager"]
        for path, text in files.items():
            if not path.startswith("usr/"):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text)
        (folder / "etc/shadow").write_text(f"root:$y${MARK}:1::::::\n")
        (folder / "etc/shadow").chmod(0o640)
        for name in ("usr", "usr-units", "usr-local/lib/spidercar", "usr-local/bin", "dev", "proc", "run", "root", "opt/board", "boot/firmware", "etc/wpa_supplicant"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("tmp", "var/tmp"):
            (folder / name).mkdir(parents=True)
            (folder / name).chmod(0o1777)
        for name in ("bin", "sbin", "lib64"):
            (folder / name).symlink_to(f"usr/{name}")
        # As on an arm64 board; the loader of this machine's programs is in /lib64.
        (folder / "lib").mkdir()
        for entry in Path("/usr/lib").iterdir():
            (folder / "lib" / entry.name).symlink_to(f"/usr/lib/{entry.name}")
        if not (folder / "lib/ld-linux-aarch64.so.1").is_symlink():
            (folder / "lib/ld-linux-aarch64.so.1").touch()
        for name, text in official.BOOT.items():
            (folder / "boot/firmware" / name).write_text(text)
        for name, script in BOARD.items():
            tool(folder / "opt/board" / name, script)
        (folder / "usr-units/wpa_supplicant@.service").write_text("[Unit]\n")
        # Debian chooses it by a link in /etc, which here is the car's.
        (folder / "opt/board/awk").symlink_to(Path(shutil.which("awk") or "").resolve())
        self.ssh = folder / "opt/ssh"
        tool(self.ssh, ENTER.replace("CAR", str(folder)))

    def run(self, command: str) -> str:
        """Runs a command there as root."""
        done = subprocess.run([self.ssh, command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        expect(done.returncode == 0, f"{command}: {done.stdout[-600:]}")
        return done.stdout

    def peeked(self) -> list[str]:
        """What strangers could read since this was asked last."""
        path = self.root / "peeked"
        found = sorted(set(path.read_text().split())) if path.exists() else None
        expect(found is not None, "no stranger looked")
        path.unlink()
        return found

    def left(self) -> list[str]:
        """Every file with a word of a secret that is not where it belongs."""
        places = ("etc", "var", "usr-local", "boot", "root", "run", "tmp")
        done = subprocess.run(["grep", "-rls", MARK, *(self.root / name for name in places)], stdout=subprocess.PIPE, text=True, check=False)
        found = [line.removeprefix(str(self.root)) for line in done.stdout.splitlines()]
        expect(set(HOMES[:1]) <= set(found), f"it does not find what is there: {found}")
        return sorted(set(found) - set(HOMES))


@contextlib.contextmanager
def instead(path: Path, script: str) -> Iterator[None]:
    """Another program in the place of a tool, for a while."""
    before = path.read_bytes() if path.exists() else None
    tool(path, script)
    try:
        yield
    finally:
        path.unlink()
        if before is not None:
            path.write_bytes(before)
            path.chmod(0o755)


def secrets(bench: Bench) -> list[object]:
    """Options with a driver's key and a Wi-Fi password."""
    key, password = bench.file("driver-key", f"{MARK}-key\n".encode()), bench.file("wifi-password", f"{MARK}-wifi\n".encode())
    wifi = ("--wifi", "net", "--wifi-password-file", password, "--wifi-country", "GB")
    return ["--secret", f"local.driver_key_file={key}", *wifi]


def holding(folder: Path) -> str:
    """Files with a word of a secret."""
    return subprocess.run(["grep", "-rl", MARK, folder], stdout=subprocess.PIPE, text=True, check=False).stdout


def waits(bench: Bench) -> str:
    """A command that tells that it was reached, and does not end by itself."""
    pipe = bench.folder / "nobody-writes"
    if not pipe.exists():
        os.mkfifo(pipe)
    return f'touch "{bench.folder}/reached"; exec cat "{pipe}"'


def kill_in_the_middle(bench: Bench, *options: object, before: tuple[str, ...] = ()) -> None:
    """Runs deploy.sh until that command is reached, and kills all of it."""
    reached, said = bench.folder / "reached", bench.folder / "said"
    deadline = time.monotonic() + LIMIT_S
    with open(said, "w") as out:
        words = [*before, str(DEPLOY), *map(str, options)]
        running = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=bench.environment, start_new_session=True)
    try:
        while not reached.exists():
            expect(running.poll() is None, f"it ended by itself: {said.read_text()[-600:]}")
            expect(time.monotonic() < deadline, f"not in the middle within {LIMIT_S} s: {said.read_text()[-600:]}")
            time.sleep(0.02)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    reached.unlink()


def computer(report: Checks, bench: Bench) -> None:
    """The maker's computer, where a card is made."""
    tools, temporary, peeked = bench.folder / "tools", bench.folder / "temporary", bench.folder / "peeked"
    tools.mkdir()
    temporary.mkdir(mode=0o1777)
    temporary.chmod(0o1777)
    bench.environment.update(PATH=f"{tools}:{bench.environment['PATH']}", TMPDIR=str(temporary))
    card = official.make(bench.folder / "card.img")
    card.chmod(0o644)
    with report.check("an image with secrets in it is for its owner alone, at every moment; one without stays as it was"):
        bench.good(*bench.options(card))
        expect(card.stat().st_mode & 0o777 == 0o644, f"without secrets it has {card.stat().st_mode:o}")
        stranger = f'setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups grep -rls {MARK} "{temporary}" "{card}"* >>"{peeked}"'
        with instead(tools / "sync", f'{stranger} || true; exec {shutil.which("sync")} "$@"'):
            bench.good(*bench.options(card, *secrets(bench)))
        expect(not peeked.read_text(), f"read by a stranger: {peeked.read_text()}")
        expect(card.stat().st_mode & 0o077 == 0, f"it has {card.stat().st_mode:o}")
    with report.check("killed while it has secrets in its hands: none is left in the folder of temporary files"):
        with instead(tools / "sync", f'grep -rl {MARK} "{temporary}" >"{peeked}"; {waits(bench)}'):
            kill_in_the_middle(bench, *bench.options(card, *secrets(bench), "--hostname", "other"))
        expect(peeked.read_text(), "it had no secrets in its hands")
        expect(not holding(temporary), f"left: {holding(temporary)}")
        bench.good(*bench.options(card, *secrets(bench)))
        expect(not list(temporary.iterdir()), f"left: {list(temporary.iterdir())}")
    with report.check("user-data's hashes, kept for uninstall, are root's alone"):
        named = official.make(bench.folder / "named.img", boot={"user-data": f"#cloud-config\nhostname: a\npasswd: {MARK}\n"})
        bench.good(*bench.options(named, "--hostname", "racer"))
        script = f'mount -t ext4 -o ro,noload,loop,offset={official.ROOT_AT} "$0" /mnt && ' + PEEK.replace("/etc /var /usr/local /boot /root /run /tmp >>/peeked", '/mnt >>"$1"')
        peeked.write_text("")
        subprocess.run(["unshare", "--mount", "sh", "-euc", script, named, peeked], check=True)
        expect(not peeked.read_text(), f"read by a stranger: {peeked.read_text()}")


def upgraded(report: Checks, bench: Bench) -> None:
    """A car that is upgraded by a maker whose account has the number of one on the car."""
    car = Car(bench.folder / "car")
    shutil.copy(car.ssh, bench.folder / "tools/ssh")
    for path in (bench.folder, bench.folder / "temporary"):
        path.chmod(0o1777)
    bench.environment["TMPDIR"] = str(bench.folder / "temporary")
    words = ("--host", "maker@car", "--binary", bench.binary, "--board", "zero2w-hbridge", "--yes", *secrets(bench))

    def deploy(*more: str) -> tuple[int, str]:
        return bench.run(*words, *more, before=AS_MAKER)

    with report.check("an upgrade: no stranger on the car can read a secret, and what was sent is gone at the end"):
        code, said = deploy()
        expect(code == 0 and "healthy" in said, said[-900:])
        readable = car.peeked()
        expect(not readable, f"read by a stranger: {readable}")
        sent = (car.root / "sent").read_text()
        expect(not sent, f"still there when the work had begun: {sent}")
        expect(not car.left(), f"left: {car.left()}")
        for home in HOMES:
            expect(MARK in (car.root / home[1:]).read_text(), f"{home} has no secret: nothing was looked for")
    with report.check("--dry-run, and a car that does not begin: what was sent is gone"):
        code, said = deploy("--dry-run")
        expect(code == 0 and not list((car.root / "var/tmp").iterdir()), f"{code}, left: {list((car.root / 'var/tmp').iterdir())}")
        with instead(car.root / "opt/board/systemd-run", "exit 1"):
            code, said = deploy()
        expect(code == 1 and "not started" in said and not list((car.root / "var/tmp").iterdir()), f"{code}: {said[-300:]}")
    with report.check("killed while it sends: what it had on the maker's computer is the maker's alone, and goes with the next run"):
        temporary = bench.folder / "temporary"
        with instead(bench.folder / "tools/tar", waits(bench)):
            kill_in_the_middle(bench, *words, before=AS_MAKER)
        expect(holding(temporary), "it had no secrets in its hands")
        stranger = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "grep", "-rls", MARK, temporary)
        read = subprocess.run(stranger, stdout=subprocess.PIPE, text=True, check=False).stdout
        expect(not read, f"read by a stranger: {read}")
        code, said = deploy("--dry-run")
        expect(code == 0 and not holding(temporary), f"{code}, left: {holding(temporary)}")
        car.run("rm -rf /var/tmp/spidercar-deploy.*")
    with report.check("the power is cut while files are sent: gone with the next start"):
        with instead(car.root / "opt/board/tar", f'/usr/bin/tar "$@"; peek; touch /dark; {KILL}'):
            code, said = deploy()
        expect(code == 1 and car.left(), f"{code}, nothing was left: {said[-300:]}")
        power_on(car)
        expect(not car.left() and not car.peeked(), f"left: {car.left()}")
    with report.check("the power is cut in the middle: gone when the next start has ended the upgrade"):
        (car.root / "cut").touch()
        code, said = deploy()
        (car.root / "cut").unlink()
        expect(code == 1 and any("before.tar" in path for path in car.left()), f"{code}, {car.left()}: {said[-300:]}")
        mode = (car.root / "usr-local/lib/spidercar/upgrade/before.tar").stat().st_mode
        expect(mode & 0o077 == 0, f"before.tar has {mode:o}")
        # Cut again, when the copies of the upgrade before were about to be deleted.
        over = car.root / "usr-local/lib/spidercar/upgrade.over"
        over.mkdir(mode=0o700)
        (over / "before.tar").write_text(MARK)
        power_on(car)
        expect(not over.exists(), f"{over.name} is still there")
        said = car.run("bash /usr/local/lib/spidercar/upgrade/upgrade.sh resume")
        expect("an upgrade was interrupted: install" in said and "healthy" in said, said)
        expect(not car.left(), f"left: {car.left()}")
        expect(not car.peeked(), "read by a stranger")


def power_on(car: Car) -> None:
    """What systemd-tmpfiles-setup.service does at a start, with the car's own lines that delete."""
    (car.root / "dark").unlink()
    car.run("grep '^R' /etc/tmpfiles.d/spidercar.conf | systemd-tmpfiles --remove --boot -")


def checks(report: Checks) -> None:
    """All of it."""
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="spidercar-secrets-") as name:
        bench = Bench(Path(name))
        computer(report, bench)
        upgraded(report, bench)


if __name__ == "__main__":
    main("secrets", checks)
