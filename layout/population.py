"""Who will be of school age: cohorts by settlement, births, migration and relocation, and the pupils they become."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from layout.county import County
from layout.standards import Standards
from layout.tables import BANDS, GRADES, CountyDataError, Problem, check, empty, schemas

SEXES = ("female", "male")
ATTENDS = ("away", "county_seat", "home")
DAYS = 365
# an age list that ends above the last childbearing age is one of all residents, its last group open
MOTHERS_END = 49
# ages at the cut-off day from which the level of births is taken
YOUNGEST = 3
# below this many children of the youngest ages a settlement's own mean is noise (about one part in three) and is pooled
POOL_BELOW = 10.0
# fewer boys per 100 girls than this are a ratio of another unit
SRB_LEAST = 10.0
# residents of this age are in the last grade
OLDEST_PUPIL = GRADES[-1] + 5
# slack of sums that are compared
TOLERANCE = 1e-6
# shares of a village within this of one are the whole village
WHOLE = 1e-12


@dataclass(frozen=True)
class _Base:
    """The age list on the entry cut-off day of ``year``, and all that carries it on.

    Arrays run over settlement, sex (female, male) and age. ``newborn``: infants of the list born after the cut-off day;
    ``alive``: share of births left at each age; ``registered``: births of a cohort by township (nan where unknown), ``factor``:
    what they are multiplied by; ``level``: of the fertility schedule (0 without mothers); ``constant``: births a year without.
    """

    ids: tuple[str, ...]
    townships: tuple[str, ...]
    township: np.ndarray
    year: int
    shift: float
    top: int
    youngest: int
    sexes: np.ndarray
    persons: np.ndarray
    newborn: np.ndarray
    survival: np.ndarray
    alive: np.ndarray
    migration: np.ndarray
    fertility: np.ndarray
    registered: Mapping[int, np.ndarray]
    factor: float = 1.0
    level: float = 0.0
    constant: np.ndarray = field(default_factory=lambda: np.zeros(0))


def project_people(county: County, standards: Standards, *, years: Sequence[int]) -> pd.DataFrame:
    """Project the residents of every settlement by sex and single age.

    The year Y is the state on the entry cut-off day (``entry.cutoff``) of Y. Ages counted on another day are shifted to the
    cut-off day before it, K(a) = (1-f) N(a) + f N(a+1) with f = days since then / 365; the part f of the infants, born later,
    becomes part of the next cohort, so nobody on the list is lost. A year does, in this order: everybody grows a year older and
    survives, children are born, net migration, relocation moves.

    Survival from completed age a to a+1 is the township's or county's, else that of the standards, spread geometrically over the
    years of each interval and the last one kept beyond. For adults that is too high, and the old are no forecast: adults count
    here only as mothers aged 15-49, whose deaths are far below the error of the birth level.

    Cohorts born after the list are, in this order: registered births of the township times the county's factor
    (:func:`birth_factor`), where both calendar years are registered; births to mothers, with the shape of ``fertility.shape.*``
    (or of the fertility rates) at the level that reproduces the county's children aged 0-2; where the list ends before mothers do,
    each settlement's mean of ages 0-2, unchanged (settlements with few of them share their township's in proportion to all
    their children). Youngest ages that the list lacks are filled in the same way, without the mothers. Infant loss is taken
    between ages 0 and 1, so a cohort starts as the children that are counted, not as the births registered.

    A move goes in its year with the origin's structure by age and sex; those up to the cut-off day of the list are in the counts
    already. Moves of one year are simultaneous. Births expected of a settlement without known mothers move with its people.

    Parameters
    ----------
    county, standards
        Settlements, population, births, rates and moves; survival, fertility shape, sex ratio at birth and cut-off day. Persons of
        sex ``both`` are split by the sex ratio at birth.
    years
        Years to return, none before the cut-off year of the base date.

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
    base = _base(county, standards)
    if wanted[0] < base.year:
        raise ValueError(f"years must not be before {base.year}, the cut-off year of the age list, not {wanted[0]}")
    states = _project(base, county, wanted[-1])
    # settlement, year, age, sex: the order of the key
    cube = np.stack([states[y] for y in wanted], axis=1).transpose(0, 1, 3, 2)
    place, year, age, sex = np.nonzero(cube > 0)
    # millions of rows: categoricals in key order, made sorted instead of being sorted and checked
    return pd.DataFrame(
        {
            "settlement_id": pd.Categorical.from_codes(place, pd.Index(base.ids)), "year": np.array(wanted)[year], "age": age,
            "sex": pd.Categorical.from_codes(sex, pd.Index(SEXES)), "persons": cube[place, year, age, sex],
        }
    )  # fmt: skip


