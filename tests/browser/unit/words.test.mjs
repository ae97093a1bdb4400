import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal, State } from '../../../src/spider/viewer/wire.js';
import { ANSWERS, answerSays, CAUSES, causeSays, obstaclesIn, pathWords, pictureStory, refusalsIn, STATES, story, WARNINGS, warningsIn, WHYS } from '../../../src/spider/viewer/words.js';

const MINE = 9;
const base = { began: { ageMs: 210 }, lastStop: null, mine: MINE, arming: false, armTimedOut: false, gated: false, attentive: true, linkOpen: true };
const tell = (car, more = {}) => story({ ...base, ...more, car: { cause: 0, refusals: 0, lease: MINE, ...car } });

test('every state, cause and refusal has words', () => {
  for (const state of Object.values(State)) assert.ok(STATES[state].word);
  for (let code = 0; code <= 20; code += 1) assert.ok(causeSays(code, 200).length > 5, `cause ${code}`);
  for (const [name, bit] of Object.entries(Refusal)) {
    const [refusal] = refusalsIn(bit);
    assert.ok(refusal.says && refusal.todo, name);
    assert.equal(refusal.bit, bit);
  }
});

test('causes have the numbers of the car', () => {
  assert.deepEqual(CAUSES.map(({ word }) => word), ['start', 'arm', 'drive', 'brake', 'coast', 'silence', 'stop', 'link_lost', 'legacy_age', 'disarm',
    'lease_lost', 'control_late', 'actuator_error', 'camera_down', 'encoder_down', 'recovered', 'exit', 'panic', 'control_stalled', 'calibrate']);
});

test('every answer about the calibration has a sentence, and one it does not know its number', () => {
  assert.deepEqual(Object.keys(ANSWERS).map(Number), [0, 1, 2, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
  for (const code of Object.keys(ANSWERS).slice(1)) assert.ok(answerSays(Number(code)).length > 5, code);
  assert.match(answerSays(99), /99/);
});

test('a refusal this page does not know is named by its number', () => {
  assert.match(refusalsIn(16384 | 16).at(-1).says, /16384/);
});

test('driving shows no card at all', () => {
  assert.equal(tell({ state: State.LIVE }), null);
});

test('silence is told with its time and with what to do', () => {
  const card = tell({ state: State.STOPPED, cause: 5 }, { lastStop: { cause: 5, ageMs: 204 } });
  assert.equal(card.text, 'The car has not heard from you for 0.2 s: it stopped. Press Arm to go on.');
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
    const banner = pictureStory({ status: { phase: 'waiting', why, detail: '', retryAt: 2600 }, car: null, now: 0 });
    assert.equal(banner.text, WHYS[why]);
    assert.match(banner.note, /3 s/);
  }
});

test('a good picture has no banner, a frozen one has', () => {
  const good = { status: { phase: 'open', why: '', retryAt: null }, car: { refusals: 0 }, hasStream: true, painted: 9, frozenMs: 30, quietMs: 100, now: 0 };
  assert.equal(pictureStory(good), null);
  assert.match(pictureStory({ ...good, frozenMs: 800 }).text, /0.8 s/);
  assert.match(pictureStory({ ...good, quietMs: 2000 }).title, /silent/);
  assert.match(pictureStory({ ...good, painted: 0 }).title, /No picture/);
  assert.match(pictureStory({ ...good, painted: 0, car: { refusals: Refusal.CAMERA_DOWN } }).title, /Camera/);
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
