"""A Spider in another hand: an aiohttp WebSocket server that answers a publisher's offer itself, with an aiortc peer.

    publisher ──ws──▶ Server ──▶ Publication: query, frames heard, peer, its channels and its video

It does what PROTOCOL.md says of a server and nothing more: one complete answer, no trickle. A test scripts the rest.

Promises: binds loopback on a free port; whatever a client opened is closed with the scenario. Knows nothing of: our
program.
"""

import asyncio
import json
import ssl
import time

import aiohttp
from aiohttp import web
from aiortc import RTCSessionDescription

from checks import PATIENCE, Scenario, until
from driver import drive, motion
from peers import Frames, Inbox, peer


class Client:
    """One WebSocket of a publisher or viewer, and the peer that answers it."""

    def __init__(self, role: str, query: dict, socket: web.WebSocketResponse) -> None:
        self.role = role
        self.query = query
        self.socket = socket
        self.heard: list[dict] = []
        self.pc = peer()
        self.frames = Frames()
        self.channels: dict[str, Inbox] = {}
        self.channel_at: dict[str, float] = {}
        self.own: dict[str, Inbox] = {}
        self.offered_at = 0.0
        self.answered_at = 0.0
        self.pc.on("track", self.frames.of)
        self.pc.on("datachannel", self._opened)

    def _opened(self, channel) -> None:
        self.channel_at[channel.label] = time.monotonic()
        self.channels[channel.label] = Inbox(channel)

    @property
    def offer(self) -> str:
        """The offer, once it is there."""
        return next((message["data"] for message in self.heard if message.get("type") == "offer"), "")

    def open_channel(self, label: str) -> Inbox:
        """Opens a channel from this side."""
        self.own[label] = Inbox(self.pc.createDataChannel(label))
        return self.own[label]

    async def answer(self, rewrite=lambda sdp: sdp) -> str:
        """Answers the offer, with every candidate in the answer, and returns what was sent."""
        await self.pc.setRemoteDescription(RTCSessionDescription(self.offer, "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        sdp = rewrite(self.pc.localDescription.sdp)
        self.answered_at = time.monotonic()
        await self.socket.send_json({"type": "answer", "data": sdp})
        return sdp

    async def channel(self, label: str) -> Inbox:
        """Waits until the client has opened this channel."""
        await until(lambda: label in self.channels, f"the client to open {label}")
        return self.channels[label]

    async def hears(self, group: str, condition=lambda value: True) -> dict:
        """Waits for a metric of a group."""
        metric = await self.channel("metric")

        def look():
            read = (json.loads(message) for message in reversed(metric.messages))
            return next((one[group] for one in read if group in one and condition(one[group])), None)

        return await until(look, f"a metric of group {group}")

    def car(self) -> dict | None:
        """The newest telemetry of the car."""
        metric = self.channels.get("metric")
        read = (json.loads(message) for message in reversed(metric.messages if metric else []))
        return next((one["car"] for one in read if "car" in one), None)

    async def drives(self, car, stream: Inbox | None = None, command=motion("forward", 10), holds=None) -> None:
        """Arms and drives off, over this channel or the car's own `stream`."""
        stream = stream or await self.channel("stream")
        await drive(car, stream.channel.send, self.car, command, holds)

    async def drives_on(self, car, before: int) -> bool:
        """Whether it still goes forward as it did after its first `before` writes; one that only stood still with this
        computer is armed again first, and must go forward then."""
        if not car.is_forward() and car.stood_still(before):
            print("        | this computer stood still, and the car stopped: armed again", flush=True)
            await self.drives(car)
        return car.is_forward()

    async def close(self) -> None:
        """Says goodbye on all levels."""
        await self.pc.close()
        await self.socket.close()


class Server:
    """The server; what it does with a client is decided by the test that calls `client`."""

    def __init__(self, scenario: Scenario, context: ssl.SSLContext | None) -> None:
        self.scenario = scenario
        self.context = context
        self.clients: list[Client] = []
        self.refused = 0
        self.is_accepting = True
        self._taken = 0
        self.port = 0

    @classmethod
    async def start(cls, scenario: Scenario, context: ssl.SSLContext | None = None) -> "Server":
        """Starts it; `context` makes it a TLS server."""
        server = cls(scenario, context)
        app = web.Application()
        app.router.add_get("/live/ws/{role}", server._serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context, shutdown_timeout=1)
        await site.start()
        server.port = site._server.sockets[0].getsockname()[1]
        scenario.clean.push_async_callback(runner.cleanup)
        scenario.clean.push_async_callback(server._close_clients)
        return server

    @property
    def url(self) -> str:
        """Its address, for `spider.url`."""
        return f"{'wss' if self.context else 'ws'}://127.0.0.1:{self.port}"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if not self.is_accepting:
            self.refused += 1
            raise web.HTTPServiceUnavailable(text="not now")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client = Client(request.match_info["role"], dict(request.query), socket)
        self.clients.append(client)
        async for frame in socket:
            if frame.type == aiohttp.WSMsgType.TEXT:
                client.heard.append(json.loads(frame.data))
                if client.offer and not client.offered_at:
                    client.offered_at = time.monotonic()
        return socket

    async def client(self, limit: float = PATIENCE) -> Client:
        """Waits for the next client that has sent its offer."""
        number = self._taken
        there = lambda: len(self.clients) > number and self.clients[number].offer  # noqa: E731
        await until(there, "a client with its offer", limit)
        self._taken += 1
        return self.clients[number]

    async def _close_clients(self) -> None:
        await asyncio.gather(*(client.close() for client in self.clients), return_exceptions=True)
