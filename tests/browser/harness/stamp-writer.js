// Draws the car's stamp on a canvas, so that made-up pictures go through the shipped reader, stamp.js.
//
// The format is `src/hal/sim/stamp.rs`: 15 bytes as 40 columns by 3 lines, column by column, along the top edge.

const COLUMNS = 40;
const LINES = 3;

function crc16(bytes) {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}

const bigEndian = (value, count) => Array.from({ length: count }, (_, at) => Math.floor(value / 256 ** (count - 1 - at)) % 256);

/** The 15 bytes of a stamp. */
export function stampBytes(captureUs, frame) {
  const data = [...bigEndian(captureUs, 7), ...bigEndian(frame, 4)];
  return [0xb2, ...data, ...bigEndian(crc16(data), 2), 0x4d];
}

export function drawStamp(context, width, height, captureUs, frame) {
  const bytes = stampBytes(captureUs, frame);
  const strip = Math.max(2 * LINES, Math.ceil(height / 30));
  for (let bit = 0; bit < COLUMNS * LINES; bit += 1) {
    const [column, line] = [Math.floor(bit / LINES), bit % LINES];
    const [left, right] = [column, column + 1].map((at) => Math.floor((width * at) / COLUMNS));
    const [top, bottom] = [line, line + 1].map((at) => Math.floor((strip * at) / LINES));
    context.fillStyle = (bytes[bit >> 3] >> (7 - (bit & 7))) & 1 ? '#fff' : '#000';
    context.fillRect(left, top, right - left, bottom - top);
  }
}
