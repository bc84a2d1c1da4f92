"""Drawn lines become roads: cut where they cross or touch, joined where their ends nearly meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

#: Metres within which an end is taken to meet another line. Drawn by hand or taken with a hand-held receiver and snapped in
#: a GIS program, ends that were meant to meet are apart by centimetres to some decimetres; two roads of one network are never
#: so near to each other without a junction, for a lane alone is wider.
SNAP_M = 1.0
# positions along a line that are nearer than this are one (a millimetre: the figures of a file end there)
_SAME_M = 0.001


@dataclass(frozen=True)
class Noded:
    """Pieces of lines between their junctions.

    Parameters
    ----------
    line
        Position of the drawn line of each piece; pieces of a line follow each other along it.
    start, end
        Positions of its nodes in ``x`` and ``y``.
    pieces
        Geometry from start to end.
    x, y
        Of the nodes, sorted by x, then y.
    """

    line: np.ndarray
    start: np.ndarray
    end: np.ndarray
    pieces: np.ndarray
    x: np.ndarray
    y: np.ndarray


def node_lines(lines: np.ndarray, *, ends_only: np.ndarray, no_crossing: np.ndarray) -> Noded:
    """Cut lines where they meet.

    Parameters
    ----------
    lines
        LineStrings in metres, each with a length.
    ends_only
        Whether a line meets others only at its own two ends and theirs (bridge, tunnel).
    no_crossing
        Whether a line meets others only where it or they end (motorway: what crosses it goes over or under).

    Returns
    -------
    Noded
        Pieces without zero length. A line that crosses itself is cut there too.

    Examples
    --------
    >>> cross = shapely.linestrings([[(0, 0), (10, 0)], [(5, -5), (5, 5)]])
    >>> len(node_lines(cross, ends_only=np.zeros(2, bool), no_crossing=np.zeros(2, bool)).line)
    4
    """
    nothing = np.zeros(0, "int64"), np.zeros(0), np.zeros(0), np.zeros(0)
    if not len(lines):
        return Noded(nothing[0], nothing[0], nothing[0], np.zeros(0, object), nothing[1], nothing[2])
    a, b = _near_pairs(lines)
    parts = [_ends_on_lines(lines, a, b, ends_only), _ends_on_lines(lines, b, a, ends_only)]
    free = ~(ends_only | no_crossing)
    parts += [_crossings(lines, a[free[a] & free[b]], b[free[a] & free[b]]), _own_crossings(lines, np.flatnonzero(free))]
    line, at, x, y = (np.concatenate([p[k] for p in (*parts, nothing)]) for k in range(4))
    return _cut(lines, line.astype("int64"), at, x, y)


def _near_pairs(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = shapely.STRtree(lines).query(lines, predicate="dwithin", distance=SNAP_M)
    once = a < b
    return a[once], b[once]


def _ends_on_lines(lines: np.ndarray, a: np.ndarray, b: np.ndarray, ends_only: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return where ends of lines a lie on the lines b: line, position along it, and the place of the end."""
    found = []
    for end in (0, -1):
        points = shapely.get_point(lines[a], end)
        near = (shapely.distance(points, lines[b]) <= SNAP_M) & ~ends_only[b]
        at = shapely.line_locate_point(lines[b[near]], points[near])
        found.append((b[near], at, shapely.get_x(points[near]), shapely.get_y(points[near])))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def _crossings(lines: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return where lines cross or run together: both lines, positions and places."""
    crossing = shapely.intersects(lines[a], lines[b])
    a, b = a[crossing], b[crossing]
    shared = shapely.intersection(lines[a], lines[b])
    parts, pair = shapely.get_parts(shared, return_index=True)
    # of a stretch that two lines share its ends matter
    line = shapely.get_type_id(parts) == 1
    points = np.concatenate([parts[~line], shapely.get_point(parts[line], 0), shapely.get_point(parts[line], -1)])
    pair = np.concatenate([pair[~line], pair[line], pair[line]])
    x, y = shapely.get_x(points), shapely.get_y(points)
    ats = [shapely.line_locate_point(lines[side[pair]], points) for side in (a, b)]
    return np.concatenate([a[pair], b[pair]]), np.concatenate(ats), np.tile(x, 2), np.tile(y, 2)


def _own_crossings(lines: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return where lines cross themselves, with the position of each passage."""
    found: list[tuple[int, float, float, float]] = []
    for i in free[~shapely.is_simple(lines[free])]:
        points = shapely.get_coordinates(lines[i])
        pieces = shapely.linestrings(np.stack([points[:-1], points[1:]], axis=1))
        before = np.concatenate([[0.0], np.cumsum(shapely.length(pieces))])
        p, q = shapely.STRtree(pieces).query(pieces, predicate="intersects")
        apart = p + 1 < q
        p, q = p[apart], q[apart]
        met, pair = shapely.get_parts(shapely.intersection(pieces[p], pieces[q]), return_index=True)
        single = shapely.get_type_id(met) == 0
        for piece in (p, q):
            of = piece[pair[single]]
            at = before[of] + shapely.line_locate_point(pieces[of], met[single])
            found += zip(np.full(len(at), i), at, shapely.get_x(met[single]), shapely.get_y(met[single]), strict=True)
    table = np.array(found, float).reshape(-1, 4)
    return table[:, 0].astype("int64"), table[:, 1], table[:, 2], table[:, 3]


def _cut(lines: np.ndarray, line: np.ndarray, at: np.ndarray, x: np.ndarray, y: np.ndarray) -> Noded:
    # the points of all lines and of all cuts in one row, sorted along each line; a cut takes the place of a point next to it
    points, of = shapely.get_coordinates(lines, return_index=True)
    step = np.hypot(*np.diff(points, axis=0, prepend=points[:1]).T)
    begins = np.concatenate([[True], of[1:] != of[:-1]])
    step[begins] = 0.0
    total = np.cumsum(step)
    along = total - np.repeat(total[begins], np.diff(np.append(np.flatnonzero(begins), len(of))))
    ends = begins | np.append(begins[1:], True)
    all_line, all_at = np.concatenate([of, line]), np.concatenate([along, at])
    all_x, all_y = np.concatenate([points[:, 0], x]), np.concatenate([points[:, 1], y])
    # ends of the line itself rank first, then cuts, then plain points
    rank = np.concatenate([np.where(ends, 0, 2), np.ones(len(line), "int64")])
    order = np.lexsort((all_y, all_x, rank, all_at, all_line))
    all_line, all_at, all_x, all_y, rank = (v[order] for v in (all_line, all_at, all_x, all_y, rank))
    apart = np.concatenate([[True], (all_line[1:] != all_line[:-1]) | (all_at[1:] - all_at[:-1] > _SAME_M)])
    group = np.cumsum(apart) - 1
    best = np.lexsort((np.arange(len(group)), rank, group))
    first = best[np.concatenate([[True], group[best][1:] != group[best][:-1]])]
    all_line, all_x, all_y, cut = all_line[first], all_x[first], all_y[first], rank[first] < 2
    node, node_x, node_y = _joined(all_x[cut], all_y[cut])
    all_x[cut], all_y[cut] = node_x[node], node_y[node]
    number = np.full(len(cut), -1)
    number[cut] = node
    spots = np.flatnonzero(cut)
    same = all_line[spots[:-1]] == all_line[spots[1:]]
    low, high = spots[:-1][same], spots[1:][same]
    size = high - low + 1
    flat = np.repeat(low - (np.cumsum(size) - size), size) + np.arange(size.sum())
    pieces = shapely.linestrings(np.column_stack([all_x[flat], all_y[flat]]), indices=np.repeat(np.arange(len(low)), size))
    start, end = number[low], number[high]
    # what lies within the joining of its own ends is no road of its own
    kept = np.where(start == end, shapely.length(pieces) > 2 * SNAP_M, shapely.length(pieces) > 0)
    used = np.unique(np.concatenate([start[kept], end[kept]]))
    return Noded(all_line[low[kept]], np.searchsorted(used, start[kept]), np.searchsorted(used, end[kept]), pieces[kept], node_x[used], node_y[used])


def _joined(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the node of every place, and the places of the nodes: places within the tolerance are one, at the first of them."""
    places, inverse = np.unique(np.column_stack([x, y]), axis=0, return_inverse=True)
    points = shapely.points(places)
    a, b = shapely.STRtree(points).query(points, predicate="dwithin", distance=SNAP_M)
    links = coo_array((np.ones(len(a)), (a, b)), shape=(len(places), len(places)))
    _, group = connected_components(links, directed=False)
    _, first = np.unique(group, return_index=True)
    # groups in the order of their first place, so that nodes are sorted
    rank = np.argsort(np.argsort(first))
    where = np.sort(first)
    return rank[group][inverse.ravel()], places[where, 0], places[where, 1]
