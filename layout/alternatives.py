"""Other plans for the meeting, what each costs and does, and how a plan stands in other futures than the one it was made for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from layout.futures import Future, future_of, measure, propose_for
from layout.plan import Plan
from layout.regret import MEASURES, no_regret, plan_regrets, regrets
from layout.scenario import Scenario
from layout.standards import Standards
from layout.tables import check, empty

#: Kinds of alternatives in the order in which a meeting sees them.
KINDS = ("nearer", "expand_only", "fewer_sites")
#: The plan itself, and doing nothing, among its alternatives.
MAIN, NOTHING = "plan", "nothing"
# how much shorter the limits of the nearer plan are, and how many times the children that a new school needs in the plan of fewer sites
_SHORTER, _LARGER = 2 / 3, 2.0
# points of the frontier between the plan and doing nothing
_POINTS = 6
# within this share of the best money a plan is a near-tie
_NEAR_TIE = 0.01
Progress = Callable[[str, int, int], None]


def with_alternatives(
    plan: Plan, *, kinds: Sequence[str] = KINDS, near_ties: int = 1, gap: float = 0.03, work_limit: int | None = None, time_limit: float = 300,
    progress: Progress | None = None,
) -> Plan:  # fmt: skip
    """Add other plans to a plan, each judged by the same rule, and the frontier of money against children beyond the limit.

    Parameters
    ----------
    plan
        From :func:`layout.make_plan`.
    kinds
        Of :data:`KINDS`: ``nearer`` plans with limits of walking and bus a third shorter, so that the ways of more children become short;
        ``expand_only`` opens nothing and enlarges what stands; ``fewer_sites`` opens only schools with twice the children that the
        county asks of a new one.
    near_ties
        How many further plans are searched that do without one of the openings (those dearest a child are tried first); kept where they
        are as good on every level of children and within 1 % of the plan's money, else told as dearer or worse.
    gap, work_limit, time_limit
        Of each search, as in :func:`layout.make_plan`.
    progress
        Called with the name of the alternative, the steps done and their number.

    Returns
    -------
    Plan
        With the tables ``alternatives`` (a row a plan: what it builds and does, gap, whether another is better in everything),
        ``alternative_proposals`` and ``frontier``.

    Raises
    ------
    ValueError
        If a kind is not known.

    References
    ----------
    重大行政决策程序暂行条例 第十二条 (two or more plans where views differ). A plan is dominated where another is at least as good in all of
    :data:`layout.regret.MEASURES` and better in one.

    Examples
    --------
    >>> found = with_alternatives(layout.make_plan(paper, to=2026), kinds=["expand_only"], near_ties=0)
    >>> found.alternatives["alternative_id"].tolist()
    ['expand_only', 'nothing', 'plan']
    """
    strange = sorted(set(kinds) - set(KINDS))
    if strange:
        raise ValueError(f"unknown kinds of alternatives: {', '.join(strange)}; there are {', '.join(KINDS)}")
    future = _future_of_plan(plan)
    limits = {"gap": gap, "work_limit": work_limit, "time_limit": time_limit}
    swaps = _dearest(plan.proposals, near_ties)
    steps = [*kinds, *(f"without_{school}" for school in swaps)]
    found: dict[str, pd.DataFrame] = {MAIN: plan.proposals, NOTHING: plan.proposals.iloc[:0]}
    solved = {MAIN: dict(plan.manifest.get("solve", {}))}  # type: ignore[call-overload]
    for i, name in enumerate(steps):
        if progress is not None:
            progress(name, i, len(steps))
        made = _other_plan(future, name, limits)
        found[name], solved[name] = made, made.attrs["solve"]
    rows = {name: measure(future, proposals) for name, proposals in found.items()}
    table = _judged(found, rows, solved)
    others = [p.assign(alternative_id=name) for name, p in found.items() if name not in (MAIN, NOTHING) and len(p)]
    columns = ["alternative_id", *(c for c in plan.proposals.columns if c != "geometry")]
    proposals = check("alternative_proposals", pd.concat(others, ignore_index=True)[columns]) if others else empty("alternative_proposals")
    return replace(plan, alternatives=table, alternative_proposals=proposals, frontier=_frontier(future, plan.proposals, rows))


def with_futures(
    plan: Plan, scenarios: Sequence[Scenario], *, gap: float = 0.03, work_limit: int | None = None, time_limit: float = 300,
    progress: Progress | None = None,
) -> Plan:  # fmt: skip
    """Add what becomes of a plan in other futures, the plans one would make for these, and which plan regrets least.

    Parameters
    ----------
    plan
        From :func:`layout.make_plan`; its own scenario counts as one of the futures.
    scenarios
        The other ones; their names tell them apart.
    gap, work_limit, time_limit
        Of each search, as in :func:`layout.make_plan`.
    progress
        Called with the name of the scenario, the steps done and their number.

    Returns
    -------
    Plan
        With the tables ``evaluations`` (every plan in every future), ``regrets``, ``plan_regrets`` (the plan of least largest regret is
        the robust one), ``common_proposals`` (in all plans, some, one) and ``future_proposals``. Besides the plan of each future there is
        ``core``: what all of them build, and the least of it.

    Raises
    ------
    ValueError
        If two scenarios have one name, or none is given.

    References
    ----------
    As in :func:`layout.regrets`.

    Examples
    --------
    >>> plan = layout.make_plan(paper, to=2026)
    >>> found = with_futures(plan, [layout.Scenario(name="low", variant="low")])
    >>> found.evaluations["plan_id"].drop_duplicates().tolist(), len(found.regrets)
    (['core', 'low', 'plan'], 6)
    """
    names = [MAIN, *(s.name for s in scenarios)]
    if not scenarios or len(set(names)) < len(names) or "core" in names or "" in names:
        raise ValueError("give scenarios, each with a name of its own (not plan, not core)")
    years = plan.years[1:]
    own = [future_of(plan.county, plan.standards, s, years=years) for s in scenarios]
    sites = pd.concat([plan.candidates, *(f.candidates.sites for f in own)], ignore_index=True)
    found: dict[str, pd.DataFrame] = {MAIN: plan.proposals}
    for i, (name, future) in enumerate(zip(names[1:], own, strict=True)):
        if progress is not None:
            progress(name, i, len(own))
        found[name] = propose_for(future, gap=gap, work_limit=work_limit, time_limit=time_limit)
    common = no_regret(found)
    found["core"] = _core(plan, common)
    # every plan is judged in every future, at sites that another one gave reason for too
    futures = {
        name: future_of(plan.county, plan.standards, s, years=years, more_sites=sites)  # type: ignore[arg-type]
        for name, s in zip(names, [plan.scenario, *scenarios], strict=True)
    }
    rows = [{"plan_id": p, "scenario_id": name, **measure(future, proposals)} for name, future in futures.items() for p, proposals in found.items()]
    evaluations = check("evaluations", pd.DataFrame(rows).drop(columns="children"))
    columns = ["scenario_id", *(c for c in plan.proposals.columns if c != "geometry")]
    parts = [found[name].assign(scenario_id=name) for name in names[1:] if len(found[name])]
    future_proposals = check("future_proposals", pd.concat(parts, ignore_index=True)[columns]) if parts else empty("future_proposals")
    return replace(
        plan, evaluations=evaluations, regrets=regrets(evaluations), plan_regrets=plan_regrets(evaluations), common_proposals=common,
        future_proposals=future_proposals,
    )  # fmt: skip


def _future_of_plan(plan: Plan) -> Future:
    return future_of(plan.county, plan.standards, plan.scenario, years=plan.years[1:], more_sites=plan.candidates)


def _other_plan(future: Future, name: str, limits: Mapping[str, object]) -> pd.DataFrame:
    sites = future.candidates.sites
    if name == "nearer":
        return propose_for(future, standards=_changed(future.standards, "travel.limit.", _SHORTER), **limits)  # type: ignore[arg-type]
    if name == "expand_only":
        return propose_for(future, sites=sites.iloc[:0], **limits)  # type: ignore[arg-type]
    if name == "fewer_sites":
        return propose_for(future, standards=_changed(future.standards, "layout.min_pupils.", _LARGER), **limits)  # type: ignore[arg-type]
    return propose_for(future, sites=sites[sites["school_id"] != name.removeprefix("without_")].reset_index(drop=True), **limits)  # type: ignore[arg-type]


def _changed(standards: Standards, prefix: str, factor: float) -> Standards:
    """Return the standards with the figures under a prefix multiplied; the weekly way of boarders stays."""
    rules = {
        key: replace(rule, value=rule.value * factor) if key.startswith(prefix) and not key.startswith("travel.limit.week") else rule  # type: ignore[operator]
        for key, rule in standards.rules.items()
    }  # fmt: skip
    return replace(standards, rules=rules)


def _dearest(proposals: pd.DataFrame, count: int) -> list[str]:
    """Return the new schools that cost most a child."""
    new = proposals[proposals["action"].isin(["open", "reopen"])]
    price = new["cost_yuan"] / new["pupils"].where(new["pupils"] > 0, 1)
    return new.assign(price=price).sort_values(["price", "school_id"], ascending=[False, True])["school_id"].drop_duplicates().head(count).tolist()


def _judged(found: Mapping[str, pd.DataFrame], rows: Mapping[str, Mapping[str, float]], solved: Mapping[str, Mapping[str, object]]) -> pd.DataFrame:
    main = rows[MAIN]
    out = []
    for name, proposals in found.items():
        levels = {level["name"]: level for level in solved.get(name, {}).get("levels", [])}  # type: ignore[attr-defined]
        money = levels.get("money")
        kept = _rounded(rows[name].values())
        out.append({
            "alternative_id": name, "openings": int(proposals["action"].isin(["open", "reopen"]).sum()),
            "rooms": int(proposals["rooms"].sum()), "beds": int(proposals["beds"].sum()), "investment_yuan": float(proposals["cost_yuan"].sum()),
            **rows[name], "money_gap": _share_of(money),
            "stopped_by": str(solved.get(name, {}).get("stopped_by", "optimal")),
            "shared": _shared(found[MAIN], proposals),
            "near_tie": name not in (MAIN, NOTHING) and all(rows[name][m] <= main[m] + 0.5 for m in MEASURES[:4])
            and rows[name]["cost_yuan"] <= main["cost_yuan"] * (1 + _NEAR_TIE),
            "dominated": any(_better(_rounded(o.values()), kept) for n, o in rows.items() if n != name),
        })  # fmt: skip
    return check("alternatives", pd.DataFrame(out))


def _rounded(values: Iterable[float]) -> np.ndarray:
    return np.round(np.array(list(values), float))


def _better(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one <= other).all() and (one < other).any())


def _share_of(money: Mapping[str, float] | None) -> float:
    """Return the gap as a share of the money; not a number where nothing was solved or a search that was stopped has no bound."""
    share = float(money["gap"]) / float(money["objective"]) if money and float(money["objective"]) else np.nan
    return share if np.isfinite(share) else np.nan


def _shared(one: pd.DataFrame, other: pd.DataFrame) -> int:
    """Count the schools at which both build."""
    built = [set(p.loc[(p["rooms"] > 0) | (p["beds"] > 0), "school_id"]) for p in (one, other)]
    return len(built[0] & built[1])


def _frontier(future: Future, proposals: pd.DataFrame, rows: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Give up the openings one after another, the dearest a child first, and add the alternatives: money against children beyond the limit."""
    points = [(name, 0, found) for name, found in rows.items()]
    order = _dearest(proposals, len(proposals))
    for k in sorted({round(len(order) * i / _POINTS) for i in range(1, _POINTS + 1)} - {0}):
        gone = set(order[:k])
        points.append((f"{MAIN}_less_{k}", k, measure(future, proposals[~proposals["school_id"].isin(gone)])))
    table = pd.DataFrame([{
        "point_id": name, "openings_less": k, "children": found["children"],
        **{m: found[m] for m in ("without_place", "beyond_limit", "above_standard", "cost_yuan", "pupil_minutes")},
    } for name, k, found in points])  # fmt: skip
    pairs = [_rounded(p) for p in zip(table["children"], table["cost_yuan"], strict=True)]
    table["on_frontier"] = [not any(_better(other, own) for other in pairs) for own in pairs]
    return check("frontier", table)


