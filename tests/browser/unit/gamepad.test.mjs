import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGamepad, readPad } from '../../../src/spider/viewer/gamepad.js';
import { createHelm } from '../../../src/spider/viewer/helm.js';
import { createPilot } from '../../../src/spider/viewer/pilot.js';
import { createRest } from '../../../src/spider/viewer/rest.js';
import { State } from '../../../src/spider/viewer/wire.js';

const pad = ({ axes = [0, 0], down = [], triggers = [0, 0], index = 0, id = 'pad' } = {}) => ({
  index, id, connected: true, mapping: 'standard', axes,
  buttons: Array.from({ length: 17 }, (_, n) => ({ pressed: down.includes(n), value: n === 6 ? triggers[0] : n === 7 ? triggers[1] : Number(down.includes(n)) })),
});

function rig() {
  const log = [];
  let pads = [];
  const on = {
    read: ({ throttle, steering }, _, changed) => { if (changed) log.push([throttle, steering]); },
    arm: () => log.push('arm'), stop: () => log.push('stop'), gone: () => log.push('gone'),
  };
  const gamepad = createGamepad({ getGamepads: () => pads, now: () => 0 }, on);
  return { log, gamepad, show(...next) { pads = next; gamepad.poll(); return log.splice(0); } };
}

test('triggers drive, the stick steers, left is plus', () => {
  const { triggers, stick } = readPad(pad({ triggers: [0.8, 0.5], axes: [-1, -0.6] }));
  assert.deepEqual(triggers, [0.5, 0.8]);
  assert.deepEqual(stick, { throttle: 0.6, steering: 1 });
  const r = rig();
  assert.deepEqual(r.show(pad({ triggers: [1, 0], axes: [1, 0] })), [[-1, -1]]);
  assert.deepEqual(r.show(pad({ axes: [0, -1] })), [[1, 0]]);
});

test('a button acts once per press, and an arm button held while plugging in not at all', () => {
  const r = rig();
  assert.deepEqual(r.show(pad({ down: [0] })), []);
  assert.deepEqual(r.show(pad()), []);
  assert.deepEqual(r.show(pad({ down: [0] })), ['arm']);
  assert.deepEqual(r.show(pad({ down: [0] })), []);
  assert.deepEqual(r.show(pad({ down: [1] })), ['stop']);
});

test('a stop button counts from the first reading', () => {
  assert.deepEqual(rig().show(pad({ down: [1] })), ['stop']);
});

test('stop wins over arm in the same moment', () => {
  const r = rig();
  r.show(pad());
  assert.deepEqual(r.show(pad({ down: [0, 1] })), ['stop']);
});

test('a pad that goes away says so at once, and only once', () => {
  const r = rig();
  r.show(pad({ triggers: [0, 1] }));
  assert.deepEqual(r.show(), ['gone']);
  assert.deepEqual(r.show(), []);
});

test('a pad that was gone between two readings, or is another under the same number, is a new one', () => {
  const r = rig();
  r.show(pad());
  r.gamepad.disconnected(0);
  assert.deepEqual(r.log.splice(0), ['gone']);
  r.show(pad());
  assert.deepEqual(r.show(pad({ id: 'another' })), ['gone']);
});

test('a pad that is not the standard kind drives nothing and is named, unless there is another', () => {
  const r = rig();
  const wheel = { ...pad({ triggers: [0, 1], index: 1, id: 'a wheel' }), mapping: '' };
  assert.deepEqual(r.show(wheel), []);
  assert.equal(r.gamepad.unknown(), 'a wheel');
  r.show(wheel, pad());
  assert.equal(r.gamepad.unknown(), '');
  r.show();
  assert.equal(r.gamepad.unknown(), '');
});

test('missing axes and buttons are centre', () => {
  assert.deepEqual(readPad({ axes: [], buttons: [] }), { triggers: [0, 0], stick: { throttle: 0, steering: 0 }, arm: false, stop: false });
});

/** Reads `values` one every 20 ms from `from` on. */
const feed = (rest, from, ms, value) => { let found; for (let at = from; at <= from + ms; at += 20) found = rest.read(value(at), at); return found; };

test('a stick that rests beside its centre is at its centre after two seconds, and stays so when it comes back to another place nearby', () => {
  const rest = createRest();
  assert.equal(rest.read(0.119, 0), 0);
  assert.ok(rest.read(0.2, 20) > 0);
  assert.equal(feed(rest, 40, 2100, () => 0.2), 0);
  assert.equal(rest.read(0.24, 3000), 0);
  assert.equal(rest.read(-0.24, 3020), 0, 'the dead zone is the same on both sides');
  assert.equal(rest.read(1, 3040), 1);
});

