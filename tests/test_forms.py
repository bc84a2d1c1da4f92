"""What counties really have: official forms with merged headings, bins, ages, grades and years as columns, sums, and names for codes."""

import dataclasses

import openpyxl
import pandas as pd
import pytest
import xlsxwriter
import xlwt

from conftest import make_paper
from layout.cells import fold
from layout.county import inspect_county, read_county, write_county, write_template
from layout.forms import grade_number, read_form
from layout.plan import make_plan
from layout.roads import write_roads
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


def typed_by_hand(folder, change=None):
    """Fill the template as a clerk does, in openpyxl: two sheets of it, and three sheets that other offices sent, with their own headings."""
    paper = make_paper()
    write_template(folder)
    (folder / "county.toml").write_text('format = 1\nname = "纸上县"\ncode = "520000"\nbase_year = 2025\nbase_date = 2025-08-31\n', encoding="utf-8")
    write_roads(paper.roads, folder / "roads.gpkg")
    book = openpyxl.load_workbook(folder / "county.xlsx")
    towns, in_town = {"T1": "522701101", "T2": "522701102"}, {"T1": "甲乡", "T2": "乙镇"}
    homes, at = paper.settlements, paper.settlements.to_crs(4326).geometry
    kinds = ["行政村", "行政村", "行政村", "县城", "行政村"]
    for i, (name, town, kind, point) in enumerate(zip(homes["name"], homes["township_id"], kinds, at, strict=True)):
        for j, cell in enumerate([f"52270110120{i + 1}", name, towns[town], kind, None, point.x, point.y], start=1):
            # the example row of the template stays where it is
            book["村寨"].cell(i + 3, j, cell)
    for i, row in enumerate([["522701101", "甲乡", "否"], ["522701102", "乙镇", "是"]]):
        for j, cell in enumerate(row, start=1):
            book["乡镇"].cell(i + 3, j, cell)
    s1, s2 = paper.schools.to_crs(4326).geometry
    page = book.create_sheet("学校（机构）基本情况")
    for row in (
        ["2025—2026学年初学校（机构）基本情况"], ["单位：人、间、张"],
        ["学校（机构）标识码", "学校（机构）名称", "所属乡镇", "学校（机构）办学类型", "学校（机构）驻地城乡类型", "办别", "教室数（间）",
         "床位数（张）", "寄宿生数", "可增教室数", "经度", "纬度"],
        ["2152000001", "S1小学", "甲乡", "小学", "乡村", "教育部门和集体办", 6, 0, 0, 4, s1.x, s1.y],
        ["2152000002", "S2九年制学校", "乙镇", "九年一贯制学校", "镇区", "教育部门和集体办", 9, 20, 10, 9, s2.x, s2.y],
        ["合计", "", "", "", "", "", 15, 20, 10, 13],
    ):  # fmt: skip
        page.append(row)
    # no codes here, and names as another office writes them
    page = book.create_sheet("班额情况（基层表）")
    page.append(["学校名称", "年级", "在校生数", "班级总数", *BINS])
    for grade in range(1, 7):
        page.append([" S1 小学 ", f"{'一二三四五六'[grade - 1]}年级", 30, 1, 0, 1, 0, 0, 0])
    for grade in range(1, 10):
        page.append(["Ｓ２九年制学校", f"{'一二三四五六七八九'[grade - 1]}年级", 26 if grade < 7 else 56, 1, 0, int(grade < 7), 0, 0, int(grade > 6)])
    page = book.create_sheet("2025年学龄人口")
    page.append(["乡镇", "村（社区）", *[f"{age}岁" for age in range(15)]])
    counts = paper.population.drop_duplicates("settlement_id").set_index("settlement_id")["persons"]
    for village, name, town in zip(homes["settlement_id"], homes["name"], homes["township_id"], strict=True):
        page.append([in_town[town], name, *[int(counts[village])] * 15])
    if change is not None:
        change(book)
    book.save(folder / "county.xlsx")
    return folder


def test_a_workbook_typed_by_hand_from_three_sources_plans_without_configuration(tmp_path):
    county, paper = read_county(typed_by_hand(tmp_path / "县")), make_paper()
    assert county.schools["school_id"].tolist() == ["2152000001", "2152000002"] and len(county.settlements) == 5 and len(county.townships) == 2
    columns = ["name", "kind", "urban_rural", "owner", "status", "first_grade", "last_grade", "rooms", "beds", "boarders", "expandable_rooms"]
    assert county.schools[columns].values.tolist() == paper.schools[columns].values.tolist()
    ids = dict(zip(paper.schools["school_id"], county.schools["school_id"], strict=True))
    assert county.rosters.values.tolist() == paper.rosters.assign(school_id=paper.rosters["school_id"].map(ids)).values.tolist()
    said = dict(county.notes)
    assert (
        "状态、起始年级、终止年级" in said["note.schools_derived"]["columns"] and "note.joined_by_name" in said and "note.example_unread" not in said
    )
    one, other = make_plan(county, to=2026), make_plan(paper, to=2026)
    assert one.summary.equals(other.summary) and one.proposals["action"].tolist() == other.proposals["action"].tolist()


