"""The workbook: every sheet read back, texts that stay texts, the same bytes twice, and a public edition that keeps its secrets."""

import dataclasses
import math
import re
import stat
import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from scipy.optimize import linprog

from conftest import CRS, VILLAGES, at, make_paper
from layout.plan import Outcome, Plan, make_plan
from layout.privacy import hidden_counts, hide, published_counts, round_people
from layout.sample import make_sample_county
from layout.standards import read_standards
from layout.tables import band_of, check, empty
from layout.workbook import summary_sentence, write_workbook

SHEETS = [
    "说明",
    "乡镇",
    "学生预测",
    "学校现状",
    "班额",
    "超时村寨",
    "布局建议",
    "应留学校",
    "安置点",
    "上学时间",
    "敏感性",
    "校车",
    "依据",
    "数据来源",
]
BASE, LAST = 2025, 2035
# children of each grade: the paper county's in 2025, fewer in A and E in 2035
EACH = {BASE: {v: n for v, (_, n) in VILLAGES.items()}, LAST: {"A": 3, "B": 8, "C": 12, "D": 20, "E": 2}}
_OF = {"level": "township", "area_id": "T1", "group": "all", "low": 250.4, "middle": 270.0, "high": 290.0, "registered": 300.0, "noise": False}
FORECAST = [
    {**_OF, "year": BASE, "pupils": 270.0}, {**_OF, "year": LAST, "pupils": 7.2, "low": 3.0, "middle": 7.0, "high": 12.0, "noise": True},
    {**_OF, "level": "county", "area_id": "", "year": BASE, "pupils": 504.0}, {**_OF, "level": "settlement", "area_id": "A", "year": BASE, "pupils": 90.0},
    {**_OF, "year": BASE, "group": "1", "pupils": 30.0},
]  # fmt: skip
SITE_PUPILS = [{"settlement_id": "D", "year": LAST, "stage": "primary", "persons": 1500.0, "pupils": 120.0, "per_thousand": 80.0, "prior_low": 85.0,
                "prior_high": 110.0, "difference": -7.5}]  # fmt: skip
STATUSES = ["served", "beyond_limit", "no_seat", "no_bed", "no_route", "away"]


def row_of(view, year, village, grade):
    """Who goes where: S1 teaches grades 1-6, S2 all; E's small children are 37 minutes from S2, beyond 30; A's juniors find no bed."""
    pupils = EACH[year][village]
    school, mode, status, minutes = ("S1", "walk", "served", 20.0) if village in "ABC" else ("S2", "walk", "served", 15.0)
    if village == "E" and grade <= 3:
        school, status, minutes = ("N1", "served", 1.0) if view == "planned" else ("S2", "beyond_limit", 37.0)
    if village in "ABC" and grade >= 7:
        school, mode, status, minutes = ("", "none", "no_bed", np.nan) if village == "A" else ("S2", "board", "served", 16.0)
    return (village, year, grade, "home", school, mode, status, pupils, minutes)


def outcome(view, years, times, school_years):
    columns = ["settlement_id", "year", "grade", "attends", "school_id", "mode", "status", "pupils", "minutes"]
    rows = [row_of(view, year, village, grade) for year in years for village in VILLAGES for grade in range(1, 10)]
    assignment = check("assignment", pd.DataFrame(rows, columns=columns))
    home = {"A": "T1", "B": "T1", "C": "T1", "D": "T2", "E": "T2"}
    table = assignment.assign(township_id=assignment["settlement_id"].map(home), band=[band_of(g) for g in assignment["grade"]], view=view)
    counts = table.pivot_table(index=["view", "township_id", "year", "band"], columns="status", values="pupils", aggfunc="sum", fill_value=0)
    counts = counts.reindex(columns=STATUSES, fill_value=0)
    headline = check("headline", counts.assign(pupils=counts.sum(axis=1)).reset_index())
    taught = assignment[assignment["school_id"] != ""].groupby(["school_id", "year", "grade"])["pupils"].sum().reset_index()
    classes = [
        (r.school_id, r.year, str(r.grade), str(r.grade), r.pupils, math.ceil(r.pupils / 50), r.pupils / math.ceil(r.pupils / 50), min(r.pupils, 56),
         int(r.pupils == 56), 0, "oversized" if r.pupils == 56 else ("small" if r.pupils <= 25 else "normal"), 45, 0, False)
        for r in taught.itertuples()
    ]  # fmt: skip
    names = ["school_id", "year", "class_group", "grades", "pupils", "classes", "class_size", "largest_class", "oversized_classes", "super_classes",
             "tier", "standard", "rooms_missing", "mixed"]  # fmt: skip
    return Outcome(view, school_years, times, assignment, check("classes", pd.DataFrame(classes, columns=names)), headline)


