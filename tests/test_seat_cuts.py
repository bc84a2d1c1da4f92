"""Rows of whole classes: by hand, never broken by a whole plan, and never by any classes that can be formed."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hand_model import candidate, model_of, school
from scipy import sparse
from test_few_schools import model_of_county
from test_programme import tiny

from layout import buildings, few_schools
from layout.built import evaluate
from layout.few_schools import level_bound, plan_values, whole_classes
from layout.programme import write_programme
from layout.relaxations import least_value, tightened
from layout.seat_cuts import seat_cuts
from layout.solver import Rows
from layout.standards import read_standards

STANDARDS = read_standards()


def relaxed(program, costs):
    return least_value(program, costs, cuts=False)


def all_placed(programme):
    upper = programme.program.upper.copy()
    upper[programme.columns.none] = 0.0
    return replace(programme.program, upper=upper)


def point(children, *, rooms=3, more_rooms=0, ways=()):
    """A teaching point, classes of 30, in a single year; with ``ways`` to elsewhere."""
    sites = [school("T", "teaching_point", (1, 2, 3), rooms=rooms, more_rooms=more_rooms), school("P", "primary", range(1, 7), rooms=9)]
    return model_of(STANDARDS, sites, {("A", 0): children}, [("A", "T", "walk", 5.0, 0.0), *ways])


def test_three_rooms_hold_three_whole_classes():
    """44, 10 and 40 children in three rooms: parts of classes put 90 of the 94 into them, whole ones 74 (2 + 0 + 1 classes), none holds more."""
    model = point({1: 44, 2: 10, 3: 40})
    programme = write_programme(model)
    above, program = programme.objectives["above_standard"], all_placed(programme)
    assert relaxed(program, above) == pytest.approx(4.0)
    assert relaxed(tightened(program, above, seat_cuts(model, programme)), above) == pytest.approx(20.0)


def test_a_row_by_hand():
    """41 children of a grade, classes of 30: a second class holds the last 11, whether it is there or they are above the standard or elsewhere."""
    model = point({1: 41}, ways=[("A", "P", "walk", 20.0, 0.0)])
    programme = write_programme(model)
    columns = programme.columns
    values = np.zeros(len(programme.program.lower))
    flow = {model.sites[k].school_id: f for f, k in enumerate(model.journeys.flows["site"])}
    values[flow["T"]], values[columns.classes[0, "", 0, 1]] = 1.0, 41 / 30
    found = seat_cuts(model, programme)(values)
    row = dict(zip(found.matrix.indices.tolist(), found.matrix.data.tolist(), strict=True))
    assert row == {flow["T"]: -41.0, columns.classes[0, "", 0, 1]: 11.0, columns.over[0, 0, 1]: 1.0}
    # those that come: 41 - 11 x (2 - classes) - above
    assert found.lower.tolist() == [-19.0] and np.isinf(found.upper).all()


def test_whole_classes_break_nothing():
    model = point({1: 41, 2: 30})
    programme = write_programme(model)
    values = np.zeros(len(programme.program.lower))
    values[0] = 1.0
    values[programme.columns.classes[0, "", 0, 1]], values[programme.columns.classes[0, "", 0, 2]] = 2.0, 1.0
    assert seat_cuts(model, programme)(values) is None


def test_grades_together_count_for_each_of_them():
    """A new small school of a single room: its grades sit together, and no row says otherwise."""
    model = model_of(STANDARDS, [candidate("N", "small")], {("A", 0): {1: 9, 2: 9, 3: 9}}, [("A", "N", "walk", 5.0, 0.0)])
    programme = write_programme(model)
    columns = programme.columns
    values = np.zeros(len(programme.program.lower))
    values[0], values[columns.state[0, "small", 0]] = 1.0, 1.0
    values[columns.runs[0, "small", 0, (1, 2, 3)]] = 1.0
    broken = seat_cuts(model, programme)
    assert broken(values) is None
    values[columns.runs[0, "small", 0, (1, 2, 3)]] = 0.5
    found = broken(values)
    assert found.matrix.shape[0] == 3 and (found.matrix[:, columns.runs[0, "small", 0, (1, 2, 3)]].toarray() == 9.0).all()


@pytest.mark.parametrize("seed", range(6))
def test_rows_hold_for_all_classes_and_shares(seed):
    """Every row that any values give, against every number of classes and each corner of who comes, with as few above the standard as can be."""
    rng = np.random.default_rng(seed)
    children = {(v, 0): {1: int(rng.integers(1, 40))} for v in "ABCD"}
    sites = [school("T", "teaching_point", (1, 2, 3), rooms=9), school("P", "primary", range(1, 7), rooms=9)]
    model = model_of(STANDARDS, sites, children, [(v, s, "walk", 5.0, 0.0) for v in "ABCD" for s in "TP"])
    programme = write_programme(model)
    columns, broken = programme.columns, seat_cuts(model, programme)
    at = np.flatnonzero(model.journeys.flows["site"].to_numpy() == 0)
    size, pupils = model.size(0, "", 1, 0), np.array([children[v, 0][1] for v in "ABCD"], float)
    seen = 0
    for _ in range(40):
        values = np.zeros(len(programme.program.lower))
        values[at] = rng.random(4)
        values[columns.classes[0, "", 0, 1]] = rng.random() * 4
        found = broken(values)
        if found is None:
            continue
        seen += 1
        assert ((found.matrix @ values) < found.lower).all()
        for classes, *shares in itertools.product(range(6), *[(0.0, 0.5, 1.0)] * 4):
            whole = np.zeros(len(values))
            whole[at], whole[columns.classes[0, "", 0, 1]] = shares, classes
            whole[columns.over[0, 0, 1]] = max(pupils @ np.array(shares) - size * classes, 0.0)
            assert (found.matrix @ whole >= found.lower - 1e-9).all()
    assert seen >= 5


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_the_best_plan_keeps_every_row(seed):
    model = model_of_county(tiny(seed)[0])
    built = buildings.search(model, gap=0.0, work_limit=2000, time_limit=60).built
    programme = write_programme(model)
    values, broken = plan_values(model, programme, built), seat_cuts(model, programme)
    assert broken(values) is None
    costs = programme.objectives
    finer = tightened(programme.program, costs["above_standard"] + 1e-3 * costs["money"], broken, rounds=9)
    assert (finer.matrix @ values >= finer.row_lower - 1e-5).all()


def test_seats_are_bounded_where_parts_of_classes_see_none_short():
    """The teaching point with one room more to be built: 2 + 1 + 1 classes leave the 10 of the third grade."""
    model = point({1: 44, 2: 10, 3: 40}, more_rooms=1)
    parts = write_programme(model, exact=set())
    built = buildings.search(model, gap=0.0, work_limit=2000, time_limit=60).built
    reached = {name: sum(sums) for name, sums in evaluate(model, built).items()}
    assert reached["above_standard"] == 10.0
    assert relaxed(all_placed(parts), parts.objectives["above_standard"]) == 0.0
    assert level_bound(whole_classes(model, parts, built), "above_standard", reached) == pytest.approx(10.0)


def test_very_large_counties_go_without(monkeypatch):
    model = point({1: 44, 2: 10, 3: 40}, more_rooms=1)
    parts = write_programme(model, exact=set())
    built = buildings.search(model, gap=0.0, work_limit=2000, time_limit=60).built
    reached = {name: sum(sums) for name, sums in evaluate(model, built).items()}
    many = len(whole_classes(model, parts, built).program.row_lower)
    monkeypatch.setattr(few_schools, "_CUTS", 0)
    whole = whole_classes(model, parts, built)
    assert len(whole.program.row_lower) == len(write_programme(model).program.row_lower) < many
    assert level_bound(whole, "above_standard", reached) == -np.inf
    # years alone are bounded there, as where the time was over
    monkeypatch.setattr(buildings, "_EXACT", -1)
    found = buildings.search(model, gap=0.01, work_limit=2000, time_limit=60)
    above = next(level for level in found.levels if level.name == "above_standard")
    assert (above.objective, above.status) == (pytest.approx(10.0), "optimal")


def test_rounds_end_where_nothing_is_lifted_or_they_are_used():
    program = write_programme(point({1: 44})).program
    costs, asked = np.ones(len(program.lower)), []

    def always(values):
        asked.append(values)
        return Rows(sparse.csr_matrix(np.ones((1, len(values)))), np.array([5.0 * len(asked)]), np.array([np.inf]))

    assert len(tightened(program, costs, always, rounds=3).row_lower) == len(program.row_lower) + 3 and len(asked) == 3
    asked.clear()
    idle = Rows(sparse.csr_matrix(np.ones((1, len(costs)))), np.array([-1.0]), np.array([np.inf]))
    assert len(tightened(program, costs, lambda values: asked.append(1) or idle, rounds=9).row_lower) == len(program.row_lower) + 1
    assert len(asked) == 1
