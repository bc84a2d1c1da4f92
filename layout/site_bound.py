"""How little a plan could cost at best: prices for children, at which each site solves its own problem of all years with whole classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from layout.compiled import loops
from layout.programme import GROUPS, LEVELS, MONEY, Model, Programme, bed_year, floor_money, flow_money, least_rooms, room_year, site_year
from layout.programs import Prices, price
from layout.siting import PARTS, largest_size, least_pupils
from layout.tables import GRADES

# rounds of the ascent, the largest step of a price where nobody comes though some would gain, and the gain (a share of the bound) that ends it
_ROUNDS, _STEP, _ENOUGH = 60, 0.05, 1e-5
# a loss of such a share is borne on the way
_TIE = 1e-5
# rounds before the ascent may end
_FEW = 10
# and a price rises by so much above that at which a child would come
_NUDGE = 1e-7
# what is taken off a bound for rounding error, a share of the sums that it is the difference of
_SAFE = 1e-9
# a column below this is not used
_USED = 0.5
_QUANTILES = (0.5, 0.9, 1.0)
_GRADES = len(GRADES)
# the cost of a bed where none may be added
_NO_BED = 1e9


@dataclass(frozen=True)
class Sites:
    """The problems of all sites as numbers, by site, group of rooms, part and plan year; costs are those of the horizon."""

    existing: np.ndarray
    room_for: np.ndarray
    rooms: np.ndarray
    more: np.ndarray
    room_cost: np.ndarray
    size: np.ndarray
    grades: np.ndarray
    mixes: np.ndarray
    parts: np.ndarray
    opens: np.ndarray
    must: np.ndarray
    beds: np.ndarray
    bed_cost: np.ndarray


@dataclass(frozen=True)
class Entries:
    """Who may come: entries by site, plan year and grade (``starts`` of these segments), each with the place of its price, children and
    costs; by price the children, the school years, the demand, and whether some may go without a place."""

    starts: np.ndarray
    at: np.ndarray
    count: np.ndarray
    day: np.ndarray
    bed: np.ndarray
    costs: Mapping[str, np.ndarray]
    children: np.ndarray
    weight: np.ndarray
    demand: np.ndarray
    spare: np.ndarray


@dataclass(frozen=True)
class Bound:
    """A proven bound of a level, in its unit, and the prices of the children (a child) and beds (a bed) at which it holds."""

    value: float
    prices: np.ndarray
    beds: np.ndarray


def site_bound(model: Model, programme: Programme, level: str, reached: Mapping[str, float], *, time_limit: float = 300.0) -> Bound:
    """Bound a level among all plans that are as good on every level before it.

    Parameters
    ----------
    model, programme
        Children, sites, years, figures, and the programme of them.
    level
        One of :data:`layout.programme.LEVELS`.
    reached
        What the plan comes to on the levels before it.
    time_limit
        Seconds for the linear programs, a guard only.

    Returns
    -------
    Bound
        No plan that is as good on the levels before does better. The bound is at least that of the linear relaxation.

    Raises
    ------
    NoSolutionError
        If the linear relaxation was stopped.

    References
    ----------
    Rows (1) of the programme, the levels before and the beds have prices; without them every site chooses what opens when, its rooms by plan
    year, its classes and its children, whole classes and least children included, exactly but for two relaxations: each grade of a demand may go
    elsewhere, and a part's least and largest size have one price for all children. Prices begin at the duals of the linear relaxation; those
    of children whom no site takes rise until one would (Erlenkotter 1978, A dual-based procedure for uncapacitated facility location), so the bound
    never falls. Geoffrion, A. M. (1974). Lagrangean relaxation for integer programming. Mathematical Programming Study, 2.
    """
    before = LEVELS[: LEVELS.index(level)]
    objectives = {name: programme.objectives[name] for name in (*before, level)}
    found = price(programme.program, objectives, reached, time_limit=time_limit)
    sites, entries = _sites_of(model, programme, found), _entries_of(model, programme, found)
    start = _first_prices(model, programme, found, entries)
    best = _raised(model, sites, entries, level, found, reached, *start)
    return best if best.value > found.value else Bound(found.value, best.prices, best.beds)


def _sites_of(model: Model, programme: Programme, found: Prices) -> Sites:
    count, weights, years = len(model.sites), np.array(model.horizon.weights, float), len(model.horizon.years)
    out = Sites(
        np.array([s.existing for s in model.sites], bool),
        np.array([largest_size(s, model.standards) if s.existing else 0.0 for s in model.sites]), np.array([s.rooms for s in model.sites],
        np.int64),
        np.zeros((count, years), np.int64), np.zeros((count, len(GROUPS), years)), np.zeros((count, len(GROUPS), years, _GRADES)),
        np.zeros((count, 2), np.int64), np.zeros(count, bool), np.zeros((count, len(PARTS)), bool),
        np.full((count, len(PARTS)), years, np.int64), np.full((count, len(PARTS)), years, np.int64),
        np.array([s.beds for s in model.sites], float), np.zeros((count, years)),
    )  # fmt: skip
    for k, site in enumerate(model.sites):
        out.bed_cost[k] = (
            bed_year(model, k)[1] * weights / MONEY if site.more_beds and (site.existing or {"primary", "junior"} & set(site.parts)) else _NO_BED
        )
        for group in model.groups(k):
            q = 0 if site.existing else GROUPS.index(group)
            out.room_cost[k, q] = room_year(model, k, group)[1] * weights / MONEY
            for g in model.grades(k, group):
                out.size[k, q, :, g - 1] = [model.size(k, group, g, t) for t in range(years)]
        if site.existing:
            out.more[k] = site.more_rooms * (np.array(model.horizon.years) >= model.horizon.rooms)
            out.grades[k] = site.grades[0], site.grades[-1]
            out.mixes[k] = model.mixes(k, "")
            continue
        out.more[k] = site.more_rooms
        for part in site.parts:
            out.parts[k, PARTS.index(part)] = True
    # a part opens where its column may be one, and stands where it must be
    for (k, part, t), column in programme.columns.state.items():
        p = PARTS.index(part)
        if found.upper[column] > _USED:
            out.opens[k, p] = min(out.opens[k, p], t)
        if found.lower[column] > _USED:
            out.must[k, p] = min(out.must[k, p], t)
    out.parts[...] &= out.opens < years
    return out


def _entries_of(model: Model, programme: Programme, found: Prices) -> Entries:
    flows, demands = model.journeys.flows, model.journeys.demands
    weights, years = np.array(model.horizon.weights, float), len(model.horizon.years)
    pupils, when = demands[list(GRADES)].to_numpy(float), demands["at"].to_numpy(int)
    rows, grades = np.nonzero(pupils > 0)
    place = np.full(pupils.shape, -1)
    place[rows, grades] = np.arange(len(rows))
    kept = np.flatnonzero(found.upper[: programme.columns.flows] > 0)
    demand, site = flows["demand"].to_numpy(int)[kept], flows["site"].to_numpy(int)[kept]
    flow, grade = np.nonzero(pupils[demand] > 0)
    cell = site[flow] * years + when[demand[flow]]
    order = np.argsort(cell * _GRADES + grade, kind="stable")
    flow, grade, cell = flow[order], grade[order], cell[order]
    starts = np.searchsorted(cell * _GRADES + grade, np.arange(len(model.sites) * years * _GRADES + 1))
    mode, weight = flows["mode"].to_numpy(str)[kept][flow], weights[when[demand[flow]]]
    costs = {
        "money": flow_money(model)[kept][flow] / MONEY * weight, "beyond_limit": flows["beyond"].to_numpy(float)[kept][flow] * weight,
        "excess_minutes": flows["excess"].to_numpy(float)[kept][flow] * weight,
    }  # fmt: skip
    return Entries(
        starts, place[demand[flow], grade], pupils[demand[flow], grade], ~np.isin(mode, ["board", "seat"]),
        np.where(mode == "board", cell, -1), costs, pupils[rows, grades], weights[when[rows]], rows,
        found.upper[programme.columns.none][rows] > 0,
    )  # fmt: skip


def _first_prices(model: Model, programme: Programme, found: Prices, entries: Entries) -> tuple[np.ndarray, np.ndarray]:
    """Take the prices of children from the duals of their rows, those of beds from the duals of theirs."""
    flows, demands = model.journeys.flows, model.journeys.demands
    price_of = found.duals[: len(demands)].copy()
    count, demand = programme.columns.flows, flows["demand"].to_numpy(int)
    # a flow that must be whole has its price in its reduced cost
    held = np.flatnonzero((found.lower[:count] > _USED) & (found.reduced[:count] > 0))
    np.add.at(price_of, demand[held], found.reduced[held])
    none = programme.columns.none
    price_of += np.where(found.lower[none] > _USED, found.reduced[none], 0.0)
    beds, when = np.zeros((len(model.sites), len(model.horizon.years))), demands["at"].to_numpy(int)
    boards, where = (flows["mode"] == "board").to_numpy(), flows["site"].to_numpy(int)
    matrix = programme.program.matrix
    for r in np.flatnonzero(found.duals < 0):
        columns = matrix.indices[matrix.indptr[r] : matrix.indptr[r + 1]]
        mine = columns[columns < count]
        others = set(columns[columns >= count].tolist())
        if len(mine) and boards[mine].all() and not others - set(programme.columns.beds.values()):
            beds[where[mine[0]], when[demand[mine[0]]]] = -found.duals[r]
    return (price_of / demands["total"].to_numpy(float))[entries.demand], beds


def fitting(beds: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Lower prices of beds until no further bed pays: from no year on may they come to more than a bed costs.

    Parameters
    ----------
    beds, cost
        Price and cost of a bed by site and plan year.

    Returns
    -------
    numpy.ndarray
        Prices.

    Examples
    --------
    >>> fitting(np.array([[5.0, 1.0]]), np.array([[2.0, 2.0]])).tolist()
    [[3.0, 1.0]]
    """
    out, later = beds.copy(), np.zeros(len(beds))
    most = np.cumsum(cost[:, ::-1], axis=1)[:, ::-1]
    for t in range(beds.shape[1] - 1, -1, -1):
        out[:, t] = np.minimum(np.maximum(beds[:, t], 0.0), np.maximum(most[:, t] - later, 0.0))
        later += out[:, t]
    return out