def hand_plan(name="S1小学"):
    """The paper county with a plan written by hand: a teaching point N1 opens at E, and A's people move to D in 2027."""
    county = make_paper()
    schools = county.schools.assign(name=[name, "S2九年制学校"])
    settlements = county.settlements.assign(kind=["village", "village", "village", "relocation", "village"])
    moves = check(
        "moves", pd.DataFrame({"from_id": ["A"], "to_id": ["D"], "year": [2027], "households": [30], "persons": [120.0], "whole_village": [False]})
    )
    assumptions = check(
        "assumptions", pd.DataFrame({"table": ["schools"], "column": ["rooms"], "rows": [2], "basis": ["assume.rooms.min"], "note": ["每校6间"]})
    )
    county = dataclasses.replace(
        county, schools=check("schools", schools), settlements=check("settlements", settlements), moves=moves, assumptions=assumptions,
        inputs={"county.xlsx": "ab" * 32}, notes=(("note.no_terrain", {}),),
    )  # fmt: skip
    times = pd.DataFrame(
        [(v, "S1" if v in "ABC" else "S2", "walk", "lower", 20.0, 21.0) for v in "ABCD"] + [("E", "S2", "walk", "lower", 37.0, 37.0)],
        columns=["from_id", "to_id", "mode", "band", "minutes", "minutes_back"],
    )
    later = pd.concat([times, pd.DataFrame([("E", "N1", "walk", "lower", 1.0, 1.0)], columns=times.columns)])
    years = pd.DataFrame(
        [("N1", LAST, "open", 1, 3, 1, 0), ("S1", LAST, "open", 1, 6, 6, 0), ("S2", LAST, "open", 1, 9, 9, 20)],
        columns=["school_id", "year", "status", "first_grade", "last_grade", "rooms", "beds"],
    )
    site = {"school_id": ["N1"], "name": ["E村教学点"], "township_id": ["T2"]}
    candidates = check("candidates", gpd.GeoDataFrame({**site, "origin": "populous_village", "flags": ""}, geometry=[at(9.0)], crs=CRS))
    opened = {**site, "kind": "teaching_point", "status": "candidate", "first_grade": 1, "last_grade": 3, "rooms": 1, "beds": 0}
    joined = pd.concat([county.schools, gpd.GeoDataFrame(opened, geometry=[at(9.0)], crs=CRS)]).fillna(
        {"urban_rural": "", "owner": "", "school_bus": False}
    )
    proposals = gpd.GeoDataFrame(
        {
            "school_id": ["N1"], "year": [LAST], "action": "open", "role": "teaching_point", "first_grade": 1, "last_grade": 3, "rooms": 1, "beds": 0,
            "cost_yuan": 1_234_567.0, "pupils": 6, "reason_zh": "E村等6名1—3年级学生到S2步行37分钟，超过30分钟",
            "reason_en": "6 pupils of grades 1-3 walk 37 minutes",
            "clauses": "travel.limit.walk.lower; law.right.nearby", "gates": "公示30日; 听证",
        },
        geometry=[at(9.0)], crs=CRS,
    )  # fmt: skip
    today, planned = (
        outcome("today", (BASE, LAST), check("times", times), empty("school_years")),
        outcome("planned", (LAST,), check("times", later), check("school_years", years)),
    )
    pupils = pd.DataFrame(
        [(v, y, g, "home", float(n)) for y, each in EACH.items() for v, n in each.items() for g in range(1, 10)],
        columns=["settlement_id", "year", "grade", "attends", "pupils"],
    )
    summary = []
    for result in (today, planned):
        for year, group in result.headline.groupby("year"):
            classes = result.classes[result.classes["year"] == year]
            row = {"view": result.view, "year": year, **group[["pupils", *STATUSES]].sum(), "lower_out_of_limit": 0, "boarders": 0}
            summary.append(row | {c: classes[c].sum() for c in ("classes", "oversized_classes", "super_classes")})
    stay = pd.DataFrame({"school_id": ["S1"], "year": [BASE], "pupils": [8], "next_minutes": [61.5]})
    about = {"name": county.name, "code": county.code, "base_year": BASE, "base_date": "2025-08-31", "crs": CRS, "roads": dict(county.roads.source),
             "terrain": None, "notes": [[key, dict(fields)] for key, fields in county.notes]}  # fmt: skip
    manifest = {
        "format": 1,
        "county": about,
        "years": [BASE, LAST],
        "inputs": dict(county.inputs),
        "solve": {"stopped_by": "optimal", "levels": [{"name": "without_place", "objective": 9.0, "bound": 9.0, "gap": 0.0, "status": "optimal"}]},
        "versions": {"layout": "0.1.0"},
    }
    return Plan(
        county=county, standards=read_standards(), years=(BASE, LAST), pupils=check("pupils", pupils), schools=check("schools", joined),
        candidates=candidates,
        rejected=empty("rejected", CRS), must_stay=check("must_stay", stay), proposals=check("proposals", proposals), today=today, planned=planned,
        summary=check("summary", pd.DataFrame(summary)), manifest=manifest, forecast=check("forecast", pd.DataFrame(FORECAST)),
        site_pupils=check("site_pupils", pd.DataFrame(SITE_PUPILS)),
    )  # fmt: skip


