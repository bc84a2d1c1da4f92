"""What one thing less would mean, by hand."""

import dataclasses

import numpy as np
import pytest
from hand_model import candidate, model_of, school

from layout.built import Built, formed_at
from layout.marginal import Loss, last_child, loss_without, next_best, yearly_money
from layout.programme import grade_sums
from layout.standards import read_standards

STANDARDS = read_standards()
SHARE = 0.06 / (1 - 1.06**-50)
ROOM = 30 * 7.8 * 3800
# A has ten children, 40 minutes from S and 10 from X, 25 from Y; B's six walk 5 minutes to S
WAYS = [("A", "S", "walk", 40.0, 10.0), ("A", "X", "walk", 10.0, 0.0), ("A", "Y", "walk", 25.0, 0.0), ("B", "S", "walk", 5.0, 0.0)]
TEN, SIX = {1: 4, 2: 3, 3: 3}, {1: 2, 2: 2, 3: 2}


def planned(*, ways=WAYS, years=(2030,), weights=(1,), standards=STANDARDS, s_rooms=1, added=0, six=SIX):
    """X is open with one room and takes A; B stays at S."""
    sites = [school("S", "teaching_point", (1, 2, 3), rooms=s_rooms, more_rooms=2), candidate("X", "small"), candidate("Y", "small")]
    children = {(v, t): n for v, n in (("A", TEN), ("B", six)) for t in range(len(years))}
    model = model_of(standards, sites, children, ways, years=years, weights=weights)
    flows, demands = model.journeys.flows, model.journeys.demands
    village = demands["settlement_id"].to_numpy()[flows["demand"]]
    shares = (((village == "A") & (flows["site"] == 1)) | ((village == "B") & (flows["site"] == 0))).to_numpy(float)
    parts = {(1, t): ("small",) for t in range(len(years))}
    loads = grade_sums(model, shares)
    classes = {
        (k, g, t): formed_at(model, parts, loads, k, g, t, n) for k, g, n in ((0, "", s_rooms + added), (1, "small", 1)) for t in range(len(years))
    }
    rooms = {**{(0, "", t): added for t in range(len(years))}, **{(1, "small", t): 1 for t in range(len(years))}}
    return model, Built(parts, rooms, {}, classes, shares, np.zeros(len(demands)))


def test_without_a_school_its_children_walk_on():
    model, built = planned()
    assert loss_without(model, built, 1) == Loss(0.0, 10.0, 100.0, 300.0, 10.0)
    # Y in its place: within the limit, 15 minutes more for each
    assert loss_without(model, built, 1, instead=2) == Loss(0.0, 0.0, 0.0, 150.0, 10.0)
    # over plan years that speak for four and one: five times as much
    model, built = planned(years=(2030, 2034), weights=(4, 1))
    assert loss_without(model, built, 1) == Loss(0.0, 50.0, 500.0, 1500.0, 50.0)


def test_without_any_other_school_they_have_no_place():
    model, built = planned(ways=[w for w in WAYS if w[:2] != ("A", "S")])
    assert loss_without(model, built, 1) == Loss(10.0, 0.0, 0.0, 0.0, 10.0)


def test_the_next_best_site_and_whether_it_could_open():
    model, built = planned()
    rival = next_best(model, built, 1)
    assert (rival.site, rival.too_few, rival.loss.minutes) == (2, False, 150.0)
    rules = {k: dataclasses.replace(r, value=11.0) if k == "layout.min_pupils.teaching_point" else r for k, r in STANDARDS.rules.items()}
    model, built = planned(standards=dataclasses.replace(STANDARDS, rules=rules))
    assert next_best(model, built, 1).too_few
    model, built = planned(ways=[w for w in WAYS if w[1] != "Y"])
    assert next_best(model, built, 1) is None


def test_what_a_small_school_costs_a_year():
    model, built = planned()
    # site and room written off, staff of one class, running money for the ninety pupils that are not there
    year = SHARE * (1e6 + ROOM) + 170_000 + 90 * 720
    assert yearly_money(model, built, 1, 0) == pytest.approx(year)
    assert yearly_money(model, built, 2, 0) == 0


def test_the_price_of_the_last_child():
    model, built = planned(years=(2030, 2034), weights=(4, 1))
    found = last_child(model, built, [1])
    year = round(SHARE * (1e6 + ROOM) + 170_000 + 90 * 720)
    assert found == {"beyond_limit": {"school_id": "X", "yuan_a_year": year, "children_a_year": 10.0, "yuan_a_child": round(year / 10)}}


def test_the_price_of_the_last_child_above_the_standard():
    """B has 34 children in one room of S, four above the thirty of a mixed class; a second room takes them."""
    model, built = planned(six={1: 14, 2: 10, 3: 10}, added=1)
    found = last_child(model, built, [1])["above_standard"]
    # a room of S: written off, with the staff of its class
    year = SHARE * ROOM + 170_000
    assert found == {"school_id": "S", "yuan_a_year": round(year), "children_a_year": 4.0, "yuan_a_child": round(year / 4)}
