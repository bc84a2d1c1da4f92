"""Whole villages: each settlement's grade band to one school, its area in one piece where asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from layout.programs import Level, NoSolutionError, Program, solve, sparse_rows
from layout.seats import School
from layout.tables import GRADES

_SAME = 1e-6
#: Levels in order: of a village that goes as a whole, those for whom no class has a seat sit in it all the same.
LEVELS = ("without_place", "beyond_limit", "excess_minutes", "above_standard", "boarders", "minutes", "change")
# a sum of the levels by which the search compares moves; what it finds is reported level by level
_WEIGHTS = np.array([1e6, 4e4, 200.0, 4e4, 200.0, 1.0, 1e-3])
# options of a village looked at in the search, villages and options of a neighbourhood solved at once, its branch-and-bound nodes
_OPTIONS, _NEAR, _FEW, _NODES = 12, 24, 5, 5
# schools with children above their seats whose neighbourhoods are solved, the fullest first
_NEIGHBOURHOODS = 4
# a program of so many options at most is solved to proof
_PROOF = 400


# columns, values, least and most of a row
_Row = tuple[list[int], list[float], float, float]


@dataclass(frozen=True)
class Option:
    """A school that a village's band may go to: a day way, a weekly way, or both (minutes are NaN where there is none)."""

    school: int
    day: float
    excess: float
    week: float
    change: float

    @property
    def needs_bed(self) -> bool:
        """Say whether a child is better off with a bed: no day way within the limit."""
        return not np.isfinite(self.day) or self.excess > 0


@dataclass(frozen=True)
class Village:
    """A settlement's children of one band: by grade, and the schools they may go to, the best first."""

    place: str
    band: str
    pupils: Mapping[int, int]
    options: tuple[Option, ...]

    @property
    def total(self) -> int:
        """Return all its children."""
        return sum(self.pupils.values())


@dataclass(frozen=True)
class Answer:
    """School of each village (-1: none) and how many of its children board; the levels; whether they are proven."""

    school: tuple[int, ...]
    boarders: tuple[int, ...]
    levels: tuple[float, ...]
    proven: bool


@dataclass(frozen=True)
class _Model:
    """The villages and schools of a search, what each school already holds (``fixed``) and who borders on whom."""

    villages: tuple[Village, ...]
    schools: tuple[School, ...]
    fixed: np.ndarray
    seats_bind: bool
    neighbours: Mapping[str, frozenset[str]] | None
    pupils: np.ndarray
    beds: frozenset[tuple[int, int]]
    by_school: tuple[dict[int, Option], ...]


def send_villages(
    villages: Sequence[Village], schools: Sequence[School], fixed: np.ndarray, first: Sequence[int], *, seats_bind: bool,
    neighbours: Mapping[str, frozenset[str]] | None = None, bound: Sequence[float] | None = None, seed: int = 0,
) -> Answer:  # fmt: skip
    """Send every village's band to one school.

    Small counties are solved to proof. Larger ones begin at ``first``, repair what is too full, and search: villages move and change
    places, then neighbourhoods of a few schools are solved as programs, as long as anything improves.

    Parameters
    ----------
    villages
        Children by grade and options.
    schools
        Grades, rooms and beds.
    fixed
        Children by school and grade (columns 0-9) who are placed already.
    first
        School of each village to begin with; -1 or one that is no option: the first option.
    seats_bind
        Whether children above the seats count.
    neighbours
        Places that border on each place: the villages of a school and band then form one piece, across places without children
        of the band too. None: anywhere.
    bound
        Levels that nothing can beat, by :data:`LEVELS`; a search that reaches them is proven.
    seed
        Of the solver.

    Returns
    -------
    Answer
        A village without options, or that fits no piece, has no school.

    References
    ----------
    Objective: lexmin (children without a place; beyond the limit; excess minutes; above the seats of their grade as the best classes
    allow; boarders; minutes, of a boarder a fifth of the weekly way; change) subject to (1) one school a village, (2) boarders
    <= beds, (3) classes <= rooms, (4) the villages of a school and band are connected (a cut for every pair of pieces:
    whoever joins them needs a village of the border between).

    Examples
    --------
    >>> there = [School("S", (1,), 1, 0, False, {1: 45}, 30, 3), School("T", (1,), 1, 0, False, {1: 45}, 30, 3)]
    >>> near, far = Option(0, 10.0, 0.0, np.nan, 0.0), Option(1, 20.0, 0.0, np.nan, 0.0)
    >>> rows = [Village(name, "lower", {1: n}, (near, far)) for name, n in (("A", 30), ("B", 25))]
    >>> send_villages(rows, there, np.zeros((2, 10)), [-1, -1], seats_bind=True).school
    (0, 1)
    """
    pupils = np.zeros((len(villages), len(GRADES) + 1))
    for u, village in enumerate(villages):
        for g, n in village.pupils.items():
            pupils[u, g] = n
    # villages and schools where a bed may make a difference
    beds = frozenset(
        (u, o.school) for u, v in enumerate(villages) for o in v.options if o.needs_bed and np.isfinite(o.week) and schools[o.school].beds > 0
    )
    by_school = tuple({o.school: o for o in v.options} for v in villages)
    model = _Model(tuple(villages), tuple(schools), fixed, seats_bind, neighbours, pupils, beds, by_school)
    free = np.arange(len(villages))
    start = [s if any(o.school == s for o in v.options) else (v.options[0].school if v.options else -1) for v, s in zip(villages, first, strict=True)]
    if sum(len(v.options) for v in villages) <= _PROOF:
        chosen, proven = _solved(model, start, free, {}, None, seed)
        return _answer(model, chosen, proven)
    chosen = _searched(model, _joined(model, start), seed)
    answer = _answer(model, chosen, False)
    return replace(answer, proven=bound is not None and all(a <= b + _SAME for a, b in zip(answer.levels, bound, strict=True)))


