// The WebRTC peer: one H.264 picture in, three data channels, tuned for the least delay.
//
// The offer holds all candidates (a server that never trickles must work too), so nothing else has to
// follow it. Channels are created here before the offer and accepted from the server as well, because it is not
// known which of the two the real Spider does; each message is written to one channel only.
//
//   metric   ordered, reliable        car ▶ page
//   stream   ordered, reliable        page ▶ car, for an old car and for `stop`
//   drive    unordered, never resent  page ▶ car: a late command is worth nothing
//
// Promises: candidates may come before or after the answer, twice, or broken; after `close()` no callback fires.
// Sources: spider-protocol.md sections 2.4, 3.4 and 5.2 (Q1, Q8, Q13).

/** spec: wait for all candidates, but not for ever. choice: 1 s; the local ones take milliseconds. */
const GATHER_MS = 1000;

const CHANNELS = Object.freeze({ metric: {}, stream: {}, drive: { ordered: false, maxRetransmits: 0 } });

/** H.264 first, and of it the form the car sends: constrained baseline, packetization-mode 1. Keeps the rest. */
export function preferH264(codecs) {
  const rank = ({ mimeType, sdpFmtpLine = '' }) => {
    if (mimeType.toLowerCase() !== 'video/h264') return 3;
    if (!sdpFmtpLine.includes('packetization-mode=1')) return 2;
    return sdpFmtpLine.includes('profile-level-id=42e0') ? 0 : 1;
  };
  return [...codecs].sort((a, b) => rank(a) - rank(b));
}

/** A candidate message as RTCIceCandidateInit, or null. An empty or absent sdpMid means the m-line index. */
export function readCandidate(type, data) {
  let init = { candidate: data.startsWith('candidate:') ? data : `candidate:${data}` };
  if (type === 'candidate2') {
    try {
      init = JSON.parse(data);
    } catch {
      return null;
    }
  }
  if (init === null || typeof init.candidate !== 'string' || init.candidate === '') return null;
  const { candidate, sdpMid, sdpMLineIndex } = init;
  return sdpMid ? { candidate, sdpMid } : { candidate, sdpMLineIndex: sdpMLineIndex ?? 0 };
}

/** Callbacks: `onMessage(label, data)`, `onChannel(label, open)`, `onStream(stream)`, `onState(connectionState)`. */
export function createPeer(io, { onMessage, onChannel, onStream, onState }) {
  const pc = new io.RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  const channels = new Map(Object.keys(CHANNELS).map((label) => [label, []]));
  const early = [];
  let closed = false;

  const open = (label) => channels.get(label)?.find((channel) => channel.readyState === 'open');
  const adopt = (channel, byServer) => {
    if (!channels.has(channel.label)) return;
    channel.binaryType = 'arraybuffer';
    // The server's own channel goes first: if it opens one, that is the one it listens to.
    if (byServer) channels.get(channel.label).unshift(channel);
    else channels.get(channel.label).push(channel);
    channel.onopen = () => closed || onChannel(channel.label, true);
    channel.onclose = () => closed || onChannel(channel.label, open(channel.label) !== undefined);
    channel.onmessage = ({ data }) => closed || onMessage(channel.label, data);
  };
  for (const [label, how] of Object.entries(CHANNELS)) adopt(pc.createDataChannel(label, how), false);
  pc.ondatachannel = ({ channel }) => adopt(channel, true);
  pc.onconnectionstatechange = () => closed || onState(pc.connectionState);

  const transceiver = pc.addTransceiver('video', { direction: 'recvonly' });
  const offered = io.RTCRtpReceiver?.getCapabilities?.('video')?.codecs;
  if (offered && transceiver.setCodecPreferences) transceiver.setCodecPreferences(preferH264(offered));

  pc.ontrack = ({ track, receiver, streams }) => {
    if (closed || track.kind !== 'video') return;
    // Show each frame when it is complete: a smooth old picture is worse than a rough new one.
    if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
    if ('playoutDelayHint' in receiver) receiver.playoutDelayHint = 0;
    onStream(streams[0] ?? new io.MediaStream([track]));
  };

  const addCandidate = (candidate) => pc.addIceCandidate(candidate).catch(() => {}); // One bad path is no reason to lose the others.
  const setRemote = async (type, sdp) => {
    await pc.setRemoteDescription({ type, sdp });
    for (const candidate of early.splice(0)) addCandidate(candidate);
  };
  const gathered = () => new Promise((resolve) => {
    if (pc.iceGatheringState === 'complete') return resolve();
    const timer = io.setTimeout(resolve, GATHER_MS);
    pc.onicegatheringstatechange = () => {
      if (pc.iceGatheringState !== 'complete') return;
      io.clearTimeout(timer);
      resolve();
    };
    return undefined;
  });

  return {
    /** The offer's SDP with all candidates that came in time. */
    async offer() {
      await pc.setLocalDescription();
      await gathered();
      return pc.localDescription.sdp;
    },

    answered: (sdp) => setRemote('answer', sdp),

    /** The server renegotiates: gives our answer's SDP. */
    async answer(sdp) {
      await setRemote('offer', sdp);
      await pc.setLocalDescription();
      return pc.localDescription.sdp;
    },

    candidate(type, data) {
      const candidate = readCandidate(type, data);
      if (candidate === null) return;
      if (pc.remoteDescription) addCandidate(candidate);
      else early.push(candidate);
    },

    isOpen: (label) => open(label) !== undefined,
    /** Bytes waiting to leave on a channel; a growing number means nothing gets through. */
    waiting: (label) => open(label)?.bufferedAmount ?? 0,

    /** Send text on one channel; false if it is not open. */
    send(label, text) {
      const channel = open(label);
      if (channel === undefined) return false;
      try {
        channel.send(text);
        return true;
      } catch {
        return false;
      }
    },

    stats: () => pc.getStats(),
    close() {
      closed = true;
      pc.close();
    },
  };
}
