"""`spidercar doctor --hands` in a pseudo-terminal: a person's keys in, questions and lines out, the actuator log between.

    usage: doctor.py PATH-TO-SPIDERCAR FOLDER
"""

import os
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

from program import PATIENCE_S, Program, run, who_types_something_else_moves_nothing

NEUTRAL = (1500, 1500)
STILL, LEFT, RIGHT = "motor stand still", "Did they turn left?", "Did they turn right?"
LATE = re.compile("the car stopped by itself: control_(late|stalled); Space tries again")
FORWARD, REVERSE = "Did the wheels turn forward?", "Did the wheels turn backward?"
# The guard's and the failsafe's time, and some for a busy machine.
DEADMAN_S = 0.35


class Doctor(Program):
    """A car that is examined."""

    def pulses(self):
        last = self.last()
        return last["throttle_us"], last["steering_us"]

    answered = 0  # so much of what was said has been answered

    def meanwhile(self):
        """A car that this computer did not run for a moment is late and stops; a person lets the movement begin again."""
        late = LATE.search(self.said, self.answered)
        asked = self.said.find("q: end  ", late.start()) if late else -1
        if asked >= 0:
            self.answered = asked
            print("      this computer stood still, and the car stopped: once more", flush=True)
            self.type(" ")

    def answer(self, question, key):
        """Waits for a question that was not answered yet, to its end, and answers it."""
        asked = lambda: self.said.find("q: end  ", max(0, self.said.find(question, self.answered)))  # noqa: E731
        self.until(f"{question!r}", lambda: self.said.find(question, self.answered) >= 0 and asked() >= 0)
        self.answered = asked()
        self.type(key)

    def go(self, does):
        """Lets the next movement begin."""
        self.answer(f"Next: {does}", " ")

    def again(self, over):
        """Repeats a movement, with Space at each question, until something holds."""
        end = time.monotonic() + PATIENCE_S
        while not over():
            assert time.monotonic() < end, f"the screen: {self.said[-600:]!r}"
            asked = self.said.find("q: end  ", self.answered + 1)
            if asked >= 0:
                self.answered = asked
                self.type(" ")
            self.read(0.02)

    def line(self, name):
        """The line of a step, as it is printed at the end."""
        found = re.findall(rf"^(ok|FAIL|-) +{name} +(.*?)\r?$", self.said, re.MULTILINE)
        assert found, f"no line {name!r} in {self.said[-2000:]!r}"
        return found[-1]

    def through(self, left, right, forward, reverse):
        """All movements, each with its answer."""
        self.sure()
        self.answer(STILL, "y")
        for does, question, key in (
            ("the front wheels turn left", LEFT, left),
            ("the front wheels turn right", RIGHT, right),
            ("the motor turns forward", FORWARD, forward),
            ("the motor gets a brake pulse", REVERSE, reverse),
        ):
            self.go(does)
            self.answer(question, key)

    def to_forward(self):
        """Up to the movement with the motor, which begins."""
        self.sure()
        self.answer(STILL, "y")
        self.answer("Next: the front wheels turn left", "s")
        self.answer("Next: the front wheels turn right", "s")
        self.go("the motor turns forward")


def every_step_moves_one_output_a_little_and_yes_is_good(car):
    before = termios.tcgetattr(car.terminal)
    car.through("y", "y", "y", "y")
    assert car.ends() == 0, car.said[-800:]
    for name in ("still", "left", "right", "forward", "reverse"):
        assert car.line(name)[0] == "ok", car.line(name)
    writes = car.writes()
    moves = [(write["throttle_us"], write["steering_us"]) for write in writes]
    assert all(throttle == 1500 or steering == 1500 for throttle, steering in moves), "two outputs at once"
    assert all(1100 <= throttle <= 1600 and 1300 <= steering <= 1700 for throttle, steering in moves), moves
    seen = [max(steering for _, steering in moves), min(steering for _, steering in moves), max(throttle for throttle, _ in moves)]
    assert seen == [1650, 1350, 1576], seen  # 300 permille of 500 us; 80 permille of what is above the dead band
    throttles = [throttle for throttle, _ in moves]
    brake = throttles.index(1300)
    assert 1500 in throttles[brake:] and any(1300 < throttle < 1500 for throttle in throttles[brake:]), "brake, rest, reverse"
    assert moves[0] == moves[-1] == NEUTRAL
    assert termios.tcgetattr(car.terminal) == before, "the terminal is not as it was"


