// What the page says and does by itself: the real page over a made-up link, where a browser withholds something.
//
//   node shows.mjs

import { ARGS, until } from './harness/browser.mjs';
import { chromium } from 'playwright-core';
import { serve } from './harness/server.mjs';

const { url, close } = await serve({ swap: { '/main.js': 'mock-main.js' } });
// A name that is not this machine makes plain http what it is on a LAN: not a secure context.
const NAME = 'car.test';
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...ARGS, `--host-resolver-rules=MAP ${NAME} 127.0.0.1`] });
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const DESK = { viewport: { width: 1440, height: 900 } };
let failures = 0;

async function check(what, { options = PHONE, base = url, before } = {}, body) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  try {
    if (before) await page.addInitScript(before);
    await page.goto(`${base}/`);
    await page.waitForFunction(() => window.mock?.quiet);
    await page.evaluate(() => { window.mock.open(); window.mock.video(); window.mock.setCar({}); window.mock.quiet = false; });
    await until('a parked car', async () => (await page.textContent('#state-word')) === 'Disarmed');
    await body(page, (text) => until(`"${text}"`, () => page.getByText(text).filter({ visible: true }).first().isVisible()));
    if (errors.length > 0) throw new Error(errors.join('; '));
    console.log(`ok    ${what}`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL  ${what}: ${error.message}`);
  }
  await context.close();
}

/**
 * A browser that plays nothing, not even muted, before a gesture: a phone that saves power. A finger is a gesture when it is
 * lifted (HTML, activation triggering input event). Chromium's own state is of no use: playwright's calls count as gestures.
 */
const refuseVideo = () => {
  let gesture = false;
  for (const kind of ['pointerup', 'touchend', 'mousedown', 'keydown']) window.addEventListener(kind, ({ isTrusted }) => { gesture ||= isTrusted; }, { capture: true });
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    return gesture ? play.call(this) : Promise.reject(new DOMException('no gesture', 'NotAllowedError'));
  };
  document.addEventListener('DOMContentLoaded', () => { document.getElementById('video').autoplay = false; });
};

for (const [where, spot] of [['the picture', [195, 150]], ['a thumb pad', [60, 800]]]) {
  await check(`a video that the browser refused says so, and a tap on ${where} starts it`, { before: refuseVideo }, async (page, shows) => {
    await shows('Tap to start the picture');
    await page.touchscreen.tap(...spot);
    await until('ten frames', async () => (await page.evaluate(() => window.spidercar.frames.painted)) > 10);
    await until('no word of it', async () => page.isHidden('#banner'));
  });
}

await check('a video that somebody paused grows old in what is reported to the car, and a key starts it again', { options: DESK }, async (page) => {
  await page.evaluate(() => window.mock.setCar({ state: 1, cause: 2, lease: 'mine' }));
  await until('ten frames', async () => (await page.evaluate(() => window.spidercar.frames.painted)) > 10);
  await page.evaluate(() => { document.getElementById('video').pause(); window.mock.sent.length = 0; });
  await until('reports of an old picture', () => page.evaluate(() => window.mock.sent.some(({ view }) => view && view.age_ms > 500)));
  await until('no green', async () => (await page.getAttribute('#cockpit', 'data-tone')) !== 'calm');
  await page.keyboard.press('KeyA');
  await until('green', async () => (await page.getAttribute('#cockpit', 'data-tone')) === 'calm');
  await until('a report of a new picture', () => page.evaluate(() => window.mock.sent.findLast(({ view }) => view).view.age_ms < 500));
});

await check('a phone on plain http is told that its screen may go dark', { base: url.replace('127.0.0.1', NAME) }, async (page, shows) => {
  if (await page.evaluate(() => window.isSecureContext)) throw new Error('this context is secure');
  await shows('The screen may go dark while you drive');
  await shows('Open it with https');
});

await check('a phone on a page that may keep its screen on is not', {}, async (page) => {
  await until('a figure', async () => /\d/.test(await page.textContent('#fig-latency')));
  if (await page.getByText('The screen may go dark').isVisible()) throw new Error('it is told');
});

await check('a screen that the browser no longer keeps on is told while driving', {
  before: () => { navigator.wakeLock.request = () => Promise.reject(new DOMException('battery', 'NotAllowedError')); },
}, async (page, shows) => {
  await page.evaluate(() => window.mock.setCar({ state: 1, cause: 2, lease: 'mine' }));
  await shows('The browser does not keep it on');
});

await check('a screen reader hears the reasons against arming, and each part of the news once', { options: DESK }, async (page) => {
  await page.evaluate(() => {
    window.heard = [];
    for (const id of ['say', 'alarm']) new MutationObserver(() => window.heard.push(document.getElementById(id).textContent)).observe(document.getElementById(id), { childList: true, characterData: true, subtree: true });
    window.mock.setCar({ refusals: 16 });
    window.mock.setBoard({ battery: 1, battery_mv: 6912 });
  });
  await until('the reason and the battery', () => page.evaluate(() => window.heard.join(' ').includes('Camera is down') && window.heard.join(' ').includes('battery is getting low')));
  await page.evaluate(() => window.mock.setCar({ refusals: 0, state: 1, cause: 2, lease: 'mine', limit: 400 }));
  await until('Live', () => page.evaluate(() => window.heard.join(' ').includes('Live')));
  const times = await page.evaluate(() => window.heard.filter((text) => text.includes('battery is getting low')).length);
  if (times !== 1) throw new Error(`the battery was told ${times} times`);
});

await check('who asks and gets no answer is told, and can ask again', { options: DESK }, async (page, shows) => {
  await page.evaluate(() => window.mock.setCar({ state: 0, cause: 15, lease: 77 }));
  await shows('Someone else has the controls');
  await page.click('#ask');
  await shows('Request sent');
  await shows('No answer to your request');
  await page.click('#ask');
  await shows('Request sent');
});

await check('Stop on a dead link says that it is not confirmed, until the car shows it', { options: DESK }, async (page, shows) => {
  await page.evaluate(() => window.mock.setCar({ state: 1, cause: 2, lease: 'mine' }));
  await until('Live', async () => (await page.textContent('#state-word')) === 'Live');
  await page.evaluate(() => { window.mock.silent = true; });
  await shows('No contact');
  await page.keyboard.press('Space');
  await shows('Stop is not confirmed');
  await page.evaluate(() => { window.mock.setCar({ state: 3, cause: 6, refusals: 4 }); window.mock.silent = false; });
  await shows('Stop was pressed');
  await until('no word of it', async () => !(await page.getByText('Stop is not confirmed').filter({ visible: true }).count()));
});

await browser.close();
await close();
process.exitCode = failures === 0 ? 0 : 1;
