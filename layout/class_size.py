"""Classes from assigned pupils and rooms: their number, sizes and tiers, the rooms that are missing, and the targets they meet."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from layout import messages
from layout.children import INCOMPLETE
from layout.standards import STAGES, Rule, Standards, size_bins
from layout.tables import GRADES, check, empty

# a school of unknown kind that ends before this grade is an incomplete primary school
LAST_PRIMARY_GRADE = 6
# columns of the table classes in the order in which rows are written
_COLUMNS = (
    "school_id", "year", "class_group", "grades", "pupils", "classes", "class_size", "largest_class", "oversized_classes", "super_classes",
    "tier", "standard", "rooms_missing", "mixed", "above_standard", "oversized_pupils",
)  # fmt: skip


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


@dataclass(frozen=True)
class _Bounds:
    """The bounds of tiers and mixed classes, and the class-size standard of a grade, an incomplete school and a year."""

    small: float
    oversized: float
    super_: float
    most_grades: int
    most_pupils: int
    class_size: Callable[[int, bool, int], int]


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
    return _tier(largest, normal, _bounds(standards))


def size_bin(largest: int, standards: Standards) -> str:
    """Return the bin of the official form in which a class of some size is counted.

    Parameters
    ----------
    largest
        Pupils in the class, at least one.
    standards
        ``class_size.stat_bins``.

    Returns
    -------
    str
        Label of the bin, as the form has it.

    Raises
    ------
    ValueError
        If there is no pupil in the class: forms do not count such a class.

    References
    ----------
    教督〔2017〕6号, school form.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> [size_bin(n, read_standards()) for n in (1, 25, 26, 55, 56, 65, 66, 90)]
    ['<=25', '<=25', '26-30', '51-55', '56-60', '61-65', '>=66', '>=66']
    """
    for label, low, high in size_bins(standards):
        if low <= largest and (high is None or largest <= high):
            return label
    raise ValueError(f"a class has at least one pupil, not {largest}")


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

    Where the year before is there too, classes keep their cohort: a grade starts with the classes that the grade below had, and
    its pupils, with those who joined or left, are spread over them anew. Grades 1 and 7, the lowest grade of a school, and a grade
    that a mixed class comes up to are formed anew. See :func:`keep_classes` for when a cohort gets or loses a class.

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
        Class-size standards, with the county's schedule of lower ones in each year, tiers and bounds of mixed classes.
    school_years
        Rooms by year, where they differ from today's; a ``kind`` column goes before that of ``schools``. A school of which
        neither tells the kind counts as incomplete if it ends before grade 6.
    base_year
        Year in which schools with a roster keep its real classes and pupils, whatever the assignment says; only if the
        assignment has that year. The next year starts from their number.

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
    教督〔2017〕6号; GB 50099-2011 §3.0.1; 国发〔2016〕40号; 均衡编班: an even split.

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
    bounds = _bounds(standards)
    seated = _seated(assignment)
    rows: list[tuple[object, ...]] = []
    for school_id in sorted({*seated, *real}):
        years = seated.get(school_id, {})
        if school_id in real:
            years = {**years, int(base_year or 0): {}}
        before: dict[int, int] = {}
        for year in sorted(years):
            school = known.get((school_id, year)) or known.get((school_id, None))
            if year == base_year and school_id in real:
                school = known.get((school_id, None), _School(0, False))
                groups = _rostered(real[school_id], school, bounds, year)
            elif school is None:
                raise ValueError(f"pupils are assigned to {school_id!r}, which is not among the schools")
            else:
                # only what the year before had moves up
                carried = {grade + 1: n for grade, n in before.items() if grade != LAST_PRIMARY_GRADE} if year - 1 in years else {}
                groups = _form(years[year], school, bounds, year, carried)
            rows += _rows(school_id, year, groups, school.rooms, bounds)
            before = {group.grades[0]: len(group.sizes) for group in groups if len(group.grades) == 1}
    return check("classes", pd.DataFrame(rows, columns=list(_COLUMNS))) if rows else empty("classes")


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


def class_shares(
    classes: pd.DataFrame, schools: pd.DataFrame, townships: pd.DataFrame, standards: Standards, *, view: str, teaching_points: bool = True
) -> pd.DataFrame:
    """Count oversized classes and their share in the county, its townships, urban and rural places and kinds of school.

    Parameters
    ----------
    classes
        Table ``classes`` of :func:`class_sizes`.
    schools
        Table ``schools``: township, urban or rural, and kind of every school that has classes.
    townships
        Table ``townships``: one without classes has a row all the same.
    standards
        Largest shares allowed, with their dates.
    view
        ``today`` or ``planned``.
    teaching_points
        False leaves the classes of teaching points out, as some official forms do.

    Returns
    -------
    pandas.DataFrame
        Table ``class_shares``. Shares are of 1, and empty where there is no class. ``share_max`` is the least share of oversized
        classes that is allowed by the end of the school year.

    Raises
    ------
    ValueError
        If classes are those of a school that is not among the schools, or were not made by :func:`class_sizes`.

    References
    ----------
    国发〔2016〕40号; 贵州省整体提升教育水平攻坚行动计划（2021—2030年）.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> standards = read_standards()
    >>> pupils = pd.DataFrame({"school_id": "S1", "year": 2026, "grade": [1, 2], "status": "served", "pupils": [100, 400]})
    >>> classes = class_sizes(pupils, paper.schools, paper.rosters, standards)
    >>> shares = class_shares(classes, paper.schools, paper.townships, standards, view="today")
    >>> shares.loc[shares["level"] == "township", ["area_id", "classes", "oversized", "above_standard", "met"]].values.tolist()
    [['T1', 6, 4, 6, False], ['T2', 0, 0, 0, True]]
    """
    counted = _with_schools(classes, schools)
    if not teaching_points:
        counted = counted[counted["kind"] != "teaching_point"]
    places = pd.DataFrame({"area_id": townships["township_id"].astype("str")})
    parts = []
    for level, column in (("county", ""), ("township", "township_id"), ("urban_rural", "urban_rural"), ("school_kind", "kind")):
        rows = counted.assign(area_id=counted[column].astype("str") if column else "")
        grouped = rows.groupby(["year", "area_id"], sort=True)
        part = grouped[["classes", "oversized_classes", "super_classes", "above_standard", "oversized_pupils"]].sum()
        part = part.assign(largest_class=grouped["largest_class"].max()).reset_index()
        if level == "township":
            every = pd.DataFrame({"year": sorted(set(counted["year"]))}).merge(places, how="cross")
            part = every.merge(part, on=["year", "area_id"], how="outer").fillna(0)
        parts.append(part.assign(level=level))
    out = pd.concat(parts, ignore_index=True).rename(columns={"oversized_classes": "oversized", "super_classes": "super"})
    if not len(out):
        return empty("class_shares")
    some = out["classes"].where(out["classes"] > 0)
    out["oversized_share"], out["super_share"] = out["oversized"] / some, out["super"] / some
    lines = [standards.rules[key] for key in ("class_size.oversize.share_max.guizhou", "class_size.oversize.share_max")]
    allowed = {year: min([standards[r.key] for r in lines if _in_force(r, year)], default=np.nan) / 100 for year in set(out["year"])}
    out["share_max"] = out["year"].map(allowed)
    out["met"] = ~(out["oversized_share"] > out["share_max"])
    return check("class_shares", out.assign(view=view))


def class_targets(classes: pd.DataFrame, schools: pd.DataFrame, standards: Standards, *, view: str, since: int | None = None) -> pd.DataFrame:
    """Say of every target for class sizes whether it is met, and whether it is due.

    Parameters
    ----------
    classes
        Table ``classes`` of :func:`class_sizes`, the whole county.
    schools
        Table ``schools``: which are incomplete primary schools.
    standards
        Targets, their dates and documents; the county's schedule.
    view
        ``today`` or ``planned``.
    since
        First school year wanted; None wants all.

    Returns
    -------
    pandas.DataFrame
        Table ``class_targets``. Shares are percent of all classes; largest classes are pupils; a step of the schedule is met when no
        class that it reaches is above it. Steps not begun are shown with the first one's date. Years without classes have no row.

    Raises
    ------
    ValueError
        If classes are those of a school that is not among the schools, or were not made by :func:`class_sizes`.

    References
    ----------
    贵州省整体提升教育水平攻坚行动计划（2021—2030年）; 国发〔2016〕40号; 教督〔2017〕6号; GB 50099-2011 §3.0.1; the county's own schedule.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> standards = read_standards()
    >>> pupils = pd.DataFrame({"school_id": "S1", "year": 2026, "grade": [1], "status": "served", "pupils": [290]})
    >>> classes = class_sizes(pupils, paper.schools, paper.rosters, standards)
    >>> found = class_targets(classes, paper.schools, standards, view="today").set_index("target")
    >>> found.loc[["oversized_zero", "primary_max"], ["value", "bound", "met", "in_force"]].values.tolist()
    [[0.0, 0.0, True, True], [49.0, 45.0, False, True]]
    """
    table = _with_schools(classes, schools)
    grades = table["grades"].astype("str")
    first, last = (grades.str[i].astype("int64").to_numpy() for i in (0, -1))
    incomplete, primary = table["kind"].isin(INCOMPLETE).to_numpy(), last <= LAST_PRIMARY_GRADE
    stage = np.where(incomplete, "primary_incomplete", np.where(primary, "primary", "junior"))
    alone = np.array([[standards.class_size(g, incomplete=i) for g in GRADES] for i in (False, True)])[incomplete.astype(int), first - 1]
    plain = np.where(table["mixed"], np.minimum(alone, standards["class_size.mixed.max_pupils"]), alone)
    table = table.assign(stage=stage, primary=primary, incomplete=incomplete, lowered=table["standard"] < plain)
    rows: list[dict[str, object]] = []
    for year in sorted(set(table["year"].tolist())):
        group = table[table["year"] == year]
        if since is None or year >= since:
            rows += [*_rule_targets(year, group, standards), *_step_targets(year, group, standards)]
    return check("class_targets", pd.DataFrame(rows).assign(view=view)) if rows else empty("class_targets")


def _rule_targets(year: int, group: pd.DataFrame, standards: Standards) -> Iterator[dict[str, object]]:
    total = group["classes"].sum()
    shares = {
        "oversized_zero": ("class_size.oversize.share_max.guizhou", "oversized_classes"),
        "oversized_share": ("class_size.oversize.share_max", "oversized_classes"),
        "super_share": ("class_size.super_oversize.share_max", "super_classes"),
    }
    largest = {
        "primary_max": ("class_size.yzjh.primary.max", group["primary"]), "junior_max": ("class_size.yzjh.junior.max", ~group["primary"]),
        "incomplete_max": ("class_size.design.primary_incomplete", group["incomplete"]),
    }  # fmt: skip
    for target, (key, column) in shares.items():
        failing = group.loc[group[column] > 0, "school_id"].nunique()
        yield _target(year, target, standards.rules[key], "percent", 100 * group[column].sum() / total, standards[key], failing)
    for target, (key, mask) in largest.items():
        some = group[mask]
        failing = some.loc[some["largest_class"] > standards[key], "school_id"].nunique()
        yield _target(year, target, standards.rules[key], "pupils", max(some["largest_class"], default=0), standards[key], failing)


def _target(year: int, target: str, rule: Rule, unit: str, value: float, bound: float, failing: int) -> dict[str, object]:
    return {
        "year": year, "target": target, "level": rule.level, "due": rule.valid_from, "valid_to": rule.valid_to, "unit": unit,
        "value": float(value), "bound": bound, "met": bool(value <= bound), "in_force": _in_force(rule, year), "schools_failing": failing,
        "clause_zh": rule.cite("zh"), "clause_en": rule.cite("en"), "unverified": rule.verified == "U",
    }  # fmt: skip


def _step_targets(year: int, group: pd.DataFrame, standards: Standards) -> Iterator[dict[str, object]]:
    for stage in STAGES:
        steps = [step for step in standards.steps if step.stage == stage]
        if not steps:
            continue
        step = max((s for s in steps if s.from_year <= year), key=lambda s: s.from_year, default=steps[0])
        reached = group[(group["stage"] == stage) & group["lowered"]]
        above = int(reached["above_standard"].sum())
        said = {f"clause_{lang}": messages.text("standards.step", lang, pupils=step.pupils, cite=step.cite(lang)) for lang in messages.LANGUAGES}
        yield {
            "year": year, "target": f"schedule_{stage}", "level": "county", "due": f"{step.from_year}-09-01", "valid_to": "",
            "unit": "classes", "value": float(above), "bound": 0.0, "met": above == 0, "in_force": step.from_year <= year,
            "schools_failing": reached.loc[reached["above_standard"] > 0, "school_id"].nunique(), **said, "unverified": step.unverified,
        }  # fmt: skip


def _in_force(rule: Rule, year: int) -> bool:
    """Say whether a target is due by the end of the school year that starts in a year, and not replaced by then."""
    end = f"{year + 1}-08-31"
    return rule.valid_from <= end and not ("" < rule.valid_to <= end)


def _with_schools(classes: pd.DataFrame, schools: pd.DataFrame) -> pd.DataFrame:
    gone = {"above_standard", "oversized_pupils"} - set(classes)
    if gone or classes[["above_standard", "oversized_pupils"]].isna().to_numpy().any():
        raise ValueError("the classes lack above_standard and oversized_pupils: make them with class_sizes")
    columns = ["school_id", *(c for c in ("township_id", "urban_rural", "kind") if c in schools)]
    out = classes.merge(pd.DataFrame(schools)[columns], on="school_id", how="left", indicator=True)
    strange = sorted(set(out.loc[out["_merge"] == "left_only", "school_id"]))
    if strange:
        raise ValueError(f"classes of schools that are not among the schools: {', '.join(strange)}")
    return out.drop(columns="_merge")


def _seated(assignment: pd.DataFrame) -> dict[str, dict[int, dict[int, int]]]:
    # pupils by grade of every school and year
    seated = assignment[(assignment["school_id"].astype("str") != "") & (assignment["pupils"] > 0)]
    sums = seated.groupby(["school_id", "year", "grade"], sort=True, observed=True)["pupils"].sum().reset_index()
    out: dict[str, dict[int, dict[int, int]]] = {}
    for name, year, grade, n in zip(*(sums[c].tolist() for c in ("school_id", "year", "grade", "pupils")), strict=True):
        out.setdefault(str(name), {}).setdefault(int(year), {})[int(grade)] = int(n)
    return out


def _bounds(standards: Standards) -> _Bounds:
    @cache
    def class_size(grade: int, incomplete: bool, year: int) -> int:
        return standards.class_size(grade, incomplete=incomplete, year=year)

    return _Bounds(
        standards["class_size.small.max"], standards["class_size.oversize.min"], standards["class_size.super_oversize.min"],
        int(standards["class_size.mixed.max_grades"]), int(standards["class_size.mixed.max_pupils"]), class_size,
    )  # fmt: skip


def _tier(largest: int, normal: float, bounds: _Bounds) -> str:
    if largest >= bounds.super_:
        return "super"
    if largest >= bounds.oversized:
        return "oversized"
    if largest <= bounds.small:
        return "small"
    return "normal" if largest <= normal else "elevated"


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


def _rostered(classes: Mapping[int, Sequence[int]], school: _School, bounds: _Bounds, year: int) -> list[_Group]:
    groups = []
    for grade, sizes in sorted(classes.items()):
        standard = bounds.class_size(grade, school.incomplete, year)
        groups.append(_Group((grade,), tuple(sizes), standard, _classes_at(sum(sizes), standard)))
    return groups


def _form(pupils: Mapping[int, int], school: _School, bounds: _Bounds, year: int, carried: Mapping[int, int]) -> list[_Group]:
    grades = sorted(pupils)
    standard = [bounds.class_size(g, school.incomplete, year) for g in grades]
    if not school.incomplete or school.rooms >= len(grades):
        totals = [pupils[g] for g in grades]
        counts = keep_classes(totals, standard, school.rooms, [carried.get(g, 0) for g in grades])
        return [
            _Group((g,), _even(n, count), s, _classes_at(n, s)) for g, n, count, s in zip(grades, totals, counts, standard, strict=True)
        ]  # fmt: skip
    of_grade = dict(zip(grades, standard, strict=True))
    runs = _mixed_runs(pupils, max(school.rooms, 1), bounds, min(bounds.most_pupils, *standard))
    totals = [sum(pupils[g] for g in run) for run in runs]
    # a mixed class is never split: it would not have been formed
    most = [of_grade[run[0]] if len(run) == 1 else total for run, total in zip(runs, totals, strict=True)]
    groups = []
    for run, total, count in zip(runs, totals, share_rooms(totals, most, school.rooms), strict=True):
        bound = of_grade[run[0]] if len(run) == 1 else min(bounds.most_pupils, *(of_grade[g] for g in run))
        needed = max(_classes_at(total, bound), 1 if len(run) == 1 else -(-len(run) // bounds.most_grades))
        groups.append(_Group(run, _even(total, count), bound, needed))
    return groups


def keep_classes(pupils: Sequence[int], standard: Sequence[int], rooms: int, carried: Sequence[int]) -> list[int]:
    """Count the classes of each grade when cohorts keep the classes they had a year before.

    A grade starts with its cohort's classes, or with one where there is none to keep; a class without children disappears. Further
    rooms go to grades above their standard, as in :func:`share_rooms`. A cohort loses a class only where rooms are short: while
    there are fewer rooms than classes, and while a grade is above its standard, no room is free and another cohort's classes are
    more than its own standard asks for. Of the cohorts that can lose one, it is the one whose classes stay smallest, then the
    smaller cohort, then the higher grade.

    Parameters
    ----------
    pupils
        Pupils of each grade, at least one, the lower grade first.
    standard
        Class-size standard of each grade.
    rooms
        Classrooms; with fewer than grades each grade still has one class.
    carried
        Classes that each cohort had the year before; 0 for a grade that is formed anew.

    Returns
    -------
    list of int
        Classes of each grade. If the rooms hold the classes that all standards ask for, no class is above its standard.

    References
    ----------
    均衡编班 at entry; Adams' method for the rooms that are added and, run backwards, for those that are taken.

    Examples
    --------
    >>> keep_classes([50, 40], [45, 45], 4, [0, 2])
    [2, 2]
    >>> keep_classes([50, 40], [45, 45], 3, [0, 2])
    [2, 1]
    """
    counts = [min(max(kept, 1), p) for kept, p in zip(carried, pupils, strict=True)]

    def merge(least: Sequence[int]) -> bool:
        able = [(_classes_at(pupils[i], counts[i] - 1), pupils[i], -i) for i in range(len(counts)) if counts[i] > least[i]]
        if able:
            counts[-min(able)[2]] -= 1
        return bool(able)

    while sum(counts) > rooms and merge([1] * len(counts)):
        pass
    counts[:] = share_rooms(pupils, standard, rooms, least=counts)
    needed = [_classes_at(p, s) for p, s in zip(pupils, standard, strict=True)]
    while any(c < n for c, n in zip(counts, needed, strict=True)) and merge(needed):
        counts[:] = share_rooms(pupils, standard, rooms, least=counts)
    return counts


def share_rooms(pupils: Sequence[int], standard: Sequence[int], rooms: int, *, least: Sequence[int] | None = None) -> list[int]:
    """Share rooms among grades so that the largest class above its standard is as small as can be.

    Parameters
    ----------
    pupils
        Pupils of each grade, at least one.
    standard
        Class-size standard of each grade.
    rooms
        Classrooms; with fewer than grades each grade still has one class.
    least
        Classes that each grade has already; None is one each.

    Returns
    -------
    list of int
        Classes of each grade, at least those it has, else never more than its standard asks for.

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
    counts = [1] * len(pupils) if least is None else list(least)
    largest_now = [_classes_at(p, c) for p, c in zip(pupils, counts, strict=True)]
    above = [(-n, g) for g, (n, s) in enumerate(zip(largest_now, standard, strict=True)) if n > s]
    heapq.heapify(above)
    for _ in range(rooms - sum(counts)):
        if not above:
            break
        _, grade = heapq.heappop(above)
        counts[grade] += 1
        largest = _classes_at(pupils[grade], counts[grade])
        if largest > standard[grade]:
            heapq.heappush(above, (-largest, grade))
    return counts


