"""One future after another: the children, sites and minutes of a scenario, and what a set of proposals does for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.candidates import Candidates, candidate_sites
from layout.catchment import assign
from layout.county import County
from layout.horizon import horizon_of
from layout.placement import apply_proposals, must_stay, propose
from layout.plan import county_times, opened_schools, seat_schools, times_today
from layout.population import project_pupils
from layout.regret import MEASURES
from layout.scenario import Scenario, check_scenario, supposed_aims, supposed_standards
from layout.standards import Standards
from layout.tables import band_of
from layout.viable import below_least, least_of

# a boarder goes once a week what a day pupil goes every day
_DAYS_A_WEEK = 5


@dataclass(frozen=True)
class Future:
    """What a scenario brings: its children in the plan years, the sites that may be opened, every minute, the schools that must stay."""

    county: County
    standards: Standards
    scenario: Scenario
    years: tuple[int, ...]
    pupils: pd.DataFrame
    candidates: Candidates
    times: pd.DataFrame
    must_stay: pd.DataFrame


def future_of(
    county: County, standards: Standards, scenario: Scenario | None, *, years: Sequence[int], more_sites: gpd.GeoDataFrame | None = None
) -> Future:
    """Work out the children and the minutes of a scenario.

    Parameters
    ----------
    county
        The county.
    standards
        Figures in force.
    scenario
        None for the plain one.
    years
        Plan years.
    more_sites
        Table ``candidates``: sites that minutes are wanted for too, so that plans made for other futures can be judged in this one.

    Returns
    -------
    Future
        Its candidates are those that the scenario itself gives reason for, in the base year or a plan year; schools that must stay are of these
        years too, as in :func:`layout.make_plan`.

    Examples
    --------
    >>> future = future_of(paper, layout.read_standards(), None, years=[2030])
    >>> future.years, len(future.candidates.sites) > 0
    ((2030,), True)
    """
    scenario = check_scenario(scenario)
    standards = supposed_standards(standards, scenario)
    # the plan years are the plan's own, whatever a scenario asks
    county = replace(county, aims=supposed_aims(county.aims, scenario, base_year=county.base_year))
    wanted = tuple(sorted({int(year) for year in years}))
    # a village that is populous today counts in a plan too, and so do the schools that must stay today
    every = project_pupils(county, standards, years=sorted({county.base_year, *wanted}), scenario=scenario)
    own = candidate_sites(county, every, standards, cover=False)
    sites = own.sites
    if more_sites is not None and len(more_sites):
        joined = pd.concat([own.sites, more_sites], ignore_index=True).drop_duplicates("school_id").sort_values("school_id", ignore_index=True)
        sites = gpd.GeoDataFrame(joined, geometry="geometry", crs=county.crs)
    times = county_times(county, standards, candidates=sites, scenario=scenario)
    now = times_today(times, county.schools)
    pupils = every[every["year"].isin(wanted)].reset_index(drop=True)
    return Future(
        county, standards, scenario, wanted, pupils, Candidates(sites, own.rejected), times, must_stay(every, now, county.schools, standards)
    )


def propose_for(
    future: Future, *, standards: Standards | None = None, sites: gpd.GeoDataFrame | None = None, gap: float = 0.03, work_limit: int | None = None,
    time_limit: float = 300,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Propose for one future, children placed as :func:`layout.make_plan` places them.

    Parameters
    ----------
    future
        From :func:`future_of`.
    standards
        Other figures than those of the future; None takes its own.
    sites
        Table ``candidates``: the only sites that may be opened; None: all of the future.
    gap, work_limit, time_limit
        As in :func:`layout.make_plan`, whose plan it is for the same county, scenario and years.

    Returns
    -------
    geopandas.GeoDataFrame
        Table ``proposals`` with ``attrs["solve"]``.

    Examples
    --------
    >>> future = future_of(paper, layout.read_standards(), None, years=[2026])
    >>> propose_for(future).equals(layout.make_plan(paper, years=[2026]).proposals)
    True
    """
    figures = future.standards if standards is None else standards
    candidates = future.candidates if sites is None else replace(future.candidates, sites=sites)
    reached = pd.concat([future.county.schools.loc[future.county.schools["status"] == "open", "school_id"], candidates.sites["school_id"]])
    times = future.times[future.times["to_id"].isin(reached)].reset_index(drop=True)
    judged = replace(future, standards=figures)
    aims = future.county.aims
    # of fewer sites only those that are among them must open
    asked = replace(aims, must_open=tuple(s for s in aims.must_open if sites is None or s in set(sites["school_id"])))
    county = replace(future.county, aims=asked)
    return propose(
        county, future.pupils, times, figures, years=future.years, candidates=candidates, must_stay=future.must_stay, gap=gap,
        work_limit=work_limit, time_limit=time_limit, assign=lambda built, expected: place(judged, built, expected=expected),
    )  # fmt: skip


