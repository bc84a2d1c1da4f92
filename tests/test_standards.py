"""Standards: every figure has a source, a county's own file is laid over them, laws hold."""

import csv
import datetime as dt
import math
import re

import pandas as pd
import pytest

from layout.messages import catalogue
from layout.standards import Standards, Step, judged_minutes, read_standards, size_bins, steps_of
from layout.tables import CountyDataError


def rows(request):
    text = (request.config.rootpath / "layout" / "standards.csv").read_text(encoding="utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


def test_every_row_is_whole(request):
    found = rows(request)
    assert len(found) >= 40
    assert [r["key"] for r in found] == sorted({r["key"] for r in found}), "keys are unique and sorted"
    for row in found:
        assert row["verified"] in {"V1", "V2", "U"}, row["key"]
        assert row["level"] in {"law", "national", "provincial", "county", "scenario"}, row["key"]
        assert row["op"] in {"<=", ">=", "in", "flag"}, row["key"]
        assert row["stage"] in {"primary", "junior", "all"} and row["urban_rural"] in {"city", "town", "village", "all"}, row["key"]
        assert row["doc"] and row["unit"] and row["source"] and row["zh"] and row["en"], row["key"]
        assert row["hard"] in {"yes", "no"}, row["key"]
        # a figure without a document is a county or scenario value, and says that it is unverified
        if row["doc"] == "县级参数" and not row["key"].startswith("bus.hazard"):
            assert row["verified"] == "U" and row["level"] in {"county", "scenario"}, row["key"]


# what has no number: a day of the year, bins, names of coordinate systems
TEXTS = {"class_size.stat_bins", "crs.web.amap", "crs.web.baidu", "entry.cutoff", "entry.cutoff_latest.hunan"}


def test_a_row_is_one_number(request):
    for row in rows(request):
        if row["key"] in TEXTS:
            continue
        assert re.fullmatch(r"\d+(\.\d+)?", row["value"]), row["key"]
        if row["unit"] == "flag":
            assert row["value"] in {"0", "1"}, row["key"]


def test_days_are_iso_days(request):
    for row in rows(request):
        for name in ("valid_from", "valid_to"):
            assert row[name] == "" or dt.date.fromisoformat(row[name]).isoformat() == row[name], row["key"]
        # a document may be known by its year or month only
        assert re.fullmatch(r"(\d{4}(-\d\d(-\d\d)?)?)?", row["issued"]), row["key"]
        assert not row["issued"] or dt.date.fromisoformat((row["issued"] + "-01-01")[:10])
        assert not (row["valid_from"] and row["valid_to"]) or row["valid_from"] <= row["valid_to"], row["key"]


def test_a_superseded_rule_names_the_one_in_force(request):
    found = {r["key"]: r for r in rows(request)}
    ended = {k: r for k, r in found.items() if r["valid_to"]}
    named = {k: re.match(r"superseded by ([a-z0-9_.]+)\b", r["note"]) for k, r in found.items()}
    assert {k for k, match in named.items() if match} == set(ended)
    assert {"class_size.oversize.share_max", "class_size.super_oversize.share_max", "staff.ratio_rural_2001.primary", "fund.base.2016.junior"} <= set(
        ended
    )
    for key, row in ended.items():
        successor = found[named[key][1]]
        after = (dt.date.fromisoformat(row["valid_to"]) + dt.timedelta(days=1)).isoformat()
        assert successor["valid_to"] == "" and successor["valid_from"] <= after, key
        assert successor["unit"].split("/")[0] == row["unit"].split("/")[0], key


def test_rules_of_elsewhere_bind_nobody(request):
    elsewhere = [r for r in rows(request) if re.match(r"example of (another|an unnamed|other) province", r["note"])]
    assert len(elsewhere) > 80
    for row in elsewhere:
        assert (row["level"], row["hard"]) == ("scenario", "no"), row["key"]
        assert row["op"] == "flag" or row["key"] == "class_size.apply.entry_grades", row["key"]


def test_sources_are_documents_not_addresses(request):
    for row in rows(request):
        assert not re.search(r"https?:|www\.|\.(com|cn|net|org)/", row["source"] + row["doc"] + row["note"]), row["key"]


@pytest.mark.parametrize(
    ("key", "value", "unit", "op", "level", "clause", "verified"),
    [
        ("class_size.rural.primary.near", 45, "pupils/class", "<=", "national", "第八条（一）", "V1"),
        ("class_size.rural.primary.far", 40, "pupils/class", "<=", "national", "第八条（一）", "V1"),
        ("class_size.rural.junior.far", 45, "pupils/class", "<=", "national", "第八条（二）", "V1"),
        ("class_size.design.junior", 50, "pupils/class", "<=", "national", "§3.0.1(2)、(3)", "V1"),
        ("yzjh.teaching_area.junior", 5.8, "m2/pupil", ">=", "national", "资源配置第4项", "V2"),
        ("yzjh.cv.max.junior", 0.45, "ratio", "<=", "national", "资源配置", "V2"),
        ("floor.urban.basic.junior.18", 7.1, "m2/pupil", ">=", "national", "表4-1（1）", "V1"),
        ("land.primary.local.anyang.from_30", 17, "m2/pupil", "flag", "scenario", "第十一条", "V1"),
        ("site.road.control_zone.motorway", 30, "m", ">=", "law", "第十一条", "V1"),
        ("site.road.school_distance.national_provincial", 50, "m", ">=", "law", "第十四条", "V1"),
        ("boarding.health_staff", 600, "pupils/person", "<=", "law", "第二十条", "V1"),
        ("toilet.girls.per_wc", 13, "pupils/fixture", "<=", "national", "§6.2.8", "V1"),
        ("staff.ratio.junior", 13.5, "pupils/post", "<=", "national", "附表", "V2"),
        ("staff.ratio_rural_2001.primary", 23, "pupils/post", "<=", "national", "附表", "V1"),
        ("fund.per_pupil.primary", 720, "yuan/pupil/year", ">=", "national", "", "V2"),
        ("bus.attendant", 1, "persons/bus", ">=", "law", "第三十八条", "V1"),
        ("map.review.time", 20, "working days", "<=", "law", "第十九条", "V1"),
        ("decision.legality.time", 7, "working days", ">=", "law", "第二十六条", "V1"),
        ("births.gz.2024", 41.5, "10^4 births", "flag", "provincial", "", "V2"),
        ("cohort.check.gz.province", 1.243, "ratio", "flag", "scenario", "", "V1"),
    ],
)
def test_figures_of_the_documents(key, value, unit, op, level, clause, verified):
    rule = read_standards().rules[key]
    assert (rule.value, rule.unit, rule.op, rule.level, rule.clause, rule.verified) == (value, unit, op, level, clause, verified)


def test_derived_figures_follow_from_their_parts():
    standards = read_standards()
    assert standards["opex.small_school.public_fund"] == standards["fund.small_floor"] * standards["fund.per_pupil.primary"]
    assert sum(standards[f"relocation.demand.gz.{k}"] for k in ("preschool", "primary", "junior")) == standards["relocation.demand.gz.total"]
    for stage in ("preschool", "primary", "junior"):
        rate = standards[f"relocation.demand.gz.{stage}"] / standards["relocation.people.gz"] * 1000
        assert standards[f"relocation.rate.{stage}"] == pytest.approx(rate, abs=0.05), stage
    for stage, classes, size in (("primary", 6, 45), ("junior", 18, 50)):
        area = standards[f"floor.rural.planning_total.{stage}.{classes}"] / (classes * size)
        assert standards[f"floor.rural.planning.{stage}.{classes}"] == pytest.approx(area, abs=0.005)
    # survival from birth is the product of the steps that the projection takes
    rules = [standards[f"survival.{k}"] for k in ("0_1", "1_6", "6_12", "12_15")]
    for age, steps in ((6, 2), (12, 3), (15, 4)):
        assert standards[f"mortality.cn.to_{age}"] == pytest.approx(math.prod(rules[:steps]), abs=1.5e-4)
    for percent in (10, 15, 20, 30):
        # up and down the same slope: twice the way over the sum of both times
        up, down = (math.exp(-standards["walk.slope.rate"] * (abs(s + 0.05) - 0.05)) for s in (percent / 100, -percent / 100))
        assert standards[f"walk.slope.round_trip_{percent}"] == pytest.approx(2 / (1 / up + 1 / down), abs=0.01), percent


def test_every_county_parameter_is_read_and_every_use_is_a_key(request):
    keys = {r["key"] for r in rows(request)}
    code = "\n".join(p.read_text(encoding="utf-8") for room in ("layout", "examples") for p in sorted((request.config.rootpath / room).glob("*.py")))
    literal = set(
        re.findall(
            r"[\"']((?:class_size|layout|travel|walk|bus|entry|survival|fertility|floor|cost|site|law|size|boarding|decision|privacy|assume|check|uncertainty|relocation|household|forecast|enrolment|drive|road|fund|staff|lessons|choice)\.[a-z0-9_.]*)[\"']",
            code,
        )
    )
    # keys put together from a grade band, role or age group are looked for by their stem
    stems = set(re.findall(r"f[\"']((?:[a-z_0-9]+\.)+)", code)) | {k for k in literal if k.endswith(".")}
    # a list of dated steps, and a limit named by mode and band: no figures
    sentences = set(catalogue("zh")) | {"class_size.schedule", "walk.lower"}
    # a chapter of the report names its sentences without the word report, a check has its files, figures a module
    sentences |= {key.removeprefix("report.") for key in catalogue("zh")} | {"check.html", "check.xlsx", "layout.figures", "layout.province"}
    assert {k for k in literal - stems if k not in keys | sentences and not k.startswith(("layout.messages", "layout.kernels"))} == set()
    # the stem of module names is not one of keys
    stems = stems - {"layout."} | {"layout.g"}
    unused = {k for k in keys if k not in literal and not any(k.startswith(s) for s in stems)}
    # documents and observations are there to be cited; a switch that the county is offered must be wired
    switches = {r["key"] for r in rows(request) if r["level"] == "county"}
    assert len(switches) > 40 and unused & switches == set()


def test_county_figures_are_laid_over_the_standards(tmp_path):
    path = tmp_path / "standards.toml"
    path.write_text(
        '"travel.limit.walk.upper" = 35\n[entry]\ncutoff = "12-31"\n'
        '["travel.limit.walk.junior"]\nvalue = 50\ndoc = "本县布局规划"\nclause = "第三章"\nverified = "V1"\n',
        encoding="utf-8",
    )
    standards = read_standards(path)
    assert standards.limit("walk", "upper") == 35 and standards.rules["travel.limit.walk.upper"].verified == "U"
    assert standards.rules["entry.cutoff"].value == "12-31"
    junior = standards.rules["travel.limit.walk.junior"]
    assert (junior.value, junior.doc, junior.clause, junior.verified, junior.level) == (50, "本县布局规划", "第三章", "V1", "county")
    assert read_standards()["travel.limit.walk.upper"] == 40, "the standards themselves do not change"


def test_keys_below_a_key_may_be_nested_or_quoted(tmp_path):
    path = tmp_path / "standards.toml"
    path.write_text(
        'class_size.oversize.share_max.guizhou = 1\n[layout.small_school.max]\nurban = 80\n["class_size.oversize.share_max"]\nvalue = 4\nclause = "二"\n',
        encoding="utf-8",
    )
    standards = read_standards(path)
    assert (standards["class_size.oversize.share_max.guizhou"], standards["layout.small_school.max.urban"]) == (1, 80)
    assert (standards["class_size.oversize.share_max"], standards.rules["class_size.oversize.share_max"].clause) == (4, "二")
    assert standards["layout.small_school.max"] == 99
    path.write_text("[layout.small_school.max]\nrural = 80\n", encoding="utf-8")
    with pytest.raises(CountyDataError, match="layout.small_school.max"):
        read_standards(path)


def test_all_faults_of_a_county_file_are_said_at_once(tmp_path):
    path = tmp_path / "standards.toml"
    path.write_text(
        '"travel.limit.walk.uper" = 35\n"bus.speed.other.max" = 70\n"cost.build.day" = "dear"\n"travel.daily_max" = -1\n"decision.notice.min" = 20\n',
        encoding="utf-8",
    )
    with pytest.raises(CountyDataError, match=r"最接近的是 travel.limit.walk.upper(.|\n)*不能放宽（校车安全管理条例第三十五条第一款）") as error:
        read_standards(path)
    assert [p.key for p in error.value.problems] == ["unknown_standard", "law_relaxed", "bad_standard", "bad_standard", "law_relaxed"]


def test_a_law_can_be_made_stricter(tmp_path):
    path = tmp_path / "standards.toml"
    path.write_text('"bus.speed.other.max" = 50\n"decision.notice.min" = 60\n', encoding="utf-8")
    standards = read_standards(path)
    assert (standards["bus.speed.other.max"], standards["decision.notice.min"]) == (50, 60)
    assert standards.rules["bus.speed.other.max"].level == "law"


def test_broken_toml_is_said(tmp_path):
    path = tmp_path / "standards.toml"
    path.write_text("travel = [", encoding="utf-8")
    with pytest.raises(CountyDataError, match="不是有效的 TOML"):
        read_standards(path)


def test_class_size_by_grade_and_kind_of_school():
    standards = read_standards()
    assert [standards.class_size(g) for g in (1, 6, 7, 9)] == [45, 45, 50, 50]
    assert standards.class_size(3, incomplete=True) == 30


def test_only_grades_four_and_up_may_board():
    standards = read_standards()
    assert [g for g in range(1, 10) if standards.may_board(g)] == [4, 5, 6, 7, 8, 9]


def test_text_is_not_a_number():
    with pytest.raises(TypeError, match="entry.cutoff is text"):
        read_standards()["entry.cutoff"]


def test_citation_marks_what_is_unverified():
    rules = read_standards().rules
    assert rules["walk.speed.lower"].cite("zh") == "县级参数（测算参数）【待核实】"
    assert rules["bus.speed.other.max"].cite("zh") == "校车安全管理条例（国务院令第617号）第三十五条第一款（法律法规）"


def test_the_slower_direction_is_judged_unless_the_county_says_otherwise(tmp_path):
    times = pd.DataFrame({"minutes": [20.0, 31.0], "minutes_back": [28.0, 30.0]}, index=[5, 3])
    assert judged_minutes(times, read_standards()).tolist() == [28.0, 31.0]
    path = tmp_path / "standards.toml"
    path.write_text('"travel.judge_slower" = 0\n', encoding="utf-8")
    assert judged_minutes(times, read_standards(path)).to_dict() == {5: 20.0, 3: 31.0}


# key: last day without it or None, first day with it or None, last day with it or None, first day without it again or None
DAYS = {
    "class_size.oversize.share_max": ("2020-12-30", "2020-12-31", "2025-12-30", "2025-12-31"),
    "class_size.oversize.share_max.guizhou": ("2025-12-30", "2025-12-31", "2035-09-01", None),
    "class_size.super_oversize.share_max": ("2018-12-30", "2018-12-31", "2025-12-30", "2025-12-31"),
    "fund.base.2016.primary": ("2015-12-31", "2016-01-01", "2022-12-31", "2023-01-01"),
    "fund.per_pupil.primary": ("2022-12-31", "2023-01-01", "2035-09-01", None),
    "fund.boarder_extra_before_2023": (None, "2019-09-01", "2022-12-31", "2023-01-01"),
    "fund.poor_boarder.junior": ("2023-12-31", "2024-01-01", "2035-09-01", None),
    "staff.ratio_rural_2001.junior": (None, "2001-12-31", "2014-12-31", "2015-01-01"),
    "class_size.yzjh.primary.max": (None, "1990-01-01", "2035-09-01", None),
}


@pytest.mark.parametrize("key", sorted(DAYS))
def test_a_rule_holds_from_its_first_to_its_last_day(key):
    standards = read_standards()
    before, first, last, after = DAYS[key]
    for day, there in ((before, False), (first, True), (last, True), (after, False)):
        if day:
            assert (key in standards.on(day).rules) is there, day
            assert standards.on(dt.date.fromisoformat(day)).rules == standards.on(day).rules


def test_on_any_day_one_line_of_oversized_classes_holds_in_guizhou():
    lines = ("class_size.oversize.share_max", "class_size.oversize.share_max.guizhou")
    for day, value in (("2020-12-31", 5), ("2025-12-30", 5), ("2025-12-31", 0), ("2026-11-23", 0)):
        there = read_standards().on(day)
        assert [there[k] for k in lines if k in there.rules] == [value], day


def test_rules_of_a_day_keep_order_and_county_figures(tmp_path):
    path = tmp_path / "standards.toml"
    path.write_text('"fund.boarder_extra" = 400\n', encoding="utf-8")
    standards = read_standards(path)
    today = standards.on(dt.datetime(2026, 11, 23, 23, 59))
    assert list(today.rules) == sorted(today.rules) and today["fund.boarder_extra"] == 400
    ended = {k for k, r in standards.rules.items() if r.valid_to}
    assert set(standards.rules) - set(today.rules) == ended and len(ended) >= 10
    assert standards.on("2026-11-23").on("2019-01-01").rules == standards.on("2019-01-01").on("2026-11-23").rules, "a day of a day is both"


@pytest.mark.parametrize("day", ["2025-13-01", "2025", "yesterday"])
def test_a_day_that_is_none_is_said(day):
    with pytest.raises(ValueError, match=r"isoformat|month must be"):
        read_standards().on(day)


# the dated schedule of class sizes


def read(tmp_path, text):
    path = tmp_path / "standards.toml"
    path.write_text(text, encoding="utf-8")
    return read_standards(path)


SCHEDULE = """
[[class_size.schedule]]
from_year = 2027
stage = "primary"
pupils = 42
doc = "某县教育布局规划"
clause = "第四章"

[[class_size.schedule]]
from_year = 2029
stage = "junior"
pupils = 45

[[class_size.schedule]]
from_year = 2031
stage = "primary"
pupils = 40
applies_to = "all_grades"
"""


def test_steps_are_read_and_sorted_by_stage_and_year(tmp_path):
    assert read(tmp_path, SCHEDULE).steps == (
        Step(2027, "primary", 42, "entry_grades", "某县教育布局规划", "第四章"), Step(2031, "primary", 40, "all_grades"),
        Step(2029, "junior", 45, "entry_grades"),
    )  # fmt: skip
    assert read_standards().steps == ()
    quoted = '"class_size.schedule" = [{from_year = 2028, stage = "primary_incomplete", pupils = 25}]\n'
    assert read(tmp_path, quoted).steps == (Step(2028, "primary_incomplete", 25),)


def test_a_step_climbs_a_grade_a_year_or_holds_for_all(tmp_path):
    standards = read(tmp_path, SCHEDULE)
    size = lambda year: [standards.class_size(g, year=year) for g in range(1, 10)]  # noqa: E731
    # by hand: 42 enters with grade 1 of 2027 and is in grade 4 by 2030; from 2031 all primary grades have 40; 45 enters grade 7 in 2029
    assert size(2026) == [45, 45, 45, 45, 45, 45, 50, 50, 50]
    assert size(2027) == [42, 45, 45, 45, 45, 45, 50, 50, 50]
    assert size(2028) == [42, 42, 45, 45, 45, 45, 50, 50, 50]
    assert size(2029) == [42, 42, 42, 45, 45, 45, 45, 50, 50]
    assert size(2030) == [42, 42, 42, 42, 45, 45, 45, 45, 50]
    assert size(2031) == [40] * 6 + [45] * 3
    # without a year the schedule does not count, and it is no schedule of teaching points
    assert [standards.class_size(g) for g in (1, 7)] == [45, 50]
    assert standards.class_size(1, incomplete=True, year=2040) == 30


@pytest.mark.parametrize("year", range(2024, 2036))
def test_the_standard_of_a_cohort_never_rises(tmp_path, year):
    standards = read(tmp_path, SCHEDULE)
    for grade in (1, 2, 3, 4, 5, 7, 8):
        assert standards.class_size(grade + 1, year=year + 1) <= standards.class_size(grade, year=year)
    assert all(standards.class_size(g, year=year + 1) <= standards.class_size(g, year=year) for g in range(1, 10))


def test_a_step_counts_against_the_county_s_own_standard(tmp_path):
    lower = '"class_size.yzjh.primary.max" = 40\n[[class_size.schedule]]\nfrom_year = 2027\nstage = "primary"\npupils = {}\n'
    assert read(tmp_path, lower.format(39)).class_size(1, year=2027) == 39
    with pytest.raises(CountyDataError, match="primary 在此之前的班额标准已是 40 人"):
        read(tmp_path, lower.format(40))


def test_all_faults_of_a_schedule_are_said_at_once(tmp_path):
    text = SCHEDULE + """
[[class_size.schedule]]
from_year = 2031
stage = "primary"
pupils = 41
[[class_size.schedule]]
from_year = "soon"
stage = "kindergarten"
pupils = 0
applies_to = "some"
doc = 7
grade = 1
[[class_size.schedule]]
stage = "junior"
pupils = true
"""  # fmt: skip
    with pytest.raises(CountyDataError, match=r"写一个小于 40 的人数(.|\n)*the nearest is") as error:
        read(tmp_path, text + '["bus.speed.other.max"]\nvalue = 70\n')
    assert [(p.key, p.column.removeprefix("class_size.schedule "), p.value) for p in error.value.problems] == [
        ("law_relaxed", "bus.speed.other.max", "70"),
        ("schedule_not_lower", "[4] pupils", "41"), ("schedule_years", "[4] from_year", "2031"),
        ("schedule_field", "[5] grade", "1"), ("schedule_value", "[5] from_year", "soon"), ("schedule_value", "[5] stage", "kindergarten"),
        ("schedule_value", "[5] pupils", "0"), ("schedule_value", "[5] applies_to", "some"), ("schedule_value", "[5] doc", "7"),
        ("schedule_value", "[6] from_year", ""), ("schedule_value", "[6] pupils", "True"),
    ]  # fmt: skip
    assert {p.file for p in error.value.problems} == {"standards.toml"}


@pytest.mark.parametrize("text", ["[class_size]\nschedule = 3\n", "[class_size.schedule]\nfrom_year = 2027\n", "[class_size]\nschedule = [1]\n"])
def test_a_schedule_is_a_list_of_tables(tmp_path, text):
    with pytest.raises(CountyDataError, match=re.escape("[[class_size.schedule]]")) as error:
        read(tmp_path, text)
    assert [p.key for p in error.value.problems] == ["schedule_not_steps"]


def test_a_schedule_comes_back_from_its_table(tmp_path):
    steps = read(tmp_path, SCHEDULE).steps
    frame = Standards({}, steps).steps_frame()
    assert frame.columns.tolist() == ["from_year", "stage", "pupils", "applies_to", "doc", "clause"]
    assert steps_of(frame) == steps
    # a GeoPackage gives empty texts back as missing and whole numbers as what they were
    assert steps_of(frame.replace("", None).astype({"pupils": float})) == steps
    assert steps_of(Standards({}).steps_frame()) == ()


def test_a_step_is_cited_like_a_rule(tmp_path):
    first, _, junior = read(tmp_path, SCHEDULE).steps
    assert (first.cite("zh"), first.unverified) == ("某县教育布局规划第四章（县级）", False)
    assert (junior.cite("zh"), junior.unverified) == ("县级标准文件 standards.toml（县级）【待核实】", True)
    assert junior.cite("en") == "the county's own standards.toml (county) [待核实 unverified]"


# bins


def test_bins_cover_every_size_once():
    bins = size_bins(read_standards())
    assert [b[0] for b in bins] == ["<=25", "26-30", "31-35", "36-40", "41-45", "46-50", "51-55", "56-60", "61-65", ">=66"]
    for size in range(1, 120):
        assert sum(low <= size and (high is None or size <= high) for _, low, high in bins) == 1


def test_a_county_may_count_in_the_seven_bins_of_2008(tmp_path):
    seven = "<=25,26-35,36-45,46-50,51-55,56-65,>=66"
    standards = read(tmp_path, f'"class_size.stat_bins" = "{seven}"\n')
    assert ",".join(label for label, _, _ in size_bins(standards)) == seven


@pytest.mark.parametrize("bins", ["<=25,27-30,>=31", "<=25,25-30,>=31", "<=25,26-30", "<=25,>=26,>=30", "26-30,>=31", "<=25,30-26,>=31", "many"])
def test_bins_that_leave_a_size_out_or_count_it_twice_are_refused(tmp_path, bins):
    with pytest.raises(CountyDataError, match="标准值无效"):
        read(tmp_path, f'"class_size.stat_bins" = "{bins}"\n')
