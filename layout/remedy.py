"""What can be done where classes are too large: rooms that stand empty, neighbours with seats, rooms to build, a new school."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from layout.children import ways_of
from layout.needs import LAST_PRIMARY_GRADE, class_groups, size_limits, standing_schools
from layout.standards import Standards
from layout.tables import band_of, check, empty

# children enter a stage in these grades
ENTRY_GRADES = (1, 7)


@dataclass(frozen=True)
class _Places:
    """The ledger of seats, counted down as they are promised: lists by class group, and by school and year."""

    pupils: list[int]
    classes: list[int]
    size: list[int]
    group_of: dict[tuple[int, int], int]
    spare: list[int]
    buildable: list[int]
    in_school: list[int]
    most: list[int]
    incomplete: Sequence[bool]


@dataclass(frozen=True)
class _Children:
    """Children of a breach by settlement and grade, and the neighbours within the limit of each."""

    grade: np.ndarray
    left: np.ndarray
    # ways in order of their school and minutes: which children, minutes; those of each school lie between two bounds
    who: np.ndarray
    minutes: np.ndarray
    to: tuple[int, ...]
    bounds: tuple[int, ...]

    def ways(self, n: int) -> slice:
        return slice(self.bounds[n], self.bounds[n + 1])


def remedies(
    classes: pd.DataFrame,
    assignment: pd.DataFrame,
    times: pd.DataFrame,
    schools: pd.DataFrame,
    standards: Standards,
    *,
    school_years: pd.DataFrame | None = None,
    limit_neighbours: int = 3,
) -> pd.DataFrame:
    """List what can be done for every class above its standard, in order, until no child is left in a class above it.

    Of a grade (or mixed class) with P pupils in c classes of standard S, excess = max(P - c S, 0). The remedies:

    0. ``even_classes``: real classes that are uneven are spread evenly, which relieves nobody but makes the largest smaller.
    1. ``spare_rooms``: rooms of the school without a class, each to its fullest grade above the standard, ties to the lower one.
    2. ``neighbour``: schools that teach the grade and have seats: c S - P of the grade, and whole spare rooms that step 1 left,
       never beyond their largest size. The children who could go are those who attend from home, in settlements from which the day way
       keeps the limit. Of up to ``limit_neighbours`` the one that takes most goes first, then the lesser median minutes, then the
       lower id; the nearest children go first. A child goes once.
    3. ``extra_rooms``: rooms that the site still takes (``expandable_rooms`` less what was built and the rooms that classes without one
       need), unknown ones by ``site.expandable_rooms`` and noted.
    4. ``new_school``: what is left, as children and rooms at the standard.

    Seats, spare rooms and rooms to build are counted down as they are promised, within a year, the fullest class first, then the lower
    school id, then the lower grade; no seat or room is promised twice. Each step is done for all before the next for any. Zones change for
    children who enter, as a rule: remedies of grades that are not entry grades (1, 7 or the school's first) are marked ``mid_stage``.

    Parameters
    ----------
    classes
        Table ``classes``.
    assignment
        Table ``assignment``: where the children live. Those of the county seat's own pull have no minutes and stay.
    times
        Table ``times``.
    schools
        Table ``schools``.
    standards
        Limits, class-size standards, ``size.max.*``, ``site.expandable_rooms``.
    school_years
        Table ``school_years``; a year that it holds has its schools and no others.
    limit_neighbours
        The most neighbours named for a breach.

    Returns
    -------
    pandas.DataFrame
        Table ``remedies``, key school_id, year, class_group, rank. In each row of a breach, the ``pupils`` of its rows so far and
        ``remaining`` add up to ``excess``, and the last row leaves nobody; ``largest_class_after`` is of evenly spread classes.
        ``rooms``: classes added at the school, rooms that a neighbour takes into use, rooms of a new school. Minutes are those of
        all children who could go to that neighbour. A school in no breach has no row.

    Raises
    ------
    ValueError
        If classes belong to a school that is not open in their year, or ``limit_neighbours`` is negative.

    References
    ----------
    教督〔2017〕6号 政府保障程度第4—5项 (every class, largest size); 国办发〔2018〕27号 (minutes of grades 1-3); 义务教育法 第十二条.

    Examples
    --------
    >>> standards = layout.read_standards()
    >>> pupils = pd.DataFrame({
    ...     "settlement_id": ["C", "D"], "year": 2026, "grade": 1, "attends": "home", "school_id": ["S1", "S2"], "mode": "walk",
    ...     "status": "served", "pupils": [50, 20], "minutes": 20.0})
    >>> times = pd.DataFrame({"from_id": "C", "to_id": "S2", "mode": "walk", "band": "lower", "minutes": [28.0], "minutes_back": 28.0})
    >>> schools = paper.schools.assign(rooms=1)
    >>> classes = layout.class_sizes(pupils, schools, paper.rosters, standards)
    >>> remedies(classes, pupils, times, schools, standards)[["action", "neighbour_id", "pupils", "remaining"]].values.tolist()
    [['neighbour', 'S2', 5, 0]]
    """
    if limit_neighbours < 0:
        raise ValueError(f"limit_neighbours must be at least 0, not {limit_neighbours}")
    standing = standing_schools(schools, school_years, {int(y) for y in classes["year"]})
    groups = class_groups(classes, standing, standards)
    above = groups.index[groups["largest_class"] > groups["standard"]]
    if not len(above):
        return empty("remedies")
    places = _places(groups, standing, standards)
    order = (
        groups.loc[above].sort_values(["year", "largest_class", "school_id", "first_grade"], ascending=[True, False, True, True], kind="stable").index
    )
    excess = {int(i): _excess(places, int(i)) for i in order}
    rows: dict[int, list[dict[str, object]]] = {int(i): [] for i in order}
    for i in rows:
        # real classes of the base year may be uneven
        if groups["largest_class"].iloc[i] > _largest(places, i):
            rows[i].append(_row(places, i, "even_classes", 0, 0))
    for i, added in _rooms_to_the_fullest(places, groups, list(rows)):
        relieved = _open(places, i, added)
        rows[i].append(_row(places, i, "spare_rooms", relieved, added))
    needy = [i for i in rows if _excess(places, i)]
    children = _children(groups, assignment, times, standing, standards, needy) if limit_neighbours else {}
    ids = standing["school_id"].tolist()
    for i in needy:
        if i in children:
            rows[i] += _to_neighbours(places, i, int(groups["standing"].iloc[i]), children[i], ids, limit_neighbours, standards)
    assumed = standing["expandable_rooms"].isna().to_numpy()
    for i in needy:
        k, wanted = int(groups["standing"].iloc[i]), -(-places.pupils[i] // places.size[i]) - places.classes[i]
        built = min(wanted, places.buildable[k])
        if built > 0:
            places.buildable[k] -= built
            relieved = _open(places, i, built)
            note = "expandable_assumed" if assumed[k] else "partly" if built < wanted else ""
            rows[i].append({**_row(places, i, "extra_rooms", relieved, built), "note": note})
        if left := _excess(places, i):
            places.pupils[i] -= left
            rows[i].append(_row(places, i, "new_school", left, -(-left // places.size[i])))
    table = pd.DataFrame([{"row": i, "rank": rank, "excess": excess[i], **row} for i, found in rows.items() for rank, row in enumerate(found, 1)])
    about = groups.loc[table["row"], ["school_id", "year", "class_group"]].reset_index(drop=True)
    about["mid_stage"] = [_mid_stage(str(g), int(f)) for g, f in zip(
        groups.loc[table["row"], "grades"], standing["first_grade"].to_numpy()[groups.loc[table["row"], "standing"].to_numpy(int)], strict=True
    )]  # fmt: skip
    keys = {i: _size_keys(groups, i) for i in rows}
    more = {i: _limit_keys(str(groups["grades"].iloc[i])) for i in rows}
    table["clauses"] = [
        ",".join(
            sorted({*keys[i], *(more[i] if action == "neighbour" else ()), *(["site.expandable_rooms"] if note == "expandable_assumed" else [])})
        )
        for i, action, note in zip(table["row"], table["action"], table["note"], strict=True)
    ]
    return check("remedies", pd.concat([about, table.drop(columns="row")], axis=1))


def _places(groups: pd.DataFrame, standing: pd.DataFrame, standards: Standards) -> _Places:
    at, n = groups["standing"].to_numpy(int), len(standing)
    used = np.bincount(at, groups["classes"].to_numpy(float), minlength=n).astype(int)
    rooms = standing["rooms"].to_numpy(int)
    room_to_build = standing["expandable_rooms"].fillna(standards["site.expandable_rooms"]).to_numpy(float)
    group_of = {(int(k), int(g)): i for i, (k, run) in enumerate(zip(at, groups["grades"], strict=True)) for g in str(run).split(",")}
    return _Places(
        pupils=groups["pupils"].astype(int).tolist(), classes=groups["classes"].astype(int).tolist(),
        size=groups["standard"].astype(int).tolist(), group_of=group_of,
        spare=np.maximum(rooms - used, 0).tolist(),
        # classes that have no room come first
        buildable=np.maximum(room_to_build - np.maximum(used - rooms, 0), 0).astype(int).tolist(),
        in_school=np.bincount(at, groups["pupils"].to_numpy(float), minlength=n).astype(int).tolist(),
        most=size_limits(standing, standards).astype(int).tolist(), incomplete=standing["incomplete"].tolist(),
    )  # fmt: skip


def _excess(places: _Places, i: int) -> int:
    return max(places.pupils[i] - places.classes[i] * places.size[i], 0)


def _largest(places: _Places, i: int) -> int:
    return -(-places.pupils[i] // places.classes[i])


def _open(places: _Places, i: int, rooms: int) -> int:
    """Add classes to a group and return how many children that relieves."""
    before = _excess(places, i)
    places.classes[i] += rooms
    return before - _excess(places, i)


def _row(places: _Places, i: int, action: str, pupils: int, rooms: int) -> dict[str, object]:
    return {
        "action": action, "neighbour_id": "", "pupils": pupils, "rooms": rooms, "minutes_median": np.nan, "minutes_longest": np.nan,
        "largest_class_after": _largest(places, i), "remaining": _excess(places, i), "note": "",
    }  # fmt: skip


def _rooms_to_the_fullest(places: _Places, groups: pd.DataFrame, above: Sequence[int]) -> list[tuple[int, int]]:
    """Share the spare rooms of each school among its groups above the standard: the largest class first, ties to the lower grade."""
    heaps: dict[int, list[tuple[int, int, int]]] = {}
    for i in above:
        k = int(groups["standing"].iloc[i])
        if _excess(places, i) and places.spare[k]:
            heaps.setdefault(k, []).append((-_largest(places, i), int(groups["first_grade"].iloc[i]), i))
    added: dict[int, int] = {}
    for k, heap in heaps.items():
        heapq.heapify(heap)
        while heap and places.spare[k]:
            _, grade, i = heapq.heappop(heap)
            added[i] = added.get(i, 0) + 1
            places.spare[k] -= 1
            number = places.classes[i] + added[i]
            if places.pupils[i] > number * places.size[i]:
                # -p // c is the ceiling of p / c with its sign turned
                heapq.heappush(heap, (-places.pupils[i] // number, grade, i))
    return list(added.items())


def _children(
    groups: pd.DataFrame, assignment: pd.DataFrame, times: pd.DataFrame, standing: pd.DataFrame, standards: Standards, needy: Sequence[int]
) -> dict[int, _Children]:  # fmt: skip
    """Find the children of each breach who attend from home, and the schools of their grade within the limit of each."""
    cells = groups.loc[list(needy), ["school_id", "year", "grades", "standing"]].assign(row=list(needy))
    cells = cells.assign(grade=cells["grades"].str.split(",")).explode("grade").astype({"grade": "int64", "school_id": "str", "year": "int64"})
    home = assignment[(assignment["attends"] == "home") & (assignment["pupils"] > 0) & (assignment["school_id"].astype("str") != "")]
    home = home[["settlement_id", "school_id", "year", "grade", "pupils"]].astype({"settlement_id": "str", "school_id": "str"})
    home = home.merge(cells, on=["school_id", "year", "grade"])
    home = pd.DataFrame(home.groupby(["row", "grade", "settlement_id", "standing"], sort=True)["pupils"].sum()).reset_index()
    home["band"] = home["grade"].map({g: band_of(g) for g in range(1, 10)})
    near = times[times["mode"].isin(["walk", "bus"]) & times["from_id"].isin(set(home["settlement_id"])) & times["band"].isin(set(home["band"]))]
    if not len(home) or not len(near):
        return {}
    ways = ways_of(near, standards)
    ways = ways.loc[~ways["beyond"].astype(bool), ["settlement_id", "school_id", "band", "minutes"]]
    home["who"] = pd.RangeIndex(len(home))
    reached = home.rename(columns={"standing": "own"}).merge(ways, on=["settlement_id", "band"])
    there = standing[["school_id", "year", "first_grade", "last_grade"]].assign(to=pd.RangeIndex(len(standing)))
    reached["year"] = standing["year"].to_numpy()[reached["own"].to_numpy(int)]
    reached = reached.merge(there, on=["school_id", "year"])
    taught = (reached["grade"] >= reached["first_grade"]) & (reached["grade"] <= reached["last_grade"]) & (reached["to"] != reached["own"])
    reached = reached[taught].sort_values(["row", "to", "minutes", "who"], kind="stable", ignore_index=True)
    grade, left = home["grade"].to_numpy(int), home["pupils"].to_numpy(int)
    out = {}
    columns = [reached[c].to_numpy() for c in ("row", "who", "to", "minutes")]
    cuts = [0, *(np.flatnonzero(np.diff(columns[0])) + 1).tolist(), len(reached)] if len(reached) else [0]
    for a, z in pairwise(cuts):
        row, who, to, minutes = (c[a:z] for c in columns)
        mine, place = np.unique(who, return_inverse=True)
        names, starts = np.unique(to, return_index=True)
        out[int(row[0])] = _Children(grade[mine], left[mine], place, minutes.astype(float), tuple(names.tolist()), (*starts.tolist(), z - a))
    return out


def _to_neighbours(
    places: _Places, i: int, own: int, children: _Children, ids: Sequence[str], limit: int, standards: Standards
) -> list[dict[str, object]]:  # fmt: skip
    """Send children above the standard to neighbours with seats, the one that takes most first."""
    rows: list[dict[str, object]] = []
    chosen: set[int] = set()
    grades = sorted(set(children.grade.tolist()))
    while len(rows) < limit and (need := _excess(places, i)):
        best, offers = 1, []
        for n, k in enumerate(children.to):
            if k in chosen or not _has_seat(places, k, grades):
                continue
            could = children.left[children.who[children.ways(n)]]
            if min(int(could.sum()), need) < best:
                continue
            taken = _taken(places, k, _by_grade(children, n, could), need, standards)
            total = sum(taken.values())
            if total >= best:
                best = total
                offers.append((total, n, k, taken, np.repeat(children.minutes[children.ways(n)], could)))
        tied = [(float(np.median(minutes)), ids[k], float(minutes.max()), n, k, taken) for total, n, k, taken, minutes in offers if total == best]
        if not tied:
            break
        median, name, longest, n, k, taken = min(tied, key=lambda offer: offer[:2])
        chosen.add(k)
        rooms = places.spare[k]
        for grade, number in taken.items():
            _seat(places, k, grade, number, standards)
            _leave(children, n, grade, number)
        moved = sum(taken.values())
        places.pupils[i] -= moved
        places.in_school[own] -= moved
        rows.append({
            **_row(places, i, "neighbour", moved, rooms - places.spare[k]), "neighbour_id": name, "minutes_median": median,
            "minutes_longest": longest,
        })  # fmt: skip
    return rows


def _has_seat(places: _Places, k: int, grades: Sequence[int]) -> bool:
    held = (places.group_of.get((k, grade)) for grade in grades)
    return places.spare[k] > 0 or any(j is not None and places.pupils[j] < places.classes[j] * places.size[j] for j in held)


def _taken(places: _Places, k: int, wanted: Mapping[int, int], need: int, standards: Standards) -> dict[int, int]:
    """Count the children of each grade that a school can take: free seats, then whole spare rooms, never beyond its largest size."""
    more: dict[int, int] = {}
    opened: dict[int, int] = {}
    spare, left = places.spare[k], min(need, places.most[k] - places.in_school[k])
    out = {}
    for grade, number in sorted(wanted.items()):
        j = places.group_of.get((k, grade), -1 - grade)
        pupils, count, size = (
            (places.pupils[j], places.classes[j], places.size[j]) if j >= 0 else (0, 0, standards.class_size(grade, incomplete=places.incomplete[k]))
        )
        pupils, count = pupils + more.get(j, 0), count + opened.get(j, 0)
        taking = max(min(number, left, (count + spare) * size - pupils), 0)
        if taking:
            rooms = max(-(-(pupils + taking) // size) - count, 0)
            more[j], opened[j] = more.get(j, 0) + taking, opened.get(j, 0) + rooms
            spare, left = spare - rooms, left - taking
            out[grade] = taking
    return out


def _seat(places: _Places, k: int, grade: int, number: int, standards: Standards) -> None:
    if (k, grade) not in places.group_of:
        # a grade that the school teaches but has no child in
        places.group_of[k, grade] = len(places.pupils)
        places.pupils.append(0)
        places.classes.append(0)
        places.size.append(standards.class_size(grade, incomplete=places.incomplete[k]))
    j = places.group_of[k, grade]
    places.pupils[j] += number
    places.in_school[k] += number
    rooms = max(-(-places.pupils[j] // places.size[j]) - places.classes[j], 0)
    places.classes[j] += rooms
    places.spare[k] -= rooms


def _by_grade(children: _Children, n: int, could: np.ndarray) -> dict[int, int]:
    counts = np.bincount(children.grade[children.who[children.ways(n)]], could)
    return {int(g): int(counts[g]) for g in np.flatnonzero(counts)}


def _leave(children: _Children, n: int, grade: int, number: int) -> None:
    """Take the nearest children off those who are left."""
    for who in children.who[children.ways(n)]:
        if children.grade[who] == grade and number:
            going = min(int(children.left[who]), number)
            children.left[who] -= going
            number -= going


def _mid_stage(grades: str, first_grade: int) -> bool:
    return any(int(g) not in (*ENTRY_GRADES, first_grade) for g in grades.split(","))


def _size_keys(groups: pd.DataFrame, i: int) -> list[str]:
    first, last, mixed = (int(groups[c].iloc[i]) for c in ("first_grade", "last_grade", "mixed"))
    if groups["incomplete"].iloc[i]:
        keys = ["class_size.design.primary_incomplete"]
    else:
        keys = [
            k
            for k, there in (("class_size.yzjh.primary.max", first <= LAST_PRIMARY_GRADE), ("class_size.yzjh.junior.max", last > LAST_PRIMARY_GRADE))
            if there
        ]
    return [*keys, "class_size.mixed.max_pupils"] if mixed else keys


def _limit_keys(grades: str) -> list[str]:
    bands = sorted({band_of(int(g)) for g in grades.split(",")})
    return [*(f"travel.limit.{mode}.{band}" for band in bands for mode in ("walk", "bus")), "size.max.nine_year", "size.max.primary_junior"]
