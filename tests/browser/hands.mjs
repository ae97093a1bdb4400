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
  // The pads of this page are what the test says; the page's own reader reads them.
  await page.addInitScript(() => { window.pads = []; window.padsRead = 0; navigator.getGamepads = () => { window.padsRead += 1; return window.pads; }; });
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

// ---- gamepads, through the page's own reader ----
const PAD = { index: 0, id: 'A pad', connected: true, mapping: 'standard', axes: [0, 0, 0, 0], trigger: 0, buttons: [] };
/** Shows the page one pad (or none), as the browser would, until the page has read it. */
const pad = (page, shown) => page.evaluate((next) => new Promise((resolve) => {
  const before = window.padsRead;
  const isRead = () => { if (window.padsRead > before + 1) resolve(); else setTimeout(isRead, 5); };
  isRead();
  window.pads = next === null ? [] : [{
    ...next, buttons: Array.from({ length: 17 }, (_, n) => { const value = n === 7 ? next.trigger : Number(next.buttons.includes(n)); return { value, pressed: value > 0 }; }),
  }];
}), shown === null ? null : { ...PAD, ...shown });
const driven = (page) => page.asks('throttle from the trigger', ({ throttle }) => throttle > 300);
/** The page reads the pad and sends ten more messages, none of which moves anything. */
async function stays(page, what) {
  const { drive, neutral } = await page.read('state.helm.sent');
  await until('ten more messages', async () => (await page.read('state.helm.sent.neutral')) >= neutral + 10);
  if ((await page.read('state.helm.sent.drive')) !== drive) throw new Error(`${what}: it drove`);
}
const stopped = { state: 3, cause: 6, refusals: 4, lease: 'mine' };
for (const [what, gap] of [
  ['a blur', (page) => page.evaluate(() => { window.dispatchEvent(new Event('blur')); window.dispatchEvent(new Event('focus')); })],
  ['a drop-out', async (page) => { await pad(page, null); await page.asks('neutral', NEUTRAL); }],
  ['a drop-out between two readings', (page) => page.evaluate(() => { const event = new Event('gamepaddisconnected'); event.gamepad = { index: 0 }; window.dispatchEvent(event); })],
  ['Stop and Arm', async (page) => {
    await pad(page, { trigger: 0.8, buttons: [1] });
    await until('a stop', async () => (await page.sent()).some(({ stop }) => stop));
    await page.evaluate((car) => { window.mock.setCar(car); }, stopped);
    await pad(page, { trigger: 0.8, buttons: [0] });
    await until('an arm', async () => (await page.sent()).some(({ arm }) => arm));
    await page.evaluate(() => { window.mock.setCar({ state: 1, cause: 2, refusals: 0, lease: 'mine' }); });
  }],
]) {
  await check(`a trigger that is held over ${what} counts for nothing until it was at its centre`, undefined, async (page) => {
    await pad(page, {});
    await pad(page, { trigger: 0.8 });
    await driven(page);
    await gap(page);
    for (const trigger of [0.8, 0.81, 0.79]) { await pad(page, { trigger }); await stays(page, `a trigger at ${trigger}`); }
    await until('the word', () => page.getByText('not at its centre').isVisible());
    await pad(page, {});
    await until('a pad that counts', async () => !(await page.read('state.helm.gated')) && !(await page.getByText('not at its centre').isVisible()));
    await pad(page, { trigger: 0.8 });
    await driven(page);
  });
}
await check('a pad that appears held while the car is live moves nothing, and blocks no keys', undefined, async (page) => {
  await pad(page, { trigger: 0.6 });
  await stays(page, 'a new pad');
  await page.keyboard.down('KeyW');
  await page.asks('throttle by the key', ({ throttle }) => throttle === 500);
  await page.keyboard.up('KeyW');
  await stays(page, 'W is up');
});
await check('a pad of unknown layout is named', undefined, async (page) => {
  await page.evaluate(() => { window.mock.setCar({ state: 0, cause: 9, lease: 0 }); });
  await pad(page, { mapping: '', id: 'Odd Wheel', trigger: 1 });
  await until('its name', () => page.getByText('“Odd Wheel”').isVisible());
});

