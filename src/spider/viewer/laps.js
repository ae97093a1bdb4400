// Lap times: out of the `ir` messages that every car sends, and the `board` of ours, which knows more.
//
// `ir` comes at once and dates a pass; the lap is the difference of two. `board` follows with the count since the car's start
// and the lap by the car's own clock, so a page that was opened late still counts right.
//
// Promises: pure; a lap that is not known is null, never 0; the best is the best that this page has seen.

/** A lap longer than this was a pause. choice: the car itself starts its dates anew after ten minutes. */
const LONGEST_MS = 600_000;

export function createLaps() {
  let passedAt = null;
  let count = 0;
  let lastMs = null;
  let bestMs = null;

  const take = (ms) => {
    lastMs = ms;
    bestMs = bestMs === null ? ms : Math.min(bestMs, ms);
  };

  return {
    /** A pass, in seconds since 1970. */
    pass(seconds) {
      const ms = passedAt === null ? NaN : Math.round((seconds - passedAt) * 1000);
      passedAt = seconds;
      count += 1;
      if (ms > 0 && ms < LONGEST_MS) take(ms);
    },
    /** What the car counts; fields are null where it has no lap sensor. */
    correct(board) {
      if (board.laps === null) return;
      count = board.laps;
      if (board.last_lap_ms !== null && board.last_lap_ms !== lastMs) take(board.last_lap_ms);
    },
    /** `{count, lastMs, bestMs}`, or null before the first pass. */
    view: () => (count === 0 ? null : { count, lastMs, bestMs }),
  };
}
