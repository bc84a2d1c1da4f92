"""Why a way takes so long, or why there is none: the path between two places, part by part."""

from __future__ import annotations

import itertools

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import shapely.ops
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from layout.joins import ground_ticks
from layout.network import Network
from layout.open_ground import ground_minutes
from layout.pace import NEVER, RULES, TICKS, Ways
from layout.search import Joined, join_places, reach_ends, stand

# how much dearer a closed piece is than all open ones together, in ticks: a way past it uses as few as it can
_CLOSED = float(2**36)
_COLUMNS = ("part", "edge_id", "highway", "name", "length_m", "minutes", "rule")


def explain_time(network: Network, origin: gpd.GeoDataFrame | Joined, destination: gpd.GeoDataFrame | Joined) -> gpd.GeoDataFrame:
    """Return the quickest way between two places part by part, and what decided the speed of each.

    Parameters
    ----------
    network
        From :func:`layout.prepare_network`.
    origin, destination
        One place each, as in :func:`layout.travel_matrix`.

    Returns
    -------
    geopandas.GeoDataFrame
        In the order of travel: ``part`` (``ground`` off the road, ``walk``, ``ride``, ``wait`` once a trip), ``edge_id`` (-1
        off the road), ``highway``, ``name``, ``length_m``, ``minutes``, ``rule`` (for riding what decided most of it, as in
        :func:`layout.network.edge_minutes`) and ``geometry``. The minutes add up to those of the matrix. Where there is no
        way, the way that passes the fewest closed edges, these with infinite minutes and ``rule`` ``closed``,
        ``no_walking``, ``no_vehicles`` or ``oneway``; no row at all where even that does not exist, as between islands or
        for a place within reach of no road.

    Raises
    ------
    ValueError
        If there is not just one origin and one destination.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> ends = paper.settlements.iloc[[0]], paper.schools.iloc[[0]]
    >>> explain_time(network, *ends)[["part", "edge_id", "minutes"]].values.tolist()
    [['walk', 0, 10.0], ['walk', 1, 5.0]]
    """
    a, b = join_places(network, origin), join_places(network, destination)
    if len(a.ids) != 1 or len(b.ids) != 1:
        raise ValueError(f"explain_time takes one origin and one destination, not {len(a.ids)} and {len(b.ids)}")
    straight = ground_minutes(network.ground, np.zeros(1, "int64"), a.joins.x, a.joins.y, b.joins.x, b.joins.y)[0]
    near = np.hypot(a.joins.x - b.joins.x, a.joins.y - b.joins.y) <= network.join_radius_m
    direct = int(ground_ticks(network, straight)[0]) if near[0] else NEVER
    for open_only in (True, False):
        ticks, rows = _search(network, a, b, open_only)
        if direct < NEVER and direct <= ticks:
            rows = [_row("ground", None, direct, line=shapely.LineString([(a.joins.x[0], a.joins.y[0]), (b.joins.x[0], b.joins.y[0])]))]
        if rows:
            break
    if rows and network.fixed_minutes:
        rows.insert(next((i for i, r in enumerate(rows) if r["part"] == "ride"), len(rows)), _row("wait", None, network.fixed_minutes * TICKS))
    frame = pd.DataFrame(rows, columns=[*_COLUMNS, "geometry"]).astype(
        {"part": "str", "edge_id": "int64", "highway": "str", "name": "str", "length_m": float, "minutes": float, "rule": "str"}
    )
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=network.crs)


