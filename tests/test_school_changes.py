"""What a meeting saved: read, refused in words, and planned exactly."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import layout
from conftest import make_paper
from layout.cli import app
from layout.plan import make_plan
from layout.saved_plan import read_plan
from layout.scenario import Scenario, read_scenario
from layout.school_changes import changed_standards, read_changes, school_fingerprint
from layout.tables import CountyDataError

NEW = {"school_id": "new-1", "name": "新校", "kind": "teaching_point", "lon": 117.0894, "lat": 26.66, "first_grade": 1, "last_grade": 3, "rooms": 3, "beds": 0}  # fmt: skip
MORE = {"school_id": "S2", "kind": "nine_year", "first_grade": 1, "last_grade": 9, "rooms": 18, "beds": 200}


def text_of(county, **changes):
    return json.dumps({"county": county.code, "schools_sha256": school_fingerprint(county.schools), "year": 2026, **changes}, ensure_ascii=False)


def place_of(county, village):
    point = county.settlements.to_crs(4326).set_index("settlement_id").geometry[village]
    return {"lon": round(point.x, 5), "lat": round(point.y, 5)}


def keys(county, text):
    with pytest.raises(CountyDataError) as caught:
        read_changes(text, county)
    return [(p.key, p.column) for p in caught.value.problems]


def test_another_county_or_other_schools_are_refused(paper, change):
    text = text_of(paper, closed=["S1"])
    assert read_changes(text, paper).closed == ("S1",)
    assert keys(change(paper, code="520123"), text) == [("changes_of_other_county", "county")]
    more = change(paper, schools=paper.schools.assign(rooms=[7, 9]))
    assert keys(more, text) == [("changes_of_other_schools", "schools_sha256")]
    # a name or a place is no other school
    renamed = change(paper, schools=paper.schools.assign(name="x"))
    assert read_changes(text, renamed).closed == ("S1",)


def test_what_is_broken_is_said_at_once(paper):
    assert keys(paper, "{") == keys(paper, "[1]") == keys(paper, "3") == [("unreadable_changes", "")]
    assert keys(paper, "[" * 100_000) == [("unreadable_changes", "")]
    assert keys(paper, text_of(paper, year="2030", closed=["S9", 4], colour="red")) == [
        ("bad_setting", "colour"), ("bad_setting", "year"), ("unknown_school", "closed"), ("unknown_school", "closed"),
    ]  # fmt: skip
    assert keys(paper, text_of(paper, closed={"S1": 1}, changed=[{**MORE, "rooms": -1}, {**MORE, "beds": 1.5}, {"school_id": "S2"}])) == [
        ("bad_setting", "closed"), ("bad_setting", "changed.rooms"), ("bad_setting", "changed.beds"), ("bad_setting", "changed"),
    ]  # fmt: skip
    wrong = [{**NEW, "lon": 900}, {**NEW, "lat": float("inf")}, {**NEW, "kind": "special"}, {**NEW, "last_grade": 0}, {**NEW, "name": "x" * 201}, {**NEW, "school_id": ""}]  # fmt: skip
    assert [column for _, column in keys(paper, text_of(paper, new=wrong))] == [
        "new.lon", "new.lat", "new.kind", "new.last_grade", "new.name", "new.school_id",
    ]  # fmt: skip
    assert keys(paper, text_of(paper, new=[{**NEW, "school_id": "S1"}, NEW, NEW])) == [("school_there_already", "new"), ("school_twice", "new")]
    assert keys(paper, text_of(paper, limits={"walk.lower": 0, "fly": 3}, class_size=[45])) == [
        ("bad_setting", "limits.walk.lower"), ("bad_setting", "limits.fly"), ("bad_setting", "class_size"),
    ]  # fmt: skip


def test_moved_figures_are_those_of_the_scenario(paper):
    changes = read_changes(text_of(paper, limits={"bus.upper": 50, "week": 90}, class_size={"junior": 45, "primary_incomplete": 20}), paper)
    moved = changed_standards(layout.read_standards(), changes)
    assert (moved.limit("bus", "upper"), moved.limit("week", "junior"), moved.limit("walk", "lower")) == (50, 90, 30)
    assert (moved.class_size(7), moved.class_size(1, incomplete=True), moved.class_size(1)) == (45, 20, 45)
    rule = moved.rules["travel.limit.bus.upper"]
    assert (rule.verified, rule.level) == ("U", "scenario") and "会议" in rule.cite()


def test_a_saved_file_is_read_and_kept(tmp_path, paper):
    given = {"format": 1, "name": "会议", "variant": "low", "school_changes": json.loads(text_of(paper, closed=["S1"]))}
    (tmp_path / "方案.json").write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")
    found = read_scenario(tmp_path / "方案.json")
    assert (found.name, found.variant) == ("会议", "low") and read_changes(found.school_changes, paper).closed == ("S1",)
    (tmp_path / "新.json").write_text(json.dumps({**given, "format": 2}), encoding="utf-8")
    with pytest.raises(CountyDataError, match="newer"):
        read_scenario(tmp_path / "新.json")


@pytest.fixture(scope="module")
def tried():
    county = make_paper()
    new = {**NEW, **place_of(county, "E")}
    text = text_of(county, closed=["S1"], changed=[MORE], new=[new], limits={"walk.lower": 120})
    return make_plan(county, to=2026, scenario=Scenario(name="会议", school_changes=text))


def test_the_plan_has_just_the_schools_that_were_tried(tried):
    years = tried.planned.school_years.set_index("school_id")
    assert years[["rooms", "beds", "status"]].T.to_dict("list") == {"S2": [18, 200, "open"], "new-1": [3, 0, "open"]}
    assert len(tried.proposals) == 0
    # S1 is closed: A, B and C walk 111, 93 and 65 minutes to S2, within the moved limit; E has the new one beside it
    lower = tried.planned.assignment.query("grade == 1")
    assert dict(zip(lower["settlement_id"].astype("str"), lower["school_id"].astype("str"), strict=True)) == {
        "A": "", "B": "S2", "C": "S2", "D": "S2", "E": "new-1",
    }  # fmt: skip
    assert lower.set_index("settlement_id")["status"].to_dict() == {"A": "no_route", "B": "served", "C": "served", "D": "served", "E": "served"}
    # today is as it was
    now = tried.today.assignment.query("grade == 1 and year == 2026")
    assert set(now["school_id"].astype("str")) == {"S1", "S2"}
    assert tried.schools.set_index("school_id")["status"].to_dict() == {"S1": "closed", "S2": "open", "new-1": "open"}
    assert tried.county.schools["status"].tolist() == ["open", "open"]
    assert any(key == "note.school_changes" and "S1小学" in str(fields["closed"]) for key, fields in tried.county.notes)
    for _, group in tried.planned.assignment.groupby("year"):
        assert group["pupils"].sum() == tried.summary.query("view == 'planned'")["pupils"].iloc[0]


def test_it_comes_back_and_its_map_is_drawn(tmp_path, tried):
    tried.save(tmp_path)
    again = read_plan(tmp_path)
    assert again.scenario == tried.scenario and "new-1" in set(again.schools["school_id"])
    layout.save_map(again, tmp_path / "map.html")
    assert "新校" in (tmp_path / "map.html").read_text(encoding="utf-8")


def test_no_change_is_the_plan_without_proposals(paper):
    text = text_of(paper)
    plan = make_plan(paper, to=2026, scenario=Scenario(school_changes=text))
    direct = layout.assign(
        plan.pupils.query("year == 2026").reset_index(drop=True), plan.planned.times, paper.schools, plan.standards,
        school_years=layout.apply_proposals(paper.schools, plan.proposals, years=[2026]), zones=paper.zones, seat_schools=["S2"],
    )  # fmt: skip
    assert np.array_equal(plan.planned.assignment[["pupils"]], direct[["pupils"]])
    assert plan.planned.assignment["school_id"].astype("str").tolist() == direct["school_id"].astype("str").tolist()


def test_the_command_line_plans_it_and_refuses_another_countys(tmp_path, paper):
    folder = tmp_path / "县"
    layout.write_county(paper, folder)
    county = layout.read_county(folder)
    given = {"format": 1, "school_changes": json.loads(text_of(county, year=2027, closed=["S1"]))}
    (tmp_path / "a.json").write_text(json.dumps(given), encoding="utf-8")
    done = CliRunner().invoke(app, ["plan", str(folder), "--scenario", str(tmp_path / "a.json"), "--draws", "0", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    plan = read_plan(tmp_path / "out")
    assert plan.years[-1] == 2027 and set(plan.planned.school_years["school_id"]) == {"S2"}
    given["school_changes"]["county"] = "520999"
    (tmp_path / "b.json").write_text(json.dumps(given), encoding="utf-8")
    done = CliRunner().invoke(app, ["plan", str(folder), "--scenario", str(tmp_path / "b.json"), "--out", str(tmp_path / "none")])
    assert done.exit_code == 1 and "另一个县" in done.output and not (tmp_path / "none").exists()
