"""The age list: everybody by settlement, sex and age on the entry cut-off day, and the rates that carry them on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from layout.attendance import PLACES, incoming_pupils, place_shares, shares_not_one
from layout.cohorts import SEXES, TOLERANCE
from layout.county import County
from layout.grades import MOST_YEARS_BEHIND, entry_shares, grade_shares
from layout.scenario import Scenario
from layout.standards import Standards
from layout.sums import products
from layout.tables import BANDS, GRADES, CountyDataError, Problem, age_span, schemas

DAYS = 365
# an age list that ends above the last childbearing age is one of all residents, its last group open
MOTHERS_END = 49
# nobody bears children outside these ages
MOTHERS = (10, 59)
# ages at the cut-off day from which the level of births is taken
YOUNGEST = 3
# below this many children of the youngest ages a settlement's own mean is noise (about one part in three) and is pooled
POOL_BELOW = 10.0
# so many times the ages before it at the end of a list of children are an open group, several ages in one
OPEN_GROUP = 3.0
# fewer boys per 100 girls than this are a ratio of another unit
SRB_LEAST, SRB_MOST = 10.0, 200.0
# residents of this age are in the last grade
OLDEST_PUPIL = GRADES[-1] + 5


@dataclass(frozen=True)
class AgeList:
    """The age list on the entry cut-off day of ``year``, and all that carries it on.

    Parameters
    ----------
    ids, townships, township
        Settlements, townships, and the township (row) of each settlement.
    year, shift
        Cut-off year of the list, and the share of a year between the cut-off day and the count.
    top, youngest
        Last and first age of the list.
    late, repeat
        Shares of late entry and of repeating.
    sexes
        Shares of girls and boys at birth by settlement.
    counted, persons, newborn
        People of the list as counted; on the cut-off day; infants of the list born after it. By settlement, sex and age.
    survival, alive
        Share that reaches the next age; share of births left at each age.
    migration, to_seat, leaving
        Net migrants, movers to the county seat and movers out of the county, per person and year.
    fertility, level, constant
        Births per woman; the level of the schedule (0 without mothers); births a year of a settlement without known mothers.
    registered, factor
        Registered births of a cohort by township (nan where unknown), and what they are multiplied by (nan: not used).
    scaled
        Whether the people of the cut-off day were brought to a roll, so that the counts no longer say them.
    evidence
        Children on whose number the birth rate of each settlement rests.
    """

    ids: tuple[str, ...]
    townships: tuple[str, ...]
    township: np.ndarray
    year: int
    shift: float
    top: int
    youngest: int
    late: float
    repeat: float
    sexes: np.ndarray
    counted: np.ndarray
    persons: np.ndarray
    newborn: np.ndarray
    survival: np.ndarray
    alive: np.ndarray
    migration: np.ndarray
    to_seat: np.ndarray
    leaving: np.ndarray
    fertility: np.ndarray
    registered: Mapping[int, np.ndarray]
    factor: np.ndarray
    level: float = 0.0
    constant: np.ndarray = field(default_factory=lambda: np.zeros(0))
    scaled: bool = False
    evidence: np.ndarray = field(default_factory=lambda: np.zeros(0))


def age_list(county: County, standards: Standards, scenario: Scenario) -> AgeList:
    """Put the ages of a county on the entry cut-off day, and lay its rates beside them.

    Parameters
    ----------
    county, standards
        Settlements, population, births, rates, history; survival, fertility shape, sex ratio at birth, cut-off day.
    scenario
        ``demand`` says which children are counted.

    Returns
    -------
    AgeList
        See there.

    Raises
    ------
    CountyDataError
        Rates outside their range, shares that do not add up, totals mixed with men and women, registered persons or a roll missing
        where they are asked for: one list.
    ValueError
        An age list or moves of settlements that the county does not have.

    Examples
    --------
    >>> from layout.scenario import Scenario
    >>> found = age_list(paper, layout.read_standards(), Scenario())
    >>> found.year, found.shift, found.top
    (2025, 0.0, 14)
    """
    _refuse(county, scenario)
    ids = tuple(county.settlements["settlement_id"])
    named = {*county.population["settlement_id"].unique(), *county.moves["from_id"], *county.moves["to_id"]}
    unknown = sorted(named - set(ids))
    if unknown:
        raise ValueError(f"population or moves name settlements that the county does not have: {', '.join(unknown[:5])}")
    townships = tuple(sorted({*county.settlements["township_id"], *county.townships["township_id"]}))
    area = {name: i for i, name in enumerate(townships)}
    township = np.array([area[name] for name in county.settlements["township_id"]], dtype=int)
    boys = _by_area(county, "srb", area, np.full((2, 1), standards["fertility.srb"]))[township, 0, 0]
    sexes = np.stack([100 / (100 + boys), boys / (100 + boys)], axis=1)
    late, repeat = entry_shares(county.grade_ages, standards)
    behind = MOST_YEARS_BEHIND if late > 0 or repeat > 0 else 0
    counted, top = _counted(county, ids, sexes, registered=scenario.demand == "registered", oldest=OLDEST_PUPIL + behind)
    problems: list[Problem] = []
    counted = counted * control_factor(county, county.base_year, counted, problems)
    if problems:
        raise CountyDataError(problems)
    cutoff, shift = cutoff_day(county, standards)
    youngest = int(np.argmax(counted[:, :, : OLDEST_PUPIL + 1].sum(axis=(0, 1)) > 0))
    last = top
    if behind and OLDEST_PUPIL <= top <= MOTHERS_END:
        # pupils who are behind are older than a list of children goes: as many as at its last age
        last = counted.shape[2] - 1
        counted[:, :, top + 1 :] = counted[:, :, top : top + 1]
    # people above the last age of the list: nobody in an open group, as many as at the last age in a list of children
    above = np.roll(counted, -1, axis=2)
    above[:, :, last:] = 0.0 if top > MOTHERS_END else counted[:, :, last:]
    persons = (1 - shift) * counted + shift * above
    persons[:, :, :youngest] = 0.0
    ages = counted.shape[2]
    standard = np.ones((2, ages))
    for low, high, value in _spans(standards, "survival."):
        standard[:, low:] = value ** (1 / (high - low))
    survival = _by_area(county, "survival", area, standard)[township]
    alive = np.cumprod(np.concatenate([np.ones_like(survival[:, :, :1]), survival[:, :, :-1]], axis=2), axis=2)
    # days of a plain year up to the cut-off day: the children of a calendar year that belong to its cohort
    early = cutoff.replace(year=2001).timetuple().tm_yday / DAYS
    net, to_seat, leaving = (_by_area(county, rate, area, np.zeros((2, ages)))[township] for rate in ("migration", "to_seat", "out_of_county"))
    if (to_seat + leaving > 1 + TOLERANCE).any():
        place = int(np.argmax((to_seat + leaving).max(axis=(1, 2))))
        age = int(np.argmax((to_seat + leaving)[place].max(axis=0)))
        fields = {"area": townships[township[place]], "age": age}
        raise CountyDataError([people_problem("rate_leaving", "rates", "value", f"{(to_seat + leaving)[place].max():g}", fields)])
    found = AgeList(
        ids, townships, township, cutoff.year, shift, top, youngest, late, repeat, sexes, counted, persons, shift * counted[:, :, 0], survival,
        np.maximum(alive, TOLERANCE), net, to_seat, leaving, _fertility(county, standards, area, ages)[township],
        _registered(county, townships, early), np.full(len(townships), np.nan),
    )  # fmt: skip
    if scenario.demand == "roll":
        found = _at_the_roll(found, county, standards, scenario)
    factor = township_factors(found, compared_cohorts(found, county, standards), pooled=ages_are_assumed(county))
    return _with_births(replace(found, factor=factor))


def cutoff_day(county: County, standards: Standards) -> tuple[dt.date, float]:
    """Return the last entry cut-off day up to the count, and the share of a year from it to the count.

    Parameters
    ----------
    county, standards
        Base date; ``entry.cutoff``.

    Returns
    -------
    tuple of datetime.date and float
        The day, and days since it / 365.

    Examples
    --------
    >>> cutoff_day(paper, layout.read_standards())
    (datetime.date(2025, 8, 31), 0.0)
    """
    month, number = (int(part) for part in str(standards.rules["entry.cutoff"].value).split("-"))
    day = county.base_date
    cutoff = dt.date(day.year - (day < dt.date(day.year, month, number)), month, number)
    return cutoff, (day - cutoff).days / DAYS


def compared_cohorts(base: AgeList, county: County, standards: Standards) -> pd.DataFrame:
    """Compare registered births with the same cohorts on the age list, or, where there are none, in grade 1.

    Parameters
    ----------
    base, county, standards
        An age list with its registered births; history and schools for grade 1; age of entry.

    Returns
    -------
    pandas.DataFrame
        year (of the cohort), township_id (empty for the whole county in grade 1), age, against (age_list or grade_1), births,
        expected (births that survive to the age), children.

    Examples
    --------
    >>> from layout.scenario import Scenario
    >>> standards = layout.read_standards()
    >>> len(compared_cohorts(age_list(paper, standards, Scenario()), paper, standards))
    0
    """
    rows: list[tuple[object, ...]] = []
    entry = int(standards["entry.age"])
    intake = county.history[county.history["grade"] == GRADES[0]].groupby("year")["pupils"].sum()
    outside = county.incoming.loc[county.incoming["band"] == "lower", "pupils"].sum() / len(BANDS["lower"])
    grade_one = []
    for cohort, births in base.registered.items():
        age, known = base.year - cohort, np.isfinite(births)
        left = np.ones((len(births), base.alive.shape[2]))
        left[base.township] = (base.alive * base.sexes[:, :, None]).sum(axis=1)
        if base.youngest <= age <= min(base.top, OLDEST_PUPIL):
            children = np.bincount(base.township, base.persons[:, :, age].sum(axis=1), minlength=len(births))
            rows += [(cohort, base.townships[i], age, "age_list", births[i], births[i] * left[i, age], children[i]) for i in np.flatnonzero(known)]
        if known.all() and cohort + entry in intake.index:
            expected = float((births * left[:, entry]).sum())
            grade_one.append((cohort, "", entry, "grade_1", births.sum(), expected, float(intake[cohort + entry]) - outside))
    columns = ["year", "township_id", "age", "against", "births", "expected", "children"]
    return pd.DataFrame(rows or grade_one, columns=columns).astype({"births": float, "expected": float, "children": float})


def ages_are_assumed(county: County) -> bool:
    """Say whether the ages of the settlements were split or modelled and not counted.

    Parameters
    ----------
    county
        Table assumptions.

    Returns
    -------
    bool
        True where ``population.persons`` is an assumed column.

    Examples
    --------
    >>> ages_are_assumed(paper)
    False
    """
    return bool(((county.assumptions["table"] == "population") & (county.assumptions["column"] == "persons")).any())


def township_factors(base: AgeList, cohorts: pd.DataFrame, *, pooled: bool = False) -> np.ndarray:
    """Return what registered births of each township are multiplied by: its own ratio, shrunk to the county's.

    The ratio of children to expected births of a township is a Poisson rate with the township's expected births as exposure; it is
    shrunk by the share of the variance between townships that is chance (empirical Bayes by moments).

    Parameters
    ----------
    base
        Townships in order.
    cohorts
        From :func:`compared_cohorts`.
    pooled
        The county's ratio for every township: where ages were assumed, a township's own ratio would undo what its births tell.

    Returns
    -------
    numpy.ndarray
        Factor by township; the county's where a township has no comparison, nan everywhere where nobody has any.

    References
    ----------
    Marshall (1991), Mapping disease and mortality rates using empirical Bayes estimators, Applied Statistics 40(2).

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> rows = pd.DataFrame({"township_id": ["T1", "T2"], "expected": [100.0, 1000.0], "children": [150.0, 1000.0]})
    >>> township_factors(SimpleNamespace(townships=("T1", "T2", "T3")), rows).round(3).tolist()
    [1.337, 1.002, 1.045]
    """
    out = np.full(len(base.townships), np.nan)
    total = cohorts["expected"].sum()
    if total <= 0:
        return out
    mean = float(cohorts["children"].sum() / total)
    out[:] = mean
    own = cohorts[cohorts["township_id"] != ""].groupby("township_id")[["expected", "children"]].sum()
    own = own[own["expected"] > 0]
    if len(own) > 1 and not pooled:
        ratio = own["children"] / own["expected"]
        spread = float((own["expected"] * (ratio - mean) ** 2).sum() / own["expected"].sum())
        between = max(spread - mean / float(own["expected"].mean()), 0.0)
        weight = between / (between + mean / own["expected"]) if between > 0 else 0.0
        out[[base.townships.index(t) for t in own.index]] = mean + weight * (ratio - mean)
    return out


def births_to(base: AgeList, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the births of a year by settlement at the level of the schedule itself.

    Parameters
    ----------
    base
        Fertility by settlement.
    start, end
        People at both ends of the year.

    Returns
    -------
    numpy.ndarray
        Births by settlement, on the mean of the women of both ends.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> women = np.array([[[10.0], [0.0]]])
    >>> births_to(SimpleNamespace(fertility=np.array([[0.1]])), women, women * 3)
    array([2.])
    """
    return (base.fertility * (start[:, 0] + end[:, 0]) / 2).sum(axis=1)


