"""Classes: tiers at their bounds, room sharing and mixed classes against brute force, rosters kept."""

from itertools import product

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from layout.class_size import class_sizes, oversized_shares, share_rooms, tier
from layout.standards import read_standards
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
