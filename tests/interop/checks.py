"""Checks that print one line each, and the one way to wait: for a condition, with a deadline.

A test file is a list of scenarios. A scenario sets up processes and peers and makes checks in order; the first that
fails ends the scenario, because what follows would fail for the same reason. `run.sh` counts the lines.

    ok      car: 31.2 frames a second at 640x480
    FAILED  car: forward moves the throttle: TimeoutError: ...
    SKIPPED legacy: ...

Promises: no check outlives its deadline; after a failure what the programs said is printed, indented; the exit code is
1 if anything failed. Knows nothing of: cars, Spiders.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
import traceback
from pathlib import Path

# Longest wait for one condition, in seconds. choice: ten times what a loaded machine of two cores was seen to need.
PATIENCE = 20.0
# Between two looks at something that cannot tell when it changes (a file, a foreign object), in seconds.
LOOK = 0.005
# Longest run of one scenario, in seconds. choice: the sum of a scenario's own deadlines is never near it.
SCENARIO_LIMIT = 180.0


class Abandoned(Exception):
    """A check failed and was reported; the rest of the scenario is not worth running."""


class Scenario:
    """What a scenario is given: `check`, `clean`, a folder, and a way to say something after a check."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.failed = 0
        self.clean = contextlib.AsyncExitStack()
        self._detail = ""
        self._programs: list = []

    @contextlib.asynccontextmanager
    async def check(self, sentence: str, limit: float = 2 * PATIENCE):
        """One line of the report. Whatever fails inside is the reason of its failure."""
        self._detail = ""
        try:
            async with asyncio.timeout(limit):
                yield
        except Exception as err:
            self.fail(sentence, err)
            raise Abandoned from err
        print(f"ok      {self.name}: {sentence}{self._detail}", flush=True)

    def say(self, text: str) -> None:
        """Adds what was measured to the line of the current check."""
        self._detail = f" ({text})"

    def fail(self, sentence: str, err: BaseException) -> None:
        self.failed += 1
        what = f"{type(err).__name__}: {err}".splitlines()[0]
        print(f"FAILED  {self.name}: {sentence}: {what}", flush=True)
        for line in traceback.format_exception(err):
            print("        " + line.rstrip().replace("\n", "\n        "), flush=True)
        for program in self._programs:
            for line in program.tail():
                print(f"        | {line}", flush=True)

    def watch_log_of(self, program) -> None:
        """Prints the tail of this program's log if a check fails."""
        self._programs.append(program)


async def until(condition, what: str, limit: float = PATIENCE):
    """Waits until `condition()` is true and returns its value; says what was waited for if it never is."""
    give_up_at = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"waited {limit:g} s for {what}")
        await asyncio.sleep(LOOK)
    return value


async def within(limit: float, awaitable, what: str):
    """Awaits something, and names it if it takes too long."""
    try:
        return await asyncio.wait_for(awaitable, limit)
    except TimeoutError:
        raise TimeoutError(f"waited {limit:g} s for {what}") from None


def expect(condition, why: str) -> None:
    """Fails the current check with a reason unless the condition holds."""
    if not condition:
        raise AssertionError(why)


async def run(name: str, scenario) -> int:
    """Runs one scenario; how many of its checks failed."""
    with tempfile.TemporaryDirectory(prefix="spidercar-interop-") as folder:
        made = Scenario(name, Path(folder))
        try:
            async with asyncio.timeout(SCENARIO_LIMIT):
                try:
                    await scenario(made)
                finally:
                    await made.clean.aclose()
        except Abandoned:
            pass
        except Exception as err:  # outside any check: setting up or cleaning failed
            made.fail("set up and clean up", err)
        return made.failed


def main(scenarios: dict) -> None:
    """Runs the scenarios in order (all, or those named on the command line) and exits."""
    wanted = sys.argv[1:] or list(scenarios)
    failed = sum(asyncio.run(run(name, scenarios[name])) for name in wanted)
    print("end of file", flush=True)
    sys.exit(1 if failed else 0)
