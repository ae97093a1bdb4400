// The wiring: devices → pilot → helm → link → car, and what the car says back → view.
//
// Everything is handed in, so a test can put a made-up link or clock behind the real page.
//
//   hand (keyboard, touch, gamepad) ─▶ pilot ─▶ helm ─▶ link ═══▶ car
//                                       view ◀─ cockpit ◀─ link ◀═══ telemetry, pong, video ─▶ latency
//
// Promises: a blur, a hidden tab, a lost pointer or pad is neutral inside that very event.

import { createAwake } from './awake.js';
import { createBench } from './bench.js';
import { createClock } from './clock.js';
import { createCourtesy } from './courtesy.js';
import { createDrawer } from './drawer.js';
import { createEye } from './eye.js';
import { compare, readStats } from './figures.js';
import { createHand } from './hand.js';
import { createHelm, newDriver } from './helm.js';
import { createLaps } from './laps.js';
import { createLateness } from './lateness.js';
import { createFrameMeter } from './latency.js';
import { createPictureAge } from './picture_age.js';
import { createPilot } from './pilot.js';
import { createPinger } from './pinger.js';
import { createSeal } from './seal.js';
import { createRoute } from './route.js';
import { createStaleness } from './staleness.js';
import { createTestSurface } from './surface.js';
import { createView } from './view.js';
import { Action, decode, encode, State } from './wire.js';
import { createWorkshop } from './workshop.js';

/** spec: 50 Hz. */
const TICK_MS = 20;
/** choice: often at first, so that the clock is good when the first frame is; then once a second. */
const PING_MS = 1000;
/** What is sealed carries the car's clock of the last answer, and counts for two seconds. choice: eight answers. */
const SEALED_PING_MS = 250;
/** choice: five times within the second after which an old report counts against the driver. */
const REPORT_MS = 200;
const FIRST_PINGS_MS = [0, 60, 120, 250, 500];
/** choice: WebRTC's own counters are not renewed faster. */
const STATS_MS = 1000;
/** choice: a digit that changes faster cannot be read. */
const TELL_MS = 200;
/** spec: `video.shows`: 1 is the camera; else a still picture, or nothing. */
const SHOWS_CAMERA = 1;
/** Sources whose news is that it came. */
const [PONG, FRAME] = ['pong', 'frame'];
const LIMIT_KEY = 'spidercar.limit';

