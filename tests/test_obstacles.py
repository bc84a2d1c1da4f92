"""Obstacles: what an extract says of water, cliffs and fenced roads, and what it means for those who walk."""

from __future__ import annotations

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString, Point, Polygon, box
from test_travel import make_roads, places

import layout
from conftest import CRS, EAST, NORTH
from layout.barriers import barred_ways, make_ground
from layout.county import read_county, write_county
from layout.network import prepare_network
from layout.obstacles import in_water, read_obstacles
from layout.tables import CountyDataError
from layout.travel import travel_matrix

REAL = os.environ.get("LAYOUT_REAL_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="LAYOUT_REAL_DATA is not set: no real roads to measure on")


def extract(
    path: Path, ways: list[tuple[list[tuple[float, float]], dict[str, str]]], relations: list[tuple[list[tuple[int, str]], dict]] = ()
) -> Path:
    """An .osm file of ways, each with its own nodes; a way whose first point is its last is closed."""
    nodes, lines, number = [], [], 0
    for i, (points, tags) in enumerate(ways):
        closed = points[0] == points[-1]
        refs = []
        for lon, lat in points[:-1] if closed else points:
            number += 1
            nodes.append(f'<node id="{number}" version="1" lon="{lon}" lat="{lat}"/>')
            refs.append(number)
        refs += refs[:1] if closed else []
        inner = "".join(f'<nd ref="{r}"/>' for r in refs) + "".join(f'<tag k="{k}" v="{v}"/>' for k, v in tags.items())
        lines.append(f'<way id="{i + 1}" version="1">{inner}</way>')
    for i, (members, tags) in enumerate(relations):
        inner = "".join(f'<member type="way" ref="{r}" role="{role}"/>' for r, role in members) + "".join(
            f'<tag k="{k}" v="{v}"/>' for k, v in tags.items()
        )
        lines.append(f'<relation id="{i + 1}" version="1">{inner}</relation>')
    path.write_text(f'<osm version="0.6">{"".join(nodes)}{"".join(lines)}</osm>', encoding="utf-8")
    return path


def ring(west, south, east, north, *, clockwise=False):
    points = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return points[::-1] if clockwise else points


def test_what_bars_the_way_is_read_and_what_does_not_is_not(tmp_path):
    path = extract(
        tmp_path / "a.osm",
        [
            (ring(107.0, 26.0, 107.1, 26.1), {"natural": "water", "name": "红枫湖"}),
            ([(107.2, 26.0), (107.3, 26.0)], {"waterway": "river"}),
            ([(107.2, 26.1), (107.3, 26.1)], {"waterway": "river", "tunnel": "culvert"}),
            ([(107.2, 26.2), (107.3, 26.2)], {"waterway": "river", "intermittent": "yes"}),
            ([(107.2, 26.3), (107.3, 26.3)], {"waterway": "stream"}),
            ([(107.4, 26.0), (107.4, 26.1)], {"natural": "cliff"}),
            ([(107.5, 26.0), (107.5, 26.1)], {"highway": "motorway"}),
            ([(107.6, 26.0), (107.6, 26.1)], {"highway": "motorway", "bridge": "viaduct"}),
            ([(107.7, 26.0), (107.7, 26.1)], {"highway": "primary"}),
            (ring(107.0, 26.4, 107.2, 26.6), {}),
            (ring(107.05, 26.45, 107.1, 26.5), {}),
        ],
        [([(10, "outer"), (11, "inner")], {"type": "multipolygon", "landuse": "reservoir"})],
    )
    found = read_obstacles(path)
    assert found[["obstacle_id", "kind", "name"]].values.tolist() == [
        ["r1:area", "water", ""], ["w1:area", "water", "红枫湖"], ["w2", "river", ""], ["w6", "cliff", ""], ["w7", "motorway", ""],
    ]  # fmt: skip
    assert found.crs == layout.roads.metric_crs(107.25, 26.3)
    island = gpd.GeoSeries([Point(107.07, 26.47), Point(107.15, 26.55), Point(107.05, 26.05)], crs=4326).to_crs(found.crs)
    assert in_water(found, gpd.GeoDataFrame(geometry=island)).tolist() == [False, True, True]
    some = read_obstacles(path, bbox=(107.45, 25.9, 107.8, 26.2), crs="EPSG:4544")
    assert some.obstacle_id.tolist() == ["w7"] and some.crs == "EPSG:4544"


def test_the_sea_is_on_the_right_of_the_coast(tmp_path):
    # an island, its coast drawn in two ways with the land on the left, and a lagoon in it
    land, lagoon = ring(50.0, -12.0, 50.2, -11.8), ring(50.05, -11.95, 50.1, -11.9, clockwise=True)
    path = extract(tmp_path / "a.osm", [(part, {"natural": "coastline"}) for part in (land[:3], land[2:], lagoon)])
    # the two ways share their ends by place alone
    sea = read_obstacles(path, crs="EPSG:32739")
    assert set(sea.kind) == {"sea"} and sea.is_valid.all()
    where = gpd.GeoSeries(gpd.points_from_xy([50.15, 50.22, 50.07, 49.98, 50.02], [-11.85, -11.9, -11.92, -11.9, -11.97]), crs=4326).to_crs(sea.crs)
    assert in_water(sea, gpd.GeoDataFrame(geometry=where)).tolist() == [False, True, True, True, False]
    # a box that cuts through the island
    cut = read_obstacles(path, bbox=(50.15, -12.1, 50.4, -11.7), crs="EPSG:32739")
    assert in_water(cut, gpd.GeoDataFrame(geometry=where)).tolist() == [False, True, False, False, False]
    # a box inside the land holds no coast
    assert not len(read_obstacles(path, bbox=(50.12, -11.88, 50.14, -11.86)))


def test_a_coast_with_loose_ends_still_bars_the_way(tmp_path):
    path = extract(tmp_path / "a.osm", [([(107.0, 26.0), (107.1, 26.0), (107.2, 26.05)], {"natural": "coastline"})])
    found = read_obstacles(path, bbox=(106.9, 25.9, 107.3, 26.2))
    assert found.kind.tolist() == ["sea"] and found.geom_type.tolist() == ["MultiLineString"]


def test_layers_of_a_gis(tmp_path):
    layer = gpd.GeoDataFrame({"kind": ["water", "dragon"], "name": ["塘", None]}, geometry=[box(0, 0, 9, 9), LineString([(0, 0), (9, 9)])], crs=CRS)
    layer.to_file(tmp_path / "a.gpkg")
    found = read_obstacles(tmp_path / "a.gpkg", crs=CRS)
    assert found.drop(columns="geometry").values.tolist() == [["O000001", "water", "塘"], ["O000002", "other", ""]]
    with pytest.raises(CountyDataError, match="points"):
        gpd.GeoDataFrame(geometry=[Point(0, 0)], crs=CRS).to_file(tmp_path / "p.gpkg")
        read_obstacles(tmp_path / "p.gpkg")
    with pytest.raises(CountyDataError) as told:
        read_obstacles(tmp_path / "none.gpkg")
    assert [p.key for p in told.value.problems] == ["roads_no_file"]
    (tmp_path / "bad.gpkg").write_bytes(b"nothing")
    with pytest.raises(CountyDataError) as told:
        read_obstacles(tmp_path / "bad.gpkg")
    assert [p.key for p in told.value.problems] == ["disguised"]
    (tmp_path / "bad.osm").write_text("<osm", encoding="utf-8")
    with pytest.raises(CountyDataError) as told:
        read_obstacles(tmp_path / "bad.osm")
    assert [p.key for p in told.value.problems] == ["roads_unreadable"]


def test_who_stands_in_the_water_wades_a_hundred_metres_and_no_farther():
    lake = Polygon([(0, 0), (400, 0), (400, 400), (0, 400)])
    river = LineString([(600, -1000), (600, 1000)])
    ground = make_ground(None, gpd.GeoDataFrame(geometry=[lake, river], crs=CRS), CRS)

    def barred(a, b):
        return bool(barred_ways(ground, *(np.array([float(v)]) for v in (*a, *b)))[0])

    assert not barred((-50, 200), (-50, 900)) and barred((-50, 200), (500, 200))
    assert not barred((80, 200), (-50, 200)) and barred((180, 200), (-50, 200))
    # along the bank and on the line of the river nobody is barred, across it everybody is
    assert not barred((-50, 0), (0, 0)) and not barred((600, 0), (650, 0)) and barred((590, 0), (610, 0))
    # cut into parts it is the same lake
    fine = gpd.GeoDataFrame(geometry=[lake.segmentize(1.0), river], crs=CRS)
    cut = make_ground(None, fine, CRS)
    assert len(cut.obstacles) > 4
    rng = np.random.default_rng(0)
    ends = rng.uniform(-300, 700, (4, 500))
    np.testing.assert_array_equal(barred_ways(ground, *ends), barred_ways(cut, *ends))


def test_a_county_keeps_its_obstacles_and_says_who_lives_in_the_water(paper, change, tmp_path):
    lake = gpd.GeoDataFrame(
        {"obstacle_id": ["w1"], "kind": ["water"], "name": ["湖"]}, geometry=[paper.settlements.geometry.iloc[1].buffer(300)], crs=paper.crs
    )
    write_county(change(paper, obstacles=lake), tmp_path / "a")
    again = read_county(tmp_path / "a")
    assert again.obstacles.geometry.iloc[0].equals_exact(lake.geometry.iloc[0], 1e-3) and again.obstacles.name.tolist() == ["湖"]
    assert ("note.places_in_water", {"count": 1, "places": "B"}) in again.notes
    assert read_county(tmp_path / "a").obstacles is not None and "obstacles.geojson" in again.inputs
    dry = layout.county_times(paper, layout.read_standards())
    wet = layout.county_times(again, layout.read_standards())
    # on the road, which nothing bars, all others walk as before
    pair = ["from_id", "to_id", "mode", "band"]
    both = dry.merge(wet, on=pair, suffixes=("", "_wet"))
    other = both[both.from_id != "B"]
    assert len(other) == len(dry[dry.from_id != "B"]) and other.minutes.to_numpy() == pytest.approx(other.minutes_wet.to_numpy(), abs=1e-3)


def test_an_extract_in_the_county_folder_brings_its_water(tmp_path, paper):
    write_county(paper, tmp_path / "a")
    (tmp_path / "a" / "roads.gpkg").unlink()
    lines = paper.roads.edges.to_crs(4326).geometry
    west, _, _, north = lines.total_bounds
    pond = ring(west, north + 0.001, west + 0.002, north + 0.002)
    extract(tmp_path / "a" / "roads.osm", [([tuple(c) for c in g.coords], {"highway": "tertiary"}) for g in lines] + [(pond, {"natural": "water"})])
    county = read_county(tmp_path / "a")
    assert county.obstacles.kind.tolist() == ["water"] and county.obstacles.crs == county.crs


def test_nobody_crosses_a_river_but_over_its_bridge():
    roads = make_roads({0: (EAST, NORTH), 1: (EAST + 1000, NORTH)}, [{"from_node": 0, "to_node": 1, "bridge": True}])
    river = gpd.GeoDataFrame(geometry=[LineString([(EAST + 500, NORTH - 9000), (EAST + 500, NORTH + 9000)])], crs=CRS)
    home, school = places((EAST + 400, NORTH + 600)), places((EAST + 600, NORTH + 600), prefix="s")
    free, barred = (travel_matrix(prepare_network(roads, level_kph=6, obstacles=o), home, school).minutes[0, 0] for o in (None, river))
    assert free == pytest.approx(200 / 60)
    assert barred == pytest.approx(2 * np.hypot(400, 600) / 60 + 10, rel=1e-5)


@pytest.mark.slow
@needs_real
def test_grande_comore_ends_at_its_coast():
    folder = Path(REAL) / "comoros"
    bbox = (43.1, -12.0, 43.6, -11.3)
    roads = layout.read_roads(folder / "comoros.osm.pbf", bbox=bbox)
    obstacles = read_obstacles(folder / "comoros.osm.pbf", bbox=bbox, crs=roads.crs)
    sea = obstacles.geometry[obstacles.kind == "sea"].union_all()
    area = gpd.GeoSeries([box(*bbox)], crs=4326).to_crs(roads.crs).iloc[0].area - sea.area
    # as much land as the terrain has cells above the sea
    terrain = layout.terrain.clip_terrain(layout.read_terrain(sorted(folder.glob("*.hgt.zip"))), bbox, crs="EPSG:4326")
    cell = terrain.cell_x * 111_320 * np.cos(np.radians(11.65)) * terrain.cell_y * 110_600
    assert area == pytest.approx((terrain.elevation > 0).sum() * cell, rel=0.02)
    assert shapely.length(shapely.intersection(roads.edges.geometry.to_numpy(), sea)).sum() < 0.002 * roads.edges.length.sum()
    at = roads.nodes.iloc[np.random.default_rng(0).choice(len(roads.nodes), 20, replace=False)]
    network = prepare_network(roads, obstacles=obstacles)
    areas = layout.isochrones(network, places(*zip(at.x, at.y, strict=True), crs=roads.crs), 30)
    assert areas.intersection(sea.buffer(-45)).area.sum() == 0 and areas.intersection(sea).area.sum() < 0.002 * areas.area.sum()


@pytest.mark.parametrize("bbox", [None, (105.9, 25.9, 106.2, 26.1)])
def test_a_mainland_with_loose_ends_does_not_become_sea_for_an_island(tmp_path, bbox):
    # the mainland lies north of its coast, which ends inside the box; an island before it is whole
    mainland = [(106.15, 26.0), (106.1, 26.005), (106.05, 26.0), (105.98, 26.0)][::-1]
    path = extract(tmp_path / "a.osm", [(mainland, {"natural": "coastline"}), (ring(106.04, 25.95, 106.06, 25.96), {"natural": "coastline"})])
    found = read_obstacles(path, bbox=bbox, crs="EPSG:4545")
    inland = gpd.GeoDataFrame(geometry=gpd.GeoSeries([Point(106.05, 26.03)], crs=4326).to_crs(found.crs))
    assert not in_water(found, inland).any() and set(found.geom_type) == {"MultiLineString"}


def test_a_coast_that_enters_the_box_twice_is_kept_whole(tmp_path):
    path = extract(tmp_path / "a.osm", [([(106.02, 26.02), (106.02, 26.2), (106.08, 26.2), (106.08, 26.02)], {"natural": "coastline"})])
    found = read_obstacles(path, bbox=(106.0, 26.0, 106.1, 26.1))
    assert found.geom_type.tolist() == ["MultiLineString"] and len(found.geometry.iloc[0].geoms) == 2


def test_shapes_without_extent_are_left_out_and_points_are_named(tmp_path):
    box_, nothing = box(0, 0, 9, 9), LineString([(1, 1), (1, 1)])
    gpd.GeoDataFrame({"kind": ["water", "river", "cliff"]}, geometry=[box_, None, nothing], crs=CRS).to_file(tmp_path / "a.gpkg")
    assert read_obstacles(tmp_path / "a.gpkg", crs=CRS).kind.tolist() == ["water"]
    gpd.GeoDataFrame(geometry=[box_, Point(0, 0)], crs=CRS).to_file(tmp_path / "p.gpkg")
    with pytest.raises(CountyDataError) as told:
        read_obstacles(tmp_path / "p.gpkg")
    assert [(p.key, p.row) for p in told.value.problems] == [("obstacles_points", 2)]
    import pyogrio

    pyogrio.write_dataframe(pd.DataFrame({"a": [1]}), tmp_path / "table.gpkg")
    with pytest.raises(CountyDataError) as told:
        read_obstacles(tmp_path / "table.gpkg")
    assert [p.key for p in told.value.problems] == ["obstacles_none"]
