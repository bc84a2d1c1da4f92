"""Broken and hostile files: no crash, no hang, nothing written outside, one list of problems."""

import contextlib
import random
import shutil
import signal
import time
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import xlsxwriter
from typer.testing import CliRunner

from conftest import make_paper
from layout import cli
from layout.check_page import write_check
from layout.checkup import check_up
from layout.county import write_county
from layout.outputs import plan_folder
from layout.tables import Problem

SECONDS = 10


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound") / "县"
    write_county(make_paper(), folder)
    return folder


# --- ways to break a folder; each returns nothing


def rows_of(folder):
    frames = pd.read_excel(folder / "county.xlsx", sheet_name=None, header=None, dtype=object, engine="calamine", keep_default_na=False)
    return {t: [list(r) for r in f.itertuples(index=False)] for t, f in frames.items()}


def put_rows(folder, sheets, name="county.xlsx"):
    with xlsxwriter.Workbook(str(folder / name), {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}) as book:
        for title, rows in sheets.items():
            page = book.add_worksheet(title)
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    if isinstance(cell, str):
                        page.write_string(i, j, cell[:32_000])
                    elif cell != "":
                        page.write(i, j, cell)


def cell(sheet, row, heading, value):
    def broken(folder):
        sheets = rows_of(folder)
        sheets[sheet][row - 1][sheets[sheet][0].index(heading)] = value
        put_rows(folder, sheets)

    return broken


def column(sheet, heading, value):
    def broken(folder):
        sheets = rows_of(folder)
        j = sheets[sheet][0].index(heading)
        for row in sheets[sheet][1:]:
            row[j] = value
        put_rows(folder, sheets)

    return broken


def raw(name, data):
    return lambda folder: (folder / name).write_bytes(data)


def text(name, words, encoding="utf-8"):
    return lambda folder: (folder / name).write_bytes(words.encode(encoding))


def toml(words):
    def broken(folder):
        path = folder / "county.toml"
        path.write_text(path.read_text(encoding="utf-8") + "\n" + words, encoding="utf-8")

    return broken


def cut(name, share):
    def broken(folder):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return broken


def scrambled(name, seed):
    def broken(folder):
        data = bytearray((folder / name).read_bytes())
        rng = random.Random(seed)
        for _ in range(200):
            data[rng.randrange(len(data))] = rng.randrange(256)
        (folder / name).write_bytes(bytes(data))

    return broken


def sheets_changed(change):
    def broken(folder):
        sheets = rows_of(folder)
        put_rows(folder, change(sheets) or sheets)

    return broken


def zipped(name, parts):
    def broken(folder):
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as z:
            for part, data in parts.items():
                z.writestr(part, data)

    return broken


def repacked(change):
    """Change the parts of the workbook's own zip."""

    def broken(folder):
        path = folder / "county.xlsx"
        with zipfile.ZipFile(path) as z:
            parts = {n: z.read(n) for n in z.namelist()}
        path.unlink()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
            for name, data in change(parts).items():
                z.writestr(name, data)

    return broken


def with_formulas(folder):
    book = openpyxl.load_workbook(folder / "county.xlsx")
    book["学校"]["B2"] = '=HYPERLINK("http://evil/","甲")'
    book["村寨"]["B2"] = "=cmd|'/c calc'!A1"
    book["村寨"]["B3"] = "=1/0"
    book.save(folder / "county.xlsx")


def date_for_a_number(folder):
    book = openpyxl.load_workbook(folder / "county.xlsx")
    page = book["学校"]
    at = [c.value for c in page[1]].index("教室数") + 1
    page.cell(2, at).value = pd.Timestamp("2025-01-06").to_pydatetime()
    book.save(folder / "county.xlsx")


def merged_headings(folder):
    book = openpyxl.load_workbook(folder / "county.xlsx")
    book["学校"].insert_rows(1)
    book["学校"]["A1"] = "学校情况"
    book["学校"].merge_cells("A1:F1")
    book.save(folder / "county.xlsx")


