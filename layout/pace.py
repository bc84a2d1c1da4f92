"""What every edge takes: on foot by slope, by bus and car by class, limit and the 20 km/h rule, in whole ticks."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from types import MappingProxyType

import geopandas as gpd
import numpy as np
from scipy.sparse import block_array, csr_array

from layout.hierarchy import Skeleton, Weighted, weigh
from layout.relief import Relief, share_in_bends
from layout.standards import Standards
from layout.strands import Strands, chain_strands, piece_strands
from layout.terrain import tobler_factor
from layout.topology import NEVER, Topology

# minutes are summed as whole ticks of a fifth of a millisecond: sums of whole numbers are exact, so that every search
# engine, order and number of threads gives the very same answer
TICKS = 300_000
MODES = ("walk", "bus", "drive", "week")
SEASONS = ("dry", "rain", "ice")
# km/h that a car really makes by highway class on ordinary ground, below limits and design speeds: the defaults of the car
# profile of OSRM (github.com/Project-OSRM/osrm-backend, profiles/car.lua); ``road`` (class unknown) as a service road
CLASS_KPH = MappingProxyType({
    "motorway": 90.0, "motorway_link": 45.0, "trunk": 85.0, "trunk_link": 40.0, "primary": 65.0, "primary_link": 30.0,
    "secondary": 55.0, "secondary_link": 25.0, "tertiary": 40.0, "tertiary_link": 20.0, "unclassified": 25.0,
    "residential": 25.0, "living_street": 10.0, "service": 15.0, "road": 15.0, "ferry": 5.0,
})  # fmt: skip
MOTORWAYS = ("motorway", "motorway_link")
# what decided a speed, by number
RULES = ("class", "posted", "edit", "motorway_max", "other_max", "season", "narrow", "steep", "bend")
# surfaces that turn to mud in the rain, as the OSM wiki lists unpaved ones
_UNPAVED = frozenset({"unpaved", "dirt", "earth", "ground", "mud", "grass", "sand", "soil", "clay"})
# surfaces and tracks on which nobody walks as on a road
_ROUGH = frozenset({"mud", "sand", "rock", "boulders", "scree"})
_ROUGH_TRACKS = frozenset({"grade4", "grade5"})


@dataclass(frozen=True)
class Ways:
    """Minutes and ticks of every edge in both directions for one way of moving.

    Parameters
    ----------
    skeleton
        Vertices and pieces.
    axis
        Twice the row of the edge plus the share of its length, for every point of the profiles; rising.
    minutes, minutes_back
        At every such point: minutes from the start of the edge to it, and from it back to the start.
    shut, shut_back
        Of every edge: whether that way is closed.
    ticks, ticks_back
        Of every piece in both directions, :data:`NEVER` where closed.
    rule, rule_back
        Of every step of the profiles what decided the speed, as a position in :data:`RULES`; empty on foot.
    """

    skeleton: Skeleton
    axis: np.ndarray
    minutes: np.ndarray
    minutes_back: np.ndarray
    shut: np.ndarray
    shut_back: np.ndarray
    ticks: np.ndarray
    ticks_back: np.ndarray
    rule: np.ndarray
    rule_back: np.ndarray

    @property
    def topology(self) -> Topology:
        """Return vertices and pieces."""
        return self.skeleton.topology

    @functools.cached_property
    def weighted(self) -> Weighted:
        """Return the hierarchy with these ticks."""
        return weigh(self.skeleton.hierarchy, self.ticks, self.ticks_back)

    @functools.cached_property
    def by_piece(self) -> Strands:
        """Return sums of ticks along every piece."""
        return piece_strands(self.topology, self.ticks, self.ticks_back)

    @functools.cached_property
    def by_chain(self) -> Strands:
        """Return sums of ticks along the chains of the hierarchy."""
        return chain_strands(self.weighted)

    @functools.cached_property
    def arcs(self) -> csr_array:
        """Return the least ticks between neighbouring vertices, row to column, as whole numbers in floats; no closed ones."""
        tail, head = self.topology.tail, self.topology.head
        source, target, ticks = np.append(tail, head), np.append(head, tail), np.append(self.ticks, self.ticks_back)
        return least_arcs(source, target, ticks, self.topology.vertices)

    @functools.cached_property
    def arcs_back(self) -> csr_array:
        """Return the arcs turned round."""
        return csr_array(self.arcs.T.tocsr())


def least_arcs(source: np.ndarray, target: np.ndarray, ticks: np.ndarray, vertices: int) -> csr_array:
    """Return the least ticks of every pair of vertices as a sparse array.

    Parameters
    ----------
    source, target, ticks
        Arcs; those of :data:`NEVER` are dropped.
    vertices
        Number of vertices.

    Returns
    -------
    scipy.sparse.csr_array
        Whole numbers as float64, rows sorted; zeros are kept.

    Examples
    --------
    >>> least_arcs(np.array([0, 0]), np.array([1, 1]), np.array([5, 3]), 2).toarray().tolist()
    [[0.0, 3.0], [0.0, 0.0]]
    """
    known = (ticks < NEVER) & (source != target)
    key, ticks = source[known].astype("int64") * vertices + target[known], ticks[known]
    order = np.lexsort((ticks, key))
    key, ticks = key[order], ticks[order]
    first = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else key
    pointer = np.searchsorted(key[first], np.arange(vertices + 1) * vertices)
    columns = (key[first] % vertices).astype("int32") if vertices else key[first].astype("int32")
    return csr_array((ticks[first].astype(float), columns, pointer.astype("int32")), shape=(vertices, vertices))


def storeys(walk: Ways, ride: Ways | None) -> csr_array:
    """Return walking, riding and walking again as three storeys of one graph; without a vehicle the one storey of walking.

    Parameters
    ----------
    walk, ride
        Ways of one skeleton.

    Returns
    -------
    scipy.sparse.csr_array
        Ticks, row to column; at every vertex one may go up a storey for nothing.

    Examples
    --------
    >>> from layout.network import prepare_network
    >>> network = prepare_network(paper.roads, mode="drive")
    >>> storeys(network.walk, None).shape, storeys(network.walk, network.ride).shape
    ((11, 11), (33, 33))
    """
    if ride is None:
        return walk.arcs
    count = walk.topology.vertices
    change = csr_array((np.zeros(count), (np.arange(count), np.arange(count))), shape=(count, count))
    arcs = csr_array(block_array([[walk.arcs, change, None], [None, ride.arcs, change], [None, None, walk.arcs]], format="csr"))
    arcs.sort_indices()
    return arcs


def packed_arcs(arcs: csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Return arcs for compiled loops: pointers, and numbers that hold ticks and the vertex led to.

    Parameters
    ----------
    arcs
        Ticks, row to column.

    Returns
    -------
    tuple of numpy.ndarray
        int32 and int64: ticks times 2^32 plus the column.

    Examples
    --------
    >>> [v.tolist() for v in packed_arcs(least_arcs(np.array([0]), np.array([1]), np.array([2]), 2))]
    [[0, 1, 1], [8589934593]]
    """
    return arcs.indptr.astype("int32"), (arcs.data.astype("int64") << 32) | arcs.indices


