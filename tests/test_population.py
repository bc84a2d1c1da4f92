"""Population: cohorts worked by hand, and a plain-loop oracle on random small counties."""

import dataclasses
import datetime as dt
import os
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from conftest import VILLAGES, make_paper
from layout.plausibility import population_notes
from layout.population import birth_factor, project_people, project_pupils
from layout.standards import read_standards
from layout.tables import CountyDataError, check

STANDARDS = read_standards()
NO_LOSS = pd.DataFrame([("survival", "", a, "both", 1.0) for a in range(101)], columns=["rate", "area_id", "age", "sex", "value"])


def table(name, columns, *rows):
    return check(name, pd.DataFrame(list(rows), columns=columns.split()))


def moves(*rows):
    return table("moves", "from_id to_id year persons whole_village", *rows)


def people_of(county, *cells):
    """Replace the age list: (settlement, ages, sex, persons of each age)."""
    rows = [(v, a, sex, float(n)) for v, ages, sex, n in cells for a in ages]
    return dataclasses.replace(county, population=table("population", "settlement_id age sex persons", *rows))


def adults(county, per_age=10.0, ages=61):
    """The paper county with every age up to 60, as many of each as its village has children."""
    return people_of(county, *[(v, range(ages), sex, per_age * n / 20) for v, (_, n) in VILLAGES.items() for sex in ("female", "male")])


def persons(people, **where):
    mask = np.ones(len(people), bool)
    for column, value in where.items():
        mask &= (people[column] == value).to_numpy()
    return people.loc[mask, "persons"].sum()


# worked by hand


def test_base_year_of_the_paper_county_is_its_age_list(paper):
    # ages 6 to 14 are grades 1 to 9, with as many children each as the village has of every age
    expected = pd.DataFrame(
        [(v, 2025, g, "home", float(n)) for v, (_, n) in sorted(VILLAGES.items()) for g in range(1, 10)],
        columns=["settlement_id", "year", "grade", "attends", "pupils"],
    )
    assert_frame_equal(project_pupils(paper, STANDARDS, years=[2025]), check("pupils", expected))


def test_paper_county_ages_and_survives(paper):
    pupils = project_pupils(paper, STANDARDS, years=[2031, 2035]).set_index(["settlement_id", "year", "grade"]).pupils
    # A has 10 at every age. Grade 1 of 2031 was 0 in 2025: 10 x 0.9943 (0 to 1) x 0.9981 (1 to 6)
    assert pupils["A", 2031, 1] == pytest.approx(10 * 0.9943 * 0.9981)
    # grade 9 of 2031 (14) was 8 in 2025: four of the six years from 6 to 12, two of the three from 12 to 15
    assert pupils["A", 2031, 9] == pytest.approx(10 * 0.9984 ** (4 / 6) * 0.9991 ** (2 / 3))
    # grade 1 of 2035 is born in 2029: births stay at the mean of ages 0-2, which is 10 for A and 6 for E
    assert pupils["A", 2035, 1] == pytest.approx(10 * 0.9943 * 0.9981)
    assert pupils["E", 2035, 1] == pytest.approx(6 * 0.9943 * 0.9981)
    assert [key for key, _ in population_notes(paper, STANDARDS)] == ["population.note.no_mothers"]


def test_persons_of_both_sexes_are_split_by_the_sex_ratio(paper):
    people = project_people(paper, STANDARDS, years=[2025])
    # 111 boys for 100 girls: 10 children are 4.739 girls and 5.261 boys
    assert persons(people, settlement_id="A", age=3, sex="female") == pytest.approx(10 * 100 / 211)
    assert persons(people, settlement_id="A", age=3, sex="male") == pytest.approx(10 * 111 / 211)
    own = dataclasses.replace(paper, rates=table("rates", "rate area_id age sex value", ("srb", "T1", 0, "both", 100.0)))
    people = project_people(own, STANDARDS, years=[2025])
    assert persons(people, settlement_id="A", age=3, sex="female") == pytest.approx(5)
    assert persons(people, settlement_id="D", age=3, sex="female") == pytest.approx(20 * 100 / 211)


