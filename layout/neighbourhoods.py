"""Better answers near one at hand: programs over the pairs that prices favour, and over a few sites and their units at a time."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from layout.location_case import Answer, Case, Limits
from layout.location_rows import answer_of, program_of, solve_rows
from layout.solver import NoSolutionError
from layout.sums import products
from layout.swaps import excluded

# pairs a unit keeps at least, nodes of a program, sites of a neighbourhood: small ones first
_EACH, _NODES, _SITES = 3, 150, (6, 10)
# pairs of a neighbourhood above which it has fewer sites
_PAIRS = 900
_BETTER = 1e-7


def favoured(case: Case, used: np.ndarray, pairs: int) -> np.ndarray:
    """Mark the pairs whose use raises the bound least.

    Parameters
    ----------
    case
        The program.
    used
        Sites x units: bound of the total where the pair is used.
    pairs
        About how many.

    Returns
    -------
    numpy.ndarray
        Sites x units; of each unit at least three.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.ones((1, 5)), count=1))
    >>> favoured(case, np.array([[3.0], [1.0], [2.0], [9.0], [8.0]]), 1).ravel().tolist()
    [True, True, True, False, False]
    """
    m, n = used.shape
    each = min(_EACH, m)
    kept = np.zeros(used.shape, bool)
    kept[np.argsort(used, axis=0, kind="stable")[:each], np.arange(n)] = True
    order = np.argsort(used, axis=None, kind="stable")[: max(pairs, 0)]
    kept.ravel()[order] = True
    return kept & np.isfinite(case.cost)


def search_pairs(case: Case, best: Answer | None, kept: np.ndarray, limits: Limits, *, nodes: int = _NODES) -> Answer | None:
    """Look for a better answer among some pairs.

    Parameters
    ----------
    case
        A plain program.
    best
        The answer at hand.
    kept
        Pairs that may be used besides its own.
    limits
        Where to stop.
    nodes
        Most nodes of the search.

    Returns
    -------
    Answer or None
        The better of both.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 2.0], [2.0, 1.0]]), fixed_cost=3))
    >>> search_pairs(case, None, np.ones((2, 2), bool), Limits(0.0, None, time.monotonic() + 9, 0)).value
    6.0
    """
    kept = kept.copy()
    if best is not None:
        kept[best.sites, best.units] = True
    columns = program_of(case, kept)
    try:
        solution = solve_rows(case, columns, replace(limits, work=nodes), start=best, gap=limits.gap / 2)
    except NoSolutionError:
        return best
    found = answer_of(case, columns, solution.values)
    if excluded(case, found.opened) or (best is not None and found.value >= best.value * (1 - _BETTER)):
        return best
    return found


def search_sites(case: Case, best: Answer, kept: np.ndarray, limits: Limits, *, sizes: tuple[int, ...] = _SITES, nodes: int = _NODES) -> Answer:
    """Solve the answer anew for a few sites and their units at a time, until no group of sites is better.

    Parameters
    ----------
    case
        A plain program of whole units.
    best
        The answer at hand.
    kept
        Pairs that may be used besides its own.
    limits
        Where to stop.
    sizes, nodes
        Sites of a group, one size after another, and nodes of its search.

    Returns
    -------
    Answer
        As good or better.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 2.0], [2.0, 1.0]]), capacity=1, single_source=True))
    >>> worse = Answer(np.array([True, True]), np.array([0, 1]), np.array([1, 0]), np.ones(2), 4.0)
    >>> search_sites(case, worse, np.ones((2, 2), bool), Limits(0.0, None, time.monotonic() + 9, 0)).value
    2.0
    """
    m = len(case.cost)
    for size in sizes:
        near, stale, j = _groups(case, min(size, m)), 0, 0
        while stale < m and time.monotonic() < limits.until:
            found = _group(case, best, kept, near[j], limits, nodes)
            stale = 0 if found.value < best.value * (1 - _BETTER) else stale + 1
            best, j = found, (j + 1) % m
    return best


def _groups(case: Case, size: int) -> np.ndarray:
    """Return for each site those that would take its units at the least more cost."""
    finite = np.isfinite(case.cost)
    cost = np.where(finite, case.cost, 2.0 * case.cost[finite].max(initial=0.0))
    least = cost.min(axis=0)
    # a unit counts for a pair of sites by how little more than its best both cost
    worth = np.exp(-(cost - least) / max(float(np.median(cost - least)), 1e-9) * 3.0)
    return np.argsort(-(products(worth, worth.T) + 1e9 * np.eye(len(cost))), axis=1, kind="stable")[:, :size]


def _group(case: Case, best: Answer, kept: np.ndarray, sites: np.ndarray, limits: Limits, nodes: int) -> Answer:
    while True:
        inside = np.isin(best.sites, sites)
        units = np.unique(best.units[inside])
        if len(sites) <= 2 or kept[np.ix_(sites, units)].sum() <= _PAIRS:
            break
        sites = sites[:-1]
    if not len(units):
        return best
    count = int(best.opened[sites].sum()) if case.count >= 0 else -1
    part = replace(
        case, sites=case.sites[sites], cost=np.ascontiguousarray(case.cost[np.ix_(sites, units)]), load=case.load[units],
        capacity=case.capacity[sites], least=case.least[sites], fixed=case.fixed[sites], must=case.must[sites], count=count,
        excluded=np.zeros((0, len(sites)), bool),
    )  # fmt: skip
    at = np.searchsorted(units, best.units[inside])
    place = np.full(len(case.cost), -1)
    place[sites] = np.arange(len(sites))
    value = float(case.cost[best.sites[inside], best.units[inside]].sum() + case.fixed[sites][best.opened[sites]].sum())
    mine = Answer(best.opened[sites], at, place[best.sites[inside]], np.ones(len(at)), value)
    found = search_pairs(part, mine, kept[np.ix_(sites, units)], limits, nodes=nodes)
    if found is None or found.value >= value * (1 - _BETTER):
        return best
    at_all = np.empty(case.cost.shape[1], int)
    at_all[best.units] = best.sites
    at_all[units[found.units]] = sites[found.sites]
    opened = best.opened.copy()
    opened[sites] = found.opened
    every = np.arange(len(at_all))
    total = float(case.cost[at_all, every].sum() + case.fixed[opened].sum())
    return best if excluded(case, opened) else Answer(opened, every, at_all, np.ones(len(every)), total)
