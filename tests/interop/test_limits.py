"""What fills up, and what keeps a stack busy: strangers at the doors of a Spider, and a Spider that is itself hostile.

    stranger ──▶ Spider of a car          doors close by themselves
    hostile Spider (aiortc here) ──▶ car  it leaves, dials again, and is driven by an honest one

Sources: src/SECURITY.md, the limits; RFC 3758 (FORWARD TSN).
"""

import asyncio
import contextlib
import time

import aiohttp

from checks import Scenario, expect, main, within
from programs import CHANNEL, Car, Spider, is_neutral, resident_mb
from server import Client, Server
from test_hostile import send_far_ahead

SIZE = (320, 240)
# spec: src/spider/tls.rs HANDSHAKE_TIMEOUT, session.rs OFFER_LIMIT: 10 s both. choice: half, and twice and a half of it.
SOONEST_S, LATEST_S = 5.0, 25.0
# choice: what a picture and a session more take.
MORE_MB = 12.0
# How it is seen that the car has left, by who still writes.
LEFT = (ConnectionError, aiohttp.ClientError)


async def lasted(began: float, end) -> float:
    """How long it took until that ended, however it did."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await end
    return time.monotonic() - began


async def doors(scenario: Scenario) -> None:
    """Who comes in and does nothing."""
    car = await Car.start(scenario, *SIZE)
    place = await Spider.of(car.program)
    port = int(place.tls.rsplit(":", 1)[1])
    async with scenario.check("a TLS handshake that does not go on, and a socket without an offer, are ended"):
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01\x02\x00\x01")
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{place.plain}/live/ws/sub?channel={CHANNEL}") as socket:

                async def told() -> None:
                    async for _ in socket:
                        pass

                waits = asyncio.gather(lasted(began, reader.read()), lasted(began, told()))
                handshake, offer = await within(LATEST_S, waits, "both to be ended")
        writer.close()
        expect(min(handshake, offer) > SOONEST_S, f"after {handshake:.1f} and {offer:.1f} s")
        scenario.say(f"after {handshake:.1f} and {offer:.1f} s")


async def hostile_spider(scenario: Scenario) -> None:
    """A Spider that says too much, or what keeps the car's stack busy."""
    server = await Server.start(scenario)
    car = await Car.start(scenario, *SIZE, spider__url=server.url)
    client = await server.client()
    async with scenario.check("a message of 1 MB: the car leaves, and dials again"):
        with contextlib.suppress(*LEFT):
            await client.socket.send_str('{"type":"answer","data":"' + "x" * 1_000_000 + '"}')
        client = await server.client()
    async with scenario.check("20,000 candidates and descriptions: it takes no memory for them, and drives for who answers"):
        before = resident_mb(car.program.process.pid)
        with contextlib.suppress(*LEFT):
            for number in range(10_000):
                address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
                await client.socket.send_json({"type": "candidate", "data": f"candidate:1 1 udp 1 {address} 9 typ host"})
                await client.socket.send_json({"type": "candidate2", "data": "x" * 2_000})
        client = await one_that_drives(server, car, client)
        after = resident_mb(car.program.process.pid)
        expect(after < before + MORE_MB, f"{before:.1f} MB before, {after:.1f} after")
        scenario.say(f"{before:.1f} MB before, {after:.1f} after")
    async with scenario.check("a number that is two thousand million ahead, from the Spider: neutral at once"):
        began = time.monotonic()
        await send_far_ahead(client.pc)
        write = await car.moves(is_neutral, "neutral")
        scenario.say(f"{write['t_us'] / 1000 - began * 1000:.0f} ms, cause {write['cause']}")
    async with scenario.check("the car leaves the peer that is busy behind, and is driven by the next"):
        await one_that_drives(server, car, client)
        scenario.say(f"{time.monotonic() - began:.1f} s later")


async def one_that_drives(server: Server, car: Car, client: Client) -> Client:
    """A Spider's answer to the car, which is driven then; to its next offer where it has left this one."""
    if client.socket.closed or client.answered_at:
        client = await server.client(60)
    await client.answer()
    await client.channel("stream")
    await client.drives(car)
    return client


if __name__ == "__main__":
    main({"doors": doors, "hostile Spider": hostile_spider})
