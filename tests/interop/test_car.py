"""Our car publishes to a server whose WebRTC is aiortc: video, telemetry, legacy commands, and what happens when it dies.

The judge of the driving is the actuator log. The server answers the offer itself, with all candidates in the answer.
PROTOCOL.md 5.2: questions 1, 2, 8 to 13, 19, 23.
"""

import re
import time

from aiortc import RTCSessionDescription
from checks import Scenario, expect, main, until
from driver import LIVE, NEUTRAL, motion
from peers import LEAST_FPS, vanish
from programs import CHANNEL, FORWARD_ZERO_US, THROTTLE_MAX_US, Car, is_neutral
from server import Client, Server

SIZE = (640, 480)
# The bit in `refusals` of a driver who must let go of the throttle first.
NOT_NEUTRAL = 2
# A link whose commands do not grow old, so that only its end can stop the car.
UNTIL_THE_LINK_DIES = {"failsafe__legacy_age_ms": 0}
# How often a check is done anew because this computer stood still in it.
ATTEMPTS = 8


async def car_at(scenario: Scenario, server: Server, **keys) -> tuple[Car, Client]:
    """A car, and the server's side of it before the answer."""
    car = await Car.start(scenario, *SIZE, spider__url=server.url, **keys)
    return car, await server.client()


async def published(scenario: Scenario) -> None:
    """The whole way: what is offered, what arrives, what is obeyed."""
    server = await Server.start(scenario)
    car, client = await car_at(scenario, server)
    async with scenario.check("the address has channel, brate and ktime as the old car's, and vcodec"):
        want = {"channel": CHANNEL, "brate": "2500", "ktime": "100", "vcodec": "h264"}
        query = dict(client.query)
        # Behind them stands what our own Spider knows the car's ghost by (rule 18); others leave out what they do not know.
        instance = query.pop("instance", "")
        expect((client.role, query) == ("pub", want), f"{client.role} {client.query}")
        expect(re.fullmatch("[0-9a-f]{64}", instance), f"instance {instance!r}")
    async with scenario.check("questions 1, 10, 11: one complete offer: video, data, one ufrag, bundled, H.264"):
        lines = client.offer.splitlines()
        media = [line.split()[0] for line in lines if line.startswith("m=")]
        expect(media == ["m=video", "m=application"], f"{media}")
        for key in ("a=ice-ufrag:", "a=ice-pwd:"):
            expect(len({line for line in lines if line.startswith(key)}) == 1, f"several {key}")
        for line in ("a=group:BUNDLE 0 1", "a=end-of-candidates", "a=setup:actpass"):
            expect(line in lines, f"no {line} in the offer:\n{client.offer}")
        for part in ("a=candidate:", "packetization-mode=1;profile-level-id=42e01f", "webrtc-datachannel"):
            expect(part in client.offer, f"no {part} in the offer:\n{client.offer}")
        expect("VP8" not in client.offer, "offers VP8, which the car cannot encode")
    async with scenario.check("answered without trickle it opens metric, stream and drive, with the old car's numbers"):
        await client.answer()
        for label in ("metric", "stream", "drive"):
            await (await client.channel(label)).open()
        ids = [client.channels[label].channel.id for label in ("metric", "stream", "drive")]
        expect(ids == [1, 3, 5], f"{ids}")
        drive, stream = client.channels["drive"].channel, client.channels["stream"].channel
        expect(stream.ordered and stream.maxRetransmits is None, "stream is not ordered and reliable")
        expect(not drive.ordered and drive.maxRetransmits == 0, "drive is ordered or sent again")
    async with scenario.check(f"at least {LEAST_FPS:g} decoded frames a second over 5 s, at the right size, in order"):
        scenario.say(await client.frames.flow(5, SIZE))
    async with scenario.check("`car` metrics arrive as text and say the link is up and the car disarmed"):
        told = await client.hears("car", lambda value: value["link"] == 1 and value["frames"] > 0)
        expect((told["state"], told["width"], told["height"]) == (0, *SIZE), f"{told}")
        expect(all(isinstance(one, str) for one in client.channels["metric"].messages), "a binary metric")
    stream = client.channels["stream"]
    async with scenario.check("a forward command does not move a disarmed car"):
        stream.channel.send(motion("forward", 10))
        # NOT_NEUTRAL among the refusals shows that it was seen.
        await client.hears("car", lambda value: value["refusals"] & NOT_NEUTRAL)
        expect(all(is_neutral(write) for write in car.writes()), f"it moved: {car.writes()}")
    async with scenario.check("neutral, then forward, on the car's own `stream` moves the throttle"):
        await client.drives(car, stream)
        scenario.say(f"{car.now()['throttle_us']} us, cause {car.now()['cause']}")
    async with scenario.check("steering follows, both ways, and binary messages are obeyed like text (question 19)"):
        await client.drives(car, stream, motion("left", 20), lambda: car.now()["steering_us"] > 1500)
        await client.drives(car, stream, motion("right", 20).encode(), lambda: car.now()["steering_us"] < 1500)
    async with scenario.check("telemetry tells the throttle in force"):

        def is_told() -> bool:
            told = client.car()
            return told["throttle"] > 0 and told["throttle_us"] > FORWARD_ZERO_US

        await client.drives(car, stream, motion("forward", 20), is_told)
    async with scenario.check("silence stops the car by the legacy command age"):
        write = await car.moves(is_neutral, "neutral")
        scenario.say(f"cause {write['cause']}")
    async with scenario.check("asked to stop it ends with 0, at neutral"):
        await client.drives(car, stream)
        expect(await car.program.end() == 0, "not 0")
        expect(is_neutral(car.now()), f"{car.now()}")


