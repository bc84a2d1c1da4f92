"""New schools with the children they were opened for: who goes there instead, so that none falls below its least pupils."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from layout.flows import Flows
from layout.programs import solve
from layout.siting import least_rule
from layout.solver import Level, Program, sparse_rows
from layout.standards import Standards
from layout.sums import dot
from layout.tables import BANDS
from layout.transport import Transport

#: Levels on which no child may lose anything so that a new school is full enough.
KEPT = ("without_place", "beyond_limit", "above_standard")
_PRIMARY = BANDS["lower"] + BANDS["upper"]
# parts of a school whose least pupils count, by its kind
_PARTS = {
    "teaching_point": ("small",), "small_primary": ("village",), "primary": ("primary",), "junior": ("junior",), "nine_year": ("primary", "junior"),
}  # fmt: skip
# branch-and-bound nodes of a level: counted work, so the answer does not depend on the machine
_NODES = 50
_SAME = 1e-6


@dataclass(frozen=True)
class Least:
    """Least pupils of a school (its number) over some of its grades; of a primary part only those who do not board count."""

    school: int
    grades: tuple[int, ...]
    by_day: bool
    pupils: float


def least_of(school_years: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """List the least pupils of the schools that a plan opens.

    Parameters
    ----------
    school_years
        Table ``school_years`` of the plan.
    schools
        Table ``schools`` before the plan; schools that are open there have no least.
    standards
        ``layout.min_pupils``.

    Returns
    -------
    pandas.DataFrame
        school_id, year, first_grade, last_grade, by_day (children who board do not count), pupils, rule (key of the standard); by school, year
        and grade. A nine-year school has a row for each of its parts.

    Examples
    --------
    >>> plan = pd.DataFrame({"school_id": ["S1", "N1"], "year": 2030, "kind": ["primary", "nine_year"], "status": "open"})
    >>> least_of(plan, paper.schools, layout.read_standards()).values.tolist()
    [['N1', 2030, 1, 6, True, 120.0, 'layout.min_pupils.primary'], ['N1', 2030, 7, 9, False, 300.0, 'layout.min_pupils.junior']]
    """
    old = set(schools.loc[schools["status"] == "open", "school_id"].astype("str"))
    rows = []
    there = school_years[school_years["status"] == "open"]
    for school, year, kind in zip(there["school_id"].astype("str"), there["year"], there["kind"].astype("str"), strict=True):
        for part in _PARTS.get(kind, ()) if school not in old else ():
            grades = BANDS["junior"] if part == "junior" else _PRIMARY
            rule = least_rule(part)
            rows.append((school, int(year), grades[0], grades[-1], part != "junior", float(standards[rule]), rule))
    out = pd.DataFrame(sorted(rows), columns=["school_id", "year", "first_grade", "last_grade", "by_day", "pupils", "rule"])
    return out.astype({"year": "int64", "first_grade": "int64", "last_grade": "int64", "by_day": "bool", "pupils": "float64"})


def below_least(assignment: pd.DataFrame, least: pd.DataFrame) -> pd.DataFrame:
    """List the new schools that have fewer children than they were to be opened for.

    Parameters
    ----------
    assignment
        Table ``assignment``.
    least
        From :func:`least_of`.

    Returns
    -------
    pandas.DataFrame
        The rows of ``least`` that are not met, with ``there``: the children who count; years without any child assigned are left out.

    Examples
    --------
    >>> least = pd.DataFrame({
    ...     "school_id": ["N1"], "year": [2030], "first_grade": [7], "last_grade": [9], "by_day": [False], "pupils": [300.0]})
    >>> sent = pd.DataFrame({"school_id": ["N1"], "year": [2030], "grade": [7], "mode": ["board"], "pupils": [120]})
    >>> below_least(sent, least)[["school_id", "pupils", "there"]].values.tolist()
    [['N1', 300.0, 120]]
    """
    rows = assignment[["school_id", "year", "grade", "mode", "pupils"]]
    years = set(rows["year"].unique())
    rows = rows.assign(school_id=rows["school_id"].astype("str"), boards=rows["mode"].astype("str") == "board")
    counts = rows[rows["school_id"].isin(least["school_id"])].groupby(["school_id", "year", "grade", "boards"])["pupils"].sum().to_dict()
    there = [
        sum(
            int(counts.get((want["school_id"], want["year"], grade, boards), 0))
            for grade in range(want["first_grade"], want["last_grade"] + 1)
            for boards in ((False,) if want["by_day"] else (False, True))
        )
        for want in least.to_dict("records")
    ]
    out = least.assign(there=np.array(there, dtype="int64"))
    return out[out["year"].isin(years) & (out["there"] < out["pupils"])].reset_index(drop=True)


def filled(
    flows: Flows, problem: Transport, values: np.ndarray, least: Sequence[Least], levels: Mapping[str, np.ndarray], *, seed: int = 0
) -> np.ndarray:
    """Send children to new schools that lack some, where no child loses its place, its limit or its seat for it.

    Parameters
    ----------
    flows, problem, values
        Columns of a year, what they use, and whole children on each.
    least
        Least pupils of new schools.
    levels
        Cost of a child on each column, by level.
    seed
        Of the solver.

    Returns
    -------
    numpy.ndarray
        Children on each column. Only children who could go to a school that lacks some, or have no seat, are sent anew; a school that has enough
        keeps enough.

    References
    ----------
    Objective: lexmin (children that new schools lack, then the levels) subject to (1) every child is sent; (2) beds
    and seats are not exceeded; (3) the sums of :data:`KEPT` are at most what they were; (4) children at a new school >= its least - those it
    lacks, or what it has where that is fewer and nobody new can come; all whole.
    """
    counts = [_counts(flows, want) for want in least]
    have = [float(values[mine].sum()) for mine in counts]
    short = [i for i, want in enumerate(least) if have[i] < want.pupils - _SAME]
    if not short:
        return values
    free = np.zeros(len(flows.children), bool)
    free[flows.demand[np.any([counts[i] for i in short], axis=0)]] = True
    if not free.any():
        return values
    # whoever has no seat may find one that is left
    free[flows.demand[(flows.seat_of < 0) & (values > _SAME)]] = True
    mine = np.flatnonzero(free[flows.demand])
    held = values.copy()
    held[mine] = 0.0
    width = len(mine)
    demands, line = np.unique(flows.demand[mine], return_inverse=True)
    entries = [(line, np.arange(width), np.ones(width))]
    low, high = [*problem.amounts[demands]], [*problem.amounts[demands]]
    uses, shares = problem.uses[mine], problem.shares[mine]
    used = np.zeros(len(problem.capacity))
    for use, share in zip(problem.uses.T, problem.shares.T, strict=True):
        np.add.at(used, use[use >= 0], (held * share)[use >= 0])
    number, total = 0, width + len(short)

    def row(columns: np.ndarray, weights: np.ndarray, least: float, most: float) -> None:
        entries.append((np.full(len(columns), len(low)), columns, weights))
        low.append(least)
        high.append(most)

    for resource in np.unique(uses[uses >= 0]):
        at, place = np.nonzero(uses == resource)
        row(at, shares[at, place], -np.inf, max(float(problem.capacity[resource] - used[resource]), 0.0))
    for name in KEPT:
        if name in levels:
            cost = levels[name][mine]
            some = np.flatnonzero(cost)
            row(some, cost[some], -np.inf, dot(cost, values[mine]))
    for i, want in enumerate(least):
        some = np.flatnonzero(counts[i][mine])
        rest = float(held[counts[i]].sum())
        if i in short:
            row(np.append(some, width + number), np.ones(len(some) + 1), want.pupils - rest, np.inf)
            number += 1
        elif len(some):
            row(some, np.ones(len(some)), want.pupils - rest, np.inf)
    matrix = sparse_rows(len(low), total, *entries)
    program = Program(np.zeros(total), np.full(total, np.inf), np.ones(total, bool), matrix, np.array(low, float), np.array(high, float))
    lacking = np.zeros(total)
    lacking[width:] = 1.0
    costs = {"below_least": lacking} | {name: np.append(cost[mine], np.zeros(len(short))) for name, cost in levels.items()}
    # the placing at hand meets every row, so that there is always an answer
    at_hand = np.append(values[mine], [np.ceil(least[i].pupils - have[i] - _SAME) for i in short])
    found = solve(program, costs, absolute_gaps=dict.fromkeys(costs, 1 - _SAME), work_limit=_NODES, start=at_hand, seed=seed)
    out = held
    out[mine] = np.round(found.values[:width])
    return out


def lacking(flows: Flows, values: np.ndarray, least: Sequence[Least]) -> Level:
    """Return the level of children that new schools lack.

    Parameters
    ----------
    flows, values
        Columns, and children on each.
    least
        Least pupils of new schools.

    Returns
    -------
    Level
        ``below_least``, whose bound is zero.
    """
    lost = sum(max(want.pupils - float(values[_counts(flows, want)].sum()), 0.0) for want in least)
    return Level("below_least", lost, 0.0, lost, "search" if lost > _SAME else "optimal")


def _counts(flows: Flows, want: Least) -> np.ndarray:
    """Say on which columns a child counts."""
    there = (flows.school == want.school) & np.isin(flows.grade, want.grades)
    return there & ~flows.boards if want.by_day else there
