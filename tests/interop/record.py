"""A viewer on aiortc that only looks: it keeps the pictures that it decodes, for a judge that knows what was filmed.

    record.py ADDRESS URL CHANNEL KEY COUNT FILE        ADDRESS: of this machine, on which the Spider at URL is reached

FILE takes COUNT pictures, planar 4:2:0 without padding, one after the other; what they are is printed as one line of
JSON: {"width", "height", "count", "seconds"}, the time from the first to the last. The first picture is not counted: it
may be any age.

Promises: ends with 1 if the pictures do not come, or change their size. Knows nothing of: what is in them.
"""

import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path

import peers
from aiortc.mediastreams import MediaStreamError
from signalling import Signalling

# Longest wait for all pictures. choice: an emulated encoder manages one or two a second at worst.
LIMIT = 180.0


def packed(frame) -> bytes:
    """The picture without the padding of its lines."""
    parts = []
    for plane, shift in zip(frame.planes, (0, 1, 1)):
        width, height, data = frame.width >> shift, frame.height >> shift, bytes(plane)
        parts += [data[line * plane.line_size :][:width] for line in range(height)]
    return b"".join(parts)


async def look(url: str, channel: str, key: str, count: int, file: Path) -> dict:
    """Subscribes and keeps pictures."""
    async with contextlib.AsyncExitStack() as clean:
        scenario = type("Scenario", (), {"clean": clean})
        pc = peers.peer()
        clean.push_async_callback(pc.close)
        track = asyncio.get_running_loop().create_future()
        pc.on("track", track.set_result)
        pc.createDataChannel("metric")
        pc.addTransceiver("video", direction="recvonly")
        signalling = await Signalling.open(scenario, f"{url}/live/ws/sub?channel={channel}&key={key}")
        await signalling.negotiate(pc)
        video = await track
        first = await video.recv()
        size, times = (first.width, first.height), []
        with open(file, "wb") as out:
            while len(times) < count:
                frame = await video.recv()
                if (frame.width, frame.height) != size or frame.format.name != "yuv420p":
                    raise RuntimeError(f"{frame} after {size}")
                times.append(time.monotonic())
                out.write(packed(frame))
        return {"width": size[0], "height": size[1], "count": count, "seconds": times[-1] - times[0]}


def main() -> None:
    """Reads the command line."""
    address, url, channel, key, count, file = sys.argv[1:]
    peers.aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [address]
    try:
        print(json.dumps(asyncio.run(asyncio.wait_for(look(url, channel, key, int(count), Path(file)), LIMIT))))
    except (TimeoutError, MediaStreamError, RuntimeError) as err:
        print(f"record: {type(err).__name__}: {err}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
