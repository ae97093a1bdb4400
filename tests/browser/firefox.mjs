// The system's Firefox, as it comes, reaches and drives a car on 127.0.0.1.
//
//   BASE_URL=http://127.0.0.1:PORT ACTUATOR_LOG=... CHANNEL=... node firefox.mjs
//
// Firefox makes no candidate of a loopback address and checks none, so a Spider that offers only those has no path to it.
// Its H.264 is a plugin that it downloads by itself when it is on the internet, which tests are not. So the page's words for a
// browser without H.264 are looked at, and the path is used by a peer without video, with the old app's commands.

import { readFileSync } from 'node:fs';
import { until } from './harness/browser.mjs';
import { firefox } from './harness/firefox.mjs';

const NEUTRAL_US = 1500;
const { BASE_URL: base, ACTUATOR_LOG: log, CHANNEL: channel } = process.env;
const written = () => JSON.parse(readFileSync(log, 'utf8').split('\n').at(-2));
const browser = await firefox();
let failures = 0;

async function check(what, body) {
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
const motion = (value) => browser.evaluate((to) => window.viewer.stream.send(JSON.stringify({ motion: { key: 'forward', value: to } })), value);
const car = () => browser.evaluate('window.viewer.car');

await check('the page opens, and says what it cannot do here', async () => {
  await browser.goto(`${base}/?channel=${channel}`);
  const codecs = await browser.evaluate(() => RTCRtpReceiver.getCapabilities('video').codecs.map(({ mimeType }) => mimeType));
  if (codecs.includes('video/H264')) return ' (this one has H.264)';
  await until('words about H.264', () => browser.evaluate(() => document.body.innerText.includes('H.264')), 20_000);
  return '';
});
await check('a path to the Spider, with no setting changed', async () => {
  await browser.evaluate(connect, `${base.replace('http', 'ws')}/live/ws/sub?channel=${channel}`);
  await until('a connection', () => browser.evaluate(() => ['connected', 'completed'].includes(window.viewer.state)), 20_000);
  await until('telemetry', car, 20_000);
  const pair = await browser.evaluate(async () => {
    const stats = [...(await window.viewer.peer.getStats()).values()];
    const { remoteCandidateId } = stats.find(({ type, selected, nominated, state }) => type === 'candidate-pair' && state === 'succeeded' && (selected || nominated));
    const { address, candidateType } = stats.find(({ id }) => id === remoteCandidateId);
    return `${candidateType} ${address}`;
  });
  return `: ${pair}`;
});
await check('it drives the car, and lets it go', async () => {
  await until('a car that moves', async () => {
    const { state } = await car();
    // A neutral arms it, also again where this computer stood still and the car stopped.
    await motion(state === 1 ? 10 : 0);
    return written().throttle_us > NEUTRAL_US + 50;
  }, 20_000);
  await motion(0);
  await until('neutral', () => written().throttle_us === NEUTRAL_US, 5000);
});
await check('a page that is closed while it drives leaves a car at neutral', async () => {
  await until('a car that moves', async () => {
    const { state } = await car();
    await motion(state === 1 ? 10 : 0);
    return written().throttle_us > NEUTRAL_US + 50;
  }, 20_000);
  await browser.goto('about:blank');
  await until('neutral', () => written().throttle_us === NEUTRAL_US, 10_000);
});

await browser.close();
process.exitCode = failures ? 1 : 0;
