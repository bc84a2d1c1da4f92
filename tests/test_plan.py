"""The straight line on the paper county, worked by hand, and what holds for every plan."""

import dataclasses
import json
import subprocess
import sys

import geopandas as gpd
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import layout
from conftest import VILLAGES, at, make_paper
from layout.plan import county_times, make_plan, seat_schools
from layout.sample import make_sample_county
from layout.saved_plan import read_plan
from layout.scenario import Scenario
from layout.standards import read_standards
from layout.tables import CountyDataError, check

STATUSES = ["served", "beyond_limit", "no_seat", "no_bed", "no_route", "away"]


@pytest.fixture(scope="module")
def plan():
    return make_plan(make_paper(), to=2026)


def test_minutes_of_the_paper_county(paper):
    times = county_times(paper, read_standards())
    walk = times[times["mode"] == "walk"].set_index(["from_id", "to_id", "band"])["minutes"]
    # level road: 3.24, 3.6 and 3.96 km/h are 54, 60 and 66 metres a minute
    for band, pace in (("lower", 54), ("upper", 60), ("junior", 66)):
        for village, (km, _) in VILLAGES.items():
            for school, place in (("S1", 1.5), ("S2", 7.0)):
                metres = abs(km - place) * 1000
                if metres / pace <= 120:
                    assert walk[village, school, band] == pytest.approx(metres / pace, abs=1e-3)
                else:
                    assert (village, school, band) not in walk.index, "farther than the daily maximum is no row"
    assert not len(times[times["mode"] == "bus"]), "no school runs a bus"
    # the boarder's week goes by vehicle where the road is driven; grades 1-3 do not board and have no week
    week = times[times["mode"] == "week"]
    assert set(week["band"]) == {"upper", "junior"} and week["minutes"].max() < 25


def test_today_by_hand(plan):
    """Grades 1-3: everybody walks to the nearest school; E is 37 minutes from S2 and 139 from S1, so beyond the limit.

    Each single age has 56 children (10+8+12+20+6), so each grade has 56 and each band 168; 18 of grades 1-3 live in E.
    Survival from one age to the next is above 0.9996, so a village's whole children do not change in the base year.
    """
    today = plan.today.assignment
    lower = today[(today["year"] == 2025) & (today["grade"] <= 3)]
    expected = pd.DataFrame(
        [("A", "S1", "walk", "served", 10), ("B", "S1", "walk", "served", 8), ("C", "S1", "walk", "served", 12),
         ("D", "S2", "walk", "served", 20), ("E", "S2", "walk", "beyond_limit", 6)],
        columns=["settlement_id", "school_id", "mode", "status", "pupils"],
    )  # fmt: skip
    for grade in (1, 2, 3):
        found = lower[lower["grade"] == grade][expected.columns].reset_index(drop=True)
        assert_frame_equal(found, expected, check_dtype=False)


def test_junior_pupils_by_hand(plan):
    """S2 alone teaches grades 7-9: D (15 min) and E (30 min) walk; A and B are 106 and 91 minutes away and C 68.

    All three are beyond 40 minutes but S2 has 20 beds: 20 of the 90 children of A, B and C board, the other 70 walk too far.
    """
    today = plan.today.assignment
    junior = today[(today["year"] == 2025) & (today["grade"] >= 7)]
    by_way = junior.groupby(["mode", "status"])["pupils"].sum().to_dict()
    assert by_way == {("board", "served"): 20, ("walk", "beyond_limit"): 70, ("walk", "served"): 78}
    # beds go where they save most excess minutes: to A, which walks 106 minutes
    boarders = junior[junior["mode"] == "board"].groupby("settlement_id")["pupils"].sum().to_dict()
    assert boarders == {"A": 20}


def test_real_classes_are_kept_in_the_base_year(plan):
    classes = plan.today.classes
    base = classes[classes["year"] == 2025].set_index(["school_id", "class_group"])
    assert (base.loc["S1", "largest_class"] == 30).all()
    assert base.loc[("S2", "7"), ["largest_class", "tier", "oversized_classes", "super_classes"]].tolist() == [56, "oversized", 1, 0]


