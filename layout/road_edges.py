"""The edges and nodes of roads: their columns, and how lines of an extract are cut into them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from layout.road_tags import facts_of
from layout.tables import CountyDataError, Problem

#: Columns of the edges and their types, in the order of ``Roads.edges``.
EDGE_TYPES: Mapping[str, str] = {
    "edge_id": "int64", "from_node": "int64", "to_node": "int64", "highway": "str", "name": "str", "length_m": "float64",
    "oneway": "int64", "walk": "bool", "drive": "bool", "maxspeed_kph": "float64", "width_m": "float64", "bridge": "bool",
    "tunnel": "bool", "steps": "bool", "surface": "str", "way_id": "int64", "bus": "bool", "maxspeed_back_kph": "float64",
    "speed_zone": "str", "tracktype": "str", "lanes": "float64", "ford": "bool", "oneway_foot": "int64", "oneway_bus": "int64",
}  # fmt: skip
#: Columns that edges may lack: their value, or the column whose values they then take.
EDGE_DEFAULTS: Mapping[str, object] = {
    "bus": "drive", "maxspeed_back_kph": math.nan, "speed_zone": "", "tracktype": "", "lanes": math.nan, "ford": False, "oneway_foot": 0,
    "oneway_bus": "oneway",
}  # fmt: skip
#: Columns that nodes may lack: nobody on foot, or no vehicle, may pass.
NODE_FLAGS = ("walk_closed", "drive_closed")
_SAME_AS = {"bus": "drive", "oneway_bus": "oneway"}


@dataclass(frozen=True)
class Ways:
    """Lines of an extract: facts, id and number of nodes of each; id and place of all their nodes one after the other.

    Parameters
    ----------
    tags, ids, counts
        Of every line; a way of which nodes are missing in the middle is several lines with one id.
    refs, lon, lat
        Of every node of every line.
    walk_closed, drive_closed
        Ids of nodes that nobody on foot, or no vehicle, may pass; sorted.
    """

    tags: tuple[Mapping[str, str], ...]
    ids: np.ndarray
    counts: np.ndarray
    refs: np.ndarray
    lon: np.ndarray
    lat: np.ndarray
    walk_closed: np.ndarray
    drive_closed: np.ndarray


def metric_crs(lon: float, lat: float) -> str:
    """Return the metric coordinate system of a place.

    Parameters
    ----------
    lon, lat
        Degrees.

    Returns
    -------
    str
        In the box of China (73-135.1 E, 17-54 N) the CGCS2000 3-degree Gauss-Krueger zone without zone prefix,
        elsewhere the UTM zone.

    Raises
    ------
    ValueError
        If these are no degrees.

    Examples
    --------
    >>> metric_crs(107.5, 26.2), metric_crs(43.3, -11.7)
    ('EPSG:4545', 'EPSG:32738')
    """
    if not (math.isfinite(lon) and -180 <= lon <= 180 and math.isfinite(lat) and -90 <= lat <= 90):
        raise ValueError(f"lon and lat must be degrees, not {lon}, {lat}")
    if 73 <= lon <= 135.1 and 17 <= lat <= 54:
        meridian = min(max(3 * round(lon / 3), 75), 135)
        return f"EPSG:{4534 + (meridian - 75) // 3}"
    zone = min(int((lon + 180) // 6) + 1, 60)
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def complete_edges(edges: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return edges with every column of ``Roads.edges``: those that are absent hold their defaults.

    Parameters
    ----------
    edges
        Edges, perhaps made by hand or written by an earlier version; not changed.

    Returns
    -------
    geopandas.GeoDataFrame
        A bus goes where vehicles go (``bus`` as ``drive``, ``oneway_bus`` as ``oneway``), limits are the same both ways, and
        nothing else is known. Known columns first and in order, ``geometry`` last.

    Examples
    --------
    >>> whole = complete_edges(paper.roads.edges)
    >>> whole.columns.tolist()[15:]
    ['way_id', 'bus', 'maxspeed_back_kph', 'speed_zone', 'tracktype', 'lanes', 'ford', 'oneway_foot', 'oneway_bus', 'geometry']
    >>> bool(whole.bus.all()), whole.oneway_bus.tolist() == whole.oneway.tolist()
    (True, True)
    """
    made = {c: edges[_SAME_AS[c]] if c in _SAME_AS else value for c, value in EDGE_DEFAULTS.items() if c not in edges}
    out = edges.assign(**made) if made else edges
    # what a file gave back as missing text or as numbers takes its type again
    texts = {c: "" for c in EDGE_DEFAULTS if EDGE_TYPES[c] == "str" and out[c].isna().any()}
    out = out.fillna(texts) if texts else out
    types = {c: EDGE_TYPES[c] for c in EDGE_DEFAULTS if str(out[c].dtype) != EDGE_TYPES[c]}
    out = out.astype(types) if types else out
    known = [c for c in EDGE_TYPES if c in out]
    order = [*known, *(c for c in out.columns if c not in EDGE_TYPES and c != out.geometry.name), out.geometry.name]
    return out if list(out.columns) == order else out[order]


