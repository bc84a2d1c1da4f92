"""What a county asks of its plan and cannot have: the cause is named, through the library and on the command line; nothing looks finished that is not."""

import dataclasses

import geopandas as gpd
import pytest
from planted import PLACES, planted_county, spot
from typer.testing import CliRunner

from conftest import at, make_paper
from layout.aims import Aims, read_aims
from layout.cli import app
from layout.county import read_county, write_county
from layout.hindrances import NoPlanError, cause_words
from layout.plan import make_plan, unserved
from layout.saved_plan import read_plan
from layout.standards import read_standards
from layout.tables import CountyDataError, check

STANDARDS = read_standards()
YEARS = (2027, 2030)


def asks(county, **aims):
    return dataclasses.replace(county, aims=Aims(**aims))


def figures(**values):
    rules = {k: dataclasses.replace(r, value=values[k]) if k in values else r for k, r in STANDARDS.rules.items()}
    return dataclasses.replace(STANDARDS, rules=rules)


def zone(km):
    rows = {"exclusion_id": ["Z1"], "layer": ["地质灾害危险区"], "hard": [True], "source": [""]}
    return check("exclusions", gpd.GeoDataFrame(rows, geometry=[spot(km).buffer(700)], crs="EPSG:4545"))


# ---- the library


@pytest.mark.parametrize(("aims", "cause"), [
    ({"must_open": ("C-D2", "C-R1"), "most_open": 1}, "2 sites must open, more than the 1 allowed"),
    ({"must_open": ("C-D2",), "budget": {2027: 1e6, 2030: 5e5}}, "cost 1,889,200 yuan at least, more than all budgets together, 1,500,000"),
    ({"must_open": ("C-XX",)}, "C-XX that must open is not among the candidates"),
    ({"must_open": ("C-M1",)}, "C-M1 that must open: too few children for a new school can come in 2030"),
    ({"must_open": ("C-D2", "C-D1", "C-D3"), "most_open": 2, "budget": {2027: 0.0, 2030: 0.0}}, "3 sites must open.*; the schools that must open cost"),
])  # fmt: skip
def test_what_contradicts_itself_is_named(aims, cause):
    with pytest.raises(NoPlanError, match=cause):
        make_plan(asks(planted_county(), **aims), STANDARDS, years=YEARS)


def test_schools_that_take_each_others_children_are_named():
    """A teaching point needs 50 children here: A and B have 54 of grades 1 to 3 and reach C-A, with C's 36 all 90 reach C-B; two need 100."""
    never = dict.fromkeys([f"layout.min_pupils.{r}" for r in ("small_primary", "primary", "junior")], 9999.0)
    few = figures(**{"layout.min_pupils.teaching_point": 50.0, **never})
    with pytest.raises(NoPlanError, match="without these schools that must open there would be a plan") as error:
        make_plan(asks(make_paper(), must_open=("C-A", "C-B")), few, years=YEARS)
    assert [key for key, _ in error.value.causes] == ["without_must"]
    assert "C-B" in set(make_plan(asks(make_paper(), must_open=("C-B",)), few, years=YEARS).proposals["school_id"])


def test_a_budget_of_one_year_that_holds_too_little_is_named():
    """Both budgets together hold the school, but it must be paid for when it opens, with rooms and site in one year."""
    county = asks(planted_county(), must_open=("C-D2",), budget={2027: 1e6, 2030: 1e6})
    with pytest.raises(NoPlanError, match="without the budgets there would be a plan"):
        make_plan(county, STANDARDS, years=YEARS)


def test_a_site_in_a_danger_zone_cannot_be_asked_for():
    county = dataclasses.replace(asks(planted_county(), must_open=("C-D2",)), exclusions=zone(PLACES["D2"][0]))
    with pytest.raises(NoPlanError, match="site C-D2 that must open cannot be used: 地质灾害危险区"):
        make_plan(county, STANDARDS, years=YEARS)


def test_what_must_open_opens_and_no_more_than_may():
    """C-A would not open by itself, C-E would: with one school allowed E's 18 children of grades 1 to 3 stay beyond the limit."""
    opened = {}
    for name, aims in {"free": {}, "asked": {"must_open": ("C-A",), "most_open": 1}, "none": {"most_open": 0}}.items():
        found = make_plan(asks(make_paper(), **aims), STANDARDS, years=YEARS)
        late = found.summary.query("view == 'planned' and year == 2030")["lower_out_of_limit"].iloc[0]
        opened[name] = (found.proposals.query("action == 'open'")["school_id"].tolist(), late)
    assert opened == {"free": (["C-E"], 0), "asked": (["C-A"], 18), "none": ([], 18)}


