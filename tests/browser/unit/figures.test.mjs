import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, readStats } from '../../../src/spider/viewer/figures.js';
import { bars, scaleFor } from '../../../src/spider/viewer/sparkline.js';

const report = (at, bytes, packets, lost, decoded) => new Map(Object.entries({
  V: { type: 'inbound-rtp', kind: 'video', timestamp: at, bytesReceived: bytes, packetsReceived: packets, packetsLost: lost, framesDecoded: decoded, totalDecodeTime: decoded * 0.002, codecId: 'C' },
  C: { type: 'codec', mimeType: 'video/H264' },
}));

test('rates are differences over the time between two readings', () => {
  const figures = compare(readStats(report(1000, 0, 0, 0, 0)), readStats(report(2000, 250_000, 95, 5, 30)));
  assert.equal(figures.kbps, 2000);
  assert.equal(figures.fps, 30);
  assert.equal(figures.lossPercent, 5);
  assert.ok(Math.abs(figures.decodeMs - 2) < 1e-9);
  assert.equal(figures.codec, 'H264');
});

test('what is not known is not a number, never 0', () => {
  const figures = compare(null, readStats(new Map()));
  for (const name of ['kbps', 'fps', 'lossPercent', 'decodeMs', 'bufferMs']) assert.ok(Number.isNaN(figures[name]), name);
});

test('late packets that arrive after all do not make loss negative', () => {
  assert.equal(compare(readStats(report(1000, 0, 0, 5, 0)), readStats(report(2000, 1, 50, 3, 1))).lossPercent, 0);
});

test('a bar is the worst of five frames and stays in its place as frames come', () => {
  const samples = [1, 2, 9, 2, 1, 3, 3, 3, 3, 4];
  assert.deepEqual(bars(samples, 10), [9, 4]);
  assert.deepEqual(bars([...samples, 100], 11), [9, 4]);
});

test('the scale moves in steps', () => {
  assert.equal(scaleFor([20, 59]), 60);
  assert.equal(scaleFor([61]), 120);
  assert.equal(scaleFor([]), 60);
  assert.equal(scaleFor([99_999]), 4000);
});
