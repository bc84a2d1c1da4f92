"""Classes: tiers and bins at their bounds, room sharing, cohorts and mixed classes against brute force, rosters kept, targets."""

import dataclasses
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from layout.class_size import class_shares, class_sizes, class_targets, keep_classes, oversized_shares, share_rooms, size_bin, tier
from layout.standards import Standards, Step, read_standards
from layout.tables import check, empty

STANDARDS = read_standards()
NO_ROSTERS = empty("rosters")
COLUMNS = ["class_group", "grades", "pupils", "classes", "largest_class", "tier", "standard", "rooms_missing", "mixed"]


def assigned(*rows):
    """Make an assignment from (school, year, grade, pupils[, status, attends, mode])."""
    full = [(*r, *("served", "home", "walk")[len(r) - 4 :]) for r in rows]
    frame = pd.DataFrame(full, columns=["school_id", "year", "grade", "pupils", "status", "attends", "mode"])
    frame["settlement_id"] = [f"V{i}" for i in range(len(frame))]
    return check("assignment", frame)


def school(rooms, kind="primary", name="S"):
    return pd.DataFrame({"school_id": [name], "kind": [kind], "rooms": [rooms]})


def formed(pupils, rooms, kind="primary"):
    """Form the classes of one school from pupils by grade."""
    table = class_sizes(assigned(*[("S", 2030, g, n) for g, n in pupils.items()]), school(rooms, kind), NO_ROSTERS, STANDARDS)
    return table[COLUMNS]


def rows(*values):
    return pd.DataFrame(list(values), columns=COLUMNS)


# tiers


@pytest.mark.parametrize(
    ("largest", "standard", "expected"),
    [
        (1, 45, "small"), (25, 45, "small"), (26, 45, "normal"), (45, 45, "normal"), (46, 45, "elevated"), (50, 50, "normal"),
        (51, 50, "elevated"), (55, 45, "elevated"), (55, 50, "elevated"), (56, 45, "oversized"),
        (65, 50, "oversized"), (66, 50, "super"), (25, 20, "small"),
        (31, 30, "elevated"),
    ],
)  # fmt: skip
def test_tiers_at_their_bounds(largest, standard, expected):
    assert tier(largest, STANDARDS, standard=standard) == expected


def test_tier_takes_the_primary_standard_if_none_is_given():
    assert [tier(n, STANDARDS) for n in (45, 46)] == ["normal", "elevated"]


@pytest.mark.parametrize(
    ("size", "primary", "junior", "bin_"),
    [
        (25, "small", "small", "<=25"), (26, "normal", "normal", "26-30"), (45, "normal", "normal", "41-45"), (46, "elevated", "normal", "46-50"),
        (50, "elevated", "normal", "46-50"), (51, "elevated", "elevated", "51-55"), (55, "elevated", "elevated", "51-55"),
        (56, "oversized", "oversized", "56-60"), (65, "oversized", "oversized", "61-65"), (66, "super", "super", ">=66"),
    ],
)  # fmt: skip
def test_tier_and_official_bin_on_both_sides_of_every_bound(size, primary, junior, bin_):
    assert (tier(size, STANDARDS, standard=45), tier(size, STANDARDS, standard=50), size_bin(size, STANDARDS)) == (primary, junior, bin_)


def test_a_class_of_nobody_has_no_bin():
    assert [size_bin(n, STANDARDS) for n in (1, 30, 31, 35, 36, 40, 41, 60, 61, 200)] == [
        "<=25", "26-30", "31-35", "31-35", "36-40", "36-40", "41-45", "56-60", "61-65", ">=66",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="a class has at least one pupil, not 0"):
        size_bin(0, STANDARDS)


# worked by hand


def test_spare_rooms_go_to_the_largest_class():
    # 6 rooms, 4 grades: one each; then 100 -> 50+50; 100 is now 50, 95 is the largest -> 48+47: rooms used up; needed 3 + 3 + 1 + 1 = 8
    expected = rows(
        ("1", "1", 100, 2, 50, "elevated", 45, 1, False), ("2", "2", 95, 2, 48, "elevated", 45, 1, False),
        ("3", "3", 40, 1, 40, "normal", 45, 0, False), ("4", "4", 20, 1, 20, "small", 45, 0, False),
    )  # fmt: skip
    assert_frame_equal(formed({1: 100, 2: 95, 3: 40, 4: 20}, 6), expected)


def test_no_grade_gets_more_than_its_standard_asks_for():
    assert formed({1: 45, 2: 46}, 9).classes.tolist() == [1, 2]


def test_ties_go_to_the_lower_grade():
    assert formed({2: 60, 5: 60}, 3).classes.tolist() == [2, 1]


def test_junior_grades_have_their_own_standard():
    # 9 rooms of a nine-year school; 50 is within the junior standard, 46 is above the primary one
    expected = rows(("6", "6", 46, 2, 23, "small", 45, 0, False), ("7", "7", 50, 1, 50, "normal", 50, 0, False))
    assert_frame_equal(formed({6: 46, 7: 50}, 9, "nine_year"), expected)


