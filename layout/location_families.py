"""Why nothing is feasible: contradictions that are seen at once, and families of demands left out one at a time."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from layout.location_case import FAMILIES, Case, Limits, Request, case_of, some
from layout.location_rows import program_of, solve_rows
from layout.solver import NoSolutionError, StoppedError

_LEAST = 1e-9


def contradictions(request: Request) -> list[str]:
    """List what cannot be met, as far as it shows without a search.

    Parameters
    ----------
    request
        What was asked.

    Returns
    -------
    list of str
        One line for each contradiction, beginning with the family; empty where none shows.

    Examples
    --------
    >>> from layout.location_case import read_request
    >>> contradictions(read_request(np.array([[1.0, 2.0], [2.0, np.inf]]), count=1, limit=1.5, capacity=0.9))
    ['limit: no site within 1.5 of units 1', 'capacity: 0.9 on 1 sites for a load of 2']
    """
    out = []
    free = ~request.must_close
    musts, count = int(request.must_open.sum()), request.count
    if count >= 0 and musts > count:
        out.append(f"count: {musts} sites must open, of {count}")
    if count >= 0 and count > free.sum():
        out.append(f"count: {count} sites to open, of {int(free.sum())} that may")
    spared = request.objective == "cover" and count >= 0
    if not spared:
        out += _unreached(request)
    room = np.where(free, request.capacity, 0.0)
    load, most = float(request.load.sum()), _largest(room, request.must_open, count)
    if not spared and most < load * (1 - _LEAST):
        out.append(f"capacity: {most:g} on {int(free.sum()) if count < 0 else count} sites for a load of {load:g}")
    if request.whole and not spared:
        big = request.load > room.max(initial=0.0) * (1 + _LEAST)
        if big.any():
            out.append(f"single_source: no site holds the whole load of units {some(request.unit_ids[big])}")
    least = _smallest(np.where(free, request.least, np.inf), request.must_open, count)
    if np.isfinite(least) and least > load * (1 + _LEAST):
        out.append(f"min_load: the open sites need {least:g} of a load of {load:g}")
    return out


def _unreached(request: Request) -> list[str]:
    finite = np.isfinite(request.costs)
    near = finite & (request.costs <= request.limit)
    free = ~request.must_close
    steps = (
        ("forbidden pairs: no site is allowed for", finite.any(axis=1)), (f"limit: no site within {request.limit:g} of", near.any(axis=1)),
        ("must_close: all sites are closed that are allowed for", (near & free).any(axis=1)),
    )  # fmt: skip
    out, told = [], np.zeros(len(finite), bool)
    for text, reached in steps:
        lost = ~reached & ~told
        told |= lost
        if lost.any():
            out.append(f"{text} units {some(request.unit_ids[lost])}")
    return out


def _largest(values: np.ndarray, must: np.ndarray, count: int) -> float:
    """Return the most that a count of sites, those that must be open among them, can add up to."""
    if count < 0:
        return float(values.sum())
    rest = np.sort(values[~must])[::-1]
    return float(values[must].sum() + rest[: max(count - int(must.sum()), 0)].sum())


def _smallest(values: np.ndarray, must: np.ndarray, count: int) -> float:
    rest = np.sort(values[~must])
    return float(values[must].sum() + rest[: max(count - int(must.sum()), 0)].sum())


def explain(request: Request, limits: Limits) -> str:
    """Say which families make a request infeasible: those without any one of which it could be met, or a least set of them.

    Parameters
    ----------
    request
        What was asked; nothing meets it.
    limits
        Of each search for a feasible answer.

    Returns
    -------
    str
        A sentence.

    Examples
    --------
    >>> from layout.location_case import read_request
    >>> request = read_request(np.ones((3, 2)), load=2, capacity=3, single_source=True)
    >>> explain(request, Limits(0.0, None, time.monotonic() + 9, 0))
    'nothing meets all that is asked; it could be met without any one of: capacity, single_source'
    """
    asked = [family for family in FAMILIES if _asks(request, family)]
    alone = [family for family in asked if _feasible(request, [family], limits)]
    if alone:
        return f"nothing meets all that is asked; it could be met without any one of: {', '.join(alone)}"
    out = list(asked)
    if not _feasible(request, out, limits):
        return "nothing meets all that is asked, and no single family was seen to be the cause in the time given"
    for family in asked:
        if _feasible(request, [f for f in out if f != family], limits):
            out.remove(family)
    return f"nothing meets all that is asked; it could be met only without all of: {', '.join(out)}"


def _asks(request: Request, family: str) -> bool:
    return {
        "limit": np.isfinite(request.limit), "forbidden pairs": not np.isfinite(request.costs).all(), "capacity": np.isfinite(request.capacity).any(),
        "min_load": request.least.any(), "count": request.count >= 0, "must_open": request.must_open.any(), "must_close": request.must_close.any(),
        "single_source": request.whole, "adjacency": request.neighbours is not None,
    }[family]  # fmt: skip


def _feasible(request: Request, without: Collection[str], limits: Limits) -> bool:
    case: Case = case_of(request, without)
    case = replace(case, cost=np.where(np.isfinite(case.cost), 0.0, np.inf), fixed=np.zeros(len(case.fixed)))
    if not len(case.cost) or (case.charge is None and not np.isfinite(case.cost).any(axis=0).all()):
        return False
    try:
        solve_rows(case, program_of(case), replace(limits, gap=np.inf, until=max(limits.until, time.monotonic() + 5.0)))
    except StoppedError:
        return False
    except NoSolutionError:
        return False
    return True
