"""A scenario: other figures, and other things asked of the plan."""

import dataclasses
import json

import pytest

from conftest import make_paper
from layout.aims import Aims
from layout.futures import future_of
from layout.plan import make_plan
from layout.scenario import Scenario, read_scenario, scenario_notes, supposed_aims
from layout.standards import read_standards
from layout.tables import CountyDataError

STANDARDS = read_standards()


def test_tables_of_a_scenario_file(tmp_path):
    text = 'format = 1\nvariant = "low"\n[plan]\nyears = [2027]\nbudget = { 2027 = 1e6 }\nmust_keep = ["S1"]\n[standards]\n"travel.limit.walk.lower" = 25\n'
    (tmp_path / "small.toml").write_text(text, encoding="utf-8")
    found = read_scenario(tmp_path / "small.toml")
    assert (found.name, found.variant) == ("small", "low")
    assert json.loads(found.plan) == {"years": [2027], "budget": {"2027": 1e6}, "must_keep": ["S1"]}
    assert json.loads(found.standards) == {"travel.limit.walk.lower": 25}
    # what the map or a manifest keeps is read as it is
    (tmp_path / "again.json").write_text(json.dumps(dataclasses.asdict(found), ensure_ascii=False), encoding="utf-8")
    assert read_scenario(tmp_path / "again.json") == found
    assert "标准变化" in scenario_notes(found)[0][1]["settings"] and "规划要求" in scenario_notes(found)[0][1]["settings"]


def test_what_it_asks_takes_the_place_of_what_the_county_asks():
    county = Aims(years=(2026, 2030), budget={2026: 5.0}, most_open=2)
    asked = supposed_aims(county, Scenario(plan='{"most_open": 0, "must_keep": ["S2", "S1"]}'), base_year=2025)
    assert asked == Aims(years=(2026, 2030), budget={2026: 5.0}, must_keep=("S1", "S2"), most_open=0)
    assert supposed_aims(county, Scenario(), base_year=2025) == county


@pytest.mark.parametrize(
    ("scenario", "column"),
    [
        (Scenario(plan="[1]"), "plan"),
        (Scenario(standards="{"), "standards"),
        (Scenario(plan='{"years": [2020]}'), "plan.years"),
        (Scenario(plan='{"must_keep": "S1"}'), "plan.must_keep"),
        (Scenario(standards='{"travel.limit.walk.lowest": 25}'), "travel.limit.walk.lowest"),
        (Scenario(standards='{"travel.limit.walk.lower": -1}'), "travel.limit.walk.lower"),
    ],
)
def test_what_it_cannot_ask_is_refused(scenario, column):
    with pytest.raises(CountyDataError) as error:
        make_plan(make_paper(), scenario=scenario)
    assert [p.column for p in error.value.problems] == [column]


def test_a_plan_keeps_to_it():
    paper = make_paper()
    small = Scenario(name="small", standards='{"class_size.yzjh.junior.max": 25}', plan='{"years": [2026]}')
    plan, plain = make_plan(paper, scenario=small), make_plan(paper, years=[2026])
    assert plan.years == plain.years == (2025, 2026) and plan.standards["class_size.yzjh.junior.max"] == 25
    rooms = [p.proposals.loc[p.proposals["action"] == "expand", "rooms"].sum() for p in (plain, plan)]
    # 90 pupils of grades 7-9, 30 in each: one class of 50 or two of 25 in each grade
    assert rooms[1] - rooms[0] == 3
    future = future_of(paper, STANDARDS, small, years=[2026])
    assert future.standards["class_size.yzjh.junior.max"] == 25 and future.county.aims.years == (2026,)


def test_a_school_that_must_be_kept_and_is_not_there_is_named():
    from layout.hindrances import NoPlanError

    with pytest.raises(NoPlanError, match="the school S9 that must be kept is not in the table of schools"):
        make_plan(make_paper(), to=2026, scenario=Scenario(plan='{"must_keep": ["S9"]}'))


def test_a_budget_of_no_plan_year_is_not_dropped_in_silence():
    plan = make_plan(make_paper(), to=2026, scenario=Scenario(plan='{"budget": {"2026": 1e9, "2027": 1e6}}'))
    told = [fields for key, fields in plan.county.notes if key == "note.budget_years"]
    assert told == [{"others": "2027", "years": "2026"}]
    assert not [key for key, _ in make_plan(make_paper(), to=2026).county.notes if key == "note.budget_years"]
