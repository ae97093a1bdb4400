"""A headless browser on this machine, with a person's hands on the page of a Spider.

    Browser ──stdin──▶ tests/browser/remote.mjs ──▶ Chromium ──▶ the Spider's page ──▶ car

Promises: `kill` leaves no process of it, and gives none a chance to say goodbye. Knows nothing of: the car.
"""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import process
from driver import CHANNEL, LIVE, Spider

REMOTE = Path(__file__).resolve().parents[1] / "browser/remote.mjs"


class Browser:
    """Chromium with the page of a Spider open."""

    def __init__(self, spider: Spider, folder: Path) -> None:
        key = spider.key_file.read_text().strip()
        page = spider.plain_url.replace("ws:", "http:") + f"/?channel={CHANNEL}#key={key}"
        self.log = folder / "browser.log"
        with open(self.log, "wb") as log:
            self.process = process.start(
                ["node", REMOTE, page], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def car(self) -> dict:
        """The newest telemetry on the page, and how many frames it has painted."""
        return self._do("car")

    def hold(self, key: str, throttle: int, limit: float = 120) -> None:
        """Arms, holds a key and waits until the car has that throttle, in permille; again, if it stops before."""
        deadline = time.monotonic() + limit
        while True:
            self._do("arm")
            self._do(f"down {key}")
            while (car := self.car())["state"] == LIVE:
                if car["throttle"] == throttle:
                    return
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{key} does not move the car: {car}")
            self.let_go(key)

    def arm(self) -> None:
        """Arms the car, and sees its picture."""
        self._do("arm")

    def let_go(self, key: str) -> None:
        """Lifts the key."""
        self._do(f"up {key}")

    def kill(self) -> float:
        """SIGKILL to every process of it; when the last was sent."""
        tree = [self.process.pid]
        for pid in tree:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                tree += map(int, task.read_text().split())
        for pid in tree:
            os.kill(pid, signal.SIGKILL)
        at = time.monotonic()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        return at

    def _do(self, line: str) -> dict:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the browser is gone"}')
        if "error" in answer:
            raise RuntimeError(f"browser: {line}: {answer['error']}")
        return answer["value"]
