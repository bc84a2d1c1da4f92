"""What reach depends on: speeds, buses, seasons, and roads that a scenario changes; how many buses a service needs."""

from __future__ import annotations

import dataclasses
import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import LineString, Point, mapping
from test_travel import make_roads, places, tilted

import layout
from conftest import CRS, EAST, NORTH, make_paper
from layout import open_ground
from layout.buses import bus_services
from layout.network import prepare_network
from layout.plan import county_times
from layout.road_edits import edits_of
from layout.scenario import Scenario, check_scenario, read_scenario
from layout.search import join_places
from layout.sensitivity import CASES, sensitivity, walking_speeds
from layout.standards import read_standards
from layout.tables import BANDS, CountyDataError
from layout.travel import travel_matrix, travel_times

STANDARDS = read_standards()


def teaching(*rows):
    return pd.DataFrame(rows, columns=["view", "year", "school_id", "first_grade", "last_grade"])


def test_cases_by_hand():
    # one school at the end of a road; children of grades 1-3 walk 3.24 km/h, so 1.62 km are half an hour
    roads = make_roads({0: (EAST, NORTH), 1: (EAST + 9000, NORTH)}, [{"from_node": 0, "to_node": 1, "highway": "tertiary"}])
    homes = places((EAST + 1300, NORTH), (EAST + 1500, NORTH), (EAST + 1800, NORTH), (EAST + 6000, NORTH), prefix="v")
    school = places((EAST, NORTH), prefix="s")
    network = prepare_network(roads)
    pupils = pd.DataFrame({"settlement_id": homes.id, "year": 2025, "grade": 1, "attends": "home", "pupils": [1.0, 2.0, 4.0, 8.0]})
    pupils = pd.concat([pupils, pupils.assign(grade=9), pupils.assign(attends="away")], ignore_index=True)
    joined = join_places(network, homes), join_places(network, school)
    found = sensitivity(pupils, *joined, teaching(("today", 2025, "s000", 1, 6)), STANDARDS, bus_schools=["s000"])
    got = {(r.band, r.case): (r.pupils, r.within) for r in found.itertuples()}
    # 5 km/h slower 2.74 -> 1.37 km, faster 3.74 -> 1.87 km, rain 0.9, ice 0.7; the bus takes 15 minutes and 8 more for 4 km at 40 km/h and 1.3
    assert got["lower", "no_bus"] == (15, 3) and got["lower", "base"] == (15, 15)
    assert got["junior", "base"] == (15, 0) and "upper" not in found.band.tolist()
    on_foot = sensitivity(pupils, *joined, teaching(("today", 2025, "s000", 1, 6)), STANDARDS)
    got = {r.case: r.within for r in on_foot[on_foot.band == "lower"].itertuples()}
    assert got == {"base": 3, "no_bus": 3, "slower": 1, "faster": 7, "brisk": 7, "rain": 1, "ice": 0}
    slow = sensitivity(pupils, *joined, teaching(("today", 2025, "s000", 1, 6)), STANDARDS, kph=walking_speeds(STANDARDS, "slow"))
    assert dict(zip(slow[slow.band == "lower"].case, slow[slow.band == "lower"].within, strict=True))["base"] == 1


def test_cases_against_the_table_of_times(paper):
    """For every case the same as counting the rows of the table of times under that speed and season."""
    schools = paper.schools.assign(school_bus=[True, False])
    ground = tilted(0.06, cells=500)
    network = prepare_network(paper.roads, terrain=ground)
    pupils = pd.DataFrame([
        {"settlement_id": s, "year": 2025, "grade": g, "attends": "home", "pupils": float(3 * i + g)}
        for i, s in enumerate(paper.settlements.settlement_id) for g in range(1, 10)
    ])  # fmt: skip
    rows = [("today", 2025, r.school_id, r.first_grade, r.last_grade) for r in schools.itertuples()]
    found = sensitivity(
        pupils, join_places(network, paper.settlements), join_places(network, schools), teaching(*rows), STANDARDS, bus_schools=["S1"]
    )
    assert set(found.case) == set(CASES)
    for case in CASES:
        prepared = prepare_network(paper.roads, terrain=ground, season=case if case in ("rain", "ice") else "dry")
        for band, grades in BANDS.items():
            kph = walking_speeds(STANDARDS, {"slower": "slow", "faster": "fast", "brisk": "brisk"}.get(case, "medium"))[band]
            times = travel_times(prepared, paper.settlements, schools, mode="walk", band=band, level_kph=kph).assign(
                limit=STANDARDS.limit("walk", band)
            )
            if case != "no_bus":
                bus = travel_times(prepared, paper.settlements, schools[schools.school_bus], mode="bus", band=band, level_kph=kph)
                times = pd.concat([times, bus.assign(limit=STANDARDS.limit("bus", band))])
            near = times[layout.judged_minutes(times, STANDARDS) <= times.limit]
            within = 0
            for r in pupils[pupils.grade.isin(grades)].itertuples():
                own = [s.school_id for s in schools.itertuples() if s.first_grade <= r.grade <= s.last_grade]
                within += r.pupils * bool(near[near.from_id == r.settlement_id].to_id.isin(own).any())
            row = found[(found.case == case) & (found.band == band)].iloc[0]
            assert (row.pupils, row.within) == (round(pupils[pupils.grade.isin(grades)].pupils.sum()), round(within)), (case, band)


