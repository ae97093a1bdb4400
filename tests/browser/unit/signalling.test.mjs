import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryDelay } from '../../../src/spider/viewer/link.js';
import { preferH264, readCandidate } from '../../../src/spider/viewer/peer.js';
import { carKeyIn, keyIn, protocols, readFrame, readRights, signallingUrl } from '../../../src/spider/viewer/signalling.js';

test('the socket is on the host of the page, plain for plain and TLS for TLS', () => {
  assert.equal(signallingUrl('http://car.local:8266/?channel=x#key=k', 'abc'), 'ws://car.local:8266/live/ws/sub?channel=abc&vcodec=h264&rights=1');
  assert.equal(signallingUrl('https://car.local:8267/', 'a b'), 'wss://car.local:8267/live/ws/sub?channel=a+b&vcodec=h264&rights=1');
});

const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).concat([...'äß€日本🏎\u0301\u00a0']);

test('a key of any character arrives as it is, and so does one in the address of the page', () => {
  for (const c of PRINTABLE) {
    const key = `12345678${c}x${c}y`;
    const [protocol, shown, ...more] = protocols(key);
    assert.deepEqual([protocol, more], ['spidercar', []]);
    // spec: RFC 9110 5.6.2; a browser refuses any other name of a protocol.
    assert.match(shown, /^spidercar\.key\.[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
    assert.equal(decodeURIComponent(shown.slice('spidercar.key.'.length)), key);
    for (const written of [encodeURIComponent(key), c === '%' ? encodeURIComponent(key) : key]) {
      assert.equal(keyIn(`http://car.local:8266/?channel=abc#key=${written}`), key);
      if (written !== key || !'&#'.includes(c)) assert.equal(keyIn(`http://car.local:8266/?channel=abc&key=${written}&a=b`), key);
    }
  }
  assert.deepEqual(protocols(''), []);
  assert.equal(keyIn('http://car.local:8266/?channel=abc'), '');
  assert.equal(keyIn('http://car.local:8266/?key=ab+c/d=='), 'ab+c/d==');
});

test('the car key and the driver key stand after the #, one or both', () => {
  const both = 'http://car.local:8266/?channel=abc#car=a%20b%26c&key=k&1#%';
  assert.deepEqual([carKeyIn(both), keyIn(both)], ['a b&c', 'k&1#%']);
  const one = 'http://car.local:8266/#car=abc';
  assert.deepEqual([carKeyIn(one), keyIn(one)], ['abc', '']);
  assert.deepEqual([carKeyIn('http://x/#key=abc'), keyIn('http://x/#key=abc')], ['', 'abc']);
  assert.equal(carKeyIn('http://x/#car=100%'), '100%');
});

test('what a key is for is a set of words', () => {
  assert.deepEqual([...readRights('watch drive')], ['watch', 'drive']);
  assert.deepEqual([...readRights('')], []);
});

test('frames of the sheet are read, junk is null', () => {
  assert.deepEqual(readFrame('{"type":"ping"}'), { type: 'ping', data: '' });
  assert.deepEqual(readFrame('{"type":"answer","data":"v=0"}'), { type: 'answer', data: 'v=0' });
  assert.deepEqual(readFrame('{"type":"joins","data":{"n":1}}'), { type: 'joins', data: '' });
  assert.deepEqual(readFrame('close'), { type: 'close', data: '' });
  for (const junk of ['', '{', 'null', '[]', '5', '{"data":"x"}', '{"type":7}', new ArrayBuffer(3)]) assert.equal(readFrame(junk), null);
});

test('both candidate forms are read, with an empty mid meaning the line index', () => {
  const line = '1 1 udp 2130706431 192.0.2.7 50000 typ host';
  assert.deepEqual(readCandidate('candidate', line), { candidate: `candidate:${line}`, sdpMLineIndex: 0 });
  assert.deepEqual(readCandidate('candidate', `candidate:${line}`), { candidate: `candidate:${line}`, sdpMLineIndex: 0 });
  const form = (more) => readCandidate('candidate2', JSON.stringify({ candidate: `candidate:${line}`, ...more }));
  assert.deepEqual(form({ sdpMid: '', sdpMLineIndex: 0, usernameFragment: null }), { candidate: `candidate:${line}`, sdpMLineIndex: 0 });
  assert.deepEqual(form({ sdpMLineIndex: 1, usernameFragment: '' }), { candidate: `candidate:${line}`, sdpMLineIndex: 1 });
  assert.deepEqual(form({ sdpMid: '1', sdpMLineIndex: 1 }), { candidate: `candidate:${line}`, sdpMid: '1' });
  for (const junk of ['', 'null', '5', '{}', '{"candidate":""}', '{"candidate":5}']) assert.equal(readCandidate('candidate2', junk), null);
});

test('H.264 comes first, the car’s own form of it before all, and nothing is lost', () => {
  const codecs = [
    { mimeType: 'video/VP8' }, { mimeType: 'video/rtx' },
    { mimeType: 'video/H264', sdpFmtpLine: 'packetization-mode=0;profile-level-id=42e01f' },
    { mimeType: 'video/H264', sdpFmtpLine: 'packetization-mode=1;profile-level-id=42001f' },
    { mimeType: 'video/H264', sdpFmtpLine: 'packetization-mode=1;profile-level-id=42e01f' },
  ];
  assert.deepEqual(preferH264(codecs), [codecs[4], codecs[3], codecs[2], codecs[0], codecs[1]]);
});

test('retries grow, are jittered, and never wait longer than two seconds', () => {
  assert.equal(retryDelay(0, 0), 150);
  assert.equal(retryDelay(0, 1), 300);
  assert.equal(retryDelay(2, 1), 1200);
  for (let n = 0; n < 2000; n += 1) assert.ok(retryDelay(n, 1) <= 2000);
});
