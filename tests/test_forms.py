"""What counties really have: official forms with merged headings, bins, ages, grades and years as columns, sums, and names for codes."""

import dataclasses

import pandas as pd
import pytest
import xlsxwriter
import xlwt

from conftest import make_paper
from layout.cells import fold
from layout.county import read_county, write_county
from layout.forms import grade_number, read_form
from layout.plan import make_plan
from layout.sheets import SHEETS
from layout.tables import CountyDataError, empty, schemas

BINS = ["每班25人以下班级个数", "每班26-30人班级个数", "每班31—35人班级个数", "36-55人", "每班56人以上班级个数"]


def sheet(title, rows):
    return read_form(title, rows, next((t for t in schemas().values() if t.zh == title), None), SHEETS, "a.xlsx")


@pytest.fixture
def folder(tmp_path):
    """The paper county without people and classes, which the tests add in forms of their own."""
    paper = make_paper()
    write_county(dataclasses.replace(paper, rosters=empty("rosters"), population=paper.population.iloc[:0]), tmp_path / "县")
    frames = pd.read_excel(tmp_path / "县" / "county.xlsx", sheet_name=None, header=None, dtype=object, engine="calamine", keep_default_na=False)
    keep = {t: f for t, f in frames.items() if t in ("村寨", "乡镇", "学校")}
    book_of(tmp_path / "县" / "county.xlsx", {t: [list(r) for r in f.itertuples(index=False)] for t, f in keep.items()})
    return tmp_path / "县"


def book_of(path, sheets):
    with xlsxwriter.Workbook(str(path)) as book:
        for title, rows in sheets.items():
            page = book.add_worksheet(title)
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    if cell != "":
                        page.write(i, j, cell)


def xls_of(path, sheets):
    book = xlwt.Workbook()
    for title, rows in sheets.items():
        page = book.add_sheet(title)
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                page.write(i, j, cell)
    book.save(str(path))


AGES = [["2025年学龄人口统计表", *[""] * 17], ["乡镇", "村（社区）", *[f"{a}周岁" for a in range(15)], "备注"]] + [
    [town, f"{v}村", *[n] * 15, ""] for town, v, n in (("甲乡", "A", 10), ("甲乡", "B", 8), ("甲乡", "C", 12), ("乙镇", "D", 20), ("乙镇", "E", 6))
] + [["合计", "", *[56] * 15, ""]]  # fmt: skip
CLASSES = [["学校标识码", "年级", "班级总数", *BINS]] + [["S1", g, 1, 0, 1, 0, 0, 0] for g in range(1, 7)] + [["S2", g, 1, 0, 1, 0, 0, 0] for g in range(1, 7)] + [
    ["S2", g, 1, 0, 0, 0, 0, 1] for g in range(7, 10)]  # fmt: skip
PUPILS = [["分年级在校生统计表", *[""] * 10], ["单位：人", *[""] * 10], ["学校名称", *[f"{g}年级" for g in "一二三四五六七八九"], "合计"],
          ["S1小学", *[30] * 6, "", "", "", 180], ["S2九年制学校", *[26] * 6, *[56] * 3, 324], ["合计", *[56] * 9, 504]]  # fmt: skip


def test_three_sheets_from_different_sources_plan_without_configuration(folder):
    """Ages from the police in .xls, classes from the statistics form as a CSV, pupils by grade in a workbook of their own."""
    xls_of(folder / "公安户籍年龄.xls", {"Sheet1": AGES})
    (folder / "基础基2.csv").write_text("\n".join(",".join(map(str, r)) for r in CLASSES), encoding="gb18030")
    book_of(folder / "在校生.xlsx", {"分年级": PUPILS})
    county = read_county(folder)
    paper = make_paper()
    assert (
        county.population[["settlement_id", "age", "persons"]].values.tolist()
        == paper.population[["settlement_id", "age", "persons"]].values.tolist()
    )
    assert county.rosters.values.tolist() == paper.rosters.values.tolist()
    said = {key for key, _ in county.notes}
    assert {"note.joined_by_name", "note.sheet_taken", "note.rosters_binned"} <= said
    assert {"公安户籍年龄.xls", "基础基2.csv", "在校生.xlsx"} <= set(county.inputs)
    plan = make_plan(county, to=2026)
    assert plan.summary["pupils"].tolist() == make_plan(paper, to=2026).summary["pupils"].tolist()


def test_bins_of_any_form():
    forms, problems = sheet("表", [["学校标识码", "年级", "班级总数", "学生数", *BINS], ["S1", "一年级", 2, 70, 0, 0, 1, 1, 0]])
    assert problems == [] and [f.table for f in forms] == ["class_bins", "class_totals"]
    assert forms[0].rows == (
        ("S1", "1", "0", "25", "0"),
        ("S1", "1", "26", "30", "0"),
        ("S1", "1", "31", "35", "1"),
        ("S1", "1", "36", "55", "1"),
        ("S1", "1", "56", "", "0"),
    )
    assert forms[1].rows == (("S1", "1", "2", "70"),)


