"""Which ground lies within some minutes of a place, and which place is nearest: isochrones and service areas as polygons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.ndimage import distance_transform_edt, minimum_filter

from layout.barriers import Barriers, Ground, barred_ways, barriers_on
from layout.compiled import loops
from layout.joins import ground_ticks
from layout.network import Network, network_of
from layout.open_ground import heights_on
from layout.pace import NEVER, TICKS, Ways
from layout.reach import is_towards, labels_of_each, last_storey, nearest_labels
from layout.roads import Roads
from layout.roadside import Roadside, along_roads, roadside
from layout.search import Joined, Standing, join_places, some_places, stand
from layout.standards import Standards
from layout.terrain import Terrain, tobler_factor

# a cell of ground is about one of a 30 m terrain
_CELL_M = 30.0
# ground is looked at so many cells beyond the last minute: its line then falls between cells that are known
_MARGIN = 3
# how often those that others overtook spread anew
_PASSES = 3
# width of what a line takes out of the ground
_THIN_M = 0.05


@dataclass(frozen=True)
class _Storey:
    """Roads that lead to places (or from them): vertices from ``first`` on, points along them, and where places stand on them."""

    first: int
    road: Roadside
    standing: Standing


@dataclass(frozen=True)
class _Begin:
    """Points of roads with the minutes to the places (or from them): where the spreading over open ground begins."""

    x: np.ndarray
    y: np.ndarray
    minutes: np.ndarray
    owner: np.ndarray


@dataclass(frozen=True)
class _Window:
    """Minutes of cells, where nobody is looked for, whose they are.

    Besides the cells beside obstacles that are truly reached, and points that an obstacle parts from all cells.
    """

    west: float
    north: float
    minutes: np.ndarray
    beyond: np.ndarray
    owner: np.ndarray
    beside: np.ndarray
    alone: _Begin


def isochrones(
    roads: Roads | Network,
    places: gpd.GeoDataFrame | Joined,
    minutes: float | Iterable[float],
    *,
    mode: str | None = None,
    band: str | None = None,
    terrain: Terrain | None = None,
    direction: str = "towards",
    level_kph: float | None = None,
    standards: Standards | None = None,
    cell_m: float = _CELL_M,
) -> gpd.GeoDataFrame:
    """Return the ground within some minutes of every place, band by band.

    Along the roads minutes are those of :func:`layout.travel_times`. From every point where one may leave a road, and from
    the place itself, they spread over open ground by slope and round obstacles as in :func:`layout.cost_distance`, nowhere
    farther from a road than ``travel.join_radius``.

    Parameters
    ----------
    roads
        The roads; or a prepared network, which is given the minutes asked for.
    places
        As in :func:`layout.travel_matrix`.
    minutes
        Upper ends of the bands in minutes, above 0, one or several.
    mode, band, terrain, level_kph, standards
        As in :func:`layout.travel_times`.
    direction
        ``towards``: travelling to the place; ``from``: from it.
    cell_m
        Size in metres of the cells in which open ground is looked at.

    Returns
    -------
    geopandas.GeoDataFrame
        Keyed by ``minutes``, ``place_id``: ``from_minutes`` (the band lies between the two), ``mode``, ``band``,
        ``area_m2``, ``geometry``, a MultiPolygon in the coordinate system of the roads with holes where the ground cannot be
        reached. Bands of one place do not overlap, those of different places may; the outermost come first, so that
        drawn in this order larger ones lie below. A band without any ground has no row.

    Raises
    ------
    ValueError
        If minutes, direction or cell are not valid, and as in :func:`layout.travel_times`.

    Notes
    -----
    A place of :func:`layout.travel_times` gets on at the nearest point of an edge, ground here at the best one: what lies
    inside a band may by its own row take up to a fifth more on its way to the road. No move between the middles of two cells
    leads across an obstacle; water is cut out along its shore, and where obstacles part a road from all cells around it the
    band is half a cell of ground beside it.

    Examples
    --------
    >>> bands = isochrones(paper.roads, paper.schools, [10, 20], level_kph=6)
    >>> bands[["place_id", "from_minutes", "minutes"]].values.tolist()
    [['S1', 10.0, 20.0], ['S2', 10.0, 20.0], ['S1', 0.0, 10.0], ['S2', 0.0, 10.0]]
    """
    levels, towards = _levels(minutes), is_towards(direction)
    network = network_of(roads, mode, band, level_kph, terrain, standards)
    joined = join_places(network, places)
    most = levels[-1] + _MARGIN * _cell(cell_m) * _pace(network)
    storeys = _storeys(network, joined, towards, cell_m)
    place, vertex, ticks = labels_of_each(network, joined, towards=towards, limit=_ticks_within(network, most))
    bounds = np.searchsorted(place, np.arange(len(joined.ids) + 1))
    label, owner = np.full(_vertices(network), NEVER, "int64"), np.full(_vertices(network), -1)
    rows = []
    for i, name in enumerate(joined.ids):
        mine = slice(bounds[i], bounds[i + 1])
        label[vertex[mine]], owner[vertex[mine]] = ticks[mine], i
        begin = _begin(network, joined, storeys, label, owner, np.array([i]), towards, most)
        label[vertex[mine]], owner[vertex[mine]] = NEVER, -1
        window = _spread(network, begin, towards, most, cell_m, owners=False)
        rows += [(name, *part) for part in _bands(window, network.ground, levels, most, cell_m)]
    table = pd.DataFrame(rows, columns=["place_id", "from_minutes", "minutes", "geometry"])
    table = table.astype({"place_id": "str", "from_minutes": float, "minutes": float})
    table = table.sort_values(["minutes", "place_id"], ascending=[False, True], ignore_index=True)
    found = gpd.GeoDataFrame(table, geometry="geometry", crs=network.crs)
    found.insert(3, "mode", network.mode)
    found.insert(4, "band", network.band)
    found.insert(5, "area_m2", found.area)
    return found


def service_areas(
    roads: Roads | Network,
    places: gpd.GeoDataFrame | Joined,
    *,
    minutes: float | None = None,
    mode: str | None = None,
    band: str | None = None,
    terrain: Terrain | None = None,
    direction: str = "towards",
    level_kph: float | None = None,
    standards: Standards | None = None,
    cell_m: float = _CELL_M,
) -> gpd.GeoDataFrame:
    """Divide the ground by the place that is nearest in minutes.

    Parameters
    ----------
    roads, places, mode, band, terrain, direction, level_kph, standards, cell_m
        As in :func:`isochrones`.
    minutes
        Ground farther than so many minutes belongs to nobody; None takes all that lies within ``travel.join_radius`` of the roads.

    Returns
    -------
    geopandas.GeoDataFrame
        Keyed by ``place_id``: ``mode``, ``band``, ``area_m2``, ``geometry``, a MultiPolygon in the coordinate system of the
        roads. Areas share borders, smoothed by less than a cell, and neither overlap nor leave gaps between them. A place
        that is nearest to no ground has no row.

    Raises
    ------
    ValueError
        As in :func:`isochrones`.

    Notes
    -----
    Minutes are those of :func:`isochrones`; of places equally near it is the one whose id comes first along the roads, and
    either, always the same, over open ground.

    Examples
    --------
    >>> areas = service_areas(paper.roads, paper.schools, level_kph=6)
    >>> areas.place_id.tolist(), bool(areas.geometry.iloc[0].disjoint(paper.settlements.geometry.iloc[-1]))
    (['S1', 'S2'], True)
    """
    towards = is_towards(direction)
    most = math.inf if minutes is None else _levels(float(minutes))[0]
    network = network_of(roads, mode, band, level_kph, terrain, standards)
    joined = join_places(network, places)
    # in the order of their ids, so that ties do not depend on the order of rows
    joined = some_places(joined, sorted(joined.ids))
    _cell(cell_m)
    storeys = _storeys(network, joined, towards, cell_m)
    label, owner = nearest_labels(network, joined, towards=towards, limit=_ticks_within(network, most))
    begin = _begin(network, joined, storeys, label.astype("int64"), owner, np.arange(len(joined.ids)), towards, most)
    window = _spread(network, begin, towards, most, cell_m, owners=True)
    shapes = _parts(window, network.ground, cell_m)
    table = {"place_id": pd.Series([joined.ids[i] for i in sorted(shapes)], dtype="str"), "mode": network.mode, "band": network.band}
    found = gpd.GeoDataFrame(pd.DataFrame(table), geometry=[shapes[i] for i in sorted(shapes)], crs=network.crs)
    found.insert(3, "area_m2", found.area)
    return found.sort_values("place_id", ignore_index=True)


def _levels(minutes: float | Iterable[float]) -> list[float]:
    if isinstance(minutes, str):
        raise ValueError(f"minutes must be numbers, not {minutes!r}")
    levels = sorted({float(m) for m in np.asarray(minutes if np.ndim(minutes) == 0 else list(minutes), float).reshape(-1)})  # type: ignore[arg-type]
    if not levels or not all(0 < m < math.inf for m in levels):
        raise ValueError(f"minutes must be above 0, not {minutes}")
    return levels


def _cell(cell_m: float) -> float:
    if not (cell_m > 0 and math.isfinite(cell_m)):
        raise ValueError(f"cell_m must be above 0, not {cell_m}")
    return float(cell_m)


def _pace(network: Network) -> float:
    """Return minutes a metre across level ground."""
    return 0.06 * network.ground_pace / TICKS


def _vertices(network: Network) -> int:
    return network.topology.vertices * (1 if network.ride is None else 3)


def _ticks_within(network: Network, minutes: float) -> int:
    spare = minutes - network.fixed_minutes
    return NEVER - 1 if math.isinf(spare) else min(NEVER - 1, math.floor(spare * TICKS))


def _storeys(network: Network, joined: Joined, towards: bool, cell_m: float) -> list[_Storey]:
    joins = joined.joins
    ground = ground_ticks(network, joins.back if towards else joins.out)

    def storey(ways: Ways, first: int) -> _Storey:
        standing = stand(ways, ways.by_piece, network, joins.place, joins.edge, joins.share, ground)
        return _Storey(first, roadside(network, ways, apart_m=cell_m / 2), standing)

    # who walks up to a vehicle gets on along any road that it uses
    walking = storey(network.walk, last_storey(network, towards=towards))
    return [walking] if network.ride is None else [walking, storey(network.ride, network.topology.vertices)]


def _begin(
    network: Network, joined: Joined, storeys: Sequence[_Storey], label: np.ndarray, owner: np.ndarray, some: np.ndarray, towards: bool, most: float
) -> _Begin:
    """Return what ground is reached from: points along the roads within so many minutes, and the places themselves."""
    joins, found = joined.joins, []
    whole = len(some) == len(joined.ids)
    for storey in storeys:
        own = slice(storey.first, storey.first + network.topology.vertices)
        standing = storey.standing
        mine = np.arange(len(standing.place)) if whole else np.flatnonzero(np.isin(standing.place, some))
        point, ticks, place = along_roads(storey.road, label[own], owner[own], standing, mine, towards=towards)
        found.append((storey.road.x[point], storey.road.y[point], ticks / TICKS + network.fixed_minutes, place))
    found.append((joins.x[some], joins.y[some], np.full(len(some), network.fixed_minutes), some))
    x, y, minutes, place = (np.concatenate(parts) for parts in zip(*found, strict=True))
    near = minutes <= most
    return _Begin(x[near], y[near], minutes[near], place[near].astype("int32"))


def _spread(network: Network, begin: _Begin, towards: bool, most: float, cell_m: float, *, owners: bool) -> _Window:
    spread = loops("cost_surface_kernels").spread

    if not len(begin.x):
        return _Window(0.0, 0.0, np.full((1, 1), np.inf), np.zeros((1, 1), bool), np.full((1, 1), np.int32(-1)), np.zeros((1, 1), bool), begin)
    pace, radius = _pace(network), network.join_radius_m
    # no slope makes anybody faster than this
    far = min(radius, (most - begin.minutes.min()) / pace * network.best_slope) + 2 * cell_m
    # grids lie on multiples of the cell, so that a place alone and among others is looked at in the same cells
    west, south, east, north = (
        cell_m * step(v / cell_m)
        for step, v in (
            (math.floor, begin.x.min() - far), (math.floor, begin.y.min() - far), (math.ceil, begin.x.max() + far), (math.ceil, begin.y.max() + far)
        )
    )  # fmt: skip
    shape = round((north - south) / cell_m), round((east - west) / cell_m)
    grid = Terrain(np.zeros(shape, "float32"), west, north, cell_m, cell_m, network.crs)
    height, barriers = heights_on(network.ground, grid), barriers_on(network.ground, grid)
    cell, minutes, whose, alone = _corners(network, begin, west, north, height, barriers, cell_m, towards)
    near = minutes <= most
    cell, minutes, whose = cell[near], minutes[near], whose[near]
    first = cell
    limited = far >= radius
    ask = owners or limited
    found, owner = np.full(shape, np.inf), np.full(shape, np.int32(-1))
    passes, nowhere = 0, np.empty((0, 2), "int64")
    while len(cell) and passes < _PASSES:
        seeds = np.column_stack(np.unravel_index(cell, shape)).astype("int64")
        took, got = spread(
            height, np.where(barriers.inside, np.inf, pace), ~np.isnan(height), seeds, minutes, nowhere, cell_m, cell_m, towards, True,
            most, whose if ask else np.zeros(0, "int32"), radius if limited else math.inf, barriers.blocked,
        )  # fmt: skip
        if owners:
            owner = np.where(took < found, got, owner)
        found, passes = np.minimum(found, took), passes + 1
        # who was overtaken by somebody that may go no farther spreads by itself
        over = (took.ravel()[cell] < minutes) & limited
        cell, minutes, whose = cell[over], minutes[over], whose[over]
    beyond = np.zeros(shape, bool)
    if limited:
        away = np.ones(shape, bool)
        away.ravel()[first] = False
        beyond = distance_transform_edt(away) * cell_m > radius
    beside = barriers.near & np.isfinite(found)
    if len(barriers.blocked):
        # shores and banks are cut out of the ground exactly: until then minutes and owners reach one cell across
        spill = (barriers.inside | (barriers.near & ~np.isfinite(found))) & ~beyond & np.isfinite(minimum_filter(found, size=3, mode="nearest"))
        beyond |= (barriers.inside | (barriers.near & ~np.isfinite(found))) & ~spill
        found, owner = _spilled(found, owner, spill)
    return _Window(west, north, found, beyond, owner, beside, alone)


def _spilled(minutes: np.ndarray, owner: np.ndarray, into: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give cells the least minutes around them, and whose they are."""
    row, column = np.nonzero(into)
    rows, columns = minutes.shape
    best, whose = np.full(len(row), np.inf), np.full(len(row), np.int32(-1))
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            r, c = np.clip(row + down, 0, rows - 1), np.clip(column + across, 0, columns - 1)
            less = minutes[r, c] < best
            best, whose = np.where(less, minutes[r, c], best), np.where(less, owner[r, c], whose)
    minutes, owner = minutes.copy(), owner.copy()
    minutes[row, column], owner[row, column] = best, whose
    return minutes, owner


