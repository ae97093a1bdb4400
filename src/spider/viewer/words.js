// What the codes mean, in words a driver understands: what happened, and what to do now.
//
// A refusal nobody can read is a car nobody can start. Every state, cause, refusal bit and link phase of the
// wire has its sentence here and nowhere else; a test walks all of them.
//
// Promises: pure; an unknown code gets an honest sentence with the number, never an empty box.

import { FULL, Refusal, State } from './wire.js';

/** The one word on the state pill, and its tone: calm, ready, warn, alarm. */
export const STATES = Object.freeze({
  [State.DISARMED]: { word: 'Disarmed', tone: 'ready' },
  [State.LIVE]: { word: 'Live', tone: 'calm' },
  [State.COASTING]: { word: 'Coasting', tone: 'warn' },
  [State.STOPPED]: { word: 'Stopped', tone: 'alarm' },
});

/** Refusal bits: what forbids arming, and what the driver can do about it. Order = what to look at first. */
export const REFUSALS = Object.freeze([
  { bit: Refusal.ACTUATOR_FAULT, says: 'Motor or servo output fails', todo: 'Check the wiring and the power of the driver board.' },
  { bit: Refusal.CONTROL_LATE, says: 'The car’s computer is too slow', todo: 'Something else keeps it busy; it will go on by itself.' },
  { bit: Refusal.CAMERA_DOWN, says: 'Camera is down', todo: 'Check the ribbon cable; the car keeps trying.' },
  { bit: Refusal.ENCODER_DOWN, says: 'Video encoder is down', todo: 'The car is restarting it.' },
  { bit: Refusal.NO_PICTURE, says: 'Your picture is too old to drive by', todo: 'Wait until it moves again.' },
  { bit: Refusal.ESC_ARMING, says: 'The motor controller is waking up', todo: 'It wants to see neutral for a moment.' },
  { bit: Refusal.UNCALIBRATED, says: 'The car is not calibrated', todo: 'Whoever stands at it runs `spidercar calibrate` there.' },
  { bit: Refusal.BATTERY_LOW, says: 'The battery is low', todo: 'Charge or change it before you drive.' },
  { bit: Refusal.BOARD_HOT, says: 'The car’s computer is hot', todo: 'Let it cool down for a few minutes.' },
  { bit: Refusal.LEASE_HELD, says: 'Someone else is driving', todo: 'Ask for control, or wait. Stop works for you too.' },
  { bit: Refusal.LINK_DOWN, says: 'The car has lost its link', todo: 'It is reconnecting.' },
  { bit: Refusal.NO_PICTURE, says: 'Your picture is too old', todo: 'Wait until it moves again.' },
  { bit: Refusal.RECOVERING, says: 'Not well for long enough', todo: 'A moment, then press Arm.' },
  { bit: Refusal.NOT_NEUTRAL, says: 'Controls are not at centre', todo: 'Let go of the controls first.' },
  { bit: Refusal.NO_COMMAND, says: 'The car hears no driver', todo: 'Keep this page in front.' },
  { bit: Refusal.STOP_LATCHED, says: 'Stop was pressed', todo: 'Press Arm when it is safe to go on.' },
]);

// No obstacles to pressing Arm: it clears a latched stop and brings its own command; a lease held by us is ours, and one held
// by somebody else has its own card.
const ARM_CLEARS = Refusal.STOP_LATCHED | Refusal.NO_COMMAND | Refusal.LEASE_HELD;

/** The refusals in a bit set, most important first. Bits we do not know are named by number. */
export function refusalsIn(bits) {
  const known = REFUSALS.filter((refusal) => bits & refusal.bit);
  const rest = REFUSALS.reduce((left, refusal) => left & ~refusal.bit, bits);
  return rest === 0 ? known : [...known, { bit: rest, says: `Refused for reason ${rest}`, todo: 'This page is older than the car.' }];
}

/** Refusals that pressing Arm does not clear by itself. */
export const obstaclesIn = (bits) => refusalsIn(bits & ~ARM_CLEARS);

/** The firmware's bit for a clock that is held down. spec: EXTENSION.md, `throttled`. */
const SLOWED_DOWN = 4;

/**
 * Warnings: nothing is forbidden yet (or it is, by `refusal`), but whoever drives has to know. Order = what to act on first.
 * `when` gets the `board` message.
 */
