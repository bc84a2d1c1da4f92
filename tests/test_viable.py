"""New schools keep the children they were opened for, as far as nobody loses anything that ranks before."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from test_catchment import STANDARDS, found, pupils_of, random_county, schools_of, times_of, years_of

from layout.catchment import assign
from layout.hindrances import cause_words, too_large, too_small
from layout.viable import below_least, least_of

KEPT = ("without_place", "beyond_limit", "above_standard")


def new_point(b_to_n, *, rooms=3, s_rooms=3):
    """N is a new teaching point for ten; A has 8 children near it, B 6 nearer to S."""
    times = times_of([("A", "N", "walk", "lower", 5.0), ("B", "N", "walk", "lower", b_to_n), ("B", "S", "walk", "lower", 10.0)])
    schools = schools_of([("N", "teaching_point", 1, 3, rooms, 0), ("S", "teaching_point", 1, 3, s_rooms, 0)])
    before = schools[schools["school_id"] == "S"]
    years = years_of(schools).assign(kind="teaching_point")
    return pupils_of([("A", 1, "home", 8), ("B", 1, "home", 6)]), times, schools, years, least_of(years, before, STANDARDS)


def levels_of(out):
    return {level["name"]: level["objective"] for level in out.attrs["gap"][2030]}


def test_the_new_school_is_filled_with_those_for_whom_it_is_no_farther_than_the_limit():
    """Two of B's walk 12 minutes to N instead of 10 to S: 8 x 5 + 4 x 10 + 2 x 12 = 104 minutes."""
    children, times, schools, years, least = new_point(12.0)
    free = assign(children, times, schools, STANDARDS, school_years=years)
    assert below_least(free, least)[["school_id", "pupils", "there"]].values.tolist() == [["N", 10.0, 8]]
    kept = assign(children, times, schools, STANDARDS, school_years=years, least=least)
    assert found(kept, "settlement_id", "school_id", "status", "pupils") == [
        ["A", "N", "served", 8], ["B", "N", "served", 2], ["B", "S", "served", 4]
    ]  # fmt: skip
    assert not len(below_least(kept, least))
    assert levels_of(kept)["minutes"] == pytest.approx(104) and levels_of(kept)["below_least"] == 0


def test_nobody_is_sent_beyond_the_limit_for_it_and_the_planner_is_told():
    children, times, schools, years, least = new_point(40.0)
    out = assign(children, times, schools, STANDARDS, school_years=years, least=least)
    assert_frame_equal(out, assign(children, times, schools, STANDARDS, school_years=years))
    assert levels_of(out)["below_least"] == 2 and out.attrs["gap"][2030][-1]["status"] == "search"
    (cause,) = too_small(out, years, schools[schools["school_id"] == "S"], {"N": "新校"}, STANDARDS)
    assert cause == ("below_least", {"school": "新校", "year": 2030, "there": 8, "least": 10, "mark": "unverified"})
    assert cause_words(cause, "zh").startswith("新设学校 新校 2030学年有学生 8 人，少于新设学校最少 10 人【待核实】；请论证")


def test_the_view_of_today_and_whole_villages_know_no_least():
    children, times, schools, years, least = new_point(12.0)
    for more in ({}, {"school_years": years, "whole_villages": True}):
        assert_frame_equal(assign(children, times, schools, STANDARDS, least=least, **more), assign(children, times, schools, STANDARDS, **more))


def test_a_new_school_is_not_filled_from_another_that_then_lacks():
    """M is new as well and has its ten, all of B: N stays at eight."""
    times = times_of([("A", "N", "walk", "lower", 5.0), ("B", "N", "walk", "lower", 12.0), ("B", "M", "walk", "lower", 10.0)])
    schools = schools_of([(s, "teaching_point", 1, 3, 3, 0) for s in "MN"])
    years = years_of(schools).assign(kind="teaching_point")
    least = least_of(years, schools.iloc[:0], STANDARDS)
    assert least["school_id"].tolist() == ["M", "N"]
    out = assign(pupils_of([("A", 1, "home", 8), ("B", 1, "home", 10)]), times, schools, STANDARDS, school_years=years, least=least)
    assert below_least(out, least)[["school_id", "there"]].values.tolist() == [["N", 8]]


def test_boarders_make_no_primary_school_but_a_junior_one():
    least = pd.DataFrame({
        "school_id": "N", "year": 2030, "first_grade": [1, 7], "last_grade": [6, 9], "by_day": [True, False], "pupils": [3.0, 3.0]
    })  # fmt: skip
    sent = pd.DataFrame({"school_id": "N", "year": 2030, "grade": [4, 5, 7, 8], "mode": ["board", "walk", "board", "walk"], "pupils": 2})
    assert below_least(sent, least)[["first_grade", "there"]].values.tolist() == [[1, 2]]


