"""What every aiortc peer of these tests shares: loopback only, a moving picture, counted frames, kept messages.

aiortc offers every address but loopback; here it is the other way round, so that no test binds anything that another
machine could reach. The same code runs on the newest aiortc and on the one of the old cars.

Promises: a reader task ends with its track; times are CLOCK_MONOTONIC. Knows nothing of: signalling.
Sources: PROTOCOL.md 3.2 to 3.4.
"""

import asyncio
import fractions
import time

import aioice.ice
from aiortc import RTCConfiguration, RTCPeerConnection, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

import stamp
from checks import PATIENCE, expect, until

aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

# Frames a second of the pictures that are sent. choice: what the simulated car sends.
FPS = 30
LEAST_FPS = 20.0
CLOCK_HZ = 90_000


def peer() -> RTCPeerConnection:
    """A peer without ICE servers."""
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


class MovingPicture(VideoStreamTrack):
    """A bar that moves over a slope of grey, stamped, in real time; late frames are skipped, not hurried."""

    def __init__(self, width: int = 640, height: int = 480) -> None:
        super().__init__()
        self.width, self.height = width, height
        self.number = -1
        self._started = 0.0
        self._slope = bytes(40 + 150 * x // width for x in range(width)) * height

    async def recv(self) -> VideoFrame:
        """The next frame, when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        now = time.monotonic()
        if self.number < 0:
            self._started = now
        due = int((now - self._started) * FPS)
        self.number = max(self.number + 1, due)
        await asyncio.sleep(max(0.0, self._started + self.number / FPS - now))
        frame = self._draw(self.number)
        frame.pts = self.number * CLOCK_HZ // FPS
        frame.time_base = fractions.Fraction(1, CLOCK_HZ)
        return frame

    def _draw(self, number: int) -> VideoFrame:
        frame = VideoFrame(self.width, self.height, "yuv420p")
        luma = bytearray(self._slope)
        left = number * 4 % (self.width - 48)
        bar = bytes([225]) * 48
        for y in range(self.height // 4, self.height * 3 // 4):
            luma[y * self.width + left : y * self.width + left + 48] = bar
        stamp.draw(luma, self.width, self.width, self.height, stamp.now_us(), number)
        for plane, data in zip(frame.planes, (luma, None, None)):
            if data is None:
                plane.update(bytes([128]) * plane.buffer_size)
            elif plane.line_size == self.width:
                plane.update(bytes(data))
            else:
                padding = bytes(plane.line_size - self.width)
                rows = (data[y * self.width : (y + 1) * self.width] + padding for y in range(self.height))
                plane.update(b"".join(rows))
        return frame


class Frames:
    """Decodes a track and keeps when each frame came, which one it was, and how old."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.stamps: list[tuple[int, int] | None] = []
        self.ages_ms: list[float] = []
        self.sizes: set[tuple[int, int]] = set()
        self._tasks: list[asyncio.Task] = []

    def of(self, track) -> None:
        """Reads this track to its end."""
        self._tasks.append(asyncio.create_task(self._read(track)))

    async def _read(self, track) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.times.append(time.monotonic())
            self.sizes.add((frame.width, frame.height))
            read = stamp.read(frame)
            self.stamps.append(read)
            if read:
                self.ages_ms.append((stamp.now_us() - read[0]) / 1000)

    async def fresh(self, since: float) -> None:
        """Waits for a frame that was captured after that time (CLOCK_MONOTONIC, seconds)."""
        is_fresh = lambda: self.stamps and self.stamps[-1] and self.stamps[-1][0] > since * 1e6  # noqa: E731
        await until(is_fresh, "a frame of the new picture")

    async def rate(self, seconds: float, limit: float = PATIENCE) -> float:
        """Frames a second over the next `seconds` in which frames come."""
        first = len(self.times)
        enough = lambda: len(self.times) > first and self.times[-1] - self.times[first] >= seconds  # noqa: E731
        await until(enough, f"frames over {seconds:g} s (got {len(self.times) - first})", seconds + limit)
        times = self.times[first:]
        return (len(times) - 1) / (times[-1] - times[0])

    async def flow(self, seconds: float, size: tuple[int, int]) -> str:
        """Demands a live picture of that size for so long, and says what it was like."""
        first = len(self.times)
        rate = await self.rate(seconds)
        expect(rate >= LEAST_FPS, f"{rate:.1f} frames a second, at least {LEAST_FPS:g} are asked for")
        expect(self.sizes == {size}, f"sizes {self.sizes}, expected {size}")
        numbers = in_order(self.stamps[first:])
        age = sorted(self.ages_ms[-len(numbers) :])[len(numbers) // 2]
        return f"{rate:.1f} frames a second, {size[0]}x{size[1]}, half of them decoded within {age:.0f} ms"


def in_order(stamps: list[tuple[int, int] | None]) -> list[int]:
    """Demands that nearly every frame has its stamp and that their numbers rise; returns the numbers."""
    read = [one for one in stamps if one]
    expect(len(read) >= 0.95 * len(stamps) > 0, f"only {len(read)} of {len(stamps)} frames had a stamp")
    numbers = [number for _, number in read]
    falls = [(a, b) for a, b in zip(numbers, numbers[1:]) if b <= a]
    expect(not falls, f"frames out of order: {falls[:5]}")
    return numbers


class Inbox:
    """Keeps what arrives on a data channel, as it came."""

    def __init__(self, channel) -> None:
        self.channel = channel
        self.messages: list[str | bytes] = []
        self.opened_at: float | None = time.monotonic() if channel.readyState == "open" else None
        channel.on("open", self._opened)
        channel.on("message", self.messages.append)

    def _opened(self) -> None:
        self.opened_at = time.monotonic()

    async def open(self) -> None:
        """Waits until the channel can be used."""
        await until(lambda: self.channel.readyState == "open", f"channel {self.channel.label} to open")

    async def holds(self, message: str | bytes) -> None:
        """Waits for exactly this message, type included."""
        same = lambda: any(type(one) is type(message) and one == message for one in self.messages)  # noqa: E731
        try:
            await until(same, f"{message!r} on {self.channel.label}")
        except TimeoutError as err:
            raise TimeoutError(f"{err}; there were {self.messages[-5:]}") from None


def vanish(pc: RTCPeerConnection) -> None:
    """Cuts a peer off without a goodbye: its sockets are gone, nothing is sent and nothing heard any more."""
    transports = {transceiver.sender.transport.transport for transceiver in pc.getTransceivers()}
    if pc.sctp:
        transports.add(pc.sctp.transport.transport)
    for transport in transports:
        for protocol in transport._connection._protocols:
            protocol.transport.abort()
