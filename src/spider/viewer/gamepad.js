// A gamepad in the standard mapping: right trigger forward, left trigger back, left stick steers.
//
// Browsers do not send events for sticks, so the pad is read on each tick while one is plugged in. The stick's own
// up and down drives as well, for pads without analog triggers. A or Start arms; B, X or a bumper stops.
//
// Promises: a button acts once per press; a pad that disconnects or changes under our hands is neutral at once.

/** Standard mapping. spec: W3C Gamepad, "standard" layout. */
const BUTTON = Object.freeze({ A: 0, B: 1, X: 2, LB: 4, RB: 5, LT: 6, RT: 7, START: 9 });
const AXIS = Object.freeze({ LX: 0, LY: 1 });
const ARM = [BUTTON.A, BUTTON.START];
const STOP = [BUTTON.B, BUTTON.X, BUTTON.LB, BUTTON.RB];

/** What a pad says: {throttle, steering} −1..1, and whether an arm or a stop button is down. */
export function readPad({ axes, buttons }) {
  const value = (button) => buttons[button]?.value ?? 0;
  const isDown = (button) => buttons[button]?.pressed ?? false;
  const triggers = value(BUTTON.RT) - value(BUTTON.LT);
  const axis = (index) => (Number.isFinite(axes[index]) ? -axes[index] || 0 : 0); // On a stick, left and up are minus.
  return {
    throttle: triggers !== 0 ? triggers : axis(AXIS.LY),
    steering: axis(AXIS.LX),
    arm: ARM.some(isDown),
    stop: STOP.some(isDown),
  };
}

/** `on`: `move({throttle, steering}, at)`, `arm()`, `stop()`, `gone()`. Call `poll()` on each tick. */
export function createGamepad(io, on) {
  let index = null;
  let before = { throttle: 0, steering: 0, arm: false, stop: false };

  const lose = () => {
    if (index === null) return;
    index = null;
    before = { throttle: 0, steering: 0, arm: false, stop: false };
    on.gone();
  };

  return {
    poll() {
      const pads = io.getGamepads().filter((pad) => pad?.connected && pad.mapping === 'standard');
      const pad = pads.find((candidate) => candidate.index === index) ?? (index === null ? pads[0] : undefined);
      if (pad === undefined) return lose();
      if (index === null) {
        // Buttons held while plugging in are no presses.
        index = pad.index;
        before = { ...readPad(pad), throttle: 0, steering: 0 };
      }
      const state = readPad(pad);
      if (state.stop && !before.stop) on.stop();
      else if (state.arm && !before.arm) on.arm();
      if (state.throttle !== before.throttle || state.steering !== before.steering) on.move(state, io.now());
      before = state;
      return undefined;
    },
    lose,
    isThere: () => index !== null,
  };
}