def _search(network: Network, a: Joined, b: Joined, open_only: bool) -> tuple[float, list[dict[str, object]]]:
    """Return the ticks of the least way over the network and its rows; closed pieces only where they are allowed."""
    storeys = [network.walk] if network.ride is None else [network.walk, network.ride, network.walk]
    count, last = network.topology.vertices, len(storeys) - 1
    arcs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    starts: list[tuple[np.ndarray, ...]] = []
    ends: list[tuple[np.ndarray, ...]] = []
    whole = []
    for storey, ways in enumerate(storeys):
        tail, head = network.topology.tail + storey * count, network.topology.head + storey * count
        for source, target, ticks in ((tail, head, ways.ticks), (head, tail, ways.ticks_back)):
            arcs.append((source, target, _dear(ticks, open_only)))
        if storey:
            every = np.arange(count)
            arcs.append((every + (storey - 1) * count, every + storey * count, np.zeros(count)))
        kinds = [(ways, 0.0)] if open_only else [(ways, 0.0), (_opened(ways), _CLOSED)]
        for joined, away, found in ((a, True, starts), (b, False, ends)):
            if (storey == 0 and away) or (storey == last and not away) or storey == 1:
                joins = joined.joins
                ground = ground_ticks(network, joins.out if away else joins.back)
                every = np.arange(len(joins.place))
                for free, extra in kinds:
                    strands = free.by_piece
                    standing = stand(free, strands, network, every, joins.edge, joins.share, ground)
                    join, vertex, ticks = reach_ends(strands, standing, away=away)
                    found.append((join, vertex + storey * count, ticks + extra, np.full(len(join), storey)))
        if storey < 2:
            whole.append(_on_one_edge(network, ways, a, b, open_only))
    begin, finish = ([np.concatenate([part[i] for part in side]) for i in range(4)] for side in (starts, ends))
    size = count * len(storeys)
    source = np.concatenate([*(t[0] for t in arcs), np.full(len(begin[0]), size), finish[1]])
    target = np.concatenate([*(t[1] for t in arcs), begin[1], np.full(len(finish[0]), size + 1)])
    cost = np.concatenate([*(t[2] for t in arcs), begin[2], finish[2]])
    known = np.isfinite(cost)
    order = np.lexsort((cost[known], target[known], source[known]))
    source, target, cost, which = source[known][order], target[known][order], cost[known][order], np.flatnonzero(known)[order]
    first = np.append(True, (source[1:] != source[:-1]) | (target[1:] != target[:-1]))
    source, target, cost, which = source[first], target[first], cost[first], which[first]
    graph = csr_array((cost, (source, target)), shape=(size + 2, size + 2))
    distance, before = dijkstra(graph, indices=size, return_predecessors=True)
    best = min(whole, key=lambda w: w[0])
    if best[0] <= distance[size + 1]:
        return best[0], best[1]
    if not np.isfinite(distance[size + 1]):
        return np.inf, []
    path = [size + 1]
    while path[-1] != size:
        path.append(int(before[path[-1]]))
    path.reverse()
    number = {(int(u), int(v)): int(w) for u, v, w in zip(source, target, which, strict=True)}
    sizes = np.cumsum([len(t[0]) for t in arcs])
    rows: list[dict[str, object]] = []
    for u, v in itertools.pairwise(path):
        w = number[u, v]
        if w >= sizes[-1]:
            side, at = (begin, w - sizes[-1]) if w < sizes[-1] + len(begin[0]) else (finish, w - sizes[-1] - len(begin[0]))
            rows += _access(network, a if side is begin else b, int(side[0][at]), int(side[1][at]) % count, storeys[int(side[3][at])], side is begin)
            continue
        block = int(np.searchsorted(sizes, w, side="right"))
        storey = u // count
        if v // count == storey:
            piece = w - (int(sizes[block - 1]) if block else 0)
            edge = int(network.topology.edge[piece])
            if edge >= 0:
                low, high = float(network.topology.low[piece]), float(network.topology.high[piece])
                back = u - storey * count != network.topology.tail[piece]
                rows.append(_along(network, storeys[storey], edge, *((high, low) if back else (low, high)), back))
    return float(distance[size + 1]), [r for r in rows if r["minutes"] or r["length_m"]]


def _dear(ticks: np.ndarray, open_only: bool) -> np.ndarray:
    return np.where(ticks >= NEVER, np.inf if open_only else _CLOSED, ticks.astype(float))


def _opened(ways: Ways) -> Ways:
    """Return the ways with everything open: what is closed then costs as much as a great detour."""
    ticks, back = (np.where(t >= NEVER, NEVER - 1, t) for t in (ways.ticks, ways.ticks_back))
    nothing = np.zeros_like(ways.shut)
    return Ways(ways.skeleton, ways.axis, ways.minutes, ways.minutes_back, nothing, nothing, ticks, back, ways.rule, ways.rule_back)


