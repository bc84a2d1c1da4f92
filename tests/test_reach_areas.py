"""Isochrones and service areas: against buffers, against the minutes of places, round obstacles, by vehicle, on real islands."""

from __future__ import annotations

import math
import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString, Point, box
from test_travel import make_roads, places, random_places, random_roads, tilted

import layout
from conftest import CRS, EAST, NORTH, paper_roads
from layout.network import prepare_network
from layout.reach_areas import isochrones, service_areas
from layout.roads import empty_roads
from layout.search import join_places, some_places
from layout.standards import read_standards
from layout.travel import travel_matrix

STANDARDS = read_standards()
REAL = os.environ.get("LAYOUT_REAL_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="LAYOUT_REAL_DATA is not set: no real roads to measure on")
OFF = STANDARDS["walk.off_path_factor"]


def likeness(a, b) -> float:
    return a.intersection(b).area / a.union(b).area


def near_roads(rng: np.random.Generator, roads, count: int) -> gpd.GeoDataFrame:
    """Places some hundred metres from roads that one may leave anywhere."""
    lines = roads.edges.geometry[~roads.edges.bridge].to_numpy()
    at = shapely.line_interpolate_point(rng.choice(lines, count), rng.random(count), normalized=True)
    away = rng.normal(0, 150, (count, 2))
    return places(*zip(shapely.get_x(at) + away[:, 0], shapely.get_y(at) + away[:, 1], strict=True), prefix="v")


def checked(bands: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """What holds for all isochrones."""
    assert bands.is_valid.all() and (bands.geom_type == "MultiPolygon").all() and (bands.area > 0).all()
    assert not bands.duplicated(["minutes", "place_id"]).any()
    pd.testing.assert_frame_equal(bands, bands.sort_values(["minutes", "place_id"], ascending=[False, True], ignore_index=True))
    for _, own in bands.groupby("place_id"):
        assert own.union_all().area == pytest.approx(own.area.sum(), rel=1e-9)
    return bands


def test_without_roads_and_slope_it_is_a_circle():
    bands = checked(isochrones(empty_roads(CRS), places((EAST, NORTH)), [10, 20], level_kph=6, cell_m=10))
    circle = Point(EAST, NORTH).buffer(6000 * OFF / 60 * 20, quad_segs=64)
    # sixteen directions lose 2.7 % of the way at worst
    assert 0.965 < bands.area.sum() / circle.area < 1 and bands.union_all().within(circle.buffer(1))
    assert bands.area_m2.to_numpy() == pytest.approx(bands.area)
    assert bands.minutes.tolist() == [20, 10] and bands.from_minutes.tolist() == [10, 0]


def test_along_a_road_it_is_a_spindle():
    roads = make_roads({0: (EAST, NORTH), 1: (EAST + 6000, NORTH)}, [{"from_node": 0, "to_node": 1}])
    school = places((EAST + 3000, NORTH))
    bands = checked(isochrones(roads, school, 20, level_kph=6, cell_m=10))
    run = np.arange(0, 2001, 10)
    discs = [Point(EAST + 3000 + s * d, NORTH).buffer((20 - d / 100) * 100 * OFF, quad_segs=32) for d in run for s in (-1, 1)]
    assert likeness(bands.geometry.iloc[0], shapely.union_all(discs)) > 0.97


@pytest.mark.parametrize("direction", ["towards", "from"])
@pytest.mark.parametrize("mode", ["walk", "bus", "drive"])
def test_who_is_inside_has_so_many_minutes(mode, direction):
    agree = total = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        roads = random_roads(rng)
        network = prepare_network(roads, mode=mode, terrain=tilted(0.08, -0.12, cells=450))
        schools = random_places(rng, roads, 3, "s")
        some = near_roads(rng, roads, 600)
        matrix = travel_matrix(network, *((some, schools) if direction == "towards" else (schools, some)))
        minutes = (matrix.minutes if direction == "towards" else matrix.minutes.T).astype(float)
        bands = checked(isochrones(network, schools, [30, 60], direction=direction))
        found = gpd.sjoin(some, bands, predicate="within")
        upper = pd.DataFrame(np.inf, index=some.id, columns=schools.id)
        for row in found.itertuples():
            upper.loc[row.id, row.place_id] = row.minutes
        upper = upper.to_numpy()
        wanted = np.select([minutes <= 30, minutes <= 60], [30.0, 60.0], np.inf)
        # the best point of a road is never worse than its nearest; cells and directions cost less than two minutes
        late = (upper > wanted) & np.isfinite(wanted)
        assert (wanted[late] - minutes[late] < 2.5).all()
        # sooner where the best point of a long edge is not its nearest
        early = np.isfinite(upper) & (upper < wanted)
        assert (minutes[early] - upper[early] < 20).all()
        counted = np.isfinite(upper) | np.isfinite(wanted)
        agree, total = agree + (upper == wanted)[counted].sum(), total + counted.sum()
    assert total > 2000 and agree / total > 0.94


def test_a_river_bars_the_way_but_for_its_bridge_and_a_lake_is_a_hole():
    roads = make_roads({0: (EAST, NORTH), 1: (EAST + 1000, NORTH)}, [{"from_node": 0, "to_node": 1, "bridge": True}])
    river = LineString([(EAST + 500, NORTH - 5000), (EAST + 500, NORTH + 5000)])
    lake = box(EAST - 500, NORTH - 200, EAST - 300, NORTH + 200)
    obstacles = gpd.GeoDataFrame(geometry=[river, lake], crs=CRS)
    school = places((EAST, NORTH))
    network = prepare_network(roads, level_kph=6, obstacles=obstacles)
    (area,) = checked(isochrones(network, school, 20)).geometry
    assert area.intersection(lake.buffer(-1)).is_empty and any(lake.buffer(-20).within(shapely.Polygon(r)) for p in area.geoms for r in p.interiors)
    # the far side is reached by the bridge alone: what is over there is nearer to its end than to the school
    there = area.intersection(box(EAST + 500, NORTH - 5000, EAST + 9000, NORTH + 5000))
    disc = Point(EAST + 1000, NORTH).buffer((20 - 10) * 100 * OFF, quad_segs=32)
    assert likeness(there, disc.intersection(box(EAST + 515, NORTH - 5000, EAST + 9000, NORTH + 5000))) > 0.9
    # without the bridge the river is the border
    alone = isochrones(prepare_network(empty_roads(CRS), level_kph=6, obstacles=obstacles), school, 20)
    assert alone.total_bounds[2] <= EAST + 500
    assert isochrones(prepare_network(empty_roads(CRS), level_kph=6), school, 20).total_bounds[2] > EAST + 1000


def test_nobody_goes_farther_from_a_road_than_the_radius():
    roads = make_roads({0: (EAST, NORTH), 1: (EAST + 6000, NORTH)}, [{"from_node": 0, "to_node": 1}])
    bands = isochrones(roads, places((EAST + 3000, NORTH)), 300, level_kph=6)
    assert abs(bands.total_bounds[[1, 3]] - NORTH).max() == pytest.approx(STANDARDS["travel.join_radius"], abs=45)
    assert service_areas(roads, places((EAST + 3000, NORTH))).total_bounds[3] - NORTH == pytest.approx(1500, abs=45)


def test_ground_on_a_slope_depends_on_the_direction():
    ground = tilted(0.3, cells=300)
    school = places((EAST + 3000, NORTH + 3000))
    there, back = (isochrones(empty_roads(CRS), school, 20, level_kph=6, terrain=ground, direction=d) for d in ("towards", "from"))
    # who lives uphill, in the east, comes down quickly
    assert there.total_bounds[2] - (EAST + 3000) > 1.2 * (EAST + 3000 - there.total_bounds[0])
    assert likeness(there.geometry.iloc[0], shapely.affinity.rotate(back.geometry.iloc[0], 180, Point(EAST + 3000, NORTH + 3000))) > 0.98


def test_void_ground_counts_as_level():
    ground = tilted(0.0, cells=300)
    holed = layout.Terrain(np.where(np.arange(300) < 130, np.nan, ground.elevation), ground.west, ground.north, 30, 30, CRS)
    school = places((EAST + 3000, NORTH + 3000))
    whole, part = (isochrones(empty_roads(CRS), school, 20, level_kph=6, terrain=t) for t in (ground, holed))
    assert likeness(whole.geometry.iloc[0], part.geometry.iloc[0]) > 0.999


def test_a_place_off_the_roads_has_its_own_ground_and_a_band_without_ground_no_row():
    moat = Point(EAST, NORTH).buffer(500).boundary
    network = prepare_network(empty_roads(CRS), level_kph=6, obstacles=gpd.GeoDataFrame(geometry=[moat], crs=CRS))
    bands = checked(isochrones(network, places((EAST, NORTH)), [20, 40, 60]))
    assert bands.minutes.tolist() == [20] and 0.85 < bands.area.sum() / (math.pi * 500**2) < 1


def test_paper_county(paper):
    bands = checked(layout.isochrones(paper.roads, paper.schools, [10, 30], band="junior"))
    minutes = layout.travel_matrix(layout.prepare_network(paper.roads, band="junior"), paper.settlements, paper.schools).minutes
    inside = gpd.sjoin(paper.settlements, bands, predicate="within")[["settlement_id", "place_id", "minutes"]]
    expected = {(s, k): 10.0 if minutes[i, j] <= 10 else 30.0 for i, s in enumerate(paper.settlements.settlement_id)
                for j, k in enumerate(paper.schools.school_id) if minutes[i, j] <= 30}  # fmt: skip
    assert {(r.settlement_id, r.place_id): r.minutes for r in inside.itertuples()} == expected
    assert (bands["mode"] == "walk").all() and (bands["band"] == "junior").all() and bands.crs == paper.crs


def test_service_areas_divide_the_ground():
    for seed, mode in ((0, "walk"), (1, "walk"), (2, "bus")):
        rng = np.random.default_rng(seed)
        roads = random_roads(rng)
        network = prepare_network(roads, mode=mode, terrain=tilted(0.08, -0.12, cells=450))
        schools = random_places(rng, roads, 6, "s")
        areas = service_areas(network, schools)
        assert areas.is_valid.all() and shapely.coverage_is_valid(areas.geometry.to_numpy())
        assert areas.union_all().area == pytest.approx(areas.area_m2.sum(), rel=1e-9) and areas.place_id.is_monotonic_increasing
        some = near_roads(rng, roads, 500)
        minutes = travel_matrix(network, some, schools).minutes.astype(float)
        own = gpd.sjoin(some, areas, predicate="within").set_index("id").place_id
        gap = [
            minutes[i, list(schools.id).index(own[v])] - minutes[i].min() for i, v in enumerate(some.id) if v in own and np.isfinite(minutes[i].min())
        ]
        assert len(gap) > 400 and np.mean(np.array(gap) < 1) > 0.95 and np.percentile(gap, 99) < 5
        again = service_areas(network, schools.iloc[::-1])
        pd.testing.assert_frame_equal(areas, again)
        limited = service_areas(network, schools, minutes=40)
        assert limited.union_all().difference(areas.union_all().buffer(45)).is_empty and limited.area.sum() < areas.area.sum()


def test_some_of_the_places_are_joined_as_they_are_alone(paper):
    network = prepare_network(paper.roads)
    everywhere = join_places(network, paper.settlements)
    ids = sorted(everywhere.ids)[::-2]
    chosen, alone = paper.settlements.set_index("settlement_id").loc[ids].reset_index(), some_places(everywhere, ids).joins
    expected = join_places(network, chosen).joins
    assert alone.ids == expected.ids == tuple(ids)
    for name in ("x", "y", "place", "edge", "share", "out", "back"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(expected, name))
    with pytest.raises(KeyError, match="nowhere"):
        some_places(everywhere, ["nowhere"])


def test_a_new_school_takes_ground_and_gives_none():
    roads = paper_roads()
    two = places((EAST + 500, NORTH), (EAST + 9000, NORTH))
    three = pd.concat([two, places((EAST + 4500, NORTH), prefix="z")], ignore_index=True)
    before, after = (service_areas(roads, s).set_index("place_id").geometry for s in (two, three))
    for place in before.index:
        assert after[place].difference(before[place].buffer(30)).is_empty and after[place].area < before[place].area


def test_the_grid_does_not_depend_on_other_places_nor_on_order():
    rng = np.random.default_rng(5)
    roads = random_roads(rng)
    network, schools = prepare_network(roads, terrain=tilted(0.05, 0.1, cells=450)), random_places(rng, roads, 4, "s")
    whole = isochrones(network, schools, [20, 40])
    again = isochrones(network, join_places(network, schools.iloc[[2, 0, 3, 1]].to_crs(4326)), [40, 20])
    assert again[["place_id", "minutes"]].equals(whole[["place_id", "minutes"]])
    assert (whole.geometry.symmetric_difference(again.geometry).area < 1).all()
    one = isochrones(network, schools.iloc[[2]], [20, 40])
    pd.testing.assert_frame_equal(one, whole[whole.place_id == schools.id[2]].reset_index(drop=True))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"minutes": 0}, "minutes must"),
        ({"minutes": []}, "minutes must"),
        ({"minutes": [10, math.nan]}, "minutes must"),
        ({"minutes": "35"}, "minutes must be numbers"),
        ({"direction": "up"}, "direction"),
        ({"cell_m": 0}, "cell_m"),
        ({"mode": "fly"}, "mode"),
    ],
)
def test_bad_options_are_refused(paper, change, match):
    given = {"minutes": 10} | change
    with pytest.raises(ValueError, match=match):
        isochrones(paper.roads, paper.schools, given.pop("minutes"), **given)
    given = {"minutes": 10} | change
    if given["minutes"] != [] and not isinstance(given["minutes"], str):
        with pytest.raises(ValueError, match=match):
            service_areas(paper.roads, paper.schools, **{**given, "minutes": np.min(given["minutes"])})


