"""The prepared network: engines that agree, chains, gates, edits, seasons, bends, and what decided a speed."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString
from test_travel import make_roads, places, random_places, random_roads, tilted

from conftest import CRS, EAST, NORTH, at, paper_roads
from layout import hierarchy, topology
from layout.explain import explain_time
from layout.network import edge_minutes, prepare_network, reweigh
from layout.pace import MODES, NEVER, TICKS
from layout.reach import labels_of_each, nearest_labels
from layout.relief import find_bends, make_relief, share_in_bends
from layout.road_edges import complete_edges
from layout.road_edits import RoadEdits
from layout.roads import Roads
from layout.search import Joined, join_places, least_ticks
from layout.standards import read_standards
from layout.travel import nearest_by_node, nodes_within, travel_matrix


def many_roads(seed: int) -> tuple[Roads, gpd.GeoDataFrame, gpd.GeoDataFrame]:
    rng = np.random.default_rng(seed)
    roads = random_roads(rng, nodes=int(rng.integers(5, 40)), edges=int(rng.integers(5, 80)))
    return roads, random_places(rng, roads, 8, "a"), random_places(rng, roads, 5, "b")


# --- two engines, one answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("plane", [(0.0, 0.0), (0.12, -0.2)])
def test_hierarchy_and_scipy_give_the_same_ticks(mode, plane):
    reached = 0
    for seed in range(12):
        roads, a, b = many_roads(seed)
        network = prepare_network(roads, mode=mode, terrain=tilted(*plane) if any(plane) else None)
        one, two = join_places(network, a), join_places(network, b)
        for x, y in ((one, two), (two, one)):
            by_scipy, by_hierarchy = (least_ticks(x, y, engine=e) for e in ("scipy", "hierarchy"))
            np.testing.assert_array_equal(by_scipy, by_hierarchy)
            reached += (by_scipy < NEVER).sum()
    assert reached > 300


@pytest.mark.parametrize("mode", ["walk", "bus"])
def test_neither_chains_nor_order_nor_threads_change_a_tick(mode):
    for seed in range(8):
        roads, a, b = many_roads(seed)
        network = prepare_network(roads, mode=mode)
        expected = least_ticks(join_places(network, a), join_places(network, b), engine="hierarchy")
        for tree in (
            hierarchy.build_hierarchy(network.topology, contract=False),
            hierarchy.build_hierarchy(network.topology, order=hierarchy.bisect),
            hierarchy.build_hierarchy(network.topology, order=lambda links, x, y: np.arange(len(x))),
        ):
            other = prepare_network(roads, mode=mode)
            other.skeleton.__dict__["hierarchy"] = tree
            np.testing.assert_array_equal(least_ticks(join_places(other, a), join_places(other, b), engine="hierarchy"), expected)
        one, two = join_places(network, a), join_places(network, b)
        if mode == "walk":
            found = [hierarchy.many_to_many(network.walk.weighted, one.leaving[1], two.arriving[1], threads=t) for t in (1, 2, 3)]
            np.testing.assert_array_equal(found[0], found[1])
            np.testing.assert_array_equal(found[0], found[2])


def test_bisection_orders_every_vertex_once_and_fills_in_little():
    rng = np.random.default_rng(3)
    side = 24
    nodes = {i * side + j: (EAST + 100.0 * i, NORTH + 100.0 * j) for i in range(side) for j in range(side)}
    edges = [{"from_node": n, "to_node": n + 1} for n in nodes if n % side < side - 1] + [
        {"from_node": n, "to_node": n + side} for n in nodes if n < side * (side - 1)
    ]
    shape = topology.make_topology(make_roads(nodes, edges))
    tree = hierarchy.build_hierarchy(shape, order=hierarchy.bisect)
    assert sorted(tree.rank[tree.rank >= 0]) == list(range(len(tree.pointer) - 1))
    shuffled = hierarchy.build_hierarchy(shape, order=lambda links, x, y: rng.permutation(len(x)))
    assert len(tree.heads) < len(shuffled.heads) / 2


def test_triangle_inequality_and_the_reversed_network_between_nodes():
    for seed in range(6):
        roads, _, _ = many_roads(seed)
        rules = {"travel.join_radius": 0.5}
        nodes = gpd.GeoDataFrame({"id": roads.nodes.node_id.astype(str)}, geometry=gpd.points_from_xy(roads.nodes.x, roads.nodes.y), crs=roads.crs)
        network = prepare_network(roads, terrain=tilted(0.1, 0.1), standards=with_figures(rules))
        ticks = least_ticks(*[join_places(network, nodes)] * 2).astype("int64")
        assert (ticks[:, :, None] + ticks[None, :, :] >= np.minimum(ticks[:, None, :], NEVER)).all()
        back = least_ticks(*[join_places(prepare_network(turned(roads), terrain=tilted(0.1, 0.1), standards=with_figures(rules)), nodes)] * 2)
        # every line is drawn the other way round; nothing else changes
        np.testing.assert_allclose(back.astype(float), ticks, atol=40)


def turned(roads: Roads) -> Roads:
    """The same roads with every line drawn from its other end."""
    edges = roads.edges.assign(from_node=roads.edges.to_node, to_node=roads.edges.from_node, oneway=-roads.edges.oneway)
    return Roads(roads.nodes, edges.set_geometry(roads.edges.geometry.reverse()), roads.crs)


def with_figures(figures: dict[str, float]):
    from layout.standards import read_standards

    rules = read_standards()
    return dataclasses.replace(rules, rules={**rules.rules, **{k: dataclasses.replace(rules.rules[k], value=v) for k, v in figures.items()}})


# --- topology ------------------------------------------------------------------------------------------------------------


def test_a_gate_stops_vehicles_and_lets_children_through():
    nodes = {1: (EAST, NORTH), 2: (EAST + 1000, NORTH), 3: (EAST + 2000, NORTH)}
    roads = make_roads(nodes, [{"from_node": 1, "to_node": 2, "way_id": 1}, {"from_node": 2, "to_node": 3, "way_id": 2}])
    shut = Roads(roads.nodes.assign(walk_closed=False, drive_closed=roads.nodes.node_id == 2), roads.edges, roads.crs)
    ends = places((EAST, NORTH)), places((EAST + 2000, NORTH), prefix="s")
    for engine in ("scipy", "hierarchy"):
        for mode, minutes, barred in (("walk", 2000 / 54, 2000 / 54), ("drive", 3.0, 1.5 + 1000 / 54)):
            for which, expected in ((roads, minutes), (shut, barred)):
                network = prepare_network(which, mode=mode)
                found = least_ticks(*(join_places(network, p) for p in ends), engine=engine)
                assert found[0, 0] / TICKS == pytest.approx(expected, abs=1e-4)
    walled = Roads(roads.nodes.assign(walk_closed=roads.nodes.node_id == 2, drive_closed=True), roads.edges, roads.crs)
    alone = with_figures({"travel.join_radius": 1})
    assert travel_matrix(prepare_network(walled, standards=alone), *ends).minutes.tolist() == [[math.inf]]
    assert travel_matrix(prepare_network(shut, standards=alone), *ends).minutes[0, 0] == pytest.approx(2000 / 54, rel=1e-6)


# --- edits ---------------------------------------------------------------------------------------------------------------


def test_a_closed_bridge_and_a_faster_road():
    ends = places((EAST, NORTH)), places((EAST + 3000, NORTH), prefix="s")
    drive = prepare_network(paper_roads(), mode="drive", edits=RoadEdits(kph={1: 80.0}))
    # 3 km, one of them at 80 instead of 40 km/h
    assert travel_matrix(drive, *ends).minutes.tolist() == [[3.75]]
    bus = prepare_network(paper_roads(), mode="bus", edits=RoadEdits(kph={1: 80.0}))
    assert travel_matrix(bus, *ends).minutes[0, 0] == pytest.approx((1.5 + 1 + 1.5) * 1.3 + 8)
    assert edge_minutes(bus).set_index("edge_id").rule[[0, 1]].tolist() == ["class", "other_max"]
    closed = prepare_network(paper_roads(), edits=RoadEdits(closed=[1]))
    assert not np.isfinite(travel_matrix(closed, *ends).minutes[0, 0])
    assert 1 not in edge_minutes(closed).edge_id.tolist()


def test_an_added_road_meets_what_it_crosses_and_ends_at():
    # a lane from 20 m beside kilometre 0.5 across open country to kilometre 9.5, crossing nothing; and one across the road at kilometre 5
    lane = LineString([(EAST + 500, NORTH + 20), (EAST + 500, NORTH + 300), (EAST + 9500, NORTH + 300), (EAST + 9500, NORTH)])
    across = LineString([(EAST + 5000.5, NORTH - 2000), (EAST + 5000.5, NORTH + 100)])
    added = gpd.GeoDataFrame({"highway": ["primary", "tertiary"]}, geometry=[lane, across], crs=CRS)
    ends = places((EAST, NORTH)), places((EAST + 10000, NORTH), (EAST + 5000.5, NORTH - 2000), prefix="s")
    before = travel_matrix(prepare_network(paper_roads(), mode="drive"), *ends).minutes
    after = travel_matrix(prepare_network(paper_roads(), mode="drive", edits=RoadEdits(added=added)), *ends).minutes
    # 0.5 km at 40, 9.6 km at 65, 0.5 km at 40
    assert after[0, 0] == pytest.approx(0.75 + 9.6 / 65 * 60 + 0.75, abs=1e-4)
    assert after[0, 1] == pytest.approx(5.0005 * 1.5 + 3.0, abs=1e-3)
    assert before[0, 0] == 15 and np.isinf(before[0, 1])
    over = gpd.GeoDataFrame({"highway": ["tertiary"], "bridge": [True]}, geometry=[across], crs=CRS)
    # a bridge passes over the road: its north end is 100 m from it, too far to meet it
    assert np.isinf(travel_matrix(prepare_network(paper_roads(), mode="drive", edits=RoadEdits(added=over)), *ends).minutes[0, 1])


@pytest.mark.parametrize("mode", ["walk", "bus"])
def test_an_added_road_makes_nobody_slower_by_a_tick(mode):
    for seed in range(12):
        roads, a, b = many_roads(seed)
        rng = np.random.default_rng(seed + 500)
        lines = [LineString(np.column_stack([EAST + 2000 + rng.uniform(0, 6000, 3), NORTH + 2000 + rng.uniform(0, 6000, 3)])) for _ in range(2)]
        added = gpd.GeoDataFrame({"highway": ["tertiary", "path"]}, geometry=lines, crs=CRS)
        before, after = (
            least_ticks(*(join_places(network, p) for p in (a, b)))
            for network in (prepare_network(roads, mode=mode, terrain=tilted(0.1, 0.05), edits=e) for e in (None, RoadEdits(added=added)))
        )
        assert (after <= before).all()


def test_edits_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="no edge has the edge_id 99"):
        prepare_network(paper_roads(), edits=RoadEdits(closed=[99]))
    with pytest.raises(ValueError, match="above 0"):
        prepare_network(paper_roads(), edits=RoadEdits(kph={1: 0.0}))
    with pytest.raises(ValueError, match="coordinate system"):
        prepare_network(paper_roads(), edits=RoadEdits(added=gpd.GeoDataFrame(geometry=[LineString([(0, 0), (1, 1)])])))
    with pytest.raises(ValueError, match="some length"):
        prepare_network(paper_roads(), edits=RoadEdits(added=gpd.GeoDataFrame(geometry=[LineString([(0, 0), (0, 0)])], crs=CRS)))


# --- seasons, stairs, bends ----------------------------------------------------------------------------------------------


def one_edge(**facts) -> Roads:
    roads = make_roads({1: (EAST, NORTH), 2: (EAST + 1000, NORTH)}, [{"from_node": 1, "to_node": 2}])
    return Roads(roads.nodes, complete_edges(roads.edges).assign(**facts), roads.crs)


@pytest.mark.parametrize(
    ("facts", "season", "factor"),
    [({}, "dry", 1.0), ({"steps": True}, "dry", 0.5), ({"surface": "mud"}, "dry", 0.8), ({"tracktype": "grade5"}, "dry", 0.8), ({}, "rain", 0.9), ({}, "ice", 0.7),
     ({"ford": True}, "rain", 0.0), ({"steps": True}, "ice", 0.35)],
)  # fmt: skip
def test_walking_on_stairs_mud_and_ice(facts, season, factor):
    ends = places((EAST, NORTH)), places((EAST + 1000, NORTH), prefix="s")
    found = travel_matrix(prepare_network(one_edge(**facts), level_kph=6, season=season, standards=with_figures({"travel.join_radius": 1})), *ends)
    assert found.minutes[0, 0] == (pytest.approx(10 / factor, rel=1e-6) if factor else math.inf)


@pytest.mark.parametrize(
    ("facts", "season", "kph", "rule"),
    [({}, "dry", 40, "class"), ({}, "rain", 36, "class"), ({"surface": "dirt"}, "rain", 20, "season"), ({}, "ice", 20, "season"),
     ({"speed_zone": "CN:urban", "highway": "primary"}, "dry", 50, "posted"), ({"speed_zone": "XX:rural"}, "dry", 40, "class"),
     ({"speed_zone": "walk"}, "dry", 7, "posted"), ({"maxspeed_kph": 30.0, "speed_zone": "CN:urban"}, "dry", 30, "posted"), ({"width_m": 4.0}, "dry", 20, "narrow")],
)  # fmt: skip
def test_what_decides_the_speed_of_a_bus(facts, season, kph, rule):
    found = edge_minutes(prepare_network(one_edge(**facts), mode="week", season=season)).iloc[0]
    assert found.minutes == pytest.approx(60 / kph)
    assert (found.rule, found.capped_m) == (rule, 1000.0 if rule in ("season", "narrow") else 0.0)


def test_limits_that_differ_by_direction():
    found = edge_minutes(prepare_network(one_edge(maxspeed_kph=30.0, maxspeed_back_kph=15.0), mode="drive")).iloc[0]
    assert (found.minutes, found.minutes_back) == (2.0, 4.0)


def test_a_fork_of_a_circle_has_its_radius_and_slows_the_bus():
    # half a circle of 30 m radius between two straights of 300 m: 94 m of bend, found within a few metres
    angle = np.linspace(-np.pi / 2, np.pi / 2, 19)
    arc = np.column_stack([EAST + 300 + 30 * np.cos(angle), NORTH + 30 + 30 * np.sin(angle)])
    line = LineString([(EAST, NORTH), *arc, (EAST, NORTH + 60)])
    roads = make_roads({1: (EAST, NORTH), 2: (EAST, NORTH + 60)}, [{"from_node": 1, "to_node": 2}])
    bent = Roads(roads.nodes, roads.edges.set_geometry([line], crs=CRS).assign(length_m=line.length), roads.crs)
    inner = find_bends(bent.edges)
    inner = inner[(inner.low > 0.45) & (inner.high < 0.55)]
    assert inner.radius_m.between(27, 33).all() and len(inner)
    for factor, caught in ((1.0, True), (3.0, False)):
        wide = shapely.transform(line, lambda xy, f=factor: (xy - [EAST, NORTH]) * f + [EAST, NORTH])
        edges = bent.edges.set_geometry([wide], crs=CRS).assign(length_m=wide.length)
        found = edge_minutes(prepare_network(Roads(roads.nodes, edges, CRS), mode="week")).iloc[0]
        slow = (found.minutes - wide.length / 1000 / 40 * 60) / (1 / 20 - 1 / 40) / 60 * 1000
        # half a chord at either end of the arc bends less than it: 94 m less 10 m or so
        assert slow == pytest.approx(82 if caught else 0, abs=2)
    free = prepare_network(bent, mode="bus")
    assert free.ride_uncapped.minutes[-1] == pytest.approx(line.length / 1000 / 40 * 60 * 1.3)


def test_share_of_steps_in_bends_is_the_union():
    relief = make_relief(paper_roads().edges, tilted(0.1))
    bends = pd.DataFrame({"edge": [0, 0, 2], "low": [0.1, 0.15, 0.0], "high": [0.2, 0.3, 1.0], "radius_m": [10.0, 20.0, 44.0]})
    relief = dataclasses.replace(relief, bends=bends)
    share = share_in_bends(relief, 10, 45.0)
    metres = np.bincount(relief.step_edge, share * relief.step_m, minlength=10)
    np.testing.assert_allclose(metres, [200, 0, 1000, 0, 0, 0, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(np.bincount(relief.step_edge, share_in_bends(relief, 10, 15.0) * relief.step_m, minlength=10)[0], 100, atol=1e-6)


# --- re-weighting, nodes, explanations -----------------------------------------------------------------------------------


def test_reweighing_is_the_same_as_preparing():
    roads, a, b = many_roads(4)
    first = prepare_network(roads, terrain=tilted(0.1, 0.02))
    joined = join_places(first, a), join_places(first, b)
    for options in ({"mode": "bus", "band": "junior"}, {"level_kph": 5.0}, {"season": "ice", "mode": "week"}, {"mode": "drive"}):
        again = reweigh(first, **options)
        assert again.topology is first.topology
        fresh = prepare_network(roads, terrain=tilted(0.1, 0.02), **{"mode": "walk", **options})
        np.testing.assert_allclose(travel_matrix(again, *joined).minutes, travel_matrix(fresh, a, b).minutes, atol=1e-4)
    # joined to other roads they are joined anew, as under another season
    other = prepare_network(paper_roads())
    np.testing.assert_array_equal(travel_matrix(other, *joined).minutes, travel_matrix(other, a, b).minutes)
    utm = gpd.GeoDataFrame(paper_roads().edges).to_crs(32648)
    elsewhere = Roads(paper_roads().nodes, utm, "EPSG:32648")
    with pytest.raises(ValueError, match="joined in EPSG:4545, the network is in EPSG:32648"):
        join_places(prepare_network(elsewhere), joined[0])
    with pytest.raises(ValueError, match="season must be one of"):
        reweigh(first, season="spring")


def test_a_ford_that_the_rains_close_leaves_the_way_across_the_fields():
    # in the dry one joins the ford's road; in the rains that leads nowhere and one goes straight to the next
    nodes = {1: (EAST, NORTH), 2: (EAST + 50, NORTH), 3: (EAST + 400, NORTH)}
    roads = make_roads(nodes, [{"from_node": 1, "to_node": 2}, {"from_node": 2, "to_node": 3}])
    roads = Roads(roads.nodes, complete_edges(roads.edges).assign(ford=[True, False]), roads.crs)
    ends = places((EAST - 30, NORTH)), places((EAST + 400, NORTH), prefix="s")
    dry = prepare_network(roads, standards=with_figures({"travel.join_radius": 200.0}))
    rain = reweigh(dry, season="rain")
    kph = 3.24 * 0.9
    expected = (80 / 0.6 + 350) / 1000 / kph * 60
    for found in (travel_matrix(rain, *ends), travel_matrix(rain, *(join_places(dry, p) for p in ends))):
        assert found.minutes[0, 0] == pytest.approx(expected, rel=1e-6)


def test_nodes_within_are_those_of_one_search_a_place():
    for seed in range(4):
        roads, a, _ = many_roads(seed)
        network = prepare_network(roads, terrain=tilted(0.05, 0.1))
        for direction in ("towards", "from"):
            found = nodes_within(network, a, 40, direction=direction)
            ticks = least_to_nodes(network, join_places(network, a), direction == "towards")[:, : len(roads.nodes)]
            expected = {(a.id[i], j): ticks[i, j] / TICKS for i, j in zip(*np.nonzero(ticks <= 40 * TICKS), strict=True)}
            assert {(r.place_id, r.node_id): r.minutes for r in found.itertuples()} == expected and len(found) == len(expected)
            for threads in (1, 3):
                again = labels_of_each(network, a, towards=direction == "towards", limit=40 * TICKS, threads=threads)
                assert [v.tolist() for v in again] == [
                    v.tolist() for v in labels_of_each(network, a, towards=direction == "towards", limit=40 * TICKS)
                ]
    with pytest.raises(ValueError, match="direction"):
        nodes_within(network, a, 5, direction="up")


def test_nearest_place_of_every_node():
    for seed in range(6):
        roads, a, _ = many_roads(seed)
        network = prepare_network(roads, terrain=tilted(0.05, 0.1))
        for towards in (True, False):
            label, owner = nearest_labels(network, a, towards=towards)
            vertices = least_to_nodes(network, join_places(network, a), towards)
            np.testing.assert_array_equal(np.minimum(label, NEVER), vertices.min(axis=0))
            assert (owner[label < NEVER] == vertices.argmin(axis=0)[label < NEVER]).all()
    with pytest.raises(ValueError, match="direction"):
        nearest_by_node(network, a, direction="up")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("direction", ["towards", "from"])
def test_minutes_of_nodes_are_those_of_places_on_them(mode, direction):
    rules = read_standards()
    rule = dataclasses.replace(rules.rules["travel.join_radius"], value=0.5)
    on_the_road = dataclasses.replace(rules, rules={**rules.rules, "travel.join_radius": rule})
    reached = 0
    for seed in range(8):
        roads, _, _ = many_roads(seed)
        network = prepare_network(roads, mode=mode, terrain=tilted(0.05, 0.1), standards=on_the_road)
        nodes = gpd.GeoDataFrame({"id": roads.nodes.node_id}, geometry=gpd.points_from_xy(roads.nodes.x, roads.nodes.y), crs=roads.crs)
        some = nodes.iloc[::5]
        matrix = travel_matrix(network, *((nodes, some) if direction == "towards" else (some, nodes)))
        minutes = (matrix.minutes if direction == "towards" else matrix.minutes.T).astype(float)
        found = nodes_within(network, some, 60, direction=direction)
        # a place is at itself even where no road leads
        pairs = [(k, j) for k, i in enumerate(nodes.id) for j, own in enumerate(some.id) if i != own and minutes[k, j] <= 60]
        got = {(r.place_id, r.node_id): r.minutes for r in found.itertuples() if r.place_id != str(r.node_id)}
        assert got == pytest.approx({(str(some.id.iloc[j]), nodes.id.iloc[k]): minutes[k, j] for k, j in pairs}, abs=1e-4)
        near = nearest_by_node(network, some, direction=direction).set_index("node_id").minutes.reindex(nodes.id)
        least = pd.Series(minutes.min(axis=1), index=nodes.id)
        other = ~nodes.id.isin(some.id).to_numpy()
        np.testing.assert_allclose(near[other].fillna(np.inf), least[other], atol=1e-4)
        reached += len(got)
    assert reached > 60


def least_to_nodes(network, joined: Joined, towards: bool) -> np.ndarray:
    """Ticks from every place to every vertex (or back), one scipy search a place."""
    from scipy.sparse.csgraph import dijkstra

    from layout.joins import ground_ticks, with_sources
    from layout.search import reach_ends, stand

    joins, ways = joined.joins, network.walk
    strands = ways.by_piece
    standing = stand(ways, strands, network, joins.place, joins.edge, joins.share, ground_ticks(network, joins.back if towards else joins.out))
    place, vertex, ticks = reach_ends(strands, standing, away=not towards)
    table = pd.DataFrame({"p": place, "v": vertex, "t": ticks}).groupby(["p", "v"], as_index=False).t.min()
    whole = with_sources(ways.arcs_back if towards else ways.arcs, table.p.to_numpy(), table.v.to_numpy(), table.t.to_numpy(), len(joins.ids))
    count = network.topology.vertices
    return np.minimum(dijkstra(whole, indices=count + np.arange(len(joins.ids)))[:, :count], NEVER)


@pytest.mark.parametrize("mode", MODES)
def test_an_explanation_adds_up_to_the_minutes(mode):
    told = 0
    for seed in range(6):
        roads, a, b = many_roads(seed)
        network = prepare_network(roads, mode=mode, terrain=tilted(0.08, -0.1))
        minutes = travel_matrix(network, a, b).minutes
        for i in range(0, len(a), 3):
            for j in range(len(b)):
                parts = explain_time(network, a.iloc[[i]], b.iloc[[j]])
                if np.isfinite(minutes[i, j]):
                    assert parts.minutes.sum() == pytest.approx(float(minutes[i, j]), abs=2e-4)
                    ways = [g for g in parts.geometry if g is not None]
                    assert all(shapely.Point(p.coords[-1]).distance(shapely.Point(q.coords[0])) < 1e-6 for p, q in itertools.pairwise(ways))
                    told += 1
                else:
                    assert not len(parts) or np.isinf(parts.minutes.sum())
                    assert not len(parts) or set(parts.rule[np.isinf(parts.minutes)]) <= {"closed", "oneway", "no_walking", "no_vehicles"}
    assert told > 40


def test_roads_in_degrees_taken_for_metres_are_refused():
    roads = paper_roads()
    wrong = Roads(roads.nodes, roads.edges.to_crs(4326).set_crs(roads.crs, allow_override=True), roads.crs)
    with pytest.raises(ValueError, match="degrees"):
        prepare_network(wrong)
    with pytest.raises(ValueError, match="length_m of at least 0"):
        prepare_network(Roads(roads.nodes, roads.edges.assign(length_m=np.nan), roads.crs))


@pytest.mark.parametrize("mode", MODES)
def test_lines_that_cross_themselves_loops_and_edges_without_length(mode):
    nodes = {0: (EAST, NORTH), 1: (EAST + 2000, NORTH), 2: (EAST + 2000, NORTH), 3: (EAST + 4000, NORTH)}
    ends = [(0, 1), (1, 2), (2, 3), (3, 3)]
    roads = make_roads(
        nodes, [{"from_node": u, "to_node": v} for u, v in ends[:1] + ends[2:3]] + [{"from_node": 1, "to_node": 2}, {"from_node": 3, "to_node": 3}]
    )
    eight = LineString([nodes[0], (EAST + 1500, NORTH + 400), (EAST + 1500, NORTH - 400), (EAST + 600, NORTH + 300), nodes[1]])
    ring = LineString([nodes[3], (EAST + 4500, NORTH), (EAST + 4500, NORTH + 500), nodes[3]])
    lines = [eight, roads.edges.geometry.iloc[1], roads.edges.geometry.iloc[2], ring]
    edges = roads.edges.set_geometry(lines, crs=roads.crs).assign(length_m=[line.length for line in lines])
    network = prepare_network(Roads(roads.nodes, edges, roads.crs), mode=mode, level_kph=6)
    a, b = join_places(network, places((EAST, NORTH), (EAST + 4500, NORTH + 10))), join_places(network, places((EAST + 4000, NORTH), prefix="s"))
    found = least_ticks(a, b, engine="hierarchy")
    np.testing.assert_array_equal(found, least_ticks(a, b, engine="scipy"))
    if mode == "walk":
        assert found[1, 0] / TICKS == pytest.approx(5.1, abs=0.2)
        # nobody walks the whole figure of eight who can go straight across where it meets itself
        assert 40 < found[0, 0] / TICKS <= (eight.length + 2000) / 100 + 1e-6


def test_which_edge_makes_a_village_unreachable():
    ends = places((EAST, NORTH)), places((EAST + 3000, NORTH), prefix="s")
    parts = explain_time(prepare_network(paper_roads(), edits=RoadEdits(closed=[1])), *ends)
    assert parts[["edge_id", "rule"]].to_numpy().tolist() == [[0, ""], [1, "closed"], [2, ""]]
    assert np.isinf(parts.minutes[1]) and np.isfinite(parts.minutes[[0, 2]]).all()
    far = places((EAST, NORTH + 50_000), prefix="f")
    assert not len(explain_time(prepare_network(paper_roads()), far, ends[1]))
    with pytest.raises(ValueError, match="one origin and one destination, not 2 and 1"):
        explain_time(prepare_network(paper_roads()), places((EAST, NORTH), (EAST, NORTH + 1)), ends[1])


def test_an_explanation_names_the_rule_that_slowed_the_bus():
    roads = one_edge(width_m=4.0, name="老路")
    parts = explain_time(prepare_network(roads, mode="bus"), places((EAST, NORTH)), places((EAST + 1000, NORTH), prefix="s"))
    assert parts[["part", "name", "rule"]].to_numpy().tolist() == [["wait", "", ""], ["ride", "老路", "narrow"]]
    assert parts.minutes.tolist() == [8.0, pytest.approx(3.9)]


def test_that_loops_are_yet_to_be_compiled_is_said(caplog, monkeypatch):
    import sys

    from layout import compiled

    with caplog.at_level("INFO", logger="layout"):
        compiled.loops()
        assert not caplog.records, "what is loaded is not compiled again"
        monkeypatch.setattr(compiled, "cached", lambda name: False)
        monkeypatch.delitem(sys.modules, "layout.cost_surface_kernels", raising=False)
        assert compiled.loops("cost_surface_kernels").spread is not None
    assert [r.getMessage() for r in caplog.records] == ["compiling inner loops (cost_surface_kernels): some seconds, once on this machine"]


def test_nearest_places_over_ways_of_no_length(paper):
    """Gates and links take no ticks: every vertex is settled once all the same, and ties go to the first place."""
    from layout.kernels import nearest_source, scratch

    nodes = paper.roads.nodes.assign(walk_closed=False, drive_closed=False)
    nodes.loc[5, "drive_closed"] = True
    roads = Roads(nodes, paper.roads.edges, paper.roads.crs)
    for ids in (["a", "b"], ["b", "a"]):
        ends = gpd.GeoDataFrame({"id": ids}, geometry=[at(3), at(7)], crs=CRS)
        found = nearest_by_node(prepare_network(roads, level_kph=6), ends).set_index("node_id")
        assert found.minutes.tolist() == [30, 20, 10, 0, 10, 20, 10, 0, 10, 20, 30]
        assert found.place_id[5] == ids[0] and found.place_id[4] == ids[0] and found.place_id[6] == ids[1]
    # a chain of no ticks reached from both ends by two sources at once; memory beyond what is allowed would be written otherwise
    n = 3000
    first = np.searchsorted(np.repeat(np.arange(n), [1, *[2] * (n - 2), 1]), np.arange(n + 1)).astype("int32")
    heads = np.concatenate([[1], *[[i - 1, i + 1] for i in range(1, n - 1)], [n - 2]]).astype("int64")
    begin = np.array([0, n - 1], "int32"), np.array([7, 7], "int32"), np.array([1, 0], "int32")
    room = scratch(n, len(heads) + 2)
    label, owner = nearest_source(first, heads, *begin, NEVER - 1, room)
    assert (label == 7).all() and (owner == 0).all()


def test_compiled_searches_stay_within_their_arrays():
    """Uncompiled, every index is looked at."""
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "import numpy as np\n"
        "from test_network import many_roads, prepare_network, nearest_labels, labels_of_each, Roads\n"
        "for seed in range(12):\n"
        "    roads, a, _ = many_roads(seed)\n"
        "    rng = np.random.default_rng(seed)\n"
        "    nodes = roads.nodes.assign(walk_closed=rng.random(len(roads.nodes)) < 0.2, drive_closed=rng.random(len(roads.nodes)) < 0.3)\n"
        "    network = prepare_network(Roads(nodes, roads.edges, roads.crs), mode=('walk', 'bus')[seed % 2])\n"
        "    one = nearest_labels(network, a)\n"
        "    each = labels_of_each(network, a)\n"
        "    if seed % 2 == 0:\n"
        "        network.walk.weighted\n"
        "        assert all((p == q).all() for p, q in zip(one, nearest_labels(network, a)))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, cwd=Path(__file__).parents[1])


@pytest.mark.parametrize("length", [0.0, 1e-4, 0.01])
def test_engines_agree_at_a_one_way_piece_of_hardly_any_length(length):
    nodes = {0: (EAST, NORTH), 1: (EAST + 700 + length, NORTH), 2: (EAST + 700, NORTH), 3: (EAST + 700, NORTH - 1000)}
    roads = make_roads(nodes, [{"from_node": u, "to_node": v} for u, v in ((2, 1), (0, 2), (2, 3))])
    roads = Roads(roads.nodes, roads.edges.assign(oneway_foot=[-1, 0, 0]), roads.crs)
    network = prepare_network(roads, level_kph=6)
    a, b = join_places(network, places((EAST, NORTH))), join_places(network, places((EAST + 700, NORTH + 50), prefix="s"))
    for engine in ("scipy", "hierarchy"):
        assert least_ticks(a, b, engine=engine)[0, 0] / TICKS == pytest.approx(7 + 0.5 / 0.6, abs=0.01)


@pytest.mark.parametrize("limit", [math.nan, -1.0])
def test_limits_that_are_none_are_refused(limit, paper):
    network = prepare_network(paper.roads)
    for search in (
        lambda: nodes_within(network, paper.schools, limit), lambda: nearest_by_node(network, paper.schools, limit=limit),
        lambda: travel_matrix(network, paper.settlements, paper.schools, limit=limit),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="at least 0"):
            search()
    assert len(nodes_within(network, paper.schools, math.inf)) == 22
