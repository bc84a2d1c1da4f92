"""Rounds of itinerant teachers (走教): who goes from a hub to which small schools on which day of the week."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise, permutations

import pandas as pd

from layout.clusters import SUBJECTS, best_legs
from layout.standards import Standards
from layout.tables import check, empty

# so many visits that do not fill a day are cut into days exactly; more are joined one by one
_EXACT = 10
# school days of a week
_DAYS = 5
_DIGITS = 6

# a stop: school and lessons; a day: minutes of the whole tour and its stops in order
_Stop = tuple[str, int]
_Day = tuple[float, tuple[_Stop, ...]]


def teaching_rounds(clusters: pd.DataFrame, times: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Cut the lessons that hubs bring to small schools into days, and the days into the weeks of teachers.

    Parameters
    ----------
    clusters
        Table ``clusters``: hub of each school and the lessons of each subject that nobody there gives.
    times
        Table ``times`` between schools, as for :func:`layout.school_clusters`.
    standards
        ``staff.round.lessons_day``, ``staff.round.travel_day``, ``staff.lessons_per_teacher``.

    Returns
    -------
    pandas.DataFrame
        Table ``rounds``, key view, year, round_id, day, stop: the school, the lessons given there, the minutes of the way to it and, at
        each stop, those of the whole tour of the day from the hub and back. A round is the week of one teacher of one subject; its id is
        the hub's, the subject and a number. ``method``: exact or insertion. A school that no tour within the minutes of a day
        reaches is left out; what it lacks is then the ``lessons_shared`` of ``clusters`` less the lessons here.

    References
    ----------
    Rule. (1) A visit is as many lessons as a day may hold; only the last visit of a school is smaller. (2) Full visits are days of their own;
    smaller ones of a hub and subject are joined into days that keep both bounds, so that days are fewest and then minutes least: exactly
    by dynamic programming over sets (each in its best order) up to 10 of them, else by cheapest insertion, the largest and then the
    farthest first. (3) Days go into weeks of at most five days and a teacher's lessons, first fit, most lessons and then
    most minutes first.

    Examples
    --------
    >>> standards = layout.read_standards()
    >>> clusters = pd.DataFrame({"view": "planned", "year": 2030, "school_id": ["P", "Q"], "hub_id": "H", "lessons_art_short": [6, 2],
    ...     "lessons_english_short": 0, "lessons_pe_short": 0})
    >>> pairs = [("H", "P", 20.0), ("H", "Q", 25.0), ("P", "Q", 10.0)]
    >>> rows = [(a, b, m) for x, y, m in pairs for a, b in ((x, y), (y, x))]
    >>> times = pd.DataFrame(rows, columns=["from_id", "to_id", "minutes"]).assign(mode="drive", band="junior", minutes_back=lambda t: t["minutes"])
    >>> teaching_rounds(clusters, times, standards)[["round_id", "day", "stop", "school_id", "lessons", "day_minutes"]].values.tolist()
    [['H-art-1', 1, 1, 'P', 2, 55.0], ['H-art-1', 1, 2, 'Q', 2, 55.0], ['H-art-1', 2, 1, 'P', 4, 40.0]]
    """
    legs = {(a, b): m for a, b, m in best_legs(times)[["from_id", "to_id", "minutes"]].itertuples(index=False)}
    most_week = int(standards["staff.lessons_per_teacher"])
    most_day = min(int(standards["staff.round.lessons_day"]), most_week)
    wanted = clusters[clusters["hub_id"].astype("str") != ""]
    rows = []
    for (view, year, hub), group in wanted.groupby(["view", "year", "hub_id"], sort=True):
        for subject in SUBJECTS:
            lessons = {str(s): int(n) for s, n in zip(group["school_id"], group[f"lessons_{subject}_short"], strict=True) if n > 0}
            days, method = hub_days(str(hub), lessons, legs, lessons_day=most_day, travel_day=standards["staff.round.travel_day"])
            for number, week in enumerate(_weeks(days, most_week), start=1):
                for day, (total, stops) in enumerate(week, start=1):
                    places = [str(hub), *(school for school, _ in stops)]
                    rows += [
                        (view, year, f"{hub}-{subject}-{number}", day, i, hub, subject, school, n, legs[places[i - 1], school], total, method)
                        for i, (school, n) in enumerate(stops, start=1)
                    ]  # fmt: skip
    columns = ["view", "year", "round_id", "day", "stop", "hub_id", "subject", "school_id", "lessons", "minutes", "day_minutes", "method"]
    return check("rounds", pd.DataFrame(rows, columns=columns)) if rows else empty("rounds")


