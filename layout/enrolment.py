"""Pupils of schools by grade progression, with the error that the same method made in the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from layout.tables import CountyDataError, Problem, check, empty

# the 10 % quantile of a normal distribution
TENTH = 1.2815515655446004
# children of a calendar year born up to 31 August, the day by which they must be of age
_EARLY = 243 / 365
# grade 1 is entered at six
_AGE_BEFORE_GRADE = 5
# forecasts from fewer past years than this tell nothing about an error
_LEAST_ERRORS = 8
# variance of whole children about their expectation where a short history cannot tell: a Poisson count
_POISSON = 1.0


@dataclass(frozen=True)
class _History:
    """Enrolment as an array of school, year and grade; nan where a school does not teach a grade or is not there."""

    schools: tuple[str, ...]
    years: tuple[int, ...]
    grades: tuple[int, ...]
    pupils: np.ndarray


def project_enrolment(history: pd.DataFrame, *, years: Sequence[int], window: int = 3, births: pd.DataFrame | None = None) -> pd.DataFrame:
    """Project the pupils of every school by grade-progression ratios.

    A ratio is pupils of grade g in a year over those of grade g-1 a year before, summed over the last ``window`` pairs of years. It
    is shrunk twice, each time by the share of its variance that is chance (James-Stein): the county's ratio of a grade towards 1,
    and a school's towards the county's. So a large steady county keeps its ratio and a small school moves its cohorts up. Where some
    schools stop at the grade below (teaching points), their children go to the schools that had more pupils than their own cohort
    before, in that proportion; a grade that starts in a school though nobody leaves another one for it stays at its mean.

    The lowest grade is the entry. Without ``births`` it stays at the school's mean of the last ``window`` years. With them the
    county's entry is the births of the cohort times the ratio of past entries to past cohorts, shared out as in the last years:
    K(T) = 122/365 B(T-7) + 243/365 B(T-6) for grade 1 (a year less for every grade below it); where no past cohort tells the
    ratio, births are not used. A grade that a school does not teach in the last year is not projected there.

    The range comes from the errors of this method in the history itself: forecasts from every earlier year are compared with what
    came, and their variance is fitted as a part that grows with the pupils and one that grows with their square, for each number
    of years ahead, apart for grades whose children were in school and for those still to come. Beyond the history's reach the last
    is carried on in proportion to the years.

    Parameters
    ----------
    history
        school_id, year, grade, pupils: consecutive years, grades consecutive whole numbers of which the lowest is the entry grade. A
        school whose last year is before the history's is closed and is not projected.
    years
        School years after the last of the history.
    window
        Years over which ratios and entries are averaged.
    births
        year and births: births of calendar years in the area of the schools, or None.

    Returns
    -------
    pandas.DataFrame
        Table ``enrolment``: school_id, year, grade, pupils (expected), low, high (10 % and 90 %). ``attrs["closed"]`` lists schools
        not projected.

    Raises
    ------
    CountyDataError
        Negative or missing numbers, gaps in the years of a school and grade, grades that are not consecutive, fewer than two years,
        years that are not after the history, births missing: one list.

    References
    ----------
    Smith, Tayman & Swanson (2013), A Practitioner's Guide to State and Local Population Projections, ch. 6; Stein (1956), James & Stein
    (1961) for shrinking; Rayer, Smith & Tayman (2009) for intervals from past errors.

    Examples
    --------
    >>> rows = [("S", year, grade, 20.0 + grade) for year in range(2018, 2026) for grade in (1, 2, 3)]
    >>> history = pd.DataFrame(rows, columns=["school_id", "year", "grade", "pupils"])
    >>> project_enrolment(history, years=[2026]).pupils.round(1).tolist()  # grade 1 stays, the others moved up by 22/21 and 23/22
    [21.0, 22.0, 23.0]
    """
    past = _read(history, years, window, births)
    if not len(years):
        return empty("enrolment")
    ahead = max(int(y) for y in years) - past.years[-1]
    entry = _entries(past, births, ahead, window)
    forecast, closed = _forecast(past, ahead, window, entry)
    widths = _widths(_errors(past, window, births), ahead)
    wanted = sorted({int(y) for y in years})
    rows = []
    for i, school in enumerate(past.schools):
        for year in wanted:
            h = year - past.years[-1]
            for j, grade in enumerate(past.grades):
                if np.isfinite(n := forecast[i, h - 1, j]):
                    chance, drift = widths["entry" if j < h else "school", h]
                    half = TENTH * np.sqrt(chance * n + drift * n**2)
                    # nobody can be fewer than no pupils
                    rows.append((school, year, grade, n, max(n - half, 0.0), n + half))
    out = check("enrolment", pd.DataFrame(rows, columns=["school_id", "year", "grade", "pupils", "low", "high"]))
    out.attrs["closed"] = closed
    return out


def back_test(history: pd.DataFrame, *, window: int = 3, births: pd.DataFrame | None = None, first: int | None = None) -> pd.DataFrame:
    """Forecast every past year from those before it, beside two naive forecasts.

    Parameters
    ----------
    history, window, births
        As for :func:`project_enrolment`.
    first
        First year to forecast from; None: as soon as ``window`` pairs of years are there.

    Returns
    -------
    pandas.DataFrame
        base (year forecast from), ahead (years), school_id (empty: all schools), grade, kind (entry: not in school in the base year;
        school), actual, forecast, last_year (that grade in the base year), moved_up (the same cohort in the base year; empty for
        entries). Schools that are not there in both years are left out, and from the sums too.

    Raises
    ------
    CountyDataError
        As :func:`project_enrolment`.

    Examples
    --------
    >>> rows = [("S", year, grade, 20.0) for year in range(2018, 2026) for grade in (1, 2)]
    >>> test = back_test(pd.DataFrame(rows, columns=["school_id", "year", "grade", "pupils"]))
    >>> back_test_errors(test)[["ahead", "kind", "level", "forecast"]].values.tolist()[:2]
    [[1, 'entry', 'county', 0.0], [1, 'entry', 'school', 0.0]]
    """
    past = _read(history, [], window, births)
    errors = _errors(past, window, births)
    if first is not None:
        errors = errors[errors["base"] >= first]
    numbers = ["actual", "forecast", "last_year", "moved_up"]
    county = errors.groupby(["base", "ahead", "grade", "kind"], sort=True)[numbers].sum(min_count=1).reset_index().assign(school_id="")
    both = pd.concat([county, errors], ignore_index=True)
    return both[["base", "ahead", "school_id", "grade", "kind", *numbers]].sort_values(["base", "ahead", "school_id", "grade"], ignore_index=True)


def back_test_errors(test: pd.DataFrame) -> pd.DataFrame:
    """Say how large the errors of a back-test are.

    Parameters
    ----------
    test
        From :func:`back_test`.

    Returns
    -------
    pandas.DataFrame
        ahead, kind, level (county, school), forecasts (how many), and the median absolute error in percent of the method
        (forecast) and of the two naive forecasts (last_year, moved_up).

    Examples
    --------
    >>> figures = {"actual": 100.0, "forecast": 98.0, "last_year": 90.0, "moved_up": np.nan}
    >>> test = pd.DataFrame({"ahead": [1], "school_id": "", "kind": "entry", **figures})
    >>> back_test_errors(test)[["level", "forecast", "last_year"]].round(3).values.tolist()
    [['county', 2.0, 10.0]]
    """
    known = test[test["actual"] > 0]
    names = ["forecast", "last_year", "moved_up"]
    errors = known.assign(
        level=np.where(known["school_id"] == "", "county", "school"), **{n: (known[n] / known["actual"] - 1).abs() * 100 for n in names}
    )
    groups = errors.groupby(["ahead", "kind", "level"], sort=True)
    return groups[names].median().assign(forecasts=groups.size()).reset_index()[["ahead", "kind", "level", "forecasts", *names]]


def _read(history: pd.DataFrame, years: Sequence[int], window: int, births: pd.DataFrame | None) -> _History:
    if window < 1:
        raise ValueError(f"window must be at least 1, not {window}")
    problems = [Problem("cohorts_column", sheet="history", column=c) for c in ("school_id", "year", "grade", "pupils") if c not in history]
    problems += [Problem("cohorts_column", sheet="births", column=c) for c in ("year", "births") if births is not None and c not in births]
    if problems:
        raise CountyDataError(problems)
    if births is not None and (lost := ~(pd.to_numeric(births["births"], errors="coerce") >= 0)).any():
        problems.append(Problem("forecast_negative", sheet="births", column="births", fields={"count": int(lost.sum())}))
    table = history.assign(school_id=history["school_id"].astype("str"))
    pupils = pd.to_numeric(table["pupils"], errors="coerce")
    when = pd.to_numeric(table["year"], errors="coerce")
    for column, wrong in (("pupils", ~(np.isfinite(pupils) & (pupils >= 0))), ("year", ~(np.isfinite(when) & (when == when.round())))):
        if wrong.any():
            problems.append(Problem("forecast_negative", sheet="history", column=column, fields={"count": int(wrong.sum())}))
    grades = pd.to_numeric(table["grade"], errors="coerce")
    whole = np.isfinite(grades) & (grades == grades.round())
    found = sorted({int(g) for g in grades[whole]})
    if not whole.all() or not found or found != list(range(found[0], found[-1] + 1)):
        problems.append(Problem("history_grades", sheet="history", column="grade", value=", ".join(str(g) for g in found)))
    if problems:
        raise CountyDataError(problems)
    table = table.assign(pupils=pupils.astype(float), grade=grades.astype(int), year=table["year"].astype(int))
    twice = table.duplicated(["school_id", "year", "grade"])
    if twice.any():
        problems.append(Problem("cohorts_twice", sheet="history", fields={"count": int(twice.sum())}))
    there = sorted(set(table["year"]))
    span = list(range(there[0], there[-1] + 1))
    if len(there) < 2:
        problems.append(Problem("history_short", sheet="history", column="year", value=", ".join(str(y) for y in there)))
    for school, grade, own in ((s, g, set(rows)) for (s, g), rows in table.groupby(["school_id", "grade"], sort=True)["year"]):
        for year in sorted(set(range(min(own), max(own) + 1)) - own):
            fields = {"school": school, "grade": grade, "year": year}
            problems.append(Problem("history_gap", sheet="history", column="year", value=str(year), fields=fields))
    late = sorted({int(y) for y in years if int(y) <= there[-1]})
    if late:
        fields = {"years": ", ".join(str(y) for y in late), "last": there[-1]}
        problems.append(Problem("history_years", sheet="history", column="year", value=str(late[0]), fields=fields))
    if births is not None:
        known, age = set(births["year"]), found[0] + _AGE_BEFORE_GRADE
        last = max([there[-1], *(int(y) for y in years)])
        for year in sorted({y for t in range(there[-1] + 1, last + 1) for y in (t - age - 1, t - age)} - known):
            problems.append(Problem("history_births", sheet="births", column="year", value=str(year), fields={"year": year}))
    if problems:
        raise CountyDataError(problems)
    schools = sorted(set(table["school_id"]))
    cube = np.full((len(schools), len(span), len(found)), np.nan)
    place = [pd.Index(v).get_indexer(pd.Index(table[c])) for v, c in ((schools, "school_id"), (span, "year"), (found, "grade"))]
    cube[place[0], place[1], place[2]] = table["pupils"]
    return _History(tuple(schools), tuple(span), tuple(found), cube)


def _cut(past: _History, years: int) -> _History:
    return _History(past.schools, past.years[:years], past.grades, past.pupils[:, :years])


def _entries(past: _History, births: pd.DataFrame | None, ahead: int, window: int) -> np.ndarray | None:
    """Return the county's entries of the coming years from births, or None."""
    if births is None:
        return None
    age = past.grades[0] + _AGE_BEFORE_GRADE
    by_year = births.groupby("year")["births"].sum().to_dict()
    last = past.years[-1]

    def cohort(year: int) -> float:
        return (1 - _EARLY) * by_year.get(year - age - 1, np.nan) + _EARLY * by_year.get(year - age, np.nan)

    if not all(np.isfinite(cohort(last + h)) for h in range(1, ahead + 1)):
        # a forecast from an earlier year to which the births do not reach back is made without them
        return None
    seen = [(np.nansum(past.pupils[:, i, 0]), cohort(y)) for i, y in enumerate(past.years) if y > last - window and np.isfinite(cohort(y))]
    born = sum(b for _, b in seen)
    if born <= 0:
        return None
    ratio = sum(n for n, _ in seen) / born
    return ratio * np.array([cohort(last + h) for h in range(1, ahead + 1)])


