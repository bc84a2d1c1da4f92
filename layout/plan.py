"""The straight line: county to pupils, minutes, catchments, classes, proposals, and once more with the proposals."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import platform
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.buses import bus_services
from layout.catchment import assign, headline
from layout.choice import enrolled_pupils
from layout.class_size import class_sizes
from layout.county import County, export_crs
from layout.draws import PupilDraws, draw_pupils, split_ranges
from layout.equity import time_distribution
from layout.findings import TABLES as FINDINGS
from layout.findings import Findings, View, find
from layout.forecast import forecast_notes, forecast_pupils, school_forecast
from layout.glance import in_a_line, in_a_table, on_a_map
from layout.hindrances import Cause, NoPlanError, limits_below_any_way, too_large, too_small, unserved_causes
from layout.in_reach import mid_stage_moves
from layout.map_files import written
from layout.network import Network, prepare_network
from layout.placement import apply_proposals, candidate_sites, must_stay, propose
from layout.plausibility import population_notes
from layout.population import project_people, project_pupils
from layout.relocation import site_notes, site_pupils
from layout.road_edits import edits_of
from layout.roads import empty_roads
from layout.scenario import Scenario, check_scenario, scenario_notes, supposed_aims, supposed_standards
from layout.school_changes import changed_schools, changed_standards, changes_note, new_sites, read_changes
from layout.search import Joined, join_places
from layout.sensitivity import sensitivity, walking_speeds
from layout.sheets import SHEETS
from layout.standards import Standards, read_standards
from layout.tables import BANDS, CountyDataError, Problem, check, empty, schemas
from layout.terrain import Terrain
from layout.travel import travel_times, unjoined
from layout.viable import least_of

if TYPE_CHECKING:
    import folium

FORMAT = 1
# end of the near term (近期) of a layout plan
_NEAR_TERM = 2030
# the last plan year where none is asked for
_LAST_YEAR = 2035
STATUSES = ("served", "beyond_limit", "no_seat", "no_bed", "no_route", "away")
# tables of the plan itself, beside those of the county and of the two outcomes
PLAN_TABLES = (
    "pupils",
    "forecast",
    "site_pupils",
    "candidates",
    "rejected",
    "must_stay",
    "proposals",
    "merger_gates",
    "mid_stage_moves",
    "alternatives",
    "alternative_proposals",
    "frontier",
    "evaluations",
    "regrets",
    "plan_regrets",
    "common_proposals",
    "future_proposals",
    "summary",
    "sensitivity",
    "bus_services",
    "time_distribution",
)
OUTCOME_TABLES = ("school_years", "times", "assignment", "classes", "headline")
_PACKAGES = ("layout", "numpy", "pandas", "scipy", "geopandas", "shapely", "pyproj", "highspy", "rasterio", "osmium", "folium")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What a set of schools does for the children of some years.

    Parameters
    ----------
    view
        ``today`` (today's schools in every year, nobody in reach refused) or ``planned`` (with the proposals).
    school_years, times, assignment, classes, headline
        Tables of the data dictionary; ``school_years`` is empty in the view ``today``.
    """

    view: str
    school_years: pd.DataFrame
    times: pd.DataFrame
    assignment: pd.DataFrame
    classes: pd.DataFrame
    headline: pd.DataFrame


