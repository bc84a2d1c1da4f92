"""A county as it was read on an offline map, before anything is planned: settlements, schools, roads, outline, areas closed to schools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd

from layout import messages
from layout.county import County
from layout.ground import TOLERANCE_M, degrees, folded, road_lines, shaded_ground
from layout.maps import offline_map
from layout.tables import label

if TYPE_CHECKING:
    import folium


def draw_county(county: County, *, lang: str = "zh") -> folium.Map:
    """Draw a county as a folium map whose page holds everything it shows and fetches nothing: it has no tiles, and needs no network.

    Parameters
    ----------
    county
        From :func:`layout.read_county`.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    folium.Map
        Shown by a notebook, written by ``save``. It has the persons of every settlement: an internal map.

    Raises
    ------
    ValueError
        If the language is unknown, or the county has neither a settlement nor a school.

    Examples
    --------
    >>> page = draw_county(paper, lang="en").get_root().render()
    >>> "A村" in page, "<script src" in page
    (True, False)
    """
    if lang not in messages.LANGUAGES:
        raise ValueError(f"lang must be one of {', '.join(messages.LANGUAGES)}, not {lang!r}")
    if not len(county.settlements) and not len(county.schools):
        raise ValueError("the county has neither a settlement nor a school to draw")
    places = gpd.GeoSeries(pd.concat([county.settlements.geometry, county.schools.geometry], ignore_index=True), crs=county.crs)
    persons = county.population.groupby("settlement_id")["persons"].sum()
    title = messages.text("county_map.title", lang, county=county.name, base=county.base_year)
    credit = "" if county.roads is None else str(county.roads.source.get("attribution", ""))
    areas = county.exclusions
    data = {
        "lang": lang, "title": title, "stamp": messages.text("maps.stamp.internal", lang), "bounds": _frame(places),
        "shade": None if county.terrain is None else shaded_ground(county.terrain, places),
        "roads": road_lines(county.roads.edges) if county.roads is not None and len(county.roads.edges) else [],
        "boundary": _rings([] if county.boundary is None else [county.boundary], county.crs),
        "exclusions": [[str(name), bool(hard), _rings([shape], county.crs)]
                       for name, hard, shape in zip(areas["layer"], areas["hard"], areas.geometry, strict=True)],
        "settlements": [
            [*at, str(name), label("settlements", "kind", kind, lang), messages.text("county_map.persons", lang, persons=f"{persons.get(i, 0):,.0f}")]
            for i, name, kind, at in zip(*_columns(county.settlements, "settlement_id", "name", "kind"), _at(county.settlements), strict=True)
        ],
        "schools": [
            [*at, str(name), label("schools", "kind", kind, lang),
             messages.text("county_map.school", lang, first=int(first), last=int(last), rooms=int(rooms))]
            for name, kind, first, last, rooms, at in zip(
                *_columns(county.schools, "name", "kind", "first_grade", "last_grade", "rooms"), _at(county.schools), strict=True)
        ],
        "facts": [messages.text(f"county_map.{key}", lang, count=f"{count:,}") for key, count in (
            ("settlements", len(county.settlements)), ("schools", len(county.schools)), ("areas", len(areas)))] + [credit] * bool(credit),
    }  # fmt: skip
    return offline_map(data, lang=lang, title=title, scripts=("county_map.js",), start="drawCounty", styles=("plan_map.css",))


def _columns(table: pd.DataFrame, *names: str) -> list[list[Any]]:
    return [table[name].tolist() for name in names]


def _at(table: gpd.GeoDataFrame) -> list[list[float]]:
    # degrees times 100,000, longitude first: the page wants latitude first
    return [[lat / 1e5, lon / 1e5] for lon, lat in degrees(table.geometry).tolist()]


def _frame(places: gpd.GeoSeries) -> list[list[float]]:
    west, south, east, north = places.to_crs(4326).total_bounds
    # one place alone still needs a frame, about a kilometre around it
    grow = max(0.01 - (east - west), 0.01 - (north - south), 0) / 2
    return [[round(south - grow, 5), round(west - grow, 5)], [round(north + grow, 5), round(east + grow, 5)]]


def _rings(shapes: Sequence[Any], crs: str) -> list[list[int]]:
    parts = [part for shape in shapes for part in getattr(shape, "geoms", [shape]) if part.geom_type == "Polygon"]
    rings = gpd.GeoSeries([part.exterior for part in parts], crs=crs).simplify(TOLERANCE_M).to_crs(4326)
    return [folded(ring) for ring in rings]
