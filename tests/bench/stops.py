"""Live stops of the simulated car: real processes, real sockets, something dies, and the actuator log is the judge.

    stops.py SPIDERCAR-BINARY RUNS [WORD]...   called by scripts/stop-runs.sh; with words, the ways that have one of them

Each run starts a Spider, a car and a driver (`spidercar watch`, commands on its stdin at 50 Hz), arms, drives, and then
does one thing. What is measured is the time from the last command that the driver sent, or from the thing itself where
the driver goes on, to the line of the log that says neutral. Both are CLOCK_MONOTONIC of this machine.
A run fails if neutral is later than its limit, if the car moves afterwards without a new arm, or if it obeys a stranger.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHANNEL = "c9abcdefghijklmnopq0"
NEUTRAL_US = 1500
HOLD_MS, NEUTRAL_BY_MS = 100, 250
# A command is 20 ms old on average when the next is due, and a machine of two cores has other things to do.
SLACK_MS = 60
FAULT_AT_MS = 1800
# Where groups with a limit of memory are made.
MEMORY = Path("/sys/fs/cgroup/memory")
# What a car may take there after its start: it needs some 10 MB to be driven.
ROOM = 24 << 20
SMALL = ["camera.width=320", "camera.height=240", "camera.fps=10"]


def now_ms() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC) * 1000


class Process:
    """A process, ended with its run."""

    def __init__(self, args: list[str], name: str, folder: Path, namespace: str | None = None):
        prefix = ["ip", "netns", "exec", namespace] if namespace else []
        self.log = open(folder / f"{name}.log", "wb")
        self.started_ms = now_ms()
        self.process = subprocess.Popen(
            prefix + args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, bufsize=0
        )

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self.log.close()


class Driver(Process):
    """A viewer that drives: commands in, at 50 Hz, until it is told to be silent."""

    def __init__(self, binary: str, port: int, folder: Path, lease: int, namespace: str | None):
        args = [binary, "watch", f"ws://127.0.0.1:{port}", "--channel", CHANNEL]
        super().__init__(args, f"driver-{lease}", folder, namespace)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.lease, self.seq, self.throttle = lease, 0, 0
        self.last_ms, self.arms, self.is_silent, self.sent = 0.0, False, False, []
        self.state, self.heard = None, b""

    def say(self, line: str) -> None:
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except (BrokenPipeError, BlockingIOError):
            pass

    def command(self, group: str, **fields) -> None:
        self.seq += 1
        body = {"seq": self.seq, "t_ms": int(now_ms()), **fields, "lease": self.lease}
        line = json.dumps({group: body}, separators=(",", ":"))
        self.sent.append(line)
        self.say(line)

    def hear(self) -> None:
        self.heard += self.process.stdout.read() or b""
        *lines, self.heard = self.heard.split(b"\n")
        for line in lines:
            if b'"car"' in line:
                self.state = json.loads(line)["car"]

    async def drive(self) -> None:
        beats = 0
        while not self.is_silent:
            self.hear()
            self.command("drive", throttle=self.throttle, steering=0)
            self.last_ms = now_ms()
            beats += 1
            if self.arms and beats % 5 == 0:
                self.command("arm")
            await asyncio.sleep(0.02)


class Run:
    """One run: everything that it started, and what it saw."""

    def __init__(
        self,
        binary: str,
        folder: Path,
        sets: list[str],
        namespace: str | None = None,
        group: Path | None = None,
    ):
        self.binary, self.folder, self.namespace = binary, folder, namespace
        self.actuators = folder / "actuators.jsonl"
        self.spider = Process([binary, "spider", "--port", "0", "--tls-port", "0"], "spider", folder, namespace)
        line = self.spider.process.stdout.readline().decode()
        self.port = int(line.split("http://127.0.0.1:")[1].split("/")[0])
        sets = [f"spider.url=ws://127.0.0.1:{self.port}", f"sim.actuator_log={self.actuators}", *SMALL, *sets]
        args = [binary, "run"] + [part for one in sets for part in ("--set", one)]
        self.group = group
        if group:
            group.mkdir()
            args = ["sh", "-c", f'echo 0 > {group}/cgroup.procs && exec "$@"', "sh", *args]
        self.car = Process(args, "car", folder, namespace)
        self.drivers: list[Driver] = []
        self.tasks: list[asyncio.Task] = []

    def driver(self, lease: int = 7) -> Driver:
        driver = Driver(self.binary, self.port, self.folder, lease, self.namespace)
        self.drivers.append(driver)
        self.tasks.append(asyncio.create_task(driver.drive()))
        return driver

    def writes(self) -> list[tuple[float, int, str]]:
        lines = self.actuators.read_text().splitlines() if self.actuators.exists() else []
        parsed = [json.loads(line) for line in lines if line.endswith("}")]
        return [(one["t_us"] / 1000, one["throttle_us"], one["cause"]) for one in parsed]

    def moves(self) -> bool:
        writes = self.writes()
        return bool(writes) and writes[-1][1] != NEUTRAL_US

    async def until(self, what: str, holds, patience: float = 15) -> None:
        deadline = time.monotonic() + patience
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {what}")
            await asyncio.sleep(0.002)

    async def driven(self) -> Driver:
        driver = self.driver()
        driver.arms = True
        await self.until("a live car", lambda: driver.state and driver.state["state"] == 1)
        driver.arms, driver.throttle = False, 400
        await self.until("a moving car", self.moves)
        await asyncio.sleep(0.15)
        return driver

    def neutral_after(self, since_ms: float) -> tuple[float, str]:
        """When the car that moved at that time was neutral, and why."""
        for at, throttle, cause in self.writes():
            if at >= since_ms and throttle == NEUTRAL_US:
                return at, cause
        raise AssertionError("no neutral")

    async def stays(self, since_ms: float, seconds: float) -> None:
        """No motion from then on."""
        await asyncio.sleep(seconds)
        late = [one for one in self.writes() if one[0] > since_ms and one[1] != NEUTRAL_US]
        assert not late, f"moved after the stop: {late[:3]}"

    def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        for process in (*self.drivers, self.car, self.spider):
            process.end()


async def silence(run: Run, happen) -> float:
    """The driver is cut off by `happen`: measured from his last command."""
    driver = await run.driven()
    happen(driver)
    driver.is_silent = True
    last = driver.last_ms
    await run.until("neutral", lambda: not run.moves())
    at, _ = run.neutral_after(last)
    await run.stays(at, 0.4)
    assert at - last >= HOLD_MS, f"too early: {at - last:.0f} ms"
    return at - last


async def viewer_killed(run: Run) -> float:
    return await silence(run, lambda driver: driver.signal(signal.SIGKILL))


async def viewer_frozen(run: Run) -> float:
    return await silence(run, lambda driver: driver.signal(signal.SIGSTOP))


async def spider_killed(run: Run) -> float:
    driver = await run.driven()
    run.spider.signal(signal.SIGKILL)
    cut = now_ms()
    await run.until("neutral", lambda: not run.moves())
    at, _ = run.neutral_after(cut)
    await run.stays(at, 0.4)
    return at - cut


async def packets_dropped(run: Run) -> float:
    driver = await run.driven()
    subprocess.run(["ip", "netns", "exec", run.namespace, "ip", "link", "set", "lo", "down"], check=True)
    cut = now_ms()
    await run.until("neutral", lambda: not run.moves())
    at, _ = run.neutral_after(cut)
    await run.stays(at, 0.4)
    return at - cut


async def injected(run: Run, causes: tuple[str, ...]) -> float:
    """A fault that the car brings about at a time after its start, while the driver goes on."""
    await run.driven()
    due = run.car.started_ms + FAULT_AT_MS
    await run.until("the fault to stop the car", lambda: now_ms() > due and not run.moves())
    at, cause = run.neutral_after(due - 50)
    assert cause in causes, cause
    await run.stays(at, 0.6)
    return max(0.0, at - due)


async def loop_blocked(run: Run) -> float:
    return await injected(run, ("silence", "link_lost"))


async def control_stalled(run: Run) -> float:
    return await injected(run, ("control_stalled",))


async def control_panic(run: Run) -> float:
    return await injected(run, ("panic",))


async def process_frozen(run: Run) -> float:
    await run.driven()
    run.car.signal(signal.SIGSTOP)
    await run.until("neutral by its survivor", lambda: not run.moves())
    back = now_ms()
    run.car.signal(signal.SIGCONT)
    await run.until("its own neutral", lambda: run.writes()[-1][0] > back)
    at, _ = run.neutral_after(back)
    moved = [one for one in run.writes() if back < one[0] < at]
    assert not moved, f"went on where it was: {moved[:3]}"
    await run.stays(at, 0.6)
    return at - back


async def dies(run: Run, happen, cause: str = "exit") -> float:
    """The car's process is gone, or stands still, from now on; nobody but its survivor is left to write."""
    await run.driven()
    cut = now_ms()
    happen()
    await run.until("neutral", lambda: not run.moves())
    at, said = run.neutral_after(cut)
    assert said == cause, f"neutral because of {said}"
    await run.stays(at, 0.4)
    return at - cut


