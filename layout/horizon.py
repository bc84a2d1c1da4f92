"""The years of a plan: which are decided, how many school years each speaks for, and from when something new can serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from layout.standards import Standards


@dataclass(frozen=True)
class Horizon:
    """Plan years and what they stand for.

    ``years`` rise; ``weights`` are the school years that each speaks for: itself and those up to the next one. ``schools``, ``rooms``
    and ``beds`` are the first school years in which a new school, further rooms and further beds can serve, if decided in the base
    year.
    """

    years: tuple[int, ...]
    weights: tuple[int, ...]
    schools: int
    rooms: int
    beds: int

    @property
    def length(self) -> int:
        """Return the number of school years that count."""
        return sum(self.weights)


def horizon_of(years: Sequence[int], base_year: int, standards: Standards) -> Horizon:
    """Describe the horizon of a plan.

    Parameters
    ----------
    years
        Plan years in any order.
    base_year
        School year in which the plan is made.
    standards
        ``lead.school``, ``lead.rooms`` and ``lead.beds`` (unverified).

    Returns
    -------
    Horizon
        The last year speaks for itself alone.

    Raises
    ------
    ValueError
        If no year is given.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> found = horizon_of([2035, 2026, 2030], 2025, read_standards())
    >>> found.years, found.weights, found.schools
    ((2026, 2030, 2035), (4, 5, 1), 2027)
    """
    if not len(years):
        raise ValueError("give at least one plan year")
    rising = tuple(sorted({int(y) for y in years}))
    weights = (*(b - a for a, b in pairwise(rising)), 1)
    first = [base_year + int(standards[f"lead.{what}"]) for what in ("school", "rooms", "beds")]
    return Horizon(rising, weights, *first)
