"""What each table is: key, columns, dtype, unit, meaning, headings; and the one way to check it."""

from __future__ import annotations

import csv
import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import geopandas as gpd
import numpy as np
import pandas as pd

from layout import messages

BANDS: Mapping[str, tuple[int, ...]] = {"lower": (1, 2, 3), "upper": (4, 5, 6), "junior": (7, 8, 9)}
GRADES = tuple(range(1, 10))
# a year with four figures, not one of a hundred years ago or to come
_YEARS = (1950, 2100)
# only a net rate (of migration), what is left over or short, and what is lost against another plan may be below zero
_SIGNED = {
    "value", "difference", "balance", "regret_without_place", "regret_beyond_limit", "regret_excess_minutes", "regret_above_standard",
    "regret_cost_yuan", "regret_pupil_minutes",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column of a table: dtype, unit, meaning and the headings by which a file names it.

    ``required``: the column must be there; ``filled``: every row must have a value; ``words_en``: English words of codes that do not say
    what they mean.
    """

    name: str
    dtype: str
    required: bool
    filled: bool
    unit: str
    zh: str
    en: str
    aliases: tuple[str, ...]
    values: Mapping[str, str]
    synonyms: Mapping[str, str]
    meaning_zh: str
    meaning_en: str
    words_en: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """One table: its sheet name, key and columns."""

    name: str
    zh: str
    meaning_zh: str
    meaning_en: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the input: where, which value, what, and what to do."""

    key: str
    file: str = ""
    sheet: str = ""
    row: int | None = None
    column: str = ""
    value: str = ""
    fields: Mapping[str, object] = field(default_factory=dict)

    def what(self, lang: str) -> str:
        """Say what is wrong."""
        return messages.text(f"problem.{self.key}.what", lang, **self.fields)

    def remedy(self, lang: str) -> str:
        """Say what to do about it."""
        return messages.text(f"problem.{self.key}.remedy", lang, **self.fields)

    def line(self, lang: str) -> str:
        """Say everything in one line."""
        places = [self.file]
        for part, value in (("sheet", self.sheet), ("row", self.row), ("column", self.column), ("value", self.value)):
            if value not in ("", None):
                places.append(messages.text(f"problem.place.{part}", lang, value=value))
        where = messages.text("problem.place.join", lang).join(p for p in places if p)
        return messages.text("problem.line", lang, where=where, what=self.what(lang), remedy=self.remedy(lang))


class CountyDataError(ValueError):
    """The county's data have problems; all of them are listed.

    Parameters
    ----------
    problems
        Every problem that was found.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems; the message lists them in both languages."""
        self.problems = tuple(problems)
        super().__init__("\n\n".join(self.text(lang) for lang in messages.LANGUAGES))

    def text(self, lang: str = "zh") -> str:
        """List every problem in one language, one line each under a headline."""
        head = messages.text("problem.headline", lang, count=len(self.problems))
        return "\n".join([head, *(f"- {p.line(lang)}" for p in self.problems)])

    def table(self, lang: str = "zh") -> pd.DataFrame:
        """Return the problems as a table: file, sheet, row, column, value, what, remedy."""
        rows = [
            {"file": p.file, "sheet": p.sheet, "row": p.row, "column": p.column, "value": p.value,
             "what": p.what(lang), "remedy": p.remedy(lang)}
            for p in self.problems
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["file", "sheet", "row", "column", "value", "what", "remedy"])


@functools.cache
def schemas() -> Mapping[str, Table]:
    """Read what every table is.

    Returns
    -------
    Mapping[str, Table]
        Table by name, in the order of the data dictionary.

    Examples
    --------
    >>> schemas()["moves"].key
    ('from_id', 'to_id', 'year')
    """
    text = files("layout").joinpath("tables.csv").read_text(encoding="utf-8")
    heads: dict[str, dict[str, str]] = {}
    columns: dict[str, dict[str, Column]] = {}
    keys: dict[str, list[tuple[int, str]]] = {}
    # only rows with codes that English readers would not understand have the last field
    for row in csv.DictReader(text.splitlines(), restval=""):
        name = row["table"]
        if not row["column"]:
            heads[name], columns[name], keys[name] = row, {}, []
            continue
        # code=word/other words: the first is shown, all are understood
        words = {code: text.split("/") for code, text in (pair.split("=", 1) for pair in row["values"].split("|") if pair)}
        values = {code: text[0] for code, text in words.items()}
        synonyms = {word: code for code, text in words.items() for word in text}
        columns[name][row["column"]] = Column(
            name=row["column"], dtype=row["dtype"], required=row["required"] != "no", filled=row["required"] == "yes", unit=row["unit"],
            zh=row["zh"], en=row["en"], aliases=tuple(a for a in row["aliases"].split("|") if a), values=values, synonyms=synonyms,
            meaning_zh=row["meaning_zh"], meaning_en=row["meaning_en"],
            words_en=dict(pair.split("=", 1) for pair in row["values_en"].split("|") if pair),
        )  # fmt: skip
        if row["key"]:
            keys[name].append((int(row["key"]), row["column"]))
    return {
        name: Table(
            name, head["zh"], head["meaning_zh"], head["meaning_en"],
            tuple(c for _, c in sorted(keys[name])), columns[name],
        )
        for name, head in heads.items()
    }  # fmt: skip


def label(table: str, column: str, value: str, lang: str = "zh") -> str:
    """Return the word that people read for a coded value.

    Parameters
    ----------
    table, column
        Where the value stands.
    value
        The code; an unknown one is returned as it is.
    lang
        ``zh`` for the Chinese word, ``en`` for the English ones: the code with spaces where it says what it means.

    Returns
    -------
    str
        The word.

    Examples
    --------
    >>> label("schools", "kind", "teaching_point")
    '教学点'
    >>> label("schools", "kind", "teaching_point", "en")
    'teaching point'
    >>> label("merger_gates", "state", "people", "en")
    'for people to judge'
    """
    known = schemas()[table].columns[column]
    return known.values.get(value, value) if lang == "zh" else known.words_en.get(str(value), str(value).replace("_", " "))


def band_of(grade: int) -> str:
    """Return the grade band: lower 1-3, upper 4-6, junior 7-9.

    Parameters
    ----------
    grade
        Grade, 1 to 9.

    Returns
    -------
    str
        Name of the band.

    Raises
    ------
    ValueError
        If the grade is not one of 1 to 9.

    Examples
    --------
    >>> [band_of(g) for g in (1, 3, 4, 9)]
    ['lower', 'lower', 'upper', 'junior']
    """
    for band, grades in BANDS.items():
        if grade in grades:
            return band
    raise ValueError(f"grade must be 1 to 9, not {grade}")


def age_span(text: object) -> tuple[int, int | None] | None:
    """Return the ages that an age group means.

    Parameters
    ----------
    text
        ``0-14``, ``60+``, ``85岁及以上``, a single age, or the total (合计, total).

    Returns
    -------
    tuple or None
        First and last age, the last None for an open group; None for what is no age group.

    Examples
    --------
    >>> age_span("5—9岁"), age_span("85岁及以上"), age_span("3"), age_span("合计"), age_span("young")
    ((5, 9), (85, None), (3, 3), (0, None), None)
    """
    plain = re.sub(r"[\s岁周]|years?|yrs?", "", unicodedata.normalize("NFKC", str(text)).lower()).removesuffix(".0")
    if plain in ("", "合计", "总计", "全部", "总人口", "total", "all"):
        return 0, None
    if found := re.fullmatch(r"(\d{1,3})(\+|及以上|以上|andover|andabove)", plain):
        return int(found[1]), None
    if found := re.fullmatch(r"(\d{1,3})(?:(?:[-–—~～到至]+|to)(\d{1,3}))?", plain):
        low, high = int(found[1]), int(found[2] or found[1])
        return (low, high) if low <= high else None
    return None


def check(name: str, frame: pd.DataFrame, *, file: str = "", sheet: str = "", rows: Sequence[int] | None = None) -> pd.DataFrame:
    """Return the table in its canonical form, or raise a list of everything that is wrong with it.

    Columns are put in the order of the schema, dtypes set, optional columns that are absent added empty, columns that
    the schema does not know kept at the end, and rows sorted by the key.

    Parameters
    ----------
    name
        Name of the table.
    frame
        Its rows; not changed.
    file, sheet
        Where the rows come from, for the messages.
    rows
        Number of each row in the file, for the messages; without it rows count from 1.

    Returns
    -------
    pandas.DataFrame
        The table; a GeoDataFrame where the schema has a geometry.

    Raises
    ------
    CountyDataError
        Missing columns, missing or repeated keys, text in a number, numbers that are negative, not whole or not
        finite, values outside the list, geometries missing or of another kind.

    Examples
    --------
    >>> births = pd.DataFrame({"township_id": ["b", "a"], "year": [2020, 2020], "births": [3, 4]})
    >>> check("births", births).township_id.tolist()
    ['a', 'b']
    """
    out, problems = inspect(name, frame, file=file, sheet=sheet, rows=rows)
    if problems:
        raise CountyDataError(problems)
    return out


def inspect(
    name: str, frame: pd.DataFrame, *, file: str = "", sheet: str = "", rows: Sequence[int] | None = None
) -> tuple[pd.DataFrame, list[Problem]]:
    """Return the table as far as it can be put in form, and everything that is wrong with it.

    Parameters
    ----------
    name, frame, file, sheet, rows
        As in :func:`check`.

    Returns
    -------
    tuple of pandas.DataFrame and list of Problem
        The rows without fault, and the problems.

    Examples
    --------
    >>> _, problems = inspect("births", pd.DataFrame({"township_id": ["a"], "year": [2020], "births": [-4]}))
    >>> problems[0].key
    'negative'
    """
    schema = schemas()[name]
    numbers = np.asarray(rows if rows is not None else np.arange(1, len(frame) + 1))
    out, problems = frame.copy(), []
    bad = np.zeros(len(out), bool)

    def blame(key: str, mask: np.ndarray, column: Column, **fields: object) -> None:
        bad[mask] = True
        for i in np.flatnonzero(mask):
            value = "" if column.dtype in ("point", "polygon") else str(frame[column.name].iloc[i]).removesuffix(".0")
            problems.append(Problem(key, file, sheet, int(numbers[i]), column.zh, "" if value == "nan" else value, fields))

    for column in schema.columns.values():
        if column.name not in out.columns:
            if column.required:
                problems.append(Problem("missing_column", file, sheet, None, column.zh, "", {"heading": f"{column.zh} ({column.en})"}))
            else:
                out[column.name] = _missing(column, len(out))
            continue
        _inspect_column(out, column, blame)
    known = [c for c in schema.columns if c in out.columns]
    out = out[known + [c for c in out.columns if c not in schema.columns]]
    if all(k in out.columns for k in schema.key):
        repeated = out.duplicated(list(schema.key), keep="first").to_numpy() & ~bad
        for i in np.flatnonzero(repeated):
            key = " / ".join(str(v) for v in out[list(schema.key)].iloc[i])
            same = (out[list(schema.key)] == out[list(schema.key)].iloc[i]).all(axis=1).to_numpy()
            first = int(numbers[np.flatnonzero(same)[0]])
            problems.append(
                Problem("duplicate", file, sheet, int(numbers[i]), " + ".join(schema.columns[k].zh for k in schema.key), key, {"first": first})
            )
        bad |= repeated
        out = out[~bad].sort_values(list(schema.key), kind="stable").reset_index(drop=True)
    return out, problems


def empty(name: str, crs: object = None) -> pd.DataFrame:
    """Return the table without rows.

    Parameters
    ----------
    name
        Name of the table.
    crs
        Coordinate system of its geometry, where it has one.

    Returns
    -------
    pandas.DataFrame
        No rows, every column with its dtype.

    Examples
    --------
    >>> len(empty("moves")), list(empty("zones").columns)
    (0, ['settlement_id', 'band', 'school_id'])
    """
    columns = schemas()[name].columns.values()
    data = {c.name: _missing(c, 0) for c in columns if c.dtype not in ("point", "polygon")}
    if len(data) == len(list(columns)):
        return pd.DataFrame(data)
    return gpd.GeoDataFrame(data, geometry=gpd.GeoSeries([], crs=crs), crs=crs)


def data_dictionary() -> str:
    """Print every table as Markdown, in both languages: the text of ``data/README.md``.

    Returns
    -------
    str
        Markdown.

    Examples
    --------
    >>> data_dictionary().startswith("# ")
    True
    """
    lines = [messages.text("dictionary.head", "zh"), "", messages.text("dictionary.head", "en"), ""]
    for table in schemas().values():
        lines += [f"## {table.zh} `{table.name}`", "", f"{table.meaning_zh} / {table.meaning_en}", ""]
        lines += ["| 列 column | 表头 heading | dtype | 单位 unit | 必填 required | 含义 meaning |", "|---|---|---|---|---|---|"]
        for column in table.columns.values():
            star = " 🔑" if column.name in table.key else ""
            headings = ", ".join(h for h in (column.zh, *column.aliases) if h)
            values = "; ".join(f"`{k}` {v}" for k, v in column.values.items())
            meaning = f"{column.meaning_zh} / {column.meaning_en}" + (f" ({values})" if values else "")
            need = "yes" if column.required else ""
            lines.append(f"| `{column.name}`{star} | {headings} | {column.dtype} | {column.unit} | {need} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def whole(values: pd.Series, groups: Iterable[pd.Series]) -> pd.Series:
    """Round expected counts to whole ones by the largest remainder, keeping each group's rounded total.

    Parameters
    ----------
    values
        Expected counts, not negative.
    groups
        One or more Series with the index of ``values``: rows that share all of them form a group.

    Returns
    -------
    pandas.Series
        Whole counts (int64) with the index of ``values``. Ties go to the earlier row.

    References
    ----------
    Largest-remainder (Hamilton) method of apportionment.

    Examples
    --------
    >>> whole(pd.Series([0.6, 0.6, 0.8]), [pd.Series([1, 1, 1])]).tolist()
    [1, 0, 1]
    """
    floor = np.floor(values.to_numpy(float) + 1e-9)
    rest = np.round(values.to_numpy(float) - floor, 9)
    codes = pd.MultiIndex.from_arrays([np.asarray(g) for g in groups]).factorize()[0]
    size = codes.max() + 1 if len(codes) else 0
    quota = np.floor(np.bincount(codes, rest, minlength=size) + 0.5 + 1e-9)
    # rank rows of a group by falling remainder; the first `quota` of them get one more
    order = np.lexsort((np.arange(len(rest)), -rest, codes))
    starts = np.zeros(size, int)
    np.add.at(starts, codes, 1)
    first = np.concatenate([[0], np.cumsum(starts)[:-1]]) if size else starts
    rank = np.empty(len(rest), int)
    rank[order] = np.arange(len(rest)) - first[codes[order]]
    return pd.Series((floor + (rank < quota[codes])).astype("int64"), index=values.index)


def _missing(column: Column, length: int) -> pd.Series:
    if column.dtype == "str":
        return pd.Series([""] * length, dtype="str")
    if column.dtype == "bool":
        return pd.Series([False] * length, dtype=bool)
    if column.dtype == "int" and column.required:
        return pd.Series([0] * length, dtype="int64")
    return pd.Series([np.nan] * length, dtype="float64")


def _may_be_negative(name: str) -> bool:
    return name in _SIGNED or name.endswith("_change")


def _inspect_column(out: pd.DataFrame, column: Column, blame) -> None:  # type: ignore[no-untyped-def]
    values = out[column.name]
    if column.dtype in ("point", "polygon"):
        shapes = gpd.GeoSeries(values)
        blame("no_geometry", (shapes.isna() | shapes.is_empty).to_numpy(), column)
        kinds = ("Point",) if column.dtype == "point" else ("Polygon", "MultiPolygon")
        blame("wrong_geometry", (~shapes.geom_type.isin(kinds) & ~shapes.isna()).to_numpy(), column, expected=kinds[0])
        return
    gone = values.isna().to_numpy()
    if not pd.api.types.is_numeric_dtype(values.dtype):
        # distinct values are few where rows are millions
        codes, distinct = pd.factorize(values.astype("str"))
        gone = gone | np.append(np.array([str(v).strip() == "" for v in distinct], bool), False)[codes]
    if column.filled:
        blame("missing_value", gone, column)
    if column.dtype == "str":
        out[column.name] = values.astype("str").where(~gone, "")
        if column.values:
            blame("not_in_list", ~gone & ~out[column.name].isin(list(column.values)).to_numpy(), column,
                  allowed="、".join(f"{zh} ({code})" for code, zh in column.values.items()))  # fmt: skip
        return
    if column.dtype == "bool":
        out[column.name] = values.where(~gone, False).astype(bool)
        return
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(float)
    blame("not_a_number", ~gone & ~np.isfinite(numbers), column)
    blame("negative", np.isfinite(numbers) & (numbers < 0) & (not _may_be_negative(column.name)), column)
    if column.dtype == "int":
        blame("not_whole", np.isfinite(numbers) & (numbers >= 0) & (numbers != np.round(numbers)), column)
    if column.name == "earliest_year":
        # a site opens from that year on: 26 for 2026 would let it open at once
        blame("not_a_year", np.isfinite(numbers) & (numbers >= 0) & ((numbers < _YEARS[0]) | (numbers > _YEARS[1])), column)
    if column.dtype == "int" and column.required and np.isfinite(numbers).all():
        out[column.name] = np.round(numbers).astype("int64")
    else:
        out[column.name] = numbers
