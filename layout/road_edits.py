"""What a meeting changes on the roads: one built, one closed, one made faster, without reading them again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layout.road_edges import EDGE_TYPES, complete_edges
from layout.road_tags import facts_of
from layout.roads import Roads
from layout.tables import CountyDataError, Problem

# ends that a hand drew this near a road were meant to meet it; farther off a bridge or bank may lie between
_MEET_M = 30.0
# a point on a road and a line along it are drawn about this well
_POINT_M, _BESIDE_M = 50.0, 15.0
# what a road gets from where it lies, and words that stand for numbers
_OWN = ("edge_id", "from_node", "to_node", "length_m", "way_id")
_WORDS = {"yes": 1, "true": 1, "no": 0, "false": 0, "reverse": -1}
# crossings this near an end of a line are that end
_SAME_M = 0.01


@dataclass(frozen=True)
class RoadEdits:
    """Changes to roads: some built, some closed, some made faster or slower.

    Parameters
    ----------
    added
        New roads: LineStrings in any coordinate system, with ``highway`` (else ``unclassified``), ``kph`` (driving speed in place
        of that of the class) and any other columns of ``Roads.edges``. They join what they cross (bridges and tunnels aside)
        and, at their ends, what lies within 30 m.
    closed
        ``edge_id`` of edges that nobody uses.
    kph
        Driving speed in km/h by ``edge_id``, in place of class speed and posted limit; the caps of a school bus stay.
    """

    added: gpd.GeoDataFrame | None = None
    closed: Sequence[int] = ()
    kph: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EditedRoads:
    """Roads after edits.

    Parameters
    ----------
    roads
        With the new edges after the old ones, which are untouched.
    cuts, links
        Where edges meet between their ends, as :func:`layout.topology.make_topology` takes them.
    closed, kph
        Of every edge: whether it is closed, and its new speed or NaN.
    """

    roads: Roads
    cuts: Mapping[int, Sequence[float]]
    links: Sequence[tuple[tuple[int, float], tuple[int, float]]]
    closed: np.ndarray
    kph: np.ndarray


def edits_of(text: str, roads: Roads) -> RoadEdits:
    """Read edits from GeoJSON in degrees.

    Parameters
    ----------
    text
        Features with a property ``action``: ``new``, a line with ``highway``, ``kph`` and any other column of ``Roads.edges``;
        ``close``, a point on the road to close or a line along the roads to close; ``speed``, likewise, with ``kph``. A
        point means the nearest road within 50 m, a line all roads that run along it within 15 m for most of their length.
        Empty: no edits.
    roads
        What is edited.

    Returns
    -------
    RoadEdits
        For :func:`layout.prepare_network`.

    Raises
    ------
    CountyDataError
        All features that are not understood or lie on no road.

    Examples
    --------
    >>> edits_of("", paper.roads).closed
    ()
    """
    if not text:
        return RoadEdits()
    try:
        found = gpd.GeoDataFrame.from_features(json.loads(text), crs=4326)
        shapes = found.geometry.to_crs(roads.crs)
    except (ValueError, KeyError, TypeError, AttributeError, shapely.errors.ShapelyError) as error:
        raise CountyDataError([Problem("edits_unreadable", column="road_edits", fields={"error": str(error)})]) from error
    problems: list[Problem] = []
    closed: list[int] = []
    kph: dict[int, float] = {}
    added: list[dict[str, object]] = []
    lines = roads.edges.geometry.to_numpy()
    tree = shapely.STRtree(lines)
    ids = roads.edges["edge_id"].to_numpy("int64")
    for i, (row, shape) in enumerate(zip(found.drop(columns="geometry").to_dict("records"), shapes, strict=True)):
        action = row.get("action")
        drawn = shape is not None and shape.geom_type in ("Point", "LineString") and not shape.is_empty and bool(np.isfinite(shape.bounds).all())
        given = {k: v for k, v in row.items() if k != "action" and v is not None and not (isinstance(v, float) and np.isnan(v))}
        speed = _kph(given.pop("kph", None))
        wrong = action not in ("new", "close", "speed") or not drawn or speed == 0 or (action == "speed" and np.isnan(speed))
        facts = _facts(given) if action == "new" else {}
        if wrong or facts is None or (action == "new" and (shape.geom_type != "LineString" or shape.length <= _SAME_M)):
            problems.append(Problem("edits_feature", row=i + 1, column="road_edits", value=str(action)))
        elif action == "new":
            added.append({**facts, "kph": speed, "geometry": shape})
        else:
            meant = ids[_meant(shape, tree, lines)]
            if not len(meant):
                problems.append(Problem("edits_no_road", row=i + 1, column="road_edits", value=str(action)))
            closed += meant.tolist() if action == "close" else []
            kph |= dict.fromkeys(meant.tolist(), speed) if action == "speed" else {}
    if problems:
        raise CountyDataError(problems)
    return RoadEdits(gpd.GeoDataFrame(added, geometry="geometry", crs=roads.crs) if added else None, tuple(sorted(set(closed))), kph)


def _kph(value: object) -> float:
    """Return a speed: NaN where none is given, 0 for one that makes no sense."""
    if value is None:
        return np.nan
    number = _number(value)
    return number if 0 < number < np.inf else 0.0


def _number(value: object) -> float:
    """Return a number, also from words as OSM has them; NaN for anything else."""
    if isinstance(value, str):
        value = _WORDS.get(value.strip().lower(), value)
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return np.nan


def _facts(given: Mapping[str, object]) -> dict[str, object] | None:
    """Return what is told of a new road as columns of the edges, None where a value is not of its column's kind."""
    out: dict[str, object] = {}
    for name, value in given.items():
        kind = EDGE_TYPES.get(name)
        if kind is None or name in _OWN:
            continue
        if kind == "str":
            out[name] = str(value)
            continue
        number = _number(value)
        if not np.isfinite(number) or (kind == "bool" and number not in (0, 1)) or (kind == "int64" and number not in (-1, 0, 1)):
            return None
        out[name] = bool(number) if kind == "bool" else int(number) if kind == "int64" else number
    return out


