"""Whole classes from parts of classes: rooms and classes are bound school by school, and what does not fit looks for room elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from layout.built import Built, formed_at, over_columns, whole_plan
from layout.classrooms import Classes
from layout.programme import Columns, Model, Programme, grade_sums, write_programme
from layout.programs import round_stepwise
from layout.solver import InfeasibleError, Program, Solution

# how much of a child is rounding error
_SAME = 1e-6
# share by which what is held may move where the rows cannot be met otherwise
_SLACK = 1e-5
# schools bound at a time, steps at most, and how often further schools are found to need whole classes
_BATCH, _STEPS, _ROUNDS = 4, 80, 5
# ten thousand yuan that a child-year above the standard weighs against money while classes are rounded: more than the rooms that a class takes
_ABOVE = 200.0
# ten thousand yuan that a minute of a child's way, and a school other than the usual, weigh in a year while classes are rounded
_NEARER, _USUAL = 3e-4, 3e-3


def rounded(model: Model, programme: Programme, found: Solution, *, time_limit: float) -> Built:
    """Turn a plan with parts of classes at schools of today into one with whole classes.

    What is new stays as found, and so does everyone who goes there, beyond the limit or without a place; the others may move within
    the limit and among boarding schools. Schools are bound a few at a time to the classes that their rooms allow, the others taking what
    does not fit; where nobody can, rooms are added as far as they may.

    Parameters
    ----------
    model
        Children, sites, years, figures.
    programme, found
        Its programme with parts of classes at some schools of today, and the answer.
    time_limit
        Seconds, a guard only.

    Returns
    -------
    Built
        The plan, which meets every constraint.
    """
    built, short = whole_plan(model, programme, found)
    exact, last = set(short), found
    for _ in range(_ROUNDS):
        finer = write_programme(model, exact=exact | programme.exact)
        try:
            values = _rounding(model, finer, _held(model, finer, programme, found, 0.0), exact, time_limit)
        except InfeasibleError:
            # what was found meets its rows within the solver's tolerance only: held a little less tightly, it meets them
            values = _rounding(model, finer, _held(model, finer, programme, found, _SLACK), exact, time_limit)
        last = Solution(values, found.levels, found.status)
        better, further = whole_plan(model, finer, last)
        built, more = better, further - exact
        if not more:
            break
        exact |= more
    return built


def _held(model: Model, finer: Programme, programme: Programme, found: Solution, slack: float) -> Program:
    """Hold what is new, and those who go there, beyond the limit or nowhere."""
    program, values = finer.program, found.values
    lower, upper = program.lower.copy(), program.upper.copy()
    flows, none = model.journeys.flows, finer.columns.none
    demand, site = flows["demand"].to_numpy(int), flows["site"].to_numpy(int)
    new = np.array([not s.existing for s in model.sites])
    shares = np.clip(values[: finer.columns.flows], 0.0, 1.0)
    stays = np.zeros(len(none), bool)
    stays[demand[(shares > _SAME) & (new[site] | flows["beyond"].to_numpy(bool))]] = True
    stays[values[programme.columns.none] > _SAME] = True
    held = np.flatnonzero(stays[demand] | new[site] | flows["beyond"].to_numpy(bool))
    without = np.clip(values[programme.columns.none], 0.0, 1.0)
    for columns, share in ((held, shares[held]), (none, without)):
        lower[columns], upper[columns] = np.maximum(share - slack, 0.0), np.minimum(share + slack, 1.0)
    for kind in ("state", "rooms", "classes", "runs"):
        for key, column in getattr(finer.columns, kind).items():
            if new[key[0]]:
                lower[column] = upper[column] = round(float(values[getattr(programme.columns, kind)[key]]))
    return replace(program, lower=np.minimum(lower, upper), upper=upper)


def _rounding(model: Model, finer: Programme, held: Program, exact: set[int], time_limit: float) -> np.ndarray:
    columns = finer.columns
    overs = over_columns(columns)
    bound: dict[int, dict[int, Classes]] = {}

    def fix(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        loads = grade_sums(model, values[: columns.flows])
        waiting = []
        for k in sorted(exact - set(bound)):
            formed = {t: formed_at(model, {}, loads, k, "", t, _rooms_at(model, columns, values, k, t)) for t in range(len(model.horizon.years))}
            worse = max(formed[t].over - _sum(values, overs, k, t) for t in formed)
            if worse > _SAME:
                waiting.append((worse, k, formed))
        chosen = {k: formed for _, k, formed in sorted(waiting, key=lambda w: (w[0], w[1]))[:_BATCH]}
        if not chosen:
            chosen = _raised(model, columns, held, values, loads, bound, overs)
        if not chosen:
            return None
        bound.update(chosen)
        return _bounds(model, columns, chosen)

    cost = finer.objectives["above_standard"] * _ABOVE + finer.objectives["money"]
    # of equals the nearer and the usual school, so that classes are formed where children would go anyway
    flows, demands = model.journeys.flows, model.journeys.demands
    demand = flows["demand"].to_numpy(int)
    child = (demands["total"].to_numpy(float) * np.array(model.horizon.weights, float)[demands["at"].to_numpy(int)])[demand]
    cost[: columns.flows] += child * (_NEARER * flows["minutes"].to_numpy(float) + _USUAL * ~flows["usual"].to_numpy(bool))
    return round_stepwise(held, cost, fix, steps=_STEPS, time_limit=time_limit)


def _rooms_at(model: Model, columns: Columns, values: np.ndarray, k: int, t: int) -> int:
    column = columns.rooms.get((k, "", t))
    return model.sites[k].rooms + (int(np.ceil(values[column] - _SAME)) if column is not None else 0)


def _sum(values: np.ndarray, overs: Mapping[tuple[int, int], np.ndarray], k: int, t: int) -> float:
    return float(values[overs[k, t]].sum()) if (k, t) in overs else 0.0


def _raised(
    model: Model,
    columns: Columns,
    held: Program,
    values: np.ndarray,
    loads: np.ndarray,
    bound: Mapping[int, Mapping[int, Classes]],
    overs: Mapping[tuple[int, int], np.ndarray],
) -> dict[int, dict[int, Classes]]:
    """Give schools that are bound and still have children above the standard one more room, the worst first."""
    found = []
    for k, formed in sorted(bound.items()):
        more, worst = dict(formed), 0.0
        for t, classes in formed.items():
            column = columns.rooms.get((k, "", t))
            most = model.sites[k].rooms + (round(float(held.upper[column])) if column is not None else 0)
            over = _sum(values, overs, k, t)
            if over > _SAME and classes.rooms < most:
                more[t] = formed_at(model, {}, loads, k, "", t, classes.rooms + 1)
                worst = max(worst, over)
        if worst:
            found.append((-worst, k, more))
    return {k: more for _, k, more in sorted(found, key=lambda w: (w[0], w[1]))[:_BATCH]}


def _bounds(model: Model, columns: Columns, chosen: Mapping[int, Mapping[int, Classes]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    places, counts = [], []
    for key, column in columns.classes.items():
        if key[0] in chosen:
            places.append(column)
            counts.append(chosen[key[0]][key[2]].classes.get((key[3],), 0))
    for run, column in columns.runs.items():
        if run[0] in chosen:
            places.append(column)
            counts.append(chosen[run[0]][run[2]].classes.get(run[3], 0))
    return np.array(places), np.array(counts, float), np.array(counts, float)
