"""Upgrades of a running car over SSH: idle, driven, with a program that crashes, with the connection cut.

    deploy.sh --host ──ssh──▶ emulated Pi: upgrade.sh, alone from there on ──▶ old or new, and healthy

Promises: leaves the car with a program that works. Knows nothing of: how the card was made.
"""

import hashlib
import os
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

import process
from car import THROTTLE, live, publishes
from card_pi import TOP, CardPi
from checks import Checks, expect
from driver import LIVE, Driver, Spider

# The program and the one for CSI cameras, which are of one build and change together.
PROGRAM, CSI_PROGRAM = "/usr/local/bin/spidercar", "/usr/local/lib/spidercar/spidercar-csi"
# choice: upgrade.sh takes 15 s on an idle emulated board, and its limits (ready, taken back) add up to two minutes.
UPGRADE_LIMIT = 400.0
# choice: a part of the three megabytes that are sent.
HALF_SENT = 1_000_000
# spec: ELF-64: e_entry at 0x18, e_phoff at 0x20, e_phentsize and e_phnum at 0x36; PT_LOAD.
PT_LOAD = 1


def csi_of(binary: Path) -> Path:
    """The program for CSI cameras beside it."""
    return binary.with_name(f"{binary.name}-csi")


def another(binary: Path, to: Path) -> Path:
    """The same two programs with other bytes: a new version."""
    for source, target in ((binary, to), (csi_of(binary), csi_of(to))):
        target.write_bytes(source.read_bytes() + to.name.encode())
        shutil.copy(f"{source}.needs", f"{target}.needs")
    return to


def crashing(binary: Path, to: Path) -> Path:
    """The same program with an instruction that no processor knows where it starts: SIGILL."""
    data = bytearray(binary.read_bytes())
    entry, offset = struct.unpack_from("<QQ", data, 0x18)
    size, count = struct.unpack_from("<HH", data, 0x36)
    segments = [struct.unpack_from("<IIQQQQQQ", data, offset + index * size) for index in range(count)]
    at = next(seg[2] + entry - seg[3] for seg in segments if seg[0] == PT_LOAD and seg[3] <= entry < seg[3] + seg[5])
    data[at : at + 4] = bytes(4)
    another(binary, to).write_bytes(data)
    return to


def digest(path: Path) -> str:
    """Its SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Upgrades:
    """A car that is upgraded."""

    def __init__(self, pi: CardPi) -> None:
        self.pi = pi

    def start(self, binary: Path, *options: str) -> subprocess.Popen:
        """Starts deploy.sh, in a session of its own."""
        return process.start(
            [TOP / "scripts/deploy.sh", "--host", f"root@{self.pi.address}", "--binary", binary, "--yes", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "SPIDERCAR_SSH_OPTIONS": self.pi.ssh_options()},
        )

    def run(self, binary: Path, *options: str) -> tuple[int, str]:
        """Runs it to its end: exit code, and what it said."""
        with self.start(binary, *options) as running:
            said, _ = running.communicate(timeout=UPGRADE_LIMIT)
            return running.returncode, said

    def cut(self, binary: Path, when: str, sent: int = 0) -> None:
        """Runs it, and kills it and its connections when one of them has said this to the board, and sent so many bytes."""
        with self.start(binary) as running:
            deadline = time.monotonic() + UPGRADE_LIMIT
            while not any(when in words and count >= sent for words, count in _connections(running.pid)):
                if running.poll() is not None:
                    raise AssertionError(f"it ended before {when!r}: {running.stdout.read()}")
                expect(time.monotonic() < deadline, f"no {when!r} within {UPGRADE_LIMIT:g} s")
                time.sleep(0.01)
            os.killpg(running.pid, signal.SIGKILL)

    def settle(self) -> None:
        """Waits until the board has ended what it began."""
        done = self.pi.ssh("while systemctl is-active --quiet spidercar-deploy; do sleep 0.5; done", UPGRADE_LIMIT)
        expect(done.code == 0, done.text)

    def expect_healthy(self, program: Path) -> None:
        """Fails unless these programs are installed and run, and nothing is left of the upgrade."""
        wanted, wanted_csi = digest(program), digest(csi_of(program))
        said = self.pi.ssh(
            f"sha256sum {CSI_PROGRAM}; sha256sum {PROGRAM}; sha256sum /proc/$(systemctl show --value -p MainPID spidercar)/exe; "
            "systemctl is-active spidercar; ls -d /usr/local/lib/spidercar/upgrade* 2>/dev/null; true"
        )
        csi, file, running, state, *left = said.lines
        expect(csi.split()[0] == wanted_csi, f"another program for CSI cameras is installed: {said.text}")
        expect(file.split()[0] == wanted, f"another program is installed: {said.text}")
        expect(running.split()[0] == wanted, f"another program runs: {said.text}")
        expect(state == "active" and not left, said.text)


def _connections(session: int) -> list[tuple[str, int]]:
    """Every ssh of a session of this machine: its command line, and how many bytes it has written."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if int(fields[3]) == session and words.startswith("ssh "):
                found.append((words, int((folder / "io").read_text().split()[3])))
        except (FileNotFoundError, ProcessLookupError):  # it ended since it was listed
            continue
    return found


