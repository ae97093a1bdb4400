import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrivals, createLink } from '../../../src/spider/viewer/link.js';
import { WHYS } from '../../../src/spider/viewer/words.js';

/** A browser on a virtual clock: one socket and one peer at a time, counters as the test says. */
function browser() {
  const io = { time: 0, timers: [], peers: [], sockets: [], packets: 0, checks: 0 };
  io.place = { host: 'x', agent: '' };
  io.now = () => io.time;
  io.random = () => 0.5;
  io.secret = () => 'ab'.repeat(16);
  io.setTimeout = (run, ms) => io.timers.push({ run, at: io.time + ms });
  io.clearTimeout = () => {};
  io.setInterval = (run, ms) => io.timers.push({ run, at: io.time + ms, every: ms });
  io.clearInterval = (id) => { if (io.timers[id - 1]) io.timers[id - 1].at = Infinity; };
  io.fetch = async () => ({ json: async () => ({ channels: [] }) });
  io.WebSocket = class {
    constructor(url, protocols) { Object.assign(this, { url, protocols }); this.readyState = 1; io.sockets.push(this); queueMicrotask(() => this.onopen?.()); }
    send(frame) { if (JSON.parse(frame).type === 'offer') queueMicrotask(() => this.onmessage({ data: '{"type":"answer","data":"v=0"}' })); }
    close() {}
  };
  io.RTCPeerConnection = class {
    channels = [];
    constructor() { io.peers.push(this); }
    createDataChannel(label) { const channel = { label, readyState: 'connecting', bufferedAmount: 0, send() {} }; this.channels.push(channel); return channel; }
    addTransceiver() { return {}; }
    async setLocalDescription() { this.localDescription = { sdp: 'v=0' }; }
    async setRemoteDescription() { this.remoteDescription = {}; }
    async getStats() { return new Map([['v', { type: 'inbound-rtp', packetsReceived: io.packets }], ['p', { type: 'candidate-pair', responsesReceived: io.checks }]]); }
    close() {}
    open() { for (const channel of this.channels) { channel.readyState = 'open'; channel.onopen(); } }
    say() { this.channels.find(({ label }) => label === 'metric').onmessage({ data: '{}' }); }
  };
  const turns = async () => { for (let n = 0; n < 12; n += 1) await null; };
  /** Time passes in steps of 50 ms; `each()` is what happens in each of them. */
  io.pass = async (ms, each = () => {}) => {
    for (const end = io.time + ms; io.time < end;) {
      io.time += 50;
      each();
      for (const timer of [...io.timers]) {
        if (io.time < timer.at) continue;
        timer.at = timer.every === undefined ? Infinity : io.time + timer.every;
        timer.run();
      }
      await turns();
    }
  };
  return io;
}

async function open() {
  const io = browser();
  const states = [];
  const link = createLink({ base: 'http://x/', channel: 'c9abcdefghijklmnopq0', key: '', io, on: { status: ({ phase, why }) => states.push(`${phase} ${why}`), message() {}, stream() {}, channel() {} } });
  link.start();
  await io.pass(200);
  io.peers[0].open();
  assert.equal(link.status().phase, 'open', states.join(', '));
  return { io, link, peer: io.peers[0] };
}

test('what the Spider says that a key is for counts until the next connection; one that says nothing allows all', async () => {
  const { io, link } = await open();
  const say = (socket, data) => socket.onmessage({ data: JSON.stringify({ type: 'rights', data }) });
  assert.ok(link.may('watch') && link.may('drive') && link.may('calibrate'));
  say(io.sockets[0], 'watch');
  assert.deepEqual(['watch', 'drive', 'calibrate'].map(link.may), [true, false, false]);
  link.setKey('another (key)');
  await io.pass(200);
  assert.ok(link.may('drive'));
  assert.equal(io.sockets.length, 2);
  assert.doesNotMatch(io.sockets[1].url, /key/);
  assert.deepEqual(io.sockets[1].protocols, ['spidercar', 'spidercar.key.another%20%28key%29']);
});

const drop = (io) => io.sockets[0].onclose({ reason: '', code: 1006 });

test('a page without a path says what is so for its browser and its place', async () => {
  for (const [host, agent, wanted] of [
    ['127.0.0.1', 'Mozilla/5.0 Gecko/20100101 Firefox/140.0', 'no_path_here'],
    ['localhost', 'Mozilla/5.0 Gecko/20100101 Firefox/140.0', 'no_path_here'],
    ['127.0.0.1', 'Mozilla/5.0 (KHTML, like Gecko) Chrome/156.0', 'no_path'],
    ['192.0.2.1', 'Mozilla/5.0 Gecko/20100101 Firefox/140.0', 'no_path'],
    ['localhost.example', 'Mozilla/5.0 Gecko/20100101 Firefox/140.0', 'no_path'],
  ]) {
    const io = browser();
    io.place = { host, agent };
    const whys = [];
    const link = createLink({ base: 'http://x/', channel: 'c9abcdefghijklmnopq0', key: '', io, on: { status: ({ why }) => whys.push(why), message() {}, stream() {}, channel() {} } });
    link.start();
    await io.pass(12_000);
    assert.ok(whys.includes(wanted), `${host}: ${whys}`);
    assert.ok(WHYS[wanted], wanted);
  }
});

