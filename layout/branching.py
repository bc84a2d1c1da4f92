"""A search over sites that opens and closes them one after another, bounded by prices, until nothing better can be left."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field, replace

import numpy as np

from layout.lagrange import Dual, first_prices, prove, raise_bound
from layout.location_case import Answer, Case, Limits, Proof
from layout.location_rows import answer_of, program_of, solve_rows
from layout.neighbourhoods import favoured, search_pairs, search_sites
from layout.programs import NoSolutionError, StoppedError
from layout.swaps import assign_to, excluded, improve

# rounds of the ascent at the root, in parts after which good sets are sought; and in a node
_ROOT, _PART, _NODE = 3000, 100, 60
# pairs left at which whole units go to a program of rows
_PAIRS = 700
# pairs above which the first answer of whole units is sought by neighbourhoods
_LARGE = 9000
# nodes of such a program before the search goes on branching
_LEAF = 2000


@dataclass
class _Search:
    """What a search knows so far; only used inside this module."""

    case: Case
    limits: Limits
    best: Answer | None = None
    floor: float = np.inf
    nodes: int = 0
    tried: set[bytes] = field(default_factory=set)

    @property
    def value(self) -> float:
        return np.inf if self.best is None else self.best.value

    @property
    def cut(self) -> float:
        """Nothing at or above this is worth a search."""
        if self.best is None:
            return np.inf
        step = self.case.step
        return self.value - max(self.limits.gap * abs(self.value), 0.9999 * step, 1e-9 * max(1.0, abs(self.value)))

    def offer(self, answer: Answer | None) -> None:
        if answer is not None and answer.value < self.value - 1e-9 * max(1.0, abs(self.value) if self.best else 1.0):
            self.best = answer

    def close(self, bound: float) -> None:
        """Leave a part of the search that holds nothing below a bound."""
        self.floor = min(self.floor, bound)


def branch(case: Case, limits: Limits, best: Answer | None = None) -> Proof:
    """Search a plain program for its least total.

    Parameters
    ----------
    case
        Without least loads, contiguity or charges.
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
    search = _Search(case, limits, best)
    dual = _root(search)
    if case.limited and case.whole and dual.bound < search.cut:
        _polish(search, dual)
    state = np.where(case.must, 1, 0).astype(np.int8)
    heap: list[tuple[float, int, np.ndarray, np.ndarray]] = [(dual.bound, 0, state, dual.prices)]
    status, order = "optimal", 0
    while heap and heap[0][0] < search.cut:
        if limits.work is not None and search.nodes >= limits.work:
            status = "work_limit"
        elif time.monotonic() > limits.until:
            status = "time_limit"
        if status != "optimal":
            break
        bound, _, state, prices = heapq.heappop(heap)
        search.nodes += 1
        for child, at, found in _node(search, state, prices, bound, root=search.nodes == 1):
            order += 1
            heapq.heappush(heap, (max(found, bound), order, child, at))
    bound = min([search.floor, search.value, *(entry[0] for entry in heap)])
    return Proof(search.best, round_up(bound, case.step, search.value), status)


def round_up(bound: float, step: float, value: float) -> float:
    """Raise a bound to the next value that a total can have.

    Parameters
    ----------
    bound
        The bound.
    step
        Greatest number of which every total is a multiple, or 0.
    value
        A total that was reached.

    Returns
    -------
    float
        At most that total.

    Examples
    --------
    >>> round_up(7.2, 2.0, 10.0), round_up(7.2, 0.0, 10.0)
    (8.0, 7.2)
    """
    return min(float(np.ceil((bound - 1e-6 * step) / step) * step), value) if step and np.isfinite(bound) else bound


def _root(search: _Search) -> Dual:
    """Raise the bound of the whole program, and look for good sets at what is chosen on the way."""
    case = search.case
    prices, pace, rounds, dual = first_prices(case), 1.5, 0, None
    _try(search, first_set(case))
    while rounds < _ROOT:
        guess = 1.02 * abs(dual.bound) + 1.0 if dual is not None else float(np.abs(prices).sum()) + float(case.fixed.sum())
        target = search.value if search.best is not None else guess
        found = raise_bound(case, prices, target, rounds=_PART, pace=pace, enough=search.cut)
        if dual is None or found.bound > dual.bound:
            gained = dual is None or found.bound - dual.bound > 1e-5 * abs(found.bound)
            dual = replace(found, rounds=rounds + found.rounds)
        else:
            gained = False
        for chosen in (found.chosen, found.last):
            _try(search, chosen)
        prices, pace, rounds = dual.prices, found.pace, rounds + found.rounds
        if not gained:
            pace *= 0.5
        if dual.bound >= search.cut or pace < 1e-3 or found.rounds < _PART or time.monotonic() > search.limits.until:
            break
    return dual


def _polish(search: _Search, dual: Dual) -> None:
    """Look for a better answer of whole units among the pairs that the prices favour."""
    case, used = search.case, prove(search.case, dual.prices)[2]
    kept = favoured(case, used, _PAIRS) & (used < search.cut)
    search.offer(search_pairs(case, search.best, kept, search.limits))
    if case.cost.size > _LARGE and search.best is not None:
        search.offer(search_sites(case, search.best, favoured(case, used, 3 * case.cost.shape[1]), search.limits))