def test_children_are_conserved_in_every_view_and_year(plan):
    for outcome in (plan.today, plan.planned):
        for year, group in outcome.assignment.groupby("year"):
            expected = plan.pupils.loc[plan.pupils["year"] == year, "pupils"].sum()
            assert abs(group["pupils"].sum() - expected) < 4.5 + 1e-6, "largest remainder: half a child at most in each of nine grades"
            assert group.groupby("status")["pupils"].sum().sum() == group["pupils"].sum()
    summary = plan.summary
    assert (summary[STATUSES].sum(axis=1) == summary["pupils"]).all()
    head = pd.concat([plan.today.headline, plan.planned.headline])
    assert (head[STATUSES].sum(axis=1) == head["pupils"]).all()
    assert head.groupby(["view", "year"])["pupils"].sum().to_dict() == summary.set_index(["view", "year"])["pupils"].to_dict()


def test_the_plan_holds_its_own_rules(plan):
    """In the plan whole classes fit, nobody of grades 1-3 boards, beds hold their boarders, and nobody is worse placed."""
    planned = plan.planned
    placed = planned.assignment[planned.assignment["school_id"] != ""]
    rooms = planned.school_years.set_index("school_id")["rooms"]
    beds = planned.school_years.set_index("school_id")["beds"]
    # naive count: a class a grade at its standard, or grades together in classes of 30 where a small school has fewer rooms than grades
    used = planned.classes.groupby("school_id")["classes"].sum()
    assert (used <= rooms.reindex(used.index)).all() and (planned.classes["rooms_missing"] == 0).all()
    single = placed.groupby(["school_id", "grade"])["pupils"].sum()
    for row in planned.classes.itertuples():
        pupils = sum(single.get((row.school_id, int(g)), 0) for g in row.grades.split(","))
        assert pupils == row.pupils and row.largest_class == -(-pupils // row.classes)
        assert row.largest_class <= (30 if row.mixed else plan.standards.class_size(int(row.grades[0]))), row
    boarders = placed[placed["mode"] == "board"].groupby("school_id")["pupils"].sum()
    assert (boarders <= beds.reindex(boarders.index)).all()
    assert not len(placed[(placed["mode"] == "board") & (placed["grade"] <= 3)])
    today = plan.summary.query("view == 'today' and year == 2026").iloc[0]
    then = plan.summary.query("view == 'planned'").iloc[0]
    assert then["no_seat"] + then["no_bed"] + then["no_route"] <= today["no_seat"] + today["no_bed"] + today["no_route"]
    assert then["beyond_limit"] <= today["beyond_limit"]


@pytest.mark.slow
def test_a_sample_county_keeps_the_rules_of_a_plan():
    plan = make_plan(layout.make_sample_county(seed=3, settlements=90), years=(2032,))
    planned = plan.planned
    used = planned.classes.groupby("school_id")["classes"].sum()
    rooms = planned.school_years.set_index("school_id")["rooms"]
    assert (used <= rooms.reindex(used.index)).all()
    assert planned.classes[["rooms_missing", "oversized_classes", "super_classes"]].to_numpy().sum() == 0
    boards = planned.assignment[planned.assignment["mode"] == "board"]
    beds = planned.school_years.set_index("school_id")["beds"]
    assert len(boards) and (boards["grade"] >= 4).all()
    boarders = boards.groupby("school_id")["pupils"].sum()
    assert (boarders <= beds.reindex(boarders.index)).all()
    summary = plan.summary.set_index(["view", "year"])
    now, then = summary.loc[("today", 2032)], summary.loc[("planned", 2032)]
    assert now["pupils"] == then["pupils"] and now["away"] == then["away"]
    assert then["lower_out_of_limit"] < now["lower_out_of_limit"] and then["beyond_limit"] < now["beyond_limit"]
    # every proposal serves the children that the plan sends there
    there = planned.assignment[planned.assignment["school_id"] != ""].groupby("school_id")["pupils"].sum()
    for row in plan.proposals.itertuples():
        assert row.pupils == there.get(row.school_id, 0), row.school_id


def test_beds_are_proposed_for_the_far_juniors(plan):
    """70 juniors walk beyond 40 minutes today: within the limit they can only board, so S2 gets 70 more beds (or a junior school opens)."""
    assert plan.summary.query("view == 'planned'")["beyond_limit"].iloc[0] < 70
    assert {"add_boarding", "open"} & set(plan.proposals["action"])
    for row in plan.proposals.itertuples():
        assert row.reason_zh and row.reason_en
        assert set(row.clauses.split(";")) <= set(plan.standards.rules), row.clauses


def test_seat_schools_are_those_of_the_county_seat(paper):
    assert seat_schools(paper) == ["S2"]


def test_a_plan_is_read_back_whole(plan, tmp_path):
    plan.save(tmp_path / "p")
    again = read_plan(tmp_path / "p")
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == ["manifest.json", "plan.gpkg"]
    assert again.years == plan.years and json.loads(json.dumps(plan.manifest)) == again.manifest
    assert again.standards == plan.standards
    for name in ("pupils", "candidates", "rejected", "must_stay", "proposals", "summary", "schools"):
        assert_same(getattr(plan, name), getattr(again, name), name)
    for view in ("today", "planned"):
        for name in ("school_years", "times", "assignment", "classes", "headline"):
            assert_same(getattr(getattr(plan, view), name), getattr(getattr(again, view), name), f"{view} {name}")
    for name in ("settlements", "townships", "schools", "rosters", "population", "births", "moves", "attendance", "assumptions"):
        assert_same(getattr(plan.county, name), getattr(again.county, name), name)
    assert_frame_equal(plan.county.roads.nodes, again.county.roads.nodes, rtol=0, atol=1e-6)


def assert_same(a, b, name):
    if isinstance(a, gpd.GeoDataFrame) and len(a):
        assert a.geometry.distance(b.geometry).max() < 1e-3, name
        a, b = pd.DataFrame(a.drop(columns="geometry")), pd.DataFrame(b.drop(columns="geometry"))
    if len(a) or len(b):
        assert_frame_equal(a, b, check_like=False, obj=name)


@pytest.mark.slow
def test_two_runs_are_equal_byte_for_byte_whatever_the_hash_seed(tmp_path):
    code = (
        "import sys; sys.path.insert(0, 'tests'); from conftest import make_paper; from layout import make_plan, write_plan; "
        "write_plan(make_plan(make_paper(), to=2027), sys.argv[1])"
    )
    for seed in ("0", "7"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=env_with(PYTHONHASHSEED=seed))
    names = sorted(p.name for p in (tmp_path / "0").iterdir())
    assert names == ["manifest.json", "map.html", "plan.gpkg", "plan.xlsx", "report.docx"]
    for name in names:
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "7" / name).read_bytes(), name


