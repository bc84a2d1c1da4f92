"""Roads prepared for travelling: minutes of every edge in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse import csr_array

from layout.roads import Roads
from layout.standards import Standards, read_standards
from layout.tables import BANDS
from layout.terrain import Terrain, clip_terrain, elevation_at, smooth_terrain, tobler_factor

# source, target and minutes, one entry an arc
Arcs = tuple[np.ndarray, np.ndarray, np.ndarray]
MODES = ("walk", "bus", "drive", "week")
# km/h that a car really makes by highway class on ordinary ground, below limits and design speeds: the defaults of the car
# profile of OSRM (github.com/Project-OSRM/osrm-backend, profiles/car.lua); ``road`` (class unknown) as a service road
CLASS_KPH = MappingProxyType({
    "motorway": 90.0, "motorway_link": 45.0, "trunk": 85.0, "trunk_link": 40.0, "primary": 65.0, "primary_link": 30.0,
    "secondary": 55.0, "secondary_link": 25.0, "tertiary": 40.0, "tertiary_link": 20.0, "unclassified": 25.0,
    "residential": 25.0, "living_street": 10.0, "service": 15.0, "road": 15.0, "ferry": 5.0,
})  # fmt: skip
_MOTORWAYS = ("motorway", "motorway_link")
# ground is looked at this often along a line, about one cell of a 30 m terrain
STEP_M = 30.0
# noise of a radar terrain evens out over this width
_SMOOTH_M = 100.0


@dataclass(frozen=True)
class Costs:
    """Minutes of every edge in both directions.

    Parameters
    ----------
    along
        Minutes from the start of the edge to each of its profile points; NaN-free, infinite where that way is closed.
    against
        Minutes from each profile point back to the start, likewise.
    total_along, total_against
        Minutes of the whole edge.
    graph
        Least minutes between nodes, row to column.
    """

    along: np.ndarray
    against: np.ndarray
    total_along: np.ndarray
    total_against: np.ndarray
    graph: csr_array


@dataclass(frozen=True)
class Network:
    """Roads prepared for one mode and band: minutes of every edge and direction.

    Parameters
    ----------
    mode, band, crs
        What it was prepared for, and the metric coordinate system.
    node_id
        Ids of the nodes, sorted.
    edge_id, start, end, lines
        Of the usable edges: id, positions of their ends in ``node_id``, geometry.
    shapes
        What a place is joined to: the line, or only its ends where nobody can get on between them (bridge, tunnel, ferry);
        None where nobody can get on at all (motorway).
    profile
        Twice the position of the edge plus the share of its length, for every profile point; rising.
    costs, uncapped
        Minutes; ``uncapped`` without the 20 km/h rule of school buses, None for other modes.
    off_road_kph, join_radius_m, fixed_minutes
        Level speed across open ground, radius of joining, minutes once a trip (wait and stops of a bus).
    terrain
        Elevation, or None for flat ground.
    segments, flat_segments
        Pieces of profiles, and how many of them count as flat because the terrain has no value there.
    """

    mode: str
    band: str
    crs: str
    node_id: np.ndarray
    edge_id: np.ndarray
    start: np.ndarray
    end: np.ndarray
    lines: np.ndarray
    shapes: np.ndarray
    profile: np.ndarray
    costs: Costs
    uncapped: Costs | None
    off_road_kph: float
    join_radius_m: float
    fixed_minutes: float
    terrain: Terrain | None
    segments: int
    flat_segments: int


def prepare_network(
    roads: Roads,
    *,
    mode: str = "walk",
    band: str = "lower",
    level_kph: float | None = None,
    terrain: Terrain | None = None,
    standards: Standards | None = None,
) -> Network:
    """Turn roads into minutes by edge and direction.

    Walking: Tobler's function on the edge's own profile, looked up every 30 m on terrain smoothed over 100 m; bridges and
    tunnels are straight between their ends. Bus: the least of class speed, posted limit, 80 km/h on motorways, 60
    elsewhere and 20 where steep or narrow, times the detour; or on foot where that is quicker. Week: as the bus without
    detour, wait and stops. Drive: class speed or posted limit, whichever is less.

    Parameters
    ----------
    roads
        The roads.
    mode
        ``walk``, ``bus``, ``drive`` or ``week``.
    band
        Grade band, which decides the walking speed.
    level_kph
        Walking speed on the level; None takes that of the band from the standards.
    terrain
        Elevation; None counts as flat.
    standards
        None reads the standards as they ship.

    Returns
    -------
    Network
        Minutes of every usable edge and direction.

    Raises
    ------
    ValueError
        If mode or band is not known, the speed not positive, or an edge ends in no node.

    References
    ----------
    Tobler, W. (1993). Three presentations on geographical analysis and modeling. NCGIA technical report 93-1.
    校车安全管理条例 (国务院令第617号) 第三十五条.

    Examples
    --------
    >>> prepare_network(paper.roads, level_kph=5).costs.total_along[0]
    np.float64(12.0)
    """
    if mode not in MODES or band not in BANDS:
        raise ValueError(f"mode must be one of {', '.join(MODES)} and band one of {', '.join(BANDS)}, not {mode!r}, {band!r}")
    rules = read_standards() if standards is None else standards
    kph = rules[f"walk.speed.{band}"] if level_kph is None else float(level_kph)
    if not kph > 0:
        raise ValueError(f"level_kph must be above 0, not {level_kph}")
    edges = usable_edges(roads, mode)
    node_id = roads.nodes.node_id.to_numpy("int64")
    if not np.isin(edges[["from_node", "to_node"]].to_numpy("int64"), node_id).all():
        raise ValueError("every edge must end in nodes of the roads")
    start, end = np.searchsorted(node_id, edges.from_node), np.searchsorted(node_id, edges.to_node)
    edge, share, slope, known = _profiles(edges, roads.crs, terrain)
    first = np.flatnonzero(edge[:-1] == edge[1:])
    of = edge[first]
    step = (share[first + 1] - share[first]) * edges.length_m.to_numpy(float)[of]
    walked = _walk_minutes(edges, of, step, slope, kph) if mode != "drive" else None
    ridden = _ride_minutes(edges, of, step, slope, mode, rules, hazard=True) if mode != "walk" else None
    costs = _costs(len(node_id), start, end, edge, _least(walked, ridden))
    uncapped = None
    if mode == "bus":
        free = _ride_minutes(edges, of, step, slope, mode, rules, hazard=False)
        uncapped = _costs(len(node_id), start, end, edge, _least(walked, free))
    return Network(
        mode=mode, band=band, crs=roads.crs, node_id=node_id, edge_id=edges.edge_id.to_numpy("int64"), start=start, end=end,
        lines=edges.geometry.to_numpy(), shapes=join_shapes(edges), profile=2.0 * edge + share, costs=costs, uncapped=uncapped,
        off_road_kph=kph * rules["walk.off_path_factor"], join_radius_m=rules["travel.join_radius"],
        fixed_minutes=rules["bus.wait"] + rules["bus.stops"] if mode == "bus" else 0.0,
        terrain=terrain, segments=len(of), flat_segments=int((~known).sum()),
    )  # fmt: skip


def usable_edges(roads: Roads, mode: str) -> gpd.GeoDataFrame:
    """Return the edges that can be used in a mode: on foot, driving, or (bus, week) either.

    Parameters
    ----------
    roads
        The roads.
    mode
        ``walk``, ``bus``, ``drive`` or ``week``.

    Returns
    -------
    geopandas.GeoDataFrame
        Rows of ``roads.edges``.

    Examples
    --------
    >>> len(usable_edges(paper.roads, "walk"))
    10
    """
    edges = roads.edges
    usable = {"walk": edges.walk, "drive": edges.drive}.get(mode, edges.walk | edges.drive)
    return edges[usable.to_numpy(bool)]


def smooth_surface(terrain: Terrain, x: np.ndarray, y: np.ndarray, crs: str) -> Terrain:
    """Return the smoothed ground around points, as roads and open ground are walked on it.

    Parameters
    ----------
    terrain
        Elevation.
    x, y
        At least one point, in ``crs``.
    crs
        Coordinate system of the points.

    Returns
    -------
    Terrain
        So much ground that the smoothing at none of the points meets the border of the part; without a cell where the
        terrain does not meet the points.

    Examples
    --------
    >>> plain = Terrain(np.full((99, 99), 7, "float32"), 0, 2970, 30, 30, "EPSG:4545")
    >>> smooth_surface(plain, np.array([1500.0]), np.array([1500.0]), "EPSG:4545").elevation.shape
    (22, 22)
    """
    around = 3 * _SMOOTH_M
    part = clip_terrain(terrain, (x.min() - around, y.min() - around, x.max() + around, y.max() + around), crs=crs)
    return smooth_terrain(part, width_m=_SMOOTH_M) if part.elevation.size else part


def join_shapes(edges: gpd.GeoDataFrame) -> np.ndarray:
    """Return what a place is joined to on every edge.

    Parameters
    ----------
    edges
        Rows of ``Roads.edges``.

    Returns
    -------
    numpy.ndarray
        The line; both ends as a MultiPoint where nobody gets on between them (bridge, tunnel, ferry); None where nobody
        gets on at all (motorway).

    Examples
    --------
    >>> join_shapes(paper.roads.edges)[0].geom_type
    'LineString'
    """
    shapes = edges.geometry.to_numpy().astype(object)
    ends_only = (edges.bridge | edges.tunnel | (edges.highway == "ferry")).to_numpy(bool)
    for i in np.flatnonzero(ends_only):
        shapes[i] = shapely.MultiPoint([shapes[i].coords[0], shapes[i].coords[-1]])
    shapes[edges.highway.isin(_MOTORWAYS).to_numpy(bool)] = None
    return shapes


def least_of_pairs(source: np.ndarray, target: np.ndarray, minutes: np.ndarray, columns: int) -> Arcs:
    """Keep the least minutes of every pair.

    Parameters
    ----------
    source, target
        Positions; targets below ``columns``.
    minutes
        Of each; what is not finite is dropped.
    columns
        Number of possible targets.

    Returns
    -------
    tuple of numpy.ndarray
        Source, target and least minutes, one a pair, sorted by source and target.

    Examples
    --------
    >>> [v.tolist() for v in least_of_pairs(np.array([1, 0, 1]), np.array([2, 0, 2]), np.array([5.0, 7.0, 4.0]), 3)]
    [[0, 1], [0, 2], [7.0, 4.0]]
    """
    known = np.isfinite(minutes)
    key, minutes = source[known].astype("int64") * columns + target[known], minutes[known]
    if not len(key):
        return key, key, minutes
    order = np.argsort(key, kind="stable")
    key, minutes = key[order], minutes[order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    return key[first] // columns, key[first] % columns, np.minimum.reduceat(minutes, first)


def _profiles(edges: gpd.GeoDataFrame, crs: str, terrain: Terrain | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return edge and share of length of every profile point; slope and whether it is known of every piece between two."""
    length = edges.length_m.to_numpy(float)
    pieces = np.maximum(1, np.round(length / STEP_M)).astype("int64")
    ferry = (edges.highway == "ferry").to_numpy(bool)
    pieces[(edges.bridge | edges.tunnel).to_numpy(bool) | ferry | (terrain is None)] = 1
    edge = np.repeat(np.arange(len(edges)), pieces + 1)
    nth = np.arange(len(edge)) - np.repeat(np.cumsum(pieces + 1) - (pieces + 1), pieces + 1)
    share = nth / np.repeat(pieces, pieces + 1)
    inner = np.flatnonzero(edge[:-1] == edge[1:])
    if terrain is None or not len(edges):
        return edge, share, np.zeros(len(inner)), np.ones(len(inner), bool)
    points = shapely.line_interpolate_point(edges.geometry.to_numpy()[edge], share, normalized=True)
    x, y = shapely.get_x(points), shapely.get_y(points)
    height = elevation_at(smooth_surface(terrain, x, y, crs), x, y, crs=crs)
    rise = height[inner + 1] - height[inner]
    run = (share[inner + 1] - share[inner]) * length[edge[inner]]
    # there is no slope on the water
    level = ferry[edge[inner]] | (run <= 0)
    known = np.isfinite(rise) | level
    slope = np.zeros(len(rise))
    np.divide(rise, run, out=slope, where=np.isfinite(rise) & ~level)
    return edge, share, slope, known


