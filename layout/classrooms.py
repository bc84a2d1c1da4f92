"""How many rooms the pupils of a school need, and how many of them sit above the standard when there are fewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

# how much of a child is rounding error
_SAME = 1e-6


@dataclass(frozen=True)
class Classes:
    """Classes by grades taught together (a single grade alone), the rooms they take, and the children above the standard by grades."""

    classes: Mapping[tuple[int, ...], int]
    rooms: int
    over: float


def form_classes(
    load: Mapping[int, float], size: Mapping[int, float], rooms: int, *, mixed: Mapping[tuple[int, ...], float] | None = None, least: int = 0
) -> Classes:
    """Form classes in at most so many rooms, with fewest children above the standard, then fewest rooms.

    Parameters
    ----------
    load, size
        Pupils and class size by grade taught.
    rooms
        Rooms there are.
    mixed
        Runs of neighbouring grades that may sit together in one room, each with the most pupils of such a class.
    least
        Fewest classes of a grade that does not sit with others.

    Returns
    -------
    Classes
        Of equals the cut with the longer first runs.

    Raises
    ------
    ValueError
        If the least classes do not fit the rooms.

    Examples
    --------
    >>> form_classes({1: 50, 2: 40}, {1: 45, 2: 45}, 3)
    Classes(classes={(1,): 2, (2,): 1}, rooms=3, over=0.0)
    >>> form_classes({1: 8, 2: 9, 3: 10}, {1: 30, 2: 30, 3: 30}, 3, mixed={(1, 2): 30, (2, 3): 30, (1, 2, 3): 30})
    Classes(classes={(1, 2, 3): 1}, rooms=1, over=0.0)
    """
    best: tuple[float, int, dict[tuple[int, ...], int]] | None = None
    together = dict(mixed or {})
    for cut in _cuts(tuple(sorted(load)), tuple(sorted(together))):
        found = _rooms_for(cut, load, size, rooms, together, least)
        if found is not None and (best is None or (round(found[0], 6), found[1]) < (round(best[0], 6), best[1])):
            best = found
    if best is None:
        raise ValueError("fewer rooms than classes that there must be")
    return Classes(best[2], best[1], max(float(best[0]), 0.0))


@cache
def _cuts(grades: tuple[int, ...], runs: tuple[tuple[int, ...], ...]) -> tuple[tuple[tuple[int, ...], ...], ...]:
    if not grades:
        return ((),)
    heads = [grades[: len(r)] for r in sorted(runs, key=len, reverse=True) if grades[: len(r)] == r]
    return tuple((head, *rest) for head in [*heads, grades[:1]] for rest in _cuts(grades[len(head) :], runs))


def _rooms_for(
    cut: tuple[tuple[int, ...], ...],
    load: Mapping[int, float],
    size: Mapping[int, float],
    rooms: int,
    mixed: Mapping[tuple[int, ...], float],
    least: int,
) -> tuple[float, int, dict[tuple[int, ...], int]] | None:
    """Give each part of the cut its rooms: a run one, a grade alone as many as it needs, the fullest classes first where rooms are short."""
    count = {part: 1 if len(part) > 1 else least for part in cut}
    if sum(count.values()) > rooms:
        return None
    gains: list[tuple[float, int, tuple[int, ...]]] = []
    for part in cut:
        if len(part) > 1:
            continue
        rest, seats = load[part[0]] - least * size[part[0]], size[part[0]]
        while rest > _SAME:
            gains.append((-min(rest, seats), len(gains), part))
            rest -= seats
    over = sum(max(sum(load[g] for g in part) - (mixed[part] if len(part) > 1 else least * size[part[0]]), 0.0) for part in cut)
    for gain, _, part in sorted(gains)[: rooms - sum(count.values())]:
        count[part] += 1
        over += gain
    return over, int(np.sum(list(count.values()))), count