def hub_days(
    hub: str, lessons: Mapping[str, int], legs: Mapping[tuple[str, str], float], *, lessons_day: int, travel_day: float
) -> tuple[list[_Day], str]:  # fmt: skip
    """Cut the lessons of the schools of one hub into days.

    Parameters
    ----------
    hub
        Where a day begins and ends.
    lessons
        By school.
    legs
        Minutes by from and to; a pair that is missing cannot be travelled.
    lessons_day, travel_day
        Most lessons and minutes of a day.

    Returns
    -------
    tuple
        Days (minutes, and school and lessons of every stop in order), and the method: exact or insertion. Schools that no tour reaches are
        left out.

    Examples
    --------
    >>> legs = {("H", "P"): 9.0, ("P", "H"): 9.0}
    >>> hub_days("H", {"P": 6}, legs, lessons_day=4, travel_day=60)
    ([(18.0, (('P', 4),)), (18.0, (('P', 2),))], 'exact')
    """
    full: list[_Day] = []
    parts: list[_Stop] = []
    for school in sorted(lessons):
        alone = _tour(hub, ((school, lessons_day),), legs)
        if alone is None or alone[0] > travel_day:
            continue
        visits, rest = divmod(lessons[school], lessons_day)
        full += [alone] * visits
        parts += [(school, rest)] if rest else []
    if len(parts) <= _EXACT:
        return full + _exact_days(hub, parts, legs, lessons_day, travel_day), "exact"
    return full + _joined_days(hub, parts, legs, lessons_day, travel_day), "insertion"


def _tour(hub: str, stops: Sequence[_Stop], legs: Mapping[tuple[str, str], float]) -> _Day | None:
    """Return the minutes of a tour in the order given, None where a way is missing."""
    places = [hub, *(school for school, _ in stops), hub]
    ways = [legs.get(pair, math.inf) for pair in pairwise(places)]
    total = round(sum(ways), _DIGITS)
    return (total, tuple(stops)) if math.isfinite(total) else None


def _best_tour(hub: str, stops: Sequence[_Stop], legs: Mapping[tuple[str, str], float], lessons_day: int, travel_day: float) -> _Day | None:
    if sum(n for _, n in stops) > lessons_day:
        return None
    tours = (_tour(hub, order, legs) for order in permutations(sorted(stops)))
    return min((t for t in tours if t is not None and t[0] <= travel_day), default=None)


def _exact_days(
    hub: str, parts: Sequence[_Stop], legs: Mapping[tuple[str, str], float], lessons_day: int, travel_day: float
) -> list[_Day]:  # fmt: skip
    """Cut visits into the fewest days, of these into the one with least minutes: by sets, each opened by its lowest visit."""
    tours: dict[int, _Day] = {}
    for size in range(1, min(len(parts), lessons_day) + 1):
        for chosen in combinations(range(len(parts)), size):
            best = _best_tour(hub, [parts[i] for i in chosen], legs, lessons_day, travel_day)
            if best is not None:
                tours[sum(1 << i for i in chosen)] = best
    by_lowest: dict[int, list[int]] = {}
    for mask in sorted(tours):
        by_lowest.setdefault(mask & -mask, []).append(mask)
    best_of: dict[int, tuple[int, float, tuple[int, ...]]] = {0: (0, 0.0, ())}
    for done in range(1, 1 << len(parts)):
        found = [
            (best_of[done ^ mask][0] + 1, round(best_of[done ^ mask][1] + tours[mask][0], _DIGITS), (mask, *best_of[done ^ mask][2]))
            for mask in by_lowest[done & -done] if mask & done == mask
        ]  # fmt: skip
        # a visit alone is always a day, so there is one
        best_of[done] = min(found)
    return [tours[mask] for mask in best_of[(1 << len(parts)) - 1][2]]


def _joined_days(
    hub: str, parts: Sequence[_Stop], legs: Mapping[tuple[str, str], float], lessons_day: int, travel_day: float
) -> list[_Day]:  # fmt: skip
    """Put visits one after another where they add fewest minutes, a day of its own only where none has room."""
    days: list[_Day] = []
    for stop in sorted(parts, key=lambda s: (-s[1], -legs[hub, s[0]], s[0])):
        grown = []
        for i, (before, stops) in enumerate(days):
            best = _best_tour(hub, [*stops, stop], legs, lessons_day, travel_day)
            if best is not None:
                grown.append((round(best[0] - before, _DIGITS), i, best))
        if grown:
            _, i, best = min(grown)
            days[i] = best
        else:
            alone = _tour(hub, (stop,), legs)
            days += [alone] if alone is not None else []
    return days


def _weeks(days: Sequence[_Day], most: int) -> list[list[_Day]]:
    """Put days into weeks first fit, most lessons and then most minutes first."""
    weeks: list[list[_Day]] = []
    for day in sorted(days, key=lambda d: (-_lessons([d]), -d[0], d[1])):
        fits = (w for w in weeks if len(w) < _DAYS and _lessons([*w, day]) <= most)
        week = next(fits, None)
        if week is None:
            weeks.append([day])
        else:
            week.append(day)
    return weeks


def _lessons(days: Sequence[_Day]) -> int:
    return sum(n for _, stops in days for _, n in stops)