def place(future: Future, proposals: pd.DataFrame, *, expected: pd.DataFrame | None = None) -> pd.DataFrame:
    """Send the children of a future to the schools that stand with some proposals.

    Parameters
    ----------
    future
        From :func:`future_of`.
    proposals
        Table ``proposals``.
    expected
        As in :func:`layout.assign`: children by school, year and grade whom another placing has there.

    Returns
    -------
    pandas.DataFrame
        Table ``assignment`` of the plan years.

    Examples
    --------
    >>> future = future_of(paper, layout.read_standards(), None, years=[2026])
    >>> rows = place(future, layout.tables.empty("proposals", paper.crs))
    >>> int(rows.pupils.sum()) == round(future.pupils.pupils.sum())
    True
    """
    county = future.county
    schools = opened_schools(county.schools, future.candidates.sites, proposals)
    standing = apply_proposals(county.schools, proposals, years=future.years)
    there = schools[schools["school_id"].isin(standing["school_id"])]
    seats = seat_schools(replace(county, schools=there.assign(status="open")))
    serving = future.times[future.times["to_id"].isin(standing["school_id"])].reset_index(drop=True)
    return assign(
        future.pupils, serving, schools, future.standards, school_years=standing, zones=county.zones, seat_schools=seats, expected=expected,
        least=least_of(standing, county.schools, future.standards),
    )  # fmt: skip


def measure(future: Future, proposals: pd.DataFrame) -> dict[str, float]:
    """Count what some proposals do for a future, over all school years of the horizon.

    Parameters
    ----------
    future
        From :func:`future_of`.
    proposals
        Table ``proposals``.

    Returns
    -------
    dict
        The measures of :data:`layout.regret.MEASURES`: children without a way or a bed, beyond the limit, minutes beyond it, children without a
        seat in a class at the standard, yuan that the proposals add, minutes one way (of a boarder a fifth). Children and minutes count
        once for each school year that a plan year speaks for; so does money, by ``yuan_a_year`` from the year of the proposal on. And
        ``too_small``: new schools that in some year have fewer children than ``layout.min_pupils`` asks of a school of their kind;
        ``children``: those of the first, second and fourth measure, each child once.

    Examples
    --------
    >>> future = future_of(paper, layout.read_standards(), None, years=[2026])
    >>> nothing = measure(future, layout.tables.empty("proposals", paper.crs))
    >>> nothing["cost_yuan"], list(nothing)[:2]
    (0.0, ['without_place', 'beyond_limit'])
    """
    rows = place(future, proposals)
    horizon = horizon_of(future.years, future.county.base_year, future.standards)
    weights: Mapping[int, int] = dict(zip(horizon.years, horizon.weights, strict=True))
    count = rows["pupils"].to_numpy(float) * rows["year"].map(weights).to_numpy(float)
    status, mode = rows["status"].astype("str").to_numpy(), rows["mode"].astype("str").to_numpy()
    minutes = rows["minutes"].fillna(0.0).to_numpy(float)
    late = status == "beyond_limit"
    limits = np.zeros(len(rows))
    limits[late] = [future.standards.limit(m, band_of(g)) for m, g in zip(mode[late], rows["grade"].to_numpy()[late], strict=True)]
    part = np.where(mode == "board", 1 / _DAYS_A_WEEK, 1.0)
    standing = apply_proposals(future.county.schools, proposals, years=future.years)
    below = below_least(rows, least_of(standing, future.county.schools, future.standards))
    money = [float(yuan) * sum(w for y, w in weights.items() if y >= since) for yuan, since in _yearly(proposals)]
    found = {
        "without_place": count[np.isin(status, ["no_route", "no_bed"])].sum(), "beyond_limit": count[late].sum(),
        "excess_minutes": (count * np.maximum(minutes - limits, 0.0))[late].sum(),
        "above_standard": sum(weights[year] * _above(levels) for year, levels in rows.attrs["gap"].items()),
        "cost_yuan": sum(money), "pupil_minutes": (count * minutes * part).sum(),
    }  # fmt: skip
    # a child may count on two levels, but is one child
    children = count[np.isin(status, ["no_route", "no_bed", "beyond_limit", "no_seat"])].sum()
    return {name: float(found[name]) for name in MEASURES} | {"too_small": float(below["school_id"].nunique()), "children": float(children)}


def _above(levels: Sequence[Mapping[str, object]]) -> float:
    # some of these are beyond their limit too, and told so
    return float(sum(level["objective"] for level in levels if level["name"] == "above_standard"))  # type: ignore[misc]


def _yearly(proposals: pd.DataFrame) -> list[tuple[float, int]]:
    table = proposals[proposals["yuan_a_year"].notna()]
    return list(zip(table["yuan_a_year"].astype(float), table["year"].astype(int), strict=True))
