"""Levels of a program against a naive second solver, hand-worked faces, and every way a search can end."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import LinearConstraint, milp

from layout import programs, relaxations
from layout.children import choose_way
from layout.programs import solve
from layout.solver import InfeasibleError, NoSolutionError, Program, sparse_rows


def program(matrix, low, high, *, lower=0.0, upper=np.inf, integer=False):
    matrix = sparse.csr_matrix(np.asarray(matrix, float))
    n = matrix.shape[1]
    return Program(np.full(n, float(lower)), np.full(n, float(upper)), np.full(n, integer), matrix, np.asarray(low, float), np.asarray(high, float))


def oracle(case, objectives):
    """Solve level after level with a dense row for each level before: slow, and by another road."""
    rows, low, high = case.matrix.toarray(), list(case.row_lower), list(case.row_upper)
    values = []
    for costs in objectives:
        bounds = np.c_[case.lower, case.upper]
        found = milp(costs, constraints=LinearConstraint(rows, low, high), bounds=(bounds[:, 0], bounds[:, 1]), integrality=case.integer.astype(int))
        if not found.success:
            return None
        values.append(found.fun)
        rows, low, high = np.vstack([rows, costs]), [*low, -np.inf], [*high, found.fun + 2e-6]
    return values


def random_case(seed, *, integer):
    rng = np.random.default_rng(seed)
    n, m = 8, 5
    matrix = rng.integers(0, 4, (m, n))
    # covering rows that can be met, under a packing row
    low = rng.integers(1, 9, m).astype(float)
    case = program(np.vstack([matrix, np.ones(n)]), [*low, -np.inf], [*np.full(m, np.inf), 30.0], upper=9.0, integer=integer)
    objectives = [rng.integers(0, 3, n).astype(float) for _ in range(4)]
    return case, objectives


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_levels_equal_the_naive_solver(seed, integer):
    case, objectives = random_case(seed, integer=integer)
    expected = oracle(case, objectives)
    named = {f"level {i}": costs for i, costs in enumerate(objectives)}
    if expected is None:
        with pytest.raises(NoSolutionError, match="no values meet all rows"):
            solve(case, named)
        return
    found = solve(case, named)
    assert [level.objective for level in found.levels] == pytest.approx(expected, abs=1e-4)
    assert [level.bound for level in found.levels] == pytest.approx(expected, abs=1e-4)
    assert {level.status for level in found.levels} == {"optimal"} and found.status == "optimal"
    assert [float(c @ found.values) for c in objectives] == pytest.approx(expected, abs=1e-4)
    rows = case.matrix @ found.values
    assert (rows >= case.row_lower - 1e-6).all() and (rows <= case.row_upper + 1e-6).all()
    if integer:
        assert (found.values == np.round(found.values)).all()


def test_a_later_level_chooses_among_the_optima_of_the_first():
    # x + y = 4: the first level does not care; the second wants y small; the third wants x small but may not
    case = program([[1, 1]], [4], [4])
    found = solve(case, {"any": np.ones(2), "second": np.array([0.0, 1.0]), "third": np.array([1.0, 0.0])})
    assert found.values.tolist() == [4, 0]
    assert [level.objective for level in found.levels] == [4, 0, 4]


def test_whole_values_that_the_relaxation_cannot_reach():
    # 2x + 2y = 3 halves: x + y >= 1.5 whole is 2, so the first level costs 2 where its relaxation says 1.5
    case = program([[2, 2]], [3], [np.inf], integer=True)
    found = solve(case, {"count": np.ones(2), "first": np.array([1.0, 0.0])})
    assert [level.objective for level in found.levels] == [2, 0]
    assert found.values.tolist() == [0, 2]


def test_an_absolute_gap_is_kept_and_stated():
    case, objectives = random_case(3, integer=True)
    exact = oracle(case, objectives[:1])[0]
    found = solve(case, {"children": objectives[0]}, absolute_gaps={"children": 0.999})
    (level,) = found.levels
    assert level.bound <= exact + 1e-6 and level.objective - level.bound == pytest.approx(level.gap) and level.gap <= 0.999
    assert level.objective < exact + 1


@pytest.mark.parametrize("claim", ["infeasible", "worse"])
def test_a_solver_that_contradicts_values_at_hand_is_asked_again(monkeypatch, claim):
    """Known faults of a solver's presolve: it finds no values where there are some, or calls worse ones the best."""
    import highspy

    class Faulty:
        def __init__(self, model):
            self.model, self.presolve = model, "choose"

        def __getattr__(self, name):
            return getattr(self.model, name)

        def setOptionValue(self, key, value):
            self.presolve = value if key == "presolve" else self.presolve
            return self.model.setOptionValue(key, value)

        def getModelStatus(self):
            wrong = self.presolve == "choose" and claim == "infeasible"
            return highspy.HighsModelStatus.kInfeasible if wrong else self.model.getModelStatus()

        def getInfo(self):
            info = self.model.getInfo()
            if self.presolve == "choose" and claim == "worse":
                info.mip_dual_bound += 5
            return info

        def getSolution(self):
            found = self.model.getSolution()
            if self.presolve == "choose" and claim == "worse":
                found.col_value = [n + 5 for n in found.col_value]
            return found

    whole = programs.load
    monkeypatch.setattr(programs, "load", lambda case, limits: Faulty(whole(case, limits)) if case.integer.any() else whole(case, limits))
    # 2x + 2y >= 3: two are needed; y is free on the second level, so (0, 2); the linear optimum 1.5 is no answer
    case, start = program([[2, 2]], [3], [np.inf], integer=True), np.array([1.0, 1.0])
    found = solve(case, {"count": np.ones(2), "first": np.array([1.0, 0.0])}, start=start)
    assert [(level.objective, level.bound) for level in found.levels] == [(2, 2), (0, 0)]
    assert found.values.tolist() == [0, 2]