def test_a_school_of_today_has_no_least_and_a_nine_year_school_two():
    schools = schools_of([("S", "primary", 1, 6, 6, 0)])
    years = years_of(schools_of([("S", "primary", 1, 6, 6, 0), ("N", "nine_year", 1, 9, 9, 0), ("V", "small_primary", 1, 6, 3, 0)]))
    years = years.assign(kind=["primary", "nine_year", "small_primary"])
    table = least_of(years, schools, STANDARDS)
    assert table[["school_id", "first_grade", "last_grade", "by_day", "pupils"]].values.tolist() == [
        ["N", 1, 6, True, 120.0], ["N", 7, 9, False, 300.0], ["V", 1, 6, True, 50.0]
    ]  # fmt: skip
    assert table["rule"].tolist() == [f"layout.min_pupils.{r}" for r in ("primary", "junior", "small_primary")]


@pytest.mark.parametrize("seed", range(40))
def test_no_child_loses_its_place_its_limit_or_its_seat_for_a_new_school(seed):
    """Random counties, each school with a least near what it has: children are conserved, and no new school is worse off than without."""
    children, times, schools = random_county(seed)
    years = years_of(schools)
    plain = assign(children, times, schools, STANDARDS, school_years=years)
    rng = np.random.default_rng(seed)
    rolls = plain.groupby("school_id")["pupils"].sum()
    least = pd.DataFrame([
        {"school_id": s.school_id, "year": 2030, "first_grade": s.first_grade, "last_grade": s.last_grade, "by_day": bool(rng.random() < 0.5),
         "pupils": float(rolls.get(s.school_id, 0) + rng.integers(-3, 12))}
        for s in schools.itertuples()
    ])  # fmt: skip
    kept = assign(children, times, schools, STANDARDS, school_years=years, least=least)
    a, b = levels_of(plain), levels_of(kept)
    assert all(b[name] <= a[name] + 1e-6 for name in KEPT)
    assert kept["pupils"].sum() == plain["pupils"].sum()
    lacks = [(table["pupils"] - table["there"]).sum() for table in (below_least(plain, least), below_least(kept, least))]
    assert lacks[1] <= lacks[0] and b["below_least"] == pytest.approx(lacks[1])
    boarders = kept[kept["mode"] == "board"].groupby("school_id")["pupils"].sum()
    assert (boarders <= schools.set_index("school_id")["beds"].reindex(boarders.index)).all()


def test_the_random_counties_fill_some_school():
    """What the forty counties show would say nothing if no school were ever filled."""
    filled = 0
    for seed in range(40):
        children, times, schools = random_county(seed)
        years = years_of(schools)
        plain = assign(children, times, schools, STANDARDS, school_years=years)
        rolls = plain.groupby("school_id")["pupils"].sum()
        least = pd.DataFrame({
            "school_id": schools["school_id"], "year": 2030, "first_grade": schools["first_grade"], "last_grade": schools["last_grade"],
            "by_day": False, "pupils": [float(rolls.get(s, 0) + 2) for s in schools["school_id"]],
        }).head(1)  # fmt: skip
        kept = assign(children, times, schools, STANDARDS, school_years=years, least=least)
        filled += len(below_least(kept, least)) < len(below_least(plain, least))
    assert filled >= 5


def test_schools_above_their_largest_size_are_named():
    """110 children at a new small primary school of at most 99; as many at one that stands today, and 2,001 at a nine-year school, are none."""
    before = pd.DataFrame({"school_id": ["S", "Z"], "kind": ["small_primary", "nine_year"], "status": "open"})
    years = pd.DataFrame({"school_id": ["N", "S", "Z"], "kind": ["small_primary", "small_primary", ""], "year": 2030, "status": "open"})
    sent = pd.DataFrame(
        {"school_id": ["N", "N", "S", "Z", ""], "year": 2030, "grade": [1, 2, 1, 7, 1], "mode": "walk", "pupils": [60, 50, 110, 2001, 9]}
    )
    found = too_large(sent, years, before, {"N": "新校"}, STANDARDS)
    assert found == [("above_largest", {"school": "新校", "year": 2030, "there": 110, "most": 99, "mark": ""})]
    assert "99" in cause_words(found[0], "zh") and "110 pupils in 2030" in cause_words(found[0], "en")
    crowd = too_large(sent.assign(pupils=sent["pupils"] * 2), years, before, {}, STANDARDS)
    assert [(fields["school"], fields["most"]) for _, fields in crowd] == [("N", 99), ("Z", 2500)]
