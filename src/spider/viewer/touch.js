// Two thumbs on glass: the left one is the throttle, the right one the steering. A mouse will do too.
//
// A thumb is blind, so a pad is not a slider: wherever the thumb lands is centre, and only how far it moves from
// there counts. So touching the glass never jumps the car. Letting go, losing the pointer, or a second finger
// on the same pad springs back to centre; a finger that was dropped has to be put down anew.
//
// Promises: one pointer per pad; every end of a touch (up, cancel, lost capture) reports centre inside that event; a move
// without a button is an end that was lost.

/** Travel from centre to full scale, CSS px. choice: what a thumb reaches without the hand moving. */
const TRAVEL_PX = 84;

/** Keeps the pointer's events at the element; false if the pointer is gone already. */
export function capture(element, pointerId) {
  try {
    element.setPointerCapture?.(pointerId);
    return true;
  } catch {
    return false; // It was lifted before this event was handled.
  }
}

/** One pad. `axis` is `x` (left +) or `y` (up +); `report(value, eventAt)` gets −1..1, and 0 at the end. */
export function attachPad(element, axis, report) {
  let pointer = null;
  let origin = 0;
  const position = (event) => (axis === 'x' ? event.clientX : event.clientY);

  function drop() {
    const held = pointer;
    pointer = null;
    element.classList.remove('held');
    if (held !== null && element.hasPointerCapture?.(held)) element.releasePointerCapture(held);
  }
  const centre = (event) => {
    if (event.pointerId !== pointer) return;
    drop();
    report(0, event.timeStamp);
  };

  element.addEventListener('pointerdown', (event) => {
    if (event.button > 0) return;
    event.preventDefault();
    if (pointer !== null) {
      drop();
      report(0, event.timeStamp);
      return;
    }
    if (!capture(element, event.pointerId)) return;
    pointer = event.pointerId;
    origin = position(event);
    element.classList.add('held');
  });
  element.addEventListener('pointermove', (event) => {
    if (event.pointerId !== pointer) return;
    if ((event.buttons & 1) === 0) return void centre(event);
    // Up and left are plus, as on the wire; on the screen they are minus.
    const value = Math.max(-1, Math.min(1, (origin - position(event)) / TRAVEL_PX));
    report(value, event.timeStamp);
    return undefined;
  });
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) element.addEventListener(end, centre);

  return {
    /** Drop whatever finger is on it; it is at centre. */
    release: drop,
  };
}
