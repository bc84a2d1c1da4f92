"""Which counts of people the outputs show, and which of them a public edition must hide."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.linalg import lsqr

from layout import messages
from layout.plan import Plan
from layout.relaxations import corners
from layout.solver import Program
from layout.tables import BANDS

AUDIENCES = ("internal", "public")
# statuses of a child who has a school, and of one who has none
PLACED, WITHOUT = ("served", "beyond_limit"), ("no_seat", "no_bed", "no_route")
#: Tables of the findings that a public edition shows, in tens: those of many children. The others count the children of single
#: villages or of single schools by grade, or figures that follow from such counts, such as posts and public funds.
PUBLIC_FINDINGS = ("coverage", "minute_steps", "class_shares", "class_targets")
# a published sum must leave at least this many whole numbers possible for a small count that is not shown
_AMBIGUITY = 3
# bounds settle after a few rounds; numbers below the second constant are rounding of the projection
_PASSES, _NOTHING = 30, 1e-7
_PUSHES = 12

# notes that tell the pupils of single places, or perhaps of a few children
_OF_PLACES = ("population.note.sites_primary", "population.note.sites_junior", "population.note.residence",
              "population.note.hukou_high", "population.note.births_off", "population.note.same_counts",
              "population.note.ages_missing", "note.boarders_differ", "note.rosters_history")  # fmt: skip

Cell = tuple[object, ...]
Line = Sequence[tuple[int, Cell]]
Marks = Mapping[Cell, str]
# signed numbers of the hidden counts of a line, and what they add up to
Row = tuple[list[tuple[int, int]], int]


@dataclass(frozen=True)
class Edition:
    """For whom a file is written, and which counts they do not see.

    Parameters
    ----------
    public
        Whether it leaves the house. A public edition may have nothing to hide and is a public edition all the same.
    marks
        What stands in place of hidden counts, by cell.
    """

    public: bool
    marks: Marks

    def shown(self, cell: Cell, value: Any) -> Any:
        """Return the mark of a hidden count, else the value."""
        return self.marks.get(cell, value)


def edition_of(plan: Plan, audience: str) -> Edition:
    """Return what an audience does not see of a plan.

    Parameters
    ----------
    plan
        What is written.
    audience
        ``internal`` or ``public``.

    Returns
    -------
    Edition
        Nothing is hidden from an internal audience.

    Examples
    --------
    >>> edition_of(plan, "internal").public  # doctest: +SKIP
    """
    return Edition(True, hidden_counts(plan)) if audience == "public" else Edition(False, {})


def hidden_counts(plan: Plan) -> dict[Cell, str]:
    """Choose the counts of people that a public edition does not show, and what stands in their place.

    Cells are named ``("T", view, township, year, band, measure)`` for the headline (view and township may be empty: both
    views, the whole county), ``("H", view, year, measure)`` for the county's sums, ``("S", view, year, school)`` and
    ``("C", view, year, school, class_group)`` for pupils of a school and of a class group,
    ``("V", view, year, settlement, band, status)`` for villages, ``("K", school, year)`` for schools that must stay,
    ``("B", school)`` for boarders, ``("P", year, school)`` for proposals whose pupils are not the school's,
    ``("D", school, year, action)`` for beds; for relocation sites see :func:`site_cells`.

    Parameters
    ----------
    plan
        Its ``privacy.small_count`` is the smallest count that may be shown.

    Returns
    -------
    dict
        ``<10`` or ``*`` by cell; cells that are not in it may be shown.

    Examples
    --------
    >>> hidden_counts(plan)  # doctest: +SKIP
    """
    counts, lines = published_counts(plan)
    return hide(counts, lines, least=int(plan.standards["privacy.small_count"]))


def published_counts(plan: Plan) -> tuple[dict[Cell, int], list[Line]]:
    """Return every count of people that the outputs show, and the sums that bind them.

    Parameters
    ----------
    plan
        What is shown.

    Returns
    -------
    tuple of dict and list
        Count by cell (see :func:`hidden_counts`), and lines of signed cells whose counts add up to 0.

    Examples
    --------
    >>> published_counts(plan)  # doctest: +SKIP
    """
    counts: dict[Cell, int] = {}
    groups: dict[Cell, list[Cell]] = {}
    lines: list[Line] = []
    township_of = dict(zip(plan.county.settlements["settlement_id"], plan.county.settlements["township_id"], strict=True))

    def put(cell: Cell, value: float, total: Cell | None = None) -> None:
        if cell not in counts and total is not None:
            groups.setdefault(total, []).append(cell)
        counts[cell] = int(value)

    for outcome in (plan.today, plan.planned):
        view, parts = outcome.view, (*PLACED, *WITHOUT, "away")
        for row in records(outcome.headline):
            own = {m: headline_cell(view, row["township_id"], row["year"], row["band"], m) for m in ("pupils", *parts)}
            for measure, cell in own.items():
                put(cell, row[measure], headline_cell(view, "", row["year"], row["band"], measure))
            lines.append([(1, own["pupils"]), *((-1, own[m]) for m in parts)])
        for row in records(outcome.classes):
            put(("C", view, row["year"], row["school_id"], row["class_group"]), row["pupils"], ("S", view, row["year"], row["school_id"]))
        for row in records(unserved_villages(outcome.assignment)):
            total = headline_cell(view, township_of[row["settlement_id"]], row["year"], row["band"], row["status"])
            put(("V", view, row["year"], row["settlement_id"], row["band"], row["status"]), row["pupils"], total)
    for row in records(relocation_sites(plan)):
        for cell, column in site_cells(row["settlement_id"]).items():
            put(cell, row[column])
    for row in records(plan.must_stay):
        put(("K", row["school_id"], row["year"]), row["pupils"])
    for row in records(plan.county.schools[["school_id", "boarders"]].dropna()):
        put(("B", row["school_id"]), row["boarders"])
    for total, members in groups.items():
        counts.setdefault(total, sum(counts[m] for m in members))
        lines.append([(1, total), *((-1, m) for m in members)])
    for row in records(plan.proposals[["school_id", "year", "action", "pupils", "beds"]]):
        put(proposal_cell(plan, row["school_id"], row["year"]), row["pupils"])
        # a bed stands for a child
        put(("D", row["school_id"], row["year"], row["action"]), row["beds"])
    lines += _county_lines(plan, counts, groups)
    # a sum that does not hold in the figures tells nobody anything
    return counts, [line for line in lines if sum(sign * counts[cell] for sign, cell in line) == 0]


def shown_notes(plan: Plan, audience: str) -> tuple[tuple[str, Mapping[str, object]], ...]:
    """Return the notes of a plan's county that an edition may show.

    Parameters
    ----------
    plan
        What is shown.
    audience
        In ``public``, notes that count the pupils of single places are left out.

    Returns
    -------
    tuple
        Message keys with their fields.

    Examples
    --------
    >>> shown_notes(plan, "public")  # doctest: +SKIP
    """
    notes = plan.county.notes
    return notes if audience == "internal" else tuple(n for n in notes if n[0] not in _OF_PLACES)


def parts_in_tens(parts: Sequence[int], least: int) -> list[int | str]:
    """Round the parts of a whole to tens; hide small ones, with the next smallest until the hidden ones are many children.

    All small parts are hidden, and others until there are two that add up to ``least`` or only zeros are left. All have the same
    mark, so the whole, even if it is known to the child, tells nobody which of them is small or how many children it counts.

    Parameters
    ----------
    parts
        Counts of people that add up to a whole.
    least
        The smallest count that may be shown.

    Returns
    -------
    list of int or str
        What stands for each part; zeros are shown.

    Examples
    --------
    Were the 8 alone hidden, it would follow from the whole, 1,133; with the 43 hidden too, it does not.

    >>> parts_in_tens([8, 43, 82, 1000], 10), parts_in_tens([0, 12, 30, 100], 10), parts_in_tens([3, 4, 50], 10)
    (['*', '*', 80, 1000], [0, 10, 30, 100], ['*', '*', '*'])
    """
    left = sorted((part, place) for place, part in enumerate(parts) if part > 0)
    hidden: set[int] = set()
    total = 0
    if left and left[0][0] < least:
        while left and (left[0][0] < least or len(hidden) < 2 or total < least):
            part, place = left.pop(0)
            hidden.add(place)
            total += part
    return [messages.text("privacy.hidden") if i in hidden else round(part / 10) * 10 for i, part in enumerate(parts)]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dicts.

    Parameters
    ----------
    frame
        Any table.

    Returns
    -------
    list of dict
        Value by column, row by row.

    Examples
    --------
    >>> records(pd.DataFrame({"a": [1, 2]}))
    [{'a': 1}, {'a': 2}]
    """
    return frame.to_dict("records")  # type: ignore[return-value]


