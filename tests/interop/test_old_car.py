"""An old car (aiortc) publishes through our Spider; `spidercar watch` records it and sends it commands.

The judge of the video is PyAV, which decodes the recording and reads the stamp of each frame; the judge of the channels
is equality, byte for byte. PROTOCOL.md 5.1: rules 1, 3, 5, 9 to 11, 13, 15, 16, 18, 20.
"""

import asyncio
import subprocess
import time

import av

import stamp
from checks import Scenario, expect, main, until, within
from driver import NEUTRAL, Driver, motion
from old_car import OldCar
from peers import FPS, LEAST_FPS, in_order
from programs import CHANNEL, Program, spider
from signalling import Refused

# Seconds of video that are recorded.
RECORDED = 5.0

METRICS = [
    '{"ir":{"key":"detectTime","value":1638498072.81}}',
    '{"speed":{"key":"maxSpeed","value":420}}',
    '"hi metric"',
    '{ "later" : [1, 2.50, null], "text":"\\u00e9 é 자동차 \\t" }',
]
COMMANDS = [
    motion("forward", 0),
    motion("forward", 7),
    '{"motion": {"value": 3.0, "key": "left"}, "note":"é 자동차"}',
    '{"speed":{"key":"maxSpeed","value":420}}',
]


def decode(path) -> tuple[list, set]:
    """Stamps and sizes of the frames of a recording."""
    stamps, sizes = [], set()
    with av.open(str(path), format="h264") as container:
        for frame in container.decode(video=0):
            stamps.append(stamp.read(frame))
            sizes.add((frame.width, frame.height))
    return stamps, sizes


async def recorded(scenario: Scenario, car: OldCar, watch: Program, file) -> str:
    """Records for a while, ends the viewer, and demands a live picture in the file."""
    await watch.said("first frame")
    began, first = time.monotonic(), car.picture.number
    await until(lambda: car.picture.number >= first + RECORDED * FPS, "the old car to film")
    expect(await watch.end() == 0, "watch did not end with 0")
    seconds = time.monotonic() - began
    stamps, sizes = decode(file)
    numbers = in_order(stamps)
    rate = len(stamps) / seconds
    expect(rate >= LEAST_FPS, f"{rate:.1f} decoded frames a second")
    expect(sizes == {(car.picture.width, car.picture.height)}, f"sizes {sizes}")
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    return f"{len(stamps)} frames, {rate:.1f} a second, {missing} of their numbers missing"


async def through_our_spider(scenario: Scenario) -> None:
    """The whole way, over TLS on the publisher's side and plain on the viewer's."""
    place = await spider(scenario)
    file = scenario.folder / "old-car.h264"
    car = OldCar(scenario)
    async with scenario.check("rules 1, 9: accepted over TLS with the pinned self-signed certificate"):
        await car.publish(place.tls, place.fingerprint)
    async with scenario.check("rules 5, 9, 10: one answer, bundled, H.264, active, every candidate in it"):
        kinds = [message["type"] for message in car.signalling.heard]
        expect(kinds.count("answer") == 1, f"heard {kinds}")
        for line in ("a=group:BUNDLE 0 1", "a=setup:active", "H264/90000", "a=candidate:", "a=end-of-candidates"):
            expect(line in car.answer, f"no {line} in the answer:\n{car.answer}")
        for line in ("VP8", "a=sctpmap:"):
            expect(line not in car.answer, f"{line} in the answer:\n{car.answer}")
    async with scenario.check("all three channels of the old car open"):
        await car.ready()
    watch = await Program.start(
        scenario, "watch", place.plain, "--channel", CHANNEL, "--record", str(file)
    )
    async with scenario.check("rule 13: the old car hears that somebody joined, as a string"):
        joins = await until(lambda: car.signalling.first("joins"), "joins")
        expect(isinstance(joins["data"], str), f"{joins}")
    async with scenario.check("metrics arrive byte for byte, one a line, in order"):
        # A metric that was sent before the viewer's channel is open has nobody to go to: send until one arrives.
        hello = '{"hello":0}'

        def arrived():
            if hello.encode() not in watch.out:
                car.metric.channel.send(hello)
            return hello.encode() in watch.out

        await until(arrived, "a first metric")
        for text in METRICS:
            car.metric.channel.send(text)
        await watch.printed(lambda line: line == METRICS[-1].encode(), METRICS[-1])
        told = [line for line in watch.out if line != hello.encode()]
        expect(told == [text.encode() for text in METRICS], f"got {told}")
    async with scenario.check("commands arrive on `stream` byte for byte, as text"):
        for text in COMMANDS:
            await watch.write(text)
            await car.stream.holds(text)
        expect(car.stream.messages == COMMANDS, f"got {car.stream.messages}")
        others = car.metric.messages + car.default.messages
        expect(not others, f"on other channels: {others}")
    async with scenario.check(f"rule 16: the recording decodes to at least {LEAST_FPS:g} frames a second"):
        scenario.say(await recorded(scenario, car, watch, file))
    async with scenario.check("ffprobe calls the recording H.264 and finds nothing wrong with it"):
        probe = ["ffprobe", "-v", "error", "-f", "h264", "-select_streams", "v:0", "-show_entries"]
        probe += ["stream=codec_name,profile,width,height", "-of", "csv=p=0", str(file)]
        done = await asyncio.to_thread(subprocess.run, probe, capture_output=True, text=True, timeout=20)
        expect(done.stderr == "", f"ffprobe complains: {done.stderr}")
        expect(done.stdout.strip() == "h264,Constrained Baseline,640,480", f"ffprobe says {done.stdout}")
    async with scenario.check("rule 18: a second old car on the channel is dropped, the first goes on"):
        try:
            await OldCar(scenario).publish(place.plain)
        except Refused:
            pass
        else:
            raise AssertionError("two publishers on one channel")
        expect(car.pc.connectionState == "connected", f"the first is {car.pc.connectionState}")


