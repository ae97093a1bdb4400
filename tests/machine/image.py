"""What an emulated machine boots: a kernel and an initial RAM file system, made from Debian packages.

No package is configured and no root file system is installed: that would take a quarter of an hour under emulation.
The file system is an archive in the kernel's own format, which needs neither root nor mounts to make, and archives may
simply follow one another:

    [ base: busybox, init.sh, kernel modules ] [ overlay: programs, their libraries, files ]
      made once for a machine, cached            made for each boot

Promises: modules are loaded in an order in which each finds what it needs. Knows nothing of: QEMU.
Sources: kernel: Documentation/driver-api/early-userspace/buffer-format.rst (newc); `depends=` in a module's .modinfo.
"""

import lzma
import stat
from dataclasses import dataclass
from pathlib import Path

import elf
import packages

HERE = Path(__file__).resolve().parent
# spec: buffer-format.rst; headers, names and data are padded to 4 bytes, archives that follow one another too.
ALIGN = 4
END = "TRAILER!!!"


class Archive:
    """An initial RAM file system in the making."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._folders: set[str] = set()
        self._inode = 0

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Adds a file and the folders above it."""
        self._above(path)
        self._entry(path, stat.S_IFREG | mode, data)

    def copy(self, path: str, source: Path) -> None:
        """Adds a file of this machine; who may run it stays."""
        self.file(path, source.read_bytes(), stat.S_IMODE(source.stat().st_mode) | 0o444)

    def folder(self, path: str) -> None:
        """Adds an empty folder."""
        if path and path not in self._folders:
            self._above(path)
            self._folders.add(path)
            self._entry(path, stat.S_IFDIR | 0o755, b"")

    def link(self, path: str, target: str) -> None:
        """Adds a symbolic link."""
        self._above(path)
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path: str, major: int, minor: int) -> None:
        """Adds a character device."""
        self._above(path)
        self._entry(path, stat.S_IFCHR | 0o600, b"", (major, minor))

    def bytes(self) -> bytes:
        """The finished archive."""
        self._entry(END, 0, b"")
        return b"".join(self._parts)

    def _above(self, path: str) -> None:
        self.folder(str(Path(path).parent).removeprefix("."))

    def _entry(self, path: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        name = path.encode() + b"\0"
        numbers = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name
        self._parts += [_padded(head), _padded(data)]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGN)


@dataclass(frozen=True)
class System:
    """A kernel, the modules that a machine wants (`name`, or `name setting=value`), and packages with libraries.

    `built` are modules that the kernel's package lacks, by name.
    """

    arch: str
    modules: tuple[str, ...]
    library_packages: tuple[str, ...] = ()
    built: tuple[tuple[str, Path], ...] = ()

    def root(self) -> Path:
        """The unpacked packages."""
        wanted = (f"linux-image-{self.arch}", "busybox-static", *self.library_packages)
        return packages.unpacked(f"machine-{self.arch}", self.arch, *wanted, newest=True)

    def kernel(self) -> "Kernel":
        """The kernel."""
        (folder,) = (self.root() / "usr/lib/modules").iterdir()
        return Kernel(folder, self.built)

    def base(self, network: str) -> Path:
        """The archive that every boot of this system begins with."""
        root, init = self.root(), (HERE / "init.sh").read_bytes()
        ingredients = [root.name, *self.modules, *(str(path) for _, path in self.built), network, init, Path(__file__).read_bytes()]

        def make(path: Path) -> None:
            archive, settings = Archive(), dict(one.partition(" ")[::2] for one in self.modules)
            loaded = self.kernel().closure(tuple(settings))
            for module, data in loaded.items():
                archive.file(f"modules/{module}.ko", data)
            lines = [f"{module}.ko {settings.get(module, '')}\n" for module in loaded]
            archive.copy("bin/busybox", root / "usr/bin/busybox")
            archive.link("bin/sh", "busybox")
            archive.file("init", init, 0o755)
            archive.file("machine/modules", "".join(lines).encode())
            archive.file("machine/network", network.encode())
            archive.device("dev/console", 5, 1)
            path.write_bytes(archive.bytes())

        return packages.made(f"machine-{self.arch}-base", ingredients, make)


@dataclass(frozen=True)
class Kernel:
    """A kernel's folder of modules, where Debian keeps the kernel too, and modules beside those of its package."""

    folder: Path
    built: tuple[tuple[str, Path], ...] = ()

    @property
    def image(self) -> Path:
        """What to boot."""
        return self.folder / "vmlinuz"

    def closure(self, modules: tuple[str, ...]) -> dict[str, bytes]:
        """The files of these modules and of what they need, each after its needs."""
        builtin = {_plain(Path(line).stem) for line in (self.folder / "modules.builtin").read_text().split()}
        files = {_plain(path.name.split(".")[0]): path for path in self.folder.glob("kernel/**/*.ko*")}
        files.update({_plain(name): path for name, path in self.built})
        ordered: dict[str, bytes] = {}

        def add(name: str) -> None:
            if _plain(name) in builtin or name in ordered:
                return
            if _plain(name) not in files:
                raise FileNotFoundError(f"no module {name} in {self.folder}")
            path = files[_plain(name)]
            data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
            for need in _depends(data):
                add(need)
            ordered[name] = data

        for module in modules:
            add(module)
        return ordered


def _plain(module: str) -> str:
    """A module's name as the kernel compares it."""
    return module.replace("-", "_")


def _depends(module: bytes) -> list[str]:
    start = module.index(b"\0depends=") + len(b"\0depends=")
    return [name for name in module[start : module.index(b"\0", start)].decode().split(",") if name]


@dataclass(frozen=True)
class Overlay:
    """What one boot adds: programs (their libraries come by themselves) and files, by their path inside."""

    programs: dict[str, Path]
    files: dict[str, bytes]

    def archive(self, library_folders: list[Path]) -> bytes:
        """The archive to put behind a base."""
        archive = Archive()
        for path, source in self.programs.items():
            archive.copy(path.lstrip("/"), source)
        for path, source in sorted(elf.libraries(list(self.programs.values()), library_folders).items()):
            archive.copy(path, source)
        for path, data in self.files.items():
            archive.file(path.lstrip("/"), data)
        return archive.bytes()
