"""How roads hang together, whatever is travelled on them: vertices, and pieces of edges between them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from layout.roads import Roads

# ticks of what is closed or cannot be reached; twice as much still fits 32 bits
NEVER = 2**30 - 1


@dataclass(frozen=True)
class Topology:
    """Vertices and the pieces of edges between them, without any minutes.

    Parameters
    ----------
    node_id
        Ids of the nodes, sorted; vertices are numbered as these, then the cuts, then the copies around closed nodes.
    vertices
        Number of vertices.
    x, y
        Their places in metres.
    edge
        Row of the edge that each piece is part of, in order; -1 for links and gates, which come last. Links join what lies
        in one place; the way through a node that is closed to some (a bollard, a locked gate) leads over one gate from
        each edge end to the node.
    low, high
        Shares of the edge's length between which the piece lies.
    tail, head
        Vertices at its ends.
    kind
        Of every piece a number that tells who may use it in which direction; -1 for links and gates.
    oneway
        Of every piece whether anybody may use it in one direction only.
    gate_node
        Of the last pieces, the gates, the position of the node.
    """

    node_id: np.ndarray
    vertices: int
    x: np.ndarray
    y: np.ndarray
    edge: np.ndarray
    low: np.ndarray
    high: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    kind: np.ndarray
    oneway: np.ndarray
    gate_node: np.ndarray

    @functools.cached_property
    def pieces(self) -> int:
        """Return the number of pieces of edges; links and gates follow."""
        return int((self.edge >= 0).sum())


def make_topology(
    roads: Roads, *, cuts: Mapping[int, Sequence[float]] | None = None, links: Sequence[tuple[tuple[int, float], tuple[int, float]]] = ()
) -> Topology:
    """Cut edges into pieces and number the vertices.

    Parameters
    ----------
    roads
        The roads.
    cuts
        By row of the edge the shares of its length, rising, where a vertex is wanted between its ends.
    links
        Pairs of points (row of the edge and share: 0, 1 or a cut) that are one place.

    Returns
    -------
    Topology
        Pieces in order of the edges.

    Raises
    ------
    ValueError
        If an edge ends in no node.

    Examples
    --------
    >>> topology = make_topology(paper.roads)
    >>> topology.vertices, len(topology.edge)
    (11, 10)
    >>> make_topology(paper.roads, cuts={3: np.array([0.5])}).vertices
    12
    """
    node_id = roads.nodes["node_id"].to_numpy("int64")
    start_id, end_id = roads.edges["from_node"].to_numpy("int64"), roads.edges["to_node"].to_numpy("int64")
    if not np.isin(np.concatenate([start_id, end_id]), node_id).all():
        raise ValueError("every edge must end in nodes of the roads")
    start, end = np.searchsorted(node_id, start_id), np.searchsorted(node_id, end_id)
    x, y = roads.nodes["x"].to_numpy(float), roads.nodes["y"].to_numpy(float)
    edge, low, high, tail, head = np.arange(len(start)), np.zeros(len(start)), np.ones(len(start)), start, end
    count = len(node_id)
    if cuts:
        inner = [(row, float(share)) for row in sorted(cuts) for share in cuts[row]]
        rows, shares = np.array([r for r, _ in inner], "int64"), np.array([s for _, s in inner], float)
        points = [roads.edges.geometry.iloc[r].interpolate(s, normalized=True) for r, s in inner]
        x, y = np.append(x, [p.x for p in points]), np.append(y, [p.y for p in points])
        vertex = count + np.arange(len(inner))
        count += len(inner)
        order = np.lexsort((np.append(low, shares), np.append(edge, rows)))
        edge, low, tail = (np.append(a, b)[order] for a, b in ((edge, rows), (low, shares), (tail, vertex)))
        last = np.append(edge[1:] != edge[:-1], True)
        high, head = np.where(last, 1.0, np.roll(low, -1)), np.where(last, end[edge], np.roll(tail, -1))
    joined = np.array([[_vertex(edge, low, tail, head, *point) for point in pair] for pair in links], "int64").reshape(-1, 2)
    closed = _closed_nodes(roads)
    at_tail, at_head = np.flatnonzero(np.isin(tail, closed)), np.flatnonzero(np.isin(head, closed))
    gate_node = np.concatenate([tail[at_tail], head[at_head]])
    copies = count + np.arange(len(gate_node))
    tail, head = tail.copy(), head.copy()
    tail[at_tail], head[at_head] = copies[: len(at_tail)], copies[len(at_tail) :]
    flags = roads.edges.reindex(columns=["walk", "drive", "bus", "oneway", "oneway_foot", "oneway_bus"], fill_value=0).to_numpy("int64")
    # one number for what is allowed to whom: three flags, and three senses from -1 to 1
    kinds = flags @ np.array([1, 2, 4, 8, 24, 72]) + 104
    nothing = np.zeros(len(joined) + len(gate_node))
    return Topology(
        node_id=node_id, vertices=count + len(gate_node), x=np.append(x, x[gate_node]), y=np.append(y, y[gate_node]),
        edge=np.append(edge, np.full(len(nothing), -1)), low=np.append(low, nothing), high=np.append(high, nothing),
        tail=np.concatenate([tail, joined[:, 0], copies]), head=np.concatenate([head, joined[:, 1], gate_node]),
        kind=np.append(kinds[edge], np.full(len(nothing), -1)), oneway=np.append(flags[edge, 3:].any(axis=1), nothing > 0), gate_node=gate_node,
    )  # fmt: skip


def piece_at(topology: Topology, edge: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the piece that holds a point of an edge; the earlier one where the point is a cut.

    Parameters
    ----------
    topology
        The pieces.
    edge
        Rows of edges.
    share
        Shares of their length.

    Returns
    -------
    numpy.ndarray
        Positions of pieces.

    Examples
    --------
    >>> topology = make_topology(paper.roads, cuts={3: np.array([0.5])})
    >>> piece_at(topology, np.array([3, 3, 3, 4]), np.array([0.2, 0.5, 0.7, 0.0])).tolist()
    [3, 3, 4, 5]
    """
    edges = topology.edge[: topology.pieces]
    if topology.pieces == 0 or edges[-1] == topology.pieces - 1:
        return np.asarray(edge, "int64")
    # edges are counted in whole numbers, so twice the edge plus a share keeps both in order
    return np.searchsorted(2.0 * edges + topology.high[: topology.pieces], 2.0 * np.asarray(edge) + share, side="left")