def _answer(model: _Model, chosen: Sequence[int], proven: bool) -> Answer:
    boarders = [0] * len(chosen)
    members = _members(model, chosen)
    total = np.zeros(len(LEVELS))
    for k, mine in members.items():
        levels, beds = _of_school(model, k, mine)
        total += levels
        for u, n in beds.items():
            boarders[u] = n
    total[0] += sum(v.total for v, k in zip(model.villages, chosen, strict=True) if k < 0)
    return Answer(tuple(int(k) for k in chosen), tuple(boarders), tuple(float(t) for t in total), proven)


def _members(model: _Model, chosen: Sequence[int]) -> dict[int, list[int]]:
    out: dict[int, list[int]] = {}
    for u, k in enumerate(chosen):
        if k >= 0:
            out.setdefault(int(k), []).append(u)
    # what is fixed at a school counts also where nobody else goes
    for school in np.flatnonzero(model.fixed.sum(axis=1) > 0):
        out.setdefault(int(school), [])
    return dict(sorted(out.items()))


def _of_school(model: _Model, k: int, mine: Iterable[int]) -> tuple[np.ndarray, dict[int, int]]:
    """Return the levels of the villages of a school, and who of them board: those whom a bed saves most."""
    school, levels, load = model.schools[k], np.zeros(len(LEVELS)), model.fixed[k].copy()
    wanting: list[tuple[float, float, int]] = []
    for u in mine:
        village, option = model.villages[u], model.by_school[u][k]
        load = load + model.pupils[u]
        if np.isfinite(option.week) and option.needs_bed:
            day = option.day if np.isfinite(option.day) else 0.0
            wanting.append((-option.excess if np.isfinite(option.day) else -np.inf, option.week / 5 - day, u))
        levels[6] += option.change * village.total
    beds, left = {}, float(school.beds)
    for _, _, u in sorted(wanting):
        beds[u] = int(min(model.villages[u].total, left))
        left -= beds[u]
    for u in mine:
        village, option = model.villages[u], model.by_school[u][k]
        n = beds.get(u, 0)
        rest = village.total - n
        levels[4] += n
        levels[5] += n * option.week / 5 if n else 0.0
        if not np.isfinite(option.day):
            # whoever has no bed keeps the seat
            levels[0] += rest
        else:
            levels[1] += rest if option.excess > 0 else 0
            levels[2] += rest * option.excess
            levels[5] += rest * option.day
    if model.seats_bind:
        levels[3] = above_seats(school, load)
    return levels, {u: n for u, n in beds.items() if n}