def test_grades_that_a_form_does_not_give_are_those_of_the_classes_else_of_the_kind(tmp_path):
    def change(book):
        page = book["学校（机构）基本情况"]
        page["D4"] = "教学点"
        for row in list(book["班额情况（基层表）"].iter_rows(min_row=2, max_row=7))[4:]:
            for cell in row:
                cell.value = None

    county = read_county(typed_by_hand(tmp_path / "县", change))
    assert county.schools[["kind", "first_grade", "last_grade"]].values.tolist() == [["teaching_point", 1, 4], ["nine_year", 1, 9]]

    def without_classes(book):
        change(book)
        del book["班额情况（基层表）"]

    # nobody knows which grades a teaching point without classes has: asked, not guessed
    with pytest.raises(CountyDataError) as error:
        read_county(typed_by_hand(tmp_path / "另一县", without_classes))
    assert {(p.column, p.sheet) for p in error.value.problems} == {("起始年级", "学校（机构）基本情况"), ("终止年级", "学校（机构）基本情况")}


def test_a_campus_with_a_row_for_each_stage_is_one_school_without_grades_too(tmp_path):
    def change(book):
        page = book["学校（机构）基本情况"]
        for cell, value in {"D5": "小学", "G5": 5, "J5": 5, "I5": 0}.items():
            page[cell] = value
        page.insert_rows(6)
        for j, cell in enumerate([c.value for c in page[5]], start=1):
            page.cell(6, j, cell)
        for cell, value in {"D6": "初级中学", "G6": 4, "J6": 4, "I6": 10}.items():
            page[cell] = value
        # the sums are of the rows above
        page["H7"] = 40

    county = read_county(typed_by_hand(tmp_path / "县", change))
    columns = ["kind", "first_grade", "last_grade", "rooms", "beds", "boarders", "expandable_rooms"]
    assert county.schools[columns].values.tolist()[1] == ["nine_year", 1, 9, 9, 20, 10, 9] and "note.two_rows" in dict(county.notes)


def test_example_rows_of_the_template_are_never_data(tmp_path):
    kept = read_county(typed_by_hand(tmp_path / "留"))

    def delete(book):
        for title in ("村寨", "乡镇"):
            book[title].delete_rows(2)

    gone = read_county(typed_by_hand(tmp_path / "删", delete))
    for name in SHEETS:
        one, other = getattr(kept, name), getattr(gone, name)
        assert one.equals(other) and not one.astype("str").apply(lambda c: c.str.contains("示例")).to_numpy().any(), name

    def overwrite(book):
        book["村寨"]["B2"] = "真寨"

    # somebody wrote over the example and left its mark: unread, but told
    county = read_county(typed_by_hand(tmp_path / "改", overwrite))
    notes = [fields for key, fields in county.notes if key == "note.example_unread"]
    assert [(n["sheet"], n["rows"]) for n in notes] == [("村寨", "2")] and "真寨" not in set(county.settlements["name"])

    def unmark(book):
        book["村寨"]["A2"] = "522701101209"
        book["村寨"]["F2"], book["村寨"]["G2"] = 108.02, 26.66

    assert "示例村" in set(read_county(typed_by_hand(tmp_path / "真", unmark)).settlements["name"]), "without its mark it is a row like others"


def test_every_example_row_would_be_sound_data(tmp_path):
    """Without their marks, the example rows of all sheets together have no fault but codes that no other sheet has."""
    write_template(tmp_path / "县")
    book = openpyxl.load_workbook(tmp_path / "县" / "county.xlsx")
    for name in SHEETS:
        page = book[schemas()[name].zh]
        assert str(page["A2"].value).startswith("【示例】") and page["A2"].comment is not None and page["A2"].font.italic, name
        value = str(page["A2"].value).removeprefix("【示例】")
        page["A2"] = int(value) if schemas()[name].columns[next(iter(schemas()[name].columns))].dtype == "int" else value
    book.save(tmp_path / "县" / "county.xlsx")
    (tmp_path / "县" / "county.toml").write_text('format = 1\nname = "县"\nbase_year = 2025\n', encoding="utf-8")
    _, problems, sheets = inspect_county(tmp_path / "县")
    assert {n: len(sheets[n].frame) for n in SHEETS} == dict.fromkeys(SHEETS, 1)
    assert {p.key for p in problems} <= {"unknown_id", "shares_not_one", "rosters_differ"}, [(p.key, p.sheet, p.column, p.value) for p in problems]


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
