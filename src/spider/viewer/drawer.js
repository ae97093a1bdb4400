// The details drawer: every number the page and the car have, for the one who asks why.
//
// The cockpit shows what a driver needs; this shows what a mechanic needs. Rows are made once and only their values change.
//
// Promises: builds nothing while closed.

import { lapText } from './vitals.js';
import { BOARD_COUNTS, Refusal } from './wire.js';
import { causeWord, pathWords, refusalsIn, STATES, warningsIn } from './words.js';

const number = (value, unit = '', digits = 0) => (Number.isFinite(value) ? `${value.toFixed(digits)}${unit}` : '–');
/** A reading of the board in words, or a dash where it has none. */
const reading = (m, field, words) => (m.board === null || m.board[field] === null ? '–' : words(m.board[field], m.board));
const LEVELS = ['good', 'low', 'critical'];
/** spec: EXTENSION.md, `throttled`; 65536 times as much: ever since power-on. */
const THROTTLING = [[1, 'weak supply'], [2, 'clock capped'], [4, 'slowed down'], [8, 'warm']];
const throttling = (bits) => THROTTLING.filter(([bit]) => bits & bit).map(([, word]) => word).join(', ');
const counted = (board) => BOARD_COUNTS.filter((name) => board[name] > 0).map((name) => `${name.replaceAll('_', ' ')} ${board[name]}`).join(', ');
/** A stage of the picture's way: half of the pictures took no longer than the first, 99 of 100 no longer than the second. */
const stage = (name) => (m) => {
  const times = m.path?.[name];
  return times?.n > 0 ? `${(times.p50 / 1000).toFixed(1)}, ${(times.p99 / 1000).toFixed(1)} ms` : '–';
};
const hex = (value) => (value ? value.toString(16).padStart(8, '0') : 'none');

/** How the age of the picture is known; see picture_age.js. */
const HOW = Object.freeze({ stamp: 'its stamp', rtp: 'its RTP time', estimate: 'an estimate', least: 'it may be older', none: '–' });

