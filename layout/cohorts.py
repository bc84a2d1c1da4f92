"""The cohort-component method: people by sex and age, carried on by survival, births and migration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from layout.tables import CountyDataError, Problem

SEXES = ("female", "male")
# more boys per girl than this are boys per 100 girls
SRB_MOST = 10.0
# slack of sums that are compared
TOLERANCE = 1e-6
# mean age at death in the first year: m(0) from, constant, slope (Andreev & Kingkade 2015, table 3.2; Coale & Demeny 1983, West)
_A0: Mapping[str, Mapping[str, tuple[tuple[float, float, float], ...]]] = {
    "andreev-kingkade": {
        "female": ((0.0, 0.14903, -2.05527), (0.01724, 0.04667, 3.88089), (0.06891, 0.31411, 0.0)),
        "male": ((0.0, 0.14929, -1.99545), (0.02300, 0.02832, 3.26021), (0.08307, 0.29915, 0.0)),
    },
    "coale-demeny": {
        "female": ((0.0, 0.053, 2.800), (0.107, 0.350, 0.0)),
        "male": ((0.0, 0.045, 2.684), (0.107, 0.330, 0.0)),
    },
}
# years lived between 1 and 5 by those who die there, from m(0) (Coale & Demeny 1983, West)
_A1 = {"female": ((0.0, 1.522, -1.518), (0.107, 1.361, 0.0)), "male": ((0.0, 1.651, -2.816), (0.107, 1.352, 0.0))}


@dataclass(frozen=True)
class Cohorts:
    """A projection: people at the start and at the end of every interval, and what changed them.

    Parameters
    ----------
    people
        (area_id,) year, age, sex, persons: at the first year and at the end of each interval.
    components
        (area_id,) year (first of the interval), births, deaths, migrants, and births_female, births_male. People at the end are
        people at the start + births - deaths + migrants.
    """

    people: pd.DataFrame
    components: pd.DataFrame


def project_cohorts(
    population: pd.DataFrame,
    survival: pd.DataFrame,
    fertility: pd.DataFrame,
    *,
    srb: float | pd.DataFrame,
    years: Sequence[int],
    migration: pd.DataFrame | None = None,
    step: int = 1,
    migration_timing: Literal["end", "half"] = "end",
) -> Cohorts:
    """Project people of any number of areas by the cohort-component method.

    With N people, S survival, F fertility and M migrants of an interval of n years, group x of the end is
    N'(x) = S(x) [N(x-n) + M0(x-n)] + M1(x), the open group from the last two groups; births are
    B = n sum F(x) [N(x) + M0(x) + E(x)] / 2 over women, E the women of the end; the first group is the share of a sex in B times
    S(0), and M1(0). ``end``: M0 = 0, M1 = M, and the women of the end are those before the migrants come. ``half``: M0 = M1 = M / 2,
    and they are counted with them.

    Parameters
    ----------
    population
        age (lower end of a group as wide as ``step``; the last is open), sex (female, male), persons, and optionally area_id.
    survival
        year, sex, age, survival: the share that arrives in group ``age`` by the end of the interval that begins in ``year``, from the
        group below (first group: from births; open group: from the last two); optionally area_id, else for every area.
    fertility
        year, age, rate: births per woman and year; ages without a row bear no children. Optionally area_id.
    srb
        Boys per girl at birth, a number or a frame of year and srb.
    years
        First years of the intervals, ``step`` apart.
    migration
        year, sex, age, migrants (net) in the interval; optionally area_id. None: nobody moves.
    step
        Width of groups and intervals in years.
    migration_timing
        ``end``: migrants come at the end of the interval; ``half``: half of them at each end.

    Returns
    -------
    Cohorts
        People and components, sorted by their keys.

    Raises
    ------
    CountyDataError
        One list of all: columns missing, ages that do not fit, numbers missing or negative, a survival above 1, a sex ratio in percent,
        years with a gap, more leaving than there are.

    References
    ----------
    Preston, Heuveline & Guillot (2001), Demography: Measuring and Modeling Population Processes, ch. 6, boxes 6.1 and 6.2.

    Examples
    --------
    >>> ages = [(age, sex) for sex in ("female", "male") for age in (0, 1, 2)]
    >>> people = pd.DataFrame(ages, columns=["age", "sex"]).assign(persons=100.0)
    >>> survival = pd.DataFrame(ages, columns=["age", "sex"]).assign(year=2025, survival=0.9)
    >>> fertility = pd.DataFrame({"year": [2025], "age": [1], "rate": [0.2]})
    >>> done = project_cohorts(people, survival, fertility, srb=1.0, years=[2025])
    >>> done.people[(done.people.year == 2026) & (done.people.sex == "female")].persons.round(2).tolist()  # 100, 90 and 180 arrive
    [8.55, 90.0, 180.0]
    >>> done.components[["births", "deaths", "migrants"]].round(2).values.tolist()
    [[19.0, 61.9, 0.0]]
    """
    if step < 1:
        raise ValueError(f"step must be at least 1, not {step}")
    problems: list[Problem] = []
    if "area_id" in population and population["area_id"].isna().any():
        raise CountyDataError([Problem("cohorts_area", sheet="population", column="area_id", value="")])
    intervals = [int(y) for y in years]
    ages = _ages(population, step, problems)
    if any(b - a != step for a, b in pairwise(intervals)) or not intervals:
        problems.append(Problem("cohorts_years", column="years", value=", ".join(str(y) for y in intervals), fields={"step": step}))
    if migration_timing not in ("end", "half"):
        raise ValueError(f"migration_timing must be 'end' or 'half', not {migration_timing!r}")
    areas = sorted(population["area_id"].unique()) if "area_id" in population else [""]
    grid = _Grid(tuple(areas), tuple(intervals), ages, "area_id" in population)
    start = grid.fill("population", population, "persons", problems, by_year=False, least=0.0)[:, 0]
    alive = grid.fill("survival", survival, "survival", problems, least=0.0, most=1.0)
    rate = grid.fill("fertility", fertility, "rate", problems, by_sex=False, default=0.0, least=0.0)[:, :, 0]
    move = grid.fill("migration", migration, "migrants", problems, default=0.0)
    boys = _srb(srb, intervals, problems)
    if problems:
        raise CountyDataError(problems)
    states, births, deaths = [start], [], []
    for i, year in enumerate(intervals):
        early = move[:, i] / 2 if migration_timing == "half" else np.zeros_like(move[:, i])
        late = move[:, i] - early
        exposed = states[-1] + early
        end, died = age_on(exposed, alive[:, i]), _deaths(exposed, alive[:, i])
        mothers = end[:, 0] + (late[:, 0] if migration_timing == "half" else 0.0)
        total = step * (rate[:, i] * (exposed[:, 0] + mothers) / 2).sum(axis=1)
        born = total[:, None] * np.array([1.0, boys[i]]) / (1 + boys[i])
        end[:, :, 0] = born * alive[:, i, :, 0]
        died = died + born * (1 - alive[:, i, :, 0])
        end = end + late
        problems += _overdrawn(grid, year, ages, exposed, end)
        states.append(end)
        births.append(born)
        deaths.append(died.sum(axis=1))
    if problems:
        raise CountyDataError(problems)
    return Cohorts(_people(grid, np.stack(states, axis=1), step), _components(grid, births, deaths, move))


def survival_from_mx(mx: pd.DataFrame, *, step: int = 1, a0: Literal["coale-demeny", "andreev-kingkade"] = "coale-demeny") -> pd.DataFrame:
    """Turn death rates m(x) into the survival that :func:`project_cohorts` takes.

    q(x) = n m / (1 + (n - a) m), L(x) = n l(x+n) + a d(x), the open group L = l / m; survival is L(0) / (n l(0)) from births,
    L(x) / L(x-n) between groups, and L(open) / (L(open) + L(below)) for the open group. Deaths fall in the middle of an interval
    except in the first years of life, and in groups with n m above 1, where the rate is constant within the group.

    Parameters
    ----------
    mx
        year, sex, age, mx: single ages for ``step=1``; for ``step=5`` the ages of an abridged table, 0, 1, 5, 10 and so on (a rate of
        0-4 in one cannot tell infants from children). The last group is open. Optionally area_id.
    step
        Width of the groups of the answer in years: 1 or 5.
    a0
        Mean age at death of infants from m(0): Coale and Demeny (1983, West), or Andreev and Kingkade (2015), as the Human Mortality
        Database has it.

    Returns
    -------
    pandas.DataFrame
        (area_id,) year, sex, age, survival, sorted.

    Raises
    ------
    CountyDataError
        Columns missing, ages that do not fit the step, rates missing or negative, an open group that nobody leaves.

    References
    ----------
    Preston, Heuveline & Guillot (2001), ch. 3; Andreev & Kingkade (2015), Demographic Research 33(13); Coale & Demeny (1983).

    Examples
    --------
    >>> mx = pd.DataFrame({"year": 2025, "sex": "female", "age": [0, 1, 2], "mx": [0.01, 0.1, 0.5]})
    >>> survival_from_mx(mx).survival.round(4).tolist()
    [0.9909, 0.9516, 0.6552]
    """
    if step not in (1, 5):
        raise ValueError(f"step must be 1 or 5, not {step}")
    keys = [c for c in ("area_id", "year", "sex") if c in mx]
    missing = [c for c in ("year", "sex", "age", "mx") if c not in mx]
    if missing:
        raise CountyDataError([Problem("cohorts_column", sheet="mx", column=c) for c in missing])
    problems: list[Problem] = []
    rows = []
    for key, group in mx.sort_values([*keys, "age"], kind="stable").groupby(keys, sort=True):
        where = " ".join(str(k) for k in key)
        ages, m = group["age"].to_numpy(), pd.to_numeric(group["mx"], errors="coerce").to_numpy(float)
        if str(key[-1]) not in SEXES:
            problems.append(Problem("cohorts_sex", sheet="mx", column="sex", value=str(key[-1])))
            continue
        wanted = np.arange(len(ages)) if step == 1 else np.array([0, 1, *range(5, 5 * (len(ages) - 1), 5)])
        if len(ages) < 3 or not np.array_equal(ages, wanted):
            fields = {"wanted": ", ".join(str(a) for a in (wanted[:4] if step == 5 else range(4)))}
            problems.append(Problem("cohorts_mx_ages", sheet="mx", column="age", value=where, fields=fields))
        elif not (np.isfinite(m) & (m >= 0)).all() or m[-1] <= 0:
            problems.append(Problem("cohorts_mx", sheet="mx", column="mx", value=where))
        else:
            rows += [(*key, *row) for row in zip(*_ratios(ages, m, str(key[-1]), step, a0), strict=True)]
    if problems:
        raise CountyDataError(problems)
    return pd.DataFrame(rows, columns=[*keys, "age", "survival"]).sort_values([*keys, "age"], ignore_index=True)


def age_on(persons: np.ndarray, survival: np.ndarray, *, last_open: bool = True) -> np.ndarray:
    """Let everybody survive into the next age group.

    Parameters
    ----------
    persons
        People; the last axis is age.
    survival
        Share that arrives in each group, from the group below; the first value (from births) is not used here.
    last_open
        Whether the last group keeps its survivors; otherwise they leave the table.

    Returns
    -------
    numpy.ndarray
        People a group older, nobody in the first.

    Examples
    --------
    >>> age_on(np.array([10.0, 10.0, 10.0]), np.array([1.0, 0.9, 0.5]))
    array([ 0.,  9., 10.])
    """
    out = np.empty(np.broadcast_shapes(persons.shape, survival.shape))
    out[..., 0] = 0.0
    np.multiply(persons[..., :-1], survival[..., 1:], out=out[..., 1:])
    if last_open:
        out[..., -1] += persons[..., -1] * survival[..., -1]
    return out


def _deaths(persons: np.ndarray, survival: np.ndarray) -> np.ndarray:
    return (persons[..., :-1] * (1 - survival[..., 1:])).sum(axis=-1) + persons[..., -1] * (1 - survival[..., -1])


@dataclass(frozen=True)
class _Grid:
    """The areas, first years and ages of a projection, and the way from a frame to an array of them."""

    areas: tuple[str, ...]
    years: tuple[int, ...]
    ages: tuple[int, ...]
    by_area: bool

    def fill(
        self, name: str, frame: pd.DataFrame | None, column: str, problems: list[Problem], *, by_year: bool = True, by_sex: bool = True,
        default: float | None = None, least: float | None = None, most: float | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Lay a frame out as area, year, sex, age, and say all that does not fit."""
        shape = (len(self.areas), len(self.years) if by_year else 1, len(SEXES) if by_sex else 1, len(self.ages))
        out = np.full(shape, np.nan if default is None else default)
        if frame is None:
            return out
        need = [*(["year"] if by_year else []), *(["sex"] if by_sex else []), "age", column]
        missing = [c for c in need if c not in frame]
        if missing:
            problems += [Problem("cohorts_column", sheet=name, column=c) for c in missing]
            return out
        if by_year:
            # rates of years that nobody asked for are not wrong
            frame = frame.assign(year=pd.to_numeric(frame["year"], errors="coerce"))
            lacking = [y for y in self.years if len(frame) and not (frame["year"] == y).any()]
            if lacking and default is not None:
                where = ", ".join(str(y) for y in lacking[:5])
                problems.append(Problem("cohorts_gap", sheet=name, column="year", fields={"where": where, "count": len(lacking)}))
            frame = frame[frame["year"].isin(self.years)]
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(float)
        given = {
            "area_id": (frame["area_id"] if "area_id" in frame else pd.Series([""] * len(frame))).to_numpy(object), "age": frame["age"].to_numpy(),
            "sex": frame["sex"].to_numpy(object) if by_sex else np.array(["female"] * len(frame), object),
        }  # fmt: skip
        place = {k: pd.Index(v).get_indexer(pd.Index(given[k])) for k, v in (("age", self.ages), ("sex", SEXES), ("area_id", self.areas))}
        if not (self.by_area and "area_id" in frame):
            place["area_id"] = np.zeros(len(frame), int)
        for what, key in (("area_id", "cohorts_area"), ("sex", "cohorts_sex"), ("age", "cohorts_age")):
            wrong = sorted({str(v) for v in given[what][place[what] < 0]})
            if wrong:
                problems.append(Problem(key, sheet=name, column=what, value=", ".join(wrong[:5])))
        without = sorted(set(self.areas) - set(given["area_id"])) if self.by_area and "area_id" in frame and len(frame) else []
        if without and default is not None:
            fields = {"where": ", ".join(str(a) for a in without[:5]), "count": len(without)}
            problems.append(Problem("cohorts_gap", sheet=name, column="area_id", fields=fields))
        finite = np.isfinite(values)
        faults = {"cohorts_missing": ~finite, "cohorts_negative": finite & (values < (-np.inf if least is None else least)),
                  "cohorts_above": finite & (values > (np.inf if most is None else most))}  # fmt: skip
        for key, mask in faults.items():
            for i in np.flatnonzero(mask)[:5]:
                row = " ".join(str(frame[c].iloc[i]) for c in (*(["area_id"] if "area_id" in frame else []), *need[:-1]))
                problems.append(Problem(key, sheet=name, column=column, value=f"{values[i]:g}", fields={"where": row, "count": int(mask.sum())}))
        year = pd.Index(self.years).get_indexer(pd.Index(frame["year"])) if by_year else np.zeros(len(frame), int)
        known = finite & (place["age"] >= 0) & (place["sex"] >= 0) & (place["area_id"] >= 0)
        cell = [place["area_id"][known], year[known], (place["sex"] if by_sex else np.zeros(len(frame), int))[known], place["age"][known]]
        flat = np.ravel_multi_index(cell, shape)
        if len(np.unique(flat)) < len(flat):
            problems.append(Problem("cohorts_twice", sheet=name, fields={"count": len(flat) - len(np.unique(flat))}))
        out.reshape(-1)[flat] = values[known]
        if not (self.by_area and "area_id" in frame) and len(self.areas) > 1:
            out[:] = out[:1]
        gaps = np.argwhere(np.isnan(out))
        if len(gaps) and not missing and finite.all():
            area, at, sex, age = gaps[0]
            first = " ".join(part for part in (self.areas[area], str(self.years[at]) if by_year else "", SEXES[sex] if by_sex else "",
                                               str(self.ages[age])) if part)  # fmt: skip
            problems.append(Problem("cohorts_gap", sheet=name, column=column, fields={"where": first, "count": len(gaps)}))
        return np.nan_to_num(out)