test('a thumb that moves a little is no rest, nor is a stick far out, and the dead zone never passes its bound', () => {
  const held = createRest();
  assert.ok(feed(held, 0, 10_000, (at) => 0.2 + 0.02 * Math.sin(at / 100)) > 0);
  const far = createRest();
  assert.ok(feed(far, 0, 10_000, () => 0.5) > 0);
  const most = createRest();
  for (const [from, value] of [[0, 0.2], [5000, 0.24], [10_000, 0.29]]) feed(most, from, 3000, () => value);
  assert.ok(most.zone() <= 0.3);
  assert.equal(most.read(NaN, 20_000), 0);
});

/** A page on a virtual clock: a pad, the real reader, the real pilot, the real helm. */
function page() {
  const sent = [];
  let time = 1000;
  let pads = [];
  const link = { isOpen: () => true, waiting: () => 0, send: (_, text) => { sent.push(JSON.parse(text)); return true; } };
  const pilot = createPilot();
  const helm = createHelm({ link, pilot, now: () => time, driver: { lease: 1 } });
  const gamepad = createGamepad({ getGamepads: () => pads, now: () => time }, {
    read(position, at, changed) { pilot.setPad(position); if (changed) helm.inputChanged(at); },
    gone() { pilot.setPad(null); helm.neutralNow(); }, arm: () => helm.arm(), stop: () => helm.stop(),
  });
  return {
    helm, pilot, gamepad,
    car: (state) => helm.heard({ state, refusals: state === State.STOPPED ? 4 : 0, lease: 1, cause: 0 }),
    /** Shows the pad for `ms`; gives the largest throttle and steering that left. */
    show(next, ms = 400) {
      pads = next === null ? [] : [pad(next)];
      const before = sent.length;
      for (const end = time + ms; time < end; time += 20) { gamepad.poll(); helm.tick(); }
      const drives = sent.slice(before).filter(({ drive }) => drive).map(({ drive }) => drive);
      return Math.max(0, ...drives.flatMap(({ throttle, steering }) => [Math.abs(throttle), Math.abs(steering)]));
    },
  };
}
const HELD = { triggers: [0, 0.8] };
const JITTER = { triggers: [0, 0.81] };

/** A car that is driven by the trigger right now. */
function driven() {
  const p = page();
  p.show({});
  p.car(State.LIVE);
  p.show({});
  assert.ok(p.show(HELD) > 500);
  return p;
}

for (const [what, gap] of [
  ['a blur', (p) => { p.helm.attend({ focused: false }); p.show(HELD); p.helm.attend({ focused: true }); }],
  ['a hidden page', (p) => { p.helm.attend({ visible: false }); p.show(HELD); p.helm.attend({ visible: true }); }],
  ['a magnified page', (p) => { p.helm.attend({ whole: false }); p.show(HELD); p.helm.attend({ whole: true }); }],
  ['a drop-out', (p) => { p.show(null); }],
  ['a drop-out between two readings', (p) => { p.gamepad.disconnected(0); }],
  ['Stop and Arm', (p) => { p.helm.stop(); p.car(State.STOPPED); p.show(HELD); p.helm.arm(); p.car(State.LIVE); }],
  ['a car that stopped by itself', (p) => { p.car(State.DISARMED); p.show(HELD); p.helm.arm(); p.car(State.LIVE); }],
  ['anything else that lets go', (p) => { p.helm.neutralNow(); }],
]) {
  test(`after ${what} a trigger that is still held counts for nothing until it was read at its centre`, () => {
    const p = driven();
    gap(p);
    assert.equal(p.show(HELD), 0);
    assert.equal(p.show(JITTER), 0, 'jitter');
    p.show({}, 40);
    assert.ok(p.show(HELD) > 500, 'after its centre');
  });
}

test('a pad that appears while the car is live counts only after it was read at its centre', () => {
  const p = page();
  p.car(State.LIVE);
  p.show(null);
  assert.equal(p.show(HELD), 0);
  assert.ok(p.pilot.padWaits());
  p.show({}, 40);
  assert.ok(p.show(HELD) > 500);
});

test('a pad that never comes to its centre blocks no keys and moves nothing', () => {
  const p = page();
  p.show({ axes: [0.5, 0] });
  p.car(State.LIVE);
  assert.equal(p.show({ axes: [0.5, 0] }, 4000), 0);
  assert.ok(!p.helm.view().gated && p.pilot.padWaits());
  p.pilot.key('forward', true);
  assert.ok(p.show({ axes: [0.5, 0] }) > 500);
});

test('a worn stick does not creep, and drives after all', () => {
  const p = page();
  p.show({ axes: [0.18, 0] }, 2500);
  p.car(State.LIVE);
  assert.equal(p.show({ axes: [0.18, 0] }, 2000), 0);
  assert.ok(!p.pilot.padWaits());
  assert.ok(p.show({ axes: [0.18, -1] }) > 900);
});