def default_action(pid: int, number: int) -> bool:
    """Whether a process no longer catches a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return int(caught, 16) & 1 << (number - 1) == 0


async def car_killed(run: Run) -> float:
    return await dies(run, lambda: run.car.signal(signal.SIGKILL))


async def car_segv(run: Run) -> float:
    def twice() -> None:
        # Rust catches the first one, finds that no guard page was touched, and puts the default action back.
        run.car.signal(signal.SIGSEGV)
        while not default_action(run.car.process.pid, signal.SIGSEGV):
            pass
        run.car.signal(signal.SIGSEGV)

    return await dies(run, twice)


async def car_aborts(run: Run) -> float:
    return await dies(run, lambda: run.car.signal(signal.SIGABRT))


async def car_frozen(run: Run) -> float:
    return await dies(run, lambda: run.car.signal(signal.SIGSTOP), "control_stalled")


async def stack_overflow(run: Run) -> float:
    return await injected(run, ("exit",))


async def out_of_memory(run: Run) -> float:
    """The car takes more memory than its group has, and the kernel kills it."""
    used = int((run.group / "memory.usage_in_bytes").read_text())
    (run.group / "memory.limit_in_bytes").write_text(str(used + ROOM))
    took = await injected(run, ("exit",))
    assert run.car.process.wait() == -signal.SIGKILL, "another end"
    return took


async def burst_on_recovery(run: Run) -> float:
    """The Spider holds everything back for a second, then delivers it: the driver held his key all the time."""
    await run.driven()
    run.spider.signal(signal.SIGSTOP)
    cut = now_ms()
    await run.until("neutral", lambda: not run.moves())
    at, _ = run.neutral_after(cut)
    await asyncio.sleep(1)
    run.spider.signal(signal.SIGCONT)
    await run.stays(at, 1)
    return at - cut


async def replayed_capture(run: Run) -> float:
    driver = await run.driven()
    driver.is_silent = True
    last = driver.last_ms
    await run.until("neutral", lambda: not run.moves())
    at, _ = run.neutral_after(last)
    await asyncio.sleep(0.4)
    thief = run.driver(99)
    await run.until("the second viewer", lambda: thief.state is not None)
    for line in driver.sent:
        thief.say(line)
    await run.stays(at, 0.6)
    return at - last


async def stolen_lease(run: Run) -> float:
    """A second driver arms and floors it while the first drives: the pulses stay those of the first until he is gone."""
    driver = await run.driven()
    own = run.writes()[-1][1]
    thief = run.driver(99)
    thief.arms = True
    await run.until("the second viewer", lambda: thief.state is not None)
    thief.throttle = 1000
    begun = now_ms()
    await asyncio.sleep(0.5)
    stolen = [one for one in run.writes() if one[0] > begun and one[1] != own]
    assert not stolen, f"obeyed a stranger: {stolen[:3]}"
    driver.is_silent = True
    last = driver.last_ms
    await run.until("neutral", lambda: not run.moves())
    at, _ = run.neutral_after(last)
    await run.stays(at, 0.6)
    return at - last


# name: (what happens, settings, limit in ms)
MODES = {
    "viewer kill -9": (viewer_killed, [], NEUTRAL_BY_MS),
    "viewer kill -STOP": (viewer_frozen, [], NEUTRAL_BY_MS),
    "all packets dropped": (packets_dropped, [], NEUTRAL_BY_MS),
    "Spider kill -9": (spider_killed, [], NEUTRAL_BY_MS),
    "event loop blocked": (loop_blocked, [f"sim.faults=runtime-stall@{FAULT_AT_MS}"], NEUTRAL_BY_MS),
    "control thread stalled": (control_stalled, [f"sim.faults=control-stall@{FAULT_AT_MS}"], NEUTRAL_BY_MS),
    "car stopped, continued": (process_frozen, [], NEUTRAL_BY_MS),
    "car kill -9": (car_killed, [], NEUTRAL_BY_MS),
    "car kill -SEGV": (car_segv, [], NEUTRAL_BY_MS),
    "car kill -ABRT": (car_aborts, [], NEUTRAL_BY_MS),
    "car kill -STOP": (car_frozen, [], NEUTRAL_BY_MS),
    "car's stack overflows": (stack_overflow, [f"sim.faults=stack-overflow@{FAULT_AT_MS}"], NEUTRAL_BY_MS),
    "car out of memory": (out_of_memory, [f"sim.faults=memory-leak@{FAULT_AT_MS}"], NEUTRAL_BY_MS),
    "panic of control": (control_panic, [f"sim.faults=control-panic@{FAULT_AT_MS}"], NEUTRAL_BY_MS),
    "queue burst on recovery": (burst_on_recovery, [], NEUTRAL_BY_MS),
    "replayed capture": (replayed_capture, [], NEUTRAL_BY_MS),
    "stolen lease": (stolen_lease, [], NEUTRAL_BY_MS),
}


async def one(binary: str, number: int, name: str) -> tuple[str, float | None, str]:
    happen, sets, limit = MODES[name]
    namespace = f"stops-{os.getpid()}-{number}" if happen is packets_dropped else None
    group = MEMORY / f"stops-{os.getpid()}-{number}" if happen is out_of_memory else None
    with tempfile.TemporaryDirectory(prefix="spidercar-stops-") as folder:
        if namespace:
            subprocess.run(["ip", "netns", "add", namespace], check=True)
            subprocess.run(["ip", "netns", "exec", namespace, "ip", "link", "set", "lo", "up"], check=True)
        run = None
        try:
            run = Run(binary, Path(folder), sets, namespace, group)
            took = await happen(run)
            wrong = f"{took:.0f} ms is later than {limit} + {SLACK_MS}" if took > limit + SLACK_MS else ""
            return name, took, wrong
        except (AssertionError, IndexError, ValueError) as error:
            return name, None, f"{type(error).__name__}: {error}"
        finally:
            if run:
                run.end()
            if namespace:
                subprocess.run(["ip", "netns", "delete", namespace], check=False)
            if group:
                await emptied(group)


async def emptied(group: Path) -> None:
    """Removes a group once the last process has left it."""
    deadline = time.monotonic() + 5
    while (group / "cgroup.procs").read_text():
        assert time.monotonic() < deadline, f"{group} is not empty"
        await asyncio.sleep(0.01)
    group.rmdir()


def histogram(samples: list[float]) -> str:
    """Counts by 25 ms, from 0 to 300 and beyond."""
    marks = " .:-=+*#%@"
    counts = [0] * 13
    for sample in samples:
        counts[min(12, int(sample // 25))] += 1
    most = max(counts) or 1
    return "".join(marks[-(-count * 9 // most)] for count in counts)


async def main() -> int:
    binary, runs, chosen = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    names = [name for name in MODES if not chosen or any(word in name for word in chosen)]
    assert names, f"no way to stop has one of these words: {chosen}"
    if os.geteuid() != 0:
        names = [name for name in names if name != "all packets dropped"]
        print("SKIPPED  all packets dropped: a network namespace needs root", flush=True)
    if os.geteuid() != 0 or not (MEMORY / "memory.limit_in_bytes").exists():
        names = [name for name in names if name != "car out of memory"]
        print(f"SKIPPED  car out of memory: it needs root and {MEMORY} (cgroup v1)", flush=True)
    gate = asyncio.Semaphore(2)

    async def gated(number: int) -> tuple[str, float | None, str]:
        async with gate:
            return await one(binary, number, names[number % len(names)])

    results = await asyncio.gather(*(gated(number) for number in range(runs)))
    print(f"{runs} runs; time to neutral in ms; histogram from 0 to 300 ms in steps of 25, then beyond")
    failed = 0
    for name in names:
        took = sorted(result[1] for result in results if result[0] == name and result[1] is not None)
        wrong = [result[2] for result in results if result[0] == name and result[2]]
        failed += len(wrong)
        figures = f"min {took[0]:6.1f}  p50 {took[len(took) // 2]:6.1f}  max {took[-1]:6.1f}" if took else "no figure"
        print(f"{name:<26} n {len(took):>3}  {figures}  |{histogram(took)}|  {len(wrong)} wrong")
        for text in wrong[:5]:
            print(f"    {text}")
    print(f"{runs - failed} as they should be, {failed} wrong")
    return 1 if failed else 0


sys.exit(asyncio.run(main()))
