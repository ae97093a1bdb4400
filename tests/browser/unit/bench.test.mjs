import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBench, FIELDS } from '../../../src/spider/viewer/bench.js';
import { PULSES, State } from '../../../src/spider/viewer/wire.js';

const MINE = 7;
const FILE = Object.freeze({
  throttle_min_us: 1000, throttle_zero_us: 1500, forward_zero_us: 1540, throttle_max_us: 2000, steering_min_us: 1000, steering_zero_us: 1500,
  steering_max_us: 2000, brake_us: 1300,
});
const REPORT = Object.freeze({ remote: 1, saved: 0, in_force: 1, stored: 0, answer: 0, seq: 0, lease: 0, beyond_us: 200, pulses: FILE });

/** A bench on a virtual clock before a made-up helm that keeps what it was asked. */
function rig(report = REPORT) {
  let time = 1000;
  const did = [];
  const helm = {
    lease: MINE,
    arm: () => did.push('arm'), give: () => did.push('give'), bench: (open) => did.push(`bench ${open}`),
    tune: (next) => did.push(next === null ? 'let go' : `${next.output} ${next.us}`),
    change: (action, pulses) => { did.push({ action, pulses }); return 77; },
  };
  const bench = createBench({ helm, now: () => time });
  bench.heard(report);
  const live = () => bench.car({ state: State.LIVE, lease: MINE, throttle_us: 1500, steering_us: 1500 });
  return {
    bench, did, live,
    /** What the helm was asked meanwhile. */
    run(ms) { const before = did.length; for (const end = time + ms; time < end; time += 20) bench.tick(); return did.slice(before); },
    ready() { bench.show(true); bench.sure(true); live(); did.length = 0; },
  };
}

test('every pulse of the wire is a field, once', () => {
  assert.deepEqual(FIELDS.map(({ name }) => name).toSorted(), PULSES.toSorted());
});

test('a servo that is mounted the other way round has left and right at the other ends', () => {
  const labels = (report) => Object.fromEntries(rig(report).bench.view().fields.map(({ name, label }) => [name, label]));
  const [plain, reversed] = [labels(REPORT), labels({ ...REPORT, reversed: 1 })];
  assert.deepEqual([plain.steering_min_us, plain.steering_max_us], ['Right', 'Left']);
  assert.deepEqual(reversed, { ...plain, steering_min_us: 'Left', steering_max_us: 'Right' });
  const r = rig({ ...REPORT, reversed: 1 });
  r.ready();
  r.bench.select('steering_min_us');
  r.bench.set(1100);
  r.bench.hold(true);
  assert.match(r.bench.view().field.says, /^Full left/);
  assert.equal(r.did.at(-1), '2 1100');
});

test('a car that does not offer it has no bench', () => {
  const r = rig({ ...REPORT, remote: 0 });
  r.bench.show(true);
  assert.deepEqual([r.bench.view().offered, r.bench.view().open], [false, false]);
});

test('nothing is held before somebody said that the wheels are up', () => {
  const r = rig();
  r.bench.show(true);
  r.live();
  r.bench.hold(true);
  assert.equal(r.bench.view().held, false);
  assert.ok(r.did.every((what) => !/^\d/.test(what)), String(r.did));
  r.bench.sure(true);
  r.bench.hold(true);
  assert.equal(r.did.at(-1), '1 1500');
  r.bench.sure(false);
  assert.equal(r.did.at(-1), 'let go');
});

test('holding arms a car that stands, again and again while it is held, and a step moves what is held', () => {
  const r = rig();
  r.bench.show(true);
  r.bench.sure(true);
  r.did.length = 0;
  r.bench.hold(true);
  assert.deepEqual(r.did, ['arm', '1 1500']);
  assert.equal(r.run(4000).filter((what) => what === 'arm').length, 2);
  r.live();
  r.did.length = 0;
  r.bench.select('forward_zero_us');
  assert.deepEqual(r.did, ['let go'], 'another pulse begins with neutral');
  r.bench.hold(true);
  r.bench.step(10);
  r.bench.step(-1);
  assert.deepEqual(r.did.slice(1), ['1 1540', '1 1550', '1 1549']);
  r.bench.hold(false);
  assert.equal(r.did.at(-1), 'let go');
  r.bench.select('steering_max_us');
  r.bench.hold(true);
  assert.equal(r.did.at(-1), '2 2000');
});

