// The car's own key: what we say is sealed with it, and what the Spider cannot have said for the car is known.
//
// A Spider sees and can change all that passes. A car with a key obeys nothing without a seal, and a seal says two things
// besides: which life of the car it is for, and what the car's clock was when we last heard it. Both come in its answers to
// our pings, which it seals, too.
//
//   us ── ping ──▶ car ── pong {…, epoch, seal} ──▶ hear()      us ── drive {…, car_ms, seal} ──▶ car
//
// Promises: what is sealed is the meaning of a message, byte for byte as the car's `seal/bytes.rs` has it; `hear` believes
// nothing without the car's seal. Knows nothing of: channels, time, the page.

import { hmac } from './sha256.js';

/** Bytes of a seal. spec: half of the hash. */
const SEAL_BYTES = 16;

const KIND = Object.freeze({ drive: 1, calibrate: 1, arm: 2, lease: 3, view: 4, camera: 5, calibration: 6, pong: 7 });

/** Writes little-endian numbers one after the other. */
function writer() {
  const bytes = new Uint8Array(128);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const put = (size, method) => (value) => { view[method](at, value, true); at += size; return self; };
  const u64 = put(8, 'setBigUint64');
  const self = {
    u8: put(1, 'setUint8'), u16: put(2, 'setUint16'), i16: put(2, 'setInt16'), u32: put(4, 'setUint32'), i32: put(4, 'setInt32'),
    u64: (value) => u64(BigInt(value)),
    text(value) { const coded = new TextEncoder().encode(value); self.u8(coded.length); bytes.set(coded, at); at += coded.length; return self; },
    done: () => bytes.subarray(0, at),
  };
  return self;
}

/** The fields of each group, in the order of the car's table. */
const FIELDS = Object.freeze({
  drive: (w, { seq, t_ms, throttle, steering }) => w.u32(seq).u64(t_ms).i16(throttle).i16(steering).u8(0).u16(0),
  // Without an output it is a neutral `drive`.
  calibrate: (w, { seq, t_ms, output, us }) => w.u32(seq).u64(t_ms).i16(0).i16(0).u8(output).u16(output === 0 ? 0 : us),
  arm: (w, { seq, t_ms }) => w.u32(seq).u64(t_ms),
  lease: (w, { want }) => w.u8(want),
  view: (w, { rtt_ms, age_ms }) => w.u32(rtt_ms).u32(age_ms),
  camera: (w, { key, value }) => w.text(key).i32(value),
  calibration: (w, { action, seq, t_ms, pulses = {} }) => PULSES.reduce((all, name) => all.u16(pulses[name] ?? 0), w.u8(action).u32(seq).u64(t_ms)),
});
const PULSES = [
  'throttle_min_us', 'throttle_zero_us', 'forward_zero_us', 'throttle_max_us', 'steering_min_us', 'steering_zero_us', 'steering_max_us', 'brake_us',
];

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

export function createSeal() {
  let mac = null;
  let epoch = null; // As the car sealed it.
  let carMs = 0;
  let wants = false; // The car said that it obeys nothing without a seal.
  const seal = (bytes) => hex(mac(bytes).subarray(0, SEAL_BYTES));

  return {
    /** The car's key, or '' for none. */
    setKey(text) {
      mac = text === '' ? null : hmac(new TextEncoder().encode(text));
      epoch = null;
    },
    hasKey: () => mac !== null,

    /** Another connection: perhaps another car, or another life of the same. */
    reset() { [epoch, wants] = [null, false]; },

    /** An answer of the car to a ping of ours; whether it may be believed. */
    hear(pong) {
      wants = pong.epoch !== undefined;
      if (mac === null || !wants) return mac === null;
      const bytes = writer().u8(KIND.pong).u64(pong.epoch).u32(pong.id).u64(pong.t_ms).u64(pong.car_us).done();
      if (seal(bytes) !== pong.seal) return false;
      [epoch, carMs] = [pong.epoch, Math.floor(pong.car_us / 1000)];
      return true;
    },

    /** The body of a group with its seal; as it is before the car was heard, or for what needs none. */
    over(group, body) {
      if (epoch === null || mac === null || FIELDS[group] === undefined || body.lease === undefined && body.id === undefined) return body;
      const w = FIELDS[group](writer().u8(KIND[group]).u64(epoch), body);
      const bytes = w.u32(body.lease ?? body.id).u32(body.secret ?? 0).u64(carMs).done();
      return { ...body, car_ms: carMs, seal: seal(bytes) };
    },

    /** What stands between this page and the wheel: '' nothing, 'missing' a key, 'wrong' the key that it has. */
    lacks: () => (!wants || epoch !== null ? '' : mac === null ? 'missing' : 'wrong'),
  };
}
