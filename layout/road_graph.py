"""Roads as a graph that osmnx and networkx understand, and back; GraphML."""

from __future__ import annotations

import ast
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
import shapely.errors

from layout.road_edges import EDGE_TYPES, NODE_FLAGS, complete_edges, edge_frame, metric_crs, node_frame
from layout.road_tags import TAGS, closed_by, facts_of, least_class
from layout.tables import CountyDataError, Problem

if TYPE_CHECKING:
    import networkx as nx
    from shapely.geometry.base import BaseGeometry

# nodes, edges, coordinate system and provenance: the parts of Roads
Parts = tuple[pd.DataFrame, gpd.GeoDataFrame, str, dict[str, str]]
# columns of edges that osmnx knows under another name
_RENAMED = {"way_id": "osmid", "length_m": "length"}
# given by the graph itself
_OF_THE_GRAPH = ("from_node", "to_node", "oneway")
# several values that a merged edge may hold, of which the least counts: their parsers look through lists
_LISTS = ("maxspeed", "maxspeed:forward", "maxspeed:backward", "width", "width:carriageway", "est_width", "lanes")


def graph_of(nodes: pd.DataFrame, edges: gpd.GeoDataFrame, crs: str, source: Mapping[str, str]) -> nx.MultiDiGraph:
    """Return roads as a graph that osmnx and networkx understand.

    Parameters
    ----------
    nodes, edges, crs, source
        The parts of ``Roads``.

    Returns
    -------
    networkx.MultiDiGraph
        Nodes with ``x``, ``y`` (degrees) and their flags; an edge for every direction a vehicle may drive (both where none
        may), with ``osmid``, ``length`` (metres), ``highway``, ``oneway``, ``reversed``, ``maxspeed`` (of its direction),
        ``geometry`` (degrees) and every column of ``Roads.edges`` (``oneway_line`` is ours: 1, -1 or 0; what is unknown is
        absent); graph attribute ``crs`` is ``epsg:4326``, ``metric_crs`` ours.

    Examples
    --------
    >>> graph = graph_of(paper.roads.nodes, paper.roads.edges, paper.roads.crs, {})
    >>> graph.graph["crs"], graph.number_of_edges()
    ('epsg:4326', 20)
    """
    import networkx as nx

    graph = nx.MultiDiGraph(crs="epsg:4326", metric_crs=crs, source=dict(source))
    degrees = gpd.GeoSeries(gpd.points_from_xy(nodes.x, nodes.y), crs=crs).to_crs(4326)
    flags = [c for c in NODE_FLAGS if c in nodes]
    for row, point in zip(nodes[["node_id", *flags]].to_dict("records"), degrees, strict=True):
        graph.add_node(int(row["node_id"]), x=point.x, y=point.y, **{c: row[c] for c in flags})
    edges = complete_edges(edges)
    lines = edges.geometry.to_crs(4326)
    for row, line in zip(edges[list(EDGE_TYPES)].to_dict("records"), lines, strict=True):
        facts = {_RENAMED.get(c, c): v for c, v in row.items() if c not in _OF_THE_GRAPH and not (isinstance(v, float) and math.isnan(v))}
        facts |= {"oneway": row["oneway"] != 0, "oneway_line": row["oneway"]}
        ends, along = (row["from_node"], row["to_node"]), row["maxspeed_kph"]
        against = along if math.isnan(row["maxspeed_back_kph"]) else row["maxspeed_back_kph"]
        if row["oneway"] >= 0:
            graph.add_edge(*ends, geometry=line, reversed=False, **facts, **_posted(along))
        if row["oneway"] <= 0:
            graph.add_edge(*reversed(ends), geometry=line.reverse(), reversed=True, **facts, **_posted(against))
    return graph


