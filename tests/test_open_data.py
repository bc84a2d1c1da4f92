"""A county from open data: a hand-worked extract, raster and tile, bad input, and Grande Comore as it really is."""

import csv
import json
import os
import re
from importlib.resources import files
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from pandas.testing import assert_frame_equal

from layout import messages
from layout.county import read_county
from layout.open_data import open_county
from layout.open_schools import assumed_rooms, close_schools, school_grades
from layout.standards import read_standards
from layout.tables import BANDS, CountyDataError

AREA = (107.49, 26.49, 107.53, 26.51)
CELL = 0.005


def write_extract(path, *, places=True):
    import osmium

    points = {
        1: (107.4975, 26.5, {"place": "city", "name": "甲城"}),
        2: (107.5185, 26.5, {"place": "village", "name": "乙村"}),
        3: (107.5245, 26.5, {"place": "hamlet"}),
        4: (107.5000, 26.5, {"place": "neighbourhood", "name": "a part of the city"}),
        5: (107.6000, 26.5, {"place": "village", "name": "beyond the boundary"}),
        6: (107.5010, 26.5, {"place": "isolated_dwelling", "name": "one house"}),
        11: (107.5190, 26.5, {"amenity": "school", "name": "私立希望小学"}),
        12: (107.4990, 26.505, {"amenity": "school", "name": "某某大学"}),
        13: (107.4990, 26.506, {"amenity": "kindergarten", "name": "某幼儿园"}),
        14: (107.6010, 26.5, {"amenity": "school", "name": "beyond the boundary"}),
        15: (107.4950, 26.5, {"amenity": "clinic"}),
        # corners: an angle of two wings (21), two halves of one ring (31), a way that is not closed (22)
        41: (107.4960, 26.501, {}), 42: (107.4980, 26.501, {}), 43: (107.4980, 26.5012, {}),
        44: (107.4962, 26.5012, {}), 45: (107.4962, 26.503, {}), 46: (107.4960, 26.503, {}),
        51: (107.5240, 26.501, {}), 52: (107.5250, 26.501, {}), 53: (107.5250, 26.502, {}), 54: (107.5240, 26.502, {}),
    }  # fmt: skip
    ways = [
        (21, [41, 42, 43, 44, 45, 46, 41], {"amenity": "school", "name": "某初级中学"}),
        (22, [51, 52, 53], {"amenity": "school", "name": "not closed"}),
        (23, [51, 52, 53], {}), (24, [53, 54, 51], {}),
        (61, [1, 2, 3], {"highway": "residential"}),
    ]  # fmt: skip
    tags = {"type": "multipolygon", "amenity": "school", "isced:level": "1;2"}
    with osmium.SimpleWriter(str(path)) as writer:
        for key, (lon, lat, own) in points.items():
            if places or "place" not in own:
                writer.add_node(osmium.osm.mutable.Node(id=key, location=(lon, lat), tags=own, version=1))
        for key, nodes, own in ways:
            if places or key != 61:
                writer.add_way(osmium.osm.mutable.Way(id=key, nodes=nodes, tags=own, version=1))
        writer.add_relation(osmium.osm.mutable.Relation(id=31, members=[("w", 23, "outer"), ("w", 24, "outer")], tags=tags, version=1))


def write_raster(path, values):
    import rasterio

    transform = rasterio.transform.from_origin(107.485, 26.515, CELL, CELL)
    profile = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": "float32", "crs": "EPSG:4326", "nodata": -99999}
    with rasterio.open(path, "w", driver="GTiff", transform=transform, **profile) as file:
        file.write(values.astype("float32"), 1)


def ten_each():
    # 6 rows and 10 columns of 10 people; one cell without data near the city, one below zero near the hamlet
    values = np.full((6, 10), 10.0)
    values[2, 1], values[3, 8] = -99999, -5
    return values


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("open")
    write_extract(folder / "tiny.osm.pbf")
    write_raster(folder / "people_2020.tif", ten_each())
    # a square degree that rises one metre a row from north to south
    (np.arange(1201)[:, None] + np.zeros(1201)).astype(">i2").tofile(folder / "N26E107.hgt")
    return folder


