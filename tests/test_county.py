"""The door: a folder becomes a county, or one list of everything that is wrong with it."""

import csv
import dataclasses
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import xlsxwriter
from pandas.testing import assert_frame_equal
from shapely.geometry import box

from conftest import make_paper
from layout.coordinates import wgs84_to_gcj02
from layout.county import export_crs, read_county, write_county, write_template
from layout.sheets import SHEETS, describe, fold, is_id_number
from layout.tables import CountyDataError, check, schemas
from layout.terrain import Terrain, write_terrain


def with_ground(county):
    """The paper county on a flat plateau of 500 m, with an area where nothing may be built."""
    terrain = Terrain(np.full((40, 160), 500, "float32"), 498_000.0, 2_952_000.0, 100.0, 100.0, county.crs, ("terrain.tif",))
    danger = gpd.GeoDataFrame(
        {"exclusion_id": ["X1"], "layer": ["地质灾害危险区"], "hard": [True], "source": ["测试"]},
        geometry=[box(500_000, 2_949_000, 501_000, 2_949_500)], crs=county.crs,
    )  # fmt: skip
    return dataclasses.replace(county, terrain=terrain, exclusions=check("exclusions", danger), boundary=box(499_000, 2_949_000, 511_000, 2_951_000))


@pytest.fixture
def folder(tmp_path):
    write_county(with_ground(make_paper()), tmp_path / "县")
    return tmp_path / "县"


def sheets_of(folder):
    """Read every sheet of the workbook as rows of text and numbers."""
    frames = pd.read_excel(folder / "county.xlsx", sheet_name=None, header=None, dtype=object, engine="calamine", keep_default_na=False)
    return {title: [list(row) for row in frame.itertuples(index=False)] for title, frame in frames.items()}


def rewrite(folder, sheets):
    """Write rows back as the workbook."""
    with xlsxwriter.Workbook(str(folder / "county.xlsx")) as book:
        for title, rows in sheets.items():
            sheet = book.add_worksheet(title)
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    sheet.write(i, j, cell)


def as_csv(folder, encoding):
    """Turn the workbook into one CSV file a sheet."""
    for title, rows in sheets_of(folder).items():
        if title != "说明":
            with (folder / f"{title}.csv").open("w", encoding=encoding, newline="") as file:
                csv.writer(file).writerows(rows)
    (folder / "county.xlsx").unlink()


def assert_same_county(a, b):
    for name in (*SHEETS, "exclusions"):
        left, right = getattr(a, name), getattr(b, name)
        if "geometry" in left and len(left):
            assert left.crs == right.crs
            assert left.geometry.distance(right.geometry).max() < 0.02, "seven decimals of a degree are a centimetre"
            left, right = pd.DataFrame(left.drop(columns="geometry")), pd.DataFrame(right.drop(columns="geometry"))
        assert_frame_equal(left, right, obj=name)


def test_what_is_written_is_read_back(folder):
    county = read_county(folder)
    assert_same_county(with_ground(make_paper()), county)
    assert (county.name, county.code, county.base_year, county.crs) == ("纸上县", "520000", 2025, "EPSG:4545")
    assert_frame_equal(county.roads.nodes, make_paper().roads.nodes)
    assert county.terrain.elevation.shape == (40, 160) and (county.terrain.elevation == 500).all()
    assert county.boundary.symmetric_difference(box(499_000, 2_949_000, 511_000, 2_951_000)).area < 100
    assert sorted(county.inputs) == ["boundary.geojson", "county.toml", "county.xlsx", "exclusions.geojson", "roads.gpkg", "terrain.tif"]
    assert county.notes == ()


def test_two_writings_are_equal_byte_for_byte(tmp_path, folder):
    write_county(with_ground(make_paper()), tmp_path / "again")
    for path in sorted(folder.iterdir()):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_files_in_the_usual_encodings_read_as_the_workbook_does(folder, encoding):
    before = read_county(folder)
    as_csv(folder, encoding)
    assert_same_county(before, read_county(folder))


