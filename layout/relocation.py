"""Relocation (易地扶贫搬迁): who moves from which village to which site, and whether a site has as many pupils as such sites had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from layout.cohorts import SEXES, TOLERANCE
from layout.county import County
from layout.standards import Standards
from layout.tables import Problem, check, empty, schemas

# shares of a village within this of one are the whole village
WHOLE = 1e-12
# a move so many years beside the base year is a slip of the pen
_LONGEST_AGO, _FURTHEST = 35, 15
# grades of a stage and the ages at which the survey's children had them
_STAGES = {"primary": range(6, 12), "junior": range(12, 15)}
_PRESCHOOL = range(3, 6)

#: A part of a village that goes to a site: origin and site (rows of the people), share by sex and age.
Flow = tuple[int, int, np.ndarray]


def move_flows(
    county: County, standards: Standards, state: np.ndarray, ids: Sequence[str], *, year: int, since: int, all_ages: bool
) -> tuple[list[Flow], list[Problem]]:
    """Turn the moves of a year into shares of the villages they leave.

    Persons (else households times ``household.size``) go with the village's own structure by age and sex, or with that of
    ``move_ages``. A whole village goes with everybody who is left; to several places in the proportion of the persons given.
    ``relocation.stay_share`` of those who move stay or return.

    Parameters
    ----------
    county, standards
        Tables moves, move_ages and settlements (``persons`` tells the size of a village whose age list holds only children).
    state
        People by settlement, sex and age when they move.
    ids
        Settlements, the rows of ``state``.
    year, since
        Which moves; the year of the people as counted, after which earlier moves have changed the size of a village.
    all_ages
        Whether ``state`` holds everybody and not only children.

    Returns
    -------
    tuple of list
        Flows, and problems: moves without a number or larger than their village, ages that nobody has.

    Examples
    --------
    >>> move_flows(paper, layout.read_standards(), np.ones((1, 2, 15)), ["A"], year=2026, since=2025, all_ages=False)
    ([], [])
    """
    flows: list[Flow] = []
    problems: list[Problem] = []
    moves = county.moves[county.moves["year"] == year]
    place = {name: i for i, name in enumerate(ids)}
    stay = 1 - standards["relocation.stay_share"]
    size = _sizes(county, standards, since, year) if not all_ages else {}
    persons = moves["persons"].fillna(moves["households"] * standards["household.size"])
    for origin in sorted(set(moves["from_id"])):
        own = (moves["from_id"] == origin).to_numpy()
        rows, asked, whole = moves[own], persons[own].to_numpy(float), moves["whole_village"].to_numpy()[own]
        village = state[place[origin]]
        ages = county.move_ages[(county.move_ages["from_id"] == origin) & (county.move_ages["year"] == year)]
        given = {to: _by_age(ages[ages["to_id"] == to], village) for to in sorted(set(ages["to_id"]) & set(rows["to_id"]))}
        structured = rows["to_id"].isin(given).to_numpy()
        available = float(village.sum()) if all_ages else size.get(origin, 0.0)
        plain = asked[~whole & ~structured]
        fields = {"origin": origin, "year": year, "last": state.shape[2] - 1, "persons": f"{np.nansum(plain):g}", "available": f"{available:.1f}"}
        faults = {
            "move_without_persons": bool(np.isnan(plain).any()),
            "move_whole_twice": bool(whole.sum() > 1 and not (asked[whole] > 0).all()),
            "move_needs_all_ages": bool(len(plain) and not all_ages and not available),
            "move_larger_than_village": bool(np.nansum(plain) > available * (1 + TOLERANCE) and len(plain)),
            "move_ages_beyond": bool((sum(given.values(), np.zeros_like(village)) > village * (1 + TOLERANCE) + TOLERANCE).any()) if given else False,
        }
        key = next((name for name, holds in faults.items() if holds), "")
        if key:
            problems.append(_problem(key, origin, fields))
            continue
        left = np.ones_like(village)
        shares = asked / available if available > 0 else np.zeros(len(asked))
        for to, share, own_ages, all_go in zip(rows["to_id"], shares, structured, whole, strict=True):
            if own_ages or not all_go:
                part = np.divide(given[to], village, out=np.zeros_like(village), where=village > 0) if own_ages else np.full_like(village, share)
                # rounding may ask for a little more than everybody
                part = np.minimum(part, left)
                flows.append((place[origin], place[to], part * stay))
                left = left - part
        last = whole & ~structured
        if last.any() and village.sum() > 0:
            weight = asked[last] / asked[last].sum() if last.sum() > 1 else np.ones(1)
            flows += [(place[origin], place[to], left * w * stay) for to, w in zip(rows["to_id"][last], weight, strict=True)]
    return flows, problems


def moved(persons: np.ndarray, flows: Sequence[Flow]) -> np.ndarray:
    """Let the flows of a year go, all at once.

    Parameters
    ----------
    persons
        People by settlement, sex and age.
    flows
        From :func:`move_flows`; every share is of the people before the first of them goes.

    Returns
    -------
    numpy.ndarray
        People after the moves; as many as before, and exactly nobody in a village that all have left.

    Examples
    --------
    >>> moved(np.array([[[8.0]], [[2.0]]]), [(0, 1, np.array([[0.25]]))]).ravel().tolist()
    [6.0, 4.0]
    """
    if not flows:
        return persons
    left = np.ones_like(persons)
    for origin, _, share in flows:
        left[origin] -= share
    out = np.where(left < WHOLE, 0.0, left) * persons
    for origin, site, share in flows:
        out[site] += share * persons[origin]
    return out


def move_problems(county: County, *, last: int) -> list[Problem]:
    """List moves whose year cannot be meant, and ages of moves that nobody makes.

    Parameters
    ----------
    county
        Tables moves and move_ages.
    last
        Last year that is projected.

    Returns
    -------
    list of Problem
        One a move. Moves up to the base year are in the counts already and are no problem.

    Examples
    --------
    >>> move_problems(paper, last=2035)
    []
    """
    first, end = county.base_year - _LONGEST_AGO, max(last, county.base_year + _FURTHEST)
    problems = []
    for origin, year in zip(county.moves["from_id"], county.moves["year"], strict=True):
        if not first <= year <= end:
            problems.append(_problem("move_year", str(year), {"origin": origin, "year": int(year), "first": first, "last": end}, column="year"))
    known = set(zip(*(county.moves[c] for c in ("from_id", "to_id", "year")), strict=True))
    for key in sorted({*zip(*(county.move_ages[c] for c in ("from_id", "to_id", "year")), strict=True)} - known):
        problems.append(_problem("move_ages_unknown", str(key[0]), {"origin": key[0], "site": key[1], "year": int(key[2])}, table="move_ages"))
    return problems


def site_pupils(county: County, standards: Standards, people: pd.DataFrame, pupils: pd.DataFrame) -> pd.DataFrame:
    """Compare the pupils of relocation sites with what such sites had in the survey of 2020, aged forward.

    The survey's ratios become children per 1000 persons and year of age: preschool over ages 3-5, primary over 6-11, junior over
    12-14. In year Y a child of age a was aged a-(Y-2020) then; those below 3, and those born since, count as many as a preschool
    year. The prior is the band between that sum and the survey's own ratio: a dated prior, not a standard.

    Parameters
    ----------
    county, standards
        Tables settlements and moves; ``relocation.rate.*``.
    people, pupils
        Tables ``people`` and ``pupils``; where people are only children, the persons of a site are those who moved there.

    Returns
    -------
    pandas.DataFrame
        Table ``site_pupils``: a row a site, year and stage. Sites without known persons have no row, nor have years in which nobody in the
        stage was alive at the survey.

    References
    ----------
    Xinhua via gov.cn, 2020-08-21: 75,300 preschool, 206,500 primary, 100,000 junior of 1.88 million at 842 sites.

    Examples
    --------
    >>> standards = layout.read_standards()
    >>> band = prior_band(standards, 2026, "primary")
    >>> [round(float(n)) for n in band]
    [80, 110]
    """
    sites = county.settlements[(county.settlements["kind"] == "relocation") | county.settlements["settlement_id"].isin(county.moves["to_id"])]
    adults = bool(len(people) and people["age"].max() > _STAGES["junior"][-1] + 5)
    persons = people.groupby(["settlement_id", "year"], observed=True)["persons"].sum() if adults else None
    arrivals = county.moves.assign(persons=county.moves["persons"].fillna(county.moves["households"] * standards["household.size"]))
    stage_of = {g: name for name, ages in _STAGES.items() for g in (a - 5 for a in ages)}
    counts = pupils[pupils["settlement_id"].isin(sites["settlement_id"])].assign(stage=lambda t: t["grade"].map(stage_of))
    sums = counts.groupby(["settlement_id", "year", "stage"], observed=True)["pupils"].sum()
    rows = []
    for site in sites["settlement_id"]:
        for year in sorted(set(pupils["year"])):
            there = arrivals[(arrivals["to_id"] == site) & (arrivals["year"] <= year)]["persons"].sum()
            living = float(persons.get((site, year), 0.0)) if persons is not None else float(there)
            # no child of the survey is left in a stage: nothing is known of these cohorts
            for stage in [s for s, ages in _STAGES.items() if living > 0 and ages[-1] >= year - standards["relocation.rate.year"]]:
                number = float(sums.get((site, year, stage), 0.0))
                low, high = prior_band(standards, year, stage)
                gap = number - np.clip(number, low * living / 1000, high * living / 1000)
                rows.append((site, year, stage, living, number, number / living * 1000, low, high, gap))
    columns = list(schemas()["site_pupils"].columns)
    return check("site_pupils", pd.DataFrame(rows, columns=columns)) if rows else empty("site_pupils")


def site_notes(table: pd.DataFrame) -> tuple[tuple[str, Mapping[str, object]], ...]:
    """Say how many sites have fewer or more pupils than the prior.

    Parameters
    ----------
    table
        Table ``site_pupils``.

    Returns
    -------
    tuple
        A note a year and stage in which sites lie outside, with the sum of the difference below and above.

    Examples
    --------
    >>> site_notes(empty("site_pupils"))
    ()
    """
    notes: list[tuple[str, Mapping[str, object]]] = []
    for (year, stage), rows in table.groupby(["year", "stage"], sort=True):
        gaps = rows["difference"].to_numpy(float)
        if (gaps != 0).any():
            low, high = rows["prior_low"].iloc[0], rows["prior_high"].iloc[0]
            fields = {"year": int(str(year)), "sites": len(rows), "below": int((gaps < 0).sum()), "above": int((gaps > 0).sum()),
                      "short": f"{abs(gaps[gaps < 0].sum()):,.0f}", "over": f"{gaps[gaps > 0].sum():,.0f}",
                      "low": f"{low:.0f}", "high": f"{high:.0f}"}  # fmt: skip
            notes.append((f"population.note.sites_{stage}", fields))
    return tuple(notes)


def prior_band(standards: Standards, year: int, stage: str) -> tuple[float, float]:
    """Return the pupils per 1000 persons that a relocation site may be expected to have.

    Parameters
    ----------
    standards
        ``relocation.rate.*``.
    year
        School year.
    stage
        ``primary`` or ``junior``.

    Returns
    -------
    tuple of float
        The lower and the higher of the survey's ratio and of the same children aged forward.

    Examples
    --------
    >>> [round(n, 1) for n in prior_band(layout.read_standards(), 2020, "junior")]
    [53.2, 53.2]
    """
    rates = {"preschool": (_PRESCHOOL, standards["relocation.rate.preschool"])}
    rates |= {name: (ages, standards[f"relocation.rate.{name}"]) for name, ages in _STAGES.items()}
    by_age: Mapping[int, float] = {a: total / len(ages) for ages, total in rates.values() for a in ages}
    youngest = by_age[_PRESCHOOL[0]]
    passed = year - int(standards["relocation.rate.year"])
    aged = sum(by_age.get(a - passed, youngest) for a in _STAGES[stage])
    survey = standards[f"relocation.rate.{stage}"]
    return min(aged, survey), max(aged, survey)


def _sizes(county: County, standards: Standards, since: int, year: int) -> dict[str, float]:
    """Return the persons of each settlement before the moves of a year, where its total is known."""
    table = county.settlements
    if "persons" not in table:
        return {}
    out = {i: float(n) for i, n in zip(table["settlement_id"], table["persons"], strict=True) if np.isfinite(n)}
    moves = county.moves[(county.moves["year"] > since) & (county.moves["year"] < year)]
    persons = moves["persons"].fillna(moves["households"] * standards["household.size"])
    for earlier in sorted(set(moves["year"])):
        own = (moves["year"] == earlier).to_numpy()
        before = dict(out)
        for origin, to, n, whole in zip(moves["from_id"][own], moves["to_id"][own], persons[own], moves["whole_village"][own], strict=True):
            going = min(before.get(origin, 0.0) if whole and not np.isfinite(n) else float(n), out.get(origin, 0.0))
            for place, change in ((origin, -going), (to, going)):
                if place in out:
                    out[place] += change
    return out


def _by_age(ages: pd.DataFrame, village: np.ndarray) -> np.ndarray:
    out = np.zeros_like(village)
    for counted, sex, persons in zip(ages["age"], ages["sex"], ages["persons"], strict=True):
        age = min(int(counted), village.shape[1] - 1)
        if sex == "both":
            # by the sexes of the village at that age
            own = village[:, age]
            out[:, age] += persons * (own / own.sum() if own.sum() > 0 else 0.5)
        else:
            out[SEXES.index(sex), age] += persons
    return out


def _problem(key: str, value: str, fields: Mapping[str, object], *, table: str = "moves", column: str = "from_id") -> Problem:
    return Problem(key, sheet=schemas()[table].zh, column=schemas()[table].columns[column].zh, value=value, fields=fields)
