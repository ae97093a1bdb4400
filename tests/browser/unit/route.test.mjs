import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRoute } from '../../../src/spider/viewer/route.js';

/** A page that pings `count` times; `answers(label, n)` says which come back, in order. */
function run(route, count, answers, first = 0) {
  for (let n = first; n < first + count; n += 1) {
    const labels = route.labels(true);
    for (const label of labels) route.sent(`${label} ${n}`, label);
    for (const label of labels) if (answers(label, n)) route.answered(`${label} ${n}`);
  }
}

test('a relay that drops what is said on drive is found out, and commands take stream', () => {
  const route = createRoute();
  run(route, 5, (label) => label === 'stream');
  assert.equal(route.trusts(), false);
});

test('drive is trusted again with its first answer', () => {
  const route = createRoute();
  run(route, 5, (label) => label === 'stream');
  run(route, 1, () => true, 5);
  assert.equal(route.trusts(), true);
});

test('a car that answers nobody says nothing against drive', () => {
  const route = createRoute();
  run(route, 50, () => false);
  assert.equal(route.trusts(), true);
});

test('three lost pings are loss', () => {
  const route = createRoute();
  run(route, 400, (label, n) => label === 'stream' || n % 4 === 3);
  assert.equal(route.trusts(), true);
});

test('while drive is answered nothing else is asked', () => {
  const route = createRoute();
  run(route, 20, () => true);
  assert.deepEqual(route.labels(true), ['drive']);
  assert.deepEqual(route.labels(false), ['stream'], 'a channel that is not open');
});

test('answers that come late, in order, change nothing', () => {
  const route = createRoute();
  const ids = [];
  for (let n = 0; n < 8; n += 1) {
    for (const label of route.labels(true)) { route.sent(`${label} ${n}`, label); ids.push(`${label} ${n}`); }
  }
  for (const id of ids) { route.answered(id); assert.equal(route.trusts(), true, id); }
});
