"""Programs of sites in rows and columns: assignment, strong links, capacities, contiguity, sets not wanted again."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from layout.location_case import Answer, Case, Limits
from layout.programs import search
from layout.solver import NoSolutionError, Program, Rows, Solution, sparse_rows

_USED = 1e-7
_HALF = 0.5


@dataclass(frozen=True)
class Columns:
    """Columns of a program: pairs of unit and site, then a column a site, then one a unit that may stay unserved."""

    units: np.ndarray
    sites: np.ndarray
    program: Program
    costs: np.ndarray


def program_of(case: Case, kept: np.ndarray | None = None, state: np.ndarray | None = None) -> Columns:
    """Write the program with the pairs that are kept.

    Parameters
    ----------
    case
        What is asked.
    kept
        Sites x units: pairs to have a column; default all that are allowed.
    state
        By site 1 where it is open, -1 where it is closed, 0 where it is to be decided.

    Returns
    -------
    Columns
        Pairs by unit, then site.

    References
    ----------
    Objective: min sum c_ij x_ij + sum f_j y_j + sum g_i u_i subject to (1) sum_j x_ij + u_i = 1, (2) x_ij <= y_j,
    (3) sum_i load_i x_ij <= capacity_j y_j, (4) sum_i load_i x_ij >= min_load_j y_j, (5) sum_j y_j = count,
    (6) sum_j capacity_j y_j >= sum_i load_i where every unit is served, (7) for each set S not wanted again
    sum_(j in S) (1 - y_j) + sum_(j not in S) y_j >= 1;
    y_j whole, x_ij whole for whole units, u_i >= 0 only where units may stay unserved.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> columns = program_of(case_of(read_request(np.array([[1.0, 2.0], [2.0, 1.0]]), count=1)))
    >>> columns.program.matrix.shape, columns.costs.tolist()
    ((7, 6), [1.0, 2.0, 2.0, 1.0, 0.0, 0.0])
    """
    m, n = case.cost.shape
    kept = np.isfinite(case.cost) if kept is None else kept & np.isfinite(case.cost)
    if state is not None:
        kept = kept & (state >= 0)[:, None]
    i, j = np.nonzero(kept.T)
    k, spare = len(i), n if case.charge is not None else 0
    pair, site = np.arange(k), k + np.arange(m)
    total = k + m + spare
    parts: list[tuple] = [(i, pair, 1.0)]
    if spare:
        parts.append((np.arange(n), k + m + np.arange(n), 1.0))
    low, high = [np.ones(n)], [np.ones(n)]
    rows = n

    def add(lower: np.ndarray, upper: np.ndarray, *entries: tuple) -> None:
        nonlocal rows
        parts.extend((rows + np.asarray(r, int), c, v) for r, c, v in entries)
        low.append(lower)
        high.append(upper)
        rows += len(lower)

    add(np.full(k, -np.inf), np.zeros(k), (pair, pair, 1.0), (pair, site[j], -1.0))
    full = np.flatnonzero(case.capacity < case.load.sum())
    if len(full):
        at = np.full(m, -1)
        at[full] = np.arange(len(full))
        in_full = at[j] >= 0
        add(
            np.full(len(full), -np.inf), np.zeros(len(full)), (at[j[in_full]], pair[in_full], case.load[i[in_full]]),
            (np.arange(len(full)), site[full], -case.capacity[full]),
        )  # fmt: skip
    if case.least.any():
        add(np.zeros(m), np.full(m, np.inf), (j, pair, case.load[i]), (np.arange(m), site, -case.least))
    if case.count >= 0:
        add(np.full(1, case.count), np.full(1, case.count), (np.zeros(m, int), site, 1.0))
    if case.need > 0:
        add(np.full(1, case.need), np.full(1, np.inf), (np.zeros(m, int), site, np.minimum(case.capacity, case.need)))
    if len(case.excluded):
        for wanted in case.excluded:
            add(np.full(1, 1.0 - wanted.sum()), np.full(1, np.inf), (np.zeros(m, int), site, np.where(wanted, -1.0, 1.0)))
    lower, upper = np.zeros(total), np.ones(total)
    lower[site] = case.must if state is None else case.must | (state > 0)
    if state is not None:
        upper[site[state < 0]] = 0.0
    integer = np.zeros(total, bool)
    integer[site] = True
    integer[pair] = case.whole and (case.limited or bool(case.least.any()) or case.neighbours is not None)
    costs = np.concatenate([case.cost[j, i], case.fixed, case.charge if case.charge is not None else []])
    program = Program(lower, upper, integer, sparse_rows(rows, total, *parts), np.concatenate(low), np.concatenate(high))
    return Columns(i, j, program, costs)


def relaxed(case: Case, kept: np.ndarray, limits: Limits) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Solve the linear program with the pairs that are kept; where they do not suffice units stay unserved at a high charge.

    Parameters
    ----------
    case
        A plain program.
    kept
        Sites x units.
    limits
        Where to stop.

    Returns
    -------
    tuple or None
        Share of each site that is open, price of each unit (the dual of its row 1), objective; None where a limit came first.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 2.0], [2.0, 1.0]]), fixed_cost=3))
    >>> relaxed(case, np.isfinite(case.cost), Limits(0.0, None, time.monotonic() + 9, 0))[2]
    6.0
    """
    m, n = case.cost.shape
    high = 2.0 * float(case.cost[kept].max(initial=1.0)) + float(case.fixed.sum())
    asked = replace(case, charge=np.full(n, high), excluded=case.excluded[:0])
    columns = program_of(asked, kept)
    program = replace(columns.program, integer=np.zeros(len(columns.costs), bool))
    try:
        solved = search(program, columns.costs, time_limit=max(limits.until - time.monotonic(), 0.01), seed=limits.seed)
    except NoSolutionError:
        return None
    k = len(columns.units)
    return solved.values[k : k + m], solved.duals[0][:n], solved.levels[0].objective