def test_english_headings_and_codes_are_read_too(folder):
    before = read_county(folder)
    sheets = sheets_of(folder)
    english = {}
    for title, rows in sheets.items():
        table = next((t for t in schemas().values() if t.zh == title), None)
        if table is None:
            continue
        names = {c.zh: c.en for c in table.columns.values()} | {"经度": "Longitude", "纬度": "LAT"}
        codes = {c.zh: {v: k for k, v in c.values.items()} for c in table.columns.values()}
        head = [names.get(h, h) for h in rows[0]]
        body = [[codes.get(h, {}).get(cell, cell) for h, cell in zip(rows[0], row, strict=True)] for row in rows[1:]]
        english[table.name] = [head, *body]
    rewrite(folder, english)
    assert_same_county(before, read_county(folder))


def test_coordinates_in_the_offset_of_web_maps(folder):
    before = read_county(folder)
    sheets = sheets_of(folder)
    for title in ("村寨", "学校"):
        head = sheets[title][0]
        lon, lat = head.index("经度"), head.index("纬度")
        for row in sheets[title][1:]:
            x, y = wgs84_to_gcj02(np.array([row[lon]], float), np.array([row[lat]], float))
            row[lon], row[lat] = float(x[0]), float(y[0])
    rewrite(folder, sheets)
    settings = (folder / "county.toml").read_text(encoding="utf-8")
    (folder / "county.toml").write_text(settings.replace('"wgs84"', '"gcj02"'), encoding="utf-8")
    assert_same_county(before, read_county(folder))


def test_eight_faults_at_once_make_one_list(folder):
    sheets = sheets_of(folder)
    del sheets["人口"]  # 1 a sheet is missing
    sheets["村寨"].append(list(sheets["村寨"][1]))  # 2 an id is there twice
    sheets["班级"][1][0] = "S9"  # 3 a roster of an unknown school
    head = sheets["学校"][0]
    row = sheets["学校"][1]
    lon, lat = head.index("经度"), head.index("纬度")
    row[lon], row[lat] = row[lat], row[lon]  # 4 coordinates are swapped
    sheets["班级"][2][3] = -30  # 5 pupils below zero
    sheets["班级"][3][3] = "三十"  # 6 text in a number
    rewrite(folder, sheets)
    small = Terrain(np.full((40, 20), 500, "float32"), 498_000.0, 2_952_000.0, 100.0, 100.0, "EPSG:4545", ())
    write_terrain(small, folder / "terrain.tif")  # 7 terrain that does not cover
    (folder / "standards.toml").write_text('"travel.limit.walk.uper" = 35\n', encoding="utf-8")  # 8 an unknown key
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(CountyDataError, match="数据有 8 处问题") as error:
        read_county(folder)
    found = {(p.key, p.file, p.sheet, p.row, p.column, p.value) for p in error.value.problems}
    degrees = f"{row[lon]}, {row[lat]}"
    assert found == {
        ("missing_sheet", "county.xlsx", "", None, "", ""),
        ("duplicate", "county.xlsx", "村寨", 7, "村寨编码", "A"),
        ("unknown_id", "county.xlsx", "班级", 2, "学校标识码", "S9"),
        ("swapped_coordinates", "county.xlsx", "学校", 2, "经度, 纬度", degrees),
        ("negative", "county.xlsx", "班级", 3, "学生数", "-30"),
        ("not_a_number", "county.xlsx", "班级", 4, "学生数", "三十"),
        ("terrain_not_covering", "terrain.tif", "", None, "", "B、C、D、E、S2"),
        ("unknown_standard", "standards.toml", "", None, "travel.limit.walk.uper", "35"),
    }
    for lang, words in (("zh", "经度和纬度写反了　→　对调两列的值"), ("en", "longitude and latitude are swapped -> swap the two values")):
        text = error.value.text(lang)
        assert words in text and len(text.splitlines()) == 9
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before, "nothing is written"


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (lambda s: s["学校"][1].__setitem__(s["学校"][0].index("起始年级"), 0), "not_a_grade"),
        (lambda s: s["学校"][1].__setitem__(s["学校"][0].index("终止年级"), ""), "missing_value"),
        (lambda s: s["班级"][1].__setitem__(1, 8), "grade_not_taught"),
        (lambda s: s["村寨"][1].__setitem__(s["村寨"][0].index("类型"), "城堡"), "not_in_list"),
        (lambda s: s["村寨"][1].__setitem__(s["村寨"][0].index("经度"), 120.5), "outside_county"),
        (lambda s: s["村寨"][1].__setitem__(s["村寨"][0].index("经度"), ""), "no_coordinates"),
        (lambda s: s["村寨"][1].__setitem__(s["村寨"][0].index("乡镇编码"), "T7"), "unknown_id"),
        (lambda s: s["村寨"][0].__setitem__(s["村寨"][0].index("经度"), "东"), "missing_column"),
        (lambda s: s["乡镇"][1].__setitem__(2, "也许"), "not_yes_no"),
        (lambda s: s["班级"][0].__setitem__(3, "班号"), "heading_twice"),
        (lambda s: s.update({"人口": []}), "empty_sheet"),
        (lambda s: s.update({"就读去向": [["乡镇编码", "学段", "就读地", "比例"], ["T1", "1-3年级", "本乡镇", 0.9]]}), "shares_not_one"),
        (lambda s: s["人口"][1].__setitem__(s["人口"][0].index("常住人口"), "１２人"), "not_a_number"),
    ],
)
def test_one_fault_is_named(folder, edit, key):
    sheets = sheets_of(folder)
    edit(sheets)
    rewrite(folder, sheets)
    with pytest.raises(CountyDataError, match="处问题") as error:
        read_county(folder)
    assert key in [p.key for p in error.value.problems]


