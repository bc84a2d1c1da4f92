"""Programs over places and flows, solved one objective after another, with a bound and a gap for each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import sparse

from layout.sums import dot, products

# a dual or reduced cost larger than this counts as not zero; HiGHS works to 1e-7
_DUAL_TOLERANCE = 1e-6
# how far a level may slip, relative to its value, when a later one is solved: rounding error only
_SLIP = 1e-6
# how many times as far where a search would find nothing otherwise
_LOOSE = 10.0
# how far above the values at hand, relative to them, a bound may search
_ROOM = 0.01
# what pays only in long searches
_LONG = ("mip_heuristic_run_rens", "mip_heuristic_run_root_reduced_cost", "mip_allow_restart")
# what a search for a bound leaves out
_HEURISTICS = ("rins", "rens", "root_reduced_cost", "feasibility_jump")
# rounds of cuts end once so many in a row lift a bound by less than this share of what lies between it and the values at hand
_SLOW, _LIFT = 3, 0.006
# rows are looked for as long as the last ones lifted the relaxation by more than this share
_WORTH = 1e-4
# number of the primal simplex among the strategies of HiGHS
_PRIMAL = 4
# the solver is given this long at least, so that it can say that it was stopped
_LEAST_SECONDS = 0.01
# with so many levels to come, values good on all of them are looked for at once
_SOON = 2
# a program with more columns is large: its search begins below the values at hand
_LARGE = 5000
# a value this near a whole number is that number
_WHOLE = 1e-6

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Program:
    """A linear or mixed-integer program: rows between bounds, columns between bounds, some of them whole.

    Parameters
    ----------
    lower, upper
        Bounds of each column.
    integer
        Which columns are whole numbers.
    matrix
        Rows x columns.
    row_lower, row_upper
        Bounds of each row; infinite where there is none.
    """

    lower: np.ndarray
    upper: np.ndarray
    integer: np.ndarray
    matrix: sparse.csr_matrix
    row_lower: np.ndarray
    row_upper: np.ndarray


@dataclass(frozen=True)
class Level:
    """How one objective ended: its value, what is proven to be unbeatable, their difference, and why the search stopped.

    ``status``: optimal (gap within what was asked for), work_limit, time_limit; relaxed where the linear relaxation alone bounds it; of
    answers put beside a relaxation (:func:`beside`) also search.
    """

    name: str
    objective: float
    bound: float
    gap: float
    status: str


@dataclass(frozen=True)
class Solution:
    """Values of the columns, the levels in order, the worst of their statuses, and for linear programs the duals of the rows by level."""

    values: np.ndarray
    levels: tuple[Level, ...]
    status: str
    duals: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class _Limits:
    """Where a search may stop; ``until`` on the clock of time.monotonic."""

    relative: float
    absolute: Mapping[str, float]
    nodes: int | None
    until: float
    seed: int
    by_level: Mapping[str, float] = field(default_factory=dict)


class NoSolutionError(ValueError):
    """No values meet the rows, or none was found before a limit; the message says which."""


class InfeasibleError(NoSolutionError):
    """No values meet the rows, or none cost less than was asked for."""


class StoppedError(NoSolutionError):
    """A limit ended the search before any values were found; there may be some."""


def solve(
    program: Program,
    objectives: Mapping[str, np.ndarray],
    *,
    gap: float = 0.0,
    absolute_gaps: Mapping[str, float] | None = None,
    relative_gaps: Mapping[str, float] | None = None,
    work_limit: int | None = None,
    time_limit: float = 300.0,
    seed: int = 0,
    start: np.ndarray | None = None,
    guess: np.ndarray | None = None,
    relaxed: Collection[str] = (),
) -> Solution:
    """Minimise several objectives, each among the optima of those before it.

    A linear program keeps the optimal face of a level by complementary slackness: columns with a reduced cost stay at their
    bound, rows with a dual stay tight. That is exact and leaves the rows sparse, so the next level starts warm from the basis.
    A mixed-integer level does the same where its optimum equals its linear relaxation, since every optimum then lies on that
    face; elsewhere a row holds the level at the value reached.

    Parameters
    ----------
    program
        Rows and columns.
    objectives
        Cost of each column by name of the level, the first one foremost.
    gap
        Relative gap at which a mixed-integer level may stop.
    absolute_gaps
        Absolute gap by level, instead of the relative one.
    relative_gaps
        Relative gap by level, instead of ``gap``.
    work_limit
        Most branch-and-bound nodes of a mixed-integer level, most simplex iterations of a linear one; None for no limit. It
        counts work, so the answer does not depend on the machine.
    time_limit
        Seconds for all levels, a guard only: a status ``time_limit`` tells that the answer may differ elsewhere.
    seed
        Of the solver.
    start
        Values that end the first mixed-integer level without a search where they are good enough; ignored where they break a row.
    guess
        A cost whose optimum is likely near that of all levels: a linear program is solved for it first, and the levels go on from
        that basis. It changes the time and no objective.
    relaxed
        Mixed-integer levels that are not searched once there are values: these stand, beside the bound of the linear relaxation.

    Returns
    -------
    Solution
        Values (whole columns exactly whole) and one Level per objective.

    Raises
    ------
    NoSolutionError
        If the rows contradict each other, or a limit ended the search before any values were found.

    References
    ----------
    Objective: lexmin (c_1 x, ..., c_L x) subject to (1) row_lower <= A x <= row_upper, (2) lower <= x <= upper, (3) x_j whole
    for the integer columns. Complementary slackness: Dantzig 1963, Linear Programming and Extensions.

    Examples
    --------
    >>> program = Program(np.zeros(2), np.full(2, 9.0), np.zeros(2, bool), sparse.csr_matrix([[1.0, 1.0]]), np.array([3.0]), np.array([np.inf]))
    >>> answer = solve(program, {"both": np.array([1.0, 1.0]), "second": np.array([0.0, 1.0])})
    >>> answer.values.tolist(), [level.objective for level in answer.levels]
    ([3.0, 0.0], [3.0, 0.0])
    """
    costs = {name: np.asarray(c, float) for name, c in objectives.items()}
    if not costs:
        raise NoSolutionError("there is no objective to solve")
    limits = _Limits(gap, absolute_gaps or {}, work_limit, time.monotonic() + time_limit, seed, relative_gaps or {})
    if not program.integer.any():
        return _linear(program, costs, replace(limits, relative=0.0), guess)[0]
    at_once = _leap(program, costs, limits)
    return at_once if at_once is not None else _level_by_level(program, costs, limits, start, frozenset(relaxed))


def _linear(program: Program, costs: Mapping[str, np.ndarray], limits: _Limits, guess: np.ndarray | None = None) -> tuple[Solution, Program]:
    """Solve the levels of a linear program; the program returned is cut to the face of all levels but the last."""
    model, current, levels, prices = _highs(program, limits), program, [], []
    if guess is not None:
        _linear_level(model, "guess", np.asarray(guess, float))
        model.setOptionValue("simplex_strategy", _PRIMAL)
    for i, (name, cost) in enumerate(costs.items()):
        values, level, reduced, duals = _linear_level(model, name, cost)
        levels.append(level)
        prices.append(duals)
        logger.debug("linear level %s: %s", name, level)
        if level.status != "optimal" or i == len(costs) - 1:
            break
        wider, current = current, _on_face(current, values, reduced, duals)
        _tighten(model, wider, current)
        # the basis stays feasible on the face, so the primal simplex goes on from it
        model.setOptionValue("simplex_strategy", _PRIMAL)
    return Solution(values, tuple(levels), levels[-1].status, tuple(prices)), current


def _leap(program: Program, costs: Mapping[str, np.ndarray], limits: _Limits) -> Solution | None:
    """Solve all levels with one search, where whole columns lose nothing on any level before the last.

    The relaxation bounds every level. If the face of its optima holds whole values, these reach the bound of each level
    before the last, and the last needs a search only among them.
    """
    relaxed, face = _linear(_as_linear(program), costs, replace(limits, nodes=None))
    if relaxed.status != "optimal":
        return None
    face = replace(face, integer=program.integer)
    name, cost = list(costs.items())[-1]
    try:
        values, last = _whole_level(face, cost, None, relaxed.values, relaxed.levels[-1], limits)
    except NoSolutionError:
        return None
    found = [
        replace(level, objective=_value(values, costs[level.name]), gap=max(_value(values, costs[level.name]) - level.bound, 0.0))
        for level in relaxed.levels[:-1]
    ]  # fmt: skip
    if any(level.gap > _slip(level.objective) for level in found):
        return None
    logger.debug("all levels at once, the last: %s", last)
    return Solution(values, (*found, replace(last, name=name)), last.status)


def _level_by_level(
    program: Program, costs: Mapping[str, np.ndarray], limits: _Limits, start: np.ndarray | None, aside: frozenset[str] = frozenset()
) -> Solution:
    current, levels, values = program, [], start
    model = _highs(_as_linear(program), replace(limits, nodes=None))
    # should rounding errors leave nothing on a face or below a row, the level before is held less tightly
    loose: Program | None = None
    for i, (name, cost) in enumerate(costs.items()):
        try:
            try:
                relaxed, level, reduced, duals = _linear_level(model, name, cost)
                if name in aside and values is not None and _fits(current, values):
                    bound = min(level.bound, _value(values, cost))
                    level = Level(name, _value(values, cost), bound, _value(values, cost) - bound, "relaxed")
                else:
                    values, level = _whole_level(current, cost, values, relaxed, level, limits)
            except NoSolutionError:
                if loose is None or time.monotonic() >= limits.until:
                    raise
                current = loose
                model = _highs(_as_linear(current), replace(limits, nodes=None))
                relaxed, level, reduced, duals = _linear_level(model, name, cost)
                values, level = _whole_level(current, cost, values, relaxed, level, limits)
        except NoSolutionError:
            if i == 0 or values is None or time.monotonic() < limits.until:
                raise
            # out of time: the values of the levels before stand, with nothing proven about this one
            levels.append(Level(name, _value(values, cost), -np.inf, np.inf, "time_limit"))
            continue
        levels.append(level)
        logger.debug("level %s: %s", name, level)
        face = _on_face(current, relaxed, reduced, duals)
        loose = _held(current, cost, level.objective + _LOOSE * _slip(level.objective))
        # values on the face prove that whole columns lose nothing on this level
        if _fits(face, values):
            _tighten(model, current, face)
            current = face
            continue
        values = _pinned(current, values, cost, dict(list(costs.items())[i + 1 :]), limits)
        current = _held(current, cost, level.objective + _slip(level.objective))
        model = _highs(_as_linear(current), replace(limits, nodes=None))
    statuses = [level.status for level in levels]
    status = next((s for s in ("time_limit", "work_limit") if s in statuses), "optimal")
    return Solution(_rounded(program, np.asarray(values)), tuple(levels), status)


def _pinned(program: Program, values: np.ndarray, cost: np.ndarray, later: Mapping[str, np.ndarray], limits: _Limits) -> np.ndarray:
    """Look for values that are good on the later levels too, where no column costs more on this one than it does now.

    That is a sparse program, found soon; it gives the later levels something to begin from and proves nothing.
    """
    if len(later) != _SOON:
        return values
    upper = np.where(cost > 0, np.minimum(program.upper, values), program.upper)
    lower = np.where(cost < 0, np.maximum(program.lower, values), program.lower)
    pinned = replace(program, lower=np.minimum(lower, upper), upper=upper)
    try:
        found = _leap(pinned, later, limits)
    except NoSolutionError:
        # rounding errors may leave nothing between such bounds
        return values
    # the solver's presolve now and then gives wrong values
    return found.values if found is not None and _fits(pinned, found.values) else values


@dataclass(frozen=True)
class Block:
    """Columns to be added to a linear program, from 0 up: their entries (rows x columns) and costs (levels x columns)."""

    matrix: sparse.csc_matrix
    costs: np.ndarray


def solve_growing(
    row_lower: np.ndarray, row_upper: np.ndarray, first: Block, names: Sequence[str], weights: Sequence[float],
    more: Callable[[Sequence[np.ndarray], np.ndarray], Block | None], *, time_limit: float = 300.0, seed: int = 0,
) -> Solution:  # fmt: skip
    """Minimise several objectives over columns that are added as the duals ask for them (column generation).

    A weighted sum of the levels goes first. Where no further column improves it, the levels are solved one after another from that
    basis; a column that improves one of them is added, and they begin anew.

    Parameters
    ----------
    row_lower, row_upper
        Bounds of the rows; the first columns must meet them.
    first
        Columns to begin with.
    names
        Of the levels.
    weights
        Of the levels in the sum that goes first.
    more
        Called with the duals of the rows, level after level, and the costs' weights (one row a level solved; for the sum a single
        row); returns columns that are better at these duals, or None.
    time_limit, seed
        As in :func:`solve`.

    Returns
    -------
    Solution
        Values of all columns in the order in which they came; levels, and duals of the rows by level.

    Raises
    ------
    NoSolutionError
        As in :func:`solve`.

    References
    ----------
    Gilmore, P. C., & Gomory, R. E. (1961). A linear programming approach to the cutting-stock problem. Operations Research, 9(6).

    Examples
    --------
    >>> one = Block(sparse.csc_matrix([[1.0]]), np.array([[5.0]]))
    >>> two = [Block(sparse.csc_matrix([[1.0]]), np.array([[3.0]]))]
    >>> found = solve_growing(np.ones(1), np.ones(1), one, ["cost"], [1.0], lambda duals, weights: two.pop() if two else None)
    >>> found.values.tolist(), found.levels[0].objective
    ([0.0, 1.0], 3.0)
    """
    costs, limits = first.costs, _Limits(0.0, {}, None, time.monotonic() + time_limit, seed)
    count = first.matrix.shape[1]
    program = Program(np.zeros(count), np.full(count, np.inf), np.zeros(count, bool), first.matrix.tocsr(), row_lower, row_upper)
    model = _highs(program, limits)
    sum_of = np.asarray(weights, float)[None, :]
    each = np.eye(len(names))

    def add(block: Block) -> None:
        nonlocal costs, program
        many, matrix = block.matrix.shape[1], block.matrix.tocsc()
        model.addCols(many, np.zeros(many), np.zeros(many), np.full(many, np.inf), matrix.nnz, matrix.indptr[:-1], matrix.indices, matrix.data)
        costs = np.concatenate([costs, block.costs], axis=1)
        total = costs.shape[1]
        program = replace(program, lower=np.zeros(total), upper=np.full(total, np.inf), integer=np.zeros(total, bool))

    for rows in (sum_of, each):
        while True:
            current, levels, duals = program, [], []
            for name, weight in zip(names if len(rows) > 1 or len(names) == 1 else ["guess"], rows, strict=True):
                values, level, reduced, dual = _linear_level(model, name, products(weight, costs))
                if level.status != "optimal":
                    raise NoSolutionError(f"level {name}: stopped by the {level.status}")
                # from now on the basis at hand stays feasible
                model.setOptionValue("simplex_strategy", _PRIMAL)
                levels.append(level)
                duals.append(dual)
                if len(levels) < len(rows):
                    wider, current = current, _on_face(current, values, reduced, dual)
                    _tighten(model, wider, current)
            if len(rows) > 1:
                _tighten(model, current, program)
            block = more(duals, rows)
            if block is None:
                break
            add(block)
    return Solution(values, tuple(levels), "optimal", tuple(duals))


def round_stepwise(
    program: Program, cost: np.ndarray, fix: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray] | None], *, steps: int,
    time_limit: float = 300.0, seed: int = 0,
) -> np.ndarray:  # fmt: skip
    """Solve a linear relaxation again and again while columns are bound step by step, each time from the basis at hand.

    Parameters
    ----------
    program
        Rows and columns; whole columns count as divisible.
    cost
        Cost of each column.
    fix
        Called with the values; returns columns with their new lower and upper bounds, or None where nothing is left to bind.
    steps
        Most steps.
    time_limit, seed
        As in :func:`solve`.

    Returns
    -------
    numpy.ndarray
        Values of the last relaxation.

    Raises
    ------
    NoSolutionError
        If the rows contradict each other once columns are bound, or the time is over.

    Examples
    --------
    >>> program = Program(np.zeros(2), np.full(2, 9.0), np.ones(2, bool), sparse.csr_matrix([[2.0, 2.0]]), np.array([3.0]), np.array([np.inf]))
    >>> first = iter([(np.array([0]), np.array([1.0]), np.array([1.0])), None])
    >>> round_stepwise(program, np.array([1.0, 2.0]), lambda values: next(first), steps=5).tolist()
    [1.0, 0.5]
    """
    limits = _Limits(0.0, {}, None, time.monotonic() + time_limit, seed)
    model, current = _highs(_as_linear(program), limits), program
    for step in range(steps + 1):
        values, level, _, _ = _linear_level(model, "rounding", np.asarray(cost, float))
        if level.status != "optimal":
            raise NoSolutionError(f"level rounding: stopped by the {level.status}")
        bound = fix(values) if step < steps else None
        if bound is None:
            break
        lower, upper = current.lower.copy(), current.upper.copy()
        lower[bound[0]], upper[bound[0]] = bound[1], bound[2]
        wider, current = current, replace(current, lower=lower, upper=upper)
        _tighten(model, wider, current)
    return values


@dataclass(frozen=True)
class Rows:
    """Rows to be added to a program: their entries (rows x columns) and bounds."""

    matrix: sparse.csr_matrix
    lower: np.ndarray
    upper: np.ndarray


def search(
    program: Program, costs: np.ndarray, *, gap: float = 0.0, absolute_gap: float = _SLIP, cutoff: float = np.inf, work_limit: int | None = None,
    time_limit: float = 300.0, seed: int = 0, start: np.ndarray | None = None, more_rows: Callable[[np.ndarray], Rows | None] | None = None,
    brief: bool = False,
) -> Solution:  # fmt: skip
    """Minimise one objective, beginning from values at hand, with rows that are added where an answer breaks them.

    Parameters
    ----------
    program
        Rows and columns.
    costs
        Cost of each column.
    gap, absolute_gap
        Relative and absolute gap at which a search for whole columns may stop.
    cutoff
        Values that cost as much need not be found; the bound is at most this.
    work_limit
        Most branch-and-bound nodes of all searches; of a linear program most simplex iterations.
    time_limit, seed
        As in :func:`solve`.
    start
        Values the search for whole columns need not come back to unless something is better by more than the gap; ignored where
        they break a row.
    more_rows
        Called with the values of each answer; returns rows that these break, or None. The last answer breaks none.
    brief
        Whether to leave out what pays only in long searches.

    Returns
    -------
    Solution
        Values, one Level and, for a linear program, the duals of its rows and of those added, in order.

    Raises
    ------
    NoSolutionError
        If no values meet the rows, or none that cost less than the cutoff.
    StoppedError
        If a limit ended the search before any values were found.

    References
    ----------
    Objective: min c x subject to (1) row_lower <= A x <= row_upper, (2) lower <= x <= upper, (3) x_j whole for the integer
    columns, (4) rows added later. Every answer before the last bounds the last.

    Examples
    --------
    >>> program = Program(np.zeros(2), np.ones(2), np.ones(2, bool), sparse.csr_matrix([[1.0, 1.0]]), np.array([1.0]), np.array([np.inf]))
    >>> search(program, np.array([2.0, 3.0]), start=np.array([0.0, 1.0])).values.tolist()
    [1.0, 0.0]
    """
    whole, bound, nodes = bool(program.integer.any()), -np.inf, 0
    limits = _Limits(gap, {}, work_limit, time.monotonic() + time_limit, seed)
    ready = start if whole and start is not None and _fits(program, start) else None
    if ready is not None and more_rows is not None and more_rows(ready) is not None:
        ready = None
    if ready is not None:
        # only what is better by more than the gap is looked for: HiGHS 1.16 maps a start wrongly into some presolved programs
        value = _value(ready, costs)
        cutoff = min(cutoff, value - max(absolute_gap, gap * abs(value)))
    model = _highs(program, limits)
    for key in _LONG if brief else ():
        model.setOptionValue(key, False)
    while True:
        _prepare(model, costs, limits, absolute_gap, cutoff, None if work_limit is None else work_limit - nodes)
        try:
            values, level, duals, done = _found(model, program, costs, whole)
        except NoSolutionError as none:
            if ready is None or not isinstance(none, (StoppedError, InfeasibleError)):
                raise
            stopped = isinstance(none, StoppedError)
            least = float(model.getInfo().mip_dual_bound) if stopped else cutoff
            status = "optimal" if not stopped else "time_limit" if time.monotonic() >= limits.until else "work_limit"
            return _kept(ready, costs, min(max(bound, least), cutoff), status)
        bound, nodes = max(bound, min(level.bound, cutoff)), nodes + done
        rows = more_rows(values) if more_rows is not None else None
        if rows is None or level.status != "optimal":
            if ready is not None and (rows is not None or level.objective >= _value(ready, costs)):
                return _kept(ready, costs, bound, level.status)
            if rows is not None:
                raise StoppedError(f"stopped by the {level.status} before any solution was found")
            bound = min(bound, level.objective)
            return Solution(values, (replace(level, bound=bound, gap=level.objective - bound),), level.status, (duals,))
        matrix = rows.matrix.tocsr()
        begins, places = matrix.indptr[:-1].astype(np.int32), matrix.indices.astype(np.int32)
        model.addRows(matrix.shape[0], rows.lower, rows.upper, matrix.nnz, begins, places, matrix.data)
        program = replace(
            program, matrix=sparse.vstack([program.matrix, matrix], format="csr"),
            row_lower=np.append(program.row_lower, rows.lower), row_upper=np.append(program.row_upper, rows.upper),
        )  # fmt: skip


def _kept(values: np.ndarray, costs: np.ndarray, bound: float, status: str) -> Solution:
    objective = _value(values, costs)
    return Solution(values, (Level("cost", objective, bound, objective - bound, status),), status)


def _prepare(model: Any, costs: np.ndarray, limits: _Limits, absolute: float, cutoff: float, work: int | None) -> None:
    options: dict[str, Any] = {"time_limit": max(limits.until - time.monotonic(), _LEAST_SECONDS)}
    options |= {"mip_rel_gap": max(limits.relative, 0.0), "mip_abs_gap": absolute}
    if np.isfinite(cutoff):
        options["objective_bound"] = float(cutoff)
    if work is not None:
        options["mip_max_nodes"] = max(int(work), 1)
    for key, value in options.items():
        model.setOptionValue(key, value)
    model.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), np.asarray(costs, float))


def _found(model: Any, program: Program, costs: np.ndarray, whole: bool) -> tuple[np.ndarray, Level, np.ndarray, int]:
    """Run the model once: values, level, duals of the rows, nodes searched."""
    import highspy

    if not whole:
        values, level, _, duals = _linear_level(model, "cost", costs)
        return values, level, duals, 0
    model.run()
    status, info = _status(model, "cost"), model.getInfo()
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        raise StoppedError(f"stopped by the {status} before any solution was found")
    values = _rounded(program, np.array(model.getSolution().col_value)) + 0.0
    objective = _value(values, costs)
    bound = min(float(info.mip_dual_bound), objective)
    return values, Level("cost", objective, bound, objective - bound, status), np.zeros(0), max(int(info.mip_node_count), 0)


@dataclass(frozen=True)
class Prices:
    """Duals of a linear relaxation: value of the last level, duals of the rows, reduced costs and bounds of the columns, what a unit of
    each level before would save, and the least that each of these comes to among values as good on those before it."""

    value: float
    duals: np.ndarray
    reduced: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    levels: Mapping[str, float]
    least: Mapping[str, float]


def price(
    program: Program, objectives: Mapping[str, np.ndarray], reached: Mapping[str, float], *, time_limit: float = 300.0, seed: int = 0
) -> Prices:
    """Price the rows of a linear relaxation among all values that are as good on every level but the last as those reached.

    Parameters
    ----------
    program
        Rows and columns; whole columns count as divisible.
    objectives
        Cost of each column by name of the level; the last one is priced.
    reached
        What the levels before it came to.
    time_limit, seed
        As in :func:`solve`.

    Returns
    -------
    Prices
        A level that is reached by the relaxation too is kept by complementary slackness (bounds of columns), else by a row.

    Raises
    ------
    NoSolutionError
        If nothing is as good as that, or the time is over.

    Examples
    --------
    >>> program = Program(np.zeros(2), np.full(2, 9.0), np.zeros(2, bool), sparse.csr_matrix([[1.0, 1.0]]), np.array([3.0]), np.array([np.inf]))
    >>> found = price(program, {"first": np.array([0.0, 1.0]), "second": np.array([2.0, 1.0])}, {"first": 1.0})
    >>> found.value, found.duals.tolist(), found.levels
    (5.0, [2.0], {'first': 1.0})
    """
    limits = _Limits(0.0, {}, None, time.monotonic() + time_limit, seed)
    model, current, held, least = _highs(_as_linear(program), limits), program, [], {}
    for i, (name, cost) in enumerate(objectives.items()):
        values, level, reduced, duals = _linear_level(model, name, np.asarray(cost, float))
        if level.status != "optimal":
            raise StoppedError(f"level {name}: stopped by the {level.status}")
        if i == len(objectives) - 1:
            break
        least[name] = level.objective
        # from now on the basis at hand stays feasible
        model.setOptionValue("simplex_strategy", _PRIMAL)
        if reached[name] - level.objective <= _slip(reached[name]):
            wider, current = current, _on_face(current, values, reduced, duals[: len(program.row_lower)])
            _tighten(model, wider, current)
            continue
        places = np.flatnonzero(cost).astype(np.int32)
        # a row of the size of the others
        scale = 1.0 / max(float(np.median(np.abs(cost[places]))), 1.0)
        model.addRow(-np.inf, reached[name] * scale, len(places), places, cost[places] * scale)
        held.append((name, scale))
    rows = len(program.row_lower)
    levels = {name: max(-float(duals[rows + i]) * scale, 0.0) for i, (name, scale) in enumerate(held)}
    return Prices(level.objective, duals[:rows], reduced, current.lower, current.upper, levels, least)


def tightened(
    program: Program, costs: np.ndarray, more_rows: Callable[[np.ndarray], Rows | None], *, rounds: int = 4, time_limit: float = 300.0, seed: int = 0
) -> Program:  # fmt: skip
    """Add rows that whole values keep and the linear relaxation breaks, round after round, each from the basis at hand.

    Parameters
    ----------
    program
        Rows and columns; whole columns count as divisible.
    costs
        Cost of each column: where it is least, rows are looked for.
    more_rows
        Returns rows that values break, or None.
    rounds
        Most rounds; they end sooner where no row is broken or the last rows hardly lifted anything.
    time_limit, seed
        As in :func:`solve`; what was added by then stands.

    Returns
    -------
    Program
        The same columns with more rows.

    Raises
    ------
    NoSolutionError
        If no values meet the rows.

    Examples
    --------
    >>> program = Program(np.zeros(1), np.full(1, 9.0), np.ones(1, bool), sparse.csr_matrix([[2.0]]), np.array([3.0]), np.array([np.inf]))
    >>> up = Rows(sparse.csr_matrix([[1.0]]), np.array([2.0]), np.array([np.inf]))
    >>> tightened(program, np.array([1.0]), lambda values: up if values[0] < 2 else None).row_lower.tolist()
    [3.0, 2.0]
    """
    limits = _Limits(0.0, {}, None, time.monotonic() + time_limit, seed)
    model, before = _highs(_as_linear(program), limits), -np.inf
    for _ in range(rounds):
        try:
            values, level, _, _ = _linear_level(model, "rows", np.asarray(costs, float))
        except StoppedError:
            break
        lifted = not np.isfinite(before) or level.objective > before + _WORTH * max(1.0, abs(before))
        found = more_rows(values) if level.status == "optimal" and lifted else None
        if found is None:
            break
        before, matrix = level.objective, found.matrix.tocsr()
        program = replace(
            program, matrix=sparse.vstack([program.matrix, matrix], format="csr"), row_lower=np.append(program.row_lower, found.lower),
            row_upper=np.append(program.row_upper, found.upper),
        )  # fmt: skip
        model.addRows(matrix.shape[0], found.lower, found.upper, matrix.nnz, matrix.indptr[:-1], matrix.indices, matrix.data)
    return program


def least_value(
    program: Program, costs: np.ndarray, *, known: float = np.inf, enough: float = np.inf, cuts: bool = True, time_limit: float = 300.0,
    seed: int = 0,
) -> float:  # fmt: skip
    """Bound an objective over whole values: the root of branch and bound with its cuts, nothing searched beyond.

    Parameters
    ----------
    program
        Rows and columns.
    costs
        Cost of each column.
    known
        What values that meet all rows come to.
    enough
        The bound that is asked for: the search ends once it is reached.
    cuts
        Whether to add cuts; else the linear relaxation counts.
    time_limit, seed
        As in :func:`solve`.

    Returns
    -------
    float
        No whole values come to less, at most ``known``; that of the linear relaxation where the solver contradicts what is known.

    Raises
    ------
    NoSolutionError
        If no values meet the rows, or the time was over before there was a bound.

    References
    ----------
    Balas, E., Ceria, S., & Cornuejols, G. (1996). Mixed 0-1 programming by lift-and-project in a branch-and-cut framework. Management Science, 42(9).

    Examples
    --------
    >>> program = Program(np.zeros(1), np.full(1, 9.0), np.ones(1, bool), sparse.csr_matrix([[2.0]]), np.array([3.0]), np.array([np.inf]))
    >>> least_value(program, np.array([1.0]), known=2.0)
    2.0
    """
    limits = _Limits(0.0, {}, 1, time.monotonic() + time_limit, seed)
    linear = replace(limits, nodes=None)
    # columns that cannot move would be copied again and again by the solver
    program, costs, apart = _movable(program, np.asarray(costs, float))
    known, enough = known - apart, enough - apart
    if not cuts:
        return apart + _linear_level(_highs(_as_linear(program), linear), "bound", costs)[1].bound
    model = _highs(program, limits)
    # only the bound is asked for; values a little above those at hand are left in, so that they tell a wrong answer
    cutoff = known + max(_ROOM * abs(known), _slip(known))
    options = {"mip_heuristic_effort": 0.0, "mip_allow_restart": False, **{f"mip_heuristic_run_{name}": False for name in _HEURISTICS}}
    for key, value in (options | ({"objective_bound": cutoff} if np.isfinite(cutoff) else {})).items():
        model.setOptionValue(key, value)
    model.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)
    _end_slow_rounds(model, known, enough)
    model.run()
    bound = float(model.getInfo().mip_dual_bound)
    if np.isfinite(bound) and not _contradicted(model, known) and bound <= known + _slip(known):
        return apart + bound
    return apart + _linear_level(_highs(_as_linear(program), linear), "bound", costs)[1].bound


def _movable(program: Program, costs: np.ndarray) -> tuple[Program, np.ndarray, float]:
    """Leave out the columns whose bounds meet; also return the costs of the others, and what those left out cost."""
    moves = program.upper > program.lower
    still = np.where(moves, 0.0, program.lower)
    given = program.matrix @ still
    left = replace(
        program, lower=program.lower[moves], upper=program.upper[moves], integer=program.integer[moves], matrix=program.matrix[:, moves].tocsr(),
        row_lower=program.row_lower - given, row_upper=program.row_upper - given,
    )  # fmt: skip
    return left, costs[moves], dot(costs, still)


def _end_slow_rounds(model: Any, known: float, enough: float) -> None:
    """Let the solver stop once the bound is enough or rounds of cuts hardly lift it; it asks after each of them, so this is counted work."""
    import highspy

    bounds: list[float] = []

    def look(_kind: Any, _text: str, now: Any, answer: Any, _data: Any) -> None:
        bound = float(now.mip_dual_bound)
        if np.isfinite(bound) and (not bounds or bound > bounds[-1] + _slip(bounds[-1])):
            bounds.append(bound)
        # the first is that of the linear relaxation
        best = max(bounds, default=-np.inf)
        lifts = np.diff(bounds[-_SLOW - 1 :]) if len(bounds) > _SLOW + 1 else np.full(1, np.inf)
        if best >= enough or (np.isfinite(known) and bool((lifts < _LIFT * (known - best)).all())):
            answer.user_interrupt = True

    model.setCallback(look, None)
    model.startCallback(highspy.cb.HighsCallbackType.kCallbackMipInterrupt)


def corners(program: Program, *, time_limit: float = 300.0, seed: int = 0) -> Callable[[np.ndarray], np.ndarray | None]:
    """Return a function that finds where an objective is least, for many objectives over the same rows and columns.

    Parameters
    ----------
    program
        Rows and columns; whole columns count as divisible.
    time_limit, seed
        As in :func:`solve`, for all objectives together.

    Returns
    -------
    Callable
        Takes the cost of each column, gives the values of the columns; None where no values meet all rows. Each search begins where
        the one before ended.

    Examples
    --------
    >>> program = Program(np.zeros(2), np.full(2, 9.0), np.zeros(2, bool), sparse.csr_matrix([[1.0, 1.0]]), np.array([3.0]), np.array([3.0]))
    >>> least = corners(program)
    >>> least(np.array([1.0, 0.0])).tolist(), least(np.array([-1.0, 0.0])).tolist()
    ([0.0, 3.0], [3.0, 0.0])
    """
    model = _highs(_as_linear(program), _Limits(0.0, {}, None, time.monotonic() + time_limit, seed))

    def least(costs: np.ndarray) -> np.ndarray | None:
        try:
            values, level, _, _ = _linear_level(model, "corner", np.asarray(costs, float))
        except InfeasibleError:
            return None
        if level.status != "optimal":
            raise StoppedError(f"corner: stopped by the {level.status}")
        # the basis at hand stays feasible whatever the costs
        model.setOptionValue("simplex_strategy", _PRIMAL)
        return values

    return least


def beside(objectives: Mapping[str, float], bounds: Mapping[str, float]) -> tuple[Level, ...]:
    """Put the levels of an answer beside those of a relaxation.

    Parameters
    ----------
    objectives
        Value of each level, the first one foremost.
    bounds
        Optimum of each level in the relaxation, each among the optima of those before it.

    Returns
    -------
    tuple of Level
        ``status``: ``optimal`` as long as the relaxation is reached; ``search`` of the first level that ends above it: what is possible lies
        between bound and value; ``relaxed`` of all after that: their bound is that of the relaxation, which has a better level before, and
        bounds no answer that is worse there.

    Examples
    --------
    >>> [(level.gap, level.status) for level in beside({"a": 2.0, "b": 5.0, "c": 7.0}, {"a": 2.0, "b": 4.0, "c": 9.0})]
    [(0.0, 'optimal'), (1.0, 'search'), (0.0, 'relaxed')]
    """
    out: list[Level] = []
    for name, value in objectives.items():
        bound = min(bounds[name], value)
        reached = value - bound <= _slip(value)
        exact = not out or out[-1].status == "optimal"
        out.append(Level(name, value, bound, value - bound, "relaxed" if not exact else "optimal" if reached else "search"))
    return tuple(out)


def choose_way(groups: np.ndarray, minutes: np.ndarray, limit: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Choose one way for each group: the first by rank that keeps its limit, else the quickest.

    Parameters
    ----------
    groups
        Number of the group of each way.
    minutes, limit
        Minutes of each way and its limit.
    rank
        Order of preference among the ways that keep their limit, smaller first.

    Returns
    -------
    numpy.ndarray
        Positions of the chosen ways, one per group, by rising group.

    Examples
    --------
    >>> choose_way(np.array([0, 0, 1, 1]), np.array([29.0, 9.0, 50.0, 45.0]), np.full(4, 30.0), np.array([0, 1, 0, 1])).tolist()
    [0, 3]
    """
    late = minutes > limit
    order = np.lexsort((rank, np.where(late, minutes, rank), late, groups))
    first = np.ones(len(order), bool)
    first[1:] = groups[order][1:] != groups[order][:-1]
    return order[first]


