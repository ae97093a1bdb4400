"""A GPIO chip of the kernel's own, whose lines are pulled up and down from inside its machine.

    program ──/dev/gpiochipN──▶ gpio-sim ◀──sim_gpioK/pull── us: a level, and the edge events that come with it

Knows nothing of: what is on a line. Sources: kernel: Documentation/admin-guide/gpio/gpio-sim.rst.
"""

from machine import Machine

CONFIG = "/sys/kernel/config/gpio-sim"


class GpioSim:
    """A simulated chip."""

    def __init__(self, machine: Machine, lines: int, name: str = "car") -> None:
        """Makes a chip with so many lines."""
        folder = f"{CONFIG}/{name}"
        machine.check(f"mkdir -p {folder}/bank && echo {lines} >{folder}/bank/num_lines && echo 1 >{folder}/live")
        (device,) = machine.check(f"cat {folder}/dev_name")
        (chip,) = machine.check(f"cat {folder}/bank/chip_name")
        self._machine = machine
        self._folder = f"/sys/devices/platform/{device}/{chip}"
        self.path = f"/dev/{chip}"

    def pull_file(self, line: int) -> str:
        """The file to which a script inside writes `pull-up` or `pull-down`, for many edges in little time."""
        return f"{self._folder}/sim_gpio{line}/pull"

    def pull(self, line: int, level: int) -> None:
        """Pulls a line to a level."""
        self._machine.check(f"echo {'pull-up' if level else 'pull-down'} >{self.pull_file(line)}")

    def value(self, line: int) -> int:
        """The level of a line, whoever drives it."""
        (value,) = self._machine.check(f"cat {self._folder}/sim_gpio{line}/value")
        return int(value)