def parts_of(graph: nx.MultiDiGraph, *, crs: str | None = None) -> Parts:
    """Make the parts of roads of a graph in the manner of osmnx.

    Parameters
    ----------
    graph
        ``x``, ``y`` on nodes, ``length`` or ``geometry`` on edges, graph attribute ``crs``. Two opposite edges of one way
        become one edge open both ways. Where osmnx merged several values into a list, the least class, the slowest limit,
        the narrowest width and of other tags the first in order count.
    crs
        Metric coordinate system; None takes the graph's ``metric_crs`` or that of the middle of the nodes.

    Returns
    -------
    tuple
        Nodes, edges, coordinate system and provenance: of a graph that :func:`graph_of` made as they were, else from class
        and tags.

    Raises
    ------
    ValueError
        If nodes have no ``x`` and ``y``, or are not numbered, or an edge has neither a line nor a place.

    Examples
    --------
    >>> graph = graph_of(paper.roads.nodes, paper.roads.edges, paper.roads.crs, {})
    >>> len(parts_of(graph)[1])
    10
    """
    if any(not {"x", "y"} <= set(data) or isinstance(n, (str, float)) for n, data in graph.nodes(data=True)):
        raise ValueError("nodes of the graph must be whole numbers with x and y")
    ids = sorted(graph.nodes)
    x, y = (np.array([graph.nodes[n][axis] for n in ids], float) for axis in ("x", "y"))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("nodes of the graph must be whole numbers with x and y")
    given = pyproj.CRS.from_user_input(graph.graph.get("crs", 4326))
    to_degrees = pyproj.Transformer.from_crs(given, 4326, always_xy=True)
    if crs is None:
        crs = graph.graph.get("metric_crs")
    if crs is None and ids:
        crs = metric_crs(*to_degrees.transform((x.min() + x.max()) / 2, (y.min() + y.max()) / 2))
    crs = crs or "EPSG:4326"
    rows, lines = _rows(graph, {n: (float(px), float(py)) for n, px, py in zip(ids, x, y, strict=True)})
    x, y = pyproj.Transformer.from_crs(given, crs, always_xy=True).transform(x, y)
    nodes = node_frame(ids, x, y, **_flags(graph, ids))
    columns = {c: [r[c] for r in rows] for c in (rows[0] if rows else {})}
    edges = edge_frame(columns, gpd.GeoSeries(lines, crs=given).to_crs(crs).to_numpy() if lines else np.zeros(0, object), crs)
    edges["length_m"] = np.where(edges["length_m"].isna(), shapely.length(edges.geometry.to_numpy()), edges["length_m"])
    edges = edges[edges.length_m > 0].sort_values("edge_id", ignore_index=True)
    source = graph.graph.get("source", {})
    source = _listed(source) if isinstance(source, str) else source
    return nodes, edges, crs, {str(k): str(v) for k, v in source.items()} if isinstance(source, Mapping) else {}


def read_graphml(path: Path, *, crs: str | None = None) -> Parts:
    """Read a GraphML file that osmnx or networkx wrote.

    Parameters
    ----------
    path
        ``.graphml``.
    crs
        As in :func:`parts_of`.

    Returns
    -------
    tuple
        As of :func:`parts_of`.

    Raises
    ------
    CountyDataError
        If it is no GraphML, or its nodes have no number and place.

    Examples
    --------
    >>> read_graphml(Path("nowhere.graphml"))  # doctest: +SKIP
    """
    import networkx as nx

    try:
        graph = nx.read_graphml(path, force_multigraph=True)
    except (ElementTree.ParseError, nx.NetworkXError, KeyError, ValueError, IndexError, StopIteration) as error:
        raise CountyDataError([Problem("roads_unreadable", path.name, fields={"error": str(error) or type(error).__name__})]) from error
    try:
        return parts_of(nx.relabel_nodes(graph.to_directed(), {n: int(n) for n in graph.nodes}), crs=crs)
    except (ValueError, TypeError, shapely.errors.ShapelyError, pyproj.exceptions.ProjError) as error:
        raise CountyDataError([Problem("roads_graph_other", path.name, fields={"error": str(error)})]) from error


def _posted(kph: float) -> dict[str, str]:
    return {} if math.isnan(kph) else {"maxspeed": repr(kph)}