def solve_rows(
    case: Case, columns: Columns, limits: Limits, *, start: Answer | None = None, cutoff: float = np.inf, gap: float | None = None,
    mends: list[Answer] | None = None,
) -> Solution:  # fmt: skip
    """Solve the program, with rows for areas in one piece added as answers break them.

    Parameters
    ----------
    case, columns
        What is asked, and its program.
    limits
        Where to stop.
    start
        An answer to begin from.
    cutoff
        Answers that cost as much need not be found.
    gap
        Another gap than that of the limits.
    mends
        Gets the answers that come of mending areas on the way.

    Returns
    -------
    Solution
        Of the program.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 2.0], [2.0, 1.0]]), fixed_cost=3))
    >>> solve_rows(case, program_of(case), Limits(0.0, None, time.monotonic() + 9, 0)).levels[0].objective
    6.0
    """

    def more_rows(values: np.ndarray) -> Rows | None:
        rows = broken_pieces(case, columns, values)
        found = mended(case, columns, values) if rows is not None and mends is not None else None
        if found is not None and mends is not None:
            mends.append(found)
        return rows

    step = case.step
    absolute = max(step - 1e-6 * step, 1e-9) if step else 1e-9 * max(1.0, float(np.abs(columns.costs).max(initial=0.0)))
    return search(
        columns.program, columns.costs, gap=limits.gap if gap is None else gap, absolute_gap=absolute, cutoff=cutoff, work_limit=limits.work,
        time_limit=max(limits.until - time.monotonic(), 0.01), seed=limits.seed, start=None if start is None else _values(case, columns, start),
        more_rows=None if case.neighbours is None else more_rows,
    )  # fmt: skip


