"""Demands over columns that use shared resources: the exact optimum of several objectives, from the congested part alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.csgraph import connected_components

from layout.location import Level, Program, Solution, solve, sparse_rows

# a use this near a capacity fills it
_FULL = 1e-7
# how far a flow may be from a whole number
_WHOLE = 1e-6


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


def send(
    problem: Transport, objectives: Mapping[str, np.ndarray], *, whole: bool = True, weights: Sequence[float] | None = None, seed: int = 0
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
    free = (problem.uses < 0).all(axis=1)
    if len(np.unique(problem.demand[free])) < len(problem.amounts):
        raise ValueError("every demand needs a column that uses no resource")
    # a column of a resource that has nothing to give is none
    width = problem.uses.shape[1]
    taken = problem.uses >= 0
    empty = ((problem.capacity[problem.uses] <= 0) & taken & (problem.shares > 0)).any(axis=1) if width and len(problem.capacity) else ~free & False
    kept = np.flatnonzero(~empty)
    order = kept[np.lexsort((kept, *costs[::-1, kept], problem.demand[kept]))]
    start = np.searchsorted(problem.demand[order], np.arange(len(problem.amounts)))
    hot = _load(problem, order[start], problem.amounts) > problem.capacity + _FULL
    guess = None if weights is None else np.asarray(weights, float) @ costs
    solved: dict[tuple[bytes, bytes], tuple[_Part, Solution]] = {}
    guessing = guess is not None
    while True:
        parts, still = _parts(problem, order, start, hot)
        answers = []
        for part in parts:
            if part.key not in solved:
                own = {n: c[part.columns] for n, c in zip(names, costs, strict=True)}
                hint = None if guess is None else guess[part.columns]
                asked = {"guess": hint} if guessing and hint is not None else own
                solved[part.key] = part, solve(_program(problem, part), asked, guess=None if guessing else hint, seed=seed)
            answers.append(solved[part.key])
        full = hot.copy()
        for part, answer in answers:
            used = _load(problem, part.columns, answer.values)[part.resources]
            full[part.resources[used >= part.left - _FULL]] = True
        if (full == hot).all():
            if not guessing:
                break
            # the weighted sum has found the full resources, or nearly: now the levels themselves
            guessing, solved = False, {}
        hot = full
    values = np.zeros(len(problem.demand))
    values[still] = problem.amounts[problem.demand[still]]
    bound, status = values.copy(), "optimal"
    for part, parts_of in answers:
        bound[part.columns], answer = parts_of.values, parts_of
        if whole and np.abs(answer.values - np.round(answer.values)).max(initial=0.0) > _WHOLE:
            program = _program(problem, part)
            exact = replace(program, integer=np.ones(len(program.lower), bool))
            cost = {n: c[part.columns] for n, c in zip(names, costs, strict=True)}
            answer = solve(exact, cost, absolute_gaps=dict.fromkeys(names, _WHOLE), seed=seed)
        status = answer.status if answer.status != "optimal" else status
        values[part.columns] = np.round(answer.values) if whole else answer.values
    levels = []
    for name, cost in zip(names, costs, strict=True):
        objective, least = float(cost @ values), float(cost @ bound)
        levels.append(Level(name, objective, least, max(objective - least, 0.0), status))
    return Solution(values, tuple(levels), status)


def _load(problem: Transport, columns: np.ndarray, flow: np.ndarray) -> np.ndarray:
    out = np.zeros(len(problem.capacity))
    for uses, shares in zip(problem.uses.T, problem.shares.T, strict=True):
        used = uses[columns] >= 0
        out += np.bincount(uses[columns][used], (shares[columns] * flow)[used], minlength=len(out))
    return out


def _parts(problem: Transport, order: np.ndarray, start: np.ndarray, hot: np.ndarray) -> tuple[list[_Part], np.ndarray]:
    """Cut the congested part into pieces; and return the columns of the demands outside it."""
    uses = problem.uses[order]
    warm = ((uses >= 0) & hot[np.maximum(uses, 0)]).any(axis=1) if len(hot) else np.zeros(len(order), bool)
    place = np.arange(len(order))
    owner = problem.demand[order]
    # the first column of each demand that uses no full resource
    cool = np.full(len(start), len(order))
    np.minimum.at(cool, owner[~warm], place[~warm])
    core = cool > start
    still = order[start[~core]]
    left = problem.capacity - _load(problem, still, problem.amounts[problem.demand[still]])
    # what uses nothing is always offered, so that there is a solution while other resources have still to prove full
    active = order[core[owner] & ((place <= cool[owner]) | (uses < 0).all(axis=1))]
    if not len(active):
        return [], still
    demands, resources = len(start), len(hot)
    used = problem.uses[active] >= 0
    i = np.repeat(problem.demand[active], problem.uses.shape[1])[used.ravel()]
    j = problem.uses[active][used]
    links = sparse_rows(demands + resources, demands + resources, (i, demands + j, 1.0))
    label = connected_components(links, directed=False)[1]
    piece = label[problem.demand[active]]
    by_piece = np.argsort(piece, kind="stable")
    cuts = np.flatnonzero(np.diff(piece[by_piece])) + 1
    groups = [np.sort(active[g]) for g in np.split(by_piece, cuts)]
    parts = []
    for columns in sorted(groups, key=lambda c: int(c[0])):
        mine = problem.uses[columns]
        shared = np.unique(mine[mine >= 0])
        parts.append(_Part(columns, shared, left[shared]))
    return parts, still


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
