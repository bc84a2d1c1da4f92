"""How evenly the ways to school are shared out: quantiles, the worst-off tenth, the Gini coefficient."""

from __future__ import annotations

import numpy as np
import pandas as pd

from layout.tables import band_of, check, empty


def gini(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the Gini coefficient: half the mean difference of two, over the mean.

    Parameters
    ----------
    values
        At least 0, in any one unit.
    weights
        How many have each value; None counts each once.

    Returns
    -------
    float
        A share: 0 where all have the same, near 1 where one has all; NaN without anybody or where all have nothing.

    Raises
    ------
    ValueError
        If a value or weight is negative or not finite.

    References
    ----------
    Gini, C. (1912). Variabilità e mutabilità.

    Examples
    --------
    >>> round(gini(np.array([0.0, 0.0, 1.0])), 3), round(gini(np.array([2.0, 4.0]), np.array([5, 5])), 3)
    (0.667, 0.167)
    """
    x = np.asarray(values, float)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, float)
    if not (np.isfinite(x) & (x >= 0)).all() or not (np.isfinite(w) & (w >= 0)).all():
        raise ValueError("values and weights must be at least 0")
    order = np.argsort(x, kind="stable")
    x, w = x[order], w[order]
    total = (w * x).sum()
    if not total > 0:
        return float("nan")
    # area between the Lorenz curve and the line of equality, by trapezoids
    before = np.cumsum(w) - w / 2
    # rounding leaves nothing below 0
    return max(float((2 * (before * w * x).sum() / (w.sum() * total)) - 1), 0.0)


def theil(values: np.ndarray, weights: np.ndarray | None = None, groups: np.ndarray | None = None) -> tuple[float, float, float]:
    """Return Theil's T: the whole, the part between groups, and the part within them.

    Parameters
    ----------
    values
        At least 0, in any one unit.
    weights
        Number of those who have each value; None counts each once.
    groups
        Number of the group of each value; None: all are of one group.

    Returns
    -------
    tuple of float
        The whole is the sum of both parts: between, as if everybody had the mean of the group, and within, the groups' own
        figures weighted by their shares of the sum of the values. NaN without anybody or where all have nothing.

    Raises
    ------
    ValueError
        If a value or weight is negative or not finite.

    References
    ----------
    Theil, H. (1967). Economics and information theory.

    Examples
    --------
    >>> [round(part, 3) for part in theil(np.array([1.0, 3.0, 2.0, 2.0]), groups=np.array(["a", "a", "b", "b"]))]
    [0.065, 0.0, 0.065]
    >>> [round(part, 3) for part in theil(np.array([1.0, 3.0]), groups=np.array(["a", "b"]))]
    [0.131, 0.131, 0.0]
    """
    x = np.asarray(values, float)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, float)
    if not (np.isfinite(x) & (x >= 0)).all() or not (np.isfinite(w) & (w >= 0)).all():
        raise ValueError("values and weights must be at least 0")
    if not (w * x).sum() > 0:
        return float("nan"), float("nan"), float("nan")
    _, member = np.unique(np.zeros(len(x)) if groups is None else np.asarray(groups), return_inverse=True)
    people, minutes = np.bincount(member, w), np.bincount(member, w * x)
    # x log x is 0 where x is 0
    logs = np.log(x, out=np.zeros(len(x)), where=x > 0)
    whole = float((w * x * logs).sum() / minutes.sum() - np.log(minutes.sum() / people.sum()))
    there = minutes > 0
    share = minutes[there] / minutes.sum()
    between = float((share * np.log(share / (people[there] / people.sum()))).sum())
    # rounding leaves no part below nothing
    whole, between = max(whole, 0.0), max(between, 0.0)
    return whole, between, max(whole - between, 0.0)


def time_distribution(assignment: pd.DataFrame, *, view: str) -> pd.DataFrame:
    """Describe the minutes of those who go to school and back every day.

    Parameters
    ----------
    assignment
        Table ``assignment``; rows on foot or by bus with minutes count. Boarders' weekly ways, children of the county seat, whose
        minutes are not known, and children without a place are left out: ``headline`` counts them.

    view
        ``today`` or ``planned``.

    Returns
    -------
    pandas.DataFrame
        Table ``time_distribution``, by view, year and grade band: pupils, mean, median, 90th percentile and longest minutes,
        mean of the worst-off tenth of the children (counted to the child) and Gini coefficient. No rows without anybody.

    Examples
    --------
    >>> rows = pd.DataFrame({"year": 2025, "grade": 1, "mode": "walk", "minutes": [10.0, 20.0, 60.0], "pupils": [10, 9, 1]})
    >>> time_distribution(rows, view="today")[["pupils", "mean", "median", "p90", "worst_tenth"]].values.tolist()
    [[20.0, 17.0, 15.0, 20.0, 40.0]]
    """
    daily = assignment[assignment["mode"].isin(["walk", "bus"]) & assignment["minutes"].notna() & (assignment["pupils"] > 0)]
    if not len(daily):
        return empty("time_distribution")
    daily = daily.assign(band=[band_of(g) for g in daily["grade"]])
    rows = []
    for (year, band), group in daily.groupby(["year", "band"]):
        minutes, pupils = group["minutes"].to_numpy(float), group["pupils"].to_numpy(float)
        order = np.argsort(minutes, kind="stable")
        x, upto = minutes[order], np.cumsum(pupils[order])
        rows.append({
            "view": view, "year": year, "band": band, "pupils": round(upto[-1]), "mean": np.average(minutes, weights=pupils),
            **{name: _quantile(x, upto, share) for name, share in (("median", 0.5), ("p90", 0.9))}, "longest": x[-1],
            "worst_tenth": _worst(x, pupils[order], 0.1),
            # where everybody lives at the school all have the same
            "gini": gini(minutes, pupils) if x[-1] > 0 else 0.0,
        })  # fmt: skip
    return check("time_distribution", pd.DataFrame(rows))


def _quantile(x: np.ndarray, upto: np.ndarray, share: float) -> float:
    """Return the value at a share of the children; halfway where one group ends just there."""
    at = share * upto[-1]
    low, high = np.searchsorted(upto, at * (1 - 1e-12), side="left"), np.searchsorted(upto, at * (1 + 1e-12), side="right")
    return float((x[low] + x[min(high, len(x) - 1)]) / 2)


def _worst(x: np.ndarray, w: np.ndarray, share: float) -> float:
    """Return the mean of the largest values that make up a share of the weight."""
    left = share * w.sum()
    took = np.minimum(w[::-1], np.maximum(left - (np.cumsum(w[::-1]) - w[::-1]), 0))
    return float((took * x[::-1]).sum() / took.sum())