@dataclass(frozen=True, repr=False)
class Plan:
    """A county's plan: what was read, what comes, what is proposed, and what it rests on.

    Parameters
    ----------
    county, standards
        What the plan was made from.
    years
        Base year and plan years.
    scenario
        What was supposed beyond the data.
    pupils, forecast, site_pupils, candidates, rejected, must_stay, proposals, merger_gates, summary, sensitivity, bus_services, time_distribution
        Tables of the data dictionary; ``forecast`` has every year up to the last, ``bus_services`` the base year today and the
        others with the proposals.
    mid_stage_moves
        Children whom the plan sends to another school in the middle of a stage, from today's schools in the base year on.
    alternatives, alternative_proposals, frontier
        Other plans; empty until :func:`layout.with_alternatives` adds them.
    evaluations, regrets, plan_regrets, common_proposals, future_proposals
        The plan in other futures; empty until :func:`layout.with_futures` adds them.
    findings
        What follows from it all: schools in reach, classes by target, needs, remedies, small schools, sites, the base year.
    schools
        Table ``schools`` with the sites that the plan opens added, their kind, grades and rooms as opened.
    today, planned
        All years under today's schools, and the plan years with the proposals.
    manifest
        Inputs, versions, seeds, solver levels with bounds and status: what a reader needs to run it again.
    """

    county: County
    standards: Standards
    years: tuple[int, ...]
    pupils: pd.DataFrame
    schools: gpd.GeoDataFrame
    candidates: gpd.GeoDataFrame
    rejected: gpd.GeoDataFrame
    must_stay: pd.DataFrame
    proposals: gpd.GeoDataFrame
    today: Outcome
    planned: Outcome
    summary: pd.DataFrame
    manifest: Mapping[str, object]
    scenario: Scenario = field(default_factory=Scenario)
    forecast: pd.DataFrame = field(default_factory=lambda: empty("forecast"))
    site_pupils: pd.DataFrame = field(default_factory=lambda: empty("site_pupils"))
    sensitivity: pd.DataFrame = field(default_factory=lambda: empty("sensitivity"))
    merger_gates: pd.DataFrame = field(default_factory=lambda: empty("merger_gates"))
    mid_stage_moves: pd.DataFrame = field(default_factory=lambda: empty("mid_stage_moves"))
    alternatives: pd.DataFrame = field(default_factory=lambda: empty("alternatives"))
    alternative_proposals: pd.DataFrame = field(default_factory=lambda: empty("alternative_proposals"))
    frontier: pd.DataFrame = field(default_factory=lambda: empty("frontier"))
    evaluations: pd.DataFrame = field(default_factory=lambda: empty("evaluations"))
    regrets: pd.DataFrame = field(default_factory=lambda: empty("regrets"))
    plan_regrets: pd.DataFrame = field(default_factory=lambda: empty("plan_regrets"))
    common_proposals: pd.DataFrame = field(default_factory=lambda: empty("common_proposals"))
    future_proposals: pd.DataFrame = field(default_factory=lambda: empty("future_proposals"))
    bus_services: pd.DataFrame = field(default_factory=lambda: empty("bus_services"))
    time_distribution: pd.DataFrame = field(default_factory=lambda: empty("time_distribution"))
    findings: Findings = field(default_factory=Findings)

    def __repr__(self) -> str:
        """Say in a line what it is."""
        return in_a_line(self, self._facts())

    def _repr_html_(self) -> str:
        """Show its tables with their rows."""
        return in_a_table(self, self._facts()) + in_a_table(self.findings, "")

    def explore(self, *, lang: str = "zh", audience: str = "internal") -> folium.Map:
        """Show its meeting map in a notebook.

        Parameters
        ----------
        lang, audience
            As in :func:`layout.draw_map`.

        Returns
        -------
        folium.Map
            Needs no network: the page holds what it shows and has no tiles. Tiles of 天地图 below it, which do need one and a key, are an
            option of :func:`layout.draw_map`.

        Examples
        --------
        >>> type(make_plan(paper, to=2026).explore(lang="en")).__name__
        'Map'
        """
        return on_a_map(self, "maps", "draw_map", lang=lang, audience=audience)

    def _facts(self) -> str:
        return f"{self.county.name} {', '.join(map(str, self.years))}"

    def save(self, folder: str | Path) -> None:
        """Write ``plan.gpkg`` (every table) and ``manifest.json`` into a folder; see :func:`read_plan`."""
        _save(self, Path(folder))


