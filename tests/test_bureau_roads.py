"""Roads of a transport bureau: fields, encodings, noding worked by hand and against a naive second way, bad files."""

from __future__ import annotations

import math
import time
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.geometry import LineString, MultiLineString, Point

from conftest import CRS
from layout.bureau_roads import read_bureau_roads, road_class, route_class, technical_class
from layout.road_noding import SNAP_M, node_lines
from layout.roads import read_roads
from layout.tables import CountyDataError

EAST, NORTH = 500_000.0, 2_900_000.0


def line(*points: tuple[float, float]) -> LineString:
    return LineString([(EAST + p[0], NORTH + p[1], *p[2:]) for p in points])


def write(path: Path, lines: list, *, crs: str | None = CRS, layer: str | None = None, **fields: list) -> Path:
    frame = gpd.GeoDataFrame(fields or {"OBJECTID": range(len(lines))}, geometry=lines, crs=crs)
    frame.to_file(path, **({"layer": layer} if layer else {}))
    return path


def keys(error: pytest.ExceptionInfo) -> list[str]:
    return [p.key for p in error.value.problems]


# --- what the fields say -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("高速公路", "motorway"), ("国道", "trunk"), ("G", "trunk"), ("省道", "primary"), ("S", "primary"), ("县道", "secondary"), ("x", "secondary"),
        ("乡道", "tertiary"), ("Y", "tertiary"), ("村道", "unclassified"), ("C", "unclassified"), ("专用公路", "unclassified"), ("Ｚ", "unclassified"),
        ("快速路", "trunk"), ("主干路", "primary"), ("次干路", "secondary"), ("支路", "residential"), ("机耕路", "track"), ("小路", "path"), ("人行道", "path"),
        ("步道", "path"), ("匝道", "motorway_link"), ("tertiary", "tertiary"), ("residential", "residential"), ("其他", ""), (None, ""), (math.nan, ""), (3, ""),
    ],
)  # fmt: skip
def test_classes(text, expected):
    assert road_class(text) == expected


def test_technical_classes_and_codes():
    assert [technical_class(v) for v in ("一级", "二级公路", "三级", "四级", "等外", "1级", "Ⅲ级", "高速", "四", None)] == [
        "trunk", "primary", "tertiary", "unclassified", "service", "trunk", "tertiary", "motorway", "", "",
    ]  # fmt: skip
    assert [route_class(v) for v in ("G320", "G60", "G7611", "S206", "S30", "X123", "Y012", "C345", "Z001", "CA12", "X123520425", "X", "GPS", None)] == [
        "trunk", "motorway", "motorway", "primary", "motorway", "secondary", "tertiary", "unclassified", "unclassified", "unclassified", "secondary", "", "", "",
    ]  # fmt: skip


