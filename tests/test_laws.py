"""What must hold for any county at every stage, and for any bytes at every reader."""

import dataclasses
import shutil
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pandas.testing as pdt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from shapely.geometry import LineString
from strategies import LONG, QUICK, additions, changed_bytes, counties, places_km, planned_counties
from test_roads import write_pbf

from conftest import CRS, at, make_paper
from layout.catchment import assign
from layout.class_size import class_sizes
from layout.county import read_county, write_county
from layout.network import prepare_network
from layout.plan import seat_schools
from layout.population import project_pupils
from layout.roads import Roads, read_roads
from layout.search import join_places
from layout.standards import read_standards
from layout.tables import CountyDataError, check
from layout.travel import nearest, travel_times

STANDARDS = read_standards()
YEARS = [2026, 2030]


def times_of(county):
    network = prepare_network(county.roads, standards=STANDARDS)
    homes, schools = join_places(network, county.settlements), join_places(network, county.schools)
    return pd.concat([travel_times(network, homes, schools, band=band) for band in ("lower", "upper", "junior")], ignore_index=True)


def conserve(county):
    """Every child is assigned, without a place, or away; classes hold exactly those who are in a school."""
    pupils = project_pupils(county, STANDARDS, years=YEARS)
    for years in (None, True):
        seats = None
        if years:
            seats = pd.concat(
                [county.schools[["school_id", "status", "first_grade", "last_grade", "rooms", "beds"]].assign(year=year) for year in YEARS],
                ignore_index=True,
            )
        found = assign(pupils, times_of(county), county.schools, STANDARDS, school_years=seats)
        whole = pupils.groupby(["year", "grade"])["pupils"].sum()
        counted = found.groupby(["year", "grade"])["pupils"].sum().reindex(whole.index, fill_value=0)
        assert ((counted - whole).abs() <= 0.5 + 1e-6).all()
        assert (found["pupils"] >= 0).all() and (found["pupils"] == found["pupils"].round()).all()
        inside = found[found["school_id"].astype("str") != ""]
        classes = class_sizes(found, county.schools, county.rosters, STANDARDS, school_years=seats)
        assert classes["pupils"].sum() == inside["pupils"].sum()


def all_of_them(county):
    """Assigned, without a place and away add up to the children of every year, grade and place of study, in both views."""
    pupils, times = project_pupils(county, STANDARDS, years=YEARS), times_of(county)
    whole = pupils.groupby(["year", "grade", "attends"])["pupils"].sum()
    today = assign(pupils, times, county.schools, STANDARDS, seat_schools=seat_schools(county))
    for found in (today, planned(county, pupils, times, years=YEARS)):
        here, away = found["school_id"].astype("str") != "", found["status"] == "away"
        # whoever has no seat sits above the standard at a school all the same
        without = found["status"].isin(["no_bed", "no_route"])
        assert (here.astype(int) + without + away == 1).all() and set(found.loc[here, "status"]) <= {"served", "beyond_limit", "no_seat"}
        assert (away == (found["attends"] == "away")).all()
        counted = found.groupby(["year", "grade", "attends"])["pupils"].sum()
        assert set(counted.index) <= set(whole.index) and ((counted.reindex(whole.index, fill_value=0) - whole).abs() <= 0.5 + 1e-6).all()


def planned(county, pupils, times, *, years):
    columns = ["school_id", "status", "first_grade", "last_grade", "rooms", "beds"]
    standing = pd.concat([county.schools[columns].assign(year=year) for year in years], ignore_index=True)
    return assign(pupils, times, county.schools, STANDARDS, school_years=standing, seat_schools=seat_schools(county))


