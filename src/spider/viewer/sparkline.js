// A small moving graph of the picture's age, so that a driver feels lag before he reads it.
//
// Bars, not a line: each is the worst of a few frames, because the worst frame is what one steers by.
//
// Promises: draws only when asked; sharp on any screen; the scale moves in steps, so that it does not swim.

/** Bars shown and frames per bar. choice: forty bars of five frames, about seven seconds at 30 fps. */
const BARS = 40;
const FRAMES_PER_BAR = 5;
/** Tops of the scale, ms. choice: the first fits a good link. */
const SCALES = [60, 120, 250, 500, 1000, 4000];

/** The worst of each group of frames, newest last. Groups stay put as samples come: `total` counts all samples ever. */
export function bars(samples, total) {
  const worst = [];
  const phase = total % FRAMES_PER_BAR;
  for (let end = samples.length - phase; end >= FRAMES_PER_BAR && worst.length < BARS; end -= FRAMES_PER_BAR) {
    worst.unshift(Math.max(...samples.slice(end - FRAMES_PER_BAR, end)));
  }
  return worst;
}

export const scaleFor = (values) => SCALES.find((top) => values.every((value) => value <= top)) ?? SCALES.at(-1);

/** `toneOf(ms)` gives a CSS colour. */
export function createSparkline(canvas, toneOf) {
  const context = canvas.getContext('2d');
  return {
    draw(samples, total, pixelRatio) {
      const width = Math.round(canvas.clientWidth * pixelRatio);
      const height = Math.round(canvas.clientHeight * pixelRatio);
      if (width === 0 || height === 0) return;
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      else context.clearRect(0, 0, width, height);
      const values = bars(samples, total);
      const top = scaleFor(values);
      const pitch = width / BARS;
      values.forEach((value, index) => {
        const size = Math.max(pixelRatio, (Math.min(value, top) / top) * height);
        context.fillStyle = toneOf(value);
        context.fillRect((BARS - values.length + index) * pitch, height - size, Math.max(1, pitch - pixelRatio), size);
      });
    },
  };
}
