// Keeps a phone's screen on while driving: a screen that dims hides the page, and a hidden page stops the car.
//
// Browsers give this to pages that came over TLS only, and take it away when the battery is low; then the driver has to know.
//
// Promises: asks once per drive; `trouble()` says why the screen may go dark: '' (it stays on, or nobody asked yet),
// 'insecure', 'missing' or 'refused'.

/** `window` gives the navigator and whether the page is secure. */
export function createAwake({ navigator, isSecureContext }) {
  let wanted = false;
  let lock = null;
  let trouble = '';
  if (navigator.wakeLock === undefined) trouble = isSecureContext ? 'missing' : 'insecure';

  function take() {
    lock = navigator.wakeLock.request('screen').then((held) => {
      if (wanted) trouble = '';
      held.addEventListener?.('release', () => { if (wanted) trouble = 'refused'; });
      return held;
    }, () => { trouble = 'refused'; return null; });
  }

  return {
    /** Call as often as you like. */
    keep(driving) {
      if (driving === wanted) return;
      wanted = driving;
      if (navigator.wakeLock === undefined) return;
      if (driving) take();
      else lock?.then((held) => held?.release());
    },
    trouble: () => trouble,
  };
}
