import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHelm, newDriver } from '../../../src/spider/viewer/helm.js';
import { createPilot } from '../../../src/spider/viewer/pilot.js';
import { Refusal, State } from '../../../src/spider/viewer/wire.js';

const MINE = 4711;

/** A helm on a virtual clock; `sent` holds every message with its channel and time. */
function rig({ channels = ['drive', 'stream'], may = () => true } = {}) {
  const open = new Set(channels);
  const sent = [];
  let time = 1000;
  const link = {
    isOpen: (label) => open.has(label),
    may,
    waiting: () => 0,
    send(label, text) {
      if (open.has(label)) sent.push({ label, at: time, ...JSON.parse(text) });
      return open.has(label);
    },
  };
  const pilot = createPilot();
  const helm = createHelm({ link, pilot, now: () => time, driver: { lease: MINE, secret: 99 } });
  const car = (more) => helm.heard({ state: State.DISARMED, refusals: 0, lease: 0, cause: 0, ...more });
  return {
    helm, pilot, sent, open, car,
    live: () => car({ state: State.LIVE, lease: MINE }),
    /** Tick for `ms` of virtual time; gives what was sent meanwhile. */
    run(ms) {
      const before = sent.length;
      for (const end = time + ms; time < end; time += 20) helm.tick();
      return sent.slice(before);
    },
    press(name) { pilot.key(name, true); helm.inputChanged(time); },
    letGo(name) { pilot.key(name, false); helm.inputChanged(time); },
    now: () => time,
  };
}

const drives = (messages) => messages.filter(({ drive }) => drive).map(({ drive }) => drive);
const moving = (messages) => drives(messages).filter(({ throttle, steering }) => throttle !== 0 || steering !== 0);
const is = (group) => (message) => message[group] !== undefined;

/** A car that is driven forward right now. */
function driven() {
  const r = rig();
  r.live();
  r.run(40);
  r.press('forward');
  r.run(200);
  assert.ok(drives(r.sent).at(-1).throttle > 200);
  return r;
}

test('a driver is two numbers that fit in a u32, neither of them 0', () => {
  assert.deepEqual({ ...newDriver(undefined, () => 0) }, { lease: 1, secret: 1, seal: undefined });
  const some = Array.from({ length: 32 }, () => newDriver());
  for (const number of some.flatMap(({ lease, secret }) => [lease, secret])) {
    assert.ok(Number.isInteger(number) && number > 0 && number <= 0xffff_ffff, String(number));
  }
  assert.equal(new Set(some.map(({ secret }) => secret)).size, 32);
});

test('a page whose key is for watching only commands nothing but a stop', () => {
  const r = rig({ may: (right) => right === 'watch' });
  r.car();
  r.run(200);
  r.helm.arm();
  r.helm.ask();
  r.press('forward');
  r.run(500);
  assert.deepEqual(r.sent, []);
  r.helm.stop();
  assert.ok(r.sent.every(is('stop')), JSON.stringify(r.sent));
  assert.equal(r.helm.view().mayDrive, false);
});

test('all that a driver says has his secret', () => {
  const r = driven();
  r.helm.report({ rttMs: 20, ageMs: 50 });
  r.helm.change(1, {});
  r.helm.leave();
  const said = r.sent.filter((message) => !is('stop')(message));
  assert.ok(['drive', 'lease', 'view', 'calibration'].every((group) => said.some(is(group))));
  for (const { label, at, ...message } of said) assert.equal(Object.values(message)[0].secret, 99, `${label} at ${at}: ${JSON.stringify(message)}`);
});

test('while nothing is driven, neutral goes out 20 times a second', () => {
  const r = rig();
  r.car();
  r.run(100);
  const messages = r.run(1000);
  assert.equal(moving(messages).length, 0);
  assert.ok(drives(messages).length >= 16 && drives(messages).length <= 21, `${drives(messages).length}`);
});

test('while driving, commands go out 50 times a second', () => {
  const r = rig();
  r.live();
  r.run(40);
  assert.equal(drives(r.run(1000)).length, 50);
});

test('an input is sent inside its event, not at the next tick', () => {
  const r = rig();
  r.live();
  r.run(40);
  const before = r.sent.length;
  r.press('forward');
  assert.equal(r.sent.length, before + 1);
  assert.ok(r.sent.at(-1).drive.throttle > 0);
  r.letGo('forward');
  assert.equal(r.sent.at(-1).drive.throttle, 0);
  assert.deepEqual(r.helm.inputs().map(({ inputAt, sentAt }) => sentAt - inputAt), [0, 0]);
});

test('the sequence rises with every message that has one, and the time never falls', () => {
  const r = driven();
  r.helm.stop();
  r.run(300);
  r.car({ state: State.STOPPED, refusals: Refusal.STOP_LATCHED, lease: MINE });
  r.helm.arm();
  r.run(300);
  const bodies = r.sent.map(({ drive, arm, stop }) => drive ?? arm ?? stop).filter(Boolean);
  bodies.slice(1).forEach((body, index) => {
    assert.ok(body.seq > bodies[index].seq, `seq ${body.seq} after ${bodies[index].seq}`);
    assert.ok(body.t_ms >= bodies[index].t_ms);
  });
});

