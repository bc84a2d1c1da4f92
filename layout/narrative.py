"""A plan being told to somebody: sentences, headings, tables by township and maps, the pieces of every chapter of the report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from layout import messages
from layout.document import Block
from layout.pages import Field, Page, sheet_title, township_heading, township_names
from layout.plan import STATUSES, Plan
from layout.privacy import Edition
from layout.standards import Rule
from layout.tables import label, whole

#: Maps that a layout plan must have, by layer, with the chapter in which each stands.
FIGURES = {
    "place": "people",
    "schools": "today",
    "minutes": "today",
    "catchments": "today",
    "pupils_base": "forecast",
    "pupils_plan": "forecast",
    "proposals": "layout",
    "planned_catchments": "layout",
    "relocation": "layout",
    "limits": "sites",
    "near_term": "near_term",
}
#: End of the near term of a layout plan (近期).
NEAR_TERM = 2030
#: Rows of a long list that stand in the text; the workbook has them all.
LISTED = 40
#: Money is told in ten thousands (万元).
YUAN = 10_000
#: Actions that build nothing.
KEPT = ("keep", "review_for_merger")
#: Documents on which every plan rests, beside those that its tables cite.
BASES = (
    "law.school_plan",
    "law.right.nearby",
    "law.boarding",
    "layout.plan.duty",
    "layout.merge.principle",
    "layout.2026.no1",
    "decision.notice.min",
)


@dataclass(frozen=True)
class Told:
    """A plan being told.

    Parameters
    ----------
    plan
        What is told.
    lang
        ``zh`` or ``en``.
    edition
        What these readers do not see.
    pages
        Pages of the workbook, which hide the same.
    figure
        Gives the PNG of a layer of :data:`FIGURES`, or nothing.
    """

    plan: Plan
    lang: str
    edition: Edition
    pages: Mapping[str, Page]
    figure: Callable[[str], bytes]

    @property
    def base(self) -> int:
        """Return the base year."""
        return self.plan.county.base_year

    @property
    def last(self) -> int:
        """Return the last plan year."""
        return max(self.plan.years)

    @property
    def near(self) -> int:
        """Return the last plan year of the near term."""
        return near_year(self.plan)

    @property
    def audience(self) -> str:
        """Return ``public`` or ``internal``."""
        return "public" if self.edition.public else "internal"

    # words

    def say(self, key: str, **fields: object) -> str:
        """Say a sentence of the report."""
        return messages.text(f"report.{key}", self.lang, **fields)

    def number(self, value: float, decimals: int = 0) -> str:
        """Write a number as readers of the language write it."""
        return f"{value + 0.0:,.{decimals}f}"

    def day(self, date: dt.date) -> str:
        """Write a date as readers of the language write it."""
        return self.say("day", year=date.year, month=date.month, day=date.day)

    def listed(self, parts: Iterable[object]) -> str:
        """List things, one behind the other."""
        return ("、" if self.lang == "zh" else ", ").join(str(part) for part in parts)

    def apart(self, parts: Iterable[object]) -> str:
        """List things that have commas of their own."""
        return ("；" if self.lang == "zh" else "; ").join(str(part) for part in parts)

    def rules(self, *keys: str) -> list[Rule]:
        """Return the rules of these keys that there are."""
        return [self.plan.standards.rules[key] for key in keys if key in self.plan.standards.rules]

    def cited(self, *keys: str) -> str:
        """Cite the documents and clauses of rules, each once."""
        return self.apart(dict.fromkeys(rule.cite(self.lang) for rule in self.rules(*keys)))

    def named(self, rule: Rule) -> str:
        """Return the name of a rule."""
        return rule.zh if self.lang == "zh" else rule.en

    # blocks

    def text(self, key: str, **fields: object) -> Block:
        """Make a paragraph."""
        return Block("text", self.say(key, **fields))

    def head(self, key: str, level: int = 2) -> Block:
        """Make a heading."""
        return Block("heading", self.say(f"head.{key}"), level)

    def drawn(self, chapter: str) -> list[Block]:
        """Draw the maps of a chapter; the place of one that cannot be drawn is marked."""
        return [Block("figure", self.say(f"map.{layer}"), image=self.figure(layer)) for layer, place in FIGURES.items() if place == chapter]

    def table(
        self, key: str, columns: Mapping[str, tuple[str, str]], rows: Sequence[Mapping[str, Any]], *, sums: int = 0, note: str = "", **named: str
    ) -> Block:
        """Make a table of rows; the last ``sums`` of them are totals."""
        fields = tuple(Field(name, head, kind) for name, (head, kind) in columns.items())
        frame = pd.DataFrame([{name: row.get(name) for name in columns} for row in rows], columns=list(columns), dtype=object)
        return Block(
            "table", self.say(f"title.{key}", **named), page=Page(key, fields, frame, 1, note), bold=tuple(range(len(rows) - sums, len(rows)))
        )

    def chosen(
        self, key: str, page: Page, names: Sequence[str], frame: pd.DataFrame | None = None, *, sums: Sequence[str] = (), note: str = ""
    ) -> Block:
        """Show some columns of a page of the workbook, inside with the sums of some of them below: a public edition may hide a part of a sum."""
        rows = (page.frame if frame is None else frame).reset_index(drop=True)
        fields = {f.name: f for f in page.fields}
        bold: tuple[int, ...] = ()
        if sums and len(rows) and not self.edition.public:
            total = {names[0]: self.say("sum")} | {c: sum(float(v) for v in rows[c].tolist() if not pd.isna(v)) for c in sums if c in rows}
            bold, rows = (len(rows),), pd.concat([rows.astype(object), pd.DataFrame([total], dtype=object)], ignore_index=True)
        page = Page(key, tuple(fields[n] for n in names if n in fields), rows, note=note)
        return Block("table", self.say(f"title.{key}"), page=page, bold=bold)

    def by_township(self, key: str, measures: Mapping[str, tuple[str, str, Mapping[str, float]]], *, note: str = "") -> Block:
        """Make a table with a row for every township in the order of the codes, and their sum; measures give heading, kind and values."""
        names = township_names(self.plan)
        rows: list[dict[str, Any]] = []
        for code in sorted(names):
            rows.append({"township": names[code], **{m: values.get(code, 0) for m, (_, _, values) in measures.items()}})
        rows.append({"township": self.say("sum"), **{m: sum(values.get(c, 0) for c in names) for m, (_, _, values) in measures.items()}})
        columns = {"township": (township_heading(self.plan, self.lang), "text")} | {m: (head, kind) for m, (head, kind, _) in measures.items()}
        return self.table(key, columns, rows, sums=1, note=note)

    def headlines(self, key: str, view: str, year: int) -> Block:
        """Show who is served by township: the three reasons for a child without a place are never added up to one."""
        plan = self.plan
        table = (plan.today if view == "today" else plan.planned).headline
        table = table[table["year"] == year]
        columns = ("pupils", *STATUSES)
        measures = {c: (self.say(f"col.{c}"), "int", sums_of(table, "township_id", c)) for c in columns}
        return self.by_township(key, measures, note=self.say("unit.pupils"))

    def times(self, key: str, view: str, year: int) -> list[Block]:
        """Show the minutes of day pupils by band."""
        page = self.pages["times"]
        words = label("time_distribution", "view", view, self.lang)
        rows = page.frame[(page.frame["year"] == year) & (page.frame["view"] == words)] if len(page.frame) else page.frame
        return [self.chosen(key, page, ["band", "pupils", "mean", "median", "p90", "longest", "worst_tenth"], rows)] if len(rows) else []

    def rest(self, count: int, sheet: str) -> list[Block]:
        """Say where the rest of a long list stands."""
        return [self.text("rest", shown=LISTED, count=count, sheet=sheet_title(sheet, self.lang))] if count > LISTED else []

    # order

    def homes(self) -> dict[str, str]:
        """Return the township of every school and site."""
        plan = self.plan
        return dict(zip(plan.candidates["school_id"], plan.candidates["township_id"], strict=True)) | dict(
            zip(plan.schools["school_id"], plan.schools["township_id"], strict=True)
        )

    def in_code_order(self, frame: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
        """Sort rows of schools by the codes of their townships, then by some columns and the school."""
        homes = self.homes()
        keys = frame.assign(_home=[homes.get(str(s), "") for s in frame["school_id"]])
        return frame.loc[keys.sort_values(["_home", *by, "school_id"], kind="stable").index]


def near_year(plan: Plan) -> int:
    """Return the last plan year of the near term.

    Parameters
    ----------
    plan
        Its years.

    Returns
    -------
    int
        The last plan year up to 2030, or the last of all where none is.

    Examples
    --------
    >>> near_year(layout.make_plan(paper, to=2026))
    2026
    """
    return max((y for y in plan.years if plan.county.base_year < y <= NEAR_TERM), default=max(plan.years))


def sums_of(frame: pd.DataFrame, by: str, value: str) -> dict[str, float]:
    """Sum a column up by another.

    Parameters
    ----------
    frame
        Rows.
    by, value
        Columns.

    Returns
    -------
    dict
        Sum by key.

    Examples
    --------
    >>> sums_of(paper.schools, "township_id", "rooms")
    {'T1': 6.0, 'T2': 9.0}
    """
    return {str(k): float(v) for k, v in frame.groupby(by, observed=True)[value].sum().items()}


def counted(values: Mapping[str, float]) -> dict[str, float]:
    """Round values to whole ones whose sum is the rounded sum.

    Parameters
    ----------
    values
        By key.

    Returns
    -------
    dict
        Whole numbers by key.

    Examples
    --------
    >>> sum(counted({"T1": 1.4, "T2": 1.4, "T3": 1.2}).values())
    4
    """
    series = pd.Series(dict(sorted(values.items())), dtype=float)
    return dict(zip(series.index, whole(series, [pd.Series(0, index=series.index)]), strict=True)) if len(series) else {}