def env_with(**more):
    import os

    return {**os.environ, **more}


def test_a_plan_that_is_not_there_is_said(tmp_path):
    with pytest.raises(CountyDataError, match="layout plan"):
        read_plan(tmp_path)
    (tmp_path / "plan.gpkg").write_bytes(b"")
    (tmp_path / "manifest.json").write_text('{"format": 9}', encoding="utf-8")
    with pytest.raises(CountyDataError, match="format 1"):
        read_plan(tmp_path)


def test_the_plan_year_must_come_after_the_base_year(paper):
    with pytest.raises(ValueError, match="plan years after the base year 2025"):
        make_plan(paper, to=2025)
    with pytest.raises(ValueError, match="plan years after the base year 2025"):
        make_plan(paper, years=(2025, 2030))


def test_a_plan_of_several_years_builds_in_its_years(paper):
    """E's teaching point takes two years, so its children of grades 1-3 stay beyond the limit in 2026; beds and rooms take one."""
    plan = make_plan(paper, to=2031)
    assert plan.years == (2025, 2026, 2030, 2031)
    late = plan.summary.query("view == 'planned'").set_index("year")["lower_out_of_limit"].to_dict()
    assert late == {2026: 18, 2030: 0, 2031: 0}
    opened = plan.proposals[plan.proposals["action"] == "open"]
    assert opened[["school_id", "year"]].values.tolist() == [["C-E", 2030]]
    rooms = plan.planned.school_years.pivot(index="year", columns="school_id", values="rooms")
    assert rooms["C-E"].isna().tolist() == [True, False, False] and (rooms["S2"].diff().dropna() >= 0).all()
    boarders = plan.planned.assignment.query("mode == 'board'").groupby(["school_id", "year"])["pupils"].sum()
    beds = plan.planned.school_years.set_index(["school_id", "year"])["beds"]
    assert len(boarders) and (boarders <= beds.reindex(boarders.index)).all()


