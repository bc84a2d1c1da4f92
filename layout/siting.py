"""Sites, what a school there may become, and the children of every plan year with the ways on which they could come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.candidates import near_grades
from layout.children import INCOMPLETE
from layout.county import County
from layout.horizon import Horizon
from layout.standards import Standards
from layout.tables import BANDS, GRADES, band_of

# a school of these kinds may keep boarders
BOARDING = ("primary", "junior", "nine_year", "complete_secondary", "twelve_year")
#: Parts of a new school: the first grades of a small one, its further primary grades, a full primary part, a junior part.
PARTS = ("small", "village", "primary", "junior")
_ROLES = {"small": "teaching_point", "village": "small_primary", "primary": "primary", "junior": "junior"}
_PART_GRADES = {"small": (1, 2, 3), "village": (4, 5, 6), "primary": (1, 2, 3, 4, 5, 6), "junior": (7, 8, 9)}
# sites kept for a village and band: within the limit, beyond it, by boarding (open schools and candidates each)
_NEAR, _FAR, _BOARD = 8, 2, 4
# a school this near to the middle of a town stands in it
_TOWN_M = 1000.0
_PRIMARY = BANDS["lower"] + BANDS["upper"]


@dataclass(frozen=True)
class Site:
    """A school that is open or a site where one may be: what it has and what may be added.

    ``kind`` and ``grades`` are those of a school that is open, empty at a candidate, whose ``parts`` say what may open there and
    ``first_year`` from which school year on.
    """

    school_id: str
    kind: str
    grades: tuple[int, ...]
    rooms: int
    beds: int
    more_rooms: int
    more_beds: int
    at_seat: bool
    parts: tuple[str, ...] = ()
    first_year: int = 0

    @property
    def existing(self) -> bool:
        """Say whether a school is open there."""
        return bool(self.kind)

    @property
    def incomplete(self) -> bool:
        """Say whether it is a teaching point or small primary school, whose grades may sit together."""
        return self.kind in INCOMPLETE


@dataclass(frozen=True)
class Journeys:
    """Who could go where.

    ``demands``: one row per settlement (empty: all who study in the county seat), band, run of grades that every school teaches
    all or none of, and plan year (``at``: its position): pupils by grade and in total. ``flows``: demand, site, mode (walk, bus,
    board, seat), minutes, beyond, excess, usual (leads to the nearest school that is open today).
    """

    demands: pd.DataFrame
    flows: pd.DataFrame


def sites_of(county: County, candidates: gpd.GeoDataFrame, horizon: Horizon, standards: Standards) -> tuple[Site, ...]:
    """List the sites: open schools as they may grow, and candidates with every part that does not repeat a grade taught beside them.

    Parameters
    ----------
    county
        Schools, townships and settlements.
    candidates
        Table ``candidates``.
    horizon
        From when a new school can serve where its site does not say (``earliest_year``).
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
    out = []
    for row in there.to_dict("records"):
        grades = tuple(g for g in GRADES if row["first_grade"] <= g <= row["last_grade"])
        if not grades:
            continue
        beds = _number(row.get("beds"), 0)
        boards = row["kind"] in BOARDING and any(standards.may_board(g) for g in grades)
        boards = boards and (beds > 0 or grades[-1] > BANDS["upper"][-1] or bool((towns.distance(row["geometry"]) <= _TOWN_M).any()))
        at_seat = row["township_id"] in seats and row["kind"] not in INCOMPLETE
        more = _number(row.get("expandable_rooms"), spare)
        out.append(Site(str(row["school_id"]), row["kind"], grades, int(row["rooms"]), beds, more, most_beds * boards, at_seat))
    earliest = dict(zip(schools["school_id"], schools["earliest_year"], strict=True)) if "earliest_year" in schools else {}
    for row in candidates.to_dict("records"):
        taught = near_grades(row["geometry"], schools)
        parts = [part for part in PARTS if not taught & set(_PART_GRADES[part])]
        # further primary grades open only above first ones
        parts = [part for part in parts if part != "village" or "small" in parts]
        village = row["origin"] in ("populous_village", "cover_point")
        school = str(row["school_id"])
        if parts:
            first = _number(row.get("earliest_year"), _number(earliest.get(school), horizon.schools))
            most = int(standards["site.new_rooms.max"])
            at_seat = row["township_id"] in seats and not village
            out.append(Site(school, "", (), 0, 0, most, 0 if village else most_beds, at_seat, tuple(parts), first))
    return tuple(sorted(out, key=lambda s: s.school_id))


