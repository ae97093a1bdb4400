"""Folders of unpacked Debian packages, and where this project keeps what is costly to make.

Promises: a folder is made once; what is made here is named by a hash of what made it, so it is never stale.
Knows nothing of: machines. Sources: `scripts/debian-root.sh`, which does the work.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def cache() -> Path:
    """The folder for what is costly to make."""
    return Path(os.environ.get("SPIDERCAR_CACHE", Path.home() / ".cache/spidercar"))


def unpacked(name: str, arch: str, *packages: str, newest: bool = False, configure: bool = False) -> Path:
    """The folder with these packages and all that they need, for one architecture; to be entered with `configure`."""
    options = [*(["--newest"] if newest else []), *(["--configure"] if configure else [])]
    command = [TOP / "scripts/debian-root.sh", name, "--arch", arch, *options, *packages]
    made = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Path(made.stdout.strip())


def made(name: str, ingredients: list[str | bytes], make: Callable[[Path], None]) -> Path:
    """The file that `make` writes from these ingredients; made if it is not there yet."""
    digest = hashlib.sha256()
    for one in ingredients:
        digest.update(one if isinstance(one, bytes) else one.encode())
        digest.update(b"\0")
    path = cache() / f"{name}-{digest.hexdigest()[:12]}"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=cache(), prefix=f"{path.name}.making-") as folder:
            unfinished = Path(folder) / "file"
            make(unfinished)
            unfinished.rename(path)
    return path
