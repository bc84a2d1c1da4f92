"""The quick estimate (快速估算): who goes where by a rule that a meeting can follow, in whole pupils and whole seconds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from layout.children import INCOMPLETE, whole_children
from layout.standards import Standards, judged_minutes, read_standards
from layout.tables import BANDS, GRADES, check, empty

#: Seconds of a way that does not exist; no way is as long.
NEVER = 65_535
#: Where children who are placed sit, and why the others are not; :func:`quick_estimate` says when each holds.
STATUSES = ("served", "beyond_limit", "no_seat", "no_bed", "no_route")
_MODES = ("walk", "bus", "week")
# settlement, grade, school (-1: none), mode, status, children, seconds
_Row = tuple[int, int, int, str, str, int, int]
# seconds, settlement, band, school, whether one rides
_Pair = tuple[int, int, int, int, int]
# grades of each band, counted from nought
_GRADES = [[g - 1 for g in grades] for grades in BANDS.values()]
# a common multiple of one to nine grades, so that rooms a grade are whole numbers
_PARTS = 2520


@dataclass(frozen=True)
class SecondsMatrix:
    """Whole seconds one way between settlements and schools.

    Parameters
    ----------
    settlement_ids, school_ids
        What rows and columns are; sorted, so that the earlier of two is the smaller id.
    walk, bus, week
        Grade band by settlement by school, in the order of ``layout.tables.BANDS``; :data:`NEVER` where there is no way.
    """

    settlement_ids: tuple[str, ...]
    school_ids: tuple[str, ...]
    walk: np.ndarray
    bus: np.ndarray
    week: np.ndarray


@dataclass(frozen=True)
class Estimate:
    """What :func:`quick_estimate` found for one year.

    Parameters
    ----------
    year
        The school year that starts in it.
    children
        Table ``estimate``: children who live at home, by settlement, grade, school and way.
    schools
        Table ``estimate_schools``: children, classes, and what is left at every open school.
    totals
        Whole numbers: ``pupils`` (all), ``served``, ``beyond_limit``, ``no_seat``, ``no_bed``, ``no_route``, ``away``;
        ``boarders``; ``day_pupils`` with a way by day, ``day_seconds`` of all of them together and ``longest``; ``classes``,
        ``above_standard``, ``oversized`` and ``super`` of them if those without a seat sat in the nearest school all the same;
        ``seats_left``, ``beds_left``.
    """

    year: int
    children: pd.DataFrame
    schools: pd.DataFrame
    totals: Mapping[str, int]


@dataclass(frozen=True)
class _Stand:
    """The schools while they fill: of each the grades taught, class sizes, classes and children by grade, free rooms and beds.

    ``mixed``: rooms of a school whose grades sit together, else 0; ``part``: its weight among the schools of the county seat.
    """

    teaches: list[list[bool]]
    size: list[list[int]]
    classes: list[list[int]]
    fill: list[list[int]]
    pool: list[int]
    beds: list[int]
    mixed: list[int]
    part: list[int]
    mixed_size: list[int]


def seconds_matrix(times: pd.DataFrame, standards: Standards, *, settlement_ids: Sequence[str], school_ids: Sequence[str]) -> SecondsMatrix:
    """Turn minutes into whole seconds between every settlement and school.

    Parameters
    ----------
    times
        Table ``times``.
    standards
        Which direction is judged.
    settlement_ids, school_ids
        Rows and columns; rows of ``times`` to other places are left out.

    Returns
    -------
    SecondsMatrix
        Judged minutes rounded to seconds; ways of :data:`NEVER` seconds or more count as none.

    Examples
    --------
    >>> times = pd.DataFrame({"from_id": ["A"], "to_id": ["S1"], "mode": "walk", "band": "lower", "minutes": [20.0], "minutes_back": [27.7778]})
    >>> seconds_matrix(times, read_standards(), settlement_ids=["A"], school_ids=["S1"]).walk[0].tolist()
    [[1667]]
    """
    rows, columns = sorted(settlement_ids), sorted(school_ids)
    found = {mode: np.full((len(BANDS), len(rows), len(columns)), NEVER, "uint16") for mode in _MODES}
    if len(times):
        row = pd.Index(rows).get_indexer(pd.Index(times["from_id"].astype("str")))
        column = pd.Index(columns).get_indexer(pd.Index(times["to_id"].astype("str")))
        band = pd.Index(list(BANDS)).get_indexer(pd.Index(times["band"].astype("str")))
        mode = times["mode"].astype("str").to_numpy(object)
        seconds = np.floor(judged_minutes(times, standards).to_numpy(float) * 60 + 0.5)
        known = (row >= 0) & (column >= 0) & (band >= 0) & (seconds < NEVER)
        for name in _MODES:
            mine = known & np.asarray(mode == name, bool)
            found[name][band[mine], row[mine], column[mine]] = seconds[mine].astype("uint16")
    return SecondsMatrix(tuple(rows), tuple(columns), found["walk"], found["bus"], found["week"])


def limit_seconds(standards: Standards) -> dict[str, int]:
    """Return the limits one way in whole seconds.

    Parameters
    ----------
    standards
        Their minutes.

    Returns
    -------
    dict
        Seconds by ``walk.lower`` … ``bus.junior`` and ``week``.

    Examples
    --------
    >>> limit_seconds(read_standards())["walk.lower"]
    1800
    """
    out = {f"{mode}.{band}": round(standards.limit(mode, band) * 60) for mode in ("walk", "bus") for band in BANDS}
    return out | {"week": round(standards.limit("week", "junior") * 60)}


def quick_estimate(
    matrix: SecondsMatrix, pupils: pd.DataFrame, seats: pd.DataFrame, *, open_ids: Collection[str], limit: Mapping[str, int] | None = None,
    standards: Standards | None = None, seat_ids: Collection[str] = (),
) -> Estimate:  # fmt: skip
    """Estimate who goes where if these schools are open: the rule of the map's what-if.

    Children fill the schools in order of their way: whoever has the shorter way goes first, of equals the smaller settlement
    id, then the lower grade band, then the smaller school id. Nobody is passed over at a school by a child of the grade who
    lives farther away. No solver: :func:`layout.assign` finds places for more children, because it may send some past a
    nearer school.

    Parameters
    ----------
    matrix
        From :func:`seconds_matrix`.
    pupils
        Table ``pupils`` of one year; expected pupils become whole ones as in :func:`layout.assign`.
    seats
        By ``school_id``: ``kind``, ``first_grade``, ``last_grade``, ``rooms``, ``beds``; schools that are not in it have none.
    open_ids
        Schools that stand; special ones take no part.
    limit
        As :func:`limit_seconds` returns it; None for those of the standards.
    standards
        Class sizes and who may board; None reads the standards.
    seat_ids
        Schools of the county seat, which take the children who study there.

    Returns
    -------
    Estimate
        Children, schools and totals. Whoever reaches no school of the grade, or finds all full, has an empty school there.

    Raises
    ------
    ValueError
        If the pupils are of several years, or from a settlement that the matrix does not have.

    References
    ----------
    (1) Children who study at the county seat are shared among its schools by rooms a grade, and sit there first. (2) By day
    within the limit, on foot where that keeps its limit, else by bus. (3) Boarders: grades that may board, schools with a bed,
    the weekly way within its limit. (4) By day beyond the limit, by the quicker of the two. In each step in the order told
    above. A school that has a room for every grade keeps one for each; the other rooms become classes of the grade that needs one
    first. A teaching point or small primary school with fewer rooms than grades takes
    ``class_size.mixed.max_pupils`` a room, of any grade. Filling in the order of a priority that both sides share gives the one
    stable assignment: Gale, D., & Shapley, L. S. (1962). College admissions and the stability of marriage. The American
    Mathematical Monthly, 69(1), 9-15.

    Examples
    --------
    >>> times = pd.DataFrame({"from_id": ["A", "B"], "to_id": "S1", "mode": "walk", "band": "lower", "minutes": [28.0, 9.0], "minutes_back": 1.0})
    >>> matrix = seconds_matrix(times, read_standards(), settlement_ids=["A", "B"], school_ids=["S1"])
    >>> pupils = pd.DataFrame({"settlement_id": ["A", "B"], "year": 2026, "grade": 1, "pupils": [30.0, 40.0]})
    >>> found = quick_estimate(matrix, pupils, paper.schools.assign(rooms=6), open_ids=["S1"])
    >>> found.children[["settlement_id", "school_id", "status", "pupils"]].values.tolist()
    [['A', '', 'no_seat', 25], ['A', 'S1', 'served', 5], ['B', 'S1', 'served', 40]]
    """
    rules = read_standards() if standards is None else standards
    most = limit_seconds(rules) if limit is None else limit
    year, home, seated, away = _children(pupils, matrix.settlement_ids)
    stand = _stand(seats, set(open_ids), matrix.school_ids, rules, year)
    over = [[0] * len(GRADES) for _ in matrix.school_ids]
    lost = _seat_children(stand, seated, [k for k, s in enumerate(matrix.school_ids) if s in set(seat_ids)], over)
    near, far, week = _pairs(matrix, home, stand, most, rules)
    left: list[list[int]] = home.tolist()
    rows: list[_Row] = []
    for pairs, board, status in ((near, False, "served"), (week, True, "served"), (far, False, "beyond_limit")):
        _fill(stand, left, pairs, board, status, rows)
    rows += _unplaced(stand, left, near + far, week, over)
    schools = _filled(matrix, stand, rows, over, rules)
    sums = dict.fromkeys(STATUSES, 0) | {"served": sum(seated) - sum(lost.values()), **lost}
    for row in rows:
        sums[row[4]] += row[5]
    day = [(n, seconds) for _, _, _, mode, _, n, seconds in rows if mode in ("walk", "bus")]
    totals = {
        "pupils": int(home.sum()) + sum(seated) + away, **sums, "away": away, "boarders": sum(row[5] for row in rows if row[3] == "board"),
        "day_pupils": sum(n for n, _ in day), "day_seconds": sum(n * seconds for n, seconds in day), "longest": max((s for _, s in day), default=0),
        **{name: int(schools[name].sum()) for name in ("classes", "above_standard", "oversized", "super", "seats_left", "beds_left")},
    }  # fmt: skip
    return Estimate(year, _told(matrix, rows), schools, totals)


def worse_off(estimate: Estimate, reference: Estimate) -> pd.DataFrame:
    """Name the settlements that fare worse than in another estimate of the same year.

    Parameters
    ----------
    estimate, reference
        What is asked about, and what it is compared with.

    Returns
    -------
    pandas.DataFrame
        Table ``worse_off``: settlements with more children without a place; or as many, and more beyond the limit; or as many of
        both, and more seconds of all day pupils together. Differences, the worst first.

    Examples
    --------
    >>> times = pd.DataFrame({"from_id": ["A", "B"], "to_id": "S1", "mode": "walk", "band": "lower", "minutes": [28.0, 9.0], "minutes_back": 1.0})
    >>> matrix = seconds_matrix(times, read_standards(), settlement_ids=["A", "B"], school_ids=["S1"])
    >>> pupils = pd.DataFrame({"settlement_id": ["A", "B"], "year": 2026, "grade": 1, "pupils": [30.0, 40.0]})
    >>> two = [quick_estimate(matrix, pupils, paper.schools, open_ids=ids) for ids in (["S1"], [])]
    >>> worse_off(two[1], two[0]).values.tolist()
    [['B', 40, 0, -21600], ['A', 5, 0, -8400]]
    """
    parts = []
    for found in (estimate, reference):
        rows = found.children
        day = rows["mode"].isin(["walk", "bus"])
        parts.append(pd.DataFrame({
            "settlement_id": rows["settlement_id"].astype("str"), "unserved": rows["pupils"].where(rows["school_id"] == "", 0),
            "beyond": rows["pupils"].where(rows["status"] == "beyond_limit", 0), "seconds": (rows["pupils"] * rows["seconds"]).where(day, 0),
        }).groupby("settlement_id").sum())  # fmt: skip
    change = parts[0].sub(parts[1], fill_value=0).astype("int64")
    n, far, seconds = (change[name] for name in change)
    lost = change[(n > 0) | ((n == 0) & ((far > 0) | ((far == 0) & (seconds > 0))))].add_suffix("_change").reset_index()
    if not len(lost):
        return empty("worse_off")
    order = ["unserved_change", "beyond_change", "seconds_change", "settlement_id"]
    return check("worse_off", lost).sort_values(order, ascending=[False, False, False, True], kind="stable", ignore_index=True)


def _children(pupils: pd.DataFrame, settlement_ids: Sequence[str]) -> tuple[int, np.ndarray, list[int], int]:
    """Return the year, children at home by settlement and grade, those of the county seat by grade, and how many are away."""
    years = sorted(set(pupils["year"]))
    if len(years) != 1:
        raise ValueError(f"give the pupils of one year, not of {len(years)}")
    children = whole_children(pupils)
    row = pd.Index(list(settlement_ids)).get_indexer(pd.Index(children["settlement_id"].astype("str")))
    if (row < 0).any():
        raise ValueError(f"no seconds are known from settlement {children['settlement_id'].iloc[int(np.argmax(row < 0))]}")
    grade, count, at = children["grade"].to_numpy(int) - 1, children["pupils"].to_numpy("int64"), children["attends"].to_numpy(object)
    home, seated = np.zeros((len(settlement_ids), len(GRADES)), "int64"), np.zeros(len(GRADES), "int64")
    np.add.at(home, (row[at == "home"], grade[at == "home"]), count[at == "home"])
    np.add.at(seated, grade[at == "county_seat"], count[at == "county_seat"])
    return int(years[0]), home, seated.tolist(), int(count[at == "away"].sum())


def _stand(seats: pd.DataFrame, open_ids: set[str], school_ids: Sequence[str], rules: Standards, year: int) -> _Stand:
    known = {str(r.school_id): r for r in pd.DataFrame(seats).itertuples()}
    stand = _Stand([], [], [], [], [], [], [], [], [])
    for school in school_ids:
        row: Any = known.get(school)
        there = row is not None and school in open_ids and row.kind != "special"
        incomplete = bool(there and row.kind in INCOMPLETE)
        teaches = [bool(there and row.first_grade <= g <= row.last_grade) for g in GRADES]
        rooms, taught = int(row.rooms) if there else 0, sum(teaches)
        mixes = incomplete and 0 < rooms < taught
        kept = [int(t and rooms >= taught) for t in teaches]
        stand.teaches.append(teaches)
        stand.size.append([rules.class_size(g, incomplete=incomplete, year=year) for g in GRADES])
        stand.classes.append(kept)
        stand.fill.append([0] * len(GRADES))
        stand.pool.append(0 if mixes else rooms - sum(kept))
        stand.beds.append(int(row.beds) if there and row.beds == row.beds else 0)
        stand.mixed.append(rooms if mixes else 0)
        stand.mixed_size.append(rules.mixed_size([g for g, t in zip(GRADES, teaches, strict=True) if t and mixes], year=year))
        # teaching points take no children from elsewhere
        stand.part.append(rooms * (_PARTS // taught) if taught and not incomplete else -1)
    return stand


def _take(stand: _Stand, k: int, g: int, wanted: int) -> int:
    """Seat as many children of a grade as there is room for, and say how many."""
    fill, classes, size = stand.fill[k], stand.classes[k], stand.size[k][g]
    if stand.mixed[k]:
        room = stand.mixed[k] * stand.mixed_size[k] - sum(fill)
    else:
        room = classes[g] * size - fill[g]
        while room < wanted and stand.pool[k] > 0:
            stand.pool[k] -= 1
            classes[g] += 1
            room += size
    seated = min(wanted, room)
    fill[g] += seated
    return seated


def _seat_children(stand: _Stand, seated: Sequence[int], there: Sequence[int], over: list[list[int]]) -> dict[str, int]:
    """Share the children who study at the county seat among its schools, and count those who find no seat or no school."""
    lost = {"no_seat": 0, "no_route": 0}
    for g, total in enumerate(seated):
        schools = [k for k in there if stand.teaches[k][g] and stand.part[k] >= 0]
        if not schools:
            lost["no_route"] += total
            continue
        part = [stand.part[k] for k in schools]
        part = part if sum(part) else [1] * len(schools)
        shares = [total * p // sum(part) for p in part]
        rest = [total * p % sum(part) for p in part]
        for i in sorted(range(len(schools)), key=lambda i: (-rest[i], i))[: total - sum(shares)]:
            shares[i] += 1
        waiting = [n - _take(stand, k, g, n) for k, n in zip(schools, shares, strict=True)]
        for i, k in enumerate(schools):
            # whoever finds a school full tries the others, in the order of their ids
            for other in schools:
                waiting[i] -= _take(stand, other, g, waiting[i])
            over[k][g] += waiting[i]
        lost["no_seat"] += sum(waiting)
    return lost


def _pairs(
    matrix: SecondsMatrix, home: np.ndarray, stand: _Stand, limit: Mapping[str, int], rules: Standards
) -> tuple[list[_Pair], list[_Pair], list[_Pair]]:  # fmt: skip
    """Return the ways by day within the limit, beyond it, and by the week within its limit, each in the order of filling."""
    near: list[_Pair] = []
    far: list[_Pair] = []
    weekly: list[_Pair] = []
    teaches = np.array(stand.teaches, bool).reshape(-1, len(GRADES))
    for b, band in enumerate(BANDS):
        asked = np.logical_and.outer(home[:, _GRADES[b]].any(axis=1), teaches[:, _GRADES[b]].any(axis=1))
        walk, bus, week = (np.where(asked, table[b].astype("int64"), NEVER) for table in (matrix.walk, matrix.bus, matrix.week))
        on_foot = (walk < NEVER) & (walk <= limit[f"walk.{band}"])
        rides = ~on_foot & (bus < NEVER) & (bus <= limit[f"bus.{band}"])
        quicker = np.minimum(walk, bus)
        near += _listed(b, on_foot | rides, np.where(on_foot, walk, bus), rides)
        far += _listed(b, ~on_foot & ~rides & (quicker < NEVER), quicker, bus < walk)
        if rules.may_board(_GRADES[b][0] + 1):
            weekly += _listed(b, (week < NEVER) & (week <= limit["week"]), week, rides)
    return sorted(near), sorted(far), sorted(weekly)


def _listed(band: int, known: np.ndarray, seconds: np.ndarray, rides: np.ndarray) -> list[_Pair]:
    row, column = np.nonzero(known)
    return list(zip(seconds[known].tolist(), row.tolist(), [band] * len(row), column.tolist(), rides[known].astype(int).tolist(), strict=True))


def _fill(stand: _Stand, left: list[list[int]], pairs: Sequence[_Pair], board: bool, status: str, rows: list[_Row]) -> None:
    """Seat children in the order of the pairs; what is left of them stays in ``left``."""
    for seconds, v, b, k, rides in pairs:
        for g in _GRADES[b]:
            wanted = min(left[v][g], stand.beds[k]) if board else left[v][g]
            seated = _take(stand, k, g, wanted) if wanted and stand.teaches[k][g] else 0
            if seated:
                left[v][g] -= seated
                stand.beds[k] -= seated if board else 0
                rows.append((v, g, k, "board" if board else "bus" if rides else "walk", status, seated, seconds))


def _unplaced(stand: _Stand, left: list[list[int]], day: Sequence[_Pair], week: Sequence[_Pair], over: list[list[int]]) -> list[_Row]:
    """Say why the others have no place, and count them at the nearest school, as if they sat there all the same."""
    nearest: dict[tuple[int, int], int] = {}
    weekly: set[tuple[int, int]] = set()
    for _, v, b, k, _ in day:
        for g in _GRADES[b]:
            if left[v][g] and stand.teaches[k][g]:
                nearest.setdefault((v, g), k)
    for _, v, b, k, _ in week:
        for g in _GRADES[b]:
            if left[v][g] and stand.teaches[k][g]:
                weekly.add((v, g))
                if stand.beds[k]:
                    # the nearest by day stands where there is one
                    nearest.setdefault((v, g), k)
    rows: list[_Row] = []
    for v, counts in enumerate(left):
        for g, n in enumerate(counts):
            if not n:
                continue
            if (v, g) in nearest:
                over[nearest[v, g]][g] += n
            status = "no_seat" if (v, g) in nearest else "no_bed" if (v, g) in weekly else "no_route"
            rows.append((v, g, -1, "none", status, n, 0))
    return rows


def _told(matrix: SecondsMatrix, rows: Sequence[_Row]) -> pd.DataFrame:
    if not rows:
        return empty("estimate")
    places, schools = matrix.settlement_ids, (*matrix.school_ids, "")
    told = [(places[v], g + 1, schools[k], mode, status, n, seconds) for v, g, k, mode, status, n, seconds in rows]
    return check("estimate", pd.DataFrame(told, columns=["settlement_id", "grade", "school_id", "mode", "status", "pupils", "seconds"]))


def _filled(matrix: SecondsMatrix, stand: _Stand, rows: Sequence[_Row], over: Sequence[Sequence[int]], rules: Standards) -> pd.DataFrame:
    boarders = [0] * len(matrix.school_ids)
    for row in rows:
        boarders[row[2]] += row[5] if row[3] == "board" else 0
    most = int(rules["class_size.oversize.min"]), int(rules["class_size.super_oversize.min"])
    out = []
    for k, school in enumerate(matrix.school_ids):
        fill, taught = stand.fill[k], [g for g, t in enumerate(stand.teaches[k]) if t]
        if not taught:
            continue
        if stand.mixed[k]:
            groups = [(sum(fill) + sum(over[k]), stand.mixed[k], stand.mixed_size[k])]
            seats = stand.mixed[k] * stand.mixed_size[k] - sum(fill)
        else:
            groups = [(fill[g] + over[k][g], max(stand.classes[k][g], 1), stand.size[k][g]) for g in taught]
            seats = sum(stand.classes[k][g] * stand.size[k][g] - fill[g] for g in taught) + stand.pool[k] * min(stand.size[k][g] for g in taught)
        groups = [group for group in groups if group[0]]
        larger = [sum(_larger(n, c, above or size) for n, c, size in groups) for above in (0, most[0] - 1, most[1] - 1)]
        largest = max((-(-n // c) for n, c, _ in groups), default=0)
        out.append((school, sum(fill), sum(over[k]), boarders[k], sum(c for _, c, _ in groups), largest, *larger, seats, stand.beds[k]))
    columns = ["school_id", "pupils", "turned_away", "boarders", "classes", "largest_class", "above_standard", "oversized", "super", "seats_left"]
    return check("estimate_schools", pd.DataFrame(out, columns=[*columns, "beds_left"])) if out else empty("estimate_schools")


def _larger(children: int, classes: int, size: int) -> int:
    """Count the classes with more children than that, of so many classes as even as can be."""
    each, more = divmod(children, classes)
    return classes if each > size else more if each + 1 > size else 0