def _ages(population: pd.DataFrame, step: int, problems: list[Problem]) -> tuple[int, ...]:
    if "age" not in population:
        return (0, step)
    ages = sorted({int(a) for a in population["age"].dropna()})
    if len(ages) < 2 or ages != list(range(0, step * len(ages), step)):
        shown = ", ".join(str(a) for a in ages[:8])
        problems.append(Problem("cohorts_groups", sheet="population", column="age", value=shown, fields={"step": step}))
    return tuple(ages)


def _srb(srb: float | pd.DataFrame, years: Sequence[int], problems: list[Problem]) -> np.ndarray:
    if isinstance(srb, pd.DataFrame):
        missing = [c for c in ("year", "srb") if c not in srb]
        if missing:
            problems += [Problem("cohorts_column", sheet="srb", column=c) for c in missing]
            return np.ones(len(years))
        if (twice := srb["year"].duplicated()).any():
            problems.append(Problem("cohorts_twice", sheet="srb", fields={"count": int(twice.sum())}))
        known = srb.drop_duplicates("year").set_index("year")["srb"].reindex(list(years))
        values = pd.to_numeric(known, errors="coerce").to_numpy(float)
    else:
        values = np.full(len(years), pd.to_numeric(srb, errors="coerce"), float)
    wrong = ~(np.isfinite(values) & (values > 0) & (values < SRB_MOST))
    for year, value in [(y, v) for y, v, w in zip(years, values, wrong, strict=True) if w][:5]:
        problems.append(Problem("cohorts_srb", sheet="srb", column="srb", value=f"{value:g}", fields={"year": year}))
    return values


