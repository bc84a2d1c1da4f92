"""The linear relaxation of a program: priced, tightened by rows, bounding whole values, its corners."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from layout.solver import (
    InfeasibleError,
    Limits,
    Program,
    Rows,
    StoppedError,
    add_rows,
    as_linear,
    contradicted,
    go_on,
    load,
    on_face,
    run_linear,
    slip,
    tighten,
)
from layout.sums import dot

# how far above the values at hand, relative to them, a bound may search
_ROOM = 0.01
# what a search for a bound leaves out
_HEURISTICS = ("rins", "rens", "root_reduced_cost", "feasibility_jump")
# rounds of cuts end once so many in a row lift a bound by less than this share of what lies between it and the values at hand
_SLOW, _LIFT = 3, 0.006
# rows are looked for as long as the last ones lifted the relaxation by more than this share
_WORTH = 1e-4


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
    limits = Limits(0.0, {}, None, time.monotonic() + time_limit, seed)
    model, current, held, least = load(as_linear(program), limits), program, [], {}
    for i, (name, cost) in enumerate(objectives.items()):
        values, level, reduced, duals = run_linear(model, name, np.asarray(cost, float))
        if level.status != "optimal":
            raise StoppedError(f"level {name}: stopped by the {level.status}")
        if i == len(objectives) - 1:
            break
        least[name] = level.objective
        # from now on the basis at hand stays feasible
        go_on(model)
        if reached[name] - level.objective <= slip(reached[name]):
            wider, current = current, on_face(current, values, reduced, duals[: len(program.row_lower)])
            tighten(model, wider, current)
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
    limits = Limits(0.0, {}, None, time.monotonic() + time_limit, seed)
    model, before = load(as_linear(program), limits), -np.inf
    for _ in range(rounds):
        try:
            values, level, _, _ = run_linear(model, "rows", np.asarray(costs, float))
        except StoppedError:
            break
        lifted = not np.isfinite(before) or level.objective > before + _WORTH * max(1.0, abs(before))
        found = more_rows(values) if level.status == "optimal" and lifted else None
        if found is None:
            break
        before, program = level.objective, add_rows(model, program, found)
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
    limits = Limits(0.0, {}, 1, time.monotonic() + time_limit, seed)
    linear = replace(limits, nodes=None)
    # columns that cannot move would be copied again and again by the solver
    program, costs, apart = _movable(program, np.asarray(costs, float))
    known, enough = known - apart, enough - apart
    if not cuts:
        return apart + run_linear(load(as_linear(program), linear), "bound", costs)[1].bound
    model = load(program, limits)
    # only the bound is asked for; values a little above those at hand are left in, so that they tell a wrong answer
    cutoff = known + max(_ROOM * abs(known), slip(known))
    options = {"mip_heuristic_effort": 0.0, "mip_allow_restart": False, **{f"mip_heuristic_run_{name}": False for name in _HEURISTICS}}
    for key, value in (options | ({"objective_bound": cutoff} if np.isfinite(cutoff) else {})).items():
        model.setOptionValue(key, value)
    model.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)
    _end_slow_rounds(model, known, enough)
    model.run()
    bound = float(model.getInfo().mip_dual_bound)
    if np.isfinite(bound) and not contradicted(model, known) and bound <= known + slip(known):
        return apart + bound
    return apart + run_linear(load(as_linear(program), linear), "bound", costs)[1].bound


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
        if np.isfinite(bound) and (not bounds or bound > bounds[-1] + slip(bounds[-1])):
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
    model = load(as_linear(program), Limits(0.0, {}, None, time.monotonic() + time_limit, seed))

    def least(costs: np.ndarray) -> np.ndarray | None:
        try:
            values, level, _, _ = run_linear(model, "corner", np.asarray(costs, float))
        except InfeasibleError:
            return None
        if level.status != "optimal":
            raise StoppedError(f"corner: stopped by the {level.status}")
        # the basis at hand stays feasible whatever the costs
        go_on(model)
        return values

    return least
