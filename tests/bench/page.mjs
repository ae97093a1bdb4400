// What a driver's browser sees and causes: picture age, and the way from a key to the outputs. Figures F3, F4 and F5.
//
//   BASE_URL=http://127.0.0.1:8266 ACTUATOR_LOG=FILE node page.mjs KEYS FRAMES OPENINGS
//
//   key ──(input event, this page's clock)──▶ command ──▶ car ──▶ actuator log (CLOCK_MONOTONIC)
//
// Both clocks are CLOCK_MONOTONIC with another zero: the difference is taken once from the quickest of 300 questions to the
// page, so it is off by at most half of that question's way. Prints one JSON object a figure: {figure, unit, samples, note}.
// Knows nothing of: which car it drives.

import { readFileSync } from 'node:fs';
import { launch, until } from '../browser/harness/browser.mjs';

const base = process.env.BASE_URL;
const log = process.env.ACTUATOR_LOG;
const [keys, frames, openings] = process.argv.slice(2).map(Number);
const LIVE = 1;
/** The outputs are at rest when nothing was written for so long: longer than any ramp's pause. */
const REST_MS = 60;

const nowMs = () => Number(process.hrtime.bigint()) / 1e6; // CLOCK_MONOTONIC
const writes = () => readFileSync(log, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
const tell = (figure, unit, samples, note = '') => console.log(JSON.stringify({ figure, unit, samples, note }));

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
const read = (expression) => page.evaluate(`window.spidercar.${expression}`);
await page.addInitScript(() => {
  window.heard = [];
  addEventListener('keydown', (event) => window.heard.push({ code: event.code, at: event.timeStamp }), { capture: true });
  window.answered = null;
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    async setRemoteDescription(...description) {
      const done = await super.setRemoteDescription(...description);
      window.answered ??= performance.now();
      return done;
    }
  };
});

const opened = { first: [], channel: [], channelAfterAnswer: [], frameAfterAnswer: [] };
for (let n = 0; n < openings; n += 1) {
  await page.goto(base);
  await until('a picture and channels', async () => (await read('frames.painted')) > 0 && 'drive' in (await read('channels')), 30_000);
  const [firstAt, channels, answered] = await page.evaluate(() => [window.spidercar.frames.firstAt, window.spidercar.channels, window.answered]);
  opened.first.push(firstAt);
  opened.channel.push(channels.drive);
  opened.channelAfterAnswer.push(channels.drive - answered);
  opened.frameAfterAnswer.push(firstAt - answered);
}
tell('page: navigation to first painted frame', 'ms', opened.first);
tell('F5 page: answer applied to control channel open', 'ms', opened.channelAfterAnswer);
tell('F5 page: answer applied to first painted frame', 'ms', opened.frameAfterAnswer);

// The clocks.
let best = { way: Infinity, offset: 0 };
for (let n = 0; n < 300; n += 1) {
  const before = nowMs();
  const there = await page.evaluate(() => performance.now());
  const after = nowMs();
  if (after - before < best.way) best = { way: after - before, offset: (before + after) / 2 - there };
}

await until('a live car', async () => {
  if ((await read('state.car?.state')) === LIVE && !(await read('state.helm.gated'))) return true;
  if (!(await read('state.helm.arming'))) await page.keyboard.press('Enter');
  return false;
}, 20_000);

const atRest = () => until('outputs at rest', () => {
  const last = writes().at(-1);
  return last.steering_us === 1500 && nowMs() - last.t_us / 1000 > REST_MS;
});
const ways = [];
for (let n = 0; n < keys; n += 1) {
  const key = n % 2 ? 'KeyA' : 'KeyD';
  await atRest();
  const seen = writes().length;
  await page.evaluate(() => { window.heard.length = 0; });
  await page.keyboard.down(key);
  const write = await until('a write', () => writes()[seen]);
  const [input] = await page.evaluate(() => window.heard);
  ways.push(write.t_us / 1000 - (input.at + best.offset));
  await page.keyboard.up(key);
}
tell('F3 key event to actuator write, video running', 'ms', ways, `clocks within ${(best.way / 2).toFixed(2)} ms`);

const ages = await until(`${frames} picture ages`, async () => {
  const all = await read('latency.captureToPaintMs');
  return all.length >= frames && all.slice(-frames);
}, 120_000);
const error = await read('latency.clockErrorMs');
const size = await read('frames');
tell('F4 camera stamp to painted pixel', 'ms', ages, `${size.width}x${size.height}, clocks within ${error.toFixed(2)} ms`);
await browser.close();
