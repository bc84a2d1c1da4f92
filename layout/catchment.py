"""Who goes where: every child to a school and a way of getting there, today and under a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from layout.children import INCOMPLETE, all_runs, best_runs, spread, ways_of, whole_children
from layout.location import Level, Program, Solution, solve, sparse_rows
from layout.standards import Standards
from layout.tables import BANDS, GRADES, band_of, check, empty, whole

# a boarder's weekly way counts a fifth for each of five school days
_DAYS_A_WEEK = 5
# branch-and-bound nodes of the search for whole classes: counted work, so the answer does not depend on the machine
_NODES = 200
# how much of a child counts as one when a sum of shares is compared with whole children
_SAME = 1e-6
_STATUSES = ("served", "beyond_limit", "no_seat", "no_bed", "no_route", "away")


@dataclass(frozen=True)
class _School:
    school_id: str
    first_grade: int
    last_grade: int
    rooms: int
    beds: int
    incomplete: bool

    @property
    def grades(self) -> tuple[int, ...]:
        return tuple(g for g in GRADES if self.first_grade <= g <= self.last_grade)


@dataclass(frozen=True)
class _Seats:
    """Seats of a school for some of its grades together; with ``size`` they are rooms, of which a child takes one part in its class size."""

    school: int
    grades: tuple[int, ...]
    seats: float
    size: Mapping[int, float]


@dataclass(frozen=True)
class _Flows:
    """Columns of one year: a demand (its number), a school (its number, -1: no place) and a way, with what it costs on each level.

    ``children`` has settlement, grade, attends and pupils of each demand; ``by_day`` says which have a day way to any school of
    their grade, ``by_bed`` names the (demand, school) pairs joined by a weekly way, beds or not.
    """

    children: pd.DataFrame
    columns: pd.DataFrame
    schools: tuple[_School, ...]
    by_day: np.ndarray
    by_bed: pd.DataFrame

    @property
    def grade(self) -> np.ndarray:
        return self.children["grade"].to_numpy(int)[self.columns["demand"].to_numpy(int)]


def assign(
    pupils: pd.DataFrame,
    times: pd.DataFrame,
    schools: pd.DataFrame,
    standards: Standards,
    *,
    school_years: pd.DataFrame | None = None,
    seat_schools: Sequence[str] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """Give every child a school and a way to it, or say why there is none.

    Expected pupils become whole children first (largest remainder within a year, grade and place of study). Then each year is
    an exact transport programme over settlement, grade, school and way. Day pupils walk where that keeps the limit, else ride
    where that does, else take the quicker way beyond the limit. Boarding is for grades that may board, at schools with beds,
    where the weekly way keeps its limit.

    Parameters
    ----------
    pupils
        Table ``pupils``; ``away`` children are not assigned, ``county_seat`` children go to the seat's schools without minutes.
    times
        Table ``times`` with modes walk, bus and week; a pair without a row cannot be travelled.
    schools
        Table ``schools``: kind, and in the view of today status, grades and beds. Special schools take no part.
    standards
        Limits, class sizes, who may board.
    school_years
        None for the view of today: schools that are open, nobody in reach refused, only beds bind. Else the planned view:
        grades, rooms and beds of each year, and seats bind.
    seat_schools
        Ids of the schools of the county seat; teaching points and small primary schools among them take no children from
        elsewhere.
    seed
        Of the solver.

    Returns
    -------
    pandas.DataFrame
        Table ``assignment``, whole pupils; the rows of a year add up to its rounded total. Children without a place have an
        empty school, mode ``none`` and status ``no_route`` (no school of their grade can be reached), ``no_bed`` (only by
        boarding, and beds are full or missing) or ``no_seat``. ``attrs["gap"]``: by year the levels with objective, bound and
        gap.

    Raises
    ------
    ValueError
        If a school of ``school_years`` is not among ``schools``.

    References
    ----------
    Objective, in this order: (1) children without a place, (2) children beyond the limit, (3) their excess minutes, (4)
    boarders, since a day place within the limit goes first, (5) minutes, of a boarder a fifth of the weekly way. Subject to (a)
    every child placed or counted as without; (b) boarders <= beds; planned view also (c) pupils of a grade <= classes x
    class-size standard, (d) classes of a school <= rooms, whole. A teaching point or small primary school with fewer rooms than
    grades puts neighbouring grades together, each run of grades <= one class of ``class_size.mixed.max_pupils``; another school
    with fewer rooms than grades has classes for as many of its grades as it has rooms. The relaxed optimum has parts of
    classes (sum over grades of pupils / standard <= rooms) and bounds what whole classes, rounded from it, can reach:
    ``attrs["gap"]`` is the difference that whole classes and whole children make.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> pupils = pd.DataFrame({"settlement_id": ["A"], "year": [2026], "grade": [1], "pupils": [10.0]})
    >>> times = pd.DataFrame({"from_id": ["A"], "to_id": ["S1"], "mode": ["walk"], "band": ["lower"], "minutes": [31.0], "minutes_back": [29.0]})
    >>> assign(pupils, times, paper.schools, read_standards())[["school_id", "mode", "status", "pupils", "minutes"]].values.tolist()
    [['S1', 'walk', 'beyond_limit', 10, 31.0]]
    """
    children = whole_children(pupils)
    ways = ways_of(times, standards)
    frames, gaps = [], {}
    for year in sorted(int(y) for y in children["year"].unique()):
        group = children[children["year"] == year]
        there = _schools_of(schools, school_years, year)
        frame, levels = _assign_year(group.reset_index(drop=True), ways, there, standards, school_years is not None, sorted(seat_schools), seed)
        frames.append(frame)
        gaps[year] = [vars(level) for level in levels]
    out = check("assignment", pd.concat(frames, ignore_index=True)) if frames else empty("assignment")
    out.attrs["gap"] = gaps
    return out


def nearest_school(times: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Find the nearest open school of every settlement and grade band: within the limit first, then the quickest.

    Parameters
    ----------
    times
        Table ``times``.
    schools
        Table ``schools``; only open ones that teach every grade of the band count.
    standards
        Limits by mode and band.

    Returns
    -------
    pandas.DataFrame
        settlement_id, band, school_id, mode (walk or bus), minutes, sorted by settlement and band; settlements that reach no
        such school have no row. Ties go to the lower school id.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> times = pd.DataFrame({"from_id": "A", "to_id": ["S1", "S2"], "mode": "walk", "band": "lower", "minutes": [31.0, 20.0], "minutes_back": 20.0})
    >>> nearest_school(times, paper.schools, read_standards()).values.tolist()
    [['A', 'lower', 'S2', 'walk', 20.0]]
    """
    there = schools[(schools["status"] == "open") & (schools["kind"] != "special")]
    teaches = {band: set(there.loc[(there["first_grade"] <= g[0]) & (there["last_grade"] >= g[-1]), "school_id"]) for band, g in BANDS.items()}
    ways = ways_of(times, standards)
    kept = [s in teaches[b] and m != "board" for s, b, m in zip(ways["school_id"], ways["band"], ways["mode"], strict=True)]
    best = ways[kept].sort_values(["settlement_id", "band", "beyond", "minutes", "school_id"], kind="stable")
    best = best.drop_duplicates(["settlement_id", "band"])
    return best[["settlement_id", "band", "school_id", "mode", "minutes"]].reset_index(drop=True)


