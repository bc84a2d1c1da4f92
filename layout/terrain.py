"""Elevation of the ground, and what it costs to walk on it."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyproj

from layout.elevation_tiles import read_tiles
from layout.tables import CountyDataError, Problem

# value that stands for a void in files we write, as in SRTM
_VOID = -32768
# a tile whose cells lie more than this share of a cell off the grid of the first one cannot be joined to it
_GRID_TOLERANCE = 0.01
# mean length of one degree of latitude, only to tell the size of a cell in metres
_METRES_A_DEGREE = 111_195.0


@dataclass(frozen=True)
class Terrain:
    """Elevation on a regular grid, north up.

    Parameters
    ----------
    elevation
        Metres, float32, rows from north to south; NaN where the source is void.
    west, north
        Outer corner of the first cell in units of ``crs``.
    cell_x, cell_y
        Size of a cell in units of ``crs``, both positive.
    crs
        Coordinate system, e.g. ``EPSG:4326``.
    source
        File names it was read from.
    """

    elevation: np.ndarray
    west: float
    north: float
    cell_x: float
    cell_y: float
    crs: str
    source: tuple[str, ...] = ()


def read_terrain(paths: Sequence[Path]) -> Terrain:
    """Read elevation tiles and put them together on one grid.

    Parameters
    ----------
    paths
        GeoTIFF files, or SRTM tiles ``.hgt``, plain or zipped, one or several in an archive. Where tiles overlap the later
        one fills only what is void in the earlier ones; tiles of one grid, in any order, give one answer. Heights in feet
        become metres. Heights above the ellipsoid stay as they are: slopes, which is all that minutes need, do not change.

    Returns
    -------
    Terrain
        The grid over all tiles; NaN where no tile has a value.

    Raises
    ------
    CountyDataError
        Files that cannot be read or are damaged, have no coordinate system, are turned, are pictures or no metres of
        elevation, or lie on another grid: all at once.

    Examples
    --------
    >>> read_terrain([Path("nowhere.hgt")])
    Traceback (most recent call last):
    ...
    layout.tables.CountyDataError: ...
    """
    if isinstance(paths, (str, Path)):
        raise ValueError("paths must be a list of files")
    if not paths:
        raise ValueError("paths must name at least one file")
    tiles: list[Terrain] = []
    problems: list[Problem] = []
    for path in sorted((Path(p) for p in paths), key=lambda p: p.name):
        try:
            tiles += [Terrain(*tile[:6], (tile.name,)) for tile in read_tiles(path)]
        except CountyDataError as error:
            problems += error.problems
    for tile in tiles[1:]:
        if not _same_grid(tiles[0], tile):
            problems.append(Problem("terrain_other_grid", tile.source[0], fields={"first": tiles[0].source[0]}))
    if problems:
        raise CountyDataError(problems)
    return tiles[0] if len(tiles) == 1 else _mosaic(tiles)


def write_terrain(terrain: Terrain, path: str | Path) -> None:
    """Write elevation as a compressed GeoTIFF that :func:`read_terrain` reads back unchanged.

    Parameters
    ----------
    terrain
        What to write.
    path
        File to make. Whole metres are kept as 16-bit numbers, anything finer as 32-bit ones.

    Examples
    --------
    >>> import tempfile
    >>> grid = Terrain(np.array([[1, np.nan]], "float32"), 107, 26, 0.1, 0.1, "EPSG:4326")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_terrain(grid, Path(folder) / "terrain.tif")
    ...     read_terrain([Path(folder) / "terrain.tif"]).elevation.tolist()
    [[1.0, nan]]
    """
    import rasterio
    from rasterio.transform import from_origin

    rows, columns = terrain.elevation.shape
    known = ~np.isnan(terrain.elevation)
    whole = bool((terrain.elevation[known] == np.round(terrain.elevation[known])).all())
    metres = np.where(known, terrain.elevation, _VOID).astype("int16" if whole else "float32")
    with rasterio.open(
        path, "w", driver="GTiff", height=rows, width=columns, count=1, dtype=metres.dtype, crs=terrain.crs, nodata=_VOID,
        transform=from_origin(terrain.west, terrain.north, terrain.cell_x, terrain.cell_y),
        compress="deflate", predictor=2 if whole else 3,
    ) as file:  # fmt: skip
        file.write(metres, 1)


def elevation_at(terrain: Terrain, x: np.ndarray, y: np.ndarray, *, crs: object) -> np.ndarray:
    """Return the elevation at points, bilinear between the middles of the four cells around each.

    Parameters
    ----------
    terrain
        The grid.
    x, y
        Coordinates in ``crs``, of one shape.
    crs
        Coordinate system of the points.

    Returns
    -------
    numpy.ndarray
        Metres, shaped like ``x``; NaN outside the grid and beside a void.

    Examples
    --------
    >>> grid = Terrain(np.array([[0, 10], [0, 10]], "float32"), 0, 20, 10, 10, "EPSG:32738")
    >>> elevation_at(grid, np.array([5.0, 10.0, 15.0, 40.0]), np.full(4, 10.0), crs="EPSG:32738").tolist()
    [0.0, 5.0, 10.0, nan]
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if not _same_crs(crs, terrain.crs):
        x, y = transformer(crs, terrain.crs).transform(x, y)
    rows, columns = terrain.elevation.shape
    if not rows or not columns:
        return np.full(np.shape(x), np.nan)
    # positions counted in cells from the middle of the first one
    across, down = (x - terrain.west) / terrain.cell_x - 0.5, (terrain.north - y) / terrain.cell_y - 0.5
    inside = (across >= -0.5) & (across <= columns - 0.5) & (down >= -0.5) & (down <= rows - 0.5)
    # the outer half of a border cell takes the value of its middle
    across, down = np.clip(np.where(inside, across, 0), 0, columns - 1), np.clip(np.where(inside, down, 0), 0, rows - 1)
    left, top = np.minimum(across.astype("int64"), max(columns - 2, 0)), np.minimum(down.astype("int64"), max(rows - 2, 0))
    right, low = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
    fx, fy = across - left, down - top
    z = terrain.elevation
    upper = _between(z[top, left], z[top, right], fx)
    lower = _between(z[low, left], z[low, right], fx)
    return np.where(inside, _between(upper, lower, fy), np.nan)


