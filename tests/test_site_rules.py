"""Where a school may stand: distances by hand, layers by their words, and no site that breaks a hard rule."""

import dataclasses
import math

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString, Point, box

from conftest import CRS, EAST, NORTH, at, make_paper
from layout.candidates import candidate_sites, clause_of
from layout.roads import Roads
from layout.site_rules import bars_near, layer_clause, road_class, site_bars
from layout.standards import read_standards
from layout.tables import check

STANDARDS = read_standards()
# 公路安全保护条例: control zone and distance of schools, added by hand
LEAST_M = {"motorway": 80, "national": 70, "provincial": 65, "county": 30, "township": 25}


def spot(east, north):
    return Point(EAST + east, NORTH + north)


def roads_of(*lines):
    """Roads from (highway, name, width, tunnel, coordinates in metres)."""
    nodes, edges = {}, []
    for number, (highway, name, width, tunnel, coordinates) in enumerate(lines):
        ends = [nodes.setdefault(c, len(nodes)) for c in (coordinates[0], coordinates[-1])]
        shape = LineString([(EAST + x, NORTH + y) for x, y in coordinates])
        edges.append((number, *ends, highway, name, shape.length, 0, True, True, math.nan, width, False, tunnel, False, "", number, shape))
    names = ["edge_id", "from_node", "to_node", "highway", "name", "length_m", "oneway", "walk", "drive", "maxspeed_kph", "width_m", "bridge",
             "tunnel", "steps", "surface", "way_id", "geometry"]  # fmt: skip
    points = pd.DataFrame([(i, EAST + x, NORTH + y) for (x, y), i in nodes.items()], columns=["node_id", "x", "y"])
    return Roads(points, gpd.GeoDataFrame(edges, columns=names, geometry="geometry", crs=CRS), CRS, {})


def excluded(*rows):
    table = pd.DataFrame([r[:3] for r in rows], columns=["exclusion_id", "layer", "hard"]).assign(source="")
    return check("exclusions", gpd.GeoDataFrame(table, geometry=[r[3] for r in rows], crs=CRS))


def place(points, kind="village", pupils=100.0):
    """A county of places far from each other, each with children enough, and no school."""
    paper = make_paper()
    ids = [f"P{i:02d}" for i in range(len(points))]
    table = pd.DataFrame({"settlement_id": ids, "name": ids, "township_id": "T1", "kind": kind})
    places = check("settlements", gpd.GeoDataFrame(table, geometry=list(points), crs=CRS))
    county = dataclasses.replace(paper, settlements=places, schools=paper.schools.assign(status="closed").iloc[:0], roads=None)
    return county, pd.DataFrame({"settlement_id": ids, "year": 2035, "grade": 1, "pupils": pupils})


@pytest.mark.parametrize(
    ("highway", "name", "expected"),
    [
        ("motorway", "", "motorway"), ("motorway_link", "X1", "motorway"), ("trunk", "G76厦蓉高速", "motorway"), ("primary", "S30", "motorway"),
        ("trunk", "G210", "national"), ("primary", "S999", "provincial"), ("secondary", "320国道", "national"), ("tertiary", "X983", "county"),
        ("unclassified", "Y005 乡道", "township"), ("tertiary", "C012", ""), ("tertiary", "某村道", ""), ("secondary_link", "", "county"),
        ("trunk", "人民路", ""), ("primary", "迎宾大道", ""), ("primary", "贵黄公路", "provincial"), ("secondary", "县道口小学路", ""),
        ("tertiary", "国道320", "national"), ("primary", "文化路北段", ""),
        ("unclassified", "", ""), ("residential", "", ""), ("path", "BG210", ""), ("trunk", "", "national"),
    ],
)  # fmt: skip
def test_the_class_of_a_road(highway, name, expected):
    assert road_class(highway, name) == expected


@pytest.mark.parametrize(
    ("layer", "clause"),
    [
        ("地质灾害危险区", "site.geohazard.danger_zone"), ("地质灾害易发区", "site.geohazard.prone_zone"), ("永久基本农田", "site.farmland"),
        ("河道管理范围", "site.forbidden.hazard"), ("10kV高压线", "site.power.corridor.1_10"), ("220千伏线路", "site.power.corridor.154_330"),
        ("800kV", "site.power.corridor.500"), ("电力线路", "site.power.corridor.1_10"), ("贵广高铁", "site.rail.protection_zone.village_high_speed"),
        ("天然气管道", "site.pipeline"), ("加油站", "site.noxious"), ("重大危险源", "site.hazchem"), ("site.cross_road", "site.cross_road"),
        ("县里自定的范围", ""), ("", ""),
    ],
)  # fmt: skip
def test_the_rule_of_a_layer(layer, clause):
    assert layer_clause(layer, STANDARDS) == clause_of(layer, STANDARDS) == clause
    assert not clause or clause in STANDARDS.rules


