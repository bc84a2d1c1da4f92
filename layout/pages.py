"""What every sheet of the workbook is made of: a page of columns with headings and units, and the names of places and schools."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from layout import messages
from layout.plan import Plan
from layout.privacy import Edition
from layout.tables import schemas


@dataclass(frozen=True)
class Field:
    """One column of a sheet: where its values stand, its heading, and how it is written."""

    name: str
    heading: str
    kind: str = "text"


@dataclass(frozen=True)
class Page:
    """One sheet: key of its title, its columns and rows, how many columns stay in view, and a line beside the title."""

    key: str
    fields: tuple[Field, ...]
    frame: pd.DataFrame
    frozen: int = 0
    note: str = ""


def sheet_title(key: str, lang: str) -> str:
    """Return the title of a sheet: its own, or that of the table it shows.

    Parameters
    ----------
    key
        Key of a page, or name of a table of the data dictionary.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        The title.

    Examples
    --------
    >>> from layout.pages import sheet_title
    >>> sheet_title("guide", "zh"), sheet_title("coverage", "zh"), sheet_title("class_shares", "en")
    ('说明', '学校覆盖', 'class shares')
    """
    own = messages.catalogue(lang).get(f"workbook.sheet.{key}")
    return own or (schemas()[key].zh if lang == "zh" else key.replace("_", " "))


def heading(plan: Plan, lang: str, table: str, column: str, prefix: str = "") -> str:
    """Return the heading of a column of the data dictionary, with its unit, and whether the county's column was assumed.

    Parameters
    ----------
    plan
        For the assumptions of its county.
    lang
        ``zh`` or ``en``.
    table, column
        Names in the data dictionary.
    prefix
        Stands before it.

    Returns
    -------
    str
        The heading.

    Examples
    --------
    >>> heading(plan, "zh", "schools", "rooms")  # doctest: +SKIP
    """
    known = schemas()[table].columns[column]
    words = known.zh if lang == "zh" else known.en.replace("_", " ")
    unit = messages.catalogue(lang).get(f"workbook.unit.{known.unit.replace('/', '_')}", "") if known.unit else ""
    said = unit in words or f"（{unit.partition('/')[0]}）" in words
    text = f"{prefix}{words}" + (messages.text("workbook.with_unit", lang, unit=unit) if unit and not said else "")
    assumed = ((plan.county.assumptions["table"] == table) & (plan.county.assumptions["column"] == column)).any()
    return text + (messages.text("workbook.assumed", lang) if assumed else "")


def township_heading(plan: Plan, lang: str) -> str:
    """Return the heading above the names of townships, which in English would be that of any name.

    Parameters
    ----------
    plan, lang
        As in :func:`heading`.

    Returns
    -------
    str
        The heading.

    Examples
    --------
    >>> township_heading(plan, "en")  # doctest: +SKIP
    """
    return heading(plan, lang, "townships", "name", "township " if lang == "en" else "")


def measured(unit: str, lang: str) -> str:
    """Write the unit of a figure of the standards as readers of the language write it.

    Parameters
    ----------
    unit
        As the standards have it.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        Its words; an unknown unit, and a sign such as %, is returned as it is.

    Examples
    --------
    >>> measured("yuan/m2", "zh"), measured("school years", "en"), measured("%", "zh")
    ('元/平方米', 'school years', '%')
    """
    key = re.sub(r"[^a-z0-9]+", "_", unit.lower()).strip("_")
    return messages.catalogue(lang).get(f"report.measured.{key}", unit) if key else unit


def view_prefix(plan: Plan, view: str, year: int, lang: str) -> str:
    """Say before a heading which schools and year it is about; today's schools in a later year are doing nothing.

    Parameters
    ----------
    plan
        For its base year.
    view
        ``today`` or ``planned``.
    year
        School year.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        The prefix.

    Examples
    --------
    >>> view_prefix(plan, "today", 2035, "zh")  # doctest: +SKIP
    """
    scheme = "idle" if view == "today" and year != plan.county.base_year else view
    return messages.text(f"workbook.view.{scheme}", lang, year=year)


def school_names(plan: Plan) -> dict[str, str]:
    """Return the name of every school and candidate.

    Parameters
    ----------
    plan
        Where they stand.

    Returns
    -------
    dict
        Name by id.

    Examples
    --------
    >>> school_names(plan)  # doctest: +SKIP
    """
    return dict(zip(plan.candidates["school_id"], plan.candidates["name"], strict=True)) | dict(
        zip(plan.schools["school_id"], plan.schools["name"], strict=True)
    )


def township_names(plan: Plan) -> dict[str, str]:
    """Return the name of every township.

    Parameters
    ----------
    plan
        Where they stand.

    Returns
    -------
    dict
        Name by id.

    Examples
    --------
    >>> township_names(plan)  # doctest: +SKIP
    """
    return dict(zip(plan.county.townships["township_id"], plan.county.townships["name"], strict=True))


def in_tens(count: int, least: int, edition: Edition) -> int | str:
    """Return a count as it is, or for the public in tens, small ones hidden.

    Parameters
    ----------
    count
        Of people.
    least
        The smallest count that may be shown.
    edition
        For whom.

    Returns
    -------
    int or str
        What the cell shows.

    Examples
    --------
    >>> from layout.pages import in_tens
    >>> from layout.privacy import Edition
    >>> in_tens(43, 10, Edition(True, {})), in_tens(7, 10, Edition(True, {})), in_tens(43, 10, Edition(False, {}))
    (40, '<10', 43)
    """
    if not edition.public:
        return count
    return f"<{least}" if count < least else round(count / 10) * 10
