"""The programme of several years: its columns, its rows, and what each column costs on each level."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from layout.costs import bed_cost, building_share, class_staff, rider_cost, room_cost
from layout.horizon import Horizon
from layout.siting import Journeys, Site, largest_size, least_pupils, part_grades
from layout.solver import Program, sparse_rows
from layout.standards import Standards
from layout.sums import products
from layout.tables import BANDS, GRADES, band_of

#: Levels of the objective, the foremost first; the last two are solved once the buildings stand.
LEVELS = ("without_place", "beyond_limit", "excess_minutes", "above_standard", "money")
# money is counted in ten thousand yuan inside the program, so that its figures are of the size of the others
MONEY = 1e4
# a boarder's weekly way counts a fifth for each of five school days
DAYS_A_WEEK = 5
# rooms of a new school lie in these parts
GROUPS = ("small", "primary", "junior")
_PRIMARY = BANDS["lower"] + BANDS["upper"]


@dataclass(frozen=True)
class Columns:
    """Where each kind of column stands: flows first, then the others by their keys; ``t`` is the position of a plan year.

    ``none`` (demand), ``state`` (site, part, t), ``opened`` (site, t), ``rooms`` (site, group, t): rooms added by then, group ``""`` at
    a school of today, ``beds`` (site, t): beds added by then, ``over`` (site, t, band or grade): children above the standard,
    ``counted`` (site, t): children of a new small school, ``classes`` (site, group, t, grade) and ``runs`` (site, group, t, grades taught together).
    """

    flows: int
    none: np.ndarray
    state: dict[tuple[int, str, int], int] = field(default_factory=dict)
    opened: dict[tuple[int, int], int] = field(default_factory=dict)
    rooms: dict[tuple[int, str, int], int] = field(default_factory=dict)
    beds: dict[tuple[int, int], int] = field(default_factory=dict)
    over: dict[tuple[int, int, object], int] = field(default_factory=dict)
    counted: dict[tuple[int, int], int] = field(default_factory=dict)
    classes: dict[tuple[int, str, int, int], int] = field(default_factory=dict)
    runs: dict[tuple[int, str, int, tuple[int, ...]], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Programme:
    """A program with what its columns mean and what they cost on each level."""

    program: Program
    objectives: Mapping[str, np.ndarray]
    columns: Columns
    exact: frozenset[int]


@dataclass(frozen=True)
class Model:
    """What a plan is about: who could go where, the sites, the years, the figures, the budget by plan year; ``only`` some plan years.

    ``must``: sites that are open in the last plan year; ``most``: most new schools by then.
    """

    journeys: Journeys
    sites: tuple[Site, ...]
    horizon: Horizon
    standards: Standards
    budget: Mapping[int, float] = field(default_factory=dict)
    only: tuple[int, ...] = ()
    must: tuple[int, ...] = ()
    most: int | None = None

    @property
    def years(self) -> tuple[int, ...]:
        """Return the positions of the plan years that a programme is about: all, or those of ``only``."""
        return self.only or tuple(range(len(self.horizon.years)))

    def size(self, site: int, group: str, grade: int, at: int) -> float:
        """Return the class size of a grade at a site in a plan year; a group names the part of a new school."""
        incomplete = self.sites[site].incomplete if self.sites[site].existing else group == "small"
        return float(self.standards.class_size(grade, incomplete=incomplete, year=self.horizon.years[at]))

    def mixed_size(self, site: int, group: str, at: int) -> float:
        """Return the size of a class of several grades in a plan year: where children are placed it is the same for all of a school."""
        return float(self.standards.mixed_size(self.grades(site, group), year=self.horizon.years[at]))

    def runs(self, site: int, group: str, grades: Sequence[int], *, rooms: int | None = None) -> list[tuple[int, ...]]:
        """Return the runs of grades that may sit together: none where there is a room for each grade; by default in the rooms of today."""
        enough = (self.sites[site].rooms if rooms is None else rooms) >= len(grades)
        return runs_of(grades, self.standards) if self.mixes(site, group) and not enough else []

    def mixes(self, site: int, group: str) -> bool:
        """Say whether this is a small school, whose grades may sit together."""
        return self.sites[site].incomplete if self.sites[site].existing else group == "small"

    def groups(self, site: int) -> tuple[str, ...]:
        """Return the groups of rooms of a site: one of a school of today, of a candidate those of the parts it may have."""
        there = self.sites[site]
        return ("",) if there.existing else tuple(g for g in GROUPS if g in there.parts)

    def grades(self, site: int, group: str) -> tuple[int, ...]:
        """Return the grades whose classes sit in a group of rooms."""
        there = self.sites[site]
        if there.existing:
            return there.grades
        return part_grades([p for p in there.parts if p in (("small", "village") if group == "small" else (group,))])


@dataclass(frozen=True)
class _Rows:
    """Rows in the making: entries one by one, and blocks of them."""

    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    blocks: list[tuple[np.ndarray, np.ndarray, np.ndarray | float]] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def block(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray | float, low: np.ndarray, high: np.ndarray) -> None:
        self.blocks.append((np.asarray(rows, int) + len(self.low), columns, values))
        self.low.extend(low.tolist())
        self.high.extend(high.tolist())

    def row(self, entries: Sequence[tuple[int, float]], low: float, high: float) -> None:
        if entries:
            columns, values = zip(*entries, strict=True)
            self.rows.extend([len(self.low)] * len(columns))
            self.columns.extend(columns)
            self.values.extend(values)
            self.low.append(low)
            self.high.append(high)

    def below(self, entries: Sequence[tuple[int, float]], high: float) -> None:
        self.row(entries, -np.inf, high)


def write_programme(model: Model, *, exact: Collection[int] | None = None) -> Programme:
    """Write columns, rows and levels.

    Parameters
    ----------
    model
        Children, sites, years and figures.
    exact
        Sites whose classes are whole and may be of grades together; elsewhere parts of classes count, which only ever holds more children.
        None for all sites.

    Returns
    -------
    Programme
        Openings, rooms and beds are whole; at exact sites classes too.

    References
    ----------
    Objective and constraints: :func:`layout.placement.propose`.
    """
    chosen = frozenset(range(len(model.sites)) if exact is None else exact)
    columns, upper, whole = _columns(model, chosen)
    rows = _Rows()
    _places(model, columns, rows)
    _openings(model, columns, rows)
    _seats(model, columns, rows, chosen)
    _rooms(model, columns, rows)
    _sizes(model, columns, rows)
    _beds(model, columns, rows)
    _budgets(model, columns, rows)
    _asked(model, columns, rows)
    single = (np.array(rows.rows, int), np.array(rows.columns, int), np.array(rows.values, float))
    matrix = sparse_rows(len(rows.low), len(upper), single, *rows.blocks)
    low, high = np.array(rows.low, float), np.array(rows.high, float)
    program = Program(np.zeros(len(upper)), upper, whole, matrix, low, high)
    return Programme(program, _objectives(model, columns, len(upper)), columns, chosen)


def grade_sums(model: Model, shares: np.ndarray) -> np.ndarray:
    """Return the pupils by site, plan year and grade.

    Parameters
    ----------
    model
        Children and sites.
    shares
        Share of its demand that each flow takes.

    Returns
    -------
    numpy.ndarray
        Sites x years x grades 1 to 9.
    """
    flows, demands = model.journeys.flows, model.journeys.demands
    out = np.zeros((len(model.sites), len(model.horizon.years), len(GRADES)))
    demand = flows["demand"].to_numpy(int)
    pupils = demands[list(GRADES)].to_numpy(float)[demand] * shares[:, None]
    np.add.at(out, (flows["site"].to_numpy(int), demands["at"].to_numpy(int)[demand]), pupils)
    return out


def flow_money(model: Model) -> np.ndarray:
    """Return the yuan a year of a child on each flow beyond what every child costs: a seat on the bus, a boarder's extra money.

    Parameters
    ----------
    model
        Flows and unit costs.

    Returns
    -------
    numpy.ndarray
        Yuan a pupil and year.
    """
    mode = model.journeys.flows["mode"].to_numpy(str)
    return np.where(mode == "bus", rider_cost(model.standards), np.where(mode == "board", model.standards["fund.boarder_extra"], 0.0))


def room_year(model: Model, site: int, group: str) -> tuple[float, float]:
    """Return what a further room costs: yuan to build, and yuan a year, with the staff of its class in small schools.

    Parameters
    ----------
    model, site, group
        Whose rooms.

    Returns
    -------
    tuple of float
        Investment and money a year.
    """
    kind = model.sites[site].kind or ("teaching_point" if group == "small" else group)
    build = room_cost(kind, model.grades(site, group), model.standards)
    return build, build * building_share(model.standards) + (class_staff(model.standards) if model.mixes(site, group) else 0.0)


def bed_year(model: Model, site: int) -> tuple[float, float]:
    """Return what a further bed costs: yuan to build, and yuan a year.

    Parameters
    ----------
    model, site
        Whose beds.

    Returns
    -------
    tuple of float
        Investment and money a year.
    """
    there = model.sites[site]
    build = bed_cost(there.grades if there.existing else part_grades([p for p in there.parts if p in ("primary", "junior")]), model.standards)
    return build, build * building_share(model.standards)


def site_year(model: Model) -> tuple[float, float]:
    """Return what a new site costs apart from rooms and beds: yuan to build, and yuan a year.

    Parameters
    ----------
    model
        Unit costs.

    Returns
    -------
    tuple of float
        Investment and money a year.
    """
    build = model.standards["cost.build.site"]
    return build, build * building_share(model.standards)


def floor_money(model: Model) -> tuple[float, float]:
    """Return the running money of a small school: yuan a year for pupils that are not there, and what each pupil takes off it.

    Parameters
    ----------
    model
        ``fund.small_floor`` and ``fund.per_pupil.primary``.

    Returns
    -------
    tuple of float
        Yuan a year of an empty school, yuan a pupil.
    """
    per_pupil = model.standards["fund.per_pupil.primary"]
    return model.standards["fund.small_floor"] * per_pupil, per_pupil


def funded_pupils(model: Model) -> float:
    """Return up to how many children of a small school each takes something off its running money.

    Parameters
    ----------
    model
        ``fund.small_floor`` and ``layout.small_school.max``.

    Returns
    -------
    float
        Beyond the floor nothing is paid for pupils that are not there, so nothing is saved.
    """
    return min(model.standards["layout.small_school.max"], model.standards["fund.small_floor"])


def runs_of(grades: Sequence[int], standards: Standards) -> list[tuple[int, ...]]:
    """List the runs of two and more neighbouring grades that may sit in one room.

    Parameters
    ----------
    grades
        Grades taught, rising.
    standards
        ``class_size.mixed.max_grades``.

    Returns
    -------
    list of tuple of int
        Runs, shorter ones first.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> runs_of((1, 2, 3), read_standards())
    [(1, 2), (2, 3), (1, 2, 3)]
    """
    most = int(standards["class_size.mixed.max_grades"])
    return [tuple(grades[i : i + n]) for n in range(2, min(most, len(grades)) + 1) for i in range(len(grades) - n + 1)]


def _columns(model: Model, exact: frozenset[int]) -> tuple[Columns, np.ndarray, np.ndarray]:
    flows, demands = len(model.journeys.flows), len(model.journeys.demands)
    columns = Columns(flows, flows + np.arange(demands))
    upper: list[float] = [1.0] * (flows + demands)
    whole: list[bool] = [False] * (flows + demands)

    def add(most: float, is_whole: bool) -> int:
        upper.append(most)
        whole.append(is_whole)
        return len(upper) - 1

    for k, site in enumerate(model.sites):
        for t in model.years:
            year = model.horizon.years[t]
            if site.existing:
                if site.more_rooms:
                    columns.rooms[k, "", t] = add(site.more_rooms * (year >= model.horizon.rooms), True)
                if site.more_beds:
                    columns.beds[k, t] = add(site.more_beds * (year >= model.horizon.beds), True)
                _seat_columns(model, columns, add, k, t, exact)
            elif year >= site.first_year:
                for part in site.parts:
                    columns.state[k, part, t] = add(1.0, True)
                if "junior" in site.parts and len(site.parts) > 1:
                    columns.opened[k, t] = add(1.0, False)
                for group in model.groups(k):
                    columns.rooms[k, group, t] = add(_most_rooms(model, k, group, t), True)
                if site.more_beds and {"primary", "junior"} & set(site.parts):
                    columns.beds[k, t] = add(site.more_beds, True)
                if "small" in site.parts:
                    columns.counted[k, t] = add(funded_pupils(model), False)
                _seat_columns(model, columns, add, k, t, exact)
    return columns, np.array(upper, float), np.array(whole, bool)


def _most_rooms(model: Model, site: int, group: str, at: int) -> int:
    """Return the rooms beyond which a new school needs none: a small one has a class for each grade and for each full class of its largest size."""
    most, grades = model.sites[site].more_rooms, model.grades(site, group)
    if group != "small":
        return most
    full = model.standards["layout.small_school.max"] // min(model.size(site, group, g, at) for g in grades)
    return min(most, max(len(grades) + int(full), least_rooms("small", model.standards) + least_rooms("village", model.standards)))


def _seat_columns(model: Model, columns: Columns, add, k: int, t: int, exact: frozenset[int]) -> None:  # type: ignore[no-untyped-def]
    grades = sorted({g for group in model.groups(k) for g in model.grades(k, group)})
    for key in grades if k in exact else sorted({band_of(g) for g in grades}, key=list(BANDS).index):
        columns.over[k, t, key] = add(np.inf, False)
    if k not in exact:
        return
    for group in model.groups(k):
        most = float(model.sites[k].rooms + model.sites[k].more_rooms)
        for g in model.grades(k, group):
            columns.classes[k, group, t, g] = add(most, True)
        for run in model.runs(k, group, model.grades(k, group)):
            columns.runs[k, group, t, run] = add(1.0, True)


def _places(model: Model, columns: Columns, rows: _Rows) -> None:
    # (1) the shares of a demand and the share without a place add up to one
    demand = model.journeys.flows["demand"].to_numpy(int)
    ones = np.ones(len(columns.none))
    rows.block(np.concatenate([demand, np.arange(len(ones))]), np.concatenate([np.arange(columns.flows), columns.none]), 1.0, ones, ones)


def _openings(model: Model, columns: Columns, rows: _Rows) -> None:
    # (2) a share goes to a new school only where a part that teaches its grades is open: by day to any, by boarding and from the
    # county seat to full parts
    flows, demands = model.journeys.flows, model.journeys.demands
    new = np.array([not s.existing for s in model.sites] or [False])
    kept = np.flatnonzero(new[flows["site"].to_numpy(int)])
    demand, site = flows["demand"].to_numpy(int)[kept], flows["site"].to_numpy(int)[kept]
    full = np.isin(flows["mode"].to_numpy(str)[kept], ["board", "seat"])
    # a day share and a boarding share together fit into the full part, and the day share into either
    keys, line = np.unique(np.stack([demand, site]), axis=1, return_inverse=True)
    band, at = demands["band"].to_numpy(str), demands["at"].to_numpy(int)
    names = {"lower": ("small", "primary"), "upper": ("village", "primary"), "junior": ("junior",)}
    entries: list[tuple[int, int]] = []
    only_full: list[tuple[int, int]] = []
    for i, (d, k) in enumerate(keys.T):
        open_ = [(p, columns.state[k, p, at[d]]) for p in names[band[d]] if (k, p, at[d]) in columns.state]
        entries += [(i, c) for _, c in open_]
        only_full += [(i, c) for p, c in open_ if p in ("primary", "junior")]
    count = keys.shape[1]
    for chosen, state in ((np.ones(len(kept), bool), entries), (full, only_full)):
        if not chosen.any():
            continue
        # a row for each pair that has such a flow
        number = np.full(count, -1)
        there = np.unique(line[chosen])
        number[there] = np.arange(len(there))
        pairs = np.array([(number[i], c) for i, c in state if number[i] >= 0] or np.zeros((0, 2)), int).reshape(-1, 2)
        rows.block(
            np.concatenate([number[line[chosen]], pairs[:, 0]]), np.concatenate([kept[chosen], pairs[:, 1]]),
            np.concatenate([np.ones(int(chosen.sum())), -np.ones(len(pairs))]), np.full(len(there), -np.inf), np.zeros(len(there)),
        )  # fmt: skip
    for (k, part, t), column in columns.state.items():
        # (3) what is open stays open; (4) a small and a full primary part exclude each other, and a small school has no junior part
        if (k, part, t - 1) in columns.state:
            rows.below([(columns.state[k, part, t - 1], 1.0), (column, -1.0)], 0.0)
        if part == "village":
            rows.below([(column, 1.0), (columns.state[k, "small", t], -1.0)], 0.0)
        if part == "small":
            for other in ("primary", "junior"):
                if (k, other, t) in columns.state:
                    rows.below([(column, 1.0), (columns.state[k, other, t], 1.0)], 1.0)
    for (k, t), column in columns.opened.items():
        primary = [(columns.state[k, p, t], 1.0) for p in ("small", "primary") if (k, p, t) in columns.state]
        junior = [(columns.state[k, "junior", t], 1.0)]
        for parts in (primary, junior):
            rows.below([*parts, (column, -1.0)], 0.0)
        # a site is not paid for before something opens there
        rows.below([(column, 1.0), *((c, -1.0) for c, _ in (*primary, *junior))], 0.0)


def _seats(model: Model, columns: Columns, rows: _Rows, exact: frozenset[int]) -> None:
    """Write (5): children fit their classes, those above the standard counted; (6) classes fit the rooms."""
    flows, demands = model.journeys.flows, model.journeys.demands
    demand, site = flows["demand"].to_numpy(int), flows["site"].to_numpy(int)
    at, pupils = demands["at"].to_numpy(int)[demand], demands[list(GRADES)].to_numpy(float)[demand]
    order = np.lexsort((at, site))
    bounds = np.flatnonzero(np.diff(np.stack([site[order], at[order]]), axis=1).any(axis=0)) + 1 if len(order) else np.zeros(0, int)
    for mine in np.split(order, bounds) if len(order) else []:
        k, t = int(site[mine[0]]), int(at[mine[0]])
        (_whole_seats if k in exact else _pooled_seats)(model, columns, rows, k, t, mine, pupils[mine])


def _pooled_seats(model: Model, columns: Columns, rows: _Rows, k: int, t: int, mine: np.ndarray, pupils: np.ndarray) -> None:
    # parts of classes: sum over grades of pupils / standard <= rooms
    families = [("",)] if model.sites[k].existing else [f for f in (("small", "primary"), ("junior",)) if set(f) & set(model.groups(k))]
    for family in families:
        groups = [g for g in family if g in model.groups(k)]
        lead = groups[-1]
        grades = sorted({g for group in groups for g in model.grades(k, group)})
        # a mixed class holds no more than a class of one of its grades
        size = {group: {g: model.size(k, group, g, t) for g in model.grades(k, group)} for group in groups}
        base = {g: size[lead].get(g) or size[groups[0]][g] for g in grades}
        weight = products(pupils[:, [g - 1 for g in grades]], np.array([1 / base[g] for g in grades]))
        entries = list(zip(mine.tolist(), weight.tolist(), strict=True))
        for band in {band_of(g) for g in grades}:
            # one child above the standard relieves the rooms by the largest part that a child takes
            entries.append((columns.over[k, t, band], -max(1 / base[g] for g in grades if band_of(g) == band)))
        for group in groups:
            ratio = max(n / base[g] for g, n in size[group].items())
            if (k, group, t) in columns.rooms:
                entries.append((columns.rooms[k, group, t], -ratio))
        rows.below(entries, float(model.sites[k].rooms))


def _whole_seats(model: Model, columns: Columns, rows: _Rows, k: int, t: int, mine: np.ndarray, pupils: np.ndarray) -> None:
    groups = model.groups(k)
    taught = {group: model.grades(k, group) for group in groups}
    runs = {group: model.runs(k, group, taught[group]) for group in groups}
    together = sorted({r for group in groups for r in runs[group]}, key=lambda r: (len(r), r))
    for some in [*((g,) for g in sorted({g for gs in taught.values() for g in gs})), *together]:
        load = pupils[:, [g - 1 for g in some]].sum(axis=1)
        entries = [(int(c), float(n)) for c, n in zip(mine, load, strict=True) if n]
        entries += [(columns.over[k, t, g], -1.0) for g in some]
        for group in groups:
            entries += [(columns.classes[k, group, t, g], -model.size(k, group, g, t)) for g in some if g in taught[group]]
            # each run of grades together that shares a grade with these is one class
            entries += [(columns.runs[k, group, t, r], -model.mixed_size(k, group, t)) for r in runs[group] if set(r) & set(some)]
        rows.below(entries, 0.0)
    for group in groups:
        own = [columns.classes[k, group, t, g] for g in taught[group]]
        entries = [(c, 1.0) for c in own] + [(columns.runs[k, group, t, r], 1.0) for r in runs[group]]
        if (k, group, t) in columns.rooms:
            entries.append((columns.rooms[k, group, t], -1.0))
        rows.below(entries, float(model.sites[k].rooms))
        most = float(model.sites[k].rooms + model.sites[k].more_rooms)
        for g in taught[group]:
            over = [columns.runs[k, group, t, r] for r in runs[group] if g in r]
            # a grade sits together with others in one run, or has classes of its own
            if over:
                rows.below([(columns.classes[k, group, t, g], 1.0), *((c, most) for c in over)], most)
                rows.below([(c, 1.0) for c in over], 1.0)
            if over and band_of(g) == "upper" and (k, "village", t) in columns.state:
                # grades that a teaching point does not teach make no class there
                rows.below([*((c, 1.0) for c in over), (columns.state[k, "village", t], -1.0)], 0.0)
            if not model.sites[k].existing:
                part = "junior" if group == "junior" else group if group == "primary" else "small" if band_of(g) == "lower" else "village"
                rows.below([(columns.state[k, part, t], 1.0), (columns.classes[k, group, t, g], -1.0), *((c, -1.0) for c in over)], 0.0)
        _together(model, columns, rows, k, group, t, runs[group])


def _together(model: Model, columns: Columns, rows: _Rows, k: int, group: str, t: int, runs: Sequence[tuple[int, ...]]) -> None:
    # grades sit together only while there are fewer rooms than grades taught
    there, grades = model.sites[k], model.grades(k, group)
    village = columns.state.get((k, "village", t))
    fewest = sum(band_of(g) == "lower" for g in grades) if village is not None else len(grades)
    most = there.more_rooms if there.existing else _most_rooms(model, k, group, t)
    spare = there.rooms + most - (fewest - 1)
    if (k, group, t) not in columns.rooms or spare <= 0:
        return
    for run in runs:
        entries = [(columns.rooms[k, group, t], 1.0), (columns.runs[k, group, t, run], float(spare))]
        if village is not None:
            entries.append((village, -float(len(grades) - fewest)))
        rows.below(entries, float(most))


def _rooms(model: Model, columns: Columns, rows: _Rows) -> None:
    # (7) rooms and beds that are built stay; a new school has rooms only where it is open, a class for each grade at least
    for (k, group, t), column in columns.rooms.items():
        if (k, group, t - 1) in columns.rooms:
            rows.below([(columns.rooms[k, group, t - 1], 1.0), (column, -1.0)], 0.0)
        if model.sites[k].existing:
            continue
        rows.below([(column, 1.0), (columns.state[k, group, t], -float(model.sites[k].more_rooms))], 0.0)
        parts = [p for p in (("small", "village") if group == "small" else (group,)) if p in model.sites[k].parts]
        rows.below([*((columns.state[k, p, t], float(least_rooms(p, model.standards))) for p in parts), (column, -1.0)], 0.0)
    for k, site in enumerate(model.sites):
        for t in model.years:
            entries = [(columns.rooms[k, group, t], 1.0) for group in model.groups(k) if (k, group, t) in columns.rooms]
            if not site.existing and len(entries) > 1:
                rows.below(entries, float(site.more_rooms))
    for (k, t), column in columns.beds.items():
        if (k, t - 1) in columns.beds:
            rows.below([(columns.beds[k, t - 1], 1.0), (column, -1.0)], 0.0)


def least_rooms(part: str, standards: Standards) -> int:
    """Return the fewest rooms that a part adds: a small school's grades sit together, others have a class for each grade.

    Parameters
    ----------
    part, standards
        Of :data:`layout.siting.PARTS`; the largest number of grades in a class.

    Returns
    -------
    int
        Rooms.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> [least_rooms(part, read_standards()) for part in ("small", "village", "primary", "junior")]
    [1, 1, 6, 3]
    """
    if part not in ("small", "village"):
        return len(part_grades([part]))
    most = int(standards["class_size.mixed.max_grades"])
    lower = -(-len(BANDS["lower"]) // most)
    return lower if part == "small" else -(-len(_PRIMARY) // most) - lower


def _sizes(model: Model, columns: Columns, rows: _Rows) -> None:
    # (8) a new school has its least pupils in every year; (9) no school grows above the largest size
    flows, demands = model.journeys.flows, model.journeys.demands
    demand, site = flows["demand"].to_numpy(int), flows["site"].to_numpy(int)
    total, band = demands["total"].to_numpy(float)[demand], demands["band"].to_numpy(str)[demand]
    at, boards = demands["at"].to_numpy(int)[demand], (flows["mode"] == "board").to_numpy()
    least = least_pupils(model.standards)
    small, nine = model.standards["layout.small_school.max"], model.standards["size.max.nine_year"]
    largest = model.standards["size.max.primary_junior"]
    order = np.lexsort((at, site))
    bounds = np.flatnonzero(np.diff(np.stack([site[order], at[order]]), axis=1).any(axis=0)) + 1 if len(order) else np.zeros(0, int)
    seen = set()
    for mine in np.split(order, bounds) if len(order) else []:
        k, t = int(site[mine[0]]), int(at[mine[0]])
        seen.add((k, t))
        load = list(zip(mine.tolist(), total[mine].tolist(), strict=True))
        if model.sites[k].existing:
            rows.below(load, largest_size(model.sites[k], model.standards))
            continue
        state = {p: columns.state[k, p, t] for p in model.sites[k].parts}
        # primary children who board do not make a school
        primary = [(c, n) for c, n in load if band[c] != "junior" and not boards[c]]
        junior = [(c, n) for c, n in load if band[c] == "junior"]
        steps = {"small": least["small"], "village": least["village"] - least["small"], "primary": least["primary"]}
        needs = [(state[p], n) for p, n in steps.items() if p in state]
        if needs:
            rows.below([*((c, -n) for c, n in primary), *needs], 0.0)
        if "junior" in state:
            rows.below([*((c, -n) for c, n in junior), (state["junior"], least["junior"])], 0.0)
        caps = [(state[p], -n) for p, n in (("small", small), ("primary", largest), ("junior", largest)) if p in state]
        rows.below([*load, *caps], 0.0)
        if "primary" in state and "junior" in state:
            # a school with one of the two parts keeps to its own largest size, should that be the larger one
            spare = max(largest - nine, 0.0)
            both = [(state[p], spare) for p in ("primary", "junior")] if spare else []
            rows.below([*load, *both], nine + 2 * spare)
        if "small" in state:
            counted = columns.counted[k, t]
            rows.below([(counted, 1.0), (state["small"], -funded_pupils(model))], 0.0)
            rows.below([(counted, 1.0), *((c, -n) for c, n in load if band[c] != "junior")], 0.0)
    # where nobody can come nothing opens
    for (k, _, t), column in columns.state.items():
        if (k, t) not in seen:
            rows.below([(column, 1.0)], 0.0)


def _beds(model: Model, columns: Columns, rows: _Rows) -> None:
    # (10) a bed for each boarder; at a new school only beside a full part
    flows, demands = model.journeys.flows, model.journeys.demands
    board = np.flatnonzero((flows["mode"] == "board").to_numpy())
    demand, site = flows["demand"].to_numpy(int)[board], flows["site"].to_numpy(int)[board]
    total, at = demands["total"].to_numpy(float)[demand], demands["at"].to_numpy(int)[demand]
    by_place: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for c, k, t, n in zip(board.tolist(), site.tolist(), at.tolist(), total.tolist(), strict=True):
        by_place.setdefault((k, t), []).append((c, n))
    for (k, t), entries in by_place.items():
        more = [(columns.beds[k, t], -1.0)] if (k, t) in columns.beds else []
        rows.below([*entries, *more], float(model.sites[k].beds))
    for (k, t), column in columns.beds.items():
        if not model.sites[k].existing:
            full = [columns.state[k, p, t] for p in ("primary", "junior") if (k, p, t) in columns.state]
            rows.below([(column, 1.0), *((c, -float(model.sites[k].more_beds)) for c in full)], 0.0)


def investment(model: Model, columns: Columns) -> dict[int, list[tuple[int, float]]]:
    """Return what every plan year invests: columns and yuan.

    Parameters
    ----------
    model, columns
        Sites and columns.

    Returns
    -------
    dict
        By position of the plan year; what stood the plan year before counts against it.
    """
    out: dict[int, list[tuple[int, float]]] = {t: [] for t in model.years}

    def spend(column: int, before: int | None, yuan: float, t: int) -> None:
        out[t].append((column, yuan))
        if before is not None:
            out[t].append((before, -yuan))

    for (k, group, t), column in columns.rooms.items():
        spend(column, columns.rooms.get((k, group, t - 1)), room_year(model, k, group)[0], t)
    for (k, t), column in columns.beds.items():
        spend(column, columns.beds.get((k, t - 1)), bed_year(model, k)[0], t)
    for keys in _open_columns(model, columns):
        for (t, column), before in zip(keys, [None, *(c for _, c in keys)], strict=False):
            spend(column, before, site_year(model)[0], t)
    return out


def _open_columns(model: Model, columns: Columns) -> list[list[tuple[int, int]]]:
    """Return for every candidate the columns, by plan year, that say whether anything is open there."""
    out = []
    for k, site in enumerate(model.sites):
        if site.existing:
            continue
        years = [t for t in model.years if (k, site.parts[0], t) in columns.state]
        if (k, years[0] if years else -1) in columns.opened:
            out.append([(t, columns.opened[k, t]) for t in years])
            continue
        for part in ("small", "primary", "junior"):
            if part in site.parts:
                out.append([(t, columns.state[k, part, t]) for t in years])
    return out


def _budgets(model: Model, columns: Columns, rows: _Rows) -> None:
    # (11) what a plan year invests keeps to its budget
    spent = investment(model, columns)
    for t in model.years:
        year = model.horizon.years[t]
        if year in model.budget:
            rows.below([(c, n / MONEY) for c, n in spent[t]], model.budget[year] / MONEY)


def _asked(model: Model, columns: Columns, rows: _Rows) -> None:
    # (12) what must open is open in the last plan year, and no more opens than may
    if model.only:
        return
    last = len(model.horizon.years) - 1
    for k in model.must:
        rows.row([(columns.state[k, p, last], 1.0) for p in model.sites[k].parts if (k, p, last) in columns.state], 1.0, np.inf)
    if model.most is not None:
        rows.below([(column, 1.0) for keys in _open_columns(model, columns) for t, column in keys if t == last], float(model.most))


def _objectives(model: Model, columns: Columns, count: int) -> dict[str, np.ndarray]:
    flows, demands, weights = model.journeys.flows, model.journeys.demands, np.array(model.horizon.weights, float)
    years = weights[demands["at"].to_numpy(int)] * demands["total"].to_numpy(float)
    child = years[flows["demand"].to_numpy(int)]
    out = {name: np.zeros(count) for name in LEVELS}
    many = slice(0, columns.flows)
    out["without_place"][columns.none] = years
    out["beyond_limit"][many] = child * flows["beyond"].to_numpy(float)
    out["excess_minutes"][many] = child * flows["excess"].to_numpy(float)
    for (_, t, _), column in columns.over.items():
        out["above_standard"][column] = weights[t]
    money = out["money"]
    money[many] = child * flow_money(model)
    for (k, group, t), column in columns.rooms.items():
        money[column] += weights[t] * room_year(model, k, group)[1]
    for (k, t), column in columns.beds.items():
        money[column] += weights[t] * bed_year(model, k)[1]
    floor, each = floor_money(model)
    for keys in _open_columns(model, columns):
        for t, column in keys:
            money[column] += weights[t] * site_year(model)[1]
    for (k, t), column in columns.counted.items():
        money[columns.state[k, "small", t]] += weights[t] * floor
        money[column] -= weights[t] * each
    money /= MONEY
    return out
