"""An emulated Raspberry Pi 3B is driven through a Spider on this machine, and its pins are read from outside.

    pi_drive.py SPIDERCAR SPIDERCAR-FOR-AARCH64        called by pi.sh, in a network namespace of its own

    driver (watch) ──▶ Spider ──tap──▶ Pi: spidercar run ──▶ GPIO registers ──▶ QEMU ──▶ edges ──▶ checks
      this machine, 10.0.2.2           10.0.2.15, everything in it is the real program

The car is an H-bridge with a steering servo, both on software PWM at 50 Hz, because the emulated board has no PWM block.

    asked  ▁▁▁┌──────┐▁▁▁▁▁▁▁▁▁   A thread that is kept from running while its pin is high makes a pulse too long, and
    made   ▁▁▁┌──────┼──┐▁▁▁▁▁▁   never one too short. So what was asked for is the shortest fiftieth; the
                      late        median and the duty over time say how late falling edges were on this machine.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from checks import Checks, expect, main, near
from driver import CHANNEL, LIVE, Driver, Spider
from gpio import Record
from pi3b import Pi3b
from viewer import wire

HOST, TAP = "10.0.2.2", "pi0"
FORWARD_PIN, REVERSE_PIN, SPEED_PIN, SERVO_PIN = 23, 24, 18, 19
MOTOR = (FORWARD_PIN, REVERSE_PIN, SPEED_PIN)
PERIOD_S = 0.02
THROTTLE, STEERING = 400, 1000
DEAD_TIME_S = 0.002
# A small slow picture: its first frame takes half a second of an emulated core, a later one 3 ms.
CONFIG = f"""
[spider]
channel = "{CHANNEL}"
bitrate_kbps = 100
[local]
driver_key_file = "/etc/spidercar/key"
[camera]
width = 160
height = 120
fps = 5
[drive]
output = "hbridge"
reverse = "direct"
[drive.calibration]
forward_zero_us = 1501
[hbridge]
forward_pin = {FORWARD_PIN}
reverse_pin = {REVERSE_PIN}
speed_pin = {SPEED_PIN}
servo_pin = {SERVO_PIN}
pwm = "software"
speed_hz = {round(1 / PERIOD_S)}
dead_time_us = {round(DEAD_TIME_S * 1e6)}
"""
# failsafe.neutral_ms is 200, the figure for a real board 250 at most. measured: 126 to 230 ms on two busy cores.
# choice: 100 ms more for an emulated processor that the host does not let run.
NEUTRAL_BY_S = 0.35
# Death of the program to neutral by its survivor. measured: 263 ms for a process that is stopped, 508 to 702 ms for one that is
# killed, from the moment the console gets the command. choice: twice that; what holds on a board is for a board to show, and
# tests/survivor_e2e.rs holds 250 ms on a Pi's files.
SURVIVOR_BY_S = 1.4
# measured: the shortest pulses come out 20 to 130 us long, the duty over time 5 to 35 permille, at load averages of 11 to 16.
# choice: less than half of what full steering is away from straight (500 us).
TOO_SHORT_US, TOO_LONG_US = 20, 200
DUTY_TOLERANCE = 20
DUTY_OVER_TIME_TOLERANCE = 60
MIN_PULSES = 20
# choice: four periods. measured: at a load average of 20 the emulated machine was seen to stand still for 0.7 s.
STANDSTILL_S = 0.08
# How much newer than the record's end the telemetry is that says whether the car stopped in it. choice: more than that standstill.
NEWS_US = 1_000_000
# How many times a span is recorded again because the car stopped in it, or the emulated machine stood still. measured: on a
# slow host a car stopped about each second by control_late, and 8 were too few for a span of two seconds without one.
ATTEMPTS = 30
# How often a program dies of each signal; SPIDERCAR_DEATHS=20 is for figures.
DEATHS = int(os.environ.get("SPIDERCAR_DEATHS", "1"))
# How long a stopped car is looked at: longer than a driver needs to arm it again, if it were to let him.
AFTERWARDS_US = 1_500_000


class Car:
    """The program on the Pi."""

    def __init__(self, pi: Pi3b, spider: Spider, *sets: str) -> None:
        self.pi = pi
        sets = (f"spider.url={spider.url}", f"spider.pin_sha256={spider.fingerprint}", *sets)
        options = " ".join(f"--set {one}" for one in sets)
        (self.pid,) = pi.check(
            f"setsid spidercar run --config /etc/spidercar/spidercar.toml {options} >/tmp/car.log 2>&1 & echo $!"
        )
        self.struck_at = 0.0

    def log(self) -> str:
        """The end of what it logged."""
        return self.pi.run("tail -n 40 /tmp/car.log").text

    def signal(self, name: str) -> None:
        """Sends it a signal, if it still runs, and waits for its end."""
        self.pi.check(f"while [ -d /proc/{self.pid} ]; do kill -{name} {self.pid}; usleep 20000; done 2>/dev/null")

    def strike(self, name: str) -> float:
        """Sends it a signal that it does not survive, twice where the first is caught; when that began.

        The console takes its time, so the moment itself is somewhere between that and `struck_at`.
        """
        at = time.monotonic()
        self.pi.check(f"kill -{name} {self.pid}; usleep 5000; kill -{name} {self.pid} 2>/dev/null; true")
        self.struck_at = time.monotonic()
        return at

    def kill_survivor(self) -> None:
        """Ends the process that outlives it; the next one comes after 5 s."""
        named = "[ \"$(cat $process/comm)\" = survivor ] && kill -KILL ${process#/proc/}"
        self.pi.check(f"for process in /proc/[0-9]*; do {named}; done 2>/dev/null; true")

    def figures(self) -> str:
        """What it said of its control ticks when it ended."""
        return self.pi.run("sed -n 's/.*\\(ticks=.*\\)/\\1/p' /tmp/car.log").text


class Scene:
    """A Spider, the program on the Pi, and a driver: what a check begins with."""

    def __init__(self, report: Checks, pi: Pi3b, binary: Path, folder: Path, *sets: str) -> None:
        self.pi = pi
        self.spider = Spider(binary, folder, HOST)
        self.car = Car(pi, self.spider, *sets)
        self.driver = Driver(self.spider, folder)
        report.explain = [self.car.log, self.driver.log.read_text, self.spider.log.read_text]

    def steady(self, throttle: int, steering: int, seconds: float = 2) -> Record:
        """Drives like this, and records a span in which the car was live all the time."""

        def span() -> None:
            since = self.driver.car["t_us"]
            self.driver.until(lambda car: car["t_us"] > since + seconds * 1e6, "telemetry")

        return self.change((throttle, steering), span)

    def change(self, first: tuple[int, int], then: Callable[[], None]) -> Record:
        """Drives like `first`, and records what `then` does to a car that was live all the time."""
        for _ in range(ATTEMPTS):
            self.driver.drive(*first)
            drops = self.live_at(first)
            with self.pi.record() as record:
                then()
            # A stop at the very end of the record is told after it.
            told = self.driver.car["t_us"]
            self.driver.until(lambda car: car["t_us"] > told + NEWS_US, "telemetry")
            if self.driver.drops == drops:
                return record
        raise TimeoutError(f"the car does not stay live; {self.driver.drops} stops: {self.driver.car}")

    def live_at(self, wish: tuple[int, int]) -> int:
        """Waits for a live car that does this; how often it had stopped by the very telemetry that says so."""
        drops = 0

        def is_there(car: dict) -> bool:
            nonlocal drops
            drops = self.driver.drops
            return car["state"] == LIVE and (car["throttle"], car["steering"]) == wish

        self.driver.until(is_there, f"a live car at {wish}")
        return drops

    def close(self) -> None:
        """Ends all of it."""
        self.driver.end()
        self.spider.end()
        self.car.signal("KILL")

    def __enter__(self) -> "Scene":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def while_driving(
    scene: Callable[[], Scene],
    happen: Callable[[Scene], float],
    is_fair: Callable[[Record, float], bool] = lambda record, at: True,
) -> tuple[Record, float]:
    """Lets something happen to a car that drives forward, and records what its pins do then.

    `happen` returns when it was. If the car had stopped by itself just then, or it was not fair, it is tried again with
    another.
    """
    for _ in range(ATTEMPTS):
        with scene() as now:
            now.steady(THROTTLE, 0, 0.2)
            with now.pi.record() as record:
                at = happen(now)
                now.pi.check(f"usleep {AFTERWARDS_US}")
            if record.level(FORWARD_PIN, at) and is_fair(record, at):
                return record, at
    raise TimeoutError(f"the car did not drive when it happened, or its machine stood still, {ATTEMPTS} times")


def went_on(record: Record, at: float) -> bool:
    """Whether the emulated processors ran all the time that a stop may take.

    The thread that makes the servo's pulses has nothing to do with what stops the car. If even it was not run for some
    periods, this machine was busy elsewhere, and the time of the stop says nothing about the program.
    """
    return record.longest_rest(SERVO_PIN, at, at + NEUTRAL_BY_S) < STANDSTILL_S


def constant(record: Record, pin: int, level: int) -> None:
    """Fails unless a pin had this level all the time."""
    expect(not record.of(pin), f"pin {pin} changed: {record.of(pin)[:4]}")
    expect(record.level(pin, record.begin) == level, f"pin {pin} is not {level}")


@dataclass(frozen=True)
class Widths:
    """How long the pulses of a pin were, in microseconds."""

    asked: float
    median: float

    @classmethod
    def of(cls, record: Record, pin: int) -> "Widths":
        """Takes them from a record."""
        widths = sorted(pulse.width * 1e6 for pulse in record.pulses(pin))
        expect(len(widths) >= MIN_PULSES, f"only {len(widths)} pulses on pin {pin}")
        return cls(widths[len(widths) // 50], statistics.median(widths))

    def __str__(self) -> str:
        return f"{self.asked:.0f} us, median {self.median:.0f} us"


def servo(record: Record, steering: int) -> str:
    """Fails unless the servo hears this much steering; what it heard."""
    widths = Widths.of(record, SERVO_PIN)
    asked = 1500 + steering / 2
    expect(asked - TOO_SHORT_US <= widths.asked <= asked + TOO_LONG_US, f"the servo hears {widths}, not {asked:.0f} us")
    return str(widths)


def speed(record: Record, throttle: int) -> str:
    """Fails unless the motor gets this much; what it got."""
    widths, duty = Widths.of(record, SPEED_PIN), record.duty(SPEED_PIN) * 1000
    near(widths.asked / PERIOD_S / 1000, throttle, DUTY_TOLERANCE, "the asked duty in permille")
    near(duty, throttle, DUTY_OVER_TIME_TOLERANCE, "the duty over time in permille")
    return f"duty over time {duty:.0f} permille of {throttle}; pulses {widths}"


def neutral_after(record: Record, since: float, limit: float = NEUTRAL_BY_S) -> float:
    """How long after that moment the last of the motor's pins went low; they must stay so."""
    for pin in MOTOR:
        expect(record.level(pin, record.end) == 0, f"pin {pin} is high at the end")
    took = max(edge.at for pin in MOTOR for edge in record.of(pin)) - since
    expect(took <= limit, f"neutral only after {took * 1000:.0f} ms")
    return took