def test_classes_are_even_and_the_oversized_are_counted():
    # 113 in two rooms: 57 + 56, both oversized; 111: 56 + 55, one; 200 in three: 67 + 67 + 66, all super
    for pupils, rooms, largest, oversized, super_ in ((113, 2, 57, 2, 0), (111, 2, 56, 1, 0), (200, 3, 67, 3, 3), (131, 2, 66, 2, 1)):
        row = class_sizes(assigned(("S", 2030, 1, pupils)), school(rooms), NO_ROSTERS, STANDARDS).iloc[0]
        assert (row.largest_class, row.oversized_classes, row.super_classes) == (largest, oversized, super_)
        assert row.class_size == pytest.approx(pupils / rooms)


def test_an_ordinary_school_with_too_few_rooms_keeps_a_class_a_grade():
    # 2 rooms, 3 grades, needed 1 + 2 + 1 = 4: the smallest grade (3) has no room, and grade 2 lacks its second class
    expected = rows(
        ("1", "1", 30, 1, 30, "normal", 45, 0, False), ("2", "2", 60, 1, 60, "oversized", 45, 1, False), ("3", "3", 10, 1, 10, "small", 45, 1, False),
    )  # fmt: skip
    assert_frame_equal(formed({1: 30, 2: 60, 3: 10}, 2), expected)


def test_a_teaching_point_teaches_neighbouring_grades_together():
    # 3 grades, 2 rooms, 8 + 9 + 20 = 37 is too many for one class: two runs, 8 + 9 | 20 (largest 20) rather than 8 | 29
    expected = rows(("1-2", "1,2", 17, 1, 17, "small", 30, 0, True), ("3", "3", 20, 1, 20, "small", 30, 0, False))
    assert_frame_equal(formed({1: 8, 2: 9, 3: 20}, 2, "teaching_point"), expected)
    # 15 in all fit into one class of three grades although there are two rooms: fewest runs
    assert formed({1: 5, 2: 5, 3: 5}, 2, "teaching_point").class_group.tolist() == ["1-3"]
    # enough rooms for every grade: nobody is mixed
    assert not formed({1: 5, 2: 5, 3: 5}, 3, "teaching_point").mixed.any()


def test_mixed_classes_that_the_rooms_do_not_allow_are_as_small_as_they_can_be():
    # 4 grades of 10 in one room break both bounds; three grades and 30 pupils a class would take 2 rooms
    assert_frame_equal(formed({1: 10, 2: 10, 3: 10, 4: 10}, 1, "small_primary"), rows(("1-4", "1,2,3,4", 40, 1, 40, "elevated", 30, 1, True)))
    # no room at all: one class and all its rooms missing
    assert formed({1: 4, 2: 4}, 0, "teaching_point").rooms_missing.tolist() == [1]
    # 25 | 20 | 25 in two rooms: 45 | 25 and 25 | 45 are alike, the earlier cut stands; 45 needs two classes of 30
    assert formed({1: 25, 2: 20, 3: 25}, 2, "teaching_point")[["class_group", "rooms_missing"]].values.tolist() == [["1", 0], ["2-3", 1]]


def test_a_grade_in_between_without_pupils_does_not_part_neighbours():
    assert formed({1: 5, 3: 6}, 1, "teaching_point")[["class_group", "grades"]].values.tolist() == [["1-3", "1,3"]]


def test_a_room_that_mixing_leaves_free_goes_to_a_crowded_grade_alone():
    # 3 rooms, 4 grades: 4 + 5 + 6 | 70 are the fewest runs; the third room divides the 70; standard 30: one more is missing
    table = formed({1: 4, 2: 5, 3: 6, 4: 70}, 3, "small_primary")
    assert table[["class_group", "classes", "largest_class", "rooms_missing"]].values.tolist() == [["1-3", 1, 15, 0], ["4", 2, 35, 1]]


def test_only_pupils_with_a_place_sit_in_a_class():
    table = class_sizes(
        assigned(("S", 2030, 1, 20), ("S", 2030, 1, 3, "beyond_limit"), ("S", 2030, 1, 4, "served", "county_seat", "seat"),
                 ("S", 2030, 1, 5, "served", "home", "board"), ("", 2030, 1, 7, "no_route", "home", "none"), ("", 2030, 1, 8, "away", "away", "none"),
                 ("S", 2030, 2, 0)),
        school(6), NO_ROSTERS, STANDARDS,
    )  # fmt: skip
    assert table[["class_group", "pupils"]].values.tolist() == [["1", 32]]


def test_rooms_of_a_year_go_before_those_of_today():
    school_years = check("school_years", pd.DataFrame(
        [("S", 2030, "open", 1, 6, 8, 0), ("N", 2030, "open", 1, 3, 3, 0), ("K", 2030, "open", 1, 6, 6, 0)],
        columns=["school_id", "year", "status", "first_grade", "last_grade", "rooms", "beds"],
    ))  # fmt: skip
    table = class_sizes(
        assigned(("S", 2029, 1, 90), ("S", 2030, 1, 90), ("N", 2030, 1, 40), ("K", 2030, 1, 40)),
        school(1),
        NO_ROSTERS,
        STANDARDS,
        school_years=school_years,
    )
    # S has one room in 2029 (as today) and eight in 2030; N, a new school up to grade 3, has the standard of an incomplete one, K not
    assert table.set_index(["school_id", "year"])[["classes", "standard"]].to_dict("index") == {
        ("K", 2030): {"classes": 1, "standard": 45}, ("N", 2030): {"classes": 2, "standard": 30},
        ("S", 2029): {"classes": 1, "standard": 45}, ("S", 2030): {"classes": 2, "standard": 45},
    }  # fmt: skip
    as_role = class_sizes(assigned(("K", 2030, 1, 40)), school(1), NO_ROSTERS, STANDARDS, school_years=school_years.assign(kind="small_primary"))
    assert as_role.standard.tolist() == [30]