async def stopped_by_leaving(server: Server, car: Car, client: Client, leave) -> str:
    """Lets a server's peer leave a car that it drives, which must stop for that; how long it took.

    Where this computer stood still meanwhile, and the car stopped for that, another peer drives it and leaves.
    """
    for _ in range(ATTEMPTS):
        before = len(car.writes())
        await client.drives(car)
        left_at = time.monotonic()
        await leave(client)
        write = await car.moves(is_neutral, "neutral")
        if not car.stood_still(before):
            expect(write["cause"] == "link_lost", f"{write}")
            return f"{write['t_us'] / 1000 - left_at * 1000:.0f} ms, cause {write['cause']}"
        print("        | this computer stood still, and the car stopped: another peer", flush=True)
        client = await server.client()
        await client.answer()
    raise AssertionError(f"this computer stood still in each of {ATTEMPTS} attempts")


async def lost(scenario: Scenario) -> None:
    """What is left of a drive when the link goes: a polite end, a silent one, and only the socket."""
    server = await Server.start(scenario)
    car, client = await car_at(scenario, server, **UNTIL_THE_LINK_DIES)
    await client.answer()
    async with scenario.check("a command holds without a repetition while the link is good (legacy_age_ms = 0)"):
        await client.drives(car)
        before = len(car.writes())
        await client.frames.rate(2)  # two seconds of video is longer than the usual command age
        expect(await client.drives_on(car, before), f"{car.now()}")
    async with scenario.check("question 23: the socket closes, the peer stays: video and driving go on"):
        server.is_accepting = False
        await client.socket.close()
        await until(lambda: server.refused >= 2, "the car to dial again, twice")
        await client.frames.rate(1)
        expect(await client.drives_on(car, before), f"{car.now()}")
        await client.drives(car, command=motion("forward", 20), holds=lambda: car.now()["throttle_us"] == THROTTLE_MAX_US)
    async with scenario.check("the next session takes over: video and commands of the new peer"):
        server.is_accepting = True
        client, old = await server.client(), client
        await client.answer()
        stream = await client.channel("stream")
        await client.drives(car, stream)
        await client.frames.rate(1)
        await until(lambda: old.pc.connectionState in ("closed", "failed"), "the old peer to be closed")
    async with scenario.check("the server closes its peer and socket: neutral at once"):
        scenario.say(await stopped_by_leaving(server, car, client, Client.close))
    async with scenario.check("it comes back by itself, disarmed, and drives after a new neutral"):
        client = await server.client()
        await client.answer()
        stream = await client.channel("stream")
        await client.frames.rate(1)
        expect(is_neutral(car.now()), f"it moved by itself: {car.now()}")
        await client.drives(car, stream)
    async with scenario.check("the server's peer vanishes, its socket stays: neutral by the end of the path"):

        async def vanishes(client: Client) -> None:
            vanish(client.pc)

        scenario.say(await stopped_by_leaving(server, car, client, vanishes))
    async with scenario.check("and it dials again and can be driven"):
        client = await server.client()
        await client.answer()
        await client.drives(car)


