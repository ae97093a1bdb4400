// Keys to driving: arrows or WASD, Shift for precise, Space or Escape to stop, Enter or R to arm, V for the other camera.
//
// Stop is caught before any button can see it: Space on a focused Arm button would otherwise arm the car.
// Codes, not characters, so that WASD is the same four places on every layout; characters only where a key has no code.
//
// A key-up may never come: menus, dialogs and the system take keys for themselves, and a Mac keeps every key-up while Cmd is
// held. So a held key counts only as long as nothing speaks against it:
//
//   a key of the system (Alt, Ctrl, Meta, F1.., menu), or any key with one of them      ─▶ lost()
//   a key-up without its key-down: something came while we were not listening           ─▶ lost()
//   a key that has repeated falls silent for a second, and nothing else was pressed     ─▶ lost()
//
// The last one works only where the system repeats keys, which is learned for each key, and not for a key that another took
// the repeat from; a key-up takes it from all.
//
// Promises: a held key is reported once; Stop works wherever the focus is; typing in a field does not drive; after `release()` a
// key that is still held counts for nothing until it is pressed anew.

const DRIVE_KEYS = Object.freeze({
  KeyW: 'forward', ArrowUp: 'forward', KeyS: 'back', ArrowDown: 'back',
  KeyA: 'left', ArrowLeft: 'left', KeyD: 'right', ArrowRight: 'right', KeyM: 'hold',
});
const STOP_KEYS = ['Space', 'Escape'];
const ARM_KEYS = ['Enter', 'NumpadEnter', 'KeyR'];
const LOOK_KEY = 'KeyV';
/** Keys that the browser or the system answers with something of its own. */
const SYSTEM_KEY = /^(Alt|Control|Meta|OS|ContextMenu|PrintScreen|Power|Sleep|F\d)/;
/** Characters of keys without a code: on-screen keyboards, remote desktops, browsers that hide the layout. */
const CODES = Object.freeze({
  ' ': 'Space', spacebar: 'Space', escape: 'Escape', esc: 'Escape', enter: 'Enter', r: 'KeyR', v: 'KeyV', m: 'KeyM',
  w: 'KeyW', a: 'KeyA', s: 'KeyS', d: 'KeyD', arrowup: 'ArrowUp', arrowdown: 'ArrowDown', arrowleft: 'ArrowLeft', arrowright: 'ArrowRight',
  meta: 'MetaLeft', os: 'MetaLeft', alt: 'AltLeft', altgraph: 'AltRight', control: 'ControlLeft', contextmenu: 'ContextMenu',
});
/** The same for events with nothing but the old number. spec: UI Events, legacy `keyCode`. */
const NUMBERS = Object.freeze({ 32: 'Space', 27: 'Escape' });

/** A key that repeats comes again within this time, or it is up. choice: four of the slowest repeats that systems offer. */
const SILENCE_MS = 1000;
/** The same in parts of the longest pause that this key has shown before its first repeat: systems wait up to 2 s. choice. */
const FIRST_PAUSE = 1.5;
/** Longest step of the clock that counts: a page that stood still did not listen. choice: two ticks. */
const LONGEST_STEP_MS = 40;

const codeOf = ({ code, key, keyCode }) => (code && code !== 'Unidentified' ? code : CODES[key?.toLowerCase()] ?? NUMBERS[keyCode] ?? '');
const isSystem = (event, code) => event.altKey || event.ctrlKey || event.metaKey || event.getModifierState?.('AltGraph') || SYSTEM_KEY.test(code);
export const isTyping = (target) => target?.matches?.('input:not([type=range]), textarea, select') ?? false;
const ownsEnter = (target) => target?.matches?.('button, a, summary, input:not([type=range]), select, textarea') ?? false;
const ownsArrows = (target) => target?.matches?.('input, select, textarea') ?? false;

