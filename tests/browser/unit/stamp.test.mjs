// The page's stamp reader against the same golden pictures that the Rust reader and writer are held to.
//
// tests/data/stamp/*.pgm hold the strip of a frame as grey values (0 to 255); the comment line in the file says the size
// of the frame and what the stamp says. `coded-*` went through H.264 at 100 kb/s.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { readStamp, regionOf } from '../../../src/spider/viewer/stamp.js';

const FOLDER = new URL('../../data/stamp/', import.meta.url);

/** A golden file: the strip as RGBA, and what it says. */
function load(name) {
  const bytes = readFileSync(new URL(name, FOLDER));
  const [, magic, comment, size, most] = /^(P5)\n# (.*)\n(.*)\n(.*)\n/.exec(bytes.toString('latin1'));
  assert.deepEqual([magic, most], ['P5', '255']);
  const [width, height] = size.split(' ').map(Number);
  const grey = bytes.subarray(bytes.length - width * height);
  const data = new Uint8ClampedArray(width * height * 4);
  grey.forEach((value, at) => data.set([value, value, value, 255], at * 4));
  const said = Object.fromEntries(comment.split(' ').map((pair) => pair.split('=')).map(([key, value]) => [key, Number(value)]));
  return { image: { data, width, height }, said };
}

/** The image scaled by taking the nearest pixel. */
function scaled({ data, width, height }, toWidth, toHeight) {
  const out = new Uint8ClampedArray(toWidth * toHeight * 4);
  for (let y = 0; y < toHeight; y += 1) {
    for (let x = 0; x < toWidth; x += 1) {
      const from = (Math.floor(((y + 0.5) * height) / toHeight) * width + Math.floor(((x + 0.5) * width) / toWidth)) * 4;
      out.set(data.subarray(from, from + 4), (y * toWidth + x) * 4);
    }
  }
  return { data: out, width: toWidth, height: toHeight };
}

const names = readdirSync(FOLDER).filter((name) => name.endsWith('.pgm'));
assert.ok(names.length >= 5, 'the golden pictures are there');

for (const name of names) {
  const { image, said } = load(name);
  const expected = { captureUs: said.captured_us, frame: said.frame };

  test(`${name}: the page reads what the car wrote`, () => {
    assert.deepEqual(regionOf(said.width, said.height), { x: 0, y: 0, width: image.width, height: image.height });
    assert.deepEqual(readStamp(image, said.width, said.height), expected);
  });

  test(`${name}: a whole frame is read as well as its strip`, () => {
    const data = new Uint8ClampedArray(said.width * said.height * 4).fill(90);
    data.set(image.data);
    assert.deepEqual(readStamp({ data, width: said.width, height: said.height }, said.width, said.height), expected);
  });

  test(`${name}: scaling the strip does not matter`, () => {
    for (const [width, height] of [[image.width * 2, image.height * 3], [1000, 40], [160, 12]]) {
      if (width < image.width / 8) continue;
      assert.deepEqual(readStamp(scaled(image, width, height), said.width, said.height), expected, `${width}x${height}`);
    }
  });

  test(`${name}: one inverted block makes it no stamp`, () => {
    for (let column = 0; column < 40; column += 1) {
      const data = image.data.slice();
      const left = Math.floor((column * image.width) / 40);
      const right = Math.floor(((column + 1) * image.width) / 40);
      for (let y = 0; y < Math.floor(image.height / 3); y += 1) {
        for (let x = left; x < right; x += 1) {
          for (let c = 0; c < 3; c += 1) data[(y * image.width + x) * 4 + c] = 255 - data[(y * image.width + x) * 4 + c];
        }
      }
      assert.equal(readStamp({ ...image, data }, said.width, said.height), null, `column ${column}`);
    }
  });
}

test('a picture without a stamp is null, whatever it shows', () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) % 256;
  for (const paint of [() => 0, () => 255, () => 128, random]) {
    for (const [width, height] of [[320, 12], [160, 12], [40, 3], [39, 3], [40, 2], [0, 0]]) {
      const data = Uint8ClampedArray.from({ length: width * height * 4 }, paint);
      assert.equal(readStamp({ data, width, height }, 320, 240), null);
    }
  }
});

test('an image that is shorter than it says is null', () => {
  const { image, said } = load(names[0]);
  assert.equal(readStamp({ ...image, data: image.data.subarray(0, 100) }, said.width, said.height), null);
  assert.equal(readStamp({ data: new Uint8ClampedArray(0), width: NaN, height: NaN }, 320, 240), null);
});