def test_fields_in_chinese(tmp_path):
    lines = [line((0, 1000 * k), (500, 1000 * k)) for k in range(6)]
    path = write(
        tmp_path / "公路.gpkg", lines, 行政等级=["县道", None, None, "", "机耕路", "怪"], 技术等级=["三级", "四级", None, "等外", None, ""],
        路线编码=["X123", None, "Y012520425", None, None, None], 路线名称=["甲县道", "乙路", None, "丙", "丁", "戊"], 限速=["40", None, None, "40公里/小时", None, None],
        设计速度=[60, 20, None, 30, None, None], 路基宽度=[8.5, 6.5, 4.5, None, None, 3], 路面宽度=["7.0米", None, None, "3", None, None],
        车道数=[2, 1, None, None, None, None], 路面类型=["沥青混凝土", "水泥混凝土", "砂石", "土", None, None], 桥梁=["是", "否", "无", "大河桥", None, "0"],
        隧道=["否", "1", None, "", None, None], 是否单行=["是", "双向", None, "反向", None, "0"],
    )  # fmt: skip
    nodes, edges, crs, source = read_bureau_roads(path)
    edges = edges.sort_values("way_id")
    assert edges.highway.tolist() == ["secondary", "unclassified", "tertiary", "service", "track", "road"]
    # a posted limit counts before the design speed, and that only where there is none
    assert edges.maxspeed_kph.fillna(0).tolist() == [40, 20, 0, 40, 0, 0]
    assert edges.width_m.fillna(0).tolist() == [7, 6.5, 4.5, 3, 0, 3] and edges.lanes.fillna(0).tolist() == [2, 1, 0, 0, 0, 0]
    assert edges.surface.tolist() == ["asphalt", "concrete", "gravel", "ground", "", ""]
    assert edges.bridge.tolist() == [True, False, False, True, False, False] and edges.tunnel.tolist() == [False, True, False, False, False, False]
    assert edges.oneway.tolist() == [1, 0, 0, -1, 0, 0] and edges.oneway_bus.tolist() == [1, 0, 0, -1, 0, 0]
    assert edges.name.tolist() == ["甲县道", "乙路", "", "丙", "丁", "戊"]
    assert edges.walk.all() and edges.drive.tolist() == [True, True, True, True, False, True] and edges.bus.tolist() == edges.drive.tolist()
    assert (crs, len(nodes)) == (CRS, 12)
    assert {k: source[k] for k in ("unknown_class", "duplicates", "empty", "design_speed")} == {
        "unknown_class": "1", "duplicates": "0", "empty": "0", "design_speed": "1",
    }  # fmt: skip
    assert source["file"] == "公路.gpkg" and len(source["sha256"]) == 64 and source["attribution"] == ""


def test_fields_in_pinyin_and_english(tmp_path):
    lines = [line((0, 0), (500, 0)), line((0, 900), (500, 900))]
    edges = read_roads(write(tmp_path / "a.shp", lines, XZDJ=["X", "C"], LXMC=["a", "b"], LMKD=[6.5, 3.5], ONEWAY=["yes", "no"])).edges
    assert edges.highway.tolist() == ["secondary", "unclassified"] and edges.width_m.tolist() == [6.5, 3.5] and edges.oneway.tolist() == [1, 0]
    # the shapes that Geofabrik makes of OSM: F along, T against, B both; T also stands for true
    edges = read_roads(write(tmp_path / "b.shp", [*lines, line((0, 1800), (9, 1800))], fclass=["tertiary", "track", "path"], maxspeed=[40, 0, 0],
                             oneway=["F", "B", "T"], bridge=["F", "T", "F"], ref=["X1", None, None])).edges  # fmt: skip
    assert edges[["highway", "oneway", "bridge"]].to_numpy().tolist() == [["tertiary", 1, False], ["track", 0, True], ["path", -1, False]]
    assert edges.maxspeed_kph.fillna(0).tolist() == [40, 0, 0]


def test_layers_by_class(tmp_path):
    path = write(tmp_path / "公路.gpkg", [line((0, 0), (900, 0))], layer="县道")
    write(path, [line((450, 0), (450, 500))], layer="村道")
    gpd.GeoDataFrame({"桥": ["大河桥"]}, geometry=[Point(EAST, NORTH)], crs=CRS).to_file(path, layer="桥梁点")
    edges = read_roads(path).edges
    assert edges.groupby("highway").length_m.sum().round(6).to_dict() == {"secondary": 900, "unclassified": 500}
    assert sorted(edges.way_id) == [1, 1, 2]


# what is said wrongly is noticed where the bytes do not bear it out
@pytest.mark.parametrize(
    ("said", "encoding"),
    [("GB18030", "gb18030"), ("936", "gb18030"), ("UTF-8", "utf-8"), ("UTF-8", "gb18030"), ("", "gb18030"), ("", "utf-8"), ("nonsense", "gb18030")],
)
def test_texts_of_a_shapefile(tmp_path, said, encoding):
    path = tmp_path / "roads.shp"
    gpd.GeoDataFrame({"道路等级": ["县道"], "名称": ["大山路"]}, geometry=[line((0, 0), (500, 0))], crs=CRS).to_file(path, encoding=encoding)
    cpg = tmp_path / "roads.cpg"
    cpg.unlink(missing_ok=True)
    if said:
        cpg.write_text(said)
    edges = read_roads(path).edges
    assert edges.highway.tolist() == ["secondary"] and edges.name.tolist() == ["大山路"]
    with zipfile.ZipFile(tmp_path / "roads.zip", "w") as archive:
        for part in tmp_path.glob("roads.*"):
            if part.suffix != ".zip":
                archive.write(part, f"数据/{part.name}")
    assert read_roads(tmp_path / "roads.zip").edges.name.tolist() == ["大山路"]