def test_ages_of_a_census_on_1_november_are_shifted_to_31_august(paper):
    # A: 100 at age 5, 73 at age 6, 365 at age 0, nobody else but 50 at age 14
    cells = [("A", [0], "both", 365), ("A", [5], "both", 100), ("A", [6], "both", 73), ("A", [14], "both", 50)]
    county = dataclasses.replace(people_of(paper, *cells), base_date=dt.date(2025, 11, 1), rates=check("rates", NO_LOSS))
    people = project_people(county, STANDARDS, years=[2025, 2026])
    f = 62 / 365
    # of those 6 on 1 November 62/365 were still 5 on 31 August
    assert persons(people, year=2025, age=5) == pytest.approx((1 - f) * 100 + f * 73)
    assert persons(people, year=2025, age=6) == pytest.approx((1 - f) * 73)
    assert persons(people, year=2025, age=4) == pytest.approx(f * 100)
    # the list ends at 14: as many are taken to be 15 as 14, and all of these count
    assert persons(people, year=2025, age=14) == pytest.approx(50)
    # 303 of the 365 infants were born by 31 August; births are the mean of ages 0-2, 303 / 3 = 101
    assert persons(people, year=2025, age=0) == pytest.approx(303)
    # next cohort: the 62 born since, and 303/365 of a year's births to come
    assert persons(people, year=2026, age=0) == pytest.approx(62 + 303 / 365 * 101)
    assert ("population.note.shifted", {"date": "2025-11-01", "year": 2025, "share": "0.170"}) in population_notes(county, STANDARDS)


def test_count_before_the_cut_off_belongs_to_the_year_before(paper):
    county = dataclasses.replace(paper, base_date=dt.date(2025, 8, 30))
    # 364 days after 31 August 2024; every age alike, so the shift leaves them alike and one year of survival follows
    pupils = project_pupils(county, STANDARDS, years=[2025]).set_index(["settlement_id", "grade"]).pupils
    assert pupils["A", 4] == pytest.approx(10 * 0.9984 ** (1 / 6))
    with pytest.raises(ValueError, match="years must not be before 2024"):
        project_people(county, STANDARDS, years=[2023])


def test_level_of_births_reproduces_the_youngest(paper):
    # only D has people. Women: 200 aged 29, 100 at each age 30-33. One birth for ten women of 30 a year, nobody dies.
    cells = [
        ("D", [29], "female", 200),
        ("D", [30, 31, 32, 33], "female", 100),
        ("D", [0], "both", 12),
        ("D", [1, 2], "both", 9),
        ("D", [60], "male", 1),
    ]
    rates = pd.concat([NO_LOSS, pd.DataFrame([("fertility", "", 30, "female", 0.1)], columns=NO_LOSS.columns)])
    county = dataclasses.replace(people_of(paper, *cells), rates=check("rates", rates))
    people = project_people(county, STANDARDS, years=[2026, 2027])
    # women aged 30: 100 at the end of each of the last three years and at their start: 3 x 10 births against 12 + 9 + 9 children,
    # so the level is 1; in 2026 they are 100 at the start and 200 at the end: 15 births; in 2027 200 and 0: 10
    assert persons(people, year=2026, age=0) == pytest.approx(15)
    assert persons(people, year=2027, age=0) == pytest.approx(10)
    assert persons(people, year=2026, age=0, sex="male") == pytest.approx(15 * 111 / 211)
    more = dataclasses.replace(people_of(paper, *cells[:2], ("D", [0, 1, 2], "both", 20), cells[-1]), rates=county.rates)
    # twice as many children, twice the births
    assert persons(project_people(more, STANDARDS, years=[2026]), age=0) == pytest.approx(30)
    assert population_notes(county, STANDARDS) == ()


def test_adults_stay_in_the_open_group(paper):
    county = dataclasses.replace(people_of(paper, ("D", [59, 60], "male", 10)), rates=check("rates", NO_LOSS))
    people = project_people(county, STANDARDS, years=[2025, 2026, 2027])
    assert people.groupby("year").persons.sum().tolist() == pytest.approx([20, 20, 20])
    assert persons(people, year=2027, age=60) == pytest.approx(20)