def sheets_of(path):
    """Read a workbook back as one frame a sheet, headings in the second row."""
    book = load_workbook(path)
    out = {}
    for sheet in book:
        rows = list(sheet.values)
        out[sheet.title] = pd.DataFrame(rows[2:], columns=rows[1])
    return out


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "plan.xlsx"
    write_workbook(hand_plan(), path)
    return path


def test_every_sheet_is_there_with_title_frozen_headings_and_filter(written):
    book = load_workbook(written)
    assert book.sheetnames == SHEETS
    for sheet in book:
        assert sheet["A1"].value == f"纸上县　{sheet.title}（内部工作用）"
        assert sheet.freeze_panes[-1] == "3" and sheet.auto_filter.ref.startswith("A2:")


def test_townships_by_hand(written):
    table = sheets_of(written)["乡镇"].set_index(["学年", "乡镇名称", "学段"])
    # T1 in 2025: A, B, C have 10 + 8 + 12 children a grade, three grades a band; A's 30 juniors find no bed
    assert table.loc[(BASE, "甲乡", "7—9年级"), ["学生数（人）", "现状·已安排（人）", "现状·无床位（人）"]].tolist() == [90, 60, 30]
    # T2: D has 60 a band, E 18, whose grades 1-3 are beyond the limit; in 2035 only 6, and N1 takes them
    assert table.loc[(BASE, "乙镇", "1—3年级"), ["现状·已安排（人）", "现状·超过时限（人）"]].tolist() == [60, 18]
    assert table.loc[(LAST, "乙镇", "1—3年级"), ["现状·超过时限（人）", "规划·超过时限（人）", "规划·已安排（人）"]].tolist() == [6, 0, 66]
    assert table.loc[(BASE, "全县", "1—3年级"), ["学生数（人）", "现状·已安排（人）"]].tolist() == [168, 150]
    assert pd.isna(table.loc[(BASE, "乙镇", "1—3年级"), "规划·已安排（人）"]), "nothing is planned in the base year"


