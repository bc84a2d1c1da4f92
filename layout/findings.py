"""What a plan finds beside who goes where: schools in reach, classes by target, needs and remedies, small schools, sites, the base year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import pandas as pd

from layout.boarding import boarding_demand, boarding_shares, young_boarders
from layout.choice import base_year_fit
from layout.class_size import class_shares, class_targets
from layout.clusters import school_clusters
from layout.county import County
from layout.draws import PupilDraws
from layout.in_reach import coverage, minute_steps, overlap, seat_access, short_villages, zone_differences
from layout.needs import breaches, rooms_needed, school_needs
from layout.remedy import remedies
from layout.rounds import teaching_rounds
from layout.site_seats import site_verdicts
from layout.small_school import review_list, small_schools
from layout.standards import Standards
from layout.tables import check, empty


@dataclass(frozen=True)
class Findings:
    """Tables of the data dictionary, each named like its field.

    Parameters
    ----------
    coverage, overlap, minute_steps, seat_access, zone_differences
        Schools in reach of today's children, in the base year and the plan year.
    short_villages, class_shares, class_targets, clusters, rounds
        Both views.
    breaches, rooms_needed, school_needs, remedies
        Do-nothing years: every year up to the plan year; remedies for the base year and the plan year.
    small_schools, review_list, site_verdicts, boarding_shares, boarding_demand, young_boarders, base_year_fit
        Today's schools.
    """

    coverage: pd.DataFrame = field(default_factory=lambda: empty("coverage"))
    overlap: pd.DataFrame = field(default_factory=lambda: empty("overlap"))
    minute_steps: pd.DataFrame = field(default_factory=lambda: empty("minute_steps"))
    seat_access: pd.DataFrame = field(default_factory=lambda: empty("seat_access"))
    zone_differences: pd.DataFrame = field(default_factory=lambda: empty("zone_differences"))
    short_villages: pd.DataFrame = field(default_factory=lambda: empty("short_villages"))
    class_shares: pd.DataFrame = field(default_factory=lambda: empty("class_shares"))
    class_targets: pd.DataFrame = field(default_factory=lambda: empty("class_targets"))
    breaches: pd.DataFrame = field(default_factory=lambda: empty("breaches"))
    rooms_needed: pd.DataFrame = field(default_factory=lambda: empty("rooms_needed"))
    school_needs: pd.DataFrame = field(default_factory=lambda: empty("school_needs"))
    remedies: pd.DataFrame = field(default_factory=lambda: empty("remedies"))
    small_schools: pd.DataFrame = field(default_factory=lambda: empty("small_schools"))
    review_list: pd.DataFrame = field(default_factory=lambda: empty("review_list"))
    clusters: pd.DataFrame = field(default_factory=lambda: empty("clusters"))
    rounds: pd.DataFrame = field(default_factory=lambda: empty("rounds"))
    site_verdicts: pd.DataFrame = field(default_factory=lambda: empty("site_verdicts"))
    boarding_shares: pd.DataFrame = field(default_factory=lambda: empty("boarding_shares"))
    boarding_demand: pd.DataFrame = field(default_factory=lambda: empty("boarding_demand"))
    young_boarders: pd.DataFrame = field(default_factory=lambda: empty("young_boarders"))
    base_year_fit: pd.DataFrame = field(default_factory=lambda: empty("base_year_fit"))


#: Names of the tables, in the order in which a reader meets them.
TABLES = tuple(f.name for f in fields(Findings))


@dataclass(frozen=True)
class View:
    """A set of schools: who goes where, in which classes; ``school_years`` where they change over the years."""

    name: str
    times: pd.DataFrame
    schools: pd.DataFrame
    assignment: pd.DataFrame
    classes: pd.DataFrame
    school_years: pd.DataFrame | None = None


def find(
    county: County, pupils: pd.DataFrame, today: View, planned: View, enrolled: pd.DataFrame, standards: Standards, *, years: Sequence[int],
    stay: pd.DataFrame, site_pupils: pd.DataFrame, seat_schools: Sequence[str], draws: PupilDraws | None = None, between: pd.DataFrame | None = None,
) -> Findings:  # fmt: skip
    """Reckon every table of :class:`Findings`.

    Parameters
    ----------
    county
        Tables schools, settlements, townships, rosters, zones, moves and boarding.
    pupils
        Table ``pupils`` of the base year and the plan year.
    today
        Today's schools; its classes have every year up to the plan year.
    planned
        The plan.
    enrolled
        Who is enrolled where in every year if nothing is done: table ``assignment``, as the classes of ``today`` were formed from.
    standards
        In force.
    years
        Base year and plan year.
    stay, site_pupils
        Tables ``must_stay`` and ``site_pupils``.
    seat_schools
        Schools of the county seat.
    draws
        For the probability of a breach.
    between
        Table ``times`` between schools, for the clusters of schools; None leaves every small school without a hub.

    Returns
    -------
    Findings
        Every table.

    Examples
    --------
    >>> plan = layout.make_plan(paper, to=2026)
    >>> plan.findings.review_list.columns.tolist()[:2], len(plan.findings.coverage) > 0
    (['school_id', 'year'], True)
    """
    base = county.base_year
    schools = county.schools
    both = [today, planned]
    reviewed = review_list(pupils, today.times, schools, standards)
    in_years = enrolled[enrolled["year"].isin(years)].reset_index(drop=True)
    classes_now = today.classes[today.classes["year"].isin(years)].reset_index(drop=True)
    shares = boarding_shares(today.assignment, county.rosters, county.boarding, schools, standards, year=base)
    drawn = {"draws": draws, "assignment": enrolled, "whole_county": True} if draws is not None else {}
    between = empty("times") if between is None else between
    in_year = {"today": classes_now, "planned": planned.classes}
    clusters = _joined("clusters", [school_clusters(in_year[v.name], between, v.schools, standards, view=v.name) for v in both])
    return Findings(
        coverage=coverage(pupils, today.times, schools, county.settlements, standards),
        overlap=overlap(pupils, today.times, schools, standards), minute_steps=minute_steps(pupils, today.times, schools, standards),
        seat_access=seat_access(pupils, today.times, schools, standards),
        zone_differences=zone_differences(county.zones, pupils, today.times, schools, standards),
        short_villages=_joined("short_villages", [
            short_villages(v.assignment, v.times, v.schools, standards, view=v.name, school_years=v.school_years) for v in both
        ]),
        class_shares=_joined("class_shares", [class_shares(v.classes, v.schools, county.townships, standards, view=v.name) for v in both]),
        class_targets=_joined("class_targets", [class_targets(v.classes, v.schools, standards, view=v.name) for v in both]),
        breaches=breaches(today.classes, standards, base_year=base, **drawn),  # type: ignore[arg-type]
        rooms_needed=rooms_needed(today.classes, schools, standards), school_needs=school_needs(today.classes, enrolled, schools, standards),
        remedies=remedies(classes_now, in_years, today.times, schools, standards),
        small_schools=small_schools(pupils, today.times, today.assignment, classes_now, schools, standards, stay=stay, reviewed=reviewed),
        review_list=reviewed, clusters=clusters, rounds=teaching_rounds(clusters, between, standards),
        site_verdicts=site_verdicts(county.settlements, pupils, today.times, schools, standards, site_pupils=site_pupils, moves=county.moves),
        boarding_shares=shares, boarding_demand=boarding_demand(today.assignment, shares, today.times, standards, schools=schools),
        young_boarders=young_boarders(county.boarding, schools),
        base_year_fit=base_year_fit(
            pupils, today.times, today.assignment, schools, county.rosters, standards, seat_schools=seat_schools
        ),
    )  # fmt: skip


def _joined(name: str, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    there = [p for p in parts if len(p)]
    return check(name, pd.concat(there, ignore_index=True)) if there else empty(name)
