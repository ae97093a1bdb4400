"""A car is driven while everybody attacks it: hostile viewers, strangers, or both.

    driver (here, aiortc) ─────────▶ ┌────────────────────────────┐
    attacker.py conversations ─────▶ │ car with its own Spider,   │ ──▶ live share, stops, panics, memory, descriptors
    attacker.py strangers ─────────▶ │ threads with small stacks  │     before, every minute, and afterwards
                                     └────────────────────────────┘

Called by run.sh. A check fails if the process ends, if the driver was kept from driving, if it panics where no session
contains it, or if memory and descriptors do not come back. What begins before an end is named, to be done again.
"""

import argparse
import asyncio
import json
import os
import re
import secrets
import sys
import time
from collections import Counter
from pathlib import Path

import checks
from checks import Scenario, expect, until
from driver import Driver
from programs import Car, Spider
from victim import AtTheWheel, Vitals

# choice: an eighth of what a thread has by default, so that what recurses is seen sooner.
STACK = 256 * 1024
SIZE = (160, 120)
BASELINE_S = 10.0
# A session whose peer went silent ends in 20 s (spider::session CONNECT_LIMIT), ICE gives up after 30.
SETTLE_S = 45.0
# choice: what a few sessions more or less at the moment of looking make.
MORE_DESCRIPTORS, MORE_MB = 12, 24.0
CONTAINED = "the WebRTC stack panicked; its peer is given up"
PANIC = re.compile(r"panicked at (\S+)")


class Attacker:
    """A process of attacks, whose lines are counted."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ends: Counter[str] = Counter()
        self.begun: list[int] = []
        self.errors = b""
        self._readers = [asyncio.create_task(self._read()), asyncio.create_task(self._read_errors())]

    @classmethod
    async def start(cls, scenario: Scenario, *args: str) -> "Attacker":
        """Starts it; it is ended with the scenario."""
        pipe = asyncio.subprocess.PIPE
        attacker = Path(__file__).with_name("attacker.py")
        process = await asyncio.create_subprocess_exec(sys.executable, str(attacker), *args, stdout=pipe, stderr=pipe)
        started = cls(process)
        scenario.clean.push_async_callback(started.end)
        return started

    async def _read(self) -> None:
        while line := (await self.process.stdout.readline()).decode():
            first, _, rest = line.strip().partition(" ")
            if first == "begins":
                self.begun = [*self.begun[-3:], int(rest)]
            else:
                self.ends[rest] += 1

    async def _read_errors(self) -> None:
        while part := await self.process.stderr.read(65536):
            self.errors = (self.errors + part)[-4000:]

    async def end(self) -> None:
        """Ends it."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await asyncio.gather(*self._readers)


def keys(folder: Path) -> tuple[str, str, dict[str, str]]:
    """A driver's key, a watcher's key, and the settings that name their files."""
    made = {}
    for name in ("driver", "watch"):
        made[name] = secrets.token_hex(16)
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(made[name])
    return made["driver"], made["watch"], {f"local__{name}_key_file": str(folder / name) for name in made}


