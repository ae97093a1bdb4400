import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGamepad, readPad } from '../../../src/spider/viewer/gamepad.js';

const pad = ({ axes = [0, 0], down = [], triggers = [0, 0], index = 0 } = {}) => ({
  index, connected: true, mapping: 'standard', axes,
  buttons: Array.from({ length: 17 }, (_, n) => ({ pressed: down.includes(n), value: n === 6 ? triggers[0] : n === 7 ? triggers[1] : Number(down.includes(n)) })),
});

function rig() {
  const log = [];
  let pads = [];
  const on = { move: ({ throttle, steering }) => log.push([throttle, steering]), arm: () => log.push('arm'), stop: () => log.push('stop'), gone: () => log.push('gone') };
  const gamepad = createGamepad({ getGamepads: () => pads, now: () => 0 }, on);
  return { log, show(...next) { pads = next; gamepad.poll(); return log.splice(0); } };
}

test('triggers drive, the stick steers, left is plus', () => {
  assert.deepEqual([readPad(pad({ triggers: [0, 0.5], axes: [-1, 0] }))].map(({ throttle, steering }) => [throttle, steering]), [[0.5, 1]]);
  assert.equal(readPad(pad({ triggers: [0.8, 0] })).throttle, -0.8);
  assert.equal(readPad(pad({ axes: [0, -0.6] })).throttle, 0.6);
});

test('a button acts once per press, and one held while plugging in not at all', () => {
  const r = rig();
  assert.deepEqual(r.show(pad({ down: [0] })), []);
  assert.deepEqual(r.show(pad()), []);
  assert.deepEqual(r.show(pad({ down: [0] })), ['arm']);
  assert.deepEqual(r.show(pad({ down: [0] })), []);
  assert.deepEqual(r.show(pad({ down: [1] })), ['stop']);
});

test('stop wins over arm in the same moment', () => {
  const r = rig();
  r.show(pad());
  assert.deepEqual(r.show(pad({ down: [0, 1] })), ['stop']);
});

test('a pad that goes away says so at once', () => {
  const r = rig();
  r.show(pad({ triggers: [0, 1] }));
  assert.deepEqual(r.show(), ['gone']);
  assert.deepEqual(r.show(), []);
});

test('a pad that is not the standard kind is left alone', () => {
  const r = rig();
  assert.deepEqual(r.show({ ...pad({ triggers: [0, 1] }), mapping: '' }), []);
});

test('missing axes and buttons are centre', () => {
  assert.deepEqual(readPad({ axes: [], buttons: [] }), { throttle: 0, steering: 0, arm: false, stop: false });
});