def _walk_minutes(edges: gpd.GeoDataFrame, of: np.ndarray, step: np.ndarray, slope: np.ndarray, kph: float) -> tuple[np.ndarray, np.ndarray]:
    closed = np.where(edges.walk.to_numpy(bool), 0.0, np.inf)[of]
    level = np.where((edges.highway == "ferry").to_numpy(bool), _class_kph(edges), kph)[of]
    minutes = step / 1000 / level * 60
    return minutes / tobler_factor(slope) + closed, minutes / tobler_factor(-slope) + closed


def _ride_minutes(
    edges: gpd.GeoDataFrame, of: np.ndarray, step: np.ndarray, slope: np.ndarray, mode: str, rules: Standards, *, hazard: bool
) -> tuple[np.ndarray, np.ndarray]:
    kph = _class_kph(edges)
    if mode != "drive":
        motorway = edges.highway.isin(_MOTORWAYS).to_numpy(bool)
        kph = np.minimum(kph, np.where(motorway, rules["bus.speed.motorway.max"], rules["bus.speed.other.max"]))
    speed = kph[of]
    if mode != "drive" and hazard:
        # an unknown width is not narrow
        narrow = ((edges.width_m < rules["bus.hazard.width"]) & (edges.oneway == 0)).to_numpy(bool)[of]
        steep = 100 * np.abs(slope) >= rules["bus.hazard.gradient"]
        speed = np.where(narrow | steep, np.minimum(speed, rules["bus.speed.hazard.max"]), speed)
    minutes = step / 1000 / speed * 60 * (rules["bus.detour"] if mode == "bus" else 1.0)
    drive, oneway = edges.drive.to_numpy(bool), edges.oneway.to_numpy()
    along, against = np.where(drive & (oneway >= 0), 0.0, np.inf)[of], np.where(drive & (oneway <= 0), 0.0, np.inf)[of]
    return minutes + along, minutes + against


