// A key or button whose release never comes: real browsers on a real desktop, real keys, menus and windows.
//
//   node held.mjs [chromium] [firefox]                            the page over a made-up link, in both or the named browsers
//   BASE_URL=... ACTUATOR_LOG=... node held.mjs [chromium]        a running car, whose actuator log is the judge too
//
// Each check holds something until the car is asked to move, takes the release away, and wants neutral while nothing but the
// finger on the key has changed. ONLY=words runs the checks whose names have them.

import { readFileSync } from 'node:fs';
import { until } from './harness/browser.mjs';
import { chromium } from './harness/chromium.mjs';
import { undisturbed } from './harness/course.mjs';
import { desktop, middleOf, onScreen } from './harness/desktop.mjs';
import { firefox } from './harness/firefox.mjs';
import { serve } from './harness/server.mjs';

const NEUTRAL_US = Number(process.env.NEUTRAL_US ?? 1500);
const { BASE_URL: base, ACTUATOR_LOG: log, ONLY: only = '' } = process.env;
const names = process.argv.length > 2 ? process.argv.slice(2) : ['chromium', 'firefox'];
const web = base ? null : await serve({ swap: { '/main.js': 'mock-main.js' } });
const desk = await desktop();
const HELD = ['w', 'd', 'm', 'Up', 'shift', 'alt', 'ctrl', 'super'];
let failures = 0;

const lines = () => readFileSync(log, 'utf8').split('\n').slice(0, -1);
const written = () => (log ? JSON.parse(lines().at(-1)) : null);

