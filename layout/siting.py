"""The programme behind the proposals: sites, the forms a school may take there, and who would go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy import sparse

from layout.candidates import near_grades
from layout.children import INCOMPLETE, best_runs
from layout.county import County
from layout.location import Level, Program, Solution, solve, sparse_rows
from layout.standards import Standards
from layout.tables import BANDS, GRADES, band_of

# what may be opened: role, first grade, last grade
ROLES = (("teaching_point", 1, 3), ("small_primary", 1, 6), ("primary", 1, 6), ("junior", 7, 9), ("nine_year", 1, 9))
# a school of these kinds may keep boarders
_BOARDING = ("primary", "junior", "nine_year", "complete_secondary", "twelve_year")
# sites kept for a village and band: within the limit, beyond it, by boarding (open schools and candidates each)
_NEAR, _FAR, _BOARD = 8, 2, 4
# a school this near to the middle of a town stands in it
_TOWN_M = 1000.0
# a boarder's weekly way counts a fifth for each of five school days
_DAYS_A_WEEK = 5
# more than any way: puts those beyond the limit behind the others
_FAR_AWAY = 1e6
# how much of a child or a class is rounding error
_SAME = 1e-6
# levels of children may stop below one child of the bound
_CHILD = 0.999
# money is counted in ten thousand yuan inside the program, so that its figures are of the size of the others
_MONEY = 1e4


@dataclass(frozen=True)
class Form:
    """What a site may be: role and grades; with fewer rooms than grades ``runs`` of grades taught together, or ``pooled`` rooms."""

    role: str
    grades: tuple[int, ...]
    least_rooms: int
    most_rooms: int
    runs: tuple[tuple[int, ...], ...] = ()
    pooled: bool = False

    @property
    def whole(self) -> bool:
        return not self.runs and not self.pooled

    @property
    def incomplete(self) -> bool:
        return self.role in INCOMPLETE


@dataclass(frozen=True)
class Site:
    """A school that is open or a site where one may be: what it has and what may be added."""

    school_id: str
    existing: bool
    rooms: int
    beds: int
    more_rooms: int
    more_beds: int
    at_seat: bool
    forms: tuple[Form, ...]


@dataclass(frozen=True)
class Model:
    """The program with what its columns mean.

    ``demands``: settlement (empty: all who study in the county seat), band, grades that every school teaches all or none of, pupils by grade.
    ``flows``: demand, site, mode, minutes, beyond, excess, avoidable (boards though an open school is within the limit). ``forms``: site and form of
    each opening column. ``classes``: opening column and grade of each column of classes. ``at``: where each kind of column begins.
    """

    demands: pd.DataFrame
    flows: pd.DataFrame
    sites: tuple[Site, ...]
    forms: tuple[tuple[int, Form], ...]
    classes: tuple[tuple[int, int], ...]
    at: Mapping[str, int]


def sites_of(county: County, candidates: gpd.GeoDataFrame, children: pd.DataFrame, ways: pd.DataFrame, standards: Standards) -> tuple[Site, ...]:
    """List the sites: open schools as they may grow, and candidates with every role that does not repeat a grade taught beside them.

    Parameters
    ----------
    county
        Schools, townships and settlements.
    candidates
        Table ``candidates``.
    children, ways
        Whole pupils and ways of the year: where grades are taught together, the cut suits those who live nearest.
    standards
        Bounds on rooms and beds.

    Returns
    -------
    tuple of Site
        Sorted by id. Beds are added where there are beds, in towns and at relocation sites, at juniors anywhere: boarding is gathered, not
        scattered over villages. Children who study in the county seat go to full schools of its townships, not to village sites.

    References
    ----------
    国办发〔2018〕27号 二(四): 乡镇寄宿制学校.
    """
    schools = county.schools
    seats = set(county.townships.loc[county.townships["is_county_seat"], "township_id"])
    towns = county.settlements[county.settlements["kind"].isin(["town", "county_seat", "relocation"])]
    there = schools[(schools["status"] == "open") & (schools["kind"] != "special")]
    most_beds, spare = int(standards["site.beds.max"]), int(standards["site.expandable_rooms"])
    expected = _expected(children, ways, set(there["school_id"]))
    out = []
    for row in there.to_dict("records"):
        grades = tuple(g for g in GRADES if row["first_grade"] <= g <= row["last_grade"])
        if not grades:
            continue
        rooms, more = int(row["rooms"]), _number(row.get("expandable_rooms"), spare)
        forms = [Form(row["kind"], grades, len(grades), rooms + more)] if rooms + more >= len(grades) else []
        most = min(rooms + more, len(grades) - 1)
        if rooms < len(grades) and row["kind"] in INCOMPLETE:
            forms = [*_mixed(row["kind"], grades, range(rooms, most + 1), expected.get(row["school_id"], {}), standards), *forms]
        elif rooms < len(grades):
            forms = [Form(row["kind"], grades, 0, most, pooled=True), *forms]
        beds = _number(row.get("beds"), 0)
        boards = row["kind"] in _BOARDING and any(standards.may_board(g) for g in grades)
        boards = boards and (beds > 0 or grades[-1] > BANDS["upper"][-1] or bool((towns.distance(row["geometry"]) <= _TOWN_M).any()))
        at_seat = row["township_id"] in seats and row["kind"] not in INCOMPLETE
        out.append(Site(str(row["school_id"]), True, rooms, beds, more, most_beds * boards, at_seat, tuple(forms)))
    for row in candidates.to_dict("records"):
        taught, pupils = near_grades(row["geometry"], schools), expected.get(row["school_id"], {})
        forms = [f for role, first, last in ROLES if not taught & set(range(first, last + 1)) for f in _new_forms(role, first, last, pupils, standards)]
        village = row["origin"] == "populous_village"
        at_seat = row["township_id"] in seats and not village
        if forms:
            out.append(Site(str(row["school_id"]), False, 0, 0, 0, 0 if village else most_beds, at_seat, tuple(forms)))
    return tuple(sorted(out, key=lambda s: s.school_id))


def build(children: pd.DataFrame, ways: pd.DataFrame, sites: tuple[Site, ...], standards: Standards) -> Model:
    """Write the program of one year.

    Parameters
    ----------
    children
        Whole pupils by settlement, grade and ``attends`` of one year.
    ways
        Day and weekly ways.
    sites
        From :func:`sites_of`.
    standards
        Class sizes, floor areas, costs, least pupils, largest schools.

    Returns
    -------
    Model
        Columns: share of a demand by site and way, share without a place, openings, classes, rooms of pooled forms, added rooms, added beds.

    References
    ----------
    Constraints: (1) shares of a demand add up to 1; (2) pupils of a grade at a site <= classes x standard; where rooms are pooled <= what they
    hold, also over all grades; (3) classes <= rooms; (4) one form a site, an open one with a class for each grade and its least pupils; (5) a share only where
    the site is open; (6) size caps; (7) boarders <= beds.
    """
    demands = _demands(children, sites)
    sites = _useful(sites, demands, ways, standards)
    flows = _flows(demands, ways, sites)
    forms = tuple((k, f) for k, s in enumerate(sites) for f in s.forms)
    classes = tuple((i, g) for i, (_, f) in enumerate(forms) if f.whole for g in f.grades)
    counts = {"flows": len(flows), "none": len(demands), "forms": len(forms), "classes": len(classes), "pooled": len(forms), "rooms": len(sites)}
    starts = np.cumsum([0, *counts.values(), len(sites)]).tolist()
    return Model(demands, flows, sites, forms, classes, dict(zip([*counts, "beds", "end"], starts, strict=True)))


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
        As in :func:`layout.location.solve`.

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


def _trimmed(model: Model, built: Solution, money: np.ndarray, standards: Standards) -> Solution:
    """Take back the classes, rooms and beds that nobody needs: a gap in money may leave some."""
    at, values = model.at, built.values.copy()
    loads = site_loads(model, values).to_numpy()
    used = np.zeros(len(model.sites))
    for j, (i, g) in enumerate(model.classes):
        k, form = model.forms[i]
        if values[at["forms"] + i] < 0.5:
            continue
        needed = np.ceil(loads[k, g - 1] / _class(form, g, standards) - _SAME)
        least = 0.0 if model.sites[k].existing else 1.0
        values[at["classes"] + j] = min(values[at["classes"] + j], max(needed, least))
        used[k] += values[at["classes"] + j]
    for i, (k, form) in enumerate(model.forms):
        if values[at["forms"] + i] > 0.5 and form.pooled:
            needed = sum(loads[k, g - 1] / _class(form, g, standards) for g in form.grades)
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


def _number(value: object, default: int) -> int:
    return default if value is None or pd.isna(value) else int(value)  # type: ignore[call-overload]


def _new_forms(role: str, first: int, last: int, expected: Mapping[int, float], standards: Standards) -> list[Form]:
    grades, most = tuple(range(first, last + 1)), int(standards["site.new_rooms.max"])
    forms = [Form(role, grades, len(grades), most)] if most >= len(grades) else []
    if role in INCOMPLETE:
        least = -(-len(grades) // int(standards["class_size.mixed.max_grades"]))
        forms = [*_mixed(role, grades, range(least, min(len(grades) - 1, most) + 1), expected, standards), *forms]
    return forms


def _mixed(role: str, grades: tuple[int, ...], rooms: Iterable[int], expected: Mapping[int, float], standards: Standards) -> list[Form]:
    # no room, no class: such a school still stands, and holds nobody
    pupils = {g: expected.get(g, 0.0) for g in grades}
    return [Form(role, grades, n, n, best_runs(pupils, n, standards)) if n else Form(role, grades, 0, 0, pooled=True) for n in rooms]


def _expected(children: pd.DataFrame, ways: pd.DataFrame, there: set[str]) -> dict[str, dict[int, float]]:
    """Count by grade the children to whom a site is nearer than, or as near as, every school that is open."""
    day = ways[ways["mode"] != "board"]
    rank = day["minutes"] + _FAR_AWAY * day["beyond"]
    best = rank[day["school_id"].isin(there)].groupby([day["settlement_id"], day["band"]]).min().rename("best").reset_index()
    near = day.assign(rank=rank).merge(best, on=["settlement_id", "band"], how="left")
    near = near[near["best"].isna() | (near["rank"] <= near["best"])]
    home = children[children["attends"] == "home"].assign(band=lambda c: [band_of(g) for g in c["grade"]])
    sums = home.merge(near[["settlement_id", "band", "school_id"]], on=["settlement_id", "band"]).groupby(["school_id", "grade"])["pupils"].sum()
    out: dict[str, dict[int, float]] = {}
    for (school, grade), pupils in sums.items():
        out.setdefault(str(school), {})[int(grade)] = float(pupils)
    return out


def _demands(children: pd.DataFrame, sites: Sequence[Site]) -> pd.DataFrame:
    """Return one row per settlement and run of grades, and one per run for all who study in the county seat."""
    cuts = {f.grades[0] for s in sites for f in s.forms} | {f.grades[-1] + 1 for s in sites for f in s.forms} | {g[0] for g in BANDS.values()}
    run = np.cumsum([g in cuts for g in GRADES])
    kept = children[children["attends"].isin(["home", "county_seat"])]
    table = pd.DataFrame({
        "settlement_id": kept["settlement_id"].where(kept["attends"] == "home", ""), "band": [band_of(g) for g in kept["grade"]],
        "run": run[kept["grade"].to_numpy(int) - 1], "grade": kept["grade"], "pupils": kept["pupils"],
    })  # fmt: skip
    out = table.pivot_table(index=["settlement_id", "band", "run"], columns="grade", values="pupils", aggfunc="sum", fill_value=0)
    out = out.reindex(columns=list(GRADES), fill_value=0).reset_index()
    return out.assign(first=[int(np.flatnonzero(run == r)[0]) + 1 for r in out["run"]], total=out[list(GRADES)].sum(axis=1))


def _useful(sites: tuple[Site, ...], demands: pd.DataFrame, ways: pd.DataFrame, standards: Standards) -> tuple[Site, ...]:
    """Drop the forms of candidates for which too few children can come at all."""
    total = demands.groupby(["settlement_id", "band"])["total"].sum()
    reach = ways[["settlement_id", "school_id", "band"]].drop_duplicates().merge(total.reset_index(), on=["settlement_id", "band"])
    sums = reach.groupby(["school_id", "band"])["total"].sum().to_dict()
    seat = {b: float(total.get(("", b), 0.0)) for b in BANDS}
    out = []
    for site in sites:
        near = {b: float(sums.get((site.school_id, b), 0.0)) + site.at_seat * seat[b] for b in BANDS}
        forms = site.forms
        if not site.existing:
            forms = tuple(f for f in forms if all(_within(f, part, near) >= n for part, n in _least(f.role, standards).items()))
        if forms:
            out.append(Site(**{**vars(site), "forms": forms}))
    return tuple(out)


def _within(form: Form, part: str, near: Mapping[str, float]) -> float:
    bands = ("junior",) if part == "junior" else ("lower", "upper")
    return sum(near[b] for b in bands if BANDS[b][0] in form.grades)


def _least(role: str, standards: Standards) -> dict[str, float]:
    """Return the least pupils of a new school in its primary and its junior grades."""
    if role == "nine_year":
        return {"primary": standards["layout.min_pupils.primary"], "junior": standards["layout.min_pupils.junior"]}
    return {"junior" if role == "junior" else "primary": standards[f"layout.min_pupils.{role}"]}


def _flows(demands: pd.DataFrame, ways: pd.DataFrame, sites: tuple[Site, ...]) -> pd.DataFrame:
    """Return the columns of shares: the nearest sites of each demand by day within the limit, beyond it, and by boarding."""
    numbers = {s.school_id: k for k, s in enumerate(sites)}
    taught = np.array([[any(g in f.grades for f in s.forms) for g in GRADES] for s in sites] or [[False] * len(GRADES)], bool)
    existing, beds = np.array([s.existing for s in sites] or [False]), np.array([s.beds + s.more_beds for s in sites] or [0])
    table = ways.assign(site=ways["school_id"].map(numbers)).dropna(subset="site").astype({"site": int})
    home = demands.assign(demand=demands.index)[["settlement_id", "band", "first", "demand"]]
    table = home.merge(table, on=["settlement_id", "band"])
    k = table["site"].to_numpy()
    able = taught[k, table["first"].to_numpy() - 1] & ((table["mode"] != "board").to_numpy() | (beds[k] > 0))
    kind = np.where(table["mode"] == "board", "board", np.where(table["beyond"], "far", "near"))
    table = table.assign(kind=kind, existing=existing[k])[able].sort_values(["demand", "kind", "existing", "excess", "minutes", "site"], kind="stable")
    rank = table.groupby(["demand", "kind", "existing"]).cumcount()
    table = table[rank < table["kind"].map({"near": _NEAR, "far": _FAR, "board": _BOARD})]
    near_school = table.loc[(table["kind"] == "near") & table["existing"], "demand"]
    table = table.assign(avoidable=(table["kind"] == "board") & table["demand"].isin(near_school))
    names = ["demand", "site", "mode", "minutes", "beyond", "excess", "avoidable"]
    seat = [
        (d, k, "seat", 0.0, False, 0.0, False) for d, first in demands.loc[demands["settlement_id"] == "", "first"].items()
        for k, s in enumerate(sites) if s.at_seat and any(first in f.grades and not f.incomplete for f in s.forms)
    ]  # fmt: skip
    parts = [p for p in (table[names], pd.DataFrame(seat, columns=names)) if len(p)]
    out = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)
    kinds = {"demand": int, "site": int, "minutes": float, "beyond": bool, "excess": float, "avoidable": bool}
    return out.astype(kinds).sort_values(["demand", "site", "mode"], kind="stable", ignore_index=True)


_Block = tuple[list[tuple[np.ndarray, np.ndarray, np.ndarray | float]], np.ndarray, np.ndarray]


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
    for k, site in enumerate(model.sites):
        for run in [*((g,) for g in GRADES if any(g in f.grades for f in site.forms)), *(r for f in site.forms for r in f.runs)]:
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
        entries += [(row, at["classes"] + j, -_class(form, g, standards)) for row in rows_of[k, g]]
    mixed = standards["class_size.mixed.max_pupils"]
    for i, (k, form) in enumerate(model.forms):
        mine = [(run, row) for (s, run), row in runs.items() if s == k]
        if form.pooled:
            entries += [(row, at["pooled"] + i, -max(_class(form, g, standards) for g in run)) for run, row in mine]
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
        (row[int(site[j])], int(j), n / _class(pooled[int(site[j])], int(g), standards))
        for j, g, n in zip(flow, grade, pupils, strict=True) if int(site[j]) in row
    ]  # fmt: skip
    for j, (i, g) in enumerate(model.classes):
        k, form = model.forms[i]
        if k in row:
            entries.append((row[k], at["classes"] + j, -_class(form, g, standards) / _class(pooled[k], g, standards)))
    for i, (k, form) in enumerate(model.forms):
        if k in row and form.runs:
            entries.append((row[k], at["forms"] + i, -float(len(form.runs))))
        entries += [(row[k], at["pooled"] + i, -1.0)] if form.pooled else []
    return _below([_entry(entries)], np.zeros(len(row)))


def _room_rows(model: Model) -> _Block:
    # (3) classes fit the rooms; an open form has a class for each grade, or, of a school that stands, a room for each
    at, entries, high = model.at, [], []
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
    at, entries, low, high = model.at, [], [], []
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
    at, entries, high = model.at, [], []
    total = model.demands["total"].to_numpy(float)
    junior = (model.demands["band"] == "junior").to_numpy()
    boards = (model.flows["mode"] == "board").to_numpy()
    by_site = model.flows.groupby("site").indices
    demand = model.flows["demand"].to_numpy()
    for k, site in enumerate(model.sites):
        flows = by_site.get(k, np.zeros(0, int))
        forms = [(i, f) for i, (s, f) in enumerate(model.forms) if s == k]
        for part in () if site.existing else ("primary", "junior"):
            least = [(i, _least(f.role, standards)[part]) for i, f in forms if part in _least(f.role, standards)]
            if least:
                # primary children who would board elsewhere too do not make a school
                chosen = flows[junior[demand[flows]] if part == "junior" else ~junior[demand[flows]] & ~boards[flows]]
                entries += [*((len(high), int(j), -total[demand[j]]) for j in chosen), *((len(high), at["forms"] + i, n) for i, n in least)]
                high.append(0.0)
        entries += [(len(high), int(j), total[demand[j]]) for j in flows]
        caps = [(i, _largest(f, standards)) for i, f in forms]
        if site.existing:
            # what stands above the size already stays as it is; rooms are not added to it
            held = [sum(sorted((_class(f, g, standards) for g in f.grades), reverse=True)[:1]) * site.rooms for _, f in forms]
            high.append(max(max(n for _, n in caps), *held))
        else:
            entries += [(len(high), at["forms"] + i, -n) for i, n in caps]
            high.append(0.0)
    return _below([_entry(entries)], high)


def _bed_rows(model: Model, standards: Standards) -> _Block:
    # (7) a bed for each boarder; new beds only at open schools that may keep boarders
    at, entries, high = model.at, [], []
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
    return form.role in _BOARDING and any(standards.may_board(g) for g in form.grades)


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
        without_place, beyond_limit, excess_minutes, boards_though_near (children), money (ten thousand yuan), minutes, change (children).
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
    area = [_class(form, g, standards) * standards["floor.junior" if band_of(g) == "junior" else "floor.primary"] for g in grades]
    return float(np.mean(area)) * standards["cost.build.day"]


def bed_cost(form: Form, standards: Standards) -> float:
    """Return the yuan that a bed costs: the larger of the floor areas of its grades x unit cost."""
    bands = {band_of(g) for g in form.grades}
    return standards["floor.boarding.junior" if "junior" in bands else "floor.boarding.primary"] * standards["cost.build.boarding"]


def _money(model: Model, standards: Standards) -> np.ndarray:
    at = model.at
    cost = np.zeros(at["end"])
    for j, (i, g) in enumerate(model.classes):
        if not model.sites[model.forms[i][0]].existing:
            cost[at["classes"] + j] = room_cost(model.forms[i][1], g, standards)
    for i, (k, f) in enumerate(model.forms):
        if f.runs and not model.sites[k].existing:
            cost[at["forms"] + i] = len(f.runs) * room_cost(f, None, standards)
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


def _class(form: Form, grade: int, standards: Standards) -> float:
    if form.incomplete and not form.whole:
        return standards["class_size.mixed.max_pupils"]
    return float(standards.class_size(grade, incomplete=form.incomplete))


def _largest(form: Form, standards: Standards) -> float:
    both = form.grades[0] <= BANDS["upper"][-1] and form.grades[-1] >= BANDS["junior"][0]
    return standards["size.max.nine_year" if both else "size.max.primary_junior"]


def _entry(entries: Sequence[tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns, values = (np.array(part) for part in zip(*entries, strict=True)) if entries else (np.zeros(0),) * 3
    return rows.astype(int), columns.astype(int), values.astype(float)
