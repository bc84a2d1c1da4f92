"""What nobody crosses off the road: seas, lakes, rivers, cliffs and motorways, from an extract or a layer of lines and areas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from layout.map_files import admit
from layout.road_edges import metric_crs
from layout.tables import CountyDataError, Problem

KINDS = ("sea", "water", "river", "cliff", "motorway", "other")
# tags of OSM by kind; streams can be crossed, and so can rivers that do not always run
_LINES = {("waterway", "river"): "river", ("waterway", "canal"): "river", ("natural", "cliff"): "cliff", ("highway", "motorway"): "motorway"}
_AREAS = {("natural", "water"): "water", ("waterway", "riverbank"): "water", ("landuse", "reservoir"): "water"}
_COAST = ("natural", "coastline")
_EXTRACTS = (".pbf", ".osm", ".osm.gz", ".osm.bz2")
# how far beyond the coast the sea is drawn where no box is given, in degrees; and how far beside a coast its sides are told
_OFFSHORE, _BESIDE = 0.05, 1e-6


def read_obstacles(path: str | Path, *, bbox: tuple[float, float, float, float] | None = None, crs: str | None = None) -> gpd.GeoDataFrame:
    """Read what bars the way across open ground.

    Parameters
    ----------
    path
        OSM extract as of :func:`layout.read_roads`, or a GeoPackage, GeoJSON or Shapefile of lines and areas, whose column
        ``kind`` may say what they are.
    bbox
        West, south, east, north in degrees: only what touches it is kept, and the sea is drawn in it; None keeps all.
    crs
        Metric coordinate system wanted; None takes :func:`layout.roads.metric_crs` of the middle of the data.

    Returns
    -------
    geopandas.GeoDataFrame
        Keyed by ``obstacle_id``: ``kind`` (``sea``, ``water``, ``river``, ``cliff``, ``motorway``, ``other``), ``name``,
        ``geometry``, sorted by the key. From an extract: water areas, rivers and canals but for those in tunnels or only
        now and then with water, cliffs, motorways but for bridges and tunnels (they are fenced), and the sea on the right
        of the coastline; no rows where there are none.

    Raises
    ------
    CountyDataError
        If the file is missing or cannot be read, has no coordinate system, or holds points.

    Examples
    --------
    >>> read_obstacles("nowhere.osm.pbf")
    Traceback (most recent call last):
    ...
    layout.tables.CountyDataError: ...
    """
    path = Path(path)
    if not path.is_file():
        raise CountyDataError([Problem("roads_no_file", path.name)])
    found = _from_extract(path, bbox) if is_extract(path) else _from_layer(path)
    if crs is None:
        middle = found.total_bounds if len(found) else np.array(bbox or (0, 0, 0, 0), float)
        middle = middle if found.crs.is_geographic or not len(found) else found.to_crs(4326).total_bounds
        crs = metric_crs((middle[0] + middle[2]) / 2, (middle[1] + middle[3]) / 2)
    if bbox is not None and len(found):
        box = gpd.GeoSeries([shapely.box(*bbox)], crs=4326).segmentize(0.01).to_crs(found.crs).iloc[0]
        found = found[found.intersects(box)]
    return found.to_crs(crs).sort_values("obstacle_id", ignore_index=True)


def no_obstacles(crs: str) -> gpd.GeoDataFrame:
    """Return the table of a county that is known to have none.

    Parameters
    ----------
    crs
        Metric coordinate system.

    Returns
    -------
    geopandas.GeoDataFrame
        No rows.

    Examples
    --------
    >>> len(no_obstacles("EPSG:4545"))
    0
    """
    return _frame([], crs)


def write_obstacles(obstacles: gpd.GeoDataFrame, path: str | Path) -> None:
    """Write obstacles as GeoJSON in degrees that :func:`read_obstacles` reads back.

    Parameters
    ----------
    obstacles
        From :func:`read_obstacles`.
    path
        File to make.

    Examples
    --------
    >>> import tempfile
    >>> shape = [paper.settlements.geometry.iloc[0].buffer(9)]
    >>> lake = gpd.GeoDataFrame({"obstacle_id": ["a"], "kind": ["water"], "name": [""]}, geometry=shape, crs=paper.crs)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_obstacles(lake, Path(folder) / "obstacles.geojson")
    ...     read_obstacles(Path(folder) / "obstacles.geojson", crs=paper.crs)[["obstacle_id", "kind"]].values.tolist()
    [['a', 'water']]
    """
    text = obstacles.to_crs(4326).to_json(drop_id=True, ensure_ascii=False)
    Path(path).write_text(text + "\n", encoding="utf-8", newline="\n")


def is_extract(path: str | Path) -> bool:
    """Say whether a file is an OSM extract by its name.

    Parameters
    ----------
    path
        File.

    Returns
    -------
    bool
        True for ``.pbf``, ``.osm``, ``.osm.gz`` and ``.osm.bz2``.

    Examples
    --------
    >>> is_extract("roads.osm.pbf"), is_extract("roads.gpkg")
    (True, False)
    """
    return Path(path).name.lower().endswith(_EXTRACTS)


def in_water(obstacles: gpd.GeoDataFrame, places: gpd.GeoDataFrame) -> np.ndarray:
    """Say which places lie in a sea, lake or river area.

    Parameters
    ----------
    obstacles
        From :func:`read_obstacles`.
    places
        Points in the same coordinate system.

    Returns
    -------
    numpy.ndarray
        bool, in the order of the places.

    Examples
    --------
    >>> lake = gpd.GeoDataFrame({"kind": ["water"]}, geometry=[paper.settlements.geometry.iloc[0].buffer(9)], crs=paper.crs)
    >>> in_water(lake, paper.settlements).tolist()
    [True, False, False, False, False]
    """
    wet = obstacles.geometry[obstacles["kind"].isin(["sea", "water"])].to_numpy()
    inside = np.zeros(len(places), bool)
    if len(wet):
        inside[shapely.STRtree(wet).query(places.geometry.to_numpy(), predicate="within")[0]] = True
    return inside


def _frame(rows: Sequence[tuple[str, str, str, Any]], crs: object) -> gpd.GeoDataFrame:
    table = pd.DataFrame({c: pd.Series([r[i] for r in rows], dtype="str") for i, c in enumerate(("obstacle_id", "kind", "name"))})
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries([r[3] for r in rows], crs=crs), crs=crs)


def _from_layer(path: Path) -> gpd.GeoDataFrame:
    import pyogrio.errors

    admit(path)
    try:
        layer = gpd.read_file(path)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, UnicodeDecodeError) as error:
        raise CountyDataError([Problem("unreadable", path.name, fields={"error": str(error)})]) from error
    if not isinstance(layer, gpd.GeoDataFrame):
        raise CountyDataError([Problem("obstacles_none", path.name)])
    if layer.crs is None:
        raise CountyDataError([Problem("no_crs", path.name)])
    points = layer.geom_type.isin(["Point", "MultiPoint"]).to_numpy()
    if points.any():
        raise CountyDataError([Problem("obstacles_points", path.name, row=int(i) + 1) for i in np.flatnonzero(points)])
    # a shape without any extent bars nothing
    drawn = layer.geometry.to_numpy()
    layer = layer[~(shapely.is_missing(drawn) | shapely.is_empty(drawn)) & (shapely.length(drawn) > 0)].reset_index(drop=True)
    shapes = shapely.make_valid(shapely.force_2d(layer.geometry.to_numpy()))
    kind = layer["kind"].where(layer["kind"].isin(KINDS), "other") if "kind" in layer else ["other"] * len(layer)
    names = layer["name"].fillna("").astype("str") if "name" in layer else [""] * len(layer)
    own = layer["obstacle_id"].astype("str") if "obstacle_id" in layer else None
    ids = own if own is not None and own.is_unique else [f"O{i + 1:06d}" for i in range(len(layer))]
    return _frame(list(zip(ids, kind, names, shapes, strict=True)), layer.crs)


def _from_extract(path: Path, bbox: Sequence[float] | None) -> gpd.GeoDataFrame:
    import osmium

    shapes, rows, coast = osmium.geom.WKBFactory(), [], []
    wanted = osmium.filter.TagFilter(_COAST, *_LINES, *_AREAS)
    item: Any
    try:
        for item in osmium.FileProcessor(str(path)).with_areas(osmium.filter.TagFilter(*_AREAS)).with_filter(wanted):
            tags = {t.k: t.v for t in item.tags}
            pairs = set(tags.items())
            area = next((kind for pair, kind in _AREAS.items() if pair in pairs), None)
            if tags.get("intermittent", "no") != "no" or tags.get("seasonal", "no") != "no":
                continue
            if item.is_area() and area is not None:
                key = f"{'w' if item.from_way() else 'r'}{item.orig_id()}"
                rows.append((f"{key}:area", area, tags.get("name", ""), shapely.from_wkb(shapes.create_multipolygon(item))))
            elif item.is_way():
                line = _line(item)
                kind = next((k for pair, k in _LINES.items() if pair in pairs), None)
                if line is None:
                    continue
                if _COAST in pairs:
                    coast.append((f"w{item.id}", line))
                elif kind is not None and tags.get("tunnel", "no") == "no" and not (kind == "motorway" and tags.get("bridge", "no") != "no"):
                    rows.append((f"w{item.id}", kind, tags.get("name", ""), line))
    except (RuntimeError, OSError, ValueError) as error:
        raise CountyDataError([Problem("roads_unreadable", path.name, fields={"error": str(error)})]) from error
    return _frame(sorted([*rows, *_sea(sorted(coast), bbox)], key=lambda r: r[0]), pyproj.CRS(4326))


def _line(way: Any) -> Any:
    # ways at the edge of an extract name nodes that it does not hold
    at = [(n.location.lon, n.location.lat) for n in way.nodes if n.location.valid()]
    return shapely.LineString(at) if len(at) >= 2 else None


def _sea(coast: Sequence[tuple[str, Any]], bbox: Sequence[float] | None) -> list[tuple[str, str, str, Any]]:
    """Return the faces between the coast and the box that lie on the right of the coastline; a coast with loose ends as lines."""
    if not coast:
        return []
    lines = np.array([line for _, line in coast], object)
    west, south, east, north = shapely.total_bounds(lines)
    box = shapely.box(*bbox) if bbox is not None else shapely.box(west - _OFFSHORE, south - _OFFSHORE, east + _OFFSHORE, north + _OFFSHORE)
    inside = shapely.get_parts(shapely.intersection(lines, box))
    inside = inside[shapely.get_type_id(inside) == shapely.GeometryType.LINESTRING]
    if not len(inside):
        return []
    edges = shapely.get_parts(
        shapely.node(shapely.multilinestrings([*shapely.get_parts(shapely.line_merge(shapely.union_all(inside))), box.boundary]))
    )
    faces = shapely.get_parts(shapely.polygonize(edges))
    xy, of = shapely.get_coordinates(inside, return_index=True)
    on = of[1:] == of[:-1]
    a, b = xy[:-1][on], xy[1:][on]
    along = b - a
    long = np.hypot(*along.T)
    a, b, along, long = (v[long > 0] for v in (a, b, along, long))
    right = np.column_stack([along[:, 1], -along[:, 0]]) / long[:, None] * _BESIDE
    tree = shapely.STRtree(faces)
    # a coast with a loose end has land and sea in one face: nobody knows where there the sea ends
    wet, dry = (np.bincount(tree.query(shapely.points((a + b) / 2 + side), predicate="within")[1], minlength=len(faces)) for side in (right, -right))
    sea = faces[(wet > 0) & (dry == 0)]
    borders = shapely.STRtree(shapely.boundary(sea)) if len(sea) else None
    rows: list[tuple[str, str, str, Any]] = [(f"sea{i:04d}", "sea", "", face) for i, face in enumerate(sea)]
    # what bounds no sea is still a coast that nobody crosses
    for key, line in coast:
        parts = [p for p in shapely.get_parts(shapely.intersection(line, box)) if p.geom_type == "LineString" and p.length]
        loose = [p for p in parts if borders is None or not len(borders.query(_middle(p), predicate="dwithin", distance=_BESIDE))]
        if loose:
            rows.append((key, "sea", "", shapely.multilinestrings(loose)))
    return rows


def _middle(line: Any) -> Any:
    return shapely.line_interpolate_point(line, 0.5, normalized=True)
