"""CSI cameras through the real libcamera, on a machine with its virtual pipeline.

    check_libcamera.py SPIDERCAR CAMERA-TEST SPIDERCAR-FOR-AARCH64     called by run.sh; the first two were built with
        the feature `libcamera` (scripts/with-libcamera.sh), CAMERA-TEST from tests/csi_virtual.rs

The tests are Rust and know nothing of machines; this is where they can run. And the program for the Pi, with all that it is
built with, says on a Pi without a camera what is wrong.
"""

import re
import sys
import tempfile
from pathlib import Path

import elf
from checks import Checks, expect, main
from ignored import run_ignored
from libcamera import CameraVm
from pi3b import Pi3b

# measured: all of them together take 30 s. choice: eight times that for one.
LIMIT = 250.0
SAID = re.compile(r"(\d+ (?:pictures|openings).*|listed: .*)$")


# What a program for the Pi may want of libcamera: one release, as Raspberry Pi OS trixie has it.
RELEASE = {"libcamera.so.0.7", "libcamera-base.so.0.7"}


def measured(lines: list[str]) -> list[str]:
    """What a test measured."""
    return [found[1] for line in lines if (found := SAID.search(line))]


def virtual(report: Checks) -> None:
    """The tests, one by one."""
    programs = {"bin/spidercar": Path(sys.argv[1]), "bin/camera_test": Path(sys.argv[2])}
    with tempfile.TemporaryDirectory(prefix="spidercar-camera-") as folder:
        with CameraVm(Path(folder), programs=programs) as vm:
            with report.check("vm with libcamera boots to a shell"):
                vm.boot()
                report.say(f"{vm.boot_seconds:.1f} s")
            run_ignored(report, vm, "camera_test", LIMIT, measured)


def pi(report: Checks, binary: Path) -> None:
    """The Pi's program, where there is no camera."""
    with report.check("the program for the Pi wants libcamera 0.7, and no other"):
        wants = elf.wants(binary).libraries
        expect({name for name in wants if "camera" in name} == RELEASE, f"it wants {', '.join(wants)}")
        report.say(", ".join(wants))
    with tempfile.TemporaryDirectory(prefix="spidercar-camera-") as folder:
        with Pi3b(Path(folder), programs={"bin/spidercar": binary}) as machine:
            machine.boot()
            with report.check("on a Pi without a camera it starts, says what to look at, and stops when asked"):
                said = machine.run(
                    "spidercar run --set camera.source=libcamera --set camera.fps=5 >/tmp/car.log 2>&1 & car=$!; "
                    "for i in $(seq 300); do grep -q 'not found' /tmp/car.log && break; usleep 100000; done; "
                    "kill -TERM $car; wait $car; echo exit code $?; cat /tmp/car.log"
                )
                expect("exit code 0" in said.lines, said.text)
                sentence = "camera libcamera: not found; check the cable, the overlay and camera.source"
                expect(sentence in said.text, said.text)
                report.say(sentence)


def checks(report: Checks) -> None:
    """All of it."""
    virtual(report)
    pi(report, Path(sys.argv[3]))


main("libcamera", checks)
