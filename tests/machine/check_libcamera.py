"""CSI cameras through the real libcamera, on a machine with its virtual pipeline.

    check_libcamera.py SPIDERCAR CAMERA-TEST COPY-TEST SPIDERCAR-FOR-AARCH64     called by run.sh; the first three were
        built with the features `libcamera` and `vicodec` (scripts/with-libcamera.sh), the tests from tests/{csi_virtual,zero_copy}.rs

The tests are Rust and know nothing of machines; this is where they can run. The machine has an encoder of the kernel, too
(vicodec.py). And the two programs for the Pi, the one that everything starts and the one with libcamera beside it
(SPIDERCAR-FOR-AARCH64-csi), are run on a Pi without a camera.
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
            run_ignored(report, vm, "copy_test", LIMIT, measured)
            with report.check("the program itself finds the encoder, and its pictures go there without a copy"):
                sets = "--set camera.source=libcamera --set camera.fps=5 --set encoder.kind=v4l2m2m"
                # Its exit code tells that an emulated encoder is slow.
                said = vm.run(f"spidercar doctor {sets} 2>&1 | cat", LIMIT).text
                found = re.search(r"encoder +(.* ms a frame by a device)", said)
                expect(found and "way=import" in said and "are copied" not in said, said)
                report.say(f"{found[1]}, emulated")


def pi(report: Checks, binary: Path) -> None:
    """The Pi's programs, where there is no camera."""
    csi = binary.with_name(f"{binary.name}-csi")
    with report.check("the program for the Pi wants no libcamera; the one for CSI cameras wants 0.7, and no other"):
        wants = {path: set(elf.wants(path).libraries) for path in (binary, csi)}
        cameras = {path: {name for name in names if "camera" in name} for path, names in wants.items()}
        expect(not cameras[binary], f"{binary} wants {', '.join(cameras[binary])}")
        expect(cameras[csi] == RELEASE, f"{csi} wants {', '.join(wants[csi])}")
        report.say(", ".join(sorted(wants[binary])))
    with tempfile.TemporaryDirectory(prefix="spidercar-camera-") as folder:
        programs = {"bin/spidercar": binary, "lib/spidercar/spidercar-csi": csi}
        with Pi3b(Path(folder), programs=programs) as machine:
            machine.boot()
            with report.check("on a Pi without a camera it hands over, says what to look at, and stops when asked"):
                said = run(machine, "not found")
                sentence = "camera libcamera: not found; check the cable, the overlay and camera.source"
                expect(sentence in said, said)
                report.say(sentence)
            with report.check("after an upgrade that took libcamera away the car runs without a picture, and neutral works"):
                machine.check("rm /lib/libcamera.so.0.7")
                said = run(machine, "this system has no")
                expect("this system has no libcamera.so.0.7" in said and "libcamera0.7" in said, said)
                machine.check("spidercar neutral --set camera.source=libcamera")


def run(machine: Pi3b, until: str) -> str:
    """Runs a car with a CSI camera until its log has a word; it must end with 0 when asked."""
    said = machine.run(
        "spidercar run --set camera.source=libcamera --set camera.fps=5 >/tmp/car.log 2>&1 & car=$!; "
        f"for i in $(seq 300); do grep -q '{until}' /tmp/car.log && grep -q 'local Spider' /tmp/car.log && break; usleep 100000; done; "
        "kill -TERM $car; wait $car; echo exit code $?; cat /tmp/car.log"
    )
    expect("exit code 0" in said.lines, said.text)
    return said.text


def checks(report: Checks) -> None:
    """All of it."""
    virtual(report)
    pi(report, Path(sys.argv[4]))


main("libcamera", checks)