def fixed_vertices(topology: Topology) -> np.ndarray:
    """Say at which vertices pieces of more than one kind, or one-way pieces head to head, meet: somebody may change there.

    Parameters
    ----------
    topology
        The pieces.

    Returns
    -------
    numpy.ndarray
        bool, by vertex.

    Examples
    --------
    >>> fixed_vertices(make_topology(paper.roads)).any()
    np.False_
    """
    at, kind = np.append(topology.tail, topology.head), np.tile(topology.kind, 2)
    least, most = np.full(topology.vertices, kind.max(initial=0)), np.full(topology.vertices, -1)
    np.minimum.at(least, at, kind)
    np.maximum.at(most, at, kind)
    # a one-way street goes on where one piece ends and the other begins
    ends = np.bincount(topology.head, minlength=topology.vertices) - np.bincount(topology.tail, minlength=topology.vertices)
    turned = np.zeros(topology.vertices, bool)
    turned[at[np.tile(topology.oneway, 2)]] = True
    return (least < most) | (most < 0) | (turned & (ends != 0))


def _vertex(edge: np.ndarray, low: np.ndarray, tail: np.ndarray, head: np.ndarray, row: int, share: float) -> int:
    first, last = np.searchsorted(edge, row, side="left"), np.searchsorted(edge, row, side="right")
    if share >= 1:
        return int(head[last - 1])
    return int(tail[first + np.searchsorted(low[first:last], share, side="right") - 1])


def _closed_nodes(roads: Roads) -> np.ndarray:
    closed = np.zeros(len(roads.nodes), bool)
    for column in ("walk_closed", "drive_closed"):
        if column in roads.nodes:
            closed |= roads.nodes[column].to_numpy(bool)
    return np.flatnonzero(closed)
