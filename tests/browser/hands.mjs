// What leaves the page when hands do things: the real page over a made-up link, with every message kept.
//
//   node hands.mjs

import { launch, until } from './harness/browser.mjs';
import { serve } from './harness/server.mjs';

const { url, close } = await serve({ swap: { '/main.js': 'mock-main.js' } });
const browser = await launch();
const PHONE = { viewport: { width: 844, height: 390 }, hasTouch: true, isMobile: true };
let failures = 0;

/** A page of a car that is live and ours, with the gate open. */
async function driving(options = { viewport: { width: 1280, height: 800 } }) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  await page.goto(`${url}/`);
  await page.waitForFunction(() => window.mock?.quiet);
  await page.evaluate(() => { window.mock.open(); window.mock.video(); window.mock.setCar({ state: 1, cause: 2, lease: 'mine' }); window.mock.quiet = false; });
  page.read = (expression) => page.evaluate(`window.spidercar.${expression}`);
  page.sent = () => page.evaluate(() => window.mock.sent);
  page.forget = () => page.evaluate(() => { window.mock.sent.length = 0; });
  page.asks = (what, test) => until(what, async () => test(await page.read('state.helm.asked')));
  await until('an open gate', async () => { const helm = await page.read('state.helm'); return helm.driving && !helm.gated; });
  return page;
}

async function check(what, options, body) {
  const page = await driving(options);
  try {
    await body(page);
    if (page.errors.length > 0) throw new Error(page.errors.join('; '));
    console.log(`ok    ${what}`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL  ${what}: ${error.message}`);
  }
  await page.context().close();
}

const NEUTRAL = ({ throttle, steering }) => throttle === 0 && steering === 0;
const equal = (found, wanted, what) => { if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`); };

/** Two fingers, by id, through the browser's own input path. */
async function fingers(page) {
  const session = await page.context().newCDPSession(page);
  const touch = (type, points) => session.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([id, x, y]) => ({ id, x, y })) });
  return touch;
}

for (const [name, options] of [['on its side', PHONE], ['held upright', { ...PHONE, viewport: { width: 390, height: 844 } }]]) {
  await check(`two thumbs drive and steer at once, and each springs back alone, on a phone ${name}`, options, async (page) => {
    const touch = await fingers(page);
    const { width, height } = options.viewport;
    const [left, right] = [[0, width * 0.2, height * 0.86], [1, width * 0.85, height * 0.7]];
    await touch('touchStart', [left, right]);
    await page.asks('centre where the thumbs land', NEUTRAL);
    await touch('touchMove', [[0, left[1], left[2] - 60], [1, right[1] - 60, right[2]]]);
    await page.asks('forward and left', ({ throttle, steering }) => throttle > 100 && steering > 300);
    await touch('touchEnd', [[0, left[1], left[2] - 60]]);
    await page.asks('left alone', ({ throttle, steering }) => throttle === 0 && steering > 300);
    await touch('touchCancel', []);
    await page.asks('centre', NEUTRAL);
  });
}

await check('a third finger reaches Stop while both thumbs are down', PHONE, async (page) => {
  const touch = await fingers(page);
  const thumbs = [[0, 150, 300], [1, 720, 300]];
  await touch('touchStart', thumbs);
  await touch('touchMove', [[0, 150, 250], [1, 700, 300]]);
  await page.asks('driving', ({ throttle }) => throttle > 100);
  await touch('touchStart', [[0, 150, 250], [1, 700, 300], [2, 422, 330]]);
  await until('a stop', async () => (await page.sent()).some(({ stop }) => stop));
  await page.asks('neutral', NEUTRAL);
});

await check('a blur is neutral in the same message as the event', undefined, async (page) => {
  await page.keyboard.down('KeyW');
  await page.asks('throttle', ({ throttle }) => throttle > 300);
  const drive = await page.evaluate(() => {
    window.mock.sent.length = 0;
    window.dispatchEvent(new Event('blur'));
    return window.mock.sent.map(({ drive: body }) => body);
  });
  equal(drive.map(({ throttle, steering }) => [throttle, steering]), [[0, 0]], 'sent inside the blur');
});

