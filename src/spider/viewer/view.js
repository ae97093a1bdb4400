// The screen: one render of one model, writing only what changed.
//
// The model is plain data, so each state of the page can be shown without a car. Gauges follow at the display's rate; words
// and figures a few times a second, because nobody reads faster and a flickering digit cannot be read at all.
//
// What the car said reaches this file only while it is fresh (staleness.js); else it is null and stands as a dash.
//
// Promises: reads no clock, decides nothing about driving; a screen reader hears each part of the news once.

import { createSparkline } from './sparkline.js';
import { FULL, State } from './wire.js';
import { vitals } from './vitals.js';
import { driveWarnings, padSays, pictureStory, pill, story, warningsIn } from './words.js';

/** Age of the picture that is fine, and that is bad, ms. choice: 80 is F4's p99; at 200 a driver at speed misses the corner. */
const FINE_MS = 80;
const BAD_MS = 200;
/** A frame that has stood no longer than this has the age it was painted with. choice: three frames at 30 fps; the digit holds still. */
const STANDING_MS = 100;
/** choice: an older picture is not told apart. */
const OLDEST_MS = 9999;
const COLOUR = Object.freeze({ fine: '#dfe7ee', slow: '#ffb224', bad: '#ff5b52' });

const toneOf = (ms) => (ms <= FINE_MS ? 'fine' : ms <= BAD_MS ? 'slow' : 'bad');
const percent = (permille) => Math.round((permille * 100) / FULL);
const sideOf = (permille, plus, minus, none) => (permille > 0 ? plus : permille < 0 ? minus : none);
const figure = (value, digits = 0) => (Number.isFinite(value) ? value.toFixed(digits) : '–');

/** The age of the picture as a figure: measured, estimated (~), more than that (>), or not known. `age` is that of picture_age.js. */
export function ageFigure({ ms, how }, sinceMs) {
  if (how === 'none' || !Number.isFinite(ms)) return { text: '–', tone: 'none', title: 'There is no picture yet' };
  const shown = Math.round(sinceMs > STANDING_MS ? ms : ms - sinceMs);
  if (how === 'least') return { text: sinceMs > STANDING_MS ? `>${Math.min(OLDEST_MS, shown)}` : '–', tone: toneOf(shown), title: 'How old the picture is, is not known' };
  const text = shown > OLDEST_MS ? `>${OLDEST_MS}` : `${how === 'estimate' ? '~' : ''}${shown}`;
  const title = how === 'estimate' ? 'From the camera to this screen: an estimate, because the pictures carry no time' : 'From the camera to this screen';
  return { text, tone: toneOf(shown), title };
}