def spread_cohort(base: AgeList, cohort: int, weights: np.ndarray) -> np.ndarray:
    """Share the registered births of a cohort, times their factor, out by weight.

    Parameters
    ----------
    base
        Registered births and factors.
    cohort
        Year in which the cohort's twelve months end.
    weights
        Births expected of each settlement.

    Returns
    -------
    numpy.ndarray
        Births by settlement; townships that did not register the cohort, and those without any weight, keep their weights.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> base = SimpleNamespace(townships=("T1",), township=np.array([0, 0]), factor=np.array([1.2]), registered={2026: np.array([10.0])})
    >>> spread_cohort(base, 2026, np.array([1.0, 3.0]))
    array([3., 9.])
    """
    totals = base.factor * base.registered.get(cohort, np.full(len(base.townships), np.nan))
    sums = np.bincount(base.township, weights, minlength=len(base.townships))
    ratio = np.divide(totals, sums, out=np.ones_like(sums), where=np.isfinite(totals) & (sums > 0))
    return weights * ratio[base.township]


def _counted(county: County, ids: tuple[str, ...], sexes: np.ndarray, *, registered: bool, oldest: int) -> tuple[np.ndarray, int]:
    table, column = county.population, "registered" if registered else "persons"
    age, sex = table["age"].to_numpy(int), table["sex"].to_numpy(object)
    top = int(age.max()) if len(age) else 0
    # children must be able to grow up to the last grade even where the list holds only the small ones
    out = np.zeros((len(ids), 2, max(top, oldest) + 1))
    place = pd.Index(ids).get_indexer(pd.Index(table["settlement_id"]))
    for i, name in enumerate(SEXES):
        weight = np.where(sex == name, 1.0, np.where(sex == "both", sexes[place, i], 0.0))
        np.add.at(out[:, i], (place, age), table[column].to_numpy(float) * weight)
    return out, top


