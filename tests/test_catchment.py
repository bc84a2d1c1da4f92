"""Who goes where: the paper county by hand, both views against a naive second implementation, and what always holds."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy.optimize import LinearConstraint, milp

from conftest import make_paper
from layout import catchment
from layout import children as ways_module
from layout.catchment import assign, headline, nearest_school
from layout.children import best_runs, ways_of, whole_children
from layout.standards import Standards, Step, read_standards
from layout.tables import band_of, check

STANDARDS = read_standards()
LIMIT = {("walk", "lower"): 30, ("walk", "upper"): 40, ("walk", "junior"): 40, ("bus", "lower"): 30, ("bus", "upper"): 40, ("bus", "junior"): 60}
BANDS = ("lower", "upper", "junior")


def pupils_of(rows, year=2030):
    return pd.DataFrame([(s, year, g, a, float(n)) for s, g, a, n in rows], columns=["settlement_id", "year", "grade", "attends", "pupils"])


def times_of(rows):
    return pd.DataFrame([(a, b, m, band, t, t) for a, b, m, band, t in rows], columns=["from_id", "to_id", "mode", "band", "minutes", "minutes_back"])


def schools_of(rows):
    names = ["school_id", "kind", "first_grade", "last_grade", "rooms", "beds"]
    return pd.DataFrame(rows, columns=names).assign(status="open")


def years_of(schools, year=2030):
    return schools[["school_id", "status", "first_grade", "last_grade", "rooms", "beds"]].assign(year=year)


def found(assignment, *columns):
    return assignment[list(columns)].values.tolist()


# ---- by hand


def test_mode_walk_first_then_bus_then_the_quicker():
    times = times_of([
        ("A", "S", "walk", "lower", 30.0), ("A", "S", "bus", "lower", 5.0),      # walks: within its limit, however quick the bus
        ("B", "S", "walk", "lower", 31.0), ("B", "S", "bus", "lower", 30.0),     # rides
        ("C", "S", "walk", "lower", 44.0), ("C", "S", "bus", "lower", 41.0),     # neither keeps it: the quicker, beyond
    ])  # fmt: skip
    schools = schools_of([("S", "primary", 1, 6, 6, 0)])
    out = assign(pupils_of([(v, 1, "home", 3) for v in "ABC"]), times, schools, STANDARDS)
    assert found(out, "settlement_id", "mode", "status", "minutes") == [
        ["A", "walk", "served", 30.0], ["B", "bus", "served", 30.0], ["C", "bus", "beyond_limit", 41.0]
    ]  # fmt: skip
    assert ways_of(times, STANDARDS)["excess"].tolist() == [0.0, 0.0, 11.0]


@pytest.mark.parametrize("seed", range(5))
def test_ways_of_some_settlements_at_a_time_are_those_of_all_at_once(seed, monkeypatch):
    times = random_county(seed)[1]
    shuffled = times.sample(frac=1.0, random_state=seed)
    whole = ways_of(times, STANDARDS)
    monkeypatch.setattr(ways_module, "_ROWS", 1)
    assert_frame_equal(ways_of(times, STANDARDS), whole)
    assert_frame_equal(ways_of(shuffled, STANDARDS), whole)
    assert_frame_equal(ways_of(times.iloc[:0], STANDARDS), whole.iloc[:0], check_dtype=False)


def test_the_slower_direction_is_judged():
    times = times_of([("A", "S", "walk", "lower", 20.0)]).assign(minutes_back=31.0)
    out = assign(pupils_of([("A", 1, "home", 3)]), times, schools_of([("S", "primary", 1, 6, 6, 0)]), STANDARDS)
    assert found(out, "status", "minutes") == [["beyond_limit", 31.0]]


def test_beds_go_where_they_save_most():
    """Six beds; eight children of A at 100 minutes and eight of B at 50 in grade 7, and eight of C in grade 1.

    Each bed takes one child within the limit, whoever it is; the excess is 60 minutes for A and 10 for B, so A boards.
    Grade 1 of C walks 100 minutes and may not board.
    """
    times = times_of([
        *((v, "S", "walk", "junior", t) for v, t in (("A", 100.0), ("B", 50.0))), *((v, "S", "week", "junior", 60.0) for v in "AB"),
        ("C", "S", "walk", "lower", 100.0), ("C", "S", "week", "lower", 60.0),
    ])  # fmt: skip
    out = assign(
        pupils_of([("A", 7, "home", 8), ("B", 7, "home", 8), ("C", 1, "home", 8)]), times, schools_of([("S", "nine_year", 1, 9, 9, 6)]), STANDARDS
    )
    assert found(out, "settlement_id", "mode", "status", "pupils") == [
        ["A", "board", "served", 6], ["A", "walk", "beyond_limit", 2], ["B", "walk", "beyond_limit", 8], ["C", "walk", "beyond_limit", 8]
    ]  # fmt: skip
    levels = {level["name"]: level["objective"] for level in out.attrs["gap"][2030]}
    # minutes: boarders 6 x 60 / 5 = 72, walkers 2 x 100 + 8 x 50 + 8 x 100 = 1400
    assert levels == pytest.approx({"without_place": 0, "beyond_limit": 18, "excess_minutes": 120 + 80 + 560, "boarders": 6, "minutes": 1472})


def test_a_day_place_within_the_limit_goes_before_a_bed():
    times = times_of([("A", "S", "walk", "junior", 40.0), ("A", "S", "week", "junior", 5.0)])
    out = assign(pupils_of([("A", 7, "home", 8)]), times, schools_of([("S", "junior", 7, 9, 3, 50)]), STANDARDS)
    assert found(out, "mode", "pupils") == [["walk", 8]]


def test_why_there_is_no_place():
    """N reaches nothing; B only the week to S, whose bed is taken by one of its two; F a school without its grade."""
    times = times_of([("B", "S", "week", "junior", 50.0), ("F", "P", "walk", "junior", 10.0), ("L", "S", "week", "junior", 121.0)])
    schools = schools_of([("P", "primary", 1, 6, 6, 0), ("S", "junior", 7, 9, 3, 1)])
    out = assign(pupils_of([(v, 8, "home", 2) for v in "BFLN"]), times, schools, STANDARDS)
    assert found(out, "settlement_id", "school_id", "status", "pupils") == [
        ["B", "", "no_bed", 1], ["B", "S", "served", 1], ["F", "", "no_route", 2], ["L", "", "no_route", 2], ["N", "", "no_route", 2]
    ]  # fmt: skip
    assert out["minutes"].isna().tolist() == [True, False, True, True, True]


def test_no_seat_only_in_the_planned_view():
    """One room of 30 for a teaching point of one grade: five of 35 children have no seat under a plan, and all have one today."""
    times, schools = times_of([("A", "S", "walk", "lower", 10.0)]), schools_of([("S", "teaching_point", 1, 1, 1, 0)])
    children = pupils_of([("A", 1, "home", 35)])
    assert found(assign(children, times, schools, STANDARDS), "status", "pupils") == [["served", 35]]
    planned = assign(children, times, schools, STANDARDS, school_years=years_of(schools))
    assert found(planned, "status", "pupils") == [["no_seat", 5], ["served", 30]]


def test_beds_free_but_seats_full_is_no_seat():
    times, schools = times_of([("A", "S", "week", "junior", 10.0)]), schools_of([("S", "junior", 7, 9, 3, 200)])
    out = assign(pupils_of([("A", 7, "home", 157)]), times, schools, STANDARDS, school_years=years_of(schools))
    assert found(out, "status", "pupils") == [["no_seat", 7], ["served", 150]], "three rooms of 50"


def test_free_beds_excuse_no_more_children_than_they_take():
    """S has one room (grade 7 at 50) and 55 beds, T no room and 3 beds; A's 70 children can only board, at S or T, B's 6 only at T.

    50 of A fill the room, five beds are free at S and three at T. Of the 26 without a place eight have a bed and lack a seat alone.
    """
    times = times_of([("A", "S", "week", "junior", 100.0), ("A", "T", "week", "junior", 100.0), ("B", "T", "week", "junior", 100.0)])
    schools = schools_of([("S", "junior", 7, 7, 1, 55), ("T", "junior", 7, 7, 0, 3)])
    out = assign(pupils_of([("A", 7, "home", 70), ("B", 7, "home", 6)]), times, schools, STANDARDS, school_years=years_of(schools))
    counts = out.groupby("status")["pupils"].sum().to_dict()
    assert counts == {"no_bed": 18, "no_seat": 8, "served": 50}
    assert out[out["status"] == "served"]["school_id"].tolist() == ["S"] and out.groupby("settlement_id")["pupils"].sum().tolist() == [70, 6]


def test_rooms_follow_the_fullest_grade():
    """Four rooms, three grades of 20, 50 and 30 at 45 a class: grade 2 takes the fourth room, and everybody has a seat."""
    times, schools = times_of([("A", "S", "walk", "lower", 10.0)]), schools_of([("S", "primary", 1, 3, 4, 0)])
    children = pupils_of([("A", 1, "home", 20), ("A", 2, "home", 50), ("A", 3, "home", 30)])
    out = assign(children, times, schools, STANDARDS, school_years=years_of(schools))
    assert out["status"].tolist() == ["served"] * 3
    # one room fewer: 5 of grade 2 stay out; parts of classes (20 + 50 + 30 <= 3 x 45) would have held all, whole ones cannot: that is proven
    fewer = schools.assign(rooms=3)
    short = assign(children, times, fewer, STANDARDS, school_years=years_of(fewer))
    assert found(short[short["status"] == "no_seat"], "grade", "pupils") == [[2, 5]]
    level = next(level for level in short.attrs["gap"][2030] if level["name"] == "above_standard")
    assert (level["objective"], level["bound"], level["gap"]) == pytest.approx((5, 5, 0))


def test_grades_taught_together():
    """Two rooms for three grades of 10, 12 and 25: grades 1-2 sit together (22), grade 3 alone (25).

    With 10, 25 and 25 no cut fits: 35 and 25, or 10 and 50.
    """
    assert best_runs({1: 10, 2: 12, 3: 25}, 2, STANDARDS) == ((1, 2), (3,))
    assert best_runs(dict.fromkeys(range(1, 7), 5), 2, STANDARDS) == ((1, 2, 3), (4, 5, 6)), "at most three grades together"
    assert best_runs(dict.fromkeys(range(1, 7), 5), 1, STANDARDS) == ((1, 2, 3, 4, 5, 6),), "one room can only hold them all"
    times, schools = times_of([("A", "S", "walk", "lower", 10.0)]), schools_of([("S", "teaching_point", 1, 3, 2, 0)])
    small = assign(
        pupils_of([("A", 1, "home", 10), ("A", 2, "home", 12), ("A", 3, "home", 25)]), times, schools, STANDARDS, school_years=years_of(schools)
    )
    assert set(small["status"]) == {"served"}
    full = assign(
        pupils_of([("A", 1, "home", 10), ("A", 2, "home", 25), ("A", 3, "home", 25)]), times, schools, STANDARDS, school_years=years_of(schools)
    )
    # 1-2 together leave 5 out, 2-3 together 20
    assert full.loc[full["status"] == "no_seat", "pupils"].sum() == 5


def test_a_full_school_with_fewer_rooms_than_grades_has_whole_classes_for_some():
    """Two rooms for three grades of 40: two grades get a class of 40 each, the third has no room here."""
    times, schools = times_of([("A", "S", "walk", "upper", 10.0)]), schools_of([("S", "primary", 4, 6, 2, 0)])
    out = assign(pupils_of([("A", g, "home", 40) for g in (4, 5, 6)]), times, schools, STANDARDS, school_years=years_of(schools))
    assert out.groupby("status")["pupils"].sum().to_dict() == {"no_seat": 40, "served": 80}
    assert out["pupils"].tolist() == [40, 40, 40], "a grade is here whole or not at all"


def chain_of_classes():
    """P has two rooms, Q, R and T one each, 45 seats a class; each village reaches its own school in 10 minutes and the next in 20.

    A (20 of grade 1, 20 of grade 2) reaches P alone, B (30 of grade 1) P and Q, C (40 of grade 2) Q and R, D (40 of grade 1) R and T. Parts of
    classes hold all at the nearest school, P with 70 / 45 of its two rooms. Whole ones hold 45 of the 50 of grade 1 there: five of B must go
    to Q, whose only room is then a class of grade 1, so C goes to R, and D to T. T is beyond the limit for B.
    """
    ways = [
        ("A", "P", 10.0),
        ("B", "P", 10.0),
        ("B", "Q", 20.0),
        ("B", "T", 45.0),
        ("C", "Q", 10.0),
        ("C", "R", 20.0),
        ("D", "R", 10.0),
        ("D", "T", 20.0),
    ]
    schools = schools_of([("P", "primary", 1, 2, 2, 0), *((s, "primary", 1, 2, 1, 0) for s in "QRT")])
    children = pupils_of([("A", 1, "home", 20), ("A", 2, "home", 20), ("B", 1, "home", 30), ("C", 2, "home", 40), ("D", 1, "home", 40)])
    return children, times_of([(v, s, "walk", "lower", m) for v, s, m in ways]), schools


CHAINED = [["A", "P", 20], ["A", "P", 20], ["B", "P", 25], ["B", "Q", 5], ["C", "R", 40], ["D", "T", 40]]


def test_classes_are_searched_along_the_chain_of_who_makes_room_for_whom(monkeypatch):
    children, times, schools = chain_of_classes()
    for proof in (catchment._PROOF, -1):
        monkeypatch.setattr(catchment, "_PROOF", proof)
        out = assign(children, times, schools, STANDARDS, school_years=years_of(schools))
        assert set(out["status"]) == {"served"} and found(out, "settlement_id", "school_id", "pupils") == CHAINED


def test_classes_that_another_placing_needs_are_formed_too(monkeypatch):
    """Nothing is searched here: alone five find no seat, with the children of the better placing at hand all do."""
    children, times, schools = chain_of_classes()
    monkeypatch.setattr(catchment, "_PROOF", -1)
    monkeypatch.setattr(catchment, "_SEARCH", -1)
    alone = assign(children, times, schools, STANDARDS, school_years=years_of(schools))
    assert alone.loc[alone["status"] != "served", ["status", "pupils"]].values.tolist() == [["no_seat", 5]]
    expected = pd.DataFrame(
        [("P", 1, 45.0), ("P", 2, 20.0), ("Q", 1, 5.0), ("R", 2, 40.0), ("T", 1, 40.0), ("elsewhere", 1, 9.0)],
        columns=["school_id", "grade", "pupils"],
    ).assign(year=2030)
    out = assign(children, times, schools, STANDARDS, school_years=years_of(schools), expected=expected)
    assert found(out, "settlement_id", "school_id", "pupils") == CHAINED
    # a worse placing does no harm
    worse = assign(children, times, schools, STANDARDS, school_years=years_of(schools), expected=expected.iloc[:1])
    assert_frame_equal(worse, alone)


def test_nobody_goes_beyond_the_limit_for_a_seat():
    """S is near and has a class of 45, T is 50 minutes away: of A's 50 five have no seat, and sit at S above the standard, not at T.

    B has U alone: of its 50 five have no seat, and all are beyond the limit, with 20 minutes each, which is what they are told.
    """
    times = times_of([("A", "S", "walk", "lower", 10.0), ("A", "T", "walk", "lower", 50.0), ("B", "U", "walk", "lower", 50.0)])
    schools = schools_of([(s, "primary", 1, 1, 1, 0) for s in "STU"])
    out = assign(pupils_of([(v, 1, "home", 50) for v in "AB"]), times, schools, STANDARDS, school_years=years_of(schools))
    assert found(out, "settlement_id", "school_id", "status", "pupils") == [
        ["A", "S", "no_seat", 5], ["A", "S", "served", 45], ["B", "U", "beyond_limit", 50]
    ]  # fmt: skip
    levels = {level["name"]: level["objective"] for level in out.attrs["gap"][2030]}
    assert list(levels.values())[:5] == pytest.approx([0, 50, 1000, 10, 0]) and list(levels)[3] == "above_standard"


def test_a_child_without_a_seat_takes_the_bed_that_keeps_it_within_the_limit():
    """A's 12 of grade 7 are too far from S by day; it has a room of 50, taken up to 45 by B, and 8 beds.

    Eight board and four go by day beyond the limit, whoever of all of them has a seat: seven have none.
    """
    times = times_of([("A", "S", "walk", "junior", 100.0), ("A", "S", "week", "junior", 50.0), ("B", "S", "walk", "junior", 10.0)])
    schools = schools_of([("S", "junior", 7, 7, 1, 8)])
    out = assign(pupils_of([("A", 7, "home", 12), ("B", 7, "home", 45)]), times, schools, STANDARDS, school_years=years_of(schools))
    levels = {level["name"]: level["objective"] for level in out.attrs["gap"][2030]}
    assert [levels[name] for name in ("without_place", "beyond_limit", "excess_minutes", "above_standard")] == pytest.approx([0, 4, 240, 7])
    assert set(out["school_id"]) == {"S"}, "all 57 sit there"
    assert out.groupby("mode", observed=True)["pupils"].sum().to_dict() == {"board": 8, "walk": 49}
    told = out.groupby("status", observed=True)["pupils"].sum()
    assert told["beyond_limit"] == 4 and told.sum() == 57 and 3 <= told["no_seat"] <= 7, "a child that is beyond its limit too is told that"
    assert not out.duplicated(["settlement_id", "grade", "school_id", "mode", "status"]).any()


def test_a_mixed_class_is_no_larger_than_the_lowered_standard_of_its_grades():
    """One room of a teaching point with 14 in grade 1 and 14 in grade 2: all 28 have seats, with a standard of 25 three have none."""
    times = times_of([("A", "T", "walk", "lower", 10.0)])
    schools = schools_of([("T", "teaching_point", 1, 3, 1, 0)])
    lower = Standards(STANDARDS.rules, (Step(2030, "primary_incomplete", 25, "all_grades"),))
    told = []
    for standards in (STANDARDS, lower):
        out = assign(pupils_of([("A", 1, "home", 14), ("A", 2, "home", 14)]), times, schools, standards, school_years=years_of(schools))
        assert out["pupils"].sum() == 28 and set(out["school_id"]) == {"T"}
        told.append(int(out.loc[out["status"] == "no_seat", "pupils"].sum()))
    assert told == [0, 3]


def test_whoever_finds_no_seat_in_the_county_seat_sits_where_rooms_are():
    """P has 2 rooms and Q has one, of 45 each: of 150 children 15 sit above the standard, 10 at P and 5 at Q."""
    schools = schools_of([("P", "primary", 1, 1, 2, 0), ("Q", "primary", 1, 1, 1, 0)])
    children = pupils_of([("A", 1, "county_seat", 150)])
    out = assign(children, times_of([]), schools, STANDARDS, school_years=years_of(schools), seat_schools=["P", "Q"])
    assert found(out, "school_id", "mode", "status", "pupils") == [
        ["P", "seat", "no_seat", 10], ["P", "seat", "served", 90], ["Q", "seat", "no_seat", 5], ["Q", "seat", "served", 45]
    ]  # fmt: skip


def test_children_of_the_county_seat():
    """Ten of grade 1 from A and five from B among P (12 rooms of 6 grades: 2 a grade) and Q (6 of 6: 1 a grade).

    That is 10 and 5, mixed over both villages.
    """
    schools = schools_of([("P", "primary", 1, 6, 12, 0), ("Q", "primary", 1, 6, 6, 0), ("T", "teaching_point", 1, 3, 3, 0)])
    children = pupils_of([("A", 1, "county_seat", 10), ("B", 1, "county_seat", 5), ("A", 8, "county_seat", 1), ("A", 2, "away", 4)])
    out = assign(children, times_of([]), schools, STANDARDS, seat_schools=["P", "Q", "T"])
    seat = out[out["mode"] == "seat"]
    assert seat.groupby("school_id")["pupils"].sum().to_dict() == {"P": 10, "Q": 5}, "a teaching point takes nobody from elsewhere"
    assert seat.groupby(["settlement_id", "school_id"])["pupils"].sum().to_dict() == {("A", "P"): 7, ("A", "Q"): 3, ("B", "P"): 3, ("B", "Q"): 2}
    assert seat["minutes"].isna().all() and set(seat["status"]) == {"served"}
    assert found(out[out["grade"] > 1], "grade", "mode", "status", "pupils") == [[2, "none", "away", 4], [8, "none", "no_route", 1]]
    planned = assign(children, times_of([]), schools.assign(rooms=6), STANDARDS, school_years=years_of(schools.assign(rooms=6)), seat_schools=["P"])
    assert planned[planned["grade"] == 1].groupby("status")["pupils"].sum().to_dict() == {"served": 15}
    many = pupils_of([("A", g, "county_seat", 50) for g in range(1, 7)])
    full = assign(many, times_of([]), schools.assign(rooms=6), STANDARDS, school_years=years_of(schools.assign(rooms=6)), seat_schools=["P"])
    assert full.groupby("status")["pupils"].sum().to_dict() == {"no_seat": 30, "served": 270}, "45 a class"


def test_closed_candidate_and_special_schools_take_nobody():
    times = times_of([("A", s, "walk", "lower", 5.0) for s in "PQRS"] + [("A", "T", "walk", "lower", 25.0)])
    schools = schools_of(
        [(s, "primary", 1, 6, 6, 0) for s in "PQ"] + [("R", "special", 1, 6, 6, 0), ("S", "primary", 4, 6, 6, 0), ("T", "primary", 1, 6, 6, 0)]
    )
    schools["status"] = ["closed", "candidate", "open", "open", "open"]
    assert found(assign(pupils_of([("A", 1, "home", 2)]), times, schools, STANDARDS), "school_id") == [["T"]]


def test_a_year_that_names_an_unknown_school_is_refused():
    schools = schools_of([("S", "primary", 1, 6, 6, 0)])
    with pytest.raises(ValueError, match="not among the schools: X"):
        assign(pupils_of([("A", 1, "home", 2)]), times_of([]), schools, STANDARDS, school_years=years_of(schools.assign(school_id="X")))


def test_whole_children_keep_the_total_of_a_grade():
    table = pupils_of([("A", 1, "home", 0.4), ("B", 1, "home", 0.4), ("C", 1, "home", 0.4), ("A", 2, "", 1.0)])
    assert found(whole_children(table), "settlement_id", "grade", "attends", "pupils") == [["A", 2, "home", 1], ["B", 1, "home", 1]]


def test_whole_children_keep_the_sum_of_neighbours():
    # twenty hamlets of half a child, twenty of three tenths: ten and six children, and not sixteen and none
    table = pupils_of([(f"{t}{i:02d}", 1, "home", n) for t, n in (("A", 0.5), ("B", 0.3)) for i in range(20)])
    whole = whole_children(table)
    assert whole.groupby(whole.settlement_id.str[0]).pupils.sum().to_dict() == {"A": 10, "B": 6}
    assert whole.pupils.max() == 1


def test_nearest_school_of_the_paper_county():
    """S1 at 1.5 km teaches 1-6, S2 at 7 km 1-9; 54, 60 and 66 metres a minute: B 500 m, C 1 km, D 1 km, E 2 km; juniors only S2."""
    paper = make_paper()
    rows = [
        (v, s, "walk", b, abs(x - y) * 1000 / m)
        for v, x in zip("ABCDE", (0, 1, 2.5, 6, 9), strict=True)
        for s, y in (("S1", 1.5), ("S2", 7))
        for b, m in zip(BANDS, (54, 60, 66), strict=True)
    ]
    times = times_of([r for r in rows if r[-1] <= 120])
    expected = pd.DataFrame(
        [("A", "S1", 1500), ("B", "S1", 500), ("C", "S1", 1000), ("D", "S2", 1000), ("E", "S2", 2000)], columns=["settlement_id", "school_id", "m"]
    )
    out = nearest_school(times, paper.schools, STANDARDS)
    lower = out[out["band"] == "lower"].reset_index(drop=True)
    want = expected.assign(band="lower", mode="walk", minutes=expected["m"] / 54)[["settlement_id", "band", "school_id", "mode", "minutes"]]
    assert_frame_equal(lower, want, check_dtype=False)
    junior = out[out["band"] == "junior"]
    assert junior["school_id"].tolist() == ["S2"] * 5 and junior["minutes"].round(1).tolist() == [106.1, 90.9, 68.2, 15.2, 30.3]
    assert not len(nearest_school(times, paper.schools.assign(status="closed"), STANDARDS))


def test_headline_counts_by_township_of_residence():
    paper = make_paper()
    times = times_of([("A", "S1", "walk", "lower", 20.0), ("D", "S2", "walk", "lower", 35.0)])
    out = assign(pupils_of([("A", 1, "home", 9), ("D", 1, "home", 4), ("E", 1, "home", 2), ("A", 1, "away", 3)]), times, paper.schools, STANDARDS)
    head = headline(out, paper.settlements, view="today")
    expected = check("headline", pd.DataFrame({
        "view": "today", "township_id": ["T1", "T2"], "year": 2030, "band": "lower", "pupils": [12, 6], "served": [9, 0], "beyond_limit": [0, 4],
        "no_seat": 0, "no_bed": 0, "no_route": [0, 2], "away": [3, 0],
    }))  # fmt: skip
    assert_frame_equal(head, expected)
    assert not len(headline(out.iloc[:0], paper.settlements, view="today"))
    with pytest.raises(ValueError, match="not known: A"):
        headline(out, paper.settlements[paper.settlements["settlement_id"] != "A"], view="today")


# ---- against a naive second implementation


def random_county(seed):
    rng = np.random.default_rng(seed)
    villages, count = [f"V{i}" for i in range(4)], int(rng.integers(2, 4))
    spans = [("primary", 1, 6), ("nine_year", 1, 9), ("junior", 7, 9), ("small_primary", 1, 6), ("teaching_point", 1, 3)]
    picks = [spans[i] for i in rng.integers(0, len(spans), count)]
    schools = schools_of(
        [(f"S{k}", kind, a, z, z - a + 1 + int(rng.integers(0, 2)), int(rng.integers(0, 6))) for k, (kind, a, z) in enumerate(picks)]
    )
    rows = []
    for v in villages:
        for s in schools["school_id"]:
            for b in BANDS:
                for mode, most in (("walk", 90), ("bus", 80), ("week", 150)):
                    if rng.random() < (0.7 if mode == "walk" else 0.3):
                        rows.append((v, s, mode, b, float(rng.integers(1, most))))
    grades = sorted(rng.choice(np.arange(1, 10), 3, replace=False))
    children = [(v, int(g), "home", float(rng.integers(0, 40))) for v in villages for g in grades]
    return pupils_of([c for c in children if c[-1]]), times_of(rows), schools


# without a place, beyond the limit, minutes over it, without a seat, boarders, minutes: where a column has them, in the order of the levels
TODAY, PLANNED = (2, 3, 4, 5, 6), (2, 3, 4, 7, 5, 6)


def naive_columns(children, times, schools, *, seats=False):
    """One column per demand, school and way, from the written rules and nothing else; where seats bind one more, on which a child takes none."""
    minutes = {(r.from_id, r.to_id, r.mode, r.band): r.minutes for r in times.itertuples()}
    columns = []
    for d, row in enumerate(children.itertuples()):
        band = band_of(row.grade)
        columns.append((d, None, 1, 0, 0.0, 0, 0.0, 0))
        for k, school in enumerate(schools.itertuples()):
            if not school.first_grade <= row.grade <= school.last_grade:
                continue
            walk, bus, week = (minutes.get((row.settlement_id, school.school_id, m, band)) for m in ("walk", "bus", "week"))
            if walk is not None and walk <= LIMIT["walk", band]:
                day, limit = walk, LIMIT["walk", band]
            elif bus is not None and bus <= LIMIT["bus", band]:
                day, limit = bus, LIMIT["bus", band]
            elif walk is not None and (bus is None or walk <= bus):
                day, limit = walk, LIMIT["walk", band]
            else:
                day, limit = bus, LIMIT["bus", band]
            if day is not None:
                columns.append((d, (k, row.grade, False), 0, int(day > limit), max(day - limit, 0.0), 0, day, 0))
                columns += [(d, None, 0, int(day > limit), max(day - limit, 0.0), 0, day, 1)] * seats
            if week is not None and week <= 120 and row.grade >= 4 and school.beds > 0:
                columns.append((d, (k, row.grade, True), 0, 0, 0.0, 1, week / 5, 0))
                # a bed all the same, above what the class of its grade holds
                columns += [(d, (k, 0, True), 0, 0, 0.0, 1, week / 5, 1)] * seats
    # under a plan grades 4 to 6 board only where no school of today is within the limit by day
    near = {d for d, _, none, late, _, boards, _, _ in columns if not (none or late or boards) and band_of(children["grade"].iloc[d]) == "upper"}
    return [c for c in columns if not (seats and c[5] and c[0] in near)]


def naive_levels(children, times, schools, *, seats):
    """Place whole children column by column, level after level, with a dense row for each level before; classes are whole columns too."""
    columns = naive_columns(children, times, schools, seats=seats)
    pairs = [(k, g) for k, s in enumerate(schools.itertuples()) for g in range(s.first_grade, s.last_grade + 1)] if seats else []
    n, rows, low, high = len(columns) + len(pairs), [], [], []

    def row(entries, at_least, at_most):
        line = np.zeros(n)
        for j, value in entries:
            line[j] += value
        rows.append(line)
        low.append(at_least)
        high.append(at_most)

    for d, total in enumerate(children["pupils"]):
        row([(j, 1) for j, c in enumerate(columns) if c[0] == d], total, total)
    for k, school in enumerate(schools.itertuples()):
        row([(j, 1) for j, c in enumerate(columns) if c[1] and c[1][0] == k and c[1][2]], 0, school.beds)
        if seats:
            row([(len(columns) + i, 1) for i, p in enumerate(pairs) if p[0] == k], 0, school.rooms)
    for i, (k, g) in enumerate(pairs):
        size = 30 if schools["kind"].iloc[k] in ("teaching_point", "small_primary") else 50 if g > 6 else 45
        row([*((j, 1) for j, c in enumerate(columns) if c[1] and c[1][:2] == (k, g)), (len(columns) + i, -size)], -np.inf, 0)
    values = []
    for level in PLANNED if seats else TODAY:
        costs = np.array([c[level] for c in columns] + [0] * len(pairs), float)
        answer = milp(
            costs, constraints=LinearConstraint(np.array(rows), low, high), bounds=(0, np.inf), integrality=np.ones(n), options={"mip_rel_gap": 0}
        )
        assert answer.success
        values.append(answer.fun)
        row(list(enumerate(costs)), -np.inf, answer.fun + 1e-6)
    return values


@pytest.mark.parametrize("seed", range(25))
def test_today_equals_the_naive_solver(seed):
    children, times, schools = random_county(seed)
    out = assign(children, times, schools, STANDARDS)
    assert [level["objective"] for level in out.attrs["gap"][2030]] == pytest.approx(naive_levels(children, times, schools, seats=False), abs=1e-3)


@pytest.mark.parametrize("seed", range(25))
def test_planned_is_never_better_than_the_naive_solver_and_states_the_gap(seed):
    """The naive solver chooses whole classes and whole children exactly; the stage rounds, and its bounds must hold."""
    children, times, schools = random_county(seed)
    out = assign(children, times, schools, STANDARDS, school_years=years_of(schools))
    exact = naive_levels(children, times, schools, seats=True)
    levels = out.attrs["gap"][2030]
    assert levels[0]["bound"] <= exact[0] + 1e-6 <= levels[0]["objective"] + 1e-3
    # no child loses its place or its limit to rounding
    assert [level["objective"] for level in levels[:4]] == pytest.approx(exact[:4], abs=1e-3)


# ---- what always holds


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_children_are_conserved_and_rules_are_kept(seed):
    children, times, schools = random_county(seed)
    extra = children.assign(attends="county_seat", pupils=children["pupils"] / 3)
    children = pd.concat([children, extra, extra.assign(attends="away")], ignore_index=True)
    total = whole_children(children)["pupils"].sum()
    for years in (None, years_of(schools)):
        out = assign(children, times, schools, STANDARDS, school_years=years, seat_schools=["S0"])
        assert out["pupils"].sum() == total and (out["pupils"] > 0).all()
        assert out.groupby("attends")["pupils"].sum().to_dict() == whole_children(children).groupby("attends")["pupils"].sum().to_dict()
        assert not len(out[(out["mode"] == "board") & (out["grade"] <= 3)])
        boarders = out[out["mode"] == "board"].groupby("school_id")["pupils"].sum()
        beds = schools.set_index("school_id")["beds"]
        assert (boarders <= beds.reindex(boarders.index)).all()
        if years is None:
            assert not (out["status"] == "no_seat").any() or not len(schools)
        else:
            crowded = next(level["objective"] for level in out.attrs["gap"][2030] if level["name"] == "above_standard") > 0.5
            seated = out[(out["school_id"] != "") & ((out["status"] == "served") | (not crowded))]
            classes = seated.groupby(["school_id", "grade"])["pupils"].sum()
            kind = schools.set_index("school_id")["kind"]
            needed = pd.Series(
                {(s, g): -(-n // (30 if kind[s] in ("teaching_point", "small_primary") else 50 if g > 6 else 45)) for (s, g), n in classes.items()},
                dtype=float,
            )
            if len(needed):
                needed = needed.groupby(level=0).sum()
                assert (needed <= schools.set_index("school_id")["rooms"].reindex(needed.index)).all()


def test_arguments_are_not_changed_and_answers_repeat():
    children, times, schools = random_county(1)
    copies = [children.copy(), times.copy(), schools.copy()]
    first = assign(children, times, schools, STANDARDS, school_years=years_of(schools))
    shuffled = assign(
        children.sample(frac=1, random_state=1), times.sample(frac=1, random_state=2), schools.iloc[::-1], STANDARDS, school_years=years_of(schools)
    )
    for before, after in zip(copies, (children, times, schools), strict=True):
        assert_frame_equal(before, after)
    assert_frame_equal(first, shuffled)


def test_the_hash_seed_does_not_matter():
    code = (
        "import sys; sys.path.insert(0, 'tests'); from test_catchment import *; c, t, s = random_county(5); "
        "print(assign(c, t, s, STANDARDS, school_years=years_of(s)).to_csv())"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."}).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(runs) == 1 and len(next(iter(runs))) > 100


def test_nothing_to_assign():
    out = assign(pupils_of([]), times_of([]), schools_of([]), STANDARDS)
    assert not len(out) and list(out.columns)[:3] == ["settlement_id", "year", "grade"]


# ---- zones of today


def zones_of(rows):
    return pd.DataFrame(rows, columns=["settlement_id", "band", "school_id"])


def test_a_zone_goes_before_the_nearest_school_where_a_day_way_leads_there():
    """S is 25 minutes away and the zone, T 10: today S; grade 4 is not taught at S, so T; under a plan T, and the change is counted."""
    times = times_of([("A", "S", "walk", b, 25.0) for b in ("lower", "upper")] + [("A", "T", "walk", b, 10.0) for b in ("lower", "upper")])
    schools = schools_of([("S", "small_primary", 1, 3, 3, 0), ("T", "primary", 1, 6, 6, 0)])
    zones = zones_of([("A", "lower", "S"), ("A", "upper", "S")])
    children = pupils_of([("A", 1, "home", 9), ("A", 4, "home", 8)])
    assert found(assign(children, times, schools, STANDARDS, zones=zones), "grade", "school_id") == [[1, "S"], [4, "T"]]
    planned = assign(children, times, schools, STANDARDS, school_years=years_of(schools), zones=zones)
    assert found(planned, "grade", "school_id") == [[1, "T"], [4, "T"]]
    levels = {level["name"]: level["objective"] for level in planned.attrs["gap"][2030]}
    assert list(levels)[-1] == "change" and levels["change"] == 17


def test_nobody_in_reach_is_refused_for_a_zone_of_beds():
    """The zone's school is reached by its one bed alone: one boards nowhere, all twenty walk to T."""
    times = times_of([("A", "S", "week", "upper", 60.0), ("A", "T", "walk", "upper", 10.0)])
    schools = schools_of([("S", "primary", 1, 6, 6, 1), ("T", "primary", 1, 6, 6, 0)])
    out = assign(pupils_of([("A", 5, "home", 20)]), times, schools, STANDARDS, zones=zones_of([("A", "upper", "S")]))
    assert found(out, "school_id", "mode", "pupils") == [["T", "walk", 20]]