export const WARNINGS = Object.freeze([
  { tone: 'alarm', refusal: Refusal.BATTERY_LOW, when: ({ battery }) => battery === 2, says: 'The battery is nearly empty', todo: 'Stop now.' },
  { tone: 'warn', refusal: 0, when: ({ battery }) => battery === 1, says: 'The battery is getting low', todo: 'Turn back.' },
  { tone: 'warn', refusal: 0, when: ({ under_voltage: weak }) => weak === 1, says: 'The car’s computer gets too little power', todo: 'It may switch off at any time.' },
  { tone: 'warn', refusal: Refusal.BOARD_HOT, when: ({ throttled }) => (throttled & SLOWED_DOWN) !== 0, says: 'The car’s computer is slowed down by heat', todo: 'The picture may stutter.' },
]);

/** The warnings of a `board`, but for those that a card says already because they forbid arming. */
export function warningsIn(board, refusalsOnCard = 0) {
  return board === null ? [] : WARNINGS.filter(({ when, refusal }) => when(board) && (refusal & refusalsOnCard) === 0);
}

const EYES = ['front camera', 'rear camera'];
const RUNGS = ['', 'half the size', 'half the size and rate'];

/** What the car shows and how, in words. `path` is the `video` message. */
export function pathWords({ shows, camera, hardware, rung }) {
  if (shows === 0) return 'nothing';
  if (shows === 2) return 'why there is no picture';
  const who = hardware === 1 ? 'coded by hardware' : 'coded by the processor';
  return [EYES[camera] ?? '–', who, RUNGS[rung] ?? '–'].filter(Boolean).join(', ');
}

/** spec: `Cause::Disarm`. */
const DISARM = 9;

/** With a no-break space: a number and its unit stay on one line. */
const seconds = (ms) => (Number.isFinite(ms) ? `${(ms / 1000).toFixed(ms < 950 ? 1 : 0)}\u00a0s` : 'some time');
const AGAIN = 'Press Arm to go on.';

/** Causes by wire code. spec: `Cause::code`. `says` gets the age of the last good command when the state began, and whether
 * it was ours: who comes later must not read that about himself. */
export const CAUSES = Object.freeze([
  { word: 'start', says: () => 'The car has just started.' },
  { word: 'arm', says: () => 'Armed.' },
  { word: 'drive', says: () => 'Driving.' },
  { word: 'brake', says: () => 'Braking before reverse.' },
  { word: 'coast', says: (age, mine = true) => `No signal from ${mine ? 'you' : 'the driver'} for ${seconds(age)}: slowing down.` },
  { word: 'silence', says: (age, mine = true) => `The car stopped: nothing arrived from ${mine ? 'you' : 'its driver'} for ${seconds(age)}.` },
  { word: 'stop', says: () => 'Stop was pressed. The car stays stopped.' },
  { word: 'link_lost', says: () => 'The car lost its link and stopped.' },
  { word: 'legacy_age', says: () => 'The old remote went quiet: the car stopped.' },
  { word: 'disarm', says: () => 'The driver let go of the car.' },
  { word: 'lease_lost', says: () => 'The driver lost control of the car: it stopped.' },
  { word: 'control_late', says: () => 'The car’s computer was too slow to be safe: it stopped.' },
  { word: 'actuator_error', says: () => 'The motor or servo output failed: the car stopped.' },
  { word: 'camera_down', says: () => 'The camera failed: the car stopped.' },
  { word: 'encoder_down', says: () => 'The video encoder failed: the car stopped.' },
  { word: 'recovered', says: () => 'All is well again.' },
  { word: 'exit', says: () => 'The car’s program is shutting down.' },
  { word: 'panic', says: () => 'The car’s program failed and stopped the car.' },
  { word: 'control_stalled', says: () => 'The car’s computer stood still: its guard stopped the car.' },
  { word: 'calibrate', says: () => 'The car is being calibrated.' },
  { word: 'blind', says: (age, mine = true) => `The car stopped: ${mine ? 'your' : 'its driver’s'} picture was too old to drive by.` },
]);

export const causeWord = (code) => CAUSES[code]?.word ?? `cause ${code}`;
export const causeSays = (code, ageMs, mine) => CAUSES[code]?.says(ageMs, mine) ?? `The car gives reason ${code}, which this page does not know.`;