def enlarged(county, addition):
    """The county with more rooms or beds at its first school, or with one more school."""
    what, more = addition
    schools = county.schools
    if what != "school":
        more = schools.assign(**{what: schools[what] + np.append(more, np.zeros(len(schools) - 1, int))})
    else:
        km, kind, rooms, beds = more
        row = schools.iloc[[-1]].assign(
            school_id="new", name="new", township_id="T1", kind=kind, last_grade=9 if kind == "nine_year" else 6, rooms=rooms, beds=beds
        )
        more = pd.concat([schools, row.set_geometry([at(km)], crs=CRS)], ignore_index=True)
    return dataclasses.replace(county, schools=check("schools", more))


def stops_mixing(county, addition):
    """Say whether a small school gets as many rooms as it has grades: each grade then has rooms of its own, which may hold fewer than a mix."""
    first = county.schools.iloc[0]
    return addition[0] == "rooms" and first["kind"] == "small_primary" and 0 < first["rooms"] < first["last_grade"] <= first["rooms"] + addition[1]


def never_worse(mine, other):
    """Say whether one list of levels is no worse than another, the earlier before the later."""
    return next((a < b for a, b in zip(mine, other, strict=True) if abs(a - b) > 1e-4), True)


def only_better(county, addition):
    """More rooms, beds or schools never make the levels of a plan worse, the first before the next: neither what is found nor its bounds."""
    assume(not stops_mixing(county, addition))
    pupils, more = project_pupils(county, STANDARDS, years=YEARS[1:]), enlarged(county, addition)
    times = times_of(more)
    # minutes to the others are the same without the new school
    ways = [times[times["to_id"].isin(c.schools["school_id"])] for c in (county, more)]
    before, after = (planned(c, pupils, way, years=YEARS[1:]).attrs["gap"] for c, way in zip((county, more), ways, strict=True))
    for year, levels in before.items():
        later = after[year]
        assert [level["name"] for level in later] == [level["name"] for level in levels]
        assert never_worse([level["bound"] for level in later], [level["objective"] for level in levels])
        # counties as small as these are searched to proof
        assert {level["status"] for level in (*levels, *later)} <= {"optimal"}
        assert never_worse([level["objective"] for level in later], [level["objective"] for level in levels])


def repeat_in_any_order(county, seed):
    """Shuffled rows and a second run give the same tables."""
    rng = np.random.default_rng(seed)
    pupils, times = project_pupils(county, STANDARDS, years=YEARS), times_of(county)
    found = assign(pupils, times, county.schools, STANDARDS)
    pdt.assert_frame_equal(assign(pupils, times, county.schools, STANDARDS), found)
    mixed = [frame.iloc[rng.permutation(len(frame))].reset_index(drop=True) for frame in (pupils, times, county.schools)]
    pdt.assert_frame_equal(assign(*mixed, STANDARDS), found)
    people = dataclasses.replace(county, population=county.population.iloc[rng.permutation(len(county.population))].reset_index(drop=True))
    pdt.assert_frame_equal(project_pupils(people, STANDARDS, years=YEARS), pupils)


def only_nearer(county, km):
    """A new school makes nobody's nearest farther; a new road makes nobody slower; another coordinate system changes no minute."""
    roads, villages, schools = county.roads, county.settlements, county.schools
    more = pd.concat([schools[["school_id", "geometry"]], gpd.GeoDataFrame({"school_id": ["new"]}, geometry=[at(km)], crs=CRS)], ignore_index=True)
    before = nearest(roads, villages, schools).set_index("from_id")["minutes"]
    after = nearest(roads, villages, more).set_index("from_id")["minutes"]
    assert (after.reindex(before.index) <= before + 1e-9).all()
    edge = roads.edges.iloc[[0]].assign(edge_id=10, from_node=0, to_node=10, length_m=10_000.0)
    lines = gpd.GeoSeries([*roads.edges.geometry, LineString([at(0), at(10)])], crs=CRS)
    wider = Roads(roads.nodes, pd.concat([roads.edges, edge], ignore_index=True).set_geometry(lines), CRS, roads.source)
    old = travel_times(roads, villages, schools).set_index(["from_id", "to_id"])["minutes"]
    new = travel_times(wider, villages, schools).set_index(["from_id", "to_id"])["minutes"]
    assert (new.reindex(old.index) <= old + 1e-6).all()
    there = travel_times(roads, villages.to_crs(4326), schools.to_crs(4490)).set_index(["from_id", "to_id"])["minutes"]
    assert there.index.equals(old.index) and np.allclose(there, old, atol=1e-3)


