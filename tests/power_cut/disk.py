"""What a disk may look like after a power cut, worked out from the system calls that were made.

A disk is a folder: names, and the bytes that each name leads to. It is built from two books, as a file system has them:

    data    of each file (inode): what was synced, and what was written since. After a cut the latter may be missing,
            there up to any byte, or as long as it was to be and full of zeros.
    names   those of the last sync of the folder, and each change since. After a cut any of the changes may be there and
            any may not, in whatever combination (POSIX promises no order); a rename may also have made the new name and
            not yet taken the old one away. Once the folder was synced, all are there.

This is harsher than ext4 or f2fs are, which keep the order of changes of names.
"""

import re
from itertools import product
from pathlib import Path

PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"')


def snapshot(folder):
    """A disk on which everything has been synced: name to bytes."""
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir()) if path.suffix != ".lock"}


def restore(folder, state):
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, data in state.items():
        (folder / name).write_bytes(data)


def unescaped(text):
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def steps(calls, folder):
    """The calls that change this folder, in the order in which they were made.

    open NAME TRUNCATES | write NAME BYTES | sync NAME-or-. | link OLD NEW | rename OLD NEW | unlink NAME
    """
    found = []
    inside = str(folder) + "/"
    for line in calls:
        match = re.match(r"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)", line)
        if not match or str(folder) not in line or int(match[3]) < 0:
            continue
        call, arguments = match[1], match[2]
        names = [text[len(inside):] for text in PAIR.findall(arguments) if text.startswith(inside)]
        held = re.match(r"\d+<([^>]*)>", arguments)
        held = held and held[1]
        if call in ("open", "openat", "creat"):
            if names and ("O_CREAT" in arguments or "O_TRUNC" in arguments or call == "creat"):
                found.append(("open", names[0], "O_TRUNC" in arguments or call == "creat"))
        elif call == "write":
            found.append(("write", held[len(inside):], unescaped(PAIR.findall(arguments)[-1])))
        elif call in ("fsync", "fdatasync"):
            found.append(("sync", "." if held == str(folder) else held[len(inside):]))
        elif call in ("rename", "renameat", "renameat2"):
            found.append(("rename", *names))
        elif call in ("link", "linkat"):
            found.append(("link", *names))
        elif call in ("unlink", "unlinkat"):
            found.append(("unlink", names[0]))
        elif call not in ("close", "flock"):
            raise AssertionError(f"a call that this model does not know: {line}")
    return [step for step in found if not step[1].endswith(".lock")]


class Books:
    """The two books, and what is pending in each."""

    def __init__(self, before):
        self.files = [(data, None) for data in before.values()]  # what was synced, what was written since
        self.synced = dict(zip(before, range(len(before))))
        self.now = dict(self.synced)
        self.pending = []

    def take(self, step):
        kind, name = step[0], step[1]
        if kind == "open":
            if name not in self.now:
                self.files.append((None, b""))
                self.pending.append(("make", name, len(self.files) - 1))
                self.now[name] = len(self.files) - 1
            elif step[2]:
                file = self.now[name]
                self.files[file] = (self.files[file][0], b"")
        elif kind == "write":
            file = self.now[name]
            synced, written = self.files[file]
            self.files[file] = (synced, (written if written is not None else synced) + step[2])
        elif kind == "sync" and name == ".":
            (self.synced, self.pending) = (dict(self.now), [])
        elif kind == "sync":
            file = self.now[name]
            synced, written = self.files[file]
            self.files[file] = (written if written is not None else synced, None)
        elif kind == "rename":
            self.pending.append(step)
            if self.now[name] != self.now.get(step[2]):  # rename(2): two names of one file are left alone
                self.now[step[2]] = self.now.pop(name)
        elif kind == "link":
            self.pending.append(("make", step[2], self.now[name]))
            self.now[step[2]] = self.now[name]
        elif kind == "unlink":
            self.pending.append(step)
            del self.now[name]

    def namings(self):
        """Every folder that may be left."""
        seen = set()
        ways = [("no", "half", "yes") if change[0] == "rename" else ("no", "yes") for change in self.pending]
        for chosen in product(*ways):
            names = dict(self.synced)
            for change, way in zip(self.pending, chosen):
                if way == "no":
                    continue
                if change[0] == "make":
                    names[change[1]] = change[2]
                elif change[0] == "unlink":
                    names.pop(change[1], None)
                elif change[1] in names:
                    names[change[2]] = names[change[1]]
                    if way == "yes":
                        del names[change[1]]
            key = tuple(sorted(names.items()))
            if key not in seen:
                seen.add(key)
                yield names

    def contents(self, file):
        """Every content that a file may be left with."""
        synced, written = self.files[file]
        if written is None:
            return [synced]
        length = len(written)
        cuts = {written[:cut] for cut in (0, 1, length // 2, length - 1, length) if cut >= 0}
        zeros = {bytes(length), written[: length // 2] + bytes(length - length // 2)}
        return sorted(cuts | zeros | ({synced} if synced is not None else set()))

    def disks(self):
        for names in self.namings():
            files = sorted(set(names.values()))
            for contents in product(*(self.contents(file) for file in files)):
                data = dict(zip(files, contents))
                yield {name: data[file] for name, file in names.items()}


def states(before, made):
    """Every disk that may be left by a cut before the first of these steps, between two, or after the last; each once."""
    books = Books(before)
    seen = set()
    for step in [None, *made]:
        if step is not None:
            books.take(step)
        for state in books.disks():
            key = tuple(sorted(state.items()))
            if key not in seen:
                seen.add(key)
                yield state


def states_after(before, made):
    """Every disk that may be left by a cut after the last step."""
    books = Books(before)
    for step in made:
        books.take(step)
    return books.disks()
