"""The whole way of a USB camera's picture, and a camera that is unplugged while somebody watches.

    webcam_publish.py SPIDERCAR PYTHON-WITH-AIORTC        called by run.sh, in a network namespace

    machine: vivid, the kernel's test driver ─▶ camera.source = "v4l" ─▶ OpenH264 ──tap──▶ Spider ─▶ aiortc ─▶ pixels
             └─ unbind, bind: the node goes, with what has it open, and comes again     10.0.2.2

The driver shows eight bars, whose colours are known; its own writing is in the upper left, so the lower half is judged. It
has NV12, YU12 and YUYV. A camera's MJPEG it has not: that is `src/hal/webcam/tests.rs`, with files as cameras send them.

Times are those of an emulated processor. Sources: kernel: Documentation/admin-guide/media/vivid.rst.
"""

import re
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from checks import Checks, expect, main
from driver import CHANNEL, COLOUR, PATIENCE, Spider
from viewer import pictures, wire
from vm import Vm

HOST, TAP = "10.0.2.2", "usb0"
# An emulated processor halves and codes some ten of these a second: at more, the car would turn to half pictures.
WIDTH, HEIGHT, COUNT, FPS = 640, 360, 10, 5
FORMATS = ("nv12", "yu12", "yuyv")
# One device that captures, as a camera does (its first input is one), through the calls that cameras have.
VIVID = "vivid n_devs=1 node_types=0x1 multiplanar=1"
DRIVER = "/sys/bus/platform/drivers/vivid"
BAR = WIDTH // 8
# White, yellow, cyan, green, magenta, red, blue, black at 75 %: luma, blue and red difference. spec: BT.601, BT.801.
COLOURS = [
    *((180, 128, 128), (162, 44, 142), (131, 156, 44), (112, 72, 58)),
    *((84, 184, 198), (65, 100, 212), (35, 212, 114), (16, 128, 128)),
]
# What coding, and the driver's own arithmetic, may change. choice: a third of what the two nearest bars differ by.
TOLERANCE = 8
LINES = (200, 280, 350)
# spec: a camera that is there again is shown within 2 s.
AGAIN = 2.0


def wrong(picture: bytes) -> str:
    """What is not as it should be in a picture of the bars; nothing if all is."""
    blue = WIDTH * HEIGHT
    red = blue + blue // 4
    for bar, colour in enumerate(COLOURS):
        x = bar * BAR + BAR // 2
        for line in LINES:
            chroma = line // 2 * (WIDTH // 2) + x // 2
            got = (picture[line * WIDTH + x], picture[blue + chroma], picture[red + chroma])
            if any(abs(have - want) > TOLERANCE for have, want in zip(got, colour)):
                return f"bar {bar}, line {line}: {got}, not {colour}"
    return ""


class Watched:
    """A car in the machine, and a viewer for it here."""

    def __init__(self, vm: Vm, spider: Spider, folder: Path, python: str, picture_format: str) -> None:
        self.vm, self.spider, self.folder, self.python = vm, spider, folder, python
        sets = {
            "spider.url": spider.url,
            "spider.pin_sha256": spider.fingerprint,
            "spider.channel": CHANNEL,
            "local.driver_key_file": "/etc/spidercar/key",
            "camera.source": "v4l",
            "camera.format": picture_format,
            "camera.width": WIDTH,
            "camera.height": HEIGHT,
            "camera.fps": FPS,
            "encoder.kind": "openh264",
        }
        options = " ".join(f"--set {key}={value}" for key, value in sets.items())
        self.pid = vm.check(f"setsid spidercar run {options} >/tmp/car.log 2>&1 & echo $!")[-1]

    def log(self) -> str:
        """What the car said."""
        return COLOUR.sub("", self.vm.run("cat /tmp/car.log").text)

    def says(self, words: str, after: int = 0) -> datetime:
        """Waits until the car says this, after so many characters of its log: when it did."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = re.search(rf"^(\S+Z) .*{words}", self.log()[after:], re.MULTILINE)
            if found:
                return datetime.fromisoformat(found[1])
        raise TimeoutError(f"the car does not say {words!r}")

    def pictures(self, count: int = COUNT) -> tuple[list[bytes], float]:
        """So many pictures as the viewer has them, and how many a second there were."""
        return pictures(self.python, self.spider, (WIDTH, HEIGHT), count, self.folder)

    def end(self) -> None:
        """Ends the car, and waits for it."""
        self.vm.check(f"kill {self.pid}; while kill -0 {self.pid} 2>/dev/null; do sleep 0.1; done")


def unplugged(report: Checks, car: Watched) -> None:
    """The camera goes and comes while somebody watches."""
    vm = car.vm
    with report.check("a camera that is unplugged is said to be, and a still picture says why"):
        before = len(car.log())
        vm.check(f"echo vivid.0 >{DRIVER}/unbind")
        car.says("it was unplugged", before)
        taken, _ = car.pictures(2)
        expect(all(wrong(picture) for picture in taken), "the bars are still shown")
    with report.check(f"plugged in again it is shown again within {AGAIN:.0f} s"):
        before = len(car.log())
        # As the machine's own clock has it, which the log has too: a file's time is the nearest to hand.
        vm.check(f"echo vivid.0 >{DRIVER}/bind; touch /tmp/bound")
        opened = car.says("camera opened", before)
        again = car.says("works again part=.?camera", before)
        (at,) = vm.check("stat -c %y /tmp/bound")
        at = datetime.fromisoformat(f"{at[:26]}+00:00")
        took = (again - at).total_seconds()
        expect(took < AGAIN, f"{took:.2f} s\n{car.log()[before:]}")
        taken, _ = car.pictures()
        expect(not wrong(taken[-1]), wrong(taken[-1]))
        report.say(f"open after {(opened - at).total_seconds():.2f} s, pictures after {took:.2f} s, emulated")


def published(report: Checks, folder: Path) -> None:
    """A car for each format, and one that loses its camera."""
    host, python = sys.argv[1:]
    spider = Spider(Path(host), folder, HOST)
    report.explain.append(spider.log.read_text)
    files = {"/etc/spidercar/key": spider.key_file.read_bytes()}
    with Vm(folder, programs={"bin/spidercar": Path(host)}, files=files, tap=TAP, modules=(VIVID,)) as vm:
        vm.boot()
        # A machine that stands still for a second is a camera that stands still.
        vm.hurry()
        report.explain.append(lambda: vm.run("tail -n 40 /tmp/car.log").text)
        with report.check("doctor lists the camera with what it offers"):
            said = vm.run("spidercar doctor --set camera.source=v4l --set camera.width=640 --set camera.height=360 2>/dev/null", 120)
            found = [line for line in said.lines if "camera.device" in line]
            expect(len(found) == 1 and "NV12" in found[0] and "640x360" in found[0], said.text)
        for name in FORMATS:
            with report.check(f"an aiortc viewer decodes {COUNT} pictures of the bars, taken as {name.upper()}"):
                car = Watched(vm, spider, folder, python, name)
                taken, rate = car.pictures()
                expect(f"format={name.upper()}" in car.log(), car.log())
                for picture in taken:
                    expect(not wrong(picture), wrong(picture))
                report.say(f"{rate:.1f} a second of {FPS}, emulated")
                if name != FORMATS[-1]:
                    car.end()
        unplugged(report, car)
    spider.end()


def checks(report: Checks) -> None:
    """Makes the network, and runs all of it."""
    wire(TAP, HOST)
    with tempfile.TemporaryDirectory(prefix="spidercar-webcam-") as name:
        published(report, Path(name))


main("webcam", checks)
