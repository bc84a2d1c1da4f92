"""Good open sets and assignments without a proof: interchange of sites, moves of whole units, a transport for divided ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layout.compiled import loops
from layout.location_case import Answer, Case
from layout.programs import Block, solve_growing
from layout.solver import NoSolutionError, sparse_rows

# most moves of an interchange, passes over the units of a settlement, and tolls tried
_MOVES, _PASSES, _TOLLS = 10_000, 30, 9
# sites nearest to a unit with which a transport begins
_NEAR = 6
_LEAST = 1e-9


def high_costs(case: Case) -> np.ndarray:
    """Return the costs with forbidden pairs above everything that counts.

    Parameters
    ----------
    case
        The program.

    Returns
    -------
    numpy.ndarray
        Sites x units, finite.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> high_costs(case_of(read_request(np.array([[1.0, np.inf]]), count=1))).tolist()
    [[1.0], [4.0]]
    """
    finite = np.where(np.isfinite(case.cost), case.cost, 0.0)
    high = 2.0 * (float(finite.max(axis=0).sum()) + float(case.fixed.sum())) + 2.0
    return np.where(np.isfinite(case.cost), case.cost, high)


def improve(case: Case, opened: np.ndarray) -> Answer | None:
    """Find the assignment of an open set, and where units do not crowd each other a better open set near it.

    Parameters
    ----------
    case
        A plain program.
    opened
        Which sites are open.

    Returns
    -------
    Answer or None
        None where nothing feasible was found, or only open sets that are excluded.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 4.0, 2.0], [5.0, 1.0, 9.0]]), count=2))
    >>> improve(case, np.array([False, True, True])).value
    2.0
    """
    if not case.limited and not len(case.excluded):
        opened = loops("location_kernels").interchange(high_costs(case), case.fixed, opened, case.must, case.count >= 0, _MOVES)[0]
    return assign_to(case, opened)


def assign_to(case: Case, opened: np.ndarray) -> Answer | None:
    """Assign the units to the open sites at the least cost: exactly, except for whole units under capacities.

    Parameters
    ----------
    case
        A plain program.
    opened
        Which sites are open.

    Returns
    -------
    Answer or None
        None where nothing feasible was found, or the open set is excluded.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 4.0], [1.0, 9.0]]), capacity=1.5, fixed_cost=1))
    >>> found = assign_to(case, np.array([True, True]))
    >>> found.value, found.shares.tolist()
    (5.5, [0.5, 0.5, 1.0])
    """
    if not opened.any() or (case.count >= 0 and int(opened.sum()) != case.count):
        return None
    if not case.limited:
        cost = np.where(opened[:, None], case.cost, np.inf)
        at = np.argmin(cost, axis=0)
        found = None if not np.isfinite(cost[at, np.arange(len(at))]).all() else _whole_answer(case, at, opened)
    elif case.whole:
        found = _settled(case, opened)
    else:
        found = transport(case, opened)
    return None if found is None or excluded(case, found.opened) else found


def excluded(case: Case, opened: np.ndarray) -> bool:
    """Say whether an open set is not wanted: named before, or with a site that nothing makes open.

    Parameters
    ----------
    case
        The program.
    opened
        Which sites are open.

    Returns
    -------
    bool
        True where it is one of ``case.excluded``.

    Examples
    --------
    >>> from layout.location_case import case_of, exclude, read_request
    >>> case = case_of(read_request(np.ones((1, 2)), count=1))
    >>> excluded(exclude(case, np.array([True, False])), np.array([True, False]))
    True
    """
    return bool((case.excluded == opened).all(axis=1).any())


def beside_excluded(case: Case) -> Answer | None:
    """Find the best set that is one move away from a set that is not wanted again: a site more, one less, or another.

    Parameters
    ----------
    case
        A plain program whose sites have no capacity that could bind.

    Returns
    -------
    Answer or None
        None where no such set serves every unit.

    Examples
    --------
    >>> from layout.location_case import case_of, exclude, read_request
    >>> case = case_of(read_request(np.array([[1.0, 4.0, 2.0], [5.0, 1.0, 9.0]]), count=2))
    >>> beside_excluded(exclude(case, np.array([True, True, False]))).value
    3.0
    """
    cost, best, least = high_costs(case), None, np.inf
    for opened in case.excluded:
        near = np.where(opened[:, None], cost, np.inf)
        first = np.argmin(near, axis=0)
        rest = near.copy()
        rest[first, np.arange(cost.shape[1])] = np.inf
        d1, d2 = near.min(axis=0), rest.min(axis=0)
        shut = np.flatnonzero(~opened)
        for drop in [-1, *np.flatnonzero(opened & ~case.must).tolist()]:
            base = np.where(first == drop, d2, d1)
            fixed = float(case.fixed[opened].sum()) - (float(case.fixed[drop]) if drop >= 0 else 0.0)
            moves = [] if case.count >= 0 or drop < 0 or opened.sum() < 2 else [(-1, float(base.sum()) + fixed)]
            if case.count < 0 or drop >= 0:
                moves += list(zip(shut.tolist(), (np.minimum(base, cost[shut]).sum(axis=1) + fixed + case.fixed[shut]).tolist(), strict=True))
            for add, value in sorted(moves, key=lambda move: (move[1], move[0])):
                if value >= least:
                    break
                now = opened.copy()
                if drop >= 0:
                    now[drop] = False
                if add >= 0:
                    now[add] = True
                found = assign_to(case, now)
                if found is not None:
                    best, least = found, value
                    break
    return best


def _whole_answer(case: Case, at: np.ndarray, opened: np.ndarray) -> Answer:
    units = np.arange(len(at))
    if case.count < 0 and not len(case.excluded):
        # what nobody uses need not be open
        used = np.zeros(len(opened), bool)
        used[at] = True
        opened = opened & (used | case.must)
    value = float(case.cost[at, units].sum() + case.fixed[opened].sum())
    return Answer(opened.copy(), units, at, np.ones(len(at)), value)


def _settled(case: Case, opened: np.ndarray) -> Answer | None:
    """Place whole units under capacities: at a low toll for overload, then at higher ones until none is left."""
    if case.capacity[opened].sum() < case.load.sum() - _LEAST:
        return None
    cost = high_costs(case)
    at = np.argmin(np.where(opened[:, None], cost, np.inf), axis=0)
    near = np.sort(np.where(opened[:, None], cost, np.inf), axis=0)[:2]
    spread = (near[-1] - near[0])[case.load > 0] / case.load[case.load > 0]
    toll = max(float(np.median(spread[np.isfinite(spread)])) if np.isfinite(spread).any() else 1.0, 1e-6)
    settle, best, over = loops("location_kernels").settle, None, np.inf
    for _ in range(_TOLLS):
        at, over = settle(cost, case.load, case.capacity, at, opened, toll, _PASSES)
        if over <= _LEAST:
            at, over = settle(cost, case.load, case.capacity, at, opened, 1e6 * toll, _PASSES)
            found = _whole_answer(case, at, opened)
            if np.isfinite(found.value) and (best is None or found.value < best.value):
                best = found
            break
        toll *= 3.0
    return best


def transport(case: Case, opened: np.ndarray) -> Answer | None:
    """Divide the units among open sites with capacities at the least cost, exactly.

    Parameters
    ----------
    case
        A program of divisible units.
    opened
        Which sites are open.

    Returns
    -------
    Answer or None
        None where the capacities do not suffice.

    References
    ----------
    Objective: min sum c_ij x_ij subject to (1) sum_j x_ij = 1 for every unit, (2) sum_i load_i x_ij <= capacity_j for every open
    site, (3) x >= 0. Columns come as the duals ask for them.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 4.0], [1.0, 9.0]]), capacity=1.0))
    >>> transport(case, np.array([True, True])).value
    5.0
    """
    sites = np.flatnonzero(opened)
    cost, n = case.cost[sites], case.cost.shape[1]
    if case.capacity[sites].sum() < case.load.sum() - _LEAST or not np.isfinite(cost).any(axis=0).all():
        return None
    high = 2.0 * float(np.where(np.isfinite(cost), cost, 0.0).max()) * max(1.0, len(sites)) + 1.0
    near = np.argpartition(cost, min(_NEAR, len(sites)) - 1, axis=0)[: min(_NEAR, len(sites))]
    there = np.zeros(cost.shape, bool)
    there[near, np.arange(n)] = True
    there &= np.isfinite(cost)
    asked: list[tuple[np.ndarray, np.ndarray]] = []

    def block(j: np.ndarray, i: np.ndarray, outside: bool) -> Block:
        asked.append((j, i))
        many = len(i)
        parts = [(i, np.arange(many), 1.0), (n + j, np.arange(many), case.load[i])]
        price = cost[j, i]
        if outside:
            parts.append((np.arange(n), many + np.arange(n), 1.0))
            price = np.append(price, np.full(n, high))
            asked[-1] = (np.append(j, np.full(n, -1)), np.append(i, np.arange(n)))
        return Block(sparse_rows(n + len(sites), len(price), *parts).tocsc(), price[None, :])

    def more(duals: Sequence[np.ndarray], weights: np.ndarray) -> Block | None:
        reduced = cost - duals[0][:n] - duals[0][n:, None] * case.load
        j, i = np.nonzero((reduced < -1e-7 * max(1.0, high / 1e3)) & ~there & np.isfinite(cost))
        if not len(i):
            return None
        there[j, i] = True
        return block(j, i, False)

    low = np.append(np.ones(n), np.full(len(sites), -np.inf))
    up = np.append(np.ones(n), case.capacity[sites])
    j, i = np.nonzero(there)
    try:
        solution = solve_growing(low, up, block(j, i, True), ["cost"], [1.0], more)
    except NoSolutionError:
        return None
    j, i = (np.concatenate(c) for c in zip(*asked, strict=True))
    used = solution.values > _LEAST
    if (used & (j < 0)).any():
        return None
    j, i, share = sites[j[used]], i[used], solution.values[used]
    order = np.lexsort((j, i))
    j, i, share = j[order], i[order], share[order]
    share /= np.bincount(i, share, minlength=n)[i]
    if case.count < 0 and not len(case.excluded):
        opened = case.must | (np.bincount(j, minlength=len(opened)) > 0)
    value = float((case.cost[j, i] * share).sum() + case.fixed[opened].sum())
    return Answer(opened.copy(), i, j, share, value)