def make_plan(
    county: County,
    standards: Standards | None = None,
    *,
    to: int | None = None,
    years: Sequence[int] | None = None,
    scenario: Scenario | None = None,
    draws: int = 0,
    seed: int = 0,
    cover: bool = False,
    gap: float = 0.03,
    work_limit: int | None = None,
    time_limit: float = 300,
    progress: Progress | None = None,
) -> Plan:
    """Plan a county: pupils, minutes, catchments, classes, proposals, and the same two steps with the proposals.

    Parameters
    ----------
    county
        From :func:`layout.read_county`, :func:`layout.make_sample_county` or :func:`layout.open_county`.
    standards
        Figures in force; None reads the standards and the county's own file.
    to
        The last plan year: the school year that starts in it. The others are the year after the base year and 2030, where they are
        earlier. None: the plan years that the county asks for (``county.aims``), else 2035.
    years
        Plan years instead of these.
    scenario
        What is supposed beyond the data; None: residents, shares of attendance as they are, middle path. With school changes (what
        a meeting tried on the map) the planned view has just those schools, and nothing is searched for.
    draws, seed
        Draws behind the ranges of the pupils; none without draws.
    cover
        Whether sites are also looked for where they would serve most children without a school within the limit; the search takes several
        times as long then.
    gap, work_limit, time_limit
        Where the search for proposals may stop, as in :func:`layout.propose`.
    progress
        Called with the stage, the steps done and their number.

    Returns
    -------
    Plan
        Every table that outputs show. assigned + unserved + away = total in every year.

    Raises
    ------
    CountyDataError
        If the county's tables contradict each other in ways that only a stage can see, such as a move larger than its village.
    NoPlanError
        If what the county asks cannot be had, or it wants no plan that leaves children without a place; each cause is named.
    ValueError
        If a plan year is not after the base year.

    Examples
    --------
    >>> plan = make_plan(paper, to=2026)
    >>> plan.years, plan.summary.view.tolist()
    ((2025, 2026), ['planned', 'today', 'today'])
    """
    scenario = check_scenario(scenario)
    standards = supposed_standards(read_standards(county.standards_path) if standards is None else standards, scenario)
    county = replace(county, aims=supposed_aims(county.aims, scenario, base_year=county.base_year))
    asked = county.aims.years or None if years is None and to is None else years
    planned_years = plan_years(county.base_year, to or _LAST_YEAR) if asked is None else tuple(sorted({int(year) for year in asked}))
    if not planned_years or planned_years[0] <= county.base_year:
        raise ValueError(f"give plan years after the base year {county.base_year}, not {planned_years if years is not None else to}")
    all_years = (county.base_year, *planned_years)
    step = _steps(progress)
    step("pupils")
    changes = read_changes(scenario.school_changes, county) if scenario.school_changes else None
    standards = standards if changes is None else changed_standards(standards, changes)
    every_year = range(county.base_year, max(all_years) + 1)
    every_pupil = project_pupils(county, standards, years=every_year, scenario=scenario)
    pupils = every_pupil[every_pupil["year"].isin(all_years)].reset_index(drop=True)
    drawn = draw_pupils(county, standards, years=every_year, draws=draws, seed=seed, scenario=scenario) if draws else None
    if drawn is not None:
        pupils = split_ranges(pupils, drawn)
    course = forecast_pupils(county, standards, years=every_year, scenario=scenario, draws=drawn, pupils=every_pupil)
    people = project_people(county, standards, years=all_years, scenario=scenario)
    if set(pupils["year"]) != set(all_years):
        raise CountyDataError([Problem("nobody_of_school_age", sheet=schemas()["population"].zh)])
    # what the projection assumed belongs beside what the door left unread
    notes = (
        *scenario_notes(scenario),
        *(() if changes is None else (changes_note(changes, county.schools),)),
        *plan_notes(county, standards, scenario),
        *forecast_notes(every_pupil, course, drawn),
        *_against_the_roll(county, pupils),
        *_budgets_of_other_years(county, planned_years),
    )
    sites_checked = site_pupils(county, standards, people, pupils)
    county = replace(county, notes=(*county.notes, *notes, *site_notes(sites_checked)))
    step("candidates")
    sites = candidate_sites(county, pupils, standards, cover=cover)
    # the schools of the planned view before anything is proposed: today's, or those that a meeting tried
    before = county
    if changes is not None:
        before = replace(county, schools=changed_schools(county.schools, county.settlements, changes))
        tried = new_sites(changes, county.crs, county.settlements)
        others = sites.sites[~sites.sites["school_id"].isin(tried["school_id"])]
        sites = replace(sites, sites=check("candidates", pd.concat([others, tried], ignore_index=True)))  # type: ignore[arg-type]
    step("minutes")
    roads = _county_roads(county, standards, scenario, sites.sites)
    times = _all_times(roads, standards)
    seats = seat_schools(county)
    step("today")
    now = times_today(times, county.schools)
    assignment = assign(pupils, now, county.schools, standards, zones=county.zones, seat_schools=seats)
    # classes of the years in which nothing is done: families go on choosing as the rosters show
    enrolled = enrolled_pupils(every_pupil, now, county.schools, county.rosters, standards, seat_schools=seats)
    if not len(enrolled):
        enrolled = assign(every_pupil, now, county.schools, standards, zones=county.zones, seat_schools=seats)
    classes = class_sizes(enrolled, county.schools, county.rosters, standards, base_year=county.base_year)
    today = Outcome(
        "today", empty("school_years"), now, assignment, classes[classes["year"].isin(all_years)].reset_index(drop=True),
        headline(assignment, county.settlements, view="today"),
    )  # fmt: skip
    stay = must_stay(pupils, now, county.schools, standards)
    step("propose")
    in_plan = pupils[pupils["year"].isin(planned_years)].reset_index(drop=True)

    stood: list[_Standing] = []

    def settle(built: pd.DataFrame, expected: pd.DataFrame | None = None) -> pd.DataFrame:
        stood.append(_standing(before, sites.sites, built, times, in_plan, standards, planned_years, expected))
        return stood[-1].assignment

    if changes is None:
        proposals = propose(
            county, pupils, times, standards, years=planned_years, candidates=sites, must_stay=stay, gap=gap, work_limit=work_limit,
            time_limit=time_limit, assign=settle,
        )  # fmt: skip
    else:
        # what a meeting tried is judged as it is
        proposals = empty("proposals", county.crs)  # type: ignore[assignment]
    step("planned")
    if not stood:  # nothing is proposed: today's schools under the rules of a plan
        settle(proposals)
    # beds that nobody uses are taken back after the children are placed, so the schools are those of the proposals returned
    standing = replace(stood[-1], school_years=apply_proposals(before.schools, proposals, years=planned_years))
    schools, planned = standing.schools, _judged("planned", county, standing, standards)
    refused = unserved(planned, county) + limits_below_any_way(times, standards)
    if refused and county.aims.unserved == "refuse":
        raise NoPlanError(refused)
    # today's schools in the base year, those of the plan in the plan year
    sent = [assignment[assignment["year"] == county.base_year], standing.assignment]
    teaching = _teaching(county, standing.school_years, all_years)
    there = _sites_of(county, sites.sites)
    there = there[there["school_id"].isin(teaching["school_id"])]
    joined, services = join_places(roads.homes.network, there), set(roads.by_bus.ids)
    rides = {"today": services & set(now.loc[now["mode"] == "bus", "to_id"]) if scenario.buses == "any" else services, "planned": services}
    views = [(view, teaching[teaching["view"] == view]) for view in rides] if scenario.buses == "any" else [("planned", teaching)]
    cases = check("sensitivity", pd.concat([
        sensitivity(pupils, roads.homes, joined, part, standards, bus_schools=sorted(rides[view]), kph=roads.kph) for view, part in views
    ], ignore_index=True))  # fmt: skip
    course = check("forecast", pd.concat([course, *(school_forecast(a, standards, draws=drawn, whole_county=True) for a in sent)], ignore_index=True))
    findings = find(
        county, pupils, View("today", now, county.schools, assignment, classes),
        View("planned", planned.times, _as_open(schools), planned.assignment, planned.classes, planned.school_years),
        enrolled, standards, years=all_years, stay=stay, site_pupils=sites_checked, seat_schools=seats, draws=drawn,
        between=_between(roads.homes.network, there, standards),
    )  # fmt: skip
    return Plan(
        county=county, standards=standards, years=all_years, scenario=scenario, findings=findings,
        pupils=pupils, forecast=course, site_pupils=sites_checked,
        schools=schools, candidates=sites.sites, rejected=sites.rejected,
        must_stay=stay, proposals=proposals, merger_gates=_gates(proposals),
        mid_stage_moves=mid_stage_moves(pd.concat(sent, ignore_index=True), _as_open(schools)),
        today=today, planned=planned, summary=_summary((today, planned)),
        sensitivity=cases, bus_services=bus_services(pd.concat(sent, ignore_index=True), standards, schools=county.schools),
        time_distribution=check("time_distribution", pd.concat([
            time_distribution(o.assignment, view=o.view) for o in (today, planned)], ignore_index=True)),
        manifest=_manifest(county, standards, all_years, proposals.attrs.get("solve", {}), (today, planned), scenario, drawn),
    )  # fmt: skip