def test_geojson_in_degrees(tmp_path):
    lines = gpd.GeoSeries([line((0, 0), (500, 0)), line((250, -9), (250, 9))], crs=CRS).to_crs(4326)
    roads = read_roads(write(tmp_path / "a.geojson", list(lines), crs="EPSG:4326", 等级=["乡道", "小路"]))
    assert roads.crs == CRS and len(roads.edges) == 4 and roads.edges.length_m.sum() == pytest.approx(518, abs=0.1)
    assert roads.source["bbox"] == ",".join(f"{v:.6f}" for v in roads.edges.to_crs(4326).total_bounds)
    assert read_roads(tmp_path / "a.geojson", crs="EPSG:4546").crs == "EPSG:4546"
    with pytest.raises(CountyDataError, match="none of its roads") as error:
        read_roads(tmp_path / "a.geojson", bbox=(0, 0, 1, 1))
    assert keys(error) == ["roads_elsewhere"]


# --- where lines meet ----------------------------------------------------------------------------------------------------


def noded(lines, *, ends_only=(), no_crossing=()):
    flags = [np.isin(np.arange(len(lines)), which) for which in (ends_only, no_crossing)]
    return node_lines(np.array(lines, object), ends_only=flags[0], no_crossing=flags[1])


def lengths(found) -> dict[int, list[float]]:
    metres = np.round(shapely.length(found.pieces), 3)
    return {int(i): metres[found.line == i].tolist() for i in np.unique(found.line)}


def joined(found) -> int:
    links = coo_array((np.ones(len(found.start)), (found.start, found.end)), shape=(len(found.x),) * 2)
    return connected_components(links, directed=False)[0]


def test_crossing_and_touching_worked_by_hand():
    found = noded([line((0, 0), (10, 0)), line((4, -5), (4, 5)), line((8, 0), (8, 3))])
    assert lengths(found) == {0: [4, 4, 2], 1: [5, 5], 2: [3]}
    assert joined(found) == 1 and len(found.x) == 7


def test_ends_that_nearly_meet_are_joined():
    # 0.4 m short of a line, 0.4 m beyond it, 0.9 m from another end; 1.1 m is apart
    found = noded(
        [line((0, 0), (100, 0)), line((30, 0.4), (30, 20)), line((60, -20), (60, 0.4)), line((100.9, 0), (150, 0)), line((-1.1, 0), (-50, 0))]
    )
    assert joined(found) == 2
    assert [len(v) for v in lengths(found).values()] == [3, 1, 1, 1, 1]
    for piece, a, b in zip(found.pieces, found.start, found.end, strict=True):
        assert piece.coords[0] == (found.x[a], found.y[a]) and piece.coords[-1] == (found.x[b], found.y[b])


def test_bridges_meet_only_at_their_ends_and_motorways_where_one_ends():
    bridge, under, road = line((0, 0), (100, 0)), line((50, -50), (50, 50)), line((100, 0), (200, 0))
    assert lengths(noded([bridge, under, road], ends_only=[0])) == {0: [100], 1: [100], 2: [100]}
    assert joined(noded([bridge, under, road], ends_only=[0])) == 2
    # the bridge's end lies on the middle of a road, which is cut there; a road that ends under the bridge is not joined
    found = noded([bridge, line((100, -50), (100, 50)), line((50, -50), (50, 0))], ends_only=[0])
    assert lengths(found) == {0: [100], 1: [50, 50], 2: [50]} and joined(found) == 2
    # a ramp ends on the motorway; the village road goes over it
    found = noded([line((0, 0), (100, 0)), line((30, 0), (30, 40)), line((60, -40), (60, 40))], no_crossing=[0])
    assert lengths(found) == {0: [30, 70], 1: [40], 2: [80]} and joined(found) == 2


