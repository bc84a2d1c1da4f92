"""A register of pupils (学籍) becomes counts by place, school and grade on the office's own machine; no name, number or address survives."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from layout.cells import clean, fold, is_id_number
from layout.sheets import raw_sheets
from layout.tables import GRADES, CountyDataError, Problem, check, empty, schemas

# headings of the register, and of the lists that schools keep beside it
_HEADINGS = {
    "school_id": ("学校标识码", "学校（机构）标识码", "学校代码", "school_id"),
    "school": ("学校名称", "学校（机构）名称", "就读学校", "学校"),
    "grade": ("年级", "年级名称", "就读年级", "grade"),
    "class": ("班级", "班级名称", "班号"),
    "mode": ("就读方式",),
    "boards": ("是否住校", "住校", "是否寄宿", "寄宿"),
    "sex": ("性别",),
    "place_id": ("居住地编码", "村寨编码", "村编码", "村代码", "现住址行政区划代码", "行政区划代码"),
    "place": ("村寨名称", "村寨", "村", "村（社区）", "所在村", "居住村"),
    "township": ("乡镇", "乡镇名称", "所在乡镇", "乡镇（街道）"),
    "address": ("现住址", "家庭住址", "家庭地址", "现住址详细地址", "通信地址", "住址"),
}  # fmt: skip
_NUMERALS = {c: n for n, c in enumerate("一二三四五六七八九", start=1)}
# how a pupil comes: 1 by day, 2 boards, 3 lodges elsewhere, 4 otherwise; a code may stand before its word
_BOARDS, _BY_DAY = {"2", "住校", "住校生", "寄宿", "寄宿生", "住宿", "住宿生", "住读"}, {"1", "3", "4", "走读", "走读生", "通学", "借宿", "其他", ""}
# where the heading asks whether: 2 stands for no in some lists and for boarding in others, so it is neither
_YES, _NO = {"1", "是", "有", "√", "y", "yes", "true"}, {"0", "否", "无", "×", "n", "no", "false", ""}
# a heading stands among the first lines, under a title and a line of units
_HEAD_ROWS = 6
# an id that may leave the register: a code, never a citizen's number
_CODE = re.compile(r"[0-9A-Za-z_-]{1,20}")


def aggregate_register(
    path: str | Path, *, settlements: pd.DataFrame, townships: pd.DataFrame, schools: pd.DataFrame, code: str = ""
) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """Count the pupils of a register by place of residence, school and grade.

    Parameters
    ----------
    path
        ``.xlsx``, ``.xls`` or ``.csv`` (UTF-8, GB18030) with one row a pupil; every sheet with headings of a register is read.
    settlements, townships, schools
        Ids and names of the county's places and schools; a place is known by its code, or else by the names in the address.
    code
        Code of the county; a place code that begins otherwise is outside of it.

    Returns
    -------
    tuple of dict and dict
        Tables ``residence`` (where the register has places), ``boarding`` (where it says who boards) and ``rosters`` (where it has
        classes), and the numbers of pupils: ``pupils``, of them ``township`` (only the township was recognised), ``outside`` and
        ``unplaced`` (no place recognised: in no row of ``residence``), and ``boarders``.

    Raises
    ------
    CountyDataError
        If the file cannot be read, has no heading of a grade or school, or rows whose grade, school or way of attending is unknown. Values
        are not repeated: they may be a pupil's.

    Examples
    --------
    >>> import tempfile
    >>> text = "姓名,学校名称,年级,现住址\\n甲,S1小学,一年级,甲乡A村三组\\n乙,S1小学,一年级,甲乡B村\\n"
    >>> file = Path(tempfile.mkdtemp()) / "register.csv"
    >>> _ = file.write_text(text, encoding="utf-8")
    >>> tables, counts = aggregate_register(file, settlements=paper.settlements, townships=paper.townships, schools=paper.schools)
    >>> tables["residence"].values.tolist()
    [['A', 'S1', 1, 1.0], ['B', 'S1', 1, 1.0]]
    """
    path = Path(path)
    problems: list[Problem] = []
    place_of = _places(settlements, townships, code)
    ids = set(schools["school_id"].astype("str"))
    by_name = _unique(zip(schools["name"], schools["school_id"], strict=True))
    residence: Counter[tuple[str, str, int]] = Counter()
    classes: Counter[tuple[str, int, str]] = Counter()
    boarders: Counter[tuple[str, int]] = Counter()
    girls: Counter[tuple[str, int]] = Counter()
    counts: Counter[str] = Counter()
    seen: set[str] = set()
    for file, title, cells in raw_sheets([path], problems):
        head, columns = _heading(cells)
        if not {"grade"} <= set(columns) or not {"school", "school_id"} & set(columns):
            continue
        seen |= set(columns)
        for row, values in _rows(cells, head, columns):
            school = _school(values, ids, by_name)
            grade = grade_of(values.get("grade", ""))
            boards = _boards(values)
            unread = (("register_school", school, "学校"), ("register_grade", grade, "年级"), ("register_mode", boards, "就读方式"))
            problems += [Problem(key, file, title, row, heading) for key, known, heading in unread if known is None]
            if school is None or grade is None:
                continue
            counts["pupils"] += 1
            if "class" in columns:
                classes[school, grade, fold(values.get("class", ""))] += 1
            if boards:
                counts["boarders"] += 1
                boarders[school, grade] += 1
                girls[school, grade] += fold(values.get("sex", "")) in ("女", "2", "女性")
            where, kind = place_of(values)
            counts[kind] += 1
            if kind != "unplaced":
                residence[where, school, grade] += 1
    if not problems and not counts["pupils"]:
        wanted = "、".join((_HEADINGS["school"][0], _HEADINGS["grade"][0], _HEADINGS["address"][0]))
        problems.append(Problem("register_headings", path.name, fields={"wanted": wanted}))
    if problems:
        raise CountyDataError(_some_of_each(problems))
    tables = {
        "residence": _table("residence", [(*k, float(n)) for k, n in residence.items()]),
        "rosters": _table("rosters", _numbered(classes)),
        "boarding": _table("boarding", [(s, g, n, *([girls[s, g]] if "sex" in seen else [])) for (s, g), n in boarders.items()]),
    }
    return {name: table for name, table in tables.items() if len(table)}, {
        k: counts[k] for k in ("pupils", "township", "outside", "unplaced", "boarders")
    }


def grade_of(text: str) -> int | None:
    """Read a grade as people write it.

    Parameters
    ----------
    text
        ``一年级``, ``小学三年级``, ``7``, ``初二``, ``八年级``.

    Returns
    -------
    int or None
        1 to 9; None for anything else.

    Examples
    --------
    >>> [grade_of(t) for t in ("一年级", "小学三年级", "7", "初二", "初中七年级", "２", "高一", "2019级")]
    [1, 3, 7, 8, 7, 2, None, None]
    """
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", str(text))).removesuffix(".0")
    found = re.fullmatch(r"(小学|初中|初|普通小学|普通初中)?([一二三四五六七八九1-9])(年级|年)?(\(?\d+\)?班)?", plain)
    if not found:
        return None
    number = _NUMERALS.get(found[2]) or int(found[2])
    # 初一 is grade 7; 初中七年级 too
    grade = number + 6 if found[1] in ("初", "初中", "普通初中") and number <= 3 else number
    return grade if grade in GRADES else None


def _heading(cells: Sequence[Sequence[object]]) -> tuple[int, dict[str, int]]:
    """Return the row of the headings and the column of each; a merged title or a line of units stands above."""
    wanted = {fold(h): name for name, headings in _HEADINGS.items() for h in headings}
    best: tuple[int, dict[str, int]] = (0, {})
    for i, row in enumerate(cells[:_HEAD_ROWS]):
        found: dict[str, int] = {}
        for j, cell in enumerate(row):
            name = wanted.get(fold(cell))
            if name is not None:
                found.setdefault(name, j)
        if len(found) > len(best[1]):
            best = i, found
    return best


def _rows(cells: Sequence[Sequence[object]], head: int, columns: Mapping[str, int]) -> Iterator[tuple[int, dict[str, str]]]:
    for i, row in enumerate(cells[head + 1 :], start=head + 2):
        values = {name: clean(row[j]) for name, j in columns.items() if j < len(row)}
        first = fold(next((clean(c) for c in row if clean(c)), ""))
        # sums under a list, and blank lines
        if first and not first.startswith(("合计", "总计", "小计")):
            yield i, values


def _boards(values: Mapping[str, str]) -> bool | None:
    """Say whether a pupil boards; None where that cannot be read."""
    mode, asked = fold(values.get("mode", "")), fold(values.get("boards", ""))
    word = re.sub(r"^0?[1-4][-.、_:：]?(?=\D)", "", mode).strip("-.、_:： ") or mode
    word = word.lstrip("0") if word.isdigit() else word
    if word in _BOARDS or asked in _YES or asked in _BOARDS - {"2"}:
        return True
    return False if word in _BY_DAY and asked in _NO | _BY_DAY - {"3", "4"} else None


def _school(values: Mapping[str, str], ids: set[str], by_name: Mapping[str, str]) -> str | None:
    given = unicodedata.normalize("NFKC", values.get("school_id", ""))
    if given in ids and _CODE.fullmatch(given) and not is_id_number(given):
        return given
    return by_name.get(_plain(values.get("school", "")))


def _places(settlements: pd.DataFrame, townships: pd.DataFrame, code: str):  # type: ignore[no-untyped-def]
    """Return what finds the place of a pupil: by its code, by the names of village and township, or by an address."""
    known = {str(i) for i in settlements["settlement_id"]} | {str(i) for i in townships["township_id"]}
    towns = _unique(zip(townships["name"], townships["township_id"], strict=True))
    homes: dict[str, list[tuple[str, str]]] = {}
    for settlement, name, township in zip(settlements["settlement_id"], settlements["name"], settlements["township_id"], strict=True):
        if _plain(name):
            homes.setdefault(_plain(name), []).append((str(settlement), str(township)))
    patterns = [re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True)))) if names else None for names in (homes, towns)]
    cache: dict[tuple[str, ...], tuple[str, str]] = {}

    def find(values: Mapping[str, str]) -> tuple[str, str]:
        given = unicodedata.normalize("NFKC", values.get("place_id", ""))
        if given in known:
            return given, "place"
        if code and re.fullmatch(r"\d{12}", given) and not given.startswith(code[:6]):
            return "", "outside"
        key = tuple(values.get(name, "") for name in ("township", "place", "address"))
        if key not in cache:
            cache[key] = _found(_plain("".join(key)), homes, towns, patterns)
        return cache[key]

    return find


def _found(
    text: str, homes: Mapping[str, list[tuple[str, str]]], towns: Mapping[str, str], patterns: Sequence[re.Pattern[str] | None]
) -> tuple[str, str]:
    named = {towns[name] for name in (patterns[1].findall(text) if patterns[1] else [])}
    # a village may be named like its township, which stands in every address there
    rest = patterns[1].sub(" ", text) if patterns[1] else text
    villages = set(patterns[0].findall(rest)) if patterns[0] else set()
    places = {place for name in villages for place in homes[name]}
    if named:
        places = {place for place in places if place[1] in named}
    if len(places) == 1:
        return places.pop()[0], "place"
    # two villages of that name, or none: the township is known all the same
    return (named.pop(), "township") if len(named) == 1 else ("", "unplaced")


def _plain(text: object) -> str:
    return fold(text)


def _unique(pairs) -> dict[str, str]:  # type: ignore[no-untyped-def]
    """Return ids by folded name, names that two bear left out."""
    out: dict[str, str] = {}
    twice = set()
    for name, value in pairs:
        plain = _plain(name)
        twice |= {plain} if plain in out else set()
        out[plain] = str(value)
    return {name: value for name, value in out.items() if name and name not in twice}


def _numbered(classes: Mapping[tuple[str, int, str], int]) -> list[tuple[str, int, int, int]]:
    """Number the classes of each grade in the order of their names, of which nothing else is kept."""
    out, last = [], ("", 0)
    number = 0
    for (school, grade, _), pupils in sorted(classes.items(), key=lambda item: (item[0][0], item[0][1], len(item[0][2]), item[0][2])):
        number = number + 1 if (school, grade) == last else 1
        last = school, grade
        out.append((school, grade, number, pupils))
    return out


def _table(name: str, rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    if not rows:
        return empty(name)
    columns = list(schemas()[name].columns)[: len(rows[0])]
    return check(name, pd.DataFrame(rows, columns=columns))


def _some_of_each(problems: Sequence[Problem]) -> list[Problem]:
    """Say each kind of problem of a sheet once, with the number of its rows: a list of a thousand pupils helps nobody."""
    out: dict[tuple[str, str, str], Problem] = {}
    counts: Counter[tuple[str, str, str]] = Counter()
    for p in problems:
        key = p.key, p.file, p.sheet
        counts[key] += 1
        out.setdefault(key, p)
    return [
        Problem(p.key, p.file, p.sheet, p.row, p.column, p.value, {**p.fields, "count": counts[key]} if p.key.startswith("register_") else p.fields)
        for key, p in out.items()
    ]
