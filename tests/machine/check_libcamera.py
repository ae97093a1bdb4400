"""CSI cameras through the real libcamera, on a machine with its virtual pipeline.

    check_libcamera.py SPIDERCAR CAMERA-TEST COPY-TEST SPIDERCAR-FOR-AARCH64     called by run.sh; the first three were
        built with the feature `libcamera` (scripts/with-libcamera.sh), the tests from tests/{csi_virtual,zero_copy}.rs

The tests are Rust and know nothing of machines; this is where they can run. The machine has an encoder of the kernel, too
(vicodec.py). And the program for the Pi, with all that it is built with, says on a Pi without a camera what is wrong.
"""

import re
import sys
import tempfile
from pathlib import Path

import elf
import vicodec
from checks import Checks, expect, main
from ignored import run_ignored
from image import System
from libcamera import CameraVm
from pi3b import Pi3b

# measured: the longest takes 150 s beside a load average of 7. choice: three times that.
LIMIT = 450.0
SAID = re.compile(r"(\d+ (?:pictures|openings).*|listed: .*)$")
# What makes the program code to the format that `vicodec` has.
FWHT = "SPIDERCAR_TEST_ENCODER_FORMAT=FWHT"

# What a program for the Pi may want of libcamera: one release, as Raspberry Pi OS trixie has it.
RELEASE = {"libcamera.so.0.7", "libcamera-base.so.0.7"}


def measured(lines: list[str]) -> list[str]:
    """What a test measured."""
    return [found[1] for line in lines if (found := SAID.search(line))]


def virtual(report: Checks) -> None:
    """The tests, one by one, and the program itself."""
    names = ("spidercar", "camera_test", "copy_test")
    programs = {f"bin/{name}": Path(path) for name, path in zip(names, sys.argv[1:])}
    built = (("vicodec", vicodec.module(System("amd64", ()).kernel())),)
    with tempfile.TemporaryDirectory(prefix="spidercar-camera-") as folder:
        with CameraVm(Path(folder), programs=programs, modules=(vicodec.WITH_SETTINGS,), built=built) as vm:
            with report.check("vm with libcamera and vicodec boots to a shell"):
                vm.boot()
                report.say(f"{vm.boot_seconds:.1f} s")
            run_ignored(report, vm, "camera_test", LIMIT, measured)
            vm.check("mount -t debugfs debug /sys/kernel/debug")
            run_ignored(report, vm, "copy_test", LIMIT, measured, FWHT)
            with report.check("the program itself finds the encoder, and its pictures go there without a copy"):
                sets = "--set camera.source=libcamera --set camera.fps=5 --set encoder.kind=v4l2m2m"
                # Its exit code tells that an emulated encoder is slow.
                said = vm.run(f"{FWHT} spidercar doctor {sets} 2>&1 | cat", LIMIT).text
                found = re.search(r"encoder +(.* ms a frame by a device)", said)
                expect(found and "way=import" in said and "are copied" not in said, said)
                report.say(f"{found[1]}, emulated")


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
    pi(report, Path(sys.argv[4]))


main("libcamera", checks)