def low(pi: Pi3b) -> None:
    """Fails unless all of the motor's pins are low."""
    levels = pi.gpio_levels()
    for pin in MOTOR:
        expect(not levels >> pin & 1, f"pin {pin} is high")


def checks(report: Checks) -> None:
    """All of it."""
    binary, binary_pi = Path(sys.argv[1]), Path(sys.argv[2])
    wire(TAP, HOST)
    with tempfile.TemporaryDirectory(prefix="spidercar-pi-") as name:
        folder = Path(name)
        files = {"etc/spidercar/spidercar.toml": CONFIG.encode(), "etc/spidercar/key": b"a-key-for-tests\n"}
        with Pi3b(folder, programs={"bin/spidercar": binary_pi}, files=files, tap=TAP) as pi:
            with report.check("the Pi boots"):
                pi.boot()
                pi.hurry()
                report.say(f"{pi.boot_seconds:.1f} s")
            motion(report, lambda: Scene(report, pi, binary, folder))
            stops(report, lambda: Scene(report, pi, binary, folder))
            brake(report, lambda: Scene(report, pi, binary, folder, "hbridge.neutral=brake"))


def motion(report: Checks, begin: Callable[[], Scene]) -> None:
    """The pins follow the commands of a car that rolls at neutral."""
    with begin() as scene:
        with report.check("the car publishes and tells of itself"):
            scene.driver.until(lambda _: True, "telemetry")
        with report.check("at rest the motor's pins are outputs and low, and the servo hears 1500 us"):
            for pin in (*MOTOR, SERVO_PIN):
                expect(scene.pi.is_output(pin), f"pin {pin} is no output")
            record = scene.steady(0, 0)
            for pin in MOTOR:
                constant(record, pin, 0)
            report.say(servo(record, 0))
        for word, throttle in (("forward", THROTTLE), ("faster", 2 * THROTTLE), ("back", -THROTTLE)):
            high, other = (FORWARD_PIN, REVERSE_PIN) if throttle > 0 else (REVERSE_PIN, FORWARD_PIN)
            with report.check(f"{word}: pin {high} high, pin {other} low, and as much speed as asked"):
                record = scene.steady(throttle, 0)
                constant(record, high, 1)
                constant(record, other, 0)
                report.say(speed(record, abs(throttle)))
        with report.check("between two directions both pins are low for the dead time"):

            def turn_about() -> None:
                scene.driver.drive(THROTTLE, 0)
                scene.driver.until(lambda car: car["throttle"] == THROTTLE, "forward")

            record = scene.change((-THROTTLE, 0), turn_about)
            reverse, forward = record.of(REVERSE_PIN), record.of(FORWARD_PIN)
            expect([edge.level for edge in reverse + forward] == [0, 1], f"edges: {reverse}, {forward}")
            gap = forward[0].at - reverse[0].at
            expect(gap >= DEAD_TIME_S, f"only {gap * 1e6:.0f} us")
            report.say(f"{gap * 1000:.1f} ms")
        for word, sign in (("left", 1), ("right", -1)):
            with report.check(f"{word} moves the servo and nothing else"):
                record = scene.steady(0, sign * STEERING)
                for pin in MOTOR:
                    constant(record, pin, 0)
                report.say(servo(record, sign * STEERING))
        with report.check("letting go stops the motor"):

            def let_go() -> None:
                scene.driver.drive(0, 0)
                scene.driver.until(lambda car: car["throttle"] == 0, "neutral")

            record = scene.change((THROTTLE, 0), let_go)
            for pin in MOTOR:
                expect(record.level(pin, record.end) == 0, f"pin {pin} is high")
        with report.check("asked to stop, it ends at neutral"):
            scene.steady(THROTTLE, 0, 0.2)
            scene.car.signal("TERM")
            low(scene.pi)
            report.say(scene.car.figures())


