"""Power cuts: every state that a disk could have been left in, from a log of the writes to it.

    ext4 ──▶ dm-log-writes ──▶ disk          the log has the writes in the order in which they became durable
                    └────────▶ log           (one that was never flushed may be lost, so it is not in there before)

    cut(n): the disk as it was before, with the first n writes of the log. `e2fsck` replays the journal as a mount does,
    `debugfs` reads a file: no mounting, a cut takes a tenth of a second.

Promises: a state is one that a real disk with a volatile cache can be left in. Knows nothing of: what the files mean.
Sources: kernel: Documentation/admin-guide/device-mapper/log-writes.rst, drivers/md/dm-log-writes.c (the format).
"""

import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# kernel: dm-log-writes.c.
MAGIC, VERSION = 0x6A736677736872, 1
SUPER, ENTRY = struct.Struct("<QQQI"), struct.Struct("<QQQQ")
DISCARD, MARK = 1 << 2, 1 << 3


@dataclass(frozen=True)
class Write:
    """One write that became durable; or a mark, which writes nothing."""

    offset: int
    data: bytes
    mark: str = ""


def read(log: Path) -> list[Write]:
    """The writes of a log device."""
    data = log.read_bytes()
    magic, version, count, sector = SUPER.unpack_from(data, 0)
    if (magic, version) != (MAGIC, VERSION):
        raise ValueError(f"{log} is no log of dm-log-writes version {VERSION}")
    writes, at = [], sector
    for _ in range(count):
        start, sectors, flags, length = ENTRY.unpack_from(data, at)
        mark = data[at + ENTRY.size : at + ENTRY.size + length].decode() if flags & MARK else ""
        at += sector
        size = 0 if flags & DISCARD else sectors * sector
        content = bytes(sectors * sector) if flags & DISCARD else data[at : at + size]
        writes.append(Write(start * sector, content, mark))
        at += size
    return writes


def format_ext4(disk: Path) -> Path:
    """Puts an empty ext4 on a disk, and returns a copy of it to cut from."""
    subprocess.run(["mke2fs", "-q", "-t", "ext4", disk], check=True)
    before = disk.with_suffix(".before")
    shutil.copyfile(disk, before)
    return before


def cuts(before: Path, writes: list[Write], disk: Path) -> Iterator[int]:
    """Makes `disk` each state between no write and all of them, in order; yields how many it has."""
    shutil.copyfile(before, disk)
    yield 0
    for count, write in enumerate(writes, 1):
        if write.data:
            with open(disk, "r+b") as file:
                file.seek(write.offset)
                file.write(write.data)
            yield count


def file_after_cut(disk: Path, path: str) -> bytes | None:
    """What a file on an ext4 disk holds after the power came back; `None` if it is not there."""
    copy = disk.with_suffix(".recovered")
    shutil.copyfile(disk, copy)
    repair = subprocess.run(["e2fsck", "-p", copy], capture_output=True, text=True)
    if repair.returncode > 1:  # 0: clean; 1: mended, the journal was replayed
        raise RuntimeError(f"e2fsck ended with {repair.returncode}: {repair.stdout}{repair.stderr}")
    found = subprocess.run(["debugfs", "-R", f"cat {path}", copy], capture_output=True, check=True)
    return None if b"File not found" in found.stderr else found.stdout
