"""CSI cameras through the real libcamera, on a machine with its virtual pipeline.

    check_libcamera.py SPIDERCAR CAMERA-TEST COPY-TEST     called by run.sh; all were built with the features `libcamera` and
        `vicodec` (scripts/with-libcamera.sh), the tests from tests/{csi_virtual,zero_copy}.rs

The tests are Rust and know nothing of machines; this is where they can run. The machine has an encoder of the kernel, too
(vicodec.py).
"""

import re
import sys
import tempfile
from pathlib import Path

import vicodec
from checks import Checks, expect, main
from ignored import run_ignored
from image import System
from libcamera import CameraVm

# measured: the longest takes 150 s beside a load average of 7. choice: three times that.
LIMIT = 450.0
SAID = re.compile(r"(\d+ (?:pictures|openings).*|listed: .*)$")


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


def checks(report: Checks) -> None:
    """All of it."""
    virtual(report)


main("libcamera", checks)