def given(sources, **changes):
    usual = {"pbf": sources / "tiny.osm.pbf", "population": sources / "people_2020.tif", "terrain": [sources / "N26E107.hgt"], "boundary": AREA}
    return usual | changes


@pytest.fixture(scope="module")
def tiny(sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "county"
    return folder, open_county(folder, **given(sources), name="甲县")


def refused(folder, **arguments):
    with pytest.raises(CountyDataError, match=r"数据有 \d+ 处问题") as caught:
        open_county(folder, **arguments)
    assert not (folder / "county.toml").exists() and not folder.exists()
    return [(p.key, p.file) for p in caught.value.problems]


def ages():
    # female and male, single ages of the census file: a group's persons evenly over its ages
    rows = list(csv.DictReader(files("layout").joinpath("age_structure.csv").read_text(encoding="utf-8").splitlines()))
    total = sum(float(r["male"]) + float(r["female"]) for r in rows)
    shares = {}
    for r in rows:
        last = int(r["age_to"] or r["age_from"])
        for age in range(int(r["age_from"]), last + 1):
            for sex in ("female", "male"):
                shares[age, sex] = float(r[sex]) / (last - int(r["age_from"]) + 1) / total
    return shares


def test_settlements_are_places_where_people_live_on_their_own(tiny):
    settlements = tiny[1].settlements
    expected = pd.DataFrame(
        {
            "settlement_id": ["n1", "n2", "n3"], "name": ["甲城", "乙村", "n3"], "township_id": "n1",
            "kind": ["county_seat", "village", "hamlet"], "persons": np.nan,
        }
    )  # fmt: skip
    assert_frame_equal(pd.DataFrame(settlements.drop(columns="geometry")), expected)
    lonlat = settlements.to_crs(4326).get_coordinates().to_numpy()
    assert np.allclose(lonlat, [(107.4975, 26.5), (107.5185, 26.5), (107.5245, 26.5)], atol=1e-9)
    assert tiny[1].crs == "EPSG:4545" == settlements.crs.to_string()
    assert_frame_equal(tiny[1].townships, pd.DataFrame({"township_id": ["n1"], "name": ["甲城"], "is_county_seat": [True]}))


def test_people_go_to_the_nearest_settlement_and_add_up(tiny):
    # middles of columns inside: .4925 .4975 .5025 .5075 nearest to the city (.4975; half way to .5185 is .5080),
    # .5125 .5175 to the village (half way to .5245 is .5215), .5225 .5275 to the hamlet; four rows of 10 people each.
    # the city loses the cell without data (160-10), the hamlet the cell below zero (80-10)
    population = tiny[1].population
    persons = population.groupby("settlement_id").persons.sum()
    assert persons.round(3).to_dict() == {"n1": 150.0, "n2": 80.0, "n3": 70.0}
    shares = ages()
    city = population[population.settlement_id == "n1"].set_index(["age", "sex"]).persons
    assert len(city) == len(shares)
    for key, share in shares.items():
        assert city[key] == pytest.approx(150 * share, abs=1e-5), key


def test_schools_are_nodes_ways_and_relations(tiny):
    schools = pd.DataFrame(tiny[1].schools.drop(columns="geometry"))
    # one class a grade is enough everywhere: n11 has 6 grades, r31 has 9, the junior w21 needs 3 and gets the least of 6
    expected = pd.DataFrame(
        [
            ("n11", "私立希望小学", "primary", "village", "private", "open", 1, 6, 6),
            ("n12", "某某大学", "special", "city", "", "open", 1, 9, 0),
            ("r31", "r31", "nine_year", "village", "", "open", 1, 9, 9),
            ("w21", "某初级中学", "junior", "city", "", "open", 7, 9, 6),
        ],
        columns=["school_id", "name", "kind", "urban_rural", "owner", "status", "first_grade", "last_grade", "rooms"],
    )
    assert_frame_equal(schools[list(expected)], expected, check_dtype=False)
    assert (schools[["beds", "boarders"]] == 0).all(axis=None) and not schools.school_bus.any() and (schools.township_id == "n1").all()


def test_a_point_of_an_area_is_inside_it(tiny):
    # the middle of the angle w21 lies outside its wings
    points = tiny[1].schools.to_crs(4326).set_index("school_id").geometry
    wings = [(107.4960, 26.501), (107.4980, 26.501), (107.4980, 26.5012), (107.4962, 26.5012), (107.4962, 26.503), (107.4960, 26.503)]
    angle = shapely.Polygon(wings)
    assert not angle.contains(angle.centroid) and angle.contains(points["w21"])
    assert shapely.box(107.5240, 26.501, 107.5250, 26.502).contains(points["r31"])


def test_notes_say_what_was_left_out(tiny):
    notes = dict(tiny[1].notes)
    assert notes["open_data.note.kindergartens"] | {"distance_m": ""} == {"count": 1, "names": "n13 某幼儿园", "distance_m": ""}
    assert notes["open_data.note.not_compulsory"]["names"] == "n12 某某大学"
    assert notes["open_data.note.unbuilt"]["names"] == "w22"
    assert notes["open_data.note.unnamed"]["names"] == "n3"
    assert notes["open_data.note.sources"]["persons"] == "300"
    for key, fields in notes.items():
        for lang in messages.LANGUAGES:
            assert "{" not in messages.text(key, lang, **fields)


def test_every_assumed_column_is_marked(tiny):
    county = tiny[1]
    marked = county.assumptions.set_index(["table", "column"])["rows"].to_dict()
    people = len(county.population)
    assert marked == {
        ("population", "age"): people, ("population", "persons"): people, ("population", "sex"): people,
        ("schools", "beds"): 4, ("schools", "boarders"): 4, ("schools", "first_grade"): 3, ("schools", "kind"): 3,
        ("schools", "kindergartens"): 1, ("schools", "last_grade"): 3, ("schools", "rooms"): 4, ("schools", "school_bus"): 4,
        ("schools", "township_id"): 4, ("schools", "urban_rural"): 4,
        ("settlements", "kind"): 1, ("settlements", "township_id"): 3, ("townships", "is_county_seat"): 1, ("townships", "township_id"): 1,
    }  # fmt: skip
    basis = county.assumptions.set_index(["table", "column"]).basis
    assert basis["schools", "rooms"] in read_standards().rules
    assert basis["population", "persons"] == "people_2020.tif" and basis["population", "age"] == "age_structure.csv"
    assert county.assumptions.note.str.contains(" / ").all(), "both languages"


def test_settings_roads_terrain_and_provenance(tiny, sources):
    county = tiny[1]
    assert (county.name, county.base_year, county.base_date.isoformat()) == ("甲县", 2020, "2020-07-01")
    assert sorted(county.inputs) == ["N26E107.hgt", "people_2020.tif", "tiny.osm.pbf"]
    city, _, hamlet = county.settlements.geometry
    assert county.roads.edges.length_m.sum() == pytest.approx(city.distance(hamlet), rel=1e-3)
    # the tile is cut to the boundary and two kilometres around: 0.02 + 0.04 + 0.02 degrees of 1/1200
    assert 96 <= county.terrain.elevation.shape[1] <= 100
    assert county.boundary.contains(county.settlements.geometry.iloc[0])


def test_the_folder_gives_the_same_county_back(tiny):
    folder, county = tiny
    again = read_county(folder)
    for name in ("townships", "population", "assumptions"):
        assert_frame_equal(getattr(again, name), getattr(county, name), check_dtype=False)
    for name in ("settlements", "schools"):
        assert_geodataframe_equal(getattr(again, name), getattr(county, name), check_less_precise=True, check_dtype=False)
    assert np.array_equal(again.terrain.elevation, county.terrain.elevation, equal_nan=True)
    assert (again.crs, again.base_year, again.base_date, again.name) == (county.crs, county.base_year, county.base_date, county.name)


def test_two_runs_are_equal(tiny, sources, tmp_path):
    again = open_county(tmp_path / "again", **given(sources), name="甲县")
    for name in ("townships", "population", "assumptions"):
        assert_frame_equal(getattr(again, name), getattr(tiny[1], name))
    assert_geodataframe_equal(again.schools, tiny[1].schools)
    assert again.notes == tiny[1].notes


def test_a_polygon_counts_the_cells_whose_middle_is_inside(sources, tmp_path):
    # a triangle with the city and the village but without the hamlet
    corners = [(107.486, 26.489), (107.5235, 26.4985), (107.486, 26.514)]
    triangle = shapely.Polygon(corners)
    shape = {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
    path = tmp_path / "area.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": shape}]}))
    naive = 0.0
    for row in range(6):
        for column in range(10):
            value = ten_each()[row, column]
            if value > 0 and triangle.contains(shapely.Point(107.485 + CELL * (column + 0.5), 26.515 - CELL * (row + 0.5))):
                naive += value
    county = open_county(tmp_path / "made", **given(sources, boundary=path))
    assert county.settlements.settlement_id.tolist() == ["n1", "n2"]
    assert naive == 190.0 and county.population.persons.sum() == pytest.approx(naive, abs=1e-3)
    assert "area.geojson" in county.inputs and county.name == "made"


