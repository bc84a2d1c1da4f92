"""Roads as a compact directed network with the facts that minutes need."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyogrio.errors
import pyproj
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from layout.tables import CountyDataError, Problem

if TYPE_CHECKING:
    import networkx as nx
    from shapely.geometry.base import BaseGeometry

ATTRIBUTION = "© OpenStreetMap contributors"

# highway classes that a vehicle may use, as the OSM wiki describes them; a track (机耕路) is for farm vehicles only
_DRIVABLE = {
    "motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link", "tertiary",
    "tertiary_link", "unclassified", "residential", "living_street", "service", "road", "ferry",
}  # fmt: skip
# classes on which people walk besides those; a motorway only where a tag says so
_WALK_ONLY = {"track", "path", "footway", "pedestrian", "steps", "bridleway", "cycleway", "corridor"}
_MOTORWAYS = {"motorway", "motorway_link"}
# values of an access tag that keep a child or a school bus out
_FOOT_DENIED = {"no", "private", "use_sidepath", "agricultural", "forestry", "delivery", "military"}
_VEHICLE_DENIED = {"no", "private", "agricultural", "forestry", "delivery", "emergency", "military"}
_TAGS = (
    "highway", "route", "name", "oneway", "junction", "access", "foot", "vehicle", "motor_vehicle", "motorcar", "bus", "maxspeed",
    "width", "bridge", "tunnel", "surface", "area", "duration",
)  # fmt: skip
_UNITS_KPH = {"": 1.0, "km/h": 1.0, "kmh": 1.0, "kph": 1.0, "mph": 1.609344, "knots": 1.852}
# columns of the edges and their types, in the order of Roads.edges
_EDGE_TYPES = {
    "edge_id": "int64", "from_node": "int64", "to_node": "int64", "highway": "str", "name": "str", "length_m": "float64",
    "oneway": "int64", "walk": "bool", "drive": "bool", "maxspeed_kph": "float64", "width_m": "float64", "bridge": "bool",
    "tunnel": "bool", "steps": "bool", "surface": "str", "way_id": "int64",
}  # fmt: skip
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
        ``surface`` (text, may be empty), ``way_id`` (int64, 0 unknown), ``geometry`` LineString from ``from_node`` to ``to_node``.
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


def read_roads(
    path: str | Path, *, bbox: tuple[float, float, float, float] | None = None, ferries: bool = False, crs: str | None = None
) -> Roads:
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
        Ways cut where they meet and at their ends; a file without roads gives no edges.

    Raises
    ------
    CountyDataError
        If the file is missing, cut short, of another format, or holds no way at all.

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
    >>> write_roads(roads, "roads.gpkg")  # doctest: +SKIP
    """
    path = Path(path)
    path.unlink(missing_ok=True)
    nodes = gpd.GeoDataFrame(roads.nodes[["node_id"]], geometry=gpd.points_from_xy(roads.nodes.x, roads.nodes.y), crs=roads.crs)
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _FIXED_MOMENT})
    try:
        metadata = {str(k): str(v) for k, v in roads.source.items()}
        pyogrio.write_dataframe(roads.edges, path, layer="roads", geometry_type="LineString", layer_metadata=metadata or None)
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
    >>> roads_to_networkx(roads).graph["crs"]  # doctest: +SKIP
    'epsg:4326'
    """
    import networkx as nx

    graph = nx.MultiDiGraph(crs="epsg:4326", metric_crs=roads.crs, source=dict(roads.source))
    degrees = gpd.GeoSeries(gpd.points_from_xy(roads.nodes.x, roads.nodes.y), crs=roads.crs).to_crs(4326)
    for node, point in zip(roads.nodes.node_id, degrees, strict=True):
        graph.add_node(int(node), x=point.x, y=point.y)
    lines = roads.edges.geometry.to_crs(4326)
    for row, line in zip(roads.edges.drop(columns="geometry").to_dict("records"), lines, strict=True):
        facts = {k: row[k] for k in ("highway", "name", "walk", "drive", "width_m", "bridge", "tunnel", "steps", "surface", "edge_id")}
        facts |= {"osmid": row["way_id"], "length": row["length_m"], "oneway": row["oneway"] != 0}
        if not math.isnan(row["maxspeed_kph"]):
            facts["maxspeed"] = f"{row['maxspeed_kph']:g}"
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
    >>> roads_from_networkx(roads_to_networkx(roads))  # doctest: +SKIP
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

    Examples
    --------
    >>> download_roads(shapely.box(107.4, 26.2, 107.6, 26.3))  # doctest: +SKIP
    """
    import osmnx

    graph = osmnx.graph_from_polygon(polygon, network_type="all", simplify=True, retain_all=True)
    roads = roads_from_networkx(graph, crs=crs)
    return Roads(roads.nodes, roads.edges, roads.crs, {"file": "OpenStreetMap", "sha256": "", "attribution": ATTRIBUTION})


