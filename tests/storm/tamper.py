"""What a hostile peer says instead of what it should: cut, bent, repeated, or made up from the parts of its protocol.

    honest bytes ── bend ──▶ bytes that were nearly right     the parser's far side
    nothing      ── make ──▶ bytes that look like its kind    the parser's near side: lengths and counts that lie

Pure: the same `random.Random` gives the same bytes. Sources: RFC 8489 (STUN), RFC 6347 (DTLS), RFC 9260, 3758, 6525 (SCTP),
RFC 8831, 8832 (data channels), RFC 3550, 4585 (RTP, RTCP).
"""

import random
import struct
from collections.abc import Callable

import google_crc32c

# Values at which lengths and counts go wrong.
EDGES = (0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 63, 64, 127, 128, 255, 256, 1023, 1200, 4096, 32767, 32768, 65532, 65534, 65535)
COOKIE = 0x2112A442


def some(rng: random.Random, most: int = 64) -> bytes:
    """Bytes of any content and a short length."""
    return rng.randbytes(rng.randint(0, most))


def short(rng: random.Random) -> int:
    """A number of 16 bits, often at an edge."""
    return rng.choice(EDGES) if rng.random() < 0.7 else rng.randint(0, 65535)


def bend(rng: random.Random, data: bytes) -> bytes:
    """The same bytes, hurt in one to four places."""
    hurt = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(hurt)) if hurt else 0
        match rng.randrange(8):
            case 0 if hurt:
                hurt[at] ^= 1 << rng.randrange(8)
            case 1 if hurt:
                hurt[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
            case 2:
                hurt[at : at + 2] = struct.pack(">H", short(rng))
            case 3:
                hurt[at : at + 4] = struct.pack(">I", rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)))
            case 4:
                del hurt[at : at + rng.randint(1, 16)]
            case 5:
                hurt[at:at] = some(rng, 24)
            case 6:
                hurt[at:at] = hurt[at : at + rng.randint(1, 64)] * rng.randint(1, 8)
            case _:
                del hurt[at:]
    return bytes(hurt[:1400])


def stun(rng: random.Random) -> bytes:
    """A STUN message of any method with attributes that lie about themselves."""
    body = b"".join(
        struct.pack(">HH", rng.choice((0x6, 0x8, 0x9, 0xC, 0xD, 0x12, 0x13, 0x20, 0x24, 0x25, 0x8028, 0x8029, 0x802A, 0xFFFF)), short(rng))
        + some(rng, 40)
        for _ in range(rng.randint(0, 6))
    )
    kind = rng.choice((0x0001, 0x0101, 0x0111, 0x0011, 0x0003, 0x0004, 0x0016, 0x0017, 0x3FFF))
    length = len(body) if rng.random() < 0.7 else short(rng)
    return struct.pack(">HHI", kind, length, COOKIE) + rng.randbytes(12) + body


def dtls(rng: random.Random) -> bytes:
    """One to four DTLS records; of a handshake, pieces that do not fit together."""
    records = b""
    for _ in range(rng.randint(1, 4)):
        kind = rng.choice((20, 21, 22, 22, 22, 23, 24, 25))
        body = some(rng, 120)
        if kind == 22:
            size, at = rng.choice((0, 1, 100, 65535, 0xFFFFFF)), rng.choice((0, 1, 50, 0xFFFFFE))
            there = len(body) if rng.random() < 0.6 else short(rng)
            message = rng.choice((0, 1, 2, 3, 11, 12, 13, 14, 15, 16, 20, 99))
            body = bytes([message]) + size.to_bytes(3) + struct.pack(">H", rng.randint(0, 8)) + at.to_bytes(3) + there.to_bytes(3) + body
        length = len(body) if rng.random() < 0.8 else short(rng)
        epoch = rng.choice((0, 0, 0, 1, 2, 65535))
        version = rng.choice((0xFEFD, 0xFEFD, 0xFEFF, 0xFEFC, 0x0303))
        records += struct.pack(">BHHHIH", kind, version, epoch, rng.randint(0, 3), rng.randint(0, 9), length) + body
    return records[:1400]


def parameters(rng: random.Random) -> bytes:
    """Parameters or causes of SCTP with lengths that lie."""
    kinds = (1, 5, 6, 7, 8, 9, 11, 13, 14, 15, 16, 17, 18, 0x8000, 0x8002, 0x8003, 0x8004, 0x8008, 0xC000, 0xC006, 0xFFFF)
    return b"".join(
        struct.pack(">HH", rng.choice(kinds), len(body) + 4 if rng.random() < 0.5 else short(rng)) + body
        for body in (some(rng, 32) for _ in range(rng.randint(0, 4)))
    )


