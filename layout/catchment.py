"""Who goes where: every child to a school and a way of getting there, today and under a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, maximum_flow

from layout.children import spread, ways_of, whole_children
from layout.flows import MODES, Flows, Rules, Ways, as_numbers, lay_out, levels_of, loads_of, transport_of
from layout.processors import processors
from layout.programs import beside
from layout.seats import School, Seats, pooled, school_of, search_classes, whole_classes
from layout.solver import Level, Solution
from layout.standards import Standards
from layout.sums import dot
from layout.tables import BANDS, GRADES, band_of, check, empty, whole
from layout.transport import send
from layout.viable import Least, filled, lacking
from layout.villages import LEVELS as VILLAGE_LEVELS
from layout.villages import Option, Village, as_levels, send_villages

# branch-and-bound nodes of the search for whole classes: counted work, so the answer does not depend on the machine
_NODES = 50
# a sum of the levels from which their search sets out: no result depends on it
_WEIGHTS = {
    "without_place": 1e5, "beyond_limit": 1e4, "excess_minutes": 50.0, "above_standard": 5e3, "boarders": 200.0, "minutes": 1.0, "change": 1e-3,
}  # fmt: skip
# a year with so many columns at most is solved to proof where whole classes cost anything
_PROOF = 1500
# so many columns of demands at most are searched for better classes at a time, and so many times; more of them state their gap
_SEARCH, _PIECES = 3000, 6
# share of the minutes by which that search may end above its bound
_NEAR = 0.005
# most years worked on at a time
_THREADS = 2
# how much of a child counts as one when a sum of shares is compared with whole children
_SAME = 1e-6
#: Grades at which a cohort enters a stage; rezoning takes these.
ENTRY_GRADES = (1, 7)
_STATUSES = ("served", "beyond_limit", "no_seat", "no_bed", "no_route", "away")


def assign(
    pupils: pd.DataFrame,
    times: pd.DataFrame,
    schools: pd.DataFrame,
    standards: Standards,
    *,
    school_years: pd.DataFrame | None = None,
    zones: pd.DataFrame | None = None,
    adjacency: pd.DataFrame | None = None,
    whole_villages: bool = False,
    seat_schools: Sequence[str] = (),
    expected: pd.DataFrame | None = None,
    least: pd.DataFrame | None = None,
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
        grades, rooms and beds of each year, and seats bind; grades 4 to 6 do not board where a school that is open in ``schools`` (those of
        ``least`` apart) is within the limit by day; whole villages leave that out.
    zones
        Table ``zones``: today's 划片. In the view of today a child goes to the school of its zone where that teaches its grade and a
        day way leads there. In the planned view children who go elsewhere are counted last (``change``).
    adjacency
        Table ``adjacency`` (each pair once is enough): whole villages whose areas are in one piece, school by school and band by band;
        places without children of the band join pieces.
    whole_villages
        Send each settlement's grade band to one school (划片) that teaches all its grades. Children for whom the classes there have no seat
        sit in them all the same and are counted (``above_standard``); a child without a bed and without a day way has no place and takes
        no seat.
    seat_schools
        Ids of the schools of the county seat; teaching points and small primary schools among them take no children from
        elsewhere.
    expected
        Children by school_id, year and grade (pupils) in another placing at the same schools, such as that of the search for proposals
        or another table ``assignment``. In the planned view classes are formed for them too, and of the placings the better one stands.
    least
        Least pupils of new schools in the planned view, from :func:`layout.viable.least_of`: children who could go there do so until it has
        these, as far as no child loses its place, its limit or its seat for it. Whole villages leave it out.
    seed
        Of the solver.

    Returns
    -------
    pandas.DataFrame
        Table ``assignment``, whole pupils; the rows of a year add up to its rounded total. Status ``no_seat``: within the limit, but
        no class at the standard has a seat; they sit in a class above it at the school named. Children without a place have an
        empty school, mode ``none`` and status ``no_route`` (no school of their grade can be reached) or ``no_bed`` (only by
        boarding, and beds are full or missing); with whole villages also ``no_seat`` (a way by day, or a bed free for them, but not
        where their village goes). ``attrs["gap"]``: by year the levels with objective, bound, gap and status:
        ``optimal``; ``search`` where what is possible lies between bound and objective; ``relaxed`` for the levels after such a one, whose
        bound is that of the relaxed optimum with its better level before and bounds no answer that is worse there.

    Raises
    ------
    ValueError
        If a school of ``school_years`` is not among ``schools``.

    References
    ----------
    Objective, in the order of :func:`layout.propose`: (1) children without a place, for want of a way or a bed, (2) children beyond the
    limit, (3) their excess minutes, planned view also (4) children without a seat (``above_standard``), (5) boarders, since a day place
    within the limit goes first, (6) minutes, of a boarder a fifth of the weekly way. A child without a seat sits above the standard at the
    end of its best way by day, or takes a bed; those of the county seat are spread by rooms. With ``least``: then as few children as
    possible whom new schools lack (``below_least``), among all that are as good on (1), (2) and (4).

    Subject to (a) every child placed or counted as without; (b) boarders <= beds; planned view
    also (c) pupils of a grade <= classes x class-size standard, (d) classes of a school <= rooms, whole. A teaching point or small
    primary school with fewer rooms than grades puts neighbouring grades together, each run of grades <= one class of
    ``class_size.mixed.max_pupils``; another school with fewer rooms than grades has classes for as many of its grades as it has rooms.
    The relaxed optimum has parts of classes (sum over grades of pupils / standard <= rooms) and bounds what whole classes, rounded from it,
    can reach:
    ``attrs["gap"]`` is the difference that whole classes and whole children make. Where it costs a child its place, its limit or its seat, classes
    are searched anew at the schools where such children could sit, at those to which others would then be sent, and so on.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> pupils = pd.DataFrame({"settlement_id": ["A"], "year": [2026], "grade": [1], "pupils": [10.0]})
    >>> times = pd.DataFrame({"from_id": ["A"], "to_id": ["S1"], "mode": ["walk"], "band": ["lower"], "minutes": [31.0], "minutes_back": [29.0]})
    >>> assign(pupils, times, paper.schools, read_standards())[["school_id", "mode", "status", "pupils", "minutes"]].values.tolist()
    [['S1', 'walk', 'beyond_limit', 10, 31.0]]
    """
    children = whole_children(pupils)
    ways = as_numbers(ways_of(times, standards))
    neighbours = None if adjacency is None else _neighbours(adjacency)
    wanted = least if least is not None and school_years is not None else None
    opened = set() if least is None else set(least["school_id"].astype("str"))
    before = frozenset(schools.loc[schools["status"] == "open", "school_id"].astype("str")) - opened
    rules = Rules(school_years is not None, tuple(sorted(seat_schools)), zones, whole_villages or neighbours is not None, neighbours, before)
    years = sorted(int(y) for y in children["year"].unique())
    stood = [_schools_of(schools, school_years, year, standards) for year in years]

    def of(year: int, there: tuple[School, ...]) -> tuple[pd.DataFrame, tuple[Level, ...]]:
        load = None if expected is None else _load_of(expected[expected["year"] == year], there)
        full = () if wanted is None else _least_here(wanted[wanted["year"] == year], there)
        return _assign_year(children[children["year"] == year].reset_index(drop=True), ways, there, standards, rules, load, full, seed)

    # years do not depend on each other, and the solver lets others run meanwhile
    with ThreadPoolExecutor(max_workers=max(min(len(years), _THREADS, processors()), 1)) as pool:
        answers = list(pool.map(of, years, stood))
    frames = [frame for frame, _ in answers]
    gaps = {year: [vars(level) for level in levels] for year, (_, levels) in zip(years, answers, strict=True)}
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
    kept = np.array([s in teaches[b] and m != "board" for s, b, m in zip(ways["school_id"], ways["band"], ways["mode"], strict=True)], bool)
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


