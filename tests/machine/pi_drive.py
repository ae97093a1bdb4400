"""An emulated Raspberry Pi 3B is driven through a Spider on this machine, and its pins are read from outside.

    pi_drive.py SPIDERCAR SPIDERCAR-FOR-AARCH64        called by pi_drive.sh, in a network namespace of its own

    driver (watch) ──▶ Spider ──tap──▶ Pi: spidercar run ──▶ GPIO registers ──▶ QEMU ──▶ edges ──▶ checks
      this machine, 10.0.2.2           10.0.2.15, everything in it is the real program

The car is an H-bridge with a steering servo, both on software PWM at 50 Hz, because the emulated board has no PWM block.

    asked  ▁▁▁┌──────┐▁▁▁▁▁▁▁▁▁   A thread that is kept from running while its pin is high makes a pulse too long, and
    made   ▁▁▁┌──────┼──┐▁▁▁▁▁▁   never one too short. So what was asked for is the shortest tenth of the pulses; the
                      late        median and the duty over time say how late the falling edges were on this machine.
"""

import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from checks import Checks, expect, main, near
from driver import CHANNEL, LIVE, Driver, Spider
from gpio import Record
from pi3b import Pi3b

HOST, TAP = "10.0.2.2", "pi0"
FORWARD_PIN, REVERSE_PIN, SPEED_PIN, SERVO_PIN = 23, 24, 18, 19
MOTOR = (FORWARD_PIN, REVERSE_PIN, SPEED_PIN)
PERIOD_S = 0.02
THROTTLE, STEERING = 400, 500
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
# failsafe.neutral_ms is 200. choice: what an emulated machine on two busy cores may add, seen so far: TODO.
NEUTRAL_BY_S = 0.35
# measured: asked pulses come out 25 to 70 us long with both cores busy. choice: twice that; a step of the servo is 250 us.
WIDTH_TOLERANCE_US = 140
DUTY_TOLERANCE = 30
DUTY_OVER_TIME_TOLERANCE = 150
MIN_PULSES = 20
# How many times a span is recorded again because the car stopped in it (emulation stood still for too long).
ATTEMPTS = 5


class Car:
    """The program on the Pi."""

    def __init__(self, pi: Pi3b, spider: Spider, *sets: str) -> None:
        self.pi = pi
        sets = (f"spider.url={spider.url}", f"spider.pin_sha256={spider.fingerprint}", *sets)
        options = " ".join(f"--set {one}" for one in sets)
        (self.pid,) = pi.check(
            f"setsid spidercar run --config /etc/spidercar/spidercar.toml {options} >/tmp/car.log 2>&1 & echo $!"
        )

    def log(self) -> str:
        """The end of what it logged."""
        return self.pi.run("tail -n 40 /tmp/car.log").text

    def signal(self, name: str) -> None:
        """Sends it a signal and waits for its end."""
        self.pi.check(f"kill -{name} {self.pid}; while [ -d /proc/{self.pid} ]; do usleep 20000; done")


