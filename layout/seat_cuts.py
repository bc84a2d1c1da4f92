"""Rows that whole classes keep and parts of classes break: they bring the linear relaxation of the seats nearer to whole classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from layout.programme import Model, Programme
from layout.solver import Rows
from layout.tables import GRADES

# a row that is broken by less than so many children is not worth its place
_BROKEN = 0.01
# how much of a class or a share is rounding error
_SAME = 1e-9


def seat_cuts(model: Model, programme: Programme) -> Callable[[np.ndarray], Rows | None]:
    """Return a function that finds the rows which values with parts of classes break.

    Parameters
    ----------
    model, programme
        Children, sites, years, figures; and their programme with whole classes everywhere.

    Returns
    -------
    Callable
        Takes the value of each column; returns rows that every plan with whole classes keeps and these values break, at most one for each
        grade of a site and year; None where they break none.

    References
    ----------
    Residual capacity inequalities: for any places S whose children of a grade may come to a site, P in all, with classes of n, m = ceil(P / n)
    and r = P - n (m - 1): the children of S that go elsewhere and those above the standard are at least r (m - classes). Magnanti, T. L.,
    Mirchandani, P., & Vachani, R. (1993). The convex hull of two core capacitated network design problems. Mathematical Programming, 60. The
    places S that are broken most are those of which a larger share comes than the part of a class that is not whole: Atamturk, A., & Rajan, D.
    (2002). On splittable and unsplittable flow capacitated network design arc-set polyhedra. Mathematical Programming, 92. A class of
    grades together counts as a class of each of its grades, and every class as large as the largest that the site may have.

    Examples
    --------
    >>> broken = seat_cuts(model, programme)  # doctest: +SKIP
    """
    columns, width = programme.columns, len(programme.program.lower)
    flows, demands = model.journeys.flows, model.journeys.demands
    # children of a place may have several ways to a site: together they are one share
    keys, pair = np.unique(np.stack([flows["site"].to_numpy(int), flows["demand"].to_numpy(int)]), axis=1, return_inverse=True)
    share_of = sparse.csr_matrix((np.ones(len(pair)), (pair, np.arange(len(pair)))), shape=(keys.shape[1], width))
    pupils = demands[list(GRADES)].to_numpy(float)[keys[1]]
    at = demands["at"].to_numpy(int)[keys[1]]
    grades = [(k, t, g) for k, t, g in columns.over if isinstance(g, int)]
    number = {key: i for i, key in enumerate(grades)}
    size, classes = _classes(model, programme, grades)
    over = np.array([columns.over[key] for key in grades], int)
    who, grade = np.nonzero(pupils > 0)
    item = np.array([number.get((k, t, g), -1) for k, t, g in zip(keys[0, who].tolist(), at[who].tolist(), (grade + 1).tolist(), strict=True)], int)
    who, grade, item = who[item >= 0], grade[item >= 0], item[item >= 0]
    children, count = pupils[who, grade], len(grades)

    def broken(values: np.ndarray) -> Rows | None:
        shares, formed = (share_of @ values)[who], classes @ values
        part = formed - np.floor(formed + _SAME)
        some = np.where(shares > part[item] + _SAME, children, 0.0)
        total = np.bincount(item, some, minlength=count)
        most = np.ceil(total / size - _SAME)
        rest = total - size * (most - 1.0)
        away = np.bincount(item, some * (1.0 - shares), minlength=count)
        rows = np.flatnonzero((total > 0) & (rest * (most - formed) - away - values[over] > _BROKEN))
        if not len(rows):
            return None
        there = sparse.csr_matrix((some, (item, who)), shape=(count, keys.shape[1]))[rows] @ share_of
        above = sparse.csr_matrix((np.ones(len(rows)), (np.arange(len(rows)), over[rows])), shape=(len(rows), width))
        matrix = sparse.csr_matrix(sparse.diags(rest[rows]) @ classes[rows] + above - there)
        matrix.eliminate_zeros()
        return Rows(matrix, (rest * most - total)[rows], np.full(len(rows), np.inf))

    return broken


def _classes(model: Model, programme: Programme, grades: list[tuple[int, int, int]]) -> tuple[np.ndarray, sparse.csr_matrix]:
    """Return by site, year and grade the size of the largest class, and which columns are classes of that grade."""
    columns = programme.columns
    size, rows, places = np.ones(len(grades)), [], []
    for i, (k, t, g) in enumerate(grades):
        sizes = []
        for group in model.groups(k):
            if (k, group, t, g) not in columns.classes:
                continue
            own = [columns.classes[k, group, t, g]]
            sizes.append(model.size(k, group, g, t))
            together = [run for run in model.runs(k, group, model.grades(k, group)) if g in run]
            if together:
                sizes.append(model.mixed_size(k, group, t))
                own += [columns.runs[k, group, t, run] for run in together]
            rows += [i] * len(own)
            places += own
        size[i] = max(sizes)
    return size, sparse.csr_matrix((np.ones(len(rows)), (rows, places)), shape=(len(grades), len(programme.program.lower)))
