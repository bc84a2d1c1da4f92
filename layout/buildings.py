"""The programme of buildings: its rows, its objectives, the search, and what it proves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import sparse

from layout.programs import Level, Program, Solution, solve, sparse_rows
from layout.siting import BOARDING, Form, Model, least_pupils
from layout.standards import Standards
from layout.tables import BANDS, GRADES, band_of

# a boarder's weekly way counts a fifth for each of five school days
_DAYS_A_WEEK = 5
# how much of a child or a class is rounding error
_SAME = 1e-6
# a whole column above this is one
_CHOSEN = 0.5
# levels of children may stop below one child of the bound
_CHILD = 0.999
# money is counted in ten thousand yuan inside the program, so that its figures are of the size of the others
_MONEY = 1e4


def program_of(model: Model, standards: Standards) -> Program:
    """Write the rows and the bounds of the columns.

    Parameters
    ----------
    model
        From :func:`build`.
    standards
        Class sizes, least pupils, largest schools.

    Returns
    -------
    Program
        Every column after the shares is whole.
    """
    at, forms, sites = model.at, model.forms, model.sites
    lower, upper = np.zeros(at["end"]), np.ones(at["end"])
    lower[at["forms"] : at["classes"]] = [float(sites[k].existing and len(sites[k].forms) == 1) for k, _ in forms]
    upper[at["classes"] : at["pooled"]] = [float(forms[i][1].most_rooms) for i, _ in model.classes]
    upper[at["pooled"] : at["rooms"]] = [float(f.most_rooms if f.pooled else 0) for _, f in forms]
    upper[at["rooms"] : at["beds"]] = [float(s.more_rooms) for s in sites]
    upper[at["beds"] :] = [float(s.more_beds) for s in sites]
    blocks = [
        _demand_rows(model), _seat_rows(model, standards), _pooled_rows(model, standards), _room_rows(model), _open_rows(model),
        _size_rows(model, standards), _bed_rows(model, standards),
    ]  # fmt: skip
    parts = [(sparse_rows(len(low), at["end"], *entries), low, high) for entries, low, high in blocks if len(low)]
    matrix = sparse.vstack([m for m, _, _ in parts], format="csr")
    low, high = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    return Program(lower, upper, np.arange(at["end"]) >= at["forms"], matrix, low, high)


def search(model: Model, standards: Standards, *, gap: float, work_limit: int | None, time_limit: float) -> tuple[Solution, Solution, int]:
    """Solve the levels of children and money over everything, then minutes and change for the buildings found.

    Parameters
    ----------
    model
        From :func:`build`.
    standards
        Class sizes, least pupils, largest schools, costs.
    gap, work_limit, time_limit
        As in :func:`layout.programs.solve`.

    Returns
    -------
    tuple of Solution, Solution and int
        Of the buildings, of who goes where once they stand, and the number of rows.

    Raises
    ------
    NoSolutionError
        If a limit ended the search before anything was found.
    """
    program, objectives = program_of(model, standards), objectives_of(model, standards)
    later = ("minutes", "change")
    first = {name: costs for name, costs in objectives.items() if name not in later}
    children = {name: _CHILD for name in ("without_place", "beyond_limit", "boards_though_near")}
    built = solve(program, first, gap=gap, absolute_gaps=children, work_limit=work_limit, time_limit=time_limit)
    built = _trimmed(model, built, objectives["money"], standards)
    lower, upper = program.lower.copy(), program.upper.copy()
    lower[program.integer] = upper[program.integer] = built.values[program.integer]
    fixed = replace(program, lower=lower, upper=upper, integer=np.zeros(len(lower), bool))
    settled = solve(fixed, {name: costs for name, costs in objectives.items() if name != "money"}, time_limit=time_limit)
    return built, settled, len(program.row_lower)


def site_loads(model: Model, values: np.ndarray) -> pd.DataFrame:
    """Return the pupils of each site and grade.

    Parameters
    ----------
    model
        From :func:`build`.
    values
        Columns of a solution.

    Returns
    -------
    pandas.DataFrame
        Rows by number of the site, columns grades 1 to 9; shares of children are not rounded.
    """
    flow, grade, pupils = _loads(model)
    table = np.zeros((len(model.sites), len(GRADES)))
    np.add.at(table, (model.flows["site"].to_numpy(int)[flow], grade - 1), pupils * values[flow])
    return pd.DataFrame(table, columns=list(GRADES))


def without_idle_beds(model: Model, values: np.ndarray, boarders: Mapping[str, int]) -> np.ndarray:
    """Take back the new beds in which nobody sleeps.

    Parameters
    ----------
    model
        From :func:`layout.siting.build`.
    values
        Columns of the buildings.
    boarders
        Boarders by school.

    Returns
    -------
    numpy.ndarray
        Columns with at most as many beds.
    """
    out, first = values.copy(), model.at["beds"]
    for k, site in enumerate(model.sites):
        out[first + k] = min(out[first + k], max(boarders.get(site.school_id, 0) - site.beds, 0))
    return out


def _trimmed(model: Model, built: Solution, money: np.ndarray, standards: Standards) -> Solution:
    """Take back the classes, rooms and beds that nobody needs: a gap in money may leave some."""
    at, values = model.at, built.values.copy()
    loads = site_loads(model, values).to_numpy()
    used = np.zeros(len(model.sites))
    for j, (i, g) in enumerate(model.classes):
        k, form = model.forms[i]
        if values[at["forms"] + i] < 0.5:
            continue
        needed = np.ceil(loads[k, g - 1] / _class(form, g, standards, model.year) - _SAME)
        least = 0.0 if model.sites[k].existing else 1.0
        values[at["classes"] + j] = min(values[at["classes"] + j], max(needed, least))
        used[k] += values[at["classes"] + j]
    for i, (k, form) in enumerate(model.forms):
        if values[at["forms"] + i] > 0.5 and form.pooled:
            needed = sum(loads[k, g - 1] / _class(form, g, standards, model.year) for g in form.grades)
            values[at["pooled"] + i] = min(values[at["pooled"] + i], float(np.ceil(needed - _SAME)))
            used[k] += values[at["pooled"] + i]
        used[k] += len(form.runs) * (values[at["forms"] + i] > 0.5)
    return _with_rooms(model, built, values, used, money)


def _with_rooms(model: Model, built: Solution, values: np.ndarray, used: np.ndarray, money: np.ndarray) -> Solution:
    at, flows = model.at, model.flows
    total = model.demands["total"].to_numpy(float)[flows["demand"].to_numpy(int)]
    boards = (flows["mode"] == "board").to_numpy(float) * total * values[: len(flows)]
    boarders = np.bincount(flows["site"].to_numpy(int), boards, minlength=len(model.sites))
    for k, site in enumerate(model.sites):
        whole = [f.least_rooms for i, (s, f) in enumerate(model.forms) if s == k and f.whole and values[at["forms"] + i] > 0.5]
        least = max([used[k], *whole]) if len(site.forms) > 1 and site.existing else used[k]
        values[at["rooms"] + k] = max(least - site.rooms, 0.0) if site.existing else 0.0
        values[at["beds"] + k] = max(np.ceil(boarders[k] - _SAME) - site.beds, 0.0)
    cost = float(values @ money)
    levels = tuple(
        replace(level, objective=cost, bound=min(level.bound, cost), gap=cost - min(level.bound, cost)) if level.name == "money" else level
        for level in built.levels
    )
    return replace(built, values=values, levels=levels)


def record(model: Model, rows: int, built: Solution, settled: Solution) -> dict[str, object]:
    """Return what a reader needs to judge the search: levels with bounds, size, and what stopped it.

    Parameters
    ----------
    model, built, settled
        From :func:`build` and :func:`search`.
    rows
        Number of rows of the program.

    Returns
    -------
    dict
        Numbers and text only. Minutes and change are optimal for the buildings chosen, not over all buildings.
    """
    later = [level for level in settled.levels if level.name in ("minutes", "change")]
    return {
        "levels": [_plain(level) for level in (*built.levels, *later)],
        "columns": model.at["end"], "whole_columns": model.at["end"] - model.at["forms"], "rows": rows,
        "stopped_by": built.status if built.status != "optimal" else settled.status,
    }  # fmt: skip


def _plain(level: Level) -> dict[str, object]:
    scale = _MONEY if level.name == "money" else 1.0
    return {
        "name": level.name, "objective": round(level.objective * scale, 6), "bound": round(level.bound * scale, 6),
        "gap": round(level.gap * scale, 6), "status": level.status,
    }  # fmt: skip


def objectives_of(model: Model, standards: Standards) -> dict[str, np.ndarray]:
    """Return the cost of each column on each level, the foremost first.

    Parameters
    ----------
    model
        From :func:`build`.
    standards
        Floor areas and unit costs.

    Returns
    -------
    dict
        without_place, beyond_limit, excess_minutes, boards_though_near (children), money (ten thousand yuan), minutes, change
        (children).
    """
    at, flows = model.at, model.flows
    total = model.demands["total"].to_numpy(float)
    weight = total[flows["demand"].to_numpy(int)]
    names = ("without_place", "beyond_limit", "excess_minutes", "boards_though_near", "money", "minutes", "change")
    out = {name: np.zeros(at["end"]) for name in names}
    out["without_place"][at["none"] : at["forms"]] = total
    many = slice(0, len(flows))
    out["beyond_limit"][many] = weight * flows["beyond"].to_numpy(float)
    out["excess_minutes"][many] = weight * flows["excess"].to_numpy(float)
    out["boards_though_near"][many] = weight * flows["avoidable"].to_numpy(float)
    weekly = np.where(flows["mode"] == "board", 1 / _DAYS_A_WEEK, 1.0)
    out["minutes"][many] = weight * flows["minutes"].to_numpy(float) * weekly
    out["change"][many] = weight * ~_usual(model)
    out["money"][:] = _money(model, standards) / _MONEY
    return out


def room_cost(form: Form, grade: int | None, standards: Standards) -> float:
    """Return the yuan that a room of a form costs: class size x floor area a pupil x unit cost.

    Parameters
    ----------
    form
        Role and grades.
    grade
        Grade whose class it holds; None for the mean over the form's grades.
    standards
        ``class_size``, ``floor.primary``, ``floor.junior``, ``cost.build.day``: unverified unit figures.

    Returns
    -------
    float
        Yuan.
    """
    grades = form.grades if grade is None else (grade,)
    # a room outlasts a dated schedule: it is built for the class size of the design standard
    area = [_class(form, g, standards, None) * standards["floor.junior" if band_of(g) == "junior" else "floor.primary"] for g in grades]
    return float(np.mean(area)) * standards["cost.build.day"]


def bed_cost(form: Form, standards: Standards) -> float:
    """Return the yuan that a bed costs: the larger of the floor areas of its grades x unit cost.

    Parameters
    ----------
    form
        Role and grades.
    standards
        ``floor.boarding.primary``, ``floor.boarding.junior``, ``cost.build.boarding``.

    Returns
    -------
    float
        Yuan.
    """
    bands = {band_of(g) for g in form.grades}
    return standards["floor.boarding.junior" if "junior" in bands else "floor.boarding.primary"] * standards["cost.build.boarding"]


_Block = tuple[list[tuple[np.ndarray, np.ndarray, np.ndarray | float]], np.ndarray, np.ndarray]


def _no_entries() -> list[tuple[int, int, float]]:
    return []


def _no_bounds() -> list[float]:
    return []


def _below(entries: list[tuple[np.ndarray, np.ndarray, np.ndarray | float]], high: Sequence[float] | np.ndarray) -> _Block:
    return entries, np.full(len(high), -np.inf), np.asarray(high, float)


def _demand_rows(model: Model) -> _Block:
    # (1) the shares of a demand and the share without a place add up to one
    flows, demands, at = model.flows, model.demands, model.at
    n, d = np.arange(len(flows)), np.arange(len(demands))
    return [(flows["demand"].to_numpy(), n, 1.0), (d, at["none"] + d, 1.0)], np.ones(len(d)), np.ones(len(d))


def _loads(model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return flow, grade and pupils of every flow's grade that has pupils."""
    pupils = model.demands[list(GRADES)].to_numpy(float)[model.flows["demand"].to_numpy(int)]
    flow, column = np.nonzero(pupils)
    return flow, column + 1, pupils[flow, column]