def _schools_of(schools: pd.DataFrame, school_years: pd.DataFrame | None, year: int, standards: Standards) -> tuple[School, ...]:
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
        school_of(str(i), kinds[i], first_grade=int(a), last_grade=int(z), rooms=int(r), beds=int(b), standards=standards, year=year)
        for i, a, z, r, b in zip(*columns, strict=True) if kinds[i] != "special"
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda s: s.school_id))


def _load_of(rows: pd.DataFrame, schools: Sequence[School]) -> np.ndarray:
    """Return children by school and grade."""
    numbers = {s.school_id: k for k, s in enumerate(schools)}
    at = np.array([numbers.get(str(i), -1) for i in rows["school_id"]], int)
    out = np.zeros((len(schools), len(GRADES)))
    np.add.at(out, (at[at >= 0], rows["grade"].to_numpy(int)[at >= 0] - 1), rows["pupils"].to_numpy(float)[at >= 0])
    return out


def _least_here(rows: pd.DataFrame, schools: Sequence[School]) -> list[Least]:
    numbers = {s.school_id: k for k, s in enumerate(schools)}
    return [
        Least(numbers[row["school_id"]], tuple(range(row["first_grade"], row["last_grade"] + 1)), bool(row["by_day"]), float(row["pupils"]))
        for row in rows.to_dict("records") if row["school_id"] in numbers
    ]  # fmt: skip