/** What became of the last wish to change the calibration. spec: `Answer::code`. */
export const ANSWERS = Object.freeze({
  0: '', 1: 'Saved.', 2: 'Back to the pulses of the configuration.',
  16: 'This car is calibrated in its own terminal only.',
  17: 'Each pulse must be from 500 to 2500 µs.',
  18: 'A pulse is too far from what is saved now. Go there in two savings.',
  19: 'Full reverse must be shorter than standing still.',
  20: 'The first forward pulse must not be shorter than standing still.',
  21: 'The first forward pulse must be shorter than full forward.',
  22: 'The brake pulse must be from full reverse to standing still.',
  23: 'The short end of the steering must be shorter than straight ahead.',
  24: 'Straight ahead must be shorter than the long end of the steering.',
});
export const answerSays = (code) => ANSWERS[code] ?? `The car gives answer ${code}, which this page does not know.`;

/** Where a calibration is kept. spec: `calibration.stored`. */
export const STORED = Object.freeze({
  0: 'It lasts until the car is switched off: the car has no file for it (drive.state_file).',
  1: 'On its way to the car’s card…',
  2: 'It is safe on the car’s card.',
  3: 'The car’s card cannot be written: it lasts until the car is switched off.',
});

/** What the link is doing, by phase of link.js. */
export const PHASES = Object.freeze({
  idle: { word: 'Starting', says: 'Starting…' },
  finding: { word: 'Looking', says: 'Looking for a car…' },
  signalling: { word: 'Calling', says: 'Calling the Spider…' },
  offering: { word: 'Calling', says: 'Asking for the car…' },
  connecting: { word: 'Connecting', says: 'Connecting…' },
  open: { word: 'Connected', says: 'Connected.' },
  waiting: { word: 'Waiting', says: 'Waiting to try again…' },
});

/** Why the last attempt ended, by `why` of link.js. */
export const WHYS = Object.freeze({
  offline: 'This device has no network.',
  no_channel: 'No car is online. Is it switched on?',
  unreachable: 'The Spider does not answer. Is it running, and is this the right address?',
  refused: 'The Spider refused. It may want a driver key, or the channel is wrong.',
  full: 'This channel is full: too many are watching. A place may become free; one is kept for whoever drives.',
  taken: 'This channel is full, and somebody has the driver’s place. It becomes free when they leave.',
  bad_channel: 'The address names no channel: an id has 20 characters, 0 to 9 and a to v.',
  no_answer: 'The Spider took the call but gave no answer.',
  no_path: 'No network path to the car’s video. A firewall may block UDP.',
  no_path_here: 'Firefox finds no path to its own computer while that has no network. Connect to one, or use Chromium.',
  closed: 'The connection was closed.',
  silent: 'Nothing arrived any more.',
  no_car: 'Server reached, car offline. Is it switched on?',
  error: 'The Spider reports an error.',
});

/** Warnings about the drive itself, in the shape of WARNINGS. `car` is fresh or null; `awake` is the trouble of awake.js. */
const AWAKE = Object.freeze({
  insecure: 'This page came over plain http, which cannot keep it on. Open it with https.',
  missing: 'This browser cannot keep it on.',
  refused: 'The browser does not keep it on. Is the battery low?',
});

export function driveWarnings({ car, helm, awake, dims }) {
  const moving = car !== null && helm.driving;
  const limited = moving && car.limit < FULL;
  const dark = AWAKE[awake] !== undefined && dims;
  return [
    limited && { tone: 'warn', says: `Limited to ${Math.round((car.limit * 100) / FULL)} %`, todo: 'The connection or the picture is slow.' },
    dark && { tone: 'warn', says: 'The screen may go dark while you drive, and the car then stops', todo: AWAKE[awake] },
  ].filter(Boolean);
}

/**
 * The state pill: one word, its tone, a note. `car` is telemetry that is fresh, or null; `known` says whether there ever was
 * any on this link; `verdict` is that of staleness.js.
 */
