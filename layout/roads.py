"""Roads as a compact directed network with the facts that minutes need."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyogrio.errors
import pyproj
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from layout.road_tags import TAGS, facts_of, is_road
from layout.tables import CountyDataError, Problem

if TYPE_CHECKING:
    import networkx as nx
    from shapely.geometry.base import BaseGeometry

ATTRIBUTION = "© OpenStreetMap contributors"

# columns of the edges and their types, in the order of Roads.edges
_EDGE_TYPES = {
    "edge_id": "int64", "from_node": "int64", "to_node": "int64", "highway": "str", "name": "str", "length_m": "float64",
    "oneway": "int64", "walk": "bool", "drive": "bool", "maxspeed_kph": "float64", "width_m": "float64", "bridge": "bool",
    "tunnel": "bool", "steps": "bool", "surface": "str", "way_id": "int64",
}  # fmt: skip
# columns that a graph carries under their own names
_GRAPH_FACTS = ("edge_id", "highway", "name", "walk", "drive", "width_m", "bridge", "tunnel", "steps", "surface")
# the file says when it was written; a fixed moment keeps the same roads the same bytes
_FIXED_MOMENT = "2000-01-01T00:00:00Z"


@dataclass(frozen=True)
class Roads:
    """Roads cut at their junctions.

    Parameters
    ----------
    nodes
        Sorted by ``node_id`` (int64): ``x``, ``y`` in metres of ``crs``.
    edges
        Sorted by ``edge_id`` (int64): ``from_node``, ``to_node``, ``highway`` (OSM class), ``name``, ``length_m``,
        ``oneway`` (1 along the line only, -1 against it only, 0 both; for vehicles), ``walk``, ``drive`` (bool: may be
        used so), ``maxspeed_kph``, ``width_m`` (NaN where unknown), ``bridge``, ``tunnel``, ``steps`` (bool),
        ``surface`` (text, may be empty), ``way_id`` (int64, 0 unknown), ``geometry`` LineString from ``from_node`` to
        ``to_node``.
    crs
        Metric coordinate system, e.g. ``EPSG:4545``.
    source
        Provenance: ``file``, ``sha256``, ``attribution``.
    """

    nodes: pd.DataFrame
    edges: gpd.GeoDataFrame
    crs: str
    source: Mapping[str, str] = field(default_factory=dict)

    def to_networkx(self) -> nx.MultiDiGraph:
        """Return the roads as :func:`roads_to_networkx` makes them."""
        return roads_to_networkx(self)

    @staticmethod
    def from_networkx(graph: nx.MultiDiGraph, *, crs: str | None = None) -> Roads:
        """Make roads of a graph by :func:`roads_from_networkx`."""
        return roads_from_networkx(graph, crs=crs)


@dataclass(frozen=True)
class _Ways:
    """Ways of an extract: tags, id and number of nodes of each; id and place of all their nodes one after the other."""

    tags: tuple[dict[str, str], ...]
    ids: np.ndarray
    counts: np.ndarray
    refs: np.ndarray
    lon: np.ndarray
    lat: np.ndarray


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


def empty_roads(crs: str) -> Roads:
    """Return roads without any edge, for a county that has none: only places near each other are then within reach.

    Parameters
    ----------
    crs
        Metric coordinate system.

    Returns
    -------
    Roads
        No nodes, no edges.

    Examples
    --------
    >>> len(empty_roads("EPSG:4545").edges)
    0
    """
    return Roads(_node_frame([], [], []), _edge_frame([], np.zeros(0, object), crs), crs)


def read_roads(path: str | Path, *, bbox: tuple[float, float, float, float] | None = None, ferries: bool = False, crs: str | None = None) -> Roads:
    """Read the roads of an OSM extract, or a GeoPackage that :func:`write_roads` wrote.

    Parameters
    ----------
    path
        ``.osm.pbf``, or ``.gpkg`` with the layers ``roads`` and ``road_nodes``.
    bbox
        West, south, east, north in degrees: only ways that touch it are kept (whole); None keeps all.
    ferries
        Keep ferry lines (``highway`` is ``ferry``; where a duration is known ``maxspeed_kph`` is the speed it makes).
        A GeoPackage was written with or without them already: without, they are left out.
    crs
        Metric coordinate system wanted; None takes :func:`metric_crs` of the middle of the data, or that of the GeoPackage.

    Returns
    -------
    Roads
        Ways cut where they meet and at their ends.

    Raises
    ------
    CountyDataError
        If the file is missing, cut short, of another format, or holds no road, or none that touches ``bbox``.

    Examples
    --------
    >>> read_roads("nowhere.osm.pbf")
    Traceback (most recent call last):
    ...
    layout.tables.CountyDataError: ...
    """
    path = Path(path)
    if not path.is_file():
        raise CountyDataError([Problem("roads_no_file", path.name)])
    if path.name.lower().endswith(".pbf"):
        return _read_pbf(path, bbox, ferries, crs)
    if path.suffix.lower() == ".gpkg":
        return _read_geopackage(path, bbox, ferries, crs)
    raise CountyDataError([Problem("roads_format", path.name, value=path.suffix)])


def write_roads(roads: Roads, path: str | Path) -> None:
    """Write roads as a GeoPackage that :func:`read_roads` reads back exactly.

    Parameters
    ----------
    roads
        What to write.
    path
        ``.gpkg`` to make; layers ``roads`` (edges) and ``road_nodes``, provenance as metadata of ``roads``. A file that
        is there is replaced.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_roads(paper.roads, Path(folder) / "roads.gpkg")
    ...     read_roads(Path(folder) / "roads.gpkg").edges.equals(paper.roads.edges)
    True
    """
    path = Path(path)
    path.unlink(missing_ok=True)
    nodes = gpd.GeoDataFrame(roads.nodes[["node_id"]], geometry=gpd.points_from_xy(roads.nodes.x, roads.nodes.y), crs=roads.crs)
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _FIXED_MOMENT})
    try:
        # one text of all of it, since empty entries are not kept
        metadata = {"source": json.dumps(dict(roads.source), ensure_ascii=False, sort_keys=True)}
        pyogrio.write_dataframe(roads.edges, path, layer="roads", geometry_type="LineString", layer_metadata=metadata)
        pyogrio.write_dataframe(nodes, path, layer="road_nodes", geometry_type="Point", append=True)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def roads_to_networkx(roads: Roads) -> nx.MultiDiGraph:
    """Return the roads as a graph that osmnx and networkx understand.

    Parameters
    ----------
    roads
        The roads.

    Returns
    -------
    networkx.MultiDiGraph
        Nodes with ``x``, ``y`` (degrees); an edge for every direction a vehicle may drive (both where none may), keyed
        from 0, with ``osmid``, ``length`` (metres), ``highway``, ``oneway``, ``reversed``, ``maxspeed``, ``geometry``
        (degrees) and the facts of :class:`Roads`; graph attribute ``crs`` is ``epsg:4326``, ``metric_crs`` ours.

    Examples
    --------
    >>> graph = roads_to_networkx(paper.roads)
    >>> graph.graph["crs"], graph.number_of_edges()
    ('epsg:4326', 20)
    """
    import networkx as nx

    graph = nx.MultiDiGraph(crs="epsg:4326", metric_crs=roads.crs, source=dict(roads.source))
    degrees = gpd.GeoSeries(gpd.points_from_xy(roads.nodes.x, roads.nodes.y), crs=roads.crs).to_crs(4326)
    for node, point in zip(roads.nodes.node_id, degrees, strict=True):
        graph.add_node(int(node), x=point.x, y=point.y)
    lines = roads.edges.geometry.to_crs(4326)
    for row, line in zip(roads.edges.drop(columns="geometry").to_dict("records"), lines, strict=True):
        facts = {k: row[k] for k in _GRAPH_FACTS}
        facts |= {"osmid": row["way_id"], "length": row["length_m"], "oneway": row["oneway"] != 0}
        if not math.isnan(row["maxspeed_kph"]):
            facts["maxspeed"] = repr(row["maxspeed_kph"])
        if row["oneway"] >= 0:
            graph.add_edge(row["from_node"], row["to_node"], geometry=line, reversed=False, **facts)
        if row["oneway"] <= 0:
            graph.add_edge(row["to_node"], row["from_node"], geometry=line.reverse(), reversed=True, **facts)
    return graph


def roads_from_networkx(graph: nx.MultiDiGraph, *, crs: str | None = None) -> Roads:
    """Make roads of a graph in the manner of osmnx.

    Parameters
    ----------
    graph
        ``x``, ``y`` on nodes, ``length`` or ``geometry`` on edges, graph attribute ``crs``. Two opposite edges of one
        way become one edge open both ways. Where osmnx merged several values into a list, the first counts.
    crs
        Metric coordinate system; None takes the graph's ``metric_crs`` or that of the middle of the nodes.

    Returns
    -------
    Roads
        The roads; ``walk`` and ``drive`` from the edges where given, else from class and access tags.

    Raises
    ------
    ValueError
        If nodes have no ``x`` and ``y``, or are not numbered.

    Examples
    --------
    >>> len(roads_from_networkx(roads_to_networkx(paper.roads)).edges)
    10
    """
    ids = sorted(graph.nodes)
    if any(not {"x", "y"} <= set(graph.nodes[n]) or isinstance(n, str) for n in ids):
        raise ValueError("nodes of the graph must be whole numbers with x and y")
    x, y = np.array([graph.nodes[n]["x"] for n in ids], float), np.array([graph.nodes[n]["y"] for n in ids], float)
    given = pyproj.CRS.from_user_input(graph.graph.get("crs", 4326))
    to_degrees = pyproj.Transformer.from_crs(given, 4326, always_xy=True)
    if crs is None:
        crs = graph.graph.get("metric_crs")
    if crs is None and ids:
        crs = metric_crs(*to_degrees.transform((x.min() + x.max()) / 2, (y.min() + y.max()) / 2))
    crs = crs or "EPSG:4326"
    rows, lines = _graph_rows(graph, {n: (float(px), float(py)) for n, px, py in zip(ids, x, y, strict=True)})
    x, y = pyproj.Transformer.from_crs(given, crs, always_xy=True).transform(x, y)
    nodes = pd.DataFrame({"node_id": np.array(ids, "int64"), "x": np.asarray(x, float), "y": np.asarray(y, float)})
    edges = _edge_frame(rows, gpd.GeoSeries(lines, crs=given).to_crs(crs).to_numpy() if lines else np.zeros(0, object), crs)
    edges["length_m"] = np.where(edges["length_m"].isna(), edges.length, edges["length_m"])
    return Roads(nodes, edges, crs, dict(graph.graph.get("source", {})))


def download_roads(polygon: BaseGeometry, *, crs: str | None = None) -> Roads:
    """Fetch the roads inside a polygon from OpenStreetMap through osmnx; needs the internet.

    Parameters
    ----------
    polygon
        In degrees (EPSG:4326).
    crs
        Metric coordinate system; None takes that of the polygon's middle.

    Returns
    -------
    Roads
        All roads and paths open to the public.

    Raises
    ------
    CountyDataError
        If the network cannot be reached or refuses.

    Examples
    --------
    >>> download_roads(shapely.box(107.4, 26.2, 107.6, 26.3))  # doctest: +SKIP
    """
    import osmnx
    import osmnx._errors
    import requests

    try:
        graph = osmnx.graph_from_polygon(polygon, network_type="all", simplify=True, retain_all=True)
    except (requests.RequestException, osmnx._errors.InsufficientResponseError, osmnx._errors.ResponseStatusCodeError) as error:
        raise CountyDataError([Problem("no_network", "OpenStreetMap", fields={"error": str(error)[:200]})]) from error
    roads = roads_from_networkx(graph, crs=crs)
    return Roads(roads.nodes, roads.edges, roads.crs, {"file": "OpenStreetMap", "sha256": "", "attribution": ATTRIBUTION})


def _read_pbf(path: Path, bbox: Sequence[float] | None, ferries: bool, crs: str | None) -> Roads:
    ways = _scan(path, ferries)
    if bbox is not None:
        ways = _touching(ways, bbox, path.name)
    crs = crs or metric_crs((ways.lon.min() + ways.lon.max()) / 2, (ways.lat.min() + ways.lat.max()) / 2)
    x, y = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(ways.lon, ways.lat)
    first, last, way = _cut(ways.refs, ways.counts)
    points = last - first + 1
    flat = np.repeat(first - (np.cumsum(points) - points), points) + np.arange(points.sum())
    lines = shapely.linestrings(np.column_stack([x[flat], y[flat]]), indices=np.repeat(np.arange(len(first)), points))
    length = shapely.length(lines)
    start, end = _joined(ways.refs[first], ways.refs[last], length == 0)
    kept = length > 0
    facts = [facts_of(tags) for tags in ways.tags]
    whole = np.bincount(way, length, minlength=len(facts))
    for i, fact in enumerate(facts):
        if "duration_h" in fact:
            # the timetable tells the speed over the whole line
            fact["maxspeed_kph"] = whole[i] / 1000 / fact["duration_h"]  # type: ignore[operator]
    rows = [
        {**facts[w], "way_id": ways.ids[w], "from_node": a, "to_node": b, "length_m": metres}
        for w, a, b, metres in zip(way[kept], start[kept], end[kept], length[kept], strict=True)
    ]
    used, where = np.unique(ways.refs, return_index=True)
    ends = np.union1d(start[kept], end[kept])
    place = where[np.searchsorted(used, ends)]
    source = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "attribution": ATTRIBUTION}
    return Roads(_node_frame(ends, x[place], y[place]), _edge_frame(rows, lines[kept], crs), crs, source)


def _scan(path: Path, ferries: bool) -> _Ways:
    import osmium

    keys = osmium.filter.KeyFilter("highway", "route") if ferries else osmium.filter.KeyFilter("highway")
    only_ways = osmium.filter.EntityFilter(osmium.osm.WAY)
    found: list[tuple[int, dict[str, str], list[tuple[int, float, float]]]] = []
    try:
        reader = osmium.FileProcessor(str(path), osmium.osm.NODE | osmium.osm.WAY).with_locations()
        for way in reader.with_filter(only_ways).with_filter(keys):
            tags = {k: v for k in TAGS if (v := way.tags.get(k)) is not None}
            if is_road(tags, ferries=ferries):
                # ways at the edge of an extract name nodes that it does not hold
                known = [(n.ref, n.lon, n.lat) for n in way.nodes if n.location.valid()]  # type: ignore[union-attr]
                found += [(way.id, tags, known)] if len(known) >= 2 else []
    except (RuntimeError, OSError, ValueError) as error:
        raise CountyDataError([Problem("roads_unreadable", path.name, fields={"error": str(error)})]) from error
    if not found:
        raise CountyDataError([Problem("roads_none", path.name)])
    found.sort(key=lambda way: way[0])
    refs, lon, lat = zip(*[node for _, _, nodes in found for node in nodes], strict=True)
    counts = np.array([len(nodes) for _, _, nodes in found], "int64")
    ids = np.array([i for i, _, _ in found], "int64")
    return _Ways(tuple(t for _, t, _ in found), ids, counts, np.array(refs, "int64"), np.array(lon), np.array(lat))


def _touching(ways: _Ways, bbox: Sequence[float], file: str) -> _Ways:
    index = np.repeat(np.arange(len(ways.counts)), ways.counts)
    lines = shapely.linestrings(np.column_stack([ways.lon, ways.lat]), indices=index)
    keep = shapely.intersects(lines, shapely.box(*bbox))
    if not keep.any():
        west, south, east, north = (f"{v:.2f}" for v in (ways.lon.min(), ways.lat.min(), ways.lon.max(), ways.lat.max()))
        fields = {"west": west, "south": south, "east": east, "north": north}
        raise CountyDataError([Problem("roads_elsewhere", file, fields=fields)])
    tags = tuple(t for t, k in zip(ways.tags, keep, strict=True) if k)
    points = keep[index]
    return _Ways(tags, ways.ids[keep], ways.counts[keep], ways.refs[points], ways.lon[points], ways.lat[points])


def _cut(refs: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first position, last position and way of each piece between nodes that are met more than once."""
    _, inverse, times = np.unique(refs, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    cut = times[inverse] > 1
    cut[last] = True
    cut[last - counts + 1] = True
    at = np.flatnonzero(cut)
    way = np.repeat(np.arange(len(counts)), counts)[at]
    same = way[:-1] == way[1:]
    return at[:-1][same], at[1:][same], way[:-1][same]


def _joined(start: np.ndarray, end: np.ndarray, empty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # nodes at one and the same place become one, named by the lowest id, or dropping the piece between would cut the road
    if not empty.any():
        return start, end
    ids = np.unique(np.concatenate([start, end]))
    a, b = np.searchsorted(ids, start), np.searchsorted(ids, end)
    links = coo_array((np.ones(empty.sum()), (a[empty], b[empty])), shape=(len(ids), len(ids)))
    _, group = connected_components(links, directed=False)
    _, first = np.unique(group, return_index=True)
    name = ids[first][group]
    return name[a], name[b]


def _node_frame(ids: Iterable[int], x: Iterable[float], y: Iterable[float]) -> pd.DataFrame:
    return pd.DataFrame({"node_id": np.asarray(ids, "int64"), "x": np.asarray(x, float), "y": np.asarray(y, float)})


def _edge_frame(rows: Sequence[Mapping[str, object]], lines: np.ndarray, crs: str) -> gpd.GeoDataFrame:
    data = {c: [r.get(c) for r in rows] for c in _EDGE_TYPES if c != "edge_id"}
    frame = pd.DataFrame({"edge_id": np.arange(len(rows)), **data}).astype(_EDGE_TYPES)
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(lines, crs=crs), crs=crs)


def _read_geopackage(path: Path, bbox: Sequence[float] | None, ferries: bool, crs: str | None) -> Roads:
    try:
        layers = set(pyogrio.list_layers(path)[:, 0])
        if not {"roads", "road_nodes"} <= layers:
            raise CountyDataError([Problem("roads_gpkg_other", path.name)])
        edges, nodes = pyogrio.read_dataframe(path, layer="roads"), pyogrio.read_dataframe(path, layer="road_nodes")
        source = json.loads((pyogrio.read_info(path, layer="roads")["layer_metadata"] or {}).get("source", "{}"))
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, json.JSONDecodeError) as error:
        raise CountyDataError([Problem("roads_unreadable", path.name, fields={"error": str(error)})]) from error
    missing = sorted(({*_EDGE_TYPES} - {*edges}) | ({"node_id"} - {*nodes}))
    if missing or edges.crs is None or edges.crs.is_geographic or edges[list(_EDGE_TYPES)[:3]].isna().any(axis=None):
        raise CountyDataError([Problem("roads_gpkg_other", path.name, value=", ".join(missing))])
    edges = edges.fillna({c: "" for c, kind in _EDGE_TYPES.items() if kind == "str"}).astype(_EDGE_TYPES)
    edges, rows = edges[[*_EDGE_TYPES, "geometry"]], len(edges)
    if not ferries:
        edges = edges[edges.highway != "ferry"]
    if bbox is not None:
        area = gpd.GeoSeries([shapely.box(*bbox)], crs=4326).segmentize(0.01).to_crs(edges.crs).iloc[0]
        edges = edges[edges.intersects(area)]
    authority = edges.crs.to_authority()
    own = ":".join(authority) if authority else edges.crs.to_wkt()
    crs = crs or own
    if pyproj.CRS.from_user_input(crs) != edges.crs:
        edges, nodes = edges.to_crs(crs), nodes.to_crs(crs)
        edges["length_m"] = edges.length
    edges = edges.sort_values("edge_id", ignore_index=True)
    frame = _node_frame(nodes.node_id, nodes.geometry.x, nodes.geometry.y).sort_values("node_id")
    if len(edges) < rows:
        frame = frame[frame.node_id.isin(np.union1d(edges.from_node, edges.to_node))]
    return Roads(frame.reset_index(drop=True), edges.set_crs(crs, allow_override=True), crs, source)


