"""Places that cover children without a school: by hand, against every choice of as many, and by ways where they are known."""

import dataclasses
from itertools import combinations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import Point
from test_site_rules import place, roads_of, spot

from conftest import CRS, EAST, NORTH, make_paper
from layout.candidates import candidate_sites
from layout.site_cover import cover_sites, possible_sites
from layout.standards import read_standards
from layout.tables import check

STANDARDS = read_standards()
# 30 minutes x 3.24 km/h / 1.5
REACH_M = 1080.0


def lower(ids, pupils):
    return pd.DataFrame({"settlement_id": ids, "year": 2035, "grade": 1, "pupils": [float(p) for p in pupils]})


def test_a_junction_between_two_hamlets_covers_both():
    """Two hamlets 1.9 km apart along a road, a third 4 km off; a crossing half way. Eight children each side: alone none fills a teaching point."""
    county, _ = place([spot(-950, 0), spot(950, 0), spot(5000, 0)])
    roads = roads_of(("residential", "", np.nan, False, [(-950, 0), (0, 0)]), ("residential", "", np.nan, False, [(0, 0), (950, 0)]),
                     ("residential", "", np.nan, False, [(0, 0), (0, 900)]))  # fmt: skip
    county = dataclasses.replace(county, roads=roads)
    pupils = lower(["P00", "P01", "P02"], [8, 8, 9])
    found = cover_sites(county, pupils, STANDARDS)
    assert found[["school_id", "covered", "name"]].values.tolist() == [["J-1", 16.0, "P00路口"]]
    # P02 has nine: no teaching point; with eleven it is one of its own, with fifty there a second place would be looked for in vain
    assert cover_sites(county, lower(["P00", "P01", "P02"], [8, 8, 11]), STANDARDS)["school_id"].tolist() == ["J-1", "C-P02"]
    sites = candidate_sites(county, pupils, STANDARDS).sites
    assert sites[["school_id", "origin", "covered", "township_id"]].values.tolist() == [["J-1", "cover_point", 16.0, "T1"]]


def test_the_reach_is_that_of_the_limit_the_speed_and_the_factor():
    for metres, covered in ((REACH_M - 1, [10.0]), (REACH_M + 1, [])):
        county, _ = place([spot(0, 0), spot(metres, 0)])
        # five children each: together ten
        assert cover_sites(county, lower(["P00", "P01"], [5, 5]), STANDARDS)["covered"].tolist() == covered


def test_children_with_a_school_need_none_by_line_and_by_ways():
    paper = make_paper()
    schools = paper.schools.iloc[[0]].assign(school_id="O", last_grade=3)
    county, _ = place([spot(0, 0), spot(3000, 0)])
    open_ = check("schools", schools.set_geometry(gpd.GeoSeries([spot(0, 900)], index=schools.index, crs=CRS)))
    county = dataclasses.replace(county, schools=open_)
    pupils = lower(["P00", "P01"], [30, 30])
    assert cover_sites(county, pupils, STANDARDS)["school_id"].tolist() == ["C-P01"]
    # a gorge: the way to the school at 900 m takes 50 minutes, the one to P01's place 12, and none leads to P00's from P01
    ways = [("P00", "O", 50.0), ("P00", "C-P01", 12.0), ("P01", "C-P01", 0.0), ("P00", "C-P00", 0.0)]
    times = pd.DataFrame(ways, columns=["from_id", "to_id", "minutes"]).assign(mode="walk", band="lower", minutes_back=lambda t: t["minutes"])
    found = cover_sites(county, pupils, STANDARDS, times=check("times", times))
    assert found[["school_id", "covered"]].values.tolist() == [["C-P01", 60.0]]
    # a school that no way leads to serves nobody, however near it lies
    none = check("times", times[times["to_id"] != "O"])
    assert cover_sites(county, pupils, STANDARDS, times=none)["school_id"].tolist() == ["C-P01"]


def test_grades_that_the_school_near_by_does_not_teach_are_without_one():
    paper = make_paper()
    schools = paper.schools.iloc[[0]].assign(school_id="O", last_grade=3)
    county, _ = place([spot(0, 0)])
    county = dataclasses.replace(county, schools=check("schools", schools.set_geometry(gpd.GeoSeries([spot(0, 900)], index=schools.index, crs=CRS))))
    rows = [("P00", 2035, g, 10.0) for g in range(1, 7)]
    pupils = pd.DataFrame(rows, columns=["settlement_id", "year", "grade", "pupils"])
    # 60 children of primary age would fill a small primary school: the 30 of grades 4-6 count
    assert cover_sites(county, pupils, STANDARDS)["covered"].tolist() == [30.0]
    assert not len(cover_sites(county, pupils.assign(pupils=8.0), STANDARDS))  # 48 would not