def _forecast(past: _History, ahead: int, window: int, entry: np.ndarray | None) -> tuple[np.ndarray, list[str]]:
    """Return pupils by school, year ahead and grade (nan where nothing is taught), and the schools that have closed."""
    now = past.pupils[:, -1]
    open_now = np.isfinite(now).any(axis=1)
    ratio, arrive, leaving = _progression(past, window), *_arrivals(past, window)
    recent = past.pupils[:, -window:]
    county = np.nansum(recent, axis=0)
    # a school's share of its grade in the county over the last years, for entries and for grades without a lower one in the school
    share = np.nansum(recent, axis=1) / np.maximum(county.sum(axis=0), 1e-12)
    share = np.where(np.isfinite(now), share, 0.0)
    share /= np.maximum(share.sum(axis=0), 1e-12)
    with np.errstate(invalid="ignore"):
        counts = np.maximum(np.isfinite(recent).sum(axis=1), 1)
        mean = np.where(np.isfinite(now), np.nansum(recent, axis=1) / counts, np.nan)
    starts = np.isfinite(now[:, 1:]) & ~np.isfinite(now[:, :-1]) & (arrive == 0)
    out = np.full((len(past.schools), ahead, len(past.grades)), np.nan)
    before = now
    for h in range(ahead):
        year = np.full_like(now, np.nan)
        year[:, 0] = mean[:, 0] if entry is None else np.where(np.isfinite(now[:, 0]), entry[h] * share[:, 0], np.nan)
        year[:, 1:] = before[:, :-1] * ratio
        # who leaves a school that stops at the grade below goes to the schools that took such children before
        gone = np.nansum(np.where(leaving, before[:, :-1], 0.0), axis=0)
        year[:, 1:] = np.maximum(np.nan_to_num(year[:, 1:]) + arrive * gone, 0.0)
        # a grade that starts in a school though nobody leaves another one for it is like an entry
        year[:, 1:] = np.where(starts, mean[:, 1:], year[:, 1:])
        year[:, 1:][~np.isfinite(now[:, 1:])] = np.nan
        out[:, h] = before = year
    return out, [s for s, there in zip(past.schools, open_now, strict=True) if not there]


