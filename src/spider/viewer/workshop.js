// The calibration panel: the bench of bench.js as a drawer, and the button that holds a pulse.
//
// The hold button lies where the left thumb is while driving, so that the other hand can move the pulse meanwhile. It is
// down while it is touched and up in every other case.
//
// Promises: every end of a touch (up, cancel, lost capture), whatever makes the pilot let go and a closed drawer let go inside
// that event.

import { FIELDS } from './bench.js';
import { capture } from './touch.js';
import { Output } from './wire.js';
import { answerSays, STORED } from './words.js';

export function createWorkshop(document, bench) {
  const at = (id) => document.getElementById(id);
  const panel = at('workshop');
  const button = at('workshop-button');
  const hold = at('hold');
  const slider = at('bench-slider');
  const chips = new Map();
  const shown = new Map();
  let pointer = null;

  const once = (slot, value, write) => {
    if (shown.get(slot) === value) return;
    shown.set(slot, value);
    write(value);
  };
  const text = (id, value) => once(id, value, () => { at(id).textContent = value; });
  const hide = (id, value) => once(`${id}.hidden`, value, () => { at(id).hidden = value; });

  for (const { name, output } of FIELDS) {
    const chip = document.createElement('button');
    const [title, value] = [document.createElement('span'), document.createElement('b')];
    chip.type = 'button';
    chip.className = 'chip';
    chip.append(title, value);
    chip.addEventListener('click', () => { bench.select(name); tell(); });
    chips.set(name, { chip, title, value });
    at(output === Output.THROTTLE ? 'bench-throttle' : 'bench-steering').append(chip);
  }

  function letGo() {
    pointer = null;
    bench.hold(false);
    tell();
  }

  hold.addEventListener('pointerdown', (event) => {
    if (pointer !== null || event.button > 0) return;
    event.preventDefault();
    if (!capture(hold, event.pointerId)) return;
    pointer = event.pointerId;
    bench.hold(true);
    tell();
  });
  hold.addEventListener('pointermove', (event) => { if (event.pointerId === pointer && (event.buttons & 1) === 0) letGo(); });
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
    hold.addEventListener(end, (event) => { if (event.pointerId === pointer) letGo(); });
  }

  const show = (open) => {
    pointer = null;
    bench.show(open);
    tell();
  };
  button.addEventListener('click', (event) => {
    show(!bench.view().open);
    // By a key (detail 0) the focus goes into the panel; by a finger Enter stays Arm, and does not say that the wheels are up.
    if (event.detail === 0 && bench.view().open) at('bench-sure').focus();
  });
  at('workshop-close').addEventListener('click', (event) => {
    show(false);
    // By a key (detail 0) the focus goes back to where it came from; by a finger Enter is Arm again.
    if (event.detail === 0) button.focus();
  });
  at('bench-sure').addEventListener('click', () => { bench.sure(true); tell(); });
  slider.addEventListener('input', () => { bench.set(slider.valueAsNumber); tell(); });
  for (const [id, by] of [['bench-less-ten', -10], ['bench-less', -1], ['bench-more', 1], ['bench-more-ten', 10]]) {
    at(id).addEventListener('click', () => { bench.step(by); tell(); });
  }
  for (const id of ['save', 'revert', 'reset']) at(`bench-${id}`).addEventListener('click', () => { bench[id](); tell(); });

  /** One sentence about what is going on, the most urgent first. */
  function sentence({ watching, held, live, busy, dirty, note, report }) {
    if (watching) return 'Someone else is driving. Only the driver can calibrate.';
    if (busy) return live ? 'Saving…' : 'Arming, to save…';
    if (held && !live) return 'Arming…';
    if (held) return 'The pulse is out. Let go, and it is neutral.';
    if (note) return note;
    if (dirty) return 'Measured, not saved.';
    if (report.in_force === 0) return 'In force as soon as the car stands.';
    const answer = answerSays(report.answer);
    return report.saved === 1 || answer ? `${answer} ${report.saved === 1 ? STORED[report.stored] ?? '' : ''}`.trim() : 'The pulses of the configuration.';
  }

  function tell() {
    const view = bench.view();
    hide('workshop-button', !view.offered);
    // Only Arm leaves a Stop. A button that does nothing then must not keep the focus either: Enter would press it and not arm.
    once('latched', view.latched, (is) => { button.disabled = is; });
    hide('workshop', !view.open);
    once('expanded', view.open, (open) => {
      button.setAttribute('aria-expanded', String(open));
      at('cockpit').dataset.bench = open ? 'open' : 'shut';
      // What is hidden must not keep the focus until the next frame: an Enter in between would press it and not arm.
      if (!open && panel.contains(document.activeElement)) document.activeElement.blur();
    });
    hide('hold', !(view.open && view.sure));
    if (!view.open) return;
    hide('bench-warning', view.sure);
    hide('bench-work', !view.sure);
    once('held', view.held, (held) => {
      hold.classList.toggle('held', held);
      hold.setAttribute('aria-pressed', String(held));
    });
    for (const { name, label } of view.fields) {
      const { chip, title, value } = chips.get(name);
      const us = view.pulses[name];
      once(`title.${name}`, label, () => { title.textContent = label; });
      once(`chip.${name}`, us, () => { value.textContent = us; });
      once(`new.${name}`, us !== view.report.pulses[name], (is) => chip.classList.toggle('new', is));
      once(`on.${name}`, view.field.name === name, (is) => chip.setAttribute('aria-pressed', String(is)));
    }
    const us = view.pulses[view.field.name];
    text('bench-says', view.field.says);
    text('bench-us', String(us));
    text('bench-out', view.outUs === null ? '–' : `out now: ${view.outUs} µs`);
    once('range', `${view.range.MIN} ${view.range.MAX}`, () => { [slider.min, slider.max] = [view.range.MIN, view.range.MAX]; });
    if (slider.valueAsNumber !== us) slider.value = us;
    at('bench-save').disabled = !view.dirty || view.busy;
    at('bench-revert').disabled = !view.dirty || view.busy;
    at('bench-reset').disabled = view.report.saved !== 1 || view.busy;
    hold.disabled = view.watching || view.busy;
    text('bench-note', sentence(view));
  }

  return {
    tell,
    /** The hold key of a keyboard went down or up. */
    holdKey(down) {
      if (!bench.view().open) return;
      if (down) { bench.hold(true); tell(); } else { letGo(); }
    },
    /** Everything lets go (pilot.js). */
    release: () => { if (bench.view().held || pointer !== null) letGo(); },
    /** Closes the panel; says whether it was open. */
    close() {
      const was = bench.view().open;
      if (was) show(false);
      return was;
    },
  };
}