def test_registered_births_are_multiplied_by_the_factor(paper):
    # T1 (A, B, C) registered 24 births in each year 2020-2026; its age list has 10 + 8 + 12 = 30 children of every age
    births = table("births", "township_id year births", *[("T1", y, 24.0) for y in range(2020, 2025)], ("T1", 2025, 48.0), ("T1", 2026, 48.0))
    county = dataclasses.replace(paper, births=births, rates=check("rates", NO_LOSS))
    table_ = birth_factor(county, STANDARDS)
    # cohort 2025 takes 122/365 of 2024 and 243/365 of 2025
    mixed = 24 * 122 / 365 + 48 * 243 / 365
    expected = pd.DataFrame(
        {
            "year": [2021, 2022, 2023, 2024, 2025], "age": [4, 3, 2, 1, 0], "births": [24.0, 24.0, 24.0, 24.0, mixed],
            "expected": [24.0, 24.0, 24.0, 24.0, mixed], "children": [30.0] * 5, "ratio": [1.25] * 4 + [30 / mixed],
        }
    )  # fmt: skip
    assert_frame_equal(table_, expected)
    factor = 150 / (96 + mixed)
    assert table_.attrs["factor"] == pytest.approx(factor)
    people = project_people(county, STANDARDS, years=[2026, 2027])
    # cohort 2026: 48 births x factor, shared as 10 : 8 : 12; T2 registered nothing and stays at its mean
    assert persons(people, year=2026, age=0, settlement_id="A") == pytest.approx(48 * factor * 10 / 30)
    assert persons(people, year=2026, age=0, settlement_id="C") == pytest.approx(48 * factor * 12 / 30)
    assert persons(people, year=2026, age=0, settlement_id="D") == pytest.approx(20)
    # cohort 2027 needs births of 2027, which nobody has registered
    assert persons(people, year=2027, age=0, settlement_id="A") == pytest.approx(10)
    fields = {"factor": f"{factor:.2f}", "least": f"{factor:.2f}", "most": f"{factor:.2f}", "cohorts": 5}
    assert ("population.note.factor", fields) in population_notes(county, STANDARDS)


def test_youngest_ages_that_the_list_lacks_come_from_births(paper):
    # ages 3-14 only. T1 registered 15 births a year 2018-2025: the cohorts 2019-2022 (ages 6-3) have 30 children each: factor 2
    cells = [(v, range(3, 15), "both", n) for v, (_, n) in VILLAGES.items()]
    births = table("births", "township_id year births", *[("T1", y, 15.0 + 3 * (y > 2022)) for y in range(2018, 2026)])
    county = dataclasses.replace(people_of(paper, *cells), births=births, rates=check("rates", NO_LOSS))
    assert birth_factor(county, STANDARDS).attrs["factor"] == pytest.approx(2)
    people = project_people(county, STANDARDS, years=[2025])
    # cohort 2024 (age 1): 18 births x 2, A's share a third; T2 registered none and takes the mean of ages 3-5
    assert persons(people, age=1, settlement_id="A") == pytest.approx(12)
    assert persons(people, age=1, settlement_id="D") == pytest.approx(20)
    # cohort 2023 (age 2): 122/365 of 15 and 243/365 of 18
    assert persons(people, age=2, settlement_id="A") == pytest.approx((15 * 122 + 18 * 243) / 365 * 2 / 3)
    assert ("population.note.youngest_filled", {"age": 3}) in population_notes(county, STANDARDS)


def test_births_without_a_common_cohort_count_once(paper):
    births = table("births", "township_id year births", ("T1", 2025, 30.0), ("T1", 2026, 30.0))
    county = dataclasses.replace(paper, births=births)
    assert len(birth_factor(county, STANDARDS)) == 0
    assert persons(project_people(county, STANDARDS, years=[2026]), age=0, settlement_id="A") == pytest.approx(10)
    assert ("population.note.factor_unknown", {}) in population_notes(county, STANDARDS)


def test_small_settlements_share_the_births_of_their_township(paper):
    # T1: A has 9 infants and no other child of 0-2, B has none, but 1 and 2 children aged 10: 9 / 3 = 3 births a year in A : B = 10 : 2
    cells = [("A", [0], "both", 9), ("A", [10], "both", 1), ("B", [10], "both", 2), ("D", range(15), "both", 20)]
    people = project_people(people_of(paper, *cells), STANDARDS, years=[2026])
    assert persons(people, age=0, settlement_id="A") == pytest.approx(3 * 10 / 12)
    assert persons(people, age=0, settlement_id="B") == pytest.approx(3 * 2 / 12)
    assert persons(people, age=0, settlement_id="D") == pytest.approx(20)


