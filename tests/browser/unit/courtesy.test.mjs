import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCourtesy, IDLE_MS } from '../../../src/spider/viewer/courtesy.js';
import { State } from '../../../src/spider/viewer/wire.js';

const MINE = 9;
function rig() {
  const made = { time: 0, given: 0 };
  made.courtesy = createCourtesy({ lease: MINE, give: () => { made.given += 1; }, now: () => made.time });
  made.pass = (ms, more = {}) => {
    for (const end = made.time + ms; made.time < end;) { made.time += 200; made.courtesy.look({ car: { state: State.DISARMED, lease: MINE }, asking: false, busy: false, ...more }); }
  };
  return made;
}

test('a car that stands, held by a page nobody touches, is let go once', () => {
  for (const state of [State.DISARMED, State.STOPPED]) {
    const made = rig();
    made.pass(IDLE_MS, { car: { state, lease: MINE } });
    assert.equal(made.given, 0);
    made.pass(400, { car: { state, lease: MINE } });
    assert.equal(made.given, 1);
  }
});

test('a car that is driven, armed, calibrated, touched or another’s is not', () => {
  for (const more of [{ car: { state: State.LIVE, lease: MINE } }, { car: { state: State.COASTING, lease: MINE } }, { busy: true }, { car: { state: State.DISARMED, lease: 7 } }, { car: null }]) {
    const made = rig();
    made.pass(3 * IDLE_MS, more);
    assert.equal(made.given, 0, JSON.stringify(more));
  }
  const made = rig();
  for (let n = 0; n < 10; n += 1) { made.pass(IDLE_MS - 400); made.courtesy.touched(); }
  assert.equal(made.given, 0, 'touched');
});

test('a request that ends without the car is told until the holder changes or it is made again', () => {
  const other = { car: { state: State.DISARMED, lease: 7 } };
  const made = rig();
  made.pass(400, { ...other, asking: true });
  assert.equal(made.courtesy.unanswered(), false);
  made.pass(400, other);
  assert.equal(made.courtesy.unanswered(), true);
  made.courtesy.asks();
  assert.equal(made.courtesy.unanswered(), false);
  made.pass(400, { ...other, asking: true });
  made.pass(400);
  assert.equal(made.courtesy.unanswered(), false, 'it is ours');
});
