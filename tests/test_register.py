"""A register of pupils: counted where it lies; nothing of any pupil leaves it."""

import random
import re
import zipfile

import pandas as pd
import pytest
import xlsxwriter
from typer.testing import CliRunner

from conftest import make_paper
from layout import cli
from layout.county import read_county, write_county
from layout.register import aggregate_register, grade_of
from layout.tables import CountyDataError

PAPER = make_paper()
KNOWN = {"settlements": PAPER.settlements, "townships": PAPER.townships, "schools": PAPER.schools, "code": "520000"}
HEAD = ["姓名★", "性别", "出生日期", "身份证件号", "学校（机构）标识码", "学校名称", "年级", "班级", "就读方式", "现住址", "联系电话", "监护人"]
SURNAMES, GIVEN = "赵钱孙李周吴郑王", ["子涵", "梓轩", "雨桐", "欣怡"]


def id_number(n):
    body = f"52042520150{n % 9 + 1}{n % 20 + 10:02d}{n % 1000:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    body = body[:17].ljust(17, "3")
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def pupils(n=60, seed=1):
    """Pupils with everything that must not survive; returns the rows and the true counts."""
    rng = random.Random(seed)
    rows, truth = [], {}
    for i in range(n):
        village, school = rng.choice([("A", "S1"), ("B", "S1"), ("D", "S2"), ("E", "S2")])
        grade = rng.randint(1, 6)
        town = "甲乡" if village in "AB" else "乙镇"
        name = rng.choice(SURNAMES) + rng.choice(GIVEN) + f"甲{i}"
        address = f"贵州省纸上县{town}{village}村{rng.randint(1, 9)}组{i}号"
        rows.append([name, "女" if i % 2 else "男", "20150901", id_number(i), school, f"{school}小学" if school == "S1" else "S2九年制学校",
                     f"{'一二三四五六'[grade - 1]}年级", f"{grade}({i % 2 + 1})班", "住校" if i % 5 == 0 else "走读", address, f"138{i:08d}", f"监护{i}"])  # fmt: skip
        truth[village, school, grade] = truth.get((village, school, grade), 0) + 1
    return rows, truth


def write(path, rows, head=HEAD, title_rows=0):
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("学生")
        for i in range(title_rows):
            sheet.write(i, 0, "2025年秋季学籍")
        for i, row in enumerate([head, *rows], start=title_rows):
            sheet.write_row(i, 0, row)
    return path


@pytest.mark.parametrize("title_rows", [0, 2])
def test_counts_are_those_of_the_rows(tmp_path, title_rows):
    rows, truth = pupils()
    tables, counts = aggregate_register(write(tmp_path / "r.xlsx", rows, title_rows=title_rows), **KNOWN)
    found = {(r.residence_id, r.school_id, r.grade): r.pupils for r in tables["residence"].itertuples()}
    assert found == truth and counts == {"pupils": 60, "township": 0, "outside": 0, "unplaced": 0, "boarders": 12}
    assert tables["rosters"]["pupils"].sum() == 60 and set(tables["rosters"]["class_no"]) == {1, 2}
    boards = [r for r in rows if r[8] == "住校"]
    assert tables["boarding"]["boarders"].sum() == len(boards) and tables["boarding"]["girls"].sum() == sum(r[1] == "女" for r in boards)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_csv_in_the_usual_encodings(tmp_path, encoding):
    rows, truth = pupils()
    path = tmp_path / "r.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in [HEAD, *rows]), encoding=encoding)
    tables, _ = aggregate_register(path, **KNOWN)
    assert tables["residence"]["pupils"].sum() == sum(truth.values())


def test_no_name_number_phone_address_or_birthday_survives(tmp_path):
    rows, _ = pupils(200)
    register, folder = tmp_path / "学籍.xlsx", tmp_path / "县"
    write(register, rows)
    write_county(PAPER, folder)
    result = CliRunner().invoke(cli.app, ["aggregate", str(register), "--county", str(folder), "-o", str(tmp_path / "counts.xlsx")])
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(tmp_path / "counts.xlsx") as parts:
        text = "\n".join(parts.read(n).decode("utf-8", "ignore") for n in parts.namelist()) + result.output
    for row in rows:
        for secret in (row[0], row[3], row[9], row[10], row[11], row[7]):
            assert secret not in text
    assert not re.search(r"20150901|138\d{8}|\d{17}[\dX]|组\d+号", text)
    for path in tmp_path.rglob("*"):
        assert (
            path.name in {"学籍.xlsx", "counts.xlsx", "县", "county.xlsx", "county.toml", "roads.gpkg", "boundary.geojson"}
            or path.parent.name == "县"
        )


def test_the_counts_are_of_use_to_the_county_folder(tmp_path):
    rows, truth = pupils()
    register, folder = tmp_path / "学籍.xlsx", tmp_path / "县"
    write(register, rows)
    import dataclasses

    write_county(dataclasses.replace(PAPER, rosters=PAPER.rosters.iloc[:0]), folder)
    tables, _ = aggregate_register(register, **KNOWN)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    # the sheets of the template are empty: take them out
    frames = pd.read_excel(folder / "county.xlsx", sheet_name=None, header=None, dtype=object, engine="calamine", keep_default_na=False)
    with xlsxwriter.Workbook(str(folder / "county.xlsx")) as book:
        for title, frame in frames.items():
            if title not in ("班级", "居住地就读", "寄宿情况"):
                sheet = book.add_worksheet(title)
                for i, row in enumerate(frame.itertuples(index=False)):
                    sheet.write_row(i, 0, row)
    county = read_county(folder)
    assert county.residence["pupils"].sum() == sum(truth.values()) and len(county.boarding) and county.rosters["pupils"].sum() == 60