@pytest.mark.parametrize(("told", "name"), [("motorway", "G60"), ("national", "G320"), ("provincial", "S308"), ("county", "X5"), ("township", "Y7")])
@pytest.mark.parametrize("width", [math.nan, 12.0])
def test_a_site_is_moved_to_the_distance_that_the_law_asks_for(told, name, width):
    """A place 3 m beside a road: the nearest ring of ten metres beyond the set-back; the county's own site may move 100 m, a closed school none."""
    least = LEAST_M[told] + (0 if math.isnan(width) else 6)
    county, pupils = place([spot(0, 3)])
    county = dataclasses.replace(county, roads=roads_of(("tertiary", name, width, False, [(-5000, 0), (5000, 0)])))
    (site,) = candidate_sites(county, pupils, STANDARDS, cover=False).sites.itertuples()
    away = site.geometry.y - NORTH
    assert away >= least and site.moved_m <= least + 10 and away - 3 <= site.moved_m + 1e-6
    listed = make_paper().schools.iloc[[0, 0]].assign(school_id=["K", "Z"], status=["candidate", "closed"], earliest_year=np.nan)
    listed = listed.set_geometry(gpd.GeoSeries([spot(900, -1), spot(2000, 1)], index=listed.index, crs=CRS))
    found = candidate_sites(dataclasses.replace(county, schools=check("schools", listed)), pupils, STANDARDS, cover=False).sites.set_index(
        "school_id"
    )
    assert abs(found.loc["K"].geometry.y - NORTH) >= least and found.loc["Z", "moved_m"] == 0
    # the law asks for distance of new schools: an old one that opens again is told of it
    assert "site.road.school_distance." in found.loc["Z", "flag_clauses"] and found.loc["K", "flag_clauses"] == ""


def test_tunnels_village_roads_and_streets_ask_for_nothing():
    roads = roads_of(
        ("primary", "G210", 10.0, True, [(-500, 0), (500, 0)]), ("unclassified", "", 5.0, False, [(-500, 1), (500, 1)]),
        ("residential", "", 5.0, False, [(-500, 2), (500, 2)]),
    )  # fmt: skip
    county, _ = place([spot(0, 3)])
    assert not len(site_bars(dataclasses.replace(county, roads=roads), STANDARDS))


def test_a_great_street_is_heard_and_a_small_one_not():
    roads = roads_of(("primary", "人民路", 20.0, False, [(-500, 0), (500, 0)]), ("secondary", "文化街", 20.0, False, [(-500, 9), (500, 9)]))
    county, pupils = place([spot(0, 60)], kind="town")
    (site,) = candidate_sites(dataclasses.replace(county, roads=roads), pupils, STANDARDS, cover=False).sites.itertuples()
    assert site.moved_m == 0 and site.flag_clauses == "site.expressway.window_wall"
    assert clause_of(site.flags, STANDARDS) == "site.expressway.window_wall"
    # far from any town such a name is that of a highway
    county, pupils = place([spot(0, 60)])
    (site,) = candidate_sites(dataclasses.replace(county, roads=roads), pupils, STANDARDS, cover=False).sites.itertuples()
    assert site.moved_m > 0 and site.geometry.y - NORTH >= 75


def test_lines_of_power_rail_and_pipes_by_hand():
    line = LineString([(EAST - 900, NORTH), (EAST + 900, NORTH)]).buffer(0.5)
    layers = {"35kV线路": 10, "500kV线路": 20, "高压线": 5, "110kV电力走廊": 0, "铁路": 12, "高速铁路": 15, "输油管道": 5, "铁路线路安全保护区": 0}
    county, _ = place([spot(0, 30_000)])
    for layer, least in layers.items():
        bars = site_bars(dataclasses.replace(county, exclusions=excluded(("L", layer, True, line))), STANDARDS)
        assert bars.loc[bars["hard"], "least_m"].tolist() == [least], layer
        near = bars_near([spot(0, 0.5 + least - 0.1), spot(0, 0.5 + least + 0.1)], bars[bars["hard"]])
        assert near["point"].tolist() == [0], layer
    soft = site_bars(dataclasses.replace(county, exclusions=excluded(("L", "铁路", True, line), ("M", "高压线", True, line))), STANDARDS)
    assert soft.loc[~soft["hard"], ["clause", "least_m"]].values.tolist() == [["site.rail.window_wall", 300.0], ["site.power.corridor.500", 20.0]]