@QUICK
@given(counties())
def test_every_child_is_counted(county):
    conserve(county)


@QUICK
@given(counties(), st.integers(0, 99))
def test_neither_order_nor_run_changes_a_row(county, seed):
    repeat_in_any_order(county, seed)


@QUICK
@given(counties(), places_km)
def test_schools_and_roads_only_bring_nearer(county, km):
    only_nearer(county, km)


@QUICK
@given(planned_counties())
def test_assigned_without_a_place_and_away_are_all_children(county):
    all_of_them(county)


@QUICK
@given(planned_counties(), additions())
def test_more_rooms_beds_or_schools_make_no_plan_worse(county, addition):
    only_better(county, addition)


def test_lists_of_levels_are_compared_one_after_another():
    assert never_worse([1.0, 9.0], [2.0, 0.0]) and never_worse([1.0, 2.0], [1.0, 2.0]) and not never_worse([1.0, 3.0], [1.0, 2.0])


@pytest.mark.long
@LONG
@given(counties(), st.integers(0, 10_000), places_km)
def test_all_laws_of_stages_at_length(county, seed, km):
    conserve(county)
    repeat_in_any_order(county, seed)
    only_nearer(county, km)


@pytest.mark.long
@LONG
@given(planned_counties(), additions())
def test_laws_of_plans_at_length(county, addition):
    all_of_them(county)
    only_better(county, addition)


# --- readers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A county folder with a file of every kind; the sample's terrain and areas lie elsewhere, which is only said."""
    home = tmp_path_factory.mktemp("fuzz") / "county"
    write_county(make_paper(), home)
    shutil.copy(Path(__file__).parents[1] / "data" / "sample" / "terrain.tif", home / "terrain.tif")
    shutil.copy(Path(__file__).parents[1] / "data" / "sample" / "boundary.geojson", home / "boundary.geojson")
    (home / "births.csv").write_text("乡镇编码,年份,出生人数\nT1,2020,5\nT2,2021,7\n", encoding="utf-8")
    (home / "standards.toml").write_text('"privacy.small_count" = 12\n', encoding="utf-8")
    return home


NAMES = ["county.xlsx", "births.csv", "county.toml", "standards.toml", "boundary.geojson", "roads.gpkg", "terrain.tif"]


def is_read_or_refused(folder, name, data):
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "county"
        shutil.copytree(folder, home)
        (home / name).write_bytes(data.draw(changed_bytes((folder / name).read_bytes())))
        try:
            read_county(home)
        except CountyDataError as error:
            assert error.problems and all(p.line("zh") and p.line("en") for p in error.problems)


@pytest.mark.parametrize("name", NAMES)
@QUICK
@given(data=st.data())
def test_any_bytes_are_read_or_refused_in_words(folder, name, data):
    is_read_or_refused(folder, name, data)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
@LONG
@given(data=st.data())
def test_any_bytes_at_length(folder, name, data):
    is_read_or_refused(folder, name, data)


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    path = tmp_path_factory.mktemp("pbf") / "roads.osm.pbf"
    write_pbf(path, {1: (107.0, 26.0), 2: (107.01, 26.01), 3: (107.02, 26.0)}, {1: ([1, 2, 3], {"highway": "tertiary"})})
    return path.read_bytes()


@QUICK
@given(data=st.data())
def test_any_extract_is_read_or_refused_in_words(extract, data):
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "roads.osm.pbf"
        path.write_bytes(data.draw(changed_bytes(extract)))
        try:
            read_roads(path)
        except CountyDataError as error:
            assert error.problems[0].file == "roads.osm.pbf"