def test_full_width_digits_and_thousands_are_numbers(folder):
    sheets = sheets_of(folder)
    column = sheets["人口"][0].index("常住人口")
    sheets["人口"][1][column], sheets["人口"][2][column] = "１２", "1,024"
    rewrite(folder, sheets)
    assert read_county(folder).population["persons"].tolist()[:2] == [12.0, 1024.0]


def test_codes_keep_their_leading_zeros_and_mangled_ones_are_refused(folder):
    as_csv(folder, "utf-8")
    for name in ("村寨", "人口"):
        path = folder / f"{name}.csv"
        path.write_text(path.read_text(encoding="utf-8").replace("\nA,", "\n0012,"), encoding="utf-8", newline="")
    assert "0012" in read_county(folder).settlements["settlement_id"].tolist()
    path = folder / "村寨.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("\n0012,", "\n5.22401E+11,"), encoding="utf-8", newline="")
    with pytest.raises(CountyDataError, match="科学计数"):
        read_county(folder)


@pytest.mark.parametrize("heading", ["身份证件号", "出生日期", "监护人姓名", "学籍号"])
def test_a_register_of_pupils_is_refused_whole(folder, heading):
    sheets = sheets_of(folder)
    for i, row in enumerate(sheets["班级"]):
        row.append(heading if i == 0 else f"secret-{i}")
    rewrite(folder, sheets)
    with pytest.raises(CountyDataError, match="一人一行") as error:
        read_county(folder)
    assert "secret" not in str(error.value), "what is refused is not repeated"


def test_an_id_number_under_any_heading_refuses_the_table(folder):
    sheets = sheets_of(folder)
    for i, row in enumerate(sheets["班级"]):
        row.append("备注" if i == 0 else "11010519491231002X")
    rewrite(folder, sheets)
    with pytest.raises(CountyDataError, match="一人一行") as error:
        read_county(folder)
    assert "1101051949" not in str(error.value)


def test_a_headteacher_and_a_phone_are_left_unread_and_said(folder):
    sheets = sheets_of(folder)
    for i, row in enumerate(sheets["学校"]):
        row += ["校长", "办公电话", "校训"] if i == 0 else ["王某", "0854-1234567", "求实"]
    rewrite(folder, sheets)
    county = read_county(folder)
    assert [key for key, _ in county.notes] == ["note.contact_unread", "note.column_unread"]
    assert "校长、办公电话" in describe(county.notes)[0] and "校训" in describe(county.notes, "en")[1]
    assert not {"校长", "办公电话", "校训"} & set(county.schools.columns)


def as_totals(folder, *, bins=()):
    """Put the totals of the rosters, and bins, in place of the rosters."""
    sheets = sheets_of(folder)
    rows = sheets["班级"][1:]
    sheets["班级"] = sheets["班级"][:1]
    sheets["班级汇总"] = [["学校代码", "年级", "教学班数", "在校生数"], *([school, grade, 1, pupils] for school, grade, _, pupils in rows)]
    sheets["班额情况"] = [["学校标识码", "年级", "班额下限", "班额上限", "班级个数"], *bins]
    return sheets


