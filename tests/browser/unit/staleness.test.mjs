import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStaleness, SOURCES } from '../../../src/spider/viewer/staleness.js';

/** Everything was heard at `at`. */
function all(at, more = []) {
  const seen = createStaleness();
  for (const source of SOURCES) if (!more.includes(source)) seen.put(source, source, at);
  return seen;
}

test('what was never heard is no claim', () => {
  const look = createStaleness().look(0);
  assert.equal(look.verdict, 'lost');
  for (const source of SOURCES) assert.deepEqual([look.now(source), look.last(source), look.ageMs(source), look.was(source)], [null, null, Infinity, false]);
});

test('a car that died takes everything it ever said along within a second', () => {
  const seen = all(1000);
  assert.equal(seen.look(1000).verdict, 'live');
  const look = seen.look(2001);
  assert.equal(look.verdict, 'lost');
  for (const source of SOURCES) assert.equal(look.now(source), null, source);
  assert.equal(look.last('car'), 'car', 'it can still be shown with its age');
  assert.equal(look.ageMs('car'), 1001);
});

test('the picture and the car grow old apart', () => {
  const seen = all(1000);
  seen.put('car', 'car', 1450);
  assert.equal(seen.look(1500).verdict, 'live');
  assert.equal(seen.look(1501).verdict, 'blind');
  assert.equal(seen.look(1501).now('figures'), null, 'rates of a picture that stands');
  seen.put('picture', 'picture', 2800);
  assert.equal(seen.look(2860).verdict, 'silent');
  assert.equal(seen.look(2860).now('board'), null, 'the battery of a silent car');
  assert.equal(seen.look(2860).now('pong'), null);
});

test('a car that reports once a second is silent after three, one that reports five times after one', () => {
  for (const [period, limit] of [[200, 1000], [1000, 3000], [50, 1000]]) {
    const seen = createStaleness();
    let at = 0;
    for (let n = 0; n < 12; n += 1) { at += period; seen.put('car', n, at); }
    assert.equal(seen.look(at + limit).now('car'), 11, `each ${period} ms`);
    assert.equal(seen.look(at + limit + 1).now('car'), null, `each ${period} ms`);
  }
});

test('a burst or an outage does not change what is usual', () => {
  const seen = createStaleness();
  let at = 0;
  for (let n = 0; n < 12; n += 1) { at += 200; seen.put('car', n, at); }
  at += 60_000;
  for (let n = 0; n < 3; n += 1) { at += 1; seen.put('car', n, at); }
  assert.equal(seen.look(at + 1001).now('car'), null);
});

test('a clock that steps back makes nothing fresh', () => {
  assert.equal(all(5000).look(4999).now('car'), null);
});

test('another link forgets what the last one said', () => {
  const seen = all(1000);
  seen.forget('car', 'board');
  const look = seen.look(1000);
  assert.deepEqual([look.now('car'), look.was('car'), look.now('board')], [null, false, null]);
});
