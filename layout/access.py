"""Access scores: how many seats each child can count on, by floating catchments, potentials and opportunities within reach."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

METHODS = ("2SFCA", "E2SFCA", "3SFCA", "gravity", "cumulative")
# upper ends in thirds of the limit and their weights (Luo & Qi 2009: 10, 20 and 30 minutes)
_STEPS = ((1 / 3, 1.0), (2 / 3, 0.68), (1.0, 0.22))

Weight = Callable[[np.ndarray], np.ndarray] | Sequence[tuple[float, float]]


def access_scores(
    demand: pd.Series, supply: pd.Series, times: pd.DataFrame, *, method: str, limit: float = 30.0, weight: Weight | None = None
) -> pd.Series:
    """Return the access score of every settlement.

    Parameters
    ----------
    demand
        Pupils by settlement id.
    supply
        Seats by school id.
    times
        ``from_id`` (settlement), ``to_id`` (school), ``minutes`` of the way to school; one row a pair, one mode and band. Both
        steps of a floating catchment look at the way to school, also where the way back is longer. Pairs of ids that are
        not in ``demand`` and ``supply`` do not count.
    method
        ``2SFCA``: seats of the schools within the limit, each over the pupils within the limit of it. ``E2SFCA``: likewise
        weighted by minutes in both steps. ``3SFCA``: besides, pupils turn to nearer schools first. ``gravity``: seats
        weighted by minutes, whoever else wants them. ``cumulative``: seats within the limit.
    limit
        Minutes, inclusive, beyond which nothing counts.
    weight
        Steps of (upper end in minutes, weight), or a function of minutes. None: for E2SFCA and 3SFCA 1, 0.68 and 0.22 up to each
        third of the limit; for gravity a Gaussian that falls from 1 to 0 at the limit.

    Returns
    -------
    pandas.Series
        Seats a pupil (gravity and cumulative: seats), in the order of ``demand``, named by the method; 0 where no school is in
        reach. By the three floating catchments the scores times the pupils add up to the seats of all schools that
        anybody reaches.

    Raises
    ------
    ValueError
        If the method is not known, ids repeat, a pair comes twice, a number is negative or not finite, or weights are not
        falling steps.

    References
    ----------
    Luo, W., & Wang, F. (2003). Measures of spatial accessibility to health care in a GIS environment. Environment and Planning B, 30(6).
    Luo, W., & Qi, Y. (2009). An enhanced two-step floating catchment area (E2SFCA) method. Health & Place, 15(4). Wan, N., Zou, B.,
    & Sternberg, T. (2012). A three-step floating catchment area method. International Journal of GIS, 26(6). Hansen, W. G. (1959).
    How accessibility shapes land use. Journal of the American Institute of Planners, 25(2).

    Examples
    --------
    >>> times = pd.DataFrame({"from_id": ["A", "B", "B"], "to_id": ["S1", "S1", "S2"], "minutes": [10.0, 20.0, 30.0]})
    >>> pupils, seats = pd.Series({"A": 10, "B": 40}), pd.Series({"S1": 50, "S2": 20})
    >>> access_scores(pupils, seats, times, method="2SFCA").tolist()
    [1.0, 1.5]
    >>> access_scores(pupils, seats, times, method="cumulative").tolist()
    [50.0, 70.0]
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if not (limit > 0 and math.isfinite(limit)):
        raise ValueError(f"limit must be above 0, not {limit}")
    for name, values in (("demand", demand), ("supply", supply)):
        if values.index.has_duplicates:
            raise ValueError(f"ids of {name} must be unique")
        if not (np.isfinite(values.to_numpy(float)) & (values.to_numpy(float) >= 0)).all():
            raise ValueError(f"{name} must be at least 0")
    pupils, seats = demand.to_numpy(float), supply.to_numpy(float)
    i, j = (pd.Index(s.index.astype("str")).get_indexer(times[c].astype("str")) for s, c in ((demand, "from_id"), (supply, "to_id")))
    minutes = times["minutes"].to_numpy(float)
    if (minutes < 0).any() or np.isnan(minutes).any():
        raise ValueError("minutes must be at least 0")
    known = (i >= 0) & (j >= 0) & (minutes <= limit)
    i, j, minutes = i[known], j[known], minutes[known]
    if len(np.unique(i.astype("int64") * max(len(seats), 1) + j)) < len(i):
        raise ValueError("a pair of settlement and school comes twice: give one mode and band")
    share = _weights(method, minutes, limit, weight)
    if method in ("gravity", "cumulative"):
        score = np.bincount(i, share * seats[j], minlength=len(pupils))
    else:
        if method == "3SFCA":
            # the share of its pupils that a settlement sends first to each school
            whole = np.bincount(i, share, minlength=len(pupils))
            share = share * np.divide(share, whole[i], out=np.zeros(len(share)), where=whole[i] > 0)
        wanted = np.bincount(j, share * pupils[i], minlength=len(seats))
        ratio = np.divide(seats, wanted, out=np.zeros(len(seats)), where=wanted > 0)
        score = np.bincount(i, share * ratio[j], minlength=len(pupils))
    return pd.Series(score.astype(float), index=demand.index, name=method)


def _weights(method: str, minutes: np.ndarray, limit: float, weight: Weight | None) -> np.ndarray:
    if method in ("2SFCA", "cumulative"):
        if weight is not None:
            raise ValueError(f"{method} weighs nothing by minutes")
        return np.ones(len(minutes))
    if callable(weight):
        share = np.asarray(weight(minutes), float)
        if share.shape != minutes.shape or not (np.isfinite(share) & (share >= 0)).all():
            raise ValueError("the weight must be a number of at least 0 for every way")
        return share
    if weight is None and method == "gravity":
        least = math.exp(-0.5)
        return (np.exp(-0.5 * (minutes / limit) ** 2) - least) / (1 - least)
    steps = [(end * limit, w) for end, w in _STEPS] if weight is None else [(float(e), float(w)) for e, w in weight]
    ends, values = (np.array(v) for v in zip(*steps, strict=True)) if steps else (np.zeros(0), np.zeros(0))
    if not len(ends) or not (np.diff(ends) > 0).all() or not (ends > 0).all() or (np.diff(values) > 0).any() or not (values >= 0).all():
        raise ValueError("weights must be steps with rising minutes and falling weights")
    # minutes at an end belong to the step that ends there; a third of the limit is not a number of bits
    at = np.searchsorted(ends * (1 + 1e-12), minutes, side="left")
    return np.append(values, 0.0)[at]