def _meant(shape: shapely.Geometry, tree: shapely.STRtree, lines: np.ndarray) -> np.ndarray:
    """Return the rows of the edges that a point or line on them means."""
    if not len(lines):
        return np.zeros(0, "int64")
    if shape.geom_type == "Point":
        return tree.query_nearest(shape, max_distance=_POINT_M, all_matches=False)
    beside = shape.buffer(_BESIDE_M)
    near = np.sort(tree.query(beside, predicate="intersects"))
    return near[shapely.length(shapely.intersection(lines[near], beside)) > shapely.length(lines[near]) / 2]


def apply_edits(roads: Roads, edits: RoadEdits) -> EditedRoads:
    """Put edits on roads.

    Old edges keep their line and profile, so that a new road can make nobody slower.

    Parameters
    ----------
    roads
        With all columns (:func:`layout.roads.complete_edges`).
    edits
        What changes.

    Returns
    -------
    EditedRoads
        New edges are numbered on from the highest ``edge_id``.

    Raises
    ------
    ValueError
        If an edge to close or re-time does not exist, a speed is not positive, or a new road is not a line of some length.

    Examples
    --------
    >>> from layout.roads import complete_edges
    >>> roads = Roads(paper.roads.nodes, complete_edges(paper.roads.edges), paper.crs)
    >>> apply_edits(roads, RoadEdits(closed=[3])).closed.sum()
    np.int64(1)
    """
    ids = roads.edges["edge_id"].to_numpy("int64")
    unknown = sorted({*map(int, edits.closed), *map(int, edits.kph)} - {*ids.tolist()})
    if unknown:
        raise ValueError(f"no edge has the edge_id {', '.join(map(str, unknown[:5]))}")
    if not all(np.isfinite(v) and v > 0 for v in edits.kph.values()):
        raise ValueError("speeds of edits must be above 0")
    old = len(ids)
    cuts: dict[int, list[float]] = {}
    links: list[tuple[tuple[int, float], tuple[int, float]]] = []
    if edits.added is not None and len(edits.added):
        roads = _laid(roads, edits.added, cuts, links)
    count = len(roads.edges)
    closed, kph = np.zeros(count, bool), np.full(count, np.nan)
    closed[:old] = np.isin(ids, [int(i) for i in edits.closed])
    kph[:old] = pd.Series({int(k): float(v) for k, v in edits.kph.items()}, dtype=float).reindex(ids).to_numpy(float)
    if count > old and edits.added is not None and "kph" in edits.added:
        kph[old:] = edits.added["kph"].to_numpy(float)
    return EditedRoads(roads, {row: sorted({*shares}) for row, shares in cuts.items()}, tuple(links), closed, kph)


