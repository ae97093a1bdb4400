// Reads the stamp that the simulated car burns into each frame: when was this picture caught, and which one is it?
//
// The reader of `src/hal/sim/stamp.rs` once more, for a page: that file has the picture of the grid and the reasons.
// Both are held together by the golden pictures in `tests/data/stamp`.
//
//   strip along the top edge, 40 columns x 3 lines, filled column by column, white = 1; lines of 4 pixels, 8 from a
//   picture height of 540 on, 12 from 900 on
//   15 bytes: 0xB2 | time, 7 bytes, µs | frame, 4 bytes | CRC-16 of those 11 | 0x4D
//
// Promises: never a wrong stamp, null instead; never throws for any picture; the strip may have been scaled.
// Knows nothing of: clocks, videos, canvases.

const COLUMNS = 40;
const LINES = 3;
const BYTES = (COLUMNS * LINES) / 8;
/** A block is a whole number of the encoder's transforms high, one more for each so many lines of picture. */
const TRANSFORM = 4;
const LINES_A_TRANSFORM = 360;
const SYNC_HEAD = 0xb2;
const SYNC_TAIL = 0x4d;
/** Least difference between the white and the black sync blocks, of 255. choice: a quarter. */
const LEAST_CONTRAST = 64;

/** The part of a frame of this size that holds the stamp: draw or copy it, and nothing else is needed. */
export function regionOf(width, height) {
  const transforms = Math.max(1, Math.floor((height + LINES_A_TRANSFORM / 2) / LINES_A_TRANSFORM));
  return { x: 0, y: 0, width, height: LINES * TRANSFORM * transforms };
}

/**
 * The stamp in `image` (RGBA `{data, width, height}`), or null. `image` is the region of a frame of `width` x `height`,
 * at any scale, or the whole frame.
 */
export function readStamp(image, width, height) {
  const isWhole = image.width === width && image.height === height;
  const strip = isWhole ? regionOf(width, height).height : image.height;
  if (!(image.width >= COLUMNS && strip >= LINES && image.data.length >= image.width * strip * 4)) return null;

  const levels = [];
  for (let bit = 0; bit < COLUMNS * LINES; bit += 1) {
    levels.push(mean(image, middle(image.width, Math.floor(bit / LINES), COLUMNS), middle(strip, bit % LINES, LINES)));
  }
  const threshold = thresholdOf(levels);
  if (threshold === null) return null;

  const bytes = [];
  for (let at = 0; at < BYTES; at += 1) {
    bytes.push(levels.slice(at * 8, at * 8 + 8).reduce((byte, level) => byte * 2 + (level > threshold ? 1 : 0), 0));
  }
  const number = (from, to) => bytes.slice(from, to).reduce((value, byte) => value * 256 + byte, 0);
  if (bytes[0] !== SYNC_HEAD || bytes[BYTES - 1] !== SYNC_TAIL || crc16(bytes.slice(1, 12)) !== number(12, 14)) return null;
  const captureUs = number(1, 8);
  return Number.isSafeInteger(captureUs) ? { captureUs, frame: number(8, 12) } : null;
}

/** First and one-past-last pixel of the middle half of a part of a length, at least one pixel. */
function middle(length, part, parts) {
  const first = Math.floor((length * (4 * part + 1)) / (4 * parts));
  const end = Math.floor((length * (4 * part + 3)) / (4 * parts));
  return [first, Math.max(end, first + 1)];
}

/** Mean brightness of a rectangle, 0 to 255. */
function mean({ data, width }, [left, right], [top, bottom]) {
  let sum = 0;
  for (let y = top; y < bottom; y += 1) {
    for (let at = (y * width + left) * 4; at < (y * width + right) * 4; at += 4) {
      sum += data[at] * 0.299 + data[at + 1] * 0.587 + data[at + 2] * 0.114;
    }
  }
  return sum / ((right - left) * (bottom - top));
}

/** Halfway between white and black, both taken from the sync blocks (the tail is the head inverted). */
function thresholdOf(levels) {
  const tail = levels.slice(-8);
  let white = 0;
  let black = 0;
  levels.slice(0, 8).forEach((level, bit) => {
    const isWhite = (SYNC_HEAD >> (7 - bit)) & 1;
    white += (isWhite ? level : tail[bit]) / 8;
    black += (isWhite ? tail[bit] : level) / 8;
  });
  return white - black >= LEAST_CONTRAST ? (white + black) / 2 : null;
}

/** CRC-16/IBM-3740. */
function crc16(bytes) {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}