def each_other_answer_says_what_to_do(car):
    car.through("o", "n", "o", "n")
    assert car.ends() == 3
    for name, todo in (
        ("left", "left and right are swapped"),
        ("right", "the servo did not move: its plug"),
        ("forward", "swap two wires of the motor"),
        ("reverse", "drive.brake_ms"),
    ):
        mark, words = car.line(name)
        assert mark == "FAIL" and todo in words, (mark, words)
    assert "4 parts do not work" in car.said
    assert car.pulses() == NEUTRAL


def a_motor_that_creeps_at_neutral_is_not_driven(car):
    car.sure()
    car.answer(STILL, "n")
    car.answer("Next: the front wheels turn left", "s")
    car.answer("Next: the front wheels turn right", "s")
    assert car.ends() == 3
    assert "throttle_zero_us" in car.line("still")[1]
    assert [car.line(name)[0] for name in ("left", "right", "forward", "reverse")] == ["-"] * 4
    assert {(write["throttle_us"], write["steering_us"]) for write in car.writes()} == {NEUTRAL}


def again_repeats_a_movement(car):
    car.sure()
    car.answer(STILL, "s")
    for _ in range(2):
        moved = len(car.writes())
        car.go("the front wheels turn left")
        car.until("a turn", lambda: any(write["steering_us"] > 1600 for write in car.writes()[moved:]))
        car.answer(LEFT, " ")
    car.type("q")
    assert car.ends() == 0
    assert car.pulses() == NEUTRAL


def any_key_stops_a_movement(car):
    car.to_forward()
    car.until("a motor that turns", lambda: car.last()["throttle_us"] > 1550)
    car.type("x")
    pressed = time.monotonic()
    while car.pulses() != NEUTRAL:
        assert time.monotonic() < pressed + 0.25, "it turns on"
        time.sleep(0.002)
    car.answer(FORWARD, "s")
    car.answer("Next: the motor gets a brake pulse", "q")
    assert car.ends() == 0 and "Neutral: ended." in car.said


def control_c_ends_a_movement_at_neutral(car):
    car.to_forward()
    car.until("a motor that turns", lambda: car.last()["throttle_us"] > 1550)
    car.type("\x03")
    assert car.ends() == 0
    assert car.pulses() == NEUTRAL and car.line("still")[0] == "ok"


def a_terminal_that_is_closed_while_the_motor_turns_is_neutral(car):
    car.to_forward()
    car.until("a motor that turns", lambda: car.last()["throttle_us"] > 1550)
    os.close(car.terminal)
    closed = time.monotonic()
    while car.pulses() != NEUTRAL:
        assert time.monotonic() < closed + DEADMAN_S, "it turns on"
        time.sleep(0.002)
    car.read = lambda wait=0.0: time.sleep(wait)
    assert car.ends() == 0, car.code
    assert car.pulses() == NEUTRAL


def a_signal_while_the_motor_turns_is_neutral(car):
    car.to_forward()
    car.until("a motor that turns", lambda: car.last()["throttle_us"] > 1550)
    os.kill(car.pid, signal.SIGTERM)
    assert car.ends() == 0
    assert (car.pulses(), car.last()["cause"]) == (NEUTRAL, "exit")


def a_terminal_that_takes_no_more_output_is_neutral(car):
    car.to_forward()
    car.until("a motor that turns", lambda: car.last()["throttle_us"] > 1550)
    # Ctrl-S: the next word that is said waits in a write.
    car.type("\x13")
    stopped = time.monotonic()
    while car.pulses() != NEUTRAL:
        assert time.monotonic() < stopped + 1.5 + DEADMAN_S, "it turns on"
        time.sleep(0.002)
    car.type("\x11")
    car.type("\x03")
    assert car.ends() == 0
    assert car.pulses() == NEUTRAL


def a_program_that_was_frozen_is_neutral_when_it_goes_on_and_says_so(car):
    car.to_forward()
    car.until("a motor that turns", lambda: car.last()["throttle_us"] > 1550)
    os.kill(car.pid, signal.SIGSTOP)
    time.sleep(0.4)  # longer than any hold
    car.meanwhile = lambda: None
    os.kill(car.pid, signal.SIGCONT)
    car.until("neutral", lambda: car.pulses() == NEUTRAL)
    # What was cut short is offered again; whoever leaves it at that gets the reason as its line.
    car.until_says("; Space tries again")
    car.answer("Next: the motor turns forward", "s")
    car.answer("Next: the motor gets a brake pulse", "s")
    assert car.ends() == 3
    assert car.line("forward")[1].startswith("the car stopped by itself: "), car.line("forward")


