"""A contraction hierarchy over a topology: ordered once, re-weighted in milliseconds, exact for every weight."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from layout.compiled import loops
from layout.processors import processors
from layout.topology import NEVER, Topology, fixed_vertices

# below this many vertices a part is not cut any further
_LEAF = 24
# below so many arcs times sources, starting threads takes longer than one of them takes for the work
_WORTH_THREADS = 3_000_000
# labels that one thread holds: a bound on memory
_MOST_LABELS = 32_000_000


@dataclass(frozen=True)
class Hierarchy:
    """Chains of pieces between junctions, and the junctions in order of elimination.

    Parameters
    ----------
    chain, slot, flip
        Of every piece: the chain it is in, its place there, whether it runs against the chain.
    order, starts
        Pieces chain by chain, and where each chain begins.
    tail, head
        Ranks of the junctions at the ends of every chain.
    rank
        Of every vertex, -1 inside a chain.
    pointer, heads
        Upward neighbours of every rank, shortcuts included.

    References
    ----------
    Dibbelt, J., Strasser, B., & Wagner, D. (2016). Customizable contraction hierarchies. ACM Journal of Experimental
    Algorithmics, 21, 1.5.
    """

    chain: np.ndarray
    slot: np.ndarray
    flip: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    rank: np.ndarray
    pointer: np.ndarray
    heads: np.ndarray


@dataclass(frozen=True)
class Skeleton:
    """A topology and its hierarchy, which is made when it is first asked for and then shared by all weights.

    Parameters
    ----------
    topology
        Vertices and pieces.
    """

    topology: Topology

    @functools.cached_property
    def hierarchy(self) -> Hierarchy:
        """Return the contraction hierarchy."""
        return build_hierarchy(self.topology)


@dataclass(frozen=True)
class Weighted:
    """A hierarchy with the ticks of one mode.

    Parameters
    ----------
    hierarchy
        What it belongs to.
    up, down
        Ticks of every upward arc and back.
    ahead, behind
        By place in ``Hierarchy.order`` and one more: ticks of the pieces before it, along the chains and against them,
        summed over all chains; a closed piece counts nothing.
    shut_ahead, shut_behind
        Likewise the number of closed pieces before it.
    """

    hierarchy: Hierarchy
    up: np.ndarray
    down: np.ndarray
    ahead: np.ndarray
    behind: np.ndarray
    shut_ahead: np.ndarray
    shut_behind: np.ndarray


@dataclass(frozen=True)
class Accesses:
    """Where places get onto junctions (or off them).

    Parameters
    ----------
    first
        Where each place's accesses begin in the other two; one longer than there are places.
    rank, ticks
        Junction and ticks to it (or from it).
    """

    first: np.ndarray
    rank: np.ndarray
    ticks: np.ndarray


def build_hierarchy(
    topology: Topology, *, contract: bool = True, order: Callable[[csr_array, np.ndarray, np.ndarray], np.ndarray] | None = None
) -> Hierarchy:
    """Order the junctions of a topology and find every shortcut that any weights could need.

    Parameters
    ----------
    topology
        Vertices and pieces.
    contract
        Join pieces that meet at nothing else into chains; otherwise every piece is a chain of its own.
    order
        Function of adjacency, x and y that returns vertices in order of elimination; None takes nested dissection by
        METIS where it is installed, else :func:`bisect`.

    Returns
    -------
    Hierarchy
        The same for all modes, bands and seasons.

    Examples
    --------
    >>> from layout.topology import make_topology
    >>> hierarchy = build_hierarchy(make_topology(paper.roads))
    >>> len(hierarchy.starts) - 1, hierarchy.rank.max()
    (1, np.int64(1))
    """
    kernels = loops()

    tail, head = topology.tail.astype("int32"), topology.head.astype("int32")
    if contract:
        chain, slot, flip, pieces, starts, chain_tail, chain_head = kernels.chains(fixed_vertices(topology), tail, head)
    else:
        chain, slot, flip = np.arange(len(tail), dtype="int32"), np.zeros(len(tail), "int32"), np.zeros(len(tail), bool)
        pieces, starts, chain_tail, chain_head = chain, np.arange(len(tail) + 1), tail, head
    junctions = np.unique(np.concatenate([chain_tail, chain_head]))
    a, b = np.searchsorted(junctions, chain_tail), np.searchsorted(junctions, chain_head)
    apart = a != b
    ends = np.concatenate([a[apart], b[apart]]), np.concatenate([b[apart], a[apart]])
    links = csr_array((np.ones(len(ends[0]), "int8"), ends), shape=(len(junctions), len(junctions)))
    links.sum_duplicates()
    sequence = (order or _dissect)(links, topology.x[junctions], topology.y[junctions])
    rank_of = np.empty(len(junctions), "int64")
    rank_of[sequence] = np.arange(len(junctions))
    ordered = csr_array(links[sequence][:, sequence])
    pointer, heads = kernels.fill_in(ordered.indptr.astype("int64"), ordered.indices.astype("int32"))
    rank = np.full(topology.vertices, -1, "int64")
    rank[junctions] = rank_of
    return Hierarchy(chain, slot, flip, pieces, starts, rank_of[a].astype("int32"), rank_of[b].astype("int32"), rank, pointer, heads)


def weigh(hierarchy: Hierarchy, along: np.ndarray, against: np.ndarray) -> Weighted:
    """Put the ticks of one mode on a hierarchy.

    Parameters
    ----------
    hierarchy
        From :func:`build_hierarchy`.
    along, against
        Ticks of every piece in both directions, :data:`layout.topology.NEVER` where closed.

    Returns
    -------
    Weighted
        Ready for searches.

    Examples
    --------
    >>> from layout.topology import make_topology
    >>> ticks = np.full(10, 7)
    >>> weigh(build_hierarchy(make_topology(paper.roads)), ticks, ticks).up.tolist()
    [70]
    """
    kernels = loops()

    flip = hierarchy.flip[hierarchy.order]
    ahead = np.where(flip, against[hierarchy.order], along[hierarchy.order]).astype("int64")
    behind = np.where(flip, along[hierarchy.order], against[hierarchy.order]).astype("int64")
    sums = []
    for ticks in (ahead, behind):
        shut = ticks >= NEVER
        sums += [np.append(0, np.cumsum(np.where(shut, 0, ticks))), np.append(0, np.cumsum(shut))]
    first, last = hierarchy.starts[:-1], hierarchy.starts[1:]
    whole = [
        np.where(shut[last] > shut[first], NEVER, np.minimum(total[last] - total[first], NEVER)).astype("int32")
        for total, shut in ((sums[0], sums[1]), (sums[2], sums[3]))
    ]
    apart = hierarchy.tail != hierarchy.head
    down = (hierarchy.tail > hierarchy.head)[apart]
    tail, head, there, back = (v[apart] for v in (hierarchy.tail, hierarchy.head, *whole))
    up, fall = kernels.customise(
        hierarchy.pointer,
        hierarchy.heads,
        np.where(down, head, tail),
        np.where(down, tail, head),
        np.where(down, back, there),
        np.where(down, there, back),
    )
    return Weighted(hierarchy, up, fall, sums[0], sums[2], sums[1], sums[3])


def many_to_many(weighted: Weighted, leave: Accesses, arrive: Accesses, *, threads: int | None = None) -> np.ndarray:
    """Return least ticks from every place that leaves to every place that arrives.

    Parameters
    ----------
    weighted
        The hierarchy with ticks.
    leave, arrive
        Accesses of both kinds of places.
    threads
        Searches at a time; None takes one a core. The answer does not depend on it.

    Returns
    -------
    numpy.ndarray
        int32, leaving x arriving; :data:`layout.topology.NEVER` where there is no way.

    Notes
    -----
    The sweeps start from the side with fewer places and go down only to what lies above the other side's junctions
    (Delling, Goldberg & Werneck 2011, Faster batched shortest paths in road networks, section 3).

    Examples
    --------
    >>> from layout.topology import make_topology
    >>> ticks = np.full(10, 7)
    >>> weighted = weigh(build_hierarchy(make_topology(paper.roads)), ticks, ticks)
    >>> one, other = (Accesses(np.array([0, 1]), np.array([r]), np.array([0])) for r in (0, 1))
    >>> many_to_many(weighted, one, other).tolist()
    [[70]]
    """
    if len(arrive.first) < len(leave.first):
        # against the arrows from the places that arrive
        return _swept(weighted, weighted.down, weighted.up, arrive, leave, threads)
    return np.ascontiguousarray(_swept(weighted, weighted.up, weighted.down, leave, arrive, threads).T)


def relay(
    weighted: Weighted, ridden: Weighted, walks: tuple[Accesses, Accesses], rides: tuple[Accesses, Accesses], *, threads: int | None = None
) -> np.ndarray:
    """Return least ticks by walking, then riding, then walking, from every place that leaves to every place that arrives.

    Parameters
    ----------
    weighted, ridden
        One hierarchy with the ticks on foot and by vehicle.
    walks, rides
        Accesses on foot, and those where one may get on (off) the vehicle at once; of leaving and of arriving places.
    threads
        Searches at a time; None takes one a core. The answer does not depend on it.

    Returns
    -------
    numpy.ndarray
        int32, leaving x arriving. Each of the three parts may be empty, so that walking all the way counts too.

    Examples
    --------
    >>> from layout.topology import make_topology
    >>> hierarchy = build_hierarchy(make_topology(paper.roads))
    >>> slow, fast = (weigh(hierarchy, np.full(10, t), np.full(10, t)) for t in (7, 2))
    >>> none = Accesses(np.array([0, 0]), np.zeros(0, "int64"), np.zeros(0, "int64"))
    >>> ends = tuple(Accesses(np.array([0, 1]), np.array([r]), np.array([1])) for r in (0, 1))
    >>> relay(slow, fast, ends, (none, none)).tolist()
    [[22]]
    """
    if len(walks[1].first) < len(walks[0].first):
        return _relayed(weighted, ridden, (walks[1], walks[0]), (rides[1], rides[0]), True, threads)
    return np.ascontiguousarray(_relayed(weighted, ridden, walks, rides, False, threads).T)


def bisect(links: csr_array, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return vertices in order of elimination by cutting the map in halves: nested dissection by coordinates.

    Parameters
    ----------
    links
        Which vertices are joined, both ways.
    x, y
        Their places.

    Returns
    -------
    numpy.ndarray
        Vertices, those of the last cut first; the vertices of a half that touch the other half separate the two.

    References
    ----------
    George, A. (1973). Nested dissection of a regular finite element mesh. SIAM Journal on Numerical Analysis, 10(2).

    Examples
    --------
    >>> bisect(csr_array(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])), np.array([0.0, 1, 2]), np.zeros(3)).tolist()
    [0, 1, 2]
    """
    pointer, ends = links.indptr, links.indices
    out = np.empty(len(x), "int64")
    side = np.zeros(len(x), "int8")
    # parts still to be cut, each with the position behind its last vertex
    todo = [(np.arange(len(x)), len(x))]
    while todo:
        part, end = todo.pop()
        if len(part) <= _LEAF:
            out[end - len(part) : end] = part
            continue
        axis = x if np.ptp(x[part]) >= np.ptp(y[part]) else y
        ordered = part[np.lexsort((part, axis[part]))]
        half = len(ordered) // 2
        side[ordered[:half]], side[ordered[half:]] = 1, 2
        counts = pointer[part + 1] - pointer[part]
        at = np.repeat(pointer[part] - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        from_, to = np.repeat(part, counts), ends[at]
        across = side[from_] + side[to] == 3
        left, right = np.unique(from_[across & (side[from_] == 1)]), np.unique(from_[across & (side[from_] == 2)])
        separator = left if len(left) <= len(right) else right
        side[separator] = 0
        first, second = ordered[:half], ordered[half:]
        first, second = first[side[first] == 1], second[side[second] == 2]
        side[part] = 0
        out[end - len(separator) : end] = separator
        end -= len(separator)
        todo += [(second, end), (first, end - len(second))]
    return out


def _dissect(links: csr_array, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    try:
        import pymetis
    except ImportError:
        return bisect(links, x, y)
    if not links.nnz:
        return np.arange(len(x))
    adjacency = pymetis.CSRAdjacency(adj_starts=links.indptr, adjacent=links.indices)
    # the first of the two arrays is the order, the second its inverse
    return np.asarray(pymetis.nested_dissection(adjacency)[0], "int64")


def _swept(weighted: Weighted, rise: np.ndarray, fall: np.ndarray, sources: Accesses, targets: Accesses, threads: int | None) -> np.ndarray:
    kernels = loops()

    tree = weighted.hierarchy
    above = np.zeros(len(tree.pointer) - 1, bool)
    kernels.ancestors(tree.pointer, tree.heads, targets.rank, above)
    wanted = above.copy()
    kernels.ancestors(tree.pointer, tree.heads, sources.rank, above)
    chosen = np.flatnonzero(above)
    position = np.full(len(above), -1, "int32")
    position[chosen] = np.arange(len(chosen), dtype="int32")
    arcs = kernels.restrict(tree.pointer, tree.heads, rise, fall, chosen, position)
    out = np.full((len(targets.first) - 1, len(sources.first) - 1), NEVER, "int32")
    finish = targets.first, position[targets.rank], targets.ticks
    begin = sources.first, position[sources.rank], sources.ticks
    _in_batches(
        lambda low, high, width: kernels.sweep(*arcs, wanted[chosen], *begin, *finish, low, high, width, out),
        len(sources.first) - 1,
        len(chosen),
        len(arcs[1]),
        threads,
    )
    return out


def _relayed(
    weighted: Weighted, ridden: Weighted, walks: tuple[Accesses, Accesses], rides: tuple[Accesses, Accesses], back: bool, threads: int | None
) -> np.ndarray:
    kernels = loops()

    out = np.full((len(walks[1].first) - 1, len(walks[0].first) - 1), NEVER, "int32")
    tree = weighted.hierarchy
    ticks = [(w.down, w.up) if back else (w.up, w.down) for w in (weighted, ridden)]
    ends = [part for accesses in (walks[0], rides[0], rides[1], walks[1]) for part in (accesses.first, accesses.rank, accesses.ticks)]
    _in_batches(
        lambda low, high, width: kernels.relay(tree.pointer, tree.heads, *ticks[0], *ticks[1], *ends, low, high, width, out),
        len(walks[0].first) - 1,
        len(tree.pointer),
        len(tree.heads),
        threads,
    )
    return out


def _in_batches(run: Callable[[int, int, int], None], count: int, vertices: int, arcs: int, threads: int | None) -> None:
    kernels = loops()

    workers = threads or (processors() if count * arcs > _WORTH_THREADS else 1)
    # every worker writes columns of its own, so which of them does what changes nothing
    width = max(1, min(kernels.LANES, -(-count // workers), _MOST_LABELS // max(vertices, 1)))
    lows = range(0, count, width)
    if workers == 1 or len(lows) <= 1:
        for low in lows:
            run(low, min(low + width, count), width)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda low: run(low, min(low + width, count), width), lows))
