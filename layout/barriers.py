"""What bars the way off the roads: which straight ways, and which moves over a raster of the ground, an obstacle lies across."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from scipy.ndimage import maximum_filter

from layout.compiled import loops
from layout.terrain import Terrain, transformer

# so far a way may lead through the water that it begins or ends in; areas of more corners are cut
_WADE_M, _CORNERS = 100.0, 256
# so many corners a piece of a border has at most: a short move then meets few of them
_PIECE = 8
# of each pair of moves that lead there and back the first, and the other
_PAIRS = ((0, 1), (2, 3), (4, 7), (5, 6), (8, 11), (9, 10), (12, 15), (13, 14))


@dataclass(frozen=True)
class Ground:
    """What lies off the road.

    Parameters
    ----------
    terrain
        Elevation, None where the ground counts as flat.
    obstacles
        Geometries that nobody crosses, in ``crs``; large areas in parts.
    crs
        Metric coordinate system.
    """

    terrain: Terrain | None
    obstacles: np.ndarray
    crs: str

    @functools.cached_property
    def tree(self) -> shapely.STRtree:
        """Return the index of the obstacles."""
        return shapely.STRtree(self.obstacles)

    @functools.cached_property
    def borders(self) -> shapely.STRtree:
        """Return the index of lines, and of what bounds areas, in short pieces."""
        area = shapely.get_dimensions(self.obstacles) == 2
        lines = shapely.get_parts(np.append(self.obstacles[~area], shapely.boundary(self.obstacles[area])))
        return shapely.STRtree(_short(lines))

    @functools.cached_property
    def rounds(self) -> dict[tuple[object, ...], np.ndarray]:
        """Return what :func:`layout.open_ground.ground_minutes` keeps of its searches here: walking speeds and seasons ask the same again."""
        return {}


@dataclass(frozen=True)
class Barriers:
    """What bars the way on a raster.

    Parameters
    ----------
    inside
        Cells whose middle lies in an area that nobody walks in.
    near
        Cells around which moves were looked at: an obstacle lies in them or beside.
    blocked
        Of every cell the moves of :data:`layout.cost_surface_kernels.MOVES` that an obstacle lies across, a bit each, uint32;
        without rows where nothing lies near.
    """

    inside: np.ndarray
    near: np.ndarray
    blocked: np.ndarray


def make_ground(terrain: Terrain | None, obstacles: gpd.GeoDataFrame | None, crs: str) -> Ground:
    """Put elevation and obstacles together.

    Parameters
    ----------
    terrain
        Elevation; None counts as flat.
    obstacles
        Lines and areas that nobody crosses off the road, in any coordinate system.
    crs
        Metric coordinate system.

    Returns
    -------
    Ground
        For :func:`ground_minutes`.

    Raises
    ------
    ValueError
        If the obstacles have no coordinate system.

    Examples
    --------
    >>> make_ground(None, None, "EPSG:4545").obstacles.size
    0
    """
    if obstacles is None or not len(obstacles):
        return Ground(terrain, np.zeros(0, object), crs)
    if obstacles.crs is None:
        raise ValueError("obstacles need a coordinate system")
    shapes = shapely.make_valid(shapely.force_2d(obstacles.geometry.to_crs(crs).to_numpy()))
    parts = shapely.get_parts(shapely.get_parts(shapes))
    return Ground(terrain, _in_parts(parts[~shapely.is_empty(parts)]), crs)


def barred_ways(ground: Ground, x1: np.ndarray, y1: np.ndarray, x2: np.ndarray, y2: np.ndarray, *, both_ends: bool = True) -> np.ndarray:
    """Say on which straight ways an obstacle lies between.

    Parameters
    ----------
    ground
        Its obstacles.
    x1, y1, x2, y2
        Points in ``ground.crs``.
    both_ends
        Whether somebody stands at the second points, too, rather than going on from there.

    Returns
    -------
    numpy.ndarray
        bool. A line within a metre of either end does not bar the way, nor does an area that it leads no more than 100 m
        through: who stands on the bank, or in a lake by an inexact map, gets out of it.

    Examples
    --------
    >>> barred_ways(make_ground(None, None, "EPSG:4545"), np.zeros(1), np.zeros(1), np.ones(1), np.ones(1)).tolist()
    [False]
    """
    barred = np.zeros(len(x1), bool)
    if not (len(ground.obstacles) and len(x1)):
        return barred
    lines = shapely.linestrings(np.stack([np.column_stack([x1, y1]), np.column_stack([x2, y2])], axis=1))
    line, obstacle = ground.tree.query(lines, predicate="intersects")
    met = ground.obstacles[obstacle]
    own = np.zeros(len(line), bool)
    for x, y in ((x1, y1), (x2, y2)) if both_ends else ((x1, y1),):
        own |= shapely.dwithin(met, shapely.points(x[line], y[line]), 1.0)
    area = shapely.get_dimensions(met) == 2
    barred[line[~own & ~area]] = True
    # an area may lie in parts: what counts is how far the way leads through all of them, and whether it begins or ends there
    wet, excused = np.zeros(len(x1)), np.zeros(len(x1), bool)
    np.add.at(wet, line[area], shapely.length(shapely.intersection(lines[line[area]], met[area])))
    np.maximum.at(excused, line[area], own[area])
    touched = np.zeros(len(x1), bool)
    touched[line[area]] = True
    return barred | (touched & ~(excused & (wet <= _WADE_M)))


def _in_parts(shapes: np.ndarray) -> np.ndarray:
    """Cut areas with very many corners into halves, so that each is quick to look at."""
    done, todo = [], list(shapes)
    while todo:
        shape = todo.pop()
        if shapely.get_num_coordinates(shape) <= _CORNERS or shape.geom_type != "Polygon":
            done.append(shape)
            continue
        west, south, east, north = shape.bounds
        middle = ((west + east) / 2, (south + north) / 2)
        halves = (
            ((west, south, middle[0], north), (middle[0], south, east, north))
            if east - west >= north - south
            else ((west, south, east, middle[1]), (west, middle[1], east, north))
        )
        for half in halves:
            parts = shapely.get_parts(shapely.intersection(shape, shapely.box(*half)))
            todo += [p for p in parts if p.geom_type == "Polygon"]
    out = np.empty(len(done), object)
    out[:] = done
    return out


def barriers_on(ground: Ground, grid: Terrain) -> Barriers:
    """Return what bars the way on a raster: between the middles of cells, however thin it is.

    Parameters
    ----------
    ground
        Its obstacles.
    grid
        Cells in any coordinate system; elevations do not matter.

    Returns
    -------
    Barriers
        A move is blocked where a line, or the border of an area, lies across it.

    Examples
    --------
    >>> wall = gpd.GeoDataFrame(geometry=[shapely.LineString([(30, 0), (30, 60)])], crs="EPSG:4545")
    >>> grid = Terrain(np.zeros((1, 2), "float32"), 0, 30, 30, 30, "EPSG:4545")
    >>> barriers_on(make_ground(None, wall, "EPSG:4545"), grid).blocked.tolist()
    [[8, 4]]
    """
    rows, columns = grid.elevation.shape
    nothing = Barriers(np.zeros((rows, columns), bool), np.zeros((rows, columns), bool), np.zeros((0, columns), "uint32"))
    if not len(ground.obstacles) or not rows * columns:
        return nothing
    from rasterio.features import rasterize
    from rasterio.transform import from_origin

    to_ground = transformer(grid.crs, ground.crs)
    same = str(grid.crs) == ground.crs
    across, down = np.array([grid.west, grid.west + columns * grid.cell_x]), np.array([grid.north, grid.north - rows * grid.cell_y])
    corner_x, corner_y = to_ground.transform(across, down)
    here = ground.obstacles[np.sort(ground.tree.query(shapely.box(corner_x.min(), corner_y.min(), corner_x.max(), corner_y.max())))]
    if not len(here):
        return nothing
    shapes = here if same else np.array(gpd.GeoSeries(here, crs=ground.crs).to_crs(grid.crs), object)
    how = {"out_shape": (rows, columns), "transform": from_origin(grid.west, grid.north, grid.cell_x, grid.cell_y), "dtype": "uint8"}
    area = shapely.get_dimensions(here) == 2
    inside = rasterize(list(shapes[area]), **how).astype(bool) if area.any() else nothing.inside
    touched = rasterize([*shapes[~area], *shapely.boundary(shapes[area])], all_touched=True, **how)
    # the longest move leads two cells on
    near = maximum_filter(touched, size=5, mode="constant").astype(bool) & ~inside
    row, column = np.nonzero(near)
    x, y = grid.west + (np.arange(columns) + 0.5) * grid.cell_x, grid.north - (np.arange(rows) + 0.5) * grid.cell_y
    blocked = np.zeros((rows, columns), "uint32")
    moves = loops("cost_surface_kernels").MOVES
    for there, back in _PAIRS:
        to_row, to_column = row + moves[there, 0], column + moves[there, 1]
        kept = (to_row >= 0) & (to_row < rows) & (to_column >= 0) & (to_column < columns)
        # nobody moves into water
        kept[kept] = ~inside[to_row[kept], to_column[kept]]
        ends = [np.column_stack([x[c], y[r]]) for r, c in ((row[kept], column[kept]), (to_row[kept], to_column[kept]))]
        if not same:
            ends = [np.column_stack(to_ground.transform(*end.T)) for end in ends]
        lines = shapely.linestrings(np.stack(ends, axis=1)) if kept.any() else np.zeros(0, object)
        met = np.unique(ground.borders.query(lines, predicate="intersects")[0]) if len(lines) else np.zeros(0, "int64")
        blocked[row[kept][met], column[kept][met]] |= np.uint32(1 << there)
        blocked[to_row[kept][met], to_column[kept][met]] |= np.uint32(1 << back)
    return Barriers(inside, near, blocked)


def _short(lines: np.ndarray) -> np.ndarray:
    """Cut lines into pieces of few corners."""
    out = []
    for line in lines:
        at = shapely.get_coordinates(line)
        out += [shapely.LineString(at[i : i + _PIECE + 1]) for i in range(0, len(at) - 1, _PIECE)]
    return np.array(out, object) if out else np.zeros(0, object)
