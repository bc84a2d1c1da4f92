"""A few schools at a time: all their openings, rooms, beds, classes and children are free together, everything else stands as it is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import sparse

from layout.built import Built, evaluate, whole_plan
from layout.early_years import better
from layout.memory import give_back
from layout.processors import processors
from layout.programme import Model, Programme, funded_pupils, grade_sums, write_programme
from layout.programs import search
from layout.relaxations import Prices, least_value, price, tightened
from layout.seat_cuts import seat_cuts
from layout.solver import NoSolutionError, Program, Solution
from layout.sums import dot

# searches one after another: whether only children above the standard are looked at, schools at a time, neighbourhoods for each site of the
# county and at least, and branch-and-bound nodes of each: counted work
_PASSES = ((True, 4, 0.12, 14, 1), (True, 8, 0.07, 18, 200), (False, 4, 0.1, 14, 1), (False, 8, 0.15, 27, 200))
# neighbourhoods that are searched from the same plan, at once where there are processors for it
_ABREAST = 2
# with more flows than this the bound of money is the linear relaxation, without cuts, and seats have none over all years
_CUTS = 150_000
# ten thousand yuan that a child-year above the standard weighs while schools are searched: more than any seat costs
_ABOVE = 1000.0
# ten thousand yuan that a neighbourhood must save
_BETTER = 5.0
# how much a row of a neighbourhood may be broken by values that were taken over
_ROW = 1e-5
# how much of a child, a minute or a share is rounding error
_SAME, _SHARE = 1e-6, 1e-7
_FIRST = ("without_place", "beyond_limit", "excess_minutes")
_KINDS = ("state", "opened", "rooms", "beds", "over", "counted", "classes", "runs")


@dataclass(frozen=True)
class Whole:
    """The programme with whole classes everywhere, its columns bound to plans that are as good on the levels of places and minutes."""

    programme: Programme
    program: Program
    reached: Mapping[str, float]


def whole_classes(model: Model, parts: Programme, built: Built, *, time_limit: float = 300.0) -> Whole:
    """Write the programme with whole classes everywhere, and leave out what no plan uses that is as good for places and minutes.

    Parameters
    ----------
    model, parts, built
        Children, sites, years, figures; the programme with parts of classes at some schools; and a plan.
    time_limit
        Seconds, a guard only.

    Returns
    -------
    Whole
        ``program`` holds every plan that leaves as few children without a place and beyond the limit, and as few minutes beyond it.

    Raises
    ------
    NoSolutionError
        If the linear relaxation was stopped.

    References
    ----------
    Ways and children without a place that have a reduced cost where classes come in parts stay at their bound (complementary slackness): parts
    of classes only ever hold more children, so every plan with whole classes that reaches the same lies on that face. Rows are added that whole
    classes keep and the linear relaxation breaks (:func:`layout.seat_cuts.seat_cuts`), not in very large counties.
    """
    programme = write_programme(model)
    reached = {name: sum(values) for name, values in evaluate(model, built).items()}
    found = price(parts.program, {name: parts.objectives[name] for name in (*_FIRST, "above_standard")}, reached, time_limit=time_limit)
    lower, upper = programme.program.lower.copy(), programme.program.upper.copy()
    # ways and children without a place stand in the same columns of both
    same = slice(0, programme.columns.flows + len(programme.columns.none))
    lower[same], upper[same] = found.lower[same], found.upper[same]
    program, costs = replace(programme.program, lower=lower, upper=upper), programme.objectives
    if programme.columns.flows > _CUTS:
        return Whole(programme, program, reached)
    held = _held(program, {name: costs[name] for name in _FIRST}, reached)
    finer = tightened(held, _ABOVE * costs["above_standard"] + costs["money"], seat_cuts(model, programme), time_limit=time_limit)
    return Whole(programme, _with_rows(program, finer, len(held.row_lower)), reached)


def _with_rows(program: Program, finer: Program, first: int) -> Program:
    """Add the rows of another program from the first of these on."""
    return replace(
        program, matrix=sparse.vstack([program.matrix, finer.matrix[first:]], format="csr"),
        row_lower=np.append(program.row_lower, finer.row_lower[first:]), row_upper=np.append(program.row_upper, finer.row_upper[first:]),
    )  # fmt: skip


def improved(
    model: Model, built: Built, whole: Whole, *, seats: bool | None = None, enough: Mapping[str, float] | None = None,
    proven: Callable[[str, Mapping[str, float]], float] | None = None, time_limit: float = 300.0,
) -> tuple[Built, str]:  # fmt: skip
    """Search a few schools at a time for fewer children above the standard, then for less money.

    Parameters
    ----------
    model, built
        The plan.
    whole
        From :func:`whole_classes`.
    seats
        True: only for fewer children above the standard; False: only for less money with no more of them; None: the one and then the other.
    enough
        Child-years above the standard, and ten thousand yuan, at which both the search ends; None: at nothing.
    proven
        What is enough of a level for plans that come to so much on each; asked once for each level: of seats before larger neighbourhoods are
        searched for them, of money when a sixth of the last search is done.
    time_limit
        Seconds, a guard only: what was found by then stands.

    Returns
    -------
    tuple of Built and str
        A plan that is as good on the levels of places and minutes and better on the later ones, else the same; and what ended the search:
        ``optimal`` by itself, ``time_limit`` where the guard did.

    References
    ----------
    Neighbourhoods of a school and those to which the same children may go, all plan years together, with whole classes, openings, rooms
    and beds; the schools come first at which the plan costs most above the linear relaxation (reduced costs and duals times what
    is left of the rows; summed over all schools that is the whole difference), one that gained nothing comes again once its
    surroundings have changed; two begin from one plan, and of gains that break a row together one is left out. Objective: the
    children above the standard, then money, under all constraints of :func:`layout.placement.propose`; large neighbourhood search, Shaw, P. (1998).
    Using constraint programming and local search methods to solve vehicle routing problems. Principles and Practice of Constraint Programming.
    """
    until = time.monotonic() + time_limit
    now = evaluate(model, built)
    around = _surroundings(model, replace(whole, reached={name: min(most, sum(now[name])) for name, most in whole.reached.items()}))
    values = plan_values(model, whole.programme, built)
    prices: dict[bool, Prices] = {}
    most = {"above_standard": 0.0, "money": 0.0, **(enough or {})}

    def ask(level: str) -> Callable[[np.ndarray], float]:
        def enough_of(values: np.ndarray) -> float:
            levels = {**around.levels, "above_standard": around.above, "money": around.money}
            return proven(level, {name: dot(cost, values) for name, cost in levels.items()}) if proven is not None else 0.0

        return enough_of

    for first, sites, share, least, nodes in _PASSES:
        if seats not in (None, first) or _enough(around, values, most, first):
            continue
        wide = nodes > 1 and proven is not None
        if first and wide:
            # a bound is dear, but what no plan can avoid is not searched for; it has a guard of its own
            begun = time.monotonic()
            most["above_standard"] = max(most["above_standard"], ask("above_standard")(values))
            until += time.monotonic() - begun
            if _enough(around, values, most, first):
                continue
        try:
            prices = prices if first in prices else {first: _prices(around, values, first, until)}
        except NoSolutionError:
            break
        tries = max(math.ceil(share * len(model.sites)), least)
        # of money it is asked for once the schools worth most have been looked at
        later = (math.ceil(tries / 6), ask("money")) if wide and not first else None
        values, asked = _pass(around, values, prices[first], sites, tries, nodes, most, first, until, later)
        until += asked
    again, _ = whole_plan(model, whole.programme, Solution(values, (), "work_limit"))
    ended = "optimal" if time.monotonic() < until else "time_limit"
    return again if better(evaluate(model, again), now) else built, ended


def level_bound(
    whole: Whole, level: str, reached: Mapping[str, float], *, enough: float = np.inf, time_limit: float = 300.0
) -> float:  # fmt: skip
    """Bound a level among all plans that are as good on every level before it, with whole classes everywhere.

    Parameters
    ----------
    whole
        From :func:`whole_classes`.
    level
        ``above_standard`` or ``money``.
    reached
        What the plan comes to on each level.
    enough
        The bound that is asked for: more of it is not looked for.
    time_limit
        Seconds, a guard only.

    Returns
    -------
    float
        Child-years, or ten thousand yuan over the school years. Of seats minus infinity, nothing known, in very large counties.

    Raises
    ------
    NoSolutionError
        If the search was stopped before it had a bound.

    References
    ----------
    The root of branch and bound with cuts for whole numbers, of money in very large counties without them; levels before are rows.
    """
    costs, cuts = whole.programme.objectives, whole.programme.columns.flows <= _CUTS
    if level == "above_standard" and not cuts:
        return -np.inf
    before = _FIRST if level == "above_standard" else (*_FIRST, "above_standard")
    program = _held(whole.program, {name: costs[name] for name in before}, reached)
    give_back()
    return least_value(program, costs[level], known=reached[level], enough=enough, cuts=cuts, time_limit=time_limit)


def _held(program: Program, levels: Mapping[str, np.ndarray], reached: Mapping[str, float]) -> Program:
    """Keep levels at what was reached, each by a row of the size of the others."""
    for name, cost in levels.items():
        if not cost.any():
            continue
        scale = 1.0 / max(float(np.median(cost[cost > 0])), 1.0)
        most = reached[name] * (1 + _SHARE) + _SAME
        program = replace(
            program, matrix=sparse.vstack([program.matrix, sparse.csr_matrix(cost * scale)], format="csr"),
            row_lower=np.append(program.row_lower, -np.inf), row_upper=np.append(program.row_upper, most * scale),
        )  # fmt: skip
    return program


def plan_values(model: Model, programme: Programme, built: Built) -> np.ndarray:
    """Return the values of the columns that a plan means, classes whole everywhere.

    Parameters
    ----------
    model, programme, built
        Children and sites, their programme with whole classes everywhere, and the plan.

    Returns
    -------
    numpy.ndarray
        By column.
    """
    columns, out = programme.columns, np.zeros(len(programme.program.lower))
    out[: columns.flows], out[columns.none] = built.shares, built.none
    for (k, part, t), column in columns.state.items():
        out[column] = part in built.parts.get((k, t), ())
    for place, column in columns.opened.items():
        out[column] = bool(built.parts.get(place, ()))
    for key, column in columns.rooms.items():
        out[column] = built.rooms.get(key, 0)
    for place, column in columns.beds.items():
        out[column] = built.beds.get(place, 0)
    loads = grade_sums(model, built.shares)
    for (k, group, t), formed in built.classes.items():
        for grades, count in formed.classes.items():
            single = len(grades) == 1
            out[columns.classes[k, group, t, grades[0]] if single else columns.runs[k, group, t, grades]] = count
    _put_over(model, programme, built, loads, out)
    for (k, t), column in columns.counted.items():
        if "small" in built.parts.get((k, t), ()):
            primary = float(loads[k, t].sum())
            out[column] = min(primary, funded_pupils(model))
    return out


def _put_over(model: Model, programme: Programme, built: Built, loads: np.ndarray, out: np.ndarray) -> None:
    """Set the children above the standard by grade; of grades together those of the larger grade come first."""
    over = programme.columns.over
    for (k, group, t), formed in built.classes.items():
        for grades, count in formed.classes.items():
            seats = model.mixed_size(k, group, t) if len(grades) > 1 else count * model.size(k, group, grades[0], t)
            rest = max(float(sum(loads[k, t, g - 1] for g in grades)) - seats, 0.0)
            for g in sorted(grades, key=lambda g: -loads[k, t, g - 1]):
                out[over[k, t, g]] = min(rest, float(loads[k, t, g - 1]))
                rest -= out[over[k, t, g]]


@dataclass(frozen=True)
class _Surroundings:
    """The programme by site and demand, ready to be cut: whose a column is, which schools the same children may go to."""

    program: Program
    cost: np.ndarray
    above: np.ndarray
    money: np.ndarray
    levels: Mapping[str, np.ndarray]
    reached: Mapping[str, float]
    flows: int
    none: np.ndarray
    site: np.ndarray
    demand: np.ndarray
    soft: np.ndarray
    shared: sparse.csr_matrix
    by_column: sparse.csc_matrix
    row_site: np.ndarray


def _surroundings(model: Model, whole: Whole) -> _Surroundings:
    program, columns, objectives = whole.program, whole.programme.columns, whole.programme.objectives
    count = len(program.lower)
    site, soft = np.full(count, -1), np.zeros(count, bool)
    flow_demand, flow_site = model.journeys.flows["demand"].to_numpy(int), model.journeys.flows["site"].to_numpy(int)
    site[: columns.flows] = flow_site
    for kind in _KINDS:
        for key, column in getattr(columns, kind).items():
            site[column] = key[0]
            soft[column] = kind in ("over", "counted")
    alive = program.upper[: columns.flows] > _SAME
    children = np.sqrt(model.journeys.demands["total"].to_numpy(float))[flow_demand[alive]]
    by_demand = sparse.csr_matrix((children, (flow_demand[alive], flow_site[alive])), shape=(len(columns.none), len(model.sites)))
    shared = (by_demand.T @ by_demand).tocsr()
    shared.setdiag(0.0)
    cost = _ABOVE * objectives["above_standard"] + objectives["money"]
    levels = {name: objectives[name] for name in _FIRST if objectives[name].any()}
    return _Surroundings(
        program, cost, objectives["above_standard"], objectives["money"], levels, whole.reached, columns.flows, columns.none, site, flow_demand,
        soft, shared, program.matrix.tocsc(), _row_sites(program.matrix, site),
    )  # fmt: skip


def _row_sites(matrix: sparse.csr_matrix, site: np.ndarray) -> np.ndarray:
    """Return for each row the school whose columns alone it holds, -1 where it holds those of several or none."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    owner = site[matrix.indices]
    row, owner = row[owner >= 0], owner[owner >= 0]
    least, most = np.full(matrix.shape[0], len(site)), np.full(matrix.shape[0], -1)
    np.minimum.at(least, row, owner)
    np.maximum.at(most, row, owner)
    return np.where(least == most, most, -1)