def journeys_of(
    children: pd.DataFrame, ways: pd.DataFrame, sites: Sequence[Site], horizon: Horizon, standards: Standards
) -> tuple[Journeys, tuple[Site, ...]]:
    """List the children of every plan year and where they could go.

    Parameters
    ----------
    children
        Whole pupils by settlement, year, grade and ``attends``.
    ways
        Day and weekly ways of :func:`layout.children.ways_of`.
    sites
        From :func:`sites_of`.
    horizon
        Plan years.
    standards
        Least pupils of new schools.

    Returns
    -------
    tuple of Journeys and tuple of Site
        The sites without the parts for which too few children of the last year can come, and without candidates that have none left.

    Notes
    -----
    Kept of the ways of a settlement and run of grades: the eight nearest schools of today and the eight nearest new sites within the
    limit; where no school of today is within it the two nearest of each beyond it; by boarding the four nearest of each, for
    grades 4 to 6 only where no school of today is within the limit by day. A child with a school of today within the limit is not sent
    beyond it, since classes may be exceeded, not even where another school would then have its least pupils; where all schools within
    the limit could reach their largest size those beyond it are kept.
    """
    kept_sites = _useful(sites, children, ways, horizon, standards)
    demands = _demands(children, kept_sites, horizon)
    places = demands[["settlement_id", "band", "first"]].drop_duplicates(ignore_index=True)
    static = _ways_kept(places, ways, kept_sites, _roomy(kept_sites, children, ways, horizon, standards))
    flows = static.merge(
        demands.assign(demand=demands.index)[["settlement_id", "band", "first", "demand", "at"]], on=["settlement_id", "band", "first"]
    )
    first = np.array([s.first_year for s in kept_sites] or [0])
    flows = flows[np.array(horizon.years)[flows["at"].to_numpy(int)] >= first[flows["site"].to_numpy(int)]]
    flows = flows.sort_values(["demand", "site", "mode"], kind="stable", ignore_index=True)
    return Journeys(demands, flows[["demand", "site", "mode", "minutes", "beyond", "excess", "usual"]]), kept_sites


def teaches(site: Site, grade: int) -> bool:
    """Say whether a site teaches or may teach a grade.

    Parameters
    ----------
    site, grade
        Site and grade.

    Returns
    -------
    bool
        True where it does or may.
    """
    return grade in site.grades if site.existing else any(grade in _PART_GRADES[part] for part in site.parts)


def role_of(parts: Sequence[str]) -> str:
    """Name the role of a new school from the parts that are open.

    Parameters
    ----------
    parts
        Some of :data:`PARTS`.

    Returns
    -------
    str
        Kind of school; empty without parts.

    Examples
    --------
    >>> role_of(["small", "village"]), role_of(["primary", "junior"])
    ('small_primary', 'nine_year')
    """
    if "junior" in parts:
        return "nine_year" if "primary" in parts else "junior"
    return "primary" if "primary" in parts else "small_primary" if "village" in parts else "teaching_point" if "small" in parts else ""


def part_grades(parts: Sequence[str]) -> tuple[int, ...]:
    """Return the grades that parts teach.

    Parameters
    ----------
    parts
        Some of :data:`PARTS`.

    Returns
    -------
    tuple of int
        Rising grades.

    Examples
    --------
    >>> part_grades(["small"])
    (1, 2, 3)
    """
    return tuple(sorted({g for part in parts for g in _PART_GRADES[part]}))


def least_rule(part: str) -> str:
    """Return the key of the standard that says the least pupils of a part of a new school.

    Parameters
    ----------
    part
        Of :data:`PARTS`.

    Returns
    -------
    str
        A key of standards.csv.

    Examples
    --------
    >>> least_rule("village")
    'layout.min_pupils.small_primary'
    """
    return f"layout.min_pupils.{_ROLES[part]}"


def least_pupils(standards: Standards) -> dict[str, float]:
    """Return the least pupils of a new school by part; those of further primary grades count with the first ones.

    Parameters
    ----------
    standards
        ``layout.min_pupils``.

    Returns
    -------
    dict
        Least pupils by part. A nine-year school needs those of a primary and of a junior school.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> least_pupils(read_standards())
    {'small': 10.0, 'village': 50.0, 'primary': 120.0, 'junior': 300.0}
    """
    return {part: standards[least_rule(part)] for part in _ROLES}


