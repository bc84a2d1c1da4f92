"""Seats by school and grade as whole classes allow: which classes to form in the rooms there are, so that most children find a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from layout.children import INCOMPLETE, best_runs
from layout.programs import solve
from layout.solver import Program, Solution, sparse_rows
from layout.standards import Standards
from layout.sums import dot
from layout.tables import GRADES
from layout.transport import Transport

# how much of a child counts as one when a sum of shares is compared with whole children
_SAME = 1e-6


@dataclass(frozen=True)
class School:
    """Grades, rooms and beds of a school in one year; ``size`` is the class size of each grade, ``mixed`` that of grades taught together."""

    school_id: str
    grades: tuple[int, ...]
    rooms: int
    beds: int
    incomplete: bool
    size: Mapping[int, int]
    mixed: int
    most_grades: int

    @property
    def mixes(self) -> bool:
        """Say whether neighbouring grades sit together: rooms are fewer than grades at a teaching point or small primary school."""
        return self.incomplete and 0 < self.rooms < len(self.grades)


@dataclass(frozen=True)
class Seats:
    """Seats of a school for some of its grades together; with ``size`` they are rooms, of which a child takes one part in its class size."""

    school: int
    grades: tuple[int, ...]
    seats: float
    size: Mapping[int, float]


def school_of(
    school_id: str, kind: str, *, first_grade: int, last_grade: int, rooms: int, beds: int, standards: Standards, year: int | None = None
) -> School:
    """Describe a school as the assignment sees it.

    Parameters
    ----------
    school_id, kind, first_grade, last_grade, rooms, beds
        As in the table ``schools``.
    standards
        Class sizes.
    year
        School year, for a dated schedule of class sizes.

    Returns
    -------
    School
        With the class size of each grade it teaches.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> school = school_of("S", "primary", first_grade=1, last_grade=6, rooms=6, beds=0, standards=read_standards())
    >>> school.size[1], school.mixes
    (45, False)
    """
    incomplete = kind in INCOMPLETE
    grades = tuple(g for g in GRADES if first_grade <= g <= last_grade)
    size = {g: standards.class_size(g, incomplete=incomplete, year=year) for g in grades}
    mixed = standards.mixed_size(grades if incomplete else (), year=year)
    return School(str(school_id), grades, int(rooms), int(beds), incomplete, size, mixed, int(standards["class_size.mixed.max_grades"]))


def pooled(schools: Sequence[School]) -> list[Seats]:
    """Count the rooms of each school as seats of all its grades together, parts of classes allowed.

    Parameters
    ----------
    schools
        Schools, by position.

    Returns
    -------
    list of Seats
        One a school: no classes that fit the rooms hold more children.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> pooled([school_of("S", "primary", first_grade=1, last_grade=2, rooms=3, beds=0, standards=read_standards())])[0].seats
    3.0
    """
    out = []
    for k, school in enumerate(schools):
        size = {g: float(max(school.mixed, n)) if school.mixes else float(n) for g, n in school.size.items()}
        out.append(Seats(k, school.grades, float(school.rooms), size))
    return out


def whole_classes(schools: Sequence[School], load: np.ndarray, standards: Standards) -> list[Seats]:
    """Turn the rooms of each school into whole classes for the children that are expected there.

    Parameters
    ----------
    schools
        Schools, by position.
    load
        Children by school and grade (columns: grades 1 to 9).
    standards
        Bounds of mixed classes.

    Returns
    -------
    list of Seats
        Rooms go one by one to the grade furthest above its seats, of equals the lower; with fewer rooms than grades that have
        children, the emptiest grades get none, or grades of a teaching point sit together.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> school = school_of("S", "primary", first_grade=1, last_grade=2, rooms=3, beds=0, standards=read_standards())
    >>> [s.seats for s in whole_classes([school], np.array([[50.0, 40.0, *[0.0] * 7]]), read_standards())]
    [90.0, 45.0]
    """
    out: list[Seats] = []
    for k, school in enumerate(schools):
        pupils = {g: float(load[k, g - 1]) for g in school.grades}
        loaded = sum(n > _SAME for n in pupils.values())
        if school.mixes and school.rooms < loaded:
            out += [Seats(k, run, float(school.mixed), {}) for run in best_runs(pupils, school.rooms, standards, most=school.mixed)]
            continue
        need = {g: pupils[g] / school.size[g] for g in school.grades}
        count = {g: int(n > _SAME) for g, n in need.items()}
        for g in sorted((g for g in count if count[g]), key=lambda g: (need[g], -g))[: max(sum(count.values()) - school.rooms, 0)]:
            # fewer rooms than grades: the emptiest grades get no class here, of equals the higher
            count[g] = 0
        for _ in range(school.rooms - sum(count.values()) if count else 0):
            # the grade furthest above its seats, of equals the lower
            count[min(count, key=lambda g: (round(count[g] - need[g], 6), g))] += 1
        out += [Seats(k, (g,), float(count[g] * school.size[g]), {}) for g in school.grades]
    return out


@dataclass(frozen=True)
class _Classes:
    """Columns of a program that form classes: a number of classes a grade, or one class of a run of grades."""

    school: int
    run: tuple[int, ...]
    column: int


def search_classes(
    schools: Sequence[School], problem: Transport, grade: np.ndarray, school: np.ndarray, flow: np.ndarray, free: np.ndarray,
    objectives: Mapping[str, np.ndarray], *, gaps: Mapping[str, float], whole: bool = True, work_limit: int | None = None, seed: int = 0,
) -> tuple[Solution, list[Seats]]:  # fmt: skip
    """Choose classes and flows of children together.

    Parameters
    ----------
    schools
        Schools, by position.
    problem
        Amounts, columns, and beds as the first resources; its seats are what is searched for.
    grade, school
        Grade and school (-1: none) of each column.
    flow
        A flow at hand; demands that are not ``free`` keep theirs.
    free
        Demands that may go elsewhere. Only schools that a column of theirs uses form classes anew.
    objectives
        As in :func:`layout.transport.send`.
    whole
        Whether children too must be whole; classes always are.
    gaps, work_limit, seed
        As in :func:`layout.programs.solve`.

    Returns
    -------
    tuple
        Solution whose values are the flows of all columns, and the seats of the schools that formed classes anew.

    References
    ----------
    Objective: lexmin of the objectives subject to (1) every demand is sent; (2) boarders <= beds; (3) children of a grade alone <=
    classes x size; (4) children of grades together <= the size of a mixed class, one class a run; (5) runs do not overlap, and
    a grade in one has no class of its own; (6) classes <= rooms; all whole.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> there = [school_of("S", "primary", first_grade=1, last_grade=2, rooms=3, beds=0, standards=read_standards())]
    >>> problem = Transport(np.array([50.0, 40.0]), np.array([0, 0, 1, 1]), np.full((4, 2), -1), np.ones((4, 2)), np.zeros(1))
    >>> none = np.array([0.0, 1.0, 0.0, 1.0])
    >>> found, seats = search_classes(
    ...     there, problem, np.array([1, 1, 2, 2]), np.array([0, -1, 0, -1]), np.array([0, 50, 0, 40.0]), np.ones(2, bool), {"none": none}, gaps={})
    >>> found.values.tolist(), [(s.grades, s.seats) for s in seats]
    ([50.0, 0.0, 40.0, 0.0], [((1,), 90.0), ((2,), 45.0)])
    """
    mine = np.flatnonzero(free[problem.demand])
    touched = sorted({int(k) for k in school[mine] if k >= 0})
    held = np.ones(len(flow), bool)
    held[mine] = False
    demands, line = np.unique(problem.demand[mine], return_inverse=True)
    boards = problem.uses[mine, 0]
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray | float]] = [(line, np.arange(len(mine)), 1.0)]
    low, high = [*problem.amounts[demands]], [*problem.amounts[demands]]
    width = len(mine)

    def row(columns: Sequence[int] | np.ndarray, values: Sequence[float] | np.ndarray | float, most: float) -> None:
        columns = np.asarray(columns, int)
        entries.append((np.full(len(columns), len(low)), columns, np.broadcast_to(np.asarray(values, float), len(columns))))
        low.append(-np.inf)
        high.append(most)

    used = np.bincount(problem.uses[held, 0][problem.uses[held, 0] >= 0], flow[held][problem.uses[held, 0] >= 0], minlength=len(schools))
    for k in sorted({int(k) for k in boards if k >= 0}):
        row(np.flatnonzero(boards == k), 1.0, max(schools[k].beds - used[k], 0.0))
    load = np.zeros((len(schools), len(GRADES) + 1))
    np.add.at(load, (school[held & (school >= 0)], grade[held & (school >= 0)]), flow[held & (school >= 0)])
    classes: list[_Classes] = []
    upper = [np.inf] * width
    for k in touched:
        there, own = schools[k], {}
        for g in there.grades:
            own[g] = _Classes(k, (g,), width + len(classes))
            classes.append(own[g])
            upper.append(float(there.rooms))
        longest = max(there.most_grades, -(-len(there.grades) // there.rooms)) if there.mixes else 1
        runs = []
        for size in range(2, longest + 1):
            for first in range(len(there.grades) - size + 1):
                runs.append(_Classes(k, there.grades[first : first + size], width + len(classes)))
                classes.append(runs[-1])
                upper.append(1.0)
        row([c.column for c in (*own.values(), *runs)], 1.0, float(there.rooms))
        for g in there.grades:
            columns = np.flatnonzero((school[mine] == k) & (grade[mine] == g))
            over = [r for r in runs if g in r.run]
            # a grade alone, or with others: then the bound of its run holds
            pairs = [(own[g].column, -float(there.size[g])), *((r.column, -float(there.mixed)) for r in over)]
            row([*columns, *(c for c, _ in pairs)], [*np.ones(len(columns)), *(v for _, v in pairs)], -load[k, g])
            if over:
                row([own[g].column, *(r.column for r in over)], [1.0, *(float(there.rooms) for _ in over)], float(there.rooms))
        for r in runs:
            columns = np.flatnonzero((school[mine] == k) & np.isin(grade[mine], r.run))
            slack = sum(there.size[g] * there.rooms + there.mixed for g in r.run) - there.mixed
            rest = float(load[k, list(r.run)].sum())
            row([*columns, r.column], [*np.ones(len(columns)), float(slack)], there.mixed + slack - rest)
    total = width + len(classes)
    matrix = sparse_rows(len(low), total, *entries)
    kinds = (np.arange(total) >= width) | whole
    program = Program(np.zeros(total), np.array(upper), kinds, matrix, np.array(low, float), np.array(high, float))
    costs = {name: np.concatenate([c[mine], np.zeros(len(classes))]) for name, c in objectives.items()}
    found = solve(program, costs, absolute_gaps=gaps, work_limit=work_limit, seed=seed)
    values = flow.copy()
    values[mine] = np.round(found.values[:width])
    seats = []
    for c in classes:
        number = round(float(found.values[c.column]))
        there = schools[c.school]
        taught = {g for other in classes if other.school == c.school and len(other.run) > 1 and found.values[other.column] > 0.5 for g in other.run}
        if len(c.run) > 1 and number:
            seats.append(Seats(c.school, c.run, float(there.mixed), {}))
        elif len(c.run) == 1 and c.run[0] not in taught:
            seats.append(Seats(c.school, c.run, float(number * there.size[c.run[0]]), {}))
    fixed = {name: dot(c[held], flow[held]) for name, c in objectives.items()}
    levels = tuple(replace(a, objective=a.objective + fixed[a.name], bound=a.bound + fixed[a.name]) for a in found.levels)
    return Solution(values, levels, found.status), seats
