// What leaves the page for the car: drive commands, arm, stop, lease — and when nothing but neutral may.
//
// One timer and a few rules. A command is worth something only while it is new, so nothing is queued: each tick
// sends the newest demand. Arm and stop ride channels that may lose them, so they repeat until the telemetry
// shows them done; arm gives up after a moment (an arm that comes late would be a surprise), stop never does.
//
//   driving        drive at 50 Hz, and at once when an input changes
//   not driving    neutral at 20 Hz, so that Arm finds a fresh neutral; nothing while someone else drives
//   hidden         neutral once, then silence: the car's own deadman does the rest
//   gate           after arming or a pause each device must pass centre once before it counts (pilot.js)
//   calibrating    the controls count for nothing; one pulse, if it is held, goes out in place of neutral
//
// Promises: `neutralNow` and `stop` send inside the call, never later; no demand but neutral leaves unless the
// telemetry says that we drive, the page has the focus and is shown whole, and no stop is under way.
// Knows nothing of: the DOM, how the link is made. Time and link are handed in.

import { encode, nextSeq, Output, Refusal, State, Want } from './wire.js';

/** spec: 50 Hz while driving, 20 Hz neutral otherwise. */
const DRIVE_MS = 20;
const NEUTRAL_MS = 50;
/** A timer tick this much early still counts, or a 20 ms timer would send every 40 ms. choice. */
const EARLY_MS = 4;
/** Arm repeats until the car is live, for a moment only. choice: a slow round trip fits several times. */
const ARM_REPEAT_MS = 60;
const ARM_GIVE_UP_MS = 1500;
/** Stop repeats until the car shows it latched. choice: three per worst-case telemetry period. */
const STOP_REPEAT_MS = 60;
/** Asking for control repeats, because the request may be lost. choice. */
const ASK_REPEAT_MS = 250;
const ASK_GIVE_UP_MS = 3000;
/** Our lease is renewed while we drive. choice: several times within any sensible expiry. */
const RENEW_MS = 500;
/** More than this waiting on the reliable channel means it is stuck; more stops behind it would not help. choice. */
const STUCK_BYTES = 2048;
/** Input-to-send samples kept for the page's figures. choice. */
const KEEP_INPUTS = 512;

const NEUTRAL = Object.freeze({ throttle: 0, steering: 0 });

/** 32 bits that nobody can guess. Unlike the rest of the browser's cryptography it is there on a page without TLS, too. */
const random32 = () => crypto.getRandomValues(new Uint32Array(1))[0];

/** Who we are to the car: `lease`, which all may see, never 0 (which means nobody), and `secret`, which goes to the car alone. What it
 * says is sealed with `seal` (seal.js), if there is one. */
export const newDriver = (seal = undefined, random = random32) => Object.freeze({ lease: random() || 1, secret: random() || 1, seal });

