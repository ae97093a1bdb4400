// Asks the car for its time, on the channels that commands take: round trip, the car's clock, and whether `drive` is heard.
//
// Promises: a pong counts once, and only if it repeats our own time: those of other pages reach us too.

import { encode } from './wire.js';

/** Pings that may be under way. choice: half a minute of one a second. */
const KEEP = 32;

/** `clock` is that of clock.js, `route` that of route.js, `seal` that of seal.js. */
export function createPinger({ link, clock, route, seal, now }) {
  const pings = new Map();
  let id = 0;

  return {
    ping() {
      for (const label of route.labels(link.isOpen('drive'))) {
        id = (id + 1) >>> 0;
        const text = encode.ping({ id, now: now() });
        pings.set(id, now());
        route.sent(id, label);
        if (pings.size > KEEP) pings.delete(pings.keys().next().value);
        if (!link.send(label, text)) pings.delete(id);
      }
    },

    /** Whether this pong was ours. */
    pong(pong) {
      const { id: answered, t_ms: sentT, car_us: carUs } = pong;
      const sentAt = pings.get(answered);
      if (sentAt === undefined || Math.floor(sentAt) !== sentT) return false;
      if (!seal.hear(pong)) return false; // Somebody else has said it.
      pings.delete(answered);
      route.answered(answered);
      clock.add(sentAt, now(), carUs);
      return true;
    },
  };
}