def _corners(
    network: Network, begin: _Begin, west: float, north: float, height: np.ndarray, barriers: Barriers, cell_m: float, towards: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, _Begin]:
    """Return the cells around every beginning with the least minutes at their middles, and whose they are, each cell once.

    Besides the beginnings that an obstacle parts from the middles of all cells around them.
    """
    columns = height.shape[1]
    across, down = (begin.x - west) / cell_m - 0.5, (north - begin.y) / cell_m - 0.5
    left, top = np.floor(across).astype("int64"), np.floor(down).astype("int64")
    column, row = left[:, None] + np.array([0, 1, 0, 1]), top[:, None] + np.array([0, 0, 1, 1])
    right, low = (across - left)[:, None], (down - top)[:, None]
    share = np.concatenate([(1 - right) * (1 - low), right * (1 - low), (1 - right) * low, right * low], axis=1)
    run = np.hypot(column - across[:, None], row - down[:, None]) * cell_m
    around = height[row, column]
    rise = (around * share).sum(axis=1)[:, None] - around
    slope = np.divide(rise, run, out=np.zeros(run.shape), where=(run > 0) & np.isfinite(rise))
    minutes = begin.minutes[:, None] + run * _pace(network) / tobler_factor(slope if towards else -slope)
    cell = row * columns + column
    open_ = ~barriers.inside[row, column]
    # beside an obstacle a way to the middle of a cell may lead across it
    close = np.flatnonzero(barriers.near[row, column].any(axis=1))
    if len(close):
        x, y = west + (column[close] + 0.5) * cell_m, north - (row[close] + 0.5) * cell_m
        away = np.repeat(begin.x[close], 4), np.repeat(begin.y[close], 4)
        open_[close] &= ~barred_ways(network.ground, *away, x.ravel(), y.ravel(), both_ends=False).reshape(-1, 4)
    shut = ~open_.any(axis=1)
    alone = _Begin(begin.x[shut], begin.y[shut], begin.minutes[shut], begin.owner[shut])
    cell, minutes, owner = cell[open_], minutes[open_], np.repeat(begin.owner, 4).reshape(-1, 4)[open_]
    order = np.lexsort((owner, minutes, cell))
    order = order[np.append(True, cell[order][1:] != cell[order][:-1])] if len(order) else order
    return cell[order], minutes[order], owner[order], alone


