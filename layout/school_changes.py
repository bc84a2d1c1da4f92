"""What a meeting changes about the schools: closed, changed and new ones, limits and class sizes, as the map saves them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import geopandas as gpd
import pandas as pd

from layout import messages
from layout.county import County
from layout.standards import Standards
from layout.tables import BANDS, CountyDataError, Problem, check, empty, schemas

#: Limits and class sizes that may be moved, and the rule of the standards that each stands for.
LIMITS = {f"{mode}.{band}": f"travel.limit.{mode}.{band}" for mode in ("walk", "bus") for band in BANDS} | {"week": "travel.limit.week"}
CLASS_SIZES = {
    "primary": "class_size.yzjh.primary.max", "junior": "class_size.yzjh.junior.max", "primary_incomplete": "class_size.design.primary_incomplete",
}  # fmt: skip
# nobody builds more of them, and longer names are cut off by no sheet
_MOST, _LONGEST, _FARTHEST = 1000, 200, 1440
_FIELDS = ("county", "schools_sha256", "year", "closed", "changed", "new", "limits", "class_size")


@dataclass(frozen=True)
class NewSchool:
    """A school that the meeting puts on the map; longitude and latitude in degrees."""

    school_id: str
    name: str
    kind: str
    lon: float
    lat: float
    first_grade: int
    last_grade: int
    rooms: int
    beds: int


@dataclass(frozen=True)
class ChangedSchool:
    """A school that stays, with the grades, rooms and beds that it is to have."""

    school_id: str
    kind: str
    first_grade: int
    last_grade: int
    rooms: int
    beds: int


@dataclass(frozen=True)
class SchoolChanges:
    """What differs from the county's own schools and figures.

    Parameters
    ----------
    county, schools_sha256
        Code of the county and :func:`school_fingerprint`, by which another county's file is told.
    year
        The school year that was looked at.
    closed
        Schools that stand no longer.
    changed, new
        Schools that change, and those that are added.
    limits
        Minutes one way by key of :data:`LIMITS`; only those that were moved.
    class_size
        Children a class by key of :data:`CLASS_SIZES`; only those that were moved.
    """

    county: str
    schools_sha256: str
    year: int
    closed: tuple[str, ...] = ()
    changed: tuple[ChangedSchool, ...] = ()
    new: tuple[NewSchool, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    class_size: Mapping[str, int] = field(default_factory=dict)


def school_fingerprint(schools: pd.DataFrame) -> str:
    """Return a hash of what schools a county has: their ids, kinds, grades, rooms, beds and whether they are open.

    Parameters
    ----------
    schools
        Table ``schools``.

    Returns
    -------
    str
        SHA-256, hexadecimal; names and places do not count.

    Examples
    --------
    >>> school_fingerprint(paper.schools)[:8]
    '7d72cf43'
    """
    columns = ["school_id", "kind", "first_grade", "last_grade", "rooms", "beds", "status"]
    rows = pd.DataFrame(schools[columns]).fillna({"beds": 0}).sort_values("school_id")
    lines = ["|".join(str(int(v)) if isinstance(v, float) else str(v) for v in row) for row in rows.itertuples(index=False)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_changes(text: str, county: County) -> SchoolChanges:
    """Read what the map saved, and refuse what does not fit this county.

    Parameters
    ----------
    text
        ``Scenario.school_changes``: a JSON object.
    county
        Whose schools are changed.

    Returns
    -------
    SchoolChanges
        Every school named is there, or is new.

    Raises
    ------
    CountyDataError
        Another county's file, schools that were changed since, unknown schools and values that cannot be: all at once.

    Examples
    --------
    >>> text = json.dumps({"county": "520000", "schools_sha256": school_fingerprint(paper.schools), "year": 2030, "closed": ["S1"]})
    >>> read_changes(text, paper).closed
    ('S1',)
    """
    try:
        given = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise CountyDataError([_problem("unreadable_changes", "", text[:60], error=str(error))]) from error
    if not isinstance(given, dict):
        raise CountyDataError([_problem("unreadable_changes", "", text[:60], error="{…}")])
    if str(given.get("county")) != county.code:
        raise CountyDataError([_problem("changes_of_other_county", "county", given.get("county"), county=county.name, code=county.code)])
    if given.get("schools_sha256") != school_fingerprint(county.schools):
        raise CountyDataError([_problem("changes_of_other_schools", "schools_sha256", given.get("schools_sha256"))])
    problems = [_problem("bad_setting", name, given[name], wanted=", ".join(_FIELDS)) for name in sorted(set(given) - set(_FIELDS))]
    open_ids = set(county.schools.loc[county.schools["status"] == "open", "school_id"])
    year = given.get("year")
    if not _count(year, 1991, 2100):
        problems.append(_problem("bad_setting", "year", year, wanted="1991-2100"))
    closed = _list(given, "closed", problems)
    problems += [_problem("unknown_school", "closed", s) for s in closed if not isinstance(s, str) or s not in open_ids]
    changed = [_school(row, "changed", ChangedSchool, problems) for row in _list(given, "changed", problems)]
    new = [_school(row, "new", NewSchool, problems) for row in _list(given, "new", problems)]
    problems += [_problem("unknown_school", "changed", s.school_id) for s in changed if s and s.school_id not in open_ids]
    problems += [_problem("school_there_already", "new", s.school_id) for s in new if s and s.school_id in open_ids]
    for name, rows in (("closed", closed), ("changed", [s.school_id for s in changed if s]), ("new", [s.school_id for s in new if s])):
        twice = sorted({str(r) for r in rows if rows.count(r) > 1})
        problems += [_problem("school_twice", name, s) for s in twice]
    limits = _numbers(given, "limits", LIMITS, _FARTHEST, problems)
    sizes = _numbers(given, "class_size", CLASS_SIZES, _MOST, problems)
    if problems:
        raise CountyDataError(problems)
    return SchoolChanges(county.code, str(given["schools_sha256"]), int(str(year)), tuple(sorted(closed)), tuple(changed), tuple(new), limits, sizes)


def tried_year(text: str, *, after: int) -> int | None:
    """Return the year that a meeting looked at.

    Parameters
    ----------
    text
        ``Scenario.school_changes``; what is wrong with it :func:`read_changes` says.
    after
        The base year.

    Returns
    -------
    int or None
        None where there are no changes, or the year is not after the base year.

    Examples
    --------
    >>> tried_year('{"year": 2030}', after=2025), tried_year('{"year": 2025}', after=2025), tried_year("", after=2025)
    (2030, None, None)
    """
    try:
        given = json.loads(text or "{}")
    except (json.JSONDecodeError, RecursionError):
        return None
    year = given.get("year") if isinstance(given, dict) else None
    return year if _count(year, after + 1, 2100) else None


def changed_schools(schools: gpd.GeoDataFrame, settlements: gpd.GeoDataFrame, changes: SchoolChanges) -> gpd.GeoDataFrame:
    """Return the schools as the meeting wants them.

    Parameters
    ----------
    schools, settlements
        Tables of the county; a new school stands in the township of the nearest settlement.
    changes
        From :func:`read_changes`.

    Returns
    -------
    geopandas.GeoDataFrame
        Table ``schools``: what was closed has status ``closed``, what is new is ``open`` and public.

    Examples
    --------
    >>> changes = SchoolChanges("520000", "", 2030, closed=("S1",), new=(NewSchool("N", "新校", "teaching_point", 117.0, 26.6, 1, 3, 3, 0),))
    >>> changed_schools(paper.schools, paper.settlements, changes)[["school_id", "status", "rooms"]].values.tolist()
    [['N', 'open', 3], ['S1', 'closed', 6], ['S2', 'open', 9]]
    """
    # the county's own candidates may be what is opened
    out = schools[~schools["school_id"].isin([s.school_id for s in changes.new])].copy()
    out.loc[out["school_id"].isin(changes.closed), "status"] = "closed"
    for school in changes.changed:
        values = [school.kind, school.first_grade, school.last_grade, school.rooms, float(school.beds)]
        out.loc[out["school_id"] == school.school_id, ["kind", "first_grade", "last_grade", "rooms", "beds"]] = values
    new = new_sites(changes, schools.crs, settlements)
    if not len(new):
        return check("schools", out)  # type: ignore[return-value]
    about = pd.DataFrame([vars(s) for s in changes.new]).drop(columns=["lon", "lat", "name"])
    rows = new.merge(about, on="school_id").assign(status="open", owner="public", urban_rural="", school_bus=False)
    rows = rows.drop(columns=["origin", "flags"])
    return check("schools", gpd.GeoDataFrame(pd.concat([out, rows], ignore_index=True), geometry="geometry", crs=schools.crs))  # type: ignore[return-value]


def new_sites(changes: SchoolChanges, crs: object, settlements: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the places of the new schools.

    Parameters
    ----------
    changes
        From :func:`read_changes`.
    crs
        Coordinate system wanted.
    settlements
        Their townships.

    Returns
    -------
    geopandas.GeoDataFrame
        Table ``candidates``.

    Examples
    --------
    >>> len(new_sites(SchoolChanges("520000", "", 2030), paper.crs, paper.settlements))
    0
    """
    if not changes.new:
        return empty("candidates", crs)  # type: ignore[return-value]
    points = gpd.GeoSeries(gpd.points_from_xy([s.lon for s in changes.new], [s.lat for s in changes.new]), crs=4326).to_crs(crs)
    near = [int(settlements.geometry.distance(point).to_numpy().argmin()) if len(settlements) else -1 for point in points]
    rows = gpd.GeoDataFrame(
        {
            "school_id": [s.school_id for s in changes.new], "name": [s.name for s in changes.new],
            "township_id": [settlements["township_id"].iloc[i] if i >= 0 else "" for i in near], "origin": "county_list", "flags": "",
        }, geometry=points.to_numpy(), crs=crs,
    )  # fmt: skip
    return check("candidates", rows)  # type: ignore[return-value]


