"""The check of a county folder: scores counted by hand, a page and a workbook with the faulty cells marked, and no pupil repeated."""

import dataclasses
import re
import time

import pandas as pd
import pytest
import xlsxwriter
from openpyxl import load_workbook

from conftest import make_paper
from layout.check_page import write_check
from layout.checkup import STAGES, check_up
from layout.county import write_county
from layout.sample import make_sample_county


@pytest.fixture
def folder(tmp_path):
    write_county(make_paper(), tmp_path / "县")
    return tmp_path / "县"


def edit(folder, sheet, change):
    """Change the rows of one sheet of the workbook."""
    frames = pd.read_excel(folder / "county.xlsx", sheet_name=None, header=None, dtype=object, engine="calamine", keep_default_na=False)
    with xlsxwriter.Workbook(str(folder / "county.xlsx"), {"strings_to_formulas": False}) as book:
        for title, frame in frames.items():
            rows = [list(r) for r in frame.itertuples(index=False)]
            if title == sheet:
                rows = change(rows)
            page = book.add_worksheet(title)
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    if cell != "":
                        page.write(i, j, cell)


def put(row, heading, value):
    def change(rows):
        rows[row - 1][rows[0].index(heading)] = value
        return rows

    return change


def test_scores_of_the_paper_county_by_hand(folder):
    found = check_up(folder)
    states = dict(zip(found.items["item"], found.items["state"], strict=True))
    there = {
        "settlements",
        "population",
        "registered",
        "schools",
        "classes",
        "rosters",
        "rooms",
        "beds",
        "boarders",
        "expandable_rooms",
        "roads",
        "joined",
    }
    assert {item for item, state in states.items() if state == "there"} == there and "faulty" not in states.values()
    scores = found.scores.set_index("stage")["score"].to_dict()
    # pupils: 3 of 8; minutes: 4 of 7; classes: 4 of 7; boarding: 3 of 5; relocation: no moves; proposals: 5 of 9
    assert scores == {"pupils": 38, "minutes": 57, "classes": 57, "boarding": 60, "relocation": 0, "proposals": 56}
    assert found.scores.set_index("stage")["blocked"].to_dict()["relocation"] == "moves" and found.problems == ()
    assert set(found.items["item"]) == {i for parts in STAGES.values() for group in parts for i in group}


def test_a_fault_blocks_the_stages_that_need_the_table(folder):
    edit(folder, "人口", put(3, "常住人口", -4))
    found = check_up(folder)
    assert [p.key for p in found.problems] == ["negative"] and found.county is None
    scores = found.scores.set_index("stage")
    assert scores.loc["pupils", "score"] == 0 and scores.loc["pupils", "blocked"] == "population"


def test_without_roads_minutes_are_blocked(tmp_path):
    write_county(dataclasses.replace(make_paper(), roads=None), tmp_path / "县")
    scores = check_up(tmp_path / "县").scores.set_index("stage")
    assert scores.loc["minutes", "blocked"] == "roads" == scores.loc["proposals", "blocked"] and scores.loc["pupils", "score"] > 0


def test_faulty_cells_are_marked_and_explained(folder, tmp_path):
    edit(folder, "学校", put(2, "教室数", "六间"))
    edit(folder, "班级", put(5, "学生数", -30))
    found = check_up(folder)
    paths = write_check(found, folder, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["check.html", "check.xlsx"] == sorted(paths)
    book = load_workbook(paths["check.xlsx"])
    assert book.sheetnames == ["问题清单", "学校", "班级"]
    marked = {
        (sheet.title, cell.value): cell.comment.text
        for sheet in book for row in sheet.iter_rows() for cell in row if cell.comment is not None and cell.fill.fgColor.rgb == "FFFFC7CE"
    }  # fmt: skip
    assert set(marked) == {("学校", "六间"), ("班级", -30)} and "应为数字" in marked["学校", "六间"]
    # the first column names the row of the county's own file
    row = next(r for r in book["班级"].iter_rows() if any(c.comment for c in r))
    assert row[0].value == 5
    text = paths["check.html"].read_text(encoding="utf-8")
    assert "六间" in text and "学校" in text and "<script" not in text and "http" not in text.replace("http-equiv", "")


def test_of_a_long_sheet_only_faulty_rows_are_shown(folder, tmp_path):
    def change(rows):
        head = rows[0]
        long = [[f"Z{i}" if h == "村寨编码" else 5 if h == "年龄" else "合计" if h == "性别" else 1 for h in head] for i in range(3_100)]
        return [*rows, *long]

    edit(folder, "人口", change)
    found = check_up(folder)
    book = load_workbook(write_check(found, folder, tmp_path / "out")["check.xlsx"])
    assert book["人口"].max_row == 1 + sum(p.sheet == "人口" for p in found.problems) < 3_200


def test_a_register_in_the_folder_is_refused_and_not_repeated(folder, tmp_path):
    name, number = "欧阳测试生", "11010519491231002X"
    edit(folder, "班级", lambda rows: [[*rows[0], "学生姓名", "身份证号"], *([*r, name, number] for r in rows[1:])])
    edit(folder, "学校", put(2, "教室数", "六间"))
    found = check_up(folder)
    paths = write_check(found, folder, tmp_path / "out")
    assert {"personal", "not_a_number"} <= {p.key for p in found.problems}
    import zipfile

    with zipfile.ZipFile(paths["check.xlsx"]) as parts:
        text = "".join(parts.read(n).decode("utf-8") for n in parts.namelist()) + paths["check.html"].read_text(encoding="utf-8")
    assert name not in text and number not in text
    assert load_workbook(paths["check.xlsx"]).sheetnames == ["问题清单", "学校"]


def test_text_from_data_is_only_text(folder, tmp_path):
    nasty = '=HYPERLINK("http://x","y")<script>alert(1)</script>'
    edit(folder, "学校", put(2, "办学类型", nasty))
    found = check_up(folder)
    paths = write_check(found, folder, tmp_path / "out")
    text = paths["check.html"].read_text(encoding="utf-8")
    assert "<script>" not in text and "&lt;script&gt;" in text
    cells = [c for sheet in load_workbook(paths["check.xlsx"]) for row in sheet.iter_rows() for c in row if c.value == nasty]
    assert cells and all(c.data_type == "s" and c.hyperlink is None for c in cells)


def test_two_looks_write_the_same_bytes(folder, tmp_path):
    edit(folder, "学校", put(2, "教室数", "六间"))
    for name in ("a", "b"):
        write_check(check_up(folder), folder, tmp_path / name, lang="en")
    for file in ("check.html", "check.xlsx"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert not re.search(r"[\u4e00-\u9fff]{6}", (tmp_path / "a" / "check.html").read_text(encoding="utf-8").replace("县", ""))


@pytest.mark.slow
def test_a_county_of_1500_villages_is_looked_at_in_five_seconds(tmp_path):
    write_county(make_sample_county(settlements=1500), tmp_path / "县")
    began = time.process_time()
    found = check_up(tmp_path / "县")
    write_check(found, tmp_path / "县", tmp_path / "out")
    # five seconds on a desk of today; a crowded machine takes up to three times as long
    assert time.process_time() - began < 15 and found.problems == ()
