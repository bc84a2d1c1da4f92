"""Where to open sites: p-median, fixed charge, p-centre and cover, with capacities, least loads and contiguity, and a bound for each."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from layout.ascents import first_set, round_up
from layout.branching import branch
from layout.covering import cover, least_radius, nearest_answer
from layout.divided import divide
from layout.lagrange import first_prices, prove, raise_bound
from layout.location_case import Answer, Case, Limits, Proof, Request, case_of, exclude, read_request
from layout.location_families import contradictions, explain
from layout.location_rows import answer_of, program_of, solve_rows
from layout.neighbourhoods import favoured, search_pairs
from layout.solver import NoSolutionError, StoppedError
from layout.swaps import improve, transport

# rounds of the ascent before a program with further rows, pairs above which that is solved among some pairs first
_ROUNDS, _PAIRS = 600, 2000
# a gap larger than what was asked for by less than this is rounding error
_ROUNDING = 1e-12

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Location:
    """Which sites to open, who uses them, and how sure that is.

    Parameters
    ----------
    open
        Ids of the open sites, sorted.
    assignment
        Table demand_id, site_id, share (key: demand_id, site_id); the shares of a demand add up to 1, a demand that is not covered
        has no row.
    objective
        Total cost with fixed costs, greatest cost, load covered, or cost (number) of the sites that cover all.
    bound
        What no answer can be better than: at most the objective, for the load covered at least.
    gap
        Their difference relative to the objective.
    status
        ``optimal`` (gap within what was asked for), ``work_limit`` or ``time_limit``.
    others
        Further answers with other open sets, each the best without the sets before it.
    """

    open: tuple
    assignment: pd.DataFrame
    objective: float
    bound: float
    gap: float
    status: str
    others: tuple[Location, ...] = ()


def locate(
    costs: pd.DataFrame | np.ndarray, *, weight: Any = None, load: Any = None, capacity: Any = None, min_load: Any = None, fixed_cost: Any = None,
    count: int | None = None, single_source: bool = False, must_open: Iterable = (), must_close: Iterable = (), adjacency: Any = None,
    limit: float | None = None, solutions: int = 1, objective: str = "total", gap: float = 1e-4, work_limit: int | None = None,
    time_limit: float = 300, seed: int = 0,
) -> Location:  # fmt: skip
    """Choose the sites to open and assign every demand to them.

    Parameters
    ----------
    costs
        Demands x sites: a frame with their ids, or an array (ids are positions); not finite where forbidden.
    weight, load
        Of the demands; ``weight`` multiplies the cost (default 1), ``load`` counts against capacities (default: weight). A number for
        all, a Series or mapping by id, or an array in the order of the costs.
    capacity, min_load, fixed_cost
        Of the sites, given likewise: most load, least load of a site that is open, cost of opening it.
    count
        Sites to open, exactly; None for any number.
    single_source
        Every demand uses one site; without it capacities may divide a demand.
    must_open, must_close
        Ids of sites that are open, or closed, in any case.
    adjacency
        Pairs of demands that touch, as a table of two columns, pairs, or a graph: every site's area is then in one piece, and demands
        are whole.
    limit
        Costs above it are forbidden; for ``cover`` what counts as reached. It is compared before the weight.
    solutions
        How many answers with different open sets, best first.
    objective
        ``total`` (p-median with ``count``, fixed charge with ``fixed_cost``, both, with capacities or without); ``max`` (p-centre: the
        greatest weighted cost, needs ``count``); ``cover`` (needs ``limit``: with ``count`` the most load within it, without the fewest or
        cheapest sites that reach all).
    gap
        Relative gap at which a search may stop.
    work_limit
        Most nodes of a search: counted work, so the answer does not depend on the machine.
    time_limit
        Seconds, a guard only: ``status`` says when it ended the search, and the answer may then differ elsewhere.
    seed
        Of the solver.

    Returns
    -------
    Location
        Open sites, assignment, objective, bound, gap and status. Among equal answers the one found first, the same on every run; for
        ``max`` and ``cover`` without capacities demands use the nearest open site.

    Raises
    ------
    ValueError
        With every fault of the input.
    NoSolutionError
        If nothing is feasible; it names the families of constraints that make it so: count, capacity, limit, min_load, forbidden pairs,
        must_open, must_close, single_source, adjacency.
    StoppedError
        If a limit came before any answer.

    References
    ----------
    Objective: min sum_ij w_i c_ij x_ij + sum_j f_j y_j subject to (1) sum_j x_ij = 1, (2) x_ij <= y_j, (3) sum_i load_i x_ij <=
    capacity_j y_j, (4) sum_i load_i x_ij >= min_load_j y_j, (5) sum_j y_j = count, (6) x_ij = 0 where c_ij is not finite or above the limit,
    (7) y_j = 1 or 0 for must_open and must_close, (8) x_ij whole for ``single_source``, (9) for each j the demands with x_ij = 1 are
    connected; y_j whole. ``max`` minimises the greatest w_i c_ij with x_ij > 0, ``cover`` the load not within the limit.
    Daskin, M. S. (2013). Network and Discrete Location, 2nd ed.

    Examples
    --------
    >>> costs = pd.DataFrame([[0.0, 9, 4], [9, 0, 4], [9, 9, 0]], index=list("abc"), columns=["north", "south", "middle"])
    >>> found = locate(costs, count=2)
    >>> found.open, found.objective, found.status
    (('middle', 'north'), 4.0, 'optimal')
    >>> found.assignment.to_numpy().tolist()
    [['a', 'north', 1.0], ['b', 'middle', 1.0], ['c', 'middle', 1.0]]
    """
    request = read_request(
        costs, weight=weight, load=load, capacity=capacity, min_load=min_load, fixed_cost=fixed_cost, count=count, single_source=single_source,
        must_open=must_open, must_close=must_close, adjacency=adjacency, limit=limit, objective=objective, solutions=solutions, gap=gap,
        work_limit=work_limit, time_limit=time_limit, seed=seed,
    )  # fmt: skip
    against = contradictions(request)
    if against:
        raise NoSolutionError("nothing is feasible:\n- " + "\n- ".join(against))
    limits = Limits(float(gap), work_limit, time.monotonic() + time_limit, int(seed))
    case, found = case_of(request), list[Location]()
    for _ in range(solutions):
        try:
            proof = _solve(request, case, limits)
        except StoppedError:
            if not found:
                raise
            break
        except NoSolutionError:
            if not found:
                raise NoSolutionError(explain(request, limits)) from None
            break
        if proof.answer is None:
            if found:
                break
            if proof.status != "optimal":
                raise StoppedError(f"stopped by the {proof.status} before any solution was found")
            raise NoSolutionError(explain(request, limits))
        found.append(_location(request, case, proof.answer, proof, limits))
        case = exclude(case, proof.answer.opened)
    return replace(found[0], others=tuple(found[1:]))


def _solve(request: Request, case: Case, limits: Limits) -> Proof:
    alone = not case.limited and not case.least.any() and case.neighbours is None
    if request.objective == "max":
        # a good total is a fair first radius
        near = improve(case, first_set(case)) if alone and not len(case.excluded) else None
        first = None if near is None else replace(near, value=float(case.cost[near.sites, near.units].max(initial=0.0)))
        return least_radius(case, limits, first=first)
    if request.objective == "cover" and alone:
        return cover(case, limits)
    if not case.plain:
        return _by_rows(case, limits)
    return divide(case, limits) if case.limited and not case.whole else branch(case, limits)


def _by_rows(case: Case, limits: Limits) -> Proof:
    """Solve a program with further rows: first among the pairs that prices favour, then among all that may still be better."""
    kept, bound, best = np.isfinite(case.cost), -np.inf, None
    if case.charge is None:
        dual = raise_bound(case, first_prices(case), float(case.cost[kept].sum() + case.fixed.sum()) / len(case.cost), rounds=_ROUNDS)
        opened, _, used = prove(case, dual.prices)
        if case.least.any() and not case.whole:
            # a least load may be met with a part of a unit
            used = np.where(kept, opened[:, None], np.inf)
        elif kept.sum() > _PAIRS:
            best = search_pairs(case, None, favoured(case, used, _PAIRS), limits)
        bound = dual.bound
        if best is not None:
            kept &= used < best.value
    columns = program_of(case, kept)
    mends: list[Answer] = [] if best is None else [best]
    try:
        solution = solve_rows(case, columns, limits, start=best, mends=mends)
    except NoSolutionError as none:
        best = min(mends, key=lambda a: a.value, default=None)
        if best is None:
            raise
        if not isinstance(none, StoppedError):
            return Proof(best, best.value, "optimal")
        return Proof(best, min(bound, best.value), "time_limit" if time.monotonic() > limits.until else "work_limit")
    answer = min([answer_of(case, columns, solution.values), *mends], key=lambda a: a.value)
    bound = min(max(bound, solution.levels[0].bound), answer.value)
    return Proof(answer, round_up(bound, case.step, answer.value), solution.status)


def _location(request: Request, case: Case, answer: Answer, proof: Proof, limits: Limits) -> Location:
    answer = _nearer(request, case, answer)
    objective, bound = answer.value, proof.bound
    if case.charge is not None:
        # what is not covered was least: what is covered is most
        objective, bound = float(case.charge.sum()) - objective, float(case.charge.sum()) - bound
    gap = abs(objective - bound) / abs(objective) if objective else (0.0 if bound == 0 else np.inf)
    sites = case.sites[answer.sites]
    order = np.lexsort((sites, answer.units))
    assignment = pd.DataFrame({
        "demand_id": request.unit_ids[answer.units[order]], "site_id": request.site_ids[sites[order]], "share": answer.shares[order],
    })  # fmt: skip
    status = "optimal" if gap <= limits.gap + _ROUNDING else proof.status
    logger.debug("%s: %s, bound %s, %s", request.objective, objective, bound, status)
    return Location(tuple(request.site_ids[case.sites[answer.opened]].tolist()), assignment, objective, bound, gap, status)


def _nearer(request: Request, case: Case, answer: Answer) -> Answer:
    """Let demands use the nearest open site where the objective does not say which: the greatest cost, and cover."""
    if request.objective == "total" or case.least.any() or case.neighbours is not None:
        return answer
    if not case.limited:
        cost = request.costs[:, case.sites].T
        return replace(nearest_answer(case, answer.opened, cost), value=answer.value)
    if request.objective == "max" and not case.whole:
        near = replace(case, cost=np.where(case.cost <= answer.value, case.cost, np.inf), excluded=case.excluded[:0])
        found = transport(near, answer.opened)
        return answer if found is None else replace(found, opened=answer.opened, value=answer.value)
    return answer
