"""`spidercar calibrate` in a pseudo-terminal: keys in, a screen out, and the actuator log in between.

Each check starts a program of its own, waits for conditions with a deadline, and ends it.

    usage: calibrate.py PATH-TO-SPIDERCAR FOLDER
"""

import json
import os
import re
import signal
import sys
import termios
import time
from pathlib import Path

from program import Program, run, who_types_something_else_moves_nothing

HOLD_S = 1.0
ATTEMPTS = 8
STOOD_STILL = ("control_late", "control_stalled")
RIGHT, UP = "\x1b[C", "\x1b[A"


class Calibrate(Program):
    """A car that is calibrated."""

    def begin(self):
        """Says that the wheels are up, and waits for the screen."""
        self.sure()
        self.until_says("1-8: which pulse")


def a_key_that_is_held_moves_and_one_that_is_not_does_not(car):
    before = termios.tcgetattr(car.terminal)
    car.begin()
    car.type("2")
    for _ in range(ATTEMPTS):
        car.until("forward zero", car.throttle_is(1540), press=" ")
        let_go, written = time.monotonic(), len(car.writes())
        car.until("neutral", car.throttle_is(1500))
        took = time.monotonic() - let_go
        # A car that this computer did not run for a moment stops of itself: that is no answer.
        if not any(write["cause"] in STOOD_STILL for write in car.writes()[written:]):
            break
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


def what_is_saved_is_in_force_and_on_the_disk(car):
    car.begin()
    car.type(UP)
    car.until("a neutral of 1510", car.throttle_is(1510))
    car.type("xs")
    # What the configuration has is safe from the start: only this line is about what was saved.
    car.until_says("safe on the disk (saved pulses)")
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


if __name__ == "__main__":
    binary, folder = sys.argv[1], Path(sys.argv[2])
    run(CHECKS, lambda check: Calibrate(binary, folder, check.__name__, ["calibrate"]))
