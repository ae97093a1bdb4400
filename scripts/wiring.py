#!/usr/bin/env python3
"""Draws board/*/wiring.svg from the tables of board/*/wiring.md.

Runs where: a developer's or CI machine.
Needs:      Python 3.9 or newer, and wiring_ways.py beside it.
Changes:    board/*/wiring.svg, and nothing with --check. Safe to run twice: the same tables give the same picture.

What a person reads is what is drawn: "Pins" (a wire from a pin of the header to a terminal of a part), "Between the
parts" (from terminal to terminal) and "Parts" (what each is, and on which side of the header it stands). The header's
pins come from the table in board/README.md. A wire finds its own way (wiring_ways.py). What a person decides is where
parts stand; in which order terminals sit on a part is worked out, so that wires need not cross. This file is longer
than others because it is one drawing.

    above:      Battery   Switch   Fuse
    left:  Monitor ──┐  ┌ header ┐  ┌── Regulator   :right
           Servo ────┘  └ 1 .. 40┘  └── ESC
    below:
"""

import argparse
import hashlib
import html
import pathlib
import sys

from wiring_ways import CLOSED, FREE, GATE, Grid, NoWay

TOP = pathlib.Path(__file__).resolve().parent.parent

# Lengths of the picture are counted in steps of the grid that wires run on, and drawn in pixels.
STEP = 12
WIDE = 75  # 900 px: what a README shows without scaling
HEAD = 6  # rows for the title
ODD, EVEN = 36, 38  # columns of the header's pins
TAG = 6  # length of a pin's name tag
BOX = 11  # width of a part beside the header
LEFT, RIGHT = 7, WIDE - 7 - BOX  # columns where parts begin
PITCH = 2  # rows from terminal to terminal
ROOM = 4  # rows for a part's name

# How many orders of laying the wires are tried; the cheapest stays. choice: more of them found little.
ORDERS = 8

COLOURS = {
    "red": "#d0342c", "black": "#2a2a2a", "orange": "#e8892b", "yellow": "#e0b000", "green": "#2c9a4b",
    "blue": "#2d6cdf", "violet": "#8e4ec6", "brown": "#8a5a35", "grey": "#8b9097", "pink": "#e06aa5",
}
DARK_TEXT = {"yellow", "orange", "pink"}
PAPER, INK, SOFT = "#fbfaf6", "#22252a", "#5b606a"
ROUND = 6  # of corners, in pixels
RESISTOR = "10 kΩ"


def tables_of(text):
    """The rows of each table of a Markdown text, under its heading, as dictionaries."""
    tables, heading, names = {}, "", None
    for line in text.splitlines():
        if line.startswith("#"):
            heading, names = line.lstrip("# "), None
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if names is None:
                names = cells
                tables[heading] = []
            elif not set(line) <= set("|-: "):
                tables[heading].append(dict(zip(names, cells)))
        else:
            names = None if not line.strip() else names
    return tables


def title_of(text):
    return next(line for line in text.splitlines() if line.startswith("# ")).lstrip("# ")


def header_of(readme):
    """The name of each pin of the header, by its number."""
    names = {}
    for line in readme.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 6 and cells[2].isdigit() and cells[3].isdigit():
            names[int(cells[2])], names[int(cells[3])] = cells[1], cells[4]
    if sorted(names) != list(range(1, 41)):
        raise SystemExit("wiring: board/README.md has no table of 40 pins")
    return names


class Part:
    """A box, and where its terminals are."""

    def __init__(self, row):
        self.name, self.what, self.side = row["Part"], row["What it is"], row["In the picture"]
        self.ends = []  # of Terminal
        self.x = self.y = self.wide = self.high = 0

    @property
    def beside(self):
        return self.side in ("left", "right")

    @property
    def middle(self):
        return (self.x + self.wide / 2, self.y + self.high / 2)


class Terminal:
    """One end of a wire at a part."""

    def __init__(self, part, label):
        self.part, self.label, self.other = part, label, None
        self.at = self.out = None  # where it is, and which way leads out

    def __str__(self):
        return f"{self.part.name} {self.label} at {self.at}"


