"""Two plans on one offline page: a map of what differs, both plans side by side, and the tables of differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from layout import messages
from layout.compare import BUILT, FIGURES, Comparison
from layout.ground import TOLERANCE_M, degrees, folded, road_lines, shaded_ground
from layout.maps import AUDIENCES, offline_map, write_page
from layout.plan import STATUSES
from layout.tables import BANDS, label, schemas

if TYPE_CHECKING:
    import folium

# differences by village and by school, the weightiest first; what is the same comes last
VILLAGE_CHANGES = (
    "loses_place", "gains_place", "slower", "quicker", "more_beyond", "fewer_beyond", "more_board", "fewer_board", "other_school", "other_pupils",
    "same",
)  # fmt: skip
SCHOOL_CHANGES = ("only_a", "only_b", "other_size", "more_pupils", "fewer_pupils", "same")
PROPOSAL_CHANGES = ("only_a", "only_b", "other_year", "other_size", "other_year_and_size", "same")
# the words for codes that the page shows: table, column by the name of the list
_WORDS = {
    "village_change": ("compared_villages", "change"), "school_change": ("compared_schools", "change"),
    "proposal_change": ("compared_proposals", "change"),
    "action": ("proposals", "action"), "kind": ("schools", "kind"), "tier": ("classes", "tier"), "figure": ("compared_headline", "figure"),
    "basis": ("compared_basis", "kind"), "view": ("compared_years", "view"), "status": ("assignment", "status"),
}  # fmt: skip


def draw_comparison(found: Comparison, *, names: tuple[str, str] = ("", ""), lang: str = "zh", audience: str = "internal") -> folium.Map:
    """Draw a comparison of two plans as a folium map whose page holds everything it shows and fetches nothing.

    Parameters
    ----------
    found
        From :func:`layout.compare_plans`.
    names
        What the two plans are called on the page, beside A and B.
    lang
        Language in which the page opens, ``zh`` or ``en``; both are in it.
    audience
        ``internal`` only: the difference of two counts would give small ones away that either plan's public edition hides.

    Returns
    -------
    folium.Map
        As from :func:`layout.draw_map`.

    Raises
    ------
    ValueError
        If the language or the audience is unknown, the audience is ``public``, or there is no place to draw.

    Examples
    --------
    >>> plan = layout.make_plan(paper, to=2026)
    >>> page = draw_comparison(layout.compare_plans(plan, plan)).get_root().render()
    >>> "<title>纸上县" in page
    True
    """
    if lang not in messages.LANGUAGES:
        raise ValueError(f"lang must be one of {', '.join(messages.LANGUAGES)}, not {lang!r}")
    if audience not in AUDIENCES:
        raise ValueError(f"audience must be one of {', '.join(AUDIENCES)}, not {audience!r}")
    if audience == "public":
        raise ValueError(messages.text("compare.internal_only", lang))
    if not len(found.a.county.settlements) and not len(found.a.schools):
        raise ValueError("the plans have neither a settlement nor a school to draw")
    return offline_map(
        _island(found, names, lang), lang=lang, title=messages.text("compare.title", lang, county=found.a.county.name), scripts=("compare_map.js",),
        start="drawComparison", styles=("plan_map.css", "compare_map.css"),
    )  # fmt: skip


def save_comparison(
    found: Comparison, path: str | Path, *, names: tuple[str, str] = ("", ""), lang: str = "zh", audience: str = "internal"
) -> None:  # fmt: skip
    """Write a comparison of two plans as one HTML file, whole or not at all.

    Parameters
    ----------
    found, names, lang, audience
        As in :func:`draw_comparison`.
    path
        The file; its folder is made where it is missing.

    Raises
    ------
    ValueError
        As :func:`draw_comparison`.

    Examples
    --------
    >>> save_comparison(found, "compare.html")  # doctest: +SKIP
    """
    write_page(draw_comparison(found, names=names, lang=lang, audience=audience), path)


def _island(found: Comparison, names: Sequence[str], lang: str) -> dict[str, Any]:
    a, b = found.a, found.b
    county = a.county
    townships = _either(a.county.townships, b.county.townships, "township_id")
    settlements, schools = _either(a.county.settlements, b.county.settlements, "settlement_id"), _either(a.schools, b.schools, "school_id")
    where = {
        key: {one: i for i, one in enumerate(table[key])}
        for key, table in (("township_id", townships), ("settlement_id", settlements), ("school_id", schools))
    }
    places = gpd.GeoSeries(pd.concat([settlements.geometry, schools.geometry], ignore_index=True), crs=county.crs)
    return {
        "lang": lang, "audience": "internal", "county": county.name, "names": list(names), "base_year": county.base_year,
        "base_date": county.base_date.isoformat(),
        "years": list(found.years), "plan_years": [list(a.years), list(b.years)], "bounds": _frame(places), "attribution": _credits(found),
        "text": {each: _sentences(each) for each in messages.LANGUAGES}, "words": {each: _words(each) for each in messages.LANGUAGES},
        "limits": {band: [a.standards.limit(mode, band) for mode in ("walk", "bus")] for band in BANDS},
        "villages": _points(settlements, "settlement_id", where["township_id"]), "schools": _points(schools, "school_id", where["township_id"]),
        "townships": townships["name"].tolist(), "changes": [VILLAGE_CHANGES, SCHOOL_CHANGES, PROPOSAL_CHANGES], "statuses": STATUSES,
        "village_rows": _village_rows(found, where), "school_rows": _school_rows(found, where), "township_rows": _township_rows(found, where),
        "headline": _figures(found.headline, [*FIGURES, *BUILT]),
        "year_rows": [[view, year, _figures(rows, FIGURES)] for (view, year), rows in found.by_year.groupby(["view", "year"])],
        "proposals": _proposal_rows(found, where["school_id"]),
        "money": [list(row) for row in _plain(found.money, ["year", "action", *_both("proposals", "cost_yuan", "yuan_a_year"), "difference"])],
        "basis": [list(row) for row in _plain(found.basis, ["kind", "item", "text_a", "text_b"])], "ground": _ground(found, places),
    }  # fmt: skip


def _either(a: gpd.GeoDataFrame | pd.DataFrame, b: gpd.GeoDataFrame | pd.DataFrame, key: str) -> Any:
    """Return the rows of both tables, those of the first where both have them."""
    both = pd.concat([a, b[~b[key].isin(a[key])]], ignore_index=True)
    return both.sort_values(key, ignore_index=True)


def _both(*columns: str) -> list[str]:
    return [f"{column}_{side}" for column in columns for side in ("a", "b")]


def _plain(table: pd.DataFrame, columns: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    """Return rows of plain values: whole numbers as such, nothing where nothing is."""
    return zip(*([_value(v) for v in table[column].tolist()] for column in columns), strict=True)


def _value(value: Any) -> Any:
    if isinstance(value, float):
        return None if np.isnan(value) else int(value) if value == int(value) else round(value, 1)
    return value


def _sentences(lang: str) -> dict[str, str]:
    known = messages.catalogue(lang)
    # what the meeting map says of other plans has the same keys and is not shown here
    mine = {key: text for key, text in known.items() if key.startswith(("maps.", "compare.")) and "what_if" not in key}
    return {key.removeprefix("maps."): text for key, text in mine.items() if not key.startswith("maps.compare.")}


def _words(lang: str) -> dict[str, dict[str, str]]:
    return {
        name: {code: label(table, column, code, lang) for code in schemas()[table].columns[column].values} for name, (table, column) in _WORDS.items()
    }


def _frame(places: gpd.GeoSeries) -> list[list[float]]:
    west, south, east, north = places.to_crs(4326).total_bounds
    # one place alone still needs a frame, about a kilometre around it
    grow = max(0.01 - (east - west), 0.01 - (north - south), 0) / 2
    return [[round(south - grow, 5), round(west - grow, 5)], [round(north + grow, 5), round(east + grow, 5)]]


def _credits(found: Comparison) -> list[str]:
    roads = found.a.county.roads
    credit = "" if roads is None else str(roads.source.get("attribution", ""))
    return [credit] if credit else []


def _points(table: gpd.GeoDataFrame, key: str, townships: Mapping[str, int]) -> list[list[Any]]:
    rows = zip(table[key], table["name"], table["kind"], table["township_id"], degrees(table.geometry).tolist(), strict=True)
    return [[one, name, kind, townships.get(township, -1), *at] for one, name, kind, township, at in rows]


def _village_rows(found: Comparison, where: Mapping[str, Mapping[str, int]]) -> list[list[Any]]:
    """Return village, year, band, change, and of both plans children, without a place, beyond the limit, boarders, minutes, school."""
    table = found.villages
    bands, changes = {band: i for i, band in enumerate(BANDS)}, {change: i for i, change in enumerate(VILLAGE_CHANGES)}
    table = table.assign(
        settlement_id=table["settlement_id"].map(where["settlement_id"]), band=table["band"].map(bands), change=table["change"].map(changes),
        **{c: table[c].map(where["school_id"]).fillna(-1).astype("int64") for c in _both("school_id")},
    )  # fmt: skip
    numbers = _both("pupils", "without", "beyond_limit", "boarders", "minutes", "school_id")
    return [list(row) for row in _plain(table, ["settlement_id", "year", "band", "change", *numbers])]


def _school_rows(found: Comparison, where: Mapping[str, Mapping[str, int]]) -> list[list[Any]]:
    """Return school, year, change, and of both plans open, kind, grades, rooms, beds, pupils, classes, largest class, large classes, tier."""
    changes = {change: i for i, change in enumerate(SCHOOL_CHANGES)}
    table = found.schools[found.schools["school_id"].isin(where["school_id"])]
    table = table.assign(school_id=table["school_id"].map(where["school_id"]), change=table["change"].map(changes))
    values = ("open", "kind", "first_grade", "last_grade", "rooms", "beds", "pupils", "classes", "largest_class", "oversized_classes", "tier")
    return [list(row) for row in _plain(table, ["school_id", "year", "change", *_both(*values)])]


def _township_rows(found: Comparison, where: Mapping[str, Mapping[str, int]]) -> list[list[Any]]:
    bands = {band: i for i, band in enumerate(BANDS)}
    table = found.townships
    table = table.assign(township_id=table["township_id"].map(where["township_id"]).fillna(-1).astype("int64"), band=table["band"].map(bands))
    return [list(row) for row in _plain(table, ["township_id", "year", "band", *_both("pupils", *STATUSES)])]


def _figures(rows: pd.DataFrame, order: Sequence[str]) -> list[list[Any]]:
    table = rows.set_index("figure").reindex(list(order)).reset_index()
    return [list(row) for row in _plain(table, ["figure", "value_a", "value_b", "difference"])]


def _proposal_rows(found: Comparison, schools: Mapping[str, int]) -> list[list[Any]]:
    values = ("year", "role", "first_grade", "last_grade", "rooms", "beds", "cost_yuan", "pupils")
    table = found.proposals
    # keeping a school as it is builds nothing: only where one plan does not keep it, it is a difference
    table = table[(table["action"] != "keep") | (table["change"] != "same")]
    changes = {change: i for i, change in enumerate(PROPOSAL_CHANGES)}
    table = table.assign(school_id=table["school_id"].map(schools).fillna(-1).astype("int64"), change=table["change"].map(changes))
    return [list(row) for row in _plain(table, ["school_id", "action", "change", *_both(*values)])]


def _ground(found: Comparison, places: gpd.GeoSeries) -> dict[str, Any]:
    county = found.a.county
    outline = [] if county.boundary is None else [getattr(p, "exterior", None) for p in getattr(county.boundary, "geoms", [county.boundary])]
    rings = gpd.GeoSeries([ring for ring in outline if ring is not None], crs=county.crs).simplify(TOLERANCE_M).to_crs(4326)
    return {
        "roads": road_lines(county.roads.edges) if county.roads is not None and len(county.roads.edges) else [],
        "boundary": [folded(ring) for ring in rings], "shade": None if county.terrain is None else shaded_ground(county.terrain, places),
    }  # fmt: skip