def steady(pi: Pi3b, driver: Driver, throttle: int, steering: int, seconds: float = 1.2) -> Record:
    """Drives like this, and records a span in which the car was live all the time."""
    driver.drive(throttle, steering)

    def as_wanted(car: dict) -> bool:
        return car["state"] == LIVE and (car["throttle"], car["steering"]) == (throttle, steering)

    for _ in range(ATTEMPTS):
        begun = driver.until(as_wanted, f"a live car at {throttle}, {steering}")
        drops = driver.drops
        with pi.record() as record:
            driver.until(lambda car, since=begun["t_us"]: car["t_us"] > since + seconds * 1e6, "telemetry")
        if driver.drops == drops and as_wanted(driver.car):
            return record
    raise TimeoutError(f"the car does not stay live for {seconds:g} s; {driver.drops} stops so far: {driver.car}")


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
        return cls(widths[len(widths) // 10], statistics.median(widths))

    def __str__(self) -> str:
        return f"{self.asked:.0f} us, median {self.median:.0f} us"


def servo(record: Record, steering: int) -> str:
    """Fails unless the servo hears this much steering; what it heard."""
    widths = Widths.of(record, SERVO_PIN)
    near(widths.asked, 1500 + steering / 2, WIDTH_TOLERANCE_US, "the servo's pulse in us")
    return str(widths)


def speed(record: Record, throttle: int) -> str:
    """Fails unless the motor gets this much; what it got."""
    widths, duty = Widths.of(record, SPEED_PIN), record.duty(SPEED_PIN) * 1000
    near(widths.asked / PERIOD_S / 1000, throttle, DUTY_TOLERANCE, "the asked duty in permille")
    near(duty, throttle, DUTY_OVER_TIME_TOLERANCE, "the duty over time in permille")
    return f"duty over time {duty:.0f} permille of {throttle}; pulses {widths}"


def neutral_after(record: Record, since: float) -> float:
    """How long after that moment the last of the motor's pins went low; they must stay so."""
    late = [edge for pin in MOTOR for edge in record.of(pin) if edge.at > since]
    for pin in MOTOR:
        expect(record.level(pin, record.end) == 0, f"pin {pin} is high at the end")
    expect(record.level(FORWARD_PIN, since) == 1, "it did not drive when it happened")
    return max(edge.at for edge in late) - since


def figures(car: Car) -> str:
    """What the program said of its control ticks when it ended."""
    return car.pi.run("sed -n 's/.*\\(ticks=.*\\)/\\1/p' /tmp/car.log").text


def checks(report: Checks) -> None:
    """All of it."""
    binary, binary_pi = Path(sys.argv[1]), Path(sys.argv[2])
    for command in (
        "ip link set lo up",
        f"ip tuntap add dev {TAP} mode tap",
        f"ip addr add {HOST}/24 dev {TAP}",
        f"ip link set {TAP} up",
    ):
        subprocess.run(command.split(), check=True)
    with tempfile.TemporaryDirectory(prefix="spidercar-pi-") as name:
        folder = Path(name)
        files = {"etc/spidercar/spidercar.toml": CONFIG.encode(), "etc/spidercar/key": b"a-key-for-tests\n"}
        with Pi3b(folder, programs={"bin/spidercar": binary_pi}, files=files, tap=TAP) as pi:
            with report.check("the Pi boots"):
                pi.boot()
                report.say(f"{pi.boot_seconds:.1f} s")
            coasting_car(report, pi, binary, folder)
            braking_car(report, pi, binary, folder)


def coasting_car(report: Checks, pi: Pi3b, binary: Path, folder: Path) -> None:
    """A car that rolls at neutral: motion, steering, and everything that stops it."""
    spider = Spider(binary, folder, HOST)
    car = Car(pi, spider)
    driver = Driver(spider, folder)
    report.explain = [car.log, driver.log.read_text, spider.log.read_text]
    try:
        with report.check("the car publishes and tells of itself"):
            driver.until(lambda _: True, "telemetry")
        with report.check("at rest the motor's pins are outputs and low, and the servo hears 1500 us"):
            for pin in (*MOTOR, SERVO_PIN):
                expect(pi.is_output(pin), f"pin {pin} is no output")
            record = steady(pi, driver, 0, 0)
            for pin in MOTOR:
                constant(record, pin, 0)
            report.say(servo(record, 0))
        for word, throttle in (("forward", THROTTLE), ("faster", 2 * THROTTLE), ("back", -THROTTLE)):
            high, low = (FORWARD_PIN, REVERSE_PIN) if throttle > 0 else (REVERSE_PIN, FORWARD_PIN)
            with report.check(f"{word}: pin {high} high, pin {low} low, and as much speed as asked"):
                record = steady(pi, driver, throttle, 0)
                constant(record, high, 1)
                constant(record, low, 0)
                report.say(speed(record, abs(throttle)))
        with report.check("between two directions both pins are low for the dead time"):
            steady(pi, driver, -THROTTLE, 0, 0.2)
            with pi.record() as record:
                driver.drive(THROTTLE, 0)
                driver.until(lambda now: now["throttle"] == THROTTLE, "forward")
            falls = [edge.at for edge in record.of(REVERSE_PIN) if not edge.level]
            rises = [edge.at for edge in record.of(FORWARD_PIN) if edge.level]
            expect(len(falls) == len(rises) == 1, f"edges: {record.of(REVERSE_PIN)}, {record.of(FORWARD_PIN)}")
            expect(rises[0] - falls[0] >= DEAD_TIME_S, f"only {(rises[0] - falls[0]) * 1e6:.0f} us")
            report.say(f"{(rises[0] - falls[0]) * 1000:.1f} ms")
        for word, sign in (("left", 1), ("right", -1)):
            with report.check(f"{word} moves the servo and nothing else"):
                record = steady(pi, driver, 0, sign * STEERING)
                for pin in MOTOR:
                    constant(record, pin, 0)
                report.say(servo(record, sign * STEERING))
        with report.check("letting go stops the motor"):
            steady(pi, driver, THROTTLE, 0, 0.2)
            with pi.record() as record:
                driver.drive(0, 0)
                driver.until(lambda now: now["throttle"] == 0, "neutral")
            for pin in MOTOR:
                expect(record.level(pin, record.end) == 0, f"pin {pin} is high")
        with report.check("a driver who falls silent: neutral within the deadman"):
            steady(pi, driver, THROTTLE, 0, 0.2)
            with pi.record() as record:
                last = driver.fall_silent()
                driver.until(lambda now: now["throttle"] == 0, "neutral")
            took = neutral_after(record, last)
            expect(took <= NEUTRAL_BY_S, f"neutral only after {took * 1000:.0f} ms")
            report.say(f"{took * 1000:.0f} ms after his last command")
        with report.check("the program on the Pi is killed: pins stay, `spidercar neutral` makes them low"):
            steady(pi, driver, THROTTLE, 0, 0.2)
            car.signal("KILL")
            expect(pi.gpio_levels() >> FORWARD_PIN & 1, "somebody made the pin low")
            pi.check("spidercar neutral --config /etc/spidercar/spidercar.toml 2>/tmp/neutral.log")
            for pin in MOTOR:
                expect(not pi.gpio_levels() >> pin & 1, f"pin {pin} is high")
        car = Car(pi, spider)
        report.explain[0] = car.log
        with report.check("the Spider is killed while driving: neutral within the deadman, and it stays"):
            driver.until(lambda now: now["uptime_s"] < 10 and now["link"] == 1, "the new program's telemetry")
            steady(pi, driver, THROTTLE, 0, 0.2)
            with pi.record() as record:
                killed = spider.kill()
                pi.check("usleep 1500000")
            took = neutral_after(record, killed)
            expect(took <= NEUTRAL_BY_S, f"neutral only after {took * 1000:.0f} ms")
            report.say(f"{took * 1000:.0f} ms after the kill")
        with report.check("asked to stop, it ends at neutral"):
            car.signal("TERM")
            for pin in MOTOR:
                expect(not pi.gpio_levels() >> pin & 1, f"pin {pin} is high")
            report.say(figures(car))
    finally:
        driver.end()
        spider.end()


def braking_car(report: Checks, pi: Pi3b, binary: Path, folder: Path) -> None:
    """The same car with `hbridge.neutral = "brake"`."""
    spider = Spider(binary, folder, HOST)
    car = Car(pi, spider, "hbridge.neutral=brake")
    driver = Driver(spider, folder)
    report.explain = [car.log, driver.log.read_text, spider.log.read_text]
    try:
        with report.check("a braking car holds both direction pins and the speed high at neutral"):
            record = steady(pi, driver, 0, 0)
            for pin in MOTOR:
                constant(record, pin, 1)
        with report.check("it lets go of the brake to drive, and brakes again when the driver lets go"):
            record = steady(pi, driver, THROTTLE, 0)
            constant(record, FORWARD_PIN, 1)
            constant(record, REVERSE_PIN, 0)
            report.say(speed(record, THROTTLE))
            record = steady(pi, driver, 0, 0)
            for pin in MOTOR:
                constant(record, pin, 1)
            car.signal("TERM")
    finally:
        driver.end()
        spider.end()


main("pi3b", checks)
