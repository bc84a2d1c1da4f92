"""The search engine against its peers, all in one run after compilation: median of five, ratios to networkx, scipy and others.

Graphs: Grande Comore on foot and by bus with slopes (where LAYOUT_REAL_DATA names the real data), a generated road-like
graph of 1e5 nodes, and one of 1e6 with --large. Places stand on nodes and are joined beforehand, since the peers join
nothing. routingkit_cch and pandana are compared where they are installed; nothing depends on them. Ends with an error where
a limit is missed or an answer is more than 0.05 s or 1e-6 from scipy's.
"""

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import block_array, csr_array
from scipy.sparse.csgraph import dijkstra

import layout
from layout.pace import TICKS
from layout.reach import labels_of_each, nearest_labels
from layout.terrain import read_terrain

SOURCES, TARGETS = 100, 3000
missed = []
# graph, peer or task, measured, wanted: what docs/minutes.md shows
table = []


def timed(run, repeats=5):
    """Median of five; what takes less than a fiftieth of a second is run so often that it takes that long, ours and the peers'."""
    run()
    start = time.perf_counter()
    run()
    often = max(1, round(0.02 / (time.perf_counter() - start)))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(often):
            run()
        times.append((time.perf_counter() - start) / often)
    return statistics.median(times)


def on_the_network():
    """Standards under which places on nodes are joined to these nodes alone, as the peers have it."""
    rules = layout.read_standards()
    rule = dataclasses.replace(rules.rules["travel.join_radius"], value=0.5)
    return dataclasses.replace(rules, rules={**rules.rules, "travel.join_radius": rule})


