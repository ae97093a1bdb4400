"""What a machine needs for CSI cameras without a sensor: libcamera from Debian, and two of its virtual cameras.

Each is eight bars of colour, 1280x720, that move left by a column with each picture. libcamera makes the pictures in
dma-bufs of the kernel's `udmabuf` or `dma_heap`, which Debian's kernel has built in.

Knows nothing of: what is done with the pictures. Sources: libcamera `src/libcamera/pipeline/virtual/README.md`.
"""

import subprocess
from pathlib import Path

from packages import TOP
from vm import Vm

CAMERA = """"Virtual%d":
  supported_formats:
  - width: 1280
    height: 720
    frame_rates:
    - 30
    - 60
  test_pattern: "bars"
  location: "%s"
  model: "Virtual Video Device"
"""
YAML = "%YAML 1.1\n---\n" + CAMERA % (0, "CameraLocationFront") + CAMERA % (1, "CameraLocationBack")
FILES = {"/usr/share/libcamera/pipeline/virtual/virtual.yaml": YAML.encode()}


def libraries() -> Path:
    """Where libcamera, and all that it needs, is on this machine."""
    made = subprocess.run([TOP / "scripts/with-libcamera.sh", "--root"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(made.stdout.strip()) / "usr/lib/x86_64-linux-gnu"


class CameraVm(Vm):
    """A PC with two virtual cameras, for programs that were built by scripts/with-libcamera.sh."""

    def __init__(self, folder: Path, files: dict[str, bytes] | None = None, **common) -> None:
        super().__init__(folder, files={**FILES, **(files or {})}, **common)

    def library_folders(self) -> list[Path]:
        return [libraries()]
