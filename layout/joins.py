"""Where places meet the network: minutes across open ground to every edge within reach, and which of them can matter."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from layout.compiled import loops
from layout.network import Corners, Network
from layout.open_ground import ground_minutes, least_minutes
from layout.pace import NEVER, Ways, packed_arcs, ticks_at

# entries of a table of distances held at once, and pairs of a place and an edge: bounds on memory
_CHUNK_ENTRIES = 12_000_000
# beyond so many vertices to settle, compiled loops are ready sooner than scipy; who prepared a network asks it often
_WORTH_COMPILING, _WORTH_LOADING = 20_000_000, 200_000
# this many edges nearest to a place are walked to first, to see which others that leaves worth a look
_FIRST_LOOK = 3


@dataclass(frozen=True)
class Joins:
    """Places and the points of edges where they get onto the network.

    Parameters
    ----------
    ids, x, y
        The places, in metres of the network's coordinate system.
    place, edge, share
        Joins, sorted: position of the place, row of the edge, share of its length.
    out, back
        Minutes across open ground at 1 km/h on the level, to the edge and from it; infinite where that way can never be
        quicker than by another join and the network on foot.
    """

    ids: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    place: np.ndarray
    edge: np.ndarray
    share: np.ndarray
    out: np.ndarray
    back: np.ndarray


def find_joins(network: Network, ids: tuple[str, ...], x: np.ndarray, y: np.ndarray) -> Joins:
    """Join places to every usable edge within the radius, at true minutes across open ground.

    Parameters
    ----------
    network
        From :func:`layout.prepare_network`. The answer serves every mode, band and level speed of the same roads, ground,
        season and figures; another season may close the ford that made a join superfluous.
    ids, x, y
        From :func:`read_places`.

    Returns
    -------
    Joins
        A place within ``travel.join_radius`` of no edge has no join. Joins that another join and the network beat are
        left out: that changes no minute.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads)
    >>> len(find_joins(network, *read_places(paper.settlements, paper.crs)).place)
    5
    """
    place, edge, share, px, py, distance = _within_reach(network, x, y)
    if not len(place):
        return Joins(ids, x, y, place, edge, share, distance, distance.copy())
    least = least_minutes(network.ground, x[place], y[place], px, py)
    rank = _rank_within(place, distance)
    look = rank < _FIRST_LOOK
    out, back = np.full(len(place), np.inf), np.full(len(place), np.inf)
    out[look], back[look] = ground_minutes(network.ground, place[look], x, y, px[look], py[look])
    labels = _labels(network, place, edge, share, out, back, len(ids))
    look = ~look & ((np.floor(least[0] * network.ground_pace) <= labels[0]) | (np.floor(least[1] * network.ground_pace) <= labels[1]))
    out[look], back[look] = ground_minutes(network.ground, place[look], x, y, px[look], py[look])
    labels = _labels(network, place, edge, share, out, back, len(ids))
    out, back = (np.where(np.round(way * network.ground_pace) > label, np.inf, way) for way, label in zip((out, back), labels, strict=True))
    kept = np.isfinite(out) | np.isfinite(back)
    return Joins(ids, x, y, place[kept], edge[kept], share[kept], out[kept], back[kept])


def read_places(frame: gpd.GeoDataFrame, crs: str) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Return ids and coordinates of places.

    Parameters
    ----------
    frame
        Points; ids from a column ``id``, else ``settlement_id`` or ``school_id``, else the index.
    crs
        Metric coordinate system wanted.

    Returns
    -------
    tuple
        Ids, x, y.

    Raises
    ------
    ValueError
        If they are not points with unique ids and a coordinate system.

    Examples
    --------
    >>> read_places(paper.settlements, paper.crs)[0]
    ('A', 'B', 'C', 'D', 'E')
    """
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None:
        raise ValueError("places must be a GeoDataFrame with a coordinate system")
    if not (frame.geom_type == "Point").all() or frame.geometry.is_empty.any():
        raise ValueError("places must all be points")
    column = next((c for c in ("id", "settlement_id", "school_id") if c in frame), None)
    ids = tuple(str(i) for i in (frame.index if column is None else frame[column]))
    if len(set(ids)) < len(ids):
        raise ValueError("ids of places must be unique")
    points = frame.geometry.to_crs(crs)
    return ids, points.x.to_numpy(float), points.y.to_numpy(float)