def _spans(standards: Standards, prefix: str) -> list[tuple[int, int, float]]:
    # keys such as survival.1_6: first and last age, value
    keys = [key for key in standards.rules if key.startswith(prefix)]
    ages = [[int(n) for n in key.removeprefix(prefix).split("_")] for key in keys]
    return sorted((low, high, standards[key]) for key, (low, high) in zip(keys, ages, strict=True))


def _fertility(county: County, standards: Standards, areas: Mapping[str, int], ages: int) -> np.ndarray:
    shape = np.zeros(ages)
    for low, high, value in _spans(standards, "fertility.shape."):
        shape[low : high + 1] = value / 1000
    given = county.rates[(county.rates["rate"] == "fertility") & (county.rates["sex"] != "male") & (county.rates["age"] < ages)]
    # a schedule is whole: ages that it leaves out have no births
    schedules: dict[str, np.ndarray] = {}
    for area, age, value in zip(given["area_id"].replace(county.code, ""), given["age"], given["value"], strict=True):
        schedules.setdefault(area, np.zeros(ages))[int(age)] = value
    return np.stack([schedules.get(area, schedules.get("", shape)) for area in areas])


def _by_area(county: County, rate: str, areas: Mapping[str, int], default: np.ndarray) -> np.ndarray:
    out = np.array(np.broadcast_to(default, (len(areas), *default.shape)))
    given = county.rates[(county.rates["rate"] == rate) & (county.rates["age"] < default.shape[1])]
    # later figures overwrite: the county's, then the township's; within each both sexes, then one
    order = given.assign(own=~given["area_id"].isin(["", county.code]), one=given["sex"] != "both").sort_values(["own", "one"], kind="stable")
    for area, age, sex, value in zip(*(order[c] for c in ("area_id", "age", "sex", "value")), strict=True):
        out[areas.get(area, slice(None)), slice(None) if sex == "both" else SEXES.index(sex), int(age)] = value
    return out


