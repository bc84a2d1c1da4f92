"""Where children study: scenarios, the matrix of residence by school, pupils from outside."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from layout.attendance import attendance_from_residence, incoming_pupils, place_shares
from layout.population import attendance_matrix, project_pupils
from layout.scenario import Scenario, read_scenario
from layout.standards import read_standards
from layout.tables import CountyDataError, check, empty

STANDARDS = read_standards()


def shares(*rows):
    return check("attendance", pd.DataFrame(list(rows), columns=["township_id", "band", "place", "year", "share"]))


def given(paper, *rows, **more):
    return dataclasses.replace(paper, attendance=shares(*rows), **more)


TWO_YEARS = [
    ("T1", "junior", "home", 2023, 0.70), ("T1", "junior", "county_seat", 2023, 0.30),
    ("T1", "junior", "home", 2025, 0.60), ("T1", "junior", "county_seat", 2025, 0.40),
]  # fmt: skip


def test_frozen_shares_are_those_of_the_latest_year_up_to_the_base(paper):
    county = given(paper, *TWO_YEARS, ("T1", "junior", "home", 2027, 1.0))
    found = place_shares(county, ["T1", "T2"], years=[2025, 2035], scenario=Scenario())
    assert found[0, :, 2].tolist() == [[0.6, 0.4, 0.0, 0.0]] * 2
    assert found[1, :, 2].tolist() == [[1.0, 0.0, 0.0, 0.0]] * 2 and found[0, :, 0].tolist() == [[1.0, 0.0, 0.0, 0.0]] * 2


def test_trend_goes_on_in_a_straight_line_and_stays_within_one(paper):
    county = given(paper, *TWO_YEARS)
    found = place_shares(county, ["T1"], years=[2025, 2027, 2045], scenario=Scenario(attendance="trend"))
    # five points a year; after twelve years nobody is left at home
    assert found[0, :, 2, 1] == pytest.approx([0.4, 0.5, 1.0])
    assert found[0, :, 2].sum(axis=1) == pytest.approx([1, 1, 1])
    one = given(paper, *[(t, b, p, np.nan, s) for t, b, p, _, s in TWO_YEARS[2:]])
    assert place_shares(one, ["T1"], years=[2035], scenario=Scenario(attendance="trend"))[0, 0, 2, 1] == 0.4


def test_halved_keeps_the_base_year_and_halves_all_who_leave(paper):
    rows = [("T1", "upper", p, np.nan, s) for p, s in (("home", 0.4), ("county_seat", 0.3), ("other_township", 0.2), ("out_of_county", 0.1))]
    found = place_shares(given(paper, *rows), ["T1"], years=[2025, 2026], scenario=Scenario(attendance="halved"))
    assert found[0, 0, 1].tolist() == pytest.approx([0.4, 0.3, 0.2, 0.1])
    assert found[0, 1, 1].tolist() == pytest.approx([0.7, 0.15, 0.1, 0.05])


def test_scenarios_change_the_seat_and_conserve_the_children(paper):
    county = given(paper, *TWO_YEARS)
    sums = {}
    for name in ("frozen", "trend", "halved"):
        pupils = project_pupils(county, STANDARDS, years=[2030], scenario=Scenario(attendance=name))
        sums[name] = pupils.groupby("attends").pupils.sum().to_dict()
    totals = [sum(s.values()) for s in sums.values()]
    assert totals == pytest.approx([totals[0]] * 3)
    assert sums["halved"]["county_seat"] == pytest.approx(sums["frozen"]["county_seat"] / 2)
    assert sums["trend"]["county_seat"] == pytest.approx(sums["frozen"]["county_seat"] * 0.65 / 0.4)


def residence(*rows):
    return check("residence", pd.DataFrame(list(rows), columns=["residence_id", "school_id", "grade", "pupils"]))


def test_the_matrix_gives_shares_and_pupils_from_outside(paper):
    # S1 stands in T1, S2 in T2, the seat; residence by village or township
    rows = residence(("A", "S1", 4, 30), ("T1", "S2", 5, 10), ("D", "S2", 4, 50), ("D", "S1", 4, 10), ("", "S2", 4, 6), ("", "S1", 7, 3))
    county = dataclasses.replace(paper, residence=rows)
    attendance, incoming = attendance_from_residence(county)
    found = attendance.set_index(["township_id", "band", "place"]).share.to_dict()
    assert found == pytest.approx({
        ("T1", "upper", "county_seat"): 0.25, ("T1", "upper", "home"): 0.75, ("T2", "upper", "home"): 50 / 60, ("T2", "upper", "other_township"): 10 / 60
    })  # fmt: skip
    assert incoming.to_numpy().tolist() == [["T1", "junior", 3.0], ["T2", "upper", 6.0]]
    pupils = project_pupils(county, STANDARDS, years=[2025]).set_index(["settlement_id", "grade", "attends"]).pupils
    assert pupils["A", 4, "county_seat"] == pytest.approx(2.5)
    # those from outside stand at the largest settlement where they study: D at the seat, C in T1
    assert pupils["D", 4, "county_seat"] == pytest.approx(2.0) and pupils["D", 4, "home"] == pytest.approx(20)
    assert pupils["C", 7, "home"] == pytest.approx(12 + 1)


def test_shares_lead_over_the_matrix(paper):
    county = given(paper, *TWO_YEARS, residence=residence(("A", "S1", 7, 30), ("", "S2", 7, 9)))
    assert place_shares(county, ["T1"], years=[2025], scenario=Scenario())[0, 0, 2, 1] == 0.4
    near, seat = incoming_pupils(county, ["A", "D"], np.ones(2))
    assert near.sum() + seat.sum() == 0


def test_pupils_from_outside_are_kept_as_they_are(paper):
    incoming = check("incoming", pd.DataFrame({"township_id": ["T2"], "band": ["lower"], "pupils": [30.0]}))
    county = dataclasses.replace(paper, incoming=incoming)
    more, plain = (project_pupils(c, STANDARDS, years=[2025, 2034]).groupby(["year", "grade"]).pupils.sum() for c in (county, paper))
    assert (more - plain).unstack().loc[:, 1:3].to_numpy() == pytest.approx(np.full((2, 3), 10.0))
    assert (more - plain).unstack().loc[:, 4:9].to_numpy() == pytest.approx(np.zeros((2, 6)), abs=1e-9)


def test_pupils_from_outside_need_a_settlement_where_they_study(paper):
    townships = pd.concat([paper.townships, pd.DataFrame({"township_id": ["T3"], "name": ["丙乡"], "is_county_seat": [False]})], ignore_index=True)
    incoming = check("incoming", pd.DataFrame({"township_id": ["T3"], "band": ["lower"], "pupils": [30.0]}))
    with pytest.raises(CountyDataError, match="township T3, which has no settlement"):
        project_pupils(dataclasses.replace(paper, townships=townships, incoming=incoming), STANDARDS, years=[2025])


def test_the_attendance_matrix_holds_everybody(paper):
    rows = [*TWO_YEARS, *[("T2", "lower", p, np.nan, s) for p, s in (("home", 0.8), ("out_of_county", 0.2))]]
    incoming = check("incoming", pd.DataFrame({"township_id": ["T2"], "band": ["junior"], "pupils": [9.0]}))
    county = given(paper, *rows, incoming=incoming)
    matrix = attendance_matrix(county, STANDARDS, years=[2025])
    found = matrix.set_index(["township_id", "band", "place"]).pupils
    # T1: 30 children a grade
    assert found["T1", "junior", "home"] == pytest.approx(54) and found["T1", "junior", "county_seat"] == pytest.approx(36)
    assert found["T2", "lower", "out_of_county"] == pytest.approx(0.2 * 78) and found["", "junior", "county_seat"] == 9.0
    assert matrix.pupils.sum() == pytest.approx(project_pupils(county, STANDARDS, years=[2025]).pupils.sum())


# scenarios as files


def test_a_scenario_is_read_from_toml_and_json(tmp_path):
    (tmp_path / "a.toml").write_text('format = 1\nname = "外流减半"\nattendance = "halved"\n', encoding="utf-8")
    (tmp_path / "b.json").write_text('{"format": 1, "variant": "low"}', encoding="utf-8")
    assert read_scenario(tmp_path / "a.toml") == Scenario("外流减半", "halved", "medium", "resident")
    assert read_scenario(tmp_path / "b.json") == Scenario("b", "frozen", "low", "resident")


def test_everything_wrong_with_a_scenario_is_said_at_once(tmp_path):
    (tmp_path / "a.toml").write_text('format = 2\nattendance = "half"\nvariants = "low"\n', encoding="utf-8")
    with pytest.raises(CountyDataError, match="frozen, trend, halved") as error:
        read_scenario(tmp_path / "a.toml")
    assert [(p.key, p.column) for p in error.value.problems] == [
        ("newer_format", "format"),
        ("bad_setting", "attendance"),
        ("bad_setting", "variants"),
    ]
    with pytest.raises(CountyDataError, match="should be: medium, low, high"):
        project_pupils(None, STANDARDS, years=[2025], scenario=Scenario(variant="huge"))
    (tmp_path / "c.toml").write_text("attendance = ", encoding="utf-8")
    with pytest.raises(CountyDataError, match=r"c\.toml"):
        read_scenario(tmp_path / "c.toml")


def test_shares_of_each_year_must_add_up_to_one(paper):
    county = given(paper, *TWO_YEARS[:3])
    with pytest.raises(CountyDataError, match="T1, junior, do not add up to 1"):
        project_pupils(county, STANDARDS, years=[2025])
    assert len(empty("attendance")) == 0