def headline(assignment: pd.DataFrame, settlements: pd.DataFrame, *, view: str) -> pd.DataFrame:
    """Count children by what became of them, for every township, year and grade band.

    Parameters
    ----------
    assignment
        Table ``assignment``.
    settlements
        Table ``settlements``: the township children live in, wherever they study.
    view
        ``today`` or ``planned``.

    Returns
    -------
    pandas.DataFrame
        Table ``headline``; served, beyond_limit, no_seat, no_bed, no_route and away add up to pupils.

    Raises
    ------
    ValueError
        If a settlement of the assignment is not among ``settlements``.

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "settlement_id": ["A"], "year": [2026], "grade": [1], "attends": ["home"], "school_id": ["S1"], "mode": ["walk"],
    ...     "status": ["served"], "pupils": [10], "minutes": [27.8]})
    >>> headline(rows, paper.settlements, view="today")[["township_id", "band", "pupils", "served"]].values.tolist()
    [['T1', 'lower', 10, 10]]
    """
    if not len(assignment):
        return empty("headline")
    township = settlements.set_index("settlement_id")["township_id"]
    strange = sorted(set(assignment["settlement_id"]) - set(township.index))
    if strange:
        raise ValueError(f"assigned children live in settlements that are not known: {', '.join(strange[:5])}")
    rows = pd.DataFrame({
        "view": view, "township_id": assignment["settlement_id"].map(township).astype("str"), "year": assignment["year"],
        "band": [band_of(g) for g in assignment["grade"]], "status": assignment["status"], "pupils": assignment["pupils"],
    })  # fmt: skip
    keys = ["view", "township_id", "year", "band"]
    counts = rows.pivot_table(index=keys, columns="status", values="pupils", aggfunc="sum", fill_value=0)
    counts = counts.reindex(columns=list(_STATUSES), fill_value=0).rename_axis(columns=None)
    return check("headline", counts.assign(pupils=counts.sum(axis=1)).reset_index())