def _registered(county: County, townships: tuple[str, ...], early: float) -> dict[int, np.ndarray]:
    # births by cohort year and township; nan where one of the two calendar years is not registered
    wide = county.births.pivot(index="year", columns="township_id", values="births").reindex(columns=list(townships))
    by_year = {int(y): row for y, row in zip(wide.index, wide.to_numpy(float), strict=True)}
    cohorts = {t: (1 - early) * by_year[t - 1] + early * by_year[t] for t in sorted(by_year) if t - 1 in by_year}
    return {t: row for t, row in cohorts.items() if np.isfinite(row).any()}


def _with_births(base: AgeList) -> AgeList:
    mean = _pooled(base, base.persons[:, :, base.youngest : base.youngest + YOUNGEST].sum(axis=(1, 2)) / YOUNGEST)
    persons = base.persons.copy()
    for age in range(base.youngest):
        # the mean is of children counted, registered births must still survive to the age
        known = np.isfinite(base.factor * base.registered.get(base.year - age, np.full(len(base.townships), np.nan)))
        left = np.where(known[base.township, None], base.alive[:, :, age], 1.0)
        persons[:, :, age] = spread_cohort(base, base.year - age, mean)[:, None] * base.sexes * left
    base = replace(base, persons=persons)
    young = persons[:, :, :YOUNGEST]
    # the level is right when the mothers of the last years have borne the births of which the youngest are left
    past = [persons]
    for _ in range(YOUNGEST):
        # a year earlier everybody was a year younger; without migration
        past.append(np.zeros_like(persons))
        past[-1][:, :, :-1] = past[-2][:, :, 1:] * base.alive[:, :, :-1] / base.alive[:, :, 1:]
    borne = sum(births_to(base, past[back + 1], past[back]).sum() for back in range(YOUNGEST))
    level = float((young / base.alive[:, :, :YOUNGEST]).sum() / borne) if base.top > MOTHERS_END and borne > 0 else 0.0
    # a mean of ages 0-2 rests on these children, a share of the township or of its mothers on all of the settlement's
    counted, listed = young.sum(axis=(1, 2)), persons[:, :, : OLDEST_PUPIL + 1].sum(axis=(1, 2))
    evidence = np.where((counted < POOL_BELOW) | (level > 0), listed, counted)
    return replace(base, level=level, constant=_pooled(base, counted / YOUNGEST), evidence=evidence)