def _raised(
    model: Model, sites: Sites, entries: Entries, level: str, found: Prices, reached: Mapping[str, float], prices: np.ndarray, beds: np.ndarray
) -> Bound:
    """Raise the prices of children whom no site takes, as long as the bound rises."""
    money = float(level == "money")
    beds = fitting(beds, np.where(sites.bed_cost < _NO_BED, sites.bed_cost * money, _NO_BED))
    cost = sum(found.levels.get(name, 0.0) * entries.costs[name] for name in ("beyond_limit", "excess_minutes")) + money * entries.costs["money"]
    boards = entries.bed >= 0
    cost = cost + np.where(boards, beds.ravel()[np.maximum(entries.bed, 0)], 0.0)
    above = (found.levels.get("above_standard", 0.0) + (level == "above_standard")) * np.array(model.horizon.weights, float)
    visit = _visits(model, sites, entries, above, money)
    paid = sum(n * reached[name] for name, n in found.levels.items() if name != "without_place") + float((beds * sites.beds[:, None]).sum())
    years = len(model.horizon.years)
    site = np.repeat(np.arange(len(model.sites)), np.diff(entries.starts).reshape(len(model.sites), years * _GRADES).sum(axis=1))
    forced = np.asarray((sites.must < years).any(axis=1))
    steps = np.full(len(prices), _STEP)

    def value(at: np.ndarray, without: float) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        gain = at[entries.at] - cost
        taken, profit = visit(gain)
        worth, plus = float((entries.children * at).sum()), float(np.where(sites.existing | forced, profit, np.maximum(profit, 0.0)).sum())
        off = paid + without * reached.get("without_place", 0.0)
        return worth - plus - off - _SAFE * (abs(worth) + abs(plus) + abs(off)), taken, gain, profit

    # a child without a place costs so much: several figures are tried, and prices raised to it or not
    worths = (prices / entries.weight)[entries.spare & (np.bincount(entries.at, minlength=len(prices)) > 0)]
    tries = (
        [1.0]
        if level == "without_place"
        else sorted({0.0, found.levels.get("without_place", 0.0), *np.maximum(np.quantile(worths, _QUANTILES), 0.0)} if len(worths) else {0.0})
    )
    starts = []
    for without in tries:
        most = np.where(entries.spare, without * entries.weight, np.inf)
        for raised in (
            np.where(entries.spare, most, prices),
            np.where(np.bincount(entries.at, minlength=len(prices)) == 0, most, np.minimum(prices, most)),
        ):
            starts.append((value(raised, without)[0], without, raised, most))
    _, without, prices, most = max(starts, key=lambda s: s[0])
    best, taken, gain, profit = value(prices, without)
    kept = (best, prices)
    for turn in range(_ROUNDS):
        rise = _rise(entries, site, sites.existing, forced, taken, gain, profit, steps, most - prices)
        further = value(prices + rise, without)
        # children who gain nothing are seated at the price of rounding errors
        if further[0] < best - _TIE * abs(best):
            steps *= 0.5
            continue
        gained, prices = further[0] - best, prices + rise
        best, taken, gain, profit = further
        kept = max(kept, (best, prices), key=lambda k: k[0])
        if turn > _FEW and abs(gained) < _ENOUGH * abs(best):
            break
    return Bound(*kept, beds)


