"""The cohort-component core: by hand, against plain loops, against two published projections, and what it refuses."""

import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from layout.cohorts import project_cohorts, survival_from_mx
from layout.tables import CountyDataError

REAL = os.environ.get("LAYOUT_REAL_DATA")
real_data = pytest.mark.skipif(not REAL, reason="LAYOUT_REAL_DATA is not set: the published projections are not here")
SEXES = ("female", "male")


def frame(column, values, ages=(0, 1, 2), years=(2025,)):
    """One value for each year, sex and age, from a nested list or a number."""
    rows = [(y, s, a) for y in years for s in SEXES for a in ages]
    return pd.DataFrame(rows, columns=["year", "sex", "age"]).assign(
        **{column: np.broadcast_to(values, len(rows)) if np.ndim(values) == 0 else values}
    )


def people(*female_male):
    ages = range(len(female_male) // 2)
    return pd.DataFrame({"age": [*ages, *ages], "sex": ["female"] * len(ages) + ["male"] * len(ages), "persons": [float(n) for n in female_male]})


FERTILITY = pd.DataFrame({"year": [2025], "age": [1], "rate": [0.1]})


# by hand


def test_one_year_by_hand():
    survival = frame("survival", [0.9, 0.8, 0.5] * 2)
    done = project_cohorts(people(100, 50, 20, 100, 40, 10), survival, FERTILITY, srb=1.5, years=[2025])
    # girls 100 -> 80 aged 1; women in the open group (50 + 20) x 0.5 = 35; women aged 1: (50 + 80) / 2 x 0.1 = 6.5 births, 2.6 girls
    expected = pd.DataFrame({
        "year": [2025] * 6 + [2026] * 6, "age": [0, 0, 1, 1, 2, 2] * 2, "sex": list(SEXES) * 6,
        "persons": [100.0, 100.0, 50.0, 40.0, 20.0, 10.0, 2.6 * 0.9, 3.9 * 0.9, 80.0, 80.0, 35.0, 25.0],
    })  # fmt: skip
    assert_frame_equal(done.people, expected)
    deaths = 6.5 * 0.1 + 2 * 20 + 35 + 25
    parts = pd.DataFrame({"year": [2025], "births": [6.5], "deaths": [deaths], "migrants": [0.0], "births_female": [2.6], "births_male": [3.9]})
    assert_frame_equal(done.components, parts)


def test_migrants_at_the_end_and_half_at_each_end_by_hand():
    survival, come = frame("survival", 1.0), frame("migrants", [0.0, 20.0, 0.0] * 2)
    start = people(100, 50, 0, 100, 50, 0)
    end = project_cohorts(start, survival, FERTILITY, srb=1.0, years=[2025], migration=come).people
    half = project_cohorts(start, survival, FERTILITY, srb=1.0, years=[2025], migration=come, migration_timing="half").people
    women = [p[(p.year == 2026) & (p.sex == "female")].persons.tolist() for p in (end, half)]
    # end: mothers (50 + 100) / 2; half: (60 at the start + 110 at the end) / 2, and the ten of the start grow into the open group
    assert women[0] == pytest.approx([0.1 * 75 / 2, 120, 50])
    assert women[1] == pytest.approx([0.1 * 85 / 2, 110, 60])


def test_five_year_groups_count_five_years_of_births():
    survival = frame("survival", 1.0, ages=(0, 5, 10))
    fertility = pd.DataFrame({"year": [2025], "age": [5], "rate": [0.1]})
    start = people(0, 100, 0, 0, 0, 0).assign(age=[0, 5, 10] * 2)
    done = project_cohorts(start, survival, fertility, srb=1.0, years=[2025], step=5)
    # 100 women at the start and none at the end: 5 x 0.1 x 50
    assert done.components.births.tolist() == [25.0]
    assert done.people.year.unique().tolist() == [2025, 2030]


def test_areas_are_projected_apart_and_may_have_their_own_rates():
    start = pd.concat([people(10, 10, 0, 10, 10, 0).assign(area_id="b"), people(40, 40, 0, 40, 40, 0).assign(area_id="a")])
    survival = pd.concat([frame("survival", 1.0).assign(area_id="a"), frame("survival", 0.5).assign(area_id="b")])
    done = project_cohorts(start, survival, FERTILITY, srb=1.0, years=[2025])
    last = done.people[(done.people.year == 2026) & (done.people.age == 1)].set_index(["area_id", "sex"]).persons
    assert last.to_dict() == {("a", "female"): 40.0, ("a", "male"): 40.0, ("b", "female"): 5.0, ("b", "male"): 5.0}
    assert done.components.area_id.tolist() == ["a", "b"]
    alone = project_cohorts(start[start.area_id == "a"].drop(columns="area_id"), frame("survival", 1.0), FERTILITY, srb=1.0, years=[2025])
    both = done.people[done.people.area_id == "a"].drop(columns="area_id").reset_index(drop=True)
    assert_frame_equal(both, alone.people)


def test_survival_from_death_rates_by_hand():
    mx = pd.DataFrame({"year": 2025, "sex": "male", "age": [0, 1, 5, 10], "mx": [0.01, 0.002, 0.001, 0.05]})
    # infants: a0 = 0.045 + 0.02684, 1-4: a1 = 1.651 - 0.02816, then 2.5 of five years
    a0, a1 = 0.045 + 2.684 * 0.01, 1.651 - 2.816 * 0.01
    q = [0.01 / (1 + (1 - a0) * 0.01), 4 * 0.002 / (1 + (4 - a1) * 0.002), 5 * 0.001 / (1 + 2.5 * 0.001)]
    left = [1, 1 - q[0], (1 - q[0]) * (1 - q[1]), (1 - q[0]) * (1 - q[1]) * (1 - q[2])]
    lived = [left[1] + a0 * q[0], 4 * left[2] + a1 * left[1] * q[1], 5 * left[3] + 2.5 * left[2] * q[2], left[3] / 0.05]
    expected = [(lived[0] + lived[1]) / 5, lived[2] / (lived[0] + lived[1]), lived[3] / (lived[2] + lived[3])]
    found = survival_from_mx(mx, step=5)
    assert found.age.tolist() == [0, 5, 10] and found.survival.tolist() == pytest.approx(expected)
    other = survival_from_mx(mx, step=5, a0="andreev-kingkade").survival.iloc[0]
    assert other != pytest.approx(expected[0], abs=1e-6) and other == pytest.approx(expected[0], abs=1e-3)


# against plain loops


def naive(population, survival, fertility, srb, years, migration, step, timing):
    """Project with scalars in dictionaries."""
    ages = sorted(set(population.age))
    now = {(s, a): population[(population.sex == s) & (population.age == a)].persons.sum() for s in SEXES for a in ages}
    out = {years[0]: now}
    for year in years:
        alive = {(r.sex, r.age): r.survival for r in survival[survival.year == year].itertuples()}
        rate = {r.age: r.rate for r in fertility[fertility.year == year].itertuples()}
        come = {(r.sex, r.age): r.migrants for r in migration[migration.year == year].itertuples()}
        early = {k: n / 2 if timing == "half" else 0.0 for k, n in come.items()}
        there = {k: n + early[k] for k, n in now.items()}
        then = {}
        for s in SEXES:
            for below, age in pairwise(ages):
                then[s, age] = there[s, below] * alive[s, age]
            then[s, ages[-1]] += there[s, ages[-1]] * alive[s, ages[-1]]
            then[s, 0] = 0.0
        mothers = {a: then["female", a] + (come["female", a] - early["female", a] if timing == "half" else 0.0) for a in ages}
        born = step * sum(rate.get(a, 0.0) * (there["female", a] + mothers[a]) / 2 for a in ages)
        for s, share in (("female", 1 / (1 + srb)), ("male", srb / (1 + srb))):
            then[s, 0] = born * share * alive[s, 0]
        now = {k: n + come[k] - early[k] for k, n in then.items()}
        out[year + step] = now
    return pd.DataFrame([(y, a, s, out[y][s, a]) for y in out for a in ages for s in SEXES], columns=["year", "age", "sex", "persons"])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 5]), st.sampled_from(["end", "half"]))