def ticks_at(ways: Ways, edge: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ticks from the start of an edge to a point on it, and from there back, whether that way is closed or not.

    Parameters
    ----------
    ways
        Minutes of every edge.
    edge, share
        Rows of edges and shares of their length.

    Returns
    -------
    tuple of numpy.ndarray
        int64.

    Examples
    --------
    >>> from layout.network import prepare_network
    >>> network = prepare_network(paper.roads, level_kph=6)
    >>> [v.tolist() for v in ticks_at(network.walk, np.array([0]), np.array([0.5]))]
    [[1500000], [1500000]]
    """
    at = 2.0 * np.asarray(edge) + share
    if not len(at):
        return np.zeros(0, "int64"), np.zeros(0, "int64")
    return tuple(np.round(np.interp(at, ways.axis, way) * TICKS).astype("int64") for way in (ways.minutes, ways.minutes_back))  # type: ignore[return-value]


def walk_ways(
    edges: gpd.GeoDataFrame, relief: Relief, skeleton: Skeleton, closed_nodes: np.ndarray, *, kph: float, rules: Standards, season: str = "dry",
    closed: np.ndarray | None = None,
) -> Ways:  # fmt: skip
    """Return what the edges take on foot.

    Parameters
    ----------
    edges, relief, skeleton
        The roads.
    closed_nodes
        Of every node whether nobody on foot gets through.
    kph
        Walking speed on the level in km/h.
    rules
        Factors of stairs, rough tracks and seasons.
    season
        ``dry``, ``rain`` (fords closed) or ``ice``.
    closed
        Of every edge whether it is closed besides.

    Returns
    -------
    Ways
        By Tobler's function on every step of the profile.

    Examples
    --------
    >>> from layout.network import prepare_network
    >>> float(prepare_network(paper.roads, level_kph=5).walk.minutes[1])
    12.0
    """
    ferry = (edges["highway"] == "ferry").to_numpy(bool)
    factor = np.where(edges["steps"], rules["walk.steps_factor"], np.where(_rough(edges), rules["walk.rough_factor"], 1.0))
    if season != "dry":
        factor = factor * rules[f"walk.season.{season}"]
    level = np.where(ferry, class_kph(edges, edges["maxspeed_kph"].to_numpy(float)), kph * factor)
    of = relief.step_edge
    pace = relief.step_m / 1000 / level[of] * 60
    shut = ~edges["walk"].to_numpy(bool) | (np.zeros(len(edges), bool) if closed is None else closed)
    if season == "rain":
        shut = shut | edges["ford"].to_numpy(bool)
    sense = edges["oneway_foot"].to_numpy()
    return _ways(
        relief,
        skeleton,
        closed_nodes,
        (pace / tobler_factor(relief.slope), pace / tobler_factor(-relief.slope)),
        (shut | (sense < 0), shut | (sense > 0)),
    )


def ride_ways(
    edges: gpd.GeoDataFrame, relief: Relief, skeleton: Skeleton, closed_nodes: np.ndarray, *, mode: str, rules: Standards, season: str = "dry",
    hazard: bool = True, closed: np.ndarray | None = None, kph: np.ndarray | None = None,
) -> Ways:  # fmt: skip
    """Return what the edges take by bus or car.

    Parameters
    ----------
    edges, relief, skeleton
        The roads.
    closed_nodes
        Of every node whether no vehicle gets through.
    mode
        ``bus`` (times the detour), ``week`` (a bus without detour) or ``drive`` (a car, without the rules of buses).
    rules
        Speeds and thresholds.
    season
        ``dry``, ``rain`` (fords closed, mud on unpaved roads) or ``ice``; on mud and ice a bus makes 20 km/h.
    hazard
        Whether the 20 km/h rule counts.
    closed
        Of every edge whether it is closed besides.
    kph
        Of every edge a speed that stands for class and limit; NaN where there is none.

    Returns
    -------
    Ways
        The least of class speed, posted limit, 80 km/h on motorways and 60 elsewhere, and 20 where the road is narrow,
        steep or bends sharply, step by step.

    References
    ----------
    校车安全管理条例 (国务院令第617号) 第三十五条.

    Examples
    --------
    >>> from layout.network import prepare_network
    >>> float(prepare_network(paper.roads, mode="drive").ride.minutes[1])
    1.5
    """
    of = relief.step_edge
    bus = mode != "drive"
    backward = np.where(np.isfinite(edges["maxspeed_back_kph"]), edges["maxspeed_back_kph"], edges["maxspeed_kph"])
    kept = np.full(len(edges), np.nan) if kph is None else kph
    paces, rule = [], []
    for posted in (edges["maxspeed_kph"].to_numpy(float), backward.astype(float)):
        limit = zoned_kph(edges, posted, rules)
        speed = class_kph(edges, limit)
        why = np.where(np.isfinite(limit) & (speed >= limit), 1, 0)
        speed, why = np.where(np.isfinite(kept), kept, speed), np.where(np.isfinite(kept), 2, why)
        if bus:
            motorway = edges["highway"].isin(MOTORWAYS).to_numpy(bool)
            most = np.where(motorway, rules["bus.speed.motorway.max"], rules["bus.speed.other.max"])
            why, speed = np.where(speed > most, np.where(motorway, 3, 4), why), np.minimum(speed, most)
        if season != "dry":
            speed = speed * rules[f"drive.season.{season}"]
        step, code = speed[of], why[of]
        rest = step
        if bus and hazard:
            slow = rules["bus.speed.hazard.max"]
            narrow = ((edges["width_m"] < rules["bus.hazard.width"]) & (edges["oneway"] == 0)).to_numpy(bool)
            slippery = np.full(len(edges), season == "ice") | ((season == "rain") & edges["surface"].isin(_UNPAVED).to_numpy(bool))
            steep = 100 * np.abs(relief.slope) >= rules["bus.hazard.gradient"]
            for at, number in ((slippery[of], 5), (narrow[of], 6), (steep, 7)):
                code, step = np.where(at & (step > slow), number, code), np.where(at, np.minimum(step, slow), step)
            bend = share_in_bends(relief, len(edges), rules["bus.hazard.radius"])
            rest, code = step, np.where((bend > 0) & (step > slow), 8, code)
            pace = relief.step_m / 1000 * 60 * (bend / np.minimum(rest, slow) + (1 - bend) / rest)
        else:
            pace = relief.step_m / 1000 / rest * 60
        paces.append(pace * (rules["bus.detour"] if mode == "bus" else 1.0))
        rule.append(code.astype("int8"))
    shut = ~edges["bus" if bus else "drive"].to_numpy(bool) | (np.zeros(len(edges), bool) if closed is None else closed)
    if season == "rain":
        shut = shut | edges["ford"].to_numpy(bool)
    sense = edges["oneway_bus" if bus else "oneway"].to_numpy()
    return _ways(relief, skeleton, closed_nodes, (paces[0], paces[1]), (shut | (sense < 0), shut | (sense > 0)), (rule[0], rule[1]))


def class_kph(edges: gpd.GeoDataFrame, limit: np.ndarray) -> np.ndarray:
    """Return the lesser of class speed and limit; a ferry makes what its timetable says.

    Parameters
    ----------
    edges
        Their ``highway``; a class that is not in the table counts as unknown.
    limit
        km/h, NaN where none is known.

    Returns
    -------
    numpy.ndarray
        km/h.

    Examples
    --------
    >>> class_kph(paper.roads.edges.head(2), np.array([30.0, np.nan])).tolist()
    [30.0, 40.0]
    """
    by_class = edges["highway"].map(CLASS_KPH).fillna(CLASS_KPH["road"]).to_numpy(float)
    ferry = (edges["highway"] == "ferry").to_numpy(bool) & np.isfinite(limit)
    return np.where(ferry, limit, np.fmin(by_class, limit))


def zoned_kph(edges: gpd.GeoDataFrame, posted: np.ndarray, rules: Standards) -> np.ndarray:
    """Return posted limits, and where only a zone is known the limit of the zone.

    Parameters
    ----------
    edges
        Their ``speed_zone``, such as ``CN:urban``.
    posted
        km/h, NaN where none.
    rules
        ``road.limit.<zone>``; a zone that has no figure there is unknown.

    Returns
    -------
    numpy.ndarray
        km/h, NaN where nothing is known.

    Examples
    --------
    >>> from layout.roads import complete_edges
    >>> edges = complete_edges(paper.roads.edges).head(2).assign(speed_zone=["CN:urban", "XX:rural"])
    >>> zoned_kph(edges, np.full(2, np.nan), layout.read_standards()).tolist()
    [50.0, nan]
    """
    zones = edges["speed_zone"].to_numpy(object)
    known = {z: float(rules[f"road.limit.{z}"]) for z in sorted(set(zones)) if z and f"road.limit.{z}" in rules.rules}
    if not known:
        return posted
    return np.where(np.isnan(posted), [known.get(z, np.nan) for z in zones], posted)


def _rough(edges: gpd.GeoDataFrame) -> np.ndarray:
    return (edges["surface"].isin(_ROUGH) | edges["tracktype"].isin(_ROUGH_TRACKS)).to_numpy(bool)


def _ways(
    relief: Relief, skeleton: Skeleton, closed_nodes: np.ndarray, paces: tuple[np.ndarray, np.ndarray], shut: tuple[np.ndarray, np.ndarray],
    rule: tuple[np.ndarray, np.ndarray] | None = None,
) -> Ways:  # fmt: skip
    topology, count = skeleton.topology, len(relief.first) - 1
    of = np.repeat(np.arange(count), np.diff(relief.first))
    axis = 2.0 * of + relief.share
    second = np.delete(np.arange(len(of)), relief.first[:-1])
    sums = []
    for pace in paces:
        running = np.zeros(len(of))
        running[second] = pace
        running = np.cumsum(running)
        sums.append(running - running[relief.first[:-1]][of] if count else running)
    none = np.zeros(0, "int8")
    bare = Ways(skeleton, axis, sums[0], sums[1], shut[0], shut[1], none, none, *(rule or (none, none)))
    edge, own = topology.edge[: topology.pieces], slice(None, topology.pieces)
    at_high, at_low = ticks_at(bare, edge, topology.high[own]), ticks_at(bare, edge, topology.low[own])
    # links lie in one place; gates let through whom their node lets through
    open_ = np.zeros(len(topology.edge) - topology.pieces - len(topology.gate_node), "int64")
    gates = np.where(closed_nodes[topology.gate_node], NEVER, 0) if len(topology.gate_node) else np.zeros(0, "int64")
    ticks = [
        np.concatenate([np.where(way[edge], NEVER, np.minimum(high - low, NEVER - 1)), open_, gates])
        for way, high, low in zip(shut, at_high, at_low, strict=True)
    ]
    return Ways(skeleton, axis, sums[0], sums[1], shut[0], shut[1], ticks[0], ticks[1], bare.rule, bare.rule_back)