def test_progress_names_every_stage(paper):
    seen = []
    make_plan(paper, to=2026, progress=lambda stage, done, total: seen.append((stage, done, total)))
    assert seen == [(s, i, 6) for i, s in enumerate(("pupils", "candidates", "minutes", "today", "propose", "planned"))]


def test_a_county_without_roads_is_planned_and_says_who_cannot_be_reached(paper):
    """Without roads only open ground within 1.5 km is a way: A is exactly 1.5 km from S1, B and C nearer, D 1 km from S2, E 2 km."""
    plan = make_plan(dataclasses.replace(paper, roads=None), to=2026)
    walked = plan.today.assignment
    lost = walked[(walked["status"] == "no_route") & (walked["grade"] == 1) & (walked["year"] == 2025)]
    assert set(lost["settlement_id"]) == {"E"}


def test_a_new_school_never_makes_anybodys_place_worse(paper):
    standards = read_standards()
    pupils = make_plan(paper, to=2026).pupils
    more = gpd.GeoDataFrame({"school_id": ["S3"]}, geometry=[at(9.0)], crs=paper.crs).merge(
        pd.DataFrame(paper.schools.drop(columns=["school_id", "geometry"])).iloc[[1]].assign(school_id="S3"), on="school_id"
    )
    schools = check("schools", gpd.GeoDataFrame(pd.concat([paper.schools, more], ignore_index=True), geometry="geometry", crs=paper.crs))
    richer = dataclasses.replace(paper, schools=schools)
    from layout.catchment import assign

    def judged(county):
        out = assign(pupils, county_times(county, standards), county.schools, standards, seat_schools=seat_schools(county))
        bad = out[~out["status"].isin(["served", "away"])]
        return bad["pupils"].sum()

    assert judged(richer) < judged(paper)


def altered(paper, **columns):
    """The paper county with some columns of S1 changed."""
    schools = paper.schools.copy()
    for column, value in columns.items():
        schools.loc[0, column] = value
    return dataclasses.replace(paper, schools=schools, rosters=paper.rosters[paper.rosters["school_id"] != "S1"])


@pytest.mark.parametrize("columns", [{"status": "candidate"}, {"kind": "teaching_point", "last_grade": 4, "rooms": 2}])
def test_who_goes_where_is_as_good_as_the_search_for_proposals(paper, columns):
    """Grades taught together are cut as the proposals cut them: nobody is late whom the search could serve."""
    plan = make_plan(altered(paper, **columns), years=(2027,))
    levels = {level["name"]: level["objective"] for level in plan.manifest["solve"]["levels"]}
    planned = plan.summary.query("view == 'planned'").iloc[0]
    assert planned[["no_seat", "no_bed", "no_route"]].sum() == levels["without_place"]
    assert planned["beyond_limit"] == levels["beyond_limit"] == 0


def test_a_site_never_takes_the_id_of_a_school(paper):
    other = paper.schools.iloc[[0]].assign(school_id="C-E", kind="teaching_point", last_grade=3, rooms=1)
    other = other.set_geometry(gpd.GeoSeries([at(3.5)], index=other.index, crs=paper.crs))
    schools = check("schools", gpd.GeoDataFrame(pd.concat([paper.schools, other], ignore_index=True), geometry="geometry", crs=paper.crs))
    plan = make_plan(dataclasses.replace(paper, schools=schools), years=(2027,))
    assert "CC-E" in plan.candidates["school_id"].tolist() and "C-E" not in plan.candidates["school_id"].tolist()
    assert plan.summary.query("view == 'planned'")["lower_out_of_limit"].iloc[0] == 0