def _read_pbf(path: Path, bbox: Sequence[float] | None, ferries: bool, crs: str | None) -> Roads:
    tags, way_ids, counts, refs, lon, lat = _scan(path, ferries)
    if bbox is not None:
        tags, way_ids, counts, refs, lon, lat = _touching(bbox, tags, way_ids, counts, refs, lon, lat)
    source = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "attribution": ATTRIBUTION}
    if not len(way_ids):
        crs = crs or (metric_crs((bbox[0] + bbox[2]) / 2, (bbox[1] + bbox[3]) / 2) if bbox is not None else "EPSG:4326")
        return Roads(_node_frame([], [], []), _edge_frame([], np.zeros(0, object), crs), crs, source)
    crs = crs or metric_crs((lon.min() + lon.max()) / 2, (lat.min() + lat.max()) / 2)
    x, y = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
    start, end, way = _cut(refs, counts)
    lengths = end - start + 1
    flat = np.repeat(start - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths) + np.arange(lengths.sum())
    lines = shapely.linestrings(np.column_stack([x[flat], y[flat]]), indices=np.repeat(np.arange(len(start)), lengths))
    length = shapely.length(lines)
    name = _joined(refs[start], refs[end], length == 0)
    kept = length > 0
    facts = [_facts(t) for t in tags]
    rows = [
        {**facts[w], "way_id": way_ids[w], "from_node": a, "to_node": b, "length_m": metres}
        for w, a, b, metres in zip(way[kept], name[0][kept], name[1][kept], length[kept], strict=True)
    ]
    for row in rows:
        if "duration_h" in row:
            # the whole line takes the duration tagged, so its speed follows from the length of the way
            row["maxspeed_kph"] = float(length[way_ids[way] == row["way_id"]].sum()) / 1000 / row["duration_h"]
    used, first = np.unique(refs, return_index=True)
    ends = np.unique(np.concatenate([name[0][kept], name[1][kept]]))
    place = first[np.searchsorted(used, ends)]
    return Roads(_node_frame(ends, x[place], y[place]), _edge_frame(rows, lines[kept], crs), crs, source)


