"""Sites and ways of the search, by hand: from which year a site may open, and which of many ways are kept."""

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hand_model import candidate, model_of, school

from conftest import CRS, at
from layout.built import evaluate, whole_plan
from layout.horizon import horizon_of
from layout.programme import LEVELS, MONEY, room_year, site_year, write_programme
from layout.programs import solve
from layout.siting import _NEAR, _ways_kept, sites_of
from layout.standards import read_standards

STANDARDS = read_standards()


def test_a_site_opens_in_its_own_year_else_when_a_school_is_built(paper):
    horizon = horizon_of([2026, 2030, 2035], 2025, STANDARDS)
    about = {
        "school_id": ["N1", "N2", "N3"],
        "name": ["甲", "乙", "丙"],
        "township_id": "T1",
        "origin": "county_list",
        "flags": "",
        "earliest_year": pd.array([2034, 2026, pd.NA], "Int64"),
    }
    found = sites_of(paper, gpd.GeoDataFrame(about, geometry=[at(4.5), at(8.6), at(3.0)], crs=CRS), horizon, STANDARDS)
    assert {s.school_id: s.first_year for s in found if not s.existing} == {"N1": 2034, "N2": 2026, "N3": horizon.schools} and horizon.schools == 2027


def test_the_school_for_whose_room_farther_ones_go_is_kept_itself():
    """Nine schools within the limit of A, of which only the farthest cannot be full: the way beyond the limit goes, the ninth stays."""
    sites = [school(f"S{k}", "primary", range(1, 7), rooms=6) for k in range(10)]
    places = pd.DataFrame({"settlement_id": ["A"], "band": ["lower"], "first": [1]})
    minutes = np.array([*np.arange(10.0, 28.0, 2.0), 40.0])
    ways = pd.DataFrame({
        "settlement_id": "A", "school_id": [s.school_id for s in sites], "band": "lower", "mode": "walk", "minutes": minutes,
        "beyond": minutes > 30, "excess": np.maximum(minutes - 30, 0),
    })  # fmt: skip
    roomy = np.arange(10) == 8
    assert _ways_kept(places, ways, sites, roomy)["site"].tolist() == [*range(_NEAR), 8]
    # where every one may be full, the nearest are kept and some beyond the limit
    assert _ways_kept(places, ways, sites, np.zeros(10, bool))["site"].tolist() == [9, *range(_NEAR)]


@pytest.mark.parametrize(("cap", "pupils", "missing"), [(99.0, 60, 40), (150.0, 60, 40), (150.0, 120, 0)])
def test_nobody_is_paid_for_pupils_beyond_the_floor(cap, pupils, missing):
    """A new small school is funded as if it had 100 pupils; one with 120, where a county allows as many, costs nothing on that account, not less."""
    rule = dataclasses.replace(STANDARDS.rules["layout.small_school.max"], value=cap)
    standards = dataclasses.replace(STANDARDS, rules={**STANDARDS.rules, "layout.small_school.max": rule})
    grades = {g: pupils // 6 for g in range(1, 7)}
    children = {("A", 0): {g: n for g, n in grades.items() if g < 4}, ("B", 0): {g: n for g, n in grades.items() if g > 3}}
    model = model_of(standards, [candidate("N", "small", "village")], children, [(v, "N", "walk", 5.0, 0.0) for v in "AB"])
    programme = write_programme(model)
    found = solve(programme.program, {name: programme.objectives[name] for name in LEVELS})
    built = whole_plan(model, programme, found)[0]
    assert sum(evaluate(model, built)["without_place"]) == 0 and "small" in built.parts[0, 0]
    money = sum(count * room_year(model, 0, group)[1] for (_, group, _), count in built.rooms.items())
    money += site_year(model)[1] + missing * standards["fund.per_pupil.primary"]
    assert evaluate(model, built)["money"][0] * MONEY == pytest.approx(money, abs=0.01)
    assert next(level for level in found.levels if level.name == "money").objective * MONEY == pytest.approx(money, abs=1.0)
