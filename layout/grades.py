"""Ages into grades: who enters late, who repeats, and in which grade the children of an age therefore sit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from layout.standards import Standards
from layout.tables import GRADES

#: Years by which a pupil may be behind; who is further behind is promoted.
MOST_YEARS_BEHIND = 2


def entry_shares(grade_ages: pd.DataFrame, standards: Standards) -> tuple[float, float]:
    """Estimate the share of a cohort that enters a year late and the share of pupils who repeat a grade.

    Of the pupils aged a, the share in grade a-5 or above is p(a) = (1-l) (1-r)^(a-6): a line in logarithms, fitted by least squares
    with the pupils of an age as weights. It holds whatever the sizes of the cohorts are.

    Parameters
    ----------
    grade_ages
        Table ``grade_ages``; without rows the standards count.
    standards
        ``entry.late``, ``entry.repeat`` and ``entry.age``.

    Returns
    -------
    tuple of float
        Late entry and repeating; an estimate below 0 counts as 0.

    References
    ----------
    The age spread within a grade (分年级分年龄学生数) as the datum: UNESCO reconstructed cohort method; Caillods, UNESCO/IIEP, module III.

    Examples
    --------
    >>> ages = pd.DataFrame({"grade": [1, 1, 2, 2], "age": [6, 7, 7, 8], "pupils": [90.0, 10.0, 90.0, 10.0]})
    >>> late, repeat = entry_shares(ages, layout.read_standards())  # a tenth of those aged 7 and all of those aged 8 are behind
    >>> round(late, 3), round(repeat, 3)
    (0.1, 0.0)
    """
    entry = int(standards["entry.age"])
    last = entry + len(GRADES) - 1
    table = grade_ages[(grade_ages["age"] > entry) & (grade_ages["age"] <= last)]
    enrolled = table.groupby("age")["pupils"].sum()
    on_time = table[table["grade"] - 1 >= table["age"] - entry].groupby("age")["pupils"].sum().reindex(enrolled.index).fillna(0.0)
    usable = (enrolled > 0) & (on_time > 0)
    if not usable.any():
        return standards["entry.late"], standards["entry.repeat"]
    years = enrolled.index.to_numpy(float)[usable] - entry
    share, weight = np.log((on_time / enrolled).to_numpy()[usable]), enrolled.to_numpy(float)[usable]
    if len(years) == 1:
        return max(1 - float(np.exp(share[0])), 0.0), 0.0
    slope, level = np.polyfit(years, share, 1, w=np.sqrt(weight))
    if slope > 0:
        # nobody catches up: without repeating the level is the mean
        slope, level = 0.0, float(np.average(share, weights=weight))
    return max(1 - float(np.exp(level)), 0.0), 1 - float(np.exp(slope))


def grade_shares(late: float, repeat: float) -> np.ndarray:
    """Return the share of the children of an age who sit in each grade.

    A child enters at the age of entry or, with probability ``late``, a year later; with probability ``repeat`` a pupil stays in the
    grade, unless two years behind already.

    Parameters
    ----------
    late, repeat
        From :func:`entry_shares`.

    Returns
    -------
    numpy.ndarray
        Rows: years since the age of entry, 0 to 10; columns: grades 1 to 9. A row sums to one between the second year and the last
        grade, to less where children have not entered or have left.

    Examples
    --------
    >>> grade_shares(0.1, 0.0)[:3, :3].round(2).tolist()
    [[0.9, 0.0, 0.0], [0.1, 0.9, 0.0], [0.0, 0.1, 0.9]]
    """
    out = np.zeros((len(GRADES) + MOST_YEARS_BEHIND, len(GRADES)))
    out[0, 0] = 1 - late
    for year in range(1, len(out)):
        for grade in range(len(GRADES)):
            behind = year - grade
            if 0 <= behind <= MOST_YEARS_BEHIND:
                out[year, grade] = (late if year == 1 and grade == 0 else 0.0) + (out[year - 1, grade] * repeat if behind else 0.0)
                if grade:
                    # who is as far behind as may be moves on for certain
                    out[year, grade] += out[year - 1, grade - 1] * (1 - repeat if behind < MOST_YEARS_BEHIND else 1.0)
    return out
