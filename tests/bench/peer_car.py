"""A car on another WebRTC stack (aiortc), for comparison: the same picture, the same messages, the same log.

It publishes a stamped 30 frames/s picture as H.264 to a Spider, answers `ping`, arms whoever asks, and writes what it is
told to an actuator log, in the forms of src/logic/EXTENSION.md. It has no deadman and no lease and no ramp: it is what
is left of a car when only speed is looked at.

usage: peer_car.py WS-URL WIDTH HEIGHT KBPS ACTUATOR-LOG
Prints `ready` when its channels are open. Ends on SIGTERM.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import interop  # noqa: F401  finds the modules of the interoperability tests
from checks import Scenario
from old_car import OldCar
from peers import MovingPicture
from stamp import now_us

TELEMETRY_PERIOD = 0.2
LIVE, DISARMED = 1, 0
NEUTRAL_US, SPAN_US = 1500, 500


class Grain(MovingPicture):
    """A moving picture with grain, so that an encoder has to spend the rate that it was given."""

    # Around the grey of the picture, in steps of luma. choice: 2500 kb/s are used up at 1280x720.
    DEPTH = 24

    def __init__(self, width: int, height: int) -> None:
        super().__init__(width, height)
        self._grain = bytes(96 + value % self.DEPTH for value in os.urandom(2 * width * height))

    def _draw(self, number: int):
        first = number * 7919 % (self.width * self.height)
        self._slope = self._grain[first : first + self.width * self.height]
        return super()._draw(number)


class PeerCar:
    """What the car knows: who drives, and what he said last."""

    def __init__(self, log: Path, width: int, height: int) -> None:
        self.log = log.open("w")
        self.told = (NEUTRAL_US, NEUTRAL_US)
        self.size = (width, height)
        self.seq, self.lease, self.state, self.accepted = 0, 0, DISARMED, 0
        self.write("start")

    def write(self, cause: str) -> None:
        line = {"t_us": now_us(), "throttle_us": self.told[0], "steering_us": self.told[1], "cause": cause}
        self.log.write(json.dumps(line) + "\n")
        self.log.flush()

    def hear(self, text: str | bytes, answer) -> None:
        """One message of any channel."""
        heard = json.loads(text)
        if ping := heard.get("ping"):
            answer({"pong": {"id": ping["id"], "t_ms": ping["t_ms"], "car_us": now_us()}})
        elif arm := heard.get("arm"):
            self.lease, self.state = arm["lease"], LIVE
        elif drive := heard.get("drive"):
            self.accepted += 1
            if drive["seq"] <= self.seq and drive["lease"] == self.lease:
                return
            self.seq = drive["seq"]
            if self.state == LIVE and drive["lease"] == self.lease:
                told = tuple(NEUTRAL_US + drive[key] * SPAN_US // 1000 for key in ("throttle", "steering"))
                if told != self.told:
                    self.told = told
                    self.write("drive")

    def telemetry(self) -> dict:
        """The `car` group, as far as a page needs it."""
        width, height = self.size
        zero = ("cause", "refusals", "throttle", "steering", "late", "replayed", "foreign", "malformed", "age_ms", "kbps")
        zero += ("target_kbps", "encode_us", "frames", "dropped", "uptime_s", "load_permille", "mem_kb")
        return {"car": {
            "v": 1, "t_us": now_us(), "state": self.state, "throttle_us": self.told[0], "steering_us": self.told[1],
            "seq": self.seq, "lease": self.lease, "accepted": self.accepted, "link": 1, "width": width,
            "height": height, "fps": 30, **dict.fromkeys(zero, 0),
        }}  # fmt: skip


async def main() -> None:
    url, width, height, kbps, log = sys.argv[1:]
    scenario = Scenario("peer", Path(log).parent)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    car = PeerCar(Path(log), int(width), int(height))
    old = OldCar(scenario, Grain(int(width), int(height)))
    drive = old.pc.createDataChannel("drive", ordered=False, maxRetransmits=0)

    def answer(message: dict) -> None:
        if old.metric.channel.readyState == "open":
            old.metric.channel.send(json.dumps(message, separators=(",", ":")))

    for channel in (drive, old.stream.channel):
        channel.on("message", lambda text: car.hear(text, answer))
    await old.publish(url, query=f"&brate={kbps}&ktime=100&vcodec=h264")
    await old.ready()
    print("ready", flush=True)
    while not stop.is_set():
        answer(car.telemetry())
        try:
            await asyncio.wait_for(stop.wait(), TELEMETRY_PERIOD)
        except TimeoutError:
            continue
    await scenario.clean.aclose()


if __name__ == "__main__":
    asyncio.run(main())
