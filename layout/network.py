"""Roads prepared for travelling: the minutes of every edge and direction for one mode, band and season."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_array

from layout.barriers import Ground, make_ground
from layout.hierarchy import Skeleton
from layout.open_ground import BEST_SLOPE
from layout.pace import MODES, MOTORWAYS, RULES, SEASONS, TICKS, Ways, packed_arcs, ride_ways, storeys, walk_ways
from layout.relief import Relief, make_relief
from layout.road_edges import complete_edges
from layout.road_edits import EditedRoads, RoadEdits, apply_edits
from layout.roads import Roads
from layout.standards import Standards, read_standards
from layout.tables import BANDS
from layout.terrain import Terrain
from layout.topology import Topology, make_topology, piece_at


@dataclass(frozen=True)
class Corners:
    """Corners of lines.

    Parameters
    ----------
    xy
        Their places, line after line.
    first
        Where the corners of each line begin; one longer than there are lines.
    share
        Shares of the line's length before them.
    """

    xy: np.ndarray
    first: np.ndarray
    share: np.ndarray


@dataclass(frozen=True)
class Network:
    """Roads prepared for one mode, band and season.

    Parameters
    ----------
    mode, band, season, level_kph
        What it was prepared for; ``level_kph`` is the walking speed on level ground.
    crs
        Metric coordinate system.
    roads, closed, edit_kph
        The roads with what edits added; of every edge whether it is closed, and a speed that an edit gave it (else NaN).
    skeleton, relief
        How they hang together, and the ground under them: the same for every mode, band and season.
    ground
        What lies off the road.
    walk
        Ticks on foot.
    ride, ride_uncapped
        Ticks by vehicle, None on foot; ``ride_uncapped`` without the 20 km/h rule, None but for a bus.
    standards
        The figures it rests on.
    """

    mode: str
    band: str
    season: str
    level_kph: float
    crs: str
    roads: Roads
    closed: np.ndarray
    edit_kph: np.ndarray
    skeleton: Skeleton
    relief: Relief
    ground: Ground
    walk: Ways
    ride: Ways | None
    ride_uncapped: Ways | None
    standards: Standards

    @property
    def topology(self) -> Topology:
        """Return vertices and pieces."""
        return self.skeleton.topology

    @property
    def join_radius_m(self) -> float:
        """Return the radius within which a place is joined."""
        return self.standards["travel.join_radius"]

    @property
    def ground_pace(self) -> float:
        """Return ticks for what takes a minute at 1 km/h: off road and path the speed is a share of that on the road."""
        season = 1.0 if self.season == "dry" else self.standards[f"walk.season.{self.season}"]
        return TICKS / (self.level_kph * self.standards["walk.off_path_factor"] * season)

    @property
    def best_slope(self) -> float:
        """Return the most that a slope can speed up walking."""
        return 1.0 if self.ground.terrain is None else BEST_SLOPE

    @property
    def fixed_minutes(self) -> float:
        """Return the minutes once a trip: wait and stops of a bus."""
        return self.standards["bus.wait"] + self.standards["bus.stops"] if self.mode == "bus" else 0.0

    @functools.cached_property
    def arcs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the storeys of :func:`layout.pace.storeys` as :func:`layout.pace.packed_arcs`."""
        return packed_arcs(storeys(self.walk, self.ride))

    @functools.cached_property
    def arcs_back(self) -> tuple[np.ndarray, np.ndarray]:
        """Return :attr:`arcs` turned round."""
        return packed_arcs(csr_array(storeys(self.walk, self.ride).T.tocsr()) if self.ride is not None else self.walk.arcs_back)

    @functools.cached_property
    def shapes(self) -> np.ndarray:
        """Return what a place is joined to on every edge; None on one that is closed or of no use on foot or by vehicle."""
        edges = self.roads.edges
        return join_shapes(edges, (edges["walk"] | edges["drive"] | edges["bus"]).to_numpy(bool) & ~self.closed)

    @functools.cached_property
    def corners(self) -> Corners:
        """Return the corners of all lines."""
        xy, of = shapely.get_coordinates(self.roads.edges.geometry.to_numpy(), return_index=True)
        first = np.searchsorted(of, np.arange(len(self.roads.edges) + 1))
        run = np.append(0.0, np.cumsum(np.hypot(*np.diff(xy, axis=0).T) * (of[1:] == of[:-1]))) if len(xy) else np.zeros(0)
        run = run - run[first[:-1]][of]
        whole = run[first[1:] - 1][of]
        return Corners(xy, first, np.divide(run, whole, out=np.zeros(len(run)), where=whole > 0))

    @functools.cached_property
    def ends_only(self) -> np.ndarray:
        """Return for every edge whether it is met at its ends only."""
        return met_at_ends(self.roads.edges)

    @functools.cached_property
    def tree(self) -> shapely.STRtree:
        """Return the index of :attr:`shapes`."""
        return shapely.STRtree(self.shapes)

    def piece_at(self, edge: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Return the piece of the topology that holds a point of an edge."""
        return piece_at(self.topology, edge, share)


def prepare_network(
    roads: Roads,
    *,
    mode: str = "walk",
    band: str = "lower",
    level_kph: float | None = None,
    terrain: Terrain | None = None,
    standards: Standards | None = None,
    edits: RoadEdits | None = None,
    season: str = "dry",
    obstacles: gpd.GeoDataFrame | None = None,
) -> Network:
    """Turn roads into minutes by edge and direction.

    Walking: Tobler's function on the edge's own profile, looked up every 30 m on terrain smoothed over 100 m; bridges and
    tunnels are straight between their ends. Bus: the least of class speed, posted limit, 80 km/h on motorways, 60
    elsewhere and 20 where the road is narrow, steep or bends sharply, times the detour; children walk to any road that a
    bus may use, and from it. Week: as the bus without detour, wait and stops. Drive: class speed or posted limit,
    whichever is less; who drives walks to the road.

    Parameters
    ----------
    roads
        The roads.
    mode
        ``walk``, ``bus``, ``drive`` or ``week``.
    band
        Grade band, which decides the walking speed.
    level_kph
        Walking speed on the level in km/h; None takes that of the band from the standards.
    terrain
        Elevation; None counts as flat.
    standards
        None reads the standards as they ship.
    edits
        Roads added, closed or given another speed.
    season
        ``dry``, ``rain`` (fords closed, unpaved roads muddy) or ``ice``.
    obstacles
        Lines and areas that nobody crosses off the road: water, cliffs, walls.

    Returns
    -------
    Network
        For one mode; :func:`reweigh` makes another of it without preparing the roads again.

    Raises
    ------
    ValueError
        If mode, band or season is not known, the speed not positive, an edge ends in no node, or lengths are not those of
        the lines in metres, as where roads in degrees are taken for metres.

    References
    ----------
    Tobler, W. (1993). Three presentations on geographical analysis and modeling. NCGIA technical report 93-1.
    校车安全管理条例 (国务院令第617号) 第三十五条.

    Examples
    --------
    >>> float(prepare_network(paper.roads, level_kph=5).walk.minutes[1])
    12.0
    """
    rules = read_standards() if standards is None else standards
    whole = Roads(roads.nodes, complete_edges(roads.edges), roads.crs, roads.source)
    _check_lengths(whole.edges)
    edited = apply_edits(whole, RoadEdits() if edits is None else edits)
    skeleton = Skeleton(make_topology(edited.roads, cuts=edited.cuts, links=edited.links))
    relief = make_relief(edited.roads.edges, terrain)
    ground = make_ground(terrain, obstacles, roads.crs)
    return _weighed(edited, skeleton, relief, ground, rules, mode, band, level_kph, season)


def reweigh(
    network: Network, *, mode: str | None = None, band: str | None = None, level_kph: float | None = None, season: str | None = None,
    standards: Standards | None = None,
) -> Network:  # fmt: skip
    """Give a prepared network the minutes of another mode, band, season or speed.

    Parameters
    ----------
    network
        From :func:`prepare_network`; left as it is.
    mode, band, season
        None keeps what it has.
    level_kph
        Walking speed on the level in km/h; None takes that of the band.
    standards
        None keeps those it has.

    Returns
    -------
    Network
        The same roads, order and ground under new minutes.

    Raises
    ------
    ValueError
        As in :func:`prepare_network`.

    Examples
    --------
    >>> walk = prepare_network(paper.roads, level_kph=5)
    >>> reweigh(walk, mode="drive").topology is walk.topology
    True
    """
    edited = EditedRoads(network.roads, {}, (), network.closed, network.edit_kph)
    return _weighed(
        edited, network.skeleton, network.relief, network.ground, network.standards if standards is None else standards,
        mode or network.mode, band or network.band, level_kph, season or network.season,
    )  # fmt: skip


def network_of(
    roads: Roads | Network,
    mode: str | None = None,
    band: str | None = None,
    level_kph: float | None = None,
    terrain: Terrain | None = None,
    standards: Standards | None = None,
) -> Network:
    """Return roads prepared, or a prepared network with the minutes asked for.

    Parameters
    ----------
    roads
        Roads or network.
    mode, band
        ``walk`` and ``lower`` where None and roads are given; those of the network otherwise.
    level_kph, terrain, standards
        As in :func:`prepare_network`; the terrain of a network is that it was prepared with.

    Returns
    -------
    Network
        The very one given where nothing else is asked for.

    Raises
    ------
    ValueError
        If another terrain is given with a network, and as in :func:`prepare_network`.

    Examples
    --------
    >>> network = network_of(paper.roads, mode="bus")
    >>> network_of(network) is network, network_of(network, mode="walk").mode
    (True, 'walk')
    """
    if isinstance(roads, Network):
        if terrain is not None and terrain is not roads.ground.terrain:
            raise ValueError("a prepared network has its own terrain")
        kept = mode in (None, roads.mode) and band in (None, roads.band) and level_kph is None and standards in (None, roads.standards)
        return roads if kept else reweigh(roads, mode=mode, band=band, level_kph=level_kph, standards=standards)
    return prepare_network(roads, mode=mode or "walk", band=band or "lower", level_kph=level_kph, terrain=terrain, standards=standards)


def edge_minutes(network: Network) -> pd.DataFrame:
    """Say what every usable edge takes and why.

    Parameters
    ----------
    network
        Prepared for any mode.

    Returns
    -------
    pandas.DataFrame
        Keyed by ``edge_id``: ``highway``, ``length_m``, ``minutes`` along and ``minutes_back`` against the line (NaN where
        closed), and for vehicles ``rule``: what decided the speed of the longest part (``class``, ``posted``, ``edit``,
        ``motorway_max``, ``other_max``, ``season``, ``narrow``, ``steep``, ``bend``), ``capped_m``: metres at 20 km/h by
        rule, and ``width_unknown``: no width is known, so nothing says that it is narrow.

    Examples
    --------
    >>> edges = edge_minutes(prepare_network(paper.roads, mode="bus"))
    >>> round(edges.minutes[0], 2), edges.rule[0]
    (np.float64(1.95), 'class')
    """
    ways = network.walk if network.ride is None else network.ride
    edges, relief = network.roads.edges, network.relief
    last = relief.first[1:] - 1
    table = pd.DataFrame(
        {
            "edge_id": edges["edge_id"].to_numpy("int64"), "highway": edges["highway"].to_numpy(object),
            "length_m": edges["length_m"].to_numpy(float),
            "minutes": np.where(ways.shut, np.nan, ways.minutes[last]), "minutes_back": np.where(ways.shut_back, np.nan, ways.minutes_back[last]),
        }
    )  # fmt: skip
    if len(ways.rule):
        of, many = relief.step_edge, len(RULES)
        metres = np.bincount(of * many + ways.rule, relief.step_m, minlength=len(edges) * many).reshape(-1, many)
        table["rule"] = np.array(RULES, object)[metres.argmax(axis=1)]
        table["capped_m"] = metres[:, RULES.index("season") :].sum(axis=1)
        table["width_unknown"] = edges["width_m"].isna().to_numpy()
    return table[~(ways.shut & ways.shut_back)].astype({"highway": "str"}).sort_values("edge_id", ignore_index=True)


def met_at_ends(edges: gpd.GeoDataFrame) -> np.ndarray:
    """Say on which edges nobody gets on between the ends.

    Parameters
    ----------
    edges
        ``Roads.edges``.

    Returns
    -------
    numpy.ndarray
        True for bridges, tunnels and ferries.

    Examples
    --------
    >>> met_at_ends(paper.roads.edges).any()
    np.False_
    """
    return (edges["bridge"] | edges["tunnel"] | (edges["highway"] == "ferry")).to_numpy(bool)


def join_shapes(edges: gpd.GeoDataFrame, usable: np.ndarray) -> np.ndarray:
    """Return what a place is joined to on every edge.

    Parameters
    ----------
    edges
        ``Roads.edges``.
    usable
        Which of them count.

    Returns
    -------
    numpy.ndarray
        The line; both ends as a MultiPoint where nobody gets on between them; None where nobody gets on at all: motorways
        and what is not usable.

    Examples
    --------
    >>> join_shapes(paper.roads.edges, np.ones(10, bool))[0].geom_type
    'LineString'
    """
    shapes = edges.geometry.to_numpy().astype(object)
    for i in np.flatnonzero(met_at_ends(edges)):
        shapes[i] = shapely.MultiPoint([shapes[i].coords[0], shapes[i].coords[-1]])
    shapes[edges["highway"].isin(MOTORWAYS).to_numpy(bool) | ~usable] = None
    return shapes


def _check_lengths(edges: gpd.GeoDataFrame) -> None:
    told, drawn = edges["length_m"].to_numpy(float), shapely.length(edges.geometry.to_numpy())
    if not np.isfinite(told).all() or (told < 0).any():
        raise ValueError("every edge needs a length_m of at least 0")
    # a zone that stretches lengths by a few in a thousand, or lengths along the slope, are no fault
    if len(edges) and not told.sum() / 1.5 <= drawn.sum() <= told.sum() * 1.5:
        raise ValueError(
            f"edges are {told.sum():,.0f} m long by their length_m and {drawn.sum():,.0f} m by their lines: are the coordinates degrees, "
            "or of another system?"
        )


def closed_nodes(roads: Roads, column: str) -> np.ndarray:
    """Return for every node whether it is closed.

    Parameters
    ----------
    roads
        The roads.
    column
        ``walk_closed`` or ``drive_closed``; a table without it has no closed nodes.

    Returns
    -------
    numpy.ndarray
        bool.

    Examples
    --------
    >>> closed_nodes(paper.roads, "drive_closed").any()
    np.False_
    """
    return roads.nodes[column].to_numpy(bool) if column in roads.nodes else np.zeros(len(roads.nodes), bool)


def _weighed(
    edited: EditedRoads, skeleton: Skeleton, relief: Relief, ground: Ground, rules: Standards, mode: str, band: str, level_kph: float | None,
    season: str,
) -> Network:  # fmt: skip
    if mode not in MODES or band not in BANDS:
        raise ValueError(f"mode must be one of {', '.join(MODES)} and band one of {', '.join(BANDS)}, not {mode!r}, {band!r}")
    if season not in SEASONS:
        raise ValueError(f"season must be one of {', '.join(SEASONS)}, not {season!r}")
    kph = rules[f"walk.speed.{band}"] if level_kph is None else float(level_kph)
    if not (kph > 0 and math.isfinite(kph)):
        raise ValueError(f"level_kph must be above 0, not {level_kph}")
    roads, edges = edited.roads, edited.roads.edges
    walk = walk_ways(edges, relief, skeleton, closed_nodes(roads, "walk_closed"), kph=kph, rules=rules, season=season, closed=edited.closed)
    riding: Mapping[bool, Ways | None] = {True: None, False: None}
    if mode != "walk":
        shut = closed_nodes(roads, "drive_closed")
        riding = {
            hazard: ride_ways(
                edges, relief, skeleton, shut, mode=mode, rules=rules, season=season, hazard=hazard, closed=edited.closed, kph=edited.kph
            )
            if hazard or mode == "bus" else None
            for hazard in (True, False)
        }  # fmt: skip
    return Network(
        mode=mode, band=band, season=season, level_kph=kph, crs=roads.crs, roads=roads, closed=edited.closed, edit_kph=edited.kph, skeleton=skeleton,
        relief=relief, ground=ground, walk=walk, ride=riding[True], ride_uncapped=riding[False], standards=rules,
    )  # fmt: skip
