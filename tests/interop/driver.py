"""A viewer that drives, on aiortc: it opens `metric` and `stream` itself and takes those that the server opens.

How a server maps channels to viewers is not public, so it does what PROTOCOL.md 3.4 advise: read from all, write to
the server's `stream` if there is one, else to its own; never to both.

Promises: metrics are kept as they came. Knows nothing of: which aiortc it runs on.
"""

import json
import time

from checks import Scenario, expect, until
from peers import Frames, Inbox, peer
from programs import CHANNEL
from signalling import Signalling

NEUTRAL = '{"motion":{"key":"forward","value":0}}'


# States in telemetry of a car that obeys, and of one that waits for its driver's next word.
LIVE, COASTING = 1, 2
# Causes of a stop when nobody ran for a while: silence, control_late, control_stalled; a legacy driver's is legacy_age.
STOOD_STILL = (5, 8, 11, 18)


def motion(key: str, value) -> str:
    """A legacy command."""
    return f'{{"motion":{{"key":"{key}","value":{value}}}}}'


async def drive(car, send, newest_car, command=motion("forward", 10), holds=None) -> None:
    """Arms with a neutral command, then says this one, until the car goes forward or something else holds.

    The two must not come in one breath: the newest command counts, so a neutral one with another right behind it may
    never be seen, and then it does not arm. A driver looks at the telemetry in between, and so does this. It arms again
    only a car that stopped because this computer stood still.
    """
    was_driven = False

    def moving():
        nonlocal was_driven
        told = newest_car() or {}
        is_driven = told.get("state") in (LIVE, COASTING)
        if was_driven and not is_driven:
            expect(told["cause"] in STOOD_STILL, f"the car stopped by cause {told['cause']}: {told}")
        was_driven = is_driven
        send(command if told.get("state") == LIVE else NEUTRAL)
        return (holds or car.is_forward)()

    await until(moving, "the car to drive")


class Driver:
    """A subscriber on a channel."""

    def __init__(self, scenario: Scenario, video: bool = True, label: str = "stream") -> None:
        self.scenario = scenario
        self.pc = peer()
        scenario.clean.push_async_callback(self.pc.close)
        self.frames = Frames()
        self.own = {name: Inbox(self.pc.createDataChannel(name)) for name in ("metric", label)}
        self.servers: dict[str, Inbox] = {}
        self.answer = ""
        self.answer_applied_at = 0.0
        self.signalling: Signalling | None = None
        if video:
            self.pc.addTransceiver("video", direction="recvonly")
        self.pc.on("track", self.frames.of)
        self.pc.on("datachannel", self._server_opened)

    def _server_opened(self, channel) -> None:
        self.servers[channel.label] = Inbox(channel)

    async def subscribe(self, base: str, fingerprint: bytes | None = None, query: str = "", rewrite=lambda sdp: sdp):
        """Subscribes at the Spider at `base`."""
        url = f"{base}/live/ws/sub?channel={CHANNEL}{query}"
        self.signalling = await Signalling.open(self.scenario, url, fingerprint)
        self.answer = await self.signalling.negotiate(self.pc, rewrite)
        self.answer_applied_at = time.monotonic()

    def to_write(self, label: str = "stream") -> Inbox:
        """The channel to write to: the server's before our own."""
        return self.servers.get(label) or self.own[label]

    def send(self, text: str) -> None:
        """Sends a command."""
        self.to_write().channel.send(text)

    def send_on(self, label: str, text: str) -> None:
        """Sends a command on the channel of that label."""
        self.to_write(label).channel.send(text)

    def metrics(self, group: str) -> list[dict]:
        """What came on any `metric` of that group."""
        inboxes = [box for boxes in (self.own, self.servers) if (box := boxes.get("metric"))]
        read = [json.loads(message) for box in inboxes for message in box.messages]
        return [one[group] for one in read if group in one]

    def car(self) -> dict | None:
        """The newest telemetry of the car."""
        return max(self.metrics("car"), key=lambda one: one["t_us"], default=None)

    async def drives(self, car) -> None:
        """Arms and drives off."""
        await drive(car, self.send, self.car)

    async def hears(self, group: str, condition=lambda value: True) -> dict:
        """Waits for a metric of a group."""

        def look():
            return next((one for one in reversed(self.metrics(group)) if condition(one)), None)

        return await until(look, f"a metric of group {group}")
