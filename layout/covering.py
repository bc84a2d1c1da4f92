"""Sites that reach: most load within a limit, fewest sites, and the least radius, where units do not crowd each other or do."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from layout.location_case import Answer, Case, Limits, Proof
from layout.location_rows import answer_of, program_of, solve_rows
from layout.programs import search
from layout.solver import NoSolutionError, Program, StoppedError, sparse_rows

_HALF = 0.5


def cover(case: Case, limits: Limits, *, cutoff: float = np.inf) -> Proof:
    """Cover units by open sites at the least fixed cost and charge for those that are not covered.

    Parameters
    ----------
    case
        Without capacities, least loads and contiguity, all costs 0 where allowed.
    limits
        Where to stop.
    cutoff
        Answers that cost as much need not be found.

    Returns
    -------
    Proof
        Each unit at the first open site that reaches it.

    References
    ----------
    Objective: min sum f_j y_j + sum g_i u_i subject to (1) sum_(j reaches i) y_j + u_i >= 1, (2) sum_j y_j = count,
    (3) sets not wanted again as in ``program_of``; y_j whole. Church, R., & ReVelle, C. (1974). The maximal covering location problem.
    Papers of the Regional Science Association, 32. Toregas, C., et al. (1971). The location of emergency service facilities.
    Operations Research, 19(6).

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 9.0], [9.0, 1.0], [1.0, 1.0]]), objective="cover", limit=2, count=1))
    >>> cover(case, Limits(0.0, None, time.monotonic() + 9, 0)).answer.value
    1.0
    """
    m, n = case.cost.shape
    j, i = np.nonzero(np.isfinite(case.cost))
    spare = n if case.charge is not None else 0
    parts: list[tuple] = [(i, j, 1.0)]
    low, high, rows = [np.ones(n)], [np.full(n, np.inf)], n
    if spare:
        parts.append((np.arange(n), m + np.arange(n), 1.0))
    if case.count >= 0:
        parts.append((np.full(m, rows), np.arange(m), 1.0))
        low, high, rows = [*low, np.full(1, case.count)], [*high, np.full(1, case.count)], rows + 1
    for wanted in case.excluded:
        parts.append((np.full(m, rows), np.arange(m), np.where(wanted, -1.0, 1.0)))
        low, high, rows = [*low, np.full(1, 1.0 - wanted.sum())], [*high, np.full(1, np.inf)], rows + 1
    lower = np.append(case.must.astype(float), np.zeros(spare))
    integer = np.append(np.ones(m, bool), np.zeros(spare, bool))
    costs = np.append(case.fixed, case.charge if case.charge is not None else [])
    matrix = sparse_rows(rows, m + spare, *parts)
    program = Program(lower, np.ones(m + spare), integer, matrix, np.concatenate(low), np.concatenate(high))
    step = case.step
    solution = search(
        program, costs, gap=limits.gap, absolute_gap=0.999 * step if step else 1e-9, work_limit=limits.work, seed=limits.seed,
        time_limit=max(limits.until - time.monotonic(), 0.01), cutoff=cutoff,
    )  # fmt: skip
    opened = solution.values[:m] > _HALF
    answer = nearest_answer(case, opened, case.cost)
    bound = solution.levels[0].bound
    if step:
        bound = float(np.ceil((bound - 1e-6 * step) / step) * step)
    return Proof(answer, min(bound, answer.value), solution.status)


def nearest_answer(case: Case, opened: np.ndarray, cost: np.ndarray) -> Answer:
    """Assign every unit that an open site reaches to the nearest of those.

    Parameters
    ----------
    case
        The program, without capacities.
    opened
        Which sites are open.
    cost
        Sites x units: what near means.

    Returns
    -------
    Answer
        Valued by the fixed costs and charges of the case.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 9.0]]), objective="cover", limit=2, count=1))
    >>> nearest_answer(case, np.array([True, False]), case.cost).units.tolist()
    [0]
    """
    reach = np.where(opened[:, None] & np.isfinite(case.cost), cost, np.inf)
    at, n = np.argmin(reach, axis=0), case.cost.shape[1]
    served = np.isfinite(reach[at, np.arange(n)])
    value = float(case.fixed[opened].sum() + (0.0 if case.charge is None else case.charge[~served].sum()))
    return Answer(opened.copy(), np.flatnonzero(served), at[served], np.ones(int(served.sum())), value)


def least_radius(case: Case, limits: Limits, *, first: Answer | None = None) -> Proof:
    """Find the least radius within which every unit is served.

    Parameters
    ----------
    case
        With costs, weighted; the total does not count.
    limits
        Where to stop; the work counts nodes of each search at one radius.
    first
        An answer at hand.

    Returns
    -------
    Proof
        Its value and bound are the greatest cost of any unit.

    References
    ----------
    Bisection over the sorted costs, each time a program of feasibility: Minieka, E. (1970). The m-center problem. SIAM Review, 12(1).
    A radius that was neither met nor refuted before a limit counts for the bound as one that might be met.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 4.0], [4.0, 3.0], [5.0, 2.0]]), count=1, objective="max"))
    >>> least_radius(case, Limits(0.0, None, time.monotonic() + 9, 0)).answer.value
    4.0
    """
    radii = np.unique(case.cost[np.isfinite(case.cost)])
    radii = radii[radii >= case.cost.min(axis=0).max()]
    best, status = first, "optimal"
    high = len(radii) if best is None else int(np.searchsorted(radii, best.value * (1 - 1e-12)))
    # every radius before the first is refuted
    low, first_left = 0, 0
    while low < high:
        middle = (low + high) // 2
        try:
            found = within(case, float(radii[middle]), limits)
        except StoppedError as stopped:
            status = "time_limit" if time.monotonic() > limits.until else "work_limit"
            low = middle + 1
            if status == "time_limit" and best is None:
                raise stopped
            continue
        if found is None:
            low = first_left = middle + 1
        else:
            best = found
            high = min(int(np.searchsorted(radii, found.value * (1 - 1e-12))), middle)
    if best is None:
        if status != "optimal":
            raise StoppedError(f"stopped by the {status} before any solution was found")
        raise NoSolutionError("no radius is large enough")
    bound = min(float(radii[first_left]), best.value)
    return Proof(best, bound, "optimal" if bound >= best.value else status)


def within(case: Case, radius: float, limits: Limits) -> Answer | None:
    """Serve every unit within a radius.

    Parameters
    ----------
    case
        With costs, weighted.
    radius
        Greatest cost of a unit.
    limits
        Where to stop.

    Returns
    -------
    Answer or None
        Valued by its greatest cost; None where there is none.

    Raises
    ------
    StoppedError
        If a limit came first.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 4.0], [4.0, 3.0]]), count=1, objective="max"))
    >>> within(case, 3.0, Limits(0.0, None, time.monotonic() + 9, 0)) is None
    True
    """
    near = replace(case, cost=np.where(case.cost <= radius, 0.0, np.inf), fixed=np.zeros(len(case.fixed)))
    if not np.isfinite(near.cost).any(axis=0).all():
        return None
    try:
        if case.plain and not case.limited:
            few = replace(near, fixed=np.ones(len(case.fixed)), count=-1) if not len(case.excluded) else near
            proof = cover(few, replace(limits, gap=0.0), cutoff=case.count + _HALF if few is not near else np.inf)
            if proof.answer is None or proof.answer.opened.sum() > case.count:
                if proof.bound <= case.count and proof.status != "optimal":
                    raise StoppedError(f"stopped by the {proof.status} before any solution was found")
                return None
            opened = _filled(case, proof.answer.opened)
            return _by_radius(case, nearest_answer(case, opened, case.cost))
        columns = program_of(near)
        solution = solve_rows(near, columns, replace(limits, gap=np.inf))
        return _by_radius(case, answer_of(near, columns, solution.values))
    except StoppedError:
        raise
    except NoSolutionError:
        return None


def _filled(case: Case, opened: np.ndarray) -> np.ndarray:
    """Open further sites up to the count, each time the one that brings the units nearest."""
    opened = opened.copy()
    high = 2.0 * case.cost[np.isfinite(case.cost)].max(initial=0.0) + 1.0
    cost = np.where(np.isfinite(case.cost), case.cost, high)
    least = cost[opened].min(axis=0, initial=high)
    while opened.sum() < case.count:
        gain = np.where(opened, -1.0, np.maximum(least - cost, 0.0).sum(axis=1))
        j = int(np.argmax(gain))
        opened[j] = True
        least = np.minimum(least, cost[j])
    return opened


def _by_radius(case: Case, answer: Answer) -> Answer:
    return replace(answer, value=float(case.cost[answer.sites, answer.units].max(initial=0.0)))