/**
 * `on`: `key(name, down, eventAt)`, `stop(code, orphan)`, `arm()`, `look()`, `lost()`: a key may have been let go unseen.
 * An orphan is a Stop key whose press went elsewhere. Gives `release()`, `tick(now)` and `isDown(prefix)`.
 */
export function attachKeyboard(target, on) {
  const pressed = new Set(); // Every key that is down, as far as we have heard.
  const down = new Map(); // Those that count. Two keys can mean the same direction; it ends when the last of them is up.
  const pauses = new Map(); // code → the longest pause before its first repeat, ms
  let precise = false;
  let watch = null; // {code, quietMs, repeated}: the key that the system repeats now
  let tickedAt = null;

  /** Shift tells by every event whether it is held. */
  function tellPrecise(event) {
    if (event.shiftKey === precise) return;
    precise = event.shiftKey;
    on.key('precise', precise, event.timeStamp);
  }

  function repeats(code) {
    if (!down.has(code)) return void (watch = null);
    if (watch?.code === code && !watch.repeated) pauses.set(code, Math.max(pauses.get(code) ?? 0, watch.quietMs));
    watch = { code, quietMs: 0, repeated: true };
    return undefined;
  }

  function drive(event, code) {
    const name = DRIVE_KEYS[code];
    if (name === undefined || (code.startsWith('Arrow') && ownsArrows(event.target))) return;
    event.preventDefault();
    if (event.repeat) return;
    watch = { code, quietMs: 0, repeated: false };
    if (down.has(code)) return;
    down.set(code, name);
    on.key(name, true, event.timeStamp);
  }

  const press = (event) => {
    const code = codeOf(event);
    const again = event.repeat && pressed.has(code);
    pressed.add(code);
    if (event.repeat) repeats(code);
    else watch = null;
    if (STOP_KEYS.includes(code)) {
      event.preventDefault();
      event.stopPropagation();
      if (!again) on.stop(code, false);
      return;
    }
    if (isSystem(event, code)) return void on.lost();
    tellPrecise(event);
    if (isTyping(event.target)) return;
    if (ARM_KEYS.includes(code) && !(code !== 'KeyR' && ownsEnter(event.target))) {
      event.preventDefault();
      if (!event.repeat) on.arm();
    } else if (code === LOOK_KEY) {
      if (!event.repeat) on.look();
    } else {
      drive(event, code);
    }
  };

  const lift = (event) => {
    const code = codeOf(event);
    const known = pressed.delete(code);
    watch = null;
    if (STOP_KEYS.includes(code)) {
      event.preventDefault(); // A button clicks when Space is let go.
      if (!known) on.stop(code, true);
      return;
    }
    if (isSystem(event, code) || (!known && down.size > 0)) return void on.lost();
    tellPrecise(event);
    const name = down.get(code);
    if (name === undefined) return;
    down.delete(code);
    if (![...down.values()].includes(name)) on.key(name, false, event.timeStamp);
  };

  target.addEventListener('keydown', press, { capture: true });
  target.addEventListener('keyup', lift, { capture: true });
  return {
    /** Forget which keys count. */
    release() {
      down.clear();
      precise = false;
      watch = null;
    },
    /** Nothing is known any more of what is pressed: the page did not have the keyboard. */
    forget: () => pressed.clear(),
    /** Call every 20 ms. */
    tick(now) {
      const step = Math.min(LONGEST_STEP_MS, now - (tickedAt ?? now));
      tickedAt = now;
      if (watch === null) return;
      watch.quietMs += step;
      const pause = watch.repeated ? 0 : (pauses.get(watch.code) ?? Infinity) * FIRST_PAUSE;
      if (!down.has(watch.code) || watch.quietMs <= Math.max(SILENCE_MS, pause)) return;
      pauses.delete(watch.code); // If the repeat was switched off meanwhile, this happens once.
      on.lost();
    },
    /** A key whose code begins like this is down. */
    isDown: (prefix) => [...pressed].some((code) => code.startsWith(prefix)),
  };
}
