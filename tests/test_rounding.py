"""Whole classes from parts of classes, by hand."""

import pytest
from hand_model import model_of, school

from layout.built import evaluate
from layout.programme import LEVELS, grade_sums, write_programme
from layout.programs import solve
from layout.rounding import rounded
from layout.standards import read_standards

STANDARDS = read_standards()


def solved(model):
    """Parts of classes at every school of today."""
    programme = write_programme(model, exact=[])
    return programme, solve(programme.program, {name: programme.objectives[name] for name in LEVELS})


def two_schools(*, more=0):
    """45 children in each of grades 1 and 2, P with one room and Q with two, both in reach."""
    sites = [school("P", "primary", range(1, 7), rooms=1), school("Q", "primary", range(1, 7), rooms=2 - more, more_rooms=more)]
    return model_of(STANDARDS, sites, {("A", 0): {1: 45, 2: 45}}, [("A", "P", "walk", 5.0, 0.0), ("A", "Q", "walk", 25.0, 0.0)])


def classes_fit(model, built):
    loads = grade_sums(model, built.shares)
    for (k, group, t), formed in built.classes.items():
        assert sum(formed.classes.values()) <= model.sites[k].rooms + built.rooms.get((k, group, t), 0)
        over = sum(max(loads[k, t, g - 1] - formed.classes.get((g,), 0) * model.size(k, group, g, t), 0) for g in range(1, 7))
        assert over == pytest.approx(formed.over, abs=1e-4)
    return built.classes


def test_half_a_class_of_two_grades_is_no_class():
    """By parts P's room holds half of both grades; in whole classes all go to Q, which has a room for each grade."""
    model = two_schools()
    programme, found = solved(model)
    assert found.levels[3].objective == pytest.approx(0)
    built = rounded(model, programme, found, time_limit=30)
    classes_fit(model, built)
    assert sum(evaluate(model, built)["above_standard"]) == pytest.approx(0, abs=1e-3)
    assert grade_sums(model, built.shares)[:, 0, 0].tolist() == pytest.approx([0, 45], abs=1e-3)
