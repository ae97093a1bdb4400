// Opens a car's page and waits until its picture moves: what somebody sees who opens the printed address.
//
//   node look.mjs URL        prints what it saw

import { launch, until } from './harness/browser.mjs';

const browser = await launch();
const page = await browser.newPage();
await page.goto(process.argv[2]);
await page.waitForFunction(() => window.spidercar);
const painted = await until('thirty painted pictures', async () => {
  const count = await page.evaluate(() => window.spidercar.frames.painted);
  return count >= 30 && count;
}, 30_000);
console.log(`Chromium ${browser.version()} painted ${painted} pictures of the car`);
await browser.close();
