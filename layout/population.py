"""Who will be of school age: the age list carried on by survival, births, migration and relocation, and the pupils they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from layout.age_list import (
    MOTHERS_END,
    OLDEST_PUPIL,
    AgeList,
    age_list,
    births_to,
    compared_cohorts,
    control_factor,
    people_problem,
    spread_cohort,
)  # fmt: skip
from layout.attendance import PLACES, incoming_pupils, place_shares
from layout.cohorts import SEXES, age_on
from layout.county import County
from layout.grades import MOST_YEARS_BEHIND, grade_shares
from layout.relocation import Flow, move_flows, move_problems, moved
from layout.scenario import Scenario, check_scenario
from layout.standards import Standards
from layout.sums import products
from layout.tables import BANDS, GRADES, CountyDataError, check, empty

ATTENDS = ("away", "county_seat", "home")
# the 10 % quantile of a normal distribution: the path of the low and high variant
TENTH = 1.2815515655446004


def project_people(county: County, standards: Standards, *, years: Sequence[int], scenario: Scenario | None = None) -> pd.DataFrame:
    """Project the residents of every settlement by sex and single age.

    The year Y is the state on the entry cut-off day (``entry.cutoff``) of Y. Ages counted on another day are shifted to the
    cut-off day before it, K(a) = (1-f) N(a) + f N(a+1) with f = days since then / 365; the part f of the infants, born later,
    becomes part of the next cohort, so nobody on the list is lost. A year does, in this order: everybody grows a year older and
    survives, children are born, net migration, movers to the county seat (to its settlements by their people) and out of the
    county, relocation moves, control totals.

    Survival from completed age a to a+1 is the township's or county's, else that of the standards, spread geometrically over the
    years of each interval and the last one kept beyond. For adults that is too high, and the old are no forecast: adults count
    here only as mothers aged 15-49, whose deaths are far below the error of the birth level.

    Cohorts born after the list are, in this order: registered births of the township times its factor (:func:`birth_factor`), where
    both calendar years are registered and past cohorts tell the factor; births to mothers, with the shape of ``fertility.shape.*``
    (or of the fertility rates) at the level that reproduces the county's children aged 0-2; where the list ends before mothers do,
    each settlement's mean of ages 0-2, unchanged (settlements with few of them share their township's in proportion to all
    their children). Youngest ages that the list lacks are filled in the same way, without the mothers. Infant loss is taken
    between ages 0 and 1, so a cohort starts as the children that are counted, not as the births registered.

    A move goes in its year (:func:`layout.relocation.move_flows`); those up to the cut-off day of the list are in the counts already.
    Moves of one year are simultaneous. Births expected of a settlement without known mothers move with its people. Where ``controls``
    give a total, the people of its ages are multiplied to it and carried on so.

    Parameters
    ----------
    county, standards
        Settlements, population, births, rates and moves; survival, fertility shape, sex ratio at birth and cut-off day. Persons of
        sex ``both`` are split by the sex ratio at birth.
    years
        Years to return, none before the cut-off year of the base date.
    scenario
        What is supposed beyond the data; None: residents, middle path.

    Returns
    -------
    pandas.DataFrame
        Table ``people``, sorted by its key: settlement_id, year, age, sex (ids and sexes are categoricals), persons (expected,
        fractional). Cells without anybody have no row. The last age is open where the list has adults (above 49); otherwise
        people leave the table above its last age, at least 14.

    Raises
    ------
    CountyDataError
        Moves larger than their village or without a usable number, rates outside their range, totals mixed with men and women.
    ValueError
        Years before the age list, or an age list of settlements that the county does not have.

    References
    ----------
    Preston, Heuveline & Guillot (2001), Demography, ch. 6: cohort components, births on the mean of the women at both ends.

    Examples
    --------
    >>> people = project_people(paper, layout.read_standards(), years=[2026])
    >>> people[(people.settlement_id == "A") & (people.age == 1)].persons.round(3).tolist()  # girls, boys
    [4.712, 5.231]
    """
    wanted = sorted({int(y) for y in years})
    if not wanted:
        return empty("people")
    scenario = check_scenario(scenario)
    base = age_list(county, standards, scenario)
    if wanted[0] < base.year:
        raise ValueError(f"years must not be before {base.year}, the cut-off year of the age list, not {wanted[0]}")
    steps = carry_on(base, county, standards, last=wanted[-1], scenario=scenario)
    # settlement, year, age, sex: the order of the key
    cube = np.stack([steps[y].state for y in wanted], axis=1).transpose(0, 1, 3, 2)
    there = cube > 0
    # millions of rows: categoricals in key order, made sorted instead of being sorted and checked
    axes = [np.arange(n).reshape([-1 if i == axis else 1 for i in range(4)]) for axis, n in enumerate(cube.shape)]
    codes = [np.broadcast_to(axes[i].astype("int8" if i == 3 else "int32"), cube.shape)[there] for i in (0, 3)]
    return pd.DataFrame(
        {
            "settlement_id": pd.Categorical.from_codes(codes[0], pd.Index(base.ids), validate=False),
            "year": np.broadcast_to(np.array(wanted)[axes[1]], cube.shape)[there], "age": np.broadcast_to(axes[2], cube.shape)[there],
            "sex": pd.Categorical.from_codes(codes[1], pd.Index(SEXES), validate=False), "persons": cube[there],
        }
    )  # fmt: skip


def project_pupils(county: County, standards: Standards, *, years: Sequence[int], scenario: Scenario | None = None) -> pd.DataFrame:
    """Project the pupils of every settlement by grade and by the place where they study.

    Grade g of year Y are the residents aged g+5 on the cut-off day of Y (``entry.age`` in grade 1: 义务教育法 §11), less those who
    enter late or repeat (:func:`layout.grades.grade_shares`), times ``enrolment.participation``. The shares of their township and
    grade band in ``attendance`` say where they study: home and other townships count as ``home`` (a school is sought among all),
    county_seat as ``county_seat``, except for residents of a township of the seat, who are at home there, and out_of_county as
    ``away``. Townships without shares send everybody ``home``. Pupils from outside the county (``incoming``) are added where they
    study, as many every year.

    Parameters
    ----------
    county, standards
        As for :func:`project_people`; and townships, attendance, incoming, and the age of entry.
    years
        School years, none before ``county.base_year``.
    scenario
        What is supposed beyond the data; None: residents, shares of attendance as they are, middle path.

    Returns
    -------
    pandas.DataFrame
        Table ``pupils``: settlement_id, year, grade, attends, pupils (expected, fractional). No row where there is nobody.

    Raises
    ------
    CountyDataError
        As :func:`project_people`; an age list that ends before the ages of the grades; shares that do not add up to 1.
    ValueError
        Years before the base year.

    Examples
    --------
    >>> pupils = project_pupils(paper, layout.read_standards(), years=[2025, 2031])
    >>> pupils[(pupils.settlement_id == "A") & (pupils.grade == 1)].pupils.round(3).tolist()
    [10.0, 9.924]
    """
    wanted = sorted({int(y) for y in years})
    if not wanted:
        return empty("pupils")
    scenario = check_scenario(scenario)
    base = age_list(county, standards, scenario)
    children = children_by_grade(base, county, standards, years=wanted, scenario=scenario)
    cube = _studying(base, county, children, years=wanted, scenario=scenario)
    place, year, grade, where = np.nonzero(cube > 0)
    frame = pd.DataFrame(
        {
            "settlement_id": np.array(base.ids, object)[place], "year": np.array(wanted)[year], "grade": np.array(GRADES)[grade],
            "attends": np.array(ATTENDS, object)[where], "pupils": cube[place, year, grade, where],
        }
    )  # fmt: skip
    return check("pupils", frame)


def children_by_grade(base: AgeList, county: County, standards: Standards, *, years: Sequence[int], scenario: Scenario) -> np.ndarray:
    """Return the resident children of every settlement who sit in each grade, wherever they study.

    Parameters
    ----------
    base
        From :func:`layout.age_list.age_list`.
    county, standards, scenario
        As for :func:`project_pupils`.
    years
        School years, rising.

    Returns
    -------
    numpy.ndarray
        Settlement, year, grade: expected children.

    Raises
    ------
    CountyDataError
        An age list that ends before the ages of the grades.
    ValueError
        Years before the base year.

    Examples
    --------
    >>> standards, plain = layout.read_standards(), Scenario()
    >>> base = age_list(paper, standards, plain)
    >>> children_by_grade(base, paper, standards, years=[2025], scenario=plain)[0, 0].round(3).tolist()
    [10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0]
    """
    if years[0] < (first := max(county.base_year, base.year)):
        raise ValueError(f"years must not be before {first}, the first year of the data, not {years[0]}")
    entry = int(standards["entry.age"])
    behind = MOST_YEARS_BEHIND if base.late > 0 or base.repeat > 0 else 0
    oldest = entry + GRADES[-1] - 1
    # a list up to the last grade's age is carried on to those who are behind
    needed = oldest + (behind if base.top < oldest else 0) - (years[0] - base.year)
    if base.top < needed:
        raise CountyDataError([people_problem("age_list_short", "population", "age", base.top, {"last": base.top, "needed": needed})])
    steps = carry_on(base, county, standards, last=years[-1], scenario=scenario)
    shares = grade_shares(base.late, base.repeat)[: len(GRADES) + behind]
    ages = slice(entry, entry + len(shares))
    return np.stack([products(steps[y].state.sum(axis=1)[:, ages], shares) for y in years], axis=1) * standards["enrolment.participation"]


@dataclass(frozen=True)
class Step:
    """One year of a projection.

    Parameters
    ----------
    year
        Its cut-off day ends the year.
    births
        Children expected of the cohort by settlement, before migration.
    migration
        Factor of the scenario's path on everybody.
    arrived, moving
        People after survival, births and net migration, and after movers to the seat and out of the county: those who may move.
    flows
        Moves of the year, see :func:`layout.relocation.move_flows`.
    control
        Factor of the control totals by age.
    state
        People by settlement, sex and age at the end of the year.
    """

    year: int
    births: np.ndarray
    migration: float
    arrived: np.ndarray
    moving: np.ndarray
    flows: tuple[Flow, ...]
    control: np.ndarray
    state: np.ndarray


def carry_on(base: AgeList, county: County, standards: Standards, *, last: int, scenario: Scenario) -> dict[int, Step]:
    """Carry the age list on, year by year.

    Parameters
    ----------
    base
        From :func:`layout.age_list.age_list`.
    county, standards
        Moves, controls; drifts of the low and high variant.
    last
        Last year.
    scenario
        ``variant``.

    Returns
    -------
    dict
        A step a year, from the year of the list (without births and moves) on.

    Raises
    ------
    CountyDataError
        Everything that is wrong with the moves.

    Examples
    --------
    >>> standards = layout.read_standards()
    >>> steps = carry_on(age_list(paper, standards, Scenario()), paper, standards, last=2027, scenario=Scenario())
    >>> sorted(steps), steps[2027].state.shape
    ([2025, 2026, 2027], (5, 2, 15))
    """
    problems = move_problems(county, last=last)
    constant = base.constant
    steps = {base.year: Step(base.year, np.zeros(len(base.ids)), 1.0, base.persons, base.persons, (), np.ones(base.persons.shape[2]), base.persons)}
    drift = {"low": -TENTH, "medium": 0.0, "high": TENTH}[scenario.variant]
    for year in range(base.year + 1, last + 1):
        # the 10 % path of a random walk is as far out as the root of the years; a net rate changes by the step between two years
        root, before = np.sqrt(year - base.year), np.sqrt(year - base.year - 1)
        births = float(np.exp(drift * standards["uncertainty.births.county"] * root))
        migration = float(np.exp(drift * standards["uncertainty.migration.county"] * (root - before)))
        arrived, cohort = _next_year(base, steps[year - 1].state, constant, year, births=births, migration=migration)
        moving = state = _to_the_seat(base, county, arrived)
        flows, found = move_flows(county, standards, state, base.ids, year=year, since=base.year, all_ages=base.top > MOTHERS_END)
        problems += found
        constant = _with_people(constant, state, flows)
        state = moved(state, flows)
        control = control_factor(county, year, state, problems) if year != county.base_year else np.ones(state.shape[2])
        steps[year] = Step(year, cohort, migration, arrived, moving, tuple(flows), control, state * control)
    if problems:
        raise CountyDataError(problems)
    return steps


def expected_births(base: AgeList, before: np.ndarray, survivors: np.ndarray, constant: np.ndarray, year: int, *, scale: float = 1.0) -> np.ndarray:
    """Return the cohort that the year before the cut-off day of ``year`` brings, by settlement.

    Parameters
    ----------
    base
        From :func:`layout.age_list.age_list`.
    before, survivors
        People a year earlier, and those who survived the year.
    constant
        Births of settlements without known mothers.
    year
        Cohort.
    scale
        Of births that are not registered.

    Returns
    -------
    numpy.ndarray
        Expected children by settlement: registered births times their factor, else births to mothers, else the constant.

    Examples
    --------
    >>> base = age_list(paper, layout.read_standards(), Scenario())
    >>> expected_births(base, base.persons, base.persons, base.constant, 2026).tolist()
    [10.0, 8.0, 12.0, 20.0, 6.0]
    """
    cohort = base.level * births_to(base, before, survivors) if base.level else constant
    return spread_cohort(base, year, cohort * scale)


def birth_factor(county: County, standards: Standards) -> pd.DataFrame:
    """Compare registered births with the children of the same cohorts on the age list, or in grade 1.

    A cohort t was born in the twelve months up to the cut-off day of t: for 31 August 122/365 of the births of t-1 and 243/365 of
    those of t. Only townships that registered both years are compared, up to age 14. Where no cohort is on the list too, grade 1 of
    ``history`` (less incoming pupils) stands for it. In Guizhou residents aged 0-15 run about a quarter above bulletin births.

    Parameters
    ----------
    county, standards
        Births, population, history; cut-off day, age of entry and survival.

    Returns
    -------
    pandas.DataFrame
        One row per cohort that both have, by year: year, age, births (registered), expected (births that survive to the age),
        children (of the list), ratio (children to expected). ``attrs["factor"]`` is the county's ratio of the sums; 1.0 where nothing
        can be compared (no rows): births are then not used. Each township's own factor: :func:`entry_ratios`.

    Examples
    --------
    >>> birth_factor(paper, layout.read_standards()).attrs["factor"]
    1.0
    """
    cohorts = compared_cohorts(age_list(county, standards, Scenario()), county, standards)
    table = cohorts.groupby(["year", "age"], sort=True)[["births", "expected", "children"]].sum().reset_index()
    table["ratio"] = table["children"] / table["expected"].where(table["expected"] > 0)
    total = table["expected"].sum()
    table.attrs["factor"] = float(table["children"].sum() / total) if total > 0 else 1.0
    return table.astype({"year": "int64", "age": "int64"})


def entry_ratios(county: County, standards: Standards) -> pd.DataFrame:
    """Return what the registered births of each township are multiplied by, and the figures behind it.

    Parameters
    ----------
    county, standards
        As for :func:`birth_factor`.

    Returns
    -------
    pandas.DataFrame
        township_id, births, expected, children (sums over the cohorts compared), ratio, factor (the ratio shrunk to the county's; empty
        where births are not used). One row a township of the county.

    References
    ----------
    Marshall (1991), Applied Statistics 40(2), 283-294: empirical Bayes estimators of rates.

    Examples
    --------
    >>> entry_ratios(paper, layout.read_standards())[["township_id", "births"]].values.tolist()
    [['T1', 0.0], ['T2', 0.0]]
    """
    base = age_list(county, standards, Scenario())
    cohorts = compared_cohorts(base, county, standards)
    sums = cohorts.groupby("township_id")[["births", "expected", "children"]].sum().reindex(list(base.townships)).fillna(0.0)
    ratio = sums["children"] / sums["expected"].where(sums["expected"] > 0)
    return sums.assign(ratio=ratio, factor=base.factor).reset_index(names="township_id")


def attendance_matrix(county: County, standards: Standards, *, years: Sequence[int], scenario: Scenario | None = None) -> pd.DataFrame:
    """Return pupils by township of residence and place of study.

    E(d) = sum over o of P(o) A(o, d) + I(d): residents times the shares of ``attendance`` (or of ``residence``), and pupils from
    outside the county, who stand under an empty township.

    Parameters
    ----------
    county, standards, years, scenario
        As for :func:`project_pupils`.

    Returns
    -------
    pandas.DataFrame
        township_id (of residence), year, band, place (home, county_seat, other_township, out_of_county), pupils; sorted by its key.
        A place without pupils has no row.

    Examples
    --------
    >>> attendance_matrix(paper, layout.read_standards(), years=[2025]).head(1).values.tolist()
    [['T1', 2025, 'junior', 'home', 90.0]]
    """
    scenario = check_scenario(scenario)
    wanted = sorted({int(y) for y in years})
    base = age_list(county, standards, scenario)
    children = children_by_grade(base, county, standards, years=wanted, scenario=scenario)
    shares = place_shares(county, base.townships, years=wanted, scenario=scenario)
    near, seat = incoming_pupils(county, base.ids, base.persons.sum(axis=(1, 2)))
    rows = []
    for band, (name, grades) in enumerate(BANDS.items()):
        columns = [g - 1 for g in grades]
        own = np.stack([np.bincount(base.township, children[:, i, columns].sum(axis=1), len(base.townships)) for i in range(len(wanted))], axis=1)
        for place, where in enumerate(PLACES):
            rows += [(base.townships[t], wanted[i], name, where, own[t, i] * shares[t, i, band, place]) for t, i in np.ndindex(own.shape)]
        outside = {"county_seat": seat[:, columns].sum(), "home": near[:, columns].sum()}
        rows += [("", year, name, where, number) for year in wanted for where, number in outside.items()]
    frame = pd.DataFrame(rows, columns=["township_id", "year", "band", "place", "pupils"])
    return frame[frame["pupils"] > 0].sort_values(["township_id", "year", "band", "place"], ignore_index=True)


def _studying(base: AgeList, county: County, children: np.ndarray, *, years: Sequence[int], scenario: Scenario) -> np.ndarray:
    """Share children out to away, county seat and home, and add those who come from outside."""
    shares = place_shares(county, base.townships, years=years, scenario=scenario)
    column = {"home": 2, "other_township": 2, "county_seat": 1, "out_of_county": 0}
    where = np.zeros((*shares.shape[:3], len(ATTENDS)))
    for i, place in enumerate(PLACES):
        where[..., column[place]] += shares[..., i]
    row = {t: i for i, t in enumerate(base.townships)}
    seats = [row[t] for t in county.townships.loc[county.townships["is_county_seat"], "township_id"]]
    where[seats, ..., 2] += where[seats, ..., 1]
    where[seats, ..., 1] = 0.0
    by_grade = np.repeat(where, [len(grades) for grades in BANDS.values()], axis=2)[base.township]
    out = children[..., None] * by_grade
    near, seat = incoming_pupils(county, base.ids, base.persons.sum(axis=(1, 2)))
    out[..., 2] += near[:, None, :]
    out[..., 1] += seat[:, None, :]
    return out


def _next_year(
    base: AgeList, before: np.ndarray, constant: np.ndarray, year: int, *, births: float, migration: float
) -> tuple[np.ndarray, np.ndarray]:
    # survival is kept at the age from which people leave, age_on takes it at the age where they arrive
    state = age_on(before, np.roll(base.survival, 1, axis=2), last_open=False)
    if base.top > MOTHERS_END:
        # who stays in the open group survives as at its own age
        state[:, :, -1] += before[:, :, -1] * base.survival[:, :, -1]
    cohort = expected_births(base, before, state, constant, year, scale=births)
    state[:, :, 0] = cohort[:, None] * base.sexes
    if year == base.year + 1 and not base.youngest:
        # the part of this cohort that was born before the count is on the list
        state[:, :, 0] = base.newborn + (1 - base.shift) * state[:, :, 0]
    return state * (1 + base.migration) * migration, cohort


def _to_the_seat(base: AgeList, county: County, state: np.ndarray) -> np.ndarray:
    if not base.to_seat.any() and not base.leaving.any():
        return state
    seat = county.townships.loc[county.townships["is_county_seat"], "township_id"]
    inside = np.isin(np.array(base.townships, object), list(seat))[base.township]
    people = np.where(inside, state.sum(axis=(1, 2)), 0.0)
    # who lives at the seat already does not move there; without a seat nobody does
    going = state * np.where(inside[:, None, None] | (people.sum() <= 0), 0.0, base.to_seat)
    out = state - going - state * base.leaving
    if people.sum() > 0:
        out += people[:, None, None] / people.sum() * going.sum(axis=0)
    return np.maximum(out, 0.0)


def _with_people(constant: np.ndarray, state: np.ndarray, flows: Sequence[tuple[int, int, np.ndarray]]) -> np.ndarray:
    # births of settlements without known mothers go with their children
    shares = []
    for origin, site, share in flows:
        children = state[origin, :, : OLDEST_PUPIL + 1]
        total = children.sum()
        shares.append((origin, site, np.array([[(children * share[:, : OLDEST_PUPIL + 1]).sum() / total if total > 0 else share.mean()]])))
    return moved(constant[:, None, None], shares)[:, 0, 0]