def test_townships_add_up(written):
    table = sheets_of(written)["乡镇"]
    for scheme in ("现状", "规划"):
        parts = [c for c in table.columns if c.startswith(f"{scheme}·")]
        filled = table.dropna(subset=parts)
        assert len(parts) == 5 and (filled[parts].sum(axis=1) + filled["县外（人）"] == filled["学生数（人）"]).all()


def test_forecast_by_hand(written):
    table = sheets_of(written)["学生预测"]
    # the county and its townships by band, not by grade nor by village; whole numbers, and where they are noise
    assert table.columns.tolist() == [
        "乡镇名称", "年级组", "学年", "学生数（人）", "低值（10%）（人）", "中值（50%）（人）", "高值（90%）（人）", "户籍学生数（人）", "小数慎用"
    ]  # fmt: skip
    assert table.astype(object).where(table.notna(), None).to_numpy().tolist() == [
        ["全县", "合计", BASE, 504, 250, 270, 290, 300, None],
        ["甲乡", "合计", BASE, 270, 250, 270, 290, 300, None],
        ["甲乡", "合计", LAST, 7, 3, 7, 12, 300, "是"],
    ]
    site = sheets_of(written)["安置点"].set_index("村寨编码").loc["D"]
    assert [site[f"小学{c}"] for c in ("每千人学生数", "参照低值", "参照高值", "差额（人）")] == [80, 85, 110, -7.5]


def test_schools_and_classes_by_hand(written):
    sheets = sheets_of(written)
    schools = sheets["学校现状"].set_index("学校标识码")
    assert "教室数（间）（假定）" in schools.columns, "a column filled by assumption says so"
    # S1 in 2025: 30 children in each of six grades; S2: 26 in grades 1-6 and 26 + 20 boarders in grades 7-9
    names = [f"2025年现状·{c}" for c in ("学生数（人）", "班数（个）", "最大班额（人）", "班额档")]
    assert schools.loc["S1", names].tolist() == [180, 6, 30, "正常"]
    assert schools.loc["S2", names].tolist() == [6 * 26 + 3 * 46, 9, 46, "正常"]
    classes = sheets["班额"].set_index(["学校标识码", "班组"])
    assert classes.loc[("S2", 7), "2025年现状·学生数（人）"] == 46 and classes.loc[("N1", 1), "2035年规划·学生数（人）"] == 2
    assert pd.isna(classes.loc[("N1", 1), "2025年现状·学生数（人）"])
    rules = load_workbook(written)["班额"].conditional_formatting
    assert {r.formula[0] for area in rules for r in area.rules} == {'"小班"', '"偏大"', '"大班额"', '"超大班额"'}


def test_villages_proposals_sites_and_must_stay_by_hand(written):
    sheets = sheets_of(written)
    villages = sheets["超时村寨"]
    juniors = villages[villages["村寨名称"] == "A村"]
    assert juniors[["方案", "学年", "学段", "状态", "学生数（人）"]].values.tolist() == [
        ["现状", BASE, "7—9年级", "无床位", 30], ["现状", LAST, "7—9年级", "无床位", 9], ["规划", LAST, "7—9年级", "无床位", 9]
    ]  # fmt: skip
    assert juniors["最长单程时间（分钟）"].isna().all()
    found = villages[villages["村寨名称"] == "E村"]
    assert found[["方案", "学年", "学生数（人）", "最长单程时间（分钟）", "安排的学校"]].values.tolist() == [
        ["现状", BASE, 18, 37, "S2九年制学校"], ["现状", LAST, 6, 37, "S2九年制学校"]
    ]  # fmt: skip
    proposal = sheets["布局建议"].iloc[0]
    assert proposal[["学校名称", "措施", "办学类型", "估算投资（元）", "服务学生（人）"]].tolist() == ["E村教学点", "新建", "教学点", 1_234_567, 6]
    assert "国办发〔2018〕27号" in proposal["依据"] and "义务教育法" in proposal["依据"] and proposal["前置程序"] == "公示30日\n听证"
    site = sheets["安置点"].iloc[0]
    assert site[["村寨名称", "户数", "人数", "2025 学生数（人）", "2035 学生数（人）", "规划·到最近小学（分钟）"]].tolist() == [
        "D村",
        30,
        120,
        180,
        180,
        21,
    ]
    assert sheets["应留学校"].iloc[0].tolist() == ["S1", "S1小学", BASE, 8, 61.5]