def _graph_rows(graph: nx.MultiDiGraph, place: Mapping[int, tuple[float, float]]) -> tuple[list[dict[str, object]], list[BaseGeometry]]:
    # opposite edges of one way with the same line are one edge: the line that runs along the way stands for both
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for u, v, data in graph.edges(data=True):
        line = data.get("geometry", shapely.LineString([place[u], place[v]]))
        back = bool(data.get("reversed", False))
        a, b, forward = (v, u, line.reverse()) if back else (u, v, line)
        way = int(_first(data.get("osmid", 0)))
        key = (int(data.get("edge_id", -1)), way, min(line.wkb, line.reverse().wkb))
        entry = found.setdefault(key, {"data": data, "a": a, "b": b, "line": forward, "along": False, "against": False})
        entry["against" if back or entry["a"] != a else "along"] = True
    rows, lines = [], []
    for name in sorted(found):
        entry = found[name]
        data = entry["data"]
        tags = {"highway": "road", **{k: str(_first(data[k])) for k in TAGS if data.get(k) is not None}}
        facts = facts_of({**tags, "oneway": "no"})
        facts |= {k: data[k] for k in ("walk", "drive", "steps", "bridge", "tunnel") if isinstance(data.get(k), (bool, np.bool_))}
        facts |= {"width_m": float(data["width_m"])} if "width_m" in data else {}
        oneway = 1 if not entry["against"] else -1 if not entry["along"] else 0
        rows.append({**facts, "oneway": oneway, "way_id": name[1], "from_node": entry["a"], "to_node": entry["b"],
                     "length_m": float(data.get("length", math.nan))})  # fmt: skip
        lines.append(entry["line"])
    return rows, lines


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) and value else value
