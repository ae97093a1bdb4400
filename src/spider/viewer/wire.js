// The data-channel messages: exactly one JSON object with one top-level group, integers only.
//
// The car drops anything that is not in this shape, so the page builds every message here and nowhere
// else. What the car says is checked once, here: unknown groups and bad fields become `null` and a count,
// never an exception, because a relay may hand us anything.
//
//   out, `drive` channel    drive · calibrate · arm · lease · ping · view · camera
//   out, `stream` channel   stop · calibration
//   in,  `metric` channel   car · board · video · calibration · pong · ir · speed (the last two are the old car's)
//
// Promises: throttle and steering leave as integers in −1000..=1000 whatever came in; `decode` never throws.
// Knows nothing of: channels, time, who may drive.

/** Full scale of throttle and steering. spec: permille, forward +, left +. */
export const FULL = 1000;

/** States of the car, by wire code. spec: `car.state`. */
export const State = Object.freeze({ DISARMED: 0, LIVE: 1, COASTING: 2, STOPPED: 3 });

/** Reasons that forbid arming, a bit set. spec: `car.refusals`. */
export const Refusal = Object.freeze({
  LINK_DOWN: 1, NOT_NEUTRAL: 2, STOP_LATCHED: 4, RECOVERING: 8, CAMERA_DOWN: 16,
  ENCODER_DOWN: 32, ACTUATOR_FAULT: 64, CONTROL_LATE: 128, LEASE_HELD: 256, NO_COMMAND: 512,
  BATTERY_LOW: 1024, BOARD_HOT: 2048, UNCALIBRATED: 4096, ESC_ARMING: 8192, NO_PICTURE: 16384,
});

/** What `lease.want` may say. spec: 0 release, 1 take if free or renew, 2 ask for hand-over. */
export const Want = Object.freeze({ RELEASE: 0, TAKE: 1, ASK: 2 });

/** What `calibration.action` may say. spec: 0 tell me, 1 save these, 2 back to the configuration's. */
export const Action = Object.freeze({ TELL: 0, SAVE: 1, RESET: 2 });

/** What `camera` with the key `view` may say. spec: 0 as the car drives, 1 front, 2 rear. */
export const View = Object.freeze({ AUTO: 0, FRONT: 1, REAR: 2 });

/** The outputs of `calibrate`. spec: 0 none, 1 throttle, 2 steering. */
export const Output = Object.freeze({ NONE: 0, THROTTLE: 1, STEERING: 2 });

/** Pulses that a servo understands, in microseconds. spec: `PulseWidth`. */
export const PULSE = Object.freeze({ MIN: 500, MAX: 2500 });

/** The pulses of a calibration, by the names they have on the wire. */
export const PULSES = Object.freeze([
  'throttle_min_us', 'throttle_zero_us', 'forward_zero_us', 'throttle_max_us', 'steering_min_us', 'steering_zero_us',
  'steering_max_us', 'brake_us',
]);

const U32 = 0x1_0000_0000;

/** Whole milliseconds for a report; what is not known, or was never, is as bad as can be said. */
const reportMs = (ms) => (ms >= 0 ? Math.min(U32 - 1, Math.round(ms)) : U32 - 1);

/** Nearest integer permille; anything that is not a finite number is neutral, the safe reading. */
export function permille(value) {
  if (!Number.isFinite(value)) return 0;
  return Math.max(-FULL, Math.min(FULL, Math.round(value))) || 0;
}

/** Nearest pulse that a servo understands; the car has limits of its own besides. */
const pulse = (us) => Math.max(PULSE.MIN, Math.min(PULSE.MAX, Math.round(us) || 0));

/** The next sequence number; wraps at u32 as the car's comparison does. */
export const nextSeq = (seq) => (seq + 1) % U32;

/** The sender's clock as the car wants it: whole milliseconds of a monotonic clock. */
export const tMs = (now) => Math.max(0, Math.floor(now));

// Who says it is two numbers: `lease`, which telemetry repeats to everybody, and `secret`, which only the car is told. A page
// that has none leaves it out. `seal` is that of seal.js, and adds what a car wants that has a key of its own.
const say = (group, body, seal) => JSON.stringify({ [group]: seal === undefined ? body : seal(group, body) });

export const encode = Object.freeze({
  drive: ({ seq, now, throttle, steering, lease, secret, seal }) => say('drive', { seq, t_ms: tMs(now), throttle: permille(throttle), steering: permille(steering), lease, secret }, seal),
  arm: ({ seq, now, lease, secret, seal }) => say('arm', { seq, t_ms: tMs(now), lease, secret }, seal),
  stop: ({ seq, now }) => say('stop', { seq, t_ms: tMs(now) }),
  lease: ({ lease, secret, seal, want }) => say('lease', { id: lease, secret, want }, seal),
  view: ({ lease, secret, seal, rttMs, ageMs }) => say('view', { lease, secret, rtt_ms: reportMs(rttMs), age_ms: reportMs(ageMs) }, seal),
  calibrate: ({ seq, now, lease, secret, seal, output, us }) => say('calibrate', { seq, t_ms: tMs(now), lease, secret, wheels_up: 1, output, us: pulse(us) }, seal),
  calibration: ({ action, seq, now, lease, secret, seal, pulses }) => say('calibration', action === Action.TELL ? { action } : { action, seq, t_ms: tMs(now), lease, secret, pulses }, seal),
  camera: ({ lease, secret, seal, key, value }) => say('camera', { lease, secret, key, value }, seal),
  ping: ({ id, now }) => say('ping', { id, t_ms: tMs(now) }),
});