def test_guide_standards_and_sources(written):
    sheets = sheets_of(written)
    guide = sheets["说明"].groupby("项目")["内容"].apply(list)
    assert guide["求解"] == ["没有着落的学生（人）：9；已证明不可能低于 9，差距 0（已达到要求的精度）", "已达到要求的精度"]
    assert guide["假定"] == ["“学校”表“教室数”列有 2 行按假定填写：每校6间（依据 assume.rooms.min）"]
    assert any("按平地计算" in s for s in guide["数据说明"])
    rules = read_standards().rules
    assert len(guide["待核实的标准"]) == sum(r.verified == "U" for r in rules.values())
    standards = sheets["依据"].set_index("标准编码")
    assert list(standards.index) == sorted(rules)
    assert standards.loc["class_size.oversize.min", ["数值", "文号", "核实情况"]].tolist() == [56, "国发〔2016〕40号", "已核"]
    assert standards.loc["travel.limit.week", "核实情况"] == "待核实"
    assert ["输入文件", "county.xlsx", "ab" * 32] in sheets["数据来源"].values.tolist()


def test_summary_in_words():
    # nobody beyond the limit once N1 is open; 9 juniors of A still find no bed
    expected = "超过上学时限的学生 2025年 18 人，2035年不作为 6 人、规划后 0 人；另有无处就学的学生 2025年 30 人，2035年不作为 9 人、规划后 9 人"
    assert expected in summary_sentence(hand_plan())
    assert "beyond the limit on the way to school 18 in 2025, 6 in 2035" in summary_sentence(hand_plan(), lang="en")


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x","y")', "+1+1", "-5", "@SUM(A1)", "http://a.b", "00123", "{=1}", "a\tb"])
def test_names_never_become_formulas_numbers_or_links(tmp_path, name):
    path = tmp_path / "plan.xlsx"
    write_workbook(hand_plan(name), path)
    sheet = load_workbook(path)["学校现状"]
    cell = sheet["B3"]
    assert (cell.data_type, cell.value, cell.hyperlink) == ("s", name, None)
    with zipfile.ZipFile(path) as packed:
        assert not any(b"<f>" in packed.read(n) for n in packed.namelist() if n.startswith("xl/worksheets/sheet"))


def test_two_runs_give_the_same_bytes(tmp_path, written):
    write_workbook(hand_plan(), tmp_path / "again.xlsx")
    assert (tmp_path / "again.xlsx").read_bytes() == written.read_bytes()


def test_english_edition(tmp_path):
    path = tmp_path / "plan.xlsx"
    write_workbook(hand_plan(), path, lang="en")
    sheets = sheets_of(path)
    assert list(sheets)[:4] == ["about", "townships", "forecast of pupils", "schools today"]
    assert "rooms (assumed)" in sheets["schools today"].columns
    assert sheets["proposals"].iloc[0]["action"] == "open"


def test_a_failed_write_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "plan.xlsx"
    path.write_bytes(b"earlier")
    monkeypatch.setattr("layout.workbook._write_cell", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_workbook(hand_plan(), path)
    assert path.read_bytes() == b"earlier" and [p.name for p in tmp_path.iterdir()] == ["plan.xlsx"]


def test_the_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "other").write_text("x", encoding="utf-8")
    write_workbook(hand_plan(), tmp_path / "plan.xlsx")
    modes = {stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("other", "plan.xlsx")}
    assert len(modes) == 1


