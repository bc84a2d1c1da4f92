"""The years in which no new school can serve yet: how many children sit above the standard whatever is built, whole classes counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from layout.built import Built, evaluate
from layout.programme import Model, write_programme
from layout.programs import NoSolutionError, price, solve
from layout.siting import Journeys

_CHILD = 0.999
# branch-and-bound nodes of a year: counted work, so the answer does not depend on the machine
_NODES = 20
_FIRST = ("without_place", "beyond_limit", "excess_minutes")


def least_above(model: Model, built: Built, *, time_limit: float = 300.0) -> float:
    """Bound the children above the standard in the years before the first new school.

    Parameters
    ----------
    model, built
        The plan.
    time_limit
        Seconds for each search, a guard only.

    Returns
    -------
    float
        Child-years above the standard that no plan can avoid that is as good as this one on the levels before; those of later years count
        nothing.

    References
    ----------
    Without new schools, and with all rooms and beds that may be added, a year does not depend on the others on the levels of children. Its
    programme has whole classes everywhere.
    """
    values, bound = evaluate(model, built), 0.0
    for t, year in enumerate(model.horizon.years):
        early = all(s.existing or s.first_year > year for s in model.sites)
        if early and values["above_standard"][t] > _CHILD:
            bound += _year(model, t, {name: values[name][t] for name in _FIRST}, time_limit)
    return bound


def _year(model: Model, t: int, reached: dict[str, float], time_limit: float) -> float:
    year = write_programme(year_of(model, t))
    above = year.objectives["above_standard"]
    try:
        found = price(year.program, {**{name: year.objectives[name] for name in _FIRST}, "above_standard": above}, reached, time_limit=time_limit)
        if found.levels:
            # whole rooms or beds cost something on a level before: what one year may then trade against another is not known
            return 0.0
        program = replace(year.program, lower=found.lower, upper=found.upper)
        answer = solve(program, {"above": above}, absolute_gaps={"above": _CHILD}, work_limit=_NODES, time_limit=time_limit)
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
