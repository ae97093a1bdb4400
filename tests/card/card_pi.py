"""An emulated Raspberry Pi 3B with a card in its reader: a whole Debian with systemd, as scripts/image.sh made it.

    card image ─ mtools ─▶ config.txt: which kernel, which initramfs      what the firmware of a real board reads, and
                           cmdline.txt, device tree                       QEMU's board, which has none, is given
               ─ if=sd ──▶ /dev/mmcblk0: everything else

Promises: what the card says is what is booted; a power cut keeps what the card was told to write, and nothing else.
Knows nothing of: what runs on it. Sources: QEMU's manual; raspberrypi/documentation config_txt (`kernel`, `initramfs`).
"""

import contextlib
import gzip
import os
import subprocess
import time
from pathlib import Path

from machine import Result
from pi3b import Pi3b

TOP = Path(__file__).resolve().parents[2]
# Where the boot partition of scripts/image.sh begins.
BOOT_AT = 8192 * 512
TREE = "bcm2837-rpi-3-b.dtb"
# QEMU's board restarts when its watchdog is armed, instead of when it is not fed (hw/misc/bcm2835_powermgt.c), so the
# driver stays out. Nor do those come whose hardware it does not have: they wait for it, some for seconds. All else is as
# the card says.
WITHOUT = "modprobe.blacklist=bcm2835_wdt,vc4,v3d,snd_bcm2835,vchiq,hci_uart,brcmfmac,leds_gpio,reset_gpio,raspberrypi_hwmon"
# kernel: sched(7), autogroup. What compiles beside an emulated board waits for it a little: a car that is not run for 50 ms
# stops, as it should. Not real-time priority (Machine.hurry), with which four emulated processors on two real ones wait for
# each other. measured, beside three builds: a login takes 5 s like this, 40 s with.
AUTOGROUP_NICE = "-10"
# Longest wait for a command over SSH. choice: a login takes three seconds on an idle emulated board.
SSH_LIMIT = 120.0


class CardPi(Pi3b):
    """The board; its console is only listened to, commands go over SSH."""

    def __init__(self, folder: Path, card: Path, tap: str, address: str, key: Path) -> None:
        super().__init__(folder, tap=tap)
        self.card, self.address, self.key = card, address, key
        self.started = 0.0
        # What commands over SSH wrote to their stderr.
        self.log = folder / "ssh.log"

    def hardware(self) -> list[str]:
        # What QEMU has written is in the file, even if QEMU is killed a moment later; this machine's own power stays. So
        # nothing has to be synced here, which takes an upgrade most of its time where others use the disk, too.
        return [*super().hardware(), "-drive", f"file={self.card},if=sd,format=raw,cache=unsafe"]

    def tree(self) -> Path:
        return self.folder / TREE

    def boot_text(self, name: str) -> str:
        """A text file of the boot partition."""
        done = subprocess.run(["mtype", "-i", f"{self.card}@@{BOOT_AT}", f"::{name}"], stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def insert(self, extra: str = "") -> None:
        """Powers it on, and waits for nothing."""
        settings = dict(line.partition("=")[::2] for line in self.boot_text("config.txt").splitlines())
        initramfs = next(line.split()[1] for line in settings if line.startswith("initramfs "))
        names = (settings["kernel"], initramfs, TREE)
        subprocess.run(
            ["mcopy", "-n", "-o", "-i", f"{self.card}@@{BOOT_AT}", *(f"::{name}" for name in names), str(self.folder)], check=True
        )
        kernel = self.folder / "Image"
        kernel.write_bytes(gzip.decompress((self.folder / settings["kernel"]).read_bytes()))
        self.started = time.monotonic()
        self.power_on(kernel, self.folder / initramfs, f"{self.boot_text('cmdline.txt').strip()} {WITHOUT} {extra}".strip())
        with contextlib.suppress(OSError):  # a kernel without this
            Path(f"/proc/{self.pid}/autogroup").write_text(AUTOGROUP_NICE)

    def ssh(self, command: str, limit: float = SSH_LIMIT, text: bytes = b"") -> Result:
        """Runs a command of the shell inside, over SSH, as root."""
        with open(self.log, "ab") as log:
            done = subprocess.run(
                [*self.ssh_command(), f"root@{self.address}", command],
                input=text,
                stdout=subprocess.PIPE,
                stderr=log,
                timeout=limit,
                check=False,
            )
        return Result(done.returncode, done.stdout.decode(errors="replace").splitlines())

    def ssh_options(self) -> str:
        """Options for ssh: the key, and a host key that is new with each card."""
        return f"-i {self.key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"

    def ssh_command(self) -> list[str]:
        """How to call ssh."""
        return ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", *self.ssh_options().split()]

    def until_ssh(self, limit: float) -> float:
        """Waits until somebody can log in; how long after power-on that was."""
        deadline = time.monotonic() + limit
        while self.ssh("true").code != 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no SSH within {limit:g} s")
            time.sleep(1)
        return time.monotonic() - self.started

    def plug(self, is_in: bool) -> None:
        """Plugs its network in or out. The adapter that QEMU emulates does not tell the board: nothing comes through."""
        self.monitor.execute("set_link", name="net", up=is_in)

    def cut_power(self) -> None:
        """Takes its power away in the middle of whatever it does."""
        self.kill()

    def journal(self, what: str = "-u spidercar") -> list[str]:
        """Lines of the journal of this boot, with the seconds since the kernel started."""
        return self.ssh(f"journalctl -b --no-pager -o short-monotonic {what}").lines


def settle(path: Path) -> None:
    """Makes a file's bytes safe on this machine."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