def test_unknown_audience_and_language_are_refused(tmp_path):
    with pytest.raises(ValueError, match="audience must be one of internal, public, not 'press'"):
        write_workbook(hand_plan(), tmp_path / "x.xlsx", audience="press")
    with pytest.raises(ValueError, match="lang must be one of zh, en, not 'fr'"):
        write_workbook(hand_plan(), tmp_path / "x.xlsx", lang="fr")
    assert not list(tmp_path.iterdir())


# --- the public edition


def columns_of_people(sheet):
    words = ("学生", "已安排", "超过时限", "无学位", "无床位", "无路可达", "县外", "最大班额", "平均班额", "寄宿生", "人数", "户数")
    return [c for c in sheet.columns if any(w in c for w in words)]


def test_public_edition_shows_no_small_count(tmp_path):
    write_workbook(hand_plan(), tmp_path / "plan.xlsx", audience="public")
    seen = set()
    for title, sheet in sheets_of(tmp_path / "plan.xlsx").items():
        for column in columns_of_people(sheet) if title not in ("说明", "依据", "数据来源") else []:
            for value in sheet[column].dropna():
                assert isinstance(value, str) or value == 0 or value >= 10, (title, column, value)
                seen.add(value if isinstance(value, str) else "number")
    assert {"<10", "*", "number"} <= seen
    sheets = sheets_of(tmp_path / "plan.xlsx")
    assert "公开版" in load_workbook(tmp_path / "plan.xlsx")["乡镇"]["A1"].value
    assert "<10名1—3年级学生到S2步行37分钟，超过30分钟" in sheets["布局建议"].iloc[0]["理由"]
    guide = sheets["说明"].groupby("项目")["内容"].apply(list)
    assert guide["求解"] == ["已达到要求的精度"], "levels count children"
    # the forecast of the county alone, without ratios that would give a site's pupils away
    assert sheets["学生预测"]["乡镇名称"].unique().tolist() == ["全县"] and not any("每千人" in c for c in sheets["安置点"])


def test_notes_on_single_places_stay_inside(tmp_path):
    plan = hand_plan()
    fields = {"year": 2026, "sites": 1, "below": 1, "above": 0, "short": "7", "over": "0", "low": "80", "high": "110"}
    county = dataclasses.replace(plan.county, notes=(*plan.county.notes, ("population.note.sites_primary", fields)))
    for audience, there in (("internal", True), ("public", False)):
        write_workbook(dataclasses.replace(plan, county=county), tmp_path / "plan.xlsx", audience=audience)
        text = " ".join(str(v) for sheet in load_workbook(tmp_path / "plan.xlsx") for row in sheet.values for v in row)
        assert ("共少 7 人" in text) is there


def test_public_edition_hides_a_few_beds_and_what_they_cost(tmp_path):
    plan = hand_plan()
    plan = dataclasses.replace(plan, proposals=plan.proposals.assign(beds=7))
    write_workbook(plan, tmp_path / "plan.xlsx", audience="public")
    assert sheets_of(tmp_path / "plan.xlsx")["布局建议"].iloc[0][["新增床位（张）", "估算投资（元）"]].tolist() == ["<10", "*"]


def test_hidden_values_are_nowhere_in_the_file(tmp_path):
    # with a threshold of 1000 every count of children below is hidden; 5573 and 613 could not be there by chance
    plan = hand_plan()
    rule = dataclasses.replace(plan.standards.rules["privacy.small_count"], value=1000.0)
    plan = dataclasses.replace(plan, standards=dataclasses.replace(plan.standards, rules={**plan.standards.rules, "privacy.small_count": rule}))
    schools, proposals, stay = plan.county.schools.assign(boarders=[613, 5573]), plan.proposals.assign(pupils=613), plan.must_stay.assign(pupils=613)
    moves = plan.county.moves.assign(persons=613.0, households=613)
    county = dataclasses.replace(plan.county, schools=schools, moves=moves)
    classes = plan.today.classes.assign(pupils=613, largest_class=613, class_size=613.0)
    villages = plan.today.assignment.assign(pupils=613)
    today = dataclasses.replace(plan.today, classes=classes, assignment=villages)
    plan = dataclasses.replace(plan, county=county, proposals=proposals, must_stay=stay, today=today)
    for audience, there in (("internal", True), ("public", False)):
        write_workbook(plan, tmp_path / "plan.xlsx", audience=audience)
        with zipfile.ZipFile(tmp_path / "plan.xlsx") as packed:
            # a cell of text holds the number of its text, which counts nobody
            text = re.sub(rb'<c [^>]*t="s"[^>]*><v>[0-9]+</v></c>', b"", b"".join(packed.read(n) for n in sorted(packed.namelist())))
        assert (b">613<" in text) is there
        assert b">5573<" in text, "a large count is shown"


