// End to end: a browser drives a running car, and the actuator log is the judge.
//
//   BASE_URL=http://127.0.0.1:8266 ACTUATOR_LOG=/tmp/actuator.jsonl node drive.mjs
//   node drive.mjs                     the same against the stand-in of harness/, with nothing built
//
// One line per check. Each waits for its condition with a deadline; none waits a fixed time.

import { readFileSync } from 'node:fs';
import { launch, until } from './harness/browser.mjs';
import { undisturbed } from './harness/course.mjs';
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

async function opened() {
  await page.goto(base);
  await page.waitForFunction(() => window.spidercar);
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
/** Nothing is held, no panel is open, the page has the driver's attention. */
async function letGo() {
  if (!(await page.evaluate('Boolean(window.spidercar)'))) await opened();
  for (const key of ['KeyW', 'KeyA']) await page.keyboard.up(key);
  await page.mouse.up();
  await until('a closed panel', async () => { if (!(await read('bench.open'))) return true; await page.locator('#workshop-close').click({ timeout: 1000 }).catch(() => {}); return false; });
  if (!(await read('state.helm.attentive'))) await page.mouse.click(640, 300);
}
/** A check that begins with an armed car, and does this first; anew where this computer stood still and cut it. */
const driven = (what, begin, body) => check(what, () => undisturbed(() => writes().map(({ cause }) => cause), async () => {
  await letGo();
  await arm();
  await begin();
  return body();
}));
const throttleRises = () => until('throttle above neutral in the log', () => last().throttle_us > NEUTRAL_US + 60 && last());
const holdW = async () => { await page.keyboard.down('KeyW'); return throttleRises(); };
const nothing = async () => {};
const throttleIsNeutral = () => until('neutral in the log', () => last().throttle_us === NEUTRAL_US && last());

await check('the page opens', opened);
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
await driven('holding W raises the throttle', nothing, async () => `${(await holdW()).throttle_us} µs`);
await driven('the page shows the throttle', holdW, () => until('a rising figure', async () => Number(await page.textContent('#read-throttle')) > 10).then(() => undefined));
await driven('the page shows that we drive', holdW, () => until('Live', async () => (await page.textContent('#state-word')) === 'Live').then(() => undefined));
await driven('holding A steers', holdW, async () => {
  await page.keyboard.down('KeyA');
  await until('steering off centre', () => last().steering_us !== 1500);
  await page.keyboard.up('KeyA');
});
await driven('releasing W is neutral', holdW, async () => { await page.keyboard.up('KeyW'); await throttleIsNeutral(); });
await check('inputs are sent inside their event', async () => {
  const waits = (await read('inputs')).map(({ inputAt, sentAt }) => sentAt - inputAt);
  if (waits.length === 0) throw new Error('no input was recorded');
  return `median ${median(waits).toFixed(2)} ms, worst ${Math.max(...waits).toFixed(2)} ms of ${waits.length}`;
});
await check('telemetry on the page changes', async () => {
  const before = await read('state.car.accepted');
  await until('more accepted commands', async () => (await read('state.car.accepted')) > before);
});
await driven('a blur while holding W is neutral', holdW, async () => {
  await page.evaluate(() => window.dispatchEvent(new Event('blur')));
  await throttleIsNeutral();
  await page.keyboard.up('KeyW');
});
await check('a click gives the page attention again', async () => {
  if (await read('state.helm.attentive')) throw new Error('it has it already');
  await page.mouse.click(640, 300);
  await until('attention', () => read('state.helm.attentive'));
});
await driven('and the wheel is taken again', holdW, async () => {
  await page.keyboard.up('KeyW');
  await throttleIsNeutral();
});
await driven('a thumb on the pad drives, and springs back', nothing, async () => {
  const box = await page.locator('#gauge-throttle').boundingBox();
  await page.mouse.move(box.x + 8, box.y + 100);
  await page.mouse.down();
  await page.mouse.move(box.x + 8, box.y + 30, { steps: 4 });
  await throttleRises();
  await page.mouse.up();
  await throttleIsNeutral();
});
await driven('Space stops while W is held, and stays stopped', holdW, async () => {
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

// Calibrating: the same car, its wheels up, one output at a time.
const calibrating = (with_) => (fake ? async (what) => console.log(`SKIPPED  ${what}: the stand-in has no calibration`) : with_);
const [checked, tuned] = [calibrating(check), calibrating((what, body) => driven(what, wheelsUp, body))];
const bench = (what) => read(`bench.${what}`);
const pulseIs = (wanted) => until(`pulses ${JSON.stringify(wanted)} in the log`, () => Object.entries(wanted).every(([name, us]) => last()[name] === us) && last());
const chip = (name) => page.locator('#workshop .chip', { hasText: name });
/** Opens the panel and says that the wheels are up. */
async function wheelsUp() {
  await until('an open panel', async () => { if (await bench('open')) return true; await page.locator('#workshop-button').click({ timeout: 1000 }).catch(() => {}); return false; });
  await page.locator('#bench-sure').click();
  await until('the hold button', () => page.locator('#hold').isVisible());
}
async function holdDown() {
  const box = await page.locator('#hold').boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
}
await tuned('the panel opens, and the controls count for nothing in it', async () => {
  const accepted = await read('state.car.accepted');
  await page.keyboard.down('KeyW');
  await until('twenty more accepted commands', async () => (await read('state.car.accepted')) >= accepted + 20);
  await page.keyboard.up('KeyW');
  if (last().throttle_us !== NEUTRAL_US) throw new Error(`throttle moved: ${JSON.stringify(last())}`);
});
await tuned('a pulse is out while it is held, and the page shows its microseconds live', async () => {
  await chip('First').click();
  const before = writes().length;
  await holdDown();
  const us = await bench('pulses.forward_zero_us');
  await pulseIs({ throttle_us: us, steering_us: 1500 });
  await until('the figure', async () => (await page.textContent('#bench-out')) === `out now: ${us} µs`);
  await page.keyboard.press('Tab'); // the other hand, without letting go
  await page.locator('#bench-more-ten').evaluate((button) => button.click());
  await pulseIs({ throttle_us: us + 10 });
  await page.mouse.up();
  await pulseIs({ throttle_us: NEUTRAL_US });
  const moved = writes().slice(before).filter(({ throttle_us: throttle }) => throttle !== NEUTRAL_US);
  if (moved.some(({ cause, steering_us: steering }) => cause !== 'calibrate' || steering !== 1500)) throw new Error(JSON.stringify(moved.slice(0, 3)));
  return `${us} and ${us + 10} µs`;
});
await checked('Revert gives up what was measured', async () => {
  if (!(await bench('dirty'))) throw new Error('nothing was measured');
  await page.locator('#bench-revert').click();
  await until('a clean bench', async () => !(await bench('dirty')));
});
await tuned('Save changes the car’s neutral, once it stands', async () => {
  await chip('Straight').click();
  if ((await bench('pulses.steering_zero_us')) === 1500) await page.locator('#bench-more-ten').click();
  await page.locator('#bench-save').click();
  await pulseIs({ throttle_us: NEUTRAL_US, steering_us: 1510 });
  return until('the word that it is saved', async () => (await page.textContent('#bench-note')).startsWith('Saved') && page.textContent('#bench-note'));
});
await tuned('Stop while a pulse is held is neutral, latched, and closes the panel', async () => {
  await chip('First').click();
  await holdDown();
  await until('a pulse', () => last().throttle_us > NEUTRAL_US + 20);
  await page.keyboard.press('Space');
  await pulseIs({ throttle_us: NEUTRAL_US });
  await until('a latched stop', async () => (await carIs(STOPPED)) && ((await read('state.car.refusals')) & 4));
  await until('a closed panel', async () => !(await bench('open')));
  await page.mouse.up();
  await page.locator('#workshop-button').click({ timeout: 1000 }).catch(() => {});
  if (await bench('open')) throw new Error('it can be opened without Arm');
});
await tuned('Arm leaves the Stop, and a pulse can be held again', async () => {
  await holdDown();
  await until('a pulse', () => last().throttle_us > NEUTRAL_US + 20);
  await page.mouse.up();
  await pulseIs({ throttle_us: NEUTRAL_US });
});
await tuned('Reset is the configuration’s neutral again', async () => {
  await page.locator('#bench-reset').click();
  await pulseIs({ steering_us: 1500 });
  await until('nothing saved', () => bench('report').then((report) => report.saved === 0 && report.in_force === 1));
  await page.locator('#workshop-close').click();
  // The page lets the car go by itself after a Reset; telemetry tells of it a moment later.
  await until('a car that was let go', () => carIs(DISARMED));
});
await calibrating(driven)('and the closed panel gives the controls back', nothing, async () => {
  if (await bench('open')) throw new Error('Enter opened the panel again');
  await holdW();
  await page.keyboard.up('KeyW');
  await throttleIsNeutral();
});
await driven('a page that goes away leaves a neutral car', holdW, async () => {
  await page.goto('about:blank');
  await throttleIsNeutral();
});
await check('nothing was logged as an error', () => { if (errors.length > 0) throw new Error(errors.join('; ')); });

await browser.close();
await fake?.close().catch(() => {});
process.exitCode = failed ? 1 : 0;
