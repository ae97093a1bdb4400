import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClock } from '../../../src/spider/viewer/clock.js';

const OFFSET_MS = 7_654_321;
/** Add one exchange: `out` and `back` are the true one-way delays, ms. */
const exchange = (clock, at, out, back) => clock.add(at, at + out + back, (at + out + OFFSET_MS) * 1000);
const errorOf = (clock, at = 1000) => Math.abs(clock.toLocalMs((at + OFFSET_MS) * 1000) - at);

test('an even path gives the exact offset', () => {
  const clock = createClock();
  exchange(clock, 100, 20, 20);
  assert.ok(errorOf(clock) < 1e-6);
  assert.equal(clock.errorMs(), 20);
});

test('before the first pong there is no answer', () => {
  assert.equal(createClock().toLocalMs(5), null);
  assert.equal(createClock().errorMs(), Infinity);
});

test('the shortest round trip wins over newer, slower ones', () => {
  const clock = createClock();
  exchange(clock, 0, 2, 2);
  exchange(clock, 500, 300, 4);
  exchange(clock, 900, 4, 500);
  assert.ok(errorOf(clock) < 0.1);
  assert.equal(clock.rttMs(), 504);
});

test('the error is never more than half the best round trip', () => {
  for (let out = 0; out <= 50; out += 1) {
    const clock = createClock();
    exchange(clock, 0, out, 50 - out);
    assert.ok(errorOf(clock) <= clock.errorMs() + 1e-9, `one way ${out} ms of 50`);
  }
});

test('a drifting crystal is followed', () => {
  const clock = createClock();
  const drift = 40e-6;
  for (let at = 0; at <= 600_000; at += 1000) clock.add(at, at + 10, ((at + 5) * (1 + drift) + OFFSET_MS) * 1000);
  const local = clock.toLocalMs((600_000 * (1 + drift) + OFFSET_MS) * 1000);
  assert.ok(Math.abs(local - 600_000) < 2, `off by ${local - 600_000} ms`);
});

test('nonsense is dropped', () => {
  const clock = createClock();
  clock.add(10, 5, 1);
  clock.add(0, 3000, 1);
  clock.add(0, 1, NaN);
  assert.equal(clock.toLocalMs(1), null);
});

test('a reset forgets the old car', () => {
  const clock = createClock();
  exchange(clock, 0, 1, 1);
  clock.reset();
  assert.equal(clock.toLocalMs(1), null);
});
