"""What must hold for minutes on any roads: tried on two hundred random networks with bends, one-way streets, bridges, slopes and a river."""

from __future__ import annotations

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pandas.testing as pdt
import pytest
import shapely
from shapely.geometry import LineString
from test_travel import random_places, random_roads, tilted

from conftest import CRS, EAST, NORTH
from layout.network import Network, prepare_network
from layout.pace import NEVER
from layout.road_edits import RoadEdits
from layout.roads import Roads
from layout.search import join_places, least_ticks
from layout.standards import read_standards
from layout.travel import travel_matrix, travel_times

MODES = ("walk", "bus", "drive", "week")
HILL = tilted(0.1, -0.06, cells=450)
# the zone of the roads from another origin
AWAY = "+proj=tmerc +lat_0=20 +lon_0=108 +k=1 +x_0=1000 +y_0=7 +ellps=GRS80 +units=m"
# two hundred networks in twenty parts, four of them run each time and all among the slow tests
PARTS = [pytest.param(range(start, 200, 20), marks=[pytest.mark.slow] if start % 5 else []) for start in range(20)]
RIVER = gpd.GeoDataFrame(geometry=[LineString([(EAST + 5000, NORTH + 1000), (EAST + 5200, NORTH + 5000), (EAST + 4900, NORTH + 9500)])], crs=CRS)


def network_of(seed: int) -> tuple[Roads, gpd.GeoDataFrame, gpd.GeoDataFrame, str, dict]:
    """Bent roads, places, a mode, and what lies around them."""
    rng = np.random.default_rng(seed)
    roads = random_roads(rng, nodes=int(rng.integers(6, 18)), edges=int(rng.integers(6, 30)))
    lines = []
    for line in roads.edges.geometry:
        start, end = np.array(line.coords)
        inner = start + np.sort(rng.random(int(rng.integers(0, 5))))[:, None] * (end - start)
        lines.append(LineString([start, *(inner + rng.normal(0, 250, inner.shape)), end]))
    edges = roads.edges.set_geometry(lines, crs=roads.crs)
    edges["length_m"] = edges.length
    around = {"terrain": HILL if seed % 3 else None, "obstacles": RIVER if seed % 4 == 1 else None}
    roads = Roads(roads.nodes, edges, roads.crs)
    return roads, random_places(rng, roads, 6, "a"), random_places(rng, roads, 4, "b"), MODES[seed % 4], around


def ticks(network: Network, a: gpd.GeoDataFrame, b: gpd.GeoDataFrame, **options) -> list[np.ndarray]:
    """Both directions."""
    a, b = join_places(network, a), join_places(network, b)
    return [least_ticks(a, b, **options).astype("int64"), least_ticks(b, a, **options).T.astype("int64")]


@pytest.mark.parametrize("part", PARTS, ids=lambda p: str(p.start))
def test_a_new_road_makes_no_pair_slower(part):
    for seed in part:
        roads, a, b, mode, around = network_of(seed)
        rng = np.random.default_rng(1000 + seed)
        before = ticks(prepare_network(roads, mode=mode, **around), a, b)
        u, v = (int(n) for n in rng.choice(roads.nodes.node_id, 2, replace=False))
        ends = roads.nodes.set_index("node_id").loc[[u, v], ["x", "y"]].to_numpy()
        line = LineString([ends[0], ends.mean(axis=0) + rng.normal(0, 300, 2), ends[1]])
        new = roads.edges.iloc[[0]].assign(edge_id=len(roads.edges), from_node=u, to_node=v, length_m=line.length, oneway=0, walk=True, drive=True)
        new = new.assign(way_id=99).set_geometry([line], crs=roads.crs)
        more = Roads(roads.nodes, pd.concat([roads.edges, new], ignore_index=True), roads.crs)
        drawn = gpd.GeoDataFrame({"highway": ["tertiary"]}, geometry=[LineString([ends[0] + rng.normal(0, 200, 2), ends[1] + 150])], crs=roads.crs)
        for after in (
            prepare_network(more, mode=mode, **around), prepare_network(roads, mode=mode, edits=RoadEdits(added=drawn), **around)
        ):  # fmt: skip
            for old, changed in zip(before, ticks(after, a, b), strict=True):
                assert (changed <= old).all(), (seed, mode)


@pytest.mark.parametrize("part", PARTS, ids=lambda p: str(p.start))
def test_a_closed_road_makes_no_pair_quicker_and_a_faster_one_none_slower(part):
    for seed in part:
        roads, a, b, mode, around = network_of(seed)
        rng = np.random.default_rng(2000 + seed)
        some = rng.choice(roads.edges.edge_id, 2, replace=False).tolist()
        open_, closed, slow, fast = (
            ticks(prepare_network(roads, mode=mode, edits=edits, **around), a, b)
            for edits in (None, RoadEdits(closed=some), RoadEdits(kph=dict.fromkeys(some, 12.0)), RoadEdits(kph=dict.fromkeys(some, 55.0)))
        )
        for whole, less, low, high in zip(open_, closed, slow, fast, strict=True):
            assert (less >= whole).all() and (high <= low).all(), (seed, mode)


