"""Demands over columns that use shared resources: the exact optimum of several objectives, from the congested part alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from layout.programs import Block, solve, solve_growing
from layout.solver import Level, Program, Solution, sparse_rows
from layout.sums import dot, products

# a use this near a capacity fills it
_FULL = 1e-7
# how far a flow may be from a whole number
_WHOLE = 1e-6
# so many columns are worth a search for prices beforehand
_MANY = 20_000
# cost above the best at those prices up to which a column is offered, and how many are offered at least where it is crowded
_WINDOW, _MORE = 2.0, 3
# columns of a demand that are looked at before all of them
_FIRST = 24
# branch-and-bound nodes in making the flows of a large piece whole
_NODES = 200
# costs nearer than this are equal
_PRICE = 1e-6


@dataclass(frozen=True)
class Transport:
    """Amounts to be sent, over columns that each use up to a few resources.

    Parameters
    ----------
    amounts
        What each demand sends.
    demand
        Demand of each column.
    uses
        Columns x k: resources that a column uses, -1 for none.
    shares
        Columns x k: how much of the resource a unit takes.
    capacity
        Of each resource.
    """

    amounts: np.ndarray
    demand: np.ndarray
    uses: np.ndarray
    shares: np.ndarray
    capacity: np.ndarray


@dataclass(frozen=True)
class _Part:
    """A piece of the congested part that shares no resource with the rest: its columns, resources and what is left of them."""

    columns: np.ndarray
    resources: np.ndarray
    left: np.ndarray

    @property
    def key(self) -> tuple[bytes, bytes]:
        return self.columns.tobytes(), self.left.tobytes()


@dataclass(frozen=True)
class _Ordered:
    """Columns by demand and cost, where each demand begins, the cost of every column by level, and the weighted sum.

    ``owner``, ``uses``, ``shares`` and ``sorted_costs`` are demand, resources and costs of the columns in that order.
    """

    order: np.ndarray
    start: np.ndarray
    owner: np.ndarray
    uses: np.ndarray
    shares: np.ndarray
    sorted_costs: np.ndarray
    free: np.ndarray
    costs: np.ndarray
    names: tuple[str, ...]
    guess: np.ndarray | None
    weights: tuple[float, ...]
    seed: int


def send(
    problem: Transport,
    objectives: Mapping[str, np.ndarray],
    *,
    whole: bool = True,
    weights: Sequence[float] | None = None,
    in_order: bool = False,
    seed: int = 0,
) -> Solution:
    """Send every amount so that several objectives are least, each among the optima of those before it.

    A demand whose best column uses no resource that fills up takes it in every optimum. So only demands at full resources are
    solved, each with its columns up to the first that uses none of these, piece by piece; a resource that fills up thereby joins
    the full ones until none does. Resources that are not full have no price on any level (complementary slackness), which
    proves the optimum for all columns, those never looked at included.

    Parameters
    ----------
    problem
        Amounts, columns and resources; every demand needs a column without any use, or there may be no solution.
    objectives
        Cost of a unit of each column by name of the level, the first one foremost.
    whole
        Whether flows must be whole numbers; a piece whose optimum is not is searched by branch and bound, to proof.
    weights
        One a level: a sum of the levels whose optimum is likely near theirs, from which the search for full resources and for
        the optimum sets out. They change the time and no objective.
    in_order
        Whether columns come by demand, and the columns of a demand by rising cost already.
    seed
        Of the solver.

    Returns
    -------
    Solution
        Flow of each column; levels whose bound is that of fractional flows. At most as many demands are divided as resources
        are full.

    Raises
    ------
    ValueError
        If a demand has no column that uses nothing.

    References
    ----------
    Objective: lexmin (c_1 x, ..., c_L x) subject to (1) sum of x_j over the columns of demand d = amount_d, (2) sum of share_jr
    x_j <= capacity_r, (3) x >= 0, whole where asked for.

    Examples
    --------
    >>> problem = Transport(
    ...     np.array([5.0, 5.0]), np.array([0, 0, 1, 1]), np.array([[0], [-1], [0], [-1]]), np.ones((4, 1)), np.array([6.0])
    ... )
    >>> send(problem, {"minutes": np.array([10.0, 30.0, 10.0, 20.0])}).values.tolist()
    [5.0, 0.0, 1.0, 4.0]
    """
    names, costs = list(objectives), np.array([np.asarray(c, float) for c in objectives.values()]).reshape(len(objectives), -1)
    free = np.asarray((problem.uses < 0).all(axis=1))
    if len(np.unique(problem.demand[free])) < len(problem.amounts):
        raise ValueError("every demand needs a column that uses no resource")
    # a column of a resource that has nothing to give is none
    gives = np.ones(len(problem.capacity) + 1, bool)
    gives[:-1] = problem.capacity > 0
    kept = np.flatnonzero((gives[problem.uses] | (problem.shares <= 0)).all(axis=1))
    order = kept if in_order else kept[np.lexsort((kept, *costs[::-1, kept], problem.demand[kept]))]
    start = np.searchsorted(problem.demand[order], np.arange(len(problem.amounts)))
    hot = _load(problem, order[start], problem.amounts) > problem.capacity + _FULL
    guess = None if weights is None else products(np.asarray(weights, float), costs)
    ordered = _Ordered(
        order, start, problem.demand[order], problem.uses[order].T.copy(), problem.shares[order].T.copy(), costs[:, order], free[order],
        costs, tuple(names), guess, tuple(weights or ()), seed,
    )  # fmt: skip
    if guess is not None and len(order) > _MANY and hot.any():
        bound, duals = _by_prices(problem, ordered)
        values = _whole_on_face(problem, ordered, bound, duals) if whole else bound
    else:
        values, bound = _from_parts(problem, ordered, hot, whole)
    levels = []
    for name, cost in zip(names, costs, strict=True):
        objective, least = dot(cost, values), dot(cost, bound)
        levels.append(Level(name, objective, least, max(objective - least, 0.0), "optimal"))
    return Solution(values, tuple(levels), "optimal")


def _from_parts(problem: Transport, ordered: _Ordered, hot: np.ndarray, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the flow of each column, and the best one where parts of units may flow."""
    answers, still = _by_full_resources(problem, ordered, hot)
    values = np.zeros(len(problem.demand))
    values[still] = problem.amounts[problem.demand[still]]
    bound = values.copy()
    for part, answer in answers:
        bound[part.columns] = answer.values
        values[part.columns] = _whole_part(problem, ordered, part, answer.values) if whole else answer.values
    return values, bound