def test_two_rows_of_merged_headings_are_one():
    rows = [["村寨编码", "0岁", "", "1岁", "", "2岁", ""], ["", "男", "女", "男", "女", "男", "女"], ["A", 1, 2, 3, 4, 5, 6]]
    (form,), problems = sheet("人口", rows)
    assert problems == [] and form.table == "population" and form.headings == ("村寨编码", "年龄", "性别", "常住人口")
    assert form.rows == (
        ("A", "0", "男", "1"),
        ("A", "0", "女", "2"),
        ("A", "1", "男", "3"),
        ("A", "1", "女", "4"),
        ("A", "2", "男", "5"),
        ("A", "2", "女", "6"),
    )
    assert set(form.numbers) == {3}


def test_a_sum_beside_men_and_women_is_not_counted_twice():
    rows = [["村寨编码", "0岁男", "0岁女", "0岁合计", "1岁男", "1岁女", "1岁合计"], ["A", 1, 2, 3, 3, 4, 7]]
    (form,), _ = sheet("人口", rows)
    assert [r[2:] for r in form.rows] == [("男", "1"), ("女", "2"), ("男", "3"), ("女", "4")]


def test_births_by_year_and_classes_by_grade():
    (form,), _ = sheet("出生", [["乡镇编码", "2019年", "2020年出生人数", "2021"], ["T1", 5, 6, 7]])
    assert form.table == "births" and form.rows == (("T1", "2019", "5"), ("T1", "2020", "6"), ("T1", "2021", "7"))
    heads = ["学校标识码", "一年级", "", "二年级", ""]
    (form,), _ = sheet("某表", [heads, ["", "班数", "学生数", "班数", "学生数"], ["S1", 1, 30, 2, 70]])
    assert form.table == "class_totals" and form.rows == (("S1", "1", "1", "30"), ("S1", "2", "2", "70"))
    (form,), _ = sheet("历年在校生", [["学校标识码", "年份", "一年级", "二年级", "三年级"], ["S1", 2020, 1, 2, 3]])
    assert form.table == "history" and form.rows[2] == ("S1", "2020", "3", "3")


def test_sums_are_checked_and_left_out():
    rows = [["乡镇编码", "年份", "出生人数"], ["T1", 2020, 5], ["T2", 2020, 6], ["合计", "", 12]]
    (form,), problems = sheet("出生", rows)
    assert len(form.rows) == 2
    assert [(p.key, p.row, p.column, p.fields["sum"], p.fields["given"]) for p in problems] == [("sum_differs", 4, "出生人数", "11", "12")]
    rows[3][2] = 11
    assert sheet("出生", rows)[1] == []


def test_subtotals_are_of_the_rows_since_the_last():
    rows = [["乡镇编码", "年份", "出生人数"], ["T1", 2020, 5], ["小计", "", 5], ["T2", 2020, 6], ["小计", "", 6], ["合计", "", 11]]
    (form,), problems = sheet("出生", rows)
    assert problems == [] and [r[0] for r in form.rows] == ["T1", "T2"]


def test_units_and_stars_in_headings_and_a_title_above():
    (form,), _ = sheet(
        "学校", [["附表1"], ["学校标识码★", "学校名称", "乡镇编码", "教室数（间）", "经度", "纬度"], ["S1", "甲小学", "T1", 6, 107, 26]]
    )
    assert form.numbers == (3,) and form.head == 2 and fold(form.headings[3]) == "教室数"


def test_names_near_each_other_are_asked_about(folder):
    book_of(folder / "a.xlsx", {"人口": AGES[1:-1]})
    rows = [list(r) for r in PUPILS]
    rows[3][0] = "S1完小"
    book_of(folder / "b.xlsx", {"学生": rows})
    (folder / "c.csv").write_text("\n".join(",".join(map(str, r)) for r in CLASSES), encoding="utf-8")
    rows[3][0] = "S1 小 学"
    book_of(folder / "b.xlsx", {"学生": rows})
    assert len(read_county(folder).rosters) == 15, "spaces do not matter"
    rows[3][0] = "S1完小"
    book_of(folder / "b.xlsx", {"学生": rows})
    with pytest.raises(CountyDataError, match="相近的有：S1小学 S1") as caught:
        read_county(folder)
    assert [p.key for p in caught.value.problems] == ["name_unknown"], "asked about once, and accused of nothing else"