def test_a_county_all_of_whose_children_study_elsewhere_has_nothing_to_propose(paper):
    rows = [(t, b, "out_of_county", 1.0) for t in ("T1", "T2") for b in ("lower", "upper", "junior")]
    away = check("attendance", pd.DataFrame(rows, columns=["township_id", "band", "place", "share"]))
    plan = make_plan(dataclasses.replace(paper, attendance=away), to=2026)
    assert len(plan.proposals) == 0 and (plan.summary["away"] == plan.summary["pupils"]).all()


def test_a_county_without_children_is_told_so(paper):
    with pytest.raises(CountyDataError, match="没有学龄人口"):
        make_plan(dataclasses.replace(paper, population=paper.population.assign(persons=0.0)), to=2026)


def test_years_of_any_whole_kind_can_be_saved(paper, tmp_path):
    import numpy as np

    make_plan(paper, years=np.array([2026])).save(tmp_path)
    assert read_plan(tmp_path).years == (2025, 2026)


def test_the_roll_is_held_against_the_residents(plan):
    # 30 x 6 + 26 x 6 + 56 x 3 = 504 on the roll; 56 children in each of nine grades
    note = dict(plan.county.notes)["note.roll"]
    assert (note["roll"], note["residents"], note["difference"]) == ("504", "504", "+0")


@pytest.mark.slow
def test_obstacles_scenario_and_sensitivity_come_back(tmp_path, paper, change):
    from layout.scenario import Scenario

    lake = gpd.GeoDataFrame(
        {"obstacle_id": ["w1"], "kind": ["water"], "name": ["湖"]}, geometry=[paper.settlements.geometry.iloc[1].buffer(300)], crs=paper.crs
    )
    plan = make_plan(change(paper, obstacles=lake), to=2026, scenario=Scenario(season="rain", walking="brisk"))
    plan.save(tmp_path)
    again = read_plan(tmp_path)
    assert again.scenario == plan.scenario and again.county.obstacles.geometry.iloc[0].equals_exact(lake.geometry.iloc[0], 1e-3)
    for table in ("sensitivity", "bus_services", "time_distribution"):
        pd.testing.assert_frame_equal(getattr(again, table), getattr(plan, table))
    assert len(plan.sensitivity) and len(plan.time_distribution)
    # known to have none is not the same as unknown
    make_plan(change(paper, obstacles=lake.iloc[:0]), to=2026).save(tmp_path)
    assert len(read_plan(tmp_path).county.obstacles) == 0


@pytest.mark.slow
def test_a_plan_may_start_bus_services_that_are_not_there_today():
    """Today is the same with them; in the plan fewer go beyond the limit, and the table says which services would be new."""
    county, standards = make_sample_county(settlements=40, seed=3), read_standards()
    plain, any_bus = (make_plan(county, standards, to=2026, scenario=Scenario(name="s", buses=buses)) for buses in ("listed", "any"))
    assert_frame_equal(plain.today.assignment, any_bus.today.assignment)
    late = [plan.summary.set_index(["view", "year"]).loc[("planned", 2026), "beyond_limit"] for plan in (plain, any_bus)]
    assert late[1] < late[0]
    assert plain.bus_services["exists"].all()
    new = any_bus.bus_services[~any_bus.bus_services["exists"]]
    assert len(new) and (new["year"] == 2026).all()
    old = set(county.schools.loc[county.schools["school_bus"], "school_id"])
    assert not set(new["school_id"]) & old
    cases = any_bus.sensitivity.set_index(["view", "year", "band", "case"])["within"]
    listed = plain.sensitivity.set_index(["view", "year", "band", "case"])["within"]
    assert (cases.loc["today"] == listed.loc["today"]).all()
    # both plans open what serves them best, so only the whole of the case they were made for can be compared
    base, plain_base = (c.loc["planned"].xs("base", level="case").sum() for c in (cases, listed))
    assert base > plain_base
