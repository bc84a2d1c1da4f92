"""What the report says of other plans: this plan and doing nothing side by side, then every alternative with children, minutes, money and seats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from layout import messages
from layout.alternatives import KINDS, MAIN, NOTHING
from layout.document import Block
from layout.horizon import horizon_of
from layout.meeting_sheets import plan_title
from layout.narrative import YUAN, Told
from layout.pages import heading
from layout.plan import Plan
from layout.privacy import WITHOUT, records
from layout.standards import Standards
from layout.tables import BANDS

_OPENED = ("open", "reopen")
_CHILDREN = ("without_place", "beyond_limit", "above_standard")
# below these a difference is nought: a child, ten thousand yuan, a tenth of a minute
_LEAST = {"without_place": 0.5, "beyond_limit": 0.5, "above_standard": 0.5, "investment": 0.5, "minutes": 0.05}


def variants(told: Told) -> list[Block]:
    """Compare this plan with doing nothing, and with its alternatives where they were made.

    Parameters
    ----------
    told
        The plan and its readers.

    Returns
    -------
    list of Block
        Heading, tables, and a sentence for each alternative; without alternatives, how to get them.

    Examples
    --------
    >>> variants(told)  # doctest: +SKIP
    """
    out = [told.head("alternatives"), told.text("alternatives.why", cite=told.cited("decision.two_options"))]
    out += [told.text("alternatives.two", year=told.last), _against_nothing(told)]
    if told.edition.public:
        return [*out, told.text("internal_only")]
    table = told.plan.alternatives
    if not len(table):
        return [*out, told.text("alternatives.none"), told.text("alternatives.blank")]
    rows = _rows(told)
    out += [told.text("alternatives.all", count=len(rows)), _side_by_side(told, rows), told.text("alternatives.note")]
    main = next((row for row in rows if row["id"] == MAIN), None)
    out += [Block("item", _difference(told, row, main)) for row in rows if main is not None and row["id"] not in (MAIN, NOTHING)]
    return [*out, told.text("alternatives.blank")]


def seats_added(proposals: pd.DataFrame, standards: Standards) -> int:
    """Return the seats that the rooms of proposals bring, at the largest class of each grade.

    Parameters
    ----------
    proposals
        Rows with ``first_grade``, ``last_grade`` and ``rooms``.
    standards
        ``class_size.yzjh.primary.max`` and ``class_size.yzjh.junior.max``.

    Returns
    -------
    int
        Seats; the rooms of a school of several stages are shared by its grades.

    Examples
    --------
    >>> rows = pd.DataFrame({"first_grade": [1, 7], "last_grade": [6, 9], "rooms": [2, 3]})
    >>> seats_added(rows, layout.read_standards())
    240
    """
    largest = {stage: float(standards[f"class_size.yzjh.{stage}.max"]) for stage in ("primary", "junior")}
    size = {g: largest["junior" if band == "junior" else "primary"] for band, grades in BANDS.items() for g in grades}
    seats = [
        rooms * np.mean([size[g] for g in range(int(first), int(last) + 1)])
        for first, last, rooms in zip(proposals["first_grade"], proposals["last_grade"], proposals["rooms"], strict=True)
    ]
    return round(float(sum(seats)))


def _against_nothing(told: Told) -> Block:
    """Put the last plan year under this plan beside the same year if nothing is done; sums that a public edition may not show are not in it."""
    plan, edition = told.plan, told.edition
    found = {r["view"]: r for r in records(plan.summary[plan.summary["year"] == told.last])}
    views = [view for view in ("today", "planned") if view in found]
    rows: list[dict[str, Any]] = []

    def add(measure: str, values: dict[str, Any]) -> None:
        numbers = [values.get(view) for view in ("today", "planned")]
        known = all(isinstance(v, (int, float)) and not pd.isna(v) for v in numbers)
        rows.append({"measure": told.say(f"col.{measure}"), **values, "difference": numbers[1] - numbers[0] if known else None})  # type: ignore[operator]

    # the three reasons for a child without a place are never added up to one but in a public edition, which shows no other sum
    for measure in ("pupils", *(("without",) if edition.public else WITHOUT), "beyond_limit", "oversized_classes"):
        values = {v: int(sum(found[v][m] for m in WITHOUT) if measure == "without" else found[v][measure]) for v in views}
        cells = {v: ("H", "" if measure == "pupils" else v, told.last, measure) for v in views}
        add(measure, {v: edition.shown(cells[v], n) for v, n in values.items()})
    add("mean_minutes", {v: _mean_minutes(plan, v, told.last) for v in views})
    if not edition.public:
        built = plan.proposals
        add("lower_out_of_limit", {v: int(found[v]["lower_out_of_limit"]) for v in views})
        for measure, value in (
            ("openings", int(built["action"].isin(_OPENED).sum())), ("seats_added", seats_added(built, plan.standards)),
            ("beds_added", int(built["beds"].sum())), ("investment", built["cost_yuan"].sum() / YUAN),
            ("yearly", built["yuan_a_year"].fillna(0).sum() / YUAN),
        ):  # fmt: skip
            add(measure, {"today": 0, "planned": round(value)})
    columns = {"measure": (messages.text("workbook.head.item", told.lang), "text")}
    columns |= {v: (plan_title(plan, NOTHING if v == "today" else MAIN, told.lang), "number") for v in views}
    columns["difference"] = (told.say("col.difference"), "number")
    return told.table("two", columns, rows, note=told.say("unit.unless") if edition.public else told.say("unit.unless_money"), year=str(told.last))


def _mean_minutes(plan: Plan, view: str, year: int) -> float | None:
    rows = plan.time_distribution
    rows = rows[(rows["view"] == view) & (rows["year"] == year) & (rows["pupils"] > 0)]
    return round(float(np.average(rows["mean"], weights=rows["pupils"])), 1) if len(rows) else None


def _rows(told: Told) -> list[dict[str, Any]]:
    """Return the alternatives in the order of a meeting: this plan, the kinds, those without a school, doing nothing."""
    plan = told.plan
    horizon = horizon_of(plan.years[1:], told.base, plan.standards)
    weights = dict(zip(horizon.years, horizon.weights, strict=True))
    child_years = float((plan.pupils["pupils"] * plan.pupils["year"].map(weights).fillna(0)).sum())
    order = {name: i for i, name in enumerate((MAIN, *KINDS))}
    out = []
    for r in records(plan.alternatives):
        name = str(r["alternative_id"])
        own = plan.proposals if name == MAIN else plan.alternative_proposals[plan.alternative_proposals["alternative_id"] == name]
        out.append({
            "id": name, "title": plan_title(plan, name, told.lang), "openings": r["openings"], "seats_added": seats_added(own, plan.standards),
            "beds": r["beds"], "investment": r["investment_yuan"] / YUAN, "cost": r["cost_yuan"] / YUAN,
            **{m: r[m] for m in ("without_place", "beyond_limit", "above_standard")},
            "minutes": r["pupil_minutes"] / child_years if child_years else None, "money_gap": r["money_gap"],
            "near_tie": bool(r["near_tie"]), "dominated": bool(r["dominated"]),
        })  # fmt: skip
    return sorted(out, key=lambda row: (row["id"] == NOTHING, order.get(row["id"], len(order)), row["id"]))


def _side_by_side(told: Told, rows: list[dict[str, Any]]) -> Block:
    heads = {c: heading(told.plan, told.lang, "alternatives", c) for c in ("openings", "beds", "without_place", "beyond_limit", "above_standard")}
    columns = {
        "title": (messages.text("workbook.head.plan", told.lang), "text"), "openings": (heads["openings"], "int"),
        "seats_added": (told.say("col.seats_added"), "int"), "beds": (heads["beds"], "int"), "investment": (told.say("col.investment"), "int"),
        "cost": (told.say("col.cost"), "int"), **{m: (heads[m], "int") for m in ("without_place", "beyond_limit", "above_standard")},
        "minutes": (told.say("col.minutes_a_child"), "tenth"), "money_gap": (heading(told.plan, told.lang, "alternatives", "money_gap"), "percent"),
    }  # fmt: skip
    return told.table("alternatives", columns, rows)


def _difference(told: Told, row: dict[str, Any], main: dict[str, Any]) -> str:
    """Say of an alternative how it differs from this plan."""
    more_of = {m: float(row[m]) - float(main[m]) for m in _LEAST if row[m] is not None and main[m] is not None}
    alike = {m for m, more in more_of.items() if abs(more) < _LEAST[m]}
    parts = [told.say("alternatives.children_same")] if alike >= set(_CHILDREN) else []
    for measure, more in more_of.items():
        if measure in alike and measure in _CHILDREN:
            # what is the same is not said one by one
            continue
        key = "same" if measure in alike else "more" if more > 0 else "less"
        amount = told.number(abs(more), 1 if measure == "minutes" else 0)
        parts.append(told.say(f"alternatives.{key}", what=told.say(f"alternatives.{measure}"), amount=amount))
    said = ("，" if told.lang == "zh" else ", ").join(parts)
    ends = [told.say(f"alternatives.{mark}") for mark in ("near_tie", "dominated") if row[mark]]
    return told.say("alternatives.beside", title=row["title"], said=said) + "".join(ends)