for (const name of names) {
  const browser = await { chromium, firefox }[name]({ display: desk.display });
  const read = (expression) => browser.evaluate(`window.spidercar.${expression}`);
  const click = async (selector) => { const { x, y } = await middleOf(browser, selector); await desk.move(x, y); await desk.click(); };
  const toPicture = async () => { const { x, y } = await onScreen(browser, 600, 300); await desk.move(x, y); };
  const stops = () => read('state.helm.sent.stop');

  /** A page whose car is live and ours, in front, with the pointer on the picture. */
  async function driving() {
    await browser.goto(base ?? web.url);
    await until('the page', () => browser.evaluate(base ? 'Boolean(window.spidercar)' : 'Boolean(window.mock?.quiet)'), 30_000);
    if (!base) await browser.evaluate(() => { window.mock.open(); window.mock.video(); window.mock.calibration({ remote: 1 }); window.mock.setCar({ state: 1, cause: 2, lease: 'mine' }); window.mock.quiet = false; });
    await toPicture();
    await desk.click();
    await until('the focus', () => browser.evaluate('document.hasFocus()'));
    await drivable();
  }
  async function drivable() {
    await until('a live car and an open gate', async () => {
      const { helm, car } = await read('state');
      if (helm.driving && !helm.gated) return true;
      if (base && car && car.state !== 1 && !helm.arming) await desk.tap('Return');
      return false;
    }, 20_000);
  }
  /** Holds a key until the car is asked to move (and moves). A car that its computer stopped meanwhile is armed again. */
  async function hold(key = 'w') {
    await desk.down(key);
    await until('throttle', async () => {
      const { helm, car } = await read('state');
      if (helm.asked.throttle > 100 && (!log || written().throttle_us > NEUTRAL_US + 60)) return true;
      if (base && car?.state !== 1) { await desk.up(key); await drivable(); await desk.down(key); }
      return false;
    });
  }
  /** Neutral is asked for, and ten times more; the car's log says the same. */
  async function neutral(what) {
    await until(`neutral: ${what}`, async () => { const { asked, tuning } = await read('state.helm'); return asked.throttle === 0 && asked.steering === 0 && !tuning; }, 5000);
    const before = await read('state.helm.sent');
    await until('ten more messages', async () => (await read('state.helm.sent.neutral')) >= before.neutral + 10);
    const after = await read('state.helm.sent');
    if (after.drive !== before.drive || after.calibrate !== before.calibrate) throw new Error(`${what}: it went on: ${JSON.stringify([before, after])}`);
    if (log) await until(`neutral in the log: ${what}`, () => written().throttle_us === NEUTRAL_US);
  }
  async function wheelsUp() {
    await until('an open panel', async () => { if (await read('bench.open')) return true; await click('#workshop-button'); return false; });
    await click('#bench-sure');
    await until('the hold button', () => browser.evaluate(() => !document.getElementById('hold').hidden));
    await browser.evaluate(() => [...document.querySelectorAll('.chip')].find((chip) => chip.textContent.startsWith('First')).click());
  }
  const pulse = () => until('a pulse', async () => (await read('state.helm.tuning')) && (!log || (written().cause === 'calibrate' && written().throttle_us > NEUTRAL_US + 20)));

  /** Ends what a check holds. */
  async function letGo() {
    for (const button of [1, 3]) await desk.lift(button);
    for (const key of HELD) await desk.up(key);
    if (await browser.evaluate('document.fullscreenElement !== null')) await browser.evaluate('document.exitFullscreen()');
    await desk.tap('Escape');
  }
  /** One line of the report; a course that this computer cut by standing still is done anew. */
  async function check(what, body) {
    if (!`${name}: ${what}`.includes(only)) return;
    let told = '';
    const course = async () => {
      try {
        await driving();
        await body();
      } catch (error) {
        told = JSON.stringify({ state: await read('state').catch(() => null), written: written() });
        throw error;
      } finally {
        await letGo();
      }
    };
    try {
      await undisturbed(() => (log ? lines().map((line) => JSON.parse(line).cause) : []), course);
      console.log(`ok    ${name}: ${what}`);
    } catch (error) {
      failures += 1;
      console.log(`FAIL  ${name}: ${what}: ${error.message}`);
      console.log(told);
    }
  }

  await check('W held for three seconds drives all the time, and D takes nothing from it', async () => {
    await hold();
    for (const key of ['', 'd', '']) {
      if (key) { await desk.down(key); await until('steering', async () => (await read('state.helm.asked.steering')) < -100); await desk.up(key); }
      const { drive } = await read('state.helm.sent');
      await until('seventy more commands', async () => (await read('state.helm.sent.drive')) >= drive + 70);
      if ((await read('state.helm.asked.throttle')) < 100) throw new Error('it let go');
    }
    await desk.up('w');
    await neutral('W is up');
  });
  await check('a right click on the picture lets go, and W has to be pressed anew', async () => {
    await hold();
    await desk.click(3);
    await neutral('a right click');
    await desk.up('w');
    await neutral('W is up');
    await hold();
  });
  await check('a menu that the page is not asked about (Shift and a right click) lets go, and Space, Escape in it move nothing', async () => {
    await hold();
    await desk.down('shift');
    await desk.click(3);
    await desk.up('w');
    await desk.up('shift');
    await neutral('a menu');
    await desk.tap('space');
    await desk.tap('Escape');
    await neutral('the menu is closed');
  });
  for (const key of ['alt', 'ctrl', 'super', 'F10', 'Menu']) {
    await check(`${key} while W is held lets go`, async () => {
      await hold();
      await desk.down(key);
      await desk.up('w');
      await desk.up(key);
      await neutral(key);
      await desk.tap('Escape');
    });
  }
  await check('a window that is dragged by its title takes the key-up: W falls silent and counts no more', async () => {
    await hold();
    await until('a repeating key', async () => { const { drive } = await read('state.helm.sent'); return drive > 60; });
    const { x, y } = await titleOf(browser);
    await desk.move(x, y);
    await desk.press();
    await desk.move(x + 20, y + 20);
    await desk.up('w');
    await neutral('the window manager has the keyboard');
    await desk.move(x, y);
    await desk.lift();
    await neutral('the drag is over');
  });
  await check('a drag of text lets go', async () => {
    await click('#details-button');
    await browser.evaluate(() => { window.getSelection().selectAllChildren(document.querySelector('#details-rows dl')); });
    await hold();
    const { x, y } = await middleOf(browser, '#details-rows dt');
    await desk.move(x, y);
    await desk.press();
    for (const by of [4, 8, 16, 40]) await desk.move(x - by, y + by);
    await desk.up('w');
    await neutral('a drag');
    await desk.lift();
  });
  await check('a text field lets go, and what is typed there does not drive', async () => {
    await click('#details-button');
    await hold();
    await browser.evaluate(() => document.getElementById('key').scrollIntoView());
    await click('#key');
    await neutral('a text field');
  });
  await check('another window lets go', async () => {
    await hold();
    await desk.xdo('getactivewindow', 'windowminimize');
    await until('a car that is let go', async () => (await read('state.helm.asked.throttle')) === 0);
    await desk.up('w');
    await desk.xdo('search', '--onlyvisible', '--class', '.').catch(() => '');
    if (log) await until('neutral in the log', () => written().throttle_us === NEUTRAL_US);
    const windows = (await desk.xdo('search', '--class', name === 'firefox' ? 'firefox' : 'chromium')).split('\n');
    for (const window of windows) await desk.xdo('windowmap', window).catch(() => {});
    for (const window of windows) await desk.xdo('windowactivate', window).catch(() => {});
    await until('the focus', () => browser.evaluate('document.hasFocus() && document.visibilityState === "visible"'));
    await neutral('the window is back');
  });
  // The window's new size comes in a frame of its own, and with it the page lets go: a key before that is no hold.
  const settled = () => browser.evaluate('new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(() => resolve(true))); })');
  const fullScreen = async () => {
    await click('#full');
    await until('full screen', () => browser.evaluate('document.fullscreenElement !== null && innerHeight === screen.height'));
    await settled();
  };
  await check('Escape in full screen leaves it and stops the car', async () => {
    await fullScreen();
    await drivable();
    await hold();
    await desk.tap('Escape');
    await until('a window', () => browser.evaluate('document.fullscreenElement === null'));
    await until('a stop', stops);
    await neutral('full screen is over');
  });
  await check('our own button leaves full screen without a stop', async () => {
    await fullScreen();
    await drivable();
    await click('#full');
    await until('a window', () => browser.evaluate('document.fullscreenElement === null'));
    await neutral('a window again');
    if (await stops() > 0) throw new Error('it stopped');
  });
  await check('after a click on Full screen and on Details, Enter arms; Escape closes Details and stops a live car', async () => {
    const arms = () => read('state.helm.sent.arm');
    for (const id of ['full', 'full', 'details-button', 'details-button']) {
      const full = await browser.evaluate('document.fullscreenElement !== null');
      await click(`#${id}`);
      if (id === 'full') await until('the other size', async () => (await browser.evaluate('document.fullscreenElement !== null')) !== full);
      await drivable();
      const before = await arms();
      await desk.tap('Return');
      await until(`an arm after a click on ${id}`, async () => (await arms()) > before);
    }
    await click('#details-button');
    await drivable();
    await hold();
    await desk.tap('Escape');
    await until('a stop', stops);
    if (!(await browser.evaluate(() => document.getElementById('details').hidden))) throw new Error('Details is open');
    await neutral('Escape');
  });
  await check('a pulse that M holds ends at a right click, and M has to be pressed anew', async () => {
    await wheelsUp();
    await toPicture();
    await desk.down('m');
    await pulse();
    await desk.click(3);
    await neutral('a right click');
    await desk.up('m');
    await desk.down('m');
    await pulse();
    await desk.up('m');
    await neutral('M is up');
  });
  for (const [what, take] of [['Alt', () => desk.tap('alt')], ['a menu that the page is not asked about', async () => { await desk.down('shift'); await desk.click(3); await desk.up('shift'); }]]) {
    await check(`a pulse that M holds ends with ${what}`, async () => {
      await wheelsUp();
      await toPicture();
      await desk.down('m');
      await pulse();
      await take();
      await desk.up('m');
      await neutral('the pulse');
    });
  }
  await check('a pulse that the mouse holds ends when its other button is pressed', async () => {
    await wheelsUp();
    const { x, y } = await middleOf(browser, '#hold');
    await desk.move(x, y);
    await desk.press();
    await pulse();
    await desk.press(3);
    await neutral('both buttons');
  });
  await browser.close();
}

/** A place in the title of the browser's window: the frame that the window manager drew, or the browser's own strip of tabs. */
async function titleOf(browser) {
  const geometry = await desk.xdo('getactivewindow', 'getwindowgeometry', '--shell');
  const [left, top, width] = ['X', 'Y', 'WIDTH'].map((key) => Number(geometry.match(new RegExp(`^${key}=(-?\\d+)$`, 'm'))[1]));
  return { x: left + width * 0.6, y: Math.max(2, top - 8) };
}

await desk.close();
await web?.close();
process.exitCode = failures === 0 ? 0 : 1;
