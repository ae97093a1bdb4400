import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPilot, rampSteering, rampThrottle, shape } from '../../../src/spider/viewer/pilot.js';

/** A pilot whose devices were all seen at centre. */
function ready() {
  const pilot = createPilot();
  pilot.settle();
  pilot.setPad({ throttle: 0, steering: 0 });
  return pilot;
}

/** Step a pilot every 20 ms from `from` for `ms`; gives the last demand. */
function run(pilot, from, ms) {
  let demand = null;
  for (let at = from; at <= from + ms; at += 20) demand = pilot.step(at);
  return demand;
}

test('a pressed key moves the car in the very first message', () => {
  const pilot = ready();
  pilot.step(0);
  pilot.key('forward', true);
  assert.ok(pilot.step(0).throttle >= 200);
});

test('a held key ramps up to full and no further', () => {
  const pilot = ready();
  pilot.step(0);
  pilot.key('forward', true);
  const early = pilot.step(20).throttle;
  const later = run(pilot, 40, 100).throttle;
  assert.ok(early < later && later < 1000, `${early} ${later}`);
  assert.equal(run(pilot, 160, 1000).throttle, 1000);
});

test('letting go is zero throttle in that very step', () => {
  const pilot = ready();
  pilot.key('back', true);
  assert.equal(run(pilot, 0, 1000).throttle, -1000);
  pilot.key('back', false);
  assert.equal(pilot.step(1000).throttle, 0);
});

test('turning round never lingers on the old side', () => {
  assert.ok(rampThrottle(1, -1, 0) < 0);
  assert.ok(rampSteering(1, -1, 0) < 0);
});

test('steering runs back to centre by itself', () => {
  const pilot = ready();
  pilot.key('left', true);
  assert.equal(run(pilot, 0, 600).steering, 1000);
  pilot.key('left', false);
  assert.equal(run(pilot, 620, 140).steering, 0);
});

test('left and forward are plus on the wire', () => {
  const pilot = ready();
  pilot.key('left', true);
  pilot.key('forward', true);
  const { throttle, steering } = run(pilot, 0, 200);
  assert.ok(throttle > 0 && steering > 0);
});

test('both keys of an axis cancel out', () => {
  const pilot = ready();
  for (const name of ['forward', 'back', 'left', 'right']) pilot.key(name, true);
  assert.deepEqual(run(pilot, 0, 500), { throttle: 0, steering: 0 });
});

test('Shift is precise: less throttle and less lock', () => {
  const pilot = ready();
  for (const name of ['forward', 'right', 'precise']) pilot.key(name, true);
  assert.deepEqual(run(pilot, 0, 2000), { throttle: 400, steering: -400 });
});

test('the limit holds for every device, both ways, and leaves steering alone', () => {
  const pilot = ready();
  pilot.setLimit(0.3);
  pilot.key('forward', true);
  assert.equal(run(pilot, 0, 2000).throttle, 300);
  pilot.key('forward', false);
  pilot.setTouch({ throttle: -1, steering: 1 });
  assert.deepEqual(pilot.step(3000), { throttle: -300, steering: 1000 });
  pilot.setTouch({ throttle: 0, steering: 0 });
  pilot.setPad({ throttle: 1, steering: -1 });
  assert.deepEqual(pilot.step(3020), { throttle: 300, steering: -1000 });
});

test('a broken limit is no throttle at all', () => {
  const pilot = ready();
  pilot.setLimit(NaN);
  pilot.setTouch({ throttle: 1 });
  assert.equal(pilot.step(0).throttle, 0);
});

test('a page that slept does not wake at full throttle', () => {
  const pilot = ready();
  pilot.step(0);
  pilot.key('forward', true);
  pilot.step(1);
  assert.ok(pilot.step(60_000).throttle < 400);
});

test('shaping is odd, rises throughout, and is full at full', () => {
  let last = -Infinity;
  for (let raw = -100; raw <= 100; raw += 1) {
    const value = shape(raw / 100);
    assert.ok(value >= last, `at ${raw}`);
    assert.ok(Math.abs(value + shape(-raw / 100)) < 1e-12);
    last = value;
  }
  assert.equal(shape(1), 1);
  assert.equal(shape(5), 1);
  assert.equal(shape(NaN), 0);
});

test('clear lets every device go, and a held key has to be pressed anew', () => {
  const pilot = ready();
  pilot.key('forward', true);
  pilot.setTouch({ throttle: 1, steering: 1 });
  pilot.setPad({ throttle: 1, steering: 1 });
  run(pilot, 0, 500);
  let released = 0;
  pilot.onClear(() => { released += 1; });
  pilot.clear();
  assert.equal(released, 1, 'the devices are told');
  assert.ok(pilot.isNeutral());
  assert.deepEqual(pilot.step(520), { throttle: 0, steering: 0 });
  pilot.key('forward', false);
  assert.deepEqual(run(pilot, 540, 100), { throttle: 0, steering: 0 });
});

for (const [device, hold, centre] of [
  ['keys', (pilot) => pilot.key('forward', true), (pilot) => pilot.key('forward', false)],
  ['touch', (pilot) => pilot.setTouch({ throttle: 1 }), (pilot) => pilot.setTouch({ throttle: 0 })],
  ['gamepad', (pilot) => pilot.setPad({ throttle: 1, steering: 0 }), (pilot) => pilot.setPad({ throttle: 0, steering: 0 })],
]) {
  test(`${device} that were held while nothing counted have to pass centre, and no other device does`, () => {
    const pilot = ready();
    pilot.distrust();
    hold(pilot);
    pilot.settle();
    assert.equal(run(pilot, 0, 500).throttle, 0);
    assert.ok(pilot.isWaiting());
    const other = device === 'touch' ? 'keys' : 'touch';
    if (other === 'keys') pilot.key('back', true); else pilot.setTouch({ throttle: -1 });
    assert.equal(run(pilot, 520, 800).throttle, -1000, `${other} count`);
    if (other === 'keys') pilot.key('back', false); else pilot.setTouch({ throttle: 0 });
    centre(pilot);
    pilot.settle();
    pilot.setPad({ throttle: 0, steering: 0 });
    assert.ok(!pilot.isWaiting());
    hold(pilot);
    assert.equal(run(pilot, 1400, 800).throttle, 1000);
  });
}