def test_contradicting_rows_are_named():
    case = program([[1.0], [1.0]], [2, -np.inf], [np.inf, 1])
    with pytest.raises(NoSolutionError, match="level only: no values meet all rows"):
        solve(case, {"only": np.ones(1)})
    with pytest.raises(NoSolutionError, match="there is no objective"):
        solve(case, {})


def test_a_limit_before_any_solution_says_so():
    rng = np.random.default_rng(0)
    case = program(rng.uniform(0, 1, (40, 60)), np.full(40, 9.0), np.full(40, np.inf))
    with pytest.raises(NoSolutionError, match="level cost: stopped by the work_limit"):
        solve(case, {"cost": rng.uniform(1, 2, 60)}, work_limit=1)


def test_a_work_limit_ends_a_search_with_values_and_a_bound():
    # a knapsack of equal densities: branching is long, feasible values are at hand
    weights = np.array([31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79], float)
    case = program([weights], [401.5], [402.4], upper=1.0, integer=True)
    found = solve(case, {"use": weights + 0.01 * np.arange(12)}, work_limit=2000)
    assert found.levels[0].bound <= found.levels[0].objective


def test_same_program_same_values():
    case, objectives = random_case(7, integer=True)
    named = {str(i): c for i, c in enumerate(objectives)}
    first, second = solve(case, named), solve(case, named)
    assert (first.values == second.values).all() and first.levels == second.levels


def test_choose_way():
    # group 0: both keep the limit, rank decides; 1: one keeps it; 2: none does, the quicker goes; 3: equal minutes, rank decides
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    minutes = np.array([29, 5, 31, 30, 50, 45, 60, 60.0])
    assert choose_way(groups, minutes, np.full(8, 30.0), np.array([0, 1] * 4)).tolist() == [0, 3, 5, 6]
    assert choose_way(np.zeros(0, int), np.zeros(0), np.zeros(0), np.zeros(0)).tolist() == []


