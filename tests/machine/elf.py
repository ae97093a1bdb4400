"""Which libraries a program needs, read from the program itself.

`ldd` runs the program's loader, which is of no use for a program of another architecture.

    header ──▶ program headers ──▶ PT_INTERP: the loader's path
                                └▶ PT_DYNAMIC: DT_NEEDED offsets ──▶ names in the table at DT_STRTAB

Knows nothing of: 32-bit or big-endian files. Sources: spec: System V ABI, ELF-64.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

# spec: e_phoff at 0x20; e_phentsize, e_phnum at 0x36.
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB = 1, 5


@dataclass(frozen=True)
class Wants:
    """What a file asks the system for: a loader (programs do, libraries do not) and libraries by name."""

    loader: str | None
    libraries: tuple[str, ...]


def wants(path: Path) -> Wants:
    """Reads what a program or library asks for."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{path} is no 64-bit little-endian ELF file")
    (offset,) = struct.unpack_from("<Q", data, 0x20)
    size, count = struct.unpack_from("<HH", data, 0x36)
    segments = [struct.unpack_from("<IIQQQQQQ", data, offset + index * size) for index in range(count)]

    def text(start: int) -> str:
        return data[start : data.index(b"\0", start)].decode()

    def at(address: int) -> int:
        return next(
            address - seg[3] + seg[2] for seg in segments if seg[0] == PT_LOAD and seg[3] <= address < seg[3] + seg[5]
        )

    loader = next((text(seg[2]) for seg in segments if seg[0] == PT_INTERP), None)
    dynamic = next((seg for seg in segments if seg[0] == PT_DYNAMIC), None)
    if dynamic is None:
        return Wants(loader, ())
    entries = list(struct.iter_unpack("<qQ", data[dynamic[2] : dynamic[2] + dynamic[5]]))
    names = next(at(value) for tag, value in entries if tag == DT_STRTAB)
    return Wants(loader, tuple(text(names + value) for tag, value in entries if tag == DT_NEEDED))


def libraries(programs: list[Path], folders: list[Path]) -> dict[str, Path]:
    """All files that these programs need to run: path inside the machine to file here, loader included."""
    found: dict[str, Path] = {}
    todo = list(programs)

    def look(name: str, who: Path) -> Path:
        for folder in folders:
            if (folder / name).exists():
                return (folder / name).resolve()
        raise FileNotFoundError(f"{who} needs {name}, which is not in {', '.join(map(str, folders))}")

    while todo:
        program = todo.pop()
        needs = wants(program)
        targets = [f"lib/{name}" for name in needs.libraries]
        if needs.loader:
            targets.append(needs.loader.lstrip("/"))
        for target in targets:
            if target not in found:
                found[target] = look(Path(target).name, program)
                todo.append(found[target])
    return found