def a_panic_of_the_control_thread_is_neutral_and_a_line(car):
    car.to_forward()
    # It is due at its time, most likely while the motor turns.
    car.again(lambda: "sim.faults: control-panic" in car.said)
    car.until("neutral", lambda: car.pulses() == NEUTRAL)
    written = len(car.writes())
    car.again(lambda: "Next: the motor gets a brake pulse" in car.said)
    car.answer("Next: the motor gets a brake pulse", " ")
    assert car.ends() == 3
    for name in ("forward", "reverse"):
        mark, words = car.line(name)
        assert mark == "FAIL" and words.startswith("the control thread has ended at neutral"), (mark, words)
    assert len(car.writes()) == written, "something moved after the panic"
    assert max(write["throttle_us"] for write in car.writes()) > 1550, "the motor never turned"


def a_panic_of_the_doctor_while_the_motor_turns_is_neutral(car):
    before = termios.tcgetattr(car.terminal)
    car.to_forward()
    car.again(lambda: "sim.faults: link-panic" in car.said)
    assert car.ends() == 1
    assert max(write["throttle_us"] for write in car.writes()) > 1550, "the motor never turned"
    assert car.pulses() == NEUTRAL
    assert termios.tcgetattr(car.terminal) == before, "the terminal is not as it was"


def another_program_at_the_outputs_is_a_refusal(car):
    car.sure()
    car.until_says(STILL)
    second = Doctor(car.binary, car.folder, car.name, ["doctor", "--hands"])
    try:
        assert second.ends() == 3
        assert "another spidercar has the outputs" in second.said and "wheels" not in second.said, second.said
    finally:
        second.close()
    # Nor does the doctor who moves nothing put a car to neutral that somebody drives.
    keys = ["--set", f"sim.actuator_log={car.log}", "--set", f"drive.state_file={car.state}"]
    writes = len(car.writes())
    plain = subprocess.run([car.binary, "doctor", *keys], capture_output=True, text=True, check=False)
    assert re.search(r"^FAIL  outputs +another spidercar has the outputs", plain.stdout, re.MULTILINE), plain.stdout
    assert len(car.writes()) == writes
    car.type("q")
    assert car.ends() == 0


def without_a_terminal_it_is_refused(car):
    car.close()
    ended = subprocess.run([car.binary, "doctor", "--hands"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended
    assert "--hands: this needs a terminal" in ended.stderr, ended.stderr
    assert ended.stdout == ""


def a_lap_sensor_that_cannot_be_opened_is_a_line(car):
    car.sure()
    car.answer(STILL, "y")
    for _ in range(4):
        car.answer("Next: ", "s")
    assert car.ends() == 3
    mark, words = car.line("lap")
    assert mark == "FAIL" and "set lap.chip" in words, words


CHECKS = [
    every_step_moves_one_output_a_little_and_yes_is_good,
    each_other_answer_says_what_to_do,
    a_motor_that_creeps_at_neutral_is_not_driven,
    again_repeats_a_movement,
    any_key_stops_a_movement,
    control_c_ends_a_movement_at_neutral,
    a_terminal_that_is_closed_while_the_motor_turns_is_neutral,
    a_signal_while_the_motor_turns_is_neutral,
    a_terminal_that_takes_no_more_output_is_neutral,
    a_program_that_was_frozen_is_neutral_when_it_goes_on_and_says_so,
    a_panic_of_the_control_thread_is_neutral_and_a_line,
    a_panic_of_the_doctor_while_the_motor_turns_is_neutral,
    who_types_something_else_moves_nothing,
    another_program_at_the_outputs_is_a_refusal,
    without_a_terminal_it_is_refused,
    a_lap_sensor_that_cannot_be_opened_is_a_line,
]
# Due this long after the start; the movement is repeated until then.
SETS = {
    a_lap_sensor_that_cannot_be_opened_is_a_line: ["--set", "lap.kind=magnetic", "--set", "lap.chip=/nowhere/gpiochip0"],
    a_panic_of_the_control_thread_is_neutral_and_a_line: ["--set", "sim.faults=control-panic@8000"],
    a_panic_of_the_doctor_while_the_motor_turns_is_neutral: ["--set", "sim.faults=link-panic@8000"],
}


def make(binary, folder):
    def of(check):
        words = ["doctor", "--hands", *SETS.get(check, [])]
        car = Doctor(binary, folder, check.__name__, words)
        car.binary, car.folder, car.name = binary, folder, check.__name__
        return car

    return of


if __name__ == "__main__":
    run(CHECKS, make(sys.argv[1], Path(sys.argv[2])))
