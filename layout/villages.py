"""Whole villages: each settlement's grade band to one school, its area in one piece where asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from layout.programs import beside, solve
from layout.seats import School
from layout.solver import Level, Program, sparse_rows
from layout.tables import BANDS, GRADES

_SAME = 1e-6
#: Levels in order: of a village that goes as a whole, those for whom no class has a seat sit in it all the same.
LEVELS = ("without_place", "beyond_limit", "excess_minutes", "above_standard", "boarders", "minutes", "change")
# A sum of the levels by which the search compares steps; what it finds is reported level by level. A boarder weighs more than the minutes
# that any day way within its limit costs, a child beyond the limit as much as one above the seats.
_WEIGHTS = np.array([1e6, 1e4, 50.0, 1e4, 100.0, 1.0, 1e-3])
# steps of the search a village, at least and at most; the threshold that it begins with (half a child above the seats) and ends with (minutes)
_STEPS, _LEAST_STEPS, _MOST_STEPS, _HOT, _COLD = 4000, 400_000, 100_000_000, 5e3, 30.0
# a program of so many options at most is solved to proof, by so many branch-and-bound nodes a level at most
_PROOF, _PROOF_NODES = 400, 20_000
# multiplier and increment of a linear congruential generator (Knuth's MMIX)
_SPREAD, _OFFSET = 6364136223846793005, 1442695040888963407
# rooms of a school whose seats do not bind
_ENDLESS = 10**9


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
    """School of each village (-1: none) and how many of its children board, by grade; the levels; whether they are proven."""

    school: tuple[int, ...]
    boarders: tuple[Mapping[int, int], ...]
    levels: tuple[float, ...]
    proven: bool


@dataclass(frozen=True)
class _Model:
    """The villages and schools of a problem, what each school already holds (``fixed``) and who borders on whom."""

    villages: tuple[Village, ...]
    schools: tuple[School, ...]
    fixed: np.ndarray
    seats_bind: bool
    neighbours: Mapping[str, frozenset[str]] | None
    by_school: tuple[dict[int, Option], ...]


def send_villages(
    villages: Sequence[Village], schools: Sequence[School], fixed: np.ndarray, first: Sequence[int], *, seats_bind: bool,
    neighbours: Mapping[str, frozenset[str]] | None = None, bound: Sequence[float] | None = None, seed: int = 0,
) -> Answer:  # fmt: skip
    """Send every village's band to one school.

    Small counties are solved to proof. Larger ones, and those whose proof takes too many nodes, begin at ``first`` and search: villages
    move, change places or push each other on as long as a falling threshold allows, a counted number of steps
    (:mod:`layout.villages_kernels`).

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
    whoever joins them needs a village of the border between). A child without a bed and without a day way has no place and takes no seat.
    The search minimises a weighted sum of the levels instead, in which a child above the seats counts as one beyond the limit.

    Examples
    --------
    >>> there = [School("S", (1,), 1, 0, False, {1: 45}, 30, 3), School("T", (1,), 1, 0, False, {1: 45}, 30, 3)]
    >>> near, far = Option(0, 10.0, 0.0, np.nan, 0.0), Option(1, 20.0, 0.0, np.nan, 0.0)
    >>> rows = [Village(name, "lower", {1: n}, (near, far)) for name, n in (("A", 30), ("B", 25))]
    >>> send_villages(rows, there, np.zeros((2, 10)), [-1, -1], seats_bind=True).school
    (0, 1)
    """
    by_school = tuple({o.school: o for o in v.options} for v in villages)
    model = _Model(tuple(villages), tuple(schools), fixed, seats_bind, neighbours, by_school)
    tried = _solved(model, seed) if sum(len(v.options) for v in villages) <= _PROOF else None
    if tried is not None and tried.proven:
        return tried
    start = [s if s in mine else (v.options[0].school if v.options else -1) for v, s, mine in zip(villages, first, by_school, strict=True)]
    chosen = _searched(model, start, seed)
    answer = _answer(model, chosen, _best_beds(model, chosen, _beds(model, chosen), seed), False)
    if tried is not None and _order(tried) <= _order(answer):
        answer = tried
    return replace(answer, proven=bound is not None and all(a <= b + _SAME for a, b in zip(answer.levels, bound, strict=True)))


def _answer(model: _Model, chosen: Sequence[int], boarders: Sequence[Mapping[int, int]], proven: bool) -> Answer:
    """Count the levels of a choice of schools and boarders."""
    levels, load = np.zeros(len(LEVELS)), model.fixed.astype(float).copy()
    for u, k in enumerate(chosen):
        village, board = model.villages[u], sum(boarders[u].values())
        rest = village.total - board
        if k < 0:
            levels[0] += rest
            continue
        option = model.by_school[u][k]
        by_day = bool(np.isfinite(option.day))
        for g, n in village.pupils.items():
            load[k, g] += n if by_day else boarders[u].get(g, 0)
        late = by_day and option.excess > 0
        levels += [
            0 if by_day else rest, rest if late else 0, rest * option.excess if late else 0.0, 0, board,
            (rest * option.day if by_day else 0.0) + (board * option.week / 5 if board else 0.0), option.change * village.total,
        ]  # fmt: skip
    if model.seats_bind:
        levels[3] = sum(above_seats(school, row) for school, row in zip(model.schools, load, strict=True))
    return Answer(tuple(int(k) for k in chosen), tuple(dict(b) for b in boarders), tuple(float(n) for n in levels), proven)


def _order(answer: Answer) -> list[float]:
    return [round(n, 6) for n in answer.levels]


def _beds(model: _Model, chosen: Sequence[int]) -> list[dict[int, int]]:
    """Give the beds of each school to those whom they save most, of a village to the lower grades first."""
    wanting: dict[int, list[tuple[float, float, int]]] = {}
    for u, k in enumerate(chosen):
        option = model.by_school[u].get(k)
        if option is not None and option.needs_bed and np.isfinite(option.week):
            by_day = bool(np.isfinite(option.day))
            row = (-option.excess if by_day else -np.inf, option.week / 5 - (option.day if by_day else 0.0), u)
            wanting.setdefault(int(k), []).append(row)
    out: list[dict[int, int]] = [{} for _ in chosen]
    for k, rows in wanting.items():
        left = model.schools[k].beds
        for _, _, u in sorted(rows):
            out[u] = _lowest_first(model.villages[u].pupils, left)
            left -= sum(out[u].values())
    return out


def _best_beds(model: _Model, chosen: Sequence[int], boarders: Sequence[Mapping[int, int]], seed: int) -> list[Mapping[int, int]]:
    """Give out anew the beds of schools where not all without a day way have one: their grades decide who is above the seats."""
    out = list(boarders)
    short: dict[int, int] = {}
    for u, k in enumerate(chosen):
        if k >= 0 and not np.isfinite(model.by_school[u][k].day):
            short[k] = short.get(k, 0) + model.villages[u].total - sum(boarders[u].values())
    for k in sorted(k for k, n in short.items() if n and model.seats_bind):
        mine = [u for u, s in enumerate(chosen) if s == k]
        options = tuple(model.by_school[u][k] for u in mine)
        villages = tuple(replace(model.villages[u], options=(o,)) for u, o in zip(mine, options, strict=True))
        # whoever else sits here does so anyway
        part = replace(model, villages=villages, neighbours=None, by_school=tuple({k: o} for o in options))
        found = _solved(part, seed)
        if _order(found) < _order(_answer(part, [k] * len(mine), [out[u] for u in mine], False)):
            for u, board in zip(mine, found.boarders, strict=True):
                out[u] = board
    return out


def _lowest_first(pupils: Mapping[int, int], beds: int) -> dict[int, int]:
    out = {}
    for g in sorted(pupils):
        out[g] = min(pupils[g], beds)
        beds -= out[g]
    return out


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
    sizes = tuple(school.size[g] for g in school.grades)
    return extra + _above_mixed(school.grades, school.rooms, school.mixed, _longest(school), sizes, pupils, best)


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


# ---- search


def _searched(model: _Model, start: Sequence[int], seed: int) -> list[int]:
    from layout.compiled import loops

    kernels = loops("villages_kernels")
    facts = kernels.Facts(**_options(model), **_links(model))
    standing = kernels.Standing(**_standing(model, facts.start, facts.options[:, kernels.SCHOOL], start))
    if model.neighbours is not None:
        kernels.unite(facts, standing)
    price = float(_WEIGHTS[3]) if model.seats_bind else 0.0
    steps = min(max(_STEPS * len(model.villages), _LEAST_STEPS), _MOST_STEPS)
    # small seeds are spread, for the first draws of the generator are as small as its seed
    kernels.search(facts, standing, price, _HOT, _COLD, steps, (seed * _SPREAD + _OFFSET) % 2**62 | 1)
    return [int(facts.options[j, kernels.SCHOOL]) if j >= 0 else -1 for j in standing.chosen]


def _options(model: _Model) -> dict[str, np.ndarray]:
    """Lay out villages and their options as arrays, those of a village by what they cost a child at best."""
    pupils = _by_grade(v.pupils for v in model.villages)
    many = [len(v.options) for v in model.villages]
    owner, listed = np.repeat(np.arange(len(many)), many), [o for v in model.villages for o in v.options]
    school = np.array([o.school for o in listed], int)
    day, excess, week, change = (np.array([getattr(o, name) for o in listed], float) for name in ("day", "excess", "week", "change"))
    by_day = np.isfinite(day)
    late, minutes = by_day & (excess > 0), np.where(by_day, day, 0.0)
    weight = dict(zip(LEVELS, _WEIGHTS, strict=True))
    alone = np.where(by_day, weight["beyond_limit"] * late + weight["excess_minutes"] * excess * late + minutes, weight["without_place"])
    wants = (~by_day | late) & np.isfinite(week) & (np.array([s.beds for s in model.schools])[school] > 0)
    relief = np.where(wants, alone - weight["boarders"] - np.where(wants, week, 0.0) / 5, 0.0)
    # the order of _beds
    rank, turn = np.full(len(school), -1), np.flatnonzero(wants)
    first = np.where(by_day, -excess, -np.inf)
    rank[turn[np.lexsort((owner[turn], (week / 5 - minutes)[turn], first[turn]))]] = np.arange(len(turn))
    order = np.lexsort((school, alone - relief + weight["change"] * change, owner))
    total = pupils.sum(axis=1)
    cost = total[owner] * (alone + weight["change"] * change)
    return {
        "pupils": pupils, "band": np.array([list(BANDS).index(v.band) for v in model.villages], int), "start": np.append(0, np.cumsum(many)),
        "options": np.column_stack([owner, school, rank, ~by_day])[order], "worth": np.column_stack([cost, relief, total[owner] * relief])[order],
        "by_school": np.lexsort((school[order], owner)), "none": weight["without_place"] * total, "schools": _schools(model, school),
    }  # fmt: skip


def _schools(model: _Model, school: np.ndarray) -> np.ndarray:
    """Write class sizes, rooms, beds, mixed classes, and where the villages of each school begin."""
    schools, room = model.schools, np.bincount(school, minlength=len(model.schools))
    rooms = [s.rooms if model.seats_bind else _ENDLESS for s in schools]
    mixed = [s.mixed if s.mixes and model.seats_bind else 0 for s in schools]
    columns = (rooms, [s.beds for s in schools], mixed, [_longest(s) for s in schools], np.cumsum(room) - room)
    return np.column_stack([_by_grade(s.size for s in schools), *columns])


def _longest(school: School) -> int:
    """Return the most grades that sit together."""
    return max(school.most_grades, -(-len(school.grades) // school.rooms)) if school.mixes else 1


def _by_grade(rows: Iterable[Mapping[int, int]]) -> np.ndarray:
    return np.array([[row.get(g, 0) for g in GRADES] for row in rows], int).reshape(-1, len(GRADES))


def _standing(model: _Model, begin: np.ndarray, school: np.ndarray, start: Sequence[int]) -> dict[str, np.ndarray]:
    """Put every village where the search begins."""
    option = [next((j for j in range(begin[u], begin[u + 1]) if school[j] == k), -1) for u, k in enumerate(start)]
    many, room = len(model.schools), np.bincount(school, minlength=len(model.schools))
    first, held, place = np.cumsum(room) - room, np.zeros((many, 2), int), np.zeros(len(option), int)
    members, load = np.zeros(len(school), int), np.rint(model.fixed[:, 1:]).astype(int)
    pupils = _by_grade(v.pupils for v in model.villages)
    for u, j in enumerate(option):
        if j >= 0:
            k = school[j]
            place[u] = first[k] + held[k, 0]
            members[place[u]] = u
            held[k, 0] += 1
            load[k] += pupils[u]
    return {
        "chosen": np.array(option, int), "load": load, "short": np.zeros_like(load), "held": held, "saved": np.zeros(many), "members": members,
        "place": place,
    }  # fmt: skip


def _links(model: _Model) -> dict[str, np.ndarray]:
    """Say who borders on whom: villages of a band, and between them grounds without children of it, one node a ground."""
    none = np.zeros(0, int)
    if model.neighbours is None:
        return {"link_start": none, "links": none}
    places = sorted({v.place for v in model.villages} | set(model.neighbours) | {p for near in model.neighbours.values() for p in near})
    number = {p: i for i, p in enumerate(places)}
    pairs = np.array([(number[a], number[b]) for a, near in model.neighbours.items() for b in sorted(near)], int).reshape(-1, 2)
    nodes, ends = len(model.villages), []
    for band in BANDS:
        node = np.full(len(places), -1)
        for u, village in enumerate(model.villages):
            if village.band == band:
                node[number[village.place]] = u
        ground = node < 0
        open_ways = pairs[ground[pairs].all(axis=1)]
        label = connected_components(sparse_rows(len(places), len(places), (open_ways[:, 0], open_ways[:, 1], 1.0)), directed=False)[1]
        node[ground] = nodes + label[ground]
        nodes += int(label.max(initial=-1)) + 1
        ends.append(node[pairs])
    tail, head = np.unique(np.concatenate([*ends, np.concatenate(ends)[:, ::-1]]), axis=0).T
    apart = tail != head
    return {"link_start": np.searchsorted(tail[apart], np.arange(nodes + 1)), "links": head[apart]}


# ---- programs


def _solved(model: _Model, seed: int) -> Answer:
    """Choose all schools and boarders, to proof if the nodes last; pieces that lie apart are cut off until none are."""
    program, objectives, columns, beds = _program(model)
    gaps = dict.fromkeys(objectives, _SAME)
    while True:
        found = solve(program, objectives, absolute_gaps=gaps, work_limit=_PROOF_NODES, seed=seed)
        chosen = [-1] * len(model.villages)
        for (u, k), j in columns.items():
            if found.values[j] > 0.5:
                chosen[u] = k
        apart = _apart(model, chosen)
        if not apart:
            break
        program = _cut(model, program, columns, apart, chosen)
    boarders: list[dict[int, int]] = [{} for _ in chosen]
    for (u, k, g), b in beds.items():
        if chosen[u] == k:
            number = round(float(found.values[b]))
            boarders[u] |= {g: number} if g else _lowest_first(model.villages[u].pupils, number)
    return _answer(model, chosen, boarders, found.status == "optimal")


def _program(model: _Model) -> tuple[Program, dict[str, np.ndarray], dict[tuple[int, int], int], dict[tuple[int, int, int], int]]:
    """Write rows and columns; return also the column of each village at a school, and of its boarders (by grade, 0: whichever)."""
    rows: list[_Row] = []
    lower: list[float] = []
    upper: list[float] = []
    costs: list[np.ndarray] = []
    columns: dict[tuple[int, int], int] = {}
    boarders: dict[tuple[int, int, int], int] = {}

    def column(least: float, most: float, **cost: float) -> int:
        lower.append(least)
        upper.append(most)
        costs.append(np.array([cost.get(name, 0.0) for name in LEVELS]))
        return len(lower) - 1

    # columns that sit in a grade of a school, with how many children, and how many at most
    loads: dict[tuple[int, int], list[tuple[int, float, float]]] = {}
    beds: dict[int, list[int]] = {}
    for u, village in enumerate(model.villages):
        mine = []
        for option in village.options:
            n, k, day = float(village.total), option.school, bool(np.isfinite(option.day))
            late = day and option.excess > 0
            j = column(
                0, 1, without_place=0.0 if day else n, beyond_limit=n if late else 0.0, excess_minutes=n * option.excess if late else 0.0,
                minutes=n * option.day if day else 0.0, change=n * option.change,
            )  # fmt: skip
            columns[u, k] = j
            mine.append(j)
            if day:
                for g, m in village.pupils.items():
                    loads.setdefault((k, g), []).append((j, float(m), float(m)))
            if not (np.isfinite(option.week) and option.needs_bed):
                continue
            # boarders: each is spared what the day way would have cost; without a day way only they sit, so their grades count
            for g, m in [(0, village.total)] if day else village.pupils.items():
                b = column(
                    0, m, without_place=0.0 if day else -1.0, beyond_limit=-1.0 if late else 0.0, excess_minutes=-option.excess if late else 0.0,
                    boarders=1.0, minutes=option.week / 5 - (option.day if day else 0.0),
                )  # fmt: skip
                boarders[u, k, g] = b
                rows.append(([b, j], [1.0, -float(m)], -np.inf, 0.0))
                beds.setdefault(k, []).append(b)
                if not day:
                    loads.setdefault((k, g), []).append((b, 1.0, float(m)))
        none = column(0, 1, without_place=float(village.total))
        rows.append(([*mine, none], [1.0] * (len(mine) + 1), 1.0, 1.0))
    rows += [(mine, [1.0] * len(mine), -np.inf, float(model.schools[k].beds)) for k, mine in sorted(beds.items())]
    if model.seats_bind:
        for k in sorted({k for k, _ in loads}):
            _seat_rows(model, k, loads, rows, column)
    matrix = sparse_rows(len(rows), len(lower), *((np.full(len(c), i), np.array(c, int), np.array(v, float)) for i, (c, v, _, _) in enumerate(rows)))
    program = Program(
        np.array(lower, float), np.array(upper, float), np.ones(len(lower), bool), matrix, np.array([r[2] for r in rows], float),
        np.array([r[3] for r in rows], float),
    )  # fmt: skip
    table = np.array(costs).T
    used = [i for i, name in enumerate(LEVELS) if name != "change" or np.abs(table[i]).any()]
    return program, {LEVELS[i]: table[i] for i in used}, columns, boarders


def _seat_rows(
    model: _Model, k: int, loads: Mapping[tuple[int, int], list[tuple[int, float, float]]], rows: list[_Row], column: Callable[..., int]
) -> None:
    school, base = model.schools[k], model.fixed[k]
    own = {g: column(0.0, float(school.rooms)) for g in school.grades}
    over = {g: column(0.0, np.inf, above_standard=1.0) for g in school.grades}
    longest = _longest(school)
    runs = [school.grades[a : a + n] for n in range(2, longest + 1) for a in range(len(school.grades) - n + 1)]
    together = {run: column(0.0, 1.0) for run in runs}
    rows.append(([*own.values(), *together.values()], [1.0] * (len(own) + len(together)), -np.inf, float(school.rooms)))
    for g in school.grades:
        mine = loads.get((k, g), [])
        mixed = [c for run, c in together.items() if g in run]
        values = [*(n for _, n, _ in mine), -1.0, -float(school.size[g]), *(-float(school.mixed) for _ in mixed)]
        rows.append(([*(j for j, _, _ in mine), over[g], own[g], *mixed], values, -np.inf, -float(base[g])))
        if mixed:
            rows.append(([own[g], *mixed], [1.0, *(float(school.rooms) for _ in mixed)], -np.inf, float(school.rooms)))
    for run, c in together.items():
        mine = [entry for g in run for entry in loads.get((k, g), [])]
        held = float(base[list(run)].sum())
        most = sum(n for _, _, n in mine) + held
        rows.append((
            [*(j for j, _, _ in mine), *(over[g] for g in run), c], [*(n for _, n, _ in mine), *(-1.0 for _ in run), most],
            -np.inf, float(school.mixed) + most - held,
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
        By :data:`LEVELS`: of the optimum with divided villages, without seats on the levels before them.

    Returns
    -------
    tuple of Level
        In the order of :data:`LEVELS`; proven ones are optimal with a gap of 0, others stand beside the bound as
        :func:`layout.programs.beside` says.

    Examples
    --------
    >>> as_levels(Answer((0,), (0,), (0.0, 0.0, 0.0, 2.0, 0.0, 30.0, 0.0), False), [0.0] * 7)[3].gap
    2.0
    """
    if answer.proven:
        return tuple(Level(name, value, value, 0.0, "optimal") for name, value in zip(LEVELS, answer.levels, strict=True))
    return beside(dict(zip(LEVELS, answer.levels, strict=True)), dict(zip(LEVELS, bound, strict=True)))
