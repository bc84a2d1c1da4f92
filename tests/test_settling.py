"""Who goes where once the buildings stand, what is then taken back, and where the children are, by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hand_model import model_of, school

from layout.built import Built, evaluate, formed_at, trimmed, without_idle_beds
from layout.classrooms import Classes
from layout.programme import grade_sums
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