def _seat_rows(model: Model, standards: Standards) -> _Block:
    # (2) pupils of a grade at a site, and of each run of grades that some form teaches together, fit the classes of the form that is open
    runs: dict[tuple[int, tuple[int, ...]], int] = {}
    for k, there in enumerate(model.sites):
        for run in [*((g,) for g in GRADES if any(g in f.grades for f in there.forms)), *(r for f in there.forms for r in f.runs)]:
            runs.setdefault((k, run), len(runs))
    rows_of: dict[tuple[int, int], list[int]] = {}
    for (k, run), row in runs.items():
        for g in run:
            rows_of.setdefault((k, g), []).append(row)
    site, at = model.flows["site"].to_numpy(int), model.at
    flow, grade, pupils = _loads(model)
    entries = [(row, int(j), n) for j, g, n in zip(flow, grade, pupils, strict=True) for row in rows_of[int(site[j]), int(g)]]
    for j, (i, g) in enumerate(model.classes):
        k, form = model.forms[i]
        entries += [(row, at["classes"] + j, -_class(form, g, standards, model.year)) for row in rows_of[k, g]]
    mixed = standards["class_size.mixed.max_pupils"]
    for i, (k, form) in enumerate(model.forms):
        mine = [(run, row) for (s, run), row in runs.items() if s == k]
        if form.pooled:
            entries += [(row, at["pooled"] + i, -max(_class(form, g, standards, model.year) for g in run)) for run, row in mine]
        for run, row in mine if form.runs else []:
            entries.append((row, at["forms"] + i, -mixed * sum(bool(set(run) & set(own)) for own in form.runs)))
    return _below([_entry(entries)], np.zeros(len(runs)))


