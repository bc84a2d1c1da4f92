"""Shortages into proposals: where to open, expand, board and keep, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.buildings import record, search, site_loads, without_idle_beds
from layout.candidates import Candidates, candidate_sites
from layout.children import ways_of, whole_children
from layout.county import County
from layout.reasons import Served, reason_rows
from layout.siting import build, sites_of
from layout.standards import Standards
from layout.tables import BANDS, GRADES, band_of, check, empty

__all__ = ["Candidates", "apply_proposals", "candidate_sites", "must_stay", "propose"]

# branch-and-bound nodes of a level where the caller sets no limit: counted work, so the answer does not depend on the machine
_NODES = 2000


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


def propose(
    county: County,
    pupils: pd.DataFrame,
    times: pd.DataFrame,
    standards: Standards,
    *,
    years: Sequence[int],
    candidates: Candidates | None = None,
    must_stay: pd.DataFrame | None = None,
    gap: float = 0.01,
    work_limit: int | None = None,
    time_limit: float = 300,
    assign: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> gpd.GeoDataFrame:
    """Propose what to open, expand, equip with beds and keep, so that children have places within the limit at least cost.

    One mixed-integer programme over sites, roles, classes, rooms and beds. This version plans the last of ``years``. A closure
    is never proposed.

    Parameters
    ----------
    county
        Settlements, schools, townships and assumptions.
    pupils, times
        Tables of the data dictionary; ``times`` must reach the candidates too.
    standards
        Limits, class sizes, least pupils of new schools, bounds on rooms and beds, unit costs (unverified).
    years
        Plan years.
    candidates
        Sites that may be opened; None finds them.
    must_stay
        Table ``must_stay``; None finds them.
    gap
        Relative gap for excess minutes and money.
    work_limit
        Most branch-and-bound nodes of a level; None is 2000.
    time_limit
        Seconds for the search, a guard only.
    assign
        Gives the table ``assignment`` once proposals stand; reasons then quote its children and not the shares of the search, and
        new beds that none of them sleeps in are taken back, so that the cost may be below the level of money.

    Returns
    -------
    geopandas.GeoDataFrame
        Table ``proposals``. ``attrs["solve"]`` has levels (name, objective, bound, gap, status), columns, rows and what stopped
        the search. Bounds hold for the columns kept: for each village and run of grades the nearest sites by day (eight open
        and eight new within the limit, two and two beyond) and by boarding (four and four).

    Raises
    ------
    ValueError
        If no year is given or ``pupils`` lacks the last one.
    NoSolutionError
        If a limit ended the search before anything was found.

    References
    ----------
    Objective, in this order: (1) children without a place; (2) children beyond the limit, (3) their excess minutes; (4)
    children who board though an open school is within the limit; classes above the standard cannot occur, since whole classes
    must fit; (5) money: rooms x class size x floor area x unit cost, beds x floor area x unit cost (a common factor would make
    it yearly); for the buildings chosen (6) minutes, of a boarder a fifth of the weekly way, and (7) children who go elsewhere
    than to the nearest open school. The children of a village and band are shared out together, whatever their grade. Levels of
    children stop below one child of the bound. Constraints: :func:`layout.siting.build`. 义务教育法 第十五条、第十七条; 国办发〔2018〕27号.

    Examples
    --------
    >>> standards = layout.read_standards()
    >>> pupils = layout.project_pupils(paper, standards, years=[2026])
    >>> times = layout.county_times(paper, standards)
    >>> found = propose(paper, pupils, times, standards, years=[2026])
    >>> [level["name"] for level in found.attrs["solve"]["levels"]][:2]
    ['without_place', 'beyond_limit']
    """
    year = _last_year(pupils, years)
    found = candidates if candidates is not None else candidate_sites(county, pupils, standards)
    children = whole_children(pupils[pupils["year"] == year])
    if not children["attends"].isin(["home", "county_seat"]).any():
        return _empty(county)
    ways = ways_of(times, standards)
    model = build(children, ways, sites_of(county, found.sites, children, ways, standards), standards, year=year)
    if not len(model.demands):
        return _empty(county)
    built, settled, rows = search(model, standards, gap=gap, work_limit=_NODES if work_limit is None else work_limit, time_limit=time_limit)
    needed = dependents(pupils[pupils["year"] == year], times, county.schools, standards)
    if must_stay is not None:
        needed = needed[needed["school_id"].isin(must_stay.loc[must_stay["year"] == year, "school_id"])]
    served = Served(model, built.values, settled.values, site_loads(model, settled.values), year)
    proposals = reason_rows(county, found.sites, served, needed, standards)
    if assign is not None and len(proposals):
        assignment = assign(check("proposals", proposals))
        # the same children fit the beds that are left, so who goes where stands
        served = replace(served, built=without_idle_beds(model, built.values, _boarders(assignment, year)))
        proposals = reason_rows(county, found.sites, served, needed, standards, assignment=assignment)
    out = check("proposals", proposals) if len(proposals) else empty("proposals", county.crs)
    out.attrs["solve"] = record(model, rows, built, settled)
    return out  # type: ignore[return-value]


def apply_proposals(schools: pd.DataFrame, proposals: pd.DataFrame, *, years: Sequence[int]) -> pd.DataFrame:
    """Return the schools of each year with what the proposals build by then.

    Parameters
    ----------
    schools
        Table ``schools``: the open ones stand in every year.
    proposals
        Table ``proposals``; ``open`` brings a school from its year on, ``expand`` and ``add_boarding`` add rooms and beds.
        ``keep`` changes nothing.
    years
        Years to describe.

    Returns
    -------
    pandas.DataFrame
        Table ``school_years``.

    Raises
    ------
    ValueError
        If rooms or beds are to be added to a school that is not open.

    Examples
    --------
    >>> proposals = pd.DataFrame({"school_id": ["S1"], "year": 2030, "action": "expand", "rooms": 2, "beds": 0})
    >>> apply_proposals(paper.schools, proposals, years=[2026, 2030])[["school_id", "year", "rooms"]].values.tolist()
    [['S1', 2026, 6], ['S1', 2030, 8], ['S2', 2026, 9], ['S2', 2030, 9]]
    """
    columns = ["school_id", "first_grade", "last_grade", "rooms", "beds"]
    there = pd.DataFrame(schools.loc[schools["status"] == "open"]).reindex(columns=columns)
    there["beds"] = there["beds"].fillna(0)
    opened = proposals[proposals["action"] == "open"]
    added = proposals[proposals["action"].isin(["expand", "add_boarding"])]
    strange = sorted(set(added["school_id"]) - set(there["school_id"]))
    if strange:
        raise ValueError(f"rooms or beds for schools that are not open: {', '.join(strange)}")
    frames = []
    for year in sorted(set(years)):
        new = pd.DataFrame(opened[opened["year"] <= year]).reindex(columns=columns)
        table = pd.concat([there, new], ignore_index=True) if len(new) else there
        more = added[added["year"] <= year].groupby("school_id")[["rooms", "beds"]].sum()
        for column in ("rooms", "beds"):
            table = table.assign(**{column: table[column].astype("int64") + table["school_id"].map(more[column]).fillna(0).astype("int64")})
        frames.append(table.assign(year=year, status="open"))
    return check("school_years", pd.concat(frames, ignore_index=True)) if frames else empty("school_years")


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


def _boarders(assignment: pd.DataFrame, year: int) -> dict[str, int]:
    rows = assignment[(assignment["year"] == year) & (assignment["mode"] == "board")]
    return {str(school): int(n) for school, n in rows.groupby("school_id")["pupils"].sum().items()}


def _last_year(pupils: pd.DataFrame, years: Sequence[int]) -> int:
    if not len(years):
        raise ValueError("give at least one plan year")
    year = int(max(years))
    if not (pupils["year"] == year).any():
        raise ValueError(f"the pupils have no rows of {year}")
    return year


def _empty(county: County) -> gpd.GeoDataFrame:
    out = empty("proposals", county.crs)
    out.attrs["solve"] = {"levels": [], "columns": 0, "whole_columns": 0, "rows": 0, "stopped_by": "optimal"}
    return out  # type: ignore[return-value]
