"""The columns of a year: which children could go to which school by which way, and what each choice uses and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from layout.seats import School, Seats
from layout.standards import Standards
from layout.tables import BANDS, GRADES, band_of
from layout.transport import Transport

#: A boarder's weekly way counts a fifth for each of five school days.
DAYS_A_WEEK = 5
#: Ways to school in the order of preference among equals.
MODES = ("board", "bus", "none", "seat", "walk")


@dataclass(frozen=True)
class Rules:
    """What holds in every year: whether seats bind, the schools of the county seat, today's zones, and the schools that stood before the plan."""

    seats_bind: bool
    seat_schools: tuple[str, ...]
    zones: pd.DataFrame | None
    whole_villages: bool
    neighbours: Mapping[str, frozenset[str]] | None
    before: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Ways:
    """The ways of :func:`layout.children.ways_of` as numbers: place in the lists of settlements and schools, band, mode."""

    settlements: pd.Index
    schools: pd.Index
    settlement: np.ndarray
    school: np.ndarray
    band: np.ndarray
    mode: np.ndarray
    minutes: np.ndarray
    beyond: np.ndarray
    excess: np.ndarray


@dataclass(frozen=True)
class Flows:
    """Columns of one year: a demand (its number), a school (its number, -1: no place), a way and the place its choice changes.

    ``bed`` is the school whose bed a column takes (-1: none), ``seatless`` says that a child goes there without a seat at the class-size
    standard: its class grows above that.
    ``children`` has settlement, grade, attends and pupils of each demand; ``by_day`` says which have a day way to any school of their
    grade, ``bed_demand`` and ``bed_school`` pair those joined by a weekly way, beds or not.
    """

    children: pd.DataFrame
    schools: tuple[School, ...]
    demand: np.ndarray
    school: np.ndarray
    bed: np.ndarray
    seatless: np.ndarray
    seats_bind: bool
    mode: np.ndarray
    minutes: np.ndarray
    beyond: np.ndarray
    excess: np.ndarray
    change: np.ndarray | None
    by_day: np.ndarray
    bed_demand: np.ndarray
    bed_school: np.ndarray

    @property
    def grade(self) -> np.ndarray:
        """Return the grade of the children of each column."""
        return self.children["grade"].to_numpy(int)[self.demand]

    @property
    def seat_of(self) -> np.ndarray:
        """Return the school whose seat a column takes (-1: none)."""
        return np.where(self.seatless, -1, self.school)

    @property
    def boards(self) -> np.ndarray:
        """Say which columns take a bed at school."""
        return self.mode == MODES.index("board")


def as_numbers(ways: pd.DataFrame) -> Ways:
    """Number the ways; those of a settlement and band the better first.

    Parameters
    ----------
    ways
        Minutes and what is beyond the limit, from :func:`layout.children.ways_of`.

    Returns
    -------
    Ways
        In the order of settlement, band and levels.
    """
    settlements, schools, bands, modes = (pd.factorize(ways[c], sort=True) for c in ("settlement_id", "school_id", "band", "mode"))
    band = np.array([list(BANDS).index(b) for b in bands[1]], int)[bands[0]] if len(ways) else np.zeros(0, int)
    mode = np.array([MODES.index(m) for m in modes[1]], int)[modes[0]] if len(ways) else np.zeros(0, int)
    minutes, beyond, excess = ways["minutes"].to_numpy(float), ways["beyond"].to_numpy(bool), ways["excess"].to_numpy(float)
    boards = mode == MODES.index("board")
    # in the order of the levels
    order = np.lexsort((schools[0], np.where(boards, minutes / DAYS_A_WEEK, minutes), boards, excess, beyond, band, settlements[0]))
    numbers = (settlements[0], schools[0], band, mode, minutes, beyond, excess)
    return Ways(pd.Index(settlements[1].astype("str")), pd.Index(schools[1].astype("str")), *(v[order] for v in numbers))