def _pooled_rows(model: Model, standards: Standards) -> _Block:
    # (2) where rooms are pooled, the grades together fit into them; a whole form at the site is not bound by this
    pooled = {k: f for k, f in model.forms if f.pooled}
    row = {k: i for i, k in enumerate(pooled)}
    site, at = model.flows["site"].to_numpy(int), model.at
    flow, grade, pupils = _loads(model)
    entries = [
        (row[int(site[j])], int(j), n / _class(pooled[int(site[j])], int(g), standards, model.year))
        for j, g, n in zip(flow, grade, pupils, strict=True) if int(site[j]) in row
    ]  # fmt: skip
    for j, (i, g) in enumerate(model.classes):
        k, form = model.forms[i]
        if k in row:
            entries.append((row[k], at["classes"] + j, -_class(form, g, standards, model.year) / _class(pooled[k], g, standards, model.year)))
    for i, (k, form) in enumerate(model.forms):
        if k in row and form.runs:
            entries.append((row[k], at["forms"] + i, -float(len(form.runs))))
        entries += [(row[k], at["pooled"] + i, -1.0)] if form.pooled else []
    return _below([_entry(entries)], np.zeros(len(row)))


def _room_rows(model: Model) -> _Block:
    # (3) classes fit the rooms; an open form has a class for each grade, or, of a school that stands, a room for each
    at, entries, high = model.at, _no_entries(), _no_bounds()
    columns: dict[int, list[int]] = {i: [at["pooled"] + i] for i, (_, f) in enumerate(model.forms) if f.pooled}
    for j, (i, _) in enumerate(model.classes):
        columns.setdefault(i, []).append(at["classes"] + j)
    for k, site in enumerate(model.sites):
        mine = [(i, f) for i, (s, f) in enumerate(model.forms) if s == k]
        if site.existing:
            entries += [(len(high), c, 1.0) for i, f in mine for c in columns.get(i, [])]
            entries += [(len(high), at["forms"] + i, float(len(f.runs))) for i, f in mine if f.runs]
            entries.append((len(high), at["rooms"] + k, -1.0))
            high.append(float(site.rooms))
        for i, f in mine if not site.existing or len(mine) > 1 else []:
            if f.runs:
                continue
            entries += [*((len(high), c, 1.0) for c in columns[i]), (len(high), at["forms"] + i, -float(f.most_rooms))]
            high.append(0.0)
            if site.existing and f.whole:
                entries += [(len(high), at["forms"] + i, float(f.least_rooms)), (len(high), at["rooms"] + k, -1.0)]
                high.append(float(site.rooms))
            for c in columns[i] if not site.existing else []:
                entries += [(len(high), c, -1.0), (len(high), at["forms"] + i, 1.0)]
                high.append(0.0)
    return _below([_entry(entries)], high)