def _pooled(base: AgeList, mean: np.ndarray) -> np.ndarray:
    # small settlements of a township share its mean in proportion to all their children, so that the township's sum stays
    small = mean * YOUNGEST < POOL_BELOW
    children = np.where(small, base.persons[:, :, : OLDEST_PUPIL + 1].sum(axis=(1, 2)), 0.0)
    size = len(base.townships)
    pool, weight = (np.bincount(base.township, w, minlength=size) for w in (np.where(small, mean, 0.0), children))
    share = np.divide(pool, weight, out=np.zeros(size), where=weight > 0)
    return np.where(small, children * share[base.township], mean)


def _at_the_roll(base: AgeList, county: County, standards: Standards, scenario: Scenario) -> AgeList:
    """Scale the children of each grade to the school roll of the base year, the younger ones as grades 1-3.

    Grades that the roll does not have keep their children. Children of an age who sit in several grades take the mean of their ratios.
    """
    roll = _roll(county)
    shares = place_shares(county, base.townships, years=[county.base_year], scenario=scenario)[base.township, 0]
    near, seat = incoming_pupils(county, base.ids, base.persons.sum(axis=(1, 2)))
    outside = (near + seat).sum(axis=0)
    beyond = [g for g in GRADES if roll[g - 1] < outside[g - 1]]
    if beyond:
        fields = {"grades": ", ".join(str(g) for g in beyond)}
        raise CountyDataError([people_problem("roll_below_incoming", "incoming", "pupils", "", fields)])
    # a list of the year before is a year younger than the pupils of the base year
    younger = county.base_year - base.year
    first = int(standards["entry.age"]) - younger
    sitting = grade_shares(base.late, base.repeat)[: min(len(GRADES) + MOST_YEARS_BEHIND, base.persons.shape[2] - first)]
    ages = slice(first, first + len(sitting))
    children = (base.persons * (base.survival if younger else 1.0)).sum(axis=1)[:, ages]
    stay = 1 - np.repeat(shares[:, :, PLACES.index("out_of_county")], [len(grades) for grades in BANDS.values()], axis=1)
    here = (products(children, sitting) * stay).sum(axis=0) * standards["enrolment.participation"]
    ratio = np.divide(roll - outside, here, out=np.ones(len(GRADES)), where=np.isfinite(roll) & (here > 0))
    by_age = np.ones(base.persons.shape[2])
    total = sitting.sum(axis=1)
    by_age[ages] = np.divide(products(sitting, ratio), total, out=np.full(len(sitting), ratio[-1]), where=total > 0)
    lower = products(children, sitting).sum(axis=0)[: len(BANDS["lower"])]
    by_age[:first] = float(np.average(ratio[: len(BANDS["lower"])], weights=lower)) if lower.sum() > 0 else 1.0
    return replace(base, persons=base.persons * by_age, counted=base.counted * by_age, newborn=base.newborn * by_age[0], scaled=True)


