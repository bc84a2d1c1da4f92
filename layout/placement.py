"""Shortages into proposals: where to open, expand, board and keep, in which year, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.buildings import Search, record, search
from layout.built import Built, without_idle_beds
from layout.candidates import Candidates, candidate_sites
from layout.children import ways_of, whole_children
from layout.county import County
from layout.gates import Fading, fading_schools, merger_gates, nearest_homes
from layout.hindrances import NoPlanError, asked_too_much, left_out
from layout.horizon import horizon_of
from layout.marginal import last_child
from layout.memory import give_back
from layout.programme import Model, grade_sums
from layout.reasons import Served, reason_rows
from layout.siting import journeys_of, sites_of
from layout.solver import InfeasibleError
from layout.standards import Standards
from layout.staying import day_ways, dependents, must_stay, needed_alone
from layout.tables import GRADES, check, empty
from layout.whereabouts import whereabouts

__all__ = ["Candidates", "apply_proposals", "candidate_sites", "day_ways", "dependents", "must_stay", "needed_alone", "propose"]

# branch-and-bound nodes of a level where the caller sets no limit: counted work, so the answer does not depend on the machine
_NODES = 2000


def propose(
    county: County,
    pupils: pd.DataFrame,
    times: pd.DataFrame,
    standards: Standards,
    *,
    years: Sequence[int],
    candidates: Candidates | None = None,
    must_stay: pd.DataFrame | None = None,
    budget: Mapping[int, float] | None = None,
    gap: float = 0.01,
    work_limit: int | None = None,
    time_limit: float = 300,
    assign: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame] | None = None,
) -> gpd.GeoDataFrame:
    """Propose what to open, expand, equip with beds, keep and look at, and when, so that children have places within the limit at least cost.

    One mixed-integer programme over sites, parts of schools, rooms, beds and all plan years. A closure is never proposed: a school
    whose pupils fade is kept, or looked at with the gates of a merger.

    Parameters
    ----------
    county
        Settlements, schools, townships and assumptions; plans are made in its base year.
    pupils, times
        Tables of the data dictionary; ``times`` must reach the candidates too.
    standards
        Limits, class sizes, least pupils of new schools, bounds on rooms and beds, lead years, unit costs (unverified).
    years
        Plan years. Each speaks for the school years up to the next one, and these count.
    candidates
        Sites that may be opened; None finds them.
    must_stay
        Table ``must_stay``; None finds them.
    budget
        Most that a plan year may invest, in yuan; a year left out: no bound; None: what the county asks (``county.aims``), which also
        says which sites must open and how many new schools may.
    gap
        Relative gap for money, in small and in very large counties for excess minutes too; 0 asks for proof on every level.
    work_limit
        Most branch-and-bound nodes of a level; None is 2000.
    time_limit
        Seconds for each search, a guard only.
    assign
        Gives the table ``assignment`` once proposals stand, from these and from the children (school_id, year, grade, pupils) whom the
        search has at each school, as :func:`layout.assign` takes them (``expected``). Reasons then quote its children and not the shares of
        the search, and new beds that none of them sleeps in are taken back, so that the cost may be below the level of money.

    Returns
    -------
    geopandas.GeoDataFrame
        Table ``proposals``: rooms and beds of a row are those added in that year. ``attrs["solve"]`` has levels (name, objective,
        bound, gap, status) summed over the school years, their values by plan year, what the last child costs on each level, from when
        new schools, rooms and beds can serve, columns, rows and what stopped the search; ``attrs["merger_gates"]`` the rows of the
        table ``merger_gates``. Bounds hold for the columns kept, :func:`layout.siting.journeys_of`, among plans that are as good on the
        levels before. In larger counties the search has parts of classes at schools of today, the plan whole ones; the bounds of seats and money
        are then raised by :mod:`layout.early_years` and :mod:`layout.few_schools`.

    Raises
    ------
    ValueError
        If no year is given or ``pupils`` lacks one.
    NoPlanError
        If what the county asks contradicts itself or cannot be had; each cause is named.
    NoSolutionError
        If a limit ended the search before anything was found.

    References
    ----------
    Objective, over all school years, in this order: (1) children without a place; (2) children beyond the limit, then their
    excess minutes; (3) children for whom the classes at the year's standard have no seat; (4) money: rooms, beds and sites written
    off over their life (capital recovery), staff of small schools' classes, running money up to the pupils of
    ``fund.small_floor``, bus seats, boarders' extra money; for the buildings chosen (5) minutes, of a boarder a fifth of the weekly
    way, and (6) children who go elsewhere than to the nearest school of today. Children of a settlement, band and year are shared
    out together, whatever their grade; what exists or every child costs is not counted. Levels of children stop below one child-year
    of the bound. Constraints: (a) shares of a demand, and its share without a place, add up to 1; (b) a share only where a part that
    teaches its grades is open, boarders and children of the county seat only at full parts, and beyond the limit nobody who has a
    school of today within it that cannot be full; (c) open stays open, built stays; (d) a small part excludes full ones, its upper
    grades need its lower ones; (e) children of a grade <= classes x the year's standard + those above it, grades together <= a mixed
    class, none where there is a room for each grade; (f) classes <= rooms, each grade of a new school in a class; (g) least pupils of
    each new part in every year, largest sizes; (h) boarders <= beds, never of grades 1-3, of grades 4-6 not where a school of today is
    within the limit by day; (i) nothing new before its lead years; (j) investment of a year <= its budget; (k) what the county says
    must open is open in the last plan year, and at most as many new schools as it allows.
    义务教育法 第十五条、第十七条; 国办发〔2018〕27号; 国办发〔2012〕48号.

    Examples
    --------
    >>> standards = layout.read_standards()
    >>> pupils = layout.project_pupils(paper, standards, years=[2026])
    >>> times = layout.county_times(paper, standards)
    >>> found = propose(paper, pupils, times, standards, years=[2026])
    >>> [level["name"] for level in found.attrs["solve"]["levels"]][:2]
    ['without_place', 'beyond_limit']
    """
    horizon = horizon_of(years, county.base_year, standards)
    missing = [year for year in horizon.years if not (pupils["year"] == year).any()]
    if missing:
        raise ValueError(f"the pupils have no rows of {missing[-1]}")
    chosen = pupils[pupils["year"].isin(horizon.years)]
    found = candidates if candidates is not None else candidate_sites(county, chosen, standards)
    children = whole_children(chosen)
    if not children["attends"].isin(["home", "county_seat"]).any():
        return _empty(county)
    every_site = sites_of(county, found.sites, horizon, standards)
    # the ways of all pairs are the largest table there is, and nobody needs them afterwards
    journeys, sites = journeys_of(children, ways_of(times, standards), every_site, horizon, standards)
    give_back()
    spend = {y: m for y, m in (county.aims.budget if budget is None else budget).items() if y in horizon.years}
    must = tuple(k for k, s in enumerate(sites) if not s.existing and s.school_id in county.aims.must_open)
    model = Model(journeys, sites, horizon, standards, spend, must=must, most=county.aims.most_open)
    causes = asked_too_much(county.aims, county.schools, found, every_site, model)
    if causes:
        raise NoPlanError(causes)
    try:
        answer = search(model, gap=gap, work_limit=_NODES if work_limit is None else work_limit, time_limit=time_limit)
    except InfeasibleError as error:
        causes = left_out(model, time_limit=time_limit)
        raise (NoPlanError(causes) if causes else error) from error
    open_ways = day_ways(times, county.schools, standards)
    needed = dependents(chosen, times, county.schools, standards)
    if must_stay is not None:
        pairs = pd.MultiIndex.from_frame(must_stay[["school_id", "year"]])
        needed = needed[pd.MultiIndex.from_frame(needed[["school_id", "year"]]).isin(pairs)]
    stays = frozenset(needed["school_id"]) | frozenset(county.aims.must_keep)
    homes = nearest_homes(model, children, open_ways)
    served = Served(model, answer.built, whereabouts(model, answer.built))
    proposals, fading = _written(county, found, served, needed, homes, open_ways, stays, standards)
    if assign is not None and len(proposals):
        assignment = assign(check("proposals", proposals), _expected(model, answer.built))
        # the same children fit the beds that are left, so who goes where stands
        built = without_idle_beds(model, answer.built, _boarders(assignment))
        served = Served(model, built, whereabouts(model, built, assignment))
        proposals, fading = _written(county, found, served, needed, homes, open_ways, stays, standards)
    out = check("proposals", proposals) if len(proposals) else empty("proposals", county.crs)
    out.attrs["solve"] = _recorded(model, answer)
    out.attrs["merger_gates"] = merger_gates(model, served.built, fading).to_dict("records")
    return out  # type: ignore[return-value]


def apply_proposals(schools: pd.DataFrame, proposals: pd.DataFrame, *, years: Sequence[int]) -> pd.DataFrame:
    """Return the schools of each year with what the proposals build by then.

    Parameters
    ----------
    schools
        Table ``schools``: the open ones stand in every year.
    proposals
        Table ``proposals``; ``open`` and ``reopen`` bring a school from their year on, ``expand`` and ``add_boarding`` add rooms and
        beds, ``change_grades`` sets kind and grades and adds rooms and beds. The others change nothing until people decide.
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
    columns = ["school_id", "first_grade", "last_grade", "rooms", "beds", "kind"]
    there = pd.DataFrame(schools.loc[schools["status"] == "open"]).reindex(columns=columns)
    there["beds"] = there["beds"].fillna(0)
    opened = proposals[proposals["action"].isin(["open", "reopen"])].rename(columns={"role": "kind"})
    changed = proposals[proposals["action"] == "change_grades"].rename(columns={"role": "kind"}).sort_values("year")
    added = proposals[proposals["action"].isin(["expand", "add_boarding", "change_grades"])]
    strange = sorted(set(added["school_id"]) - set(there["school_id"]) - set(opened["school_id"]))
    if strange:
        raise ValueError(f"rooms or beds for schools that are not open: {', '.join(strange)}")
    frames = []
    for year in sorted(set(years)):
        new = pd.DataFrame(opened[opened["year"] <= year]).reindex(columns=columns)
        table = pd.concat([there, new], ignore_index=True) if len(new) else there
        more = added[added["year"] <= year].groupby("school_id")[["rooms", "beds"]].sum()
        for column in ("rooms", "beds"):
            table = table.assign(**{column: table[column].astype("int64") + table["school_id"].map(more[column]).fillna(0).astype("int64")})
        last = changed[changed["year"] <= year].drop_duplicates("school_id", keep="last").set_index("school_id")
        for column in ("first_grade", "last_grade", "kind") if len(last) else ():
            table = table.assign(**{column: table["school_id"].map(last[column]).fillna(table[column])})
        frames.append(table.assign(year=year, status="open"))
    return check("school_years", pd.concat(frames, ignore_index=True)) if frames else empty("school_years")