def test_totals_stand_in_for_rosters_and_say_so(folder, tmp_path):
    before = read_county(folder)
    rewrite(folder, as_totals(folder))
    county = read_county(folder)
    assert_frame_equal(county.rosters, before.rosters)
    assert len(county.class_totals) == 15 and not len(county.class_bins)
    assert county.notes == (("note.rosters_even", {"schools": 2, "classes": 15}),)
    assert "均分得出，不是实际班额" in describe(county.notes)[0]
    # a written folder has both, which agree, and keeps the note
    write_county(county, tmp_path / "again")
    again = read_county(tmp_path / "again")
    assert again.notes == county.notes
    assert_same_county(county, again)


def test_bins_decide_the_sizes(folder):
    sheets = as_totals(folder, bins=[["S2", 7, 26, 30, 1], ["S2", 7, 66, "", 1]])
    sheets["班级汇总"] = [row if row[:2] != ["S2", 7] else ["S2", 7, 2, 100] for row in sheets["班级汇总"]]
    rewrite(folder, sheets)
    county = read_county(folder)
    assert county.rosters.query("school_id == 'S2' and grade == 7")["pupils"].tolist() == [70, 30]
    assert county.notes == (("note.rosters_binned", {"schools": 2, "classes": 16, "binned": 2}),)


def test_totals_and_bins_that_contradict_are_named_with_their_rows(folder):
    sheets = as_totals(folder, bins=[["S1", 1, 26, 30, 2], ["S1", 2, 41, 45, 1], ["S1", 3, 45, 41, 1]])
    rewrite(folder, sheets)
    with pytest.raises(CountyDataError, match="分档班数合计 2，班数为 1") as error:
        read_county(folder)
    assert [(p.key, p.file, p.sheet, p.row, p.column, p.value) for p in error.value.problems] == [
        ("bin_turned", "county.xlsx", "班额情况", 4, "班额下限", "45"), ("class_counts", "county.xlsx", "班级汇总", 2, "班数", "1"),
        ("class_range", "county.xlsx", "班级汇总", 3, "学生数", "30"),
    ]  # fmt: skip


def test_rosters_and_totals_that_differ_are_named(folder):
    sheets = as_totals(folder, bins=[["S1", 1, 56, "", 1]])
    sheets["班级"] = sheets_of(folder)["班级"]
    sheets["班级汇总"][3] = ["S1", 3, 1, 31]
    rewrite(folder, sheets)
    with pytest.raises(CountyDataError, match="“班级”表为 1 个班 30 人，“班级汇总”表为 1 个班 31 人") as error:
        read_county(folder)
    found = [(p.key, p.sheet, p.row, p.value) for p in error.value.problems]
    assert found == [("totals_differ", "班级汇总", 4, "1"), ("bins_differ", "班额情况", 2, "1")]


@pytest.mark.parametrize(
    ("row", "key"), [(["S9", 1, 1, 30], "unknown_id"), (["S1", 7, 1, 30], "grade_not_taught"), (["S1", 0, 1, 30], "not_a_grade")]
)
def test_totals_are_checked_like_rosters(folder, row, key):
    sheets = as_totals(folder)
    sheets["班级汇总"].append(row)
    rewrite(folder, sheets)
    with pytest.raises(CountyDataError, match="处问题") as error:
        read_county(folder)
    assert [(p.key, p.sheet, p.row) for p in error.value.problems] == [(key, "班级汇总", 17)]


def test_schools_without_classes_or_rooms_are_said(folder):
    sheets = sheets_of(folder)
    sheets["班级"] = [row for row in sheets["班级"] if row[0] != "S1"]
    sheets["学校"][2][sheets["学校"][0].index("教室数")] = 0
    sheets["历年在校生"] = [["学校标识码", "年份", "年级", "学生数"], ["S2", 2025, 9, 55], ["S2", 2024, 9, 1]]
    rewrite(folder, sheets)
    assert read_county(folder).notes == (
        ("note.rosters_history", {"year": 2025, "count": 1, "places": "S2 9: 56 / 55"}),
        ("note.rosters_none", {"count": 1, "schools": "S1"}), ("note.rooms_none", {"count": 1, "schools": "S2"}),
    )  # fmt: skip
    assert describe(read_county(folder).notes, "en")[1] == "1 open schools have no grade in the rosters: S1."


def test_notes_travel_with_the_folder(tmp_path):
    note = ("note.sheet_unread", {"file": 'a"b.xlsx', "sheet": "表"})
    write_county(dataclasses.replace(with_ground(make_paper()), notes=(note,)), tmp_path / "c")
    assert read_county(tmp_path / "c").notes == (note,)


