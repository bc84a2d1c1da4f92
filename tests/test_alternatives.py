"""Other plans and other futures, on the paper county and on tables written by hand."""

import dataclasses
import inspect

import numpy as np
import pandas as pd
import pytest
from planted import planted_county

import layout
from layout import alternatives
from layout.alternatives import MAIN, NOTHING, _share_of, with_alternatives, with_futures
from layout.children import whole_children
from layout.futures import future_of, measure, place, propose_for
from layout.meeting_sheets import MEETING_TABLES, meeting_pages, plan_title
from layout.privacy import Edition
from layout.regret import MEASURES
from layout.tables import empty


@pytest.fixture(scope="module")
def plan():
    from conftest import make_paper

    # S1 has only three rooms for six grades and three villages, so a plan has something to build
    paper = make_paper()
    paper = dataclasses.replace(paper, schools=paper.schools.assign(rooms=[3, 9]))
    return layout.make_plan(paper, to=2030)


@pytest.fixture(scope="module")
def weighed(plan):
    return with_alternatives(plan, near_ties=1)


def test_every_child_is_counted_in_every_plan(plan):
    future = future_of(plan.county, plan.standards, None, years=plan.years[1:])
    for proposals in (plan.proposals, plan.proposals.iloc[:0]):
        rows = place(future, proposals)
        # assigned + unserved + away = total, year by year
        expected = whole_children(future.pupils).groupby("year")["pupils"].sum()
        assert rows.groupby("year")["pupils"].sum().tolist() == expected.tolist()


def test_measures_by_hand_from_the_assignment(plan):
    """Counted anew, row by row: the first plan year speaks for four school years, the last for one."""
    future = future_of(plan.county, plan.standards, None, years=plan.years[1:], more_sites=plan.candidates)
    found = measure(future, plan.proposals)
    weights = dict(zip(plan.years[1:], (4, 1), strict=True))
    sums = dict.fromkeys(MEASURES, 0.0)
    for row in plan.planned.assignment.to_dict("records"):
        n = row["pupils"] * weights[row["year"]]
        if row["status"] in ("no_route", "no_bed"):
            sums["without_place"] += n
        if row["status"] == "no_seat":
            sums["above_standard"] += n
        if row["status"] == "beyond_limit":
            band = "lower" if row["grade"] <= 3 else "upper" if row["grade"] <= 6 else "junior"
            key = "travel.limit.week" if row["mode"] == "board" else f"travel.limit.{row['mode']}.{band}"
            sums["beyond_limit"] += n
            sums["excess_minutes"] += n * (row["minutes"] - plan.standards[key])
        if row["minutes"] == row["minutes"]:
            sums["pupil_minutes"] += n * row["minutes"] / (5 if row["mode"] == "board" else 1)
    for row in plan.proposals.to_dict("records"):
        sums["cost_yuan"] += row["yuan_a_year"] * sum(w for y, w in weights.items() if y >= row["year"])
    assert {m: found[m] for m in MEASURES} == pytest.approx(sums)
    assert sums["pupil_minutes"] > 0 and sums["beyond_limit"] > 0


def test_alternatives_of_the_paper_county(plan, weighed):
    table = weighed.alternatives.set_index("alternative_id")
    assert {MAIN, NOTHING, "nearer", "expand_only", "fewer_sites"} <= set(table.index)
    assert table.loc[NOTHING, ["openings", "rooms", "beds", "investment_yuan", "cost_yuan"]].tolist() == [0, 0, 0, 0, 0]
    assert table.loc["expand_only", "openings"] == 0
    assert table.loc[MAIN, "investment_yuan"] == plan.proposals["cost_yuan"].sum() and not table.loc[MAIN, "near_tie"]
    opened = plan.proposals[plan.proposals["action"].isin(["open", "reopen"])]["school_id"]
    for name in table.index[[n.startswith("without_") for n in table.index]]:
        rows = weighed.alternative_proposals.query("alternative_id == @name")
        school = name.removeprefix("without_")
        assert school in set(opened) and school not in set(rows["school_id"])
    # no plan that another one beats in everything stands on the frontier, and doing nothing is the cheapest of all
    frontier = weighed.frontier.set_index("point_id")
    for name, row in frontier.iterrows():
        beaten = ((frontier["children"].round() <= round(row["children"])) & (frontier["cost_yuan"].round() <= round(row["cost_yuan"]))
                  & ((frontier["children"].round() < round(row["children"])) | (frontier["cost_yuan"].round() < round(row["cost_yuan"])))).any()  # fmt: skip
        assert row["on_frontier"] == (not beaten), name
    assert frontier["cost_yuan"].min() == 0


