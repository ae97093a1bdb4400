// The stand-in car: a canvas for a camera, a failsafe of a few lines, the contract's messages.

import { drawRoad } from '/harness/scene.js';
import { drawStamp } from '/harness/stamp-writer.js';

const WIDTH = 1280;
const HEIGHT = 720;
const BOOT_US = 86_400_000_000;
const HOLD_MS = 100;
const NEUTRAL_MS = 200;
const [DISARMED, LIVE, COASTING, STOPPED] = [0, 1, 2, 3];
const CAUSE = { start: 0, arm: 1, drive: 2, coast: 4, silence: 5, stop: 6, disarm: 9 };
const nowUs = () => Math.round(BOOT_US + performance.now() * 1000);

const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
const context = canvas.getContext('2d', { alpha: false });
const camera = canvas.captureStream(30);
const socket = new WebSocket(`ws://${location.host}/car`);
const peers = new Map();

const car = { ready: false, blind: false, muted: false, state: DISARMED, cause: 'start', latched: false, lease: 0, drive: null, heardAt: 0, seqs: new Map(), accepted: 0, replayed: 0, foreign: 0, malformed: 0, frames: 0 };
let written = '';
window.car = car;

function write(throttle, steering, cause) {
  const us = { throttle_us: Math.round(1500 + throttle / 2), steering_us: Math.round(1500 + steering / 2) };
  const key = `${us.throttle_us} ${us.steering_us}`;
  if (key === written) return;
  written = key;
  socket.send(JSON.stringify({ write: { t_us: nowUs(), ...us, cause } }));
}

function enter(state, cause) {
  if (car.state === state && car.cause === cause) return;
  car.state = state;
  car.cause = cause;
  report();
}

const heard = {
  drive(body) {
    if (car.lease !== 0 && body.lease !== car.lease) return void (car.foreign += 1);
    if (body.seq <= (car.seqs.get(body.lease) ?? -1)) return void (car.replayed += 1);
    car.seqs.set(body.lease, body.seq);
    car.drive = body;
    car.heardAt = performance.now();
    car.accepted += 1;
    if (car.state === COASTING) enter(LIVE, 'drive');
    return undefined;
  },
  arm(body) {
    const neutral = car.drive?.lease === body.lease && car.drive.throttle === 0 && performance.now() - car.heardAt < HOLD_MS;
    if (!neutral || (car.lease !== 0 && car.lease !== body.lease) || car.state === LIVE) return;
    car.lease = body.lease;
    car.latched = false;
    enter(LIVE, 'arm');
  },
  stop() { car.latched = true; enter(STOPPED, 'stop'); },
  lease({ id, want }) { if (want === 0 && id === car.lease) { car.lease = 0; enter(DISARMED, 'disarm'); } },
  ping({ id, t_ms }) { tell({ pong: { id, t_ms, car_us: nowUs() } }); },
};

function receive({ data }) {
  const [[group, body]] = Object.entries(JSON.parse(data));
  if (heard[group]) heard[group](body);
  else car.malformed += 1;
}

function tell(message) {
  if (car.muted) return;
  for (const { metric } of peers.values()) if (metric?.readyState === 'open') metric.send(JSON.stringify(message));
}

function report() {
  const moving = car.state === LIVE || car.state === COASTING;
  const { throttle, steering } = moving && car.drive ? car.drive : { throttle: 0, steering: 0 };
  tell({ car: {
    v: 1, t_us: nowUs(), state: car.state, cause: CAUSE[car.cause], refusals: car.latched ? 4 : 0, throttle, steering, throttle_us: 1500 + throttle / 2 | 0,
    steering_us: 1500 + steering / 2 | 0, seq: car.drive?.seq ?? 0, lease: car.lease, accepted: car.accepted, late: 0, replayed: car.replayed, foreign: car.foreign,
    malformed: car.malformed, age_ms: Math.round(performance.now() - car.heardAt), link: 1, width: WIDTH, height: HEIGHT, fps: 30, kbps: 0, target_kbps: 2500,
    encode_us: 0, frames: car.frames, dropped: 0, uptime_s: Math.round(performance.now() / 1000), load_permille: 0, mem_kb: 0,
  } });
}

function control() {
  const silence = performance.now() - car.heardAt;
  if (car.state === LIVE && silence > HOLD_MS) enter(COASTING, 'coast');
  if (car.state === COASTING && silence > NEUTRAL_MS) enter(STOPPED, 'silence');
  const moving = car.state === LIVE || car.state === COASTING;
  if (moving && car.drive) write(car.drive.throttle, car.drive.steering, car.cause === 'arm' ? 'drive' : car.cause);
  else write(0, 0, car.cause);
}

async function offered(viewer, sdp) {
  peers.get(viewer)?.pc.close();
  const pc = new RTCPeerConnection();
  const peer = { pc, metric: null };
  peers.set(viewer, peer);
  pc.ondatachannel = ({ channel }) => {
    channel.onmessage = receive;
    if (channel.label === 'metric') { peer.metric = channel; report(); }
  };
  await pc.setRemoteDescription({ type: 'offer', sdp });
  const sender = pc.addTrack(camera.getVideoTracks()[0], camera);
  await pc.setLocalDescription();
  const parameters = sender.getParameters();
  Object.assign(parameters.encodings[0], { maxBitrate: 4_000_000 });
  parameters.degradationPreference = 'maintain-resolution';
  await sender.setParameters(parameters);
  while (pc.iceGatheringState !== 'complete') await new Promise((resolve) => { pc.addEventListener('icegatheringstatechange', resolve, { once: true }); });
  socket.send(JSON.stringify({ viewer, type: 'answer', data: pc.localDescription.sdp }));
}

/** For tests: the server's own offer, with the same media, to every viewer. */
car.renegotiate = async () => {
  for (const [viewer, { pc }] of peers) {
    await pc.setLocalDescription();
    socket.send(JSON.stringify({ viewer, type: 'offer', data: pc.localDescription.sdp }));
    await new Promise((resolve) => { pc.addEventListener('signalingstatechange', resolve, { once: true }); });
  }
};
/** For tests: every peer is gone, as when the Spider dies. */
car.drop = () => { for (const { pc } of peers.values()) pc.close(); peers.clear(); };
/** For tests: the car falls silent, but nothing closes. */
car.mute = (muted) => { car.muted = muted; };

socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message.type === 'offer') offered(message.viewer, message.data);
  if (message.type === 'answer') peers.get(message.viewer)?.pc.setRemoteDescription({ type: 'answer', sdp: message.data });
  if (message.type === 'gone') { peers.get(message.viewer)?.pc.close(); peers.delete(message.viewer); }
};
socket.onopen = () => {
  setInterval(control, 5);
  setInterval(report, 200);
  setInterval(() => {
    if (car.blind) return;
    car.frames += 1;
    drawRoad(context, WIDTH, HEIGHT, car.frames);
    drawStamp(context, WIDTH, HEIGHT, nowUs(), car.frames);
  }, 33);
  car.ready = true;
};
