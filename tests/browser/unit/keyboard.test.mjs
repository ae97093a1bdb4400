import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attachKeyboard } from '../../../src/spider/viewer/keyboard.js';

/** A keyboard on a virtual clock; `log` holds what it reported. As in the page, whatever is lost lets go of all keys. */
function rig() {
  const log = [];
  const listeners = {};
  let time = 0;
  const target = { addEventListener: (type, listener) => { listeners[type] = listener; } };
  const keyboard = attachKeyboard(target, {
    key: (name, down) => log.push(`${name} ${down ? 'down' : 'up'}`),
    stop: (code, orphan) => log.push(orphan ? `stop by an orphan ${code}` : 'stop'),
    arm: () => log.push('arm'), look: () => log.push('look'),
    lost: () => { log.push('lost'); keyboard.release(); },
  });
  const fire = (type, key) => {
    const event = typeof key === 'string' ? { code: key } : key;
    listeners[type]({ key: '', repeat: false, shiftKey: false, timeStamp: time, preventDefault() {}, stopPropagation() {}, ...event });
    return log.splice(0);
  };
  return {
    keyboard, fire,
    down: (key, more) => fire('keydown', more ? { code: key, ...more } : key),
    up: (key, more) => fire('keyup', more ? { code: key, ...more } : key),
    /** Lets `ms` pass; with `repeats`, that key repeats every so many ms after a first pause. */
    wait(ms, { key, every = 40, first = 660 } = {}) {
      const found = [];
      let next = time + first;
      for (const end = time + ms; time < end;) {
        time += 20;
        if (key && time >= next) { found.push(...fire('keydown', { code: key, repeat: true })); next = time + every; }
        keyboard.tick(time);
      }
      return [...found, ...log.splice(0)];
    },
  };
}

/** W is held and repeats. */
function repeating() {
  const r = rig();
  assert.deepEqual(r.down('KeyW'), ['forward down']);
  assert.deepEqual(r.wait(1500, { key: 'KeyW' }), []);
  return r;
}

test('a key is reported once, and up when the last key of its direction is', () => {
  const r = rig();
  assert.deepEqual(r.down('KeyW'), ['forward down']);
  assert.deepEqual(r.down('KeyW', { repeat: true }), []);
  r.down('ArrowUp');
  assert.deepEqual(r.up('KeyW'), []);
  assert.deepEqual(r.up('ArrowUp'), ['forward up']);
});

test('a key that repeated and falls silent is lost within about a second', () => {
  const r = repeating();
  assert.deepEqual(r.wait(900), []);
  assert.deepEqual(r.wait(200), ['lost']);
  assert.deepEqual(r.down('KeyW', { repeat: true }), [], 'a repeat is no press');
  r.up('KeyW');
  assert.deepEqual(r.down('KeyW'), ['forward down']);
});

test('a key that was seen to repeat must begin to repeat again after each press', () => {
  const r = repeating();
  r.up('KeyW');
  r.down('KeyW');
  assert.deepEqual(r.wait(1300), ['lost']);
});

test('where the system repeats nothing, a held key counts as long as it is held', () => {
  const r = rig();
  r.down('KeyW');
  assert.deepEqual(r.wait(60_000), []);
});

test('keys are learned one by one: systems repeat arrows and not letters', () => {
  const r = rig();
  r.down('ArrowUp');
  r.wait(1500, { key: 'ArrowUp' });
  r.up('ArrowUp');
  r.down('KeyW');
  assert.deepEqual(r.wait(60_000), []);
});

test('the slowest repeats that systems offer are no silence', () => {
  const r = rig();
  r.down('KeyW');
  assert.deepEqual(r.wait(10_000, { key: 'KeyW', first: 2000, every: 500 }), []);
  r.up('KeyW');
  r.down('KeyW');
  assert.deepEqual(r.wait(10_000, { key: 'KeyW', first: 2200, every: 500 }), []);
});

test('a second key takes the repeat over, its release ends it, and the first key goes on', () => {
  const r = repeating();
  assert.deepEqual(r.down('KeyD'), ['right down']);
  assert.deepEqual(r.wait(3000, { key: 'KeyD' }), []);
  assert.deepEqual(r.up('KeyD'), ['right up']);
  assert.deepEqual(r.wait(10_000), []);
  assert.deepEqual(r.up('KeyW'), ['forward up']);
});