/** The table: section → [label, value of the model]. */
const TABLE = [
  ['Link', [
    ['Channel', (m) => m.status.channel || '–'],
    ['Round trip to the car', (m) => number(m.figures.rttMs, ' ms', 1)],
    ['Network path', (m) => m.figures.path || '–'],
    ['Packets lost', (m) => number(m.figures.lossPercent, ' %', 1)],
    ['Clock error at most', (m) => number(m.clockErrorMs, ' ms', 1)],
    ['Channels open', (m) => m.openChannels.join(', ') || 'none'],
    ['Commands go on', (m) => (m.openChannels.includes('drive') && m.commandsOn !== 'drive' ? 'stream: the server drops drive' : m.commandsOn)],
  ]],
  ['Picture', [
    ['Size', (m) => (m.frameSize.width ? `${m.frameSize.width} × ${m.frameSize.height}` : '–')],
    ['Camera to screen', (m) => number(m.age.ms, ' ms')],
    ['That is known by', (m) => HOW[m.age.how]],
    ['Painted', (m) => number(m.figures.fps, ' fps')],
    ['Received', (m) => number(m.figures.kbps, ' kb/s')],
    ['Codec', (m) => m.figures.codec || '–'],
    ['Jitter buffer', (m) => number(m.figures.bufferMs, ' ms', 1)],
    ['Decoding', (m) => number(m.figures.decodeMs, ' ms', 1)],
    ['Freezes', (m) => number(m.figures.freezes)],
  ]],
  ['Car', [
    ['State', (m) => (m.car ? `${STATES[m.car.state].word} (${causeWord(m.car.cause)})` : '–')],
    ['Last report', (m) => (m.known ? `${(m.carMs / 1000).toFixed(1)} s ago` : '–')],
    ['Refusals', (m) => (m.car ? refusalsIn(m.car.lease === m.helm.lease ? m.car.refusals & ~Refusal.LEASE_HELD : m.car.refusals).map(({ says }) => says).join(', ') || 'none' : '–')],
    ['Throttle, steering', (m) => (m.car ? `${m.car.throttle_us} µs, ${m.car.steering_us} µs` : '–')],
    ['Camera', (m) => (m.car ? `${m.car.width} × ${m.car.height}, ${m.car.fps} fps` : '–')],
    ['Encoder', (m) => (m.car ? `${(m.car.encode_us / 1000).toFixed(1)} ms, ${m.car.kbps} of ${m.car.target_kbps} kb/s` : '–')],
    ['Frames, dropped', (m) => (m.car ? `${m.car.frames}, ${m.car.dropped}` : '–')],
    ['Driver', (m) => (m.car ? (m.car.lease === m.helm.lease ? 'you' : hex(m.car.lease)) : '–')],
    ['Up', (m) => (m.car ? `${Math.floor(m.car.uptime_s / 60)} min ${m.car.uptime_s % 60} s` : '–')],
    ['Load, memory', (m) => (m.car ? `${(m.car.load_permille / 10).toFixed(0)} %, ${(m.car.mem_kb / 1024).toFixed(0)} MB` : '–')],
  ]],
  ['Picture in the car: half, 99 of 100 under', [
    ['Shown', (m) => (m.path === null ? '–' : pathWords(m.path))],
    ['Camera', stage('capture')],
    ['To the encoder', stage('prepare')],
    ['Encoder', stage('encode')],
    ['To packets', stage('hand_over')],
    ['Sent', stage('send')],
    ['All of it', stage('whole')],
    ['Copied', (m) => number(m.path?.copies)],
  ]],
  ['Body', [
    ['Battery', (m) => reading(m, 'battery_mv', (mv, { battery, battery_ma: ma }) => `${(mv / 1000).toFixed(2)} V${ma === null ? '' : `, ${(ma / 1000).toFixed(2)} A`}, ${LEVELS[battery] ?? '–'}`)],
    ['Temperature', (m) => reading(m, 'temp_celsius', (celsius) => `${celsius} °C`)],
    ['Slowed down', (m) => reading(m, 'throttled', (bits) => throttling(bits) || (bits === 0 ? 'never' : `not now; was: ${throttling(bits >>> 16)}`))],
    ['Warnings', (m) => (m.board === null ? '–' : warningsIn(m.board).map(({ says }) => says).join(', ') || 'none')],
    ['Wi-Fi, modem', (m) => `${reading(m, 'wifi_dbm', (dbm) => `${dbm} dBm`)}, ${reading(m, 'modem_percent', (percent) => `${percent} %`)}`],
    ['Laps: last, best', (m) => (m.laps === null ? '–' : `${m.laps.count}: ${[m.laps.lastMs, m.laps.bestMs].map((ms) => (ms === null ? '–' : lapText(ms))).join(', ')}`)],
    ['Processor, free memory', (m) => `${reading(m, 'cpu_permille', (cpu) => `${(cpu / 10).toFixed(0)} %`)}, ${reading(m, 'mem_free_kb', (kb) => `${(kb / 1024).toFixed(0)} MB`)}`],
    ['Counted', (m) => (m.board === null ? '–' : counted(m.board) || 'nothing')],
  ]],
  ['Commands', [
    ['Sent: drive, neutral', (m) => `${m.helm.sent.drive}, ${m.helm.sent.neutral}`],
    ['Sent: arm, stop', (m) => `${m.helm.sent.arm}, ${m.helm.sent.stop}`],
    ['Accepted by the car', (m) => number(m.car?.accepted)],
    ['Late, replayed', (m) => (m.car ? `${m.car.late}, ${m.car.replayed}` : '–')],
    ['Foreign, malformed', (m) => (m.car ? `${m.car.foreign}, ${m.car.malformed}` : '–')],
    ['Input', (m) => m.source],
  ]],
];

export function createDrawer(document) {
  const panel = document.getElementById('details');
  const button = document.getElementById('details-button');
  const values = [];

  function build() {
    const sections = TABLE.map(([title, rows]) => {
      const section = document.createElement('section');
      const heading = document.createElement('h3');
      heading.textContent = title;
      const list = document.createElement('dl');
      for (const [label, read] of rows) {
        const term = document.createElement('dt');
        const value = document.createElement('dd');
        term.textContent = label;
        list.append(term, value);
        values.push([value, read]);
      }
      section.append(heading, list);
      return section;
    });
    document.getElementById('details-rows').replaceChildren(...sections);
  }

  const toggle = (open) => {
    if (open && values.length === 0) build();
    panel.hidden = !open;
    button.setAttribute('aria-expanded', String(open));
  };
  button.addEventListener('click', () => toggle(panel.hidden));

  return {
    /** Closes it; says whether it was open. */
    close() {
      const was = !panel.hidden;
      if (was) toggle(false);
      return was;
    },
    /** Open it at the driver key. */
    askKey() {
      toggle(true);
      const field = document.getElementById('key');
      field.scrollIntoView();
      field.focus();
    },
    tell(model) {
      if (panel.hidden) return;
      for (const [value, read] of values) {
        const now = read(model);
        if (value.textContent !== now) value.textContent = now;
      }
    },
  };
}