def _whole_part(problem: Transport, ordered: _Ordered, part: _Part, flow: np.ndarray) -> np.ndarray:
    if np.abs(flow - np.round(flow)).max(initial=0.0) <= _WHOLE:
        return np.round(flow)
    program = _program(problem, part)
    exact = replace(program, integer=np.ones(len(program.lower), bool))
    cost = {n: c[part.columns] for n, c in zip(ordered.names, ordered.costs, strict=True)}
    return np.round(solve(exact, cost, absolute_gaps=dict.fromkeys(ordered.names, _WHOLE), seed=ordered.seed).values)


def _whole_on_face(problem: Transport, ordered: _Ordered, flow: np.ndarray, duals: Sequence[np.ndarray]) -> np.ndarray:
    """Make flows whole: among the columns of some optimum where that can be, else among all of the demands concerned."""
    broken = np.abs(flow - np.round(flow)) > _WHOLE
    if not broken.any():
        return np.round(flow)
    owner = ordered.owner
    face = np.ones(len(owner), bool)
    for dual, cost in zip(duals, ordered.sorted_costs, strict=True):
        reduced = _reduced(ordered, cost, dual[len(ordered.start) :]) - dual[owner]
        face &= np.abs(reduced) <= _PRICE * 10
    face |= flow[ordered.order] > _WHOLE
    _, label = _pieces(problem, ordered.order[face])
    sick = np.unique(label[problem.demand[np.flatnonzero(broken)]])
    core = np.isin(label[: len(ordered.start)], sick)
    values = np.round(flow)
    for counted in (face | ordered.free, np.ones(len(owner), bool)):
        held = np.flatnonzero(~core[problem.demand] & (flow > _WHOLE))
        left = problem.capacity - _load(problem, held, np.round(flow[held]))
        columns = np.sort(ordered.order[counted & core[owner]])
        shared = problem.uses[columns]
        part = _Part(columns, np.unique(shared[shared >= 0]), left[np.unique(shared[shared >= 0])])
        program = _program(problem, part)
        exact = replace(program, integer=np.ones(len(columns), bool))
        cost = {n: c[columns] for n, c in zip(ordered.names, ordered.costs, strict=True)}
        found = solve(exact, cost, absolute_gaps=dict.fromkeys(ordered.names, _WHOLE), work_limit=_NODES, seed=ordered.seed)
        values[columns] = np.round(found.values)
        lost = [dot(c, values - flow) for c in ordered.costs]
        if all(abs(n) <= _WHOLE * max(1.0, float(np.abs(c).max())) * 10 for n, c in zip(lost, ordered.costs, strict=True)):
            break
    return values


