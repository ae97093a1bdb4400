import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const VIEWER = new URL('../../../src/spider/viewer/', import.meta.url);
const files = readdirSync(VIEWER);
const read = (name) => readFileSync(new URL(name, VIEWER), 'utf8');
const html = read('index.html');
const scripts = files.filter((name) => name.endsWith('.js'));

test('the page preloads every module but its entry, and none that is not there', () => {
  const preloaded = [...html.matchAll(/rel="modulepreload" href="([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(preloaded.toSorted(), [...new Set([...scripts, 'stamp.js'])].filter((name) => name !== 'main.js').toSorted());
});

test('every id that a script asks for is in the page', () => {
  const ids = new Set([...html.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id));
  for (const name of scripts) {
    for (const [, id] of read(name).matchAll(/(?:\bat|text|hide|getElementById)\('([a-z-]+)'[,)]/g)) assert.ok(ids.has(id), `${name}: #${id}`);
  }
});

test('nothing in the page is inline or comes from elsewhere', () => {
  assert.doesNotMatch(html, /<script(?![^>]*src=)/);
  assert.doesNotMatch(html, /\son\w+=|\sstyle=/);
  for (const name of files.filter((file) => /\.(html|css|js)$/.test(file))) {
    assert.doesNotMatch(read(name), /https?:\/\/(?!www\.w3\.org)/, name);
  }
});

test('every module says in its header what it promises', () => {
  for (const name of scripts.filter((file) => file !== 'main.js')) {
    assert.match(read(name), /^\/\/ .+\n\/\/\n/, name);
    assert.match(read(name).split('\nimport ')[0].split('\nexport ')[0], /Promises:/, name);
  }
});
