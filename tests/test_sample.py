"""The fictional county: whole, repeatable, and of a shape that a planner would believe."""

import hashlib
import os
import subprocess
import sys

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from scipy.ndimage import map_coordinates
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely import LineString

from layout import sample_ground as ground
from layout.county import read_county
from layout.sample import CENSUS_YEAR, age_profile, make_sample_county
from layout.standards import read_standards
from layout.tables import band_of, check, schemas

TABLES = (
    "settlements", "townships", "schools", "rosters", "population", "births", "rates", "moves", "attendance", "zones",
    "exclusions", "history", "assumptions",
)  # fmt: skip
LIMIT_M = 1500.0  # radius of the standards within which a place is joined to a road


@pytest.fixture(scope="module")
def county():
    return make_sample_county()


@pytest.fixture(scope="module")
def quick():
    return make_sample_county(seed=3, settlements=60)


def fingerprint(county):
    digest = hashlib.sha256(county.terrain.elevation.tobytes())
    for name in TABLES:
        table = getattr(county, name)
        digest.update(table.to_csv(index=False).encode())
    for frame in (county.roads.nodes, county.roads.edges):
        digest.update(frame.to_csv(index=False).encode())
    digest.update(county.boundary.wkb)
    return digest.hexdigest()


def seat_of(county):
    return county.townships.loc[county.townships.is_county_seat, "township_id"].item()


def river_of(county):
    # the middle of the strip along the river
    return county.exclusions.set_index("layer").geometry.loc["河道管理范围"]


def heights(terrain, x, y):
    rows, columns = (terrain.north - y) / terrain.cell_y - 0.5, (x - terrain.west) / terrain.cell_x - 0.5
    return map_coordinates(terrain.elevation.astype(float), [rows, columns], order=1, mode="nearest")


def test_counts_of_the_usual_county(county):
    kinds = county.settlements.kind.value_counts()
    assert len(county.settlements) == 300 and len(county.townships) == 20
    assert kinds["county_seat"] >= 3 and kinds["town"] == 19 and kinds["relocation"] == 3
    assert 95 <= len(county.schools) <= 110
    assert 250_000 <= county.population.persons.sum() <= 300_000
    status = county.schools.status.value_counts()
    assert (status["candidate"], status["closed"]) == (2, 1)
    assert county.schools.name.str.contains("寄宿制").sum() == 2
    assert (county.schools.kind == "teaching_point").sum() >= 15
    assert (county.schools.owner == "private").sum() == 1
    assert county.schools.school_bus.sum() >= 2


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_canonical(county, name):
    table = getattr(county, name)
    pd.testing.assert_frame_equal(pd.DataFrame(check(name, table)), pd.DataFrame(table))
    assert set(schemas()[name].columns) == set(table.columns)


def test_names_and_ids_are_unique_and_refer_to_each_other(county):
    for table in (county.settlements, county.townships, county.schools):
        assert table.name.is_unique
    townships, settlements, schools = (set(t.iloc[:, 0]) for t in (county.townships, county.settlements, county.schools))
    assert set(county.settlements.township_id) == townships >= set(county.schools.township_id)
    named = [county.population.settlement_id, county.moves.from_id, county.moves.to_id, county.zones.settlement_id]
    assert set(pd.concat(named)) <= settlements
    assert set(county.rosters.school_id) | set(county.history.school_id) | set(county.zones.school_id) <= schools
    assert set(county.births.township_id) == set(county.attendance.township_id) == townships


def test_same_seed_same_county_another_seed_another(quick):
    assert fingerprint(make_sample_county(seed=3, settlements=60)) == fingerprint(quick)
    assert fingerprint(make_sample_county(seed=4, settlements=60)) != fingerprint(quick)


def test_the_shipped_folder_is_the_county_of_seed_0(request):
    """What a checkout reads from data/sample is what a wheel makes: the same tables, to the last bit of every position."""
    shipped, made = read_county(request.config.rootpath / "data" / "sample"), make_sample_county()
    for name in ("settlements", "townships", "schools", "rosters", "population", "births", "moves", "attendance", "zones", "history"):
        assert_frame_equal(getattr(shipped, name), getattr(made, name), obj=name)
    assert_frame_equal(shipped.roads.edges, made.roads.edges)
    assert (shipped.terrain.elevation == made.terrain.elevation).all()


