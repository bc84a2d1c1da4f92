"""Points along the roads where one may get on or off, and the ticks between them and places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from layout.network import Network
from layout.pace import NEVER, Ways, ticks_at
from layout.search import Standing

# shares that differ by less are one point: the position of a place among all pieces has lost its last bits
_SAME = 1e-9


@dataclass(frozen=True)
class Roadside:
    """Points along the roads where one may get on or off.

    Parameters
    ----------
    ways
        What the roads take.
    pieces, first
        Pieces of the roads that have points, and where the points of each begin (one longer).
    x, y
        Places of the points in metres.
    part
        Shares of the piece before them.
    ahead, behind
        Ticks from the start of the piece to them, and from them back.
    """

    ways: Ways
    pieces: np.ndarray
    first: np.ndarray
    x: np.ndarray
    y: np.ndarray
    part: np.ndarray
    ahead: np.ndarray
    behind: np.ndarray


def roadside(network: Network, ways: Ways, *, apart_m: float) -> Roadside:
    """Return points along the roads where one may get on or off.

    Parameters
    ----------
    network
        From :func:`layout.prepare_network`.
    ways
        Those of the network on foot or by vehicle.
    apart_m
        How far apart the points are at most.

    Returns
    -------
    Roadside
        Bridges, tunnels and ferries have points at their ends only; motorways and closed roads have none.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads)
    >>> len(roadside(network, network.walk, apart_m=100.0).x)
    110
    """
    topology, edges = network.topology, network.roads.edges
    edge = topology.edge[: topology.pieces]
    pieces = np.flatnonzero((~shapely.is_missing(network.shapes) & ~(ways.shut & ways.shut_back))[edge])
    edge, low, high = edge[pieces], topology.low[pieces], topology.high[pieces]
    length = (high - low) * edges["length_m"].to_numpy(float)[edge]
    count = np.where(network.ends_only[edge], 2, np.ceil(length / apart_m).astype("int64") + 1).clip(2)
    first = np.append(0, np.cumsum(count))
    of = np.repeat(np.arange(len(pieces)), count)
    part = (np.arange(len(of)) - first[of]) / (count[of] - 1)
    share = low[of] + part * (high - low)[of]
    met = shapely.line_interpolate_point(edges.geometry.to_numpy()[edge[of]], share, normalized=True)
    along, against = ticks_at(ways, edge[of], share)
    start, start_back = ticks_at(ways, edge, low)
    whole, whole_back = (np.minimum(t[pieces], NEVER)[of] for t in (ways.ticks, ways.ticks_back))
    ahead, behind = np.clip(along - start[of], 0, whole), np.clip(against - start_back[of], 0, whole_back)
    return Roadside(ways, pieces, first, shapely.get_x(met), shapely.get_y(met), part, ahead, behind)


def along_roads(
    road: Roadside, label: np.ndarray, owner: np.ndarray, standing: Standing, mine: np.ndarray, *, towards: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how long it takes between points along the roads and places.

    Parameters
    ----------
    road
        The points.
    label, owner
        Of every vertex the ticks to (or from) the place, :data:`layout.pace.NEVER` where there is no way, and the place.
    standing
        Where places stand on the pieces.
    mine
        Which rows of it count.
    towards
        From the points to the places; otherwise from the places to the points.

    Returns
    -------
    tuple of numpy.ndarray
        Point, ticks and place of every way that is open; a point may come more than once.

    Examples
    --------
    >>> from layout.reach import nearest_labels
    >>> from layout.search import join_places, stand
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> joined = join_places(network, paper.schools)
    >>> joins, road = joined.joins, roadside(network, network.walk, apart_m=500.0)
    >>> standing = stand(network.walk, network.walk.by_piece, network, joins.place, joins.edge, joins.share, joins.back.astype("int64"))
    >>> label, owner = nearest_labels(network, joined)
    >>> point, ticks, place = along_roads(road, label, owner, standing, np.arange(len(standing.place)), towards=True)
    >>> float(ticks.max() / 300_000)
    30.0
    """
    ways, topology = road.ways, road.ways.topology
    tail, head = topology.tail[road.pieces], topology.head[road.pieces]
    seen = np.flatnonzero((label[tail] < NEVER) | (label[head] < NEVER))
    point, row = _points_of(road, seen)
    of = seen[row]
    piece = road.pieces[of]
    whole, whole_back = ways.ticks[piece], ways.ticks_back[piece]
    ahead, behind, part = road.ahead[point], road.behind[point], road.part[point]
    if towards:
        by_tail, by_head = np.where(whole_back < NEVER, behind, NEVER), np.where(whole < NEVER, whole - ahead, NEVER)
    else:
        by_tail, by_head = np.where(whole < NEVER, ahead, NEVER), np.where(whole_back < NEVER, whole_back - behind, NEVER)
    # who is at the very end is there, whichever way is open
    by_tail, by_head = np.where(part <= 0, 0, by_tail), np.where(part >= 1, 0, by_head)
    by_tail, by_head = label[tail[of]].astype("int64") + by_tail, label[head[of]].astype("int64") + by_head
    whose = np.where(by_tail <= by_head, owner[tail[of]], owner[head[of]])
    found = [(point, np.minimum(by_tail, by_head), whose)]
    # places on the same piece are reached along it
    slot = np.searchsorted(road.pieces, standing.strand[mine])
    on = slot < len(road.pieces)
    on[on] = road.pieces[slot[on]] == standing.strand[mine][on]
    mine, slot = mine[on], slot[on]
    point, row = _points_of(road, slot)
    at, piece = mine[row], standing.strand[mine[row]]
    strands = ways.by_piece
    to_ahead, to_behind = standing.ahead[at] - strands.ahead[piece], standing.behind[at] - strands.behind[piece]
    gap, sign = road.part[point] - (standing.at[at] - piece), 1 if towards else -1
    forward = np.where((sign * gap <= _SAME) & (ways.ticks[piece] < NEVER), sign * (to_ahead - road.ahead[point]), NEVER)
    backward = np.where((sign * gap >= -_SAME) & (ways.ticks_back[piece] < NEVER), sign * (road.behind[point] - to_behind), NEVER)
    found.append((point, np.maximum(np.minimum(forward, backward), 0) + standing.ground[at], standing.place[at]))
    point, ticks, place = (np.concatenate(parts) for parts in zip(*found, strict=True))
    known = ticks < NEVER
    return point[known], ticks[known], place[known]


def _points_of(road: Roadside, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of some pieces one after the other, and of each which of the pieces it is on."""
    low, counts = road.first[slots], road.first[slots + 1] - road.first[slots]
    row = np.repeat(np.arange(len(slots)), counts)
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + low[row], row
