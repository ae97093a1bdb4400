// The signalling socket: one JSON object {"type","data"} per text frame, `data` always a string.
//
// Nothing is known of the Spider's server but what its clients show, so this end takes every frame that the
// PROTOCOL.md lists and shrugs at the rest: plain-text `close`, missing `data`, binary, junk.
//
//   page ── offer · answer · ping ─────────────────────────────────────────────────────▶ Spider
//   page ◀── answer · offer · candidate · candidate2 · ping · pong · joins · error ───── Spider
//
// Promises: after `close()` no callback fires; a frame that cannot be read is counted, never fatal.
// Sources: PROTOCOL.md sections 2 and 5.2 (Q3, Q5, Q6).

/** spec: viewers ping at most every 25 to 30 s; no pong is required. */
const PING_MS = 25_000;

/** What a socket closes with whose channel has no place left. spec: IANA WebSocket close codes, 1013 "try again later". */
export const TRY_LATER = 1013;

/** Whether an id has the form of a channel's. Source: PROTOCOL.md 1.2 (rs/xid). */
export const isChannelId = (id) => /^[0-9a-v]{19}[0g]$/.test(id);

/**
 * The driver key in the page's address, after the # or in the query. Who types one there leaves a plus as it is, and a browser
 * writes a blank that was typed as %20: so a plus means itself. After the # nothing else follows, and & and % may be typed too.
 */
export function keyIn(href) {
  const { hash, search } = new URL(href);
  const read = (text) => new URLSearchParams(`key=${text.replaceAll('+', '%2B').replaceAll('&', '%26')}`).get('key');
  const after = hash.replace(/^#car=[^&]*&?/, '#');
  if (after.startsWith('#key=')) return read(after.slice(5));
  const said = search.slice(1).split('&').find((part) => part.startsWith('key='));
  return said === undefined ? '' : read(said.slice(4));
}

/** The car's own key (seal.js), percent-encoded: `#car=...`, and `&key=...` after it. */
export function carKeyIn(href) {
  const [, said = ''] = /^#car=([^&]*)/.exec(new URL(href).hash) ?? [];
  try {
    return decodeURIComponent(said);
  } catch {
    return said; // A % that was typed.
  }
}

/**
 * The socket's address on the host that served the page; `drives` asks for the place that is kept for a driver, and by `instance`
 * the page is known again. It wants to be told its rights.
 */
export function signallingUrl(base, channel, { drives = false, instance = '' } = {}) {
  const url = new URL('/live/ws/sub', base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.hash = '';
  url.searchParams.set('channel', channel);
  url.searchParams.set('vcodec', 'h264');
  url.searchParams.set('rights', '1');
  if (drives) url.searchParams.set('drive', '1');
  if (instance) url.searchParams.set('instance', instance);
  return url.href;
}

/**
 * The protocols of the socket: the one header that a page may fill, so the key goes there, and stands in no address. A name of a
 * protocol has no blanks, brackets and quotes (RFC 9110, token); what encodeURIComponent leaves of those is encoded, too.
 */
export const protocols = (key) => (key
  ? ['spidercar', `spidercar.key.${encodeURIComponent(key).replace(/[()]/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`)}`]
  : []);

/** What the Spider said that our key is for, as a set of words. */
export const readRights = (data) => new Set(data.split(' ').filter(Boolean));

/** One frame as {type, data}, the plain text `close` as that type, or null for what is none of ours. */
export function readFrame(frame) {
  if (typeof frame !== 'string') return null;
  if (frame.trim() === 'close') return { type: 'close', data: '' };
  try {
    const { type, data } = JSON.parse(frame);
    return typeof type === 'string' ? { type, data: typeof data === 'string' ? data : '' } : null;
  } catch {
    return null;
  }
}

/**
 * Open the socket and show the key. Callbacks: `onOpen()`, `onMessage({type, data})`, `onClose({opened, reason, code})` (once).
 * `io` is where `WebSocket` and the timers come from.
 */
export function openSignalling(url, key, io, { onOpen, onMessage, onClose }) {
  const socket = new io.WebSocket(url, protocols(key));
  let opened = false;
  let done = false;
  let junk = 0;
  let pinger = null;

  const send = (type, data) => {
    if (socket.readyState === 1) socket.send(JSON.stringify({ type, data }));
  };
  const finish = (report, reason, code = 0) => {
    if (done) return;
    done = true;
    io.clearInterval(pinger);
    socket.close();
    if (report) onClose({ opened, reason, code });
  };

  socket.onopen = () => {
    if (done) return;
    opened = true;
    pinger = io.setInterval(() => send('ping', ''), PING_MS);
    onOpen();
  };
  socket.onmessage = ({ data }) => {
    if (done) return;
    const message = readFrame(data);
    if (message === null) junk += 1;
    else if (message.type === 'close') finish(true, 'closed by the Spider');
    else onMessage(message);
  };
  socket.onerror = () => {}; // A close event with all there is to know always follows.
  socket.onclose = (event) => finish(true, event.reason || '', event.code);

  return { send, close: () => finish(false, ''), isOpen: () => opened && !done, junk: () => junk };
}
