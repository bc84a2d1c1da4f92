"""The years in which no new school can serve yet: how few children can sit above the standard, whole classes counted, and where they go then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy import sparse

from layout.built import Built, evaluate, trimmed, whole_plan
from layout.programme import LEVELS, Model, write_programme
from layout.programs import NoSolutionError, Program, price, solve
from layout.siting import Journeys

# how much of a child, and which share of minutes or money, is rounding error
_SAME = 1e-6
_CHILD = 0.999
# branch-and-bound nodes of a year: counted work, so the answer does not depend on the machine
_NODES = 300
# how much dearer than it need a relieved year may be: all years together are searched afterwards
_CHEAP = 0.02
_FIRST = ("without_place", "beyond_limit", "excess_minutes")


def relieved(model: Model, built: Built, *, slack: Mapping[str, float] | None = None, time_limit: float = 300.0) -> tuple[Built, float]:
    """Search the years before the first new school for fewer children above the standard, and bound them.

    Parameters
    ----------
    model, built
        The plan.
    slack
        By how much, over all years, each level before may lie above the least possible; None: nowhere.
    time_limit
        Seconds for each search, a guard only.

    Returns
    -------
    tuple of Built and float
        The plan, as good or better over all years, level by level; and how many child-years above the standard no plan can avoid that is
        as good on the levels before. Rooms and beds that an early year adds stay.

    References
    ----------
    Without new schools, and with all rooms and beds that may be added, a year does not depend on the others on the levels of children. Its
    programme has whole classes everywhere. Other years count nothing in the bound. Another plan may save elsewhere what the slack says at most,
    and spend it in this year: the bound is that of the year with so much more allowed.
    """
    bound = 0.0
    more = {name: value for name, value in (slack or {}).items() if name in _FIRST and value > _SAME * max(1.0, sum(evaluate(model, built)[name]))}
    for t, year in enumerate(model.horizon.years):
        values = evaluate(model, built)
        early = all(s.existing or s.first_year > year for s in model.sites)
        if early and values["above_standard"][t] > _CHILD:
            again, least = _year(model, built, t, {name: values[name][t] for name in _FIRST}, more, time_limit)
            bound += least
            built = again if better(evaluate(model, again), values) else built
    return built, bound


def better(one: Mapping[str, tuple[float, ...]], other: Mapping[str, tuple[float, ...]]) -> bool:
    """Say whether a plan is better than another over all years: on the first level on which they differ.

    Parameters
    ----------
    one, other
        From :func:`layout.built.evaluate`.

    Returns
    -------
    bool
        Differences below a millionth are none.

    Examples
    --------
    >>> even = dict.fromkeys(LEVELS, (0.0, 1.0))
    >>> better(even | {"above_standard": (0.0, 0.5), "money": (9.0, 9.0)}, even), better(even, even)
    (True, False)
    """
    for name in LEVELS:
        mine, its = sum(one[name]), sum(other[name])
        if abs(mine - its) > _SAME * max(1.0, abs(its)):
            return mine < its
    return False


def _year(
    model: Model, built: Built, t: int, reached: dict[str, float], more: Mapping[str, float], time_limit: float
) -> tuple[Built, float]:  # fmt: skip
    part = year_of(model, t)
    year = write_programme(part)
    above = year.objectives["above_standard"]
    objectives = {**{name: year.objectives[name] for name in _FIRST}, "above_standard": above}
    try:
        found = price(year.program, objectives, reached, time_limit=time_limit)
        if found.levels:
            # whole rooms or beds cost something on a level before: what one year may then trade against another is not known
            return built, 0.0
        program = replace(year.program, lower=found.lower, upper=found.upper)
        answer = solve(program, {"above": above}, absolute_gaps={"above": _CHILD}, work_limit=_NODES, time_limit=time_limit)
        least = max(found.value, answer.levels[0].bound)
        if answer.levels[0].objective < evaluate(model, built)["above_standard"][t] - _SAME:
            # of plans that relieve as many the cheap ones
            costs = {"above": above, "money": year.objectives["money"]}
            answer = solve(program, costs, gap=_CHEAP, absolute_gaps={"above": _CHILD}, work_limit=_NODES, time_limit=time_limit)
            built = _with_year(model, built, whole_plan(part, year, answer)[0], t)
    except NoSolutionError:
        return built, 0.0
    if more:
        least = _least_with_more(year.program, objectives, {name: reached[name] + more.get(name, 0.0) for name in _FIRST}, time_limit)
    return built, least


def _least_with_more(program: Program, objectives: Mapping[str, np.ndarray], allowed: Mapping[str, float], time_limit: float) -> float:
    """Bound the children above the standard where the levels before come to no more than is allowed."""
    if not np.isfinite(list(allowed.values())).all():
        return 0.0
    try:
        found = price(program, objectives, allowed, time_limit=time_limit)
        rows = [(objectives[name], allowed[name]) for name in found.levels]
        scale = [1.0 / max(float(np.median(cost[cost > 0])), 1.0) for cost, _ in rows]
        held = replace(
            program, lower=found.lower, upper=found.upper,
            matrix=sparse.vstack([program.matrix, *(sparse.csr_matrix(cost * s) for (cost, _), s in zip(rows, scale, strict=True))], format="csr"),
            row_lower=np.append(program.row_lower, np.full(len(rows), -np.inf)),
            row_upper=np.append(program.row_upper, [most * s for (_, most), s in zip(rows, scale, strict=True)]),
        )  # fmt: skip
        answer = solve(held, {"above": objectives["above_standard"]}, absolute_gaps={"above": _CHILD}, work_limit=_NODES, time_limit=time_limit)
    except NoSolutionError:
        return 0.0
    return max(found.value, answer.levels[0].bound)


def year_of(model: Model, t: int) -> Model:
    """Cut one plan year out of a model.

    Parameters
    ----------
    model, t
        The model and the position of the year.

    Returns
    -------
    Model
        Of the demands and flows of that year alone.
    """
    demands, flows = model.journeys.demands, model.journeys.flows
    demand = flows["demand"].to_numpy(int)
    rows = np.flatnonzero(demands["at"].to_numpy(int) == t)
    flow = np.flatnonzero(np.isin(demand, rows))
    place = np.full(len(demands), -1)
    place[rows] = np.arange(len(rows))
    some = Journeys(demands.iloc[rows].reset_index(drop=True), flows.iloc[flow].assign(demand=place[demand[flow]]).reset_index(drop=True))
    return replace(model, journeys=some, only=(t,))


def _with_year(model: Model, built: Built, again: Built, t: int) -> Built:
    """Put a year into the plan; what it adds stays as long as the plan lasts, and what nobody needs then goes."""
    rows = model.journeys.demands["at"].to_numpy(int) == t
    shares, none = built.shares.copy(), built.none.copy()
    shares[rows[model.journeys.flows["demand"].to_numpy(int)]], none[rows] = again.shares, again.none
    rooms, beds = dict(built.rooms), dict(built.beds)
    for key, count in again.rooms.items():
        rooms[key] = count
    for place, count in again.beds.items():
        beds[place] = count
    for k, group, at in sorted(rooms):
        if at > t:
            rooms[k, group, at] = max(rooms[k, group, at], rooms.get((k, group, at - 1), 0))
    for k, at in sorted(beds):
        if at > t:
            beds[k, at] = max(beds[k, at], beds.get((k, at - 1), 0))
    return trimmed(model, replace(built, shares=shares, none=none, classes={**built.classes, **again.classes}, rooms=rooms, beds=beds))
