"""Rust tests that need a kernel of their own, run one by one on a machine that has it.

    cargo marks them #[ignore]; the program that cargo made of them lists them, and is asked for each by its name

Knows nothing of: what they test.
"""

from collections.abc import Callable

from checks import Checks, expect
from machine import Machine


def run_ignored(
    report: Checks,
    machine: Machine,
    program: str,
    limit: float,
    measured: Callable[[list[str]], list[str]],
) -> None:
    """A line of the report for each test. `measured` picks out of a test's output what its line tells."""
    tests = [line.split(":")[0] for line in machine.check(f"{program} --ignored --list") if line.endswith(": test")]
    with report.check("there are tests"):
        expect(tests, "the program lists none")
        report.say(str(len(tests)))
    for test in tests:
        with report.check(test.replace("_", " ")):
            result = machine.run(f"{program} --ignored --exact --nocapture {test}", limit)
            expect(result.code == 0, f"exit code {result.code}\n{result.text}")
            expect("1 passed; 0 failed" in result.text, f"it did not run\n{result.text}")
            if said := measured(result.lines):
                report.say("; ".join(said))