test('a second key that fell silent loses both', () => {
  const r = repeating();
  r.down('KeyD');
  r.wait(1500, { key: 'KeyD' });
  assert.deepEqual(r.wait(1100), ['lost']);
});

test('a page that stood still does not lose a key whose repeats it could not hear', () => {
  const r = repeating();
  r.keyboard.tick(60_000);
  assert.deepEqual(r.down('KeyW', { repeat: true }), []);
  r.keyboard.tick(60_020);
  assert.deepEqual(r.up('KeyW'), ['forward up']);
});

for (const [what, code, more] of [
  ['Alt', 'AltLeft', { altKey: true }], ['AltGr', 'AltRight', {}], ['Ctrl', 'ControlLeft', { ctrlKey: true }], ['Meta', 'MetaLeft', { metaKey: true }],
  ['Firefox’s old name of Meta', 'OSLeft', {}], ['F10', 'F10', {}], ['F1', 'F1', {}], ['the menu key', 'ContextMenu', {}], ['any key with Ctrl', 'KeyT', { ctrlKey: true }],
  ['a Meta without a code', '', { key: 'Meta' }],
]) {
  test(`${what} loses what is held`, () => {
    const r = repeating();
    assert.deepEqual(r.down(code, more), ['lost']);
  });
}

test('the key-up of Meta loses what was held: a Mac kept the key-ups meanwhile', () => {
  const r = repeating();
  assert.deepEqual(r.up('MetaLeft'), ['lost']);
});

test('a key-up without its key-down loses what is held: Fn changed the code, or a menu took the press', () => {
  const r = rig();
  r.down('ArrowUp');
  assert.deepEqual(r.up('PageUp'), ['lost']);
  assert.deepEqual(r.up('ArrowUp'), [], 'it does not count any more');
  assert.deepEqual(r.up('KeyQ'), [], 'nothing is held');
});

test('a key-down of a key that is down begins anew: its key-up was lost', () => {
  const r = rig();
  r.down('KeyW');
  r.keyboard.release();
  assert.deepEqual(r.down('KeyW'), ['forward down']);
});

test('Stop by code, by character, by the old number, in a field, with any other key, and by a key-up alone', () => {
  for (const event of [
    { code: 'Space' }, { code: 'Escape' }, { code: '', key: ' ' }, { code: '', key: 'Escape' }, { code: 'Unidentified', key: 'Esc' }, { key: 'Spacebar' },
    { code: '', key: 'Unidentified', keyCode: 32 }, { keyCode: 27, key: undefined }, { code: 'Space', ctrlKey: true, altKey: true },
    { code: 'Space', key: 'Process', isComposing: true, target: { matches: () => true } }, { code: 'Space', repeat: true },
  ]) {
    assert.deepEqual(rig().fire('keydown', event), ['stop'], JSON.stringify(event));
  }
  const r = rig();
  r.down('Space');
  assert.deepEqual(r.down('Space', { repeat: true }), []);
  assert.deepEqual(r.up('Space'), []);
  assert.deepEqual(r.up('Escape'), ['stop by an orphan Escape']);
});

test('a key without a code drives by its character', () => {
  const r = rig();
  assert.deepEqual(r.fire('keydown', { code: '', key: 'W', shiftKey: true }), ['precise down', 'forward down']);
  assert.deepEqual(r.fire('keyup', { code: '', key: 'w' }), ['precise up', 'forward up']);
  assert.deepEqual(r.fire('keydown', { code: '', key: 'Enter' }), ['arm']);
});

test('Shift is what each event says of it, also after everything was let go', () => {
  const r = rig();
  assert.deepEqual(r.down('ShiftLeft', { shiftKey: true }), ['precise down']);
  r.keyboard.release();
  assert.deepEqual(r.down('KeyW', { shiftKey: true }), ['precise down', 'forward down']);
  assert.deepEqual(r.up('ShiftLeft'), ['precise up']);
});

test('typing does not drive, and Enter on a slider arms', () => {
  const field = { matches: (selector) => selector.includes('input') };
  assert.deepEqual(rig().down('KeyW', { target: field }), []);
  assert.deepEqual(rig().down('Enter', { target: field }), []);
  const slider = { matches: (selector) => selector.includes('input,') };
  assert.deepEqual(rig().down('Enter', { target: slider }), ['arm']);
  assert.deepEqual(rig().down('ArrowUp', { target: slider }), []);
});
