"""The program in a pseudo-terminal of its own: keys in, a screen out, and the actuator log in between.

Conditions are waited for with a deadline, and what was started is ended.
"""

import json
import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

PATIENCE_S = 20


class Program:
    """The program in a terminal of its own."""

    def __init__(self, binary, folder, name, words):
        """`words` are the command and its flags; the car is a simulated one with a log and a state file."""
        self.log = folder / f"{name}.jsonl"
        self.state = folder / f"{name}.json"
        command = [binary, *words, "--set", f"sim.actuator_log={self.log}", "--set", f"drive.state_file={self.state}"]
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "vt100"
            os.execv(binary, command)
        self.said = ""
        self.code = None

    def read(self, wait=0.0):
        ready, _, _ = select.select([self.terminal], [], [], wait)
        if ready:
            try:
                self.said += os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:
                pass  # the other end is gone

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def writes(self):
        text = self.log.read_text() if self.log.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def last(self):
        return self.writes()[-1]

    def until(self, what, holds, press=None):
        """Waits for a condition, and presses a key 30 times a second meanwhile, as a held one does."""
        end = time.monotonic() + PATIENCE_S
        while True:
            self.read(0.033)
            if press:
                self.type(press)
            self.meanwhile()
            try:
                if holds():
                    return
            except (IndexError, OSError):
                pass
            assert time.monotonic() < end, f"waited for {what}; the log ends {self.writes()[-3:]}, the screen {self.said[-600:]!r}"

    def meanwhile(self):
        """What a person does besides, whatever he waits for."""

    def until_says(self, text):
        self.until(f"{text!r} on the screen", lambda: text in self.said)

    def sure(self):
        """Says that the wheels are up."""
        self.until_says("to go on:")
        self.type("wheels up\n")

    def throttle_is(self, us):
        return lambda: self.last()["throttle_us"] == us

    def ends(self):
        """The exit code; what is left on the screen is read."""
        end = time.monotonic() + PATIENCE_S
        while self.code is None:
            self.read(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, "the program does not end"
        for _ in range(20):
            self.read(0.01)
        return self.code

    def close(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def who_types_something_else_moves_nothing(car):
    """A check of every command that asks whether the wheels are up."""
    car.until_says("to go on:")
    car.type("yes\n")
    assert car.ends() == 0
    assert "Nothing was moved" in car.said and not car.log.exists()


def run(checks, make):
    """Runs each check with a program of its own, and ends with the verdict as exit code."""
    failed = 0
    for check in checks:
        name = check.__name__
        car = make(check)
        try:
            check(car)
            print(f"ok    {name.replace('_', ' ')}", flush=True)
        except Exception as why:  # whatever it is: the other checks are run too, and the verdict is told
            failed += 1
            print(f"FAIL  {name.replace('_', ' ')}: {type(why).__name__}: {why}", flush=True)
        finally:
            car.close()
    print("all good" if failed == 0 else f"{failed} failed")
    sys.exit(failed > 0)
