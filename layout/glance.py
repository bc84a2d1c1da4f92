"""A county or a plan at a glance: the line that an interpreter prints and the table that a notebook shows."""

from __future__ import annotations

import dataclasses
import html
import importlib
from typing import Any

import pandas as pd

from layout.tables import schemas


def in_a_line(record: object, facts: str) -> str:
    """Say in one line what a record of tables is.

    Parameters
    ----------
    record
        A frozen record with tables among its fields.
    facts
        What tells it from others.

    Returns
    -------
    str
        Name of its class, the facts, and the rows of its tables; empty tables are counted only.

    Examples
    --------
    >>> in_a_line(paper, "Paper")[:32]
    '<County Paper; settlements 5, to'
    """
    rows = _rows(record)
    named = ", ".join(f"{name} {count:,}" for name, count in rows.items() if count)
    empty = sum(1 for count in rows.values() if not count)
    return f"<{type(record).__name__} {facts}; {named}; {empty} empty>"


def in_a_table(record: object, facts: str) -> str:
    """Show a record of tables as HTML: each table by its name in both languages, with its rows.

    Parameters
    ----------
    record
        A frozen record with tables among its fields.
    facts
        What tells it from others; shown as text whatever is in it.

    Returns
    -------
    str
        HTML without a script; tables without rows are named below.

    Examples
    --------
    >>> in_a_table(paper, "<img onerror=1>")[:31]
    '<p><b>County &lt;img onerror=1&'
    """
    rows = _rows(record)
    lines = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(_title(name))}</td><td style='text-align:right'>{count:,}</td></tr>"
        for name, count in rows.items()
        if count
    )
    empty = html.escape(", ".join(name for name, count in rows.items() if not count))
    return (
        f"<p><b>{type(record).__name__} {html.escape(facts)}</b></p><table><thead><tr><th>table</th><th>表</th><th>rows 行</th></tr></thead>"
        f"<tbody>{lines}</tbody></table><p>0: {empty or '-'}</p>"
    )


def on_a_map(record: object, module: str, function: str, **options: object) -> Any:
    """Draw a record on a map; what draws it is looked up when it is asked for, because records know nothing of maps.

    Parameters
    ----------
    record
        A county or a plan.
    module, function
        What draws it.
    **options
        Of that function.

    Returns
    -------
    folium.Map
        Its page fetches nothing.

    Examples
    --------
    >>> type(on_a_map(paper, "county_map", "draw_county", lang="en")).__name__
    'Map'
    """
    return getattr(importlib.import_module(f"layout.{module}"), function)(record, **options)


def _rows(record: object) -> dict[str, int]:
    fields = [f.name for f in dataclasses.fields(record)]  # type: ignore[arg-type]
    return {name: len(value) for name in fields if isinstance(value := getattr(record, name), pd.DataFrame)}


def _title(name: str) -> str:
    known = schemas().get(name)
    return "" if known is None else known.zh
