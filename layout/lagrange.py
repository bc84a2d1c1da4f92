"""Bounds of a choice of sites from prices of its units, and what they prove about single sites and pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layout.compiled import loops
from layout.location_case import Case

FREE, PARTS, WHOLE = 0, 1, 2


@dataclass(frozen=True)
class Dual:
    """A bound, the prices of the units that prove it, the sites chosen at them and at the last, the pace and rounds of the ascent."""

    bound: float
    prices: np.ndarray
    chosen: np.ndarray
    last: np.ndarray
    pace: float
    rounds: int


def first_prices(case: Case) -> np.ndarray:
    """Return prices to begin with: of each unit its second cost, or the first where there is one only.

    Parameters
    ----------
    case
        The program.

    Returns
    -------
    numpy.ndarray
        By unit.

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> first_prices(case_of(read_request(np.array([[1.0, 2.0], [np.inf, 3.0]]), count=1))).tolist()
    [2.0, 3.0]
    """
    near = np.partition(case.cost, min(1, len(case.cost) - 1), axis=0)[: min(2, len(case.cost))]
    return np.where(np.isfinite(near[-1]), near[-1], near.min(axis=0))


def raise_bound(case: Case, prices: np.ndarray, target: float, *, rounds: int, pace: float = 1.5, patience: int = 20, enough: float = np.inf) -> Dual:
    """Raise the Lagrangian bound of the program without its assignment rows.

    Parameters
    ----------
    case
        The program; least loads and contiguity are left out, which keeps the bound valid.
    prices
        Of the units, where to begin.
    target
        What the bound may hope for.
    rounds, pace, patience
        Steps of the ascent, their length, and how many may fail before it is halved.
    enough
        Bound at which to stop.

    Returns
    -------
    Dual
        The best bound and its prices.

    References
    ----------
    max over v of sum_i v_i + min over y of sum_j (f_j - k_j(v)) y_j subject to the count, or to sum_j capacity_j y_j >= load, where
    k_j(v) is the most of sum_i (v_i - c_ij) x_i that fits site j: without a capacity, in parts, or whole (a knapsack).
    Beasley, J. E. (1993). Lagrangean heuristics for location problems. European Journal of Operational Research, 65(3).

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 4.0], [4.0, 1.0]]), count=1))
    >>> float(round(raise_bound(case, first_prices(case), 5.0, rounds=100).bound, 3))
    5.0
    """
    found = loops("location_kernels").ascend(*_given(case), prices, target, pace, patience, rounds, enough)
    return Dual(float(found[0]), found[1], found[2], found[3], float(found[4]), int(found[5]))


def prove(case: Case, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bound the total where a site is open, where it is closed, and where a site serves a whole unit.

    Parameters
    ----------
    case
        The program.
    prices
        Of the units.

    Returns
    -------
    tuple of numpy.ndarray
        By site if open, by site if closed (infinite where that cannot be), sites x units (infinite where forbidden).

    Examples
    --------
    >>> from layout.location_case import case_of, read_request
    >>> case = case_of(read_request(np.array([[1.0, 4.0]]), count=1))
    >>> prove(case, np.array([4.0]))[0].tolist()
    [1.0, 4.0]
    """
    return loops("location_kernels").penalties(*_given(case), prices)


def _given(case: Case) -> tuple:
    way = FREE if not case.limited else WHOLE if case.whole else PARTS
    capacity = np.minimum(case.capacity, 1e15)
    return case.cost, case.fixed, case.load, capacity, case.must, way, case.count, case.need
