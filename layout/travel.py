"""Roads and places become minutes: on foot, by school bus, driving, and the boarder's weekly trip."""

from __future__ import annotations

import math
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from layout.network import STEP_M, Arcs, Costs, Network, join_shapes, least_of_pairs, prepare_network, smooth_surface, usable_edges
from layout.roads import Roads
from layout.standards import Standards, read_standards
from layout.tables import check
from layout.terrain import Terrain, elevation_at, tobler_factor, transformer

# points whose elevation is looked up in one go, and entries of a table of distances held at once: bounds on memory
_CHUNK_POINTS = 2_000_000
_CHUNK_ENTRIES = 12_000_000
# minutes are kept to this many decimals, so that the order of additions cannot show
_DECIMALS = 4


@dataclass(frozen=True)
class TravelMatrix:
    """Minutes between places as arrays.

    Parameters
    ----------
    from_ids, to_ids
        Ids of the rows and columns, in the order given.
    minutes, minutes_back
        Towards the destination and on the way back, float32, origins x destinations; infinite where unreachable.
    mode, band
        Of the network.
    """

    from_ids: tuple[str, ...]
    to_ids: tuple[str, ...]
    minutes: np.ndarray
    minutes_back: np.ndarray
    mode: str
    band: str

    def to_times(self) -> pd.DataFrame:
        """Return the pairs that can be travelled both ways as table ``times``."""
        return _times((self.from_ids, self.to_ids), self.minutes, self.minutes_back, None, self.mode, self.band)


@dataclass(frozen=True)
class _Places:
    """Points with ids, in the metric coordinate system."""

    ids: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class _Joins:
    """Where places meet edges: place, edge, share of its length, minutes to it and back across open ground."""

    place: np.ndarray
    edge: np.ndarray
    share: np.ndarray
    out: np.ndarray
    back: np.ndarray
    count: int


def travel_matrix(network: Network, origins: gpd.GeoDataFrame, destinations: gpd.GeoDataFrame, *, limit: float | None = None) -> TravelMatrix:
    """Return minutes between all origins and destinations as arrays.

    Parameters
    ----------
    network
        From :func:`prepare_network`.
    origins, destinations
        Points in any coordinate system; ids from a column ``id``, else ``settlement_id`` or ``school_id``, else the index.
    limit
        Minutes beyond which a pair counts as unreachable; None searches everything.

    Returns
    -------
    TravelMatrix
        Float32 minutes both ways, infinite where unreachable.

    Examples
    --------
    >>> network = prepare_network(paper.roads, level_kph=6)
    >>> travel_matrix(network, paper.settlements, paper.schools).minutes.tolist()
    [[15.0, 70.0], [5.0, 60.0], [10.0, 45.0], [45.0, 10.0], [75.0, 20.0]]
    """
    a, b = _places(origins, network.crs), _places(destinations, network.crs)
    there, back, _ = _both_ways(network, a, b, math.inf if limit is None else float(limit))
    return TravelMatrix(a.ids, b.ids, there.astype("float32"), back.astype("float32"), network.mode, network.band)


