import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal, State } from '../../../src/spider/viewer/wire.js';
import { ANSWERS, answerSays, CAUSES, causeSays, driveWarnings, obstaclesIn, padSays, pathWords, pictureStory, pill, refusalsIn, STATES, story, WARNINGS, warningsIn, WHYS } from '../../../src/spider/viewer/words.js';

const MINE = 9;
const base = { began: { ageMs: 210 }, lastStop: null, mine: MINE, arming: false, armTimedOut: false, gated: false, attentive: true, linkOpen: true };
const tell = (car, more = {}) => story({ ...base, ...more, car: { cause: 0, refusals: 0, lease: MINE, ...car } });

test('who has a key for watching only is told so while the car stands, and sees the picture while it moves', () => {
  for (const state of [State.DISARMED, State.STOPPED]) {
    const card = tell({ state, lease: 0 }, { mayDrive: false });
    assert.match(card.text, /for watching only/);
    assert.deepEqual([card.arm, card.ask, card.give], [false, false, false]);
  }
  assert.match(tell({ state: State.DISARMED, lease: 0 }, { mayDrive: false, lacks: 'missing' }).text, /own key. Enter the car key/);
  assert.match(tell({ state: State.DISARMED, lease: 0 }, { mayDrive: false, lacks: 'wrong' }).text, /not this car’s/);
  assert.equal(tell({ state: State.LIVE, lease: 5 }, { mayDrive: false }), null);
});

test('every state, cause and refusal has words', () => {
  for (const state of Object.values(State)) assert.ok(STATES[state].word);
  for (let code = 0; code <= 21; code += 1) assert.ok(causeSays(code, 200).length > 5, `cause ${code}`);
  for (const [name, bit] of Object.entries(Refusal)) {
    const [refusal] = refusalsIn(bit);
    assert.ok(refusal.says && refusal.todo, name);
    assert.equal(refusal.bit, bit);
  }
});

test('causes have the numbers of the car', () => {
  assert.deepEqual(CAUSES.map(({ word }) => word), ['start', 'arm', 'drive', 'brake', 'coast', 'silence', 'stop', 'link_lost', 'legacy_age', 'disarm',
    'lease_lost', 'control_late', 'actuator_error', 'camera_down', 'encoder_down', 'recovered', 'exit', 'panic', 'control_stalled', 'calibrate', 'blind']);
});