// ---- what takes a finger away ----
const at = (page, x, y) => { const { width, height } = page.viewportSize(); return [x * width, y * height]; };
/** The left thumb drives. */
async function thumb(page, id = 0) {
  const touch = await fingers(page);
  const [x, y] = at(page, 0.12, 0.85);
  await touch('touchStart', [[id, x, y]]);
  await touch('touchMove', [[id, x, y - 60]]);
  await page.asks('throttle by a thumb', ({ throttle }) => throttle > 100);
  return { touch, x, y: y - 60 };
}
await check('a second finger on the same pad springs back to centre, and the first has to be put down anew', PHONE, async (page) => {
  const { touch, x, y } = await thumb(page);
  await touch('touchStart', [[0, x, y], [1, x + 60, y]]);
  await page.asks('centre', NEUTRAL);
  await touch('touchMove', [[0, x, y - 30], [1, x + 60, y - 30]]);
  await stays(page, 'two fingers');
  await touch('touchEnd', []);
  await thumb(page);
});
await check('a phone that is turned lets go of the thumb', PHONE, async (page) => {
  const { touch, x, y } = await thumb(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.asks('centre', NEUTRAL);
  await touch('touchMove', [[0, x, y - 20]]);
  await stays(page, 'the old thumb');
});
await check('a thumb that rests long on its pad goes on, menu or not', PHONE, async (page) => {
  const { touch, x, y } = await thumb(page);
  const asked = await page.evaluate(({ left, top }) => {
    const event = new PointerEvent('contextmenu', { bubbles: true, cancelable: true, pointerType: 'touch', clientX: left, clientY: top });
    document.getElementById('pad-throttle').dispatchEvent(event);
    return event.defaultPrevented;
  }, { left: x, top: y });
  if (!asked) throw new Error('the menu was not refused');
  const { drive } = await page.read('state.helm.sent');
  await until('fifty more commands', async () => (await page.read('state.helm.sent.drive')) >= drive + 50);
  await touch('touchEnd', []);
  await page.asks('centre', NEUTRAL);
});
await check('a mouse whose up was lost lets go at its next move', undefined, async (page) => {
  const box = await page.locator('#pad-throttle').boundingBox();
  await page.mouse.move(box.x + 90, box.y + 200);
  await page.mouse.down();
  await page.mouse.move(box.x + 90, box.y + 140);
  await page.asks('throttle', ({ throttle }) => throttle > 100);
  await page.evaluate(() => document.getElementById('pad-throttle').dispatchEvent(new PointerEvent('pointermove', { pointerId: 1, pointerType: 'mouse', buttons: 0, clientX: 90, clientY: 200, bubbles: true })));
  await page.asks('centre', NEUTRAL);
});

// ---- magnified ----
/** Two fingers that move from one distance (from the middle, in px) to another. */
async function pinch(page, x, y, from, to) {
  const touch = await fingers(page);
  const points = (distance) => [[0, x - distance, y], [1, x + distance, y]];
  await touch('touchStart', points(from));
  for (let step = 1; step <= 12; step += 1) await touch('touchMove', points(from + ((to - from) * step) / 12));
  await touch('touchEnd', []);
}
const scale = (page) => page.evaluate('visualViewport.scale');
for (const [name, viewport] of [['on its side', PHONE.viewport], ['held upright', { width: 390, height: 844 }]]) {
  await check(`a pinch anywhere leaves the page as it is, on a phone ${name}`, { ...PHONE, viewport }, async (page) => {
    for (const [x, y] of [[0.5, 0.3], [0.25, 0.85], [0.5, 0.5], [0.75, 0.08]]) {
      await pinch(page, ...at(page, x, y), 20, 90);
      if ((await scale(page)) !== 1) throw new Error(`${await scale(page)} at ${x}, ${y}`);
    }
  });
}
await check('a page that is magnified all the same is neutral, says so, and two fingers make it small again', PHONE, async (page) => {
  await page.keyboard.down('KeyW');
  await page.asks('throttle', ({ throttle }) => throttle > 300);
  const session = await page.context().newCDPSession(page);
  await session.send('Emulation.setPageScaleFactor', { pageScaleFactor: 2 });
  await until('a magnified page', async () => (await scale(page)) > 1.5);
  await page.asks('neutral', NEUTRAL);
  await until('the word', async () => (await page.textContent('#card-title')) === 'The page is magnified');
  await page.keyboard.up('KeyW');
  await page.keyboard.down('KeyW');
  await stays(page, 'W pressed anew');
  const { arm } = await page.read('state.helm.sent');
  await page.keyboard.press('Enter');
  await stays(page, 'Enter');
  equal((await page.read('state.helm.sent')).arm, arm, 'arms');
  await page.keyboard.up('KeyW');
  await pinch(page, ...at(page, 0.25, 0.25), 90, 20);
  await until('a whole page', async () => (await scale(page)) <= 1.01);
  await until('a page that drives', () => page.read('state.helm.driving'));
  await page.keyboard.down('KeyW');
  await page.asks('throttle', ({ throttle }) => throttle > 300);
});

// ---- buttons ----
await check('Escape closes an open drawer: it stops a live car and leaves a standing one as it was', undefined, async (page) => {
  for (const [state, stops] of [[{ state: 0, cause: 9, lease: 0 }, false], [{ state: 1, cause: 2, lease: 'mine' }, true]]) {
    await page.evaluate((car) => { window.mock.setCar(car); }, state);
    await page.click('#details-button');
    await page.forget();
    await page.keyboard.press('Escape');
    await until('a closed drawer', async () => !(await page.isVisible('#details')));
    equal((await page.sent()).some(({ stop }) => stop), stops, `a stop in state ${state.state}`);
  }
});
await check('Escape with a drawer open stops when nothing new is known of the car', undefined, async (page) => {
  await page.evaluate(() => { window.mock.setCar({ state: 0, cause: 9, lease: 0 }); window.mock.quiet = true; });
  await page.click('#details-button');
  const heard = performance.now();
  await until('old telemetry', () => performance.now() - heard > 1500);
  await page.forget();
  await page.keyboard.press('Escape');
  equal((await page.sent()).some(({ stop }) => stop), true, 'a stop');
});
await check('no button that was clicked takes Enter from Arm', undefined, async (page) => {
  await page.evaluate(() => { window.mock.calibration(); });
  for (const id of ['details-button', 'details-button', 'workshop-button', 'bench-sure', 'bench-more', 'workshop-close', 'stop']) {
    await page.click(`#${id}`);
    const wheels = await page.read('bench.sure');
    const { arm } = await page.read('state.helm.sent');
    await page.keyboard.press('Enter');
    if (id !== 'stop') await until(`an arm after ${id}`, async () => (await page.read('state.helm.sent.arm')) > arm);
    equal(await page.read('bench.sure'), wheels, `wheels up after ${id}`);
    equal(await page.evaluate(() => document.activeElement.tagName), 'BODY', `focus after ${id}`);
    await page.evaluate(() => { window.mock.setCar({ state: 1, cause: 2, lease: 'mine' }); });
  }
});

// ---- no control lies over a pad ----
const THUMBS = { hasTouch: true, isMobile: true };
for (const [width, height, more] of [[390, 844, THUMBS], [844, 390, THUMBS], [667, 375, THUMBS], [568, 320, THUMBS], [768, 1024, THUMBS], [1024, 768, THUMBS], [1024, 768, {}], [1440, 900, {}], [2560, 1440, {}]]) {
  await check(`no control lies over a pad at ${width} × ${height}${more.hasTouch ? ', touched' : ''}`, { viewport: { width, height }, ...more }, async (page) => {
    const cars = { live: { state: 1, lease: 'mine' }, 'asked for': { state: 1, lease: 'mine', asker: 77 }, ready: { state: 0, lease: 0, asker: 0 }, stopped: { state: 3, cause: 6, refusals: 4 | 8 | 32, lease: 'mine' } };
    for (const [name, car] of Object.entries(cars)) {
      await page.evaluate((next) => { window.mock.setCar(next); window.mock.setVideo({ cameras: 2 }); window.mock.calibration(); }, car);
      const found = await page.evaluate(() => {
        const boxes = (selector) => [...document.querySelectorAll(selector)].filter((element) => element.checkVisibility()).map((element) => ({ id: element.id || element.className, box: element.getBoundingClientRect() }));
        const over = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
        const pads = boxes('.pad');
        const controls = boxes('button, input, .limit');
        return { pads: pads.length, limit: controls.filter(({ id }) => id === 'limit').length, over: controls.flatMap(({ id, box }) => pads.filter((each) => over(box, each.box)).map((each) => `${id} over ${each.id}`)), off: controls.filter(({ box }) => box.left < 0 || box.right > innerWidth || box.top < 0 || box.bottom > innerHeight).map(({ id }) => id) };
      });
      equal(found, { pads: 2, limit: 2, over: [], off: [] }, name);
    }
  });
}

await browser.close();
await close();
process.exitCode = failures === 0 ? 0 : 1;
