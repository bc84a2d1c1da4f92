"""The network on foot in whole seconds: by hand, against networkx, and against the exact minutes."""

import dataclasses
import math

import networkx as nx
import numpy as np
import pytest

import layout
from conftest import EAST, NORTH
from layout.footpaths import dropped_seconds, make_footpaths, nearest_settlement, z_order
from layout.ground import degrees
from layout.network import prepare_network
from layout.quick import NEVER, seconds_matrix
from layout.search import join_places
from layout.terrain import Terrain, tobler_factor


@pytest.fixture(scope="module")
def county():
    return layout.make_sample_county(seed=3, settlements=60)


def paths_of(county, **options):
    network = prepare_network(county.roads, terrain=county.terrain, obstacles=county.obstacles, **options)
    return make_footpaths(network, join_places(network, county.settlements))


@pytest.fixture(scope="module")
def paths(county):
    return paths_of(county, band="junior")


def where(paths, i):
    return paths.settlement_lon[i] / 1e5, paths.settlement_lat[i] / 1e5


def test_the_flat_road_by_hand(paper):
    paths = paths_of(paper, level_kph=6)
    # ten kilometres at 100 m a minute, both ways, in parts of a kilometre's seventh: 600 s each
    assert int(paths.ahead.sum()) == int(paths.behind.sum()) == 6000
    assert len(paths.lon) == 11 + 10 * 6 and abs(np.diff(np.sort(paths.ahead))).max() <= 1
    # off the road at 60 %: 1000 s a kilometre
    assert paths.pace == 1000 and paths.radius_mm == 1_500_000
    # 300 m north of C (2.5 km): 300 s across, then C; A is 25 minutes along the road from there
    lon, lat = where(paths, 2)
    north = lat + 300 / (paths.lat_mm * 100)
    found = dropped_seconds(paths, lon, north)
    assert found[2] == pytest.approx(300, abs=2)
    # at a slant to the road some are sooner: the least of 1000 sqrt(300^2 + s^2) + 600 (d - s) over points of the road every 143 m
    for i, km in ((0, 2.5), (1, 1.5), (3, 3.5), (4, 6.5)):
        least = 1000 * math.hypot(0.3, 0.225) + 600 * (km - 0.225)
        assert least - 2 <= found[i] <= least + 8


def test_slopes_count_off_the_road(paper):
    # a plane that rises to the north by 20 in a hundred
    rows = np.arange(400)[:, None] * np.ones((1, 700))
    slope = Terrain((6000 - 0.2 * 30 * rows).astype("float32"), EAST - 5000, NORTH + 6000, 30.0, 30.0, "EPSG:4545")
    flat, steep = paths_of(paper, level_kph=6), paths_of(dataclasses.replace(paper, terrain=slope), level_kph=6)
    lon, lat = where(flat, 3)
    north = lat + 500 / (flat.lat_mm * 100)
    up = dropped_seconds(steep, lon, north)[3]
    # the school lies 100 m higher: the way there is the slower one
    assert dropped_seconds(flat, lon, north)[3] == pytest.approx(500, abs=2)
    assert up == pytest.approx(500 / float(tobler_factor(0.2)), rel=0.02) and up > 1.5 * 500
    one_way = dataclasses.replace(steep, slower=False)
    assert dropped_seconds(one_way, lon, lat - 500 / (flat.lat_mm * 100))[3] == pytest.approx(500 / float(tobler_factor(-0.2)), rel=0.02)


