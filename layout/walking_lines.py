"""Lines around the ground from which a school is in walking distance, today and in each plan year."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from layout.ground import rings_of
from layout.network import prepare_network
from layout.plan import Plan
from layout.reach_areas import service_areas
from layout.road_edits import edits_of
from layout.search import join_places, some_places
from layout.sensitivity import walking_speeds
from layout.tables import BANDS

# size of the cells in which open ground is looked at, and the tolerance of the lines, in metres
_CELL_M, _TOLERANCE_M = 60.0, 25.0
# holes and islands smaller than this say nothing on a map of a county
_LEAST_M2 = 40_000.0


def walking_lines(plan: Plan) -> dict[str, list[Any]]:
    """Return where children of each band walk to a school within the limit, as polygons for the page.

    Parameters
    ----------
    plan
        From :func:`layout.make_plan`; of its schools those count that are open and teach every grade of the band. Slopes, obstacles, season,
        walking speed and changed roads are those of the plan.

    Returns
    -------
    dict
        ``shapes``: each a list of polygons, each a list of folded rings; ``lines``: ``band`` (its number), ``view`` (``today`` or
        ``planned``), ``years``, ``minutes`` (the walking limit of the band), ``schools`` (their number), ``km2``, ``shape`` (number of the
        shape, -1 for none). Years with the same schools share an entry. Both are empty where the plan has no
        roads or no minutes.

    Examples
    --------
    >>> lines = walking_lines(layout.make_plan(paper, to=2026))["lines"]
    >>> [(line["band"], line["view"], line["years"], line["minutes"], line["schools"]) for line in lines][:2]
    [(0, 'today', [2025, 2026], 30.0, 2), (0, 'planned', [2026], 30.0, 2)]
    """
    county = plan.county
    if county.roads is None or not len(county.roads.edges) or not len(plan.today.times):
        return {"shapes": [], "lines": []}
    network = prepare_network(
        county.roads, terrain=county.terrain, standards=plan.standards, obstacles=county.obstacles, season=plan.scenario.season,
        edits=edits_of(plan.scenario.road_edits, county.roads),
    )  # fmt: skip
    speeds = walking_speeds(plan.standards, plan.scenario.walking)
    everywhere = join_places(network, plan.schools[["school_id", "geometry"]].rename(columns={"school_id": "id"}))
    found: dict[tuple[str, frozenset[str]], tuple[int, float]] = {}
    shapes: list[Any] = []
    out = []
    for k, band in enumerate(BANDS):
        minutes = float(plan.standards.limit("walk", band))
        entries: dict[tuple[str, frozenset[str]], list[int]] = {}
        for view, year, ids in _open(plan, band):
            entries.setdefault((view, ids), []).append(year)
        for (view, ids), years in entries.items():
            key = (band, ids)
            if ids and key not in found:
                places = some_places(everywhere, sorted(ids))
                areas = service_areas(network, places, minutes=minutes, mode="walk", band=band, level_kph=speeds[band], cell_m=_CELL_M)
                rings, km2 = _shape(areas)
                found[key] = (len(shapes), km2)
                shapes.append(rings)
            shape, km2 = found.get(key, (-1, 0.0))
            out.append({"band": k, "view": view, "years": years, "minutes": minutes, "schools": len(ids), "km2": km2, "shape": shape})
    return {"shapes": shapes, "lines": out}


def _open(plan: Plan, band: str) -> list[tuple[str, int, frozenset[str]]]:
    """Return view, year and the open schools that teach every grade of a band."""
    first, last = min(BANDS[band]), max(BANDS[band])

    def ids(table: pd.DataFrame) -> frozenset[str]:
        there = (table["status"] == "open") & (table["first_grade"] <= first) & (table["last_grade"] >= last)
        special = set(plan.schools.loc[plan.schools["kind"] == "special", "school_id"])
        return frozenset(table.loc[there, "school_id"].astype("str")) - special

    now, then = ids(pd.DataFrame(plan.county.schools)), plan.planned.school_years
    years = sorted({int(year) for year in then["year"]})
    return [("today", year, now) for year in plan.years] + [("planned", year, ids(then[then["year"] == year])) for year in years]


def _shape(areas: gpd.GeoDataFrame) -> tuple[list[list[list[int]]], float]:
    if not len(areas):
        return [], 0.0
    whole = areas.geometry.union_all()
    km2 = round(float(whole.area) / 1e6, 1)
    parts = shapely.get_parts(shapely.simplify(whole, _TOLERANCE_M))
    kept = [shapely.Polygon(p.exterior, [r for r in p.interiors if shapely.Polygon(r).area >= _LEAST_M2]) for p in parts if p.area >= _LEAST_M2]
    return [rings_of(part) for part in gpd.GeoSeries(kept, crs=areas.crs).to_crs(4326)], km2