def test_rectangle_text_folder_of_tiles_and_extent_of_the_raster(sources, tmp_path):
    text = ",".join(str(n) for n in AREA)
    county = open_county(tmp_path / "text", **given(sources, boundary=text, terrain=sources, base_year=2021))
    assert county.population.persons.sum() == pytest.approx(300, abs=1e-3) and county.base_year == 2021
    # without a boundary all 60 cells count but the two without people
    assert open_county(tmp_path / "all", **given(sources, boundary=None)).population.persons.sum() == pytest.approx(580, abs=1e-3)


def test_a_projected_raster_counts_the_same(sources, tmp_path):
    import rasterio

    # cells of 500 m in the county's own metres, 20 people each; those with their middle in the rectangle by a naive loop
    middles = [shapely.Point(448_000 + 500 * (c + 0.5), 2_934_000 - 500 * (r + 0.5)) for r in range(12) for c in range(12)]
    inside = gpd.GeoSeries(middles, crs="EPSG:4545").to_crs(4326).within(shapely.box(*AREA))
    assert 20 < inside.sum() < 144
    transform = rasterio.transform.from_origin(448_000, 2_934_000, 500, 500)
    profile = {"height": 12, "width": 12, "count": 1, "dtype": "float32", "crs": "EPSG:4545"}
    with rasterio.open(tmp_path / "metres_2020.tif", "w", driver="GTiff", transform=transform, **profile) as file:
        file.write(np.full((12, 12), 20, "float32"), 1)
    county = open_county(tmp_path / "made", **given(sources, population=tmp_path / "metres_2020.tif"))
    assert county.population.persons.sum() == pytest.approx(20 * inside.sum(), abs=1e-3)


