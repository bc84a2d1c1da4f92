"""Roads: tags, cutting, formats and real extracts."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import osmium
import pandas as pd
import pandas.testing as pdt
import pytest
import shapely
from pyproj import Geod
from shapely.geometry import LineString

from conftest import CRS, paper_roads
from layout.road_tags import facts_of, is_road, parse_speed, parse_width
from layout.roads import Roads, complete_edges, empty_roads, metric_crs, read_roads, write_roads
from layout.tables import CountyDataError

REAL = os.environ.get("LAYOUT_REAL_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="LAYOUT_REAL_DATA is not set: no real extract to read")
LON, LAT = 107.5, 26.2


def write_pbf(path: Path, nodes: dict[int, tuple[float, float]], ways: dict[int, tuple[list[int], dict[str, str]]]) -> Path:
    """Write an extract; nodes are given in hundredths of a degree from 107.5 E 26.2 N."""
    writer = osmium.SimpleWriter(str(path))
    for n, (x, y) in nodes.items():
        writer.add_node(osmium.osm.mutable.Node(id=n, location=(LON + x / 100, LAT + y / 100)))
    for w, (refs, tags) in ways.items():
        writer.add_way(osmium.osm.mutable.Way(id=w, nodes=refs, tags=tags))
    writer.close()
    return path


@pytest.fixture
def crossing(tmp_path):
    # way 20 runs 1-2-3-4 east, way 10 crosses it in 3 from 5 to 6; 7 is named but not in the extract; 8 a house
    nodes = {1: (0, 0), 2: (1, 0), 3: (2, 0), 4: (3, 0), 5: (2, -1), 6: (2, 1), 8: (9, 9), 9: (9.1, 9)}
    ways = {
        20: ([1, 2, 3, 4], {"highway": "tertiary", "name": "县道", "maxspeed": "40", "oneway": "yes", "width": "6.5 m", "surface": "asphalt"}),
        10: ([5, 3, 6, 7], {"highway": "footway", "bridge": "yes"}),
        30: ([8, 9], {"building": "yes"}),
        40: ([8, 9], {"highway": "construction"}),
    }
    return write_pbf(tmp_path / "roads.osm.pbf", nodes, ways)


def test_ways_are_cut_where_they_meet(crossing):
    roads = read_roads(crossing)
    edges = pd.DataFrame(roads.edges.drop(columns=["geometry", "length_m"]))
    new = {"maxspeed_back_kph": math.nan, "speed_zone": "", "tracktype": "", "lanes": math.nan, "ford": False, "oneway_foot": 0}
    usual = {
        **new,
        "name": "",
        "oneway": 0,
        "walk": True,
        "tunnel": False,
        "steps": False,
        "surface": "",
        "maxspeed_kph": math.nan,
        "width_m": math.nan,
    }
    foot = {**usual, "highway": "footway", "drive": False, "bus": False, "oneway_bus": 0, "bridge": True, "way_id": 10}
    road = {**usual, "highway": "tertiary", "name": "县道", "oneway": 1, "oneway_bus": 1, "drive": True, "bus": True, "bridge": False, "way_id": 20}
    road |= {"maxspeed_kph": 40.0, "width_m": 6.5, "surface": "asphalt"}
    expected = pd.DataFrame([
        {"edge_id": 0, "from_node": 5, "to_node": 3, **foot}, {"edge_id": 1, "from_node": 3, "to_node": 6, **foot},
        {"edge_id": 2, "from_node": 1, "to_node": 3, **road}, {"edge_id": 3, "from_node": 3, "to_node": 4, **road},
    ])  # fmt: skip
    pdt.assert_frame_equal(edges, expected[edges.columns])
    assert roads.nodes.node_id.tolist() == [1, 3, 4, 5, 6]
    assert roads.crs == "EPSG:4545"
    assert [len(line.coords) for line in roads.edges.geometry] == [2, 2, 3, 2]
    # two hundredths of a degree along 26.2 N by the ellipsoid; the projection is true to 0.03 % half a degree off its meridian
    true = Geod(ellps="GRS80").inv(LON, LAT, LON + 0.02, LAT)[2]
    assert roads.edges.length_m[2] == pytest.approx(true, rel=3e-4)
    place = roads.nodes.set_index("node_id")
    for edge in roads.edges.itertuples():
        assert edge.geometry.coords[0] == tuple(place.loc[edge.from_node, ["x", "y"]])
        assert edge.geometry.coords[-1] == tuple(place.loc[edge.to_node, ["x", "y"]])
    assert roads.source["file"] == "roads.osm.pbf"
    assert len(roads.source["sha256"]) == 64
    assert roads.source["attribution"] == "© OpenStreetMap contributors"
    assert roads.source["bbox"] == "107.500000,26.190000,107.530000,26.210000"
    assert roads.source["date"] == ""


def test_bbox_keeps_whole_ways_that_touch_it(crossing):
    # a box on the middle of the piece 3-4, where there is no node: the whole of way 20 stays
    roads = read_roads(crossing, bbox=(LON + 0.024, LAT - 0.001, LON + 0.026, LAT + 0.001))
    assert roads.edges.way_id.tolist() == [20]
    assert roads.edges[["from_node", "to_node"]].to_numpy().tolist() == [[1, 4]]
    with pytest.raises(CountyDataError, match=r"107\.50-107\.53 E, 26\.19-26\.21 N") as error:
        read_roads(crossing, bbox=(0, 0, 1, 1))
    assert keys(error) == ["roads_elsewhere"]
    assert read_roads(crossing, crs="EPSG:4546").crs == "EPSG:4546"


def test_loops_roundabouts_and_pieces_of_no_length(tmp_path):
    nodes = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (5, 5), 6: (5, 5), 7: (6, 5), 8: (4, 5)}
    ways = {
        1: ([1, 2, 3, 4, 1], {"highway": "residential", "junction": "roundabout"}),
        2: ([8, 5], {"highway": "residential"}),
        # 5 and 6 are two nodes at one place: the road goes on
        3: ([5, 6], {"highway": "residential"}),
        4: ([6, 7], {"highway": "residential"}),
    }
    roads = read_roads(write_pbf(tmp_path / "a.osm.pbf", nodes, ways))
    assert roads.edges[["from_node", "to_node", "oneway"]].to_numpy().tolist() == [[1, 1, 1], [8, 5, 0], [5, 7, 0]]
    assert (roads.edges.length_m > 0).all()
    assert roads.nodes.node_id.tolist() == [1, 5, 7, 8]


@pytest.mark.parametrize(
    ("tags", "walk", "drive"),
    [
        ({"highway": "tertiary"}, True, True),
        ({"highway": "track"}, True, False),
        ({"highway": "steps"}, True, False),
        ({"highway": "motorway"}, False, True),
        ({"highway": "motorway", "foot": "yes"}, True, True),
        ({"highway": "service", "access": "private"}, False, False),
        ({"highway": "service", "access": "private", "motor_vehicle": "yes"}, False, True),
        ({"highway": "service", "access": "no", "foot": "designated"}, True, False),
        ({"highway": "residential", "vehicle": "no"}, True, False),
        ({"highway": "residential", "motor_vehicle": "private"}, True, False),
        ({"highway": "residential", "vehicle": "no", "motor_vehicle": "yes"}, True, True),
        ({"highway": "residential", "bus": "no"}, True, True),
        ({"highway": "trunk", "foot": "no"}, False, True),
        ({"highway": "residential", "access": "destination"}, True, True),
        ({"highway": "pedestrian", "area": "yes"}, True, False),
        ({"route": "ferry"}, True, False),
        ({"route": "ferry", "motor_vehicle": "yes", "foot": "no"}, False, True),
    ],
)
def test_who_may_use_a_way(tags, walk, drive):
    facts = facts_of(tags)
    assert (facts["walk"], facts["drive"]) == (walk, drive)


@pytest.mark.parametrize(
    ("tags", "oneway"),
    [
        ({"oneway": "yes"}, 1), ({"oneway": "1"}, 1), ({"oneway": "-1"}, -1), ({"oneway": "reverse"}, -1), ({"oneway": "no"}, 0), ({}, 0),
        ({"junction": "roundabout"}, 1), ({"junction": "roundabout", "oneway": "no"}, 0), ({"highway": "motorway"}, 1),
        ({"highway": "motorway", "oneway": "no"}, 0), ({"highway": "motorway_link"}, 0), ({"oneway": "reversible"}, 0),
    ],
)  # fmt: skip
def test_oneway(tags, oneway):
    assert facts_of({"highway": "tertiary", **tags})["oneway"] == oneway


@pytest.mark.parametrize(
    ("text", "kph"),
    [("50", 50), ("50 km/h", 50), ("30 mph", 48.28032), ("30mph", 48.28032), ("12.5", 12.5), ("10 knots", 18.52),
     ("walk", None), ("signals", None), ("none", None), ("CN:urban", None), ("", None), ("0", None), ("-5", None), ("60;50", 50), ("CN:urban;40", 40), ("none;signals", None)],
)  # fmt: skip
def test_posted_speeds(text, kph):
    assert parse_speed(text) == pytest.approx(math.nan if kph is None else kph, nan_ok=True)


@pytest.mark.parametrize(("text", "metres"), [("6", 6), ("3.5 m", 3.5), ("4,5", 4.5), ("12'", None), ("narrow", None), ("0", None), ("", None)])
def test_widths(text, metres):
    assert parse_width(text) == pytest.approx(math.nan if metres is None else metres, nan_ok=True)


def test_what_is_no_road():
    assert [is_road({"highway": kind}, ferries=True) for kind in ("proposed", "construction", "abandoned", "platform", "raceway")] == [False] * 5
    assert not is_road({"route": "ferry"}, ferries=False)


def test_ferries_only_on_request_and_at_the_speed_of_their_timetable(tmp_path):
    nodes = {1: (0, 0), 2: (10, 0), 3: (20, 0), 4: (30, 0)}
    ways = {
        1: ([1, 2], {"highway": "tertiary"}), 2: ([2, 3], {"route": "ferry", "duration": "00:30"}), 3: ([3, 4], {"highway": "tertiary"}),
        4: ([3, 4], {"route": "ferry"}), 5: ([3, 4], {"route": "bus"}),
    }  # fmt: skip
    path = write_pbf(tmp_path / "a.osm.pbf", nodes, ways)
    assert read_roads(path).edges.highway.tolist() == ["tertiary", "tertiary"]
    edges = read_roads(path, ferries=True).edges
    assert edges.highway.tolist() == ["tertiary", "ferry", "tertiary", "ferry"]
    # about 10 km in half an hour
    assert edges.maxspeed_kph[1] == pytest.approx(edges.length_m[1] / 1000 / 0.5)
    assert math.isnan(edges.maxspeed_kph[3])


def test_metric_systems():
    # CGCS2000 zones of 75, 105, 108, 135 E; UTM elsewhere, also beyond China's box
    assert [metric_crs(lon, lat) for lon, lat in ((73.5, 40), (105, 26), (106.49, 26), (106.51, 26), (134.9, 48))] == [
        "EPSG:4534", "EPSG:4544", "EPSG:4544", "EPSG:4545", "EPSG:4554",
    ]  # fmt: skip
    assert [metric_crs(lon, lat) for lon, lat in ((43.3, -11.7), (43.3, 11.7), (180, 0), (-180, 0), (110, 10))] == [
        "EPSG:32738", "EPSG:32638", "EPSG:32660", "EPSG:32601", "EPSG:32649",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="degrees"):
        metric_crs(500_000, 2_900_000)


# --- what a junction is, and what is none -------------------------------------------------------------------------------


def test_a_closed_node_cuts_the_way(tmp_path):
    nodes = {1: (0, 0), 2: (1, 0), 3: (2, 0), 4: (3, 0), 5: (4, 0)}
    path = tmp_path / "a.osm.pbf"
    writer = osmium.SimpleWriter(str(path))
    tags = {2: {"barrier": "bollard"}, 3: {"barrier": "gate"}, 4: {"barrier": "wall"}, 5: {"highway": "crossing"}}
    for n, (x, y) in nodes.items():
        writer.add_node(osmium.osm.mutable.Node(id=n, location=(LON + x / 100, LAT + y / 100), tags=tags.get(n, {})))
    writer.add_way(osmium.osm.mutable.Way(id=1, nodes=list(nodes), tags={"highway": "residential"}))
    writer.close()
    roads = read_roads(path)
    # the gate is passed by everybody, so nothing ends there
    assert roads.edges[["from_node", "to_node"]].to_numpy().tolist() == [[1, 2], [2, 4], [4, 5]]
    expected = pd.DataFrame({"node_id": [1, 2, 4, 5], "walk_closed": [False, False, True, False], "drive_closed": [False, True, True, False]})
    pdt.assert_frame_equal(roads.nodes[["node_id", "walk_closed", "drive_closed"]], expected)
    write_roads(roads, tmp_path / "a.gpkg")
    same(read_roads(tmp_path / "a.gpkg"), roads)
    pdt.assert_frame_equal(Roads.from_networkx(roads.to_networkx()).nodes, roads.nodes, rtol=0, atol=1e-6)


def test_a_closed_node_at_the_place_of_another_closes_both(tmp_path):
    path = tmp_path / "a.osm.pbf"
    writer = osmium.SimpleWriter(str(path))
    for n, x in {1: 0, 2: 1, 3: 1, 4: 2}.items():
        tags = {"barrier": "block"} if n == 3 else {}
        writer.add_node(osmium.osm.mutable.Node(id=n, location=(LON + x / 100, LAT), tags=tags))
    for w, refs in {1: [1, 2], 2: [2, 3], 3: [3, 4]}.items():
        writer.add_way(osmium.osm.mutable.Way(id=w, nodes=refs, tags={"highway": "residential"}))
    writer.close()
    roads = read_roads(path)
    assert roads.edges[["from_node", "to_node"]].to_numpy().tolist() == [[1, 2], [2, 4]]
    assert roads.nodes[["node_id", "drive_closed"]].to_numpy().tolist() == [[1, False], [2, True], [4, False]]


def test_a_way_is_not_joined_across_nodes_that_are_missing(tmp_path):
    # 3 and 6 lie outside the extract: what is left is 1-2 and 4-5
    nodes = {1: (0, 0), 2: (1, 0), 4: (3, 0), 5: (4, 0)}
    roads = read_roads(write_pbf(tmp_path / "a.osm.pbf", nodes, {7: ([1, 2, 3, 4, 5, 6], {"highway": "path"})}))
    assert roads.edges[["from_node", "to_node", "way_id"]].to_numpy().tolist() == [[1, 2, 7], [4, 5, 7]]


def test_a_line_that_crosses_itself_does_no_harm(tmp_path):
    # 1-2-3-4 is a figure that crosses itself between its nodes; 5-6-7-6-8 goes out and back along one stretch
    nodes = {1: (0, 0), 2: (1, 1), 3: (1, 0), 4: (0, 1), 5: (5, 0), 6: (6, 0), 7: (7, 0), 8: (6, 1)}
    ways = {1: ([1, 2, 3, 4], {"highway": "path"}), 2: ([5, 6, 7, 6, 8], {"highway": "path"}), 3: ([7, 7, 8], {"highway": "path"})}
    roads = read_roads(write_pbf(tmp_path / "a.osm.pbf", nodes, ways))
    ends = [[1, 4], [5, 6], [6, 7], [7, 6], [6, 8], [7, 8]]
    assert roads.edges[["from_node", "to_node"]].to_numpy().tolist() == ends
    assert (roads.edges.length_m > 0).all()


def test_every_wrapping_of_an_extract_gives_the_same_roads(crossing, tmp_path):
    expected = read_roads(crossing)
    for ending in (".osm", ".osm.gz", ".osm.bz2"):
        path = tmp_path / f"a{ending}"
        writer = osmium.SimpleWriter(str(path))
        for thing in osmium.FileProcessor(str(crossing)):
            writer.add(thing)
        writer.close()
        roads = read_roads(path)
        same(Roads(roads.nodes, roads.edges, roads.crs, {}), Roads(expected.nodes, expected.edges, expected.crs, {}))
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * 2 // 3])
        with pytest.raises(CountyDataError, match="cut short") as error:
            read_roads(path)
        assert keys(error) == ["roads_unreadable"]


def test_the_day_of_the_data(tmp_path):
    path = tmp_path / "a.osm"
    path.write_text(
        f"""<osm version="0.6"><node id="1" lat="{LAT}" lon="{LON}" timestamp="2030-01-01T00:00:00Z"/><node id="2" lat="{LAT}" lon="{LON + 0.01}"/>
        <way id="1" timestamp="2020-02-03T04:05:06Z" version="1"><nd ref="1"/><nd ref="2"/><tag k="highway" v="path"/></way>
        <way id="2" timestamp="2019-02-03T04:05:06Z" version="1"><nd ref="1"/><nd ref="2"/><tag k="highway" v="path"/></way></osm>"""
    )
    # of the roads, not of what else is in the file
    assert read_roads(path).source["date"] == "2020-02-03T04:05:06Z"
    header = osmium.io.Header()
    header.set("osmosis_replication_timestamp", "2024-05-06T07:08:09Z")
    writer = osmium.SimpleWriter(str(tmp_path / "b.osm.pbf"), header=header)
    for thing in osmium.FileProcessor(str(path)):
        writer.add(thing)
    writer.close()
    assert read_roads(tmp_path / "b.osm.pbf").source["date"] == "2024-05-06T07:08:09Z"


def test_edges_without_the_newer_columns_are_completed(tmp_path):
    old = paper_roads().edges.assign(oneway=[1, 0, -1, 0, 0, 0, 0, 0, 0, 0], drive=[True, False] * 5)
    whole = complete_edges(old)
    assert whole.bus.tolist() == old.drive.tolist() and whole.oneway_bus.tolist() == old.oneway.tolist()
    assert whole.maxspeed_back_kph.isna().all() and whole.lanes.isna().all() and not whole.ford.any() and (whole.oneway_foot == 0).all()
    assert (whole.speed_zone == "").all() and (whole.tracktype == "").all() and "bus" not in old
    # a file of an earlier version has none of them
    path = tmp_path / "old.gpkg"
    old.to_file(path, layer="roads")
    nodes = paper_roads().nodes
    gpd.GeoDataFrame(nodes[["node_id"]], geometry=gpd.points_from_xy(nodes.x, nodes.y), crs=CRS).to_file(path, layer="road_nodes")
    pdt.assert_frame_equal(pd.DataFrame(read_roads(path).edges.drop(columns="geometry")), pd.DataFrame(whole.drop(columns="geometry")))
    # text that a file gave back as missing, flags as numbers
    given = whole.assign(speed_zone=None, ford=0, oneway_foot=0.0, bus=whole.bus.astype(int))
    pdt.assert_frame_equal(pd.DataFrame(complete_edges(given)), pd.DataFrame(whole))
    assert complete_edges(whole) is whole


# --- files that are wrong ------------------------------------------------------------------------------------------------


def keys(error: pytest.ExceptionInfo) -> list[str]:
    return [p.key for p in error.value.problems]


def test_a_file_cut_short_is_said(tmp_path):
    nodes = {n: (n / 1000, (n * 7 % 13) / 100) for n in range(1, 20_000)}
    whole = write_pbf(tmp_path / "whole.osm.pbf", nodes, {1: (list(range(1, 2000)), {"highway": "path"})}).read_bytes()
    for share in (0.2, 0.6, 0.9, 0.99):
        path = tmp_path / f"cut{share}.osm.pbf"
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(CountyDataError, match=r"cut0.*cut short") as error:
            read_roads(path)
        assert keys(error) == ["roads_unreadable"]


def test_ways_without_their_nodes_are_said(tmp_path):
    nodes = {1: (0, 0), 2: (1, 0)}
    path = write_pbf(tmp_path / "a.osm.pbf", nodes, {1: ([1, 2, 3, 4, 5], {"highway": "path"})})
    with pytest.raises(CountyDataError, match="3 of the 5 points") as error:
        read_roads(path)
    assert keys(error) == ["roads_without_nodes"]


def test_other_files_are_refused_in_words(tmp_path):
    (tmp_path / "noise.osm.pbf").write_bytes(b"\x00\x01 this is no extract" * 20)
    (tmp_path / "empty.osm.pbf").write_bytes(b"")
    (tmp_path / "noise.gpkg").write_bytes(b"no database")
    (tmp_path / "roads.graphml").write_text("<graphml")
    (tmp_path / "roads.dwg").write_bytes(b"AC1032")
    write_pbf(tmp_path / "houses.osm.pbf", {1: (0, 0), 2: (1, 1)}, {1: ([1, 2], {"building": "yes"})})
    gpd.GeoDataFrame({"a": [1]}, geometry=[LineString([(0, 0), (1, 1)])], crs=CRS).to_file(tmp_path / "old.gpkg", layer="roads")
    gpd.GeoDataFrame({"a": [1]}, geometry=gpd.points_from_xy([0], [1]), crs=CRS).to_file(tmp_path / "old.gpkg", layer="road_nodes")
    expected = {
        "noise.osm.pbf": "roads_unreadable", "empty.osm.pbf": "roads_unreadable", "noise.gpkg": "disguised", "roads.graphml": "roads_unreadable", "roads.dwg": "roads_format",
        "houses.osm.pbf": "roads_none", "old.gpkg": "roads_gpkg_other", "missing.osm.pbf": "roads_no_file",
    }  # fmt: skip
    found = {}
    for name in expected:
        with pytest.raises(CountyDataError, match=name) as error:
            read_roads(tmp_path / name)
        found[name] = keys(error)[0]
    assert found == expected


# --- there and back ------------------------------------------------------------------------------------------------------


def same(a: Roads, b: Roads) -> None:
    pdt.assert_frame_equal(a.nodes, b.nodes, check_exact=True)
    pdt.assert_frame_equal(pd.DataFrame(a.edges.drop(columns="geometry")), pd.DataFrame(b.edges.drop(columns="geometry")), check_exact=True)
    assert shapely.equals_identical(a.edges.geometry.to_numpy(), b.edges.geometry.to_numpy()).all()
    assert (a.crs, a.edges.crs, dict(a.source)) == (b.crs, b.edges.crs, dict(b.source))


def test_geopackage_is_exact_and_the_same_bytes(tmp_path, crossing):
    for name, roads in (("a", read_roads(crossing)), ("b", paper_roads()), ("c", empty_roads(CRS))):
        write_roads(roads, tmp_path / f"{name}.gpkg")
        same(read_roads(tmp_path / f"{name}.gpkg"), Roads(roads.nodes, complete_edges(roads.edges), roads.crs, roads.source))
        first = (tmp_path / f"{name}.gpkg").read_bytes()
        time.sleep(0.01)
        write_roads(roads, tmp_path / f"{name}.gpkg")
        assert (tmp_path / f"{name}.gpkg").read_bytes() == first


def test_geopackage_in_another_system_and_box(tmp_path, crossing):
    write_roads(read_roads(crossing), tmp_path / "a.gpkg")
    other = read_roads(tmp_path / "a.gpkg", crs="EPSG:4546")
    straight = read_roads(crossing, crs="EPSG:4546")
    np.testing.assert_allclose(other.edges.length_m, straight.edges.length_m, rtol=1e-9)
    np.testing.assert_allclose(other.nodes[["x", "y"]], straight.nodes[["x", "y"]], atol=1e-5)
    part = read_roads(tmp_path / "a.gpkg", bbox=(LON + 0.024, LAT - 0.001, LON + 0.026, LAT + 0.001))
    assert part.edges.way_id.tolist() == [20]
    assert part.nodes.node_id.tolist() == [3, 4]


def test_networkx_and_back(crossing):
    roads = read_roads(crossing)
    roads = Roads(roads.nodes, roads.edges.assign(oneway=[0, 0, 1, -1]), roads.crs, roads.source)
    graph = roads.to_networkx()
    assert isinstance(graph, nx.MultiDiGraph)
    assert graph.graph["crs"] == "epsg:4326"
    assert sorted(graph.edges()) == sorted([(5, 3), (3, 5), (3, 6), (6, 3), (1, 3), (4, 3)])
    assert graph.nodes[1] == pytest.approx({"x": LON, "y": LAT, "walk_closed": False, "drive_closed": False}, abs=1e-7)
    assert graph.edges[1, 3, 0]["length"] == roads.edges.length_m[2]
    assert {"osmid", "highway", "oneway", "maxspeed", "geometry"} <= set(graph.edges[1, 3, 0])
    back = Roads.from_networkx(graph)
    pdt.assert_frame_equal(back.nodes, roads.nodes, rtol=0, atol=1e-6)
    columns = [c for c in roads.edges if c != "geometry"]
    pdt.assert_frame_equal(pd.DataFrame(back.edges[columns]), pd.DataFrame(roads.edges[columns]))
    assert (shapely.hausdorff_distance(back.edges.geometry.to_numpy(), roads.edges.geometry.to_numpy()) < 1e-6).all()
    assert dict(back.source) == dict(roads.source)


def test_graph_in_the_manner_of_osmnx():
    # no geometry, lists where edges were merged, both directions of a two-way street, a one-way street
    graph = nx.MultiDiGraph(crs="epsg:4326")
    graph.add_node(1, x=43.3, y=-11.7)
    graph.add_node(2, x=43.31, y=-11.7)
    graph.add_node(3, x=43.31, y=-11.71)
    street = {"osmid": [7, 8], "highway": ["residential", "service"], "maxspeed": "30", "length": 1090.0, "oneway": False}
    graph.add_edge(1, 2, **street, reversed=False)
    graph.add_edge(2, 1, **street, reversed=True)
    graph.add_edge(2, 3, osmid=9, highway="tertiary", oneway=True, reversed=False, bridge="yes")
    roads = Roads.from_networkx(graph)
    assert roads.crs == "EPSG:32738"
    assert roads.edges[["from_node", "to_node", "oneway", "way_id"]].to_numpy().tolist() == [[1, 2, 0, 7], [2, 3, 1, 9]]
    # the least of two classes that were merged
    assert roads.edges.highway.tolist() == ["service", "tertiary"]
    assert roads.edges.bridge.tolist() == [False, True]
    assert roads.edges.length_m[0] == 1090
    assert roads.edges.length_m[1] == pytest.approx(1106, rel=2e-3)
    with pytest.raises(ValueError, match="x and y"):
        Roads.from_networkx(nx.MultiDiGraph([(1, 2)]))


# --- real extract --------------------------------------------------------------------------------------------------------


@needs_real
def test_comoros_is_read_in_seconds():
    path = Path(REAL) / "comoros" / "comoros.osm.pbf"
    read = f"import time, layout.roads as r; roads = r.read_roads({str(path)!r})"
    code = f"{read}; print(len(roads.nodes), len(roads.edges), roads.crs, time.process_time())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    nodes, edges, crs, seconds = done.stdout.split()
    # time of the processor: other tests run beside this one
    assert float(seconds) < 5
    assert (int(nodes), int(edges), crs) == (7679, 9572, "EPSG:32738")


def block_ends(data: bytes) -> list[int]:
    """Return where the blocks of a .osm.pbf end: length of the header (4 bytes), header with the field datasize (3), blob."""
    ends, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        header, blob, i = data[at + 4 : at + 4 + size], 0, 0
        while i < len(header):
            tag, i = header[i], i + 1
            if tag & 7 == 2:
                i += 1 + header[i]
                continue
            value = shift = 0
            more = True
            while more:
                value, more, shift, i = value | (header[i] & 127) << shift, header[i] > 127, shift + 7, i + 1
            blob = value if tag >> 3 == 3 else blob
        at += 4 + size + blob
        ends.append(at)
    return ends


@needs_real
def test_comoros_cut_short_anywhere_is_said(tmp_path):
    whole = (Path(REAL) / "comoros" / "comoros.osm.pbf").read_bytes()
    ends = block_ends(whole)
    assert ends[-1] == len(whole) and len(ends) > 50
    # osmium does not notice a cut between two blocks; every other it does
    places = {n: {"roads_cut_short"} for n in ends[:-1:4]} | {len(whole) * k // 20 + 7: {"roads_unreadable"} for k in range(20)}
    for place, expected in places.items():
        (tmp_path / "part.osm.pbf").write_bytes(whole[:place])
        with pytest.raises(CountyDataError, match=r"part\.osm\.pbf") as error:
            read_roads(tmp_path / "part.osm.pbf")
        assert set(keys(error)) == expected, place


@needs_real
def test_comoros_cut_down_to_its_roads_is_whole(tmp_path):
    source = Path(REAL) / "comoros" / "comoros.osm.pbf"
    plain = osmium.SimpleWriter(str(tmp_path / "only.osm.pbf"), header=osmium.io.Reader(str(source)).header())
    for thing in osmium.FileProcessor(str(source)):
        if thing.is_node() or (thing.is_way() and "highway" in thing.tags):
            plain.add(thing)
    plain.close()
    # the header of the regular extract is kept, there are no relations, and still nothing is missing
    assert len(read_roads(tmp_path / "only.osm.pbf").edges) == len(read_roads(source).edges)


@needs_real
def test_comoros_tells_where_it_comes_from(tmp_path):
    roads = read_roads(Path(REAL) / "comoros" / "comoros.osm.pbf", bbox=(43.2, -11.95, 43.6, -11.3))
    assert roads.source["date"] == "2021-04-08T20:22:02Z"
    west, south, east, north = map(float, roads.source["bbox"].split(","))
    assert 43.2 < west < east < 43.6 and -11.95 < south < north < -11.3
    with pytest.raises(CountyDataError, match="none of its roads") as error:
        read_roads(Path(REAL) / "comoros" / "comoros.osm.pbf", bbox=(107, 26, 108, 27))
    assert keys(error) == ["roads_elsewhere"]


@needs_real
def test_comoros_there_and_back(tmp_path):
    roads = read_roads(Path(REAL) / "comoros" / "comoros.osm.pbf")
    assert (roads.edges.length_m > 0).all()
    # every node is the end of an edge, every edge ends in nodes
    np.testing.assert_array_equal(roads.nodes.node_id, np.union1d(roads.edges.from_node, roads.edges.to_node))
    write_roads(roads, tmp_path / "roads.gpkg")
    same(read_roads(tmp_path / "roads.gpkg"), roads)
    back = Roads.from_networkx(roads.to_networkx())
    columns = [c for c in roads.edges if c != "geometry"]
    pdt.assert_frame_equal(pd.DataFrame(back.edges[columns]), pd.DataFrame(roads.edges[columns]))
