"""Roads and places become minutes: on foot, by school bus, driving, and the boarder's weekly trip."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layout.joins import read_places
from layout.network import Network, join_shapes, network_of
from layout.pace import NEVER, TICKS
from layout.reach import is_towards, labels_of_each, last_storey, nearest_labels
from layout.road_edges import complete_edges
from layout.roads import Roads
from layout.search import Joined, join_places, least_ticks, to_minutes
from layout.standards import Standards
from layout.tables import check
from layout.terrain import Terrain

# minutes are kept to this many decimals: six milliseconds are more than anybody knows
_DECIMALS = 4


@dataclass(frozen=True)
class TravelMatrix:
    """Minutes between places as arrays.

    Parameters
    ----------
    origins, destinations
        The places, joined to the network.
    minutes
        Towards the destination, float32, origins x destinations; infinite where unreachable.
    limit
        Minutes beyond which a pair counts as unreachable.
    """

    origins: Joined
    destinations: Joined
    minutes: np.ndarray
    limit: float

    @property
    def from_ids(self) -> tuple[str, ...]:
        """Return the ids of the rows, in the order given."""
        return self.origins.ids

    @property
    def to_ids(self) -> tuple[str, ...]:
        """Return the ids of the columns, in the order given."""
        return self.destinations.ids

    @property
    def mode(self) -> str:
        """Return the mode of the network."""
        return self.origins.network.mode

    @property
    def band(self) -> str:
        """Return the grade band of the network."""
        return self.origins.network.band

    @functools.cached_property
    def minutes_back(self) -> np.ndarray:
        """Return the minutes on the way back, shaped like ``minutes``; they are looked for when first asked for."""
        ticks, fixed, most = _search(self.destinations, self.origins, self.limit, often=True)
        return np.ascontiguousarray(to_minutes(ticks, fixed, most).T)

    def to_times(self) -> pd.DataFrame:
        """Return the pairs that can be travelled both ways as table ``times``, sorted; ids, mode and band are categoricals."""
        return _long(self.origins, self.destinations, self.limit, often=True)


def travel_matrix(
    network: Network, origins: gpd.GeoDataFrame | Joined, destinations: gpd.GeoDataFrame | Joined, *, limit: float | None = None
) -> TravelMatrix:
    """Return minutes from all origins to all destinations as an array.

    Parameters
    ----------
    network
        From :func:`layout.prepare_network`.
    origins, destinations
        Points in any coordinate system; ids from a column ``id``, else ``settlement_id`` or ``school_id``, else the index.
        Places that :func:`join_places` has joined need not be looked up again.
    limit
        Minutes beyond which a pair counts as unreachable; None searches everything up to 59 hours.

    Returns
    -------
    TravelMatrix
        Float32 minutes, infinite where unreachable. Large matrices are searched in compiled loops, which take some seconds
        to compile the first time on a machine; the answers are the same.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> travel_matrix(network, paper.settlements, paper.schools).minutes.tolist()
    [[15.0, 70.0], [5.0, 60.0], [10.0, 45.0], [45.0, 10.0], [75.0, 20.0]]
    """
    a, b = join_places(network, origins), join_places(network, destinations)
    most = math.inf if limit is None else float(limit)
    # who prepares a network asks it more than once
    ticks, fixed, most_ticks = _search(a, b, most, often=True)
    return TravelMatrix(a, b, to_minutes(ticks, fixed, most_ticks), most)


def travel_times(
    roads: Roads | Network,
    origins: gpd.GeoDataFrame | Joined,
    destinations: gpd.GeoDataFrame | Joined,
    *,
    mode: str | None = None,
    band: str | None = None,
    level_kph: float | None = None,
    terrain: Terrain | None = None,
    limit: float | None = None,
    standards: Standards | None = None,
) -> pd.DataFrame:
    """Return minutes from every origin to every destination, and back.

    A place is joined, at true minutes across open ground, to the nearest point of every usable edge within
    ``travel.join_radius``; places within that radius of each other may also go straight, and two places on one edge along it.

    Parameters
    ----------
    roads
        The roads; or a prepared network, which is given the minutes asked for.
    mode, band
        ``walk`` and ``lower`` where None and roads are given; those of the network otherwise.
    level_kph, terrain, standards
        As in :func:`layout.prepare_network`; the terrain of a network is that it was prepared with.
    origins, destinations
        As in :func:`travel_matrix`.
    limit
        Minutes beyond which a pair has no row; None takes ``travel.daily_max``, for ``week`` twice ``travel.limit.week``.

    Returns
    -------
    pandas.DataFrame
        Table ``times``, sorted by its key. A pair has a row where both directions are within the limit.
        ``minutes_uncapped`` (bus only) is the way to school without the 20 km/h rule.

    Raises
    ------
    ValueError
        If mode, band or speed are not valid, or places are not points with unique ids and a coordinate system.

    Examples
    --------
    >>> times = travel_times(paper.roads, paper.settlements, paper.schools, band="lower")
    >>> times[["from_id", "to_id", "minutes"]].head(2).values.tolist()
    [['A', 'S1', 27.7778], ['B', 'S1', 9.2593]]
    """
    network = network_of(roads, mode, band, level_kph, terrain, standards)
    a, b = join_places(network, origins), join_places(network, destinations)
    return _times(a, b, default_limit(network.mode, network.standards) if limit is None else float(limit))


def default_limit(mode: str, standards: Standards) -> float:
    """Return the minutes beyond which a pair has no row.

    Parameters
    ----------
    mode
        ``walk``, ``bus``, ``drive`` or ``week``.
    standards
        The figures in force.

    Returns
    -------
    float
        ``travel.daily_max``; for ``week`` twice ``travel.limit.week``.

    Examples
    --------
    >>> default_limit("walk", layout.read_standards()), default_limit("week", layout.read_standards())
    (120.0, 240.0)
    """
    return 2 * standards["travel.limit.week"] if mode == "week" else standards["travel.daily_max"]


def nearest(
    roads: Roads | Network,
    origins: gpd.GeoDataFrame | Joined,
    destinations: gpd.GeoDataFrame | Joined,
    *,
    k: int = 1,
    mode: str | None = None,
    band: str | None = None,
    terrain: Terrain | None = None,
    level_kph: float | None = None,
    limit: float | None = None,
    standards: Standards | None = None,
) -> pd.DataFrame:
    """Return the k nearest destinations of every origin by minutes towards them.

    Parameters
    ----------
    roads, origins, destinations, mode, band, terrain, level_kph, limit, standards
        As in :func:`travel_times`.
    k
        How many destinations an origin keeps.

    Returns
    -------
    pandas.DataFrame
        Table ``times`` with ``rank`` from 1; ties go to the lower id; an origin that reaches nothing has no row.

    Raises
    ------
    ValueError
        If ``k`` is below 1.

    Examples
    --------
    >>> nearest(paper.roads, paper.settlements, paper.schools).to_id.tolist()
    ['S1', 'S1', 'S1', 'S2', 'S2']
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    times = travel_times(roads, origins, destinations, mode=mode, band=band, level_kph=level_kph, terrain=terrain, limit=limit, standards=standards)
    times = times.sort_values(["from_id", "minutes", "to_id"], kind="stable")
    times["rank"] = times.groupby("from_id", sort=False).cumcount().to_numpy("int64") + 1
    return check("times", times[times["rank"] <= k])


