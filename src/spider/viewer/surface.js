// `window.spidercar`: what tests and scripts may read of the running page. Read-only; nothing here can drive.
//
//   state       link phase and why, telemetry `car`, `board` and `video` as received, laps, what the helm does, counts of messages
//   latency     captureToPaintMs (oldest first), carClockOffsetMs (the car's CLOCK_MONOTONIC minus this page's time),
//               clockErrorMs, rttMs, readingMs (cost of reading one stamp)
//   picture     verdict of staleness.js; ms and how old what is on the screen is now, as it is reported to the car
//   frames      painted, stamped (readable), timed (gave a sample), dated (by RTP time), lastFrame (number in the picture),
//               firstAt and lastAt (ms since navigation), width, height
//   channels    label → ms since navigation when it opened (only the open ones)
//   inputs      [{inputAt, sentAt, throttle, steering}] of inputs that were sent at once, ms since navigation
//   figures     kbps, fps, lossPercent, decodeMs, bufferMs, freezes, codec, path
//   bench       the calibration panel: open, sure, field, pulses, held, dirty, report of the car
//
// Promises: each getter gives a fresh plain copy, safe to hand out of the page; names here are a contract with tests/browser.

export function createTestSurface({ link, helm, bench, meter, clock, pilot, opened, counts, car, board, path, laps, figures, age, verdict }) {
  return Object.freeze({
    get state() {
      return { link: link.status(), car: car(), board: board(), path: path(), laps: laps(), helm: helm.view(), source: pilot.source(), limit: pilot.limit(), messages: { ...counts } };
    },
    get latency() {
      return {
        captureToPaintMs: [...meter.samples()], readingMs: meter.readingMs(),
        carClockOffsetMs: clock.offsetMs(), clockErrorMs: clock.errorMs(), rttMs: clock.rttMs(),
      };
    },
    get picture() { return { verdict: verdict(), ...age() }; },
    get frames() { return { ...meter.meter() }; },
    get channels() { return Object.fromEntries(opened); },
    get inputs() { return [...helm.inputs()]; },
    get figures() { return { ...figures() }; },
    get bench() { return { ...bench.view() }; },
  });
}
