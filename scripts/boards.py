#!/usr/bin/env python3
"""Writes board/*/spidercar.toml anew: every key that the program knows, in its order and with its words.

Runs where: a developer's or CI machine.
Needs:      Python 3.9 or newer; the program (it is built by cargo if --program names none).
Changes:    board/*/spidercar.toml, and nothing with --check. Safe to run twice.

A board's file says three things that are its own: the values, the lines that begin with "# Here:" (why a value is
not the default), and the "# Here:" at the top (what the board is). Everything else is what `spidercar check` prints,
so that a key or a sentence that is changed in src/config/schema.rs gets into every board by this one command. A board
that does not say a key yet gets it at its default; a key that is gone or was renamed is an error, for a person to mend.

To begin a board, write only what differs, with its reasons, and run this.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
SIM = "sim"  # all defaults: exactly what `spidercar check` prints
HERE = "# Here: "
GOES_ON = "#   "  # the further lines of a reason
WIDTH = 100  # as src/config/show.rs

KEY = re.compile(r"([a-z][a-z0-9_]*) *= *(.*)")
TABLE = re.compile(r"\[\[?([a-z0-9_.]+)\]\]?\s*(?:#.*)?")


def lines_of(text):
    """Yields (kind, name, line): ("table", "camera", ...), ("key", "camera.fps", ...), ("other", None, ...)."""
    table = ""
    for line in text.splitlines():
        if found := TABLE.fullmatch(line):
            table = found[1]
            yield "table", table, line
        elif found := KEY.fullmatch(line):
            yield "key", f"{table}.{found[1]}", line
        else:
            yield "other", None, line


def reasons_of(text):
    """The reason above each key, as one line of text; that of "" stands at the top of the file."""
    reasons, reason = {}, None
    for kind, name, line in lines_of(text):
        if line.startswith(HERE):
            reason = [line[len(HERE):]]
        elif reason is not None and line.startswith(GOES_ON):
            reason.append(line[len(GOES_ON):])
        elif kind == "key" and reason is not None:
            reasons[name], reason = " ".join(reason), None
        elif reason is not None and not line.strip() and not reasons:
            reasons[""], reason = " ".join(reason), None
        elif reason is not None:
            break
    if reason is not None:
        raise SystemExit(f"boards: a reason stands above no key: {' '.join(reason)!r}")
    return reasons


def folded(text, first="# ", other="# "):
    """A comment, broken into lines between words as src/config/show.rs does it."""
    out, line, begin = [], "", first
    for word in text.split():
        if line and len(begin) + len(line) + 1 + len(word) > WIDTH:
            out.append(begin + line)
            line, begin = word, other
        else:
            line = f"{line} {word}" if line else word
    out.append(begin + line)
    return out


def printed(program, file):
    """What `spidercar check` prints for a file."""
    command = [program, "check", "--config", file]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if run.returncode != 0:
        raise SystemExit(f"boards: {run.stderr.strip() or run.stdout.strip()}")
    return run.stdout


def defaults(program):
    """What `spidercar check` prints if nothing is said, from the first table on, and the paragraph before it."""
    with tempfile.NamedTemporaryFile(suffix=".toml") as nothing:
        text = printed(program, nothing.name)
    head, body = text.split("\n\n", 1)
    about = " ".join(line.lstrip("# ") for line in head.splitlines())
    about = about.split("every key at its default. ", 1)[1]
    return about, body


def written_anew(program, name, file):
    """What a board's file must be."""
    about, body = defaults(program)
    if name == SIM:
        head = folded("Configuration of spidercar, from the built-in simulated car: every key at its default.")
        return "\n".join(head + folded(about)) + "\n\n" + body
    reasons = reasons_of(file.read_text(encoding="utf-8"))
    values = {key: line for kind, key, line in lines_of(printed(program, file)) if kind == "key"}
    out = folded(f"Configuration of spidercar for the board {name}, written by scripts/boards.py.") + folded(about)
    if "" in reasons:
        out += folded(reasons.pop(""), HERE, GOES_ON)
    out.append("")
    for kind, key, line in lines_of(body):
        if kind == "key" and key in reasons:
            out += folded(reasons.pop(key), HERE, GOES_ON)
        out.append(values[key] if kind == "key" else line)
    if reasons:
        raise SystemExit(f"boards: {file}: a reason for a key that is not there: {', '.join(reasons)}")
    return "\n".join(out) + "\n"


def built():
    """Builds the program, and tells where it is."""
    cargo = ["cargo", "build", "--locked", "--quiet", "--message-format=json", "--bin", "spidercar"]
    run = subprocess.run(cargo, cwd=TOP, stdout=subprocess.PIPE, text=True, check=True)
    made = (json.loads(line).get("executable") for line in run.stdout.splitlines())
    return [program for program in made if program][-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true",
                        help="write nothing; end with 1 if a file is not as it would be")
    parser.add_argument("--program", metavar="FILE", help="the spidercar program to ask")
    parser.add_argument("boards", nargs="*", metavar="BOARD", help="folders of board/; without any, all of them")
    args = parser.parse_args()
    program = args.program or built()
    files = [TOP / "board" / board / "spidercar.toml" for board in args.boards]
    files = files or sorted((TOP / "board").glob("*/spidercar.toml"))
    stale = 0
    for file in files:
        shown = file.relative_to(TOP)
        wanted = written_anew(program, file.parent.name, file)
        if file.read_text(encoding="utf-8") == wanted:
            continue
        stale += 1
        if args.check:
            print(f"boards: {shown} is not what the program prints; run scripts/boards.py", file=sys.stderr)
        else:
            file.write_text(wanted, encoding="utf-8")
            print(f"boards: wrote {shown}")
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