def _roll(county: County) -> np.ndarray:
    # nan where the roll does not have a grade
    table = county.rosters if len(county.rosters) else county.history[county.history["year"] == county.base_year]
    return table.groupby("grade")["pupils"].sum().reindex(list(GRADES)).to_numpy(float)


def control_factor(county: County, year: int, state: np.ndarray, problems: list[Problem]) -> np.ndarray:
    """Return the factor by age that brings the county's people to the control totals of a year.

    Parameters
    ----------
    county
        Table controls.
    year
        The base year, or a year of the projection.
    state
        People by settlement, sex and age.
    problems
        Gets a problem for each control that cannot be used.

    Returns
    -------
    numpy.ndarray
        Factor by age; 1 where there is no control.

    Examples
    --------
    >>> control_factor(paper, 2025, np.ones((1, 2, 15)), [])[0]
    np.float64(1.0)
    """
    rows = county.controls[county.controls["year"] == year]
    out = np.ones(state.shape[2])
    seen = np.zeros(state.shape[2], bool)
    for text, persons in zip(rows["age_group"], rows["persons"], strict=True):
        low, high = age_span(text) or (0, -1)
        own = slice(low, None if high is None else high + 1)
        people = state[:, :, own].sum()
        beyond = (state.shape[2] - 1 if high is None else high) >= state.shape[2] or (high is None and state.shape[2] <= MOTHERS_END)
        if seen[own].any() or low >= state.shape[2] or beyond or (people <= 0 and persons > 0):
            problems.append(people_problem("control_unusable", "controls", "age_group", text, {"year": year, "last": state.shape[2] - 1}))
            continue
        seen[own] = True
        out[own] = persons / people if people > 0 else 1.0
    return out


