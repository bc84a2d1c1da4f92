"""Where road data have gaps: places without a road, pieces apart, ends that stop just short of another road."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from layout.road_edges import complete_edges
from layout.roads import Roads
from layout.standards import Standards

#: Kinds of findings, in the order of the report.
GAPS = ("far_settlement", "isolated_piece", "open_end", "school_off_network")
#: Metres within which an end that meets nothing is suspicious: about the widest road with its verges and ditches, so an end
#: that was meant to meet the middle line but was drawn to the edge of the ground still counts, the next lane does not.
OPEN_END_M = 30.0
#: Times the gap that the way round on the roads must be before an end counts as open: less, and it is a spur whose root is there.
DETOUR = 4.0
# searches by this many ends at once keep the table of distances small
_CHUNK = 64
_MOTORWAYS = ("motorway", "motorway_link")
_COLUMNS = {"gap": "str", "id": "str", "other_id": "str", "distance_m": "float64", "length_m": "float64", "edges": "int64", "settlements": "int64",
            "x": "float64", "y": "float64"}  # fmt: skip


def road_gaps(roads: Roads, settlements: gpd.GeoDataFrame, schools: gpd.GeoDataFrame, standards: Standards) -> pd.DataFrame:
    """List what is likely to be missing or wrong in road data.

    Parameters
    ----------
    roads
        The roads.
    settlements, schools
        Tables of a county. A settlement known to have no ``persons`` is passed over.
    standards
        ``travel.join_radius``: beyond it a place is not joined to a road.

    Returns
    -------
    pandas.DataFrame
        One row a finding, sorted by its key (``gap``, ``id``), with ``other_id``, ``distance_m`` (metres, infinite where there
        is nothing at all), ``length_m`` (NaN for places), ``edges``, ``settlements`` (counts, 0 where they do not apply), ``x``,
        ``y`` in metres of the roads' system:

        ``far_settlement``, ``school_off_network``: id of the place, the nearest walkable edge, and how far it is.
        ``isolated_piece``: roads that are not connected with the longest connected piece, islands too: its lowest edge, the
        nearest edge of the main piece, the distance between both, its length, its number of edges, and how many settlements
        can be joined to it and to nothing else; the place is where it comes nearest.
        ``open_end``: a node where a single edge ends at most ``OPEN_END_M`` from another edge that is no bridge, tunnel,
        motorway or ferry, and from which the way there on the roads is more than ``DETOUR`` times as long: the node, the
        other edge, the gap, and the length of the edge that ends.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> road_gaps(paper.roads, paper.settlements, paper.schools, read_standards()).empty
    True
    """
    edges = complete_edges(roads.edges)
    edges = edges[(edges.walk | edges.drive | edges.bus).to_numpy(bool)].reset_index(drop=True)
    radius = standards["travel.join_radius"]
    peopled = settlements[~(settlements["persons"] <= 0)] if "persons" in settlements else settlements
    places = [
        _off_road("far_settlement", edges, peopled, "settlement_id", roads.crs, radius),
        _off_road("school_off_network", edges, schools, "school_id", roads.crs, radius),
    ]
    found = pd.concat([*places, _isolated(edges, peopled, roads.crs, radius), _open_ends(edges, roads)], ignore_index=True)
    return found.sort_values(["gap", "id"], ignore_index=True)


def _rows(gap: str, columns: dict[str, object], rows: int) -> pd.DataFrame:
    usual: dict[str, object] = {"other_id": "", "length_m": np.nan, "edges": 0, "settlements": 0}
    return pd.DataFrame({**usual, **columns, "gap": gap}, index=range(rows))[list(_COLUMNS)].astype(_COLUMNS)


def _join_shapes(edges: gpd.GeoDataFrame) -> np.ndarray:
    """Return what a place can be joined to on each edge: the line, the ends of a bridge, tunnel or ferry, nothing of a motorway."""
    shapes = edges.geometry.to_numpy().astype(object)
    for i in np.flatnonzero((edges.bridge | edges.tunnel | (edges.highway == "ferry")).to_numpy(bool)):
        shapes[i] = shapely.MultiPoint([shapes[i].coords[0], shapes[i].coords[-1]])
    shapes[(edges.highway.isin(_MOTORWAYS) | ~edges.walk).to_numpy(bool)] = None
    return shapes


def _off_road(gap: str, edges: gpd.GeoDataFrame, places: gpd.GeoDataFrame, key: str, crs: str, radius: float) -> pd.DataFrame:
    points = places.geometry.to_crs(crs).to_numpy() if len(places) else np.zeros(0, object)
    distance, nearest = np.full(len(points), np.inf), np.full(len(points), "", dtype=object)
    shapes = _join_shapes(edges)
    there = np.flatnonzero(~shapely.is_missing(shapes))
    if len(there) and len(points):
        found, metres = shapely.STRtree(shapes[there]).query_nearest(points, return_distance=True, all_matches=False)
        distance[found[0]] = metres
        nearest[found[0]] = edges.edge_id.to_numpy()[there[found[1]]].astype(str)
    far = distance > radius
    columns: dict[str, object] = {"id": places[key].astype(str).to_numpy()[far], "other_id": nearest[far], "distance_m": distance[far]}
    return _rows(gap, {**columns, "x": shapely.get_x(points[far]), "y": shapely.get_y(points[far])}, int(far.sum()))


def _isolated(edges: gpd.GeoDataFrame, settlements: gpd.GeoDataFrame, crs: str, radius: float) -> pd.DataFrame:
    names, ends = np.unique(edges[["from_node", "to_node"]].to_numpy("int64"), return_inverse=True)
    start, end = ends.reshape(-1, 2).T
    links = csr_array((np.ones(len(edges)), (start, end)), shape=(len(names), len(names)))
    _, group = connected_components(links, directed=False) if len(names) else (0, np.zeros(0, int))
    piece = group[start] if len(names) else np.zeros(0, int)
    length = np.bincount(piece, edges.length_m.to_numpy(float))
    if len(length) < 2:
        return _rows("isolated_piece", {"id": [], "distance_m": [], "x": [], "y": []}, 0)
    main = int(np.argmax(length))
    lines = edges.geometry.to_numpy()
    mine, others = np.flatnonzero(piece == main), np.flatnonzero(piece != main)
    (of, target), metres = shapely.STRtree(lines[mine]).query_nearest(lines[others], return_distance=True, all_matches=False)
    near = pd.DataFrame({"edge": others[of], "piece": piece[others[of]], "target": mine[target], "metres": metres})
    first = near.sort_values(["piece", "metres", "edge"]).groupby("piece", sort=True).first()
    spot = shapely.get_point(shapely.shortest_line(lines[first["edge"]], lines[first["target"]]), 0)
    ids = edges.edge_id.to_numpy()
    numbers = pd.Series(ids).groupby(piece)
    columns: dict[str, object] = {
        "id": numbers.min()[first.index].astype(str).to_numpy(), "other_id": ids[first["target"]].astype(str),
        "distance_m": first["metres"].to_numpy(), "length_m": length[first.index], "edges": numbers.size()[first.index].to_numpy(),
        "settlements": _alone(edges, piece, settlements, crs, radius)[first.index], "x": shapely.get_x(spot), "y": shapely.get_y(spot),
    }  # fmt: skip
    return _rows("isolated_piece", columns, len(first))


def _alone(edges: gpd.GeoDataFrame, piece: np.ndarray, settlements: gpd.GeoDataFrame, crs: str, radius: float) -> np.ndarray:
    """Return by piece how many settlements can be joined to it and to nothing else."""
    if not len(settlements):
        return np.zeros(piece.max() + 1, "int64")
    place, edge = shapely.STRtree(_join_shapes(edges)).query(settlements.geometry.to_crs(crs).to_numpy(), predicate="dwithin", distance=radius)
    pairs = pd.DataFrame({"place": place, "piece": piece[edge]}).drop_duplicates()
    single = pairs[~pairs["place"].duplicated(keep=False)]
    return np.bincount(single["piece"], minlength=piece.max() + 1)


def _open_ends(edges: gpd.GeoDataFrame, roads: Roads) -> pd.DataFrame:
    shut = (edges.bridge | edges.tunnel | edges.highway.isin([*_MOTORWAYS, "ferry"])).to_numpy(bool)
    lines, ids = edges.geometry.to_numpy(), edges.edge_id.to_numpy()
    names, ends = np.unique(edges[["from_node", "to_node"]].to_numpy("int64"), return_inverse=True)
    ends = ends.reshape(-1, 2)
    degree = np.bincount(ends.ravel(), minlength=len(names))
    side = np.flatnonzero((degree[ends] == 1).ravel())
    own, at_end = side // 2, side % 2
    own, at_end = own[~shut[own]], at_end[~shut[own]]
    points = np.where(at_end == 1, shapely.get_point(lines[own], -1), shapely.get_point(lines[own], 0)) if len(own) else np.zeros(0, object)
    end, other = shapely.STRtree(lines).query(points, predicate="dwithin", distance=OPEN_END_M) if len(own) else np.zeros((2, 0), int)
    kept = (other != own[end]) & ~shut[other]
    end, other = end[kept], other[kept]
    gap = shapely.distance(points[end], lines[other])
    along = shapely.line_locate_point(lines[other], points[end], normalized=True) * edges.length_m.to_numpy(float)[other]
    node = ends[own, at_end]
    apart = _way_round(edges, ends, len(names), node[end], other, along) > DETOUR * gap
    table = pd.DataFrame({"end": end[apart], "other": other[apart], "gap": gap[apart]}).sort_values(["end", "gap", "other"])
    first = table.drop_duplicates("end")
    of = first["end"].to_numpy()
    columns: dict[str, object] = {
        "id": names[node[of]].astype(str), "other_id": ids[first["other"]].astype(str), "distance_m": first["gap"].to_numpy(),
        "length_m": edges.length_m.to_numpy(float)[own[of]], "x": shapely.get_x(points[of]), "y": shapely.get_y(points[of]),
    }  # fmt: skip
    return _rows("open_end", columns, len(first))


def _way_round(edges: gpd.GeoDataFrame, ends: np.ndarray, nodes: int, start: np.ndarray, other: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return metres on the roads from nodes to positions along edges; infinite beyond what makes an end an open one."""
    length = edges.length_m.to_numpy(float)
    # of parallel edges the shortest; a sparse table would add them
    links = pd.DataFrame({"a": ends.min(axis=1), "b": ends.max(axis=1), "m": length}).groupby(["a", "b"], as_index=False)["m"].min()
    graph = csr_array((links["m"], (links["a"], links["b"])), shape=(nodes, nodes))
    found = np.full(len(start), np.inf)
    sources = np.unique(start)
    for low in range(0, len(sources), _CHUNK):
        some = sources[low : low + _CHUNK]
        metres = dijkstra(graph, directed=False, indices=some, limit=DETOUR * OPEN_END_M)
        mine = np.flatnonzero(np.isin(start, some))
        row = np.searchsorted(some, start[mine])
        there, back = ends[other[mine]].T
        found[mine] = np.minimum(metres[row, there] + along[mine], metres[row, back] + length[other[mine]] - along[mine])
    return found