def lay_out(children: pd.DataFrame, ways: Ways, schools: tuple[School, ...], standards: Standards, rules: Rules) -> Flows:
    """Lay out the columns: one per child group, school and way that may be used, and one per group for no place.

    Parameters
    ----------
    children
        Whole children of one year by settlement, grade and attends; those of the county seat in rows of their own, without a settlement.
    ways, schools
        Minutes, and the schools of the year.
    standards
        Who may board.
    rules
        What holds in every year. Where seats bind, grades 4 to 6 board only where no school that stood before the plan is within the limit
        by day (whole villages leave that out), and a child may also sit above the standard: at the end of its best day way, and in a bed
        where that way is beyond the limit or missing.

    Returns
    -------
    Flows
        Columns of a demand in the order of the levels, no place last.
    """
    numbers = {s.school_id: k for k, s in enumerate(schools)}
    place = np.array([numbers.get(str(i), -1) for i in ways.schools], int)
    school = place[ways.school] if len(place) else np.zeros(0, int)
    teaches = np.zeros((len(schools) + 1, len(GRADES) + 1), bool)
    for k, s in enumerate(schools):
        teaches[k, list(s.grades)] = True
    beds = np.array([s.beds for s in schools] + [0])
    board = MODES.index("board")
    at_home = (children["attends"] == "home").to_numpy()
    who = ways.settlements.get_indexer(pd.Index(children["settlement_id"].astype("str")))
    columns, by_day, bed = [], np.zeros(len(children), bool), []
    for grade in sorted(set(children["grade"])):
        demand_of = np.full(len(ways.settlements) + 1, -1)
        own = np.flatnonzero(at_home & (children["grade"] == grade).to_numpy())
        # a settlement without any way is the last, which nobody asks for
        demand_of[who[own]] = own
        demand_of[-1] = -1
        band = list(BANDS).index(band_of(grade))
        rows = np.flatnonzero((ways.band == band) & (school >= 0) & (demand_of[ways.settlement] >= 0))
        rows = rows[teaches[school[rows], grade]]
        boards = ways.mode[rows] == board
        rows, boards = (rows, boards) if standards.may_board(int(grade)) else (rows[~boards], boards[~boards])
        demand = demand_of[ways.settlement[rows]]
        by_day[demand[~boards]] = True
        bed.append((demand[boards], school[rows][boards]))
        usable = ~boards | (beds[school[rows]] > 0)
        columns.append((demand[usable], school[rows][usable], rows[usable]))
    demand, to, rows = (np.concatenate([c[i] for c in columns]) if columns else np.zeros(0, int) for i in range(3))
    mode, minutes, beyond, excess = (v[rows] for v in (ways.mode, ways.minutes, ways.beyond, ways.excess))
    if rules.seats_bind and not rules.whole_villages:
        stood = np.array([s.school_id in rules.before for s in schools] + [False])
        near = np.zeros(len(children), bool)
        near[demand[(mode != board) & ~beyond & stood[to]]] = True
        near &= children["grade"].isin(BANDS["upper"]).to_numpy()
        kept = ~((mode == board) & near[demand])
        demand, to, mode, minutes, beyond, excess = (v[kept] for v in (demand, to, mode, minutes, beyond, excess))
    zoned = _zone_of(children, rules.zones, numbers)
    if not rules.seats_bind:
        # today's zone goes before every other school, but only where a day way leads there: nobody in reach is refused
        by_zone = np.zeros(len(children), bool)
        by_zone[demand[(to == zoned[demand]) & (mode != board)]] = True
        if rules.whole_villages:
            # a village keeps its zone as a whole: only where that school teaches all its grades
            keys = [(str(i), band_of(int(g))) for i, g in zip(children["settlement_id"], children["grade"], strict=True)]
            broken = {key for key, kept, home in zip(keys, by_zone, at_home, strict=True) if home and not kept}
            by_zone &= np.array([key not in broken for key in keys], bool)
        kept = ~by_zone[demand] | (to == zoned[demand])
        demand, to, mode, minutes, beyond, excess = (v[kept] for v in (demand, to, mode, minutes, beyond, excess))
        kept = np.arange(len(demand)) if rules.whole_villages else _undominated(demand, mode == board, minutes, beyond, excess, to)
        demand, to, mode, minutes, beyond, excess = (v[kept] for v in (demand, to, mode, minutes, beyond, excess))
    seat = [numbers[s] for s in rules.seat_schools if s in numbers and not schools[numbers[s]].incomplete]
    pairs = [(d, k) for d in np.flatnonzero(~at_home) for k in seat if teaches[k, children["grade"].iloc[d]]]
    by_day[[d for d, _ in pairs]] = True
    extra = np.array(pairs, int).reshape(-1, 2)
    many, none = len(extra), len(children)

    def joined(values: np.ndarray, seat_value: object, none_value: object) -> np.ndarray:
        parts = [values, np.broadcast_to(np.asarray(seat_value), many), np.broadcast_to(np.asarray(none_value), none)]
        return np.concatenate(parts).astype(values.dtype)

    demand, to = joined(demand, extra[:, 0], np.arange(none)), joined(to, extra[:, 1], -1)
    mode = joined(mode, MODES.index("seat"), MODES.index("none"))
    minutes, beyond, excess = joined(minutes, 0.0, 0.0), joined(beyond, False, False), joined(excess, 0.0, 0.0)
    taken, seatless = np.where(mode == board, to, -1), np.zeros(len(demand), bool)
    if rules.seats_bind:
        some = _without_seat(demand, to, mode, beyond, none)
        demand, mode, to, taken, minutes, beyond, excess = (np.append(v, v[some]) for v in (demand, mode, to, taken, minutes, beyond, excess))
        seatless = np.append(seatless, np.ones(len(some), bool))
    # columns of a demand stay in the order of the levels, no place comes last
    boards = mode == board
    lengths = np.where(boards, minutes / DAYS_A_WEEK, minutes)
    order = np.lexsort((lengths, boards, seatless, excess, beyond, to < 0, demand))
    demand, to, taken, seatless, mode, minutes, beyond, excess = (v[order] for v in (demand, to, taken, seatless, mode, minutes, beyond, excess))
    # a child that goes elsewhere than its zone says
    change = ((zoned[demand] >= 0) & (to >= 0) & (to != zoned[demand])).astype(float) if rules.seats_bind and rules.zones is not None else None
    bed_demand, bed_school = (np.concatenate([b[i] for b in bed]) if bed else np.zeros(0, int) for i in range(2))
    return Flows(
        children, schools, demand, to, taken, seatless, rules.seats_bind, mode, minutes, beyond, excess, change, by_day, bed_demand, bed_school
    )