def test_rosters_are_kept_in_the_base_year_only(paper):
    # S1 is rostered with 30 in each of grades 1-6; the assignment sends it 7 in grade 1 of both years
    both = assigned(("S1", 2025, 1, 7), ("S1", 2026, 1, 7))
    table = class_sizes(both, paper.schools, paper.rosters, STANDARDS, base_year=2025)
    expected = pd.DataFrame(
        [("S1", 2025, str(g), 30, "normal", 0) for g in range(1, 7)] + [("S1", 2026, "1", 7, "small", 0)]
        # S2: 26 a grade in 1-6 and 56 in 7-9; 9 rooms, but 56 > 50 needs two classes each: three rooms are missing
        + [("S2", 2025, str(g), 26, "normal", 0) for g in range(1, 7)] + [("S2", 2025, str(g), 56, "oversized", 1) for g in range(7, 10)],
        columns=["school_id", "year", "class_group", "pupils", "tier", "rooms_missing"],
    )  # fmt: skip
    assert_frame_equal(table[expected.columns], expected)
    # neither without a base year nor when the assignment does not have it
    assert class_sizes(both, paper.schools, paper.rosters, STANDARDS).pupils.tolist() == [7, 7]
    assert class_sizes(both, paper.schools, paper.rosters, STANDARDS, base_year=2024).pupils.tolist() == [7, 7]


def test_tier_of_a_roster_is_that_of_its_largest_class():
    rosters = check("rosters", pd.DataFrame([("S", 1, 1, 20), ("S", 1, 2, 58), ("S", 1, 3, 0)], columns=["school_id", "grade", "class_no", "pupils"]))
    table = class_sizes(assigned(("S", 2025, 1, 1)), school(5), rosters, STANDARDS, base_year=2025)
    row = table.iloc[0]
    # 78 pupils in two classes: 39 on average, but one class of 58; rooms are not what is missing
    assert (row.pupils, row.classes, row.class_size, row.largest_class, row.oversized_classes, row.tier, row.rooms_missing) == (
        78,
        2,
        39.0,
        58,
        1,
        "oversized",
        0,
    )


def test_unknown_schools_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="pupils are assigned to 'X', which is not among the schools"):
        class_sizes(assigned(("X", 2030, 1, 5)), school(5), NO_ROSTERS, STANDARDS)


def test_nobody_gives_an_empty_table():
    assert_frame_equal(class_sizes(assigned(("S", 2030, 1, 0)), school(5), NO_ROSTERS, STANDARDS), empty("classes"))


def test_shares_of_oversized_classes(paper):
    table = class_sizes(
        assigned(("S1", 2025, 1, 7), ("S1", 2026, 1, 140), ("S1", 2026, 2, 10)), paper.schools, paper.rosters, STANDARDS, base_year=2025
    )
    # 2025: 15 rostered classes, 3 of 56; 2026: 140 in four rooms of 35, and one class of 10
    expected = pd.DataFrame(
        {"year": [2025, 2026], "classes": [15, 5], "oversized": [3, 0], "super": [0, 0],
         "oversized_share": [0.2, 0.0], "super_share": [0.0, 0.0], "share_max": 0.0}
    )  # fmt: skip
    assert_frame_equal(oversized_shares(table, paper.schools, STANDARDS), expected)
    points = paper.schools.assign(kind=["teaching_point", "nine_year"])
    assert oversized_shares(table, points, STANDARDS, teaching_points=False).oversized_share.tolist() == [3 / 9]


# cohorts


def followed(*years, rooms=9, kind="primary", rosters=NO_ROSTERS, base_year=None, standards=STANDARDS):
    """Form the classes of one school from a dict of pupils by grade a year, from 2026 on; None leaves a year out."""
    pupils = [("S", 2026 + i, g, n) for i, year in enumerate(years) if year is not None for g, n in year.items()]
    return class_sizes(assigned(*pupils), school(rooms, kind), rosters, standards, base_year=base_year)


def counts(table):
    return {(year, group): n for year, group, n in zip(table["year"], table["class_group"], table["classes"], strict=True)}


def test_a_cohort_keeps_its_classes_and_spreads_its_children_anew():
    # 88 enter in two classes; 80 and then 44 are left, for whom one class would do, but there are rooms; 91 next year need a third
    table = followed({1: 88}, {2: 80}, {3: 44}, {4: 91})
    assert table[["class_group", "classes", "largest_class"]].values.tolist() == [["1", 2, 44], ["2", 2, 40], ["3", 2, 22], ["4", 3, 31]]
    # formed anew, the 44 would be one class
    assert followed(None, None, {3: 44}).classes.tolist() == [1]


