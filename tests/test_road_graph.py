"""Roads as graphs: nothing is lost on the way to osmnx and back; graphs that osmnx made; download."""

from __future__ import annotations

import math
import os
import socket
from pathlib import Path

import networkx as nx
import numpy as np
import osmium
import osmnx
import pandas as pd
import pandas.testing as pdt
import pytest
import requests
import shapely

from conftest import paper_roads
from layout.roads import Roads, complete_edges, download_roads, read_roads
from layout.tables import CountyDataError

REAL = os.environ.get("LAYOUT_REAL_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="LAYOUT_REAL_DATA is not set: no real extract to read")


def rich_roads() -> Roads:
    """The paper road with every column holding something."""
    roads = paper_roads()
    n = len(roads.edges)
    edges = complete_edges(roads.edges).assign(
        oneway=[0, 1, -1, 0, 0, 0, 0, 0, 0, 0], oneway_bus=[0, 0, -1, 1, 0, 0, 0, 0, 0, 0], oneway_foot=[1, 0, -1, 0, 0, 0, 0, 0, 0, 0],
        bus=[True, False] * 5, drive=[True] * 9 + [False], walk=[False] + [True] * 9, maxspeed_kph=[40.0, math.nan] * 5, maxspeed_back_kph=[30.0] + [math.nan] * 9,
        speed_zone=["", "CN:urban"] * 5, tracktype=["grade2"] + [""] * 9, lanes=[2.0, math.nan] * 5, ford=[True] + [False] * 9, steps=[False] * 9 + [True],
        bridge=[False, True] * 5, tunnel=[True] + [False] * 9, surface=["", "gravel"] * 5, width_m=[3.5, math.nan] * 5, way_id=range(7, 7 + n),
        name=["县道 1", "[路]", "True", "", "nan", "1", "a;b", "x", "y", "z"], edge_id=[3, 4, 5, 6, 7, 8, 9, 10, 11, 30], length_m=[1000.123456789] * n,
    )  # fmt: skip
    nodes = roads.nodes.assign(walk_closed=[True] + [False] * 10, drive_closed=[False] * 10 + [True])
    return Roads(nodes, edges, roads.crs, {"file": "纸.gpkg", "sha256": "ab", "attribution": "© x", "date": "2020", "bbox": "1,2,3,4"})


def same(a: Roads, b: Roads) -> None:
    pdt.assert_frame_equal(a.nodes, b.nodes, rtol=0, atol=1e-6)
    # every column but the geometry to the last bit
    pdt.assert_frame_equal(pd.DataFrame(a.edges.drop(columns="geometry")), pd.DataFrame(b.edges.drop(columns="geometry")), check_exact=True)
    assert (shapely.hausdorff_distance(a.edges.geometry.to_numpy(), b.edges.geometry.to_numpy()) < 1e-6).all()
    assert (a.crs, dict(a.source)) == (b.crs, dict(b.source))


def test_nothing_is_lost_in_a_graph():
    roads = rich_roads()
    graph = roads.to_networkx()
    same(Roads.from_networkx(graph), roads)
    # each direction tells its own limit, as osmnx expects one
    assert (graph.edges[0, 1, 0]["maxspeed"], graph.edges[1, 0, 0]["maxspeed"]) == ("40.0", "30.0")


def test_nothing_is_lost_in_a_file_of_osmnx(tmp_path):
    roads = rich_roads()
    osmnx.save_graphml(roads.to_networkx(), tmp_path / "roads.graphml")
    found = read_roads(tmp_path / "roads.graphml")
    assert found.source["file"] == "纸.gpkg"
    same(found, roads)
    same(Roads.from_networkx(osmnx.load_graphml(tmp_path / "roads.graphml")), roads)
    nodes, edges = osmnx.graph_to_gdfs(osmnx.load_graphml(tmp_path / "roads.graphml"))
    assert len(nodes) == 11 and len(edges) == 18
    part = read_roads(tmp_path / "roads.graphml", bbox=tuple(roads.edges.iloc[:1].to_crs(4326).total_bounds + np.array([0.0001, -1, -0.0001, 1])))
    assert part.edges.edge_id.tolist() == [3] and part.nodes.node_id.tolist() == [0, 1]
    with pytest.raises(CountyDataError, match="none of its roads") as error:
        read_roads(tmp_path / "roads.graphml", bbox=(0, 0, 1, 1))
    assert error.value.problems[0].key == "roads_elsewhere"


def drive_graph() -> nx.MultiDiGraph:
    """As osmnx simplifies it: merged lists in no order, opposite edges, a one-way street, a loop, parallel edges."""
    graph = nx.MultiDiGraph(crs="epsg:4326", created_with="OSMnx 2", simplified=True)
    for n, (x, y) in {1: (43.3, -11.7), 2: (43.31, -11.7), 3: (43.31, -11.71)}.items():
        graph.add_node(n, x=x, y=y, street_count=3)
    bend = shapely.LineString([(43.3, -11.7), (43.305, -11.702), (43.31, -11.7)])
    both = {
        "osmid": [12, 11],
        "highway": ["unclassified", "tertiary"],
        "maxspeed": ["60", "40"],
        "width": ["4", "3.5"],
        "length": 1200.5,
        "oneway": False,
    }
    graph.add_edge(1, 2, **both, name=["乙路", "甲路"], reversed=False, geometry=bend)
    graph.add_edge(2, 1, **both, name=["乙路", "甲路"], reversed=True, geometry=bend.reverse())
    graph.add_edge(2, 3, osmid=13, highway="motorway", oneway=True, reversed=False, length=1106.0, bridge="yes", lanes="2")
    graph.add_edge(1, 2, osmid=14, highway="residential", oneway=True, reversed=False, length=1090.0, access="private", foot="yes")
    ring = shapely.LineString([(43.3, -11.7), (43.301, -11.7), (43.301, -11.701), (43.3, -11.7)])
    graph.add_edge(1, 1, osmid=15, highway="residential", junction="roundabout", oneway=True, reversed=False, length=330.0, geometry=ring)
    return graph


def test_a_drive_graph_of_osmnx_becomes_sensible_roads(tmp_path):
    osmnx.save_graphml(drive_graph(), tmp_path / "drive.graphml")
    for roads in (Roads.from_networkx(drive_graph()), read_roads(tmp_path / "drive.graphml")):
        edges = roads.edges
        assert edges[["from_node", "to_node", "oneway", "way_id"]].to_numpy().tolist() == [[1, 2, 0, 11], [2, 3, 1, 13], [1, 2, 1, 14], [1, 1, 1, 15]]
        # the least class, the slowest limit, the narrowest width
        assert edges.highway.tolist() == ["unclassified", "motorway", "residential", "residential"]
        assert edges.maxspeed_kph[0] == 40 and edges.width_m[0] == 3.5 and edges.lanes[1] == 2 and edges.name[0] == "乙路"
        assert edges.walk.tolist() == [True, False, True, True] and edges.drive.tolist() == [True, True, False, True]
        assert edges.bridge.tolist() == [False, True, False, False] and edges.oneway_foot.tolist() == [0] * 4
        assert edges.length_m.tolist() == [1200.5, 1106.0, 1090.0, 330.0]
        assert roads.crs == "EPSG:32738" and roads.nodes.columns.tolist() == ["node_id", "x", "y"]


def test_barriers_of_osmnx_close_nodes():
    graph = drive_graph()
    graph.nodes[2]["barrier"] = "bollard"
    assert Roads.from_networkx(graph).nodes[["walk_closed", "drive_closed"]].to_numpy().tolist() == [[False] * 2, [False, True], [False] * 2]


def test_a_graph_in_metres_and_one_without_directions(tmp_path):
    projected = osmnx.project_graph(drive_graph())
    assert Roads.from_networkx(projected).crs == "EPSG:32738"
    plain = nx.Graph(crs="epsg:4326")
    plain.add_node(1, x=107.5, y=26.2)
    plain.add_node(2, x=107.51, y=26.2)
    plain.add_edge(1, 2, highway="track")
    nx.write_graphml(plain, tmp_path / "plain.graphml")
    roads = read_roads(tmp_path / "plain.graphml")
    assert roads.edges[["highway", "oneway", "walk", "drive"]].to_numpy().tolist() == [["track", 0, True, False]]
    assert roads.edges.length_m[0] == pytest.approx(999.4, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("<graphml", "roads_unreadable"),
        ("<graphml/>", "roads_unreadable"),
        ("", "roads_unreadable"),
        (
            '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed"><node id="a"/></graph></graphml>',
            "roads_graph_other",
        ),
        (
            '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed"><node id="1"/></graph></graphml>',
            "roads_graph_other",
        ),
        ('<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed"/></graphml>', "roads_none"),
    ],
)
def test_a_bad_graph_is_refused_in_words(tmp_path, text, key):
    (tmp_path / "bad.graphml").write_text(text)
    with pytest.raises(CountyDataError, match=r"bad\.graphml") as error:
        read_roads(tmp_path / "bad.graphml")
    assert [p.key for p in error.value.problems] == [key]