def site_cells(settlement: object) -> dict[Cell, str]:
    """Name the cells of a relocation site, with the column of :func:`relocation_sites` that each counts.

    Parameters
    ----------
    settlement
        Id of the site.

    Returns
    -------
    dict
        Column by name of the cell.

    Examples
    --------
    >>> list(site_cells("X").values())
    ['persons', 'households', 'pupils_base', 'pupils_plan']
    """
    return {
        ("M", settlement): "persons",
        ("N", settlement): "households",
        ("R", settlement, "base"): "pupils_base",
        ("R", settlement, "plan"): "pupils_plan",
    }


def headline_cell(view: str, township: object, year: object, band: object, measure: str) -> Cell:
    """Name a cell of the headline; all pupils, and those away, are the same children in both views.

    Parameters
    ----------
    view, township, year, band, measure
        Where the count stands; an empty township is the whole county.

    Returns
    -------
    tuple
        The name.

    Examples
    --------
    >>> headline_cell("today", "T1", 2025, "lower", "pupils")
    ('T', '', 'T1', 2025, 'lower', 'pupils')
    """
    return ("T", "" if measure in ("pupils", "away") else view, township, year, band, measure)


def proposal_cell(plan: Plan, school: object, year: object) -> Cell:
    """Name the cell of a proposal's pupils: the school's own where they are the same children.

    Parameters
    ----------
    plan
        Where the proposal stands.
    school, year
        Its school and year.

    Returns
    -------
    tuple
        The name.

    Examples
    --------
    >>> proposal_cell(plan, "S1", 2035)  # doctest: +SKIP
    """
    classes, proposals = plan.planned.classes, plan.proposals
    total = classes.loc[(classes["school_id"] == school) & (classes["year"] == year), "pupils"].sum()
    own = proposals.loc[(proposals["school_id"] == school) & (proposals["year"] == year), "pupils"]
    return ("S", "planned", year, school) if total and (own == total).all() else ("P", year, school)


