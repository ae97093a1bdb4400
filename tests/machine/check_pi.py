"""The two programs for the Pi, on an emulated one without a camera.

    check_pi.py SPIDERCAR-FOR-AARCH64        called by pi.sh

    spidercar ── hands over ──▶ spidercar-csi, linked to libcamera, beside it (SPIDERCAR-FOR-AARCH64-csi)
"""

import sys
import tempfile
from pathlib import Path

import elf
from checks import Checks, expect, main
from pi3b import Pi3b

# What a program for the Pi may want of libcamera: one release, as Raspberry Pi OS trixie has it.
RELEASE = {"libcamera.so.0.7", "libcamera-base.so.0.7"}


def checks(report: Checks) -> None:
    """All of it."""
    binary = Path(sys.argv[1])
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


main("programs", checks)