export function pill({ status, car, known, verdict, carMs, helm, calibrating }) {
  const unsure = status.phase !== 'open' || car === null;
  if (helm.stopping) return { word: unsure ? 'Stop' : STATES[car.state].word, tone: 'alarm', note: unsure ? 'not confirmed' : 'stopping…' };
  if (status.phase !== 'open' || !known) return { word: PHASES[status.phase].word, tone: 'ready', note: '' };
  if (car === null) return { word: 'No contact', tone: 'warn', note: `last heard ${seconds(carMs)} ago` };
  const { word, tone } = STATES[car.state];
  if (helm.watching || helm.mayDrive === false) return { word, tone, note: 'you are watching' };
  if (car.state !== State.LIVE || car.lease !== helm.lease) return { word, tone, note: '' };
  if (!helm.attentive) return { word, tone, note: 'paused' };
  if (calibrating) return { word, tone, note: 'calibrating' };
  // Green is a promise about the car and about what its driver sees.
  if (verdict !== 'live') return { word, tone: 'warn', note: 'no new picture' };
  return { word, tone, note: 'you are driving' };
}

/** Why somebody who may watch may not drive. spec: `lacks()` of seal.js. */
const LACKS = Object.freeze({
  missing: 'This car obeys only who has its own key. Enter the car key under Details.',
  wrong: 'The car key of this page is not this car’s. Enter the right one under Details.',
});

/**
 * The centre card, or null when there is nothing to say, which is how it should be while driving.
 * `began.ageMs` is the age of the last good command when the state began; `lastStop` is {cause, ageMs} of the last stop
 * since the car was live, or null: a car that recovers by itself is disarmed within a moment, and the driver still has
 * to read why it stopped; both say whether it was ours then. `mine` is our lease, `car` is fresh or null, `lateness` is that of
 * lateness.js. Who may not drive (`mayDrive`), because of the Spider's key or the car's (`lacks`), is told so while the
 * car stands, and sees the picture while it moves.
 */
export function story({ car, began, lastStop, mine, arming, armTimedOut, asking, unanswered, gated, attentive, whole = true, mayDrive = true, lacks = '', linkOpen, lateness }) {
  if (!linkOpen || !car) return null;
  const moving = car.state === State.LIVE || car.state === State.COASTING;
  const card = (tone, title, text, more) => ({ tone, title, text, arm: false, quiet: false, ask: false, give: false, obstacles: [], ...more });

  if (!mayDrive) {
    if (moving) return null;
    const why = lastStop ? causeSays(lastStop.cause, lastStop.ageMs, lastStop.mine) : 'The car is parked.';
    return card('ready', 'You are watching', `${why} ${LACKS[lacks] ?? 'Your key is for watching only.'}`);
  }
  if (car.lease !== 0 && car.lease !== mine) {
    const asked = asking ? 'Request sent. The driver has to accept it.' : unanswered && 'No answer to your request. Ask again?';
    // Whoever holds a car that stands is not driving.
    if (moving) return card('warn', 'Someone else is driving', asked || 'You are watching. You can press Stop, too.', { ask: true });
    const why = lastStop ? causeSays(lastStop.cause, lastStop.ageMs, lastStop.mine) : 'The car is parked.';
    if (car.state !== State.STOPPED) return card('warn', 'Someone else has the controls', `${why} ${asked || 'You are watching.'}`, { ask: true });
    return card('alarm', 'Stopped', `${why} ${asked || 'Someone else has the controls.'}`, { ask: true });
  }
  if (moving && car.lease !== mine) {
    return card('warn', 'The old remote is driving', 'You are watching. You can press Stop, too.');
  }
  if (!whole) return card('warn', 'The page is magnified', 'Make it small again with two fingers: the car waits until all of it is on the screen.');
  if (moving && !attentive) return card('warn', 'Paused', 'Click the picture to take the wheel again.');
  if (moving && gated) return card('warn', 'Let go of the controls', 'The car waits for centre before it obeys.');
  const give = car.asker > 0 && car.lease === mine;
  if (car.state === State.LIVE && give) {
    return card('ready', 'Someone asks for control', 'Hand it over and the car stops; then they can arm it.', { give: true });
  }
  if (car.state === State.LIVE) return null;
  if (car.state === State.COASTING) return card('warn', 'Coasting', causeSays(car.cause, began.ageMs, began.mine));

  const stopped = car.state === State.STOPPED;
  const obstacles = obstaclesIn(car.refusals);
  if (car.lease === mine && !stopped && !lastStop && began.cause === DISARM) return card('ready', 'The car is yours', 'It was handed over to you. Press Arm to drive.', { arm: true, obstacles });
  const why = lastStop ? causeSays(lastStop.cause, lastStop.ageMs, lastStop.mine) : '';
  let next = lastStop ? AGAIN : 'Press Arm to drive.';
  if (obstacles.length > 0) next = 'It cannot be armed yet:';
  if (armTimedOut) next = 'The car did not arm. Try again.';
  if (arming) next = 'Arming…';
  if (lateness?.late) {
    const left = lateness.leftMs > 0 ? seconds(Math.max(1000, lateness.leftMs)) : 'a moment';
    next = `Your commands reach the car late, so it ignores them. It is learning your connection anew: leave the controls alone for ${left}.`;
  }
  const title = stopped ? 'Stopped' : obstacles.length > 0 || lateness?.late ? 'Not ready' : 'Ready to drive';
  return card(stopped ? 'alarm' : 'ready', title, `${why} ${next}`.trim(), { arm: true, quiet: obstacles.length > 0 || lateness?.late === true, give, obstacles });
}