def _open_rows(model: Model) -> _Block:
    # (4) one form a site; (5) a share only where a form that teaches the grades is open
    at, entries, low, high = model.at, _no_entries(), _no_bounds(), _no_bounds()
    by_site: dict[int, list[int]] = {}
    for i, (k, _) in enumerate(model.forms):
        by_site.setdefault(k, []).append(i)
    for k, forms in by_site.items():
        if model.sites[k].existing and len(forms) == 1:
            continue
        entries += [(len(high), at["forms"] + i, 1.0) for i in forms]
        low.append(1.0 if model.sites[k].existing else -np.inf)
        high.append(1.0)
    first = model.demands["first"].to_numpy()
    pairs: dict[tuple[int, int], list[int]] = {}
    for j, (d, k) in enumerate(zip(model.flows["demand"], model.flows["site"], strict=True)):
        if not model.sites[k].existing:
            pairs.setdefault((d, k), []).append(j)
    for (d, k), flows in pairs.items():
        entries += [(len(high), j, 1.0) for j in flows]
        from_seat = model.demands["settlement_id"][d] == ""
        able = [i for i in by_site[k] if first[d] in model.forms[i][1].grades and not (from_seat and model.forms[i][1].incomplete)]
        entries += [(len(high), at["forms"] + i, -1.0) for i in able]
        low.append(-np.inf)
        high.append(0.0)
    return [_entry(entries)], np.array(low, float), np.array(high, float)


