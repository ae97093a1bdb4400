"""What the board says of its start, of the unit's place in it, and of what the unit may do.

    kernel ──▶ systemd ──▶ unit started ──▶ READY ──▶ first offer         by the journal, in seconds since the kernel started

Knows nothing of: how it got there. Sources: systemd-analyze(1), journalctl(1).
"""

import re
import time

from card_pi import CardPi
from checks import Checks, expect

# spec: the unit is to be at 2.5 or better; 0 is best.
EXPOSURE_LIMIT = 2.5
# spec: what the image may have, as scripts/image.sh says.
ROOT_LIMIT_MB = 1200
PROGRAM = "/usr/local/bin/spidercar"
SSH_LIMIT = 240


def since_kernel(lines: list[str], what: str) -> float:
    """When the journal says this for the first time, in seconds since the kernel started."""
    for line in lines:
        if (found := re.match(r"\[\s*([\d.]+)\]", line)) and what in line:
            return float(found[1])
    raise AssertionError(f"the journal has no line with {what!r}")


def figures(report: Checks, pi: CardPi) -> None:
    """Prints them; only the exposure has a limit, for times are emulation's."""
    pi.until_ssh(SSH_LIMIT)
    with report.check("the unit may do little: systemd-analyze security"):
        said = pi.ssh("systemd-analyze security --no-pager spidercar.service | tail -n 1").text
        exposure = float(re.search(r"spidercar.service: ([\d.]+)", said)[1])
        expect(exposure <= EXPOSURE_LIMIT, said)
        report.say(f"{exposure}, of {EXPOSURE_LIMIT} at most")
    with report.check("the unit waits for local file systems and modules alone: systemd-analyze critical-chain"):
        pi.ssh("systemctl is-system-running --wait", SSH_LIMIT)
        chain = pi.ssh("systemd-analyze critical-chain --no-pager spidercar.service").lines
        units = [found[1] for line in chain if (found := re.search(r"([\w@.\\-]+\.(?:service|target|mount|slice|device)\b.*)", line))]
        expect(units and units[0].startswith("spidercar.service"), chain)
        expect(not any("network" in unit or "ssh" in unit for unit in units), f"it waits for {units}")
        report.say(" <- ".join(units))
    with report.check("from the kernel's start to the first offer; it is ready before SSH is"):
        lines = pi.journal()
        network = since_kernel(pi.journal("-u systemd-networkd"), "DHCPv4 address")
        listens = since_kernel(pi.journal("-u ssh"), "Started ssh")
        started, ready, offered = start(lines)
        expect(ready < listens, f"ready at {ready:.1f} s, after SSH at {listens:.1f} s")
        report.say(
            f"unit {started:.1f} s, READY {ready - started:.1f} s later, address at {network:.1f} s, offer at {offered:.1f} s: "
            f"{offered - max(ready, network):.1f} s after both; SSH at {listens:.1f} s"
        )
    with report.check("from the unit's start to the first offer, when the board has nothing else to do"):
        begun = len(lines)
        pi.ssh("systemctl restart spidercar", SSH_LIMIT)
        deadline = time.monotonic() + SSH_LIMIT
        again: list[str] = []
        while not any("offer sent" in line for line in again):
            expect(time.monotonic() < deadline, again)
            again = pi.journal()[begun:]
        started, ready, offered = start(again)
        report.say(f"READY {ready - started:.1f} s after the unit's start, the offer {offered - started:.1f} s after it")
    with report.check("how much it takes: memory, card"):
        status = pi.ssh("cat /proc/$(systemctl show --value -p MainPID spidercar)/status").text
        whole, own, mapped = (int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) / 1000 for name in ("VmRSS", "RssAnon", "RssFile"))
        root, program = pi.ssh(f"df --output=used --block-size=1M / | tail -n 1; stat -c %s {PROGRAM}").lines
        expect(int(root) <= ROOT_LIMIT_MB, f"the root has {root} MB")
        report.say(
            f"{whole:.1f} MB resident with the software encoder: {own:.1f} of its own, {mapped:.1f} of files; "
            f"root {root.strip()} MB of {ROOT_LIMIT_MB}; this program {int(program) / 1e6:.1f} MB"
        )


def start(lines: list[str]) -> tuple[float, float, float]:
    """When the unit was started, ready, and had sent its first offer."""
    started, ready, offered = (since_kernel(lines, what) for what in ("Starting spidercar", "Started spidercar", "offer sent"))
    return started, ready, offered