def hide(counts: Mapping[Cell, int], lines: Sequence[Line], *, least: int) -> dict[Cell, str]:
    """Hide the small counts, and as many others as it takes that the sums do not give a small one away.

    Every count from 1 to ``least - 1`` is hidden; zeros stay. A small count is given away where all lines together, the
    marks, and the other hidden counts rounded to tens leave fewer than three whole numbers for it. Then the smallest shown
    count that stands in a line with it is hidden too (where its own lines show none, one of the lines nearest to it with the fewest
    hidden counts), until none is given away that hiding more would help. 9, 9, 9 and 8 of about 40 are 8 or 9 whatever else is hidden.

    Parameters
    ----------
    counts
        Count by cell.
    lines
        Signed cells whose counts add up to 0.
    least
        The smallest count that may be shown.

    Returns
    -------
    dict
        ``<10`` for a small count, ``*`` for another hidden one.

    References
    ----------
    Cell suppression with complementary cells: Hundepool and others 2012, Statistical Disclosure Control, chapter 4.

    Examples
    --------
    A total of 60 is the sum of 3, 17 and 40: without the 3 alone it could be worked out, so the 17 goes with it.

    >>> counts = {("a",): 3, ("b",): 17, ("c",): 40, ("all",): 60}
    >>> hide(counts, [[(1, ("all",)), (-1, ("a",)), (-1, ("b",)), (-1, ("c",))]], least=10)
    {('a',): '<10', ('b',): '*'}
    """
    lines_of: dict[Cell, list[int]] = {}
    for number, line in enumerate(lines):
        for _, cell in line:
            lines_of.setdefault(cell, []).append(number)
    hidden = _Hidden(counts, lines, lines_of, least)
    more = {cell: messages.text("privacy.small", least=least) for cell, value in counts.items() if 0 < value < least}
    while True:
        hidden.hide(more)
        more = {}
        for given_away in hidden.given_away():
            found = _smallest_beside(given_away, counts, lines, lines_of, hidden.marks)
            if found is not None:
                more[found] = messages.text("privacy.hidden")
        if not more:
            return hidden.marks


