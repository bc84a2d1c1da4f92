"""Small schools without which a child of grades 1 to 3 would have no school within the limit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from layout.children import ways_of, whole_children
from layout.standards import Standards
from layout.tables import BANDS, GRADES, band_of, check, empty


def must_stay(pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Find the small schools without which a child of grades 1 to 3 would have no school within the limit.

    Parameters
    ----------
    pupils
        Table ``pupils``; children who study elsewhere do not count.
    times
        Table ``times``.
    schools
        Table ``schools``; open ones. A school is small with ``layout.small_school.max`` children or fewer whose nearest it is.
    standards
        That number and the limits.

    Returns
    -------
    pandas.DataFrame
        Table ``must_stay`` by school and year; ``next_minutes`` is empty where one of the children reaches no other school.
        Each school is judged with all others standing: two that stand in for each other are both left out, so schools not
        listed are not free to go together.

    References
    ----------
    国办发〔2018〕27号 二(四): 应留必留; a limit of half an hour for grades 1 to 3.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> pupils = pd.DataFrame({"settlement_id": ["A"], "year": [2026], "grade": [1], "pupils": [9.0]})
    >>> times = pd.DataFrame({"from_id": "A", "to_id": ["S1", "S2"], "mode": "walk", "band": "lower", "minutes": [28.0, 102.0], "minutes_back": 1.0})
    >>> must_stay(pupils, times, paper.schools, read_standards()).values.tolist()
    [['S1', 2026, 9, 102.0]]
    """
    return needed_alone(pupils, day_ways(times, schools, standards), standards)


def needed_alone(pupils: pd.DataFrame, ways: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Find the schools of :func:`must_stay` from ways that are known already.

    Parameters
    ----------
    pupils, standards
        As in :func:`must_stay`.
    ways
        From :func:`day_ways`.

    Returns
    -------
    pandas.DataFrame
        Table ``must_stay``.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> needed_alone(empty("pupils"), day_ways(empty("times"), paper.schools, read_standards()), read_standards()).empty
    True
    """
    needed = _dependents(pupils, ways, standards)
    if not len(needed):
        return empty("must_stay")
    groups = needed.groupby(["school_id", "year"], as_index=False, sort=True)
    out = groups.agg(pupils=("pupils", "sum"), next_minutes=("next_minutes", lambda m: m.max(skipna=False)))
    return check("must_stay", out)


def dependents(pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """List the children of grades 1 to 3 for whom one small school is the only one within the limit.

    Parameters
    ----------
    pupils, times, schools, standards
        As in :func:`must_stay`.

    Returns
    -------
    pandas.DataFrame
        school_id, year, settlement_id, grade, pupils, next_minutes (NaN where no other school can be reached).
    """
    return _dependents(pupils, day_ways(times, schools, standards), standards)


def day_ways(times: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """List the open schools that children of each settlement and grade reach by day, the nearest first.

    Parameters
    ----------
    times
        Table ``times``; walking and bus count.
    schools
        Table ``schools``; open ones, special schools left out.
    standards
        Limits.

    Returns
    -------
    pandas.DataFrame
        settlement_id, grade, school_id, mode, minutes, beyond (over the limit): within the limit first, then the quicker, ties to
        the lower school id. Settlements and grades without any such school have no row.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> times = pd.DataFrame({"from_id": "A", "to_id": ["S1", "S2"], "mode": "walk", "band": "upper", "minutes": [28.0, 27.0], "minutes_back": 1.0})
    >>> day_ways(times, paper.schools, read_standards())[["grade", "school_id"]].values.tolist()[:3]
    [[4, 'S2'], [4, 'S1'], [5, 'S2']]
    """
    there = schools[(schools["status"] == "open") & (schools["kind"] != "special")][["school_id", "first_grade", "last_grade"]]
    ways = ways_of(times[times["to_id"].isin(there["school_id"]) & times["mode"].isin(["walk", "bus"])], standards)
    ways = ways.merge(there, on="school_id")
    # the order is that of the band, so it is found once for its grades; ids as numbers sort many times as fast as texts
    place, school = (pd.factorize(ways[c], sort=True)[0] for c in ("settlement_id", "school_id"))
    ways = ways.assign(place=place).iloc[np.lexsort((school, ways["minutes"], ways["beyond"], place))]
    parts = [
        ways[(ways["band"] == band_of(g)) & (ways["first_grade"] <= g) & (ways["last_grade"] >= g)].assign(grade=g) for g in GRADES
    ]  # fmt: skip
    out = pd.concat(parts, ignore_index=True)
    out = out.iloc[np.argsort(out["place"].to_numpy(), kind="stable")]
    return out[["settlement_id", "grade", "school_id", "mode", "minutes", "beyond"]].reset_index(drop=True)


def _dependents(pupils: pd.DataFrame, ways: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    children = whole_children(pupils)
    home = children[children["attends"] == "home"][["settlement_id", "year", "grade", "pupils"]]
    rank = ways.groupby(["settlement_id", "grade"], sort=False).cumcount()
    nearest, second = ways[rank == 0], ways[rank == 1]
    second = second[["settlement_id", "grade", "minutes", "beyond"]].rename(columns={"minutes": "next_minutes", "beyond": "next_beyond"})
    home = home.merge(nearest, on=["settlement_id", "grade"])
    size = home.groupby(["school_id", "year"])["pupils"].sum()
    small = size[size <= standards["layout.small_school.max"]].index
    out = home[home["grade"].isin(BANDS["lower"]) & ~home["beyond"]].merge(second, on=["settlement_id", "grade"], how="left")
    out = out[pd.MultiIndex.from_frame(out[["school_id", "year"]]).isin(small) & (out["next_minutes"].isna() | out["next_beyond"].eq(True))]
    columns = ["school_id", "year", "settlement_id", "grade", "pupils", "next_minutes"]
    return out[columns].sort_values(columns[:4], kind="stable", ignore_index=True)
