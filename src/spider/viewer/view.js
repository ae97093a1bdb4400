// The screen: one render of one model, writing only what changed.
//
// The model is plain data, so each state of the page can be shown without a car. Gauges follow at the display's rate; words
// and figures a few times a second, because nobody reads faster and a flickering digit cannot be read at all.
//
// Promises: reads no clock, decides nothing about driving; a screen reader hears each change of state once.

import { createSparkline } from './sparkline.js';
import { FULL, State } from './wire.js';
import { vitals } from './vitals.js';
import { padSays, PHASES, pictureStory, STATES, story, warningsIn } from './words.js';

/** Age of the picture that is fine, and that is bad, ms. choice: 80 is F4's p99; at 200 a driver at speed misses the corner. */
const FINE_MS = 80;
const BAD_MS = 200;
const COLOUR = Object.freeze({ fine: '#dfe7ee', slow: '#ffb224', bad: '#ff5b52' });

const toneOf = (ms) => (ms <= FINE_MS ? 'fine' : ms <= BAD_MS ? 'slow' : 'bad');
const percent = (permille) => Math.round((permille * 100) / FULL);
const sideOf = (permille, plus, minus, none) => (permille > 0 ? plus : permille < 0 ? minus : none);
const figure = (value, digits = 0) => (Number.isFinite(value) ? value.toFixed(digits) : '–');

