"""Power is cut at random moments of start and drive, again and again; every time the next start is ready.

    cuts.py SPIDERCAR SPIDERCAR-FOR-AARCH64 CARD CUTS [SEED]      in a network namespace of its own

    start ──▶ cut somewhere on the way ──▶ start ──▶ ready, driven ──▶ cut somewhere ──▶ start ──▶ ready, driven ──▶ ...

Promises: a moment is as random as its seed, which is printed. The card sees what a real one sees when its board loses
power: what was written to it, and nothing else. Knows nothing of: cards that forget what they were told to write.
"""

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from car import ADDRESS, BOOT_LIMIT, TAP, THROTTLE, deploy, live, network, spider, ssh_key
from card_pi import CardPi
from checks import Checks, expect, main
from driver import Driver, Spider
from upgrade import Upgrades, another

# How long a car is driven at most before the cut.
DRIVE_S = 10.0


def checks(report: Checks) -> None:
    """All of it."""
    binary, binary_pi, card = (Path(name) for name in sys.argv[1:4])
    cuts = int(sys.argv[4])
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else random.randrange(1_000_000)
    chance = random.Random(seed)
    network()
    with tempfile.TemporaryDirectory(prefix="spidercar-cuts-") as name:
        folder = Path(name)
        key = ssh_key(folder)
        relay = spider(binary, folder)
        report.explain = [relay.log.read_text, lambda: (folder / "console").read_text(errors="replace")[-3000:]]
        deploy(card, binary_pi, relay, key)
        try:
            with CardPi(folder, card, TAP, ADDRESS, key) as pi:
                with report.check(f"the first start (seed {seed})"):
                    took = ready(pi, relay, folder)
                    report.say(f"driven {took:.0f} s after power-on")
                for number in range(1, cuts + 1):
                    while_driving = number % 2 == 0
                    moment = chance.uniform(0, DRIVE_S if while_driving else took)
                    when = f"{moment:.1f} s after {'it was driven' if while_driving else 'power-on'}"
                    with report.check(f"cut {number} of {cuts}, {when}: the next start is ready and driven"):
                        if while_driving:
                            driver = Driver(relay, folder)
                            live(driver, THROTTLE)
                        else:
                            pi.cut_power()
                            pi.insert()
                        time.sleep(moment)
                        pi.cut_power()
                        if while_driving:
                            driver.end()
                        report.say(f"after {ready(pi, relay, folder):.0f} s")
                in_an_upgrade(report, pi, relay, folder, binary_pi)
        finally:
            relay.end()


def in_an_upgrade(report: Checks, pi: CardPi, relay: Spider, folder: Path, binary: Path) -> None:
    """Cuts the power when an upgrade has begun to change files."""
    with report.check("cut in the middle of an upgrade: the next start ends it, with the new program"):
        new, car = another(binary, folder / "new"), Upgrades(pi)
        with car.start(new) as running:
            while "replace" not in pi.ssh("cat /var/tmp/spidercar-deploy.*/said").text:
                expect(running.poll() is None, "it ended before it changed anything")
            pi.cut_power()
            os.killpg(running.pid, signal.SIGKILL)
        ready(pi, relay, folder)
        pi.until_ssh(BOOT_LIMIT)
        pi.ssh("while ls -d /usr/local/lib/spidercar/upgrade*; do sleep 0.5; done 2>&1 >/dev/null", BOOT_LIMIT)
        car.expect_healthy(new)
        report.say(pi.journal("-u spidercar-upgrade -o cat | grep interrupted")[0])


def ready(pi: CardPi, relay: Spider, folder: Path) -> float:
    """Starts the board and drives it; how long after power-on that was."""
    pi.insert()
    driver = Driver(relay, folder)
    try:
        driver.until(lambda _: True, "telemetry", BOOT_LIMIT)
        live(driver, THROTTLE)
        return time.monotonic() - pi.started
    finally:
        driver.end()


main("cuts", checks)