def sparse_rows(count: int, columns: int, *parts: tuple[np.ndarray, np.ndarray, np.ndarray | float]) -> sparse.csr_matrix:
    """Put together rows from parts of (row, column, value); equal places add up.

    Parameters
    ----------
    count, columns
        Rows and columns of the result.
    *parts
        Row numbers, column numbers and values (or one value for all).

    Returns
    -------
    scipy.sparse.csr_matrix
        The rows.

    Examples
    --------
    >>> sparse_rows(1, 3, (np.array([0, 0]), np.array([0, 2]), 5.0)).toarray().tolist()
    [[5.0, 0.0, 5.0]]
    """
    rows = np.concatenate([np.asarray(r, int) for r, _, _ in parts]) if parts else np.zeros(0, int)
    places = np.concatenate([np.asarray(c, int) for _, c, _ in parts]) if parts else np.zeros(0, int)
    values = np.concatenate([np.broadcast_to(np.asarray(v, float), len(r)) for r, _, v in parts]) if parts else np.zeros(0)
    return sparse.csr_matrix((values, (rows, places)), shape=(count, columns))


def _slip(value: float) -> float:
    return _SLIP * max(1.0, abs(value))


def _value(values: np.ndarray, costs: np.ndarray) -> float:
    return dot(values, costs)


