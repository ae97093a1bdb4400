// Keeps the page on the car: signalling, peer, supervision, and trying again by itself.
//
// A driver must never have to reload. Every way a connection can end comes to `fail(why)`, which clears everything
// and tries again with a jittered, growing delay; a page that comes back to the front or back on the network
// tries at once. A socket that dies while the car is still heard is not yet a failure: the media may outlive it.
//
// A car that says nothing is no reason to dial either: telemetry waits for lost packets, cars are switched off, and a new
// connection would heal neither. Whether the link itself lives is in the browser's counters: packets of the picture, answers
// to ICE's checks. Only a link that is silent as well is given up at once.
//
//   finding ─▶ signalling ─▶ offering ─▶ connecting ─▶ open
//      ▲            │             │            │          │   fail(why)
//      └───────── waiting ◀───────┴────────────┴──────────┘
//
// Promises: one attempt at a time (a late callback of an old one does nothing); `status()` always says what is
// going on and why the last attempt ended. Knows nothing of: driving, what the messages mean.

import { createPeer } from './peer.js';
import { isChannelId, openSignalling, readRights, signallingUrl, TRY_LATER } from './signalling.js';

/** Longest wait for each phase before the attempt is given up. choice: a slow LTE round trip ten times over. */
const PATIENCE_MS = Object.freeze({ finding: 5000, signalling: 5000, offering: 10_000, connecting: 10_000 });
/** First and longest delay before the next attempt; each is multiplied by 0.5 to 1. choice: fast for a blip; a restarted Spider
 * has the page back within F7's three seconds. */
const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 2000;
/** Nothing at all arrived. With the socket up the same peer may heal (ICE does after an outage); without it, it will not. choice:
 * three of ICE's checks, which Chromium makes each 2.5 s. */
const SILENT_MS = 8000;
const SILENT_ALONE_MS = 800;
/** The link lives and the car is silent. A Spider may not join a car that comes back to the viewers it has (PROTOCOL.md 5.2), so
 * even then it is dialled again, seldom. choice: longer than any queue; a car takes that long to start. */
const REJOIN_MS = 30_000;
const SUPERVISE_MS = 200;
/** Silence after which the browser's counters are asked, which costs a millisecond. choice: three missing messages. */
const ASK_COUNTERS_MS = 600;

/** Why there is no path. Firefox tries no loopback address, so it needs a network card to find a Spider on its own computer. */
const noPath = ({ host, agent }) => (/^(127\.|localhost$|\[::1\]$)/.test(host) && agent.includes('Firefox/') ? 'no_path_here' : 'no_path');

export const browserIo = () => ({
  place: { host: location.hostname, agent: navigator.userAgent },
  WebSocket, RTCPeerConnection, RTCRtpReceiver, MediaStream,
  fetch: (...args) => fetch(...args),
  setTimeout: (...args) => setTimeout(...args), clearTimeout: (id) => clearTimeout(id),
  setInterval: (...args) => setInterval(...args), clearInterval: (id) => clearInterval(id),
  now: () => performance.now(), random: () => Math.random(),
  secret: () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
});

/** Delay before attempt `n` (from 0), ms. */
export const retryDelay = (n, random) => Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(n, 10)) * (0.5 + random / 2);

/** What arrived on a peer, out of its statistics: packets of the picture, and anything at all, ICE's checks included. */
export function arrivals(report) {
  let packets = 0;
  let anything = 0;
  for (const stat of report.values()) {
    if (stat.type === 'inbound-rtp') packets += stat.packetsReceived ?? 0;
    if (stat.type === 'candidate-pair') anything += (stat.bytesReceived ?? 0) + (stat.responsesReceived ?? 0) + (stat.requestsReceived ?? 0);
  }
  return { packets, anything: anything + packets };
}

