import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Action, decode, encode, nextSeq, permille, STAGES } from '../../../src/spider/viewer/wire.js';

const CAR = {
  v: 1, t_us: 12_345_678, state: 1, cause: 2, refusals: 0, throttle: 420, steering: -130, throttle_us: 1733, steering_us: 1435, seq: 88,
  lease: 99, accepted: 80, late: 1, replayed: 2, foreign: 3, malformed: 4, age_ms: 12, link: 1, limit: 800, asker: 7, width: 1280, height: 720, fps: 30, kbps: 2401,
  target_kbps: 2500, encode_us: 3900, frames: 500, dropped: 1, uptime_s: 17, load_permille: 210, mem_kb: 20_480,
};

test('each message out has exactly the shape of the contract', () => {
  assert.equal(encode.drive({ seq: 7, now: 1234.9, throttle: 250, steering: -1000, lease: 42 }),
    '{"drive":{"seq":7,"t_ms":1234,"throttle":250,"steering":-1000,"lease":42}}');
  assert.equal(encode.arm({ seq: 8, now: 1235, lease: 42 }), '{"arm":{"seq":8,"t_ms":1235,"lease":42}}');
  assert.equal(encode.stop({ seq: 9, now: 1236 }), '{"stop":{"seq":9,"t_ms":1236}}');
  assert.equal(encode.lease({ lease: 42, secret: 99, want: 1 }), '{"lease":{"id":42,"secret":99,"want":1}}');
  assert.equal(encode.ping({ id: 3, now: 0.7 }), '{"ping":{"id":3,"t_ms":0}}');
});

const PULSES = {
  throttle_min_us: 1000, throttle_zero_us: 1510, forward_zero_us: 1540, throttle_max_us: 2000, steering_min_us: 1000, steering_zero_us: 1480,
  steering_max_us: 2000, brake_us: 1300,
};

test('calibrating has exactly the shape of the contract, and no pulse that a servo does not know', () => {
  assert.equal(encode.calibrate({ seq: 12, now: 123456.7, lease: 7, output: 1, us: 1540 }),
    '{"calibrate":{"seq":12,"t_ms":123456,"lease":7,"wheels_up":1,"output":1,"us":1540}}');
  for (const [given, sent] of [[499, 500], [2501, 2500], [1500.4, 1500], [NaN, 500], [1e40, 2500], [undefined, 500]]) {
    assert.equal(JSON.parse(encode.calibrate({ seq: 1, now: 1, lease: 1, output: 2, us: given })).calibrate.us, sent, String(given));
  }
  const golden = (name) => readFileSync(new URL(`../../data/wire/${name}.json`, import.meta.url), 'utf8');
  assert.equal(encode.calibration({ action: Action.SAVE, seq: 13, now: 123_460, lease: 7, pulses: PULSES }), golden('in-calibration-save'));
  assert.equal(encode.calibration({ action: Action.RESET, seq: 14, now: 123_470, lease: 7 }), golden('in-calibration-reset'));
  assert.equal(encode.calibration({ action: Action.TELL }), golden('in-calibration-tell'));
  const { group, body } = decode(golden('out-calibration'));
  assert.deepEqual([group, body.seq, body.in_force, body.beyond_us, { ...body.pulses }], ['calibration', 13, 0, 200, PULSES]);
});

test('whatever comes in, throttle and steering leave as whole permille in range', () => {
  for (const [given, sent] of [[0, 0], [-0, 0], [0.4, 0], [999.6, 1000], [1e40, 1000], [-1e40, -1000], [NaN, 0], [Infinity, 0], [undefined, 0], ['5', 0], [null, 0]]) {
    assert.equal(permille(given), sent, String(given));
    assert.ok(!Object.is(permille(given), -0));
    assert.equal(JSON.parse(encode.drive({ seq: 1, now: 1, throttle: given, steering: given, lease: 1 })).drive.throttle, sent);
  }
});

test('the sequence wraps as a u32', () => {
  assert.equal(nextSeq(0), 1);
  assert.equal(nextSeq(0xffff_ffff), 0);
});

test('telemetry comes through whole, as text or as bytes', () => {
  const text = JSON.stringify({ car: CAR });
  assert.deepEqual({ ...decode(text).body }, CAR);
  assert.deepEqual(decode(new TextEncoder().encode(text).buffer).body, decode(text).body);
});

