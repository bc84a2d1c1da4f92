"""What lies in reach, against a naive count of random counties; moves within a stage and neighbours by hand."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box
from test_assignment_oracle import random_county
from test_catchment import LIMIT

from layout.in_reach import coverage, mid_stage_moves, minute_steps, overlap, settlement_adjacency, short_villages, zone_differences
from layout.standards import read_standards
from layout.tables import band_of, empty

STANDARDS = read_standards()


def day_ways(times, band, place):
    """Walk within the limit, else ride within it, else the quicker: minutes and whether beyond, by school."""
    out = {}
    for school, group in times[(times["from_id"] == place) & (times["band"] == band) & (times["mode"] != "week")].groupby("to_id"):
        minutes = dict(zip(group["mode"], group["minutes"], strict=True))
        kept = next((m for m in ("walk", "bus") if m in minutes and minutes[m] <= LIMIT[m, band]), None)
        out[school] = (minutes[kept], False) if kept else (min(minutes.values()), True)
    return out


def test_the_nearest_school_is_one_that_stands_in_the_year(paper):
    rows = pd.DataFrame({
        "settlement_id": "A", "year": [2026, 2030], "grade": 1, "attends": "home", "school_id": "", "mode": "", "status": "no_route", "pupils": 9,
        "minutes": float("nan"),
    })  # fmt: skip
    times = pd.DataFrame({"from_id": "A", "to_id": ["S1", "S2"], "mode": "walk", "band": "lower", "minutes": [28.0, 102.0], "minutes_back": 1.0})
    standing = pd.DataFrame({
        "school_id": ["S1", "S2", "S2"], "year": [2030, 2026, 2030], "status": "open", "first_grade": 1, "last_grade": [6, 9, 9], "rooms": 6, "beds": 0,
    })  # fmt: skip
    found = short_villages(rows, times, paper.schools, STANDARDS, view="planned", school_years=standing)
    assert found[["year", "nearest_id", "nearest_minutes"]].values.tolist() == [[2026, "S2", 102.0], [2030, "S1", 28.0]]


@pytest.mark.parametrize("seed", range(20))
def test_counts_against_a_naive_second_account(seed):
    pupils, times, schools, _ = random_county(seed)
    if not len(pupils):
        return
    places = pd.DataFrame({"settlement_id": sorted(set(pupils["settlement_id"])), "township_id": "T1"})
    covered, steps = coverage(pupils, times, schools, places, STANDARDS), minute_steps(pupils, times, schools, STANDARDS)
    shared = overlap(pupils, times, schools, STANDARDS)
    many, upto, here = {}, {}, {}
    for row in pupils.itertuples():
        band, n = band_of(row.grade), int(row.pupils)
        ways = day_ways(times, band, row.settlement_id)
        ways = {
            s: w
            for s, w in ways.items()
            if schools.set_index("school_id").loc[s, "first_grade"] <= row.grade <= schools.set_index("school_id").loc[s, "last_grade"]
        }
        near = [s for s, (_, beyond) in ways.items() if not beyond]
        many[band, min(len(near), 3)] = many.get((band, min(len(near), 3)), 0) + n
        least = min((m for m, _ in ways.values()), default=None)
        step = "no_way" if least is None else next((f"upto_{s:03d}" for s in (10, 20, 30, 40, 60, 90, 120) if least <= s), "over_120")
        upto[band, step] = upto.get((band, step), 0) + n
        for s in near:
            a, b = here.get((s, band), (0, 0))
            here[s, band] = (a + n, b + n * (len(near) > 1))
    names = dict(enumerate(["none", "one", "two", "more"]))
    for row in covered.itertuples():
        assert [getattr(row, names[k]) for k in range(4)] == [many.get((row.band, k), 0) for k in range(4)]
        assert row.none + row.one + row.two + row.more == row.pupils
    assert {(r.band, r.step): r.pupils for r in steps.itertuples()} == {k: n for k, n in upto.items() if n}
    assert {(r.school_id, r.band): (r.in_reach, r.shared) for r in shared.itertuples()} == here
    assert (shared["only_here"] + shared["shared"] == shared["in_reach"]).all()


def test_a_cohort_that_moves_is_named(paper):
    rows = pd.DataFrame(
        [("A", 2026, 3, "S1", 10), ("A", 2027, 4, "S1", 4), ("A", 2027, 4, "S2", 5), ("A", 2027, 1, "S2", 8), ("A", 2028, 5, "S2", 9), ("B", 2026, 6, "S1", 3),
         ("B", 2027, 7, "S2", 3)],
        columns=["settlement_id", "year", "grade", "school_id", "pupils"],
    ).assign(attends="home", mode="walk", status="served", minutes=9.0)  # fmt: skip
    found = mid_stage_moves(rows, paper.schools)
    # six leave S1, five of them for S2 (one has moved away); then the four that had stayed follow; B enters grade 7
    assert found[["year", "grade", "from_id", "to_id", "pupils", "lost_grade"]].values.tolist() == [
        [2027, 4, "S1", "S2", 5, False], [2028, 5, "S1", "S2", 4, False]
    ]  # fmt: skip
    # between plan years four years apart grade 1 of 2026 is grade 5 of 2030; grades 5 and 6 have entered grade 7 since, and grade 3 was not at school
    far = pd.DataFrame(
        [("A", 2026, 1, "S1", 10), ("A", 2026, 5, "S1", 7), ("A", 2030, 5, "S1", 8), ("A", 2030, 5, "S2", 2), ("A", 2030, 9, "S2", 7), ("A", 2030, 3, "S2", 9)],
        columns=["settlement_id", "year", "grade", "school_id", "pupils"],
    ).assign(attends="home", mode="walk", status="served", minutes=9.0)  # fmt: skip
    assert mid_stage_moves(far, paper.schools)[["year", "grade", "from_id", "to_id", "pupils"]].values.tolist() == [[2030, 5, "S1", "S2", 2]]
    assert not len(mid_stage_moves(empty("assignment"), paper.schools))


def test_neighbours_share_a_border_and_not_a_corner():
    shapes = {"A": box(0, 0, 10, 10), "B": box(10, 0, 20, 10), "C": box(20, 10, 30, 20), "D": box(0, 10, 10, 25)}
    areas = gpd.GeoDataFrame({"place_id": list(shapes)}, geometry=list(shapes.values()), crs="EPSG:4545")
    assert settlement_adjacency(areas).values.tolist() == [["A", "B", 10.0], ["A", "D", 10.0]]
    assert not len(settlement_adjacency(areas.iloc[:0]))


def test_zones_of_every_kind(paper):
    times = pd.DataFrame(
        [("A", "S1", 28.0), ("A", "S2", 102.0), ("B", "S1", 9.0), ("D", "S2", 18.0), ("D", "S1", 15.0), ("E", "S1", 140.0)],
        columns=["from_id", "to_id", "minutes"],
    ).assign(mode="walk", band="lower", minutes_back=1.0)  # fmt: skip
    pupils = pd.DataFrame({"settlement_id": list("ABDE"), "year": 2026, "grade": 1, "pupils": [5.0, 6.0, 7.0, 8.0]})
    zones = pd.DataFrame({"settlement_id": list("ABDE"), "band": "lower", "school_id": ["S2", "S1", "S2", "S2"]})
    found = zone_differences(zones, pupils, times, paper.schools, STANDARDS).set_index("settlement_id")
    assert found["difference"].to_dict() == {"A": "limit", "B": "same", "D": "nearer", "E": "no_way"}
    assert found["pupils"].to_dict() == {"A": 5, "B": 6, "D": 7, "E": 8} and np.isnan(found.loc["E", "zone_minutes"])
    closed = paper.schools.assign(status=["open", "closed"])
    assert zone_differences(zones, pupils, times, closed, STANDARDS).set_index("settlement_id").loc["A", "difference"] == "not_taught"
    assert not len(short_villages(empty("assignment"), times, paper.schools, STANDARDS, view="today"))