def chunk(rng: random.Random) -> bytes:
    """An SCTP chunk of any type."""
    kind = rng.choice((*range(16), 0x40, 0x80, 0x81, 0x82, 0x84, 0xC0, 0xC1, 0xC2, 0xFF))
    word = lambda: struct.pack(">I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, rng.getrandbits(32))))  # noqa: E731
    match kind:
        case 0:
            body = word() + struct.pack(">HHI", short(rng), short(rng), rng.choice((50, 51, 53, 56, 57, 0, 99))) + some(rng, 200)
        case 1 | 2:
            body = word() + word() + struct.pack(">HH", short(rng), short(rng)) + word() + parameters(rng)
        case 3:
            body = word() + word() + struct.pack(">HH", short(rng), short(rng)) + some(rng, 80)
        case 4 | 5 | 6 | 9 | 0x82:
            body = parameters(rng)
        case 0xC0:
            body = word() + some(rng, 60)
        case _:
            body = some(rng, 80)
    length = len(body) + 4 if rng.random() < 0.8 else short(rng)
    return struct.pack(">BBH", kind, rng.randrange(16), length) + body + b"\0" * (-len(body) % 4)


def chunks(rng: random.Random) -> bytes:
    """What follows the head of an SCTP packet."""
    return b"".join(chunk(rng) for _ in range(rng.choice((1, 1, 1, 2, 5))))[:1100]


def on_streams(tsn: int, batch: int, count: int) -> bytes:
    """Messages of one byte, each whole and unordered on a stream of its own; batches have different streams."""
    return b"".join(
        struct.pack(">BBHIHHI", 0, 0b111, 17, (tsn + number) % (1 << 32), 16 + (batch * count + number) % 65_000, 0, 51) + b"x\0\0\0"
        for number in range(count)
    )


def summed(packet: bytes) -> bytes:
    """The same SCTP packet with the sum that it should have."""
    if len(packet) < 12:
        return packet
    without = packet[:8] + b"\0\0\0\0" + packet[12:]
    return packet[:8] + struct.pack("<I", google_crc32c.value(without)) + packet[12:]


def rtcp(rng: random.Random, ssrc: int) -> bytes:
    """One to three RTCP packets whose counts and lengths lie."""
    packets = b""
    for _ in range(rng.randint(1, 3)):
        kind = rng.choice((200, 201, 202, 203, 204, 205, 205, 206, 206, 207))
        body = struct.pack(">II", rng.getrandbits(32), rng.choice((ssrc, rng.getrandbits(32)))) + some(rng, 120)
        if kind == 206 and rng.random() < 0.3:
            body = body[:8] + b"REMB" + struct.pack(">I", rng.getrandbits(32)) + some(rng, 16)
        if kind == 205 and rng.random() < 0.5:
            # Transport-wide feedback that speaks of more packets than there are states.
            body = body[:8] + struct.pack(">HHI", short(rng), short(rng), rng.getrandbits(32)) + some(rng, 40)
        body += b"\0" * (-len(body) % 4)
        words = len(body) // 4 if rng.random() < 0.8 else short(rng)
        packets += struct.pack(">BBH", 0x80 | rng.choice((0, 0x20)) | rng.randrange(32), kind, words) + body
    return packets[:1300]


def rtp(rng: random.Random) -> bytes:
    """An RTP packet whose extensions, sources and padding lie."""
    head = 0x80 | rng.choice((0, 0x20)) | rng.choice((0, 0x10)) | rng.choice((0, 1, 15))
    body = some(rng, 200)
    if head & 0x10:
        body = struct.pack(">HH", rng.choice((0xBEDE, 0x1000, 0)), short(rng)) + body
    return struct.pack(">BBHII", head, rng.randrange(256), short(rng), rng.getrandbits(32), rng.getrandbits(32)) + body


def opening(rng: random.Random) -> bytes:
    """A message that opens a data channel, nearly."""
    kind = rng.choice((0, 1, 2, 3, 3, 3, 4, 255))
    label, protocol = some(rng, 40), some(rng, 10)
    lengths = (len(label), len(protocol)) if rng.random() < 0.5 else (short(rng), short(rng))
    return struct.pack(">BBHIHH", kind, rng.choice((0, 1, 2, 0x80, 0x81, 0x82, 7)), short(rng), rng.getrandbits(32), *lengths) + label + protocol


def words(rng: random.Random) -> bytes:
    """A command, nearly."""
    honest = rng.choice((
        b'{"motion":{"key":"forward","value":40}}', b'{"drive":{"seq":1,"t_ms":1,"lease":1,"throttle":500,"steering":0}}',
        b'{"arm":{"lease":1}}', b'{"camera":{"key":"view","value":1}}', b'{"claim":{"lease":7}}', b'{"calibrate":{"set":1}}',
    ))
    match rng.randrange(5):
        case 0:
            return b"[" * rng.choice((100, 10_000)) + honest
        case 1:
            return honest.replace(b"1", b"9" * rng.choice((20, 400)))
        case 2:
            return honest + b"\0" * rng.randint(0, 2000)
        case _:
            return bend(rng, honest)


# By the word that a conversation uses.
DATAGRAMS: tuple[Callable[[random.Random], bytes], ...] = (stun, dtls, rtp)