def test_entry_grades_are_formed_anew():
    # grade 7 enters from many schools: the two classes of grade 6 do not go on; nor does a year that is missing between
    assert counts(followed({6: 60}, {7: 50}, kind="nine_year")) == {(2026, "6"): 2, (2027, "7"): 1}
    assert counts(followed({1: 60}, None, {3: 40})) == {(2026, "1"): 2, (2028, "3"): 1}
    # a grade that the school did not teach the year before
    assert counts(followed({1: 60}, {2: 40, 4: 30})) == {(2026, "1"): 2, (2027, "2"): 2, (2027, "4"): 1}


def test_a_class_without_children_disappears():
    assert counts(followed({1: 100}, {2: 2}, {3: 1})) == {(2026, "1"): 3, (2027, "2"): 2, (2028, "3"): 1}
    assert counts(followed({1: 100}, {1: 5})) == {(2026, "1"): 3, (2027, "1"): 1}


def test_classes_merge_where_there_are_fewer_rooms_than_classes():
    # 2026: 50 + 60 in 2 + 2; 2027: with a new grade 1, five classes and four rooms: 40 in one stay smaller than 55 in one
    assert counts(followed({1: 50, 2: 60}, {1: 30, 2: 40, 3: 55}, rooms=4)) == {
        (2026, "1"): 2, (2026, "2"): 2, (2027, "1"): 1, (2027, "2"): 1, (2027, "3"): 2,
    }  # fmt: skip


def test_classes_merge_for_a_grade_above_its_standard_only_if_fewer_suffice():
    # four rooms hold 2 + 2 (entry of 70 and 40 of a cohort that had two): no need to merge; three rooms: the 40 give theirs up
    assert counts(followed({1: 60}, {1: 70, 2: 40}, rooms=4)) == {(2026, "1"): 2, (2027, "1"): 2, (2027, "2"): 2}
    assert counts(followed({1: 60}, {1: 70, 2: 40}, rooms=3)) == {(2026, "1"): 2, (2027, "1"): 2, (2027, "2"): 1}
    # 50 need their two classes, so the 70 stay together and a room is missing
    table = followed({1: 60}, {1: 70, 2: 50}, rooms=3)
    assert table.loc[table["year"] == 2027, ["class_group", "classes", "rooms_missing"]].values.tolist() == [["1", 1, 1], ["2", 2, 0]]
    # nobody is above the standard: nobody is merged, though fewer would suffice
    assert counts(followed({1: 60}, {1: 40, 2: 40}, rooms=3)) == {(2026, "1"): 2, (2027, "1"): 1, (2027, "2"): 2}


def test_real_classes_move_up_after_the_base_year():
    rosters = check(
        "rosters", pd.DataFrame([("S", 1, 1, 20), ("S", 1, 2, 24), ("S", 2, 1, 58)], columns=["school_id", "grade", "class_no", "pupils"])
    )
    table = followed({1: 9}, {1: 30, 2: 43, 3: 45}, rosters=rosters, base_year=2026)
    # the two small classes go on as 22 + 21; the single one holds 45 and is at the standard
    assert table[["year", "class_group", "classes", "largest_class"]].values.tolist() == [
        [2026, "1", 2, 24], [2026, "2", 1, 58], [2027, "1", 1, 30], [2027, "2", 2, 22], [2027, "3", 1, 45],
    ]  # fmt: skip
    # without the base year the rosters are no start
    assert counts(followed({1: 9}, {1: 30, 2: 43, 3: 45}, rosters=rosters))[2027, "2"] == 1


def test_a_mixed_class_is_no_cohort():
    # 2026: 3 grades in 2 rooms, 8 + 9 | 20; 2027: grade 3 comes out of the mixed class, 25 + 6 is too many for a mixed class
    table = followed({1: 8, 2: 9, 3: 20}, {2: 6, 3: 50, 4: 20}, rooms=2, kind="small_primary")
    assert table.loc[table["year"] == 2027, ["class_group", "classes"]].values.tolist() == [["2-3", 1], ["4", 1]]
    # with rooms enough the grades are taught alone: 50 above 30 takes two classes, formed anew
    assert counts(followed({1: 8, 2: 9}, {2: 8, 3: 50}, rooms=1, kind="small_primary"))[2026, "1-2"] == 1


def test_a_dated_schedule_binds_the_classes_of_its_years():
    """From 2027 on those who enter grade 1 get classes of at most 40: 45 enter in one class in 2026, in two from 2027."""
    lowered = Standards(STANDARDS.rules, (Step(2027, "primary", 40),))
    table = followed({1: 45}, {1: 45, 2: 45}, {1: 40, 2: 45, 3: 45}, standards=lowered)
    assert table[["year", "class_group", "classes", "standard"]].values.tolist() == [
        [2026, "1", 1, 45], [2027, "1", 2, 40], [2027, "2", 1, 45], [2028, "1", 1, 40], [2028, "2", 2, 40], [2028, "3", 1, 45],
    ]  # fmt: skip
    at_once = Standards(STANDARDS.rules, (Step(2027, "primary", 40, "all_grades"),))
    # a cohort in the middle of its stage is parted too, if a room is free
    assert counts(followed({1: 45}, {2: 45}, standards=at_once))[2027, "2"] == 2
    assert counts(followed({1: 45}, {2: 45}, rooms=1, standards=at_once))[2027, "2"] == 1


