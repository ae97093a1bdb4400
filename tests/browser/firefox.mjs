// The system's Firefox, as it comes, reaches and drives a car on 127.0.0.1.
//
//   ADDRESS=http://127.0.0.1:PORT/?channel=... ACTUATOR_LOG=... node firefox.mjs      the address as the car printed it
//
// Firefox makes no candidate of a loopback address and checks none, so a Spider that offers only those has no path to it.
// Its H.264 is a plugin that it downloads by itself when it is on the internet, which tests are not. So the page's words for a
// browser without H.264 are looked at, and the path is used by a peer without video, which drives as the page does.

import { readFileSync } from 'node:fs';
import { until } from './harness/browser.mjs';
import { desktop } from './harness/desktop.mjs';
import { firefox } from './harness/firefox.mjs';

const NEUTRAL_US = 1500;
const LIVE = 1;
/** Causes in telemetry of a car whose computer, or whose driver's, stood still: armed again, and nothing else is. */
const STOOD_STILL = [5, 11, 18];
const { ADDRESS: address, ACTUATOR_LOG: log } = process.env;
const written = () => JSON.parse(readFileSync(log, 'utf8').split('\n').at(-2));
const desk = await desktop();
const browser = await firefox({ display: desk.display });
let failures = 0;

/** A check; without it the next ones would say nothing. */
async function check(what, body) {
  if (failures > 0) return;
  try {
    console.log(`ok    firefox: ${what}${(await body()) ?? ''}`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL  firefox: ${what}: ${error.message}`);
  }
}

/** A viewer without video, in the page: `window.viewer` has its channels, the newest telemetry, and how it is connected. */
async function connect(url) {
  const viewer = { car: null, state: 'new' };
  window.viewer = viewer;
  viewer.peer = new RTCPeerConnection();
  viewer.stream = viewer.peer.createDataChannel('stream');
  viewer.metric = viewer.peer.createDataChannel('metric');
  const hear = ({ data }) => { viewer.car = JSON.parse(data).car ?? viewer.car; };
  viewer.metric.onmessage = hear;
  viewer.peer.ondatachannel = ({ channel: theirs }) => { if (theirs.label === 'metric') theirs.onmessage = hear; };
  viewer.peer.oniceconnectionstatechange = () => { viewer.state = viewer.peer.iceConnectionState; };
  viewer.socket = new WebSocket(url);
  await new Promise((opened, failed) => { viewer.socket.onopen = opened; viewer.socket.onerror = () => failed(new Error('no socket')); });
  viewer.socket.onmessage = async ({ data }) => {
    const { type, data: text } = JSON.parse(data);
    if (type === 'answer') await viewer.peer.setRemoteDescription({ type, sdp: text });
    if (type === 'candidate2') await viewer.peer.addIceCandidate(JSON.parse(text));
  };
  await viewer.peer.setLocalDescription();
  await new Promise((gathered) => {
    const look = () => viewer.peer.iceGatheringState === 'complete' && gathered();
    viewer.peer.onicegatheringstatechange = look;
    look();
  });
  viewer.socket.send(JSON.stringify({ type: 'offer', data: viewer.peer.localDescription.sdp }));
}

/** Says `drive` 50 times a second, and `arm` where `window.viewer.arms`, until the page is closed. */
function keepDriving() {
  const { viewer } = window;
  let seq = 0;
  const stamp = () => ({ seq: ++seq, t_ms: Math.round(performance.now()), lease: 77 });
  viewer.throttle = 0;
  setInterval(() => {
    const say = (what) => viewer.stream.send(JSON.stringify(what));
    say({ drive: { ...stamp(), throttle: viewer.throttle, steering: 0 } });
    if (viewer.arms && seq % 10 === 5) say({ arm: stamp() });
  }, 20);
}
const car = () => browser.evaluate('window.viewer.car');
const wants = (throttle, arms) => browser.evaluate((to, does) => Object.assign(window.viewer, { throttle: to, arms: does }), throttle, arms);

/** Arms the car from neutral, and moves it; again where this computer stood still, and the car stopped. */
async function move() {
  let before = null;
  await until('a car that moves', async () => {
    const { state, cause } = await car();
    if (state !== LIVE && before === LIVE) {
      if (!STOOD_STILL.includes(cause)) throw new Error(`the car stopped: cause ${cause}`);
      console.log('      this computer stood still, and the car stopped: armed again');
    }
    before = state;
    await wants(state === LIVE ? 400 : 0, state !== LIVE);
    return written().throttle_us > NEUTRAL_US + 50;
  }, 20_000);
}

await check('the page opens, and says what it cannot do here', async () => {
  await browser.goto(address);
  const codecs = await browser.evaluate(() => RTCRtpReceiver.getCapabilities('video').codecs.map(({ mimeType }) => mimeType));
  if (codecs.includes('video/H264')) return ' (this one has H.264)';
  await until('words about H.264', () => browser.evaluate(() => document.body.innerText.includes('H.264')), 20_000);
  return '';
});
await check('a path to the Spider, with no setting changed', async () => {
  const { host, searchParams } = new URL(address);
  await browser.evaluate(connect, `ws://${host}/live/ws/sub?channel=${searchParams.get('channel')}`);
  await until('a connection', () => browser.evaluate(() => ['connected', 'completed'].includes(window.viewer.state)), 20_000);
  await until('telemetry', car, 20_000);
  const pair = await browser.evaluate(async () => {
    const stats = [...(await window.viewer.peer.getStats()).values()];
    const { remoteCandidateId } = stats.find(({ type, selected, nominated, state }) => type === 'candidate-pair' && state === 'succeeded' && (selected || nominated));
    const { address: theirs, candidateType } = stats.find(({ id }) => id === remoteCandidateId);
    return `${candidateType} ${theirs}`;
  });
  return `: ${pair}`;
});
await check('it drives the car, and lets it go', async () => {
  await browser.evaluate(keepDriving);
  await move();
  await wants(0, false);
  await until('neutral', () => written().throttle_us === NEUTRAL_US, 5000);
});
await check('a page that is closed while it drives leaves a car at neutral', async () => {
  await move();
  await browser.goto('about:blank');
  await until('neutral', () => written().throttle_us === NEUTRAL_US, 5000);
  // Nobody said neutral: the car stopped by itself.
  return `: ${written().cause}`;
});

await browser.close();
await desk.close();
process.exitCode = failures ? 1 : 0;
