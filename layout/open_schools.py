"""Schools as open data know them: kind and grades by level, name or assumption, and the rooms they are taken to have."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.standards import Standards, judged_minutes
from layout.tables import GRADES, band_of

# features this near to each other may be buildings of one school
SAME_SCHOOL_M = 150.0
_ISCED: Mapping[int, tuple[int, int]] = {1: (1, 6), 2: (7, 9)}
# words of a school's name, without accents and in small letters; the first rule that meets decides
_NAME_RULES: Sequence[tuple[str, str, str]] = (
    ("not_compulsory", "special", r"universit|faculte|forces armees|gendarmerie|militaire|military academy|police|coran|quran|koran|"
                                    r"madras|maddras|medersa|大学|学院|军校|党校|高级中学|(?<!初)高中"),
    ("name", "twelve_year", r"十二年"),
    ("name", "nine_year", r"九年"),
    ("name", "special", r"特殊教育|特教|special needs"),
    ("name", "teaching_point", r"教学点"),
    ("name", "complete_secondary", r"完全中学|完中|lycee|high school"),
)  # fmt: skip
_PRIMARY = re.compile(r"primaire|primary|elementa|\bepp?\b|小学|完小|村小")
_JUNIOR = re.compile(r"college|secondaire|secondary|middle school|初级中学|初中|中学")
_PRIVATE = re.compile(r"privee?\b|\bprivate\b|民办|私立")
_SPANS: Mapping[str, tuple[int, int]] = {
    "teaching_point": (1, 3), "primary": (1, 6), "junior": (7, 9), "nine_year": (1, 9), "complete_secondary": (7, 9),
    "twelve_year": (1, 9), "special": (1, 9),
}  # fmt: skip


def school_grades(tags: Mapping[str, str]) -> tuple[str, int, int, str]:
    """Read from the tags of a school which kind it is and which grades it teaches, or assume it.

    Parameters
    ----------
    tags
        OpenStreetMap tags: ``isced:level`` decides where it says 1 or 2 (grades 1-6 and 7-9); else the words of ``name`` and
        ``name:fr``, ``name:en``, ``name:zh``; else a nine-year school is assumed.

    Returns
    -------
    tuple of str, int, int, str
        Kind of the table ``schools``, first and last grade, and what decided: ``isced``, ``name``, ``assumed``, or
        ``not_compulsory`` for levels and names that teach none of grades 1-9 (universities, barracks, Koranic schools): they are
        of kind ``special``, to which no stage sends children.

    Examples
    --------
    >>> school_grades({"name": "Collège de Chézani"}), school_grades({"isced:level": "1;2"})
    (('junior', 7, 9, 'name'), ('nine_year', 1, 9, 'isced'))
    >>> school_grades({"name": "École primaire et collège de Mbéni"}), school_grades({})
    (('nine_year', 1, 9, 'name'), ('nine_year', 1, 9, 'assumed'))
    >>> school_grades({"name": "Université des Comores"})[3]
    'not_compulsory'
    """
    levels = _levels(tags.get("isced:level", ""))
    if levels:
        taught = [_ISCED[level] for level in sorted(levels & set(_ISCED))]
        if not taught:
            return "special", 1, 9, "not_compulsory"
        return _kind(taught[0][0], taught[-1][1]), taught[0][0], taught[-1][1], "isced"
    words = _folded(" ".join(tags.get(key, "") for key in ("name", "name:fr", "name:en", "name:zh")))
    for rule, kind, pattern in _NAME_RULES:
        if re.search(pattern, words):
            return kind, *_SPANS[kind], rule
    primary, junior = bool(_PRIMARY.search(words)), bool(_JUNIOR.search(words))
    if not primary and not junior:
        return "nine_year", 1, 9, "assumed"
    first, last = 1 if primary else 7, 9 if junior else 6
    return _kind(first, last), first, last, "name"


def tagged_schools(places: gpd.GeoDataFrame, settlements: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Make the table of schools from tagged places, without rooms.

    Parameters
    ----------
    places
        ``id``, ``tags`` and points in metres; not changed.
    settlements
        Table ``settlements`` in the same coordinates: those that give their id to a township are its town.

    Returns
    -------
    geopandas.GeoDataFrame
        Columns of the table ``schools`` but ``rooms``, and ``rule``: what decided the grades (see :func:`school_grades`). The
        township is the nearest town's, urban or rural follows the nearest settlement, no boarding and no bus are assumed.
    """
    out = places.drop(columns="tags").rename(columns={"id": "school_id"})
    out.insert(1, "name", [tags.get("name", key) for key, tags in zip(places["id"], places["tags"], strict=True)])
    graded = [school_grades(tags) for tags in places["tags"]]
    for i, column in enumerate(("kind", "first_grade", "last_grade", "rule")):
        out[column] = [grades[i] for grades in graded]
    beside = settlements.iloc[nearest_row(out.geometry, settlements.geometry)] if len(out) else settlements.iloc[:0]
    seats = settlements["settlement_id"].isin(settlements["township_id"])
    towns = settlements[seats].reset_index(drop=True)
    out["township_id"] = towns["settlement_id"].to_numpy()[nearest_row(out.geometry, towns.geometry)] if len(out) else ""
    out["urban_rural"] = beside["kind"].map({"county_seat": "city", "town": "town"}).fillna("village").to_numpy()
    out["owner"] = ["private" if _PRIVATE.search(_folded(name)) else "" for name in out["name"]]
    return out.assign(status="open", beds=0, boarders=0, school_bus=False)