def worth_compiling(sources: int, vertices: int, *, often: bool = False) -> bool:
    """Say whether a search of so many sources over so many vertices runs in the compiled loops: both give the same ticks.

    Parameters
    ----------
    sources, vertices
        Size of the search.
    often
        Whether more searches like it are to be expected.

    Returns
    -------
    bool
        True once they are loaded, or where loading them pays.

    Examples
    --------
    >>> worth_compiling(10_000, 10_000)
    True
    """
    return "layout.kernels" in sys.modules or sources * vertices > (_WORTH_LOADING if often else _WORTH_COMPILING)


def least_by_key(key: np.ndarray, ticks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every key once, sorted, with its least ticks.

    Parameters
    ----------
    key, ticks
        One entry a candidate; ticks of :data:`layout.pace.NEVER` and more are dropped.

    Returns
    -------
    tuple of numpy.ndarray
        Keys and ticks.

    Examples
    --------
    >>> [v.tolist() for v in least_by_key(np.array([4, 2, 4]), np.array([9, 5, 7]))]
    [[2, 4], [5, 7]]
    """
    known = ticks < NEVER
    key, ticks = key[known], ticks[known]
    order = np.lexsort((ticks, key))
    key, ticks = key[order], ticks[order]
    first = np.append(True, key[1:] != key[:-1]) if len(key) else np.zeros(0, bool)
    return key[first], ticks[first]


def to_ends(ways: Ways, edge: np.ndarray, share: np.ndarray, piece: np.ndarray, ground: np.ndarray, *, away: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return ticks from places over open ground and along the piece they meet to its two ends, or the other way.

    Parameters
    ----------
    ways
        Ticks of the pieces.
    edge, share, piece
        Where places meet the network.
    ground
        Ticks across open ground, :data:`layout.pace.NEVER` where that way is not open.
    away
        From the places to the ends; otherwise from the ends to the places.

    Returns
    -------
    tuple of numpy.ndarray
        To (or from) the tail and the head of the piece.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> one = np.array([0])
    >>> [int(t[0]) for t in to_ends(network.walk, one, np.array([0.25]), one, np.array([10]), away=True)]
    [750010, 2250010]
    """
    along, against = ticks_at(ways, edge, share)
    topology = ways.topology
    low, low_back = ticks_at(ways, edge, topology.low[piece])
    high, high_back = ticks_at(ways, edge, topology.high[piece])
    shut, shut_back = ways.shut[edge], ways.shut_back[edge]
    to_tail, to_head = (against - low_back, high - along) if away else (along - low, high_back - against)
    shut_tail, shut_head = (shut_back, shut) if away else (shut, shut_back)
    # who meets a piece at its very end is at the vertex, whichever way is open
    to_tail = np.where(share <= topology.low[piece], 0, np.where(shut_tail, NEVER, to_tail))
    to_head = np.where(share >= topology.high[piece], 0, np.where(shut_head, NEVER, to_head))
    return np.minimum(ground + to_tail, NEVER), np.minimum(ground + to_head, NEVER)


def ground_ticks(network: Network, minutes: np.ndarray) -> np.ndarray:
    """Return ticks across open ground at the network's walking speed.

    Parameters
    ----------
    network
        Its level speed off the road.
    minutes
        At 1 km/h on the level.

    Returns
    -------
    numpy.ndarray
        int64, :data:`layout.pace.NEVER` where infinite.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=5)
    >>> ground_ticks(network, np.array([3.0, np.inf])).tolist()
    [300000, 1073741823]
    """
    return np.round(np.minimum(minutes * network.ground_pace, NEVER)).astype("int64")


def labels_within(
    arcs: csr_array, place: np.ndarray, vertex: np.ndarray, ticks: np.ndarray, places: int, limit: np.ndarray, asked_place: np.ndarray,
    asked: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Return the least ticks from each place over the arcs to the vertices asked for.

    Parameters
    ----------
    arcs
        Ticks between vertices, row to column.
    place, vertex, ticks
        Where places get on, at which cost.
    places
        Number of places.
    limit
        Of every place: ticks beyond which nothing is looked for.
    asked_place, asked
        Pairs of place and vertex, sorted by place.

    Returns
    -------
    numpy.ndarray
        int64, :data:`layout.pace.NEVER` beyond the limit.

    Examples
    --------
    >>> arcs = layout.prepare_network(paper.roads, level_kph=6).walk.arcs
    >>> zero = np.array([0])
    >>> labels_within(arcs, zero, zero, zero, 1, np.array([9_000_000]), np.array([0, 0]), np.array([1, 5])).tolist()
    [3000000, 1073741823]
    """
    vertices = arcs.shape[0]
    key, ticks = least_by_key(place.astype("int64") * max(vertices, 1) + vertex, ticks)
    place, vertex = key // max(vertices, 1), key % max(vertices, 1)
    first = np.searchsorted(place, np.arange(places + 1))
    if worth_compiling(places, vertices):
        kernels = loops()

        answers = np.full(max(len(asked), 1), NEVER, "int32")
        kernels.within(
            *packed_arcs(arcs), first, vertex.astype("int32"), ticks.astype("int32"), 0, places,
            limit.astype("int64"), np.searchsorted(asked_place, np.arange(places + 1)), asked.astype("int32"), answers,
            kernels.scratch(vertices, len(arcs.indices) + len(vertex)),
        )  # fmt: skip
        return answers[: len(asked)].astype("int64")
    out = np.full(len(asked), NEVER, "int64")
    chunk = max(1, _CHUNK_ENTRIES // max(vertices, 1))
    for low in range(0, places, chunk):
        rows = np.arange(low, min(low + chunk, places))
        some, mine = slice(first[rows[0]], first[rows[-1] + 1]), (asked_place >= rows[0]) & (asked_place <= rows[-1])
        if not mine.any():
            continue
        whole = with_sources(arcs, place[some] - low, vertex[some], ticks[some], len(rows))
        most = float(limit[rows].max()) if len(rows) else 0.0
        distance = dijkstra(whole, indices=vertices + np.arange(len(rows)), limit=most)
        found = distance[asked_place[mine] - low, asked[mine]]
        out[mine] = np.where(found <= limit[asked_place[mine]], found, NEVER).astype("int64")
    return out


def with_sources(arcs: csr_array, place: np.ndarray, vertex: np.ndarray, ticks: np.ndarray, places: int) -> csr_array:
    """Return the arcs with one vertex more for every place, and arcs from it to where the place gets on.

    Parameters
    ----------
    arcs
        Ticks between vertices.
    place, vertex, ticks
        Sorted by place and vertex, each pair once.
    places
        Number of places.

    Returns
    -------
    scipy.sparse.csr_array
        Places follow the vertices.

    Examples
    --------
    >>> arcs = layout.prepare_network(paper.roads, level_kph=6).walk.arcs
    >>> with_sources(arcs, np.array([0]), np.array([3]), np.array([7]), 1).shape
    (12, 12)
    """
    size = arcs.shape[0] + places
    pointer = np.append(arcs.indptr, arcs.indptr[-1] + np.searchsorted(place, np.arange(1, places + 1)))
    return csr_array((np.append(arcs.data, ticks.astype(float)), np.append(arcs.indices, vertex.astype("int32")), pointer), shape=(size, size))


def _within_reach(network: Network, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return place, edge, share, x, y and metres of the points of edges within the radius where nothing beside them is nearer."""
    points = shapely.points(x, y)
    radius = network.join_radius_m
    place, edge = network.tree.query(points, predicate="dwithin", distance=radius)
    ends_only = network.ends_only[edge]
    lines = network.roads.edges.geometry.to_numpy()
    near = [_closest_points(network.corners, x, y, place[some], edge[some]) for some in _in_chunks(network.corners, edge, np.flatnonzero(~ends_only))]
    # an edge that is met at its ends only is met at both
    ends = place[ends_only], edge[ends_only], np.zeros(ends_only.sum())
    place, edge, share = (np.concatenate(parts) for parts in zip(*near, ends, (ends[0], ends[1], ends[2] + 1), strict=True))
    met = shapely.line_interpolate_point(lines[edge], share, normalized=True)
    px, py = shapely.get_x(met), shapely.get_y(met)
    distance = np.hypot(px - x[place], py - y[place])
    # edges that meet in one vertex are one join there, on the first of them that can be walked
    piece, topology = network.piece_at(edge, share), network.topology
    inside = (share > topology.low[piece]) & (share < topology.high[piece])
    vertex = np.where(inside, -1 - np.arange(len(edge)), np.where(share <= topology.low[piece], topology.tail[piece], topology.head[piece]))
    order = np.lexsort((share, edge, network.walk.shut[edge] & network.walk.shut_back[edge], vertex, place))
    again = np.append(False, (place[order][1:] == place[order][:-1]) & (vertex[order][1:] == vertex[order][:-1]) & (vertex[order][1:] >= 0))
    kept = np.sort(order[~again & (distance[order] <= radius * (1 + 1e-9))])
    kept = kept[np.lexsort((share[kept], edge[kept], place[kept]))]
    return place[kept], edge[kept], share[kept], px[kept], py[kept], distance[kept]


def _in_chunks(corners: Corners, edge: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """Cut pairs into parts with a bounded number of segments."""
    many = np.cumsum(np.diff(corners.first)[edge[rows]])
    return np.split(rows, np.searchsorted(many, np.arange(_CHUNK_ENTRIES, many[-1], _CHUNK_ENTRIES))) if len(rows) else []


def _closest_points(corners: Corners, x: np.ndarray, y: np.ndarray, place: np.ndarray, edge: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the points of edges that are nearer to their places than what lies just before and after them."""
    counts = np.diff(corners.first)[edge] - 1
    pair = np.repeat(np.arange(len(edge)), counts)
    number = np.arange(len(pair)) - (np.cumsum(counts) - counts)[pair]
    at = corners.first[edge[pair]] + number
    (x1, y1), (x2, y2) = (corners.xy[at + i].T for i in (0, 1))
    across, up = x[place[pair]] - x1, y[place[pair]] - y1
    dx, dy = x2 - x1, y2 - y1
    square = dx * dx + dy * dy
    part = np.clip(np.divide(across * dx + up * dy, square, out=np.zeros(len(square)), where=square > 0), 0.0, 1.0)
    away = np.hypot(across - part * dx, up - part * dy)
    before, after = np.append(np.inf, away[:-1]), np.append(away[1:], np.inf)
    before[number == 0] = np.inf
    after[number == counts[pair] - 1] = np.inf
    # where two segments meet in the nearest point the first of them counts
    least = np.flatnonzero((away < before) & (away <= after))
    share = np.where(part >= 1, corners.share[at + 1], corners.share[at] + part * (corners.share[at + 1] - corners.share[at]))
    return place[pair[least]], edge[pair[least]], share[least]


def _rank_within(place: np.ndarray, distance: np.ndarray) -> np.ndarray:
    order = np.lexsort((distance, place))
    first = np.searchsorted(place[order], place[order])
    rank = np.empty(len(place), "int64")
    rank[order] = np.arange(len(place)) - first
    return rank


def _labels(
    network: Network, place: np.ndarray, edge: np.ndarray, share: np.ndarray, out: np.ndarray, back: np.ndarray, places: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return least ticks on foot from each place to its joins by other joins and the network, and back."""
    ways = network.walk
    piece = network.piece_at(edge, share)
    found = []
    for ground, arcs, away in ((out, ways.arcs, True), (back, ways.arcs_back, False)):
        ticks = ground_ticks(network, ground)
        ends = to_ends(ways, edge, share, piece, ticks, away=away)
        vertices = ways.topology.tail[piece], ways.topology.head[piece]
        # a road for vehicles alone leads nobody on foot anywhere
        known = np.isfinite(ground) & ~(ways.shut & ways.shut_back)[edge]
        source = np.tile(np.arange(len(place))[known], 2)
        # nothing farther than the farthest edge over level ground can be of use
        most = np.zeros(places)
        np.maximum.at(most, place, np.where(ticks < NEVER, ticks, 0))
        far = network.join_radius_m / 1000 * 60 * network.ground_pace if not np.isfinite(ground).all() else 0.0
        answers = labels_within(
            arcs, place[source], np.append(vertices[0][known], vertices[1][known]), np.append(ends[0][known], ends[1][known]), places,
            np.maximum(most, far).astype("int64"), np.repeat(place, 2), np.column_stack(vertices).ravel(),
        ).reshape(-1, 2)  # fmt: skip
        # from the ends of the piece to the join
        zero = np.zeros(len(place), "int64")
        last = to_ends(ways, edge, share, piece, zero, away=not away)
        found.append(np.minimum(answers[:, 0] + last[0], answers[:, 1] + last[1]))
    return found[0], found[1]
