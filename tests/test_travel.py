"""Minutes: worked by hand, against a naive second implementation on random networks, as laws, and on real islands."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pandas.testing as pdt
import pytest
import shapely
from shapely.geometry import LineString, Point

from conftest import CRS, EAST, NORTH, paper_roads
from layout.network import edge_minutes, prepare_network
from layout.pace import CLASS_KPH, MODES, TICKS
from layout.roads import Roads, empty_roads, read_roads
from layout.standards import read_standards
from layout.terrain import Terrain, elevation_at, read_terrain
from layout.travel import default_limit, nearest, travel_matrix, travel_times, unjoined

STANDARDS = read_standards()
REAL = os.environ.get("LAYOUT_REAL_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="LAYOUT_REAL_DATA is not set: no real roads to measure on")


def make_roads(nodes: dict[int, tuple[float, float]], edges: list[dict], crs: str = CRS) -> Roads:
    """Straight roads between numbered nodes; an edge needs only its ends."""
    frame = pd.DataFrame({"node_id": sorted(nodes), "x": [nodes[n][0] for n in sorted(nodes)], "y": [nodes[n][1] for n in sorted(nodes)]})
    usual = {
        "highway": "tertiary", "name": "", "oneway": 0, "walk": True, "drive": True, "maxspeed_kph": math.nan, "width_m": math.nan,
        "bridge": False, "tunnel": False, "steps": False, "surface": "", "way_id": 1,
    }  # fmt: skip
    rows = [{"edge_id": i, **usual, **e} for i, e in enumerate(edges)]
    lines = [LineString([nodes[e["from_node"]], nodes[e["to_node"]]]) for e in edges]
    table = gpd.GeoDataFrame(rows, geometry=lines, crs=crs)
    table.insert(5, "length_m", table.length)
    return Roads(frame.astype({"node_id": "int64", "x": float, "y": float}), table, crs)


def places(*points: tuple[float, float], prefix: str = "p", crs: str = CRS) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"id": [f"{prefix}{i:03d}" for i in range(len(points))]}, geometry=[Point(p) for p in points], crs=crs)


def tilted(gradient_east: float, gradient_north: float = 0.0, cells: int = 400) -> Terrain:
    """A plane of 30 m cells whose south-west corner lies 1 km outside the paper road."""
    middle = (np.arange(cells) + 0.5) * 30
    z = 500 + gradient_east * middle[None, :] + gradient_north * (cells * 30 - middle[:, None])
    return Terrain(z.astype("float32"), EAST - 1000, NORTH - 1000 + cells * 30, 30, 30, CRS)


def minutes_of(times: pd.DataFrame, column: str = "minutes") -> dict[tuple[str, str], float]:
    return {(r.from_id, r.to_id): getattr(r, column) for r in times.itertuples()}


# --- by hand -------------------------------------------------------------------------------------------------------------


def test_paper_county_on_foot(paper):
    # 3.24 km/h is 54 m a minute: A to S1 1500 / 54 = 27.7778; C to S2 4500 / 54 = 83.3333; 7000 / 54 = 129.6 is over 120
    times = travel_times(paper.roads, paper.settlements, paper.schools)
    km = {("A", "S1"): 1.5, ("B", "S1"): 0.5, ("B", "S2"): 6, ("C", "S1"): 1, ("C", "S2"): 4.5, ("D", "S1"): 4.5, ("D", "S2"): 1, ("E", "S2"): 2}
    expected = pd.DataFrame(
        [(a, b, "walk", "lower", round(d * 1000 / 54, 4), round(d * 1000 / 54, 4), math.nan) for (a, b), d in km.items()],
        columns=["from_id", "to_id", "mode", "band", "minutes", "minutes_back", "minutes_uncapped"],
    )
    pdt.assert_frame_equal(times, expected)


def test_paper_county_by_bus(paper):
    # 40 km/h on a tertiary road: A to S2 7 km 10.5 min, detour x 1.3 = 13.65, wait 5 and stops 3: 21.65
    times = minutes_of(travel_times(paper.roads, paper.settlements, paper.schools, mode="bus"))
    assert times["A", "S2"] == 21.65
    # E to S1 7.5 km: 11.25 x 1.3 + 8 = 22.625
    assert times["E", "S1"] == 22.625
    # the weekly trip: the same speed without detour, wait and stops
    assert minutes_of(travel_times(paper.roads, paper.settlements, paper.schools, mode="week"))["A", "S2"] == 10.5


def test_level_speed_by_band(paper):
    for band, kph in (("lower", 3.24), ("upper", 3.6), ("junior", 3.96)):
        times = minutes_of(travel_times(paper.roads, paper.settlements, paper.schools, band=band))
        assert times["A", "S1"] == pytest.approx(1.5 / kph * 60, abs=1e-4)
    assert minutes_of(travel_times(paper.roads, paper.settlements, paper.schools, level_kph=5))["A", "S1"] == 18.0


def test_off_the_road_the_speed_is_three_fifths():
    # 540 m across open ground at 3.24 x 0.6 = 1.944 km/h, 32.4 m a minute: 16.6667; then 1000 m of road at 54: 18.5185
    village, school = places((EAST + 5000, NORTH + 540)), places((EAST + 6000, NORTH), prefix="s")
    # a slanting line to the school itself (1136.5 m / 32.4 = 35.08) is quicker than round the corner (35.19)
    times = minutes_of(travel_times(paper_roads(), village, school))
    assert times["p000", "s000"] == pytest.approx(math.hypot(1000, 540) / 32.4, abs=1e-4)
    # at 300 m the corner would be 9.2593 + 18.5185 = 27.7778, straight 32.22: by the road
    times = minutes_of(travel_times(paper_roads(), places((EAST + 5000, NORTH + 300)), school))
    assert times["p000", "s000"] == pytest.approx(27.7778, abs=1e-4)


def test_beyond_the_radius_nothing_is_joined_and_it_is_said():
    far = places((EAST + 5000, NORTH + 1500), (EAST + 5000, NORTH + 1501), (EAST + 9000, NORTH - 2500))
    times = travel_times(paper_roads(), far, places((EAST + 5000, NORTH), prefix="s"), limit=500)
    assert times.from_id.tolist() == ["p000"]
    gone = unjoined(paper_roads(), far, standards=STANDARDS)
    pdt.assert_frame_equal(gone, pd.DataFrame({"id": ["p001", "p002"], "distance_m": [1501.0, 2500.0]}))


def test_two_places_far_from_roads_walk_straight_to_each_other():
    # 900 m / 32.4 = 27.7778, although neither reaches a road
    times = travel_times(paper_roads(), places((EAST, NORTH + 9000)), places((EAST + 900, NORTH + 9000), prefix="s"))
    assert times.minutes.tolist() == [27.7778]


@pytest.mark.parametrize("gradient", [-0.2, -0.05, -0.02, 0.0, 0.03, 0.1, 0.25])
def test_tilted_plane_in_closed_form(gradient):
    # both directions of 4 km on a slope that is the same everywhere, to 0.5 %
    level = 4000 / 54
    up, down = (level / math.exp(-3.5 * (abs(s + 0.05) - 0.05)) for s in (gradient, -gradient))
    times = travel_times(paper_roads(), places((EAST + 2000, NORTH)), places((EAST + 6000, NORTH), prefix="s"), terrain=tilted(gradient), limit=1e4)
    assert times.minutes[0] == pytest.approx(up, rel=0.005)
    assert times.minutes_back[0] == pytest.approx(down, rel=0.005)


def test_tilted_plane_off_the_road():
    up = 1000 / 32.4 / math.exp(-3.5 * (0.15 - 0.05))
    down = 1000 / 32.4 / math.exp(-3.5 * (0.05 - 0.05))
    times = travel_times(paper_roads(), places((EAST + 500, NORTH + 5000)), places((EAST + 500, NORTH + 6000), prefix="s"), terrain=tilted(0, 0.1))
    assert times.minutes[0] == pytest.approx(up, rel=0.005)
    assert times.minutes_back[0] == pytest.approx(down, rel=0.005)


def test_bridge_is_straight_between_its_ends():
    # a gorge 100 m deep: on the ground the way is slow, on the bridge it is level
    z = np.full((400, 400), 500.0, "float32")
    z[:, 140:160] = 400
    gorge = Terrain(z, EAST - 1000, NORTH - 1000 + 12000, 30, 30, CRS)
    nodes = {1: (EAST + 2500, NORTH), 2: (EAST + 4500, NORTH)}
    ends = places((EAST + 2500, NORTH)), places((EAST + 4500, NORTH), prefix="s")
    level = 2000 / 54
    for tag, expected in (("bridge", True), ("tunnel", True), ("steps", False)):
        times = travel_times(make_roads(nodes, [{"from_node": 1, "to_node": 2, tag: True}]), *ends, terrain=gorge, limit=1e4)
        assert bool(times.minutes[0] == pytest.approx(level, abs=1e-3)) is expected


def test_nobody_gets_on_in_the_middle_of_a_tunnel_or_on_a_motorway():
    nodes = {1: (EAST, NORTH), 2: (EAST + 8000, NORTH)}
    middle, end = places((EAST + 4000, NORTH + 10)), places((EAST + 8000, NORTH), prefix="s")
    assert len(travel_times(make_roads(nodes, [{"from_node": 1, "to_node": 2}]), middle, end)) == 1
    assert not len(travel_times(make_roads(nodes, [{"from_node": 1, "to_node": 2, "tunnel": True}]), middle, end))
    motorway = make_roads(nodes, [{"from_node": 1, "to_node": 2, "highway": "motorway", "walk": False}])
    assert not len(travel_times(motorway, middle, end, mode="bus"))
    assert unjoined(make_roads(nodes, [{"from_node": 1, "to_node": 2, "tunnel": True}]), middle, standards=STANDARDS).id.tolist() == ["p000"]


def test_void_terrain_counts_as_flat_and_is_counted():
    void = tilted(0.2)
    void.elevation[:] = np.nan
    network = prepare_network(paper_roads(), terrain=void)
    assert (~network.relief.known).sum() == len(network.relief.known) == 10 * round(1000 / 30)
    assert prepare_network(paper_roads(), terrain=tilted(0.2)).relief.known.all()
    pdt.assert_frame_equal(
        travel_times(paper_roads(), places((EAST, NORTH + 100)), places((EAST + 900, NORTH), prefix="s"), terrain=void),
        travel_times(paper_roads(), places((EAST, NORTH + 100)), places((EAST + 900, NORTH), prefix="s")),
    )


# --- what a school bus may drive -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edge", "gradient", "kph", "uncapped"),
    [
        ({"highway": "tertiary"}, 0.0, 40, 40),
        ({"highway": "primary"}, 0.0, 60, 60),  # class speed 65, at most 60
        ({"highway": "primary", "maxspeed_kph": 30.0}, 0.0, 30, 30),
        ({"highway": "primary", "maxspeed_kph": 120.0}, 0.0, 60, 60),
        ({"highway": "motorway", "walk": False}, 0.0, 80, 80),  # class speed 90, at most 80
        ({"highway": "tertiary"}, 0.08, 20, 40),  # steep from 7 %
        ({"highway": "tertiary"}, 0.06, 40, 40),
        ({"highway": "tertiary", "width_m": 5.9}, 0.0, 20, 40),  # narrow below 6 m, two-way
        ({"highway": "tertiary", "width_m": 6.0}, 0.0, 40, 40),
        ({"highway": "tertiary", "width_m": 4.0, "oneway": 1}, 0.0, 40, 40),
        ({"highway": "residential", "maxspeed_kph": 15.0, "width_m": 4.0}, 0.0, 15, 15),
    ],
)
def test_bus_speed_is_the_least_of_class_limit_and_rule(edge, gradient, kph, uncapped):
    # 1 km of the edge in question between two short level streets where the places stand
    nodes = {0: (EAST + 1999, NORTH), 1: (EAST + 2000, NORTH), 2: (EAST + 3000, NORTH), 3: (EAST + 3001, NORTH)}
    street = {"highway": "residential", "maxspeed_kph": 1.0, "width_m": 9.0}
    roads = make_roads(nodes, [{"from_node": i, "to_node": i + 1, **facts} for i, facts in enumerate((street, edge, street))])
    network = prepare_network(roads, mode="bus", terrain=tilted(gradient))
    assert edge_minutes(network).minutes[1] == pytest.approx(60 / kph * 1.3, rel=1e-3)
    assert network.ride_uncapped.ticks[1] / TICKS == pytest.approx(60 / uncapped * 1.3, rel=1e-3)
    week = prepare_network(roads, mode="week", terrain=tilted(gradient))
    assert edge_minutes(week).minutes[1] == pytest.approx(60 / kph, rel=1e-3)
    drive = prepare_network(roads, mode="drive", terrain=tilted(gradient))
    posted = edge.get("maxspeed_kph", math.inf)
    assert edge_minutes(drive).minutes[1] == pytest.approx(60 / min(CLASS_KPH[edge["highway"]], posted), rel=1e-3)


def test_bus_walks_where_it_cannot_drive_and_against_a_oneway():
    nodes = {1: (EAST, NORTH), 2: (EAST + 2000, NORTH), 3: (EAST + 2000, NORTH + 3000)}
    edges = [{"from_node": 1, "to_node": 2, "highway": "tertiary", "oneway": 1}, {"from_node": 2, "to_node": 3, "highway": "path", "drive": False}]
    ends = places((EAST, NORTH)), places((EAST + 2000, NORTH + 3000), prefix="s")
    times = travel_times(make_roads(nodes, edges), *ends, mode="bus")
    # there 2 km ridden (3 min x 1.3) and 3 km on foot (55.5556), back all 5 km on foot (92.5926); wait and stops 8 both times
    assert times.minutes.tolist() == [round(3.9 + 3000 / 54 + 8, 4)]
    assert times.minutes_back.tolist() == [round(5000 / 54 + 8, 4)]
    # a car goes no farther than the street, and back one walks against it
    drive = travel_matrix(prepare_network(make_roads(nodes, edges), mode="drive"), places((EAST, NORTH)), places((EAST + 2000, NORTH), prefix="s"))
    assert drive.minutes.tolist() == [[3.0]]
    np.testing.assert_allclose(drive.minutes_back, [[2000 / 54]], rtol=1e-6)


def test_a_bus_is_boarded_once():
    # two streets that a footbridge joins: ride, walk, ride would be two buses
    nodes = {1: (EAST, NORTH), 2: (EAST + 3000, NORTH), 3: (EAST + 3300, NORTH), 4: (EAST + 6300, NORTH)}
    streets = [
        {"from_node": 1, "to_node": 2},
        {"from_node": 2, "to_node": 3, "highway": "footway", "drive": False, "bridge": True},
        {"from_node": 3, "to_node": 4},
    ]
    ends = places((EAST, NORTH)), places((EAST + 6300, NORTH), prefix="s")
    times = travel_times(make_roads(nodes, streets), *ends, mode="bus")
    # 3 km at 40 km/h x 1.3 ridden, 3.3 km walked
    assert times.minutes.tolist() == [round(4.5 * 1.3 + 3300 / 54 + 8, 4)]


# --- a naive second implementation ---------------------------------------------------------------------------------------


def naive_minutes(roads: Roads, a: Point, b: Point, *, mode: str, band: str, plane: tuple[float, float]) -> float:
    """Insert the points where a and b meet every edge as nodes, and let networkx search; straight edges on a plane."""
    level = STANDARDS[f"walk.speed.{band}"]

    def on_foot(p: Point, q: Point, kph: float) -> float:
        length = p.distance(q)
        slope = ((q.x - p.x) * plane[0] + (q.y - p.y) * plane[1]) / length if length else 0.0
        return length / 1000 / kph * 60 / math.exp(-3.5 * (abs(slope + 0.05) - 0.05))

    def ridden(edge, p: Point, q: Point) -> float:
        kph = min(CLASS_KPH[edge.highway], edge.maxspeed_kph if edge.maxspeed_kph == edge.maxspeed_kph else 1e9)
        if mode != "drive":
            slope = ((edge.geometry.coords[-1][0] - edge.geometry.coords[0][0]) * plane[0]
                     + (edge.geometry.coords[-1][1] - edge.geometry.coords[0][1]) * plane[1]) / edge.length_m  # fmt: skip
            kph = min(kph, 60, 20 if abs(slope) >= 0.07 or (edge.width_m < 6 and edge.oneway == 0) else 60)
        return p.distance(q) / 1000 / kph * 60 * (1.3 if mode == "bus" else 1)

    # storeys of the graph: walking, riding, walking again
    walking, top = ((0,), 0) if mode == "walk" else ((0, 2), 2)
    graph = nx.DiGraph()

    def link(u, v, minutes: float) -> None:
        if minutes < math.inf and (not graph.has_edge(u, v) or graph[u][v]["minutes"] > minutes):
            graph.add_edge(u, v, minutes=minutes)

    graph.add_nodes_from(["a", "b"])
    off = level * STANDARDS["walk.off_path_factor"]
    if a.distance(b) <= STANDARDS["travel.join_radius"]:
        link("a", "b", on_foot(a, b, off))
    for edge in roads.edges.itertuples():
        rides = mode != "walk" and edge.drive
        line = edge.geometry
        stops = [(0.0, edge.from_node, Point(line.coords[0])), (line.length, edge.to_node, Point(line.coords[-1]))]
        for name, place in (("a", a), ("b", b)):
            for along in (0.0, line.length) if edge.bridge else (line.project(place),):
                met = line.interpolate(along)
                if met.distance(place) <= STANDARDS["travel.join_radius"]:
                    # at an end of the edge the joint is the node itself
                    joint = {0.0: edge.from_node, line.length: edge.to_node}.get(along, (name, edge.edge_id))
                    if joint == (name, edge.edge_id):
                        stops.append((along, joint, met))
                    for storey in ([0] if name == "a" else [top]) * bool(edge.walk) + [1] * rides:
                        link(
                            *(("a", (storey, joint)) if name == "a" else ((storey, joint), "b")),
                            on_foot(*((place, met) if name == "a" else (met, place)), off),
                        )
        stops.sort(key=lambda stop: stop[0])
        for (_, u, p), (_, v, q) in itertools.pairwise(stops):
            for storey in walking if edge.walk else ():
                link((storey, u), (storey, v), on_foot(p, q, level))
                link((storey, v), (storey, u), on_foot(q, p, level))
            if rides and edge.oneway >= 0:
                link((1, u), (1, v), ridden(edge, p, q))
            if rides and edge.oneway <= 0:
                link((1, v), (1, u), ridden(edge, p, q))
            for joint in (u, v) if mode != "walk" else ():
                link((0, joint), (1, joint), 0.0)
                link((1, joint), (2, joint), 0.0)
    try:
        moving = nx.dijkstra_path_length(graph, "a", "b", weight="minutes")
    except nx.NetworkXNoPath:
        return math.inf
    return moving + (STANDARDS["bus.wait"] + STANDARDS["bus.stops"] if mode == "bus" else 0)


def random_roads(rng: np.random.Generator, nodes: int = 14, edges: int = 22) -> Roads:
    where = {n: (EAST + 2000 + rng.uniform(0, 6000), NORTH + 2000 + rng.uniform(0, 6000)) for n in range(nodes)}
    rows = []
    for _ in range(edges):
        u, v = rng.choice(nodes, 2, replace=False)
        kind = rng.choice(["tertiary", "residential", "path", "primary"])
        rows.append({
            "from_node": int(u), "to_node": int(v), "highway": str(kind), "drive": bool(kind != "path"),
            "walk": bool(rng.random() < 0.9 or kind == "path"),
            "oneway": int(rng.choice([0, 0, 1, -1])) if kind != "path" else 0, "width_m": float(rng.choice([math.nan, 4.0, 7.0])),
            "maxspeed_kph": float(rng.choice([math.nan, 30.0])), "bridge": bool(rng.random() < 0.15), "way_id": len(rows) + 1,
        })  # fmt: skip
    return make_roads(where, rows)


def random_places(rng: np.random.Generator, roads: Roads, count: int, prefix: str) -> gpd.GeoDataFrame:
    points = [(EAST + 2000 + rng.uniform(-800, 6800), NORTH + 2000 + rng.uniform(-800, 6800)) for _ in range(count - 2)]
    # one exactly at a node, one exactly on an edge
    points.append((roads.nodes.x[0], roads.nodes.y[0]))
    on = roads.edges.geometry.iloc[0].interpolate(0.3, normalized=True)
    return places(*points, (on.x, on.y), prefix=prefix)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("plane", [(0.0, 0.0), (0.08, -0.12)])
@pytest.mark.parametrize("seed", range(4))
def test_same_as_a_search_on_the_graph_with_every_joint_inserted(mode, plane, seed):
    rng = np.random.default_rng(seed)
    roads = random_roads(rng)
    a, b = random_places(rng, roads, 6, "a"), random_places(rng, roads, 4 + 4 * (seed % 2), "b")
    terrain = tilted(*plane) if any(plane) else None
    matrix = travel_matrix(prepare_network(roads, mode=mode, band="upper", terrain=terrain), a, b)
    expected = np.array([[naive_minutes(roads, p, q, mode=mode, band="upper", plane=plane) for q in b.geometry] for p in a.geometry])
    back = np.array([[naive_minutes(roads, q, p, mode=mode, band="upper", plane=plane) for q in b.geometry] for p in a.geometry])
    assert np.isfinite(expected).any()
    np.testing.assert_allclose(matrix.minutes, expected, rtol=3e-4 if any(plane) else 1e-6)
    np.testing.assert_allclose(matrix.minutes_back, back, rtol=3e-4 if any(plane) else 1e-6)


# --- laws ----------------------------------------------------------------------------------------------------------------


def test_a_new_school_makes_nobody_s_nearest_farther():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        roads = random_roads(rng)
        a, b = random_places(rng, roads, 8, "a"), random_places(rng, roads, 5, "b")
        few = nearest(roads, a, b.iloc[:3]).set_index("from_id").minutes
        more = nearest(roads, a, b).set_index("from_id").minutes
        assert set(few.index) <= set(more.index)
        assert (more.loc[few.index] <= few).all()


def test_nothing_is_changed_and_two_runs_are_equal():
    rng = np.random.default_rng(3)
    roads = random_roads(rng)
    a, b = random_places(rng, roads, 7, "a"), random_places(rng, roads, 5, "b")
    edges, places_before = roads.edges.copy(), a.copy()
    first = travel_times(roads, a, b, mode="week", terrain=tilted(0.1))
    pdt.assert_frame_equal(first, travel_times(roads, a, b, mode="week", terrain=tilted(0.1)), check_exact=True)
    pdt.assert_frame_equal(edges, roads.edges)
    pdt.assert_frame_equal(places_before, a)


def test_limit_prunes_rows_and_changes_no_minute():
    rng = np.random.default_rng(5)
    roads = random_roads(rng)
    a, b = random_places(rng, roads, 9, "a"), random_places(rng, roads, 6, "b")
    for mode in MODES:
        whole = travel_times(roads, a, b, mode=mode, limit=1e4, terrain=tilted(0.1))
        middle = whole.minutes.median()
        part = travel_times(roads, a, b, mode=mode, limit=middle, terrain=tilted(0.1))
        assert 0 < len(part) < len(whole)
        pdt.assert_frame_equal(part, whole[(whole.minutes <= middle) & (whole.minutes_back <= middle)].reset_index(drop=True), check_exact=True)


def test_what_rounds_to_the_limit_is_within_it():
    # 1620 m at 54 m a minute is 30 minutes exactly
    ends = places((EAST, NORTH)), places((EAST + 1620, NORTH), (EAST + 1620.02, NORTH), prefix="s")
    assert travel_times(paper_roads(), *ends, limit=30).to_id.tolist() == ["s000"]


def test_default_limits(paper):
    assert {m: default_limit(m, STANDARDS) for m in MODES} == {"walk": 120, "bus": 120, "drive": 120, "week": 240}


def test_matrix_as_table_equals_times(paper):
    matrix = travel_matrix(prepare_network(paper.roads, mode="bus"), paper.settlements, paper.schools, limit=120)
    times = matrix.to_times()
    texts = ["from_id", "to_id", "mode", "band"]
    assert all(isinstance(times[c].dtype, pd.CategoricalDtype) for c in texts)
    plain = times.astype(dict.fromkeys(texts, "str"))
    pdt.assert_frame_equal(plain, travel_times(paper.roads, paper.settlements, paper.schools, mode="bus"))
    turned = travel_matrix(prepare_network(paper.roads, mode="bus"), paper.settlements.iloc[::-1], paper.schools.iloc[::-1], limit=120).to_times()
    pdt.assert_frame_equal(turned, times)
    assert matrix.minutes.dtype == np.float32


def test_nearest_ranks_with_ties_to_the_lower_id():
    # the village stands half way between s001 and s000, s002 is nearer
    schools = places((EAST + 4000, NORTH), (EAST + 2000, NORTH), (EAST + 3500, NORTH), prefix="s")
    ranked = nearest(paper_roads(), places((EAST + 3000, NORTH)), schools, k=2).set_index("rank").to_id
    assert ranked.to_dict() == {1: "s002", 2: "s000"}
    with pytest.raises(ValueError, match="at least 1"):
        nearest(paper_roads(), schools, schools, k=0)


def test_ids_come_from_id_column_else_settlement_or_school_id_else_index(paper):
    bare = paper.settlements[["geometry"]].set_axis([f"x{i}" for i in range(5)])
    assert set(travel_times(paper.roads, bare, paper.schools).from_id) == {f"x{i}" for i in range(5)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.set_crs(None, allow_override=True), "coordinate system"),
        (lambda p: p.assign(settlement_id="A"), "unique"),
        (lambda p: p.set_geometry(p.buffer(1)), "points"),
        (pd.DataFrame, "GeoDataFrame"),
    ],
)
def test_bad_places_are_refused(paper, change, message):
    with pytest.raises(ValueError, match=message):
        travel_times(paper.roads, change(paper.settlements), paper.schools)


@pytest.mark.parametrize("options", [{"mode": "fly"}, {"band": "kindergarten"}, {"level_kph": 0.0}])
def test_bad_options_are_refused(paper, options):
    with pytest.raises(ValueError, match="must be"):
        prepare_network(paper.roads, **options)


def test_an_edge_without_its_node_is_refused(paper):
    with pytest.raises(ValueError, match="end in nodes"):
        prepare_network(dataclasses.replace(paper.roads, nodes=paper.roads.nodes.iloc[1:]))


def test_no_roads_and_no_places_give_empty_tables(paper):
    none = empty_roads(CRS)
    for mode in MODES:
        # B to S1 is 500 m: the only pairs within 1.5 km of each other are A-S1, B-S1, C-S1, D-S2
        times = travel_times(none, paper.settlements, paper.schools, mode=mode)
        assert list(zip(times.from_id, times.to_id, strict=True)) == [("A", "S1"), ("B", "S1"), ("C", "S1"), ("D", "S2")]
        assert times.minutes[1] == pytest.approx(500 / 32.4 + (8 if mode == "bus" else 0), abs=1e-4)
        assert not len(travel_times(paper.roads, paper.settlements.iloc[:0], paper.schools, mode=mode))
        assert not len(travel_times(paper.roads, paper.settlements, paper.schools.iloc[:0], mode=mode, terrain=tilted(0.1)))
    assert np.isinf(unjoined(none, paper.settlements, standards=STANDARDS).distance_m).all()


# --- real islands --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def island():
    if not REAL:
        pytest.skip("LAYOUT_REAL_DATA is not set: no real roads to measure on")
    folder = Path(REAL) / "comoros"
    roads = read_roads(folder / "comoros.osm.pbf", bbox=(43.1, -12.0, 43.6, -11.3))
    found = []
    for name in ("settlements", "schools"):
        table = pd.read_csv(folder / f"grande_comore_{name}.csv")
        found.append(gpd.GeoDataFrame({"id": table.osm_id}, geometry=gpd.points_from_xy(table.lon, table.lat), crs=4326).to_crs(roads.crs))
    return roads, *found, pd.read_csv(folder / "grande_comore_osrm_valhalla_matrix.csv")


def on_the_road(points: gpd.GeoDataFrame, lines: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Move each place to the nearest point of a road, as OSRM does before it looks for a way."""
    shapes, own = lines.geometry.to_numpy(), points.geometry.to_numpy()
    line = shapes[shapely.STRtree(shapes).query_nearest(own, all_matches=False)[1]]
    met = shapely.line_interpolate_point(line, shapely.line_locate_point(line, own))
    return points.set_geometry(gpd.GeoSeries(met, crs=points.crs))