def _as_linear(program: Program) -> Program:
    return replace(program, integer=np.zeros(len(program.lower), bool))


def _highs(program: Program, limits: _Limits) -> Any:
    import highspy

    # the inner class: the outer one prints a banner before it can be told not to
    model = getattr(highspy, "_Highs", highspy.Highs)()
    whole = bool(program.integer.any())
    options: dict[str, Any] = {"output_flag": False, "threads": 1, "parallel": "off", "random_seed": limits.seed}
    options["time_limit"] = max(limits.until - time.monotonic(), _LEAST_SECONDS)
    if limits.nodes is not None:
        options["mip_max_nodes" if whole else "simplex_iteration_limit"] = int(limits.nodes)
    if not whole:
        options["solver"] = "simplex"
    for key, value in options.items():
        model.setOptionValue(key, value)
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = program.matrix.shape
    lp.col_cost_ = np.zeros(lp.num_col_)
    lp.col_lower_, lp.col_upper_ = program.lower, program.upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = program.matrix.indptr, program.matrix.indices, program.matrix.data
    if whole:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[int(i)] for i in program.integer]
    if model.passModel(lp) == highspy.HighsStatus.kError:
        raise ValueError("the solver refused the program: a bound or a number of rows and columns is wrong")
    return model


def _linear_level(model: Any, name: str, costs: np.ndarray) -> tuple[np.ndarray, Level, np.ndarray, np.ndarray]:
    import highspy

    model.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)
    model.run()
    status = _status(model, name)
    found = model.getSolution()
    values, objective = np.array(found.col_value), float(model.getInfo().objective_function_value)
    if status != "optimal" and model.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        raise StoppedError(f"level {name}: stopped by the {status} before any solution was found")
    bound = objective if status == "optimal" else -np.inf
    return values, Level(name, objective, bound, objective - bound, status), np.array(found.col_dual), np.array(found.row_dual)


