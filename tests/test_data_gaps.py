"""Gaps in road data, each kind worked by hand, and on a real extract."""

from __future__ import annotations

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pandas.testing as pdt
import pytest
import shapely
from shapely.geometry import LineString, Point

from conftest import CRS, make_paper
from layout.data_gaps import DETOUR, OPEN_END_M, road_gaps
from layout.road_edges import edge_frame, node_frame
from layout.roads import Roads, empty_roads, read_roads
from layout.standards import read_standards

REAL = os.environ.get("LAYOUT_REAL_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="LAYOUT_REAL_DATA is not set: no real extract to read")
EAST, NORTH = 500_000.0, 2_900_000.0


def roads_of(*lines: list[tuple[float, float]], **columns: list) -> Roads:
    """Roads of lines in metres; ends at one place are one node, numbered in order of appearance."""
    shapes = [LineString([(EAST + x, NORTH + y) for x, y in points]) for points in lines]
    number: dict[tuple[float, float], int] = {}
    ends = [[number.setdefault(shape.coords[i], len(number)) for i in (0, -1)] for shape in shapes]
    data = {"highway": ["tertiary"] * len(shapes), "walk": [True] * len(shapes), "drive": [True] * len(shapes), **columns}
    data |= {"from_node": [a for a, _ in ends], "to_node": [b for _, b in ends], "length_m": [s.length for s in shapes]}
    return Roads(node_frame(list(number.values()), [x for x, _ in number], [y for _, y in number]), edge_frame(data, shapes, CRS), CRS)


def places(key: str, *spots: tuple[float, float], **columns: list) -> gpd.GeoDataFrame:
    points = [Point(EAST + x, NORTH + y) for x, y in spots]
    return gpd.GeoDataFrame({key: [f"{key[0]}{i}" for i in range(len(spots))], **columns}, geometry=points, crs=CRS)


def gaps_of(roads: Roads, settlements=None, schools=None) -> pd.DataFrame:
    settlements = places("settlement_id") if settlements is None else settlements
    return road_gaps(roads, settlements, places("school_id") if schools is None else schools, read_standards())


def test_places_beyond_the_radius():
    # 1,500 m is within it; the road closed to people on foot is none; who has nobody is passed over
    roads = roads_of([(0, 0), (1000, 0)], [(0, 5000), (1000, 5000)], walk=[True, False])
    settlements = places("settlement_id", (500, 1500), (500, 1501), (500, 5000), (500, 9000), persons=[5.0, 5.0, np.nan, 0.0])
    found = gaps_of(roads, settlements, places("school_id", (1000, -1600)))
    # the piece apart is said too
    expected = pd.DataFrame({
        "gap": ["far_settlement", "far_settlement", "isolated_piece", "school_off_network"], "id": ["s1", "s2", "1", "s0"], "other_id": ["0", "0", "0", "0"],
        "distance_m": [1501.0, 5000.0, 5000.0, 1600.0], "length_m": [np.nan, np.nan, 1000.0, np.nan], "edges": [0, 0, 1, 0], "settlements": [0, 0, 0, 0],
        "x": [EAST + 500, EAST + 500, EAST, EAST + 1000], "y": [NORTH + 1501, NORTH + 5000, NORTH + 5000, NORTH - 1600],
    }).astype({"gap": "str", "id": "str", "other_id": "str"})  # fmt: skip
    # where two parallel lines come nearest is anywhere along them
    pdt.assert_frame_equal(found.drop(columns="x"), expected.drop(columns="x"))


def test_no_roads_at_all():
    found = gaps_of(empty_roads(CRS), places("settlement_id", (0, 0)), places("school_id", (0, 0)))
    assert found[["gap", "id", "other_id"]].to_numpy().tolist() == [["far_settlement", "s0", ""], ["school_off_network", "s0", ""]]
    assert np.isinf(found.distance_m).all()


def test_pieces_apart_and_who_depends_on_them():
    # main: 3 km; a piece of two edges 2 km north, another of one edge 100 m south of the main end
    roads = roads_of([(0, 0), (3000, 0)], [(0, 2000), (500, 2000)], [(500, 2000), (500, 2600)], [(3000, -100), (3000, -400)])
    # s0 reaches only the piece in the north, s1 both, s2 the main one and the one in the south
    found = gaps_of(roads, places("settlement_id", (250, 2700), (250, 1000), (2900, -200)))
    apart = found[found.gap == "isolated_piece"]
    assert apart[["id", "other_id", "distance_m", "length_m", "edges", "settlements"]].to_numpy().tolist() == [
        ["1", "0", 2000.0, 1100.0, 2, 1], ["3", "0", 100.0, 300.0, 1, 0],
    ]  # fmt: skip
    assert apart[["x", "y"]].to_numpy()[1].tolist() == [EAST + 3000, NORTH - 100]


def test_ends_that_stop_short_of_a_road():
    main = [(0, 0), (1000, 0)]
    open_end = [(500, 20), (500, 400)]
    beyond = [(700, 31), (700, 400)]
    found = gaps_of(roads_of(main, open_end, beyond))
    ends = found[found.gap == "open_end"]
    # node 2 is where the second line begins; 31 m is too far
    assert ends[["id", "other_id", "distance_m", "length_m"]].to_numpy().tolist() == [["2", "0", 20.0, 380.0]]
    assert ends[["x", "y"]].to_numpy().tolist() == [[EAST + 500, NORTH + 20]]
    # nobody ends on a bridge, in a tunnel or on a motorway, nor is the end of a bridge suspicious
    for columns in ({"bridge": [True, False]}, {"tunnel": [True, False]}, {"bridge": [False, True]}, {"highway": ["motorway", "tertiary"]}):
        assert (gaps_of(roads_of(main, open_end, **columns)).gap != "open_end").all()
    # touching without a junction is the surest sign
    assert gaps_of(roads_of(main, [(500, 0), (500, 400)])).query("gap == 'open_end'").distance_m.tolist() == [0.0]


def test_a_spur_at_its_root_is_no_open_end():
    # a drive of 25 m is that far from its own road by itself: no gap; one that comes back after 300 m is
    spur = roads_of([(0, 0), (500, 0)], [(500, 0), (1000, 0)], [(500, 0), (510, 25)])
    assert gaps_of(spur).empty
    # cut into short pieces the road beside it is another edge, still near on the road
    pieces = roads_of([(0, 0), (500, 0)], [(500, 0), (512, 0)], [(512, 0), (1000, 0)], [(500, 0), (520, 20)])
    assert gaps_of(pieces).empty
    back = roads_of([(0, 0), (500, 0)], [(500, 0), (1000, 0)], [(500, 0), (550, 150), (600, 10)])
    found = gaps_of(back)
    assert found[["gap", "id", "other_id", "distance_m"]].to_numpy().tolist() == [["open_end", "3", "1", 10.0]]


def test_open_ends_against_a_naive_second_way():
    """Every end against every edge, the way round by networkx without limit."""
    nx = pytest.importorskip("networkx")
    rng = np.random.default_rng(4)
    lines = [[tuple(p) for p in rng.integers(0, 40, (2, 2)) * 12.5] for _ in range(60)]
    roads = roads_of(*[one for one in lines if one[0] != one[1]])
    edges, graph = roads.edges, nx.MultiGraph()
    for e in edges.itertuples():
        graph.add_edge(e.from_node, e.to_node, length=e.length_m)
    expected = []
    for e in edges.itertuples():
        for node, i in ((e.from_node, 0), (e.to_node, -1)):
            point = Point(e.geometry.coords[i])
            if graph.degree(node) != 1:
                continue
            metres = nx.single_source_dijkstra_path_length(graph, node, weight="length")
            near = []
            for o in edges.itertuples():
                gap, along = point.distance(o.geometry), o.geometry.project(point)
                way = min(metres.get(o.from_node, np.inf) + along, metres.get(o.to_node, np.inf) + o.length_m - along)
                if o.edge_id != e.edge_id and gap <= OPEN_END_M and way > DETOUR * gap:
                    near.append((gap, o.edge_id))
            if near:
                expected.append([str(node), str(min(near)[1]), min(near)[0]])
    found = gaps_of(roads).query("gap == 'open_end'")
    assert found[["id", "other_id", "distance_m"]].to_numpy().tolist() == sorted(expected) and len(expected) > 20


def test_the_paper_county_has_no_gap_and_nothing_is_changed():
    paper = make_paper()
    before = paper.roads.edges.copy()
    found = road_gaps(paper.roads, paper.settlements, paper.schools, read_standards())
    assert found.empty and found.columns.tolist()[:2] == ["gap", "id"]
    pdt.assert_frame_equal(pd.DataFrame(paper.roads.edges), pd.DataFrame(before))


@needs_real
def test_comoros(capsys):
    roads = read_roads(Path(REAL) / "comoros" / "comoros.osm.pbf")
    read = [pd.read_csv(Path(REAL) / "comoros" / f"grande_comore_{name}.csv") for name in ("settlements", "schools")]
    tables = [
        gpd.GeoDataFrame({key: t.osm_id.astype(str)}, geometry=gpd.points_from_xy(t.lon, t.lat), crs=4326)
        for t, key in zip(read, ("settlement_id", "school_id"), strict=True)
    ]
    found = road_gaps(roads, *tables, read_standards())
    assert not found.duplicated(["gap", "id"]).any() and found.equals(found.sort_values(["gap", "id"], ignore_index=True))
    with capsys.disabled():
        print("\n", found.groupby("gap").agg(rows=("id", "size"), nearest=("distance_m", "min"), km=("length_m", "sum")))  # noqa: T201
    # the other islands are pieces apart, tens of kilometres away
    pieces = found[found.gap == "isolated_piece"]
    assert (pieces.distance_m > 20_000).sum() >= 2
    ends = found[found.gap == "open_end"]
    lines = roads.edges.set_index("edge_id").geometry
    there = shapely.distance(shapely.points(ends.x, ends.y), lines.loc[ends.other_id.astype(int)].to_numpy())
    np.testing.assert_allclose(there, ends.distance_m, atol=1e-6)
