"""Why there is no plan as the county asked: what contradicts, found before and after the search, each cause in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd

from layout import messages
from layout.aims import Aims
from layout.candidates import Candidates
from layout.children import INCOMPLETE, ways_of
from layout.programme import Model, room_year, site_year, write_programme
from layout.programs import solve
from layout.siting import Site
from layout.solver import NoSolutionError
from layout.standards import Standards
from layout.tables import BANDS, label
from layout.viable import below_least, least_of

# places that a cause names
_NAMED = 5
Cause = tuple[str, Mapping[str, object]]


class NoPlanError(NoSolutionError):
    """There is no plan as the county asked; ``causes`` are message keys with their fields."""

    def __init__(self, causes: Sequence[Cause]) -> None:
        """Keep the causes; the error itself speaks English."""
        self.causes = tuple(causes)
        super().__init__("; ".join(self.words("en")))

    def words(self, lang: str) -> list[str]:
        """Return the causes in a language."""
        return [cause_words(cause, lang) for cause in self.causes]


def cause_words(cause: Cause, lang: str) -> str:
    """Say a cause in a language.

    Parameters
    ----------
    cause, lang
        Message key with its fields; language.

    Returns
    -------
    str
        A sentence.

    Examples
    --------
    >>> cause_words(("must_most", {"must": 3, "most": 2}), "en")
    '3 sites must open, more than the 2 allowed'
    """
    key, fields = cause
    named = {"why": ("assignment", "status"), "band": ("attendance", "band")}
    said = {k: label(*named[k], str(v), lang) if k in named else v for k, v in fields.items()}
    if said.get("mark"):
        said["mark"] = messages.text("standards.unverified", lang)
    return messages.text(f"hindrance.{key}", lang, **said)


def asked_too_much(
    aims: Aims, schools: gpd.GeoDataFrame, candidates: Candidates, sites: Sequence[Site], model: Model
) -> list[Cause]:  # fmt: skip
    """List what contradicts before anything is searched for.

    Parameters
    ----------
    aims
        What the county asks.
    schools
        Table ``schools``: what is open already need not open.
    candidates
        Sites and those turned down.
    sites
        All sites before those too few children can reach are left out.
    model
        Sites that are left, years, figures, budget.

    Returns
    -------
    list
        Causes; empty where none shows.
    """
    horizon, causes = model.horizon, list[Cause]()
    left, before = {s.school_id: k for k, s in enumerate(model.sites) if not s.existing}, {s.school_id: s for s in sites}
    rejected = candidates.rejected.drop_duplicates("school_id").set_index("school_id") if len(candidates.rejected) else pd.DataFrame()
    must = [s for s in aims.must_open if s not in set(schools.loc[schools["status"] == "open", "school_id"])]
    for school in must:
        if school in rejected.index:
            rule = str(rejected.loc[school, "layer"] or rejected.loc[school, "clause"])
            causes.append(("must_rejected", {"site": school, "rule": rule}))
        elif school not in before:
            causes.append(("must_unknown", {"site": school}))
        elif before[school].first_year > horizon.years[-1]:
            causes.append(("must_late", {"site": school, "first": before[school].first_year, "last": horizon.years[-1]}))
        elif school not in left:
            causes.append(("must_few", {"site": school, "year": horizon.years[-1]}))
    causes += [("keep_unknown", {"school": s}) for s in aims.must_keep if s not in set(schools["school_id"])]
    if aims.most_open is not None and len(must) > aims.most_open:
        causes.append(("must_most", {"must": len(must), "most": aims.most_open}))
    asked = [left[s] for s in must if s in left]
    paying = [y for y in horizon.years if asked and y >= min(model.sites[k].first_year for k in asked)]
    if set(paying) <= set(model.budget):
        least = sum(_least_cost(model, k) for k in asked)
        money = sum(model.budget[y] for y in paying)
        if least > money:
            causes.append(("budget", {"least": f"{least:,.0f}", "money": f"{money:,.0f}"}))
    return causes


def left_out(model: Model, *, time_limit: float) -> list[Cause]:
    """Name the demands without each of which there would be a plan.

    Parameters
    ----------
    model
        For which the search found nothing.
    time_limit
        Seconds for each try, a guard only.

    Returns
    -------
    list
        Causes: the budget, the number of schools; where neither alone is it, the schools that must open.
    """
    tries: list[tuple[str, Model]] = [("without_budget", replace(model, budget={}))] if model.budget else []
    tries += [("without_most", replace(model, most=None))] if model.most is not None else []
    found: list[Cause] = [(key, {}) for key, other in tries if _stands(other, time_limit)]
    return found or ([("without_must", {})] if model.must else [])


def unserved_causes(assignment: pd.DataFrame, names: Mapping[str, str]) -> list[Cause]:
    """Say who has no place in a plan, or no seat at the class-size standard, year by year and for what reason.

    Parameters
    ----------
    assignment
        Table ``assignment`` of the plan.
    names
        Of the settlements, by id.

    Returns
    -------
    list
        One cause for each year and reason, with the children and at most five of their settlements, those with most children first.
    """
    rows = assignment[assignment["status"].isin(["no_seat", "no_bed", "no_route"]) & (assignment["pupils"] > 0)]
    out: list[Cause] = []
    for (year, status), group in rows.groupby(["year", "status"], observed=True):
        places = group.groupby("settlement_id", observed=True)["pupils"].sum().sort_values(ascending=False, kind="stable")
        some = [f"{names.get(str(s), str(s))} {int(n)}" for s, n in places.head(_NAMED).items()]
        fields = {"year": int(str(year)), "pupils": int(places.sum()), "why": str(status), "places": "、".join(some), "villages": len(places)}
        # who lacks a seat has a school all the same
        out.append(("crowded" if status == "no_seat" else "unserved", fields))
    return out


def too_small(
    assignment: pd.DataFrame, school_years: pd.DataFrame, before: pd.DataFrame, names: Mapping[str, str], standards: Standards
) -> list[Cause]:
    """Name the new schools of a plan that have fewer children than a school of their kind is opened for.

    Parameters
    ----------
    assignment, school_years
        Of the plan.
    before
        Table ``schools`` before it.
    names
        Of the schools, by id.
    standards
        ``layout.min_pupils``.

    Returns
    -------
    list
        One cause for each school, part and year, in the order of :func:`layout.viable.least_of`.
    """
    out: list[Cause] = []
    for row in below_least(assignment, least_of(school_years, before, standards)).to_dict("records"):
        rule = standards.rules[row["rule"]]
        fields = {"school": names.get(row["school_id"], row["school_id"]), "year": row["year"], "there": row["there"], "least": round(row["pupils"])}
        out.append(("below_least", {**fields, "mark": "unverified" if rule.verified == "U" else ""}))
    return out


def too_large(
    assignment: pd.DataFrame, school_years: pd.DataFrame, before: pd.DataFrame, names: Mapping[str, str], standards: Standards
) -> list[Cause]:
    """Name the schools of a plan that have more children than the largest size of their kind.

    The search keeps new schools to it, and schools of today to it or to what their rooms hold already; the placing has no such row.

    Parameters
    ----------
    assignment, school_years
        Of the plan.
    before
        Table ``schools`` before it: small schools that are open there have no largest size.
    names
        Of the schools, by id.
    standards
        ``layout.small_school.max``, ``size.max``.

    Returns
    -------
    list
        One cause for each school and year, by school.

    References
    ----------
    standards.csv: ``size.max.primary_junior``, ``size.max.nine_year``.
    """
    open_before = set(before.loc[before["status"] == "open", "school_id"].astype("str"))
    kinds = dict(zip(before["school_id"].astype("str"), before["kind"].astype("str"), strict=True))
    rolls = assignment[assignment["school_id"].astype("str") != ""].groupby(["school_id", "year"], observed=True)["pupils"].sum().to_dict()
    out: list[Cause] = []
    there = school_years[school_years["status"] == "open"]
    own = there["kind"].astype("str") if "kind" in there else pd.Series("", index=there.index)
    for school, year, given in sorted(zip(there["school_id"].astype("str"), there["year"].astype(int), own, strict=True)):
        kind = given or kinds.get(school, "")
        small = kind in INCOMPLETE
        key = "layout.small_school.max" if small else "size.max.nine_year" if kind == "nine_year" else "size.max.primary_junior"
        pupils = int(rolls.get((school, year), 0))
        if kind == "special" or (small and school in open_before) or pupils <= standards[key]:
            continue
        fields = {"school": names.get(school, school), "year": year, "there": pupils, "most": round(standards[key])}
        out.append(("above_largest", {**fields, "mark": "unverified" if standards.rules[key].verified == "U" else ""}))
    return out


def limits_below_any_way(times: pd.DataFrame, standards: Standards) -> list[Cause]:
    """Name the limits that no way from any settlement to any school keeps.

    Parameters
    ----------
    times
        Table ``times``.
    standards
        Limits.

    Returns
    -------
    list
        One cause a band whose children all walk and ride beyond their limit, with the shortest way there is.
    """
    ways = ways_of(times[times["mode"].isin(["walk", "bus"])], standards)
    out: list[Cause] = []
    for band in BANDS:
        here = ways[ways["band"] == band]
        if len(here) and here["beyond"].all():
            out.append(("limit", {"band": band, "limit": f"{standards.limit('walk', band):g}", "least": f"{here['minutes'].min():.1f}"}))
    return out


def _least_cost(model: Model, site: int) -> float:
    """Return the least that a new school costs to build: the site, and the rooms of its cheapest part."""
    parts = {"small": "small", "primary": "primary", "junior": "junior"}
    rooms = {"small": 1, "primary": len(BANDS["lower"] + BANDS["upper"]), "junior": len(BANDS["junior"])}
    groups = [g for p, g in parts.items() if p in model.sites[site].parts]
    return site_year(model)[0] + min(rooms[g] * room_year(model, site, g)[0] for g in groups)


def _stands(model: Model, time_limit: float) -> bool:
    programme = write_programme(model)
    cost = {"without_place": programme.objectives["without_place"]}
    try:
        solve(programme.program, cost, absolute_gaps={"without_place": float(np.abs(cost["without_place"]).sum()) + 1.0}, time_limit=time_limit)
    except NoSolutionError:
        return False
    return True