def network_only() -> object:
    """Standards whose radius of joining is a metre: nobody cuts across open ground."""
    rule = dataclasses.replace(STANDARDS.rules["travel.join_radius"], value=1.0)
    return dataclasses.replace(STANDARDS, rules={**STANDARDS.rules, "travel.join_radius": rule})


@needs_real
@pytest.mark.parametrize(("mode", "column", "low", "high"), [("walk", "osrm_foot_s", 0.99, 1.01), ("drive", "osrm_car_s", 0.9, 1.1)])
def test_grande_comore_against_osrm(island, mode, column, low, high):
    roads, settlements, schools, matrix = island
    lines = roads.edges[roads.edges[mode]]
    times = travel_times(
        roads, on_the_road(settlements, lines), on_the_road(schools, lines), mode=mode, level_kph=5, limit=1e5, standards=network_only()
    )
    both = matrix.merge(times, left_on=["settlement_id", "school_id"], right_on=["from_id", "to_id"])
    ratio = both.minutes * 60 / both[column]
    quantiles = ratio.quantile([0.05, 0.5, 0.95])
    low5, middle, high5 = (f"{quantiles[q]:.3f}" for q in (0.05, 0.5, 0.95))
    print(f"\n{mode}: {len(both)} pairs, ratio to {column}: p5 {low5}, median {middle}, p95 {high5}")  # noqa: T201
    assert len(both) == 7200
    assert low <= quantiles[0.5] <= high
    assert both.minutes.corr(both[column], method="spearman") > 0.97
    if mode == "walk":
        assert quantiles[0.05] >= 0.96 and quantiles[0.95] <= 1.03
        ours, theirs = (both.set_index("to_id").groupby("settlement_id")[c].idxmin() for c in ("minutes", column))
        assert (ours == theirs).mean() >= 0.9
        # OSRM tells no distances of its snapping; its metres from road point to road point are ours
        metres = both.minutes / 60 * 5000 / both.osrm_foot_m
        assert 0.99 <= metres.median() <= 1.01