def _bands(
    window: _Window, ground: Ground, levels: Sequence[float], most: float, cell_m: float
) -> Iterator[tuple[float, float, shapely.MultiPolygon]]:
    """Cut minutes into bands by lines between the middles of cells."""
    from contourpy import FillType, contour_generator

    rows, columns = window.minutes.shape
    if min(rows, columns) < 2:
        return
    minutes = np.ma.masked_array(np.where(np.isfinite(window.minutes), window.minutes, most), window.beyond)[::-1]
    x, y = window.west + (np.arange(columns) + 0.5) * cell_m, window.north - (np.arange(rows)[::-1] + 0.5) * cell_m
    lines = contour_generator(x, y, minutes, name="serial", fill_type=FillType.ChunkCombinedOffsetOffset)
    reached = _reached(window, cell_m)
    nearer: list[shapely.Geometry] = []
    for low, high in zip([-1.0, *levels[:-1]], levels, strict=True):
        points, rings, polygons = (part[0] for part in lines.filled(low, high))
        shapes = np.zeros(0, object)
        if points is not None and rings is not None and polygons is not None:
            shapes = shapely.from_ragged_array(shapely.GeometryType.POLYGON, points, (rings.astype("int64"), polygons.astype("int64")))
        shape = _cut_out(ground, _whole(shapes), reached[2] <= high, reached)
        alone = (window.alone.minutes > low) & (window.alone.minutes <= high)
        if len(window.alone.x):
            # where obstacles lie on both sides there is no more than the road
            shape = shapely.difference(shapely.union(shape, _beside(ground, window.alone, alone, cell_m)), shapely.union_all(nearer))
            shape = _whole(shapely.get_parts(shape))
            nearer.append(shape)
        if not shape.is_empty:
            yield max(low, 0.0), high, shape


