// A real X desktop for one browser: Xvfb, the window manager openbox, and a hand (xdotool) that presses real keys and buttons.
//
// The keys repeat as a keyboard's do (the X server's own repeat), menus grab the keyboard, and windows lose the focus: what no
// emulated input shows.

import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { end } from './socket.mjs';

const run = promisify(execFile);

/** Starts an X display with a window manager on a free number. */
export async function desktop({ width = 1280, height = 900 } = {}) {
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', `${width}x${height}x24`, '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  let number = '';
  for await (const bytes of server.stdio[3]) {
    number += bytes;
    if (number.endsWith('\n')) break;
  }
  if (!/^\d+\n$/.test(number)) throw new Error('Xvfb did not start');
  const display = `:${number.trim()}`;
  const env = { ...process.env, DISPLAY: display };
  const manager = spawn('openbox', ['--sm-disable'], { env, stdio: 'ignore' });
  await once(manager, 'spawn');
  const xdo = async (...words) => (await run('xdotool', words.map(String), { env, timeout: 20_000 })).stdout.trim();
  return {
    display,
    xdo,
    down: (key) => xdo('keydown', key),
    up: (key) => xdo('keyup', key),
    tap: (key) => xdo('key', key),
    move: (x, y) => xdo('mousemove', Math.round(x), Math.round(y)),
    press: (button = 1) => xdo('mousedown', button),
    lift: (button = 1) => xdo('mouseup', button),
    click: (button = 1) => xdo('click', button),
    async close() {
      await end(manager);
      await end(server);
    },
  };
}

/** Where a point of the page is on the screen. */
export const onScreen = (browser, x, y) => browser.evaluate((px, py) => {
  const [left, top] = window.mozInnerScreenX === undefined
    ? [window.screenX + (window.outerWidth - window.innerWidth) / 2, window.screenY + window.outerHeight - window.innerHeight]
    : [window.mozInnerScreenX, window.mozInnerScreenY];
  return { x: left + px, y: top + py };
}, x, y);

/** The middle of an element, on the screen. */
export async function middleOf(browser, selector) {
  const { x, y } = await browser.evaluate((wanted) => {
    const box = document.querySelector(wanted).getBoundingClientRect();
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  }, selector);
  return onScreen(browser, x, y);
}
