// Sharing a car: a request that nobody answers is told, and a car that its holder does not use is let go for others.
//
// A page in the background of somebody's desk renews its lease with each neutral it sends: everybody else would read "someone
// else has the controls" for as long as that tab is open.
//
// Promises: pure (time is an argument); a car that moves, or is armed or calibrated, is never let go from here.

import { State } from './wire.js';

/** A car that stands and is held by a page nobody touches is let go. choice: long enough to read why it stopped. */
export const IDLE_MS = 30_000;

/** `give()` lets the car go. */
export function createCourtesy({ lease, give, now }) {
  let touchedAt = now();
  let wasAsking = false;
  let unanswered = false;
  let holder = 0;

  return {
    /** A key, a pointer or a stick of this page. */
    touched() { touchedAt = now(); },
    asks() { unanswered = false; },

    /** A few times a second. `car` is the last telemetry or null; `busy`: something is held, armed or calibrated here. */
    look({ car, asking, busy }) {
      const now_ = now();
      const next = car?.lease ?? 0;
      if (wasAsking && !asking && next !== lease) unanswered = true;
      if (next !== holder) unanswered = false;
      [wasAsking, holder] = [asking, next];
      const stands = car !== null && (car.state === State.DISARMED || car.state === State.STOPPED);
      if (busy || !stands || next !== lease) touchedAt = now_;
      if (now_ - touchedAt <= IDLE_MS) return;
      touchedAt = now_;
      give();
    },

    unanswered: () => unanswered,
  };
}
