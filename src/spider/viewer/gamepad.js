// A gamepad in the standard mapping: right trigger forward, left trigger back, left stick steers.
//
// Browsers do not send events for sticks, so the pad is read on each tick while one is plugged in. The stick's own
// up and down drives as well, for pads without analog triggers. A or Start arms; B, X or a bumper stops.
//
// Every reading is reported, not only the changes: whether a pad is at its centre is known by reading it, and a pad counts
// only after that (pilot.js). Where the centre is, a worn stick says itself (rest.js).
//
// Promises: a button acts once per press; a pad that disconnects or changes under our hands is gone at once, and is a new
// one when it is back; a pad whose layout the browser does not know drives nothing and is named.

import { createRest, outside } from './rest.js';

/** Standard mapping. spec: W3C Gamepad, "standard" layout. */
const BUTTON = Object.freeze({ A: 0, B: 1, X: 2, LB: 4, RB: 5, LT: 6, RT: 7, START: 9 });
const AXIS = Object.freeze({ LX: 0, LY: 1 });
const ARM = [BUTTON.A, BUTTON.START];
const STOP = [BUTTON.B, BUTTON.X, BUTTON.LB, BUTTON.RB];
/** Travel of a trigger that is centre. spec: XInput, XINPUT_GAMEPAD_TRIGGER_THRESHOLD, 30 of 255. */
const TRIGGER_ZONE = 30 / 255;

/** What a pad says, dead zones not yet taken off: positions −1..1, and whether an arm or a stop button is down. */
export function readPad({ axes, buttons }) {
  const value = (button) => buttons[button]?.value ?? 0;
  const isDown = (button) => buttons[button]?.pressed ?? false;
  const axis = (index) => (Number.isFinite(axes[index]) ? -axes[index] || 0 : 0); // On a stick, left and up are minus.
  return {
    triggers: [value(BUTTON.RT), value(BUTTON.LT)],
    stick: { throttle: axis(AXIS.LY), steering: axis(AXIS.LX) },
    arm: ARM.some(isDown),
    stop: STOP.some(isDown),
  };
}

/** `on`: `read({throttle, steering}, at, changed)`, `arm()`, `stop()`, `gone()`. Call `poll()` on each tick. */
export function createGamepad(io, on) {
  let used = null; // {index, id, rests}
  let before = null;
  let unknown = '';

  const lose = () => {
    if (used === null) return;
    used = null;
    on.gone();
  };

  /** Positions from the edge of the centre outwards. Triggers first: a stick is for pads without. */
  function positions({ triggers, stick }, at) {
    const [forward, back] = triggers.map((value) => outside(value, TRIGGER_ZONE));
    const [throttle, steering] = ['throttle', 'steering'].map((axis) => used.rests[axis].read(stick[axis], at));
    return { throttle: forward !== 0 || back !== 0 ? forward - back : throttle, steering };
  }

  return {
    poll() {
      const all = io.getGamepads().filter((pad) => pad?.connected);
      const pads = all.filter((pad) => pad.mapping === 'standard');
      unknown = pads.length === 0 && all.length > 0 ? all[0].id || 'unnamed' : '';
      if (used !== null && !pads.some(({ index, id }) => index === used.index && id === used.id)) lose();
      const pad = used === null ? pads[0] : pads.find(({ index }) => index === used.index);
      if (pad === undefined) return;
      const at = io.now();
      const state = readPad(pad);
      if (used === null) {
        used = { index: pad.index, id: pad.id, rests: { throttle: createRest(), steering: createRest() } };
        // A button held while plugging in is no press; but Stop is Stop.
        before = { throttle: 0, steering: 0, arm: state.arm, stop: false };
      }
      if (state.stop && !before.stop) on.stop();
      else if (state.arm && !before.arm) on.arm();
      const { throttle, steering } = positions(state, at);
      on.read({ throttle, steering }, at, throttle !== before.throttle || steering !== before.steering);
      before = { throttle, steering, arm: state.arm, stop: state.stop };
    },
    /** The browser says that the pad of this index is gone. It may be back before the next reading. */
    disconnected(index) { if (used?.index === index) lose(); },
    isThere: () => used !== null,
    /** Name of a pad whose layout the browser does not know, if there is no other; else ''. */
    unknown: () => unknown,
  };
}
