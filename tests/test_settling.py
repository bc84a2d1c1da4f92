"""Who goes where once the buildings stand, what is then taken back, and where the children are, by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hand_model import candidate, model_of, school

from layout.buildings import search
from layout.built import Built, evaluate, formed_at, trimmed, without_idle_beds
from layout.classrooms import Classes
from layout.programme import grade_sums
from layout.seats import school_of, whole_classes
from layout.settling import settled
from layout.standards import read_standards
from layout.whereabouts import mean_minutes, whereabouts

STANDARDS = read_standards()
JUNIOR = {7: 20, 8: 10, 9: 10}


def built_of(model, *, to, rooms, beds=None):
    """Everybody goes to one site (``to``: village -> site, mode)."""
    flows, demands = model.journeys.flows, model.journeys.demands
    village = demands["settlement_id"].to_numpy()[flows["demand"]]
    shares = np.array([float(to[v] == (model.sites[k].school_id, m)) for v, k, m in zip(village, flows["site"], flows["mode"], strict=True)])
    loads, years = grade_sums(model, shares), range(len(model.horizon.years))
    added = {(k, "", t): rooms.get((s.school_id, t), 0) for k, s in enumerate(model.sites) for t in years}
    classes = {(k, "", t): formed_at(model, {}, loads, k, "", t, model.sites[k].rooms + n) for (k, _, t), n in added.items()}
    stand = {(k, t): (beds or {}).get((s.school_id, t), 0) for k, s in enumerate(model.sites) if s.more_beds for t in years}
    return Built({}, added, stand, classes, shares, np.zeros(len(demands)))


def two_schools(**options):
    """N is 10 minutes away, F 30, both within the limit; M's children board at F or walk 60 minutes, 20 too many."""
    sites = [school("F", "junior", (7, 8, 9), rooms=6, more_rooms=3, more_beds=60), school("N", "junior", (7, 8, 9), rooms=3, more_rooms=3)]
    ways = [("A", "N", "walk", 10.0, 0.0), ("A", "F", "walk", 30.0, 0.0), ("M", "F", "walk", 60.0, 20.0), ("M", "F", "board", 50.0, 0.0)]
    children = {(v, t): JUNIOR for v in "AM" for t in range(len(options.get("years", (2030,))))}
    return model_of(STANDARDS, sites, children, ways, **options)


def test_children_go_where_the_way_is_shortest_and_nobody_loses():
    model = two_schools()
    first = built_of(model, to={"A": ("F", "walk"), "M": ("F", "board")}, rooms={("F", 0): 2}, beds={("F", 0): 55})
    # without classes at N nobody can go there: classes stand as they are
    assert whereabouts(model, settled(model, first)[0])["site"].tolist() == [0, 0]
    ready = dataclasses.replace(first, classes={**first.classes, (1, "", 0): Classes({(7,): 1, (8,): 1, (9,): 1}, 3, 0.0)})
    found, levels, status = settled(model, ready)
    people = whereabouts(model, found)
    assert people[["site", "settlement_id", "mode", "pupils"]].values.tolist() == [[0, "M", "board", 40.0], [1, "A", "walk", 40.0]]
    # the rooms that F no longer needs go, and the beds in which nobody sleeps
    assert (found.rooms[0, "", 0], found.beds[0, 0]) == (0, 40)
    # 40 x 10 minutes by day, a fifth of 40 x 50 by the week; M's usual school is F and A's is N
    assert status == "optimal" and {level.name: level.objective for level in levels} == pytest.approx({"minutes": 400 + 400, "change": 0})
    assert [sum(v) for name, v in evaluate(model, found).items() if name != "money"] == [0, 0, 0, 0]


def test_money_goes_before_minutes():
    """M's boarders cost 300 yuan each; where they can walk within the limit they do."""
    sites = [school("F", "junior", (7, 8, 9), rooms=6, more_beds=60)]
    model = model_of(STANDARDS, sites, {("M", 0): JUNIOR}, [("M", "F", "walk", 35.0, 0.0), ("M", "F", "board", 10.0, 0.0)])
    found, _, _ = settled(model, built_of(model, to={"M": ("F", "board")}, rooms={}, beds={("F", 0): 40}))
    assert set(whereabouts(model, found)["mode"]) == {"walk"} and found.beds[0, 0] == 0


@pytest.mark.parametrize(("budget", "kept"), [({}, [0, 1]), ({2030: 1e7, 2034: 0.0}, [1, 1])])
def test_what_a_budget_made_come_early_stays(budget, kept):
    """A seventh room of F is needed in the second plan year alone, which has no money: it is not put off to it."""
    model = two_schools(years=(2030, 2034), weights=(4, 1), budget=budget)
    demands = model.journeys.demands
    demands.loc[demands["at"].eq(1) & demands["settlement_id"].eq("M"), [7, "total"]] = [120, 140]
    to = {"A": ("N", "walk"), "M": ("F", "board")}
    first = built_of(model, to=to, rooms={("F", 0): 1, ("F", 1): 1}, beds={("F", 0): 60, ("F", 1): 60})
    found = trimmed(model, first)
    # 120 in three classes of 50, 10 and 10 in one each: five rooms are enough, so nothing more is needed then
    assert [found.rooms[0, "", t] for t in (0, 1)] == [0, 0]
    demands.loc[demands["at"].eq(1) & demands["settlement_id"].eq("M"), [7, "total"]] = [240, 260]
    found = trimmed(model, built_of(model, to=to, rooms={("F", 0): 1, ("F", 1): 1}, beds={("F", 0): 60, ("F", 1): 60}))
    assert [found.rooms[0, "", t] for t in (0, 1)] == kept