grown = st.lists(st.lists(st.integers(0, 130), min_size=9, max_size=9), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(grown, st.integers(1, 26))
def test_cohorts_against_a_naive_second_account(years, rooms):
    """Lists of children's classes, moved by hand: the smallest merge, the fullest part, one room at a time."""
    table = followed(*[{g: n for g, n in enumerate(year, start=1) if n} for year in years], rooms=rooms, kind="nine_year")
    before = {}
    for i, year in enumerate(years):
        pupils = {g: n for g, n in enumerate(year, start=1) if n}
        size = {g: 50 if g > 6 else 45 for g in pupils}
        now = {g: min(n, before.get(g - 1, 1) if g not in (1, 7) else 1) for g, n in pupils.items()}
        while True:
            used = sum(now.values())
            above = [g for g in now if ceil(pupils[g], now[g]) > size[g]]
            many = [g for g in now if now[g] > 1]
            spare = [g for g in many if ceil(pupils[g], now[g] - 1) <= size[g]]
            after = lambda g: (ceil(pupils[g], now[g] - 1), pupils[g], -g)  # noqa: E731, B023
            if used > rooms and many:
                now[min(many, key=after)] -= 1
            elif above and used < rooms:
                now[max(above, key=lambda g: (ceil(pupils[g], now[g]), -g))] += 1
            elif above and used == rooms and spare:
                now[min(spare, key=after)] -= 1
            else:
                break
        found = table[table["year"] == 2026 + i]
        assert dict(zip(found["class_group"].astype(int), found["classes"], strict=True)) == now
        before = now


@settings(max_examples=150, deadline=None)
@given(grown, st.integers(1, 26))
def test_what_holds_for_cohorts_in_every_year(years, rooms):
    table = followed(*[{g: n for g, n in enumerate(year, start=1) if n} for year in years], rooms=rooms, kind="nine_year")
    assert table["pupils"].sum() == sum(map(sum, years))
    before = {}
    for i, year in enumerate(years):
        found = table[table["year"] == 2026 + i].set_index(table.loc[table["year"] == 2026 + i, "class_group"].astype(int))
        needed = sum(ceil(n, 50 if g > 6 else 45) for g, n in enumerate(year, start=1) if n)
        assert found["classes"].sum() <= max(rooms, len(found))
        assert found["rooms_missing"].sum() == max(needed - rooms, len(found) - rooms, 0)
        # whole classes fit: no class is above its standard
        if needed <= rooms:
            assert (found["above_standard"] == 0).all()
        # a cohort that has fewer classes than the year before has lost children below their number, or no room was free
        for g, row in found.iterrows():
            if g not in (1, 7) and row["classes"] < min(before.get(g - 1, 0), row["pupils"]):
                assert found["classes"].sum() >= rooms
        before = found["classes"].to_dict()


def test_keeping_classes_by_hand():
    # no cohort: as rooms are shared today
    assert keep_classes([100, 60, 45], [45, 45, 45], 5, [0, 0, 0]) == share_rooms([100, 60, 45], [45, 45, 45], 5) == [2, 2, 1]
    # fewer rooms than grades: a class each
    assert keep_classes([10, 20], [45, 45], 1, [2, 2]) == [1, 1]
    # of two mergers that leave 40 the smaller cohort goes first, of equal cohorts the higher grade
    assert keep_classes([40, 80], [45, 45], 4, [2, 3]) == [1, 3]
    assert keep_classes([40, 40], [45, 45], 3, [2, 2]) == [2, 1]


# shares and targets


def county_of_three():
    schools = pd.DataFrame({
        "school_id": ["A", "B", "P"], "township_id": ["T1", "T2", "T2"], "urban_rural": ["town", "village", "village"],
        "kind": ["primary", "nine_year", "teaching_point"], "rooms": [2, 3, 1], "status": "open",
    })  # fmt: skip
    townships = pd.DataFrame({"township_id": ["T1", "T2", "T3"]})
    rosters = pd.DataFrame(
        [("A", 1, 1, 66), ("A", 1, 2, 44), ("B", 6, 1, 46), ("B", 7, 1, 56), ("B", 7, 2, 50), ("P", 1, 1, 31)],
        columns=["school_id", "grade", "class_no", "pupils"],
    )
    return schools, townships, check("rosters", rosters)


def classes_of_three(year=2026, standards=STANDARDS):
    schools, _, rosters = county_of_three()
    return class_sizes(assigned(("A", year, 1, 1)), schools, rosters, standards, base_year=year)


def test_classes_above_the_standard_are_counted_one_by_one():
    table = classes_of_three()
    # 66 + 44: one above 45; 46 above 45; 56 + 50: one above 50; 31 above 30
    assert table[["school_id", "class_group", "above_standard", "oversized_pupils"]].values.tolist() == [
        ["A", "1", 1, 66], ["B", "6", 1, 0], ["B", "7", 1, 56], ["P", "1", 1, 0],
    ]  # fmt: skip


def test_shares_by_place_and_kind():
    schools, townships, _ = county_of_three()
    table = class_shares(classes_of_three(), schools, townships, STANDARDS, view="today")
    rows = [
        # level, area, classes, oversized, super, oversized share, super share, above, largest, oversized pupils, met
        ("county", "", 6, 2, 1, 2 / 6, 1 / 6, 4, 66, 122, False),
        ("school_kind", "nine_year", 3, 1, 0, 1 / 3, 0.0, 2, 56, 56, False),
        ("school_kind", "primary", 2, 1, 1, 0.5, 0.5, 1, 66, 66, False),
        ("school_kind", "teaching_point", 1, 0, 0, 0.0, 0.0, 1, 31, 0, True),
        ("township", "T1", 2, 1, 1, 0.5, 0.5, 1, 66, 66, False),
        ("township", "T2", 4, 1, 0, 0.25, 0.0, 3, 56, 56, False),
        ("township", "T3", 0, 0, 0, np.nan, np.nan, 0, 0, 0, True),
        ("urban_rural", "town", 2, 1, 1, 0.5, 0.5, 1, 66, 66, False),
        ("urban_rural", "village", 4, 1, 0, 0.25, 0.0, 3, 56, 56, False),
    ]  # fmt: skip
    names = ["level", "area_id", "classes", "oversized", "super", "oversized_share", "super_share", "above_standard", "largest_class",
             "oversized_pupils", "met"]  # fmt: skip
    expected = check("class_shares", pd.DataFrame(rows, columns=names).assign(view="today", year=2026, share_max=0.0))
    assert_frame_equal(table, expected)
    without = class_shares(classes_of_three(), schools, townships, STANDARDS, view="planned", teaching_points=False)
    assert without.loc[without["level"] == "county", ["view", "classes", "above_standard"]].values.tolist() == [["planned", 5, 3]]
    assert_frame_equal(class_shares(empty("classes"), schools, townships, STANDARDS, view="today"), empty("class_shares"))


@pytest.mark.parametrize(("year", "share_max"), [(2019, np.nan), (2020, 0.05), (2024, 0.05), (2025, 0.0), (2030, 0.0)])
def test_the_share_allowed_is_that_of_the_date(year, share_max):
    """5 % from the end of 2020, in the school year 2020; zero from the end of 2025, in the school year 2025."""
    schools, townships, _ = county_of_three()
    table = class_shares(classes_of_three(year), schools, townships, STANDARDS, view="today")
    assert table["share_max"].tolist() == pytest.approx([share_max] * len(table), nan_ok=True)
    assert table.loc[table["level"] == "county", "met"].tolist() == [np.isnan(share_max)]


def test_shares_of_every_level_add_up_to_the_county(paper):
    table = class_sizes(assigned(("S1", 2025, 1, 7), ("S1", 2026, 1, 140)), paper.schools, paper.rosters, STANDARDS, base_year=2025)
    shares = class_shares(table, paper.schools, paper.townships, STANDARDS, view="today")
    sums = shares.groupby(["year", "level"])[["classes", "oversized", "super", "above_standard", "oversized_pupils"]].sum()
    for year in (2025, 2026):
        assert sums.loc[year].drop_duplicates().shape[0] == 1
    plain = oversized_shares(table, paper.schools, STANDARDS)
    of_county = shares[shares["level"] == "county"].reset_index(drop=True)
    assert_frame_equal(of_county[["classes", "oversized", "super"]], plain[["classes", "oversized", "super"]])


def test_targets_by_hand():
    schools, _, _ = county_of_three()
    table = class_targets(classes_of_three(), schools, STANDARDS, view="today").set_index("target")
    columns = ["level", "due", "unit", "value", "bound", "met", "in_force", "schools_failing", "unverified"]
    assert {k: tuple(row) for k, row in zip(table.index, table[columns].itertuples(index=False), strict=True)} == {
        "incomplete_max": ("national", "", "pupils", 31.0, 30.0, False, True, 1, False),
        "junior_max": ("national", "", "pupils", 56.0, 50.0, False, True, 1, False),
        "oversized_share": ("national", "2020-12-31", "percent", pytest.approx(100 / 3), 5.0, False, False, 2, False),
        "oversized_zero": ("provincial", "2025-12-31", "percent", pytest.approx(100 / 3), 0.0, False, True, 2, False),
        # 66 in A, 46 in B; 31 in the teaching point is within 45
        "primary_max": ("national", "", "pupils", 66.0, 45.0, False, True, 2, False),
        "super_share": ("national", "2018-12-31", "percent", pytest.approx(100 / 6), 2.0, False, False, 1, False),
    }  # fmt: skip
    assert table.loc["oversized_zero", "clause_zh"].startswith("贵州省整体提升教育水平攻坚行动计划")
    assert table.loc["junior_max", "clause_en"] == STANDARDS.rules["class_size.yzjh.junior.max"].cite("en")
    assert table.loc["oversized_share", "valid_to"] == "2025-12-30"


@pytest.mark.parametrize(
    ("year", "in_force"),
    [
        (2017, set()),
        (2018, {"super_share"}),
        (2020, {"super_share", "oversized_share"}),
        (2024, {"super_share", "oversized_share"}),
        (2025, {"oversized_zero"}),
    ],
)
def test_targets_are_due_by_the_end_of_a_school_year(year, in_force):
    schools, _, _ = county_of_three()
    table = class_targets(classes_of_three(year), schools, STANDARDS, view="today").set_index("target")
    dated = table[table["due"] != ""]
    assert set(dated.index[dated["in_force"]]) == in_force


def test_a_target_that_is_met_to_the_child():
    schools = school(9, "nine_year").assign(township_id="T", urban_rural="town", status="open")
    for over, met in ((0, True), (1, False)):
        rosters = [("S", 6, 1, 45 + over), ("S", 7, 1, 50 + over)]
        table = class_sizes(
            assigned(("S", 2026, 1, 1)), schools, check("rosters", pd.DataFrame(rosters, columns=["school_id", "grade", "class_no", "pupils"])),
            STANDARDS, base_year=2026,
        )  # fmt: skip
        found = class_targets(table, schools, STANDARDS, view="planned").set_index("target")
        assert found.loc[["primary_max", "junior_max"], "met"].tolist() == [met, met]
        assert found.loc[["oversized_zero", "incomplete_max"], "met"].tolist() == [True, True]


def test_the_schedule_is_a_target_from_its_date():
    steps = (Step(2027, "primary", 40, doc="某县规划", clause="第四章"), Step(2028, "primary", 38), Step(2027, "junior", 45, "all_grades"))
    lowered = Standards(STANDARDS.rules, steps)
    schools = school(2, "nine_year")
    pupils = [(y, g, n) for y in (2026, 2027, 2028) for g, n in ((1, 43), (2, 43), (7, 47))]
    classes = class_sizes(assigned(*[("S", *p) for p in pupils]), schools, NO_ROSTERS, lowered)
    table = class_targets(classes, schools, lowered, view="today", since=2026)
    columns = ["year", "due", "value", "met", "in_force", "schools_failing", "unverified"]
    # two rooms for three grades: nobody can part. From 2027 grade 1 (43 > 40) is above, from 2028 grade 1 (> 38) and grade 2 (> 40); 47 > 45 from 2027
    assert table.loc[table["target"] == "schedule_primary", columns].values.tolist() == [
        [2026, "2027-09-01", 0.0, True, False, 0, False], [2027, "2027-09-01", 1.0, False, True, 1, False],
        [2028, "2028-09-01", 2.0, False, True, 1, True],
    ]  # fmt: skip
    assert table.loc[table["target"] == "schedule_junior", "value"].tolist() == [0.0, 1.0, 1.0]
    said = table.loc[table["target"] == "schedule_primary", "clause_zh"].tolist()
    assert said[0] == "每班不超过 40 人：某县规划第四章（县级）" and said[2].endswith("【待核实】")
    assert set(class_targets(classes, schools, lowered, view="today", since=2028)["year"]) == {2028}
    assert_frame_equal(class_targets(empty("classes"), schools, lowered, view="today"), empty("class_targets"))


def test_shares_and_targets_refuse_what_they_cannot_count():
    schools, townships, _ = county_of_three()
    for make in (lambda c, s: class_shares(c, s, townships, STANDARDS, view="today"), lambda c, s: class_targets(c, s, STANDARDS, view="today")):
        with pytest.raises(ValueError, match="classes of schools that are not among the schools: P"):
            make(classes_of_three(), schools.iloc[:2])
        with pytest.raises(ValueError, match="lack above_standard and oversized_pupils"):
            make(classes_of_three().drop(columns="above_standard"), schools)
        with pytest.raises(ValueError, match="lack above_standard and oversized_pupils"):
            make(check("classes", classes_of_three().drop(columns="above_standard")), schools)


# brute force


def ceil(a, b):
    return -(-a // b)


def worst_above(pupils, standard, counts):
    return max([ceil(p, c) for p, s, c in zip(pupils, standard, counts, strict=True) if ceil(p, c) > s], default=0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 150), st.sampled_from([30, 45, 50])), min_size=1, max_size=4), st.integers(0, 9))