def test_plain_loops_give_the_same_people_and_components_balance(seed, step, timing):
    rng = np.random.default_rng(seed)
    ages, years = list(range(0, 12 * step, step)), list(range(2020, 2020 + 4 * step, step))
    size = len(years) * 2 * len(ages)
    start = pd.DataFrame([(a, s, rng.uniform(50, 100)) for a in ages for s in SEXES], columns=["age", "sex", "persons"])
    survival = frame("survival", rng.uniform(0.7, 1, size), ages, years)
    migration = frame("migrants", rng.uniform(-2, 12, size), ages, years)
    fertility = pd.DataFrame([(y, a, rng.uniform(0, 0.2)) for y in years for a in ages[3:8]], columns=["year", "age", "rate"])
    done = project_cohorts(start, survival, fertility, srb=1.07, years=years, migration=migration, step=step, migration_timing=timing)
    assert_frame_equal(done.people, naive(start, survival, fertility, 1.07, years, migration, step, timing), rtol=1e-12)
    totals = done.people.groupby("year").persons.sum().to_numpy()
    change = done.components.births - done.components.deaths + done.components.migrants
    assert np.abs(np.diff(totals) - change.to_numpy()).max() < 1e-9
    assert (done.components.births_female + done.components.births_male).to_numpy() == pytest.approx(done.components.births.to_numpy(), rel=1e-14)