def test_rooms_fit_todays_children_at_the_nearest_school(paper):
    # minutes on foot are 20 a kilometre, at most 120; S1 at 1.5 km, S2 at 7 km
    places = {"A": 0.0, "B": 1.0, "C": 2.5, "D": 6.0, "E": 9.0}
    rows = [(v, s, band, 20 * abs(x - y)) for v, x in places.items() for s, y in {"S1": 1.5, "S2": 7.0}.items() for band in BANDS]
    times = pd.DataFrame(rows, columns=["from_id", "to_id", "band", "minutes"]).query("minutes <= 120").assign(mode="walk")
    times["minutes_back"] = times.minutes
    standards = read_standards()
    # S1 (grades 1-6) is nearest to A, B, C: 30 a grade, one class each, 6 rooms. S2 has D, E: 26 a grade, 6 rooms, and the
    # juniors of B, C, D, E (A is 140 minutes away): 46, one class in three grades, 3 rooms
    assert assumed_rooms(paper.schools, paper.population, times, standards).tolist() == [6, 9]
    # twice the children: S1 60, S2 52 in primary grades, two classes of at most 45 each; 92 juniors, two of at most 50
    double = paper.population.assign(persons=2 * paper.population.persons)
    assert assumed_rooms(paper.schools, double, times, standards).tolist() == [12, 18]
    # with S1 taking no part, 46 children of every grade reach S2: two classes of at most 45, one of at most 50
    apart = paper.schools.assign(kind=["special", "nine_year"])
    assert assumed_rooms(apart, paper.population, times, standards).tolist() == [0, 15]
    # a teaching point counts classes of 30 (60 children: two classes in three grades); S2 has juniors only, 3 rooms, gets the least
    more = paper.schools.assign(kind=["teaching_point", "junior"], first_grade=[1, 7], last_grade=[3, 9])
    assert assumed_rooms(more, paper.population.query("settlement_id in ['A', 'B', 'C']").assign(persons=20), times, standards).tolist() == [6, 6]
    # the slower direction counts: when the way back from S1 takes longer than to S2, everybody who can goes to S2
    slow = times.assign(minutes_back=times.minutes_back.where(times.to_id != "S1", 200))
    assert assumed_rooms(paper.schools, paper.population, slow, standards).tolist() == [6, 15]


