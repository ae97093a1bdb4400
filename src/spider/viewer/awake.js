// Keeps a phone's screen on while driving: a screen that dims hides the page, and a hidden page stops the car.
//
// Promises: asks once per drive; where the browser has no such thing or refuses (battery low), nothing happens.

/** Gives `keep(driving)`; call it as often as you like. */
export function createAwake(navigator) {
  let wanted = false;
  let lock = null;
  return (driving) => {
    if (driving === wanted) return;
    wanted = driving;
    if (driving) lock = navigator.wakeLock?.request('screen').catch(() => null) ?? null;
    else lock?.then((held) => held?.release());
  };
}