def _core(plan: Plan, common: pd.DataFrame) -> pd.DataFrame:
    """Return what the plans of all futures build, the least of it, in the latest year in which all have it."""
    certain = common[common["kind"] == "all"]
    least = {(r["school_id"], r["action"], r["role"]): r for r in certain.to_dict("records")}
    key = ["school_id", "action", "role"]
    first = plan.proposals.sort_values(["year", "school_id", "action"]).drop_duplicates(key)
    rows = first[[k in least for k in zip(*(first[c] for c in key), strict=True)]]
    kept = [least[k] for k in zip(*(rows[c] for c in key), strict=True)]
    # a part of a building costs that part of its yearly money
    sums = plan.proposals.groupby(key)[["cost_yuan", "yuan_a_year"]].sum()
    whole = [sums.loc[k] for k in zip(*(rows[c] for c in key), strict=True)]
    yearly = [w["yuan_a_year"] * (k["cost_yuan_least"] / w["cost_yuan"] if w["cost_yuan"] else 1.0) for w, k in zip(whole, kept, strict=True)]
    return rows.assign(
        year=[k["last_year"] for k in kept], rooms=[k["rooms_least"] for k in kept], beds=[k["beds_least"] for k in kept],
        cost_yuan=[k["cost_yuan_least"] for k in kept], yuan_a_year=yearly,
    ).reset_index(drop=True)  # fmt: skip
