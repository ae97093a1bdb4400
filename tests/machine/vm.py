"""An emulated PC with a Debian kernel: what this machine's own kernel lacks, for programs that were built here.

It has `gpio-sim` (GPIO lines whose levels are pulled from sysfs, with edge events), `i2c-stub`, ext4 on a disk that
remembers every write (`dm-log-writes`), and whatever else is asked for as a module. Programs find this machine's
libraries inside.

Sources: kernel: Documentation/admin-guide/gpio/gpio-sim.rst, device-mapper/log-writes.rst, i2c/i2c-stub.rst.
"""

from pathlib import Path

from image import System
from machine import Machine

MODULES = ("virtio_net", "virtio_blk", "configfs", "gpio-sim", "i2c-dev", "ext4", "dm-log-writes", "dm-flakey")
# Where Debian's loader looks, in its order.
LIBRARY_FOLDERS = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/lib", "/usr/lib")


class Vm(Machine):
    """The machine."""

    program = "qemu-system-x86_64"
    system = System("amd64", MODULES)
    tty = "ttyS0"
    memory_mb = 1024
    processors = 2

    def __init__(self, folder: Path, modules: tuple[str, ...] = (), disks_mb: tuple[int, ...] = (), **common):
        """With further modules, and empty disks of these sizes: /dev/vda, /dev/vdb, ..."""
        super().__init__(folder, **common)
        self.system = System("amd64", MODULES + modules)
        self.disks = [folder / f"disk-{index}" for index in range(len(disks_mb))]
        for disk, size in zip(self.disks, disks_mb, strict=True):
            with open(disk, "wb") as file:
                file.truncate(size << 20)

    def hardware(self) -> list[str]:
        options = [
            *("-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"),
            *("-smp", str(self.processors), "-m", str(self.memory_mb)),
            *("-serial", "chardev:console", "-device", "virtio-net-pci,netdev=net"),
        ]
        for disk in self.disks:
            options += ["-drive", f"file={disk},if=virtio,format=raw,cache=unsafe"]
        return options

    def library_folders(self) -> list[Path]:
        return [Path(folder) for folder in LIBRARY_FOLDERS]
