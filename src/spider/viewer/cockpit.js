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
import { createDrawer } from './drawer.js';
import { createEye } from './eye.js';
import { compare, readStats } from './figures.js';
import { createHand } from './hand.js';
import { createHelm, newLease } from './helm.js';
import { createLaps } from './laps.js';
import { createFrameMeter } from './latency.js';
import { createPilot } from './pilot.js';
import { createTestSurface } from './surface.js';
import { createView } from './view.js';
import { Action, decode, encode, State } from './wire.js';
import { createWorkshop } from './workshop.js';

/** spec: 50 Hz. */
const TICK_MS = 20;
/** choice: often at first, so that the clock is good when the first frame is; then once a second. */
const PING_MS = 1000;
/** choice: five times within the second after which an old report counts against the driver. */
const REPORT_MS = 200;
const FIRST_PINGS_MS = [0, 60, 120, 250, 500];
/** choice: WebRTC's own counters are not renewed faster. */
const STATS_MS = 1000;
/** choice: a digit that changes faster cannot be read. */
const TELL_MS = 200;
/** choice: five messages of a car that sends one a second. */
const BOARD_STALE_MS = 5000;
/** Telemetry this old no longer says that the car stands. choice: five messages. */
const STANDS_MS = 1000;
const LIMIT_KEY = 'spidercar.limit';