def above_seats(school: School, load: np.ndarray) -> float:
    """Count the children above the seats of their grade, with classes formed so that these are fewest.

    Parameters
    ----------
    school
        Rooms and class sizes.
    load
        Children by grade, columns 0-9.

    Returns
    -------
    float
        Children for whom there is no seat.

    Examples
    --------
    >>> above_seats(School("S", (1, 2), 3, 0, False, {1: 45, 2: 45}, 30, 3), np.array([0, 91, 40, *[0] * 7]))
    1.0
    """
    pupils = tuple(float(n) for n in load)
    extra = sum(pupils) - sum(pupils[g] for g in school.grades)
    alone = [(pupils[g], school.size[g]) for g in school.grades if pupils[g] > 0]
    best = _above(alone, school.rooms)
    if not school.mixes or best <= 0:
        return extra + best
    longest = max(school.most_grades, -(-len(school.grades) // school.rooms))
    return extra + _above_mixed(school.grades, school.rooms, school.mixed, longest, tuple(school.size[g] for g in school.grades), pupils, best)


@functools.lru_cache(maxsize=50_000)
def _above_mixed(
    grades: tuple[int, ...], rooms: int, mixed: int, longest: int, sizes: tuple[int, ...], pupils: tuple[float, ...], best: float
) -> float:
    size = dict(zip(grades, sizes, strict=True))
    for together, single in _cuts_of(grades, longest):
        if len(together) <= rooms:
            over = sum(max(sum(pupils[g] for g in run) - mixed, 0.0) for run in together)
            if over < best:
                best = min(best, over + _above([(pupils[g], size[g]) for g in single if pupils[g] > 0], rooms - len(together)))
    return best


def _above(pupils: list[tuple[float, int]], rooms: int) -> float:
    # every class takes a full size or what is left of its grade: the rooms go to the classes that take most
    takes = [float(size) for n, size in pupils for _ in range(int(n // size))]
    takes += [n % size for n, size in pupils]
    takes.sort(reverse=True)
    return sum(n for n, _ in pupils) - sum(takes[: max(rooms, 0)])


@functools.lru_cache(maxsize=256)
def _cuts_of(grades: tuple[int, ...], longest: int) -> list[tuple[list[tuple[int, ...]], list[int]]]:
    cuts = [([run for run in runs if len(run) > 1], [run[0] for run in runs if len(run) == 1]) for runs in _cuts(grades, longest)]
    return [cut for cut in cuts if cut[0]]


def _cuts(grades: Sequence[int], longest: int) -> list[tuple[tuple[int, ...], ...]]:
    if not grades:
        return [()]
    out: list[tuple[tuple[int, ...], ...]] = []
    for size in range(1, min(longest, len(grades)) + 1):
        out += [(tuple(grades[:size]), *rest) for rest in _cuts(grades[size:], longest)]
    return out


# ---- pieces


def _pieces(model: _Model, band: str, mine: Sequence[int]) -> list[list[int]]:
    """Cut villages of one band into pieces, across places without children of the band too."""
    neighbours = model.neighbours or {}
    place = {model.villages[u].place: u for u in mine}
    blocked = {v.place for v in model.villages if v.band == band and v.total > 0} - set(place)
    seen: set[str] = set()
    pieces = []
    for start in sorted(place):
        if start in seen:
            continue
        stack, piece = [start], []
        seen.add(start)
        while stack:
            here = stack.pop()
            if here in place:
                piece.append(place[here])
            for other in sorted(neighbours.get(here, frozenset())):
                if other not in seen and other not in blocked:
                    seen.add(other)
                    stack.append(other)
        pieces.append(sorted(piece))
    return sorted(pieces, key=lambda p: (-sum(model.villages[u].total for u in p), p))


def _apart(model: _Model, chosen: Sequence[int]) -> list[tuple[int, list[list[int]]]]:
    """List the schools whose villages of a band are in several pieces."""
    if model.neighbours is None:
        return []
    groups: dict[tuple[int, str], list[int]] = {}
    for u, k in enumerate(chosen):
        if k >= 0:
            groups.setdefault((int(k), model.villages[u].band), []).append(u)
    found = [(k, _pieces(model, band, mine)) for (k, band), mine in sorted(groups.items()) if len(mine) > 1]
    return [(k, pieces) for k, pieces in found if len(pieces) > 1]


def _joined(model: _Model, chosen: Sequence[int]) -> list[int]:
    """Give pieces that lie apart to a school next to them, the smallest first; what fits nowhere has no school."""
    out = list(chosen)
    for _ in range(len(out)):
        apart = _apart(model, out)
        if not apart:
            break
        for k, pieces in apart:
            for piece in pieces[1:]:
                for u in piece:
                    others = [o.school for o in model.villages[u].options if o.school != k]
                    out[u] = -1
                    for s in others:
                        trial = [*out[:u], s, *out[u + 1 :]]
                        if not any(u in p for school, ps in _apart(model, trial) if school == s for p in ps):
                            out[u] = s
                            break
    return out


def _fits(model: _Model, chosen: list[int], schools: Iterable[int]) -> bool:
    if model.neighbours is None:
        return True
    wanted = set(schools)
    mine: dict[tuple[int, str], list[int]] = {}
    for u, k in enumerate(chosen):
        if k in wanted:
            mine.setdefault((k, model.villages[u].band), []).append(u)
    return all(len(_pieces(model, band, group)) == 1 for (_, band), group in mine.items())


# ---- search


def _searched(model: _Model, chosen: list[int], seed: int) -> list[int]:
    state = _State.of(model, chosen)
    state.settle()
    for k in sorted(state.members, key=lambda k: (-state.over[k], k))[:_NEIGHBOURHOODS]:
        if state.over[k] <= _SAME:
            continue
        near = _around(model, state.chosen, state.members, k)
        held = {s: mine - set(near) for s, mine in state.members.items()}
        try:
            better, _ = _solved(model, state.chosen, np.array(near, int), held, _NODES, seed)
        except NoSolutionError:
            continue
        moves = [(u, int(better[u])) for u in near if better[u] != state.chosen[u] and better[u] >= 0]
        if moves and state.gain(moves) > _SAME:
            state.make(moves)
    state.settle()
    return state.chosen


@dataclass(frozen=True)
class _State:
    """Where a search stands: school of each village, villages and load of each school, children above its seats, its score."""

    model: _Model
    chosen: list[int]
    members: dict[int, set[int]]
    load: np.ndarray
    over: dict[int, float]
    score: dict[int, float]
    cost: list[dict[int, float]]
    moves: dict[int, int]
    tried: dict[int, int]

    @classmethod
    def of(cls, model: _Model, chosen: list[int]) -> _State:
        members = {k: set(mine) for k, mine in _members(model, chosen).items()}
        load = model.fixed.astype(float).copy()
        for u, k in enumerate(chosen):
            if k >= 0:
                load[k] += model.pupils[u]
        over = {k: above_seats(model.schools[k], load[k]) if model.seats_bind else 0.0 for k in range(len(model.schools))}
        score = {k: _score(model, k, mine) for k, mine in members.items()}
        cost = [{o.school: _alone(o, v.total) for o in v.options} for v in model.villages]
        return cls(model, list(chosen), members, load, over, score, cost, {}, {})

    def quick(self, u: int, k: int) -> bool:
        """Say whether beds play no part in a village's move to or from a school."""
        return k < 0 or (u, k) not in self.model.beds

    def short_of_beds(self, k: int) -> bool:
        """Say whether a school has fewer beds than children who want one."""
        wanted = sum(self.model.villages[u].total for u in self.members.get(k, set()) if (u, k) in self.model.beds)
        return wanted > self.model.schools[k].beds

    def gain(self, moves: Sequence[tuple[int, int]]) -> float:
        """Return by how much moves of villages to schools improve the sum of the levels."""
        touched = {k for u, k in moves} | {self.chosen[u] for u, _ in moves if self.chosen[u] >= 0}
        if all(self.quick(u, k) and self.quick(u, self.chosen[u]) and self.chosen[u] >= 0 for u, k in moves):
            gain = sum(self.cost[u][self.chosen[u]] - self.cost[u][k] for u, k in moves)
            if self.model.seats_bind:
                if gain + _WEIGHTS[3] * sum(self.over[k] for k in touched) <= _SAME:
                    return 0.0
                for s in touched:
                    row = self.load[s].copy()
                    for u, k in moves:
                        if k == s:
                            row += self.model.pupils[u]
                        elif self.chosen[u] == s:
                            row -= self.model.pupils[u]
                    gain += _WEIGHTS[3] * (self.over[s] - above_seats(self.model.schools[s], row))
        else:
            sets = {s: set(self.members.get(s, set())) for s in touched}
            for u, k in moves:
                if self.chosen[u] >= 0:
                    sets[self.chosen[u]].discard(u)
                sets[k].add(u)
            gain = sum(self.score.get(s, 0.0) - _score(self.model, s, mine) for s, mine in sets.items())
            gain += sum(_WEIGHTS[0] * self.model.villages[u].total for u, _ in moves if self.chosen[u] < 0)
        if gain > _SAME and self.model.neighbours is not None:
            trial = list(self.chosen)
            for u, k in moves:
                trial[u] = k
            if not _fits(self.model, trial, touched):
                return 0.0
        return float(gain)

    def make(self, moves: Sequence[tuple[int, int]]) -> None:
        """Move villages."""
        schools = set()
        for u, k in moves:
            if self.chosen[u] >= 0:
                self.members[self.chosen[u]].discard(u)
                self.load[self.chosen[u]] -= self.model.pupils[u]
                schools.add(self.chosen[u])
            self.members.setdefault(k, set()).add(u)
            self.load[k] += self.model.pupils[u]
            schools.add(k)
            self.chosen[u] = k
        for k in schools:
            self.moves[k] = self.moves.get(k, 0) + 1
            self.score[k] = _score(self.model, k, self.members[k])
            self.over[k] = above_seats(self.model.schools[k], self.load[k]) if self.model.seats_bind else 0.0

    def settle(self) -> None:
        """Move and swap villages as long as that improves anything, a number of rounds at most."""
        for _ in range(_OPTIONS):
            if not self.round():
                break

    def round(self) -> bool:
        moved = False
        for u, village in enumerate(self.model.villages):
            here = self.chosen[u]
            if not village.options:
                continue
            options = village.options[:_OPTIONS]
            cheapest = min(self.cost[u][o.school] for o in options)
            strained = here < 0 or self.over[here] > _SAME or (not self.quick(u, here) and self.short_of_beds(here))
            if not strained and self.cost[u][here] <= cheapest + _SAME:
                continue
            tries = [o.school for o in options if o.school != here]
            # nothing has changed at these schools since it last found no better one
            stamp = sum(self.moves.get(k, 0) for k in (*tries, here))
            if self.tried.get(u) == stamp:
                continue
            self.tried[u] = stamp
            # no move gains more than the strain of the school that is left and the way that is saved
            relief = 0.0 if here < 0 else _WEIGHTS[3] * self.over[here] + self.cost[u][here]
            worth = [k for k in tries if here < 0 or not self.quick(u, here) or relief > self.cost[u][k] + _SAME]
            top = max(((self.gain([(u, k)]), -i, k) for i, k in enumerate(worth)), default=(0.0, 0, -1))
            if top[0] > _SAME:
                self.make([(u, top[2])])
                moved = True
                continue
            if here < 0 or self.over[here] <= _SAME:
                continue
            swap = (0.0, -1, -1)
            for k in worth[:_FEW]:
                for v in sorted(self.members.get(k, set())):
                    if self.model.villages[v].band == village.band and here in self.cost[v]:
                        gain = self.gain([(u, k), (v, here)])
                        if gain > swap[0] + _SAME:
                            swap = (gain, v, k)
            if swap[1] >= 0:
                self.make([(u, swap[2]), (swap[1], here)])
                moved = True
        return moved


def _alone(option: Option, total: int) -> float:
    late = np.isfinite(option.day) and option.excess > 0
    minutes = option.day if np.isfinite(option.day) else option.week
    return float(total * (_WEIGHTS[1] * late + _WEIGHTS[2] * (option.excess if late else 0.0) + minutes + _WEIGHTS[6] * option.change))


def _score(model: _Model, k: int, mine: Iterable[int]) -> float:
    return float(_WEIGHTS @ _of_school(model, k, mine)[0])


def _around(model: _Model, chosen: Sequence[int], members: Mapping[int, set[int]], k: int) -> list[int]:
    """Return the villages of a school and of those they could go to instead, the nearest first, up to a number."""
    near = sorted(members[k])
    ring: dict[int, int] = {}
    for u in near:
        for rank, option in enumerate(model.villages[u].options[:_FEW]):
            ring[option.school] = min(ring.get(option.school, rank), rank)
    for s in sorted(ring, key=lambda s: (ring[s], s)):
        near += [u for u in sorted(members.get(s, set())) if s != k]
    return near[:_NEAR]


# ---- programs


def _solved(
    model: _Model, chosen: Sequence[int], free: np.ndarray, held: Mapping[int, set[int]], work_limit: int | None, seed: int
) -> tuple[list[int], bool]:
    """Choose the schools of some villages at once, the others staying; pieces that lie apart are cut off until none are."""
    every = not held
    program, objectives, columns = _program(model, free, held, every)
    gaps = dict.fromkeys(objectives, _SAME) if every else {name: 0.5 for name in objectives}
    while True:
        found = solve(program, objectives, absolute_gaps=gaps, work_limit=work_limit, seed=seed)
        out = list(chosen)
        for u in free:
            out[int(u)] = -1
        for (u, k), j in columns.items():
            if found.values[j] > 0.5:
                out[u] = k
        apart = _apart(model, out)
        if not apart or not every:
            return out, every and found.status == "optimal"
        program = _cut(model, program, columns, apart, out)


def _program(
    model: _Model, free: np.ndarray, held: Mapping[int, set[int]], every: bool
) -> tuple[Program, dict[str, np.ndarray], dict[tuple[int, int], int]]:
    rows: list[_Row] = []
    lower: list[float] = []
    upper: list[float] = []
    costs: list[np.ndarray] = []
    columns: dict[tuple[int, int], int] = {}

    def column(least: float, most: float, **cost: float) -> int:
        lower.append(least)
        upper.append(most)
        costs.append(np.array([cost.get(name, 0.0) for name in LEVELS]))
        return len(lower) - 1

    loads: dict[tuple[int, int], list[tuple[int, float]]] = {}
    beds: dict[int, list[int]] = {}
    for u in free:
        village = model.villages[u]
        mine = []
        for option in village.options if every else village.options[:_FEW]:
            n, k, day = float(village.total), option.school, bool(np.isfinite(option.day))
            late = day and option.excess > 0
            j = column(
                0, 1, without_place=0.0 if day else n, beyond_limit=n if late else 0.0, excess_minutes=n * option.excess if late else 0.0,
                minutes=n * option.day if day else 0.0, change=n * option.change,
            )  # fmt: skip
            columns[int(u), k] = j
            mine.append(j)
            for g, m in village.pupils.items():
                loads.setdefault((k, g), []).append((j, float(m)))
            if np.isfinite(option.week) and option.needs_bed:
                # boarders: each is spared what the day way would have cost
                b = column(
                    0, n, without_place=0.0 if day else -1.0, beyond_limit=-1.0 if late else 0.0, excess_minutes=-option.excess if late else 0.0,
                    boarders=1.0, minutes=option.week / 5 - (option.day if day else 0.0),
                )  # fmt: skip
                rows.append(([b, j], [1.0, -n], -np.inf, 0.0))
                beds.setdefault(k, []).append(b)
        none = column(0, 1, without_place=float(village.total))
        rows.append(([*mine, none], [1.0] * (len(mine) + 1), 1.0, 1.0))
    for k, mine in sorted(beds.items()):
        taken = sum(_of_school(model, k, held.get(k, set()))[1].values()) if not every else 0
        rows.append((mine, [1.0] * len(mine), -np.inf, float(max(model.schools[k].beds - taken, 0))))
    if model.seats_bind:
        for k in sorted({k for k, _ in loads}):
            _seat_rows(model, k, held.get(k, set()), loads, rows, column)
    matrix = sparse_rows(len(rows), len(lower), *((np.full(len(c), i), np.array(c, int), np.array(v, float)) for i, (c, v, _, _) in enumerate(rows)))
    program = Program(
        np.array(lower, float), np.array(upper, float), np.ones(len(lower), bool), matrix, np.array([r[2] for r in rows], float),
        np.array([r[3] for r in rows], float),
    )  # fmt: skip
    table = np.array(costs).T
    used = [i for i, name in enumerate(LEVELS) if name != "change" or np.abs(table[i]).any()]
    return program, {LEVELS[i]: table[i] for i in used}, columns


def _seat_rows(
    model: _Model, k: int, held: set[int], loads: Mapping[tuple[int, int], list[tuple[int, float]]], rows: list[_Row], column: Callable[..., int]
) -> None:
    school = model.schools[k]
    base = model.fixed[k].copy()
    for u in held:
        for g, n in model.villages[u].pupils.items():
            base[g] += n
    own = {g: column(0.0, float(school.rooms)) for g in school.grades}
    over = {g: column(0.0, np.inf, above_standard=1.0) for g in school.grades}
    longest = max(school.most_grades, -(-len(school.grades) // school.rooms)) if school.mixes else 1
    runs = [school.grades[a : a + n] for n in range(2, longest + 1) for a in range(len(school.grades) - n + 1)]
    together = {run: column(0.0, 1.0) for run in runs}
    rows.append(([*own.values(), *together.values()], [1.0] * (len(own) + len(together)), -np.inf, float(school.rooms)))
    for g in school.grades:
        mine = loads.get((k, g), [])
        mixed = [c for run, c in together.items() if g in run]
        values = [*(n for _, n in mine), -1.0, -float(school.size[g]), *(-float(school.mixed) for _ in mixed)]
        rows.append(([*(j for j, _ in mine), over[g], own[g], *mixed], values, -np.inf, -float(base[g])))
        if mixed:
            rows.append(([own[g], *mixed], [1.0, *(float(school.rooms) for _ in mixed)], -np.inf, float(school.rooms)))
    for run, c in together.items():
        mine = [pair for g in run for pair in loads.get((k, g), [])]
        most = sum(n for _, n in mine if n > 0) + float(base[list(run)].sum())
        rows.append((
            [*(j for j, _ in mine), *(over[g] for g in run), c], [*(n for _, n in mine), *(-1.0 for _ in run), most],
            -np.inf, float(school.mixed) + most - float(base[list(run)].sum()),
        ))  # fmt: skip


def _cut(
    model: _Model, program: Program, columns: Mapping[tuple[int, int], int], apart: Sequence[tuple[int, list[list[int]]]], chosen: Sequence[int]
) -> Program:
    """Add a row for every two pieces of a school: both only with a village of the border between."""
    neighbours = model.neighbours or {}
    parts, high = [program.matrix], list(program.row_upper)
    for k, pieces in apart:
        band = model.villages[pieces[0][0]].band
        at = {v.place: u for u, v in enumerate(model.villages) if v.band == band and v.total > 0}
        for piece in pieces[1:]:
            inside = {model.villages[u].place for u in piece}
            border, seen, stack = set(), set(inside), sorted(inside)
            while stack:
                here = stack.pop()
                for other in sorted(neighbours.get(here, frozenset())):
                    if other in seen:
                        continue
                    seen.add(other)
                    if other in at and chosen[at[other]] != k:
                        border.add(at[other])
                    else:
                        stack.append(other)
            for u in piece:
                for v in pieces[0]:
                    pair = [columns[u, k], columns[v, k]]
                    joints = [columns[w, k] for w in sorted(border) if (w, k) in columns]
                    both = (np.zeros(2, int), np.array(pair), 1.0)
                    parts.append(sparse_rows(1, len(program.lower), both, (np.zeros(len(joints), int), np.array(joints, int), -1.0)))
                    high.append(1.0)
    matrix = sparse.vstack(parts, format="csr")
    low = np.concatenate([program.row_lower, np.full(matrix.shape[0] - len(program.row_lower), -np.inf)])
    return replace(program, matrix=matrix, row_lower=low, row_upper=np.array(high, float))


def as_levels(answer: Answer, bound: Sequence[float]) -> tuple[Level, ...]:
    """State the levels of an answer beside those that divided villages cannot beat.

    Parameters
    ----------
    answer
        From :func:`send_villages`.
    bound
        By :data:`LEVELS`, of the optimum with divided villages.

    Returns
    -------
    tuple of Level
        In the order of :data:`LEVELS`; ``gap`` is 0 where the answer is proven, else what whole villages cost beside the bound.

    Examples
    --------
    >>> as_levels(Answer((0,), (0,), (0.0, 0.0, 0.0, 2.0, 0.0, 30.0, 0.0), False), [0.0] * 7)[3].gap
    2.0
    """
    out = []
    for name, value, least in zip(LEVELS, answer.levels, bound, strict=True):
        known = value if answer.proven else min(least, value)
        out.append(Level(name, value, known, value - known, "optimal" if answer.proven else "search"))
    return tuple(out)
