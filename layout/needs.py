"""What schools will lack: the first year of too large classes and how sure it is; rooms, beds, staff and money of every year."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from layout.children import INCOMPLETE
from layout.draws import PupilDraws, school_draws
from layout.standards import Standards
from layout.tables import check, empty

# a school of unknown kind that ends before this grade is an incomplete primary school
LAST_PRIMARY_GRADE = 6
BREACHES = ("above_standard", "oversized", "super")
STANDARD_KEYS = ("yzjh", "design", "rural_far", "oversize")
_LARGE_KINDS = ("nine_year", "twelve_year")
_KEYS = {
    "yzjh": ("class_size.yzjh.primary.max", "class_size.yzjh.junior.max"),
    "design": ("class_size.design.primary", "class_size.design.junior"),
    "rural_far": ("class_size.rural.primary.far", "class_size.rural.junior.far"),
}


def breaches(
    classes: pd.DataFrame,
    standards: Standards,
    *,
    draws: PupilDraws | None = None,
    assignment: pd.DataFrame | None = None,
    whole_county: bool = False,
    base_year: int | None = None,
) -> pd.DataFrame:
    """Find the first year in which the classes of a school and grade are too large, and how sure that is.

    The largest class of a grade, or of the mixed class that holds it, is held against the standard of its row, against the first size
    that is oversized (56) and the first that is super (66). With draws, the children of each draw go where the assignment sends those of
    their settlement, year and grade; the classes of the year stay as many as in ``classes``, spread evenly, so that the largest has
    ceil(pupils / classes): a share of draws, never a rounded mean held against a bound.

    Parameters
    ----------
    classes
        Table ``classes``.
    standards
        ``class_size.oversize.min`` and ``class_size.super_oversize.min``.
    draws
        From :func:`layout.draw_pupils`, holding the years of ``classes``; None: no probabilities.
    assignment
        Table ``assignment`` behind the classes; needed with draws.
    whole_county
        As for :func:`layout.school_ranges`.
    base_year
        Year whose classes are real ones: they were counted, so that they are too large in every draw or in none.

    Returns
    -------
    pandas.DataFrame
        Table ``breaches``, key school_id, grade, breach: the years in which the expected classes are too large, the largest class in the
        first of them and of all, ``probability`` in the first year and ``probability_any`` in any year of ``classes``. Schools and
        grades that are never too large have no row, however likely draws make it.

    Raises
    ------
    ValueError
        If draws come without an assignment, or do not hold a year of ``classes``.

    References
    ----------
    国发〔2016〕40号 (56 and 66); 教督〔2017〕6号: every class, not the mean.

    Examples
    --------
    >>> pupils = pd.DataFrame({"school_id": "S1", "year": [2026, 2027], "grade": 1, "status": "served", "pupils": [55, 56]})
    >>> schools = paper.schools.assign(rooms=1)
    >>> classes = layout.class_sizes(pupils, schools, paper.rosters, layout.read_standards())
    >>> breaches(classes, layout.read_standards())[["breach", "first_year", "largest_class", "years"]].values.tolist()
    [['above_standard', 2026, 55, 2], ['oversized', 2027, 56, 1]]
    """
    if not len(classes):
        return empty("breaches")
    table = classes.reset_index(drop=True)
    bounds = {
        "above_standard": table["standard"].to_numpy(float) + 1,
        "oversized": np.full(len(table), standards["class_size.oversize.min"]),
        "super": np.full(len(table), standards["class_size.super_oversize.min"]),
    }
    parts = [table.assign(row=np.arange(len(table)), breach=name, bound=bounds[name]) for name in BREACHES]
    cells = pd.concat(parts, ignore_index=True)
    cells = cells.assign(grade=cells["grades"].str.split(",")).explode("grade").astype({"grade": int})
    cells = cells.sort_values(["school_id", "grade", "breach", "year"], kind="stable", ignore_index=True)
    cells["over"] = cells["largest_class"] >= cells["bound"]
    key = ["school_id", "grade", "breach"]
    found = cells[cells["over"]].groupby(key, sort=True, observed=True)
    out = found.agg(
        first_year=("year", "first"), largest_class=("largest_class", "first"), last_year=("year", "last"), years=("year", "size"),
        peak_largest=("largest_class", "max"),
    ).reset_index()  # fmt: skip
    if not len(out):
        return empty("breaches")
    if draws is None:
        return check("breaches", out)
    if assignment is None:
        raise ValueError("draws need the assignment that says which school children go to")
    strange = sorted(set(table["year"]) - set(draws.years) - {base_year})
    if strange:
        raise ValueError(f"the draws do not hold the years {', '.join(str(y) for y in strange)} of the classes")
    cells = cells.merge(out[[*key, "first_year"]], on=key)
    cells["drawn"] = pd.RangeIndex(len(cells))
    over = _drawn_over(cells, draws, assignment, whole_county=whole_county, base_year=base_year)
    first = cells[cells["year"] == cells["first_year"]]
    out["probability"] = over[:, first["drawn"].to_numpy()].mean(axis=0)
    starts = np.flatnonzero((cells[key] != cells[key].shift()).any(axis=1).to_numpy())
    out["probability_any"] = np.logical_or.reduceat(over, starts, axis=1).mean(axis=0)
    return check("breaches", out)


def school_needs(
    classes: pd.DataFrame,
    assignment: pd.DataFrame,
    schools: pd.DataFrame,
    standards: Standards,
    *,
    school_years: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Reckon the rooms, beds, staff and public funds that every school needs in every year.

    Posts are the pupils over the pupils a post; small schools (at most ``layout.small_school.max`` pupils, no junior grades, in a village
    or of unknown place, or a teaching point or small primary school) also get posts by class, and the larger number counts. That rule is
    unverified. Posts are of all staff while ``teachers`` are full-time teachers, so ``teachers_missing`` is the most that can be missing.

    Public funds are the amounts of today in every year: pupils by stage, the supplement of boarders, and what the floor adds, which funds
    a small rural school (village, unknown place, teaching point) as if it had ``fund.small_floor`` pupils; those it has not are paid at the
    primary amount, in a school of junior grades alone at the junior one. A school without pupils gets nothing. Help to poor boarders,
    heating and repair are no part of it.

    Parameters
    ----------
    classes
        Table ``classes``: pupils and classes, in the base year those of the roll.
    assignment
        Table ``assignment``: who boards.
    schools
        Table ``schools``: kind, place, teachers; rooms and beds where ``school_years`` has no rows of a year.
    standards
        ``staff.*``, ``fund.*``, ``boarding.bed``, ``size.max.*`` and the class-size standards.
    school_years
        Table ``school_years``; a year that it holds has its schools and no others.

    Returns
    -------
    pandas.DataFrame
        Table ``school_needs``, key school_id, year: every open school of every year of ``classes`` and ``assignment``, those without
        pupils too; special schools are left out. ``rooms_missing`` is the sum of that of ``classes``. ``teachers_missing`` is NaN where
        the teachers are not known.

    Raises
    ------
    ValueError
        If classes belong to a school that is not open in their year.

    References
    ----------
    国办发〔2001〕74号 附表; 教督〔2017〕6号 政府保障程度第4—6项; 教体艺〔2008〕5号.

    Examples
    --------
    >>> standards = layout.read_standards()
    >>> pupils = pd.DataFrame({"school_id": "S1", "year": 2026, "grade": [1, 2], "mode": "walk", "status": "served", "pupils": [60, 39]})
    >>> classes = layout.class_sizes(pupils, paper.schools, paper.rosters, standards)
    >>> needs = school_needs(classes, pupils, paper.schools, standards)
    >>> needs[["pupils", "classes", "posts", "funding_yuan", "funding_floor_yuan"]].values.tolist()
    [[99.0, 3.0, 6.0, 72000.0, 720.0], [0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    years = sorted({int(y) for y in classes["year"]} | {int(y) for y in assignment["year"]})
    standing = standing_schools(schools, school_years, years)
    groups = class_groups(classes, standing, standards)
    if not len(standing):
        return empty("school_needs")
    n = len(standing)
    at = groups["standing"].to_numpy(int)
    junior = groups["first_grade"].to_numpy(int) > LAST_PRIMARY_GRADE
    heads = groups["pupils"].to_numpy(float)
    by_stage = {stage: np.bincount(at, heads * mask, minlength=n) for stage, mask in (("primary", ~junior), ("junior", junior))}
    pupils = by_stage["primary"] + by_stage["junior"]
    number = np.bincount(at, groups["classes"].to_numpy(float), minlength=n)
    boarding = assignment[(assignment["mode"] == "board") & (assignment["school_id"].astype("str") != "")]
    boarders = np.bincount(_place(boarding, standing), boarding["pupils"].to_numpy(float), minlength=n)
    missing = np.bincount(at, groups["rooms_missing"].to_numpy(float), minlength=n)
    incomplete, last = standing["incomplete"].to_numpy(bool), standing["last_grade"].to_numpy(int)
    rural = standing["urban_rural"].isin(["", "village"]).to_numpy() | incomplete
    small = rural & (pupils > 0) & (pupils <= standards["layout.small_school.max"]) & (last <= LAST_PRIMARY_GRADE)
    ratio = sum(by_stage[stage] / standards[f"staff.ratio.{stage}"] for stage in ("primary", "junior"))
    by_class = np.where(small, number * standards["staff.small_school.per_class"], np.nan)
    posts = np.ceil(np.round(np.fmax(ratio, by_class), 6))
    teachers = standing["teachers"].to_numpy(float)
    doubtful = [standards.rules[key].verified == "U" for key in ("staff.ratio.primary", "staff.ratio.junior", "staff.small_school.per_class")]
    unverified = np.select(
        [small & (np.nan_to_num(by_class) > ratio), by_stage["junior"] > 0], [doubtful[2], doubtful[0] or doubtful[1]], doubtful[0]
    )
    beds = standing["beds"].to_numpy(float)
    size = size_limits(standing, standards)
    rate = np.where(
        standing["first_grade"].to_numpy(int) <= LAST_PRIMARY_GRADE, standards["fund.per_pupil.primary"], standards["fund.per_pupil.junior"]
    )
    floor = np.where(rural & (pupils > 0), np.maximum(standards["fund.small_floor"] - pupils, 0) * rate, 0.0)
    supplement = boarders * standards["fund.boarder_extra"]
    basic = sum(by_stage[stage] * standards[f"fund.per_pupil.{stage}"] for stage in ("primary", "junior"))
    return check("school_needs", pd.DataFrame({
        "school_id": standing["school_id"], "year": standing["year"], "pupils": pupils, "boarders": boarders, "classes": number,
        "rooms": standing["rooms"], "rooms_missing": missing, "posts_by_ratio": ratio, "posts_by_class": by_class, "posts": posts,
        "teachers": teachers, "teachers_missing": np.maximum(posts - teachers, 0), "unverified": unverified, "beds": beds,
        "beds_missing": np.maximum(np.ceil(np.round(boarders * standards["boarding.bed"], 6)) - beds, 0), "size_max": size,
        "size_exceeded": pupils > size, "funding_yuan": basic + supplement + floor, "funding_boarders_yuan": supplement,
        "funding_floor_yuan": floor,
    }))  # fmt: skip


def rooms_needed(
    classes: pd.DataFrame, schools: pd.DataFrame, standards: Standards, *, school_years: pd.DataFrame | None = None, years: Iterable[int] = ()
) -> pd.DataFrame:
    """Count the classes that every school needs at each class-size standard, and the rooms it lacks or has to spare for them.

    The standards are ``yzjh`` (in force: 45 and 50, of every class), ``design`` (design code: 45, 50), ``rural_far`` (long term in the
    country: 40, 45) and ``oversize`` (no class of 56 or more). Teaching points and small primary schools have 30 at the first three. A mixed
    class has at most ``class_size.mixed.max_pupils`` as well, but at the last. Pupils of a grade need ceil(pupils / standard) classes; a
    grade that has more classes than the standard in force asks for, as real ones may, keeps them.

    Parameters
    ----------
    classes
        Table ``classes``.
    schools
        Table ``schools``.
    standards
        Class-size standards.
    school_years
        As for :func:`school_needs`.
    years
        Years to show beside those of ``classes``.

    Returns
    -------
    pandas.DataFrame
        Table ``rooms_needed``, key school_id, year, standard_key: every open school, special ones left out. ``seats_spare`` counts the free
        seats of the classes needed and whole spare rooms at the size of the lowest grade; it is 0 where rooms are missing.

    Raises
    ------
    ValueError
        If classes belong to a school that is not open in their year.

    References
    ----------
    教督〔2017〕6号; GB 50099-2011 §3.0.1; 建标109-2008 第八条; 国发〔2016〕40号.

    Examples
    --------
    >>> standards = layout.read_standards()
    >>> pupils = pd.DataFrame({"school_id": "S1", "year": 2026, "grade": [1, 2], "status": "served", "pupils": [44, 90]})
    >>> classes = layout.class_sizes(pupils, paper.schools, paper.rosters, standards)
    >>> found = rooms_needed(classes, paper.schools, standards)
    >>> found[found.school_id == "S1"][["standard_key", "classes_needed", "rooms_spare", "seats_spare"]].values.tolist()
    [['design', 3, 3, 136], ['oversize', 3, 3, 196], ['rural_far', 5, 1, 106], ['yzjh', 3, 3, 136]]
    """
    standing = standing_schools(schools, school_years, sorted({int(y) for y in classes["year"]} | {int(y) for y in years}))
    groups = class_groups(classes, standing, standards)
    if not len(standing):
        return empty("rooms_needed")
    at, n = groups["standing"].to_numpy(int), len(standing)
    rooms = standing["rooms"].to_numpy(int)
    heads, real = groups["pupils"].to_numpy(float), groups["classes"].to_numpy(float)
    in_force, _ = _needed(groups, "yzjh", standards)
    parts = []
    for name in STANDARD_KEYS:
        needed, size = _needed(groups, name, standards)
        # classes that exist beyond what is asked for are real ones, which nobody merges
        needed = np.where(real > in_force, np.maximum(needed, real), needed)
        total = np.bincount(at, needed, minlength=n).astype(int)
        free = np.bincount(at, np.maximum(needed * size - heads, 0), minlength=n).astype(int)
        spare = np.maximum(rooms - total, 0)
        first = standing["first_grade"].to_numpy(int)
        lowest = _sizes(first, standing["incomplete"].to_numpy(bool), name, standards)
        parts.append(pd.DataFrame({
            "school_id": standing["school_id"], "year": standing["year"], "standard_key": name, "classes_needed": total, "rooms": rooms,
            "rooms_missing": np.maximum(total - rooms, 0), "rooms_spare": spare, "seats_spare": np.where(total > rooms, 0, free + spare * lowest),
            "clauses": _clauses(standing, name),
        }))  # fmt: skip
    return check("rooms_needed", pd.concat(parts, ignore_index=True))


def standing_schools(schools: pd.DataFrame, school_years: pd.DataFrame | None, years: Iterable[int]) -> pd.DataFrame:
    """Return the schools that stand in each year, with their rooms, beds and grades.

    Parameters
    ----------
    schools
        Table ``schools``: those open stand in every year that ``school_years`` does not hold.
    school_years
        Table ``school_years``, or None; its own column ``kind`` goes before that of ``schools``.
    years
        Years to describe.

    Returns
    -------
    pandas.DataFrame
        school_id, year, kind, urban_rural (empty where not known), first_grade, last_grade, rooms, beds (0 where not known), teachers (NaN),
        expandable_rooms (left of those of today after what was built; NaN), incomplete (teaching point, small primary school, or of unknown
        kind and without grade 6); by school and year, without special schools.

    Examples
    --------
    >>> standing_schools(paper.schools, None, [2026])[["school_id", "rooms", "expandable_rooms"]].values.tolist()
    [['S1', 6, 4.0], ['S2', 9, 9.0]]
    """
    columns = ["school_id", "first_grade", "last_grade", "rooms", "beds", "kind"]
    now = pd.DataFrame(schools[schools["status"] == "open"]).reindex(columns=columns)
    known = pd.DataFrame(schools.drop(columns="geometry", errors="ignore")).set_index("school_id")
    frames = []
    for year in sorted({int(y) for y in years}):
        table = now
        if school_years is not None and bool((school_years["year"] == year).any()):
            table = pd.DataFrame(school_years[(school_years["year"] == year) & (school_years["status"] == "open")]).reindex(columns=columns)
        frames.append(table.assign(year=year))
    out = pd.concat(frames, ignore_index=True) if frames else now.iloc[:0].assign(year=0)
    out["school_id"] = out["school_id"].astype("str")
    kind = out["school_id"].map(known["kind"])
    own = out["kind"].astype("object").where(out["kind"].notna(), "").astype("str")
    out["kind"] = own.where(own != "", kind.astype("object").where(kind.notna(), "").astype("str"))
    for name, missing in (("urban_rural", ""), ("teachers", np.nan), ("expandable_rooms", np.nan)):
        values = out["school_id"].map(known[name]) if name in known else pd.Series(missing, index=out.index)
        out[name] = values.astype("object").where(values.notna(), "").astype("str") if missing == "" else values.astype(float)
    built = (out["rooms"].astype(float) - out["school_id"].map(known["rooms"]).astype(float)).fillna(0).clip(lower=0)
    out["expandable_rooms"] = (out["expandable_rooms"] - built).clip(lower=0)
    out["beds"] = out["beds"].astype(float).fillna(0).astype("int64")
    for name in ("first_grade", "last_grade", "rooms", "year"):
        out[name] = out[name].astype("int64")
    out["incomplete"] = np.where(out["kind"] == "", out["last_grade"] < LAST_PRIMARY_GRADE, out["kind"].isin(INCOMPLETE))
    return out[out["kind"] != "special"].sort_values(["school_id", "year"], kind="stable", ignore_index=True)


def class_groups(classes: pd.DataFrame, standing: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Return the rows of ``classes`` with their grades as numbers and the row of the school that they belong to.

    Parameters
    ----------
    classes
        Table ``classes``.
    standing
        From :func:`standing_schools`.
    standards
        ``class_size.mixed.max_grades``.

    Returns
    -------
    pandas.DataFrame
        The rows in their order with first_grade, last_grade, fewest (classes by the number of grades), standing (row number) and incomplete.

    Raises
    ------
    ValueError
        If a row belongs to a school that does not stand in its year.

    Examples
    --------
    >>> classes = pd.DataFrame({"school_id": ["S1"], "year": [2026], "grades": ["2,3"]})
    >>> there = standing_schools(paper.schools, None, [2026])
    >>> class_groups(classes, there, layout.read_standards())[["first_grade", "last_grade", "fewest", "standing"]].values.tolist()
    [[2, 3, 1, 0]]
    """
    out = classes.reset_index(drop=True)
    codes, texts = pd.factorize(out["grades"].astype("str"))
    grades = [[int(g) for g in str(text).split(",")] for text in texts]
    most = int(standards["class_size.mixed.max_grades"])
    for name, values in (
        ("first_grade", [g[0] for g in grades]),
        ("last_grade", [g[-1] for g in grades]),
        ("fewest", [-(-len(g) // most) for g in grades]),
    ):
        out[name] = np.array(values, "int64")[codes] if len(out) else np.array([], "int64")
    out["standing"] = _place(out, standing)
    out["incomplete"] = standing["incomplete"].to_numpy(bool)[out["standing"].to_numpy(int)] if len(out) else np.array([], bool)
    return out


def size_limits(standing: pd.DataFrame, standards: Standards) -> np.ndarray:
    """Return the most pupils that each school may have.

    Parameters
    ----------
    standing
        From :func:`standing_schools`.
    standards
        ``size.max.primary_junior``; ``size.max.nine_year`` for nine-year and twelve-year schools.

    Returns
    -------
    numpy.ndarray
        One number a row.

    Examples
    --------
    >>> size_limits(standing_schools(paper.schools, None, [2026]), layout.read_standards()).tolist()
    [2000.0, 2500.0]
    """
    large = standing["kind"].isin(_LARGE_KINDS).to_numpy()
    return np.where(large, standards["size.max.nine_year"], standards["size.max.primary_junior"])


def _place(rows: pd.DataFrame, standing: pd.DataFrame) -> np.ndarray:
    # row number of the school and year of each row
    index = pd.MultiIndex.from_arrays([standing["school_id"].astype("str"), standing["year"].astype("int64")])
    wanted = pd.MultiIndex.from_arrays([rows["school_id"].astype("str"), rows["year"].astype("int64")])
    found = index.get_indexer(wanted)
    if (found < 0).any():
        school, year = wanted[int(np.flatnonzero(found < 0)[0])]
        raise ValueError(f"pupils of {year} are at {school!r}, which is not open then")
    return found


def _sizes(grade: np.ndarray, incomplete: np.ndarray, name: str, standards: Standards) -> np.ndarray:
    """Return the class size of each grade at one of the standards."""
    if name == "oversize":
        return np.full(len(grade), standards["class_size.oversize.min"] - 1)
    primary, junior = (standards[key] for key in _KEYS[name])
    return np.where(incomplete, standards["class_size.design.primary_incomplete"], np.where(grade > LAST_PRIMARY_GRADE, junior, primary))


def _needed(groups: pd.DataFrame, name: str, standards: Standards) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes that each row needs at one of the standards, and their size."""
    incomplete, mixed = groups["incomplete"].to_numpy(bool), groups["mixed"].to_numpy(bool)
    ends = [_sizes(groups[c].to_numpy(int), incomplete, name, standards) for c in ("first_grade", "last_grade")]
    size = np.minimum(*ends)
    if name != "oversize":
        size = np.where(mixed, np.minimum(size, standards["class_size.mixed.max_pupils"]), size)
    return np.maximum(np.ceil(groups["pupils"].to_numpy(float) / size), groups["fewest"].to_numpy(float)), size


def _clauses(standing: pd.DataFrame, name: str) -> np.ndarray:
    if name == "oversize":
        return np.full(len(standing), "class_size.oversize.min", object)
    primary, junior = _KEYS[name]
    first, last = standing["first_grade"].to_numpy(int), standing["last_grade"].to_numpy(int)
    either = np.where(last <= LAST_PRIMARY_GRADE, primary, np.where(first > LAST_PRIMARY_GRADE, junior, f"{junior},{primary}"))
    return np.where(standing["incomplete"].to_numpy(bool), "class_size.design.primary_incomplete", either)


def _drawn_over(
    cells: pd.DataFrame, draws: PupilDraws, assignment: pd.DataFrame, *, whole_county: bool, base_year: int | None
) -> np.ndarray:  # fmt: skip
    """Say in which draws the classes of each cell are too large; counted classes are so in all or in none."""
    names, pupils = school_draws(draws, assignment, whole_county=whole_county)
    # pupils up to each grade, so that those of a mixed class are one difference
    upto = np.concatenate([np.zeros((*pupils.shape[:3], 1), np.int64), np.cumsum(pupils, axis=3)], axis=3)
    school, year = pd.Index(names).get_indexer(pd.Index(cells["school_id"].astype("str"))), pd.Index(draws.years).get_indexer(pd.Index(cells["year"]))
    spans = cells["grades"].str.split(",")
    low, high = spans.str[0].astype(int).to_numpy(), spans.str[-1].astype(int).to_numpy()
    counted = (cells["year"] == base_year).to_numpy() if base_year is not None else np.zeros(len(cells), bool)
    over = np.broadcast_to(cells["over"].to_numpy(bool) & counted, (len(draws.pupils), len(cells))).copy()
    # a school that the assignment sends nobody to has nobody in any draw
    drawn = np.flatnonzero(~counted & (school >= 0))
    number = upto[:, school[drawn], year[drawn], high[drawn]] - upto[:, school[drawn], year[drawn], low[drawn] - 1]
    largest = -(-number // cells["classes"].to_numpy(int)[drawn])
    over[:, drawn] = largest >= cells["bound"].to_numpy(float)[drawn]
    return over
