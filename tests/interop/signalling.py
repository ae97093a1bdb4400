"""The client's end of Spider's signalling, as the old program spoke it: one complete offer, one answer, no trickle.

Promises: every inbound frame is kept; TLS accepts one certificate by its fingerprint, or none at all. Knows nothing of:
what is offered. Sources: PROTOCOL.md 1, 2.1 to 2.5.
"""

import asyncio
import json

import aiohttp
from aiortc import RTCPeerConnection, RTCSessionDescription

from checks import PATIENCE, Scenario, until


class Refused(Exception):
    """The server dropped the socket before an answer."""


class Signalling:
    """One WebSocket to a Spider."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[dict] = []
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, scenario: Scenario, url: str, fingerprint: bytes | None = None) -> "Signalling":
        """Connects; `fingerprint` is the SHA-256 of the one certificate to accept."""
        session = aiohttp.ClientSession()
        scenario.clean.push_async_callback(session.close)
        trust = {"ssl": aiohttp.Fingerprint(fingerprint)} if fingerprint else {}
        signalling = cls(await session.ws_connect(url, **trust))
        scenario.clean.push_async_callback(signalling.close)
        return signalling

    async def _read(self) -> None:
        async for frame in self.socket:
            if frame.type == aiohttp.WSMsgType.TEXT:
                self.heard.append(json.loads(frame.data))

    async def send(self, kind: str, data: str) -> None:
        """Sends one message."""
        await self.socket.send_json({"type": kind, "data": data})

    def first(self, kind: str) -> dict | None:
        """The first message of a type."""
        return next((message for message in self.heard if message.get("type") == kind), None)

    async def answered(self, limit: float = PATIENCE) -> str:
        """Waits for the answer; a socket that ends instead is a refusal."""
        await until(lambda: self.first("answer") or self._reader.done(), "an answer", limit)
        answer = self.first("answer")
        if not answer:
            raise Refused(f"the socket ended before an answer; heard {[one.get('type') for one in self.heard]}")
        return answer["data"]

    async def negotiate(self, pc: RTCPeerConnection, rewrite=lambda sdp: sdp) -> str:
        """Offers with all candidates, as the old program did, applies the answer and returns it."""
        await pc.setLocalDescription(await pc.createOffer())
        await self.send("offer", rewrite(pc.localDescription.sdp))
        answer = await self.answered()
        await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return answer

    async def close(self) -> None:
        """Closes the socket and ends the reader."""
        await self.socket.close()
        await self._reader