def test_the_most_children_of_any_year_count_and_those_away_do_not():
    county, _ = place([spot(0, 0)])
    rows = [("P00", 2030, 1, "home", 6.0), ("P00", 2035, 1, "home", 11.0), ("P00", 2035, 2, "away", 50.0), ("P00", 2035, 3, "county_seat", 50.0)]
    pupils = pd.DataFrame(rows, columns=["settlement_id", "year", "grade", "attends", "pupils"])
    assert cover_sites(county, pupils, STANDARDS)["covered"].tolist() == [11.0]


def test_sites_already_listed_cover_and_large_groups_get_a_second_place():
    """Sixty children at P00 and a hamlet 700 m off: P00 is a populous village; a second place for sixty is worth a small primary school."""
    county, _ = place([spot(0, 0), spot(700, 0)])
    pupils = lower(["P00", "P01"], [60, 1])
    sites = candidate_sites(county, pupils, STANDARDS).sites
    assert sites[["school_id", "origin"]].values.tolist() == [["C-P00", "populous_village"], ["C-P01", "cover_point"]]
    sites = candidate_sites(county, lower(["P00", "P01"], [48, 1]), STANDARDS).sites
    assert sites["school_id"].tolist() == ["C-P00"]
    # the village lies in a danger zone: the second place stands
    from test_site_rules import excluded

    barred = dataclasses.replace(county, exclusions=excluded(("D", "地质灾害危险区", True, spot(0, 0).buffer(200))))
    found = candidate_sites(barred, pupils, STANDARDS)
    assert found.sites["school_id"].tolist() == ["C-P01"] and found.rejected["school_id"].tolist() == ["C-P00"]


@pytest.mark.parametrize("seed", range(4))
def test_the_first_round_is_within_the_bound_of_the_best_choice(seed):
    """Against every choice of as many places, counted village by village; here the places may stand anywhere, so the bound holds exactly."""
    rng = np.random.default_rng(seed)
    points = [spot(*rng.uniform(-2500, 2500, 2)) for _ in range(14)]
    county, _ = place(points)
    pupils = lower(county.settlements["settlement_id"], rng.integers(3, 16, 14))
    found = cover_sites(county, pupils, STANDARDS, apart_m=0.0)
    first = found[~found["covered"].lt(10) & (found["covered"].cumsum() <= pupils["pupils"].sum())]
    pool = possible_sites(county, pupils, STANDARDS)
    weight = dict(zip(pupils["settlement_id"], pupils["pupils"], strict=True))
    near = {
        s.school_id: {p for p, q in zip(county.settlements["settlement_id"], points, strict=True) if s.geometry.distance(q) <= REACH_M}
        for s in pool.itertuples()
    }  # fmt: skip
    near = {s: ids for s, ids in near.items() if sum(weight[i] for i in ids) >= 10}

    def total(chosen):
        return sum(weight[i] for i in set().union(*(near[s] for s in chosen)))

    greedy = total(first["school_id"])
    best = max(total(chosen) for chosen in combinations(sorted(near), len(first)))
    assert best >= greedy >= (1 - 1 / np.e) * best and len(first) >= 2
    assert greedy == first["covered"].sum()
    # nothing worth a teaching point is left
    left = set(weight) - set().union(*(near[s] for s in first["school_id"]))
    assert all(sum(weight[i] for i in ids & left) < 10 for ids in near.values())


def test_places_are_kept_apart_and_junctions_are_one_a_square():
    county, _ = place([Point(EAST, NORTH), Point(EAST + 200, NORTH)])
    assert cover_sites(county, lower(["P00", "P01"], [60, 60]), STANDARDS)["school_id"].tolist() == ["C-P00"]
    star = [("path", "", np.nan, False, [(x, 10), (x + 30 * np.cos(a), 10 + 30 * np.sin(a))]) for x in (10, 110, 910) for a in (0.1, 2.1, 4.2)]
    pool = possible_sites(dataclasses.replace(county, roads=roads_of(*star)), lower(["P00"], [60]), STANDARDS)
    assert [i for i in pool["school_id"] if i.startswith("J-")] == ["J-0", "J-8"]
    bridged = roads_of(*star)
    edges = bridged.edges.assign(bridge=[i < 3 for i in range(9)])
    pool = possible_sites(dataclasses.replace(county, roads=dataclasses.replace(bridged, edges=edges)), lower(["P00"], [60]), STANDARDS)
    assert [i for i in pool["school_id"] if i.startswith("J-")] == ["J-4", "J-8"]
