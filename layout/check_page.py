"""What a look at a county folder found, as a page to read and as a workbook whose faulty cells are marked."""

from __future__ import annotations

import datetime as dt
import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from layout import messages
from layout.cells import clean, fold
from layout.checkup import STAGES, Checkup
from layout.sheets import PERSONAL, describe, raw_sheets, table_named
from layout.tables import Problem, Table

# a longer sheet is shown by its faulty rows alone
_WHOLE_ROWS = 3_000
_HEAD_ROWS = 6
_STYLE = (
    "body{font:15px/1.6 'Microsoft YaHei','Noto Sans CJK SC','WenQuanYi Micro Hei',sans-serif;"
    "margin:2em auto;max-width:72em;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;width:100%;margin:.5em 0 1.5em}th,td{border:1px solid #bbb;padding:.25em .5em;text-align:left;vertical-align:top}"
    "th{background:#eef2f7}td.n{text-align:right}.bad{background:#fde0dc}.half{background:#fff4d6}.good{background:#e3f4e1}"
    "meter{width:10em}@media print{body{margin:0;max-width:none}}"
)
_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STATE_CLASS = {"there": "good", "assumed": "half", "missing": "bad", "faulty": "bad"}


def write_check(found: Checkup, county_folder: str | Path, folder: str | Path, *, lang: str = "zh") -> dict[str, Path]:
    """Write what was found as ``check.html`` and ``check.xlsx``.

    The page lists problems, what is missing for which result, what looks implausible, and the score of every stage with how it is
    counted. The workbook has the sheets in which something is wrong, faulty cells coloured and with a remark; of a sheet with more than
    3,000 rows only the faulty ones; of a register of pupils nothing.

    Parameters
    ----------
    found
        From :func:`layout.checkup.check_up`.
    county_folder
        The folder that was looked at.
    folder
        Where the two files go; it is made where it does not exist.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    dict
        Path by file name.

    Examples
    --------
    >>> write_check(found, "county", "maps/county")  # doctest: +SKIP
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    out = {}
    for name, write in (("check.html", _write_page), ("check.xlsx", _write_marked)):
        scratch = folder / f".{name}.{os.getpid()}.part"
        try:
            write(found, Path(county_folder), scratch, lang)
            scratch.replace(folder / name)
        finally:
            scratch.unlink(missing_ok=True)
        out[name] = folder / name
    return out


# --- the page


def _write_page(found: Checkup, _: Path, path: Path, lang: str) -> None:
    def say(key: str, **fields: object) -> str:
        return html.escape(messages.text(f"check.{key}", lang, **fields))

    title = say("title", county=_plain(found.name))
    parts = [
        f'<!DOCTYPE html><html lang="{"zh-CN" if lang == "zh" else "en"}"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_CSP}"><meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>",
        f"<p>{say('problems' if found.problems else 'no_problems', count=len(found.problems))}</p>",
        f"<h2>{say('scores')}</h2><p>{say('counted')}</p>",
        _rows(
            [say(f"col.{c}") for c in ("stage", "score", "there", "assumed", "wanted", "blocked")],
            [
                [
                    (say(f"stage.{r['stage']}"), ""),
                    (f'<meter min="0" max="100" value="{r["score"]}"></meter> {r["score"]}', ""),
                    (str(r["there"]), "n"),
                    (str(r["assumed"]), "n"),
                    (str(r["wanted"]), "n"),
                    (_listed(r["blocked"], say, lang), "bad" if r["blocked"] else ""),
                ]
                for r in found.scores.to_dict("records")
            ],
        ),
    ]
    if found.problems:
        heads = [messages.text(f"cli.problem.{c}", lang) for c in ("file", "sheet", "row", "column", "value", "what", "remedy")]
        rows = [[(html.escape(_plain(v)), "bad" if k == "value" else "") for k, v in _cells(p, lang)] for p in found.problems]
        parts += [f"<h2>{say('list')}</h2>", _rows([html.escape(h) for h in heads], rows)]
    parts += [
        f"<h2>{say('missing')}</h2>",
        _rows(
            [say(f"col.{c}") for c in ("item", "state", "stages", "what_for")],
            [
                [
                    (say(f"item.{r['item']}"), ""),
                    (say(f"state.{r['state']}"), _STATE_CLASS[r["state"]]),
                    (_stages(r["stages"], say, lang), ""),
                    (say(f"lost.{r['item']}") if r["state"] != "there" else "", ""),
                ]
                for r in found.items.to_dict("records")
            ],
        ),
    ]
    notes = describe(found.notes, lang)
    if notes:
        parts += [f"<h2>{say('plausible')}</h2><ul>", *(f"<li>{html.escape(_plain(n))}</li>" for n in notes), "</ul>"]
    parts.append("</body></html>\n")
    path.write_text("".join(parts), encoding="utf-8", newline="\n")


def _rows(heads: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]]) -> str:
    out = ["<table><thead><tr>", *(f"<th>{h}</th>" for h in heads), "</tr></thead><tbody>"]
    for row in rows:
        out += ["<tr>", *(f'<td class="{style}">{cell}</td>' if style else f"<td>{cell}</td>" for cell, style in row), "</tr>"]
    return "".join([*out, "</tbody></table>"])


def _listed(items: str, say, lang: str) -> str:  # type: ignore[no-untyped-def]
    return ("、" if lang == "zh" else ", ").join(say(f"item.{i}") for i in items.split(";") if i)


def _stages(stages: str, say, lang: str) -> str:  # type: ignore[no-untyped-def]
    return ("、" if lang == "zh" else ", ").join(say(f"stage.{s}") for s in STAGES if s in stages.split(";"))


def _cells(problem: Problem, lang: str) -> list[tuple[str, str]]:
    row = "" if problem.row is None else str(problem.row)
    return [
        ("file", problem.file),
        ("sheet", problem.sheet),
        ("row", row),
        ("column", problem.column),
        ("value", problem.value),
        ("what", problem.what(lang)),
        ("remedy", problem.remedy(lang)),
    ]


def _plain(text: object) -> str:
    # control characters have no place on a page or in a cell
    return "".join(" " if ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 else c for c in str(text))


# --- the workbook


def _write_marked(found: Checkup, county_folder: Path, path: Path, lang: str) -> None:
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": _plain(found.name), "created": dt.datetime(2000, 1, 1)})
        head = book.add_format({"bold": True, "bg_color": "#DDEBF7", "text_wrap": True, "border": 1})
        bad = book.add_format({"bg_color": "#FFC7CE", "font_color": "#9C0006"})
        sheet = book.add_worksheet(messages.text("check.list", lang))
        columns = ("file", "sheet", "row", "column", "value", "what", "remedy")
        for j, (name, width) in enumerate(zip(columns, (18, 14, 7, 18, 22, 48, 48), strict=True)):
            sheet.write_string(0, j, messages.text(f"cli.problem.{name}", lang), head)
            sheet.set_column(j, j, width)
        for i, problem in enumerate(found.problems, start=1):
            for j, (_, value) in enumerate(_cells(problem, lang)):
                sheet.write_string(i, j, _plain(value)[:32_000])
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(1, len(found.problems)), len(columns) - 1)
        used = {sheet.get_name().lower()}
        for number, (title, table, cells, own) in enumerate(_faulty_sheets(found, county_folder), start=1):
            name = _sheet_name(title, used, number)
            _write_sheet(book.add_worksheet(name), table, cells, own, head, bad, lang)


def _faulty_sheets(found: Checkup, folder: Path):  # type: ignore[no-untyped-def]
    """Yield title, table, cells and problems of every sheet in which a cell is wrong; a register of pupils is not repeated."""
    own: dict[tuple[str, str], list[Problem]] = {}
    for p in found.problems:
        own.setdefault((p.file, p.sheet), []).append(p)
    files = sorted({file for file, _ in own if (folder / file).is_file() and Path(file).suffix.lower() in (".xlsx", ".xls", ".csv")})
    for file, title, cells in raw_sheets([folder / f for f in files], []):
        problems = own.get((file, title), [])
        table = table_named(title)
        refused = any(p.key == "personal" for p in problems) or any(PERSONAL.search(clean(c)) for row in cells[:_HEAD_ROWS] for c in row)
        if problems and table is not None and not refused and any(p.row for p in problems):
            yield title, table, cells, problems


def _write_sheet(sheet, table: Table, cells: Sequence[Sequence[object]], problems: Sequence[Problem], head, bad, lang: str) -> None:  # type: ignore[no-untyped-def]
    places = _places(table, cells)
    top = places.pop("", 0)
    marked: dict[int, list[Problem]] = {}
    for p in problems:
        if p.row:
            marked.setdefault(p.row - 1, []).append(p)
    rows = range(top, len(cells)) if len(cells) <= _WHOLE_ROWS else [top, *sorted(i for i in marked if i > top)]
    # the first column has the row in the county's own file; columns that the program leaves unread are not repeated
    kept = sorted(places.values())
    sheet.write_string(0, 0, messages.text("cli.problem.row", lang), head)
    for to, i in enumerate(rows):
        if i >= len(cells):
            continue
        if i != top:
            sheet.write_number(to, 0, i + 1)
        wrong = {j: p for p in marked.get(i, []) for j in (_columns(p, table, places) or kept[:1])}
        for k, j in enumerate(kept, start=1):
            value = cells[i][j] if j < len(cells[i]) else ""
            style = head if i == top else bad if j in wrong else None
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value and abs(value) != float("inf"):
                sheet.write_number(to, k, value, style)
            else:
                sheet.write_string(to, k, _plain(clean(value))[:32_000], style)
            if j in wrong and i != top:
                sheet.write_comment(to, k, _plain(f"{wrong[j].what(lang)}\n{wrong[j].remedy(lang)}")[:2_000])
    sheet.freeze_panes(1, 1)


def _places(table: Table, cells: Sequence[Sequence[object]]) -> dict[str, int]:
    """Return the column of every heading of a table that is understood, and under an empty name the row of the headings."""
    wanted: dict[str, str] = {"经度": "lon", "纬度": "lat", "lon": "lon", "lat": "lat"}
    for column in table.columns.values():
        wanted |= {fold(h): column.name for h in (column.zh, column.en, *column.aliases) if h}
    for i, row in enumerate(cells[:_HEAD_ROWS]):
        found = {wanted[fold(c)]: j for j, c in enumerate(row) if fold(c) in wanted}
        if found:
            return {**found, "": i}
    return {"": 0}


def _columns(problem: Problem, table: Table, places: Mapping[str, int]) -> list[int]:
    names = {fold(c.zh): c.name for c in table.columns.values()} | {"经度": "lon", "纬度": "lat"}
    parts = [fold(p) for p in problem.column.replace("+", ",").split(",")]
    return [places[names[p]] for p in parts if p in names and names[p] in places]


def _sheet_name(title: str, used: set[str], number: int) -> str:
    name = "".join("_" if c in "[]:*?/\\'" else c for c in _plain(title))[:26].strip() or "sheet"
    name = f"{name} {number}" if name.lower() in used else name
    used.add(name.lower())
    return name