def _scan(path: Path, ferries: bool) -> tuple[list[dict[str, str]], np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    import osmium

    keys = osmium.filter.KeyFilter("highway", "route") if ferries else osmium.filter.KeyFilter("highway")
    found: list[tuple[int, dict[str, str], list[int], list[float], list[float]]] = []
    seen = False
    try:
        reader = osmium.FileProcessor(str(path), osmium.osm.NODE | osmium.osm.WAY).with_locations().with_filter(
            osmium.filter.EntityFilter(osmium.osm.WAY)
        )
        for way in reader.with_filter(keys):
            seen = True
            tags = {k: v for k in _TAGS if (v := way.tags.get(k)) is not None}
            if not _wanted(tags, ferries):
                continue
            # ways at the edge of an extract name nodes that it does not hold
            known = [(n.ref, n.lon, n.lat) for n in way.nodes if n.location.valid()]
            if len(known) >= 2:
                node, lon, lat = zip(*known, strict=True)
                found.append((way.id, tags, node, lon, lat))  # type: ignore[arg-type]
    except (RuntimeError, OSError, ValueError) as error:
        raise CountyDataError([Problem("roads_unreadable", path.name, fields={"error": str(error)})]) from error
    if not seen:
        raise CountyDataError([Problem("roads_none", path.name)])
    found.sort(key=lambda way: way[0])
    flat = [np.concatenate([np.asarray(w[i]) for w in found]) if found else np.zeros(0) for i in (2, 3, 4)]
    return [w[1] for w in found], np.array([w[0] for w in found], "int64"), np.array([len(w[2]) for w in found], "int64"), *flat  # type: ignore[return-value]


def _wanted(tags: Mapping[str, str], ferries: bool) -> bool:
    if tags.get("highway") in _DRIVABLE | _WALK_ONLY:
        return True
    return ferries and tags.get("route") == "ferry"


def _touching(bbox: Sequence[float], tags: list[dict[str, str]], way_ids: np.ndarray, counts: np.ndarray, *flat: np.ndarray):  # type: ignore[no-untyped-def]
    refs, lon, lat = flat
    index = np.repeat(np.arange(len(counts)), counts)
    lines = shapely.linestrings(np.column_stack([lon, lat]), indices=index) if len(counts) else np.zeros(0, object)
    keep = shapely.intersects(lines, shapely.box(*bbox)) if len(counts) else np.zeros(0, bool)
    points = keep[index] if len(index) else np.zeros(0, bool)
    return [t for t, k in zip(tags, keep, strict=True) if k], way_ids[keep], counts[keep], refs[points], lon[points], lat[points]


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


def _facts(tags: Mapping[str, str]) -> dict[str, object]:
    ferry = tags.get("highway") not in _DRIVABLE | _WALK_ONLY
    highway = "ferry" if ferry else tags["highway"]
    foot = tags.get("foot", tags.get("access", ""))
    motor = next((tags[k] for k in ("motorcar", "motor_vehicle", "vehicle", "access") if k in tags), "")
    walk = foot not in _FOOT_DENIED and (highway not in _MOTORWAYS or foot in ("yes", "designated", "permissive"))
    drive = highway in _DRIVABLE and motor not in _VEHICLE_DENIED and tags.get("bus", "") not in _VEHICLE_DENIED
    if ferry:
        # a ferry takes vehicles only where it says so
        drive = drive and motor in ("yes", "designated", "permissive")
    facts: dict[str, object] = {
        "highway": highway, "name": tags.get("name", ""), "oneway": _oneway(tags), "walk": walk,
        "drive": drive and tags.get("area") != "yes", "maxspeed_kph": parse_speed(tags.get("maxspeed", "")),
        "width_m": parse_width(tags.get("width", "")), "bridge": tags.get("bridge", "no") != "no",
        "tunnel": tags.get("tunnel", "no") not in ("no", "building_passage"), "steps": highway == "steps", "surface": tags.get("surface", ""),
    }  # fmt: skip
    hours = _hours(tags.get("duration", ""))
    return {**facts, "duration_h": hours} if ferry and hours else facts


def _oneway(tags: Mapping[str, str]) -> int:
    value = tags.get("oneway", "")
    if value in ("yes", "true", "1"):
        return 1
    if value in ("-1", "reverse"):
        return -1
    implied = tags.get("junction") in ("roundabout", "circular") or tags.get("highway") == "motorway"
    return int(implied and value not in ("no", "false", "0"))


def parse_speed(text: str) -> float:
    """Return a posted limit in km/h.

    Parameters
    ----------
    text
        Value of the tag ``maxspeed``.

    Returns
    -------
    float
        NaN where it is not a positive number with a known unit.

    Examples
    --------
    >>> parse_speed("50"), parse_speed("50 mph"), parse_speed("CN:urban")
    (50.0, 80.4672, nan)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z/]*)\s*", text.lower())
    if not match or match[2] not in _UNITS_KPH or float(match[1]) == 0:
        return math.nan
    return float(match[1]) * _UNITS_KPH[match[2]]


def parse_width(text: str) -> float:
    """Return a width in metres.

    Parameters
    ----------
    text
        Value of the tag ``width``.

    Returns
    -------
    float
        NaN where it is not a positive number of metres.

    Examples
    --------
    >>> parse_width("3.5 m"), parse_width("4,5"), parse_width("narrow")
    (3.5, 4.5, nan)
    """
    match = re.fullmatch(r"\s*(\d+(?:[.,]\d+)?)\s*m?\s*", text.lower())
    width = float(match[1].replace(",", ".")) if match else 0.0
    return width if width > 0 else math.nan


def _hours(text: str) -> float:
    match = re.fullmatch(r"(\d+):(\d\d)(?::(\d\d))?", text.strip())
    return int(match[1]) + int(match[2]) / 60 + int(match[3] or 0) / 3600 if match else 0.0


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
        source = pyogrio.read_info(path, layer="roads")["layer_metadata"] or {}
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise CountyDataError([Problem("roads_unreadable", path.name, fields={"error": str(error)})]) from error
    missing = sorted(({*_EDGE_TYPES} - {*edges}) | ({"node_id"} - {*nodes}))
    if missing or edges.crs is None or edges.crs.is_geographic or edges[list(_EDGE_TYPES)[:3]].isna().any(axis=None):
        raise CountyDataError([Problem("roads_gpkg_other", path.name, value=", ".join(missing))])
    edges = edges.fillna({c: "" for c, kind in _EDGE_TYPES.items() if kind == "str"}).astype(_EDGE_TYPES)
    edges = edges[[*_EDGE_TYPES, "geometry"]]
    if not ferries:
        edges = edges[edges.highway != "ferry"]
    if bbox is not None:
        area = gpd.GeoSeries([shapely.box(*bbox)], crs=4326).segmentize(0.01).to_crs(edges.crs).iloc[0]
        edges = edges[edges.intersects(area)]
    authority = edges.crs.to_authority()
    own = ":".join(authority) if authority else edges.crs.to_wkt()
    crs = crs or own
    if not pyproj.CRS.from_user_input(crs) == edges.crs:
        edges, nodes = edges.to_crs(crs), nodes.to_crs(crs)
        edges["length_m"] = edges.length
    edges = edges.sort_values("edge_id", ignore_index=True)
    frame = _node_frame(nodes.node_id, nodes.geometry.x, nodes.geometry.y).sort_values("node_id")
    if len(edges) < len(pyogrio.read_dataframe(path, layer="roads", columns=["edge_id"], read_geometry=False)):
        frame = frame[frame.node_id.isin(np.union1d(edges.from_node, edges.to_node))]
    return Roads(frame.reset_index(drop=True), edges.set_crs(crs, allow_override=True), crs, dict(sorted(source.items())))


def _graph_rows(graph: nx.MultiDiGraph, place: Mapping[int, tuple[float, float]]) -> tuple[list[dict[str, object]], list[BaseGeometry]]:
    # opposite edges of one way with the same line are one edge: the one that runs along the way stands for both
    found: dict[tuple[object, ...], dict[str, object]] = {}
    for u, v, data in graph.edges(data=True):
        line = data.get("geometry", shapely.LineString([place[u], place[v]]))
        back = bool(data.get("reversed", False))
        a, b, forward = (v, u, line.reverse()) if back else (u, v, line)
        way = _first(data.get("osmid", 0))
        key = (data.get("edge_id", -1), way, *((a, b) if a <= b else (b, a)), round(float(data.get("length", line.length)), 3))
        entry = found.setdefault(key, {"data": data, "a": a, "b": b, "line": forward, "along": False, "against": False})
        if not back and entry["a"] != a:
            entry["against"] = True
        else:
            entry["against" if back else "along"] = True
    rows, lines = [], []
    for entry in sorted(found.values(), key=lambda e: (e["data"].get("edge_id", -1), int(_first(e["data"].get("osmid", 0))), e["a"], e["b"])):  # type: ignore[attr-defined, call-overload]
        data: Mapping[str, object] = entry["data"]  # type: ignore[assignment]
        tags = {k: str(_first(data[k])) for k in _TAGS if k in data and _first(data[k]) is not None}
        tags["highway"] = tags.get("highway", "road")
        facts = _facts({**tags, "oneway": "no"})
        facts |= {k: data[k] for k in ("walk", "drive", "steps", "bridge", "tunnel", "width_m") if isinstance(data.get(k), (bool, float, np.bool_))}
        oneway = 1 if not entry["against"] else -1 if not entry["along"] else 0
        rows.append({**facts, "oneway": oneway, "way_id": int(_first(data.get("osmid", 0))), "from_node": entry["a"],  # type: ignore[call-overload]
                     "to_node": entry["b"], "length_m": float(data.get("length", math.nan))})  # type: ignore[arg-type]  # fmt: skip
        lines.append(entry["line"])
    return rows, lines  # type: ignore[return-value]


def _first(value: object) -> object:
    return value[0] if isinstance(value, (list, tuple)) and value else value