def storm(options: argparse.Namespace):
    """The scenario."""

    async def run(scenario: Scenario) -> None:
        driver_key, watch_key, settings = keys(scenario.folder)
        car = await Car.start(scenario, *SIZE, camera__fps=10, **settings)
        place = await Spider.of(car.program)
        vitals = Vitals(car.program.process.pid)
        driver = Driver(scenario, video=False)
        async with scenario.check("a driver drives"):
            await driver.subscribe(place.plain, query=f"&key={driver_key}")
            await driver.hears("car")
            await driver.drives(car)
        wheel = AtTheWheel(driver)
        driving = asyncio.create_task(wheel.drive())
        scenario.clean.callback(driving.cancel)
        if options.log:
            scenario.clean.callback(lambda: options.log.write_text("\n".join(car.program.log)))
        await asyncio.sleep(BASELINE_S)
        before = vitals.now()
        print(f"        before: {wheel.share()}; {told(before)}", flush=True)
        port = lambda address: int(address.rsplit(":", 1)[1])  # noqa: E731
        ports = {"tcp": [port(place.plain), port(place.tls)], "udp": vitals.udp_ports()}
        attackers = [
            await Attacker.start(scenario, "conversations", place.plain, watch_key, str(options.seed + 1_000_000 * number))
            for number in range(options.viewers)
        ]
        if options.strangers:
            attackers.append(
                await Attacker.start(scenario, "strangers", place.plain, watch_key, str(options.seed), json.dumps(ports), str(options.strangers))
            )
        began = time.monotonic()
        shares = []
        async with scenario.check(f"it is driven through {options.seconds} s of attacks", limit=options.seconds + 60):
            while (left := options.seconds - (time.monotonic() - began)) > 0:
                await asyncio.sleep(min(60.0, left))
                expect(not driving.done(), f"the driver is gone; the car says {wheel.told()}, his peer {driver.pc.connectionState}")
                shares.append(100 * wheel.live_s / wheel.all_s)
                print(f"        {time.monotonic() - began:.0f} s: {wheel.share()}; {told(vitals.now())}", flush=True)
                code = car.program.process.returncode
                expect(code is None, f"the process ended with {code}; these had begun: {[one.begun for one in attackers]}")
                for one in attackers:
                    expect(one.process.returncode is None, f"an attacker ended by itself: {one.errors.decode(errors='replace')}")
            least = min(shares)
            expect(least >= options.least, f"in one minute it was live for {least:.1f} % only")
            scenario.say(f"{sum(shares) / len(shares):.2f} % live, in the worst minute {least:.1f}")
        talked = sum((one.ends for one in attackers), Counter())
        for one in attackers:
            await one.end()
        print(f"        conversations: {dict(talked.most_common())}", flush=True)
        panics = Counter(found[1] for line in car.program.log if (found := PANIC.search(line)))
        print(f"        panics: {dict(panics) or 'none'}", flush=True)
        async with scenario.check("each panic was of a session's stack, and ended that session", limit=5):
            contained = lambda: sum(CONTAINED in line for line in car.program.log)  # noqa: E731
            await until(lambda: contained() == panics.total(), f"{panics.total()} lines of that, of {contained()}", 4)
        async with scenario.check("conversations came as far as talking", limit=1):
            expect(not options.viewers or any("talked" in how for how in talked), "none did: nothing was tried behind DTLS")
        async with scenario.check("memory and descriptors come back", limit=SETTLE_S * 2):

            def is_flat() -> bool:
                now = vitals.now()
                return now["descriptors"] <= before["descriptors"] + MORE_DESCRIPTORS and now["mb"] <= before["mb"] + MORE_MB

            try:
                await until(is_flat, f"{told(before)}, nearly", SETTLE_S)
            finally:
                scenario.say(f"{told(before)} before, {told(vitals.now())} after")
        async with scenario.check("it is driven on, and ends when it is asked to"):
            wheel.share()
            await asyncio.sleep(5)
            share = 100 * wheel.live_s / wheel.all_s
            expect(share > options.least, f"live for {share:.1f} %; the car says {wheel.told()}, the driver's peer {driver.pc.connectionState}")
            driving.cancel()
            expect(await car.program.end() == 0, "not with 0")

    return run


def told(vitals: dict[str, float]) -> str:
    """For a person."""
    return f"{vitals['mb']:.1f} MB, {vitals['descriptors']} descriptors, {vitals['threads']} threads"


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="storm.py")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--viewers", type=int, default=1, help="processes of hostile viewers")
    parser.add_argument("--strangers", type=float, default=0.0, help="share of the full rate of strangers; 0 is none")
    parser.add_argument("--least", type=float, default=90.0, help="percent of a minute that it must be live")
    parser.add_argument("--log", type=Path, help="where the car's log goes in the end")
    options = parser.parse_args()
    os.environ.setdefault("RUST_MIN_STACK", str(STACK))
    # A stack trace reads the program's line tables, 80 MB of them, which nobody has on a car.
    os.environ["RUST_BACKTRACE"] = "0"
    checks.SCENARIO_LIMIT = options.seconds + 240.0
    failed = asyncio.run(checks.run("storm", storm(options)))
    print("end of file", flush=True)
    sys.exit(1 if failed else 0)


main()
