// The car's clock as seen from this page: which local millisecond was a given microsecond of the car?
//
// A frame carries its capture time in the car's CLOCK_MONOTONIC, the page has `performance.now()`. A ping and
// its pong give one estimate of the difference, wrong by at most half its round trip, so the estimate with
// the shortest round trip is the best one (the idea of NTP's clock filter; averaging would mix in the queues).
//
//      sent ──────────ping─────────▶ car_us
//      received ◀─────pong──────────┘            offset = car_us − (sent + received) / 2,  error ≤ rtt / 2
//
// Old samples lose worth as the two crystals drift, so a sample's age is charged to its error.
//
// A car that was switched off and on has another clock: a sample that cannot be, by both errors, starts everything anew.
//
// Promises: `errorMs()` bounds what path asymmetry can do to the offset; nothing here reads a clock.

/** Samples kept. choice: half a minute at one a second; more only keeps staler ones. */
const KEEP = 32;
/** Drift charged to a sample's age. choice: 50 ppm, two ordinary crystals at their worst, is 0.05 ms a second. */
const DRIFT = 50e-6;
/** What two readings of one clock may differ by beyond their errors. choice: browsers round their clock to 1 ms for privacy. */
const ROUNDING_MS = 3;
/** A round trip longer than this says nothing useful. choice: a driver cannot drive at a second's delay either. */
const LONGEST_RTT_MS = 2000;

export function createClock() {
  let samples = [];
  let best = null;
  let lastRttMs = NaN;

  const worth = (sample, now) => sample.rttMs / 2 + (now - sample.at) * DRIFT;

  return {
    /** One ping answered: local send and receive time (ms) and the car's time between them (µs). */
    add(sentMs, receivedMs, carUs) {
      const rttMs = receivedMs - sentMs;
      if (!(rttMs >= 0 && rttMs <= LONGEST_RTT_MS) || !Number.isFinite(carUs)) return;
      lastRttMs = rttMs;
      const sample = { rttMs, at: receivedMs, offsetMs: carUs / 1000 - (sentMs + receivedMs) / 2 };
      if (best !== null && Math.abs(sample.offsetMs - best.offsetMs) > rttMs / 2 + worth(best, receivedMs) + ROUNDING_MS) samples = [];
      samples.push(sample);
      if (samples.length > KEEP) samples.shift();
      best = samples.reduce((a, b) => (worth(b, receivedMs) <= worth(a, receivedMs) ? b : a));
    },

    /** The local time (ms) of a car time (µs), or null before the first pong. */
    toLocalMs: (carUs) => (best === null ? null : carUs / 1000 - best.offsetMs),

    /** The car's clock minus this page's, ms, or null. */
    offsetMs: () => best?.offsetMs ?? null,

    /** Half the best round trip: how far off `toLocalMs` can be. */
    errorMs: () => (best === null ? Infinity : best.rttMs / 2),

    /** The newest round trip to the car and back, or NaN. */
    rttMs: () => lastRttMs,

    /** Forget everything: another car, or the same one after a restart, has another clock. */
    reset() {
      samples = [];
      best = null;
      lastRttMs = NaN;
    },
  };
}