def _schools_of(schools: pd.DataFrame, school_years: pd.DataFrame | None, year: int) -> tuple[_School, ...]:
    kinds = dict(zip(schools["school_id"].astype("str"), schools["kind"], strict=True))
    if school_years is None:
        table = schools[schools["status"] == "open"]
    else:
        table = school_years[(school_years["status"] == "open") & (school_years["year"] == year)]
        own = dict(zip(table["school_id"], table["kind"], strict=True)) if "kind" in table else {}
        kinds |= {school: kind for school, kind in own.items() if kind}
    strange = sorted(set(table["school_id"]) - set(kinds))
    if strange:
        raise ValueError(f"schools of {year} that are not among the schools: {', '.join(strange[:5])}")
    beds = table["beds"].fillna(0) if "beds" in table else pd.Series(0, index=table.index)
    columns = (table["school_id"], table["first_grade"], table["last_grade"], table["rooms"], beds)
    found = [
        _School(str(i), int(a), int(z), int(r), int(b), kinds[i] in INCOMPLETE) for i, a, z, r, b in zip(*columns, strict=True)
        if kinds[i] != "special"
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda s: s.school_id))


def _assign_year(
    children: pd.DataFrame, ways: pd.DataFrame, schools: tuple[_School, ...], standards: Standards,
    seats_bind: bool, seat_schools: Sequence[str], seed: int,
) -> tuple[pd.DataFrame, tuple[Level, ...]]:  # fmt: skip
    home = children[children["attends"] == "home"].reset_index(drop=True)
    seat = children[children["attends"] == "county_seat"].reset_index(drop=True)
    away = children[children["attends"] == "away"]
    rows = [away[["settlement_id", "year", "grade", "attends", "pupils"]].assign(school_id="", mode="none", status="away", minutes=np.nan)]
    if not seats_bind:
        rows.append(spread(seat, _by_rooms(seat, schools, seat_schools)))
        seat = seat.iloc[:0]
    pooled = seat.groupby(["year", "grade", "attends"], as_index=False, sort=True)["pupils"].sum().assign(settlement_id="")
    demand = pd.concat([home, pooled[home.columns.intersection(pooled.columns)]], ignore_index=True)
    if not len(demand):
        return pd.concat([r for r in rows if len(r)], ignore_index=True), ()
    flows = _flows(demand, ways, schools, standards, seats_bind, seat_schools)
    values, levels = _solve(flows, standards, seats_bind, seed)
    placed = _placed(flows, values, seats_bind)
    rows.append(placed[placed["attends"] == "home"])
    rows.append(spread(seat, placed[placed["attends"] == "county_seat"]))
    return pd.concat([r for r in rows if len(r)], ignore_index=True), levels


