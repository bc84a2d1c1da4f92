"""Sites where a school may be opened, and those that a rule turns down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layout.county import County
from layout.site_cover import cover_sites
from layout.site_rules import bars_near, layer_clause, site_bars
from layout.standards import Standards
from layout.tables import GRADES, check, empty

# a school this near stands at the place itself: about the length of a village
NEAR_M = 300.0
# a place is moved by steps of so many metres, looked at in so many directions
_STEP_M, _DIRECTIONS = 10.0, 16
# the county's own position may be moved by the width of a school ground, a village by its length, a school not at all
_GROUND_M = 100.0
# schools that stood there before keep no distance that a law asks of new ones
_STANDING = ("closed_school", "existing_school")


@dataclass(frozen=True)
class Candidates:
    """Tables ``candidates`` and ``rejected``: sites that may be opened, and those that a hard rule turns down."""

    sites: gpd.GeoDataFrame
    rejected: gpd.GeoDataFrame


def candidate_sites(
    county: County, pupils: pd.DataFrame, standards: Standards, *, times: pd.DataFrame | None = None, cover: bool = True, existing: bool = False
) -> Candidates:  # fmt: skip
    """List where a school may be opened, and screen every site by the rules on where schools may stand.

    Parameters
    ----------
    county
        Settlements, schools (status candidate: the county's list; closed: may open again), exclusions, roads and water.
    pupils
        Table ``pupils``: a village counts as populous with ``site.candidate.min_pupils`` children who study at home in any of
        its years.
    standards
        That number, years before a site can open, and the rules ``site.*``.
    times
        Table ``times``, for :func:`layout.cover_sites`; None: straight lines.
    cover
        Whether to add settlements and road junctions from which most children without a school within the limit would have one.
    existing
        Whether to add the grounds of open schools that do not teach every grade.

    Returns
    -------
    Candidates
        Sites: township towns, relocation sites, populous villages, the county's own list, closed schools, then what ``cover`` and
        ``existing`` add. Ids are ``C-`` and the settlement's or open school's id, ``J-`` and the node's, or the school's own id. No site where
        open schools within 300 m already teach grades 1 to 9, none that is available only after the last year of ``pupils``.
        ``earliest_year``: that of the county's list, else years after the base year. ``flags`` and ``flag_clauses``: soft rules that hold there.

        A village is no plot of land: its site is moved, as little as needed and at most 300 m, off roads, lines and water, never
        across an obstacle or the boundary (``moved_m``); a site of the county's list at most 100 m. It is turned down where that
        leads nowhere and where it lies in a forbidden area. Schools that stood before are judged where they are and need no distance to
        roads. Each rejection names its rule, the exclusion or the edge of the road, the metres there are and those asked
        for. Places are chosen before they are screened, so one more exclusion never adds a site.

    References
    ----------
    义务教育法 第十五条; 国办发〔2018〕27号 二(四); the rules of :func:`layout.site_rules.site_bars`.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> pupils = pd.DataFrame({"settlement_id": ["A", "C"], "year": 2035, "grade": 1, "pupils": [30.0, 40.0]})
    >>> candidate_sites(paper, pupils, read_standards()).sites[["school_id", "origin", "moved_m"]].values.tolist()
    [['C-A', 'cover_point', 30.0], ['C-C', 'populous_village', 30.0], ['C-D', 'township_seat', 30.0]]
    """
    parts = [_listed(county), _settled(county, pupils, standards)]
    parts += [_grounds(county)] if existing else []
    found = _frame([p for p in parts if len(p)], county)
    if cover:
        found = _frame([found, _covering(county, pupils, standards, times, found)], county)
    found = found[[near_grades(p, county.schools) != set(GRADES) for p in found.geometry]].reset_index(drop=True)
    found = found.assign(earliest_year=_earliest(found, county, standards))
    if len(pupils):
        found = found[found["earliest_year"] <= pupils["year"].max()]
    found = found.sort_values("school_id", ignore_index=True)
    if not len(found):
        return Candidates(empty("candidates", county.crs), empty("rejected", county.crs))  # type: ignore[arg-type]
    return _screened(found, county, standards)


def near_grades(place: object, schools: gpd.GeoDataFrame) -> set[int]:
    """Return the grades that open schools within 300 m of a place teach.

    Parameters
    ----------
    place
        A point in the coordinate system of the schools.
    schools
        Table ``schools``.

    Returns
    -------
    set of int
        Grades 1 to 9.

    Examples
    --------
    >>> sorted(near_grades(paper.schools.geometry.iloc[0], paper.schools))
    [1, 2, 3, 4, 5, 6]
    """
    there = schools[(schools["status"] == "open") & (schools["kind"] != "special")]
    there = there[there.distance(place) <= NEAR_M]
    return {g for a, z in zip(there["first_grade"], there["last_grade"], strict=True) for g in GRADES if a <= g <= z}


def clause_of(layer: str, standards: Standards) -> str:
    """Return the key of the site rule that a layer of exclusions or a flag rests on, or nothing.

    Parameters
    ----------
    layer
        Name of the layer, or a flag of the table ``candidates``.
    standards
        Rules whose key begins with ``site.``.

    Returns
    -------
    str
        The key, empty where no rule names the layer.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> clause_of("地质灾害易发区", read_standards())
    'site.geohazard.prone_zone'
    """
    return layer_clause(layer, standards)


def _frame(parts: Sequence[pd.DataFrame], county: County) -> gpd.GeoDataFrame:
    columns = ["school_id", "name", "township_id", "origin", "covered", "year", "geometry"]
    whole = [part.reindex(columns=columns).astype({"covered": float, "year": float}) for part in parts if len(part)]
    rows = pd.concat(whole, ignore_index=True) if whole else pd.DataFrame(columns=columns).astype({"covered": float, "year": float})
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=county.crs).drop_duplicates("school_id", ignore_index=True)


def _listed(county: County) -> pd.DataFrame:
    schools = county.schools[county.schools["status"].isin(["candidate", "closed"])]
    origin = schools["status"].map({"candidate": "county_list", "closed": "closed_school"})
    rows = pd.DataFrame(schools).reindex(columns=["school_id", "name", "township_id", "geometry", "earliest_year"])
    return rows.rename(columns={"earliest_year": "year"}).assign(origin=origin)


def _settled(county: County, pupils: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    places = county.settlements
    home = pupils if "attends" not in pupils else pupils[pupils["attends"].isin(["home", ""])]
    most = home.groupby(["settlement_id", "year"])["pupils"].sum().groupby(level=0).max()
    populous = places["settlement_id"].map(most).fillna(0.0) >= standards["site.candidate.min_pupils"]
    kinds: Sequence[str] = ["township_seat" if k in ("town", "county_seat") else "relocation" if k == "relocation" else "" for k in places["kind"]]
    grown = ["populous_village" if p else "" for p in populous]
    origin = pd.Series([kind or village for kind, village in zip(kinds, grown, strict=True)], index=places.index)
    chosen = places[origin != ""]
    listed = county.schools[county.schools["status"].isin(["candidate", "closed"])]
    # the county's own site stands for the settlement it lies in
    free = np.array([not (listed.distance(p) <= NEAR_M).any() for p in chosen.geometry], bool)
    rows = pd.DataFrame(chosen[["settlement_id", "name", "township_id", "geometry"]]).assign(origin=origin[origin != ""])[free]
    return rows.assign(school_id=_new_ids(county, [f"C-{s}" for s in rows["settlement_id"]])).drop(columns="settlement_id")


def _grounds(county: County) -> pd.DataFrame:
    schools = county.schools
    there = schools[(schools["status"] == "open") & (schools["kind"] != "special")]
    rows = pd.DataFrame(there[["school_id", "name", "township_id", "geometry"]]).assign(origin="existing_school")
    return rows.assign(school_id=_new_ids(county, [f"C-{s}" for s in rows["school_id"]]))


def _covering(county: County, pupils: pd.DataFrame, standards: Standards, times: pd.DataFrame | None, found: gpd.GeoDataFrame) -> pd.DataFrame:
    more = cover_sites(county, pupils, standards, times=times, chosen=found, apart_m=NEAR_M)
    return pd.DataFrame(more).assign(school_id=_new_ids(county, more["school_id"]), origin="cover_point")


def _new_ids(county: County, ids: Sequence[str]) -> list[str]:
    taken = set(county.schools["school_id"])
    # a county may have entered last year's site under its old id
    return [next(i for i in (id_[0] * n + id_[1:] for n in count(1)) if i not in taken) for id_ in ids]


def _earliest(found: gpd.GeoDataFrame, county: County, standards: Standards) -> np.ndarray:
    """Return the first year in which a site can open: its own, else some years after the base year."""
    years = np.where(found["origin"].isin(_STANDING), standards["lead.reopen"], standards["lead.school"])
    return np.where(found["year"].notna(), found["year"], county.base_year + years).astype("int64")


def _screened(found: gpd.GeoDataFrame, county: County, standards: Standards) -> Candidates:
    """Move, flag or turn down each site."""
    bars = site_bars(county, standards)
    hard, new_only, areas = (bars[c].to_numpy() for c in ("hard", "new_only", "kind"))
    standing = found["origin"].isin(_STANDING).to_numpy()
    near = bars_near(found.geometry.to_numpy(), bars)
    binds = hard[near["bar"]] & ~(new_only[near["bar"]] & standing[near["point"]])
    broken = near[binds]
    # the first bar is named: areas by their ids, then the nearest, and of its rules the one that asks for least
    off = areas[broken["bar"]] != "area"
    least = bars["least_m"].to_numpy()[broken["bar"]]
    broken = broken.assign(off=off, near=np.where(off, broken["distance_m"], 0.0), least=np.where(off, least, 0.0))
    broken = broken.sort_values(["point", "off", "near", "least", "bar"], kind="stable")
    first = broken.drop_duplicates("point").set_index("point")
    far = np.where(standing, 0.0, np.where(found["origin"] == "county_list", _GROUND_M, NEAR_M))
    in_area = set(broken.loc[~broken["off"], "point"])
    wanted = {int(i): float(far[i]) for i in first.index if i not in in_area}
    moved = _moved(found.geometry.to_numpy(), wanted, bars[hard], county)
    out = np.array([i in first.index and i not in moved for i in range(len(found))], bool)
    points = np.array([moved.get(i, p) for i, p in enumerate(found.geometry)], object)
    metres = shapely.distance(points, found.geometry.to_numpy())
    sites = found.assign(geometry=gpd.GeoSeries(points, crs=county.crs), moved_m=np.round(metres, 1))
    sites = sites.assign(**_flags(sites, standing, bars, standards))
    keep = ["school_id", "name", "township_id", "origin", "flags", "flag_clauses", "earliest_year", "moved_m", "covered", "geometry"]
    kept = check("candidates", sites.loc[~out, keep]) if (~out).any() else empty("candidates", county.crs)
    turned_down = check("rejected", _rejected(found[out], first[out[first.index]], bars)) if out.any() else empty("rejected", county.crs)
    return Candidates(kept, turned_down)  # type: ignore[arg-type]


def _flags(sites: gpd.GeoDataFrame, standing: np.ndarray, bars: gpd.GeoDataFrame, standards: Standards) -> dict[str, list[str]]:
    """Return the soft rules that hold at each site: layers of areas, names of the others, and their keys."""
    near = bars_near(sites.geometry.to_numpy(), bars)
    hard, new_only = bars["hard"].to_numpy(), bars["new_only"].to_numpy()
    # what a law asks of new schools is worth knowing where an old one opens again
    soft = near[~hard[near["bar"]] | (new_only[near["bar"]] & standing[near["point"]])]
    words: list[list[str]] = [[] for _ in range(len(sites))]
    keys: list[list[str]] = [[] for _ in range(len(sites))]
    for point, bar in zip(soft["point"], soft["bar"], strict=True):
        kind, key, layer = (str(bars[c].iloc[bar]) for c in ("kind", "clause", "layer"))
        words[point].append(layer if kind == "area" else standards.rules[key].zh)
        keys[point].append(key)
    return {"flags": [";".join(dict.fromkeys(w)) for w in words], "flag_clauses": [";".join(dict.fromkeys(k)) for k in keys]}


def _rejected(found: gpd.GeoDataFrame, first: pd.DataFrame, bars: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    bar = bars.iloc[first["bar"].to_numpy()].reset_index(drop=True)
    road = (bar["kind"] == "road").to_numpy()
    excluded = bar["kind"].isin(["area", "line"]).to_numpy()
    rows = found.loc[first.index, ["school_id", "name", "origin", "geometry"]].reset_index(drop=True)
    return rows.assign(
        exclusion_id=np.where(excluded, bar["bar_id"], ""), road_id=np.where(road, bar["bar_id"], ""), layer=bar["layer"], clause=bar["clause"],
        distance_m=np.round(first["distance_m"].to_numpy(), 1), least_m=bar["least_m"].to_numpy(),
    )  # fmt: skip


def _moved(points: np.ndarray, wanted: Mapping[int, float], bars: gpd.GeoDataFrame, county: County) -> dict[int, shapely.Point]:
    """Return for each wanted point the nearest place within its metres, ring by ring, that breaks no hard bar."""
    out: dict[int, shapely.Point] = {}
    turns = np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS
    walls = county.obstacles.geometry.to_numpy() if county.obstacles is not None and len(county.obstacles) else None
    tree = shapely.STRtree(walls) if walls is not None else None
    for radius in np.arange(_STEP_M, NEAR_M + _STEP_M / 2, _STEP_M):
        left = [i for i, most in wanted.items() if radius <= most and i not in out]
        if not left:
            break
        x, y = shapely.get_x(points[left]), shapely.get_y(points[left])
        trials = shapely.points((x[:, None] + radius * np.cos(turns)).ravel(), (y[:, None] + radius * np.sin(turns)).ravel())
        fits = np.ones(len(trials), bool)
        fits[bars_near(trials, bars)["point"].unique()] = False
        starts = np.repeat(points[left], _DIRECTIONS)
        for t in np.flatnonzero(fits):
            i = left[t // _DIRECTIONS]
            if i not in out and _free(starts[t], trials[t], tree, county):
                out[i] = trials[t]
    return out


def _free(start: shapely.Point, trial: shapely.Point, tree: shapely.STRtree | None, county: County) -> bool:
    """Say whether a place may be moved so: over no obstacle or boundary, to where a school is still missing."""
    if tree is not None:
        way = shapely.LineString([start, trial])
        crossed = tree.geometries[tree.query(way, predicate="intersects")]
        # a place that lies in water may be moved out of it
        if any(not shapely.intersects(wall, start) for wall in crossed):
            return False
    if county.boundary is not None and shapely.contains(county.boundary, start) and not shapely.contains(county.boundary, trial):
        return False
    return near_grades(trial, county.schools) != set(GRADES)