def nearest_by_node(network: Network, places: gpd.GeoDataFrame | Joined, *, direction: str = "towards", limit: float | None = None) -> pd.DataFrame:
    """Return for every node of the roads the nearest place.

    Parameters
    ----------
    network
        From :func:`layout.prepare_network`.
    places
        As in :func:`travel_matrix`.
    direction
        ``towards`` the place or ``from`` it.
    limit
        Minutes beyond which a node has no row; None looks everywhere.

    Returns
    -------
    pandas.DataFrame
        Keyed by ``node_id``: ``place_id``, ``minutes``. Ties go to the place that comes first; unreachable nodes have no row.

    Raises
    ------
    ValueError
        If the direction is not known.

    Examples
    --------
    >>> found = nearest_by_node(layout.prepare_network(paper.roads, level_kph=6), paper.schools)
    >>> found.head(2).values.tolist()
    [[0, 'S1', 15.0], [1, 'S1', 5.0]]
    """
    towards = is_towards(direction)
    joined = join_places(network, places)
    label, owner = nearest_labels(network, joined, towards=towards, limit=_most(network, limit))
    first = last_storey(network, towards=towards)
    # cuts and copies around gates are no nodes
    at = np.flatnonzero(owner[first : first + len(network.topology.node_id)] >= 0)
    ids = np.asarray(joined.ids, dtype=object)
    minutes = label[first + at] / TICKS + network.fixed_minutes
    return pd.DataFrame({"node_id": network.topology.node_id[at], "place_id": ids[owner[first + at]], "minutes": minutes}).astype({"place_id": "str"})


