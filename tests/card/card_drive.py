"""From a card image to a driven car: flashed, booted, driven, cut off, booted again, on an emulated Raspberry Pi 3B.

    card_drive.py SPIDERCAR SPIDERCAR-FOR-AARCH64 CARD        called by run.sh, in a network namespace of its own

    deploy.sh ─▶ CARD ─▶ power ─▶ systemd ─▶ spidercar ──offer──▶ Spider ◀── driver      nobody logs in, no key is pressed
                           ▲                     └─▶ GPIO registers ─▶ QEMU ─▶ edges ─▶ checks
                           └── cut while it drives ◀────────────────────────────────────┘

Times are those of an emulated processor, about twenty times slower than a board; the software encoder shares it.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "machine"))

from card_pi import TOP, CardPi  # noqa: E402  (all of these are found by the line above)
from checks import Checks, expect, main  # noqa: E402
from dhcp import Dhcp  # noqa: E402
from driver import CHANNEL, LIVE, Driver, Spider  # noqa: E402

HOST, ADDRESS, TAP = "10.0.2.2", "10.0.2.15", "pi0"
FORWARD_PIN, SPEED_PIN = 23, 18
MOTOR = (FORWARD_PIN, 24, SPEED_PIN)
THROTTLE = 400
# The board zero2w-hbridge with what the emulated one has: software PWM, no battery monitor, a small simulated picture.
SETS = (
    *("camera.source=sim", "camera.width=160", "camera.height=120", "camera.fps=5", "spider.bitrate_kbps=100"),
    *("hbridge.pwm=software", "hbridge.speed_hz=50", "battery.kind=none"),
)
# choice: from power-on to the car's telemetry. measured: 50 s alone, four times that beside two builds.
BOOT_LIMIT = 420.0
# failsafe.neutral_ms is 200; choice: 1 s for processors that the host does not let run.
NEUTRAL_BY_S = 1.2


def deploy(card: Path, binary: Path, spider: Spider, key: Path, *options: str) -> list[str]:
    """Runs scripts/deploy.sh on the card; what it printed."""
    command = [
        *(TOP / "scripts/deploy.sh", "--image", card, "--binary", binary, "--board", "zero2w-hbridge", "--yes"),
        *("--url", spider.url, "--channel", CHANNEL, "--ssh-key", f"{key}.pub"),
        *("--secret", f"local.driver_key_file={spider.key_file}", "--set", f"spider.pin_sha256={spider.fingerprint}"),
        *(part for one in SETS for part in ("--set", one)),
        *options,
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    expect(done.returncode == 0, f"deploy.sh ended with {done.returncode}: {done.stdout[-800:]}")
    return done.stdout.splitlines()


def live(driver: Driver, throttle: int) -> None:
    """Drives, and waits until the car says so."""
    driver.drive(throttle, 0)
    driver.until(lambda car: car["state"] == LIVE and car["throttle"] == throttle, f"a live car at {throttle}", 120)


def low(pi: CardPi, limit: float) -> float:
    """Waits until all pins of the motor are low; how long that took."""
    begin = time.monotonic()
    while any(pi.gpio_levels() >> pin & 1 for pin in MOTOR):
        expect(time.monotonic() - begin < limit, f"a pin of the motor is still high after {limit} s")
        time.sleep(0.005)
    return time.monotonic() - begin


def since_kernel(lines: list[str], what: str) -> float:
    """When the journal says this for the first time, in seconds since the kernel started."""
    for line in lines:
        if (found := re.match(r"\[\s*([\d.]+)\]", line)) and what in line:
            return float(found[1])
    raise AssertionError(f"the journal has no line with {what!r}")


def checks(report: Checks) -> None:
    """All of it."""
    binary, binary_pi, card = (Path(name) for name in sys.argv[1:4])
    for command in (
        "ip link set lo up",
        f"ip tuntap add dev {TAP} mode tap",
        f"ip addr add {HOST}/24 dev {TAP}",
        f"ip link set {TAP} up",
    ):
        subprocess.run(command.split(), check=True)
    Dhcp(TAP, HOST, ADDRESS)
    with tempfile.TemporaryDirectory(prefix="spidercar-card-") as name:
        folder = Path(name)
        key = folder / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        spider = Spider(binary, folder, HOST)
        try:
            with report.check("deploy.sh puts the car onto the image"):
                deploy(card, binary_pi, spider, key)
            with report.check("again: nothing changes"):
                changes = [line for line in deploy(card, binary_pi, spider, key) if not line.startswith("deploy: ")]
                expect(not changes, f"it changed {changes}")
            with CardPi(folder, card, TAP, ADDRESS, key) as pi:
                drive(report, pi, spider, folder)
        finally:
            spider.end()


def drive(report: Checks, pi: CardPi, spider: Spider, folder: Path) -> None:
    """Boots, drives, cuts the power, boots again."""
    report.explain = [spider.log.read_text, lambda: (folder / "console").read_text(errors="replace")[-3000:]]
    with report.check("power on: with no login and no key pressed the car publishes"):
        pi.insert()
        driver = Driver(spider, folder)
        driver.until(lambda _: True, "telemetry", BOOT_LIMIT)
        report.say(f"{time.monotonic() - pi.started:.0f} s after power-on, emulated")
    with report.check("driven forward: its pin is high, the others' is low, and speed pulses come"):
        live(driver, THROTTLE)
        deadline = time.monotonic() + 10
        while not pi.gpio_levels() >> FORWARD_PIN & 1:
            expect(time.monotonic() < deadline, f"pin {FORWARD_PIN} is low")
        expect(not pi.gpio_levels() >> MOTOR[1] & 1, f"pin {MOTOR[1]} is high")
        expect(pi.is_output(SPEED_PIN), f"pin {SPEED_PIN} is no output")
    with report.check("the driver is killed: neutral, and it stays"):
        driver.end()
        report.say(f"{low(pi, NEUTRAL_BY_S) * 1000:.0f} ms after the kill was done")
    with report.check("figures of the emulated board"):
        pi.until_ssh(240)
        lines = pi.journal()
        started, offered = since_kernel(lines, "Starting spidercar"), since_kernel(lines, "offer sent")
        memory = pi.ssh("grep VmRSS /proc/$(systemctl show --value -p MainPID spidercar)/status").text.split()[1]
        score = pi.ssh("systemd-analyze security --no-pager spidercar.service | tail -n 1").text
        expect(float(re.search(r"spidercar.service: ([\d.]+)", score)[1]) <= 2.5, score)
        report.say(
            f"kernel to unit {started:.1f} s, unit to offer {offered - started:.1f} s, {int(memory) / 1000:.1f} MB resident "
            f"with the software encoder, exposure {re.search(r': ([0-9.]+)', score)[1]}"
        )
    with report.check("power is cut while it drives, and the next boot is ready again"):
        driver = Driver(spider, folder)
        live(driver, THROTTLE)
        pi.cut_power()
        driver.end()
        pi.insert()
        driver = Driver(spider, folder)
        driver.until(lambda _: True, "telemetry", BOOT_LIMIT)
        live(driver, THROTTLE)
        driver.end()
        low(pi, NEUTRAL_BY_S)
        report.say(f"{time.monotonic() - pi.started:.0f} s after power-on it has been driven")


main("card", checks)