def upgrades(report: Checks, pi: CardPi, spider: Spider, folder: Path, binary: Path) -> None:
    """All of it, on a car that runs `binary` and is not driven."""
    car = Upgrades(pi)
    configuration = pi.ssh("cat /etc/spidercar/spidercar.toml /etc/spidercar/secrets/* /root/.ssh/authorized_keys").text
    with report.check("deploy.sh --host: upgraded while idle; configuration, secrets and keys stay"):
        new = another(binary, folder / "new")
        begin = time.monotonic()
        code, said = car.run(new)
        took = time.monotonic() - begin
        expect(code == 0 and "healthy" in said, said)
        car.expect_healthy(new)
        now = pi.ssh("cat /etc/spidercar/spidercar.toml /etc/spidercar/secrets/* /root/.ssh/authorized_keys").text
        expect(now == configuration, "what was said before is not there any more")
        publishes(spider, folder)
        report.say(f"{took:.0f} s, emulated")
    with report.check("refused while it is driven, and it is driven on"):
        driver = Driver(spider, folder)
        live(driver, THROTTLE)
        before = pi.ssh("systemctl show --value -p MainPID spidercar").text
        code, said = car.run(another(binary, folder / "newer"))
        expect(code == 1 and "refused: the car is driven" in said, f"{driver.drops} stops meanwhile: {said}")
        driver.until(lambda car: car["state"] == LIVE, "a live car")
        driver.end()
        expect(pi.ssh("systemctl show --value -p MainPID spidercar").text == before, "it was restarted")
        car.expect_healthy(new)
    with report.check("a program that crashes at its start, and the connection is cut when the work has begun: taken back by the board alone"):
        car.cut(crashing(binary, folder / "crashing"), "follow")
        car.settle()
        car.expect_healthy(new)
        told = pi.ssh("cat /var/tmp/spidercar-deploy.*/said; rm -r /var/tmp/spidercar-deploy.*").lines
        expect("taken back: what was there before" in told and told[-1] == "end 1", told)
        publishes(spider, folder)
        why = next(line for line in told if line.startswith("does not become ready"))
        expect("status=4/ILL" in why, why)
        report.say(why)
    with report.check("the connection is cut while files are sent: the old program runs on, untouched"):
        before = pi.ssh("systemctl show --value -p MainPID spidercar").text
        car.cut(another(binary, folder / "third"), "tar -C", HALF_SENT)
        car.settle()
        car.expect_healthy(new)
        expect(pi.ssh("systemctl show --value -p MainPID spidercar").text == before, "it was restarted")
