"""From places over the roads: the nearest one of every node, and the nodes within some minutes of each."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import geopandas as gpd
import numpy as np

from layout.joins import ground_ticks, least_by_key
from layout.network import Network
from layout.pace import NEVER
from layout.search import Joined, join_places, reach_ends, stand, strands_of


def nearest_labels(
    network: Network, places: gpd.GeoDataFrame | Joined, *, towards: bool = True, limit: int = NEVER - 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return for every vertex the ticks to the nearest place, and which it is.

    Parameters
    ----------
    network
        Prepared for walking.
    places
        Points, or places joined to the network.
    towards
        To the place; otherwise from it.
    limit
        Ticks beyond which nothing is looked for.

    Returns
    -------
    tuple of numpy.ndarray
        Ticks, :data:`layout.pace.NEVER` where there is no way; position of the place, -1 there. Ties go to the first.

    Raises
    ------
    ValueError
        If the network is not one for walking.

    Examples
    --------
    >>> nearest_labels(layout.prepare_network(paper.roads), paper.schools)[1].tolist()
    [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    """
    from layout import kernels

    place, vertex, ticks, _ = _get_on(network, places, towards)
    arcs = network.walk.arcs_back if towards else network.walk.arcs
    order = np.lexsort((place, vertex))
    return kernels.nearest_source(
        arcs.indptr, arcs.indices, arcs.data.astype("int32"), vertex[order].astype("int32"), ticks[order].astype("int32"),
        place[order].astype("int32"), limit,
    )  # fmt: skip


def labels_of_each(
    network: Network, places: gpd.GeoDataFrame | Joined, *, towards: bool = True, limit: int = NEVER - 1, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the vertices within a limit of each place.

    Parameters
    ----------
    network
        Prepared for walking.
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
        Position of the place, vertex and ticks, sorted by place and ticks.

    Raises
    ------
    ValueError
        If the network is not one for walking.

    Examples
    --------
    >>> network = layout.prepare_network(paper.roads, level_kph=6)
    >>> [v.tolist() for v in labels_of_each(network, paper.schools, limit=10 * 300_000)]
    [[0, 0, 1, 1, 1], [1, 2, 7, 6, 8], [1500000, 1500000, 0, 3000000, 3000000]]
    """
    from layout import kernels

    place, vertex, ticks, count = _get_on(network, places, towards)
    arcs = network.walk.arcs_back if towards else network.walk.arcs
    first, values = np.searchsorted(place, np.arange(count + 1)), arcs.data.astype("int32")
    begin = vertex.astype("int32"), ticks.astype("int32")
    nothing, limits = np.zeros(0, "int32"), np.full(count, limit, "int64")

    def run(low: int, high: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return kernels.within(arcs.indptr, arcs.indices, values, first, *begin, low, high, limits, np.zeros(count + 1, "int64"), nothing, nothing)

    workers = max(1, min(threads or os.cpu_count() or 1, count))
    bounds = [count * i // workers for i in range(workers + 1)]
    if workers == 1:
        parts = [run(0, count)]
    else:
        with ThreadPoolExecutor(workers) as pool:
            parts = list(pool.map(run, bounds[:-1], bounds[1:]))
    counts, at, took = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return np.repeat(np.arange(count), counts), at, took


def _get_on(network: Network, places: gpd.GeoDataFrame | Joined, towards: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return place, vertex and ticks between places and the vertices where they get on, sorted, and how many places there are."""
    if network.ride is not None:
        raise ValueError(f"the network must be one for walking, not for {network.mode}")
    joined = join_places(network, places)
    joins, ways = joined.joins, network.walk
    ground = ground_ticks(network, joins.back if towards else joins.out)
    strands = strands_of(ways, chains=False)
    standing = stand(ways, strands, network, joins.place, joins.edge, joins.share, ground)
    place, vertex, ticks = reach_ends(strands, standing, away=not towards)
    vertices = max(network.topology.vertices, 1)
    key, ticks = least_by_key(place * vertices + vertex, ticks)
    return key // vertices, key % vertices, ticks, len(joined.ids)