def _typed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of an edge, those that GraphML made text in their types again."""
    out = {k: _listed(v) if isinstance(v, str) and v.startswith("[") and v.endswith("]") else v for k, v in data.items()}
    if isinstance(out.get("geometry"), str):
        out["geometry"] = shapely.from_wkt(out["geometry"])
    number = out.get("edge_id")
    if isinstance(number, (int, np.integer)) or (isinstance(number, str) and number.isdecimal()):
        # an edge that graph_of made: texts stay as they are
        texts = {c: str(data[c]) for c, kind in EDGE_TYPES.items() if kind == "str" and c in data}
        return out | texts | {"edge_id": int(number)}
    return {k: v == "True" if v in ("True", "False") else v for k, v in out.items() if k != "edge_id"}


def _listed(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _true(value: Any) -> bool:
    return value in (True, "True", "true")


def _flags(graph: nx.MultiDiGraph, ids: list[int]) -> dict[str, np.ndarray]:
    tags = [graph.nodes[n] for n in ids]
    if any(flag in t for t in tags for flag in NODE_FLAGS):
        return {flag: np.array([_true(t.get(flag)) for t in tags], bool) for flag in NODE_FLAGS}
    if any("barrier" in t for t in tags):
        closed = [closed_by({k: str(v) for k, v in t.items()}) if "barrier" in t else (False, False) for t in tags]
        return {flag: np.array(column, bool) for flag, column in zip(NODE_FLAGS, zip(*closed, strict=True), strict=True)}
    return {}


def _rows(graph: nx.MultiDiGraph, place: Mapping[int, tuple[float, float]]) -> tuple[list[dict[str, object]], list[BaseGeometry]]:
    # opposite edges of one way with the same line are one edge: the line that runs along the way stands for both
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for u, v, raw in graph.edges(data=True):
        data = _typed(raw)
        line = data.get("geometry")
        line = shapely.LineString([place[u], place[v]]) if line is None else line
        back = _true(data.get("reversed"))
        a, b, forward = (v, u, line.reverse()) if back else (u, v, line)
        ours = "edge_id" in data
        # osmnx collects merged values in sets: their order says nothing
        way = min((int(i) for i in _several(data.get("osmid", 0))), default=0)
        key = (int(data["edge_id"]),) if ours else (-1, way, min(u, v), max(u, v), min(line.wkb, line.reverse().wkb))
        entry = found.setdefault(key, {"data": data, "a": a, "b": b, "line": forward, "along": False, "against": False, "way": way})
        if not back and not entry["along"] and entry["a"] == a:
            entry["data"] = data
        entry["against" if back or entry["a"] != a else "along"] = True
    rows, lines = [], []
    for number, key in enumerate(sorted(found)):
        entry = found[key]
        data, oneway = entry["data"], 1 if not entry["against"] else -1 if not entry["along"] else 0
        facts = _facts(data, oneway) if key[0] < 0 else _kept(data)
        ends = {"edge_id": number if key[0] < 0 else key[0], "from_node": entry["a"], "to_node": entry["b"], "oneway": oneway}
        rows.append({**facts, **ends, "way_id": entry["way"], "length_m": float(data.get("length", math.nan))})
        lines.append(entry["line"])
    if len({r["edge_id"] for r in rows}) < len(rows):
        # edges of ours and of others in one graph
        rows = [{**r, "edge_id": i} for i, r in enumerate(rows)]
    order = list(EDGE_TYPES)
    return [{c: r[c] for c in order} for r in rows], lines


def _kept(data: Mapping[str, Any]) -> dict[str, object]:
    """Return the facts of an edge that :func:`graph_of` made."""
    read: dict[str, Callable[[Any], object]] = {"str": str, "float64": float, "int64": int, "bool": _true}
    usual = {"str": "", "float64": math.nan, "int64": 0, "bool": False}
    return {c: read[kind](data[c]) if c in data and c not in _OF_THE_GRAPH else usual[kind] for c, kind in EDGE_TYPES.items()}


def _facts(data: Mapping[str, Any], oneway: int) -> dict[str, object]:
    """Return the facts of an edge of osmnx by its tags."""
    tags = {"highway": "road"}
    for key in TAGS:
        values = [str(v) for v in _several(data.get(key)) if v is not None and v is not False and v == v]
        if not values or key == "oneway":
            continue
        if key == "highway":
            tags[key] = least_class(values)
        else:
            tags[key] = ";".join(sorted(values)) if key in _LISTS else sorted(values)[0]
        # a flag that somebody wrote as true
        tags[key] = "yes" if tags[key] == "True" else tags[key]
    facts = {**facts_of({**tags, "oneway": {1: "yes", -1: "-1"}.get(oneway, "no")}), "oneway": oneway}
    facts |= {k: bool(data[k]) for k in ("walk", "drive", "bus", "steps") if isinstance(data.get(k), (bool, np.bool_))}
    return facts


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set)) else [] if value is None else [value]
