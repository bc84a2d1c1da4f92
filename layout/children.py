"""Whole children, and the ways on which they can come to a school."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from layout.standards import Standards, judged_minutes
from layout.tables import BANDS, check

# sums of fractions that should be halves may be a little less
TOLERANCE = 1e-9
# rows of the table of minutes that are looked at together
_ROWS = 1_000_000
# kinds of schools that need not teach every primary grade, and may teach grades together
INCOMPLETE = ("teaching_point", "small_primary")


def whole_children(pupils: pd.DataFrame) -> pd.DataFrame:
    """Round expected pupils to whole children within each year, grade and place of study.

    Running sums in the order of the settlement codes are rounded, so that the total and the sum of any run of neighbours are off by
    less than a child; a settlement is off by less than one.

    Parameters
    ----------
    pupils
        Table ``pupils``.

    Returns
    -------
    pandas.DataFrame
        The same rows with whole pupils, those with none left out; an empty ``attends`` reads home.

    Examples
    --------
    >>> pupils = pd.DataFrame({"settlement_id": ["A", "B"], "year": 2026, "grade": 1, "pupils": [0.6, 0.8]})
    >>> whole_children(pupils)[["settlement_id", "attends", "pupils"]].values.tolist()
    [['A', 'home', 1]]
    """
    table = check("pupils", pupils)
    table["attends"] = table["attends"].where(table["attends"] != "", "home")
    # running sums in the order of the codes, which is that of the townships: every run of neighbours keeps its sum to a child, where
    # the largest remainders would give all children to the places with the larger fraction
    running = table.groupby(["year", "grade", "attends"], sort=False)["pupils"].cumsum()
    upto = np.floor(running + 0.5 + TOLERANCE)
    table["pupils"] = (upto - upto.groupby([table["year"], table["grade"], table["attends"]], sort=False).shift(fill_value=0.0)).astype("int64")
    return table[table["pupils"] > 0].reset_index(drop=True)


def best_runs(pupils: Mapping[int, float], rooms: int, standards: Standards, *, most: int | None = None) -> tuple[tuple[int, ...], ...]:
    """Cut grades into runs of neighbours, one a room, so that fewest children are above the size of a mixed class.

    Parameters
    ----------
    pupils
        Expected pupils of each grade taught; at least one grade.
    rooms
        Rooms, fewer than grades, at least one.
    standards
        ``class_size.mixed.max_grades`` and the most pupils of a mixed class.
    most
        The most pupils of such a class where a schedule of lower class sizes says so for the year.

    Returns
    -------
    tuple of tuple of int
        As many runs as rooms. With too few rooms for the largest number of grades in a mixed class, runs are as short as the
        rooms allow. Then the smallest largest run goes first, then the earlier cut.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> best_runs({1: 10, 2: 12, 3: 25}, 2, read_standards())
    ((1, 2), (3,))
    """
    size = standards.mixed_size(pupils) if most is None else most

    def burden(runs: tuple[tuple[int, ...], ...]) -> tuple[float, float]:
        totals = [sum(pupils[g] for g in run) for run in runs]
        return round(sum(max(n - size, 0) for n in totals), 6), round(max(totals), 6)

    return min(all_runs(sorted(pupils), rooms, standards), key=burden)


def all_runs(grades: Sequence[int], rooms: int, standards: Standards) -> list[tuple[tuple[int, ...], ...]]:
    """List every cut of grades into runs of neighbours, one a room.

    Parameters
    ----------
    grades
        Grades taught, rising.
    rooms
        Rooms, at most as many as grades, at least one.
    standards
        ``class_size.mixed.max_grades``; where the rooms are too few for it, runs are as short as the rooms allow.

    Returns
    -------
    list of tuple
        Cuts, the earlier first.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> all_runs([1, 2, 3], 2, read_standards())
    [((1,), (2, 3)), ((1, 2), (3,))]
    """
    longest = max(int(standards["class_size.mixed.max_grades"]), -(-len(grades) // rooms))
    cuts = ((0, *inner, len(grades)) for inner in combinations(range(1, len(grades)), rooms - 1))
    found = [tuple(tuple(grades[a:b]) for a, b in pairwise(cut)) for cut in cuts]
    return [runs for runs in found if max(len(run) for run in runs) <= longest]


def ways_of(times: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Choose the day way of each settlement, school and band, and the boarder's weekly way.

    By day: on foot where that keeps its limit, else by bus where that does, else the quicker of the two, beyond the limit.

    Parameters
    ----------
    times
        Table ``times``: modes walk, bus and week.
    standards
        Limits, who may board, which direction is judged.

    Returns
    -------
    pandas.DataFrame
        settlement_id, school_id, band, mode (walk, bus or board), minutes (judged), beyond (over the limit), excess (minutes
        over it). Weekly ways over their limit, and those of bands that do not board, have no row.

    References
    ----------
    校车安全管理条例 第三条: near by, then public transport, then boarding or bus.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> times = pd.DataFrame({"from_id": "A", "to_id": "S", "mode": ["bus", "walk"], "band": "lower", "minutes": [12.0, 29.0], "minutes_back": 12.0})
    >>> ways_of(times, read_standards())[["mode", "minutes", "beyond"]].values.tolist()
    [['walk', 29.0, False]]
    """
    judged = judged_minutes(times, standards).to_numpy(float)
    limits = {f"{m} {b}": standards.limit(m, b) for m in ("walk", "bus", "week") for b in BANDS}
    may_board = {band: any(standards.may_board(g) for g in grades) for band, grades in BANDS.items()}
    codes = pd.factorize(times["from_id"].astype("str"), sort=True)[0]
    order = np.argsort(codes, kind="stable")
    # some settlements at a time: names of all pairs at once take much memory
    ends = np.flatnonzero(np.diff(codes[order], append=-1)) + 1
    first, days, weeks = 0, [], []
    for end in ends.tolist():
        if end - first < _ROWS and end != len(order):
            continue
        day, week = _chosen_ways(times.iloc[order[first:end]], judged[order[first:end]], limits, may_board)
        days.append(day)
        weeks.append(week)
        first = end
    if not days:
        days, weeks = ([one] for one in _chosen_ways(times, judged, limits, may_board))
    return pd.concat([*days, *weeks], ignore_index=True).drop(columns="limit")


