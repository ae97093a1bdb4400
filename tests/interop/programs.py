"""The program under test as a process: the car, a Spider alone, or a viewer in a terminal.

Promises: each process is ended by its id when its scenario ends, politely first; its stdout and stderr are read all the
time, so it never blocks on us. Knows nothing of: WebRTC.
Sources: README (commands, the actuator log).
"""

import asyncio
import json
import os
import re
import signal
import time
from pathlib import Path

from checks import PATIENCE, Scenario, until, within

BINARY = os.environ.get("SPIDERCAR_BIN", "spidercar")
# A channel id in the form of an xid; a placeholder.
CHANNEL = "c9abcdefghijklmnopq0"
# The colours that the log may use.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Program:
    """A running `spidercar`."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.process = process
        self.name = name
        self.out: list[bytes] = []
        self.log: list[str] = []
        self._readers = [
            asyncio.create_task(self._read_out()),
            asyncio.create_task(self._read_log()),
        ]

    @classmethod
    async def start(cls, scenario: Scenario, *args: str, name: str = "") -> "Program":
        """Starts the program; it is ended with the scenario."""
        process = await asyncio.create_subprocess_exec(
            BINARY,
            *args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        program = cls(process, name or args[0])
        scenario.watch_log_of(program)
        scenario.clean.push_async_callback(program.end)
        return program

    async def _read_out(self) -> None:
        while line := await self.process.stdout.readline():
            self.out.append(line.rstrip(b"\n"))

    async def _read_log(self) -> None:
        while line := await self.process.stderr.readline():
            self.log.append(COLOUR.sub("", line.decode(errors="replace").rstrip("\n")))

    def tail(self) -> list[str]:
        """The end of the log, for a failure."""
        return [f"{self.name}[{self.process.pid}] {line}" for line in self.log[-25:]]

    async def said(self, pattern: str, limit: float = PATIENCE) -> re.Match:
        """Waits for a line of the log."""
        found = re.compile(pattern)

        def look():
            return next((match for line in self.log if (match := found.search(line))), None)

        return await until(look, f"{self.name} to log /{pattern}/", limit)

    async def printed(self, condition, what: str, limit: float = PATIENCE) -> bytes:
        """Waits for a line of stdout."""

        def look():
            return next((line for line in self.out if condition(line)), None)

        return await until(look, f"{self.name} to print {what}", limit)

    async def write(self, line: str) -> None:
        """Writes one line to stdin."""
        self.process.stdin.write(line.encode() + b"\n")
        await within(PATIENCE, self.process.stdin.drain(), f"{self.name} to read its stdin")

    async def exit_code(self, limit: float = PATIENCE) -> int:
        """Waits for the end by itself, and for the last of its output."""
        code = await within(limit, self.process.wait(), f"{self.name} to end")
        await asyncio.gather(*self._readers)
        return code

    async def end(self) -> int:
        """Asks it to stop; kills it if it does not."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.process.wait(), 5)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        await asyncio.gather(*self._readers)
        return self.process.returncode


class Spider:
    """Where a local Spider listens."""

    def __init__(self, program: Program, plain: int, tls: int, fingerprint: bytes) -> None:
        self.program = program
        self.plain = f"ws://127.0.0.1:{plain}"
        self.tls = f"wss://127.0.0.1:{tls}"
        self.fingerprint = fingerprint

    @classmethod
    async def of(cls, program: Program) -> "Spider":
        """Reads from a program's log where its Spider is."""
        await program.printed(lambda line: b"http://" in line, "an address")
        pattern = r"plain=\S+:(\d+) tls=\S+:(\d+) certificate_sha256=([0-9a-f]{64})"
        match = await program.said(pattern)
        return cls(program, int(match[1]), int(match[2]), bytes.fromhex(match[3]))


async def spider(scenario: Scenario, *faults: str) -> Spider:
    """Starts a Spider alone."""
    args = [part for fault in faults for part in ("--fault", fault)]
    return await Spider.of(await Program.start(scenario, "spider", "--port", "0", "--tls-port", "0", *args))


class Car:
    """A running car and what its outputs were given."""

    def __init__(self, program: Program, actuators: Path) -> None:
        self.program = program
        self.actuators = actuators

    @classmethod
    async def start(cls, scenario: Scenario, width: int, height: int, **keys: str) -> "Car":
        """Starts a simulated car of that picture size; `a__b=c` sets the key `a.b`."""
        actuators = scenario.folder / f"actuators-{time.monotonic_ns()}.jsonl"
        keys = {
            "camera__width": width,
            "camera__height": height,
            "sim__actuator_log": actuators,
            "local__port": 0,
            "local__tls_port": 0,
            **keys,
        }
        sets = [part for key, value in keys.items() for part in ("--set", f"{key.replace('__', '.')}={value}")]
        return cls(await Program.start(scenario, "run", *sets, name="car"), actuators)

    def writes(self) -> list[dict]:
        """Every write to the outputs so far."""
        try:
            lines = self.actuators.read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def now(self) -> dict:
        """The last write."""
        writes = self.writes()
        return writes[-1] if writes else {}

    def is_forward(self) -> bool:
        """Whether the motor is asked to go forward."""
        return FORWARD_ZERO_US < self.now().get("throttle_us", 0) <= THROTTLE_MAX_US

    def stood_still(self, before: int) -> bool:
        """Whether it stopped after its first `before` writes because this computer did not run it."""
        return any(write["cause"] in ("control_late", "control_stalled") for write in self.writes()[before:])

    async def moves(self, condition, what: str, limit: float = PATIENCE) -> dict:
        """Waits until the last write is as wanted."""

        def look():
            last = self.now()
            return last if last and condition(last) else None

        try:
            return await until(look, f"the outputs to be {what}", limit)
        except TimeoutError as err:
            raise TimeoutError(f"{err}; the last write was {self.now()}") from None


def resident_mb(pid: int) -> float:
    """Memory of a process, in MB."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


# The defaults of drive.calibration, in microseconds.
NEUTRAL_US, FORWARD_ZERO_US, THROTTLE_MAX_US = 1500, 1540, 2000


def is_neutral(write: dict) -> bool:
    """Whether nothing is asked of motor and steering."""
    return write["throttle_us"] == NEUTRAL_US and write["steering_us"] == NEUTRAL_US