def _enough(around: _Surroundings, values: np.ndarray, enough: Mapping[str, float], first: bool) -> bool:
    above = dot(around.above, values) <= enough["above_standard"]
    return above and (first or dot(around.money, values) <= enough["money"])


def _prices(around: _Surroundings, values: np.ndarray, first: bool, until: float) -> Prices:
    """Price rows and columns; once seats are settled, the children above the standard are a level that is kept."""
    levels = {**around.levels, **({} if first else {"above_standard": around.above})}
    program = _held(around.program, levels, {name: dot(cost, values) for name, cost in levels.items()})
    found = price(program, {"money": around.cost if first else around.money}, {}, time_limit=max(until - time.monotonic(), 0.0))
    return replace(found, duals=found.duals[: len(around.program.row_lower)])


def _losses(around: _Surroundings, values: np.ndarray, prices: Prices) -> np.ndarray:
    """Return by school what the plan costs there above the linear relaxation."""
    done = around.program.matrix @ values
    columns = _apart(prices.reduced, values, prices.lower, prices.upper)
    rows = _apart(prices.duals, done, around.program.row_lower, around.program.row_upper)
    out = np.zeros(around.shared.shape[0])
    for sites, losses in ((around.site, columns), (around.row_site, rows)):
        np.add.at(out, sites[sites >= 0], losses[sites >= 0])
    return out


