"""Strangers without a key: what anybody may send to the ports of a car, at some rate.

    pieces       plaintext DTLS at the media ports, from ports that answered nothing
    checks       STUN that names nobody, or lies
    guesses      WebSockets with a wrong key, of another origin, for another host
    idlers       connections that say nothing, or half a request
    junk         bytes that are no HTTP and no TLS

Promises: each stranger ends when it is cancelled; what the other side does is its business.
"""

import asyncio
import contextlib
import random
import socket

import aiohttp

import tamper
from programs import CHANNEL

# choice: what one stranger may have open. The Spider's own limits are lower.
IDLE_CONNECTIONS = 40


async def flood(rng: random.Random, ports: list[int], make, per_s: float) -> None:
    """Datagrams to all of these ports; each batch is from a port of its own."""
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            for _ in range(max(1, int(per_s / 10))):
                for port in ports:
                    with contextlib.suppress(OSError):
                        await loop.sock_sendto(sender, make(rng), ("127.0.0.1", port))
        await asyncio.sleep(0.1)


async def guesses(rng: random.Random, port: int, per_s: float) -> None:
    """Doors that must stay shut."""
    async with aiohttp.ClientSession() as session:
        while True:
            url = f"http://127.0.0.1:{port}/live/ws/{rng.choice(('sub', 'pub', 'up', ''))}?channel={CHANNEL}&key={rng.randbytes(4).hex()}"
            headers = rng.choice(({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Authorization": "Bearer " + "x" * 3000}, {}))
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with asyncio.timeout(3):
                    async with session.ws_connect(url, headers=headers) as opened:
                        await opened.close()
            await asyncio.sleep(1 / per_s)


async def idlers(rng: random.Random, port: int, per_s: float) -> None:
    """Connections that stay as long as they are let."""
    held: list[asyncio.StreamWriter] = []
    try:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(rng.choice((b"", b"GET / HTTP/1.1\r\n", b"GET /", b"\x16\x03\x01\x02\x00\x01")))
                held.append(writer)
            if len(held) > IDLE_CONNECTIONS:
                held.pop(0).close()
            await asyncio.sleep(1 / per_s)
    finally:
        for writer in held:
            writer.close()


async def junk(rng: random.Random, port: int, per_s: float) -> None:
    """Requests that are none."""
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                line = rng.choice((b"GET /../../etc/shadow HTTP/1.1", b"\x16\x03\x01\xff\xff", b"GET /%00%ff HTTP/9.9", b"PRI * HTTP/2.0"))
                writer.write(line + b"\r\n" + b"A: " + rng.randbytes(rng.choice((10, 9000, 70_000))) + b"\r\n\r\n")
                await reader.read(200)
                writer.close()
        await asyncio.sleep(1 / per_s)


async def deaf(_rng: random.Random, base: str, key: str, per_s: float) -> None:
    """A viewer's socket that pings and reads nothing."""
    async with aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError, OSError):
                async with session.ws_connect(f"{base}/live/ws/sub?channel={CHANNEL}&key={key}", autoping=False) as opened:
                    for _ in range(2000):
                        await asyncio.wait_for(opened.ping(bytes(120)), 1)
            await asyncio.sleep(1 / per_s)


def all_of(rng: random.Random, base: str, ports: dict[str, list[int]], key: str, share: float) -> list:
    """All kinds at once; `share` of the rates of the attacks that once succeeded (findings D1, D3, D6, D11)."""
    (plain, tls), media = ports["tcp"], ports["udp"]
    return [
        flood(rng, media, tamper.dtls, 2000 * share),
        flood(rng, media, tamper.stun, 2000 * share),
        flood(rng, media, tamper.rtp, 1000 * share),
        guesses(rng, plain, 100 * share),
        idlers(rng, plain, 100 * share),
        idlers(rng, tls, 100 * share),
        junk(rng, plain, 50 * share),
        junk(rng, tls, 50 * share),
        deaf(rng, base, key, 10 * share),
    ]