/** `makeLink(on)` gives the link; `stamp` is stamp.js; `carKey` the car's own key, if the page came with it. Returns the test surface. */
export function startCockpit({ window, makeLink, stamp, carKey = '' }) {
  const { document, performance } = window;
  const now = () => performance.now();
  const at = (id) => document.getElementById(id);
  const video = at('video');

  let began = { state: null, cause: null, ageMs: 0, mine: false };
  let lastStop = null;
  let stopsBefore = 0; // Sent before Stop was pressed last.
  let held = false; // The browser does not play the video before a touch.
  let reading = null;
  let hasStream = false;
  let hand = null;
  let paintedBefore = 0;
  let told = -Infinity;
  const opened = new Map();
  const counts = { car: 0, unknown: 0 };

  const laps = createLaps();
  const awake = createAwake(window);
  const dims = window.matchMedia?.('(pointer: coarse)').matches ?? false; // Phones and tablets switch their screens off.
  const seen = createStaleness();
  const lateness = createLateness();
  const route = createRoute();
  const seal = createSeal();
  seal.setKey(carKey);
  const clock = createClock();
  const pictureAge = createPictureAge(clock);
  const lastCar = () => seen.look(now()).last('car');
  const pilot = createPilot();
  const view = createView(document);
  const drawer = createDrawer(document);
  const link = makeLink({ status: linkChanged, message: heard, stream: play, channel: channelChanged });
  // Commands take `drive` only while the car hears what is said there.
  const routed = {
    ...link,
    isOpen: (label) => link.isOpen(label) && (label !== 'drive' || route.trusts()),
    may: (right) => link.may(right) && seal.lacks() === '',
  };
  const driver = newDriver(seal.over);
  const helm = createHelm({ link: routed, pilot, now, driver });
  const bench = createBench({ helm, now });
  const pinger = createPinger({ link, clock, route, seal, now });
  const courtesy = createCourtesy({ lease: helm.lease, give, now });
  const workshop = createWorkshop(document, bench);
  const eye = createEye({ document, link, driver, isMine: () => lastCar()?.lease === helm.lease });
  const meter = createFrameMeter({
    video, clock, now, canvas: document.createElement('canvas'), VideoFrame: window.VideoFrame,
    readStamp: stamp.readStamp, regionOf: stamp.regionOf, onFrame: painted, onStamp: pictureAge.stamp,
  });

  // ---- the link ----
  function linkChanged(status) {
    if (status.phase !== 'open') {
      seen.forget('car', 'board', 'path', 'pong', 'figures');
      hasStream = status.phase === 'connecting' && hasStream;
      route.reset();
      seal.reset();
      lateness.heard(null, now());
      helm.heard(null);
      bench.car(null);
    }
    tell();
  }

  function channelChanged(label, open) {
    if (!open) return void opened.delete(label);
    opened.set(label, now());
    if (label === 'metric') {
      clock.reset();
      for (const delay of FIRST_PINGS_MS) window.setTimeout(pinger.ping, delay);
      askCalibration();
    }
    if (label === 'stream') askCalibration();
    return undefined;
  }

  /** Once both ways are open: the car tells it on `metric`. */
  function askCalibration() {
    if (opened.has('metric') && opened.has('stream')) link.send('stream', encode.calibration({ action: Action.TELL }));
  }

  function heard(label, data) {
    const message = decode(data);
    if (message === null) counts.unknown += 1;
    else if (message.group === 'pong') { if (pinger.pong(message.body)) seen.put('pong', PONG, now()); }
    else if (message.group === 'car') telemetry(message.body);
    else if (message.group === 'board') body(message.body);
    else if (message.group === 'video') seen.put('path', message.body, now());
    else if (message.group === 'ir') pass(message.body);
    else if (message.group === 'calibration') { bench.heard(message.body); workshop.tell(); }
  }

  function telemetry(next) {
    counts.car += 1;
    const car = lastCar();
    const changed = car === null || next.state !== car.state || next.cause !== car.cause || next.refusals !== car.refusals || next.lease !== car.lease;
    if (next.state !== began.state || next.cause !== began.cause) {
      began = { state: next.state, cause: next.cause, ageMs: next.age_ms, mine: [car?.lease, next.lease].includes(helm.lease) };
      if (next.state === State.STOPPED) lastStop = began;
      if (next.state === State.LIVE) lastStop = null;
    }
    if (changed && next.state === State.STOPPED && car?.state !== State.STOPPED) window.navigator.vibrate?.(60);
    seen.put('car', next, now());
    lateness.heard(next, now());
    helm.heard(next);
    bench.car(next);
    if (changed) tell();
  }

  function body(next) {
    seen.put('board', next, now());
    laps.correct(next);
  }

  function pass({ key, value }) {
    if (key !== 'detectTime') return;
    laps.pass(value);
    tell();
  }

  /** A frame is on the screen. The still picture that says why there is no camera proves a link, but shows no road. */
  function painted(frame) {
    link.heard();
    if ((seen.look(now()).last('path')?.shows ?? SHOWS_CAMERA) !== SHOWS_CAMERA) return;
    seen.put('picture', FRAME, frame.at);
    const byRtp = pictureAge.frame(frame);
    if (byRtp !== null) meter.dated(byRtp);
  }

  /** A refused autoplay is tried again with each touch that a browser takes for one. */
  function resume() {
    if (!hasStream || !video.paused) return;
    video.play().then(() => { held = false; }, (error) => { held = error.name === 'NotAllowedError'; });
  }

  function play(stream) {
    hasStream = true;
    paintedBefore = meter.meter().painted;
    if (video.srcObject !== stream) video.srcObject = stream;
    resume();
    meter.start();
  }

  // ---- the hand ----
  const arm = () => {
    // On older cars an `arm` begins the learning of our clock anew: it would never end while somebody presses.
    link.claim(true);
    if (!lateness.view(now()).late) helm.arm();
    tell();
  };
  /** Whoever comes next may have the driver's place, too. */
  function give() {
    link.claim(false);
    helm.give();
  }
  const stop = () => { stopsBefore = helm.view().sent.stop; helm.stop(); tell(); };
  /** Escape also closes what is open, and then does not latch a car that is known to stand. An orphan may have been meant for something else. */
  function stopKey(code, orphan = false) {
    const closed = code === 'Escape' && [drawer, workshop].map((panel) => panel.close()).includes(true);
    if ((closed || orphan) && isStanding()) tell();
    else stop();
  }
  const isStanding = () => [State.DISARMED, State.STOPPED].includes(seen.look(now()).now('car')?.state) && !helm.view().arming;
  hand = createHand({ window, pilot, helm, workshop, on: { arm, stop: stopKey, tell, look: () => eye.next(), back: () => link.retryNow() } });

  window.addEventListener('online', () => link.retryNow());
  // A finger counts as a gesture, which starts a video, only when it is lifted.
  for (const touch of ['pointerdown', 'keydown', 'pointerup', 'touchend', 'click']) window.addEventListener(touch, present, { capture: true });
  function present() {
    courtesy.touched();
    resume();
  }

  at('stop').addEventListener('pointerdown', stop); // On the way down: a finger's up may come late.
  at('stop').addEventListener('click', (event) => { if (event.detail === 0) stop(); }); // Keyboard or screen reader.
  at('arm').addEventListener('click', () => { arm(); at('arm').blur(); });
  at('ask').addEventListener('click', () => { link.claim(true); courtesy.asks(); helm.ask(); tell(); });
  at('give').addEventListener('click', () => { give(); tell(); });
  at('retry').addEventListener('click', () => link.retryNow());
  at('take').addEventListener('click', () => { link.claim(true); link.retryNow(); });
  at('key-button').addEventListener('click', () => drawer.askKey());
  at('key-form').addEventListener('submit', (event) => {
    event.preventDefault();
    seal.setKey(at('car-key').value.trim() || carKey);
    link.setKey(at('key').value.trim() || link.key()); // As the car reads its file; a blank comes along with a paste.
    drawer.close();
  });

  const limit = at('limit');
  const setLimit = () => {
    pilot.setLimit(limit.valueAsNumber / 100);
    try {
      window.localStorage.setItem(LIMIT_KEY, limit.value);
    } catch { /* Some private windows have no storage; then the limit lasts until the page is reloaded. */ }
    tell();
  };
  try { limit.value = window.localStorage.getItem(LIMIT_KEY) ?? limit.value; } catch { /* As above. */ }
  limit.addEventListener('input', setLimit);
  limit.addEventListener('pointerup', () => limit.blur()); // Or the arrow keys would move the limit, not the car.

  // ---- the screen ----
  function model() {
    const time = now();
    const look = seen.look(time);
    const frames = meter.meter();
    const status = link.status();
    const age = pictureAge.age(time, carryTimes(look));
    const known = look.was('car');
    return {
      status, verdict: look.verdict, car: look.now('car'), known, board: look.now('board'), path: look.now('path'),
      carMs: look.ageMs('car'), pictureMs: look.ageMs('picture'), laps: laps.view(), began, lastStop, unanswered: courtesy.unanswered(), lateness: lateness.view(time),
      helm: helm.view(), hasStream, held: held && video.paused, stopSent: helm.view().sent.stop > stopsBefore, limit: pilot.limit(), source: pilot.source(),
      aliveMs: link.aliveMs(), awake: awake.trouble(), dims, painted: frames.painted - paintedBefore, frameSize: frames, now: time, age,
      figures: { ...look.now('figures'), rttMs: look.now('pong') === PONG ? clock.rttMs() : NaN },
      latencies: meter.ages(), latencyTotal: frames.dated || frames.timed, pixelRatio: window.devicePixelRatio || 1,
      clockErrorMs: clock.errorMs(), openChannels: [...opened.keys()], commandsOn: route.trusts() && link.isOpen('drive') ? 'drive' : 'stream',
      calibrating: bench.view().open, hand: hand?.view(), lacks: link.may('drive') ? seal.lacks() : '',
    };
  }

  /** What is known of the picture's way but for the picture itself. */
  const carryTimes = (look) => {
    const whole = look.last('path')?.whole;
    return { rttMs: clock.rttMs(), carMs: whole?.n > 0 ? whole.p50 / 1000 : NaN };
  };

  function tell() {
    told = now();
    const { asking, arming } = helm.view();
    courtesy.look({ car: lastCar(), asking, busy: arming || pilot.source() !== 'none' || bench.view().open });
    const current = model();
    view.tell(current);
    drawer.tell(current);
    // Whose picture it is stays true while the picture is live, whatever the car says.
    eye.tell(current.path ?? (current.verdict === 'silent' ? seen.look(told).last('path') : null));
    if (current.car === null && bench.view().open) bench.car(null); // No pulse is held on a car that nobody hears.
    workshop.tell();
    awake.keep(current.helm.driving);
  }

  function paint() {
    window.requestAnimationFrame(paint);
    view.follow({ helm: helm.view(), car: link.status().phase === 'open' ? seen.look(now()).now('car') : null });
    if (now() - told >= TELL_MS) tell();
  }

  /** How old what the driver sees is, and the round trip; a pong that is overdue is a round trip. */
  function report() {
    const time = now();
    const look = seen.look(time);
    const overdue = look.was('pong') ? look.ageMs('pong') - PING_MS : 0;
    helm.report({ rttMs: Math.max(clock.rttMs(), overdue), ageMs: pictureAge.age(time, carryTimes(look)).ms });
  }

  async function takeFigures() {
    const next = readStats(await link.stats());
    seen.put('figures', compare(reading, next), now());
    reading = next;
  }

  setLimit();
  window.setInterval(() => { hand.tick(); bench.tick(); helm.tick(); }, TICK_MS);
  let beats = 0;
  window.setInterval(() => {
    beats += 1;
    const due = seal.hasKey() || beats % (PING_MS / SEALED_PING_MS) === 0;
    if (due && document.visibilityState === 'visible') pinger.ping();
  }, SEALED_PING_MS);
  window.setInterval(report, REPORT_MS);
  window.setInterval(() => { takeFigures().catch(() => seen.forget('figures')); }, STATS_MS);
  link.start();
  paint();

  const last = (source) => () => seen.look(now()).last(source);
  return createTestSurface({
    link, helm, bench, meter, clock, pilot, opened, counts, car: last('car'), board: last('board'), path: last('path'), laps: () => laps.view(),
    figures: () => last('figures')() ?? {}, age: () => pictureAge.age(now(), carryTimes(seen.look(now()))), verdict: () => seen.look(now()).verdict,
  });
}
