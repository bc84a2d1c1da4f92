"""Breaches and needs: the first year of too large classes, rooms at every standard, staff, beds and money, worked by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from conftest import make_paper
from layout.class_size import class_sizes
from layout.draws import PupilDraws, school_ranges
from layout.needs import breaches, rooms_needed, school_needs, standing_schools
from layout.standards import read_standards
from layout.tables import check, empty

STANDARDS = read_standards()
SCHOOLS = make_paper().schools
BREACH_COLUMNS = ["grade", "breach", "first_year", "largest_class", "last_year", "years", "peak_largest"]


def assigned(rows, **more):
    table = pd.DataFrame(rows, columns=["school_id", "year", "grade", "pupils"])
    return table.assign(**({"settlement_id": "A", "attends": "home", "mode": "walk", "status": "served", "minutes": 10.0} | more))


def schools_with(**columns):
    return SCHOOLS.assign(**columns)


def classes_of(rows, schools):
    return class_sizes(assigned(rows), schools, empty("rosters"), STANDARDS)


def test_breaches_at_the_bounds_of_the_tiers():
    sizes = [45, 46, 55, 56, 65, 66, 45]
    rows = [("S2", 2025 + i, 1, n) for i, n in enumerate(sizes)] + [("S2", 2025 + i, 7, n) for i, n in enumerate([50, 51])]
    found = breaches(classes_of(rows, schools_with(rooms=1)), STANDARDS)
    assert found[BREACH_COLUMNS].values.tolist() == [
        [1, "above_standard", 2026, 46, 2030, 5, 66],
        [1, "oversized", 2028, 56, 2030, 3, 66],
        [1, "super", 2030, 66, 2030, 1, 66],
        [7, "above_standard", 2026, 51, 2026, 1, 51],
    ]
    assert found[["probability", "probability_any"]].isna().all(axis=None)


def test_years_of_breach_need_not_be_in_a_row_and_order_of_rows_does_not_matter():
    rows = [("S1", year, 3, n) for year, n in [(2026, 60), (2027, 40), (2028, 58)]]
    classes = classes_of(rows, schools_with(rooms=1))
    found = breaches(classes, STANDARDS)
    assert found[BREACH_COLUMNS].values.tolist() == [[3, "above_standard", 2026, 60, 2028, 2, 60], [3, "oversized", 2026, 60, 2028, 2, 60]]
    assert_frame_equal(breaches(classes.iloc[::-1], STANDARDS), found)


def test_every_grade_of_a_mixed_class_is_in_breach():
    schools = schools_with(kind="teaching_point", rooms=1)
    classes = classes_of([("S1", 2026, 1, 16), ("S1", 2026, 2, 15)], schools)
    assert classes["class_group"].tolist() == ["1-2"]
    assert breaches(classes, STANDARDS)[["grade", "breach", "largest_class"]].values.tolist() == [
        [1, "above_standard", 31],
        [2, "above_standard", 31],
    ]


def test_no_breach_no_row():
    classes = classes_of([("S1", 2026, 1, 45)], schools_with(rooms=1))
    assert_frame_equal(breaches(classes, STANDARDS), empty("breaches"))
    assert_frame_equal(breaches(empty("classes"), STANDARDS), empty("breaches"))


def drawn(pupils, years=(2026, 2027), settlements=("A", "B")):
    """Return draws from an array by draw, settlement and year of the first grade."""
    cube = np.zeros((len(pupils), len(settlements), len(years), 9), np.int64)
    cube[..., 0] = pupils
    return PupilDraws(settlements, years, tuple(range(1, 10)), cube, 0, {})


def test_probability_counts_draws_of_whole_classes():
    # A goes to S1, B half to S1 and half to S2; one class, so 56 children are oversized and 55 are not
    assignment = pd.concat([
        assigned([("S1", 2026, 1, 40), ("S1", 2027, 1, 40)]), assigned([("S1", y, 1, 16) for y in (2026, 2027)], settlement_id="B"),
        assigned([("S2", y, 1, 16) for y in (2026, 2027)], settlement_id="B"),
    ])  # fmt: skip
    classes = class_sizes(assignment, schools_with(rooms=1), empty("rosters"), STANDARDS)
    draws = drawn([[[40, 30], [30, 30]], [[40, 46], [32, 20]], [[50, 30], [32, 40]], [[30, 30], [20, 20]]])
    # S1 of the four draws: 55, 56, 66, 40 in 2026 and 45, 56, 50, 40 in 2027; expected 56 in both
    found = breaches(classes, STANDARDS, draws=draws, assignment=assignment)
    assert found[["breach", "first_year", "probability", "probability_any"]].values.tolist() == [
        ["above_standard", 2026, 0.75, 0.75], ["oversized", 2026, 0.5, 0.5],
    ]  # fmt: skip
    late = breaches(classes[classes["year"] == 2027], STANDARDS, draws=draws, assignment=assignment)
    assert late[["breach", "probability"]].values.tolist() == [["above_standard", 0.5], ["oversized", 0.25]]


def test_a_grade_in_two_classes_is_halved_before_it_is_judged():
    assignment = assigned([("S1", 2026, 1, 112)])
    classes = class_sizes(assignment, schools_with(rooms=2), empty("rosters"), STANDARDS)
    draws = drawn([[[110]], [[111]], [[112]], [[90]]], years=(2026,), settlements=("A",))
    found = breaches(classes, STANDARDS, draws=draws, assignment=assignment)
    # halves of 110, 111, 112 and 90: 55, 56, 56, 45
    assert found[["breach", "probability"]].values.tolist() == [["above_standard", 0.75], ["oversized", 0.5]]


def test_children_of_a_mixed_class_are_drawn_together():
    schools = schools_with(kind="teaching_point", rooms=1)
    assignment = assigned([("S1", 2026, 1, 16), ("S1", 2026, 2, 16)])
    classes = class_sizes(assignment, schools, empty("rosters"), STANDARDS)
    draws = drawn([[[16]], [[10]]], years=(2026,), settlements=("A",))
    draws.pupils[:, 0, 0, 1] = [15, 20]
    found = breaches(classes, STANDARDS, draws=draws, assignment=assignment)
    assert found[["grade", "probability"]].values.tolist() == [[1, 0.5], [2, 0.5]]


def test_counted_classes_are_too_large_in_every_draw_or_in_none():
    assignment = assigned([("S1", 2025, 1, 20), ("S1", 2026, 1, 60)])
    rosters = pd.DataFrame({"school_id": "S1", "grade": 1, "class_no": [1, 2], "pupils": [58, 20]})
    classes = class_sizes(assignment, schools_with(rooms=1), rosters, STANDARDS, base_year=2025)
    draws = drawn([[[20]], [[20]]], years=(2026,), settlements=("A",))
    found = breaches(classes, STANDARDS, draws=draws, assignment=assignment, base_year=2025)
    assert found[["breach", "first_year", "probability", "probability_any"]].values.tolist() == [
        ["above_standard", 2025, 1.0, 1.0], ["oversized", 2025, 1.0, 1.0],
    ]  # fmt: skip


def test_draws_need_an_assignment_and_the_years():
    assignment = assigned([("S1", 2026, 1, 60), ("S1", 2030, 1, 60)])
    classes = class_sizes(assignment, schools_with(rooms=1), empty("rosters"), STANDARDS)
    with pytest.raises(ValueError, match="draws need the assignment"):
        breaches(classes, STANDARDS, draws=drawn([[[1, 1]]], settlements=("A",)))
    with pytest.raises(ValueError, match="do not hold the years 2030"):
        breaches(classes, STANDARDS, draws=drawn([[[1, 1]]], settlements=("A",)), assignment=assignment)


def naive_probability(row, classes, draws, sent, bounds):
    """Walk through draws, years and settlements one by one; ``sent``: pupils by year, grade, settlement, school."""
    first = hits = 0
    mine = [c for c in classes if c.school_id == row.school_id and str(row.grade) in c.grades.split(",")]
    for d in range(len(draws.pupils)):
        too_large = {}
        for c in mine:
            total = 0
            for g in map(int, c.grades.split(",")):
                children = 0.0
                for i, settlement in enumerate(draws.settlement_ids):
                    to = sent.get((c.year, g, settlement), {})
                    if row.school_id in to:
                        children += draws.pupils[d, i, draws.years.index(c.year), g - 1] * to[row.school_id] / sum(to.values())
                total += round(children)
            too_large[c.year] = -(-total // c.classes) >= bounds.get(row.breach, c.standard + 1)
        first += too_large[row.first_year]
        hits += any(too_large.values())
    return first / len(draws.pupils), hits / len(draws.pupils)


def test_probabilities_agree_with_counting_by_hand_in_random_counties():
    rng = np.random.default_rng(0)
    compared = 0
    for _ in range(8):
        names, years = ("A", "B", "C"), (2026, 2027, 2028)
        rows = [
            (s, y, g, school, int(rng.integers(0, 60)))
            for s in names for y in years for g in (1, 2, 7) for school in (("S1", "S2") if g < 7 else ("S2",))
        ]  # fmt: skip
        assignment = pd.DataFrame(rows, columns=["settlement_id", "year", "grade", "school_id", "pupils"])
        assignment = assignment.assign(attends="home", mode="walk", status="served", minutes=1.0).query("pupils > 0")
        schools = schools_with(kind=["teaching_point", "nine_year"], rooms=[int(rng.integers(1, 3)), int(rng.integers(1, 6))])
        classes = class_sizes(assignment, schools, empty("rosters"), STANDARDS)
        draws = PupilDraws(names, years, tuple(range(1, 10)), rng.integers(0, 90, (20, 3, 3, 9)), 0, {})
        found = breaches(classes, STANDARDS, draws=draws, assignment=assignment)
        sent = {}
        for a in assignment.itertuples():
            sent.setdefault((a.year, a.grade, a.settlement_id), {})[a.school_id] = a.pupils
        for row in found.itertuples():
            naive = naive_probability(row, list(classes.itertuples()), draws, sent, {"oversized": 56, "super": 66})
            assert (row.probability, row.probability_any) == pytest.approx(naive)
            compared += 1
    assert compared > 50


def test_school_ranges_are_those_of_the_same_draws():
    assignment = assigned([("S1", 2026, 1, 40)])
    draws = drawn([[[55]], [[56]], [[60]]], years=(2026,), settlements=("A",))
    ranges = school_ranges(draws, assignment)
    assert ranges.loc[ranges["group"] == "1", ["low", "middle", "high"]].values.tolist() == [[55, 56, 60]]


def paper_needs(*, boarders=0, **columns):
    """Return the needs of the paper county in its base year, whose classes are those of the roll."""
    county = make_paper()
    schools = county.schools.assign(**columns)
    assignment = assigned([("S1", 2025, 1, 30), ("S2", 2025, 1, 26)])
    if boarders:
        assignment = pd.concat([assignment, assigned([("S2", 2025, 7, boarders)], mode="board")])
    classes = class_sizes(assignment, schools, county.rosters, STANDARDS, base_year=2025)
    return school_needs(classes, assignment, schools, STANDARDS)


def test_needs_of_the_paper_county():
    # S1: 6 x 30; S2: 6 x 26 and 3 x 56; 156 / 19 + 168 / 13.5 = 8.2105 + 12.4444; three junior classes lack a second room
    expected = pd.DataFrame({
        "school_id": ["S1", "S2"], "year": 2025, "pupils": [180, 324], "boarders": [0, 21], "classes": [6, 9], "rooms": [6, 9],
        "rooms_missing": [0, 3], "posts_by_ratio": [180 / 19, 156 / 19 + 168 / 13.5], "posts_by_class": [np.nan, np.nan], "posts": [10, 21],
        "teachers": [8.0, np.nan], "teachers_missing": [2.0, np.nan], "unverified": False, "beds": [0, 20], "beds_missing": [0, 1],
        "size_max": [2000, 2500], "size_exceeded": False, "funding_yuan": [180 * 720.0, 156 * 720.0 + 168 * 940.0 + 21 * 300.0],
        "funding_boarders_yuan": [0.0, 6300.0], "funding_floor_yuan": [0.0, 0.0],
    })  # fmt: skip
    assert_frame_equal(paper_needs(boarders=21, teachers=[8, np.nan]), expected)


def one_school(pupils, *, grade=1, rooms=60, **columns):
    """Return the needs of S1 with so many pupils in one grade."""
    schools = schools_with(rooms=rooms, **columns)
    assignment = assigned([("S1", 2026, grade, pupils)])
    needs = school_needs(class_sizes(assignment, schools, empty("rosters"), STANDARDS), assignment, schools, STANDARDS)
    return needs[needs["school_id"] == "S1"].iloc[0]


@pytest.mark.parametrize(("pupils", "funding", "floor"), [(1, 72_000, 71_280), (99, 72_000, 720), (100, 72_000, 0), (101, 72_720, 0)])
def test_the_floor_of_a_hundred_pupils(pupils, funding, floor):
    needs = one_school(pupils)
    assert (needs["funding_yuan"], needs["funding_floor_yuan"]) == (funding, floor)


def test_the_floor_is_for_the_country_and_at_the_amount_of_the_stage():
    assert one_school(40, urban_rural="town")["funding_yuan"] == 40 * 720
    assert one_school(40, urban_rural="city")["funding_floor_yuan"] == 0
    assert one_school(40, urban_rural="town", kind="teaching_point")["funding_floor_yuan"] == 60 * 720
    assert one_school(40, urban_rural="")["funding_floor_yuan"] == 60 * 720
    junior = one_school(40, grade=7, kind="junior", first_grade=7, last_grade=9)
    assert (junior["funding_yuan"], junior["funding_floor_yuan"]) == (94_000, 60 * 940)


@pytest.mark.parametrize(
    ("kind", "pupils", "most", "exceeded"),
    [("primary", 2000, 2000, False), ("primary", 2001, 2000, True), ("nine_year", 2500, 2500, False), ("nine_year", 2501, 2500, True)],
)
def test_the_largest_size_of_a_school(kind, pupils, most, exceeded):
    needs = one_school(pupils, kind=kind)
    assert (needs["size_max"], needs["size_exceeded"]) == (most, exceeded)


def test_small_schools_get_posts_by_class_and_say_that_the_rule_is_unverified():
    assignment = assigned([("S1", 2026, g, 6) for g in range(1, 7)])
    rows = {}
    for place in ("village", "town"):
        schools = schools_with(urban_rural=place)
        classes = class_sizes(assignment, schools, empty("rosters"), STANDARDS)
        rows[place] = school_needs(classes, assignment, schools, STANDARDS).iloc[0]
    # 6 classes x 1.7 = 10.2 against 36 / 19 = 1.9
    assert rows["village"][["posts_by_class", "posts", "unverified"]].tolist() == [pytest.approx(10.2), 11, True]
    assert rows["town"][["posts", "unverified"]].tolist() == [2, False] and np.isnan(rows["town"]["posts_by_class"])
    # 99 pupils in 3 classes: 5.1 by class, 5.2 by ratio; 100 pupils make no small school
    assert one_school(99)[["posts", "unverified"]].tolist() == [6, False]
    assert np.isnan(one_school(100)["posts_by_class"])


def test_whole_posts_are_not_rounded_up():
    assert [one_school(n)["posts"] for n in (190, 191)] == [10, 11]


def test_schools_without_pupils_have_a_row_and_special_schools_have_none():
    schools = schools_with(kind=["special", "nine_year"])
    needs = school_needs(empty("classes"), assigned([("", 2026, 1, 5)], status="no_route"), schools, STANDARDS)
    assert needs[["school_id", "year", "pupils", "posts", "funding_yuan", "rooms_missing"]].values.tolist() == [["S2", 2026, 0, 0, 0.0, 0]]


def test_school_years_say_which_schools_stand():
    schools = SCHOOLS
    years = pd.DataFrame({
        "school_id": ["N", "S1"], "year": 2026, "status": "open", "first_grade": 1, "last_grade": [4, 6], "rooms": [3, 8], "beds": 0,
        "kind": ["teaching_point", ""],
    })  # fmt: skip
    standing = standing_schools(schools, years, [2026, 2027])
    assert standing[["school_id", "year", "kind", "rooms", "expandable_rooms", "incomplete"]].replace({np.nan: None}).values.tolist() == [
        ["N", 2026, "teaching_point", 3, None, True], ["S1", 2026, "primary", 8, 2.0, False], ["S1", 2027, "primary", 6, 4.0, False],
        ["S2", 2027, "nine_year", 9, 9.0, False],
    ]  # fmt: skip
    classes = classes_of([("S2", 2026, 1, 20)], schools)
    with pytest.raises(ValueError, match="pupils of 2026 are at 'S2', which is not open then"):
        school_needs(classes, assigned([("S2", 2026, 1, 20)]), schools, STANDARDS, school_years=years)


def test_rooms_at_every_standard_by_hand():
    # S2 with 9 rooms: grade 1 of 41, grade 7 of 100 and grade 8 of 56
    schools = schools_with()
    classes = classes_of([("S2", 2026, 1, 41), ("S2", 2026, 7, 100), ("S2", 2026, 8, 56)], schools)
    found = rooms_needed(classes, schools, STANDARDS)
    found = found[found["school_id"] == "S2"].set_index("standard_key")
    columns = ["classes_needed", "rooms_missing", "rooms_spare", "seats_spare"]
    # in force: 1 + 2 + 2 classes, 4 + 0 + 44 seats and 4 rooms of 45; far: 2 + 3 + 2, 39 + 35 + 34 and 2 of 40; 55: 1 + 2 + 2, 14 + 10 + 54 and 4 of 55
    assert found.loc[["yzjh", "design", "rural_far", "oversize"], columns].values.tolist() == [
        [5, 0, 4, 228], [5, 0, 4, 228], [7, 0, 2, 188], [5, 0, 4, 298],
    ]  # fmt: skip
    assert found.loc["rural_far", "clauses"] == "class_size.rural.junior.far,class_size.rural.primary.far"
    assert found.loc["oversize", "clauses"] == "class_size.oversize.min"


def test_the_line_of_56():
    schools = schools_with(rooms=1)
    needed = [
        rooms_needed(classes_of([("S1", 2026, 1, n)], schools), schools, STANDARDS).query("school_id == 'S1' and standard_key == 'oversize'").iloc[0]
        for n in (55, 56)
    ]
    assert [(r["classes_needed"], r["rooms_missing"], r["seats_spare"]) for r in needed] == [(1, 0, 0), (2, 1, 0)]


def test_teaching_points_have_thirty_at_every_standard_but_the_last():
    schools = schools_with(kind="teaching_point", rooms=4)
    classes = classes_of([("S1", 2026, 1, 56), ("S1", 2026, 2, 20)], schools)
    found = rooms_needed(classes, schools, STANDARDS).query("school_id == 'S1'")
    assert found[["standard_key", "classes_needed"]].values.tolist() == [["design", 3], ["oversize", 3], ["rural_far", 3], ["yzjh", 3]]
    assert found["clauses"].tolist()[0] == "class_size.design.primary_incomplete"


@st.composite
def rolls(draw):
    """Return classes of schools of several kinds, some of them real."""
    kinds = draw(st.lists(st.sampled_from(["primary", "nine_year", "teaching_point", "small_primary", "junior"]), min_size=2, max_size=2))
    schools = schools_with(kind=kinds, rooms=draw(st.lists(st.integers(1, 14), min_size=2, max_size=2)), last_grade=9)
    cells = draw(
        st.lists(st.tuples(st.sampled_from(["S1", "S2"]), st.integers(1, 9), st.integers(1, 150)), min_size=1, max_size=14, unique_by=lambda c: c[:2])
    )
    real = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 70)), max_size=6, unique_by=lambda c: c[:2]))
    rosters = pd.DataFrame([("S1", *c) for c in real], columns=["school_id", "grade", "class_no", "pupils"])
    assignment = assigned([(s, y, g, n) for s, g, n in cells for y in (2025, 2026)])
    return (
        schools,
        assignment,
        class_sizes(assignment, schools, check("rosters", rosters) if len(rosters) else empty("rosters"), STANDARDS, base_year=2025),
    )


@settings(max_examples=40, deadline=None)
@given(rolls())
def test_needs_agree_with_the_classes_and_rise_with_the_standard(case):
    schools, assignment, classes = case
    needs = school_needs(classes, assignment, schools, STANDARDS)
    rooms = rooms_needed(classes, schools, STANDARDS)
    assert needs["pupils"].sum() == classes["pupils"].sum() and needs["classes"].sum() == classes["classes"].sum()
    assert len(needs) == 2 * len(schools) and len(rooms) == 4 * len(needs)
    missing = (
        classes.groupby(["school_id", "year"])["rooms_missing"].sum().reindex(pd.MultiIndex.from_frame(needs[["school_id", "year"]]), fill_value=0)
    )
    wide = rooms.pivot(index=["school_id", "year"], columns="standard_key", values="classes_needed")
    in_force = rooms[rooms["standard_key"] == "yzjh"]
    assert needs["rooms_missing"].tolist() == missing.tolist() == in_force["rooms_missing"].tolist()
    assert (wide["rural_far"] >= wide["yzjh"]).all() and (wide["yzjh"] >= wide["oversize"]).all()
    assert (rooms["classes_needed"] - rooms["rooms_missing"] + rooms["rooms_spare"] == rooms["rooms"]).all()
    assert (rooms.loc[rooms["rooms_missing"] > 0, "seats_spare"] == 0).all()