def _mixed_runs(pupils: Mapping[int, int], rooms: int, bounds: _Bounds, most: int) -> list[tuple[int, ...]]:
    grades = sorted(pupils)
    upto = np.cumsum([0, *(pupils[g] for g in grades)])
    # the longest runs one after the other are the fewest: part of a run that is allowed is allowed too
    count, start = 1, 0
    for i in range(1, len(grades)):
        if i + 1 - start > bounds.most_grades or upto[i + 1] - upto[start] > most:
            count, start = count + 1, i
    cuts = _cuts(len(grades), min(count, rooms))
    totals, lengths = np.diff(upto[cuts], axis=1), np.diff(cuts, axis=1)
    if count <= rooms:
        allowed = (lengths == 1) | ((lengths <= bounds.most_grades) & (totals <= most))
        cuts, totals = cuts[allowed.all(axis=1)], totals[allowed.all(axis=1)]
    best = cuts[np.lexsort(((totals * totals).sum(axis=1), totals.max(axis=1)))[0]]
    return [tuple(grades[a:b]) for a, b in pairwise(best)]


@cache
def _cuts(grades: int, count: int) -> np.ndarray:
    """Return every cut of so many grades into so many runs, the earlier first."""
    return np.array([(0, *inner, grades) for inner in combinations(range(1, grades), count - 1)])