def test_a_void_of_the_terrain_is_noted_once_and_stops_nobody(tmp_path):
    county = with_ground(make_paper())
    holed = county.terrain.elevation.copy()
    # the cell of village A and those beside it
    row, column = int((county.terrain.north - 2_950_000) / 100), int((500_000 - county.terrain.west) / 100)
    holed[row - 1 : row + 2, column - 1 : column + 2] = np.nan
    write_county(dataclasses.replace(county, terrain=dataclasses.replace(county.terrain, elevation=holed)), tmp_path / "a")
    first = read_county(tmp_path / "a")
    expected = [("note.terrain_void", {"count": 9, "total": 6400, "percent": "0.1"}), ("note.places_in_void", {"count": 1, "places": "A"})]
    assert list(first.notes) == expected
    write_county(first, tmp_path / "b")
    assert list(read_county(tmp_path / "b").notes) == expected


def test_missing_ground_is_said(folder):
    for name in ("roads.gpkg", "terrain.tif", "boundary.geojson"):
        (folder / name).unlink()
    assert [key for key, _ in read_county(folder).notes] == ["note.no_roads", "note.no_terrain"]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("coordinate = 1\n", "unknown_setting"), ("[files]\nroads = '../roads.gpkg'\n", "outside_folder"),
        ("[files]\nroads = 'lost.gpkg'\n", "no_file"), ("[files]\nterrain = 'https://example.org/a.tif'\n", "outside_folder"),
    ],
)  # fmt: skip
def test_faults_of_the_settings(folder, line, key):
    path = folder / "county.toml"
    path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")
    with pytest.raises(CountyDataError, match="处问题") as error:
        read_county(folder)
    assert [p.key for p in error.value.problems] == [key]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("format = 1", "format = 2", "newer_format"),
        ('"wgs84"', '"mars"', "bad_setting"),
        ("base_year = 2025", "base_year = 'now'", "bad_setting"),
        ("name =", "name", "not_toml"),
    ],
)
def test_broken_settings(folder, old, new, key):
    path = folder / "county.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(CountyDataError, match="处问题") as error:
        read_county(folder)
    assert key in [p.key for p in error.value.problems]


def test_broken_files_are_said_together(folder):
    (folder / "roads.gpkg").write_bytes(b"not a geopackage")
    (folder / "terrain.tif").write_bytes(b"II*\0")
    (folder / "boundary.geojson").write_text("{", encoding="utf-8")
    with pytest.raises(CountyDataError, match="处问题") as error:
        read_county(folder)
    assert {p.file for p in error.value.problems} == {"roads.gpkg", "terrain.tif", "boundary.geojson"}


def test_the_template_is_empty_and_says_what_is_missing(tmp_path):
    write_template(tmp_path / "new")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["county.toml", "county.xlsx"]
    sheets = sheets_of(tmp_path / "new")
    assert list(sheets) == ["说明", *(schemas()[n].zh for n in SHEETS)]
    assert sheets["村寨"][0] == ["村寨编码", "村寨名称", "乡镇编码", "类型", "总人口", "经度", "纬度"]
    with pytest.raises(CountyDataError, match="工作表是空的") as error:
        read_county(tmp_path / "new")
    assert [p.sheet for p in error.value.problems if p.key == "empty_sheet"] == ["村寨", "乡镇", "学校", "人口"]
    with pytest.raises(CountyDataError, match="已有 county.toml"):
        write_template(tmp_path / "new")


