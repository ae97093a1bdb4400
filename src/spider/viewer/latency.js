// How old is the picture? Each painted frame's own stamp against the clock, in milliseconds from sensor to glass.
//
// The car burns its capture time into the picture, so nothing in between (encoder, relay, network, jitter
// buffer, decoder) can hide its delay. The frame is read back when the browser says it presented it; the time that
// counts is when the browser expects it on the screen.
//
//   car: capture ─▶ stamp in the pixels ─▶ … ─▶ presented here: stamp ─▶ clock.toLocalMs ─▶ shown − captured
//
// Pixels come from a VideoFrame where the page may have one (it copies only the stamp, in a third of a millisecond), else
// from a canvas, which converts the whole picture first.
//
// Promises: no sample without both a readable stamp and a clock estimate; reading costs a bounded share of the page's time.
// Knows nothing of: what a stamp looks like (stamp.js).

/** Samples kept. choice: 20 s at 30 fps. */
const KEEP = 600;
/** Share of the time that reading stamps may cost; frames are skipped beyond it. choice: the page is for driving. */
const BUDGET = 0.15;
/** Weight of the newest cost in its running mean. choice: a first, cold reading is forgotten within a second. */
const NEWEST = 0.1;
/** Without frame callbacks frames are only counted, this often. choice: quick enough to see a freeze. */
const COUNT_MS = 100;
/** Captured later than shown by more than this: a wrong reading or a wrong clock. choice. */
const BEFORE_CAPTURE_MS = -20;
/** An older picture counts as this old. choice: nobody drives by either, and the graph ends long before. */
const OLDEST_MS = 10_000;

const even = (value) => value - (value % 2);

/** Pixels of a region of the frame on the screen, as RGBA {data, width, height}. VideoFrame wants a secure context. */
function createReader(video, canvas, VideoFrame) {
  const fromCanvas = ({ x, y, width, height }) => {
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, x, y, width, height, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  };
  if (VideoFrame === undefined) return fromCanvas;

  let works = true;
  return async (region) => {
    if (!works) return fromCanvas(region);
    const frame = new VideoFrame(video);
    try {
      // Chroma is shared by two pixels, so the copy starts and ends on even ones.
      const rect = { x: even(region.x), y: even(region.y), width: even(region.width + 1), height: even(region.height + 1) };
      const data = new Uint8ClampedArray(rect.width * rect.height * 4);
      await frame.copyTo(data, { rect, format: 'RGBA' });
      return { data: data.subarray(0, rect.width * region.height * 4), width: rect.width, height: region.height };
    } catch {
      works = false; // An older browser copies without converting.
      return fromCanvas(region);
    } finally {
      frame.close();
    }
  };
}

/**
 * `readStamp` and `regionOf(width, height) -> {x, y, width, height}` come from stamp.js. Callbacks: `onFrame({at, shownAt,
 * receivedAt, rtpTimestamp})` for each frame, `onStamp(at, ageMs)` for one whose stamp was read; `at` is that of its frame.
 */
export function createFrameMeter({ video, clock, readStamp, regionOf, canvas, VideoFrame, now, onFrame, onStamp }) {
  const pixels = createReader(video, canvas, VideoFrame);
  const samples = [];
  const dated = [];
  const meter = { painted: 0, stamped: 0, timed: 0, dated: 0, lastFrame: null, lastAt: null, firstAt: null, width: 0, height: 0 };
  let readingMs = 0;
  let nextReadAt = 0;
  let busy = false;
  let running = false;

  async function read({ width, height, expectedDisplayTime, presentationTime }, startedAt) {
    const stamp = readStamp(await pixels(regionOf(width, height)), width, height);
    readingMs += NEWEST * (now() - startedAt - readingMs);
    nextReadAt = startedAt + readingMs / BUDGET;
    if (stamp === null) return;
    meter.stamped += 1;
    meter.lastFrame = stamp.frame;
    const capturedAt = clock.toLocalMs(stamp.captureUs);
    if (capturedAt === null) return;
    const age = Math.min(OLDEST_MS, Math.max(expectedDisplayTime, presentationTime) - capturedAt);
    if (age < BEFORE_CAPTURE_MS) return;
    meter.timed += 1;
    onStamp(startedAt, age);
    samples.push(age);
    if (samples.length > KEEP) samples.shift();
  }

  function count(frames, { width, height, expectedDisplayTime, presentationTime, receiveTime, rtpTimestamp }) {
    const at = now();
    meter.painted += frames;
    meter.lastAt = at;
    meter.firstAt ??= at;
    meter.width = width;
    meter.height = height;
    onFrame({ at, shownAt: Math.max(expectedDisplayTime ?? at, presentationTime ?? at), receivedAt: receiveTime, rtpTimestamp });
    return at;
  }

  function frame(_, metadata) {
    video.requestVideoFrameCallback(frame);
    if (video.paused) return; // Chromium tells each frame of a stream, also of one that it does not paint.
    const at = count(1, metadata);
    if (busy || at < nextReadAt || metadata.width === 0) return;
    busy = true;
    read(metadata, at).catch(() => {}).finally(() => { busy = false; }); // A frame that cannot be read is only not measured.
  }

  return {
    start() {
      if (running) return;
      running = true;
      if (video.requestVideoFrameCallback) return void video.requestVideoFrameCallback(frame);
      let before = 0;
      setInterval(() => {
        const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
        const all = totalVideoFrames - droppedVideoFrames; // What was dropped nobody saw.
        if (all > before && !video.paused) count(all - before, { width: video.videoWidth, height: video.videoHeight });
        before = all;
      }, COUNT_MS);
      return undefined;
    },
    /** Capture to paint by the stamp, ms, oldest first. */
    samples: () => samples,
    /** The age that a frame was painted with by its RTP time: a picture without stamps has that alone. */
    dated(ageMs) {
      meter.dated += 1;
      dated.push(ageMs);
      if (dated.length > KEEP) dated.shift();
    },
    /** Ages of the newest frames whichever way they are known, oldest first. */
    ages: () => (dated.length > 0 ? dated : samples),
    /** Counters: painted, stamped, timed, dated, lastFrame, lastAt, firstAt, width, height. */
    meter: () => meter,
    readingMs: () => readingMs,
  };
}