def test_nobody_and_no_school():
    network = prepare_network(make_roads({0: (EAST, NORTH), 1: (EAST + 900, NORTH)}, [{"from_node": 0, "to_node": 1}]))
    homes, none = join_places(network, places((EAST, NORTH))), join_places(network, places())
    pupils = pd.DataFrame({"settlement_id": ["p000"], "year": 2025, "grade": 1, "attends": "home", "pupils": [1.0]})
    assert not len(sensitivity(pupils, homes, none, teaching(), STANDARDS))
    assert not len(sensitivity(pupils.iloc[:0], homes, homes, teaching(("today", 2025, "p000", 1, 6)), STANDARDS))


def test_buses_by_hand():
    rows = pd.DataFrame([
        {"school_id": "S1", "year": 2025, "mode": "bus", "pupils": 108}, {"school_id": "S1", "year": 2026, "mode": "bus", "pupils": 109},
        {"school_id": "S2", "year": 2025, "mode": "bus", "pupils": 7}, {"school_id": "S2", "year": 2026, "mode": "bus", "pupils": 8},
        {"school_id": "S2", "year": 2026, "mode": "walk", "pupils": 900}, {"school_id": "", "year": 2026, "mode": "none", "pupils": 9},
    ])  # fmt: skip
    # 54 children a bus and two runs
    assert bus_services(rows, STANDARDS).values.tolist() == [
        ["S1", 2025, True, 108, 54, 1, True], ["S1", 2026, True, 109, 54, 2, True],
        ["S2", 2025, True, 7, 54, 1, False], ["S2", 2026, True, 8, 54, 1, True],
    ]  # fmt: skip
    assert not len(bus_services(rows.iloc[4:], STANDARDS))
    schools = pd.DataFrame({"school_id": ["S1", "S2"], "status": "open", "school_bus": [True, False]})
    assert bus_services(rows, STANDARDS, schools=schools)["exists"].tolist() == [True, True, False, False]


def features(*items):
    collection = [{"type": "Feature", "properties": p, "geometry": mapping(gpd.GeoSeries([g], crs=CRS).to_crs(4326).iloc[0])} for p, g in items]
    return json.dumps({"type": "FeatureCollection", "features": collection})


def test_edits_drawn_on_a_map():
    roads = make_roads({i: (EAST + 1000 * i, NORTH) for i in range(4)}, [{"from_node": i, "to_node": i + 1} for i in range(3)])
    edits = edits_of(features(
        ({"action": "close"}, Point(EAST + 500, NORTH + 30)),
        ({"action": "speed", "kph": 20}, LineString([(EAST + 900, NORTH + 5), (EAST + 3000, NORTH + 5)])),
        ({"action": "new", "highway": "secondary"}, LineString([(EAST + 200, NORTH), (EAST + 200, NORTH + 900), (EAST + 2800, NORTH)])),
    ), roads)  # fmt: skip
    assert edits.closed == (0,) and edits.kph == {1: 20.0, 2: 20.0}
    assert edits.added.highway.tolist() == ["secondary"] and edits.added.length.iloc[0] == pytest.approx(900 + np.hypot(2600, 900), rel=1e-6)
    ends = places((EAST, NORTH)), places((EAST + 2500, NORTH), prefix="s")
    closed = travel_matrix(prepare_network(roads, mode="drive", edits=edits), *ends).minutes
    assert np.isfinite(closed).all() and closed[0, 0] > travel_matrix(prepare_network(roads, mode="drive"), *ends).minutes[0, 0]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("{no json", ["edits_unreadable"]),
        ('{"type": "FeatureCollection"}', ["edits_unreadable"]),
        (features(({"action": "blow up"}, Point(EAST, NORTH)), ({"action": "speed"}, Point(EAST, NORTH))), ["edits_feature"] * 2),
        (features(({"action": "new"}, Point(EAST, NORTH)), ({"action": "close"}, Point(EAST, NORTH + 60))), ["edits_feature", "edits_no_road"]),
    ],
)
def test_edits_that_are_none(text, keys):
    roads = make_roads({0: (EAST, NORTH), 1: (EAST + 900, NORTH)}, [{"from_node": 0, "to_node": 1}])
    with pytest.raises(CountyDataError) as told:
        edits_of(text, roads)
    assert [p.key for p in told.value.problems] == keys