async def servers_channel(scenario: Scenario) -> None:
    """Question 13: the server opens a `stream` of its own with its answer."""
    server = await Server.start(scenario)
    car, client = await car_at(scenario, server)
    async with scenario.check("question 13: commands on a `stream` that the server opened with the answer are obeyed"):
        stream = client.open_channel("stream")
        await client.answer()
        await stream.open()
        await client.drives(car, stream)
    async with scenario.check("and the car's own `stream` still works beside it"):
        await client.drives(car, command=motion("left", 20), holds=lambda: car.now()["steering_us"] > 1500)
    async with scenario.check("a channel of another name moves nothing"):
        await car.moves(is_neutral, "neutral by silence")
        other = client.open_channel("control")
        await other.open()
        other.channel.send(NEUTRAL)
        client.channels["stream"].channel.send('{"ping":{"id":9,"t_ms":1}}')
        await client.hears("pong", lambda value: value["id"] == 9)
        told = len(client.channels["metric"].messages)
        await until(lambda: len(client.channels["metric"].messages) >= told + 3, "three more metrics")
        expect(client.car()["state"] != LIVE, "it is armed")
        expect(is_neutral(car.now()), f"{car.now()}")


async def servers_late_channel(scenario: Scenario) -> None:
    """Question 13, later: a channel that the server opens when the link has long been up."""
    server = await Server.start(scenario)
    car, client = await car_at(scenario, server)
    await client.answer()
    async with scenario.check("question 13: commands on a `stream` that the server opens later are obeyed"):
        await client.hears("car", lambda value: value["link"] == 1)
        await client.frames.rate(1)
        stream = client.open_channel("stream")
        await stream.open()
        await client.drives(car, stream)


async def answered_of_old(scenario: Scenario) -> None:
    """Question 12: an answer whose data section is written as servers of 2021 wrote it."""
    server = await Server.start(scenario)
    car, client = await car_at(scenario, server)
    async with scenario.check("question 12: the car takes an answer in the legacy dialect"):
        sdp = await client.answer(rewrite=in_legacy_dialect)
        expect("a=sctpmap:5000" in sdp and "a=sctp-port" not in sdp, sdp)
        await (await client.channel("stream")).open()
        await client.drives(car)


def in_legacy_dialect(sdp: str) -> str:
    """The same answer with its data section as a server of 2021 wrote it."""
    lines = []
    for line in sdp.splitlines():
        if line.startswith("m=application "):
            line = f"m=application {line.split()[1]} DTLS/SCTP 5000"
        elif line.startswith("a=sctp-port:"):
            line = "a=sctpmap:5000 webrtc-datachannel 65535"
        lines.append(line)
    return "\r\n".join(lines) + "\r\n"


async def renegotiated(scenario: Scenario) -> None:
    """Question 8: an offer of the server is answered; media stays."""
    server = await Server.start(scenario)
    car, client = await car_at(scenario, server)
    await client.answer()
    async with scenario.check("question 8: the car answers the server's offer and video goes on"):
        await client.frames.rate(1)
        await client.pc.setLocalDescription(await client.pc.createOffer())
        await client.socket.send_json({"type": "offer", "data": client.pc.localDescription.sdp})
        answers = lambda: [one["data"] for one in client.heard if one.get("type") == "answer"]  # noqa: E731
        answer = (await until(answers, "an answer of the car"))[0]
        await client.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await client.frames.rate(2)
        await client.drives(car)
        expect(len(server.clients) == 1, "the car dialled again instead")


if __name__ == "__main__":
    main(
        {
            "car": published,
            "car, link lost": lost,
            "car, server's channel": servers_channel,
            "car, server's late channel": servers_late_channel,
            "car, answer of old": answered_of_old,
            "car, server's offer": renegotiated,
        }
    )
