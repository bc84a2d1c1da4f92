"""The planner's sheets: workbooks and CSV files by heading, cell by cell, and the template that people fill in."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from layout import messages
from layout.cells import clean, fold, is_id_number
from layout.forms import DERIVED, HEAD_ROWS, Form, headings_of, read_form
from layout.tables import GRADES, Column, Problem, Table, age_span, schemas

#: Tables that a county folder may hold as sheets, and those without which there is no plan.
SHEETS = (
    "settlements", "townships", "schools", "rosters", "class_totals", "class_bins", "boarding", "population", "township_totals", "pyramid",
    "controls", "births", "grade_ages", "rates", "moves", "move_ages", "attendance", "incoming", "residence", "zones", "history", "assumptions",
)  # fmt: skip
NEEDED = ("settlements", "townships", "schools", "population")
#: What stands before the first cell of the template's example rows: a row that begins so is never read as data.
EXAMPLE = "【示例】"
# what the example rows hold, by column; codes and dictionary words stand for themselves
_EXAMPLES: Mapping[str, str | float] = {
    "settlement_id": "522701101201", "township_id": "522701101", "school_id": "2152000001", "from_id": "522701101202", "to_id": "522701101203",
    "residence_id": "522701101201", "area_id": "522701101", "settlements.name": "示例村", "townships.name": "示例镇", "schools.name": "示例小学",
    "lon": 107.5123, "lat": 26.2345, "persons": 326, "registered": 402, "pupils": 38, "boarders": 12, "girls": 6, "beds": 60, "rooms": 12,
    "expandable_rooms": 2, "kindergarten_rooms": 1, "teachers": 15, "site_area_m2": 5200, "first_grade": 1, "last_grade": 6, "grade": 1,
    "class_no": 1, "classes": 2, "low": 26, "high": 30, "year": 2024, "earliest_year": 2027, "age": 6, "age_group": "0-4", "births": 96,
    "households": 80,
    "value": 0.9995, "share": 0.85, "table": "schools", "column": "rooms", "rows": 1, "basis": "按班数", "note": "没有教室数，按班数填",
    "population.persons": 5, "population.registered": 6, "move_ages.persons": 3, "pyramid.persons": 2600, "controls.persons": 12800,
}  # fmt: skip
# today's classes, in any of the forms in which a county has them
_BY_GRADE = ("rosters", "class_totals", "class_bins")
#: Tables that together stand in for the ages by settlement.
INSTEAD_OF_AGES = ("township_totals", "pyramid")
# a table with such a heading has one row a pupil and is refused whole (personal information law, articles 28 and 31)
PERSONAL = re.compile(
    r"身份证|证件号|出生日期|出生年月日|监护人|家长|学籍号|学籍辅号|学号|学生姓名|birth_?date|id_?number|guardian|pupil_?name", re.I
)
# a headteacher's name or an office phone is nobody's business here: left unread
CONTACT = re.compile(r"校长|负责人|联系人|电话|手机|传真|姓名|邮箱|phone|e-?mail|headteacher|contact", re.I)
# letters of a list to choose from, and rows of the template that have one
_LONGEST_LIST, _LISTED_ROWS = 255, 20_000
# sheets that explain
_ASIDE = {"说明", "readme", "填表说明", "数据字典"}
# more than any county has: a larger file is broken or hostile
_MOST_BYTES, _MOST_PARTS, _MOST_ROWS, _MOST_COLUMNS = 400_000_000, 10_000, 500_000, 1_000
_YES = {"是", "有", "√", "yes", "true", "1", "y"}
_NO = {"否", "无", "×", "no", "false", "0", "n", ""}


@dataclass(frozen=True)
class Sheet:
    """Rows of one table as they stand in a file, with the number of each row there."""

    table: str
    file: str
    sheet: str
    frame: pd.DataFrame
    rows: tuple[int, ...]
    # file, sheet and row of each row where several sheets were put together, rows then count from 1
    origins: tuple[tuple[str, str, int], ...] = ()


def read_sheets(folder: Path, workbook: Path | None) -> tuple[dict[str, Sheet], list[Problem], list[tuple[str, dict[str, object]]]]:
    """Read every known sheet of a workbook and every CSV file of a folder that is named like a table.

    Parameters
    ----------
    folder
        The county folder.
    workbook
        Its ``.xlsx`` or ``.xls`` file, or None.

    Returns
    -------
    tuple
        Sheet by table name with typed columns, all problems, and notes on what was left unread.

    Examples
    --------
    >>> sheets, problems, notes = read_sheets(Path("no such folder"), None)
    >>> sorted(p.fields["table"] for p in problems)[:2]
    ['乡镇 (townships)', '人口 (population)']
    """
    problems: list[Problem] = []
    notes: list[tuple[str, dict[str, object]]] = []
    found: dict[str, list[Sheet]] = {}
    titled: dict[str, Sheet] = {}
    for file, title, read in raw_sheets(_files(folder, workbook), problems):
        table = table_named(title)
        cells = _without_examples(read, table, file, title, notes)
        if table is None:
            if fold(title) in _ASIDE or _refuse_register(file, title, cells, problems):
                continue
        elif table.name in titled:
            other = titled[table.name]
            problems.append(Problem("sheet_twice", file, title, fields={"other": f"{other.file} {other.sheet}".strip()}))
            continue
        elif _is_register(file, title, cells, problems):
            continue
        forms, faults = read_form(title, cells, table, SHEETS, file)
        problems += faults
        if not forms:
            if table is not None:
                # no cell at all
                problems += [Problem("empty_sheet", file, title)] if table.name in NEEDED else []
            elif workbook is not None and file == workbook.name:
                notes.append(("note.sheet_unread", {"file": file, "sheet": title}))
            continue
        for form in forms:
            sheet = _typed(form, file, title, problems, notes)
            if sheet is None:
                continue
            if table is not None and sheet.table == table.name:
                titled[table.name] = sheet
            elif table is None:
                notes.append(("note.sheet_taken", {"file": file, "sheet": title, "table": _called(sheet.table)}))
            found.setdefault(sheet.table, []).append(sheet)
    sheets = {name: _put_together(parts, problems, notes) for name, parts in found.items()}
    sheets = _with_classes(_named_ids(sheets, problems, notes), problems)
    if "schools" in sheets:
        sheets["schools"] = _one_row_a_school(_with_grades(sheets, notes), notes)
    if all(name in sheets and len(sheets[name].frame) for name in INSTEAD_OF_AGES) and not (
        "population" in sheets and len(sheets["population"].frame)
    ):
        # ages by settlement are split from the totals: an empty sheet of the template is no fault
        sheets.pop("population", None)
        own = {schemas()["population"].zh, "population"}
        problems = [p for p in problems if not (p.key == "empty_sheet" and p.sheet in own)]
        needed = tuple(name for name in NEEDED if name != "population")
    else:
        needed = NEEDED
    # an empty sheet of the template is no fault where another sheet has the table
    had = {title for name in needed if name in sheets and len(sheets[name].frame) for title in (schemas()[name].zh, name)}
    problems = [p for p in problems if not (p.key == "empty_sheet" and p.sheet in had)]
    seen = {p.sheet for p in problems if p.key in ("personal", "empty_sheet", "no_headings", "sheet_twice")}
    for name in needed:
        zh = schemas()[name].zh
        if name not in sheets and not seen & {zh, name}:
            where = workbook.name if workbook is not None else "county.xlsx"
            problems.append(Problem("missing_sheet", where, fields={"table": f"{zh} ({name})"}))
    return sheets, problems, notes


def _without_examples(
    cells: Sequence[Sequence[object]], table: Table | None, file: str, title: str, notes: list[tuple[str, dict[str, object]]]
) -> Sequence[Sequence[object]]:
    """Leave the example rows of the template unread; one that somebody wrote into is told."""
    marked = [i for i, row in enumerate(cells) if clean(next((c for c in row if clean(c)), "")).startswith(EXAMPLE)]
    if not marked:
        return cells
    written = set() if table is None else {clean(v) for v in _example(table).values()}
    changed = [i + 1 for i in marked if not {clean(c) for c in cells[i] if clean(c)} <= written]
    if changed:
        notes.append(("note.example_unread", {"file": file, "sheet": title, "rows": "、".join(map(str, changed)), "mark": EXAMPLE}))
    # the other rows keep their numbers
    return [() if i in set(marked) else row for i, row in enumerate(cells)]


def _example(table: Table) -> dict[str, str | float]:
    """Return the example row of a table by the headings of the template."""
    out: dict[str, str | float] = {}
    for heading, column, _ in _as_written(table, pd.DataFrame(columns=list(table.columns))):
        name = {"经度": "lon", "纬度": "lat"}.get(heading, column.name) if column.dtype == "point" else column.name
        words = "否" if column.dtype == "bool" else next(iter(column.values.values()), "")
        value = words or _EXAMPLES.get(f"{table.name}.{name}", _EXAMPLES.get(name, ""))
        out[heading] = value if out else f"{EXAMPLE}{value}"
    return out


_MEETS = (
    ("settlements", "township_id", "townships"), ("schools", "township_id", "townships"), ("rosters", "school_id", "schools"),
    ("class_totals", "school_id", "schools"), ("class_bins", "school_id", "schools"),
    ("population", "settlement_id", "settlements"), ("births", "township_id", "townships"), ("moves", "from_id", "settlements"),
    ("moves", "to_id", "settlements"), ("move_ages", "from_id", "settlements"), ("move_ages", "to_id", "settlements"),
    ("attendance", "township_id", "townships"), ("township_totals", "township_id", "townships"), ("incoming", "township_id", "townships"),
    ("residence", "school_id", "schools"), ("zones", "settlement_id", "settlements"),
    ("zones", "school_id", "schools"), ("history", "school_id", "schools"), ("boarding", "school_id", "schools"),
)  # fmt: skip


def cross_check(sheets: Mapping[str, Sheet]) -> list[Problem]:
    """Check what one sheet says against another: ids that do not meet, grades not taught, shares that do not add up.

    Parameters
    ----------
    sheets
        Sheet by table name, as :func:`read_sheets` returns them.

    Returns
    -------
    list of Problem
        One a row; an id is compared with the ids as typed, so that one bad school row does not accuse its roster.

    Examples
    --------
    >>> schools = Sheet("schools", "county.xlsx", "学校", pd.DataFrame({"school_id": ["S1"]}), (2,))
    >>> rosters = Sheet("rosters", "county.xlsx", "班级", pd.DataFrame({"school_id": ["S1", "S9"]}), (2, 3))
    >>> [(p.key, p.row, p.value) for p in cross_check({"schools": schools, "rosters": rosters})]
    [('unknown_id', 3, 'S9')]
    """
    found = [_unmet_ids, _grade_problems, _share_problems, _age_group_problems, _residence_problems, _boarder_problems]
    return [problem for problems in found for problem in problems(sheets)]


def _unmet_ids(sheets: Mapping[str, Sheet]) -> Iterable[Problem]:
    for name, column, target in _MEETS:
        key = schemas()[target].key[0]
        if name not in sheets or target not in sheets or column not in sheets[name].frame or key not in sheets[target].frame:
            continue
        known = set(sheets[target].frame[key])
        rows: dict[str, list[int]] = {}
        for value, row in zip(sheets[name].frame[column], sheets[name].rows, strict=True):
            if value and value not in known:
                rows.setdefault(value, []).append(row)
        for value, found in rows.items():
            near = ", ".join(difflib.get_close_matches(value, sorted(known), n=1, cutoff=0.0))
            fields = {"target": schemas()[target].zh, "near": near, "count": len(found)}
            heading = schemas()[name].columns[column].zh
            yield Problem("unknown_id", sheets[name].file, sheets[name].sheet, found[0], heading, value, fields)


def _grade_problems(sheets: Mapping[str, Sheet]) -> Iterable[Problem]:
    for name in ("schools", *_BY_GRADE, "boarding", "history"):
        for column in ("grade", "first_grade", "last_grade"):
            if name in sheets and column in sheets[name].frame:
                grades = pd.to_numeric(sheets[name].frame[column], errors="coerce")
                heading = schemas()[name].columns[column].zh
                for i in np.flatnonzero(grades.notna() & ~grades.isin(GRADES)):
                    yield Problem("not_a_grade", sheets[name].file, sheets[name].sheet, sheets[name].rows[i], heading, f"{grades.iloc[i]:g}")
    if "schools" not in sheets or not {"school_id", "first_grade", "last_grade"} <= set(sheets["schools"].frame):
        return
    schools = sheets["schools"]
    spans = schools.frame[["first_grade", "last_grade"]].apply(pd.to_numeric, errors="coerce")
    for i in np.flatnonzero(spans["first_grade"] > spans["last_grade"]):
        value = f"{spans['first_grade'].iloc[i]:g}-{spans['last_grade'].iloc[i]:g}"
        yield Problem("grades_turned", schools.file, schools.sheet, schools.rows[i], "起始年级 + 终止年级", value)
    taught = {school: span for school, *span in zip(schools.frame["school_id"], spans["first_grade"], spans["last_grade"], strict=True)}
    for sheet in (sheets[name] for name in (*_BY_GRADE, "boarding") if name in sheets and {"school_id", "grade"} <= set(sheets[name].frame)):
        grades = pd.to_numeric(sheet.frame["grade"], errors="coerce")
        for school, grade, row in zip(sheet.frame["school_id"], grades, sheet.rows, strict=True):
            first, last = taught.get(school, (1.0, 9.0))
            if grade in GRADES and first <= last and not first <= grade <= last:
                fields = {"school": school, "first": f"{first:g}", "last": f"{last:g}"}
                yield Problem("grade_not_taught", sheet.file, sheet.sheet, row, "年级", f"{grade:g}", fields)


def _share_problems(sheets: Mapping[str, Sheet]) -> Iterable[Problem]:
    sheet = sheets.get("attendance")
    if sheet is None or not {"township_id", "band", "share"} <= set(sheet.frame):
        return
    shares = pd.to_numeric(sheet.frame["share"], errors="coerce")
    keys = [sheet.frame["township_id"], sheet.frame["band"], *([sheet.frame["year"].fillna(0)] if "year" in sheet.frame else [])]
    sums = shares.groupby(keys).sum().rename("total").reset_index()
    for township, band, total in zip(sums["township_id"], sums["band"], sums["total"], strict=True):
        if abs(total - 1) > 1e-6:
            yield Problem("shares_not_one", sheet.file, sheet.sheet, None, "比例", f"{total:g}", {"township": township, "band": band})


def _age_group_problems(sheets: Mapping[str, Sheet]) -> Iterable[Problem]:
    for name in ("township_totals", "pyramid", "controls"):
        if name in sheets and "age_group" in sheets[name].frame:
            for value, row in zip(sheets[name].frame["age_group"], sheets[name].rows, strict=True):
                if value and age_span(value) is None:
                    yield Problem("not_an_age_group", sheets[name].file, sheets[name].sheet, row, "年龄段", str(value))


def _residence_problems(sheets: Mapping[str, Sheet]) -> Iterable[Problem]:
    sheet = sheets.get("residence")
    if sheet is None or "residence_id" not in sheet.frame:
        return
    keys = (("settlements", "settlement_id"), ("townships", "township_id"))
    known = {str(v) for name, key in keys if name in sheets and key in sheets[name].frame for v in sheets[name].frame[key]}
    for value, row in zip(sheet.frame["residence_id"], sheet.rows, strict=True):
        if value and known and value not in known:
            yield Problem("unknown_residence", sheet.file, sheet.sheet, row, "居住地编码", str(value))


def _boarder_problems(sheets: Mapping[str, Sheet]) -> Iterable[Problem]:
    """Compare boarders with the roster of their grade, and girls with the boarders they are among."""
    sheet, rosters = sheets.get("boarding"), sheets.get("rosters")
    if sheet is None or not {"school_id", "grade", "boarders"} <= set(sheet.frame):
        return
    boarders, grades = (pd.to_numeric(sheet.frame[c], errors="coerce") for c in ("boarders", "grade"))
    girls = pd.to_numeric(sheet.frame["girls"], errors="coerce") if "girls" in sheet.frame else pd.Series(np.nan, index=boarders.index)
    heads = schemas()["boarding"].columns
    rolls: dict[tuple[object, float], float] = {}
    if rosters is not None and {"school_id", "grade", "pupils"} <= set(rosters.frame):
        table = rosters.frame[["school_id"]].assign(**{c: pd.to_numeric(rosters.frame[c], errors="coerce") for c in ("grade", "pupils")})
        sums = table.groupby(["school_id", "grade"], as_index=False)["pupils"].sum()
        rolls = {(s, float(g)): float(n) for s, g, n in zip(sums["school_id"], sums["grade"], sums["pupils"], strict=True)}
    known = {school for school, _ in rolls}
    for i, (school, grade, number) in enumerate(zip(sheet.frame["school_id"], grades, boarders, strict=True)):
        pupils = rolls.get((school, grade), 0.0) if school in known and grade in GRADES else np.inf
        if number > pupils:
            fields = {"school": school, "grade": f"{grade:g}", "pupils": f"{pupils:g}"}
            yield Problem("boarders_above_roll", sheet.file, sheet.sheet, sheet.rows[i], heads["boarders"].zh, f"{number:g}", fields)
        if girls.iloc[i] > number:
            among = {"boarders": f"{number:g}"}
            yield Problem("girls_above_boarders", sheet.file, sheet.sheet, sheet.rows[i], heads["girls"].zh, f"{girls.iloc[i]:g}", among)


def table_named(title: str) -> Table | None:
    """Return the table that a sheet's title names.

    Parameters
    ----------
    title
        Title of a sheet or stem of a CSV file.

    Returns
    -------
    Table or None
        None where it names no table that a county folder may hold.

    Examples
    --------
    >>> table_named("学校").name, table_named("Schools").name, table_named("封面")
    ('schools', 'schools', None)
    """
    names = {fold(n): t for t in schemas().values() if t.name in SHEETS for n in (t.name, t.zh)}
    return names.get(fold(title))


def write_workbook_of(tables: Mapping[str, pd.DataFrame], path: Path, *, examples: bool = False) -> None:
    """Write tables as the county workbook: one sheet a table, Chinese headings, texts as texts.

    Parameters
    ----------
    tables
        Table by name; one without rows becomes a sheet of headings.
    path
        File to write.
    examples
        Whether sheets without rows get an example row, marked by :data:`EXAMPLE`, which is never read as data.

    Examples
    --------
    >>> write_workbook_of({"births": pd.DataFrame()}, Path("county.xlsx"))  # doctest: +SKIP
    """
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False})
    book.set_properties({"created": dt.datetime(2000, 1, 1)})
    head = book.add_format({"bold": True, "bg_color": "#DDEBF7", "text_wrap": True, "valign": "top"})
    need = book.add_format({"bold": True, "bg_color": "#FFE699", "text_wrap": True, "valign": "top"})
    guide = book.add_worksheet("说明")
    _write_guide(guide, head)
    for name in SHEETS:
        if name not in tables:
            continue
        sheet = book.add_worksheet(schemas()[name].zh)
        sheet.freeze_panes(1, 0)
        if examples and not len(tables[name]):
            _write_example(sheet, schemas()[name], book.add_format({"italic": True, "font_color": "#7F7F7F", "bg_color": "#F2F2F2"}))
        for j, (heading, column, values) in enumerate(_as_written(schemas()[name], tables[name])):
            sheet.write_string(0, j, heading, need if column.required else head)
            sheet.set_column(j, j, max(10, 2 * len(heading)))
            if not len(tables[name]):
                _help_to_fill(sheet, j, column)
            for i, value in enumerate(values, start=1):
                if isinstance(value, str):
                    sheet.write_string(i, j, value)
                elif value is not None:
                    sheet.write_number(i, j, value)
    book.close()


def _help_to_fill(sheet, place: int, column: Column) -> None:  # type: ignore[no-untyped-def]
    """Give an empty column of the template a note on its heading and a list of what may be chosen."""
    sheet.write_comment(0, place, f"{column.meaning_zh}\n{column.meaning_en}", {"author": "layout"})
    choices = ["是", "否"] if column.dtype == "bool" else list(column.values.values())
    # Excel takes no longer list
    if choices and len(",".join(choices)) <= _LONGEST_LIST:
        sheet.data_validation(1, place, _LISTED_ROWS, place, {"validate": "list", "source": choices, "error_type": "warning"})


def _write_example(sheet, table: Table, grey) -> None:  # type: ignore[no-untyped-def]
    for j, value in enumerate(_example(table).values()):
        if isinstance(value, str):
            sheet.write_string(1, j, value, grey)
        else:
            sheet.write_number(1, j, value, grey)
    said = "\n".join(messages.text("template.example", lang, mark=EXAMPLE) for lang in messages.LANGUAGES)
    sheet.write_comment(1, 0, said, {"author": "layout"})


def _write_guide(sheet, head) -> None:  # type: ignore[no-untyped-def]
    for j, heading in enumerate(("工作表 sheet", "列 column", "单位 unit", "必填 required", "可填的值 values", "含义", "meaning")):
        sheet.write_string(0, j, heading, head)
        sheet.set_column(j, j, (16, 18, 14, 8, 40, 40, 50)[j])
    for i, lang in enumerate(messages.LANGUAGES, start=1):
        sheet.write_string(i, 0, messages.text("template.example", lang, mark=EXAMPLE))
    i = 1 + len(messages.LANGUAGES)
    for name in SHEETS:
        for column in schemas()[name].columns.values():
            cells = (schemas()[name].zh, column.zh, column.unit, "是 yes" if column.required else "", "、".join(column.values.values()),
                     column.meaning_zh, column.meaning_en)  # fmt: skip
            for j, cell in enumerate(cells):
                sheet.write_string(i, j, cell)
            i += 1


def _as_written(table: Table, frame: pd.DataFrame) -> Iterable[tuple[str, Column, list[str | float | None]]]:
    for column in table.columns.values():
        if column.dtype == "point":
            for heading, name in (("经度", "lon"), ("纬度", "lat")):
                yield heading, column, [round(float(v), 7) for v in frame[name]] if len(frame) else []
            continue
        if column.name not in frame or (not column.required and len(frame) and _blank(frame[column.name]).all()):
            if len(frame):
                continue
            yield column.zh, column, []
            continue
        values: list[str | float | None] = []
        for value, blank in zip(frame[column.name], _blank(frame[column.name]), strict=True):
            if blank:
                values.append(None)
            elif column.dtype == "bool":
                values.append("是" if value else "否")
            elif column.dtype == "str":
                values.append(column.values.get(value, value))
            else:
                values.append(int(value) if float(value).is_integer() else float(value))
        yield column.zh, column, values


def _blank(values: pd.Series) -> np.ndarray:
    return (values.isna() | (values.astype("str") == "")).to_numpy()


def raw_sheets(paths: Iterable[Path], problems: list[Problem]) -> Iterable[tuple[str, str, Sequence[Sequence[object]]]]:
    """Read the cells of workbooks and CSV files.

    Parameters
    ----------
    paths
        ``.xlsx``, ``.xls`` and ``.csv`` files (UTF-8 with or without BOM, GB18030).
    problems
        Takes what cannot be read.

    Yields
    ------
    tuple
        Name of the file, title of the sheet (stem of a CSV file), rows of cells.

    Examples
    --------
    >>> list(raw_sheets([], []))
    []
    """
    for path in paths:
        try:
            fault = unfit(path)
            if fault is None:
                yield from _csv_cells(path, problems) if path.suffix.lower() == ".csv" else _book_cells(path, problems)
            else:
                problems.append(fault)
        except OSError as error:
            problems.append(Problem("unreadable", path.name, fields={"error": _short(error)}))


def unfit(path: Path) -> Problem | None:
    """Say what is no county's file, before anything of it is unpacked.

    Parameters
    ----------
    path
        A workbook, or a sheet as text.

    Returns
    -------
    Problem or None
        None for a file that may be opened: neither it nor what it unpacks to is too large.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.csv").write_bytes(b"1,2")
    ...     unfit(Path(folder) / "a.csv") is None
    True
    """
    size = path.stat().st_size
    if size > _MOST_BYTES:
        return Problem("too_large", path.name, fields={"size": f"{size / 1e6:,.0f}", "most": f"{_MOST_BYTES / 1e6:,.0f}"})
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as parts:
            sizes = [part.file_size for part in parts.infolist()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        # a directory of the archive that lies in any way
        return Problem("unreadable", path.name, fields={"error": _short(error)})
    if sum(sizes) > _MOST_BYTES or len(sizes) > _MOST_PARTS:
        return Problem("too_large", path.name, fields={"size": f"{sum(sizes) / 1e6:,.0f}", "most": f"{_MOST_BYTES / 1e6:,.0f}"})
    return None


def _short(error: BaseException) -> str:
    # a library's error may repeat a path of the machine
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def _csv_cells(path: Path, problems: list[Problem]) -> Iterable[tuple[str, str, Sequence[Sequence[object]]]]:
    text = _decoded(path.read_bytes())
    if text is None:
        problems.append(Problem("encoding", path.name))
        return
    if "\0" in text:
        problems.append(Problem("unreadable", path.name, fields={"error": "NUL"}))
        return
    if text.count("\n") > _MOST_ROWS:
        problems.append(Problem("too_many_rows", path.name, path.stem, fields={"rows": f"{text.count(chr(10)):,}", "most": f"{_MOST_ROWS:,}"}))
        return
    try:
        yield path.name, path.stem, [list(row) for row in csv.reader(io.StringIO(text, newline=""))]
    except csv.Error as error:
        problems.append(Problem("unreadable", path.name, fields={"error": _short(error)}))


def _book_cells(path: Path, problems: list[Problem]) -> Iterable[tuple[str, str, Sequence[Sequence[object]]]]:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        titles = list(book.sheet_names)
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        problems.append(Problem("unreadable", path.name, fields={"error": _short(error)}))
        return
    for title in titles:
        try:
            sheet = book.get_sheet_by_name(title)
            if sheet.total_height > _MOST_ROWS or sheet.total_width > _MOST_COLUMNS:
                problems.append(Problem("too_many_rows", path.name, title, fields={"rows": f"{sheet.total_height:,}", "most": f"{_MOST_ROWS:,}"}))
                continue
            cells = sheet.to_python(skip_empty_area=False)
        except (python_calamine.CalamineError, OSError, ValueError) as error:
            problems.append(Problem("unreadable", path.name, title, fields={"error": _short(error)}))
            continue
        yield path.name, title, cells


def _files(folder: Path, workbook: Path | None) -> list[Path]:
    """Return the workbook, other workbooks and the CSV files of a folder; lock files and pages of a check are none of them."""
    others = [
        p
        for ending in ("*.xlsx", "*.xls")
        for p in sorted(folder.glob(ending))
        if p != workbook and not p.name.startswith(("~$", ".")) and p.stem != "check"
    ]
    return [*([] if workbook is None else [workbook]), *others, *sorted(folder.glob("*.csv"))]


def _is_register(file: str, title: str, cells: Sequence[Sequence[object]], problems: list[Problem]) -> bool:
    """Refuse a sheet with one row a pupil; no value is repeated: it would put the pupil into a log."""
    for i, row in enumerate(cells):
        texts = [clean(c) for c in row]
        personal = [t for t in texts if len(t) < 20 and PERSONAL.search(t)] if i < HEAD_ROWS else []
        if personal or any(is_id_number(t) for t in texts):
            problems.append(Problem("personal", file, title, i + 1, "、".join(personal)))
            return True
    return False


def _refuse_register(file: str, title: str, cells: Sequence[Sequence[object]], problems: list[Problem]) -> bool:
    # a register of pupils must not lie in the folder, whatever its sheet is called
    return _is_register(file, title, cells, problems)


def _decoded(raw: bytes) -> str | None:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _typed(form: Form, file: str, title: str, problems: list[Problem], notes: list[tuple[str, dict[str, object]]]) -> Sheet | None:
    table = _schema(form.table)
    if not form.rows and table.name in NEEDED:
        problems.append(Problem("empty_sheet", file, title))
    wanted = headings_of(table)
    place: dict[str, int] = {}
    unread: list[str] = []
    for j, heading in enumerate(form.headings):
        name = wanted.get(fold(heading))
        if name is None:
            if heading:
                unread.append(heading)
        elif name in place:
            problems.append(Problem("heading_twice", file, title, form.head, heading, fields={"other": form.headings[place[name]]}))
        else:
            place[name] = j
    if not place:
        problems.append(Problem("no_headings", file, title, form.head, fields={"wanted": "、".join(c.zh for c in table.columns.values())}))
        return None
    contact = [h for h in unread if CONTACT.search(h)]
    if contact:
        notes.append(("note.contact_unread", {"file": file, "sheet": title, "columns": "、".join(contact)}))
    if len(unread) > len(contact):
        notes.append(("note.column_unread", {"file": file, "sheet": title, "columns": "、".join(h for h in unread if h not in contact)}))
    data = {}
    for name, j in place.items():
        if name.endswith("@"):
            data[name] = pd.Series([row[j] for row in form.rows], dtype="str")
            continue
        column = table.columns.get(name) or Column(
            name, "float", True, True, "degrees", {"lon": "经度", "lat": "纬度"}[name], name, (), {}, {}, "", ""
        )
        data[name] = _column(column, [row[j] for row in form.rows], file, title, list(form.numbers), problems)
    return Sheet(form.table, file, title, pd.DataFrame(data), form.numbers)


def _schema(table: str) -> Table:
    # pupils by school and grade become totals once the classes are known
    return schemas()["class_totals" if table == "_pupils" else table]


def _called(table: str) -> str:
    known = _schema(table)
    return f"{known.zh} ({known.name})"


def _put_together(parts: Sequence[Sheet], problems: list[Problem], notes: list[tuple[str, dict[str, object]]]) -> Sheet:
    """Put the sheets of one table together; one that repeats rows of those before it is left unread, and said."""
    # a sheet of the template that nobody filled in says nothing beside one that has rows
    parts = [part for part in parts if len(part.frame)] or parts[:1]
    kept = [parts[0]]
    for part in parts[1:]:
        wanted = _schema(part.table).key if part.table != "_pupils" else ("school_id", "grade")
        forms = [[next((c for c in (k, f"{k}@") if c in s.frame), "") for k in wanted] for s in (*kept, part)]
        key = forms[0] if all(f == forms[0] for f in forms) and all(forms[0]) else []
        known = {k for s in kept for k in s.frame[key].astype("str").itertuples(index=False, name=None)} if key else set()
        if key and known & set(part.frame[key].astype("str").itertuples(index=False, name=None)):
            where = " + ".join(f"{s.file} {s.sheet}" for s in kept)
            notes.append(("note.sheet_same", {"file": part.file, "sheet": part.sheet, "other": where}))
        else:
            kept.append(part)
    if len(kept) == 1:
        return kept[0]
    origins = tuple((s.file, s.sheet, row) for s in kept for row in s.rows)
    frame = pd.concat([s.frame for s in kept], ignore_index=True)
    # where one has codes and another names, what a row lacks is an empty text
    columns = _schema(parts[0].table).columns
    texts = [c for c in map(str, frame.columns) if c.endswith("@") or (c in columns and columns[c].dtype == "str")]
    frame = frame.assign(**{c: frame[c].fillna("").astype("str") for c in texts})
    file, title = (" + ".join(dict.fromkeys(values)) for values in ((s.file for s in kept), (s.sheet for s in kept)))
    return Sheet(parts[0].table, file, title, frame, tuple(range(1, len(frame) + 1)), origins)


def traced(problem: Problem, sheets: Mapping[str, Sheet]) -> Problem:
    """Say of a row of sheets that were put together in which file and row it stands.

    Parameters
    ----------
    problem
        As a check of the table found it.
    sheets
        Sheet by table name.

    Returns
    -------
    Problem
        The same where its sheet is one alone.

    Examples
    --------
    >>> both = Sheet("births", "a.csv + b.csv", "a + b", pd.DataFrame(), (1, 2), (("a.csv", "a", 2), ("b.csv", "b", 7)))
    >>> traced(Problem("negative", "a.csv + b.csv", "a + b", 2), {"births": both}).row
    7
    """
    for sheet in sheets.values():
        if sheet.origins and (problem.file, problem.sheet) == (sheet.file, sheet.sheet) and problem.row:
            file, title, row = sheet.origins[problem.row - 1]
            return replace(problem, file=file, sheet=title, row=row)
    return problem


def _with_classes(sheets: Mapping[str, Sheet], problems: list[Problem]) -> dict[str, Sheet]:
    """Make totals of pupils by grade and of classes by size, where a county has the two on forms of their own."""
    out = dict(sheets)
    pupils = out.pop("_pupils", None)
    if pupils is None or "class_totals" in out:
        return out
    bins = out.get("class_bins")
    columns = ["school_id", "grade"]
    if bins is None or not {*columns, "classes"} <= set(bins.frame) or not {*columns} <= set(pupils.frame):
        problems.append(Problem("classes_unknown", pupils.file, pupils.sheet))
        return out
    counted = bins.frame[columns].assign(classes=pd.to_numeric(bins.frame["classes"], errors="coerce"))
    sums = counted.groupby(columns, as_index=False)["classes"].sum()
    frame = pupils.frame.assign(_row=pupils.rows).merge(sums, on=columns, how="left")
    frame["classes"] = frame["classes"].fillna(0.0)
    out["class_totals"] = Sheet(
        "class_totals", pupils.file, pupils.sheet, frame.drop(columns="_row"), tuple(int(r) for r in frame["_row"]), pupils.origins
    )
    return out


_TARGETS = {"school_id": "schools", "township_id": "townships", "settlement_id": "settlements", "from_id": "settlements", "to_id": "settlements"}


def _named_ids(sheets: Mapping[str, Sheet], problems: list[Problem], notes: list[tuple[str, dict[str, object]]]) -> dict[str, Sheet]:
    """Put ids in place of names: the same name once folded; what is only near is asked about, never taken."""
    out = dict(sheets)
    # townships first: they tell villages of one name apart
    for column in ("township_id", "school_id", "settlement_id", "from_id", "to_id"):
        for name, sheet in list(out.items()):
            if f"{column}@" in sheet.frame:
                out[name] = _joined_by_name(out, sheet, column, problems, notes)
    # a township that only told villages apart
    return {n: replace(s, frame=s.frame[[c for c in s.frame if c in _schema(n).columns or c in ("lon", "lat")]]) for n, s in out.items()}


def _joined_by_name(
    sheets: Mapping[str, Sheet], sheet: Sheet, column: str, problems: list[Problem], notes: list[tuple[str, dict[str, object]]]
) -> Sheet:
    target = sheets.get(_TARGETS[column])
    names = sheet.frame[f"{column}@"].tolist()
    frame = sheet.frame.drop(columns=f"{column}@")
    own = frame[column].tolist() if column in frame else [""] * len(frame)
    if target is None or not {"name", schemas()[target.table].key[0]} <= set(target.frame):
        return replace(sheet, frame=frame) if column in frame else replace(sheet, frame=frame.assign(**{column: names}))
    apart = column not in _schema(sheet.table).columns
    ids, called = target.frame[schemas()[target.table].key[0]].tolist(), target.frame["name"].tolist()
    towns = target.frame["township_id"].tolist() if "township_id" in target.frame else [""] * len(ids)
    known: dict[str, list[tuple[str, str]]] = {}
    for i, text, town in zip(ids, called, towns, strict=True):
        # a campus with a row for each stage is one place
        if (str(i), str(town)) not in known.setdefault(fold(text), []):
            known[fold(text)].append((str(i), str(town)))
    inside = frame["township_id"].tolist() if "township_id" in frame and column != "township_id" else [""] * len(frame)
    asked: dict[str, list[int]] = {}
    taken, lost = 0, np.zeros(len(frame), bool)
    for k, (value, text, town) in enumerate(zip(own, names, inside, strict=True)):
        if value or not text:
            continue
        places = known.get(fold(text), [])
        places = [p for p in places if p[1] == town] if town and len(places) > 1 else places
        if len(places) == 1:
            own[k] = places[0][0]
            taken += 1
        elif not apart:
            asked.setdefault(text, []).append(k)
            lost[k] = True
    for text, rows in asked.items():
        twins = known.get(fold(text), [])
        near = difflib.get_close_matches(fold(text), list(known), n=3, cutoff=0.5)
        said = twins or [place for n in near for place in known[n]]
        shown = "、".join(f"{called[ids.index(i)]} {i}" for i, _ in said[:3])
        fields = {"target": schemas()[target.table].zh, "near": shown or "—", "count": len(rows)}
        problems.append(
            Problem(
                "name_twice" if twins else "name_unknown",
                sheet.file,
                sheet.sheet,
                sheet.rows[rows[0]],
                _schema(sheet.table).columns[column].zh,
                text,
                fields,
            )
        )
    if taken and not apart:
        notes.append(("note.joined_by_name", {"file": sheet.file, "sheet": sheet.sheet, "count": taken, "table": schemas()[target.table].zh}))
    frame = frame.assign(**{column: pd.Series(own, index=frame.index, dtype="str")})
    # rows that are asked about are not accused a second time
    rows_kept = tuple(r for r, gone in zip(sheet.rows, lost, strict=True) if not gone)
    return replace(sheet, frame=frame[~lost].reset_index(drop=True), rows=rows_kept)


# grades that a kind of school has where nothing else is known
_OF_KIND = {"primary": (1, 6), "junior": (7, 9), "nine_year": (1, 9)}


def _with_grades(sheets: Mapping[str, Sheet], notes: list[tuple[str, dict[str, object]]]) -> Sheet:
    """Fill in what an official form of schools lacks: that they are open, and their grades."""
    sheet, columns = sheets["schools"], schemas()["schools"].columns
    lacking = [c for c in DERIVED["schools"] if c not in sheet.frame]
    if not lacking or not {"school_id", "kind"} <= set(sheet.frame):
        return sheet
    taught: dict[str, list[float]] = {}
    for name in _BY_GRADE:
        if name in sheets and {"school_id", "grade"} <= set(sheets[name].frame):
            frame = sheets[name].frame
            count = next((c for c in ("classes", "pupils") if c in frame), "grade")
            there = pd.to_numeric(frame[count], errors="coerce") > 0
            for school, grade in zip(frame["school_id"], pd.to_numeric(frame["grade"], errors="coerce").where(there), strict=True):
                taught.setdefault(str(school), []).extend([float(grade)] if grade in GRADES else [])
    # of a campus with a row for each stage the kind of the row tells which
    taught = {school: grades for school, grades in taught.items() if (sheet.frame["school_id"] == school).sum() == 1}
    spans = [
        (min(taught[s]), max(taught[s])) if taught.get(s) else _OF_KIND.get(str(kind), (np.nan, np.nan))
        for s, kind in zip(sheet.frame["school_id"].astype("str"), sheet.frame["kind"], strict=True)
    ]
    filled = pd.DataFrame({"status": "open", "first_grade": [float(a) for a, _ in spans], "last_grade": [float(b) for _, b in spans]})
    said = "、".join(columns[c].zh for c in lacking)
    notes.append(("note.schools_derived", {"file": sheet.file, "sheet": sheet.sheet, "columns": said}))
    return replace(sheet, frame=sheet.frame.assign(**{c: filled[c].to_numpy() for c in lacking}))


_ADDED, _CAMPUS = ("rooms", "expandable_rooms", "kindergarten_rooms", "teachers", "boarders"), ("beds", "site_area_m2")


def _one_row_a_school(sheet: Sheet, notes: list[tuple[str, dict[str, object]]]) -> Sheet:
    """Put the two rows together that a school of several stages has on official forms, one a stage; other repetitions stay faults."""
    frame = sheet.frame
    if not {"school_id", "name", "first_grade", "last_grade"} <= set(frame):
        return sheet
    spans = frame[["first_grade", "last_grade"]].apply(pd.to_numeric, errors="coerce")
    gone, joined = np.zeros(len(frame), bool), []
    out = frame.copy()
    for school, own in frame.groupby("school_id", sort=False):
        if len(own) != 2 or not school or own["name"].map(fold).nunique() != 1:
            continue
        low, high = sorted(own.index, key=lambda i: spans.loc[i, "first_grade"])
        if spans.loc[low, "last_grade"] + 1 != spans.loc[high, "first_grade"]:
            continue
        out.loc[low, "last_grade"] = out.loc[high, "last_grade"]
        for column in (*_ADDED, *_CAMPUS):
            if column in out:
                a, b = (pd.to_numeric(frame.loc[[i], column], errors="coerce").iloc[0] for i in (low, high))
                # the same beds and ground on both rows are those of the campus
                same = column in _CAMPUS and a == b
                out.loc[low, column] = a if same or pd.isna(b) else b if pd.isna(a) else a + b
        if "kind" in out:
            out.loc[low, "kind"] = "nine_year" if (spans.loc[low, "first_grade"], spans.loc[high, "last_grade"]) == (1, 9) else out.loc[low, "kind"]
        gone[frame.index.get_loc(high)] = True
        joined.append(f"{own['name'].iloc[0]}")
    if not joined:
        return sheet
    notes.append(("note.two_rows", {"count": len(joined), "schools": "、".join(joined[:5])}))
    kept = tuple(r for r, g in zip(sheet.rows, gone, strict=True) if not g)
    return replace(sheet, frame=out[~gone].reset_index(drop=True), rows=kept)


def _column(column: Column, values: list[str], file: str, sheet: str, rows: list[int], problems: list[Problem]) -> pd.Series:
    def blame(key: str, i: int, **fields: object) -> None:
        problems.append(Problem(key, file, sheet, rows[i], column.zh, values[i], fields))

    if column.dtype == "bool":
        for i, value in enumerate(values):
            if fold(value) not in _YES | _NO:
                blame("not_yes_no", i)
        return pd.Series([fold(v) in _YES for v in values], dtype=bool)
    if column.dtype == "str":
        out = []
        codes = {fold(code): code for code in column.values} | {fold(word): code for word, code in column.synonyms.items()}
        for i, value in enumerate(values):
            if column.values:
                out.append(codes.get(fold(value), value))
            elif column.name.endswith("_id"):
                out.append(unicodedata.normalize("NFKC", value))
                if re.fullmatch(r"\d(\.\d+)?[eE]\+?\d+", out[-1]):
                    blame("code_mangled", i)
            else:
                out.append(value)
        return pd.Series(out, dtype="str")
    # full-width digits, spaces and thousands separators are what people type; anything else is said by the check
    plain = [re.sub(r"(?<=\d),(?=\d{3}(\D|$))", "", unicodedata.normalize("NFKC", v).replace(" ", "")) for v in values]
    numbers = pd.to_numeric(pd.Series(plain, dtype=object), errors="coerce")
    if numbers.isna().any() and any(p and pd.isna(n) for p, n in zip(plain, numbers, strict=True)):
        return pd.Series([(None if not p else (p if pd.isna(n) else n)) for p, n in zip(plain, numbers, strict=True)], dtype=object)
    return numbers.astype(float)


def describe(notes: Iterable[tuple[str, Mapping[str, object]]], lang: str = "zh") -> list[str]:
    """Say the notes of a county in words.

    Parameters
    ----------
    notes
        Message keys with their fields.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    list of str
        One sentence each.

    Examples
    --------
    >>> describe([("note.no_roads", {})], "en")[0][:8]
    'No roads'
    """
    # what a note says in both languages it says in one
    return [
        messages.text(key, lang, **{k: messages.in_language(v, lang) if k == "settings" else v for k, v in fields.items()})  # type: ignore[arg-type]
        for key, fields in notes
    ]