def node_frame(ids: Iterable[int], x: Iterable[float], y: Iterable[float], **flags: np.ndarray) -> pd.DataFrame:
    """Return a table of nodes.

    Parameters
    ----------
    ids, x, y
        Of each.
    **flags
        More columns, such as ``walk_closed``.

    Returns
    -------
    pandas.DataFrame
        ``node_id``, ``x``, ``y`` and the flags.

    Examples
    --------
    >>> node_frame([1], [2], [3]).to_numpy().tolist()
    [[1.0, 2.0, 3.0]]
    """
    return pd.DataFrame({"node_id": np.asarray(ids, "int64"), "x": np.asarray(x, float), "y": np.asarray(y, float), **flags})


def edge_frame(data: Mapping[str, object], lines: Sequence[object] | np.ndarray, crs: str) -> gpd.GeoDataFrame:
    """Return a table of edges, every column in its type, absent ones with their defaults.

    Parameters
    ----------
    data
        Values by column; ``edge_id`` counts from 0 where it is absent.
    lines
        The geometry.
    crs
        Its coordinate system.

    Returns
    -------
    geopandas.GeoDataFrame
        In the order of ``data``.

    Examples
    --------
    >>> len(edge_frame({}, [], "EPSG:4545"))
    0
    """
    given = {"edge_id": np.arange(len(lines)), **data}
    usual = {"str": "", "float64": math.nan, "int64": 0, "bool": False}
    columns = {c: given.get(c, usual[kind]) for c, kind in EDGE_TYPES.items() if c in given or c not in EDGE_DEFAULTS}
    frame = pd.DataFrame(columns, index=range(len(lines))).astype({c: EDGE_TYPES[c] for c in columns})
    geometry = gpd.GeoSeries(np.asarray(lines, object), crs=crs)
    return complete_edges(gpd.GeoDataFrame(frame, geometry=geometry, crs=crs))


def in_degrees(bounds: Sequence[float]) -> str:
    """Write a box as text.

    Parameters
    ----------
    bounds
        West, south, east, north in degrees.

    Returns
    -------
    str
        With commas, to a tenth of a metre.

    Examples
    --------
    >>> in_degrees((43.2, -11.9, 43.5, -11.35))
    '43.200000,-11.900000,43.500000,-11.350000'
    """
    return ",".join(f"{v:.6f}" for v in bounds)


def elsewhere(bounds: Sequence[float], file: str) -> CountyDataError:
    """Return the error that no road lies in the county.

    Parameters
    ----------
    bounds
        Of the roads: west, south, east, north in degrees.
    file
        They come from.

    Returns
    -------
    CountyDataError
        To raise.

    Examples
    --------
    >>> elsewhere((0, 0, 1, 1), "roads.gpkg").problems[0].key
    'roads_elsewhere'
    """
    fields = {k: f"{v:.2f}" for k, v in zip(("west", "south", "east", "north"), bounds, strict=True)}
    return CountyDataError([Problem("roads_elsewhere", file, fields=fields)])


