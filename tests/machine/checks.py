"""Checks that print one line each, in order; the first that fails ends the file, because the rest would fail with it.

    ok      pi3b: forward drives pin 23 high (duty 401 permille of 400)
    FAILED  pi3b: ...

Promises: exit code 0 or 1, and 77 with the reason on the last line where this machine cannot run a check at all.
Knows nothing of: machines.
"""

import contextlib
import os
import platform
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator

CANNOT_RUN = 77


class Abandoned(Exception):
    """A check failed and was reported."""


class Checks:
    """The checks of one file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._detail = ""
        # Called after a failure, for what would explain it.
        self.explain: list[Callable[[], str]] = []

    @contextlib.contextmanager
    def check(self, sentence: str) -> Iterator[None]:
        """One line of the report. Whatever fails inside is the reason of its failure."""
        self._detail = ""
        try:
            yield
        except Exception as err:
            print(f"FAILED  {self.name}: {sentence}: {type(err).__name__}: {str(err).splitlines()[0]}")
            print(_indented("".join(traceback.format_exception(err))))
            for explain in self.explain:
                with contextlib.suppress(Exception):  # the failure itself is told; this is only more about it
                    print(_indented(explain()))
            sys.stdout.flush()
            raise Abandoned from err
        print(f"ok      {self.name}: {sentence}{self._detail}", flush=True)

    def say(self, text: str) -> None:
        """Adds what was measured to the line of the current check."""
        self._detail = f" ({text})"


def _indented(text: str) -> str:
    return "\n".join("        " + line for line in text.rstrip().splitlines())


def expect(condition: object, why: str) -> None:
    """Fails the current check with a reason unless the condition holds."""
    if not condition:
        raise AssertionError(why)


def near(got: float, wanted: float, by: float, what: str) -> None:
    """Fails the current check unless a figure is as wanted, give or take."""
    expect(abs(got - wanted) <= by, f"{what} is {got:g}, not {wanted:g} ± {by:g}")


def main(name: str, checks: Callable[[Checks], None]) -> None:
    """Runs the checks of a file and exits."""
    if reason := _why_not():
        print(f"{name}: NOT RUN: {reason}")
        sys.exit(CANNOT_RUN)
    try:
        checks(Checks(name))
    except Abandoned:
        sys.exit(1)


def _why_not() -> str:
    """Why emulated machines cannot run here, if they cannot."""
    if platform.machine() != "x86_64":
        return f"the emulator comes as an amd64 program, and this is {platform.machine()}"
    if os.geteuid() != 0:
        return "packages are unpacked as root (or run it with sudo)"
    for tool in ("mmdebstrap", "setpriv", "ip", "unshare"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed; scripts/prepare.sh test installs it"
    return ""