def test_nothing_is_changed_and_order_does_not_matter():
    start, survival = people(100, 50, 20, 100, 40, 10), frame("survival", [0.9, 0.8, 0.5] * 2)
    kept = start.copy(), survival.copy()
    first = project_cohorts(start, survival, FERTILITY, srb=1.1, years=[2025]).people
    again = project_cohorts(start[::-1], survival.sample(frac=1, random_state=1), FERTILITY, srb=1.1, years=[2025]).people
    assert_frame_equal(first, again)
    assert_frame_equal(start, kept[0])
    assert_frame_equal(survival, kept[1])


# published projections


@real_data
def test_sweden_1993_of_the_textbook():
    d = json.loads((Path(REAL) / "demography" / "sweden_1993" / "sweden_1993_preston.json").read_text(encoding="utf-8"))
    ages = [5 * i for i in range(18)]

    def both(female, male, column):
        rows = [(1993, s, a, v) for s, values in (("female", female), ("male", male)) for a, v in zip(ages, values, strict=True)]
        return pd.DataFrame(rows, columns=["year", "sex", "age", column])

    done = project_cohorts(
        both(d["pop_count_age_f_begin"], d["pop_count_age_m_begin"], "persons").drop(columns="year"),
        both(d["survival_ratio_age_f"], d["survival_ratio_age_m"], "survival"),
        pd.DataFrame({"year": 1993, "age": ages, "rate": d["fert_rate_age_f"]}), srb=d["srb"][0], years=[1993], step=5,
        migration=both(d["mig_net_count_age_f"], d["mig_net_count_age_m"], "migrants"), migration_timing="half",
    )  # fmt: skip
    end = done.people[done.people.year == 1998]
    for sex in SEXES:
        assert end[end.sex == sex].persons.to_numpy() == pytest.approx(d[f"pop_count_age_{sex[0]}_end"], rel=1e-5)
    assert done.components.births.iloc[0] == pytest.approx(sum(d["birth_count_age_b"]), rel=1e-5)