def nodes_within(network: Network, places: gpd.GeoDataFrame | Joined, minutes: float, *, direction: str = "towards") -> pd.DataFrame:
    """Return the nodes of the roads within some minutes of each place.

    Parameters
    ----------
    network
        From :func:`layout.prepare_network`.
    places
        As in :func:`travel_matrix`.
    minutes
        How far, in minutes.
    direction
        ``towards`` the place or ``from`` it.

    Returns
    -------
    pandas.DataFrame
        Keyed by ``place_id``, ``node_id``: ``minutes``; places in their order, nodes by minutes. A place that reaches no node
        has no row.

    Raises
    ------
    ValueError
        If the direction is not known.

    Examples
    --------
    >>> nodes_within(layout.prepare_network(paper.roads, level_kph=6), paper.schools, 5).values.tolist()
    [['S1', 1, 5.0], ['S1', 2, 5.0], ['S2', 7, 0.0]]
    """
    towards = is_towards(direction)
    joined = join_places(network, places)
    place, vertex, ticks = labels_of_each(network, joined, towards=towards, limit=_most(network, minutes))
    vertex = vertex - last_storey(network, towards=towards)
    # cuts and copies around gates are no nodes
    known = (vertex >= 0) & (vertex < len(network.topology.node_id))
    ids = np.asarray(joined.ids, dtype=object)
    took = ticks[known] / TICKS + network.fixed_minutes
    return pd.DataFrame({"place_id": ids[place[known]], "node_id": network.topology.node_id[vertex[known]], "minutes": took}).astype(
        {"place_id": "str"}
    )


def unjoined(roads: Roads, places: gpd.GeoDataFrame, *, standards: Standards, mode: str = "walk") -> pd.DataFrame:
    """List the places farther from any usable road than the radius of joining.

    Parameters
    ----------
    roads
        The roads.
    places
        Points, as in :func:`travel_matrix`.
    standards
        ``travel.join_radius``.
    mode
        Roads of which mode count.

    Returns
    -------
    pandas.DataFrame
        ``id``, ``distance_m`` (infinite where there is no road at all), sorted by id; no rows where every place is joined.

    Examples
    --------
    >>> len(unjoined(paper.roads, paper.settlements, standards=layout.read_standards()))
    0
    """
    found = snap(roads, places, mode=mode)
    far = found[~(found["distance_m"] <= standards["travel.join_radius"])]
    return far[["id", "distance_m"]].sort_values("id", ignore_index=True)