def first_set(case: Case) -> np.ndarray:
    """Open the sites that must be, and of the others those that are best for most load, up to the count.

    Parameters
    ----------
    case
        The program.

    Returns
    -------
    numpy.ndarray
        Which sites are open; all where there is no count.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> first_set(case_of(read_request(np.array([[1.0, 2.0], [1.0, 2.0]]), count=1))).tolist()
    [True, False]
    """
    opened = case.must.copy()
    votes = np.bincount(np.argmin(case.cost, axis=0), case.load, minlength=len(opened))
    for j in np.argsort(-votes, kind="stable"):
        if case.count >= 0 and opened.sum() >= case.count:
            break
        opened[j] = True
    return opened


def _try(search: _Search, opened: np.ndarray) -> None:
    key = np.packbits(opened).tobytes()
    if key not in search.tried:
        search.tried.add(key)
        search.offer(improve(search.case, opened))


def _node(search: _Search, state: np.ndarray, prices: np.ndarray, bound: float, *, root: bool) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Bound one part of the search; return the parts it falls into."""
    case = search.case
    if _impossible(case, state):
        return []
    there = np.flatnonzero(state >= 0)
    part = replace(
        case, cost=np.ascontiguousarray(case.cost[there]), capacity=case.capacity[there], least=case.least[there], fixed=case.fixed[there],
        must=state[there] > 0, sites=case.sites[there], excluded=np.zeros((0, len(there)), bool),
    )  # fmt: skip
    if not np.isfinite(part.cost).any(axis=0).all():
        return []
    if not root:
        target = search.value if search.best is not None else 1.02 * abs(bound) + 1.0
        dual = raise_bound(part, prices, target, rounds=_NODE, pace=0.5, patience=6, enough=search.cut)
        if dual.bound >= search.cut:
            search.close(dual.bound)
            return []
        prices, bound = dual.prices, max(bound, dual.bound)
        chosen = np.zeros(len(state), bool)
        chosen[there] = dual.chosen
        _try(search, chosen)
    cut = search.cut
    opened, closed, used = prove(part, prices)
    if ((opened >= cut) & (closed >= cut)).any():
        search.close(cut)
        return []
    now = state.copy()
    now[there[opened >= cut]] = -1
    now[there[closed >= cut]] = 1
    if (now != state).any():
        # what is left out holds nothing below the cut
        search.close(cut)
    if _impossible(case, now):
        return []
    kept = np.zeros(case.cost.shape, bool)
    kept[there] = used < cut
    kept &= (now >= 0)[:, None]
    free = np.flatnonzero(now == 0)
    if _decided(case, now):
        _leaf(search, now, kept)
        return []
    if case.limited and case.whole and int(kept.sum()) <= _PAIRS and _by_rows(search, now, kept, bound):
        return []
    place = np.full(len(state), -1)
    place[there] = np.arange(len(there))
    gain = np.minimum(opened[place[free]], closed[place[free]])
    # the site whose opening and closing both raise the bound most
    j = int(free[np.argmax(np.where(np.isfinite(gain), gain, -np.inf))])
    out = []
    for side, least in ((1, opened[place[j]]), (-1, closed[place[j]])):
        child = now.copy()
        child[j] = side
        if np.isfinite(least):
            out.append((child, prices, max(float(least), bound)))
    return out


def _impossible(case: Case, state: np.ndarray) -> bool:
    if case.count >= 0 and not (state > 0).sum() <= case.count <= (state >= 0).sum():
        return True
    return case.need > 0 and case.capacity[state >= 0].sum() < case.need * (1 - 1e-12)


def _decided(case: Case, state: np.ndarray) -> bool:
    return not (state == 0).any() or (case.count >= 0 and case.count in ((state > 0).sum(), (state >= 0).sum()))


def _leaf(search: _Search, state: np.ndarray, kept: np.ndarray) -> None:
    """Solve a part in which every site is decided."""
    case = search.case
    opened = state > 0
    if case.count >= 0 and opened.sum() < case.count:
        opened = state >= 0
    if case.limited and case.whole:
        if not excluded(case, opened):
            _by_rows(search, np.where(opened, 1, -1).astype(np.int8), kept, -np.inf, last=True)
        return
    # pairs proven to be useless are used where the set is as good; the value is that of the set all the same
    search.offer(assign_to(case, opened))


def _by_rows(search: _Search, state: np.ndarray, kept: np.ndarray, bound: float, *, last: bool = False) -> bool:
    """Solve a part as a program of rows; False where it was stopped and must be branched."""
    case, cut = search.case, search.cut
    columns = program_of(case, kept, state)
    limits = replace(search.limits, work=None if last else _LEAF, gap=0.0)
    try:
        solution = solve_rows(case, columns, limits, cutoff=cut)
    except StoppedError:
        if last:
            search.close(bound)
        return last
    except NoSolutionError:
        search.close(cut)
        return True
    answer = answer_of(case, columns, solution.values)
    search.offer(None if excluded(case, answer.opened) else answer)
    search.close(min(cut, max(solution.levels[0].bound, bound)))
    return solution.status == "optimal" or last