def answer_of(case: Case, columns: Columns, values: np.ndarray) -> Answer:
    """Read the open sites and the assignment from the values of the columns.

    Parameters
    ----------
    case, columns
        What was asked, and its program.
    values
        Of the columns.

    Returns
    -------
    Answer
        Shares that add up to 1 for each unit that is served; its value is reckoned anew from the costs.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 2.0]]), count=1))
    >>> answer_of(case, program_of(case), np.array([1.0, 0.0, 1.0, 0.0])).value
    1.0
    """
    m, n = case.cost.shape
    k = len(columns.units)
    opened = values[k : k + m] > _HALF
    shares = values[:k]
    if case.whole or not (case.limited or case.least.any()):
        used = shares > _HALF
        # without anything that crowds them divided units are a tie
        if not case.limited and not case.least.any() and case.neighbours is None:
            return _nearest(case, opened, values[k + m :])
    else:
        used = shares > _USED
    i, j, share = columns.units[used], columns.sites[used], np.ones(int(used.sum())) if case.whole else shares[used]
    left = np.zeros(n) if case.charge is None else np.clip(1.0 - np.bincount(i, share, minlength=n), 0.0, 1.0)
    left[left < _USED] = 0.0
    share = share * ((1.0 - left) / np.bincount(i, share, minlength=n).clip(_USED))[i]
    if case.count < 0 and not len(case.excluded):
        opened = opened & (case.must | (np.bincount(j, minlength=m) > 0))
    value = float((case.cost[j, i] * share).sum() + case.fixed[opened].sum())
    if case.charge is not None:
        value += float((case.charge * left).sum())
    return Answer(opened, i, j, share, value)


def _nearest(case: Case, opened: np.ndarray, unserved: np.ndarray) -> Answer:
    cost = np.where(opened[:, None], case.cost, np.inf)
    at, units = np.argmin(cost, axis=0), np.arange(case.cost.shape[1])
    least = cost[at, units]
    charge = np.full(len(units), np.inf) if case.charge is None else case.charge
    served = np.isfinite(least) & (least <= charge)
    if case.count < 0 and not len(case.excluded):
        opened = opened & (case.must | (np.bincount(at[served], minlength=len(opened)) > 0))
    value = float(least[served].sum() + case.fixed[opened].sum() + charge[~served].sum())
    return Answer(opened, units[served], at[served], np.ones(int(served.sum())), value)


def _values(case: Case, columns: Columns, answer: Answer) -> np.ndarray:
    m, n = case.cost.shape
    k = len(columns.units)
    share = sparse.csr_matrix((answer.shares, (answer.units, answer.sites)), shape=(n, m))
    values = np.zeros(len(columns.costs))
    values[:k] = np.asarray(share[columns.units, columns.sites]).ravel()
    values[k : k + m] = answer.opened
    if case.charge is not None:
        values[k + m :] = 1.0 - np.asarray(share.sum(axis=1)).ravel()
    return values


def broken_pieces(case: Case, columns: Columns, values: np.ndarray) -> Rows | None:
    """Return rows against areas that are not in one piece.

    Parameters
    ----------
    case
        With the neighbours of each unit.
    columns
        Of the program.
    values
        Of the columns, whole for the pairs.

    Returns
    -------
    Rows or None
        None where every area is in one piece.

    References
    ----------
    For units a and b of one area in different pieces, and S a least set of units that parts them: x_aj + x_bj <= 1 + sum_(s in S) x_sj
    for every site j. Carvajal, R., et al. (2013). Imposing connectivity constraints in forest planning models. Operations Research, 61(4).

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.ones((3, 1)), count=1, adjacency=[(0, 1), (1, 2)]))
    >>> broken_pieces(case, program_of(case), np.array([1.0, 0.0, 1.0, 1.0])).matrix.toarray().tolist()
    [[1.0, -1.0, 1.0, 0.0]]
    """
    neighbours = case.neighbours or ()
    m = case.cost.shape[0]
    column = {(int(i), int(j)): c for c, (i, j) in enumerate(zip(columns.units, columns.sites, strict=True))}
    used = values[: len(columns.units)] > _HALF
    entries: list[tuple[int, int, float]] = []
    rows = 0
    seen: set[tuple[int, int, tuple[int, ...]]] = set()
    for j in range(m):
        area = set(columns.units[used & (columns.sites == j)].tolist())
        parts = pieces(area, neighbours)
        for part in parts[1:]:
            for a, b in [(a, b) for a in sorted(part) for b in (min(parts[0]), max(parts[0]))]:
                wall = _wall(part, b, neighbours)
                if (a, b, wall) in seen:
                    continue
                seen.add((a, b, wall))
                for site in range(m):
                    if (a, site) in column and (b, site) in column:
                        entries += [(rows, column[a, site], 1.0), (rows, column[b, site], 1.0)]
                        entries += [(rows, column[s, site], -1.0) for s in wall if (s, site) in column]
                        rows += 1
    if not rows:
        return None
    r, c, v = (np.array(t) for t in zip(*entries, strict=True))
    return Rows(sparse_rows(rows, len(columns.costs), (r, c, v)), np.full(rows, -np.inf), np.ones(rows))


