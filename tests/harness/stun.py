"""One packet to HOST PORT, and what comes back.

    stun.py HOST PORT check UFRAG:OURS PASSWORD    a right connectivity check of ICE (RFC 8445 7.2.2)
    stun.py HOST PORT forged SOURCE                a packet that says it comes from SOURCE; needs root
    stun.py HOST PORT plain                        a packet of no meaning

Prints "sent". A line on stdin asks for what came back: "wait" waits for an answer, "now" says "answered" or "silence" as it
is then; who asks so makes sure that an answer had the time to come.
"""

import hashlib
import hmac
import os
import socket
import struct
import sys
import zlib

COOKIE = 0x2112A442
REQUEST, USERNAME, INTEGRITY, PRIORITY, CONTROLLING, FINGERPRINT = 1, 6, 8, 0x24, 0x802A, 0x8028


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def check(user: str, password: str) -> bytes:
    """spec: RFC 8489 14.5 and 14.7: the length in the header counts the attribute that is being made."""
    transaction = os.urandom(12)
    body = attribute(USERNAME, user.encode()) + attribute(PRIORITY, struct.pack("!I", 1 << 24))
    body += attribute(CONTROLLING, os.urandom(8))
    head = lambda more: struct.pack("!HHI", REQUEST, len(body) + more, COOKIE) + transaction
    body += attribute(INTEGRITY, hmac.new(password.encode(), head(24) + body, hashlib.sha1).digest())
    return head(8) + body + attribute(FINGERPRINT, struct.pack("!I", zlib.crc32(head(8) + body) ^ 0x5354554E))


host, port, kind, *more = sys.argv[1:]
to = (host, int(port))
if kind == "forged":
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    udp = struct.pack("!HHHH", 9, to[1], 14, 0) + b"forged"
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, 17, 0, socket.inet_aton(more[0]), socket.inet_aton(host))
    raw.sendto(ip + udp, to)
    print("sent", flush=True)
    sys.exit()
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.sendto(check(*more) if kind == "check" else b"plain", to)
print("sent", flush=True)
for word in sys.stdin:
    own.settimeout(20 if word == "wait\n" else 0)
    try:
        own.recv(2048)
        print("answered", flush=True)
    except (BlockingIOError, TimeoutError):
        print("silence", flush=True)
