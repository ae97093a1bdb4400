"""A publisher as the old car was: aiortc, the historic order of channels and track, one complete offer.

    channels metric, stream, default (in this order), then the video track; offered are VP8 and H.264;
    the address has channel, brate and ktime and no vcodec

Promises: what arrives on `stream` is kept as it came. Knows nothing of: which aiortc it runs on.
Sources: PROTOCOL.md 1.1, 1.2, 3.1, 3.2, 3.4.
"""

import re
import time

from checks import Scenario
from peers import Inbox, MovingPicture, peer
from programs import CHANNEL
from signalling import Signalling


def sdp_update(sdp: str) -> str:
    """The old program's repair: every ufrag and password replaced by the first, over the whole text."""
    for key in ("ice-ufrag", "ice-pwd"):
        values = re.findall(rf"a={key}:(\S+)", sdp)
        for value in values[1:]:
            sdp = sdp.replace(value, values[0])
    return sdp


class OldCar:
    """A publisher on a channel."""

    def __init__(self, scenario: Scenario, picture: MovingPicture | None = None) -> None:
        self.scenario = scenario
        self.pc = peer()
        scenario.clean.push_async_callback(self.pc.close)
        self.metric = Inbox(self.pc.createDataChannel("metric"))
        self.stream = Inbox(self.pc.createDataChannel("stream"))
        self.default = Inbox(self.pc.createDataChannel("default"))
        self.picture = picture or MovingPicture()
        self.sender = self.pc.addTrack(self.picture)
        self.answer = ""
        self.answer_applied_at = 0.0
        self.signalling: Signalling | None = None

    async def publish(
        self,
        base: str,
        fingerprint: bytes | None = None,
        query: str = "&brate=800&ktime=100",
        rewrite=lambda sdp: sdp,
    ) -> None:
        """Publishes to the Spider at `base`."""
        url = f"{base}/live/ws/pub?channel={CHANNEL}{query}"
        self.signalling = await Signalling.open(self.scenario, url, fingerprint)
        self.answer = await self.signalling.negotiate(self.pc, rewrite)
        self.answer_applied_at = time.monotonic()

    async def ready(self) -> None:
        """Waits until all three channels are open."""
        for inbox in (self.metric, self.stream, self.default):
            await inbox.open()