def test_rooms_are_shared_as_well_as_can_be(grades, rooms):
    pupils, standard = [p for p, _ in grades], [s for _, s in grades]
    counts = share_rooms(pupils, standard, rooms)
    needed = [ceil(p, s) for p, s in grades]
    assert sum(counts) <= max(rooms, len(grades))
    assert all(1 <= c <= n for c, n in zip(counts, needed, strict=True))
    ways = [way for way in product(range(1, 7), repeat=len(grades)) if sum(way) <= max(rooms, len(grades))]
    assert worst_above(pupils, standard, counts) == min(worst_above(pupils, standard, way) for way in ways)
    # a room stays empty only where no class is above its standard
    assert sum(counts) == max(rooms, len(grades)) or counts == needed or sum(counts) == sum(needed)


def ways_to_cut(grades):
    """Cut a list into runs of neighbours in every way, by deciding on the first run and going on."""
    if not grades:
        yield []
    for end in range(1, len(grades) + 1):
        for rest in ways_to_cut(grades[end:]):
            yield [grades[:end], *rest]


@settings(max_examples=120, deadline=None)
@given(st.dictionaries(st.integers(1, 6), st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 6))
def test_mixed_classes_are_the_best_cut(pupils, rooms):
    table = formed(pupils, rooms, "small_primary")
    assert table.pupils.sum() == sum(pupils.values())
    runs = [[int(g) for g in grades.split(",")] for grades in table.grades]
    assert [g for run in runs for g in run] == sorted(pupils)
    if rooms >= len(pupils):
        assert not table.mixed.any()
        return
    size = lambda run: sum(pupils[g] for g in run)  # noqa: E731
    cuts = [cut for cut in ways_to_cut(sorted(pupils)) if len(cut) <= rooms]
    allowed = [cut for cut in cuts if all(len(run) == 1 or (len(run) <= 3 and size(run) <= 30) for run in cut)]
    if allowed:
        fewest = min(len(cut) for cut in allowed)
        assert len(runs) == fewest
        assert max(map(size, runs)) == min(max(map(size, cut)) for cut in allowed if len(cut) == fewest)
        assert runs in allowed
    else:
        assert len(runs) == rooms
        assert max(map(size, runs)) == min(max(map(size, cut)) for cut in cuts if len(cut) == rooms)