def _apart(costs: np.ndarray, at: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Return costs times the distance from the bound at which they are paid."""
    low, high = np.where(np.isfinite(lower), lower, at), np.where(np.isfinite(upper), upper, at)
    return np.maximum(np.where(costs > 0, costs * (at - low), costs * (at - high)), 0.0)


def _pass(
    around: _Surroundings, values: np.ndarray, prices: Prices, sites: int, tries: int, nodes: int, enough: Mapping[str, float], first: bool,
    until: float, ask: tuple[int, Callable[[np.ndarray], float]] | None,
) -> tuple[np.ndarray, float]:  # fmt: skip
    """Search the neighbourhoods of so many schools until none gains any more or the tries are used; after some ask what money is enough.

    Returns the values and the seconds that asking took.
    """
    asked, done = 0.0, 0
    count = around.shared.shape[0]
    tried = np.zeros(count)
    # a neighbourhood is worth another look once something around it has changed
    stale = np.zeros(count, bool)
    with ThreadPoolExecutor(min(processors(), _ABREAST)) as pool:
        while done < tries:
            if ask is not None and done >= ask[0]:
                begun = time.monotonic()
                enough = {**enough, "money": max(enough["money"], ask[1](values))}
                asked, ask = time.monotonic() - begun, None
            if time.monotonic() >= until + asked or _enough(around, values, enough, first):
                break
            worth = _losses(around, values, prices) / (1.0 + tried) ** 2
            worth[stale] = 0.0
            centres = _centres(around, worth, sites, min(_ABREAST, tries - done))
            if not centres:
                break
            done += len(centres)
            tried[centres] += 1
            near = [_neighbours(around, k, sites) for k in centres]
            begins = values
            # all begin with the same values, so that nothing depends on how many run at once
            answers = list(pool.map(partial(_searched, around, begins, nodes=nodes, until=until + asked), near))
            for k, found in zip(centres, answers, strict=True):
                stale[k] = found is None
                values = values if found is None else _joined(around, begins, values, found)
            changed = np.unique(around.site[(np.abs(values - begins) > _SAME) & (around.site >= 0)])
            for other in np.flatnonzero(stale):
                if np.isin(_neighbours(around, int(other), sites), changed).any():
                    stale[other] = False
    return values, asked


def _centres(around: _Surroundings, worth: np.ndarray, sites: int, most: int) -> list[int]:
    """Choose the schools worth most of which none lies in the neighbourhood of one before it."""
    out: list[int] = []
    near = np.zeros(len(worth), bool)
    for k in np.argsort(-worth, kind="stable"):
        if len(out) == most or worth[k] <= _BETTER:
            break
        if not near[k]:
            out.append(int(k))
            near[_neighbours(around, int(k), sites)] = True
    return out


def _joined(around: _Surroundings, begins: np.ndarray, values: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Put what one neighbourhood gained beside what others gained from the same beginning; leave it out where both do not go together."""
    if values is begins:
        return found
    changed = np.abs(values - begins) > _SAME
    if (changed & (np.abs(found - begins) > _SAME)).any():
        return values
    mine = np.flatnonzero((found != begins) & ~changed)
    out, program = values.copy(), around.program
    out[mine] = found[mine]
    rows = np.unique(around.by_column[:, mine].indices)
    before, after = program.matrix[rows] @ values, program.matrix[rows] @ out
    # what stood may break a row by rounding error
    low, high = np.minimum(program.row_lower[rows], before), np.maximum(program.row_upper[rows], before)
    if max(float(np.max(low - after, initial=0.0)), float(np.max(after - high, initial=0.0))) > _ROW:
        return values
    for name, cost in around.levels.items():
        if dot(cost, out) > max(around.reached[name], dot(cost, values)) * (1.0 + _SHARE) + _SAME:
            return values
    return out


def _neighbours(around: _Surroundings, k: int, sites: int) -> np.ndarray:
    row = around.shared[k]
    order = np.lexsort((row.indices, -row.data))[: sites - 1]
    return np.append(k, row.indices[order][row.data[order] > 0])


def _searched(around: _Surroundings, values: np.ndarray, chosen: np.ndarray, nodes: int, until: float) -> np.ndarray | None:
    """Free the children, rooms, beds and classes of some schools, and search; None where nothing is better."""
    program = around.program
    inside = np.zeros(around.shared.shape[0] + 1, bool)
    inside[chosen] = True
    many = slice(0, around.flows)
    going = np.zeros(len(around.none), bool)
    going[around.demand[(values[many] > _SHARE) & inside[around.site[many]]]] = True
    free = inside[around.site]
    free[many] = going[around.demand]
    free[around.none] = going
    free &= program.upper > program.lower
    if not free.any():
        return None
    near = inside.copy()
    near[around.site[many][free[many]]] = True
    near[-1] = False
    free |= around.soft & near[around.site]
    columns = np.flatnonzero(free & (program.upper > program.lower))
    rows = np.unique(around.by_column[:, columns].indices)
    matrix = program.matrix[rows]
    others = values.copy()
    others[columns] = 0.0
    given = matrix @ others
    part = matrix[:, columns].tocsr()
    own = part @ values[columns]
    # what stands may break a row by rounding error
    low = np.minimum(program.row_lower[rows] - given, own)
    high = np.maximum(program.row_upper[rows] - given, own)
    blocks = [part]
    for name, cost in around.levels.items():
        mine = cost[columns]
        if not mine.any():
            continue
        scale = 1.0 / max(float(np.median(mine[mine > 0])), 1.0)
        most = max(around.reached[name] - dot(cost, others), dot(mine, values[columns]) * (1.0 - _SHARE))
        blocks.append(sparse.csr_matrix(mine * scale))
        low, high = np.append(low, -np.inf), np.append(high, most * scale)
    cut = Program(program.lower[columns], program.upper[columns], program.integer[columns], sparse.vstack(blocks, format="csr"), low, high)
    cost = around.cost[columns]
    now = dot(cost, values[columns])
    try:
        found = search(
            cut, cost, absolute_gap=_BETTER, cutoff=now - _BETTER, work_limit=nodes, time_limit=max(until - time.monotonic(), 0.0), brief=True
        )
    except NoSolutionError:
        return None
    kept = part @ found.values
    broken = max(float(np.max(low[: len(rows)] - kept, initial=0.0)), float(np.max(kept - high[: len(rows)], initial=0.0)))
    if dot(cost, found.values) > now - _BETTER or broken > _ROW:
        return None
    out = values.copy()
    out[columns] = found.values
    return out