export function createView(document) {
  const at = (id) => document.getElementById(id);
  const cockpit = at('cockpit');
  const spark = createSparkline(at('spark'), (ms) => COLOUR[toneOf(ms)]);
  const shown = new Map();
  let spoken = [];

  /** Run `write` only when the value of this slot changed. */
  const once = (slot, value, write) => {
    if (shown.get(slot) === value) return;
    shown.set(slot, value);
    write(value);
  };
  const text = (id, value) => once(id, value, () => { at(id).textContent = value; });
  const hide = (id, value) => once(`${id}.hidden`, value, () => { at(id).hidden = value; });
  const data = (name, value) => once(`data.${name}`, value, () => { cockpit.dataset[name] = value; });

  /** `force` is null when nobody knows what the car does. */
  function gauge(axis, asked, known, live) {
    const force = known ?? 0;
    once(`gauge.${axis}`, `${asked}|${known}|${live}`, () => {
      const element = at(`gauge-${axis}`);
      element.style.setProperty('--asked', asked / FULL);
      element.style.setProperty('--force', force / FULL);
      element.classList.toggle('reverse', axis === 'throttle' && force < 0);
      element.classList.toggle('live', live);
      element.setAttribute('aria-valuenow', percent(force));
      if (known === null) element.setAttribute('aria-valuetext', 'unknown');
      else element.removeAttribute('aria-valuetext');
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
    once('arm.quiet', card.quiet, (quiet) => at('arm').classList.toggle('quiet', quiet));
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
    hide('take', !banner.take);
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

  /** Says what is new among these; a part that stands is not said again when another one changes. */
  function say(parts, isAlarm) {
    const still = (part) => part.replaceAll(/\d+([.,]\d+)?/g, '#'); // A count that runs is no news.
    const news = parts.filter((part) => !spoken.includes(still(part)));
    spoken = parts.map(still);
    if (news.length > 0) text(isAlarm ? 'alarm' : 'say', `${news.join('. ')}.`.replaceAll(/([.…?!:])\./g, '$1'));
  }

  return {
    /** Every display frame: what the hands and the car do. `car` is fresh, or null. */
    follow({ helm, car }) {
      const asked = helm.driving ? helm.asked : { throttle: 0, steering: 0 };
      const live = helm.driving && car !== null;
      gauge('throttle', asked.throttle, car === null ? null : car.throttle, live);
      // On the screen, left is left: the wire's plus is to the left.
      gauge('steering', -asked.steering, car === null ? null : -car.steering, live);
    },

    /** A few times a second, and at once when a state changed. */
    tell(model) {
      const { status, car, board, helm, figures, limit, verdict } = model;
      const banner = pictureStory({ ...model, stopping: helm.stopping });
      // Whoever calibrates is told by his panel; a stop is told to him as well.
      const told = story({ ...model, ...helm, mine: helm.lease, linkOpen: status.phase === 'open' });
      const card = model.calibrating && told?.tone !== 'alarm' ? null : told;
      const onCard = card?.obstacles.reduce((bits, { bit }) => bits | bit, 0) ?? 0;
      const [warning] = [...warningsIn(board, onCard), ...driveWarnings(model)].sort((a, b) => (a.tone === 'alarm' ? 0 : 1) - (b.tone === 'alarm' ? 0 : 1));
      const state = pill(model);
      const pictureIsNews = verdict === 'live' || verdict === 'silent';

      data('tone', state.tone);
      data('picture', pictureIsNews ? 'good' : model.painted > 0 ? 'stale' : 'none');
      data('link', status.phase === 'open' ? 'open' : 'down');
      data('drive', helm.driving && car !== null ? 'mine' : 'none');
      text('state-word', state.word);
      text('state-note', state.note);
      text('channel', status.channel);
      once('channel.title', status.channel, (channel) => { at('channel').title = `Channel ${channel}`; });
      showCard(card);
      showBanner(banner);
      showVitals(vitals(board, model.laps));
      showWarning(warning);
      const aboutPad = status.phase === 'open' ? padSays(model.hand, helm.driving) : '';
      hide('pad-note', aboutPad === '');
      text('pad-note', aboutPad);

      const age = status.phase === 'open' ? ageFigure(model.age, model.pictureMs) : ageFigure({ how: 'none' }, 0);
      text('fig-latency', age.text);
      once('latency.tone', age.tone, (tone) => { at('fig-latency').dataset.tone = tone; });
      once('latency.title', age.title, (title) => { at('latency').title = title; });
      text('fig-fps', figure(figures.fps));
      text('fig-rate', figure(figures.kbps / 1000, 1));
      text('fig-rtt', figure(figures.rttMs));
      text('fig-loss', figure(figures.lossPercent, figures.lossPercent > 0 && figures.lossPercent < 10 ? 1 : 0));
      spark.draw(model.latencies, model.latencyTotal, model.pixelRatio);

      const { throttle, steering } = car ?? { throttle: NaN, steering: NaN };
      const read = (permille) => (Number.isNaN(permille) ? '–' : `${Math.abs(percent(permille))}`);
      text('read-throttle', read(throttle));
      text('word-throttle', sideOf(throttle, 'forward', 'reverse', 'throttle'));
      text('read-steering', read(steering));
      text('word-steering', sideOf(steering, 'left', 'right', 'steering'));
      // Whichever is lower: what the driver set, or what the car makes of his connection.
      const most = Math.min(limit, helm.driving && car !== null ? car.limit / FULL : 1);
      text('read-limit', `${Math.round(limit * 100)} %`);
      once('limit', most, () => at('gauge-throttle').style.setProperty('--limit', most));

      const parts = [
        state.word, card?.title !== state.word && card?.title, card?.text, ...(card?.obstacles ?? []).map(({ says }) => says),
        banner?.kind === 'picture' && banner.title, warning && `${warning.says}. ${warning.todo}`,
      ];
      say(parts.filter(Boolean), state.tone === 'alarm');
    },
  };
}
