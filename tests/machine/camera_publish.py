"""The whole way of a CSI camera's picture: libcamera, OpenH264, our Spider, and a WebRTC stack that shares no code with us.

    camera_publish.py SPIDERCAR SPIDERCAR-WITH-LIBCAMERA PYTHON-WITH-AIORTC     called by run.sh, in a network namespace

    machine: libcamera's bars ─▶ spidercar run ──tap──▶ Spider ─▶ aiortc (tests/interop/record.py) ─▶ pixels ─▶ checks
             10.0.2.15                                  10.0.2.2

The picture is eight bars that move left by a column with each frame of the camera. So each decoded picture tells by itself
which frame it was, and every pixel of it is known: it must match one shift, and the shifts must go on.

The rate that is printed is that of an emulated processor, which encodes twenty times slower than a real one.
"""

import sys
import tempfile
from pathlib import Path

from checks import Checks, expect, main
from driver import CHANNEL, Spider
from libcamera import CameraVm
from viewer import pictures, wire

HOST, TAP = "10.0.2.2", "cam0"
WIDTH, HEIGHT, COUNT = 1280, 720, 12
FPS = 2
BAR = WIDTH // 8
# White, yellow, cyan, green, magenta, red, blue, black: luma, blue and red difference (BT.601, as libyuv makes them).
COLOURS = [
    *((235, 128, 128), (210, 16, 146), (170, 166, 16), (145, 54, 34)),
    *((106, 202, 222), (81, 90, 240), (41, 240, 110), (16, 128, 128)),
]
# What coding may change in the middle of a bar. choice: a third of what the two nearest bars differ by.
TOLERANCE = 10
LINES = (8, 200, 359, 500, 711)
# choice: half of what is asked for, for a machine that is busy elsewhere.
LEAST_RATE = 1.0
# Of a picture's way; EXTENSION.md, `video`.
STAGES = 6
FILM_SECONDS = 5


def bars_at(picture: bytes, shift: int) -> bool:
    """Whether a picture is the bars, moved left so far."""
    blue = WIDTH * HEIGHT
    red = blue + blue // 4
    for bar, colour in enumerate(COLOURS):
        x = (bar * BAR + BAR // 2 - shift) % WIDTH
        for line in LINES:
            chroma = line // 2 * (WIDTH // 2) + x // 2
            got = (picture[line * WIDTH + x], picture[blue + chroma], picture[red + chroma])
            if any(abs(have - want) > TOLERANCE for have, want in zip(got, colour)):
                return False
    return True


def shift_of(picture: bytes) -> int | None:
    """How far the bars have moved, to a column or so: the middle of the shifts that fit."""
    fits = [shift for shift in range(WIDTH) if bars_at(picture, shift)]
    if not fits:
        return None
    # They are neighbours, perhaps around the end of the line.
    start = next((shift for shift in fits if (shift - 1) % WIDTH not in fits), fits[0])
    return (start + len(fits) // 2) % WIDTH


def published(report: Checks, folder: Path) -> None:
    """One car, one viewer."""
    host, inside, python = sys.argv[1:]
    spider = Spider(Path(host), folder, HOST)
    report.explain.append(spider.log.read_text)
    files = {"/etc/spidercar/key": spider.key_file.read_bytes()}
    with CameraVm(folder, programs={"bin/spidercar": Path(inside)}, files=files, tap=TAP) as vm:
        vm.boot()
        # A machine that stands still for a second is a camera that stands still.
        vm.hurry()
        report.explain.append(lambda: vm.run("tail -n 40 /tmp/car.log").text)
        sets = {
            "spider.url": spider.url,
            "spider.pin_sha256": spider.fingerprint,
            "spider.channel": CHANNEL,
            "spider.bitrate_kbps": 8000,
            "local.driver_key_file": "/etc/spidercar/key",
            "camera.source": "libcamera",
            "camera.width": WIDTH,
            "camera.height": HEIGHT,
            # An emulated processor codes 9 to 20 of these a second, three on a busy machine: asked for more, the car would
            # turn to half pictures.
            "camera.fps": FPS,
            "failsafe.blind_ms": 1000,  # or each picture is too old to drive by before the next comes, and `check` says so
            "encoder.kind": "openh264",
        }
        options = " ".join(f"--set {key}={value}" for key, value in sets.items())
        car = vm.check(f"setsid spidercar run {options} >/tmp/car.log 2>&1 & echo $!")[-1]
        with report.check(f"an aiortc viewer decodes {COUNT} pictures of {WIDTH}x{HEIGHT} from libcamera"):
            taken, rate = pictures(python, spider, (WIDTH, HEIGHT), COUNT, folder)
            expect(rate >= LEAST_RATE, f"{rate:.1f} a second")
            report.say(f"{rate:.1f} a second, emulated")
        with report.check("every picture is the camera's bars, and they move on"):
            shifts = [shift_of(picture) for picture in taken]
            expect(None not in shifts, f"no bars: {shifts}")
            steps = [(later - earlier) % WIDTH for earlier, later in zip(shifts, shifts[1:])]
            expect(all(0 < step < WIDTH // 2 for step in steps), f"{shifts}")
            report.say(f"columns {shifts[0]} to {shifts[-1]}")
        with report.check("doctor --video tells how long each stage takes, here of an emulated processor"):
            vm.check(f"kill {car}; while kill -0 {car} 2>/dev/null; do sleep 0.1; done")
            filmed = vm.run(f"spidercar doctor --video {FILM_SECONDS} {options} 2>/dev/null", 60)
            stages = [line for line in filmed.lines if "p50" in line]
            expect(len(stages) == STAGES, filmed.text)
            for line in stages:
                count = int(line.split(" of ")[1].split()[0])
                expect(count >= LEAST_RATE * FILM_SECONDS, filmed.text)
            for line in stages:
                print(f"      {' '.join(line.split())}")
    spider.end()


def checks(report: Checks) -> None:
    """Makes the network, and runs all of it."""
    wire(TAP, HOST)
    with tempfile.TemporaryDirectory(prefix="spidercar-camera-") as name:
        published(report, Path(name))


main("camera", checks)
