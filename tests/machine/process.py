"""Programs on this machine that do not outlive us.

Promises: a program is killed by the kernel when the thread that started it ends, however that came about; so start
them from the main thread. Knows nothing of: what they are.
"""

import subprocess


def start(command: list, **options) -> subprocess.Popen:
    """Starts a program; the options are those of `Popen`."""
    words = ["setpriv", "--pdeathsig", "KILL", *map(str, command)]
    return subprocess.Popen(words, **options)
