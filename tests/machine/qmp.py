"""QEMU's monitor: one command, one answer.

Promises: an answer belongs to its command; a command that QEMU refuses raises. Knows nothing of: the machine.
Sources: spec: QEMU Machine Protocol (docs/interop/qmp-spec).
"""

import json
import socket


class Monitor:
    """A connection to the monitor of a running QEMU."""

    def __init__(self, end: socket.socket, limit: float) -> None:
        """Greets QEMU at the other end of this socket; it has `limit` seconds for each answer."""
        self._socket = end
        self._socket.settimeout(limit)
        self._lines = self._socket.makefile("rb")
        self._read()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments) -> object:
        """Runs a command of the protocol."""
        request = {"execute": command, **({"arguments": arguments} if arguments else {})}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self._read()
            if "event" not in answer:
                break
        if "error" in answer:
            raise RuntimeError(f"monitor: {command}: {answer['error']['desc']}")
        return answer["return"]

    def human(self, line: str) -> str:
        """Runs a command as a person types it, and returns what he would see."""
        return str(self.execute("human-monitor-command", **{"command-line": line})).replace("\r", "")

    def close(self) -> None:
        """Ends the connection."""
        self._lines.close()
        self._socket.close()

    def _read(self) -> dict:
        line = self._lines.readline()
        if not line:
            raise ConnectionError("monitor: QEMU is gone")
        return json.loads(line)
