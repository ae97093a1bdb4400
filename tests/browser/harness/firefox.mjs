// The system's Firefox with a fresh profile, driven over WebDriver BiDi. Nothing is emulated: focus is what the desktop says.
//
//   const browser = await firefox();                 headless; firefox({ display: ':5' }) shows a window on that X display
//   await browser.goto('http://127.0.0.1:8266/');
//   await browser.evaluate('window.spidercar.state'); await browser.evaluate((id) => document.getElementById(id).hidden, 'card');
//   await browser.close();

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asExpression, end, lineOf, remote } from './socket.mjs';

/** No traffic of its own, no first-run pages; and not the settings that Firefox makes up for tests: they fake the focus. */
const PREFS = {
  'remote.prefs.recommended': false,
  'focusmanager.testmode': false,
  'app.update.enabled': false, 'app.update.auto': false, 'app.normandy.enabled': false,
  'browser.aboutwelcome.enabled': false, 'browser.shell.checkDefaultBrowser': false, 'browser.startup.homepage_override.mstone': 'ignore',
  'browser.startup.page': 0, 'browser.newtabpage.enabled': false, 'browser.tabs.warnOnClose': false, 'browser.sessionstore.resume_from_crash': false,
  'browser.topsites.contile.enabled': false, 'browser.region.network.url': '', 'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false, 'browser.search.update': false, 'extensions.update.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false, 'datareporting.policy.dataSubmissionPolicyBypassNotification': true,
  'termsofuse.bypassNotification': true, 'trailhead.firstrun.didSeeAboutWelcome': true, 'browser.preonboarding.enabled': false,
  'toolkit.telemetry.enabled': false, 'toolkit.telemetry.server': '', 'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false, 'services.settings.server': 'data:,#remote-settings-dummy/v1', 'dom.push.connection.enabled': false,
  'signon.rememberSignons': false, 'media.autoplay.default': 0, 'full-screen-api.warning.timeout': 0, 'toolkit.startup.max_resumed_crashes': -1,
};

/** Starts Firefox. `display`: an X display, or none for headless; `prefs` are set besides; `args` are passed on. */
export async function firefox({ display = null, prefs = {}, args = [] } = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'spidercar-firefox-'));
  const lines = Object.entries({ ...PREFS, ...prefs }).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
  await writeFile(join(profile, 'user.js'), lines.join('\n'));
  const env = { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: '1', GDK_BACKEND: 'x11', NO_AT_BRIDGE: '1' };
  if (display) env.DISPLAY = display;
  const child = spawn(process.env.FIREFOX ?? '/usr/bin/firefox-esr', [
    '--profile', profile, '--no-remote', '--new-instance', '--remote-debugging-port', '0', ...(display ? [] : ['--headless']), ...args, 'about:blank',
  ], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let bidi = null;
  const close = async () => {
    bidi?.close();
    await end(child);
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const [, address] = await lineOf(child, /WebDriver BiDi listening on (ws:\/\/\S+)/);
    bidi = await remote(`${address}/session`);
    await bidi.call('session.new', { capabilities: {} });
    const { contexts: [{ context }] } = await bidi.call('browsingContext.getTree');
    return {
      name: 'firefox',
      pid: child.pid,
      /** A call of WebDriver BiDi, for what is not here. `context` is the tab. */
      call: bidi.call,
      context,
      goto: (url) => bidi.call('browsingContext.navigate', { context, url, wait: 'complete' }),
      async evaluate(what, ...values) {
        const { type, result, exceptionDetails } = await bidi.call('script.evaluate', {
          expression: asExpression(what, values), target: { context }, awaitPromise: true,
        });
        if (type !== 'success') throw new Error(exceptionDetails?.text ?? 'evaluate failed');
        return JSON.parse(result.value).value;
      },
      async screenshot() { return Buffer.from((await bidi.call('browsingContext.captureScreenshot', { context })).data, 'base64'); },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