await check('a hidden tab says neutral and falls silent; shown again it is neutral until the key is pressed anew', undefined, async (page) => {
  await page.keyboard.down('KeyW');
  await page.asks('throttle', ({ throttle }) => throttle > 300);
  const inside = await page.evaluate(() => {
    window.mock.sent.length = 0;
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
    return window.mock.sent.length;
  });
  equal(inside, 1, 'messages inside the event');
  const count = await page.evaluate(() => new Promise((resolve) => { let frames = 30; const step = () => { frames -= 1; if (frames === 0) resolve(window.mock.sent.filter(({ ping }) => !ping).length); else requestAnimationFrame(step); }; step(); }));
  equal(count, 1, 'messages half a second later');
  await page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'visible', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await until('ten messages', async () => (await page.sent()).filter(({ drive }) => drive).length > 10);
  if ((await page.sent()).some(({ drive }) => drive && drive.throttle !== 0)) throw new Error('it drove on');
  await page.keyboard.up('KeyW');
  await page.keyboard.down('KeyW');
  await page.asks('throttle', ({ throttle }) => throttle > 300);
});

await check('leaving the page is neutral and gives the lease back', undefined, async (page) => {
  await page.keyboard.down('KeyW');
  await page.asks('throttle', ({ throttle }) => throttle > 300);
  const sent = await page.evaluate(() => { window.mock.sent.length = 0; window.dispatchEvent(new Event('pagehide')); return window.mock.sent; });
  equal(sent.map(({ drive, lease }) => (drive ? [drive.throttle, drive.steering] : lease.want)), [[0, 0], 0], 'sent inside pagehide');
});

await check('Shift is precise, and two keys for one direction are one', undefined, async (page) => {
  await page.keyboard.down('Shift');
  await page.keyboard.down('KeyW');
  await page.keyboard.down('ArrowUp');
  await page.asks('a fifth: 40 % of the limit of 50 %', ({ throttle }) => throttle === 200);
  await page.keyboard.up('KeyW');
  await page.asks('still driving', ({ throttle }) => throttle === 200);
  await page.keyboard.up('ArrowUp');
  await page.asks('neutral', NEUTRAL);
});

await check('the limit moves with the slider, and the arrows drive again once the mouse let it go', undefined, async (page) => {
  const box = await page.locator('#limit').boundingBox();
  await page.mouse.click(box.x + box.width - 3, box.y + box.height / 2);
  await until('a limit of 100 %', async () => (await page.textContent('#read-limit')) === '100 %');
  await page.keyboard.down('ArrowUp');
  await page.asks('full throttle', ({ throttle }) => throttle === 1000);
});

await check('typing a driver key does not drive, and Space there still stops', undefined, async (page) => {
  await page.click('#details-button');
  await page.click('#key');
  await page.forget();
  await page.keyboard.type('wasdr');
  equal(await page.inputValue('#key'), 'wasdr', 'typed');
  if ((await page.sent()).some(({ drive, arm }) => arm || (drive && drive.throttle !== 0))) throw new Error('it drove');
  await page.keyboard.press('Space');
  await until('a stop', async () => (await page.sent()).some(({ stop }) => stop));
});

await check('Tab reaches Stop first; Enter on it stops', undefined, async (page) => {
  await page.keyboard.press('Tab');
  equal(await page.evaluate(() => document.activeElement.id), 'stop', 'focus');
  await page.keyboard.press('Enter');
  await until('a stop', async () => (await page.sent()).some(({ stop }) => stop));
  equal((await page.sent()).filter(({ arm }) => arm).length, 0, 'arms');
});

await browser.close();
await close();
process.exitCode = failures === 0 ? 0 : 1;
