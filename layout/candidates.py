"""Sites where a school may be opened, and those that an exclusion rules out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.county import County
from layout.standards import Standards
from layout.tables import GRADES, check, empty

# a school this near stands at the place itself: about the length of a village
NEAR_M = 300.0


@dataclass(frozen=True)
class Candidates:
    """Tables ``candidates`` and ``rejected``: sites that may be opened, and those inside a hard exclusion."""

    sites: gpd.GeoDataFrame
    rejected: gpd.GeoDataFrame


def candidate_sites(county: County, pupils: pd.DataFrame, standards: Standards) -> Candidates:
    """List where a school may be opened: township towns, relocation sites, populous villages, the county's own list.

    Parameters
    ----------
    county
        Settlements, schools (status candidate: the county's list; closed: may open again) and exclusions.
    pupils
        Table ``pupils``: a village counts as populous with ``site.candidate.min_pupils`` children who study at home in any of
        its years.
    standards
        That number, and the clauses of exclusions: the rule ``site.*`` whose key or Chinese name holds the name of the layer.

    Returns
    -------
    Candidates
        Ids are ``C-`` and the settlement's id, or the school's own id. No site where open schools within 300 m already teach
        grades 1 to 9, none of the county's that is available only after the last year of ``pupils``. A site inside a hard
        exclusion is rejected (the exclusion with the lowest id is named); others carry the layers of soft exclusions as flags.

    References
    ----------
    义务教育法 第十五条; 地质灾害防治条例 第十九条、第二十一条.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> pupils = pd.DataFrame({"settlement_id": ["A", "C"], "year": 2035, "grade": 1, "pupils": [30.0, 40.0]})
    >>> candidate_sites(paper, pupils, read_standards()).sites[["school_id", "origin"]].values.tolist()
    [['C-C', 'populous_village'], ['C-D', 'township_seat']]
    """
    found = pd.concat([_listed(county, pupils), _settled(county, pupils, standards)], ignore_index=True)
    found = gpd.GeoDataFrame(found, geometry="geometry", crs=county.crs).drop_duplicates("school_id")
    found = found[[near_grades(p, county.schools) != set(GRADES) for p in found.geometry]].sort_values("school_id", ignore_index=True)
    if not len(found):
        return Candidates(empty("candidates", county.crs), empty("rejected", county.crs))  # type: ignore[arg-type]
    zones = county.exclusions.sort_values("exclusion_id", kind="stable", ignore_index=True)
    inside = [np.flatnonzero(zones.intersects(p).to_numpy()) if len(zones) else np.zeros(0, int) for p in found.geometry]
    hard = zones["hard"].to_numpy(bool)
    barred = [int(z[hard[z]][0]) if len(z) and hard[z].any() else -1 for z in inside]
    found["flags"] = [";".join(dict.fromkeys(zones["layer"].iloc[z[~hard[z]]])) for z in inside]
    out = np.array(barred) >= 0
    rejected = found[out][["school_id", "name", "geometry"]].assign(
        exclusion_id=[zones["exclusion_id"].iloc[b] for b in barred if b >= 0],
        clause=[clause_of(zones["layer"].iloc[b], standards) for b in barred if b >= 0],
    )  # fmt: skip
    sites = check("candidates", found[~out]) if (~out).any() else empty("candidates", county.crs)
    turned_down = check("rejected", rejected) if out.any() else empty("rejected", county.crs)
    return Candidates(sites, turned_down)  # type: ignore[arg-type]


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
    """Return the key of the site rule that a layer of exclusions rests on, or nothing.

    Parameters
    ----------
    layer
        Name of the layer.
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
    site_rules = (rule for key, rule in standards.rules.items() if key.startswith("site."))
    return next((r.key for r in site_rules if layer and (layer == r.key or layer in r.zh)), "")


def _listed(county: County, pupils: pd.DataFrame) -> pd.DataFrame:
    schools = county.schools[county.schools["status"].isin(["candidate", "closed"])]
    if "earliest_year" in schools and len(pupils):
        schools = schools[~(schools["earliest_year"] > pupils["year"].max())]
    origin = schools["status"].map({"candidate": "county_list", "closed": "closed_school"})
    return pd.DataFrame(schools[["school_id", "name", "township_id", "geometry"]]).assign(origin=origin)


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
    taken, ids = set(county.schools["school_id"]), []
    for settlement in rows["settlement_id"]:
        # a county may have entered last year's site under its old id
        ids.append(next(i for i in (f"{'C' * n}-{settlement}" for n in count(1)) if i not in taken))
    return rows.assign(school_id=ids).drop(columns="settlement_id")
