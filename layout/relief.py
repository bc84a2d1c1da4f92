"""The ground under every edge: slope step by step, and where it bends sharply."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layout.terrain import Terrain, clip_terrain, elevation_at, smooth_terrain

# ground is looked at this often along a line, about one cell of a 30 m terrain
STEP_M = 30.0
# noise of a radar terrain evens out over this width
_SMOOTH_M = 100.0
# hand-drawn lines wander about this much, and a corner tells its radius only over so short an arm
_WANDER_M, _ARM_M = 2.0, 40.0
# nobody asks about bends broader than this
_BROAD_M = 200.0


@dataclass(frozen=True)
class Relief:
    """Profile of every edge.

    Parameters
    ----------
    first
        Where the points of each edge begin; one longer than there are edges. Between ``first[i]`` and ``first[i + 1]``
        lie one step fewer than points.
    share
        Of every point, the share of the edge's length before it: 0 at the start, 1 at the end.
    step_m, slope, known
        Of every step: metres, rise over run along the edge, and whether the terrain has values there (flat where not).
    step_edge
        Of every step, row of the edge.
    bends
        Row of the edge and shares between which it bends, with the radius in metres: ``edge``, ``low``, ``high``,
        ``radius_m``; rows overlap.
    """

    first: np.ndarray
    share: np.ndarray
    step_m: np.ndarray
    slope: np.ndarray
    known: np.ndarray
    step_edge: np.ndarray
    bends: pd.DataFrame


def make_relief(edges: gpd.GeoDataFrame, terrain: Terrain | None) -> Relief:
    """Look up the ground along every edge.

    Parameters
    ----------
    edges
        ``Roads.edges`` in metres.
    terrain
        Elevation, smoothed here over 100 m; None counts as flat. Bridges, tunnels and ferries are straight between
        their ends.

    Returns
    -------
    Relief
        A point every 30 m or so.

    Examples
    --------
    >>> relief = make_relief(paper.roads.edges, None)
    >>> relief.step_m.tolist()[:2], len(relief.bends)
    ([1000.0, 1000.0], 0)
    """
    length = edges["length_m"].to_numpy(float)
    bends = find_bends(edges)
    straight = (edges["bridge"] | edges["tunnel"] | (edges["highway"] == "ferry")).to_numpy(bool)
    steps = np.maximum(1, np.round(length / STEP_M)).astype("int64")
    # without heights only a bend makes one part of an edge slower than another
    steps[straight | ((terrain is None) & ~np.isin(np.arange(len(edges)), bends["edge"]))] = 1
    first = np.append(0, np.cumsum(steps + 1))
    of = np.repeat(np.arange(len(edges)), steps + 1)
    share = (np.arange(len(of)) - first[of]) / steps[of]
    inner = np.flatnonzero(of[:-1] == of[1:]) if len(of) else np.zeros(0, "int64")
    edge = of[inner]
    run = (share[inner + 1] - share[inner]) * length[edge]
    slope, known = np.zeros(len(inner)), np.ones(len(inner), bool)
    if terrain is not None and len(of):
        points = shapely.line_interpolate_point(edges.geometry.to_numpy()[of], share, normalized=True)
        x, y = shapely.get_x(points), shapely.get_y(points)
        height = elevation_at(smooth_surface(terrain, x, y, str(edges.crs)), x, y, crs=str(edges.crs))
        rise = height[inner + 1] - height[inner]
        # there is no slope on the water
        level = (edges["highway"] == "ferry").to_numpy(bool)[edge] | (run <= 0)
        known = np.isfinite(rise) | level
        np.divide(rise, run, out=slope, where=np.isfinite(rise) & ~level)
    return Relief(first, share, run, slope, known, edge, bends)


def find_bends(edges: gpd.GeoDataFrame) -> pd.DataFrame:
    """Measure how sharply roads bend at every corner of their lines.

    The radius is that of the circle through a corner and the points one arm before and after it, on the line smoothed by
    2 m (Douglas and Peucker); an arm ends at the next corner or after 40 m. Where a way was cut at a corner, only the arm
    on the later of the two edges counts: a road that is built must not make one slower that was there.

    Parameters
    ----------
    edges
        ``Roads.edges`` in metres.

    Returns
    -------
    pandas.DataFrame
        ``edge`` (row), ``low``, ``high`` (shares of the length over which the two arms lie on that edge), ``radius_m``,
        for radii below 200 m.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely.geometry import LineString
    >>> corner = paper.roads.edges.head(1).set_geometry([LineString([(0, 0), (100, 0), (100, 100)])])
    >>> find_bends(corner).round(3).values.tolist()
    [[0.0, 0.3, 0.5, 28.284], [0.0, 0.5, 0.7, 28.284]]
    """
    lines = edges.geometry.to_numpy()
    if not len(lines):
        return pd.DataFrame({"edge": np.zeros(0, "int64"), "low": 0.0, "high": 0.0, "radius_m": 0.0})
    simple, bent = lines.copy(), shapely.get_num_coordinates(lines) > 2
    simple[bent] = shapely.simplify(lines[bent], _WANDER_M, preserve_topology=False)
    xy, edge = shapely.get_coordinates(simple, return_index=True)
    inner = np.flatnonzero((edge[1:-1] == edge[:-2]) & (edge[1:-1] == edge[2:])) + 1
    length = shapely.length(lines)
    whole = shapely.length(simple)
    arm = np.hypot(*(xy[1:] - xy[:-1]).T)
    # positions along the simplified line, as shares of it
    run = np.append(0.0, np.cumsum(arm))
    first = np.searchsorted(edge, np.arange(len(lines)))
    at = (run - run[first][edge]) / np.where(whole > 0, whole, 1.0)[edge]
    parts = [_corners(xy[inner], xy[inner - 1], xy[inner + 1], edge[inner], edge[inner], at[inner], at[inner], length)]
    # ends of edges where one way goes on: two ends of the same way and no more
    last = np.append(first[1:], len(edge)) - 1
    ways, ends = edges["way_id"].to_numpy("int64"), edges[["from_node", "to_node"]].to_numpy("int64")
    table = pd.DataFrame(
        {"way": np.tile(ways, 2), "node": ends.T.ravel(), "edge": np.tile(np.arange(len(lines)), 2), "corner": np.append(first, last),
         "other": np.append(first + 1, last - 1), "share": np.repeat([0.0, 1.0], len(lines))}
    )  # fmt: skip
    table = table[table["way"] > 0]
    table = table[table.groupby(["way", "node"])["edge"].transform("size") == 2].sort_values(["way", "node", "edge", "share"])
    one, two = table.iloc[::2], table.iloc[1::2]
    meet = [one[c].to_numpy() for c in ("corner", "other", "edge", "share")], [two[c].to_numpy() for c in ("other", "edge", "share")]
    (corner, before, edge_1, share_1), (after, edge_2, share_2) = meet
    # the table is sorted by edge, so the second of two is the later one
    parts.append(_corners(xy[corner], xy[before], xy[after], edge_1, edge_2, share_1, share_2, length).iloc[len(one) :])
    found = pd.concat(parts, ignore_index=True)
    found = found[found["radius_m"] < _BROAD_M]
    return found[found["high"] > found["low"]].sort_values(["edge", "low", "high"], kind="stable", ignore_index=True)


def share_in_bends(relief: Relief, edges: int, radius_m: float) -> np.ndarray:
    """Return what share of every step lies in a bend sharper than a radius.

    Parameters
    ----------
    relief
        Profiles and bends.
    edges
        Number of edges.
    radius_m
        Bends of a smaller radius count.

    Returns
    -------
    numpy.ndarray
        From 0 to 1, by step.

    Examples
    --------
    >>> share_in_bends(make_relief(paper.roads.edges, None), 10, 45.0).max()
    np.float64(0.0)
    """
    out = np.zeros(len(relief.step_m))
    sharp = relief.bends[relief.bends["radius_m"] < radius_m]
    if not len(sharp) or not edges:
        return out
    # union of the stretches: on one axis where every edge takes two units
    low, high = (2.0 * sharp["edge"].to_numpy(float) + sharp[c].to_numpy(float) for c in ("low", "high"))
    order = np.argsort(low, kind="stable")
    low, high = low[order], np.maximum.accumulate(high[order])
    begins = np.append(True, low[1:] > high[:-1])
    start, end = low[begins], high[np.append(begins[1:], True)]
    # length of the union before every point, then between the points of each step
    inside = np.append(0.0, np.cumsum(end - start))
    point = 2.0 * np.repeat(np.arange(edges), np.diff(relief.first)) + relief.share
    i = np.searchsorted(start, point, side="right")
    before = inside[i] - np.where(i > 0, np.maximum(end[i - 1] - point, 0.0), 0.0)
    inner = np.delete(np.arange(len(point)), relief.first[1:] - 1)
    width = relief.share[inner + 1] - relief.share[inner]
    return np.clip((before[inner + 1] - before[inner]) / width, 0.0, 1.0)


def smooth_surface(terrain: Terrain, x: np.ndarray, y: np.ndarray, crs: str) -> Terrain:
    """Return the smoothed ground around points, as roads and open ground are walked on it.

    Parameters
    ----------
    terrain
        Elevation.
    x, y
        At least one point, in ``crs``.
    crs
        Coordinate system of the points.

    Returns
    -------
    Terrain
        So much ground that the smoothing at none of the points meets the border of the part; without a cell where the
        terrain does not meet the points.

    Examples
    --------
    >>> plain = Terrain(np.full((99, 99), 7, "float32"), 0, 2970, 30, 30, "EPSG:4545")
    >>> smooth_surface(plain, np.array([1500.0]), np.array([1500.0]), "EPSG:4545").elevation.shape
    (22, 22)
    """
    around = 3 * _SMOOTH_M
    part = clip_terrain(terrain, (x.min() - around, y.min() - around, x.max() + around, y.max() + around), crs=crs)
    return smooth_terrain(part, width_m=_SMOOTH_M) if part.elevation.size else part


def _corners(
    corner: np.ndarray, before: np.ndarray, after: np.ndarray, edge_1: np.ndarray, edge_2: np.ndarray, share_1: np.ndarray, share_2: np.ndarray,
    length: np.ndarray,
) -> pd.DataFrame:  # fmt: skip
    """Return the stretches of two arms; the first lies before share_1 of edge_1 (after it at 0), the second after share_2."""
    arms = []
    for point in (before, after):
        way = point - corner
        long = np.hypot(way[:, 0], way[:, 1])
        arms.append(way * np.divide(np.minimum(long, _ARM_M), long, out=np.zeros(len(long)), where=long > 0)[:, None])
    a, b = np.hypot(*arms[0].T), np.hypot(*arms[1].T)
    c = np.hypot(*(arms[0] - arms[1]).T)
    doubled = np.abs(arms[0][:, 0] * arms[1][:, 1] - arms[0][:, 1] * arms[1][:, 0])
    # a b c / 4 area; a line that turns back on itself has no room at all
    radius = np.divide(a * b * c, 2 * doubled, out=np.where((arms[0] * arms[1]).sum(1) > 0, 0.0, np.inf), where=doubled > 1e-9)
    parts = []
    for edge, share, arm, back in ((edge_1, share_1, a, share_1 > 0), (edge_2, share_2, b, share_2 >= 1)):
        reach = np.divide(arm, length[edge], out=np.zeros(len(arm)), where=length[edge] > 0)
        low, high = np.where(back, share - reach, share), np.where(back, share, share + reach)
        parts.append(pd.DataFrame({"edge": edge, "low": np.clip(low, 0, 1), "high": np.clip(high, 0, 1), "radius_m": radius}))
    found = pd.concat(parts, ignore_index=True)
    found["edge"] = found["edge"].astype("int64")
    return found