def assumed_rooms(schools: gpd.GeoDataFrame, people: pd.DataFrame, times: pd.DataFrame, standards: Standards) -> np.ndarray:
    """Assume so many rooms that today's children fit at the class-size standard in the nearest school that has their grade.

    Parameters
    ----------
    schools
        School id, kind, first and last grade of open schools.
    people, times
        Tables ``population`` and ``times`` (on foot, every band).
    standards
        Class sizes, age of entry, ``assume.rooms.min``.

    Returns
    -------
    numpy.ndarray
        Rooms by row of ``schools``: the sum over grades of ceil(children / standard), at least the minimum and a room a grade; 0
        where kind is special. Nearest is by the minutes on which limits are checked, ties to the lower id; children who reach no
        school count nowhere.
    """
    rooms = np.zeros(len(schools), int)
    ways = times.assign(judged=judged_minutes(times, standards)).sort_values(["from_id", "judged", "to_id"])
    incomplete, takes_part = schools["kind"].isin(["teaching_point", "small_primary"]), schools["kind"] != "special"
    for grade in GRADES:
        teaching = schools.loc[takes_part & (schools["first_grade"] <= grade) & (grade <= schools["last_grade"]), "school_id"]
        first = ways[(ways["band"] == band_of(grade)) & ways["to_id"].isin(teaching)].drop_duplicates("from_id").set_index("from_id")["to_id"]
        children = people[people["age"] == int(standards["entry.age"]) + grade - 1].groupby("settlement_id")["persons"].sum()
        pupils = children.groupby(children.index.map(first.to_dict())).sum().reindex(schools["school_id"]).fillna(0).to_numpy()
        size = np.where(incomplete, standards.class_size(grade, incomplete=True), standards.class_size(grade))
        rooms += np.ceil(pupils / size).astype(int)
    # a school teaches each of its grades, so it has a room for each
    grades = (schools["last_grade"] - schools["first_grade"] + 1).to_numpy(int)
    return np.where(takes_part, np.maximum(np.maximum(rooms, grades), int(standards["assume.rooms.min"])), 0)


def close_schools(schools: gpd.GeoDataFrame) -> int:
    """Count the schools that stand within :data:`SAME_SCHOOL_M` of another one.

    Parameters
    ----------
    schools
        Points in metres.

    Returns
    -------
    int
        Number of schools.
    """
    from scipy.spatial import KDTree

    if len(schools) < 2:
        return 0
    points = schools.geometry.get_coordinates()
    return int((KDTree(points).query(points, k=2)[0][:, 1] <= SAME_SCHOOL_M).sum())


def nearest_row(of: gpd.GeoSeries, to: gpd.GeoSeries) -> np.ndarray:
    """Return the row of the nearest point by straight line.

    Parameters
    ----------
    of, to
        Points in the same metres; ``to`` has at least one.

    Returns
    -------
    numpy.ndarray
        Row number in ``to`` for every point of ``of``.
    """
    from scipy.spatial import KDTree

    return np.asarray(KDTree(to.get_coordinates()).query(of.get_coordinates())[1]).reshape(-1)


def _levels(text: str) -> set[int]:
    levels: set[int] = set()
    for low, high in re.findall(r"(\d)(?:\s*-\s*(\d))?", text):
        levels |= set(range(int(low), int(high or low) + 1))
    return levels


def _kind(first: int, last: int) -> str:
    return {(1, 6): "primary", (7, 9): "junior"}.get((first, last), "nine_year")


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()
