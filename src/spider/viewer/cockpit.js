// The wiring: devices → pilot → helm → link → car, and what the car says back → view.
//
// Everything is handed in, so a test can put a made-up link or clock behind the real page.
//
//   keyboard, touch, gamepad ─▶ pilot ─▶ helm ─▶ link ═══▶ car
//                                 view ◀─ cockpit ◀─ link ◀═══ telemetry, pong, video ─▶ latency
//
// Promises: a blur, a hidden tab, a lost pointer or pad is neutral inside that very event.

import { createAwake } from './awake.js';
import { createBench } from './bench.js';
import { createClock } from './clock.js';
import { createDrawer } from './drawer.js';
import { createEye } from './eye.js';
import { compare, readStats } from './figures.js';
import { createGamepad } from './gamepad.js';
import { createHelm, newLease } from './helm.js';
import { attachKeyboard } from './keyboard.js';
import { createLaps } from './laps.js';
import { createFrameMeter } from './latency.js';
import { createPilot } from './pilot.js';
import { createTestSurface } from './surface.js';
import { attachPad } from './touch.js';
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
  const workshop = createWorkshop(window, bench);
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

  // ---- the devices ----
  const arm = () => { helm.arm(); tell(); };
  const stop = () => { helm.stop(); tell(); };
  const pads = { throttle: 0, steering: 0 };
  const touched = (axis) => (value, eventAt) => {
    pads[axis] = value;
    pilot.setTouch(pads);
    helm.inputChanged(eventAt);
  };
  const keyboard = attachKeyboard(window, {
    key: (name, down, eventAt) => { pilot.key(name, down); helm.inputChanged(eventAt); }, stop, arm, look: () => eye.next(),
  });
  const thumbs = [
    attachPad(at('pad-throttle'), 'y', touched('throttle')),
    attachPad(at('pad-steering'), 'x', touched('steering')),
  ];
  const gamepad = createGamepad({ getGamepads: () => [...(window.navigator.getGamepads?.() ?? [])], now }, {
    move: (state, eventAt) => { pilot.setPad(state); helm.inputChanged(eventAt); },
    arm, stop, gone: () => helm.neutralNow(),
  });

  function letGo() {
    Object.assign(pads, { throttle: 0, steering: 0 });
    keyboard.release();
    for (const thumb of thumbs) thumb.release();
    workshop.release();
  }
  const attend = (next) => { helm.attend(next); letGo(); tell(); };
  const present = () => {
    if (!helm.view().attentive && document.visibilityState === 'visible') { helm.attend({ focused: true }); tell(); }
    if (video.paused && hasStream) video.play().catch(() => {});
  };

  window.addEventListener('blur', () => attend({ focused: false }));
  window.addEventListener('focus', () => attend({ focused: true }));
  document.addEventListener('visibilitychange', () => {
    const visible = document.visibilityState === 'visible';
    attend({ visible });
    if (visible) link.retryNow();
  });
  window.addEventListener('pagehide', () => helm.leave());
  document.addEventListener('freeze', () => helm.neutralNow());
  window.addEventListener('gamepaddisconnected', () => gamepad.poll());
  window.addEventListener('online', () => link.retryNow());
  // A touch or a key in the page is as good a proof of attention as a focus event, which does not always come.
  window.addEventListener('pointerdown', present, { capture: true });
  window.addEventListener('keydown', present, { capture: true });

  at('stop').addEventListener('pointerdown', stop); // On the way down: a finger's up may come late.
  at('stop').addEventListener('click', (event) => {
    if (event.detail === 0) stop(); // Keyboard or screen reader.
    else at('stop').blur(); // Or Enter, which arms, would press Stop again.
  });
  at('arm').addEventListener('click', () => { arm(); at('arm').blur(); });
  at('ask').addEventListener('click', () => { helm.ask(); tell(); });
  at('give').addEventListener('click', () => { helm.give(); at('give').blur(); tell(); });
  at('retry').addEventListener('click', () => link.retryNow());
  at('key-button').addEventListener('click', () => drawer.askKey());
  at('full').addEventListener('click', () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen?.().catch(() => {}); // Not every phone can; nothing is lost.
  });
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
      clockErrorMs: clock.errorMs(), openChannels: [...opened.keys()], calibrating: bench.view().open,
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

  if (document.visibilityState !== 'visible') helm.attend({ visible: false });
  setLimit();
  window.setInterval(() => { gamepad.poll(); bench.tick(); helm.tick(); }, TICK_MS);
  window.setInterval(() => { if (document.visibilityState === 'visible') ping(); }, PING_MS);
  window.setInterval(report, REPORT_MS);
  window.setInterval(() => { takeFigures().catch(() => { figures = {}; }); }, STATS_MS);
  link.start();
  paint();

  return createTestSurface({ link, helm, bench, meter, clock, pilot, opened, counts, car: () => car, board: () => board, path: () => path, laps: () => laps.view(), figures: () => figures });
}
