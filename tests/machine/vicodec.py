"""The kernel's test driver `vicodec`: an encoder and a decoder in software, behind the calls of a Pi's encoder in silicon.

Debian has its source and does not build it. So it is built here from Debian's source package, with Debian's headers and
compiler for the very kernel that the machines boot, in a root that is made once:

    linux-source-X.Y ── vicodec/*, v4l2-mem2mem.c ──▶ ┐
    linux-headers-VERSION, its compiler ────────────▶ chroot: make modules ──▶ vicodec.ko, cached by version and this file

Promises: the module fits the kernel that it was asked for, or there is an error. Nothing stays mounted.
Knows nothing of: who loads it. Sources: kernel: Documentation/kbuild/modules.rst; `drivers/media/test-drivers/vicodec`.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import packages
from image import Kernel

MEDIA = "drivers/media"
DRIVER = f"{MEDIA}/test-drivers/vicodec"
# What several codecs share; Debian's kernel has no other, and so lacks it too. It becomes a part of this one.
SHARED = f"{MEDIA}/v4l2-core/v4l2-mem2mem.c"
# Both have a setting `debug`, and a module has one.
MAKEFILE = """
obj-m := vicodec.o
vicodec-y := vicodec-core.o codec-fwht.o codec-v4l2-fwht.o v4l2-mem2mem.o
CFLAGS_v4l2-mem2mem.o := -Ddebug=m2m_debug
"""
# Without `multiplanar` it speaks calls that the Pi's encoder does not have.
WITH_SETTINGS = "vicodec multiplanar=1"


def module(kernel: Kernel) -> Path:
    """The module for a kernel."""
    version = kernel.folder.name

    def make(path: Path) -> None:
        source = "linux-source-" + ".".join(version.split(".")[:2])
        headers = f"linux-headers-{version}"
        root = packages.unpacked("kernel-build", "amd64", headers, source, "make", newest=True, configure=True)
        with tempfile.TemporaryDirectory(dir=root / "tmp", prefix="vicodec-") as name:
            folder = Path(name)
            archive = root / f"usr/src/{source}.tar.xz"
            wanted = [f"{source}/{DRIVER}", f"{source}/{SHARED}"]
            subprocess.run(["tar", "-xJf", archive, "-C", folder, *wanted], check=True)
            for file in [*(folder / source / DRIVER).glob("*.[ch]"), folder / source / SHARED]:
                shutil.copy(file, folder)
            (folder / "Makefile").write_text(MAKEFILE)
            inside = f"/tmp/{folder.name}"
            make_modules = ["make", "--quiet", "-C", f"/lib/modules/{version}/build", f"M={inside}", "modules"]
            environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
            # The mount is in a namespace of its own and goes with it. objtool reads /proc.
            enter = 'mount -t proc proc "$1/proc" && exec chroot "$@"'
            command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", enter, "sh", root, *make_modules]
            done = subprocess.run(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            if done.returncode != 0:
                raise RuntimeError(f"vicodec does not build for {version}:\n{done.stdout}")
            shutil.copy(folder / "vicodec.ko", path)

    return packages.made("machine-vicodec", [version, Path(__file__).read_bytes()], make)