def round_people(text: str) -> str:
    """Round the numbers of people in a sentence to tens, and say ``<10`` for those below.

    Parameters
    ----------
    text
        A sentence. A whole number counts people unless a unit of time, space, money, rooms, classes, villages or grades stands
        behind it; years stay.

    Returns
    -------
    str
        The sentence.

    Examples
    --------
    >>> round_people("2035年有7名1—3年级学生步行超过30分钟，43名学生可就近入学")
    '2035年有<10名1—3年级学生步行超过30分钟，≈40名学生可就近入学'
    """
    return _NUMBER.sub(lambda m: _tens(int(m[0].replace(",", ""))), text)


def unserved_villages(assignment: pd.DataFrame) -> pd.DataFrame:
    """Return the children beyond the limit or without a place by settlement.

    Parameters
    ----------
    assignment
        Table ``assignment``.

    Returns
    -------
    pandas.DataFrame
        ``settlement_id, year, band, status`` with ``pupils``, the longest ``minutes`` (NaN without a way) and ``school_ids``.

    Examples
    --------
    >>> unserved_villages(plan.planned.assignment)  # doctest: +SKIP
    """
    rows = assignment[assignment["status"].isin(["beyond_limit", *WITHOUT]) & (assignment["pupils"] > 0)]
    band = rows["grade"].map({grade: band for band, grades in BANDS.items() for grade in grades})
    rows, key = rows.assign(band=band, school_id=rows["school_id"].astype("str")), ["settlement_id", "year", "band", "status"]
    out = rows.groupby(key, observed=True).agg(pupils=("pupils", "sum"), minutes=("minutes", "max")).reset_index()
    schools: dict[tuple[object, ...], set[str]] = {}
    for *place, school in zip(*(rows[c].tolist() for c in (*key, "school_id")), strict=True):
        schools.setdefault(tuple(place), set()).add(school)
    found = [tuple(sorted(schools[place] - {""})) for place in zip(*(out[c].tolist() for c in key), strict=True)]
    return out.assign(school_ids=pd.Series(found, index=out.index, dtype=object))


def relocation_sites(plan: Plan) -> pd.DataFrame:
    """Return the relocation sites: who moves in and when, and the pupils living there.

    Parameters
    ----------
    plan
        Its county's moves and its pupils.

    Returns
    -------
    pandas.DataFrame
        ``settlement_id``, ``name``, ``township_id``, ``years``, ``households``, ``persons`` (all residents of a village that
        moves whole without a figure), ``pupils_base`` and ``pupils_plan`` (base year and last year of the plan, rounded).

    Examples
    --------
    >>> relocation_sites(plan)  # doctest: +SKIP
    """
    county = plan.county
    sites = county.settlements[(county.settlements["kind"] == "relocation") | county.settlements["settlement_id"].isin(county.moves["to_id"])]
    residents = county.population.groupby("settlement_id")["persons"].sum()
    moves = county.moves
    # households are persons where the village does not move whole
    counted = moves["persons"].fillna((moves["households"] * plan.standards["household.size"]).where(~moves["whole_village"]))
    moves = moves.assign(persons=counted.fillna(moves["from_id"].map(residents)).fillna(0.0))
    pupils = plan.pupils.groupby(["settlement_id", "year"], observed=True)["pupils"].sum()
    rows = []
    for site in records(sites[["settlement_id", "name", "township_id"]]):
        own = moves[moves["to_id"] == site["settlement_id"]]
        years = ", ".join(str(y) for y in sorted(set(own["year"])))
        living = {
            c: round(pupils.get((site["settlement_id"], y), 0.0)) for c, y in (("pupils_base", county.base_year), ("pupils_plan", max(plan.years)))
        }
        rows.append(site | {"years": years, "households": own["households"].sum(), "persons": round(own["persons"].sum()), **living})
    columns = ["settlement_id", "name", "township_id", "years", "households", "persons", "pupils_base", "pupils_plan"]
    return pd.DataFrame(rows, columns=columns)


