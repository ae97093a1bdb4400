"""One conversation of a hostile viewer: everything is done by aiortc as it should be, and hurt on its way out.

    aiortc ── SCTP packet ──▶ [chunks] ──▶ DTLS ──┐
           ── RTP, RTCP ────▶ [media] ──▶ SRTP ───┴──▶ datagram ──▶ [datagrams] ──▶ UDP
           ── offer ────────▶ [offer] ──▶ WebSocket

Where a layer is hurt is drawn from the seed, and how often; so is what is said that aiortc never would say, and how the
viewer goes. The keys are right, so what is hurt inside of DTLS arrives.

Promises: the same seed draws the same plan (what the network does with it is another matter); nothing outlives the
conversation. Knows nothing of: what the other side makes of it.
"""

import asyncio
import contextlib
import random

import aiohttp
from aiortc import RTCSessionDescription

import tamper
from peers import peer, vanish
from programs import CHANNEL

# choice: what a handshake takes on a busy machine, five times; who is not let in by then never is.
CONNECT_S = 5.0
# choice: a conversation that was let in says so much, and then another one begins.
SAYINGS = 150
# choice: what fits into a datagram.
STREAMS_AT_ONCE = 40
LAYERS = ("datagrams", "chunks", "media", "offer", "sayings", "streams")


class Wire:
    """An asyncio datagram transport that hurts what is sent."""

    def __init__(self, inner, rng: random.Random, rate: float) -> None:
        self._inner, self._rng, self._rate = inner, rng, rate

    def sendto(self, data: bytes, addr=None) -> None:
        """Sends it, or what became of it."""
        rng = self._rng
        if rng.random() < self._rate:
            match rng.randrange(4):
                case 0:
                    return
                case 1:
                    self._inner.sendto(data, addr)
                case 2:
                    self._inner.sendto(rng.choice(tamper.DATAGRAMS)(rng), addr)
                case _:
                    data = tamper.bend(rng, data)
        self._inner.sendto(data, addr)

    def __getattr__(self, name: str):
        return getattr(self._inner, name)


class Conversation:
    """A viewer with a plan."""

    def __init__(self, seed: int, base: str, key: str) -> None:
        self.rng = random.Random(seed)
        self.url = f"{base}/live/ws/sub?channel={CHANNEL}&key={key}"
        self.layer = self.rng.choice(LAYERS)
        self.rate = self.rng.choice((0.02, 0.1, 0.4))
        self.pc = peer()

    async def run(self) -> str:
        """All of it; says how far it came."""
        came = "refused"
        rejected = (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError, KeyError, IndexError, asyncio.InvalidStateError)
        try:
            async with aiohttp.ClientSession() as session:
                async with asyncio.timeout(CONNECT_S):
                    async with session.ws_connect(self.url) as socket:
                        await self._offer(socket)
                        came = "answered"
                        await self._connected()
                        came = "connected"
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(CONNECT_S / 2):
                                await self._talk()
                                came = "talked"
                        if self.rng.random() < 0.3:
                            vanish(self.pc)
        except rejected:
            pass  # whoever lies is sent away, and says so by how far he came
        finally:
            with contextlib.suppress(Exception):  # aiortc's own end may stumble over what was hurt
                await asyncio.wait_for(self.pc.close(), 2)
        return f"{self.layer}: {came}"

    async def _offer(self, socket) -> None:
        for label in ("metric", "stream"):
            self.pc.createDataChannel(label)
        self.pc.addTransceiver("video", direction="recvonly")
        await self.pc.setLocalDescription(await self.pc.createOffer())
        # All travels in one of these in the end (BUNDLE).
        for dtls in {self.pc.sctp.transport, *(one.sender.transport for one in self.pc.getTransceivers())}:
            if self.layer == "datagrams":
                for protocol in dtls.transport._connection._protocols:
                    protocol.transport = Wire(protocol.transport, self.rng, self.rate)
            self._hurt_sealed(dtls)
        sdp = self.pc.localDescription.sdp
        if self.layer == "offer":
            sdp = tamper.bend(self.rng, sdp.encode()).decode(errors="replace")
        await socket.send_json({"type": "offer", "data": sdp})
        async for frame in socket:
            message = frame.json()
            if message.get("type") == "answer":
                await self.pc.setRemoteDescription(RTCSessionDescription(message["data"], "answer"))
                return
        raise ConnectionError("the socket ended before an answer")

    async def _connected(self) -> None:
        while self.pc.sctp.state != "connected":
            if self.pc.connectionState in ("failed", "closed"):
                raise ConnectionError(self.pc.connectionState)
            await asyncio.sleep(0.01)

    def _hurt_sealed(self, dtls) -> None:
        """Hurts what goes into DTLS and SRTP."""
        rng = self.rng
        send_data, send_rtp = dtls._send_data, dtls._send_rtp

        async def data(packet: bytes) -> None:
            if self.layer == "chunks" and rng.random() < self.rate:
                packet = tamper.summed(packet[:12] + tamper.bend(rng, packet[12:]))
            await send_data(packet)

        async def rtp(packet: bytes) -> None:
            if self.layer == "media" and rng.random() < self.rate:
                packet = packet[:8] + tamper.bend(rng, packet[8:])
            # libsrtp refuses what has no head that it can read.
            with contextlib.suppress(Exception):
                await send_rtp(packet)

        dtls._send_data, dtls._send_rtp = data, rtp

    async def _talk(self) -> None:
        """Says what aiortc never would."""
        rng, sctp = self.rng, self.pc.sctp
        dtls = sctp.transport
        head = sctp._local_port.to_bytes(2) + sctp._remote_port.to_bytes(2) + sctp._remote_verification_tag.to_bytes(4) + bytes(4)
        for number in range(SAYINGS):
            match self.layer:
                case "datagrams" | "offer":
                    await dtls.transport._send(rng.choice(tamper.DATAGRAMS)(rng))
                case "chunks":
                    await dtls._send_data(tamper.summed(head + tamper.chunks(rng)))
                case "streams":
                    await dtls._send_data(tamper.summed(head + tamper.on_streams(sctp._local_tsn + STREAMS_AT_ONCE * number, number, STREAMS_AT_ONCE)))
                case "media":
                    await dtls._send_rtp(tamper.rtcp(rng, rng.getrandbits(32)) if rng.random() < 0.7 else tamper.rtp(rng))
                case _:
                    stream, what = rng.choice((0, 1, 2, 3, 9, 65534)), rng.random()
                    if what < 0.3:
                        await sctp._send(stream, 50, tamper.opening(rng))
                    else:
                        await sctp._send(stream, rng.choice((51, 53, 56, 57, 99)), tamper.words(rng))
            if rng.random() < 0.2:
                await asyncio.sleep(rng.choice((0, 0.001, 0.02)))