def _by_full_resources(problem: Transport, ordered: _Ordered, hot: np.ndarray) -> tuple[list[tuple[_Part, Solution]], np.ndarray]:
    """Solve the demands at full resources, until no other resource fills up."""
    guessing = ordered.guess is not None
    solved: dict[tuple[bytes, bytes], tuple[_Part, Solution]] = {}
    while True:
        active, core = _up_to_cool(problem, ordered, hot)
        parts, still = _parts(problem, ordered, active, core)
        answers = [_solved(problem, ordered, part, guessing, solved) for part in parts]
        full = hot.copy()
        for part, answer in answers:
            used = _load(problem, part.columns, answer.values)[part.resources]
            full[part.resources[used >= part.left - _FULL]] = True
        if (full == hot).all():
            if not guessing:
                return answers, still
            # the weighted sum has found the full resources, or nearly: now the levels themselves
            guessing, solved = False, {}
        hot = full


def _by_prices(problem: Transport, ordered: _Ordered) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Solve with the columns that look good at prices near the right ones; what the duals find better is added.

    Returns the flow of each column and the duals of demands and resources by level.
    """
    from layout.compiled import loops

    order, start, guess = ordered.order, ordered.start, np.asarray(ordered.guess)
    owner = ordered.owner
    rank = np.arange(len(order)) - start[owner]
    near = np.flatnonzero((rank < _FIRST) | ordered.free)
    by_cost = order[near[np.lexsort((guess[order[near]], owner[near]))]]
    uses, shares = problem.uses[by_cost], problem.shares[by_cost]
    first = np.argmax(uses >= 0, axis=1)
    place = np.arange(len(by_cost))
    sink = np.where((uses >= 0).any(axis=1), uses[place, first], -1)
    used = np.bincount(sink[sink >= 0], shares[place, first][sink >= 0], minlength=len(problem.capacity))
    mean = used.astype(float) / np.maximum(np.bincount(sink[sink >= 0], minlength=len(problem.capacity)), 1)
    room = np.divide(problem.capacity, mean, out=np.zeros(len(mean)), where=mean > 0)
    bounds = np.append(np.searchsorted(owner[near], np.arange(len(start))), len(near)).astype("int64")
    close = _slice(ordered, near)
    price = loops("transport_kernels").resource_prices(bounds, sink.astype("int64"), guess[by_cost], problem.amounts.astype(float), room)
    worth = np.divide(price, mean, out=np.zeros(len(mean)), where=mean > 0)
    reduced = _reduced(ordered, guess[order], -worth)
    least = np.minimum.reduceat(reduced, start)
    active = (reduced <= least[owner] + _WINDOW) | ordered.free
    chosen = [np.flatnonzero(active)]
    rows = len(start) + len(problem.capacity)

    def block(places: np.ndarray) -> Block:
        return Block(_entries(problem, order[places], rows), ordered.costs[:, order[places]])

    def more(duals: Sequence[np.ndarray], weights: np.ndarray) -> Block | None:
        places = near[_better_columns(close, duals, weights) & ~active[near]]
        if not len(places):
            # nothing among the best columns of each demand: now all of them
            places = np.flatnonzero(_better_columns(ordered, duals, weights) & ~active)
        if not len(places):
            return None
        # of each demand those that gain most
        worth = np.append(duals[0][len(start) :], 0.0)
        gain = products(weights[0], ordered.sorted_costs[:, places]) - (ordered.shares[:, places] * worth[ordered.uses[:, places]]).sum(axis=0)
        by = places[np.lexsort((gain, owner[places]))]
        begins = np.flatnonzero(np.append(True, owner[by][1:] != owner[by][:-1]))
        rank = np.arange(len(by)) - np.repeat(begins, np.diff(np.append(begins, len(by))))
        places = np.sort(by[rank < _MORE])
        active[places] = True
        chosen.append(places)
        return block(places)

    low = np.concatenate([problem.amounts, np.full(len(problem.capacity), -np.inf)])
    high = np.concatenate([problem.amounts, problem.capacity])
    answer = solve_growing(low, high, block(chosen[0]), ordered.names, ordered.weights, more, seed=ordered.seed)
    columns = order[np.concatenate(chosen)]
    values = np.zeros(len(problem.demand))
    values[columns] = answer.values
    return values, answer.duals


def _slice(ordered: _Ordered, places: np.ndarray) -> _Ordered:
    return replace(
        ordered, order=ordered.order[places], owner=ordered.owner[places], uses=ordered.uses[:, places].copy(),
        shares=ordered.shares[:, places].copy(), sorted_costs=ordered.sorted_costs[:, places].copy(), free=ordered.free[places],
    )  # fmt: skip


def _better_columns(ordered: _Ordered, duals: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Say which columns have a lower cost than those used, level after level, at the duals of demands and resources."""
    better = np.zeros(len(ordered.owner), bool)
    open_yet = np.ones(len(ordered.owner), bool)
    for dual, weight in zip(duals, weights, strict=True):
        cost = ordered.sorted_costs[np.argmax(weight)] if (weight > 0).sum() == 1 else products(weight, ordered.sorted_costs)
        over = _reduced(ordered, cost, dual[len(ordered.start) :]) - dual[ordered.owner]
        tolerance = _PRICE * max(1.0, float(np.abs(cost).max(initial=0.0)) / 1e3)
        better |= open_yet & (over < -tolerance)
        open_yet &= over <= tolerance
    return better


