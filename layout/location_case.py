"""What is asked of a search for sites: units, sites, costs, loads and what must hold, read and checked."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

OBJECTIVES = ("total", "max", "cover")
# how many ids a message names
_NAMED = 5
# what may be relaxed to see why nothing is feasible, in the order in which it is named
FAMILIES = ("limit", "forbidden pairs", "capacity", "min_load", "count", "must_open", "must_close", "single_source", "adjacency")


@dataclass(frozen=True)
class Request:
    """Everything that was asked, by units and sites in the order of their ids.

    ``costs`` are units x sites, not finite where forbidden; ``capacity`` is infinite where there is none; ``count`` is -1 for any
    number; ``neighbours`` lists the neighbours of each unit, or is None.
    """

    unit_ids: pd.Index
    site_ids: pd.Index
    costs: np.ndarray
    weight: np.ndarray
    load: np.ndarray
    capacity: np.ndarray
    least: np.ndarray
    fixed: np.ndarray
    count: int
    whole: bool
    must_open: np.ndarray
    must_close: np.ndarray
    neighbours: tuple[np.ndarray, ...] | None
    limit: float
    objective: str


@dataclass(frozen=True)
class Case:
    """One program of sites: least total of cost and fixed cost, every unit served, or at a charge not served.

    ``cost`` is sites x units, infinite where forbidden; ``sites`` are the positions of the sites in the request; ``charge`` is what a
    unit costs that is not served, or None where all must be; ``excluded`` are open sets not wanted again (sets x sites).
    """

    sites: np.ndarray
    cost: np.ndarray
    load: np.ndarray
    capacity: np.ndarray
    least: np.ndarray
    fixed: np.ndarray
    must: np.ndarray
    count: int
    whole: bool
    charge: np.ndarray | None
    neighbours: tuple[np.ndarray, ...] | None
    excluded: np.ndarray

    @property
    def limited(self) -> bool:
        """Whether any site has a capacity that could bind."""
        return bool((self.capacity < self.load.sum()).any())

    @property
    def plain(self) -> bool:
        """Whether nothing but capacity, count and fixed cost matters."""
        return not self.least.any() and self.neighbours is None and self.charge is None

    @property
    def need(self) -> float:
        """Load that open sites must be able to carry; 0 where any can."""
        return float(self.load.sum()) if self.limited and self.charge is None else 0.0

    @property
    def step(self) -> float:
        """Greatest number of which every total is a multiple; 0 where there is none."""
        if (self.limited or self.least.any()) and not self.whole:
            return 0.0
        values = np.concatenate([self.cost[np.isfinite(self.cost)], self.fixed, [] if self.charge is None else self.charge])
        if (values != np.round(values)).any() or np.abs(values).max(initial=0.0) > 1e12:
            return 0.0
        return float(np.gcd.reduce(values.astype(np.int64), initial=0))


@dataclass(frozen=True)
class Answer:
    """An open set with its assignment: which sites are open, and which unit uses which site with which share; and its value."""

    opened: np.ndarray
    units: np.ndarray
    sites: np.ndarray
    shares: np.ndarray
    value: float


@dataclass(frozen=True)
class Proof:
    """The best answer found, or None, a value that none can be below, and why the search stopped."""

    answer: Answer | None
    bound: float
    status: str


@dataclass(frozen=True)
class Limits:
    """Where a search may stop: relative gap, nodes or rounds of work, the clock of time.monotonic; and its seed."""

    gap: float
    work: int | None
    until: float
    seed: int


def case_of(request: Request, without: Collection[str] = ()) -> Case:
    """Return the program of a request, with families of what must hold left out.

    Parameters
    ----------
    request
        What was asked.
    without
        Some of ``FAMILIES``.

    Returns
    -------
    Case
        Sites that must stay closed are not in it. The costs are weighted; for ``cover`` they are 0 within the limit, with a
        count a unit that is not served costs its load, without one a site costs its fixed cost, or 1.

    Examples
    --------
    >>> request = read_request(np.array([[1.0, 2.0], [2.0, 1.0]]), count=1, must_close=[0])
    >>> case_of(request).cost.tolist(), case_of(request, ["must_close"]).cost.tolist()
    ([[2.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]])
    """
    costs = request.costs
    if "forbidden pairs" in without:
        costs = np.where(np.isfinite(costs), costs, 0.0)
    allowed = np.isfinite(costs)
    if "limit" not in without:
        allowed = allowed & (costs <= request.limit)
    cover = request.objective == "cover"
    weighted = np.zeros_like(costs) if cover else np.where(allowed, costs, 0.0) * request.weight[:, None]
    sites = np.flatnonzero(~request.must_close | ("must_close" in without))
    fixed = request.fixed[sites]
    if cover and request.count < 0 and not fixed.any():
        fixed = np.ones(len(sites))
    m = len(sites)
    return Case(
        sites, np.ascontiguousarray(np.where(allowed, weighted, np.inf)[:, sites].T), request.load,
        np.full(m, np.inf) if "capacity" in without else request.capacity[sites],
        np.zeros(m) if "min_load" in without else request.least[sites], fixed,
        np.zeros(m, bool) if "must_open" in without else request.must_open[sites],
        -1 if "count" in without else request.count,
        (request.whole and "single_source" not in without) or (request.neighbours is not None and "adjacency" not in without),
        request.load.astype(float) if cover and request.count >= 0 else None,
        None if "adjacency" in without else request.neighbours, np.zeros((0, m), bool),
    )  # fmt: skip


def exclude(case: Case, opened: np.ndarray) -> Case:
    """Return the case with one more open set that is not wanted.

    Parameters
    ----------
    case
        The program.
    opened
        Which sites are open in it.

    Returns
    -------
    Case
        The same with the set in ``excluded``.

    Examples
    --------
    >>> case = case_of(read_request(np.ones((1, 2)), count=1))
    >>> exclude(case, np.array([True, False])).excluded.tolist()
    [[True, False]]
    """
    return replace(case, excluded=np.vstack([case.excluded, opened.astype(bool)]))


def read_request(
    costs: pd.DataFrame | np.ndarray, *, weight: Any = None, load: Any = None, capacity: Any = None, min_load: Any = None, fixed_cost: Any = None,
    count: int | None = None, single_source: bool = False, must_open: Iterable = (), must_close: Iterable = (), adjacency: Any = None,
    limit: float | None = None, objective: str = "total", **search: Any,
) -> Request:  # fmt: skip
    """Check everything that was asked; list every fault at once.

    Parameters
    ----------
    costs, weight, load, capacity, min_load, fixed_cost, count, single_source, must_open, must_close, adjacency, limit, objective
        As in ``layout.locate``.
    **search
        The numbers that say when to stop: solutions, gap, work_limit, time_limit, seed.

    Returns
    -------
    Request
        Units and sites sorted by their ids, so that the order of the input does not matter.

    Raises
    ------
    ValueError
        With one line for each fault.

    Examples
    --------
    >>> read_request(np.array([[1.0, 2.0]]), count=1).site_ids.tolist()
    [0, 1]
    >>> read_request(np.array([[1.0, -2.0]]), count=0)
    Traceback (most recent call last):
    ValueError: 2 faults:
    - costs: below zero at unit 0, site 1
    - count: 0 is not a whole number from 1 up
    """
    faults: list[str] = []
    frame = _frame(costs, faults)
    units, sites = frame.index, frame.columns
    values = frame.to_numpy(float)
    for i, j in np.argwhere(np.isfinite(values) & (values < 0))[:1]:
        faults.append(f"costs: below zero at unit {units[i]}, site {sites[j]}")
    by_unit = {"weight": _series("weight", weight, units, 1.0, faults)}
    by_unit["load"] = by_unit["weight"] if load is None else _series("load", load, units, 1.0, faults)
    room = _series("capacity", capacity, sites, np.inf, faults, unlimited=True)
    least = _series("min_load", min_load, sites, 0.0, faults)
    if (least > room).any():
        faults.append(f"min_load: above the capacity of {some(sites[least > room])}")
    fixed = _series("fixed_cost", fixed_cost, sites, 0.0, faults)
    opened, closed = (_mask(name, ids, sites, faults) for name, ids in (("must_open", must_open), ("must_close", must_close)))
    if (opened & closed).any():
        faults.append(f"must_open and must_close: both name {some(sites[opened & closed])}")
    _check_options(objective, count, limit, fixed, search, faults)
    # the answer does not depend on the order of rows and columns
    i, j = _order(units), _order(sites)
    neighbours = _neighbours(adjacency, units[i], faults)
    if faults:
        raise ValueError(_list(faults))
    return Request(
        units[i], sites[j], values[np.ix_(i, j)], by_unit["weight"][i], by_unit["load"][i], room[j], least[j], fixed[j],
        -1 if count is None else int(count), bool(single_source), opened[j], closed[j], neighbours,
        np.inf if limit is None else float(limit), objective,
    )  # fmt: skip


def _list(faults: list[str]) -> str:
    return f"{len(faults)} fault{'s' if len(faults) > 1 else ''}:\n- " + "\n- ".join(faults)


def _order(ids: pd.Index) -> np.ndarray:
    try:
        return np.asarray(ids.argsort())
    except TypeError:
        return np.arange(len(ids))


def some(ids: Iterable) -> str:
    """Name some ids, and how many more there are.

    Parameters
    ----------
    ids
        Any.

    Returns
    -------
    str
        At most five of them.

    Examples
    --------
    >>> some(range(7))
    '0, 1, 2, 3, 4 and 2 more'
    """
    named = list(ids)
    return ", ".join(str(i) for i in named[:_NAMED]) + (f" and {len(named) - _NAMED} more" if len(named) > _NAMED else "")


def _frame(costs: Any, faults: list[str]) -> pd.DataFrame:
    try:
        frame = costs.astype(float) if isinstance(costs, pd.DataFrame) else pd.DataFrame(np.asarray(costs, float))
    except (TypeError, ValueError):
        raise ValueError(_list(["costs: not numbers in units x sites"])) from None
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise ValueError(_list(["costs: no units or no sites"]))
    for name, ids in (("units", frame.index), ("sites", frame.columns)):
        if ids.has_duplicates:
            faults.append(f"costs: the {name} {some(ids[ids.duplicated()].unique())} come more than once")
    return frame


def _series(name: str, given: Any, ids: pd.Index, default: float, faults: list[str], *, unlimited: bool = False) -> np.ndarray:
    """Return one number for each id: from one for all, a Series or mapping by id, or an array in the order of the costs."""
    out = np.full(len(ids), default, float)
    if given is None:
        return out
    if isinstance(given, Mapping):
        given = pd.Series(given)
    try:
        if isinstance(given, pd.Series):
            if given.index.has_duplicates:
                faults.append(f"{name}: ids come more than once")
                return out
            missing = ids[~ids.isin(given.index)]
            if len(missing):
                faults.append(f"{name}: nothing for {some(missing)}")
                return out
            out = given.reindex(ids).to_numpy(float)
        elif np.ndim(given) == 0:
            out = np.full(len(ids), float(given))
        else:
            array = np.asarray(given, float)
            if array.shape != (len(ids),):
                faults.append(f"{name}: {array.shape} numbers for {len(ids)} ids")
                return out
            out = array
    except (TypeError, ValueError):
        faults.append(f"{name}: not numbers")
        return out
    wrong = np.isnan(out) | (out < 0) | (np.isinf(out) & (not unlimited))
    if wrong.any():
        faults.append(f"{name}: not a number from 0 up for {some(ids[wrong])}")
        return np.full(len(ids), default, float)
    return out


def _mask(name: str, given: Iterable, ids: pd.Index, faults: list[str]) -> np.ndarray:
    wanted = list(given)
    unknown = [i for i in wanted if i not in ids]
    if unknown:
        faults.append(f"{name}: no site {some(unknown)}")
    return np.asarray(ids.isin([i for i in wanted if i in ids]))


def _neighbours(adjacency: Any, units: pd.Index, faults: list[str]) -> tuple[np.ndarray, ...] | None:
    if adjacency is None:
        return None
    if isinstance(adjacency, pd.DataFrame):
        pairs = list(zip(adjacency.iloc[:, 0], adjacency.iloc[:, 1], strict=True))
    else:
        try:
            pairs = [(pair[0], pair[1]) for pair in (adjacency.edges if hasattr(adjacency, "edges") else adjacency)]
        except (TypeError, IndexError, KeyError):
            faults.append("adjacency: not pairs of units")
            return None
    unknown = sorted({str(u) for pair in pairs for u in pair if u not in units})
    if unknown:
        faults.append(f"adjacency: no unit {some(unknown)}")
        return None
    near: list[set[int]] = [set() for _ in units]
    place = {u: i for i, u in enumerate(units)}
    for a, b in pairs:
        if place[a] != place[b]:
            near[place[a]].add(place[b])
            near[place[b]].add(place[a])
    return tuple(np.array(sorted(s), dtype=int) for s in near)


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= least


def _number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and not np.isnan(float(value))


def _check_options(objective: str, count: int | None, limit: float | None, fixed: np.ndarray, search: Mapping, faults: list[str]) -> None:
    if objective not in OBJECTIVES:
        faults.append(f"objective: {objective} is none of {', '.join(OBJECTIVES)}")
    if count is not None and not _whole(count, 1):
        faults.append(f"count: {count} is not a whole number from 1 up")
    if limit is not None and not (_number(limit) and limit >= 0):
        faults.append(f"limit: {limit} is not a number from 0 up")
    if objective == "cover" and limit is None:
        faults.append("limit: objective cover needs it")
    if objective == "max" and count is None:
        faults.append("count: objective max needs it")
    if fixed.any() and (objective == "max" or (objective == "cover" and count is not None)):
        faults.append("fixed_cost: has no part in the greatest cost, nor in the load covered by a count of sites")
    for name, least in (("solutions", 1), ("work_limit", 1), ("seed", 0)):
        value = search.get(name)
        if name in search and not (_whole(value, least) or (value is None and name == "work_limit")):
            faults.append(f"{name}: {value} is not a whole number from {least} up")
    if "gap" in search and not (_number(search["gap"]) and search["gap"] >= 0):
        faults.append(f"gap: {search['gap']} is not a number from 0 up")
    if "time_limit" in search and not (_number(search["time_limit"]) and search["time_limit"] > 0):
        faults.append(f"time_limit: {search['time_limit']} is not a number above 0")
