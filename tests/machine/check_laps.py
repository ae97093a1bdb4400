"""The lap sensor's tests on a kernel that has `gpio-sim`.

    check_laps.py SPIDERCAR LAP-TEST        called by run.sh; LAP-TEST is what cargo made of tests/lap_gpio_sim.rs

The tests are Rust and know nothing of machines; this is where they can run. The machine has a time of its own, because
a bounce that a busy host stretches is a pass.
"""

import re
import sys
import tempfile
from pathlib import Path

from checks import Checks, main
from ignored import run_ignored
from vm import Vm

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# measured: 100 s beside a load average of 16. choice: three times that, and more.
LIMIT = 400.0
# What libtest says of a test, and what a test prints before that on the same line.
VERDICT = re.compile(r"^test (\w+) \.\.\. (.*)$")


def measured(lines: list[str]) -> list[str]:
    """What a test measured stands before libtest's verdict."""
    said = [line for line in lines if " passes" in line and not line.startswith("test result")]
    return [VERDICT.sub(r"\2", line) for line in said]


def checks(report: Checks) -> None:
    """All of it."""
    programs = {"bin/spidercar": Path(sys.argv[1]), "bin/lap_test": Path(sys.argv[2])}
    files = {str(CERTIFICATES): CERTIFICATES.read_bytes()}
    with tempfile.TemporaryDirectory(prefix="spidercar-laps-") as folder:
        with Vm(Path(folder), programs=programs, files=files, has_own_time=True) as vm:
            with report.check("vm with a time of its own boots to a shell"):
                vm.boot()
                report.say(f"{vm.boot_seconds:.1f} s")
            run_ignored(report, vm, "lap_test", LIMIT, measured)


main("laps", checks)
