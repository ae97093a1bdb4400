// The page with a made-up link behind it: `?scene=NAME` shows one state, `mock` on the window plays the car.

import { startCockpit } from '/cockpit.js';
import * as stamp from '/stamp.js';
import { drawStamp } from '/harness/stamp-writer.js';
import { drawRoad } from '/harness/scene.js';

const WIDTH = 1280;
const HEIGHT = 720;
const CAR_START_US = 86_400_000_000;
const query = new URL(location.href).searchParams;
const carUs = () => Math.round(CAR_START_US + performance.now() * 1000);

const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
const context = canvas.getContext('2d');
let frame = 0;
let timer = null;
function drawFrame() {
  frame += 1;
  drawRoad(context, WIDTH, HEIGHT, frame);
  if (mock.snow) { context.fillStyle = '#fbfbf8'; context.fillRect(0, 0, WIDTH, HEIGHT); }
  drawStamp(context, WIDTH, HEIGHT, carUs() - Number(query.get('lag') ?? 25_000), frame);
}

const blank = {
  v: 1, t_us: 0, state: 0, cause: 0, refusals: 0, throttle: 0, steering: 0, throttle_us: 1500, steering_us: 1500, seq: 0, lease: 0,
  accepted: 1204, late: 0, replayed: 0, foreign: 0, malformed: 0, age_ms: 20, link: 1, width: WIDTH, height: HEIGHT, fps: 30,
  kbps: 2430, target_kbps: 2500, encode_us: 4100, frames: 5210, dropped: 2, uptime_s: 184, load_permille: 312, mem_kb: 23_400,
};

const mock = { sent: [], car: { ...blank }, on: null, status: { phase: 'idle', why: '', detail: '', since: 0, retryAt: null, channel: 'c9abcdefghijklmnopq0', tries: 0 } };

mock.setStatus = (more) => { mock.status = { ...mock.status, retryAt: null, ...more, since: performance.now() }; mock.on.status(mock.status); };
mock.setCar = (more) => {
  mock.car = { ...mock.car, ...more };
  if (more.lease === 'mine') mock.car.lease = window.spidercar.state.helm.lease;
  mock.on.message('metric', JSON.stringify({ car: mock.car }));
};
mock.setBoard = (more) => {
  mock.board = { v: 1, t_us: 0, cpu_permille: 310, mem_free_kb: 412_000, up_s: 200, ...mock.board, ...more };
  mock.on.message('metric', JSON.stringify({ board: mock.board }));
};
mock.setVideo = (more) => {
  const stage = (p50) => [150, p50, p50 * 2, p50 * 3];
  mock.video_ = {
    v: 1, t_us: 0, shows: 1, cameras: 1, camera: 0, hardware: 1, rung: 0, copies: 0, capture: stage(4100), prepare: stage(31), encode: stage(9400),
    hand_over: stage(43), send: stage(210), whole: stage(14_000), ...mock.video_, ...more,
  };
  mock.on.message('metric', JSON.stringify({ video: mock.video_ }));
};
mock.pass = (seconds) => mock.on.message('metric', JSON.stringify({ ir: { key: 'detectTime', value: seconds } }));
const pulses = {
  throttle_min_us: 1000, throttle_zero_us: 1500, forward_zero_us: 1540, throttle_max_us: 2000, steering_min_us: 1000, steering_zero_us: 1500,
  steering_max_us: 2000, brake_us: 1300,
};
/** The car tells its calibration. */
mock.calibration = (more) => {
  const report = { v: 1, remote: 1, saved: 0, in_force: 1, stored: 0, answer: 0, seq: 0, lease: 0, beyond_us: 200, ...more, pulses: { ...pulses, ...more?.pulses } };
  mock.on.message('metric', JSON.stringify({ calibration: report }));
};
/** The panel is open, the wheels are up, and this pulse is chosen. */
mock.bench = (name) => {
  mock.calibration();
  document.getElementById('workshop-button').click();
  document.getElementById('bench-sure').click();
  if (name) [...document.querySelectorAll('.chip')].find((chip) => chip.textContent.startsWith(name)).click();
};
mock.open = () => {
  mock.setStatus({ phase: 'open', why: '' });
  for (const label of ['metric', 'stream', 'drive']) mock.on.channel(label, true);
};
mock.video = () => {
  timer ??= setInterval(drawFrame, 33);
  drawFrame();
  mock.on.stream(canvas.captureStream(30));
};
mock.freeze = () => { clearInterval(timer); timer = null; };
mock.quiet = false;
/** The car says no more from then on; what comes later in a scene still may. */
mock.silenceAfter = (ms) => setTimeout(() => { mock.silent = true; }, ms);

const link = {
  start() { setInterval(() => { if (mock.status.phase === 'open' && !mock.quiet && !mock.silent) { mock.setCar({}); if (mock.board) mock.setBoard({}); } }, 200); },
  retryNow: () => { mock.retried = true; }, claim: (drives) => { mock.claims = drives; }, setKey: (key) => { mock.key = key; }, heard: () => {}, aliveMs: () => mock.aliveMs ?? Infinity,
  may: () => true, key: () => mock.key ?? '', status: () => mock.status, isOpen: () => mock.status.phase === 'open', waiting: () => 0,
  stats: () => Promise.resolve(new Map()),
  send(label, text) {
    if (mock.status.phase !== 'open') return false;
    const message = JSON.parse(text);
    mock.sent.push({ label, at: performance.now(), ...message });
    if (message.ping && !mock.silent) mock.on.message('metric', JSON.stringify({ pong: { ...message.ping, car_us: carUs() } }));
    return true;
  },
};

window.mock = mock;
window.spidercar = startCockpit({ window, stamp, makeLink: (on) => { mock.on = on; return link; } });
mock.quiet = true;
