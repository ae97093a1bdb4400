// What the driver asks for: throttle and steering in permille, out of keys, thumbs and a gamepad.
//
// Each device only reports its raw position; all feel (ramps, dead zone, curve, limit) is here, so that a
// car drives the same whichever device is in the hand, and so that one `clear()` silences all of them.
//
//   keys  ──ramp──┐
//   touch ──curve─┼─▶ first device off centre, for each axis ─▶ × limit ─▶ permille
//   pad   ──curve─┘        (touch, then keys, then pad)
//
// Promises: pure (time is an argument); letting go of a key is zero throttle in that very step, never a ramp;
// after `clear()` a key still held counts for nothing until it was released.
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
/** Stick travel that is still centre. choice: worn gamepads rest up to 8 % off. */
const DEAD_ZONE = 0.08;
/** Softness of sticks and thumbs around centre (0 straight, 1 cubic). choice: 0.35 is the usual RC default. */
const EXPO = 0.35;
/** Longest step a ramp may take at once: a stalled page must not wake up at full throttle. choice: two ticks. */
const LONGEST_STEP_MS = 40;

/** Stick position to demand: a flat centre without a jump at its edge, then soft, then full. */
export function shape(raw, deadZone = DEAD_ZONE) {
  if (!Number.isFinite(raw)) return 0;
  const size = Math.min(1, Math.abs(raw));
  if (size <= deadZone) return 0;
  const live = (size - deadZone) / (1 - deadZone);
  return Math.sign(raw) * ((1 - EXPO) * live + EXPO * live ** 3);
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

export function createPilot() {
  const keys = new Set();
  let ramp = { ...CENTRE };
  let touch = CENTRE;
  let pad = CENTRE;
  let limit = 1;
  let steppedAt = null;
  let source = 'none';

  const keyTarget = () => {
    const scale = keys.has('precise') ? PRECISE : 1;
    const axis = (plus, minus) => (keys.has(plus) - keys.has(minus)) * scale;
    return { throttle: axis('forward', 'back'), steering: axis('left', 'right') };
  };

  return {
    /** A key went down (not a repeat) or up: `forward`, `back`, `left`, `right` or `precise`. */
    key(name, down) { if (down) keys.add(name); else keys.delete(name); },
    /** Thumb displacement, −1..1 each; an axis nobody touches is 0. */
    setTouch(next) { touch = { ...CENTRE, ...next }; },
    /** Stick or trigger positions, −1..1 each. */
    setPad(next) { pad = { ...CENTRE, ...next }; },
    /** Part of full throttle that any device can reach, 0..1. Steering keeps its full travel. */
    setLimit(part) { limit = Math.max(0, Math.min(1, Number.isFinite(part) ? part : 0)); },
    limit: () => limit,
    /** The device that steers or drives now: `keys`, `touch`, `gamepad` or `none`. */
    source: () => source,

    /** Every device lets go. A key must be pressed anew; sticks and thumbs report when they move (the helm asks for centre first). */
    clear() {
      keys.clear();
      ramp = { ...CENTRE };
      touch = CENTRE;
      pad = CENTRE;
      source = 'none';
    },

    /** True when no device asks for anything. */
    isNeutral() {
      const target = keyTarget();
      return [target.throttle, target.steering, shape(touch.throttle, 0), shape(touch.steering, 0),
        shape(pad.throttle), shape(pad.steering)].every((value) => value === 0);
    },

    /** The demand at `now` (ms). Call as often as you like: ramps follow the time, not the number of calls. */
    step(now) {
      const seconds = Math.min(LONGEST_STEP_MS, Math.max(0, now - (steppedAt ?? now))) / 1000;
      steppedAt = now;
      const target = keyTarget();
      ramp = {
        throttle: rampThrottle(ramp.throttle, target.throttle, seconds),
        steering: rampSteering(ramp.steering, target.steering, seconds),
      };
      // No dead zone on glass: a thumb starts at centre wherever it lands, so there is no rest position to forgive.
      const demands = {
        touch: { throttle: shape(touch.throttle, 0), steering: shape(touch.steering, 0) },
        keys: ramp,
        gamepad: { throttle: shape(pad.throttle), steering: shape(pad.steering) },
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