def test_domination_is_told_from_the_measures(monkeypatch):
    columns = ["school_id", "action", "rooms", "beds", "cost_yuan"]
    build = pd.DataFrame([("A", "open", 6, 0, 9e6)], columns=columns)
    good = dict.fromkeys(MEASURES, 0.0) | {"cost_yuan": 100.0, "too_small": 0}
    rows = {"plan": good, "dear": good | {"cost_yuan": 101.0}, "worse": good | {"beyond_limit": 3.0, "cost_yuan": 50.0}}
    table = alternatives._judged(dict.fromkeys(rows, build), rows, {}).set_index("alternative_id")
    assert table["dominated"].to_dict() == {"dear": True, "plan": False, "worse": False}
    # within one per cent of the money and as good for the children
    assert table["near_tie"].to_dict() == {"dear": True, "plan": False, "worse": False}
    assert table.loc["dear", "shared"] == 1


def test_the_plan_of_a_future_is_the_plan_made_for_it():
    """M1 is moved away in the second year, so what is known of the base year counts for sites and schools that must stay too."""
    county, scenario = planted_county(), layout.Scenario(walking="slow")
    made = layout.make_plan(county, years=(2027, 2028, 2030), scenario=scenario)
    future = future_of(county, layout.read_standards(), scenario, years=made.years[1:])
    pd.testing.assert_frame_equal(pd.DataFrame(future.candidates.sites), pd.DataFrame(made.candidates))
    pd.testing.assert_frame_equal(future.must_stay, made.must_stay)
    assert set(made.must_stay["year"]) > {county.base_year}
    found = propose_for(future)
    assert found.equals(made.proposals) and len(found)
    assert found.attrs["solve"] == made.proposals.attrs["solve"]
    pd.testing.assert_frame_equal(place(future, made.proposals), made.planned.assignment)


def test_plans_that_are_compared_are_searched_equally_far():
    gaps = {inspect.signature(f).parameters["gap"].default for f in (layout.make_plan, propose_for, with_alternatives, with_futures)}
    assert len(gaps) == 1


def test_unknown_kinds_and_nameless_scenarios_are_refused(plan):
    with pytest.raises(ValueError, match="unknown kinds of alternatives: cheap"):
        with_alternatives(plan, kinds=["cheap"])
    for scenarios in ([], [layout.Scenario()], [layout.Scenario(name="a")] * 2, [layout.Scenario(name="core")]):
        with pytest.raises(ValueError, match="each with a name of its own"):
            with_futures(plan, scenarios)


def test_futures_regrets_and_what_all_share(plan, tmp_path):
    found = with_futures(plan, [layout.Scenario(name="low", variant="low"), layout.Scenario(name="high", variant="high")])
    plans, futures = {"plan", "low", "high", "core"}, {"plan", "low", "high"}
    assert set(zip(found.evaluations["plan_id"], found.evaluations["scenario_id"], strict=True)) == {(p, f) for p in plans for f in futures}
    # the best plan of each future regrets nothing there
    assert (found.regrets.groupby("scenario_id")["level"].apply(lambda level: (level == "").any())).all()
    assert found.plan_regrets["least"].sum() == 1
    # the core builds nothing that a plan does not
    every = found.common_proposals[found.common_proposals["kind"] == "all"]
    assert (every["rooms_least"] <= every["rooms_most"]).all() and set(every["school_id"]) <= set(plan.proposals["school_id"])
    found.save(tmp_path)
    again = layout.read_plan(tmp_path)
    for table in ("evaluations", "regrets", "plan_regrets", "common_proposals", "future_proposals"):
        pd.testing.assert_frame_equal(getattr(again, table), getattr(found, table))


def test_the_pages_of_the_meeting_are_internal(weighed):
    pages = meeting_pages(weighed, "zh", Edition(False, {}))
    assert {"alternatives", "frontier"} <= set(pages) <= set(MEETING_TABLES)
    assert meeting_pages(weighed, "zh", Edition(True, {})) == {}
    page = pages["alternatives"]
    assert page.fields[0].name == "title" and "本规划" in page.frame["title"].tolist()
    assert page.frame["alternative_id"].tolist() == weighed.alternatives["alternative_id"].tolist()
    assert [plan_title(weighed, name, "en") for name in ("plan", "nothing", "plan_less_2", "a scenario")] == [
        "this plan", "doing nothing", "this plan less 2 openings", "a scenario",
    ]  # fmt: skip


def test_without_proposals_there_is_still_something_to_compare(paper):
    nothing = dataclasses.replace(layout.make_plan(paper, to=2026), proposals=empty("proposals", paper.crs))
    table = with_alternatives(nothing, kinds=[], near_ties=3).alternatives
    assert sorted(table["alternative_id"]) == [NOTHING, MAIN] and table["cost_yuan"].eq(0).all()


def test_a_search_without_a_bound_has_no_gap():
    assert (
        np.isnan(_share_of({"gap": np.inf, "objective": 5.0})) and np.isnan(_share_of(None)) and np.isnan(_share_of({"gap": 0.0, "objective": 0.0}))
    )
    assert _share_of({"gap": 1.0, "objective": 4.0}) == 0.25