def _status(model: Any, name: str) -> str:
    import highspy

    kinds = highspy.HighsModelStatus
    status = model.getModelStatus()
    if status in (kinds.kOptimal, kinds.kModelEmpty):
        return "optimal"
    if status == kinds.kTimeLimit:
        return "time_limit"
    if status in (kinds.kSolutionLimit, kinds.kIterationLimit):
        return "work_limit"
    if status in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible, kinds.kObjectiveBound):
        raise InfeasibleError(f"level {name}: no values meet all rows")
    raise NoSolutionError(f"level {name}: the solver ended with {model.modelStatusToString(status)}")


def _whole_level(
    program: Program, costs: np.ndarray, start: np.ndarray | None, relaxed: np.ndarray, level: Level, limits: _Limits
) -> tuple[np.ndarray, Level]:
    """Solve one level with its whole columns; the linear relaxation already gave a bound."""
    import highspy

    absolute, relative = limits.absolute.get(level.name), max(limits.by_level.get(level.name, limits.relative), 0.0)
    within = absolute if absolute is not None else relative * abs(level.objective)
    for ready in (relaxed, start):
        # values at hand that are whole and as good as the bound allows need no search
        if ready is not None and _fits(program, ready) and _value(ready, costs) - level.bound <= within + _slip(level.objective):
            values = _rounded(program, ready)
            return values, replace(level, objective=_value(values, costs), gap=max(_value(values, costs) - level.bound, 0.0))
    ready = start if start is not None and _fits(program, start) else None
    known = np.inf if ready is None else _value(ready, costs)
    gap = absolute if absolute is not None else relative * abs(known)
    # in a large program only what is better by more than the gap is looked for: where there is nothing, that is the proof
    cutoff = known - max(gap, _slip(known)) if ready is not None and len(costs) > _LARGE else np.inf
    for presolve in ("choose", "off"):
        model = _highs(program, limits)
        model.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)
        model.setOptionValue("mip_rel_gap", 0.0 if absolute is not None else relative)
        model.setOptionValue("mip_abs_gap", absolute if absolute is not None else _SLIP)
        model.setOptionValue("presolve", presolve)
        if np.isfinite(cutoff):
            model.setOptionValue("objective_bound", cutoff)
        model.run()
        info = model.getInfo()
        # the solver's presolve now and then loses answers: values at hand that are better than what it calls the best contradict it
        if presolve == "off" or np.isfinite(cutoff) or not _contradicted(model, known):
            break
    try:
        status = _status(model, level.name)
    except InfeasibleError:
        if ready is None or not np.isfinite(cutoff):
            raise
        return _start_kept(program, ready, costs, level, cutoff, "optimal")
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        if ready is None:
            raise StoppedError(f"level {level.name}: stopped by the {status} before any solution was found")
        return _start_kept(program, ready, costs, level, min(float(info.mip_dual_bound), cutoff), status)
    values = _rounded(program, np.array(model.getSolution().col_value))
    objective = _value(values, costs)
    bound = min(max(float(info.mip_dual_bound), level.bound), objective, cutoff)
    return values, Level(level.name, objective, bound, objective - bound, status)


