"""A DHCP server for one emulated board: always the same address.

Promises: answers only on its interface; ends with its process. Knows nothing of: leases that end.
Sources: spec: RFC 2131 (messages), RFC 2132 (options).
"""

import contextlib
import socket
import struct
import threading

# spec: RFC 2131, table 1 and section 3.
REPLY, COOKIE = 2, b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
# spec: RFC 2132. Option numbers.
MASK, ROUTER, LEASE, KIND, SERVER = 1, 3, 51, 53, 54
HOUR = 3600


class Dhcp:
    """Hands out `address` on `interface`, where this machine is `server`."""

    def __init__(self, interface: str, server: str, address: str) -> None:
        self._server, self._address = socket.inet_aton(server), socket.inet_aton(address)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        self._socket.bind(("", 67))
        threading.Thread(target=self._serve, name="dhcp", daemon=True).start()

    def _serve(self) -> None:
        while True:
            said = self._socket.recv(2048)
            kind = _option(said, KIND)
            if said[236:240] == COOKIE and kind and kind[0] in (DISCOVER, REQUEST):
                with contextlib.suppress(OSError):  # the board's interface is gone; it will ask again
                    self._socket.sendto(self._answer(said, OFFER if kind[0] == DISCOVER else ACK), ("255.255.255.255", 68))

    def _answer(self, said: bytes, kind: int) -> bytes:
        head = bytes([REPLY]) + said[1:8] + bytes(2) + said[10:12] + said[12:16] + self._address + self._server + said[24:28]
        options = (
            *((KIND, bytes([kind])), (SERVER, self._server), (LEASE, struct.pack(">I", HOUR))),
            *((MASK, socket.inet_aton("255.255.255.0")), (ROUTER, self._server)),
        )
        body = b"".join(bytes([number, len(value)]) + value for number, value in options)
        return head + said[28:44] + bytes(192) + COOKIE + body + b"\xff"


def _option(said: bytes, wanted: int) -> bytes:
    at = 240
    while at + 1 < len(said) and said[at] != 255:
        if said[at] == 0:
            at += 1
            continue
        length = said[at + 1]
        if said[at] == wanted:
            return said[at + 2 : at + 2 + length]
        at += 2 + length
    return b""