test('every answer about the calibration has a sentence, and one it does not know its number', () => {
  assert.deepEqual(Object.keys(ANSWERS).map(Number), [0, 1, 2, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
  for (const code of Object.keys(ANSWERS).slice(1)) assert.ok(answerSays(Number(code)).length > 5, code);
  assert.match(answerSays(99), /99/);
});

test('a refusal this page does not know is named by its number', () => {
  assert.match(refusalsIn(32768 | 16).at(-1).says, /32768/);
});

test('driving shows no card at all', () => {
  assert.equal(tell({ state: State.LIVE }), null);
});

test('silence is told with its time and with what to do', () => {
  const card = tell({ state: State.STOPPED, cause: 5 }, { lastStop: { cause: 5, ageMs: 204, mine: true } });
  assert.equal(card.text, 'The car stopped: nothing arrived from you for 0.2\u00a0s. Press Arm to go on.');
  assert.ok(card.arm);
});

test('a car that recovered by itself still says why it had stopped', () => {
  const card = tell({ state: State.DISARMED, cause: 15 }, { lastStop: { cause: 7, ageMs: 0 } });
  assert.match(card.text, /lost its link/);
  assert.ok(card.arm);
});

test('what Arm clears, and a lease that is ours, are no obstacles', () => {
  assert.deepEqual(obstaclesIn(Refusal.STOP_LATCHED | Refusal.NO_COMMAND | Refusal.LEASE_HELD), []);
  assert.equal(obstaclesIn(Refusal.CAMERA_DOWN).length, 1);
});

test('each warning comes up alone, in words, and says what to do', () => {
  const well = { battery: 0, under_voltage: 0, throttled: 0xf0000 };
  assert.deepEqual(warningsIn(null), []);
  assert.deepEqual(warningsIn(well), [], 'what once was is no warning');
  assert.deepEqual(warningsIn({ battery: null, under_voltage: null, throttled: null }), [], 'no sensor, no warning');
  const ill = [{ battery: 2 }, { battery: 1 }, { under_voltage: 1 }, { throttled: 4 }];
  assert.equal(ill.length, WARNINGS.length);
  ill.forEach((fields, place) => assert.deepEqual(warningsIn({ ...well, ...fields }), [WARNINGS[place]]));
  for (const { says, todo, tone } of WARNINGS) assert.ok(says && todo && ['warn', 'alarm'].includes(tone));
  assert.match(warningsIn({ ...well, battery: 1 })[0].todo, /Turn back/);
});

test('what the card says already is not warned of again', () => {
  const ill = { battery: 2, under_voltage: 1, throttled: 0 };
  assert.deepEqual(warningsIn(ill, Refusal.BATTERY_LOW).map(({ says }) => says), ['The car’s computer gets too little power']);
});

test('a watcher is offered to ask, not to arm', () => {
  const card = tell({ state: State.LIVE, lease: 5 });
  assert.deepEqual([card.arm, card.ask], [false, true]);
});

test('each way a link can fail has its reason on the banner, with the wait', () => {
  for (const why of Object.keys(WHYS)) {
    const banner = pictureStory({ status: { phase: 'waiting', why, detail: '', retryAt: 2600 }, car: null, stopping: false, now: 0 });
    assert.equal(banner.text, WHYS[why]);
    assert.match(banner.note, /3 s/);
  }
});

const news = {
  status: { phase: 'open', why: '', retryAt: null }, car: { refusals: 0, state: State.LIVE, lease: MINE, cause: 2, limit: 1000 }, known: true, verdict: 'live', carMs: 100, pictureMs: 30,
  hasStream: true, painted: 9, held: false, stopping: false, stopSent: false, aliveMs: 0, now: 0, calibrating: false, helm: { lease: MINE, attentive: true, driving: true, stopping: false, watching: false },
};
const old = { ...news, car: null, verdict: 'lost', carMs: 3000, pictureMs: 3000, aliveMs: Infinity };

test('a good picture has no banner, a frozen one has', () => {
  assert.equal(pictureStory(news), null);
  assert.match(pictureStory({ ...news, verdict: 'blind', pictureMs: 800 }).text, /0.8\u00a0s/);
  assert.match(pictureStory({ ...news, car: null, verdict: 'silent', carMs: 2000 }).title, /No reports/);
  assert.match(pictureStory({ ...news, verdict: 'blind', painted: 0 }).title, /No picture/);
  assert.match(pictureStory({ ...news, verdict: 'blind', painted: 0, car: { refusals: Refusal.CAMERA_DOWN } }).title, /Camera/);
  assert.match(pictureStory({ ...news, verdict: 'blind', held: true }).title, /Tap/);
  assert.match(pictureStory(old).text, /^Nothing heard for 3\u00a0s\. The car stops on its own/);
  assert.match(pictureStory({ ...old, aliveMs: 900 }).text, /the server answers/);
  assert.match(pictureStory({ ...old, known: false }).title, /Waiting for the car/);
});

test('green is a promise: only news of the car and of its picture give it', () => {
  assert.deepEqual(pill(news), { word: 'Live', tone: 'calm', note: 'you are driving' });
  assert.equal(pill({ ...news, verdict: 'blind' }).tone, 'warn');
  const gone = pill(old);
  assert.deepEqual([gone.word, gone.tone], ['No contact', 'warn']);
  assert.match(gone.note, /3\u00a0s ago/);
  assert.equal(story({ ...base, car: null, lateness: { late: false } }), null, 'no card says what a silent car would let us do');
  for (const verdict of ['silent', 'lost']) assert.notEqual(pill({ ...news, car: null, verdict }).tone, 'calm', verdict);
});

test('Stop on a dead link says whether it left, and that it is not confirmed', () => {
  const stop = { stopping: true, helm: { ...news.helm, stopping: true } };
  assert.deepEqual([pill({ ...old, ...stop }).tone, pill({ ...old, ...stop }).note], ['alarm', 'not confirmed']);
  assert.match(pictureStory({ ...old, ...stop, stopSent: true }).text, /was sent, but the car has not answered/);
  const down = { phase: 'waiting', why: 'silent', detail: '', retryAt: 900 };
  assert.match(pictureStory({ ...old, ...stop, status: down }).title, /not confirmed/);
  assert.match(pictureStory({ ...old, ...stop, status: down }).text, /could not be sent/);
  assert.match(pictureStory({ ...old, ...stop, status: down }).note, /Trying again/);
});

test('who comes later does not read about himself what the last driver did', () => {
  const stop = { cause: 5, ageMs: 2000 };
  const stopped = { state: State.STOPPED, cause: 5, lease: 0 };
  assert.match(tell(stopped, { lastStop: { ...stop, mine: false } }).text, /from its driver for 2/);
  assert.match(tell(stopped, { lastStop: { ...stop, mine: true } }).text, /from you for 2/);
});

test('someone who holds a car that stands is not driving, and a request that nobody answers is told', () => {
  assert.match(tell({ state: State.LIVE, lease: 5 }).title, /is driving/);
  for (const state of [State.DISARMED, State.STOPPED]) assert.doesNotMatch(tell({ state, lease: 5 }).title, /is driving/);
  assert.match(tell({ state: State.DISARMED, lease: 5 }, { unanswered: true }).text, /No answer/);
  assert.match(tell({ state: State.LIVE, lease: 5 }, { asking: true }).text, /Request sent/);
});

test('a car that finds all commands late says what it waits for', () => {
  const card = tell({ state: State.DISARMED }, { lateness: { late: true, leftMs: 3400 } });
  assert.equal(card.title, 'Not ready');
  assert.match(card.text, /late.*learning.*for 3\u00a0s/);
});

test('a limit that the car sets, and a screen that may go dark, are warnings on every screen', () => {
  const limited = driveWarnings({ ...news, car: { ...news.car, limit: 450 }, awake: '', dims: true });
  assert.match(limited[0].says, /45 %/);
  assert.deepEqual(driveWarnings({ ...news, awake: '', dims: true }), []);
  for (const awake of ['insecure', 'missing', 'refused']) {
    assert.match(driveWarnings({ ...news, awake, dims: true })[0].says, /screen may go dark/);
    assert.deepEqual(driveWarnings({ ...news, awake, dims: false }), [], 'a desk');
  }
  assert.match(driveWarnings({ ...news, awake: 'insecure', dims: true })[0].todo, /https/);
});

test('a driver who is asked for control can hand it over, and only he', () => {
  const asked = { state: 1, cause: 2, asker: 9 };
  const card = tell({ ...asked, lease: MINE }, { attentive: true });
  assert.ok(card.give && !card.arm, 'the driver');
  assert.equal(tell({ ...asked, lease: 77 }).give, false, 'a watcher');
  assert.equal(tell({ ...asked, asker: 0, lease: MINE }, { attentive: true }), null, 'nobody asks');
});

test('who was given the car is told so, and can arm it', () => {
  const card = tell({ state: 0, cause: 9, lease: MINE, asker: 0 }, { began: { state: 0, cause: 9, ageMs: 0 } });
  assert.match(card.title, /yours/);
  assert.ok(card.arm);
});

test('what the car shows and how is one phrase', () => {
  const path = { shows: 1, camera: 0, hardware: 1, rung: 0 };
  assert.equal(pathWords(path), 'front camera, coded by hardware');
  assert.equal(pathWords({ ...path, camera: 1, hardware: 0, rung: 2 }), 'rear camera, coded by the processor, half the size and rate');
  assert.equal(pathWords({ ...path, shows: 0 }), 'nothing');
  assert.equal(pathWords({ ...path, shows: 2 }), 'why there is no picture');
});

test('a page that is magnified says how to get out of it, whatever the car does', () => {
  for (const state of [State.DISARMED, State.LIVE, State.STOPPED]) {
    const card = tell({ state, lease: state === State.LIVE ? MINE : 0 }, { attentive: false, whole: false });
    assert.match(`${card.title} ${card.text}`, /magnified.*two fingers/);
    assert.ok(!card.arm);
  }
});

test('a gamepad that does not count says why, and one that cannot be used is named while nobody drives', () => {
  assert.equal(padSays(), '');
  assert.match(padSays({ padWaits: true }, true), /not at its centre/);
  assert.match(padSays({ unknownPad: 'Odd Wheel' }), /Odd Wheel/);
  assert.equal(padSays({ unknownPad: 'Odd Wheel' }, true), '');
});
