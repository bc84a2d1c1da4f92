"""Schools whose pupils fade: to be looked at, never closed; what the data say on each gate of a merger, and what people must decide."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from layout.built import Built, formed_at
from layout.programme import Model, grade_sums
from layout.siting import largest_size
from layout.tables import BANDS, check, empty

#: Gates of a merger in the order of the table; those with a clause of the standards.
GATES = {
    "few_pupils": "layout.merge.principle", "receiving_classes": "layout.merge.veto.crowding", "lower_travel": "travel.limit.walk.lower",
    "safe_way": "layout.merge.veto.safety", "beds_ready": "layout.merge.veto.lodging", "parents_heard": "layout.merge.veto.parents",
    "hearing": "decision.hearing", "public_notice": "decision.notice.min", "building_use": "layout.guizhou.kg_reuse.village_residents",
}  # fmt: skip
_PEOPLE = ("parents_heard", "hearing", "public_notice", "building_use")
_PRIMARY = BANDS["lower"] + BANDS["upper"]


@dataclass(frozen=True)
class Fading:
    """A school of today whose pupils fade from a plan year on (``at``): what is to be looked at, pupils by plan year, and where they go on.

    ``grades`` are those that few attend. ``onward``: settlement_id, at, grade, pupils, school (number of the site), mode, minutes.
    """

    site: int
    action: str
    at: int
    grades: tuple[int, ...]
    pupils: tuple[int, ...]
    onward: pd.DataFrame


def fading_schools(model: Model, people: pd.DataFrame, homes: pd.DataFrame, ways: pd.DataFrame, stays: Collection[str]) -> list[Fading]:
    """Find the schools of today with very few pupils to the end of the plan, all of whom reach another school within the limit by day.

    Parameters
    ----------
    model
        Sites, years and figures.
    people
        Children of the plan by site, plan year and band: :func:`layout.whereabouts.whereabouts`.
    homes
        Children to whom a school is the nearest: :func:`nearest_homes`. Both must be few: a plan that sends children elsewhere makes no
        school fade, and neither do boarders.
    ways
        settlement_id, grade, school_id, mode, minutes within the limit by day to schools of today, the nearest first.
    stays
        Ids of the schools that must stay.

    Returns
    -------
    list of Fading
        ``review_for_merger`` where the school has fewer pupils than ``layout.min_pupils.teaching_point``; ``convert_to_teaching_point`` where
        its grades 4 to 6 have so few and its lower grades have more. Those with fewest pupils are looked at first, and a school or
        its grades that are listed do not count as the other school of anybody, so all listed may be looked at together.

    References
    ----------
    国办发〔2018〕27号: 学校撤并原则上只针对生源极少的小规模学校; 应留必留、先建后撤.
    """
    few = model.standards["layout.min_pupils.teaching_point"]
    loads = homes.groupby(["site", "at", "grade"])["pupils"].sum().to_dict()
    there = people.groupby(["site", "at", "band"])["pupils"].sum().to_dict()
    years = range(len(model.horizon.years))
    asked: list[tuple[int, int, int, str, tuple[int, ...]]] = []
    for k, site in enumerate(model.sites):
        if not site.existing or site.school_id in stays or site.grades[-1] > _PRIMARY[-1]:
            continue
        upper = tuple(g for g in site.grades if g in BANDS["upper"])
        total = [max(sum(loads.get((k, t, g), 0) for g in site.grades), sum(there.get((k, t, b), 0) for b in BANDS)) for t in years]
        high = [max(sum(loads.get((k, t, g), 0) for g in upper), there.get((k, t, "upper"), 0)) for t in years]
        if total[-1] < few:
            asked.append((total[-1], k, _since(total, few), "review_for_merger", site.grades))
        elif upper and site.grades[0] == 1 and high[-1] < few:
            asked.append((high[-1], k, _since(high, few), "convert_to_teaching_point", upper))
    found: list[Fading] = []
    listed: set[tuple[str, int]] = set()
    by_home = {key: rows for key, rows in ways.groupby(["settlement_id", "grade"], sort=False)}
    numbers = {s.school_id: k for k, s in enumerate(model.sites)}
    for _, k, at, action, grades in sorted(asked):
        school = model.sites[k].school_id
        rows = homes[(homes["site"] == k) & (homes["at"] >= at) & homes["grade"].isin(grades)]
        onward = []
        for row in rows.to_dict("records"):
            other = _other(by_home.get((row["settlement_id"], row["grade"])), {school}, listed, int(row["grade"]))
            if other is None:
                break
            place = numbers[str(other["school_id"])]
            onward.append((row["settlement_id"], row["at"], row["grade"], row["pupils"], place, other["mode"], other["minutes"]))
        else:
            listed |= {(school, g) for g in grades}
            series = tuple(sum(loads.get((k, t, g), 0) for g in grades) for t in years)
            names = ["settlement_id", "at", "grade", "pupils", "school", "mode", "minutes"]
            found.append(Fading(k, action, at, grades, series, pd.DataFrame(onward, columns=names)))
    return sorted(found, key=lambda f: model.sites[f.site].school_id)


def merger_gates(model: Model, built: Built, fading: list[Fading]) -> pd.DataFrame:
    """Fill the gate table of every school that is to be looked at, as far as data can.

    Parameters
    ----------
    model, built
        The plan.
    fading
        From :func:`fading_schools`.

    Returns
    -------
    pandas.DataFrame
        Table ``merger_gates``: by school and gate the state (met, not_met, people: blank until people decide) and the figures that speak
        for it.

    References
    ----------
    国办发〔2018〕27号, 国办发〔2012〕48号, 教督〔2017〕6号, 重大行政决策程序暂行条例.
    """
    loads = grade_sums(model, built.shares)
    rows = []
    for each in fading:
        school = model.sites[each.site].school_id
        year = model.horizon.years[each.at]
        filled = {
            "few_pupils": ("met", "; ".join(f"{y}: {n}" for y, n in zip(model.horizon.years, each.pupils, strict=True))),
            "receiving_classes": _receiving(model, built, each, loads), "lower_travel": _lower(model, each),
            "safe_way": ("people", _modes(each)), "beds_ready": ("met", "0"), **{gate: ("people", "") for gate in _PEOPLE},
        }  # fmt: skip
        rows += [
            {"school_id": school, "gate": gate, "year": year, "state": filled[gate][0], "figures": filled[gate][1], "clause": clause}
            for gate, clause in GATES.items()
        ]
    return check("merger_gates", pd.DataFrame(rows)) if rows else empty("merger_gates")


def _since(series: list[int], few: float) -> int:
    """Return the first plan year from which on all values are below a number."""
    at = len(series) - 1
    while at and series[at - 1] < few:
        at -= 1
    return at


def _other(ways: pd.DataFrame | None, own: set[str], listed: set[tuple[str, int]], grade: int) -> Mapping[Hashable, object] | None:
    if ways is None:
        return None
    kept = [row for row in ways.to_dict("records") if row["school_id"] not in own and (row["school_id"], grade) not in listed]
    return kept[0] if kept else None


def _receiving(model: Model, built: Built, each: Fading, loads: np.ndarray) -> tuple[str, str]:
    worst, said = 0.0, []
    pairs = each.onward[["school", "at"]].drop_duplicates().sort_values(["school", "at"]).to_numpy(int).tolist()
    for k, at in pairs:
        rows = each.onward[(each.onward["school"] == k) & (each.onward["at"] == at)]
        moved = loads.copy()
        np.add.at(moved[k, at], rows["grade"].to_numpy(int) - 1, rows["pupils"].to_numpy(float))
        site = model.sites[k]
        formed = formed_at(model, built.parts, moved, k, "", at, site.rooms + built.rooms.get((k, "", at), 0))
        before = built.classes[k, "", at].over
        worst = max(worst, formed.over - before, float(moved[k, at].sum() - largest_size(site, model.standards)))
        said.append(f"{site.school_id} {model.horizon.years[at]}: +{int(rows['pupils'].sum())}")
    return ("met" if worst <= 1e-6 else "not_met"), "; ".join(said)


def _lower(model: Model, each: Fading) -> tuple[str, str]:
    lower = each.onward[each.onward["grade"].isin(BANDS["lower"])]
    if not len(lower):
        return "met", "0"
    limit = max(model.standards.limit(str(mode), "lower") for mode in lower["mode"])
    longest = float(lower["minutes"].max())
    return ("met" if longest <= limit else "not_met"), f"{longest:.0f} / {limit:.0f}"


def _modes(each: Fading) -> str:
    counts = each.onward.groupby("mode")["pupils"].sum()
    return "; ".join(f"{mode}: {int(n)}" for mode, n in counts.items())


def nearest_homes(model: Model, children: pd.DataFrame, ways: pd.DataFrame) -> pd.DataFrame:
    """Return the children to whom each school of today is the nearest.

    Parameters
    ----------
    model
        Sites and plan years.
    children
        Whole pupils by settlement, year, grade and ``attends``; only those who study at home count.
    ways
        Table of :func:`layout.staying.day_ways`, the nearest first.

    Returns
    -------
    pandas.DataFrame
        site, at (position of the plan year), settlement_id, grade, pupils.
    """
    sites = {s.school_id: k for k, s in enumerate(model.sites)}
    at = {year: t for t, year in enumerate(model.horizon.years)}
    nearest = ways.drop_duplicates(["settlement_id", "grade"])[["settlement_id", "grade", "school_id"]]
    home = children[(children["attends"] == "home") & children["year"].isin(at)]
    table = home.merge(nearest, on=["settlement_id", "grade"])
    table = table[table["school_id"].isin(sites)]
    table = table.assign(site=table["school_id"].map(sites), at=table["year"].map(at))
    return table.groupby(["site", "at", "settlement_id", "grade"], observed=True)[["pupils"]].sum().reset_index()
