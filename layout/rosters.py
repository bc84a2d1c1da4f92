"""Today's classes from what a county has: rosters, totals by grade, or the official form's counts of classes by size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from layout.tables import CountyDataError, Problem, check, empty, schemas

# places that a note names before it only counts
_NAMED = 5
_Cell = tuple[str, int]
_Bin = tuple[int, int | None, int]


def rosters_from_totals(class_totals: pd.DataFrame, *, class_bins: pd.DataFrame | None = None) -> pd.DataFrame:
    """Make the classes of every school and grade from their number, their pupils and, where known, the counts of classes by size.

    With bins, each class lies in its bin and the pupils add up; among all such classes those are taken whose sizes are most even
    (least sum of squares). Without bins sizes differ by one at most.

    Parameters
    ----------
    class_totals
        Table ``class_totals``.
    class_bins
        Table ``class_bins``, any bins that do not overlap; grades without rows in it are split evenly.

    Returns
    -------
    pandas.DataFrame
        Table ``rosters``: the largest class of a grade has number 1. Grades without classes and pupils have no row.

    Raises
    ------
    CountyDataError
        Every contradiction: bins that do not add up to the classes, pupils that classes of these sizes cannot hold, pupils without
        a class, classes without pupils, bins that overlap or are turned round, bins of a grade that has no total.

    References
    ----------
    Even sizes between bounds: clamp one level to every class's bounds and raise it until the pupils are placed (water filling).

    Examples
    --------
    >>> totals = pd.DataFrame({"school_id": ["S1"], "grade": [1], "classes": [3], "pupils": [160]})
    >>> rosters_from_totals(totals)["pupils"].tolist()
    [54, 53, 53]
    >>> bins = pd.DataFrame({"school_id": "S1", "grade": 1, "low": [46, 56], "high": [50, 60], "classes": [2, 1]})
    >>> rosters_from_totals(totals, class_bins=bins)["pupils"].tolist()
    [60, 50, 50]
    """
    totals = _totals(class_totals)
    bins, problems = _bins(empty("class_bins") if class_bins is None else class_bins)
    faulty = {(str(p.fields["school"]), int(str(p.fields["grade"]))) for p in problems}
    for cell in sorted({*totals, *bins}):
        if cell not in faulty:
            problems += _contradictions(cell, totals.get(cell), bins.get(cell))
    if problems:
        raise CountyDataError(problems)
    rows = [
        (school, grade, i, size)
        for (school, grade), (classes, pupils) in totals.items() if classes
        for i, size in enumerate(_sizes(classes, pupils, bins.get((school, grade), [])), start=1)
    ]  # fmt: skip
    return check("rosters", pd.DataFrame(rows, columns=["school_id", "grade", "class_no", "pupils"])) if rows else empty("rosters")


def disagreements(rosters: pd.DataFrame, class_totals: pd.DataFrame, class_bins: pd.DataFrame) -> list[Problem]:
    """Compare real classes with totals and bins that were given beside them.

    Parameters
    ----------
    rosters, class_totals, class_bins
        Tables of the data dictionary; without rows where a county has none.

    Returns
    -------
    list of Problem
        One for each school and grade whose classes or pupils differ, and for each bin that holds another number of classes. A
        grade that only one of the two sheets has differs too; classes without pupils do not count.

    Examples
    --------
    >>> totals = pd.DataFrame({"school_id": ["S1"], "grade": [1], "classes": [1], "pupils": [31]})
    >>> found = disagreements(paper.rosters.iloc[:1], totals, layout.tables.empty("class_bins"))
    >>> [(p.key, p.fields["roster_pupils"]) for p in found]
    [('totals_differ', 30)]
    """
    real = _real(rosters)
    found: list[Problem] = []
    totals = _totals(class_totals)
    for school, grade in sorted({*totals, *real}) if totals else []:
        sizes, (classes, pupils) = real.get((school, grade), []), totals.get((school, grade), (0, 0))
        if (len(sizes), sum(sizes)) != (classes, pupils):
            about = {"roster_classes": len(sizes), "roster_pupils": sum(sizes), "classes": classes, "pupils": pupils}
            found.append(_problem("totals_differ", "class_totals", "classes", classes, (school, grade), **about))
    bins, faults = _bins(class_bins)
    for (school, grade), rows in sorted(bins.items()):
        for low, high, classes in rows:
            inside = sum(low <= n and (high is None or n <= high) for n in real.get((school, grade), []))
            if inside != classes:
                end = "∞" if high is None else high
                found.append(
                    _problem("bins_differ", "class_bins", "classes", classes, (school, grade), low=low, high=end, found=inside, classes=classes)
                )
    return faults + found


def roster_notes(schools: pd.DataFrame, rosters: pd.DataFrame, history: pd.DataFrame, *, base_year: int) -> list[tuple[str, dict[str, object]]]:
    """Say what in today's classes does not fit the schools and the enrolment history.

    Parameters
    ----------
    schools, rosters, history
        Tables of the data dictionary.
    base_year
        Year of the rosters.

    Returns
    -------
    list of tuple
        Message keys with their fields: pupils by school and grade that differ from the history of the base year, open schools of
        which the rosters have no grade, schools with pupils and no room. Nothing where there are no rosters.

    Examples
    --------
    >>> roster_notes(paper.schools.assign(rooms=[0, 9]), paper.rosters, paper.history, base_year=2025)
    [('note.rooms_none', {'count': 1, 'schools': 'S1'})]
    """
    real = _real(rosters)
    if not real:
        return []
    notes: list[tuple[str, dict[str, object]]] = []
    rostered = {school for school, _ in real}
    now = history[(history["year"] == base_year) & history["school_id"].isin(rostered)]
    places = []
    for school, grade, pupils in zip(now["school_id"], now["grade"], now["pupils"], strict=True):
        sizes = real.get((str(school), int(grade)), [])
        if round(pupils) != sum(sizes):
            places.append(f"{school} {grade}: {sum(sizes)} / {round(pupils)}")
    if places:
        notes.append(("note.rosters_history", {"year": base_year, "count": len(places), "places": _listed(places)}))
    open_ = schools[(schools["status"] == "open") & (schools["kind"] != "special")]
    missing = [str(s) for s in open_["school_id"] if s not in rostered]
    if missing:
        notes.append(("note.rosters_none", {"count": len(missing), "schools": "、".join(missing)}))
    roomless = [str(s) for s in schools.loc[schools["rooms"] == 0, "school_id"] if s in rostered]
    if roomless:
        notes.append(("note.rooms_none", {"count": len(roomless), "schools": "、".join(roomless)}))
    return notes


def _listed(places: Sequence[str]) -> str:
    return "、".join(places[:_NAMED]) + ("……" if len(places) > _NAMED else "")


def _real(rosters: pd.DataFrame) -> dict[_Cell, list[int]]:
    out: dict[_Cell, list[int]] = {}
    for school, grade, pupils in zip(rosters["school_id"], rosters["grade"], rosters["pupils"], strict=True):
        if pupils > 0:
            out.setdefault((str(school), int(grade)), []).append(int(pupils))
    return out


def _totals(class_totals: pd.DataFrame) -> dict[_Cell, tuple[int, int]]:
    table = check("class_totals", class_totals)
    columns = (table[c] for c in ("school_id", "grade", "classes", "pupils"))
    return {(str(s), int(g)): (int(n), int(p)) for s, g, n, p in zip(*columns, strict=True)}


def _bins(class_bins: pd.DataFrame) -> tuple[dict[_Cell, list[_Bin]], list[Problem]]:
    """Return the bins of each school and grade by rising size, and those that are turned round or overlap."""
    table = check("class_bins", class_bins)
    out: dict[_Cell, list[_Bin]] = {}
    problems = []
    columns = (table[c] for c in ("school_id", "grade", "low", "high", "classes"))
    for school, grade, low, high, classes in zip(*columns, strict=True):
        cell, end = (str(school), int(grade)), None if pd.isna(high) else int(high)
        before = out.setdefault(cell, [])
        if end is not None and end < low:
            problems.append(_problem("bin_turned", "class_bins", "low", low, cell, low=int(low), high=end))
            continue
        if before and (before[-1][1] is None or before[-1][1] >= low):
            problems.append(_problem("bins_overlap", "class_bins", "low", low, cell, low=int(low), before=before[-1][0]))
        before.append((int(low), end, int(classes)))
    return out, problems


def _contradictions(cell: _Cell, total: tuple[int, int] | None, bins: Sequence[_Bin] | None) -> Iterator[Problem]:
    if total is None:
        if any(n for _, _, n in bins or []):
            yield _problem("bins_without_total", "class_bins", "classes", sum(n for _, _, n in bins or []), cell)
        return
    classes, pupils = total
    if bins is not None and sum(n for _, _, n in bins) != classes:
        found = sum(n for _, _, n in bins)
        yield _problem("class_counts", "class_totals", "classes", classes, cell, found=found, classes=classes)
        return
    if not classes:
        if pupils:
            yield _problem("class_none", "class_totals", "classes", classes, cell, pupils=pupils)
        return
    if pupils < classes:
        yield _problem("class_fewer_pupils", "class_totals", "pupils", pupils, cell, classes=classes, pupils=pupils)
        return
    if bins is not None:
        lows, highs = _bounds(bins, pupils)
        if not sum(lows) <= pupils <= sum(highs):
            most = "∞" if any(high is None and n for _, high, n in bins) else sum(highs)
            about = {"classes": classes, "least": sum(lows), "most": most, "pupils": pupils}
            yield _problem("class_range", "class_totals", "pupils", pupils, cell, **about)


def _bounds(bins: Sequence[_Bin], pupils: int) -> tuple[list[int], list[int]]:
    # a class has at least one pupil; the open bin has no end but all the pupils
    lows = [max(low, 1) for low, _, n in bins for _ in range(n)]
    highs = [max(pupils, low) if high is None else high for low, high, n in bins for _ in range(n)]
    return lows, highs


def _sizes(classes: int, pupils: int, bins: Sequence[_Bin]) -> list[int]:
    lows, highs = _bounds(bins, pupils) if bins else ([1] * classes, [pupils] * classes)

    def filled(level: int) -> list[int]:
        return [min(max(level, low), high) for low, high in zip(lows, highs, strict=True)]

    level, above = 0, pupils + 1
    while above - level > 1:
        middle = (level + above) // 2
        level, above = (middle, above) if sum(filled(middle)) <= pupils else (level, middle)
    sizes, rest = filled(level), pupils - sum(filled(level))
    for i, more in enumerate(filled(level + 1)):
        if rest and more > sizes[i]:
            sizes[i], rest = more, rest - 1
    return sorted(sizes, reverse=True)


def _problem(key: str, table: str, column: str, value: object, cell: _Cell, **about: object) -> Problem:
    fields: Mapping[str, object] = {"school": cell[0], "grade": cell[1], **about}
    return Problem(key, "", schemas()[table].zh, None, schemas()[table].columns[column].zh, str(value), fields)