def _reduced(ordered: _Ordered, cost: np.ndarray, dual: np.ndarray) -> np.ndarray:
    """Return the costs of the ordered columns less what their resources are worth."""
    # the last entry is that of no resource
    worth = np.append(dual, 0.0)
    out = cost.copy()
    for uses, shares in zip(ordered.uses, ordered.shares, strict=True):
        out -= shares * worth[uses]
    return out


def _solved(
    problem: Transport, ordered: _Ordered, part: _Part, guessing: bool, solved: dict[tuple[bytes, bytes], tuple[_Part, Solution]]
) -> tuple[_Part, Solution]:
    if part.key not in solved:
        own = {n: c[part.columns] for n, c in zip(ordered.names, ordered.costs, strict=True)}
        hint = None if ordered.guess is None else ordered.guess[part.columns]
        asked = {"guess": hint} if guessing and hint is not None else own
        solved[part.key] = part, solve(_program(problem, part), asked, guess=None if guessing else hint, seed=ordered.seed)
    return solved[part.key]


def _load(problem: Transport, columns: np.ndarray, flow: np.ndarray) -> np.ndarray:
    out = np.zeros(len(problem.capacity))
    for uses, shares in zip(problem.uses.T, problem.shares.T, strict=True):
        used = uses[columns] >= 0
        out += np.bincount(uses[columns][used], (shares[columns] * flow)[used], minlength=len(out))
    return out