def test_a_geometry_that_is_none_is_refused_in_words(tmp_path):
    graph = drive_graph()
    graph.edges[2, 3, 0]["geometry"] = "LINESTRING (1 2, 3"
    osmnx.save_graphml(graph, tmp_path / "bad.graphml")
    with pytest.raises(CountyDataError, match=r"bad\.graphml") as error:
        read_roads(tmp_path / "bad.graphml")
    assert [p.key for p in error.value.problems] == ["roads_graph_other"]


# --- download ------------------------------------------------------------------------------------------------------------


def settings_now() -> dict[str, object]:
    return {k: v for k, v in vars(osmnx.settings).items() if not k.startswith("_")}


def test_download_keeps_each_way_apart_and_leaves_osmnx_as_it_was(monkeypatch, tmp_path):
    before, asked = settings_now(), {}

    def answer(polygon, **options):
        asked.update(options, settings=settings_now(), bounds=polygon.bounds)
        graph = nx.MultiDiGraph(crs="epsg:4326", simplified=False)
        for n in range(5):
            graph.add_node(n, x=43.3 + n / 100, y=-11.7)
        graph.nodes[3]["barrier"] = "bollard"
        # a road of four pieces, the second a bridge of its own
        for n in range(4):
            tags = {"osmid": 8, "bridge": "yes"} if n == 1 else {"osmid": 7}
            for u, v, back in ((n, n + 1, False), (n + 1, n, True)):
                graph.add_edge(u, v, **tags, highway="tertiary", foot="yes", oneway=False, reversed=back, length=1090.0)
        return graph

    monkeypatch.setattr("osmnx.graph_from_polygon", answer)
    roads = download_roads(shapely.box(43.2, -11.8, 43.4, -11.6), cache=tmp_path / "cache")
    assert roads.edges[["from_node", "to_node", "bridge"]].to_numpy().tolist() == [[0, 1, False], [2, 3, False], [3, 4, False], [1, 2, True]]
    assert roads.nodes.loc[roads.nodes.drive_closed, "node_id"].tolist() == [3]
    assert roads.source["file"] == "OpenStreetMap" and roads.source["bbox"].startswith("43.300000,-11.700000")
    assert asked["settings"]["use_cache"] is True and asked["settings"]["cache_folder"] == str(tmp_path / "cache")
    assert "foot" in asked["settings"]["useful_tags_way"] and "barrier" in asked["settings"]["useful_tags_node"]
    assert (asked["network_type"], asked["retain_all"], asked["bounds"]) == ("all", True, (43.2, -11.8, 43.4, -11.6))
    assert settings_now() == before
    download_roads(shapely.box(43.2, -11.8, 43.4, -11.6))
    assert asked["settings"]["cache_folder"] == before["cache_folder"] and settings_now() == before


