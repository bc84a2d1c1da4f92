"""How sure a projection is: the same years drawn many times, child by child, with the drifts that the past shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from layout.age_list import MOTHERS_END, AgeList, age_list, ages_are_assumed, compared_cohorts
from layout.attendance import incoming_pupils
from layout.county import County
from layout.grades import MOST_YEARS_BEHIND, grade_shares
from layout.population import Step, carry_on, children_by_grade
from layout.scenario import Scenario, check_scenario
from layout.standards import Standards
from layout.tables import BANDS, GRADES

QUANTILES = (0.1, 0.5, 0.9)
# draws that are carried on together: bounds memory, and each block has its own stream of numbers
_BLOCK = 50
# changes from year to year that are needed before a county's own history says anything of its drift
_LEAST_CHANGES = 3
#: Groups of grades of the table ``forecast``.
GROUPS: Mapping[str, tuple[int, ...]] = {
    **{str(g): (g,) for g in GRADES}, **BANDS, "primary": (*BANDS["lower"], *BANDS["upper"]), "all": GRADES,
}  # fmt: skip


@dataclass(frozen=True)
class PupilDraws:
    """Whole pupils of every draw.

    Parameters
    ----------
    settlement_ids, years, grades
        What the axes of ``pupils`` are.
    pupils
        Whole children by draw, settlement, year and grade, wherever they study, with those who come from outside the county.
    seed
        Of the draws.
    drifts
        Widths that were used, see :func:`drifts`.
    """

    settlement_ids: tuple[str, ...]
    years: tuple[int, ...]
    grades: tuple[int, ...]
    pupils: np.ndarray
    seed: int
    drifts: Mapping[str, float]


def draw_pupils(
    county: County, standards: Standards, *, years: Sequence[int], draws: int, seed: int = 0, scenario: Scenario | None = None
) -> PupilDraws:
    """Draw the pupils of every settlement many times, whole children each time.

    Each draw carries the age list on as :func:`layout.project_pupils` does, with chance in place of expectation. Births are Poisson; the
    children of an age survive, leave and come by binomial and Poisson numbers, a ``turnover`` of them being replaced by others in a
    year; moves take whole children. The rates drift away from those given: birth levels of county and townships are random walks,
    net migration of a year has a common and a township part (:func:`drifts`), a settlement's own birth level is as uncertain as the
    number of its children makes it, and the factor of registered births as its past cohorts show. All means are those of the
    expected projection. Adults stay expected values. Ages that were split from totals are Poisson numbers from the start.

    Parameters
    ----------
    county, standards, scenario
        As for :func:`layout.project_pupils`.
    years
        School years, none before the base year.
    draws
        How many, at least 1.
    seed
        The same seed gives the same draws, whatever the number of processors.

    Returns
    -------
    PupilDraws
        Whole pupils; ranges of villages, townships and schools come from sums within a draw, never from sums of ranges.

    Raises
    ------
    CountyDataError, ValueError
        As :func:`layout.project_pupils`; fewer than one draw.

    References
    ----------
    Rayer, Smith & Tayman (2009), Population Research and Policy Review 28: intervals from past errors; Alho & Spencer (2005), Statistical
    Demography and Forecasting: random walks of vital rates.

    Examples
    --------
    >>> drawn = draw_pupils(paper, layout.read_standards(), years=[2031], draws=200)
    >>> drawn.pupils.shape, bool(abs(drawn.pupils[:, 0].mean() - 10) < 1)
    ((200, 5, 1, 9), True)
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, not {draws}")
    scenario = check_scenario(scenario)
    wanted = tuple(sorted({int(y) for y in years}))
    if not wanted:
        raise ValueError("years must name at least one school year")
    base = age_list(county, standards, scenario)
    # the same complaints as the expected projection
    children_by_grade(base, county, standards, years=wanted, scenario=scenario)
    steps = carry_on(base, county, standards, last=wanted[-1], scenario=scenario)
    widths = drifts(county, standards)
    plan = _Plan(base, steps, county, standards, widths, wanted)
    near, seat = incoming_pupils(county, base.ids, base.persons.sum(axis=(1, 2)))
    outside = near + seat
    streams = np.random.SeedSequence(seed).spawn(-(-draws // _BLOCK))
    out = np.zeros((draws, len(base.ids), len(wanted), len(GRADES)), np.uint16)
    for i, stream in enumerate(streams):
        rows = slice(i * _BLOCK, min((i + 1) * _BLOCK, draws))
        block = _draw_block(plan, np.random.default_rng(stream), rows.stop - rows.start)
        block += _rounded(np.random.default_rng(stream.spawn(1)[0]), outside, rows.stop - rows.start)[:, :, None, :]
        if block.max(initial=0) > np.iinfo(out.dtype).max:
            out = out.astype(np.int64)
        out[rows] = block
    return PupilDraws(base.ids, wanted, GRADES, out, seed, widths)


def drifts(county: County, standards: Standards) -> dict[str, float]:
    """Return how far births and migration drift in a year, from the county's own enrolment where it has enough of it.

    From ``history``: the yearly progression of all grades of the county, and of a township beside the county, less what chance alone
    gives; the yearly change of grade 1 in the same way; and the variance of whole grades about their progression as turnover. Each
    variance is mixed with that of the standards, which weighs as much as ``uncertainty.prior_years`` of data.

    Parameters
    ----------
    county
        Tables history and schools.
    standards
        ``uncertainty.*``.

    Returns
    -------
    dict
        births_county, births_township, migration_county, migration_township (standard deviation of the logarithm a root year), turnover
        (share a year), changes (years of history used; 0: the standards alone).

    Examples
    --------
    >>> drifts(paper, layout.read_standards())["migration_county"], drifts(paper, layout.read_standards())["changes"]
    (0.03, 0.0)
    """
    names = ("births_county", "births_township", "migration_county", "migration_township")
    prior = {name: standards[f"uncertainty.{name.replace('_', '.')}"] for name in names}
    turnover, weight = standards["uncertainty.turnover"], standards["uncertainty.prior_years"]
    seen = _seen(county)
    changes = len(seen.get("migration_county", ()))
    if changes < _LEAST_CHANGES:
        return {**prior, "turnover": turnover, "changes": 0.0}
    out = {}
    for name in names:
        values = seen[name]
        # squares less the part that chance explains; a negative mean says that chance explains all
        out[name] = (
            float(np.sqrt((max(values.mean(), 0.0) * changes + weight * prior[name] ** 2) / (changes + weight))) if len(values) else prior[name]
        )
    own = float(np.clip(seen["turnover"].mean(), 0.0, 1.0))
    return {**out, "turnover": (own * changes + weight * turnover) / (changes + weight), "changes": float(changes)}


def pupil_ranges(draws: PupilDraws, *, areas: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return the range of the pupils of every settlement, or of areas of settlements, by grade and group of grades.

    Parameters
    ----------
    draws
        From :func:`draw_pupils`.
    areas
        Area by settlement; those that are not named are left out. None: every settlement by itself.

    Returns
    -------
    pandas.DataFrame
        area_id, year, group (a grade, lower, upper, junior, primary, all), mean, low, middle, high (10, 50, 90 %: the least whole number
        that so many draws do not exceed); sorted by its key.

    Examples
    --------
    >>> drawn = draw_pupils(paper, layout.read_standards(), years=[2025], draws=10)
    >>> ranges = pupil_ranges(drawn, areas=dict.fromkeys("ABCDE", "county"))
    >>> ranges[ranges.group == "all"].values.tolist()  # the base year is counted
    [['county', 2025, 'all', 504.0, 504, 504, 504]]
    """
    chosen = [(i, s if areas is None else areas[s]) for i, s in enumerate(draws.settlement_ids) if areas is None or s in areas]
    names = sorted({a for _, a in chosen})
    place = {a: i for i, a in enumerate(names)}
    if areas is None and len(chosen) == len(draws.settlement_ids) and names == list(draws.settlement_ids):
        sums = draws.pupils
    else:
        sums = np.zeros((len(draws.pupils), len(names), *draws.pupils.shape[2:]), np.int64)
        for i, area in chosen:
            sums[:, place[area]] += draws.pupils[:, i]
    return _ranges(sums, names, draws.years, "area_id")


def school_ranges(draws: PupilDraws, assignment: pd.DataFrame, *, whole_county: bool = False) -> pd.DataFrame:
    """Return the range of the pupils of every school, if the children of each settlement go where the assignment sends them.

    Parameters
    ----------
    draws
        From :func:`draw_pupils`.
    assignment
        Table ``assignment``: the shares of a settlement's children of a year and grade who go to each school. Those without a school
        count in no school.
    whole_county
        Whether the assignment is of everybody: the children of a settlement that rounding left without a child of a grade then go where
        its band goes, else its other children, else its neighbour in the order of the codes.

    Returns
    -------
    pandas.DataFrame
        school_id, year, group, mean, low, middle, high; schools and years of the assignment only.

    Examples
    --------
    >>> drawn = draw_pupils(paper, layout.read_standards(), years=[2025], draws=10)
    >>> rows = pd.DataFrame({"settlement_id": ["A", "B"], "year": 2025, "grade": 1, "school_id": "S1", "pupils": [10, 8]})
    >>> found = school_ranges(drawn, rows)
    >>> found[found.group == "1"].values.tolist()
    [['S1', 2025, '1', 18.0, 18, 18, 18]]
    """
    names, sums = school_draws(draws, assignment, whole_county=whole_county)
    found = _ranges(sums, names, draws.years, "school_id")
    return found[found["year"].isin(set(_sent(draws, assignment)["year"]))].reset_index(drop=True)


def school_draws(draws: PupilDraws, assignment: pd.DataFrame, *, whole_county: bool = False) -> tuple[list[str], np.ndarray]:
    """Return the pupils of every school in every draw, if the children of each settlement go where the assignment sends them.

    Parameters
    ----------
    draws, assignment, whole_county
        As for :func:`layout.school_ranges`.

    Returns
    -------
    tuple of list of str and numpy.ndarray
        School ids, sorted, and whole pupils by draw, school, year and grade (the years and grades of ``draws``).

    Examples
    --------
    >>> drawn = draw_pupils(paper, layout.read_standards(), years=[2025], draws=10)
    >>> rows = pd.DataFrame({"settlement_id": ["A", "B"], "year": 2025, "grade": 1, "school_id": "S1", "pupils": [10, 8]})
    >>> names, pupils = school_draws(drawn, rows)
    >>> names, pupils.shape, set(pupils[:, 0, 0, 0].tolist())
    (['S1'], (10, 1, 1, 9), {18})
    """
    rows = _sent(draws, assignment)
    schools = rows["school_id"].astype("str")
    names = sorted(set(schools) - {""})
    place = pd.Index(draws.settlement_ids).get_indexer(pd.Index(rows["settlement_id"].astype("str")))
    year, grade = pd.Index(draws.years).get_indexer(pd.Index(rows["year"])), rows["grade"].to_numpy(int) - 1
    # the last column is for those without a school
    school = np.where(schools == "", len(names), pd.Index(names).get_indexer(pd.Index(schools)))
    sums = np.zeros((len(draws.pupils), len(names), len(draws.years), len(GRADES)))
    bands = np.repeat(np.arange(len(BANDS)), [len(grades) for grades in BANDS.values()])
    for y in sorted(set(year)):
        sent = np.zeros((len(draws.settlement_ids), len(GRADES), len(names) + 1))
        mine = year == y
        np.add.at(sent, (place[mine], grade[mine], school[mine]), rows["pupils"].to_numpy(float)[mine])
        by_band = np.stack([sent[:, bands == band].sum(axis=1) for band in range(len(BANDS))], axis=1)[:, bands]
        if whole_county:
            # rounding leaves many small settlements without a child of a grade: they go where their band goes, else their children
            for other in (by_band, np.broadcast_to(sent.sum(axis=1, keepdims=True), sent.shape)):
                sent = np.where(sent.sum(axis=2, keepdims=True) > 0, sent, other)
            # else with the neighbour in the order of the codes whose child was counted
            for g in range(len(GRADES)):
                there = np.flatnonzero(sent[:, g].sum(axis=1) > 0)
                if len(there):
                    order = np.arange(len(sent))
                    right = np.minimum(np.searchsorted(there, order), len(there) - 1)
                    left = np.maximum(right - 1, 0)
                    nearer = np.where(np.abs(there[left] - order) < np.abs(there[right] - order), there[left], there[right])
                    sent[:, g] = sent[nearer, g]
        share = sent / np.maximum(sent.sum(axis=2, keepdims=True), 1e-12)
        for g in range(len(GRADES)):
            # few schools for each settlement, and sums in one order
            going = sparse.csr_matrix(share[:, g, : len(names)].T)
            sums[:, :, y, g] = (going @ draws.pupils[:, :, y, g].T.astype(float)).T
    return names, np.round(sums).astype(np.int64)


def _sent(draws: PupilDraws, assignment: pd.DataFrame) -> pd.DataFrame:
    return assignment[assignment["year"].isin(draws.years) & assignment["settlement_id"].isin(draws.settlement_ids) & (assignment["pupils"] > 0)]


def split_ranges(pupils: pd.DataFrame, draws: PupilDraws) -> pd.DataFrame:
    """Return the table ``pupils`` with the ranges of its rows.

    Where the children of a settlement, year and grade study in several places, each draw's children choose among them by the expected
    shares.

    Parameters
    ----------
    pupils
        Table ``pupils``.
    draws
        Of the same county and scenario, holding its years.

    Returns
    -------
    pandas.DataFrame
        The same rows with low and high (10 and 90 %).

    Examples
    --------
    >>> pupils = layout.project_pupils(paper, layout.read_standards(), years=[2025])
    >>> split_ranges(pupils, draw_pupils(paper, layout.read_standards(), years=[2025], draws=10))[["low", "high"]].iloc[0].tolist()
    [10.0, 10.0]
    """
    keys = ["settlement_id", "year", "grade"]
    total = pupils.groupby(keys, observed=True)["pupils"].transform("sum").to_numpy(float)
    share = np.divide(pupils["pupils"].to_numpy(float), total, out=np.zeros(len(pupils)), where=total > 0)
    place = pd.Index(draws.settlement_ids).get_indexer(pd.Index(pupils["settlement_id"].astype("str")))
    year, grade = pd.Index(draws.years).get_indexer(pd.Index(pupils["year"])), pupils["grade"].to_numpy(int) - 1
    own = draws.pupils[:, place, year, grade]
    rng = np.random.default_rng(np.random.SeedSequence([draws.seed, 1]))
    mixed = share < 1
    # each place by itself: only its own range is asked for
    values = own.astype(np.int64)
    values[:, mixed] = rng.binomial(own[:, mixed], share[mixed])
    low, high = np.quantile(values, [QUANTILES[0], QUANTILES[-1]], axis=0, method="inverted_cdf") if len(pupils) else (0.0, 0.0)
    return pupils.assign(low=np.asarray(low, float), high=np.asarray(high, float))


@dataclass(frozen=True)
class _Plan:
    """All that a block of draws needs."""

    base: AgeList
    steps: Mapping[int, Step]
    county: County
    standards: Standards
    widths: Mapping[str, float]
    years: tuple[int, ...]


def _draw_block(plan: _Plan, rng: np.random.Generator, draws: int) -> np.ndarray:
    base, widths, steps = plan.base, plan.widths, plan.steps
    ages = len(GRADES) + 6 + (MOST_YEARS_BEHIND if base.late > 0 or base.repeat > 0 else 0)
    state, newborn = _start(plan, rng, draws, ages)
    out = np.zeros((draws, len(base.ids), len(plan.years), len(GRADES)), np.int64)
    if base.year in plan.years:
        out[:, :, plan.years.index(base.year)] = _in_grades(plan, rng, state)
    level = np.zeros((draws, 1)), np.zeros((draws, len(base.townships)))
    # a settlement's own level of births is known as well as its children are many
    evidence = np.maximum(base.evidence, 1.0)
    own = rng.gamma(evidence, 1 / evidence, (draws, len(base.ids)))
    spread = _factor_spread(plan)
    for year in range(base.year + 1, plan.years[-1] + 1):
        step, before = steps[year], steps[year - 1].state
        level = (
            level[0] + rng.normal(0.0, widths["births_county"], level[0].shape),
            level[1] + rng.normal(0.0, widths["births_township"], level[1].shape),
        )
        passed = year - base.year
        variance = passed * (widths["births_county"] ** 2 + widths["births_township"] ** 2)
        fertile = np.exp((level[0] + level[1])[:, base.township] - variance / 2) * own
        known = np.isfinite(base.factor * base.registered.get(year, np.full(len(base.townships), np.nan)))[base.township]
        if known.any():
            # registered births do not drift, what they are multiplied by does
            noise = np.exp(rng.normal(0.0, spread, (draws, len(base.townships))) - spread**2 / 2)[:, base.township]
            fertile[:, known] = noise[:, known]
        shock = rng.normal(0.0, widths["migration_county"], (draws, 1)) + rng.normal(0.0, widths["migration_township"], level[1].shape)
        variance = widths["migration_county"] ** 2 + widths["migration_township"] ** 2
        moving = np.exp(shock[:, base.township] - variance / 2)
        infants = _mean_over_sexes(base, before, 1 + base.migration, 0) * step.migration * (1 - _going(plan, step.arrived, 0))
        first = year == base.year + 1 and not base.youngest
        births = rng.poisson(step.births * fertile * (1 - base.shift if first else 1.0) * infants)
        keep = np.stack([_mean_over_sexes(base, before, base.survival, a) for a in range(ages - 1)], axis=1)
        keep = keep * np.stack([_mean_over_sexes(base, before, 1 + base.migration, a + 1, at=a) for a in range(ages - 1)], axis=1) * step.migration
        grown = _carried(rng, state[:, :, :-1], keep, moving, widths["turnover"])
        state = np.concatenate([(births + (newborn if first else 0))[:, :, None], grown], axis=2)
        state = _to_the_seat(plan, rng, step.arrived, state)
        state = _moved(rng, step, state)
        if (step.control[:ages] != 1).any():
            # children leave or are added one by one: a factor near one adds hardly any chance
            less = np.minimum(step.control[:ages], 1.0)
            state = rng.binomial(state, less) + rng.poisson(state * (step.control[:ages] - less))
        if year in plan.years:
            out[:, :, plan.years.index(year)] = _in_grades(plan, rng, state)
    return out


def _start(plan: _Plan, rng: np.random.Generator, draws: int, ages: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the children on the cut-off day, and the infants born after it."""
    base = plan.base
    expected = base.counted.sum(axis=1)
    split = ages_are_assumed(plan.county)
    if base.scaled:
        # brought to a roll on the cut-off day itself
        return _rounded(rng, base.persons.sum(axis=1)[:, :ages], draws), _rounded(rng, base.newborn.sum(axis=1), draws)
    shape = (draws, len(base.ids), ages + 1)
    known = np.zeros(shape[1:])
    known[:, : min(expected.shape[1], ages + 1)] = expected[:, : ages + 1]
    last = base.top if base.late == base.repeat == 0 or base.top < GRADES[-1] + 5 else expected.shape[1] - 1
    if base.top <= MOTHERS_END and last < ages:
        # beyond a list of children as many as at its last age turn it between the cut-off day and the count
        known[:, last + 1] = known[:, last]
    counted = rng.poisson(known, shape) if split else _rounded(rng, known, draws)
    late = rng.binomial(counted, base.shift) if base.shift > 0 else np.zeros(shape, np.int64)
    state = counted[:, :, :-1] - late[:, :, :-1] + late[:, :, 1:]
    newborn = late[:, :, 0]
    if base.youngest:
        young = base.persons[:, :, : base.youngest].sum(axis=1)
        state[:, :, : base.youngest] = rng.poisson(young, (draws, *young.shape))
    if base.top <= MOTHERS_END:
        state[:, :, last + 1 :] = 0
    return state, newborn


def _rounded(rng: np.random.Generator, expected: np.ndarray, draws: int) -> np.ndarray:
    # fractions of a count are a chance of one more
    floor = np.floor(expected + 1e-9)
    return (floor + (rng.random((draws, *expected.shape)) < expected - floor)).astype(np.int64)


def _carried(rng: np.random.Generator, children: np.ndarray, keep: np.ndarray, moving: np.ndarray, turnover: float) -> np.ndarray:
    """Let children stay or leave and others come, so that the mean is children * keep * moving."""
    rate = keep[None] * moving[:, :, None]
    stay = np.minimum(rate, 1.0) * (1 - turnover / 2)
    return rng.binomial(children, stay) + rng.poisson(children * (rate - stay))


def _mean_over_sexes(base: AgeList, before: np.ndarray, rate: np.ndarray, age: int, *, at: int | None = None) -> np.ndarray:
    # rates by sex, weighed by the people who bear them, or by the sexes at birth where there is nobody
    people = before[:, :, age if at is None else at]
    total = people.sum(axis=1)
    weight = np.where(total[:, None] > 0, people / np.where(total > 0, total, 1.0)[:, None], base.sexes)
    return (weight * rate[:, :, age]).sum(axis=1)


def _going(plan: _Plan, arrived: np.ndarray, age: int) -> np.ndarray:
    # infants who leave with their parents; those who go to the seat are drawn with the others
    return _mean_over_sexes(plan.base, arrived, plan.base.leaving, age)


def _to_the_seat(plan: _Plan, rng: np.random.Generator, arrived: np.ndarray, state: np.ndarray) -> np.ndarray:
    base = plan.base
    if not base.to_seat.any() and not base.leaving.any():
        return state
    ages = state.shape[2]
    seat = plan.county.townships.loc[plan.county.townships["is_county_seat"], "township_id"]
    inside = np.isin(np.array(base.townships, object), list(seat))[base.township]
    leaving = np.stack([_mean_over_sexes(base, arrived, base.leaving, a) for a in range(ages)], axis=1)
    leaving[:, 0] = 0.0
    going = np.stack([_mean_over_sexes(base, arrived, base.to_seat, a) for a in range(ages)], axis=1)
    people = np.where(inside, arrived.sum(axis=(1, 2)), 0.0)
    going = np.where(inside[:, None] | (people.sum() <= 0), 0.0, going)
    gone = rng.binomial(state, np.minimum(leaving + going, 1.0))
    share = np.divide(going, leaving + going, out=np.zeros_like(going), where=leaving + going > 0)
    arriving = rng.binomial(gone, share).sum(axis=1)
    out = state - gone
    if people.sum() > 0:
        weight = people[inside] / people.sum()
        parts = rng.multinomial(arriving, weight)
        out[:, inside] += parts.transpose(0, 2, 1)
    return out


def _moved(rng: np.random.Generator, step: Step, state: np.ndarray) -> np.ndarray:
    if not step.flows:
        return state
    out, ages = state.copy(), state.shape[2]
    left: dict[int, np.ndarray] = {}
    for origin, site, share in step.flows:
        people = step.moving[origin, :, :ages]
        total = people.sum(axis=0)
        weight = np.where(total > 0, people / np.where(total > 0, total, 1.0), 0.5)
        part = (share[:, :ages] * weight).sum(axis=0)
        rest = left.setdefault(origin, np.ones(ages))
        # who has not gone with an earlier flow of the year, in the state before the first of them
        going = rng.binomial(
            np.minimum(out[:, origin], state[:, origin]), np.clip(np.divide(part, rest, out=np.zeros(ages), where=rest > 1e-12), 0.0, 1.0)
        )
        left[origin] = rest - part
        out[:, origin] -= going
        out[:, site] += going
    return out


def _in_grades(plan: _Plan, rng: np.random.Generator, state: np.ndarray) -> np.ndarray:
    entry, share = int(plan.standards["entry.age"]), plan.standards["enrolment.participation"]
    shares = grade_shares(plan.base.late, plan.base.repeat)[: state.shape[2] - entry]
    out = np.zeros((*state.shape[:2], len(GRADES)), np.int64)
    for i, row in enumerate(shares):
        rest, left = state[:, :, entry + i], 1.0
        for grade in np.flatnonzero(row):
            # the children of an age choose among their grades one after the other
            here = rest if row[grade] >= left - 1e-12 else rng.binomial(rest, row[grade] / left)
            out[:, :, grade] += here
            rest, left = rest - here, left - row[grade]
    return out if share == 1 else rng.binomial(out, share)


def _factor_spread(plan: _Plan) -> float:
    """Return the standard deviation of the logarithm of children over births between cohorts of a township, beyond chance."""
    prior, weight = plan.standards["uncertainty.births.county"], plan.standards["uncertainty.prior_years"]
    cohorts = compared_cohorts(plan.base, plan.county, plan.standards)
    rows = cohorts[(cohorts["township_id"] != "") & (cohorts["expected"] > 0) & (cohorts["children"] > 0)]
    factor = dict(zip(plan.base.townships, plan.base.factor, strict=True))
    wanted = rows["expected"] * rows["township_id"].map(factor)
    beyond = np.log(rows["children"] / wanted) ** 2 - 1 / wanted
    years = rows["year"].nunique()
    return float(np.sqrt((max(beyond.mean(), 0.0) * years + weight * prior**2) / (years + weight))) if years else prior


def _seen(county: County) -> dict[str, np.ndarray]:
    """Return squared drifts of the county's past, less chance, by what drifts."""
    table = county.history[county.history["school_id"].isin(county.schools["school_id"])]
    if not len(table):
        return {}
    school = dict(zip(county.schools["school_id"], county.schools["township_id"], strict=True))
    cube = table.assign(township=table["school_id"].map(school)).pivot_table(
        index=["township", "year"], columns="grade", values="pupils", aggfunc="sum"
    )
    years = sorted(set(table["year"]))
    if cube.columns.tolist() != list(GRADES) or years != list(range(years[0], years[-1] + 1)):
        return {}
    towns = sorted(set(cube.index.get_level_values(0)))
    counts = cube.reindex(pd.MultiIndex.from_product([towns, years])).fillna(0.0).to_numpy().reshape(len(towns), len(years), len(GRADES))
    lower, upper, entry = counts[:, :-1, :-1], counts[:, 1:, 1:], counts[:, :, 0]
    a, b = lower.sum(axis=2), upper.sum(axis=2)
    whole_county = b.sum(axis=0) / np.maximum(a.sum(axis=0), 1.0)
    usual = whole_county.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        fitted = lower * (lower.sum(axis=(0, 1)) ** -1.0 * upper.sum(axis=(0, 1)))[None, None]
        misfit = (upper - fitted) ** 2 / fitted
        beside = np.log((b / a) / whole_county)
        beside = beside - np.nanmean(np.where(np.isfinite(beside), beside, np.nan), axis=1, keepdims=True)
        first, last = entry[:, :-1], entry[:, 1:]
        change = np.log(last / first)
        common = np.log(last.sum(axis=0) / first.sum(axis=0))
        common = np.where(np.isfinite(common), common, np.nan)
    turnover = misfit[np.isfinite(misfit)]
    chance = float(np.clip(np.median(turnover) / 0.4549, 0.0, 1.0)) if len(turnover) else 1.0
    # taking a mean off leaves a share of the variance behind
    free = len(whole_county) / max(len(whole_county) - 1, 1)
    big = np.isfinite(beside) & (a > 0) & (b > 0)
    grown = np.isfinite(change) & np.isfinite(common) & (first > 0) & (last > 0)
    return {
        "migration_county": (np.log(whole_county / usual)) ** 2 * free - chance / np.maximum(a.sum(axis=0), 1.0),
        "migration_township": (beside**2 * free - chance / np.maximum(a, 1.0))[big],
        "births_county": (common**2 - (1 / np.maximum(first.sum(axis=0), 1.0) + 1 / np.maximum(last.sum(axis=0), 1.0)))[np.isfinite(common)],
        "births_township": ((change - common) ** 2 - (1 / np.maximum(first, 1.0) + 1 / np.maximum(last, 1.0)))[grown],
        "turnover": np.array([chance]),
    }


def _ranges(sums: np.ndarray, names: Sequence[str], years: Sequence[int], key: str) -> pd.DataFrame:
    frames = []
    for group, grades in GROUPS.items():
        values = sums[..., [g - 1 for g in grades]].sum(axis=3, dtype=np.int64) if len(grades) > 1 else sums[..., grades[0] - 1]
        flat = values.reshape(len(values), -1)
        low, middle, high = np.quantile(flat, QUANTILES, axis=0, method="inverted_cdf")
        area, year = np.indices(values.shape[1:]).reshape(2, -1)
        frames.append(pd.DataFrame({
            key: np.array(names, object)[area], "year": np.array(years)[year], "group": group, "mean": flat.mean(axis=0), "low": low.astype(np.int64),
            "middle": middle.astype(np.int64), "high": high.astype(np.int64),
        }))  # fmt: skip
    return pd.concat(frames, ignore_index=True).sort_values([key, "year", "group"], ignore_index=True)
