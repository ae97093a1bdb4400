import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLaps } from '../../../src/spider/viewer/laps.js';
import { lapText, vitals } from '../../../src/spider/viewer/vitals.js';
import { decode } from '../../../src/spider/viewer/wire.js';

const board = (fields) => decode(JSON.stringify({ board: fields })).body;
const shown = (fields, laps = null) => Object.fromEntries(vitals(board(fields), laps).map(({ id, text, tone }) => [id, `${text} ${tone}`]));

test('what the car has no sensor for is not shown, and 0 is', () => {
  assert.deepEqual(shown({}), {});
  assert.deepEqual(vitals(null, null), []);
  assert.deepEqual(shown({ battery_mv: 0, battery: 2, temp_celsius: 0, modem_percent: 0 }), { battery: '0.00 V bad', heat: '0 °C fine', modem: '0 % mobile bad' });
});

test('each figure has its unit and the tone of its limit, one below, at and above', () => {
  for (const [celsius, tone] of [[-5, 'fine'], [69, 'fine'], [70, 'slow'], [79, 'slow'], [80, 'bad']]) {
    assert.deepEqual(shown({ temp_celsius: celsius }), { heat: `${String(celsius).replace('-', '−')} °C ${tone}` });
  }
  for (const [dbm, tone] of [[-66, 'fine'], [-67, 'fine'], [-68, 'slow'], [-78, 'slow'], [-79, 'bad']]) {
    assert.deepEqual(shown({ wifi_dbm: dbm }), { wifi: `−${-dbm} dBm ${tone}` });
  }
  for (const [percent, tone] of [[40, 'fine'], [39, 'slow'], [15, 'slow'], [14, 'bad']]) {
    assert.deepEqual(shown({ modem_percent: percent }), { modem: `${percent} % mobile ${tone}` });
  }
  for (const [battery, tone] of [[0, 'fine'], [1, 'slow'], [2, 'bad'], [7, 'fine']]) {
    assert.deepEqual(shown({ battery, battery_mv: 7412 }), { battery: `7.41 V ${tone}` });
  }
});

test('a lap is told in seconds, or in minutes when it is long', () => {
  for (const [ms, text] of [[0, '0.00 s'], [12_345, '12.35 s'], [59_994, '59.99 s'], [59_995, '1:00.00'], [83_456, '1:23.46'], [605_000, '10:05.00']]) {
    assert.equal(lapText(ms), text);
  }
});

test('laps of an old car are differences of its dates', () => {
  const laps = createLaps();
  assert.equal(laps.view(), null);
  laps.pass(1638498072.81);
  assert.deepEqual(laps.view(), { count: 1, lastMs: null, bestMs: null });
  laps.pass(1638498084.03);
  laps.pass(1638498094.03);
  laps.pass(1638498105.03);
  assert.deepEqual(laps.view(), { count: 4, lastMs: 11_000, bestMs: 10_000 });
  assert.deepEqual(vitals(null, laps.view()).map(({ text, title }) => `${text}, ${title}`), ['Lap 4 11.00 s, Best lap 10.00 s']);
});

test('a pause, or a date that goes back, is no lap', () => {
  const laps = createLaps();
  for (const seconds of [1000, 1600, 1500, 1510]) laps.pass(seconds);
  assert.deepEqual(laps.view(), { count: 4, lastMs: 10_000, bestMs: 10_000 });
});

test('our car corrects the count and the lap, and no sensor says nothing', () => {
  const laps = createLaps();
  laps.correct(board({}));
  assert.equal(laps.view(), null);
  laps.correct(board({ laps: 0 }));
  assert.equal(laps.view(), null, 'none yet');
  laps.correct(board({ laps: 12, last_lap_ms: 9000 }));
  assert.deepEqual(laps.view(), { count: 12, lastMs: 9000, bestMs: 9000 });
  laps.pass(1000);
  laps.correct(board({ laps: 13, last_lap_ms: 9500 }));
  laps.correct(board({ laps: 13, last_lap_ms: 9500 }));
  assert.deepEqual(laps.view(), { count: 13, lastMs: 9500, bestMs: 9000 });
});
