"""The compiled inner parts of facility location: Lagrangian bounds, interchange of sites, moves of whole units.

Importing this module imports numba, so others import it inside functions only. Costs are sites x units, not finite where forbidden.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# how units may use a site: without a limit, in parts up to its capacity, each unit whole up to its capacity
FREE, PARTS, WHOLE = 0, 1, 2
# a knapsack that takes more steps than this is bounded by its relaxation
_STEPS = 4000
_LEAST = 1e-12


@njit(cache=True, nogil=True)
def pack(profit: np.ndarray, weight: np.ndarray, room: float, taken: np.ndarray) -> tuple[float, float]:
    """Choose items of the most profit within a room; return that profit and a bound of it.

    Parameters
    ----------
    profit, weight
        Of the items, by falling profit a unit of weight; both above zero.
    room
        Most weight.
    taken
        Set to what is chosen.

    Returns
    -------
    tuple of float
        Profit of the items taken and an upper bound, equal unless the search was cut short.

    References
    ----------
    Horowitz, E., & Sahni, S. (1974). Computing partitions with applications to the knapsack problem. Journal of the ACM, 21(2).

    Examples
    --------
    >>> taken = np.zeros(3, np.bool_)
    >>> pack(np.array([6.0, 5.0, 4.0]), np.array([3.0, 3.0, 3.0]), 7.0, taken), taken.tolist()
    ((11.0, 11.0), [True, True, False])
    """
    n = len(profit)
    current = np.zeros(n, np.bool_)
    taken[:] = False
    best, value, left, j, steps = 0.0, 0.0, room, 0, 0
    root = -1.0
    while True:
        # greedily onwards while the relaxation promises more than the best
        while j <= n:
            bound, space, t = value, left, j
            while t < n and weight[t] <= space:
                bound += profit[t]
                space -= weight[t]
                t += 1
            steps += t - j + 1
            whole = bound
            if t < n:
                bound += space * profit[t] / weight[t]
            if root < 0:
                root = bound
            if bound <= best * (1 + _LEAST) + _LEAST:
                break
            for k in range(j, t):
                current[k] = True
            value, left, j = whole, space, t + 1
            if value > best:
                best = value
                for k in range(n):
                    taken[k] = current[k] if k < t else False
        if steps > _STEPS:
            return best, max(root, best)
        # back to the last item taken, and on without it
        i = min(j, n) - 1
        while i >= 0 and not current[i]:
            i -= 1
        if i < 0:
            return best, best
        current[i] = False
        value -= profit[i]
        left += weight[i]
        j = i + 1


@njit(cache=True, nogil=True)
def _site(cost, load, room, way, prices, gain, order, uses):
    """Return the least cost of a site at the prices of the units, at most zero, and set which share of each unit it takes."""
    n = len(load)
    uses[:] = 0.0
    value, full = 0.0, 0.0
    many = 0
    for i in range(n):
        g = prices[i] - cost[i]
        if g > 0:
            if way == FREE or load[i] <= 0:
                value -= g
                uses[i] = 1.0
            elif way == PARTS or load[i] <= room:
                gain[many] = g
                order[many] = i
                many += 1
                full += load[i]
    if way == FREE or many == 0:
        return value
    if full <= room:
        for k in range(many):
            value -= gain[k]
            uses[order[k]] = 1.0
        return value
    ratio = np.empty(many)
    for k in range(many):
        ratio[k] = -gain[k] / load[order[k]]
    by = np.argsort(ratio, kind="mergesort")
    if way == PARTS:
        left = room
        for k in by:
            i = order[k]
            share = min(1.0, left / load[i])
            if share <= 0:
                break
            uses[i] = share
            value -= share * gain[k]
            left -= share * load[i]
        return value
    profit, weight, taken = np.empty(many), np.empty(many), np.zeros(many, np.bool_)
    for k in range(many):
        profit[k], weight[k] = gain[by[k]], load[order[by[k]]]
    _, most = pack(profit, weight, room, taken)
    for k in range(many):
        if taken[k]:
            uses[order[by[k]]] = 1.0
    return value - most


@njit(cache=True, nogil=True)
def _select(net, must, capacity, count, need, chosen):
    """Choose the sites of least net cost: a count of them, or any number that carries the need; return a lower bound."""
    m = len(net)
    value = 0.0
    if count >= 0:
        order = np.argsort(net, kind="mergesort")
        left = count
        for j in range(m):
            chosen[j] = must[j]
            if must[j]:
                left -= 1
                value += net[j]
        for j in order:
            if left > 0 and not must[j]:
                chosen[j] = True
                value += net[j]
                left -= 1
        return value
    room, many = -need, 0
    for j in range(m):
        chosen[j] = True
        value += net[j]
        room += min(capacity[j], max(need, 0.0))
        if not must[j] and net[j] > 0:
            many += 1
    if many == 0:
        return value
    items, ratio = np.empty(many, np.int64), np.empty(many)
    k = 0
    for j in range(m):
        if not must[j] and net[j] > 0:
            items[k] = j
            ratio[k] = -net[j] / max(min(capacity[j], need), _LEAST) if need > 0 else 0.0
            k += 1
    if need <= 0:
        for j in items:
            chosen[j] = False
            value -= net[j]
        return value
    by = np.argsort(ratio, kind="mergesort")
    profit, weight, taken = np.empty(many), np.empty(many), np.zeros(many, np.bool_)
    for k in range(many):
        j = items[by[k]]
        profit[k], weight[k] = net[j], max(min(capacity[j], need), _LEAST)
    _, most = pack(profit, weight, max(room, 0.0), taken)
    for k in range(many):
        if taken[k]:
            chosen[items[by[k]]] = False
    return value - most


@njit(cache=True, nogil=True)
def relax(cost, fixed, load, capacity, must, way, count, need, prices, net, chosen, served):
    """Bound the least total cost at given prices of the units.

    Parameters
    ----------
    cost
        Sites x units.
    fixed, capacity, must
        Of the sites.
    load
        Of the units.
    way
        ``FREE``, ``PARTS`` or ``WHOLE``.
    count
        Sites to open, -1 for any number.
    need
        Load that the open sites must be able to carry, 0 for none.
    prices
        What serving each unit is worth.
    net, chosen, served
        Set to the net cost of each site, which sites are chosen, and how often each unit is served.

    Returns
    -------
    float
        The bound.

    Examples
    --------
    >>> net, chosen, served = np.zeros(2), np.zeros(2, np.bool_), np.zeros(1)
    >>> relax(np.array([[1.0], [4.0]]), np.zeros(2), np.ones(1), np.ones(2), chosen.copy(), FREE, 1, 0.0, np.array([4.0]), net, chosen, served)
    1.0
    """
    m, n = cost.shape
    gain, order, uses = np.empty(n), np.empty(n, np.int64), np.empty((m, n))
    for j in range(m):
        net[j] = fixed[j] + _site(cost[j], load, capacity[j], way, prices, gain, order, uses[j])
    value = _select(net, must, capacity, count, need, chosen) + prices.sum()
    served[:] = 0.0
    for j in range(m):
        if chosen[j]:
            served += uses[j]
    return value


@njit(cache=True, nogil=True)
def ascend(cost, fixed, load, capacity, must, way, count, need, prices, target, pace, patience, rounds, target_bound):
    """Raise the Lagrangian bound by subgradients with deflection; return bound, prices, sites chosen at the best, pace, rounds done.

    Parameters
    ----------
    cost, fixed, load, capacity, must, way, count, need
        As in :func:`relax`.
    prices
        Where to begin.
    target
        A value the bound is hoped to reach, such as that of a known solution.
    pace
        Factor of the step, at most 2; halved after ``patience`` rounds without a better bound.
    patience, rounds
        Rounds until the pace is halved, and all rounds.
    target_bound
        Bound that is good enough to stop.

    Returns
    -------
    tuple
        Bound, prices, chosen sites at the best prices, at the last prices, pace, rounds done.

    References
    ----------
    Held, M., Wolfe, P., & Crowder, H. (1974). Validation of subgradient optimization. Mathematical Programming, 6.
    Camerini, P., Fratta, L., & Maffioli, F. (1975). On improving relaxation methods by modified gradient techniques.
    Mathematical Programming Study, 3.

    Examples
    --------
    >>> cost = np.array([[1.0, 4.0], [4.0, 1.0]])
    >>> none, ones = np.zeros(2, np.bool_), np.ones(2)
    >>> float(round(ascend(cost, np.zeros(2), ones, ones, none, FREE, 1, 0.0, np.zeros(2), 5.0, 1.0, 10, 200, 5.0)[0], 3))
    5.0
    """
    m, n = cost.shape
    net, chosen, served = np.empty(m), np.zeros(m, np.bool_), np.empty(n)
    best, best_prices, best_chosen = -np.inf, prices.copy(), np.zeros(m, np.bool_)
    here, direction = prices.copy(), np.zeros(n)
    stale, done = 0, 0
    for _ in range(rounds):
        done += 1
        value = relax(cost, fixed, load, capacity, must, way, count, need, here, net, chosen, served)
        if value > best + 1e-7 * abs(best):
            stale = 0
        else:
            stale += 1
        if value > best:
            best = value
            best_prices[:] = here
            best_chosen[:] = chosen
        if best >= target_bound:
            break
        if stale >= patience:
            stale = 0
            pace *= 0.5
            here[:] = best_prices
            direction[:] = 0.0
            if pace < 1e-4:
                break
            continue
        along, length, size = 0.0, 0.0, 0.0
        for i in range(n):
            slope = 1.0 - served[i]
            along += slope * direction[i]
            length += direction[i] * direction[i]
        bend = -1.5 * along / length if along < 0 else 0.0
        for i in range(n):
            direction[i] = 1.0 - served[i] + bend * direction[i]
            size += direction[i] * direction[i]
        if size < 1e-12:
            break
        step = pace * max(target - value, 1e-6 * abs(target)) / size
        for i in range(n):
            here[i] += step * direction[i]
    return best, best_prices, best_chosen, chosen, pace, done


@njit(cache=True, nogil=True)
def penalties(cost, fixed, load, capacity, must, way, count, need, prices):
    """Bound the least total cost where a site is open, where it is closed, and where a whole unit is served by it.

    Parameters
    ----------
    cost, fixed, load, capacity, must, way, count, need, prices
        As in :func:`relax`.

    Returns
    -------
    tuple of numpy.ndarray
        By site if open, by site if closed, sites x units if served (for ``PARTS`` that of the open site).

    Examples
    --------
    >>> cost, none, ones = np.array([[1.0], [4.0]]), np.zeros(2, np.bool_), np.ones(2)
    >>> opened, closed, used = penalties(cost, np.zeros(2), np.ones(1), ones, none, FREE, 1, 0.0, np.array([4.0]))
    >>> opened.tolist(), closed.tolist(), used.tolist()
    ([1.0, 4.0], [4.0, 1.0], [[1.0], [4.0]])
    """
    m, n = cost.shape
    gain, order, uses = np.empty(n), np.empty(n, np.int64), np.empty(n)
    net, base = np.empty(m), prices.sum()
    for j in range(m):
        net[j] = fixed[j] + _site(cost[j], load, capacity[j], way, prices, gain, order, uses)
    opened, closed, used = np.empty(m), np.empty(m), np.full((m, n), np.inf)
    chosen = np.zeros(m, np.bool_)
    others = np.ones(m, np.bool_)
    for j in range(m):
        now = must.copy()
        now[j] = True
        opened[j] = base + _select(net, now, capacity, count, need, chosen)
        others[j] = False
        closed[j] = np.inf
        held = 0
        for k in range(m):
            held += must[k]
        room = 0.0
        for k in range(m):
            if k != j:
                room += min(capacity[k], max(need, 0.0))
        if not must[j] and (count < 0 or count <= m - 1) and room >= need:
            closed[j] = base + _select(net[others], must[others], capacity[others], count, need, chosen[:-1])
        others[j] = True
    for j in range(m):
        value = net[j] - fixed[j]
        many = 0
        room = capacity[j]
        for i in range(n):
            g = prices[i] - cost[j, i]
            if g > 0 and (load[i] <= 0 or (load[i] <= room and way == WHOLE)):
                gain[many] = g
                order[many] = i
                many += 1
        ratio = np.empty(many)
        for k in range(many):
            ratio[k] = -gain[k] / max(load[order[k]], _LEAST)
        by = np.argsort(ratio, kind="mergesort")
        for i in range(n):
            if not np.isfinite(cost[j, i]):
                continue
            if way == PARTS:
                used[j, i] = opened[j]
                continue
            if way == FREE:
                used[j, i] = opened[j] + max(cost[j, i] - prices[i], 0.0)
                continue
            left = room - load[i]
            if left < -1e-9:
                continue
            # the others by their relaxation
            alone = cost[j, i] - prices[i]
            for k in by:
                o = order[k]
                if o == i:
                    continue
                if load[o] <= left:
                    alone -= gain[k]
                    left -= load[o]
                else:
                    alone -= gain[k] * max(left, 0.0) / load[o]
                    break
            used[j, i] = opened[j] + max(alone - value, 0.0)
    return opened, closed, used


@njit(cache=True, nogil=True)
def interchange(cost, fixed, start, must, keep_count, rounds):
    """Add, drop and swap sites while the total cost falls, always by the best move; units go to their least cost.

    Parameters
    ----------
    cost
        Sites x units, finite: a forbidden pair has a cost above any that counts.
    fixed, must
        Of the sites.
    start
        Which are open at first.
    keep_count
        Only swaps.
    rounds
        Most moves.

    Returns
    -------
    tuple
        Which sites are open, and their total cost.

    References
    ----------
    Whitaker, R. A. (1983). A fast algorithm for the greedy interchange for large-scale clustering and median location problems.
    INFOR, 21(2). Resende, M., & Werneck, R. (2007). A fast swap-based local search procedure for location problems. Annals of
    Operations Research, 150.

    Examples
    --------
    >>> opened, total = interchange(np.array([[1.0, 1.0], [3.0, 4.0]]), np.zeros(2), np.array([False, True]), np.zeros(2, np.bool_), True, 9)
    >>> opened.tolist(), total
    ([True, False], 2.0)
    """
    m, n = cost.shape
    opened = start.copy()
    nearest, d1, d2 = np.empty(n, np.int64), np.empty(n), np.empty(n)
    loss, extra = np.empty(m), np.empty(m)
    big = 1e300
    total = 0.0
    for turn in range(rounds + 1):
        d1[:] = big
        d2[:] = big
        nearest[:] = -1
        many = 0
        total = 0.0
        for j in range(m):
            if opened[j]:
                many += 1
                total += fixed[j]
                for i in range(n):
                    c = cost[j, i]
                    if c < d1[i]:
                        d2[i] = d1[i]
                        d1[i], nearest[i] = c, j
                    elif c < d2[i]:
                        d2[i] = c
        total += d1.sum()
        if turn == rounds:
            break
        loss[:] = 0.0
        for i in range(n):
            loss[nearest[i]] += min(d2[i], 1e15) - d1[i]
        best, add, drop = 1e-9 * max(abs(total), 1.0), -1, -1
        if not keep_count and many > 1:
            for j in range(m):
                if opened[j] and not must[j] and fixed[j] - loss[j] > best:
                    best, add, drop = fixed[j] - loss[j], -1, j
        for j in range(m):
            if opened[j]:
                continue
            extra[:] = 0.0
            gain = -fixed[j]
            for i in range(n):
                c = cost[j, i]
                if c < d1[i]:
                    gain += d1[i] - c
                    extra[nearest[i]] += min(d2[i], 1e15) - d1[i]
                elif c < d2[i]:
                    extra[nearest[i]] += min(d2[i], 1e15) - c
            if not keep_count and gain > best:
                best, add, drop = gain, j, -1
            for k in range(m):
                if opened[k] and not must[k]:
                    worth = gain + fixed[k] - loss[k] + extra[k]
                    if worth > best:
                        best, add, drop = worth, j, k
        if add < 0 and drop < 0:
            break
        if add >= 0:
            opened[add] = True
        if drop >= 0:
            opened[drop] = False
    return opened, total


@njit(cache=True, nogil=True)
def settle(cost, load, capacity, site, opened, toll, rounds):
    """Move and swap whole units among the open sites while cost and overload at a toll fall.

    Parameters
    ----------
    cost
        Sites x units, finite: a forbidden pair has a cost above any that counts.
    load, capacity
        Of units and sites.
    site
        Where each unit begins, an open site.
    opened
        Which sites are open.
    toll
        Cost of a unit of load above the capacity.
    rounds
        Most passes over the units.

    Returns
    -------
    tuple
        Site of each unit, and the overload left.

    Examples
    --------
    >>> cost = np.array([[1.0, 1.0], [2.0, 9.0]])
    >>> settle(cost, np.ones(2), np.ones(2), np.zeros(2, np.int64), np.ones(2, np.bool_), 100.0, 9)[0].tolist()
    [1, 0]
    """
    m, n = cost.shape
    at = site.copy()
    used = np.zeros(m)
    for i in range(n):
        used[at[i]] += load[i]
    sites = np.flatnonzero(opened)
    for _ in range(rounds):
        moved = False
        for i in range(n):
            a = at[i]
            freed = max(used[a] - capacity[a], 0.0) - max(used[a] - load[i] - capacity[a], 0.0)
            best, to = -1e-9, -1
            for b in sites:
                if b != a:
                    more = max(used[b] + load[i] - capacity[b], 0.0) - max(used[b] - capacity[b], 0.0)
                    change = cost[b, i] - cost[a, i] + toll * (more - freed)
                    if change < best:
                        best, to = change, b
            if to >= 0:
                used[a] -= load[i]
                used[to] += load[i]
                at[i] = to
                moved = True
        for i in range(n):
            for k in range(i + 1, n):
                a, b = at[i], at[k]
                if a == b:
                    continue
                shift = load[k] - load[i]
                now = max(used[a] - capacity[a], 0.0) + max(used[b] - capacity[b], 0.0)
                then = max(used[a] + shift - capacity[a], 0.0) + max(used[b] - shift - capacity[b], 0.0)
                if cost[b, i] + cost[a, k] - cost[a, i] - cost[b, k] + toll * (then - now) < -1e-9:
                    used[a] += shift
                    used[b] -= shift
                    at[i], at[k] = b, a
                    moved = True
        if not moved:
            break
    over = 0.0
    for j in range(m):
        over += max(used[j] - capacity[j], 0.0)
    return at, over
