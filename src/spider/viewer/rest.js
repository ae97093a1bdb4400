// Where a stick rests: the dead zone of one axis, raised for a worn stick that comes to rest beside its centre.
//
// A stick that nobody touches stands still beside its centre; a thumb never stands that still. So whatever stood still there for
// a while is the stick's own rest, and the dead zone grows round it. It only grows, on both sides, and up to a bound: so
// letting go of a stick never leaves more than letting go did before.
//
// Promises: pure (time is an argument); the dead zone never shrinks and never passes `MOST`.

/** Travel that is centre for every stick. choice: half of what XInput takes (XINPUT_GAMEPAD_LEFT_THUMB_DEADZONE, 0.24); new pads rest within 0.05. */
const LEAST = 0.12;
/** The dead zone never grows beyond. choice: XInput's 0.24, and a margin; a stick that rests further out is broken and counts for nothing. */
const MOST = 0.3;
/** Added round the place where it rests: it does not come back to the same place each time. choice. */
const MARGIN = 0.06;
/** A reading may move this far and stands still: one step of an 8-bit stick is 1/128. choice: rounded up. */
const STILL = 0.01;
/** Standing this long, nobody holds it. choice: longer than a thumb keeps still, shorter than a driver waits for his car to stop. */
const STILL_MS = 2000;

export function createRest() {
  let zone = LEAST;
  let [low, high, since] = [0, 0, null];
  return {
    /** One reading, −1..1. Gives the position from the edge of the centre outwards, 0 within it. */
    read(raw, now) {
      if (!Number.isFinite(raw)) return 0;
      [low, high] = [Math.min(low, raw), Math.max(high, raw)];
      if (since === null || high - low > STILL) [low, high, since] = [raw, raw, now];
      const size = Math.abs(raw);
      if (size > zone && size + MARGIN <= MOST && now - since >= STILL_MS) zone = size + MARGIN;
      return outside(raw, zone);
    },
    zone: () => zone,
  };
}

/** The part of a position outside a centre of this size, rescaled so that full stays full. */
export function outside(raw, zone) {
  const size = Math.min(1, Math.abs(raw));
  return size <= zone ? 0 : (Math.sign(raw) * (size - zone)) / (1 - zone);
}
