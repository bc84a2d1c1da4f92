"""Several plans over several futures: what each would regret, which one regrets least, and which proposals are right in all of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from layout.tables import check, empty

#: Measures of a plan in a scenario in the order in which they count; each in whole children, minutes or yuan.
MEASURES = ("without_place", "beyond_limit", "excess_minutes", "above_standard", "cost_yuan", "pupil_minutes")
# a proposal is the same where school, what is done and what it becomes are
_SAME = ("school_id", "action", "role")
_AMOUNTS = ("rooms", "beds", "cost_yuan")


def regrets(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Say how much worse each plan is in each scenario than the best of the plans there.

    Parameters
    ----------
    evaluations
        plan_id, scenario_id and the columns of :data:`MEASURES`, one row each pair: children without a place, beyond the limit, their
        excess minutes, in classes above the standard, yuan, pupil-minutes; less is better.

    Returns
    -------
    pandas.DataFrame
        Table ``regrets``, key plan_id, scenario_id. ``best_id`` is the plan that is best there: least in the first measure, among those in the
        second, and so on (ties: the lower id). ``regret_*`` is the plan's measure less that of the best. ``level`` is the first
        measure in which it loses, empty for a plan as good as the best; a later measure may then well be below 0: money saved
        at the children's cost.

    Raises
    ------
    ValueError
        If a pair is missing or there twice, or a measure is missing or not finite.

    References
    ----------
    Savage 1951, The theory of statistical decision, Journal of the American Statistical Association 46: regret; here a vector that is
    compared measure by measure, so that no exchange rate between children and money is needed. Measures are rounded to whole
    children, minutes and yuan first.

    Examples
    --------
    >>> rows = [("a", "low", 0, 90.0), ("a", "high", 8, 90.0), ("b", "low", 0, 120.0), ("b", "high", 0, 120.0)]
    >>> found = pd.DataFrame(rows, columns=["plan_id", "scenario_id", "without_place", "cost_yuan"])
    >>> found = found.assign(beyond_limit=0, excess_minutes=0.0, above_standard=0, pupil_minutes=0.0)
    >>> regrets(found)[["plan_id", "scenario_id", "level", "regret_without_place", "regret_cost_yuan"]].values.tolist()
    [['a', 'high', 'without_place', 8.0, -30.0], ['a', 'low', '', 0.0, 0.0], ['b', 'high', '', 0.0, 0.0], ['b', 'low', 'cost_yuan', 0.0, 30.0]]
    """
    table = _complete(evaluations)
    if not len(table):
        return empty("regrets")
    parts = []
    for _, group in table.groupby("scenario_id", sort=True):
        best = group.sort_values([*MEASURES, "plan_id"], kind="stable").iloc[0]
        lost = group[list(MEASURES)] - best[list(MEASURES)].astype(float)
        level = [next((m for m in MEASURES if row[m] != 0), "") for row in lost.to_dict("records")]
        parts.append(group[["plan_id", "scenario_id"]].assign(best_id=best["plan_id"], level=level, **{f"regret_{m}": lost[m] for m in MEASURES}))
    return check("regrets", pd.concat(parts, ignore_index=True))