@pytest.mark.parametrize(("kind", "least"), [("county_seat", 8), ("town", 10), ("village", 12)])
def test_a_railway_through_a_town_has_the_zone_of_a_town(kind, least):
    line = LineString([(EAST - 900, NORTH), (EAST + 900, NORTH)]).buffer(0.5)
    county, _ = place([spot(0, 900)], kind=kind)
    assert site_bars(dataclasses.replace(county, exclusions=excluded(("R", "铁路", True, line))), STANDARDS)["least_m"].iloc[0] == least


def test_laws_bind_whatever_the_county_writes():
    area = box(EAST - 50, NORTH - 50, EAST + 50, NORTH + 50)
    county, pupils = place([spot(0, 0)])
    found = {}
    for layer in ("永久基本农田", "地质灾害危险区", "行洪区", "加油站", "县里自定的范围"):
        for hard in (True, False):
            result = candidate_sites(dataclasses.replace(county, exclusions=excluded(("E", layer, hard, area))), pupils, STANDARDS)
            found[layer, hard] = result.rejected["clause"].tolist() or result.sites["flags"].tolist()
    assert found["永久基本农田", False] == found["永久基本农田", True] == ["site.farmland"]
    assert found["地质灾害危险区", False] == ["site.geohazard.danger_zone"]
    assert found["行洪区", True] == ["site.forbidden.hazard"] and found["行洪区", False] == ["行洪区"]
    assert found["加油站", True] == ["site.noxious"] and found["加油站", False] == ["加油站"]
    assert found["县里自定的范围", True] == ["site.county_area"] and found["县里自定的范围", False] == ["县里自定的范围"]


def test_a_rejection_names_road_and_metres_where_there_is_no_room():
    """A place in the middle of five parallel national roads 100 m apart: every ring up to 300 m is nearer than 70 m to one of them."""
    lines = [("trunk", f"G20{i}", math.nan, False, [(-3000, y), (3000, y)]) for i, y in enumerate(range(-400, 401, 100))]
    county, pupils = place([spot(0, 40)])
    (row,) = candidate_sites(dataclasses.replace(county, roads=roads_of(*lines)), pupils, STANDARDS, cover=False).rejected.itertuples()
    assert (row.clause, row.exclusion_id, row.layer, row.distance_m, row.least_m) == (
        "site.road.school_distance.national_provincial",
        "",
        "G204",
        40.0,
        70.0,
    )
    assert row.road_id == "4" and row.origin == "populous_village"


def test_a_site_is_not_moved_over_a_river_nor_out_of_the_county():
    roads = roads_of(("trunk", "G210", math.nan, False, [(-3000, 0), (3000, 0)]))
    county, pupils = place([spot(0, 5)])
    river = gpd.GeoDataFrame(
        {"obstacle_id": ["w"], "kind": ["river"], "name": [""]}, geometry=[LineString([spot(-3000, 20), spot(3000, 20)])], crs=CRS
    )
    walled = dataclasses.replace(county, roads=roads, obstacles=river)
    (site,) = candidate_sites(walled, pupils, STANDARDS, cover=False).sites.itertuples()
    assert site.geometry.y < NORTH - 69  # over the road to the other side, not over the river
    walled = dataclasses.replace(walled, boundary=box(EAST - 3000, NORTH - 60, EAST + 3000, NORTH + 3000))
    assert candidate_sites(walled, pupils, STANDARDS, cover=False).rejected["clause"].tolist() == ["site.road.control_zone.national"]


def test_a_place_in_a_lake_is_moved_to_its_shore():
    county, pupils = place([spot(0, 0)])
    lake = gpd.GeoDataFrame({"obstacle_id": ["w"], "kind": ["water"], "name": ["某湖"]}, geometry=[spot(0, 0).buffer(45)], crs=CRS)
    (site,) = candidate_sites(dataclasses.replace(county, obstacles=lake), pupils, STANDARDS).sites.itertuples()
    assert site.moved_m == 50.0
    lake = lake.set_geometry([spot(0, 0).buffer(400)])
    (row,) = candidate_sites(dataclasses.replace(county, obstacles=lake), pupils, STANDARDS).rejected.itertuples()
    assert (row.clause, row.exclusion_id, row.road_id, row.layer) == ("site.forbidden.hazard", "", "", "某湖")


