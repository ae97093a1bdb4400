"""A Spider and a driver on this machine: our own program, `spidercar spider` and `spidercar watch`.

The driver says what it wants 25 times a second, as the page does, and arms whenever the car is not live. Telemetry
comes back on the program's stdout.

Promises: both programs are ended by their ids. Knows nothing of: where the car is.
Sources: README (commands), src/logic/EXTENSION.md (messages).
"""

import json
import re
import select
import subprocess
import threading
import time
from pathlib import Path

import process

CHANNEL = "c9testtesttesttestt0"  # a placeholder in the form of an xid
BEAT = 0.04
BEATS_PER_ARM = 5
LEASE = 7
LIVE = 1
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Longest wait for a program here. choice: ten times what a loaded machine of two cores was seen to need.
PATIENCE = 30.0


class Spider:
    """A Spider that listens on one address of this machine, on free ports or as its options say, with a driver key."""

    def __init__(self, binary: Path, folder: Path, address: str, *options: str) -> None:
        self.binary, self.address = binary, address
        self.key_file = folder / "driver-key"
        self.key_file.write_text("a-key-for-tests\n")
        self.log = folder / "spider.log"
        with open(self.log, "ab") as log:
            mark = log.tell()
            self.process = process.start(
                [binary, "spider", "--listen", address, "--driver-key-file", self.key_file]
                + list(options or ("--port", "0", "--tls-port", "0")),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        # It prints the page's address when it listens.
        is_listening, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        said = COLOUR.sub("", self.log.read_bytes()[mark:].decode(errors="replace"))
        found = re.search(r"plain=\S+:(\d+) tls=\S+:(\d+) certificate_sha256=([0-9a-f]{64})", said)
        if not (is_listening and found):
            self.end()
            raise RuntimeError(f"the Spider does not say where it listens:\n{said}")
        self.url, self.fingerprint = f"wss://{address}:{found[2]}", found[3]
        self.plain_url = f"ws://{address}:{found[1]}"

    def kill(self) -> float:
        """Ends it with SIGKILL; when that was."""
        at = time.monotonic()
        self.process.kill()
        self.process.wait()
        return at

    def end(self) -> None:
        """Ends it, if it still runs."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Driver:
    """A viewer that drives."""

    def __init__(self, spider: Spider, folder: Path) -> None:
        # How often the car stopped being live.
        self.drops = 0
        self._last_sent_at = 0.0
        self._speaking = threading.Lock()
        self._wish: tuple[int, int] | None = None
        self._car: dict = {}
        self._count = 0
        self._is_over = threading.Event()
        self._news = threading.Condition()
        self.log = folder / "driver.log"
        with open(self.log, "ab") as log:
            self.process = process.start(
                [spider.binary, "watch", spider.plain_url, "--channel", CHANNEL]
                + ["--key-file", spider.key_file],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._threads = [threading.Thread(target=self._hear), threading.Thread(target=self._speak)]
        for thread in self._threads:
            thread.start()

    def drive(self, throttle: int, steering: int) -> None:
        """From now on the driver wants this, in permille, and arms when the car is not live."""
        self._wish = (throttle, steering)

    def fall_silent(self) -> float:
        """From now on the driver says nothing; when he last did."""
        with self._speaking:
            self._wish = None
            return self._last_sent_at

    @property
    def car(self) -> dict:
        """The newest telemetry."""
        with self._news:
            return self._car

    def until(self, holds, what: str, limit: float = PATIENCE) -> dict:
        """Waits until telemetry is as wanted, and returns it."""
        deadline = time.monotonic() + limit
        with self._news:
            while not (self._car and holds(self._car)):
                if not self._news.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"waited {limit:g} s for {what}; the last telemetry was {self._car}")
            return self._car

    def end(self) -> None:
        """Ends the program and the threads."""
        self._is_over.set()
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()
        self.process.stdout.close()

    def _hear(self) -> None:
        for line in self.process.stdout:
            message = json.loads(line)
            if "car" in message:
                with self._news:
                    if self._car.get("state") == LIVE != message["car"]["state"]:
                        self.drops += 1
                    self._car = message["car"]
                    self._news.notify_all()

    def _speak(self) -> None:
        beats = 0
        while not self._is_over.wait(BEAT):
            beats += 1
            is_live = self.car.get("state") == LIVE
            try:
                with self._speaking:
                    if self._wish is None:
                        continue
                    throttle, steering = self._wish if is_live else (0, 0)
                    self._say("drive", throttle=throttle, steering=steering)
                    if not is_live and beats % BEATS_PER_ARM == 0:
                        self._say("arm")
            except BrokenPipeError:  # the program ended; whoever waits for telemetry tells
                return

    def _say(self, group: str, **fields) -> None:
        self._count += 1
        body = {"seq": self._count, "t_ms": int(time.monotonic() * 1000), **fields, "lease": LEASE}
        self.process.stdin.write(json.dumps({group: body}, separators=(",", ":")).encode() + b"\n")
        self.process.stdin.flush()
        self._last_sent_at = time.monotonic()
