"""The years before a school decided now can serve: how few children can sit above the standard, whole classes counted, and where they go then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy import sparse

from layout.built import Built, evaluate, trimmed, whole_plan
from layout.programme import LEVELS, Model, Programme, write_programme
from layout.programs import solve
from layout.relaxations import price
from layout.siting import Journeys
from layout.solver import NoSolutionError, Program

# how much of a child, and which share of minutes or money, is rounding error
_SAME = 1e-6
_CHILD = 0.999
# branch-and-bound nodes of a year: counted work, so the answer does not depend on the machine
_NODES = 300
# how much dearer than it need a relieved year may be: all years together are searched afterwards
_CHEAP = 0.02
_FIRST = ("without_place", "beyond_limit", "excess_minutes")


def relieved(
    model: Model, built: Built, *, parts: Programme | None = None, face: Program | None = None, slack: Mapping[str, float] | None = None,
    time_limit: float = 300.0,
) -> tuple[Built, float]:  # fmt: skip
    """Search the years before a school decided now can serve for fewer children above the standard, and bound them.

    Parameters
    ----------
    model, built
        The plan.
    parts
        The programme of all years with parts of classes at some schools.
    face
        The programme of all years, ways and children without a place that no plan uses which is as good for places and minutes left out. Without
        both nothing is bounded.
    slack
        By how much, over all years, places, children beyond the limit and their minutes lie above the least possible; None: not known.
    time_limit
        Seconds for each search, a guard only.

    Returns
    -------
    tuple of Built and float
        The plan, as good or better over all years, level by level; and how many child-years above the standard no plan can avoid that is
        as good on the levels before. Rooms and beds that an early year adds stay.

    References
    ----------
    The programme of a year alone has whole classes everywhere, all rooms and beds that may be added, and of ways and children without a place
    those of the face: it holds what any plan does in that year that is as good for places and minutes, whatever opens in it. On these levels it
    comes to no more than the plan at hand does there and could save in other years: without new schools years do not depend on each
    other, and the slack is the most; else what the plan comes to in the other years, less the least by their linear relaxation. The last is known
    only while the relaxation of the year itself comes to no less than the plan on the level before. Other years count nothing in the bound.
    The search keeps what the plan reaches in the year on the levels before, and what is open in it.
    """
    bound = 0.0
    for t, year in enumerate(model.horizon.years):
        values = evaluate(model, built)
        early = year < model.horizon.schools or all(s.existing or s.first_year > year for s in model.sites)
        if not early or values["above_standard"][t] <= _CHILD:
            continue
        part = year_of(model, t)
        whole = write_programme(part)
        least = 0.0
        if parts is not None and face is not None:
            least = _least(model, built, t, _on_face(model, t, whole, face), whole, parts, slack or {}, time_limit)
        bound += least
        if values["above_standard"][t] - least > _CHILD:
            again = _searched(model, built, t, part, _as_open(whole, built), {name: values[name][t] for name in _FIRST}, time_limit)
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


def _searched(model: Model, built: Built, t: int, part: Model, year: Programme, reached: dict[str, float], time_limit: float) -> Built:
    """Search a year for fewer children above the standard, as many on the levels before."""
    above = year.objectives["above_standard"]
    objectives = {**{name: year.objectives[name] for name in _FIRST}, "above_standard": above}
    try:
        found = price(year.program, objectives, reached, time_limit=time_limit)
        if found.levels:
            # whole rooms or beds cost something on a level before: what one year may then trade against another is not known
            return built
        program = replace(year.program, lower=found.lower, upper=found.upper)
        answer = solve(program, {"above": above}, absolute_gaps={"above": _CHILD}, work_limit=_NODES, time_limit=time_limit)
        if answer.levels[0].objective >= evaluate(model, built)["above_standard"][t] - _SAME:
            return built
        # of plans that relieve as many the cheap ones
        costs = {"above": above, "money": year.objectives["money"]}
        answer = solve(program, costs, gap=_CHEAP, absolute_gaps={"above": _CHILD}, work_limit=_NODES, time_limit=time_limit)
    except NoSolutionError:
        return built
    return _with_year(model, built, whole_plan(part, year, answer)[0], t)


def _as_open(year: Programme, built: Built) -> Programme:
    """Hold what is open where the year is the first of new schools already."""
    lower, upper = year.program.lower.copy(), year.program.upper.copy()
    for (k, name, t), column in year.columns.state.items():
        lower[column] = upper[column] = float(name in built.parts.get((k, t), ()))
    return replace(year, program=replace(year.program, lower=lower, upper=upper))


def _on_face(model: Model, t: int, year: Programme, face: Program) -> Program:
    """Leave out the ways that the face leaves out; the demands and flows of a year come in the order of all years."""
    rows = np.flatnonzero(model.journeys.demands["at"].to_numpy(int) == t)
    flows = np.flatnonzero(np.isin(model.journeys.flows["demand"].to_numpy(int), rows))
    places = np.concatenate([flows, len(model.journeys.flows) + rows])
    lower, upper = year.program.lower.copy(), year.program.upper.copy()
    lower[: len(places)], upper[: len(places)] = face.lower[places], face.upper[places]
    return replace(year.program, lower=lower, upper=upper)


def _least(
    model: Model, built: Built, t: int, program: Program, year: Programme, parts: Programme, slack: Mapping[str, float], time_limit: float
) -> float:  # fmt: skip
    """Bound the children above the standard of a year among all plans that are as good on the levels before."""
    above = year.objectives["above_standard"]
    try:
        for name, most in _allowed(model, built, t, year, parts, slack, time_limit).items():
            cost = year.objectives[name]
            scale = 1.0 / max(float(np.median(cost[cost > 0])), 1.0) if cost.any() else 1.0
            program = replace(
                program, matrix=sparse.vstack([program.matrix, sparse.csr_matrix(cost * scale)], format="csr"),
                row_lower=np.append(program.row_lower, -np.inf),
                row_upper=np.append(program.row_upper, (most + _SAME * max(1.0, most)) * scale),
            )  # fmt: skip
        answer = solve(program, {"above": above}, absolute_gaps={"above": _CHILD}, work_limit=_NODES, time_limit=time_limit)
    except NoSolutionError:
        return 0.0
    return answer.levels[0].bound


def _allowed(
    model: Model, built: Built, t: int, year: Programme, parts: Programme, slack: Mapping[str, float], time_limit: float
) -> dict[str, float]:  # fmt: skip
    """Return the most that a plan as good as the one at hand comes to in a year on the levels before; a level that is missing is not known."""
    values = evaluate(model, built)
    reached = {name: values[name][t] for name in _FIRST}
    others = {name: sum(values[name]) - values[name][t] for name in _FIRST}
    saved = {name: slack.get(name, np.inf) if not year.columns.state else np.inf for name in _FIRST}
    if any(saved[name] > _SAME * max(1.0, reached[name]) for name in _FIRST):
        later = _other_years(model, t, parts)
        found = price(parts.program, {**later, "rest": np.zeros(len(parts.program.lower))}, others, time_limit=time_limit)
        saved = {name: min(saved[name], max(others[name] - found.least[name], 0.0)) for name in _FIRST}
    most = {name: reached[name] + saved[name] for name in _FIRST}
    own = price(year.program, {name: year.objectives[name] for name in (*_FIRST, "above_standard")}, most, time_limit=time_limit)
    out: dict[str, float] = {}
    for name in _FIRST:
        out[name] = most[name]
        if own.least[name] < reached[name] - _SAME * max(1.0, reached[name]):
            break
    return out


def _other_years(model: Model, t: int, parts: Programme) -> dict[str, np.ndarray]:
    """Return what ways and children without a place cost in all years but one; nothing else costs anything on these levels."""
    at = model.journeys.demands["at"].to_numpy(int)
    away = np.ones(len(parts.program.lower))
    away[: parts.columns.flows] = at[model.journeys.flows["demand"].to_numpy(int)] != t
    away[parts.columns.none] = at != t
    return {name: parts.objectives[name] * away for name in _FIRST}


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
