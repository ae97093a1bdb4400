"""The WebRTC stack of the old cars (aiortc 1.9) at our Spider.

That stack gives each media section its own ICE credentials and speaks the legacy dialect for data (`DTLS/SCTP 5000`,
`a=sctpmap`). The old program replaced all credentials by the first pair before it sent the offer. Runs in an environment
of its own (requirements-legacy.txt). PROTOCOL.md 3.1, 3.2; 5.1: rules 8, 9.
"""

import aiortc

from checks import Scenario, expect, main, until
from driver import NEUTRAL, Driver
from old_car import OldCar, sdp_update
from programs import CHANNEL, Car, Program, Spider, spider
from signalling import Refused

SIZE = (640, 480)


def is_the_old_stack() -> bool:
    """Whether this environment is the one that it should be."""
    return tuple(int(part) for part in aiortc.__version__.split(".")[:2]) < (1, 15)


async def publishes(scenario: Scenario) -> None:
    """With its credentials as they are it is dropped, with the old program's repair it drives."""
    place = await spider(scenario)
    async with scenario.check("this is the old stack: an offer with two ufrags and legacy data lines"):
        expect(is_the_old_stack(), f"aiortc {aiortc.__version__}")
        raw = OldCar(scenario)
        await raw.pc.setLocalDescription(await raw.pc.createOffer())
        offer = raw.pc.localDescription.sdp
        expect(len({line for line in offer.splitlines() if line.startswith("a=ice-ufrag:")}) == 2, offer)
        expect("DTLS/SCTP 5000\r\n" in offer and "a=sctpmap:5000 webrtc-datachannel" in offer, offer)
    async with scenario.check("rule 8: different credentials in one offer are dropped, without a word"):
        car = OldCar(scenario)
        try:
            await car.publish(place.plain)
        except Refused:
            pass
        else:
            raise AssertionError("accepted")
        expect(car.signalling.heard == [], f"heard {car.signalling.heard}")
        await place.program.said("offer refused")
    file = scenario.folder / "legacy.h264"
    car = OldCar(scenario)
    async with scenario.check("rules 8, 9: with the old program's sdpUpdate it is answered, in its own dialect"):
        await car.publish(place.tls, place.fingerprint, rewrite=sdp_update)
        for line in ("a=group:BUNDLE 0 1", "a=setup:passive", "a=sctpmap:5000 webrtc-datachannel"):
            expect(line in car.answer, f"no {line} in the answer:\n{car.answer}")
        expect("DTLS/SCTP 5000\r\n" in car.answer, f"answer:\n{car.answer}")
        for line in ("a=sctp-port", "UDP/DTLS/SCTP"):
            expect(line not in car.answer, f"{line} in the answer:\n{car.answer}")
    async with scenario.check("its three channels open"):
        await car.ready()
    watch = await Program.start(scenario, "watch", place.plain, "--channel", CHANNEL, "--record", str(file))
    async with scenario.check("watch sees its video"):
        await watch.said("first frame")
        size = lambda: file.stat().st_size if file.exists() else 0  # noqa: E731
        await until(lambda: size() > 50_000, "a recording that grows")
    async with scenario.check("a metric and a command cross byte for byte"):
        metric = '{"ir":{"key":"detectTime","value":1638498072.81}}'

        def arrived():
            if metric.encode() not in watch.out:
                car.metric.channel.send(metric)
            return metric.encode() in watch.out

        await until(arrived, "the metric")
        await watch.write(NEUTRAL)
        await car.stream.holds(NEUTRAL)
    driver = Driver(scenario)
    async with scenario.check("a viewer on the same stack decodes its video"):
        await driver.subscribe(place.plain, rewrite=sdp_update)
        scenario.say(await driver.frames.flow(2, SIZE))


async def watches(scenario: Scenario) -> None:
    """The old subscriber class: no repair of credentials, hence one section, and that is data."""
    car = await Car.start(scenario, *SIZE)
    place = await Spider.of(car.program)
    driver = Driver(scenario, video=False)
    async with scenario.check("a data-only viewer of the old stack hears and drives our car"):
        await driver.subscribe(place.plain)
        expect("a=sctpmap:5000" in driver.answer, f"answer:\n{driver.answer}")
        await driver.hears("car")
        await driver.drives(car)


if __name__ == "__main__":
    main({"legacy stack": publishes, "legacy stack, viewer": watches})
