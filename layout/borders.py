"""Border pupils: children whose nearest school lies in another county."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from layout.network import prepare_network
from layout.province_tables import read_part
from layout.roads import metric_crs
from layout.shared_ground import SharedGround, shared_roads, shared_terrain
from layout.standards import Standards
from layout.tables import BANDS, CountyDataError, band_of, check, empty
from layout.travel import travel_times

_EARTH_M = 6_371_008.8  # mean radius


def border_rows(tables: str | Path, done: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Find the children whose nearest school lies in another county.

    Measured in a straight line on the globe from each settlement to the nearest school that is open in the base year and teaches the
    whole band, among the schools of its own county and among those of all other counties of the run. Only settlements for which another
    county's school is nearer have rows. Children are those who study in their own township (``attends`` home) as expected by
    scenario and year; whether they could cross, and whether the other school has room, is not judged. Counties outside the run, and
    counties that failed, have no schools here.

    Parameters
    ----------
    tables
        Folder of the tables.
    done
        County and scenario of those with a plan.

    Returns
    -------
    pandas.DataFrame
        Table ``border_pupils``, without minutes: those are measured by :func:`border_minutes`.

    Examples
    --------
    >>> len(border_rows("no such folder", []))
    0
    """
    out = []
    for scenario in sorted({s for _, s in done}):
        counties = sorted(c for c, s in done if s == scenario)
        schools = {c: _open_schools(read_part(tables, "schools", c, scenario)) for c in counties}
        everywhere = pd.concat([s.assign(county=c) for c, s in schools.items()], ignore_index=True)
        for county in counties:
            homes = read_part(tables, "settlements", county, scenario)
            pupils = read_part(tables, "pupils", county, scenario)
            if not len(homes) or not len(pupils):
                continue
            at_home = pupils[pupils["attends"] == "home"] if "attends" in pupils else pupils
            at_home = at_home[at_home["pupils"] > 0].assign(band=[band_of(g) for g in at_home.loc[at_home["pupils"] > 0, "grade"]])
            count = at_home.groupby(["settlement_id", "band", "year"], as_index=False).agg(pupils=("pupils", "sum"))
            for band, grades in BANDS.items():
                teaching = everywhere[(everywhere["first_grade"] <= min(grades)) & (everywhere["last_grade"] >= max(grades))]
                near = _nearer_elsewhere(homes, teaching, county)
                out.append(near.merge(count[count["band"] == band], on="settlement_id").assign(county=county, scenario=scenario))
    found = pd.concat(out, ignore_index=True) if out else pd.DataFrame()
    return check("border_pupils", found.assign(own_minutes=np.nan, other_minutes=np.nan)) if len(found) else empty("border_pupils")


