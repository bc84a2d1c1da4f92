"""The network on foot in whole seconds, small enough for a page: junctions, points along the roads, and where villages get on."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from layout.joins import ground_ticks
from layout.network import Network
from layout.pace import MOTORWAYS, NEVER, TICKS, ticks_at
from layout.quick import NEVER as NO_WAY
from layout.relief import smooth_surface
from layout.search import Joined
from layout.terrain import elevation_at, tobler_factor

# metres between points of a road where a new school may get on; more of them where the points would be too many
_STEP_M, _POINTS = 150.0, 40_000
# corners of the grid of heights, its least step, and how far it goes beyond the places
_HEIGHTS, _LEAST_STEP, _MARGIN = 40_000, 60, 1_500
# steeper than 2 in 7 a way winds: slopes in thousandths go no further
_STEEPEST, _FACTOR = 286, 10_000
_SECOND = TICKS // 60
# whole hundred-thousandths of a degree
_DEGREE = 100_000


@dataclass(frozen=True)
class Footpaths:
    """A network on foot in whole numbers.

    Parameters
    ----------
    lon, lat
        Of every node, in hundred-thousandths of a degree.
    tail, head, ahead, behind
        Arcs: nodes, and seconds along and against; -1 where closed.
    place, node, out, back
        Where settlements get onto it: seconds to the node and from it; -1 where that is no way.
    settlement_lon, settlement_lat
        Where they lie.
    lon_mm, lat_mm
        Millimetres of a hundred-thousandth of a degree in the middle of the county.
    heights, corner, step
        Decimetres on a grid of longitude and latitude, rows from south to north; its south-western corner and its steps.
    slopes
        By slope from -286 to 286 in a thousand: how much longer a metre takes than on the level, times 10,000.
    pace
        Seconds a kilometre across open ground on the level.
    radius_mm
        How far a place is joined.
    longest
        Seconds beyond which nothing is looked for.
    slower
        Whether the slower direction is judged.
    """

    lon: np.ndarray
    lat: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    ahead: np.ndarray
    behind: np.ndarray
    place: np.ndarray
    node: np.ndarray
    out: np.ndarray
    back: np.ndarray
    settlement_lon: np.ndarray
    settlement_lat: np.ndarray
    lon_mm: int
    lat_mm: int
    heights: np.ndarray
    corner: tuple[int, int]
    step: tuple[int, int]
    slopes: np.ndarray
    pace: int
    radius_mm: int
    longest: int
    slower: bool


def make_footpaths(network: Network, homes: Joined) -> Footpaths:
    """Make the network on foot small: whole seconds between junctions and points along the roads.

    Parameters
    ----------
    network
        Prepared for walking.
    homes
        The settlements, joined to it.

    Returns
    -------
    Footpaths
        Nodes in the order of a Z-shaped curve. Between two junctions seconds are off by at most half a second.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> paths = make_footpaths(network, layout.join_places(network, paper.settlements))
    >>> len(paths.lon), int(paths.ahead.sum())
    (71, 6000)
    """
    topology, walk, edges = network.topology, network.walk, network.roads.edges
    usable = topology.edge < 0
    usable[topology.edge >= 0] = ~(walk.shut & walk.shut_back)[topology.edge[topology.edge >= 0]]
    pieces = np.flatnonzero(usable)
    edge, low, high = topology.edge[pieces], topology.low[pieces], topology.high[pieces]
    metres = np.where(edge >= 0, edges["length_m"].to_numpy(float)[edge] * (high - low), 0.0)
    # nobody gets on between the ends of a bridge, a tunnel or a motorway
    ends_only = (edge < 0) | (network.ends_only | edges["highway"].isin(MOTORWAYS).to_numpy(bool))[edge]
    step = max(_STEP_M, float(metres[~ends_only].sum()) / _POINTS)
    parts = np.where(ends_only, 1, np.maximum(np.ceil(metres / step), 1)).astype("int64")
    first = np.concatenate([[0], np.cumsum(parts)])
    of = np.repeat(np.arange(len(pieces)), parts)
    nth = np.arange(first[-1]) - first[:-1][of]
    # inner points are numbered after the vertices, piece by piece
    inner = topology.vertices + np.concatenate([[0], np.cumsum(parts - 1)])
    tail = np.where(nth == 0, topology.tail[pieces][of], inner[:-1][of] + nth - 1)
    head = np.where(nth == parts[of] - 1, topology.head[pieces][of], inner[:-1][of] + nth)
    start, end = (low[of] + (high - low)[of] * k / parts[of] for k in (nth, nth + 1))
    ahead, behind = _seconds(network, pieces, edge, low, of, start, end)
    x, y = _points(network, edge, parts, low, high)
    place, node, out, back = _links(network, homes, pieces, parts, inner)
    used = np.unique(np.concatenate([tail, head, node]))
    at = gpd.GeoSeries(gpd.points_from_xy(x[used], y[used]), crs=network.crs).to_crs(4326)
    lon, lat = (np.rint(v.to_numpy() * _DEGREE).astype("int64") for v in (at.x, at.y))
    order = z_order(lon, lat)
    number = np.full(len(x), -1)
    number[used[order]] = np.arange(len(used))
    there = gpd.GeoSeries(gpd.points_from_xy(homes.joins.x, homes.joins.y), crs=network.crs).to_crs(4326)
    home_lon, home_lat = (np.rint(v.to_numpy() * _DEGREE).astype("int64") for v in (there.x, there.y))
    lon_mm, lat_mm = _millimetres(home_lat)
    arcs = np.lexsort((number[head], number[tail]))
    return Footpaths(
        lon[order], lat[order], number[tail][arcs], number[head][arcs], ahead[arcs], behind[arcs], place, number[node], out, back, home_lon, home_lat,
        lon_mm, lat_mm, *_height_grid(network, np.append(lon, home_lon), np.append(lat, home_lat), lon_mm, lat_mm),
        np.rint(_FACTOR / tobler_factor(np.arange(-_STEEPEST, _STEEPEST + 1) / 1000)).astype("int64"),
        round(network.ground_pace * 3600 / TICKS), round(network.join_radius_m * 1000),
        round(network.standards["travel.daily_max"] * 60), bool(network.standards["travel.judge_slower"]),
    )  # fmt: skip


def dropped_seconds(paths: Footpaths, lon: float, lat: float) -> np.ndarray:
    """Return the seconds on foot from every settlement to a school put anywhere on the map.

    The school is joined to every point of the network within the radius, and to every settlement within it, straight on at the
    speed off the road and by the even slope from here to there; water and cliffs off the road do not count.

    Parameters
    ----------
    paths
        From :func:`make_footpaths`.
    lon, lat
        Degrees; the place is rounded to hundred-thousandths, about a metre.

    Returns
    -------
    numpy.ndarray
        int64 by settlement: the slower direction where that is judged, :data:`layout.quick.NEVER` beyond ``longest``.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> paths = make_footpaths(network, layout.join_places(network, paper.settlements))
    >>> dropped_seconds(paths, paths.settlement_lon[3] / 1e5, paths.settlement_lat[3] / 1e5).tolist()
    [3600, 3000, 2100, 0, 1800]
    """
    east, north = int(np.floor(lon * _DEGREE + 0.5)), int(np.floor(lat * _DEGREE + 0.5))
    near, ground = _across(paths, paths.lon, paths.lat, east, north)
    at, straight = _across(paths, paths.settlement_lon, paths.settlement_lat, east, north)
    ways = []
    for away in (False, True):
        labels = _labels(paths, near, ground[away], away=away)
        step = paths.back if away else paths.out
        seconds = np.full(len(paths.settlement_lon), NO_WAY, "int64")
        known = step >= 0
        np.minimum.at(seconds, paths.place[known], np.minimum(labels[paths.node[known]] + step[known], NO_WAY))
        seconds[at] = np.minimum(seconds[at], straight[away])
        seconds[seconds > paths.longest] = NO_WAY
        ways.append(seconds)
    # a pair counts where both directions are within what is looked for
    both = np.maximum(*ways)
    return np.where((both < NO_WAY) & (not paths.slower), ways[0], both)


def nearest_settlement(paths: Footpaths, lon: float, lat: float) -> int:
    """Return the position of the settlement nearest to a place, as the crow flies; of equals the first.

    Parameters
    ----------
    paths
        From :func:`make_footpaths`.
    lon, lat
        Degrees.

    Returns
    -------
    int
        -1 where there is none.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> nearest_settlement(make_footpaths(network, layout.join_places(network, paper.settlements)), 110.0, 26.66)
    4
    """
    if not len(paths.settlement_lon):
        return -1
    east, north = int(np.floor(lon * _DEGREE + 0.5)), int(np.floor(lat * _DEGREE + 0.5))
    return int(np.argmin(((paths.settlement_lon - east) * paths.lon_mm) ** 2 + ((paths.settlement_lat - north) * paths.lat_mm) ** 2))


def z_order(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return the order of points along a Z-shaped curve, in which neighbours mostly follow each other.

    Parameters
    ----------
    lon, lat
        Whole numbers.

    Returns
    -------
    numpy.ndarray
        Positions; equal points keep their order.

    Examples
    --------
    >>> z_order(np.array([1, 0, 1, 0]), np.array([1, 1, 0, 0])).tolist()
    [3, 2, 1, 0]
    """
    key = np.zeros(len(lon), "int64")
    for axis, values in enumerate((lon, lat)):
        from_least = values - (values.min() if len(values) else 0)
        for bit in range(24):
            key |= ((from_least >> bit) & 1) << (2 * bit + axis)
    return np.argsort(key, kind="stable")