def test_lines_that_cross_themselves_or_run_together():
    # a loop: 10 east, round a square, back across its own stem 5 from the start
    own = noded([line((0, 0), (10, 0), (10, 5), (5, 5), (5, -5))])
    assert lengths(own) == {0: [5, 20 - 0.0, 5]} and joined(own) == 1
    # the second runs along the middle of the first for 4 m
    both = noded([line((0, 0), (10, 0)), line((3, 5), (3, 0), (7, 0), (7, 5))])
    assert lengths(both) == {0: [3, 4, 3], 1: [5, 4, 5]}
    # a figure of eight through its own start
    assert joined(noded([line((0, 0), (10, 10), (10, 0), (0, 10))])) == 1
    assert noded([]).line.size == 0


def test_a_tiny_line_within_the_tolerance_is_no_road():
    found = noded([line((0, 0), (10, 0)), line((10, 0), (10.5, 0)), line((10.5, 0), (20, 0))])
    assert (shapely.length(found.pieces) > 0).all() and joined(found) == 1 and sorted(np.unique(found.line)) == [0, 2]


@pytest.mark.parametrize("seed", range(6))
def test_noding_against_a_naive_second_way(seed):
    """Random lines on whole metres: cut by GEOS's own noding, with the tolerance out of play, they have the same pieces."""
    rng = np.random.default_rng(seed)
    lines = [LineString(rng.integers(0, 60, (rng.integers(2, 5), 2)) * 10.0) for _ in range(25)]
    lines = [one for one in lines if one.length > 0]
    found = noded(lines)
    ours = shapely.get_parts(shapely.node(shapely.multilinestrings([p for p in found.pieces])))
    theirs = shapely.get_parts(shapely.node(shapely.multilinestrings(lines)))
    # joining within a metre moves some cuts, so lengths agree and each crossing of theirs has a node of ours
    assert shapely.length(ours).sum() == pytest.approx(shapely.length(theirs).sum(), rel=0.01)
    ends = shapely.points(np.unique(np.concatenate([[p.coords[0] for p in theirs], [p.coords[-1] for p in theirs]]), axis=0))
    nearest = shapely.STRtree(shapely.points(found.x, found.y)).query_nearest(ends, return_distance=True, all_matches=False)[1]
    assert nearest.max() <= 3 * SNAP_M
    # the order of lines changes nothing but the numbering
    order = rng.permutation(len(lines))
    again = noded([lines[i] for i in order])
    np.testing.assert_allclose(np.sort(again.x), np.sort(found.x), atol=1e-6)
    assert np.sort(shapely.length(again.pieces)).round(4).tolist() == np.sort(shapely.length(found.pieces)).round(4).tolist()


def test_parts_heights_duplicates_and_nothing(tmp_path):
    lines = [
        MultiLineString([line((0, 0), (100, 0)), line((0, 50), (100, 50))]), line((0, 100, 7), (100, 100, 8)), line((100, 0), (0, 0)), line((0, 100), (100, 100)),
        LineString(), None, line((5, 5), (5, 5)), line((0, 0), (0, 0), (0, 50)),
    ]  # fmt: skip
    path = write(tmp_path / "a.gpkg", lines, 等级=["村道"] * 8)
    roads = read_roads(path)
    assert roads.edges.length_m.tolist() == [100, 100, 100, 50] and not roads.edges.has_z.any()
    assert roads.edges.way_id.tolist() == [1, 1, 2, 8]
    # the third and the fourth were there already, one of them reversed; three have no line or no length
    assert (roads.source["duplicates"], roads.source["empty"]) == ("2", "3")