def test_a_scenario_changes_the_minutes(paper, tmp_path):
    (tmp_path / "edits.geojson").write_text(features(({"action": "close"}, paper.roads.edges.geometry.iloc[4].centroid)), encoding="utf-8")
    (tmp_path / "wet.toml").write_text('season = "rain"\nwalking = "slow"\nbuses = "none"\nroad_edits = "edits.geojson"\n', encoding="utf-8")
    wet = read_scenario(tmp_path / "wet.toml")
    assert wet.season == "rain" and json.loads(wet.road_edits)["features"]
    schools = paper.schools.assign(school_bus=True)
    county = dataclasses.replace(paper, schools=schools)
    before, after = (county_times(county, STANDARDS, scenario=s) for s in (None, wet))
    assert (before["mode"] == "bus").any() and not (after["mode"] == "bus").any()
    assert len(after[after["mode"] == "walk"]) < len(before[before["mode"] == "walk"])
    both = before[(before["mode"] == "walk") & (before.band == "lower")].merge(after, on=["from_id", "to_id", "mode", "band"])
    # 3.24 km/h become 2.74, and rain leaves nine tenths of them
    assert (both.minutes_y / both.minutes_x).to_numpy() == pytest.approx(3.24 / (2.74 * 0.9), rel=1e-4)


@pytest.mark.parametrize(
    "text", ['season = "spring"', "walking = 3", 'buses = "many"', 'road_edits = "../edits.geojson"', 'road_edits = "none.geojson"']
)
def test_scenarios_that_are_none(tmp_path, text):
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CountyDataError) as told:
        read_scenario(tmp_path / "a.toml")
    assert [p.key for p in told.value.problems] == ["no_file" if "edits" in text else "bad_setting"]
    assert check_scenario(Scenario(season="ice")).season == "ice"


def test_a_plan_says_how_sure_its_reach_is():
    plan = layout.make_plan(make_paper(), to=2026)
    table = plan.sensitivity
    wide = table.pivot_table(index=["view", "year", "band"], columns="case", values="within")
    assert set(table["case"]) == set(CASES) and set(table["view"]) == {"today", "planned"}
    assert (
        (wide.no_bus <= wide.base).all() and (wide.slower <= wide.base).all() and (wide.base <= wide.faster).all() and (wide.base <= wide.brisk).all()
    )
    assert (wide.ice <= wide.rain).all() and (wide.rain <= wide.base).all()
    assert (table.within <= table.pupils).all()
    home = plan.pupils[plan.pupils["attends"] == "home"].groupby("year").pupils.sum()
    base = table[(table["view"] == "today") & (table.case == "base")].groupby("year").pupils.sum()
    assert base.to_numpy() == pytest.approx(home.to_numpy(), abs=3)


def test_a_new_road_takes_words_and_its_own_speed():
    roads = make_roads({i: (EAST + 1000 * i, NORTH) for i in range(3)}, [{"from_node": i, "to_node": i + 1} for i in range(2)])
    line = LineString([(EAST, NORTH), (EAST + 2000, NORTH + 10)])
    quick = edits_of(features(({"action": "new", "kph": 80, "bridge": "yes", "oneway": "no", "lanes": None, "highway": "tertiary"}, line)), roads)
    assert quick.added[["bridge", "oneway", "kph"]].values.tolist() == [[True, 0, 80.0]] and "lanes" not in quick.added
    ends = places((EAST, NORTH)), places((EAST + 2000, NORTH), prefix="s")
    old, new = (travel_matrix(prepare_network(roads, mode="drive", edits=e), *ends).minutes[0, 0] for e in (None, quick))
    assert old == pytest.approx(3.0) and new == pytest.approx(1.5, abs=0.05)
    for wrong in ({"oneway": "perhaps"}, {"walk": 7}, {"width_m": "wide"}, {"kph": -3}, {"kph": "fast"}):
        with pytest.raises(CountyDataError) as told:
            edits_of(features(({"action": "new", **wrong}, line)), roads)
        assert [p.key for p in told.value.problems] == ["edits_feature"], wrong
    short = '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": [[1, 2]]}}]}'
    for text in (short, short.replace("LineString", "Spiral")):
        with pytest.raises(CountyDataError) as told:
            edits_of(text, roads)
        assert [p.key for p in told.value.problems] == ["edits_unreadable"]


