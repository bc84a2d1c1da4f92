"""Every example runs as it stands and ends with its answer in words."""

import itertools
import os
import re
import runpy
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import load_workbook

import layout

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
ANSWERS = {
    "01_is_my_data_complete": r"^\S+: 30\d settlements, \d+ schools, \d+ classes, no faults, 2 notes, 0 assumed columns\.$",
    "02_how_many_pupils_in_2035": r"^\S+: \d+ pupils in 2025, \d+ in 2035 \([+-]\d+%\), between \d+ and \d+ eight times in ten\.$",
    "03_how_long_is_the_way_to_school": r"^\d+ of \d+ pupils \(lower\) in \d+ settlements walk longer than 30 minutes; \d+ in \d+ settlements reach no school on foot\.$",
    "04_which_classes_are_too_big": r"^\d+ of \d+ classes are oversized in 2025 \(\d+ of them super-oversized\); if nothing is done, \d+ of \d+ in 2030\.$",
    "05_where_to_open_schools": r"^In 2035 the plan opens \d+ schools, enlarges \d+, adds beds at \d+ and keeps \d+ small ones: .* fall from (\d+) to (\d+)\.$",
    "06_map_for_the_meeting": r"^The map of \S+ is maps.meeting.map\.html \(\d\.\d MB\): open it by double-click, no network is needed\.$",
    "08_what_can_a_projection_explain": r"the province has 1\.2\d times as many at 10-14 in 2020 .* within a tenth of survival alone lie 14% and 11% of its counties",
    "09_what_lies_within_half_an_hour": r"^\d+ of 30\d settlements lie farther than 30 minutes .* cover [1-9][\d,]+ km2\. Layers: layout_reach\.gpkg$",
    "10_what_small_schools_are_there": r"^181 rural and 40 urban schools are small, with 9\.7% of the pupils; by the Chinese rule 171, with 6\.8%\.$",
    "11_how_even_is_access_on_an_island": r"^79% of the children of grades 1-3 live farther than 30 minutes .* 77% have a score of 0; Gini of 2SFCA 0\.92",
    "12_how_wrong_would_the_forecast_have_been": r"^A grade of a school is missed by 5\.1% .* 12\.7%\); 87% .* by 0\.4% six and by 1\.8% ten years ahead\.$",
    "13_does_the_plan_hang_on_walking_speed": r"^\d+ of \d+ proposals stand at all 3 speeds .* speed (\d+) children .*, (\d+) if they .* and (\d+) if faster",
    "14_how_do_many_counties_compare": r"^4 counties: from \d+% to \d+% of the children .* Gini of minutes 0\.\d+ .*, 0\.\d+ .* counties\.csv$",
    "07_start_from_open_data": r"opens [1-9]\d* .*from \d+ to \d+",
}


def test_every_example_has_an_answer_to_check():
    assert [p.stem for p in EXAMPLES] == sorted(ANSWERS)


# written for researchers, who read a loop
RESEARCH = ("11", "12", "13", "14")

# the line that makes an example smaller, and what stands there instead: the sample county is the small one beside the copy, the island its south
SMALLER = {name: ('"data" / "sample"', '"data" / "sample"') for name in ("05", "06")} | {"07": ("43.20,-12.0,43.55,-11.3", "43.20,-12.0,43.55,-11.7")}

# a plan takes seconds to minutes, the classes or areas of the sample county several seconds
RUNS = [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] if p.stem[:2] in ("04", "05", "06", "07", "09", "11", "13") else []) for p in EXAMPLES]


def table_is_that_of_each_county_alone(path, out):
    table = pd.read_csv(path, dtype={"county_id": str}).set_index("county_id")
    assert table.index.tolist() == ["529901", "529902", "529903", "529904"]
    # the third county by itself, counted from the tables of the library once more
    county, standards = layout.make_sample_county(seed=3, settlements=60), layout.read_standards()
    pupils = layout.project_pupils(county, standards, years=[county.base_year])
    placed = layout.assign(pupils, layout.county_times(county, standards), county.schools, standards, seat_schools=layout.seat_schools(county))
    sums = layout.headline(placed[placed.attends == "home"], county.settlements, view="today").query("band == 'lower'").sum(numeric_only=True)
    assert table.loc["529903", "pupils"] == sums["pupils"] and table.loc["529903", "short"] == sums["pupils"] - sums["served"]
    even = layout.time_distribution(placed[placed.attends == "home"], view="today").set_index("band").loc["lower"]
    assert table.loc["529903", ["mean_minutes", "gini"]].tolist() == pytest.approx([even["mean"], even["gini"]], abs=1e-3)
    shares = re.findall(r"^\d{6} +(0\.\d+)$", out, re.M)
    assert sum(map(float, shares)) == pytest.approx(1, abs=0.02)


def overlap_is_that_of_the_plans(plans, out):
    columns = ["school_id", "action", "role"]
    made = {speed: set(plan.proposals[columns].itertuples(index=False, name=None)) for speed, plan in plans.items()}
    assert list(made) == ["slow", "medium", "fast"] and len(set(map(len, made.values()))) > 1
    table = out.split("proposals in both")[1].split("share of those")[0].splitlines()[2:]
    assert {line.split()[0]: line.split()[1:] for line in table if line} == {a: [str(len(made[a] & made[b])) for b in made] for a in made}
    table = out.split("share of those in either")[1].splitlines()[2:5]
    shares = {a: [f"{len(made[a] & made[b]) / len(made[a] | made[b]):.2f}" for b in made] for a in made}
    assert {line.split()[0]: line.split()[1:] for line in table} == shares
    assert re.search(r"^(\d+) of (\d+) proposals", out, re.M).groups() == tuple(
        str(len(how(*made.values()))) for how in (set.intersection, set.union)
    )  # fmt: skip