def plan_years(base_year: int, to: int) -> tuple[int, ...]:
    """Return the plan years of a plan that nobody gave years for: the first one, the ends of five-year plans, the last one.

    An end counts when a school decided on now can stand by then; 2030, the end of the near term, counts always.

    Parameters
    ----------
    base_year
        Base year of the county.
    to
        Last plan year.

    Returns
    -------
    tuple of int
        Rising years; none where ``to`` is not after the base year.

    Examples
    --------
    >>> plan_years(2025, 2035), plan_years(2025, 2028)
    ((2026, 2030, 2035), (2026, 2028))
    >>> plan_years(2020, 2030)
    (2021, 2025, 2030)
    """
    ends = [year for year in range(base_year + 3, to) if year % 5 == 0]
    return tuple(sorted({year for year in (base_year + 1, _NEAR_TERM, *ends, to) if base_year < year <= to}))


def times_today(times: pd.DataFrame, schools: pd.DataFrame) -> pd.DataFrame:
    """Return the ways to the schools of today: a bus service that a plan may start is not there yet.

    Parameters
    ----------
    times
        Table ``times`` in minutes, of :func:`county_times`.
    schools
        Table ``schools``.

    Returns
    -------
    pandas.DataFrame
        Its rows to open schools, those by bus where a service exists.

    Examples
    --------
    >>> times = pd.DataFrame({"to_id": ["S1", "S1", "C-E"], "mode": ["walk", "bus", "walk"], "minutes": [5.0, 2.0, 9.0]})
    >>> times_today(times, paper.schools)["mode"].tolist()
    ['walk']
    """
    there = schools[schools["status"] == "open"]
    starts = (times["mode"] == "bus") & ~times["to_id"].isin(there.loc[there["school_bus"], "school_id"])
    return times[times["to_id"].isin(there["school_id"]) & ~starts].reset_index(drop=True)


