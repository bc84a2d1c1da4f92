"""Classes from assigned pupils and rooms: their number, sizes and tiers, and the rooms that are missing."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import pandas as pd

from layout.standards import Standards
from layout.tables import check, empty

INCOMPLETE = ("teaching_point", "small_primary")
# a school of unknown kind that ends before this grade is an incomplete primary school
LAST_PRIMARY_GRADE = 6


@dataclass(frozen=True)
class _School:
    rooms: int
    incomplete: bool


@dataclass(frozen=True)
class _Group:
    """The classes of one grade, or the class of several."""

    grades: tuple[int, ...]
    sizes: tuple[int, ...]
    standard: int
    needed: int


def tier(largest: int, standards: Standards, *, standard: int | None = None) -> str:
    """Return the tier of a class size: small, normal, elevated, oversized or super.

    Parameters
    ----------
    largest
        Pupils in the largest class.
    standards
        The bounds: ``class_size.small.max``, ``class_size.oversize.min``, ``class_size.super_oversize.min``.
    standard
        Class-size standard of its grade, up to which a class is normal; the primary one (45) if None.

    Returns
    -------
    str
        The tier. Oversized (大班额) and super (超大班额) do not depend on the standard.

    References
    ----------
    国发〔2016〕40号 (56 and 66); 教督〔2017〕6号 (45, 50; bin of 25 and under).

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> standards = read_standards()
    >>> [tier(n, standards) for n in (25, 26, 45, 46, 55, 56, 65, 66)]
    ['small', 'normal', 'normal', 'elevated', 'elevated', 'oversized', 'oversized', 'super']
    >>> tier(50, standards, standard=50)
    'normal'
    """
    normal = standards["class_size.yzjh.primary.max"] if standard is None else standard
    if largest >= standards["class_size.super_oversize.min"]:
        return "super"
    if largest >= standards["class_size.oversize.min"]:
        return "oversized"
    if largest <= standards["class_size.small.max"]:
        return "small"
    return "normal" if largest <= normal else "elevated"


def class_sizes(
    assignment: pd.DataFrame,
    schools: pd.DataFrame,
    rosters: pd.DataFrame,
    standards: Standards,
    *,
    school_years: pd.DataFrame | None = None,
    base_year: int | None = None,
) -> pd.DataFrame:
    """Form the classes of every school and year from its pupils and its rooms.

    Every grade with pupils gets one class; each further room goes to the grade with the largest class among those above their
    standard, ties to the lower grade, until none is above or no room is left. This makes the largest class above a standard as
    small as the rooms allow. Pupils of a grade are spread evenly (sizes differ by one at most).

    With fewer rooms than grades, an ordinary school keeps a class for every grade and rooms are missing: one for each class
    without a room, at the smallest grades, and those of the further classes that the standard asks for, at the fullest grades.
    A teaching point or small primary school teaches neighbouring grades together: the fewest runs of at most
    ``class_size.mixed.max_grades`` grades and ``class_size.mixed.max_pupils`` pupils (a grade alone may be larger); where even
    that takes more rooms than there are, the runs in as many rooms whose largest is smallest. Of equal choices the more even
    spread goes first, then the earlier cut.

    Parameters
    ----------
    assignment
        Table ``assignment``; pupils ``served`` and ``beyond_limit`` sit in a class, however they come.
    schools
        Table ``schools``: rooms and kind.
    rosters
        Table ``rosters``: today's classes.
    standards
        Class-size standards, tiers and bounds of mixed classes.
    school_years
        Rooms by year, where they differ from today's; a ``kind`` column goes before that of ``schools``. A school of which
        neither tells the kind counts as incomplete if it ends before grade 6.
    base_year
        Year in which schools with a roster keep its real classes and pupils, whatever the assignment says; only if the
        assignment has that year.

    Returns
    -------
    pandas.DataFrame
        Table ``classes``, key school_id, year, class_group. Grades without pupils have no row. ``rooms_missing`` of the rows of a
        school adds up to the rooms that its classes at the standard (or its real classes, if more) need beyond those it has.

    Raises
    ------
    ValueError
        If pupils are assigned to a school that neither table has.

    References
    ----------
    教督〔2017〕6号; GB 50099-2011 §3.0.1; 国发〔2016〕40号.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> pupils = pd.DataFrame({"school_id": "S1", "year": 2025, "grade": [1, 2], "status": "served", "pupils": [100, 30]})
    >>> classes = class_sizes(pupils, paper.schools, paper.rosters, read_standards())
    >>> classes[["class_group", "classes", "largest_class", "tier"]].values.tolist()
    [['1', 3, 34, 'normal'], ['2', 1, 30, 'normal']]
    """
    known = _schools(schools, school_years)
    in_base = base_year is not None and bool((assignment["year"] == base_year).any())
    closed = schools[(schools["kind"] == "special") | (schools["status"] != "open")] if {"kind", "status"} <= set(schools) else schools.iloc[:0]
    kept = rosters[~rosters["school_id"].isin(closed["school_id"])] if in_base else rosters.iloc[:0]
    real: dict[str, dict[int, list[int]]] = {}
    for name, grade, n in zip(kept["school_id"], kept["grade"], kept["pupils"], strict=True):
        if n > 0:
            real.setdefault(str(name), {}).setdefault(int(grade), []).append(int(n))
    rows: list[dict[str, object]] = []
    for (school_id, year), pupils in _seated(assignment).items():
        if year == base_year and school_id in real:
            continue
        school = known.get((school_id, year)) or known.get((school_id, None))
        if school is None:
            raise ValueError(f"pupils are assigned to {school_id!r}, which is not among the schools")
        rows += _rows(school_id, year, _form(pupils, school, standards), school.rooms, standards)
    for school_id, sizes in real.items():
        school = known.get((school_id, None), _School(0, False))
        rows += _rows(school_id, int(base_year or 0), _rostered(sizes, school, standards), school.rooms, standards)
    return check("classes", pd.DataFrame(rows)) if rows else empty("classes")


def oversized_shares(classes: pd.DataFrame, schools: pd.DataFrame, standards: Standards, *, teaching_points: bool = True) -> pd.DataFrame:
    """Count the oversized classes of each year and their share.

    Parameters
    ----------
    classes
        Table ``classes``.
    schools
        Table ``schools``: which are teaching points.
    standards
        The bound that the share is held against: ``class_size.oversize.share_max.guizhou``.
    teaching_points
        False leaves the classes of teaching points out, as some official forms do.

    Returns
    -------
    pandas.DataFrame
        By year: classes, oversized (super ones included), super, oversized_share, super_share and share_max (0-1). No classes,
        no rows.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> classes = pd.DataFrame({"school_id": "a", "year": 2025, "classes": [3, 1], "oversized_classes": [1, 0]})
    >>> classes["super_classes"] = 0
    >>> schools = pd.DataFrame({"school_id": ["a"], "kind": ["primary"]})
    >>> oversized_shares(classes, schools, read_standards())[["classes", "oversized", "oversized_share"]].values.tolist()
    [[4.0, 1.0, 0.25]]
    """
    left_out = [] if teaching_points else list(schools.loc[schools["kind"] == "teaching_point", "school_id"])
    counted = classes[~classes["school_id"].isin(left_out)]
    sums = counted.groupby("year", sort=True)[["classes", "oversized_classes", "super_classes"]].sum().reset_index()
    out = sums.rename(columns={"oversized_classes": "oversized", "super_classes": "super"})
    out["oversized_share"] = out["oversized"] / out["classes"]
    out["super_share"] = out["super"] / out["classes"]
    out["share_max"] = standards["class_size.oversize.share_max.guizhou"] / 100
    return out


def _seated(assignment: pd.DataFrame) -> dict[tuple[str, int], dict[int, int]]:
    # pupils by grade of every school and year
    seated = assignment[assignment["status"].isin(["served", "beyond_limit"]) & (assignment["pupils"] > 0)]
    sums = seated.groupby(["school_id", "year", "grade"], sort=True, observed=True)["pupils"].sum().reset_index()
    out: dict[tuple[str, int], dict[int, int]] = {}
    for name, year, grade, n in zip(sums["school_id"], sums["year"], sums["grade"], sums["pupils"], strict=True):
        out.setdefault((str(name), int(year)), {})[int(grade)] = int(n)
    return out


def _schools(schools: pd.DataFrame, school_years: pd.DataFrame | None) -> dict[tuple[str, int | None], _School]:
    kinds = dict(zip(schools["school_id"], schools["kind"], strict=True))
    out: dict[tuple[str, int | None], _School] = {}
    for name, rooms in zip(schools["school_id"], schools["rooms"], strict=True):
        out[str(name), None] = _School(int(rooms), kinds[name] in INCOMPLETE)
    if school_years is None:
        return out
    own = list(school_years["kind"]) if "kind" in school_years else [""] * len(school_years)
    columns = (school_years[c] for c in ("school_id", "year", "rooms", "last_grade"))
    for name, year, rooms, last, own_kind in zip(*columns, own, strict=True):
        kind = own_kind or kinds.get(name, "")
        out[str(name), int(year)] = _School(int(rooms), kind in INCOMPLETE if kind else last < LAST_PRIMARY_GRADE)
    return out


def _rostered(classes: Mapping[int, Sequence[int]], school: _School, standards: Standards) -> list[_Group]:
    groups = []
    for grade, sizes in sorted(classes.items()):
        standard = standards.class_size(grade, incomplete=school.incomplete)
        groups.append(_Group((grade,), tuple(sizes), standard, _classes_at(sum(sizes), standard)))
    return groups


def _form(pupils: Mapping[int, int], school: _School, standards: Standards) -> list[_Group]:
    grades = sorted(pupils)
    standard = {g: standards.class_size(g, incomplete=school.incomplete) for g in grades}
    runs: list[tuple[int, ...]] = [(g,) for g in grades]
    if school.incomplete and school.rooms < len(grades):
        runs = _mixed_runs(pupils, max(school.rooms, 1), standards)
    totals = [sum(pupils[g] for g in run) for run in runs]
    # a mixed class is never split: it would not have been formed
    bounds = [standard[run[0]] if len(run) == 1 else total for run, total in zip(runs, totals, strict=True)]
    counts = share_rooms(totals, bounds, school.rooms)
    most_grades, most_pupils = int(standards["class_size.mixed.max_grades"]), int(standards["class_size.mixed.max_pupils"])
    groups = []
    for run, total, count in zip(runs, totals, counts, strict=True):
        bound = standard[run[0]] if len(run) == 1 else min(most_pupils, *(standard[g] for g in run))
        needed = max(_classes_at(total, bound), 1 if len(run) == 1 else -(-len(run) // most_grades))
        groups.append(_Group(run, _even(total, count), bound, needed))
    return groups


def share_rooms(pupils: Sequence[int], standard: Sequence[int], rooms: int) -> list[int]:
    """Share rooms among grades so that the largest class above its standard is as small as can be.

    Parameters
    ----------
    pupils
        Pupils of each grade, at least one.
    standard
        Class-size standard of each grade.
    rooms
        Classrooms; with fewer than grades each grade still has one class.

    Returns
    -------
    list of int
        Classes of each grade, never more than its standard asks for.

    References
    ----------
    Objective: min over c of max{ceil(P_g / c_g) : ceil(P_g / c_g) > S_g}, subject to (1) c_g >= 1, (2) sum c_g <= rooms. The
    greedy choice is optimal because a further class lowers only its own grade (Adams' method of apportionment).

    Examples
    --------
    >>> share_rooms([100, 60, 45], [45, 45, 45], 5)
    [2, 2, 1]
    >>> share_rooms([100, 60, 45], [45, 45, 45], 1)
    [1, 1, 1]
    """
    counts = [1] * len(pupils)
    above = [(-p, g) for g, (p, s) in enumerate(zip(pupils, standard, strict=True)) if p > s]
    heapq.heapify(above)
    for _ in range(rooms - len(pupils)):
        if not above:
            break
        _, grade = heapq.heappop(above)
        counts[grade] += 1
        largest = _classes_at(pupils[grade], counts[grade])
        if largest > standard[grade]:
            heapq.heappush(above, (-largest, grade))
    return counts


def _mixed_runs(pupils: Mapping[int, int], rooms: int, standards: Standards) -> list[tuple[int, ...]]:
    grades = sorted(pupils)
    most_grades, most_pupils = int(standards["class_size.mixed.max_grades"]), int(standards["class_size.mixed.max_pupils"])

    def partitions(count: int) -> list[list[tuple[int, ...]]]:
        cuts = ((0, *inner, len(grades)) for inner in combinations(range(1, len(grades)), count - 1))
        return [[tuple(grades[a:b]) for a, b in pairwise(cut)] for cut in cuts]

    def spread(runs: Sequence[tuple[int, ...]]) -> tuple[int, int]:
        totals = [sum(pupils[g] for g in run) for run in runs]
        return max(totals), sum(n * n for n in totals)

    def allowed(run: tuple[int, ...]) -> bool:
        return len(run) == 1 or (len(run) <= most_grades and sum(pupils[g] for g in run) <= most_pupils)

    for count in range(1, rooms + 1):
        found = [runs for runs in partitions(count) if all(allowed(run) for run in runs)]
        if found:
            return min(found, key=spread)
    return min(partitions(rooms), key=spread)


def _rooms_missing(groups: Sequence[_Group], rooms: int) -> list[int]:
    """Lay the rooms that a school lacks on its grades, so that the rows add up to the school."""
    lacking = [max(g.needed - len(g.sizes), 0) for g in groups]
    total = max(sum(max(g.needed, len(g.sizes)) for g in groups) - rooms, 0)
    # classes that exist without a room: the smallest first, of equals the higher grade
    unroomed = max(sum(len(g.sizes) for g in groups) - rooms, 0)
    smallest = sorted(range(len(groups)), key=lambda i: (sum(groups[i].sizes), -groups[i].grades[0]))
    out = [0] * len(groups)
    for i in smallest:
        out[i] = min(len(groups[i].sizes), unroomed)
        unroomed -= out[i]
    left = total - sum(out)
    # classes that the standard asks for: the fullest first, of equals the lower grade
    for i in sorted(range(len(groups)), key=lambda i: (-max(groups[i].sizes), groups[i].grades[0])):
        more = min(lacking[i], left)
        out[i] += more
        left -= more
    return out


def _rows(school_id: str, year: int, groups: Sequence[_Group], rooms: int, standards: Standards) -> list[dict[str, object]]:
    missing = _rooms_missing(groups, rooms)
    return [_row(school_id, year, group, standards, n) for group, n in zip(groups, missing, strict=True)]


def _row(school_id: str, year: int, group: _Group, standards: Standards, missing: int) -> dict[str, object]:
    largest, mixed = max(group.sizes), len(group.grades) > 1
    name = f"{group.grades[0]}-{group.grades[-1]}" if mixed else str(group.grades[0])
    return {
        "school_id": school_id, "year": year, "class_group": name, "grades": ",".join(str(g) for g in group.grades),
        "pupils": sum(group.sizes), "classes": len(group.sizes), "class_size": sum(group.sizes) / len(group.sizes),
        "largest_class": largest,
        "oversized_classes": sum(n >= standards["class_size.oversize.min"] for n in group.sizes),
        "super_classes": sum(n >= standards["class_size.super_oversize.min"] for n in group.sizes),
        "tier": tier(largest, standards, standard=group.standard), "standard": group.standard,
        "rooms_missing": missing, "mixed": mixed,
    }  # fmt: skip


def _even(total: int, count: int) -> tuple[int, ...]:
    low, more = divmod(total, count)
    return (low + 1,) * more + (low,) * (count - more)


def _classes_at(pupils: int, standard: int) -> int:
    return -(-pupils // standard)
