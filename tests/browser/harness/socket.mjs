// Remote control of a browser over one WebSocket: numbered calls, one answer each. CDP and WebDriver BiDi both speak this.
//
// Used where playwright may not be: it makes every page look focused, and these tests are about focus.

import { once } from 'node:events';
import WebSocket from 'ws';

/** Longest wait for one answer. choice: a browser that is still starting on a busy machine. */
const ANSWER_MS = 60_000;

/** Opens `url`; gives {call(method, params, more), close()}. `more` is merged into the frame (CDP's sessionId). */
export async function remote(url) {
  const socket = new WebSocket(url, { maxPayload: 256 << 20 });
  await once(socket, 'open');
  const waiting = new Map();
  let next = 0;
  socket.on('message', (frame) => {
    const { id, result, error, message } = JSON.parse(frame);
    const answer = waiting.get(id);
    if (answer === undefined) return;
    waiting.delete(id);
    clearTimeout(answer.timer);
    if (error) answer.reject(new Error(typeof error === 'string' ? `${error}: ${message}` : error.message));
    else answer.resolve(result);
  });
  socket.on('close', () => { for (const { reject, timer } of waiting.values()) { clearTimeout(timer); reject(new Error('the browser closed its socket')); } });
  return {
    call: (method, params = {}, more = {}) => new Promise((resolve, reject) => {
      next += 1;
      const timer = setTimeout(() => { reject(new Error(`no answer to ${method} within ${ANSWER_MS} ms`)); }, ANSWER_MS);
      waiting.set(next, { resolve, reject, timer });
      socket.send(JSON.stringify({ id: next, method, params, ...more }));
    }),
    close: () => socket.terminate(),
  };
}

/** The program's first line that `pattern` matches, from its stderr; an early end is an error with what it said. */
export function lineOf(child, pattern, deadlineMs = 60_000) {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => reject(new Error(`${child.spawnfile} did not say ${pattern} within ${deadlineMs} ms: ${said.slice(-2000)}`)), deadlineMs);
    child.stderr.on('data', (bytes) => {
      said = (said + bytes).slice(-20_000);
      const found = said.match(pattern);
      if (found) { clearTimeout(timer); resolve(found); }
    });
    child.once('error', (error) => { clearTimeout(timer); reject(error); });
    child.once('exit', (code) => { clearTimeout(timer); reject(new Error(`${child.spawnfile} ended with ${code}: ${said.slice(-2000)}`)); });
  });
}

/** Ends a program that this process started, and waits for its end. */
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), 5000);
  await gone;
  clearTimeout(hard);
}

/** `evaluate` of a page: takes an expression or a function with plain arguments, gives a plain copy of what comes out. */
export const asExpression = (what, args) => {
  const body = typeof what === 'function' ? `(${what})(...${JSON.stringify(args)})` : what;
  return `(async () => JSON.stringify({ value: await (${body}) }))()`;
};
