// A stand-in for the Spider and the car, so that the page can be driven for real with nothing built.
//
// The signalling is this process; the car is a second page of the same browser with a canvas for a camera. It copies the
// contract's wire, not the car's code: what passes here may still fail on the car, and what fails here is the page's fault.

import { appendFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';
import { serve } from './server.mjs';

export const CHANNEL = 'c9abcdefghijklmnopq0';

/**
 * Start both. Gives {url, log, car (the car's page), viewers, requests, protocols (of those), spider, close}. `spider.behave` is how the Spider treats
 * the next viewers: `well`, `deaf` (no answer), `refuse` (closes at the offer), `forbid` (refuses the upgrade), `error`, `close`, `full` (no place left).
 */
export async function standin(browser) {
  const log = join(mkdtempSync(join(tmpdir(), 'spidercar-standin-')), 'actuator.jsonl');
  const web = await serve({ answer: (path) => (path === '/channels.json' ? { channels: [CHANNEL] } : undefined) });
  const spider = { behave: 'well' };
  const sockets = new WebSocketServer({ server: web.server, verifyClient: ({ req }) => req.url.startsWith('/car') || spider.behave !== 'forbid' });
  const viewers = new Map();
  const requests = [];
  const protocols = [];
  let car = null;
  let next = 1;

  sockets.on('connection', (socket, request) => {
    if (request.url.startsWith('/car')) {
      car = socket;
      socket.on('message', (frame) => {
        const { viewer, write, type, data } = JSON.parse(frame);
        if (write) appendFileSync(log, `${JSON.stringify(write)}\n`);
        else viewers.get(viewer)?.send(JSON.stringify({ type, data }));
      });
      return;
    }
    requests.push(request.url);
    protocols.push(request.headers['sec-websocket-protocol'] ?? '');
    const viewer = next;
    next += 1;
    viewers.set(viewer, socket);
    // What the sheet allows a server to send at any time; the page has to shrug at all of it.
    for (const noise of ['{"type":"joins","data":"?"}', '{"type":"ping"}', 'not json', '{"type":"candidate","data":"broken"}', '{"type":"what","data":7}']) socket.send(noise);
    socket.on('message', (frame) => {
      const message = JSON.parse(frame);
      if (message.type === 'ping') socket.send('{"type":"pong"}');
      else if (spider.behave === 'error') socket.send('{"type":"error","data":"channel is on fire"}');
      else if (spider.behave === 'close') socket.send('close');
      else if (spider.behave === 'refuse') socket.close();
      else if (spider.behave === 'full') socket.close(1013, 'the channel is full');
      else if (spider.behave !== 'deaf') car?.send(JSON.stringify({ viewer, ...message }));
    });
    socket.on('close', () => { viewers.delete(viewer); car?.send(JSON.stringify({ viewer, type: 'gone' })); });
  });

  const page = await browser.newPage();
  page.on('pageerror', (error) => console.log(`stand-in car: ${error.stack}`));
  await page.goto(`${web.url}/harness/car.html`);
  await page.waitForFunction(() => window.car?.ready);
  return { url: web.url, log, car: page, viewers, requests, protocols, spider, close: async () => { await page.close(); sockets.close(); await web.close(); } };
}
