// The page's entry: the real link and the real stamp behind the cockpit.
//
// Kept to the choices that a test replaces: where the car is, by which address, with which key.

import { startCockpit } from './cockpit.js';
import { createLink } from './link.js';
import { carKeyIn, keyIn } from './signalling.js';
import * as stamp from './stamp.js';

const query = new URL(location.href).searchParams;

// A key after the # never reaches a server's log; both forms are taken out of the address bar, which people share.
const [key, carKey] = [keyIn(location.href), carKeyIn(location.href)];
if (key || carKey) {
  const clean = new URL(location.href);
  clean.searchParams.delete('key');
  clean.hash = '';
  history.replaceState(null, '', clean);
}

const spidercar = startCockpit({
  window,
  stamp,
  carKey,
  makeLink: (on) => createLink({ base: location.href, channel: query.get('channel'), key, on }),
});
Object.defineProperty(window, 'spidercar', { value: spidercar });
