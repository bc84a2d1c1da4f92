"""The forms that counties really have, turned into the tables of the data dictionary: merged headings, bins, ages and grades as columns, sums."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from layout.cells import clean, fold
from layout.tables import Problem, Table, schemas

# headings stand among the first rows, under a title and a line of units
HEAD_ROWS = 6
# so many columns of a kind make a form, not a chance heading
_FORM_COLUMNS = 3
_NUMERALS = {c: n for n, c in enumerate("一二三四五六七八九", start=1)}
_AGE = re.compile(r"(\d{1,2})(?:周)?岁?(男|女|合计|小计|计)?")
_AGE_SURE = re.compile(r"\d{1,2}(?:周)?岁")
_GRADE = re.compile(r"(?:小学|初中)?([一二三四五六七八九1-9])年级?(学生数|在校生数?|人数|学生|班数|教学班数?|班级数)?")
_YEAR = re.compile(r"((?:19|20)\d{2})年?(?:出生)?(?:人数|人口)?")
_UNDER = re.compile(r"(?:每班)?(\d+)人?(?:及)?以下(?:的)?(?:班级?)?个?数?")
_BETWEEN = re.compile(r"(?:每班)?(\d+)人?[-—–~至到](\d+)人?(?:的)?(?:班级?)?个?数?")
_OVER = re.compile(r"(?:每班)?(\d+)人?(?:及)?以上(?:的)?(?:班级?)?个?数?")
_SUMS = ("合计", "总计", "小计", "全县合计", "全县总计")
#: Columns of ids that a form may fill with names instead, and the headings of those names.
NAMES = {
    "school_id": ("学校名称", "学校（机构）名称", "学校", "就读学校"),
    "township_id": ("乡镇名称", "所属乡镇", "所在乡镇", "乡镇", "乡镇（街道）"),
    "settlement_id": ("村寨名称", "村名", "村寨", "村", "村（社区）", "所在村"),
    "from_id": ("迁出村寨", "迁出村", "迁出地"),
    "to_id": ("安置点名称", "安置点"),
}  # fmt: skip
#: Columns that official forms of a table lack because they follow from others.
DERIVED = {"schools": ("status", "first_grade", "last_grade")}
# sheets of places and schools themselves
_OWN = ("settlements", "townships", "schools")
# what relocation offices call the columns of their list
_ALSO = {"moves": {"入住时间": "year", "入住年份": "year", "安置户数": "households", "安置人数": "persons"}}


@dataclass(frozen=True)
class Form:
    """Rows of one table as read from a form: headings of the dictionary, cells as text, and the row of the file of each.

    ``table`` is ``_pupils`` for pupils by school and grade without classes.
    """

    table: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    head: int


def headings_of(table: Table) -> dict[str, str]:
    """Return the columns of a table by folded heading; names that stand for ids have an ``@`` behind the id.

    Parameters
    ----------
    table
        Of the data dictionary.

    Returns
    -------
    dict
        Name of the column by heading.

    Examples
    --------
    >>> found = headings_of(schemas()["rosters"])
    >>> found[fold("学校标识码")], found[fold("学校名称")]
    ('school_id', 'school_id@')
    """
    out: dict[str, str] = {}
    for column in table.columns.values():
        # on the sheet of the schools a school's name is its name, elsewhere it stands for its id
        if column.name in NAMES and not (table.name in _OWN and column.name in table.key):
            out |= {fold(h): f"{column.name}@" for h in NAMES[column.name]}
    if table.name == "population":
        # only to tell two villages of one name apart
        out |= {fold(h): "township_id@" for h in NAMES["township_id"]}
    for column in table.columns.values():
        if column.dtype == "point":
            out |= {fold("经度"): "lon", "lon": "lon", "longitude": "lon", fold("纬度"): "lat", "lat": "lat", "latitude": "lat"}
        elif column.dtype != "polygon":
            out |= {fold(h): column.name for h in (column.zh, column.en, *column.aliases)}
    return out | {fold(h): name for h, name in _ALSO.get(table.name, {}).items()}


def read_form(
    title: str, cells: Sequence[Sequence[object]], named: Table | None, tables: Sequence[str], file: str
) -> tuple[list[Form], list[Problem]]:
    """Find the headings of a sheet and turn its rows into rows of the data dictionary's tables.

    Parameters
    ----------
    title
        Of the sheet.
    cells
        Its rows.
    named
        The table that its title names, or None.
    tables
        Names of the tables that a sheet without such a title may be, by its headings.
    file
        For the messages.

    Returns
    -------
    tuple of list of Form and list of Problem
        No form where no table has these headings. Sums below the rows are compared with them and left out.

    Examples
    --------
    >>> heads = ["学校标识码", "年级", "班级总数", "每班25人以下班级个数", "每班26-30人班级个数", "每班31人以上班级个数"]
    >>> cells = [["班额情况"], heads, ["S1", "1", 3, 1, 0, 2]]
    >>> forms, _ = read_form("表2", cells, None, ["class_bins"], "a.xlsx")
    >>> forms[0].table, forms[0].rows
    ('class_bins', (('S1', '1', '0', '25', '1'), ('S1', '1', '26', '30', '0'), ('S1', '1', '31', '', '2')))
    """
    found = _heads(cells, named, tables)
    if found is None:
        return [], []
    head, below, heads = found
    rows = [(i, [clean(c) for c in row]) for i, row in enumerate(cells) if i >= below and any(clean(c) for c in row)]
    rows, problems = _without_sums(rows, heads, file, title, named)
    wide = _wide(heads, rows, head, title)
    if wide:
        return wide, problems
    table = named or _recognised(heads, tables)
    if table is None:
        return [], []
    values = tuple(tuple(row[j] if j < len(row) else "" for j in range(len(heads))) for _, row in rows)
    return [Form(table.name, tuple(heads), values, tuple(i + 1 for i, _ in rows), head + 1)], problems


def grade_number(text: str) -> int | None:
    """Read the grade that a heading names.

    Parameters
    ----------
    text
        A heading.

    Returns
    -------
    int or None
        1 to 9.

    Examples
    --------
    >>> grade_number("一年级"), grade_number("九年级学生数"), grade_number("合计")
    (1, 9, None)
    """
    found = _GRADE.fullmatch(fold(text))
    return None if found is None else _NUMERALS.get(found[1]) or int(found[1])


# --- headings


def _heads(cells: Sequence[Sequence[object]], named: Table | None, tables: Sequence[str]) -> tuple[int, int, list[str]] | None:
    """Return the row of the headings, the first row below them, and the headings, two rows of merged ones as one."""
    filled = [i for i, row in enumerate(cells[:HEAD_ROWS]) if any(clean(c) for c in row)]
    best: tuple[float, int, int, list[str]] | None = None
    wanted = [headings_of(t) for t in ([named] if named else [schemas()[t] for t in tables])]
    for i in filled:
        upper = [clean(c) for c in cells[i]]
        options = [(i + 1, upper)]
        if i + 1 < len(cells):
            merged = _merged(upper, [clean(c) for c in cells[i + 1]])
            options += [(i + 2, merged)] if merged is not None else []
        for below, heads in options:
            score = max(sum(fold(h) in w for h in heads) for w in wanted) + sum(_of_a_form(h) for h in heads)
            # the first of equally good rows, and one row rather than two
            if score and (best is None or score > best[0]):
                best = score, i, below, heads
    if best is None:
        return (filled[0], filled[0] + 1, [clean(c) for c in cells[filled[0]]]) if named and filled else None
    return best[1], best[2], best[3]


def _merged(upper: Sequence[str], lower: Sequence[str]) -> list[str] | None:
    """Put a row of merged headings and the row under it together; None where the lower row is data."""
    width = max(len(upper), len(lower))
    up, low = list(upper) + [""] * (width - len(upper)), list(lower) + [""] * (width - len(lower))
    if not any(low) or any(re.fullmatch(r"[-+\d.,%]+", c) for c in low if c) or not any(not u and b for u, b in zip(up, low, strict=True)):
        return None
    out, last = [], ""
    for u, b in zip(up, low, strict=True):
        last = u or (last if b else "")
        out.append(f"{last}{b}" if b and not _whole(b) else b or u)
    return out


def _whole(text: str) -> bool:
    return bool(_AGE_SURE.match(fold(text))) or grade_number(text) is not None or _bin(text) is not None


def _of_a_form(heading: str) -> bool:
    return _bin(heading) is not None or grade_number(heading) is not None or bool(_AGE_SURE.match(fold(heading)) and _AGE.fullmatch(fold(heading)))


def _bin(heading: str) -> tuple[str, str] | None:
    text = fold(heading)
    if found := _BETWEEN.fullmatch(text):
        return found[1], found[2]
    if found := _UNDER.fullmatch(text):
        return "0", found[1]
    if found := _OVER.fullmatch(text):
        return found[1], ""
    return None


def _recognised(heads: Sequence[str], tables: Sequence[str]) -> Table | None:
    """Return the one table whose key and at least one more required column stand among the headings."""
    found: list[tuple[int, str]] = []
    for name in tables:
        table, wanted = schemas()[name], headings_of(schemas()[name])
        columns = [wanted[fold(h)] for h in heads if fold(h) in wanted]
        there = {c.rstrip("@") for c in columns}
        needed = {c.name for c in table.columns.values() if c.required and c.dtype != "point"} - set(DERIVED.get(name, ()))
        needed |= {"lon", "lat"} if any(c.dtype == "point" for c in table.columns.values()) else set()
        if needed <= there and len(columns) > 1:
            found.append((len(there), name))
    found.sort(reverse=True)
    if not found or (len(found) > 1 and found[0][0] == found[1][0]):
        return None
    return schemas()[found[0][1]]


# --- sums


def _without_sums(
    rows: list[tuple[int, list[str]]], heads: Sequence[str], file: str, title: str, named: Table | None
) -> tuple[list[tuple[int, list[str]]], list[Problem]]:
    """Leave out rows of sums, after comparing them with what they add up."""
    if named is not None and not named.key[0].endswith("_id"):
        return rows, []
    kept: list[tuple[int, list[str]]] = []
    since: list[list[str]] = []
    problems: list[Problem] = []
    texts = [
        j
        for j, h in enumerate(heads)
        if any(fold(h) in (fold(n) for n in names) for names in NAMES.values()) or fold(h).endswith(("码", "_id", "名称"))
    ]
    for i, row in rows:
        first = fold(next((row[j] for j in texts[:3] if j < len(row) and row[j]), row[0] if row else ""))
        if first not in _SUMS:
            kept.append((i, row))
            since.append(row)
            continue
        added = since if first == "小计" else [r for _, r in kept]
        since = []
        for j, head in enumerate(heads):
            given = _number(row[j]) if j < len(row) else None
            parts = [_number(r[j]) if j < len(r) else None for r in added]
            known = [p for p in parts if p is not None]
            counted = given is not None and known and not re.search(r"年份|年级|年龄|码|经度|纬度|_id|比例|上限|下限", head)
            if counted and given is not None and abs(sum(known) - given) > 0.5:
                fields = {"sum": f"{sum(known):g}", "given": f"{given:g}"}
                problems.append(Problem("sum_differs", file, title, i + 1, head, row[j], fields))
    return kept, problems


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


# --- forms whose columns are bins, ages, grades or years


def _wide(heads: Sequence[str], rows: Sequence[tuple[int, list[str]]], head: int, title: str) -> list[Form]:
    bins = {j: b for j, h in enumerate(heads) if (b := _bin(h)) is not None}
    grades = {j: g for j, h in enumerate(heads) if (g := grade_number(h)) is not None}
    ages = {j: m for j, h in enumerate(heads) if (m := _AGE.fullmatch(fold(h))) and _AGE_SURE.match(fold(h))}
    years = {j: m[1] for j, h in enumerate(heads) if (m := _YEAR.fullmatch(fold(h)))}
    if len(bins) >= _FORM_COLUMNS:
        return _bins_form(heads, rows, head, bins)
    if len(grades) >= _FORM_COLUMNS:
        return _grades_form(heads, rows, head, grades, title)
    if len(ages) >= _FORM_COLUMNS:
        return _ages_form(heads, rows, head, ages)
    if len(years) >= _FORM_COLUMNS - 1:
        return _years_form(heads, rows, head, years)
    return []


def _keys(heads: Sequence[str], names: Sequence[str]) -> list[tuple[int, str]]:
    """Return the columns of ids and of names that may stand for them."""
    out: list[tuple[int, str]] = []
    for name in names:
        columns = [c for t in schemas().values() for c in t.columns.values() if c.name == name]
        wanted = {fold(h) for c in columns for h in (c.zh, c.en, *c.aliases)} | {fold(h) for h in NAMES.get(name, ())}
        out += [(j, h) for j, h in enumerate(heads) if fold(h) in wanted]
    return list(dict.fromkeys(out))


def _melted(
    table: str,
    keys: Sequence[tuple[int, str]],
    rows: Sequence[tuple[int, list[str]]],
    head: int,
    names: Sequence[str],
    cells: Mapping[int, Sequence[str]],
) -> Form:
    """Make a row of each filled cell: the keys, what its column says, its value."""
    out, numbers = [], []
    for i, row in rows:
        own = tuple(row[j] if j < len(row) else "" for j, _ in keys)
        for j, said in cells.items():
            value = row[j] if j < len(row) else ""
            if value:
                out.append((*own, *said, value))
                numbers.append(i + 1)
    return Form(table, (*(h for _, h in keys), *names), tuple(out), tuple(numbers), head + 1)


def _bins_form(heads: Sequence[str], rows: Sequence[tuple[int, list[str]]], head: int, bins: Mapping[int, tuple[str, str]]) -> list[Form]:
    keys = _keys(heads, ("school_id", "grade"))
    cells = {j: said for j, said in bins.items()}
    forms = [_graded(_melted("class_bins", keys, rows, head, ("班额下限", "班额上限", "班数"), cells))]
    columns = {
        c.name: [j for j, h in enumerate(heads) if fold(h) in {fold(x) for x in (c.zh, *c.aliases)}]
        for c in schemas()["class_totals"].columns.values()
    }
    if columns["pupils"] and columns["classes"]:
        chosen = [*keys, (columns["classes"][0], "班数"), (columns["pupils"][0], "学生数")]
        values = tuple(tuple(row[j] if j < len(row) else "" for j, _ in chosen) for _, row in rows)
        forms.append(_graded(Form("class_totals", tuple(h for _, h in chosen), values, tuple(i + 1 for i, _ in rows), head + 1)))
    return forms


def _graded(form: Form) -> Form:
    """Write grades in words as numbers."""
    places = [j for j, h in enumerate(form.headings) if fold(h) == "年级"]
    rows = tuple(tuple(str(grade_number(c) or c) if j in places else c for j, c in enumerate(row)) for row in form.rows)
    return Form(form.table, form.headings, rows, form.numbers, form.head)


def _grades_form(heads: Sequence[str], rows: Sequence[tuple[int, list[str]]], head: int, grades: Mapping[int, int], title: str) -> list[Form]:
    keys = _keys(heads, ("school_id", "year"))
    measures = {j: "classes" if "班" in fold(heads[j]).split("年级")[-1] else "pupils" for j in grades}
    if any(fold(h) == fold("年份") for _, h in keys) or "历年" in title:
        return [_melted("history", keys, rows, head, ("年级", "学生数"), {j: (str(g),) for j, g in grades.items() if measures[j] == "pupils"})]
    schools = [k for k in keys if fold(k[1]) != fold("年份")]
    if "classes" not in measures.values():
        return [_melted("_pupils", schools, rows, head, ("年级", "学生数"), {j: (str(g),) for j, g in grades.items()})]
    out, numbers = [], []
    for i, row in rows:
        own = tuple(row[j] if j < len(row) else "" for j, _ in schools)
        for grade in sorted(set(grades.values())):
            found = {measures[j]: row[j] for j, g in grades.items() if g == grade and j < len(row)}
            if found.get("classes") or found.get("pupils"):
                out.append((*own, str(grade), found.get("classes", ""), found.get("pupils", "")))
                numbers.append(i + 1)
    return [Form("class_totals", (*(h for _, h in schools), "年级", "班数", "学生数"), tuple(out), tuple(numbers), head + 1)]


def _ages_form(heads: Sequence[str], rows: Sequence[tuple[int, list[str]]], head: int, ages: Mapping[int, re.Match[str]]) -> list[Form]:
    keys = _keys(heads, ("settlement_id", "township_id"))
    parts = {j: (m[1], m[2] if m[2] in ("男", "女") else "合计") for j, m in ages.items()}
    sexes = {sex for _, sex in parts.values()}
    if sexes >= {"男", "女"}:
        # a sum beside men and women would count everybody twice
        parts = {j: said for j, said in parts.items() if said[1] != "合计"}
    return [_melted("population", keys, rows, head, ("年龄", "性别", "常住人口"), parts)]


def _years_form(heads: Sequence[str], rows: Sequence[tuple[int, list[str]]], head: int, years: Mapping[int, str]) -> list[Form]:
    keys = _keys(heads, ("township_id",))
    return [_melted("births", keys, rows, head, ("年份", "出生人数"), {j: (y,) for j, y in years.items()})] if keys else []