def interval(target, counts, lines, marks, least):
    """Work out by linear programming all that a reader can know about a hidden count from every line together."""
    hidden = sorted(marks, key=str)
    place = {cell: i for i, cell in enumerate(hidden)}
    left, right = [], []
    for line in lines:
        coefficients, constant = np.zeros(len(hidden)), 0.0
        for sign, cell in line:
            if cell in place:
                coefficients[place[cell]] += sign
            else:
                constant += sign * counts[cell]
        if coefficients.any():
            left.append(coefficients)
            right.append(-constant)
    # the public map shows the other hidden counts rounded to tens
    tens = {c: round(counts[c], -1) for c in hidden}
    bounds = [(1, least - 1) if marks[c] != "*" else (max(least, tens[c] - 5), tens[c] + 5) for c in hidden]
    ends = []
    for sign in (1, -1):
        goal = np.zeros(len(hidden))
        goal[place[target]] = sign
        solved = linprog(goal, A_eq=np.array(left) if left else None, b_eq=right or None, bounds=bounds)
        ends.append(sign * solved.fun if solved.status == 0 else np.inf)
    return ends


def test_nobody_can_work_out_a_small_count_of_the_plan():
    plan = hand_plan()
    counts, lines = published_counts(plan)
    marks = hidden_counts(plan)
    small = [c for c in counts if 0 < counts[c] < 10]
    assert len(small) > 10 and all(marks[c] == "<10" for c in small)
    assert len(lines) > 20 and all(sum(s * counts[c] for s, c in line) == 0 for line in lines)
    for cell in small:
        low, high = interval(cell, counts, lines, marks, 10)
        assert high - low >= 1, cell


@pytest.mark.slow
def test_nobody_can_work_out_a_small_count_of_a_sample_county():
    plan = make_plan(make_sample_county(seed=0, settlements=60))
    counts, lines = published_counts(plan)
    marks = hidden_counts(plan)
    small = [c for c in counts if 0 < counts[c] < 10]
    assert len(small) > 50
    for cell in small:
        low, high = interval(cell, counts, lines, marks, 10)
        assert high - low >= 2 - 1e-6, cell


def test_without_the_second_step_they_could():
    # the check above can fail: with only the small counts hidden, the 3 is 60 - 17 - 40
    counts = {("a",): 3, ("b",): 17, ("c",): 40, ("all",): 60}
    line = [(1, ("all",)), (-1, ("a",)), (-1, ("b",)), (-1, ("c",))]
    assert interval(("a",), counts, [line], {("a",): "<10"}, 10) == [3, 3]
    assert hide(counts, [line], least=10) == {("a",): "<10", ("b",): "*"}


def test_a_neighbour_just_above_the_threshold_is_not_enough():
    # 10 and 1 of 11: "at least 10" and "at least 1" leave no choice, so the total goes too: 10 and 1 to 4 of 10 to 15
    counts = {("a",): 1, ("b",): 10, ("all",): 11}
    assert sorted(hide(counts, [[(1, ("all",)), (-1, ("a",)), (-1, ("b",))]], least=10)) == [("a",), ("all",), ("b",)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), min_size=3, max_size=4), min_size=2, max_size=4).filter(lambda t: len({len(r) for r in t}) == 1))
