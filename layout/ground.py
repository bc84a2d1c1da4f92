"""The ground of a map without tiles: relief as a picture, roads, waters and borders as lines of small whole numbers."""

from __future__ import annotations

import base64
import io
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layout.site_rules import road_class
from layout.terrain import Terrain, elevation_at, hillshade

# classes of roads from the greatest to the least; what has no administrative class is a village's road or street, or a path
ROAD_CLASSES = ("motorway", "national", "provincial", "county", "township", "village", "path")
_PATHS = {"track", "path", "footway", "steps", "bridleway", "pedestrian", "cycleway"}
# coordinates are whole hundred-thousandths of a degree, about a metre
_DEGREE = 1e5
# lines are simplified until they fit the budget: first and last tolerance in metres, most vertices in the page
TOLERANCE_M, _COARSEST_M, _VERTICES = 8.0, 260.0, 120_000
# widest side of the shaded ground in pixels, most bytes of it, its width by height, and the margin around the places
_SHADE_PIXELS, _SHADE_BYTES, _ASPECT, _MARGIN = 1400, 250_000, 1.7, 0.15
# the coding is made coarser until the picture fits
_QUALITIES = (70, 55, 40, 25, 10)
# colours of low and of high ground, red green blue
_LOW, _HIGH = (206, 219, 196), (240, 224, 200)


def degrees(points: gpd.GeoSeries) -> np.ndarray:
    """Return longitude and latitude of points as whole hundred-thousandths of a degree.

    Parameters
    ----------
    points
        In any coordinate system.

    Returns
    -------
    numpy.ndarray
        int64, one row a point.

    Examples
    --------
    >>> degrees(gpd.GeoSeries(gpd.points_from_xy([107.12345], [26.5]), crs=4326)).tolist()
    [[10712345, 2650000]]
    """
    there = points.to_crs(4326)
    return np.rint(np.column_stack([there.x, there.y]) * _DEGREE).astype("int64") if len(there) else np.empty((0, 2), "int64")


def folded(line: Any) -> list[int]:
    """Write a line in degrees as its first point and steps from point to point, longitude before latitude.

    Parameters
    ----------
    line
        A shapely line or ring in longitude and latitude.

    Returns
    -------
    list of int
        Whole hundred-thousandths of a degree.

    Examples
    --------
    >>> folded(shapely.LineString([(107, 26), (107.00002, 25.99999)]))
    [10700000, 2600000, 2, -1]
    """
    points = np.rint(shapely.get_coordinates(line) * _DEGREE).astype("int64")
    return np.diff(points, axis=0, prepend=0).ravel().tolist()


def road_lines(edges: gpd.GeoDataFrame) -> list[list[Any]]:
    """Return the lines of roads by class, the great roads first, simplified as far as the page's budget asks.

    Parameters
    ----------
    edges
        Table of edges as in :class:`layout.roads.Roads`.

    Returns
    -------
    list
        Class of :data:`ROAD_CLASSES`, its lines, folded, and its kilometres before they were simplified; classes without a road are
        absent. A number of the road goes before the OSM class, as in :func:`layout.site_rules.road_class`.

    Examples
    --------
    >>> [(cls, len(lines), km) for cls, lines, km in road_lines(paper.roads.edges)]
    [('township', 1, 10.0)]
    """
    names = edges["name"] if "name" in edges else pd.Series("", index=edges.index)
    pairs = list(zip(edges["highway"].astype("str"), names.fillna("").astype("str"), strict=True))
    known = {pair: _class_of(*pair) for pair in set(pairs)}
    cls = np.array([known[pair] for pair in pairs], dtype=object)
    metres = edges.geometry.length.to_numpy()
    merged = []
    for name in ROAD_CLASSES:
        lines = edges.geometry[cls == name].to_numpy()
        if len(lines):
            whole = shapely.line_merge(shapely.multilinestrings(lines))
            merged += [(name, line) for line in getattr(whole, "geoms", [whole])]
    thin = _thinned(np.array([line for _, line in merged]), _VERTICES)
    lines_of: dict[str, list[list[int]]] = {}
    for (name, _), line in zip(merged, gpd.GeoSeries(thin, crs=edges.crs).to_crs(4326), strict=True):
        lines_of.setdefault(name, []).append(folded(line))
    return [[name, lines, round(float(metres[cls == name].sum()) / 1000, 1)] for name, lines in lines_of.items()]


