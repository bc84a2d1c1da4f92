"""Access scores against pysal's access and naive sums; times and how evenly they are shared out, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from access import fca, weights

from layout.access import METHODS, access_scores
from layout.equity import gini, time_distribution


def county(seed: int, villages: int = 40, schools: int = 12) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    demand = pd.Series(rng.integers(0, 60, villages).astype(float), index=[f"v{i:02d}" for i in range(villages)])
    supply = pd.Series(rng.integers(0, 400, schools).astype(float), index=[f"s{i:02d}" for i in range(schools)])
    pairs = [
        (v, s, round(float(m), 4)) for v in demand.index for s, m in zip(supply.index, rng.uniform(1, 60, schools), strict=True) if rng.random() < 0.8
    ]
    return demand, supply, pd.DataFrame(pairs, columns=["from_id", "to_id", "minutes"])


@pytest.mark.parametrize("seed", range(5))
def test_the_same_as_pysal(seed):
    demand, supply, times = county(seed)
    frames = demand.rename("demand").to_frame().rename_axis("geoid"), supply.rename("supply").to_frame().rename_axis("geoid")
    cost = times.rename(columns={"from_id": "origin", "to_id": "dest", "minutes": "cost"})
    given = {"demand_name": "demand", "supply_name": "supply", "max_cost": 30}
    steps = weights.step_fn({10: 1, 20: 0.68, 30: 0.22})
    for method, theirs in (
        ("2SFCA", fca.two_stage_fca(*frames, cost, **given)), ("E2SFCA", fca.two_stage_fca(*frames, cost, weight_fn=steps, **given)),
    ):  # fmt: skip
        ours = access_scores(demand, supply, times, method=method)
        np.testing.assert_allclose(ours, theirs.reindex(demand.index).fillna(0), rtol=1e-9, atol=1e-9)
        assert ours.max() > 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(4))
def test_the_same_as_sums_written_out(method, seed):
    demand, supply, times = county(seed)
    minutes = {(r.from_id, r.to_id): r.minutes for r in times.itertuples()}

    def weight(v, s):
        m = minutes.get((v, s), np.inf)
        if m > 30:
            return 0.0
        if method in ("2SFCA", "cumulative"):
            return 1.0
        if method == "gravity":
            return (np.exp(-0.5 * (m / 30) ** 2) - np.exp(-0.5)) / (1 - np.exp(-0.5))
        return 1.0 if m <= 10 else 0.68 if m <= 20 else 0.22

    def choice(v, s):
        whole = sum(weight(v, t) for t in supply.index)
        return weight(v, s) / whole if whole and method == "3SFCA" else 1.0

    expected = []
    for v in demand.index:
        if method in ("gravity", "cumulative"):
            expected.append(sum(supply[s] * weight(v, s) for s in supply.index))
            continue
        score = 0.0
        for s in supply.index:
            wanted = sum(demand[u] * weight(u, s) * choice(u, s) for u in demand.index)
            score += weight(v, s) * choice(v, s) * supply[s] / wanted if wanted else 0.0
        expected.append(score)
    found = access_scores(demand, supply, times.sample(frac=1, random_state=seed), method=method)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert found.index.equals(demand.index) and found.name == method
    if method.endswith("SFCA"):
        reached = {s for s in supply.index if sum(demand[v] * weight(v, s) for v in demand.index) > 0}
        assert (found * demand).sum() == pytest.approx(supply[sorted(reached)].sum())


def test_only_the_way_to_school_counts():
    # from the hill down to the school 20 minutes, back up 40; from the valley 20 both ways
    times = pd.DataFrame({"from_id": ["hill", "valley"], "to_id": "S", "minutes": [20.0, 20.0], "minutes_back": [40.0, 20.0]})
    pupils, seats = pd.Series({"hill": 30, "valley": 10}), pd.Series({"S": 20})
    assert access_scores(pupils, seats, times, method="2SFCA").tolist() == [0.5, 0.5]
    # were the way back counted, the hill would be out of reach and the valley have two seats a pupil
    back = times.assign(minutes=times.minutes_back)
    assert access_scores(pupils, seats, back, method="2SFCA").tolist() == [0.0, 2.0]


def test_limits_and_steps_are_inclusive_and_weights_can_be_given():
    times = pd.DataFrame({"from_id": ["a", "b", "c", "d"], "to_id": "S", "minutes": [10.0, 20.0, 30.0, 30.0001]})
    pupils, seats = pd.Series({"a": 1, "b": 0, "c": 0, "d": 1}), pd.Series({"S": 1})
    assert access_scores(pupils, seats, times, method="E2SFCA").tolist() == pytest.approx([1.0, 0.68, 0.22, 0.0])
    assert access_scores(pupils, seats, times, method="gravity").iloc[2] == pytest.approx(0)
    linear = access_scores(pupils, seats, times, method="gravity", limit=40, weight=lambda m: 1 - m / 40)
    assert linear.tolist() == pytest.approx([0.75, 0.5, 0.25, 0.2499975])
    assert access_scores(pupils, seats, times, method="E2SFCA", weight=[(15, 1), (30, 0.5)]).tolist() == pytest.approx([1.0, 0.5, 0.5, 0.0])


def test_nobody_and_nothing():
    nothing = pd.DataFrame({"from_id": pd.Series([], dtype="str"), "to_id": pd.Series([], dtype="str"), "minutes": pd.Series([], dtype=float)})
    pupils, seats = pd.Series({"a": 3.0}), pd.Series({"S": 1.0})
    for method in METHODS:
        assert access_scores(pupils, seats, nothing, method=method).tolist() == [0.0]
        assert not len(access_scores(pupils.iloc[:0], seats, nothing, method=method))
        assert access_scores(pupils, seats.iloc[:0], nothing, method=method).tolist() == [0.0]
    # a school that nobody wants has no ratio, and ids that are not asked for do not count
    times = pd.DataFrame({"from_id": ["a", "z"], "to_id": ["S", "S"], "minutes": [5.0, 5.0]})
    assert access_scores(pupils * 0, seats, times, method="2SFCA").tolist() == [0.0]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"method": "4SFCA"}, "method must"),
        ({"limit": 0}, "limit must"),
        ({"demand": pd.Series([1.0, 2.0], index=["a", "a"])}, "ids of demand"),
        ({"supply": pd.Series([-1.0], index=["S"])}, "supply must"),
        ({"demand": pd.Series([np.nan], index=["a"])}, "demand must"),
        ({"times": [("a", "S", 1.0), ("a", "S", 2.0)]}, "comes twice"),
        ({"times": [("a", "S", -1.0)]}, "minutes must"),
        ({"weight": [(10, 1.0)]}, "weighs nothing"),
        ({"method": "E2SFCA", "weight": [(10, 0.5), (20, 1.0)]}, "falling"),
        ({"method": "E2SFCA", "weight": []}, "falling"),
        ({"method": "gravity", "weight": lambda m: -m}, "for every way"),
    ],
)
def test_what_makes_no_sense_is_refused(change, match):
    given = {"demand": pd.Series({"a": 1.0}), "supply": pd.Series({"S": 1.0}), "times": [("a", "S", 1.0)], "method": "2SFCA"} | change
    times = pd.DataFrame(given.pop("times"), columns=["from_id", "to_id", "minutes"])
    with pytest.raises(ValueError, match=match):
        access_scores(given.pop("demand"), given.pop("supply"), times, **given)


def test_gini_by_definition():
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, w = rng.uniform(0, 50, 9).round(1), rng.integers(1, 6, 9)
        each = np.repeat(x, w)
        expected = np.abs(each[:, None] - each[None, :]).mean() / (2 * each.mean())
        assert gini(x, w) == pytest.approx(expected) == gini(each)
    assert gini(np.array([3.0, 3.0])) == pytest.approx(0) and np.isnan(gini(np.zeros(0))) and np.isnan(gini(np.zeros(3)))
    with pytest.raises(ValueError, match="at least 0"):
        gini(np.array([-1.0]))


def test_distribution_child_by_child():
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({
        "year": rng.choice([2025, 2035], 60), "grade": rng.integers(1, 10, 60), "mode": rng.choice(["walk", "bus", "board", "seat", "none"], 60),
        "minutes": rng.uniform(1, 90, 60).round(1), "pupils": rng.integers(0, 20, 60),
    })  # fmt: skip
    rows.loc[rows["mode"].isin(["seat", "none"]), "minutes"] = np.nan
    found = time_distribution(rows, view="today").set_index(["year", "band"])
    assert len(found) == 6
    for (year, band), row in found.iterrows():
        grades = {"lower": (1, 3), "upper": (4, 6), "junior": (7, 9)}[band]
        own = rows[(rows.year == year) & rows.grade.between(*grades) & rows["mode"].isin(["walk", "bus"])]
        each = np.sort(np.repeat(own.minutes, own.pupils))
        n = len(each)
        worst = each[::-1][: n // 10].sum() + (n / 10 - n // 10) * each[::-1][n // 10]
        assert row["pupils"] == n and row["longest"] == each[-1]
        assert row["mean"] == pytest.approx(each.mean()) and row["worst_tenth"] == pytest.approx(worst / (n / 10))
        assert row["median"] == pytest.approx(np.quantile(each, 0.5, method="averaged_inverted_cdf"))
        assert row["p90"] == pytest.approx(np.quantile(each, 0.9, method="averaged_inverted_cdf"))
    assert not len(time_distribution(rows[rows["mode"] == "board"], view="today"))