def _start_kept(program: Program, values: np.ndarray, costs: np.ndarray, level: Level, bound: float, status: str) -> tuple[np.ndarray, Level]:
    values = _rounded(program, values)
    objective = _value(values, costs)
    bound = min(max(bound, level.bound), objective)
    return values, replace(level, objective=objective, bound=bound, gap=objective - bound, status=status)


def _contradicted(model: Any, known: float) -> bool:
    """Say whether a value at hand is better than the optimum that a solver claims."""
    import highspy

    kinds, status = highspy.HighsModelStatus, model.getModelStatus()
    if status in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible):
        return bool(np.isfinite(known))
    return bool(status == kinds.kOptimal and float(model.getInfo().mip_dual_bound) > known + _slip(known))


def _rounded(program: Program, values: np.ndarray) -> np.ndarray:
    out = values.copy()
    out[program.integer] = np.round(out[program.integer])
    return out


def _fits(program: Program, values: np.ndarray) -> bool:
    whole = values[program.integer]
    if np.abs(whole - np.round(whole)).max(initial=0.0) > _WHOLE:
        return False
    rows = program.matrix @ values
    ends = [(program.row_lower - rows), (rows - program.row_upper), (program.lower - values), (values - program.upper)]
    return all(float(np.max(e, initial=0.0)) <= _WHOLE for e in ends)


