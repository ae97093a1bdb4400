// The WebRTC peer: one H.264 picture in, three data channels, tuned for the least delay.
//
// The offer goes out at once and its candidates follow, each in a message of its own: to gather them all first cost half a
// second, and the Spider's own address, which is in its answer, is nearly always enough. Channels are created here before the offer and accepted from the server as well, because it is not
// known which of the two the real Spider does; each message is written to one channel only.
//
//   metric   ordered, reliable        car ▶ page
//   stream   ordered, reliable        page ▶ car, for an old car and for `stop`
//   drive    unordered, never resent  page ▶ car: a late command is worth nothing
//
// Promises: candidates may come before or after the answer, twice, or broken; after `close()` no callback fires.
// Sources: PROTOCOL.md 2.2 (`candidate2`), 2.4, 3.4 and 5.2 (Q8, Q13).

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

/** Callbacks: `onCandidate(json)` (ours, to be sent), `onMessage(label, data)`, `onChannel(label, open)`, `onStream(stream)`, `onState(connectionState)`. */
export function createPeer(io, { onCandidate, onMessage, onChannel, onStream, onState }) {
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
  pc.onicecandidate = ({ candidate }) => closed || !candidate?.candidate || onCandidate(JSON.stringify(candidate.toJSON()));
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
  return {
    /** The offer's SDP; its candidates come as `onCandidate`. */
    async offer() {
      await pc.setLocalDescription();
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