def _rooms_missing(groups: Sequence[_Group], rooms: int) -> list[int]:
    """Lay the rooms that a school lacks on its grades, so that the rows add up to the school."""
    total = max(sum(max(g.needed, len(g.sizes)) for g in groups) - rooms, 0)
    if not total:
        return [0] * len(groups)
    lacking = [max(g.needed - len(g.sizes), 0) for g in groups]
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


def _rows(school_id: str, year: int, groups: Sequence[_Group], rooms: int, bounds: _Bounds) -> Iterator[tuple[object, ...]]:
    for group, missing in zip(groups, _rooms_missing(groups, rooms), strict=True):
        grades, sizes, standard = group.grades, group.sizes, group.standard
        largest, pupils, mixed = max(sizes), sum(sizes), len(grades) > 1
        # most rows are below every bound
        oversized = [n for n in sizes if n >= bounds.oversized] if largest >= bounds.oversized else []
        super_ = sum(n >= bounds.super_ for n in oversized)
        above = sum(n > standard for n in sizes) if largest > standard else 0
        yield (
            school_id, year, f"{grades[0]}-{grades[-1]}" if mixed else str(grades[0]), ",".join(map(str, grades)), pupils, len(sizes),
            pupils / len(sizes), largest, len(oversized), super_, _tier(largest, standard, bounds), standard, missing, mixed, above,
            sum(oversized),
        )  # fmt: skip


def _even(total: int, count: int) -> tuple[int, ...]:
    low, more = divmod(total, count)
    return (low + 1,) * more + (low,) * (count - more)


def _classes_at(pupils: int, standard: int) -> int:
    return -(-pupils // standard)
