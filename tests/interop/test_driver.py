"""A viewer on aiortc drives our car through our Spider, whichever side opens the channels.

The judge of the driving is the actuator log. PROTOCOL.md 5.1: rules 7, 9, 10, 12, 13, 15 to 17.
"""

import json

from checks import Scenario, expect, main, until
from driver import NEUTRAL, Driver
from peers import LEAST_FPS
from programs import Car, Spider, is_neutral, spider

SIZE = (640, 480)


async def watches_and_drives(scenario: Scenario, driver: Driver, car: Car) -> None:
    """What every viewer must be able to do."""
    async with scenario.check(f"at least {LEAST_FPS:g} decoded frames a second over 5 s, in order"):
        scenario.say(await driver.frames.flow(5, SIZE))
    async with scenario.check("`car` metrics arrive"):
        told = await driver.hears("car", lambda value: value["link"] == 1)
        expect((told["v"], told["width"], told["height"]) == (1, *SIZE), f"{told}")
    async with scenario.check("neutral, then forward, moves the throttle"):
        await driver.drives(car)
        scenario.say(f"{car.now()['throttle_us']} us")
    async with scenario.check("a neutral command stops it"):
        driver.send(NEUTRAL)
        await car.moves(is_neutral, "neutral")


async def in_the_car(scenario: Scenario) -> None:
    """The car with its own Spider inside, over TLS; and what its signalling says."""
    car = await Car.start(scenario, *SIZE)
    place = await Spider.of(car.program)
    driver = Driver(scenario)
    async with scenario.check("rules 1, 9, 10: accepted over TLS, H.264, bundled"):
        await driver.subscribe(place.tls, place.fingerprint)
        for line in ("a=group:BUNDLE 0 1", "a=setup:active", "H264/90000", "a=sendonly"):
            expect(line in driver.answer, f"no {line} in the answer:\n{driver.answer}")
    await watches_and_drives(scenario, driver, car)
    async with scenario.check("rule 17: a command is not echoed to its sender"):
        expect(driver.own["stream"].messages == [], f"{driver.own['stream'].messages}")
    async with scenario.check("rule 12: `ping` gets `pong`"):
        await driver.signalling.send("ping", "")
        await until(lambda: driver.signalling.first("pong"), "pong")
    async with scenario.check("rule 16: a `ping` of the extension comes back as `pong` on metric, numbers unchanged"):
        driver.send('{"ping":{"id":4294967295,"t_ms":9007199254740991}}')
        pong = await driver.hears("pong")
        expect((pong["id"], pong["t_ms"]) == (4294967295, 9007199254740991), f"{pong}")
    async with scenario.check("`maxSpeed` is echoed with the value now in force"):
        driver.send('{"speed":{"key":"maxSpeed","value":420}}')
        echo = await driver.hears("speed")
        expect(echo == {"key": "maxSpeed", "value": 420}, f"{echo}")
    async with scenario.check("a second viewer sees and hears the same"):
        second = Driver(scenario)
        await second.subscribe(place.plain)
        scenario.say(await second.frames.flow(2, SIZE))
        await second.hears("car")
    async with scenario.check("the viewer vanishes while driving: the car stops by the age of its command"):
        await driver.drives(car)
        await driver.pc.close()
        await driver.signalling.close()
        write = await car.moves(is_neutral, "neutral")
        scenario.say(f"cause {write['cause']}")


async def servers_channels(scenario: Scenario) -> None:
    """Rule 15: the server opens channels too, or it alone."""
    for fault in ("server-channels", "only-server-channels"):
        place = await spider(scenario, fault)
        car = await Car.start(scenario, *SIZE, spider__url=place.plain)
        await car.program.said("link up")
        driver = Driver(scenario)
        async with scenario.check(f"rule 15, {fault}: the server opens metric, stream and drive"):
            await driver.subscribe(place.plain)
            for label in ("metric", "stream", "drive"):
                await until(lambda label=label: label in driver.servers, f"the server's {label}")
                await driver.servers[label].open()
        await watches_and_drives(scenario, driver, car)
        async with scenario.check(f"rule 15, {fault}: each metric comes once"):
            own, theirs = driver.own["metric"].messages, driver.servers["metric"].messages
            times = [json.loads(one)["car"]["t_us"] for one in own + theirs if "car" in json.loads(one)]
            expect(len(times) == len(set(times)), "the same metric on two channels")
            expect(not (own and fault.startswith("only")), "a metric on a channel that is ignored")


async def data_only(scenario: Scenario) -> None:
    """The old subscriber class asks for no media and opens what it likes: a data section alone."""
    car = await Car.start(scenario, *SIZE)
    place = await Spider.of(car.program)
    driver = Driver(scenario, video=False)
    async with scenario.check("an offer with nothing but a data section is answered, heard and obeyed"):
        await driver.subscribe(place.plain)
        expect("m=video" not in driver.answer, f"answer:\n{driver.answer}")
        await driver.hears("car")
        await driver.drives(car)


if __name__ == "__main__":
    main(
        {
            "driver": in_the_car,
            "driver, server's channels": servers_channels,
            "driver, data only": data_only,
        }
    )