def _flows(
    children: pd.DataFrame, ways: pd.DataFrame, schools: tuple[_School, ...], standards: Standards, seats_bind: bool, seat_schools: Sequence[str],
) -> _Flows:  # fmt: skip
    """Lay out the columns: one per child group, school and way that may be used, and one per group for no place."""
    numbers = {s.school_id: k for k, s in enumerate(schools)}
    table = ways.assign(school=ways["school_id"].map(numbers)).dropna(subset="school").astype({"school": int})
    home = children[children["attends"] == "home"].assign(demand=lambda d: d.index)
    home = home.assign(band=pd.Series([band_of(g) for g in home["grade"]], index=home.index, dtype="str"))
    first, last = (np.array([getattr(s, c) for s in schools] or [0]) for c in ("first_grade", "last_grade"))
    beds = np.array([s.beds for s in schools] or [0])
    cells = home[["demand", "settlement_id", "grade", "band"]].merge(table, on=["settlement_id", "band"])
    taught = (cells["grade"].to_numpy() >= first[cells["school"]]) & (cells["grade"].to_numpy() <= last[cells["school"]])
    boards = (cells["mode"] == "board").to_numpy()
    may = np.array([standards.may_board(g) for g in GRADES])[cells["grade"].to_numpy() - 1]
    seat_schools = [s for s in seat_schools if s in numbers and not schools[numbers[s]].incomplete]
    seat_grades = {g for s in seat_schools for g in schools[numbers[s]].grades}
    at_seat = (children["attends"] == "county_seat") & children["grade"].isin(seat_grades)
    by_day = np.isin(children.index, cells.loc[taught & ~boards, "demand"]) | at_seat.to_numpy()
    by_bed = cells.loc[taught & boards & may, ["demand", "school"]]
    cells = cells[taught & (~boards | (may & (beds[cells["school"]] > 0)))]
    cells = cells if seats_bind else _undominated(cells)
    seat = [
        (d, numbers[s], "seat", 0.0, False, 0.0) for d, g in children.loc[children["attends"] == "county_seat", "grade"].items()
        for s in seat_schools if g in schools[numbers[s]].grades
    ]  # fmt: skip
    names = ["demand", "school", "mode", "minutes", "beyond", "excess"]
    none = pd.DataFrame({"demand": children.index, "school": -1, "mode": "none", "minutes": 0.0, "beyond": False, "excess": 0.0})
    parts = [cells[names], pd.DataFrame(seat, columns=names), none]
    columns = pd.concat([p for p in parts if len(p)], ignore_index=True).astype({"beyond": bool, "demand": int, "school": int})
    return _Flows(children, columns.sort_values(["demand", "school", "mode"], kind="stable", ignore_index=True), schools, by_day, by_bed)


def _undominated(cells: pd.DataFrame) -> pd.DataFrame:
    """Keep the ways that some optimum without seats uses: the best day way, and boarding where that way is too long or missing."""
    boards = cells["mode"] == "board"
    day = cells[~boards].sort_values(["demand", "beyond", "excess", "minutes", "school"], kind="stable").drop_duplicates("demand")
    near = day.loc[~day["beyond"], "demand"]
    return pd.concat([day, cells[boards & ~cells["demand"].isin(near)]], ignore_index=True)


def _levels(flows: _Flows) -> dict[str, np.ndarray]:
    table = flows.columns
    none, board = (table["mode"] == "none").to_numpy(float), (table["mode"] == "board").to_numpy(float)
    minutes = table["minutes"].to_numpy(float)
    return {
        "without_place": none, "beyond_limit": table["beyond"].to_numpy(float), "excess_minutes": table["excess"].to_numpy(float),
        "boarders": board, "minutes": np.where(board > 0, minutes / _DAYS_A_WEEK, minutes),
    }  # fmt: skip


def _solve(flows: _Flows, standards: Standards, seats_bind: bool, seed: int) -> tuple[np.ndarray, tuple[Level, ...]]:
    """Solve with parts of classes, then with whole ones, then with whole children; the first gives the bound of the last."""
    levels = _levels(flows)
    program = _relaxed(flows, standards) if seats_bind else _program(flows, ())
    costs = {name: np.concatenate([c, np.zeros(len(program.lower) - len(c))]) for name, c in levels.items()}
    relaxed = solve(program, costs, seed=seed)
    found = relaxed
    if seats_bind:
        seats = _whole_classes(flows, relaxed.values, standards)
        program, found = _seated(flows, seats, seed)
        short = [a.objective - b.objective for a, b in zip(found.levels[:2], relaxed.levels[:2], strict=True)]
        if max(short) > 1 - _SAME:
            # rounding cost a child its place or its limit: search for better classes
            other, better = _seated(flows, _searched_classes(flows, seats, standards, seed), seed)
            if _order(better) < _order(found):
                program, found = other, better
        costs = levels
    values = found.values
    if np.abs(values - np.round(values)).max(initial=0.0) > _SAME:
        # beds shared by grades can cut a child in two at a corner of the polytope
        exact = replace(program, integer=np.ones(len(program.lower), bool))
        found = solve(exact, costs, absolute_gaps=dict.fromkeys(costs, _SAME), seed=seed)
        values = found.values
    pairs = zip(found.levels, relaxed.levels, strict=True)
    stated = tuple(Level(a.name, a.objective, b.bound, max(a.objective - b.bound, 0.0), a.status) for a, b in pairs)
    return np.round(values), stated