def cut_ways(ways: Ways, crs: str) -> tuple[pd.DataFrame, gpd.GeoDataFrame]:
    """Cut lines where they meet, at their ends and where somebody may not pass.

    Parameters
    ----------
    ways
        Lines of an extract, sorted by id.
    crs
        Metric coordinate system wanted.

    Returns
    -------
    tuple of pandas.DataFrame and geopandas.GeoDataFrame
        Nodes and edges as in ``Roads``; no edge without length: nodes at one place that a way joins become one. A line that
        crosses itself without a common node goes on.

    Examples
    --------
    >>> one = np.array([1])
    >>> ways = Ways(({"highway": "path"},), one, np.array([2]), np.array([7, 9]), np.array([107.5, 107.6]), np.array([26.0, 26.0]), one, one)
    >>> cut_ways(ways, "EPSG:4545")[1][["from_node", "to_node", "walk", "drive"]].to_numpy().tolist()
    [[7, 9, True, False]]
    """
    x, y = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(ways.lon, ways.lat)
    first, last, way = _pieces(ways)
    points = last - first + 1
    flat = np.repeat(first - (np.cumsum(points) - points), points) + np.arange(points.sum())
    lines = shapely.linestrings(np.column_stack([x[flat], y[flat]]), indices=np.repeat(np.arange(len(first)), points))
    length = shapely.length(lines)
    names = np.unique(np.concatenate([ways.refs[first], ways.refs[last]]))
    merged = _merged(names, ways.refs[first], ways.refs[last], length == 0)
    start, end = merged[np.searchsorted(names, ways.refs[first])], merged[np.searchsorted(names, ways.refs[last])]
    kept = length > 0
    facts = _facts(ways, np.bincount(way, length, minlength=len(ways.counts)))
    data: dict[str, object] = {str(c): facts[c].to_numpy()[way[kept]] for c in facts}
    data |= {"way_id": ways.ids[way[kept]], "from_node": start[kept], "to_node": end[kept], "length_m": length[kept]}
    used, where = np.unique(ways.refs, return_index=True)
    ends = np.union1d(start[kept], end[kept])
    place = where[np.searchsorted(used, ends)]
    # a node that took in another is closed where either was
    flags = {
        flag: np.isin(ends, merged[np.isin(names, closed)]) for flag, closed in zip(NODE_FLAGS, (ways.walk_closed, ways.drive_closed), strict=True)
    }
    return node_frame(ends, x[place], y[place], **flags), edge_frame(data, lines[kept], crs)


def _facts(ways: Ways, metres: np.ndarray) -> pd.DataFrame:
    # few ways differ in anything but their names
    known: dict[frozenset[tuple[str, str]], dict[str, object]] = {}
    rows = []
    for tags in ways.tags:
        key = frozenset((k, v) for k, v in tags.items() if k != "name")
        if key not in known:
            known[key] = facts_of(dict(key))
        rows.append({**known[key], "name": tags.get("name", "")})
    facts = pd.DataFrame(rows)
    if "duration_h" in facts:
        # the timetable tells the speed over the whole line
        _, way = np.unique(ways.ids, return_inverse=True)
        timed = facts.pop("duration_h").to_numpy(float)
        facts["maxspeed_kph"] = np.where(np.isnan(timed), facts["maxspeed_kph"], np.bincount(way, metres)[way] / 1000 / timed)
    return facts


def _pieces(ways: Ways) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first position, last position and line of each piece between nodes that are met more than once or closed."""
    names, inverse, times = np.unique(ways.refs, return_inverse=True, return_counts=True)
    cut = ((times > 1) | np.isin(names, ways.walk_closed) | np.isin(names, ways.drive_closed))[inverse]
    last = np.cumsum(ways.counts) - 1
    cut[last] = True
    cut[last - ways.counts + 1] = True
    at = np.flatnonzero(cut)
    way = np.repeat(np.arange(len(ways.counts)), ways.counts)[at]
    same = way[:-1] == way[1:]
    return at[:-1][same], at[1:][same], way[:-1][same]


def _merged(names: np.ndarray, start: np.ndarray, end: np.ndarray, empty: np.ndarray) -> np.ndarray:
    # nodes at one and the same place become one, named by the lowest id, or dropping the piece between would cut the road
    if not empty.any():
        return names
    # few files need it, and it takes long to load
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a, b = np.searchsorted(names, start[empty]), np.searchsorted(names, end[empty])
    links = coo_array((np.ones(len(a)), (a, b)), shape=(len(names), len(names)))
    _, group = connected_components(links, directed=False)
    _, first = np.unique(group, return_index=True)
    return names[first][group]
