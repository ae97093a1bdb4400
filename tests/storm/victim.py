"""What is watched of an attacked process, and of the one who drives it.

Sources: proc(5).
"""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

from driver import COASTING, LIVE, NEUTRAL, Driver, motion
from programs import resident_mb

# Between two commands, in seconds. choice: well below the car's hold time of 100 ms.
COMMAND_EVERY_S = 0.04
# How old telemetry may be that says "live". choice: more than ten reports of the car.
NEWS_S = 0.7


class Vitals:
    """Memory, descriptors and threads of a process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._folder = Path(f"/proc/{pid}")

    def now(self) -> dict[str, float]:
        """Resident MB, open descriptors, threads."""
        return {
            "mb": resident_mb(self._pid),
            "descriptors": len(list((self._folder / "fd").iterdir())),
            "threads": len(list((self._folder / "task").iterdir())),
        }

    def _sockets(self) -> set[str]:
        """The inodes of its sockets."""
        links = []
        for entry in (self._folder / "fd").iterdir():
            try:
                links.append(str(entry.readlink()))
            except FileNotFoundError:
                continue
        return {link[8:-1] for link in links if link.startswith("socket:[")}

    def udp_ports(self) -> list[int]:
        """Where it takes datagrams."""
        own, ports = self._sockets(), set()
        for table in ("udp", "udp6"):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[9] in own:
                    ports.add(int(fields[1].rsplit(":", 1)[1], 16))
        return sorted(ports)


class AtTheWheel:
    """Somebody who drives all the time, arms again whenever the car stopped, and keeps count."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._told: dict = {}
        self._told_at = 0.0
        self._heard: set[int] = set()
        self.live_s = self.all_s = 0.0
        self.stops: Counter[int] = Counter()

    def _hear(self, message: str | bytes) -> None:
        told = json.loads(message).get("car")
        if told and told["t_us"] >= self._told.get("t_us", 0):
            was_live = self._told.get("state") in (LIVE, COASTING)
            self._told, self._told_at = told, time.monotonic()
            if was_live and told["state"] not in (LIVE, COASTING):
                self.stops[told["cause"]] += 1

    def _listen(self) -> None:
        for boxes in (self._driver.own, self._driver.servers):
            box = boxes.get("metric")
            if box and id(box) not in self._heard:
                self._heard.add(id(box))
                box.channel.on("message", self._hear)

    async def drive(self) -> None:
        """Until it is cancelled."""
        before = time.monotonic()
        while True:
            self._listen()
            now = time.monotonic()
            is_live = self._told.get("state") in (LIVE, COASTING) and now - self._told_at < NEWS_S
            self.all_s += now - before
            self.live_s += (now - before) * is_live
            before = now
            for boxes in (self._driver.own, self._driver.servers):
                for box in boxes.values():
                    box.messages.clear()
            self._driver.send(motion("forward", 10) if is_live else NEUTRAL)
            await asyncio.sleep(COMMAND_EVERY_S)

    def told(self) -> str:
        """What the car said last, and how long ago."""
        return f"{self._told}, {time.monotonic() - self._told_at:.1f} s ago"

    def share(self) -> str:
        """How much of the time since the last call it was driven, in percent, and the stops in it by cause."""
        percent = 100 * self.live_s / self.all_s if self.all_s else 0.0
        said = f"{percent:.1f} % live of {self.all_s:.0f} s, stops {dict(self.stops) or 'none'}"
        self.live_s = self.all_s = 0.0
        self.stops.clear()
        return said
