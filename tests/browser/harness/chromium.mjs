// The system's Chromium in a window of its own on an X display, driven over CDP with nothing emulated: focus is what the desktop says.
//
// The same four calls as firefox.mjs. Most tests use browser.mjs (playwright) instead; these are for what playwright hides.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ARGS } from './browser.mjs';
import { asExpression, end, lineOf, remote } from './socket.mjs';

/** Starts Chromium on `display`. */
export async function chromium({ display, args = [] }) {
  const profile = await mkdtemp(join(tmpdir(), 'spidercar-chromium-'));
  const child = spawn(process.env.CHROMIUM ?? '/usr/bin/chromium', [
    ...ARGS, '--test-type', `--user-data-dir=${profile}`, '--remote-debugging-port=0', '--password-store=basic', '--disable-features=Translate',
    '--window-position=0,0', '--window-size=1200,860', ...args, 'about:blank',
  ], { env: { ...process.env, DISPLAY: display, HOME: profile }, stdio: ['ignore', 'ignore', 'pipe'] });
  let cdp = null;
  const close = async () => {
    cdp?.close();
    await end(child);
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const [, address] = await lineOf(child, /DevTools listening on (ws:\/\/\S+)/);
    cdp = await remote(address);
    const { targetInfos } = await cdp.call('Target.getTargets');
    const { targetId } = targetInfos.find(({ type }) => type === 'page');
    const { sessionId } = await cdp.call('Target.attachToTarget', { targetId, flatten: true });
    const call = (method, params) => cdp.call(method, params, { sessionId });
    const evaluate = async (what, ...values) => {
      const { result, exceptionDetails } = await call('Runtime.evaluate', { expression: asExpression(what, values), awaitPromise: true, returnByValue: true });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return JSON.parse(result.value).value;
    };
    return {
      name: 'chromium',
      pid: child.pid,
      /** A call of CDP in the page's session, for what is not here. */
      call,
      evaluate,
      async goto(url) {
        const { errorText } = await call('Page.navigate', { url });
        if (errorText) throw new Error(`${url}: ${errorText}`);
      },
      async screenshot() { return Buffer.from((await call('Page.captureScreenshot')).data, 'base64'); },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
