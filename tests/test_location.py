"""Sites against brute force on every objective and option, real optima of two libraries, bounds, and every way there is no answer."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog
from scipy.sparse.csgraph import shortest_path

import layout
from layout.location_case import case_of, read_request
from layout.location_rows import pieces
from layout.programs import search
from layout.solver import NoSolutionError, Program, StoppedError
from layout.swaps import transport

DATA = Path(os.environ.get("LAYOUT_REAL_DATA", "")) if os.environ.get("LAYOUT_REAL_DATA") else None
needs_data = pytest.mark.skipif(DATA is None, reason="LAYOUT_REAL_DATA names no folder of real data")
PMED = [5819, 4093, 4250, 3034, 1355, 7824, 5631, 4445, 2734, 1255, 7696, 6634, 4374, 2968, 1729, 8162, 6999, 4809, 2845, 1789]


def draw(seed):
    """Draw a small request: costs, and the options of locate, every family of constraints now and then."""
    rng = np.random.default_rng(seed)
    objective, whole, areas = str(rng.choice(["total", "max", "cover"])), bool(rng.random() < 0.4), rng.random() < 0.25
    n, m = (5, 4) if whole or areas else (7, 6)
    at, sites = rng.uniform(0, 10, (n, 2)), rng.uniform(0, 10, (m, 2))
    costs = np.hypot(*(at[:, None] - sites).transpose(2, 0, 1))
    if rng.random() < 0.5:
        costs = np.round(costs)
    if rng.random() < 0.3:
        costs[rng.random(costs.shape) < 0.15] = np.inf
    weight = rng.integers(1, 5, n).astype(float) if rng.random() < 0.7 else rng.uniform(0.5, 3, n)
    load = weight if rng.random() < 0.5 else rng.integers(1, 6, n).astype(float)
    asked = {"weight": weight, "load": load, "single_source": whole, "objective": objective, "gap": 0.0}
    if rng.random() < 0.5:
        asked["capacity"] = rng.uniform(0.2, 1, m) * load.sum()
    if rng.random() < 0.3:
        asked["min_load"] = np.minimum(rng.uniform(0, 0.4, m) * load.sum(), asked.get("capacity", np.inf))
    if objective == "max" or rng.random() < 0.6:
        asked["count"] = int(rng.integers(1, m))
    free = "count" not in asked
    if (objective == "total" and (free or rng.random() < 0.5)) or (objective == "cover" and free and rng.random() < 0.5):
        asked["fixed_cost"] = np.round(rng.uniform(1, 20, m))
    if objective == "cover" or rng.random() < 0.3:
        asked["limit"] = float(rng.uniform(3, 9))
    if areas:
        asked["adjacency"] = [(i, j) for i in range(n) for j in range(i) if np.hypot(*(at[i] - at[j])) < 4.5]
    asked["must_open"] = rng.permutation(m)[:1].tolist() if rng.random() < 0.25 else []
    asked["must_close"] = [int(j) for j in rng.permutation(m)[:1] if rng.random() < 0.25 and j not in asked["must_open"]]
    return costs, asked


def in_one_piece(units, pairs):
    graph = nx.Graph(pairs)
    graph.add_nodes_from(units)
    return not units or nx.is_connected(graph.subgraph(units))


def best_of_set(costs, asked, opened):
    """Value an open set by trying every assignment, or for divided demands by a linear program of all pairs; inf if there is none."""
    n, sites = len(costs), list(opened)
    load, weight, objective = asked["load"], asked["weight"], asked["objective"]
    room, least = (asked.get(k, np.full(costs.shape[1], d)) for k, d in (("capacity", np.inf), ("min_load", 0.0)))
    most = objective == "cover" and "count" in asked
    allowed = np.isfinite(costs) & (costs <= asked.get("limit", np.inf))
    priced = costs * weight[:, None]
    fixed = asked["fixed_cost"][sites].sum() if "fixed_cost" in asked else float(len(sites)) if objective == "cover" else 0.0
    if asked["single_source"] or "adjacency" in asked:
        values = []
        for at in itertools.product(*[[j for j in sites if allowed[i, j]] + [None] * most for i in range(n)]):
            used = {j: sum(load[i] for i in range(n) if at[i] == j) for j in sites}
            areas = [[i for i in range(n) if at[i] == j] for j in sites]
            if any(not least[j] - 1e-9 <= used[j] <= room[j] + 1e-9 for j in sites):
                continue
            if "adjacency" in asked and not all(in_one_piece(area, asked["adjacency"]) for area in areas):
                continue
            paid = [priced[i, at[i]] for i in range(n) if at[i] is not None]
            values.append({"total": sum(paid) + fixed, "max": max(paid, default=0), "cover": -sum(used.values()) if most else fixed}[objective])
        return min(values, default=np.inf)
    for radius in sorted(set(priced[allowed])) if objective == "max" else [np.inf]:
        pairs = [(i, j) for i in range(n) for j in sites if allowed[i, j] and priced[i, j] <= radius]
        by_unit = np.array([[float(i == u) for i, _ in pairs] for u in range(n)])
        by_site = np.array([[load[i] * (j == s) for i, j in pairs] for s in sites])
        bound = [(row, room[s]) for row, s in zip(by_site, sites, strict=True) if np.isfinite(room[s])]
        bound += [(-row, -least[s]) for row, s in zip(by_site, sites, strict=True)]
        bound += [(row, 1.0) for row in by_unit] if most else []
        cost = [-load[i] if most else priced[i, j] if objective == "total" else 0.0 for i, j in pairs]
        if not pairs or (not most and not by_unit.any(axis=1).all()):
            continue
        equal = {} if most else {"A_eq": by_unit, "b_eq": np.ones(n)}
        found = linprog(cost, A_ub=np.array([row for row, _ in bound]), b_ub=[b for _, b in bound], bounds=(0, 1), **equal)
        if found.status == 0:
            return radius if objective == "max" else found.fun + (0.0 if most else fixed)
    return np.inf


def all_sets(costs, asked):
    """Value every open set that the options allow."""
    m = costs.shape[1]
    numbers = [asked["count"]] if "count" in asked else range(1, m + 1)
    sets = [s for k in numbers for s in itertools.combinations(range(m), k)]
    sets = [s for s in sets if set(asked["must_open"]) <= set(s) and not set(asked["must_close"]) & set(s)]
    values = {s: best_of_set(costs, asked, s) for s in sets}
    return {s: v for s, v in values.items() if np.isfinite(v)}


def check_assignment(costs, asked, found):
    """Judge an assignment by the words of the request."""
    table, load = found.assignment, asked["load"]
    assert list(table.columns) == ["demand_id", "site_id", "share"]
    assert not table.duplicated(["demand_id", "site_id"]).any()
    assert table.equals(table.sort_values(["demand_id", "site_id"], ignore_index=True))
    assert set(table["site_id"]) <= set(found.open)
    total = table.groupby("demand_id")["share"].sum().reindex(range(len(costs)), fill_value=0.0)
    most = asked["objective"] == "cover" and "count" in asked
    assert (total <= 1 + 1e-6).all() if most else np.allclose(total, 1, atol=1e-6)
    paid = costs[table["demand_id"], table["site_id"]]
    assert np.isfinite(paid).all() and (paid <= asked.get("limit", np.inf)).all()
    carried = (table["share"] * load[table["demand_id"]]).groupby(table["site_id"]).sum()
    for j in found.open:
        assert carried.get(j, 0.0) <= asked.get("capacity", np.full(costs.shape[1], np.inf))[j] + 1e-6
        assert carried.get(j, 0.0) >= asked.get("min_load", np.zeros(costs.shape[1]))[j] - 1e-6
        if "adjacency" in asked:
            assert in_one_piece(table.loc[table["site_id"] == j, "demand_id"].tolist(), asked["adjacency"])
    if asked["single_source"] or "adjacency" in asked:
        assert (table["share"] == 1).all()
    weighted = paid * asked["weight"][table["demand_id"]]
    if asked["objective"] == "max":
        assert weighted.max() == pytest.approx(found.objective)
    elif most:
        assert carried.sum() == pytest.approx(found.objective)
    else:
        fixed = asked["fixed_cost"][list(found.open)].sum() if "fixed_cost" in asked else 0.0
        mine = fixed + (weighted * table["share"]).sum() if asked["objective"] == "total" else fixed or len(found.open)
        assert mine == pytest.approx(found.objective)


def against_brute_force(seeds):
    kinds = set()
    for seed in seeds:
        costs, asked = draw(seed)
        values = all_sets(costs, asked)
        sign = -1 if asked["objective"] == "cover" and "count" in asked else 1
        if not values:
            with pytest.raises(NoSolutionError, match="nothing"):
                layout.locate(costs, **asked)
            continue
        found = layout.locate(costs, solutions=3, **asked)
        best = sorted(values.values())[:3]
        answers = (found, *found.others)
        assert [sign * a.objective for a in answers] == pytest.approx(best, abs=1e-6), seed
        assert sign * found.bound <= best[0] + 1e-6 and found.status == "optimal", seed
        assert len({a.open for a in answers}) == len(answers), seed
        for answer in answers:
            assert values[answer.open] == pytest.approx(sign * answer.objective, abs=1e-6), seed
            check_assignment(costs, asked, answer)
        kinds.add((asked["objective"], *sorted(set(asked) & {"capacity", "count", "min_load", "adjacency", "limit"})))
    return kinds


def test_every_objective_and_option_against_brute_force():
    assert len(against_brute_force(range(45))) > 16


@pytest.mark.slow
def test_many_more_against_brute_force():
    against_brute_force(range(45, 300))


COSTS = pd.DataFrame([[1.0, 5, 9], [5, 1, 5], [9, 5, 1], [4, 2, 6]], index=["a", "b", "c", "d"], columns=["x", "y", "z"])


def test_a_median_by_hand():
    found = layout.locate(COSTS, weight={"a": 2, "b": 1, "c": 1, "d": 1}, count=2)
    # x and z: 2 + 5 + 1 + 4 = 12; x and y: 2 + 1 + 5 + 2 = 10; y and z: 10 + 1 + 1 + 2 = 14
    assert (found.open, found.objective, found.bound, found.gap, found.status) == (("x", "y"), 10.0, 10.0, 0.0, "optimal")
    wanted = pd.DataFrame({"demand_id": ["a", "b", "c", "d"], "site_id": ["x", "y", "y", "y"], "share": 1.0})
    pd.testing.assert_frame_equal(found.assignment, wanted)


def test_fixed_charges_by_hand():
    # y alone: 5 + 1 + 5 + 2 + 6 = 19; x and y: 1 + 1 + 5 + 2 + 12 = 21; all: 5 + 18 = 23
    found = layout.locate(COSTS, fixed_cost=6, solutions=3)
    assert [(a.open, a.objective) for a in (found, *found.others)] == [(("y",), 19.0), (("x", "y"), 21.0), (("y", "z"), 21.0)]


def test_divided_capacity_by_hand():
    assert layout.locate(COSTS, capacity={"x": 2, "y": 2.5, "z": 2}, count=3).objective == 5.0
    # x and y alone hold 4: a and half of b, c or d at x; b and c move from y to x for 4 more each, d for 2 more
    found = layout.locate(COSTS, capacity={"x": 1.5, "y": 2.5, "z": 1}, count=2)
    assert (found.open, found.objective) == (("x", "y"), 1 + 1 + 5 + 0.5 * 2 + 0.5 * 4)
    wanted = pd.DataFrame({"demand_id": list("abcdd"), "site_id": list("xyyxy"), "share": [1, 1, 1, 0.5, 0.5]})
    pd.testing.assert_frame_equal(found.assignment, wanted)


def test_centre_by_hand():
    # y alone: 5, 1, 5, 2; two sites: x and z leave b at 5, d at 4; x and y leave c at 5
    assert layout.locate(COSTS, count=1, objective="max").objective == 5.0
    found = layout.locate(COSTS, count=3, objective="max")
    assert found.objective == 2.0 and dict(zip(found.assignment["demand_id"], found.assignment["site_id"], strict=True))["d"] == "y"


def test_cover_by_hand():
    most = layout.locate(COSTS, load={"a": 9, "b": 1, "c": 4, "d": 1}, count=1, objective="cover", limit=2)
    assert (most.open, most.objective, most.bound) == (("x",), 9.0, 9.0)
    assert most.assignment["demand_id"].tolist() == ["a"], "what is not covered has no row"
    fewest = layout.locate(COSTS, objective="cover", limit=4)
    assert (fewest.open, fewest.objective) == (("x", "y", "z"), 3.0)
    assert layout.locate(COSTS, objective="cover", limit=5).open == ("y",)


def test_least_load_by_hand():
    # a site that is open carries two of four: x with a and d, y or z with b and c
    found = layout.locate(COSTS, count=2, min_load=2, single_source=True)
    assert found.objective == min(1 + 4 + 1 + 5, 1 + 4 + 5 + 1, 5 + 1 + 1 + 6, 5 + 2 + 5 + 1) == 11


def test_areas_in_one_piece_by_hand():
    # a line a - b - c - d: d is nearest to y, but c lies between and belongs to z
    costs = pd.DataFrame([[1.0, 9], [1, 9], [9, 1], [2, 9]], index=list("abcd"), columns=["y", "z"])
    assert layout.locate(costs, count=2).objective == 5
    found = layout.locate(costs, count=2, adjacency=pd.DataFrame({"from": list("abc"), "to": list("bcd")}))
    # either c goes to y (9 more - 1) or d to z (9 - 2)
    assert found.objective == 12
    assert found.assignment["site_id"].tolist() == ["y", "y", "z", "z"]
    graph = nx.path_graph(list("abcd"))
    assert layout.locate(costs, count=2, adjacency=graph).objective == 12


def test_larger_areas_are_in_one_piece_and_cost_between_the_free_and_the_mended():
    rng = np.random.default_rng(7)
    grid = nx.convert_node_labels_to_integers(nx.grid_2d_graph(5, 5), ordering="sorted")
    at = np.array([(i // 5, i % 5) for i in range(25)], float)
    # ridges make costs that do not follow the straight line
    costs = np.hypot(*(at[:, None] - rng.uniform(0, 4, (4, 2))).transpose(2, 0, 1)) * rng.uniform(0.3, 2.0, (25, 4))
    found = layout.locate(costs, count=3, adjacency=grid)
    free = layout.locate(costs, count=3)
    assert found.status == "optimal" and found.bound >= free.bound - 1e-6 and found.objective > free.objective
    for _, area in found.assignment.groupby("site_id"):
        assert nx.is_connected(grid.subgraph(area["demand_id"]))
    soon = layout.locate(costs, count=3, adjacency=grid, work_limit=1)
    assert soon.objective >= found.objective - 1e-9 and soon.bound <= found.objective + 1e-9


def test_pieces_are_those_of_networkx():
    for seed in range(20):
        graph = nx.gnp_random_graph(12, 0.15, seed=seed)
        area = set(np.random.default_rng(seed).permutation(12)[:8].tolist())
        neighbours = tuple(np.array(sorted(graph[u])) for u in graph)
        wanted = [set(c) for c in nx.connected_components(graph.subgraph(area))]
        found = pieces(area, neighbours)
        assert sorted(map(sorted, found)) == sorted(map(sorted, wanted))
        assert [len(p) for p in found] == sorted((len(p) for p in found), reverse=True)


FAMILIES = [
    ({"count": 1, "must_open": ["x", "y"]}, "count: 2 sites must open, of 1"),
    ({"count": 3, "must_close": ["x"]}, "count: 3 sites to open, of 2 that may"),
    ({"count": 2, "capacity": 1.5}, "capacity: 3 on 2 sites for a load of 4"),
    ({"count": 3, "limit": 0.5}, "limit: no site within 0.5 of units a, b, c, d"),
    ({"count": 3, "limit": 1.5}, "limit: no site within 1.5 of units d"),
    ({"count": 2, "limit": 2, "must_close": ["y"]}, "must_close: all sites are closed that are allowed for units b, d"),
    ({"fixed_cost": 1, "min_load": 3, "must_open": ["x", "y"]}, "min_load: the open sites need 6 of a load of 4"),
    ({"count": 3, "capacity": 1.9, "load": 1.2, "single_source": True}, "capacity, single_source"),
    (
        {"count": 3, "capacity": 2, "load": {"a": 3, "b": 1, "c": 1, "d": 1}, "single_source": True},
        "single_source: no site holds the whole load of units a",
    ),
    ({"count": 1, "limit": 4.5}, "it could be met without any one of: limit, count"),
    ({"count": 2, "adjacency": [("a", "b")]}, "it could be met without any one of: count, adjacency"),
    ({"count": 3, "min_load": 1.5, "single_source": True}, "min_load: the open sites need 4.5 of a load of 4"),
    ({"count": 3, "min_load": 1.3, "single_source": True}, "it could be met without any one of: min_load, count, single_source"),
]


@pytest.mark.parametrize(("asked", "words"), FAMILIES)
def test_what_makes_it_infeasible_is_named(asked, words):
    with pytest.raises(NoSolutionError, match=words):
        layout.locate(COSTS, **asked)


def test_unreachable_demands_and_pairs_of_families_are_named():
    costs = COSTS.copy()
    costs.loc["b"] = np.nan
    with pytest.raises(NoSolutionError, match="forbidden pairs: no site is allowed for units b"):
        layout.locate(costs, count=1)
    # a and b fit x alone, which holds one and a half of them; and no four whole units make 3.2 at y and 0.7 at x
    costs = pd.DataFrame([[1.0, 9], [1, 9], [1, 1], [1, 1]], index=list("abcd"), columns=["x", "y"])
    asked = {"count": 2, "limit": 5, "capacity": {"x": 1.5, "y": 9}, "min_load": {"x": 0.7, "y": 3.2}, "single_source": True}
    with pytest.raises(NoSolutionError, match="it could be met only without all of: ") as error:
        layout.locate(costs, **asked)
    named = str(error.value).split("all of: ")[1].split(", ")
    assert len(named) == 2 and set(named) & {"limit", "capacity"} and set(named) & {"min_load", "count", "single_source"}


def test_every_fault_is_listed_at_once():
    bad = COSTS.copy()
    bad.loc["a", "x"] = -1
    with pytest.raises(ValueError, match=r"10 faults") as error:
        layout.locate(
            bad, weight=-1, load=[1, 2], capacity={"x": 1}, count=0, must_open=["q"], adjacency=[("a", "k")], objective="least", solutions=0, gap=-1
        )  # fmt: skip
    for words in (
        "costs: below zero at unit a, site x", "weight: not a number from 0 up", r"load: (2,) numbers for 4", "capacity: nothing for y, z", "count: 0",
        "must_open: no site q", "adjacency: no unit k", "objective: least", "solutions: 0", "gap: -1",
    ):  # fmt: skip
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"objective": "cover"}, "limit: objective cover needs it"),
        ({"objective": "max"}, "count: objective max needs it"),
        ({"objective": "max", "count": 1, "fixed_cost": 2}, "fixed_cost: has no part"),
        ({"count": 2.5}, "count: 2.5 is not a whole number"),
        ({"must_open": ["x"], "must_close": ["x"]}, "both name x"),
        ({"capacity": 1, "min_load": 2}, "min_load: above the capacity of x, y, z"),
        ({"count": 1, "adjacency": 5}, "adjacency: not pairs"),
        ({"count": 1, "weight": "heavy"}, "weight: not numbers"),
        ({"count": 1, "time_limit": 0}, "time_limit: 0 is not a number above 0"),
        ({"count": 1, "limit": np.nan}, "limit: nan is not"),
        ({"count": 1, "capacity": np.nan}, "capacity: not a number from 0 up for x, y, z"),
    ],
)
def test_single_faults(asked, words):
    with pytest.raises(ValueError, match=words):
        layout.locate(COSTS, **asked)


@pytest.mark.parametrize(
    ("costs", "words"), [([[]], "no units or no sites"), ([["a"]], "not numbers"), (COSTS.iloc[[0, 0]], "the units a come more than once")]
)
def test_faults_of_the_costs(costs, words):
    with pytest.raises(ValueError, match=words):
        layout.locate(costs, count=1)


def test_nothing_is_changed_and_order_does_not_matter():
    costs, asked = draw(5)
    frame = pd.DataFrame(costs, index=[f"u{i}" for i in range(len(costs))], columns=[f"s{j}" for j in range(costs.shape[1])])
    before, load = frame.copy(), pd.Series(asked["load"], frame.index)
    one = layout.locate(frame, load=load, fixed_cost=3, capacity=float(load.sum()) / 2)
    assert frame.equals(before)
    rng = np.random.default_rng(1)
    mixed = frame.iloc[rng.permutation(len(frame)), rng.permutation(frame.shape[1])]
    other = layout.locate(mixed, load=load.to_numpy()[[frame.index.get_loc(u) for u in mixed.index]], fixed_cost=3, capacity=float(load.sum()) / 2)
    pd.testing.assert_frame_equal(one.assignment, other.assignment)
    assert (one.open, one.objective, one.bound) == (other.open, other.objective, other.bound)


@pytest.mark.slow
def test_same_answer_whatever_the_threads_and_hashes():
    code = (
        "import sys; sys.path.insert(0, 'tests'); import numpy as np, layout; rng = np.random.default_rng(3);"
        "c = rng.integers(1, 99, (60, 12)).astype(float); l = rng.integers(5, 30, 60);"
        "a = layout.locate(c, load=l, weight=1, capacity=2.2 * l.sum() / 12, fixed_cost=60, single_source=True, solutions=2);"
        "b = layout.locate(c[:16, :4], count=3, adjacency=[(i, i + 1) for i in range(15)] + [(i, i + 4) for i in range(12)]);"
        "print(a.open, a.objective, a.bound, [o.open for o in a.others], a.assignment.to_csv(), b.open, b.objective, b.bound, b.assignment.to_csv())"
    )
    said = set()
    for seed, threads in (("0", "1"), ("1", "2"), ("2", "4")):
        env = os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads}
        said.add(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env).stdout)
    assert len(said) == 1


def test_limits_end_a_search_with_a_bound():
    costs = np.random.default_rng(4).uniform(1, 100, (80, 40))
    found, full = (layout.locate(costs, count=5, gap=0.0, work_limit=w) for w in (1, None))
    assert found.bound <= full.objective + 1e-6 <= found.objective + 2e-6
    assert found.status == "work_limit" and found.gap > 0 and full.status == "optimal"
    soon = layout.locate(costs, count=5, gap=0.0, time_limit=1e-6)
    assert soon.status == "time_limit" and soon.bound <= full.objective + 1e-6 <= soon.objective + 2e-6


def test_a_coarser_gap_is_kept_and_said():
    rng = np.random.default_rng(11)
    costs = rng.uniform(1, 100, (60, 20))
    exact = layout.locate(costs, fixed_cost=150, gap=0.0)
    rough = layout.locate(costs, fixed_cost=150, gap=0.05)
    assert rough.gap <= 0.05 and rough.bound <= exact.objective <= rough.objective * (1 + 1e-9)
    assert rough.status == exact.status == "optimal"


def read_pmed(number):
    path = DATA / "pmed" / f"pmed{number}.txt"
    n, _, p = (int(v) for v in path.read_text(encoding="utf-8").split()[:3])
    graph = np.full((n, n), np.inf)
    for i, j, cost in np.loadtxt(path, skiprows=1).reshape(-1, 3):
        graph[int(i) - 1, int(j) - 1] = graph[int(j) - 1, int(i) - 1] = cost
    return shortest_path(graph, directed=False), p


def proven_median(number):
    costs, p = read_pmed(number)
    found = layout.locate(costs, count=p)
    assert found.objective == PMED[number - 1] and found.bound > PMED[number - 1] - 1
    at = found.assignment
    assert costs[at["demand_id"], at["site_id"]].sum() == found.objective and len(found.open) == p


@needs_data
@pytest.mark.parametrize("number", range(1, 6))
def test_small_medians_of_the_or_library(number):
    proven_median(number)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("number", range(6, 21))
def test_medians_of_the_or_library(number):
    proven_median(number)


def read_holmberg(number):
    values = np.array((DATA / "sscflp_holmberg" / f"p{number}").read_text(encoding="utf-8").split(), float)
    m, n = values[:2].astype(int)
    room, fixed, load, costs = np.split(values[2:], np.cumsum([m, m, n]))
    return costs[: m * n].reshape(n, m), {"load": load, "capacity": room, "fixed_cost": fixed, "single_source": True}


@needs_data
@pytest.mark.parametrize("number", [1, 7, 13, 24, 43, 60])
def test_whole_demands_under_capacities(number):
    best = float((DATA / "sscflp_holmberg" / "os").read_text(encoding="utf-8").split()[number - 1])
    costs, asked = read_holmberg(number)
    found = layout.locate(costs, **asked)
    assert best - 1e-4 * best <= found.objective <= 1.0001 * best and found.bound <= best + 1e-6 and found.gap <= 1e-4
    check_assignment(costs, asked | {"weight": np.ones(len(costs)), "objective": "total"}, found)


@needs_data
def test_divided_demands_cost_no_more_than_whole_ones():
    costs, asked = read_holmberg(13)
    whole, parts = layout.locate(costs, **asked), layout.locate(costs, **(asked | {"single_source": False}))
    assert parts.objective <= whole.objective + 1e-6
    check_assignment(costs, asked | {"weight": np.ones(len(costs)), "objective": "total", "single_source": False}, parts)


def test_a_transport_is_that_of_a_dense_linear_program():
    for seed in range(15):
        rng = np.random.default_rng(seed)
        costs, load = rng.uniform(1, 9, (12, 5)), rng.integers(1, 6, 12).astype(float)
        room = rng.uniform(0.25, 0.6, 5) * load.sum()
        found = transport(case_of(read_request(costs, weight=1, load=load, capacity=room)), np.ones(5, bool))
        asked = {"load": load, "weight": np.ones(12), "objective": "total", "single_source": False, "capacity": room}
        assert found.value == pytest.approx(best_of_set(costs, asked, range(5)))


def test_a_start_that_presolve_would_mistake_does_not_hide_the_optimum():
    # fewest costs of sites with a set that is not wanted: handed over as a start, 50 came back as the optimum instead of 36
    costs, asked = draw(50)
    values = sorted(all_sets(costs, asked).values())
    found = layout.locate(costs, solutions=3, **asked)
    assert [a.objective for a in (found, *found.others)] == pytest.approx(values[:3] if values[0] > 0 else [-v for v in values[:3]])


def whole_program(rows, low, costs):
    from scipy import sparse

    n = len(costs)
    return Program(
        np.zeros(n), np.ones(n), np.ones(n, bool), sparse.csr_matrix(np.asarray(rows, float)), np.asarray(low, float), np.full(len(low), np.inf)
    )


def test_a_search_keeps_its_start_where_nothing_is_better():
    program, costs = whole_program([[1, 1, 0], [0, 1, 1]], [1, 1], [1, 1]), np.array([2.0, 3.0, 2.0])
    program = whole_program([[1, 1, 0], [0, 1, 1]], [1, 1], costs)
    best = search(program, costs, start=np.array([0.0, 1.0, 0.0]))
    assert best.values.tolist() == [0, 1, 0] and best.levels[0].bound == pytest.approx(3, abs=1e-5)
    better = search(program, costs, start=np.array([1.0, 0.0, 1.0]))
    assert better.values.tolist() == [0, 1, 0]
    with pytest.raises(NoSolutionError, match="no values meet all rows"):
        search(whole_program([[1, 1, 0]], [3], costs), costs)


def test_a_stopped_search_says_so():
    with pytest.raises(StoppedError, match="stopped by the time_limit"):
        rng = np.random.default_rng(0)
        layout.locate(rng.uniform(1, 9, (300, 60)), count=9, adjacency=[(i, i + 1) for i in range(299)], time_limit=0.05)