def _assign_year(
    children: pd.DataFrame,
    ways: Ways,
    schools: tuple[School, ...],
    standards: Standards,
    rules: Rules,
    expected: np.ndarray | None,
    least: Sequence[Least],
    seed: int,
) -> tuple[pd.DataFrame, tuple[Level, ...]]:
    home = children[children["attends"] == "home"].reset_index(drop=True)
    seat = children[children["attends"] == "county_seat"].reset_index(drop=True)
    away = children[children["attends"] == "away"]
    rows = [away[["settlement_id", "year", "grade", "attends", "pupils"]].assign(school_id="", mode="none", status="away", minutes=np.nan)]
    if not rules.seats_bind:
        rows.append(spread(seat, _by_rooms(seat, schools, rules.seat_schools)))
        seat = seat.iloc[:0]
    pooled_seat = seat.groupby(["year", "grade", "attends"], as_index=False, sort=True)["pupils"].sum().assign(settlement_id="")
    demand = pd.concat([home, pooled_seat[home.columns.intersection(pooled_seat.columns)]], ignore_index=True)
    if not len(demand):
        return pd.concat([r for r in rows if len(r)], ignore_index=True), ()
    flows = lay_out(demand, ways, schools, standards, rules)
    values, levels, seats = _solve(flows, standards, rules.seats_bind, expected, seed)
    if rules.whole_villages:
        values, levels = _whole_villages(flows, values, levels, rules, seed)
    elif least:
        costs = levels_of(flows)
        full = filled(flows, transport_of(flows, seats), values, least, costs, seed=seed)
        if (full != values).any():
            values, levels = full, beside({n: dot(c, full) for n, c in costs.items()}, {a.name: a.bound for a in levels})
        levels = (*levels, lacking(flows, values, least))
    placed = _placed(flows, values)
    rows.append(placed[placed["attends"] == "home"])
    studies = placed["attends"] == "county_seat"
    crowded = placed[studies & (placed["status"] == "no_seat")]
    # whoever finds no seat in the county seat sits where rooms are, not at the first school of all
    crowd = [_by_rooms(crowded, schools, rules.seat_schools).assign(status="no_seat")] if len(crowded) else []
    rows.append(spread(seat, pd.concat([placed[studies & (placed["status"] != "no_seat")], *crowd], ignore_index=True)))
    return pd.concat([r for r in rows if len(r)], ignore_index=True), levels