def test_rates_of_the_township_go_before_those_of_the_county(paper):
    rates = table(
        "rates", "rate area_id age sex value", ("survival", "", 5, "both", 0.9), ("survival", "T2", 5, "both", 0.8),
        ("survival", "520000", 5, "female", 0.7), ("migration", "T1", 7, "both", -0.5),
    )  # fmt: skip
    people = project_people(dataclasses.replace(paper, rates=rates), STANDARDS, years=[2026])
    # B (T1): girls 0.7, boys 0.9; E (T2): 0.8 for both; half of those who turned 7 leave T1 at the end of the year
    assert persons(people, settlement_id="B", age=6, sex="female") == pytest.approx(8 * 100 / 211 * 0.7)
    assert persons(people, settlement_id="B", age=6, sex="male") == pytest.approx(8 * 111 / 211 * 0.9)
    assert persons(people, settlement_id="E", age=6) == pytest.approx(6 * 0.8)
    assert persons(people, settlement_id="A", age=7) == pytest.approx(10 * 0.9984 ** (1 / 6) / 2)


# moves


def test_whole_village_moves_and_sends_no_child(paper):
    county = dataclasses.replace(paper, moves=moves(("E", "D", 2027, np.nan, True), ("B", "A", 2025, np.nan, True)))
    years = range(2025, 2036)
    with_moves, without = project_people(county, STANDARDS, years=years), project_people(paper, STANDARDS, years=years)
    # E (6 a year) joins D (20 a year), children to be born included; the move of 2025 is in the counts already
    assert persons(with_moves, settlement_id="E", year=2026) > 0
    assert [persons(with_moves, settlement_id="E", year=y) for y in range(2027, 2036)] == [0.0] * 9
    assert persons(with_moves, settlement_id="D", year=2035, age=0) == pytest.approx(26)
    assert persons(with_moves, settlement_id="B", year=2030) == pytest.approx(persons(without, settlement_id="B", year=2030))
    pupils = project_pupils(county, STANDARDS, years=years)
    assert pupils[(pupils.settlement_id == "E") & (pupils.year >= 2027)].empty
    key = ["year", "age", "sex"]
    left, right = (p.groupby(key, observed=True).persons.sum() for p in (with_moves, without))
    assert np.abs(left - right).max() < 1e-9


def test_part_of_a_village_moves_with_its_structure(paper):
    county = dataclasses.replace(adults(paper), rates=check("rates", NO_LOSS))
    before = project_people(county, STANDARDS, years=[2026])
    total = persons(before, settlement_id="A")
    county = dataclasses.replace(county, moves=moves(("A", "E", 2026, total / 4, False)))
    after = project_people(county, STANDARDS, years=[2026])
    for age, sex in ((0, "male"), (8, "female"), (60, "male")):
        a, e = (persons(before, settlement_id=v, age=age, sex=sex) for v in "AE")
        assert persons(after, settlement_id="A", age=age, sex=sex) == pytest.approx(a * 3 / 4, abs=1e-9)
        assert persons(after, settlement_id="E", age=age, sex=sex) == pytest.approx(e + a / 4, abs=1e-9)


def test_moves_of_one_year_are_simultaneous_and_may_empty_a_village(paper):
    county = dataclasses.replace(adults(paper), rates=check("rates", NO_LOSS))
    before = project_people(county, STANDARDS, years=[2026])
    total = persons(before, settlement_id="A")
    # A: a tenth to B, the rest in two to C and D as 1 : 2; B goes whole to E; those from A arrive in B and stay there
    county = dataclasses.replace(county, moves=moves(
        ("A", "B", 2026, total / 10, False), ("A", "C", 2026, 10, True), ("A", "D", 2026, 20, True), ("B", "E", 2026, np.nan, True),
    ))  # fmt: skip
    after = project_people(county, STANDARDS, years=[2026])
    expected = {v: persons(before, settlement_id=v) for v in VILLAGES}
    expected = {
        "A": 0.0, "B": 0.1 * total, "C": expected["C"] + 0.3 * total, "D": expected["D"] + 0.6 * total, "E": expected["E"] + expected["B"],
    }  # fmt: skip
    assert {v: persons(after, settlement_id=v) for v in VILLAGES} == pytest.approx(expected)
    assert persons(after, settlement_id="A") == 0.0


def test_everything_wrong_with_moves_is_said_at_once(paper):
    county = dataclasses.replace(adults(paper), moves=moves(
        ("A", "D", 2026, 99999, False), ("B", "D", 2027, np.nan, False), ("C", "D", 2028, np.nan, True), ("C", "E", 2028, np.nan, True),
    ))  # fmt: skip
    with pytest.raises(CountyDataError, match="99999 persons move from A in 2026, more than the") as error:
        project_people(county, STANDARDS, years=[2030])
    assert [p.key for p in error.value.problems] == ["move_larger_than_village", "move_without_persons", "move_whole_twice"]
    # years beyond those asked for are not looked at
    assert len(project_people(county, STANDARDS, years=[2025])) > 0