def _class_kph(edges: gpd.GeoDataFrame) -> np.ndarray:
    # a class that is not in the table counts as unknown
    by_class = edges.highway.map(CLASS_KPH).fillna(CLASS_KPH["road"]).to_numpy(float)
    posted = edges.maxspeed_kph.to_numpy(float)
    # what a ferry makes is known better from its timetable than from its class
    ferry = (edges.highway == "ferry").to_numpy(bool) & np.isfinite(posted)
    return np.where(ferry, posted, np.fmin(by_class, posted))


def _least(walked: tuple[np.ndarray, np.ndarray] | None, ridden: tuple[np.ndarray, np.ndarray] | None) -> tuple[np.ndarray, np.ndarray]:
    ways = [w for w in (walked, ridden) if w is not None]
    return np.minimum.reduce([w[0] for w in ways]), np.minimum.reduce([w[1] for w in ways])


def _costs(nodes: int, start: np.ndarray, end: np.ndarray, edge: np.ndarray, minutes: tuple[np.ndarray, np.ndarray]) -> Costs:
    every = np.arange(len(start))
    first, last = np.searchsorted(edge, every, side="left"), np.searchsorted(edge, every, side="right") - 1
    second = np.flatnonzero(edge[:-1] == edge[1:]) + 1
    sums, totals = [], []
    for way in minutes:
        # running sums that begin anew with every edge; a way that is closed somewhere is closed as a whole
        shut = np.zeros(len(start), bool)
        shut[edge[second[np.isinf(way)]]] = True
        running = np.zeros(len(edge))
        running[second] = np.where(np.isinf(way), 0.0, way)
        running = np.cumsum(running)
        running = np.where(shut[edge], np.inf, running - running[first][edge])
        sums.append(running)
        totals.append(running[last])
    row, column, least = least_of_pairs(np.concatenate([start, end]), np.concatenate([end, start]), np.concatenate(totals), nodes)
    graph = csr_array((least, (row.astype("int32"), column.astype("int32"))), shape=(nodes, nodes))
    return Costs(sums[0], sums[1], totals[0], totals[1], graph)