// Every number of the `car` group. A missing one reads 0, so an older car still shows what it has.
const CAR_FIELDS = [
  'v', 't_us', 'state', 'cause', 'refusals', 'throttle', 'steering', 'throttle_us', 'steering_us', 'seq', 'lease',
  'accepted', 'late', 'replayed', 'foreign', 'malformed', 'age_ms', 'link', 'limit', 'asker', 'width', 'height', 'fps', 'kbps',
  'target_kbps', 'encode_us', 'frames', 'dropped', 'uptime_s', 'load_permille', 'mem_kb',
];

function readCar(body) {
  const car = {};
  for (const field of CAR_FIELDS) {
    const value = body[field] ?? (field === 'limit' ? FULL : 0);
    if (!Number.isSafeInteger(value)) return null;
    car[field] = value;
  }
  return car.state >= State.DISARMED && car.state <= State.STOPPED ? Object.freeze(car) : null;
}

// Every number of the `board` group. A reading that is not there has no sensor, or none that answers: null. A count that is
// not there is 0.
const BOARD_READINGS = [
  'battery', 'battery_mv', 'battery_ma', 'temp_celsius', 'throttled', 'under_voltage', 'wifi_dbm', 'modem_percent', 'laps',
  'last_lap_ms', 'cpu_permille', 'mem_free_kb', 'up_s',
];
/** Counts of what the car's log says. */
export const BOARD_COUNTS = Object.freeze([
  'sensor_errors', 'laps_early', 'edges_lost', 'laps_untold', 'link_drops', 'link_failures', 'restarts', 'video_restarts',
  'output_errors', 'delayed', 'unsent',
]);

function readBoard(body) {
  const board = {};
  for (const [fields, absent] of [[BOARD_READINGS, null], [BOARD_COUNTS, 0]]) {
    for (const field of fields) {
      const value = body[field] ?? absent;
      if (value !== null && !Number.isSafeInteger(value)) return null;
      board[field] = value;
    }
  }
  return Object.freeze(board);
}

const VIDEO_FIELDS = ['shows', 'cameras', 'camera', 'hardware', 'rung', 'copies'];
/** The stages of a picture's way through the car, in its order; `whole` is all of it. */
export const STAGES = Object.freeze(['capture', 'prepare', 'encode', 'hand_over', 'send', 'whole']);

/** The `video` group; each stage as `{n, p50, p99, max}`, times in microseconds. */
function readVideo(body) {
  const video = {};
  for (const field of VIDEO_FIELDS) {
    const value = body[field] ?? 0;
    if (!Number.isSafeInteger(value)) return null;
    video[field] = value;
  }
  for (const stage of STAGES) {
    const times = body[stage] ?? [0, 0, 0, 0];
    if (!Array.isArray(times) || times.length !== 4 || !times.every(Number.isSafeInteger)) return null;
    const [n, p50, p99, max] = times;
    video[stage] = Object.freeze({ n, p50, p99, max });
  }
  return Object.freeze(video);
}

function readPong(body) {
  const { id, t_ms, car_us, epoch, seal } = body;
  if (![id, t_ms, car_us, epoch ?? 0].every(Number.isSafeInteger)) return null;
  return epoch === undefined ? { id, t_ms, car_us } : { id, t_ms, car_us, epoch, seal: String(seal) };
}

function readLegacy(body) {
  return typeof body.key === 'string' && Number.isFinite(body.value) ? { key: body.key, value: body.value } : null;
}

const CALIBRATION_FIELDS = ['remote', 'saved', 'in_force', 'stored', 'answer', 'seq', 'lease', 'beyond_us'];

function readCalibration(body) {
  const { pulses } = body;
  if (pulses === null || typeof pulses !== 'object') return null;
  const whole = (object, names) => names.every((name) => Number.isSafeInteger(object[name]));
  if (!whole(body, CALIBRATION_FIELDS) || !whole(pulses, PULSES)) return null;
  const pick = (object, names) => Object.freeze(Object.fromEntries(names.map((name) => [name, object[name]])));
  // A car of an older version does not say it.
  const reversed = body.reversed === 1 ? 1 : 0;
  return Object.freeze({ ...pick(body, CALIBRATION_FIELDS), reversed, pulses: pick(pulses, PULSES) });
}

const READERS = { car: readCar, board: readBoard, video: readVideo, calibration: readCalibration, pong: readPong, ir: readLegacy, speed: readLegacy };

/** One message from the car as `{group, body}`, or null when it is none we know. Accepts text or bytes. */
export function decode(data) {
  let message;
  try {
    message = JSON.parse(typeof data === 'string' ? data : new TextDecoder().decode(data));
  } catch {
    return null;
  }
  if (message === null || typeof message !== 'object' || Array.isArray(message)) return null;
  const groups = Object.keys(message);
  if (groups.length !== 1) return null;
  const [group] = groups;
  const body = message[group];
  if (!Object.hasOwn(READERS, group) || body === null || typeof body !== 'object') return null;
  const read = READERS[group](body);
  return read && { group, body: read };
}
