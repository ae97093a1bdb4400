"""The wire between this machine and one that is emulated, and an aiortc viewer on this end of it.

Promises: the wire goes with the network namespace of the process that made it.
Knows nothing of: what is filmed.
"""

import json
import subprocess
from pathlib import Path

from checks import expect
from driver import CHANNEL, Spider

RECORD = Path(__file__).resolve().parents[1] / "interop/record.py"


def wire(tap: str, host: str) -> None:
    """Makes the interface, with this machine's address, in this process's network namespace."""
    for command in (
        "ip link set lo up",
        f"ip tuntap add dev {tap} mode tap",
        f"ip addr add {host}/24 dev {tap}",
        f"ip link set {tap} up",
    ):
        subprocess.run(command.split(), check=True)


def pictures(python: str, spider: Spider, size: tuple[int, int], count: int, folder: Path) -> tuple[list[bytes], float]:
    """So many pictures as the viewer has them, planar 4:2:0, and how many a second there were."""
    file, key = folder / "pictures", spider.key_file.read_text().strip()
    command = [python, RECORD, spider.address, spider.plain_url, CHANNEL, key, str(count), file]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    expect(run.returncode == 0, f"{run.stdout}{run.stderr}")
    said = json.loads(run.stdout)
    expect((said["width"], said["height"]) == size, f"{said}")
    length, data = size[0] * size[1] * 3 // 2, file.read_bytes()
    return [data[at : at + length] for at in range(0, len(data), length)], (said["count"] - 1) / said["seconds"]