def test_budgets_of_the_county_bind():
    """3,667,600 for a site and three rooms at D2 in 2027 is too much; 2,778,400 for two rooms is not."""
    county = asks(planted_county(), budget={2027: 3e6, 2030: 1e7})
    found = make_plan(county, STANDARDS, years=YEARS)
    spent = found.proposals.groupby("year")["cost_yuan"].sum()
    assert 0 < spent[2027] <= 3e6 and spent.get(2030, 0) <= 1e7


def test_an_unreachable_village_is_named_or_there_is_no_plan():
    """Without roads E has no way: of its 6 children of each age all 54 have no place in 2026."""
    alone = dataclasses.replace(make_paper(), roads=None)
    plan = make_plan(alone, to=2026)
    causes = unserved(plan.planned, alone)
    assert {(key, fields["year"]) for key, fields in causes} == {("unserved", 2026)}
    assert "E村 54" in cause_words(causes[-1], "zh") and "E村 54" in cause_words(causes[-1], "en")
    assert plan.summary.query("view == 'planned'")["no_route"].iloc[0] >= 54
    with pytest.raises(NoPlanError, match="pupils have no place .*E村 54"):
        make_plan(asks(alone, unserved="refuse"), to=2026)


def test_a_limit_that_no_way_keeps_is_named():
    short = figures(**{"travel.limit.walk.lower": 0.1})
    paper = make_paper()
    plan = make_plan(paper, short, to=2026)
    assert plan.summary.query("view == 'planned'")["lower_out_of_limit"].iloc[0] == 168, "all 56 children of three grades"
    with pytest.raises(NoPlanError, match="the limit of 0.1 minutes for .* is below any way to school: the shortest takes 9.3"):
        make_plan(asks(paper, unserved="refuse"), short, to=2026)


def test_too_few_seats_are_named():
    """Largest sizes hold 270 and 450 pupils; with one and two rooms 60 each, and no site that may open: 504 children, 384 without a place."""
    paper = make_paper()
    small = paper.schools.assign(rooms=[1, 1], expandable_rooms=0, beds=[0, 0])
    county = dataclasses.replace(paper, schools=check("schools", small), rosters=paper.rosters.iloc[:0])
    tight = figures(**{
        "size.max.primary_junior": 60.0, "size.max.nine_year": 60.0,
        **{f"layout.min_pupils.{r}": 9999.0 for r in ("teaching_point", "small_primary", "primary", "junior")},
    })  # fmt: skip
    plan = make_plan(county, tight, to=2026)
    levels = {level["name"]: level["objective"] for level in plan.manifest["solve"]["levels"]}
    assert levels["without_place"] == 504 - 120
    causes = unserved(plan.planned, county)
    assert sum(fields["pupils"] for _, fields in causes) > 0
    with pytest.raises(NoPlanError, match="pupils find no seat at the class-size standard"):
        make_plan(asks(county, unserved="refuse"), tight, to=2026)


# ---- settings


def test_aims_are_read_written_and_saved(tmp_path):
    aims = Aims(years=(2027, 2030), budget={2027: 4e6}, must_open=("C-E",), most_open=2, unserved="refuse")
    write_county(dataclasses.replace(make_paper(), aims=aims), tmp_path / "paper")
    county = read_county(tmp_path / "paper")
    assert county.aims == aims
    plan = make_plan(dataclasses.replace(county, aims=dataclasses.replace(aims, unserved="list")))
    assert plan.years == (2025, 2027, 2030) and "C-E" in plan.proposals["school_id"].tolist()
    plan.save(tmp_path / "plan")
    assert read_plan(tmp_path / "plan").county.aims == plan.county.aims
    assert make_plan(plan.county, to=2028).years == (2025, 2026, 2028), "years given by hand go first"


