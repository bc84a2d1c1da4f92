"""Grade progression: by hand, against naive forecasts on real enrolment, and how often its range holds."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from layout.enrolment import back_test, back_test_errors, project_enrolment
from layout.tables import CountyDataError, check

REAL = os.environ.get("LAYOUT_REAL_DATA")
real_data = pytest.mark.skipif(not REAL, reason="LAYOUT_REAL_DATA is not set: the enrolment of Eau Claire is not here")


def history(*rows):
    """(school, year, pupils of grades 1, 2, 3 and so on)."""
    cells = [(s, y, g, float(n)) for s, y, *counts in rows for g, n in enumerate(counts, start=1) if n is not None]
    return pd.DataFrame(cells, columns=["school_id", "year", "grade", "pupils"])


def numbers(table, **where):
    mask = np.ones(len(table), bool)
    for column, value in where.items():
        mask &= (table[column] == value).to_numpy()
    return table[mask].pupils.tolist()


# by hand


def test_without_a_steady_ratio_cohorts_move_up_and_entries_are_their_mean():
    # two years: one pair of ratios (30/25, 33/30) is no measure of anything, so they are shrunk to 1
    past = history(("S", 2024, 25, 30), ("S", 2025, 35, 30))
    done = project_enrolment(past, years=[2026, 2027])
    assert numbers(done, year=2026) == [30.0, 35.0]
    assert numbers(done, year=2027) == [30.0, 30.0]


def test_a_steady_ratio_is_kept():
    # every year a tenth of grade 1 is gone in grade 2: no chance in it, so nothing is shrunk
    past = history(*[("S", y, 100, 90) for y in range(2016, 2026)])
    assert numbers(project_enrolment(past, years=[2026]), grade=2) == pytest.approx([90.0])


def test_a_ratio_that_is_chance_is_drawn_to_one():
    # 0.5 and 1.5 by turns: the mean of the last three is 1.17, but nothing stands behind it
    past = history(*[("S", y, 100, 50 if y % 2 else 150) for y in range(2006, 2026)])
    assert numbers(project_enrolment(past, years=[2026]), grade=2) == pytest.approx([100.0])


def test_schools_that_differ_for_good_keep_their_ratios_and_small_ones_follow():
    rng = np.random.default_rng(0)
    rows = []
    for y in range(2010, 2026):
        for school, size, ratio in (("A", 400, 0.8), ("B", 400, 1.2), ("C", 4, 1.0)):
            rows.append((school, y, size, rng.poisson(size * ratio)))
    done = project_enrolment(history(*rows), years=[2026])
    a, b, c = (numbers(done, school_id=s, grade=2)[0] / n for s, n in (("A", 400), ("B", 400), ("C", 4)))
    assert a == pytest.approx(0.8, abs=0.05) and b == pytest.approx(1.2, abs=0.05)
    assert 0.85 < c < 1.15


def test_entries_follow_births_by_cohort():
    past = history(*[("A", y, 60, 60) for y in range(2020, 2026)], *[("B", y, 20, 20) for y in range(2020, 2026)])
    # 100 births a year until 2018, 50 from 2019 on; 80 entries for 100 births
    births = pd.DataFrame({"year": range(2010, 2021), "births": [100.0] * 9 + [50.0] * 2})
    # 2026: 122/365 of 2019 and 243/365 of 2020; 2025 was 122/365 of 2018 and 243/365 of 2019 already, and still 80 came: ratios are of sums
    cohorts = {2023: 100.0, 2024: 100.0, 2025: 100 * 122 / 365 + 50 * 243 / 365, 2026: 50.0}
    ratio = 240 / sum(cohorts[y] for y in (2023, 2024, 2025))
    with pytest.raises(CountyDataError, match="births of 2021 are needed"):
        project_enrolment(past, years=[2027], births=births)
    done = project_enrolment(past, years=[2026], births=births)
    assert numbers(done, school_id="A", grade=1) == pytest.approx([50 * ratio * 0.75])
    assert numbers(done, school_id="B", grade=1) == pytest.approx([50 * ratio * 0.25])


def test_a_grade_without_a_lower_one_follows_the_county():
    # P teaches grade 1 only, C both; Q grade 2 only: of the county's grade 2 two thirds are in C and one third in Q
    rows = [("P", y, 30) for y in range(2018, 2026)] + [("C", y, 60, 60) for y in range(2018, 2026)]
    past = pd.concat([history(*rows), history(*[("Q", y, None, 30) for y in range(2018, 2026)])], ignore_index=True)
    done = project_enrolment(past, years=[2026])
    assert numbers(done, school_id="Q") == pytest.approx([30.0])
    assert done[done.school_id == "P"].grade.tolist() == [1]


def test_a_closed_school_is_named_and_not_projected():
    past = history(*[("A", y, 20, 20) for y in range(2018, 2026)], *[("B", y, 9, 9) for y in range(2018, 2024)])
    done = project_enrolment(past, years=[2026])
    assert set(done.school_id) == {"A"} and done.attrs["closed"] == ["B"]


def test_the_table_is_in_form_and_two_runs_are_equal():
    past = history(*[("A", y, 20 + y % 3, 21, 19) for y in range(2012, 2026)])
    kept = past.copy()
    first, second = (project_enrolment(past, years=[2028, 2026]) for _ in range(2))
    assert_frame_equal(first, check("enrolment", first))
    assert first.to_csv() == second.to_csv()
    assert_frame_equal(past, kept)
    assert (first.low <= first.pupils).all() and (first.pupils <= first.high).all()
    wide = first.assign(width=first.high - first.low).groupby("year").width.sum()
    assert wide[2026] < wide[2028]
    assert_frame_equal(project_enrolment(past.sample(frac=1, random_state=2), years=[2026, 2028]), first)


def test_errors_say_how_far_off_the_method_and_two_naive_ones_were():
    past = history(*[("A", y, 100, 90) for y in range(2016, 2026)])
    found = back_test_errors(back_test(past)).set_index(["ahead", "kind", "level"])
    assert found.loc[(1, "school", "school"), ["forecast", "last_year"]].tolist() == pytest.approx([0, 0], abs=1e-9)
    # a cohort of 100 moved up is 11 % above the 90 that come
    assert found.loc[(1, "school", "county"), "moved_up"] == pytest.approx(100 / 9)


# what is refused


def test_everything_wrong_with_a_history_is_said_at_once():
    past = history(*[("A", y, 20, 20) for y in (2020, 2021, 2023)], ("B", 2023, 9, 9))
    with pytest.raises(CountyDataError, match="grade 1 of A lacks the year 2022") as error:
        project_enrolment(past, years=[2022, 2024])
    assert [p.key for p in error.value.problems] == ["history_gap", "history_gap", "history_years"]


@pytest.mark.parametrize(
    ("past", "message"),
    [
        (history(("A", 2025, 5, 5)), "at least two consecutive years"),
        (history(("A", 2024, 5, -1), ("A", 2025, 5, 5)), "negative or missing"),
        (history(("A", 2024, 5, np.nan), ("A", 2025, 5, 5)), "negative or missing"),
        (history(("A", 2024, 5, None, 5), ("A", 2025, 5, None, 5)), "consecutive whole numbers"),
        (pd.concat([history(("A", 2024, 5), ("A", 2025, 5))] * 2), "rows repeat"),
        (history(("A", 2024, 5), ("A", 2025, 5)).drop(columns="pupils"), "this column is missing"),
        (history(("A", 2024, 5), ("A", np.nan, 5)), "column 'year': 1 numbers are negative or missing"),
    ],
)
def test_each_fault_is_refused(past, message):
    with pytest.raises(CountyDataError, match=message):
        project_enrolment(past, years=[2026])


def test_central_schools_take_the_leavers_of_teaching_points():
    # three points teach grades 1-3 with 10 children each, the central school 30 in grades 1-3 and 60 in grades 4-6
    rows = [(p, y, 10, 10, 10) for y in range(2012, 2026) for p in ("P1", "P2", "P3")]
    rows += [("C", y, 30, 30, 30, 60, 60, 60) for y in range(2012, 2026)]
    done = project_enrolment(history(*rows), years=[2026, 2029])
    for year in (2026, 2029):
        assert numbers(done, school_id="C", year=year) == pytest.approx([30, 30, 30, 60, 60, 60])


def test_a_wave_of_the_teaching_points_arrives_once():
    # P1 and P2 teach grades 1-3 (10 each), P3 20; C teaches 1-6 with 20 of its own, D only 4-6; sixty children in every cohort
    rows = [(p, y, n, n, n) for y in range(2015, 2025) for p, n in (("P1", 10), ("P2", 10), ("P3", 20))]
    rows += [("C", y, 20, 20, 20, 40, 40, 40) for y in range(2015, 2026)] + [("D", y, None, None, None, 20, 20, 20) for y in range(2015, 2026)]
    steady = rows + [(p, 2025, n, n, n) for p, n in (("P1", 10), ("P2", 10), ("P3", 20))]
    done = project_enrolment(history(*steady), years=[2026])
    assert numbers(done, school_id="C", grade=4) == pytest.approx([40]) and numbers(done, school_id="D", grade=4) == pytest.approx([20])
    wave = [*rows, ("P1", 2025, 10, 10, 30), ("P2", 2025, 10, 10, 30), ("P3", 2025, 20, 20, 20)]
    done = project_enrolment(history(*wave), years=[2026, 2027])
    # forty more leave the points; C and D took twenty each of forty before
    assert numbers(done, school_id="C", grade=4, year=2026) == pytest.approx([60]) and numbers(
        done, school_id="D", grade=4, year=2026
    ) == pytest.approx([40])
    assert done[(done.grade == 4) & (done.year == 2027)].pupils.sum() == pytest.approx(60, rel=0.02)


def test_a_school_that_starts_at_a_grade_is_not_forgotten():
    # everybody of A may go on in A, yet D takes fifteen of them into its lowest grade every year
    rows = [("A", y, 60, 60, 45) for y in range(2015, 2026)] + [("D", y, None, None, 15) for y in range(2015, 2026)]
    done = project_enrolment(history(*rows), years=[2026])
    assert numbers(done, grade=3) == pytest.approx([45, 15])


def test_a_point_that_closed_long_ago_leaves_the_ratios_alone():
    # until 2012 a point sent its children to A; since then a tenth of A leaves after grade 1 every year
    rows = [("P", y, 10) for y in range(2006, 2013)] + [("A", y, 100, 110 if y < 2013 else 90) for y in range(2006, 2026)]
    done = project_enrolment(history(*rows), years=[2026])
    assert numbers(done, school_id="A", grade=2)[0] == pytest.approx(90)


def test_no_years_give_an_empty_table():
    done = project_enrolment(history(("A", 2024, 5), ("A", 2025, 5)), years=[])
    assert len(done) == 0 and list(done) == ["school_id", "year", "grade", "pupils", "low", "high"]


def test_a_window_must_be_a_year():
    with pytest.raises(ValueError, match="window must be at least 1"):
        project_enrolment(history(("A", 2024, 5), ("A", 2025, 5)), years=[2026], window=0)


# real enrolment: a US city, 1998 to 2018, grades K to 5


@pytest.fixture(scope="module")
def eau_claire():
    sections = pd.read_csv(Path(REAL) / "enrolment" / "eau_claire_sections_1998_2018.csv")
    table = sections.assign(year=sections.count_date.str[:4].astype(int), grade=sections.grade.replace({"K": "0"}).astype(int))
    sums = table.groupby(["school", "year", "grade"]).students.sum().reset_index()
    return sums.rename(columns={"school": "school_id", "students": "pupils"})


def as_one(table):
    return table.groupby(["year", "grade"]).pupils.sum().reset_index().assign(school_id="all")


def one_year_ahead(table):
    """Forecast each year 2009-2018 from the years before, set beside what came and two naive forecasts."""
    rows = []
    for base in range(2008, 2018):
        done = project_enrolment(table[table.year <= base], years=[base + 1])
        now = table[table.year == base]
        both = done.merge(table, on=["school_id", "year", "grade"], suffixes=("", "_came"))
        both = both.merge(now[["school_id", "grade", "pupils"]].rename(columns={"pupils": "last"}), on=["school_id", "grade"])
        below = now.assign(grade=now.grade + 1)[["school_id", "grade", "pupils"]].rename(columns={"pupils": "up"})
        rows.append(both.merge(below, on=["school_id", "grade"], how="left"))
    return pd.concat(rows, ignore_index=True)


@real_data
def test_one_year_ahead_beats_or_equals_the_naive_forecasts(eau_claire):
    levels = {"county": as_one(eau_claire), "school": eau_claire}
    for level, table in levels.items():
        found = one_year_ahead(table)
        errors = {name: (found[name] / found.pupils_came - 1).abs() * 100 for name in ("pupils", "last", "up")}
        grades, entry = found.grade > 0, found.grade == 0
        method, last, up = (errors[name][grades].median() for name in ("pupils", "last", "up"))
        kindergarten = errors["pupils"][entry].median()
        line = f"{level}, grades 1-5: {method:.2f} %; last year copied {last:.2f} %, cohort moved up {up:.2f} %; kindergarten {kindergarten:.2f} %\n"
        sys.stdout.write(line)
        assert method <= 1.1 * min(last, up), level
        if level == "county":
            assert method <= 1.6 and kindergarten <= 3.5


@real_data
def test_sums_of_schools_are_as_good_as_the_county_by_itself(eau_claire):
    found = one_year_ahead(eau_claire)
    sums = found[found.grade > 0].groupby(["year", "grade"])[["pupils", "pupils_came"]].sum()
    assert (sums.pupils / sums.pupils_came - 1).abs().median() <= 0.016


@real_data
def test_ranges_hold_eight_or_nine_in_ten_one_year_ahead(eau_claire):
    found = one_year_ahead(eau_claire)
    inside = (found.low <= found.pupils_came) & (found.pupils_came <= found.high)
    sys.stdout.write(f"coverage by school and grade: {inside.mean():.3f} of {len(found)}\n")
    assert 0.75 <= inside.mean() <= 0.92
    # the ranges are not bought by being vacuous: narrower than a Poisson count's
    assert ((found.high - found.low) / found.pupils).median() < 2 * 1.2816 / np.sqrt(found.pupils.median())


@real_data
def test_errors_grow_with_the_years_ahead(eau_claire):
    errors = back_test_errors(back_test(eau_claire)).query("level == 'school' and kind == 'school'").set_index("ahead")
    assert errors.forecast[1] < errors.forecast[3] < errors.forecast[5]
    assert (errors.forecasts > 0).all()