def test_idle_beds_are_taken_back_from_their_year_on():
    model = two_schools(years=(2030, 2034), weights=(4, 1))
    built = built_of(model, to={"A": ("N", "walk"), "M": ("F", "board")}, rooms={}, beds={("F", 0): 40, ("F", 1): 50})
    assert without_idle_beds(model, built, {("F", 2030): 10, ("F", 2034): 45}).beds == {(0, 0): 10, (0, 1): 45}
    # a bed that was needed stays though nobody sleeps in it later
    assert without_idle_beds(model, built, {("F", 2030): 30}).beds == {(0, 0): 30, (0, 1): 30}
    paid = dataclasses.replace(model, budget={2030: 1e7})
    assert without_idle_beds(paid, built, {("F", 2034): 45}).beds == {(0, 0): 40, (0, 1): 45}


def test_where_the_children_are_and_where_they_were():
    model = two_schools()
    built = built_of(model, to={"A": ("F", "walk"), "M": ("F", "board")}, rooms={("F", 0): 2}, beds={("F", 0): 40})
    found = whereabouts(model, built)
    expected = pd.DataFrame([
        {"site": 0, "at": 0, "settlement_id": "A", "band": "junior", "mode": "walk", "pupils": 40.0, "minutes": 30.0, "before": 10.0, "late": False},
        {"site": 0, "at": 0, "settlement_id": "M", "band": "junior", "mode": "board", "pupils": 40.0, "minutes": 50.0, "before": 60.0, "late": True},
    ])  # fmt: skip
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert mean_minutes(found, "minutes") == 40.0 and mean_minutes(found, "before") == 35.0
    # whole children of an assignment instead of shares; schools and years that the plan does not know are left out
    rows = pd.DataFrame([("A", 2030, 7, "N", "walk", 20, 10.0), ("M", 2030, 8, "F", "board", 9, 50.0), ("M", 2031, 8, "F", "board", 9, 50.0), ("M", 2030, 8, "", "", 1, np.nan)],
                        columns=["settlement_id", "year", "grade", "school_id", "mode", "pupils", "minutes"])  # fmt: skip
    assert whereabouts(model, built, rows)[["site", "settlement_id", "pupils", "late"]].values.tolist() == [[0, "M", 9, True], [1, "A", 20, False]]


def test_grades_sit_together_only_in_fewer_rooms_than_grades():
    """Fifty, five and five children: one room holds them together, two both classes of the first grade, three a further grade, four all."""
    sites = [school("P", "teaching_point", (1, 2, 3), rooms=2, more_rooms=3)]
    model = model_of(STANDARDS, sites, {("A", 0): {1: 50, 2: 5, 3: 5}}, [("A", "P", "walk", 10.0, 0.0)])
    loads = grade_sums(model, np.ones(1))
    formed = {rooms: formed_at(model, {}, loads, 0, "", 0, rooms) for rooms in (1, 2, 3, 4)}
    assert {n: (dict(f.classes), f.rooms, f.over) for n, f in formed.items()} == {
        1: ({(1, 2, 3): 1}, 1, 30.0), 2: ({(1,): 2, (2,): 0, (3,): 0}, 2, 10.0), 3: ({(1,): 2, (2,): 1, (3,): 0}, 3, 5.0),
        4: ({(1,): 2, (2,): 1, (3,): 1}, 4, 0.0),
    }  # fmt: skip
    # fewer children: one room does, unless three stand already
    few = loads * np.array([0.4, *[1.0] * 8])
    assert [formed_at(model, {}, few, 0, "", 0, 3, standing=n).rooms for n in (1, 2, 3)] == [1, 1, 3]
    # what is searched for keeps to it: two rooms of today and two more
    built = search(model, gap=0.0, work_limit=None, time_limit=60.0).built
    assert (built.rooms[0, "", 0], dict(built.classes[0, "", 0].classes)) == (2, formed[4].classes)


@pytest.mark.parametrize(("pupils", "rooms", "classes"), [((50, 5, 5), 4, {(1,): 2, (2,): 1, (3,): 1}), ((20, 5, 5), 1, {(1, 2, 3): 1})])
def test_a_new_small_school_has_a_room_for_each_grade_or_puts_grades_together(pupils, rooms, classes):
    children = {("A", 0): dict(zip((1, 2, 3), pupils, strict=True))}
    model = model_of(STANDARDS, [candidate("C", "small")], children, [("A", "C", "walk", 10.0, 0.0)])
    built = search(model, gap=0.0, work_limit=None, time_limit=60.0).built
    assert (built.rooms[0, "small", 0], dict(built.classes[0, "small", 0].classes)) == (rooms, classes)
    # and where everybody is placed, the same seats are found
    there = school_of("C", "teaching_point", first_grade=1, last_grade=3, rooms=rooms, beds=0, standards=STANDARDS)
    seats = whole_classes([there], np.array([[*map(float, pupils), *[0.0] * 6]]), STANDARDS)
    assert sum(s.seats for s in seats) >= sum(pupils) and {s.grades for s in seats} == set(classes)