def test_no_places_no_ground(paper):
    nobody = paper.schools.iloc[:0]
    bands, areas = isochrones(paper.roads, nobody, 10), service_areas(paper.roads, nobody)
    assert not len(bands) and not len(areas) and bands.crs == areas.crs == paper.crs
    assert list(bands) == ["place_id", "from_minutes", "minutes", "mode", "band", "area_m2", "geometry"]


@pytest.mark.slow
@needs_real
def test_ground_of_grande_comore():
    folder = Path(REAL) / "comoros"
    roads = layout.read_roads(folder / "comoros.osm.pbf", bbox=(43.1, -12.0, 43.6, -11.3))
    network = prepare_network(roads, terrain=layout.read_terrain(sorted(folder.glob("*.hgt.zip"))))
    rng = np.random.default_rng(0)
    at = roads.nodes.iloc[rng.choice(len(roads.nodes), 30, replace=False)]
    near = roads.nodes.iloc[rng.choice(len(roads.nodes), 2000)]
    schools = join_places(network, places(*zip(at.x, at.y, strict=True), crs=roads.crs))
    some = join_places(
        network, places(*zip(near.x + rng.normal(0, 300, 2000), near.y + rng.normal(0, 300, 2000), strict=True), prefix="v", crs=roads.crs)
    )
    minutes = travel_matrix(network, some, schools).minutes.astype(float)
    bands = checked(isochrones(network, schools, [15, 30, 45]))
    points = gpd.GeoDataFrame({"id": some.ids}, geometry=gpd.points_from_xy(some.joins.x, some.joins.y), crs=roads.crs)
    inside = (
        gpd.sjoin(points, bands, predicate="within")
        .set_index(["id", "place_id"])
        .minutes.unstack()
        .reindex(index=list(some.ids), columns=list(schools.ids))
    )
    upper, wanted = inside.fillna(np.inf).to_numpy(), np.select([minutes <= 15, minutes <= 30, minutes <= 45], [15.0, 30.0, 45.0], np.inf)
    counted = np.isfinite(upper) | np.isfinite(wanted)
    assert counted.sum() > 1000 and (upper == wanted)[counted].mean() > 0.97
    late = (upper > wanted) & np.isfinite(wanted)
    assert np.percentile(wanted[late] - minutes[late], 90) < 1
    areas = service_areas(network, schools)
    assert shapely.coverage_is_valid(areas.geometry.to_numpy())
    own = gpd.sjoin(points, areas, predicate="within").set_index("id").place_id
    assert (own == pd.Series(np.array(schools.ids)[minutes.argmin(axis=1)], index=list(some.ids)).reindex(own.index)).mean() > 0.96


