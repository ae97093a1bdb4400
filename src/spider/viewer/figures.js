// Figures of the connection out of WebRTC's statistics: rates are differences, so this remembers the last reading.
//
// Promises: pure; a missing statistic is NaN or an empty string, never an invented 0.

const find = (report, test) => [...report.values()].find(test);

/** The counters we use out of an RTCStatsReport. */
export function readStats(report) {
  const inbound = find(report, (s) => s.type === 'inbound-rtp' && s.kind === 'video') ?? {};
  const transport = find(report, (s) => s.type === 'transport') ?? {};
  const pair = report.get(transport.selectedCandidatePairId) ?? find(report, (s) => s.type === 'candidate-pair' && s.nominated) ?? {};
  const local = report.get(pair.localCandidateId);
  const remote = report.get(pair.remoteCandidateId);
  return {
    at: inbound.timestamp ?? NaN,
    bytes: inbound.bytesReceived ?? NaN,
    packets: inbound.packetsReceived ?? NaN,
    lost: inbound.packetsLost ?? NaN,
    decoded: inbound.framesDecoded ?? NaN,
    decodeS: inbound.totalDecodeTime ?? NaN,
    bufferS: inbound.jitterBufferDelay ?? NaN,
    buffered: inbound.jitterBufferEmittedCount ?? NaN,
    freezes: inbound.freezeCount ?? NaN,
    codec: (report.get(inbound.codecId)?.mimeType ?? '').replace('video/', ''),
    path: local && remote ? `${local.candidateType} → ${remote.candidateType}, ${local.protocol}` : '',
  };
}

/** Figures between two readings; `before` may be null. */
export function compare(before, after) {
  const rise = (name) => (before === null ? NaN : after[name] - before[name]);
  const seconds = rise('at') / 1000;
  const lost = Math.max(0, rise('lost'));
  const expected = rise('packets') + lost;
  const per = (amount, count) => (rise(count) > 0 ? (rise(amount) * 1000) / rise(count) : NaN);
  return {
    kbps: seconds > 0 ? (rise('bytes') * 8) / 1000 / seconds : NaN,
    fps: seconds > 0 ? rise('decoded') / seconds : NaN,
    lossPercent: expected > 0 ? (100 * lost) / expected : NaN,
    decodeMs: per('decodeS', 'decoded'),
    bufferMs: per('bufferS', 'buffered'),
    freezes: after.freezes,
    codec: after.codec,
    path: after.path,
  };
}