def changed_standards(standards: Standards, changes: SchoolChanges) -> Standards:
    """Return the standards with the limits and class sizes that were moved.

    Parameters
    ----------
    standards
        In force.
    changes
        From :func:`read_changes`; a county's schedule of lower class sizes goes on where it is lower still.

    Returns
    -------
    Standards
        Figures that were moved are those of the scenario, unverified.

    Examples
    --------
    >>> moved = changed_standards(layout.read_standards(), SchoolChanges("", "", 2030, limits={"walk.lower": 40}, class_size={"primary": 40}))
    >>> moved.limit("walk", "lower"), moved.class_size(1)
    (40.0, 40)
    """
    moved = {LIMITS[key]: value for key, value in changes.limits.items()} | {CLASS_SIZES[key]: value for key, value in changes.class_size.items()}
    if not moved:
        return standards
    document = messages.text("changes.document", "zh")
    rules = {
        key: replace(rule, value=float(moved[key]), level="scenario", doc=document, doc_no="", clause="", issued="", verified="U")
        if key in moved and float(moved[key]) != rule.value else rule
        for key, rule in standards.rules.items()
    }  # fmt: skip
    return replace(standards, rules=rules)


def changes_note(changes: SchoolChanges, schools: pd.DataFrame) -> tuple[str, dict[str, object]]:
    """Say what was changed, as a note that every output shows.

    Parameters
    ----------
    changes
        From :func:`read_changes`.
    schools
        Names of the county's schools.

    Returns
    -------
    tuple
        Key and fields of the message.

    Examples
    --------
    >>> changes_note(SchoolChanges("520000", "", 2030, closed=("S1",)), paper.schools)[1]["closed"]
    'S1小学'
    """
    name = dict(zip(schools["school_id"], schools["name"], strict=True))
    told = {**changes.limits, **changes.class_size}
    return "note.school_changes", {
        "closed": "、".join(str(name[s]) for s in changes.closed) or "—",
        "changed": "、".join(str(name[s.school_id]) for s in changes.changed) or "—",
        "new": "、".join(s.name for s in changes.new) or "—",
        "figures": "、".join(f"{key} = {value}" for key, value in told.items()) or "—",
    }  # fmt: skip