test('an older car that says less is still shown', () => {
  assert.equal(decode('{"car":{"v":1,"state":3}}').body.mem_kb, 0);
  assert.equal(decode('{"car":{"v":1,"state":3}}').body.limit, 1000, 'an older car has no ceiling');
});

test('a reading that the board does not have is null, a count 0', () => {
  const { body } = decode('{"board":{"v":1,"t_us":5,"battery":1,"battery_mv":6912,"battery_ma":-83,"wifi_dbm":-58,"link_drops":2}}');
  assert.deepEqual([body.battery, body.battery_mv, body.battery_ma, body.wifi_dbm, body.link_drops], [1, 6912, -83, -58, 2]);
  assert.deepEqual([body.temp_celsius, body.laps, body.throttled, body.sensor_errors], [null, null, null, 0]);
  for (const text of ['{"board":{"battery_mv":"7"}}', '{"board":{"laps":1.5}}', '{"board":{"restarts":[]}}', '{"board":7}']) assert.equal(decode(text), null, text);
  assert.equal(decode('{"board":{"battery_mv":null}}').body.battery_mv, null);
});

test('every field of the car’s own golden messages is read', () => {
  for (const name of ['out-board', 'out-board-bare', 'out-car']) {
    const text = readFileSync(new URL(`../../data/wire/${name}.json`, import.meta.url), 'utf8');
    const [[group, said]] = Object.entries(JSON.parse(text));
    const { body } = decode(text);
    for (const [field, value] of Object.entries(said)) {
      if (group === 'board' && (field === 'v' || field === 't_us')) continue; // nobody asks
      assert.equal(body[field], value, `${name}: ${field}`);
    }
  }
});

test('the picture’s way through the car is read by stage', () => {
  const { group, body } = decode(readFileSync(new URL('../../data/wire/out-video.json', import.meta.url), 'utf8'));
  assert.equal(group, 'video');
  assert.deepEqual([body.shows, body.cameras, body.camera, body.hardware, body.rung, body.copies], [1, 2, 1, 1, 0, 2]);
  assert.deepEqual(body.encode, { n: 150, p50: 9400, p99: 12000, max: 14100 });
  assert.deepEqual(STAGES.map((stage) => body[stage].p50), [4100, 31, 9400, 43, 210, 14000]);
  assert.equal(decode('{"video":{}}').body.whole.n, 0, 'a car that says less is still shown');
  for (const text of ['{"video":{"shows":"1"}}', '{"video":{"encode":[1,2,3]}}', '{"video":{"send":[1,2,3,0.5]}}', '{"video":{"send":{}}}']) assert.equal(decode(text), null, text);
});

test('pong and the old car’s messages are read', () => {
  assert.deepEqual(decode('{"pong":{"id":1,"t_ms":2,"car_us":3}}'), { group: 'pong', body: { id: 1, t_ms: 2, car_us: 3 } });
  assert.deepEqual(decode('{"ir":{"key":"detectTime","value":1638498072.81}}').body, { key: 'detectTime', value: 1638498072.81 });
});

test('anything else is null and never an exception', () => {
  const junk = ['', 'close', '[]', 'null', '5', '"hi metric"', '{}', '{"car":null}', '{"car":{"state":4}}', '{"car":{"state":1.5}}', '{"car":{"state":"1"}}',
    '{"calibration":{}}', '{"calibration":{"pulses":null}}', '{"calibration":{"remote":1,"saved":1,"in_force":1,"stored":0,"answer":0,"seq":0,"lease":0,"beyond_us":200,"pulses":{"brake_us":1}}}',
    '{"car":{},"pong":{}}', '{"pong":{"id":1}}', '{"pong":{"id":1,"t_ms":null,"car_us":3}}', '{"__proto__":{}}', '{"constructor":{}}', '{"toString":{}}',
    '{"nonsense":{}}', '{"ir":{"key":5,"value":1}}', '['.repeat(5000), new Uint8Array([0xff, 0xfe, 0]).buffer];
  for (const text of junk) assert.equal(decode(text), null, String(text).slice(0, 40));
});
