"""The search for buildings: what opens, grows and gets beds in which year, who goes where then, and what is proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from layout.built import Built, evaluate, whole_plan
from layout.early_years import relieved
from layout.few_schools import Whole, improved, level_bound, whole_classes
from layout.programme import LEVELS, MONEY, Model, Programme, write_programme
from layout.programs import solve
from layout.rounding import rounded
from layout.settling import settled
from layout.solver import Level, NoSolutionError, Solution

# how much of a child or a class is rounding error
_SAME = 1e-6
# how far, relative to its value, a level that is held may be passed: what its row is loosened by, and the solver's tolerance
_HELD = 1e-5
# levels of children may stop below one child-year of the bound
_CHILD = 0.999
# with so many flows at most the classes of every school are whole from the start; beyond it those of schools of today are rounded
_EXACT = 3000
# relative gap of the money of values that are looked for on the way to seats
_ROUGH = 0.1
# with more flows than this the levels of seats and money are not searched but bounded
_LARGE = 60_000
# and with more than this excess minutes have the gap asked for
_HUGE = 150_000
_PUPIL_LEVELS = ("without_place", "beyond_limit", "above_standard")
# what the plan came to on each level when a bound was asked for, and the bound
_Asked = tuple[Mapping[str, float], float]


@dataclass(frozen=True)
class Search:
    """What was found, level by level with what is proven, the values of the levels by plan year, and the size of the program."""

    built: Built
    levels: tuple[Level, ...]
    by_year: Mapping[str, tuple[float, ...]]
    columns: int
    whole_columns: int
    rows: int
    status: str


def search(model: Model, *, gap: float, work_limit: int | None, time_limit: float) -> Search:
    """Solve the levels of children and money over all years, then minutes and change for the buildings found.

    Parameters
    ----------
    model
        Children, sites, years, figures.
    gap
        Relative gap for money, in small and in very large counties for excess minutes too; 0 asks for a proof on every level.
    work_limit, time_limit
        As in :func:`layout.programs.solve`.

    Returns
    -------
    Search
        Its plan meets every constraint with whole classes, rooms and beds.

    Raises
    ------
    NoSolutionError
        If a limit ended the search before anything was found.
    """
    small = len(model.journeys.flows) <= _EXACT or bool(model.budget)
    exact = {k for k, site in enumerate(model.sites) if small or not site.existing}
    absolute = {name: _CHILD if gap else _SAME for name in _PUPIL_LEVELS}
    programme = write_programme(model, exact=exact)
    # money is searched once classes are whole, a few schools at a time; in the largest counties seats too
    relaxed = () if small else ("above_standard", "money") if len(model.journeys.flows) > _LARGE else ("money",)
    found = solve(
        programme.program, programme.objectives, gap=gap, absolute_gaps=absolute, work_limit=work_limit, time_limit=time_limit, relaxed=relaxed,
        relative_gaps={} if small else {"excess_minutes": gap if len(model.journeys.flows) > _HUGE else 0.0, "money": max(gap, _ROUGH)},
    )  # fmt: skip
    least: dict[str, float] = {}
    asked: Mapping[str, _Asked] = {}
    ended, whole = found.status, None
    if small:
        built = whole_plan(model, programme, found)[0]
    else:
        built = settled(model, rounded(model, programme, found, time_limit=time_limit), later=False, time_limit=time_limit)[0]
        whole = _whole(model, programme, built, time_limit)
        if whole is None:
            built, least["above_standard"] = relieved(model, built, time_limit=time_limit)
        else:
            built, least["above_standard"], asked, ended = _few_at_a_time(model, programme, whole, built, found, absolute, gap, time_limit)
    built, later, status = settled(model, built, time_limit=time_limit)
    by_year = evaluate(model, built)
    if whole is not None:
        sums = {name: sum(values) for name, values in by_year.items()}
        before, known = asked.get("money", ({}, -np.inf))
        least["money"] = known if before and _as_good(sums, before) else _bound(whole, "money", sums, None, gap, time_limit)
    levels: list[Level] = []
    slack = _slack(found.levels, {name: sum(values) for name, values in by_year.items()})
    for level in found.levels:
        bound = level if np.isfinite(slack[level.name]) else replace(level, bound=0.0)
        levels.append(_reached(bound, least.get(level.name, -np.inf), sum(by_year[level.name]), absolute.get(level.name), gap))
    status = ended if ended != "optimal" else status
    status = "search" if status == "optimal" and any(level.status == "search" for level in levels) else status
    program = programme.program
    return Search(built, (*levels, *later), by_year, len(program.lower), int(program.integer.sum()), len(program.row_lower), status)


def record(model: Model, found: Search) -> dict[str, object]:
    """Return what a reader needs to judge the search: levels with bounds, by year too, size, and what stopped it.

    Parameters
    ----------
    model, found
        From :func:`search`.

    Returns
    -------
    dict
        Numbers and text only. Children and minutes count once a school year: a plan year as often as the school years it speaks
        for. Money is yuan over these years. Minutes and change are optimal for the buildings chosen, not over all buildings. A level is ``optimal``
        only where its value in the plan is within the gap asked for of its bound; ``search``: the best that was found lies farther from it.
    """
    scale = {"money": MONEY}
    levels = []
    for level in found.levels:
        one = scale.get(level.name, 1.0)
        levels.append({
            "name": level.name, "objective": round(level.objective * one, 6), "bound": round(level.bound * one, 6),
            "gap": round(level.gap * one, 6), "status": level.status,
        })  # fmt: skip
    years = {
        str(year): {name: round(values[t] * scale.get(name, 1.0) / weight, 3) for name, values in found.by_year.items()}
        for t, (year, weight) in enumerate(zip(model.horizon.years, model.horizon.weights, strict=True))
    }
    return {
        "levels": levels, "years": years, "weights": dict(zip(map(str, model.horizon.years), model.horizon.weights, strict=True)),
        "columns": found.columns, "whole_columns": found.whole_columns, "rows": found.rows, "stopped_by": found.status,
    }  # fmt: skip


def _few_at_a_time(
    model: Model, programme: Programme, whole: Whole, built: Built, found: Solution, absolute: Mapping[str, float], gap: float, time_limit: float
) -> tuple[Built, float, Mapping[str, _Asked], str]:  # fmt: skip
    """Search a few schools at a time, for seats until what is left is proven, for money until the gap asked for is.

    Returns the plan, the fewest child-years above the standard, the bounds that were asked for on the way, and what ended the search.
    """
    bounds = {level.name: level.bound for level in found.levels}
    enough = {"above_standard": bounds["above_standard"] + absolute["above_standard"], "money": bounds["money"] * (1.0 + gap)}
    asked: dict[str, _Asked] = {}

    def proven(level: str, sums: Mapping[str, float]) -> float:
        asked[level] = sums, _bound(whole, level, sums, absolute.get(level), gap, time_limit)
        return asked[level][1] + absolute[level] if level in absolute else asked[level][1] * (1.0 + gap)

    built, seats_ended = improved(model, built, whole, seats=True, enough=enough, proven=proven, time_limit=time_limit)
    sums = {name: sum(values) for name, values in evaluate(model, built).items()}
    least = asked["above_standard"][1] if "above_standard" in asked else -np.inf
    if sums["above_standard"] > max(enough["above_standard"], least + absolute["above_standard"]):
        # years alone are bounded only where nothing is known of all together
        face, slack = (None, None) if np.isfinite(least) else (whole.program, _slack(found.levels, sums))
        built, early = relieved(model, built, parts=programme, face=face, slack=slack, time_limit=time_limit)
        least = max(least, early)
    # what relieves an early year costs more than it need: money comes last, and ends where the gap asked for is proven, whatever seats are not
    built, money_ended = improved(
        model, built, whole, seats=False, enough=enough | {"above_standard": np.inf}, proven=proven, time_limit=time_limit
    )  # fmt: skip
    ended = [status for status in (money_ended, seats_ended, found.status) if status != "optimal"]
    return built, least, asked, ended[0] if ended else "optimal"


def _whole(model: Model, programme: Programme, built: Built, time_limit: float) -> Whole | None:
    try:
        return whole_classes(model, programme, built, time_limit=time_limit)
    except NoSolutionError:
        return None


def _bound(whole: Whole, level: str, sums: Mapping[str, float], absolute: float | None, gap: float, time_limit: float) -> float:
    """Bound a level among all plans that are as good on those before, as far as the gap asks for; nothing is known where that was stopped."""
    try:
        enough = sums[level] / (1.0 + gap) if absolute is None else sums[level] - absolute
        return level_bound(whole, level, sums, enough=enough, time_limit=time_limit)
    except NoSolutionError:
        return -np.inf


def _as_good(now: Mapping[str, float], then: Mapping[str, float]) -> bool:
    """Say whether two plans come to the same on the levels before money, so that a bound among plans as good as the one holds for the other."""
    return all(abs(now[name] - then.get(name, 0.0)) <= _SAME * max(1.0, then.get(name, 0.0)) for name in LEVELS[:-1])


def _slack(levels: Sequence[Level], sums: Mapping[str, float]) -> dict[str, float]:
    """Return by how much each level lies above its bound; infinite where the bound does not hold for the plan.

    A bound of the search holds among plans that reach what it reached on the levels before.
    """
    out, holds = {}, True
    for level in levels:
        out[level.name] = sums[level.name] - level.bound if holds else np.inf
        holds = holds and sums[level.name] <= level.objective + _HELD * max(1.0, abs(level.objective))
    return out


def _reached(level: Level, least: float, objective: float, absolute: float | None, gap: float) -> Level:
    """Put a level's value in the plan beside its bound: proven where they are within the gap asked for, else what was searched."""
    slip = _SAME * max(1.0, abs(objective))
    # no level is below 0; a bound above what the plan reaches is none: it is set aside, never taken for a proof
    bound = min(max([0.0, *(b for b in (level.bound, least) if b <= objective + slip)]), objective)
    within = objective - bound <= (gap * abs(objective) if absolute is None else absolute) + slip
    unproven = "search" if level.status in ("optimal", "relaxed") else level.status
    return replace(level, objective=objective, bound=bound, gap=objective - bound, status="optimal" if within else unproven)
