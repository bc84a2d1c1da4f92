"""The programme behind the proposals: sites, the forms a school may take there, and who would go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.candidates import near_grades
from layout.children import INCOMPLETE, best_runs
from layout.county import County
from layout.standards import Standards
from layout.tables import BANDS, GRADES, band_of

# what may be opened: role, first grade, last grade
ROLES = (("teaching_point", 1, 3), ("small_primary", 1, 6), ("primary", 1, 6), ("junior", 7, 9), ("nine_year", 1, 9))
# a school of these kinds may keep boarders
BOARDING = ("primary", "junior", "nine_year", "complete_secondary", "twelve_year")
# sites kept for a village and band: within the limit, beyond it, by boarding (open schools and candidates each)
_NEAR, _FAR, _BOARD = 8, 2, 4
# a school this near to the middle of a town stands in it
_TOWN_M = 1000.0
# more than any way: puts those beyond the limit behind the others
_FAR_AWAY = 1e6


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
        """Say whether each grade has classes of its own."""
        return not self.runs and not self.pooled

    @property
    def incomplete(self) -> bool:
        """Say whether it is a teaching point or small primary school."""
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

    ``demands``: settlement (empty: all who study in the county seat), band, grades that every school teaches all or none of,
    pupils by grade. ``flows``: demand, site, mode, minutes, beyond, excess, avoidable (boards though an open school is within
    the limit). ``forms``: site and form of each opening column. ``classes``: opening column and grade of each column of
    classes. ``at``: where each kind of column begins. ``year``: whose class sizes bind, where the standards fall by year.
    """

    demands: pd.DataFrame
    flows: pd.DataFrame
    sites: tuple[Site, ...]
    forms: tuple[tuple[int, Form], ...]
    classes: tuple[tuple[int, int], ...]
    at: Mapping[str, int]
    year: int | None = None


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
        Sorted by id. Beds are added where there are beds, in towns and at relocation sites, at juniors anywhere: boarding is
        gathered, not scattered over villages. Children who study in the county seat go to full schools of its townships, not to
        village sites.

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
            # a class only for the grades that are taught: whole classes fit, or the children of a grade go elsewhere
            forms = [Form(row["kind"], grades, 0, rooms + more)]
        beds = _number(row.get("beds"), 0)
        boards = row["kind"] in BOARDING and any(standards.may_board(g) for g in grades)
        boards = boards and (beds > 0 or grades[-1] > BANDS["upper"][-1] or bool((towns.distance(row["geometry"]) <= _TOWN_M).any()))
        at_seat = row["township_id"] in seats and row["kind"] not in INCOMPLETE
        out.append(Site(str(row["school_id"]), True, rooms, beds, more, most_beds * boards, at_seat, tuple(forms)))
    for row in candidates.to_dict("records"):
        taught, pupils = near_grades(row["geometry"], schools), expected.get(row["school_id"], {})
        roles = [role for role in ROLES if not taught & set(range(role[1], role[2] + 1))]
        forms = [f for role, first, last in roles for f in _new_forms(role, first, last, pupils, standards)]
        village = row["origin"] == "populous_village"
        at_seat = row["township_id"] in seats and not village
        if forms:
            out.append(Site(str(row["school_id"]), False, 0, 0, 0, 0 if village else most_beds, at_seat, tuple(forms)))
    return tuple(sorted(out, key=lambda s: s.school_id))


def build(children: pd.DataFrame, ways: pd.DataFrame, sites: tuple[Site, ...], standards: Standards, *, year: int | None = None) -> Model:
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
    year
        School year of the children, for a schedule of class sizes; None leaves it out.

    Returns
    -------
    Model
        Columns: share of a demand by site and way, share without a place, openings, classes, rooms of pooled forms, added
        rooms, added beds.

    References
    ----------
    Constraints: (1) shares of a demand add up to 1; (2) pupils of a grade at a site <= classes x standard; where rooms are
    pooled <= what they hold, also over all grades; (3) classes <= rooms; (4) one form a site, an open one with a class for each
    grade and its least pupils; (5) a share only where the site is open; (6) size caps; (7) boarders <= beds.
    """
    demands = _demands(children, sites)
    sites = _useful(sites, demands, ways, standards)
    flows = _flows(demands, ways, sites)
    forms = tuple((k, f) for k, s in enumerate(sites) for f in s.forms)
    classes = tuple((i, g) for i, (_, f) in enumerate(forms) if f.whole for g in f.grades)
    counts = {"flows": len(flows), "none": len(demands), "forms": len(forms), "classes": len(classes), "pooled": len(forms), "rooms": len(sites)}
    starts = np.cumsum([0, *counts.values(), len(sites)]).tolist()
    return Model(demands, flows, sites, forms, classes, dict(zip([*counts, "beds", "end"], starts, strict=True)), year)


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
    for school, grade, pupils in sums.reset_index().itertuples(index=False):
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
            forms = tuple(f for f in forms if all(_within(f, part, near) >= n for part, n in least_pupils(f.role, standards).items()))
        if forms:
            out.append(Site(**{**vars(site), "forms": forms}))
    return tuple(out)


def _within(form: Form, part: str, near: Mapping[str, float]) -> float:
    bands = ("junior",) if part == "junior" else ("lower", "upper")
    return sum(near[b] for b in bands if BANDS[b][0] in form.grades)


def least_pupils(role: str, standards: Standards) -> dict[str, float]:
    """Return the least pupils of a new school in its primary and its junior grades.

    Parameters
    ----------
    role
        Kind of the new school.
    standards
        ``layout.min_pupils``; a nine-year school needs those of a primary and of a junior school.

    Returns
    -------
    dict
        Least pupils by ``primary`` and ``junior``.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> least_pupils("junior", read_standards())
    {'junior': 300.0}
    """
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
    order = ["demand", "kind", "existing", "excess", "minutes", "site"]
    table = table.assign(kind=kind, existing=existing[k])[able].sort_values(order, kind="stable")
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
