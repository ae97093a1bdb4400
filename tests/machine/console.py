"""The serial line of a machine: every line it wrote, when it came, and a way to wait for one.

Promises: lines are read all the time, so the machine never blocks on us; waiting wakes at the line, not at a poll; every
wait has a deadline, and one that misses it shows the end of what was said.
Knows nothing of: what the lines mean.
"""

import re
import socket
import threading
import time
from dataclasses import dataclass

# Lines that a failed wait shows.
TAIL = 25


@dataclass(frozen=True)
class Line:
    """A line, and when it came, by CLOCK_MONOTONIC of this machine."""

    at: float
    text: str


class Console:
    """Reads the serial line in a thread of its own."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._lines: list[Line] = []
        self._news = threading.Condition()
        self._is_over = False
        self._reader = threading.Thread(target=self._read, name="console", daemon=True)
        self._reader.start()

    def mark(self) -> int:
        """A place in what was said: give it to `wait` to look only at what comes after."""
        with self._news:
            return len(self._lines)

    def since(self, mark: int) -> list[Line]:
        """What was said since."""
        with self._news:
            return self._lines[mark:]

    def wait(self, pattern: str, limit: float, since: int = 0) -> tuple[int, re.Match]:
        """Waits for a line that matches: its place, and the match."""
        wanted, deadline, seen = re.compile(pattern), time.monotonic() + limit, since
        with self._news:
            while True:
                for place in range(seen, len(self._lines)):
                    if found := wanted.search(self._lines[place].text):
                        return place, found
                seen = len(self._lines)
                left = deadline - time.monotonic()
                if self._is_over or left <= 0 or not self._news.wait(left):
                    why = "the machine ended" if self._is_over else f"waited {limit:g} s"
                    said = "\n".join(f"    | {line.text}" for line in self._lines[-TAIL:])
                    raise TimeoutError(f"{why}: no console line /{pattern}/; the last were\n{said}")

    def write(self, text: str) -> None:
        """Types a line."""
        self._socket.sendall(text.encode() + b"\n")

    def close(self) -> None:
        """Ends the reading, after QEMU has ended."""
        self._reader.join()
        self._socket.close()

    def _read(self) -> None:
        rest = b""
        while data := self._receive():
            *whole, rest = (rest + data).split(b"\n")
            now = time.monotonic()
            with self._news:
                self._lines += [Line(now, line.decode(errors="replace").strip("\r")) for line in whole]
                self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except ConnectionResetError:  # QEMU was killed with something unread: as much an end as any
            return b""
