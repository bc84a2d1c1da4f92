"""A search over sites that opens and closes them one after another, bounded by prices, until nothing better can be left."""

from __future__ import annotations

import heapq
import time
from dataclasses import replace

import numpy as np

from layout.ascents import Search, climb, round_up
from layout.divided import rounded
from layout.lagrange import Dual, prove, raise_bound
from layout.location_case import Answer, Case, Limits, Proof
from layout.location_rows import answer_of, program_of, relaxed, solve_rows
from layout.neighbourhoods import favoured, search_pairs, search_sites
from layout.solver import NoSolutionError, StoppedError
from layout.swaps import assign_to, excluded

# rounds of the ascent in a node, and in one that decides every site
_NODE, _LAST = 60, 500
# pairs left at which whole units go to a program of rows, and nodes of it before the search goes on branching
_PAIRS, _LEAF = 700, 2000
# most pairs of a program that looks for a first answer
_MOST = 1600
# pairs, or a gap, above which the first answer of whole units is sought by neighbourhoods too
_LARGE, _WIDE = 9000, 0.005
# gap of a search with divided units for sites that may be good for whole ones
_ROUGH = 5e-4
# sites of a neighbourhood: small ones first, the others in large programs only; and pairs a unit keeps in them
_SIZES = (6, 10)
_EACH = 4

_Child = tuple[np.ndarray, np.ndarray, float]


def branch(case: Case, limits: Limits, best: Answer | None = None) -> Proof:
    """Search a plain program without divided units for its least total.

    Parameters
    ----------
    case
        Without least loads, contiguity or charges; units are whole, or sites have no capacity.
    limits
        Where to stop; the work is counted in nodes.
    best
        An answer at hand.

    Returns
    -------
    Proof
        Best answer, or None where nothing is feasible or nothing was found; bound; status.

    References
    ----------
    Beasley, J. E. (1993). Lagrangean heuristics for location problems. European Journal of Operational Research, 65(3).
    Diaz, J. A., & Fernandez, E. (2002). A branch-and-price algorithm for the single source capacitated plant location problem.
    Journal of the Operational Research Society, 53(7); here with a program of rows instead of further columns.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 9.0, 4.0], [9.0, 1.0, 4.0], [9.0, 9.0, 4.0]]), count=1))
    >>> proof = branch(case, Limits(0.0, None, time.monotonic() + 9, 0))
    >>> proof.answer.value, proof.bound, proof.status
    (12.0, 12.0, 'optimal')
    """
    search, dual = climb(case, limits, best)
    if case.limited and case.whole and dual.bound < search.cut:
        search = _polish(search, dual)
    state = np.where(case.must, 1, 0).astype(np.int8)
    heap: list[tuple[float, int, np.ndarray, np.ndarray]] = [(dual.bound, 0, state, dual.prices)]
    status, order, nodes = "optimal", 0, 0
    while heap and heap[0][0] < search.cut:
        if limits.work is not None and nodes >= limits.work:
            status = "work_limit"
        elif time.monotonic() > limits.until:
            status = "time_limit"
        if status != "optimal":
            break
        bound, _, state, prices = heapq.heappop(heap)
        nodes += 1
        search, children = _node(search, state, prices, bound, root=nodes == 1)
        for child, at, found in children:
            order += 1
            heapq.heappush(heap, (max(found, bound), order, child, at))
    bound = min([search.floor, search.value, *(entry[0] for entry in heap)])
    return Proof(search.best, round_up(bound, case.step, search.value), status)


def _polish(search: Search, dual: Dual) -> Search:
    """Look for a better answer of whole units among the pairs that the prices favour."""
    case, used = search.case, prove(search.case, dual.prices)[2]
    if case.cost.size > _LARGE or search.best is None:
        # the sites that are best for divided units are good for whole ones
        parts = replace(case, whole=False)
        divided, _ = rounded(Search(parts, replace(search.limits, gap=max(search.limits.gap, _ROUGH))), dual, _EACH)
        if divided.best is not None:
            search = search.with_set(divided.best.opened)
    kept = favoured(case, used, _PAIRS) & (used < search.cut)
    if kept.sum() <= _MOST or search.best is None:
        search = search.offered(search_pairs(case, search.best, kept, search.limits))
    wide = search.best is not None and search.value - dual.bound > _WIDE * abs(search.value)
    if search.best is not None and (case.cost.size > _LARGE or wide) and dual.bound < search.cut:
        sizes = _SIZES if case.cost.size > _LARGE else _SIZES[:1]
        search = search.offered(search_sites(case, search.best, favoured(case, used, _EACH * case.cost.shape[1]), search.limits, sizes=sizes))
    return search