def _written(
    county: County, candidates: Candidates, served: Served, needed: pd.DataFrame, homes: pd.DataFrame, ways: pd.DataFrame,
    stays: frozenset[str], standards: Standards,
) -> tuple[gpd.GeoDataFrame, list[Fading]]:  # fmt: skip
    within = ways[~ways["beyond"]]
    fading = fading_schools(served.model, served.people, homes, within, stays)
    return reason_rows(county, candidates.sites, served, needed, fading, standards), fading


def _recorded(model: Model, answer: Search) -> dict[str, object]:
    opened = sorted({k for (k, _), parts in answer.built.parts.items() if parts})
    horizon = model.horizon
    return {
        **record(model, answer), "last_child": last_child(model, answer.built, opened),
        "first_year": {"schools": horizon.schools, "rooms": horizon.rooms, "beds": horizon.beds},
    }  # fmt: skip


def _expected(model: Model, built: Built) -> pd.DataFrame:
    """Return the children of each school, plan year and grade in the shares of the search."""
    loads = grade_sums(model, built.shares)
    site, at, grade = np.nonzero(loads > 0)
    return pd.DataFrame({
        "school_id": [model.sites[k].school_id for k in site], "year": np.array(model.horizon.years, int)[at],
        "grade": np.array(GRADES, int)[grade], "pupils": loads[site, at, grade],
    })  # fmt: skip


def _boarders(assignment: pd.DataFrame) -> dict[tuple[str, int], int]:
    rows = assignment[assignment["mode"] == "board"]
    counts = rows.groupby(["school_id", "year"], observed=True)["pupils"].sum().reset_index()
    return {(str(row["school_id"]), int(row["year"])): int(row["pupils"]) for row in counts.to_dict("records")}


def _empty(county: County) -> gpd.GeoDataFrame:
    out = empty("proposals", county.crs)
    out.attrs["solve"] = {"levels": [], "columns": 0, "whole_columns": 0, "rows": 0, "stopped_by": "optimal"}
    out.attrs["merger_gates"] = []
    return out  # type: ignore[return-value]