def test_a_whole_village_leaves_a_zone_that_teaches_only_some_of_its_grades():
    times = times_of([("A", s, "walk", "upper", t) for s, t in (("S", 5.0), ("T", 10.0))])
    for first, last in ((1, 4), (5, 6)):
        schools = schools_of([("S", "small_primary", first, last, 4, 0), ("T", "primary", 1, 6, 6, 0)])
        children, zones = pupils_of([("A", 4, "home", 6), ("A", 5, "home", 8)]), zones_of([("A", "upper", "S")])
        out = assign(children, times, schools, STANDARDS, zones=zones, whole_villages=True)
        assert found(out, "grade", "school_id", "pupils") == [[4, "T", 6], [5, "T", 8]]
        assert {level["name"]: level["objective"] for level in out.attrs["gap"][2030]}["minutes"] == 140


def test_a_child_of_a_whole_village_without_a_bed_takes_no_seat():
    """S has one room of 50 and ten beds, no day way leads there: of A's 60 ten board and sit; 50 are without a place and above nothing."""
    times, schools = times_of([("A", "S", "week", "junior", 50.0)]), schools_of([("S", "junior", 7, 9, 1, 10)])
    out = assign(pupils_of([("A", 7, "home", 60)]), times, schools, STANDARDS, school_years=years_of(schools), whole_villages=True)
    assert found(out, "school_id", "status", "pupils") == [["", "no_bed", 50], ["S", "served", 10]]
    levels = {level["name"]: level["objective"] for level in out.attrs["gap"][2030]}
    assert (levels["without_place"], levels["above_standard"], levels["boarders"]) == (50, 0, 10)