def _neighbours(adjacency: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Return the neighbours of each settlement, whichever way the rows name them."""
    out: dict[str, set[str]] = {}
    for a, b in zip(adjacency["settlement_id"].astype("str"), adjacency["neighbour_id"].astype("str"), strict=True):
        if a != b:
            out.setdefault(a, set()).add(b)
            out.setdefault(b, set()).add(a)
    return {i: frozenset(near) for i, near in sorted(out.items())}


def _whole_villages(flows: Flows, values: np.ndarray, levels: tuple[Level, ...], rules: Rules, seed: int) -> tuple[np.ndarray, tuple[Level, ...]]:
    """Send each village's band to one school, from the optimum with divided villages on."""
    children, boards = flows.children, flows.boards
    grades, counts = children["grade"].to_numpy(int), children["pupils"].to_numpy(int)
    begin = np.searchsorted(flows.demand, np.arange(len(children) + 1))
    home = (children["attends"] == "home").to_numpy()[flows.demand]
    groups, villages, first = _villages_of(flows, values, begin)
    fixed = np.zeros((len(flows.schools), len(GRADES) + 1))
    seated = np.flatnonzero((flows.mode == MODES.index("seat")) & (values > 0))
    np.add.at(fixed, (flows.school[seated], flows.grade[seated]), values[seated])
    # children of the county seat are placed as before: what they cost is no part of what villages can reach
    seat_part = {name: dot(cost[~home], values[~home]) for name, cost in levels_of(flows).items()}
    least = {level.name: level.bound - seat_part[level.name] for level in levels}
    bound = [least.get(name, 0.0) for name in VILLAGE_LEVELS]
    answer = send_villages(villages, flows.schools, fixed, first, seats_bind=rules.seats_bind, neighbours=rules.neighbours, bound=bound, seed=seed)
    out = np.where(home, 0.0, values)
    for mine, school, boarders in zip(groups, answer.school, answer.boarders, strict=True):
        for d in mine:
            here = np.arange(begin[d], begin[d + 1])
            there = (flows.seat_of[here] == school) & (school >= 0)
            board, day = here[there & boards[here]], here[there & ~boards[here]]
            beds = boarders.get(int(grades[d]), 0)
            out[board] = beds
            out[day if len(day) else here[flows.school[here] < 0]] = int(counts[d]) - beds
    more = [seat_part.get(name, 0.0) for name in VILLAGE_LEVELS]
    return out, tuple(
        replace(level, objective=level.objective + n, bound=level.bound + n) for level, n in zip(as_levels(answer, bound), more, strict=True)
    )


def _villages_of(flows: Flows, values: np.ndarray, begin: np.ndarray) -> tuple[list[list[int]], list[Village], list[int]]:
    """List the demands of each settlement and band, its options, and the school that most of its children go to where it is divided."""
    children, taught = flows.children, [set(s.grades) for s in flows.schools]
    names, grades = children["settlement_id"].to_numpy(object), children["grade"].to_numpy(int)
    counts, start = children["pupils"].to_numpy(int), begin.tolist()
    change = np.zeros(len(flows.school)) if flows.change is None else flows.change
    school, boards = flows.seat_of.tolist(), flows.boards.tolist()
    minutes, excess, changed = flows.minutes.tolist(), flows.excess.tolist(), change.tolist()
    groups: dict[tuple[str, str], list[int]] = {}
    for child in np.flatnonzero((children["attends"] == "home").to_numpy()):
        groups.setdefault((str(names[child]), band_of(int(grades[child]))), []).append(int(child))
    villages, first = [], []
    for (name, band), mine in sorted(groups.items()):
        wanted = {int(grades[d]) for d in mine}
        options: dict[int, Option] = {}
        for j in range(start[mine[0]], start[mine[0] + 1]):
            k = school[j]
            if k < 0 or not wanted <= taught[k]:
                continue
            option = options.get(k, Option(k, np.nan, 0.0, np.nan, changed[j]))
            options[k] = replace(option, week=minutes[j]) if boards[j] else replace(option, day=minutes[j], excess=excess[j])
        ordered = sorted(
            options.values(),
            key=lambda o: (not np.isfinite(o.day), o.excess > 0, o.excess, o.day if np.isfinite(o.day) else o.week, o.school),
        )
        villages.append(Village(name, band, {int(grades[d]): int(counts[d]) for d in mine}, tuple(ordered)))
        share: dict[int, float] = {}
        for d in mine:
            for j in start[d] + np.flatnonzero(values[start[d] : start[d + 1]] > 0):
                share[school[j]] = share.get(school[j], 0.0) + float(values[j])
        share.pop(-1, None)
        first.append(min(share, key=lambda k: (-share[k], k), default=-1))
    return [mine for _, mine in sorted(groups.items())], villages, first


def _solve(
    flows: Flows, standards: Standards, seats_bind: bool, expected: np.ndarray | None, seed: int
) -> tuple[np.ndarray, tuple[Level, ...], Sequence[Seats]]:
    """Solve with parts of classes, which bounds what whole ones can reach, then with whole ones."""
    levels = levels_of(flows)
    weights = [_WEIGHTS[name] for name in levels]
    if not seats_bind:
        found = send(transport_of(flows, ()), levels, weights=weights, in_order=flows.change is None, seed=seed)
        return found.values, found.levels, ()
    relaxed = send(transport_of(flows, pooled(flows.schools)), levels, whole=False, weights=weights, in_order=flows.change is None, seed=seed)

    def placed(seats: Sequence[Seats]) -> _Seated:
        return _Seated(tuple(seats), send(transport_of(flows, seats), levels, weights=weights, in_order=flows.change is None, seed=seed))

    best = placed(whole_classes(flows.schools, loads_of(flows, relaxed.values), standards))
    if _lost(best, relaxed) > _SAME and expected is not None:
        # the classes of another placing carry its children
        other = placed(whole_classes(flows.schools, expected, standards))
        best = other if _order(other.sent) < _order(best.sent) else best
    found = best.sent
    if max(a.objective - b.objective for a, b in zip(found.levels, relaxed.levels, strict=True)) > _SAME and len(flows.demand) <= _PROOF:
        # a small county is searched to proof, classes and children together
        every, none = np.ones(len(flows.children), bool), dict.fromkeys(levels, _SAME)
        found, anew = search_classes(
            flows.schools, transport_of(flows, ()), flows.grade, flows.seat_of, found.values, every, levels, gaps=none, seed=seed
        )
        touched = {group.school for group in anew}
        return found.values, found.levels, [*(s for s in best.seats if s.school not in touched), *anew]
    best = _searched(flows, levels, relaxed, best, placed, seed)
    return best.sent.values, _stated(best.sent, relaxed), best.seats


@dataclass(frozen=True)
class _Seated:
    """Seats of whole classes, and where children go with them."""

    seats: tuple[Seats, ...]
    sent: Solution


def _lost(seated: _Seated, relaxed: Solution) -> float:
    """Return the children who have lost their place, their limit or their seat to whole classes."""
    pairs = zip(seated.sent.levels, relaxed.levels, strict=True)
    return max(a.objective - b.objective for a, b in pairs if a.name in ("without_place", "beyond_limit", "above_standard"))


def _searched(
    flows: Flows, levels: Mapping[str, np.ndarray], relaxed: Solution, best: _Seated, placed: Callable[[Sequence[Seats]], _Seated], seed: int
) -> _Seated:
    """Search for better classes where whole ones cost a child its place or its limit, one piece of the county after another."""
    later = ("minutes", "change")
    first = {name: cost for name, cost in levels.items() if name not in later}
    # what only orders equals is searched as one sum
    first["later"] = np.asarray(sum(_WEIGHTS[name] * levels[name] for name in later if name in levels))
    aims = {name: abs(dot(cost, relaxed.values)) * _NEAR for name, cost in first.items()}
    gaps = {name: max(aims[name], 1.0) if name in ("excess_minutes", "later") else 1 - _SAME for name in first}
    for short in _short_pieces(flows, relaxed.values, best.sent.values):
        if _lost(best, relaxed) <= 1 - _SAME:
            break
        free = _around(flows, short, best.sent.values)
        if free is None:
            continue
        _, anew = search_classes(
            flows.schools, transport_of(flows, ()), flows.grade, flows.seat_of, best.sent.values, free, first, gaps=gaps, whole=False,
            work_limit=_NODES, seed=seed,
        )  # fmt: skip
        changed = {group.school for group in anew}
        better = placed([*(s for s in best.seats if s.school not in changed), *anew])
        best = better if _order(better.sent) < _order(best.sent) else best
    return best


def _stated(found: Solution, relaxed: Solution) -> tuple[Level, ...]:
    return beside({level.name: level.objective for level in found.levels}, {level.name: level.bound for level in relaxed.levels})


def _order(solution: Solution) -> list[float]:
    return [round(level.objective, 6) for level in solution.levels]


def _bad(flows: Flows) -> np.ndarray:
    return (flows.seat_of < 0) | flows.beyond


def _short_pieces(flows: Flows, wanted: np.ndarray, found: np.ndarray) -> list[np.ndarray]:
    """Say which demands want for a place or a school within the limit: piece by piece of those that could go to the same schools, most first."""
    bad, demands = _bad(flows), len(flows.children)
    lost = np.bincount(flows.demand, bad * (found - wanted), minlength=demands)
    short = lost > _SAME
    near = np.flatnonzero(short[flows.demand] & ~bad)
    size = demands + len(flows.schools)
    links = csr_array((np.ones(len(near)), (flows.demand[near], demands + flows.school[near])), shape=(size, size))
    label = connected_components(links, directed=False)[1][:demands]
    many = np.bincount(label[short], lost[short], minlength=1)
    pieces = sorted(np.unique(label[short]), key=lambda piece: (-round(float(many[piece]), 6), int(piece)))
    return [short & (label == piece) for piece in pieces[:_PIECES]]


def _around(flows: Flows, short: np.ndarray, found: np.ndarray) -> np.ndarray | None:
    """Add to demands those that sit where they could have a place, then those that sit where these could go, while they can be searched."""
    near, width = ~_bad(flows), np.bincount(flows.demand, minlength=len(short))
    if width[short].sum() > _SEARCH:
        return None
    while True:
        there = np.unique(flows.school[short[flows.demand] & near])
        more = short.copy()
        more[flows.demand[np.isin(flows.school, there) & (found > _SAME)]] = True
        if (more == short).all() or width[more].sum() > _SEARCH:
            return short
        short = more


def _placed(flows: Flows, values: np.ndarray) -> pd.DataFrame:
    """Turn the flows into rows, and say of children without a place why."""
    used = np.flatnonzero(values > 0.5)
    demand, mode = flows.demand[used], flows.mode[used]
    out = flows.children.loc[demand, ["settlement_id", "year", "grade", "attends"]].reset_index(drop=True)
    out["mode"], out["pupils"] = np.array(MODES, object)[mode], np.round(values[used]).astype("int64")
    out["school_id"] = np.array([s.school_id for s in flows.schools] + [""], dtype=object)[flows.school[used]]
    out["status"] = np.where(flows.beyond[used], "beyond_limit", np.where(flows.seatless[used], "no_seat", "served"))
    timed = (flows.school[used] >= 0) & (mode != MODES.index("seat"))
    out["minutes"] = np.where(timed, flows.minutes[used], np.nan)
    lost = flows.school[used] < 0
    by_bed = np.isin(demand, flows.bed_demand)
    out.loc[lost, "status"] = np.select([flows.by_day[demand[lost]], by_bed[lost]], ["no_seat", "no_bed"], "no_route")
    # for some of those who need a bed one is free, and only a seat is missing
    wants = np.flatnonzero((out["status"] == "no_bed").to_numpy())
    seatless = pd.Series(_beds_free(flows, values, demand[wants], out["pupils"].to_numpy()[wants]), index=wants)
    both = seatless.index[seatless > 0]
    split = out.loc[both].assign(status="no_seat", pupils=seatless[both])
    out.loc[both, "pupils"] -= seatless[both]
    out = pd.concat([out[out["pupils"] > 0], split], ignore_index=True)
    # of the children of a village those without a bed and those without a seat may be told the same
    keys = [name for name in out.columns if name != "pupils"]
    return out.groupby(keys, sort=False, dropna=False)["pupils"].sum().reset_index()[list(out.columns)]


def _beds_free(flows: Flows, values: np.ndarray, demand: np.ndarray, children: np.ndarray) -> np.ndarray:
    """Count for each demand the children for whom a bed is free: as many in all as free beds within reach can take."""
    sleeps = flows.bed >= 0
    used = np.bincount(flows.bed[sleeps], values[sleeps], minlength=len(flows.schools))
    free = np.round(np.array([s.beds for s in flows.schools], float) - used).astype("int64")
    place = {int(d): i for i, d in enumerate(demand)}
    reach = sorted({(place[int(d)], int(k)) for d, k in zip(flows.bed_demand, flows.bed_school, strict=True) if int(d) in place and free[k] > 0})
    if not reach:
        return np.zeros(len(demand), dtype="int64")
    # a largest flow from the children through the schools in reach to their free beds
    at, to = np.array(reach).T
    n, m = len(demand), len(free)
    rows = np.concatenate([np.zeros(n, int), at + 1, np.arange(m) + n + 1])
    columns = np.concatenate([np.arange(n) + 1, to + n + 1, np.full(m, n + m + 1)])
    most = np.concatenate([children, children[at], np.maximum(free, 0)]).astype("int32")
    found = maximum_flow(csr_array((most, (rows, columns)), shape=(n + m + 2, n + m + 2)), 0, n + m + 1)
    return np.asarray(found.flow.toarray()[0, 1 : n + 1], dtype="int64")


def _by_rooms(seat: pd.DataFrame, schools: Iterable[School], seat_schools: Sequence[str]) -> pd.DataFrame:
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