def test_places_by_code_by_names_and_outside(tmp_path):
    head = ["学校名称", "年级", "行政区划代码", "乡镇", "村", "现住址"]
    rows = [["S1小学", "1", "A", "", "", ""], ["S1小学", "1", "522701001001", "", "", ""], ["S1小学", "1", "", "甲乡", "B村", ""],
            ["S1小学", "1", "", "甲乡", "某村", ""], ["S1小学", "1", "", "", "", "某县某处"], ["S2九年制学校", "初一", "", "", "", "乙镇D村"]]  # fmt: skip
    tables, counts = aggregate_register(write(tmp_path / "r.xlsx", rows, head), **KNOWN)
    assert tables["residence"].values.tolist() == [
        ["", "S1", 1, 1.0],
        ["A", "S1", 1, 1.0],
        ["B", "S1", 1, 1.0],
        ["D", "S2", 7, 1.0],
        ["T1", "S1", 1, 1.0],
    ]
    assert counts == {"pupils": 6, "township": 1, "outside": 1, "unplaced": 1, "boarders": 0} and "boarding" not in tables


@pytest.mark.parametrize(
    ("heading", "given", "wanted"),
    [("是否住校", ["1", "0", "是", "否", "√", ""], [True, False, True, False, True, False]),
     ("就读方式", ["1", "2", "02", "2-住校", "住校生", "1 走读", "3", "", "4-其他"], [False, True, True, True, True, False, False, False, False])],
)  # fmt: skip
def test_who_boards_is_read_by_what_the_heading_asks(tmp_path, heading, given, wanted):
    """1 means yes under 是否住校, and by day under 就读方式."""
    rows = [["S2九年制学校", "七年级", value] for value in given]
    tables, counts = aggregate_register(write(tmp_path / "r.xlsx", rows, ["学校名称", "年级", heading]), **KNOWN)
    assert counts["boarders"] == sum(wanted) and tables["boarding"]["boarders"].sum() == sum(wanted)


@pytest.mark.parametrize(("heading", "value"), [("是否住校", "2"), ("就读方式", "不详"), ("就读方式", "7")])
def test_what_tells_neither_is_refused_and_not_repeated(tmp_path, heading, value):
    rows = [["S2九年制学校", "七年级", value]]
    with pytest.raises(CountyDataError, match="是否住校") as caught:
        aggregate_register(write(tmp_path / "r.xlsx", rows, ["学校名称", "年级", heading]), **KNOWN)
    assert [p.key for p in caught.value.problems] == ["register_mode"] and "不详" not in str(caught.value)


def test_a_village_named_like_its_township_is_not_found_in_every_address(tmp_path):
    """甲乡 has the villages 甲 and 上坝: 甲乡上坝 is the second, 甲乡甲村 the first, and of 甲乡某处 only the township is known."""
    named = PAPER.settlements.assign(name=["甲", "上坝", "C村", "D村", "E村"])
    towns = PAPER.townships.assign(name=["甲乡", "乙镇"])
    rows = [["S1小学", "1", "甲乡上坝"], ["S1小学", "1", "甲乡甲村"], ["S1小学", "1", "甲乡某处"]]
    tables, counts = aggregate_register(
        write(tmp_path / "r.xlsx", rows, ["学校名称", "年级", "现住址"]), **{**KNOWN, "settlements": named, "townships": towns}
    )
    assert tables["residence"].values.tolist() == [["A", "S1", 1, 1.0], ["B", "S1", 1, 1.0], ["T1", "S1", 1, 1.0]] and counts["township"] == 1


def test_two_villages_of_one_name_count_to_the_township(tmp_path):
    twins = PAPER.settlements.assign(name=["新寨"] * 5)
    rows = [["S1小学", "1", "甲乡新寨"], ["S1小学", "1", "新寨"]]
    tables, counts = aggregate_register(write(tmp_path / "r.xlsx", rows, ["学校名称", "年级", "现住址"]), **{**KNOWN, "settlements": twins})
    assert tables["residence"].values.tolist() == [["T1", "S1", 1, 1.0]] and counts["unplaced"] == 1


def test_problems_say_no_pupil(tmp_path):
    rows, _ = pupils(5)
    rows[1][4], rows[1][5], rows[3][6], rows[4][6] = "S9", "张三丰小学", "高一", "李四"
    with pytest.raises(CountyDataError, match="1 行的学校") as caught:
        aggregate_register(write(tmp_path / "r.xlsx", rows), **KNOWN)
    assert [(p.key, p.row, p.fields["count"]) for p in caught.value.problems] == [("register_school", 3, 1), ("register_grade", 5, 2)]
    assert not any(secret in str(caught.value) for row in rows for secret in (row[0], row[3], row[9], "张三丰", "李四"))


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "姓名,身份证号\n张三,1\n"])
def test_what_is_no_register_is_said(tmp_path, content):
    path = tmp_path / "r.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CountyDataError, match="没有找到学籍的表头"):
        aggregate_register(path, **KNOWN)


def test_grades_as_people_write_them():
    assert [grade_of(t) for t in ("九年级", "初三", "三年级2班", "10", "", "0", "学前班")] == [9, 9, 3, None, None, None, None]