/** `driver` is that of newDriver. */
export function createHelm({ link, pilot, now, driver }) {
  const { lease } = driver;
  let seq = 0;
  let car = null;
  let wish = null; // {kind: 'arm' | 'stop' | 'ask', until, next}
  let armTimedOut = false;
  let visible = true;
  let focused = true;
  let whole = true;
  let atBench = false;
  let tune = null; // {output, us}: the pulse that is held
  let drivenAt = -Infinity;
  let renewedAt = -Infinity;
  let asked = { throttle: 0, steering: 0 };
  const sent = { drive: 0, neutral: 0, arm: 0, stop: 0, calibrate: 0 };
  const inputs = [];

  const carMoves = () => car !== null && (car.state === State.LIVE || car.state === State.COASTING);
  const isAttentive = () => focused && visible && whole;
  const isDriving = () => carMoves() && car.lease === lease && isAttentive() && wish?.kind !== 'stop';
  const isWatching = () => car !== null && car.lease !== 0 && car.lease !== lease;
  const isLatched = () => car !== null && !carMoves() && (car.refusals & Refusal.STOP_LATCHED) !== 0;

  /** Whether our key is for driving; it is not known before the Spider has said so. */
  const mayDrive = () => link.may?.('drive') ?? true;

  // Commands go on `drive` if it is there, else on `stream`; never on both.
  const send = (text) => link.send(link.isOpen('drive') ? 'drive' : 'stream', text);
  const take = () => { seq = nextSeq(seq); return seq; };

  function sendDrive(demand, at) {
    asked = demand;
    drivenAt = at;
    if (isWatching() || !mayDrive()) return;
    if (tune !== null && isDriving()) {
      if (send(encode.calibrate({ seq: take(), now: at, ...driver, ...tune }))) sent.calibrate += 1;
      return;
    }
    const neutral = demand.throttle === 0 && demand.steering === 0;
    if (send(encode.drive({ seq: take(), now: at, ...demand, ...driver }))) sent[neutral ? 'neutral' : 'drive'] += 1;
  }

  function sendArm(at) {
    send(encode.lease({ ...driver, want: Want.TAKE }));
    sendDrive(NEUTRAL, at);
    if (send(encode.arm({ seq: take(), now: at, ...driver }))) sent.arm += 1;
  }

  function sendStop(at, first) {
    const text = encode.stop({ seq: take(), now: at });
    // The first goes the reliable way. Repeats take the channel that never waits for a lost packet, where there is one.
    const label = first || !link.isOpen('drive') ? 'stream' : 'drive';
    if (label === 'stream' && !first && link.waiting('stream') > STUCK_BYTES) return;
    if (link.send(label, text) || (first && link.send('drive', text))) sent.stop += 1;
  }

  function pursueWish(at) {
    if (wish === null) return;
    const done = { arm: () => carMoves() && car.lease === lease, stop: isLatched, ask: () => car?.lease === lease }[wish.kind]();
    if (done || at > wish.until) {
      armTimedOut = wish.kind === 'arm' && !done;
      wish = null;
      return;
    }
    if (at < wish.next) return;
    if (wish.kind === 'arm') sendArm(at);
    else if (wish.kind === 'stop') sendStop(at, false);
    else send(encode.lease({ ...driver, want: Want.ASK }));
    wish.next = at + { arm: ARM_REPEAT_MS, stop: STOP_REPEAT_MS, ask: ASK_REPEAT_MS }[wish.kind];
  }

  function demandNow(at) {
    const driving = isDriving();
    if (driving) pilot.settle();
    else pilot.distrust();
    const demand = pilot.step(at);
    return driving && !atBench ? demand : NEUTRAL;
  }

  /** Everything lets go and the car hears of it inside this call. */
  function neutralNow() {
    tune = null;
    if (wish?.kind === 'arm') wish = null;
    pilot.clear();
    sendDrive(NEUTRAL, now());
  }

  /** Neutral first, then the lease, all in this call. */
  function letGo() {
    neutralNow();
    if (car?.lease === lease) send(encode.lease({ ...driver, want: Want.RELEASE }));
  }

  return {
    lease,
    neutralNow,

    /** Call every 20 ms. */
    tick() {
      const at = now();
      pursueWish(at);
      const demand = demandNow(at);
      if (!visible) return;
      if (at - drivenAt >= (isDriving() ? DRIVE_MS : NEUTRAL_MS) - EARLY_MS) sendDrive(demand, at);
      if (isDriving() && at - renewedAt >= RENEW_MS) {
        renewedAt = at;
        send(encode.lease({ ...driver, want: Want.TAKE }));
      }
    },

    /** A control moved: send it now. `eventAt` is the input event's own time stamp. */
    inputChanged(eventAt) {
      const at = now();
      const demand = demandNow(at);
      const same = demand.throttle === asked.throttle && demand.steering === asked.steering;
      if (same || !isDriving()) return;
      sendDrive(demand, at);
      inputs.push(Object.freeze({ inputAt: eventAt, sentAt: at, throttle: demand.throttle, steering: demand.steering }));
      if (inputs.length > KEEP_INPUTS) inputs.shift();
    },

    arm() {
      if (!isAttentive() || wish?.kind === 'stop' || isWatching() || !mayDrive()) return;
      const at = now();
      armTimedOut = false;
      pilot.distrust();
      wish = { kind: 'arm', until: at + ARM_GIVE_UP_MS, next: at + ARM_REPEAT_MS };
      sendArm(at);
    },

    stop() {
      const at = now();
      wish = { kind: 'stop', until: Infinity, next: at + STOP_REPEAT_MS };
      armTimedOut = false;
      sendStop(at, true);
      neutralNow();
    },

    /** Give the car to whoever asks for it. */
    give: letGo,

    /** Calibrating begins or ends: from here on the controls count for nothing, or have to pass centre. */
    bench(open) {
      atBench = open;
      neutralNow();
    },

    /** One output at a pulse for as long as this is not called with null: neutral goes out inside that very call. */
    tune(next) {
      const was = tune;
      tune = atBench && next !== null && next.output !== Output.NONE ? next : null;
      if (tune !== null || was !== null) sendDrive(NEUTRAL, now());
    },

    /** A wish for the calibration: its sequence number, or null if nobody could hear it. The car takes it from its driver alone. */
    change(action, pulses) {
      const number = take();
      return link.send('stream', encode.calibration({ action, seq: number, now: now(), ...driver, pulses })) ? number : null;
    },

    /** How the driver sees; the car slows down by it. Nobody's business but the driver's. */
    report(view) {
      if (isDriving()) send(encode.view({ ...driver, ...view }));
    },

    /** Ask whoever drives to hand over. */
    ask() {
      const at = now();
      if (mayDrive() && wish?.kind !== 'stop') wish = { kind: 'ask', until: at + ASK_GIVE_UP_MS, next: at };
    },

    /** The page lost or gained the focus, went to the back or came to the front, is shown whole or magnified. */
    attend(next) {
      const had = isAttentive();
      focused = next.focused ?? focused;
      visible = next.visible ?? visible;
      whole = next.whole ?? whole;
      if (had && !isAttentive()) neutralNow();
    },

    /** The page goes away: neutral, and let somebody else drive. */
    leave: letGo,

    /** New telemetry, or null when the link is gone and nothing is known any more. */
    heard(next) {
      car = next;
      if (next === null && wish?.kind !== 'stop') wish = null;
      pursueWish(now());
      if (isDriving()) armTimedOut = false;
    },

    view: () => ({
      mayDrive: mayDrive(), driving: isDriving(), gated: isDriving() && pilot.isWaiting(), watching: isWatching(), attentive: isAttentive(), whole, moves: carMoves() && car.lease === lease,
      arming: wish?.kind === 'arm', stopping: wish?.kind === 'stop', asking: wish?.kind === 'ask',
      tuning: tune !== null && isDriving(),
      armTimedOut, asked, lease, seq, sent: { ...sent },
    }),
    inputs: () => inputs,
  };
}
