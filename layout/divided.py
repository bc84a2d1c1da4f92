"""Sites with capacities that divide units: a linear program of few pairs, its rounding, and a program that counts the other pairs."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from layout.ascents import Search, climb
from layout.lagrange import Dual, prove, raise_bound
from layout.location_case import Case, Limits, Proof
from layout.location_rows import Columns, program_of, relaxed, solve_rows
from layout.neighbourhoods import favoured
from layout.solver import NoSolutionError, StoppedError
from layout.swaps import assign_to

# pairs a unit has at first, and how much more each time
_EACH, _MORE = 4, 2
# most sets tried in rounding, and shares of a site below and above which a search among few sites holds it closed or open
_SETS, _CLOSED, _OPEN = 16, 0.02, 0.98
# nodes of that search; below this many pairs it is left out
_NODES, _SMALL = 200, 2000
_ROUNDS = 200
_HALF = 0.5


def divide(case: Case, limits: Limits) -> Proof:
    """Find sites for divisible units under capacities at the least total.

    Parameters
    ----------
    case
        A plain program with capacities, units divisible.
    limits
        Where to stop; the work is counted in nodes of the last program.

    Returns
    -------
    Proof
        Best answer, or None; bound; status.

    References
    ----------
    The program of ``program_of`` without whole units. Pairs that are left out are counted by a column for each unit with the least
    cost of those, no site and no capacity: the program remains a relaxation, and where its answer does not use them it is exact.
    The duals of the rows (1) of the linear program are prices, so that ``raise_bound`` counts all pairs too.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 4.0], [1.0, 9.0]]), capacity=1.5, fixed_cost=1))
    >>> divide(case, Limits(0.0, None, time.monotonic() + 9, 0)).answer.value
    5.5
    """
    found, dual = climb(case, limits)
    each = _EACH
    while True:
        found, dual = rounded(found, dual, each)
        if dual.bound >= found.cut or found.best is not None or each > len(case.cost):
            break
        each *= _MORE
    if dual.bound >= found.cut:
        return Proof(found.best, min(dual.bound, found.value), "optimal")
    bound, status = dual.bound, "optimal"
    while bound < found.cut and status == "optimal":
        found, bound, status, exact = _exactly(found, dual, bound, each)
        if exact:
            break
        each *= _MORE
    return Proof(found.best, min(bound, found.value), status)


def _ranked(case: Case, dual: Dual) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bound the total by site if open, by site if closed; and rank the pairs by what they cost above their prices."""
    opened, closed, _ = prove(case, dual.prices)
    return opened, closed, opened[:, None] + np.maximum(case.cost - dual.prices, 0.0)


def rounded(found: Search, dual: Dual, each: int) -> tuple[Search, Dual]:
    """Round the linear program of few pairs at many thresholds; search among the sites that it leaves in doubt.

    Parameters
    ----------
    found, dual
        The search so far, its bound and prices.
    each
        Pairs a unit has.

    Returns
    -------
    tuple
        Both, as good or better.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 4.0], [1.0, 9.0]]), capacity=1.5, fixed_cost=1))
    >>> found, dual = climb(case, Limits(0.0, None, time.monotonic() + 9, 0))
    >>> rounded(found, dual, 2)[0].value
    5.5
    """
    case, limits = found.case, found.limits
    opened, _, rank = _ranked(case, dual)
    kept = favoured(case, rank, each * case.cost.shape[1]) & (opened < found.cut)[:, None]
    solved = relaxed(case, kept, limits)
    if solved is None:
        return found, dual
    shares, prices, least = solved
    better = raise_bound(case, prices, found.value if found.best is not None else 1.02 * least, rounds=_ROUNDS, pace=0.2)
    dual = better if better.bound > dual.bound else dual
    for chosen in _thresholds(case, shares):
        found = found.offered(assign_to(case, chosen))
    if dual.bound < found.cut and int(kept.sum()) > _SMALL:
        state = np.where(shares > _OPEN, 1, np.where(shares < _CLOSED, -1, 0)).astype(np.int8)
        state[case.must] = 1
        found = _set_of(found, program_of(case, kept, state), replace(limits, work=_NODES, gap=limits.gap / 2))
    return found, dual


def _thresholds(case: Case, shares: np.ndarray) -> list[np.ndarray]:
    """Return open sets: the sites with the largest shares, as many as the count or between the least that suffice and all in use."""
    ranked = np.where(case.must, 2.0, shares)
    order = np.argsort(-ranked, kind="stable")
    if case.count >= 0:
        numbers = np.array([case.count])
    else:
        least = int(np.searchsorted(np.cumsum(np.minimum(case.capacity[order], case.need)), case.need * (1 - 1e-9))) + 1
        most = max(int((ranked > _CLOSED).sum()), least)
        numbers = np.unique(np.linspace(least, most, _SETS).round().astype(int))
    out = []
    for number in numbers:
        chosen = np.zeros(len(order), bool)
        chosen[order[:number]] = True
        out.append(chosen)
    return out


def _set_of(found: Search, columns: Columns, limits: Limits) -> Search:
    """Solve a program of rows, and take the open set it finds."""
    m, k = len(found.case.cost), len(columns.units)
    try:
        solution = solve_rows(found.case, columns, limits)
    except NoSolutionError:
        return found
    return found.offered(assign_to(found.case, solution.values[k : k + m] > _HALF))


def _exactly(found: Search, dual: Dual, bound: float, each: int) -> tuple[Search, float, str, bool]:
    """Solve the program with the pairs of rank, the others counted; return also bound, status, and whether no pair was left out."""
    case, limits, cut = found.case, found.limits, found.cut
    opened, closed, rank = _ranked(case, dual)
    state = np.where(closed >= cut, 1, np.where(opened >= cut, -1, 0)).astype(np.int8)
    if ((closed >= cut) & (opened >= cut)).any():
        return found, cut, "optimal", True
    there = np.isfinite(case.cost) & (state >= 0)[:, None]
    kept = there & favoured(case, np.where(there, rank, np.inf), each * case.cost.shape[1]) if each < len(case.cost) else there
    rest = np.where(there & ~kept, case.cost, np.inf).min(axis=0, initial=np.inf)
    high = 2.0 * float(case.cost[there].max(initial=0.0)) * len(rest) + float(case.fixed.sum()) + 1.0
    outside = bool(np.isfinite(rest).any())
    asked = replace(case, charge=np.where(np.isfinite(rest), rest, high)) if outside else case
    columns = program_of(asked, kept, state)
    start = found.best if found.best is not None and bool(kept[found.best.sites, found.best.units].all()) else None
    try:
        solution = solve_rows(asked, columns, limits, start=start)
    except StoppedError:
        return found, bound, "time_limit" if time.monotonic() > limits.until else "work_limit", False
    except NoSolutionError:
        return found, (cut if np.isfinite(cut) else np.inf), "optimal", True
    m, k = len(case.cost), len(columns.units)
    found = found.offered(assign_to(case, solution.values[k : k + m] > _HALF))
    # what was left out by the cut costs at least as much
    bound = max(bound, min(solution.levels[0].bound, cut))
    return found, bound, solution.status, not outside