def _seated(flows: _Flows, seats: Sequence[_Seats], seed: int) -> tuple[Program, Solution]:
    program = _program(flows, seats)
    return program, solve(program, _levels(flows), seed=seed)


def _order(solution: Solution) -> list[float]:
    return [round(level.objective, 6) for level in solution.levels]


def _searched_classes(flows: _Flows, seats: Sequence[_Seats], standards: Standards, seed: int) -> list[_Seats]:
    """Move classes between grades, and cut mixed grades anew, as far as that places more children or places them within the limit.

    The fewest moves that give the fewest children without a place and, among those, the fewest beyond the limit.
    """
    mixed = [k for k, s in enumerate(flows.schools) if s.incomplete and 0 < s.rooms < len(s.grades)]
    own = [k for k, s in enumerate(flows.schools) if k not in mixed and s.rooms > 0]
    kept = [group for group in seats if group.school not in own and group.school not in mixed]
    moved = [group for group in seats if group.school in own]
    size = np.array([standards.class_size(s.grades[0], incomplete=flows.schools[s.school].incomplete) for s in moved], float)
    given = np.array([s.seats for s in moved]) / size
    # schools with mixed classes are bound by the rows of their cuts alone
    free = [_Seats(k, flows.schools[k].grades, np.inf, {}) for k in mixed]
    base = _program(flows, [*kept, *(replace(s, seats=0.0) for s in moved), *free])
    cuts = [(k, cut) for k in mixed for cut in _cuts(flows.schools[k], k, seats, standards)]
    rows, count = base.matrix.shape
    many, first = len(moved), len(flows.schools) + len(kept)
    n, line = np.arange(many), {k: i for i, k in enumerate(own)}
    room = np.array([line[s.school] for s in moved], int)
    # columns: shares, classes, by how many classes a grade differs, cuts; rows below: rooms, difference either way, cuts
    below = rows + len(own) + 2 * many
    entries, low, high = _cut_rows(flows, cuts, mixed, below, count + 2 * many)
    height, width = below + len(low), count + 2 * many + len(cuts)
    added = sparse_rows(
        height, width, (first + n, count + n, -size), (rows + room, count + n, 1.0), (rows + len(own) + n, count + n, 1.0),
        (rows + len(own) + n, count + many + n, -1.0), (rows + len(own) + many + n, count + n, -1.0),
        (rows + len(own) + many + n, count + many + n, -1.0), *entries,
    )  # fmt: skip
    shares = sparse.csr_matrix((base.matrix.data, base.matrix.indices, np.append(base.matrix.indptr, np.full(height - rows, base.matrix.nnz))))
    shares.resize(height, width)
    rooms = np.array([flows.schools[k].rooms for k in own], float)
    place = np.arange(width)
    program = Program(
        np.zeros(width), np.full(width, np.inf), ((place >= count) & (place < count + many)) | (place >= count + 2 * many),
        shares + added, np.concatenate([base.row_lower, np.full(below - rows, -np.inf), low]),
        np.concatenate([base.row_upper, rooms, given, -given, high]),
    )  # fmt: skip
    levels = {name: np.concatenate([c, np.zeros(width - count)]) for name, c in _levels(flows).items() if name in ("without_place", "beyond_limit")}
    anew = np.array([float(i > 0 and cuts[i - 1][0] == k) for i, (k, _) in enumerate(cuts)])
    levels["moved_classes"] = np.concatenate([np.zeros(count + many), np.ones(many), anew])
    found = solve(program, levels, absolute_gaps=dict.fromkeys(levels, 1 - _SAME), work_limit=_NODES, seed=seed)
    counts = np.round(found.values[count : count + many])
    chosen = [cut for (_, cut), z in zip(cuts, found.values[count + 2 * many :], strict=True) if z > 0.5]
    return [*kept, *(replace(s, seats=float(c * z)) for s, c, z in zip(moved, counts, size, strict=True)), *(s for cut in chosen for s in cut)]