def border_minutes(rows: pd.DataFrame, tables: str | Path, shared: SharedGround, standards: Standards) -> pd.DataFrame:
    """Measure the ways on foot of one county's border pupils to both schools over the shared roads.

    Parameters
    ----------
    rows
        Rows of table ``border_pupils`` of one county and scenario.
    tables
        Folder of the tables.
    shared
        What the counties share. Only shared roads know both sides of a border; without them there are no minutes.
    standards
        Walking speeds, those of the country: what the county itself has changed does not count across its border.

    Returns
    -------
    pandas.DataFrame
        The same rows with ``own_minutes`` and ``other_minutes``: minutes of the band towards the school on the shared roads and terrain,
        empty where there is no way within the longest trip.

    Examples
    --------
    >>> border_minutes(empty("border_pupils"), "no such folder", SharedGround(), layout.read_standards()).empty
    True
    """
    if shared.roads is None or not len(rows):
        return rows
    county, scenario = str(rows["county"].iloc[0]), str(rows["scenario"].iloc[0])
    degrees = read_part(tables, "settlements", county, scenario, columns=["geometry"]).to_crs(4326).geometry  # type: ignore[operator]
    crs = metric_crs(float(degrees.x.median()), float(degrees.y.median()))
    homes = _places(tables, "settlements", county, scenario, "settlement_id", crs)
    sides = {county: _places(tables, "schools", county, scenario, "school_id", crs)}
    sides |= {c: _places(tables, "schools", c, scenario, "school_id", crs) for c in sorted(set(rows["other_county"]))}
    homes = homes[homes["id"].isin(rows["settlement_id"])]
    used = {(county, s) for s in rows["own_school_id"]} | set(zip(rows["other_county"], rows["other_school_id"], strict=True))
    # ids are unique within a county only
    schools = pd.concat([table.assign(id=[f"{c}/{i}" for i in table["id"]])[[(c, i) in used for i in table["id"]]] for c, table in sides.items()])
    everywhere = pd.concat([homes, schools]).to_crs(4326).total_bounds
    bounds = tuple(float(v) for v in everywhere)
    try:
        roads = shared_roads(shared, bounds, crs=crs)  # type: ignore[arg-type]
    except CountyDataError:
        # no shared road comes near
        return rows
    terrain = shared_terrain(shared, bounds)  # type: ignore[arg-type]
    found: dict[tuple[str, str, str], float] = {}
    for band in sorted(set(rows["band"])):
        network = prepare_network(roads, mode="walk", band=band, terrain=terrain, standards=standards)  # type: ignore[arg-type]
        times = travel_times(network, homes, schools.reset_index(drop=True), mode="walk", band=band, standards=standards)
        found |= {(band, str(f), str(t)): m for f, t, m in zip(times["from_id"], times["to_id"], times["minutes"], strict=True)}
    legs = list(zip(rows["band"], rows["settlement_id"], rows["own_school_id"], rows["other_county"], rows["other_school_id"], strict=True))
    timed = rows.assign(
        own_minutes=[found.get((band, home, f"{county}/{own}"), np.nan) for band, home, own, _, _ in legs],
        other_minutes=[found.get((band, home, f"{there}/{other}"), np.nan) for band, home, _, there, other in legs],
    )
    return check("border_pupils", timed)


def _places(tables: str | Path, table: str, county: str, scenario: str, key: str, crs: str) -> gpd.GeoDataFrame:
    found = read_part(tables, table, county, scenario, columns=[key, "geometry"]).to_crs(crs)  # type: ignore[operator]
    return found.rename(columns={key: "id"})


def _open_schools(schools: pd.DataFrame) -> pd.DataFrame:
    there = schools[schools["status"] == "open"]
    degrees = there.geometry.to_crs(4326)
    table = pd.DataFrame(there[["school_id", "first_grade", "last_grade"]])
    return table.assign(**dict(zip("xyz", _on_globe(degrees), strict=True)))


def _on_globe(points: gpd.GeoSeries) -> Iterator[np.ndarray]:
    lon, lat = np.radians(points.x.to_numpy()), np.radians(points.y.to_numpy())
    yield from (np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat))


def _nearer_elsewhere(homes: gpd.GeoDataFrame, teaching: pd.DataFrame, county: str) -> pd.DataFrame:
    columns = ["settlement_id", "name", "own_school_id", "own_m", "other_county", "other_school_id", "other_m"]
    own, others = (teaching[mask].sort_values(["county", "school_id"], ignore_index=True) for mask in
                   (teaching["county"] == county, teaching["county"] != county))  # fmt: skip
    if not len(others):
        return pd.DataFrame(columns=columns)
    at = np.column_stack(list(_on_globe(homes.geometry.to_crs(4326))))
    there, k = _closest(at, others)
    here, j = _closest(at, own) if len(own) else (np.full(len(at), np.nan), np.zeros(len(at), int))
    frame = pd.DataFrame({
        "settlement_id": homes["settlement_id"].to_numpy(), "name": homes["name"].to_numpy(),
        "own_school_id": own["school_id"].to_numpy()[j] if len(own) else "", "own_m": here,
        "other_county": others["county"].to_numpy()[k], "other_school_id": others["school_id"].to_numpy()[k], "other_m": there,
    })  # fmt: skip
    return frame[~(here <= there)]


def _closest(at: np.ndarray, schools: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance over the globe to the nearest school and its row; the chord's order is that of the arc."""
    chord, row = cKDTree(schools[["x", "y", "z"]].to_numpy()).query(at)
    return 2 * _EARTH_M * np.arcsin(np.clip(chord / 2, 0, 1)), row
