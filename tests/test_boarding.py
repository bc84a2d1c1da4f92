"""Boarding: shares by source, beds by sex and room, children without a bed, the sheet at the door."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import layout
from conftest import make_paper
from layout.boarding import boarding_demand, boarding_shares, young_boarders
from layout.county import read_county, write_county
from layout.sheets import Sheet, cross_check, describe
from layout.standards import read_standards
from layout.tables import CountyDataError, check, empty

STANDARDS = read_standards()
GIRLS = 100 / 211  # 111 boys for 100 girls


def schools_of(*rows):
    table = pd.DataFrame(list(rows), columns=["school_id", "kind", "first_grade", "last_grade", "beds", "boarders"])
    return table.assign(name=table["school_id"] + "学校", township_id="T", status="open", rooms=9)


def assigned(*rows):
    columns = ["settlement_id", "year", "grade", "school_id", "mode", "status", "pupils", "minutes"]
    return check("assignment", pd.DataFrame(list(rows), columns=columns).assign(attends="home"))


def sheet_of(*rows):
    return check("boarding", pd.DataFrame(list(rows), columns=["school_id", "grade", "boarders", "girls"]))


def test_shares_by_source():
    """O is in the sheet: 30 of 60 juniors; none of its upper grades. S has 24 boarders of 40 + 40 pupils. N has no bed."""
    schools = schools_of(
        ("O", "nine_year", 1, 9, 50, 99), ("S", "nine_year", 1, 9, 50, 24), ("N", "primary", 1, 6, 0, np.nan), ("P", "junior", 7, 9, 9, np.nan),
        ("V", "small_primary", 1, 6, np.nan, np.nan), ("T", "teaching_point", 1, 3, 0, 0), ("X", "special", 1, 9, 9, 9),
    )  # fmt: skip
    rosters = pd.DataFrame([(s, g, 1, 20) for s, g in (("O", 7), ("O", 8), ("O", 9), ("O", 4), ("S", 4), ("S", 5), ("S", 7), ("S", 8), ("S", 1))],
                           columns=["school_id", "grade", "class_no", "pupils"])  # fmt: skip
    table = assigned(("A", 2025, 7, "P", "walk", "served", 10, 9.0), ("A", 2026, 8, "P", "walk", "served", 99, 9.0))
    sheet = sheet_of(("O", 7, 10, 4), ("O", 8, 20, np.nan), ("O", 2, 3, 1))
    out = boarding_shares(table, rosters, sheet, schools, STANDARDS, year=2025)
    expected = pd.DataFrame(
        [
            ("N", "upper", 0, np.nan, 0.0, "school", GIRLS), ("O", "junior", 60, 30, 0.5, "observed", 0.4), ("O", "upper", 20, 0, 0.0, "observed", GIRLS),
            ("P", "junior", 10, np.nan, 0.7, "prior", GIRLS), ("S", "junior", 40, np.nan, 0.3, "school", GIRLS),
            ("S", "upper", 40, np.nan, 0.3, "school", GIRLS), ("V", "upper", 0, np.nan, 0.0, "prior", GIRLS),
        ],
        columns=["school_id", "band", "pupils", "boarders", "share", "source", "girls_share"],
    )  # fmt: skip
    assert_frame_equal(out, check("boarding_shares", expected.assign(choice_share=expected["share"])))


def test_who_boards_anyhow_is_not_counted_twice():
    """Half board. A quarter of the children has no day way, so a third of the others boards by choice: together half again."""
    schools = schools_of(("J", "junior", 7, 9, 90, 40))
    table = assigned(
        ("A", 2025, 7, "J", "board", "served", 15, 60.0),
        ("B", 2025, 8, "J", "walk", "beyond_limit", 5, 50.0),
        ("C", 2025, 9, "J", "walk", "served", 60, 9.0),
    )
    rosters = pd.DataFrame({"school_id": "J", "grade": [7, 8, 9], "class_no": 1, "pupils": [15, 5, 60]})
    shares = boarding_shares(table, rosters, empty("boarding"), schools, STANDARDS, year=2025)
    assert shares[["share", "choice_share"]].values.tolist() == [[0.5, pytest.approx(1 / 3)]]
    out = boarding_demand(table, shares, empty("times"), STANDARDS, schools=schools)
    # 40 boarders: 19 girls and 21 boys in rooms of six
    assert out.drop(columns=["school_id", "band"]).values.tolist() == [[2025, 80, 20, 20, 19, 24 + 24, 90, 0]]
    more = boarding_shares(table, rosters, empty("boarding"), schools.assign(boarders=4), STANDARDS, year=2025)
    assert more[["share", "choice_share"]].values.tolist() == [[0.05, 0.0]], "fewer board than have no day way"


def test_beds_are_shared_out_and_what_is_missing_adds_up():
    """Upper: 6 by choice of 20; junior: 14 of 20. Shares of girls 0.5: 3 + 3 in two rooms of six, 7 + 7 in four."""
    schools = schools_of(("S", "nine_year", 1, 9, 18, np.nan))
    table = assigned(
        ("A", 2030, 4, "S", "walk", "served", 20, 9.0),
        ("A", 2030, 7, "S", "seat", "served", 20, np.nan),
        ("A", 2030, 2, "S", "walk", "served", 50, 9.0),
    )
    shares = pd.DataFrame({"school_id": "S", "band": ["upper", "junior"], "share": [0.3, 0.7], "girls_share": 0.5})
    out = boarding_demand(table, shares, empty("times"), STANDARDS, schools=schools)
    expected = pd.DataFrame(
        [("S", 2030, "junior", 20, 0, 14, 7, 24, 12, 12), ("S", 2030, "upper", 20, 0, 6, 3, 12, 6, 6)],
        columns=["school_id", "year", "band", "pupils", "no_day_way", "by_choice", "girls", "beds_needed", "beds", "beds_missing"],
    )
    assert_frame_equal(out, check("boarding_demand", expected))
    none = boarding_demand(table, shares.assign(share=0.0), empty("times"), STANDARDS, schools=schools)
    assert none[["beds_needed", "beds", "beds_missing"]].values.tolist() == [[0, 9, 0], [0, 9, 0]]
    years = pd.DataFrame({"school_id": ["S"], "year": 2030, "status": "open", "first_grade": 1, "last_grade": 9, "rooms": 9, "beds": 40})
    planned = boarding_demand(table, shares, empty("times"), STANDARDS, schools=schools, school_years=years)
    assert planned["beds"].sum() == 40 and not planned["beds_missing"].any()
    prior = boarding_demand(table, empty("boarding_shares"), empty("times"), STANDARDS, schools=schools)
    assert prior["by_choice"].tolist() == [14, 6]


def test_children_without_a_bed_count_at_the_next_boarding_school():
    """A reaches V (small primary) in 20, N (no beds) in 30, Q (beds) in 60 minutes; B only V; C nothing."""
    schools = schools_of(("Q", "nine_year", 1, 9, 6, 6), ("N", "primary", 1, 6, 0, 0), ("V", "small_primary", 1, 6, 0, 0))
    times = pd.DataFrame(
        [("A", "V", 20.0), ("A", "N", 30.0), ("A", "Q", 60.0), ("B", "V", 9.0), ("C", "Q", 121.0)], columns=["from_id", "to_id", "minutes"]
    )
    times = check("times", times.assign(mode="week", band="upper", minutes_back=1.0))
    table = assigned(
        *((v, 2030, 5, "", "none", "no_bed", n, np.nan) for v, n in (("A", 8), ("B", 3), ("C", 2))), ("D", 2030, 5, "", "none", "no_route", 9, np.nan)
    )
    shares = boarding_shares(table, empty("rosters"), empty("boarding"), schools, STANDARDS, year=2025)
    out = boarding_demand(table, shares, times, STANDARDS, schools=schools)
    assert out[["school_id", "pupils", "no_day_way", "by_choice", "beds_missing"]].values.tolist() == [
        ["", 2, 2, 0, 12],
        ["Q", 8, 8, 0, 6],
        ["V", 3, 3, 0, 12],
    ]
    no_beds = boarding_demand(table, shares, times, STANDARDS, schools=schools.assign(beds=0))
    assert no_beds["school_id"].tolist() == ["", "N", "V"], "a full school before a small one"


def test_totals_are_kept():
    rng = np.random.default_rng(5)
    schools = schools_of(*[(f"S{i}", "nine_year", 1, 9, int(rng.integers(0, 60)), np.nan) for i in range(12)])
    rows = [(f"V{v}", y, g, f"S{rng.integers(12)}", rng.choice(["walk", "board"], p=[0.8, 0.2]), "served", int(rng.integers(1, 30)), 9.0)
            for v in range(40) for y in (2025, 2030) for g in range(1, 10)]  # fmt: skip
    table = assigned(*[r if r[2] > 3 else (*r[:4], "walk", *r[5:]) for r in rows])
    shares = boarding_shares(table, empty("rosters"), empty("boarding"), schools, STANDARDS, year=2025)
    out = boarding_demand(table, shares, empty("times"), STANDARDS, schools=schools)
    upper = table[table["grade"] > 3]
    assert out["pupils"].sum() == upper["pupils"].sum()
    assert out["no_day_way"].sum() == upper.loc[upper["mode"] == "board", "pupils"].sum()
    wish = out.merge(shares, on=["school_id", "band"], suffixes=("", "_share"))
    wish["wish"] = wish["choice_share"] * (wish["pupils"] - wish["no_day_way"])
    sums = wish.groupby(["school_id", "year"])[["wish", "by_choice", "beds", "beds_needed", "beds_missing"]].sum()
    assert (np.floor(sums["wish"] + 0.5 + 1e-9) == sums["by_choice"]).all()
    beds = schools.set_index("school_id")["beds"].reindex(sums.index.get_level_values("school_id")).to_numpy()
    assert (sums["beds"] == beds).all() and (sums["beds_missing"] == np.maximum(sums["beds_needed"] - beds, 0)).all()
    boarders = out["no_day_way"] + out["by_choice"]
    naive = [-(-g // 6) * 6 + -(-(b - g) // 6) * 6 for b, g in zip(boarders, out["girls"], strict=True)]
    assert out["beds_needed"].tolist() == naive and (boarders <= out["pupils"]).all()
    shuffled = boarding_demand(
        table.sample(frac=1, random_state=2), shares.sample(frac=1, random_state=3), empty("times"), STANDARDS, schools=schools
    )
    assert_frame_equal(shuffled, out)


def test_young_boarders_are_listed_with_the_clause():
    schools = schools_of(("S", "primary", 1, 6, 9, 9))
    out = young_boarders(sheet_of(("S", 1, 0, 0), ("S", 2, 4, 1), ("S", 4, 9, 9)), schools)
    assert out.values.tolist() == [["S", 2, "S学校", 4, "layout.g1_3.boarding"]]
    assert STANDARDS.rules[out["clause"].iloc[0]].value == 0
    assert not len(young_boarders(empty("boarding"), schools))


# ---- the door


def county_with(sheet):
    return dataclasses.replace(make_paper(), boarding=sheet)


def test_the_sheet_is_read_back_and_a_difference_is_noted(tmp_path):
    sheet = sheet_of(("S2", 7, 6, 2), ("S2", 8, 5, np.nan))
    write_county(county_with(sheet), tmp_path / "county")
    county = read_county(tmp_path / "county")
    assert_frame_equal(county.boarding, sheet)
    notes = [n for n in county.notes if n[0] == "note.boarders_differ"]
    assert notes == [("note.boarders_differ", {"count": 1, "schools": "S2九年制学校 11/10"})]
    assert "11/10" in describe(notes, "zh")[0]
    write_county(county_with(sheet_of(("S2", 7, 10, 2))), tmp_path / "same")
    assert not [n for n in read_county(tmp_path / "same").notes if n[0] == "note.boarders_differ"]
    assert not len(make_paper().boarding)


def test_faults_of_the_sheet_are_said_together(tmp_path):
    # S1 teaches grades 1-6; grade 7 of S2 has 56 pupils
    sheet = sheet_of(("S1", 7, 0, np.nan), ("S2", 7, 57, 3), ("S2", 8, 5, 6), ("S9", 4, 1, np.nan))
    write_county(county_with(sheet), tmp_path / "county")
    with pytest.raises(CountyDataError, match="寄宿情况") as error:
        read_county(tmp_path / "county")
    found = {(p.key, p.row, p.value) for p in error.value.problems}
    assert found == {("grade_not_taught", 2, "7"), ("boarders_above_roll", 3, "57"), ("girls_above_boarders", 4, "6"), ("unknown_id", 5, "S9")}


def test_a_school_without_a_roster_is_not_held_against_it():
    sheet = Sheet("boarding", "county.xlsx", "寄宿情况", pd.DataFrame({"school_id": ["S1"], "grade": ["4"], "boarders": ["9"]}), (2,))
    rosters = Sheet("rosters", "county.xlsx", "班级", pd.DataFrame({"school_id": ["S2"], "grade": ["4"], "pupils": ["9"]}), (2,))
    assert cross_check({"boarding": sheet, "rosters": rosters}) == [] == cross_check({"boarding": sheet})


def test_the_sample_county_has_demand_at_its_boarding_schools():
    county = layout.make_sample_county(seed=0, settlements=120)
    pupils = layout.project_pupils(county, STANDARDS, years=[2025])
    times = layout.county_times(county, STANDARDS)
    table = layout.assign(pupils, times, county.schools, STANDARDS, seat_schools=layout.seat_schools(county))
    shares = boarding_shares(table, county.rosters, county.boarding, county.schools, STANDARDS, year=2025)
    assert (shares["source"] == "school").sum() > 10 and shares["share"].between(0, 1).all()
    out = boarding_demand(table, shares, times, STANDARDS, schools=county.schools)
    placed = table[(table["grade"] > 3) & ((table["school_id"] != "") | (table["status"] == "no_bed"))]
    assert out["pupils"].sum() == placed["pupils"].sum() and out["by_choice"].sum() > 100