def random_county(rng):
    points = [spot(*rng.uniform(-4000, 4000, 2)) for _ in range(40)]
    county, pupils = place(points)
    lines = [(str(rng.choice(["motorway", "trunk", "primary", "secondary", "tertiary", "unclassified"])), str(rng.choice(["", "G320", "S7", "X12"])),
              float(rng.choice([math.nan, 8.0])), bool(rng.random() < 0.1), [tuple(rng.uniform(-4500, 4500, 2)) for _ in range(3)])
             for _ in range(25)]  # fmt: skip
    names = ["地质灾害危险区", "地质灾害易发区", "永久基本农田", "县里自定的范围", "110kV线路", "500kV电力走廊", "高铁", "输气管道", "行洪区"]
    areas = []
    for i in range(18):
        x, y = rng.uniform(-4000, 4000, 2)
        shape = (
            spot(x, y).buffer(rng.uniform(50, 900))
            if rng.random() < 0.6
            else LineString([spot(x, y), spot(*rng.uniform(-4000, 4000, 2))]).buffer(0.5)
        )
        areas.append((f"E{i:02d}", str(rng.choice(names)), bool(rng.random() < 0.6), shape))
    listed = make_paper().schools.iloc[[0] * 6].assign(
        school_id=[f"K{i}" for i in range(6)], status=["candidate", "closed"] * 3, earliest_year=np.nan
    )  # fmt: skip
    listed = listed.set_geometry(gpd.GeoSeries([spot(*rng.uniform(-4000, 4000, 2)) for _ in range(6)], index=listed.index, crs=CRS))
    return dataclasses.replace(county, roads=roads_of(*lines), exclusions=excluded(*areas), schools=check("schools", listed)), pupils


def broken_by_hand(site, county):
    """Say which hard rules a site breaks: a second reading of the rules, place by place."""
    broken = []
    for e in county.exclusions.itertuples():
        metres = site.geometry.distance(e.geometry)
        lawful = e.layer in ("地质灾害危险区", "永久基本农田", "110kV线路", "500kV电力走廊", "高铁", "输气管道")
        least = {"110kV线路": 10, "高铁": 15, "输气管道": 5}.get(e.layer, 0)
        if (e.hard or lawful) and (metres == 0 or metres < least):
            broken.append(e.exclusion_id)
    for r in county.roads.edges.itertuples():
        plain = {"motorway": "motorway", "trunk": "national", "primary": "provincial", "secondary": "county", "tertiary": "township"}.get(r.highway)
        numbered = {"G320": "national", "S7": "motorway", "X12": "county"}.get(r.name)
        told = "motorway" if r.highway == "motorway" else numbered or plain
        half = 0 if math.isnan(r.width_m) else r.width_m / 2
        if told and not r.tunnel and site.origin != "closed_school" and site.geometry.distance(r.geometry) < LEAST_M[told] + half:
            broken.append(f"road {r.edge_id}")
    return broken


@pytest.mark.parametrize("seed", range(6))
def test_no_site_breaks_a_hard_rule_and_one_more_exclusion_never_adds_one(seed):
    rng = np.random.default_rng(seed)
    county, pupils = random_county(rng)
    found = candidate_sites(county, pupils, STANDARDS)
    assert len(found.sites) and (len(found.rejected) or seed == 1)
    assert {i: b for i, b in ((s.school_id, broken_by_hand(s, county)) for s in found.sites.itertuples()) if b} == {}
    assert set(found.rejected["clause"]) <= set(STANDARDS.rules) and (found.rejected["clause"] != "").all()
    assert set(";".join(found.sites["flag_clauses"]).split(";")) - {""} <= set(STANDARDS.rules)
    nominal = county.settlements.set_index("settlement_id").geometry
    for s in found.sites[found.sites["school_id"].str.startswith("C-")].itertuples():
        assert s.geometry.distance(nominal[s.school_id[2:]]) == pytest.approx(s.moved_m, abs=0.06) and s.moved_m <= 300
    for _ in range(3):
        shape = spot(*rng.uniform(-4000, 4000, 2)).buffer(rng.uniform(100, 800))
        more = pd.concat([county.exclusions, excluded(("Z", str(rng.choice(["行洪区", "500kV线路"])), True, shape))], ignore_index=True)
        fewer = candidate_sites(dataclasses.replace(county, exclusions=check("exclusions", more)), pupils, STANDARDS)
        assert set(fewer.sites["school_id"]) <= set(found.sites["school_id"])
        assert set(fewer.sites["school_id"]) | set(fewer.rejected["school_id"]) == set(found.sites["school_id"]) | set(found.rejected["school_id"])