def _on_one_edge(network: Network, ways: Ways, a: Joined, b: Joined, open_only: bool) -> tuple[float, list[dict[str, object]]]:
    """Return the least ticks between the places along one edge, and the rows of that way."""
    best: tuple[float, list[dict[str, object]]] = (np.inf, [])
    out, back = ground_ticks(network, a.joins.out), ground_ticks(network, b.joins.back)
    for i in np.flatnonzero(out < NEVER):
        for j in np.flatnonzero((b.joins.edge == a.joins.edge[i]) & (back < NEVER)):
            edge, s, t = int(a.joins.edge[i]), float(a.joins.share[i]), float(b.joins.share[j])
            row = _along(network, ways, edge, s, t, t < s)
            taken = float(row["minutes"]) * TICKS if s != t else 0.0  # type: ignore[arg-type]
            ticks = out[i] + back[j] + (taken if open_only or np.isfinite(taken) else _CLOSED)
            if ticks >= best[0]:
                continue
            legs = [_ground(network, a, int(i), True), *([row] if s != t else []), _ground(network, b, int(j), False)]
            best = (ticks, [leg for leg in legs if leg["minutes"] or leg["length_m"]])
    return best


def _access(network: Network, joined: Joined, join: int, vertex: int, ways: Ways, away: bool) -> list[dict[str, object]]:
    """Return the rows from a place over the ground and along the edge it meets to a vertex, or the other way."""
    joins = joined.joins
    edge, share = int(joins.edge[join]), float(joins.share[join])
    piece = int(network.piece_at(np.array([edge]), np.array([share]))[0])
    end = float(network.topology.low[piece] if vertex == network.topology.tail[piece] else network.topology.high[piece])
    ground = _ground(network, joined, join, away)
    if end == share:
        return [ground]
    leg = _along(network, ways, edge, share, end, end < share) if away else _along(network, ways, edge, end, share, share < end)
    return [ground, leg] if away else [leg, ground]


def _ground(network: Network, joined: Joined, join: int, away: bool) -> dict[str, object]:
    joins = joined.joins
    place = int(joins.place[join])
    met = shapely.line_interpolate_point(network.roads.edges.geometry.iloc[int(joins.edge[join])], float(joins.share[join]), normalized=True)
    points = [(float(joins.x[place]), float(joins.y[place])), (met.x, met.y)]
    ticks = int(ground_ticks(network, (joins.out if away else joins.back)[join : join + 1])[0])
    return _row("ground", None, ticks, line=shapely.LineString(points if away else points[::-1]))


def _along(network: Network, ways: Ways, edge: int, start: float, end: float, back: bool) -> dict[str, object]:
    """Return the row of travelling along an edge from one share of its length to another."""
    relief, facts = network.relief, network.roads.edges.iloc[edge]
    minutes = ways.minutes_back if back else ways.minutes
    at = np.interp([2.0 * edge + start, 2.0 * edge + end], ways.axis, minutes) * TICKS
    ticks = abs(round(at[1]) - round(at[0]))
    riding = len(ways.rule) > 0
    rule = ""
    if (ways.shut_back if back else ways.shut)[edge]:
        ticks = np.inf
        usable = bool(facts["bus" if network.mode in ("bus", "week") else "drive"]) if riding else bool(facts["walk"])
        rule = "closed" if network.closed[edge] else ("oneway" if usable else "no_vehicles" if riding else "no_walking")
    elif riding:
        low, high = sorted((start, end))
        steps = slice(int(relief.first[edge]) - edge, int(relief.first[edge + 1]) - 1 - edge)
        share = relief.share[int(relief.first[edge]) : int(relief.first[edge + 1])]
        metres = np.clip(np.minimum(share[1:], high) - np.maximum(share[:-1], low), 0, None)
        codes = (ways.rule_back if back else ways.rule)[steps]
        rule = RULES[int(np.bincount(codes, metres, minlength=len(RULES)).argmax())]
    line = shapely.ops.substring(facts.geometry, start, end, normalized=True)
    return _row("ride" if riding else "walk", facts, ticks, abs(end - start) * float(facts["length_m"]), rule, line)


def _row(
    part: str, facts: pd.Series | None, ticks: float, length_m: float | None = None, rule: str = "", line: shapely.LineString | None = None
) -> dict[str, object]:
    return {
        "part": part, "edge_id": -1 if facts is None else int(facts["edge_id"]), "highway": "" if facts is None else facts["highway"],
        "name": "" if facts is None else facts["name"], "length_m": (line.length if line is not None else 0.0) if length_m is None else length_m,
        "minutes": ticks / TICKS, "rule": rule, "geometry": line,
    }  # fmt: skip