def _up_to_cool(problem: Transport, ordered: _Ordered, hot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which columns count of demands at full resources: up to the first that uses none; and which demands these are."""
    order, start, owner = ordered.order, ordered.start, ordered.owner
    full = np.append(hot, False)
    warm = np.zeros(len(order), bool)
    for uses in ordered.uses:
        warm |= full[uses]
    place = np.arange(len(order))
    cool = np.full(len(start), len(order))
    np.minimum.at(cool, owner[~warm], place[~warm])
    core = cool > start
    # what uses nothing is always offered, so that there is a solution while other resources have still to prove full
    active = core[owner] & ((place <= cool[owner]) | ordered.free)
    active[start[~core]] = True
    return active, core


def _parts(problem: Transport, ordered: _Ordered, counted: np.ndarray, core: np.ndarray) -> tuple[list[_Part], np.ndarray]:
    """Cut the demands that have a choice into pieces; and return the columns of the others."""
    owner = ordered.owner
    still = ordered.order[counted & ~core[owner]]
    left = problem.capacity - _load(problem, still, problem.amounts[problem.demand[still]])
    active = ordered.order[counted & core[owner]]
    if not len(active):
        return [], still
    piece = _pieces(problem, active)[0]
    by_piece = np.argsort(piece, kind="stable")
    cuts = np.flatnonzero(np.diff(piece[by_piece])) + 1
    groups = [np.sort(active[g]) for g in np.split(by_piece, cuts)]
    parts = []
    for columns in sorted(groups, key=lambda c: int(c[0])):
        mine = problem.uses[columns]
        shared = np.unique(mine[mine >= 0])
        parts.append(_Part(columns, shared, left[shared]))
    return parts, still


def _pieces(problem: Transport, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the pieces that share no resource: of each column, and of each demand and resource."""
    demands, resources = len(problem.amounts), len(problem.capacity)
    used = problem.uses[columns] >= 0
    i = np.repeat(problem.demand[columns], problem.uses.shape[1])[used.ravel()]
    links = sparse_rows(demands + resources, demands + resources, (i, demands + problem.uses[columns][used], 1.0))
    label = connected_components(links, directed=False)[1]
    return label[problem.demand[columns]], label


def _entries(problem: Transport, columns: np.ndarray, rows: int) -> sparse.csc_matrix:
    """Write columns with a row for every demand and every resource."""
    demands, place = len(problem.amounts), np.arange(len(columns))
    parts = [(problem.demand[columns], place, np.ones(len(columns)))]
    for uses, shares in zip(problem.uses[columns].T, problem.shares[columns].T, strict=True):
        used = np.flatnonzero(uses >= 0)
        parts.append((demands + uses[used], used, shares[used]))
    return sparse_rows(rows, len(columns), *parts).tocsc()


def _program(problem: Transport, part: _Part) -> Program:
    demands, line = np.unique(problem.demand[part.columns], return_inverse=True)
    entries = [(line, np.arange(len(part.columns)), np.ones(len(part.columns)))]
    for uses, shares in zip(problem.uses[part.columns].T, problem.shares[part.columns].T, strict=True):
        used = np.flatnonzero(uses >= 0)
        entries.append((len(demands) + np.searchsorted(part.resources, uses[used]), used, shares[used]))
    rows, total = len(demands) + len(part.resources), problem.amounts[demands]
    matrix = sparse_rows(rows, len(part.columns), *entries)
    low = np.concatenate([total, np.full(len(part.resources), -np.inf)])
    return Program(
        np.zeros(len(part.columns)), np.full(len(part.columns), np.inf), np.zeros(len(part.columns), bool), matrix, low,
        np.concatenate([total, np.maximum(part.left, 0.0)]),
    )  # fmt: skip
