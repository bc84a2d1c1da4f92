"""A county whose best plan is known beforehand: where to open and when, what fades, what must stay."""

import datetime as dt

import geopandas as gpd
import pandas as pd
from shapely.geometry import LineString, Point

from layout.county import County
from layout.roads import Roads
from layout.tables import check, empty

CRS = "EPSG:4545"
# kilometres along one flat road, township, kind, children of each age 0-5 and of each age 6-14
PLACES = {
    "A0": (0.0, "T1", "county_seat", 30, 30), "B1": (1.4, "T1", "village", 1, 4), "C1": (3.5, "T1", "village", 5, 5),
    "D1": (10.5, "T2", "village", 4, 4), "D2": (12.0, "T2", "village", 8, 8), "D3": (13.5, "T2", "village", 4, 4),
    "M1": (26.0, "T2", "village", 25, 25), "R1": (17.0, "T2", "relocation", 0, 0),
}  # fmt: skip
# kilometres, kind, grades, rooms, beds
SCHOOLS = {"S1": (0.0, "nine_year", 9, 27, 150), "S2": (1.4, "small_primary", 6, 6, 0), "S3": (3.5, "small_primary", 6, 6, 0)}


def spot(km: float) -> Point:
    return Point(500_000 + 1000 * km, 2_950_000)


def planted_county() -> County:
    """Villages D1 to D3 lie within half an hour of D2 alone; B1 ages; C1 has no second school; M1 moves to R1 before September 2028."""
    nodes = pd.DataFrame({"node_id": range(61), "x": [500_000 + 500.0 * k for k in range(61)], "y": 2_950_000.0}).astype({"node_id": "int64"})
    edges = gpd.GeoDataFrame(
        {
            "edge_id": range(60), "from_node": range(60), "to_node": range(1, 61), "highway": "tertiary", "name": "", "length_m": 500.0, "oneway": 0,
            "walk": True, "drive": True, "maxspeed_kph": float("nan"), "width_m": float("nan"), "bridge": False, "tunnel": False, "steps": False,
            "surface": "", "way_id": 1,
        },
        geometry=[LineString([spot(k / 2), spot(k / 2 + 0.5)]) for k in range(60)], crs=CRS,
    )  # fmt: skip
    settlements = gpd.GeoDataFrame(
        {"settlement_id": list(PLACES), "name": [f"{p}村" for p in PLACES], "township_id": [p[1] for p in PLACES.values()],
         "kind": [p[2] for p in PLACES.values()]}, geometry=[spot(p[0]) for p in PLACES.values()], crs=CRS,
    )  # fmt: skip
    schools = gpd.GeoDataFrame(
        {
            "school_id": list(SCHOOLS), "name": [f"{s}学校" for s in SCHOOLS], "township_id": "T1", "kind": [s[1] for s in SCHOOLS.values()],
            "urban_rural": "village", "owner": "public", "status": "open", "first_grade": 1, "last_grade": [s[2] for s in SCHOOLS.values()],
            "rooms": [s[3] for s in SCHOOLS.values()], "beds": [s[4] for s in SCHOOLS.values()], "expandable_rooms": 0, "school_bus": False,
        },
        geometry=[spot(s[0]) for s in SCHOOLS.values()], crs=CRS,
    )  # fmt: skip
    population = pd.DataFrame(
        [(p, age, "both", float(young if age < 6 else old)) for p, (_, _, _, young, old) in PLACES.items() for age in range(15) if young],
        columns=["settlement_id", "age", "sex", "persons"],
    )
    moves = pd.DataFrame(
        [("M1", "R1", 2028, float("nan"), float("nan"), True)], columns=["from_id", "to_id", "year", "households", "persons", "whole_village"]
    )
    tables = {
        "settlements": settlements, "schools": schools, "population": population, "moves": moves,
        "townships": pd.DataFrame({"township_id": ["T1", "T2"], "name": ["甲镇", "乙乡"], "is_county_seat": [True, False]}),
    }  # fmt: skip
    for name in ("births", "rates", "attendance", "zones", "history", "assumptions", "rosters"):
        tables[name] = empty(name)
    tables["exclusions"] = empty("exclusions", CRS)
    return County(
        name="已知县", code="520000", base_year=2025, base_date=dt.date(2025, 8, 31), crs=CRS, **{n: check(n, t) for n, t in tables.items()},
        roads=Roads(nodes, edges, CRS, {"file": "planted", "sha256": "", "attribution": ""}),
    )  # fmt: skip