def water_shapes(obstacles: gpd.GeoDataFrame) -> dict[str, list[list[Any]]]:
    """Return what nobody crosses as the page draws it: rivers and cliffs as lines, waters as areas.

    Parameters
    ----------
    obstacles
        From :func:`layout.read_obstacles`.

    Returns
    -------
    dict
        ``lines``: kind, name, folded line; ``areas``: kind, name, rings of one polygon. Motorways are left to the roads.

    Examples
    --------
    >>> from layout.obstacles import no_obstacles
    >>> water_shapes(no_obstacles("EPSG:4545"))
    {'lines': [], 'areas': []}
    """
    parts = obstacles[obstacles["kind"] != "motorway"].explode(ignore_index=True)
    area = parts.geom_type.to_numpy() == "Polygon"
    line = np.isin(parts.geom_type.to_numpy(), ["LineString", "LinearRing"])
    thin = gpd.GeoSeries(_thinned(parts.geometry.to_numpy(), _VERTICES // 2), crs=obstacles.crs).to_crs(4326)
    told = list(zip(parts["kind"].astype("str"), parts["name"].fillna("").astype("str"), thin, strict=True))
    return {
        "lines": [[kind, name, folded(shape)] for (kind, name, shape), is_line in zip(told, line, strict=True) if is_line],
        "areas": [[kind, name, rings_of(shape)] for (kind, name, shape), is_area in zip(told, area, strict=True) if is_area and not shape.is_empty],
    }


def border_lines(areas: gpd.GeoDataFrame) -> list[list[int]]:
    """Return the borders of areas, each once where two of them meet.

    Parameters
    ----------
    areas
        Polygons in a metric coordinate system.

    Returns
    -------
    list
        Folded lines.

    Examples
    --------
    >>> two = [shapely.box(500000, 2900000, 501000, 2901000), shapely.box(501000, 2900000, 502000, 2901000)]
    >>> len(border_lines(gpd.GeoDataFrame(geometry=two, crs="EPSG:4545")))
    3
    """
    if not len(areas):
        return []
    whole = shapely.line_merge(shapely.union_all(shapely.boundary(areas.geometry.to_numpy())))
    thin = _thinned(shapely.get_parts(whole), _VERTICES // 4)
    return [folded(line) for line in gpd.GeoSeries(thin, crs=areas.crs).to_crs(4326)]


def rings_of(polygon: Any) -> list[list[int]]:
    """Write a polygon in degrees as its folded rings, the outer one first.

    Parameters
    ----------
    polygon
        A shapely polygon in longitude and latitude.

    Returns
    -------
    list
        Folded rings.

    Examples
    --------
    >>> rings_of(shapely.box(107, 26, 107.00001, 26.00001))
    [[10700001, 2600000, 0, 1, -1, 0, 0, -1, 1, 0]]
    """
    return [folded(ring) for ring in (polygon.exterior, *polygon.interiors)]


def _class_of(highway: str, name: str) -> str:
    told = road_class(highway, name)
    return told or ("path" if highway in _PATHS else "village")


def _thinned(shapes: np.ndarray, most: int) -> np.ndarray:
    """Return lines or areas simplified until they have so many points at most, or the coarsest tolerance is reached."""
    tolerance = TOLERANCE_M
    thin = shapely.simplify(shapes, tolerance)
    while shapely.get_num_coordinates(thin).sum() > most and tolerance < _COARSEST_M:
        tolerance *= 2
        thin = shapely.simplify(shapes, tolerance)
    return thin


def shaded_ground(terrain: Terrain, places: gpd.GeoSeries) -> dict[str, Any] | None:
    """Draw the ground as a picture: tinted by height, lit from the north-west, on a grid of the page's own projection.

    Parameters
    ----------
    terrain
        Elevation; where it is void the picture is transparent.
    places
        Points that the picture must lie under, in any coordinate system.

    Returns
    -------
    dict or None
        ``image``: the picture as a data address, at most 250 kB; ``bounds``: its south-western and north-eastern corner in
        degrees of latitude and longitude. None where the terrain knows nothing of this place.

    Examples
    --------
    >>> flat = Terrain(np.zeros((9, 9), "float32"), 0, 9000, 1000, 1000, "EPSG:4545")
    >>> shaded_ground(flat, paper.settlements.geometry) is None
    True
    """
    from PIL import Image
    from pyproj import Transformer

    west, south, east, north = places.to_crs(3857).total_bounds
    # a frame as wide and as high as a screen around the places, so that no edge shows at the first view
    half_y = max(north - south, (east - west) / _ASPECT, 4000) * (0.5 + _MARGIN)
    half_x, middle_x, middle_y = half_y * _ASPECT, (west + east) / 2, (south + north) / 2
    west, south, east, north = middle_x - half_x, middle_y - half_y, middle_x + half_x, middle_y + half_y
    cell = max(east - west, north - south) / _SHADE_PIXELS
    x, y = np.arange(west, east, cell) + cell / 2, np.arange(north, south, -cell) - cell / 2
    across, down = np.meshgrid(x, y)
    height = np.asarray(elevation_at(terrain, across.ravel(), down.ravel(), crs="EPSG:3857")).reshape(across.shape)
    if np.isnan(height).all():
        return None
    light = hillshade(Terrain(height.astype("float32"), west, north, cell, cell, "EPSG:3857"))
    low, high = np.nanpercentile(height, [2, 98])
    step = np.clip((height - low) / max(high - low, 1), 0, 1)[..., None]
    tint = (np.array(_LOW) * (1 - step) + np.array(_HIGH) * step) * (0.45 + 0.75 * light[..., None])
    pixels = np.dstack([np.clip(np.nan_to_num(tint), 0, 255), np.where(np.isnan(light), 0, 255)]).astype("uint8")
    to_degrees = Transformer.from_crs(3857, 4326, always_xy=True)
    (left, bottom), (right, top) = to_degrees.transform(west, north - cell * len(y)), to_degrees.transform(west + cell * len(x), north)
    corners = [[round(bottom, 6), round(left, 6)], [round(top, 6), round(right, 6)]]
    for quality in _QUALITIES:
        written = io.BytesIO()
        Image.fromarray(pixels, "RGBA").save(written, "WEBP", quality=quality, method=4)
        if written.tell() <= _SHADE_BYTES:
            break
    return {"image": "data:image/webp;base64," + base64.b64encode(written.getvalue()).decode(), "bounds": corners}