@pytest.fixture(scope="module")
def canada():
    folder = Path(REAL) / "demography" / "canada_1x1"
    read = {p.stem: pd.read_csv(p).rename(columns={"time_start": "year", "age_start": "age"}) for p in folder.glob("*.csv")}
    tables = read["in_life_table_Sx_nMx"]
    return {
        "population": read["in_pop_count_age_sex_base"].rename(columns={"value": "persons"})[["age", "sex", "persons"]],
        "survival": tables[tables.indicator == "lt_Sx"].rename(columns={"value": "survival"}),
        "mx": tables[tables.indicator == "lt_nMx"].rename(columns={"value": "mx"}),
        "fertility": read["in_fert_rate_age_f"].rename(columns={"value": "rate"}),
        "migration": read["in_mig_net_count_age_sex"].rename(columns={"value": "migrants"}),
        "srb": read["in_srb"].rename(columns={"value": "srb"}),
        "expected": read["expected_pop_count_age_sex_1x1"].rename(columns={"value": "expected"}),
    }


@real_data
@pytest.mark.parametrize(("from_mx", "total", "cell"), [(False, 1e-4, 2e-3), (True, 1e-5, 2e-4)])
def test_canada_over_seventy_years(canada, from_mx, total, cell):
    survival = survival_from_mx(canada["mx"]) if from_mx else canada["survival"]
    done = project_cohorts(
        canada["population"], survival, canada["fertility"], srb=canada["srb"], years=range(1950, 2020), migration=canada["migration"]
    )  # fmt: skip
    both = done.people.merge(canada["expected"], on=["year", "age", "sex"], validate="1:1")
    assert len(both) == 71 * 2 * 101
    sums = both.groupby("year")[["persons", "expected"]].sum()
    assert (sums.persons / sums.expected - 1).abs().max() < total
    young = both[both.age < 100]
    assert (young.persons / young.expected - 1).abs().max() < cell
    people, parts = done.people.groupby("year").persons.sum(), done.components.set_index("year")
    gap = people.diff().dropna().to_numpy() - (parts.births - parts.deaths + parts.migrants).to_numpy()
    assert np.abs(gap / people.iloc[:-1].to_numpy()).max() < 1e-9


# what is refused


def test_everything_wrong_is_said_at_once():
    start = people(100, -5, np.nan, 100, 40, 10)
    survival = frame("survival", [0.9, 1.2, 0.5, 0.9, 0.8, 0.5], years=(2025,))
    fertility = pd.DataFrame({"year": [2025, 2025], "age": [1, 99], "rate": [np.nan, 0.1]})
    migration = frame("migrants", 0.0).query("age != 2")
    with pytest.raises(CountyDataError, match="write for example 1.11, not 111") as error:
        project_cohorts(start, survival, fertility, srb=111, years=[2025, 2027], migration=migration)
    keys = {p.key for p in error.value.problems}
    assert keys == {"cohorts_years", "cohorts_missing", "cohorts_negative", "cohorts_above", "cohorts_age", "cohorts_gap", "cohorts_srb"}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda a: a.update(population=a["population"].drop(columns="sex")), "cohorts_column"),
        (lambda a: a.update(population=a["population"].assign(age=[0, 2, 3] * 2)), "cohorts_groups"),
        (lambda a: a.update(population=a["population"].replace({"sex": {"male": "男"}})), "cohorts_sex"),
        (lambda a: a.update(population=pd.concat([a["population"]] * 2)), "cohorts_twice"),
        (lambda a: a.update(survival=a["survival"].query("age != 1")), "cohorts_gap"),
        (lambda a: a.update(survival=a["survival"].assign(age=[0, 1, 7] * 2)), "cohorts_age"),
        (lambda a: a.update(fertility=a["fertility"].rename(columns={"rate": "asfr"})), "cohorts_column"),
        (lambda a: a.update(srb=pd.DataFrame({"year": [2024], "srb": [1.1]})), "cohorts_srb"),
        (lambda a: a.update(migration=frame("migrants", [0.0, -500.0, 0.0] * 2)), "cohorts_overdrawn"),
        (lambda a: a.update(years=[]), "cohorts_years"),
        (lambda a: a.update(population=a["population"].astype({"persons": object}).replace({"persons": {100.0: "many"}})), "cohorts_missing"),
        (lambda a: a.update(srb=pd.DataFrame({"year": [2025, 2025], "srb": [1.1, 1.2]})), "cohorts_twice"),
    ],
)  # fmt: skip
def test_each_fault_has_its_remedy(change, key):
    given = {"population": people(100, 50, 20, 100, 40, 10), "survival": frame("survival", 0.9), "fertility": FERTILITY, "srb": 1.1, "years": [2025]}
    change(given)
    with pytest.raises(CountyDataError, match="1 problem|problems") as error:
        project_cohorts(given.pop("population"), given.pop("survival"), given.pop("fertility"), **given)
    assert key in {p.key for p in error.value.problems}
    assert all(p.remedy("zh") and p.remedy("en") for p in error.value.problems)


