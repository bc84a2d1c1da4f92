"""Schools whose pupils fade, and the gates of a merger, by hand."""

import numpy as np
import pandas as pd
from hand_model import model_of, school

from layout.built import Built, formed_at
from layout.gates import fading_schools, merger_gates, nearest_homes
from layout.programme import grade_sums
from layout.standards import read_standards
from layout.whereabouts import whereabouts

STANDARDS = read_standards()
YEARS, WEIGHTS = (2028, 2030, 2035), (2, 5, 1)
# grades 1 to 6, few rooms; T is the school of V, U of W
SITES = [school("T", "small_primary", range(1, 7), rooms=6), school("U", "primary", range(1, 7), rooms=6)]


def case(numbers, *, reach=("T", "U"), sites=SITES, big=40):
    """V has so many children of each plan year in grades 1 and 5; everybody goes to the nearest."""
    children = {("V", t): {1: a, 5: b} for t, (a, b) in enumerate(numbers)} | {("W", t): {1: big, 5: big} for t in range(len(numbers))}
    ways = [("V", s, "walk", 5.0 + 10 * i, 0.0) for i, s in enumerate(reach)] + [("W", "U", "walk", 3.0, 0.0)]
    children = {key: {g: n for g, n in grades.items() if n} for key, grades in children.items()}
    model = model_of(STANDARDS, sites, children, ways, years=YEARS, weights=WEIGHTS)
    flows, demands = model.journeys.flows, model.journeys.demands
    shares = flows["usual"].to_numpy(float)
    loads = grade_sums(model, shares)
    classes = {(k, "", t): formed_at(model, {}, loads, k, "", t, s.rooms) for k, s in enumerate(sites) for t in range(3)}
    built = Built({}, {}, {}, classes, shares, np.zeros(len(demands)))
    table = pd.DataFrame(
        [(v, y, g, "home", n) for (v, t), grades in children.items() for y in [YEARS[t]] for g, n in grades.items()],
        columns=["settlement_id", "year", "grade", "attends", "pupils"],
    )
    day = pd.DataFrame(
        [(v, g, s, "walk", m, False) for v, s, _, m, _ in ways for g in range(1, 7)],
        columns=["settlement_id", "grade", "school_id", "mode", "minutes", "beyond"],
    )
    return model, built, nearest_homes(model, table, day), day


def fading(numbers, *, stays=(), **options):
    model, built, homes, day = case(numbers, **options)
    return model, built, fading_schools(model, whereabouts(model, built), homes, day, stays)


def test_who_lives_nearest():
    _, _, homes, _ = case([(6, 6), (5, 3), (4, 3)])
    mine = homes[homes["site"] == 0][["at", "settlement_id", "grade", "pupils"]].values.tolist()
    assert mine == [[0, "V", 1, 6], [0, "V", 5, 6], [1, "V", 1, 5], [1, "V", 5, 3], [2, "V", 1, 4], [2, "V", 5, 3]]


def test_a_school_is_looked_at_from_the_year_from_which_few_are_left():
    """Ten is few: 12, 8 and 7 pupils fade from 2030 on; all reach U in 15 minutes."""
    model, _, found = fading([(6, 6), (5, 3), (4, 3)])
    assert [(model.sites[f.site].school_id, f.action, f.at, f.grades, f.pupils) for f in found] == [
        ("T", "review_for_merger", 1, (1, 2, 3, 4, 5, 6), (12, 8, 7))
    ]
    assert found[0].onward[["settlement_id", "at", "grade", "pupils", "school", "minutes"]].values.tolist() == [
        ["V", 1, 1, 5, 1, 15.0], ["V", 1, 5, 3, 1, 15.0], ["V", 2, 1, 4, 1, 15.0], ["V", 2, 5, 3, 1, 15.0]
    ]  # fmt: skip
    # few once and then more again is no fading
    assert not fading([(4, 3), (4, 3), (12, 12)])[2]


def test_upper_grades_that_fade_make_it_a_teaching_point():
    model, _, found = fading([(12, 12), (12, 9), (11, 4)])
    assert [(model.sites[f.site].school_id, f.action, f.at, f.grades, f.pupils) for f in found] == [
        ("T", "convert_to_teaching_point", 1, (4, 5, 6), (12, 9, 4))
    ]


def test_schools_that_must_stay_or_whose_children_reach_no_other_are_not_looked_at():
    assert not fading([(4, 3)] * 3, stays={"T"})[2]
    assert not fading([(4, 3)] * 3, reach=("T",))[2]


def test_of_two_that_lean_on_each_other_only_the_smaller_is_looked_at():
    two = [SITES[0], school("U", "small_primary", range(1, 7), rooms=6)]
    model, _, found = fading([(4, 3)] * 3, sites=two, big=4)
    # W has eight and reaches U alone; V's seven reach U, which is not listed since W has no other school
    assert [model.sites[f.site].school_id for f in found] == ["T"]


def test_the_gates_say_what_the_data_say_and_leave_the_rest_to_people():
    model, built, found = fading([(6, 6), (5, 3), (4, 3)])
    table = merger_gates(model, built, found).set_index("gate")
    assert table.loc["few_pupils", ["state", "figures", "year"]].tolist() == ["met", "2028: 12; 2030: 8; 2035: 7", 2030]
    assert table.loc["lower_travel", ["state", "figures"]].tolist() == ["met", "15 / 30"]
    assert table.loc["receiving_classes", ["state", "figures"]].tolist() == ["met", "U 2030: +8; U 2035: +7"]
    assert table.loc["safe_way", ["state", "figures"]].tolist() == ["people", "walk: 15"]
    assert set(table.loc[["parents_heard", "hearing", "public_notice", "building_use"], "state"]) == {"people"}
    # U has 45 of each of two grades in two rooms: eight more are above the standard
    narrow = [SITES[0], school("U", "primary", range(1, 7), rooms=2)]
    model, built, found = fading([(6, 6), (5, 3), (4, 3)], sites=narrow, big=45)
    assert merger_gates(model, built, found).set_index("gate").loc["receiving_classes", "state"] == "not_met"
    assert not len(merger_gates(model, built, []))
