// What the page may still claim: each thing it was told, kept with its date, and read only together with its age.
//
// A page that keeps the last thing it heard shows a car that died as one that drives. So what is shown is kept nowhere but
// here. One table says how long each source may be believed, and one verdict decides for all words, colours and figures.
//
//   source    what it says                          comes               stale after
//   car       state, force, limit: telemetry        5 a second          1000 ms, or three of its own periods
//   picture   a painted frame of a camera           30 a second         500 ms
//   pong      the round trip                        1 a second          2500 ms          with car
//   figures   the browser's counters                1 a second          2500 ms          with picture
//   board     battery, temperature, Wi-Fi, laps     1 a second          5000 ms          with car
//   path      the camera shown, times in the car    each 5 s            15 000 ms        with car
//
//   put(source, value, now) ─▶ [value, date] ─▶ look(now) ─▶ now(source), last(source), ageMs(source), verdict
//
//   verdict   live    the car and its picture are both news
//             silent  the picture is news, the car says nothing
//             blind   the car speaks, its picture is old, or there never was one
//             lost    neither
//
// Promises: pure (time is an argument); an old value is never given as current, nor is one whose source depends on an old one;
// what was never heard is older than anything; a clock that steps back makes nothing fresh.

/** Telemetry at its slowest rate comes once a second (`telemetry.rate_hz`). choice: five and three missing messages. */
const CAR_MS = 1000;
const CAR_PERIODS = 3;
const CAR_LONGEST_MS = 3000;
/** Gaps between messages that are remembered for the car's own period. choice: a burst of changes does not fill them. */
const GAPS = 8;

const LIMITS = Object.freeze({
  // choice: fifteen frames at 30 fps; a shorter hitch would only flicker.
  picture: { staleMs: 500 },
  // choice: two of them missing, and half a period of patience.
  pong: { staleMs: 2500, needs: 'car' },
  figures: { staleMs: 2500, needs: 'picture' },
  // choice: five messages, and three messages.
  board: { staleMs: 5000, needs: 'car' },
  path: { staleMs: 15_000, needs: 'car' },
});
export const SOURCES = Object.freeze(['car', ...Object.keys(LIMITS)]);

export function createStaleness() {
  const kept = new Map();
  let gaps = [];

  /** The usual time between two messages of the car sets how many of them may be missing. */
  function carLimit() {
    const usual = [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
    return Math.min(CAR_LONGEST_MS, Math.max(CAR_MS, CAR_PERIODS * usual));
  }

  const ageOf = (source, now) => {
    const entry = kept.get(source);
    return entry === undefined || now < entry.at ? Infinity : now - entry.at;
  };
  function isFresh(source, now) {
    const { staleMs, needs } = source === 'car' ? { staleMs: carLimit() } : LIMITS[source];
    return ageOf(source, now) <= staleMs && (needs === undefined || isFresh(needs, now));
  }

  return {
    /** A source said something. A frame has no value but itself. */
    put(source, value, now) {
      const age = ageOf(source, now);
      if (source === 'car' && age <= CAR_LONGEST_MS) gaps = [...gaps, age].slice(-GAPS);
      kept.set(source, { value, at: now });
    },

    /** Another link: nothing that the last one said counts. */
    forget(...sources) {
      for (const source of sources) kept.delete(source);
      if (sources.includes('car')) gaps = [];
    },

    /** What may be claimed at this moment. */
    look(now) {
      const carIsNews = isFresh('car', now);
      const pictureIsNews = isFresh('picture', now);
      return Object.freeze({
        verdict: carIsNews ? (pictureIsNews ? 'live' : 'blind') : (pictureIsNews ? 'silent' : 'lost'),
        /** The value, or null if it is too old to be shown as what is so now. */
        now: (source) => (isFresh(source, now) ? kept.get(source).value : null),
        /** The last value whatever its age, or null: for decisions that the car judges, and for what is shown with its age. */
        last: (source) => kept.get(source)?.value ?? null,
        /** Milliseconds since it came; Infinity if it never did. */
        ageMs: (source) => ageOf(source, now),
        was: (source) => kept.has(source),
      });
    },
  };
}
