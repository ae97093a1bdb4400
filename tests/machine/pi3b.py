"""An emulated Raspberry Pi 3B, whose GPIO pins are read from outside while our program drives them.

Debian's kernel and device tree, one USB network adapter, everything in RAM. Emulated: the GPIO registers (levels and
functions), the clock, the serial lines, USB. Not emulated: PWM and I2C hardware, edge interrupts, camera, encoder.

Sources: datasheet: BCM2835 ARM Peripherals, chapter 6; QEMU: hw/gpio/bcm2835_gpio.c (what is emulated).
"""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

from gpio import GPFSEL0, GPLEV0, TRACE_EVENT, Record
from image import System
from machine import Machine

PINS_PER_FSEL, FSEL_OUTPUT = 10, 1


class Pi3b(Machine):
    """The machine."""

    program = "qemu-system-aarch64"
    system = System("arm64", ("phy-generic", "dwc2", "rndis_host", "configfs", "gpio-sim"), ("libstdc++6", "libcamera-ipa"))
    tty = "ttyS1,115200"
    # rppal maps the registers through /dev/mem, which the kernel's own GPIO driver holds.
    append = Machine.append + " iomem=relaxed"

    def __init__(self, folder: Path, **common) -> None:
        super().__init__(folder, **common)
        self._records = 0

    def hardware(self) -> list[str]:
        # The first serial line belongs to the Bluetooth chip; the second is the console.
        return [
            *("-M", "raspi3b", "-accel", "tcg,thread=multi", "-dtb", str(self.tree())),
            *("-serial", "null", "-serial", "chardev:console", "-device", "usb-net,netdev=net"),
        ]

    def tree(self) -> Path:
        """Its device tree."""
        return self.system.kernel().folder / "dtb/broadcom/bcm2837-rpi-3-b.dtb"

    def library_folders(self) -> list[Path]:
        return [self.system.root() / "usr/lib/aarch64-linux-gnu"]

    def registers(self, address: int, count: int = 1) -> list[int]:
        """Reads registers from outside, at one moment."""
        said = self.monitor.human(f"xp /{count}wx {address:#x}")
        return [int(word, 16) for word in re.findall(r"(?<=\s)0x[0-9a-f]{8}", said)]

    def gpio_levels(self) -> int:
        """The levels of GPIO 0 to 31, a bit each."""
        return self.registers(GPLEV0)[0]

    def is_output(self, pin: int) -> bool:
        """Whether a pin is an output."""
        word = self.registers(GPFSEL0 + 4 * (pin // PINS_PER_FSEL))[0]
        return word >> (3 * (pin % PINS_PER_FSEL)) & 7 == FSEL_OUTPUT

    @contextlib.contextmanager
    def record(self) -> Iterator[Record]:
        """Records the edges of all pins while the block runs; they are there when it ends."""
        self._records += 1
        trace = self.folder / f"trace-{self._records}"
        self.monitor.human(f"logfile {trace}")
        self.monitor.human(f"trace-event {TRACE_EVENT} on")
        record = Record(self.gpio_levels(), time.monotonic())
        try:
            yield record
        finally:
            record.end = time.monotonic()
            self.monitor.human(f"trace-event {TRACE_EVENT} off")
            self.monitor.human(f"logfile {self.folder / 'trace'}")
        record.read(trace)
        trace.unlink()
