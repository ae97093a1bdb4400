// How old is what the driver sees now? Of any camera, in every state; the car slows down and stops by this number.
//
// Three ways, the best that works. The first two name the moment of capture on the car's clock; the third adds up what is known.
//
//   stamp      the capture time that the simulated camera paints into the picture
//   rtp        the RTP time stamp, which our car makes of the capture time; a relay that shifts it gives an age that cannot be
//   estimate   time in the car + half a round trip + time from arrival to screen + what this frame is later than the fastest one
//
//   age now = age when it was shown + time since then                 a picture that stands grows older by the clock
//
// Promises: pure (time is an argument); never younger than the time since the last frame; without a frame it is Infinity.
// A camera's frames only: the still picture that says why there is none must not be told to this.

/** A stamp dates the frames that follow it for so long. choice: stamps are read less often when the page is busy. */
const STAMP_MS = 1000;
/** Ages by the RTP time that can be. choice: the car's clock is known to a few milliseconds; beyond ten seconds it is another clock. */
const BELIEVABLE_MS = [-20, 10_000];
/** RTP's clock for video, ticks in a millisecond. spec: RFC 6184 8.2.1. */
const TICKS_PER_MS = 90;
const WRAP_MS = 2 ** 32 / TICKS_PER_MS;
/** How fast the fastest way may grow longer, ms a second. choice: two crystals, 200 ppm apart, and room. */
const DRIFT = 0.0005;
/** RTP times that jump so far belong to another source: what was the fastest way is forgotten. choice: longer than any queue. */
const JUMP_MS = 20_000;

/** `difference` on a circle of `size`, the short way round: −size/2 to size/2. */
const around = (difference, size) => difference - size * Math.round(difference / size);

/** `clock` is that of clock.js. */
export function createPictureAge(clock) {
  let newest = null; // {at, shownAt, paintMs, lateMs, rtpMs}
  let stamped = null; // {at, ageMs}
  let fastest = null; // {ms, at}: the least of arrival − RTP time

  /** How much later than the fastest frame this one arrived. */
  function lateness(at, rtpTimestamp) {
    if (rtpTimestamp === undefined) return 0;
    const way = around(at - rtpTimestamp / TICKS_PER_MS, WRAP_MS);
    if (fastest !== null && Math.abs(around(way - fastest.ms, WRAP_MS)) > JUMP_MS) fastest = null;
    const grown = fastest === null ? way : fastest.ms + (at - fastest.at) * DRIFT;
    const later = around(way - grown, WRAP_MS);
    fastest = { ms: later < 0 ? way : grown, at };
    return Math.max(0, later);
  }

  /** The age on the screen by the RTP time, or null. */
  function ageByRtp(shownAt, rtpTimestamp) {
    const offset = clock.offsetMs();
    if (rtpTimestamp === undefined || offset === null) return null;
    const age = around(shownAt + offset - rtpTimestamp / TICKS_PER_MS, WRAP_MS);
    return age >= BELIEVABLE_MS[0] && age <= BELIEVABLE_MS[1] ? Math.max(0, age) : null;
  }

  return {
    /** A frame was painted: when that was told, when it is on the screen, and where the browser knows it, its arrival and RTP time. */
    frame({ at, shownAt, receivedAt, rtpTimestamp }) {
      newest = {
        at, shownAt, paintMs: receivedAt > 0 && receivedAt <= shownAt ? shownAt - receivedAt : 0,
        lateMs: lateness(receivedAt > 0 ? receivedAt : shownAt, rtpTimestamp), rtpMs: ageByRtp(shownAt, rtpTimestamp),
      };
      return newest.rtpMs;
    },

    /** The stamp of the frame that was told at `at` gave this age. */
    stamp(at, ageMs) { stamped = { at, ageMs }; },

    /** Another picture begins. */
    reset() { [newest, stamped, fastest] = [null, null, null]; },

    /** `{ms, how}`; `rttMs` and `carMs` (sensor to last packet) may be NaN. `how`: stamp, rtp, estimate, least (it is
     * older than that, nobody knows by how much) or none. */
    age(now, { rttMs, carMs }) {
      if (newest === null) return { ms: Infinity, how: 'none' };
      const since = Math.max(0, now - newest.at);
      if (stamped !== null && newest.at - stamped.at <= STAMP_MS) return { ms: Math.max(0, stamped.ageMs) + since, how: 'stamp' };
      const known = [carMs, rttMs / 2].filter(Number.isFinite).reduce((sum, ms) => sum + ms, 0);
      const estimate = known + newest.paintMs + newest.lateMs;
      if (newest.rtpMs === null) return { ms: estimate + since, how: Number.isFinite(rttMs) ? 'estimate' : 'least' };
      // A relay that shifted it by a little is caught by what must have passed at least.
      return { ms: Math.max(newest.rtpMs, newest.paintMs) + since, how: 'rtp' };
    },
  };
}
