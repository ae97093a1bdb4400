// Two thumbs on glass: the left one is the throttle, the right one the steering. A mouse will do too.
//
// A thumb is blind, so a pad is not a slider: wherever the thumb lands is centre, and only how far it moves from
// there counts. So touching the glass never jumps the car. Letting go, losing the pointer, or a second finger
// on the same pad springs back to centre.
//
// Promises: one pointer per pad; every end of a touch (up, cancel, lost capture) reports centre inside that event.

/** Travel from centre to full scale, CSS px. choice: what a thumb reaches without the hand moving. */
const TRAVEL_PX = 84;

/** One pad. `axis` is `x` (left +) or `y` (up +); `report(value, eventAt)` gets −1..1, and 0 at the end. */
export function attachPad(element, axis, report) {
  let pointer = null;
  let origin = 0;
  const position = (event) => (axis === 'x' ? event.clientX : event.clientY);

  const centre = (event) => {
    if (pointer === null || (event.pointerId !== undefined && event.pointerId !== pointer)) return;
    pointer = null;
    element.classList.remove('held');
    report(0, event.timeStamp);
  };

  element.addEventListener('pointerdown', (event) => {
    if (pointer !== null || event.button > 0) return;
    event.preventDefault();
    pointer = event.pointerId;
    origin = position(event);
    element.setPointerCapture?.(pointer);
    element.classList.add('held');
  });
  element.addEventListener('pointermove', (event) => {
    if (event.pointerId !== pointer) return;
    // Up and left are plus, as on the wire; on the screen they are minus.
    const value = Math.max(-1, Math.min(1, (origin - position(event)) / TRAVEL_PX));
    report(value, event.timeStamp);
  });
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) element.addEventListener(end, centre);
  element.addEventListener('contextmenu', (event) => event.preventDefault());

  return {
    /** Drop whatever finger is on it. */
    release() {
      if (pointer === null) return;
      const held = pointer;
      pointer = null;
      element.classList.remove('held');
      if (element.hasPointerCapture?.(held)) element.releasePointerCapture(held);
    },
  };
}