def _cuts(school: _School, number: int, seats: Sequence[_Seats], standards: Standards) -> list[list[_Seats]]:
    # the cut at hand first, then every other
    most = standards["class_size.mixed.max_pupils"]
    at_hand = [group for group in seats if group.school == number]
    others = [[_Seats(number, run, most, {}) for run in runs] for runs in all_runs(school.grades, school.rooms, standards)]
    same = {(group.grades, group.seats) for group in at_hand}
    return [at_hand, *(cut for cut in others if {(group.grades, group.seats) for group in cut} != same)]


def _cut_rows(
    flows: _Flows, cuts: Sequence[tuple[int, list[_Seats]]], mixed: Sequence[int], top: int, left: int
) -> tuple[list[tuple[np.ndarray, np.ndarray, np.ndarray | float]], np.ndarray, np.ndarray]:
    """Write one cut a school, and for every run of some cut: its pupils fit the classes of the chosen cut that touch it."""
    row = {k: top + i for i, k in enumerate(mixed)}
    school, grade = flows.columns["school"].to_numpy(int), flows.grade
    picks = [(row[k], left + i, 1.0) for i, (k, _) in enumerate(cuts)]
    runs = sorted({(k, group.grades) for k, cut in cuts for group in cut})
    for i, (k, run) in enumerate(runs, start=top + len(mixed)):
        picks += [(i, int(j), 1.0) for j in np.flatnonzero((school == k) & np.isin(grade, run))]
        picks += [(i, left + j, -sum(group.seats for group in cut if set(group.grades) & set(run))) for j, (s, cut) in enumerate(cuts) if s == k]
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray | float]] = [
        (np.array([p[0] for p in picks], int), np.array([p[1] for p in picks], int), np.array([p[2] for p in picks], float))
    ]
    return entries, np.concatenate([np.ones(len(mixed)), np.full(len(runs), -np.inf)]), np.concatenate([np.ones(len(mixed)), np.zeros(len(runs))])


def _program(flows: _Flows, seats: Sequence[_Seats]) -> Program:
    """Write the rows of demands, of beds and of seats, each set of seats for some grades of a school."""
    table, children = flows.columns, flows.children
    school, demand = table["school"].to_numpy(int), table["demand"].to_numpy(int)
    board = np.flatnonzero((table["mode"] == "board").to_numpy())
    beds, total = np.array([s.beds for s in flows.schools], float), children["pupils"].to_numpy(float)
    row = np.zeros((len(flows.schools) + 1, len(GRADES) + 1), int)
    part = np.ones_like(row, float)
    for i, group in enumerate(seats):
        row[group.school, list(group.grades)] = len(beds) + i
        for g, size in group.size.items():
            part[group.school, g] = 1 / size
    mine = np.flatnonzero(school >= 0) if seats else np.zeros(0, int)
    seated, share = row[school[mine], flows.grade[mine]], part[school[mine], flows.grade[mine]]
    limits = np.concatenate([beds, [group.seats for group in seats]])
    matrix = sparse_rows(
        len(limits) + len(total), len(table), (school[board], board, 1.0), (seated, mine, share), (len(limits) + demand, np.arange(len(table)), 1.0)
    )
    low, high = np.concatenate([np.full(len(limits), -np.inf), total]), np.concatenate([limits, total])
    return Program(np.zeros(len(table)), np.full(len(table), np.inf), np.zeros(len(table), bool), matrix, low, high)


def _relaxed(flows: _Flows, standards: Standards) -> Program:
    """Write the rows with parts of classes: pupils over their class size, summed over the grades of a school, fit its rooms."""
    return _program(flows, [_pool(k, s, standards) for k, s in enumerate(flows.schools)])


def _pool(number: int, school: _School, standards: Standards) -> _Seats:
    mixed = school.incomplete and school.rooms < len(school.grades)
    least = standards["class_size.mixed.max_pupils"] if mixed else 0.0
    size = {g: max(least, standards.class_size(g, incomplete=school.incomplete)) for g in school.grades}
    return _Seats(number, school.grades, float(school.rooms), size)


