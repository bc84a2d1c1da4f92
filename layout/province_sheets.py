"""The tables of a province as an Excel workbook."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from layout import messages
from layout.pages import Field, Page, sheet_title
from layout.province_tables import Province
from layout.tables import BANDS, label, schemas
from layout.workbook import write_pages

# sheets in their order, by the field of the record
_SHEETS = {"counties": "province_counties", "years": "province_years", "equity": "province_equity", "borders": "border_pupils",
           "problems": "province_problems"}  # fmt: skip
# how a column is written, by its unit and by its dtype
_UNITS = {"year": "year", "minutes": "minutes", "yuan": "money"}
_DTYPES = {"int": "int", "float": "number", "str": "text", "bool": "text"}
_LONG = {"what_zh", "what_en", "remedy_zh", "remedy_en", "value"}


def write_province(province: Province, path: str | Path, *, lang: str = "zh") -> None:
    """Write the tables of a province as an Excel workbook, whole or not at all.

    Parameters
    ----------
    province
        From :func:`layout.plan_province`.
    path
        File to write; an earlier one is replaced.
    lang
        ``zh`` or ``en``.

    Raises
    ------
    ValueError
        If the language is unknown.

    Examples
    --------
    >>> write_province(province, "province.xlsx")  # doctest: +SKIP
    """
    messages.catalogue(lang)
    names = dict(zip(province.counties["county"], province.counties["county_name"], strict=True))
    pages = [_guide(province, lang), *(_page(getattr(province, field), table, names, lang) for field, table in _SHEETS.items())]
    write_pages(pages, path, stamp=messages.text("workbook.stamp.internal", lang), county=province.name, lang=lang)


def _guide(province: Province, lang: str) -> Page:
    done = province.counties["state"] == "done"
    scenarios = sorted(set(province.counties["scenario"]))
    rows = [(messages.text("workbook.guide.stamp", lang), messages.text("workbook.stamp.internal", lang)),
            (messages.text("province.guide_name", lang), province.name),
            (messages.text("province.guide_scenarios", lang), ", ".join(scenarios)),
            (messages.text("province.guide_runs", lang),
             messages.text("province.guide_counted", lang, done=int(done.sum()), all=len(done)))]  # fmt: skip
    rows += [(sheet_title(name, lang), schemas()[name].meaning_zh if lang == "zh" else schemas()[name].meaning_en) for name in _SHEETS.values()]
    rows += [("", messages.text(f"province.{note}", lang)) for note in ("equity_note", "borders_note", "folder_note")]
    fields = (Field("item", messages.text("workbook.head.item", lang)), Field("content", messages.text("workbook.head.content", lang), "long"))
    return Page("guide", fields, pd.DataFrame(rows, columns=["item", "content"]))


def _page(frame: pd.DataFrame, table: str, names: dict[str, str], lang: str) -> Page:
    fields: list[Field] = []
    shown: dict[str, list[object]] = {}
    for column in schemas()[table].columns.values():
        if column.name in ("what", "remedy") or (column.name.rpartition("_")[2] in messages.LANGUAGES and not column.name.endswith(f"_{lang}")):
            continue
        words = column.zh if lang == "zh" else column.en.replace("_", " ")
        unit = messages.catalogue(lang).get(f"workbook.unit.{column.unit.replace('/', '_')}", "") if column.unit else ""
        heading = words if not unit or unit in words else words + messages.text("workbook.with_unit", lang, unit=unit)
        kind = "long" if column.name in _LONG else _UNITS.get(column.unit, _DTYPES[column.dtype])
        fields.append(Field(column.name, heading, kind))
        values = frame[column.name].tolist() if column.name in frame else []
        shown[column.name] = [_cell(table, column.name, value, lang) for value in values]
        # the folder of a county alone tells a meeting nothing
        if column.name in ("county", "other_county") and "county_name" not in schemas()[table].columns:
            fields.append(Field(f"{column.name}_name", messages.text(f"province.head_{column.name}", lang)))
            shown[f"{column.name}_name"] = [names.get(str(value), "") for value in values]
    return Page(table, tuple(fields), pd.DataFrame(shown, columns=[f.name for f in fields]), 2)


def _cell(table: str, column: str, value: object, lang: str) -> object:
    if value is pd.NA:
        return None
    if column == "band" and value in BANDS:
        return messages.text(f"band.{value}", lang)
    if isinstance(value, str) and schemas()[table].columns[column].values:
        return label(table, column, value, lang)
    return value