def _overdrawn(grid: _Grid, year: int, ages: Sequence[int], exposed: np.ndarray, end: np.ndarray) -> Iterable[Problem]:
    # the first group holds nobody before the births, so its early half of the migrants may be negative
    low = (end < -TOLERANCE) | (np.arange(len(ages)) > 0) & (exposed < -TOLERANCE)
    for area, sex, age in np.argwhere(low)[:5]:
        fields = {"area": grid.areas[area] or "—", "year": year, "sex": SEXES[sex], "age": ages[age]}
        yield Problem("cohorts_overdrawn", sheet="migration", column="migrants", value=f"{min(end[area, sex, age], 0.0):.1f}", fields=fields)


def _people(grid: _Grid, states: np.ndarray, step: int) -> pd.DataFrame:
    # area, year, sex, age -> area, year, age, sex: the order of the key
    cube = states.transpose(0, 1, 3, 2)
    years = [*grid.years, grid.years[-1] + step]
    area, year, age, sex = (axis.reshape(-1) for axis in np.indices(cube.shape))
    frame = pd.DataFrame({
        "area_id": np.array(grid.areas, object)[area], "year": np.array(years)[year], "age": np.array(grid.ages)[age],
        "sex": np.array(SEXES, object)[sex], "persons": cube.reshape(-1),
    })  # fmt: skip
    return frame if grid.by_area else frame.drop(columns="area_id")