test('a pulse stays within what the car allows', () => {
  const r = rig();
  r.ready();
  r.bench.select('throttle_max_us');
  r.bench.set(9999);
  assert.equal(r.bench.view().pulses.throttle_max_us, 2200);
  r.bench.set(0);
  assert.equal(r.bench.view().pulses.throttle_max_us, 800);
  r.bench.set(NaN);
  assert.equal(r.bench.view().pulses.throttle_max_us, 800);
});

test('what was measured outlives the car’s reports, and Revert gives it up', () => {
  const r = rig();
  r.ready();
  r.bench.step(12);
  r.bench.heard({ ...REPORT, stored: 2 });
  assert.deepEqual([r.bench.view().dirty, r.bench.view().pulses.throttle_zero_us], [true, 1512]);
  r.bench.revert();
  assert.deepEqual([r.bench.view().dirty, r.bench.view().pulses.throttle_zero_us], [false, 1500]);
  r.bench.heard({ ...REPORT, pulses: { ...FILE, brake_us: 1310 } });
  assert.equal(r.bench.view().pulses.brake_us, 1310, 'nothing of ours is in the way');
});

test('Save arms, sends all pulses at once, and lets the car go when it was answered', () => {
  const r = rig();
  r.bench.show(true);
  r.bench.sure(true);
  r.bench.step(10);
  r.did.length = 0;
  r.bench.save();
  assert.deepEqual(r.did, ['let go', 'arm']);
  r.live();
  assert.deepEqual(r.run(20), [{ action: 1, pulses: { ...FILE, throttle_zero_us: 1510 } }]);
  assert.equal(r.run(500).length, 0, 'once');
  assert.equal(r.bench.view().busy, true);
  r.bench.heard({ ...REPORT, saved: 1, in_force: 0, answer: 1, seq: 77, lease: MINE, pulses: { ...FILE, throttle_zero_us: 1510 } });
  assert.deepEqual([r.bench.view().busy, r.bench.view().dirty], [false, false]);
  assert.equal(r.run(20)[0], 'give');
});

test('an answer to somebody else is none of ours, and no answer is told', () => {
  const r = rig();
  r.ready();
  r.bench.step(10);
  r.bench.save();
  r.bench.heard({ ...REPORT, answer: 1, seq: 77, lease: 99 });
  assert.equal(r.bench.view().busy, true);
  r.run(4100);
  assert.deepEqual([r.bench.view().busy, /did not answer/.test(r.bench.view().note)], [false, true]);
});

test('Reset takes the pulses of the answer', () => {
  const r = rig({ ...REPORT, saved: 1, pulses: { ...FILE, brake_us: 1350 } });
  r.ready();
  r.bench.step(5);
  r.bench.reset();
  r.bench.heard({ ...REPORT, answer: 2, seq: 77, lease: MINE });
  assert.deepEqual(r.bench.view().pulses, FILE);
});

test('a Stop ends it: the wheels have to be up anew, and what was measured is still there', () => {
  const r = rig();
  r.ready();
  r.bench.step(7);
  r.bench.hold(true);
  r.bench.car({ state: State.STOPPED, lease: MINE, refusals: 4 });
  assert.deepEqual([r.bench.view().open, r.bench.view().held, r.bench.view().latched], [false, false, true]);
  r.did.length = 0;
  r.bench.show(true);
  r.bench.hold(true);
  assert.ok(!r.did.includes('arm'), 'nobody arms by holding a pulse');
  r.live();
  assert.equal(r.bench.view().latched, false);
  r.bench.show(true);
  assert.deepEqual([r.bench.view().sure, r.bench.view().pulses.throttle_zero_us], [false, 1507]);
});

test('a link that is gone, and a shut panel, let go', () => {
  for (const end of [(b) => b.car(null), (b) => b.show(false)]) {
    const r = rig();
    r.ready();
    r.bench.hold(true);
    end(r.bench);
    assert.equal(r.bench.view().held, false, String(end));
  }
});
