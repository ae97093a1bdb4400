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

    def __init__(
        self,
        folder: Path,
        modules: tuple[str, ...] = (),
        built: tuple[tuple[str, Path], ...] = (),
        disks_mb: tuple[int, ...] = (),
        has_own_time: bool = False,
        **common,
    ):
        """With further modules, `built` ones among them, and empty disks of these sizes: /dev/vda, /dev/vdb, ...

        With `has_own_time` its clock counts instructions on one processor: it does not go on while the host does
        something else, so what is done inside takes as long as it takes, however busy this machine is.
        """
        super().__init__(folder, **common)
        self.has_own_time = has_own_time
        self.system = System("amd64", MODULES + modules, built=built)
        self.disks = [folder / f"disk-{index}" for index in range(len(disks_mb))]
        for disk, size in zip(self.disks, disks_mb, strict=True):
            with open(disk, "wb") as file:
                file.truncate(size << 20)

    def hardware(self) -> list[str]:
        time = ("-accel", "tcg,thread=multi", "-smp", "2")
        if self.has_own_time:
            # An instruction is 4 ns, and idle time is skipped.
            time = ("-accel", "tcg,thread=single", "-icount", "shift=2,sleep=off", "-smp", "1")
        options = [
            *("-M", "q35", "-cpu", "max", "-m", str(self.memory_mb), *time),
            *("-serial", "chardev:console", "-device", "virtio-net-pci,netdev=net"),
        ]
        for disk in self.disks:
            options += ["-drive", f"file={disk},if=virtio,format=raw,cache=unsafe"]
        return options

    def library_folders(self) -> list[Path]:
        return [Path(folder) for folder in LIBRARY_FOLDERS]