def snap(roads: Roads, places: gpd.GeoDataFrame, *, mode: str = "walk") -> gpd.GeoDataFrame:
    """Return the nearest point of a usable road to every place.

    Parameters
    ----------
    roads
        The roads.
    places
        Points, as in :func:`travel_matrix`.
    mode
        Roads of which mode count; motorways never do, nor do bridges, tunnels and ferries between their ends.

    Returns
    -------
    geopandas.GeoDataFrame
        One row a place, in their order: ``id``, ``edge_id`` (-1 where there is no road), ``distance_m`` (then infinite),
        ``geometry`` (then the place itself).

    Examples
    --------
    >>> snap(paper.roads, paper.settlements).distance_m.max()
    np.float64(0.0)
    """
    ids, x, y = read_places(places, roads.crs)
    edges = complete_edges(roads.edges)
    usable = {"walk": edges["walk"], "drive": edges["drive"], "bus": edges["bus"]}.get(mode, edges["walk"] | edges["drive"])
    shapes = join_shapes(edges, usable.to_numpy(bool))
    points = shapely.points(x, y)
    edge, distance, met = np.full(len(ids), -1), np.full(len(ids), np.inf), points.copy()
    if (~shapely.is_missing(shapes)).any() and len(ids):
        found, metres = shapely.STRtree(shapes).query_nearest(points, return_distance=True, all_matches=False)
        edge[found[0]], distance[found[0]] = edges["edge_id"].to_numpy("int64")[found[1]], metres
        met[found[0]] = shapely.get_point(shapely.shortest_line(shapes[found[1]], points[found[0]]), 0)
    return gpd.GeoDataFrame({"id": pd.Series(ids, dtype="str"), "edge_id": edge, "distance_m": distance}, geometry=met, crs=roads.crs)


def _most(network: Network, minutes: float | None) -> int:
    """Return the most ticks within so many minutes, what is spent once a trip taken off."""
    if minutes is None or minutes == math.inf:
        return NEVER - 1
    if not minutes >= 0:
        raise ValueError(f"minutes must be at least 0, not {minutes}")
    return min(NEVER - 1, math.floor((minutes - network.fixed_minutes) * TICKS))


def _search(a: Joined, b: Joined, limit: float, *, uncapped: bool = False, often: bool = False) -> tuple[np.ndarray, int, int]:
    """Return ticks between places, the ticks once a trip besides, and the most that is within the limit."""
    if not limit >= 0:
        raise ValueError(f"limit must be at least 0, not {limit}")
    fixed = round(a.network.fixed_minutes * TICKS)
    # what rounds to the limit is within it
    most = min(NEVER - 1, math.floor((limit + 0.5 * 10**-_DECIMALS) * TICKS) - fixed if math.isfinite(limit) else NEVER - 1)
    return least_ticks(a, b, limit=most, uncapped=uncapped, often=often), fixed, most


def _long(a: Joined, b: Joined, limit: float, *, often: bool) -> pd.DataFrame:
    """Return table ``times`` in order of its key, ids, mode and band as categoricals: no sorting, no looking at every cell."""
    orders = [np.array(sorted(range(len(p.ids)), key=p.ids.__getitem__), "int64") for p in (a, b)]
    (there, fixed, most), (back, _, _) = _search(a, b, limit, often=often), _search(b, a, limit, often=often)
    back = back.T
    free = _search(a, b, limit, uncapped=True, often=often)[0] if a.network.ride_uncapped is not None else None
    if any((order[1:] < order[:-1]).any() for order in orders):
        at = np.ix_(*orders)
        there, back, free = there[at], back[at], None if free is None else free[at]
    known = (there <= most) & (back <= most)
    i, j = np.nonzero(known)
    columns: dict[str, object] = {}
    for name, codes, places, order in (("from_id", i, a, orders[0]), ("to_id", j, b, orders[1])):
        columns[name] = pd.Categorical.from_codes(codes, pd.Index([places.ids[k] for k in order], dtype="str"))
    nothing = np.zeros(len(i), "int8")
    columns |= {n: pd.Categorical.from_codes(nothing, pd.Index([v], dtype="str")) for n, v in (("mode", a.network.mode), ("band", a.network.band))}
    for name, ticks in (("minutes", there), ("minutes_back", back), ("minutes_uncapped", free)):
        columns[name] = np.nan if ticks is None else _rounded(ticks[known], fixed)
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(i)))
    return frame.astype({"minutes_uncapped": float})


def _rounded(ticks: np.ndarray, fixed: int) -> np.ndarray:
    return np.round((ticks + np.int64(fixed)) / TICKS, _DECIMALS)


def _times(a: Joined, b: Joined, limit: float) -> pd.DataFrame:
    return check("times", _long(a, b, limit, often=False).astype(dict.fromkeys(("from_id", "to_id", "mode", "band"), "str")))
