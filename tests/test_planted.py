"""A county whose best plan is known: the plan finds its sites in the right years, what fades and what must stay, and says why."""

import dataclasses

import numpy as np
import openpyxl
import pytest
from planted import planted_county

from layout.aims import Aims
from layout.plan import make_plan
from layout.standards import read_standards
from layout.workbook import write_workbook

STANDARDS = read_standards()
YEARS = (2027, 2028, 2030, 2035)


@pytest.fixture(scope="module")
def plan():
    return make_plan(planted_county(), STANDARDS, years=YEARS)


def of(plan, school):
    rows = plan.proposals[plan.proposals["school_id"] == school]
    assert len(rows) == 1
    return rows.iloc[0]


def test_what_opens_where_and_when(plan):
    """D2 alone lies within half an hour of D1, D2 and D3: (4 + 8 + 4) x 3 children of grades 1 to 3; grades 4 to 6 board at S1.

    A school decided in 2025 can serve from 2027. Nobody lives at R1 before 2028, when M1's 25 children of each age come: 150 pupils of
    grades 1 to 6, enough for a primary school. M1 has its children still in 2027, but nothing opens for a place that empties.
    """
    opened = plan.proposals[plan.proposals["action"] == "open"]
    assert opened[["school_id", "year", "role", "first_grade", "last_grade", "pupils", "needed_to"]].values.tolist() == [
        ["C-D2", 2027, "teaching_point", 1, 3, 48, 2035], ["C-R1", 2028, "primary", 1, 6, 150, 2035],
    ]  # fmt: skip
    # two grades of 16 in a class of 30 are two too many, so each has a room of its own
    assert opened["rooms"].tolist() == [3, 6]
    assert "C-M1" in set(plan.candidates["school_id"]), "a site there was looked at"


def test_the_reasons_have_the_figures(plan):
    point, primary = of(plan, "C-D2"), of(plan, "C-R1")
    assert "3个村寨的48名学生" in point["reason_zh"] and "48 pupils of 3 village(s)" in point["reason_en"]
    assert "1个村寨的150名学生" in primary["reason_zh"] and "in 2028" in primary["reason_en"] and "150 pupils of 1 village(s)" in primary["reason_en"]
    assert "附近没有其他可选校址" in point["reason_zh"]
    for row in (point, primary):
        assert {"law.school_plan", "layout.village_primary", "travel.limit.walk.lower", "decision.notice.min"} <= set(row["clauses"].split(";"))
        assert set(row["clauses"].split(";")) <= set(STANDARDS.rules)
        assert row["gates"].split(";") == ["public_notice", "hear_parents", "site_survey"]
    assert "layout.min_pupils.teaching_point" in point["clauses"] and "layout.min_pupils.primary" in primary["clauses"]
    # a site of 1e6 and three rooms of 30 x 7.8 m2, six of 45 x 7.8 m2, at 3800 yuan
    assert [point["cost_yuan"], primary["cost_yuan"]] == [round(1e6 + 3 * 30 * 7.8 * 3800), round(1e6 + 6 * 45 * 7.8 * 3800)]


def test_the_school_that_fades_is_looked_at_and_never_closed(plan):
    """B1 has 4 children of each age from 6 on in 2025 and one of each below: 18, 15, 9 and 6 of grades 1 to 6, all 26 minutes from S1."""
    row = of(plan, "S2")
    assert row[["action", "year", "pupils", "rooms", "beds", "cost_yuan"]].tolist() == ["review_for_merger", 2030, 9, 0, 0, 0]
    assert all(word in row["reason_zh"] for word in ("2027: 18, 2028: 15, 2030: 9, 2035: 6", "不是撤并建议", "S1学校", "26分钟"))
    gates = plan.merger_gates.set_index("gate")
    assert set(gates["school_id"]) == {"S2"} and set(gates["year"]) == {2030}
    assert gates.loc["few_pupils", ["state", "figures"]].tolist() == ["met", "2027: 18; 2028: 15; 2030: 9; 2035: 6"]
    assert gates.loc["lower_travel", ["state", "figures"]].tolist() == ["met", "26 / 30"]
    assert gates.loc["receiving_classes", "state"] == "met"
    # what people decide stays blank
    for gate in ("parents_heard", "hearing", "public_notice", "building_use"):
        assert gates.loc[gate, ["state", "figures"]].tolist() == ["people", ""]
    there = plan.planned.school_years
    assert all((there.loc[there["year"] == year, "school_id"] == "S2").any() for year in YEARS)