def _county_lines(plan: Plan, counts: dict[Cell, int], groups: Mapping[Cell, list[Cell]]) -> list[Line]:
    lines: list[Line] = []

    def add(total: Cell, members: list[Cell]) -> None:
        counts.setdefault(total, sum(counts[m] for m in members))
        lines.append([(1, total), *((-1, m) for m in members)])

    for view, table in (("today", plan.today.headline), ("planned", plan.planned.headline)):
        for year in sorted(set(table["year"])):
            bands = sorted(set(table.loc[table["year"] == year, "band"]))
            for measure, parts in (("pupils", ["pupils"]), ("beyond_limit", ["beyond_limit"]), ("without", [*WITHOUT])):
                add(("H", "" if measure == "pupils" else view, year, measure), [headline_cell(view, "", year, b, p) for b in bands for p in parts])
            placed = [(-1, headline_cell(view, "", year, band, part)) for band in bands for part in PLACED]
            lines.append([(1, c) for c in groups if c[0] == "S" and c[1:3] == (view, year)] + placed)
    # the pupils of a township's only settlement are those of the township
    for row in records(plan.county.settlements.drop_duplicates("township_id", keep=False)[["settlement_id", "township_id"]]):
        for which, year in (("base", plan.county.base_year), ("plan", max(plan.years))):
            site, living = ("R", row["settlement_id"], which), [headline_cell("", row["township_id"], year, band, "pupils") for band in BANDS]
            if site in counts and all(cell in counts for cell in living):
                add(site, living)
    return lines


