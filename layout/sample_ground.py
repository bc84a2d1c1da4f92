"""The ground of the fictional county: karst terrain, a river with few bridges, and roads that follow the slopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from shapely.geometry import LineString

from layout.roads import Roads, complete_edges
from layout.terrain import Terrain

CELL_M = 90.0  # side of a terrain cell
GRID_M = 180.0  # side of a cell of the grid on which roads are laid
JITTER_M = 35.0  # road points leave the middle of their cell by up to this, so that roads do not look like a grid
RIVER_CLEAR = 0.95  # cells whose middle is nearer to the river than this many cells cannot be crossed
SIMPLIFY_M = 8.0  # tolerance of road geometry
CLOSED = "service"  # class of a road closed to everybody (the way into a quarry)

# highway: (rank, gradient at which a metre costs double, widths drawn, speed limits drawn); nan is "the bureau does not know"
NAN = float("nan")
CLASSES: Mapping[str, tuple[int, float, tuple[float, ...], tuple[float, ...]]] = {
    "primary": (0, 0.05, (8.5, 9.0), (60.0,)),
    "tertiary": (1, 0.06, (6.0, 6.5, 6.5, NAN), (40.0, 40.0, NAN)),
    "residential": (2, 0.08, (4.5, 5.0, 7.0), (30.0,)),
    "unclassified": (3, 0.08, (3.5, 4.0, 4.5, NAN), (20.0, 30.0, NAN)),
    "track": (4, 0.12, (2.5, 3.0, NAN), (NAN,)),
    "path": (5, 0.15, (1.2, NAN, NAN), (NAN,)),
    CLOSED: (6, 0.12, (3.0,), (NAN,)),
}
LAID = ("primary", "tertiary", "unclassified", "path")  # the classes that look for their own way
NAMES = {"primary": "S999"}
MOTORISED = ("primary", "tertiary", "residential", "unclassified", "track")

Links = dict[tuple[int, int], str]  # highway by pair of grid cells, the lower cell first


@dataclass(frozen=True)
class Grid:
    """The grid on which places are set and roads are laid.

    Parameters
    ----------
    x, y, z
        Point of every cell in metres, row by row from the south.
    slope
        Gradient of the ground there, rise over run.
    dry
        Whether it is off the river.
    from_river
        Metres to the river.
    columns
        Cells in a row.
    bridges
        Pairs of cells on opposite banks.
    pairs
        Every other pair of neighbouring dry cells.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    slope: np.ndarray
    dry: np.ndarray
    from_river: np.ndarray
    columns: int
    bridges: np.ndarray
    pairs: np.ndarray


def make_terrain(rng: np.random.Generator, *, west: float, south: float, width_m: float, height_m: float, crs: str) -> tuple[Terrain, LineString]:
    """Raise ranges, karst cones and one valley with a river from west to east.

    Parameters
    ----------
    rng
        Source of chance.
    west, south, width_m, height_m
        Extent in metres of ``crs``.
    crs
        Metric coordinate system.

    Returns
    -------
    tuple of Terrain and LineString
        Whole metres, about 500 to 1700, in cells of 90 m; and the course of the river.

    Examples
    --------
    >>> terrain, river = make_terrain(np.random.default_rng(1), west=0, south=0, width_m=9000, height_m=9000, crs="EPSG:4545")
    >>> terrain.elevation.shape, bool((terrain.elevation == terrain.elevation.round()).all())
    ((100, 100), True)
    """
    columns, rows = round(width_m / CELL_M), round(height_m / CELL_M)
    # the river swings about the middle of the county and falls towards the east
    along = np.linspace(0, 1, 1 + columns)
    phase = rng.uniform(0, 2 * np.pi, 3)
    swing = 0.11 * np.sin(2 * np.pi * 1.1 * along + phase[0]) + 0.04 * np.sin(2 * np.pi * 3.3 * along + phase[1])
    swing += 0.012 * np.sin(2 * np.pi * 9.0 * along + phase[2])
    river = np.column_stack([along * columns * CELL_M, (0.46 + swing) * rows * CELL_M])
    y, x = np.mgrid[0:rows, 0:columns] * CELL_M + CELL_M / 2
    floor = np.linspace(690, 560, columns)[None, :]
    away = cKDTree(river).query(np.column_stack([x.ravel(), y.ravel()]))[0]
    away = gaussian_filter(away.reshape(x.shape), 1.5) / 1000
    ranges, valleys, cones = (_noise(rng, x.shape, sigma) for sigma in (30.0, 11.0, 3.4))
    height = floor + 430 * (1 - np.exp(-((away / 6.0) ** 1.4)))
    height += 165 * ranges * (1 - np.exp(-((away / 3.0) ** 2)))
    # side valleys run where the middle noise changes sign; cones stand on what is left
    height += 150 * (np.minimum(np.abs(valleys), 1.4) - 0.5) * (1 - np.exp(-((away / 1.6) ** 2)))
    height += 62 * np.maximum(cones, -0.3) * np.clip(np.abs(valleys), 0.15, 1) * (1 - np.exp(-((away / 1.0) ** 2)))
    elevation = np.clip(np.round(np.maximum(height, floor - 20)), 500, 1750).astype("float32")[::-1]
    terrain = Terrain(np.ascontiguousarray(elevation), west, south + rows * CELL_M, CELL_M, CELL_M, crs)
    return terrain, LineString(np.round(river[::3] + np.array([west, south]), 1))