def twice(sheets):
    return {**sheets, "schools": sheets["学校"]}


def longer(sheet, n):
    def change(sheets):
        sheets[sheet] += [list(sheets[sheet][-1]) for _ in range(n)]

    return sheets_changed(change)


def wide(sheets):
    sheets["学校"] = [[*r, *([""] * 900 + ["x"])] for r in sheets["学校"]]


def bomb(size):
    return repacked(lambda parts: {**parts, "xl/worksheets/sheet2.xml": b"<worksheet>" + b" " * size + b"</worksheet>"})


ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d SYSTEM "file:///etc/passwd">]><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&c;&d;</t></is></c></row></sheetData></worksheet>"""
GOOD, BAD, ANY = "good", "bad", "any"
CASES = {
    # files that are none
    "empty workbook": (raw("county.xlsx", b""), BAD),
    "text as workbook": (text("county.xlsx", "学校,教室\n甲,3\n"), BAD),
    "html as workbook": (text("county.xlsx", "<html><table><tr><td>学校</td></tr></table></html>"), BAD),
    "picture as workbook": (raw("county.xlsx", b"\x89PNG\r\n\x1a\n" + bytes(200)), BAD),
    "pdf as workbook": (raw("county.xlsx", b"%PDF-1.7\n" + bytes(500)), BAD),
    "half a workbook": (cut("county.xlsx", 0.5), BAD),
    "a tenth of a workbook": (cut("county.xlsx", 0.1), BAD),
    "all but the end": (cut("county.xlsx", 0.98), BAD),
    **{f"scrambled {seed}": (scrambled("county.xlsx", seed), ANY) for seed in range(6)},
    "random bytes": (raw("county.xlsx", np.random.default_rng(0).bytes(20_000)), BAD),
    "encrypted container": (raw("county.xlsx", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(4096)), BAD),
    "a folder as workbook": (lambda folder: ((folder / "county.xlsx").unlink(), (folder / "county.xlsx").mkdir()), BAD),
    "no workbook": (lambda folder: (folder / "county.xlsx").unlink(), BAD),
    "lock file beside it": (raw("~$county.xlsx", b"user" + bytes(100)), GOOD),
    "zip without a book": (zipped("county.xlsx", {"a.txt": "x"}), BAD),
    "zip that leaves the folder": (repacked(lambda p: {**p, "../../evil.txt": b"x", "/etc/evil": b"x"}), GOOD),
    "ten thousand parts": (repacked(lambda p: {**p, **{f"x/{i}": b"" for i in range(10_500)}}), BAD),
    "xml entities": (repacked(lambda p: {**p, "xl/worksheets/sheet2.xml": ENTITIES}), ANY),
    "macros": (repacked(lambda p: {**p, "xl/vbaProject.bin": b"Sub Auto_Open()"}), GOOD),
    "external links": (
        repacked(lambda p: {**p, "xl/externalLinks/externalLink1.xml": b'<externalLink><externalBook r:id="http://evil/"/></externalLink>'}),
        GOOD,
    ),
    "broken styles": (repacked(lambda p: {**p, "xl/styles.xml": b"<styles"}), ANY),
    "no shared strings": (repacked(lambda p: {n: d for n, d in p.items() if "sharedStrings" not in n}), BAD),
    # sheets and headings
    "no sheet of schools": (sheets_changed(lambda s: {t: r for t, r in s.items() if t != "学校"}), BAD),
    "sheet without rows": (sheets_changed(lambda s: {**s, "学校": s["学校"][:1]}), BAD),
    "sheet of blanks": (sheets_changed(lambda s: {**s, "学校": [["", ""], ["", ""]]}), BAD),
    "two sheets of schools": (sheets_changed(twice), BAD),
    "headings missing": (sheets_changed(lambda s: {**s, "学校": s["学校"][1:]}), BAD),
    "a heading twice": (sheets_changed(lambda s: {**s, "学校": [[*r, r[0]] for r in s["学校"]]}), BAD),
    "merged title": (merged_headings, GOOD),
    "sheet names as paths": (sheets_changed(lambda s: {**s, "..%2f..%2fevil": [["x"]], "C：＼evil": [["x"]]}), GOOD),
    "nine hundred columns": (sheets_changed(wide), GOOD),
    "turned table": (sheets_changed(lambda s: {**s, "学校": [list(r) for r in zip(*s["学校"], strict=True)]}), BAD),
    # cells
    "formulas as names": (with_formulas, ANY),
    "mangled codes": (cell("村寨", 2, "村寨编码", "5.22E+11"), BAD),
    "mangled school codes": (column("学校", "学校标识码", "5.22423E+12"), BAD),
    "words for numbers": (cell("学校", 2, "教室数", "六间"), BAD),
    "negative": (cell("人口", 2, "常住人口", -5), BAD),
    "fractions of rooms": (cell("学校", 2, "教室数", 6.5), BAD),
    "a number too large": (cell("人口", 2, "常住人口", 1e300), ANY),
    "infinite": (cell("人口", 2, "常住人口", "inf"), BAD),
    "not a number": (cell("人口", 2, "常住人口", "NaN"), BAD),
    "excel error": (cell("人口", 2, "常住人口", "#DIV/0!"), BAD),
    "age of 300": (cell("人口", 2, "年龄", 300), ANY),
    "grade 12": (cell("班级", 2, "年级", 12), BAD),
    "unknown school": (cell("班级", 2, "学校标识码", "S9"), BAD),
    "same code twice": (cell("村寨", 2, "村寨编码", "B"), BAD),
    "same code everywhere": (column("村寨", "村寨编码", "A"), BAD),
    "no code": (cell("村寨", 2, "村寨编码", ""), BAD),
    "swapped coordinates": (lambda f: (cell("村寨", 2, "经度", 26.6)(f), cell("村寨", 2, "纬度", 107.9)(f)), BAD),
    "coordinates in metres": (lambda f: (column("村寨", "经度", 36500000.0)(f), column("村寨", "纬度", 2950000.0)(f)), BAD),
    "coordinates nowhere": (column("学校", "经度", ""), BAD),
    "coordinates at zero": (lambda f: (cell("学校", 2, "经度", 0)(f), cell("学校", 2, "纬度", 0)(f)), BAD),
    "a name of 30,000 letters": (cell("学校", 2, "学校名称", "长" * 30_000), GOOD),
    "names with symbols": (cell("学校", 2, "学校名称", '../../\\:*?"<>|\u202e\u0007𠮷🏫<script>alert(1)</script>`${x}`'), GOOD),
    "names of devices": (cell("学校", 2, "学校名称", "CON"), GOOD),
    "dates for numbers": (date_for_a_number, BAD),
    "full width digits": (cell("学校", 2, "教室数", "６"), GOOD),
    "pupils by name": (sheets_changed(lambda s: {**s, "班级": [[*s["班级"][0], "学生姓名"], *([*r, "甲"] for r in s["班级"][1:])]}), BAD),
    "an identity number": (cell("学校", 2, "学校名称", "11010519491231002X"), BAD),
    # csv
    "csv in utf-16": (text("births.csv", "乡镇编码,年份,出生人数\nT1,2020,5\n", "utf-16"), ANY),
    "csv in big5": (raw("出生.csv", "鄉鎮,年份\n".encode("big5") + b"\xff\xfe\x81"), BAD),
    "csv of nul bytes": (raw("births.csv", b"\0" * 5000), BAD),
    "csv of one line": (raw("births.csv", b"a," * 200_000), ANY),
    "csv with an open quote": (text("births.csv", '乡镇编码,年份,出生人数\nT1,2020,"5\n' + "x\n" * 50_000), ANY),
    "csv with ragged rows": (text("births.csv", "乡镇编码,年份,出生人数\nT1\nT1,2020,5,6,7\n"), BAD),
    "csv beside the same sheet": (text("学校.csv", "学校标识码,学校名称\nS1,甲\n"), BAD),
    "csv with formulas": (text("births.csv", "乡镇编码,年份,出生人数\n=cmd|'/c calc'!A1,2020,5\n"), BAD),
    "csv with a field of a million": (text("births.csv", "乡镇编码,年份,出生人数\nT1,2020," + "9" * 1_000_000 + "\n"), BAD),
    # settings
    "no settings": (lambda folder: (folder / "county.toml").unlink(), BAD),
    "settings are no toml": (text("county.toml", "name = 三都县"), BAD),
    "settings in gbk": (text("county.toml", 'name = "三都县"', "gbk"), BAD),
    "settings nested too deeply": (text("county.toml", "a = " + "[" * 20_000), BAD),
    "unknown setting": (toml("x = 1"), BAD),
    "year of nowhere": (
        lambda f: text(
            "county.toml", (f / "county.toml").read_text(encoding="utf-8").replace("base_year = 2025", "base_year = 99999999999999999999")
        )(f),
        BAD,
    ),
    "files outside": (toml('[files]\nworkbook = "../../../etc/passwd"\nroads = "/etc/hosts"'), BAD),
    "files of the network": (toml('[files]\nroads = "http://evil/x.gpkg"\nterrain = "/vsicurl/http://evil/x.tif"\nboundary = "a.vrt"'), BAD),
    "county name as a path": (
        lambda f: text("county.toml", (f / "county.toml").read_text(encoding="utf-8").replace("纸上县", "../../../evil"))(f),
        GOOD,
    ),
    "newer format": (lambda f: text("county.toml", (f / "county.toml").read_text(encoding="utf-8").replace("format = 1", "format = 9"))(f), BAD),
    "standards that do not exist": (text("standards.toml", "[travel]\nlimit = 5\n"), BAD),
    "standards are no toml": (raw("standards.toml", b"\xff\xfe\x00"), BAD),
    # layers
    "half the roads": (cut("roads.gpkg", 0.5), BAD),
    "roads are text": (text("roads.gpkg", "roads"), BAD),
    "empty roads": (raw("roads.gpkg", b""), BAD),
    "boundary is no geojson": (text("boundary.geojson", '{"type": "FeatureCollection", "features": ['), BAD),
    "boundary of points": (text("boundary.geojson", '{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[107,26]}}'), BAD),
    "boundary nested too deeply": (text("boundary.geojson", '{"type":"Feature","geometry":{"type":"Polygon","coordinates":' + "[" * 5000), BAD),
    "terrain is text": (text("terrain.tif", "terrain"), BAD),
    "terrain of nothing": (raw("terrain.tif", b"II*\0" + bytes(8)), BAD),
}


@contextlib.contextmanager
def no_longer_than(seconds):
    def late(*_):
        raise TimeoutError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.stat().st_size for p in sorted(folder.rglob("*")) if p.is_file()}


def look(here, folder):
    """Look at a folder as the command does, and check what may never happen."""
    before = tree(here)
    began = time.process_time()
    with no_longer_than(60):
        found = check_up(folder)
        paths = write_check(found, folder, here / "out")
    assert time.process_time() - began < SECONDS
    after = tree(here)
    assert {n: s for n, s in after.items() if not n.startswith("out/")} == before and sorted(after.keys() - before.keys()) == [
        "out/check.html",
        "out/check.xlsx",
    ]
    for problem in found.problems:
        assert isinstance(problem, Problem) and problem.line("zh") and problem.line("en")
        assert "Traceback" not in problem.line("en") and str(here) not in problem.line("en")
    page = paths["check.html"].read_text(encoding="utf-8")
    assert "<script" not in page and "javascript:" not in page
    openpyxl.load_workbook(paths["check.xlsx"])
    assert (found.county is None) == bool(found.problems)
    return found


def test_there_are_enough_of_them():
    assert len(CASES) >= 60


def test_the_sound_folder_is_sound(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "县")
    assert look(tmp_path, tmp_path / "县").problems == ()


@pytest.mark.parametrize("name", list(CASES))
def test_broken_and_hostile_files(sound, tmp_path, name):
    shutil.copytree(sound, tmp_path / "县")
    broken, expected = CASES[name]
    broken(tmp_path / "县")
    found = look(tmp_path, tmp_path / "县")
    assert expected == ANY or bool(found.problems) == (expected == BAD), [p.line("en") for p in found.problems][:5]


@pytest.mark.parametrize("name", ["half a workbook", "names with symbols", "files outside", "settings nested too deeply", "swapped coordinates"])
def test_the_command_says_it_without_a_traceback(sound, tmp_path, monkeypatch, name):
    shutil.copytree(sound, tmp_path / "县")
    CASES[name][0](tmp_path / "县")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.app, ["check", "县", "--lang", "en"])
    assert result.exit_code == (0 if CASES[name][1] == GOOD else 1) and "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_a_file_that_may_not_be_read_is_named(sound, tmp_path, monkeypatch):
    shutil.copytree(sound, tmp_path / "县")
    (tmp_path / "县" / "births.csv").write_text("乡镇编码,年份,出生人数\nT1,2020,5\n", encoding="utf-8")
    read = Path.read_bytes

    def locked(self):
        if self.suffix == ".csv":
            raise PermissionError(13, "Permission denied")
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", locked)
    found = look(tmp_path, tmp_path / "县")
    assert [(p.key, p.file) for p in found.problems] == [("unreadable", "births.csv")]


@pytest.mark.parametrize("name", ["../../../evil", "..", "CON", "a/b", "\x00", "长" * 500, "C:\\evil", " . "])
def test_no_name_of_a_county_leads_out_of_the_folder(tmp_path, name):
    assert plan_folder(tmp_path, name).resolve().parent == tmp_path.resolve()


def test_several_faults_make_one_list(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "县")
    for name in ("words for numbers", "negative", "files outside", "half the roads", "standards are no toml"):
        CASES[name][0](tmp_path / "县")
    keys = {p.key for p in look(tmp_path, tmp_path / "县").problems}
    assert {"not_a_number", "negative", "outside_folder"} <= keys and len(keys) >= 4


def test_a_small_bomb_is_refused_before_it_is_unpacked(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "县")
    bomb(450_000_000)(tmp_path / "县")
    assert (tmp_path / "县" / "county.xlsx").stat().st_size < 2_000_000
    began = time.process_time()
    found = look(tmp_path, tmp_path / "县")
    assert time.process_time() - began < 3 and "too_large" in {p.key for p in found.problems}


@pytest.mark.slow
def test_a_million_rows(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "县")
    with xlsxwriter.Workbook(str(tmp_path / "县" / "more.xlsx"), {"constant_memory": True}) as book:
        page = book.add_worksheet("出生")
        page.write_row(0, 0, ["乡镇编码", "年份", "出生人数"])
        for i in range(1, 1_000_000):
            page.write_row(i, 0, ["T1", i, 5])
    found = look(tmp_path, tmp_path / "县")
    assert [p.key for p in found.problems] == ["too_many_rows"]


def test_a_million_lines(sound, tmp_path):
    shutil.copytree(sound, tmp_path / "县")
    (tmp_path / "县" / "births.csv").write_bytes("乡镇编码,年份,出生人数\n".encode() + b"T1,2020,5\n" * 1_000_000)
    assert [p.key for p in look(tmp_path, tmp_path / "县").problems] == ["too_many_rows"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_workbooks_scrambled_at_random(sound, tmp_path, seed):
    shutil.copytree(sound, tmp_path / "县")
    name = ["county.xlsx", "county.toml", "roads.gpkg"][seed % 3]
    scrambled(name, 100 + seed)(tmp_path / "县")
    look(tmp_path, tmp_path / "县")