def clip_terrain(terrain: Terrain, bounds: tuple[float, float, float, float], *, crs: object) -> Terrain:
    """Return the part of the grid that covers bounds, with one cell more on every side where there is one.

    Parameters
    ----------
    terrain
        The grid.
    bounds
        West, south, east, north in ``crs``.
    crs
        Coordinate system of the bounds.

    Returns
    -------
    Terrain
        A copy of that part; without any cell where the grid does not meet the bounds.

    Examples
    --------
    >>> grid = Terrain(np.zeros((9, 9), "float32"), 0, 90, 10, 10, "EPSG:32738")
    >>> clip_terrain(grid, (41, 41, 49, 49), crs="EPSG:32738").elevation.shape
    (3, 3)
    """
    west, south, east, north = bounds
    if not _same_crs(crs, terrain.crs):
        west, south, east, north = transformer(crs, terrain.crs).transform_bounds(west, south, east, north)
    rows, columns = terrain.elevation.shape
    first = int(np.clip(math.floor((west - terrain.west) / terrain.cell_x) - 1, 0, columns))
    last = int(np.clip(math.ceil((east - terrain.west) / terrain.cell_x) + 1, first, columns))
    top = int(np.clip(math.floor((terrain.north - north) / terrain.cell_y) - 1, 0, rows))
    bottom = int(np.clip(math.ceil((terrain.north - south) / terrain.cell_y) + 1, top, rows))
    return replace(
        terrain, elevation=terrain.elevation[top:bottom, first:last].copy(),
        west=terrain.west + first * terrain.cell_x, north=terrain.north - top * terrain.cell_y,
    )  # fmt: skip