def test_a_school_that_the_county_keeps_is_not_looked_at(plan):
    kept = make_plan(dataclasses.replace(planted_county(), aims=Aims(must_keep=("S2",))), STANDARDS, years=YEARS)
    assert kept.proposals["action"].isin(["review_for_merger", "convert_to_teaching_point"]).sum() == 0 and not len(kept.merger_gates)
    others = plan.proposals[plan.proposals["school_id"] != "S2"]
    own = kept.proposals[kept.proposals["school_id"] != "S2"]
    assert own[["school_id", "year", "action"]].values.tolist() == others[["school_id", "year", "action"]].values.tolist()


def test_the_school_that_must_stay_is_kept(plan):
    """C1 is 2.1 km from S2: 39 minutes for grades 1 to 3, so S3 is the only school within the limit for 5 children of each grade."""
    row = of(plan, "S3")
    assert row[["action", "year"]].tolist() == ["keep", 2027]
    assert all(word in row["reason_zh"] for word in ("应留必留", "C1村", "15名", "30分钟", "39分钟"))
    assert set(plan.must_stay["school_id"]) == {"S3"}


def test_boarders_have_beds_and_the_rest_is_served(plan):
    summary = plan.summary[plan.summary["view"] == "planned"].set_index("year")
    # in 2027 M1's children of grades 1 to 3 have no school in reach and may not board: said, not hidden
    assert summary["no_route"].to_dict() == {2027: 75, 2028: 0, 2030: 0, 2035: 0}
    assert not summary[["beyond_limit", "no_seat", "no_bed", "away"]].to_numpy().any()
    placed = plan.planned.assignment
    boards = placed[placed["mode"] == "board"]
    assert (boards["grade"] >= 4).all() and set(boards["school_id"]) == {"S1"}
    beds = plan.planned.school_years.query("school_id == 'S1'").set_index("year")["beds"]
    assert (boards.groupby("year")["pupils"].sum() <= beds).all()
    added = of(plan, "S1")
    assert added[["action", "year"]].tolist() == ["add_boarding", 2027] and added["beds"] == boards[boards["year"] == 2027]["pupils"].sum() - 150


def test_moves_in_mid_stage_are_named(plan, tmp_path):
    """D1's grade 6 of 2027 reached S3 on foot and boards at S1 now; whoever ends the teaching point at D2 goes on to S1, which it does not teach."""
    moves = plan.mid_stage_moves
    first = moves[moves["year"] == 2027]
    assert first[["settlement_id", "grade", "from_id", "to_id", "pupils", "lost_grade"]].values.tolist() == [["D1", 6, "S3", "S1", 4, False]]
    later = moves[moves["year"] > 2027]
    assert set(later["from_id"]) == {"C-D2"} and later["lost_grade"].all() and set(later["to_id"]) == {"S1"}
    assert later.groupby(["settlement_id", "year", "grade"])["pupils"].sum()["D2", 2030, 4] == 8
    write_workbook(plan, tmp_path / "plan.xlsx")
    write_workbook(plan, tmp_path / "public.xlsx", audience="public")
    inside, public = (openpyxl.load_workbook(tmp_path / name).sheetnames for name in ("plan.xlsx", "public.xlsx"))
    assert "中途转学" in inside and "中途转学" not in public


def test_every_level_is_proven(plan):
    levels = {level["name"]: level for level in plan.manifest["solve"]["levels"]}
    assert levels["without_place"]["objective"] == 75 and levels["beyond_limit"]["objective"] == 0
    assert all(level["status"] == "optimal" and np.isclose(level["gap"], 0, atol=0.01 * max(level["objective"], 1)) for level in levels.values())