def make_grid(rng: np.random.Generator, terrain: Terrain, river: LineString, *, bridge_every_m: float) -> Grid:
    """Lay the grid for places and roads over the terrain.

    Parameters
    ----------
    rng
        Source of chance.
    terrain, river
        From :func:`make_terrain`.
    bridge_every_m
        Metres of river to one bridge.

    Returns
    -------
    Grid
        Cells, neighbours and bridges; nothing else crosses the river.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> terrain, river = make_terrain(rng, west=0, south=0, width_m=9000, height_m=9000, crs="EPSG:4545")
    >>> grid = make_grid(rng, terrain, river, bridge_every_m=4500)
    >>> len(grid.x), grid.columns, bool(grid.dry[grid.bridges].all())
    (2500, 50, True)
    """
    rows, columns = (int(n * CELL_M // GRID_M) for n in terrain.elevation.shape)
    south = terrain.north - terrain.elevation.shape[0] * terrain.cell_y
    j, i = (a.ravel() for a in np.mgrid[0:rows, 0:columns])
    shift = rng.uniform(-JITTER_M, JITTER_M, (2, len(i)))
    x, y = terrain.west + (i + 0.5) * GRID_M + shift[0], south + (j + 0.5) * GRID_M + shift[1]
    at = np.array([(terrain.north - y) / terrain.cell_y - 0.5, (x - terrain.west) / terrain.cell_x - 0.5])
    ground = terrain.elevation.astype(float)
    z = map_coordinates(ground, at, order=1, mode="nearest")
    slope = map_coordinates(np.hypot(*np.gradient(gaussian_filter(ground, 1.0), CELL_M)), at, order=1, mode="nearest")
    course = river.segmentize(GRID_M / 6)
    from_river = cKDTree(np.asarray(course.coords)).query(np.column_stack([x, y]))[0]
    dry = from_river > RIVER_CLEAR * GRID_M
    cell = np.arange(rows * columns).reshape(rows, columns)
    steps = [(cell[:, :-1], cell[:, 1:]), (cell[:-1], cell[1:]), (cell[:-1, :-1], cell[1:, 1:]), (cell[:-1, 1:], cell[1:, :-1])]
    pairs = np.concatenate([np.column_stack([a.ravel(), b.ravel()]) for a, b in steps])
    pairs = pairs[dry[pairs].all(axis=1)]
    bridges = _bridges(river, np.column_stack([x, y]), dry, bridge_every_m)
    return Grid(np.round(x, 1), np.round(y, 1), z, slope, dry, from_river, columns, bridges, pairs)


def ways(grid: Grid) -> Mapping[str, csr_array]:
    """Say what a road of each class would cost between neighbouring cells.

    Parameters
    ----------
    grid
        From :func:`make_grid`.

    Returns
    -------
    Mapping[str, scipy.sparse.csr_array]
        Cost in metres of level road, both ways, by class: the steeper a road may be, the less a gradient costs.
    """
    a, b = np.concatenate([grid.pairs, grid.bridges]).T
    length = np.hypot(grid.x[a] - grid.x[b], grid.y[a] - grid.y[b])
    gradient = np.abs(grid.z[a] - grid.z[b]) / length
    gradient[len(grid.pairs) :] = 0  # a bridge is level
    both = (np.concatenate([a, b]), np.concatenate([b, a]))
    return {
        highway: csr_array((np.tile(length * (1 + (gradient / CLASSES[highway][1]) ** 2), 2), both), shape=(len(grid.x),) * 2) for highway in LAID
    }


def reach(costs: csr_array, sources: Sequence[int], *, limit: float = np.inf) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure what a road would cost from the nearest of some cells to every cell.

    Parameters
    ----------
    costs
        Of one class, from :func:`ways`.
    sources
        Cells to start from.
    limit
        Cost beyond which nothing is looked for.

    Returns
    -------
    tuple of numpy.ndarray
        Cost in metres of level road (inf on the river and beyond the limit), the cell before, the source.
    """
    return dijkstra(costs, indices=np.unique(sources), limit=limit, return_predecessors=True, min_only=True)


def lay(
    costs: Mapping[str, csr_array], links: Links, sources: Sequence[int], targets: Sequence[int], highway: str,
    *, limit: float = np.inf,
) -> Links:  # fmt: skip
    """Add the cheapest ways from a network to some cells; ways that meet share their course.

    Parameters
    ----------
    costs
        From :func:`ways`.
    links
        Roads so far; not changed. A better road is never made worse.
    sources
        Cells to start from, or none for every cell of ``links``.
    targets
        Cells to reach.
    highway
        Class of the new roads.
    limit
        Cost beyond which a cell is left without a road.

    Returns
    -------
    dict
        Highway by pair of cells.
    """
    start = list(sources) or sorted({cell for pair in links for cell in pair})
    cost, before, _ = reach(costs[highway], start, limit=limit)
    out = dict(links)
    for target in targets:
        cell = int(target)
        while np.isfinite(cost[cell]) and before[cell] >= 0:
            nearer = int(before[cell])
            pair = (min(cell, nearer), max(cell, nearer))
            if CLASSES[out.get(pair, CLOSED)][0] >= CLASSES[highway][0]:
                out[pair] = highway
            cell = nearer
    return out


def streets(grid: Grid, links: Links, centre: int, *, blocks: int) -> Links:
    """Add a small net of streets about a cell.

    Parameters
    ----------
    grid
        From :func:`make_grid`.
    links
        Roads so far; not changed.
    centre
        Cell in the middle.
    blocks
        Cells from the middle to each side.

    Returns
    -------
    dict
        Highway by pair of cells.
    """
    row, column = divmod(centre, grid.columns)
    beside: dict[int, list[int]] = {}
    first, second = grid.pairs.T // grid.columns
    for a, b in grid.pairs[(np.abs(first - row) <= blocks) & (np.abs(second - row) <= blocks)]:
        (r1, c1), (r2, c2) = divmod(int(a), grid.columns), divmod(int(b), grid.columns)
        inside = max(abs(c1 - column), abs(c2 - column)) <= blocks
        # every second row and column of cells is a street
        level, upright = r1 == r2 and (r1 - row) % 2 == 0, c1 == c2 and (c1 - column) % 2 == 0
        if inside and (level or upright):
            beside.setdefault(int(a), []).append(int(b))
            beside.setdefault(int(b), []).append(int(a))
    # only what hangs together with the middle: no streets beyond a river
    out, found = dict(links), [centre]
    for cell in found:
        found += [c for c in beside.get(cell, []) if c not in found]
        for other in beside.get(cell, []):
            out.setdefault((min(cell, other), max(cell, other)), "residential")
    return out


def to_roads(rng: np.random.Generator, grid: Grid, links: Links, crs: str) -> Roads:
    """Join links of one class to roads cut at their junctions.

    Parameters
    ----------
    rng
        Source of chance for widths and speed limits.
    grid
        From :func:`make_grid`.
    links
        Highway by pair of cells.
    crs
        Metric coordinate system.

    Returns
    -------
    Roads
        Sorted nodes and edges; bridges are edges of their own.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> terrain, river = make_terrain(rng, west=0, south=0, width_m=9000, height_m=9000, crs="EPSG:4545")
    >>> grid = make_grid(rng, terrain, river, bridge_every_m=4500)
    >>> dry = np.flatnonzero(grid.dry)
    >>> links = lay(ways(grid), {}, [int(dry[0])], [int(dry[-1])], "tertiary")
    >>> roads = to_roads(rng, grid, links, "EPSG:4545")
    >>> roads.edges.bridge.tolist(), roads.nodes.node_id.tolist()
    ([False, True, False], [0, 1, 2, 3])
    """
    bridges = {(int(min(p)), int(max(p))) for p in grid.bridges}
    chains = _chains({pair: (highway, pair in bridges) for pair, highway in sorted(links.items())})
    cells = sorted({cell for chain, _ in chains for cell in (chain[0], chain[-1])})
    number = {cell: i for i, cell in enumerate(cells)}
    nodes = pd.DataFrame({"node_id": np.arange(len(cells)), "x": grid.x[cells], "y": grid.y[cells]})
    rows, shapes = [], []
    for way, (chain, (highway, bridge)) in enumerate(chains, start=1):
        _, _, widths, speeds = CLASSES[highway]
        shape = _smooth(np.column_stack([grid.x[chain], grid.y[chain]]))
        closed, drive = highway == CLOSED, highway in MOTORISED
        surface = {"primary": "asphalt", "tertiary": "asphalt", "path": "ground", "track": "gravel"}.get(highway, "concrete")
        rows.append({
            "from_node": number[chain[0]], "to_node": number[chain[-1]], "highway": highway, "name": NAMES.get(highway, ""),
            "length_m": round(shape.length, 1), "oneway": 0, "walk": not closed, "drive": drive,
            "maxspeed_kph": float(rng.choice(speeds)), "width_m": float(rng.choice(widths)), "bridge": bridge,
            "tunnel": False, "steps": False, "surface": surface, "way_id": way,
        })  # fmt: skip
        shapes.append(shape)
    edges = gpd.GeoDataFrame(rows, geometry=shapes, crs=crs)
    edges.insert(0, "edge_id", np.arange(len(edges)))
    return Roads(nodes, complete_edges(edges), crs, {"file": "", "sha256": "", "attribution": ""})


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    field = gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    return (field - field.mean()) / field.std()


def _bridges(river: LineString, points: np.ndarray, dry: np.ndarray, every_m: float) -> np.ndarray:
    # each bridge joins the nearest dry cells of both banks where the straight way between them crosses the river once
    count = max(2, round(river.length / every_m))
    cells = np.flatnonzero(dry)
    tree = cKDTree(points[cells])
    found: list[tuple[int, int]] = []
    for k in range(count):
        at = river.length * (k + 0.5) / count
        here = np.asarray(river.interpolate(at).coords[0])
        ahead = np.asarray(river.interpolate(at + 50).coords[0])
        near = cells[tree.query(here, k=16)[1]]
        side = np.cross(np.append(ahead - here, 0), np.column_stack([points[near] - here, np.zeros(len(near))]))[:, 2] > 0
        choices = [(float(np.hypot(*(points[a] - points[b]))), int(a), int(b)) for a in near[side] for b in near[~side]]
        for _, a, b in sorted(choices):
            crossing = LineString([points[a], points[b]]).intersection(river)
            if crossing.geom_type == "Point" and not crossing.is_empty:
                found.append((a, b))
                break
    return np.array(found, dtype=int).reshape(-1, 2)


def _chains(links: Mapping[tuple[int, int], tuple[str, bool]]) -> list[tuple[list[int], tuple[str, bool]]]:
    # walk from every junction (or change of class) along cells that only pass the road on
    beside: dict[int, list[int]] = {}
    for a, b in links:
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)

    def kind(a: int, b: int) -> tuple[str, bool]:
        return links[min(a, b), max(a, b)]

    def passes(cell: int) -> bool:
        near = beside[cell]
        return len(near) == 2 and kind(cell, near[0]) == kind(cell, near[1]) and not kind(cell, near[0])[1]

    used: dict[tuple[int, int], bool] = {}
    chains = []
    starts = [c for c in sorted(beside) if not passes(c)]
    # a ring without any junction starts at its lowest cell
    for start in starts + sorted(beside):
        for step in sorted(beside[start]):
            if (min(start, step), max(start, step)) in used:
                continue
            chain, here = [start], step
            used[min(start, step), max(start, step)] = True
            while passes(here) and here != start:
                chain.append(here)
                ahead = next(c for c in beside[here] if c != chain[-2])
                used[min(here, ahead), max(here, ahead)] = True
                here = ahead
            chain.append(here)
            # a loop back to its own junction is cut in the middle
            parts = [chain] if chain[0] != chain[-1] else [chain[: len(chain) // 2 + 1], chain[len(chain) // 2 :]]
            chains += [(part, kind(start, step)) for part in parts]
    return sorted(chains)


def _smooth(points: np.ndarray) -> LineString:
    # one round of corner cutting keeps the ends and stays between the cells that were crossed
    if len(points) > 2:
        first, second = 0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]
        cut = np.stack([first, second], axis=1).reshape(-1, 2)
        points = np.concatenate([points[:1], cut[1:-1], points[-1:]])
    line = LineString(points).simplify(SIMPLIFY_M)
    return LineString(np.round(np.asarray(line.coords), 1))