def test_schools_close_together_are_counted():
    line = [0, 100, 251, 1000, 1150]
    schools = gpd.GeoDataFrame(geometry=[shapely.Point(x, 0) for x in line], crs="EPSG:4545")
    # 0-100 and 1000-1150 are within 150 m; 251 is 151 m from the nearest
    assert close_schools(schools) == 4 and close_schools(schools.iloc[:1]) == 0


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, ("nine_year", 1, 9, "assumed")),
        ({"name": "Ecole Communautaire"}, ("nine_year", 1, 9, "assumed")),
        ({"name": "École Primaire de Mkazi"}, ("primary", 1, 6, "name")),
        ({"name": "EPP"}, ("primary", 1, 6, "name")),
        ({"name": "EP Kaz"}, ("primary", 1, 6, "name")),
        ({"name": "EPPS"}, ("nine_year", 1, 9, "assumed")),
        ({"name": "Collège Rurale de Dashe"}, ("junior", 7, 9, "name")),
        ({"name": "Lycée de Ntsudjini"}, ("complete_secondary", 7, 9, "name")),
        ({"name": "École primaire et collège"}, ("nine_year", 1, 9, "name")),
        ({"name": "Ecole Coranique Mbanguo"}, ("special", 1, 9, "not_compulsory")),
        ({"name": "مدرسة", "name:fr": "Ecole Primaire"}, ("primary", 1, 6, "name")),
        ({"name": "坝上小学"}, ("primary", 1, 6, "name")),
        ({"name": "坝上教学点"}, ("teaching_point", 1, 3, "name")),
        ({"name": "县第一初级中学"}, ("junior", 7, 9, "name")),
        ({"name": "县民族中学"}, ("junior", 7, 9, "name")),
        ({"name": "县完全中学"}, ("complete_secondary", 7, 9, "name")),
        ({"name": "县第一高级中学"}, ("special", 1, 9, "not_compulsory")),
        ({"name": "乡九年一贯制学校"}, ("nine_year", 1, 9, "name")),
        ({"name": "特殊教育学校"}, ("special", 1, 9, "name")),
        ({"isced:level": "1"}, ("primary", 1, 6, "isced")),
        ({"isced:level": "1-2"}, ("nine_year", 1, 9, "isced")),
        ({"isced:level": "2;3", "name": "Ecole primaire"}, ("junior", 7, 9, "isced")),
        ({"isced:level": "3"}, ("special", 1, 9, "not_compulsory")),
        ({"isced:level": "unknown", "name": "Ecole primaire"}, ("primary", 1, 6, "name")),
    ],
)
def test_grades_by_level_then_name_then_assumption(tags, expected):
    assert school_grades(tags) == expected


def test_everything_that_is_missing_is_said_at_once(sources, tmp_path):
    (tmp_path / "no tiles").mkdir()
    problems = refused(tmp_path / "new", pbf="none.osm.pbf", population="none.tif", terrain=tmp_path / "no tiles", boundary="43.55,-12.0,43.20,-11.3")
    files_gone = [("no_open_file", "none.osm.pbf"), ("no_open_file", "none.tif"), ("no_tiles", "")]
    assert problems == [*files_gone, ("bad_rectangle", ""), ("no_base_year", "none.tif")]


