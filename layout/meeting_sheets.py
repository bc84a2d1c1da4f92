"""Pages of the workbook for a meeting that weighs one plan against another: alternatives, futures, gates of a merger, moves in mid-stage."""

from __future__ import annotations

import pandas as pd

from layout import messages
from layout.finding_sheets import table_page
from layout.pages import Field, Page, school_names, sheet_title
from layout.plan import Plan
from layout.privacy import Edition

#: Tables of a plan with a page each, in the order in which a reader meets them.
MEETING_TABLES = (
    "merger_gates", "mid_stage_moves", "alternatives", "frontier", "alternative_proposals", "plan_regrets", "regrets", "evaluations",
    "common_proposals", "future_proposals",
)  # fmt: skip
_PLANS = ("alternative_id", "plan_id", "point_id", "best_id")


def meeting_pages(plan: Plan, lang: str, edition: Edition) -> dict[str, Page]:
    """Return a page for every such table that has rows.

    Parameters
    ----------
    plan
        From :func:`layout.with_alternatives` and :func:`layout.with_futures`.
    lang
        ``zh`` or ``en``.
    edition
        A public one has none: they count single villages' children.

    Returns
    -------
    dict
        Page by name of the table.

    Examples
    --------
    >>> meeting_pages(plan, "zh", Edition(False, {}))  # doctest: +SKIP
    """
    return {} if edition.public else {t: _page(plan, lang, t) for t in MEETING_TABLES if len(getattr(plan, t))}


def hidden_pages(plan: Plan, lang: str) -> list[str]:
    """Return the titles of the pages with rows that a public edition leaves out.

    Parameters
    ----------
    plan
        Its tables.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    list of str
        Titles, in the order of the tables.

    Examples
    --------
    >>> hidden_pages(plan, "zh")  # doctest: +SKIP
    """
    return [sheet_title(t, lang) for t in MEETING_TABLES if len(getattr(plan, t))]


def plan_title(plan: Plan, name: str, lang: str) -> str:
    """Say which plan an id stands for.

    Parameters
    ----------
    plan
        For the names of schools and of its own scenario.
    name
        An id of the tables alternatives, frontier or evaluations.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        Words; the id itself where it is the name of a scenario.

    Examples
    --------
    >>> plan_title(layout.make_plan(paper, to=2026), "expand_only", "zh")
    '只扩不建'
    """
    words = messages.catalogue(lang)
    for beginning in ("without_", "plan_less_"):
        if name.startswith(beginning):
            rest = name.removeprefix(beginning)
            what = school_names(plan).get(rest) or dict(zip(plan.candidates["school_id"], plan.candidates["name"], strict=True)).get(rest, rest)
            return messages.text(f"alternative.{beginning.rstrip('_')}", lang, what=what)
    return words.get(f"alternative.{name}", name)


def _page(plan: Plan, lang: str, table: str) -> Page:
    frame: pd.DataFrame = getattr(plan, table)
    page = table_page(plan, lang, table, frame)
    named = next((c for c in (*_PLANS, "scenario_id") if c in frame), None)
    if named is None:
        return page
    # the words stand first, the ids behind them
    titles = [plan_title(plan, str(v), lang) for v in frame[named]]
    fields = (Field("title", messages.text("workbook.head.plan", lang)), *page.fields)
    return Page(page.key, fields, page.frame.assign(title=titles)[[f.name for f in fields]], page.frozen + 1)