@needs_real
def test_slope_changes_minutes_as_valhalla_says(island):
    roads, settlements, schools, matrix = island
    terrain = read_terrain(sorted((Path(REAL) / "comoros").glob("*.hgt.zip")))
    a, b = (on_the_road(p, roads.edges[roads.edges.walk]) for p in (settlements, schools))
    flat, hilly = (
        travel_times(roads, a, b, level_kph=5, limit=1e5, standards=network_only(), terrain=t).set_index(["from_id", "to_id"]).minutes
        for t in (None, terrain)
    )
    pairs = matrix.set_index(["settlement_id", "school_id"])
    ours, theirs = (hilly / flat).reindex(pairs.index), pairs.valhalla_foot_s / pairs.osrm_foot_s
    print(f"\nslope over flat, rank correlation with Valhalla over OSRM: {ours.corr(theirs, method='spearman'):.3f}")  # noqa: T201
    assert (ours > 0.8).all()
    assert ours.corr(theirs, method="spearman") > 0.85
    rise = {i: elevation_at(terrain, p.to_crs(4326).x, p.to_crs(4326).y, crs=4326) for i, p in ((0, a.geometry), (1, b.geometry))}
    height = [pd.Series(rise[i], index=ids) for i, ids in ((0, a["id"]), (1, b["id"]))]
    gradient = height[1].reindex(pairs.index.get_level_values(1)).to_numpy() - height[0].reindex(pairs.index.get_level_values(0)).to_numpy()
    medians = ours.groupby(pd.cut(gradient / pairs.osrm_foot_m.to_numpy(), 6)).median()
    # walking is quickest a little downhill, so the steepest way down is no longer the quickest
    assert (medians.diff()[2:] > 0).all()
    assert medians.iloc[-1] - medians.iloc[0] >= 0.2


@needs_real
def test_islands_stay_islands_without_ferries():
    path = Path(REAL) / "comoros" / "comoros.osm.pbf"
    towns = gpd.GeoDataFrame(
        {"id": ["moroni", "mutsamudu", "fomboni"]}, geometry=gpd.points_from_xy([43.2551, 44.3996, 43.7378], [-11.7022, -12.1667, -12.28]), crs=4326
    )
    apart = travel_times(read_roads(path), towns, towns, limit=1e6)
    assert list(apart.from_id) == list(apart.to_id) == ["fomboni", "moroni", "mutsamudu"]
    assert len(travel_times(read_roads(path, ferries=True), towns, towns, limit=1e6)) == 9
