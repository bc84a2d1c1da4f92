"""How much reach depends on what nobody knows exactly: walking half a kilometre an hour slower or faster, without buses, in rain and ice."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from layout.network import Network, reweigh
from layout.pace import NEVER, TICKS
from layout.search import Joined, join_places, least_ticks, to_minutes
from layout.standards import Standards
from layout.tables import BANDS, check, empty

CASES = ("base", "no_bus", "slower", "faster", "brisk", "rain", "ice")
# minutes are known to a few milliseconds: what rounds to the limit is within it
_ROUNDING = 5e-5


def sensitivity(
    pupils: pd.DataFrame, homes: Joined, schools: Joined, teaching: pd.DataFrame, standards: Standards, *, bus_schools: Collection[str] = (),
    kph: Mapping[str, float] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Count the children who have a school of their grade within the limit, case by case.

    Seats and beds are left out: this is what minutes alone decide.

    Parameters
    ----------
    pupils
        Table ``pupils``; only those who attend from home count.
    homes, schools
        Settlements and schools joined to one network, whose season is that of the case ``base``.
    teaching
        ``view``, ``year``, ``school_id``, ``first_grade``, ``last_grade``: the schools of each view and year.
    standards
        Limits, walking speeds and their margin ``walk.speed.margin``.
    bus_schools
        Schools with a bus service. Without any, the cases ``base`` and ``no_bus`` are the same.
    kph
        Walking speeds by band of the case ``base``; None for those of the standards.

    Returns
    -------
    pandas.DataFrame
        Table ``sensitivity``: children by view, year, band and case, and how many of them are within the limit on foot or by
        bus. ``base``: as planned; ``no_bus``: without buses; ``slower``, ``faster``: walking half a km/h slower and faster;
        ``brisk``: at ``walk.speed.brisk``;
        ``rain``, ``ice``: the roads and speeds of the season.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads)
    >>> homes, schools = join_places(network, paper.settlements), join_places(network, paper.schools)
    >>> pupils = pd.DataFrame({"settlement_id": ["A", "B"], "year": 2025, "grade": 1, "attends": "home", "pupils": [5.0, 7.0]})
    >>> teaching = pd.DataFrame({"view": ["today"], "year": [2025], "school_id": ["S1"], "first_grade": [1], "last_grade": [6]})
    >>> found = sensitivity(pupils, homes, schools, teaching, layout.read_standards())
    >>> found.set_index("case").within[["base", "slower", "ice"]].tolist()
    [12, 7, 7]
    """
    home = pupils[pupils["attends"] == "home"]
    teaching = teaching[teaching["school_id"].isin(schools.ids)]
    if not len(home) or not len(teaching):
        return empty("sensitivity")
    position = {i: k for k, i in enumerate(homes.ids)}
    column = {s: k for k, s in enumerate(schools.ids)}
    with_bus = np.array([s in set(bus_schools) for s in schools.ids])
    margin = standards["walk.speed.margin"]
    step = dict.fromkeys(CASES, 0.0) | {"slower": -margin, "faster": margin}
    speeds, brisk = walking_speeds(standards) if kph is None else kph, walking_speeds(standards, "brisk")
    rows = []
    network = homes.network
    for case in CASES:
        season = case if case in ("rain", "ice") else network.season
        prepared = network if season == network.season else reweigh(network, mode="walk", season=season)
        there = [p if prepared is network else join_places(prepared, p) for p in (homes, schools)]
        for band, grades in BANDS.items():
            some = home[home["grade"].isin(grades)]
            if not len(some):
                continue
            near = _within(
                prepared,
                there[0],
                there[1],
                with_bus & (case != "no_bus"),
                band,
                standards,
                (brisk if case == "brisk" else speeds)[band] + step[case],
            )
            for (year, grade), group in some.groupby(["year", "grade"]):
                mine, count = [position[s] for s in group["settlement_id"]], group["pupils"].to_numpy(float)
                taught = teaching[(teaching["year"] == year) & (teaching["first_grade"] <= grade) & (teaching["last_grade"] >= grade)]
                # a view that has no school for the grade has nobody within reach of one
                for view in teaching.loc[teaching["year"] == year, "view"].unique():
                    columns = [column[s] for s in taught.loc[taught["view"] == view, "school_id"]]
                    rows.append((view, year, band, case, count.sum(), count[near[mine][:, columns].any(axis=1)].sum()))
    table = pd.DataFrame(rows, columns=["view", "year", "band", "case", "pupils", "within"])
    whole = table.groupby(["view", "year", "band", "case"], as_index=False)[["pupils", "within"]].sum()
    return check("sensitivity", whole.assign(**{c: whole[c].round().astype("int64") for c in ("pupils", "within")}))


def walking_speeds(standards: Standards, walking: str = "medium") -> dict[str, float]:
    """Return walking speeds on the level by grade band.

    Parameters
    ----------
    standards
        ``walk.speed.*``.
    walking
        ``medium``, ``slow`` or ``fast`` (less or more by ``walk.speed.margin``) or ``brisk``.

    Returns
    -------
    dict
        km/h by band.

    Examples
    --------
    >>> walking_speeds(layout.read_standards(), "slow")["lower"]
    2.74
    """
    if walking == "brisk":
        return {band: float(standards[f"walk.speed.brisk.{band}"]) for band in BANDS}
    step = {"slow": -1, "fast": 1}.get(walking, 0) * standards["walk.speed.margin"]
    return {band: round(standards[f"walk.speed.{band}"] + step, 6) for band in BANDS}


def _within(network: Network, homes: Joined, schools: Joined, with_bus: np.ndarray, band: str, standards: Standards, kph: float) -> np.ndarray:
    """Return which schools lie within the limit of which settlements on foot or by bus."""
    near = _judged(reweigh(network, mode="walk", band=band, level_kph=kph), homes, schools, standards) <= standards.limit("walk", band) + _ROUNDING
    if with_bus.any():
        riding = _judged(reweigh(network, mode="bus", band=band, level_kph=kph), homes, schools, standards)
        near |= (riding <= standards.limit("bus", band) + _ROUNDING) & with_bus[None, :]
    return near


def _judged(network: Network, homes: Joined, schools: Joined, standards: Standards) -> np.ndarray:
    # a county is small: nobody waits for loops to be compiled
    homes, schools = join_places(network, homes), join_places(network, schools)
    there = _minutes(network, least_ticks(homes, schools))
    return np.maximum(there, _minutes(network, least_ticks(schools, homes)).T) if standards["travel.judge_slower"] else there


def _minutes(network: Network, ticks: np.ndarray) -> np.ndarray:
    return to_minutes(ticks, round(network.fixed_minutes * TICKS), NEVER - 1)
