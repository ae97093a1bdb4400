"""The figures of the simulated car, beside an aiortc car that does the same work in the same run.

    run.py SPIDERCAR-BINARY [--quick]        called by scripts/bench.sh

Each figure is a line with n, p50, p99, max, and the aim where there is one. Nothing here passes or fails: this machine
is noisy, so only figures of one run are compared. Ours are marked `car`, aiortc's `peer`.

    start      exec of the program to its offer at the server                                  F8
    opening    answer sent to control channel open and to first decoded frame, both to aiortc   F5
    own peers  offer sent to link up, our car to our Spider (an upper bound of F5)              F5
    streaming  CPU and memory of the publishing process alone, its viewer is `watch`            F8, F9
    stages     `doctor --video`: each stage of a picture's way through the car                  the video path's cost
    relay      a ping through the Spider and one without it                                     the Spider's hop
    page       page.mjs: a real browser                                                         F3, F4, F5
"""

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import interop  # noqa: F401  finds the modules of the interoperability tests
from checks import Scenario, until
from driver import Driver
from old_car import OldCar
from programs import BINARY, CHANNEL, Car, Program, Spider, spider
from server import Server

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT, KBPS = 1280, 720, 2500
# A stage's line of `doctor --video`.
STAGE = re.compile(r"^ok +(.+?) +p50 +([\d.]+) ms +p99 +([\d.]+) ms +longest +([\d.]+) ms +of +(\d+)")
TICK = os.sysconf("SC_CLK_TCK")
# The threads of our car that draw and encode; the rest is what F9 is about.
VIDEO_THREADS = ("video",)


