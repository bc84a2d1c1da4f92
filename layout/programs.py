"""Programs over places and flows, solved one objective after another, with a bound and a gap for each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from layout.solver import (
    LEAST_SECONDS,
    SLIP,
    InfeasibleError,
    Level,
    Limits,
    NoSolutionError,
    Program,
    Rows,
    Solution,
    StoppedError,
    add_rows,
    as_linear,
    contradicted,
    go_on,
    has_values,
    load,
    on_face,
    run_linear,
    slip,
    status_of,
    tighten,
)
from layout.sums import dot, products

# how many times as far as rounding error a level may slip where a search would find nothing otherwise
_LOOSE = 10.0
# what pays only in long searches
_LONG = ("mip_heuristic_run_rens", "mip_heuristic_run_root_reduced_cost", "mip_allow_restart")
# with so many levels to come, values good on all of them are looked for at once
_SOON = 2
# a program with more columns is large: its search begins below the values at hand
_LARGE = 5000
# a value this near a whole number is that number
_WHOLE = 1e-6

logger = logging.getLogger(__name__)


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
    limits = Limits(gap, absolute_gaps or {}, work_limit, time.monotonic() + time_limit, seed, relative_gaps or {})
    if not program.integer.any():
        return _linear(program, costs, replace(limits, relative=0.0), guess)[0]
    at_once = _leap(program, costs, limits)
    return at_once if at_once is not None else _level_by_level(program, costs, limits, start, frozenset(relaxed))


def _linear(program: Program, costs: Mapping[str, np.ndarray], limits: Limits, guess: np.ndarray | None = None) -> tuple[Solution, Program]:
    """Solve the levels of a linear program; the program returned is cut to the face of all levels but the last."""
    model, current, levels, prices = load(program, limits), program, [], []
    if guess is not None:
        run_linear(model, "guess", np.asarray(guess, float))
        go_on(model)
    for i, (name, cost) in enumerate(costs.items()):
        values, level, reduced, duals = run_linear(model, name, cost)
        levels.append(level)
        prices.append(duals)
        logger.debug("linear level %s: %s", name, level)
        if level.status != "optimal" or i == len(costs) - 1:
            break
        wider, current = current, on_face(current, values, reduced, duals)
        tighten(model, wider, current)
        # the basis stays feasible on the face, so the primal simplex goes on from it
        go_on(model)
    return Solution(values, tuple(levels), levels[-1].status, tuple(prices)), current


def _leap(program: Program, costs: Mapping[str, np.ndarray], limits: Limits) -> Solution | None:
    """Solve all levels with one search, where whole columns lose nothing on any level before the last.

    The relaxation bounds every level. If the face of its optima holds whole values, these reach the bound of each level
    before the last, and the last needs a search only among them.
    """
    relaxed, face = _linear(as_linear(program), costs, replace(limits, nodes=None))
    if relaxed.status != "optimal":
        return None
    face = replace(face, integer=program.integer)
    name, cost = list(costs.items())[-1]
    try:
        values, last = _whole_level(face, cost, None, relaxed.values, relaxed.levels[-1], limits)
    except NoSolutionError:
        return None
    found = [
        replace(level, objective=dot(values, costs[level.name]), gap=max(dot(values, costs[level.name]) - level.bound, 0.0))
        for level in relaxed.levels[:-1]
    ]  # fmt: skip
    if any(level.gap > slip(level.objective) for level in found):
        return None
    logger.debug("all levels at once, the last: %s", last)
    return Solution(values, (*found, replace(last, name=name)), last.status)


def _level_by_level(
    program: Program, costs: Mapping[str, np.ndarray], limits: Limits, start: np.ndarray | None, aside: frozenset[str] = frozenset()
) -> Solution:
    current, levels, values = program, [], start
    model = load(as_linear(program), replace(limits, nodes=None))
    # should rounding errors leave nothing on a face or below a row, the level before is held less tightly
    loose: Program | None = None
    for i, (name, cost) in enumerate(costs.items()):
        try:
            try:
                relaxed, level, reduced, duals = run_linear(model, name, cost)
                if name in aside and values is not None and _fits(current, values):
                    bound = min(level.bound, dot(values, cost))
                    level = Level(name, dot(values, cost), bound, dot(values, cost) - bound, "relaxed")
                else:
                    values, level = _whole_level(current, cost, values, relaxed, level, limits)
            except NoSolutionError:
                if loose is None or time.monotonic() >= limits.until:
                    raise
                current = loose
                model = load(as_linear(current), replace(limits, nodes=None))
                relaxed, level, reduced, duals = run_linear(model, name, cost)
                values, level = _whole_level(current, cost, values, relaxed, level, limits)
        except NoSolutionError:
            if i == 0 or values is None or time.monotonic() < limits.until:
                raise
            # out of time: the values of the levels before stand, with nothing proven about this one
            levels.append(Level(name, dot(values, cost), -np.inf, np.inf, "time_limit"))
            continue
        levels.append(level)
        logger.debug("level %s: %s", name, level)
        face = on_face(current, relaxed, reduced, duals)
        loose = _held(current, cost, level.objective + _LOOSE * slip(level.objective))
        # values on the face prove that whole columns lose nothing on this level
        if _fits(face, values):
            tighten(model, current, face)
            current = face
            continue
        values = _pinned(current, values, cost, dict(list(costs.items())[i + 1 :]), limits)
        current = _held(current, cost, level.objective + slip(level.objective))
        model = load(as_linear(current), replace(limits, nodes=None))
    statuses = [level.status for level in levels]
    status = next((s for s in ("time_limit", "work_limit") if s in statuses), "optimal")
    return Solution(_rounded(program, np.asarray(values)), tuple(levels), status)


def _pinned(program: Program, values: np.ndarray, cost: np.ndarray, later: Mapping[str, np.ndarray], limits: Limits) -> np.ndarray:
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
    costs, limits = first.costs, Limits(0.0, {}, None, time.monotonic() + time_limit, seed)
    count = first.matrix.shape[1]
    program = Program(np.zeros(count), np.full(count, np.inf), np.zeros(count, bool), first.matrix.tocsr(), row_lower, row_upper)
    model = load(program, limits)
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
                values, level, reduced, dual = run_linear(model, name, products(weight, costs))
                if level.status != "optimal":
                    raise NoSolutionError(f"level {name}: stopped by the {level.status}")
                # from now on the basis at hand stays feasible
                go_on(model)
                levels.append(level)
                duals.append(dual)
                if len(levels) < len(rows):
                    wider, current = current, on_face(current, values, reduced, dual)
                    tighten(model, wider, current)
            if len(rows) > 1:
                tighten(model, current, program)
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
    limits = Limits(0.0, {}, None, time.monotonic() + time_limit, seed)
    model, current = load(as_linear(program), limits), program
    for step in range(steps + 1):
        values, level, _, _ = run_linear(model, "rounding", np.asarray(cost, float))
        if level.status != "optimal":
            raise NoSolutionError(f"level rounding: stopped by the {level.status}")
        bound = fix(values) if step < steps else None
        if bound is None:
            break
        lower, upper = current.lower.copy(), current.upper.copy()
        lower[bound[0]], upper[bound[0]] = bound[1], bound[2]
        wider, current = current, replace(current, lower=lower, upper=upper)
        tighten(model, wider, current)
    return values


def search(
    program: Program, costs: np.ndarray, *, gap: float = 0.0, absolute_gap: float = SLIP, cutoff: float = np.inf, work_limit: int | None = None,
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
    limits = Limits(gap, {}, work_limit, time.monotonic() + time_limit, seed)
    ready = start if whole and start is not None and _fits(program, start) else None
    if ready is not None and more_rows is not None and more_rows(ready) is not None:
        ready = None
    if ready is not None:
        # only what is better by more than the gap is looked for: HiGHS 1.16 maps a start wrongly into some presolved programs
        value = dot(ready, costs)
        cutoff = min(cutoff, value - max(absolute_gap, gap * abs(value)))
    model = load(program, limits)
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
            if ready is not None and (rows is not None or level.objective >= dot(ready, costs)):
                return _kept(ready, costs, bound, level.status)
            if rows is not None:
                raise StoppedError(f"stopped by the {level.status} before any solution was found")
            bound = min(bound, level.objective)
            return Solution(values, (replace(level, bound=bound, gap=level.objective - bound),), level.status, (duals,))
        program = add_rows(model, program, rows)


def _kept(values: np.ndarray, costs: np.ndarray, bound: float, status: str) -> Solution:
    objective = dot(values, costs)
    return Solution(values, (Level("cost", objective, bound, objective - bound, status),), status)


def _prepare(model: Any, costs: np.ndarray, limits: Limits, absolute: float, cutoff: float, work: int | None) -> None:
    options: dict[str, Any] = {"time_limit": max(limits.until - time.monotonic(), LEAST_SECONDS)}
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
    if not whole:
        values, level, _, duals = run_linear(model, "cost", costs)
        return values, level, duals, 0
    model.run()
    status, info = status_of(model, "cost"), model.getInfo()
    if not has_values(model):
        raise StoppedError(f"stopped by the {status} before any solution was found")
    values = _rounded(program, np.array(model.getSolution().col_value)) + 0.0
    objective = dot(values, costs)
    bound = min(float(info.mip_dual_bound), objective)
    return values, Level("cost", objective, bound, objective - bound, status), np.zeros(0), max(int(info.mip_node_count), 0)


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
        reached = value - bound <= slip(value)
        exact = not out or out[-1].status == "optimal"
        out.append(Level(name, value, bound, value - bound, "relaxed" if not exact else "optimal" if reached else "search"))
    return tuple(out)


def _whole_level(
    program: Program, costs: np.ndarray, start: np.ndarray | None, relaxed: np.ndarray, level: Level, limits: Limits
) -> tuple[np.ndarray, Level]:
    """Solve one level with its whole columns; the linear relaxation already gave a bound."""
    absolute, relative = limits.absolute.get(level.name), max(limits.by_level.get(level.name, limits.relative), 0.0)
    within = absolute if absolute is not None else relative * abs(level.objective)
    for ready in (relaxed, start):
        # values at hand that are whole and as good as the bound allows need no search
        if ready is not None and _fits(program, ready) and dot(ready, costs) - level.bound <= within + slip(level.objective):
            values = _rounded(program, ready)
            return values, replace(level, objective=dot(values, costs), gap=max(dot(values, costs) - level.bound, 0.0))
    ready = start if start is not None and _fits(program, start) else None
    known = np.inf if ready is None else dot(ready, costs)
    gap = absolute if absolute is not None else relative * abs(known)
    # in a large program only what is better by more than the gap is looked for: where there is nothing, that is the proof
    cutoff = known - max(gap, slip(known)) if ready is not None and len(costs) > _LARGE else np.inf
    for presolve in ("choose", "off"):
        model = load(program, limits)
        model.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)
        model.setOptionValue("mip_rel_gap", 0.0 if absolute is not None else relative)
        model.setOptionValue("mip_abs_gap", absolute if absolute is not None else SLIP)
        model.setOptionValue("presolve", presolve)
        if np.isfinite(cutoff):
            model.setOptionValue("objective_bound", cutoff)
        model.run()
        info = model.getInfo()
        # the solver's presolve now and then loses answers: values at hand that are better than what it calls the best contradict it
        if presolve == "off" or np.isfinite(cutoff) or not contradicted(model, known):
            break
    try:
        status = status_of(model, level.name)
    except InfeasibleError:
        if ready is None or not np.isfinite(cutoff):
            raise
        return _start_kept(program, ready, costs, level, cutoff, "optimal")
    if not has_values(model):
        if ready is None:
            raise StoppedError(f"level {level.name}: stopped by the {status} before any solution was found")
        return _start_kept(program, ready, costs, level, min(float(info.mip_dual_bound), cutoff), status)
    values = _rounded(program, np.array(model.getSolution().col_value))
    objective = dot(values, costs)
    bound = min(max(float(info.mip_dual_bound), level.bound), objective, cutoff)
    return values, Level(level.name, objective, bound, objective - bound, status)


def _start_kept(program: Program, values: np.ndarray, costs: np.ndarray, level: Level, bound: float, status: str) -> tuple[np.ndarray, Level]:
    values = _rounded(program, values)
    objective = dot(values, costs)
    bound = min(max(bound, level.bound), objective)
    return values, replace(level, objective=objective, bound=bound, gap=objective - bound, status=status)


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


def _held(program: Program, costs: np.ndarray, most: float) -> Program:
    row = sparse.csr_matrix(np.asarray(costs, float))
    return replace(
        program, matrix=sparse.vstack([program.matrix, row], format="csr"),
        row_lower=np.append(program.row_lower, -np.inf), row_upper=np.append(program.row_upper, most),
    )  # fmt: skip
