"""A plan of buildings: what stands in which plan year, its classes, who goes where, and what that comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from layout.classrooms import Classes, form_classes
from layout.programme import MONEY, Columns, Model, Programme, bed_year, floor_money, flow_money, funded_pupils, grade_sums, room_year, site_year
from layout.siting import PARTS, part_grades, role_of
from layout.solver import Solution

# how much of a child or a class is rounding error
_SAME = 1e-6
# a whole column above this is one
_CHOSEN = 0.5
_Key = TypeVar("_Key", bound=tuple)  # type: ignore[type-arg]


@dataclass(frozen=True)
class Built:
    """A plan: what stands in which plan year (``t``: its position), and who goes where.

    ``parts`` (site, t): parts of a new school that are open. ``rooms`` (site, group, t) and ``beds`` (site, t): added by then.
    ``classes`` (site, group, t). ``shares``: of its demand that each flow takes. ``none``: share of each demand without a place.
    """

    parts: Mapping[tuple[int, int], tuple[str, ...]]
    rooms: Mapping[tuple[int, str, int], int]
    beds: Mapping[tuple[int, int], int]
    classes: Mapping[tuple[int, str, int], Classes]
    shares: np.ndarray
    none: np.ndarray


def evaluate(model: Model, built: Built) -> dict[str, tuple[float, ...]]:
    """Count what a plan comes to on each level, plan year by plan year.

    Parameters
    ----------
    model, built
        Children, sites, years, figures; and the plan.

    Returns
    -------
    dict
        By level (without_place, beyond_limit, excess_minutes, above_standard, money in ten thousand yuan): one sum a plan year, the
        school years it speaks for counted.
    """
    flows, demands, horizon = model.journeys.flows, model.journeys.demands, model.horizon
    at, total = demands["at"].to_numpy(int), demands["total"].to_numpy(float)
    demand = flows["demand"].to_numpy(int)
    child = total[demand] * built.shares
    years = len(horizon.years)

    def by_year(values: np.ndarray, when: np.ndarray) -> np.ndarray:
        return np.bincount(when, values, minlength=years)[:years]

    out = {
        "without_place": by_year(total * built.none, at),
        "beyond_limit": by_year(child * flows["beyond"].to_numpy(float), at[demand]),
        "excess_minutes": by_year(child * flows["excess"].to_numpy(float), at[demand]),
        "above_standard": np.zeros(years), "money": by_year(child * flow_money(model), at[demand]),
    }  # fmt: skip
    for (_, _, t), formed in built.classes.items():
        out["above_standard"][t] += formed.over
    loads = grade_sums(model, built.shares)
    floor, each = floor_money(model)
    for (k, t), parts in built.parts.items():
        if parts:
            out["money"][t] += site_year(model)[1]
        if "small" in parts:
            out["money"][t] += floor - each * min(float(loads[k, t].sum()), funded_pupils(model))
    for (k, group, t), count in built.rooms.items():
        out["money"][t] += count * room_year(model, k, group)[1]
    for (k, t), count in built.beds.items():
        out["money"][t] += count * bed_year(model, k)[1]
    out["money"] /= MONEY
    return {name: tuple(float(v) * w for v, w in zip(values, horizon.weights, strict=True)) for name, values in out.items()}


def without_idle_beds(model: Model, built: Built, boarders: Mapping[tuple[str, int], int]) -> Built:
    """Take back the new beds in which nobody sleeps.

    Parameters
    ----------
    model, built
        The plan.
    boarders
        Boarders by school and year.

    Returns
    -------
    Built
        The same with at most as many beds; what is built stays, so a bed stands from the first year that needs it, or where there
        are budgets from the year that paid for it.
    """
    needed = {
        (k, t): min(count, max(boarders.get((model.sites[k].school_id, model.horizon.years[t]), 0) - model.sites[k].beds, 0))
        for (k, t), count in built.beds.items()
    }
    return replace(built, beds=_standing(model, needed, built.beds))


def _standing(model: Model, needed: Mapping[_Key, int], built: Mapping[_Key, int]) -> dict[_Key, int]:
    """Return the rooms or beds, by keys that end with the plan year, that stand when only what is needed in some year is built.

    What is built stays. Without budgets it is built in the first year that needs it; a budget may have made it come sooner.
    """
    out: dict[Any, int] = {}
    most: dict[Any, int] = {}
    for key, count in needed.items():
        most[key[:-1]] = max(most.get(key[:-1], 0), count)
    for key in sorted(needed):
        before = out.get((*key[:-1], key[-1] - 1), 0)
        early = min(built.get(key, 0), most[key[:-1]]) if model.budget else 0
        out[key] = max(needed[key], before, early)
    return out


def role_at(model: Model, built: Built, site: int, at: int) -> tuple[str, tuple[int, ...]]:
    """Return the kind and the grades of a school in a plan year.

    Parameters
    ----------
    model, built, site, at
        The plan, a site and the position of a plan year.

    Returns
    -------
    tuple
        Kind (empty where nothing is open) and grades.
    """
    there = model.sites[site]
    if there.existing:
        return there.kind, there.grades
    parts = built.parts.get((site, at), ())
    return role_of(parts), part_grades(parts)


def whole_plan(model: Model, programme: Programme, found: Solution, *, standing: Built | None = None) -> tuple[Built, set[int]]:
    """Return the plan with whole classes that an answer of the programme means.

    Parameters
    ----------
    model, programme, found
        Children and sites, the programme and its answer.
    standing
        Rooms that stand whatever the answer says; None takes those of the answer.

    Returns
    -------
    tuple of Built and set of int
        The plan, and the sites whose whole classes need more than the programme counted.
    """
    columns, values = programme.columns, found.values
    shares = values[: columns.flows]
    loads, overs = grade_sums(model, shares), over_columns(columns)
    parts: dict[tuple[int, int], tuple[str, ...]] = {}
    for (k, part, t), column in columns.state.items():
        if values[column] > _CHOSEN:
            parts[k, t] = (*parts.get((k, t), ()), part)
    parts = {key: tuple(p for p in PARTS if p in some) for key, some in sorted(parts.items())}
    rooms: dict[tuple[int, str, int], int] = {}
    classes: dict[tuple[int, str, int], Classes] = {}
    short: set[int] = set()
    for k, site in enumerate(model.sites):
        for t in model.years:
            for group in groups_at(model, parts, k, t):
                place = columns.rooms.get((k, group, t))
                before = rooms.get((k, group, t - 1), 0)
                counted = int(np.ceil(values[place] - _SAME)) if place is not None else 0
                most = counted
                if k not in programme.exact and place is not None:
                    most = round(float(programme.program.upper[place])) - sum(rooms.get((k, g, t), 0) for g in model.groups(k) if g != group)
                if standing is not None:
                    most = standing.rooms.get((k, group, t), 0)
                # what a budget made come early stays for now
                stays = max(before, counted if model.budget else 0)
                formed = formed_at(model, parts, loads, k, group, t, site.rooms + max(most, before), standing=site.rooms + stays)
                needed = max(formed.rooms - site.rooms, stays)
                if place is not None:
                    rooms[k, group, t] = needed
                classes[k, group, t] = formed
                over = float(values[overs[k, t]].sum()) if (k, t) in overs else 0.0
                if k not in programme.exact and (needed > max(counted, before) or formed.over > over + _SAME):
                    short.add(k)
    beds: dict[tuple[int, int], int] = {}
    boarders = boarders_of(model, shares)
    for (k, t), place in sorted(columns.beds.items()):
        early = round(float(values[place])) if model.budget else 0
        beds[k, t] = max(int(np.ceil(boarders[k, t] - _SAME)) - model.sites[k].beds, beds.get((k, t - 1), 0), early)
    return Built(parts, rooms, beds, classes, shares, values[columns.none]), short


def trimmed(model: Model, built: Built) -> Built:
    """Take back rooms and beds that nobody needs, with the same children in the same schools.

    Parameters
    ----------
    model, built
        The plan.

    Returns
    -------
    Built
        With no more rooms, beds or children above the standard at any school; what is built stays.
    """
    loads, boarders = grade_sums(model, built.shares), boarders_of(model, built.shares)
    classes: dict[tuple[int, str, int], Classes] = {}
    for key in sorted(built.classes):
        k, group, t = key
        classes[key] = formed_at(model, built.parts, loads, k, group, t, model.sites[k].rooms + built.rooms.get(key, 0))
    rooms = {key: max(formed.rooms - model.sites[key[0]].rooms, 0) for key, formed in classes.items() if key in built.rooms}
    beds = {(k, t): max(int(np.ceil(boarders[k, t] - _SAME)) - model.sites[k].beds, 0) for k, t in built.beds}
    return replace(built, rooms=_standing(model, rooms, built.rooms), classes=classes, beds=_standing(model, beds, built.beds))


def over_columns(columns: Columns) -> dict[tuple[int, int], np.ndarray]:
    """Return the columns of children above the standard by site and plan year.

    Parameters
    ----------
    columns
        Of a programme.

    Returns
    -------
    dict
        Column numbers.
    """
    out: dict[tuple[int, int], list[int]] = {}
    for (k, t, _), column in columns.over.items():
        out.setdefault((k, t), []).append(column)
    return {key: np.array(some) for key, some in out.items()}


def formed_at(
    model: Model, parts: Mapping[tuple[int, int], tuple[str, ...]], loads: np.ndarray, site: int, group: str, at: int, rooms: int,
    *, standing: int | None = None,
) -> Classes:  # fmt: skip
    """Form the classes of a group of rooms.

    Parameters
    ----------
    model, parts
        The plan.
    loads
        From :func:`layout.programme.grade_sums`.
    site, group, at
        Whose rooms, and the position of the plan year.
    rooms
        Rooms there are, or the most there may be.
    standing
        The fewest rooms there may be; None: as many as ``rooms``.

    Returns
    -------
    Classes
        Of the pupils of that year. Grades of a small school sit together only in fewer rooms than it has grades.
    """
    there = model.sites[site]
    grades = there.grades if there.existing else _grades_of(group, parts[site, at])
    load = {g: float(loads[site, at, g - 1]) for g in grades}
    size = {g: model.size(site, group, g, at) for g in grades}
    options = [rooms]
    if standing is not None and model.mixes(site, group) and standing < len(grades) <= rooms:
        options.append(len(grades) - 1)
    found = []
    for many in options:
        mixed = dict.fromkeys(model.runs(site, group, grades, rooms=many), model.mixed_size(site, group, at))
        found.append(form_classes(load, size, many, mixed=mixed, least=0 if there.existing else 1))
    return min(found, key=lambda c: (round(c.over, 6), c.rooms))


def boarders_of(model: Model, shares: np.ndarray) -> np.ndarray:
    """Return the boarders by site and plan year.

    Parameters
    ----------
    model, shares
        Flows and the shares they take.

    Returns
    -------
    numpy.ndarray
        Sites x years.
    """
    flows, demands = model.journeys.flows, model.journeys.demands
    out = np.zeros((len(model.sites), len(model.horizon.years)))
    demand = flows["demand"].to_numpy(int)
    boards = (flows["mode"] == "board").to_numpy(float) * demands["total"].to_numpy(float)[demand] * shares
    np.add.at(out, (flows["site"].to_numpy(int), demands["at"].to_numpy(int)[demand]), boards)
    return out


def groups_at(model: Model, parts: Mapping[tuple[int, int], tuple[str, ...]], k: int, t: int) -> tuple[str, ...]:
    """Return the groups of rooms that are in use at a site in a plan year.

    Parameters
    ----------
    model, parts
        Sites, and what is open.
    k, t
        Site and position of the plan year.

    Returns
    -------
    tuple of str
        Groups of :meth:`layout.programme.Model.groups`.
    """
    if model.sites[k].existing:
        return ("",)
    there = parts.get((k, t), ())
    return tuple(g for g in model.groups(k) if g in there)


def _grades_of(group: str, parts: Sequence[str]) -> tuple[int, ...]:
    return part_grades([p for p in parts if p in (("small", "village") if group == "small" else (group,))])
