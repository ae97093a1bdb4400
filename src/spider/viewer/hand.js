// The hand on the page: the devices it may hold, and every event after which a release may never come.
//
// An input counts only while it is known to be held now. A browser drops the release of a key or a finger whenever something
// else takes the input for a moment: a menu, a drag, a dialog, another window, full screen, a turned phone. The list has no end,
// so there is one answer for all of it, and each device has its own proof that it counts again:
//
//   any of these ─▶ helm.neutralNow ─▶ pilot.clear ─▶ every device drops what it holds, and neutral goes out, in that event
//
//     keys           pressed anew; a repeat is no press. A key that repeated has to go on (keyboard.js)
//     thumbs         put down anew; where one lands is centre (touch.js)
//     gamepad        read at its centre (gamepad.js, rest.js)
//     hold button    pressed anew (workshop.js)
//
// While the page lacks the focus, is hidden or magnified (Stop may be off the screen), nothing counts at all: `helm.attend`.
//
// Promises: lets go inside the event; a Stop key stops whatever else it does.

import { createGamepad } from './gamepad.js';
import { attachKeyboard, isTyping } from './keyboard.js';
import { attachPad } from './touch.js';

/** Magnified by more than this, something is off the screen. choice: above rounding. */
const WHOLE = 1.01;

/** `on`: `arm()`, `stop(code, orphan)`, `look()`, `leave()`, `tell()`, `back()`: the page is in front again. */
export function createHand({ window, pilot, helm, workshop, on }) {
  const { document, performance } = window;
  const at = (id) => document.getElementById(id);
  const now = () => performance.now();

  const letGo = () => { helm.neutralNow(); on.tell(); };
  const moved = (eventAt) => helm.inputChanged(eventAt);

  let touchedBy = ''; // The kind of the last pointer: older browsers do not say it of a menu.
  let leaving = false; // Full screen ends by our own button.

  // ---- devices ----
  const keyboard = attachKeyboard(window, {
    key(name, down, eventAt) {
      if (name === 'hold') return void workshop.holdKey(down);
      pilot.key(name, down);
      moved(eventAt);
      return undefined;
    },
    stop: on.stop, arm: on.arm, look: on.look, lost: letGo,
  });
  const thumb = (id, axis, name) => attachPad(at(id), axis, (value, eventAt) => { pilot.setTouch({ [name]: value }); moved(eventAt); });
  const thumbs = [thumb('pad-throttle', 'y', 'throttle'), thumb('pad-steering', 'x', 'steering')];
  const gamepad = createGamepad({ getGamepads: () => [...(window.navigator.getGamepads?.() ?? [])], now }, {
    read(position, readAt, changed) { pilot.setPad(position); if (changed) moved(readAt); },
    gone() { pilot.setPad(null); letGo(); },
    arm: on.arm, stop: () => on.stop(),
  });
  for (const device of [keyboard, ...thumbs, workshop]) pilot.onClear(device.release);

  // ---- what takes the input away ----
  function attend(next) {
    helm.attend(next); // Neutral, once, where there was attention.
    pilot.clear();
    keyboard.forget();
    on.tell();
  }
  window.addEventListener('blur', () => attend({ focused: false }));
  window.addEventListener('focus', () => attend({ focused: true }));
  document.addEventListener('visibilitychange', () => {
    const visible = document.visibilityState === 'visible';
    attend({ visible });
    if (visible) on.back();
  });
  window.addEventListener('pagehide', () => helm.leave());
  document.addEventListener('freeze', letGo);
  window.addEventListener('gamepaddisconnected', ({ gamepad: { index } }) => { gamepad.disconnected(index); });

  // The menu of a long press on glass takes nothing if it is refused: a thumb that rests on its pad goes on.
  window.addEventListener('contextmenu', (event) => {
    if (isTyping(event.target)) return void letGo();
    event.preventDefault();
    if ((event.pointerType || touchedBy) !== 'touch') letGo();
    return undefined;
  }, { capture: true });
  window.addEventListener('pointerdown', ({ pointerType }) => { touchedBy = pointerType; }, { capture: true });
  // Any other button opens something sooner or later: Firefox shows its menu at Shift and a right click and tells nobody.
  window.addEventListener('pointerdown', (event) => { if (event.button > 0) letGo(); }, { capture: true });
  // While one button is down the others come as moves.
  window.addEventListener('pointermove', (event) => { if (event.button > 0) letGo(); }, { capture: true });
  window.addEventListener('dragstart', (event) => { event.preventDefault(); letGo(); }, { capture: true });
  window.addEventListener('focusin', (event) => { if (isTyping(event.target)) letGo(); });
  window.addEventListener('resize', letGo);
  document.addEventListener('fullscreenchange', () => {
    // Escape in full screen is the browser's: all that the page learns is that full screen ended.
    if (document.fullscreenElement === null && !leaving && helm.view().moves) on.stop();
    else letGo();
    leaving = false;
  });
  // A touch or a key in the page is as good a proof of attention as a focus event, which does not always come.
  const present = () => {
    if (!helm.view().attentive && document.visibilityState === 'visible') { helm.attend({ focused: true }); on.tell(); }
  };
  window.addEventListener('pointerdown', present, { capture: true });
  window.addEventListener('keydown', present, { capture: true });

  // ---- magnified ----
  const lens = window.visualViewport;
  let whole = true;
  function look() {
    const next = !(lens?.scale > WHOLE);
    if (next === whole) return;
    whole = next;
    document.documentElement.toggleAttribute('data-magnified', !whole); // Lets two fingers make it small again.
    attend({ whole });
  }
  lens?.addEventListener('resize', look);
  lens?.addEventListener('scroll', look);
  // iOS asks here before it magnifies; a trackpad's pinch comes as a wheel with a Ctrl that nobody holds.
  window.addEventListener('gesturestart', (event) => { if (whole) event.preventDefault(); });
  window.addEventListener('wheel', (event) => { if (whole && event.ctrlKey && !keyboard.isDown('Control')) event.preventDefault(); }, { passive: false });

  // ---- buttons of the screen ----
  // A button that was clicked keeps the focus, and Enter, which arms, would press it again. One reached by keys (detail 0) keeps it.
  window.addEventListener('click', ({ detail }) => {
    const focused = document.activeElement;
    if (detail > 0 && focused?.matches('button')) focused.blur();
  });
  at('full').addEventListener('click', () => {
    leaving = document.fullscreenElement !== null;
    if (leaving) document.exitFullscreen();
    else document.documentElement.requestFullscreen?.().catch(() => {}); // Not every phone can; nothing is lost.
  });

  if (document.visibilityState !== 'visible') helm.attend({ visible: false });
  look();

  return {
    /** Call every 20 ms, before the helm's tick. */
    tick() {
      keyboard.tick(now());
      gamepad.poll();
    },
    /** The gamepad in words' terms: the name of one that cannot be used, and whether one waits for its centre. */
    view: () => ({ unknownPad: gamepad.unknown(), padWaits: pilot.padWaits() }),
  };
}
