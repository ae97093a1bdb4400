"""Takes every processor away at once, at random: what a host does that runs other machines besides this one.

Tests are run beside it to find those that take a machine standing still for a fault of the car. Its spans are those
that were seen: 50 to 300 ms. The car must stop in them (`control_late`), and a test that is not about that must not care.

```text
  all processors   ───────┤ 50..300 ms ├─────────────────┤      ├──────
                    waits, MEAN seconds on average       the same on each
```

    usage: python3 stall.py [--mean-s 4] [--longest-s 0.3] [--seed 1] COMMAND...    needs root (SCHED_FIFO)

Promises: the spans follow from the seed; it ends with the command, and with the command's exit code.
Knows nothing of: what the command does.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time

SHORTEST_S = 0.05  # the car's own limit (app/gate.rs)


def occupy(parent: int, cpu: int, begin: float, mean_s: float, longest_s: float, seed: int) -> None:
    """Keeps one processor from everybody else, span by span, as long as its parent lives."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_max(os.SCHED_FIFO)))
    spans = random.Random(seed)
    at = begin
    while os.getppid() == parent:
        at += spans.expovariate(1 / mean_s)
        end = at + spans.uniform(SHORTEST_S, longest_s)
        time.sleep(max(0.0, at - time.monotonic()))
        while time.monotonic() < end:
            pass


def main() -> int:
    """Runs the command beside it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mean-s", type=float, default=4.0, help="between two spans, on average (default 4)")
    parser.add_argument("--longest-s", type=float, default=0.3, help="the longest span (default 0.3)")
    parser.add_argument("--seed", type=int, default=1, help="which spans (default 1)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what is run meanwhile")
    args = parser.parse_args()
    if not args.command:
        parser.error("name the command that is run meanwhile")
    if os.geteuid() != 0:
        parser.error("only root may take the processors away")
    parent, begin = os.getpid(), time.monotonic() + 0.5
    occupiers = []
    try:
        for cpu in sorted(os.sched_getaffinity(0)):
            pid = os.fork()
            if pid == 0:
                try:
                    occupy(parent, cpu, begin, args.mean_s, args.longest_s, args.seed)
                finally:
                    os._exit(1)
            occupiers.append(pid)
        return subprocess.run(args.command, check=False).returncode
    finally:
        for pid in occupiers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    sys.exit(main())
