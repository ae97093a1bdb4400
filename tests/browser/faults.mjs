// What the page says when the car, its picture or the relay fails: a real car, a real Spider, a real browser.
//
//   node faults.mjs PATH-TO-SPIDERCAR [CASE...]
//
//   killed   kill -9 the car        frozen   SIGSTOP, and Stop meanwhile      stalled  the camera alone stands still
//   deaf     the relay drops drive  late     the device's clock falls behind     full     too many watch
//
// A recorder looks after each painted frame of the page: green is never shown for news that is older than it may be. It runs in
// the page's own thread after the page has drawn, so a slow machine cannot make it see what a driver would not.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch, until } from './harness/browser.mjs';
import { programs } from './harness/program.mjs';
import { serve } from './harness/server.mjs';

const [binary, ...only] = process.argv.slice(2);
if (!binary) { console.error('usage: node faults.mjs PATH-TO-SPIDERCAR [CASE...]'); process.exit(2); }
const [LIVE, STOPPED, STOP_LATCHED] = [1, 3, 4];
const folder = mkdtempSync(join(tmpdir(), 'spidercar-faults-'));
const log = join(folder, 'actuator.jsonl');
const { start, end, left } = programs(binary);
const browser = await launch();
let failures = 0;

/** Runs in the page before its own code: what it claims against what it was told, after each frame it drew. */
function recorder() {
  const record = { broken: [], frames: 0, greenest: 0 };
  window.record = record;
  // Longest age of green news: the limit of the source (a car that reports five times a second) and one turn of the words.
  const [CAR_MS, PICTURE_MS, WORDS_MS] = [1000, 500, 250];
  let reports = 0;
  let reportedAt = performance.now();
  const channel = new MessageChannel();
  channel.port1.onmessage = () => {
    const { spidercar } = window;
    if (spidercar === undefined) return;
    const now = performance.now();
    const { car, messages } = spidercar.state;
    if (messages.car !== reports) [reports, reportedAt] = [messages.car, now];
    const { tone } = document.getElementById('cockpit').dataset;
    record.frames += 1;
    if (tone !== 'calm') return;
    const ages = { car: now - reportedAt, picture: now - (spidercar.frames.lastAt ?? -Infinity) };
    record.greenest = Math.max(record.greenest, ages.car, ages.picture);
    if (car === null || ages.car > CAR_MS + WORDS_MS || ages.picture > PICTURE_MS + WORDS_MS) record.broken.push(ages);
  };
  const look = () => { requestAnimationFrame(look); channel.port2.postMessage(0); };
  requestAnimationFrame(look);
}

async function rig({ faults = [], car: more = [], before } = {}) {
  const spider = start('spider', '--port', '0', '--tls-port', '0', ...faults.flatMap((fault) => ['--fault', fault]));
  const [, url] = await spider.said(/(http:\/\/\S+)/);
  const [, tls] = await spider.said(/tls=(\S+)/);
  const car = () => start('run', '--set', `spider.url=wss://${tls}`, '--set', 'spider.insecure=true', '--set', `sim.actuator_log=${log}`, '--set', 'camera.width=640', '--set', 'camera.height=360', ...more);
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  await page.addInitScript(recorder);
  if (before) await page.addInitScript(before);
  const first = car();
  await page.goto(url);
  await page.waitForFunction(() => window.spidercar);
  const read = (expression) => page.evaluate(`window.spidercar.${expression}`);
  const shows = (text) => until(`"${text}" on the page`, () => page.getByText(text).filter({ visible: true }).first().isVisible(), 15_000);
  const verdict = (wanted) => until(`news: ${wanted}`, async () => (await read('picture')).verdict === wanted, 30_000);
  return {
    page, read, shows, verdict, spider, car, first,
    /** As a driver would: Enter until the car is live, the gate is open and the page is green; again whenever this computer stood still. */
    async drive() {
      await verdict('live');
      await until('a live car and green', async () => {
        const { car: said, helm } = await read('state');
        if (said?.state === LIVE && helm.driving && !helm.gated) return (await page.getAttribute('#cockpit', 'data-tone')) === 'calm';
        if (said?.state !== LIVE && !helm.arming) await page.keyboard.press('Enter');
        return false;
      }, 30_000);
    },
    /** W held until `moves` says so: let go, armed and held again if the car stopped meanwhile. */
    async hold(what, moves) {
      await page.keyboard.down('KeyW');
      await until(what, async () => {
        if (await moves()) return true;
        const { car: said } = await read('state');
        if (said !== null && said.state !== LIVE) { await page.keyboard.up('KeyW'); await this.drive(); await page.keyboard.down('KeyW'); }
        return false;
      }, 60_000);
    },
    tone: () => page.getAttribute('#cockpit', 'data-tone'),
  };
}