def project_pupils(county: County, standards: Standards, *, years: Sequence[int]) -> pd.DataFrame:
    """Project the pupils of every settlement by grade and by the place where they study.

    Grade g of year Y are the residents aged g+5 on the cut-off day of Y (``entry.age`` in grade 1: 义务教育法 §11). The shares of
    their township and grade band in ``attendance`` say where they study: home and other townships count as ``home`` (a school is
    sought among all), county_seat as ``county_seat``, except for residents of a township of the seat, who are at home there, and
    out_of_county as ``away``. Townships without shares send everybody ``home``.

    Parameters
    ----------
    county, standards
        As for :func:`project_people`; and townships, attendance, and the age of entry.
    years
        School years, none before ``county.base_year``.

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
    base = _base(county, standards)
    if wanted[0] < (first := max(county.base_year, base.year)):
        raise ValueError(f"years must not be before {first}, the first year of the data, not {wanted[0]}")
    ages = [int(standards["entry.age"]) + g - 1 for g in GRADES]
    oldest = ages[-1] - (wanted[0] - base.year)
    if base.top < oldest:
        raise CountyDataError([_problem("age_list_short", "population", "age", base.top, {"last": base.top, "needed": oldest})])
    states = _project(base, county, wanted[-1])
    children = np.stack([states[y].sum(axis=1)[:, ages] for y in wanted], axis=1)
    cube = children[:, :, :, None] * _attendance(county, base)[:, None, :, :]
    place, year, grade, where = np.nonzero(cube > 0)
    frame = pd.DataFrame(
        {
            "settlement_id": np.array(base.ids, object)[place], "year": np.array(wanted)[year], "grade": np.array(GRADES)[grade],
            "attends": np.array(ATTENDS, object)[where], "pupils": cube[place, year, grade, where],
        }
    )  # fmt: skip
    return check("pupils", frame)


def birth_factor(county: County, standards: Standards) -> pd.DataFrame:
    """Compare registered births with the children of the same cohorts on the age list.

    A cohort t was born in the twelve months up to the cut-off day of t: for 31 August 122/365 of the births of t-1 and 243/365 of
    those of t. Only townships that registered both years are compared, up to age 14.

    Parameters
    ----------
    county, standards
        Births and population; cut-off day and survival.

    Returns
    -------
    pandas.DataFrame
        One row per cohort that both have, by year: year, age, births (registered), expected (births that survive to the age),
        children (of the list), ratio (children to expected). ``attrs["factor"]`` is the county's ratio of the sums, the figure by
        which registered births are multiplied; 1.0 where nothing can be compared (no rows).

    Examples
    --------
    >>> birth_factor(paper, layout.read_standards()).attrs["factor"]
    1.0
    """
    return _factor_table(_base(county, standards))


def population_notes(county: County, standards: Standards) -> tuple[tuple[str, Mapping[str, object]], ...]:
    """Say what a reader should know about the projection of this county.

    Parameters
    ----------
    county, standards
        As for :func:`project_people`.

    Returns
    -------
    tuple
        Message keys with their fields, in the form of ``County.notes``.

    Examples
    --------
    >>> population_notes(paper, layout.read_standards())
    (('population.note.no_mothers', {'last': 14, 'births': '56'}),)
    """
    base = _base(county, standards)
    cohorts, births = len(_factor_table(base)), f"{base.constant.sum():.0f}"
    notes: list[tuple[bool, str, Mapping[str, object]]] = [
        (base.shift > 0, "shifted", {"date": county.base_date.isoformat(), "year": base.year, "share": f"{base.shift:.3f}"}),
        (base.top <= MOTHERS_END, "no_mothers", {"last": base.top, "births": births}),
        (base.youngest > 0, "youngest_filled", {"age": base.youngest}),
        (cohorts > 0, "factor", {"factor": f"{base.factor:.2f}", "cohorts": cohorts}),
        (bool(base.registered) and not cohorts, "factor_unknown", {}),
    ]
    return tuple((f"population.note.{name}", fields) for holds, name, fields in notes if holds)


def _base(county: County, standards: Standards) -> _Base:
    _refuse(county)
    ids = tuple(county.settlements["settlement_id"])
    unknown = sorted(({*county.population["settlement_id"], *county.moves["from_id"], *county.moves["to_id"]}) - set(ids))
    if unknown:
        raise ValueError(f"population or moves name settlements that the county does not have: {', '.join(unknown[:5])}")
    townships = tuple(sorted({*county.settlements["township_id"], *county.townships["township_id"]}))
    area = {name: i for i, name in enumerate(townships)}
    township = np.array([area[name] for name in county.settlements["township_id"]], dtype=int)
    boys = _by_area(county, "srb", area, np.full((2, 1), standards["fertility.srb"]))[township, 0, 0]
    sexes = np.stack([100 / (100 + boys), boys / (100 + boys)], axis=1)
    counted, top = _counted(county, ids, sexes)
    day = county.base_date
    month, number = (int(part) for part in str(standards.rules["entry.cutoff"].value).split("-"))
    cutoff = dt.date(day.year - (day < dt.date(day.year, month, number)), month, number)
    shift = (day - cutoff).days / DAYS
    youngest = int(np.argmax(counted[:, :, : OLDEST_PUPIL + 1].sum(axis=(0, 1)) > 0))
    # people above the last age of the list: nobody in an open group, as many as at the last age in a list of children
    above = np.roll(counted, -1, axis=2)
    above[:, :, top:] = 0.0 if top > MOTHERS_END else counted[:, :, top:]
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
    return _with_births(
        _Base(
            ids, townships, township, cutoff.year, shift, top, youngest, sexes, persons, shift * counted[:, :, 0], survival,
            np.maximum(alive, TOLERANCE), _by_area(county, "migration", area, np.zeros((2, ages)))[township],
            _fertility(county, standards, area, ages)[township], _registered(county, townships, early),
        )
    )  # fmt: skip


def _counted(county: County, ids: tuple[str, ...], sexes: np.ndarray) -> tuple[np.ndarray, int]:
    table = county.population
    age, sex = table["age"].to_numpy(int), table["sex"].to_numpy(object)
    top = int(age.max()) if len(age) else 0
    # children must be able to grow up to the last grade even where the list holds only the small ones
    out = np.zeros((len(ids), 2, max(top, OLDEST_PUPIL) + 1))
    place = pd.Index(ids).get_indexer(pd.Index(table["settlement_id"]))
    for i, name in enumerate(SEXES):
        weight = np.where(sex == name, 1.0, np.where(sex == "both", sexes[place, i], 0.0))
        np.add.at(out[:, i], (place, age), table["persons"].to_numpy(float) * weight)
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


def _with_births(base: _Base) -> _Base:
    base = replace(base, factor=float(_factor_table(base).attrs["factor"]))
    mean = _pooled(base, base.persons[:, :, base.youngest : base.youngest + YOUNGEST].sum(axis=(1, 2)) / YOUNGEST)
    persons = base.persons.copy()
    for age in range(base.youngest):
        # the mean is of children counted, registered births must still survive to the age
        known = np.isfinite(base.registered.get(base.year - age, np.full(len(base.townships), np.nan)))
        left = np.where(known[base.township, None], base.alive[:, :, age], 1.0)
        persons[:, :, age] = _spread(base, base.year - age, mean)[:, None] * base.sexes * left
    base = replace(base, persons=persons)
    young = persons[:, :, :YOUNGEST]
    # the level is right when the mothers of the last years have borne the births of which the youngest are left
    past = [persons]
    for _ in range(YOUNGEST):
        # a year earlier everybody was a year younger; without migration
        past.append(np.zeros_like(persons))
        past[-1][:, :, :-1] = past[-2][:, :, 1:] * base.alive[:, :, :-1] / base.alive[:, :, 1:]
    borne = sum(_borne(base, past[back + 1], past[back]).sum() for back in range(YOUNGEST))
    level = float((young / base.alive[:, :, :YOUNGEST]).sum() / borne) if base.top > MOTHERS_END and borne > 0 else 0.0
    return replace(base, level=level, constant=_pooled(base, young.sum(axis=(1, 2)) / YOUNGEST))


def _borne(base: _Base, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return (base.fertility * (start[:, 0] + end[:, 0]) / 2).sum(axis=1)


def _pooled(base: _Base, mean: np.ndarray) -> np.ndarray:
    # small settlements of a township share its mean in proportion to all their children, so that the township's sum stays
    small = mean * YOUNGEST < POOL_BELOW
    children = np.where(small, base.persons[:, :, : OLDEST_PUPIL + 1].sum(axis=(1, 2)), 0.0)
    size = len(base.townships)
    pool, weight = (np.bincount(base.township, w, minlength=size) for w in (np.where(small, mean, 0.0), children))
    share = np.divide(pool, weight, out=np.zeros(size), where=weight > 0)
    return np.where(small, children * share[base.township], mean)


def _spread(base: _Base, cohort: int, weights: np.ndarray) -> np.ndarray:
    # townships that registered the cohort share it out by weight; the others, and those without any weight, keep the weights
    totals = base.factor * base.registered.get(cohort, np.full(len(base.townships), np.nan))
    sums = np.bincount(base.township, weights, minlength=len(base.townships))
    ratio = np.divide(totals, sums, out=np.ones_like(sums), where=np.isfinite(totals) & (sums > 0))
    return weights * ratio[base.township]


def _factor_table(base: _Base) -> pd.DataFrame:
    rows = []
    for cohort, births in base.registered.items():
        age, known = base.year - cohort, np.isfinite(births)
        if base.youngest <= age <= min(base.top, OLDEST_PUPIL):
            left = np.ones(len(births))
            left[base.township] = (base.alive[:, :, age] * base.sexes).sum(axis=1)
            rows.append((cohort, age, births[known].sum(), (births * left)[known].sum(), base.persons[known[base.township], :, age].sum()))
    table = pd.DataFrame(np.array(rows, float).reshape(-1, 5), columns=["year", "age", "births", "expected", "children"])
    table["ratio"] = table["children"] / table["expected"].where(table["expected"] > 0)
    total = table["expected"].sum()
    table.attrs["factor"] = float(table["children"].sum() / total) if total > 0 else 1.0
    return table.astype({"year": "int64", "age": "int64"})


def _project(base: _Base, county: County, last: int) -> dict[int, np.ndarray]:
    constant, states, problems = base.constant, {base.year: base.persons}, list[Problem]()
    for year in range(base.year + 1, last + 1):
        survivors = states[year - 1] * base.survival
        state = np.concatenate([np.zeros_like(survivors[:, :, :1]), survivors[:, :, :-1]], axis=2)
        state[:, :, -1] += survivors[:, :, -1] * (base.top > MOTHERS_END)
        cohort = base.level * _borne(base, states[year - 1], state) if base.level else constant
        state[:, :, 0] = _spread(base, year, cohort)[:, None] * base.sexes
        if year == base.year + 1 and not base.youngest:
            # the part of this cohort that was born before the count is on the list
            state[:, :, 0] = base.newborn + (1 - base.shift) * state[:, :, 0]
        state *= 1 + base.migration
        flows, found = _flows(base, county.moves[county.moves["year"] == year], state)
        problems += found
        states[year], constant = _moved(state, flows), _moved(constant, flows)
    if problems:
        raise CountyDataError(problems)
    return states


def _moved(persons: np.ndarray, flows: Sequence[tuple[int, int, float]]) -> np.ndarray:
    # moves of one year are simultaneous: every share is of the state before the first of them
    left = np.ones(len(persons))
    for origin, _, share in flows:
        left[origin] -= share
    # a village that all have left holds exactly nobody
    out = np.where(left < WHOLE, 0.0, left).reshape(-1, *[1] * (persons.ndim - 1)) * persons
    for origin, site, share in flows:
        out[site] += share * persons[origin]
    return out


def _flows(base: _Base, moves: pd.DataFrame, state: np.ndarray) -> tuple[list[tuple[int, int, float]], list[Problem]]:
    """Turn the moves of a year into shares of their villages: origin, site, share."""
    flows, problems = [], list[Problem]()
    place = {name: i for i, name in enumerate(base.ids)}
    for origin in sorted(set(moves["from_id"])):
        rows = moves[moves["from_id"] == origin]
        partial, full = rows[~rows["whole_village"]], rows[rows["whole_village"]]
        available, asked = float(state[place[origin]].sum()), float(partial["persons"].sum())
        fields = {"origin": origin, "year": int(rows["year"].iloc[0]), "last": base.top, "persons": f"{asked:g}", "available": f"{available:.1f}"}
        faults = {
            "move_without_persons": partial["persons"].isna().any(),
            "move_whole_twice": len(full) > 1 and not (full["persons"] > 0).all(),
            "move_needs_all_ages": len(partial) > 0 and base.top <= MOTHERS_END,
            "move_larger_than_village": asked > available * (1 + TOLERANCE),
        }
        key = next((name for name, holds in faults.items() if holds), "")
        if key:
            problems.append(_problem(key, "moves", "from_id", origin, fields))
        elif available > 0:
            shares = partial["persons"].to_numpy(float) / available
            # a whole village that goes to several places is divided by the persons given
            weight = full["persons"].to_numpy(float) / full["persons"].sum() if len(full) > 1 else np.ones(len(full))
            parts = zip((*partial["to_id"], *full["to_id"]), (*shares, *(max(1 - shares.sum(), 0.0) * weight)), strict=True)
            flows += [(place[origin], place[site], float(part)) for site, part in parts]
    return flows, problems


def _attendance(county: County, base: _Base) -> np.ndarray:
    column = {"home": 2, "other_township": 2, "county_seat": 1, "out_of_county": 0}
    row = {t: i for i, t in enumerate(base.townships)}
    shares = np.zeros((len(base.townships), len(GRADES), len(ATTENDS)))
    given = county.attendance[county.attendance["township_id"].isin(row)]
    for township, band, where, share in zip(*(given[c] for c in ("township_id", "band", "place", "share")), strict=True):
        shares[row[township], [g - 1 for g in BANDS[band]], column[where]] += share
    shares[..., 2][shares.sum(axis=2) == 0] = 1.0
    seats = [row[t] for t in county.townships.loc[county.townships["is_county_seat"], "township_id"]]
    shares[seats, :, 2] += shares[seats, :, 1]
    shares[seats, :, 1] = 0.0
    return shares[base.township]


def _problem(key: str, table: str, column: str, value: object, fields: Mapping[str, object]) -> Problem:
    return Problem(key, sheet=schemas()[table].zh, column=schemas()[table].columns[column].zh, value=str(value), fields=fields)


def _refuse(county: County) -> None:
    table = county.population
    twice = table[table.duplicated(["settlement_id", "age"], keep=False) & (table["sex"] == "both")]
    problems = []
    for name, age in zip(twice["settlement_id"], twice["age"], strict=True):
        problems.append(_problem("sexes_and_total", "population", "sex", name, {"settlement": name, "age": int(age)}))
    sums = county.attendance.groupby(["township_id", "band"], sort=True)["share"].sum().reset_index()
    for township, band, total in zip(sums["township_id"], sums["band"], sums["share"], strict=True):
        if abs(total - 1) > TOLERANCE:
            problems.append(_problem("shares_not_one", "attendance", "share", f"{total:.6g}", {"township": township, "band": band}))
    rates, rate, value = county.rates, county.rates["rate"], county.rates["value"]
    known = ["", county.code, *county.townships["township_id"], *county.settlements["township_id"]]
    wrong = {
        "rate_survival": (rate == "survival") & ((value < 0) | (value > 1)),
        "rate_fertility": (rate == "fertility") & (value < 0),
        "rate_migration": (rate == "migration") & (value < -1),
        # boys per girl, about 1.1, where boys per 100 girls are meant, or another age than that of birth
        "rate_srb": (rate == "srb") & ((value < SRB_LEAST) | (rates["age"] != 0)),
        "rate_area": ~rates["area_id"].isin(known),
    }
    for key, mask in wrong.items():
        column = "area_id" if key == "rate_area" else "value"
        for area, age, cell in zip(*(rates.loc[mask, c] for c in ("area_id", "age", column)), strict=True):
            problems.append(_problem(key, "rates", column, cell, {"area": area or county.code, "age": int(age)}))
    if problems:
        raise CountyDataError(problems)