def stops(report: Checks, begin: Callable[[], Scene]) -> None:
    """What brings a driving car to neutral, each with a car of its own."""
    with report.check("a driver who falls silent: neutral within the deadman, and it stays"):
        record, last = while_driving(begin, lambda scene: scene.driver.fall_silent(), went_on)
        report.say(f"{neutral_after(record, last) * 1000:.0f} ms after his last command")
    with report.check("the Spider is killed: neutral within the deadman, and it stays"):
        record, killed = while_driving(begin, lambda scene: scene.spider.kill(), went_on)
        report.say(f"{neutral_after(record, killed) * 1000:.0f} ms after the kill")
    for name in ("KILL", "SEGV", "ABRT", "STOP"):
        with report.check(f"the program on the Pi gets SIG{name}: its survivor makes all pins low, and they stay so"):
            took = []
            while len(took) < DEATHS:
                struck_at = 0.0

                def strike(scene: Scene) -> float:
                    nonlocal struck_at
                    at = scene.car.strike(name)
                    struck_at = scene.car.struck_at
                    return at

                record, typed_at = while_driving(begin, strike)
                took.append((neutral_after(record, struck_at, SURVIVOR_BY_S) + struck_at - typed_at) * 1000)
            took.sort()
            report.say(f"n {len(took)}, median {took[len(took) // 2]:.0f}, max {took[-1]:.0f} ms after it was typed")
    with report.check("its survivor is killed, too: the direction stays, `spidercar neutral` makes all pins low"):

        def kill(scene: Scene) -> float:
            scene.car.kill_survivor()
            scene.car.signal("KILL")
            at = time.monotonic()
            scene.pi.check("spidercar neutral --config /etc/spidercar/spidercar.toml 2>/tmp/neutral.log")
            low(scene.pi)
            return at

        while_driving(begin, kill)
    with report.check("a pin that somebody took meanwhile: `run` names him, `spidercar neutral` makes all pins low all the same"):

        def kill_and_take(scene: Scene) -> float:
            scene.car.signal("KILL")
            at = time.monotonic()
            # Its lap sensor has the pin at the kernel, whatever it is wired to.
            car = ("drive.output=sim", "spider.url=local", "local.port=0", "local.tls_port=0")
            sets = (*car, "lap.kind=magnetic", f"lap.pin={FORWARD_PIN}")
            options = " ".join(f"--set {one}" for one in sets)
            (holder,) = scene.pi.check(f"setsid spidercar run --config /etc/spidercar/spidercar.toml {options} >/tmp/holder.log 2>&1 & echo $!")
            config = "--config /etc/spidercar/spidercar.toml --set spider.url=local --set local.port=0 --set local.tls_port=0"
            named = f'grep -q \'BCM {FORWARD_PIN} is in use by "spidercar lap"\' /tmp/second.log'
            # Until it has the pin, a second car may start: it is ended.
            scene.pi.check(f"until timeout 3 spidercar run {config} >/tmp/second.log 2>&1; {named}; do usleep 100000; done")
            scene.pi.check("spidercar neutral --config /etc/spidercar/spidercar.toml 2>/tmp/neutral.log")
            low(scene.pi)
            scene.pi.check(f"while [ -d /proc/{holder} ]; do kill -KILL {holder}; usleep 20000; done 2>/dev/null")
            return at

        while_driving(begin, kill_and_take)


def brake(report: Checks, begin: Callable[[], Scene]) -> None:
    """A car with `hbridge.neutral = "brake"`."""
    with begin() as scene:
        with report.check("a braking car holds both direction pins and the speed high at neutral"):
            record = scene.steady(0, 0)
            for pin in MOTOR:
                constant(record, pin, 1)
        with report.check("it lets go of the brake to drive"):
            record = scene.steady(THROTTLE, 0)
            constant(record, FORWARD_PIN, 1)
            constant(record, REVERSE_PIN, 0)
            report.say(speed(record, THROTTLE))
        with report.check("it brakes again when the driver lets go"):
            record = scene.steady(0, 0)
            for pin in MOTOR:
                constant(record, pin, 1)


main("pi3b", checks)
