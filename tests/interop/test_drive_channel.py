"""A publisher with a `drive` channel on aiortc: what a viewer's drive commands are on the way from our Spider to it.

Lost commands must be lost: one that is sent again arrives when it is no longer true, and behind it all that followed.
The judge is the wire: every DATA chunk that carries a drive command is looked at before aiortc sees it, and some are
taken away there. EXTENSION.md ("channel `drive`"), PROTOCOL.md 3.4, RFC 3758.
"""

import json

from aiortc.rtcsctptransport import SCTP_DATA_UNORDERED, DataChunk, ForwardTsnChunk
from aiortc.utils import uint32_gte
from checks import Scenario, expect, main, until
from driver import Driver
from old_car import OldCar
from peers import Inbox
from programs import spider

# Commands that are taken away. choice: more than SCTP's three missing reports, fewer than its window holds.
LOST = 12
# Commands that must arrive after those.
AFTER = 30


class Wire:
    """Sees every chunk that an association receives; takes away drive commands while told to."""

    def __init__(self, sctp) -> None:
        self.seen: list[tuple[int, bool]] = []
        self.lost: list[int] = []
        self.passed: list[int] = []
        self.given_up: int | None = None
        self.to_lose = 0
        self._receive = sctp._receive_chunk
        sctp._receive_chunk = self._look

    async def _look(self, chunk) -> None:
        if isinstance(chunk, ForwardTsnChunk):
            self.given_up = chunk.cumulative_tsn
        if isinstance(chunk, DataChunk) and chunk.user_data.startswith(b'{"drive"'):
            self.seen.append((chunk.tsn, bool(chunk.flags & SCTP_DATA_UNORDERED)))
            if self.to_lose > 0 and chunk.tsn not in self.lost:
                self.to_lose -= 1
                self.lost.append(chunk.tsn)
                return
            if chunk.tsn in self.lost:
                return  # sent again: counted above
            self.passed.append(chunk.tsn)
        await self._receive(chunk)

    def times(self, tsn: int) -> int:
        """How often a chunk came over the wire."""
        return sum(one == tsn for one, _ in self.seen)


async def never_sent_again(scenario: Scenario) -> None:
    """Commands to a publisher that opened `drive` arrive on a `drive` of the Spider: unordered, never sent again."""
    place = await spider(scenario)
    car, driver = OldCar(scenario), Driver(scenario, label="drive")
    car.drive = Inbox(car.pc.createDataChannel("drive", ordered=False, maxRetransmits=0))
    servers: list[Inbox] = []
    car.pc.on("datachannel", lambda channel: servers.append(Inbox(channel)))
    await car.publish(place.plain)
    await car.ready()
    wire = Wire(car.pc.sctp)
    await driver.subscribe(place.plain)
    await driver.own["drive"].open()
    seq = 0

    def another() -> None:
        nonlocal seq
        seq += 1
        drive = {"seq": seq, "t_ms": seq * 20, "throttle": 100, "steering": 0, "lease": 7}
        driver.send_on("drive", json.dumps({"drive": drive}, separators=(",", ":")))

    async def until_driven(condition, what: str) -> None:
        def step():
            another()
            return condition()

        await until(step, what)

    async with scenario.check("the Spider opens a `drive` of its own: unordered, no retransmission"):
        await until(lambda: servers, "a channel that the Spider opens")
        opened = [(one.channel.label, one.channel.ordered, one.channel.maxRetransmits) for one in servers]
        expect(opened == [("drive", False, 0)], f"{opened}")
    async with scenario.check("commands arrive there, each once, none of them ordered"):
        await until_driven(lambda: len(servers[0].messages) >= AFTER, "commands on the Spider's `drive`")
        first = json.loads(servers[0].messages[0])["drive"]["seq"]
        before = wire.seen[first:]
        expect(all(unordered for _, unordered in before), f"ordered: {before}")
    async with scenario.check(f"{LOST} lost commands are given up, not sent again, and those after them arrive"):
        wire.to_lose = LOST
        await until_driven(lambda: len(wire.lost) == LOST, f"{LOST} lost commands")
        passed = len(wire.passed)
        await until_driven(lambda: len(wire.passed) >= passed + AFTER, "commands behind the lost ones")
        given_up = lambda: wire.given_up is not None and uint32_gte(wire.given_up, max(wire.lost))  # noqa: E731
        await until_driven(given_up, "a FORWARD-TSN over the lost commands")
        again = {tsn: wire.times(tsn) for tsn in wire.lost if wire.times(tsn) > 1}
        expect(not again, f"sent again: {again}")
        scenario.say(f"{len(wire.seen)} seen, {len(wire.lost)} lost, 0 sent again")


if __name__ == "__main__":
    main({"drive channel": never_sent_again})
