"""From places over the roads: the nearest one of every node, and what lies within some minutes of each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import geopandas as gpd
import numpy as np

from layout.compiled import loops
from layout.network import Network
from layout.pace import NEVER
from layout.processors import processors
from layout.search import Joined, join_places

# below so many places times vertices, starting threads takes longer than one of them takes for the work
_WORTH_THREADS = 5_000_000


def nearest_labels(
    network: Network, places: gpd.GeoDataFrame | Joined, *, towards: bool = True, limit: int = NEVER - 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return for every vertex the ticks to the nearest place, and which it is.

    Parameters
    ----------
    network
        From :func:`layout.prepare_network`.
    places
        Points, or places joined to the network.
    towards
        To the place; otherwise from it.
    limit
        Ticks beyond which nothing is looked for.

    Returns
    -------
    tuple of numpy.ndarray
        Ticks, :data:`layout.pace.NEVER` where there is no way; position of the place, -1 there. Ties go to the first. By
        vehicle the vertices are those of three storeys (:func:`layout.pace.storeys`): who has not boarded, who rides, who
        has alighted.

    Examples
    --------
    >>> nearest_labels(layout.prepare_network(paper.roads), paper.schools)[1].tolist()
    [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    """
    kernels = loops()

    joined = join_places(network, places)
    place, vertex, ticks, _ = joined.ends_towards if towards else joined.ends_from
    if network.ride is None and "weighted" in network.walk.__dict__:
        # the hierarchy is there already, so one sweep over it is the quickest
        ways, topology = network.walk, network.topology
        tree, sums = ways.weighted.hierarchy, ways.weighted
        return kernels.nearest_by_sweep(
            tree.rank, tree.order, tree.flip, topology.tail, topology.head, ways.ticks, ways.ticks_back, towards, tree.pointer, tree.heads,
            *((sums.down, sums.up) if towards else (sums.up, sums.down)), vertex, ticks, place, limit,
        )  # fmt: skip
    arcs = network.arcs_back if towards else network.arcs
    return kernels.nearest_source(
        *arcs, vertex, ticks, place, limit, kernels.scratch(len(arcs[0]) - 1, len(arcs[1]) + len(place)),
    )  # fmt: skip


def labels_of_each(
    network: Network, places: gpd.GeoDataFrame | Joined, *, towards: bool = True, limit: int = NEVER - 1, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the vertices within a limit of each place.

    Parameters
    ----------
    network
        From :func:`layout.prepare_network`.
    places
        Points, or places joined to the network.
    towards
        To the place; otherwise from it.
    limit
        Ticks beyond which nothing is looked for.
    threads
        Searches at a time; None takes one a core. The answer does not depend on it.

    Returns
    -------
    tuple of numpy.ndarray
        Position of the place, vertex (of storeys, as in :func:`nearest_labels`) and ticks, sorted by place and ticks.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> [v.tolist() for v in labels_of_each(network, paper.schools, limit=10 * 300_000)]
    [[0, 0, 1, 1, 1], [1, 2, 7, 6, 8], [1500000, 1500000, 0, 3000000, 3000000]]
    """
    kernels = loops()

    joined = join_places(network, places)
    count = len(joined.ids)
    place, vertex, ticks, first = joined.ends_towards if towards else joined.ends_from
    arcs = network.arcs_back if towards else network.arcs
    nothing, limits = np.zeros(0, "int32"), np.full(count, limit, "int64")
    asked = np.zeros(count + 1, "int64")

    worth = processors() if count * (len(arcs[0]) - 1) > _WORTH_THREADS else 1
    workers = max(1, min(threads or worth, count))
    bounds = [count * i // workers for i in range(workers + 1)]
    rooms = [kernels.scratch(len(arcs[0]) - 1, len(arcs[1]) + len(place)) for _ in range(workers)]

    def run(worker: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return kernels.within(*arcs, first, vertex, ticks, bounds[worker], bounds[worker + 1], limits, asked, nothing, nothing, rooms[worker])

    if workers == 1:
        parts = [run(0)]
    else:
        with ThreadPoolExecutor(workers) as pool:
            parts = list(pool.map(run, range(workers)))
    counts, at, took = (np.concatenate([part[i] for part in parts]) if len(parts) > 1 else parts[0][i] for i in range(3))
    return np.repeat(np.arange(count), counts), at, took


def is_towards(direction: str) -> bool:
    """Say whether a direction leads to the places.

    Parameters
    ----------
    direction
        ``towards`` or ``from``.

    Returns
    -------
    bool
        True for ``towards``.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> is_towards("from")
    False
    """
    if direction not in ("towards", "from"):
        raise ValueError(f"direction must be 'towards' or 'from', not {direction!r}")
    return direction == "towards"


def last_storey(network: Network, *, towards: bool) -> int:
    """Return the first vertex of the storey of those who have not boarded (towards) or have alighted (from).

    Parameters
    ----------
    network
        From :func:`layout.prepare_network`.
    towards
        To the places; otherwise from them.

    Returns
    -------
    int
        0 on foot.

    Examples
    --------
    >>> last_storey(layout.prepare_network(paper.roads, mode="drive"), towards=False)
    22
    """
    return 0 if towards or network.ride is None else 2 * network.topology.vertices
