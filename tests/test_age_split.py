"""Ages from township totals and a pyramid: by hand, and a whole county that has nothing else."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from conftest import make_paper
from layout.age_split import rake, split_population
from layout.county import County, read_county, write_county
from layout.plan import make_plan
from layout.plausibility import population_notes
from layout.population import birth_factor, project_pupils
from layout.sheets import describe
from layout.standards import read_standards
from layout.tables import CountyDataError, age_span, empty

STANDARDS = read_standards()


def totals(*rows):
    return pd.DataFrame(list(rows), columns=["township_id", "age_group", "persons"])


def pyramid(groups, sex="both"):
    return pd.DataFrame({"age_group": list(groups), "sex": sex, "persons": [float(n) for n in groups.values()]})


LEVEL = pyramid({"0-4": 50, "5-9": 50, "10-14": 50, "15-59": 250, "60+": 100})


def settlements(**persons):
    table = make_paper().settlements
    return table.assign(persons=[persons.get(s, np.nan) for s in table.settlement_id])


def by(people, *keys):
    return people.groupby(list(keys)).persons.sum()


# by hand


def test_a_flat_pyramid_is_split_evenly():
    # T1 has A, B, C; T2 has D and E. 500 people of whom a tenth of 500 / 500 is of each age below 15
    people, assumed = split_population(settlements(), totals(("T1", "合计", 300), ("T2", "total", 200)), LEVEL)
    assert by(people, "settlement_id").round(9).to_dict() == {"A": 100.0, "B": 100.0, "C": 100.0, "D": 100.0, "E": 100.0}
    children = by(people[people.age < 10], "age")
    assert children.round(9).to_dict() == dict.fromkeys(range(10), 10.0) and by(people, "age")[60] == pytest.approx(100)
    assert people[(people.settlement_id == "E") & (people.age == 7)].persons.tolist() == pytest.approx([2.0])
    assert assumed.column.tolist() == ["age", "persons", "sex"] and "迭代比例拟合" not in assumed.note[0] and "没有总人口" in assumed.note[0]


def test_an_open_group_of_the_young_is_left_out():
    open_young = pyramid({"0-4": 50, "5-9": 50, "10-14": 50, "15+": 350})
    people, _ = split_population(settlements(), totals(("T1", "total", 300), ("T2", "total", 200)), open_young)
    # the 350 of fifteen and above have no age: 150 children are left, and nobody is taken for a pupil of grade 9
    assert people.age.max() == 14 and people.persons.sum() == pytest.approx(150)
    county = dataclasses.replace(make_paper(), population=people, base_date=pd.Timestamp("2025-11-01").date())
    assert project_pupils(county, STANDARDS, years=[2025]).groupby("grade").pupils.sum().max() < 11


def test_totals_of_settlements_share_the_township_out():
    people, assumed = split_population(settlements(A=10, B=20, C=30, D=1, E=3), totals(("T1", "合计", 600), ("T2", "合计", 400)), LEVEL)
    assert by(people, "settlement_id").round(9).to_dict() == {"A": 100.0, "B": 200.0, "C": 300.0, "D": 100.0, "E": 300.0}
    assert "各村总人口" in assumed.note[0]
    # one without a total counts as the mean of the others of its township
    people, _ = split_population(settlements(A=10, B=20, D=1, E=3), totals(("T1", "合计", 450), ("T2", "合计", 400)), LEVEL)
    assert by(people, "settlement_id").round(9).to_dict() == {"A": 100.0, "B": 200.0, "C": 150.0, "D": 100.0, "E": 300.0}


def test_each_township_keeps_its_own_age_groups():
    # T1 is young: 120 of 300 below 15; T2 is old: 30 of 200
    rows = totals(("T1", "合计", 300), ("T1", "0-14", 120), ("T2", "合计", 200), ("T2", "0-14", 30))
    people, _ = split_population(settlements(), rows, LEVEL)
    children = people[people.age < 15].merge(make_paper().settlements[["settlement_id", "township_id"]])
    assert by(children, "township_id").round(6).to_dict() == {"T1": 120.0, "T2": 30.0}
    # groups alone that cover all ages say the same
    same, _ = split_population(settlements(), totals(("T1", "0-14", 120), ("T1", "15+", 180), ("T2", "0-14", 30), ("T2", "15+", 170)), LEVEL)
    assert_frame_equal(people, same, rtol=1e-8)


def test_registered_persons_follow_the_townships_ratio():
    rows = totals(("T1", "合计", 300), ("T2", "合计", 200)).assign(registered=[375.0, 200.0])
    people, _ = split_population(settlements(), rows, LEVEL)
    ratio = people.groupby("settlement_id").registered.sum() / people.groupby("settlement_id").persons.sum()
    assert ratio.round(9).to_dict() == {"A": 1.25, "B": 1.25, "C": 1.25, "D": 1.0, "E": 1.0}


def test_single_ages_keep_their_group_and_do_not_jump():
    groups = {"0": 80, "1-4": 360, "5-9": 500, "10-14": 600, "15-64": 4000, "65+": 700}
    both = pd.concat([pyramid(groups, "male"), pyramid({k: 0.9 * v for k, v in groups.items()}, "female")])
    people, _ = split_population(settlements(), totals(("T1", "合计", 6240 * 1.9 / 2), ("T2", "合计", 6240 * 1.9 / 2)), both)
    boys = people[people.sex == "male"].groupby("age").persons.sum()
    for group, n in groups.items():
        low, high = age_span(group)
        assert boys.loc[low : 65 if high is None else high].sum() == pytest.approx(n), group
    assert (boys >= 0).all()
    # within the groups of children no age differs from the next by more than a fifth
    assert (np.abs(np.diff(boys.loc[1:14])) < 0.2 * boys.loc[1:13]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_raking_meets_both_margins_and_keeps_odds_ratios(seed):
    rng = np.random.default_rng(seed)
    r, c = rng.integers(2, 6, 2)
    seed_table = rng.uniform(0.5, 3, (r, c))
    rows, columns = rng.uniform(5, 20, r), rng.uniform(5, 20, c)
    columns *= rows.sum() / columns.sum()
    i, j = np.indices((r, c)).reshape(2, -1)
    found = rake(seed_table.reshape(-1), [(i, rows), (j, columns)]).reshape(r, c)
    assert found.sum(axis=1) == pytest.approx(rows, rel=1e-8) and found.sum(axis=0) == pytest.approx(columns, rel=1e-8)
    # iterative proportional fitting leaves every odds ratio of the seed as it was
    odds = lambda t: t[0, 0] * t[1, 1] / (t[0, 1] * t[1, 0])  # noqa: E731
    assert odds(found) == pytest.approx(odds(seed_table), rel=1e-8)


# what is refused


@pytest.mark.parametrize(
    ("rows", "ages", "message"),
    [
        (totals(("T1", "合计", 300)), LEVEL, "township T2 has no total"),
        (totals(("T1", "0-14", 120), ("T2", "0-14", 30)), LEVEL, "has no total"),
        (totals(("T1", "合计", 100), ("T1", "0-14", 120), ("T2", "合计", 200), ("T2", "0-14", 30)), LEVEL, "does not agree with its groups"),
        (totals(("T1", "合计", 300), ("T1", "0-14", 120), ("T2", "合计", 200)), LEVEL, "other age groups than the rest"),
        (totals(("T1", "0-14", 1), ("T1", "10+", 1), ("T2", "0-14", 1), ("T2", "10+", 1)), LEVEL, "overlap or leave more than one gap"),
        (totals(("T1", "小孩", 300), ("T2", "合计", 200)), LEVEL, "this is no age group"),
        (totals(("T1", "合计", 300), ("T2", "合计", 200)), pyramid({"0-4": 1, "10-14": 1, "15+": 1}), "from 0 without gap"),
        (totals(("T1", "合计", 300), ("T2", "合计", 200)), pyramid({"0-4": 1, "5-9": 1}), "from 0 without gap"),
        (totals(("T1", "合计", 300), ("T2", "合计", 200)), pyramid({"0-4": 1, "5+": 1}, "male"), "of both sexes together"),
        (totals(*[(t, g, 10) for t in ("T1", "T2") for g in ("合计", "0-4")]), pyramid({"0-4": 0, "5+": 5}), "pyramid has nobody in this group"),
    ],
)
def test_each_contradiction_is_refused(rows, ages, message):
    with pytest.raises(CountyDataError, match=message):
        split_population(settlements(), rows, ages)


def test_margins_that_cannot_both_hold_are_refused():
    with pytest.raises(CountyDataError, match="contradict each other"):
        rake(np.ones(2), [(np.array([0, 0]), np.array([5.0])), (np.array([0, 1]), np.array([1.0, 1.0]))])


# a county that has nothing but totals, a pyramid and births


def bare_county(**more) -> County:
    rows = totals(("T1", "合计", 400), ("T2", "合计", 350))
    births = pd.DataFrame([(t, y, 5.0) for t in ("T1", "T2") for y in range(2012, 2026)], columns=["township_id", "year", "births"])
    groups = {"0-4": 60, "5-9": 80, "10-14": 90, "15-19": 60, "20-34": 150, "35-49": 150, "50+": 210}
    ages = pyramid(groups)
    return dataclasses.replace(make_paper(), population=empty("population"), township_totals=rows, pyramid=ages, births=births, **more)


def test_a_county_with_only_totals_pyramid_and_births_works_and_says_what_it_assumed(tmp_path):
    write_county(bare_county(sources={"pyramid": "census"}), tmp_path / "bare")
    county = read_county(tmp_path / "bare")
    assert county.population.persons.sum() == pytest.approx(750)
    assert county.assumptions[county.assumptions.table == "population"].column.tolist() == ["age", "persons", "sex"]
    sentences = " ".join(describe(population_notes(county, STANDARDS), "en"))
    assert "Registered births count times" in sentences and "is from a census" in sentences
    factor = birth_factor(county, STANDARDS)
    # 750 people, a pyramid of 800: ages 0-4 are 56.25 of five cohorts with 10 births a year
    assert factor[factor.age < 5].children.sum() == pytest.approx(56.25, rel=0.02)
    pupils = project_pupils(county, STANDARDS, years=range(2025, 2036))
    assert pupils.groupby("year").pupils.sum()[2025] == pytest.approx(750 / 800 * (80 + 90) * 9 / 10, rel=0.05)
    plan = make_plan(county, to=2030, draws=40)
    counts = plan.planned.assignment.query("year == 2030").pupils.sum()
    assert counts == plan.summary.set_index(["view", "year"]).pupils["planned", 2030] > 0
    county_rows = plan.forecast[(plan.forecast.level == "county") & (plan.forecast.group == "all")].set_index("year")
    # ages that were not counted are uncertain from the start
    assert county_rows.low[2025] < county_rows.pupils[2025] < county_rows.high[2025]
    # what was read is written with its ages and stays the same
    write_county(county, tmp_path / "again")
    assert_frame_equal(read_county(tmp_path / "again").population, county.population, rtol=1e-12)


def test_without_totals_or_ages_the_missing_sheet_is_named(tmp_path):
    write_county(dataclasses.replace(bare_county(), pyramid=empty("pyramid")), tmp_path / "bare")
    with pytest.raises(CountyDataError, match="人口") as error:
        read_county(tmp_path / "bare")
    assert [p.key for p in error.value.problems] == ["empty_sheet"]


def test_faults_of_the_split_are_said_at_the_door(tmp_path):
    county = bare_county()
    write_county(dataclasses.replace(county, township_totals=county.township_totals.head(1)), tmp_path / "bare")
    with pytest.raises(CountyDataError, match="township T2 has no total"):
        read_county(tmp_path / "bare")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0", (0, 0)),
        ("1—4岁", (1, 4)),
        ("5到9", (5, 9)),
        ("85+", (85, None)),
        ("60岁及以上", (60, None)),
        ("总计", (0, None)),
        ("9-5", None),
        ("老人", None),
    ],
)
def test_age_groups_are_understood(text, span):
    assert age_span(text) == span