@pytest.mark.parametrize("away", [10, 20, 30, 45])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("direction", [0.0, 0.7])
def test_a_road_along_a_river_lies_in_its_own_ground_and_the_far_bank_does_not(away, both, direction):
    def turned(x, y):
        return EAST + x * math.cos(direction) - y * math.sin(direction), NORTH + x * math.sin(direction) + y * math.cos(direction)

    roads = make_roads({0: turned(0, 0), 1: turned(6000, 0)}, [{"from_node": 0, "to_node": 1}])
    banks = [LineString([turned(-3000, s * away), turned(9000, s * away)]) for s in ((1, -1) if both else (1,))]
    network = prepare_network(roads, level_kph=6, obstacles=gpd.GeoDataFrame(geometry=banks, crs=CRS))
    school = places(turned(3000, 0))
    bands = checked(isochrones(network, school, [10, 20]))
    ground = bands.union_all()
    areas = service_areas(network, school).geometry.iloc[0]
    far = shapely.Polygon([turned(-3000, away + 1), turned(9000, away + 1), turned(9000, 3000), turned(-3000, 3000)])
    for shape in (ground, areas):
        assert shape.covers(school.geometry.iloc[0].buffer(1)) and shape.intersection(far).area < 1
        # along the road, and on the near side of the river
        assert all(shape.covers(Point(turned(x, y))) for x in (1300, 2500, 3777, 4700) for y in (0, 0.6 * min(away, 15)))
    homes = places(*(turned(x, 0.5 * min(away, 15)) for x in (1500, 2200, 4100)), prefix="v")
    minutes = travel_matrix(network, homes, school).minutes[:, 0]
    inside = gpd.sjoin(homes, bands, predicate="within").set_index("id").minutes
    assert [10.0 if m <= 10 else 20.0 for m in minutes] == inside.reindex(homes.id).tolist()


def test_shores_are_cut_out_exactly():
    lake = Point(EAST + 700, NORTH).buffer(300)
    network = prepare_network(empty_roads(CRS), level_kph=6, obstacles=gpd.GeoDataFrame(geometry=[lake], crs=CRS))
    (shape,) = isochrones(network, places((EAST, NORTH)), 20).geometry
    assert shape.intersection(lake).area < 1e-3
    # the bank that one walks up to lies in the ground to its last metre
    assert shape.covers(Point(EAST + 398, NORTH)) and shape.covers(Point(EAST + 450, NORTH + 170))
