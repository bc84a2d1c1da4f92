"""Transports: prices by augmenting paths against their linear program, and every way of solving against a naive one, level by level."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, linprog, milp

import layout.transport as transport
from layout.transport import Transport, send
from layout.transport_kernels import resource_prices


def random_columns(rng, demands, sinks, most):
    start, sink, cost = [0], [], []
    for _ in range(demands):
        chosen = rng.choice(sinks, size=min(most, sinks), replace=False)
        pairs = sorted([*zip(np.round(rng.uniform(1, 60, len(chosen)), 1).tolist(), chosen.tolist(), strict=True), (1000.0, -1)])
        cost += [c for c, _ in pairs]
        sink += [s for _, s in pairs]
        start.append(len(sink))
    return np.array(start), np.array(sink), np.array(cost)


@pytest.mark.parametrize("seed", range(60))
def test_prices_reach_the_optimum_of_the_program(seed):
    rng = np.random.default_rng(seed)
    start, sink, cost = random_columns(rng, rng.integers(1, 25), rng.integers(1, 8), rng.integers(1, 6))
    amounts = rng.integers(0, 20, len(start) - 1).astype(float)
    capacity = rng.integers(0, 2 * int(amounts.sum() / (sink.max() + 2)) + 2, sink.max() + 1 if sink.max() >= 0 else 1).astype(float)
    price = resource_prices(start, sink, cost, amounts, capacity)
    reduced = cost + np.where(sink >= 0, price[np.maximum(sink, 0)], 0)
    value = sum(a * reduced[start[d] : start[d + 1]].min() for d, a in enumerate(amounts)) - price @ capacity
    demand = np.repeat(np.arange(len(amounts)), np.diff(start))
    equal = (np.arange(len(amounts))[:, None] == demand).astype(float)
    most = (np.arange(len(capacity))[:, None] == sink).astype(float)
    best = linprog(cost, A_ub=most, b_ub=capacity, A_eq=equal, b_eq=amounts)
    assert (price >= 0).all() and value == pytest.approx(best.fun, abs=1e-6)


def random_problem(rng, *, shares):
    demands, seats, beds = int(rng.integers(2, 9)), int(rng.integers(1, 5)), int(rng.integers(1, 3))
    demand, uses, cost = [], [], []
    for d in range(demands):
        for _ in range(int(rng.integers(1, 6))):
            bed = int(rng.integers(0, beds)) if rng.random() < 0.4 else -1
            demand.append(d)
            uses.append((bed, beds + int(rng.integers(0, seats))))
            late = rng.random() < 0.3
            cost.append((0, late, late * rng.integers(1, 30), bed >= 0, rng.integers(1, 90)))
        demand.append(d)
        uses.append((-1, -1))
        cost.append((1, 0, 0, 0, 0))
    share = np.ones((len(demand), 2))
    if shares:
        share[:, 1] = rng.choice([1 / 45, 1 / 50, 1 / 30], len(demand))
    capacity = rng.integers(0, 25, beds + seats).astype(float)
    if shares:
        capacity[beds:] = rng.integers(0, 3, seats)
    problem = Transport(rng.integers(0, 20, demands).astype(float), np.array(demand), np.array(uses), share, capacity)
    return problem, dict(zip(("none", "late", "excess", "board", "minutes"), np.array(cost, float).T, strict=True))


def naive(problem, objectives, *, whole):
    n = len(problem.demand)
    rows = [(problem.demand == d).astype(float) for d in range(len(problem.amounts))]
    low, high = list(problem.amounts), list(problem.amounts)
    for r, most in enumerate(problem.capacity):
        rows.append(((problem.uses == r) * problem.shares).sum(axis=1))
        low.append(-np.inf)
        high.append(most)
    values = []
    for cost in objectives.values():
        found = milp(cost, constraints=LinearConstraint(np.array(rows), low, high), integrality=np.full(n, int(whole)), options={"mip_rel_gap": 0})
        assert found.success
        values.append(found.fun)
        rows.append(cost)
        low.append(-np.inf)
        high.append(found.fun + 1e-6)
    return values


@pytest.mark.parametrize("many", [0, 20_000], ids=["by prices", "by full resources"])
@pytest.mark.parametrize("shares", [False, True], ids=["seats", "pooled rooms"])
@pytest.mark.parametrize("seed", range(25))
def test_every_level_is_that_of_the_naive_solver(monkeypatch, many, shares, seed):
    monkeypatch.setattr(transport, "_MANY", many)
    problem, objectives = random_problem(np.random.default_rng(seed), shares=shares)
    # pooled rooms are only ever solved with parts of children
    found = send(problem, objectives, whole=not shares, weights=[1e5, 1e4, 50.0, 200.0, 1.0])
    assert [level.objective for level in found.levels] == pytest.approx(naive(problem, objectives, whole=not shares), abs=1e-3)
    used = [((problem.uses == r) * problem.shares * found.values[:, None]).sum() for r in range(len(problem.capacity))]
    assert (np.array(used) <= problem.capacity + 1e-6).all() and (found.values >= -1e-9).all()
    assert np.bincount(problem.demand, found.values, len(problem.amounts)) == pytest.approx(problem.amounts)


def test_a_demand_needs_a_way_out():
    problem = Transport(np.array([1.0]), np.array([0]), np.array([[0]]), np.ones((1, 1)), np.array([1.0]))
    with pytest.raises(ValueError, match="uses no resource"):
        send(problem, {"cost": np.ones(1)})
