"""What the emulated machines promise to the tests that stand on them.

    check_machines.py SPIDERCAR        called by run.sh

A Pi whose pins are seen from outside; a PC with GPIO lines, an I2C chip, and a disk on which any power cut can be looked
at afterwards. The last is shown with two shell scripts: one that replaces a file as one should, of which no cut may show
anything but a whole old or new one, and one that empties and fills it, of which some cut must, or the judge is blind.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import log_writes
from checks import Checks, expect, main
from gpio import GPCLR0, GPFSEL0, GPSET0
from gpio_sim import GpioSim
from pi3b import Pi3b
from vm import Vm

PIN = 18
LEVEL_BIT = 1 << PIN
# datasheet: three bits a pin, ten pins a register; 1 is output.
SELECT, OUTPUT = GPFSEL0 + 4 * (PIN // 10), 1 << 3 * (PIN % 10)
BLINKS = 20
DISK_MB, LOG_MB, SECTORS = 8, 64, 8 * 2048
VERSIONS = 12
CONTENT = "i=0; while [ $i -lt 100 ]; do echo version $n; i=$((i+1)); done"
REPLACE = f"for n in $(seq {VERSIONS}); do {{ {CONTENT}; }} >/mnt/new; sync /mnt/new; mv /mnt/new /mnt/state; sync /mnt; done"
OVERWRITE = f"for n in $(seq {VERSIONS}); do : >/mnt/state; sync /mnt/state; {{ {CONTENT}; }} >/mnt/state; sync /mnt/state; done"
WHOLE = {f"version {n}\n".encode() * 100 for n in range(1, VERSIONS + 1)}


def pi3b(report: Checks, folder: Path) -> None:
    """Pins that a program inside drives through the registers, as rppal does, are seen outside."""
    with Pi3b(folder) as pi:
        with report.check("pi3b boots to a shell"):
            pi.boot()
            report.say(f"{pi.boot_seconds:.1f} s")
        with report.check(f"pin {PIN} as an output, high and low again, is seen in the level register"):
            pi.check(f"devmem {SELECT:#x} 32 {OUTPUT:#x}; devmem {GPSET0:#x} 32 {LEVEL_BIT:#x}")
            expect(pi.is_output(PIN), "it is no output")
            expect(pi.gpio_levels() & LEVEL_BIT, "it is low")
            pi.check(f"devmem {GPCLR0:#x} 32 {LEVEL_BIT:#x}")
            expect(not pi.gpio_levels() & LEVEL_BIT, "it is high")
        with report.check(f"{BLINKS} pulses are {BLINKS} pulses in the record"):
            on, off = f"devmem {GPSET0:#x} 32 {LEVEL_BIT:#x}", f"devmem {GPCLR0:#x} 32 {LEVEL_BIT:#x}"
            with pi.record() as record:
                pi.check(f"for i in $(seq {BLINKS}); do {on}; {off}; done")
            expect(len(record.pulses(PIN)) == BLINKS, f"there are {len(record.pulses(PIN))}")
        with report.check("it reaches this machine over USB"):
            pi.check("ping -c 1 -W 5 10.0.2.2")


def vm(report: Checks, folder: Path, binary: Path) -> None:
    """What this machine's own kernel lacks."""
    programs = {"bin/spidercar": binary, "bin/dmsetup": Path(shutil.which("dmsetup") or "dmsetup")}
    machine = Vm(folder, programs=programs, disks_mb=(DISK_MB, LOG_MB), modules=("i2c-stub chip_addr=0x40",))
    disk, log = machine.disks
    before = log_writes.format_ext4(disk)
    with machine as vm:
        with report.check("vm boots to a shell"):
            vm.boot()
            report.say(f"{vm.boot_seconds:.1f} s")
        with report.check("a program built here runs inside"):
            report.say(vm.check("spidercar --version")[0])
        with report.check("a line of gpio-sim follows its pull"):
            chip = GpioSim(vm, lines=28)
            for level in (1, 0):
                chip.pull(4, level)
                expect(chip.value(4) == level, f"it is not {level}")
        with report.check("the I2C stub at 0x40 keeps what is written"):
            vm.check("i2cset -y 0 0x40 6 0x1234 w")
            expect(vm.check("i2cget -y 0 0x40 6 w") == ["0x1234"], "it does not")
        with report.check("a file is replaced, then emptied and filled, on a disk that remembers every write"):
            vm.check(f"dmsetup create log --table '0 {SECTORS} log-writes /dev/vda /dev/vdb'")
            vm.check(f"mkdir /mnt; mount -t ext4 /dev/dm-0 /mnt; {REPLACE}; dmsetup message log 0 mark replaced")
            vm.check(f"{OVERWRITE}; umount /mnt; dmsetup remove log")
            vm.power_off()
    writes = log_writes.read(log)
    replaced = next(place for place, write in enumerate(writes) if write.mark == "replaced")
    whole, torn, absent = 0, 0, 0
    with report.check("no power cut while a file is replaced shows anything but a whole one"):
        states = log_writes.cuts(before, writes, folder / "cut")
        for count in states:
            content = log_writes.file_after_cut(folder / "cut", "/state")
            if count > replaced:
                torn += content is not None and content not in WHOLE
                continue
            absent += content is None
            expect(content is None or content in WHOLE, f"after {count} writes there are {len(content or b'')} bytes")
            whole += 1
        expect(absent < whole / 2, "most cuts show no file at all: nothing was tried")
        report.say(f"{whole} cuts")
    with report.check("some cut while it is emptied and filled does"):
        expect(torn, "none of them: the judge sees nothing")
        report.say(f"{torn} torn")


def checks(report: Checks) -> None:
    """All of it."""
    with tempfile.TemporaryDirectory(prefix="spidercar-machine-") as name:
        for part in ("pi3b", "vm"):
            (Path(name) / part).mkdir()
        pi3b(report, Path(name) / "pi3b")
        vm(report, Path(name) / "vm", Path(sys.argv[1]))


main("machine", checks)