def test_the_order_of_rows_does_not_matter():
    county, pupils = random_county(np.random.default_rng(9))
    turned = dataclasses.replace(
        county, settlements=county.settlements.iloc[::-1].reset_index(drop=True), exclusions=county.exclusions.iloc[::-1].reset_index(drop=True),
        roads=dataclasses.replace(county.roads, edges=county.roads.edges.iloc[::-1].reset_index(drop=True)),
    )  # fmt: skip
    one, other = (candidate_sites(c, pupils.sample(frac=1, random_state=1), STANDARDS) for c in (county, turned))
    pd.testing.assert_frame_equal(one.sites, other.sites)
    pd.testing.assert_frame_equal(one.rejected.drop(columns=["road_id", "layer"]), other.rejected.drop(columns=["road_id", "layer"]))


def test_the_year_a_site_can_open():
    county, pupils = place([spot(0, 0)])
    listed = (
        make_paper()
        .schools.iloc[[0, 0, 0]]
        .assign(school_id=["K", "L", "Z"], status=["candidate", "candidate", "closed"], earliest_year=[2031.0, np.nan, np.nan])
    )
    listed = listed.set_geometry(gpd.GeoSeries([spot(2000 * i, 900) for i in (1, 2, 3)], index=listed.index, crs=CRS))
    county = dataclasses.replace(county, schools=check("schools", listed))
    years = candidate_sites(county, pupils, STANDARDS).sites.set_index("school_id")["earliest_year"].to_dict()
    assert years == {"C-P00": 2027, "K": 2031, "L": 2027, "Z": 2026}
    assert candidate_sites(county, pupils.assign(year=2026), STANDARDS).sites["school_id"].tolist() == ["Z"]


def test_grounds_of_open_schools_are_sites_for_the_grades_they_lack():
    paper = make_paper()
    pupils = pd.DataFrame({"settlement_id": ["A"], "year": 2035, "grade": 1, "pupils": [1.0]})
    found = candidate_sites(paper, pupils, STANDARDS, cover=False, existing=True).sites
    # S1 teaches grades 1-6, S2 all nine; S1 stands on a township road, which binds only new schools
    assert found[["school_id", "origin", "moved_m"]].values.tolist() == [["C-D", "township_seat", 30.0], ["C-S1", "existing_school", 0.0]]
    assert found.set_index("school_id").loc["C-S1", "flag_clauses"] == "site.road.control_zone.township;site.road.school_distance.county_township"


def test_lines_of_a_file_become_strips(tmp_path):
    from layout.county import _read_exclusions
    from layout.tables import CountyDataError

    line = LineString([spot(0, 0), spot(1000, 0)])
    table = gpd.GeoDataFrame({"layer": ["110kV线路"], "hard": [True]}, geometry=[line], crs=CRS)
    table.to_file(tmp_path / "exclusions.gpkg", driver="GPKG")
    read = _read_exclusions(tmp_path / "exclusions.gpkg", CRS)
    assert read.geometry.iloc[0].geom_type == "Polygon" and read.geometry.iloc[0].bounds[3] - NORTH == pytest.approx(0.5)
    table.set_geometry([Point(EAST, NORTH)]).to_file(tmp_path / "points.gpkg", driver="GPKG")
    with pytest.raises(CountyDataError, match="没有面"):
        _read_exclusions(tmp_path / "points.gpkg", CRS)


def test_distances_are_those_of_shapely():
    rng = np.random.default_rng(3)
    bars = site_bars(random_county(rng)[0], STANDARDS)
    points = np.array([spot(*rng.uniform(-4000, 4000, 2)) for _ in range(200)], object)
    found = {(p, b): m for p, b, m in bars_near(points, bars).itertuples(index=False)}
    for p in range(200):
        metres = shapely.distance(bars.geometry.to_numpy(), points[p])
        inside = (metres < bars["least_m"].to_numpy()) | (metres == 0)
        assert {b: m for (q, b), m in found.items() if q == p} == {int(b): metres[b] for b in np.flatnonzero(inside)}
    assert at(0).distance(points[0]) > 0