def _size_rows(model: Model, standards: Standards) -> _Block:
    # (4) a new school has its least pupils; (6) none grows above the largest size
    at, entries, high = model.at, _no_entries(), _no_bounds()
    total = model.demands["total"].to_numpy(float)
    junior = (model.demands["band"] == "junior").to_numpy()
    boards = (model.flows["mode"] == "board").to_numpy()
    by_site = model.flows.groupby("site").indices
    demand = model.flows["demand"].to_numpy()
    for k, site in enumerate(model.sites):
        flows = by_site.get(k, np.zeros(0, int))
        forms = [(i, f) for i, (s, f) in enumerate(model.forms) if s == k]
        for part in () if site.existing else ("primary", "junior"):
            least = [(i, least_pupils(f.role, standards)[part]) for i, f in forms if part in least_pupils(f.role, standards)]
            if least:
                # primary children who would board elsewhere too do not make a school
                chosen = flows[junior[demand[flows]] if part == "junior" else ~junior[demand[flows]] & ~boards[flows]]
                entries += [*((len(high), int(j), -total[demand[j]]) for j in chosen), *((len(high), at["forms"] + i, n) for i, n in least)]
                high.append(0.0)
        entries += [(len(high), int(j), total[demand[j]]) for j in flows]
        caps = [(i, _largest(f, standards)) for i, f in forms]
        if site.existing:
            # what stands above the size already stays as it is; rooms are not added to it
            held = [sum(sorted((_class(f, g, standards, model.year) for g in f.grades), reverse=True)[:1]) * site.rooms for _, f in forms]
            high.append(max(*(n for _, n in caps), *held))
        else:
            entries += [(len(high), at["forms"] + i, -n) for i, n in caps]
            high.append(0.0)
    return _below([_entry(entries)], high)