def test_mixed_classes_over_three_hundred_schools():
    """Against the best of all cuts, with other bounds on a mixed class too; nobody is lost, and no run breaks a bound that can be kept."""
    rng = np.random.default_rng(11)
    forced = 0
    for case in range(300):
        most_grades, most_pupils = (3, 30) if case % 2 else (int(rng.integers(2, 5)), int(rng.integers(15, 46)))
        values = {"class_size.mixed.max_grades": float(most_grades), "class_size.mixed.max_pupils": float(most_pupils)}
        rules = {k: dataclasses.replace(r, value=values.get(k, r.value)) for k, r in STANDARDS.rules.items()}
        grades = sorted(int(g) for g in rng.choice(range(1, 7), rng.integers(2, 7), replace=False))
        pupils = {g: int(rng.integers(1, 25)) for g in grades}
        rooms = int(rng.integers(1, len(grades)))
        table = class_sizes(
            assigned(*[("S", 2030, g, n) for g, n in pupils.items()]), school(rooms, "teaching_point"), NO_ROSTERS, Standards(rules)
        )  # fmt: skip
        runs = [[int(g) for g in text.split(",")] for text in table.sort_values("class_group")["grades"]]
        size = lambda run: sum(pupils[g] for g in run)  # noqa: E731, B023
        # never more than the thirty of one grade alone
        allowed = lambda run: len(run) == 1 or (len(run) <= most_grades and size(run) <= min(most_pupils, 30))  # noqa: E731, B023
        assert [g for run in runs for g in run] == grades and table["pupils"].tolist() == [size(run) for run in runs]
        cuts = [cut for cut in ways_to_cut(grades) if len(cut) <= rooms]
        sound = [cut for cut in cuts if all(map(allowed, cut))]
        forced += not sound
        count = min(map(len, sound)) if sound else rooms
        among = [cut for cut in sound or cuts if len(cut) == count]
        # the smallest largest class, then the most even, then the earlier cut
        best = min(among, key=lambda cut: (max(map(size, cut)), sum(size(run) ** 2 for run in cut), [len(run) for run in cut]))
        assert runs == best, (pupils, rooms)
        assert not sound or all(map(allowed, runs))
    assert 50 < forced < 250, "both kinds of case are tried"


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.integers(1, 9), st.integers(1, 120), min_size=1, max_size=9), st.integers(0, 20))
def test_missing_rooms_of_an_ordinary_school_add_up(pupils, rooms):
    table = formed(pupils, rooms, "nine_year")
    needed = sum(ceil(n, 50 if g > 6 else 45) for g, n in pupils.items())
    assert table.rooms_missing.sum() == max(needed - rooms, 0)
    assert table.classes.sum() <= max(rooms, len(pupils))
    assert table.pupils.tolist() == [pupils[g] for g in sorted(pupils)]


def test_shuffled_rows_give_the_same_classes(paper):
    table = assigned(*[("S1", y, g, 10 * g + y % 7) for y in (2026, 2027) for g in range(1, 7)])
    shuffled = table.sample(frac=1, random_state=3)
    assert_frame_equal(*(class_sizes(t, paper.schools, paper.rosters, STANDARDS) for t in (table, shuffled)))


@pytest.mark.parametrize("columns", [{"status": "closed"}, {"kind": "special"}])
def test_rosters_of_schools_that_take_no_part_do_not_count(paper, columns):
    """S2 holds the three classes of 56; once it takes no part, today has none, as every later year has."""
    schools = paper.schools.assign(**{c: [paper.schools[c].iloc[0], v] for c, v in columns.items()})
    pupils = pd.DataFrame({"school_id": ["S1"], "year": [2025], "grade": [1], "status": ["served"], "pupils": [30]})
    found = class_sizes(pupils, schools, paper.rosters, read_standards(), base_year=2025)
    assert set(found["school_id"]) == {"S1"} and found["oversized_classes"].sum() == 0