class _Hidden:
    """The hidden counts and the lines that bind them, in parts that no line joins: what one part holds says nothing of another.

    What the looks told of a part stays until another count joins it.
    """

    def __init__(self, counts: Mapping[Cell, int], lines: Sequence[Line], lines_of: Mapping[Cell, Sequence[int]], least: int) -> None:
        self.counts, self.lines, self.lines_of, self.least = counts, lines, lines_of, least
        self.marks: dict[Cell, str] = {}
        self.small: set[Cell] = set()
        # of every line the signed hidden cells, and what they add up to; lines that still show a count
        self._rows: dict[int, tuple[list[tuple[int, Cell]], int]] = {}
        self._shown = [sum(counts[cell] > 0 for cell in dict.fromkeys(cell for _, cell in line)) for line in lines]
        self._part: dict[Cell, int] = {}
        self._members: dict[int, list[Cell]] = {}
        self._quick: dict[int, list[Cell]] = {}
        self._exact: dict[int, list[Cell]] = {}

    def hide(self, marks: Marks) -> None:
        for cell, mark in marks.items():
            self.marks[cell] = mark
            if 0 < self.counts[cell] < self.least:
                self.small.add(cell)
            own = dict.fromkeys(self.lines_of.get(cell, ()))
            joined = [cell]
            for number in own:
                hidden, total = self._rows.get(number) or ([], -sum(sign * self.counts[other] for sign, other in self.lines[number]))
                signs = [sign for sign, other in self.lines[number] if other == cell]
                joined += [other for _, other in hidden]
                self._rows[number] = [*hidden, *((sign, cell) for sign in signs)], total + sum(signs) * self.counts[cell]
                self._shown[number] -= 1
            part = len(self._part)
            merged = {self._part[other] for other in joined if other in self._part}
            for old in merged:
                self._quick.pop(old, None)
                self._exact.pop(old, None)
            self._members[part] = [other for old in sorted(merged) for other in self._members.pop(old)] + [cell]
            for other in self._members[part]:
                self._part[other] = part

    def given_away(self) -> list[Cell]:
        """Return the small counts for which too few numbers are left, and more would be left if other counts were hidden."""
        told = {cell for part in self._members for cell in self._look(part, self._quick, self._quickly)}
        if not told:
            # the quick looks found nothing; the exact one takes all lines and bounds of a part together
            told = {cell for part in self._members for cell in self._look(part, self._exact, self._exactly)}
        return [cell for cell in self.marks if cell in told]

    def _look(self, part: int, seen: dict[int, list[Cell]], look: Callable[[list[Cell], list[Row], list[Row]], list[Cell]]) -> list[Cell]:
        if part not in seen:
            cells = self._members[part]
            numbers = dict.fromkeys(number for cell in cells for number in self.lines_of.get(cell, ()))
            place = {cell: n for n, cell in enumerate(cells)}
            rows = {number: ([(sign, place[cell]) for sign, cell in self._rows[number][0]], self._rows[number][1]) for number in sorted(numbers)}
            # what lines tell that show nothing any more, they tell for good
            bare = [row for number, row in rows.items() if not self._shown[number]]
            # a count in no line is nowhere given away
            seen[part] = look(cells, list(rows.values()), bare) if rows and not self.small.isdisjoint(cells) else []
        return seen[part]

    def _quickly(self, cells: list[Cell], rows: list[Row], bare: list[Row]) -> list[Cell]:
        left = self._left(cells, rows)
        few = [n for n, cell in enumerate(cells) if cell in self.small and left[n] < self._wanted]
        most = self._left(cells, bare) if few and bare else [np.inf] * len(cells)
        return [cells[n] for n in few if left[n] < most[n]]

    def _left(self, cells: list[Cell], rows: list[Row]) -> list[float]:
        return [1.0 if still else width for width, still in zip(_carried(rows, self._bounds(cells)), _fixed(rows, len(cells)), strict=True)]

    def _exactly(self, cells: list[Cell], rows: list[Row], bare: list[Row]) -> list[Cell]:
        bounds = self._bounds(cells)
        possible = _possible(rows, bounds, [n for n, cell in enumerate(cells) if cell in self.small], self._wanted)
        few = {n: number for n, number in possible.items() if number < self._wanted}
        most = _possible(bare, bounds, list(few), self._wanted) if few and bare else dict.fromkeys(few, np.inf)
        return [cells[n] for n, number in few.items() if number < most[n]]

    @property
    def _wanted(self) -> int:
        return min(_AMBIGUITY, self.least - 1)

    def _bounds(self, cells: Sequence[Cell]) -> list[tuple[float, float]]:
        # what a reader knows: small counts are 1 to least - 1; other hidden ones may stand elsewhere, rounded to tens
        return [(1.0, self.least - 1.0) if cell in self.small else _rounded(self.counts[cell], self.least) for cell in cells]


def _rounded(value: int, least: int) -> tuple[float, float]:
    return max(float(least), round(value, -1) - 5.0), round(value, -1) + 5.0


def _carried(rows: Sequence[Row], bounds: list[tuple[float, float]]) -> list[float]:
    """Return how many whole numbers each hidden count may be once bounds are carried from line to line."""
    for _ in range(_PASSES):
        before = list(bounds)
        for hidden, total in rows:
            ends = [bounds[n] if sign > 0 else (-bounds[n][1], -bounds[n][0]) for sign, n in hidden]
            least_all, most_all = sum(low for low, _ in ends), sum(high for _, high in ends)
            for (sign, n), (least, most) in zip(hidden, ends, strict=True):
                low, high = total - (most_all - most), total - (least_all - least)
                if sign < 0:
                    low, high = -high, -low
                bounds[n] = max(bounds[n][0], low), min(bounds[n][1], high)
        if bounds == before:
            break
    return [high - low + 1 for low, high in bounds]


