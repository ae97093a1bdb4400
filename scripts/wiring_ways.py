"""Ways for wires on a grid: what scripts/wiring.py draws.

Each wire takes the shortest way from end to end, with a price for each bend and a higher one for each crossing; no two
lie on each other, and one that crosses another goes straight on. Wires are laid one after the other, so the first ones
have the best ways; then those that cross are taken up and laid again in another order, as long as that is cheaper.
A place is one number and a direction an index, because the search is most of the work.

    free, closed (a part, the header's names), gate (between two pins: only for a wire that begins at one)
"""

import heapq
import random

# Prices, in steps of the grid. choice: a crossing is worth a way round of two parts' widths.
BEND, CROSSING, THROUGH_GATE = 3, 24, 2

FREE, CLOSED, GATE = 0, 1, 2

# Right, down, left, up: odd ones are up and down, two further on is the opposite.
WAYS = ((1, 0), (0, 1), (-1, 0), (0, -1))


class NoWay(Exception):
    """The wires that were laid before leave none for this one."""


class Run:
    """A wire between two ends, each with a place `at` and a direction `out`; it may turn two steps from them."""

    def __init__(self, grid, one, two, may_pass_gate):
        self.grid, self.one, self.two, self.may_pass_gate = grid, one, two, may_pass_gate
        self.start, self.goal = (grid.place(end, 2) for end in (one, two))
        self.first, self.last = WAYS.index(one.out), (WAYS.index(two.out) + 2) % 4
        self.way = []

    def __str__(self):
        return f"{self.one} to {self.two}"

    def places(self):
        return [(place % self.grid.wide, place // self.grid.wide) for place in self.way]


class Grid:
    """The ground, and who passes where."""

    def __init__(self, wide, high):
        self.wide, size = wide, wide * high
        self.steps = (1, wide, -1, -wide)
        self.ground = bytearray([CLOSED] * size)
        self.users = [[] for _ in range(size)]
        # How many go straight along, straight up or down, and turn, at each place.
        self.flat, self.steep, self.turns = bytearray(size), bytearray(size), bytearray(size)
        self.runs = []

    def fill(self, x, y, wide, high, how):
        for row in range(y, y + high):
            for place in range(row * self.wide + x, row * self.wide + x + wide):
                self.ground[place] = how

    def place(self, end, steps):
        (x, y), (right, down) = end.at, end.out
        return x + steps * right + self.wide * (y + steps * down)

    def run(self, one, two, may_pass_gate):
        """A wire to be laid. Nobody else may pass where it can turn for the first time."""
        run = Run(self, one, two, may_pass_gate)
        self.ground[run.start] = self.ground[run.goal] = CLOSED
        self.runs.append(run)
        return run

    def route(self, seed):
        """Lays all wires, beginning in some order, and tells what it cost."""
        self.chance = random.Random(seed)
        order = list(self.runs)
        self.chance.shuffle(order)
        for run in order:
            self.lay(run)
        for _ in range(3):
            self.untangle()
            for run in order:
                self.lift(run)
                self.lay(run)
        return self.price()

    def price(self):
        crossings = sum(along and across for along, across in zip(self.flat, self.steep))
        return sum(len(run.way) for run in self.runs) + BEND * sum(self.turns) + CROSSING * crossings

    def untangle(self):
        """Lays wires that cross once more in another order, as long as that makes all of it cheaper.

        First one wire and all that it crosses, then also those that lie beside it and may be in its way.
        """
        price, goes_on = self.price(), True
        while goes_on:
            goes_on = False
            for run in self.runs:
                crossed = self.near(run, (0,))
                if not crossed:
                    continue
                beside = [other for other in self.near(run, self.steps) if other not in crossed]
                for group in ([run, *crossed], [*crossed, run], [run, *crossed, *beside], [*beside, *crossed, run]):
                    if self.is_cheaper(group, price):
                        price, goes_on = self.price(), True
                        break

    def is_cheaper(self, group, price):
        """Lays these again, in this order; if that is no better, it is as before."""
        before = [(run, run.way) for run in group]
        for run in group:
            self.lift(run)
        try:
            for run in group:
                self.lay(run)
            if self.price() < price:
                return True
        except NoWay:
            pass
        for run, way in before:
            self.lift(run)
            self.keep(run, way)
        return False

    def near(self, run, steps):
        """The wires that pass where this one does, or so many steps beside it."""
        found = (user for place in run.way for step in steps for user in self.users[place + step])
        return [other for other in dict.fromkeys(found) if other is not run]

    def keep(self, run, way):
        """Gives a wire its way, from just beside one end to just beside the other, and takes the places of it."""
        run.way = way
        self.count(run, 1)
        for place in way:
            self.users[place].append(run)

    def lift(self, run):
        self.count(run, -1)
        for place in run.way:
            self.users[place].remove(run)
        run.way = []

    def count(self, run, by):
        for before, place, after in zip(run.way, run.way[1:], run.way[2:]):
            is_straight = after - place == place - before
            kind = self.turns if not is_straight else self.steep if abs(after - place) == self.wide else self.flat
            kind[place] += by

    def lay(self, run):
        """The cheapest way from end to end: A* over places and the directions they are entered in."""
        wide, ground, steps, any_of = self.wide, self.ground, self.steps, self.chance.random
        along, across = (self.flat, self.steep), (self.steep, self.flat)
        goal_x, goal_y = run.goal % wide, run.goal // wide
        start, end = run.start * 4 + run.first, run.goal * 4 + run.last
        paid_for, came = {start: 0}, {}
        # Expected price, price so far (dearer first: it is nearer), chance among the rest.
        queue = [(0, 0, 0, start, None)]
        while queue:
            _, paid, _, state, before = heapq.heappop(queue)
            if state in came:
                continue
            came[state] = before
            if state == end:
                break
            place, way = state >> 2, state & 3
            is_crossing = self.flat[place] or self.steep[place]
            for turn in (way,) if is_crossing else (way, way ^ 1, way ^ 3):
                price = -paid + (BEND if turn != way else 0)
                at = place + steps[turn]
                if place == run.goal and turn == run.last:
                    at = place  # here already; it only turns to its end
                else:
                    kind = ground[at]
                    if kind == CLOSED and at != run.goal or kind == GATE and not run.may_pass_gate:
                        continue
                    if along[turn & 1][at] or self.turns[at]:
                        continue
                    price += 1 + (CROSSING if across[turn & 1][at] else 0) + (THROUGH_GATE if kind == GATE else 0)
                next_state = at * 4 + turn
                if price < paid_for.get(next_state, 1e9):
                    paid_for[next_state] = price
                    x, y = abs(at % wide - goal_x), abs(at // wide - goal_y)
                    ahead = x + y + (BEND if x and y or turn != run.last else 0)
                    heapq.heappush(queue, (price + ahead, -price, any_of(), next_state, state))
        else:
            raise NoWay(f"no way from {run}")
        way = []
        while end is not None:
            if not way or way[-1] != end >> 2:
                way.append(end >> 2)
            end = came[end]
        self.keep(run, [self.place(run.one, 1), *reversed(way), self.place(run.two, 1)])