def _node(search: Search, state: np.ndarray, prices: np.ndarray, bound: float, *, root: bool) -> tuple[Search, list[_Child]]:
    """Bound one part of the search; return the parts it falls into."""
    case = search.case
    there = np.flatnonzero(state >= 0)
    if _impossible(case, state) or not np.isfinite(case.cost[there]).any(axis=0).all():
        return search, []
    part = _part(case, there, state[there] > 0)
    if not root:
        target = search.value if search.best is not None else 1.02 * abs(bound) + 1.0
        dual = raise_bound(part, prices, target, rounds=_NODE, pace=0.5, patience=6, enough=search.cut)
        if dual.bound >= search.cut:
            return search.closed(dual.bound), []
        prices, bound = dual.prices, max(bound, dual.bound)
        chosen = np.zeros(len(state), bool)
        chosen[there] = dual.chosen
        search = search.with_set(chosen)
    cut = search.cut
    opened, closed, used = prove(part, prices)
    now = state.copy()
    now[there[opened >= cut]] = -1
    now[there[closed >= cut]] = 1
    if (now != state).any():
        # what is left out holds nothing below the cut
        search = search.closed(cut)
    if ((opened >= cut) & (closed >= cut)).any() or _impossible(case, now):
        return search.closed(cut) if np.isfinite(cut) else search, []
    kept = np.zeros(case.cost.shape, bool)
    kept[there] = used < cut
    kept &= (now >= 0)[:, None]
    if _decided(case, now):
        return _leaf(search, now, kept, prices, bound), []
    if case.limited and case.whole and int(kept.sum()) <= _PAIRS:
        search, done = _by_rows(search, now, kept, bound)
        if done:
            return search, []
    return search, _children(now, prices, bound, *(_spread(v, there, len(state)) for v in (opened, closed)))


def _spread(values: np.ndarray, there: np.ndarray, size: int) -> np.ndarray:
    out = np.full(size, np.inf)
    out[there] = values
    return out


def _children(state: np.ndarray, prices: np.ndarray, bound: float, opened: np.ndarray, closed: np.ndarray) -> list[_Child]:
    """Open and close the site with which both raise the bound most."""
    free = np.flatnonzero(state == 0)
    gain = np.minimum(opened[free], closed[free])
    j = int(free[np.argmax(np.where(np.isfinite(gain), gain, -np.inf))])
    out = []
    for side, least in ((1, opened[j]), (-1, closed[j])):
        if np.isfinite(least):
            child = state.copy()
            child[j] = side
            out.append((child, prices, max(float(least), bound)))
    return out


def _impossible(case: Case, state: np.ndarray) -> bool:
    if case.count >= 0 and not (state > 0).sum() <= case.count <= (state >= 0).sum():
        return True
    return case.need > 0 and case.capacity[state >= 0].sum() < case.need * (1 - 1e-12)


def _decided(case: Case, state: np.ndarray) -> bool:
    return not (state == 0).any() or (case.count >= 0 and case.count in ((state > 0).sum(), (state >= 0).sum()))


def _part(case: Case, there: np.ndarray, must: np.ndarray) -> Case:
    return replace(
        case, cost=np.ascontiguousarray(case.cost[there]), capacity=case.capacity[there], least=case.least[there], fixed=case.fixed[there],
        must=must, sites=case.sites[there], excluded=np.zeros((0, len(there)), bool),
    )  # fmt: skip


def _leaf(search: Search, state: np.ndarray, kept: np.ndarray, prices: np.ndarray, bound: float) -> Search:
    """Solve a part in which every site is decided."""
    case = search.case
    opened = state > 0
    if case.count >= 0 and opened.sum() < case.count:
        opened = state >= 0
    if excluded(case, opened):
        return search
    if not (case.limited and case.whole):
        return search.offered(assign_to(case, opened))
    decided = np.where(opened, 1, -1).astype(np.int8)
    if int(kept.sum()) > _PAIRS:
        # too many pairs for a program: better prices and a better answer first
        there = np.flatnonzero(opened)
        part = _part(case, there, np.ones(len(there), bool))
        near = favoured(part, np.maximum(part.cost - prices, 0.0), _EACH * case.cost.shape[1])
        linear = relaxed(part, near, search.limits)
        for at in (prices, None if linear is None else linear[1]):
            if at is not None and bound < search.cut:
                dual = raise_bound(part, at, search.value, rounds=_LAST, pace=0.5, patience=15, enough=search.cut)
                prices, bound = (dual.prices, dual.bound) if dual.bound > bound else (prices, bound)
        if bound >= search.cut:
            return search.closed(bound)
        used = np.full(case.cost.shape, np.inf)
        used[there] = prove(part, prices)[2]
        mine = assign_to(case, opened)
        if mine is not None:
            search = search.offered(search_sites(case, mine, favoured(case, used, _EACH * case.cost.shape[1]), search.limits))
        kept = used < search.cut
    return _by_rows(search, decided, kept, bound, last=True)[0]


def _by_rows(search: Search, state: np.ndarray, kept: np.ndarray, bound: float, *, last: bool = False) -> tuple[Search, bool]:
    """Solve a part as a program of rows; and say whether it is done, or must be branched."""
    case, cut = search.case, search.cut
    columns = program_of(case, kept, state)
    limits = replace(search.limits, work=_LEAF, gap=0.0)
    try:
        solution = solve_rows(case, columns, limits, cutoff=cut)
    except StoppedError:
        return (search.closed(bound) if last else search), last
    except NoSolutionError:
        return (search.closed(cut) if np.isfinite(cut) else search), True
    answer = answer_of(case, columns, solution.values)
    search = search.offered(None if excluded(case, answer.opened) else answer)
    done = solution.status == "optimal" or last
    return (search.closed(min(cut, max(solution.levels[0].bound, bound))) if done else search), done
