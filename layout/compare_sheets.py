"""The tables of a comparison of two plans as an Excel workbook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from layout import messages
from layout.compare import BUILT, FIGURES, TABLES, Comparison
from layout.pages import Field, Page, heading, school_names, sheet_title, township_names
from layout.privacy import AUDIENCES
from layout.tables import BANDS, label, schemas
from layout.workbook import write_pages

# tables whose rows without a difference would bury the others: what tells that a row differs
_LONG = ("compared_villages", "compared_schools")
# how a column is written, by its unit and by its dtype
_UNITS = {"year": "year", "minutes": "minutes", "yuan": "money"}
_DTYPES = {"int": "int", "float": "number", "str": "text", "bool": "text"}


def write_comparison(
    found: Comparison, path: str | Path, *, names: Sequence[str] = ("", ""), lang: str = "zh", audience: str = "internal"
) -> None:  # fmt: skip
    """Write the tables of a comparison as an Excel workbook; villages and schools that do not differ are counted in the guide only.

    Parameters
    ----------
    found
        From :func:`layout.compare_plans`.
    path
        File to write; an earlier one is replaced.
    names
        What the two plans are called, beside A and B.
    lang
        ``zh`` or ``en``.
    audience
        ``internal`` only, as in :func:`layout.draw_comparison`.

    Raises
    ------
    ValueError
        If the language or the audience is unknown, or the audience is ``public``.

    Examples
    --------
    >>> write_comparison(found, "compare.xlsx")  # doctest: +SKIP
    """
    messages.catalogue(lang)
    if audience not in AUDIENCES:
        raise ValueError(f"audience must be one of {', '.join(AUDIENCES)}, not {audience!r}")
    if audience == "public":
        raise ValueError(messages.text("compare.internal_only", lang))
    pages = [_guide(found, names, lang), *(_page(found, name, lang) for name in TABLES)]
    write_pages(pages, path, stamp=messages.text("workbook.stamp.internal", lang), county=found.a.county.name, lang=lang)


def _guide(found: Comparison, names: Sequence[str], lang: str) -> Page:
    rows = [(messages.text("workbook.guide.stamp", lang), messages.text("workbook.stamp.internal", lang)),
            (messages.text("workbook.guide.county", lang), f"{found.a.county.name} {found.a.county.code}".strip())]  # fmt: skip
    rows += [(messages.text(f"compare.plan_{side}", lang), name) for side, name in zip("ab", names, strict=True) if name]
    rows.append((messages.text("workbook.guide.years", lang), ", ".join(map(str, found.years))))
    for name in TABLES:
        table = schemas()[name]
        said = table.meaning_zh if lang == "zh" else table.meaning_en
        if name in _LONG:
            same = int((found.table(name)["change"] == "same").sum())
            said += messages.text("compare.left_out", lang, n=f"{same:,}")
        rows.append((sheet_title(name, lang), said))
    rows += [("", messages.text("compare.no_names", lang))]
    fields = (Field("item", messages.text("workbook.head.item", lang)), Field("content", messages.text("workbook.head.content", lang), "long"))
    return Page("guide", fields, pd.DataFrame(rows, columns=["item", "content"]))


def _page(found: Comparison, name: str, lang: str) -> Page:
    schema, frame = schemas()[name], found.table(name)
    if name in _LONG:
        frame = frame[frame["change"] != "same"]
    if name == "compared_headline":
        order = {figure: i for i, figure in enumerate((*FIGURES, *BUILT))}
        frame = frame.sort_values("figure", key=lambda figures: figures.map(order))
    frame = frame.reset_index(drop=True)
    named = _names(found)
    fields: list[Field] = []
    shown: dict[str, list[object]] = {}
    for column in schema.columns.values():
        kind = _UNITS.get(column.unit, _DTYPES[column.dtype])
        fields.append(Field(column.name, heading(found.a, lang, name, column.name), kind))
        shown[column.name] = [_cell(name, column.name, value, lang) for value in frame[column.name].tolist()]
        # an id alone tells a meeting nothing
        for key, by_id in named.items():
            if column.name in (key, f"{key}_a", f"{key}_b"):
                extra = f"{column.name}_name"
                side = column.name.removeprefix(key).replace("_", "").upper()
                fields.append(Field(extra, f"{side}{heading(found.a, lang, _HOMES[key], 'name')}"))
                shown[extra] = [by_id.get(str(value), "") for value in frame[column.name]]
    return Page(name, tuple(fields), pd.DataFrame(shown, columns=[f.name for f in fields]), 2)


_HOMES = {"settlement_id": "settlements", "school_id": "schools", "township_id": "townships"}


def _names(found: Comparison) -> dict[str, dict[str, str]]:
    villages = [dict(zip(p.county.settlements["settlement_id"], p.county.settlements["name"], strict=True)) for p in (found.b, found.a)]
    schools, townships = [school_names(p) for p in (found.b, found.a)], [township_names(p) for p in (found.b, found.a)]
    return {"settlement_id": villages[0] | villages[1], "school_id": schools[0] | schools[1], "township_id": townships[0] | townships[1]}


def _cell(table: str, column: str, value: object, lang: str) -> object:
    if column == "band" and value in BANDS:
        return messages.text(f"band.{value}", lang)
    if isinstance(value, bool):
        return messages.text(f"workbook.{'yes' if value else 'no'}", lang)
    if isinstance(value, str) and schemas()[table].columns[column].values:
        return label(table, column, value, lang)
    return value
