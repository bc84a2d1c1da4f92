"""Least ticks between joined places: over the hierarchy where that pays, else by scipy, to the very same ticks."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from layout.compiled import loops
from layout.joins import Joins, find_joins, ground_ticks, least_by_key, read_places, with_sources, worth_compiling
from layout.network import Network
from layout.open_ground import ground_minutes
from layout.pace import NEVER, TICKS, Ways, storeys, ticks_at
from layout.strands import Strands

if TYPE_CHECKING:
    from layout.hierarchy import Accesses

# entries of a table of distances held at once: a bound on memory
_CHUNK_ENTRIES = 12_000_000


@dataclass(frozen=True)
class Standing:
    """Where places stand on strands, sorted by strand.

    Parameters
    ----------
    place, strand
        Positions.
    at
        Slot plus share of it; rising along the strand.
    ahead, behind
        Sums of ticks up to there.
    low, high
        First slot that a way ahead passes, and first that a way behind does not.
    ground
        Ticks across open ground.
    by_strand
        Where each strand begins.
    """

    place: np.ndarray
    strand: np.ndarray
    at: np.ndarray
    ahead: np.ndarray
    behind: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ground: np.ndarray
    by_strand: np.ndarray


@dataclass(frozen=True, eq=False)
class Joined:
    """Places joined to a prepared network, ready for searches.

    Parameters
    ----------
    network
        What they are joined to.
    joins
        Where.
    """

    network: Network
    joins: Joins

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of the places."""
        return self.joins.ids

    @functools.cached_property
    def leaving(self) -> tuple[Standing, Accesses]:
        """Return where they stand on the chains on foot, and how they get from there to junctions."""
        return _ready(self.network.walk, self, away=True)

    @functools.cached_property
    def arriving(self) -> tuple[Standing, Accesses]:
        """Return where they stand on the chains on foot, and how they are reached from junctions."""
        return _ready(self.network.walk, self, away=False)

    @functools.cached_property
    def boarding(self) -> tuple[Standing, Accesses]:
        """Return where they stand on the chains of the vehicle, and how they get from there to junctions riding."""
        return _ready(cast("Ways", self.network.ride), self, away=True)

    @functools.cached_property
    def alighting(self) -> tuple[Standing, Accesses]:
        """Return where they stand on the chains of the vehicle, and how they are reached from junctions riding."""
        return _ready(cast("Ways", self.network.ride), self, away=False)

    @functools.cached_property
    def ends_towards(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return place, vertex and ticks from the vertices where one leaves the roads for the places, sorted, and where each begins."""
        return _ends(self, towards=True)

    @functools.cached_property
    def ends_from(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return place, vertex and ticks from the places to the vertices where one gets onto the roads, sorted, and where each begins."""
        return _ends(self, towards=False)


def join_places(network: Network, places: gpd.GeoDataFrame | Joined) -> Joined:
    """Join places to every usable edge within the radius, at true minutes across open ground.

    Parameters
    ----------
    network
        From :func:`layout.prepare_network`.
    places
        Points in any coordinate system; ids from a column ``id``, else ``settlement_id`` or ``school_id``, else the index.
        Places joined to the same roads under another mode or band are not looked up again; under another season, other
        figures or other roads they are joined anew.

    Returns
    -------
    Joined
        A place within ``travel.join_radius`` of no edge has no join. Joins that another join and the network beat on foot
        are left out: that changes no minute.

    Raises
    ------
    ValueError
        If places are not points with unique ids and a coordinate system, or were joined in another coordinate system.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads)
    >>> len(join_places(network, paper.settlements).joins.place)
    5
    """
    if not isinstance(places, Joined):
        return Joined(network, find_joins(network, *read_places(places, network.crs)))
    before, joins = places.network, places.joins
    if before is network:
        return places
    if before.crs != network.crs:
        raise ValueError(f"the places were joined in {before.crs}, the network is in {network.crs}")
    same = before.skeleton is network.skeleton and before.season == network.season and before.standards is network.standards
    return Joined(network, joins if same else find_joins(network, joins.ids, joins.x, joins.y))


def some_places(joined: Joined, ids: Sequence[str]) -> Joined:
    """Return some of the places, in the order given, joined as they are.

    Parameters
    ----------
    joined
        From :func:`join_places`.
    ids
        Of places among them, each once.

    Returns
    -------
    Joined
        Nothing is looked up again: how a place is joined does not depend on the others.

    Raises
    ------
    KeyError
        If an id is not among the places.

    Examples
    --------
    >>> joined = join_places(layout.prepare_network(paper.roads), paper.schools)
    >>> joined.ids, some_places(joined, ["S2"]).ids
    (('S1', 'S2'), ('S2',))
    """
    joins, number = joined.joins, {name: i for i, name in enumerate(joined.ids)}
    order = np.array([number[name] for name in ids], "int64")
    turn = np.full(len(joins.ids), -1, "int64")
    turn[order] = np.arange(len(order))
    place = turn[joins.place]
    kept = np.flatnonzero(place >= 0)
    rows = kept[np.lexsort((joins.share[kept], joins.edge[kept], place[kept]))]
    return Joined(
        joined.network,
        Joins(tuple(ids), joins.x[order], joins.y[order], place[rows], joins.edge[rows], joins.share[rows], joins.out[rows], joins.back[rows]),
    )


def to_minutes(ticks: np.ndarray, fixed: int, most: int) -> np.ndarray:
    """Return ticks as minutes.

    Parameters
    ----------
    ticks
        int32, two-dimensional.
    fixed
        Ticks once a trip besides.
    most
        What is above counts as unreachable.

    Returns
    -------
    numpy.ndarray
        float32, infinite where unreachable.

    Examples
    --------
    >>> to_minutes(np.array([[300_000, 900_000]], "int32"), 150_000, 600_000).tolist()
    [[1.5, inf]]
    """
    if "layout.kernels" in sys.modules:
        kernels = loops()

        return kernels.to_minutes(ticks, fixed, most, TICKS)
    minutes = ((ticks.astype("int64") + fixed) / TICKS).astype("float32")
    np.copyto(minutes, np.float32(np.inf), where=ticks > most)
    return minutes


def least_ticks(
    origins: Joined, destinations: Joined, *, limit: int = NEVER, uncapped: bool = False, often: bool = False, engine: str | None = None
) -> np.ndarray:
    """Return the least ticks from every origin to every destination.

    On foot: by the network, along one edge, or straight across open ground within the radius. By vehicle: walk to any point
    where one may get on, ride, and walk on from any point where one may get off; or walk all the way.

    Parameters
    ----------
    origins, destinations
        Joined to one network.
    limit
        Ticks beyond which a pair need not be right.
    uncapped
        Without the 20 km/h rule of school buses.
    often
        Whether more searches like it are to be expected, so that compiled loops pay sooner.
    engine
        ``hierarchy`` or ``scipy``; None takes the one that is sooner there. Both give the same ticks.

    Returns
    -------
    numpy.ndarray
        int32, origins x destinations; :data:`layout.pace.NEVER` where there is no way. What is beyond the limit may be
        either.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> two = [join_places(network, p) for p in (paper.settlements, paper.schools)]
    >>> (least_ticks(*two)[0] / 300_000).tolist()
    [15.0, 70.0]
    """
    network = origins.network
    shape = len(origins.ids), len(destinations.ids)
    if not (origins.joins.place.size and destinations.joins.place.size):
        return _straight(origins, destinations, np.full(shape, NEVER, "int32"))
    ride = network.ride_uncapped if uncapped else network.ride
    if engine is None:
        vertices = network.topology.vertices * (1 if ride is None else 3)
        engine = "hierarchy" if worth_compiling(min(shape), vertices, often=often) else "scipy"
    if engine == "scipy":
        best = _by_scipy(network.walk, ride, origins.joins, destinations.joins, network, limit)
    else:
        best = _by_hierarchy(network.walk, ride, origins, destinations)
    return _straight(origins, destinations, best)


def stand(ways: Ways, strands: Strands, network: Network, place: np.ndarray, edge: np.ndarray, share: np.ndarray, ground: np.ndarray) -> Standing:
    """Return where places stand on the strands.

    Parameters
    ----------
    ways, strands
        Ticks of the pieces and their sums.
    network
        Whose pieces they are.
    place, edge, share
        Joins.
    ground
        Ticks across open ground.

    Returns
    -------
    Standing
        Without joins of :data:`layout.pace.NEVER` ticks and those on edges that are closed both ways.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> zero = np.zeros(1, "int64")
    >>> stand(network.walk, network.walk.by_piece, network, zero, zero, np.array([0.25]), zero).ahead.tolist()
    [750000]
    """
    known = (ground < NEVER) & ~(ways.shut & ways.shut_back)[edge]
    place, edge, share, ground = place[known], edge[known], share[known], ground[known]
    piece, topology = network.piece_at(edge, share), ways.topology
    along, against = ticks_at(ways, edge, share)
    start, start_back = ticks_at(ways, edge, topology.low[piece])
    width = topology.high[piece] - topology.low[piece]
    part = np.clip(np.divide(share - topology.low[piece], width, out=np.zeros(len(share)), where=width > 0), 0.0, 1.0)
    ahead, behind = along - start, against - start_back
    flip, slot = strands.flip[piece], strands.slot[piece].astype("int64")
    # against the strand the far end of the piece comes first
    whole, whole_back = ways.ticks[piece], ways.ticks_back[piece]
    ahead, behind = np.where(flip, np.minimum(whole_back, NEVER) - behind, ahead), np.where(flip, np.minimum(whole, NEVER) - ahead, behind)
    part = np.where(flip, 1.0 - part, part)
    # a closed piece counts nothing in the sums; only its very ends are of use to anybody
    open_ahead = strands.shut_ahead[slot + 1] == strands.shut_ahead[slot]
    open_behind = strands.shut_behind[slot + 1] == strands.shut_behind[slot]
    ahead, behind = strands.ahead[slot] + np.where(open_ahead, ahead, 0), strands.behind[slot] + np.where(open_behind, behind, 0)
    strand = strands.strand[piece].astype("int64")
    order = np.lexsort((place, part, slot))
    by_strand = np.searchsorted(strand[order], np.arange(len(strands.starts)))
    low, high, at = slot + (part >= 1), slot + (part > 0), slot + part
    return Standing(place[order], strand[order], at[order], ahead[order], behind[order], low[order], high[order], ground[order], by_strand)


def reach_ends(strands: Strands, standing: Standing, *, away: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return place, end of strand and ticks between places and the ends of the strands they stand on.

    Parameters
    ----------
    strands, standing
        Where places stand.
    away
        From the places to the ends; otherwise from the ends to the places.

    Returns
    -------
    tuple of numpy.ndarray
        Without closed ways.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> strands, zero = network.walk.by_piece, np.zeros(1, "int64")
    >>> standing = stand(network.walk, strands, network, zero, zero, np.array([0.25]), zero)
    >>> [v.tolist() for v in reach_ends(strands, standing, away=True)]
    [[0, 0], [0, 1], [750000, 2250000]]
    """
    first, last = strands.starts[standing.strand], strands.starts[standing.strand + 1]
    shut_ahead, shut_behind = strands.shut_ahead, strands.shut_behind
    if away:
        tail = standing.behind - strands.behind[first], shut_behind[np.maximum(standing.high, first)] > shut_behind[first]
        head = strands.ahead[last] - standing.ahead, shut_ahead[last] > shut_ahead[np.minimum(standing.low, last)]
    else:
        tail = standing.ahead - strands.ahead[first], shut_ahead[np.maximum(standing.high, first)] > shut_ahead[first]
        head = strands.behind[last] - standing.behind, shut_behind[last] > shut_behind[np.minimum(standing.low, last)]
    # who stands at one end gets to the other over the network; a way of no ticks is not yet the end
    open_ = ~np.concatenate([tail[1] | (standing.at >= last), head[1] | (standing.at <= first)])
    ends = np.concatenate([strands.tail[standing.strand], strands.head[standing.strand]]).astype("int64")
    return np.tile(standing.place, 2)[open_], ends[open_], (np.concatenate([tail[0], head[0]]) + np.tile(standing.ground, 2))[open_]


def _ready(ways: Ways, joined: Joined, *, away: bool) -> tuple[Standing, Accesses]:
    from layout.hierarchy import Accesses

    joins, network = joined.joins, joined.network
    strands = ways.by_chain
    ground = ground_ticks(network, joins.out if away else joins.back)
    standing = stand(ways, strands, network, joins.place, joins.edge, joins.share, ground)
    place, rank, ticks = reach_ends(strands, standing, away=away)
    ranks = max(len(ways.skeleton.hierarchy.pointer) - 1, 1)
    key, ticks = least_by_key(place * ranks + rank, ticks)
    first = np.searchsorted(key // ranks, np.arange(len(joins.ids) + 1))
    return standing, Accesses(first, key % ranks, ticks.astype("int32"))


def _ends(joined: Joined, *, towards: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the least ticks between places and the vertices (of storeys) where they get on or off."""
    joins, network = joined.joins, joined.network
    count, found = network.topology.vertices, []
    ground = ground_ticks(network, joins.back if towards else joins.out)
    for ways, storey in ((network.walk, 2 if towards and network.ride is not None else 0), (network.ride, 1)):
        if ways is None:
            continue
        standing = stand(ways, ways.by_piece, network, joins.place, joins.edge, joins.share, ground)
        place, vertex, ticks = reach_ends(ways.by_piece, standing, away=not towards)
        found.append((place, vertex + storey * count, ticks))
    place, vertex, ticks = (np.concatenate(parts) for parts in zip(*found, strict=True))
    vertices = max(3 * count, 1)
    key, ticks = least_by_key(place * vertices + vertex, ticks)
    place, vertex = (v.astype("int32") for v in (key // vertices, key % vertices))
    return place, vertex, ticks.astype("int32"), np.searchsorted(place, np.arange(len(joined.ids) + 1))


def _by_hierarchy(walk: Ways, ride: Ways | None, origins: Joined, destinations: Joined) -> np.ndarray:
    kernels = loops()
    from layout.hierarchy import many_to_many, relay

    leave, arrive = origins.leaving, destinations.arriving
    if ride is None:
        best = many_to_many(walk.weighted, leave[1], arrive[1])
        on_chains = [(walk, leave[0], arrive[0])]
    else:
        # the very ways of the network are kept, those without the 20 km/h rule are asked for once
        kept = ride is origins.network.ride
        board = origins.boarding if kept else _ready(ride, origins, away=True)
        alight = destinations.alighting if kept else _ready(ride, destinations, away=False)
        best = relay(walk.weighted, ride.weighted, (leave[1], arrive[1]), (board[1], alight[1]))
        on_chains = [(walk, leave[0], arrive[0]), (ride, board[0], alight[0])]
    for ways, a, b in on_chains:
        sums = ways.weighted
        kernels.along(
            a.place, a.strand, a.at, a.ahead, a.behind, a.low, a.high, a.ground, b.by_strand, b.place, b.at, b.ahead, b.behind, b.low, b.high,
            b.ground, sums.shut_ahead, sums.shut_behind, best,
        )  # fmt: skip
    return best


def _by_scipy(walk: Ways, ride: Ways | None, origins: Joins, destinations: Joins, network: Network, limit: int) -> np.ndarray:
    """Search over walking, riding and walking as three storeys of one graph (or the one storey of walking)."""
    count, sizes = network.topology.vertices, (len(origins.ids), len(destinations.ids))
    best = np.full(sizes, NEVER, "int64")
    begins, ends = [], []
    for storey, ways in enumerate((walk,) if ride is None else (walk, ride)):
        strands = ways.by_piece
        a = stand(ways, strands, network, origins.place, origins.edge, origins.share, ground_ticks(network, origins.out))
        b = stand(ways, strands, network, destinations.place, destinations.edge, destinations.share, ground_ticks(network, destinations.back))
        _along(strands, a, b, best)
        place, vertex, ticks = reach_ends(strands, a, away=True)
        begins.append((place, vertex + storey * count, ticks))
        place, vertex, ticks = reach_ends(strands, b, away=False)
        # the last storey is that of walking again
        ends.append((place, vertex + (2 * count if ride is not None and storey == 0 else storey * count), ticks))
    arcs = storeys(walk, ride)
    size = arcs.shape[0]
    (from_place, from_vertex, from_ticks), (to_place, to_vertex, to_ticks) = (
        _least_pairs(np.concatenate([p[0] for p in part]), np.concatenate([p[1] for p in part]), np.concatenate([p[2] for p in part]), size)
        for part in (begins, ends)
    )
    # the search starts from the side with fewer places; from the destinations it runs against the arrows
    if sizes[1] <= sizes[0]:
        found = _swept(csr_array(arcs.T.tocsr()), (to_place, to_vertex, to_ticks), sizes[1], (from_place, from_vertex, from_ticks), sizes[0], limit).T
    else:
        found = _swept(arcs, (from_place, from_vertex, from_ticks), sizes[0], (to_place, to_vertex, to_ticks), sizes[1], limit)
    return np.minimum(best, found).astype("int32")


def _least_pairs(place: np.ndarray, vertex: np.ndarray, ticks: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    key, ticks = least_by_key(place * size + vertex, ticks)
    return key // size, key % size, ticks


def _swept(
    arcs: csr_array, begin: tuple[np.ndarray, np.ndarray, np.ndarray], count: int, finish: tuple[np.ndarray, np.ndarray, np.ndarray], finishes: int,
    limit: int,
) -> np.ndarray:  # fmt: skip
    size = arcs.shape[0]
    whole = with_sources(arcs, *begin, count)
    best = np.full((count, finishes), NEVER, "int64")
    if not len(finish[0]):
        return best
    first = np.flatnonzero(np.append(True, finish[0][1:] != finish[0][:-1]))
    places = finish[0][first]
    chunk = max(1, _CHUNK_ENTRIES // max(size + count, len(finish[0])))
    for low in range(0, count, chunk):
        rows = np.arange(low, min(low + chunk, count))
        distance = np.minimum(dijkstra(whole, indices=size + rows, limit=float(limit)), NEVER)
        total = distance[:, finish[1]] + finish[2][None, :]
        best[rows[:, None], places[None, :]] = np.minimum(np.minimum.reduceat(total, first, axis=1), NEVER)
    return best


def _along(strands: Strands, a: Standing, b: Standing, best: np.ndarray) -> None:
    """Lower best to the ticks between places on one strand, without passing its ends."""
    low, high = b.by_strand[a.strand], b.by_strand[a.strand + 1]
    counts = high - low
    i = np.repeat(np.arange(len(counts)), counts)
    j = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    ahead = (a.at[i] <= b.at[j]) & (strands.shut_ahead[np.maximum(b.high[j], a.low[i])] == strands.shut_ahead[a.low[i]])
    behind = (a.at[i] >= b.at[j]) & (strands.shut_behind[np.maximum(a.high[i], b.low[j])] == strands.shut_behind[b.low[j]])
    ticks = (
        np.minimum(np.where(ahead, b.ahead[j] - a.ahead[i], NEVER), np.where(behind, a.behind[i] - b.behind[j], NEVER)) + a.ground[i] + b.ground[j]
    )
    np.minimum.at(best, (a.place[i], b.place[j]), np.minimum(ticks, NEVER))


def _straight(origins: Joined, destinations: Joined, best: np.ndarray) -> np.ndarray:
    """Lower best to the ticks straight across open ground between places within the radius of each other."""
    network, a, b = origins.network, origins.joins, destinations.joins
    if not best.size:
        return best
    radius, pace = network.join_radius_m, network.ground_pace * 0.06
    # nothing is quicker than level ground, or the best of slopes
    least = pace / network.best_slope
    if worth_compiling(0, 0):
        kernels = loops()

        i, j = kernels.near(a.x, a.y, b.x, b.y, np.argsort(b.x, kind="stable"), radius, least, best)
    else:
        i, j = shapely.STRtree(shapely.points(b.x, b.y)).query(shapely.points(a.x, a.y), predicate="dwithin", distance=radius)
        nearer = np.hypot(a.x[i] - b.x[j], a.y[i] - b.y[j]) * least < best[i, j]
        i, j = i[nearer], j[nearer]
        order = np.lexsort((j, i))
        i, j = i[order], j[order]
    if len(i):
        out, _ = ground_minutes(network.ground, i, a.x, a.y, b.x[j], b.y[j])
        best[i, j] = np.minimum(best[i, j], ground_ticks(network, out))
    return best
