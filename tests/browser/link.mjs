// The page keeps itself on the car: every way a connection can end or be odd, against the stand-in.
//
//   node link.mjs
//
// One line per check; each waits for its condition with a deadline.

import { launch, until } from './harness/browser.mjs';
import { CHANNEL, standin } from './harness/standin.mjs';

const browser = await launch();
const fake = await standin(browser);
const car = (expression) => fake.car.evaluate(`window.car.${expression}`);
let failures = 0;

async function open(path = '/') {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  await page.goto(`${fake.url}${path}`);
  await page.waitForFunction(() => window.spidercar);
  page.read = (expression) => page.evaluate(`window.spidercar.${expression}`);
  page.drives = (deadline) => until('an open link, telemetry and new frames', async () => {
    const painted = page.lastPainted ?? 0;
    const now = await page.read('frames.painted');
    const good = (await page.read('state.link.phase')) === 'open' && (await page.read('state.car')) !== null && now > painted + 3;
    if (good) page.lastPainted = now;
    return good;
  }, deadline);
  page.since = async () => { page.lastPainted = await page.read('frames.painted'); };
  return page;
}

async function check(what, body) {
  const pages = [];
  const show = async (path) => { const page = await open(path); pages.push(page); return page; };
  try {
    const found = await body(show);
    const errors = pages.flatMap((page) => page.errors);
    if (errors.length > 0) throw new Error(errors.join('; '));
    console.log(`ok    ${what}${found === undefined ? '' : `: ${found}`}`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL  ${what}: ${error.message}`);
  }
  fake.spider.behave = 'well';
  await car('mute(false)');
  for (const page of pages) await page.close();
}

const arm = (page) => until('a live car', async () => {
  if ((await page.read('state.car?.state')) === 1) return true;
  if (!(await page.read('state.helm.arming'))) await page.keyboard.press('Enter');
  return false;
});

await check('the channel of the address wins over the list, and the key goes along but not in the address bar', async (show) => {
  const page = await show('/?channel=c0000000000000000000#key=s3cret%20%26');
  await page.drives();
  const url = new URL(fake.requests.at(-1), 'http://x');
  if (url.searchParams.get('channel') !== 'c0000000000000000000' || url.href.includes('s3cret')) throw new Error(url.href);
  if (fake.protocols.at(-1).replaceAll(' ', '') !== 'spidercar,spidercar.key.s3cret%20%26') throw new Error(fake.protocols.at(-1));
  if (url.searchParams.get('vcodec') !== 'h264') throw new Error('no vcodec');
  if (page.url().includes('s3cret')) throw new Error(page.url());
});

await check('without one, the first channel on the air is taken', async (show) => {
  const page = await show('/');
  await page.drives();
  if (new URL(fake.requests.at(-1), 'http://x').searchParams.get('channel') !== CHANNEL) throw new Error(fake.requests.at(-1));
});

await check('the picture is H.264', async (show) => {
  const page = await show('/');
  return until('a codec', () => page.read('figures.codec'));
});

await check('the server may renegotiate without a break', async (show) => {
  const page = await show('/');
  await page.drives();
  const { since } = await page.read('state.link');
  await car('renegotiate()');
  await page.drives();
  if ((await page.read('state.link.since')) !== since) throw new Error('the link was made anew');
});

await check('a socket that dies while the media lives changes nothing', async (show) => {
  const page = await show('/');
  await page.drives();
  const { since } = await page.read('state.link');
  for (const socket of fake.viewers.values()) { socket.removeAllListeners('close'); socket.terminate(); }
  fake.viewers.clear();
  await page.drives();
  await page.drives();
  if ((await page.read('state.link.since')) !== since) throw new Error('the link was made anew');
});

await check('a Spider that dies is called again, and the car is driven again', async (show) => {
  const page = await show('/');
  await page.drives();
  await arm(page);
  const before = performance.now();
  await page.since();
  await car('drop()');
  for (const socket of fake.viewers.values()) socket.terminate();
  await until('a new link', async () => (await page.read('state.link.phase')) !== 'open');
  await page.drives(5000);
  const back = performance.now() - before;
  await arm(page);
  return `picture back after ${Math.round(back)} ms`;
});

await check('a car that falls silent without a socket is given up soon', async (show) => {
  const page = await show('/');
  await page.drives();
  for (const socket of fake.viewers.values()) { socket.removeAllListeners('close'); socket.terminate(); }
  fake.viewers.clear();
  await fake.car.evaluate(() => { window.car.mute(true); window.car.blind = true; });
  await until('the banner', async () => (await page.textContent('#banner-title')) !== '' && await page.isVisible('#banner'));
  await until('a new attempt', async () => (await page.read('state.link.why')) === 'silent', 5000);
  await fake.car.evaluate(() => { window.car.mute(false); window.car.blind = false; });
  await page.drives();
});

for (const [behave, words] of [['error', 'channel is on fire'], ['close', 'closed by the Spider'], ['refuse', 'may want a driver key'], ['forbid', 'may want a driver key'], ['full', 'too many are watching']]) {
  await check(`a Spider that answers with “${behave}” is named and tried again`, async (show) => {
    fake.spider.behave = behave;
    const page = await show('/');
    await until(`"${words}"`, () => page.locator('#banner-text', { hasText: words }).isVisible());
    fake.spider.behave = 'well';
    await page.drives(8000);
  });
}

await check('a driver key given by hand is used', async (show) => {
  fake.spider.behave = 'forbid';
  const page = await show('/');
  await page.getByText('Driver key…').click();
  await page.keyboard.type('hunter2');
  fake.spider.behave = 'well';
  await page.keyboard.press('Enter');
  await page.drives();
  if (!fake.protocols.at(-1).endsWith('spidercar.key.hunter2')) throw new Error(fake.protocols.at(-1));
});

await check('a second viewer watches, cannot arm, and can stop', async (show) => {
  const driver = await show('/');
  await driver.drives();
  await arm(driver);
  const watcher = await show('/');
  await until('the watcher’s card', () => watcher.locator('#card', { hasText: 'Someone else' }).isVisible());
  // The watcher's own count: a neutral from before it knew may still be on its way to the car.
  const before = await watcher.read('state.helm.sent');
  await watcher.keyboard.press('Enter');
  await watcher.keyboard.press('Space');
  await until('a latched stop', () => car('latched'));
  const after = await watcher.read('state.helm.sent');
  for (const kind of ['drive', 'neutral', 'arm', 'calibrate']) {
    if (after[kind] !== before[kind]) throw new Error(`the watcher sent ${kind}: ${before[kind]}, then ${after[kind]}`);
  }
  if (after.stop === before.stop) throw new Error('the stop that latched was not the watcher’s');
  await until('the driver’s card', () => driver.locator('#card-text', { hasText: 'Stop was pressed' }).isVisible());
});

await check('a driver who leaves gives the car to the next', async (show) => {
  const driver = await show('/');
  await driver.drives();
  await arm(driver);
  await driver.goto('about:blank');
  const next = await show('/');
  await next.drives();
  await arm(next);
});

await browser.close();
await fake.close().catch(() => {});
process.exitCode = failures === 0 ? 0 : 1;
