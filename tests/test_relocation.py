"""Relocation: households, ages of those who move, years, and the check of sites against the survey."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from conftest import VILLAGES, make_paper
from layout.population import project_people, project_pupils
from layout.relocation import move_problems, prior_band, site_notes, site_pupils
from layout.sheets import describe
from layout.standards import read_standards
from layout.tables import CountyDataError, check

STANDARDS = read_standards()


def moves(*rows):
    table = pd.DataFrame(list(rows), columns=["from_id", "to_id", "year", "households", "persons", "whole_village"])
    return check("moves", table)


def ages(*rows):
    return check("move_ages", pd.DataFrame(list(rows), columns=["from_id", "to_id", "year", "age", "sex", "persons"]))


def full(paper):
    """Everybody up to 60, ten of each age and sex in every village."""
    rows = [(v, a, s, 10.0) for v in VILLAGES for a in range(61) for s in ("female", "male")]
    rates = [("survival", "", a, "both", 1.0) for a in range(61)]
    return dataclasses.replace(
        paper, population=check("population", pd.DataFrame(rows, columns=["settlement_id", "age", "sex", "persons"])),
        rates=check("rates", pd.DataFrame(rates, columns=["rate", "area_id", "age", "sex", "value"])),
    )  # fmt: skip


def of(people, place, **where):
    mask = (people.settlement_id == place).to_numpy()
    for column, value in where.items():
        mask = mask & (people[column] == value).to_numpy()
    return people[mask].persons.sum()


def test_households_are_turned_into_persons(paper):
    county = dataclasses.replace(full(paper), moves=moves(("A", "E", 2026, 100, np.nan, False)))
    still = project_people(full(paper), STANDARDS, years=[2026])
    people = project_people(county, STANDARDS, years=[2026])
    assert of(people, "E") - of(still, "E") == pytest.approx(281, abs=1e-9)
    assert of(still, "A") - of(people, "A") == pytest.approx(281, abs=1e-9)


def test_those_who_move_may_have_ages_of_their_own(paper):
    county = dataclasses.replace(
        full(paper), moves=moves(("A", "E", 2026, np.nan, np.nan, False), ("A", "D", 2026, np.nan, 122.0, False)),
        move_ages=ages(("A", "E", 2026, 7, "both", 8.0), ("A", "E", 2026, 30, "female", 3.0)),
    )  # fmt: skip
    still, people = (project_people(c, STANDARDS, years=[2026]) for c in (full(paper), county))
    gained = {(a, s): of(people, "E", age=a, sex=s) - of(still, "E", age=a, sex=s) for a in (7, 30, 31) for s in ("female", "male")}
    assert gained == pytest.approx(
        {(7, "female"): 4, (7, "male"): 4, (30, "female"): 3, (30, "male"): 0, (31, "female"): 0, (31, "male"): 0}, abs=1e-9
    )  # fmt: skip
    # a tenth of the village goes to D, of every age alike
    assert of(people, "D", age=50, sex="male") - of(still, "D", age=50, sex="male") == pytest.approx(122 / of(still, "A") * 10)
    assert people.groupby(["age", "sex"], observed=True).persons.sum().to_numpy() == pytest.approx(
        still.groupby(["age", "sex"], observed=True).persons.sum().to_numpy(), abs=1e-9
    )


def test_a_list_of_children_needs_the_size_of_the_village(paper):
    county = dataclasses.replace(paper, moves=moves(("C", "D", 2026, np.nan, 120.0, False)))
    with pytest.raises(CountyDataError, match="the age list ends at 14"):
        project_pupils(county, STANDARDS, years=[2026])
    sized = dataclasses.replace(county, settlements=county.settlements.assign(persons=[400.0, 400.0, 480.0, 900.0, 300.0]))
    pupils = project_pupils(sized, STANDARDS, years=[2026]).set_index(["settlement_id", "grade"]).pupils
    plain = project_pupils(paper, STANDARDS, years=[2026]).set_index(["settlement_id", "grade"]).pupils
    # a quarter of the village is a quarter of its children
    assert pupils["C", 3] == pytest.approx(plain["C", 3] * 0.75) and pupils["D", 3] == pytest.approx(plain["D", 3] + plain["C", 3] / 4)


def test_a_second_move_is_of_those_who_are_left(paper):
    def after(*rows):
        county = dataclasses.replace(paper, moves=moves(*rows), settlements=paper.settlements.assign(persons=[200.0, 200.0, 480.0, 900.0, 300.0]))
        return project_pupils(county, STANDARDS, years=[2029]).groupby("settlement_id").pupils.sum()

    halves = after(("A", "D", 2027, np.nan, 100.0, False), ("A", "D", 2028, np.nan, 100.0, False))
    assert "A" not in halves.index
    with pytest.raises(CountyDataError, match="150 persons move from A in 2028, more than the 50"):
        after(("A", "D", 2027, np.nan, 150.0, False), ("A", "D", 2028, np.nan, 150.0, False))
    # who has come may go on
    on = after(("A", "B", 2027, np.nan, 200.0, False), ("B", "D", 2028, np.nan, 300.0, False))
    assert on["B"] == pytest.approx(after(("C", "D", 2040, np.nan, 1.0, False))[["A", "B"]].sum() / 4, rel=1e-6)


def test_a_share_may_stay_or_return(paper):
    rules = dict(STANDARDS.rules)
    rules["relocation.stay_share"] = dataclasses.replace(rules["relocation.stay_share"], value=0.2)
    county = dataclasses.replace(paper, moves=moves(("E", "D", 2027, np.nan, np.nan, True)))
    people = project_people(county, dataclasses.replace(STANDARDS, rules=rules), years=[2027])
    still = project_people(paper, STANDARDS, years=[2027])
    assert of(people, "E") == pytest.approx(0.2 * of(still, "E")) and of(people, "D") == pytest.approx(of(still, "D") + 0.8 * of(still, "E"))


def test_everything_wrong_is_said_at_once(paper):
    county = dataclasses.replace(
        full(paper),
        moves=moves(("A", "D", 2026, np.nan, 99999.0, False), ("B", "D", 2027, np.nan, np.nan, False), ("C", "D", 1890, np.nan, 5.0, False),
                    ("C", "D", 2206, np.nan, 5.0, False), ("E", "D", 2028, np.nan, np.nan, False)),
        move_ages=ages(("E", "D", 2028, 7, "male", 11.0), ("E", "A", 2028, 7, "male", 1.0)),
    )  # fmt: skip
    with pytest.raises(CountyDataError, match="the year 2206 of a move from C is not between 1990 and 2040") as error:
        project_people(county, STANDARDS, years=[2030])
    keys = [p.key for p in error.value.problems]
    assert keys == ["move_year", "move_year", "move_ages_unknown", "move_larger_than_village", "move_without_persons", "move_ages_beyond"]


def test_a_move_just_after_the_years_asked_for_is_no_fault(paper):
    county = dataclasses.replace(full(paper), moves=moves(("A", "D", 2033, np.nan, 5.0, False)))
    assert move_problems(county, last=2030) == []
    assert of(project_people(county, STANDARDS, years=[2030]), "A") == of(project_people(full(paper), STANDARDS, years=[2030]), "A")


# sites against the survey


def test_the_prior_is_the_survey_aged_forward():
    # 2026: the primary cohorts were 0-5 in 2020, six years at the preschool rate of 40.1 / 3 = 13.4 each
    assert prior_band(STANDARDS, 2026, "primary") == pytest.approx((6 * 40.1 / 3, 109.8))
    # 2023: ages 6-8 were 3-5, ages 9-11 were 6-8
    assert prior_band(STANDARDS, 2023, "primary")[0] == pytest.approx(40.1 + 109.8 / 2)
    # junior in 2024 were 8-10: 54.9 by the primary rate, more than the 53.2 of the survey
    assert prior_band(STANDARDS, 2024, "junior") == pytest.approx((53.2, 3 * 109.8 / 6))
    assert prior_band(STANDARDS, 2020, "primary") == (109.8, 109.8)


def test_sites_are_compared_with_the_prior_and_the_difference_is_said():
    paper = make_paper()
    settlements = paper.settlements.copy()
    settlements.loc[settlements.settlement_id == "E", "kind"] = "relocation"
    everybody = full(paper)
    # a young site: nobody above 44
    young = everybody.population[(everybody.population.settlement_id != "E") | (everybody.population.age < 45)]
    county = dataclasses.replace(everybody, settlements=settlements, population=young.reset_index(drop=True))
    people, pupils = (f(county, STANDARDS, years=[2026, 2032]) for f in (project_people, project_pupils))
    table = site_pupils(county, STANDARDS, people, pupils).set_index(["year", "stage"])
    living = of(people[people.year == 2026], "E")
    assert table.persons[2026, "primary"] == pytest.approx(living)
    # twenty of each age: 120 primary pupils, more than 110 in 1000
    assert table.pupils[2026, "primary"] == pytest.approx(120)
    assert table.difference[2026, "primary"] == pytest.approx(120 - 0.1098 * living) and living < 1000
    # in 2032 no primary pupil was alive at the survey; junior pupils were 0-2
    assert list(table.index) == [(2026, "junior"), (2026, "primary"), (2032, "junior")]
    sentences = describe(site_notes(table.reset_index()), "en")
    assert "junior" in sentences[0] and "1 have more (9)" in sentences[0] and "primary" in sentences[1] and "1 have more" in sentences[1]


def test_a_site_of_children_only_is_measured_by_those_who_moved_there(paper):
    county = dataclasses.replace(paper, moves=moves(("C", "E", 2020, np.nan, 200.0, False), ("B", "E", 2021, 20, np.nan, False)))
    people, pupils = (f(county, STANDARDS, years=[2025]) for f in (project_people, project_pupils))
    table = site_pupils(county, STANDARDS, people, pupils)
    assert table.persons.tolist() == pytest.approx([200 + 20 * 2.81] * 2)
    assert table.pupils.tolist() == pytest.approx([18, 36])