/** What is to be said of a gamepad, or ''. `unknownPad` is the name of one whose layout the browser does not know. */
export function padSays({ unknownPad = '', padWaits = false } = {}, driving = false) {
  if (padWaits) return 'The gamepad is not at its centre. It counts once you let go of it; keys and touch work.';
  if (unknownPad === '' || driving) return '';
  return `This browser does not know the layout of the gamepad “${unknownPad.slice(0, 40)}”, so it cannot drive. Switch it to XInput mode or try another browser.`;
}

/** The server answers ICE's checks each 2.5 s. choice: two of them. */
const SERVER_MS = 6000;

/** Stop was pressed and nothing shows that the car knows. `sent`: it left this page. */
const stopSays = (sent) => `${sent ? 'It was sent, but the car has not answered.' : 'It could not be sent: there is no connection.'} `
  + 'Without your signal the car stops on its own. Stop is sent again as soon as it can be.';

/**
 * The banner over the picture: why there is none, or none to trust; null when all is news. `car` is fresh or null, `known` and
 * `verdict` as in `pill`; `carMs` and `pictureMs` are the ages of the last telemetry and frame, `age` that of picture_age.js. `held`: the browser does not
 * play the video before a touch. `aliveMs`: since anything arrived, from the server at least.
 */
export function pictureStory({ status, car, known, verdict, carMs, pictureMs, age, hasStream, painted, held, stopping, stopSent, aliveMs, now }) {
  if (status.phase !== 'open') {
    const phase = PHASES[status.phase];
    const why = status.why ? [WHYS[status.why], status.detail && `“${status.detail}”`].filter(Boolean).join(' ') : '';
    const wait = status.retryAt === null ? phase.says : `Trying again in ${Math.max(0, Math.ceil((status.retryAt - now) / 1000))} s.`;
    const link = { kind: 'link', busy: status.phase !== 'waiting', askKey: status.why === 'refused', take: ['full', 'taken'].includes(status.why), note: why ? wait : '' };
    if (stopping) return { ...link, title: 'Stop is not confirmed', text: stopSays(stopSent) };
    return { ...link, title: why ? 'No connection' : phase.word, text: why || phase.says };
  }
  const banner = (title, text) => ({ kind: 'picture', busy: true, askKey: false, title, text, note: '' });
  const isOld = verdict === 'blind' || verdict === 'lost';
  if (stopping && car === null) return banner('Stop is not confirmed', stopSays(stopSent));
  const camera = car && refusalsIn(car.refusals & (Refusal.CAMERA_DOWN | Refusal.ENCODER_DOWN))[0];
  if (camera && isOld) return banner(camera.says, camera.todo);
  if (!known) return banner('Waiting for the car', 'Server reached; the car is not there yet.');
  if (held && isOld) return banner('Tap to start the picture', 'This browser plays no video before you touch the page.');
  if (verdict === 'lost') return banner('Lost contact', `Nothing heard for ${seconds(carMs)}${aliveMs < SERVER_MS ? ', though the server answers' : ''}. The car stops on its own.`);
  if (painted === 0) return banner('No picture yet', hasStream ? 'Waiting for the first frame.' : 'No video from the car yet.');
  if (verdict === 'blind') return banner('Picture frozen', `This picture is ${seconds(Math.max(pictureMs, age?.ms ?? 0))} old. Don’t rely on it.`);
  if (verdict === 'silent') return banner('No reports from the car', `The picture is live, but the last report came ${seconds(carMs)} ago.`);
  return null;
}