def test_two_villages_of_one_name_need_their_township(folder):
    frames = pd.read_excel(folder / "county.xlsx", sheet_name=None, header=None, dtype=object, engine="calamine", keep_default_na=False)
    sheets = {t: [list(r) for r in f.itertuples(index=False)] for t, f in frames.items()}
    at = sheets["村寨"][0].index("村寨名称")
    for row in sheets["村寨"][1:]:
        if row[at] in ("A村", "D村"):
            row[at] = "新寨"
    book_of(folder / "county.xlsx", sheets)
    named = [[c if c not in ("A村", "D村") else "新寨" for c in r] for r in AGES[1:-1]]
    book_of(folder / "a.xlsx", {"人口": named})
    county = read_county(folder)
    assert county.population.groupby("settlement_id")["persons"].sum().to_dict() == {"A": 150.0, "B": 120.0, "C": 180.0, "D": 300.0, "E": 90.0}
    book_of(folder / "a.xlsx", {"人口": [r[1:] for r in named]})
    with pytest.raises(CountyDataError, match="有几个同名的"):
        read_county(folder)


def test_sheets_of_several_offices_are_put_together_and_faults_keep_their_place(folder):
    book_of(folder / "a.xlsx", {"甲乡": [AGES[1], *AGES[2:5]]})
    other = [AGES[1], *[list(r) for r in AGES[5:7]]]
    other[2][4] = "十二"
    book_of(folder / "b.xlsx", {"乙镇": other})
    with pytest.raises(CountyDataError, match="应为数字") as caught:
        read_county(folder)
    assert [(p.key, p.file, p.sheet, p.row) for p in caught.value.problems] == [("not_a_number", "b.xlsx", "乙镇", 3)]
    other[2][4] = 6
    book_of(folder / "b.xlsx", {"乙镇": other})
    assert read_county(folder).population["persons"].sum() == 840


def test_a_copy_of_a_sheet_is_left_unread_and_said(folder):
    book_of(folder / "a.xlsx", {"人口": AGES[1:-1], "人口（旧）": AGES[1:-1]})
    county = read_county(folder)
    assert county.population["persons"].sum() == 840 and "note.sheet_same" in {key for key, _ in county.notes}


def test_a_school_of_two_stages_may_have_two_rows(folder):
    frames = pd.read_excel(folder / "county.xlsx", sheet_name=None, header=None, dtype=object, engine="calamine", keep_default_na=False)
    sheets = {t: [list(r) for r in f.itertuples(index=False)] for t, f in frames.items()}
    head, rows = sheets["学校"][0], sheets["学校"][1:]
    primary, junior = list(rows[1]), list(rows[1])
    for row, values in (
        (primary, {"起始年级": 1, "终止年级": 6, "教室数": 5, "寄宿生数": 0}),
        (junior, {"起始年级": 7, "终止年级": 9, "教室数": 4, "寄宿生数": 10}),
    ):
        for name, value in values.items():
            row[head.index(name)] = value
    sheets["学校"] = [head, rows[0], junior, primary]
    book_of(folder / "county.xlsx", {**sheets, "人口": AGES[1:-1]})
    county = read_county(folder)
    paper = make_paper().schools
    columns = ["school_id", "kind", "first_grade", "last_grade", "rooms", "beds", "boarders"]
    assert county.schools[columns].values.tolist() == paper[columns].values.tolist()
    assert "note.two_rows" in {key for key, _ in county.notes}
    junior[head.index("起始年级")] = 6
    book_of(folder / "county.xlsx", {**sheets, "人口": AGES[1:-1]})
    with pytest.raises(CountyDataError, match="编码重复"):
        read_county(folder)


def test_pupils_by_grade_without_classes_are_asked_about(folder):
    book_of(folder / "a.xlsx", {"人口": AGES[1:-1], "学生": PUPILS})
    with pytest.raises(CountyDataError, match="没有各年级的班数"):
        read_county(folder)


def test_relocation_lists_by_name(folder):
    rows = [["安置点名称", "迁出村", "入住年份", "安置户数", "安置人数"], ["D村", "A村", 2027, 10, 42], ["合计", "", "", 10, 42]]
    book_of(folder / "a.xlsx", {"人口": AGES[1:-1], "搬迁花名册汇总": rows})
    county = read_county(folder)
    assert county.moves[["from_id", "to_id", "year", "households", "persons"]].values.tolist() == [["A", "D", 2027, 10, 42]]


def test_a_register_is_refused_under_a_title_too(folder):
    book_of(folder / "a.xlsx", {"班级": [["某校学籍"], ["学校标识码", "年级", "班号", "学生姓名", "身份证号"], ["S1", 1, 1, "甲", "1"]]})
    with pytest.raises(CountyDataError, match="学生"):
        read_county(folder)


@pytest.mark.parametrize(("text", "grade"), [("一年级", 1), ("小学六年级", 6), ("九年级学生数", 9), ("3年级", 3), ("年级", None), ("十年级", None)])
def test_grades_of_headings(text, grade):
    assert grade_number(text) == grade