@pytest.mark.parametrize(("given", "column", "wanted"), [
    ({"years": [2024]}, "plan.years", "2026"), ({"years": [2030, 2030]}, "plan.years", "2026"), ({"years": 2030}, "plan.years", "2026"),
    ({"years": [True]}, "plan.years", "2026"), ({"budget": {"soon": 1}}, "plan.budget", "5000000"), ({"budget": {"2026": -1}}, "plan.budget", "5000000"),
    ({"years": [2030], "budget": {"2031": 1}}, "plan.budget", "2030"), ({"must_open": "C-E"}, "plan.must_open", "C-"), ({"most_open": -1}, "plan.most_open", "0"),
    ({"unserved": "hide"}, "plan.unserved", "refuse"), (3, "plan", r"[plan]"),
])  # fmt: skip
def test_wrong_aims_are_said(given, column, wanted):
    aims, problems = read_aims(given, base_year=2025, file="county.toml")
    assert [p.column for p in problems] == [column] and wanted in problems[0].fields["wanted"] and dataclasses.replace(aims, years=()) == Aims()


def test_a_setting_that_is_not_known_names_the_nearest(tmp_path):
    write_county(make_paper(), tmp_path / "paper")
    path = tmp_path / "paper" / "county.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n[plan]\nyear = [2030]\nmost_open = -2\n", encoding="utf-8")
    with pytest.raises(CountyDataError, match="plan.year") as error:
        read_county(tmp_path / "paper")
    assert [(p.key, p.column) for p in error.value.problems] == [("unknown_setting", "plan.year"), ("bad_setting", "plan.most_open")]


# ---- the command line


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"LAYOUT_LANG": "en"})


def folder_of(tmp_path, county, plan="", standards=""):
    folder = tmp_path / "county"
    write_county(county, folder)
    path = folder / "county.toml"
    path.write_text(path.read_text(encoding="utf-8") + f"\n[plan]\n{plan}\n", encoding="utf-8")
    if standards:
        (folder / "standards.toml").write_text(standards, encoding="utf-8")
    return folder


CASES = {
    "more must open than may": (make_paper, 'must_open = ["C-E", "C-A"]\nmost_open = 1\n', "", "2 sites must open, more than the 1 allowed"),
    "a budget below the must-haves": (
        make_paper, 'years = [2027]\nmust_open = ["C-E"]\nbudget = { 2027 = 1000 }\n', "", "more than all budgets together, 1,000 yuan"),
    "a village out of reach": (lambda: dataclasses.replace(make_paper(), roads=None), 'unserved = "refuse"\n', "", "E村 54"),
    "a site in a danger zone": (
        lambda: dataclasses.replace(make_paper(), exclusions=check("exclusions", gpd.GeoDataFrame(
            {"exclusion_id": ["Z1"], "layer": ["地质灾害危险区"], "hard": [True], "source": [""]}, geometry=[at(9).buffer(700)], crs="EPSG:4545"))),
        'must_open = ["C-E"]\n', "", "cannot be used: 地质灾害危险区"),
    "a limit below any way": (make_paper, 'unserved = "refuse"\n', '"travel.limit.walk.lower" = 0.1\n', "below any way to school"),
    "seats below the children": (
        lambda: dataclasses.replace(make_paper(), schools=make_paper().schools.assign(rooms=[1, 1], expandable_rooms=0), rosters=make_paper().rosters.iloc[:0]),
        'unserved = "refuse"\n',
        '"size.max.primary_junior" = 60\n"size.max.nine_year" = 60\n' + "".join(f'"layout.min_pupils.{r}" = 9999\n' for r in ("teaching_point", "small_primary", "primary", "junior")),
        "find no seat at the class-size standard"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_command_line_ends_with_three_names_the_cause_and_writes_nothing(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, plan, standards, cause = CASES[case]
    folder = folder_of(tmp_path, make(), plan, standards)
    result = run("plan", folder, "--draws", 0, "--to", 2026 if "limit" in case else 2027, "--out", tmp_path / "out")
    assert result.exit_code == 3, result.output
    assert cause in result.stderr.replace("\n", " ") and "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_the_command_line_lists_the_children_where_the_county_wants_the_plan(tmp_path):
    folder = folder_of(tmp_path, dataclasses.replace(make_paper(), roads=None), 'unserved = "list"\n')
    result = run("plan", folder, "--draws", 0, "--to", 2026, "--out", tmp_path / "out")
    assert result.exit_code == 0 and (tmp_path / "out" / "plan.xlsx").is_file()
    assert "have no place" in result.stdout and "E村 54" in result.stdout.replace("\n", " ")
    # an edition for the public names no village's children
    public = run("plan", folder, "--draws", 0, "--to", 2026, "--out", tmp_path / "public", "--audience", "public")
    assert public.exit_code == 0 and "E村 54" not in public.stdout
