// Keys to driving: arrows or WASD, Shift for precise, Space or Escape to stop, Enter or R to arm, V for the other camera.
//
// Stop is caught before any button can see it: Space on a focused Arm button would otherwise arm the car.
// Codes, not characters, so that WASD is the same four places on every layout.
//
// Promises: a held key is reported once; Stop works wherever the focus is; typing in a field does not drive.

const DRIVE_KEYS = Object.freeze({
  KeyW: 'forward', ArrowUp: 'forward', KeyS: 'back', ArrowDown: 'back',
  KeyA: 'left', ArrowLeft: 'left', KeyD: 'right', ArrowRight: 'right',
  ShiftLeft: 'precise', ShiftRight: 'precise',
});
const STOP_KEYS = ['Space', 'Escape'];
const ARM_KEYS = ['Enter', 'NumpadEnter', 'KeyR'];
const LOOK_KEY = 'KeyV';

const isTyping = (target) => target?.matches?.('input:not([type=range]), textarea, select') ?? false;
const ownsEnter = (target) => target?.matches?.('button, a, summary, input, select, textarea') ?? false;
const ownsArrows = (target) => target?.matches?.('input, select, textarea') ?? false;

/** `on`: `key(name, down, eventAt)`, `stop()`, `arm()`, `look()`. Returns `release()`: forget which keys are down. */
export function attachKeyboard(target, on) {
  // Two keys can mean the same direction; it ends when the last of them is up.
  const down = new Map();

  const press = (event) => {
    if (STOP_KEYS.includes(event.code)) {
      event.preventDefault();
      event.stopPropagation();
      if (!event.repeat) on.stop();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (ARM_KEYS.includes(event.code) && !(event.code !== 'KeyR' && ownsEnter(event.target))) {
      event.preventDefault();
      if (!event.repeat) on.arm();
      return;
    }
    if (event.code === LOOK_KEY) {
      if (!event.repeat) on.look();
      return;
    }
    const name = DRIVE_KEYS[event.code];
    if (name === undefined || (event.code.startsWith('Arrow') && ownsArrows(event.target))) return;
    if (name !== 'precise') event.preventDefault();
    if (event.repeat || down.has(event.code)) return;
    down.set(event.code, name);
    on.key(name, true, event.timeStamp);
  };

  const lift = (event) => {
    if (STOP_KEYS.includes(event.code)) event.preventDefault(); // A button clicks when Space is let go.
    const name = down.get(event.code);
    if (name === undefined) return;
    down.delete(event.code);
    if (![...down.values()].includes(name)) on.key(name, false, event.timeStamp);
  };

  target.addEventListener('keydown', press, { capture: true });
  target.addEventListener('keyup', lift, { capture: true });
  return { release: () => down.clear() };
}
