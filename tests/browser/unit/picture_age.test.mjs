import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClock } from '../../../src/spider/viewer/clock.js';
import { createPictureAge } from '../../../src/spider/viewer/picture_age.js';

const OFFSET_MS = 7_654_321;
const none = { rttMs: NaN, carMs: NaN };
const near = (found, wanted, within = 1) => assert.ok(Math.abs(found - wanted) <= within, `${found}, not ${wanted}`);

/** A page whose clock is known; `wayMs` is capture to arrival, `paintMs` arrival to screen. */
function rig({ known = true, shift = 0 } = {}) {
  const clock = createClock();
  if (known) clock.add(0, 10, (5 + OFFSET_MS) * 1000);
  const age = createPictureAge(clock);
  const rtp = (capturedAt) => Math.floor((capturedAt + OFFSET_MS + shift) * 90) % 2 ** 32;
  return {
    clock, age,
    frame(shownAt, wayMs, paintMs, more = {}) {
      age.frame({ at: shownAt, shownAt, receivedAt: shownAt - paintMs, rtpTimestamp: rtp(shownAt - paintMs - wayMs), ...more });
    },
  };
}

test('without a frame nothing is known, and that is as bad as can be', () => {
  assert.deepEqual(rig().age.age(1000, none), { ms: Infinity, how: 'none' });
});

test('a stamp is the age, and a picture that stands grows older by the clock', () => {
  const { age, frame } = rig();
  frame(1000, 30, 15);
  age.stamp(1000, 45);
  assert.deepEqual(age.age(1000, none), { ms: 45, how: 'stamp' });
  assert.equal(age.age(2500, none).ms, 1545, 'a stalled video, a paused element, a hidden tab, a stuck decoder');
});

test('old stamps date no new frames', () => {
  const { age, frame } = rig({ known: false });
  frame(1000, 30, 15);
  age.stamp(1000, 45);
  frame(2100, 30, 15);
  assert.notEqual(age.age(2100, none).how, 'stamp');
});

test('a camera without a stamp is dated by its RTP time, the jitter buffer and the queue included', () => {
  for (const [wayMs, paintMs] of [[30, 15], [30, 415], [700, 15]]) {
    const { age, frame } = rig();
    frame(60_000, wayMs, paintMs);
    const { ms, how } = age.age(60_100, none);
    near(ms, wayMs + paintMs + 100);
    assert.equal(how, 'rtp');
  }
});

test('the RTP time wraps', () => {
  const { age, frame } = rig();
  const wrap = 2 ** 32 / 90 - (OFFSET_MS % (2 ** 32 / 90));
  for (const at of [wrap - 1, wrap, wrap + 20]) {
    frame(at, 30, 15);
    near(age.age(at, none).ms, 45);
  }
});

test('a relay that shifts the RTP time leaves an estimate of all that is known', () => {
  const { age, frame } = rig({ shift: 5_000_000 });
  for (let at = 1000; at < 2000; at += 33) frame(at, 30, 15);
  const { ms, how } = age.age(2023, { rttMs: 40, carMs: 14 });
  assert.equal(how, 'estimate');
  near(ms, 14 + 20 + 15 + (2023 - 1990), 2);
});

test('a queue that grows shows in the estimate, however the relay shifts', () => {
  const { age, frame } = rig({ known: false, shift: 5_000_000 });
  for (let at = 1000; at < 2000; at += 33) frame(at, 30, 15);
  frame(2000, 830, 15);
  near(age.age(2000, { rttMs: 40, carMs: 14 }).ms, 14 + 20 + 15 + 800, 2);
});

test('two crystals do not make a picture old in an hour', () => {
  const { age, frame } = rig({ known: false, shift: 5_000_000 });
  let at = 1000;
  for (let n = 0; n < 108_000; n += 30) { at += 1000; frame(at, 30 + at * 200e-6, 15); }
  near(age.age(at, none).ms, 15, 2);
});

test('a source that begins again is no queue', () => {
  const { age, frame } = rig({ known: false });
  frame(1000, 30, 15);
  frame(1033, 90_000, 15);
  near(age.age(1033, none).ms, 15);
});

test('a browser that tells neither arrival nor RTP time still tells a picture that stands', () => {
  const { age } = rig();
  age.frame({ at: 1000, shownAt: 1000, receivedAt: undefined, rtpTimestamp: undefined });
  assert.deepEqual(age.age(1700, none), { ms: 700, how: 'least' });
  assert.equal(age.age(1700, { rttMs: 200, carMs: 50 }).ms, 850);
});