/** `makeLink(on)` gives the link; `stamp` is stamp.js. Returns the test surface. */
export function startCockpit({ window, makeLink, stamp }) {
  const { document, performance } = window;
  const now = () => performance.now();
  const at = (id) => document.getElementById(id);
  const video = at('video');

  let car = null;
  let carAt = null;
  let board = null;
  let boardAt = null;
  let path = null; // The picture's way through the car.
  let began = { state: null, cause: null, ageMs: 0 };
  let lastStop = null;
  let figures = {};
  let reading = null;
  let hasStream = false;
  let hand = null;
  let paintedBefore = 0;
  let pingId = 0;
  let told = -Infinity;
  let pongAt = null;
  const pings = new Map();
  const opened = new Map();
  const counts = { car: 0, unknown: 0 };

  const laps = createLaps();
  const keepAwake = createAwake(window.navigator);
  const clock = createClock();
  const pilot = createPilot();
  const view = createView(document);
  const drawer = createDrawer(document);
  const link = makeLink({ status: linkChanged, message: heard, stream: play, channel: channelChanged });
  const helm = createHelm({ link, pilot, now, lease: newLease() });
  const bench = createBench({ helm, now });
  const workshop = createWorkshop(document, bench);
  const eye = createEye({ document, link, lease: helm.view().lease, isMine: () => car !== null && car.lease === helm.view().lease });
  const meter = createFrameMeter({
    video, clock, now, canvas: document.createElement('canvas'), VideoFrame: window.VideoFrame,
    readStamp: stamp.readStamp, regionOf: stamp.regionOf, onFrame: () => link.heard(),
  });

  // ---- the link ----
  function linkChanged(status) {
    if (status.phase !== 'open') {
      car = null;
      carAt = null;
      board = null;
      path = null;
      hasStream = status.phase === 'connecting' && hasStream;
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
      for (const delay of FIRST_PINGS_MS) window.setTimeout(ping, delay);
      askCalibration();
    }
    if (label === 'stream') askCalibration();
    return undefined;
  }

  /** Once both ways are open: the car tells it on `metric`. */
  function askCalibration() {
    if (opened.has('metric') && opened.has('stream')) link.send('stream', encode.calibration({ action: Action.TELL }));
  }

  function ping() {
    pingId = (pingId + 1) >>> 0;
    const text = encode.ping({ id: pingId, now: now() });
    pings.set(pingId, now());
    if (pings.size > 32) pings.delete(pings.keys().next().value);
    if (!link.send(link.isOpen('drive') ? 'drive' : 'stream', text)) pings.delete(pingId);
  }

  function heard(label, data) {
    const message = decode(data);
    if (message === null) counts.unknown += 1;
    else if (message.group === 'pong') pong(message.body);
    else if (message.group === 'car') telemetry(message.body);
    else if (message.group === 'board') body(message.body);
    else if (message.group === 'video') path = message.body;
    else if (message.group === 'ir') pass(message.body);
    else if (message.group === 'calibration') { bench.heard(message.body); workshop.tell(); }
  }

  function pong({ id, t_ms: sentT, car_us: carUs }) {
    const sentAt = pings.get(id);
    // Another page's pong reaches us too: it is ours only if it repeats our time.
    if (sentAt === undefined || Math.floor(sentAt) !== sentT) return;
    pings.delete(id);
    pongAt = now();
    clock.add(sentAt, pongAt, carUs);
  }

  function telemetry(next) {
    counts.car += 1;
    const changed = car === null || next.state !== car.state || next.cause !== car.cause || next.refusals !== car.refusals;
    if (next.state !== began.state || next.cause !== began.cause) {
      began = { state: next.state, cause: next.cause, ageMs: next.age_ms };
      if (next.state === State.STOPPED) lastStop = began;
      if (next.state === State.LIVE) lastStop = null;
    }
    if (changed && next.state === State.STOPPED && car?.state !== State.STOPPED) window.navigator.vibrate?.(60);
    car = next;
    carAt = now();
    helm.heard(car);
    bench.car(car);
    if (changed) tell();
  }

  function body(next) {
    board = next;
    boardAt = now();
    laps.correct(board);
  }

  function pass({ key, value }) {
    if (key !== 'detectTime') return;
    laps.pass(value);
    tell();
  }

  function play(stream) {
    hasStream = true;
    paintedBefore = meter.meter().painted;
    if (video.srcObject !== stream) video.srcObject = stream;
    video.play().catch(() => {}); // A refused autoplay is tried again on the first touch.
    meter.start();
  }

  // ---- the hand ----
  const arm = () => { helm.arm(); tell(); };
  const stop = () => { helm.stop(); tell(); };
  /** Escape also closes what is open, and then does not latch a car that is known to stand. An orphan may have been meant for something else. */
  function stopKey(code, orphan = false) {
    const closed = code === 'Escape' && [drawer, workshop].map((panel) => panel.close()).includes(true);
    if ((closed || orphan) && isStanding()) tell();
    else stop();
  }
  const isStanding = () => car !== null && now() - carAt <= STANDS_MS && [State.DISARMED, State.STOPPED].includes(car.state) && !helm.view().arming;
  hand = createHand({ window, pilot, helm, workshop, on: { arm, stop: stopKey, tell, look: () => eye.next(), back: () => link.retryNow() } });

  window.addEventListener('online', () => link.retryNow());
  window.addEventListener('pointerdown', playAgain, { capture: true });
  window.addEventListener('keydown', playAgain, { capture: true });
  function playAgain() { if (video.paused && hasStream) video.play().catch(() => {}); }

  at('stop').addEventListener('pointerdown', stop); // On the way down: a finger's up may come late.
  at('stop').addEventListener('click', (event) => { if (event.detail === 0) stop(); }); // Keyboard or screen reader.
  at('arm').addEventListener('click', () => { arm(); at('arm').blur(); });
  at('ask').addEventListener('click', () => { helm.ask(); tell(); });
  at('give').addEventListener('click', () => { helm.give(); tell(); });
  at('retry').addEventListener('click', () => link.retryNow());
  at('key-button').addEventListener('click', () => drawer.askKey());
  at('key-form').addEventListener('submit', (event) => {
    event.preventDefault();
    link.setKey(at('key').value);
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
    return {
      status: link.status(), car, board: time - boardAt <= BOARD_STALE_MS ? board : null, path, laps: laps.view(), began, lastStop, helm: helm.view(), hasStream, limit: pilot.limit(), source: pilot.source(),
      painted: meter.meter().painted - paintedBefore, frameSize: meter.meter(), now: time,
      frozenMs: meter.meter().lastAt === null ? null : time - meter.meter().lastAt,
      quietMs: carAt === null ? null : time - carAt,
      figures: { ...figures, latencyMs: meter.recent(), rttMs: clock.rttMs() },
      latencies: meter.samples(), latencyTotal: meter.meter().timed, pixelRatio: window.devicePixelRatio || 1,
      clockErrorMs: clock.errorMs(), openChannels: [...opened.keys()], calibrating: bench.view().open, hand: hand?.view(),
    };
  }

  function tell() {
    told = now();
    const current = model();
    view.tell(current);
    drawer.tell(current);
    eye.tell(path);
    workshop.tell();
    keepAwake(current.helm.driving);
  }

  function paint() {
    window.requestAnimationFrame(paint);
    view.follow({ helm: helm.view(), car, linkOpen: link.status().phase === 'open' });
    if (now() - told >= TELL_MS) tell();
  }

  /** How old what the driver sees is: the picture's own age plus the time it has stood; a pong that is overdue is a round trip. */
  function report() {
    const time = now();
    const { lastAt } = meter.meter();
    const latency = meter.recent(5);
    helm.report({
      rttMs: Math.max(clock.rttMs(), time - (pongAt ?? time) - PING_MS),
      ageMs: lastAt === null ? NaN : time - lastAt + (Number.isFinite(latency) ? latency : 0),
    });
  }

  async function takeFigures() {
    const next = readStats(await link.stats());
    figures = compare(reading, next);
    reading = next;
  }

  setLimit();
  window.setInterval(() => { hand.tick(); bench.tick(); helm.tick(); }, TICK_MS);
  window.setInterval(() => { if (document.visibilityState === 'visible') ping(); }, PING_MS);
  window.setInterval(report, REPORT_MS);
  window.setInterval(() => { takeFigures().catch(() => { figures = {}; }); }, STATS_MS);
  link.start();
  paint();

  return createTestSurface({ link, helm, bench, meter, clock, pilot, opened, counts, car: () => car, board: () => board, path: () => path, laps: () => laps.view(), figures: () => figures });
}