def test_part_of_a_village_needs_all_ages(paper):
    county = dataclasses.replace(paper, moves=moves(("A", "D", 2026, 30, False)))
    with pytest.raises(CountyDataError, match="the age list ends at 14"):
        project_pupils(county, STANDARDS, years=[2026])


# where they study


def test_attendance_divides_pupils(paper):
    rows = [
        ("T1", "junior", "home", 0.5),
        ("T1", "junior", "other_township", 0.1),
        ("T1", "junior", "county_seat", 0.3),
        ("T1", "junior", "out_of_county", 0.1),
    ]
    rows += [("T2", "lower", "county_seat", 0.9), ("T2", "lower", "out_of_county", 0.1)]
    county = dataclasses.replace(paper, attendance=table("attendance", "township_id band place share", *rows))
    pupils = project_pupils(county, STANDARDS, years=[2025]).set_index(["settlement_id", "grade", "attends"]).pupils
    # A (10 a grade): junior 6 at home or in another township, 3 at the seat, 1 away; no row for grades 1-6, so all at home
    assert pupils["A", 7].to_dict() == pytest.approx({"away": 1.0, "county_seat": 3.0, "home": 6.0})
    assert pupils["A", 6].to_dict() == pytest.approx({"home": 10.0})
    # D lies in the county seat's township: studying at the seat is studying at home
    assert pupils["D", 1].to_dict() == pytest.approx({"away": 2.0, "home": 18.0})


def test_shares_must_add_up_to_one(paper):
    rows = [("T1", "lower", "home", 0.7), ("T1", "upper", "home", 0.5), ("T1", "upper", "county_seat", 0.5000005), ("T2", "junior", "home", 1.2)]
    county = dataclasses.replace(paper, attendance=table("attendance", "township_id band place share", *rows))
    with pytest.raises(CountyDataError, match="T1, lower, do not add up to 1") as error:
        project_pupils(county, STANDARDS, years=[2025])
    assert [(p.fields["township"], p.fields["band"]) for p in error.value.problems] == [("T1", "lower"), ("T2", "junior")]


# what is refused


def test_years_before_the_base_year_are_refused(paper):
    with pytest.raises(ValueError, match="years must not be before 2025"):
        project_pupils(paper, STANDARDS, years=[2024, 2026])


def test_no_years_give_empty_tables(paper):
    assert len(project_people(paper, STANDARDS, years=[])) == 0
    assert len(project_pupils(paper, STANDARDS, years=[])) == 0


def test_an_age_list_must_reach_the_last_grade(paper):
    county = people_of(paper, ("A", range(8), "both", 10))
    with pytest.raises(CountyDataError, match="the ages of the population end at 7; grade 9 needs them up to 14"):
        project_pupils(county, STANDARDS, years=[2025])
    # by 2032 those aged 7 are 14
    assert project_pupils(county, STANDARDS, years=[2032]).grade.tolist() == list(range(1, 10))


def test_wrong_rates_and_totals_are_said_at_once(paper):
    rates = table(
        "rates", "rate area_id age sex value", ("survival", "", 5, "both", 1.2), ("fertility", "", 30, "female", -0.1),
        ("migration", "", 5, "both", -1.5), ("srb", "", 0, "both", 1.11), ("survival", "T9", 5, "both", 0.9),
    )  # fmt: skip
    population = pd.concat([paper.population, table("population", "settlement_id age sex persons", ("A", 3, "male", 5.0))])
    county = dataclasses.replace(paper, rates=rates, population=check("population", population))
    with pytest.raises(CountyDataError, match="survival of area 520000 at age 5 is not between 0 and 1") as error:
        project_people(county, STANDARDS, years=[2026])
    assert [p.key for p in error.value.problems] == ["sexes_and_total", "rate_survival", "rate_fertility", "rate_migration", "rate_srb", "rate_area"]


def test_unknown_settlements_are_a_mistake_of_the_caller(paper):
    county = dataclasses.replace(paper, moves=moves(("A", "X", 2026, np.nan, True)))
    with pytest.raises(ValueError, match="settlements that the county does not have: X"):
        project_people(county, STANDARDS, years=[2026])


