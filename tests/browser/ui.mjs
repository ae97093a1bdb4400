// Every state of the page, shown without a car: the real page over a made-up link, in three sizes of screen.
//
//   node ui.mjs [SCENE...]        `words`: every cause and refusal; SHOTS=folder keeps the screenshots there (else a fresh temporary folder)
//
// Each scene says what must be readable; each size checks that Stop is whole, on the screen and on top.

import { mkdtemp, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch, until } from './harness/browser.mjs';
import { serve } from './harness/server.mjs';
import { CAUSES, obstaclesIn, REFUSALS } from '../../src/spider/viewer/words.js';

const SIZES = {
  laptop: { viewport: { width: 1280, height: 800 } },
  landscape: { viewport: { width: 844, height: 390 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
  portrait: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
};

/** name → [what to do in the page, texts that must be visible]. `m` is the mock. */
const SCENES = {
  calling: [(m) => m.setStatus({ phase: 'signalling' }), ['Calling the Spider']],
  unreachable: [(m) => m.setStatus({ phase: 'waiting', why: 'unreachable', retryAt: performance.now() + 2800 }), ['No connection', 'The Spider does not answer', 'Trying again in 3 s', 'Try now']],
  refused: [(m) => m.setStatus({ phase: 'waiting', why: 'refused', detail: 'channel unknown', retryAt: performance.now() + 800 }), ['may want a driver key', 'channel unknown', 'Driver key…']],
  full: [(m) => m.setStatus({ phase: 'waiting', why: 'full', retryAt: performance.now() + 1800 }), ['This channel is full: too many are watching', 'Trying again', 'Drive']],
  bad_channel: [(m) => m.setStatus({ phase: 'waiting', why: 'bad_channel', retryAt: performance.now() + 1800 }), ['an id has 20 characters']],
  no_word: [(m) => m.open(), ['Waiting for the car', 'the car is not there yet']],
  no_picture: [(m) => { m.open(); m.setCar({ refusals: 512 }); }, ['No picture yet', 'Press Arm to drive']],
  camera_down: [(m) => { m.open(); m.setCar({ refusals: 16 }); }, ['Camera is down', 'cannot be armed yet']],
  ready: [(m) => { m.open(); m.video(); m.setCar({}); }, ['Disarmed', 'Ready to drive', 'Press Arm to drive']],
  driving: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: 430, steering: 380 }); }, ['Live', 'forward', 'left']],
  snow: [(m) => { m.snow = true; m.open(); m.video(); m.setCar({ state: 0, throttle: -300, steering: -700 }); }, ['Ready to drive']],
  reverse: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: -300, steering: -700 }); }, ['Live', 'reverse', 'right']],
  rear: [(m) => { m.open(); m.video(); m.setVideo({ cameras: 2, camera: 1 }); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: -300 }); }, ['Live', 'reverse', 'Rear camera', 'auto']],
  rear_wish: [(m) => {
    m.open(); m.video(); m.setVideo({ cameras: 2 }); m.setCar({ state: 1, cause: 2, lease: 'mine' });
    setTimeout(() => window.dispatchEvent(new KeyboardEvent('keydown', { code: 'KeyV' })), 400);
    setTimeout(() => { const { camera } = m.sent.findLast(({ camera: said }) => said); if (camera.key === 'view' && camera.value === 2) m.setVideo({ camera: 1 }); }, 800);
  }, ['Rear camera', 'rear']],
  rear_low: [(m) => { m.open(); m.video(); m.setVideo({ cameras: 2, camera: 1 }); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: -300 }); m.calibration(); m.setBoard({ battery: 1, battery_mv: 6912 }); }, ['Rear camera', 'The battery is getting low']],
  coasting: [(m) => { m.open(); m.video(); m.setCar({ state: 2, cause: 4, lease: 'mine', throttle: 200, age_ms: 130 }); }, ['Coasting', '0.1\u00a0s']],
  silence: [(m) => { m.open(); m.video(); m.setCar({ state: 3, cause: 5, lease: 'mine', age_ms: 204, refusals: 256 + 8 }); m.setCar({ state: 0, cause: 15, refusals: 256 }); }, ['Disarmed', 'nothing arrived from you for 0.2', 'Press Arm to go on.']],
  stopped: [(m) => { m.open(); m.video(); m.setCar({ state: 3, cause: 6, lease: 'mine', refusals: 4 + 256 }); }, ['Stopped', 'Stop was pressed']],
  refusals: [(m) => { m.open(); m.video(); m.setCar({ state: 3, cause: 7, refusals: 1 | 2 | 8 | 32 | 64 | 128 }); }, ['Stopped', 'lost its link', 'Motor or servo output fails', 'Let go of the controls first']],
  watching: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 77, throttle: 250 }); }, ['Someone else is driving', 'Ask for control', 'you are watching']],
  held_parked: [(m) => { m.open(); m.video(); m.setCar({ state: 0, cause: 15, lease: 77 }); }, ['Someone else has the controls', 'The car is parked', 'Ask for control']],
  held_stopped: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 77 }); m.setCar({ state: 3, cause: 5, lease: 77, age_ms: 2100 }); }, ['Stopped', 'nothing arrived from its driver for 2', 'Someone else has the controls']],
  low: [(m) => { m.open(); m.video(); m.setCar({ refusals: 1024 | 2048 | 4096 | 8192 }); }, ['Not ready', 'The battery is low', 'computer is hot', 'not calibrated', 'waking up']],
  vitals: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: 430 }); m.setBoard({ battery: 0, battery_mv: 7912, battery_ma: 4300, temp_celsius: 61, throttled: 0, under_voltage: 0, wifi_dbm: -58, laps: 3, last_lap_ms: 12_345 }); }, ['7.91 V', '61 °C', '−58 dBm', 'Lap 3 12.35 s']],
  turn_back: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: 430 }); m.setBoard({ battery: 1, battery_mv: 6912, temp_celsius: 74, wifi_dbm: -71, modem_percent: 63, laps: 12, last_lap_ms: 83_456 }); }, ['The battery is getting low', 'Turn back.', '6.91 V', '74 °C', '63 % mobile', 'Lap 12 1:23.46']],
  empty: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: 300 }); m.setBoard({ battery: 2, battery_mv: 6480, temp_celsius: 84, throttled: 0xe0006, wifi_dbm: -81 }); }, ['The battery is nearly empty', 'Stop now.', '6.48 V']],
  empty_standing: [(m) => { m.open(); m.video(); m.setCar({ refusals: 1024 | 512 }); m.setBoard({ battery: 2, battery_mv: 6480, under_voltage: 1 }); }, ['Not ready', 'The battery is low', 'too little power']],
  crowded: [(m) => { m.open(); m.video(); m.setCar({ state: 3, cause: 7, refusals: 1 | 2 | 8 | 32 | 64 | 128 | 2048 }); m.setBoard({ battery: 1, battery_mv: 6912, temp_celsius: 84, wifi_dbm: -81, modem_percent: 9, laps: 120, last_lap_ms: 83_456 }); }, ['Stopped', 'Motor or servo output fails', 'The battery is getting low', 'Lap 120 1:23.46']],
  old_laps: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine' }); m.pass(1638498072.81); m.pass(1638498084.03); }, ['Lap 2 11.22 s']],
  stalled: [(m) => { m.open(); m.video(); m.setCar({ state: 3, cause: 18, lease: 'mine', refusals: 128 | 256 }); }, ['Stopped', 'its guard stopped the car', 'too slow']],
  slowed: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: 300, limit: 450 }); }, ['Live', 'Limited to 45 %']],
  late: [(m) => { m.open(); m.video(); m.setCar({ refusals: 512 }); let late = 0; setInterval(() => { late += 4; m.setCar({ late }); }, 200); }, ['Not ready', 'Your commands reach the car late', 'leave the controls alone for']],
  asked: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: 250, asker: 77 }); }, ['Someone asks for control', 'Hand over']],
  given: [(m) => { m.open(); m.video(); m.setCar({ state: 0, cause: 9, lease: 'mine' }); }, ['The car is yours', 'Arm']],
  calibrate_warning: [(m) => { m.open(); m.video(); m.setCar({}); m.calibration(); document.getElementById('workshop-button').click(); }, ['Wheels off the ground', 'The wheels are up']],
  calibrate: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine' }); m.bench('First'); }, ['Neutral', 'Straight', 'Hold', 'The pulses of the configuration', 'calibrating']],
  calibrate_held: [(m) => {
    m.open(); m.video(); m.setCar({ state: 1, cause: 1, lease: 'mine', throttle_us: 1551 }); m.bench('First');
    document.getElementById('bench-more-ten').click(); document.getElementById('bench-more').click();
    window.dispatchEvent(new KeyboardEvent('keydown', { code: 'KeyM' }));
  }, ['1551', 'The pulse is out. Let go']],
  calibrate_new: [(m) => { m.open(); m.video(); m.setCar({ state: 0, cause: 9 }); m.bench('Straight'); document.getElementById('bench-less-ten').click(); }, ['1490', 'Measured, not saved', 'Save']],
  calibrate_saved: [(m) => { m.open(); m.video(); m.setCar({ state: 0, cause: 9 }); m.bench(); m.calibration({ saved: 1, stored: 2, answer: 1, pulses: { throttle_zero_us: 1512 } }); }, ['Saved. It is safe on the car’s card']],
  calibrate_refused: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 1, lease: 'mine' }); m.bench(); m.calibration({ answer: 20 }); }, ['must not be shorter than standing still']],
  calibrate_watching: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 77 }); m.bench(); }, ['Only the driver can calibrate']],
  calibrate_stopped: [(m) => { m.open(); m.video(); m.bench(); m.setCar({ state: 3, cause: 6, refusals: 4 + 256, lease: 'mine' }); }, ['Stop was pressed']],
  frozen: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine' }); setTimeout(m.freeze, 300); }, ['Picture frozen', 'Don’t rely on it', 'no new picture']],
  dead: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: 430 }); m.setBoard({ battery: 0, battery_mv: 7912 }); m.silenceAfter(300); setTimeout(m.freeze, 300); }, ['No contact', 'Lost contact', 'The car stops on its own', 'last heard']],
  silent: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: 430 }); m.silenceAfter(300); }, ['No contact', 'No reports from the car', 'The picture is live']],
  stop_unheard: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: 430 }); m.silenceAfter(300); setTimeout(() => document.getElementById('stop').dispatchEvent(new PointerEvent('pointerdown', { bubbles: true })), 1800); }, ['Stop is not confirmed', 'was sent, but the car has not answered']],
  stop_unsent: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: 430 }); m.setStatus({ phase: 'waiting', why: 'silent', retryAt: performance.now() + 1800 }); document.getElementById('stop').dispatchEvent(new PointerEvent('pointerdown', { bubbles: true })); }, ['Stop is not confirmed', 'could not be sent', 'Trying again']],
  details: [(m) => { m.open(); m.video(); m.setCar({ state: 1, cause: 2, lease: 'mine', throttle: 310 }); m.setBoard({ battery: 1, battery_mv: 6912, battery_ma: 4300, throttled: 0x50000, wifi_dbm: -58, laps: 3, last_lap_ms: 12_345, link_drops: 2 }); m.setVideo({}); document.getElementById('details-button').click(); }, ['Camera to screen', 'Driver key', 'you', '6.91 V, 4.30 A, low', 'link drops 2', 'front camera, coded by hardware', '9.4, 18.8 ms', 'not now; was: weak supply, slowed down']],
};
// Phones have no room for these: the note beside the state, and the advice for all refusals but the first.
const OPTIONAL = { portrait: ['calibrating', 'you are watching', 'no new picture', 'last heard'], landscape: ['Let go of the controls first'] };

