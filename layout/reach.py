"""The nearest of several places from every node of the roads."""

from __future__ import annotations

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

    if network.ride is not None:
        raise ValueError(f"the network must be one for walking, not for {network.mode}")
    joined = join_places(network, places)
    joins, ways, count = joined.joins, network.walk, len(joined.ids)
    strands = strands_of(ways, chains=False)
    ground = ground_ticks(network, joins.back if towards else joins.out)
    standing = stand(ways, strands, network, joins.place, joins.edge, joins.share, ground)
    place, vertex, ticks = reach_ends(strands, standing, away=not towards)
    key, ticks = least_by_key(vertex * max(count, 1) + place, ticks)
    arcs = ways.arcs_back if towards else ways.arcs
    return kernels.nearest_source(
        arcs.indptr, arcs.indices, arcs.data.astype("int32"), (key // max(count, 1)).astype("int32"), ticks.astype("int32"),
        (key % max(count, 1)).astype("int32"), limit,
    )  # fmt: skip