@pytest.mark.parametrize("boundary", ["1,2,3", "1,2,3,nan", "0,0,190,10"])
def test_rectangle_must_be_one(sources, tmp_path, boundary):
    assert refused(tmp_path / "new", **given(sources, boundary=boundary)) == [("bad_rectangle", "")]


def test_boundary_of_the_wrong_kind_is_a_bug(sources, tmp_path):
    with pytest.raises(ValueError, match="four numbers"):
        open_county(tmp_path / "new", **given(sources, boundary=("a", 0, 1, 1)))


def test_boundary_file_must_be_there_and_hold_polygons(sources, tmp_path):
    assert refused(tmp_path / "new", **given(sources, boundary=tmp_path / "no.geojson")) == [("no_open_file", "no.geojson")]
    (tmp_path / "broken.geojson").write_text("{")
    assert refused(tmp_path / "new", **given(sources, boundary=str(tmp_path / "broken.geojson"))) == [("unreadable", "broken.geojson")]
    gpd.GeoDataFrame(geometry=[shapely.Point(107.5, 26.5)], crs=4326).to_file(tmp_path / "points.geojson")
    assert refused(tmp_path / "new", **given(sources, boundary=tmp_path / "points.geojson")) == [("no_polygons", "points.geojson")]


def test_area_without_people_places_or_ground(sources, tmp_path):
    # a corner of the raster with people (20 cells or less) but without a place; and an area far from everything
    assert refused(tmp_path / "new", **given(sources, boundary=(107.486, 26.486, 107.494, 26.494))) == [("no_places", "tiny.osm.pbf")]
    far = refused(tmp_path / "new", **given(sources, boundary=(100, 20, 101, 21)))
    assert far == [("no_people", "people_2020.tif"), ("no_places", "tiny.osm.pbf")]
    (np.zeros((1201, 1201))).astype(">i2").tofile(tmp_path / "N27E107.hgt")
    assert refused(tmp_path / "new", **given(sources, terrain=[tmp_path / "N27E107.hgt"])) == [("terrain_not_covering", "N27E107.hgt")]


def test_broken_files_are_named(sources, tmp_path):
    for name in ("broken.osm.pbf", "broken_2020.tif"):
        (tmp_path / name).write_bytes(b"this is neither")
    problems = refused(tmp_path / "new", **given(sources, pbf=tmp_path / "broken.osm.pbf", population=tmp_path / "broken_2020.tif"))
    assert problems == [("unreadable", "broken_2020.tif"), ("unreadable", "broken.osm.pbf")]


def test_a_county_is_never_overwritten(tiny, sources):
    before = {p.name: p.read_bytes() for p in tiny[0].iterdir()}
    with pytest.raises(CountyDataError, match=r"county\.toml"):
        open_county(tiny[0], **given(sources))
    assert {p.name: p.read_bytes() for p in tiny[0].iterdir()} == before


def test_year_comes_from_the_name_or_is_asked_for(sources, tmp_path):
    for name in ("people.tif", "people_2015_2020.tif", "people_20201.tif"):
        write_raster(tmp_path / name, ten_each())
        assert refused(tmp_path / "new", **given(sources, population=tmp_path / name)) == [("no_base_year", name)]


def test_no_town_makes_the_most_populous_place_the_seat(sources, tmp_path):
    # the rectangle leaves the city out: the village has 80 people, the hamlet 70
    county = open_county(tmp_path / "made", **given(sources, boundary=(107.5101, 26.49, 107.53, 26.51)))
    assert county.settlements.set_index("settlement_id").kind.to_dict() == {"n2": "county_seat", "n3": "hamlet"}
    assert county.townships.township_id.tolist() == ["n2"]


def test_an_area_without_schools_is_a_folder_to_fill_in(sources, tmp_path):
    county = open_county(tmp_path / "made", **given(sources, boundary=(107.51, 26.497, 107.5188, 26.5009)))
    assert len(county.schools) == 0 and "schools" not in set(county.assumptions.table)
    assert ("open_data.note.no_schools", {}) in county.notes
    # the sheet stands there with its headings, and the door says that it has to be filled in
    with pytest.raises(CountyDataError, match="the sheet is empty"):
        read_county(tmp_path / "made")


