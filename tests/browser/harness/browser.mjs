// One Chromium for all browser tests: the system's, headless, with a fresh profile and no background traffic.

import { chromium } from 'playwright-core';

export const ARGS = [
  '--no-sandbox', '--disable-gpu', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run',
];

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS });

/** Poll `read` until it gives something true; the deadline is a failure with `what` and the last value in it. */
export async function until(what, read, deadlineMs = 10_000) {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await read();
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what} (last: ${JSON.stringify(value)})`);
    await new Promise((resolve) => { setTimeout(resolve, 15); });
  }
}
