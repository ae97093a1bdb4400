// Calibrating from the page: which pulse is measured, whether it is held, and what becomes of Save.
//
// The pulses that somebody measures stay in this page until the car has taken all eight of them at once: a set that is
// half old and half new must not be in a car. A pulse is out only while the hold button is, so a lost page, a lost finger
// and a lost link all are neutral; the car itself moves a pulse away from neutral only slowly.
//
//   held      not live? arm, and again until it is.  live? the pulse goes out, 50 times a second
//   saving    not live? arm.  live? save ─▶ answered ─▶ the car is let go, so that it stands and the new neutral is in force
//
// Promises: pure (time is an argument); letting go is neutral inside the call; nothing is held unless somebody said that
// the wheels are up, and said it again after a Stop. Knows nothing of: the DOM, the link.

import { Action, Output, PULSE, Refusal, State } from './wire.js';

/** The pulses as they lie on their scales: what the car does at each, and for which output it is. */
export const FIELDS = Object.freeze([
  { name: 'throttle_min_us', label: 'Reverse', says: 'Full reverse.', output: Output.THROTTLE },
  { name: 'brake_us', label: 'Brake', says: 'What the motor controller takes as a brake.', output: Output.THROTTLE },
  { name: 'throttle_zero_us', label: 'Neutral', says: 'The motor stands still.', output: Output.THROTTLE },
  { name: 'forward_zero_us', label: 'First', says: 'The wheels just begin to turn forward.', output: Output.THROTTLE },
  { name: 'throttle_max_us', label: 'Full', says: 'Full forward.', output: Output.THROTTLE },
  { name: 'steering_max_us', label: 'Left', says: 'Full left, and the servo does not hum.', output: Output.STEERING },
  { name: 'steering_zero_us', label: 'Straight', says: 'The car goes straight ahead.', output: Output.STEERING },
  { name: 'steering_min_us', label: 'Right', says: 'Full right, and the servo does not hum.', output: Output.STEERING },
]);
const FIRST = FIELDS.find(({ name }) => name === 'throttle_zero_us');

/** The same for a servo that is mounted the other way round: the short end of its way is left. */
const REVERSED = Object.freeze(FIELDS.map((field) => {
  const other = { steering_min_us: 'steering_max_us', steering_max_us: 'steering_min_us' }[field.name] ?? field.name;
  return { ...FIELDS.find(({ name }) => name === other), name: field.name };
}));

/** How long Save waits for the car. choice: arming and a slow round trip several times. */
const PATIENCE_MS = 4000;
/** Arm is asked for again by the helm; this is how often it is begun anew while a pulse is held. choice. */
const ARM_AGAIN_MS = 1600;

export function createBench({ helm, now }) {
  let report = null;
  let car = null;
  let open = false;
  let sure = false;
  let field = FIRST;
  let pulses = null;
  let held = false;
  let armedAt = -Infinity;
  let wish = null; // {action, seq, until}: seq is null until it was sent
  let note = '';

  const isLive = () => car !== null && car.lease === helm.lease && car.state === State.LIVE;
  const isLatched = () => car !== null && car.state === State.STOPPED && (car.refusals & Refusal.STOP_LATCHED) !== 0;
  const isDirty = () => pulses !== null && report !== null && FIELDS.some(({ name }) => pulses[name] !== report.pulses[name]);

  /** The fields, by what this car does at each. */
  const fields = () => (report?.reversed === 1 ? REVERSED : FIELDS);

  /** How far the output of a field may go from where the car is calibrated now. */
  function range({ output } = field) {
    if (report === null) return PULSE;
    const ends = output === Output.THROTTLE ? ['throttle_min_us', 'throttle_max_us'] : ['steering_min_us', 'steering_max_us'];
    const [least, most] = ends.map((name) => report.pulses[name]);
    return { MIN: Math.max(PULSE.MIN, least - report.beyond_us), MAX: Math.min(PULSE.MAX, most + report.beyond_us) };
  }

  function out() {
    helm.tune(held && sure ? { output: field.output, us: pulses[field.name] } : null);
  }

  /** Armed by the hold button or by Save; the helm repeats it for a moment, this begins again while it is wanted. */
  function arm(at) {
    if (isLive() || at - armedAt < ARM_AGAIN_MS) return;
    armedAt = at;
    helm.arm();
  }

  function pursueWish(at) {
    if (wish === null) return;
    if (at > wish.until) {
      note = 'The car did not answer. Try again.';
      wish = null;
    } else if (wish.seq !== null) {
      if (report.seq !== wish.seq || report.lease !== helm.lease) return;
      note = null; // The answer itself is shown.
      if (wish.action === Action.RESET) pulses = { ...report.pulses };
      wish = null;
    } else if (isLive()) {
      wish.seq = helm.change(wish.action, wish.action === Action.SAVE ? pulses : undefined);
    } else {
      arm(at);
    }
  }

  const hold = (down) => {
    held = down && open && sure && wish === null;
    if (held) arm(now());
    out();
  };

  function ask(action) {
    if (!open || !sure || report === null || wish !== null) return;
    hold(false);
    note = '';
    wish = { action, seq: null, until: now() + PATIENCE_MS };
    pursueWish(now());
  }

  return {
    /** The car told its calibration. What was measured and not saved stays. */
    heard(next) {
      if (report === null || !isDirty()) pulses = { ...next.pulses };
      report = next;
      if (report.remote !== 1) this.show(false);
      pursueWish(now());
    },

    /** New telemetry, or null when the link is gone. */
    car(next) {
      car = next;
      if (next === null) hold(false);
      // Only Arm leaves a Stop, and nobody is to arm by holding a pulse.
      if (isLatched()) this.show(false);
    },

    show(next) {
      const will = next && report?.remote === 1 && !isLatched();
      if (!will && !open) return;
      open = will;
      sure = false;
      [held, wish, note] = [false, null, ''];
      helm.bench(open);
    },

    /** Somebody says that the wheels are up, or takes it back. */
    sure(next) { sure = open && next; if (!sure) hold(false); },

    select(name) {
      hold(false);
      field = FIELDS.find((each) => each.name === name) ?? field;
    },

    /** Set the pulse of the field that is measured; it moves if it is held. */
    set(us) {
      if (pulses === null || !Number.isFinite(us)) return;
      const { MIN, MAX } = range();
      pulses = { ...pulses, [field.name]: Math.max(MIN, Math.min(MAX, Math.round(us))) };
      out();
    },
    step(by) { this.set((pulses?.[field.name] ?? NaN) + by); },
    hold,

    save: () => ask(Action.SAVE),
    reset: () => ask(Action.RESET),
    revert() {
      hold(false);
      note = '';
      if (report !== null) pulses = { ...report.pulses };
    },

    /** Call every 20 ms. */
    tick() {
      if (!open) return;
      const at = now();
      if (held) arm(at);
      pursueWish(at);
      // What was saved is in force when the car stands: let it go.
      if (report.in_force === 0 && wish === null && !held && isLive()) helm.give();
    },

    view: () => ({
      fields: fields(), field: fields().find(({ name }) => name === field.name),
      offered: report?.remote === 1, latched: isLatched(), open, sure, pulses, held, note,
      report, dirty: isDirty(), range: range(), busy: wish !== null,
      live: isLive(), watching: car !== null && car.lease !== 0 && car.lease !== helm.lease,
      outUs: car === null ? null : car[field.output === Output.THROTTLE ? 'throttle_us' : 'steering_us'],
    }),
  };
}
