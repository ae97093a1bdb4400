// A static server for the viewer's files, with the strict content policy that the car sends.
//
// Tests swap single files (the entry) by path, so the page under test is otherwise the shipped one.

import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
export const VIEWER = fileURLToPath(new URL('../../../src/spider/viewer/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };
export const POLICY = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self'; media-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/** Serve on a free loopback port. `swap`: path → file in this folder. `answer(path)` may give an object to send as JSON. */
export async function serve({ swap = {}, answer = () => undefined } = {}) {
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://x').pathname;
    const json = answer(path);
    if (json !== undefined) return void response.writeHead(200, { 'content-type': TYPES['.json'] }).end(JSON.stringify(json));
    let file = join(VIEWER, normalize(path === '/' ? '/index.html' : path));
    if (path.startsWith('/harness/')) file = join(HERE, normalize(path.slice('/harness'.length)));
    if (swap[path]) file = join(HERE, swap[path]);
    const inside = file.startsWith(VIEWER) || file.startsWith(HERE) || file.startsWith(HERE + sep);
    if (!inside || !existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': POLICY, 'cache-control': 'no-store' });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}`, close: () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }) };
}