def _fixed(rows: Sequence[Row], size: int) -> np.ndarray:
    """Say which hidden counts the lines fix: those that no change of the hidden counts which keeps every line can move."""
    matrix = _matrix(rows, size)
    # a random vector, made free of everything that the lines fix, is zero exactly there
    vector = np.random.default_rng(0).uniform(1.0, 2.0, size)
    free = vector - matrix.T @ lsqr(matrix.T, vector, atol=1e-13, btol=1e-13, iter_lim=20 * size)[0]
    return np.abs(free) < _NOTHING


def _possible(rows: Sequence[Row], bounds: Sequence[tuple[float, float]], small: Sequence[int], wanted: int) -> dict[int, float]:
    """Return how many numbers each small count may be when all lines hold, by linear programming; exact where below ``wanted``."""
    totals, ends = np.array([float(total) for _, total in rows]), np.array(bounds, float)
    nothing_whole = np.zeros(len(bounds), bool)
    least_of = corners(Program(ends[:, 0], ends[:, 1], nothing_whole, _matrix(rows, len(bounds)), totals, totals), time_limit=np.inf)
    low, high = np.full(len(bounds), np.inf), np.full(len(bounds), -np.inf)

    def push(goal: np.ndarray) -> None:
        found = least_of(goal)
        if found is not None:
            np.minimum(low, found, out=low)
            np.maximum(high, found, out=high)

    # a few pushes in random directions move nearly every count; the rest are pushed one by one
    for direction in np.random.default_rng(0).choice([-1.0, 1.0], (_PUSHES, len(small))):
        goal = np.zeros(len(bounds))
        goal[list(small)] = direction
        push(goal)
    for n in small:
        for sign in (1.0, -1.0):
            if high[n] - low[n] + 1 < wanted - _NOTHING:
                goal = np.zeros(len(bounds))
                goal[n] = sign
                push(goal)
    return {n: float(np.round(high[n] - low[n] + 1, 6)) for n in small}


def _matrix(rows: Sequence[Row], size: int) -> sparse.csr_matrix:
    entries = [(r, n, sign) for r, (hidden, _) in enumerate(rows) for sign, n in hidden]
    r, n, sign = (np.array(part) for part in zip(*entries, strict=True))
    return sparse.csr_matrix((sign.astype(float), (r, n)), shape=(len(rows), size))


def _smallest_beside(cell: Cell, counts: Mapping[Cell, int], lines: Sequence[Line], lines_of: Mapping[Cell, list[int]], marks: Marks) -> Cell | None:
    """Return the smallest shown count in a line with a cell, else in a line with a hidden cell beside it, and so on.

    Of the lines further off those with the fewest hidden counts come first: one more among many, such as a school of all schools, changes
    nothing.
    """
    seen, border, own = {cell}, [cell], True
    while border:
        beside: dict[Cell, int] = {}
        for number in dict.fromkeys(number for c in border for number in lines_of.get(c, [])):
            hidden = 0 if own else sum(other in marks for _, other in lines[number])
            for _, other in lines[number]:
                if other not in seen:
                    beside[other] = min(hidden, beside.get(other, hidden))
        shown = [c for c in beside if c not in marks and counts[c] > 0]
        if shown:
            return min(shown, key=lambda c: (beside[c], counts[c]))
        seen |= set(beside)
        border, own = [c for c in beside if c in marks], False
    return None


# a whole number that no unit other than people follows, and that is no part of a range of grades or of a decimal number
_UNITS = (
    r"年|间|个?班|个村|分钟|小时|万|亿|元|公里|千米|米|[%％]|[-—–]\d|"
    r"pupils a class\b|minutes?\b|min\b|years?\b|rooms?\b|villages?\b|class(?:es)?\b|yuan\b|km\b|m\b"
)
_NUMBER = re.compile(rf"(?<![\dA-Za-z.,—–-])(?<!第)(?<!每班)(?<!grade )(?<!grades )\d+(?:,\d{{3}})*(?![\d]|[.,]\d|\s*(?:{_UNITS}))")


def _tens(value: int) -> str:
    if value == 0 or 1990 <= value <= 2100:
        return str(value)
    return messages.text("privacy.small", least=10) if value < 10 else f"≈{round(value, -1)}"