def test_rows_add_up_equal_places():
    one = np.array([0])
    assert sparse_rows(1, 2, (one, one, 2.0), (one, one, 3.0)).toarray().tolist() == [[5.0, 0.0]]
    assert sparse_rows(2, 3).shape == (2, 3)


def test_a_bound_with_cuts_lies_between_the_relaxation_and_the_optimum():
    rng = np.random.default_rng(5)
    raised = 0
    for _ in range(20):
        weights, worth = rng.integers(2, 9, 7).astype(float), rng.integers(1, 9, 7).astype(float)
        case = replace(program([weights.tolist()], [weights.sum() / 2 + 0.5], [np.inf], integer=True), upper=np.ones(7))
        best = min(worth @ np.array(x) for x in itertools.product((0, 1), repeat=7) if weights @ np.array(x) >= weights.sum() / 2 + 0.5)
        relaxed = relaxations.least_value(case, worth, cuts=False)
        found = relaxations.least_value(case, worth, known=best)
        assert relaxed - 1e-6 <= found <= best + 1e-6
        raised += found > relaxed + 1e-6
    assert raised >= 15


def test_rounds_of_cuts_that_end_early_leave_a_bound(monkeypatch):
    """Seats in whole rooms for children who choose among schools: a bound needs several rounds of cuts."""
    rng = np.random.default_rng(7)
    sites, places = 12, 40
    children = rng.integers(5, 30, places).astype(float)
    flows = places * sites
    matrix = sparse.lil_matrix((places + sites, flows + sites))
    for v in range(places):
        matrix[v, v * sites : (v + 1) * sites] = 1.0
        for k in range(sites):
            matrix[places + k, v * sites + k] = -children[v]
    for k in range(sites):
        matrix[places + k, flows + k] = 45.0
    low = np.concatenate([np.ones(places), np.zeros(sites)])
    case = Program(
        np.zeros(flows + sites), np.concatenate([np.ones(flows), np.full(sites, 20.0)]), np.arange(flows + sites) >= flows, matrix.tocsr(), low,
        np.concatenate([np.ones(places), np.full(sites, np.inf)]),
    )  # fmt: skip
    costs = np.concatenate([rng.integers(1, 60, flows) * 0.3, np.full(sites, 40.0)])
    known = programs.search(case, costs, gap=0.05, work_limit=200).levels[0].objective
    bounds = [relaxations.least_value(case, costs, known=known, cuts=False)]
    for lift in (1e9, 0.0):
        monkeypatch.setattr(relaxations, "_LIFT", lift)
        bounds.append(relaxations.least_value(case, costs, known=known))
    # the relaxation, as soon as it may end, and when the solver itself ends
    assert bounds[0] < bounds[1] < bounds[2] <= known + 1e-6


@pytest.mark.parametrize("cuts", [True, False])
def test_columns_that_cannot_move_count_all_the_same(cuts):
    """2 x + 3 y >= 11 with y = 2 and 5 a piece of y: x is 2.5 in parts, 3 whole."""
    case = Program(
        np.array([0.0, 2.0]), np.array([9.0, 2.0]), np.ones(2, bool), sparse.csr_matrix([[2.0, 3.0]]), np.array([11.0]), np.array([np.inf])
    )
    assert relaxations.least_value(case, np.array([1.0, 5.0]), known=13.0, cuts=cuts) == pytest.approx(13.0 if cuts else 12.5)


def test_a_bound_that_contradicts_what_is_known_is_not_used(monkeypatch):
    case = program([[2.0]], [3.0], [np.inf], integer=True)
    assert relaxations.least_value(case, np.ones(1), known=2.0) == 2.0
    # known values that are better than the optimum cannot be; the linear relaxation is what is left
    assert relaxations.least_value(case, np.ones(1), known=1.5) == 1.5


def test_there_is_no_bound_where_rows_contradict_each_other():
    with pytest.raises(InfeasibleError, match="no values meet all rows"):
        relaxations.least_value(program([[2.0]], [99.0], [np.inf], upper=9.0, integer=True), np.ones(1))
