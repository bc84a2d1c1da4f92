"""Minutes over open ground: the quickest way across a raster of speeds and heights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from layout.compiled import loops


def cost_distance(
    elevation: np.ndarray | None,
    speed_kph: np.ndarray | float,
    sources: np.ndarray,
    *,
    cell_m: float | tuple[float, float],
    on_foot: np.ndarray | bool = True,
    direction: str = "towards",
    knight: bool = True,
    start_minutes: np.ndarray | float | None = None,
    limit: float | None = None,
) -> np.ndarray:
    """Return the minutes between every cell of a raster and its nearest source.

    Parameters
    ----------
    elevation
        Metres, rows from north to south. A void (NaN) cannot be walked; where one is not on foot it is passed at its speed,
        and a move that begins or ends in it counts as level. None: flat ground. Only differences count, so heights above
        the ellipsoid do as well as those above the sea.
    speed_kph
        Speed on the level in km/h, one for all cells or one for each; 0 or NaN is a barrier.
    sources
        Booleans shaped like the raster, or pairs of numbers of row and column. A source on a barrier does not count.
    cell_m
        Size of a cell in metres, or width and height.
    on_foot
        Where the slope in the direction of travel scales the speed (:func:`layout.terrain.tobler_factor`); elsewhere the
        speed stands.
    direction
        ``towards``: travelling from each cell to its nearest source; ``from``: from the nearest source to the cell.
    knight
        Move to sixteen neighbours, knight's moves included, instead of eight. On even ground and in the worst direction
        the way is then 2.7 % too long instead of 8.2 %.
    start_minutes
        Minutes added at a source, one for all or one for each; for boolean sources row by row, or shaped like the raster.
    limit
        Minutes beyond which no cell is reached; a small one saves time.

    Returns
    -------
    numpy.ndarray
        Minutes, float64, shaped like the raster; inf on barriers and where no source is reached.

    Notes
    -----
    A move takes its horizontal length times the mean pace (minutes a metre) of the cells it touches, each cell on foot with
    the factor of the slope between the two ends: as GRASS ``r.walk`` and AccessMod's ``r.walk.accessmod`` do, two cells for
    a move to a neighbour and four for a knight's move, which is barred by a barrier on either of the two cells it passes
    between. Both programs let a diagonal move slip between two barriers that touch at a corner; here it is barred, since
    otherwise one could cross a river drawn cell by cell. The answer is the exact least over all such moves.

    References
    ----------
    GRASS GIS, raster/r.walk/main.c; AccessMod, r.walk.accessmod, main.c and timeCostManager.h. Tobler, W. (1993). Three
    presentations on geographical analysis and modeling. NCGIA technical report 93-1.

    Examples
    --------
    >>> slope = np.array([[0.0, 10.0, 20.0]])
    >>> cost_distance(slope, 4.0, [(0, 0)], cell_m=100).round(2).tolist()
    [[0.0, 1.5, 3.0]]
    >>> cost_distance(slope, 4.0, [(0, 0)], cell_m=100, direction="from").round(2).tolist()
    [[0.0, 2.13, 4.26]]
    >>> cost_distance(None, np.array([[4.0, 0.0, 4.0]]), [(0, 0)], cell_m=100).tolist()
    [[0.0, inf, inf]]
    """
    if direction not in ("towards", "from"):
        raise ValueError(f"direction must be 'towards' or 'from', not {direction!r}")
    cell_x, cell_y = (float(c) for c in np.broadcast_to(cell_m, 2))
    if not (0 < cell_x < math.inf and 0 < cell_y < math.inf):
        raise ValueError("cell_m must be above 0")
    most = math.inf if limit is None else float(limit)
    if not most >= 0:
        raise ValueError("limit must be at least 0")
    shape = _shape(elevation, speed_kph, on_foot, sources)
    seeds, minutes = _seeds(np.asarray(sources), start_minutes, shape)
    # numba takes a quarter of a second to load
    spread = loops("cost_surface_kernels").spread

    height = _plain(np.zeros(shape) if elevation is None else _filled(elevation), float)
    pace, walked = _plain(_pace(speed_kph, shape), float), _plain(np.broadcast_to(np.asarray(on_foot, bool), shape), bool)
    begin, nowhere, nobody = _plain(seeds, np.int64), np.empty((0, 2), np.int64), np.zeros(0, "int32")
    free = np.zeros((0, shape[1]), "uint32")
    towards = direction == "towards"
    start = _plain(minutes, float)
    return spread(height, pace, walked, begin, start, nowhere, cell_x, cell_y, towards, bool(knight), most, nobody, math.inf, free)[0]


def _plain(values: np.ndarray, kind: type) -> np.ndarray:
    # numba compiles anew for every kind of array: only C-ordered and writeable ones
    return np.require(values, kind, ["C", "A", "W"])


def _shape(elevation: Any, speed_kph: Any, on_foot: Any, sources: Any) -> tuple[int, int]:
    things = {"elevation": elevation, "speed_kph": speed_kph, "on_foot": on_foot}
    shapes = {name: np.shape(thing) for name, thing in things.items() if np.ndim(thing)}
    if np.asarray(sources).dtype == bool:
        shapes["sources"] = np.shape(sources)
    if not shapes:
        raise ValueError("one of elevation, speed_kph, on_foot and sources must be a raster")
    first, shape = next(iter(shapes.items()))
    for name, other in shapes.items():
        if other != shape:
            raise ValueError(f"{name} is shaped {other}, {first} {shape}")
    if len(shape) != 2:
        raise ValueError(f"{first} must have rows and columns, not the shape {shape}")
    return shape


def _filled(values: Any) -> np.ndarray:
    # masked cells of a raster are void
    return np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)


def _pace(speed_kph: Any, shape: tuple[int, int]) -> np.ndarray:
    speed = _filled(speed_kph)
    if (speed < 0).any() or np.isinf(speed).any():
        raise ValueError("speed_kph must be finite and at least 0")
    with np.errstate(divide="ignore"):
        return np.broadcast_to(0.06 / speed, shape)


def _seeds(sources: np.ndarray, start_minutes: np.ndarray | float | None, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    start = np.asarray(0.0 if start_minutes is None else start_minutes, float)
    if sources.dtype == bool:
        seeds = np.argwhere(sources)
        if start.shape == shape:
            start = start[sources]
    else:
        seeds = sources.reshape(-1, 2) if sources.size else np.empty((0, 2), np.int64)
        if not np.issubdtype(seeds.dtype, np.integer) or (sources.size and sources.shape != seeds.shape):
            raise ValueError("sources must be booleans, or pairs of whole numbers: row and column")
        if ((seeds < 0) | (seeds >= shape)).any():
            raise ValueError(f"sources lie outside the raster of {shape[0]} rows and {shape[1]} columns")
    if start.ndim and start.shape != (len(seeds),):
        raise ValueError(f"start_minutes is shaped {start.shape}, there are {len(seeds)} sources")
    if not (start >= 0).all():
        raise ValueError("start_minutes must be at least 0")
    return seeds, np.broadcast_to(start, len(seeds))
