// SHA-256 and HMAC with it, in the call.
//
// The browser's own (`crypto.subtle`) is there on pages with TLS alone, and a car in a garden has none; and it answers later,
// when a command that has to leave now has become an old one. A command is two or three blocks: microseconds.
//
// Promises: the same bytes for the same input, always; nothing is kept. Source: FIPS 180-4, RFC 2104.

const BLOCK = 64;

/** The first 32 bits of the fractional parts of a root of the first primes. spec: FIPS 180-4 4.2.2 and 5.3.3. */
function roots(count, power) {
  const found = [];
  for (let n = 2; found.length < count; n += 1) {
    let prime = true;
    for (let d = 2; d * d <= n; d += 1) prime &&= n % d !== 0;
    if (prime) found.push(((n ** power % 1) * 0x1_0000_0000) | 0);
  }
  return Int32Array.from(found);
}
const K = roots(64, 1 / 3);
const START = roots(8, 1 / 2);

const turn = (word, by) => (word >>> by) | (word << (32 - by));

/** One block of 64 bytes at `from` into the state `h`. `w` is room for 64 words. */
function mix(h, view, from, w) {
  for (let t = 0; t < 16; t += 1) w[t] = view.getInt32(from + 4 * t);
  for (let t = 16; t < 64; t += 1) {
    const s0 = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ (w[t - 15] >>> 3);
    const s1 = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ (w[t - 2] >>> 10);
    w[t] = (w[t - 16] + s0 + w[t - 7] + s1) | 0;
  }
  let [a, b, c, d, e, f, g, last] = h;
  for (let t = 0; t < 64; t += 1) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const t1 = (last + s1 + ((e & f) ^ (~e & g)) + K[t] + w[t]) | 0;
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [last, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, last].forEach((word, i) => { h[i] = (h[i] + word) | 0; });
}

/** The hash of all these bytes, one array after the other: 32 bytes. */
export function sha256(...parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const padded = new Uint8Array(Math.ceil((length + 9) / BLOCK) * BLOCK);
  let at = 0;
  for (const part of parts) { padded.set(part, at); at += part.length; }
  padded[length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(length) * 8n);
  const h = Int32Array.from(START);
  const w = new Int32Array(64);
  for (let from = 0; from < padded.length; from += BLOCK) mix(h, view, from, w);
  const out = new DataView(new ArrayBuffer(32));
  h.forEach((word, i) => out.setInt32(4 * i, word));
  return new Uint8Array(out.buffer);
}

/** A function from bytes to their code under this key: 32 bytes. */
export function hmac(key) {
  const short = key.length > BLOCK ? sha256(key) : key;
  const pad = (mark) => Uint8Array.from({ length: BLOCK }, (_, i) => (short[i] ?? 0) ^ mark);
  const [inner, outer] = [pad(0x36), pad(0x5c)];
  return (bytes) => sha256(outer, sha256(inner, bytes));
}
