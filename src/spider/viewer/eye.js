// Which of the car's cameras is shown, and the driver's wish for another: a button, a key, and a word over the picture.
//
// A car with one camera has none of these. The view that was asked for is the driver's; the car forgets it with his lease, and
// so does this.
//
//   V or the button:  as the car drives ─▶ rear ─▶ front ─▶ as the car drives          `video.camera` says what is shown
//
// Promises: a wish is sent once, on the channel that loses nothing, by the driver alone; nothing is shown that the car does
// not say.

import { encode, View } from './wire.js';

const NEXT = new Map([[View.AUTO, View.REAR], [View.REAR, View.FRONT], [View.FRONT, View.AUTO]]);
const WORDS = new Map([[View.AUTO, 'auto'], [View.REAR, 'rear'], [View.FRONT, 'front']]);

/** `isMine()` says whether this page drives. */
export function createEye({ document, link, driver, isMine }) {
  const button = document.getElementById('eye');
  const word = document.getElementById('eye-word');
  const badge = document.getElementById('rear');
  let view = View.AUTO;
  let hasTwo = false;

  const show = () => {
    if (word.textContent !== WORDS.get(view)) word.textContent = WORDS.get(view);
    button.setAttribute('aria-label', `Camera: ${WORDS.get(view)}`);
  };

  function next() {
    if (!hasTwo || !isMine()) return;
    const wanted = NEXT.get(view);
    if (!link.send('stream', encode.camera({ ...driver, key: 'view', value: wanted }))) return;
    view = wanted;
    show();
  }

  button.addEventListener('click', () => { next(); button.blur(); });
  show();

  return {
    next,
    view: () => view,
    /** A few times a second. `path` is the car's `video` message, or null. */
    tell(path) {
      hasTwo = path !== null && path.cameras > 1;
      if (!isMine() && view !== View.AUTO) {
        view = View.AUTO;
        show();
      }
      button.hidden = !hasTwo;
      button.disabled = !isMine();
      badge.hidden = !(path !== null && path.shows === 1 && path.camera === 1);
    },
  };
}