def wrong_size_schools(plan: Plan) -> list[Cause]:
    """Name the new schools of a plan that have fewer children than a new school of their kind must have, and schools with more than the largest size.

    Parameters
    ----------
    plan
        A plan.

    Returns
    -------
    list
        Causes for :func:`layout.hindrances.cause_words`, by school and year.

    Examples
    --------
    >>> wrong_size_schools(make_plan(paper, to=2026))
    []
    """
    names = dict(zip(plan.schools["school_id"].astype(str), plan.schools["name"].astype(str), strict=True))
    given = (plan.planned.assignment, plan.planned.school_years, plan.county.schools, names, plan.standards)
    return [*too_small(*given), *too_large(*given)]


def unserved(planned: Outcome, county: County) -> list[Cause]:
    """Say who has no place in a plan, or no seat at the class-size standard: by year and reason, with the settlements.

    Parameters
    ----------
    planned
        View ``planned`` of a plan.
    county
        Names of the settlements.

    Returns
    -------
    list
        Causes for :func:`layout.hindrances.cause_words`; empty where everybody has a seat.

    Examples
    --------
    >>> unserved(make_plan(paper, to=2026).planned, paper)
    []
    """
    names = dict(zip(county.settlements["settlement_id"].astype(str), county.settlements["name"].astype(str), strict=True))
    return unserved_causes(planned.assignment, names)


def county_times(
    county: County, standards: Standards, *, candidates: gpd.GeoDataFrame | None = None, scenario: Scenario | None = None
) -> pd.DataFrame:
    """Compute every minute that a plan needs: on foot to every site, by bus where one runs, and the boarder's week.

    Parameters
    ----------
    county
        Its settlements, open schools, roads, terrain and obstacles. Without roads only a short walk across open ground is a
        way.
    standards
        Speeds and limits.
    candidates
        Table ``candidates``; None for the open schools alone.
    scenario
        Season, walking speed, buses and edits of the roads; None for the plain one.

    Returns
    -------
    pandas.DataFrame
        Table ``times``; pairs that cannot be reached have no row.

    Raises
    ------
    CountyDataError
        If the edits of the roads cannot be read or fit no road.

    Examples
    --------
    >>> times = county_times(paper, read_standards())
    >>> times[(times.from_id == "A") & (times.to_id == "S1") & (times["mode"] == "walk")].minutes.round(2).tolist()
    [22.73, 27.78, 25.0]
    """
    return _all_times(_county_roads(county, standards, check_scenario(scenario), candidates), standards)


def plan_notes(county: County, standards: Standards, scenario: Scenario | None = None) -> tuple[tuple[str, Mapping[str, object]], ...]:
    """Say what a plan of this county will have to assume or leave out: about its people, and places far from any road.

    Parameters
    ----------
    county, standards, scenario
        What a plan would be made from.

    Returns
    -------
    tuple
        Message keys with their fields, in the form of ``County.notes``.

    Raises
    ------
    CountyDataError
        If the people cannot be projected, such as a move larger than its village.

    Examples
    --------
    >>> [key for key, _ in plan_notes(paper, read_standards())]
    ['population.note.no_mothers']
    """
    return (*population_notes(county, standards, scenario), *_far_from_roads(county, standards))


def seat_schools(county: County) -> list[str]:
    """Name the open schools of the county seat, among which children who study there are placed.

    Parameters
    ----------
    county
        Its townships say which are the county seat.

    Returns
    -------
    list of str
        School ids, sorted.

    Examples
    --------
    >>> seat_schools(paper)
    ['S2']
    """
    schools = county.schools
    return sorted(schools.loc[schools["township_id"].isin(_seats_of(county)) & (schools["status"] == "open"), "school_id"])


