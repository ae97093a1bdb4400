import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLateness } from '../../../src/spider/viewer/lateness.js';

/** Telemetry five times a second from `from` to `to`, with these counts a second. */
function tell(lateness, from, to, { late = 0, accepted = 0 }, car = { late: 0, accepted: 0 }) {
  for (let at = from; at <= to; at += 200) {
    car.late += late / 5;
    car.accepted += accepted / 5;
    lateness.heard({ ...car }, at);
  }
  return car;
}

test('a car that takes our commands is well', () => {
  const lateness = createLateness();
  tell(lateness, 0, 10_000, { accepted: 20 });
  assert.deepEqual(lateness.view(10_000), { late: false, leftMs: 0 });
});

test('commands that all come late are told within a second, with the time that is left', () => {
  const lateness = createLateness();
  const car = tell(lateness, 0, 5000, { accepted: 20 });
  tell(lateness, 5200, 7000, { late: 20 }, car);
  const { late, leftMs } = lateness.view(7000);
  assert.equal(late, true);
  assert.ok(leftMs > 2000 && leftMs < 5000, leftMs);
  assert.equal(lateness.view(20_000).leftMs, 0, 'overdue');
});

test('the first one that is taken ends it', () => {
  const lateness = createLateness();
  const car = tell(lateness, 0, 5000, { late: 20 });
  assert.equal(lateness.view(5000).late, true);
  tell(lateness, 5200, 5200, { accepted: 5 }, car);
  assert.equal(lateness.view(5200).late, false);
});

test('a few late ones among good ones, and a car that is new, are nothing', () => {
  const lateness = createLateness();
  tell(lateness, 0, 5000, { late: 10, accepted: 10 });
  assert.equal(lateness.view(5000).late, false);
  const old = tell(lateness, 5200, 9000, { late: 20 });
  assert.ok(old.late > 0);
  lateness.heard({ late: 0, accepted: 0 }, 9200);
  assert.equal(lateness.view(9200).late, false);
  lateness.heard(null, 9400);
  assert.equal(lateness.view(9400).late, false);
});