async def vp8_on_request(scenario: Scenario) -> None:
    """Rule 10: `vcodec=vp8` gives VP8, and a viewer who comes later gets that."""
    place = await spider(scenario)
    car, driver = OldCar(scenario), Driver(scenario)
    async with scenario.check("rule 10: vcodec=vp8 is answered with VP8 alone"):
        await car.publish(place.plain, query="&vcodec=vp8")
        expect("VP8/90000" in car.answer and "H264" not in car.answer, f"answer:\n{car.answer}")
        await car.ready()
    async with scenario.check("rule 10: the viewer gets VP8 and decodes it"):
        await driver.subscribe(place.plain)
        scenario.say(await driver.frames.flow(3, (640, 480)))


async def held_to_brate(scenario: Scenario) -> None:
    """Rule 20: REMB at `brate` reaches the old car's encoder."""
    place = await spider(scenario, "enforce")
    car = OldCar(scenario)
    async with scenario.check("rule 20: the old car's encoder obeys brate=700"):
        await car.publish(place.plain, query="&brate=700&ktime=100")
        encoder = lambda: getattr(car.sender, "_RTCRtpSender__encoder", None)  # noqa: E731
        at_rate = lambda: encoder() and encoder().target_bitrate == 700_000  # noqa: E731
        await until(at_rate, "a target of 700 kbit/s")


async def oddities(scenario: Scenario) -> None:
    """Rules 6 and 14: what a Spider may do around its answer does not keep an old car out."""
    for fault in ("trickle", "late-answer"):
        place = await spider(scenario, fault)
        car = OldCar(scenario)
        async with scenario.check(f"with fault {fault} the old car connects and its channels open"):
            await car.publish(place.plain)
            await car.ready()


async def comings_and_goings(scenario: Scenario) -> None:
    """Rules 19 and 21: viewer first, then an old car, which goes and comes again."""
    place = await spider(scenario)
    driver = Driver(scenario)
    async with scenario.check("rule 19: a viewer before any publisher is answered"):
        await driver.subscribe(place.plain)
        await driver.own["stream"].open()
    for time_word in ("first", "second"):
        car = OldCar(scenario)
        async with scenario.check(f"rule 19: the {time_word} old car that comes is seen, driven and heard"):
            await car.publish(place.plain)
            await car.ready()
            await driver.frames.fresh(car.answer_applied_at)
            scenario.say(await driver.frames.flow(2, (640, 480)))
            driver.send(NEUTRAL)
            await car.stream.holds(NEUTRAL)
            car.metric.channel.send(f'{{"car":"{time_word}"}}')
            await driver.own["metric"].holds(f'{{"car":"{time_word}"}}')
        if time_word == "first":
            async with scenario.check("rule 21: when the old car's socket closes its peer is closed, the viewer stays"):
                await car.signalling.close()
                await until(lambda: car.pc.connectionState in ("closed", "failed"), "the old car's peer to close")
                expect(driver.pc.connectionState == "connected", f"the viewer is {driver.pc.connectionState}")
                await within(5, car.pc.close(), "the old car to close")


if __name__ == "__main__":
    main(
        {
            "old car": through_our_spider,
            "old car, VP8": vp8_on_request,
            "old car, rate": held_to_brate,
            "old car, oddities": oddities,
            "old car, again": comings_and_goings,
        }
    )
