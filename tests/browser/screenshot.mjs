// The README's picture: the page at 1280 × 800 with the car being driven.
//
//   BASE_URL=http://127.0.0.1:8266 node screenshot.mjs OUT.png        without BASE_URL: the stand-in

import { launch, until } from './harness/browser.mjs';
import { standin } from './harness/standin.mjs';

const out = process.argv[2];
if (!out) {
  console.error('usage: [BASE_URL=...] node screenshot.mjs OUT.png');
  process.exit(2);
}
const browser = await launch();
const fake = process.env.BASE_URL ? null : await standin(browser);
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'dark' });
const read = (expression) => page.evaluate(`window.spidercar.${expression}`);

await page.goto(process.env.BASE_URL ?? fake.url);
await page.waitForFunction(() => window.spidercar);
// Forty bars of five frames fill the graph.
await until('a full graph', async () => (await read('latency.captureToPaintMs')).length >= 200, 30_000);
await until('a live car', async () => {
  if ((await read('state.car?.state')) === 1) return true;
  if (!(await read('state.helm.arming'))) await page.keyboard.press('Enter');
  return false;
});
await until('an open gate', async () => !(await read('state.helm.gated')));
await page.keyboard.down('KeyW');
await until('throttle at its limit', async () => (await read('state.car.throttle')) > 400);
await page.keyboard.down('KeyA');
await until('steering under way', async () => (await read('state.car.steering')) > 300);
await until('both on the screen', async () => Number(await page.textContent('#read-steering')) > 30 && Number(await page.textContent('#read-throttle')) > 40);
await page.screenshot({ path: out });
await page.keyboard.up('KeyA');
await page.keyboard.up('KeyW');
await until('neutral', async () => (await read('state.car.throttle')) === 0);
await browser.close();
await fake?.close().catch(() => {});
console.log(out);