def row(who: str, figure: str, unit: str, samples: list[float], aim: str = "", note: str = "") -> None:
    """One line of the table; percentiles by nearest rank."""
    ordered = sorted(samples)
    rank = lambda percent: ordered[max(0, -(-len(ordered) * percent // 100) - 1)]  # noqa: E731
    values = "  ".join(f"{name} {rank(percent):8.2f}" for name, percent in (("p50", 50), ("p99", 99), ("max", 100)))
    print(f"{who:<5} {figure:<52} n {len(ordered):>4}  {values} {unit:<5} {aim:<26} {note}".rstrip(), flush=True)


async def start_and_opening(scenario: Scenario, n: int) -> None:
    """F8 start to offer, F5 against an aiortc server; the peer is an aiortc car in a process of its own."""
    ours, channels, frames = [], [], []
    for _ in range(n):
        server = await Server.start(scenario)
        started = time.monotonic()
        car = await Car.start(scenario, 640, 360, spider__url=server.url)
        client = await server.client()
        ours.append((client.offered_at - started) * 1000)
        await client.answer()
        await client.channel("drive")
        await until(lambda: client.frames.times, "a frame")
        channels.append((client.channel_at["drive"] - client.answered_at) * 1000)
        frames.append((client.frames.times[0] - client.answered_at) * 1000)
        await car.program.end()
    row("car", "F8 start of the program to offer received", "ms", ours, "aim 150")
    theirs = []
    for _ in range(max(3, n // 4)):
        server = await Server.start(scenario)
        started = time.monotonic()
        peer = await peer_car(scenario, server.url)
        client = await server.client()
        theirs.append((client.offered_at - started) * 1000)
        await end(peer)
    row("peer", "F8 start of the program to offer received", "ms", theirs)
    row("car", "F5 answer sent to control channel open, aiortc server", "ms", channels, "aim 60")
    row("car", "F5 answer sent to first decoded frame, aiortc server", "ms", frames, "aim 150")
    channels, frames = [], []
    for _ in range(max(3, n // 2)):
        server = await Server.start(scenario)
        car = OldCar(scenario)
        publishing = asyncio.create_task(car.publish(server.url))
        client = await server.client()
        await client.answer()
        await publishing
        await car.ready()
        await until(lambda: client.frames.times, "a frame")
        channels.append((client.channel_at["stream"] - client.answered_at) * 1000)
        frames.append((client.frames.times[0] - client.answered_at) * 1000)
        await car.pc.close()
    row("peer", "F5 answer sent to control channel open, aiortc server", "ms", channels)
    row("peer", "F5 answer sent to first decoded frame, aiortc server", "ms", frames)


async def own_peers(scenario: Scenario, n: int) -> None:
    """F5 between two of our own peers: from the log of the car."""
    spans = []
    for _ in range(n):
        car = await Car.start(scenario, 640, 360)
        at = {}
        for event in ("offer sent", "link up"):
            line = (await car.program.said(rf"^(\S+Z) .*{event}"))[1]
            at[event] = datetime.fromisoformat(line)
        spans.append((at["link up"] - at["offer sent"]).total_seconds() * 1000)
        await car.program.end()
    row("car", "F5 offer sent to control channel open, own Spider", "ms", spans, "aim 60")


async def peer_car(scenario: Scenario, url: str) -> asyncio.subprocess.Process:
    """Starts the aiortc car."""
    log = str(scenario.folder / f"peer-{time.monotonic_ns()}.jsonl")
    args = [str(HERE / "peer_car.py"), url, str(WIDTH), str(HEIGHT), str(KBPS), log]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *args, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    process.log_file = log

    async def finish() -> None:
        await end(process)

    scenario.clean.push_async_callback(finish)
    return process


async def end(process: asyncio.subprocess.Process) -> None:
    """Ends a process that we started."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


def spent(pid: int) -> dict[str, tuple[str, float]]:
    """CPU seconds of each thread of a process."""
    threads = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        head, _, rest = (task / "stat").read_text().rpartition(")")
        fields = rest.split()
        threads[task.name] = (head.partition("(")[2], (int(fields[11]) + int(fields[12])) / TICK)
    return threads


def resident_mb(pid: int) -> float:
    """Resident memory."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def streaming(scenario: Scenario, seconds: int) -> None:
    """F8 memory and F9 CPU of a publisher that streams to a Spider in another process, for our car and for aiortc's."""
    for who in ("car", "peer"):
        place = await spider(scenario)
        if who == "car":
            keys = {"spider__url": place.plain, "spider__bitrate_kbps": KBPS}
            process = (await Car.start(scenario, WIDTH, HEIGHT, **keys)).program.process
        else:
            process = await peer_car(scenario, place.plain)
        file = scenario.folder / f"{who}.h264"
        watch = await Program.start(scenario, "watch", place.plain, "--channel", CHANNEL, "--record", str(file))
        await watch.said("first frame")
        await asyncio.sleep(3)  # the rate settles; this is a measurement, not a condition
        rest, video, memory = [], [], []
        before, size, began = spent(process.pid), file.stat().st_size, time.monotonic()
        main_thread = str(process.pid)
        for second in range(seconds):
            await asyncio.sleep(max(0.0, began + second + 1 - time.monotonic()))
            now = spent(process.pid)
            used = {task: (name, cpu - before.get(task, (name, 0.0))[1]) for task, (name, cpu) in now.items()}
            before = now
            if who == "car":
                is_video = lambda task, name: name.startswith(VIDEO_THREADS)  # noqa: E731
            else:
                is_video = lambda task, name: task != main_thread  # noqa: E731
            video.append(100 * sum(cpu for task, (name, cpu) in used.items() if is_video(task, name)))
            rest.append(100 * sum(cpu for task, (name, cpu) in used.items() if not is_video(task, name)))
            memory.append(resident_mb(process.pid))
        kbps = (file.stat().st_size - size) * 8 / 1000 / (time.monotonic() - began)
        size_note = f"{WIDTH}x{HEIGHT}, {kbps:.0f} kb/s"
        row(who, "F9 CPU without drawing and encoding, of one core", "%", rest, "aim 5", size_note)
        row(who, "   CPU of drawing and encoding, of one core", "%", video)
        row(who, "F8 resident memory, software encoder included", "MB", memory, "aim 25 without encoder")
        await watch.end()
        await end(process)
        await place.program.end()


async def stages(scenario: Scenario, seconds: int) -> None:
    """The video path, by the car's own count: simulated camera, OpenH264, packets, encryption, loopback."""
    aims = {"prepare": "aim 1 (p99)", "hand over": "aim 1 (p99)"}
    options = ["--set", f"camera.width={WIDTH}", "--set", f"camera.height={HEIGHT}", "--set", f"spider.bitrate_kbps={KBPS}"]
    child = await asyncio.create_subprocess_exec(
        str(BINARY), "doctor", "--video", str(seconds), *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )  # fmt: skip
    out, _ = await child.communicate()
    found = [line for line in map(STAGE.search, out.decode().splitlines()) if line]
    if not found:
        raise RuntimeError(f"doctor --video said {out.decode()!r}")
    for line in found:
        name, p50, p99, longest, n = line.groups()
        figures = f"n {n:>4}  p50 {float(p50):8.2f}  p99 {float(p99):8.2f}  max {float(longest):8.2f} ms   "
        print(f"car   {f'video path: {name}, simulated camera, OpenH264':<52} {figures} {aims.get(name, '')}".rstrip(), flush=True)


async def relay(scenario: Scenario, n: int) -> None:
    """What the Spider adds to a message: a ping of the extension through it, and straight to the car."""
    ways = {}
    car = await Car.start(scenario, 640, 360)
    driver = Driver(scenario, video=False)
    await driver.subscribe((await Spider.of(car.program)).plain)
    await driver.hears("car")
    metric = driver.servers.get("metric") or driver.own["metric"]
    ways["through"] = await pings(driver.to_write().channel, metric.channel, n)
    await car.program.end()
    server = await Server.start(scenario)
    car = await Car.start(scenario, 640, 360, spider__url=server.url)
    client = await server.client()
    await client.answer()
    stream, metric = await client.channel("stream"), await client.channel("metric")
    await stream.open()
    ways["straight"] = await pings(stream.channel, metric.channel, n)
    await car.program.end()
    row("car", "ping through the Spider, there and back", "ms", ways["through"])
    row("car", "ping without a Spider, there and back", "ms", ways["straight"])
    middle = {key: sorted(samples)[len(samples) // 2] for key, samples in ways.items()}
    hop = (middle["through"] - middle["straight"]) / 2
    print(f"car   the Spider's hop, half the difference of the medians: {hop:.2f} ms, aim 1", flush=True)


async def pings(stream, metric, n: int) -> list[float]:
    """Sends pings one by one."""
    answered: dict[int, asyncio.Future] = {}

    def hear(text) -> None:
        pong = json.loads(text).get("pong")
        if pong and pong["id"] in answered and not answered[pong["id"]].done():
            answered[pong["id"]].set_result(time.monotonic())

    metric.on("message", hear)
    ways = []
    for number in range(n):
        answered[number] = asyncio.get_running_loop().create_future()
        sent = time.monotonic()
        stream.send(json.dumps({"ping": {"id": number, "t_ms": 1}}, separators=(",", ":")))
        ways.append((await asyncio.wait_for(answered[number], 10) - sent) * 1000)
    return ways


async def page(scenario: Scenario, keys: int, frames: int, openings: int) -> None:
    """page.mjs with our car, then with the aiortc car behind our Spider."""
    aims = {"F3": "aim 3 / 12 (p50 / p99)", "F4": "aim 45 / 80 (p50 / p99)", "F5": "aim 60 / 150", "pa": ""}
    for who in ("car", "peer"):
        if who == "car":
            car = await Car.start(scenario, WIDTH, HEIGHT, spider__bitrate_kbps=KBPS)
            printed, log = car.program, car.actuators
        else:
            place = await spider(scenario)
            process = await peer_car(scenario, place.plain)
            printed, log = place.program, process.log_file
            await process.stdout.readline()
        line = await printed.printed(lambda line: b"http://" in line, "an address")
        base = line[line.index(b"http://") :].split()[0].decode()
        child = await asyncio.create_subprocess_exec(
            "node", str(HERE / "page.mjs"), str(keys), str(frames), str(openings),
            env={**os.environ, "BASE_URL": f"{base.partition('?')[0]}?channel={CHANNEL}", "ACTUATOR_LOG": str(log)},
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await child.communicate()
        for figure in map(json.loads, out.splitlines()):
            row(who, figure["figure"], figure["unit"], figure["samples"], aims[figure["figure"][:2]], figure["note"])
        if child.returncode:
            print(f"{who:<5} page.mjs ended with {child.returncode}; its later figures are missing", flush=True)
        await printed.end()
        if who == "peer":
            await end(process)


async def main() -> None:
    quick = "--quick" in sys.argv
    size = os.stat(BINARY).st_size / 1e6
    print(f"car   F8 size of the binary: {size:.2f} MB, aim 6 (aarch64)", flush=True)
    parts = {
        "start": lambda scenario: start_and_opening(scenario, 4 if quick else 20),
        "own peers": lambda scenario: own_peers(scenario, 4 if quick else 30),
        "streaming": lambda scenario: streaming(scenario, 5 if quick else 30),
        "stages": lambda scenario: stages(scenario, 3 if quick else 20),
        "relay": lambda scenario: relay(scenario, 50 if quick else 500),
        "page": lambda scenario: page(scenario, 20 if quick else 200, 100 if quick else 600, 3 if quick else 10),
    }
    broken = 0
    for name, part in parts.items():
        with tempfile.TemporaryDirectory(prefix="spidercar-bench-") as folder:
            scenario = Scenario(name, Path(folder))
            try:
                async with scenario.clean:
                    await part(scenario)
            except Exception as err:  # the other parts are still worth having
                broken += 1
                scenario.fail("the figures of this part", err)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    asyncio.run(main())
