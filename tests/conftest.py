"""The paper county: five villages and two schools along one flat road, every answer worked by hand."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import pandas as pd
import pytest
from shapely.geometry import LineString, Point

from layout.county import County, write_county
from layout.roads import Roads
from layout.sample import make_sample_county
from layout.tables import check, empty

CRS = "EPSG:4545"
EAST, NORTH = 500_000.0, 2_950_000.0
# kilometres along the road, children of every single age 0-14
VILLAGES = {"A": (0.0, 10), "B": (1.0, 8), "C": (2.5, 12), "D": (6.0, 20), "E": (9.0, 6)}
SCHOOLS = {"S1": 1.5, "S2": 7.0}


def at(km: float) -> Point:
    return Point(EAST + 1000 * km, NORTH)


def paper_roads() -> Roads:
    """One flat road of ten kilometres with a junction at every kilometre."""
    nodes = pd.DataFrame({"node_id": range(11), "x": [EAST + 1000.0 * k for k in range(11)], "y": NORTH}).astype({"node_id": "int64"})
    edges = gpd.GeoDataFrame(
        {
            "edge_id": range(10), "from_node": range(10), "to_node": range(1, 11), "highway": "tertiary", "name": "",
            "length_m": 1000.0, "oneway": 0, "walk": True, "drive": True, "maxspeed_kph": float("nan"), "width_m": float("nan"),
            "bridge": False, "tunnel": False, "steps": False, "surface": "", "way_id": 1,
        },
        geometry=[LineString([at(k), at(k + 1)]) for k in range(10)], crs=CRS,
    )  # fmt: skip
    return Roads(nodes, edges, CRS, {"file": "paper", "sha256": "", "attribution": ""})


def make_paper() -> County:
    settlements = gpd.GeoDataFrame(
        {
            "settlement_id": list(VILLAGES), "name": [f"{v}村" for v in VILLAGES],
            "township_id": ["T1", "T1", "T1", "T2", "T2"], "kind": ["village", "village", "village", "county_seat", "village"],
        },
        geometry=[at(km) for km, _ in VILLAGES.values()], crs=CRS,
    )  # fmt: skip
    schools = gpd.GeoDataFrame(
        {
            "school_id": list(SCHOOLS), "name": ["S1小学", "S2九年制学校"], "township_id": ["T1", "T2"],
            "kind": ["primary", "nine_year"], "urban_rural": ["village", "town"], "owner": "public", "status": "open",
            "first_grade": 1, "last_grade": [6, 9], "rooms": [6, 9], "beds": [0, 20], "boarders": [0, 10],
            "expandable_rooms": [4, 9], "school_bus": False,
        },
        geometry=[at(km) for km in SCHOOLS.values()], crs=CRS,
    )  # fmt: skip
    population = pd.DataFrame(
        [(v, age, "both", float(n), float(n)) for v, (_, n) in VILLAGES.items() for age in range(15)],
        columns=["settlement_id", "age", "sex", "persons", "registered"],
    )
    townships = pd.DataFrame({"township_id": ["T1", "T2"], "name": ["甲乡", "乙镇"], "is_county_seat": [False, True]})
    # grades 1-6 of S1 hold 30 each (A, B, C); S2 holds 26 each (D, E) in the primary grades and all 56 in the junior ones
    rosters = pd.DataFrame(
        [("S1", g, 1, 30) for g in range(1, 7)] + [("S2", g, 1, 26) for g in range(1, 7)] + [("S2", g, 1, 56) for g in range(7, 10)],
        columns=["school_id", "grade", "class_no", "pupils"],
    )
    tables = {"settlements": settlements, "schools": schools, "population": population, "townships": townships, "rosters": rosters}
    for name in ("births", "rates", "moves", "attendance", "zones", "history", "assumptions"):
        tables[name] = empty(name)
    tables["exclusions"] = empty("exclusions", CRS)
    return County(
        name="纸上县", code="520000", base_year=2025, base_date=dt.date(2025, 8, 31), crs=CRS,
        **{name: check(name, table) for name, table in tables.items()}, roads=paper_roads(),
    )  # fmt: skip


@pytest.fixture
def paper() -> County:
    return make_paper()


@pytest.fixture
def change():
    """Return a county with some tables replaced."""
    return dataclasses.replace


@pytest.fixture(scope="session")
def small_ground(tmp_path_factory) -> Path:
    """A folder whose data/sample holds sixty settlements: the county of three hundred is planned by the demo, once."""
    home = tmp_path_factory.mktemp("small ground")
    write_county(make_sample_county(seed=0, settlements=60), home / "data" / "sample")
    (home / "examples").mkdir()
    return home


class Demo(NamedTuple):
    """What the demo of a checkout printed, and the folder that it wrote."""

    returncode: int
    said: str
    wrong: str
    folder: Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Demo:
    """Return the demo of this checkout, made once for all processes of a run of the tests."""
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo of the checkout"
    out, ended = home / "out", home / "ended"
    try:
        home.mkdir()
    except FileExistsError:
        until = time.monotonic() + 1200
        while not ended.is_file():
            assert time.monotonic() < until, "the process that makes the demo does not end"
            time.sleep(0.2)
    else:
        root = Path(__file__).parents[1]
        env = os.environ | {"PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-m", "layout", "demo", "--out", str(out)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=env, cwd=home)
        for name, text in (("said", done.stdout), ("wrong", done.stderr), ("part", str(done.returncode))):
            (home / name).write_text(text, encoding="utf-8")
        (home / "part").rename(ended)
    said, wrong, code = ((home / name).read_text(encoding="utf-8") for name in ("said", "wrong", "ended"))
    return Demo(int(code), said, wrong, out)
