"""Regret of plans over scenarios: by hand, and against a second reading by plain tuples."""

import numpy as np
import pandas as pd
import pytest

from layout.regret import MEASURES, no_regret, plan_regrets, regrets


def evaluated(*rows):
    """Rows of plan, scenario, children without a place, beyond the limit, yuan."""
    table = pd.DataFrame(rows, columns=["plan_id", "scenario_id", "without_place", "beyond_limit", "cost_yuan"])
    return table.assign(excess_minutes=0.0, above_standard=0, pupil_minutes=100.0)


# three plans: thrifty (leaves children out when many come), middling, and safe
THREE = evaluated(
    ("thrifty", "few", 0, 5, 10e6), ("thrifty", "many", 30, 9, 10e6),
    ("middle", "few", 0, 5, 14e6), ("middle", "many", 4, 9, 14e6),
    ("safe", "few", 0, 5, 25e6), ("safe", "many", 0, 9, 25e6),
)  # fmt: skip


def test_regrets_by_hand():
    table = regrets(THREE).set_index(["plan_id", "scenario_id"])
    assert table["best_id"].to_dict() == {(p, s): "thrifty" if s == "few" else "safe" for p in ("middle", "safe", "thrifty") for s in ("few", "many")}
    assert table.loc[("safe", "few"), ["level", "regret_without_place", "regret_cost_yuan"]].tolist() == ["cost_yuan", 0.0, 15e6]
    # four children without a place are not bought by eleven million
    assert table.loc[("middle", "many"), ["level", "regret_without_place", "regret_cost_yuan"]].tolist() == ["without_place", 4.0, -11e6]
    assert table.loc[("thrifty", "few"), "level"] == table.loc[("safe", "many"), "level"] == ""


def test_the_plan_of_least_largest_regret_by_hand():
    """The largest regrets: thrifty 30 children, middle 4 children, safe 15 million and no child."""
    table = plan_regrets(THREE).set_index("plan_id")
    assert table["rank"].to_dict() == {"safe": 1, "middle": 2, "thrifty": 3} and table["least"].to_dict() == {
        "safe": True,
        "middle": False,
        "thrifty": False,
    }
    assert table["worst_id"].to_dict() == {"safe": "few", "middle": "many", "thrifty": "many"}
    assert table["best_in"].to_dict() == {"safe": 1, "middle": 0, "thrifty": 1} and (table["scenarios"] == 2).all()


def test_money_decides_only_among_plans_equal_for_children():
    both = evaluated(("a", "s", 0, 3, 9e6), ("b", "s", 0, 2, 90e6), ("c", "s", 0, 2, 80e6))
    assert plan_regrets(both).set_index("plan_id")["rank"].to_dict() == {"c": 1, "b": 2, "a": 3}
    # less than half a child is no child
    near = evaluated(("a", "s", 0.4, 0, 9e6), ("b", "s", 0.0, 0, 10e6))
    assert regrets(near).set_index("plan_id")["level"].to_dict() == {"a": "", "b": "cost_yuan"}


def test_ties_go_to_more_scenarios_then_the_lower_id():
    same = evaluated(*[(p, s, 0, 0, 5e6) for p in ("b", "a") for s in ("x", "y")])
    assert plan_regrets(same).set_index("plan_id")["rank"].to_dict() == {"a": 1, "b": 2}
    # both regret a million at most; b does so in both scenarios
    rows = [("a", "x", 0, 0, 6e6), ("a", "y", 0, 0, 5e6), ("b", "x", 0, 0, 6e6), ("b", "y", 0, 0, 6e6), ("c", "x", 0, 0, 5e6), ("c", "y", 9, 0, 1e6)]
    assert plan_regrets(evaluated(*rows)).set_index("plan_id")["rank"].to_dict() == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("seed", range(8))
