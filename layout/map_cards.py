"""What the cards of the meeting map know beyond the map: children by year with their range, ranges of schools, gates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from layout import messages
from layout.plan import Plan
from layout.tables import label

_GATE_WORDS = ("gate", "state")


def make_cards(plan: Plan) -> dict[str, object]:
    """Gather the figures of the cards of villages and schools.

    Parameters
    ----------
    plan
        From :func:`layout.make_plan` or :func:`layout.read_plan`.

    Returns
    -------
    dict
        ``years``: school years of the forecast. ``villages``: by settlement, in the order of the county, children expected
        and the 10 % and 90 % quantiles (each by year, whole children, None where unknown), or None where the forecast has
        no row. ``schools``: by the place of a school in ``plan.schools``, as text, ``low`` and ``high`` of the forecast in
        the plan years after the base year; its pupils stand in the views of the map. ``gates``: rows of ``merger_gates``:
        place of the school, gate, year, state, figures, clause. Nothing in it is rounded for publication: it is for the
        internal page only.

    Notes
    -----
    The range of the base year of a school is left out: it is about resident children sent to schools, while the
    pupils of that year are those of the rosters.

    Examples
    --------
    >>> plan = layout.make_plan(paper, years=[2030], draws=0)
    >>> cards = make_cards(plan)
    >>> cards["years"], cards["villages"][0][0]
    ([2025, 2026, 2027, 2028, 2029, 2030], [90, 90, 90, 90, 90, 90])
    >>> cards["schools"], cards["gates"]
    ({}, [])
    """
    forecast = plan.forecast[plan.forecast["group"] == "all"]
    villages = forecast[forecast["level"] == "settlement"]
    years = sorted(int(year) for year in villages["year"].unique())
    return {
        "years": years or list(plan.years), "villages": _villages(villages, list(plan.county.settlements["settlement_id"]), years),
        "schools": _schools(plan, forecast[forecast["level"] == "school"]), "gates": _gates(plan),
    }  # fmt: skip


def _villages(forecast: pd.DataFrame, ids: Sequence[str], years: Sequence[int]) -> list[list[list[int | None]] | None]:
    names = ("pupils", "low", "high")
    wide = {name: forecast.pivot(index="area_id", columns="year", values=name).reindex(index=list(ids), columns=list(years)) for name in names}
    known = wide["pupils"].notna().any(axis=1).to_numpy() if years else np.zeros(len(ids), bool)
    return [[_whole(wide[name].iloc[i]) for name in wide] if known[i] else None for i in range(len(ids))]


def _schools(plan: Plan, forecast: pd.DataFrame) -> dict[str, dict[str, list[int | None]]]:
    years, ids = list(plan.years), list(plan.schools["school_id"])
    rows = forecast[forecast["year"].isin(years[1:])]
    wide = {name: rows.pivot(index="area_id", columns="year", values=name).reindex(index=ids, columns=years) for name in ("low", "high")}
    known = wide["low"].notna().any(axis=1).to_numpy()
    return {str(i): {name: _whole(table.iloc[i]) for name, table in wide.items()} for i in range(len(ids)) if known[i]}


def _gates(plan: Plan) -> list[list[object]]:
    schools = {key: i for i, key in enumerate(plan.schools["school_id"])}
    out: list[list[object]] = []
    for r in pd.DataFrame(plan.merger_gates).itertuples():
        gate, state = ({each: label("merger_gates", name, getattr(r, name), each) for each in messages.LANGUAGES} for name in _GATE_WORDS)
        rule = plan.standards.rules.get(str(r.clause))
        cited = {each: str(r.clause) if rule is None else rule.cite(each) for each in messages.LANGUAGES} if r.clause else None
        figures = {each: messages.in_language(str(r.figures), each) for each in messages.LANGUAGES}
        out.append([schools[r.school_id], gate, r.year, state, figures, cited])
    return out


def _whole(values: pd.Series) -> list[int | None]:
    return [None if pd.isna(n) else round(float(n)) for n in values]
