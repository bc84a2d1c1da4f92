"""The ground of a map without tiles: relief as a picture, roads as lines of small whole numbers."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from layout.terrain import Terrain, elevation_at, hillshade

_ROAD_CLASSES: Mapping[str, tuple[str, ...]] = {
    "main": ("motorway", "trunk", "primary", "motorway_link", "trunk_link", "primary_link"),
    "secondary": ("secondary", "tertiary", "secondary_link", "tertiary_link"),
    "path": ("track", "path", "footway", "steps", "bridleway", "pedestrian", "cycleway"),
}
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
        Class (``main``, ``secondary``, ``minor``, ``path``) and its lines, folded; classes without a road are absent.

    Examples
    --------
    >>> [(cls, len(lines)) for cls, lines in road_lines(paper.roads.edges)]
    [('secondary', 1)]
    """
    known = {highway: cls for cls, names in _ROAD_CLASSES.items() for highway in names}
    cls = edges["highway"].map(known).fillna("minor")
    merged = []
    for name in ("main", "secondary", "minor", "path"):
        lines = edges.geometry[(cls == name).to_numpy()].to_numpy()
        if len(lines):
            whole = shapely.line_merge(shapely.multilinestrings(lines))
            merged += [(name, line) for line in getattr(whole, "geoms", [whole])]
    shapes, tolerance = np.array([line for _, line in merged]), TOLERANCE_M
    thin = shapely.simplify(shapes, tolerance)
    while shapely.get_num_coordinates(thin).sum() > _VERTICES and tolerance < _COARSEST_M:
        tolerance *= 2
        thin = shapely.simplify(shapes, tolerance)
    lines_of: dict[str, list[list[int]]] = {}
    for (name, _), line in zip(merged, gpd.GeoSeries(thin, crs=edges.crs).to_crs(4326), strict=True):
        lines_of.setdefault(name, []).append(folded(line))
    return [[name, lines] for name, lines in lines_of.items()]


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