def _without_seat(demand: np.ndarray, to: np.ndarray, mode: np.ndarray, beyond: np.ndarray, demands: int) -> np.ndarray:
    """Return the columns on which a child may sit above the standard: its best day way, and by boarding where that is too long or missing."""
    board = mode == MODES.index("board")
    day = np.flatnonzero((to >= 0) & ~board)
    # the ways of a demand come the better first
    day = day[np.unique(demand[day], return_index=True)[1]]
    near = np.zeros(demands, bool)
    near[demand[day[~beyond[day]]]] = True
    return np.concatenate([day, np.flatnonzero(board & ~near[demand])])


def _zone_of(children: pd.DataFrame, zones: pd.DataFrame | None, numbers: Mapping[str, int]) -> np.ndarray:
    """Return the school of the zone of each demand, -2 where there is none."""
    if zones is None or not len(zones):
        return np.full(len(children), -2)
    at = {(str(i), str(b)): numbers.get(str(s), -2) for i, b, s in zip(zones["settlement_id"], zones["band"], zones["school_id"], strict=True)}
    rows = zip(children["settlement_id"], children["grade"], children["attends"], strict=True)
    return np.array([at.get((str(i), band_of(g)), -2) if a == "home" else -2 for i, g, a in rows], int)


def _undominated(
    demand: np.ndarray, boards: np.ndarray, minutes: np.ndarray, beyond: np.ndarray, excess: np.ndarray, school: np.ndarray
) -> np.ndarray:
    """Keep the ways that some optimum without seats uses: the best day way, and boarding where that way is too long or missing."""
    day = np.flatnonzero(~boards)
    order = day[np.lexsort((school[day], minutes[day], excess[day], beyond[day], demand[day]))]
    best = order[np.append(True, demand[order][1:] != demand[order][:-1])] if len(order) else order
    near = demand[best[~beyond[best]]]
    return np.sort(np.concatenate([best, np.flatnonzero(boards & ~np.isin(demand, near))]))


def levels_of(flows: Flows) -> dict[str, np.ndarray]:
    """Return what a child costs on each level, the foremost first.

    Parameters
    ----------
    flows
        Columns.

    Returns
    -------
    dict
        Children, minutes, and minutes a day of a boarder's weekly way, by level.
    """
    board = flows.boards
    levels = {
        "without_place": (flows.school < 0).astype(float), "beyond_limit": flows.beyond.astype(float),
        "excess_minutes": flows.excess, "above_standard": flows.seatless.astype(float), "boarders": board.astype(float),
        "minutes": np.where(board, flows.minutes / DAYS_A_WEEK, flows.minutes),
    }  # fmt: skip
    if not flows.seats_bind:
        del levels["above_standard"]
    return levels if flows.change is None else {**levels, "change": flows.change}


def loads_of(flows: Flows, values: np.ndarray) -> np.ndarray:
    """Return the children who take a seat at the standard, by school and grade.

    Parameters
    ----------
    flows, values
        Columns, and children on each.

    Returns
    -------
    numpy.ndarray
        Schools x grades 1 to 9.
    """
    out = np.zeros((len(flows.schools), len(GRADES)))
    seated = flows.seat_of >= 0
    np.add.at(out, (flows.school[seated], flows.grade[seated] - 1), values[seated])
    return out


def transport_of(flows: Flows, seats: Sequence[Seats]) -> Transport:
    """Write what each column uses: a bed, and a part of the seats of its school and grade.

    Parameters
    ----------
    flows
        Columns.
    seats
        Of schools and grades; grades that are not among them have no bound.

    Returns
    -------
    Transport
        Beds by school first, then the seats.
    """
    row = np.full((len(flows.schools) + 1, len(GRADES) + 1), -1)
    part = np.ones(row.shape)
    for i, group in enumerate(seats):
        row[group.school, list(group.grades)] = len(flows.schools) + i
        for g, size in group.size.items():
            part[group.school, g] = 1 / size
    seat = np.where(flows.seat_of >= 0, row[flows.school, flows.grade], -1)
    uses = np.column_stack([flows.bed, seat])
    shares = np.column_stack([np.ones(len(seat)), part[flows.school, flows.grade]])
    capacity = np.concatenate([np.array([s.beds for s in flows.schools], float), [group.seats for group in seats]])
    return Transport(flows.children["pupils"].to_numpy(float), flows.demand, uses, shares, capacity)