/** Callbacks in `on`: `status(status)`, `message(label, data)`, `stream(mediaStream)`, `channel(label, open)`. */
export function createLink({ base, channel, key, io = browserIo(), on }) {
  let attempt = null;
  let tries = 0;
  let retryTimer = null;
  const instance = io.secret(); // The Spider lets this page replace its own old connection, of whose end it has not heard.
  let drives = false; // Its user wants to drive: only then the place that is kept for a driver is asked for.
  let rights = null; // What our key is for; a Spider that does not say leaves it to the car.
  let status = { phase: 'idle', why: '', detail: '', since: io.now(), retryAt: null, channel: channel ?? '', tries: 0 };

  const set = (phase, more = {}) => {
    status = Object.freeze({ ...status, retryAt: null, ...more, phase, since: io.now(), tries });
    on.status(status);
  };

  function drop() {
    io.clearTimeout(retryTimer);
    const old = attempt;
    attempt = null;
    old?.socket?.close();
    old?.peer.close();
  }

  function fail(why, detail = '') {
    drop();
    const delay = retryDelay(tries, io.random());
    tries += 1;
    retryTimer = io.setTimeout(connect, delay);
    set('waiting', { why, detail, retryAt: io.now() + delay });
  }

  async function onAir() {
    const response = await io.fetch(new URL('/channels.json', base), { cache: 'no-store' });
    const { channels } = await response.json();
    return Array.isArray(channels) ? channels.filter((id) => typeof id === 'string') : [];
  }

  /** The channel asked for, else the first on the air; a car that is away for a moment keeps its place. */
  async function findChannel() {
    if (channel) return channel;
    const channels = await onAir();
    return channels.length === 0 || channels.includes(status.channel) ? status.channel : channels[0];
  }

  async function connect() {
    drop();
    rights = null;
    const mine = {
      drives, socket: null, peer: null, offered: false, candidates: [], answered: false, asking: false, counted: { packets: 0, anything: 0 },
      heardAt: null, // A message, a frame or a packet of the picture: the car.
      aliveAt: null, // Any packet at all: the link.
    };
    const still = () => attempt === mine;
    mine.peer = createPeer(io, {
      onCandidate: (json) => { if (still()) tellCandidate(mine, json); },
      onMessage: (label, data) => { if (still()) { hear(mine); on.message(label, data); } },
      onChannel: (label, open) => { if (still()) channelChanged(label, open); },
      onStream: (stream) => { if (still()) on.stream(stream); },
      onState: (state) => { if (still() && (state === 'failed' || state === 'closed')) fail(mine.heardAt ? 'closed' : noPath(io.place)); },
    });
    attempt = mine;
    set('finding');
    const offering = mine.peer.offer();
    offering.catch(() => {}); // Looked at below; a failure before that must not surface twice.
    let found;
    try {
      found = await findChannel();
    } catch {
      if (still()) fail('unreachable');
      return;
    }
    if (!still()) return;
    if (!found) return fail('no_channel');
    set('signalling', { channel: found });
    mine.socket = openSignalling(signallingUrl(base, found, { drives, instance }), key, io, {
      onOpen: async () => {
        try {
          const sdp = await offering;
          if (!still()) return;
          mine.socket.send('offer', sdp);
          mine.offered = true;
          for (const json of mine.candidates.splice(0)) mine.socket?.send('candidate2', json);
          set('offering');
        } catch (error) {
          if (still()) fail('error', String(error.message ?? error));
        }
      },
      onMessage: (message) => { if (still()) signal(mine, message); },
      onClose: ({ opened, reason, code }) => { if (still()) socketClosed(mine, opened, reason, code); },
    });
  }

  /** Candidates follow the offer, never lead it. */
  function tellCandidate(mine, json) {
    if (mine.offered) mine.socket?.send('candidate2', json);
    else mine.candidates.push(json);
  }

  async function signal(mine, { type, data }) {
    try {
      if (type === 'answer' && !mine.answered) {
        mine.answered = true;
        set('connecting');
        await mine.peer.answered(data);
      } else if (type === 'offer') {
        const sdp = await mine.peer.answer(data);
        if (attempt === mine) mine.socket.send('answer', sdp);
      } else if (type === 'candidate' || type === 'candidate2') {
        mine.peer.candidate(type, data);
      } else if (type === 'rights') {
        rights = readRights(data);
      } else if (type === 'error') {
        fail('error', data);
      } // ping, pong and joins need nothing from us; anything else is not for us.
    } catch (error) {
      if (attempt === mine) fail('error', String(error.message ?? error));
    }
  }

  async function socketClosed(mine, opened, reason, code) {
    mine.socket = null;
    if (code === TRY_LATER) {
      // Two who want to drive must not turn each other out in turns: it takes a hand to ask again. One that asked meanwhile counts.
      if (mine.drives) drives = false;
      return fail(mine.drives || status.why === 'taken' ? 'taken' : 'full'); // The words stay until there is a place.
    }
    if (status.phase === 'open') return; // The supervisor watches whether the media lives on.
    // A browser does not say why a socket did not open. A Spider that answers otherwise has refused this one.
    const refused = opened || await onAir().then(() => true, () => false);
    if (attempt === mine) fail(refused ? (isChannelId(status.channel) ? 'refused' : 'bad_channel') : 'unreachable', reason);
  }

  function channelChanged(label, open) {
    on.channel(label, open);
    const canTalk = isOpen('drive') || isOpen('stream');
    if (canTalk && status.phase === 'connecting') set('open', { why: '', detail: '' });
    if (!canTalk && status.phase === 'open') fail('closed');
  }

  function hear(mine) { mine.heardAt = mine.aliveAt = io.now(); }

  /** Did anything arrive that is no message? One question at a time. */
  async function askCounters(mine) {
    if (mine.asking) return;
    mine.asking = true;
    try {
      const next = arrivals(await mine.peer.stats());
      if (next.anything > mine.counted.anything) mine.aliveAt = io.now();
      if (next.packets > mine.counted.packets) mine.heardAt = io.now();
      mine.counted = next;
    } catch { /* A browser without counters: then messages and frames alone count. */ }
    mine.asking = false;
  }

  function supervise() {
    const { phase, since } = status;
    const now = io.now();
    if (PATIENCE_MS[phase] !== undefined && now - since > PATIENCE_MS[phase]) {
      fail({ finding: 'unreachable', signalling: 'unreachable', offering: 'no_answer', connecting: noPath(io.place) }[phase]);
    } else if (phase === 'open') {
      const [silence, quiet] = [attempt.heardAt, attempt.aliveAt].map((at) => now - Math.max(since, at ?? since));
      if (attempt.heardAt !== null && silence < SUPERVISE_MS) tries = 0;
      if (silence > ASK_COUNTERS_MS) askCounters(attempt);
      const alone = attempt.socket === null && attempt.heardAt !== null;
      if (quiet > SILENT_MS || (alone && silence > SILENT_ALONE_MS)) fail('silent');
      else if (silence > REJOIN_MS) fail('no_car');
    }
  }

  const isOpen = (label) => attempt?.peer.isOpen(label) ?? false;

  return {
    start() {
      io.setInterval(supervise, SUPERVISE_MS);
      connect();
    },
    /** The network or the page came back: do not sit out the delay. */
    retryNow() { if (status.phase === 'waiting') { tries = 0; connect(); } },
    /** From the next attempt on it asks for the driver's place, or no more. */
    claim(next) { drives = next; },
    key: () => key,
    /** Another driver key: start over with it. */
    setKey(next) { key = next; tries = 0; connect(); },
    status: () => status,
    /** Whether our key is for this, as far as the Spider has said. */
    may: (right) => rights === null || rights.has(right),
    isOpen,
    send: (label, text) => attempt?.peer.send(label, text) ?? false,
    waiting: (label) => attempt?.peer.waiting(label) ?? 0,
    stats: () => attempt?.peer.stats() ?? Promise.resolve(new Map()),
    /** A frame arrived: a sign of life as good as a message. */
    heard() { if (attempt) hear(attempt); },
    /** Milliseconds since anything arrived, the checks of ICE included; Infinity before. The car may be silent on a link that lives. */
    aliveMs: () => (attempt?.aliveAt == null ? Infinity : io.now() - attempt.aliveAt),
  };
}