def travel_times(
    roads: Roads,
    origins: gpd.GeoDataFrame,
    destinations: gpd.GeoDataFrame,
    *,
    mode: str = "walk",
    band: str = "lower",
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
    roads, mode, band, level_kph, terrain, standards
        As in :func:`prepare_network`.
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
    rules = read_standards() if standards is None else standards
    network = prepare_network(roads, mode=mode, band=band, level_kph=level_kph, terrain=terrain, standards=rules)
    a, b = _places(origins, network.crs), _places(destinations, network.crs)
    there, back, uncapped = _both_ways(network, a, b, default_limit(mode, rules) if limit is None else float(limit))
    return _times((a.ids, b.ids), there, back, uncapped, mode, band)


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
    >>> default_limit("walk", read_standards()), default_limit("week", read_standards())
    (120.0, 240.0)
    """
    return 2 * standards["travel.limit.week"] if mode == "week" else standards["travel.daily_max"]


def nearest(
    roads: Roads,
    origins: gpd.GeoDataFrame,
    destinations: gpd.GeoDataFrame,
    *,
    k: int = 1,
    mode: str = "walk",
    band: str = "lower",
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
    >>> len(unjoined(paper.roads, paper.settlements, standards=read_standards()))
    0
    """
    points = _places(places, roads.crs)
    shapes = join_shapes(usable_edges(roads, mode))
    distance = np.full(len(points.ids), np.inf)
    shapes = shapes[~shapely.is_missing(shapes)]
    if len(shapes) and len(distance):
        where = shapely.points(points.x, points.y)
        found, metres = shapely.STRtree(shapes).query_nearest(where, return_distance=True, all_matches=False)
        distance[found[0]] = metres
    far = distance > standards["travel.join_radius"]
    frame = pd.DataFrame({"id": np.asarray(points.ids, dtype=object), "distance_m": distance}).astype({"id": "str"})
    return frame[far].sort_values("id", ignore_index=True)


def _places(frame: gpd.GeoDataFrame, crs: str) -> _Places:
    if not isinstance(frame, gpd.GeoDataFrame) or frame.crs is None:
        raise ValueError("places must be a GeoDataFrame with a coordinate system")
    if not (frame.geom_type == "Point").all() or frame.geometry.is_empty.any():
        raise ValueError("places must all be points")
    column = next((c for c in ("id", "settlement_id", "school_id") if c in frame), None)
    ids = tuple(str(i) for i in (frame.index if column is None else frame[column]))
    if len(set(ids)) < len(ids):
        raise ValueError("ids of places must be unique")
    points = frame.geometry.to_crs(crs)
    return _Places(ids, points.x.to_numpy(float), points.y.to_numpy(float))


def _both_ways(network: Network, a: _Places, b: _Places, limit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return minutes from a to b, from b to a (both shaped a x b) and, for a bus, from a to b without the 20 km/h rule."""
    # what rounds to the limit is within it
    moving = limit - network.fixed_minutes + 0.5 * 10**-_DECIMALS
    ground = None
    if network.terrain is not None and len(a.ids) + len(b.ids):
        reach = np.array([-network.join_radius_m, network.join_radius_m])
        x, y = np.concatenate([a.x, b.x])[:, None] + reach, np.concatenate([a.y, b.y])[:, None] + reach
        ground = smooth_surface(network.terrain, x, y, network.crs)
    from_a, from_b = _joins(network, a, ground, moving), _joins(network, b, ground, moving)
    there, back = _straight(network, a, b, ground)
    results = [
        _minutes(network, network.costs, from_a, from_b, there, moving),
        _minutes(network, network.costs, from_b, from_a, back.T, moving).T,
    ]
    if network.uncapped is not None:
        results.append(_minutes(network, network.uncapped, from_a, from_b, there, moving))
    results = [np.where(m > moving, np.inf, m + network.fixed_minutes) for m in results]
    return results[0], results[1], results[2] if len(results) > 2 else None


def _joins(network: Network, places: _Places, ground: Terrain | None, limit: float) -> _Joins:
    points = shapely.points(places.x, places.y)
    tree = shapely.STRtree(network.shapes)
    place, edge = tree.query(points, predicate="dwithin", distance=network.join_radius_m)
    ends_only = shapely.get_type_id(network.shapes[edge]) == 4 if len(edge) else np.zeros(0, bool)
    share = np.zeros(len(edge))
    share[~ends_only] = shapely.line_locate_point(network.lines[edge[~ends_only]], points[place[~ends_only]], normalized=True)
    # an edge that is met at its ends only is met at both
    place, edge = np.append(place, place[ends_only]), np.append(edge, edge[ends_only])
    share = np.append(share, np.ones(ends_only.sum()))
    met = shapely.line_interpolate_point(network.lines[edge], share, normalized=True)
    x, y = shapely.get_x(met), shapely.get_y(met)
    near = np.hypot(x - places.x[place], y - places.y[place]) <= network.join_radius_m * (1 + 1e-9)
    place, edge, share, x, y = place[near], edge[near], share[near], x[near], y[near]
    out, back = _open_ground(network, ground, places.x[place], places.y[place], x, y)
    kept = np.fmin(out, back) <= limit
    return _Joins(place[kept], edge[kept], share[kept], out[kept], back[kept], len(places.ids))


def _straight(network: Network, a: _Places, b: _Places, ground: Terrain | None) -> tuple[np.ndarray, np.ndarray]:
    there = np.full((len(a.ids), len(b.ids)), np.inf)
    back = there.copy()
    if there.size:
        tree = shapely.STRtree(shapely.points(b.x, b.y))
        i, j = tree.query(shapely.points(a.x, a.y), predicate="dwithin", distance=network.join_radius_m)
        there[i, j], back[i, j] = _open_ground(network, ground, a.x[i], a.y[i], b.x[j], b.y[j])
    return there, back


def _open_ground(
    network: Network, ground: Terrain | None, x1: np.ndarray, y1: np.ndarray, x2: np.ndarray, y2: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return minutes on foot straight across open ground from the first points to the second, and back."""
    distance = np.hypot(x2 - x1, y2 - y1)
    level = distance / 1000 / network.off_road_kph * 60
    if ground is None or not ground.elevation.size or not len(distance):
        return level, level.copy()
    to_ground = transformer(network.crs, ground.crs)
    # over so short a way a line that is straight in one coordinate system is straight in the other
    (x1, y1), (x2, y2) = to_ground.transform(x1, y1), to_ground.transform(x2, y2)
    pieces = np.maximum(1, np.round(distance / STEP_M)).astype("int64")
    out, back = np.empty(len(distance)), np.empty(len(distance))
    bounds = np.searchsorted(np.cumsum(pieces + 1), np.arange(0, (pieces + 1).sum(), _CHUNK_POINTS))
    for low, high in zip(bounds, [*bounds[1:], len(distance)], strict=True):
        part = slice(low, high)
        n = pieces[part]
        line = np.repeat(np.arange(len(n)), n + 1)
        first = np.cumsum(n + 1) - (n + 1)
        share = (np.arange(len(line)) - first[line]) / n[line]
        x, y = x1[part][line] + share * (x2 - x1)[part][line], y1[part][line] + share * (y2 - y1)[part][line]
        height = elevation_at(ground, x, y, crs=ground.crs)
        inner = np.flatnonzero(line[:-1] == line[1:])
        of = line[inner]
        run = (distance[part] / n)[of]
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = (height[inner + 1] - height[inner]) / run
        slope = np.where(np.isfinite(slope), slope, 0.0)
        for result, way in ((out, slope), (back, -slope)):
            result[part] = level[part] / n * np.bincount(of, 1 / tobler_factor(way), minlength=len(n))
    return out, back


def _minutes(network: Network, costs: Costs, a: _Joins, b: _Joins, straight: np.ndarray, limit: float) -> np.ndarray:
    """Return the least minutes from places a to places b: by the road network, along one edge, or straight."""
    best = np.minimum(straight, _along_one_edge(network, costs, a, b))
    if not best.size or not len(a.place) or not len(b.place):
        return best
    # from a place to the ends of an edge, and from the ends of an edge to a place
    leave = _to_ends(network, costs, a, a.out, away=True)
    arrive = _to_ends(network, costs, b, b.back, away=False)
    # the search starts from the side with fewer places; from the destinations it runs against the arrows
    if b.count <= a.count:
        return np.minimum(best, _sweep(costs.graph.T.tocsr(), arrive, b.count, leave, a.count, limit).T)
    return np.minimum(best, _sweep(costs.graph, leave, a.count, arrive, b.count, limit))


def _to_ends(network: Network, costs: Costs, joins: _Joins, ground: np.ndarray, *, away: bool) -> Arcs:
    """Return place, node and least minutes from the place to the node (away) or the other way."""
    along, against = _part(network, costs, joins)
    shut_along, shut_against = np.isinf(costs.total_along[joins.edge]), np.isinf(costs.total_against[joins.edge])
    rest_along, rest_against = costs.total_along[joins.edge] - along, costs.total_against[joins.edge] - against
    to_start, to_end = (against, rest_along) if away else (along, rest_against)
    shut_start, shut_end = (shut_against, shut_along) if away else (shut_along, shut_against)
    # who meets an edge at its very end is at the node, whichever way is open
    to_start = np.where(joins.share == 0, 0.0, np.where(shut_start, np.inf, to_start))
    to_end = np.where(joins.share == 1, 0.0, np.where(shut_end, np.inf, to_end))
    nodes = np.concatenate([network.start[joins.edge], network.end[joins.edge]])
    return least_of_pairs(np.tile(joins.place, 2), nodes, np.concatenate([ground + to_start, ground + to_end]), len(network.node_id))


def _part(network: Network, costs: Costs, joins: _Joins) -> tuple[np.ndarray, np.ndarray]:
    """Return minutes from the start of the edge to the point where it is met, and back; a closed way as if it took none."""
    at = 2.0 * joins.edge + joins.share
    if not len(at):
        return at, at
    along, against = (np.interp(at, network.profile, np.where(np.isinf(way), 0.0, way)) for way in (costs.along, costs.against))
    return along, against


def _along_one_edge(network: Network, costs: Costs, a: _Joins, b: _Joins) -> np.ndarray:
    """Return the least minutes between places that meet one edge, walking along it without passing its ends."""
    best = np.full((a.count, b.count), np.inf)
    order_a, order_b = np.argsort(a.edge, kind="stable"), np.argsort(b.edge, kind="stable")
    (along_a, against_a), (along_b, against_b) = _part(network, costs, a), _part(network, costs, b)
    both = np.intersect1d(a.edge, b.edge)
    bounds = [np.searchsorted(edges[order], both, side=side)  # type: ignore[call-overload]
              for edges, order in ((a.edge, order_a), (b.edge, order_b)) for side in ("left", "right")]  # fmt: skip
    for edge, low_a, high_a, low_b, high_b in zip(both, *bounds, strict=True):
        i, j = order_a[low_a:high_a, None], order_b[None, low_b:high_b]
        along, against = along_b[j] - along_a[i], against_a[i] - against_b[j]
        ahead, behind = a.share[i] < b.share[j], a.share[i] > b.share[j]
        # met at one and the same point it does not matter which way is open
        along = np.where(behind | (ahead & np.isinf(costs.total_along[edge])), np.inf, along)
        against = np.where(ahead | (behind & np.isinf(costs.total_against[edge])), np.inf, against)
        # a place meets both ends of a bridge, so one pair may come twice
        np.minimum.at(best, (a.place[i], b.place[j]), a.out[i] + np.minimum(along, against) + b.back[j])
    return best


def _sweep(graph: csr_array, begin: Arcs, count: int, finish: Arcs, finishes: int, limit: float) -> np.ndarray:
    """Return the least minutes from each of count places over the graph to each of the finishing places."""
    nodes = graph.shape[0]
    links = graph.tocoo()
    source, target = np.concatenate([links.row, nodes + begin[0]]), np.concatenate([links.col, begin[1]])
    minutes = np.concatenate([links.data, begin[2]])
    whole = csr_array((minutes, (source.astype("int32"), target.astype("int32"))), shape=(nodes + count, nodes + count))
    best = np.full((count, finishes), np.inf)
    if not len(finish[0]):
        return best
    first = np.flatnonzero(np.concatenate([[True], finish[0][1:] != finish[0][:-1]]))
    places = finish[0][first]
    chunk = max(1, _CHUNK_ENTRIES // max(nodes + count, len(finish[0])))
    for low in range(0, count, chunk):
        rows = np.arange(low, min(low + chunk, count))
        distance = dijkstra(whole, directed=True, indices=nodes + rows, limit=limit)
        total = distance[:, finish[1]] + finish[2][None, :]
        best[rows[:, None], places[None, :]] = np.minimum.reduceat(total, first, axis=1)
    return best


def _times(
    ids: tuple[tuple[str, ...], tuple[str, ...]], there: np.ndarray, back: np.ndarray, uncapped: np.ndarray | None,
    mode: str, band: str,
) -> pd.DataFrame:  # fmt: skip
    i, j = np.nonzero(np.isfinite(there) & np.isfinite(back))
    frame = pd.DataFrame({
        "from_id": np.asarray(ids[0], dtype=object)[i], "to_id": np.asarray(ids[1], dtype=object)[j], "mode": mode, "band": band,
        "minutes": np.round(there[i, j].astype(float), _DECIMALS), "minutes_back": np.round(back[i, j].astype(float), _DECIMALS),
        "minutes_uncapped": np.nan if uncapped is None else np.round(uncapped[i, j], _DECIMALS),
    })  # fmt: skip
    return check("times", frame.astype({"from_id": "str", "to_id": "str"}))
