"""An emulated machine: booted from our own archive, told what to do over its console, looked at from outside.

    boot() ──▶ QEMU ──▶ kernel ──▶ init.sh ──▶ "machine: ready" ──▶ run("...") any number of times ──▶ power_off()

    with Vm(folder, programs={"bin/spidercar": binary}) as vm:
        vm.boot()
        print(vm.check("spidercar --version"))

QEMU comes from unpacked Debian trixie packages and is started through their own loader, so nothing is installed on this
machine and its own QEMU, if any, does not matter. A host on 127.0.0.1 is 10.0.2.2 inside.

Promises: QEMU is ended by its id when the `with` block ends, and by the kernel if this process is killed; each wait has
a deadline; `boot` reports how long it took.
Knows nothing of: any particular board. Sources: QEMU's manual; kernel: Documentation/admin-guide/kernel-parameters.
"""

import contextlib
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import packages
import process
from console import Console
from image import Overlay, System
from qmp import Monitor

# Longest boot. measured: Pi 13 s, PC 8 s; 36 and 18 s beside a load average of 11. choice: five times that.
BOOT_LIMIT = 180.0
# Longest wait for a command or the monitor. choice: emulated programs are twenty times slower.
PATIENCE = 60.0
# A terminal's line buffer. kernel: N_TTY_BUF_SIZE.
LONGEST_LINE = 4095


@dataclass(frozen=True)
class Result:
    """How a command inside ended, and what it printed."""

    code: int
    lines: list[str]

    @property
    def text(self) -> str:
        """All that it printed."""
        return "\n".join(self.lines)


class Machine:
    """What the machines have in common."""

    # Each board says its own.
    system: System
    program: str
    tty: str
    append = "quiet panic=-1"
    network = "10.0.2.15/24"

    def __init__(
        self,
        folder: Path,
        programs: dict[str, Path] | None = None,
        files: dict[str, bytes] | None = None,
        tap: str | None = None,
    ):
        """A machine with these programs and files inside, by their path there; `folder` takes its logs.

        With `tap`, its network is that interface of this machine instead of QEMU's own.
        """
        self.folder = folder
        self.tap = tap
        self.overlay = Overlay(programs or {}, files or {})
        self.boot_seconds = 0.0
        self._commands = 0
        self.console: Console | None = None
        self.monitor: Monitor | None = None
        self._process: subprocess.Popen | None = None

    def hardware(self) -> list[str]:
        """QEMU's options for the board; the console is `chardev:console`, the network `netdev=net`."""
        raise NotImplementedError

    def library_folders(self) -> list[Path]:
        """Where the libraries of the machine's programs are on this machine."""
        raise NotImplementedError

    def boot(self, limit: float = BOOT_LIMIT) -> "Machine":
        """Starts the machine and waits until it listens."""
        base = self.system.base(self.network)
        archive = self.folder / "initrd"
        archive.write_bytes(base.read_bytes() + self.overlay.archive(self.library_folders()))
        append = f"{self.append} console={self.tty} machine.tty={self.tty.split(',')[0]} machine.epoch={int(time.time())}"
        started = time.monotonic()
        self.power_on(self.system.kernel().image, archive, append)
        try:
            self.console.wait("machine: ready$", limit)
        except TimeoutError as err:
            raise self.did_not_boot(err) from err
        self.boot_seconds = time.monotonic() - started
        return self

    def power_on(self, kernel: Path, initrd: Path, append: str) -> None:
        """Starts QEMU with this kernel, its initial RAM file system and its command line; waits for nothing inside."""
        root = packages.unpacked("machine-qemu", "amd64", "qemu-system-arm", "qemu-system-x86")
        libraries = root / "usr/lib/x86_64-linux-gnu"
        console, console_of_qemu = socket.socketpair()
        monitor, monitor_of_qemu = socket.socketpair()
        command = [
            *(libraries / "ld-linux-x86-64.so.2", "--library-path", libraries, root / "usr/bin" / self.program),
            *("-L", root / "usr/share/qemu", "-L", root / "usr/share/seabios"),
            *("-nodefaults", "-display", "none", "-no-reboot", "-msg", "timestamp=on"),
            *("-chardev", f"socket,id=console,fd={console_of_qemu.fileno()},logfile={self.folder / 'console'}"),
            *("-chardev", f"socket,id=monitor,fd={monitor_of_qemu.fileno()}", "-mon", "chardev=monitor,mode=control"),
            *("-netdev", f"tap,id=net,ifname={self.tap},script=no,downscript=no" if self.tap else "user,id=net"),
            *("-D", self.folder / "trace"),
            *("-kernel", kernel, "-initrd", initrd, "-append", append),
            *self.hardware(),
        ]
        with open(self.folder / "qemu.log", "wb") as log:
            self._process = process.start(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(console_of_qemu.fileno(), monitor_of_qemu.fileno()),
                env={**os.environ, "QEMU_MODULE_DIR": str(libraries / "qemu")},
                start_new_session=True,
            )
        console_of_qemu.close()
        monitor_of_qemu.close()
        self.console = Console(console)
        try:
            self.monitor = Monitor(monitor, PATIENCE)
        except OSError as err:
            raise self.did_not_boot(err) from err

    def did_not_boot(self, err: Exception) -> RuntimeError:
        """Ends QEMU, and gives what is to be told."""
        said = (self.folder / "qemu.log").read_text(errors="replace")
        self.kill()
        return RuntimeError(f"{self.program} does not boot: {err}\nQEMU said: {said or 'nothing'}")

    def run(self, command: str, limit: float = PATIENCE) -> Result:
        """Runs a command of the shell inside and waits for its end."""
        self._commands += 1
        line = f"{self._commands} {command}"
        if "\n" in line or len(line) > LONGEST_LINE:
            raise ValueError(f"a command is one line of at most {LONGEST_LINE} characters; put a script into `files`")
        mark = self.console.mark()
        self.console.write(line)
        begin, _ = self.console.wait(f"machine: {self._commands} begins$", limit, mark)
        end, found = self.console.wait(rf"^(.*)machine: {self._commands} ended (\d+)$", limit, begin)
        lines = [line.text for line in self.console.since(begin + 1)[: end - begin - 1]]
        return Result(int(found[2]), lines + ([found[1]] if found[1] else []))

    def check(self, command: str, limit: float = PATIENCE) -> list[str]:
        """Like `run`, for a command that must succeed: what it printed."""
        result = self.run(command, limit)
        if result.code != 0:
            raise RuntimeError(f"inside, exit code {result.code}: {command}\n{result.text}")
        return result.lines

    def power_off(self) -> None:
        """Pulls the plug: QEMU ends at once, in order."""
        if self._process is not None and self._process.poll() is None:
            self.monitor.execute("quit")
            self._process.wait(PATIENCE)
        self._close()

    def kill(self) -> None:
        """Ends QEMU whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._close()

    def hurry(self) -> None:
        """From now on this machine, this process and what it starts run before all else here: times are measured.

        Niceness would not do: the kernel compares it only within a session (sched_autogroup).
        """
        for pid in (os.getpid(), self.pid):
            for task in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(ProcessLookupError):  # it ended since it was listed
                    os.sched_setscheduler(int(task), os.SCHED_RR, os.sched_param(1))

    @property
    def pid(self) -> int:
        """QEMU's process."""
        return self._process.pid

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_) -> None:
        self.kill()

    def _close(self) -> None:
        for end in (self.console, self.monitor):
            if end is not None:
                end.close()
        self.console = self.monitor = self._process = None