def test_offline_is_told_in_words_and_leaves_osmnx_as_it_was(monkeypatch, tmp_path):
    before = settings_now()

    def fail(*_, **__):
        raise requests.ConnectionError("no route")

    def nobody(*_):
        raise socket.gaierror("no name service")

    # below osmnx, so that its own handling is tried too
    monkeypatch.setattr("requests.get", fail)
    monkeypatch.setattr("requests.post", fail)
    # where names are not answered at all the look-up alone takes a minute
    monkeypatch.setattr("socket.gethostbyname", nobody)
    with pytest.raises(CountyDataError, match="roads cannot be downloaded") as error:
        download_roads(shapely.box(43.2, -11.8, 43.4, -11.6), cache=tmp_path)
    assert [p.key for p in error.value.problems] == ["no_network"]
    assert settings_now() == before


# --- real extract --------------------------------------------------------------------------------------------------------


@needs_real
def test_osmnx_reads_the_same_ground(tmp_path):
    """The roads of one town by osmnx from XML and by us from the extract: the same length of drivable road."""
    source = Path(REAL) / "comoros" / "comoros.osm.pbf"
    box = (43.23, -11.72, 43.27, -11.68)
    ours = read_roads(source, bbox=box)
    wanted = set(ours.edges.way_id)
    nodes = {n.ref for w in osmium.FileProcessor(str(source), osmium.osm.WAY) if w.id in wanted for n in w.nodes}
    writer = osmium.SimpleWriter(str(tmp_path / "town.osm"))
    for thing in osmium.FileProcessor(str(source), osmium.osm.NODE | osmium.osm.WAY):
        if (thing.is_node() and thing.id in nodes) or (thing.is_way() and thing.id in wanted):
            writer.add(thing)
    writer.close()
    theirs = Roads.from_networkx(osmnx.graph_from_xml(tmp_path / "town.osm", retain_all=True), crs=ours.crs)
    # osmnx measures on the sphere, and drops rings that touch nothing
    assert theirs.edges.length_m.sum() == pytest.approx(ours.edges.length_m.sum(), rel=0.005)
    assert theirs.edges[theirs.edges.drive].length_m.sum() == pytest.approx(ours.edges[ours.edges.drive].length_m.sum(), rel=0.02)