def mended(case: Case, columns: Columns, values: np.ndarray) -> Answer | None:
    """Mend areas that are not in one piece: the largest piece of each grows, unit by unit at the least cost, until all are served.

    Parameters
    ----------
    case
        With the neighbours of each unit.
    columns
        Of the program.
    values
        Of the columns, whole for the pairs.

    Returns
    -------
    Answer or None
        None where a unit is left, or a site carries too little.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 9], [9, 1], [2, 3]]), count=2, adjacency=[(0, 1), (1, 2)]))
    >>> mended(case, program_of(case), np.array([1.0, 0, 0, 1, 1, 0, 1, 1])).value
    5.0
    """
    m, n = case.cost.shape
    neighbours, at = case.neighbours or (), np.full(n, -1)
    opened = values[len(columns.units) : len(columns.units) + m] > _HALF
    used = values[: len(columns.units)] > _HALF
    for j in np.flatnonzero(opened).tolist():
        parts = pieces(set(columns.units[used & (columns.sites == j)].tolist()), neighbours)
        at[list(parts[0]) if parts else []] = j
    room = case.capacity - np.bincount(at[at >= 0], case.load[at >= 0], minlength=m)
    empty = opened & (np.bincount(at[at >= 0], minlength=m) == 0)
    while (at < 0).any():
        best, unit, site = np.inf, -1, -1
        for i in np.flatnonzero(at < 0).tolist():
            beside = {int(at[w]) for w in neighbours[i] if at[w] >= 0} | set(np.flatnonzero(empty).tolist())
            for j in sorted(beside):
                if case.cost[j, i] < best and case.load[i] <= room[j] + 1e-9:
                    best, unit, site = case.cost[j, i], i, j
        if unit < 0:
            return None
        at[unit] = site
        room[site] -= case.load[unit]
        empty[site] = False
    carried = case.capacity - room if np.isfinite(case.capacity).all() else np.bincount(at, case.load, minlength=m)
    if (opened & (carried < case.least - 1e-9)).any():
        return None
    if case.count < 0 and not len(case.excluded):
        opened = case.must | (np.bincount(at, minlength=m) > 0)
    units = np.arange(n)
    return Answer(opened, units, at, np.ones(n), float(case.cost[at, units].sum() + case.fixed[opened].sum()))


def pieces(area: set[int], neighbours: tuple[np.ndarray, ...]) -> list[set[int]]:
    """Part an area into its pieces, the largest first.

    Parameters
    ----------
    area
        Units.
    neighbours
        Of each unit.

    Returns
    -------
    list of set
        Pieces, ties by their least unit.

    Examples
    --------
    >>> pieces({0, 2, 3}, (np.array([1]), np.array([0, 2]), np.array([1, 3]), np.array([2])))
    [{2, 3}, {0}]
    """
    left, out = set(area), []
    while left:
        piece, edge = set(), [min(left)]
        left.discard(edge[0])
        while edge:
            u = edge.pop()
            piece.add(u)
            for w in neighbours[u].tolist():
                if w in left:
                    left.discard(w)
                    edge.append(w)
        out.append(piece)
    return sorted(out, key=lambda p: (-len(p), min(p)))


def _wall(part: set[int], b: int, neighbours: tuple[np.ndarray, ...]) -> tuple[int, ...]:
    """Return the least units that part a piece from a unit: those beside the piece that the unit can reach."""
    beside = {int(w) for u in part for w in neighbours[u]} - part
    reached, edge, wall = {b}, [b], set()
    while edge:
        for w in neighbours[edge.pop()].tolist():
            if w in beside:
                wall.add(w)
            elif w not in reached and w not in part:
                reached.add(w)
                edge.append(w)
    return tuple(sorted(wall))