for (const [name, loss] of [
  ['a lost focus', (r) => r.helm.attend({ focused: false })],
  ['a magnified page', (r) => r.helm.attend({ whole: false })],
  ['a hidden tab', (r) => r.helm.attend({ visible: false })],
  ['a page that goes away', (r) => r.helm.leave()],
  ['a lost gamepad', (r) => r.helm.neutralNow()],
  ['stop', (r) => r.helm.stop()],
]) {
  test(`${name} is neutral inside the event, and the held key counts for nothing after it`, () => {
    const r = driven();
    const before = r.sent.length;
    loss(r);
    const now = drives(r.sent.slice(before));
    assert.equal(now.length, 1);
    assert.deepEqual([now[0].throttle, now[0].steering], [0, 0]);
    assert.equal(moving(r.run(500)).length, 0);
  });
}

test('a hidden page says neutral once and then nothing: the car’s deadman does the rest', () => {
  const r = driven();
  r.helm.attend({ visible: false });
  assert.deepEqual(r.run(2000), []);
});

test('a page without the focus keeps saying neutral', () => {
  const r = driven();
  r.helm.attend({ focused: false });
  const messages = r.run(1000);
  assert.ok(drives(messages).length >= 16);
  assert.equal(moving(messages).length, 0);
});

test('after the focus is back the controls must pass centre before they count', () => {
  const r = driven();
  r.helm.attend({ focused: false });
  r.pilot.setTouch({ throttle: 1 });
  r.helm.attend({ focused: true });
  assert.equal(moving(r.run(300)).length, 0);
  assert.ok(r.helm.view().gated);
  r.pilot.setTouch({ throttle: 0 });
  r.run(40);
  r.pilot.setTouch({ throttle: 1 });
  assert.ok(moving(r.run(100)).length > 0);
});

test('a thumb held while arming does not move the car', () => {
  const r = rig();
  r.car();
  r.pilot.setTouch({ throttle: 1 });
  r.helm.arm();
  r.run(100);
  r.live();
  assert.equal(moving(r.run(1000)).length, 0);
});

test('nothing but neutral leaves unless the car says that we drive', () => {
  for (const state of [{ state: State.DISARMED }, { state: State.STOPPED, lease: MINE }, { state: State.LIVE, lease: 0 }, { state: State.LIVE, lease: 5 }]) {
    const r = rig();
    r.car(state);
    r.run(60);
    r.press('forward');
    assert.equal(moving(r.run(500)).length, 0, JSON.stringify(state));
  }
});

test('coasting is still driving: a good command brings the car back', () => {
  const r = driven();
  r.car({ state: State.COASTING, lease: MINE });
  assert.ok(moving(r.run(100)).length > 0);
});

test('arm goes with a fresh neutral, repeats until live, and then ends', () => {
  const r = rig();
  r.car();
  r.helm.arm();
  const first = r.sent.slice(-3);
  assert.deepEqual(first.map((message) => Object.keys(message).at(-1)), ['lease', 'drive', 'arm']);
  assert.equal(first[2].arm.lease, MINE);
  assert.ok(r.run(200).filter(is('arm')).length >= 3);
  r.live();
  assert.equal(r.run(500).filter(is('arm')).length, 0);
});

test('arm gives up and says so', () => {
  const r = rig();
  r.car();
  r.helm.arm();
  r.run(2000);
  assert.equal(r.run(500).filter(is('arm')).length, 0);
  assert.ok(r.helm.view().armTimedOut);
});

test('a lost focus ends arming', () => {
  const r = rig();
  r.car();
  r.helm.arm();
  r.helm.attend({ focused: false });
  assert.equal(r.run(500).filter(is('arm')).length, 0);
});

test('stop goes on the reliable channel first and repeats until the car shows it latched', () => {
  const r = driven();
  r.helm.stop();
  const stops = () => r.sent.filter(is('stop'));
  assert.equal(stops().length, 1);
  assert.equal(stops()[0].label, 'stream');
  r.run(300);
  assert.ok(stops().length >= 4);
  r.car({ state: State.STOPPED, refusals: Refusal.STOP_LATCHED, lease: MINE });
  const count = stops().length;
  r.run(500);
  assert.equal(stops().length, count);
});

test('stop on a dead link is sent when the link is back, however late', () => {
  const r = driven();
  r.open.clear();
  r.helm.heard(null);
  r.helm.stop();
  r.run(5000);
  r.open.add('stream').add('drive');
  assert.ok(r.run(100).some(is('stop')));
});

test('stop outranks arm', () => {
  const r = driven();
  r.helm.stop();
  r.helm.arm();
  assert.equal(r.run(500).filter(is('arm')).length, 0);
});

