// A browser that drives what a test of another language tells it to, line by line.
//
//   node remote.mjs URL          stdin: "arm", "down KeyW", "up KeyW", "car"          stdout: one line of JSON for each
//
// "arm" waits until there is a picture, the car is live and the wheel is ours; "car" gives the newest telemetry and the frames painted.
// Ends with its stdin; killed, it says nothing to the car.

import { createInterface } from 'node:readline';
import { launch, until } from './harness/browser.mjs';

// Longest wait for a car to be live. choice: cars on emulated boards stop often, and are armed again.
const ARM_MS = 60_000;
const LIVE = 1;

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 960, height: 600 } });
await page.goto(process.argv[2]);
await page.waitForFunction(() => window.spidercar);
const state = () => page.evaluate(() => window.spidercar.state);
const frames = () => page.evaluate(() => window.spidercar.frames);

const commands = {
  arm: () => until('a live car and an open gate', async () => {
    const { car, helm } = await state();
    if (car?.state === LIVE && !helm.gated && (await frames()).painted > 0) return true;
    if (car && !helm.arming) await page.keyboard.press('Enter');
    return false;
  }, ARM_MS),
  down: (key) => page.keyboard.down(key),
  up: (key) => page.keyboard.up(key),
  car: async () => ({ ...(await state()).car, painted: (await frames()).painted }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...words] = line.split(' ');
  let answer;
  try {
    answer = { value: (await commands[name](...words)) ?? null };
  } catch (error) {
    answer = { error: `${error.message}; ${JSON.stringify(await state().catch(() => null))}` };
  }
  console.log(JSON.stringify(answer));
}
await browser.close();