def _chosen_ways(
    times: pd.DataFrame, judged: np.ndarray, limits: Mapping[str, float], may_board: Mapping[str, bool]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return day ways and weekly ways of some settlements."""
    frame = pd.DataFrame({
        "settlement_id": times["from_id"].astype("str"), "school_id": times["to_id"].astype("str"), "band": times["band"].astype("str"),
        "mode": times["mode"].astype("str"), "minutes": judged,
    })  # fmt: skip
    known = frame["mode"].isin(["walk", "bus", "week"])
    frame = frame[known].sort_values(["settlement_id", "school_id", "band", "mode"], kind="stable", ignore_index=True)
    frame["limit"] = (frame["mode"] + " " + frame["band"]).map(limits).astype(float)
    week = frame[(frame["mode"] == "week") & (frame["minutes"] <= frame["limit"])].assign(mode="board", beyond=False, excess=0.0)
    week = week[np.array([may_board[b] for b in week["band"]], bool)]
    day = frame[frame["mode"] != "week"].reset_index(drop=True)
    groups = day.groupby(["settlement_id", "school_id", "band"], sort=True).ngroup().to_numpy()
    # the legal order: near by foot, then the bus
    chosen = choose_way(groups, day["minutes"].to_numpy(), day["limit"].to_numpy(), (day["mode"] == "bus").to_numpy(int))
    day = day.iloc[chosen]
    return day.assign(beyond=day["minutes"] > day["limit"], excess=np.maximum(day["minutes"] - day["limit"], 0.0)), week


def spread(children: pd.DataFrame, shares: pd.DataFrame) -> pd.DataFrame:
    """Spread the totals of each school over the settlements, so that each settlement has its schools in nearly equal proportion.

    Parameters
    ----------
    children
        Whole pupils who study in the county seat: settlement_id, year, grade, pupils.
    shares
        What each school takes of a year and grade: year, grade, school_id, mode, status, pupils; the totals of both agree.

    Returns
    -------
    pandas.DataFrame
        Rows of the table ``assignment`` without minutes.

    Examples
    --------
    >>> children = pd.DataFrame({"settlement_id": ["A", "B"], "year": 2030, "grade": 1, "pupils": [2, 2]})
    >>> shares = pd.DataFrame({"year": 2030, "grade": 1, "school_id": ["P", "Q"], "mode": "seat", "status": "served", "pupils": [2, 2]})
    >>> spread(children, shares)[["settlement_id", "school_id", "pupils"]].values.tolist()
    [['A', 'P', 1], ['A', 'Q', 1], ['B', 'P', 1], ['B', 'Q', 1]]
    """
    rows = []
    for (year, grade), group in children.groupby(["year", "grade"], sort=True):
        part = shares[(shares["year"] == year) & (shares["grade"] == grade)].reset_index(drop=True)
        quota = part["pupils"].to_numpy(float)
        given = np.zeros(len(quota))
        done, total = 0, quota.sum()
        for settlement, pupils in zip(group["settlement_id"], group["pupils"], strict=True):
            before = given.copy()
            for _ in range(int(pupils)):
                done += 1
                given[np.argmax(np.where(given < quota, np.round(quota * done / total - given, 9), -np.inf))] += 1
            rows += [
                (settlement, year, grade, "county_seat", part["school_id"][i], part["mode"][i], part["status"][i], int(given[i] - before[i]), np.nan)
                for i in np.flatnonzero(given > before)
            ]  # fmt: skip
    return pd.DataFrame(rows, columns=["settlement_id", "year", "grade", "attends", "school_id", "mode", "status", "pupils", "minutes"])


def choose_way(groups: np.ndarray, minutes: np.ndarray, limit: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Choose one way for each group: the first by rank that keeps its limit, else the quickest.

    Parameters
    ----------
    groups
        Number of the group of each way.
    minutes, limit
        Minutes of each way and its limit.
    rank
        Order of preference among the ways that keep their limit, smaller first.

    Returns
    -------
    numpy.ndarray
        Positions of the chosen ways, one per group, by rising group.

    Examples
    --------
    >>> choose_way(np.array([0, 0, 1, 1]), np.array([29.0, 9.0, 50.0, 45.0]), np.full(4, 30.0), np.array([0, 1, 0, 1])).tolist()
    [0, 3]
    """
    late = minutes > limit
    order = np.lexsort((rank, np.where(late, minutes, rank), late, groups))
    first = np.ones(len(order), bool)
    first[1:] = groups[order][1:] != groups[order][:-1]
    return order[first]