test('a car that says nothing on a link that lives is not dialled for half a minute', async () => {
  const { io, link, peer } = await open();
  peer.say();
  await io.pass(29_000, () => { io.checks += 1; });
  assert.deepEqual([link.status().phase, io.peers.length], ['open', 1]);
  assert.ok(link.aliveMs() < 1000, `${link.aliveMs()}`);
  await io.pass(2000, () => { io.checks += 1; });
  assert.ok(io.peers.length > 1, 'a Spider may not join a car that came back');
});

test('a car that was never heard is waited for on the same link', async () => {
  const { io } = await open();
  await io.pass(25_000, () => { io.checks += 1; });
  assert.equal(io.peers.length, 1);
});

test('telemetry that waits while packets of the picture come is no silence, for ever', async () => {
  const { io, peer } = await open();
  peer.say();
  await io.pass(120_000, () => { io.packets += 1; });
  assert.equal(io.peers.length, 1);
});

test('a link on which nothing arrives is given up after eight seconds', async () => {
  const { io, link, peer } = await open();
  peer.say();
  await io.pass(7000);
  assert.equal(link.status().phase, 'open');
  await io.pass(1500);
  assert.equal(link.status().why, 'silent');
});

test('without a socket a silent car is given up at once, but not while its packets come', async () => {
  for (const [packets, dials] of [[0, 2], [1, 1]]) {
    const { io, peer } = await open();
    peer.say();
    drop(io);
    await io.pass(2000, () => { io.packets += packets; });
    assert.equal(io.peers.length, dials, `${packets}`);
  }
});

test('a browser without counters has frames and messages', async () => {
  const { io, link, peer } = await open();
  peer.getStats = () => Promise.reject(new Error('none'));
  await io.pass(20_000, () => { link.heard(); });
  assert.equal(io.peers.length, 1);
});

test('a full channel, and an address that names none, are told apart from a refusal', async () => {
  for (const [channel, code, why] of [['c9abcdefghijklmnopq0', 1013, 'full'], ['mycar', 1006, 'bad_channel'], ['c9abcdefghijklmnopq0', 1006, 'refused']]) {
    const io = browser();
    const whys = [];
    const link = createLink({ base: 'http://x/', channel, key: '', io, on: { status: (status) => whys.push(status.why), message() {}, stream() {}, channel() {} } });
    link.start();
    await io.pass(50);
    io.sockets[0].onclose({ reason: 'x', code });
    await io.pass(50);
    assert.ok(whys.includes(why), `${channel} ${code}: ${whys}`);
  }
});

test('only a user who wants to drive asks for the driver’s place, and once refused does not fight for it', async () => {
  const io = browser();
  const whys = [];
  const link = createLink({ base: 'http://x/', channel: 'c9abcdefghijklmnopq0', key: '', io, on: { status: (status) => whys.push(status.why), message() {}, stream() {}, channel() {} } });
  const asked = () => new URL(io.sockets.at(-1).url).searchParams.get('drive');
  const refuse = async () => { io.sockets.at(-1).onclose({ reason: 'the channel is full', code: 1013 }); await io.pass(50); };
  link.start();
  await io.pass(50);
  assert.equal(asked(), null, 'a watcher takes no kept place');
  await refuse();
  assert.equal(whys.at(-1), 'full');
  link.claim(true);
  link.retryNow();
  await io.pass(50);
  assert.equal(asked(), '1');
  await refuse();
  assert.equal(whys.at(-1), 'taken');
  await io.pass(5000);
  assert.equal(asked(), null);
  link.claim(true); // While an attempt is under way that does not ask for it.
  await refuse();
  await io.pass(5000);
  assert.ok(io.sockets.some(({ url }, at) => at > 2 && new URL(url).searchParams.get('drive') === '1'), 'the next one asks');
  const names = new Set(io.sockets.map(({ url }) => new URL(url).searchParams.get('instance')));
  assert.deepEqual([...names], [io.secret()], 'and says each time who it is');
});

test('arrivals are counted whatever a browser calls them', () => {
  assert.deepEqual(arrivals(new Map()), { packets: 0, anything: 0 });
  const report = new Map([['a', { type: 'inbound-rtp', packetsReceived: 5 }], ['b', { type: 'candidate-pair', bytesReceived: 90, requestsReceived: 2 }], ['c', { type: 'codec' }]]);
  assert.deepEqual(arrivals(report), { packets: 5, anything: 97 });
});
