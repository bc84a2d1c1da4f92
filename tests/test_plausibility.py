"""What a reader is told: assumptions, implausible counts, sources, the year of the peak."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import layout
from conftest import make_paper
from layout.age_list import age_list
from layout.county import read_county, write_county
from layout.grades import entry_shares, grade_shares
from layout.plan import make_plan
from layout.plausibility import implausible_counts, peak_notes, peak_years, population_notes
from layout.population import birth_factor, entry_ratios, project_people, project_pupils
from layout.scenario import Scenario
from layout.sheets import describe
from layout.standards import read_standards
from layout.tables import CountyDataError, check, empty

STANDARDS = read_standards()


def table(name, columns, *rows):
    return check(name, pd.DataFrame(list(rows), columns=columns.split()))


def keys(county, scenario=None):
    return [key.removeprefix("population.") for key, _ in population_notes(county, STANDARDS, scenario)]


# implausible counts


def test_hukou_far_above_residents_is_listed(paper):
    people = paper.population.copy()
    people.loc[people.settlement_id == "B", "registered"] = 13.0
    people.loc[people.settlement_id == "C", "registered"] = 17.0
    found = implausible_counts(dataclasses.replace(paper, population=people), STANDARDS)
    # 13 for 8 is above 1.5 times, 17 for 12 is not
    assert found.to_numpy().tolist() == [["hukou_high", "B", 195.0, 120.0]]
    sentence = describe(population_notes(dataclasses.replace(paper, population=people), STANDARDS), "zh")[-1]
    assert "B村" in sentence and "1.5" in sentence


def test_births_far_from_the_children_are_listed_by_township(paper):
    births = [("T1", y, 30.0) for y in range(2015, 2026)] + [("T2", y, 10.0) for y in range(2015, 2026)]
    county = dataclasses.replace(paper, births=table("births", "township_id year births", *births))
    found = implausible_counts(county, STANDARDS)
    # T2 has 26 children for ten births, T1 30 for thirty; the county 56 for forty
    assert found.area_id.tolist() == ["T2"] and found.what.tolist() == ["births_off"]
    assert found.value[0] == pytest.approx(26 * 10) and found.expected[0] == pytest.approx(26 * 10 / 2.6 * 1.4, rel=0.01)


def test_ages_entered_twice_are_listed(paper):
    rng = np.random.default_rng(0)
    counts = rng.poisson(6, 15)
    rows = [(v, a, "both", float(n)) for v in ("A", "C") for a, n in enumerate(counts)] + [("D", a, "both", float(a + 1)) for a in range(15)]
    county = dataclasses.replace(paper, population=table("population", "settlement_id age sex persons", *rows))
    assert implausible_counts(county, STANDARDS)[["what", "area_id"]].to_numpy().tolist() == [["same_counts", "A"], ["same_counts", "C"]]


def test_a_township_without_small_children_is_listed(paper):
    people = paper.population[~(paper.population.settlement_id.isin(["D", "E"]) & (paper.population.age < 3))]
    found = implausible_counts(dataclasses.replace(paper, population=people.reset_index(drop=True)), STANDARDS)
    assert found[["what", "area_id"]].to_numpy().tolist() == [["ages_missing", "T2"]] and "note.ages_missing" in keys(
        dataclasses.replace(paper, population=people.reset_index(drop=True))
    )


def test_small_places_are_not_accused(paper):
    people = paper.population.assign(persons=1.0, registered=1.0)
    people.loc[people.settlement_id == "B", "registered"] = 1.3
    assert len(implausible_counts(dataclasses.replace(paper, population=people), STANDARDS)) == 0


# births enter only through a factor


def test_township_factors_are_shrunk_to_the_county(paper):
    births = [("T1", y, 24.0) for y in range(2015, 2026)] + [("T2", y, 20.0) for y in range(2015, 2026)]
    rates = [("survival", "", a, "both", 1.0) for a in range(15)]
    county = dataclasses.replace(
        paper, births=table("births", "township_id year births", *births), rates=table("rates", "rate area_id age sex value", *rates)
    )  # fmt: skip
    found = entry_ratios(county, STANDARDS).set_index("township_id")
    # ten cohorts each: 300 for 240 and 260 for 200 births; between townships 1.25 and 1.3 are no more apart than chance makes them
    assert found.ratio.to_dict() == pytest.approx({"T1": 1.25, "T2": 1.3})
    assert found.factor.to_list() == pytest.approx([560 / 440] * 2)
    assert found.births.to_list() == pytest.approx([240, 200])
    apart = dataclasses.replace(
        county, births=table("births", "township_id year births", *[(t, y, 24.0 if t == "T1" else 50.0) for t, y, _ in births])
    )
    far = entry_ratios(apart, STANDARDS).set_index("township_id")
    # 1.25 and 0.52 are: each keeps nearly its own
    mean = 560 / 740
    for township, exposure in (("T1", 240), ("T2", 500)):
        ratio = far.ratio[township]
        spread = (240 * (1.25 - mean) ** 2 + 500 * (0.52 - mean) ** 2) / 740
        between = spread - mean / 370
        assert far.factor[township] == pytest.approx(mean + between / (between + mean / exposure) * (ratio - mean))


def test_grade_one_stands_in_where_the_list_has_no_cohort_of_the_births(paper):
    # an age list of 10-14 only: no cohort of births since 2016; grade 1 of 2022-2025 had 60 entries
    people = [(v, a, "both", 10.0) for v in "ABCDE" for a in range(10, 15)]
    births = [(t, y, 25.0) for t in ("T1", "T2") for y in range(2015, 2026)]
    history = [("S1", y, 1, 35.0) for y in range(2022, 2026)] + [("S2", y, 1, 25.0) for y in range(2022, 2026)]
    county = dataclasses.replace(
        paper, population=table("population", "settlement_id age sex persons", *people), births=table("births", "township_id year births", *births),
        history=table("history", "school_id year grade pupils", *history), rates=table("rates", "rate area_id age sex value", *[("survival", "", a, "both", 1.0) for a in range(15)]),
    )  # fmt: skip
    found = birth_factor(county, STANDARDS)
    assert found[["year", "age", "births", "children"]].to_numpy().tolist() == [[y - 6, 6, 50.0, 60.0] for y in range(2022, 2026)]
    assert found.attrs["factor"] == pytest.approx(1.2) and "note.factor_grade_1" in keys(county)
    # the cohorts below ten are the births times 1.2
    assert project_people(county, STANDARDS, years=[2025]).query("age == 3").persons.sum() == pytest.approx(60)
    alone = dataclasses.replace(county, history=empty("history"))
    assert "note.factor_unknown" in keys(alone)
    # births that nothing calibrates are not used: the mean of ages 10-12 fills the list
    assert project_people(alone, STANDARDS, years=[2025]).query("age == 3").persons.sum() == pytest.approx(50)


# late entry, repeating, the roll, registered persons


def test_late_entry_and_repeating_are_found_in_the_ages_by_grade():
    # cohorts of very different sizes, pushed through the grades with a tenth late and three in a hundred repeating
    shares = grade_shares(0.1, 0.03)
    sizes = np.linspace(500, 1500, len(shares))
    rows = [(g + 1, 6 + i, sizes[i] * shares[i, g]) for i in range(len(shares)) for g in range(9) if shares[i, g] > 0]
    late, repeat = entry_shares(table("grade_ages", "grade age pupils", *rows), STANDARDS)
    assert late == pytest.approx(0.1, abs=0.005) and repeat == pytest.approx(0.03, abs=0.003)
    on_time = [(g, g + 5, 100.0) for g in range(1, 10)]
    assert entry_shares(table("grade_ages", "grade age pupils", *on_time), STANDARDS) == pytest.approx((0, 0), abs=1e-12)
    assert entry_shares(empty("grade_ages"), STANDARDS) == (0, 0)


@pytest.mark.parametrize(("late", "repeat"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.1), (0.15, 0.05)])
def test_every_child_passes_every_grade(late, repeat):
    shares = grade_shares(late, repeat)
    # nine years of schooling, and one more for each repeated
    assert shares.sum() >= 9 - 1e-12
    # who is nowhere at six has entered by seven; nobody is in two grades at once
    assert shares[0].sum() == pytest.approx(1 - late) and shares[1:9].sum(axis=1) == pytest.approx(np.ones(8))
    # those who leave grade 9 from the age of fourteen on are all there were
    leaving = shares[8, 8] * (1 - repeat) + shares[9, 8] * (1 - repeat) + shares[10, 8]
    assert leaving == pytest.approx(1)


def test_pupils_by_grade_with_late_entry_by_hand(paper):
    rows = [(1, 6, 80.0), (1, 7, 20.0), (2, 7, 80.0), (2, 8, 20.0), (3, 8, 80.0)]
    county = dataclasses.replace(paper, grade_ages=table("grade_ages", "grade age pupils", *rows))
    # a fifth of each cohort is a year behind: of 20 in each cohort of A at ages 6, 7, 8 ... grade 1 holds 8 + 2
    pupils = project_pupils(county, STANDARDS, years=[2025]).set_index(["settlement_id", "grade"]).pupils
    assert pupils["A", 1] == pytest.approx(10) and pupils["A", 9] == pytest.approx(10)
    people = county.population.copy()
    people.loc[(people.settlement_id == "A") & (people.age == 6), "persons"] = 30.0
    more = (
        project_pupils(dataclasses.replace(county, population=people), STANDARDS, years=[2025, 2026])
        .set_index(["settlement_id", "year", "grade"])
        .pupils
    )
    assert more["A", 2025, 1] == pytest.approx(0.8 * 30 + 0.2 * 10) and more["A", 2026, 1] == pytest.approx(0.8 * 10 + 0.2 * 30, rel=1e-3)
    assert "note.behind" in keys(county)


def test_registered_children_can_be_switched_to(paper):
    people = paper.population.assign(registered=paper.population.persons * 1.5)
    county = dataclasses.replace(paper, population=people)
    resident, hukou = (project_pupils(county, STANDARDS, years=[2025], scenario=Scenario(demand=d)).pupils.sum() for d in ("resident", "registered"))
    assert hukou == pytest.approx(1.5 * resident) and "note.demand_registered" in keys(county, Scenario(demand="registered"))
    people = people.assign(registered=people.registered.where(people.settlement_id != "C"))
    with pytest.raises(CountyDataError, match="1 settlements have no registered persons"):
        project_pupils(dataclasses.replace(county, population=people), STANDARDS, years=[2025], scenario=Scenario(demand="registered"))


def test_residents_can_be_brought_to_the_roll(paper):
    # the rosters hold 56 in each grade, as many as live there; half as many in grade 1
    rosters = paper.rosters.copy()
    rosters.loc[rosters.grade == 1, "pupils"] = rosters.loc[rosters.grade == 1, "pupils"] / 2
    county = dataclasses.replace(paper, rosters=rosters)
    pupils = project_pupils(county, STANDARDS, years=[2025, 2026], scenario=Scenario(demand="roll")).groupby(["year", "grade"]).pupils.sum()
    assert pupils[2025, 1] == pytest.approx(28) and pupils[2025, 2] == pytest.approx(56)
    # that cohort stays small, and younger ones follow grades 1-3: (28 + 56 + 56) / 168
    assert pupils[2026, 2] == pytest.approx(28, rel=1e-3) and pupils[2026, 1] == pytest.approx(56 * 140 / 168, rel=1e-3)
    with pytest.raises(CountyDataError, match="no rosters and no enrolment of 2025"):
        project_pupils(dataclasses.replace(paper, rosters=empty("rosters")), STANDARDS, years=[2025], scenario=Scenario(demand="roll"))


@pytest.mark.parametrize("day", ["2025-03-01", "2025-08-31", "2025-11-01"])
def test_the_roll_holds_whatever_the_day_of_the_count(paper, day):
    rosters = paper.rosters.assign(pupils=paper.rosters.pupils + paper.rosters.grade)
    rules = dict(STANDARDS.rules)
    rules["enrolment.participation"] = dataclasses.replace(rules["enrolment.participation"], value=0.95)
    county = dataclasses.replace(paper, rosters=rosters, base_date=pd.Timestamp(day).date())
    standards = dataclasses.replace(STANDARDS, rules=rules)
    pupils = project_pupils(county, standards, years=[2025], scenario=Scenario(demand="roll"))
    assert pupils.groupby("grade").pupils.sum().to_numpy() == pytest.approx(rosters.groupby("grade").pupils.sum().to_numpy(), rel=1e-9)
    drawn = layout.draw_pupils(county, standards, years=[2025], draws=1500, scenario=Scenario(demand="roll"))
    assert drawn.pupils.sum(axis=(1, 3)).mean() == pytest.approx(pupils.pupils.sum(), rel=0.003)


def test_grades_that_the_roll_lacks_keep_their_children(paper):
    county = dataclasses.replace(paper, rosters=paper.rosters[paper.rosters.grade < 7].reset_index(drop=True))
    pupils = project_pupils(county, STANDARDS, years=[2025], scenario=Scenario(demand="roll")).groupby("grade").pupils.sum()
    assert pupils[8] == pytest.approx(56)
    incoming = table("incoming", "township_id band pupils", ("T2", "lower", 900.0))
    with pytest.raises(CountyDataError, match="more pupils come from outside than are on the roll in grades 1, 2, 3"):
        project_pupils(dataclasses.replace(county, incoming=incoming), STANDARDS, years=[2025], scenario=Scenario(demand="roll"))


def test_split_ages_leave_the_births_of_the_townships_alone(paper):
    births = [("T1", y, 120.0) for y in range(2012, 2027)] + [("T2", y, 20.0) for y in range(2012, 2027)]
    note = table("assumptions", "table column rows basis note", ("population", "persons", 75, "x", "x"))
    county = dataclasses.replace(paper, births=table("births", "township_id year births", *births), assumptions=note)
    found = entry_ratios(county, STANDARDS).factor
    assert found[0] == pytest.approx(found[1]) and len(implausible_counts(county, STANDARDS)) == 0


def test_variants_lie_on_either_side_and_meet_in_the_base_year(paper):
    sums = {
        v: project_pupils(paper, STANDARDS, years=[2025, 2035], scenario=Scenario(variant=v)).groupby("year").pupils.sum()
        for v in ("low", "medium", "high")
    }
    assert sums["low"][2025] == sums["medium"][2025] == sums["high"][2025]
    assert sums["low"][2035] < sums["medium"][2035] < sums["high"][2035]
    # grade 9 of 2035 was born: only migration moves it, by the root of ten years
    low, medium = (
        project_pupils(paper, STANDARDS, years=[2035], scenario=Scenario(variant=v)).query("grade == 9").pupils.sum() for v in ("low", "medium")
    )
    assert low / medium == pytest.approx(np.exp(-1.2815515655 * 0.03 * np.sqrt(10)))


def test_people_move_to_the_seat_and_out_of_the_county(paper):
    rates = [("to_seat", "T1", a, "both", 0.1) for a in range(15)] + [("out_of_county", "", a, "both", 0.02) for a in range(15)]
    rates += [("survival", "", a, "both", 1.0) for a in range(15)]
    county = dataclasses.replace(paper, rates=table("rates", "rate area_id age sex value", *rates))
    people = project_people(county, STANDARDS, years=[2026]).groupby(["settlement_id", "age"], observed=True).persons.sum()
    # B: a tenth to the seat and a fiftieth away; D and E are the seat's township and take them by their people, 20 to 6
    assert people["B", 7] == pytest.approx(8 * 0.88) and people["D", 7] == pytest.approx(20 * 0.98 + 3.0 * 20 / 26)
    assert people["E", 7] == pytest.approx(6 * 0.98 + 3.0 * 6 / 26)


# controls


def test_controls_that_cannot_hold_are_refused(paper):
    rows = [(2025, "0-9", 500.0), (2025, "5-14", 500.0), (2027, "60+", 10.0)]
    county = dataclasses.replace(paper, controls=table("controls", "year age_group persons", *rows))
    with pytest.raises(CountyDataError, match="The control of 2025|the control of 2025 cannot be used"):
        project_pupils(county, STANDARDS, years=[2030])
    late = dataclasses.replace(paper, controls=table("controls", "year age_group persons", *rows[2:]))
    with pytest.raises(CountyDataError, match="the control of 2027 cannot be used"):
        project_pupils(late, STANDARDS, years=[2030])


def test_an_open_group_at_the_end_of_a_list_of_children_is_refused(paper):
    rows = pd.concat([paper.population, table("population", "settlement_id age sex persons", *[(v, 15, "both", 300.0) for v in "ABCDE"])])
    with pytest.raises(CountyDataError, match="must be an open group"):
        project_pupils(dataclasses.replace(paper, population=check("population", rows)), STANDARDS, years=[2025])


def test_nobody_can_leave_twice(paper):
    rates = [("to_seat", "", 7, "both", 0.6), ("out_of_county", "T1", 7, "both", 0.6)]
    with pytest.raises(CountyDataError, match="in area T1 more than everybody aged 7"):
        project_people(dataclasses.replace(paper, rates=table("rates", "rate area_id age sex value", *rates)), STANDARDS, years=[2026])


# what is said


def test_the_year_of_the_peak_by_band(paper):
    # A has a wave: 40 aged 3, who are grade 1 in 2028 and grade 9 in 2036
    people = paper.population.copy()
    people.loc[(people.settlement_id == "A") & (people.age == 3), "persons"] = 40.0
    pupils = project_pupils(dataclasses.replace(paper, population=people), STANDARDS, years=range(2025, 2036))
    found = peak_years(pupils).set_index("group")
    assert found.year.to_dict() == {"all": 2028, "junior": 2034, "lower": 2028, "upper": 2031}
    assert found.first_year.unique().tolist() == [2025] and found.last_year.unique().tolist() == [2035]
    ranges = check("forecast", pd.DataFrame({"level": ["county"], "area_id": "", "year": 2035, "group": "all", "pupils": 500.0, "low": 460.0,
                                             "middle": 499.0, "high": 541.0, "noise": False}))  # fmt: skip
    zh = describe(peak_notes(pupils, ranges), "zh")
    assert zh[0].startswith("小学在校生高峰在 2028 年") and zh[1] == "2035 年学生总数十有八次在 460 到 541 人之间。"


def test_sources_and_their_bias_travel_with_the_county(tmp_path, paper):
    county = dataclasses.replace(paper, sources={"population": "hukou", "births": "birth_register"})
    write_county(county, tmp_path / "c")
    back = read_county(tmp_path / "c")
    assert back.sources == county.sources
    text = " ".join(describe(population_notes(back, STANDARDS), "zh"))
    assert "25%" in text and "迟报" in text
    toml = tmp_path / "c" / "county.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace('"hukou"', '"gossip"'), encoding="utf-8")
    with pytest.raises(CountyDataError, match="census, hukou, roll") as error:
        read_county(tmp_path / "c")
    assert error.value.problems[0].column == "sources.population"


def test_a_plan_holds_forecast_ranges_and_scenario(paper, tmp_path):
    from layout.saved_plan import read_plan

    plan = make_plan(paper, to=2031, draws=30, seed=5, scenario=Scenario("低", variant="low"))
    assert plan.manifest["draws"]["draws"] == 30 and plan.manifest["scenario"]["variant"] == "low"
    assert plan.pupils.low.notna().all() and set(plan.forecast.level) == {"county", "township", "settlement", "school"}
    said = [key for key, _ in plan.county.notes]
    assert {"population.note.variant_low", "population.say.peak", "population.say.range", "population.note.ranges_default"} <= set(said)
    plan.save(tmp_path)
    back = read_plan(tmp_path)
    assert back.scenario == plan.scenario
    pd.testing.assert_frame_equal(back.forecast, plan.forecast)
    assert not make_plan(paper, to=2031).forecast.low.notna().any()


def test_age_list_of_the_paper_county(paper):
    base = age_list(paper, STANDARDS, Scenario())
    assert base.persons.sum() == pytest.approx(840) and base.evidence.tolist() == pytest.approx([30, 24, 36, 60, 18])
    assert make_paper().population.equals(paper.population)
