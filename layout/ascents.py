"""The beginning of a search for sites: a bound raised by prices, and good answers at the sets chosen on the way."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from layout.lagrange import Dual, first_prices, raise_bound
from layout.location_case import Answer, Case, Limits
from layout.location_rows import relaxed
from layout.neighbourhoods import favoured
from layout.swaps import beside_excluded, improve

# rounds of the ascent, and the part of them after which good sets are sought
_ROUNDS, _PART = 3000, 100
# a bound that rises by less than this in a part makes the next one slower; the least pace
_GAINED, _SLOW = 1e-5, 1e-3
# pairs a unit has in the linear program
_EACH = 5
# of a step between two totals so much is out of reach of rounding error
_OF_A_STEP = 0.9999
_LEAST = 1e-9


@dataclass(frozen=True)
class Search:
    """What a search knows: the best answer, a bound of all that was left aside, and the sets that were tried."""

    case: Case
    limits: Limits
    best: Answer | None = None
    floor: float = np.inf
    tried: set[bytes] = field(default_factory=set)

    @property
    def value(self) -> float:
        """Value of the best answer, infinite without one."""
        return np.inf if self.best is None else self.best.value

    @property
    def cut(self) -> float:
        """Nothing at or above this is worth a search."""
        if self.best is None:
            return np.inf
        size = abs(self.value)
        return self.value - max(self.limits.gap * size, _OF_A_STEP * self.case.step, _LEAST * max(1.0, size))

    def offered(self, answer: Answer | None) -> Search:
        """Return the search with a better answer, if this is one."""
        better = answer is not None and (self.best is None or answer.value < self.value - _LEAST * max(1.0, abs(self.value)))
        return replace(self, best=answer) if better else self

    def closed(self, bound: float) -> Search:
        """Return the search without a part that holds nothing below a bound."""
        return replace(self, floor=min(self.floor, bound))

    def with_set(self, opened: np.ndarray) -> Search:
        """Return the search after a look near an open set, unless that was looked at before."""
        key = np.packbits(opened).tobytes()
        if key in self.tried:
            return self
        self.tried.add(key)
        return self.offered(improve(self.case, opened))


def climb(case: Case, limits: Limits, best: Answer | None = None) -> tuple[Search, Dual]:
    """Raise the bound of a program, and look for good answers at the sets chosen on the way.

    Parameters
    ----------
    case
        A plain program.
    limits
        Where to stop.
    best
        An answer at hand.

    Returns
    -------
    tuple
        The search so far, and the best bound with its prices.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 4.0], [4.0, 1.0]]), count=1))
    >>> search, dual = climb(case, Limits(0.0, None, time.monotonic() + 9, 0))
    >>> search.value, dual.bound > 4.0
    (5.0, True)
    """
    search = Search(case, limits, best).with_set(first_set(case))
    if len(case.excluded) and not case.limited:
        search = search.offered(beside_excluded(case))
    search, dual = _ascent(search, first_prices(case), 1.5)
    if case.limited and dual.bound < search.cut:
        # with capacities an ascent ends early; the duals of a linear program with few pairs lead on
        kept = favoured(case, np.maximum(case.cost - dual.prices, 0.0), _EACH * case.cost.shape[1])
        found = relaxed(case, kept, limits)
        if found is not None:
            search, better = _ascent(search, found[1], 0.3)
            dual = better if better.bound > dual.bound else dual
    return search, dual


def _ascent(search: Search, prices: np.ndarray, pace: float) -> tuple[Search, Dual]:
    case, rounds = search.case, 0
    best = Dual(-np.inf, prices, first_set(case), first_set(case), pace, 0)
    while rounds < _ROUNDS:
        guess = 1.02 * abs(best.bound) + 1.0 if rounds else float(np.abs(prices).sum()) + float(case.fixed.sum())
        target = search.value if search.best is not None else guess
        found = raise_bound(case, best.prices, target, rounds=_PART, pace=pace, enough=search.cut)
        gained = not rounds or found.bound - best.bound > _GAINED * abs(found.bound)
        best = found if found.bound > best.bound else best
        for chosen in (found.chosen, found.last):
            search = search.with_set(chosen)
        pace, rounds = found.pace * (1.0 if gained else 0.5), rounds + found.rounds
        if best.bound >= search.cut or pace < _SLOW or found.rounds < _PART or time.monotonic() > search.limits.until:
            break
    return search, best


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
