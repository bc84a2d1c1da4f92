"""A paper county with everything that the map can draw: a hill, a river, a lake, borders, a move, zones of danger, other plans and futures."""

import dataclasses
import functools

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import LineString, box

import layout
from conftest import CRS, EAST, NORTH, make_paper
from layout.county import County
from layout.plan import Plan
from layout.roads import Roads
from layout.tables import check
from layout.terrain import Terrain

YEARS = (2025, 2026, 2030, 2035)


def map_county() -> County:
    """Return the paper county with ground, borders and a move; S1 has three rooms for six grades."""
    county = make_paper()
    x, y = np.meshgrid(np.arange(140), np.arange(120))
    hill = (300 + 20 * np.sin(x / 9) * np.cos(y / 11)).astype("float32")
    moves = pd.DataFrame(
        {"from_id": ["A", "C"], "to_id": ["D", "D"], "year": [2026, 2030], "households": [8, 9], "persons": np.nan, "whole_village": True}
    )
    exclusions = gpd.GeoDataFrame(
        {"exclusion_id": ["x1", "x2"], "layer": ["地质灾害危险区", "永久基本农田"], "hard": [True, False], "source": ["县自然资源局", ""]},
        geometry=[box(EAST + 4000, NORTH - 900, EAST + 5000, NORTH + 700), box(EAST + 5200, NORTH - 600, EAST + 6600, NORTH - 100)],
        crs=CRS,
    )
    # a river north of the road and a lake south of it
    river = LineString([(EAST - 1000, NORTH + 2000), (EAST + 5000, NORTH + 1500), (EAST + 11_000, NORTH + 2000)])
    lake = box(EAST + 7500, NORTH - 2000, EAST + 8500, NORTH - 1200)
    water = gpd.GeoDataFrame({"obstacle_id": ["a", "b"], "kind": ["river", "water"], "name": ["纸河", "墨湖"]}, geometry=[river, lake], crs=CRS)
    areas = gpd.GeoDataFrame(
        {"township_id": ["T1", "T2"]},
        geometry=[box(EAST - 1500, NORTH - 2500, EAST + 4000, NORTH + 2500), box(EAST + 4000, NORTH - 2500, EAST + 11_000, NORTH + 2500)], crs=CRS,
    )  # fmt: skip
    edges = county.roads.edges.assign(highway=["trunk"] * 3 + ["tertiary"] * 4 + ["path"] * 3, name=["G320"] * 3 + [""] * 7)
    return dataclasses.replace(
        county, roads=Roads(county.roads.nodes, edges, CRS, {"file": "paper", "sha256": "", "attribution": "© OpenStreetMap contributors"}),
        terrain=Terrain(hill, EAST - 3000, NORTH + 6000, 110.0, 110.0, CRS), moves=check("moves", moves), exclusions=check("exclusions", exclusions),
        settlements=county.settlements.assign(kind=["village", "village", "village", "county_seat", "village"]),
        obstacles=water, township_areas=areas, boundary=box(EAST - 1500, NORTH - 2500, EAST + 11_000, NORTH + 2500),
        schools=county.schools.assign(rooms=[3, 9]),
    )  # fmt: skip


@functools.cache
def map_plan() -> Plan:
    """Return its plan with alternatives and another future."""
    plan = layout.make_plan(map_county(), years=YEARS[1:])
    plan = layout.with_alternatives(plan, kinds=["expand_only", "nearer"], near_ties=1)
    return layout.with_futures(plan, [layout.Scenario(name="low", variant="low"), layout.Scenario(name="high", variant="high")])