def naive(paths, lon, lat):
    """Return the seconds by a graph of networkx in which the school is a node."""
    east, north = math.floor(lon * 1e5 + 0.5), math.floor(lat * 1e5 + 0.5)
    (west, south), (wide, high) = paths.corner, paths.step

    def height(x, y):
        rows, columns = paths.heights.shape
        x, y = min(max(x - west, 0), (columns - 1) * wide), min(max(y - south, 0), (rows - 1) * high)
        c, r = min(x // wide, columns - 2), min(y // high, rows - 2)
        u, v = x - c * wide, y - r * high
        parts = [(0, 0, (wide - u) * (high - v)), (0, 1, u * (high - v)), (1, 0, (wide - u) * v), (1, 1, u * v)]
        return sum(int(paths.heights[r + i, c + j]) * w for i, j, w in parts) // (wide * high)

    def straight(x, y):
        metres = math.isqrt(((x - east) * paths.lon_mm) ** 2 + ((y - north) * paths.lat_mm) ** 2)
        if ((x - east) * paths.lon_mm) ** 2 + ((y - north) * paths.lat_mm) ** 2 > paths.radius_mm**2:
            return None
        rise = 100 * (height(east, north) - height(x, y))
        metres = max(metres, -(-7 * abs(rise) // 2))
        tilt = (2000 * rise + metres) // max(2 * metres, 1)
        return [(metres * paths.pace * int(paths.slopes[286 + s * tilt]) + 5 * 10**9) // 10**10 for s in (1, -1)]

    out = []
    for away in (False, True):
        graph = nx.DiGraph()

        def arc(a, b, seconds, graph=graph, away=away):
            a, b = (b, a) if away else (a, b)
            if not graph.has_edge(a, b) or graph[a][b]["seconds"] > seconds:
                graph.add_edge(a, b, seconds=seconds)

        for t, h, along, against in zip(paths.tail, paths.head, paths.ahead, paths.behind, strict=True):
            if along >= 0:
                arc(("n", t), ("n", h), int(along))
            if against >= 0:
                arc(("n", h), ("n", t), int(against))
        for p, n, leave, arrive in zip(paths.place, paths.node, paths.out, paths.back, strict=True):
            # a village is no way through
            if leave >= 0 and not away:
                arc(("v", p), ("n", n), int(leave))
            if arrive >= 0 and away:
                arc(("n", n), ("v", p), int(arrive))
        points = [(("n", i), int(x), int(y)) for i, (x, y) in enumerate(zip(paths.lon, paths.lat, strict=True))]
        points += [(("v", i), int(x), int(y)) for i, (x, y) in enumerate(zip(paths.settlement_lon, paths.settlement_lat, strict=True))]
        for name, x, y in points:
            found = straight(x, y)
            if found is not None:
                arc(*((name, "school") if not away else ("school", name)), found[away])
        graph.add_node("school")
        # turned round where away, so that both are searched against the arrows towards the school
        reached = nx.single_source_dijkstra_path_length(graph.reverse(), "school", weight="seconds")
        out.append([reached.get(("v", i), NEVER) for i in range(len(paths.settlement_lon))])
    both = np.maximum(*(np.where(np.array(way) > paths.longest, NEVER, way) for way in out))
    return both


@pytest.mark.parametrize("seed", range(6))
def test_the_same_as_networkx(paths, seed):
    random = np.random.default_rng(seed)
    i = int(random.integers(len(paths.settlement_lon)))
    lon, lat = (v + random.uniform(-0.02, 0.02) for v in where(paths, i))
    assert dropped_seconds(paths, lon, lat).tolist() == naive(paths, lon, lat).tolist()


def test_a_school_dropped_where_one_stands_takes_nearly_what_it_takes(county, paths):
    schools = county.schools[county.schools["status"] == "open"].reset_index(drop=True)
    times = layout.county_times(county, layout.read_standards())
    matrix = seconds_matrix(times, layout.read_standards(), settlement_ids=county.settlements["settlement_id"], school_ids=schools["school_id"])
    off, lost = [], 0
    for k, (east, north) in enumerate(degrees(schools.geometry)):
        quick, exact = dropped_seconds(paths, east / 1e5, north / 1e5), matrix.walk[2][:, k].astype(int)
        both = (quick < NEVER) & (exact < NEVER)
        off += (quick - exact)[both].tolist()
        lost += int(((quick < NEVER) != (exact < NEVER)).sum())
    # the way across open ground is straight here, and off by its bends and obstacles
    assert len(off) > 80 and np.median(np.abs(off)) < 60 and np.percentile(np.abs(off), 90) < 300 and lost <= 0.1 * len(off)


def test_a_school_far_from_everything_is_reached_by_nobody(paths):
    lon, lat = where(paths, 0)
    assert (dropped_seconds(paths, lon + 5, lat) == NEVER).all()
    assert nearest_settlement(paths, *where(paths, 7)) == 7


def test_roads_that_nobody_walks_are_left_out(paper):
    edges = paper.roads.edges.assign(walk=[True] * 5 + [False] * 5, highway=["tertiary"] * 5 + ["motorway"] * 5)
    paths = paths_of(dataclasses.replace(paper, roads=dataclasses.replace(paper.roads, edges=edges)), level_kph=6)
    assert int(paths.ahead.sum()) == 3000
    # D at 6 km still reaches the end of the road at 5 km across open ground: 1000 s and then 600 s a kilometre
    assert dropped_seconds(paths, *where(paths, 0))[3] == pytest.approx(1000 + 3000, abs=3)


def test_the_order_keeps_neighbours_together():
    random = np.random.default_rng(1)
    lon, lat = random.integers(0, 50_000, 2000), random.integers(0, 50_000, 2000)
    order = z_order(lon, lat)
    assert sorted(order) == list(range(2000))
    step = np.hypot(np.diff(lon[order]), np.diff(lat[order])).mean()
    assert step < np.hypot(np.diff(lon), np.diff(lat)).mean() / 10