def test_a_street_drawn_once_in_each_direction_is_open_both_ways(tmp_path):
    lines = [line((0, 0), (100, 0)), line((100, 0), (0, 0)), line((0, 50), (100, 50)), line((0, 50), (100, 50))]
    edges = read_roads(write(tmp_path / "a.gpkg", lines, 等级=["支路"] * 4, 单行=["是"] * 4)).edges
    assert edges.oneway.tolist() == [0, 1]


@pytest.mark.slow
def test_fifty_thousand_lines_are_read_soon(tmp_path):
    # 158 x 158 crossings, drawn as single stretches: 49,612 lines; 90 s is ten times what it took when this was written
    n = 158
    x, y = np.meshgrid(np.arange(n) * 100.0 + EAST, np.arange(n) * 100.0 + NORTH)
    east = np.stack([np.stack([x[:, :-1], y[:, :-1]], -1), np.stack([x[:, 1:], y[:, 1:]], -1)], 2).reshape(-1, 2, 2)
    north = np.stack([np.stack([x[:-1], y[:-1]], -1), np.stack([x[1:], y[1:]], -1)], 2).reshape(-1, 2, 2)
    path = write(tmp_path / "grid.gpkg", list(shapely.linestrings(np.concatenate([east, north]))), 等级=["村道"] * (len(east) + len(north)))
    begin = time.perf_counter()
    roads = read_roads(path)
    print(f"\n{len(east) + len(north)} lines: {time.perf_counter() - begin:.1f} s")  # noqa: T201
    assert time.perf_counter() - begin < 90
    assert (len(roads.nodes), len(roads.edges)) == (n * n, 2 * n * (n - 1)) and (roads.edges.length_m == 100).all()


# --- files that are wrong ------------------------------------------------------------------------------------------------


def test_bad_files_are_refused_in_words(tmp_path):
    metres, degrees = line((0, 0), (500, 0)), LineString([(107.5, 26.2), (107.6, 26.3)])
    write(tmp_path / "none.shp", [metres], crs=None)
    write(tmp_path / "none.gpkg", [metres], crs=None)
    write(tmp_path / "degrees.shp", [metres], crs="EPSG:4490")
    write(tmp_path / "metres.shp", [degrees], crs=CRS)
    # eastings with the zone's number in front, declared without
    write(tmp_path / "zone.shp", [shapely.transform(metres, lambda p: np.add(p, (36_000_000, 0)))], crs=CRS)
    gpd.GeoDataFrame({"a": [1]}, geometry=[Point(EAST, NORTH)], crs=CRS).to_file(tmp_path / "points.shp")
    write(tmp_path / "nothing.gpkg", [LineString(), None])
    (tmp_path / "noise.shp").write_bytes(b"no shapes")
    (tmp_path / "noise.geojson").write_text("{", encoding="utf-8")
    (tmp_path / "noise.zip").write_bytes(b"no archive")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    expected = {
        "none.shp": "no_crs", "none.gpkg": "no_crs", "degrees.shp": "roads_not_degrees", "metres.shp": "roads_not_metres", "zone.shp": "roads_crs_elsewhere",
        "points.shp": "roads_no_lines", "nothing.gpkg": "roads_no_lines", "noise.shp": "disguised", "noise.geojson": "unreadable",
        "noise.zip": "roads_unreadable", "empty.zip": "roads_no_lines",
    }  # fmt: skip
    found = {}
    for name in expected:
        with pytest.raises(CountyDataError, match=name) as error:
            read_roads(tmp_path / name)
        found[name] = keys(error)[0]
    assert found == expected


def test_every_layer_that_is_wrong_is_said_at_once(tmp_path):
    path = write(tmp_path / "a.gpkg", [line((0, 0), (500, 0))], crs="EPSG:4490", layer="县道")
    write(path, [LineString([(107.5, 26.2), (107.6, 26.3)])], layer="村道")
    with pytest.raises(CountyDataError, match="do not reproject") as error:
        read_roads(path)
    assert [(p.key, p.sheet) for p in error.value.problems] == [("roads_not_degrees", "县道"), ("roads_not_metres", "村道")]