def _reached(window: _Window, cell_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return places, minutes and owners of the cells beside obstacles that are reached."""
    row, column = np.nonzero(window.beside)
    return (
        window.west + (column + 0.5) * cell_m, window.north - (row + 0.5) * cell_m, window.minutes[row, column], window.owner[row, column],
    )  # fmt: skip


def _cut_out(ground: Ground, shape: shapely.MultiPolygon, own: np.ndarray, reached: tuple[np.ndarray, ...]) -> shapely.MultiPolygon:
    """Take water out of a shape, and what lies across an obstacle from all that is reached."""
    if shape.is_empty or not len(ground.obstacles):
        return shape
    here = ground.obstacles[np.sort(ground.tree.query(shape, predicate="intersects"))]
    if not len(here):
        return shape
    line = shapely.get_dimensions(here) < 2
    parts = shapely.get_parts(shapely.difference(shape, shapely.union_all(np.append(here[~line], shapely.buffer(here[line], _THIN_M)))))
    parts = parts[(shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & (shapely.area(parts) > 0)]
    # only what was cut off may lie across
    off = shapely.dwithin(parts, shapely.union_all(here), 2 * _THIN_M) if len(parts) else np.zeros(0, bool)
    if off.any():
        held = shapely.STRtree(parts).query(shapely.points(reached[0][own], reached[1][own]), predicate="within")[1]
        parts = parts[~off | np.isin(np.arange(len(parts)), held)]
    return _whole(parts)


def _beside(ground: Ground, begin: _Begin, some: np.ndarray, cell_m: float) -> shapely.Geometry:
    """Return the ground within half a cell of points, on their side of all obstacles."""
    discs = shapely.buffer(shapely.points(begin.x[some], begin.y[some]), cell_m / 2, quad_segs=4)
    for i in range(len(discs)):
        here = ground.obstacles[ground.tree.query(discs[i], predicate="intersects")]
        line = shapely.get_dimensions(here) < 2
        parts = shapely.get_parts(shapely.difference(discs[i], shapely.union_all(np.append(here[~line], shapely.buffer(here[line], _THIN_M)))))
        middle = shapely.points(begin.x[some][i], begin.y[some][i])
        discs[i] = parts[np.argmin(shapely.distance(parts, middle))] if len(parts) else shapely.Polygon()
    return shapely.union_all(discs)


def _whole(shapes: np.ndarray) -> shapely.MultiPolygon:
    """Put polygons into one valid MultiPolygon; lines and points that remain where a line meets a cell exactly are left out."""
    shape = shapely.multipolygons(shapes)
    if not shape.is_valid:
        parts = shapely.get_parts(shapely.make_valid(shapes))
        shape = shapely.union_all(parts[shapely.area(parts) > 0])
    parts = shapely.get_parts(shape)
    return shapely.multipolygons(parts[(shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & (shapely.area(parts) > 0)])


def _parts(window: _Window, ground: Ground, cell_m: float) -> dict[int, shapely.MultiPolygon]:
    """Return the ground of every owner with smooth borders that neighbours share."""
    from rasterio.features import shapes as outlines

    known = window.owner >= 0
    parts: dict[int, list[shapely.Polygon]] = {}
    # in cells, whose corners are whole numbers
    for shape, value in outlines(window.owner, mask=known, connectivity=4) if known.any() else ():
        parts.setdefault(int(value), []).append(shapely.geometry.shape(shape))
    owners = sorted(parts)
    whole = shapely.segmentize(np.array([shapely.multipolygons(parts[i]) for i in owners], object), 1.0)
    whole = shapely.transform(whole, np.rint)
    smooth = shapely.coverage_simplify(whole, 1.0)
    metres = shapely.transform(smooth, lambda at: np.column_stack([window.west + at[:, 0] * cell_m, window.north - at[:, 1] * cell_m]))
    found = dict(zip(owners, metres, strict=True))
    reached = _reached(window, cell_m)
    shapes = {i: _cut_out(ground, _whole(shapely.get_parts(shape)), reached[3] == i, reached) for i, shape in found.items()}
    for i in sorted({*window.alone.owner.tolist()}):
        rest = shapely.union_all([shape for j, shape in shapes.items() if j != i])
        more = shapely.difference(_beside(ground, window.alone, window.alone.owner == i, cell_m), rest)
        shapes[i] = _whole(shapely.get_parts(shapely.union(shapes.get(i, shapely.MultiPolygon()), more)))
    return {i: shape for i, shape in shapes.items() if not shape.is_empty}
