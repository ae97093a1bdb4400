// Processes of the program under test, and their end.

import { spawn } from 'node:child_process';
import { until } from './browser.mjs';

/** `start(...args)` runs the program, and `said(pattern)` of what it gives waits for a line; `end()` kills all that still run. */
export function programs(binary) {
  const running = new Set();
  return {
    start(...args) {
      const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { text += data; });
      running.add(child);
      child.on('exit', () => running.delete(child));
      child.said = (pattern) => until(`${pattern} from ${args[0]}`, () => {
        if (child.exitCode !== null) throw new Error(`${args[0]} ended: ${text}`);
        return text.match(pattern);
      }, 20_000);
      return child;
    },
    /** How many still run. */
    left: () => running.size,
    end() { for (const child of running) child.kill('SIGKILL'); },
  };
}
