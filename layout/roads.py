"""Roads as a compact directed network with the facts that minutes need."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from layout.map_files import admit, written
from layout.road_edges import EDGE_DEFAULTS, EDGE_TYPES, NODE_FLAGS, Ways, complete_edges, cut_ways, edge_frame, elsewhere, in_degrees, node_frame
from layout.road_edges import metric_crs as metric_crs
from layout.road_graph import graph_of, parts_of, read_graphml
from layout.road_tags import NODE_TAGS, TAGS, closed_by, is_road
from layout.tables import CountyDataError, Problem

if TYPE_CHECKING:
    import networkx as nx
    from shapely.geometry.base import BaseGeometry

ATTRIBUTION = "© OpenStreetMap contributors"
#: Endings of the files that :func:`read_roads` understands, in the order in which a county folder is searched.
FORMATS = (".osm.pbf", ".gpkg", ".graphml", ".osm.gz", ".osm.bz2", ".osm", ".pbf", ".shp", ".geojson", ".json", ".zip")

# an extract of which more of the roads' nodes are missing was cut short or made without its nodes; one whose border was cut
# through its ways names some nodes that it does not hold
_MOST_MISSING = 0.5
# what osmium gives for a place that is not known
_NOWHERE = 2**31 - 1
# the file says when it was written; a fixed moment keeps the same roads the same bytes
_FIXED_MOMENT = "2000-01-01T00:00:00Z"


@dataclass(frozen=True)
class Roads:
    """Roads cut at their junctions.

    Parameters
    ----------
    nodes
        Sorted by ``node_id`` (int64): ``x``, ``y`` in metres of ``crs``; ``walk_closed``, ``drive_closed`` (bool: nobody on
        foot, no vehicle may pass; absent where nothing is closed).
    edges
        Sorted by ``edge_id`` (int64): ``from_node``, ``to_node``, ``highway`` (OSM class), ``name``, ``length_m``,
        ``oneway`` (1 along the line only, -1 against it only, 0 both; for vehicles), ``walk``, ``drive`` (bool: may be
        used so), ``maxspeed_kph``, ``width_m`` (NaN where unknown), ``bridge``, ``tunnel``, ``steps`` (bool),
        ``surface`` (text, may be empty), ``way_id`` (int64, 0 unknown), ``bus`` (bool: a bus may use it),
        ``maxspeed_back_kph`` (against the line; NaN where as ``maxspeed_kph``), ``speed_zone`` (such as ``CN:urban``, where
        no number is posted), ``tracktype``, ``lanes``, ``ford``, ``oneway_foot``, ``oneway_bus`` (as ``oneway``),
        ``geometry`` LineString from ``from_node`` to ``to_node``. Those after ``way_id`` may be absent:
        :func:`complete_edges` fills them.
    crs
        Metric coordinate system, e.g. ``EPSG:4545``.
    source
        Provenance: ``file``, ``sha256``, ``attribution``, ``date`` (of the data, empty where unknown), ``bbox`` (west, south,
        east, north of the roads in degrees), and what reading counted.
    """

    nodes: pd.DataFrame
    edges: gpd.GeoDataFrame
    crs: str
    source: Mapping[str, str] = field(default_factory=dict)

    def to_networkx(self) -> nx.MultiDiGraph:
        """Return the roads as :func:`layout.road_graph.graph_of` makes them: a graph for osmnx and networkx."""
        return graph_of(self.nodes, self.edges, self.crs, self.source)

    @staticmethod
    def from_networkx(graph: nx.MultiDiGraph, *, crs: str | None = None) -> Roads:
        """Make roads of a graph by :func:`layout.road_graph.parts_of`."""
        return Roads(*parts_of(graph, crs=crs))


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
    return Roads(node_frame([], [], []), edge_frame({}, [], crs), crs)


def read_roads(path: str | Path, *, bbox: tuple[float, float, float, float] | None = None, ferries: bool = False, crs: str | None = None) -> Roads:
    """Read roads: an OSM extract, the file of a transport bureau, a graph, or what :func:`write_roads` wrote.

    Parameters
    ----------
    path
        OSM extract ``.osm.pbf``, ``.osm``, ``.osm.gz`` or ``.osm.bz2``; GeoPackage with the layers ``roads`` and
        ``road_nodes`` of :func:`write_roads`; ``.graphml`` of osmnx or networkx; any other ``.gpkg``, ``.shp``, ``.geojson``
        or zipped Shapefile as :func:`layout.bureau_roads.read_bureau_roads` understands it.
    bbox
        West, south, east, north in degrees: only ways that touch it are kept (whole); None keeps all.
    ferries
        Keep ferry lines (``highway`` is ``ferry``; where a duration is known ``maxspeed_kph`` is the speed it makes).
        A GeoPackage or a graph was written with or without them already: without, they are left out.
    crs
        Metric coordinate system wanted; None takes :func:`metric_crs` of the middle of the data, or that of the GeoPackage.

    Returns
    -------
    Roads
        Ways cut where they meet, at their ends and at nodes that somebody may not pass. Conditional tags are ignored.

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
    name = path.name.lower()
    if name.endswith((".pbf", ".osm", ".osm.gz", ".osm.bz2")):
        return _read_extract(path, bbox, ferries, crs)
    if name.endswith(".gpkg") and _is_ours(path):
        return _read_geopackage(path, bbox, ferries, crs)
    if name.endswith(".graphml"):
        nodes, edges, crs, source = read_graphml(path, crs=crs)
        about = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "attribution": "", "date": "", **source}
    elif name.endswith(FORMATS):
        # what cuts lines takes long to load, and most files need none of it
        from layout.bureau_roads import read_bureau_roads

        nodes, edges, crs, about = read_bureau_roads(path, crs=crs)
    else:
        raise CountyDataError([Problem("roads_format", path.name, value=path.suffix, fields={"formats": ", ".join(FORMATS)})])
    if not len(edges):
        raise CountyDataError([Problem("roads_none", path.name)])
    return _cut_down(Roads(nodes, edges, crs, about), bbox, ferries, path.name)