def test_sentences_are_there_in_both_languages():
    for lang in messages.LANGUAGES:
        keys = {k for k in messages.catalogue(lang) if k.startswith("open_data.")}
        assert keys == {k for k in messages.catalogue("zh") if k.startswith("open_data.")}
        for key in ("no_open_file", "no_tiles", "bad_rectangle", "no_base_year", "no_people", "no_places"):
            assert {f"problem.{key}.what", f"problem.{key}.remedy"} <= set(messages.catalogue(lang))
    for key in messages.catalogue("zh"):
        if key.startswith("open_data."):
            fields = [set(re.findall(r"{(\w+)}", messages.catalogue(lang)[key])) for lang in messages.LANGUAGES]
            assert fields[0] == fields[1], key


# --- Grande Comore -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def island(tmp_path_factory):
    if not os.environ.get("LAYOUT_REAL_DATA"):
        pytest.skip("needs the real data named by LAYOUT_REAL_DATA")
    data = Path(os.environ["LAYOUT_REAL_DATA"]) / "comoros"
    county = open_county(
        tmp_path_factory.mktemp("island") / "county", pbf=data / "comoros.osm.pbf", population=data / "worldpop_2020_100m.tif",
        terrain=sorted(data.glob("*.hgt.zip")), boundary="43.20,-12.0,43.55,-11.3", name="Grande Comore",
    )  # fmt: skip
    known = [pd.read_csv(data / f"grande_comore_{name}.csv") for name in ("settlements", "schools")]
    return county, *known


def test_island_has_exactly_the_known_places_and_schools(island):
    county, settlements, schools = island
    assert sorted(county.settlements.settlement_id) == sorted(settlements.osm_id) and len(settlements) == 100
    planned = schools[schools.amenity == "school"]
    assert sorted(county.schools.school_id) == sorted(planned.osm_id) and len(planned) == 69
    listed = dict(county.notes)["open_data.note.kindergartens"]
    kindergartens = schools.loc[schools.amenity == "kindergarten", "osm_id"]
    assert listed["count"] == 3 and sorted(re.findall(r"[nwr]\d+", str(listed["names"]))) == sorted(kindergartens)


def test_island_places_stand_where_they_are_known_to_stand(island):
    county, settlements, schools = island
    for table, file in ((county.settlements, settlements), (county.schools, schools)):
        known = file.set_index("osm_id").loc[table.iloc[:, 0]]
        points = gpd.GeoSeries(gpd.points_from_xy(known.lon, known.lat, crs=4326)).to_crs(county.crs)
        # a tenth of a metre: the files have seven decimals
        assert points.distance(table.geometry.reset_index(drop=True)).max() < 0.1


def test_island_people_add_up(island):
    county = island[0]
    assert county.population.persons.sum() == pytest.approx(449_425, rel=1e-3)
    assert county.population.persons.sum() == pytest.approx(449_425, abs=1)
    assert (county.base_year, county.base_date.isoformat(), county.crs) == (2020, "2020-07-01", "EPSG:32738")
    assert county.settlements.set_index("settlement_id").kind.loc["n339324562"] == "county_seat"


def test_island_marks_every_assumed_figure(island):
    county = island[0]
    marked = county.assumptions.set_index(["table", "column"])
    assert marked.loc[("schools", "rooms"), "rows"] == 69 and marked.loc[("schools", "beds"), "rows"] == 69
    # three schools have a level, four names say that no grades 1-9 are taught
    assert marked.loc[("schools", "first_grade"), "rows"] == 66
    assert dict(county.notes)["open_data.note.not_compulsory"]["count"] == 4 == (county.schools.kind == "special").sum()
    assert marked.loc[("population", "age"), "rows"] == len(county.population)
    filled = {(name, c) for name in ("settlements", "schools", "townships") for c in ("township_id",)}
    assert filled <= set(marked.index)
    assert county.roads is not None and not np.isnan(county.terrain.elevation).all()
