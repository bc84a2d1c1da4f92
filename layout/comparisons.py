"""What the meeting map shows of other plans: the alternatives with their proposals, the frontier, regrets, and what all futures build."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from layout import messages
from layout.alternatives import KINDS, MAIN, NOTHING
from layout.ground import degrees
from layout.plan import Plan
from layout.regret import MEASURES
from layout.tables import label, schemas

#: Columns of the table of alternatives that the page compares, in its order.
COMPARED = ("openings", "rooms", "beds", "investment_yuan", *MEASURES, "too_small", "shared")


def comparisons(plan: Plan) -> dict[str, Any]:
    """Return what the page needs to lay other plans beside this one.

    Parameters
    ----------
    plan
        From :func:`layout.with_alternatives` and :func:`layout.with_futures`.

    Returns
    -------
    dict
        ``heads``: what is compared, ``levels``: the measures of a regret, in both languages; ``places``: id, name and position of every
        school or site that any of them builds at (no position where the plan does not know the site); ``alternatives``: title in both
        languages, the figures of :data:`COMPARED`, whether it is nearly as good or dominated, and its proposals, with the reasons of those
        that the plan has not; ``frontier``: title, children, yuan, whether on the frontier; ``regrets``: title, rank, title of the worst
        future, the first measure lost there and by how much, in how many of
        how many futures it is as good as the best; ``common``: place, action, kind (``all``, ``some``, ``one``), futures, first and last year, rooms,
        beds and yuan from least to most; ``futures``: how many. Empty lists where the plan has no such tables.

    Examples
    --------
    >>> found = comparisons(layout.make_plan(paper, to=2026))
    >>> {name: len(rows) for name, rows in found.items() if isinstance(rows, list)}
    {'places': 0, 'alternatives': 0, 'frontier': 0, 'regrets': 0, 'common': 0}
    """
    tables = [plan.alternative_proposals, plan.common_proposals, *([plan.proposals] if len(plan.alternatives) else [])]
    ids = sorted({str(i) for table in tables if len(table) for i in table["school_id"]})
    places = _places(plan)
    number = {i: k for k, i in enumerate(ids)}
    futures = sorted(set(plan.evaluations["scenario_id"].astype("str"))) if len(plan.evaluations) else []
    columns, levels = schemas()["alternatives"].columns, schemas()["regrets"].columns["level"].values
    return {
        "heads": {"zh": [columns[c].zh for c in COMPARED], "en": [columns[c].en for c in COMPARED]},
        "levels": {lang: {code: label("regrets", "level", code, lang) for code in levels} for lang in messages.LANGUAGES},
        "places": [[i, *places.get(i, (i, None))] for i in ids],
        "alternatives": _alternatives(plan, number), "frontier": _frontier(plan), "regrets": _regrets(plan),
        "common": [_common(plan, number, r) for r in _rows(plan.common_proposals)],
        "futures": len(futures),
    }  # fmt: skip


def _common(plan: Plan, number: Mapping[str, int], row: Any) -> list[Any]:
    futures = [_title(plan, name) for name in str(row.scenario_ids).split(";") if name.strip()]
    span = [int(getattr(row, f"{name}_{end}")) for name in ("rooms", "beds") for end in ("least", "most")]
    yuan = [round(float(getattr(row, f"cost_yuan_{end}"))) for end in ("least", "most")]
    return [
        number[str(row.school_id)],
        row.action,
        row.role,
        row.kind,
        int(row.scenarios),
        futures,
        int(row.first_year),
        int(row.last_year),
        *span,
        *yuan,
    ]


def _rows(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples())


def _places(plan: Plan) -> dict[str, tuple[str, list[int]]]:
    found: dict[str, tuple[str, list[int]]] = {}
    # a school of the plan goes before the site that it was
    for table in (plan.candidates, plan.schools):
        for i, name, at in zip(table["school_id"], table["name"], degrees(table.geometry).tolist(), strict=True):
            found[str(i)] = (str(name), at)
    return found


def _alternatives(plan: Plan, number: Mapping[str, int]) -> list[dict[str, Any]]:
    order = {name: i for i, name in enumerate((MAIN, *KINDS))}
    out = []
    own = {(str(p.school_id), str(p.action), str(p.role)) for p in _rows(plan.proposals)}
    for r in sorted(
        plan.alternatives.to_dict("records"), key=lambda r: (r["alternative_id"] == NOTHING, order.get(r["alternative_id"], 9), r["alternative_id"])
    ):
        name = str(r["alternative_id"])
        rows = plan.proposals if name == MAIN else plan.alternative_proposals
        mine = rows if name == MAIN else rows[rows["alternative_id"] == name]
        out.append({
            "id": name, "title": _title(plan, name), "figures": [round(float(r[column])) for column in COMPARED],
            "money_gap": None if pd.isna(r["money_gap"]) else round(float(r["money_gap"]), 4), "near_tie": bool(r["near_tie"]),
            "dominated": bool(r["dominated"]),
            "proposals": [_proposal(number, p, own) for p in _rows(mine)],
        })  # fmt: skip
    return out


def _proposal(number: Mapping[str, int], row: Any, own: Collection[tuple[str, str, str]]) -> list[Any]:
    yuan = 0 if pd.isna(row.cost_yuan) else round(float(row.cost_yuan))
    # what the plan proposes too has its reason there
    reason = None if (str(row.school_id), str(row.action), str(row.role)) in own else {"zh": row.reason_zh, "en": row.reason_en}
    grades = [int(row.first_grade), int(row.last_grade)]
    return [number[str(row.school_id)], int(row.year), row.action, row.role, *grades, int(row.rooms), int(row.beds), yuan, reason]


def _frontier(plan: Plan) -> list[list[Any]]:
    return [[_title(plan, str(r.point_id)), round(float(r.children)), round(float(r.cost_yuan)), bool(r.on_frontier)] for r in _rows(plan.frontier)]


def _regrets(plan: Plan) -> list[list[Any]]:
    lost = {(str(r.plan_id), str(r.scenario_id)): r for r in _rows(plan.regrets)}
    rows = []
    for r in _rows(plan.plan_regrets.sort_values(["rank", "plan_id"])):
        worst = lost[str(r.plan_id), str(r.worst_id)]
        amount = float(getattr(worst, f"regret_{worst.level}")) if worst.level else 0.0
        told = [_title(plan, str(r.plan_id)), int(r.rank), _title(plan, str(r.worst_id)), str(worst.level), round(amount)]
        rows.append([*told, int(r.best_in), int(r.scenarios)])
    return rows


def _title(plan: Plan, name: str) -> dict[str, str]:
    """Say which plan or future an id stands for, in both languages."""
    name = name.strip()
    for beginning in ("without_", "plan_less_"):
        if name.startswith(beginning):
            rest = name.removeprefix(beginning)
            what = _places(plan).get(rest, (rest, []))[0]
            return {lang: messages.text(f"alternative.{beginning.rstrip('_')}", lang, what=what) for lang in messages.LANGUAGES}
    return {lang: messages.catalogue(lang).get(f"alternative.{name}", name) for lang in messages.LANGUAGES}