def _millimetres(lat: np.ndarray) -> tuple[int, int]:
    """Return the millimetres of a hundred-thousandth of a degree of longitude and latitude in the middle of the places."""
    middle = np.radians((int(lat.min()) + int(lat.max())) / 2 / _DEGREE) if len(lat) else 0.0
    # the series of the lengths of a degree on the ellipsoid
    north, east = 111_132.92 - 559.82 * np.cos(2 * middle), 111_412.84 * np.cos(middle) - 93.5 * np.cos(3 * middle)
    return round(east * 1000 / _DEGREE), round(north * 1000 / _DEGREE)


def _height_grid(
    network: Network, lon: np.ndarray, lat: np.ndarray, lon_mm: int, lat_mm: int
) -> tuple[np.ndarray, tuple[int, int], tuple[int, int]]:  # fmt: skip
    """Return heights in decimetres on a grid around the places, its corner and its steps; one height where nothing is known."""
    if network.ground.terrain is None or not len(lon):
        return np.zeros((2, 2), "int64"), (0, 0), (1, 1)
    west, south = int(lon.min()) - _MARGIN, int(lat.min()) - _MARGIN
    wide, high = int(lon.max()) + _MARGIN - west, int(lat.max()) + _MARGIN - south
    # as wide as high in metres
    step_lat = max(_LEAST_STEP, int(np.sqrt(wide * high * lon_mm / lat_mm / _HEIGHTS)) + 1)
    step_lon = max(1, round(step_lat * lat_mm / lon_mm))
    across, up = np.meshgrid(west + step_lon * np.arange(wide // step_lon + 2), south + step_lat * np.arange(high // step_lat + 2))
    at = gpd.GeoSeries(gpd.points_from_xy(across.ravel() / _DEGREE, up.ravel() / _DEGREE), crs=4326).to_crs(network.crs)
    x, y = at.x.to_numpy(), at.y.to_numpy()
    surface = smooth_surface(network.ground.terrain, x, y, network.crs)
    known = elevation_at(surface, x, y, crs=network.crs) if surface.elevation.size else np.full(len(x), np.nan)
    level = np.nanmean(known) if np.isfinite(known).any() else 0.0
    heights = np.rint(np.where(np.isfinite(known), known, level) * 10).astype("int64").reshape(across.shape)
    return heights, (west, south), (step_lon, step_lat)


def _height(paths: Footpaths, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return heights in decimetres, bilinear between the corners of the grid, in whole numbers."""
    rows, columns = paths.heights.shape
    (west, south), (wide, high) = paths.corner, paths.step
    east, north = np.clip(lon - west, 0, (columns - 1) * wide), np.clip(lat - south, 0, (rows - 1) * high)
    column, row = np.minimum(east // wide, columns - 2), np.minimum(north // high, rows - 2)
    u, v, h = east - column * wide, north - row * high, paths.heights
    below = h[row, column] * (wide - u) + h[row, column + 1] * u
    above = h[row + 1, column] * (wide - u) + h[row + 1, column + 1] * u
    return (below * (high - v) + above * v) // (wide * high)


def _across(paths: Footpaths, lon: np.ndarray, lat: np.ndarray, east: int, north: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return which points lie within the radius, and the seconds straight on from them to the school and back."""
    square = ((lon - east) * paths.lon_mm) ** 2 + ((lat - north) * paths.lat_mm) ** 2
    near = np.flatnonzero(square <= paths.radius_mm**2)
    # whole millimetres, so that every programme rounds the same
    metres = np.floor(np.sqrt(square[near].astype(float))).astype("int64")
    rise = 100 * (_height(paths, np.array([east]), np.array([north])) - _height(paths, lon[near], lat[near]))
    metres = np.maximum(metres, (7 * np.abs(rise) + 1) // 2)
    slope = (2000 * rise + metres) // np.maximum(2 * metres, 1)
    ways = ((metres * paths.pace * paths.slopes[_STEEPEST + sign * slope] + 5 * 10**9) // 10**10 for sign in (1, -1))
    return near, tuple(ways)  # type: ignore[return-value]


def _labels(paths: Footpaths, near: np.ndarray, ground: np.ndarray, *, away: bool) -> np.ndarray:
    """Return the least seconds from every node to the school, or from it to every node."""
    count = len(paths.lon)
    tail, head, ahead, behind = paths.tail, paths.head, paths.ahead, paths.behind
    source, target, seconds = np.concatenate([tail, head]), np.concatenate([head, tail]), np.concatenate([ahead, behind])
    if not away:
        source, target = target, source
    known = seconds >= 0
    # the school is one node more
    source = np.concatenate([source[known], np.full(len(near), count)])
    target = np.concatenate([target[known], near])
    cost = np.concatenate([seconds[known], ground]).astype(float)
    order = np.lexsort((cost, target, source))
    source, target, cost = source[order], target[order], cost[order]
    first = np.append(True, (source[1:] != source[:-1]) | (target[1:] != target[:-1])) if len(source) else np.zeros(0, bool)
    pointer = np.searchsorted(source[first], np.arange(count + 2))
    arcs = csr_array((cost[first], target[first].astype("int32"), pointer.astype("int32")), shape=(count + 1, count + 1))
    found = dijkstra(arcs, indices=count, limit=float(paths.longest))[:count]
    return np.where(np.isfinite(found), found, NO_WAY).astype("int64")


def _seconds(
    network: Network, pieces: np.ndarray, edge: np.ndarray, low: np.ndarray, of: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return whole seconds along every part of a piece and against it; sums along a piece are off by half a second at most."""
    walk, out = network.walk, []
    real = edge[of] >= 0
    row = np.where(real, edge[of], 0)
    begin, here, there = (ticks_at(walk, row, share) for share in (low[of], start, end))
    whole = (walk.ticks[pieces], walk.ticks_back[pieces])
    shut = (walk.shut, walk.shut_back)
    for way in (0, 1):
        before, after = ((v[way] - begin[way] + _SECOND // 2) // _SECOND for v in (here, there))
        closed = np.where(real, shut[way][row], whole[way][of] >= NEVER)
        out.append(np.where(closed, -1, np.where(real, after - before, (whole[way][of] + _SECOND // 2) // _SECOND)))
    return out[0], out[1]


def _points(network: Network, edge: np.ndarray, parts: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of vertices and of the points between them."""
    of = np.repeat(np.arange(len(edge)), parts - 1)
    nth = np.arange(len(of)) - np.repeat(np.cumsum(parts - 1) - (parts - 1), parts - 1) + 1
    share = low[of] + (high - low)[of] * nth / parts[of]
    lines = network.roads.edges.geometry.to_numpy()[edge[of]]
    points = shapely.line_interpolate_point(lines, share, normalized=True)
    return np.append(network.topology.x, shapely.get_x(points)), np.append(network.topology.y, shapely.get_y(points))


def _links(network: Network, homes: Joined, pieces: np.ndarray, parts: np.ndarray, inner: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return where settlements get on: the points of the road before and behind the one they are joined to, once each."""
    joins, walk, topology = homes.joins, network.walk, network.topology
    at = np.full(len(topology.edge), -1)
    at[pieces] = np.arange(len(pieces))
    piece = network.piece_at(joins.edge, joins.share)
    kept = at[piece] >= 0
    place, edge, share, piece = joins.place[kept], joins.edge[kept], joins.share[kept], piece[kept]
    leave, arrive = ground_ticks(network, joins.out[kept]), ground_ticks(network, joins.back[kept])
    k = at[piece]
    width = topology.high[piece] - topology.low[piece]
    within = np.clip(np.divide(share - topology.low[piece], width, out=np.zeros(len(share)), where=width > 0), 0.0, 1.0)
    nth = np.minimum((within * parts[k]).astype("int64"), parts[k] - 1)
    here, found = ticks_at(walk, edge, share), []
    for side in (0, 1):
        end = topology.low[piece] + width * (nth + side) / parts[k]
        last = nth + side
        node = np.where(last == 0, topology.tail[piece], np.where(last == parts[k], topology.head[piece], inner[:-1][k] + last - 1))
        there, same = ticks_at(walk, edge, end), share == end
        # along the line to the point behind, against it to the point before
        on, off = (abs(there[way] - here[way]) for way in ((1, 0) if side == 0 else (0, 1)))
        shut_on, shut_off = (walk.shut_back, walk.shut) if side == 0 else (walk.shut, walk.shut_back)
        out = np.where((leave >= NEVER) | (shut_on[edge] & ~same), -1, (leave + on + _SECOND // 2) // _SECOND)
        back = np.where((arrive >= NEVER) | (shut_off[edge] & ~same), -1, (arrive + off + _SECOND // 2) // _SECOND)
        found.append((place, node, out, back))
    place, node, out, back = (np.concatenate(part) for part in zip(*found, strict=True))
    return _least(place, node, out, back)


def _least(place: np.ndarray, node: np.ndarray, out: np.ndarray, back: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return every pair of settlement and node once, with its least seconds each way."""
    far = NEVER
    pairs, which = np.unique(np.column_stack([place, node]), axis=0, return_inverse=True)
    best = [np.full(len(pairs), far, "int64") for _ in range(2)]
    for least, way in zip(best, (out, back), strict=True):
        np.minimum.at(least, which.ravel(), np.where(way < 0, far, way))
    out, back = (np.where(least >= far, -1, least) for least in best)
    kept = (out >= 0) | (back >= 0)
    return pairs[kept, 0], pairs[kept, 1], out[kept], back[kept]