@pytest.mark.parametrize("path", RUNS)
def test_example_runs_and_answers(path, small_ground, tmp_path, monkeypatch, capsys):
    if path.stem.startswith(("07", "08", "10", "11", "12")) and not os.environ.get("LAYOUT_REAL_DATA"):
        pytest.skip("needs the real data named by LAYOUT_REAL_DATA")
    monkeypatch.chdir(tmp_path)
    shorter = path
    if path.stem[:2] in SMALLER:
        before, after = SMALLER[path.stem[:2]]
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1
        shorter = small_ground / "examples" / path.name
        shorter.write_text(text.replace(before, after), encoding="utf-8")
    found = runpy.run_path(str(shorter), run_name="__main__")
    out = capsys.readouterr().out
    last = out.strip().splitlines()[-1]
    match = re.search(ANSWERS[path.stem], last)
    assert match, last
    if path.stem.startswith("05"):
        assert int(match[2]) < int(match[1]), last
    if path.stem.startswith("13"):
        assert int(match[2]) <= int(match[1]) <= int(match[3]), "slower children reach no more"
        overlap_is_that_of_the_plans(found["plans"], out)
    if path.stem.startswith("14"):
        table_is_that_of_each_county_alone(tmp_path / "counties.csv", out)
    if path.stem.startswith("06"):
        assert {p.name for p in (tmp_path / "maps" / "meeting").iterdir()} == {
            "map.html",
            "plan.xlsx",
            "report.docx",
            "plan.gpkg",
            "manifest.json",
            "public",
        }


@pytest.mark.skipif(not os.environ.get("LAYOUT_REAL_DATA"), reason="LAYOUT_REAL_DATA is not set: the school census is not here")
def test_small_schools_are_those_of_the_workbook_cell_by_cell(tmp_path, monkeypatch, capsys):
    book = Path(os.environ["LAYOUT_REAL_DATA"]) / "ni_small_schools" / "School level - primary schools - data 202324.XLSX"
    sheets = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in load_workbook(book, read_only=True)}
    schools = {row[0]: row for row in sheets["reference data"] if isinstance(row[0], int)}
    rolls = {row[0]: row for row in sheets["Enrolments"] if isinstance(row[0], int)}
    meals = {row[0]: row[3] for row in sheets["Free School Meals"] if isinstance(row[0], int)}
    assert len(schools) == 787 and schools.keys() == rolls.keys() == meals.keys()
    assert sum(sum(row[2:12]) != row[12] for row in rolls.values()) == 0
    # nursery full and part time, reception, seven years, the total
    years = {key: row[5:12] for key, row in rolls.items()}
    rural = {key: row[11] == "RURAL" for key, row in schools.items()}
    small = sorted(key for key in years if sum(years[key]) < (105 if rural[key] else 140))
    china = [key for key in years if rural[key] and sum(years[key]) < 100]
    mixed = [key for key in small if any(a and b and a + b <= 30 for a, b in itertools.pairwise(years[key]))]
    hidden = [meals[key] for key in small]
    assert set(v for v in hidden if isinstance(v, str)) == {"*"}
    known = sum(v for v in hidden if isinstance(v, int))
    counts = [[key for key in small if rural[key] is country] for country in (False, True)]
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(next(p for p in EXAMPLES if p.stem.startswith("10"))), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert "rooms" in lines[0] and "lon+lat" in lines[1] and len(lines) == 9
    pupils = {group: sum(sum(years[key]) for key in keys) for group, keys in {"all": years, "small": small, "china": china}.items()}
    assert lines[2] == f"787 schools, {sum(row[12] for row in rolls.values()):,} on roll, 0 totals differ; {pupils['all']:,} in years 1-7"
    assert [line.split() for line in lines[5:7]] == [
        [name, str(len(keys)), f"{sum(sum(years[k]) for k in keys)}.0"] for name, keys in zip(("town", "village"), counts, strict=True)
    ]
    assert lines[7] == (
        f"{len(mixed)} of the small schools can teach two years in one class; "
        f"free meals for {known + hidden.count('*'):,} to {known + 4 * hidden.count('*'):,} of their children"
    )
    assert lines[8] == (
        f"{len(counts[1])} rural and {len(counts[0])} urban schools are small, with {pupils['small'] / pupils['all']:.1%} of the pupils; "
        f"by the Chinese rule {len(china)}, with {pupils['china'] / pupils['all']:.1%}."
    )
    # the figures once more as they stand, so that a new edition of the workbook does not pass unseen
    assert (pupils["all"], pupils["small"], pupils["china"], len(mixed), hidden.count("*")) == (169465, 16493, 11604, 216, 18)
    assert (tmp_path / "standards.toml").read_text(encoding="utf-8").count("\n") == 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example_is_short_and_plain(path):
    text = path.read_text(encoding="utf-8")
    research = path.stem.startswith(RESEARCH)
    assert len(text.splitlines()) <= (65 if research else 55), "a script that one copies"
    assert not research or re.search("[\u4e00-\u9fff]{10}", text.split('"""')[1]), "said in Chinese too"
    assert "# --- change these lines" in text and "# %%" in text
    for word in ("def ", "class ", "lambda", *(() if research else ("for ",))):
        assert not re.search(rf"^\s*{word}", text, re.M), f"{word.strip()}: a planner reads this"
