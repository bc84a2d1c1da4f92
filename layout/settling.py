"""Who goes where once the buildings stand: fewest minutes, then least change, without loss on the levels before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from layout.built import Built, groups_at, trimmed
from layout.programme import DAYS_A_WEEK, LEVELS, MONEY, Model, floor_money, flow_money
from layout.programs import solve
from layout.siting import largest_size, least_pupils, part_grades
from layout.solver import Level, Program, sparse_rows
from layout.tables import GRADES

_LATER = ("minutes", "change")


def settled(model: Model, built: Built, *, later: bool = True, time_limit: float = 300.0) -> tuple[Built, tuple[Level, ...], str]:
    """Send children where they have fewest minutes, then least change, without loss on any level before, year by year.

    Parameters
    ----------
    model, built
        The plan; its openings, classes and beds stand.
    later
        Whether minutes and change count at all.
    time_limit
        Seconds for a year, a guard only.

    Returns
    -------
    tuple
        The plan without the rooms and beds that are then idle, the levels of minutes and change, and what stopped the search.

    References
    ----------
    Objective: the levels of :func:`layout.placement.propose`, from the first to the last; a linear programme a year.
    """
    demands = model.journeys.demands
    shares, none = built.shares.copy(), built.none.copy()
    sums = dict.fromkeys(_LATER if later else (), 0.0)
    classes, status = dict(built.classes), "optimal"
    for t, weight in enumerate(model.horizon.weights):
        rows = np.flatnonzero(demands["at"].to_numpy(int) == t)
        if not len(rows):
            continue
        settling = _settling(model, built, t, rows)
        found = solve(settling[0], {name: cost for name, cost in settling[1].items() if later or name not in _LATER}, time_limit=time_limit)
        flow, overs = settling[2], settling[3]
        status = found.status if found.status != "optimal" else status
        shares[np.isin(model.journeys.flows["demand"].to_numpy(int), rows)] = 0.0
        shares[flow] = np.clip(found.values[: len(flow)], 0.0, 1.0)
        none[rows] = np.clip(found.values[len(flow) : len(flow) + len(rows)], 0.0, 1.0)
        for (k, group), at in overs.items():
            classes[k, group, t] = replace(classes[k, group, t], over=float(found.values[at].sum()))
        for level in found.levels:
            if level.name in sums:
                sums[level.name] += level.objective * weight
    ended = tuple(
        Level(name, total, total if status == "optimal" else -np.inf, 0.0 if status == "optimal" else np.inf, status) for name, total in sums.items()
    )
    return trimmed(model, replace(built, shares=shares, none=none, classes=classes)), ended, status


_Settling = tuple[Program, dict[str, np.ndarray], np.ndarray, dict[tuple[int, str], np.ndarray]]


def _settling(model: Model, built: Built, t: int, rows: np.ndarray) -> _Settling:
    """Write the linear program of one year once the buildings stand."""
    flows, demands = model.journeys.flows, model.journeys.demands
    place = {int(d): i for i, d in enumerate(rows)}
    demand = flows["demand"].to_numpy(int)
    keep = np.isin(demand, rows)
    # what is not open takes nobody
    for k in {int(s) for s in flows["site"].to_numpy(int)[keep]}:
        if not model.sites[k].existing:
            parts = built.parts.get((k, t), ())
            mine = keep & (flows["site"].to_numpy(int) == k)
            first = demands["first"].to_numpy(int)[demand]
            full = np.isin(flows["mode"].to_numpy(str), ["board", "seat"])
            able = np.isin(first, part_grades(parts)) & (~full | np.isin(first, part_grades([p for p in parts if p in ("primary", "junior")])))
            keep &= ~mine | able
    flow = np.flatnonzero(keep)
    table, line = flows.iloc[flow], np.array([place[int(d)] for d in demand[flow]], int)
    pupils = demands[list(GRADES)].to_numpy(float)[demand[flow]]
    total = demands["total"].to_numpy(float)
    width = len(flow) + len(rows)
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = [
        (np.concatenate([line, np.arange(len(rows))]), np.arange(width), np.ones(width)),
    ]
    low, high = [1.0] * len(rows), [1.0] * len(rows)
    overs: dict[tuple[int, str], list[int]] = {}
    site, mode, band = table["site"].to_numpy(int), table["mode"].to_numpy(str), demands["band"].to_numpy(str)[demand[flow]]
    child = total[demand[flow]]

    def row(columns: np.ndarray, values: np.ndarray, least: float, most: float) -> None:
        entries.append((np.full(len(columns), len(low)), columns, values))
        low.append(least)
        high.append(most)

    order = np.argsort(site, kind="stable")
    bounds = np.flatnonzero(np.diff(site[order])) + 1
    for mine in np.split(order, bounds) if len(order) else []:
        k = int(site[mine[0]])
        for group in groups_at(model, built.parts, k, t):
            for grades, count in built.classes[k, group, t].classes.items():
                seats = count * (model.size(k, group, grades[0], t) if len(grades) == 1 else model.mixed_size(k, group, t))
                load = pupils[np.ix_(mine, np.array(grades) - 1)].sum(axis=1)
                row(np.append(mine, width), np.append(load, -1.0), -np.inf, seats)
                overs.setdefault((k, group), []).append(width)
                width += 1
        if built.beds.get((k, t), 0) or model.sites[k].beds or (mode[mine] == "board").any():
            boards = mine[mode[mine] == "board"]
            row(boards, child[boards], -np.inf, float(model.sites[k].beds + built.beds.get((k, t), 0)))
        _size_rows(model, built, k, t, mine, child, mode, band, row)
    matrix = sparse_rows(len(low), width, *entries)
    costs = _settling_costs(model, built, t, flow, rows, width, overs)
    upper = np.ones(width)
    upper[len(flow) + len(rows) :] = np.inf
    program = Program(np.zeros(width), upper, np.zeros(width, bool), matrix, np.array(low), np.array(high))
    return program, costs, flow, {key: np.array(columns) for key, columns in overs.items()}


def _size_rows(model: Model, built: Built, k: int, t: int, mine: np.ndarray, child: np.ndarray, mode: np.ndarray, band: np.ndarray, row) -> None:  # type: ignore[no-untyped-def]
    if model.sites[k].existing:
        row(mine, child[mine], -np.inf, largest_size(model.sites[k], model.standards))
        return
    parts, least = built.parts[k, t], least_pupils(model.standards)
    primary = mine[(band[mine] != "junior") & (mode[mine] != "board")]
    # the figure of the role: parts are in order, so that of further primary grades comes last
    needs = [least[p] for p in parts if p != "junior"]
    if needs:
        row(primary, child[primary], needs[-1], np.inf)
    if "junior" in parts:
        junior = mine[band[mine] == "junior"]
        row(junior, child[junior], least["junior"], np.inf)
    both = "primary" in parts and "junior" in parts
    key = "layout.small_school.max" if "small" in parts else "size.max.nine_year" if both else "size.max.primary_junior"
    row(mine, child[mine], -np.inf, model.standards[key])


def _settling_costs(
    model: Model, built: Built, t: int, flow: np.ndarray, rows: np.ndarray, width: int, overs: Mapping[tuple[int, str], Sequence[int]]
) -> dict[str, np.ndarray]:
    flows, demands = model.journeys.flows.iloc[flow], model.journeys.demands
    child = demands["total"].to_numpy(float)[flows["demand"].to_numpy(int)]
    out = {name: np.zeros(width) for name in (*LEVELS, *_LATER)}
    many = slice(0, len(flow))
    out["without_place"][len(flow) : len(flow) + len(rows)] = demands["total"].to_numpy(float)[rows]
    out["beyond_limit"][many] = child * flows["beyond"].to_numpy(float)
    out["excess_minutes"][many] = child * flows["excess"].to_numpy(float)
    for columns in overs.values():
        out["above_standard"][list(columns)] = 1.0
    # a school beyond the pupils whom the floor pays for saves nothing by another one
    whole = model.standards["layout.small_school.max"] <= model.standards["fund.small_floor"]
    small = np.array([whole and "small" in built.parts.get((int(k), t), ()) for k in flows["site"]], bool)
    out["money"][many] = child * (flow_money(model)[flow] - np.where(small, floor_money(model)[1], 0.0)) / MONEY
    weekly = np.where(flows["mode"] == "board", 1 / DAYS_A_WEEK, 1.0)
    out["minutes"][many] = child * flows["minutes"].to_numpy(float) * weekly
    out["change"][many] = child * ~flows["usual"].to_numpy(bool)
    return out