def smooth_terrain(terrain: Terrain, *, width_m: float) -> Terrain:
    """Return the grid with every cell the mean of the square around it: radar noise evens out, slopes stay.

    Parameters
    ----------
    terrain
        The grid.
    width_m
        Side of the square; rounded to an odd number of cells, one cell leaves the grid as it is.

    Returns
    -------
    Terrain
        A smoothed copy. A square is cut evenly at the border, so that a plane stays a plane; voids stay void and do not count.

    Examples
    --------
    >>> grid = Terrain(np.array([[0, 3, 0, 3, 0]], "float32"), 0, 10, 10, 10, "EPSG:32738")
    >>> smooth_terrain(grid, width_m=30).elevation.tolist()
    [[0.0, 1.0, 2.0, 1.0, 0.0]]
    """
    known = ~np.isnan(terrain.elevation)
    total, count = np.where(known, terrain.elevation, 0).astype(float), known.astype(float)
    for axis, cell in zip((1, 0), _cell_metres(terrain), strict=True):
        half = round((width_m / cell - 1) / 2)
        total, count = _box(total, half, axis), _box(count, half, axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        return replace(terrain, elevation=np.where(known, total / count, np.nan).astype("float32"))


def hillshade(terrain: Terrain, *, azimuth: float = 315, altitude: float = 45, exaggeration: float = 1.5) -> np.ndarray:
    """Return how bright the ground is under a low sun, for the background of a map.

    Parameters
    ----------
    terrain
        The grid.
    azimuth, altitude
        Of the sun, degrees clockwise from north and above the horizon.
    exaggeration
        Factor on heights.

    Returns
    -------
    numpy.ndarray
        Float32 from 0 (shadow) to 1 (facing the sun), shaped like the grid; NaN beside a void.

    References
    ----------
    Horn, B. K. P. (1981). Hill shading and the reflectance map. Proceedings of the IEEE, 69(1), 14-47.

    Examples
    --------
    >>> flat = Terrain(np.zeros((3, 3), "float32"), 0, 30, 10, 10, "EPSG:32738")
    >>> round(float(hillshade(flat)[1, 1]), 4)
    0.7071
    """
    across, down = _cell_metres(terrain)
    if min(terrain.elevation.shape) < 2:
        return np.full(terrain.elevation.shape, math.sin(math.radians(altitude)), "float32")
    height = terrain.elevation.astype("float32") * np.float32(exaggeration)
    south, east = np.gradient(height, np.float32(down), np.float32(across))
    turn, rise = math.radians(azimuth), math.radians(altitude)
    # the sun's direction times the upward normal (-dz/dx, -dz/dy, 1); rows run south, so dz/dy is minus the row gradient
    light = math.sin(rise) + math.cos(rise) * (-math.sin(turn) * east + math.cos(turn) * south)
    return np.clip(light / np.sqrt(1 + east**2 + south**2), 0, 1).astype("float32")


def slope_raster(terrain: Terrain) -> np.ndarray:
    """Return how steep the ground is: the greatest rise over run at every cell, by Horn's three by three cells.

    Parameters
    ----------
    terrain
        The grid.

    Returns
    -------
    numpy.ndarray
        Float32, shaped like the grid: 0.1 is a grade of 10 %. NaN in and beside a void. Beyond the border the ground is
        taken to go on as it comes.

    References
    ----------
    Horn, B. K. P. (1981). Hill shading and the reflectance map. Proceedings of the IEEE, 69(1), 14-47.

    Examples
    --------
    >>> rising = Terrain(np.array([[0, 3, 6], [4, 7, 10], [8, 11, 14]], "float32"), 0, 30, 10, 10, "EPSG:32738")
    >>> slope_raster(rising).round(4).tolist()
    [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]
    """
    if 0 in terrain.elevation.shape:
        return np.zeros(terrain.elevation.shape, "float32")
    across, down = _cell_metres(terrain, by_row=True)
    z = terrain.elevation
    for axis, length in enumerate(z.shape):
        # one row more on either side, as far from the border as its mirror image
        widths = [(int(axis == 0),) * 2, (int(axis == 1),) * 2]
        z = np.pad(z, widths, mode="edge") if length < 2 else np.pad(z, widths, mode="reflect", reflect_type="odd")
    east, south = z[:, 2:] - z[:, :-2], z[2:] - z[:-2]
    east = (east[:-2] + 2 * east[1:-1] + east[2:]) / np.float32(8) / np.asarray(across, "float32")
    south = (south[:, :-2] + 2 * south[:, 1:-1] + south[:, 2:]) / np.float32(8 * down)
    return np.where(np.isnan(terrain.elevation), np.float32(np.nan), np.hypot(east, south))


def void_share(terrain: Terrain) -> float:
    """Return the share of cells without elevation.

    Parameters
    ----------
    terrain
        The grid.

    Returns
    -------
    float
        From 0 to 1; 0 for a grid without cells.

    Examples
    --------
    >>> void_share(Terrain(np.array([[1, np.nan]], "float32"), 0, 10, 10, 10, "EPSG:32738"))
    0.5
    """
    return float(np.isnan(terrain.elevation).mean()) if terrain.elevation.size else 0.0


def in_void(terrain: Terrain, x: np.ndarray, y: np.ndarray, *, crs: object) -> np.ndarray:
    """Tell which points lie on the grid but have no elevation, because a cell beside them is void.

    Parameters
    ----------
    terrain
        The grid.
    x, y
        Coordinates in ``crs``, of one shape.
    crs
        Coordinate system of the points.

    Returns
    -------
    numpy.ndarray
        Booleans, shaped like ``x``; false outside the grid.

    Examples
    --------
    >>> grid = Terrain(np.array([[1, 1, np.nan]], "float32"), 0, 10, 10, 10, "EPSG:32738")
    >>> in_void(grid, np.array([5.0, 25.0, 35.0]), np.full(3, 5.0), crs="EPSG:32738").tolist()
    [False, True, False]
    """
    ground = replace(terrain, elevation=np.where(np.isnan(terrain.elevation), np.float32(0), terrain.elevation))
    return np.isnan(elevation_at(terrain, x, y, crs=crs)) & ~np.isnan(elevation_at(ground, x, y, crs=crs))


def void_notes(terrain: Terrain, ids: Sequence[str], x: np.ndarray, y: np.ndarray, *, crs: object) -> list[tuple[str, dict[str, object]]]:
    """Say how much of the grid is void and which places lie there, as notes for those who check a county.

    Parameters
    ----------
    terrain
        The grid.
    ids
        Names of the places.
    x, y
        Their coordinates in ``crs``.
    crs
        Coordinate system of the places.

    Returns
    -------
    list[tuple[str, dict[str, object]]]
        Key and fields of messages; empty where nothing is void.

    Examples
    --------
    >>> grid = Terrain(np.array([[1, 1, np.nan]], "float32"), 0, 10, 10, 10, "EPSG:32738")
    >>> void_notes(grid, ["A"], np.array([25.0]), np.array([5.0]), crs="EPSG:32738")[1]
    ('note.places_in_void', {'count': 1, 'places': 'A'})
    """
    count, total = int(np.isnan(terrain.elevation).sum()), terrain.elevation.size
    if not count:
        return []
    notes: list[tuple[str, dict[str, object]]] = [("note.terrain_void", {"count": count, "total": total, "percent": f"{100 * count / total:.1f}"})]
    inside = [i for i, void in zip(ids, in_void(terrain, x, y, crs=crs), strict=True) if void]
    if inside:
        notes.append(("note.places_in_void", {"count": len(inside), "places": "、".join(inside[:5])}))
    return notes


def tobler_factor(slope: np.ndarray | float) -> np.ndarray:
    """Return the share of level walking speed that remains on a slope.

    Parameters
    ----------
    slope
        Rise over run in the direction of travel, negative downhill.

    Returns
    -------
    numpy.ndarray
        ``exp(-3.5 |slope + 0.05|) / exp(-0.175)``: 1 on the level, most (1.19) at 5 % downhill.

    References
    ----------
    Tobler, W. (1993). Three presentations on geographical analysis and modeling. NCGIA technical report 93-1.

    Examples
    --------
    >>> tobler_factor(np.array([0.0, -0.05, 0.1])).round(4).tolist()
    [1.0, 1.1912, 0.7047]
    """
    return np.exp(-3.5 * (np.abs(np.asarray(slope, float) + 0.05) - 0.05))


@functools.lru_cache(maxsize=64)
def transformer(source: object, target: object) -> pyproj.Transformer:
    """Return the transformation between two coordinate systems, x before y; looking it up takes long, so it is kept.

    Parameters
    ----------
    source, target
        Coordinate systems.

    Returns
    -------
    pyproj.Transformer
        From ``source`` to ``target``.

    Examples
    --------
    >>> [round(v, 2) for v in transformer("EPSG:4326", "EPSG:4545").transform(108.0, 0.0)]
    [500000.0, 0.0]
    """
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def _same_grid(a: Terrain, b: Terrain) -> bool:
    cells = ((a.cell_x, b.cell_x), (a.cell_y, b.cell_y))
    if not _same_crs(a.crs, b.crs) or not all(math.isclose(*pair, rel_tol=1e-6) for pair in cells):
        return False
    steps = ((b.west - a.west) / a.cell_x, (b.north - a.north) / a.cell_y)
    return all(abs(s - round(s)) < _GRID_TOLERANCE for s in steps)


def _mosaic(tiles: Sequence[Terrain]) -> Terrain:
    first = tiles[0]
    west, north = min(t.west for t in tiles), max(t.north for t in tiles)
    places = [(round((north - t.north) / first.cell_y), round((t.west - west) / first.cell_x), *t.elevation.shape) for t in tiles]
    out = np.full((max(r + h for r, _, h, _ in places), max(c + w for _, c, _, w in places)), np.nan, "float32")
    for tile, (row, column, height, width) in zip(tiles, places, strict=True):
        part = out[row : row + height, column : column + width]
        np.copyto(part, tile.elevation, where=np.isnan(part))
    return replace(first, elevation=out, west=west, north=north, source=tuple(t.source[0] for t in tiles))


def _same_crs(a: object, b: object) -> bool:
    return a == b or pyproj.CRS.from_user_input(a) == pyproj.CRS.from_user_input(b)


def _between(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    # a void neighbour whose share is nil does not count
    return np.where(share <= 0, a, np.where(share >= 1, b, a + (b - a) * share))


def _cell_metres(terrain: Terrain, *, by_row: bool = False) -> tuple[Any, float]:
    crs = pyproj.CRS.from_user_input(terrain.crs)
    if not crs.is_geographic:
        unit = crs.axis_info[0].unit_conversion_factor
        return terrain.cell_x * unit, terrain.cell_y * unit
    rows = terrain.elevation.shape[0]
    # a degree of longitude grows shorter from row to row; over all rows that of the middle serves
    latitude = terrain.north - terrain.cell_y * (np.arange(rows)[:, None] + 0.5 if by_row else rows / 2)
    return terrain.cell_x * _METRES_A_DEGREE * np.cos(np.radians(latitude)), terrain.cell_y * _METRES_A_DEGREE


def _box(values: np.ndarray, half: int, axis: int) -> np.ndarray:
    # sum over 2 * half + 1 cells; near the border over as many on either side as there are on the shorter one
    length = values.shape[axis]
    if half < 1 or length < 3:
        return values
    running = np.cumsum(np.insert(values, 0, 0, axis=axis), axis=axis)
    at = np.arange(length)
    reach = np.minimum(half, np.minimum(at, length - 1 - at))
    return np.take(running, at + reach + 1, axis=axis) - np.take(running, at - reach, axis=axis)
