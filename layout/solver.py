"""What HiGHS is told and asked: programs, limits, one run, and what it answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import sparse

# a dual or reduced cost larger than this counts as not zero; HiGHS works to 1e-7
_DUAL_TOLERANCE = 1e-6
#: how far a level may slip, relative to its value, when a later one is solved: rounding error only
SLIP = 1e-6
#: the solver is given this long at least, so that it can say that it was stopped
LEAST_SECONDS = 0.01
# number of the primal simplex among the strategies of HiGHS
_PRIMAL = 4


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
class Limits:
    """Where a search may stop: gaps, for all levels and by level, nodes or steps, and ``until`` on the clock of time.monotonic."""

    relative: float
    absolute: Mapping[str, float]
    nodes: int | None
    until: float
    seed: int
    by_level: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """Rows to be added to a program: their entries (rows x columns) and bounds."""

    matrix: sparse.csr_matrix
    lower: np.ndarray
    upper: np.ndarray


class NoSolutionError(ValueError):
    """No values meet the rows, or none was found before a limit; the message says which."""


class InfeasibleError(NoSolutionError):
    """No values meet the rows, or none cost less than was asked for."""


class StoppedError(NoSolutionError):
    """A limit ended the search before any values were found; there may be some."""


def load(program: Program, limits: Limits) -> Any:
    """Hand a program to HiGHS, with one thread, a seed and the limits; it says nothing by itself.

    Parameters
    ----------
    program
        Rows and columns.
    limits
        Where to stop: nodes of a program with whole columns, else steps of the simplex, and seconds.

    Returns
    -------
    highspy._Highs
        Costs are yet to be set.

    Raises
    ------
    ValueError
        If the solver refuses the program.

    Examples
    --------
    >>> program = Program(np.zeros(1), np.ones(1), np.zeros(1, bool), sparse.csr_matrix([[1.0]]), np.array([0.5]), np.array([np.inf]))
    >>> run_linear(load(program, Limits(0.0, {}, None, time.monotonic() + 9, 0)), "least", np.ones(1))[0].tolist()
    [0.5]
    """
    import highspy

    # the inner class: the outer one prints a banner before it can be told not to
    model = getattr(highspy, "_Highs", highspy.Highs)()
    whole = bool(program.integer.any())
    options: dict[str, Any] = {"output_flag": False, "threads": 1, "parallel": "off", "random_seed": limits.seed}
    options["time_limit"] = max(limits.until - time.monotonic(), LEAST_SECONDS)
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


def go_on(model: Any) -> None:
    """Let the next run go on from the basis at hand, which stays feasible where only costs change or a face is kept to.

    Parameters
    ----------
    model
        From :func:`load`; changed.

    Examples
    --------
    >>> program = Program(np.zeros(1), np.ones(1), np.zeros(1, bool), sparse.csr_matrix([[1.0]]), np.array([0.5]), np.array([9.0]))
    >>> model = load(program, Limits(0.0, {}, None, time.monotonic() + 9, 0))
    >>> _ = run_linear(model, "least", np.ones(1))
    >>> go_on(model)
    >>> run_linear(model, "most", -np.ones(1))[0].tolist()
    [1.0]
    """
    model.setOptionValue("simplex_strategy", _PRIMAL)


def run_linear(model: Any, name: str, costs: np.ndarray) -> tuple[np.ndarray, Level, np.ndarray, np.ndarray]:
    """Solve a linear program for one objective, from the basis at hand where there is one.

    Parameters
    ----------
    model
        From :func:`load`.
    name
        Of the level, for what is reported.
    costs
        Of each column.

    Returns
    -------
    tuple
        Values of the columns, the level, reduced costs of the columns, duals of the rows.

    Raises
    ------
    InfeasibleError
        If no values meet all rows.
    StoppedError
        If a limit ended it before there were any values.

    Examples
    --------
    >>> program = Program(np.zeros(1), np.ones(1), np.zeros(1, bool), sparse.csr_matrix([[2.0]]), np.array([1.0]), np.array([np.inf]))
    >>> _, level, _, duals = run_linear(load(program, Limits(0.0, {}, None, time.monotonic() + 9, 0)), "least", np.ones(1))
    >>> level.objective, duals.tolist()
    (0.5, [0.5])
    """
    model.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)
    model.run()
    status = status_of(model, name)
    found = model.getSolution()
    values, objective = np.array(found.col_value), float(model.getInfo().objective_function_value)
    if status != "optimal" and not has_values(model):
        raise StoppedError(f"level {name}: stopped by the {status} before any solution was found")
    bound = objective if status == "optimal" else -np.inf
    return values, Level(name, objective, bound, objective - bound, status), np.array(found.col_dual), np.array(found.row_dual)


def status_of(model: Any, name: str) -> str:
    """Say what ended a run of the solver.

    Parameters
    ----------
    model, name
        After a run; the name of the level.

    Returns
    -------
    str
        ``optimal``, ``time_limit`` or ``work_limit``.

    Raises
    ------
    InfeasibleError
        If no values meet all rows, or none below the cutoff.
    NoSolutionError
        If the solver failed.

    Examples
    --------
    >>> program = Program(np.zeros(1), np.ones(1), np.zeros(1, bool), sparse.csr_matrix([[1.0]]), np.array([2.0]), np.array([np.inf]))
    >>> model = load(program, Limits(0.0, {}, None, time.monotonic() + 9, 0))
    >>> _ = model.run()
    >>> status_of(model, "least")
    Traceback (most recent call last):
    ...
    layout.solver.InfeasibleError: level least: no values meet all rows
    """
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


def has_values(model: Any) -> bool:
    """Say whether a run left values that meet all rows.

    Parameters
    ----------
    model
        After a run.

    Returns
    -------
    bool
        False where there are none, or none were found.

    Examples
    --------
    >>> program = Program(np.zeros(1), np.ones(1), np.zeros(1, bool), sparse.csr_matrix([[1.0]]), np.array([0.5]), np.array([9.0]))
    >>> model = load(program, Limits(0.0, {}, None, time.monotonic() + 9, 0))
    >>> _ = run_linear(model, "least", np.ones(1))
    >>> has_values(model)
    True
    """
    import highspy

    return bool(model.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible)


def contradicted(model: Any, known: float) -> bool:
    """Say whether values at hand are better than the optimum that the solver claims, or exist although it knows of none.

    Parameters
    ----------
    model
        After a run with whole columns.
    known
        What values that meet all rows come to; infinite where there are none.

    Returns
    -------
    bool
        True: its answer is wrong.

    Examples
    --------
    >>> program = Program(np.zeros(1), np.ones(1), np.ones(1, bool), sparse.csr_matrix([[1.0]]), np.array([2.0]), np.array([np.inf]))
    >>> model = load(program, Limits(0.0, {}, None, time.monotonic() + 9, 0))
    >>> _ = model.run()
    >>> contradicted(model, np.inf), contradicted(model, 1.0)
    (False, True)
    """
    import highspy

    kinds, status = highspy.HighsModelStatus, model.getModelStatus()
    if status in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible):
        return bool(np.isfinite(known))
    return bool(status == kinds.kOptimal and float(model.getInfo().mip_dual_bound) > known + slip(known))


def on_face(program: Program, values: np.ndarray, reduced: np.ndarray, duals: np.ndarray) -> Program:
    """Keep to the values that are as good as an optimum, by complementary slackness.

    Parameters
    ----------
    program, values
        A linear program and its optimum.
    reduced, duals
        Reduced costs of its columns and duals of its rows there.

    Returns
    -------
    Program
        Columns with a reduced cost and rows with a dual stay at their bounds.

    Examples
    --------
    >>> program = Program(np.zeros(2), np.ones(2), np.zeros(2, bool), sparse.csr_matrix([[1.0, 1.0]]), np.array([1.0]), np.array([9.0]))
    >>> face = on_face(program, np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([1.0]))
    >>> face.upper.tolist(), face.row_upper.tolist()
    ([1.0, 0.0], [1.0])
    """
    lower, upper = program.lower.copy(), program.upper.copy()
    row_lower, row_upper = program.row_lower.copy(), program.row_upper.copy()
    at_lower, at_upper = reduced > _DUAL_TOLERANCE, reduced < -_DUAL_TOLERANCE
    upper[at_lower], lower[at_upper] = lower[at_lower], upper[at_upper]
    tight_low, tight_high = duals > _DUAL_TOLERANCE, duals < -_DUAL_TOLERANCE
    row_upper[tight_low], row_lower[tight_high] = row_lower[tight_low], row_upper[tight_high]
    return replace(program, lower=lower, upper=upper, row_lower=row_lower, row_upper=row_upper)


def tighten(model: Any, before: Program, program: Program) -> None:
    """Set the bounds of a loaded program that differ from those before.

    Parameters
    ----------
    model
        From :func:`load`; changed.
    before, program
        The same rows and columns with the bounds the model has and with those it is to have.

    Examples
    --------
    >>> program = Program(np.zeros(1), np.ones(1), np.zeros(1, bool), sparse.csr_matrix([[1.0]]), np.array([-9.0]), np.array([9.0]))
    >>> model = load(program, Limits(0.0, {}, None, time.monotonic() + 9, 0))
    >>> tighten(model, program, replace(program, lower=np.array([0.5])))
    >>> run_linear(model, "least", np.ones(1))[0].tolist()
    [0.5]
    """
    columns = np.flatnonzero((before.lower != program.lower) | (before.upper != program.upper)).astype(np.int32)
    rows = np.flatnonzero((before.row_lower != program.row_lower) | (before.row_upper != program.row_upper)).astype(np.int32)
    model.changeColsBounds(len(columns), columns, program.lower[columns], program.upper[columns])
    model.changeRowsBounds(len(rows), rows, program.row_lower[rows], program.row_upper[rows])


def add_rows(model: Any, program: Program, rows: Rows) -> Program:
    """Add rows to a loaded program and to what it was loaded from.

    Parameters
    ----------
    model
        From :func:`load`; changed.
    program
        What the model holds.
    rows
        To be added at the end.

    Returns
    -------
    Program
        With the rows.

    Examples
    --------
    >>> program = Program(np.zeros(1), np.full(1, 9.0), np.zeros(1, bool), sparse.csr_matrix([[1.0]]), np.array([0.5]), np.array([np.inf]))
    >>> model = load(program, Limits(0.0, {}, None, time.monotonic() + 9, 0))
    >>> program = add_rows(model, program, Rows(sparse.csr_matrix([[2.0]]), np.array([3.0]), np.array([np.inf])))
    >>> run_linear(model, "least", np.ones(1))[0].tolist(), program.row_lower.tolist()
    ([1.5], [0.5, 3.0])
    """
    matrix = rows.matrix.tocsr()
    begins, places = matrix.indptr[:-1].astype(np.int32), matrix.indices.astype(np.int32)
    model.addRows(matrix.shape[0], rows.lower, rows.upper, matrix.nnz, begins, places, matrix.data)
    return replace(
        program, matrix=sparse.vstack([program.matrix, matrix], format="csr"), row_lower=np.append(program.row_lower, rows.lower),
        row_upper=np.append(program.row_upper, rows.upper),
    )  # fmt: skip


def as_linear(program: Program) -> Program:
    """Return a program with its whole columns divisible.

    Parameters
    ----------
    program
        Rows and columns.

    Returns
    -------
    Program
        Its linear relaxation.

    Examples
    --------
    >>> program = Program(np.zeros(1), np.ones(1), np.ones(1, bool), sparse.csr_matrix([[1.0]]), np.array([0.5]), np.array([9.0]))
    >>> as_linear(program).integer.tolist()
    [False]
    """
    return replace(program, integer=np.zeros(len(program.lower), bool))


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


def slip(value: float) -> float:
    """Return how far a value may lie from another and count as the same.

    Parameters
    ----------
    value
        Of a level.

    Returns
    -------
    float
        Rounding error of the solver.

    Examples
    --------
    >>> slip(0.0), slip(2e6)
    (1e-06, 2.0)
    """
    return SLIP * max(1.0, abs(value))