export function createView(document) {
  const at = (id) => document.getElementById(id);
  const cockpit = at('cockpit');
  const spark = createSparkline(at('spark'), (ms) => COLOUR[toneOf(ms)]);
  const shown = new Map();

  /** Run `write` only when the value of this slot changed. */
  const once = (slot, value, write) => {
    if (shown.get(slot) === value) return;
    shown.set(slot, value);
    write(value);
  };
  const text = (id, value) => once(id, value, () => { at(id).textContent = value; });
  const hide = (id, value) => once(`${id}.hidden`, value, () => { at(id).hidden = value; });
  const data = (name, value) => once(`data.${name}`, value, () => { cockpit.dataset[name] = value; });

  function gauge(axis, asked, force, live) {
    once(`gauge.${axis}`, `${asked}|${force}|${live}`, () => {
      const element = at(`gauge-${axis}`);
      element.style.setProperty('--asked', asked / FULL);
      element.style.setProperty('--force', force / FULL);
      element.classList.toggle('reverse', axis === 'throttle' && force < 0);
      element.classList.toggle('live', live);
      element.setAttribute('aria-valuenow', percent(force));
    });
  }

  function showCard(card) {
    hide('card', card === null);
    if (card === null) return;
    once('card.tone', card.tone, () => { at('card').dataset.tone = card.tone; });
    text('card-title', card.title);
    text('card-text', card.text);
    hide('arm', !card.arm);
    hide('ask', !card.ask);
    hide('give', !card.give);
    once('arm.quiet', card.obstacles.length > 0, (quiet) => at('arm').classList.toggle('quiet', quiet));
    once('obstacles', JSON.stringify(card.obstacles), () => {
      at('card-obstacles').replaceChildren(...card.obstacles.map(({ says, todo }) => {
        const item = document.createElement('li');
        const name = document.createElement('b');
        const advice = document.createElement('span');
        name.textContent = says;
        advice.textContent = ` ${todo}`;
        item.append(name, advice);
        return item;
      }));
    });
  }

  function showBanner(banner) {
    hide('banner', banner === null);
    if (banner === null) return;
    text('banner-title', banner.title);
    text('banner-text', banner.text);
    text('banner-note', banner.note);
    hide('retry', banner.note === '');
    hide('key-button', !banner.askKey);
    once('banner.busy', banner.busy, (busy) => at('banner').classList.toggle('busy', busy));
  }

  function showVitals(shown) {
    hide('vitals', shown.length === 0);
    once('vitals', JSON.stringify(shown), () => {
      at('vitals').replaceChildren(...shown.map(({ id, text: words, tone, title }) => {
        const item = document.createElement('li');
        Object.assign(item.dataset, { vital: id, tone });
        item.title = title;
        item.textContent = words;
        return item;
      }));
    });
  }

  function showWarning(warning) {
    hide('warning', warning === undefined);
    if (warning === undefined) return;
    once('warning.tone', warning.tone, (tone) => { at('warning').dataset.tone = tone; });
    text('warning-says', warning.says);
    text('warning-todo', warning.todo);
  }

  function noteFor({ helm, car, calibrating }) {
    if (car === null) return '';
    if (helm.stopping) return 'stopping…';
    if (helm.watching) return 'you are watching';
    if (car.state === State.LIVE && car.lease === helm.lease) {
      if (!helm.attentive) return 'paused';
      if (calibrating) return 'calibrating';
      return car.limit < FULL ? `slowed to ${percent(car.limit)} %: bad connection` : 'you are driving';
    }
    return '';
  }

  return {
    /** Every display frame: what the hands and the car do. */
    follow({ helm, car, linkOpen }) {
      const asked = helm.driving ? helm.asked : { throttle: 0, steering: 0 };
      gauge('throttle', asked.throttle, linkOpen && car ? car.throttle : 0, helm.driving);
      // On the screen, left is left: the wire's plus is to the left.
      gauge('steering', -asked.steering, linkOpen && car ? -car.steering : 0, helm.driving);
    },

    /** A few times a second, and at once when a state changed. */
    tell(model) {
      const { status, car, helm, figures, limit, began, lastStop } = model;
      const linkOpen = status.phase === 'open';
      const banner = pictureStory(model);
      // Whoever calibrates is told by his panel; a stop is told to him as well.
      const told = story({ ...helm, car, began, lastStop, mine: helm.lease, linkOpen });
      const card = model.calibrating && told?.tone !== 'alarm' ? null : told;
      const board = linkOpen ? model.board : null;
      const onCard = card?.obstacles.reduce((bits, { bit }) => bits | bit, 0) ?? 0;
      const [warning] = warningsIn(board, onCard);
      const state = linkOpen && car ? STATES[car.state] : { word: PHASES[status.phase].word, tone: 'ready' };

      data('tone', helm.stopping ? 'alarm' : state.tone);
      data('picture', banner === null ? 'good' : model.painted > 0 ? 'stale' : 'none');
      data('link', linkOpen ? 'open' : 'down');
      data('drive', helm.driving ? 'mine' : 'none');
      text('state-word', state.word);
      text('state-note', noteFor(model));
      text('channel', status.channel);
      once('channel.title', status.channel, (channel) => { at('channel').title = `Channel ${channel}`; });
      showCard(card);
      showBanner(banner);
      showVitals(vitals(board, model.laps));
      showWarning(warning);
      const aboutPad = linkOpen ? padSays(model.hand, helm.driving) : '';
      hide('pad-note', aboutPad === '');
      text('pad-note', aboutPad);

      const latency = linkOpen ? figures.latencyMs : NaN;
      text('fig-latency', figure(latency));
      once('latency.tone', Number.isFinite(latency) ? toneOf(latency) : 'none', (tone) => { at('fig-latency').dataset.tone = tone; });
      text('fig-fps', figure(figures.fps));
      text('fig-rate', figure(figures.kbps / 1000, 1));
      text('fig-rtt', figure(figures.rttMs));
      text('fig-loss', figure(figures.lossPercent, figures.lossPercent > 0 && figures.lossPercent < 10 ? 1 : 0));
      spark.draw(model.latencies, model.latencyTotal, model.pixelRatio);

      const { throttle, steering } = linkOpen && car ? car : { throttle: 0, steering: 0 };
      text('read-throttle', `${Math.abs(percent(throttle))}`);
      text('word-throttle', sideOf(throttle, 'forward', 'reverse', 'throttle'));
      text('read-steering', `${Math.abs(percent(steering))}`);
      text('word-steering', sideOf(steering, 'left', 'right', 'steering'));
      // Whichever is lower: what the driver set, or what the car makes of his connection.
      const most = Math.min(limit, linkOpen && helm.driving ? car.limit / FULL : 1);
      text('read-limit', `${Math.round(limit * 100)} %`);
      once('limit', most, () => at('gauge-throttle').style.setProperty('--limit', most));

      const spoken = [state.word, card?.title !== state.word && card?.title, card?.text, banner?.kind === 'picture' && banner.title, warning && `${warning.says}. ${warning.todo}`];
      const sentence = spoken.filter(Boolean).join('. ').replaceAll('..', '.');
      text(state.tone === 'alarm' ? 'alarm' : 'say', sentence);
    },
  };
}