def _arrivals(past: _History, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of the leavers of a grade whom each school takes, and which schools they leave.

    A school that teaches a grade but not the next one sends its children on. What a school has in a grade beyond its own cohort of the
    year before it took from them.
    """
    now = past.pupils[:, -1]
    leaving = np.isfinite(now[:, :-1]) & ~np.isfinite(now[:, 1:])
    lower, upper = past.pupils[:, :-1, :-1][:, -window:], past.pupils[:, 1:, 1:][:, -window:]
    left = _left(past)[:, -window:]
    gone = np.nansum(np.where(left, lower, 0.0), axis=(0, 1))
    taken = np.where(np.isfinite(upper) & left.any(axis=0), np.nan_to_num(upper) - np.nan_to_num(lower), 0.0).sum(axis=1)
    # a school that lost pupils takes a little less than none: so the sum of all schools is right
    taken = np.where(np.isfinite(now[:, 1:]), taken, 0.0)
    return np.divide(taken, gone, out=np.zeros_like(taken), where=gone > 0), leaving


def _left(past: _History) -> np.ndarray:
    """Say which schools, year by year, taught a grade and not the next one a year later, though they were still there."""
    there = np.isfinite(past.pupils[:, 1:]).any(axis=2)[:, :, None]
    return np.isfinite(past.pupils[:, :-1, :-1]) & ~np.isfinite(past.pupils[:, 1:, 1:]) & there


def _pairs(past: _History) -> tuple[np.ndarray, np.ndarray]:
    """Return pupils of a grade and of the next one a year later, by school, year and grade; nan where one of both is missing."""
    lower, upper = past.pupils[:, :-1, :-1], past.pupils[:, 1:, 1:]
    # where children come from schools that stop a grade below, the difference are arrivals and tell no progression
    both = np.isfinite(lower) & np.isfinite(upper) & ~_left(past).any(axis=0)
    return np.where(both, lower, np.nan), np.where(both, upper, np.nan)


def _county_ratio(past: _History, window: int) -> np.ndarray:
    """Return the county's progression by grade, shrunk towards 1 by the share of its variance that is chance."""
    lower, upper = _pairs(past)
    if not lower.shape[2]:
        return np.zeros(0)
    a, b = np.nansum(lower, axis=0), np.nansum(upper, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        yearly = np.where(a > 0, b / a, np.nan)
        recent = np.nansum(b[-window:], axis=0) / np.nansum(a[-window:], axis=0)
        mean = np.nansum(yearly, axis=0) / np.isfinite(yearly).sum(axis=0)
    recent = np.where(np.isfinite(recent), recent, 1.0)
    mean = np.where(np.isfinite(mean), mean, 1.0)
    seen = np.isfinite(yearly).sum(axis=0)
    free = max(int((seen - 1).clip(0).sum()), 0)
    if not free:
        # one pair of years cannot tell a ratio from chance
        return np.ones(len(recent))
    noise = float(np.nansum((yearly - mean) ** 2) / free)
    between = max(float(np.mean((mean - 1) ** 2)) - noise / float(np.mean(np.maximum(seen, 1))), 0.0)
    own = noise / min(window, len(yearly))
    weight = between / (between + own) if between > 0 else 0.0
    return 1 + weight * (recent - 1)


def _progression(past: _History, window: int) -> np.ndarray:
    """Return the progression by school and grade, a school's own drawn to the county's."""
    lower, upper = _pairs(past)
    county = _county_ratio(past, window)
    out = np.tile(county, (len(past.schools), 1))
    if not lower.size or len(past.schools) < 2:
        return out
    a_year, b_year = np.nansum(lower, axis=0), np.nansum(upper, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        yearly = np.where(a_year > 0, b_year / a_year, np.nan)
        expected = lower * yearly[None]
        e, b = np.nansum(expected, axis=1), np.nansum(upper, axis=1)
        relative = np.where(e > 0, b / e, np.nan)
        misfit = (upper - expected * relative[:, None]) ** 2 / (expected * relative[:, None])
    misfit = np.where(np.isfinite(misfit), misfit, 0.0)
    free = int(np.isfinite(upper).sum() - np.isfinite(relative).sum())
    if free <= 0:
        return out
    chance = float(misfit.sum()) / free
    known = np.isfinite(relative)
    spread = float((e[known] * (relative[known] - 1) ** 2).sum() / e[known].sum()) - chance * known.sum() / e[known].sum()
    if spread <= 0:
        return out
    prior = chance / spread
    with np.errstate(invalid="ignore"):
        e_recent, b_recent = np.nansum(expected[:, -window:], axis=1), np.nansum(upper[:, -window:], axis=1)
    return out * (b_recent + prior) / (e_recent + prior)


def _errors(past: _History, window: int, births: pd.DataFrame | None) -> pd.DataFrame:
    """Forecast from every earlier year and set the forecasts beside what came."""
    rows: list[tuple[object, ...]] = []
    for cut in range(window + 1, len(past.years)):
        earlier, left = _cut(past, cut), len(past.years) - cut
        forecast, _ = _forecast(earlier, left, window, _entries(earlier, births, left, window))
        for h in range(1, left + 1):
            actual, last = past.pupils[:, cut - 1 + h], past.pupils[:, cut - 1]
            for i, j in zip(*np.nonzero(np.isfinite(actual) & np.isfinite(forecast[:, h - 1])), strict=True):
                moved = last[i, j - h] if j >= h else np.nan
                rows.append((earlier.years[-1], h, past.schools[i], past.grades[j], "entry" if j < h else "school", actual[i, j],
                             forecast[i, h - 1, j], last[i, j], moved))  # fmt: skip
    columns = ["base", "ahead", "school_id", "grade", "kind", "actual", "forecast", "last_year", "moved_up"]
    return pd.DataFrame(rows, columns=columns)


def _widths(errors: pd.DataFrame, ahead: int) -> Mapping[tuple[str, int], tuple[float, float]]:
    """Fit the variance of past errors as chance * pupils + drift * pupils^2, by kind and years ahead."""
    out: dict[tuple[str, int], tuple[float, float]] = {}
    for kind in ("entry", "school"):
        before, reach = (0.0, 0.0), 0
        for h in range(1, ahead + 1):
            own = errors[(errors["kind"] == kind) & (errors["ahead"] == h) & (errors["forecast"] > 0)]
            if len(own) >= _LEAST_ERRORS and own["base"].nunique() > 1:
                n = own["forecast"].to_numpy(float)
                # squared errors in units of pupils; the parts cannot be negative
                found, typical = _two_parts((own["actual"].to_numpy(float) - n) ** 2 / n, n), float(np.median(n))
                # nobody is surer of a later year
                before = max(before, found, key=lambda parts: parts[0] + parts[1] * typical)
                reach = h
            elif reach:
                at_reach = out[kind, reach]
                before = at_reach[0] * h / reach, at_reach[1] * h / reach
            else:
                before = _POISSON * h, 0.0
            out[kind, h] = before
    return out


def _two_parts(ratio: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    # least squares of ratio = chance + drift * n with both parts at least 0; small schools weigh as large ones
    slope = float(np.polyfit(n, ratio, 1)[0]) if np.ptp(n) > 0 else 0.0
    level = float(ratio.mean() - slope * n.mean())
    if slope < 0:
        return float(ratio.mean()), 0.0
    if level < 0:
        return 0.0, float((ratio * n).sum() / (n * n).sum())
    return level, slope
