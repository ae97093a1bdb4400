"""What the pins of an emulated Pi did, edge by edge, as QEMU saw the program write its registers.

Looking at the level register many times a second shows levels (a thousand looks a second), but not how long a pulse was.
QEMU can tell of every write to an emulated device, with the time in microseconds, so that is what is read:

    program ──GPSET0, GPCLR0──▶ QEMU ──trace line──▶ file ──▶ edges ──▶ duty, pulses, levels at a time

Promises: an edge is a change of a level; times are CLOCK_MONOTONIC of this machine, in seconds.
Knows nothing of: what hangs on a pin. Sources: QEMU: docs/devel/tracing.rst, event memory_region_ops_write.
"""

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

# datasheet: BCM2835 ARM Peripherals 6.1. GPIO is at 0x7e200000 on the bus, 0x3f200000 for the processor of a Pi 3.
GPIO = 0x3F200000
GPFSEL0, GPSET0, GPCLR0, GPLEV0 = GPIO, GPIO + 0x1C, GPIO + 0x28, GPIO + 0x34
TRACE_EVENT = "memory_region_ops_write"
TRACE_LINE = re.compile(rb"@(\d+\.\d+):memory_region_ops_write .* addr (0x3f2000(?:1c|28)) value (0x[0-9a-f]+) ")


@dataclass(frozen=True)
class Edge:
    """A pin changed."""

    at: float
    pin: int
    level: int


@dataclass(frozen=True)
class Pulse:
    """A pin was high, from one edge to the next."""

    at: float
    width: float


@dataclass
class Record:
    """All edges of a span of time."""

    levels: int
    begin: float
    end: float = 0.0
    edges: list[Edge] = field(default_factory=list)

    def read(self, trace: Path) -> None:
        """Takes the edges from a trace file of QEMU."""
        to_monotonic = time.monotonic() - time.time()
        now = self.levels
        with open(trace, "rb") as lines:
            for found in filter(None, map(TRACE_LINE.search, lines)):
                bits, is_set = int(found[3], 16), int(found[2], 16) == GPSET0
                changed = bits & (~now if is_set else now)
                now = now | bits if is_set else now & ~bits
                at = float(found[1]) + to_monotonic
                self.edges += [Edge(at, pin, int(is_set)) for pin in range(32) if changed >> pin & 1]

    def of(self, pin: int) -> list[Edge]:
        """The edges of a pin."""
        return [edge for edge in self.edges if edge.pin == pin]

    def level(self, pin: int, at: float) -> int:
        """What level a pin had at that time."""
        before = [edge for edge in self.of(pin) if edge.at <= at]
        return before[-1].level if before else self.levels >> pin & 1

    def pulses(self, pin: int) -> list[Pulse]:
        """The whole pulses of a pin."""
        edges = self.of(pin)
        pairs = zip(edges, edges[1:], strict=False)
        return [Pulse(rise.at, fall.at - rise.at) for rise, fall in pairs if rise.level and not fall.level]

    def longest_rest(self, pin: int, begin: float, end: float) -> float:
        """The longest time in which a pin did not change, in a part of the record."""
        moments = [begin, *(edge.at for edge in self.of(pin) if begin < edge.at < end), end]
        return max(to - since for since, to in zip(moments, moments[1:], strict=False))

    def duty(self, pin: int) -> float:
        """How much of the time a pin was high, 0 to 1."""
        moments = [self.begin, *(edge.at for edge in self.of(pin)), self.end]
        levels = [self.levels >> pin & 1, *(edge.level for edge in self.of(pin))]
        spans = zip(moments, moments[1:], levels, strict=False)
        return sum((to - since) * level for since, to, level in spans) / (self.end - self.begin)