def _components(grid: _Grid, births: Sequence[np.ndarray], deaths: Sequence[np.ndarray], move: np.ndarray) -> pd.DataFrame:
    born, died = np.stack(births, axis=1), np.stack(deaths, axis=1)
    area, year = (axis.reshape(-1) for axis in np.indices(born.shape[:2]))
    frame = pd.DataFrame({
        "area_id": np.array(grid.areas, object)[area], "year": np.array(grid.years)[year], "births": born.sum(axis=2).reshape(-1),
        "deaths": died.reshape(-1), "migrants": move.sum(axis=(2, 3)).reshape(-1), "births_female": born[:, :, 0].reshape(-1),
        "births_male": born[:, :, 1].reshape(-1),
    })  # fmt: skip
    return frame if grid.by_area else frame.drop(columns="area_id")


def _ratios(ages: np.ndarray, m: np.ndarray, sex: str, step: int, formula: str) -> tuple[np.ndarray, np.ndarray]:
    width = np.diff(ages).astype(float)
    lived = width / 2
    lived[0] = _piecewise(_A0[formula][sex], m[0])
    if step == 5:
        lived[1] = _piecewise(_A1[sex], m[0])
    # where most of a group dies, deaths in the middle would be more than all: a constant rate within the group
    fast = (width * m[:-1] > 1) & (np.arange(len(width)) > 1)
    lived[fast] = 1 / m[:-1][fast] - width[fast] / np.expm1(width[fast] * m[:-1][fast])
    dying = width * m[:-1] / (1 + (width - lived) * m[:-1])
    left = np.concatenate([[1.0], np.cumprod(1 - dying)])
    years = np.append(width * left[1:] + lived * left[:-1] * dying, left[-1] / m[-1])
    if step == 5:
        years = np.concatenate([[years[0] + years[1]], years[2:]])
    out = np.concatenate([[years[0] / step], years[1:] / years[:-1]])
    out[-1] = years[-1] / (years[-1] + years[-2])
    return np.arange(len(out)) * step, out


def _piecewise(pieces: Sequence[tuple[float, float, float]], m: float) -> float:
    return next(constant + slope * m for start, constant, slope in reversed(pieces) if m >= start)