def test_hash_seed_changes_nothing(request, quick):
    code = (
        "import sys; sys.path.insert(0, 'tests'); from test_sample import fingerprint; "
        "from layout.sample import make_sample_county; print(fingerprint(make_sample_county(seed=3, settlements=60)))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "4242", "PYTHONPATH": str(request.config.rootpath)}
    root = request.config.rootpath
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fingerprint(quick)


@pytest.mark.parametrize("settlements", [0, 39, 5001])
def test_refuses_counties_too_small_or_too_large(settlements):
    with pytest.raises(ValueError, match=f"40 to 5000, not {settlements}"):
        make_sample_county(settlements=settlements)


@pytest.mark.parametrize(("seed", "settlements"), [(5, 40), (6, 60), (7, 150)])
def test_any_seed_and_size_gives_a_whole_county(seed, settlements):
    county = make_sample_county(seed=seed, settlements=settlements)
    assert len(county.settlements) == settlements and county.settlements.name.is_unique and county.schools.name.is_unique
    opened = county.schools[county.schools.status == "open"]
    offered = {g for first, last in zip(opened.first_grade, opened.last_grade, strict=True) for g in range(first, last + 1)}
    assert offered == set(range(1, 10))
    assert opened.rooms.min() >= 1 and opened.distance(county.roads.edges.union_all()).max() < 1200


def test_ground_has_the_height_of_a_karst_county(county):
    height = county.terrain.elevation
    assert height.min() >= 450 and 1400 <= height.max() <= 1750
    np.testing.assert_array_equal(height, np.round(height))
    lon, lat = gpd.GeoSeries([county.boundary.centroid], crs=county.crs).to_crs(4326).iloc[0].coords[0]
    assert abs(lon - 107.5) < 0.1 and abs(lat - 26.5) < 0.1
    x, y = county.settlements.geometry.x, county.settlements.geometry.y
    assert np.isfinite(heights(county.terrain, x, y)).all() and county.settlements.within(county.boundary).all()


def test_only_bridges_cross_the_river(county):
    edges, strip = county.roads.edges, river_of(county)
    assert edges.bridge.sum() >= 4
    assert edges[edges.bridge].intersects(strip).all() and not edges[~edges.bridge].intersects(strip).any()
    # one span each: less than half a kilometre
    assert edges[edges.bridge].length_m.max() < 600


def test_roads_are_cut_at_junctions_and_tell_their_length(county):
    nodes, edges = county.roads.nodes.set_index("node_id"), county.roads.edges
    first, last = (np.array([line.coords[k] for line in edges.geometry]) for k in (0, -1))
    np.testing.assert_allclose(first, nodes.loc[edges.from_node].to_numpy(), atol=0.05)
    np.testing.assert_allclose(last, nodes.loc[edges.to_node].to_numpy(), atol=0.05)
    np.testing.assert_allclose(edges.length_m, edges.length, atol=0.06)
    assert (edges.from_node != edges.to_node).all() and edges.edge_id.tolist() == list(range(len(edges)))
    # a node where just two roads of one class meet exists only beside a bridge or where a loop was cut
    ends = pd.concat([edges[["from_node", "highway", "bridge"]].set_axis(["node", "highway", "bridge"], axis=1),
                      edges[["to_node", "highway", "bridge"]].set_axis(["node", "highway", "bridge"], axis=1)])  # fmt: skip
    plain = ends.groupby("node").agg(n=("highway", "size"), kinds=("highway", "nunique"), bridge=("bridge", "any"))
    assert ((plain.n == 2) & (plain.kinds == 1) & ~plain.bridge).sum() <= 3


def test_network_has_one_large_piece_some_islands_and_a_closed_road(county):
    nodes, edges = county.roads.nodes, county.roads.edges
    usable = edges[edges.walk]
    graph = coo_array((np.ones(len(usable)), (usable.from_node, usable.to_node)), shape=(len(nodes), len(nodes)))
    sizes = np.bincount(connected_components(graph, directed=False)[1])
    assert sizes.max() > 0.9 * len(nodes) and (sizes > 1).sum() == 3
    assert (~edges.walk).sum() >= 1 and not edges[~edges.walk].drive.any()
    assert not edges[edges.highway == "path"].drive.any()


def test_some_hamlets_are_far_from_any_road_and_every_school_is_near_one(county):
    roads = county.roads.edges.union_all()
    far = county.settlements[county.settlements.distance(roads) > LIMIT_M]
    assert 2 <= len(far) <= 8 and set(far.kind) == {"hamlet"}
    assert set(far.settlement_id) <= set(county.population.loc[county.population.persons > 0, "settlement_id"])
    drivable = county.roads.edges[county.roads.edges.drive].union_all()
    assert county.schools.distance(roads).max() < LIMIT_M
    assert county.schools.loc[county.schools.kind != "teaching_point"].distance(drivable).max() < LIMIT_M


def test_roads_follow_the_ground(county):
    terrain, edges = county.terrain, county.roads.edges
    for highway in ("primary", "tertiary"):
        lines = edges.loc[(edges.highway == highway) & ~edges.bridge, "geometry"]
        along = [line.segmentize(90) for line in lines]
        straight = [LineString([line.coords[0], line.coords[-1]]).segmentize(90) for line in lines if line.length > 500]
        road, direct = (np.concatenate([_gradients(terrain, line) for line in group]) for group in (along, straight))
        # gentle on the whole, and far fewer steep pieces than on the straight line between the same junctions
        assert np.median(road) < min(0.05, np.median(direct)) and np.quantile(road, 0.9) < 0.8 * np.quantile(direct, 0.9)


def _gradients(terrain, line):
    x, y = np.array(line.coords).T
    return np.abs(np.diff(heights(terrain, x, y))) / np.maximum(np.hypot(np.diff(x), np.diff(y)), 1)


def test_oversized_classes_stand_in_the_seat_only(county):
    standards = read_standards()
    township = county.rosters.school_id.map(county.schools.set_index("school_id").township_id)
    oversized = county.rosters.pupils >= standards["class_size.oversize.min"]
    assert set(township[oversized]) == {seat_of(county)}
    assert 20 <= oversized.sum() < (township == seat_of(county)).sum()
    assert 1 <= (county.rosters.pupils >= standards["class_size.super_oversize.min"]).sum() <= 40


def test_some_village_schools_are_hollow(county):
    pupils = county.rosters.groupby("school_id").pupils.sum()
    schools = county.schools[county.schools.status == "open"].assign(pupils=lambda s: s.school_id.map(pupils).fillna(0))
    assert (schools[schools.kind == "small_primary"].pupils < 100).all() and (schools.kind == "small_primary").sum() >= 3
    assert schools.loc[schools.kind == "teaching_point", "last_grade"].max() <= 4
    classes = schools.school_id.map(county.rosters.groupby("school_id").size()).fillna(0)
    assert (schools.rooms >= classes).all()
    assert (schools.boarders <= schools.beds).all() and (schools.beds > 300).sum() >= 2


def test_rolls_fit_the_children_who_live_there(county):
    # a naive count: of age a on the census day, the share whose birthday fell after 31 August was a-1 on the day of entry
    since = (county.base_date - county.base_date.replace(month=8, day=31)).days / 365
    count = county.population.groupby("age").persons.sum()
    shares = county.attendance[county.attendance.place == "out_of_county"].groupby("band").share.mean()
    roll = county.rosters.groupby("grade").pupils.sum()
    for grade in range(1, 10):
        there = ((1 - since) * count[grade + 5] + since * count[grade + 6]) * (1 - shares[band_of(grade)])
        assert roll[grade] == pytest.approx(there, rel=0.04)


def test_history_ends_in_the_rosters(county):
    last = county.history[county.history.year == county.base_year].set_index(["school_id", "grade"])[["pupils", "classes"]]
    now = county.rosters.groupby(["school_id", "grade"]).pupils.agg(pupils="sum", classes="size").astype(float)
    pd.testing.assert_frame_equal(last, now)
    assert county.history.year.min() == 2019
    closed = set(county.schools.loc[county.schools.status == "closed", "school_id"])
    of_closed = county.history[county.history.school_id.isin(closed)]
    assert set(of_closed.school_id) == closed and of_closed.year.max() < county.base_year


def test_moves_take_whom_there_is(county):
    people = county.population.groupby("settlement_id").persons.sum()
    kind = county.settlements.set_index("settlement_id").kind
    assert sorted(county.moves.year.unique()) == [2019, 2027, 2029]
    assert (kind[county.moves.to_id] == "relocation").all() and kind[county.moves.from_id].isin(["village", "hamlet"]).all()
    assert county.moves.from_id.is_unique
    coming = county.moves[county.moves.year > county.base_year]
    there = coming.from_id.map(people)
    whole = coming.whole_village & coming.persons.notna()
    pd.testing.assert_series_equal(coming.persons[whole], there[whole], check_names=False)
    assert (coming.persons[~coming.whole_village] < there[~coming.whole_village]).all()
    assert coming.persons.isna().sum() == 2 and coming.whole_village[coming.persons.isna()].all()
    # those who left in 2019 are gone from the villages and live at their site
    past = county.moves[county.moves.year == 2019]
    registered = county.population.groupby("settlement_id").registered.sum()
    assert past.from_id.map(people).fillna(0).sum() == 0 < past.from_id.map(registered).min()
    assert past.persons.sum() <= people[past.to_id.iloc[0]]
    assert people.reindex(coming.to_id).isna().all() or people.reindex(coming.to_id).sum() == 0


def test_shares_of_attendance_add_up(county):
    total = county.attendance.groupby(["township_id", "band"]).share.sum()
    assert len(total) == 60
    np.testing.assert_allclose(total, 1, atol=1e-9)
    own = county.attendance[(county.attendance.township_id == seat_of(county)) & (county.attendance.place == "county_seat")]
    assert (own.share == 0).all()


def test_births_run_below_the_age_list(county):
    births = county.births.groupby("year").births.sum()
    assert births.index.tolist() == list(range(2016, 2026))
    ages = county.population.groupby("age").persons.sum()
    ratio = births.loc[2016:2024].sum() / ages.loc[1:9].sum()
    assert 0.75 <= ratio <= 0.82
    assert county.population.registered.sum() > county.population.persons.sum()


def test_age_profile_keeps_the_groups_of_the_census():
    profile = age_profile()
    assert profile.age.max() == 90 and not profile.duplicated(["age", "sex"]).any() and (profile.persons > 0).all()
    # ages 5-9 and 10-14 of 2025 are ages 0-4 and 5-9 of 2020; adults keep the age groups of 2020 (facts of age_structure.csv)
    assert CENSUS_YEAR == 2020
    by_sex = profile.set_index(["sex", "age"]).persons
    assert by_sex["male"].loc[5:9].sum() == pytest.approx(2603 + 11342)
    assert by_sex["female"].loc[5:9].sum() == pytest.approx(2188 + 9778)
    assert by_sex["male"].loc[10:14].sum() == pytest.approx(15686)
    assert by_sex["male"].loc[30:34].sum() == pytest.approx(9157)
    assert by_sex["female"].loc[85:90].sum() == pytest.approx(1462)


def test_restricted_areas_and_zones(county):
    layers = county.exclusions.groupby("layer").hard.agg(["size", "all"])
    hard = {"地质灾害危险区": True, "地质灾害易发区": False, "永久基本农田": False, "河道管理范围": True}
    assert layers["all"].to_dict() == hard
    danger = county.exclusions[county.exclusions.layer == "地质灾害危险区"].union_all()
    assert county.settlements.within(danger).sum() >= 1 and not county.schools.within(danger).any()
    assert set(county.zones.band) == {"lower", "upper", "junior"}
    assert set(county.zones.school_id.map(county.schools.set_index("school_id").township_id)) == {seat_of(county)}


def test_chains_join_cells_between_junctions():
    # a fork: 1-2-3 with 3-4 and 3-5-6, and a bridge 6-7
    path, bridge = ("path", False), ("path", True)
    links = {(1, 2): path, (2, 3): path, (3, 4): path, (3, 5): path, (5, 6): path, (6, 7): bridge}
    chains = ground._chains(links)
    assert chains == [([1, 2, 3], path), ([3, 4], path), ([3, 5, 6], path), ([6, 7], bridge)]


def test_chains_cut_a_loop_at_its_middle():
    # a stalk 0-1 and a ring 1-2-3-4 back to 1
    links = dict.fromkeys([(0, 1), (1, 2), (2, 3), (3, 4), (1, 4)], ("path", False))
    chains = [chain for chain, _ in ground._chains(links)]
    assert chains == [[0, 1], [1, 2, 3], [3, 4, 1]]


@pytest.mark.slow
def test_the_largest_county():
    county = make_sample_county(seed=1, settlements=1500)
    assert len(county.settlements) == 1500 and county.settlements.name.is_unique and county.schools.name.is_unique
    assert 240 <= len(county.schools) <= 300
    assert not county.roads.edges[~county.roads.edges.bridge].intersects(river_of(county)).any()