/** Nothing on the page looks like now: no green, no rates, and an age that is old or not there. */
async function nothingLooksCurrent({ page, tone }) {
  await until('no green, no rates, an old picture', async () => {
    const [latency, fps, rate, throttle] = await Promise.all(['#fig-latency', '#fig-fps', '#fig-rate', '#read-throttle'].map((id) => page.textContent(id)));
    const age = Number(latency.replace('>', ''));
    return (await tone()) !== 'calm' && fps === '–' && rate === '–' && throttle === '–' && (latency === '–' || age >= 500);
  }, 5000);
  if (await page.getByText('you are driving').filter({ visible: true }).count() > 0) throw new Error('it says that we drive');
}

async function check(name, what, options, body) {
  if (only.length > 0 && !only.includes(name)) return;
  let made;
  try {
    made = await rig(options);
    const found = await body(made);
    const record = await made.page.evaluate(() => window.record);
    if (record.frames === 0) throw new Error('the recorder saw nothing');
    if (record.broken.length > 0) throw new Error(`green for old news: ${JSON.stringify(record.broken.slice(0, 3))}`);
    if (made.page.errors.length > 0) throw new Error(made.page.errors.join('; '));
    console.log(`ok    ${what}${found === undefined ? '' : `: ${found}`}; green for news of ${Math.round(record.greenest)} ms at most`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL  ${what}: ${error.message}`);
    if (made) console.log(JSON.stringify({ state: await made.read('state').catch(() => null), picture: await made.read('picture').catch(() => null), words: await made.page.textContent('.notices').catch(() => '') }));
  }
  if (made && process.env.SHOTS) await made.page.screenshot({ path: join(process.env.SHOTS, `fault-${name}.png`) }).catch(() => {});
  await made?.page.close();
  end();
  await until('their ends', () => left() === 0);
}

await check('killed', 'a car that is killed is lost at once, and back on the same link', {}, async (it) => {
  await it.drive();
  await it.hold('throttle on the page', async () => Number(await it.page.textContent('#read-throttle')) > 10);
  const { since } = await it.read('state.link');
  it.first.kill('SIGKILL');
  await it.shows('Lost contact');
  await nothingLooksCurrent(it);
  await it.page.keyboard.up('KeyW');
  // A silent car is no reason to dial: eight seconds of it were, once.
  await until('ten seconds of silence', async () => (await it.page.textContent('#banner-text')).includes('Nothing heard for 10'), 20_000);
  await it.shows('the server answers');
  it.car();
  await it.drive();
  if ((await it.read('state.link.since')) !== since) throw new Error('the link was dialled anew');
});

await check('frozen', 'a car that is frozen is lost, and a Stop says that it is not confirmed until it is', {}, async (it) => {
  await it.drive();
  it.first.kill('SIGSTOP');
  await it.shows('No contact');
  await nothingLooksCurrent(it);
  await it.page.keyboard.press('Space');
  await it.shows('Stop is not confirmed');
  it.first.kill('SIGCONT');
  await until('a latched stop', async () => { const car = await it.read('state.car'); return car?.state === STOPPED && (car.refusals & STOP_LATCHED) !== 0; }, 30_000);
  await it.shows('Stop was pressed');
  await until('no word of an unconfirmed stop', async () => !(await it.page.getByText('Stop is not confirmed').isVisible()));
});

await check('stalled', 'a camera that stands still while the car speaks is told, and reported as old', { car: ['--set', 'sim.faults=camera-stall@9000'] }, async (it) => {
  await it.drive();
  const old = await until('a picture older than half a second on a car that speaks', async () => {
    const picture = await it.read('picture');
    return picture.verdict === 'blind' && picture.ms > 500 && (await it.tone()) !== 'calm' && Math.round(picture.ms);
  }, 20_000);
  await it.verdict('live');
  return `${old} ms`;
});

await check('deaf', 'a relay that drops what is said on drive is driven over stream', { faults: ['drop-drive'] }, async (it) => {
  await it.drive();
  await it.hold('throttle at the outputs', () => readFileSync(log, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line)).at(-1).throttle_us > 1560);
  await it.page.keyboard.up('KeyW');
  await it.page.click('#details-button');
  await it.shows('stream: the server drops drive');
});

await check('late', 'a driver whose clock fell behind is told what the car waits for, and Arm pressed meanwhile does no harm', {
  // A device that slept: its clock stood still for so long, and goes on behind.
  before: () => {
    let [behind, last] = [0, 0];
    const real = performance.now.bind(performance);
    window.sleepFor = (ms) => { behind += ms; };
    performance.now = () => { last = Math.max(last, real() - behind); return last; };
  },
}, async (it) => {
  await it.drive();
  await it.page.evaluate(() => window.sleepFor(600));
  await until('late commands in words, Arm pressed all the while', async () => {
    await it.page.keyboard.press('Enter');
    return (await it.page.textContent('#card-text')).includes('Your commands reach the car late');
  }, 15_000);
  await it.drive();
});

/** Runs in a page: viewers come until one finds no place; the close code it gets. */
async function fillUp() {
  window.kept = [];
  const channel = new URL(location.href).searchParams.get('channel');
  for (let n = 0; n < 64; n += 1) {
    const pc = new RTCPeerConnection();
    pc.createDataChannel('metric');
    await pc.setLocalDescription();
    const socket = new WebSocket(`ws://${location.host}/live/ws/sub?channel=${channel}`);
    window.kept.push(pc, socket);
    const code = await new Promise((resolve) => {
      socket.onopen = () => socket.send(JSON.stringify({ type: 'offer', data: pc.localDescription.sdp }));
      // Who does not connect loses his place after twenty seconds.
      socket.onmessage = ({ data }) => {
        const { type, data: sdp } = JSON.parse(data);
        if (type === 'answer') pc.setRemoteDescription({ type, sdp }).then(() => resolve(0));
      };
      socket.onclose = (event) => resolve(event.code);
    });
    if (code !== 0) return code;
  }
  return 0;
}

await check('full', 'a channel with no place left is called full, and no key is asked for', {}, async (it) => {
  await it.verdict('live');
  const code = await it.page.evaluate(fillUp);
  if (code !== 1013) throw new Error(`closed with ${code}`);
  const late = await browser.newPage();
  await late.goto(it.page.url());
  await until('the words', () => late.getByText('This channel is full').filter({ visible: true }).first().isVisible());
  if (await late.getByText('Driver key…').isVisible()) throw new Error('it asks for a key');
  // Watchers do not lock a driver out: a place is kept for whoever says so.
  await late.locator('#take').click();
  await until('the driver’s place', () => late.evaluate(() => window.spidercar.state.link.phase === 'open'), 15_000);
  const next = await browser.newPage();
  await next.goto(it.page.url());
  await until('the words', () => next.getByText('This channel is full').filter({ visible: true }).first().isVisible());
  await next.locator('#take').click();
  await until('the words for a driver', () => next.getByText('somebody has the driver’s place').filter({ visible: true }).first().isVisible());
  await next.close();
  await late.close();
});

await check('foreign', 'a page of another site in the same browser opens no socket, and no name leads to this computer', {}, async (it) => {
  await it.verdict('live');
  const { host, search } = new URL(it.page.url());
  const socket = (page) => page.evaluate((url) => new Promise((resolve) => {
    const ws = new WebSocket(url);
    ws.onopen = () => resolve('open');
    ws.onclose = ({ code }) => resolve(code);
  }), `ws://${host}/live/ws/sub${search}`);
  if ((await socket(it.page)) !== 'open') throw new Error('its own page opens none');
  const other = await serve();
  const foreign = await browser.newPage();
  await foreign.goto(other.url);
  const got = await socket(foreign);
  await foreign.close();
  await other.close();
  if (got !== 1006) throw new Error(`another page got ${got}`);
  // As a browser asks that was told that 127.0.0.1 is evil.example.
  const status = (name) => new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: host.split(':')[1], path: '/', headers: { host: name } }, (response) => resolve(response.resume().statusCode)).on('error', reject);
  });
  const statuses = [await status(host), await status('evil.example')];
  if (statuses.join() !== '200,421') throw new Error(`answers ${statuses}`);
});

end();
await browser.close();
rmSync(folder, { recursive: true, force: true });
process.exitCode = failures === 0 ? 0 : 1;
