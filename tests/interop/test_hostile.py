"""Viewers that send what no viewer sends, with the key and a place: they lose their place, and nobody else anything.

Some of these packets make the stack of 2026-11 panic in the task that drives its peer (rtc-sctp 0.21.1: an overlong cause).
A stack that takes them well is as good: then the viewer stays. Who fills what the stack keeps has to go.
"""

import asyncio

from aiortc.rtcsctptransport import AbortChunk, ErrorChunk, ForwardTsnChunk

from checks import Scenario, expect, main, until
from driver import COASTING, LIVE, NEUTRAL, STOOD_STILL, Driver, motion
from programs import Car, Spider

SIZE = (640, 480)
# The protocol id of a data channel's own messages. spec: RFC 8831 8.
DCEP = 50
# A cause that says that it is longer than its chunk.
OVERLONG = b"\x00\x0d\xff\xff\x00"


async def unknown_opening(driver: Driver) -> None:
    """A first message of the data channel protocol, of type 0."""
    await driver.pc.sctp._send(9, DCEP, b"\x00" * 12)


async def empty_opening(driver: Driver) -> None:
    """A first message without a type."""
    await driver.pc.sctp._send(11, DCEP, b"")


async def cut_opening(driver: Driver) -> None:
    """An opening message whose label is longer than the message."""
    await driver.pc.sctp._send(13, DCEP, b"\x03\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff")


async def overlong_error(driver: Driver) -> None:
    """An error with an overlong cause."""
    await driver.pc.sctp._send_chunk(chunk(ErrorChunk))


async def overlong_abort(driver: Driver) -> None:
    """An end with an overlong cause."""
    await driver.pc.sctp._send_chunk(chunk(AbortChunk))


async def many_channels(driver: Driver) -> None:
    """A hundred data channels."""
    for number in range(100):
        driver.pc.createDataChannel(f"more-{number}")


async def long_label(driver: Driver) -> None:
    """A data channel with a label of 60 kB."""
    driver.pc.createDataChannel("x" * 60_000)


async def far_ahead(driver: Driver) -> None:
    """A number that is two thousand million ahead."""
    await send_far_ahead(driver.pc)


async def send_far_ahead(pc) -> None:
    """Tells the other side not to wait for two thousand million messages that never were."""
    forward = ForwardTsnChunk()
    forward.cumulative_tsn = (pc.sctp._local_tsn + 0x7FFF0000) % (1 << 32)
    await pc.sctp._send_chunk(forward)


def chunk(kind):
    """A chunk whose body is not what aiortc would write."""
    made = kind()

    class Raw(kind):
        def __bytes__(self) -> bytes:
            body = OVERLONG
            return bytes([made.type, 0]) + (4 + len(body)).to_bytes(2) + body + b"\x00" * (-len(body) % 4)

    return Raw()


async def at_the_same_car(scenario: Scenario) -> None:
    """A driver drives while others send such packets."""
    car = await Car.start(scenario, *SIZE)
    place = await Spider.of(car.program)
    driver = Driver(scenario)
    async with scenario.check("a driver drives"):
        await driver.subscribe(place.plain)
        await driver.hears("car")
        await driver.drives(car)
    for hostile in (many_channels, long_label):
        async with scenario.check(f"{hostile.__doc__.split('.')[0].lower()}: its sender's session ends, and says why"):
            other = Driver(scenario)
            await other.subscribe(place.plain)
            await other.hears("car")
            said = "too many data channels, or a label that is too long"
            before = sum(said in line for line in car.program.log)
            await hostile(other)
            await until(lambda: sum(said in line for line in car.program.log) > before, "the word of it in the log")
            await other.pc.close()
            await other.signalling.close()
    for hostile in (unknown_opening, empty_opening, cut_opening, overlong_error, overlong_abort):
        async with scenario.check(f"{hostile.__doc__.split('.')[0].lower()}: its sender's socket ends, or it is a viewer as before"):
            other = Driver(scenario)
            await other.subscribe(place.plain)
            await other.hears("car")
            gone = sum("client gone" in line for line in car.program.log)
            panics = sum("panicked" in line for line in car.program.log)
            heard = len(other.own["metric"].messages)
            await hostile(other)

            def is_over() -> bool:
                left = sum("client gone" in line for line in car.program.log) > gone
                return left or len(other.own["metric"].messages) > heard + 10

            await until(is_over, "the end of its session, or telemetry as before")
            has_panicked = sum("panicked" in line for line in car.program.log) > panics
            scenario.say("the stack panicked" if has_panicked else "the stack took it")
            await other.pc.close()
            await other.signalling.close()
        async with scenario.check("the driver drives on"):
            expect(car.program.process.returncode is None, "the process is gone")
            await driver.drives(car)
    async with scenario.check(f"{far_ahead.__doc__.split('.')[0].lower()}: while his peer is busy with it, the driver drives and hears"):
        other = Driver(scenario)
        await other.subscribe(place.plain)
        await other.hears("car")
        gone = sum("client gone" in line for line in car.program.log)
        began = asyncio.get_running_loop().time()
        await far_ahead(other)
        # The longest wait for news of the car, until his session ends or the stack has shown that it is not busy.
        silence = newest = began
        told, worst = driver.car(), 0.0
        was_driven = False
        while sum("client gone" in line for line in car.program.log) == gone and newest - began < 8:
            driver.send(motion("forward", 10) if told["state"] in (LIVE, COASTING) else NEUTRAL)
            await asyncio.sleep(0.02)
            newest, before, told = asyncio.get_running_loop().time(), told["t_us"], driver.car()
            if told["t_us"] != before:
                silence = newest
            worst = max(worst, newest - silence)
            is_driven = told["state"] in (LIVE, COASTING)
            expect(is_driven or not was_driven or told["cause"] in STOOD_STILL, f"the car stopped: {told}")
            was_driven = is_driven
        scenario.say(f"at most {worst:.2f} s without news of the car in {newest - began:.1f} s")
        expect(worst < 1, f"there was no news of the car for {worst:.1f} s")
        await other.pc.close()
        await other.signalling.close()
    async with scenario.check("the driver drives on"):
        await driver.drives(car)
    async with scenario.check("who answers every check of ICE and never begins DTLS: his place is free again in half a minute"):
        other = Driver(scenario)

        async def never(_remote) -> None:
            await asyncio.Event().wait()

        for transport in (other.pc.sctp.transport, *(one.sender.transport for one in other.pc.getTransceivers())):
            transport.start = never
        gone = sum("client gone" in line for line in car.program.log)
        await other.subscribe(place.plain)
        # The stack gives up its handshake after 8 s, with an error; the Spider would after 20.
        await until(lambda: sum("client gone" in line for line in car.program.log) > gone, "the end of his session", 30)
        await other.pc.close()
        await other.signalling.close()
    async with scenario.check("the driver drives on"):
        await driver.drives(car)


if __name__ == "__main__":
    main({"hostile viewers": at_the_same_car})
