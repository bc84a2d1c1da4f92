"""What one thing less would mean: a plan without one of its sites, with the next-best site instead, with a room or a bed less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layout.built import Built, formed_at
from layout.programme import Model, bed_year, floor_money, funded_pupils, grade_sums, room_year, site_year
from layout.siting import least_pupils, part_grades

# a share of a demand below this is rounding error
_SHARE = 1e-6


@dataclass(frozen=True)
class Loss:
    """Children and minutes that a change adds, over the school years of the horizon; ``minutes`` of those concerned, one way."""

    without_place: float
    beyond_limit: float
    excess_minutes: float
    minutes: float
    children: float


@dataclass(frozen=True)
class Rival:
    """The next-best site for the children of a new school: its number and what it would add to the levels; too few children to open."""

    site: int
    loss: Loss
    too_few: bool


def loss_without(model: Model, built: Built, site: int, *, instead: int | None = None) -> Loss:
    """Say what becomes of the children of a new school without it, or with another site instead.

    Parameters
    ----------
    model, built
        The plan.
    site
        A new school.
    instead
        A candidate that is open for the same years and grades in its place.

    Returns
    -------
    Loss
        Each child goes to the best that remains: within the limit by day, else by boarding, else with fewest minutes beyond the limit, else
        nowhere. Seats and beds there are not counted, so the loss is a lower bound.
    """
    flows, demands, weights = model.journeys.flows, model.journeys.demands, np.array(model.horizon.weights, float)
    mine = np.flatnonzero((flows["site"].to_numpy(int) == site) & (built.shares > _SHARE))
    demand = flows["demand"].to_numpy(int)
    concerned = {int(d): float(s) for d, s in zip(demand[mine], built.shares[mine], strict=True)}
    at, total, first = (demands[c].to_numpy() for c in ("at", "total", "first"))
    beyond, excess, minutes = (flows[c].to_numpy(float) for c in ("beyond", "excess", "minutes"))
    best: dict[int, tuple[float, float, float, float, float]] = {}
    boards = (flows["mode"] == "board").to_numpy(float)
    where, full = flows["site"].to_numpy(int), flows["mode"].isin(["board", "seat"]).to_numpy(bool)
    for j in np.flatnonzero(np.isin(demand, list(concerned))):
        d, k = int(demand[j]), int(where[j])
        if k == site:
            continue
        there = model.sites[k]
        if not there.existing:
            parts = built.parts.get((site if k == instead else k, int(at[d])), ())
            if first[d] not in part_grades(parts) or (full[j] and not {"primary", "junior"} & set(parts)):
                continue
        each = (0.0, float(beyond[j]), float(excess[j]), float(boards[j]), float(minutes[j]))
        best[d] = min(best.get(d, (1.0, 0.0, 0.0, 0.0, 0.0)), each)
    now = {int(demand[j]): (beyond[j], excess[j], minutes[j]) for j in mine}
    sums = np.zeros(5)
    for d, share in concerned.items():
        none, late, over, _, way = best.get(d, (1.0, 0.0, 0.0, 0.0, 0.0))
        children = share * float(total[d]) * weights[at[d]]
        sums += children * np.array([none, late - now[d][0] * (1 - none), over - now[d][1] * (1 - none), way - now[d][2] if not none else 0.0, 1.0])
    return Loss(*(float(x) for x in sums))


def next_best(model: Model, built: Built, site: int) -> Rival | None:
    """Find the best candidate that is not opened for the children of a new school.

    Parameters
    ----------
    model, built, site
        The plan and a new school.

    Returns
    -------
    Rival or None
        Least in the order of the levels, then minutes, then id; None where no other candidate is near any of the children.
    """
    flows, demands = model.journeys.flows, model.journeys.demands
    demand, where = flows["demand"].to_numpy(int), flows["site"].to_numpy(int)
    mine = np.unique(demand[(where == site) & (built.shares > _SHARE)])
    last = len(model.horizon.years) - 1
    parts = built.parts.get((site, last), ())
    taken = {k for k, _ in built.parts}
    others = sorted({int(k) for k in where[np.isin(demand, mine)] if not model.sites[k].existing and k not in taken})
    others = [k for k in others if set(parts) <= set(model.sites[k].parts)]
    found = []
    for k in others:
        loss = loss_without(model, built, site, instead=k)
        near = np.isin(demand, mine) & (where == k) & (demands["at"].to_numpy(int)[demand] == last) & ~flows["beyond"].to_numpy(bool)
        come = float(demands["total"].to_numpy(float)[np.unique(demand[near])].sum())
        too_few = come < max(least_pupils(model.standards)[p] for p in parts)
        found.append((too_few, loss.without_place, loss.beyond_limit, loss.excess_minutes, loss.minutes, k, loss))
    if not found:
        return None
    too_few, *_, k, loss = min(found, key=lambda f: f[:6])
    return Rival(k, loss, too_few)


def yearly_money(model: Model, built: Built, site: int, at: int) -> float:
    """Return what a new school costs in a plan year beyond what every child costs.

    Parameters
    ----------
    model, built, site, at
        The plan, the school, and the position of the plan year.

    Returns
    -------
    float
        Yuan a year: site, rooms, beds, staff of its classes and the running money of a small school.
    """
    parts = built.parts.get((site, at), ())
    if not parts:
        return 0.0
    money = site_year(model)[1] + sum(built.rooms.get((site, g, at), 0) * room_year(model, site, g)[1] for g in model.groups(site))
    money += built.beds.get((site, at), 0) * bed_year(model, site)[1] if (site, at) in built.beds else 0.0
    if "small" in parts:
        floor, each = floor_money(model)
        money += floor - each * min(float(grade_sums(model, built.shares)[site, at].sum()), funded_pupils(model))
    return money


def last_child(model: Model, built: Built, opened: Sequence[int]) -> dict[str, dict[str, object]]:
    """Say for each level of children what the dearest child costs: the school, yuan a year, and children a year that it spares.

    Parameters
    ----------
    model, built
        The plan.
    opened
        New schools.

    Returns
    -------
    dict
        By level: school_id, yuan_a_year, children_a_year, yuan_a_child. Levels for which nothing is built are missing.
    """
    length = model.horizon.length
    found: dict[str, list[tuple[float, str, float, float]]] = {}
    for k in opened:
        money = sum(yearly_money(model, built, k, t) * w for t, w in enumerate(model.horizon.weights)) / length
        loss = loss_without(model, built, k)
        spared = {"without_place": loss.without_place, "beyond_limit": loss.beyond_limit}
        for level, children in spared.items():
            if children > _SHARE:
                found.setdefault(level, []).append((money / (children / length), model.sites[k].school_id, money, children / length))
    loads = grade_sums(model, built.shares)
    for (k, group, t), count in sorted(built.rooms.items()):
        if not count or not model.sites[k].existing:
            continue
        now = built.classes[k, group, t]
        less = formed_at(model, built.parts, loads, k, group, t, model.sites[k].rooms + count - 1)
        if less.over - now.over > _SHARE:
            money = room_year(model, k, group)[1]
            found.setdefault("above_standard", []).append((money / (less.over - now.over), model.sites[k].school_id, money, less.over - now.over))
    out: dict[str, dict[str, object]] = {}
    for level, prices in sorted(found.items()):
        price, school, money, children = max(prices)
        out[level] = {
            "school_id": school, "yuan_a_year": round(money), "children_a_year": round(children, 2), "yuan_a_child": round(price),
        }  # fmt: skip
    return out
