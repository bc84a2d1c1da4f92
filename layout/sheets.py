"""The planner's sheets: workbooks and CSV files by heading, cell by cell, and the template that people fill in."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from layout import messages
from layout.tables import GRADES, Column, Problem, Table, age_span, schemas

#: Tables that a county folder may hold as sheets, and those without which there is no plan.
SHEETS = (
    "settlements", "townships", "schools", "rosters", "class_totals", "class_bins", "boarding", "population", "township_totals", "pyramid",
    "controls", "births", "grade_ages", "rates", "moves", "move_ages", "attendance", "incoming", "residence", "zones", "history", "assumptions",
)  # fmt: skip
NEEDED = ("settlements", "townships", "schools", "population")
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
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
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
    sheets: dict[str, Sheet] = {}
    names = {fold(n): t.name for t in schemas().values() if t.name in SHEETS for n in (t.name, t.zh)}
    for file, title, cells in raw_sheets([*([] if workbook is None else [workbook]), *sorted(folder.glob("*.csv"))], problems):
        table = names.get(fold(title))
        if table is None:
            _refuse_register(file, title, cells, problems)
            if workbook is not None and file == workbook.name and fold(title) not in {fold("说明"), "readme"}:
                notes.append(("note.sheet_unread", {"file": file, "sheet": title}))
            continue
        if table in sheets:
            problems.append(Problem("sheet_twice", file, title, fields={"other": f"{sheets[table].file} {sheets[table].sheet}".strip()}))
            continue
        sheet = _typed(schemas()[table], file, title, cells, problems, notes)
        if sheet is not None:
            sheets[table] = sheet
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
    seen = {p.sheet for p in problems if p.key in ("personal", "empty_sheet", "no_headings")}
    for name in needed:
        zh = schemas()[name].zh
        if name not in sheets and not seen & {zh, name}:
            where = workbook.name if workbook is not None else "county.xlsx"
            problems.append(Problem("missing_sheet", where, fields={"table": f"{zh} ({name})"}))
    return sheets, problems, notes


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


def fold(text: object) -> str:
    """Fold a heading so that spaces, line breaks, full-width letters, stars and units in brackets do not matter.

    Parameters
    ----------
    text
        Heading or sheet name.

    Returns
    -------
    str
        Folded text, to be compared only.

    Examples
    --------
    >>> fold(" 常住人口（人）★"), fold("学校（机构）标识码")
    ('常住人口', '学校(机构)标识码')
    """
    out = re.sub(r"[\s★*]", "", unicodedata.normalize("NFKC", str(text))).lower()
    return re.sub(r"\((人|名|个|所|间|张|户|岁|年|m2|平方米|㎡|元|辆)\)$", "", out)


def is_id_number(text: str) -> bool:
    """Say whether a text is a Chinese citizen's ID number with the right check digit.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    bool
        True only for 18 characters whose last is the check digit of GB 11643.

    Examples
    --------
    >>> is_id_number("11010519491231002X"), is_id_number("110105194912310021"), is_id_number("522401001001")
    (True, False, False)
    """
    if not re.fullmatch(r"[1-9]\d{16}[\dXx]", text):
        return False
    remainder = sum(int(d) * w for d, w in zip(text[:17], _ID_WEIGHTS, strict=True)) % 11
    return "10X98765432"[remainder] == text[-1].upper()


def write_workbook_of(tables: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write tables as the county workbook: one sheet a table, Chinese headings, texts as texts.

    Parameters
    ----------
    tables
        Table by name; one without rows becomes a sheet of headings.
    path
        File to write.
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
        for j, (heading, column, values) in enumerate(_as_written(schemas()[name], tables[name])):
            sheet.write_string(0, j, heading, need if column.required else head)
            sheet.set_column(j, j, max(10, 2 * len(heading)))
            for i, value in enumerate(values, start=1):
                if isinstance(value, str):
                    sheet.write_string(i, j, value)
                elif value is not None:
                    sheet.write_number(i, j, value)
    book.close()


def _write_guide(sheet, head) -> None:  # type: ignore[no-untyped-def]
    for j, heading in enumerate(("工作表 sheet", "列 column", "单位 unit", "必填 required", "可填的值 values", "含义", "meaning")):
        sheet.write_string(0, j, heading, head)
        sheet.set_column(j, j, (16, 18, 14, 8, 40, 40, 50)[j])
    i = 1
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
    import python_calamine

    for path in paths:
        if path.suffix.lower() == ".csv":
            text = _decoded(path.read_bytes())
            if text is None:
                problems.append(Problem("encoding", path.name))
            else:
                yield path.name, path.stem, [list(row) for row in csv.reader(io.StringIO(text, newline=""))]
            continue
        try:
            book = python_calamine.CalamineWorkbook.from_path(str(path))
            titles = [(title, book.get_sheet_by_name(title).to_python(skip_empty_area=False)) for title in book.sheet_names]
        except (python_calamine.CalamineError, OSError, ValueError) as error:
            problems.append(Problem("unreadable", path.name, fields={"error": str(error)}))
            continue
        for title, cells in titles:
            yield path.name, title, cells


def _refuse_register(file: str, title: str, cells: Sequence[Sequence[object]], problems: list[Problem]) -> None:
    # a register of pupils must not lie in the folder, whatever its sheet is called
    for i, row in enumerate(cells):
        if any(is_id_number(clean(c)) for c in row) or any(PERSONAL.search(clean(c)) and len(clean(c)) < 20 for c in row if i < 5):
            problems.append(Problem("personal", file, title, i + 1))
            return


def _decoded(raw: bytes) -> str | None:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _typed(
    table: Table, file: str, title: str, cells: Sequence[Sequence[object]], problems: list[Problem], notes: list[tuple[str, dict[str, object]]]
) -> Sheet | None:
    filled = [i for i, row in enumerate(cells) if any(clean(c) for c in row)]
    if len(filled) < 2 and table.name in NEEDED:
        problems.append(Problem("empty_sheet", file, title))
    if not filled:
        return None
    head = filled[0]
    headings = [clean(c) for c in cells[head]]
    personal = [h for h in headings if PERSONAL.search(h)]
    numbers = [(i, str(c)) for i in filled[1:] for c in cells[i] if is_id_number(clean(c))]
    if personal or numbers:
        # the value itself is not repeated: it would put the pupil into a log
        row = numbers[0][0] + 1 if numbers else head + 1
        problems.append(Problem("personal", file, title, row, "、".join(personal)))
        return None
    wanted = _headings(table)
    place: dict[str, int] = {}
    unread: list[str] = []
    for j, heading in enumerate(headings):
        name = wanted.get(fold(heading))
        if name is None:
            if heading:
                unread.append(heading)
        elif name in place:
            problems.append(Problem("heading_twice", file, title, head + 1, heading, fields={"other": headings[place[name]]}))
        else:
            place[name] = j
    if not place:
        problems.append(Problem("no_headings", file, title, head + 1, fields={"wanted": "、".join(c.zh for c in table.columns.values())}))
        return None
    contact = [h for h in unread if CONTACT.search(h)]
    if contact:
        notes.append(("note.contact_unread", {"file": file, "sheet": title, "columns": "、".join(contact)}))
    if len(unread) > len(contact):
        notes.append(("note.column_unread", {"file": file, "sheet": title, "columns": "、".join(h for h in unread if h not in contact)}))
    rows = filled[1:]
    data = {}
    for name, j in place.items():
        column = table.columns.get(name) or Column(
            name, "float", True, True, "degrees", {"lon": "经度", "lat": "纬度"}[name], name, (), {}, {}, "", ""
        )
        values = [clean(cells[i][j]) if j < len(cells[i]) else "" for i in rows]
        data[name] = _column(column, values, file, title, [i + 1 for i in rows], problems)
    return Sheet(table.name, file, title, pd.DataFrame(data), tuple(i + 1 for i in rows))


def _headings(table: Table) -> dict[str, str]:
    out: dict[str, str] = {}
    for column in table.columns.values():
        if column.dtype == "point":
            out |= {fold("经度"): "lon", "lon": "lon", "longitude": "lon", fold("纬度"): "lat", "lat": "lat", "latitude": "lat"}
        elif column.dtype != "polygon":
            out |= {fold(h): column.name for h in (column.zh, column.en, *column.aliases)}
    return out


def clean(cell: object) -> str:
    """Return a cell as text: whole numbers without a point, texts without spaces around them.

    Parameters
    ----------
    cell
        As a reader of workbooks gives it.

    Returns
    -------
    str
        Its text; nothing for an empty cell.

    Examples
    --------
    >>> clean(3.0), clean(2.5), clean(" a "), clean(None), clean(True)
    ('3', '2.5', 'a', '', '1')
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e16 else repr(cell)
    return str(cell).strip()


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
