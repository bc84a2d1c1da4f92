"""The years in which no new school can serve yet: how few children can sit above the standard, whole classes counted, and where they go then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from layout.built import Built, evaluate, whole_plan
from layout.programme import Model, Programme, write_programme
from layout.programs import NoSolutionError, Solution, price, solve
from layout.siting import Journeys

# how much of a child is rounding error
_SAME = 1e-6
_CHILD = 0.999
# branch-and-bound nodes of the search for a bound and of that for a plan: counted work, so the answer does not depend on the machine
_BOUND_NODES, _PLAN_NODES = 20, 300
# children above the standard that ten thousand yuan weigh in the search for a plan
_MONEY = 1e-3
_FIRST = ("without_place", "beyond_limit", "excess_minutes")


def relieved(model: Model, built: Built, *, time_limit: float = 300.0) -> tuple[Built, float]:
    """Search the years before the first new school for fewer children above the standard, and bound them.

    Parameters
    ----------
    model, built
        The plan.
    time_limit
        Seconds for each search, a guard only.

    Returns
    -------
    tuple of Built and float
        The plan with no more children above the standard in any year, as good on the levels before, and how many child-years above the
        standard no plan can avoid that is as good on those. Rooms and beds that it adds stay.

    References
    ----------
    Without new schools, and with all rooms and beds that may be added, a year does not depend on the others on the levels of children. Its
    programme has whole classes everywhere. Other years count nothing here.
    """
    bound = 0.0
    for t, year in enumerate(model.horizon.years):
        if any(not s.existing and s.first_year <= year for s in model.sites):
            continue
        values = evaluate(model, built)
        reached = {name: values[name][t] for name in (*_FIRST, "above_standard")}
        if reached["above_standard"] <= _CHILD:
            continue
        built, least = _year(model, built, t, reached, time_limit)
        bound += least
    return built, bound


def _year(model: Model, built: Built, t: int, reached: dict[str, float], time_limit: float) -> tuple[Built, float]:
    part, flow, rows = year_of(model, t)
    year = write_programme(part)
    try:
        found = price(year.program, {name: year.objectives[name] for name in (*_FIRST, "above_standard")}, reached, time_limit=time_limit)
    except NoSolutionError:
        return built, 0.0
    if found.levels:
        # whole rooms or beds cost something on a level before: what one year may then trade against another is not known
        return built, 0.0
    program = replace(year.program, lower=found.lower, upper=found.upper)
    above = year.objectives["above_standard"]
    least = found.value
    try:
        sure = solve(program, {"above": above}, absolute_gaps={"above": _CHILD}, work_limit=_BOUND_NODES, time_limit=time_limit)
        least = max(least, sure.levels[0].bound)
        cost = above + _MONEY * year.objectives["money"]
        better = solve(program, {"above": cost}, absolute_gaps={"above": _CHILD}, work_limit=_PLAN_NODES, time_limit=time_limit, start=sure.values)
    except NoSolutionError:
        return built, least
    for answer in (better, sure):
        again = _with_year(model, part, year, built, t, flow, rows, answer.values)
        values = {name: sums[t] for name, sums in evaluate(model, again).items()}
        if values["above_standard"] < reached["above_standard"] - _SAME and all(values[n] <= reached[n] * (1 + _SAME) + _SAME for n in _FIRST):
            return again, least
    return built, least


def year_of(model: Model, t: int) -> tuple[Model, np.ndarray, np.ndarray]:
    """Cut one plan year out of a model.

    Parameters
    ----------
    model, t
        The model and the position of the year.

    Returns
    -------
    tuple
        The model of that year alone, and which flows and demands it has.
    """
    demands, flows = model.journeys.demands, model.journeys.flows
    demand = flows["demand"].to_numpy(int)
    rows = np.flatnonzero(demands["at"].to_numpy(int) == t)
    flow = np.flatnonzero(np.isin(demand, rows))
    place = np.full(len(demands), -1)
    place[rows] = np.arange(len(rows))
    some = Journeys(demands.iloc[rows].reset_index(drop=True), flows.iloc[flow].assign(demand=place[demand[flow]]).reset_index(drop=True))
    return replace(model, journeys=some, only=(t,)), flow, rows


def _with_year(model: Model, part: Model, year: Programme, built: Built, t: int, flow: np.ndarray, rows: np.ndarray, values: np.ndarray) -> Built:
    again, _ = whole_plan(part, year, Solution(values, (), "optimal"))
    shares, none = built.shares.copy(), built.none.copy()
    shares[flow], none[rows] = again.shares, again.none
    rooms, beds = dict(built.rooms), dict(built.beds)
    for later in range(t, len(model.horizon.years)):
        for (k, group, _), count in again.rooms.items():
            if (k, group, later) in rooms:
                rooms[k, group, later] = count if later == t else max(rooms[k, group, later], count)
        for (k, _), count in again.beds.items():
            if (k, later) in beds:
                beds[k, later] = count if later == t else max(beds[k, later], count)
    return replace(built, shares=shares, none=none, classes={**built.classes, **again.classes}, rooms=rooms, beds=beds)
