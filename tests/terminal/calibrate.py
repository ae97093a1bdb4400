"""`spidercar calibrate` in a pseudo-terminal: keys in, a screen out, and the actuator log in between.

Each check starts a program of its own, waits for conditions with a deadline, and ends it.

    usage: calibrate.py PATH-TO-SPIDERCAR FOLDER
"""

import json
import os
import pty
import re
import select
import signal
import sys
import termios
import time
from pathlib import Path

PATIENCE_S = 20
HOLD_S = 1.0
RIGHT, UP = "\x1b[C", "\x1b[A"


class Calibrate:
    """The program in a terminal of its own."""

    def __init__(self, binary, folder, name):
        self.log = folder / f"{name}.jsonl"
        self.state = folder / f"{name}.json"
        command = [binary, "calibrate", "--set", f"sim.actuator_log={self.log}", "--set", f"drive.state_file={self.state}"]
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
            try:
                if holds():
                    return
            except (IndexError, OSError):
                pass
            assert time.monotonic() < end, f"waited for {what}; the log ends {self.writes()[-3:]}, the screen {self.said[-600:]!r}"

    def until_says(self, text):
        self.until(f"{text!r} on the screen", lambda: text in self.said)

    def begin(self):
        """Says that the wheels are up, and waits for the screen."""
        self.until_says("to go on:")
        self.type("wheels up\n")
        self.until_says("1-8: which pulse")

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
            os.waitpid(self.pid, 0)


def a_key_that_is_held_moves_and_one_that_is_not_does_not(car):
    before = termios.tcgetattr(car.terminal)
    car.begin()
    car.type("2")
    car.until("forward zero", car.throttle_is(1540), press=" ")
    let_go = time.monotonic()
    car.until("neutral", car.throttle_is(1500))
    took = time.monotonic() - let_go
    assert HOLD_S - 0.2 < took < HOLD_S + 0.5, f"neutral {took:.2f} s after the last key"
    car.until("an arrow that moves", lambda: car.last()["throttle_us"] > 1545, press=RIGHT)
    car.type("x")
    car.until("neutral by x", car.throttle_is(1500))
    car.type("8")
    car.until("the servo", lambda: car.last()["steering_us"] == 2000, press=" ")
    assert car.last()["throttle_us"] == 1500
    car.type("xr")
    car.type("q")
    assert car.ends() == 0
    assert (car.last()["throttle_us"], car.last()["steering_us"]) == (1500, 1500)
    causes = {write["cause"] for write in car.writes() if write["throttle_us"] != 1500 or write["steering_us"] != 1500}
    assert causes == {"calibrate"}, causes
    assert termios.tcgetattr(car.terminal) == before, "the terminal is not as it was"


def who_types_something_else_moves_nothing(car):
    car.until_says("to go on:")
    car.type("yes\n")
    assert car.ends() == 0
    assert "Nothing was moved" in car.said and not car.log.exists()


def what_is_saved_is_in_force_and_on_the_disk(car):
    car.begin()
    car.type(UP)
    car.until("a neutral of 1510", car.throttle_is(1510))
    car.type("xs")
    car.until_says("safe on the disk")
    car.until("the new neutral", lambda: (car.last()["throttle_us"], car.last()["cause"]) == (1510, "calibrate"))
    assert json.loads(car.state.read_text())["calibration"]["throttle_zero_us"] == 1510
    car.type("ff")
    car.until("the configuration's neutral", car.throttle_is(1500))
    car.until_says("back to the configuration")
    car.type("q")
    assert car.ends() == 0
    assert json.loads(car.state.read_text())["calibration"] is None


def what_is_not_saved_is_asked_about_and_shown_at_the_end(car):
    car.begin()
    car.type("3")
    car.type("-")
    car.type("q")
    car.until_says("q again leaves it")
    car.type("q")
    assert car.ends() == 0
    assert re.search(r"throttle_max_us = 1999\b", car.said), car.said[-800:]


def a_terminal_that_is_closed_is_neutral_and_the_end(car):
    car.begin()
    car.type("2")
    car.until("forward zero", car.throttle_is(1540), press=" ")
    os.close(car.terminal)
    closed = time.monotonic()
    while car.last()["throttle_us"] != 1500:
        assert time.monotonic() < closed + 1, "it moves on"
        time.sleep(0.005)
    car.read = lambda wait=0.0: time.sleep(wait)
    assert car.ends() == 0, car.code


def a_signal_is_neutral_and_the_end(car):
    car.begin()
    car.type("2")
    car.until("forward zero", car.throttle_is(1540), press=" ")
    os.kill(car.pid, signal.SIGTERM)
    assert car.ends() == 0
    assert (car.last()["throttle_us"], car.last()["cause"]) == (1500, "exit")


def a_screen_that_nobody_reads_is_neutral(car):
    car.begin()
    car.type("2")
    car.until("forward zero", car.throttle_is(1540), press=" ")
    # Ctrl-S: the terminal takes no more output, the program waits in a write, and its car hears nothing.
    car.type("\x13")
    stopped = time.monotonic()
    while car.last()["throttle_us"] != 1500:
        assert time.monotonic() < stopped + HOLD_S + 0.5, "it moves on"
        time.sleep(0.005)
    car.type("\x11")
    car.until("forward zero again", car.throttle_is(1540), press=" ")
    car.type("\x03")
    assert car.ends() == 0


CHECKS = [
    a_key_that_is_held_moves_and_one_that_is_not_does_not,
    who_types_something_else_moves_nothing,
    what_is_saved_is_in_force_and_on_the_disk,
    what_is_not_saved_is_asked_about_and_shown_at_the_end,
    a_terminal_that_is_closed_is_neutral_and_the_end,
    a_signal_is_neutral_and_the_end,
    a_screen_that_nobody_reads_is_neutral,
]


def main():
    binary, folder = sys.argv[1], Path(sys.argv[2])
    failed = 0
    for check in CHECKS:
        name = check.__name__
        car = Calibrate(binary, folder, name)
        try:
            check(car)
            print(f"ok    {name.replace('_', ' ')}", flush=True)
        except AssertionError as why:
            failed += 1
            print(f"FAIL  {name.replace('_', ' ')}: {why}", flush=True)
        finally:
            car.close()
    print("all good" if failed == 0 else f"{failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
