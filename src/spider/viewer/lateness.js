// Does the car take what this page says as too late? And how long until it has learnt this device's clock anew.
//
// The car drops commands that took longer than its fastest ones. A device that slept, or a path that became slower for good,
// makes all of them late: it cannot be armed, and nothing on the page would say why. The car learns anew from a sender that
// does not drive for five seconds; an `arm` in between may begin that again on older cars, so the page holds it back.
//
//   telemetry: late ↑, accepted =        for a second ─▶ late, 5 s left …        accepted ↑ ─▶ all is well
//
// Promises: pure (time is an argument); counts are of all senders, so it says "late" only while nobody's commands are taken.

/** Counts are compared over this long. choice: five messages of telemetry, twenty of ours. */
const WINDOW_MS = 1000;
/** So many late ones within it are no accident. choice: a burst after a hitch is shorter. */
const MANY = 8;
/** spec: `RELEARN` of logic/freshness.rs. */
const RELEARN_MS = 5000;

export function createLateness() {
  let seen = []; // {at, late, accepted}, oldest first
  let since = null;

  return {
    /** New telemetry, or null when the link is gone. */
    heard(car, at) {
      if (car === null || car.late < (seen.at(-1)?.late ?? 0)) [seen, since] = [[], null];
      if (car === null) return;
      seen = [...seen.filter((before) => at - before.at <= WINDOW_MS), { at, late: car.late, accepted: car.accepted }];
      const [first] = seen;
      if (car.accepted !== first.accepted) since = null;
      else if (since === null && car.late - first.late >= MANY) since = first.at;
    },

    /** `{late, leftMs}`: whether the car takes nothing of us, and about how long it takes to learn; 0 when that is overdue. */
    view: (now) => ({ late: since !== null, leftMs: since === null ? 0 : Math.max(0, since + RELEARN_MS - now) }),
  };
}