def test_against_plain_tuples(seed):
    rng = np.random.default_rng(seed)
    rows = [(f"p{i}", f"s{j}", *rng.integers(0, 3, len(MEASURES))) for i in range(4) for j in range(3)]
    table = pd.DataFrame(rows, columns=["plan_id", "scenario_id", *MEASURES])
    vectors = {(r[0], r[1]): tuple(int(v) for v in r[2:]) for r in rows}
    best = {s: min(vectors[p, s] for p in {r[0] for r in rows}) for s in {r[1] for r in rows}}
    lost = {key: tuple(a - b for a, b in zip(v, best[key[1]], strict=True)) for key, v in vectors.items()}
    found = regrets(table.sample(frac=1, random_state=seed))
    assert {(r.plan_id, r.scenario_id): tuple(getattr(r, f"regret_{m}") for m in MEASURES) for r in found.itertuples()} == lost
    largest = {p: max(v for (q, _), v in lost.items() if q == p) for p in {r[0] for r in rows}}
    ranked = plan_regrets(table)
    assert largest[ranked.loc[ranked["least"], "plan_id"].iloc[0]] == min(largest.values())
    assert [largest[p] for p in ranked.sort_values("rank")["plan_id"]] == sorted(largest.values())
    # regret is never below nothing, and the best plan of each scenario has none
    assert all(v >= (0,) * len(MEASURES) for v in lost.values()) and set(found.loc[found["level"] == "", "scenario_id"]) == set(best)


def test_what_is_missing_is_said():
    with pytest.raises(ValueError, match="plan safe is not evaluated in scenario many"):
        regrets(THREE.iloc[:-1])
    with pytest.raises(ValueError, match="plan safe is evaluated twice in scenario many"):
        regrets(pd.concat([THREE, THREE.iloc[[-1]]]))
    with pytest.raises(ValueError, match="the evaluations lack cost_yuan"):
        plan_regrets(THREE.drop(columns="cost_yuan"))
    with pytest.raises(ValueError, match="missing or not finite"):
        regrets(THREE.assign(beyond_limit=np.nan))
    assert not len(regrets(THREE.iloc[:0])) and not len(plan_regrets(THREE.iloc[:0]))


def proposals(*rows):
    return pd.DataFrame(rows, columns=["school_id", "year", "action", "role", "rooms", "beds", "cost_yuan"])


def test_no_regret_some_and_one_by_hand():
    plans = {
        "few": proposals(("A", 2030, "expand", "primary", 2, 0, 2e6), ("B", 2035, "open", "teaching_point", 2, 0, 1e6)),
        "many": proposals(("A", 2026, "expand", "primary", 3, 0, 3e6), ("A", 2030, "expand", "primary", 1, 0, 1e6), ("B", 2030, "open", "primary", 6, 0, 6e6)),
        "middle": proposals(("A", 2030, "expand", "primary", 4, 0, 4e6), ("B", 2030, "open", "teaching_point", 3, 0, 2e6), ("C", 2030, "add_boarding", "junior", 0, 40, 5e6)),
    }  # fmt: skip
    table = no_regret(plans).set_index(["school_id", "action", "role"])
    assert table["kind"].to_dict() == {
        ("A", "expand", "primary"): "all", ("B", "open", "primary"): "one", ("B", "open", "teaching_point"): "some", ("C", "add_boarding", "junior"): "one"
    }  # fmt: skip
    # the plan of many builds four rooms in two years
    assert table.loc[("A", "expand", "primary"), ["rooms_least", "rooms_most", "first_year", "last_year", "cost_yuan_most"]].tolist() == [
        2,
        4,
        2026,
        2030,
        4e6,
    ]
    assert (
        table.loc[("B", "open", "teaching_point"), "scenario_ids"] == "few;middle" and table.loc[("C", "add_boarding", "junior"), "beds_least"] == 40
    )


def test_a_plan_that_proposes_nothing_leaves_no_proposal_in_all():
    one = proposals(("A", 2030, "expand", "primary", 2, 0, 2e6))
    assert no_regret({"a": one, "b": one.iloc[:0]})["kind"].tolist() == ["one"] and no_regret({"a": one})["kind"].tolist() == ["all"]
    assert not len(no_regret({"a": one.iloc[:0]}))
    with pytest.raises(ValueError, match="at least one scenario"):
        no_regret({})