def test_scenarios_as_maps_and_old_offices_write_them(tmp_path):
    edits = {"type": "FeatureCollection", "features": [], "name": "新路"}
    (tmp_path / "map.json").write_text(json.dumps({"road_edits": edits}), encoding="utf-8")
    assert json.loads(read_scenario(tmp_path / "map.json").road_edits) == edits
    (tmp_path / "e.geojson").write_bytes(json.dumps(edits, ensure_ascii=False).encode("gb18030"))
    (tmp_path / "a.toml").write_text('road_edits = "e.geojson"', encoding="utf-8")
    assert json.loads(read_scenario(tmp_path / "a.toml").road_edits) == edits
    for odd in ("[" * 5000, "a\\u0000b"):
        (tmp_path / "a.toml").write_text(f'road_edits = "{odd}"', encoding="utf-8")
        with pytest.raises(CountyDataError) as told:
            read_scenario(tmp_path / "a.toml")
        assert [p.key for p in told.value.problems] == ["no_file"]


def test_a_bus_without_runs_is_no_standard(tmp_path):
    (tmp_path / "s.toml").write_text('"bus.runs" = 0\n"bus.attendants" = 56\n', encoding="utf-8")
    with pytest.raises(CountyDataError) as told:
        read_standards(tmp_path / "s.toml")
    assert [(p.key, p.column) for p in told.value.problems] == [("bad_standard", "bus.runs")]
    (tmp_path / "s.toml").write_text('"bus.attendants" = 56\n', encoding="utf-8")
    rows = pd.DataFrame({"school_id": ["S1"], "year": [2025], "mode": ["bus"], "pupils": [9]})
    assert bus_services(rows, read_standards(tmp_path / "s.toml")).buses.tolist() == [5]


def test_a_plan_under_a_scenario_says_so_everywhere(tmp_path):
    from openpyxl import load_workbook

    plan = layout.make_plan(make_paper(), to=2026, scenario=Scenario(name="雨季慢行", season="rain", walking="slow"))
    said = "情景“雨季慢行”，不是基准方案：季节：雨季；步速：每小时慢0.5公里。"
    layout.write_plan(plan, tmp_path)
    rows = [cell for row in load_workbook(tmp_path / "plan.xlsx")["说明"].iter_rows(values_only=True) for cell in row]
    assert said in rows
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "雨季慢行" in page and "season: rain; walking: slow" in page.replace("\\u0020", " ")
    assert not [key for key, _ in layout.make_plan(make_paper(), to=2026).county.notes if key == "note.scenario"]


def test_ground_that_was_searched_is_not_searched_again(monkeypatch):
    """Speeds and seasons ask for the same ways across open ground: they are searched once, and the answers are those of new searches."""
    # so steep that a way across may be quicker winding
    roads = make_roads({0: (EAST, NORTH), 1: (EAST + 9000, NORTH)}, [{"from_node": 0, "to_node": 1, "highway": "tertiary"}])
    ground = tilted(0.0, 0.6, cells=500)
    homes, school = places((EAST + 1300, NORTH + 300), (EAST + 1500, NORTH - 200), prefix="v"), places((EAST + 1400, NORTH - 300), prefix="s")
    pupils = pd.DataFrame({"settlement_id": homes.id, "year": 2025, "grade": 1, "attends": "home", "pupils": [1.0, 2.0]})
    searches = []
    real = open_ground._round_about
    monkeypatch.setattr(open_ground, "_round_about", lambda *a, **k: (searches.append(1), real(*a, **k))[1])

    def found():
        network = prepare_network(roads, terrain=ground)
        searches.clear()
        return sensitivity(pupils, join_places(network, homes), join_places(network, school), teaching(("today", 2025, "s000", 1, 6)), STANDARDS)

    kept = found()
    once = len(searches)
    monkeypatch.setattr(open_ground, "_kept_round_about", open_ground._round_about)
    pd.testing.assert_frame_equal(kept, found())
    assert 0 < once < len(searches) / 4, (once, len(searches))