@pytest.mark.parametrize("part", PARTS, ids=lambda p: str(p.start))
def test_no_detour_over_a_node_is_shorter(part):
    # nobody leaves the road on the way, so nodes are joined to their own edges alone
    rules = read_standards()
    rule = dataclasses.replace(rules.rules["travel.join_radius"], value=1e-6)
    on_the_road = dataclasses.replace(rules, rules={**rules.rules, "travel.join_radius": rule})
    reached = 0
    for seed in part:
        roads, _, _, _, around = network_of(seed)
        network = prepare_network(roads, standards=on_the_road, **around)
        nodes = gpd.GeoDataFrame({"id": roads.nodes.node_id}, geometry=gpd.points_from_xy(roads.nodes.x, roads.nodes.y), crs=roads.crs)
        least, _ = ticks(network, nodes, nodes)
        through = (least[:, :, None] + least[None, :, :]).min(axis=1)
        assert (least <= through).all() and (np.diag(least) == 0).all(), seed
        reached += (least < NEVER).sum()
    assert reached > 200


@pytest.mark.parametrize("part", PARTS, ids=lambda p: str(p.start))
def test_a_level_network_turned_round_transposes_the_matrix(part):
    for seed in part:
        roads, a, b, mode, around = network_of(seed)
        around = around | {"terrain": None}
        turned = Roads(roads.nodes, roads.edges.assign(oneway=-roads.edges.oneway), roads.crs)
        there, back = ticks(prepare_network(roads, mode=mode, **around), a, b)
        again, returned = ticks(prepare_network(turned, mode=mode, **around), a, b)
        # a way and its way back are summed from the same end: they differ by the rounding of parts of pieces
        for one, other in ((there, returned), (back, again)):
            assert ((one < NEVER) == (other < NEVER)).all() and np.abs(one - other).max() <= 40, (seed, mode)


@pytest.mark.parametrize("part", PARTS, ids=lambda p: str(p.start))
def test_neither_order_nor_coordinates_nor_contraction_change_a_minute(part):
    apart = pairs = 0
    for seed in part:
        roads, a, b, mode, around = network_of(seed)
        network = prepare_network(roads, mode=mode, **around)
        for one, other in zip(ticks(network, a, b, engine="hierarchy"), ticks(network, a, b, engine="scipy"), strict=True):
            np.testing.assert_array_equal(np.minimum(one, NEVER), np.minimum(other, NEVER), err_msg=f"{seed} {mode}")
        times = travel_times(network, a, b, limit=600)
        pdt.assert_frame_equal(times, travel_times(network, a.iloc[::-1], b.sample(frac=1, random_state=1), limit=600))
        shuffled = Roads(
            roads.nodes.sample(frac=1, random_state=seed).sort_values("node_id"), roads.edges.sample(frac=1, random_state=seed), roads.crs
        )
        pdt.assert_frame_equal(times, travel_times(prepare_network(shuffled, mode=mode, **around), a, b, limit=600), atol=3e-4)
        pdt.assert_frame_equal(times, travel_times(network, a.to_crs(4326), b.to_crs(4490), limit=600), atol=3e-4)
        # the same metres from another origin
        moved = prepare_network(in_zone(roads, AWAY), mode=mode, **around)
        pdt.assert_frame_equal(times, travel_times(moved, a, b, limit=600), atol=3e-4)
        # the next zone measures the ground a little longer, so that a place may drop out of the radius of an edge
        minutes, other = (travel_matrix(n, a, b).minutes for n in (network, prepare_network(in_zone(roads, "EPSG:4544"), mode=mode, **around)))
        both = np.isfinite(minutes) & np.isfinite(other) & (minutes > 1)
        apart, pairs = apart + (np.abs(other[both] / minutes[both] - 1) > 0.005).sum(), pairs + both.sum()
    assert pairs > 50 and apart <= 0.05 * pairs


def in_zone(roads: Roads, crs: str) -> Roads:
    edges = roads.edges.to_crs(crs)
    ends = gpd.GeoSeries(gpd.points_from_xy(roads.nodes.x, roads.nodes.y), crs=roads.crs).to_crs(crs)
    return Roads(roads.nodes.assign(x=ends.x, y=ends.y), edges.assign(length_m=edges.length), crs)


def test_networks_are_of_every_kind():
    kinds = [network_of(seed) for seed in range(200)]
    assert {k[3] for k in kinds} == set(MODES) and sum(k[4]["obstacles"] is not None for k in kinds) > 30
    assert sum(shapely.get_num_coordinates(k[0].edges.geometry.to_numpy()).max() > 2 for k in kinds) > 190