def _laid(roads: Roads, added: gpd.GeoDataFrame, cuts: dict[int, list[float]], links: list[tuple[tuple[int, float], tuple[int, float]]]) -> Roads:
    if added.crs is None:
        raise ValueError("added roads need a coordinate system")
    if not (added.geom_type == "LineString").all() or (added.to_crs(roads.crs).length <= _SAME_M).any():
        raise ValueError("added roads must be lines of some length")
    lines, apart = list(roads.edges.geometry), list(_apart(roads.edges))
    table = added.drop(columns=added.geometry.name).reset_index(drop=True)
    rows, new_lines = [], []
    for row, drawn in zip(table.to_dict("records"), added.geometry.to_crs(roads.crs), strict=True):
        given = {k: v for k, v in row.items() if not (isinstance(v, float) and np.isnan(v))}
        facts = {**facts_of({"highway": str(given.get("highway", "unclassified"))}), **given}
        here = len(lines)
        bridge = bool(facts["bridge"] or facts["tunnel"])
        # what the line meets, before it is stretched to meet it
        tree = shapely.STRtree([None if away else other for away, other in zip(apart, lines, strict=True)])
        met, line = _ends_met(drawn, tree, lines)
        if not bridge:
            for other in np.unique(tree.query(line, predicate="intersects")):
                met += [(int(other), lines[other].project(p, normalized=True), line.project(p, normalized=True)) for p in _points(line, lines[other])]
        for other, there, share in met:
            for edge, at in ((other, there), (here, share)):
                if 0 < at < 1:
                    cuts.setdefault(edge, []).append(at)
            links.append(((other, there), (here, share)))
        lines.append(line)
        apart.append(bridge)
        new_lines.append(line)
        rows.append(facts)
    first, node = (int(column.to_numpy("int64").max(initial=-1)) + 1 for column in (roads.edges["edge_id"], roads.nodes["node_id"]))
    ends = np.array([line.coords[i] for line in new_lines for i in (0, -1)], float)[:, :2]
    new = pd.DataFrame(rows).assign(
        edge_id=np.arange(first, first + len(rows)), from_node=node + 2 * np.arange(len(rows)), to_node=node + 1 + 2 * np.arange(len(rows)),
        length_m=shapely.length(np.array(new_lines, object)), way_id=0,
    )  # fmt: skip
    edges = complete_edges(gpd.GeoDataFrame(new, geometry=new_lines, crs=roads.crs))
    nodes = pd.DataFrame({"node_id": np.arange(node, node + len(ends)), "x": ends[:, 0], "y": ends[:, 1]})
    for column in roads.nodes.columns.difference(nodes.columns):
        nodes[column] = False
    whole = pd.concat([roads.edges, edges[list(roads.edges.columns)]], ignore_index=True)
    return Roads(
        pd.concat([roads.nodes, nodes[list(roads.nodes.columns)]], ignore_index=True), gpd.GeoDataFrame(whole, geometry="geometry", crs=roads.crs),
        roads.crs, roads.source,
    )  # fmt: skip


def _ends_met(
    line: shapely.LineString, tree: shapely.STRtree, lines: Sequence[shapely.LineString]
) -> tuple[list[tuple[int, float, float]], shapely.LineString]:
    """Return what the ends of a line meet (edge, share of it, share of the line), and the line stretched to it."""
    coords = [c[:2] for c in line.coords]
    found = []
    for end, share in ((0, 0.0), (-1, 1.0)):
        near = tree.query_nearest(shapely.Point(coords[end]), max_distance=_MEET_M, all_matches=False) if len(lines) else []
        if len(near):
            other = lines[near[0]]
            there = other.project(shapely.Point(coords[end]), normalized=True)
            point = other.interpolate(there, normalized=True)
            found.append((int(near[0]), float(there), share))
            if point.distance(shapely.Point(coords[end])) > _SAME_M:
                coords.insert(0 if end == 0 else len(coords), (point.x, point.y))
    return found, shapely.LineString(coords)


def _points(line: shapely.LineString, other: shapely.LineString) -> list[shapely.Point]:
    """Return where two lines cross, ends of the first aside; a stretch in common counts at both its ends."""
    common = shapely.get_parts(shapely.intersection(line, other))
    points = [p for part in common for p in ([part] if part.geom_type == "Point" else [shapely.Point(part.coords[i]) for i in (0, -1)])]
    ends = shapely.points([line.coords[0][:2], line.coords[-1][:2]])
    return [p for p in points if shapely.distance(ends, p).min() > _SAME_M]


def _apart(edges: gpd.GeoDataFrame) -> np.ndarray:
    return (edges["bridge"] | edges["tunnel"] | edges["highway"].isin(("ferry", "motorway", "motorway_link"))).to_numpy(bool)
