"""The stamp of the simulated camera in a third hand: drawn into test pictures, read out of decoded ones.

With it a test knows which frames arrived, in which order, and how old they are (CLOCK_MONOTONIC is one clock for all
processes of a machine). 15 bytes, 120 bits, most significant first, in 40 columns of 3, column by column, in a strip
along the top edge; white is 1. `src/hal/sim/stamp.rs` has the picture of it.

Promises: what is read was written (two sync bytes and a CRC), else None. Knows nothing of: where frames come from.
Sources: src/logic/EXTENSION.md, the stamp; CRC-16/IBM-3740.
"""

import binascii
import time

COLUMNS, LINES = 40, 3
HEAD, TAIL = 0xB2, 0x4D
BLACK, WHITE = 16, 235
# Least difference between white and black of a stamp; below it the picture is something grey.
LEAST_CONTRAST = 56


def now_us() -> int:
    """CLOCK_MONOTONIC in microseconds: the clock of the stamps and of the actuator log."""
    return time.monotonic_ns() // 1000


def _strip_height(height: int) -> int:
    return 4 * LINES * max((height + 180) // 360, 1)


def draw(luma: bytearray, stride: int, width: int, height: int, captured_us: int, number: int) -> None:
    """Draws a stamp over the top of a luma plane."""
    data = captured_us.to_bytes(7, "big") + number.to_bytes(4, "big")
    stamp = bytes([HEAD]) + data + binascii.crc_hqx(data, 0xFFFF).to_bytes(2, "big") + bytes([TAIL])
    bits = [stamp[bit // 8] >> (7 - bit % 8) & 1 for bit in range(COLUMNS * LINES)]
    strip = _strip_height(height)
    for line in range(LINES):
        row = bytearray(width)
        for column in range(COLUMNS):
            left, right = width * column // COLUMNS, width * (column + 1) // COLUMNS
            row[left:right] = bytes([WHITE if bits[column * LINES + line] else BLACK]) * (right - left)
        for y in range(strip * line // LINES, strip * (line + 1) // LINES):
            luma[y * stride : y * stride + width] = row


def read(frame) -> tuple[int, int] | None:
    """Capture time in microseconds and number of a decoded picture."""
    plane = frame.planes[0]
    luma, stride = memoryview(plane), plane.line_size
    strip = _strip_height(frame.height)

    def middle(length, part, parts):
        first, end = length * (4 * part + 1) // (4 * parts), length * (4 * part + 3) // (4 * parts)
        return first, max(end, first + 1)

    levels = []
    for bit in range(COLUMNS * LINES):
        left, right = middle(frame.width, bit // LINES, COLUMNS)
        top, bottom = middle(strip, bit % LINES, LINES)
        total = sum(sum(luma[y * stride + left : y * stride + right]) for y in range(top, bottom))
        levels.append(total / ((right - left) * (bottom - top)))
    pairs = zip(levels[:8], levels[-8:])
    # The tail is the head inverted: each pair holds one white and one black block.
    ordered = [(a, b) if HEAD >> (7 - bit) & 1 else (b, a) for bit, (a, b) in enumerate(pairs)]
    white, black = sum(pair[0] for pair in ordered) / 8, sum(pair[1] for pair in ordered) / 8
    if white < black + LEAST_CONTRAST:
        return None
    value = 0
    for level in levels:
        value = value << 1 | (level > (white + black) / 2)
    stamp = value.to_bytes(15, "big")
    data, crc = stamp[1:12], int.from_bytes(stamp[12:14], "big")
    if stamp[0] != HEAD or stamp[14] != TAIL or binascii.crc_hqx(data, 0xFFFF) != crc:
        return None
    return int.from_bytes(data[:7], "big"), int.from_bytes(data[7:], "big")
