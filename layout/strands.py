"""Sums of ticks along strands, chains between junctions or every piece by itself: what lies between two points of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layout.hierarchy import Weighted
from layout.topology import NEVER, Topology


@dataclass(frozen=True)
class Strands:
    """Ticks summed along strands of pieces: chains between junctions, or every piece by itself.

    Parameters
    ----------
    strand, slot, flip
        Of every piece: its strand, its position in the order of all strands, whether it runs against it.
    starts
        Where every strand begins in that order.
    tail, head
        Vertices (or ranks) at its ends.
    ahead, behind, shut_ahead, shut_behind
        Sums before every position: ticks along and against, closed pieces along and against.
    """

    strand: np.ndarray
    slot: np.ndarray
    flip: np.ndarray
    starts: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    ahead: np.ndarray
    behind: np.ndarray
    shut_ahead: np.ndarray
    shut_behind: np.ndarray


def piece_strands(topology: Topology, ticks: np.ndarray, ticks_back: np.ndarray) -> Strands:
    """Return every piece as a strand, whose ends are vertices.

    Parameters
    ----------
    topology
        The pieces.
    ticks, ticks_back
        Of every piece in both directions, :data:`layout.topology.NEVER` where closed.

    Returns
    -------
    Strands
        As many as there are pieces.

    Examples
    --------
    >>> from layout.topology import make_topology
    >>> piece_strands(make_topology(paper.roads), np.full(10, 7), np.full(10, 7)).ahead.tolist()[:3]
    [0, 7, 14]
    """
    count = len(topology.edge)
    pieces, sums = np.arange(count + 1), []
    for way in (ticks, ticks_back):
        shut = way >= NEVER
        sums += [np.append(0, np.cumsum(np.where(shut, 0, way))), np.append(0, np.cumsum(shut))]
    ahead, shut_ahead, behind, shut_behind = sums
    return Strands(pieces[:-1], pieces[:-1], np.zeros(count, bool), pieces, topology.tail, topology.head, ahead, behind, shut_ahead, shut_behind)


def chain_strands(weighted: Weighted) -> Strands:
    """Return the chains of a hierarchy as strands, whose ends are ranks.

    Parameters
    ----------
    weighted
        A hierarchy with ticks.

    Returns
    -------
    Strands
        As many as there are chains.

    Examples
    --------
    >>> from layout.hierarchy import build_hierarchy, weigh
    >>> from layout.topology import make_topology
    >>> ticks = np.full(10, 7)
    >>> len(chain_strands(weigh(build_hierarchy(make_topology(paper.roads)), ticks, ticks)).tail)
    1
    """
    tree = weighted.hierarchy
    slot = tree.starts[tree.chain] + tree.slot
    sums = weighted.ahead, weighted.behind, weighted.shut_ahead, weighted.shut_behind
    return Strands(tree.chain, slot, tree.flip, tree.starts, tree.tail, tree.head, *sums)
