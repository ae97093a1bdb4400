"""Cuts the power while `spidercar calibrate --save` writes, and reads what is left with the same program.

Two ways, for neither alone is a power cut:

    killed      strace kills the process at the entry of the n-th system call that concerns the folder. Nothing after it
                happens. What was done is in the page cache, so all of it is still there.
    lost        the system calls of a save are recorded with their data; for the moment after each of them, every disk is
                built that a file system may leave (disk.py): what was not synced is missing, half, or zeros, and names
                change in any order that no sync forbids.

After each cut the program must say exactly what was saved before, or exactly what was to be saved; a later save must work
on whatever is left. The old car's way of writing, and ours without its syncs, are put through the same, and must fail.

    usage: cut.py PATH-TO-SPIDERCAR FOLDER CUTS SEED
"""

import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import disk

# Every call by which this program could change a folder, or notice a change.
CALLS = (
    "open,openat,creat,write,pwrite64,writev,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,"
    "link,linkat,symlink,symlinkat,unlink,unlinkat,truncate,ftruncate,fallocate,mkdir,mkdirat,close,flock"
)
WRITING = re.compile(r"\b(O_CREAT|O_TRUNC|write|fsync|fdatasync|rename|link|unlink|truncate|mkdir)")


class Car:
    """The program before a state file."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, Path(folder)
        self.file = self.folder / "car.json"

    def command(self, *words):
        return [self.binary, "calibrate", "--set", f"drive.state_file={self.file}", *words]

    def run(self, *words, strace=None):
        """The exit code and stdout; a killed process has a negative code."""
        command = self.command(*words)
        if strace is not None:
            command = ["strace", "-f", *strace, *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def shows(self):
        code, out, err = self.run("--show")
        assert code == 0, f"--show ended with {code}: {err}"
        return neutral(out)

    def save(self, us):
        code, out, err = self.run("--save", f"throttle_zero_us={us}")
        assert code == 0, f"--save ended with {code}: {err}"
        assert neutral(out) == us, out

    def traced(self, words, *more):
        """The lines of the calls of CALLS that one run makes, in order."""
        log = self.folder.parent / "trace"
        self.run(*words, strace=["-y", *more, "-e", f"trace={CALLS}", "-o", str(log)])
        return log.read_text().splitlines()


def neutral(shown):
    """What counts, of what `--show` prints: the saved neutral, or None if nothing is saved."""
    if "nothing is saved" in shown:
        return None
    return int(re.search(r"^throttle_zero_us = (\d+)$", shown, re.M)[1])


def killed(car, cuts, rng):
    """Kills a save at each of its calls, on whatever the kill before has left."""
    ended = Counter()
    was, us = None, 1400
    while sum(ended.values()) < cuts:
        if rng.random() < 0.1:
            # A card that returned nonsense, or nothing at all: what counts then is the copy, or nothing.
            damage(car, rng)
            was = car.shows()
        us = 1400 + (us - 1399) % 130
        words = ["--save", f"throttle_zero_us={us}"]
        # Learn on a copy which of the calls concern the folder; the count is the same in the real one.
        learnt = Car(car.binary, car.folder.with_name("learnt"))
        shutil.rmtree(learnt.folder, ignore_errors=True)
        shutil.copytree(car.folder, learnt.folder)
        calls = [line for line in learnt.traced(words) if re.match(r"\d+ +\w+\(", line)]
        places = [place for place, line in enumerate(calls) if str(learnt.folder) in line]
        assert len(places) > 10, calls
        before = sum(ended.values())
        for place in places:
            name, count = nth(calls, place)
            code, _, err = car.run(*words, strace=["-o", "/dev/null", "-e", f"trace={CALLS}", "-e", f"inject={name}:signal=KILL:when={count}"])
            if code == 0:
                # What the kills before have left takes a call less or more: the save is done, and the next value is due.
                break
            assert code in (-9, 137), f"{calls[place]}: {code} {err}"
            now = car.shows()
            assert now in (was, us), f"killed at {calls[place]}: {now}, which is neither {was} nor {us}"
            ended["new" if now == us else "old"] += 1
            if now == us:
                was = us
        assert sum(ended.values()) > before, f"no call of a save was killed: {calls}"
        car.save(us)
        assert car.shows() == us
        was = us
    return ended


def nth(calls, place):
    """The name of a call, and the how manyth of this name and thread it is: strace counts each name by itself."""
    of = [re.match(r"(\d+) +(\w+)\(", line).groups() for line in calls[: place + 1]]
    return of[-1][1], of.count(of[-1])


def damage(car, rng):
    for path in sorted(car.folder.iterdir()):
        if path.suffix == ".lock" or rng.random() < 0.5:
            continue
        text = path.read_bytes()
        how = rng.randrange(4)
        if how == 0:
            path.write_bytes(text[: rng.randrange(len(text) + 1)])
        elif how == 1:
            path.write_bytes(bytes(len(text)))
        elif how == 2 and text:
            place = rng.randrange(len(text))
            path.write_bytes(text[:place] + bytes([text[place] ^ (1 << rng.randrange(8))]) + text[place + 1 :])
        else:
            path.unlink()


def lost(car, saves):
    """Builds every disk that a power cut in one of these saves may leave, and reads it."""
    ended, moments = Counter(), 0
    for was, us in saves:
        before = disk.snapshot(car.folder)
        calls = car.traced(["--save", f"throttle_zero_us={us}"], "-s", "4096")
        steps = disk.steps(calls, car.folder)
        assert any(step[0] == "sync" for step in steps), calls
        # Leave out the reads, or each moment would be counted for every call between.
        moments += len(steps)
        for state in disk.states(before, steps):
            now = read(car, state)
            assert now in (was, us), f"a disk on which {now} counts, which is neither {was} nor {us}: {state}"
            ended["new" if now == us else "old"] += 1
        # When the program says so, it is there for good: nothing is pending.
        left = list(disk.states_after(before, steps))
        assert len(left) == 1 and read(car, left[0]) == us, left
        disk.restore(car.folder, left[0])
    return ended, moments


def read(car, state):
    other = Car(car.binary, car.folder.with_name("cut"))
    disk.restore(other.folder, state)
    return other.shows()


def goes_on(car, rng, before, steps):
    """After any cut, the next save works."""
    states = list(disk.states(before, steps))
    for state in rng.sample(states, min(len(states), 40)):
        other = Car(car.binary, car.folder.with_name("cut"))
        disk.restore(other.folder, state)
        other.save(1499)
        assert other.shows() == 1499
    return min(len(states), 40)


def bad_ways(car, us, was):
    """How a file is lost: the same model must find it."""
    before = disk.snapshot(car.folder)
    calls = car.traced(["--save", f"throttle_zero_us={us}"], "-s", "4096")
    steps = disk.steps(calls, car.folder)
    disk.restore(car.folder, before)
    text = next(step[2] for step in steps if step[0] == "write")
    ways = {
        "the old car's: truncate, write": [("open", "car.json", True), ("write", "car.json", text)],
        "without fsync of the data": [step for step in steps if step[0] != "sync" or step[1] == "."],
        "write, then rename without a sync": [("open", "x", True), ("write", "x", text), ("rename", "x", "car.json")],
    }
    found = {}
    for name, bad in ways.items():
        # Without the copy, which would save it: that is what it is for.
        alone = {path: data for path, data in before.items() if path != "car.json.good"}
        wrong = [state for state in disk.states(alone, bad) if read(car, state) not in (was, us)]
        assert wrong, f"{name} came through: the model is blind"
        found[name] = len(wrong)
    return found


def main():
    binary, folder, cuts, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    rng = random.Random(seed)
    car = Car(binary, folder / "car")
    car.folder.mkdir()
    ended = killed(car, cuts, rng)
    print(f"killed: {sum(ended.values())} saves, each at another system call; {ended['old']} ended old, {ended['new']} new, 0 else", flush=True)

    shutil.rmtree(car.folder)
    car.folder.mkdir()
    saves = [(None, 1410), (1410, 1420), (1420, 1430), (1430, 1440)]
    ended, moments = lost(car, saves)
    print(
        f"lost: {sum(ended.values())} disks that a power cut may leave, at {moments} moments of {len(saves)} saves; "
        f"{ended['old']} read as old, {ended['new']} as new, 0 else",
        flush=True,
    )

    before = disk.snapshot(car.folder)
    steps = disk.steps(car.traced(["--save", "throttle_zero_us=1450"], "-s", "4096"), car.folder)
    print(f"after a cut: {goes_on(car, rng, before, steps)} saves on what was left, all good", flush=True)
    for name, count in bad_ways(car, 1460, 1450).items():
        print(f"the same for {name}: {count} disks without a whole file, as it must be", flush=True)


if __name__ == "__main__":
    main()