def _whole_classes(flows: _Flows, values: np.ndarray, standards: Standards) -> list[_Seats]:
    """Turn the rooms of each school into whole classes for the children that the relaxed optimum sends there."""
    load = np.zeros((len(flows.schools) + 1, len(GRADES)))
    np.add.at(load, (flows.columns["school"].to_numpy(int), flows.grade - 1), values[: len(flows.columns)])
    out: list[_Seats] = []
    for k, school in enumerate(flows.schools):
        pupils = {g: float(load[k, g - 1]) for g in school.grades}
        size = {g: standards.class_size(g, incomplete=school.incomplete) for g in school.grades}
        loaded = sum(n > _SAME for n in pupils.values())
        if not school.incomplete or school.rooms >= max(loaded, 1):
            need = {g: pupils[g] / size[g] for g in school.grades}
            count = {g: int(n > _SAME) for g, n in need.items()}
            for g in sorted((g for g in count if count[g]), key=lambda g: (need[g], -g))[: max(sum(count.values()) - school.rooms, 0)]:
                # fewer rooms than grades: the emptiest grades get no class here, of equals the higher
                count[g] = 0
            for _ in range(school.rooms - sum(count.values())):
                # the grade furthest above its seats, of equals the lower
                count[min(count, key=lambda g: (round(count[g] - need[g], 6), g))] += 1
            out += [_Seats(k, (g,), float(count[g] * size[g]), {}) for g in school.grades]
        elif school.incomplete and school.rooms:
            mixed = standards["class_size.mixed.max_pupils"]
            out += [_Seats(k, run, mixed, {}) for run in best_runs(pupils, school.rooms, standards)]
        else:
            out.append(_pool(k, school, standards))
    return out


def _placed(flows: _Flows, values: np.ndarray, seats_bind: bool) -> pd.DataFrame:
    """Turn the flows into rows, and say of children without a place why."""
    used = flows.columns.assign(pupils=values.astype("int64"))
    used = used[used["pupils"] > 0]
    children = flows.children.loc[used["demand"], ["settlement_id", "year", "grade", "attends"]].reset_index(drop=True)
    names = np.array([s.school_id for s in flows.schools] + [""], dtype=object)
    out = pd.concat([children, used[["mode", "pupils", "minutes", "beyond", "demand", "school"]].reset_index(drop=True)], axis=1)
    out["school_id"] = names[out["school"]]
    reasons = _reasons(flows, values)
    outcome = zip(out["demand"], out["mode"], out["beyond"], strict=True)
    out["status"] = [reasons[d] if m == "none" else "beyond_limit" if b else "served" for d, m, b in outcome]
    out["minutes"] = out["minutes"].where(~out["mode"].isin(["none", "seat"]))
    return out.drop(columns=["beyond", "demand", "school"])


def _reasons(flows: _Flows, values: np.ndarray) -> list[str]:
    """Say for each demand why a child of it has no place."""
    table = flows.columns
    boards = (table["mode"] == "board").to_numpy()
    used = np.bincount(table["school"].to_numpy()[boards], values[boards], minlength=len(flows.schools))
    free = np.array([s.beds for s in flows.schools], float) - used > _SAME
    by_bed = np.isin(flows.children.index, flows.by_bed["demand"])
    # beds are free where only seats are missing
    free_bed = np.isin(flows.children.index, flows.by_bed.loc[free[flows.by_bed["school"].to_numpy(int)], "demand"]) if len(free) else by_bed
    return ["no_seat" if d or f else "no_bed" if b else "no_route" for d, b, f in zip(flows.by_day, by_bed, free_bed, strict=True)]


def _by_rooms(seat: pd.DataFrame, schools: Iterable[_School], seat_schools: Sequence[str]) -> pd.DataFrame:
    """Share the children who study in the county seat among its schools, by the rooms that each has for a grade."""
    rows = []
    for (year, grade), group in seat.groupby(["year", "grade"], sort=True):
        there = [s for s in schools if s.school_id in set(seat_schools) and grade in s.grades and not s.incomplete]
        total = int(group["pupils"].sum())
        rooms = np.array([s.rooms / len(s.grades) for s in there])
        share = rooms / rooms.sum() if rooms.sum() > 0 else np.full(len(there), 1 / max(len(there), 1))
        counts = whole(pd.Series(share * total), [pd.Series(0, index=range(len(there)))]).tolist() if there else []
        rows += [(year, grade, s.school_id, "seat", "served", n) for s, n in zip(there, counts, strict=True)]
        rows += [(year, grade, "", "none", "no_route", total)] if not there else []
    return pd.DataFrame(rows, columns=["year", "grade", "school_id", "mode", "status", "pupils"])