def _on_face(program: Program, values: np.ndarray, reduced: np.ndarray, duals: np.ndarray) -> Program:
    lower, upper = program.lower.copy(), program.upper.copy()
    row_lower, row_upper = program.row_lower.copy(), program.row_upper.copy()
    at_lower, at_upper = reduced > _DUAL_TOLERANCE, reduced < -_DUAL_TOLERANCE
    upper[at_lower], lower[at_upper] = lower[at_lower], upper[at_upper]
    tight_low, tight_high = duals > _DUAL_TOLERANCE, duals < -_DUAL_TOLERANCE
    row_upper[tight_low], row_lower[tight_high] = row_lower[tight_low], row_upper[tight_high]
    return replace(program, lower=lower, upper=upper, row_lower=row_lower, row_upper=row_upper)


def _tighten(model: Any, before: Program, program: Program) -> None:
    """Set the bounds of the model that differ from those before."""
    columns = np.flatnonzero((before.lower != program.lower) | (before.upper != program.upper)).astype(np.int32)
    rows = np.flatnonzero((before.row_lower != program.row_lower) | (before.row_upper != program.row_upper)).astype(np.int32)
    model.changeColsBounds(len(columns), columns, program.lower[columns], program.upper[columns])
    model.changeRowsBounds(len(rows), rows, program.row_lower[rows], program.row_upper[rows])


def _held(program: Program, costs: np.ndarray, most: float) -> Program:
    row = sparse.csr_matrix(np.asarray(costs, float))
    return replace(
        program, matrix=sparse.vstack([program.matrix, row], format="csr"),
        row_lower=np.append(program.row_lower, -np.inf), row_upper=np.append(program.row_upper, most),
    )  # fmt: skip