def test_nothing_is_left_behind_when_writing_fails(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(shutil, "move", full)
    with pytest.raises(OSError, match="disk full"):
        write_county(make_paper(), tmp_path / "x")
    assert not (tmp_path / "x" / "county.toml").exists()
    assert [p.name for p in Path(tmp_path).iterdir() if p.name.startswith(".layout")] == []


def test_names_that_look_like_formulas_stay_text(tmp_path):
    county = make_paper()
    schools = county.schools.assign(name=['=HYPERLINK("http://x")', "+1"])
    write_county(dataclasses.replace(county, schools=schools), tmp_path / "c")
    assert read_county(tmp_path / "c").schools["name"].tolist() == ['=HYPERLINK("http://x")', "+1"]


def test_headings_fold_and_id_numbers_are_checked():
    assert fold("学校（机构）\n标识码 ★") == fold("学校(机构)标识码")
    assert is_id_number("11010519491231002x") and not is_id_number("110105194912310020")


def test_exports_are_cgcs2000_in_china_and_wgs84_elsewhere(paper):
    assert export_crs(paper) == "EPSG:4490"
    assert export_crs(dataclasses.replace(paper, crs="EPSG:32738")) == "EPSG:4326"


@pytest.mark.parametrize("rows", [[["姓名", "身份证号", "年级"], ["某某", "x", 3]], [["备注"], ["11010519491231002X"]]])
def test_a_register_on_a_sheet_of_its_own_is_refused_too(folder, rows):
    rewrite(folder, sheets_of(folder) | {"学生名册": rows})
    with pytest.raises(CountyDataError, match="一人一行") as error:
        read_county(folder)
    assert [(p.key, p.sheet) for p in error.value.problems] == [("personal", "学生名册")] and "1101051949" not in str(error.value)


def test_an_unknown_id_is_said_once_with_its_rows(folder):
    sheets = sheets_of(folder)
    for row in sheets["人口"][1:16]:
        row[0] = "Z"
    rewrite(folder, sheets)
    with pytest.raises(CountyDataError, match="本表共 15 行") as error:
        read_county(folder)
    assert [(p.key, p.row, p.value) for p in error.value.problems] == [("unknown_id", 2, "Z")]


def test_words_of_official_forms_are_understood(folder):
    sheets = sheets_of(folder)
    head = sheets["学校"][0]
    for word, column in (("完全小学", "办学类型"), ("农村", "城乡类型"), ("教育部门和集体办", "办别")):
        sheets["学校"][1][head.index(column)] = word
    rewrite(folder, sheets)
    school = read_county(folder).schools.iloc[0]
    assert (school["kind"], school["urban_rural"], school["owner"]) == ("primary", "village", "public")


def test_zones_that_leave_villages_out_or_lead_nowhere_are_said(paper, tmp_path, change):
    zones = [(v, b, "S2") for v in "ABCDE" for b in ("lower", "upper", "junior") if (v, b) != ("E", "junior")]
    zones = [(v, b, "S1" if (v, b) == ("A", "junior") else s) for v, b, s in zones]
    county = change(paper, zones=check("zones", pd.DataFrame(zones, columns=["settlement_id", "band", "school_id"])))
    write_county(county, tmp_path / "c")
    notes = dict(read_county(tmp_path / "c").notes)
    # E has no zone for grades 7-9; S1 ends with grade 6
    assert notes["note.zones_left_out"] == {"count": 1, "all": 5, "places": "E村"}
    assert notes["note.zones_idle"] == {"count": 1, "zones": "A村 junior S1"}
    whole = change(
        paper,
        zones=check(
            "zones",
            pd.DataFrame([(v, b, "S2") for v in "ABCDE" for b in ("lower", "upper", "junior")], columns=["settlement_id", "band", "school_id"]),
        ),
    )
    write_county(whole, tmp_path / "w")
    assert not {key for key, _ in read_county(tmp_path / "w").notes if "zones" in key}


def test_a_county_and_a_plan_say_what_they_are(paper):
    line = repr(paper)
    assert line.startswith(f"<{type(paper).__name__} {paper.name}") and "\n" not in line and f"schools {len(paper.schools)}," in line
    shown = dataclasses.replace(paper, name="<img src=x onerror=alert(1)>")._repr_html_()
    assert "<img" not in shown and "&lt;img" in shown and f"<td>学校</td><td style='text-align:right'>{len(paper.schools)}</td>" in shown


def test_the_template_offers_words_and_explains_headings(tmp_path):
    from openpyxl import load_workbook

    write_template(tmp_path / "新县")
    page = load_workbook(tmp_path / "新县" / "county.xlsx")["学校"]
    kind = next(c for c in page[1] if c.value == "办学类型")
    lists = {str(v.sqref): v.formula1 for v in page.data_validations.dataValidation}
    at = f"{kind.column_letter}2:{kind.column_letter}20001"
    assert "教学点" in lists[at] and "九年一贯制" in lists[at] and all(len(text) <= 257 for text in lists.values())
    assert page["A1"].comment.text.startswith(schemas()["schools"].columns["school_id"].meaning_zh)
    write_county(make_paper(), tmp_path / "县")
    assert load_workbook(tmp_path / "县" / "county.xlsx")["学校"]["A1"].comment is None, "only where there is something to fill in"