def people_problem(key: str, table: str, column: str, value: object, fields: Mapping[str, object]) -> Problem:
    """Make a problem that names a sheet and a heading.

    Parameters
    ----------
    key, table, column, value, fields
        Of the message; where; what stands there; what the sentence fills in.

    Returns
    -------
    Problem
        With the Chinese names of sheet and heading.

    Examples
    --------
    >>> people_problem("rate_srb", "rates", "value", 1.1, {"area": "T1", "age": 0}).sheet
    '人口参数'
    """
    return Problem(key, sheet=schemas()[table].zh, column=schemas()[table].columns[column].zh, value=str(value), fields=fields)


def _refuse(county: County, scenario: Scenario) -> None:
    table = county.population
    twice = table[table.duplicated(["settlement_id", "age"], keep=False) & (table["sex"] == "both")]
    problems = []
    for name, age in zip(twice["settlement_id"], twice["age"], strict=True):
        problems.append(people_problem("sexes_and_total", "population", "sex", name, {"settlement": name, "age": int(age)}))
    for township, band, total in shares_not_one(county):
        problems.append(people_problem("shares_not_one", "attendance", "share", f"{total:.6g}", {"township": township, "band": band}))
    rates, rate, value = county.rates, county.rates["rate"], county.rates["value"]
    known = ["", county.code, *county.townships["township_id"], *county.settlements["township_id"]]
    wrong = {
        "rate_survival": (rate == "survival") & ((value < 0) | (value > 1)),
        "rate_fertility": (rate == "fertility") & ((value < 0) | (value > 1)),
        "rate_migration": (rate == "migration") & ((value < -1) | (value > 1)),
        "rate_share": rate.isin(["to_seat", "out_of_county"]) & ((value < 0) | (value > 1)),
        # boys per girl, about 1.1, where boys per 100 girls are meant, or another age than that of birth
        "rate_srb": (rate == "srb") & ((value < SRB_LEAST) | (value > SRB_MOST) | (rates["age"] != 0)),
        "rate_area": ~rates["area_id"].isin(known),
        "rate_age": (rate == "fertility") & ((rates["age"] < MOTHERS[0]) | (rates["age"] > MOTHERS[1])),
    }
    for key, mask in wrong.items():
        column = {"rate_area": "area_id", "rate_age": "age"}.get(key, "value")
        for area, age, cell in zip(*(rates.loc[mask, c] for c in ("area_id", "age", column)), strict=True):
            problems.append(people_problem(key, "rates", column, cell, {"area": area or county.code, "age": int(age)}))
    inhabited = set(county.settlements["township_id"])
    for township in sorted(set(county.incoming["township_id"]) - inhabited):
        problems.append(people_problem("incoming_nowhere", "incoming", "township_id", township, {"township": township}))
    ages = table.groupby("age")["persons"].sum()
    if len(ages) > 3 and OLDEST_PUPIL <= (top := int(ages.index[-1])) <= MOTHERS_END and ages.iloc[-1] > OPEN_GROUP * ages.iloc[-4:-1].max() > 0:
        problems.append(people_problem("age_open_young", "population", "age", top, {"age": top, "persons": f"{ages.iloc[-1]:,.0f}"}))
    if scenario.demand == "registered" and (lacking := sorted(set(table.loc[table["registered"].isna(), "settlement_id"]))):
        fields = {"count": len(lacking), "names": ", ".join(lacking[:5])}
        problems.append(people_problem("registered_missing", "population", "registered", len(lacking), fields))
    if scenario.demand == "roll" and not np.nansum(_roll(county)) > 0:
        problems.append(people_problem("no_roll", "rosters", "pupils", "", {"year": county.base_year}))
    if problems:
        raise CountyDataError(problems)