def plan_regrets(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Rank the plans by their largest regret over the scenarios, the least first.

    Parameters
    ----------
    evaluations
        As in :func:`regrets`.

    Returns
    -------
    pandas.DataFrame
        Table ``plan_regrets``, key plan_id: ``worst_id``, the scenario in which it regrets most (ties: the lower id), its regrets there,
        in how many scenarios it is as good as the best, ``rank``, and ``least``: whether it is the plan of rank 1.

    Raises
    ------
    ValueError
        As for :func:`regrets`.

    References
    ----------
    The largest regret of a plan is the largest vector, measure by measure; the plan of least largest regret (Savage 1951) is the one whose
    vector is the smallest in the same order. Ties: more scenarios in which it is as good as the best, then the lower id.

    Examples
    --------
    >>> rows = [("a", "low", 0, 90.0), ("a", "high", 8, 90.0), ("b", "low", 0, 120.0), ("b", "high", 0, 120.0)]
    >>> found = pd.DataFrame(rows, columns=["plan_id", "scenario_id", "without_place", "cost_yuan"])
    >>> found = found.assign(beyond_limit=0, excess_minutes=0.0, above_standard=0, pupil_minutes=0.0)
    >>> plan_regrets(found)[["plan_id", "worst_id", "regret_without_place", "rank"]].values.tolist()
    [['a', 'high', 8.0, 2], ['b', 'low', 0.0, 1]]
    """
    table = regrets(evaluations)
    if not len(table):
        return empty("plan_regrets")
    names = [f"regret_{m}" for m in MEASURES]
    rows = []
    for plan, group in table.groupby("plan_id", sort=True):
        vectors = [tuple(row) for row in group[names].to_numpy(float).tolist()]
        worst = max(range(len(group)), key=lambda i, v=vectors: (v[i], -i))  # type: ignore[misc]
        found = group.iloc[worst]
        best_in = int((group["level"] == "").sum())
        rows.append({"plan_id": plan, "worst_id": found["scenario_id"], **{n: found[n] for n in names}, "best_in": best_in,
                     "scenarios": len(group), "order": (vectors[worst], -best_in, plan)})  # fmt: skip
    ranks = {row["plan_id"]: i for i, row in enumerate(sorted(rows, key=lambda r: r["order"]), start=1)}
    out = pd.DataFrame(rows).drop(columns="order").assign(rank=lambda t: t["plan_id"].map(ranks))
    return check("plan_regrets", out.assign(least=out["rank"] == 1))


def no_regret(proposals: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tell the proposals that the plans of all scenarios make from those that only some or one of them makes.

    Parameters
    ----------
    proposals
        Table ``proposals`` by scenario.

    Returns
    -------
    pandas.DataFrame
        Table ``common_proposals``, key school_id, action, role: in how many and which scenarios it is made, ``kind`` (all: no regret; some; one),
        the first year of each plan that makes it, earliest and latest, and the least and most of its rooms, beds and yuan, summed over the
        years of a plan. The least rooms and beds of a proposal of kind all are built whatever comes; the rest can wait. With
        one scenario everything is of kind all.

    Raises
    ------
    ValueError
        If no scenario is given.

    Examples
    --------
    >>> one = pd.DataFrame({"school_id": ["A", "B"], "year": 2030, "action": ["expand", "open"], "role": "primary", "rooms": [4, 6], "beds": 0,
    ...     "cost_yuan": [4e6, 9e6]})
    >>> no_regret({"low": one.iloc[:1].assign(rooms=2), "high": one})[["school_id", "kind", "scenario_ids", "rooms_least"]].values.tolist()
    [['A', 'all', 'high;low', 2], ['B', 'one', 'high', 6]]
    """
    if not proposals:
        raise ValueError("give the proposals of at least one scenario")
    parts = [pd.DataFrame(table).reindex(columns=[*_SAME, "year", *_AMOUNTS]).assign(scenario_id=name) for name, table in sorted(proposals.items())]
    every = pd.concat([p for p in parts if len(p)], ignore_index=True) if any(len(p) for p in parts) else parts[0]
    if not len(every):
        return empty("common_proposals")
    every = every.assign(role=every["role"].fillna("").astype("str"))
    # a plan may build at one school in several years
    each = every.groupby([*_SAME, "scenario_id"], sort=True).agg(year=("year", "min"), **{a: (a, "sum") for a in _AMOUNTS}).reset_index()
    groups = each.groupby(list(_SAME), sort=True)
    out = groups.agg(
        scenarios=("scenario_id", "size"), scenario_ids=("scenario_id", ";".join), first_year=("year", "min"), last_year=("year", "max"),
        **{f"{a}_{word}": (a, how) for a in _AMOUNTS for word, how in (("least", "min"), ("most", "max"))},
    ).reset_index()  # fmt: skip
    kind = np.where(out["scenarios"] == len(proposals), "all", np.where(out["scenarios"] == 1, "one", "some"))
    return check("common_proposals", out.assign(kind=kind))


def _complete(evaluations: pd.DataFrame) -> pd.DataFrame:
    missing = [c for c in ("plan_id", "scenario_id", *MEASURES) if c not in evaluations]
    if missing:
        raise ValueError(f"the evaluations lack {', '.join(missing)}")
    table = evaluations.astype({"plan_id": "str", "scenario_id": "str"}).reset_index(drop=True)
    twice = table[table.duplicated(["plan_id", "scenario_id"])]
    if len(twice):
        raise ValueError(f"plan {twice['plan_id'].iloc[0]} is evaluated twice in scenario {twice['scenario_id'].iloc[0]}")
    have = set(zip(table["plan_id"], table["scenario_id"], strict=True))
    for plan in sorted(set(table["plan_id"])):
        for scenario in sorted(set(table["scenario_id"])):
            if (plan, scenario) not in have:
                raise ValueError(f"plan {plan} is not evaluated in scenario {scenario}")
    numbers = table[list(MEASURES)].astype(float)
    if not np.isfinite(numbers.to_numpy()).all():
        raise ValueError("a measure of the evaluations is missing or not finite")
    # adding zero turns -0 into 0
    return table.assign(**{m: numbers[m].round() + 0.0 for m in MEASURES})