def test_years_written_as_text_count_and_years_left_out_are_said():
    start, survival = people(100, 50, 0, 100, 50, 0), frame("survival", 1.0, years=(2025, 2026))
    come = frame("migrants", 5.0, years=(2025, 2026))
    fertility = pd.DataFrame({"year": [2025, 2026], "age": 1, "rate": 0.1})
    plain = project_cohorts(start, survival, fertility, srb=1.0, years=[2025, 2026], migration=come).people
    text = project_cohorts(start, survival, fertility, srb=1.0, years=[2025, 2026], migration=come.astype({"year": str})).people
    assert_frame_equal(plain, text)
    with pytest.raises(CountyDataError, match="sheet 'fertility', column 'year': 2026 is missing"):
        project_cohorts(start, survival, fertility.head(1), srb=1.0, years=[2025, 2026], migration=come)
    two = pd.concat([start.assign(area_id="a"), start.assign(area_id="b")])
    with pytest.raises(CountyDataError, match="sheet 'fertility', column 'area_id': b is missing"):
        project_cohorts(two, survival, fertility.assign(area_id="a"), srb=1.0, years=[2025, 2026])


def test_the_oldest_groups_never_survive_below_nothing():
    ages = [0, 1, *range(5, 115, 5)]
    mx = pd.DataFrame({"year": 2025, "sex": "female", "age": ages, "mx": [0.01, 0.001, *np.geomspace(0.0005, 1.1, len(ages) - 2)]})
    found = survival_from_mx(mx, step=5).survival
    assert ((found > 0) & (found <= 1)).all() and (found.iloc[10:].diff().dropna() < 0.05).all()


def test_a_survival_above_one_is_refused_and_not_clipped():
    with pytest.raises(CountyDataError, match="survival above 1 at 2025 female 1"):
        project_cohorts(people(1, 1, 1, 1, 1, 1), frame("survival", [1.0, 1.24, 1.0, 1.0, 1.0, 1.0]), FERTILITY, srb=1.1, years=[2025])


def test_death_rates_that_do_not_fit_are_refused():
    rows = pd.DataFrame({"year": 2025, "sex": "male", "age": [0, 5, 10], "mx": [0.01, 0.001, 0.2]})
    with pytest.raises(CountyDataError, match="they should be 0, 1, 5"):
        survival_from_mx(rows, step=5)
    with pytest.raises(CountyDataError, match="missing or negative"):
        survival_from_mx(rows.assign(age=[0, 1, 2], mx=[0.01, np.nan, 0.2]))
    with pytest.raises(CountyDataError, match="this column is missing"):
        survival_from_mx(rows.drop(columns="sex"))
    with pytest.raises(ValueError, match="step must be 1 or 5, not 3"):
        survival_from_mx(rows, step=3)
    with pytest.raises(ValueError, match="migration_timing must be"):
        project_cohorts(people(1, 1, 1, 1, 1, 1), frame("survival", 1.0), FERTILITY, srb=1.1, years=[2025], migration_timing="start")