class Pin:
    """One end of a wire at the header."""

    def __init__(self, number, top):
        self.number = number
        row = top + PITCH * ((number - 1) // 2)
        is_odd = number % 2 == 1
        self.at = ((ODD - TAG) if is_odd else (EVEN + TAG), row)
        self.out = (-1, 0) if is_odd else (1, 0)

    def __str__(self):
        return f"pin {self.number} at {self.at}"


class Wire:
    def __init__(self, one, two, look):
        self.one, self.two = one, two
        self.thick = look.startswith("thick ")
        self.colour = look.replace("thick ", "")
        if self.colour not in COLOURS:
            raise SystemExit(f"wiring: no colour {self.colour!r}; there are {', '.join(COLOURS)}")
        self.run = None


class Drawing:
    """The parts, pins and wires of one board, and the places they were given."""

    def __init__(self, text, pins, order):
        tables = tables_of(text)
        self.title, self.names = title_of(text), pins
        self.parts = {row["Part"]: Part(row) for row in tables["Parts"]}
        self.wires, self.resistors, self.used = [], [], {}
        self.top = HEAD + (16 if self.on("above") else 2)
        for row in tables["Pins"]:
            number = int(row["Pin"])
            if pins[number] != row["BCM"]:
                raise SystemExit(f"wiring: pin {number} is {pins[number]}, not {row['BCM']}")
            self.join(Pin(number, self.top), self.terminal(row["Goes to"]), row["Wire"])
            self.used[number] = self.wires[-1]
        for row in tables["Between the parts"]:
            if row["Wire"] == RESISTOR:
                self.resistors.append((row["From"], row["To"]))
            else:
                self.join(self.terminal(row["From"]), self.terminal(row["To"]), row["Wire"])
        self.place()
        self.price = self.route(order)

    def terminal(self, text):
        name, label = text.rsplit(" ", 1)
        if name not in self.parts:
            raise SystemExit(f"wiring: {text!r} names no part")
        terminal = Terminal(self.parts[name], label)
        terminal.part.ends.append(terminal)
        return terminal

    def join(self, one, two, look):
        for this, other in ((one, two), (two, one)):
            if isinstance(this, Terminal):
                this.other = other
        self.wires.append(Wire(one, two, look))

    # Where parts and terminals stand.

    def on(self, side):
        return [part for part in self.parts.values() if part.side == side]

    def place(self):
        bottom = self.top + PITCH * 20
        for side, x in (("left", LEFT), ("right", RIGHT)):
            column = self.on(side)
            for part in column:
                part.wide, part.high = BOX, ROOM + PITCH * max(len(edge) for edge in self.edges(part))
            free = bottom + 2 - self.top - sum(part.high for part in column)
            gap = min(6, max(2, free // max(1, len(column) - 1)))
            y = self.top - 2
            for part in column:
                part.x, part.y = x, y
                y += part.high + gap
            bottom = max(bottom + 1, y - gap)
        self.high = bottom
        for side, y in (("above", HEAD), ("below", bottom + 7)):
            row = self.on(side)
            for part in row:
                part.wide, part.high = max(BOX, 3 * len(part.ends) + 1), ROOM + 1
            free = WIDE - 2 * LEFT - sum(part.wide for part in row)
            x = LEFT if len(row) > 1 else ODD - BOX
            for part in row:
                part.x, part.y = x, y
                x += part.wide + free // max(1, len(row) - 1)
                self.high = max(self.high, y + part.high)
        self.high += 7
        for part in self.parts.values():
            self.seat(part)

    def edges(self, part):
        """The terminals on the side of a part that looks to the header, and those on its back.

        A wire that would have to squeeze past other parts of the column comes round the outside, to the back.
        """
        if not part.beside:
            return part.ends, []
        column = self.on(part.side)
        place = column.index(part)
        with_pins = [any(isinstance(end.other, Pin) for end in other.ends) for other in column]

        def is_back(end):
            if isinstance(end.other, Pin) or end.other.part.side == part.side:
                return False
            return any(with_pins[:place] if self.is_over(end) else with_pins[place + 1:])

        return [end for end in part.ends if not is_back(end)], [end for end in part.ends if is_back(end)]

    def is_over(self, end):
        """Whether the wire of a part beside the header passes it above its upper end, or below the lower one."""
        there = end.other.part
        if not there.beside:
            return there.side == "above"
        return any(self.on(part.side)[0] is part for part in (end.part, there))

    def column_of(self, end):
        """Where a wire comes down to a terminal, or up to it."""
        part = end.part
        if not part.beside:
            return part.middle[0]
        is_back = end in self.edges(part)[1]
        return part.x + (part.wide if (part.side == "left") != is_back else 0)

    def seat(self, part):
        """Gives each terminal of a part its place, in an order in which wires need not cross."""
        place = {end: number for number, end in enumerate(part.ends)}

        def order(end):
            is_pin = isinstance(end.other, Pin)
            x, y = end.other.at if is_pin else end.other.part.middle
            if not part.beside:
                if not is_pin and part.side == "below" and end.other.part.side == "above":
                    return (2, y, place[end])  # round the right end of everything
                comes = x if is_pin else self.column_of(end.other)
                is_left = comes < part.middle[0]
                side, deep = (0 if is_left else 1), (y if is_left == (part.side == "above") else -y)
                if is_pin or part.side == "above":
                    return (side, deep, place[end] if is_left else -place[end])
                # From one part above, the upper wire makes the wider loop.
                is_right_edge = comes == end.other.part.x + end.other.part.wide
                return (side, deep, -place[end] if is_right_edge else place[end])
            if is_pin:
                return (1, y, 0)
            if end.other.part.side == part.side:  # to the next part of the column: in loops, one in the other
                return (0, 0, place[end]) if y < part.y else (3, 0, -place[end])
            if self.is_over(end):
                return (0, y, place[end])
            is_here = end.other.part.side == "below" and (x < ODD) == (part.side == "left")
            return (3 if is_here else 2, -y, place[end])

        part.ends.sort(key=order)
        for edge, way in zip(self.edges(part), (1, -1)):
            for row, end in enumerate(edge):
                if part.beside:
                    out = way if part.side == "left" else -way
                    end.at = (part.x + (part.wide if out > 0 else 0), part.y + ROOM + PITCH * row)
                    end.out = (out, 0)
                else:
                    x = part.x + 2 + round(row * (part.wide - 4) / max(1, len(edge) - 1))
                    end.at = (x, part.y + part.high if part.side == "above" else part.y)
                    end.out = (0, 1) if part.side == "above" else (0, -1)

    # Which way wires go.

    def route(self, order):
        names = (ODD - TAG, EVEN - ODD + 2 * TAG + 1)  # the header with the names beside it: where, how wide
        grid = Grid(WIDE, self.high)
        grid.fill(1, HEAD, WIDE - 1, self.high - 4 - HEAD, FREE)
        for part in self.parts.values():
            grid.fill(part.x - 1, part.y - 1, part.wide + 3, part.high + 3, CLOSED)
        grid.fill(names[0], self.top - 2, names[1], PITCH * 20 + 3, CLOSED)
        for row in range(19):
            grid.fill(names[0], self.top + PITCH * row + 1, names[1], 1, GATE)
        for wire in self.wires:
            wire.run = grid.run(wire.one, wire.two, may_pass_gate=isinstance(wire.one, Pin))
        return grid.route(order)

    # The picture.

    def svg(self):
        wide, high = WIDE * STEP, self.high * STEP
        out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
            'font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" role="img">',
            f"<title>{escaped(self.title)}</title>",
            f'<rect x="0.5" y="0.5" width="{wide - 1}" height="{high - 1}" rx="10" fill="{PAPER}" stroke="#d8d4c8"/>',
            words(24, 36, self.title, size=19, weight="bold"),
            words(24, 56, "Pin 1 is at the SD card's end of the header. Drawn from wiring.md by scripts/wiring.py.",
                 size=11, fill=SOFT),
        ]
        out += self.strip()
        for part in self.parts.values():
            out += self.box(part)
        for wire in self.wires:
            out += self.line(wire)
        for number, wire in self.used.items():
            out += self.tag(number, COLOURS[wire.colour], wire.colour in DARK_TEXT, self.names[number])
        for one, two in self.resistors:
            out += self.resistor(one, two)
        out += self.legend()
        return "\n".join([*out, "</svg>", ""])

    def strip(self):
        x, y = (ODD - 1) * STEP - 3, (self.top - 1) * STEP - 4
        wide, high = (EVEN - ODD + 2) * STEP + 6, 40 * STEP + 8
        out = [
            f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="6" fill="#33373d"/>',
            words((ODD + EVEN) / 2 * STEP, y - 7, "SD card end", size=10, fill=SOFT, anchor="middle"),
            words((ODD + EVEN) / 2 * STEP, y + high + 14, "other end", size=10, fill=SOFT, anchor="middle"),
        ]
        for number, name in self.names.items():
            if number not in self.used:
                out += self.tag(number, None, False, name)
        return out

    def tag(self, number, colour, is_dark, name):
        """A pin, and its name beside it."""
        is_odd = number % 2 == 1
        x, y = (ODD if is_odd else EVEN) * STEP, (self.top + PITCH * ((number - 1) // 2)) * STEP
        name = f"BCM {name}" if name.isdigit() else name
        ink = "#1d1d1d" if is_dark else "#ffffff"
        out = []
        near, far = (x - 16, (ODD - TAG) * STEP) if is_odd else (x + 16, (EVEN + TAG) * STEP)
        if colour:
            left = min(near, far)
            out.append(f'<rect x="{left}" y="{y - 9}" width="{abs(near - far)}" height="18" rx="4" fill="{colour}"/>')
            out.append(words((near + far) / 2, y + 4, name, size=11, fill=ink, anchor="middle", weight="bold"))
        else:
            out.append(words(near, y + 4, name, size=10, fill="#a5a49c", anchor="end" if is_odd else "start"))
        shape = f'fill="{colour or "#4b5058"}" stroke="{"#ffffff" if colour else "#70757d"}"'
        if number == 1:
            out.append(f'<rect x="{x - 9}" y="{y - 9}" width="18" height="18" {shape}/>')
        else:
            out.append(f'<circle cx="{x}" cy="{y}" r="9" {shape}/>')
        out.append(words(x, y + 3.5, str(number), size=9.5, fill=ink if colour else "#c3c7cd", anchor="middle"))
        return out

    @staticmethod
    def box(part):
        x, y, wide, high = (size * STEP for size in (part.x, part.y, part.wide, part.high))
        out = [f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="7" {outlined("#8a8f98")}/>']
        middle = x + wide / 2
        below = 18 if part.side == "below" else 0
        out.append(words(middle, y + 17 + below, part.name, size=13, weight="bold", anchor="middle"))
        if part.what:
            out.append(words(middle, y + 31 + below, part.what, size=10, fill=SOFT, anchor="middle"))
        for end in part.ends:
            u, v = end.at[0] * STEP, end.at[1] * STEP
            label = end.label.replace("-", "\N{MINUS SIGN}")
            if part.beside:
                anchor = "end" if end.out[0] > 0 else "start"
                out.append(words(u - 9 * end.out[0], v + 4, label, size=11, anchor=anchor))
            else:
                out.append(words(u, v - 8 if part.side == "above" else v + 15, label, size=11, anchor="middle"))
        return out

    @staticmethod
    def line(wire):
        points = [(x * STEP, y * STEP) for x, y in (wire.one.at, *wire.run.places(), wire.two.at)]
        path = path_through(points)
        wide = 5 if wire.thick else 3
        colour = COLOURS[wire.colour]
        out = [
            f'<path d="{path}" fill="none" stroke="{PAPER}" stroke-width="{wide + 5}"/>',
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{wide}" stroke-linecap="round"/>',
        ]
        for end in (wire.one, wire.two):
            if isinstance(end, Terminal):
                x, y = end.at[0] * STEP, end.at[1] * STEP
                out.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}" stroke="#ffffff"/>')
        return out

    def resistor(self, one, two):
        """A resistor from wire to wire, just outside the part that both end at."""
        ends = [next(end for end in self.parts[name].ends if end.label == label)
                for name, label in (where.rsplit(" ", 1) for where in (one, two))]
        (x, y), (u, v) = ([(at + 1.5 * out) * STEP for at, out in zip(end.at, end.out)] for end in ends)
        wide, high = (8, 14) if x == u else (14, 8)
        return [
            f'<path d="M{x} {y}L{u} {v}" stroke="{INK}" stroke-width="1.5"/>',
            f'<rect x="{(x + u - wide) / 2}" y="{(y + v - high) / 2}" width="{wide}" height="{high}" {outlined(INK)}/>',
            f'<circle cx="{x}" cy="{y}" r="2.5" fill="{INK}"/><circle cx="{u}" cy="{v}" r="2.5" fill="{INK}"/>',
        ]

    def legend(self):
        x, y = 24, (self.high - 2) * STEP
        out = []
        if self.resistors:
            out.append(f'<rect x="{x + 6}" y="{y - 11}" width="8" height="14" {outlined(INK)}/>')
            what = f"{RESISTOR} at the part's end of the wires: the input is low while nobody drives it."
            out.append(words(x + 26, y, what, size=11, fill=SOFT))
            x += 480
        out.append(f'<path d="M{x} {y - 4}h26" stroke="{COLOURS["red"]}" stroke-width="5"/>')
        out.append(words(x + 34, y, "thick: the motor's current.", size=11, fill=SOFT))
        return out


def path_through(points):
    """A path with round corners."""
    out = f"M{points[0][0]} {points[0][1]}"
    for before, at, after in zip(points, points[1:], points[2:]):
        if (before[0] - at[0]) * (after[1] - at[1]) == (before[1] - at[1]) * (after[0] - at[0]):
            continue
        start = [a + (b > a) * ROUND - (b < a) * ROUND for a, b in zip(at, before)]
        end = [a + (b > a) * ROUND - (b < a) * ROUND for a, b in zip(at, after)]
        out += f"L{start[0]} {start[1]}Q{at[0]} {at[1]} {end[0]} {end[1]}"
    return out + f"L{points[-1][0]} {points[-1][1]}"


def escaped(what):
    return html.escape(what, quote=True)


def outlined(colour):
    return f'fill="#ffffff" stroke="{colour}" stroke-width="1.5"'


def words(x, y, what, size=12, fill=INK, anchor="start", weight="normal"):
    return (f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escaped(what)}</text>')


def best(text, pins):
    """The cheapest drawing of some orders of laying the wires."""
    drawings, problem = [], None
    for order in range(ORDERS):
        try:
            drawings.append(Drawing(text, pins, order))
        except NoWay as no_way:
            problem = no_way
    if not drawings:
        raise SystemExit(f"wiring: {problem}")
    return min(drawings, key=lambda drawing: drawing.price)


def stamp(*things):
    return hashlib.sha256(repr(things).encode()).hexdigest()[:16]


def drawn_from(text):
    """What of a wiring.md is in the picture: not its remarks, nor the text around the tables."""
    tables = tables_of(text)
    columns = {"Pins": ("Pin", "BCM", "Goes to", "Wire"), "Between the parts": ("From", "To", "Wire"),
               "Parts": ("Part", "What it is", "In the picture")}
    return title_of(text), [[row[name] for name in names] for table, names in columns.items() for row in tables[table]]


def stamped(picture, text, pins):
    """The picture with a last line that tells what it was made from, so that a look at it need not draw it again."""
    return f"{picture}<!-- of tables {stamp(drawn_from(text), pins)}, drawn {stamp(picture)} -->\n"


def is_current(picture, text, pins):
    body, mark, _ = picture.rpartition("<!-- of tables ")
    return bool(mark) and picture == stamped(body, text, pins)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true",
                        help="write nothing; end with 1 if a picture is not of its tables")
    parser.add_argument("boards", nargs="*", metavar="BOARD",
                        help="folders of board/ to draw anew; without any, those with new tables")
    args = parser.parse_args()
    files = [TOP / "board" / board / "wiring.md" for board in args.boards]
    files = files or sorted((TOP / "board").glob("*/wiring.md"))
    pins = header_of((TOP / "board" / "README.md").read_text(encoding="utf-8"))
    stale = 0
    for file in files:
        picture, table = file.with_name("wiring.svg"), file.read_text(encoding="utf-8")
        is_asked_for = args.boards and not args.check
        if not is_asked_for and picture.exists() and is_current(picture.read_text(encoding="utf-8"), table, pins):
            continue
        stale += 1
        shown = picture.relative_to(TOP)
        if args.check:
            print(f"wiring: {shown} is not of its tables; run scripts/wiring.py", file=sys.stderr)
        else:
            picture.write_text(stamped(best(table, pins).svg(), table, pins), encoding="utf-8")
            print(f"wiring: drew {shown}")
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