def test_tables_with_both_margins_keep_their_small_counts(table):
    rows, columns = len(table), len(table[0])
    counts = {("c", i, j): table[i][j] for i in range(rows) for j in range(columns)}
    counts |= {("r", i): sum(table[i]) for i in range(rows)} | {("k", j): sum(r[j] for r in table) for j in range(columns)}
    lines = [[(1, ("r", i)), *((-1, ("c", i, j)) for j in range(columns))] for i in range(rows)]
    lines += [[(1, ("k", j)), *((-1, ("c", i, j)) for i in range(rows))] for j in range(columns)]
    marks = hide(counts, lines, least=10)
    assert {c for c, m in marks.items() if m == "<10"} == {c for c, n in counts.items() if 0 < n < 10}
    for cell in (c for c, m in marks.items() if m == "<10"):
        low, high = interval(cell, counts, lines, marks, 10)
        # what nothing could hide is a table that has no more cells to hide
        assert high - low >= 1 or all(n == 0 or c in marks for c, n in counts.items())


@pytest.mark.parametrize(
    ("sentence", "rounded"),
    [
        ("有 7 名学生超时，扩建6间教室", "有 <10 名学生超时，扩建6间教室"),
        ("43名学生，其中1,234人寄宿，床位 43 张，3个村寨", "≈40名学生，其中≈1230人寄宿，床位 ≈40 张，3个村寨"),
        ("第2小学43名学生，按每班45人的标准需要6间", "第2小学≈40名学生，按每班45人的标准需要6间"),
        ("43 pupils of grades 4-9, at 45 pupils a class", "≈40 pupils of grades 4-9, at 45 pupils a class"),
        ("2035年投资 120.5 万元，增加0人", "2035年投资 120.5 万元，增加0人"),
        ("7 of 43 pupils of grades 1-3 walk over 30 minutes", "<10 of ≈40 pupils of grades 1-3 walk over 30 minutes"),
    ],
)
def test_numbers_of_people_in_sentences(sentence, rounded):
    assert round_people(sentence) == rounded


def test_the_public_edition_tells_reach_and_riders_in_tens(tmp_path):
    cases = [
        ("today", BASE, "lower", c, 123, n)
        for c, n in (("base", 117), ("no_bus", 114), ("slower", 4), ("faster", 120), ("brisk", 120), ("rain", 96), ("ice", 0))
    ]
    table = pd.DataFrame(cases, columns=["view", "year", "band", "case", "pupils", "within"])
    buses = pd.DataFrame(
        [("S1", BASE, 7, 54, 1, False), ("S2", BASE, 113, 54, 2, True)], columns=["school_id", "year", "riders", "seats", "buses", "enough_riders"]
    )
    plan = dataclasses.replace(hand_plan(), sensitivity=check("sensitivity", table), bus_services=check("bus_services", buses))
    for audience, expected in (("internal", [123, 117, 114, 4, 120, 120, 96, 0]), ("public", [120, 120, 110, "<10", 120, 120, 100, "<10"])):
        write_workbook(plan, tmp_path / "plan.xlsx", audience=audience)
        sheets = sheets_of(tmp_path / "plan.xlsx")
        assert sheets["敏感性"].iloc[0, 3:].tolist() == expected
        assert sheets["校车"]["乘车学生（人）"].tolist() == ([7, 113] if audience == "internal" else ["<10", 110])


def test_a_public_edition_without_anything_to_hide_is_public_all_the_same(tmp_path, monkeypatch):
    table = pd.DataFrame([("today", BASE, "lower", "base", 123, 117)], columns=["view", "year", "band", "case", "pupils", "within"])
    plan = dataclasses.replace(hand_plan(), sensitivity=check("sensitivity", table))
    monkeypatch.setattr("layout.privacy.hidden_counts", lambda plan: {})
    write_workbook(plan, tmp_path / "plan.xlsx", audience="public")
    sheets = sheets_of(tmp_path / "plan.xlsx")
    assert sheets["敏感性"].iloc[0, 3:5].tolist() == [120, 120] and "最长分钟" not in sheets["上学时间"]
    assert sheets["学生预测"]["乡镇名称"].unique().tolist() == ["全县"]