def _number(value: object, default: int) -> int:
    return default if value is None or pd.isna(value) else int(value)  # type: ignore[call-overload]


def largest_size(site: Site, standards: Standards) -> float:
    """Return the largest size of a school of today: what its rooms hold already stays as it is.

    Parameters
    ----------
    site
        A school that is open.
    standards
        ``size.max.primary_junior`` and ``size.max.nine_year``; class sizes.

    Returns
    -------
    float
        Pupils.
    """
    both = site.grades[0] <= _PRIMARY[-1] and site.grades[-1] > _PRIMARY[-1]
    cap = standards["size.max.nine_year" if both else "size.max.primary_junior"]
    return max(cap, float(site.rooms * max(standards.class_size(g, incomplete=site.incomplete) for g in site.grades)))


def _roomy(sites: Sequence[Site], children: pd.DataFrame, ways: pd.DataFrame, horizon: Horizon, standards: Standards) -> np.ndarray:
    """Say which schools of today cannot reach their largest size, whoever comes that can."""
    kept = children[children["year"].isin(horizon.years)]
    kept = kept.assign(band=[band_of(g) for g in kept["grade"]])
    home = kept[kept["attends"] == "home"].groupby(["settlement_id", "band", "year"])["pupils"].sum().unstack("year", fill_value=0)
    pairs = ways[["settlement_id", "school_id", "band"]].drop_duplicates()
    # a column for each year: a row for each pair and year would be the largest table of all
    most = pairs.merge(home.reset_index(), on=["settlement_id", "band"]).groupby("school_id")[list(home.columns)].sum().max(axis=1).to_dict()
    seat = kept[kept["attends"] == "county_seat"].groupby("year")["pupils"].sum().max()
    seat = 0.0 if pd.isna(seat) else float(seat)
    return np.array([s.existing and most.get(s.school_id, 0) + seat * s.at_seat <= largest_size(s, standards) for s in sites] or [False])


def _useful(sites: Sequence[Site], children: pd.DataFrame, ways: pd.DataFrame, horizon: Horizon, standards: Standards) -> tuple[Site, ...]:
    """Drop the parts of candidates for which too few children of the last year can come at all: what opens stays to the end."""
    last = children[children["year"] == horizon.years[-1]]
    last = last.assign(band=[band_of(g) for g in last["grade"]])
    home = last[last["attends"] == "home"].groupby(["settlement_id", "band"])["pupils"].sum()
    seat = last[last["attends"] == "county_seat"].groupby("band")["pupils"].sum().to_dict()
    reach = ways.assign(day=ways["mode"] != "board")[["settlement_id", "school_id", "band", "day"]].drop_duplicates()
    reach = reach.merge(home.reset_index(), on=["settlement_id", "band"])
    # primary children who board do not make a school
    reach = reach[reach["day"] | (reach["band"] == "junior")].drop_duplicates(["settlement_id", "school_id", "band"])
    sums = reach.groupby(["school_id", "band"])["pupils"].sum().to_dict()
    least = least_pupils(standards)
    out = []
    for site in sites:
        if site.existing:
            out.append(site)
            continue
        near = {b: float(sums.get((site.school_id, b), 0.0)) for b in BANDS}
        full = {b: n + site.at_seat * float(seat.get(b, 0.0)) for b, n in near.items()}
        most = {
            "small": near["lower"] + near["upper"], "village": near["lower"] + near["upper"], "primary": full["lower"] + full["upper"],
            "junior": full["junior"],
        }  # fmt: skip
        # further primary grades stand on the first ones
        parts = tuple(part for part in site.parts if most[part] >= min(least[p] for p in ((part, "village") if part == "small" else (part,))))
        # grades 1-3 alone count for a teaching point
        if "small" in parts and "village" not in parts and near["lower"] < least["small"]:
            parts = tuple(part for part in parts if part != "small")
        if parts and site.first_year <= horizon.years[-1]:
            out.append(replace(site, parts=parts))
    return tuple(out)


