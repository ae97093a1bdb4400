// Keys in a real browser: what each page may do, what it says about it, and that no key stands in any address.
//
//   node rights.mjs PATH-TO-SPIDERCAR
//
// A Spider with keys for drivers, watchers and cars, and a car that obeys only what is sealed with its own key.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { launch, until } from './harness/browser.mjs';
import { programs } from './harness/program.mjs';

const [binary] = process.argv.slice(2);
if (!binary) { console.error('usage: node rights.mjs PATH-TO-SPIDERCAR'); process.exit(2); }
const LIVE = 1;
const folder = mkdtempSync(join(tmpdir(), 'spidercar-rights-'));
const { start, end } = programs(binary);
const browser = await launch();
let failures = 0;

/** A key as a maker makes it. */
function key(name) {
  const file = join(folder, `${name}.key`);
  const made = spawnSync(binary, ['key', file], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  return { file, text: readFileSync(file, 'utf8').trim() };
}
const keys = Object.fromEntries(['driver', 'watch', 'publish', 'car', 'other'].map((name) => [name, key(name)]));

const spider = start('spider', '--port', '0', '--tls-port', '0',
  '--driver-key-file', keys.driver.file, '--watch-key-file', keys.watch.file, '--publish-key-file', keys.publish.file);
const [, tls] = await spider.said(/tls=(\S+)/);
const [, plain] = await spider.said(/plain=(\S+)/);
const log = join(folder, 'actuator.jsonl');
start('run', '--set', `spider.url=wss://${tls}`, '--set', 'spider.insecure=true', '--set', `local.publish_key_file=${keys.publish.file}`,
  '--set', `spider.seal_key_file=${keys.car.file}`, '--set', `sim.actuator_log=${log}`, '--set', 'camera.width=640', '--set', 'camera.height=360');
const moved = () => readFileSync(log, 'utf8').trim().split('\n').some((line) => JSON.parse(line).throttle_us > 1540);

/** A page at this address, which has heard the car. `addresses` are all that it asked for. */
async function open(hash) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.addresses = [];
  page.on('request', (request) => page.addresses.push(request.url()));
  page.on('websocket', (socket) => page.addresses.push(socket.url()));
  await page.goto(`http://${plain}/${hash}`);
  await page.waitForFunction(() => window.spidercar);
  await until('a picture', () => page.evaluate(() => window.spidercar.picture.verdict === 'live'), 30_000);
  return page;
}
const shows = (page, text) => until(`"${text}" on the page`, () => page.getByText(text).filter({ visible: true }).first().isVisible(), 15_000);

/** Arm and W, again and again, until its words were there for a while; the car stands. */
async function isInVain(page, words) {
  await page.keyboard.down('KeyW');
  for (let n = 0; n < 5; n += 1) {
    await page.keyboard.press('Enter');
    await shows(page, words);
    const { car, helm } = await page.evaluate(() => window.spidercar.state);
    if (car.state === LIVE || helm.driving) throw new Error(`it drives: ${JSON.stringify(car)}`);
  }
  await page.keyboard.up('KeyW');
  if (moved()) throw new Error('the car moved');
}

async function check(sentence, run) {
  try {
    await run();
    console.log(`ok    rights: ${sentence}`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL  rights: ${sentence}: ${error.stack}`);
  }
}

await check('who has the key of watchers sees the picture, and is told that he watches', async () => {
  const page = await open(`#key=${keys.watch.text}`);
  await isInVain(page, 'Your key is for watching only');
  await page.close();
});

await check('who has the driver key and not the car’s is asked for it, and one of another car is called that', async () => {
  const page = await open(`#key=${keys.driver.text}`);
  await isInVain(page, 'Enter the car key under Details');
  const wrong = await open(`#car=${keys.other.text}&key=${keys.driver.text}`);
  await isInVain(wrong, 'is not this car’s');
  await wrong.close();
  // Typed in, it drives at once.
  await page.evaluate((text) => {
    document.getElementById('car-key').value = text;
    document.getElementById('key-form').requestSubmit();
  }, keys.car.text);
  await drives(page);
  await page.close();
});

/** Arm and W until the car moves. */
async function drives(page) {
  await until('a live car', async () => {
    const { car, helm } = await page.evaluate(() => window.spidercar.state);
    if (car?.state === LIVE && helm.driving && !helm.gated) return true;
    if (car?.state !== LIVE && !helm.arming) await page.keyboard.press('Enter');
    return false;
  }, 30_000);
  await page.keyboard.down('KeyW');
  await until('throttle in force', () => page.evaluate(() => window.spidercar.state.car?.throttle > 100), 15_000);
  await page.keyboard.up('KeyW');
  await page.evaluate(() => document.getElementById('stop').click());
}

await check('with both keys after the # it drives, and no address anywhere has a key in it', async () => {
  const page = await open(`#car=${keys.car.text}&key=${keys.driver.text}`);
  await drives(page);
  // The address bar whole; of what was asked for, what leaves the browser: a fragment does not.
  const asked = [...page.addresses, ...await page.evaluate(() => performance.getEntries().map(({ name }) => name))];
  const addresses = [page.url(), ...asked.map((url) => url.split('#')[0])];
  if (!addresses.some((url) => url.includes('/live/ws/sub'))) throw new Error(`no socket among ${addresses}`);
  const told = addresses.filter((url) => Object.values(keys).some(({ text }) => url.includes(text)));
  if (told.length > 0) throw new Error(`a key stands in ${told}`);
  await page.close();
});

end();
await browser.close();
rmSync(folder, { recursive: true, force: true });
process.exitCode = failures === 0 ? 0 : 1;
