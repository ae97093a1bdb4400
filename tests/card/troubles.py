"""What a car that does not appear says of it, and that it comes up by itself once the cause is gone.

    cause ──▶ journal: what is wrong     doctor: what to do about it     cause gone ──▶ telemetry, with no word to the car

README, "My car does not appear", has these lines by symptom. Knows nothing of: how the card was made.
"""

import time
from pathlib import Path

from car import BOOT_LIMIT, FORWARD_PIN, publishes, spider, until
from card_pi import CardPi
from checks import Checks, expect
from driver import Spider

CONFIG, SECRET = "/etc/spidercar/spidercar.toml", "/etc/spidercar/secrets/local.driver_key_file"
DOCTOR = f"spidercar doctor --config {CONFIG}"
# How long the board stays without a network after it is ready. choice: many tries of the car's link, one a second.
WITHOUT_S = 10.0
# A restart, and a try of the link on top. choice: as long as an emulated board beside two builds takes for them.
UP_AGAIN_S = 180.0
ANOTHER_CHANNEL = "c9abcdefghijklmnopqg"


def unplugged(report: Checks, pi: CardPi, relay: Spider, folder: Path) -> None:
    """Boots without a network, which comes later."""
    with report.check("no network at boot: the outputs are at neutral all the same, and it publishes once there is one"):
        pi.insert()
        pi.plug(False)
        until(lambda: pi.is_output(FORWARD_PIN), BOOT_LIMIT, "outputs at neutral")
        neutral_s = time.monotonic() - pi.started
        time.sleep(WITHOUT_S)
        pi.plug(True)
        plugged_at = time.monotonic()
        publishes(relay, folder)
        report.say(f"neutral {neutral_s:.0f} s after power-on, telemetry {time.monotonic() - plugged_at:.0f} s after the network")
    with report.check("the journal says that there was none, once; doctor says so while there is none"):
        told = [line for line in pi.journal() if "Network is unreachable" in line]
        expect(len(told) == 1 and "no link" in told[0], told)
        said = pi.ssh(f"systemd-run --quiet --wait --pipe --property=PrivateNetwork=yes {DOCTOR}").lines
        line = next(line for line in said if " spider " in line)
        expect("FAIL" in line and "Network is unreachable" in line, said)
        report.say(f"{_words(told[0])}; doctor: {_words(line)}")


def _words(line: str) -> str:
    """A line of the journal or of doctor without what stands before its words."""
    for mark in ("no link: ", "FAIL  spider   ", "ok    spider   "):
        if mark in line:
            return line[line.index(mark) :].removeprefix("FAIL  ").removeprefix("ok    ")
    return line.partition("]: ")[2] or line


class Patient:
    """A car that something is done to."""

    def __init__(self, report: Checks, pi: CardPi, relay: Spider, folder: Path) -> None:
        self.report, self.pi, self.relay, self.folder = report, pi, relay, folder

    def refused(self, what: str, harm: str, mend: str, *words: str) -> None:
        """A car that is started with this harm does not run, says these words, and runs as soon as it is mended."""
        with self.report.check(f"{what}: refused once, told by journal and doctor, up by itself when it is mended"):
            self.pi.ssh(f"systemctl stop spidercar && {harm}; systemctl start spidercar")
            state = self.pi.ssh("systemctl show -p ActiveState -p ExecMainStatus -p NRestarts spidercar").text
            expect(set(state.split()) == {"NRestarts=0", "ExecMainStatus=2", "ActiveState=failed"}, state)
            journal = self.pi.ssh("journalctl -u spidercar -o cat -n 12").text
            doctor = self.pi.ssh(f"{DOCTOR} 2>&1")
            expect(doctor.code == 2, doctor.text)
            for word in words:
                expect(word in journal, f"the journal does not say {word!r}: {journal}")
                expect(word in doctor.text, f"doctor does not say {word!r}: {doctor.text}")
            expect(self.pi.ssh(mend).code == 0, mend)
            publishes(self.relay, self.folder, UP_AGAIN_S)
            self.report.say(next(line.strip() for line in doctor.lines if words[0] in line))

    def edited(self, what: str, change: str, *words: str) -> None:
        """The same, for a line of the configuration."""
        good = "/etc/spidercar-good.toml"
        self.refused(what, f"cp -p {CONFIG} {good} && sed -i '{change}' {CONFIG}", f"mv {good} {CONFIG}", *words)

    def another_channel(self) -> None:
        """Another channel is as good as any for the car: only what it says tells."""
        with self.report.check("another car's channel: journal and doctor name the one that the car has"):
            self.pi.ssh(f"sed -i.good 's/^channel = .*/channel = \"{ANOTHER_CHANNEL}\"/' {CONFIG}; systemctl restart spidercar")
            doctor = self.pi.ssh(DOCTOR).text
            expect(f"publishes to channel {ANOTHER_CHANNEL}" in doctor, doctor)
            self.pi.ssh(f"mv {CONFIG}.good {CONFIG}; systemctl restart spidercar")
            publishes(self.relay, self.folder, UP_AGAIN_S)

    def another_certificate(self) -> None:
        """Somebody else answers at the Spider's address."""
        with self.report.check("a Spider with an unknown certificate: not trusted; up by itself when the right one is back"):
            self.relay.end()
            stranger = spider(self.relay.binary, self.folder, "stranger")
            try:
                journal = self._until_journal("TLS with", UP_AGAIN_S)
                doctor = next(line for line in self.pi.ssh(DOCTOR).lines if " spider " in line)
            finally:
                stranger.end()
            self.relay = spider(self.relay.binary, self.folder)
            publishes(self.relay, self.folder, UP_AGAIN_S)
            expect("FAIL" in doctor and "TLS with" in doctor, doctor)
            self.report.say(f"{_words(journal)}; doctor: {_words(doctor)}")

    def _until_journal(self, what: str, limit: float) -> str:
        deadline = time.monotonic() + limit
        while not (found := [line for line in self.pi.journal() if what in line]):
            expect(time.monotonic() < deadline, f"the journal does not say {what!r}")
        return found[-1]


def troubles(report: Checks, pi: CardPi, relay: Spider, folder: Path) -> Spider:
    """The others, on a running board; the Spider that is there in the end."""
    car = Patient(report, pi, relay, folder)
    car.edited("a wrong configuration", 's/^fps = .*/fps = "many"/', "camera.fps")
    car.edited("a channel that is none", 's/^channel = .*/channel = "mine"/', "spider.channel")
    car.refused("a missing secret", f"mv {SECRET} /root/secret", f"mv /root/secret {SECRET}", "local.driver_key_file", SECRET)
    car.another_channel()
    car.another_certificate()
    return car.relay