def _demands(children: pd.DataFrame, sites: Sequence[Site], horizon: Horizon) -> pd.DataFrame:
    """Return one row per settlement, run of grades and plan year, and one per run and year for all who study in the county seat."""
    taught = {s.grades for s in sites if s.existing} | {_PART_GRADES[part] for s in sites for part in s.parts}
    cuts = {g[0] for g in taught} | {g[-1] + 1 for g in taught} | {g[0] for g in BANDS.values()}
    run = np.cumsum([g in cuts for g in GRADES])
    kept = children[children["attends"].isin(["home", "county_seat"]) & children["year"].isin(horizon.years)]
    at = {year: i for i, year in enumerate(horizon.years)}
    table = pd.DataFrame({
        "settlement_id": kept["settlement_id"].where(kept["attends"] == "home", ""), "band": [band_of(g) for g in kept["grade"]],
        "run": run[kept["grade"].to_numpy(int) - 1], "at": kept["year"].map(at), "grade": kept["grade"], "pupils": kept["pupils"],
    })  # fmt: skip
    out = table.pivot_table(index=["settlement_id", "band", "run", "at"], columns="grade", values="pupils", aggfunc="sum", fill_value=0)
    out = out.reindex(columns=list(GRADES), fill_value=0).reset_index()
    out.columns.name = None
    return out.assign(first=[int(np.flatnonzero(run == r)[0]) + 1 for r in out["run"]], total=out[list(GRADES)].sum(axis=1))


def _ways_kept(places: pd.DataFrame, ways: pd.DataFrame, sites: Sequence[Site], roomy: np.ndarray) -> pd.DataFrame:
    """Return the ways of each settlement and run that are kept: settlement_id, band, first, site, mode, minutes, beyond, excess, usual."""
    numbers = {s.school_id: k for k, s in enumerate(sites)}
    taught = np.array([[teaches(s, g) for g in GRADES] for s in sites] or [[False] * len(GRADES)], bool)
    existing = np.array([s.existing for s in sites] or [False])
    beds = np.array([s.beds + s.more_beds for s in sites] or [0])
    full = np.array([[s.existing or _may_board(s, g) for g in GRADES] for s in sites] or [[False] * len(GRADES)], bool)
    table = ways.assign(site=ways["school_id"].map(numbers)).dropna(subset="site").astype({"site": int})
    table = places.assign(place=places.index).merge(table, on=["settlement_id", "band"])
    k, first = table["site"].to_numpy(), table["first"].to_numpy() - 1
    boards = (table["mode"] == "board").to_numpy()
    table = table.assign(existing=existing[k], boards=boards)[taught[k, first] & (~boards | ((beds[k] > 0) & full[k, first]))]
    day = table["existing"] & ~table["boards"] & ~table["beyond"]
    near, safe = (table["place"].isin(set(table.loc[some, "place"])) for some in (day, day & roomy[table["site"].to_numpy()]))
    table = table[~((safe & table["beyond"]) | (near & table["boards"] & (table["band"] == "upper")))]
    kind = np.where(table["boards"], "board", np.where(table["beyond"], "far", "near"))
    table = table.assign(kind=kind).sort_values(["place", "kind", "existing", "excess", "minutes", "site"], kind="stable")
    rank = table.groupby(["place", "kind", "existing"]).cumcount()
    # a school that cannot be full stays, however many are nearer: because of it the ways beyond the limit went
    rooms = table["existing"] & (table["kind"] == "near") & roomy[table["site"].to_numpy()]
    first_roomy = table[rooms].drop_duplicates("place").index
    table = table[(rank < table["kind"].map({"near": _NEAR, "far": _FAR, "board": _BOARD})) | table.index.isin(first_roomy)]
    day = table[table["existing"] & ~table["boards"]].sort_values(["place", "beyond", "excess", "minutes", "site"], kind="stable")
    usual = day.drop_duplicates("place").index
    table = table.assign(usual=table.index.isin(usual))
    names = ["settlement_id", "band", "first", "site", "mode", "minutes", "beyond", "excess", "usual"]
    seat = [
        ("", row["band"], row["first"], k, "seat", 0.0, False, 0.0, s.existing) for row in places[places["settlement_id"] == ""].to_dict("records")
        for k, s in enumerate(sites) if s.at_seat and (row["first"] in s.grades if s.existing else _may_board(s, int(row["first"])))
    ]  # fmt: skip
    parts = [p for p in (table[names], pd.DataFrame(seat, columns=names)) if len(p)]
    out = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)
    return out.astype({"first": int, "site": int, "minutes": float, "beyond": bool, "excess": float, "usual": bool})


def _may_board(site: Site, grade: int) -> bool:
    # a full part: small schools keep no boarders and take nobody from the county seat
    return any(part in ("primary", "junior") and grade in _PART_GRADES[part] for part in site.parts)