/** Every cause of a stop and every refusal, one after the other on one page: [name, what the car says, the sentence]. */
const WORDS = [
  ...CAUSES.map(({ word, says }, cause) => [`cause-${word}`, { state: 3, cause, refusals: 256, age_ms: 204, lease: 'mine' }, says(204)]),
  ...REFUSALS.filter(({ bit }) => obstaclesIn(bit).length > 0).map(({ bit, says }) => [`refusal-${bit}`, { state: 0, cause: 15, refusals: bit, lease: 0 }, says]),
];

const only = process.argv.slice(2);
const folder = process.env.SHOTS ?? await mkdtemp(join(tmpdir(), 'spidercar-ui-'));
await mkdir(folder, { recursive: true });
const { url, close } = await serve({ swap: { '/main.js': 'mock-main.js' } });
const browser = await launch();
let failures = 0;

for (const [size, options] of Object.entries(SIZES)) {
  const context = await browser.newContext({ ...options, colorScheme: 'dark' });
  for (const [name, [play, texts]] of Object.entries(SCENES)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const page = await context.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
    try {
      await page.goto(`${url}/`);
      await page.waitForFunction(() => window.mock?.quiet);
      await page.evaluate(`(${play})(window.mock); window.mock.quiet = ${name === 'no_word'}`);
      for (const text of texts.filter((wanted) => !OPTIONAL[size]?.includes(wanted))) {
        await until(`"${text}" to be visible`, () => page.getByText(text).filter({ visible: true }).first().isVisible(), 4000);
      }
      if (!['calling', 'unreachable', 'refused', 'full', 'bad_channel', 'no_word', 'no_picture', 'camera_down', 'stop_unsent'].includes(name)) {
        await until('a latency figure', async () => /\d/.test(await page.textContent('#fig-latency')), 4000);
        if (name === 'driving') await until('a full spark line', () => page.evaluate(() => window.spidercar.latency.captureToPaintMs.length > 60), 8000);
      }
      const hidden = await page.evaluate(() => {
        const { left, top, right, bottom, width, height } = document.getElementById('stop').getBoundingClientRect();
        const inside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight && width >= 64 && height >= 64;
        const onTop = [[0.5, 0.5], [0.15, 0.5], [0.85, 0.5], [0.5, 0.15], [0.5, 0.85]]
          .every(([x, y]) => document.elementFromPoint(left + width * x, top + height * y)?.closest('#stop'));
        return [!inside && 'Stop is not whole', !onTop && 'Stop is covered', document.documentElement.scrollWidth > innerWidth && 'the page scrolls'].filter(Boolean);
      });
      await page.screenshot({ path: join(folder, `${name}-${size}.png`) });
      if (hidden.length + errors.length > 0) throw new Error([...hidden, ...errors].join('; '));
      console.log(`ok    ${size} ${name}`);
    } catch (error) {
      failures += 1;
      await page.screenshot({ path: join(folder, `${name}-${size}-FAILED.png`) }).catch(() => {});
      console.log(`FAIL  ${size} ${name}: ${error.message}`);
    }
    await page.close();
  }
  await context.close();
}

if (only.length === 0 || only.includes('words')) {
  const page = await browser.newPage({ ...SIZES.laptop, colorScheme: 'dark' });
  await page.goto(`${url}/`);
  await page.waitForFunction(() => window.mock?.quiet);
  await page.evaluate(() => { window.mock.open(); window.mock.video(); window.mock.quiet = false; });
  for (const [name, car, sentence] of WORDS) {
    try {
      await page.evaluate((says) => { window.mock.setCar({ state: 1, cause: 1, refusals: 0, lease: 'mine' }); window.mock.setCar(says); }, car);
      await until(`"${sentence}" to be visible`, () => page.getByText(sentence).filter({ visible: true }).first().isVisible(), 4000);
      await page.screenshot({ path: join(folder, `${name}.png`) });
      console.log(`ok    words ${name}: ${sentence}`);
    } catch (error) {
      failures += 1;
      await page.screenshot({ path: join(folder, `${name}-FAILED.png`) }).catch(() => {});
      console.log(`FAIL  words ${name}: ${error.message}`);
    }
  }
}

await browser.close();
await close();
console.log(`${failures === 0 ? 'all scenes shown' : `${failures} scenes failed`}; screenshots in ${folder}`);
process.exitCode = failures === 0 ? 0 : 1;