def write_roads(roads: Roads, path: str | Path) -> None:
    """Write roads as a GeoPackage that :func:`read_roads` reads back exactly.

    Parameters
    ----------
    roads
        What to write.
    path
        ``.gpkg`` to make; layers ``roads`` (edges) and ``road_nodes``, provenance as metadata of ``roads``. Columns that may
        be absent and hold nothing but their default are not written. A file that is there is replaced.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_roads(paper.roads, Path(folder) / "roads.gpkg")
    ...     read_roads(Path(folder) / "roads.gpkg").edges.equals(complete_edges(paper.roads.edges))
    True
    """
    import pyogrio

    path = Path(path)
    path.unlink(missing_ok=True)
    flags = [c for c in NODE_FLAGS if c in roads.nodes]
    nodes = gpd.GeoDataFrame(roads.nodes[["node_id", *flags]], geometry=gpd.points_from_xy(roads.nodes.x, roads.nodes.y), crs=roads.crs)
    whole = complete_edges(roads.edges)
    usual = complete_edges(whole.drop(columns=list(EDGE_DEFAULTS)))
    edges = whole.drop(columns=[c for c in EDGE_DEFAULTS if whole[c].equals(usual[c])])
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _FIXED_MOMENT})
    try:
        # one text of all of it, since empty entries are not kept
        metadata = {"source": json.dumps(dict(roads.source), ensure_ascii=False, sort_keys=True)}
        with written(path.name):
            pyogrio.write_dataframe(edges, path, layer="roads", geometry_type="LineString", layer_metadata=metadata)
            pyogrio.write_dataframe(nodes, path, layer="road_nodes", geometry_type="Point", append=True)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def download_roads(polygon: BaseGeometry, *, crs: str | None = None, cache: str | Path | None = None) -> Roads:
    """Fetch the roads inside a polygon from OpenStreetMap through osmnx; needs the internet.

    Parameters
    ----------
    polygon
        In degrees (EPSG:4326).
    crs
        Metric coordinate system; None takes that of the polygon's middle.
    cache
        Folder where osmnx keeps its answers, so that what was asked once is not asked again; None leaves osmnx's own setting.
        osmnx's settings are afterwards as they were before.

    Returns
    -------
    Roads
        All roads and paths, each edge of one way; cut at nodes with a barrier.

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

    # asked for a free slot without a network, osmnx waits a minute before it says so; a busy server makes it wait all the same
    wanted: dict[str, object] = {"useful_tags_way": list(TAGS), "useful_tags_node": list(NODE_TAGS), "overpass_rate_limit": False}
    if cache is not None:
        wanted |= {"use_cache": True, "cache_folder": str(cache)}
    try:
        with _settings(osmnx.settings, wanted):
            # ways of one kind that follow each other must not be merged: a bridge is a bridge only so far
            graph = osmnx.graph_from_polygon(polygon, network_type="all", simplify=False, retain_all=True)
            if not graph.graph.get("simplified"):
                graph = osmnx.simplify_graph(graph, edge_attrs_differ=["osmid"], node_attrs_include=["barrier"])
    except (requests.RequestException, osmnx._errors.InsufficientResponseError, osmnx._errors.ResponseStatusCodeError) as error:
        raise CountyDataError([Problem("no_network", "OpenStreetMap", fields={"error": str(error)[:200]})]) from error
    roads = Roads.from_networkx(graph, crs=crs)
    source = {"file": "OpenStreetMap", "sha256": "", "attribution": ATTRIBUTION, "date": "", "bbox": _extent(roads.edges)}
    return Roads(roads.nodes, roads.edges, roads.crs, source)


@contextlib.contextmanager
def _settings(settings: Any, wanted: Mapping[str, object]) -> Iterator[None]:
    before = {name: getattr(settings, name) for name in wanted}
    try:
        for name, value in wanted.items():
            setattr(settings, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)


def _read_extract(path: Path, bbox: Sequence[float] | None, ferries: bool, crs: str | None) -> Roads:
    ways, date = _scan(path, ferries)
    if bbox is not None:
        ways = _touching(ways, bbox, path.name)
    bounds = (ways.lon.min(), ways.lat.min(), ways.lon.max(), ways.lat.max())
    crs = crs or metric_crs((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
    source = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "attribution": ATTRIBUTION, "date": date}
    return Roads(*cut_ways(ways, crs), crs, {**source, "bbox": in_degrees(bounds)})


def _scan(path: Path, ferries: bool) -> tuple[Ways, str]:
    """Read the road lines of an extract in one pass, and the day of its data."""
    import osmium

    keys = ("highway", "route") if ferries else ("highway",)
    ways: list[tuple[int, dict[str, str]]] = []
    # number of nodes by way, then id and place of all of them: numbers in a row, which Python's collector need not visit
    counts: list[int] = []
    nodes: list[int] = []
    closed: dict[int, tuple[bool, bool]] = {}
    newest, relations, wanted = None, 0, frozenset(TAGS)
    try:
        # what is neither a tagged road nor a tagged obstacle never comes up from osmium; relations only show that the file goes on
        reader = osmium.FileProcessor(str(path)).with_locations()
        for found, kind in ((keys, osmium.osm.WAY), (NODE_TAGS, osmium.osm.NODE)):
            tagged = osmium.filter.KeyFilter(*found)
            tagged.enable_for(kind)
            reader.with_filter(tagged)
        header = reader.header
        date, regular = header.get("osmosis_replication_timestamp"), bool(header.get("osmosis_replication_base_url"))
        thing: Any
        for thing in reader:
            if thing.is_way():
                tags = {t.k: t.v for t in thing.tags}
                if is_road(tags, ferries=ferries):
                    ways.append((thing.id, {k: v for k, v in tags.items() if k in wanted}))
                    before = len(nodes)
                    for n in thing.nodes:
                        place = n.location
                        nodes += (n.ref, place.x, place.y)
                    counts.append((len(nodes) - before) // 3)
                    if not date:
                        newest = thing.timestamp if newest is None else max(newest, thing.timestamp)
            elif thing.is_node():
                if any(answer := closed_by({t.k: t.v for t in thing.tags})):
                    closed[thing.id] = answer
            else:
                relations += 1
    except (RuntimeError, OSError, ValueError) as error:
        raise CountyDataError([Problem("roads_unreadable", path.name, fields={"error": str(error)})]) from error
    if regular and not relations and (not ways or _holds_other_ways(path)):
        # a regular extract ends with its relations: this one ends between two of its blocks, which osmium cannot notice; one
        # that somebody cut down to its roads holds no other ways
        raise CountyDataError([Problem("roads_cut_short", path.name)])
    if not ways:
        raise CountyDataError([Problem("roads_none", path.name)])
    # a file without moments gives the year 1970
    date = date or (newest.strftime("%Y-%m-%dT%H:%M:%SZ") if newest is not None and newest.year > 1970 else "")
    return _lines(ways, np.array(counts, "int64"), np.array(nodes, "int64").reshape(-1, 3), closed, path.name), date


def _holds_other_ways(path: Path) -> bool:
    import osmium

    reader = osmium.FileProcessor(str(path), osmium.osm.WAY)
    return any("highway" not in way.tags and "route" not in way.tags for way in reader)  # type: ignore[union-attr]


def _lines(ways: list[tuple[int, dict[str, str]]], counts: np.ndarray, flat: np.ndarray, closed: dict[int, tuple[bool, bool]], file: str) -> Ways:
    order = np.argsort(np.array([number for number, _ in ways]), kind="stable")
    first = np.cumsum(counts) - counts
    counts, first = counts[order], first[order]
    flat = flat[np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())]
    known = (flat[:, 1] != _NOWHERE) & (flat[:, 2] != _NOWHERE)
    if len(flat) and 1 - known.mean() > _MOST_MISSING:
        fields = {"missing": f"{int((~known).sum()):,}", "total": f"{len(flat):,}"}
        raise CountyDataError([Problem("roads_without_nodes", file, fields=fields)])
    # ways at the edge of an extract name nodes that it does not hold: what is left of them is not joined across the gap
    way = np.repeat(np.arange(len(counts)), counts)
    begins = np.ones(len(flat), bool)
    begins[1:] = (way[1:] != way[:-1]) | ~known[:-1]
    run = np.cumsum(begins)[known]
    _, first, size = np.unique(run, return_index=True, return_counts=True)
    whole = size >= 2
    kept = np.repeat(whole, size)
    of = way[known][first[whole]]
    if not len(of):
        raise CountyDataError([Problem("roads_none", file)])
    refs, lon, lat = flat[known][kept].T
    ids = np.array([ways[order[i]][0] for i in of], "int64")
    shut = [np.array(sorted(n for n, answer in closed.items() if answer[k]), "int64") for k in (0, 1)]
    return Ways(tuple(ways[order[i]][1] for i in of), ids, size[whole], refs, lon / 1e7, lat / 1e7, shut[0], shut[1])


def _touching(ways: Ways, bbox: Sequence[float], file: str) -> Ways:
    index = np.repeat(np.arange(len(ways.counts)), ways.counts)
    lines = shapely.linestrings(np.column_stack([ways.lon, ways.lat]), indices=index)
    keep = shapely.intersects(lines, shapely.box(*bbox))
    if not keep.any():
        raise elsewhere((ways.lon.min(), ways.lat.min(), ways.lon.max(), ways.lat.max()), file)
    tags = tuple(t for t, k in zip(ways.tags, keep, strict=True) if k)
    points = keep[index]
    return Ways(tags, ways.ids[keep], ways.counts[keep], ways.refs[points], ways.lon[points], ways.lat[points], ways.walk_closed, ways.drive_closed)


def _is_ours(path: Path) -> bool:
    import pyogrio.errors

    admit(path)
    try:
        return bool({"roads", "road_nodes"} <= set(pyogrio.list_layers(path)[:, 0]))
    except pyogrio.errors.DataSourceError as error:
        raise CountyDataError([Problem("roads_unreadable", path.name, fields={"error": str(error)})]) from error


def _read_geopackage(path: Path, bbox: Sequence[float] | None, ferries: bool, crs: str | None) -> Roads:
    import pyogrio.errors

    try:
        edges, nodes = pyogrio.read_dataframe(path, layer="roads"), pyogrio.read_dataframe(path, layer="road_nodes")
        source = json.loads((pyogrio.read_info(path, layer="roads")["layer_metadata"] or {}).get("source", "{}"))
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, json.JSONDecodeError) as error:
        raise CountyDataError([Problem("roads_unreadable", path.name, fields={"error": str(error)})]) from error
    needed = {c: kind for c, kind in EDGE_TYPES.items() if c not in EDGE_DEFAULTS}
    missing = sorted(({*needed} - {*edges}) | ({"node_id"} - {*nodes}))
    if missing or edges.crs is None or edges.crs.is_geographic or edges[list(needed)[:3]].isna().any(axis=None):
        raise CountyDataError([Problem("roads_gpkg_other", path.name, value=", ".join(missing))])
    edges = edges[[c for c in (*EDGE_TYPES, "geometry") if c in edges]]
    edges = complete_edges(edges.fillna({c: "" for c, kind in needed.items() if kind == "str"}).astype(needed))
    authority = edges.crs.to_authority()
    crs = crs or (":".join(authority) if authority else edges.crs.to_wkt())
    if pyproj.CRS.from_user_input(crs) != edges.crs:
        edges, nodes = edges.to_crs(crs), nodes.to_crs(crs)
        edges["length_m"] = edges.length
    edges = edges.sort_values("edge_id", ignore_index=True).set_crs(crs, allow_override=True)
    flags = {c: nodes[c].to_numpy(bool) for c in NODE_FLAGS if c in nodes}
    frame = node_frame(nodes.node_id, nodes.geometry.x, nodes.geometry.y, **flags).sort_values("node_id", ignore_index=True)
    return _cut_down(Roads(frame, edges, crs, source), bbox, ferries, path.name)


def _cut_down(roads: Roads, bbox: Sequence[float] | None, ferries: bool, file: str) -> Roads:
    """Return the roads without ferries where none are wanted, and only those that touch a box."""
    edges = roads.edges if ferries else roads.edges[roads.edges.highway != "ferry"]
    if bbox is not None:
        area = gpd.GeoSeries([shapely.box(*bbox)], crs=4326).segmentize(0.01).to_crs(edges.crs).iloc[0]
        touching = edges[edges.intersects(area)]
        if len(edges) and not len(touching):
            raise elsewhere(edges.to_crs(4326).total_bounds, file)
        edges = touching
    if len(edges) == len(roads.edges):
        return roads
    nodes = roads.nodes[roads.nodes.node_id.isin(np.union1d(edges.from_node, edges.to_node))].reset_index(drop=True)
    return Roads(nodes, edges.reset_index(drop=True), roads.crs, {**roads.source, "bbox": _extent(edges)})


def _extent(edges: gpd.GeoDataFrame) -> str:
    return in_degrees(edges.to_crs(4326).total_bounds) if len(edges) else ""