def _visits(model: Model, sites: Sites, entries: Entries, above: np.ndarray, money: float) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return what lets every site choose: from gains to the children taken and the gains of the sites."""
    weights, years, count = np.array(model.horizon.weights, float), len(model.horizon.years), len(model.sites)
    floor, bonus = (money * yuan / MONEY * weights for yuan in floor_money(model))
    least = least_pupils(model.standards)
    fewest = np.cumsum([least_rooms(p, model.standards) for p in ("small", "village")])
    largest = np.array([model.standards["layout.small_school.max"], model.standards["size.max.primary_junior"]])
    order, second = np.arange(len(entries.at)), np.arange(len(entries.at))
    out = (
        np.zeros(len(entries.at)), np.zeros((count, years), np.int64), np.zeros((count, len(GROUPS), years), np.int64), np.zeros((count, years)),
        np.zeros(count),
    )  # fmt: skip

    def visit(gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        loops("site_bound_kernels").visit(
            gain, entries.count, entries.day, entries.starts, order, second, sites.existing, sites.room_for, sites.rooms, sites.more,
            money * sites.room_cost, sites.size, sites.grades, sites.mixes, sites.parts, sites.opens, sites.must,
            money * site_year(model)[1] / MONEY * weights, floor, bonus, np.array([least[p] for p in PARTS]), fewest, largest,
            np.zeros((count, years + 1)), above, float(model.standards["class_size.mixed.max_pupils"]),
            int(model.standards["class_size.mixed.max_grades"]), *out,
        )  # fmt: skip
        return out[0].copy(), out[4].copy()

    return visit


def _rise(
    entries: Entries, site: np.ndarray, existing: np.ndarray, forced: np.ndarray, taken: np.ndarray, gain: np.ndarray, profit: np.ndarray,
    steps: np.ndarray, room: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Say how far the price of each child whom no site takes may rise before one would."""
    got = np.bincount(entries.at, taken, minlength=len(steps))
    missing = (got < _USED * entries.children) & (room > _SAFE)
    mine = missing[entries.at]
    closed = ~existing & (profit <= 0.0) & ~forced
    load = np.bincount(site[mine], entries.count[mine], minlength=len(existing))
    # what a site lacks to open is shared by the children that could come
    share = np.where(load > 0, np.minimum(-profit, 1e6) / np.maximum(load, _SAFE), 0.0)
    free = (gain <= 1e-7) & existing[site]
    most = np.where(closed[site], share[site], np.where(free, np.maximum(-gain, 0.0) + _NUDGE, steps[entries.at]))
    out = np.full(len(steps), np.inf)
    np.minimum.at(out, entries.at[mine], most[mine])
    out = np.where(missing, np.minimum(out, room), 0.0)
    return np.where(np.isfinite(out), out, 0.0)