def _problem(key: str, column: str, value: object, **fields: object) -> Problem:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return Problem(key, "school_changes", column=column, value=shown[:80], fields=fields)


def _count(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _list(given: Mapping[str, Any], name: str, problems: list[Problem]) -> list[Any]:
    rows = given.get(name, [])
    if not isinstance(rows, list) or len(rows) > _MOST:
        problems.append(_problem("bad_setting", name, rows, wanted="[…]"))
        return []
    return rows


def _school(row: object, name: str, kind: type, problems: list[Problem]) -> Any:
    """Return a school of the file, or None with what is wrong with it."""
    ranges = {"first_grade": (1, 9), "last_grade": (1, 9), "rooms": (0, _MOST), "beds": (0, 100 * _MOST)}
    kinds = [k for k in schemas()["schools"].columns["kind"].values if k != "special"]
    wanted = kind.__dataclass_fields__  # type: ignore[attr-defined]
    if not isinstance(row, dict) or set(row) != set(wanted):
        problems.append(_problem("bad_setting", name, row, wanted=", ".join(wanted)))
        return None
    sound = {key: _count(row[key], *ranges[key]) for key in ranges} | {"kind": row["kind"] in kinds}
    sound |= {key: isinstance(row[key], str) and 0 < len(row[key]) <= _LONGEST for key in ("school_id", "name") if key in wanted}
    sound |= {key: _degree(row[key], most) for key, most in (("lon", 180), ("lat", 90)) if key in wanted}
    if sound["first_grade"] and sound["last_grade"]:
        sound["last_grade"] = row["first_grade"] <= row["last_grade"]
    bad = [key for key, good in sound.items() if not good]
    problems += [_problem("bad_setting", f"{name}.{key}", row[key], wanted="1-9" if "grade" in key else "0, 1, 2 …") for key in bad]
    return None if bad else kind(**row)


def _degree(value: object, most: int) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and abs(value) <= most


def _numbers(given: Mapping[str, Any], name: str, known: Mapping[str, str], most: int, problems: list[Problem]) -> dict[str, int]:
    values = given.get(name, {})
    if not isinstance(values, dict):
        problems.append(_problem("bad_setting", name, values, wanted="{…}"))
        return {}
    for key, value in values.items():
        if key not in known or not _count(value, 1, most):
            problems.append(_problem("bad_setting", f"{name}.{key}", value, wanted=f"{', '.join(known)}: 1-{most}"))
    return {str(key): values[key] for key in known if key in values and _count(values[key], 1, most)}