def test_beds_without_a_day_way_go_to_grades_that_sit_together():
    """One room, 20 beds, five of grade 7 and twenty of grade 8: a class of grade 8 takes all beds, and nobody is above its seats."""
    times, schools = times_of([("A", "S", "week", "junior", 50.0)]), schools_of([("S", "junior", 7, 9, 1, 20)])
    children = pupils_of([("A", 7, "home", 5), ("A", 8, "home", 20)])
    out = assign(children, times, schools, STANDARDS, school_years=years_of(schools), whole_villages=True)
    assert found(out, "grade", "school_id", "pupils") == [[7, "", 5], [8, "S", 20]]
    assert {level["name"]: level["objective"] for level in out.attrs["gap"][2030]}["above_standard"] == 0


def test_nearest_school_without_times():
    assert not len(nearest_school(times_of([]), schools_of([("S", "primary", 1, 6, 6, 0)]), STANDARDS))


@pytest.mark.parametrize(("grade", "before", "away"), [(5, True, 0), (5, False, 10), (7, True, 10)])
def test_grades_four_to_six_board_only_where_no_school_of_today_is_near(grade, before, away):
    """S has one class of 45 (junior: 50) for 55 (60) children ten minutes off, T beds and seats: of grades 7-9 the rest boards, of 4-6 only where S is new."""
    band = band_of(grade)
    kind, first, last, size = ("primary", 1, 6, 45) if grade < 7 else ("junior", 7, 9, 50)
    times = times_of([("A", "S", "walk", band, 10.0), ("A", "T", "week", band, 60.0)])
    schools = schools_of([("S", kind, first, last, 1, 0), ("T", kind, first, last, 9, 20)])
    years = years_of(schools)
    given = schools if before else schools.assign(status=schools["status"].where(schools["school_id"] != "S", "candidate"))
    out = assign(pupils_of([("A", grade, "home", size + 10)]), times, given, STANDARDS, school_years=years)
    assert out.loc[out["mode"] == "board", "pupils"].sum() == away
    assert out.loc[out["status"] == "no_seat", "pupils"].sum() == 10 - away and set(out["school_id"]) <= {"S", "T"}