def road_like(count, seed=0):
    """A bent grid of streets with a third of its blocks thrown together: degrees and detours of a road network."""
    rng = np.random.default_rng(seed)
    side = int(np.sqrt(count))
    n = np.arange(side * side)
    x, y = 500_000 + 120.0 * (n % side) + rng.uniform(-40, 40, len(n)), 2_900_000 + 120.0 * (n // side) + rng.uniform(-40, 40, len(n))
    right, up = n[n % side < side - 1], n[n < side * (side - 1)]
    pairs = np.concatenate([np.column_stack([right, right + 1]), np.column_stack([up, up + side])])
    pairs = pairs[rng.random(len(pairs)) < 0.68]
    lines = shapely.linestrings(np.stack([np.column_stack([x, y])[pairs[:, 0]], np.column_stack([x, y])[pairs[:, 1]]], axis=1))
    oneway = np.where(rng.random(len(pairs)) < 0.05, 1, 0)
    table = {
        "edge_id": np.arange(len(pairs)), "from_node": pairs[:, 0], "to_node": pairs[:, 1], "highway": "tertiary", "name": "", "length_m": shapely.length(lines),
        "oneway": oneway, "walk": True, "drive": True, "maxspeed_kph": np.nan, "width_m": np.nan, "bridge": False, "tunnel": False, "steps": False,
        "surface": "", "way_id": 0,
    }  # fmt: skip
    edges = gpd.GeoDataFrame(pd.DataFrame(table), geometry=lines, crs="EPSG:4545")
    return layout.Roads(pd.DataFrame({"node_id": n, "x": x, "y": y}), edges, "EPSG:4545")


def storeys(network):
    """The arcs of walking, or of walking, riding and walking again, as one graph."""
    if network.ride is None:
        return network.walk.arcs, 0
    count = network.topology.vertices
    change = csr_array((np.zeros(count), (np.arange(count), np.arange(count))), shape=(count, count))
    arcs = block_array([[network.walk.arcs, change, None], [None, network.ride.arcs, change], [None, None, network.walk.arcs]], format="csr")
    return csr_array(arcs), 2 * count


def compare(name, network, limits):
    rng = np.random.default_rng(1)
    usable = np.flatnonzero(np.diff(network.walk.arcs.indptr) > 0)
    usable = usable[usable < len(network.topology.node_id)]
    at = rng.choice(usable, SOURCES, replace=len(usable) < SOURCES), rng.choice(usable, TARGETS, replace=len(usable) < TARGETS)
    frames = [
        gpd.GeoDataFrame({"id": np.arange(len(v))}, geometry=gpd.points_from_xy(network.topology.x[v], network.topology.y[v]), crs=network.crs)
        for v in at
    ]
    # towards 100 schools from 3,000 places
    schools, places = (layout.join_places(network, f) for f in frames)
    layout.travel_matrix(network, places, schools)
    ours = timed(lambda: layout.travel_matrix(network, places, schools))
    minutes = layout.travel_matrix(network, places, schools).minutes
    arcs, top = storeys(network)
    turned = csr_array(arcs.T.tocsr())
    found = {}

    def by_scipy():
        distance = dijkstra(turned, indices=at[0] + top)
        found["scipy"] = (distance[:, at[1]].T / TICKS + network.fixed_minutes).astype("float32")

    peer = timed(by_scipy)
    both = np.isfinite(found["scipy"])
    assert (both == np.isfinite(minutes)).all(), name
    # our answers in full precision differ from exact sums by nothing; float32 of both is compared
    gap = np.abs(minutes[both].astype(float) - found["scipy"][both].astype(float)) * 60
    assert (gap <= np.maximum(0.05, 1e-6 * 60 * found["scipy"][both])).all(), name
    rows = [("scipy", peer / ours, limits.get("scipy"))]
    graph = nx.DiGraph()
    coo = turned.tocoo()
    graph.add_weighted_edges_from(zip(coo.row.tolist(), coo.col.tolist(), coo.data.tolist(), strict=True))
    graph.add_nodes_from(range(turned.shape[0]))
    some = 2 if turned.shape[0] > 2e5 else 5
    start = time.perf_counter()
    for source in at[0][:some]:
        nx.single_source_dijkstra_path_length(graph, int(source) + top)
    whole = (time.perf_counter() - start) / some * SOURCES
    rows.append((f"networkx (from {some} of {SOURCES} searches)", whole / ours, limits.get("networkx")))
    try:
        import igraph
    except ImportError:
        igraph = None
    if igraph is not None:
        coo = turned.tocoo()
        other_graph = igraph.Graph(n=turned.shape[0], edges=np.column_stack([coo.row, coo.col]).tolist(), directed=True)
        ticks, sources = coo.data.tolist(), (at[0][:10] + top).tolist()
        ends = np.unique(at[1]).tolist()
        other = timed(lambda: other_graph.distances(sources, ends, weights=ticks), 3) / len(sources) * SOURCES
        rows.append(("igraph (from 10 of 100 searches)", other / ours, None))
    try:
        import routingkit_cch as rk
    except ImportError:
        rk = None
    if rk is not None:
        coo = arcs.tocoo()
        ends = coo.row.astype(int).tolist(), coo.col.astype(int).tolist()
        x, y = (np.tile(v, arcs.shape[0] // len(v)) for v in (network.topology.x, network.topology.y))
        tree = rk.CCH(rk.compute_order_inertial(arcs.shape[0], *ends, y.tolist(), x.tolist()), *ends, False)
        # its weights are whole numbers of 32 bits: hundredths of a second
        metric = rk.CCHMetric(tree, np.round(coo.data / (TICKS / 6000)).astype(int).tolist())
        pinned = rk.CCHManyToOne(metric, at[1].astype(int).tolist())
        other = timed(lambda: [pinned.distances_to(int(t) + top) for t in at[0]], 3)
        rows.append(("routingkit_cch", other / ours, limits.get("routingkit_cch")))
    print(
        f"{name}: {network.topology.vertices:,} nodes, {len(arcs.data):,} arcs; {SOURCES} x {TARGETS} in {ours * 1000:.2f} ms, both ways apart",
        flush=True,
    )
    table.append((name, f"{SOURCES} x {TARGETS:,} minutes", f"{ours * 1000:.2f} ms", ""))
    report(rows, name)
    matrix = layout.travel_matrix(network, places, schools)
    seconds = timed(matrix.to_times) / max(np.isfinite(minutes).sum(), 1) * 1e6
    print(f"    the long table, searching both ways: {seconds:.3f} s a million rows", flush=True)
    table.append((name, "long table, a million rows", f"{seconds:.3f} s", f"{limits['long table']:g} s" if limits else ""))
    if limits and seconds > limits["long table"]:
        missed.append(f"the long table: {seconds:.3f} s a million rows, wanted {limits['long table']}")
    if network.ride is None:
        walking(name, network, at, frames, graph, limits)


def walking(name, network, at, frames, graph, limits):
    arcs = network.walk.arcs
    schools = layout.join_places(network, frames[0])
    ours = timed(lambda: nearest_labels(network, schools))
    peer = timed(lambda: dijkstra(network.walk.arcs_back, indices=at[0], min_only=True))
    start = time.perf_counter()
    nx.multi_source_dijkstra_path_length(graph, {int(v) for v in at[0]})
    rows = [
        ("nearest of 100 for every node: scipy", peer / ours, None),
        ("nearest of 100 for every node: networkx", (time.perf_counter() - start) / ours, limits.get("nearest networkx")),
    ]
    report(rows, name)
    limit, few = 60 * TICKS, at[0][:20]
    few_places = layout.join_places(network, frames[0].iloc[:20])
    labels_of_each(network, few_places, limit=limit)
    ours = timed(lambda: labels_of_each(network, few_places, limit=limit))
    peer = timed(lambda: dijkstra(arcs, indices=few, limit=limit))
    forward = graph.reverse(copy=False)
    start = time.perf_counter()
    for source in few[:3]:
        nx.single_source_dijkstra_path_length(forward, int(source), cutoff=limit)
    whole = (time.perf_counter() - start) / 3 * 20
    report(
        [
            ("20 sets of 60 minutes: scipy", peer / ours, limits.get("sets scipy")),
            ("20 sets of 60 minutes: networkx (from 3)", whole / ours, limits.get("sets networkx")),
        ],
        name,
    )


def preparing(name, roads, limits):
    """3,000 x 400 with every preparation, from the compact roads to the answer."""
    rng = np.random.default_rng(2)
    nodes = roads.nodes.iloc[rng.choice(len(roads.nodes), 3400, replace=False)]
    frame = gpd.GeoDataFrame({"id": nodes.node_id.astype(str).to_numpy()}, geometry=gpd.points_from_xy(nodes.x, nodes.y), crs=roads.crs)
    rules = on_the_network()

    def whole():
        network = layout.prepare_network(roads, level_kph=5, standards=rules)
        return layout.travel_matrix(network, frame.iloc[:3000], frame.iloc[3000:])

    ours = timed(whole, 3)
    network = layout.prepare_network(roads, level_kph=5, standards=rules)
    targets = np.searchsorted(roads.nodes.node_id, nodes.node_id.to_numpy()[3000:])
    turned = network.walk.arcs_back
    start = time.perf_counter()
    dijkstra(turned, indices=targets[:40])
    peer = (time.perf_counter() - start) * 10
    graph = nx.DiGraph()
    coo = turned.tocoo()
    graph.add_weighted_edges_from(zip(coo.row.tolist(), coo.col.tolist(), coo.data.tolist(), strict=True))
    graph.add_nodes_from(range(turned.shape[0]))
    start = time.perf_counter()
    for target in targets[:3]:
        nx.single_source_dijkstra_path_length(graph, int(target))
    slow = (time.perf_counter() - start) / 3 * 400
    rows = [("scipy (from 40 of 400)", peer / ours, limits.get("prep scipy")), ("networkx (from 3 of 400)", slow / ours, limits.get("prep networkx"))]
    other = by_pandana(network, targets, np.searchsorted(roads.nodes.node_id, nodes.node_id.to_numpy()[:3000]))
    rows += [] if other is None else [("pandana", other / ours, limits.get("prep pandana"))]
    print(f"{name}: 3,000 x 400 with every preparation {ours:.2f} s", flush=True)
    table.append((name, "3,000 x 400 with every preparation", f"{ours:.2f} s", ""))
    report([(f"3,000 x 400 with every preparation: {label}", *rest) for label, *rest in rows], name)


def by_pandana(network, targets, sources):
    """Seconds that pandana takes for the same, its own preparation included; None where it is not installed."""
    try:
        import pandana
    except ImportError:
        return None
    coo = network.walk.arcs.tocoo()
    topology = network.topology
    start = time.perf_counter()
    ends = pd.Series(coo.row.astype("int64")), pd.Series(coo.col.astype("int64"))
    graph = pandana.Network(pd.Series(topology.x), pd.Series(topology.y), *ends, pd.DataFrame({"minutes": coo.data / TICKS}), twoway=False)
    warnings.simplefilter("ignore")
    graph.shortest_path_lengths(np.repeat(sources, len(targets)), np.tile(targets, len(sources)))
    return time.perf_counter() - start


def areas(roads, terrain, obstacles):
    """Isochrones and service areas of 100 schools, on slopes and round water: seconds, since no peer does the same."""
    at = roads.nodes.iloc[np.random.default_rng(0).choice(len(roads.nodes), 100, replace=False)]
    schools = gpd.GeoDataFrame({"id": at.node_id.astype(str).to_numpy()}, geometry=gpd.points_from_xy(at.x, at.y), crs=roads.crs)
    network = layout.prepare_network(roads, terrain=terrain, obstacles=obstacles)
    joined = layout.join_places(network, schools)
    for label, run in (
        ("isochrones", lambda: layout.isochrones(network, joined, [15, 30, 45, 60])), ("service areas", lambda: layout.service_areas(network, joined))
    ):  # fmt: skip
        seconds, limit = timed(run, 3), LIMITS[label]
        print(f"Grande Comore, {label} of 100 schools: {seconds:.2f} s (at most {limit:g})", flush=True)
        table.append(("Grande Comore, walk", f"{label} of 100 schools", f"{seconds:.2f} s", f"{limit:g} s"))
        if seconds > limit:
            missed.append(f"{label}: {seconds:.2f} s, wanted {limit:g}")


def write_docs():
    """Put what was measured between the marks of docs/minutes.md."""
    path = Path(__file__).parents[1] / "docs" / "minutes.md"
    head, _, rest = path.read_text(encoding="utf-8").partition("<!-- measured -->\n")
    rest = rest.partition("<!-- end -->")[2]
    lines = ["| graph | task and peer | measured | wanted |", "|---|---|---|---|", *("| " + " | ".join(row) + " |" for row in table)]
    path.write_text(head + "<!-- measured -->\n" + "\n".join(lines) + "\n<!-- end -->" + rest, encoding="utf-8", newline="\n")


def alone():
    """Prepare and ask a graph of 1e6 nodes in a process that does nothing else, and say how much memory it took."""
    import resource

    roads = road_like(1_000_000)
    start = time.perf_counter()
    network = layout.prepare_network(roads, level_kph=5, standards=on_the_network())
    prepared = time.perf_counter() - start
    nodes = roads.nodes.iloc[np.random.default_rng(1).choice(len(roads.nodes), SOURCES + TARGETS, replace=False)]
    frame = gpd.GeoDataFrame({"id": nodes.node_id.astype(str).to_numpy()}, geometry=gpd.points_from_xy(nodes.x, nodes.y), crs=roads.crs)
    schools, places = (layout.join_places(network, f) for f in (frame.iloc[:SOURCES], frame.iloc[SOURCES:]))
    layout.travel_matrix(network, places, schools)
    ordered = time.perf_counter() - start
    seconds = timed(lambda: layout.travel_matrix(network, places, schools), 3)
    nearest_labels(network, schools)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"road-like graph of 1,000,000: prepared in {prepared:.1f} s, first answer after {ordered:.1f} s, 100 x 3000 in {seconds * 1000:.0f} ms, "
        f"at most {memory:.2f} GB of memory, its making included (at most {LIMITS['large memory']:g})",
        flush=True,
    )
    if memory > LIMITS["large memory"]:
        sys.exit(f"missed: {memory:.2f} GB, wanted {LIMITS['large memory']:g}")


def report(rows, name=""):
    for label, ratio, limit in rows:
        table.append((name, label.strip(), f"{ratio:,.1f} x", f"{limit:g} x" if limit else ""))
        if limit and ratio < limit:
            missed.append(f"{label}: {ratio:.1f} x, wanted {limit} x")
        print(f"    {label:<40} {ratio:9.1f} x" + (f"   (at least {limit} x)" if limit else ""), flush=True)


LIMITS = {
    "networkx": 500, "scipy": 25, "routingkit_cch": 5, "nearest networkx": 20, "sets scipy": 2, "sets networkx": 25, "prep networkx": 100, "prep scipy": 5,
    "prep pandana": 20, "long table": 0.1, "isochrones": 10.0, "service areas": 2.0, "large memory": 2.0,
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also the graph of 1e6 nodes")
    parser.add_argument("--alone", action="store_true", help="the graph of 1e6 nodes without any peer, and its memory")
    parser.add_argument("--docs", action="store_true", help="put the table into docs/minutes.md")
    given = parser.parse_args()
    if given.alone:
        return alone()
    data = os.environ.get("LAYOUT_REAL_DATA")
    if data:
        folder = Path(data) / "comoros"
        roads = layout.read_roads(folder / "comoros.osm.pbf", bbox=(43.1, -12.0, 43.6, -11.3))
        terrain = read_terrain(sorted(folder.glob("*.hgt.zip")))
        for mode in ("walk", "bus"):
            compare(
                f"Grande Comore, {mode}",
                layout.prepare_network(roads, mode=mode, terrain=terrain, standards=on_the_network()),
                {k: v for k, v in LIMITS.items() if k != "sets networkx"},
            )
        areas(roads, terrain, layout.read_obstacles(folder / "comoros.osm.pbf", bbox=(43.1, -12.0, 43.6, -11.3), crs=roads.crs))
    for count in (100_000, *([1_000_000] if given.large else [])):
        roads = road_like(count)
        compare(f"road-like graph of {count:,}", layout.prepare_network(roads, level_kph=5, standards=on_the_network()), LIMITS)
        if count == 100_000:
            preparing(f"road-like graph of {count:,}", roads, LIMITS)
    if given.large and subprocess.run([sys.executable, __file__, "--alone"], check=False).returncode:
        missed.append("memory of the graph of 1e6 nodes")
    if given.docs:
        write_docs()
    if missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