test('a watcher sends no commands but can stop', () => {
  const r = rig();
  r.car({ state: State.LIVE, lease: 5 });
  assert.deepEqual(r.run(500), []);
  r.helm.arm();
  assert.deepEqual(r.run(500), []);
  r.helm.stop();
  assert.ok(r.sent.some(is('stop')));
  assert.equal(drives(r.sent).length, 0);
});

test('every message goes to one channel: drive if it is open, else stream', () => {
  const r = driven();
  assert.ok(r.sent.every(({ label }) => label === 'drive'));
  const old = rig({ channels: ['stream'] });
  old.live();
  assert.ok(old.run(200).every(({ label }) => label === 'stream'));
});

test('leaving gives the lease back', () => {
  const r = driven();
  r.helm.leave();
  assert.deepEqual(r.sent.at(-1).lease, { id: MINE, secret: 99, want: 0 });
});

test('handing over is neutral first, then the release, in one call', () => {
  const r = driven();
  const before = r.sent.length;
  r.helm.give();
  const [neutral, release] = r.sent.slice(before);
  assert.deepEqual([neutral.drive.throttle, neutral.drive.steering], [0, 0]);
  assert.deepEqual(release.lease, { id: MINE, secret: 99, want: 0 });
});

test('only the driver reports how he sees, in whole numbers, and what is not known is the worst', () => {
  const r = rig();
  r.car({});
  r.helm.report({ rttMs: 20, ageMs: 50 });
  assert.equal(r.sent.filter(is('view')).length, 0, 'nobody drives');
  r.live();
  r.helm.report({ rttMs: 20.4, ageMs: NaN });
  assert.deepEqual(r.sent.find(is('view')).view, { lease: MINE, secret: 99, rtt_ms: 20, age_ms: 4294967295 });
});

const pulses = (messages) => messages.filter(is('calibrate')).map(({ calibrate }) => calibrate);

/** A car that is ours and live, with the calibration panel open. */
function atBench() {
  const r = rig();
  r.live();
  r.helm.bench(true);
  r.run(60);
  return r;
}

test('while calibrating the controls count for nothing', () => {
  const r = atBench();
  r.press('forward');
  assert.equal(moving(r.run(300)).length, 0);
  r.helm.bench(false);
  assert.equal(moving(r.run(100)).length, 0, 'a key that is still down has to pass centre');
  r.letGo('forward');
  r.run(40);
  r.press('forward');
  assert.ok(moving(r.run(300)).length > 5);
});

test('a pulse goes out 50 times a second in place of neutral, and letting go is neutral inside the call', () => {
  const r = atBench();
  r.helm.tune({ output: 1, us: 1540 });
  assert.deepEqual([pulses(r.sent).at(-1).us, pulses(r.sent).at(-1).wheels_up], [1540, 1]);
  const sent = r.run(1000);
  assert.ok(pulses(sent).length >= 45, `${pulses(sent).length}`);
  assert.equal(drives(sent).length, 0);
  const seqs = pulses(sent).map(({ seq }) => seq);
  assert.ok(seqs.every((seq, at) => at === 0 || seq > seqs[at - 1]));
  const before = r.sent.length;
  r.helm.tune(null);
  assert.deepEqual(drives(r.sent.slice(before)).map(({ throttle }) => throttle), [0]);
  assert.equal(pulses(r.run(200)).length, 0);
});

test('no pulse without the panel, without a live car of ours, or after whatever lets go', () => {
  const r = rig();
  r.live();
  r.helm.tune({ output: 1, us: 1540 });
  assert.equal(pulses(r.run(100)).length, 0, 'the panel is shut');
  for (const end of [(x) => x.helm.neutralNow(), (x) => x.helm.attend({ focused: false }), (x) => x.helm.attend({ visible: false }), (x) => x.helm.stop(), (x) => x.helm.bench(false)]) {
    const b = atBench();
    b.helm.tune({ output: 2, us: 1700 });
    assert.ok(pulses(b.run(100)).length > 0);
    end(b);
    assert.equal(pulses(b.run(300)).length, 0, String(end));
  }
  const b = atBench();
  b.car({ state: State.DISARMED, lease: 0 });
  b.helm.tune({ output: 1, us: 1540 });
  assert.equal(pulses(b.run(100)).length, 0, 'disarmed');
  b.car({ state: State.LIVE, lease: 99 });
  assert.equal(pulses(b.run(100)).length, 0, 'somebody else’s');
});

test('a change of the calibration goes the reliable way with a number of its own', () => {
  const r = atBench();
  const seq = r.helm.change(2);
  const { label, calibration } = r.sent.at(-1);
  assert.deepEqual([label, calibration.action, calibration.seq, calibration.lease], ['stream', 2, seq, MINE]);
  r.open.delete('stream');
  assert.equal(r.helm.change(2), null);
});
