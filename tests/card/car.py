"""The car of the card tests: the Spider that it publishes to, how it is deployed, and what its pins say.

    deploy.sh ─▶ CARD        Spider, drivers: this machine, 10.0.2.2        car: an emulated Pi 3B, 10.0.2.15

It is the board zero2w-hbridge with what the emulated one has: software PWM, no battery monitor, a small simulated picture.

Knows nothing of: what is tested.
"""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from card_pi import TOP, CardPi
from checks import expect
from dhcp import Dhcp
from driver import CHANNEL, LIVE, Driver, Spider
from viewer import wire

HOST, ADDRESS, TAP = "10.0.2.2", "10.0.2.15", "pi0"
# The network is this test's own, so ports are free; a Spider that is started again has those of the one before.
PORT, TLS_PORT = 8266, 8267
FORWARD_PIN, REVERSE_PIN, SPEED_PIN = 23, 24, 18
MOTOR = (FORWARD_PIN, REVERSE_PIN, SPEED_PIN)
THROTTLE = 400
PERIOD_S = 0.02
SETS = (
    *("camera.source=sim", "camera.width=160", "camera.height=120", "camera.fps=5", "spider.bitrate_kbps=100"),
    # An emulated board paints late, and a driver whose picture is old stands: as long as may be.
    "failsafe.blind_ms=1000",
    *("hbridge.pwm=software", f"hbridge.speed_hz={round(1 / PERIOD_S)}", "battery.kind=none", "drive.tick_hz=50"),
    # A key that is held is full throttle; this makes it pulses. And from the first permille on, as many as are asked for.
    *(f"drive.max_forward_permille={THROTTLE}", f"drive.max_reverse_permille={THROTTLE}"),
    "drive.calibration.forward_zero_us=1501",
    # What such a processor encodes is seen late, and a car that is seen late is slowed down.
    "failsafe.slow_permille=1000",
)
# choice: from power-on to the car's telemetry. measured: 50 s alone, four times that beside two builds.
BOOT_LIMIT = 420.0
# failsafe.neutral_ms is 200; choice: 1 s for processors that the host does not let run.
NEUTRAL_BY_S = 1.2


def network() -> None:
    """Makes the wire between this machine and the board, in this process's network namespace."""
    wire(TAP, HOST)
    Dhcp(TAP, HOST, ADDRESS)


def ssh_key(folder: Path) -> Path:
    """A key to log in with."""
    key = folder / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


def certificate(folder: Path, name: str) -> tuple[str, ...]:
    """Options of a Spider that shows a certificate of that name."""
    paths = [folder / f"{name}.{kind}" for kind in ("crt", "key")]
    if not paths[0].exists():
        subprocess.run(
            [*"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj".split(), f"/CN={name}"]
            + ["-out", paths[0], "-keyout", paths[1]],
            check=True,
            stderr=subprocess.DEVNULL,
        )
    return ("--cert", str(paths[0]), "--key", str(paths[1]))


def spider(binary: Path, folder: Path, name: str = "spider") -> Spider:
    """The Spider, with the certificate of that name."""
    ports = ("--port", str(PORT), "--tls-port", str(TLS_PORT))
    return Spider(binary, folder, HOST, *ports, *certificate(folder, name))


def deploy(card: Path, binary: Path, to: Spider, key: Path, *options: str) -> list[str]:
    """Runs scripts/deploy.sh on the card; what it printed."""
    command = [
        *(TOP / "scripts/deploy.sh", "--image", card, "--binary", binary, "--board", "zero2w-hbridge", "--yes"),
        *("--url", to.url, "--channel", CHANNEL, "--ssh-key", f"{key}.pub"),
        *("--secret", f"local.driver_key_file={to.key_file}", "--set", f"spider.pin_sha256={to.fingerprint}"),
        *(part for one in SETS for part in ("--set", one)),
        *options,
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    expect(done.returncode == 0, f"deploy.sh ended with {done.returncode}: {done.stdout[-800:]}")
    return done.stdout.splitlines()


def publishes(to: Spider, folder: Path, limit: float = BOOT_LIMIT) -> None:
    """Waits until a driver hears the car."""
    driver = Driver(to, folder)
    try:
        driver.until(lambda _: True, "telemetry", limit)
    finally:
        driver.end()


def live(driver: Driver, throttle: int) -> None:
    """Drives, and waits until the car says so."""
    driver.drive(throttle, 0)
    driver.until(lambda car: car["state"] == LIVE and car["throttle"] == throttle, f"a live car at {throttle}", 120)


def until(holds: Callable[[], object], limit: float, what: str) -> float:
    """Waits for something on this machine; how long that took, in seconds."""
    begin = time.monotonic()
    while not holds():
        expect(time.monotonic() - begin < limit, f"not within {limit:g} s: {what}")
        time.sleep(0.005)
    return time.monotonic() - begin


def low(pi: CardPi, limit: float = NEUTRAL_BY_S) -> float:
    """Waits until all pins of the motor are low; how long that took."""
    return until(lambda: not any(pi.gpio_levels() >> pin & 1 for pin in MOTOR), limit, "all pins of the motor low")
