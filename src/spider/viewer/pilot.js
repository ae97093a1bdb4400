// What the driver asks for: throttle and steering in permille, out of keys, thumbs and a gamepad.
//
// Each device only reports where it is; all feel (ramps, curve, limit) is here, so that a car drives the same whichever
// device is in the hand. So is the one way to let go: an input counts only while it is known to be held now, and whatever
// makes that doubtful calls `clear()`.
//
//   keys  ──ramp──┐
//   touch ──curve─┼─▶ first trusted device off centre, for each axis ─▶ × limit ─▶ permille
//   pad   ──curve─┘        (touch, then keys, then pad)
//
//   clear()     every device is at 0 and drops what it holds (`onClear`); none is trusted
//   distrust()  the car does not obey now: positions are kept, none is trusted
//   trusted     a device that was read at its centre since. Each for itself: a pad that drifts does not block the keys
//
// Promises: pure (time is an argument); letting go of a key is zero throttle in that very step, never a ramp;
// after `clear()` nothing counts until its own device was read at its centre.
// Knows nothing of: the DOM, the link, arming.

import { FULL, permille } from './wire.js';

/** A pressed key starts here, so the first message already moves the car. choice: just over a car's dead band. */
const KICK = 0.25;
/** Ramp of held keys, full scales a second. choice: full throttle in 0.4 s, full lock in 0.2 s; feels firm, not jumpy. */
const THROTTLE_RAMP = 1.9;
const STEERING_RAMP = 4;
/** Steering runs back to centre by itself when the key is let go. choice: as fast as a servo can follow. */
const STEERING_RETURN = 10;
/** Shift held: part of full scale that keys reach. choice: walking pace on the cars we know. */
const PRECISE = 0.4;
/** Softness of sticks and thumbs around centre (0 straight, 1 cubic). choice: 0.35 is the usual RC default. */
const EXPO = 0.35;
/** Longest step a ramp may take at once: a stalled page must not wake up at full throttle. choice: two ticks. */
const LONGEST_STEP_MS = 40;

/** Position to demand: soft around centre, then full. */
export function shape(raw) {
  if (!Number.isFinite(raw)) return 0;
  const size = Math.min(1, Math.abs(raw));
  return Math.sign(raw) * ((1 - EXPO) * size + EXPO * size ** 3);
}

function approach(from, to, most) {
  return Math.abs(to - from) <= most ? to : from + Math.sign(to - from) * most;
}

/** One key axis one step on. Letting go or turning round never lingers on the old side. */
export function rampThrottle(current, target, seconds) {
  if (target === 0) return 0;
  const from = current * target > 0 ? current : Math.sign(target) * Math.min(KICK, Math.abs(target));
  return Math.abs(from) > Math.abs(target) ? target : approach(from, target, THROTTLE_RAMP * seconds);
}

export function rampSteering(current, target, seconds) {
  if (target === 0) return approach(current, 0, STEERING_RETURN * seconds);
  const from = current * target > 0 ? current : Math.sign(target) * Math.min(KICK, Math.abs(target));
  return Math.abs(from) > Math.abs(target) ? target : approach(from, target, STEERING_RAMP * seconds);
}

const CENTRE = Object.freeze({ throttle: 0, steering: 0 });
const shaped = ({ throttle, steering }) => ({ throttle: shape(throttle), steering: shape(steering) });
const isCentre = ({ throttle, steering }) => shape(throttle) === 0 && shape(steering) === 0;

export function createPilot() {
  const keys = new Set();
  const releases = [];
  const trusted = { touch: false, keys: false, gamepad: false };
  let ramp = { ...CENTRE };
  let touch = CENTRE;
  let pad = null; // null: there is none
  let padWasTrusted = false;
  let limit = 1;
  let steppedAt = null;
  let source = 'none';

  const keyTarget = () => {
    const scale = keys.has('precise') ? PRECISE : 1;
    const axis = (plus, minus) => (keys.has(plus) - keys.has(minus)) * scale;
    return { throttle: axis('forward', 'back'), steering: axis('left', 'right') };
  };
  /** Shift alone asks for nothing. */
  const noKey = () => ['forward', 'back', 'left', 'right'].every((name) => !keys.has(name));

  function distrust() {
    Object.assign(trusted, { touch: false, keys: false, gamepad: false });
    ramp = { ...CENTRE };
    source = 'none';
  }

  return {
    /** A key went down (not a repeat) or up: `forward`, `back`, `left`, `right` or `precise`. */
    key(name, down) { if (down) keys.add(name); else keys.delete(name); },
    /** Thumb displacement of one axis (`throttle` or `steering`), −1..1; 0 when no thumb is there. */
    setTouch(next) { touch = { ...touch, ...next }; },
    /** Where a gamepad was read just now, −1..1 for each axis and 0 within its centre; null when there is none. Call at each reading. */
    setPad(next) {
      pad = next === null ? null : { throttle: next.throttle, steering: next.steering };
      if (pad === null) trusted.gamepad = padWasTrusted = false;
      else if (isCentre(pad)) trusted.gamepad = padWasTrusted = true;
    },
    /** Part of full throttle that any device can reach, 0..1. Steering keeps its full travel. */
    setLimit(part) { limit = Math.max(0, Math.min(1, Number.isFinite(part) ? part : 0)); },
    limit: () => limit,
    /** The device that steers or drives now: `keys`, `touch`, `gamepad` or `none`. */
    source: () => source,

    /** `release()` of a device runs at each `clear()`: it drops what it holds. */
    onClear(release) { releases.push(release); },

    /** Lets go of everything. */
    clear() {
      keys.clear();
      touch = CENTRE;
      if (pad !== null) pad = CENTRE; // Not a reading: it is not trusted by this.
      distrust();
      for (const release of releases) release();
    },

    distrust,
    /** Keys and thumbs that hold nothing are at centre, and known to be: they report each change. A pad has to be read. */
    settle() {
      trusted.keys ||= noKey();
      trusted.touch ||= isCentre(touch);
    },
    /** Something is held that does not count yet. A pad that was never at its centre is said elsewhere and blocks nobody. */
    isWaiting: () => !trusted.keys || !trusted.touch || (pad !== null && padWasTrusted && !trusted.gamepad),
    /** There is a pad, it is off its centre and does not count. */
    padWaits: () => pad !== null && !trusted.gamepad && !isCentre(pad),

    /** True when no device asks for anything. */
    isNeutral: () => noKey() && isCentre(touch) && (pad === null || isCentre(pad)),

    /** The demand at `now` (ms). Call as often as you like: ramps follow the time, not the number of calls. */
    step(now) {
      const seconds = Math.min(LONGEST_STEP_MS, Math.max(0, now - (steppedAt ?? now))) / 1000;
      steppedAt = now;
      const target = trusted.keys ? keyTarget() : CENTRE;
      ramp = {
        throttle: rampThrottle(ramp.throttle, target.throttle, seconds),
        steering: rampSteering(ramp.steering, target.steering, seconds),
      };
      const demands = {
        touch: trusted.touch ? shaped(touch) : CENTRE,
        keys: ramp,
        gamepad: trusted.gamepad && pad !== null ? shaped(pad) : CENTRE,
      };
      const first = (axis) => Object.keys(demands).find((name) => demands[name][axis] !== 0);
      const byThrottle = first('throttle');
      const bySteering = first('steering');
      source = byThrottle ?? bySteering ?? 'none';
      return {
        throttle: permille((byThrottle ? demands[byThrottle].throttle : 0) * limit * FULL),
        steering: permille((bySteering ? demands[bySteering].steering : 0) * FULL),
      };
    },
  };
}
