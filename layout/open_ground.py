"""Off road and path: the minutes of the quickest way across open ground, uphill, downhill and round what bars it."""

from __future__ import annotations

import numpy as np

from layout.barriers import Barriers, Ground, barred_ways, barriers_on
from layout.compiled import loops
from layout.relief import STEP_M, smooth_surface
from layout.terrain import Terrain, clip_terrain, elevation_at, tobler_factor, transformer

# 5 % downhill is walked fastest
BEST_SLOPE = float(tobler_factor(-0.05))
# Tobler's e-folding: uphill or downhill steeper than one in this many, a way that winds is quicker than one straight on
_WIND = 3.5
# straight on is good enough if no way can beat it by more than what a raster loses by its sixteen directions
_STRAIGHT_ENOUGH = 1.03
# how far beyond the straight line a way round is looked for, and the cell of ground that is known to be flat
_ASIDE_M, _CELL_M = 300.0, 30.0
# searches over a raster that are kept, a few kilobytes each
_KEPT = 20_000
# points whose elevation is looked up in one go: a bound on memory
_CHUNK_POINTS = 2_000_000


def least_minutes(ground: Ground, x1: np.ndarray, y1: np.ndarray, x2: np.ndarray, y2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return minutes that no way across open ground from the first points to the second can beat, and back.

    Tobler's pace is convex in the slope: whatever a way does in between, by Jensen's inequality it takes at least what an
    even slope over its length takes, and lengthening a way helps only where it is steeper than 2 in 7.

    Parameters
    ----------
    ground
        Its elevation.
    x1, y1, x2, y2
        Points in ``ground.crs``.

    Returns
    -------
    tuple of numpy.ndarray
        Minutes at 1 km/h on the level.

    Examples
    --------
    >>> from layout.barriers import make_ground
    >>> flat = make_ground(None, None, "EPSG:4545")
    >>> least_minutes(flat, np.zeros(1), np.zeros(1), np.array([300.0]), np.array([400.0]))[0].tolist()
    [30.0]
    """
    distance = np.hypot(x2 - x1, y2 - y1)
    level = distance / 1000 * 60
    if ground.terrain is None or not len(distance):
        return level, level.copy()
    surface = _surface(ground, np.append(x1, x2), np.append(y1, y2))
    rise = elevation_at(surface, x2, y2, crs=ground.crs) - elevation_at(surface, x1, y1, crs=ground.crs)
    length = np.maximum(distance, _WIND * np.abs(rise))
    slope = np.divide(rise, length, out=np.zeros(len(rise)), where=length > 0)
    # where a height is unknown, the best slope all the way
    known = np.isfinite(rise)
    return tuple(
        np.where(known, length / 1000 * 60 / tobler_factor(way), level / BEST_SLOPE)
        for way in (np.where(known, slope, 0), np.where(known, -slope, 0))
    )  # type: ignore[return-value]


def ground_minutes(ground: Ground, place: np.ndarray, x: np.ndarray, y: np.ndarray, px: np.ndarray, py: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the minutes on foot across open ground from places to points, and back.

    Straight on along the profile of the ground where no obstacle lies between; and where a way round could be more than
    3 % quicker, also the least over a raster of the ground with sixteen directions (:func:`layout.cost_distance`). Voids of
    the terrain count as flat.

    Parameters
    ----------
    ground
        Elevation and obstacles.
    place
        Of every pair, the position of its place.
    x, y
        Of the places.
    px, py
        Of every pair, the point.

    Returns
    -------
    tuple of numpy.ndarray
        Minutes at 1 km/h on the level; infinite where obstacles (:func:`barred_ways`) leave no way within some 300 m of the
        straight line.

    Examples
    --------
    >>> from layout.barriers import make_ground
    >>> flat = make_ground(None, None, "EPSG:4545")
    >>> zero = np.zeros(1)
    >>> ground_minutes(flat, np.array([0]), zero, zero, np.array([300.0]), np.array([400.0]))[0].tolist()
    [30.0]
    """
    x1, y1 = x[place], y[place]
    out, back = _straight(ground, x1, y1, px, py)
    if not len(out) or (ground.terrain is None and not len(ground.obstacles)):
        return out, back
    barred = barred_ways(ground, x1, y1, px, py)
    least = least_minutes(ground, x1, y1, px, py)
    out, back = np.where(barred, np.inf, out), np.where(barred, np.inf, back)
    slow = [way > _STRAIGHT_ENOUGH * best for way, best in zip((out, back), least, strict=True)]
    for way, pairs, towards in ((out, slow[0], False), (back, slow[1], True)):
        at = np.flatnonzero(pairs)
        for rows in np.split(at, np.flatnonzero(np.diff(place[at])) + 1) if len(at) else []:
            found = _kept_round_about(ground, x1[rows[0]], y1[rows[0]], px[rows], py[rows], way[rows], towards=towards)
            way[rows] = np.minimum(way[rows], found)
    return out, back


def heights_on(ground: Ground, grid: Terrain) -> np.ndarray:
    """Return heights on a metric grid.

    Parameters
    ----------
    ground
        Its elevation.
    grid
        Cells in ``ground.crs``; elevations do not matter.

    Returns
    -------
    numpy.ndarray
        Metres, float64, smoothed as roads are, NaN where unknown, 0 on flat ground.

    Examples
    --------
    >>> grid = Terrain(np.zeros((2, 3), "float32"), 0, 60, 30, 30, "EPSG:4545")
    >>> heights_on(Ground(None, np.zeros(0, object), "EPSG:4545"), grid).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    rows, columns = grid.elevation.shape
    if ground.terrain is None or not rows * columns:
        return np.zeros((rows, columns))
    from rasterio.transform import from_origin
    from rasterio.warp import Resampling, reproject

    corners = np.array([grid.west, grid.west + columns * grid.cell_x]), np.array([grid.north, grid.north - rows * grid.cell_y])
    surface = _surface(ground, *(v.ravel() for v in np.meshgrid(*corners)))
    height = np.full((rows, columns), np.nan, "float32")
    if surface.elevation.size:
        reproject(
            np.ascontiguousarray(surface.elevation), height, src_crs=surface.crs, dst_crs=ground.crs, src_nodata=np.nan, dst_nodata=np.nan,
            src_transform=from_origin(surface.west, surface.north, surface.cell_x, surface.cell_y),
            dst_transform=from_origin(grid.west, grid.north, grid.cell_x, grid.cell_y), resampling=Resampling.bilinear,
        )  # fmt: skip
    return height.astype(float)


def _straight(ground: Ground, x1: np.ndarray, y1: np.ndarray, x2: np.ndarray, y2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distance = np.hypot(x2 - x1, y2 - y1)
    level = distance / 1000 * 60
    if ground.terrain is None or not len(distance):
        return level, level.copy()
    surface = _surface(ground, np.append(x1, x2), np.append(y1, y2))
    if not surface.elevation.size:
        return level, level.copy()
    to_surface = transformer(ground.crs, surface.crs)
    # over so short a way a line that is straight in one coordinate system is straight in the other
    (x1, y1), (x2, y2) = to_surface.transform(x1, y1), to_surface.transform(x2, y2)
    pieces = np.maximum(1, np.round(distance / STEP_M)).astype("int64")
    out, back = np.empty(len(distance)), np.empty(len(distance))
    bounds = np.searchsorted(np.cumsum(pieces + 1), np.arange(0, (pieces + 1).sum(), _CHUNK_POINTS))
    for low, high in zip(bounds, [*bounds[1:], len(distance)], strict=True):
        part = slice(low, high)
        n = pieces[part]
        line = np.repeat(np.arange(len(n)), n + 1)
        first = np.cumsum(n + 1) - (n + 1)
        share = (np.arange(len(line)) - first[line]) / n[line]
        x, y = x1[part][line] + share * (x2 - x1)[part][line], y1[part][line] + share * (y2 - y1)[part][line]
        height = elevation_at(surface, x, y, crs=surface.crs)
        inner = np.flatnonzero(line[:-1] == line[1:])
        of = line[inner]
        run = (distance[part] / n)[of]
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = (height[inner + 1] - height[inner]) / run
        slope = np.where(np.isfinite(slope), slope, 0.0)
        for result, way in ((out, slope), (back, -slope)):
            result[part] = level[part] / n * np.bincount(of, 1 / tobler_factor(way), minlength=len(n))
    return out, back


def _surface(ground: Ground, x: np.ndarray, y: np.ndarray) -> Terrain:
    if ground.terrain is None:
        raise ValueError("flat ground has no surface")
    return smooth_surface(ground.terrain, x, y, ground.crs)


def _kept_round_about(
    ground: Ground, x: float, y: float, px: np.ndarray, py: np.ndarray, straight: np.ndarray, *, towards: bool
) -> np.ndarray:  # fmt: skip
    """Return the same, without looking anew where the very same was asked before."""
    kept, asked = ground.rounds, (float(x), float(y), px.tobytes(), py.tobytes(), straight.tobytes(), towards)
    found = kept.get(asked)
    if found is None:
        if len(kept) >= _KEPT:
            kept.clear()
        found = kept[asked] = _round_about(ground, x, y, px, py, straight, towards=towards)
    return found


def _round_about(ground: Ground, x: float, y: float, px: np.ndarray, py: np.ndarray, straight: np.ndarray, *, towards: bool) -> np.ndarray:
    """Return least minutes over a raster between one place and points: from the place, or towards it."""
    spread = loops("cost_surface_kernels").spread

    bounds = (min(x, px.min()) - _ASIDE_M, min(y, py.min()) - _ASIDE_M, max(x, px.max()) + _ASIDE_M, max(y, py.max()) + _ASIDE_M)
    window, cell_x, cell_y = _window(ground, bounds)
    rows, columns = window.elevation.shape
    if rows < 2 or columns < 2:
        return np.full(len(px), np.inf)
    to_window = transformer(ground.crs, window.crs)
    corners = []
    for place_x, place_y in (to_window.transform(np.array([x]), np.array([y])), to_window.transform(px, py)):
        across, down = (place_x - window.west) / window.cell_x - 0.5, (window.north - place_y) / window.cell_y - 0.5
        left, top = np.clip(np.floor(across), 0, columns - 2).astype("int64"), np.clip(np.floor(down), 0, rows - 2).astype("int64")
        column, row = left[:, None] + np.array([0, 1, 0, 1]), top[:, None] + np.array([0, 0, 1, 1])
        run = np.hypot((column - across[:, None]) * cell_x, (row - down[:, None]) * cell_y)
        height = elevation_at(window, place_x, place_y, crs=window.crs)
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = np.where(run > 0, (window.elevation[row, column] - height[:, None]) / run, 0.0)
        slope = np.where(np.isfinite(slope), slope, 0.0)
        corners.append((row, column, run / 1000 * 60 / tobler_factor(slope), run / 1000 * 60 / tobler_factor(-slope)))
    (row, column, away, home), (to_row, to_column, from_point, to_point) = corners
    barriers = barriers_on(ground, window)
    if len(barriers.blocked):
        # from a point to the middles of the cells around it an obstacle may lie across, too
        home, away = (np.where(_across(ground, window, barriers, row, column, np.array([x]), np.array([y])), np.inf, leg) for leg in (home, away))
        legs_barred = _across(ground, window, barriers, to_row, to_column, px, py)
        from_point, to_point = np.where(legs_barred, np.inf, from_point), np.where(legs_barred, np.inf, to_point)
    pace = np.where(barriers.inside, np.inf, 0.06)
    seeds = np.column_stack([row[0], column[0]])
    targets = np.column_stack([to_row.ravel(), to_column.ravel()])
    minutes = spread(
        np.ascontiguousarray(window.elevation, dtype=float), pace, ~np.isnan(window.elevation), seeds, home[0] if towards else away[0], targets,
        cell_x, cell_y, towards, True, float(straight.max()), np.zeros(0, "int32"), np.inf, barriers.blocked,
    )[0]  # fmt: skip
    legs = from_point if towards else to_point
    return (minutes[to_row, to_column] + legs).min(axis=1)


def _across(ground: Ground, window: Terrain, barriers: Barriers, row: np.ndarray, column: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Say between which points and the middles of which cells around them an obstacle lies."""
    out = barriers.inside[row, column]
    at = np.nonzero(barriers.near[row, column])
    if len(at[0]):
        to_ground = transformer(window.crs, ground.crs)
        cx, cy = to_ground.transform(window.west + (column[at] + 0.5) * window.cell_x, window.north - (row[at] + 0.5) * window.cell_y)
        out[at] |= barred_ways(ground, x[at[0]], y[at[0]], cx, cy, both_ends=False)
    return out


def _window(ground: Ground, bounds: tuple[float, float, float, float]) -> tuple[Terrain, float, float]:
    """Return the ground within bounds and the size of its cells in metres."""
    west, south, east, north = bounds
    if ground.terrain is None:
        shape = int(np.ceil((north - south) / _CELL_M)), int(np.ceil((east - west) / _CELL_M))
        return Terrain(np.zeros(shape, "float32"), west, north, _CELL_M, _CELL_M, ground.crs), _CELL_M, _CELL_M
    surface = _surface(ground, np.array([west, east]), np.array([south, north]))
    window = clip_terrain(surface, bounds, crs=ground.crs)
    rows, columns = window.elevation.shape
    middle = window.west + columns / 2 * window.cell_x, window.north - rows / 2 * window.cell_y
    back = transformer(window.crs, ground.crs)
    x, y = back.transform(np.array([middle[0], middle[0] + window.cell_x, middle[0]]), np.array([middle[1], middle[1], middle[1] - window.cell_y]))
    return window, float(np.hypot(x[1] - x[0], y[1] - y[0])), float(np.hypot(x[2] - x[0], y[2] - y[0]))