def opened_schools(schools: gpd.GeoDataFrame, sites: gpd.GeoDataFrame, proposals: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return the schools with those that the proposals open.

    Parameters
    ----------
    schools, sites, proposals
        Tables ``schools``, ``candidates`` and ``proposals``.

    Returns
    -------
    geopandas.GeoDataFrame
        Table ``schools``; an opened site has the kind, grades, rooms and beds of its proposal and status ``candidate``.

    Examples
    --------
    >>> len(opened_schools(paper.schools, empty("candidates", paper.crs), empty("proposals", paper.crs)))
    2
    """
    opened = proposals[proposals["action"].isin(["open", "reopen"])]
    if not len(opened):
        return schools
    new = opened[["school_id", "role", "first_grade", "last_grade", "rooms", "beds"]].rename(columns={"role": "kind"})
    new = new.merge(pd.DataFrame(sites[["school_id", "name", "township_id", "geometry"]]), on="school_id", how="left", validate="1:1")
    new = new.assign(status="candidate", owner="public", urban_rural="", school_bus=False)
    kept = schools[~schools["school_id"].isin(new["school_id"])]
    return check("schools", gpd.GeoDataFrame(pd.concat([kept, new], ignore_index=True), geometry="geometry", crs=schools.crs))  # type: ignore[return-value]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _as_open(schools: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    # in the plan year what the plan opens stands
    return schools.assign(status=schools["status"].replace("candidate", "open"))  # type: ignore[return-value]


@dataclass(frozen=True)
class _CountyRoads:
    """Roads prepared once for a plan, and places joined to them; every mode and band only changes the minutes on them."""

    homes: Joined
    sites: Joined
    by_bus: Joined
    kph: Mapping[str, float]


def _county_roads(county: County, standards: Standards, scenario: Scenario, candidates: gpd.GeoDataFrame | None) -> _CountyRoads:
    schools, sites = county.schools[county.schools["status"] == "open"], _sites_of(county, candidates)
    roads = county.roads if county.roads is not None else empty_roads(county.crs)
    listed = schools.loc[schools["school_bus"], "school_id"]
    riding = {"listed": listed, "none": listed.iloc[:0], "any": sites["school_id"]}[scenario.buses]
    by_bus = sites[sites["school_id"].isin(riding)].reset_index(drop=True)
    network = prepare_network(
        roads, terrain=county.terrain, standards=standards, obstacles=county.obstacles, season=scenario.season,
        edits=edits_of(scenario.road_edits, roads),
    )  # fmt: skip
    return _CountyRoads(
        join_places(network, county.settlements),
        join_places(network, sites),
        join_places(network, by_bus),
        walking_speeds(standards, scenario.walking),
    )


def _sites_of(county: County, candidates: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame:
    """Return the points of open schools and candidates."""
    schools = county.schools[county.schools["status"] == "open"]
    more = empty("candidates", county.crs) if candidates is None else candidates
    sites = pd.concat([schools[["school_id", "geometry"]], more[["school_id", "geometry"]]], ignore_index=True)
    return gpd.GeoDataFrame(sites.drop_duplicates("school_id").sort_values("school_id", ignore_index=True), geometry="geometry", crs=county.crs)


def _all_times(roads: _CountyRoads, standards: Standards) -> pd.DataFrame:
    parts = []
    for band in BANDS:
        for mode, to in (("walk", roads.sites), ("bus", roads.by_bus), ("week", roads.sites)):
            # grades 1-3 do not board, so nobody asks for their week
            if len(to.ids) and not (mode == "week" and not any(standards.may_board(g) for g in BANDS[band])):
                parts.append(travel_times(roads.homes.network, roads.homes, to, mode=mode, band=band, level_kph=roads.kph[band]))
    return check("times", pd.concat(parts, ignore_index=True)) if parts else empty("times")


def _between(network: Network, schools: gpd.GeoDataFrame, standards: Standards) -> pd.DataFrame:
    """Return the minutes between schools in which teachers come on rounds: on foot and by car, as grown-ups walk."""
    places, most = join_places(network, schools), standards["staff.round.travel_day"]
    if not len(places.ids):
        return empty("times")
    parts = [travel_times(network, places, places, mode=mode, band="junior", limit=most) for mode in ("walk", "drive")]
    return check("times", pd.concat(parts, ignore_index=True))


def _teaching(county: County, school_years: pd.DataFrame, years: Sequence[int]) -> pd.DataFrame:
    """Return the open schools of every view and year with their grades."""
    columns = ["view", "year", "school_id", "first_grade", "last_grade"]
    now = county.schools[county.schools["status"] == "open"]
    parts = [now.assign(view="today", year=year)[columns] for year in years]
    return pd.concat([*parts, school_years[school_years["status"] == "open"].assign(view="planned")[columns]], ignore_index=True)


def _steps(progress: Progress | None) -> Callable[[str], None]:
    order = ("pupils", "candidates", "minutes", "today", "propose", "planned")

    def step(stage: str) -> None:
        if progress is not None:
            progress(stage, order.index(stage), len(order))

    return step


def _gates(proposals: pd.DataFrame) -> pd.DataFrame:
    rows = proposals.attrs.get("merger_gates", [])
    return check("merger_gates", pd.DataFrame(rows)) if rows else empty("merger_gates")


def _seats_of(county: County) -> set[str]:
    return set(county.townships.loc[county.townships["is_county_seat"], "township_id"])


def _far_from_roads(county: County, standards: Standards) -> list[tuple[str, Mapping[str, object]]]:
    if county.roads is None:
        return []
    notes: list[tuple[str, Mapping[str, object]]] = []
    for table, key in ((county.settlements, "settlement_id"), (county.schools, "school_id")):
        far = unjoined(county.roads, table, standards=standards).set_index("id")["distance_m"]
        if len(far):
            names = table.set_index(key)["name"].reindex(far.index)
            places = "、".join(f"{name} ({metres / 1000:.1f} km)" for name, metres in zip(names, far, strict=True))
            notes.append(
                (f"note.far_{key.split('_')[0]}", {"count": len(far), "radius": f"{standards['travel.join_radius'] / 1000:g}", "places": places})
            )
    return notes


def _budgets_of_other_years(county: County, years: Sequence[int]) -> list[tuple[str, Mapping[str, object]]]:
    others = sorted(set(county.aims.budget) - set(years))
    told = {"others": ", ".join(map(str, others)), "years": ", ".join(map(str, years))}
    return [("note.budget_years", told)] if others else []


def _against_the_roll(county: County, pupils: pd.DataFrame) -> list[tuple[str, Mapping[str, object]]]:
    if not len(county.rosters):
        return []
    here = pupils[(pupils["year"] == county.base_year) & (pupils["attends"] != "away")]
    roll, residents = int(county.rosters["pupils"].sum()), round(float(here["pupils"].sum()))
    return [("note.roll", {"year": county.base_year, "roll": f"{roll:,}", "residents": f"{residents:,}", "difference": f"{roll - residents:+,}"})]


@dataclass(frozen=True)
class _Standing:
    """Schools as they stand, the minutes to them, and who goes where."""

    schools: gpd.GeoDataFrame
    school_years: pd.DataFrame
    times: pd.DataFrame
    assignment: pd.DataFrame


def _standing(
    county: County, sites: gpd.GeoDataFrame, proposals: pd.DataFrame, times: pd.DataFrame, pupils: pd.DataFrame, standards: Standards,
    years: Sequence[int], expected: pd.DataFrame | None,
) -> _Standing:  # fmt: skip
    schools = opened_schools(county.schools, sites, proposals)
    school_years = apply_proposals(county.schools, proposals, years=years)
    there = schools[schools["school_id"].isin(school_years["school_id"]) & schools["township_id"].isin(_seats_of(county))]
    serving = times[times["to_id"].isin(school_years["school_id"])].reset_index(drop=True)
    assignment = assign(
        pupils, serving, schools, standards, school_years=school_years, zones=county.zones, seat_schools=sorted(there["school_id"]),
        expected=expected, least=least_of(school_years, county.schools, standards),
    )  # fmt: skip
    return _Standing(schools, school_years, serving, assignment)


def _judged(view: str, county: County, standing: _Standing, standards: Standards) -> Outcome:
    years = standing.school_years if len(standing.school_years) else None
    classes = class_sizes(standing.assignment, standing.schools, county.rosters, standards, school_years=years)
    head = headline(standing.assignment, county.settlements, view=view)
    return Outcome(view, standing.school_years, standing.times, standing.assignment, classes, head)


def _summary(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    rows = []
    for outcome in outcomes:
        for year, group in outcome.assignment.groupby("year"):
            counts = group.groupby("status")["pupils"].sum()
            lower = group[group["grade"].isin(BANDS["lower"]) & ~group["status"].isin(["served", "away"])]
            classes = outcome.classes[outcome.classes["year"] == year]
            rows.append({
                "view": outcome.view, "year": year, "pupils": group["pupils"].sum(), **{s: counts.get(s, 0) for s in STATUSES},
                "lower_out_of_limit": lower["pupils"].sum(), "boarders": group.loc[group["mode"] == "board", "pupils"].sum(),
                **{c: classes[c].sum() for c in ("classes", "oversized_classes", "super_classes")},
            })  # fmt: skip
    return check("summary", pd.DataFrame(rows)) if rows else empty("summary")


def _manifest(
    county: County, standards: Standards, years: Sequence[int], solve: Mapping[str, object], outcomes: Sequence[Outcome],
    scenario: Scenario, drawn: PupilDraws | None,
) -> dict[str, object]:  # fmt: skip
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # run from a checkout that was never installed
            versions[package] = ""
    return {
        "format": FORMAT,
        "county": {
            "name": county.name, "code": county.code, "base_year": county.base_year, "base_date": county.base_date.isoformat(), "crs": county.crs,
            "roads": dict(county.roads.source) if county.roads is not None else None,
            "terrain": list(county.terrain.source) if county.terrain is not None else None,
            "obstacles": None if county.obstacles is None else len(county.obstacles), "aims": asdict(county.aims),
            "notes": [[key, dict(fields)] for key, fields in county.notes], "sources": dict(county.sources),
        },
        "years": list(years), "inputs": dict(county.inputs), "versions": {"python": platform.python_version(), **versions},
        "standards": {key: rule.value for key, rule in standards.rules.items()},
        "unverified": [key for key, rule in standards.rules.items() if rule.verified == "U"],
        "assumed": [f"{a.table}.{a.column}" for a in county.assumptions.itertuples()], "solve": dict(solve),
        "scenario": asdict(scenario),
        "draws": None if drawn is None else {"draws": len(drawn.pupils), "seed": drawn.seed, **{k: round(v, 6) for k, v in drawn.drifts.items()}},
        "assignment": {o.view: _gaps(o.assignment.attrs.get("gap", {})) for o in outcomes},
    }  # fmt: skip


def _gaps(gaps: Mapping[int, Sequence[Mapping[str, object]]]) -> dict[str, list[dict[str, object]]]:
    # a search that was cut short has no bound: null
    def plain(value: object) -> object:
        return (round(value, 4) + 0.0 if np.isfinite(value) else None) if isinstance(value, float) else value

    return {str(year): [{name: plain(value) for name, value in level.items()} for level in levels] for year, levels in gaps.items()}


def _save(plan: Plan, folder: Path) -> None:
    import pyogrio

    folder.mkdir(parents=True, exist_ok=True)
    # not a number is said before anything is written
    json.dumps(plan.manifest, allow_nan=False)
    crs = export_crs(plan.county)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".layout-") as scratch:
        path = Path(scratch) / "plan.gpkg"
        # a fixed date in place of the clock keeps the file the same from run to run
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
        try:
            for name, table in _layers(plan).items():
                shown = table.to_crs(crs) if isinstance(table, gpd.GeoDataFrame) else table
                with written("plan.gpkg"):
                    pyogrio.write_dataframe(shown, path, layer=name, driver="GPKG")
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
        # which tables this manifest is about
        said = {**plan.manifest, "files": {"plan.gpkg": _hash(path)}}
        manifest = json.dumps(said, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False)
        path.replace(folder / "plan.gpkg")
        notes = Path(scratch) / "manifest.json"
        notes.write_text(manifest + "\n", encoding="utf-8", newline="\n")
        notes.replace(folder / "manifest.json")


def _layers(plan: Plan) -> dict[str, pd.DataFrame]:
    county = plan.county
    out: dict[str, pd.DataFrame] = {f"county_{name}": getattr(county, name) for name in (*SHEETS, "exclusions")}
    out |= {name: getattr(plan, name) for name in PLAN_TABLES} | {"schools": plan.schools}
    out |= {name: getattr(plan.findings, name) for name in FINDINGS}
    for outcome in (plan.today, plan.planned):
        out |= {f"{outcome.view}_{name}": getattr(outcome, name) for name in OUTCOME_TABLES}
    rules = plan.standards.to_frame()
    out["class_size_steps"] = plan.standards.steps_frame()
    out["standards"] = rules.assign(value=[json.dumps(v, ensure_ascii=False) for v in rules["value"]])
    if county.roads is not None and len(county.roads.edges):
        out |= {"roads": county.roads.edges, "road_nodes": county.roads.nodes}
    if county.boundary is not None:
        out["boundary"] = gpd.GeoDataFrame({"name": [county.name]}, geometry=[county.boundary], crs=county.crs)
    if county.township_areas is not None:
        out["township_areas"] = county.township_areas
    if county.obstacles is not None:
        out["obstacles"] = county.obstacles
    if county.terrain is not None:
        out["terrain"] = _packed(county.terrain)
    return {name: table for name, table in out.items() if len(table)}


def _packed(terrain: Terrain) -> pd.DataFrame:
    # decimetres as 32-bit whole numbers: exact for what was read and small once compressed
    tenths = np.where(np.isnan(terrain.elevation), np.iinfo("int32").min, np.round(terrain.elevation * 10)).astype("<i4")
    place = {name: getattr(terrain, name) for name in ("west", "north", "cell_x", "cell_y", "crs")}
    data = base64.b64encode(zlib.compress(tenths.tobytes(), 9)).decode("ascii")
    return pd.DataFrame([{**place, "rows": tenths.shape[0], "columns": tenths.shape[1], "data": data}])