# the oracle: one person's fate at a time, in plain loops


def naive_people(county, years):
    """Project with scalars in dictionaries: keys settlement, sex, age."""
    township = dict(zip(county.settlements.settlement_id, county.settlements.township_id, strict=True))
    top = int(county.population.age.max())
    complete, last = top > 49, max(top, 14)
    cutoff = dt.date(county.base_date.year, 8, 31)
    if cutoff > county.base_date:
        cutoff = dt.date(county.base_date.year - 1, 8, 31)
    f = (county.base_date - cutoff).days / 365
    srb = {"female": 100 / 211, "male": 111 / 211}
    steps = [(0, 1, 0.9943), (1, 6, 0.9981), (6, 12, 0.9984), (12, 15, 0.9991)]
    survive = lambda a: next((v ** (1 / (hi - lo)) for lo, hi, v in steps if lo <= a < hi), 0.9991 ** (1 / 3))  # noqa: E731
    schedule = {15: 6.07, 20: 55.22, 25: 98.98, 30: 65.05, 35: 26.91, 40: 6.34, 45: 1.61}
    fertility = lambda a: schedule.get(a // 5 * 5, 0.0) / 1000  # noqa: E731
    leave = {r.age: r.value for r in county.rates.itertuples() if r.rate == "migration"}
    counted = {}
    for r in county.population.itertuples():
        for sex in srb:
            share = srb[sex] if r.sex == "both" else float(r.sex == sex)
            counted[r.settlement_id, sex, r.age] = counted.get((r.settlement_id, sex, r.age), 0.0) + r.persons * share

    def n(v, sex, a):
        return counted.get((v, sex, top if a > top and not complete else a), 0.0) if a <= top + 1 else 0.0

    villages = sorted(township)
    now = {(v, s, a): (1 - f) * n(v, s, a) + f * n(v, s, a + 1) if a <= top else 0.0 for v in villages for s in srb for a in range(last + 1)}
    newborn = {(v, s): f * n(v, s, 0) for v in villages for s in srb}

    def left(a):
        return np.prod([survive(b) for b in range(a)])

    cohort_births = {}
    for r in county.births.itertuples():
        earlier = county.births[(county.births.township_id == r.township_id) & (county.births.year == r.year - 1)].births
        if len(earlier):
            cohort_births[r.township_id, r.year] = earlier.iloc[0] * 122 / 365 + r.births * 243 / 365
    expected, children = {}, {}
    for (t, y), b in cohort_births.items():
        age = cutoff.year - y
        if 0 <= age <= min(top, 14):
            expected[t] = expected.get(t, 0.0) + b * left(age)
            children[t] = children.get(t, 0.0) + sum(now[v, s, age] for v in villages if township[v] == t for s in srb)
    mean = sum(children.values()) / sum(expected.values()) if expected else None
    factor = {t: mean for t in set(township.values())}
    if len(expected) > 1:
        # the share of the variance between townships that is not chance
        spread = sum(e * (children[t] / e - mean) ** 2 for t, e in expected.items()) / sum(expected.values())
        between = max(spread - mean / (sum(expected.values()) / len(expected)), 0.0)
        for t, e in expected.items():
            factor[t] = mean + between / (between + mean / e) * (children[t] / e - mean)
    young = {v: sum(now[v, s, a] for s in srb for a in range(3)) for v in villages}
    listed = {v: sum(now[v, s, a] for s in srb for a in range(15)) for v in villages}
    constant = {}
    for v in villages:
        pool = [w for w in villages if township[w] == township[v] and young[w] < 10]
        whole = sum(listed[w] for w in pool)
        constant[v] = young[v] / 3 if v not in pool else (sum(young[w] for w in pool) / 3 * listed[v] / whole if whole else 0.0)

    def past(v, a, back):
        return now[v, "female", a + back] * left(a) / left(a + back) if a + back <= last else 0.0

    borne = sum(fertility(a) * (past(v, a, k) + past(v, a, k + 1)) / 2 for v in villages for k in range(3) for a in range(last + 1))
    arrived = sum(now[v, s, a] / left(a) for v in villages for s in srb for a in range(3))
    level = arrived / borne if complete and borne else 0.0
    out = {cutoff.year: dict(now)}
    for year in range(cutoff.year + 1, max(years) + 1):
        then, now = now, {}
        for v in villages:
            for s in srb:
                for a in range(1, last + 1):
                    now[v, s, a] = then[v, s, a - 1] * survive(a - 1)
                if complete:
                    now[v, s, last] += then[v, s, last] * survive(last)
        births = dict(constant)
        if level:
            births = {v: level * sum(fertility(a) * (then[v, "female", a] + now[v, "female", a]) / 2 for a in range(1, last + 1)) for v in villages}
        for t in set(township.values()):
            weight = sum(births[v] for v in villages if township[v] == t)
            if (t, year) in cohort_births and weight and mean is not None:
                births = {v: b * factor[t] * cohort_births[t, year] / weight if township[v] == t else b for v, b in births.items()}
        for v in villages:
            for s in srb:
                now[v, s, 0] = births[v] * srb[s]
                if year == cutoff.year + 1:
                    now[v, s, 0] = newborn[v, s] + (1 - f) * now[v, s, 0]
                for a in range(last + 1):
                    now[v, s, a] *= 1 + leave.get(a, 0.0)
        before, births_before = dict(now), dict(constant)
        for m in county.moves[county.moves.year == year].itertuples():
            total = sum(before[m.from_id, s, a] for s in srb for a in range(last + 1))
            share = 1.0 if m.whole_village else (m.persons / total if total else 0.0)
            for s in srb:
                for a in range(last + 1):
                    now[m.to_id, s, a] += share * before[m.from_id, s, a]
                    now[m.from_id, s, a] -= share * before[m.from_id, s, a]
            constant[m.to_id] += share * births_before[m.from_id]
            constant[m.from_id] -= share * births_before[m.from_id]
        out[year] = dict(now)
    rows = [
        (v, y, a, s, out[y][v, s, a])
        for v in villages
        for y in sorted(years)
        for a in range(last + 1)
        for s in sorted(srb)
        if out[y][v, s, a] > 1e-12
    ]
    return pd.DataFrame(rows, columns=["settlement_id", "year", "age", "sex", "persons"])


def random_county(seed):
    rng = np.random.default_rng(seed)
    paper = make_paper()
    everybody = rng.random() < 0.6
    top = int(rng.integers(52, 70)) if everybody else int(rng.integers(14, 20))
    cells = []
    for v in VILLAGES:
        size, both = rng.choice([0.4, 3.0, 12.0]), rng.random() < 0.5
        for a in range(top + 1):
            cells += [(v, [a], s, int(rng.poisson(size))) for s in (["both"] if both else ["female", "male"])]
    county = people_of(paper, *cells)
    births = [(t, y, float(rng.integers(5, 60))) for t in ("T1", "T2") for y in range(2017, 2029) if rng.random() < 0.8]
    rates = [("migration", "", int(a), "both", round(float(rng.uniform(-0.1, 0.1)), 3)) for a in rng.choice(14, 4, replace=False)]
    going = [("A", "D", 2027, np.nan, True), ("C", "E", 2028, np.nan, True)]
    if everybody:
        going[1] = ("C", "E", 2028, 1.5, False)
    return dataclasses.replace(
        county, births=table("births", "township_id year births", *births), rates=table("rates", "rate area_id age sex value", *rates),
        moves=moves(*going), base_date=dt.date(2024, 8, 31) + dt.timedelta(days=int(rng.integers(0, 500))),
    )  # fmt: skip


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_plain_loops_give_the_same_people(seed):
    county = random_county(seed)
    years = [2026, 2027, 2031, 2035]
    people = project_people(county, STANDARDS, years=years)
    people = people[people.persons > 1e-12].reset_index(drop=True)
    assert_frame_equal(check("people", people), check("people", naive_people(county, years)), rtol=1e-9, atol=1e-12)


# properties


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_moves_conserve_persons_by_year_age_and_sex(seed):
    county = dataclasses.replace(random_county(seed), births=make_paper().births, rates=make_paper().rates)
    still = dataclasses.replace(county, moves=make_paper().moves)
    key, years = ["year", "age", "sex"], range(2026, 2036)
    a, b = (project_people(c, STANDARDS, years=years).groupby(key, observed=True).persons.sum() for c in (county, still))
    assert np.abs(a - b).max() < 1e-9


def test_people_are_in_the_form_of_the_table(paper):
    people = project_people(adults(paper), STANDARDS, years=[2030, 2026])
    plain = people.astype({"settlement_id": "str", "sex": "str"})
    assert_frame_equal(check("people", plain), plain)


def test_two_runs_are_equal_and_change_nothing():
    county, other = random_county(5), random_county(5)
    first, second = (project_people(county, STANDARDS, years=[2035]) for _ in range(2))
    assert first.to_csv() == second.to_csv()
    for name in ("population", "births", "rates", "moves", "settlements"):
        assert_frame_equal(getattr(county, name), getattr(other, name))


@pytest.mark.parametrize("more", [1.0, 5.0, 40.0])
def test_more_registered_births_never_give_fewer_first_graders(paper, more):
    # births after the age list leave the factor alone
    base = [("T1", y, 24.0) for y in range(2015, 2026)]
    fewer, many = (
        project_pupils(dataclasses.replace(paper, births=table("births", "township_id year births", *base, ("T1", 2026, n))), STANDARDS, years=[2032])
        for n in (24.0, 24.0 + more)
    )
    assert (many.pupils.to_numpy() - fewer.pupils.to_numpy() >= -1e-12).all()
    assert many[many.grade == 1].pupils.sum() > fewer[fewer.grade == 1].pupils.sum()


def test_pupils_are_the_people_of_their_age():
    county = random_county(11)
    years = [2027, 2035]
    people = project_people(county, STANDARDS, years=years)
    pupils = project_pupils(county, STANDARDS, years=years)
    children = people[people.age.between(6, 14)].assign(grade=people.age - 5).groupby(["settlement_id", "year", "grade"], observed=True).persons.sum()
    assert pupils.groupby(["settlement_id", "year", "grade"]).pupils.sum().to_numpy() == pytest.approx(children.to_numpy())


@pytest.mark.skipif(not os.environ.get("LAYOUT_REAL_DATA"), reason="LAYOUT_REAL_DATA is not set: the censuses of Guizhou are not here")
def test_guizhou_2010_carried_to_2020(paper):
    folder = Path(os.environ["LAYOUT_REAL_DATA"]) / "guizhou"
    old, new = (pd.read_csv(folder / f"census{y}_county_guizhou.csv") for y in (2010, 2020))
    province = old[old["区划代码"] == 520000].iloc[0]
    cells = []
    for sex, sign in (("male", "男"), ("female", "女")):
        cells += [("D", [0], sex, province[f"0岁（{sign}）"]), ("D", range(1, 5), sex, province[f"1-4岁（{sign}）"] / 4)]
        for low in range(5, 85, 5):
            column = next(c for c in old.columns if c.startswith(f"{low}-{low + 4}岁（{sign}"))
            cells.append(("D", range(low, low + 5), sex, province[column] / 5))
    county = dataclasses.replace(people_of(paper, *cells), base_date=dt.date(2010, 11, 1), base_year=2010)
    people = project_people(county, STANDARDS, years=[2020])
    seen = new[new["区划代码"] == 520000].iloc[0]
    for low in (0, 5, 10, 15):
        groups = ["0岁", "1到4岁"] if low == 0 else [f"{low}到{low + 4}岁"]
        census = sum(seen[f"{sign}_{g}"] for sign in ("男", "女") for g in groups)
        ratio = census / people[people.age.between(low, low + 4)].persons.sum()
        # shown by pytest -s
        sys.stdout.write(f"ages {low}-{low + 4}: census 2020 {census:,.0f}, carried from 2010 x {ratio:.3f}\n")
        # residents of school age came back or were missed in 2010: about 8 % more; nothing explains half or double
        assert 0.75 < ratio < 1.35


def test_a_large_county_takes_seconds(paper):
    ids = [f"V{i:04d}" for i in range(1500)]
    settlements = gpd.GeoDataFrame(
        {"settlement_id": ids, "name": ids, "township_id": [f"T{i % 20:02d}" for i in range(1500)], "kind": "village"},
        geometry=gpd.points_from_xy(range(1500), range(1500)), crs=paper.crs,
    )  # fmt: skip
    townships = pd.DataFrame({"township_id": [f"T{i:02d}" for i in range(20)], "name": "x", "is_county_seat": False})
    ages = pd.MultiIndex.from_product([ids, range(100), ["female", "male"]], names=["settlement_id", "age", "sex"])
    population = pd.DataFrame({"persons": np.random.default_rng(0).poisson(3, len(ages)).astype(float)}, index=ages).reset_index()
    county = dataclasses.replace(paper, settlements=settlements, townships=townships, population=population)
    pupils = project_pupils(county, STANDARDS, years=range(2025, 2037))
    assert pupils.groupby("year").pupils.sum().between(70_000, 90_000).all()