def _bed_rows(model: Model, standards: Standards) -> _Block:
    # (7) a bed for each boarder; new beds only at open schools that may keep boarders
    at, entries, high = model.at, _no_entries(), _no_bounds()
    total = model.demands["total"].to_numpy(float)
    board = model.flows[model.flows["mode"] == "board"]
    for k, site in enumerate(model.sites):
        mine = board.index[board["site"] == k]
        if site.beds + site.more_beds:
            entries += [*((len(high), int(j), total[model.flows["demand"][j]]) for j in mine), (len(high), at["beds"] + k, -1.0)]
            high.append(float(site.beds))
        if not site.existing:
            keeps = [i for i, (s, f) in enumerate(model.forms) if s == k and _keeps_boarders(f, standards)]
            entries += [(len(high), at["beds"] + k, 1.0), *((len(high), at["forms"] + i, -float(site.more_beds)) for i in keeps)]
            high.append(0.0)
    return _below([_entry(entries)], high)


def _keeps_boarders(form: Form, standards: Standards) -> bool:
    return form.role in BOARDING and any(standards.may_board(g) for g in form.grades)


def _money(model: Model, standards: Standards) -> np.ndarray:
    at = model.at
    cost = np.zeros(at["end"])
    for j, (i, g) in enumerate(model.classes):
        if not model.sites[model.forms[i][0]].existing:
            cost[at["classes"] + j] = room_cost(model.forms[i][1], g, standards)
    for i, (k, f) in enumerate(model.forms):
        if not model.sites[k].existing:
            cost[at["forms"] + i] = standards["cost.build.site"] + len(f.runs) * room_cost(f, None, standards)
    for k, site in enumerate(model.sites):
        if site.existing:
            cost[at["rooms"] + k] = room_cost(site.forms[0], None, standards)
        cost[at["beds"] + k] = max(bed_cost(f, standards) for f in site.forms)
    return cost


def _usual(model: Model) -> np.ndarray:
    """Say which flows lead to the nearest school that is open today."""
    flows = model.flows.assign(existing=[model.sites[k].existing for k in model.flows["site"]])
    day = flows[flows["existing"] & flows["mode"].isin(["walk", "bus"])].sort_values(["demand", "beyond", "excess", "minutes", "site"], kind="stable")
    nearest = day.drop_duplicates("demand")
    usual = (flows["mode"] == "seat").to_numpy() & flows["existing"].to_numpy()
    usual[nearest.index] = True
    return usual


def _class(form: Form, grade: int, standards: Standards, year: int | None) -> float:
    if form.incomplete and not form.whole:
        return standards["class_size.mixed.max_pupils"]
    return float(standards.class_size(grade, incomplete=form.incomplete, year=year))


def _largest(form: Form, standards: Standards) -> float:
    if form.incomplete:
        # by definition: from a hundred pupils on it would be a full primary school
        return standards["layout.small_school.max"]
    both = form.grades[0] <= BANDS["upper"][-1] and form.grades[-1] >= BANDS["junior"][0]
    return standards["size.max.nine_year" if both else "size.max.primary_junior"]


def _entry(entries: Sequence[tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns, values = (np.array(part) for part in zip(*entries, strict=True)) if entries else (np.zeros(0),) * 3
    return rows.astype(int), columns.astype(int), values.astype(float)
