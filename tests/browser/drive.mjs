// End to end: a browser drives a running car, and the actuator log is the judge.
//
//   BASE_URL=http://127.0.0.1:8266 ACTUATOR_LOG=/tmp/actuator.jsonl node drive.mjs
//   node drive.mjs                     the same against the stand-in of harness/, with nothing built
//
// One line per check. Each waits for its condition with a deadline; none waits a fixed time.

import { readFileSync } from 'node:fs';
import { launch, until } from './harness/browser.mjs';
import { standin } from './harness/standin.mjs';

const NEUTRAL_US = Number(process.env.NEUTRAL_US ?? 1500);
const browser = await launch();
const fake = process.env.BASE_URL ? null : await standin(browser);
const base = process.env.BASE_URL ?? fake.url;
const log = process.env.ACTUATOR_LOG ?? fake?.log;
if (!log) throw new Error('ACTUATOR_LOG must name the car’s actuator log (sim.actuator_log)');

/** All actuator writes so far. A last line that is not whole yet is left for the next reading. */
const writes = () => readFileSync(log, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
const last = () => writes().at(-1);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
const errors = [];
page.on('pageerror', (error) => errors.push(error.message));
page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
const read = (expression) => page.evaluate(`window.spidercar.${expression}`);
const carIs = async (state) => (await read('state.car?.state')) === state;
const [DISARMED, LIVE, , STOPPED] = [0, 1, 2, 3];

let failed = false;
async function check(what, body) {
  try {
    const found = await body();
    console.log(`ok    ${what}${found === undefined ? '' : `: ${found}`}`);
  } catch (error) {
    failed = true;
    console.log(`FAIL  ${what}: ${error.message}`);
    const state = await read('state').catch(() => 'no test surface');
    console.log(JSON.stringify({ state, frames: await read('frames').catch(() => null), lastWrites: writes().slice(-5), errors }, null, 1));
  }
}

/** Arm with the key, when the car has no more to say against it. */
async function arm() {
  await until('an armed car', async () => {
    if (await carIs(LIVE)) return true;
    if (!(await read('state.helm.arming'))) await page.keyboard.press('Enter');
    return false;
  });
  await until('an open gate', async () => !(await read('state.helm.gated')));
}
const throttleRises = () => until('throttle above neutral in the log', () => last().throttle_us > NEUTRAL_US + 60 && last());
const throttleIsNeutral = () => until('neutral in the log', () => last().throttle_us === NEUTRAL_US && last());

await check('the page opens', async () => { await page.goto(base); await page.waitForFunction(() => window.spidercar); });
await check('the first frame is painted', async () => {
  await until('a painted frame', () => read('frames.painted'), 15_000);
  return `${Math.round(await read('frames.firstAt'))} ms from navigation`;
});
await check('frames advance', async () => {
  const before = await read('frames.painted');
  await until('30 more frames', async () => (await read('frames.painted')) > before + 30);
});
await check('channels are open', async () => {
  await until('drive, stream and metric', async () => Object.keys(await read('channels')).length === 3);
  return JSON.stringify(Object.fromEntries(Object.entries(await read('channels')).map(([label, at]) => [label, Math.round(at)])));
});
await check('telemetry arrives', () => until('telemetry', () => read('state.car?.v')).then(() => undefined));
await check('the stamp gives the picture’s age', async () => {
  const samples = await until('30 samples', async () => { const all = await read('latency.captureToPaintMs'); return all.length >= 30 && all; });
  return `median ${median(samples).toFixed(1)} ms, clock within ${(await read('latency.clockErrorMs')).toFixed(1)} ms, reading ${(await read('latency.readingMs')).toFixed(2)} ms a frame`;
});
await check('the car is disarmed and the log is neutral', async () => { await until('disarmed', () => carIs(DISARMED)); await throttleIsNeutral(); });
await check('a key does nothing while disarmed', async () => {
  const accepted = await read('state.car.accepted');
  await page.keyboard.down('KeyW');
  await until('twenty more accepted commands', async () => (await read('state.car.accepted')) >= accepted + 20);
  if (last().throttle_us !== NEUTRAL_US) throw new Error(`throttle moved: ${JSON.stringify(last())}`);
  await page.keyboard.up('KeyW');
});
await check('Enter arms', arm);
await check('holding W raises the throttle', async () => { await page.keyboard.down('KeyW'); return `${(await throttleRises()).throttle_us} µs`; });
await check('the page shows the throttle', () => until('a rising figure', async () => Number(await page.textContent('#read-throttle')) > 10).then(() => undefined));
await check('the page shows that we drive', () => until('Live', async () => (await page.textContent('#state-word')) === 'Live').then(() => undefined));
await check('holding A steers', async () => {
  await page.keyboard.down('KeyA');
  await until('steering off centre', () => last().steering_us !== 1500);
  await page.keyboard.up('KeyA');
});
await check('releasing W is neutral', async () => { await page.keyboard.up('KeyW'); await throttleIsNeutral(); });
await check('inputs are sent inside their event', async () => {
  const waits = (await read('inputs')).map(({ inputAt, sentAt }) => sentAt - inputAt);
  if (waits.length === 0) throw new Error('no input was recorded');
  return `median ${median(waits).toFixed(2)} ms, worst ${Math.max(...waits).toFixed(2)} ms of ${waits.length}`;
});
await check('telemetry on the page changes', async () => {
  const before = await read('state.car.accepted');
  await until('more accepted commands', async () => (await read('state.car.accepted')) > before);
});
await check('a blur while holding W is neutral', async () => {
  await page.keyboard.down('KeyW');
  await throttleRises();
  await page.evaluate(() => window.dispatchEvent(new Event('blur')));
  await throttleIsNeutral();
  await page.keyboard.up('KeyW');
});
await check('and the wheel is taken again with a click', async () => {
  await page.mouse.click(640, 300);
  await until('attention', () => read('state.helm.attentive'));
  await arm();
  await page.keyboard.down('KeyW');
  await throttleRises();
  await page.keyboard.up('KeyW');
  await throttleIsNeutral();
});
await check('a thumb on the pad drives, and springs back', async () => {
  const box = await page.locator('#gauge-throttle').boundingBox();
  await page.mouse.move(box.x + 8, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + 8, box.y + 30, { steps: 4 });
  await throttleRises();
  await page.mouse.up();
  await throttleIsNeutral();
});
await check('Space stops while W is held, and stays stopped', async () => {
  await page.keyboard.down('KeyW');
  await throttleRises();
  await page.keyboard.press('Space');
  await throttleIsNeutral();
  await until('a latched stop', async () => (await carIs(STOPPED)) && ((await read('state.car.refusals')) & 4));
  const accepted = await read('state.car.accepted');
  await until('ten more accepted commands', async () => (await read('state.car.accepted')) >= accepted + 10);
  if (last().throttle_us !== NEUTRAL_US) throw new Error('throttle moved after stop');
  await page.keyboard.up('KeyW');
  return page.textContent('#card-text');
});
await check('Space on the focused Arm button does not arm', async () => {
  await page.locator('#arm').focus();
  const armed = await read('state.helm.sent.arm');
  await page.keyboard.press('Space');
  if ((await read('state.helm.sent.arm')) !== armed) throw new Error('it armed');
});
await check('the Arm button goes on after a stop', async () => {
  await until('a live car', async () => { if (await carIs(LIVE)) return true; await page.locator('#arm').click({ timeout: 1000 }).catch(() => {}); return false; });
});
await check('the Stop button stops', async () => {
  await page.locator('#stop').click();
  await until('a latched stop', async () => (await carIs(STOPPED)) && ((await read('state.car.refusals')) & 4));
});
await check('a page that goes away leaves a neutral car', async () => {
  await arm();
  await page.keyboard.down('KeyW');
  await throttleRises();
  await page.goto('about:blank');
  await throttleIsNeutral();
});
await check('nothing was logged as an error', () => { if (errors.length > 0) throw new Error(errors.join('; ')); });

await browser.close();
await fake?.close().catch(() => {});
process.exitCode = failed ? 1 : 0;
