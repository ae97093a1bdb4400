import assert from 'node:assert/strict';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createSeal } from '../../../src/spider/viewer/seal.js';
import { hmac, sha256 } from '../../../src/spider/viewer/sha256.js';
import { decode, encode } from '../../../src/spider/viewer/wire.js';

const KEY = 'a key that the Spider has not';
const golden = (name) => readFileSync(new URL(`../../data/wire/${name}.json`, import.meta.url), 'utf8');
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const PULSES = {
  throttle_min_us: 1000, throttle_zero_us: 1510, forward_zero_us: 1540, throttle_max_us: 2000, steering_min_us: 1000, steering_zero_us: 1480,
  steering_max_us: 2000, brake_us: 1300,
};

/** One that has heard the car of the golden files. */
function sealed(key = KEY) {
  const seal = createSeal();
  seal.setKey(key);
  const { body } = decode(golden('out-pong-sealed'));
  return { seal, body, believed: seal.hear(body) };
}

test('the hash is that of everybody else, at every length around a block and for long keys', () => {
  for (let length = 0; length < 200; length += 1) {
    const bytes = randomBytes(length);
    assert.equal(hex(sha256(bytes)), createHash('sha256').update(bytes).digest('hex'), String(length));
    const text = randomBytes(77);
    assert.equal(hex(hmac(bytes)(text)), createHmac('sha256', bytes).update(text).digest('hex'), String(length));
  }
  // spec: FIPS 180-4, example of one block.
  assert.equal(hex(sha256(Buffer.from('abc'))), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('each message under seal is byte for byte what the car expects', () => {
  const { seal, believed } = sealed();
  assert.ok(believed);
  const who = { lease: 7, secret: 99, seal: seal.over };
  const said = {
    'in-drive-sealed': encode.drive({ seq: 12, now: 123_456, throttle: 250, steering: -100, ...who }),
    'in-calibrate-sealed': encode.calibrate({ seq: 12, now: 123_456, output: 1, us: 1540, ...who }),
    'in-arm-sealed': encode.arm({ seq: 13, now: 123_460, ...who }),
    'in-lease-sealed': encode.lease({ want: 1, ...who }),
    'in-view-sealed': encode.view({ rttMs: 40, ageMs: 95, ...who }),
    'in-camera-sealed': encode.camera({ key: 'view', value: 2, ...who }),
    'in-calibration-save-sealed': encode.calibration({ action: 1, seq: 13, now: 123_460, pulses: PULSES, ...who }),
    'in-calibration-reset-sealed': encode.calibration({ action: 2, seq: 14, now: 123_470, ...who }),
  };
  for (const [name, text] of Object.entries(said)) assert.equal(text, golden(name), name);
  assert.equal(encode.calibration({ action: 0, ...who }), '{"calibration":{"action":0}}', 'a question needs none');
});

test('an answer that the car did not seal is not believed, and changes nothing', () => {
  const { seal, body } = sealed();
  for (const forged of [{ ...body, car_us: body.car_us + 1 }, { ...body, epoch: 1 }, { ...body, seal: undefined }, { ...body, seal: '0'.repeat(32) }, { id: 1, t_ms: 1, car_us: 1 }]) {
    assert.equal(seal.hear(forged), false, JSON.stringify(forged));
  }
  assert.equal(seal.over('arm', { seq: 1, t_ms: 1, lease: 7 }).car_ms, Math.floor(body.car_us / 1000));
});

test('what is lacking is told: a key, or the right one, and nothing of a car that asks for none', () => {
  assert.equal(sealed().seal.lacks(), '');
  assert.equal(sealed('another key').seal.lacks(), 'wrong');
  assert.equal(sealed('').seal.lacks(), 'missing');
  const seal = createSeal();
  assert.equal(seal.lacks(), '');
  assert.ok(seal.hear({ id: 1, t_ms: 2, car_us: 3 }), 'a car without seals is believed by a page without a key');
  assert.equal(seal.lacks(), '');
  assert.deepEqual(seal.over('arm', { seq: 1, lease: 7 }), { seq: 1, lease: 7 });
});
